/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the rings to a sink. Each ring is read in place (record.h), turned into events in
 * batches, and released batch by batch. Dictionary ids come from mirrors of the BPF side's per-CPU
 * "already defined" tables, so that no event costs a hash lookup.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dictionary.h"
#include "drain.h"

#define BATCH 4096
#define SOME 65536 /* events: some milliseconds of work */

/* One CPU's mirror: what the last definition in each slot meant. */
struct mirror {
	uint64_t cache[KM_CACHE_SLOTS];
	uint16_t cache_id[KM_CACHE_SLOTS];
	uint32_t tid[KM_TASK_SLOTS], task_id[KM_TASK_SLOTS];
};

/* A definition that arrives in parts; an interrupt may put another one in between. */
struct parts {
	uint64_t cache;
	struct km_cache_facts facts;
	unsigned seen; /* bit per part */
};
#define NR_PARTS 4

/* What the last record of a CPU said. */
struct losses {
	uint64_t last_ns;
	uint32_t lost;
};

struct cpu_drain {
	struct mirror mirror;
	struct parts parts[NR_PARTS];
	uint64_t asked; /* the tail when km_drain_quietest() was last asked */
};

struct km_drain {
	const struct km_sink *sink;
	struct km_dictionary *dictionary;
	const struct km_recorder *recorder;
	const struct km_ring *rings; /* by CPU */
	unsigned nr_rings;
	struct cpu_drain *cpus; /* per ring */
	struct losses *losses;  /* per possible CPU: some come too late for a ring */
	uint64_t start_ns;
	struct km_layout layout;
	uint32_t sizes[UINT16_MAX + 1][2]; /* by cache id: object_size, size */
	uint64_t recorded[KM_NR_EVENT_KINDS], lost[KM_NR_LOSS_CAUSES]; /* in this target */
	struct km_event batch[BATCH];
};

/* ---- definitions ---- */

static int define_cache(struct km_drain *drain, struct mirror *mirror,
			const struct km_cache_facts *facts, struct km_err *err)
{
	unsigned slot = KM_CACHE_SLOT(facts->cache);
	const struct km_trace_cache *cache;
	int ret;

	if (facts->oo >> 16 > KM_MAX_ORDER)
		return 0; /* what was read there is none: its events have no cache */
	ret = km_dictionary_cache(drain->dictionary, facts, &cache, err);
	if (ret)
		return ret;
	mirror->cache[slot] = facts->cache;
	mirror->cache_id[slot] = (uint16_t)cache->id;
	drain->sizes[mirror->cache_id[slot]][0] = facts->object_size;
	drain->sizes[mirror->cache_id[slot]][1] = facts->size;
	return 0;
}

static int define_task(struct km_drain *drain, struct mirror *mirror,
		       const struct km_record_task *record, struct km_err *err)
{
	unsigned slot = KM_TASK_SLOT(record->tid);

	mirror->tid[slot] = record->tid;
	return km_dictionary_task(drain->dictionary, record, &mirror->task_id[slot], err);
}

static struct parts *parts_of(struct cpu_drain *cpu, uint64_t cache)
{
	struct parts *unused = &cpu->parts[0];

	for (unsigned i = 0; i < NR_PARTS; i++) {
		if (cpu->parts[i].seen && cpu->parts[i].cache == cache)
			return &cpu->parts[i];
		if (!cpu->parts[i].seen)
			unused = &cpu->parts[i];
	}
	unused->seen = 0;
	unused->cache = cache;
	return unused;
}

static int take_cache_part(struct km_drain *drain, struct cpu_drain *cpu,
			   const struct km_record_cache_part *part, struct km_err *err)
{
	struct parts *parts = parts_of(cpu, part->cache);

	memcpy((uint8_t *)&parts->facts + part->part * KM_PART_BYTES, part->data, KM_PART_BYTES);
	parts->seen |= 1u << part->part;
	if (parts->seen != (1u << KM_CACHE_PARTS) - 1)
		return 0;
	parts->seen = 0;
	return define_cache(drain, &cpu->mirror, &parts->facts, err);
}

