/* SPDX-License-Identifier: GPL-2.0-only */
/* Chains of functions that are called when something happens (kernel/notifier.c). */
#ifndef _LINUX_NOTIFIER_H
#define _LINUX_NOTIFIER_H

#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#define NOTIFY_DONE 0x0000
#define NOTIFY_OK 0x0001
#define NOTIFY_STOP_MASK 0x8000
#define NOTIFY_BAD (NOTIFY_STOP_MASK | 0x0002)
#define NOTIFY_STOP (NOTIFY_OK | NOTIFY_STOP_MASK)

struct notifier_block;
typedef int (*notifier_fn_t)(struct notifier_block *nb, unsigned long action, void *data);
struct notifier_block {
	notifier_fn_t notifier_call;
	struct notifier_block *next;
	int priority;
};
struct raw_notifier_head {
	struct notifier_block *head;
};
struct atomic_notifier_head {
	struct notifier_block *head;
};
struct blocking_notifier_head {
	struct notifier_block *head;
};
struct srcu_notifier_head {
	struct notifier_block *head;
};
#define RAW_NOTIFIER_HEAD(name) struct raw_notifier_head name = {NULL}
#define ATOMIC_NOTIFIER_HEAD(name) struct atomic_notifier_head name = {NULL}
#define BLOCKING_NOTIFIER_HEAD(name) struct blocking_notifier_head name = {NULL}
#define RAW_INIT_NOTIFIER_HEAD(name) ((void)((name)->head = NULL))
#define ATOMIC_INIT_NOTIFIER_HEAD RAW_INIT_NOTIFIER_HEAD
#define BLOCKING_INIT_NOTIFIER_HEAD RAW_INIT_NOTIFIER_HEAD
#define srcu_init_notifier_head RAW_INIT_NOTIFIER_HEAD
static inline int notifier_from_errno(int error)
{
	return error ? NOTIFY_STOP_MASK | (NOTIFY_OK - error) : NOTIFY_OK;
}
static inline int notifier_to_errno(int ret)
{
	ret &= ~NOTIFY_STOP_MASK;
	return ret > NOTIFY_OK ? NOTIFY_OK - ret : 0;
}

/* The highest priority first; equal ones as they came. */
static inline int kmlab_notifier_add(const struct kmlab_site *site, struct notifier_block **link,
				     struct notifier_block *nb)
{
	for (struct notifier_block *at = *link; at; at = at->next)
		if (at == nb) {
			kmlab_api->complain(
				site, KMLAB_FAULT_CHECK,
				"warning: %s of a notifier that is in the chain already",
				site->call);
			return -EEXIST;
		}
	while (*link && (*link)->priority >= nb->priority)
		link = &(*link)->next;
	nb->next = *link;
	*link = nb;
	return 0;
}
static inline int kmlab_notifier_remove(struct notifier_block **link, struct notifier_block *nb)
{
	while (*link && *link != nb)
		link = &(*link)->next;
	if (!*link)
		return -ENOENT;
	*link = nb->next;
	return 0;
}
static inline int kmlab_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct notifier_block *next;
	int ret = NOTIFY_DONE;

	for (; nb && !(ret & NOTIFY_STOP_MASK); nb = next) {
		next = nb->next;
		ret = nb->notifier_call(nb, action, data);
	}
	return ret;
}
#define KMLAB_NOTIFIER_ADD(name, chain, nb) kmlab_notifier_add(KMLAB_SITE(name), &(chain)->head, nb)
#define raw_notifier_chain_register(chain, nb)                                                     \
	KMLAB_NOTIFIER_ADD("raw_notifier_chain_register", chain, nb)
#define atomic_notifier_chain_register(chain, nb)                                                  \
	KMLAB_NOTIFIER_ADD("atomic_notifier_chain_register", chain, nb)
#define blocking_notifier_chain_register(chain, nb)                                                \
	(might_sleep(), KMLAB_NOTIFIER_ADD("blocking_notifier_chain_register", chain, nb))
#define srcu_notifier_chain_register blocking_notifier_chain_register
#define raw_notifier_chain_unregister(chain, nb) kmlab_notifier_remove(&(chain)->head, nb)
#define atomic_notifier_chain_unregister raw_notifier_chain_unregister
#define blocking_notifier_chain_unregister(chain, nb)                                              \
	(might_sleep(), kmlab_notifier_remove(&(chain)->head, nb))
#define srcu_notifier_chain_unregister blocking_notifier_chain_unregister
#define raw_notifier_call_chain(chain, action, data) kmlab_notify((chain)->head, action, data)
/* Who is called must not sleep. */
#define atomic_notifier_call_chain(chain, action, data)                                            \
	({                                                                                         \
		int kmlab_ret_;                                                                    \
		kmlab_api->enter(KMLAB_SITE("atomic_notifier_call_chain"), KMLAB_RCU, 0);          \
		kmlab_ret_ = kmlab_notify((chain)->head, action, data);                            \
		kmlab_api->leave(KMLAB_SITE("atomic_notifier_call_chain"), KMLAB_RCU, 0);          \
		kmlab_ret_;                                                                        \
	})
#define blocking_notifier_call_chain(chain, action, data)                                          \
	(might_sleep(), kmlab_notify((chain)->head, action, data))
#define srcu_notifier_call_chain blocking_notifier_call_chain

/* ---- the kernel's own chains: nothing happens that they tell of ---- */

static inline int kmlab_chain_add(const struct kmlab_site *site, struct notifier_block *nb,
				  const char *name)
{
	kmlab_api->hold(site, KMLAB_RES_NOTIFIER, nb, name);
	return 0;
}
static inline int kmlab_chain_remove(const struct kmlab_site *site, struct notifier_block *nb)
{
	return kmlab_api->give_back(site, KMLAB_RES_NOTIFIER, nb) ? 0 : -ENOENT;
}
#define register_reboot_notifier(nb)                                                               \
	kmlab_chain_add(KMLAB_SITE("register_reboot_notifier"), nb, "reboot")
#define unregister_reboot_notifier(nb)                                                             \
	kmlab_chain_remove(KMLAB_SITE("unregister_reboot_notifier"), nb)
#define register_keyboard_notifier(nb)                                                             \
	kmlab_chain_add(KMLAB_SITE("register_keyboard_notifier"), nb, "keyboard")
#define unregister_keyboard_notifier(nb)                                                           \
	kmlab_chain_remove(KMLAB_SITE("unregister_keyboard_notifier"), nb)
#define register_module_notifier(nb)                                                               \
	kmlab_chain_add(KMLAB_SITE("register_module_notifier"), nb, "module")
#define unregister_module_notifier(nb)                                                             \
	kmlab_chain_remove(KMLAB_SITE("unregister_module_notifier"), nb)
#define register_oom_notifier(nb) kmlab_chain_add(KMLAB_SITE("register_oom_notifier"), nb, "oom")
#define unregister_oom_notifier(nb) kmlab_chain_remove(KMLAB_SITE("unregister_oom_notifier"), nb)

#endif
