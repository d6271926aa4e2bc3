/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_HASHTABLE_H
#define _LINUX_HASHTABLE_H

#include <linux/hash.h>
#include <linux/list.h>

#define DEFINE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)]
#define DECLARE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)]
#define HASH_SIZE(table) (sizeof(table) / sizeof((table)[0]))
#define HASH_BITS(table) ilog2(HASH_SIZE(table))
#define hash_init(table)                                                                           \
	do {                                                                                       \
		for (unsigned int kmlab_i_ = 0; kmlab_i_ < HASH_SIZE(table); kmlab_i_++)           \
			INIT_HLIST_HEAD(&(table)[kmlab_i_]);                                       \
	} while (0)
#define hash_min(key, bits) (sizeof(key) <= 4 ? hash_32(key, bits) : hash_64(key, bits))
#define hash_hashed(node) (!hlist_unhashed(node))
#define hash_empty(table)                                                                          \
	({                                                                                         \
		bool kmlab_empty_ = true;                                                          \
		for (unsigned int kmlab_i_ = 0; kmlab_i_ < HASH_SIZE(table); kmlab_i_++)           \
			kmlab_empty_ &= hlist_empty(&(table)[kmlab_i_]);                           \
		kmlab_empty_;                                                                      \
	})
#define hash_for_each_possible_safe(table, p, n, member, key)                                      \
	hlist_for_each_entry_safe(p, n, &(table)[hash_min(key, HASH_BITS(table))], member)
#define hash_add_rcu hash_add
#define hash_del_rcu hash_del
#define hash_for_each_rcu hash_for_each
#define hash_for_each_possible_rcu hash_for_each_possible
#define hash_add(table, node, key) hlist_add_head(node, &(table)[hash_min(key, HASH_BITS(table))])
#define hash_del(node) hlist_del_init(node)
#define hash_for_each(table, bucket, p, member)                                                    \
	for ((bucket) = 0; (unsigned long)(bucket) < HASH_SIZE(table); (bucket)++)                 \
	hlist_for_each_entry(p, &(table)[bucket], member)
#define hash_for_each_safe(table, bucket, n, p, member)                                            \
	for ((bucket) = 0; (unsigned long)(bucket) < HASH_SIZE(table); (bucket)++)                 \
	hlist_for_each_entry_safe(p, n, &(table)[bucket], member)
#define hash_for_each_possible(table, p, member, key)                                              \
	hlist_for_each_entry(p, &(table)[hash_min(key, HASH_BITS(table))], member)

#endif
