/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recording programs, one pair per tracepoint (BTF-typed, so that arguments are typed and
 * struct fields relocate). Tracepoints and prototypes: include/trace/events/{kmem,vmalloc}.h,
 * 6.1 - 6.18; programs.c loads a program only where the running kernel's prototype is this one.
 *
 * Why pairs. The kernel skips a program that is already running on the CPU (bpf_prog->active), so
 * whatever an interrupt frees while the kfree program runs would be lost; a batch of RCU callbacks
 * makes that hundreds of events at a time. The second copy runs right after the first for the same
 * event. The first leaves its event's pointer as a token in the slot of its context level (within
 * one level of one CPU, events of one kind cannot overlap); the second takes the token, or, when
 * there is none, records the event itself. Only events that both missed are lost:
 * recursion_misses(first) - caught(second).
 */
#include "vmlinux.h" /* first: it defines the types of all that follow */

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "capture/record.h"

#define KM_INLINE static __attribute__((always_inline))

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 own_tgid;
const volatile __u64 ring_bytes;
const volatile bool knows_context, has_rdonly_cast;
/* Offsets of per-CPU variables within the kernel's per-CPU area, from BTF. */
const volatile __u64 offset_runqueues, offset_cpu_number, offset_preempt_count;

bool switched_on;
struct km_probe probe;

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct km_cpu_state);
} states SEC(".maps");

/* ---- where the call runs ---- */

enum { LEVEL_PROCESS, LEVEL_SOFTIRQ, LEVEL_HARDIRQ, LEVEL_NMI, LEVEL_UNKNOWN };

extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak; /* 6.2 */

/* Fields of the preemption count: include/linux/preempt.h. Bit 8: a softirq is being served. */
KM_INLINE unsigned int context_level(const struct km_cpu_state *state)
{
	const void *address = (const void *)state->preempt_count;
	unsigned int count = 0;

	if (!knows_context)
		return LEVEL_UNKNOWN;
	if (has_rdonly_cast) /* struct seqcount: the cast wants a structure, this one is a word */
		count = ((struct seqcount *)bpf_rdonly_cast(
				 address, bpf_core_type_id_kernel(struct seqcount)))
				->sequence;
	else
		bpf_probe_read_kernel(&count, sizeof(count), address);
	if (!(count & 0xffff00))
		return LEVEL_PROCESS;
	if (count & 0xf00000)
		return LEVEL_NMI;
	if (count & 0x0f0000)
		return LEVEL_HARDIRQ;
	return count & 0x100 ? LEVEL_SOFTIRQ : LEVEL_PROCESS;
}

/* ---- definitions ---- */

/* A helper call apart from the events' path: rare, and it keeps that path short. */
static __attribute__((noinline)) int define_cache(struct km_cpu_state *state, void *ring,
						  const struct kmem_cache *cache, __u64 address)
{
	struct km_record_cache *record;

	record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = KM_REC_DEFINE_CACHE;
	record->cache = address;
	record->object_size = BPF_CORE_READ(cache, object_size);
	record->size = BPF_CORE_READ(cache, size);
	record->align = BPF_CORE_READ(cache, align);
	record->flags = BPF_CORE_READ(cache, flags);
	record->oo = BPF_CORE_READ(cache, oo.x);
	record->min_partial = BPF_CORE_READ(cache, min_partial);
	record->has_ctor = BPF_CORE_READ(cache, ctor) != NULL;
	if (bpf_core_field_exists(cache->cpu_partial))
		record->cpu_partial = BPF_CORE_READ(cache, cpu_partial);
	if (bpf_core_field_exists(cache->sheaf_capacity))
		record->sheaf_capacity = BPF_CORE_READ(cache, sheaf_capacity);
	bpf_probe_read_kernel_str(record->name, sizeof(record->name), BPF_CORE_READ(cache, name));
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	state->cache_slots[KM_CACHE_SLOT(address)] = address;
	return 0;
}

static __attribute__((noinline)) int define_task(struct km_task_slot *slot, void *ring, __u64 comm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct km_record_task *record;

	record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = KM_REC_DEFINE_TASK;
	record->tid = task->pid;
	record->tgid = task->tgid;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), task->comm);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	slot->tid = task->pid;
	slot->comm = comm;
	slot->defined = 1;
	return 0;
}

