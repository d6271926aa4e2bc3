/* SPDX-License-Identifier: GPL-2.0-only */
/* kmalloc and its family, and caches of objects of one size. */
#ifndef _LINUX_SLAB_H
#define _LINUX_SLAB_H

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/overflow.h>
#include <linux/types.h>

#define ZERO_SIZE_PTR ((void *)16)
#define ZERO_OR_NULL_PTR(p) ((unsigned long)(p) <= (unsigned long)ZERO_SIZE_PTR)
#define KMALLOC_MIN_SIZE 8
#define KMALLOC_SHIFT_LOW 3
#define KMALLOC_MAX_CACHE_SIZE 8192UL
#define KMALLOC_MAX_SIZE (1UL << 22)
#define KMALLOC_MAX_ORDER 10
#define ARCH_KMALLOC_MINALIGN 8
#define ARCH_DMA_MINALIGN 8

#define SLAB_CONSISTENCY_CHECKS 0x100u
#define SLAB_RED_ZONE 0x400u
#define SLAB_POISON 0x800u
#define SLAB_HWCACHE_ALIGN 0x2000u
#define SLAB_CACHE_DMA 0x4000u
#define SLAB_CACHE_DMA32 0x8000u
#define SLAB_STORE_USER 0x10000u
#define SLAB_RECLAIM_ACCOUNT 0x20000u
#define SLAB_TEMPORARY SLAB_RECLAIM_ACCOUNT
#define SLAB_PANIC 0x40000u
#define SLAB_TYPESAFE_BY_RCU 0x80000u
#define SLAB_MEM_SPREAD 0x100000u
#define SLAB_TRACE 0x200000u
/* Of older kernels, or without effect on where objects lie. */
#define SLAB_NOTRACK 0u
#define SLAB_DEBUG_OBJECTS 0u
#define SLAB_KASAN 0u
#define SLAB_NO_MERGE 0x1000000u
#define SLAB_ACCOUNT 0x4000000u

#define kmalloc(bytes, gfp) kmlab_api->do_kmalloc(KMLAB_SITE("kmalloc"), bytes, gfp, -1)
#define kmalloc_node(bytes, gfp, node)                                                             \
	kmlab_api->do_kmalloc(KMLAB_SITE("kmalloc_node"), bytes, gfp, node)
#define kzalloc(bytes, gfp)                                                                        \
	kmlab_api->do_kmalloc(KMLAB_SITE("kzalloc"), bytes, (gfp) | __GFP_ZERO, -1)
#define kzalloc_node(bytes, gfp, node)                                                             \
	kmlab_api->do_kmalloc(KMLAB_SITE("kzalloc_node"), bytes, (gfp) | __GFP_ZERO, node)
#define kmalloc_array(n, bytes, gfp) kmlab_array(KMLAB_SITE("kmalloc_array"), n, bytes, gfp, -1)
#define kmalloc_array_node(n, bytes, gfp, node)                                                    \
	kmlab_array(KMLAB_SITE("kmalloc_array_node"), n, bytes, gfp, node)
#define kcalloc(n, bytes, gfp) kmlab_array(KMLAB_SITE("kcalloc"), n, bytes, (gfp) | __GFP_ZERO, -1)
#define kcalloc_node(n, bytes, gfp, node)                                                          \
	kmlab_array(KMLAB_SITE("kcalloc_node"), n, bytes, (gfp) | __GFP_ZERO, node)
#define krealloc(p, bytes, gfp) kmlab_api->do_krealloc(KMLAB_SITE("krealloc"), p, bytes, 1, gfp, -1)
#define krealloc_node_align(p, bytes, align, gfp, node)                                            \
	kmlab_api->do_krealloc(KMLAB_SITE("krealloc_node_align"), p, bytes, align, gfp, node)
#define krealloc_array(p, n, bytes, gfp)                                                           \
	kmlab_array_resize(KMLAB_SITE("krealloc_array"), p, n, bytes, gfp)
#define kfree(p) kmlab_api->do_kfree(KMLAB_SITE("kfree"), p, 0)
#define kfree_sensitive(p) kmlab_api->do_kfree(KMLAB_SITE("kfree_sensitive"), p, 1)
#define kzfree(p) kmlab_api->do_kfree(KMLAB_SITE("kzfree"), p, 1)
#define ksize(p) kmlab_api->do_ksize(KMLAB_SITE("ksize"), p)
#define kmalloc_size_roundup(bytes) kmlab_api->size_roundup(bytes)

