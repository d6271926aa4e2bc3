/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The caches behind kmalloc: size classes and types, random copies, buckets; created in Linux's
 * order, which decides the search order of merging. Models mm/slab_common.c and
 * include/linux/slab.h, 5.15 - 7.2 (kernel-facts: A.1 - A.4).
 */
#include <errno.h>
#include <string.h>

#include "kmalloc.h"

/* include/linux/hash.h: the multiplier of its 64-bit hash. */
#define GOLDEN_RATIO_64 0x61c8864680b583ebull

static const uint32_t class_sizes[KM_KMALLOC_CLASSES] = {0,   96,  192, 8,    16,   32,   64,
							 128, 256, 512, 1024, 2048, 4096, 8192};

static const char *const class_suffixes[KM_KMALLOC_CLASSES] = {
	"", "96", "192", "8", "16", "32", "64", "128", "256", "512", "1k", "2k", "4k", "8k"};

/* Requests of 1..192 bytes, by (bytes - 1) / 8. */
static const uint8_t small_class[24] = {3, 4, 5, 5, 6, 6, 6, 6, 1, 1, 1, 1,
					7, 7, 7, 7, 2, 2, 2, 2, 2, 2, 2, 2};

/* 6.12+ creates 96 and 192 first; before, each came in its place by size. */
static const uint8_t order_new[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
static const uint8_t order_old[] = {3, 4, 5, 6, 1, 7, 2, 8, 9, 10, 11, 12, 13};

#define NR_CREATED sizeof(order_new)

unsigned km_kmalloc_class(uint64_t bytes)
{
	return bytes <= 192 ? small_class[(bytes - 1) / 8] : km_fls(bytes - 1);
}

uint32_t km_kmalloc_class_size(unsigned class_index)
{
	return class_index < KM_KMALLOC_CLASSES ? class_sizes[class_index] : 0;
}

enum km_kmalloc_type km_kmalloc_type(uint32_t gfp)
{
	if (!(gfp & (KM_GFP_DMA | KM_GFP_RECLAIMABLE | KM_GFP_ACCOUNT)))
		return KM_KMALLOC_NORMAL;
	if (gfp & KM_GFP_DMA)
		return KM_KMALLOC_DMA;
	if (gfp & KM_GFP_RECLAIMABLE)
		return KM_KMALLOC_RECLAIM;
	return KM_KMALLOC_CGROUP;
}

uint64_t km_kmalloc_bytes_alloc(uint64_t bytes)
{
	if (bytes == 0)
		return 0;
	if (bytes <= KM_KMALLOC_MAX_CACHE)
		return class_sizes[km_kmalloc_class(bytes)];
	return KM_PAGE_SIZE << km_get_order(bytes);
}

uint64_t km_kmalloc_placed_bytes(const struct km_machine *machine, uint64_t bytes)
{
	const struct km_slab_ops *slab = machine->model->slab;

	if (!bytes || !slab->kmalloc_bytes)
		return km_kmalloc_bytes_alloc(bytes);
	return bytes <= machine->kmalloc_max ? slab->kmalloc_bytes(machine->slab, bytes)
					     : KM_PAGE_SIZE << km_get_order(bytes);
}

static const char *const class_names[KM_NR_KMALLOC_TYPES][KM_KMALLOC_CLASSES] = {
#define NAMES(prefix)                                                                              \
	{                                                                                          \
		"", prefix "96", prefix "192", prefix "8", prefix "16", prefix "32", prefix "64",  \
			prefix "128", prefix "256", prefix "512", prefix "1k", prefix "2k",        \
			prefix "4k", prefix "8k"                                                   \
	}
	[KM_KMALLOC_NORMAL] = NAMES("kmalloc-"),
	[KM_KMALLOC_RECLAIM] = NAMES("kmalloc-rcl-"),
	[KM_KMALLOC_DMA] = NAMES("dma-kmalloc-"),
	[KM_KMALLOC_CGROUP] = NAMES("kmalloc-cg-"),
#undef NAMES
};

const char *km_kmalloc_cache_name(enum km_kmalloc_type type, unsigned class_index)
{
	return class_names[type][class_index];
}

/* ---- which cache ---- */

/* Four bits of the caller's address, mixed with the boot's seed; copy 0 is the plain class. */
static void *random_copy(const struct km_machine *machine, unsigned class_index)
{
	uint64_t hash = (machine->caller ^ machine->random_seed) * GOLDEN_RATIO_64;
	unsigned copy = (unsigned)(hash >> 60);

	return copy ? machine->random_copies->caches[copy - 1][class_index]
		    : machine->kmalloc_caches[KM_KMALLOC_NORMAL][class_index];
}

void *km_kmalloc_cache(const struct km_machine *machine, uint64_t bytes, uint32_t gfp)
{
	const struct km_slab_ops *slab = machine->model->slab;
	enum km_kmalloc_type type = km_kmalloc_type(gfp);
	unsigned class_index;

	if (!bytes || bytes > machine->kmalloc_max)
		return NULL;
	if (slab->kmalloc_cache)
		return slab->kmalloc_cache(machine->slab, bytes, gfp);
	if (slab->kmalloc)
		return NULL;
	class_index = km_kmalloc_class(bytes);
	if (type == KM_KMALLOC_NORMAL && machine->random_copies)
		return random_copy(machine, class_index);
	return machine->kmalloc_caches[type][class_index];
}

/* ---- creation ---- */

static uint32_t class_align(const struct km_profile *profile, uint32_t size)
{
	uint32_t lowest_bit = size & -size;

	if (lowest_bit == size || profile->kmalloc_align)
		return lowest_bit;
	return 8;
}

static void *create_class(struct km_machine *machine, const char *name, uint32_t flags,
			  unsigned class_index)
{
	const struct km_cache_spec spec = {
		.name = name,
		.object_size = class_sizes[class_index],
		.align = class_align(&machine->spec.profile, class_sizes[class_index]),
		/* Hardened usercopy keeps the classes apart from every other cache. */
		.flags = KM_SLAB_KMALLOC | KM_SLAB_NO_MERGE | flags,
	};

	return machine->model->slab->cache_create(machine->slab, &spec);
}

static const uint8_t *creation_order(const struct km_machine *machine)
{
	return machine->spec.profile.kmalloc_align ? order_new : order_old;
}

static int create_type(struct km_machine *machine, enum km_kmalloc_type type)
{
	static const uint32_t type_flags[KM_NR_KMALLOC_TYPES] = {
		[KM_KMALLOC_RECLAIM] = KM_SLAB_RECLAIM_ACCOUNT,
		[KM_KMALLOC_DMA] = KM_SLAB_CACHE_DMA,
		[KM_KMALLOC_CGROUP] = KM_SLAB_ACCOUNT,
	};
	const uint8_t *order = creation_order(machine);

	for (unsigned i = 0; i < NR_CREATED; i++) {
		void **cache = &machine->kmalloc_caches[type][order[i]];

		if (type == KM_KMALLOC_CGROUP && !machine->spec.profile.kmalloc_cg)
			*cache = machine->kmalloc_caches[KM_KMALLOC_NORMAL][order[i]];
		else
			*cache = create_class(machine, class_names[type][order[i]],
					      type_flags[type], order[i]);
		if (!*cache)
			return -ENOMEM;
	}
	return 0;
}

/* "PREFIX" "SUFFIX"; room for every name of this file and those a module may choose. */
static const char *join(char name[64], const char *prefix, const char *suffix)
{
	size_t length = strlen(prefix);

	if (length > 56)
		length = 56;
	memmove(name, prefix, length); /* may be extended in place */
	memcpy(name + length, suffix, strlen(suffix) + 1);
	return name;
}

static int create_random_copies(struct km_machine *machine)
{
	const char *kind = machine->spec.profile.slab_front == KM_FRONT_SHEAVES ? "part" : "rnd";
	const uint8_t *order = creation_order(machine);

	machine->random_copies = km_env_alloc(machine->env, sizeof(*machine->random_copies));
	if (!machine->random_copies)
		return -ENOMEM;
	machine->random_seed = km_env_random(machine->env);
	for (unsigned copy = 0; copy < KM_RANDOM_COPIES; copy++) {
		char prefix[64], number[5] = {(char)('0' + (copy + 1) / 10),
					      (char)('0' + (copy + 1) % 10), '-'};

		join(prefix, "kmalloc-", kind);
		join(prefix, prefix, "-");
		join(prefix, prefix, number);
		for (unsigned i = 0; i < NR_CREATED; i++) {
			char name[64];
			void *cache = create_class(
				machine, join(name, prefix, class_suffixes[order[i]]), 0, order[i]);

			if (!cache)
				return -ENOMEM;
			machine->random_copies->caches[copy][order[i]] = cache;
		}
	}
	return 0;
}

int km_buckets_create(struct km_machine *machine, const char *name, struct km_buckets **out)
{
	struct km_buckets *buckets = km_env_alloc(machine->env, sizeof(*buckets));
	const uint8_t *order = creation_order(machine);
	char prefix[64], full[64];

	if (!buckets)
		return -ENOMEM;
	buckets->next = machine->buckets;
	machine->buckets = buckets;
	join(prefix, name, "-");
	for (unsigned i = 0; i < NR_CREATED; i++) {
		buckets->caches[order[i]] = create_class(
			machine, join(full, prefix, class_suffixes[order[i]]), 0, order[i]);
		if (!buckets->caches[order[i]])
			return -ENOMEM;
	}
	*out = buckets;
	return 0;
}

int km_kmalloc_create_caches(struct km_machine *machine)
{
	static const enum km_kmalloc_type types_old[] = {KM_KMALLOC_NORMAL, KM_KMALLOC_CGROUP,
							 KM_KMALLOC_RECLAIM, KM_KMALLOC_DMA};
	static const enum km_kmalloc_type types_new[] = {KM_KMALLOC_NORMAL, KM_KMALLOC_RECLAIM,
							 KM_KMALLOC_DMA, KM_KMALLOC_CGROUP};
	const struct km_profile *profile = &machine->spec.profile;
	const enum km_kmalloc_type *types = profile->gfp_atomic_bit ? types_old : types_new;

	for (unsigned t = 0; t < KM_NR_KMALLOC_TYPES; t++) {
		int code = create_type(machine, types[t]);

		if (!code && types[t] == KM_KMALLOC_NORMAL && profile->kmalloc_random)
			code = create_random_copies(machine);
		if (code)
			return code;
	}
	if (!profile->kmalloc_buckets)
		return 0;
	if (km_buckets_create(machine, "msg_msg", &machine->msg_msg) ||
	    km_buckets_create(machine, "memdup_user", &machine->memdup_user))
		return -ENOMEM;
	return 0;
}

void km_kmalloc_destroy_caches(struct km_machine *machine)
{
	while (machine->buckets) {
		struct km_buckets *next = machine->buckets->next;

		km_env_release(machine->env, machine->buckets, sizeof(*machine->buckets));
		machine->buckets = next;
	}
	km_env_release(machine->env, machine->random_copies, sizeof(*machine->random_copies));
}
