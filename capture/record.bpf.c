/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recording programs. They are raw tracepoints: their arguments are numbers to the verifier,
 * and what makes that safe is that programs.c compares the running kernel's prototype, from BTF,
 * with the one each was written for. (BTF-typed ones cannot take `const void *` before 6.14.)
 * Tracepoints and prototypes: include/trace/events/{kmem,vmalloc,percpu,rcu}.h, 6.1 - 7.2.
 *
 * Why more than one. The kernel skips a program that is already running on the CPU
 * (bpf_prog->active), so whatever an interrupt frees while the kfree program runs would be lost; a
 * batch of RCU callbacks makes that hundreds of events at a time. Where the machine allows,
 * watchpoints run a program at each such event (watch.bpf.h). Elsewhere a second copy of the
 * program runs right after the first for the same event. The first leaves its event's pointer as a
 * token where only the same event's second copy looks: in the slot of its context level (within one
 * level of one CPU, events of one kind cannot overlap), or, where tracepoints may be preempted and
 * the task even moved to another CPU between the two (since 7.0), in the task's own. The second
 * takes the token, or, when there is none, records the event itself. Only events that both missed
 * are lost: recursion_misses(first) - caught(second, or watchpoint).
 *
 * Every event goes through here on the workload's time, and on kernels hardened against
 * speculation each call and return is dear: no helper where a load does, no lock in the ring.
 */
#include "vmlinux.h" /* first: it defines the types of all that follow */

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "capture/record.h"

#define KM_INLINE static __attribute__((always_inline))

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 slot_mask;
const volatile __u32 page_struct_bytes = 64;
const volatile bool knows_percpu, has_rdonly_cast, calls_are_dear;
const volatile bool may_sample, filters, takes_stacks;
/* Offsets of per-CPU variables within the kernel's per-CPU area, from BTF. */
const volatile __u64 offset_runqueues, offset_cpu_number, offset_preempt_count, offset_current;
const volatile struct km_filter filter;

bool switched_on;
__u32 own_tgid;                      /* of the recorder, as the kernel counts */
bool preemptible;                    /* tracepoints may be preempted */
bool has_second[KM_NR_RECORD_KINDS]; /* tokens are wanted */
__u32 sample_n = 1;                  /* keep one address of so many */
__u64 vmemmap_start;                 /* struct page 0 */
struct km_probe probe;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 4096);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct km_cpu_state);
} states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KM_TOKEN_SLOTS);
	__type(key, __u32);
	__type(value, struct km_task_tokens);
} task_tokens SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, KM_STACK_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

/* ---- where the call runs ---- */

enum { LEVEL_PROCESS, LEVEL_SOFTIRQ, LEVEL_HARDIRQ, LEVEL_NMI, LEVEL_UNKNOWN };

extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak; /* 6.2 */

#define CAST(address, name)                                                                        \
	((struct name *)bpf_rdonly_cast((const void *)(address),                                   \
					bpf_core_type_id_kernel(struct name)))

/* In the top bit x86 keeps "nobody waits for this CPU": arch/x86/include/asm/preempt.h. */
#define PREEMPT_NEED_RESCHED 0x80000000u

/* Fields of the preemption count: include/linux/preempt.h. Bit 8: a softirq is being served. */
KM_INLINE unsigned int preempt_count(const struct km_cpu_state *state)
{
	__u64 address = state->percpu_area + offset_preempt_count;
	unsigned int count = 0;

	if (has_rdonly_cast) /* struct seqcount: the cast wants a structure, this one is a word */
		count = CAST(address, seqcount)->sequence;
	else
		bpf_probe_read_kernel(&count, sizeof(count), (const void *)address);
	return count & ~PREEMPT_NEED_RESCHED;
}

KM_INLINE unsigned int level_of(unsigned int count)
{
	if (!(count & 0xffff00))
		return LEVEL_PROCESS;
	if (count & 0xf00000)
		return LEVEL_NMI;
	if (count & 0x0f0000)
		return LEVEL_HARDIRQ;
	return count & 0x100 ? LEVEL_SOFTIRQ : LEVEL_PROCESS;
}

KM_INLINE unsigned int context_level(const struct km_cpu_state *state)
{
	unsigned int count;

	if (!knows_percpu || !state->percpu_area)
		return LEVEL_UNKNOWN;
	count = preempt_count(state);
	if (!count && !preemptible)
		preemptible = true;
	return level_of(count);
}

