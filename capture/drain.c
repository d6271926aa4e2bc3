/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the rings to the trace writer. Each ring is read in place through its mapping (layout:
 * Documentation/bpf/ringbuf.rst: an 8-byte header per record, busy and discard bits in its length),
 * turned into events in batches, and released batch by batch. Dictionary ids come from mirrors of
 * the BPF side's per-CPU "already defined" tables, so that no event costs a hash lookup.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "slab_table.h"

#define BATCH 4096
#define SITE_SLOTS 8192

/* One CPU's mirror: what the last definition in each slot meant. */
struct mirror {
	uint64_t cache[KM_CACHE_SLOTS];
	uint16_t cache_id[KM_CACHE_SLOTS];
	uint32_t tid[KM_TASK_SLOTS], task_id[KM_TASK_SLOTS];
};

struct cpu_drain {
	struct mirror mirror;
	uint64_t last_ns;
	uint32_t seq, lost, contended; /* of the last record */
};

struct cache_entry {
	uint64_t address;
	struct km_trace_cache cache;
};

struct task_entry {
	struct km_trace_task task; /* id 0: free slot */
};

struct site_slot {
	uint64_t address;
	uint32_t id;
};

struct km_drain {
	struct km_trace_writer *writer;
	const struct km_recorder *recorder;
	const struct km_ring *rings;
	unsigned nr_rings;
	struct cpu_drain *cpus; /* per ring */
	uint64_t start_ns;
	struct km_layout layout;
	struct km_slab_table *slabs;
	uint32_t account_flag;
	/* All definitions so far: searched only when one arrives. */
	struct cache_entry *caches;
	size_t nr_caches;
	struct task_entry *tasks; /* open addressing, a power of two of slots */
	size_t nr_tasks, task_slots;
	struct site_slot sites[SITE_SLOTS];
	uint32_t sizes[UINT16_MAX + 1][2]; /* by cache id: object_size, size */
	uint64_t recorded[KM_NR_EVENT_KINDS];
	struct km_event batch[BATCH];
};

/* ---- definitions ---- */

static void describe_cache(const struct km_drain *drain, const struct km_record_cache *record,
			   struct km_trace_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	memcpy(cache->name, record->name, sizeof(cache->name));
	cache->name[sizeof(cache->name) - 1] = '\0';
	cache->object_size = record->object_size;
	cache->size = record->size;
	cache->align = record->align;
	cache->flags = record->flags;
	cache->order = record->oo >> 16;
	cache->objects_per_slab = record->oo & 0xffff;
	cache->min_partial = record->min_partial;
	cache->cpu_partial = record->cpu_partial;
	cache->sheaf_capacity = record->sheaf_capacity;
	cache->has_ctor = record->has_ctor;
	cache->account = (record->flags & drain->account_flag) != 0;
	km_slab_table_fill(drain->slabs, cache);
}

/* A new cache may live where a destroyed one did: then it gets an id of its own. */
static int define_cache(struct km_drain *drain, struct mirror *mirror,
			const struct km_record_cache *record, struct km_err *err)
{
	unsigned slot = KM_CACHE_SLOT(record->cache);
	struct cache_entry *entry;
	size_t i = drain->nr_caches;
	int ret;

	while (i > 0 && drain->caches[i - 1].address != record->cache)
		i--;
	if (i == 0 || strncmp(drain->caches[i - 1].cache.name, record->name, 63) != 0 ||
	    drain->caches[i - 1].cache.size != record->size) {
		entry = reallocarray(drain->caches, drain->nr_caches + 1, sizeof(*entry));
		if (!entry)
			return km_fail(err, -ENOMEM, "no memory to remember the kernel's caches");
		drain->caches = entry;
		entry += drain->nr_caches;
		entry->address = record->cache;
		describe_cache(drain, record, &entry->cache);
		ret = km_trace_define_cache(drain->writer, &entry->cache, err);
		if (ret)
			return ret;
		i = ++drain->nr_caches;
	}
	entry = &drain->caches[i - 1];
	mirror->cache[slot] = record->cache;
	mirror->cache_id[slot] = (uint16_t)entry->cache.id;
	drain->sizes[mirror->cache_id[slot]][0] = record->object_size;
	drain->sizes[mirror->cache_id[slot]][1] = record->size;
	return 0;
}

