/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Three walks over the trace: find the slabs objects lie in; learn how many free objects each slab
 * older than the trace had at the start, and whose it was; run the model and compare choices.
 */
#include "replay/slab_choice.h"

#include <errno.h>
#include <kmlab/slab_state.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/host.h"
#include "results/term.h"
#include "traces/repair.h"

#define NONE UINT32_MAX
#define NR_KMALLOC (KM_NR_KMALLOC_TYPES * KM_KMALLOC_CLASSES)

/* A cache of the comparison: kmalloc classes first, then the trace's dictionary. */
struct lab_cache {
	const char *name;
	void *handle;
	uint32_t kernel_order, model_order, objects;
	struct km_score score;
	struct km_cache_info at_start;
	uint32_t first_slab,
		last_slab; /* kernel slabs older than the trace, in order of first use */
	bool used;
};

/* A slab of the traced kernel, for as long as its pages were one slab. */
struct kernel_slab {
	uint64_t base;     /* first pfn, direct map normalised */
	uint64_t birth_ns; /* its page_alloc event; 0: older than the trace */
	uint32_t older;    /* another slab at this pfn, earlier in time; NONE */
	uint32_t cache;
	int32_t net, most; /* allocated minus freed since the start; its maximum = free at start */
	uint32_t next_old; /* list of its cache; NONE */
	uint16_t first_cpu;
	bool listed;   /* an allocation was seen in it */
	uint32_t live; /* objects, as far as known */
	uint64_t pair; /* first model pfn; 0: none */
};

enum walk { WALK_FIND, WALK_LEARN, WALK_COMPARE };

struct choice {
	struct km_trace *trace;
	const struct km_start *start;
	struct km_repair *repair; /* of the current walk */
	enum walk walk;
	uint64_t direct_map_base, max_pfn;

	struct lab_cache *caches;
	uint32_t nr_caches;

	struct kernel_slab *slabs;
	uint32_t nr_slabs;
	size_t slab_capacity;
	uint32_t *slab_at; /* per pfn: index + 1 of the latest slab there */

	struct km_env env;
	struct km_machine *machine;
	uint32_t *model_pair; /* per model pfn: index + 1 of the kernel slab */
	uint32_t *model_live; /* per first pfn of a model slab */
	uint64_t *slot_addr;  /* the model's address, by slot */
	uint32_t *slot_slab;  /* the kernel slab, by slot */
	uint32_t nr_slots;
};

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

/* ---- kernel slabs ---- */

/* Pfn of an address in the recorded direct map; UINT64_MAX outside it. */
static uint64_t pfn_of(const struct choice *choice, uint64_t addr)
{
	uint64_t pfn = (addr - choice->direct_map_base) >> KM_PAGE_SHIFT;

	return addr >= choice->direct_map_base && pfn < choice->max_pfn ? pfn : UINT64_MAX;
}

static uint64_t birth_of(const struct choice *choice, uint64_t addr)
{
	const struct km_object *block = km_repair_block_at(choice->repair, addr);

	return block ? block->alloc_ns + 1 : 0; /* 0 stays free for "older than the trace" */
}

static uint32_t known_slab(const struct choice *choice, uint64_t addr)
{
	uint64_t pfn = pfn_of(choice, addr), birth;
	uint32_t index;

	if (pfn == UINT64_MAX || !choice->slab_at[pfn])
		return NONE;
	birth = birth_of(choice, addr);
	for (index = choice->slab_at[pfn] - 1; index != NONE; index = choice->slabs[index].older)
		if (choice->slabs[index].birth_ns == birth)
			return index;
	return NONE;
}

static uint32_t add_slab(struct choice *choice, uint64_t addr, uint32_t cache)
{
	uint64_t pages = 1ull << choice->caches[cache].kernel_order;
	uint64_t base = pfn_of(choice, addr) & ~(pages - 1);
	struct kernel_slab *slab;

	if (choice->nr_slabs == choice->slab_capacity) {
		size_t capacity = choice->slab_capacity ? choice->slab_capacity * 2 : 4096;
		void *larger = realloc(choice->slabs, capacity * sizeof(*slab));

		if (!larger)
			return NONE;
		choice->slabs = larger;
		choice->slab_capacity = capacity;
	}
	slab = &choice->slabs[choice->nr_slabs];
	*slab = (struct kernel_slab){
		.base = base,
		.birth_ns = birth_of(choice, addr),
		.older = choice->slab_at[base] ? choice->slab_at[base] - 1 : NONE,
		.cache = cache,
		.next_old = NONE,
	};
	for (uint64_t pfn = base; pfn < base + pages && pfn < choice->max_pfn; pfn++)
		choice->slab_at[pfn] = choice->nr_slabs + 1;
	return choice->nr_slabs++;
}