/* As bpf_get_current_task_btf(), without the call where that costs more than two checked loads. */
KM_INLINE struct task_struct *current_task(const struct km_cpu_state *state)
{
	if (calls_are_dear && has_rdonly_cast && offset_current && state->percpu_area)
		return CAST(CAST(state->percpu_area + offset_current, list_head)->next,
			    task_struct);
	return bpf_get_current_task_btf();
}

/* ---- the ring ---- */

/* Room for whoever interrupts or preempts between looking and taking, and for a definition. */
#define MARGIN 64

/* The next slot, or NULL: the ring is full (or this CPU has none). */
KM_INLINE struct km_record *reserve(struct km_cpu_state *state, __u32 cpu, __u32 *stamp)
{
	__u8 *ring = bpf_map_lookup_elem(&rings, &cpu);
	__u64 number;

	if (!ring ||
	    *(volatile __u64 *)&state->head - *(volatile __u64 *)&state->tail + MARGIN > slot_mask)
		return NULL;
	number = __sync_fetch_and_add(&state->head, 1);
	*stamp = (__u32)number + 1;
	return (struct km_record *)(ring + (number & slot_mask) * KM_SLOT_BYTES);
}

/* The stamp is the last word of any kind of record, and stored last. */
KM_INLINE void publish(void *slot, __u32 stamp)
{
	volatile __u32 *word = slot;
	const unsigned int last = KM_SLOT_BYTES / sizeof(*word) - 1;

	asm volatile("" ::: "memory");
#if defined(__TARGET_ARCH_x86) /* stores stay in order */
	word[last] = stamp;
#else /* an exchange keeps them so, but only one of 64 bits exists everywhere */
	union {
		__u32 words[2];
		__u64 both;
	} end = {{word[last - 1], stamp}};

	__sync_lock_test_and_set((__u64 *)&word[last - 1], end.both);
#endif
}

/* ---- definitions: helper calls apart from the events' path: rare, and it keeps that short ---- */

static __attribute__((noinline)) int choose_cache(const struct km_cache_facts *facts)
{
	for (unsigned int i = 0; i < KM_FILTER_MAX; i++) {
		if (i >= filter.caches)
			return 0;
		for (unsigned int j = 0; j < sizeof(filter.cache[0]); j++) {
			if (filter.cache[i][j] == '*')
				return 1;
			if (filter.cache[i][j] != facts->name[j])
				break;
			if (!facts->name[j])
				return 1;
		}
	}
	return 0;
}

/* One of each program: on one CPU none of them runs within itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KM_NR_COPIES *KM_NR_RECORD_KINDS);
	__type(key, __u32);
	__type(value, struct km_cache_facts);
} scratch SEC(".maps");

static __attribute__((noinline)) int define_cache(struct km_cpu_state *state, __u32 cpu,
						  unsigned int program, __u64 address)
{
	const struct kmem_cache *cache = (const struct kmem_cache *)address;
	struct km_cache_facts *facts = bpf_map_lookup_elem(&scratch, &program);
	struct km_record_cache_part *part;
	__u32 slot = KM_CACHE_SLOT(address), stamp;

	if (!facts || !state)
		return 0;
	__builtin_memset(facts, 0, sizeof(*facts));
	facts->cache = address;
	facts->object_size = BPF_CORE_READ(cache, object_size);
	facts->size = BPF_CORE_READ(cache, size);
	facts->align = BPF_CORE_READ(cache, align);
	facts->flags = BPF_CORE_READ(cache, flags);
	facts->oo = BPF_CORE_READ(cache, oo.x);
	facts->freeptr_offset = BPF_CORE_READ(cache, offset);
	facts->min_partial = BPF_CORE_READ(cache, min_partial);
	facts->has_ctor = BPF_CORE_READ(cache, ctor) != NULL;
	if (bpf_core_field_exists(cache->cpu_partial))
		facts->cpu_partial = BPF_CORE_READ(cache, cpu_partial);
	if (bpf_core_field_exists(cache->sheaf_capacity))
		facts->sheaf_capacity = BPF_CORE_READ(cache, sheaf_capacity);
	bpf_probe_read_kernel_str(facts->name, sizeof(facts->name), BPF_CORE_READ(cache, name));
	state->cache_slots[slot] = 0;
	for (unsigned int i = 0; i < KM_CACHE_PARTS; i++) {
		part = (struct km_record_cache_part *)reserve(state, cpu, &stamp);
		if (!part)
			return 0;
		/* As words: unaligned it would be copied byte by byte, through the stack. */
		__builtin_memcpy(part->data, (const __u64 *)facts + i * (KM_PART_BYTES / 8),
				 KM_PART_BYTES);
		part->kind = KM_REC_DEFINE_CACHE;
		part->cache = address;
		part->part = (__s16)i;
		publish(part, stamp);
	}
	state->cache_chosen[slot] = filters && filter.caches && choose_cache(facts);
	/* If an interrupt has used the slot meanwhile, which came last in the ring is not known. */
	if (__sync_val_compare_and_swap(&state->cache_slots[slot], 0, address))
		state->cache_slots[slot] = 0;
	return 0;
}

