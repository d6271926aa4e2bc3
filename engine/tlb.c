/* SPDX-License-Identifier: GPL-2.0-only */
/* The two levels of the TLB model: routes by page size, references, flushes, counts. */
#include "tlb.h"

#include <errno.h>
#include <string.h>

const char *const km_tlb_size_names[KM_TLB_SIZES] = {"4K", "16K", "2M", "1G"};
const char *const km_tlb_policy_names[KM_TLB_POLICIES] = {"lru", "plru", "random"};
const uint8_t km_tlb_shift[KM_TLB_SIZES] = {12, 14, 21, 30};

/* ---- creation ---- */

/* The largest size up to `size` that an array of the level holds. */
static struct km_tlb_route route_of(struct km_tlb_array *arrays, unsigned size)
{
	for (unsigned held = size + 1; held-- > 0;)
		for (unsigned i = 0; i < KM_TLB_ARRAYS; i++)
			if (arrays[i].spec.entries && arrays[i].spec.holds & KM_TLB_HOLDS(held))
				return (struct km_tlb_route){&arrays[i], (uint8_t)held,
							     km_tlb_shift[held], (uint8_t)i};
	return (struct km_tlb_route){NULL, (uint8_t)size, km_tlb_shift[size], KM_TLB_ARRAYS};
}

static void set_routes(struct km_tlb *tlb)
{
	for (unsigned size = 0; size < KM_TLB_SIZES; size++) {
		unsigned effective = size;

		if (tlb->spec.host_size < size)
			effective = tlb->spec.host_size;
		tlb->route[0][size] = route_of(tlb->l1, effective);
		tlb->route[1][size] = route_of(tlb->l2, effective);
	}
}

/* No size in two arrays of one level, and no array without one. */
static bool sizes_apart(const struct km_tlb_array_spec *arrays)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < KM_TLB_ARRAYS; i++) {
		if (!arrays[i].entries)
			continue;
		if (!arrays[i].holds || arrays[i].holds & ~KM_TLB_HOLDS_ALL ||
		    arrays[i].holds & seen)
			return false;
		seen |= arrays[i].holds;
	}
	return true;
}

/* Every array of the model, in one order: the n-th and its spec; NULL behind the last. */
static struct km_tlb_array *nth_array(struct km_tlb *tlb, unsigned n,
				      const struct km_tlb_array_spec **spec)
{
	const struct {
		struct km_tlb_array *arrays;
		const struct km_tlb_array_spec *specs;
		unsigned count;
	} groups[] = {
		{tlb->l1, tlb->spec.l1, KM_TLB_ARRAYS},
		{tlb->l2, tlb->spec.l2, KM_TLB_ARRAYS},
		{tlb->structures, tlb->spec.structures, KM_TLB_STRUCTURES},
		{tlb->lines, tlb->spec.lines, KM_TLB_LINE_LEVELS - 1},
		{&tlb->host_tlb, &tlb->spec.host_tlb, 1},
	};

	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); n -= groups[i++].count) {
		if (n >= groups[i].count)
			continue;
		*spec = &groups[i].specs[n];
		return &groups[i].arrays[n];
	}
	return NULL;
}

int km_tlb_create(struct km_env *env, const struct km_tlb_spec *spec, struct km_tlb **out)
{
	const struct km_tlb_array_spec *part;
	struct km_tlb_array *array;
	struct km_tlb *tlb;
	int code = 0;

	if ((spec->levels != 4 && spec->levels != 5) || spec->host_size >= KM_TLB_SIZES ||
	    !sizes_apart(spec->l1) || !sizes_apart(spec->l2))
		return -EINVAL;
	tlb = km_env_alloc(env, sizeof(*tlb));
	if (!tlb)
		return -ENOMEM;
	tlb->env = env;
	tlb->spec = *spec;
	for (unsigned i = 0; !code && (array = nth_array(tlb, i, &part)); i++)
		code = km_tlb_array_init(array, part, env);
	set_routes(tlb);
	if (!code && km_tlb_goes_in_blocks(tlb))
		code = km_tlb_block_create(tlb);
	if (code) {
		km_tlb_destroy(tlb);
		return code;
	}
	*out = tlb;
	return 0;
}

void km_tlb_destroy(struct km_tlb *tlb)
{
	const struct km_tlb_array_spec *part;
	struct km_tlb_array *array;

	if (!tlb)
		return;
	for (unsigned i = 0; (array = nth_array(tlb, i, &part)); i++)
		km_tlb_array_free(array, tlb->env);
	km_tlb_block_destroy(tlb);
	km_env_release(tlb->env, tlb, sizeof(*tlb));
}