/* ---- caches ---- */

static uint32_t cache_of_event(const struct km_event *event)
{
	if (event->kind == KM_EV_CACHE_ALLOC)
		return event->cache ? (uint32_t)NR_KMALLOC + event->cache : NONE;
	if (!event->bytes_req || event->bytes_req > KM_KMALLOC_MAX_CACHE)
		return NONE;
	return (uint32_t)km_kmalloc_type(event->gfp) * KM_KMALLOC_CLASSES +
	       km_kmalloc_class(event->bytes_req);
}

static void describe_cache(struct choice *choice, uint32_t index, void *handle, int known_order)
{
	struct lab_cache *cache = &choice->caches[index];
	struct km_cache_info info;

	if (!handle ||
	    choice->machine->model->slab->cache_info(choice->machine->slab, handle, &info))
		return;
	cache->handle = handle;
	cache->name = info.name;
	cache->model_order = info.order;
	cache->kernel_order = known_order >= 0 ? (uint32_t)known_order : info.order;
	cache->objects = info.objects_per_slab;
	cache->first_slab = cache->last_slab = NONE;
	cache->used = true;
}

static int create_caches(struct choice *choice)
{
	uint32_t count;
	const struct km_trace_cache *known = km_trace_caches(choice->trace, &count);

	choice->nr_caches = NR_KMALLOC + count;
	choice->caches = calloc(choice->nr_caches + 1, sizeof(*choice->caches));
	if (!choice->caches)
		return -ENOMEM;
	for (uint32_t i = 0; i < NR_KMALLOC; i++)
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
			describe_cache(choice, NR_KMALLOC + i,
				       km_cache_create(choice->machine, &spec),
				       known[i].has_geometry ? (int)known[i].order : -1);
	}
	return 0;
}

/* ---- walks ---- */

static void note_first_use(struct choice *choice, uint32_t index, const struct km_event *event)
{
	struct kernel_slab *slab = &choice->slabs[index];
	struct lab_cache *cache = &choice->caches[slab->cache];

	if (slab->listed || slab->birth_ns)
		return;
	slab->listed = true;
	slab->first_cpu = event->cpu;
	if (cache->last_slab == NONE)
		cache->first_slab = index;
	else
		choice->slabs[cache->last_slab].next_old = index;
	cache->last_slab = index;
}

static void unpair(struct choice *choice, struct kernel_slab *slab)
{
	if (slab->pair)
		choice->model_pair[slab->pair] = 0;
	slab->pair = 0;
}

static void compare_alloc(struct choice *choice, const struct km_event *event, uint32_t cache_index,
			  uint32_t index, uint32_t slot)
{
	struct lab_cache *cache = &choice->caches[cache_index];
	struct kernel_slab *slab = &choice->slabs[index];
	uint64_t addr = km_cache_alloc(choice->machine, cache->handle, event->cpu, event->gfp,
				       event->node),
		 model;

	choice->slot_addr[slot] = addr;
	choice->slot_slab[slot] = index;
	cache->score.checked++;
	slab->live++;
	if (!addr)
		return;
	model = km_addr_to_pfn(addr).value & ~((1ull << cache->model_order) - 1);
	choice->model_live[model]++;
	if (!slab->pair && !choice->model_pair[model]) {
		slab->pair = model;
		choice->model_pair[model] = index + 1;
	}
	cache->score.matched += slab->pair == model && choice->model_pair[model] == index + 1;
}

static void release_model(struct choice *choice, uint64_t addr, uint32_t order)
{
	uint64_t model = km_addr_to_pfn(addr).value & ~((1ull << order) - 1);

	if (--choice->model_live[model] == 0 && choice->model_pair[model])
		unpair(choice, &choice->slabs[choice->model_pair[model] - 1]);
}

static void compare_free(struct choice *choice, uint32_t slot, uint16_t cpu)
{
	uint32_t index = choice->slot_slab[slot];
	struct kernel_slab *slab;
	uint64_t addr = choice->slot_addr[slot];

	if (index == NONE)
		return;
	slab = &choice->slabs[index];
	choice->slot_slab[slot] = NONE;
	if (--slab->live == 0)
		unpair(choice, slab);
	if (!addr)
		return;
	release_model(choice, addr, choice->caches[slab->cache].model_order);
	km_kfree(choice->machine, cpu, addr);
}