static __attribute__((noinline)) int define_task(struct km_cpu_state *state, __u32 cpu)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct km_task_slot *slot;
	struct km_record_task *record;
	__u32 stamp;

	if (!state)
		return 0;
	record = (struct km_record_task *)reserve(state, cpu, &stamp);
	if (!record)
		return 0;
	record->kind = KM_REC_DEFINE_TASK;
	record->tid = task->pid;
	record->tgid = task->tgid;
	record->cgroup = bpf_get_current_cgroup_id();
	bpf_probe_read_kernel(record->comm, sizeof(record->comm), task->comm); /* zero-padded */
	publish(record, stamp);
	slot = &state->task_slots[KM_TASK_SLOT(task->pid)];
	slot->tid = task->pid;
	slot->comm = *(__u64 *)task->comm;
	slot->css_set = (__u64)BPF_CORE_READ(task, cgroups);
	slot->defined = 1;
	return 0;
}

/* ---- one event ---- */

struct call {
	__u64 ptr, site, value;
	__u32 gfp;
	__s16 node;
};

static __attribute__((noinline)) int lose(struct km_cpu_state *state, struct km_kind_counts *counts)
{
	if (!state || !counts)
		return 0;
	counts->ring_full++;
	__sync_fetch_and_add(&state->lost, 1);
	return 0;
}

static __attribute__((noinline)) int stack_of(void *context, struct km_cpu_state *state)
{
	long id = bpf_get_stackid(context, &stacks, 0);

	if (id >= 0)
		return (int)id + 1;
	if (state)
		__sync_fetch_and_add(&state->no_stack, 1);
	return 0;
}

KM_INLINE bool names_cache(unsigned int kind)
{
	return kind == KM_REC_CACHE_ALLOC || kind == KM_REC_CACHE_FREE ||
	       kind == KM_REC_BULK_FREE || kind == KM_REC_BULK_ALLOC;
}

#include "capture/filter.bpf.h"

KM_INLINE void record(void *context, struct km_cpu_state *state, enum km_copy copy, __u32 cpu,
		      unsigned int kind, unsigned int level, const struct call *call)
{
	struct km_kind_counts *counts = &state->counts[copy][kind];
	struct task_struct *task = current_task(state);
	struct km_task_slot *slot;
	struct km_record *record;
	__u64 time_ns;
	__u32 stamp, tid = task->pid, stack = 0;

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
	if (names_cache(kind) && call->value &&
	    state->cache_slots[KM_CACHE_SLOT(call->value)] != call->value)
		define_cache(state, cpu, copy * KM_NR_RECORD_KINDS + kind, call->value);
	if (filters && !chosen(state, kind, level, call, task)) {
		counts->excluded++;
		return;
	}
	if (may_sample && !sampled(kind, call->ptr)) {
		counts->sampled++;
		return;
	}
	slot = &state->task_slots[KM_TASK_SLOT(tid)];
	/* A task that got another name or cgroup soon allocates: frees need not look. */
	if (slot->tid != tid || !slot->defined ||
	    (is_allocation(kind) &&
	     (slot->comm != *(__u64 *)task->comm || slot->css_set != (__u64)task->cgroups)))
		define_task(state, cpu);
	if (takes_stacks)
		stack = (__u32)stack_of(context, state);

	/* Before taking the slot: an interrupt in between makes this one late, not all of its own.
	 */
	time_ns = bpf_ktime_get_ns();
	record = reserve(state, cpu, &stamp);
	if (!record) {
		lose(state, counts);
		return;
	}
	record->time_ns = time_ns;
	record->ptr = call->ptr;
	record->site = call->site;
	record->value = call->value;
	record->gfp = call->gfp;
	record->tid = tid;
	record->lost = state->lost;
	record->stack = stack;
	record->node = call->node;
	record->kind = kind;
	record->context = level;
	publish(record, stamp);
}