/* ---- references ---- */

static bool level_has(struct km_tlb *tlb, const struct km_tlb_route *route, uint64_t addr)
{
	return route->array &&
	       km_tlb_array_use(route->array, km_tlb_route_key(route, addr), tlb->env);
}

int km_tlb_access(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size)
{
	tlb->counts.refs++;
	if (tlb->spec.data_lines)
		km_tlb_data_line(tlb, addr);
	if (level_has(tlb, &tlb->route[0][size], addr))
		return 1;
	tlb->counts.l1_misses++;
	if (level_has(tlb, &tlb->route[1][size], addr))
		return 2;
	tlb->counts.l2_misses++;
	tlb->counts.walks[size]++;
	km_tlb_walk(tlb, addr, size);
	return 3;
}

static void access_singly(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size,
			  struct km_tlb_outcome *outcome)
{
	const struct km_tlb_counts before = tlb->counts;
	int level = km_tlb_access(tlb, addr, size);

	if (!outcome)
		return;
	outcome->level = (uint8_t)level;
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS; i++)
		outcome->lines[i] = (uint8_t)(tlb->counts.lines[i] - before.lines[i]);
}

void km_tlb_access_many(struct km_tlb *tlb, const uint64_t *addrs, size_t n, enum km_tlb_size size)
{
	if (tlb->block)
		km_tlb_use_blocks(tlb, addrs, NULL, (uint8_t)size, n, NULL);
	for (size_t i = 0; !tlb->block && i < n; i++)
		access_singly(tlb, addrs[i], size, NULL);
}

void km_tlb_access_each(struct km_tlb *tlb, const uint64_t *addrs, const uint8_t *sizes, size_t n,
			struct km_tlb_outcome *outcomes)
{
	if (tlb->block)
		km_tlb_use_blocks(tlb, addrs, sizes, 0, n, outcomes);
	for (size_t i = 0; !tlb->block && i < n; i++)
		access_singly(tlb, addrs[i], sizes[i], outcomes ? &outcomes[i] : NULL);
}

/* ---- flushes ---- */

static void clear_structures(struct km_tlb *tlb)
{
	for (unsigned i = 0; i < KM_TLB_STRUCTURES; i++)
		km_tlb_array_clear(&tlb->structures[i]);
}

void km_tlb_flush(struct km_tlb *tlb)
{
	for (unsigned i = 0; i < KM_TLB_ARRAYS; i++) {
		km_tlb_array_clear(&tlb->l1[i]);
		km_tlb_array_clear(&tlb->l2[i]);
	}
	km_tlb_array_clear(&tlb->host_tlb);
	clear_structures(tlb);
}

void km_tlb_invalidate(struct km_tlb *tlb, uint64_t addr, uint64_t bytes)
{
	struct km_tlb_array *levels[2] = {tlb->l1, tlb->l2};

	for (unsigned n = 0; bytes && n < 2 * KM_TLB_ARRAYS * KM_TLB_SIZES; n++) {
		struct km_tlb_array *array = &levels[n & 1][n / 2 % KM_TLB_ARRAYS];
		unsigned size = n / 2 / KM_TLB_ARRAYS, shift = km_tlb_shift[size];

		if (!array->spec.entries || !(array->spec.holds & KM_TLB_HOLDS(size)))
			continue;
		for (uint64_t number = addr >> shift; number <= (addr + bytes - 1) >> shift;
		     number++)
			km_tlb_array_remove(array, km_tlb_key(size, number));
	}
	clear_structures(tlb);
}

/* ---- counts ---- */

void km_tlb_read(const struct km_tlb *tlb, struct km_tlb_counts *counts)
{
	*counts = tlb->counts;
}

void km_tlb_reset_counts(struct km_tlb *tlb)
{
	memset(&tlb->counts, 0, sizeof(tlb->counts));
}

uint64_t km_tlb_walk_cycles(const struct km_tlb_spec *spec, const struct km_tlb_counts *counts)
{
	uint64_t cycles = 0;

	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		cycles += counts->walks[size] * spec->walk_cycles[size];
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS; i++)
		cycles += counts->lines[i] * spec->line_cycles[i];
	return cycles;
}

uint64_t km_tlb_cycles(const struct km_tlb_spec *spec, const struct km_tlb_counts *counts)
{
	return km_tlb_walk_cycles(spec, counts) +
	       (counts->l1_misses - counts->l2_misses) * spec->l2_hit_cycles;
}