static int take_definition(struct km_drain *drain, struct cpu_drain *cpu,
			   const struct km_record *record, struct km_err *err)
{
	return record->kind == KM_REC_DEFINE_CACHE
		       ? take_cache_part(drain, cpu, (const void *)record, err)
		       : define_task(drain, &cpu->mirror, (const void *)record, err);
}

/* ---- one record ---- */

static uint16_t cache_id(const struct km_drain *drain, const struct mirror *mirror, uint64_t cache)
{
	unsigned slot = KM_CACHE_SLOT(cache);

	if (mirror->cache[slot] == cache)
		return mirror->cache_id[slot];
	/* An interrupt defined another one in the slot, or no definition fitted into the ring. */
	return (uint16_t)km_dictionary_find_cache(drain->dictionary, cache);
}

static void fill_object(struct km_drain *drain, const struct mirror *mirror,
			const struct km_record *record, struct km_event *event)
{
	event->ptr = record->ptr;
	event->site = km_dictionary_site(drain->dictionary, record->site);
	event->gfp = record->gfp;
	if (record->kind == KM_REC_KMALLOC || record->kind == KM_REC_PERCPU_ALLOC) {
		event->bytes_req = record->value & UINT32_MAX;
		event->bytes_alloc = record->value >> 32;
	} else if (record->value) {
		event->cache = cache_id(drain, mirror, record->value);
		if (km_event_is_alloc(record->kind)) {
			event->bytes_req = drain->sizes[event->cache][0];
			event->bytes_alloc = drain->sizes[event->cache][1];
		}
	}
	event->node = km_event_is_alloc(record->kind) ? record->node : 0;
}

static void fill_page(const struct km_layout *layout, const struct km_record *record,
		      struct km_event *event)
{
	event->ptr = record->ptr ? (record->ptr - layout->vmemmap) / layout->page_struct_bytes
				 : UINT64_MAX;
	event->order = (uint8_t)record->site;
	event->migratetype = (uint8_t)(record->site >> 32);
	event->bytes_req = event->bytes_alloc = KM_PAGE_SIZE << event->order;
	event->gfp = record->gfp;
	event->node = record->node; /* extfrag: the type it came from */
}

static void fill_vmap(const struct km_record *record, struct km_event *event)
{
	event->ptr = record->ptr;
	event->bytes_alloc = record->site;
	event->bytes_req = record->gfp; /* areas purged; else 0 */
}

static uint64_t since_start(const struct km_drain *drain, uint64_t time_ns)
{
	return time_ns > drain->start_ns ? time_ns - drain->start_ns : 0;
}

static void fill_event(struct km_drain *drain, struct cpu_drain *cpu, uint16_t number,
		       const struct km_record *record, struct km_event *event)
{
	unsigned slot = KM_TASK_SLOT(record->tid);

	memset(event, 0, sizeof(*event));
	event->time_ns = since_start(drain, record->time_ns);
	event->kind = record->kind;
	event->context = record->context;
	event->cpu = number;
	if (cpu->mirror.tid[slot] == record->tid)
		event->task = cpu->mirror.task_id[slot];
	switch (km_event_group_of(record->kind)) {
	case KM_GROUP_PAGE:
		fill_page(&drain->layout, record, event);
		break;
	case KM_GROUP_VMAP:
		fill_vmap(record, event);
		break;
	default:
		fill_object(drain, &cpu->mirror, record, event);
	}
	if (record->stack)
		event->stack =
			km_dictionary_stack(drain->dictionary, record->stack - 1, record->site);
	drain->recorded[record->kind]++;
}

/* ---- losses ---- */

/* Times count from the target's start. */
static int add_gap(struct km_drain *drain, const struct km_trace_gap *gap, struct km_err *err)
{
	drain->lost[gap->cause] += gap->events;
	return drain->sink->gap(drain->sink->context, gap, err);
}

/*
 * Losses between the last record of this CPU and one that says `lost` in all. An interrupt may have
 * put a record that says more before one that says less.
 */
static int note_losses(struct km_drain *drain, unsigned number, uint32_t lost, uint64_t now_ns,
		       struct km_err *err)
{
	struct losses *losses = &drain->losses[number];
	uint32_t events = lost - losses->lost;
	struct km_trace_gap gap = {.cpu = (uint16_t)number,
				   .cause = KM_LOSS_RING_FULL,
				   .after_ns = losses->last_ns < now_ns ? losses->last_ns : now_ns,
				   .before_ns = now_ns,
				   .events = events};

