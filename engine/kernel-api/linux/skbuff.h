/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets' memory (net/core/skbuff.c): a head of skbuff_head_cache, and the data with 320 bytes of
 * shared information behind it, by kmalloc; since 6.3 data that with it takes up to 576 bytes from
 * skbuff_small_head. No devices and no protocols.
 */
#ifndef _LINUX_SKBUFF_H
#define _LINUX_SKBUFF_H

#include <linux/kernel.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/version.h>

#define SMP_CACHE_BYTES 64
#define NET_SKB_PAD 64
#define NET_IP_ALIGN 0
#define SKB_DATA_ALIGN(bytes) ALIGN(bytes, SMP_CACHE_BYTES)
#define KMLAB_SKB_SHARED 320u /* struct skb_shared_info */
#define KMLAB_SKB_SMALL 576u
#define KMLAB_SKB_BYTES (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) ? 224 : 232)

struct sk_buff {
	struct sk_buff *next, *prev;
	void *dev, *sk;
	char cb[48] __aligned(8);
	unsigned int len, data_len, truesize, priority;
	u16 protocol, mac_header, network_header, transport_header;
	unsigned char *head, *data;
	unsigned int tail, end;
	refcount_t users;
	bool kmlab_small;
};
struct sk_buff_head {
	struct sk_buff *next, *prev;
	u32 qlen;
	spinlock_t lock;
};
_Static_assert(sizeof(struct sk_buff) <= 224, "as many bytes as the kernel's");

#define KMLAB_SKB_CACHE                                                                            \
	kmlab_api->kernel_cache("skbuff_head_cache", KMLAB_SKB_BYTES,                              \
				SLAB_HWCACHE_ALIGN | SLAB_PANIC)
#define KMLAB_SKB_SMALL_CACHE                                                                      \
	kmlab_api->kernel_cache("skbuff_small_head", KMLAB_SKB_SMALL,                              \
				SLAB_HWCACHE_ALIGN | SLAB_PANIC)

static inline struct sk_buff *kmlab_skb(const struct kmlab_site *site, unsigned int bytes,
					gfp_t gfp)
{
	struct sk_buff *skb = kmlab_api->cache_alloc(site, KMLAB_SKB_CACHE, gfp & ~GFP_DMA, -1);
	unsigned int room = SKB_DATA_ALIGN(bytes) + KMLAB_SKB_SHARED;
	bool small = LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0) && room <= KMLAB_SKB_SMALL;
	unsigned char *data;

	if (!skb)
		return NULL;
	if (small)
		room = KMLAB_SKB_SMALL;
	else
		room = kmlab_api->size_roundup(room);
	data = small ? kmlab_api->cache_alloc(site, KMLAB_SKB_SMALL_CACHE, gfp, -1)
		     : kmlab_api->do_kmalloc(site, room, gfp, -1);
	if (!data) {
		kmlab_api->cache_free(site, KMLAB_SKB_CACHE, skb);
		return NULL;
	}
	*skb = (struct sk_buff){.head = data,
				.data = data,
				.end = room - KMLAB_SKB_SHARED,
				.truesize = room + 256,
				.users = REFCOUNT_INIT(1),
				.kmlab_small = small};
	return skb;
}
#define alloc_skb(bytes, gfp) kmlab_skb(KMLAB_SITE("alloc_skb"), bytes, gfp)
#define dev_alloc_skb(bytes)                                                                       \
	({                                                                                         \
		struct sk_buff *kmlab_skb_ =                                                       \
			kmlab_skb(KMLAB_SITE("dev_alloc_skb"), (bytes) + NET_SKB_PAD, GFP_ATOMIC); \
		if (kmlab_skb_)                                                                    \
			skb_reserve(kmlab_skb_, NET_SKB_PAD);                                      \
		kmlab_skb_;                                                                        \
	})
static inline void kmlab_skb_free(const struct kmlab_site *site, struct sk_buff *skb)
{
	if (!skb || !kmlab_api->in_use(site, skb, "packet") || !kmlab_ref_put(site, &skb->users, 1))
		return;
	if (skb->kmlab_small)
		kmlab_api->cache_free(site, KMLAB_SKB_SMALL_CACHE, skb->head);
	else
		kmlab_api->do_kfree(site, skb->head, 0);
	kmlab_api->cache_free(site, KMLAB_SKB_CACHE, skb);
}
#define kfree_skb(skb) kmlab_skb_free(KMLAB_SITE("kfree_skb"), skb)
#define consume_skb(skb) kmlab_skb_free(KMLAB_SITE("consume_skb"), skb)
#define dev_kfree_skb(skb) kmlab_skb_free(KMLAB_SITE("dev_kfree_skb"), skb)
#define dev_kfree_skb_any(skb) kmlab_skb_free(KMLAB_SITE("dev_kfree_skb_any"), skb)
#define dev_kfree_skb_irq(skb) kmlab_skb_free(KMLAB_SITE("dev_kfree_skb_irq"), skb)
#define skb_get(skb)                                                                               \
	({                                                                                         \
		refcount_inc(&(skb)->users);                                                       \
		(skb);                                                                             \
	})

/* ---- the data ---- */

