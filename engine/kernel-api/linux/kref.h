/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KREF_H
#define _LINUX_KREF_H

#include <linux/refcount.h>

struct kref {
	refcount_t refcount;
};
#define KREF_INIT(n)                                                                               \
	{                                                                                          \
		.refcount = REFCOUNT_INIT(n)                                                       \
	}
static inline void kref_init(struct kref *kref)
{
	refcount_set(&kref->refcount, 1);
}
static inline int kmlab_kref_put(const struct kmlab_site *site, struct kref *kref,
				 void (*release)(struct kref *))
{
	if (!kmlab_api->in_use(site, kref, "kref") || !kmlab_ref_put(site, &kref->refcount, 1))
		return 0;
	release(kref);
	return 1;
}
#define kref_get(kref) ((void)kmlab_ref_get(KMLAB_SITE("kref_get"), &(kref)->refcount, 1))
#define kref_put(kref, release) kmlab_kref_put(KMLAB_SITE("kref_put"), kref, release)
#define kref_get_unless_zero(kref) refcount_inc_not_zero(&(kref)->refcount)
#define kref_read(kref) refcount_read(&(kref)->refcount)
#define kref_put_mutex(kref, release, lock)                                                        \
	({                                                                                         \
		int kmlab_last_ = kref_read(kref) == 1;                                            \
		if (kmlab_last_)                                                                   \
			mutex_lock(lock);                                                          \
		kref_put(kref, release);                                                           \
	})

#endif