/* ---- the two copies ---- */

/*
 * Where the event's token lies; *level: where it runs; entered: what the caller's own exception
 * adds to the preemption count. Tasks that share a slot mix up their events only if both are
 * preempted between their copies at the same time.
 */
KM_INLINE __u64 *token_of(struct km_cpu_state *state, unsigned int kind, unsigned int entered,
			  unsigned int *level)
{
	unsigned int count;
	__u32 slot = 0;
	struct km_task_tokens *tokens;

	*level = LEVEL_UNKNOWN;
	if (!knows_percpu || !state->percpu_area)
		return &state->token[kind][0];
	count = preempt_count(state) - entered;
	*level = level_of(count);
	if (count) /* preemption is off */
		return &state->token[kind][*level & (KM_NR_LEVELS - 1)];
	slot = current_task(state)->pid & (KM_TOKEN_SLOTS - 1);
	tokens = bpf_map_lookup_elem(&task_tokens, &slot);
	return tokens ? &tokens->token[kind] : &state->token[kind][0];
}

/* For the second copy of the same event. */
static __attribute__((noinline)) int leave_token(struct km_cpu_state *state, unsigned int kind,
						 unsigned int entered, __u64 ptr)
{
	unsigned int level;
	__u64 *token;

	if (!state || kind >= KM_NR_RECORD_KINDS)
		return 0;
	token = token_of(state, kind, entered, &level);
	/* Tokens above are stale: their second copy was skipped while this level's one ran. */
#pragma unroll
	for (unsigned int above = 1; above < KM_NR_LEVELS; above++)
		if (level < above)
			state->token[kind][above] = KM_TOKEN_NONE;
	*token = ptr;
	return 0;
}

KM_INLINE int first(void *context, unsigned int kind, const struct call *call)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	unsigned int level;

	if (!state)
		return 0;
	level = context_level(state);
	if (has_second[kind])
		leave_token(state, kind, 0, call->ptr);
	if (switched_on)
		record(context, state, KM_COPY_FIRST, cpu, kind, level, call);
	return 0;
}

KM_INLINE int second(void *context, unsigned int kind, const struct call *call)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	unsigned int level;
	__u64 *token;

	if (!state)
		return 0;
	token = token_of(state, kind, 0, &level);
	if (level == LEVEL_UNKNOWN) /* nor whose token that is: what was missed stays lost */
		return 0;
	if (*token == call->ptr) {
		*token = KM_TOKEN_NONE;
		return 0;
	}
	state->counts[KM_COPY_SECOND][kind].caught++;
	if (switched_on)
		record(context, state, KM_COPY_SECOND, cpu, kind, level, call);
	return 0;
}

/* ---- the tracepoints ---- */

