/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_RCUPDATE_H
#define _LINUX_RCUPDATE_H

#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define rcu_read_lock() kmlab_api->enter(KMLAB_SITE("rcu_read_lock"), KMLAB_RCU, 0)
#define rcu_read_unlock() kmlab_api->leave(KMLAB_SITE("rcu_read_unlock"), KMLAB_RCU, 0)
#define rcu_dereference(p) READ_ONCE(p)
#define rcu_dereference_protected(p, condition) (p)
#define rcu_access_pointer(p) READ_ONCE(p)
#define rcu_assign_pointer(p, value) smp_store_release(&(p), value)
#define RCU_INIT_POINTER(p, value) ((p) = (value))
#define synchronize_rcu() kmlab_api->sleep(KMLAB_SITE("synchronize_rcu"), 10000000ULL, 0)
#define rcu_barrier() kmlab_api->sleep(KMLAB_SITE("rcu_barrier"), 20000000ULL, 0)

static inline void kmlab_rcu_run(void *object)
{
	struct rcu_head *head = object;

	head->func(head);
}
#define call_rcu(head, function)                                                                   \
	do {                                                                                       \
		struct rcu_head *kmlab_head_ = (head);                                             \
		kmlab_head_->func = (function);                                                    \
		kmlab_api->defer(KMLAB_SITE("call_rcu"), KMLAB_RCU_CALLBACK, kmlab_head_,          \
				 kmlab_rcu_run, 8000000ULL);                                       \
	} while (0)
static inline void kmlab_rcu_free(void *object)
{
	kmlab_api->do_kvfree(KMLAB_SITE("kfree_rcu"), object, 0);
}
#define KMLAB_KFREE_RCU(p)                                                                         \
	((void)kmlab_api->defer(KMLAB_SITE("kfree_rcu"), KMLAB_RCU_CALLBACK, (void *)(p),          \
				kmlab_rcu_free, 8000000ULL))
#define kfree_rcu(p, ...) KMLAB_KFREE_RCU(p)
#define kvfree_rcu(p, ...) KMLAB_KFREE_RCU(p)
#define kfree_rcu_mightsleep(p) KMLAB_KFREE_RCU(p)

#endif
