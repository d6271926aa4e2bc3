/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_POLL_H
#define _LINUX_POLL_H

#include <linux/fs.h>

typedef struct poll_table_struct {
	int kmlab_unused;
} poll_table;
typedef unsigned int __poll_t;
#define poll_wait(file, queue, table) ((void)(queue))
#define POLLIN 1
#define POLLOUT 4
#define POLLRDNORM 0x40
#define POLLWRNORM 0x100
#define EPOLLIN POLLIN
#define EPOLLOUT POLLOUT

#endif