#define PAIR(tracepoint, kind, arguments, ...)                                                     \
	SEC("raw_tp/" #tracepoint)                                                                 \
	int BPF_PROG(tracepoint##_first, arguments)                                                \
	{                                                                                          \
		struct call call = {__VA_ARGS__};                                                  \
		return first(ctx, kind, &call);                                                    \
	}                                                                                          \
	SEC("raw_tp/" #tracepoint)                                                                 \
	int BPF_PROG(tracepoint##_second, arguments)                                               \
	{                                                                                          \
		struct call call = {__VA_ARGS__};                                                  \
		return second(ctx, kind, &call);                                                   \
	}
#define ARGS(...) __VA_ARGS__

/* bytes_req of a request that cannot succeed may need more than 32 bits: saturates. */
#define LOW32(bytes) ((bytes) > 0xffffffffull ? 0xffffffffull : (bytes))
#define SIZES(bytes_req, bytes_alloc) (LOW32(bytes_req) | LOW32(bytes_alloc) << 32)
#define PAGES(order, migratetype) ((order) | (__u64)(__u32)(migratetype) << 32)

PAIR(kmalloc, KM_REC_KMALLOC,
     ARGS(unsigned long site, const void *ptr, size_t bytes_req, size_t bytes_alloc, gfp_t gfp,
	  int node),
     .ptr = (__u64)ptr, .site = site, .value = SIZES(bytes_req, bytes_alloc), .gfp = gfp,
     .node = node)
PAIR(kfree, KM_REC_KFREE, ARGS(unsigned long site, const void *ptr), .ptr = (__u64)ptr,
     .site = site)
PAIR(kmem_cache_alloc, KM_REC_CACHE_ALLOC,
     ARGS(unsigned long site, const void *ptr, struct kmem_cache *cache, gfp_t gfp, int node),
     .ptr = (__u64)ptr, .site = site, .value = (__u64)cache, .gfp = gfp, .node = node)
PAIR(kmem_cache_free, KM_REC_CACHE_FREE,
     ARGS(unsigned long site, const void *ptr, const struct kmem_cache *cache), .ptr = (__u64)ptr,
     .site = site, .value = (__u64)cache)
PAIR(mm_page_alloc, KM_REC_PAGE_ALLOC,
     ARGS(struct page *page, unsigned int order, gfp_t gfp, int migratetype), .ptr = (__u64)page,
     .site = PAGES(order, migratetype), .gfp = gfp)
PAIR(mm_page_free, KM_REC_PAGE_FREE, ARGS(struct page *page, unsigned int order),
     .ptr = (__u64)page, .site = PAGES(order, 0))
PAIR(mm_page_alloc_zone_locked, KM_REC_PAGE_ZONE_LOCKED,
     ARGS(struct page *page, unsigned int order, int migratetype, int refill), .ptr = (__u64)page,
     .site = PAGES(order, migratetype))
PAIR(mm_page_pcpu_drain, KM_REC_PAGE_PCPU_DRAIN,
     ARGS(struct page *page, unsigned int order, int migratetype), .ptr = (__u64)page,
     .site = PAGES(order, migratetype))
PAIR(mm_page_alloc_extfrag, KM_REC_PAGE_EXTFRAG,
     ARGS(struct page *page, int order, int fallback_order, int migratetype, int fallback),
     .ptr = (__u64)page, .site = PAGES((__u32)order, migratetype), .node = fallback)
PAIR(alloc_vmap_area, KM_REC_VMAP_ALLOC,
     ARGS(unsigned long address, unsigned long size, unsigned long align, unsigned long start,
	  unsigned long end, int failed),
     .ptr = failed ? 0 : address, .site = size)
PAIR(free_vmap_area_noflush, KM_REC_VMAP_FREE,
     ARGS(unsigned long address, unsigned long lazy, unsigned long lazy_max), .ptr = address)
PAIR(purge_vmap_area_lazy, KM_REC_VMAP_PURGE,
     ARGS(unsigned long start, unsigned long end, unsigned int purged), .ptr = start,
     .site = end - start, .gfp = purged)
PAIR(percpu_alloc_percpu, KM_REC_PERCPU_ALLOC,
     ARGS(unsigned long site, bool reserved, bool is_atomic, size_t bytes_req, size_t align,
	  void *base, int offset, void *ptr, size_t bytes_alloc, gfp_t gfp),
     .ptr = (__u64)ptr, .site = site, .value = SIZES(bytes_req, bytes_alloc), .gfp = gfp)
PAIR(percpu_free_percpu, KM_REC_PERCPU_FREE, ARGS(void *base, int offset, void *ptr),
     .ptr = (__u64)ptr)

#include "capture/functions.bpf.h"
#include "capture/watch.bpf.h"

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
		state->percpu_area = area;
	return 0;
}

/* Run by the recorder itself: in a PID namespace it does not know its number. */
SEC("raw_tp")
int probe_self(void *context)
{
	own_tgid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

SEC("raw_tp/mm_page_alloc")
int BPF_PROG(probe_page, struct page *page, unsigned int order)
{
	if (bpf_get_current_pid_tgid() >> 32 != own_tgid)
		return 0;
	if (order)
		probe.large_page = (__u64)page;
	else if (!probe.page)
		probe.page = (__u64)page;
	return 0;
}

/* Run by the recorder itself: the entry at probe.index of its page table's top level. */
SEC("raw_tp")
int probe_table(void *context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 table = (__u64)BPF_CORE_READ(task, mm, pgd);

	return bpf_probe_read_kernel(&probe.entry, sizeof(probe.entry),
				     (const void *)(table + probe.index * sizeof(probe.entry)));
}

SEC("raw_tp/kmalloc")
int BPF_PROG(probe_kmalloc, unsigned long site, const void *ptr, size_t bytes_req,
	     size_t bytes_alloc)
{
	if (bpf_get_current_pid_tgid() >> 32 == own_tgid && bytes_alloc > 8192)
		probe.large_ptr = (__u64)ptr;
	return 0;
}
