/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the TLB model: one set-associative array. TLB levels, paging-structure caches and the
 * caches of page-table lines are all such arrays. LRU up to 16 ways keeps a set's keys in the order
 * of their use, newest first: all are compared at once, and those before the key move one place.
 * LRU of more ways writes a log of uses. PLRU and random keep a key in its way, and find it through
 * a chain of slots.
 */
#ifndef ENGINE_TLB_H
#define ENGINE_TLB_H

#include <kmlab/tlb.h>

#define KM_TLB_ORDERED_WAYS 16u

/* One way of one set, of arrays with chains. An empty one holds a key that no page has. */
struct km_tlb_slot {
	uint64_t key;
	uint32_t next; /* of the chain */
};

/* A set's log of uses: its places come in words of 64. */
struct km_tlb_log {
	uint32_t end;   /* the next place */
	uint32_t first; /* of the word of the oldest that is the last one of a key that is there */
	uint64_t live;  /* in this word: the last ones of such keys, and all that are to come */
};

/* Where most keys of late were in their sets' order: first, among the first eight, anywhere or not.
 */
enum km_tlb_habit { KM_TLB_ANY, KM_TLB_RECENT, KM_TLB_NEWEST };

/* Nothing here changes after creation but `habit`, `last`, and what the pointers lead to. */
struct km_tlb_array {
	bool ordered;      /* LRU, up to 16 ways */
	bool logged;       /* LRU, more ways */
	bool power_of_two; /* number of sets */
	/* Places of a set: the power of two >= ways, ordered at least 8. */
	uint8_t stride_bits;
	uint8_t head_bits; /* of the number of heads; logged: of each set */
	uint32_t sets, ways;
	uint64_t per_set; /* 2^64 / sets, rounded down */
	uint64_t *order;  /* ordered, by set: keys, newest first; 0: empty */
	uint8_t habit;    /* ordered: enum km_tlb_habit */
	uint64_t last;    /* the key used last: again it changes nothing. 0: none */
	uint32_t *heads;  /* by a hash of the key or its number: a chain's first slot, or place */
	/* Logged: by set, and by set << log_bits | place; 0 is no place. */
	struct km_tlb_log *logs;
	uint64_t *keys;
	uint32_t *before; /* the next place of its chain, which is older */
	uint64_t *lasts;  /* a bit each: as `live`; words before the log's own do not matter */
	uint8_t log_bits;
	/* PLRU and random: by set << stride_bits | way; behind all the end of every chain, whose
	 * key is 0.
	 */
	struct km_tlb_slot *slots;
	uint32_t end;
	uint64_t *trees; /* PLRU, by set: bits of the nodes, 1 the root */
	uint32_t tree_words;
	uint64_t *clear_on, *set_on; /* up to 64 ways, by way: node bits that a touch changes */
	uint32_t *vacant;            /* by set: empty ways */
	struct km_tlb_array_spec spec;
};

int km_tlb_array_init(struct km_tlb_array *array, const struct km_tlb_array_spec *spec,
		      struct km_env *env);
void km_tlb_array_free(struct km_tlb_array *array, struct km_env *env);
/* Use the key: was it there? It is now. */
bool km_tlb_array_use(struct km_tlb_array *array, uint64_t key, struct km_env *env);
/*
 * Use n keys in order; missed[n]: the numbers of those that were not there, how many. Who lists the
 * keys leaves out what follows itself, and keeps `last`.
 */
size_t km_tlb_array_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed, struct km_env *env);
/* Empty the key's entry, if there is one: its set's next victim. */
void km_tlb_array_remove(struct km_tlb_array *array, uint64_t key);
void km_tlb_array_clear(struct km_tlb_array *array);

/* Never 0. number < 2^52; sort < 15: a page size, or level and space. */
static inline uint64_t km_tlb_key(unsigned sort, uint64_t number)
{
	return number << 4 | (sort + 1);
}

/* What an empty slot holds: the sort is none. */
static inline uint64_t km_tlb_no_key(uint32_t slot)
{
	return (uint64_t)slot << 4;
}

static inline bool km_tlb_is_key(uint64_t key)
{
	return key & 15;
}

/* tlb_use.c: a slot that is in no chain. */
void km_tlb_slot_empty(const struct km_tlb_array *array, uint32_t slot);
/* tlb_order.c: the same of ordered arrays. */
bool km_tlb_order_use(const struct km_tlb_array *array, uint64_t key);
size_t km_tlb_order_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed);
/* The most keys that are handled at a time, where the host can; 1: plain C. Tests lower it. */
extern unsigned km_tlb_widest;
void km_tlb_order_remove(const struct km_tlb_array *array, uint64_t key);
/* tlb_log.c: the same of logged ones. */
bool km_tlb_log_use(const struct km_tlb_array *array, uint64_t key);
size_t km_tlb_log_use_many(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
			   uint16_t *missed);
