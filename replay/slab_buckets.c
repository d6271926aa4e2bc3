/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Caches of kmem_buckets_create() (CONFIG_SLAB_BUCKETS, 6.12 and later): a set of size classes for
 * one user, as memdup_user-64 and msg_msg-64. Their objects come by kmalloc(), which names no
 * cache. That a slab is one of theirs is told by the recorded lists, or by the call site of any
 * object in it: a slab has one cache. What neither tells counts as kmalloc's (mm/slab_common.c,
 * mm/util.c, ipc/msgutil.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/choice.h"
#include "replay/sysfs_slab.h"

/* Who allocates from which set. memdup_user()'s own call site is its caller's, which tells nothing.
 */
static const struct {
	const char *symbol, *set;
} users[] = {
	{"load_msg", "msg_msg"},
	{"alloc_msg", "msg_msg"},
	{"vmemdup_user", "memdup_user"},
};

/* "NAME-64", "NAME-1k": the length of NAME if the rest is this size, else 0. */
static size_t set_length(const char *name, size_t length, uint64_t bytes)
{
	char class[24];
	size_t suffix;

	if (bytes >= 1024)
		snprintf(class, sizeof(class), "-%lluk", (unsigned long long)bytes / 1024);
	else
		snprintf(class, sizeof(class), "-%llu", (unsigned long long)bytes);
	suffix = strlen(class);
	return length > suffix && memcmp(name + length - suffix, class, suffix) == 0
		       ? length - suffix
		       : 0;
}

static bool is_set(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (strlen(users[i].set) == length && memcmp(users[i].set, name, length) == 0)
			return true;
	return false;
}

/* Fills *bucket if a line of the snapshot is about such a cache. */
static bool read_bucket(const char *line, size_t length, struct km_bucket *bucket)
{
	const char *name = strncmp(line, "name=", 5) == 0 ? line + 5 : NULL;
	int64_t bytes = km_sysfs_slab_number(line, length, "object_size");
	size_t name_length = name ? strcspn(name, " \n") : 0;

	if (!name || bytes <= 0 || bytes > (int64_t)KM_KMALLOC_MAX_CACHE ||
	    name_length >= sizeof(bucket->name))
		return false;
	bucket->set_length = set_length(name, name_length, (uint64_t)bytes);
	if (!is_set(name, bucket->set_length))
		return false;
	snprintf(bucket->name, sizeof(bucket->name), "%.*s", (int)name_length, name);
	bucket->bytes = (uint32_t)bytes;
	bucket->size = (uint32_t)km_sysfs_slab_number(line, length, "slab_size");
	bucket->align = (uint32_t)km_sysfs_slab_number(line, length, "align");
	bucket->order = (uint32_t)km_sysfs_slab_number(line, length, "order");
	return true;
}

int km_buckets_find(struct km_choice *choice)
{
	const char *line = km_trace_snapshot_text(choice->trace, "start", "sysfs slab");

	for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		struct km_bucket bucket, *larger;

		if (!read_bucket(line, strcspn(line, "\n"), &bucket))
			continue;
		larger = realloc(choice->buckets, (choice->nr_buckets + 1) * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		choice->buckets = larger;
		larger[choice->nr_buckets++] = bucket;
	}
	return 0;
}

/* Is this cache a bucket for requests as large as the event's? */
static bool serves(const struct km_choice *choice, uint32_t cache, const struct km_event *event)
{
	uint32_t first = choice->nr_caches - choice->nr_buckets;

	return cache >= first && cache < choice->nr_caches &&
	       choice->buckets[cache - first].bytes ==
		       km_kmalloc_class_size(km_kmalloc_class(event->bytes_req));
}

/* The bucket that this call site allocates from; KM_NO_INDEX: none is known. */
static uint32_t of_site(const struct km_choice *choice, const struct km_event *event)
{
	uint32_t count, first = choice->nr_caches - choice->nr_buckets;
	const struct km_trace_site *sites = km_trace_site_table(choice->trace, &count);
	const char *set = NULL;

	for (size_t i = 0; event->site < count && i < sizeof(users) / sizeof(users[0]); i++)
		if (strcmp(sites[event->site].symbol, users[i].symbol) == 0)
			set = users[i].set;
	for (uint32_t i = 0; set && i < choice->nr_buckets; i++)
		if (serves(choice, first + i, event) &&
		    strlen(set) == choice->buckets[i].set_length &&
		    memcmp(choice->buckets[i].name, set, choice->buckets[i].set_length) == 0)
			return first + i;
	return KM_NO_INDEX;
}

uint32_t km_buckets_serve(struct km_choice *choice, const struct km_event *event, uint32_t cache,
			  uint32_t index)
{
	uint64_t pfn = km_choice_pfn(choice, event->ptr);
	uint32_t bucket;

	if (!choice->nr_buckets || event->kind != KM_EV_KMALLOC || cache == KM_NO_INDEX ||
	    pfn == UINT64_MAX)
		return cache;
	if (index != KM_NO_INDEX && serves(choice, choice->slabs[index].cache, event))
		return choice->slabs[index].cache;
	if (choice->walk != KM_WALK_FIND)
		return cache;
	bucket = choice->listed_cache[pfn] ? choice->listed_cache[pfn] - 1 : KM_NO_INDEX;
	if (!serves(choice, bucket, event))
		bucket = of_site(choice, event);
	if (bucket == KM_NO_INDEX || !choice->caches[bucket].used)
		return cache;
	if (index != KM_NO_INDEX && choice->slabs[index].cache == cache) {
		struct km_kernel_slab *slab = &choice->slabs[index];

		slab->cache = bucket;
		slab->young = slab->birth_ns > choice->caches[bucket].begin_ns;
	}
	return bucket;
}
