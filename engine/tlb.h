/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the TLB model: one set-associative array. TLB levels, paging-structure caches and the
 * caches of page-table lines are all such arrays. The ways of a set of up to 16 are compared at
 * once, by 16-bit parts of their keys; larger sets are found through a hash index.
 */
#ifndef ENGINE_TLB_H
#define ENGINE_TLB_H

#include <kmlab/tlb.h>

#define KM_TLB_SCANNED_WAYS 16u

/* How a set is searched and kept: the three below 16 ways are done inline. */
enum km_tlb_mode { KM_TLB_SCAN_LRU, KM_TLB_SCAN_PLRU, KM_TLB_SCAN_RANDOM, KM_TLB_LARGE };

struct km_tlb_array {
	uint8_t mode;        /* enum km_tlb_mode */
	bool power_of_two;   /* number of sets */
	uint8_t stride_bits; /* slots of a set: 8, 16, or the power of two >= ways */
	uint8_t index_bits;
	uint32_t sets, ways;
	double per_set; /* 1 / sets */
	/* By slot = set << stride_bits | way; key 0: empty. Ways that do not exist stay so. */
	uint64_t *keys;
	uint16_t *parts;
	/*
	 * By set. LRU up to 16 ways: a nibble per way, newest lowest. Tree-PLRU up to 64: the bits
	 * of the nodes, 1 the root. Larger: rings and `trees`.
	 */
	uint64_t *order;
	uint64_t *clear_on, *set_on; /* PLRU up to 64 ways, by way: node bits a touch changes */
	uint32_t *vacant;            /* PLRU and random, by set: empty ways */
	uint32_t *newer, *older, *newest; /* LRU over 16 ways: a ring per set */
	uint64_t *trees;                  /* PLRU over 64 ways */
	uint32_t tree_words;
	uint32_t *index; /* over 16 ways: slot + 1 by hash; 0: nothing */
	struct km_tlb_array_spec spec;
};

int km_tlb_array_init(struct km_tlb_array *array, const struct km_tlb_array_spec *spec,
		      struct km_env *env);
void km_tlb_array_free(struct km_tlb_array *array, struct km_env *env);
/* Empty the key's entry, if there is one: its set's next victim. */
void km_tlb_array_remove(struct km_tlb_array *array, uint64_t number, uint64_t key);
void km_tlb_array_clear(struct km_tlb_array *array);

/* What the inline part leaves to tlb_array.c. */
bool km_tlb_array_use_large(struct km_tlb_array *array, uint32_t set, uint64_t key,
			    struct km_env *env);
uint32_t km_tlb_array_find_each(const struct km_tlb_array *array, uint32_t set, uint64_t key);
uint32_t km_tlb_array_victim(struct km_tlb_array *array, uint32_t set, struct km_env *env);

#define KM_TLB_NOT_THERE UINT32_MAX

static inline uint16_t km_tlb_part(uint64_t key)
{
	return (uint16_t)(key * 0x9e3779b97f4a7c15ull >> 48) | 1;
}

/* number < 2^52, so that it and the product are exact enough to be off by one at most. */
static inline uint32_t km_tlb_set(const struct km_tlb_array *array, uint64_t number)
{
	int64_t rest;

	if (array->power_of_two)
		return (uint32_t)number & (array->sets - 1);
	rest = (int64_t)number -
	       (int64_t)((double)(int64_t)number * array->per_set) * (int64_t)array->sets;
	rest += rest < 0 ? array->sets : 0;
	rest -= rest >= (int64_t)array->sets ? array->sets : 0;
	return (uint32_t)rest;
}

/* Which of eight parts are equal, two bits for each. */
static inline unsigned km_tlb_equal(const uint16_t *parts, uint16_t part)
{
#ifdef __SSE2__
	typedef uint16_t eight __attribute__((vector_size(16), may_alias));
	typedef char bytes __attribute__((vector_size(16)));

	return (unsigned)__builtin_ia32_pmovmskb128(
		(bytes)(*(const eight *)parts == part - (eight){}));
#else
	unsigned equal = 0;

	for (unsigned i = 0; i < 8; i++)
		equal |= (parts[i] == part) * (3u << 2 * i);
	return equal;
#endif
}

