/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks that spin: whoever holds one may not sleep. */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H

#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/preempt.h>

typedef struct {
	int kmlab_made;
} spinlock_t, raw_spinlock_t, rwlock_t;

#define __SPIN_LOCK_UNLOCKED(name)                                                                 \
	{                                                                                          \
		1                                                                                  \
	}
#define DEFINE_SPINLOCK(name) spinlock_t name = __SPIN_LOCK_UNLOCKED(name)
#define DEFINE_RAW_SPINLOCK(name) raw_spinlock_t name = __SPIN_LOCK_UNLOCKED(name)
#define DEFINE_RWLOCK(name) rwlock_t name = __SPIN_LOCK_UNLOCKED(name)
#define spin_lock_init(lock) ((void)((lock)->kmlab_made = 1))
#define raw_spin_lock_init spin_lock_init
#define rwlock_init spin_lock_init

#define KMLAB_LOCK(name, lock) kmlab_api->enter(KMLAB_SITE(name), KMLAB_SPINLOCK, lock)
#define KMLAB_UNLOCK(name, lock) kmlab_api->leave(KMLAB_SITE(name), KMLAB_SPINLOCK, lock)

#define spin_lock(lock) KMLAB_LOCK("spin_lock", lock)
#define spin_unlock(lock) KMLAB_UNLOCK("spin_unlock", lock)
#define spin_lock_irq(lock)                                                                        \
	do {                                                                                       \
		local_irq_disable();                                                               \
		KMLAB_LOCK("spin_lock_irq", lock);                                                 \
	} while (0)
#define spin_unlock_irq(lock)                                                                      \
	do {                                                                                       \
		KMLAB_UNLOCK("spin_unlock_irq", lock);                                             \
		local_irq_enable();                                                                \
	} while (0)
#define spin_lock_irqsave(lock, flags)                                                             \
	do {                                                                                       \
		local_irq_save(flags);                                                             \
		KMLAB_LOCK("spin_lock_irqsave", lock);                                             \
	} while (0)
#define spin_unlock_irqrestore(lock, flags)                                                        \
	do {                                                                                       \
		KMLAB_UNLOCK("spin_unlock_irqrestore", lock);                                      \
		local_irq_restore(flags);                                                          \
	} while (0)
#define spin_lock_bh(lock)                                                                         \
	do {                                                                                       \
		local_bh_disable();                                                                \
		KMLAB_LOCK("spin_lock_bh", lock);                                                  \
	} while (0)
#define spin_unlock_bh(lock)                                                                       \
	do {                                                                                       \
		KMLAB_UNLOCK("spin_unlock_bh", lock);                                              \
		local_bh_enable();                                                                 \
	} while (0)
#define spin_is_locked(lock) kmlab_api->locked(lock)
#define spin_trylock(lock) (kmlab_api->locked(lock) ? 0 : (spin_lock(lock), 1))
#define assert_spin_locked(lock) WARN_ON(!kmlab_api->locked(lock))
#define lockdep_assert_held(lock) WARN_ON(!kmlab_api->locked(lock))

#define raw_spin_lock spin_lock
#define raw_spin_unlock spin_unlock
#define raw_spin_lock_irqsave spin_lock_irqsave
#define raw_spin_unlock_irqrestore spin_unlock_irqrestore
#define read_lock spin_lock
#define read_unlock spin_unlock
#define write_lock spin_lock
#define write_unlock spin_unlock
#define read_lock_irqsave spin_lock_irqsave
#define read_unlock_irqrestore spin_unlock_irqrestore
#define write_lock_irqsave spin_lock_irqsave
#define write_unlock_irqrestore spin_unlock_irqrestore
#define read_lock_bh spin_lock_bh
#define read_unlock_bh spin_unlock_bh
#define write_lock_bh spin_lock_bh
#define write_unlock_bh spin_unlock_bh
#define write_lock_irq spin_lock_irq
#define write_unlock_irq spin_unlock_irq
#define read_lock_irq spin_lock_irq
#define read_unlock_irq spin_unlock_irq

#endif
