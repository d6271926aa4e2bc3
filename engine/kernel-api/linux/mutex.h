/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks that sleep. */
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H

#include <linux/kernel.h>

struct mutex {
	int kmlab_made;
};
#define DEFINE_MUTEX(name) struct mutex name = {1}
#define mutex_init(lock) ((void)((lock)->kmlab_made = 1))
#define mutex_destroy(lock) ((void)(lock))
#define KMLAB_SLEEPING_LOCK(name, lock)                                                            \
	(kmlab_api->do_might_sleep(KMLAB_SITE(name)),                                              \
	 kmlab_api->enter(KMLAB_SITE(name), KMLAB_MUTEX, lock))
#define mutex_lock(lock) KMLAB_SLEEPING_LOCK("mutex_lock", lock)
#define mutex_lock_interruptible(lock) (KMLAB_SLEEPING_LOCK("mutex_lock_interruptible", lock), 0)
#define mutex_lock_killable(lock) mutex_lock_interruptible(lock)
#define mutex_trylock(lock)                                                                        \
	(kmlab_api->locked(lock)                                                                   \
		 ? 0                                                                               \
		 : (kmlab_api->enter(KMLAB_SITE("mutex_trylock"), KMLAB_MUTEX, lock), 1))
#define mutex_unlock(lock) kmlab_api->leave(KMLAB_SITE("mutex_unlock"), KMLAB_MUTEX, lock)
#define mutex_is_locked(lock) kmlab_api->locked(lock)

#endif