#define kvmalloc(bytes, gfp) kmlab_api->do_kvmalloc(KMLAB_SITE("kvmalloc"), bytes, gfp, -1)
#define kvzalloc(bytes, gfp)                                                                       \
	kmlab_api->do_kvmalloc(KMLAB_SITE("kvzalloc"), bytes, (gfp) | __GFP_ZERO, -1)
#define kvmalloc_node(bytes, gfp, node)                                                            \
	kmlab_api->do_kvmalloc(KMLAB_SITE("kvmalloc_node"), bytes, gfp, node)
#define kvzalloc_node(bytes, gfp, node)                                                            \
	kmlab_api->do_kvmalloc(KMLAB_SITE("kvzalloc_node"), bytes, (gfp) | __GFP_ZERO, node)
#define kvmalloc_array(n, bytes, gfp)                                                              \
	kmlab_api->do_kvmalloc(KMLAB_SITE("kvmalloc_array"), size_mul(n, bytes), gfp, -1)
#define kvcalloc(n, bytes, gfp)                                                                    \
	kmlab_api->do_kvmalloc(KMLAB_SITE("kvcalloc"), size_mul(n, bytes), (gfp) | __GFP_ZERO, -1)
/* Three arguments since 6.12, four with the old size before. */
#define KMLAB_KVREALLOC_3(p, bytes, gfp)                                                           \
	kmlab_api->do_kvrealloc(KMLAB_SITE("kvrealloc"), p, 0, bytes, gfp)
#define KMLAB_KVREALLOC_4(p, old, bytes, gfp)                                                      \
	kmlab_api->do_kvrealloc(KMLAB_SITE("kvrealloc"), p, old, bytes, gfp)
#define KMLAB_KVREALLOC(a, b, c, d, name, ...) name
#define kvrealloc(...)                                                                             \
	KMLAB_KVREALLOC(__VA_ARGS__, KMLAB_KVREALLOC_4, KMLAB_KVREALLOC_3, )(__VA_ARGS__)
#define kvfree(p) kmlab_api->do_kvfree(KMLAB_SITE("kvfree"), p, 0)
#define kvfree_sensitive(p, bytes) kmlab_api->do_kvfree(KMLAB_SITE("kvfree_sensitive"), p, 1)

/* Typed allocation of 7.x. */
#define kmalloc_obj(object, ...)                                                                   \
	((__typeof__(object) *)kmalloc(sizeof(object), KMLAB_GFP(__VA_ARGS__)))
#define kzalloc_obj(object, ...)                                                                   \
	((__typeof__(object) *)kzalloc(sizeof(object), KMLAB_GFP(__VA_ARGS__)))
#define kmalloc_objs(object, n, ...)                                                               \
	((__typeof__(object) *)kmalloc_array(n, sizeof(object), KMLAB_GFP(__VA_ARGS__)))
#define kzalloc_objs(object, n, ...)                                                               \
	((__typeof__(object) *)kcalloc(n, sizeof(object), KMLAB_GFP(__VA_ARGS__)))
#define KMLAB_GFP(...) KMLAB_GFP_2(0, ##__VA_ARGS__, GFP_KERNEL, )
#define KMLAB_GFP_2(zero, gfp, ...) gfp

static inline void *kmlab_array(const struct kmlab_site *site, size_t n, size_t bytes, gfp_t gfp,
				int node)
{
	return kmlab_api->do_kmalloc(site, size_mul(n, bytes), gfp, node);
}
static inline void *kmlab_array_resize(const struct kmlab_site *site, const void *p, size_t n,
				       size_t bytes, gfp_t gfp)
{
	return kmlab_api->do_krealloc(site, p, size_mul(n, bytes), 1, gfp, -1);
}
/* The functions themselves, for those who take their address. */
static inline void *(kmalloc)(size_t bytes, gfp_t gfp)
{
	return kmalloc(bytes, gfp);
}
static inline void *(kzalloc)(size_t bytes, gfp_t gfp)
{
	return kzalloc(bytes, gfp);
}
static inline void(kfree)(const void *p)
{
	kfree(p);
}
static inline void(kvfree)(const void *p)
{
	kvfree(p);
}