	if (!events || events > INT32_MAX)
		return 0;
	losses->lost = lost;
	return add_gap(drain, &gap, err);
}

int km_drain_recursion(struct km_drain *drain, uint64_t after_ns, uint64_t before_ns,
		       uint64_t events, struct km_err *err)
{
	struct km_trace_gap gap = {.cpu = KM_GAP_CPU_UNKNOWN,
				   .cause = KM_LOSS_RECURSION,
				   .after_ns = since_start(drain, after_ns),
				   .before_ns = since_start(drain, before_ns),
				   .events = events};

	return events ? add_gap(drain, &gap, err) : 0;
}

/* ---- the rings ---- */

static const struct km_record *record_at(const struct km_ring *ring, uint64_t number)
{
	return (const void *)(ring->data + (size_t)(number & (ring->slots - 1)) * KM_SLOT_BYTES);
}

static bool is_published(const struct km_record *record, uint64_t number)
{
	return __atomic_load_n(&record->stamp, __ATOMIC_ACQUIRE) == (uint32_t)number + 1;
}

/*
 * Up to a batch of events of one ring that came before until_ns. The tail moves only after they are
 * in the sink's hands. *got: events; *more: the ring may hold others.
 */
static int drain_ring(struct km_drain *drain, unsigned cpu_number, uint64_t until_ns, size_t *got,
		      bool *more, struct km_err *err)
{
	const struct km_ring *ring = &drain->rings[cpu_number];
	struct cpu_drain *cpu = &drain->cpus[cpu_number];
	struct losses *losses = &drain->losses[cpu_number];
	uint64_t number = *ring->tail;
	size_t events = 0;
	int ret = 0;

	for (; events < BATCH && !ret; number++) {
		const struct km_record *record = record_at(ring, number);

		if (!is_published(record, number))
			break;
		if (record->kind >= KM_NR_RECORD_KINDS) {
			ret = take_definition(drain, cpu, record, err);
			continue;
		}
		if (record->time_ns >= until_ns)
			break;
		fill_event(drain, cpu, (uint16_t)cpu_number, record, &drain->batch[events]);
		if (record->lost != losses->lost)
			ret = note_losses(drain, cpu_number, record->lost,
					  drain->batch[events].time_ns, err);
		losses->last_ns = drain->batch[events++].time_ns;
	}
	if (!ret && events)
		ret = drain->sink->append(drain->sink->context, cpu_number, drain->batch, events,
					  err);
	*more = events == BATCH;
	*got = events;
	if (!ret)
		__atomic_store_n(ring->tail, number, __ATOMIC_RELEASE);
	return ret;
}

/* Round robin, so that a busy CPU cannot starve another's ring. */
static int drain_round(struct km_drain *drain, uint64_t until_ns, size_t *moved, bool *again,
		       struct km_err *err)
{
	size_t got;
	bool more;
	int ret = 0;

	*again = false;
	for (unsigned i = 0; i < drain->nr_rings && !ret; i++) {
		ret = drain_ring(drain, i, until_ns, &got, &more, err);
		*moved += got;
		*again |= more;
	}
	return ret;
}

int km_drain_some(struct km_drain *drain, size_t *moved, bool *more, struct km_err *err)
{
	int ret = 0;

	*moved = 0;
	*more = true;
	while (*more && *moved < SOME && !ret)
		ret = drain_round(drain, UINT64_MAX, moved, more, err);
	return ret;
}

int km_drain_batch(struct km_drain *drain, size_t *moved, bool *more, struct km_err *err)
{
	*moved = 0;
	return drain_round(drain, UINT64_MAX, moved, more, err);
}

/* A ring too small to wait with: what a CPU records while the consumer is kept from it. */
#define SMALL_RING (1u << 18)

static uint64_t most_waiting(const struct km_ring *ring, bool already)
{
	if (ring->slots < SMALL_RING)
		return 0;
	return already ? ring->slots / 2 : ring->slots / 4 * 3;
}

