/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hash tables that grow (lib/rhashtable.c): 64 bytes and a pointer for each bucket, by kvzalloc();
 * three quarters full, a work item makes one twice as large and moves everything, and RCU gives the
 * old one back. They shrink only where the parameters say so.
 */
#ifndef _LINUX_RHASHTABLE_H
#define _LINUX_RHASHTABLE_H

#include <linux/err.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

struct rhash_head {
	struct rhash_head __rcu *next;
};
struct rhashtable_compare_arg {
	struct rhashtable *ht;
	const void *key;
};
typedef u32 (*rht_hashfn_t)(const void *data, u32 len, u32 seed);
typedef u32 (*rht_obj_hashfn_t)(const void *data, u32 len, u32 seed);
typedef int (*rht_obj_cmpfn_t)(struct rhashtable_compare_arg *arg, const void *obj);
struct rhashtable_params {
	u16 nelem_hint, key_len, key_offset, head_offset;
	unsigned int max_size;
	u16 min_size;
	bool automatic_shrinking;
	rht_hashfn_t hashfn;
	rht_obj_hashfn_t obj_hashfn;
	rht_obj_cmpfn_t obj_cmpfn;
};
struct bucket_table {
	unsigned int size;
	struct rcu_head rcu;
	const struct kmlab_site *kmlab_site;
	char kmlab_rest[64 - sizeof(struct rcu_head) - 16];
	struct rhash_head *buckets[];
};
struct rhashtable {
	struct bucket_table *tbl;
	unsigned int key_len, max_elems;
	struct rhashtable_params p;
	struct work_struct run_work;
	struct mutex mutex;
	atomic_t nelems;
	const struct kmlab_site *kmlab_site; /* of its beginning: tables are its */
};
#define KMLAB_RHT_SIZE 64u /* HASH_DEFAULT_SIZE */

static inline struct bucket_table *kmlab_rht_table(const struct kmlab_site *site, unsigned int size,
						   gfp_t gfp)
{
	struct bucket_table *table = kmlab_api->do_kvmalloc(
		site, sizeof(*table) + (size_t)size * sizeof(void *), gfp | __GFP_ZERO, -1);

	if (table) {
		table->size = size;
		table->kmlab_site = site;
	}
	return table;
}
static inline u32 kmlab_rht_bytes(const void *data, u32 n)
{
	const u8 *at = data;
	u32 hash = 2166136261u;

	while (n--)
		hash = (hash ^ *at++) * 16777619u;
	return hash;
}
static inline u32 kmlab_rht_of_key(const struct rhashtable *ht, const void *key)
{
	return ht->p.hashfn ? ht->p.hashfn(key, ht->key_len, 0) : kmlab_rht_bytes(key, ht->key_len);
}
#define kmlab_rht_object(ht, head) ((void *)((char *)(head) - (ht)->p.head_offset))
static inline u32 kmlab_rht_of_object(const struct rhashtable *ht, const struct rhash_head *head)
{
	const char *object = kmlab_rht_object(ht, head);

	return ht->p.obj_hashfn ? ht->p.obj_hashfn(object, ht->key_len, 0)
				: kmlab_rht_of_key(ht, object + ht->p.key_offset);
}
static inline void kmlab_rht_put(const struct rhashtable *ht, struct bucket_table *table,
				 struct rhash_head *head)
{
	struct rhash_head **bucket =
		&table->buckets[kmlab_rht_of_object(ht, head) & (table->size - 1)];

	head->next = *bucket;
	*bucket = head;
}
static inline void kmlab_rht_free_rcu(struct rcu_head *rcu)
{
	struct bucket_table *table = container_of(rcu, struct bucket_table, rcu);

	kmlab_api->do_kvfree(table->kmlab_site, table, 0);
}
static inline void kmlab_rht_resize(const struct kmlab_site *site, struct rhashtable *ht,
				    unsigned int size)
{
	struct bucket_table *old = ht->tbl, *table = kmlab_rht_table(site, size, GFP_KERNEL);

	if (!table)
		return;
	for (unsigned int i = 0; i < old->size; i++)
		while (old->buckets[i]) {
			struct rhash_head *head = old->buckets[i];

			old->buckets[i] = head->next;
			kmlab_rht_put(ht, table, head);
		}
	ht->tbl = table;
	call_rcu(&old->rcu, kmlab_rht_free_rcu);
}
static inline void kmlab_rht_work(struct work_struct *work)
{
	struct rhashtable *ht = container_of(work, struct rhashtable, run_work);
	unsigned int n = atomic_read(&ht->nelems), size = ht->tbl->size;

	if (n > size / 4 * 3 && (!ht->p.max_size || size < ht->p.max_size))
		kmlab_rht_resize(ht->kmlab_site, ht, size * 2);
	else if (ht->p.automatic_shrinking && n < size * 3 / 10 && size > ht->p.min_size)
		kmlab_rht_resize(
			ht->kmlab_site, ht,
			max_t(unsigned int, ht->p.min_size, n ? roundup_pow_of_two(n * 3 / 2) : 0));
}
static inline int kmlab_rht_init(const struct kmlab_site *site, struct rhashtable *ht,
				 const struct rhashtable_params *params)
{
	unsigned int size = KMLAB_RHT_SIZE;

	if ((!params->key_len && !params->obj_hashfn) ||
	    (params->obj_hashfn && !params->obj_cmpfn)) {
		kmlab_api->complain(site, KMLAB_FAULT_ARGUMENT,
				    "%s needs key_len, or obj_hashfn and obj_cmpfn", site->call);
		return -EINVAL;
	}
	*ht = (struct rhashtable){.key_len = params->key_len, .p = *params, .kmlab_site = site};
	ht->p.min_size = max_t(u16, ht->p.min_size ? roundup_pow_of_two(ht->p.min_size) : 0, 4);
	if (ht->p.max_size)
		ht->p.max_size = rounddown_pow_of_two(ht->p.max_size);
	if (params->nelem_hint)
		size = max_t(unsigned int, roundup_pow_of_two(params->nelem_hint * 4 / 3),
			     ht->p.min_size);
	else
		size = max_t(unsigned int, size, ht->p.min_size);
	INIT_WORK(&ht->run_work, kmlab_rht_work);
	ht->tbl = kmlab_rht_table(site, size, GFP_KERNEL);
	return ht->tbl ? 0 : -ENOMEM;
}
#define rhashtable_init(ht, params) kmlab_rht_init(KMLAB_SITE("rhashtable_init"), ht, params)
static inline void kmlab_rht_destroy(const struct kmlab_site *site, struct rhashtable *ht,
				     void (*free)(void *, void *), void *arg)
{
	cancel_work_sync(&ht->run_work);
	for (unsigned int i = 0; free && i < ht->tbl->size; i++)
		for (struct rhash_head *head = ht->tbl->buckets[i], *next; head; head = next) {
			next = head->next;
			free(kmlab_rht_object(ht, head), arg);
		}
	kmlab_api->do_kvfree(site, ht->tbl, 0);
	ht->tbl = NULL;
}
#define rhashtable_destroy(ht) kmlab_rht_destroy(KMLAB_SITE("rhashtable_destroy"), ht, NULL, NULL)
#define rhashtable_free_and_destroy(ht, free, arg)                                                 \
	kmlab_rht_destroy(KMLAB_SITE("rhashtable_free_and_destroy"), ht, free, arg)

