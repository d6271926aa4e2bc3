/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_RWSEM_H
#define _LINUX_RWSEM_H

#include <linux/mutex.h>

#define rw_semaphore mutex
#define DECLARE_RWSEM(name) struct rw_semaphore name = {1}
#define init_rwsem mutex_init
#define down_read(lock) KMLAB_SLEEPING_LOCK("down_read", lock)
#define up_read mutex_unlock
#define down_write(lock) KMLAB_SLEEPING_LOCK("down_write", lock)
#define up_write mutex_unlock

#endif
