/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the TLB model: one set-associative array. TLB levels, paging-structure caches and the
 * caches of page-table lines are all such arrays. Up to 16 ways of a set are compared at once; with
 * more, a key is found through a chain of slots.
 */
#ifndef ENGINE_TLB_H
#define ENGINE_TLB_H

#include <kmlab/tlb.h>

/* How a key is found. */
enum km_tlb_ways { KM_TLB_8_WAYS, KM_TLB_16_WAYS, KM_TLB_MORE_WAYS };
#define KM_TLB_SCANNED_WAYS 16u

/*
 * By set: every use is written down. The oldest way is that of the first place which is still its
 * way's last; when the log is full, it is copied without the others.
 */
struct km_tlb_log {
	uint8_t bits;     /* of the number of places */
	uint32_t *ways;   /* by place */
	uint32_t *place;  /* by slot: of its last use */
	uint32_t *end;    /* by set: the next place */
	uint32_t *oldest; /* by set: no place before it is a way's last */
};

/* Nothing here changes after creation but the clock, and what the pointers lead to. */
struct km_tlb_array {
	uint8_t kind;        /* enum km_tlb_ways: of at most so many */
	bool power_of_two;   /* number of sets */
	uint8_t stride_bits; /* slots of a set: 8, 16, or the power of two >= ways */
	uint8_t head_bits;   /* of the number of heads */
	uint32_t head_mask;
	uint32_t sets, ways;
	uint64_t per_set; /* 2^64 / sets, rounded down */
	/* By slot = set << stride_bits | way; 0: empty. That of no_slot, behind all others, is 0.
	 */
	uint64_t *keys;
	uint32_t no_slot;
	/*
	 * By part of the number. Up to 16 ways a hint: the slot where such a key was used last.
	 * Else the first of the slots whose keys are such, by `next`, and no_slot behind the last.
	 */
	uint32_t *heads;
	uint32_t *next;              /* over 16 ways, by slot */
	uint16_t *parts;             /* up to 16 ways, by slot: of a hash of the key; 0: empty */
	uint64_t clock, *times;      /* LRU up to 16 ways: by slot, of its last use */
	struct km_tlb_log log;       /* LRU over 16 ways */
	uint64_t *order;             /* PLRU up to 64 ways, by set: bits of the nodes, 1 the root */
	uint64_t *clear_on, *set_on; /* and by way: node bits that a touch changes */
	uint64_t *trees;             /* PLRU over 64 ways, by set */
	uint32_t tree_words;
	uint32_t *vacant; /* PLRU and random, by set: empty ways */
	struct km_tlb_array_spec spec;
};

int km_tlb_array_init(struct km_tlb_array *array, const struct km_tlb_array_spec *spec,
		      struct km_env *env);
void km_tlb_array_free(struct km_tlb_array *array, struct km_env *env);
/* Use the key: was it there? It is now. */
bool km_tlb_array_use(struct km_tlb_array *array, uint64_t key, struct km_env *env);
/* Use n keys in order; missed[n]: the numbers of those that were not there, how many. */
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

/*
 * Times of use order alike as integers and as doubles: the bits of an exponent, the uses so far,
 * the way. Empty ways have the first; ways that do not exist are never the oldest.
 */
#define KM_TLB_FIRST_TIME 0x4330000000000000ull
#define KM_TLB_NO_WAY_TIME 0x7fe0000000000000ull

/* ---- the whole ---- */

/* Where pages of one size are kept at one level. */
struct km_tlb_route {
	struct km_tlb_array *array; /* NULL: the level has none */
	uint8_t size, shift;
};

static inline uint64_t km_tlb_route_key(const struct km_tlb_route *route, uint64_t addr)
{
	return km_tlb_key(route->size, addr >> route->shift);
}

struct km_tlb_block;

struct km_tlb {
	struct km_env *env;
	struct km_tlb_spec spec;
	uint64_t last_key; /* of the last reference; 0: none, or the L1 keeps none */
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