#define skb_headroom(skb) ((unsigned int)((skb)->data - (skb)->head))
#define skb_tailroom(skb) ((int)((skb)->end - (skb)->tail))
#define skb_tail_pointer(skb) ((skb)->head + (skb)->tail)
#define skb_end_pointer(skb) ((skb)->head + (skb)->end)
#define skb_headlen(skb) ((skb)->len - (skb)->data_len)
#define skb_is_nonlinear(skb) ((skb)->data_len != 0)
#define skb_shared(skb) (refcount_read(&(skb)->users) != 1)
static inline void skb_reserve(struct sk_buff *skb, int bytes)
{
	skb->data += bytes;
	skb->tail += bytes;
}
/* Beyond what there is: Linux stops (skb_over_panic, skb_under_panic). */
static inline void *kmlab_skb_put(const struct kmlab_site *site, struct sk_buff *skb,
				  unsigned int bytes)
{
	void *at = skb_tail_pointer(skb);

	if (bytes > (unsigned int)skb_tailroom(skb))
		kmlab_api->bug(site, "skb_over_panic: more is put than there is room behind", 1);
	skb->tail += bytes;
	skb->len += bytes;
	return at;
}
#define skb_put(skb, bytes) kmlab_skb_put(KMLAB_SITE("skb_put"), skb, bytes)
#define skb_put_data(skb, from, bytes) memcpy(skb_put(skb, bytes), from, bytes)
#define skb_put_zero(skb, bytes) memset(skb_put(skb, bytes), 0, bytes)
static inline void *kmlab_skb_push(const struct kmlab_site *site, struct sk_buff *skb,
				   unsigned int bytes)
{
	if (bytes > skb_headroom(skb))
		kmlab_api->bug(site, "skb_under_panic: more is pushed than there is room before",
			       1);
	skb->len += bytes;
	return skb->data -= bytes;
}
#define skb_push(skb, bytes) kmlab_skb_push(KMLAB_SITE("skb_push"), skb, bytes)
static inline void *skb_pull(struct sk_buff *skb, unsigned int bytes)
{
	if (bytes > skb->len)
		return NULL;
	skb->len -= bytes;
	return skb->data += bytes;
}
static inline void skb_trim(struct sk_buff *skb, unsigned int bytes)
{
	if (skb->len <= bytes)
		return;
	skb->tail -= skb->len - bytes;
	skb->len = bytes;
}
static inline struct sk_buff *kmlab_skb_copy(const struct kmlab_site *site,
					     const struct sk_buff *skb, gfp_t gfp)
{
	struct sk_buff *copy = kmlab_skb(site, skb->end, gfp);

	if (!copy)
		return NULL;
	skb_reserve(copy, skb_headroom(skb));
	copy->tail += skb->len;
	copy->len = skb->len;
	memcpy(copy->data, skb->data, skb->len);
	memcpy(copy->cb, skb->cb, sizeof(copy->cb));
	return copy;
}
#define skb_copy(skb, gfp) kmlab_skb_copy(KMLAB_SITE("skb_copy"), skb, gfp)

/* ---- queues ---- */

static inline void skb_queue_head_init(struct sk_buff_head *list)
{
	list->next = list->prev = (struct sk_buff *)list;
	list->qlen = 0;
	spin_lock_init(&list->lock);
}
#define __skb_queue_head_init skb_queue_head_init
#define skb_queue_len(list) ((list)->qlen)
#define skb_queue_empty(list) ((list)->next == (struct sk_buff *)(list))
static inline void kmlab_skb_link(struct sk_buff_head *list, struct sk_buff *skb,
				  struct sk_buff *prev, struct sk_buff *next)
{
	skb->next = next;
	skb->prev = prev;
	prev->next = next->prev = skb;
	list->qlen++;
}
#define skb_queue_tail(list, skb) kmlab_skb_link(list, skb, (list)->prev, (struct sk_buff *)(list))
#define skb_queue_head(list, skb) kmlab_skb_link(list, skb, (struct sk_buff *)(list), (list)->next)
#define __skb_queue_tail skb_queue_tail
static inline void skb_unlink(struct sk_buff *skb, struct sk_buff_head *list)
{
	skb->next->prev = skb->prev;
	skb->prev->next = skb->next;
	skb->next = skb->prev = NULL;
	list->qlen--;
}
static inline struct sk_buff *skb_dequeue(struct sk_buff_head *list)
{
	struct sk_buff *skb = list->next;

	if (skb_queue_empty(list))
		return NULL;
	skb_unlink(skb, list);
	return skb;
}
#define __skb_dequeue skb_dequeue
#define skb_peek(list) (skb_queue_empty(list) ? NULL : (list)->next)
#define skb_queue_purge(list)                                                                      \
	do {                                                                                       \
		struct sk_buff *kmlab_skb_;                                                        \
		while ((kmlab_skb_ = skb_dequeue(list)))                                           \
			kmlab_skb_free(KMLAB_SITE("skb_queue_purge"), kmlab_skb_);                 \
	} while (0)
#define skb_queue_walk(list, skb)                                                                  \
	for ((skb) = (list)->next; (skb) != (struct sk_buff *)(list); (skb) = (skb)->next)

#endif
