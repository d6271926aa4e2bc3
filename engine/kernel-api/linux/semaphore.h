/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SEMAPHORE_H
#define _LINUX_SEMAPHORE_H

#include <linux/wait.h>

struct semaphore {
	int count;
};
#define DEFINE_SEMAPHORE(name, ...) struct semaphore name = {1}
#define sema_init(semaphore, value) ((void)((semaphore)->count = (value)))
#define down(semaphore)                                                                            \
	((void)KMLAB_WAIT("down", (semaphore)->count > 0), (void)(semaphore)->count--)
#define down_interruptible(semaphore) (down(semaphore), 0)
#define down_killable(semaphore) (down(semaphore), 0)
#define down_trylock(semaphore) ((semaphore)->count > 0 ? ((semaphore)->count--, 0) : 1)
#define up(semaphore) ((void)(semaphore)->count++)

#endif
