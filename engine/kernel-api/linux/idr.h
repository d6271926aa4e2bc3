/* SPDX-License-Identifier: GPL-2.0-only */
/* Small numbers for pointers, and small numbers alone (lib/idr.c); the nodes are an xarray's. */
#ifndef _LINUX_IDR_H
#define _LINUX_IDR_H

#include <linux/xarray.h>

struct idr {
	struct xarray idr_rt;
	unsigned int idr_base, idr_next;
};
#define IDR_INIT(name)                                                                             \
	{                                                                                          \
		.idr_rt = XARRAY_INIT(name, 0)                                                     \
	}
#define DEFINE_IDR(name) struct idr name = IDR_INIT(name)
static inline void idr_init_base(struct idr *idr, int base)
{
	*idr = (struct idr){.idr_rt = XARRAY_INIT(idr, 0), .idr_base = base};
}
#define idr_init(idr) idr_init_base(idr, 0)
#define idr_preload(gfp) preempt_disable()
#define idr_preload_end() preempt_enable()

/* The first free number of [start, end); end <= 0: no limit. */
static inline int kmlab_idr_alloc(const struct kmlab_site *site, struct idr *idr, void *p,
				  int start, int end, gfp_t gfp)
{
	unsigned long index, limit = end > 0 ? (unsigned int)end : (unsigned int)INT_MAX + 1u;

	if (start < 0)
		return -EINVAL;
	index = kmlab_xa_vacant(&idr->idr_rt, start);
	if (index >= limit)
		return -ENOSPC;
	/* A number may stand for nothing: it is taken all the same. */
	if (xa_is_err(kmlab_xa_store(site, &idr->idr_rt, index, p ? p : xa_mk_value(0), gfp)))
		return -ENOMEM;
	return (int)index;
}
static inline int kmlab_idr_cyclic(const struct kmlab_site *site, struct idr *idr, void *p,
				   int start, int end, gfp_t gfp)
{
	int first = (int)idr->idr_next > start ? (int)idr->idr_next : start;
	int id = kmlab_idr_alloc(site, idr, p, first, end, gfp);

	if (id == -ENOSPC && first > start)
		id = kmlab_idr_alloc(site, idr, p, start, end, gfp);
	if (id >= 0)
		idr->idr_next = id + 1;
	return id;
}
#define idr_alloc(idr, p, start, end, gfp)                                                         \
	kmlab_idr_alloc(KMLAB_SITE("idr_alloc"), idr, p, start, end, gfp)
#define idr_alloc_cyclic(idr, p, start, end, gfp)                                                  \
	kmlab_idr_cyclic(KMLAB_SITE("idr_alloc_cyclic"), idr, p, start, end, gfp)
static inline void *idr_find(const struct idr *idr, unsigned long id)
{
	void *p = xa_load((struct xarray *)&idr->idr_rt, id);

	return p == xa_mk_value(0) ? NULL : p;
}
static inline void *kmlab_idr_remove(const struct kmlab_site *site, struct idr *idr,
				     unsigned long id)
{
	void *p = kmlab_xa_store(site, &idr->idr_rt, id, NULL, 0);

	return p == xa_mk_value(0) ? NULL : p;
}
#define idr_remove(idr, id) kmlab_idr_remove(KMLAB_SITE("idr_remove"), idr, id)
static inline void *idr_replace(struct idr *idr, void *p, unsigned long id)
{
	void *before = xa_load(&idr->idr_rt, id);

	if (!before)
		return ERR_PTR(-ENOENT);
	kmlab_xa_store(NULL, &idr->idr_rt, id, p ? p : xa_mk_value(0), 0);
	return before == xa_mk_value(0) ? NULL : before;
}
static inline void *idr_get_next(struct idr *idr, int *id)
{
	unsigned long index = *id;
	void *p = xa_find(&idr->idr_rt, &index, INT_MAX, XA_PRESENT);

	*id = (int)index;
	return p;
}
#define idr_for_each_entry(idr, p, id)                                                             \
	for ((id) = 0; ((p) = idr_get_next(idr, &(id))) != NULL; (id)++)
static inline int idr_for_each(const struct idr *idr, int (*visit)(int, void *, void *), void *data)
{
	void *p;
	int ret = 0;

	for (int id = 0; !ret && (p = idr_get_next((struct idr *)idr, &id)); id++)
		ret = visit(id, p, data);
	return ret;
}
#define idr_is_empty(idr) xa_empty(&(idr)->idr_rt)
#define idr_destroy(idr) xa_destroy(&(idr)->idr_rt)