static size_t task_slot(const struct km_drain *drain, const struct km_trace_task *task)
{
	uint64_t comm[2], hash;
	size_t slot;

	memcpy(comm, task->comm, sizeof(comm));
	hash = (comm[0] ^ (comm[1] << 1 | comm[1] >> 63) ^ task->tid ^ (uint64_t)task->tgid << 32) *
	       0x9e3779b97f4a7c15ull;
	slot = (size_t)(hash >> 32) & (drain->task_slots - 1);
	while (drain->tasks[slot].task.id &&
	       (drain->tasks[slot].task.tid != task->tid ||
		drain->tasks[slot].task.tgid != task->tgid ||
		memcmp(drain->tasks[slot].task.comm, task->comm, sizeof(task->comm)) != 0))
		slot = (slot + 1) & (drain->task_slots - 1);
	return slot;
}

static int grow_tasks(struct km_drain *drain)
{
	struct task_entry *old = drain->tasks;
	size_t old_slots = drain->task_slots;

	drain->tasks = calloc(old_slots ? old_slots * 2 : 1024, sizeof(*drain->tasks));
	if (!drain->tasks) {
		drain->tasks = old;
		return -ENOMEM;
	}
	drain->task_slots = old_slots ? old_slots * 2 : 1024;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].task.id)
			drain->tasks[task_slot(drain, &old[i].task)] = old[i];
	free(old);
	return 0;
}

/* A task that changes its name (exec) is a new entry: events before keep the old name. */
static int define_task(struct km_drain *drain, struct mirror *mirror,
		       const struct km_record_task *record, struct km_err *err)
{
	struct km_trace_task task = {.tid = record->tid, .tgid = record->tgid};
	size_t slot;
	int ret;

	if (drain->nr_tasks * 2 >= drain->task_slots && grow_tasks(drain))
		return km_fail(err, -ENOMEM, "no memory to remember the kernel's tasks");
	memcpy(task.comm, record->comm, sizeof(task.comm));
	slot = task_slot(drain, &task);
	if (!drain->tasks[slot].task.id) {
		ret = km_trace_define_task(drain->writer, &task, err);
		if (ret)
			return ret;
		drain->tasks[slot].task = task;
		drain->nr_tasks++;
	}
	mirror->tid[KM_TASK_SLOT(record->tid)] = record->tid;
	mirror->task_id[KM_TASK_SLOT(record->tid)] = drain->tasks[slot].task.id;
	return 0;
}

static uint32_t site_id(struct km_drain *drain, uint64_t address)
{
	struct site_slot *slot =
		&drain->sites[(address * 0x9e3779b97f4a7c15ull) >> 32 & (SITE_SLOTS - 1)];

	if (slot->address != address) {
		slot->id = km_trace_site_id(drain->writer, address);
		slot->address = address;
	}
	return slot->id;
}

/* ---- one record ---- */

static uint16_t cache_id(const struct mirror *mirror, uint64_t cache)
{
	unsigned slot = KM_CACHE_SLOT(cache);

	/* Not there: its definition did not fit into the ring. */
	return mirror->cache[slot] == cache ? mirror->cache_id[slot] : KM_NO_CACHE;
}