/* ---- one event ---- */

struct call {
	__u64 ptr, site, value;
	const struct kmem_cache *cache;
	__u32 gfp;
	__s16 node;
};

/* No room. Full unless there plainly was room: then another context held the ring's lock. */
static __attribute__((noinline)) int lose(struct km_cpu_state *state, struct km_kind_counts *counts,
					  void *ring)
{
	__u64 used = ring ? bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) : ring_bytes;

	if (used + 4096 >= ring_bytes) {
		counts->ring_full++;
		__sync_fetch_and_add(&state->lost_full, 1);
	} else {
		counts->contended++;
		__sync_fetch_and_add(&state->lost_contended, 1);
	}
	return 0;
}

KM_INLINE void record(struct km_cpu_state *state, struct km_kind_counts *counts, __u32 cpu,
		      unsigned int kind, unsigned int level, const struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct km_task_slot *slot;
	struct km_record *record;
	__u64 comm, time_ns, value = call->value;
	void *ring;

	counts->fired++;
	if (kind == KM_REC_KFREE && call->ptr <= 16) {
		counts->null++;
		return;
	}
	/* An interrupt that borrows the recorder's task works for others. */
	if (task->tgid == own_tgid && (level == LEVEL_PROCESS || level == LEVEL_UNKNOWN)) {
		counts->self++;
		return;
	}
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring) {
		lose(state, counts, NULL);
		return;
	}
	if (call->cache) {
		/* Arithmetic on a typed pointer is refused: through memory it becomes a number. */
		*(const void *volatile *)&counts->cache = call->cache;
		value = *(volatile __u64 *)&counts->cache;
		if (state->cache_slots[KM_CACHE_SLOT(value)] != value)
			define_cache(state, ring, call->cache, value);
	}
	comm = *(__u64 *)task->comm;
	slot = &state->task_slots[KM_TASK_SLOT(task->pid)];
	if (slot->tid != (__u32)task->pid || slot->comm != comm || !slot->defined)
		define_task(slot, ring, comm);

	/* Before reserving: an interrupt in between makes this one late, not all of its own. */
	time_ns = bpf_ktime_get_ns();
	record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
	if (!record) {
		lose(state, counts, ring);
		return;
	}
	record->kind = kind;
	record->context = level | state->lost_contended << KM_REC_CONTEXT_BITS;
	record->node = call->node;
	record->tid = task->pid;
	record->time_ns = time_ns;
	record->ptr = call->ptr;
	record->site = call->site;
	record->value = value;
	record->gfp = call->gfp;
	record->lost = state->lost_full;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

KM_INLINE int first(unsigned int kind, const struct call *call)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	unsigned int level;

	if (!state)
		return 0;
	level = context_level(state);
	/* Tokens above are stale: their second copy was skipped while this level's one ran. */
#pragma unroll
	for (unsigned int above = 1; above < KM_NR_LEVELS; above++)
		if (level < above)
			state->token[kind][above] = KM_TOKEN_NONE;
	state->token[kind][level & (KM_NR_LEVELS - 1)] = call->ptr;
	if (switched_on)
		record(state, &state->counts[KM_COPY_FIRST][kind], cpu, kind, level, call);
	return 0;
}

KM_INLINE int second(unsigned int kind, const struct call *call)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	unsigned int level;
	__u64 *token;

	if (!state)
		return 0;
	level = context_level(state);
	token = &state->token[kind][level & (KM_NR_LEVELS - 1)];
	if (*token == call->ptr) {
		*token = KM_TOKEN_NONE;
		return 0;
	}
	state->counts[KM_COPY_SECOND][kind].caught++;
	if (switched_on)
		record(state, &state->counts[KM_COPY_SECOND][kind], cpu, kind, level, call);
	return 0;
}

/* ---- the tracepoints ---- */

