/* SPDX-License-Identifier: GPL-2.0-only */
/* Plain state data as the lines of state and expect blocks (state_text.h). */
#include <inttypes.h>
#include <string.h>

#include "replay/state_text.h"

static void print_list(FILE *out, const char *word, unsigned a, unsigned b,
		       const struct km_pfn_list *list)
{
	if (!list->count)
		return;
	fprintf(out, "%s %u %u", word, a, b);
	for (uint32_t i = 0; i < list->count; i++)
		fprintf(out, " %" PRIx32, list->pfns[i]);
	fputc('\n', out);
}

static void print_runs(FILE *out, const char *word, const struct km_pageblock_run *runs,
		       unsigned count)
{
	fputs(word, out);
	for (unsigned i = 0; i < count; i++)
		fprintf(out, " %" PRIx64 ":%" PRIu32, runs[i].pfn, runs[i].value);
	fputc('\n', out);
}

static void print_pcp(FILE *out, const struct km_pcp_state *pcp, const struct km_profile *profile)
{
	fprintf(out, "pcp %u count %d high %d batch %d", pcp->cpu, pcp->count, pcp->high,
		pcp->batch);
	if (profile->pcp_generation < 2)
		fprintf(out, " free_factor %d\n", pcp->free_factor);
	else
		fprintf(out, " high_min %d high_max %d flags %x alloc_factor %d free_count %d\n",
			pcp->high_min, pcp->high_max, pcp->flags, pcp->alloc_factor,
			pcp->free_count);
	for (unsigned list = 0; list < KM_PCP_LISTS; list++)
		print_list(out, "pcplist", pcp->cpu, list, &pcp->lists[list]);
}

static void print_zone(FILE *out, const struct km_zone_state *zone,
		       const struct km_profile *profile)
{
	static const char *const names[] = {"DMA", "DMA32", "Normal", "Movable"};
	const struct km_zone_spec *spec = &zone->spec;

	fprintf(out,
		"zone %s start %" PRIx64 " spanned %" PRIx64 " present %" PRIx64 " managed %" PRIx64
		" wm %" PRIu64 " %" PRIu64 " %" PRIu64 " boost %" PRIu64 " highatomic %" PRIu64
		" reserve",
		names[spec->index], spec->start, spec->spanned, spec->present, spec->managed,
		zone->mark[0], zone->mark[1], zone->mark[2], zone->boost, zone->highatomic);
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		fprintf(out, " %" PRIu64, zone->reserve[i]);
	fputc('\n', out);
	if (zone->has_counter) {
		fprintf(out, "zx nrfree %" PRId64 " diff", zone->nr_free);
		for (unsigned i = 0; i < zone->nr_pcp; i++)
			fprintf(out, " %d", zone->pcp[i].diff);
		fprintf(out, " thr %d flags %x drift %" PRIu64 "\n", zone->threshold, zone->flags,
			zone->drift_mark);
		print_runs(out, "lru", zone->lru, zone->nr_lru);
	}
	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
			print_list(out, "free", order, type, &zone->free[order][type]);
	for (unsigned i = 0; i < zone->nr_pcp; i++)
		print_pcp(out, &zone->pcp[i], profile);
	print_runs(out, "blocks", zone->types, zone->nr_types);
}

void km_state_print_pages(FILE *out, const struct km_page_state *state,
			  const struct km_profile *profile)
{
	for (unsigned i = 0; i < state->nr_zones; i++)
		print_zone(out, &state->zones[i], profile);
}

static void print_ranges(FILE *out, const struct km_vm_range *ranges, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		fprintf(out, " %" PRIx64 "-%" PRIx64, ranges[i].start, ranges[i].end);
	fputc('\n', out);
}

/* One line per run of ranges on the same node. */
static void print_by_node(FILE *out, const char *word, const struct km_vm_range *ranges,
			  size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && ranges[to].node == ranges[from].node; to++)
			;
		fprintf(out, "%s %" PRIu32, word, ranges[from].node);
		print_ranges(out, ranges, from, to);
	}
}

void km_state_print_vm(FILE *out, const struct km_vm_state *state)
{
	fputs("vfree", out);
	print_ranges(out, state->free, 0, state->nr_free);
	if (state->has_shape) {
		fputs("vtree", out);
		for (size_t i = 0; i < state->nr_free; i++)
			fprintf(out, " %u%c", state->free[i].depth, state->free[i].red ? 'r' : 'b');
		fputc('\n', out);
	}
	fprintf(out, "vlazy %" PRIu64 "\n", state->lazy_pages);
	print_by_node(out, "vparked", state->parked, state->nr_parked);
	print_by_node(out, "vpool", state->pooled, state->nr_pooled);
}

void km_state_print_cache(FILE *out, const char *variable, const struct km_cache_info *info)
{
	fprintf(out,
		"cache %s object_size=%u slab_size=%u align=%u order=%u objs_per_slab=%u "
		"min_partial=%u cpu_partial=%u slabs=%" PRIu64 " partial=%" PRIu64
		" cpu_slabs=%" PRIu64,
		variable, info->object_size, info->size, info->align, info->order,
		info->objects_per_slab, info->min_partial, info->cpu_partial, info->slabs,
		info->partial, info->cpu_slabs);
	if (info->sheaf_capacity)
		fprintf(out, " sheaf_capacity=%u", info->sheaf_capacity);
	fputc('\n', out);
}

void km_state_print_gfp(FILE *out, uint32_t gfp, const struct km_profile *profile)
{
	const char *between = "", *name;
	uint32_t bits;

	for (unsigned i = 0; (name = km_gfp_name(i)); i++)
		if (name[0] == '_' && !km_gfp_past(name, strlen(name), profile) &&
		    km_gfp_by_name(name, strlen(name), profile, &bits) && gfp & bits &&
		    !(bits & (bits - 1))) {
			fprintf(out, "%s%s", between, name);
			between = "|";
			gfp &= ~bits; /* names of the past come again */
		}
}
