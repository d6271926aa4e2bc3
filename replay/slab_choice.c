/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comparing slab choices: two walks over the trace learn the kernel's slabs and the start state,
 * then a fresh model runs twice from that state, once on its own and once followed step by step.
 */
#include "replay/slab_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/choice.h"
#include "replay/event_order.h"
#include "replay/host.h"

static uint32_t *pfn_table(uint64_t max_pfn)
{
	void *table = mmap(NULL, max_pfn * sizeof(uint32_t), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return table == MAP_FAILED ? NULL : table;
}

static void pfn_table_free(uint32_t *table, uint64_t max_pfn)
{
	if (table)
		munmap(table, max_pfn * sizeof(uint32_t));
}

/* ---- caches ---- */

static void describe_cache(struct km_choice *choice, uint32_t index, void *handle, int known_order)
{
	struct km_choice_cache *cache = &choice->caches[index];
	struct km_cache_info info;

	if (!handle ||
	    choice->machine->model->slab->cache_info(choice->machine->slab, handle, &info))
		return;
	cache->handle = handle;
	cache->name = info.name;
	km_start_counts(choice, cache);
	cache->model_order = info.order;
	cache->kernel_order = known_order >= 0 ? (uint32_t)known_order : info.order;
	cache->objects = info.objects_per_slab;
	cache->sheaf_capacity = info.sheaf_capacity;
	cache->followed =
		!info.sheaf_capacity && choice->start->profile->slab_front == KM_FRONT_CPU_SLAB;
	cache->used = true;
}

static int new_caches(struct km_choice *choice)
{
	uint32_t count;

	km_trace_caches(choice->trace, &count);
	if (km_buckets_find(choice))
		return -ENOMEM;
	choice->nr_caches = KM_NR_KMALLOC + count + choice->nr_buckets;
	choice->caches = calloc(choice->nr_caches, sizeof(*choice->caches));
	if (!choice->caches) {
		choice->nr_caches = 0;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < choice->nr_caches; i++)
		choice->caches[i].first_old = choice->caches[i].last_old = KM_NO_INDEX;
	return 0;
}

/* The caches of a fresh machine; what was learned about them stays. */
static void create_caches(struct km_choice *choice)
{
	uint32_t count;
	const struct km_trace_cache *known = km_trace_caches(choice->trace, &count);

	for (uint32_t i = 0; i < KM_NR_KMALLOC; i++)
		describe_cache(choice, i,
			       choice->machine->kmalloc_caches[i / KM_KMALLOC_CLASSES]
							      [i % KM_KMALLOC_CLASSES],
			       -1);
	for (uint32_t i = 1; i < count; i++) {
		struct km_cache_spec spec = {
			.name = known[i].name,
			.object_size = known[i].object_size,
			.align = known[i].align,
			.flags = KM_SLAB_NO_MERGE,
			.size_known = known[i].size,
			.sheaf_capacity = known[i].sheaf_capacity,
			.order_known_plus_one =
				known[i].has_geometry ? (uint8_t)(known[i].order + 1) : 0,
		};

		if (spec.object_size)
			describe_cache(choice, KM_NR_KMALLOC + i,
				       km_cache_create(choice->machine, &spec),
				       known[i].has_geometry ? (int)known[i].order : -1);
	}
	for (uint32_t i = 0; i < choice->nr_buckets; i++) {
		const struct km_bucket *bucket = &choice->buckets[i];
		struct km_cache_spec spec = {.name = bucket->name,
					     .object_size = bucket->bytes,
					     .align = bucket->align,
					     .flags = KM_SLAB_NO_MERGE,
					     .size_known = bucket->size,
					     .order_known_plus_one = (uint8_t)(bucket->order + 1)};

		describe_cache(choice, KM_NR_KMALLOC + count + i,
			       km_cache_create(choice->machine, &spec), (int)bucket->order);
	}
}

/* ---- results ---- */

static int by_checked(const void *a, const void *b)
{
	const struct km_cache_fidelity *x = a, *y = b;

	if (x->slab_choice.checked != y->slab_choice.checked)
		return x->slab_choice.checked < y->slab_choice.checked ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void add_score(struct km_score *sum, const struct km_score *score)
{
	sum->checked += score->checked;
	sum->matched += score->matched;
}

/* What was counted at the start, and the model's change since; -1: not known. */
static int64_t at_end(int64_t counted, uint64_t end, uint64_t start)
{
	return counted < 0 ? -1 : counted + (int64_t)end - (int64_t)start;
}

/* The strict comparison's rows: the scores, and how the model's counts changed. */
static int report_strict(struct km_choice *choice, struct km_fidelity *fidelity)
{
	fidelity->caches = calloc(choice->nr_caches + 1, sizeof(*fidelity->caches));
	if (!fidelity->caches)
		return -ENOMEM;
	for (uint32_t i = 0; i < choice->nr_caches; i++) {
		struct km_choice_cache *cache = &choice->caches[i];
		struct km_cache_fidelity *row = &fidelity->caches[fidelity->nr_caches];
		const struct km_cache_info *start = &cache->at_start;
		struct km_cache_info end;

		if (!cache->used || !cache->score.checked)
			continue;
		choice->machine->model->slab->cache_info(choice->machine->slab, cache->handle,
							 &end);
		snprintf(row->name, sizeof(row->name), "%s", cache->name);
		row->slab_choice = cache->score;
		row->unseen = cache->unseen;
		row->placed = cache->placed;
		row->all_seen = cache->accounted && !cache->unseen;
		row->reordered = cache->reordered;
		row->sheaves = cache->sheaf_capacity != 0;
		row->slabs_model = at_end(cache->slabs_counted, end.slabs, start->slabs);
		row->partial_model = at_end(cache->partial_counted, end.partial, start->partial);
		row->cpu_slabs_model =
			at_end(cache->cpu_slabs_counted, end.cpu_slabs, start->cpu_slabs);
		add_score(row->sheaves ? &fidelity->slab_choice_sheaves : &fidelity->slab_choice,
			  &row->slab_choice);
		if (row->all_seen && !row->sheaves)
			add_score(&fidelity->slab_choice_seen, &row->slab_choice);
		cache->row = ++fidelity->nr_caches;
	}
	return 0;
}

static void report_stepwise(struct km_choice *choice, struct km_fidelity *fidelity)
{
	for (uint32_t i = 0; i < choice->nr_caches; i++) {
		const struct km_choice_cache *cache = &choice->caches[i];

		if (!cache->row)
			continue;
		fidelity->caches[cache->row - 1].switches = cache->switches;
		add_score(&fidelity->switches, &cache->switches);
	}
	qsort(fidelity->caches, fidelity->nr_caches, sizeof(*fidelity->caches), by_checked);
}

/* ---- the whole ---- */

static void drop_machine(struct km_choice *choice)
{
	if (choice->machine) {
		pfn_table_free(choice->model_pair, choice->machine->max_pfn);
		pfn_table_free(choice->model_live, choice->machine->max_pfn);
	}
	km_machine_destroy(choice->machine);
	choice->machine = NULL;
	choice->model_pair = choice->model_live = NULL;
}

static int build_machine(struct km_choice *choice)
{
	const struct km_start *start = choice->start;
	struct km_machine_spec spec = {
		.model = km_model_find("slub"),
		.profile = *start->profile,
		/* One more than a single one: following needs another's chain (slab_follow.c). */
		.cpus = start->cpus > 1 ? start->cpus : 2,
		.present_cpus = start->present_cpus,
		.nr_zones = start->nr_zones,
		.memory_bytes = start->memory_bytes,
	};
	int code;

	spec.profile.own_kmallocs = false; /* the trace has them, at their times */
	memcpy(spec.zones, start->zones, sizeof(spec.zones));
	drop_machine(choice);
	km_host_env(&choice->env, choice->seed);
	code = km_machine_create(&choice->env, &spec, &choice->machine);
	if (code)
		return code;
	choice->model_pair = pfn_table(choice->machine->max_pfn);
	choice->model_live = pfn_table(choice->machine->max_pfn);
	if (!choice->model_pair || !choice->model_live)
		return -ENOMEM;
	create_caches(choice);
	return 0;
}

/* Run a model from the start state over the trace. */
static int run_model(struct km_choice *choice, enum km_walk walk, struct km_err *err)
{
	int code = build_machine(choice);

	if (!code)
		code = km_start_seed_slabs(choice);
	return code ? code : km_choice_walk(choice, walk, err);
}

static int measure(struct km_choice *choice, struct km_fidelity *fidelity, struct km_err *err)
{
	int code = km_event_order_delay(choice->trace, &choice->delay_ns, err);

	if (!code)
		code = build_machine(choice); /* for the geometry of its caches */
	if (!code)
		code = km_lists_hint(choice);
	if (!code)
		code = km_choice_walk(choice, KM_WALK_FIND, err);
	if (!code)
		code = km_choice_walk(choice, KM_WALK_LEARN, err);
	if (!code)
		code = km_lists_bind(choice);
	if (!code)
		code = km_lists_account(choice);
	if (!code)
		code = run_model(choice, KM_WALK_COMPARE, err);
	if (!code)
		code = report_strict(choice, fidelity);
	if (!code)
		code = run_model(choice, KM_WALK_FOLLOW, err);
	if (!code)
		report_stepwise(choice, fidelity);
	return code;
}

int km_slab_choice_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			   struct km_fidelity *fidelity, struct km_err *err)
{
	struct km_choice choice = {.trace = trace, .start = start, .seed = seed};
	int code;

	choice.direct_map_base = km_trace_direct_map(trace);
	/* Physical memory reaches past its own size by the hole below 4 GiB. */
	choice.max_pfn = (start->memory_bytes + (4ull << 30)) >> KM_PAGE_SHIFT << 1;
	choice.slab_at = pfn_table(choice.max_pfn);
	choice.listed_cache = pfn_table(choice.max_pfn);
	code = choice.slab_at && choice.listed_cache ? new_caches(&choice) : -ENOMEM;
	if (!code)
		code = measure(&choice, fidelity, err);
	if (code == -ENOMEM)
		km_fail(err, code, "no memory to compare slab choices");
	if (code == -EINVAL)
		km_fail(err, code,
			"the snapshots 'slab shrink lists' and 'sysfs slab' of %s do not describe "
			"slabs that can be; it is damaged, record again",
			km_trace_path(trace));
	drop_machine(&choice);
	pfn_table_free(choice.slab_at, choice.max_pfn);
	pfn_table_free(choice.listed_cache, choice.max_pfn);
	for (uint32_t i = 0; i < choice.nr_caches; i++) {
		free(choice.caches[i].anonymous);
		free(choice.caches[i].listed);
	}
	free(choice.caches);
	free(choice.buckets);
	free(choice.slabs);
	free(choice.slot_addr);
	free(choice.slot_slab);
	return code;
}