void km_tlb_log_remove(const struct km_tlb_array *array, uint64_t key);
void km_tlb_log_clear(const struct km_tlb_array *array);

static inline uint32_t km_tlb_set_of(const struct km_tlb_array *array, uint64_t key)
{
	uint64_t number = key >> 4;
	uint32_t rest;

	if (array->power_of_two)
		return (uint32_t)number & (array->sets - 1);
	/* The quotient or one less. */
	rest = (uint32_t)number -
	       (uint32_t)((unsigned __int128)number * array->per_set >> 64) * array->sets;
	return rest >= array->sets ? rest - array->sets : rest;
}

/* ---- the whole ---- */

/* Where pages of one size are kept at one level. */
struct km_tlb_route {
	struct km_tlb_array *array; /* NULL: the level has none */
	uint8_t size, shift;
	uint8_t number; /* of the array; KM_TLB_ARRAYS: none */
};

static inline uint64_t km_tlb_route_key(const struct km_tlb_route *route, uint64_t addr)
{
	return km_tlb_key(route->size, addr >> route->shift);
}

struct km_tlb_block;

struct km_tlb {
	struct km_env *env;
	struct km_tlb_spec spec;
	struct km_tlb_array l1[KM_TLB_ARRAYS], l2[KM_TLB_ARRAYS];
	struct km_tlb_array structures[KM_TLB_STRUCTURES], lines[KM_TLB_LINE_LEVELS - 1], host_tlb;
	struct km_tlb_route route[2][KM_TLB_SIZES];
	struct km_tlb_counts counts;
	struct km_tlb_block *block; /* NULL: many references are made one by one */
};

/* tlb_block.c. Can references go through the arrays in blocks, one array after the other? */
bool km_tlb_goes_in_blocks(const struct km_tlb *tlb);
int km_tlb_block_create(struct km_tlb *tlb);
void km_tlb_block_destroy(struct km_tlb *tlb);
/* sizes NULL: all are `size`. outcomes: may be NULL. */
void km_tlb_use_blocks(struct km_tlb *tlb, const uint64_t *addrs, const uint8_t *sizes,
		       uint8_t size, size_t n, struct km_tlb_outcome *outcomes);

/* tlb_walk.c: the page-table entries of one translation are read. */
void km_tlb_walk(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size);
/* The line at addr is in the caches that hold page-table lines. */
void km_tlb_data_line(struct km_tlb *tlb, uint64_t addr);

/* ---- tables of translations ---- */

enum km_tlb_space { KM_TLB_GUEST, KM_TLB_HOST };

#define KM_TLB_LINE_ENTRIES_SHIFT 3u
#define KM_TLB_DATA_LEVEL 6u /* of lines: above those of five levels */

/* Bits of an address below what one entry maps. Level 0 is the table of 4 KiB entries. */
static inline unsigned km_tlb_level_shift(unsigned level)
{
	return KM_PAGE_SHIFT + level * 9;
}

static inline unsigned km_tlb_leaf_level(unsigned size)
{
	return size == KM_TLB_1G ? 2 : size == KM_TLB_2M ? 1 : 0;
}

/* Keep only what a table can index: numbers stay below 2^52. */
static inline uint64_t km_tlb_index_part(const struct km_tlb_spec *spec, uint64_t addr)
{
	return addr & ((1ull << km_tlb_level_shift(spec->levels)) - 1);
}

/* Keys of both spaces and all levels in one array: no two are alike, and they are spread over its
 * sets.
 */
static inline uint64_t km_tlb_level_key(unsigned level, enum km_tlb_space space, uint64_t number)
{
	unsigned sort = level * 2 + space;

	return km_tlb_key(sort, number + sort * 0x9e3779b1ull);
}

/* The entry of that level that names the table below it; and the line that holds a level's entry.
 */
static inline uint64_t km_tlb_structure_key(unsigned level, enum km_tlb_space space, uint64_t addr)
{
	return km_tlb_level_key(level, space, addr >> km_tlb_level_shift(level + 1));
}

static inline uint64_t km_tlb_line_key(unsigned level, enum km_tlb_space space, uint64_t addr)
{
	return km_tlb_level_key(level, space,
				addr >> (km_tlb_level_shift(level) + KM_TLB_LINE_ENTRIES_SHIFT));
}

static inline uint64_t km_tlb_data_key(const struct km_tlb_spec *spec, uint64_t addr)
{
	return km_tlb_level_key(KM_TLB_DATA_LEVEL, KM_TLB_GUEST,
				km_tlb_index_part(spec, addr) >> 6);
}

#endif