/* An object that was in use at the start is freed. */
static void compare_free_old(struct choice *choice, uint32_t index, uint16_t cpu)
{
	struct kernel_slab *slab = &choice->slabs[index];
	uint64_t model = slab->pair;

	if (!model || slab->birth_ns || !slab->live)
		return;
	if (km_slub_free_seeded(choice->machine->slab, cpu, km_pfn_to_addr((km_pfn){model})))
		return;
	if (--slab->live == 0)
		unpair(choice, slab);
	release_model(choice, km_pfn_to_addr((km_pfn){model}),
		      choice->caches[slab->cache].model_order);
}

static int have_slots(struct choice *choice, uint32_t slot)
{
	uint32_t wanted = choice->nr_slots ? choice->nr_slots : 1 << 16;
	uint64_t *addr;
	uint32_t *slab;

	if (slot < choice->nr_slots)
		return 0;
	while (wanted <= slot)
		wanted *= 2;
	addr = realloc(choice->slot_addr, wanted * sizeof(*addr));
	if (addr)
		choice->slot_addr = addr;
	slab = realloc(choice->slot_slab, wanted * sizeof(*slab));
	if (slab)
		choice->slot_slab = slab;
	if (!addr || !slab)
		return -ENOMEM;
	for (uint32_t i = choice->nr_slots; i < wanted; i++)
		slab[i] = NONE;
	choice->nr_slots = wanted;
	return 0;
}

static int walk_alloc(struct choice *choice, const struct km_event *event, uint32_t slot)
{
	uint32_t cache = cache_of_event(event), index;

	if (have_slots(choice, slot))
		return -ENOMEM;
	choice->slot_slab[slot] = NONE;
	if (cache == NONE || cache >= choice->nr_caches || !choice->caches[cache].used ||
	    pfn_of(choice, event->ptr) == UINT64_MAX || event->cpu >= choice->start->cpus)
		return 0;
	index = known_slab(choice, event->ptr);
	if (index == NONE) {
		if (choice->walk != WALK_FIND)
			return 0;
		index = add_slab(choice, event->ptr, cache);
		return index == NONE ? -ENOMEM : 0;
	}
	if (choice->slabs[index].cache != cache)
		return 0; /* the page's birth was not seen: another cache's slab by now */
	if (choice->walk == WALK_LEARN) {
		struct kernel_slab *slab = &choice->slabs[index];

		note_first_use(choice, index, event);
		if (++slab->net > slab->most)
			slab->most = slab->net;
		choice->slot_slab[slot] = index;
	} else if (choice->walk == WALK_COMPARE) {
		compare_alloc(choice, event, cache, index, slot);
	}
	return 0;
}

static void walk_free(struct choice *choice, uint32_t slot, uint16_t cpu)
{
	if (slot >= choice->nr_slots)
		return;
	if (choice->walk == WALK_COMPARE) {
		compare_free(choice, slot, cpu);
	} else if (choice->walk == WALK_LEARN && choice->slot_slab[slot] != NONE) {
		choice->slabs[choice->slot_slab[slot]].net--;
		choice->slot_slab[slot] = NONE;
	}
}

static void walk_free_old(struct choice *choice, const struct km_event *event)
{
	uint32_t index;

	if (km_event_group_of(event->kind) != KM_GROUP_SLAB)
		return;
	index = known_slab(choice, event->ptr);
	if (index == NONE)
		return;
	if (choice->walk == WALK_LEARN)
		choice->slabs[index].net--;
	else if (choice->walk == WALK_COMPARE && event->cpu < choice->start->cpus)
		compare_free_old(choice, index, event->cpu);
}

static int walk_event(struct choice *choice, const struct km_event *event)
{
	struct km_repair_step step;
	int code = km_repair_feed(choice->repair, event, &step);
	bool slab_space = km_event_group_of(event->kind) == KM_GROUP_SLAB;

	if (code)
		return code;
	switch (step.action) {
	case KM_REPAIR_REALLOC:
		if (step.gone.space == KM_SPACE_SLAB)
			walk_free(choice, step.slot, event->cpu);
		/* fall through */
	case KM_REPAIR_ALLOC:
		return slab_space ? walk_alloc(choice, event, step.slot) : 0;
	case KM_REPAIR_FREE:
		if (step.gone.space == KM_SPACE_SLAB)
			walk_free(choice, step.slot, event->cpu);
		return 0;
	case KM_REPAIR_FREE_OLD:
		walk_free_old(choice, event);
		return 0;
	default:
		return 0;
	}
}