/* ---- numbers alone: 1024 to a bitmap of 128 bytes ---- */

struct ida {
	struct xarray xa;
};
#define IDA_BITMAP_BITS 1024u
#define DEFINE_IDA(name) struct ida name = {.xa = XARRAY_INIT(name, 0)}
#define ida_init(ida) xa_init(&(ida)->xa)
static inline int kmlab_ida_alloc(const struct kmlab_site *site, struct ida *ida, unsigned int min,
				  unsigned int max, gfp_t gfp)
{
	unsigned int last = max < INT_MAX ? max : INT_MAX;

	for (unsigned int id = min; id <= last;) {
		unsigned int bit = id % IDA_BITMAP_BITS;
		unsigned long *map = xa_load(&ida->xa, id / IDA_BITMAP_BITS);

		if (!map) {
			map = kmlab_api->do_kmalloc(site, IDA_BITMAP_BITS / 8, gfp | __GFP_ZERO,
						    -1);
			if (!map)
				return -ENOMEM;
			if (xa_is_err(kmlab_xa_store(site, &ida->xa, id / IDA_BITMAP_BITS, map,
						     gfp))) {
				kmlab_api->do_kfree(site, map, 0);
				return -ENOMEM;
			}
		}
		/* A word at a time. */
		if (map[bit / 64] == ~0UL) {
			id = (id | 63) + 1;
			continue;
		}
		if (!(map[bit / 64] >> bit % 64 & 1)) {
			map[bit / 64] |= 1UL << bit % 64;
			return (int)id;
		}
		id++;
	}
	return -ENOSPC;
}
#define ida_alloc_range(ida, min, max, gfp)                                                        \
	kmlab_ida_alloc(KMLAB_SITE("ida_alloc_range"), ida, min, max, gfp)
#define ida_alloc(ida, gfp) kmlab_ida_alloc(KMLAB_SITE("ida_alloc"), ida, 0, ~0u, gfp)
#define ida_alloc_min(ida, min, gfp)                                                               \
	kmlab_ida_alloc(KMLAB_SITE("ida_alloc_min"), ida, min, ~0u, gfp)
#define ida_alloc_max(ida, max, gfp) kmlab_ida_alloc(KMLAB_SITE("ida_alloc_max"), ida, 0, max, gfp)
/* Until 6.6; end 0: no limit. */
#define ida_simple_get(ida, start, end, gfp)                                                       \
	kmlab_ida_alloc(KMLAB_SITE("ida_simple_get"), ida, start, (end) ? (end)-1 : ~0u, gfp)
static inline void kmlab_ida_free(const struct kmlab_site *site, struct ida *ida, unsigned int id)
{
	unsigned int bit = id % IDA_BITMAP_BITS;
	unsigned long *map = xa_load(&ida->xa, id / IDA_BITMAP_BITS), left = 0;

	if (!map || !(map[bit / 64] >> bit % 64 & 1)) {
		kmlab_api->bug(site, "a number that is not allocated is freed", 0);
		return;
	}
	map[bit / 64] &= ~(1UL << bit % 64);
	for (unsigned int i = 0; i < IDA_BITMAP_BITS / 64; i++)
		left |= map[i];
	if (left)
		return;
	kmlab_xa_store(site, &ida->xa, id / IDA_BITMAP_BITS, NULL, 0);
	kmlab_api->do_kfree(site, map, 0);
}
#define ida_free(ida, id) kmlab_ida_free(KMLAB_SITE("ida_free"), ida, id)
#define ida_simple_remove(ida, id) kmlab_ida_free(KMLAB_SITE("ida_simple_remove"), ida, id)
static inline void kmlab_ida_destroy(const struct kmlab_site *site, struct ida *ida)
{
	unsigned long index;
	void *map;

	xa_for_each(&ida->xa, index, map) kmlab_api->do_kfree(site, map, 0);
	kmlab_xa_free(site, ida->xa.xa_head);
	ida->xa.xa_head = NULL;
}
#define ida_destroy(ida) kmlab_ida_destroy(KMLAB_SITE("ida_destroy"), ida)
#define ida_is_empty(ida) xa_empty(&(ida)->xa)

#endif
