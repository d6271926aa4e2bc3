/* SPDX-License-Identifier: GPL-2.0-only */
/* Variables that are freed, and locks that are left, at the end of their block (6.5 and later). */
#ifndef _LINUX_CLEANUP_H
#define _LINUX_CLEANUP_H

#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define DEFINE_FREE(name, type, action)                                                            \
	static inline void __free_##name(void *p)                                                  \
	{                                                                                          \
		type _T = *(type *)p;                                                              \
		action;                                                                            \
	}
#define __free(name) __attribute__((cleanup(__free_##name)))
#define no_free_ptr(p)                                                                             \
	({                                                                                         \
		__typeof__(p) kmlab_kept_ = (p);                                                   \
		(p) = NULL;                                                                        \
		kmlab_kept_;                                                                       \
	})
#define return_ptr(p) return no_free_ptr(p)

DEFINE_FREE(kfree, void *, if (!IS_ERR_OR_NULL(_T)) kfree(_T))
DEFINE_FREE(kvfree, void *, if (!IS_ERR_OR_NULL(_T)) kvfree(_T))

#define KMLAB_GUARD(name, lock, leave)                                                             \
	typedef lock *kmlab_guard_##name;                                                          \
	static inline void kmlab_leave_##name(kmlab_guard_##name *held)                            \
	{                                                                                          \
		leave(*held);                                                                      \
	}
KMLAB_GUARD(mutex, struct mutex, mutex_unlock)
KMLAB_GUARD(spinlock, spinlock_t, spin_unlock)
#define KMLAB_GUARD_VARIABLE(name, variable)                                                       \
	kmlab_guard_##name variable __attribute__((cleanup(kmlab_leave_##name)))
#define guard(name) KMLAB_GUARD_VARIABLE(name, __UNIQUE_ID(guard)) = KMLAB_GUARD_TAKE_##name
/* guard(mutex)(&lock): what follows the first pair of parentheses takes the lock. */
static inline struct mutex *kmlab_take_mutex(struct mutex *lock)
{
	mutex_lock(lock);
	return lock;
}
static inline spinlock_t *kmlab_take_spinlock(spinlock_t *lock)
{
	spin_lock(lock);
	return lock;
}
#define KMLAB_GUARD_TAKE_mutex kmlab_take_mutex
#define KMLAB_GUARD_TAKE_spinlock kmlab_take_spinlock

#endif