static int walk_trace(struct choice *choice, enum walk walk, struct km_err *err)
{
	struct km_trace_filter everything = {.cpu = -1};
	struct km_event events[256];
	struct km_trace_cursor *cursor;
	size_t got;
	int code;

	choice->walk = walk;
	for (uint32_t i = 0; i < choice->nr_slots; i++)
		choice->slot_slab[i] = NONE;
	if (km_repair_new(&choice->repair))
		return -ENOMEM;
	km_repair_set_direct_map(choice->repair, choice->direct_map_base);
	code = km_trace_cursor_open(choice->trace, &everything, &cursor, err);
	while (!code) {
		code = km_trace_next(cursor, events, 256, &got, err);
		if (code || !got)
			break;
		for (size_t i = 0; i < got && !code; i++)
			code = walk_event(choice, &events[i]);
		if (km_interrupted())
			code = -EINTR;
	}
	km_trace_cursor_close(cursor);
	km_repair_delete(choice->repair);
	choice->repair = NULL;
	return code;
}

/* ---- the start state ---- */

/*
 * Where a slab with free objects was: the first one a CPU allocated from was its CPU slab, unless
 * every cache was shrunk just before (then all lie on the node list); later ones came from its
 * partial chain. What does not fit in the chain was on the node list.
 */
static uint32_t place_of(const struct choice *choice, const struct kernel_slab *slab,
			 uint8_t *slabs_of_cpu, uint32_t chain)
{
	const char *start = km_trace_meta(choice->trace, "start");
	uint8_t *used = &slabs_of_cpu[slab->first_cpu];

	if (slab->most <= 0)
		return KM_SEED_FULL;
	if (start && strcmp(start, "shrunk") == 0)
		return KM_SEED_NODE_PARTIAL;
	if ((*used)++ == 0)
		return KM_SEED_CPU_SLAB(slab->first_cpu);
	return *used <= chain + 1 && *used < 255 ? KM_SEED_CPU_PARTIAL(slab->first_cpu)
						 : KM_SEED_NODE_PARTIAL;
}

static int seed_cache(struct choice *choice, struct lab_cache *cache)
{
	static uint8_t slabs_of_cpu[KM_MAX_CPUS];
	struct km_seed_slab *slabs;
	struct km_slab_seed seed = {0};
	uint64_t *bases;
	uint32_t n = 0, i;
	int code = -ENOMEM;

	for (i = cache->first_slab; i != NONE; i = choice->slabs[i].next_old)
		n++;
	slabs = calloc(n + 1, sizeof(*slabs));
	bases = calloc(n + 1, sizeof(*bases));
	if (!slabs || !bases)
		goto out;
	memset(slabs_of_cpu, 0, sizeof(slabs_of_cpu));
	for (i = cache->first_slab; i != NONE; i = choice->slabs[i].next_old) {
		struct kernel_slab *slab = &choice->slabs[i];
		uint32_t most = slab->most > 0 ? (uint32_t)slab->most : 0;

		if (most > cache->objects)
			most = cache->objects;
		slabs[seed.nr].free = most;
		slabs[seed.nr++].place =
			place_of(choice, slab, slabs_of_cpu, cache->at_start.cpu_partial_slabs);
		slab->live = cache->objects - most;
	}
	seed.slabs = slabs;
	code = km_slub_seed(choice->machine->slab, cache->handle, &seed, bases);
	if (code == -EINVAL) { /* a front end without CPU slabs */
		for (i = 0; i < seed.nr; i++)
			if (slabs[i].place != KM_SEED_FULL)
				slabs[i].place = KM_SEED_NODE_PARTIAL;
		code = km_slub_seed(choice->machine->slab, cache->handle, &seed, bases);
	}
	n = 0;
	for (i = cache->first_slab; !code && i != NONE; i = choice->slabs[i].next_old) {
		struct kernel_slab *slab = &choice->slabs[i];

		slab->pair = km_addr_to_pfn(bases[n++]).value;
		choice->model_pair[slab->pair] = i + 1;
		choice->model_live[slab->pair] = slab->live;
	}
out:
	free(slabs);
	free(bases);
	return code;
}

