/* SPDX-License-Identifier: GPL-2.0-only */
/* In what a module's code runs, what it holds, and whether it may sleep there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/module_kernel.h"

bool km_atomic(void)
{
	for (unsigned kind = 0; kind < KMLAB_MUTEX; kind++)
		if (km_kernel->depth[kind])
			return true;
	return false;
}

const char *km_context_text(char text[160])
{
	static const char *const names[KMLAB_NR_CONTEXTS] = {"an interrupt handler",
							     "a softirq",
							     "a spinlock is held",
							     "interrupts are off",
							     "softirqs are off",
							     "preemption is off",
							     "an RCU read section is open",
							     ""};
	const struct kernel *kernel = km_kernel;
	char where[60];

	if (kernel->depth[KMLAB_HARDIRQ] || kernel->depth[KMLAB_SOFTIRQ]) {
		snprintf(text, 160, "this is %s", kernel->in);
		return text;
	}
	for (unsigned kind = KMLAB_SPINLOCK; kind < KMLAB_MUTEX; kind++) {
		if (!kernel->depth[kind])
			continue;
		km_where(where, kernel->entered[kind]);
		snprintf(text, 160, "%s since %s at %s", names[kind],
			 kernel->entered[kind] ? kernel->entered[kind]->call : "", where);
		return text;
	}
	return "this is process context";
}

void km_might_sleep(const struct kmlab_site *site)
{
	char text[160];

	if (km_atomic())
		km_find(KM_RULE_SLEEPING_CALL, site,
			"sleeping function in atomic context: %s may sleep, and %s", site->call,
			km_context_text(text));
}

/* Until the lock is free; false: whoever holds it cannot give it back. */
static bool wait_for(const void *lock, enum kmlab_context kind)
{
	struct kernel *kernel = km_kernel;
	uint64_t site, owner;

	while (km_addr_map_get(&kernel->locks, (uintptr_t)lock, &site)) {
		if (kind != KMLAB_MUTEX ||
		    !km_addr_map_get(&kernel->owners, (uintptr_t)lock, &owner) ||
		    owner == (uintptr_t)kernel->current || !km_let_others_run())
			return false;
	}
	return true;
}

static void api_enter(const struct kmlab_site *site, enum kmlab_context kind, const void *lock)
{
	struct kernel *kernel = km_kernel;
	uint64_t holder;
	char where[60];

	if (lock && !wait_for(lock, kind)) {
		km_addr_map_get(&kernel->locks, (uintptr_t)lock, &holder);
		km_where(where, (const struct kmlab_site *)(uintptr_t)holder);
		km_find(KM_RULE_LOCKING, site,
			"deadlock: %s takes a lock that has been held since %s", site->call, where);
	} else if (lock) {
		km_addr_map_put(&kernel->locks, (uintptr_t)lock, (uintptr_t)site);
		km_addr_map_put(&kernel->owners, (uintptr_t)lock, (uintptr_t)kernel->current);
	}
	kernel->depth[kind]++;
	kernel->entered[kind] = site;
}

static void api_leave(const struct kmlab_site *site, enum kmlab_context kind, const void *lock)
{
	struct kernel *kernel = km_kernel;
	uint64_t holder;

	if (!kernel->depth[kind] ||
	    (lock && !km_addr_map_get(&kernel->locks, (uintptr_t)lock, &holder))) {
		km_find(KM_RULE_LOCKING, site, "%s without the call that begins it", site->call);
		return;
	}
	if (lock) {
		km_addr_map_remove(&kernel->locks, (uintptr_t)lock);
		kernel->events++;
	}
	kernel->depth[kind]--;
}

static unsigned api_context(enum kmlab_context kind)
{
	return km_kernel->depth[kind];
}

static int api_locked(const void *lock)
{
	uint64_t holder;

	return km_addr_map_get(&km_kernel->locks, (uintptr_t)lock, &holder);
}

/* What was entered and not left since `before` was saved. */
void km_check_left(const char *name, const unsigned before[KMLAB_NR_CONTEXTS])
{
	const struct kernel *kernel = km_kernel;
	char where[60];

	for (unsigned kind = 0; kind < KMLAB_NR_CONTEXTS; kind++) {
		if (kernel->depth[kind] <= before[kind])
			continue;
		km_where(where, kernel->entered[kind]);
		km_find(KM_RULE_LOCKING, kernel->entered[kind],
			"%s returned without undoing %s of %s", name,
			kernel->entered[kind] ? kernel->entered[kind]->call : "a lock", where);
	}
}

void km_running_save(struct km_running *outer)
{
	memcpy(outer->depth, km_kernel->depth, sizeof(outer->depth));
	memcpy(outer->in, km_kernel->in, sizeof(outer->in));
}

void km_running_restore(const struct km_running *outer)
{
	memcpy(km_kernel->depth, outer->depth, sizeof(outer->depth));
	memcpy(km_kernel->in, outer->in, sizeof(outer->in));
}

void km_call_in(int context, const char *name, void (*run)(void *), void *argument)
{
	static const unsigned none[KMLAB_NR_CONTEXTS];
	struct kernel *kernel = km_kernel;
	struct km_running outer;

	km_running_save(&outer);
	snprintf(kernel->in, sizeof(kernel->in), "%s", name);
	/* A task does not inherit what another holds; an interrupt comes on top of it. */
	if (context < 0)
		memset(kernel->depth, 0, sizeof(kernel->depth));
	else
		kernel->depth[context]++;
	run(argument);
	if (context >= 0)
		kernel->depth[context]--;
	km_check_left(name, context < 0 ? none : outer.depth);
	km_running_restore(&outer);
}

static void api_bug(const struct kmlab_site *site, const char *what, int fatal)
{
	char where[60];

	km_where(where, site);
	km_find(KM_RULE_CHECK, site, "%s: %s", fatal ? "kernel BUG" : "warning", what);
	if (fatal && km_kernel->escapable)
		siglongjmp(km_kernel->escape, 1);
}

void km_api_context(struct kmlab_api *api)
{
	api->enter = api_enter;
	api->leave = api_leave;
	api->context = api_context;
	api->locked = api_locked;
	api->do_might_sleep = km_might_sleep;
	api->bug = api_bug;
}
