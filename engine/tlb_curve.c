/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reuse distances of one stream: how many other pages were referenced since the page was last. An
 * LRU TLB of C entries misses exactly the references whose distance is C or more. A Fenwick tree
 * over time marks each page's last reference, so that a distance is a sum; when time has run
 * through the tree, the marks are moved together.
 */
#include <errno.h>
#include <kmlab/tlb.h>

/* Open addressing; it grows with the pages and forgets none. */
struct known_page {
	uint64_t key;  /* page + 1; 0: free */
	uint32_t last; /* time of the last reference; 0: never */
};

struct km_tlb_curve {
	struct km_env *env;
	struct known_page *pages; /* [1 << bits] */
	uint32_t bits;
	uint32_t *tree;    /* [1 + room] */
	uint32_t *page_at; /* [1 + room]: index of the page whose last reference it is, + 1 */
	uint32_t room, now, distinct;
	uint64_t refs, cold, beyond;
	uint64_t at_distance[KM_TLB_CURVE_ENTRIES];
};

#define FIRST_ROOM (1u << 14)
#define FIRST_BITS 12u
#define MOST_BITS 31u

static size_t table_bytes(uint32_t room)
{
	return ((size_t)room + 1) * sizeof(uint32_t);
}

int km_tlb_curve_create(struct km_env *env, struct km_tlb_curve **out)
{
	struct km_tlb_curve *curve = km_env_alloc(env, sizeof(*curve));

	if (!curve)
		return -ENOMEM;
	curve->env = env;
	curve->room = FIRST_ROOM;
	curve->tree = km_env_alloc(env, table_bytes(curve->room));
	curve->page_at = km_env_alloc(env, table_bytes(curve->room));
	curve->bits = FIRST_BITS;
	curve->pages = km_env_alloc(env, sizeof(struct known_page) << FIRST_BITS);
	if (!curve->tree || !curve->page_at || !curve->pages) {
		km_tlb_curve_destroy(curve);
		return -ENOMEM;
	}
	*out = curve;
	return 0;
}

void km_tlb_curve_destroy(struct km_tlb_curve *curve)
{
	if (!curve)
		return;
	km_env_release(curve->env, curve->tree, table_bytes(curve->room));
	km_env_release(curve->env, curve->page_at, table_bytes(curve->room));
	km_env_release(curve->env, curve->pages, sizeof(struct known_page) << curve->bits);
	km_env_release(curve->env, curve, sizeof(*curve));
}

static void mark(struct km_tlb_curve *curve, uint32_t time, uint32_t by)
{
	for (; time <= curve->room; time += time & -time)
		curve->tree[time] += by;
}

/* Marks at or before `time`. */
static uint32_t marks(const struct km_tlb_curve *curve, uint32_t time)
{
	uint32_t sum = 0;

	for (; time; time -= time & -time)
		sum += curve->tree[time];
	return sum;
}

/* Time begins anew with the last references in their order; twice the room when they fill half. */
static int compact(struct km_tlb_curve *curve)
{
	uint32_t room = curve->distinct > curve->room / 2 ? curve->room * 2 : curve->room, now = 0;
	uint32_t *tree, *page_at;

	if (room < curve->room)
		return -ENOMEM;
	tree = km_env_alloc(curve->env, table_bytes(room));
	page_at = km_env_alloc(curve->env, table_bytes(room));
	if (!tree || !page_at) {
		km_env_release(curve->env, tree, table_bytes(room));
		km_env_release(curve->env, page_at, table_bytes(room));
		return -ENOMEM;
	}
	for (uint32_t time = 1; time <= curve->now; time++) {
		if (!curve->page_at[time])
			continue;
		page_at[++now] = curve->page_at[time];
		curve->pages[page_at[now] - 1].last = now;
	}
	km_env_release(curve->env, curve->tree, table_bytes(curve->room));
	km_env_release(curve->env, curve->page_at, table_bytes(curve->room));
	curve->tree = tree;
	curve->page_at = page_at;
	curve->room = room;
	curve->now = now;
	for (uint32_t time = 1; time <= now; time++)
		mark(curve, time, 1);
	return 0;
}

static uint32_t find_page(const struct known_page *pages, unsigned bits, uint64_t key)
{
	uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - bits));

	while (pages[i].key && pages[i].key != key)
		i = (i + 1) & ((1u << bits) - 1);
	return i;
}

/* At most half full, so that a search is short. */
static int room_for_page(struct km_tlb_curve *curve)
{
	unsigned bits = curve->bits + 1;
	struct known_page *pages;

	if (curve->distinct < 1u << (curve->bits - 1))
		return 0;
	pages = bits > MOST_BITS ? NULL
				 : km_env_alloc(curve->env, sizeof(struct known_page) << bits);
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = 0; i < 1u << curve->bits; i++) {
		uint32_t to;

		if (!curve->pages[i].key)
			continue;
		to = find_page(pages, bits, curve->pages[i].key);
		pages[to] = curve->pages[i];
		curve->page_at[pages[to].last] = to + 1;
	}
	km_env_release(curve->env, curve->pages, sizeof(struct known_page) << curve->bits);
	curve->pages = pages;
	curve->bits = bits;
	return 0;
}

int km_tlb_curve_add(struct km_tlb_curve *curve, uint64_t page)
{
	uint32_t index, last, distance;
	int code = room_for_page(curve);

	if (!code && curve->now == curve->room)
		code = compact(curve);
	if (code)
		return code;
	index = find_page(curve->pages, curve->bits, page + 1);
	curve->pages[index].key = page + 1;
	last = curve->pages[index].last;
	curve->refs++;
	if (!last) {
		curve->cold++;
		curve->distinct++;
	} else {
		distance = curve->distinct - marks(curve, last);
		if (distance < KM_TLB_CURVE_ENTRIES)
			curve->at_distance[distance]++;
		else
			curve->beyond++;
		mark(curve, last, (uint32_t)-1);
		curve->page_at[last] = 0;
	}
	curve->pages[index].last = ++curve->now;
	curve->page_at[curve->now] = index + 1;
	mark(curve, curve->now, 1);
	return 0;
}

uint64_t km_tlb_curve_refs(const struct km_tlb_curve *curve)
{
	return curve->refs;
}

uint64_t km_tlb_curve_pages(const struct km_tlb_curve *curve)
{
	return curve->distinct;
}

uint64_t km_tlb_curve_misses(const struct km_tlb_curve *curve, uint32_t entries)
{
	uint64_t misses = curve->cold + curve->beyond;

	for (uint32_t distance = KM_TLB_CURVE_ENTRIES; distance-- > entries;)
		misses += curve->at_distance[distance];
	return misses;
}