static int seed_all(struct choice *choice)
{
	const struct km_slab_ops *ops = choice->machine->model->slab;
	int code = 0;

	for (uint32_t i = 0; i < choice->nr_caches && !code; i++) {
		struct lab_cache *cache = &choice->caches[i];

		if (!cache->used)
			continue;
		ops->cache_info(choice->machine->slab, cache->handle, &cache->at_start);
		if (cache->first_slab != NONE)
			code = seed_cache(choice, cache);
		ops->cache_info(choice->machine->slab, cache->handle, &cache->at_start);
	}
	return code;
}

/* ---- results ---- */

static int by_checked(const void *a, const void *b)
{
	const struct km_cache_fidelity *x = a, *y = b;

	if (x->slab_choice.checked != y->slab_choice.checked)
		return x->slab_choice.checked < y->slab_choice.checked ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int report(struct choice *choice, struct km_fidelity *fidelity)
{
	fidelity->caches = calloc(choice->nr_caches + 1, sizeof(*fidelity->caches));
	if (!fidelity->caches)
		return -ENOMEM;
	for (uint32_t i = 0; i < choice->nr_caches; i++) {
		struct lab_cache *cache = &choice->caches[i];
		struct km_cache_fidelity *row = &fidelity->caches[fidelity->nr_caches];
		struct km_cache_info end;

		if (!cache->used || !cache->score.checked)
			continue;
		choice->machine->model->slab->cache_info(choice->machine->slab, cache->handle,
							 &end);
		snprintf(row->name, sizeof(row->name), "%s", cache->name);
		row->slab_choice = cache->score;
		/* The change since the start; fidelity.c adds what sysfs said then. */
		row->slabs_model = (int64_t)end.slabs - (int64_t)cache->at_start.slabs;
		row->partial_model = (int64_t)end.partial - (int64_t)cache->at_start.partial;
		row->cpu_slabs_model = (int64_t)end.cpu_slabs - (int64_t)cache->at_start.cpu_slabs;
		fidelity->slab_choice.checked += cache->score.checked;
		fidelity->slab_choice.matched += cache->score.matched;
		fidelity->nr_caches++;
	}
	qsort(fidelity->caches, fidelity->nr_caches, sizeof(*fidelity->caches), by_checked);
	return 0;
}

static int build_machine(struct choice *choice, uint64_t seed)
{
	const struct km_start *start = choice->start;
	struct km_machine_spec spec = {
		.model = km_model_find("slub"),
		.profile = *start->profile,
		.cpus = start->cpus,
		.nr_zones = start->nr_zones,
		.memory_bytes = start->memory_bytes,
	};
	int code;

	memcpy(spec.zones, start->zones, sizeof(spec.zones));
	km_host_env(&choice->env, seed);
	code = km_machine_create(&choice->env, &spec, &choice->machine);
	if (code)
		return code;
	choice->model_pair = pfn_table(choice->machine->max_pfn);
	choice->model_live = pfn_table(choice->machine->max_pfn);
	return choice->model_pair && choice->model_live ? create_caches(choice) : -ENOMEM;
}

int km_slab_choice_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			   struct km_fidelity *fidelity, struct km_err *err)
{
	struct choice choice = {.trace = trace, .start = start};
	const char *base = km_trace_meta(trace, "direct_map_base");
	int code;

	choice.direct_map_base = base ? strtoull(base, NULL, 0) : KM_DIRECT_MAP_BASE;
	/* Physical memory reaches past its own size by the hole below 4 GiB. */
	choice.max_pfn = (start->memory_bytes + (4ull << 30)) >> KM_PAGE_SHIFT << 1;
	choice.slab_at = pfn_table(choice.max_pfn);
	code = choice.slab_at ? build_machine(&choice, seed) : -ENOMEM;
	if (!code)
		code = walk_trace(&choice, WALK_FIND, err);
	if (!code)
		code = walk_trace(&choice, WALK_LEARN, err);
	if (!code)
		code = seed_all(&choice);
	if (!code)
		code = walk_trace(&choice, WALK_COMPARE, err);
	if (!code)
		code = report(&choice, fidelity);
	if (code == -ENOMEM)
		km_fail(err, code, "no memory to compare slab choices");
	if (choice.machine) {
		pfn_table_free(choice.model_pair, choice.machine->max_pfn);
		pfn_table_free(choice.model_live, choice.machine->max_pfn);
	}
	km_machine_destroy(choice.machine);
	pfn_table_free(choice.slab_at, choice.max_pfn);
	free(choice.caches);
	free(choice.slabs);
	free(choice.slot_addr);
	free(choice.slot_slab);
	return code;
}