/* ---- caches ---- */

struct kmem_cache;
struct kmem_cache_args {
	unsigned int align, useroffset, usersize, freeptr_offset, sheaf_capacity;
	bool use_freeptr_offset;
	void (*ctor)(void *);
};

#define KMLAB_CACHE(name, size, align, flags, ctor)                                                \
	((struct kmem_cache *)kmlab_api->cache_create(KMLAB_SITE("kmem_cache_create"), name, size, \
						      align, flags, ctor))
static inline struct kmem_cache *kmlab_cache_with_args(const struct kmlab_site *site,
						       const char *name, size_t size,
						       const struct kmem_cache_args *args,
						       slab_flags_t flags)
{
	static const struct kmem_cache_args none;

	args = args ? args : &none;
	return kmlab_api->cache_create(site, name, size, args->align,
				       flags | (args->usersize ? SLAB_NO_MERGE : 0), args->ctor);
}
/* Since 6.12 the third argument may be a struct kmem_cache_args. */
#define KMLAB_CACHE_4(name, size, args, flags)                                                     \
	kmlab_cache_with_args(KMLAB_SITE("kmem_cache_create"), name, size, args, flags)
#define KMLAB_CACHE_PICK(a, b, c, d, e, pick, ...) pick
#define kmem_cache_create(...)                                                                     \
	KMLAB_CACHE_PICK(__VA_ARGS__, KMLAB_CACHE, KMLAB_CACHE_4, )(__VA_ARGS__)
#define kmem_cache_create_usercopy(name, size, align, flags, useroffset, usersize, ctor)           \
	((struct kmem_cache *)kmlab_api->cache_create(                                             \
		KMLAB_SITE("kmem_cache_create_usercopy"), name, size, align,                       \
		(flags) | ((usersize) ? SLAB_NO_MERGE : 0), ctor))
#define KMEM_CACHE(type, flags)                                                                    \
	KMLAB_CACHE(#type, sizeof(struct type), __alignof__(struct type), flags, NULL)
#define KMEM_CACHE_USERCOPY(type, flags, field)                                                    \
	KMLAB_CACHE(#type, sizeof(struct type), __alignof__(struct type), (flags) | SLAB_NO_MERGE, \
		    NULL)
#define kmem_cache_destroy(cache) kmlab_api->cache_destroy(KMLAB_SITE("kmem_cache_destroy"), cache)
#define kmem_cache_alloc(cache, gfp)                                                               \
	kmlab_api->cache_alloc(KMLAB_SITE("kmem_cache_alloc"), cache, gfp, -1)
#define kmem_cache_zalloc(cache, gfp)                                                              \
	kmlab_api->cache_alloc(KMLAB_SITE("kmem_cache_zalloc"), cache, (gfp) | __GFP_ZERO, -1)
#define kmem_cache_alloc_node(cache, gfp, node)                                                    \
	kmlab_api->cache_alloc(KMLAB_SITE("kmem_cache_alloc_node"), cache, gfp, node)
#define kmem_cache_free(cache, p) kmlab_api->cache_free(KMLAB_SITE("kmem_cache_free"), cache, p)
#define kmem_cache_alloc_bulk(cache, gfp, count, objects)                                          \
	kmlab_api->cache_alloc_bulk(KMLAB_SITE("kmem_cache_alloc_bulk"), cache, gfp, count, objects)
#define kmem_cache_free_bulk(cache, count, objects)                                                \
	kmlab_api->cache_free_bulk(KMLAB_SITE("kmem_cache_free_bulk"), cache, count, objects)
#define kfree_bulk(count, objects)                                                                 \
	kmlab_api->cache_free_bulk(KMLAB_SITE("kfree_bulk"), NULL, count, objects)
#define kmem_cache_shrink(cache) kmlab_api->cache_shrink(KMLAB_SITE("kmem_cache_shrink"), cache)
#define kmem_cache_size(cache) kmlab_api->cache_size(cache)

#include <linux/cleanup.h>
#include <linux/string.h>

#endif
