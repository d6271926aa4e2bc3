/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts of references, which warn when they are used as if the object still were there. */
#ifndef _LINUX_REFCOUNT_H
#define _LINUX_REFCOUNT_H

#include <linux/atomic.h>

typedef atomic_t refcount_t;
#define REFCOUNT_INIT ATOMIC_INIT
#define refcount_set atomic_set
#define refcount_read atomic_read

static inline bool kmlab_ref_get(const struct kmlab_site *site, refcount_t *count, int n)
{
	if (atomic_read(count) <= 0)
		kmlab_api->complain(site, KMLAB_FAULT_REFERENCE,
				    "refcount_t: %s on %d: the object is gone already", site->call,
				    atomic_read(count));
	atomic_add(n, count);
	return true;
}
static inline bool kmlab_ref_put(const struct kmlab_site *site, refcount_t *count, int n)
{
	if (atomic_read(count) < n) {
		kmlab_api->complain(site, KMLAB_FAULT_REFERENCE,
				    "refcount_t: underflow: %s on %d: the last reference was given "
				    "back before",
				    site->call, atomic_read(count));
		return false;
	}
	return atomic_sub_return(n, count) == 0;
}
#define refcount_inc(count) ((void)kmlab_ref_get(KMLAB_SITE("refcount_inc"), count, 1))
#define refcount_add(n, count) ((void)kmlab_ref_get(KMLAB_SITE("refcount_add"), count, n))
#define refcount_dec(count) ((void)kmlab_ref_put(KMLAB_SITE("refcount_dec"), count, 1))
#define refcount_dec_and_test(count) kmlab_ref_put(KMLAB_SITE("refcount_dec_and_test"), count, 1)
#define refcount_sub_and_test(n, count) kmlab_ref_put(KMLAB_SITE("refcount_sub_and_test"), count, n)
#define refcount_inc_not_zero atomic_inc_not_zero

#endif
