/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KDEV_T_H
#define _LINUX_KDEV_T_H

#include <linux/types.h>

#define MINORBITS 20
#define MINORMASK ((1U << MINORBITS) - 1)
#define MAJOR(number) ((unsigned int)((number) >> MINORBITS))
#define MINOR(number) ((unsigned int)((number)&MINORMASK))
#define MKDEV(major, minor) ((dev_t)(major) << MINORBITS | (minor))

#endif