#define PAIR(tracepoint, kind, arguments, ...)                                                     \
	SEC("tp_btf/" #tracepoint)                                                                 \
	int BPF_PROG(tracepoint##_first, arguments)                                                \
	{                                                                                          \
		struct call call = {__VA_ARGS__};                                                  \
		return first(kind, &call);                                                         \
	}                                                                                          \
	SEC("tp_btf/" #tracepoint)                                                                 \
	int BPF_PROG(tracepoint##_second, arguments)                                               \
	{                                                                                          \
		struct call call = {__VA_ARGS__};                                                  \
		return second(kind, &call);                                                        \
	}
#define ARGS(...) __VA_ARGS__

/* bytes_req of a request that cannot succeed may need more than 32 bits: saturates. */
#define LOW32(bytes) ((bytes) > 0xffffffffull ? 0xffffffffull : (bytes))

PAIR(kmalloc, KM_REC_KMALLOC,
     ARGS(unsigned long site, const void *ptr, size_t bytes_req, size_t bytes_alloc, gfp_t gfp,
	  int node),
     .ptr = (__u64)ptr, .site = site, .value = LOW32(bytes_req) | LOW32(bytes_alloc) << 32,
     .gfp = gfp, .node = node)
PAIR(kfree, KM_REC_KFREE, ARGS(unsigned long site, const void *ptr), .ptr = (__u64)ptr,
     .site = site)
PAIR(kmem_cache_alloc, KM_REC_CACHE_ALLOC,
     ARGS(unsigned long site, const void *ptr, struct kmem_cache *cache, gfp_t gfp, int node),
     .ptr = (__u64)ptr, .site = site, .cache = cache, .gfp = gfp, .node = node)
PAIR(kmem_cache_free, KM_REC_CACHE_FREE,
     ARGS(unsigned long site, const void *ptr, const struct kmem_cache *cache), .ptr = (__u64)ptr,
     .site = site, .cache = cache)
PAIR(mm_page_alloc, KM_REC_PAGE_ALLOC,
     ARGS(struct page *page, unsigned int order, gfp_t gfp, int migratetype), .ptr = (__u64)page,
     .site = order | (__u64)(__u32)migratetype << 32, .gfp = gfp)
PAIR(mm_page_free, KM_REC_PAGE_FREE, ARGS(struct page *page, unsigned int order),
     .ptr = (__u64)page, .site = order)
PAIR(alloc_vmap_area, KM_REC_VMAP_ALLOC,
     ARGS(unsigned long address, unsigned long size, unsigned long align, unsigned long start,
	  unsigned long end, int failed),
     .ptr = failed ? 0 : address, .site = size)
PAIR(free_vmap_area_noflush, KM_REC_VMAP_FREE,
     ARGS(unsigned long address, unsigned long lazy, unsigned long lazy_max), .ptr = address)
PAIR(purge_vmap_area_lazy, KM_REC_VMAP_PURGE,
     ARGS(unsigned long start, unsigned long end, unsigned int purged), .ptr = start,
     .site = end - start, .gfp = purged)

/* ---- calibration: where per-CPU variables are, which page frame a struct page is, where the
 * direct map begins ---- */

/*
 * Run once on each CPU. The symbols of per-CPU variables may be hidden (CONFIG_KALLSYMS_ALL), but
 * the current task's runqueue is one of them, and BTF tells its place in the area.
 */
SEC("raw_tp")
int probe_cpu(void *context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 cpu = bpf_get_smp_processor_id();
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	__u64 area = (__u64)BPF_CORE_READ(task, se.cfs_rq, rq) - offset_runqueues;
	__u32 number = ~0u;

	bpf_probe_read_kernel(&number, sizeof(number), (const void *)(area + offset_cpu_number));
	if (state && number == cpu)
		state->preempt_count = area + offset_preempt_count;
	return 0;
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(probe_page, struct page *page, unsigned int order)
{
	if (bpf_get_current_pid_tgid() >> 32 != own_tgid)
		return 0;
	if (order == 0)
		probe.page = (__u64)page;
	else
		probe.large_page = (__u64)page;
	return 0;
}

SEC("tp_btf/kmalloc")
int BPF_PROG(probe_kmalloc, unsigned long site, const void *ptr, size_t bytes_req,
	     size_t bytes_alloc)
{
	if (bpf_get_current_pid_tgid() >> 32 == own_tgid && bytes_alloc > 8192)
		probe.large_ptr = (__u64)ptr;
	return 0;
}