bool km_drain_pressed(const struct km_drain *drain, uint64_t now_ns, uint64_t old_ns, bool already)
{
	for (unsigned i = 0; i < drain->nr_rings; i++) {
		const struct km_ring *ring = &drain->rings[i];
		uint64_t tail = __atomic_load_n(ring->tail, __ATOMIC_ACQUIRE);
		uint64_t head = km_recorder_state(drain->recorder, i)->head;
		const struct km_record *first = record_at(ring, tail);

		if (head - tail > most_waiting(ring, already))
			return true;
		if (is_published(first, tail) && first->kind < KM_NR_RECORD_KINDS &&
		    now_ns > first->time_ns + (already ? old_ns / 2 : old_ns))
			return true;
	}
	return false;
}

unsigned km_drain_quietest(struct km_drain *drain, unsigned here)
{
	uint64_t least = UINT64_MAX, taken_here = 0, taken;
	unsigned quietest = here;

	for (unsigned i = 0; i < drain->nr_rings; i++) {
		taken = *drain->rings[i].tail - drain->cpus[i].asked;
		drain->cpus[i].asked += taken;
		if (i == here)
			taken_here = taken;
		if (taken < least) {
			least = taken;
			quietest = i;
		}
	}
	return taken_here / 2 > least ? quietest : here;
}

int km_drain_until(struct km_drain *drain, uint64_t until_ns, size_t *moved, struct km_err *err)
{
	bool more = true;
	int ret = 0;

	*moved = 0;
	while (more && !ret)
		ret = drain_round(drain, until_ns, moved, &more, err);
	return ret;
}

/* What a CPU lost before its next record, or until now if there is none. */
static uint32_t lost_until_next(const struct km_drain *drain, unsigned number)
{
	uint32_t lost = km_recorder_state(drain->recorder, number)->lost;
	const struct km_record *next;
	uint64_t tail;

	if (number >= drain->nr_rings)
		return lost;
	tail = *drain->rings[number].tail;
	next = record_at(&drain->rings[number], tail);
	return is_published(next, tail) && next->kind < KM_NR_RECORD_KINDS ? next->lost : lost;
}

int km_drain_finish(struct km_drain *drain, uint64_t end_ns, struct km_err *err)
{
	unsigned possible = km_recorder_possible_cpus(drain->recorder);
	int ret = 0;

	for (unsigned number = 0; number < possible && !ret; number++)
		ret = note_losses(drain, number, lost_until_next(drain, number),
				  since_start(drain, end_ns), err);
	return ret;
}

void km_drain_target(struct km_drain *drain, const struct km_sink *sink, uint64_t start_ns)
{
	drain->sink = sink;
	drain->start_ns = start_ns;
	for (unsigned i = 0; i < km_recorder_possible_cpus(drain->recorder); i++)
		drain->losses[i].last_ns = 0;
	memset(drain->recorded, 0, sizeof(drain->recorded));
	memset(drain->lost, 0, sizeof(drain->lost));
}

void km_drain_forget(struct km_drain *drain)
{
	for (unsigned i = 0; i < km_recorder_possible_cpus(drain->recorder); i++)
		drain->losses[i] = (struct losses){0};
}

const uint64_t *km_drain_recorded(const struct km_drain *drain)
{
	return drain->recorded;
}

const uint64_t *km_drain_lost(const struct km_drain *drain)
{
	return drain->lost;
}

int km_drain_open(struct km_recorder *recorder, struct km_dictionary *dictionary,
		  struct km_drain **result, struct km_err *err)
{
	struct km_drain *drain = calloc(1, sizeof(*drain));

	if (!drain)
		return km_fail(err, -ENOMEM, "no memory to read the rings");
	drain->recorder = recorder;
	drain->dictionary = dictionary;
	drain->rings = km_recorder_rings(recorder, &drain->nr_rings);
	drain->layout = *km_recorder_layout(recorder);
	drain->cpus = calloc(drain->nr_rings, sizeof(*drain->cpus));
	drain->losses = calloc(km_recorder_possible_cpus(recorder), sizeof(*drain->losses));
	if (!drain->cpus || !drain->losses) {
		km_drain_close(drain);
		return km_fail(err, -ENOMEM, "no memory to read the rings");
	}
	*result = drain;
	return 0;
}

void km_drain_close(struct km_drain *drain)
{
	if (!drain)
		return;
	free(drain->cpus);
	free(drain->losses);
	free(drain);
}