static void fill_slab(struct km_drain *drain, const struct mirror *mirror,
		      const struct km_record *record, struct km_event *event)
{
	event->ptr = record->ptr;
	event->site = site_id(drain, record->site);
	event->gfp = record->gfp;
	if (record->kind == KM_REC_KMALLOC) {
		event->bytes_req = record->value & UINT32_MAX;
		event->bytes_alloc = record->value >> 32;
	} else if (record->kind != KM_REC_KFREE) {
		event->cache = cache_id(mirror, record->value);
		if (record->kind == KM_REC_CACHE_ALLOC) {
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
}

static void fill_vmap(const struct km_record *record, struct km_event *event)
{
	event->ptr = record->ptr;
	event->bytes_alloc = record->site;
	event->bytes_req = record->gfp; /* areas purged; else 0 */
}

static void fill_event(struct km_drain *drain, struct cpu_drain *cpu, uint16_t number,
		       const struct km_record *record, struct km_event *event)
{
	unsigned slot = KM_TASK_SLOT(record->tid);

	memset(event, 0, sizeof(*event));
	event->time_ns = record->time_ns > drain->start_ns ? record->time_ns - drain->start_ns : 0;
	event->kind = record->kind;
	event->context = record->context & ((1u << KM_REC_CONTEXT_BITS) - 1);
	event->cpu = number;
	event->seq = cpu->seq++;
	if (cpu->mirror.tid[slot] == record->tid)
		event->task = cpu->mirror.task_id[slot];
	switch (km_event_group_of(record->kind)) {
	case KM_GROUP_SLAB:
		fill_slab(drain, &cpu->mirror, record, event);
		break;
	case KM_GROUP_PAGE:
		fill_page(&drain->layout, record, event);
		break;
	default:
		fill_vmap(record, event);
	}
	drain->recorded[record->kind]++;
}

static int add_gap(struct km_drain *drain, unsigned number, enum km_loss_cause cause,
		   uint64_t after, uint64_t before, uint64_t events, struct km_err *err)
{
	struct km_trace_gap gap = {.cpu = (uint16_t)number,
				   .cause = cause,
				   .after_ns = after,
				   .before_ns = before,
				   .events = events};

	return events ? km_trace_add_gap(drain->writer, &gap, err) : 0;
}

/* Losses between the last record of this CPU and one that says `lost` and `contended` in all. */
static int note_losses(struct km_drain *drain, struct cpu_drain *cpu, unsigned number,
		       uint32_t lost, uint32_t contended, uint64_t now_ns, struct km_err *err)
{
	int ret = add_gap(drain, number, KM_LOSS_RING_FULL, cpu->last_ns, now_ns,
			  (uint32_t)(lost - cpu->lost), err);

	if (!ret)
		ret = add_gap(drain, number, KM_LOSS_CONTENDED, cpu->last_ns, now_ns,
			      (contended - cpu->contended) & KM_REC_CONTENDED_MASK, err);
	cpu->lost = lost;
	cpu->contended = contended;
	return ret;
}

/* ---- the rings ---- */

static int take_definition(struct km_drain *drain, struct cpu_drain *cpu, const void *data,
			   struct km_err *err)
{
	const struct km_record *record = data;
	return record->kind == KM_REC_DEFINE_CACHE ? define_cache(drain, &cpu->mirror, data, err)
						   : define_task(drain, &cpu->mirror, data, err);
}

/*
 * Up to a batch of events of one ring. The position is given back only after they are in the
 * writer's hands. *got: events; *more: the ring may hold others.
 */
static int drain_batch(struct km_drain *drain, unsigned index, size_t *got, bool *more,
		       struct km_err *err)
{
	const struct km_ring *ring = &drain->rings[index];
	struct cpu_drain *cpu = &drain->cpus[index];
	uint64_t position = *ring->consumer;
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	size_t events = 0;
	int ret = 0;

	while (position < end && events < BATCH && !ret) {
		const uint32_t *header =
			(const void *)(ring->data + (position & (ring->bytes - 1)));
		uint32_t length = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		const struct km_record *record = (const void *)(header + 2);
		uint32_t contended;

		if (length & BPF_RINGBUF_BUSY_BIT)
			break;
		position += ((length & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
		if (record->kind >= KM_NR_RECORD_KINDS) {
			ret = take_definition(drain, cpu, record, err);
			continue;
		}
		fill_event(drain, cpu, (uint16_t)ring->cpu, record, &drain->batch[events]);
		contended = record->context >> KM_REC_CONTEXT_BITS;
		if (record->lost != cpu->lost || contended != cpu->contended)
			ret = note_losses(drain, cpu, ring->cpu, record->lost, contended,
					  drain->batch[events].time_ns, err);
		cpu->last_ns = drain->batch[events++].time_ns;
	}
	if (!ret && events)
		ret = km_trace_append(drain->writer, ring->cpu, drain->batch, events, err);
	*more = events == BATCH;
	*got = events;
	if (!ret)
		__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
	return ret;
}

int km_drain_once(struct km_drain *drain, size_t *moved, struct km_err *err)
{
	size_t total = 0, got;
	bool more, again;
	int ret;

	do { /* round robin, so that a busy CPU cannot starve another's ring */
		again = false;
		for (unsigned i = 0; i < drain->nr_rings; i++) {
			ret = drain_batch(drain, i, &got, &more, err);
			if (ret)
				return ret;
			total += got;
			again |= more;
		}
	} while (again);
	*moved = total;
	return 0;
}

int km_drain_finish(struct km_drain *drain, uint64_t end_ns, struct km_err *err)
{
	const struct km_cpu_state *state;
	unsigned possible = km_recorder_possible_cpus(drain->recorder);
	bool has_ring;
	int ret = 0;

	for (unsigned number = 0; number < possible && !ret; number++) {
		state = km_recorder_state(drain->recorder, number);
		has_ring = false;
		for (unsigned i = 0; i < drain->nr_rings && !ret; i++) {
			if (drain->rings[i].cpu != number)
				continue;
			has_ring = true;
			ret = note_losses(drain, &drain->cpus[i], number, state->lost_full,
					  state->lost_contended & KM_REC_CONTENDED_MASK, end_ns,
					  err);
		}
		if (!has_ring)
			ret = add_gap(drain, number, KM_LOSS_RING_FULL, 0, end_ns, state->lost_full,
				      err);
	}
	return ret;
}

void km_drain_start(struct km_drain *drain, uint64_t start_ns)
{
	drain->start_ns = start_ns;
}

const uint64_t *km_drain_recorded(const struct km_drain *drain)
{
	return drain->recorded;
}

int km_drain_open(struct km_recorder *recorder, struct km_trace_writer *writer,
		  struct km_drain **result, struct km_err *err)
{
	struct km_drain *drain = calloc(1, sizeof(*drain));
	int64_t bit;

	if (!drain)
		return km_fail(err, -ENOMEM, "no memory to read the rings");
	drain->writer = writer;
	drain->recorder = recorder;
	drain->rings = km_recorder_rings(recorder, &drain->nr_rings);
	drain->layout = *km_recorder_layout(recorder);
	drain->cpus = calloc(drain->nr_rings, sizeof(*drain->cpus));
	if (!drain->cpus || grow_tasks(drain) || km_slab_table_read(&drain->slabs)) {
		km_drain_close(drain);
		return km_fail(err, -ENOMEM, "no memory to read the rings");
	}
	/* An enumerator since 6.8; before, a macro of this value (include/linux/slab.h, 6.1). */
	drain->account_flag = km_btf_enumerator(km_recorder_btf(recorder), "_SLAB_ACCOUNT", &bit)
				      ? 0x04000000
				      : 1u << bit;
	*result = drain;
	return 0;
}

void km_drain_close(struct km_drain *drain)
{
	if (!drain)
		return;
	km_slab_table_free(drain->slabs);
	free(drain->caches);
	free(drain->tasks);
	free(drain->cpus);
	free(drain);
}