/* In a set of up to 16 ways. */
static inline uint32_t km_tlb_array_find(const struct km_tlb_array *array, uint32_t set,
					 uint64_t key)
{
	uint32_t first = set << array->stride_bits, slot;
	uint16_t part = km_tlb_part(key);
	unsigned equal = km_tlb_equal(array->parts + first, part);

	if (array->stride_bits > 3)
		equal |= km_tlb_equal(array->parts + first + 8, part) << 16;
	if (!equal)
		return KM_TLB_NOT_THERE;
	slot = first + (unsigned)__builtin_ctz(equal) / 2;
	/* Equal parts of different keys: look at each. */
	return array->keys[slot] == key ? slot : km_tlb_array_find_each(array, set, key);
}

#define KM_TLB_NIBBLES 0x1111111111111111ull

/* The way becomes the newest: what was newer than it moves up by one. */
static inline uint64_t km_tlb_order_touch(uint64_t order, uint32_t way)
{
	uint64_t other = order ^ way * KM_TLB_NIBBLES;
	uint64_t found = (other - KM_TLB_NIBBLES) & ~other & KM_TLB_NIBBLES << 3;
	unsigned at = (unsigned)__builtin_ctzll(found) & ~3u;

	return (order & -16ull << at) | (order & ((1ull << at) - 1)) << 4 | way;
}

static inline uint64_t km_tlb_tree_touch(const struct km_tlb_array *array, uint64_t tree,
					 uint32_t way)
{
	return (tree & ~array->clear_on[way]) | array->set_on[way];
}

/* Use the key: was it there? It is now. */
static inline __attribute__((always_inline)) bool
km_tlb_array_use(struct km_tlb_array *array, uint64_t number, uint64_t key, struct km_env *env)
{
	uint32_t set = km_tlb_set(array, number), slot, way;
	bool held;

	if (array->mode == KM_TLB_LARGE)
		return km_tlb_array_use_large(array, set, key, env);
	slot = km_tlb_array_find(array, set, key);
	held = slot != KM_TLB_NOT_THERE;
	if (!held) {
		way = array->mode == KM_TLB_SCAN_LRU
			      ? array->order[set] >> 4 * (array->ways - 1) & 0xf
			      : km_tlb_array_victim(array, set, env);
		slot = set << array->stride_bits | way;
		array->keys[slot] = key;
		array->parts[slot] = km_tlb_part(key);
	}
	way = slot & ((1u << array->stride_bits) - 1);
	if (array->mode == KM_TLB_SCAN_LRU)
		array->order[set] = km_tlb_order_touch(array->order[set], way);
	else if (array->mode == KM_TLB_SCAN_PLRU)
		array->order[set] = km_tlb_tree_touch(array, array->order[set], way);
	return held;
}

/* Never 0. number < 2^52; sort < 15: a page size, or level and space. */
static inline uint64_t km_tlb_key(unsigned sort, uint64_t number)
{
	return number << 4 | (sort + 1);
}

/* ---- the whole ---- */

/* Where pages of one size are kept at one level. */
struct km_tlb_route {
	struct km_tlb_array *array; /* NULL: the level has none */
	uint8_t size, shift;
};

struct km_tlb {
	struct km_env *env;
	struct km_tlb_spec spec;
	uint64_t last_key; /* of the last reference; 0: none, or the L1 keeps none */
	struct km_tlb_array l1[KM_TLB_ARRAYS], l2[KM_TLB_ARRAYS];
	struct km_tlb_array structures[KM_TLB_STRUCTURES], lines[KM_TLB_LINE_LEVELS - 1], host_tlb;
	struct km_tlb_route route[2][KM_TLB_SIZES];
	struct km_tlb_counts counts;
};

/* tlb_walk.c: the page-table entries of one translation are read. */
void km_tlb_walk(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size);
/* The line at addr is in the caches that hold page-table lines. */
void km_tlb_data_line(struct km_tlb *tlb, uint64_t addr);

#endif