static inline struct rhash_head *kmlab_rht_find(struct rhashtable *ht, const void *key)
{
	struct rhashtable_compare_arg arg = {ht, key};
	struct rhash_head *head = ht->tbl->buckets[kmlab_rht_of_key(ht, key) & (ht->tbl->size - 1)];

	for (; head; head = head->next) {
		char *object = kmlab_rht_object(ht, head);

		if (ht->p.obj_cmpfn ? !ht->p.obj_cmpfn(&arg, object)
				    : !memcmp(object + ht->p.key_offset, key, ht->key_len))
			break;
	}
	return head;
}
#define rhashtable_lookup_fast(ht, key, params)                                                    \
	({                                                                                         \
		struct rhash_head *kmlab_head_ = kmlab_rht_find(ht, key);                          \
		kmlab_head_ ? kmlab_rht_object(ht, kmlab_head_) : NULL;                            \
	})
#define rhashtable_lookup rhashtable_lookup_fast
static inline int kmlab_rht_insert(const struct kmlab_site *site, struct rhashtable *ht,
				   struct rhash_head *head, bool unique)
{
	if (unique && kmlab_rht_find(ht, (char *)kmlab_rht_object(ht, head) + ht->p.key_offset))
		return -EEXIST;
	kmlab_rht_put(ht, ht->tbl, head);
	atomic_inc(&ht->nelems);
	if (atomic_read(&ht->nelems) > (int)(ht->tbl->size / 4 * 3))
		kmlab_api->defer(site, KMLAB_WORK, &ht->run_work, kmlab_work_run, 0);
	return 0;
}
#define rhashtable_insert_fast(ht, head, params)                                                   \
	kmlab_rht_insert(KMLAB_SITE("rhashtable_insert_fast"), ht, head, false)
#define rhashtable_lookup_insert_fast(ht, head, params)                                            \
	kmlab_rht_insert(KMLAB_SITE("rhashtable_lookup_insert_fast"), ht, head, true)
static inline int kmlab_rht_remove(const struct kmlab_site *site, struct rhashtable *ht,
				   struct rhash_head *head)
{
	struct rhash_head **link =
		&ht->tbl->buckets[kmlab_rht_of_object(ht, head) & (ht->tbl->size - 1)];

	while (*link && *link != head)
		link = &(*link)->next;
	if (!*link)
		return -ENOENT;
	*link = head->next;
	atomic_dec(&ht->nelems);
	if (ht->p.automatic_shrinking &&
	    (unsigned int)atomic_read(&ht->nelems) < ht->tbl->size * 3 / 10 &&
	    ht->tbl->size > ht->p.min_size)
		kmlab_api->defer(site, KMLAB_WORK, &ht->run_work, kmlab_work_run, 0);
	return 0;
}
#define rhashtable_remove_fast(ht, head, params)                                                   \
	kmlab_rht_remove(KMLAB_SITE("rhashtable_remove_fast"), ht, head)

/* ---- walks ---- */

struct rhashtable_iter {
	struct rhashtable *ht;
	struct rhash_head *p;
	unsigned int slot;
};
#define rhashtable_walk_enter(table, iter)                                                         \
	((void)(*(iter) = (struct rhashtable_iter){.ht = (table)}))
#define rhashtable_walk_start(iter)                                                                \
	((void)(iter), kmlab_api->enter(KMLAB_SITE("rhashtable_walk_start"), KMLAB_RCU, 0))
#define rhashtable_walk_stop(iter)                                                                 \
	((void)(iter), kmlab_api->leave(KMLAB_SITE("rhashtable_walk_stop"), KMLAB_RCU, 0))
#define rhashtable_walk_exit(iter) ((void)(iter))
static inline void *rhashtable_walk_next(struct rhashtable_iter *iter)
{
	iter->p = iter->p ? iter->p->next : NULL;
	while (!iter->p && iter->slot < iter->ht->tbl->size)
		iter->p = iter->ht->tbl->buckets[iter->slot++];
	return iter->p ? kmlab_rht_object(iter->ht, iter->p) : NULL;
}

#endif
