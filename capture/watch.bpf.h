/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events the kernel skipped, from hardware watchpoints. Whenever it skips a program because that
 * is running on the CPU already, it counts so in bpf_prog_stats.misses, a word per CPU
 * (kernel/bpf/trampoline.c bpf_prog_inc_misses_counter(), 6.1 - 7.2). A watchpoint on that word
 * (perf_event_open(2), PERF_TYPE_BREAKPOINT) runs one of these programs at each miss, and only
 * then, within the very call that was skipped: bpf_trace_runN() has put the tracepoint's arguments
 * on the stack by then (kernel/trace/bpf_trace.c). So an event that is not skipped pays nothing.
 *
 * Where on the stack they lie the compiler chose. The slab tracepoints begin with the call site,
 * which is also the return address that the allocator's own frame, further up, returns to: the
 * arguments are where a kernel text address that occurs again further up is followed by a kernel
 * pointer. Now and then what earlier calls left on the stack looks so, too. Arrays lie right below
 * their frame's canary, where the kernel has them (CONFIG_STACKPROTECTOR_STRONG): that tells which
 * are the arguments. What is not found so is left uncounted, and therefore lost, not guessed.
 */
#define WATCH_WORDS 64
#define WATCH_ARGS 6 /* of kmalloc, the longest */

/* The exception that a watchpoint is enters as an NMI does: one of each of these fields. */
#define WATCH_PREEMPT_COUNT 0x110000
#define KERNEL_TEXT 0xffffffff80000000ull /* and modules: arch/x86/include/asm/page_64_types.h */
#define KERNEL_SPACE 0xff00000000000000ull

/* Of the four first kinds; watch.c fills in the programs' ids and reads the rest. */
struct km_watch watch;

struct watch_stack {
	__u64 word[WATCH_WORDS];
	__u64 room[WATCH_WORDS]; /* for what is read in two parts */
};

/* One is enough: no watchpoint strikes while another's exception is handled. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct watch_stack);
} watch_stacks SEC(".maps");

/* The word behind the last argument. */
KM_INLINE __u64 arguments_end(const __u64 *arguments, unsigned int kind)
{
	switch (kind) {
	case KM_REC_KFREE:
		return arguments[2];
	case KM_REC_CACHE_FREE:
		return arguments[3];
	case KM_REC_CACHE_ALLOC:
		return arguments[5];
	default:
		return arguments[WATCH_ARGS];
	}
}

struct task_struct___canary {
	unsigned long stack_canary;
} __attribute__((preserve_access_index));

/* 0: this kernel has none. */
KM_INLINE __u64 stack_canary(void)
{
	const struct task_struct___canary *task = (const void *)bpf_get_current_task_btf();

	return bpf_core_field_exists(task->stack_canary) ? BPF_CORE_READ(task, stack_canary) : 0;
}

KM_INLINE bool is_pointer(__u64 word)
{
	return word >= KERNEL_SPACE && word < KERNEL_TEXT;
}

bool has_canary[KM_WATCHED_KINDS]; /* behind the arguments: one was found there */

/* The next two are not static: so the verifier goes through each of them once. */

enum { NO_PLACE, LIKELY_PLACE, SURE_PLACE = 3 };

/* Do the arguments begin at word[i]? */
int __attribute__((noinline))
judge_place(const struct watch_stack *stack, unsigned int i, unsigned int kind, __u64 canary)
{
	const __u64 *arguments;
	__u64 site, ptr;

	if (!stack || i >= WATCH_WORDS - WATCH_ARGS)
		return NO_PLACE;
	arguments = &stack->word[i];
	site = arguments[0];
	ptr = arguments[1];
	if (site < KERNEL_TEXT || (ptr > 16 && !is_pointer(ptr)))
		return NO_PLACE;
	if (names_cache(kind) && !is_pointer(arguments[2]))
		return NO_PLACE;
	for (unsigned int above = 0; above < WATCH_WORDS; above++)
		if (above > i + 1 && stack->word[above] == site)
			return canary && arguments_end(arguments, kind) == canary ? SURE_PLACE
										  : LIKELY_PLACE;
	return NO_PLACE;
}

/* The index of the tracepoint's first argument; -1: none that is certain. */
int __attribute__((noinline)) find_arguments(const struct watch_stack *stack, unsigned int kind)
{
	const __u64 canary = stack_canary();
	bool *known = &has_canary[kind & (KM_WATCHED_KINDS - 1)];
	__u64 likely = 0, sure = 0; /* bit per word */

	for (unsigned int i = 1; i < WATCH_WORDS - WATCH_ARGS; i++) {
		__u64 place = (__u64)judge_place(stack, i, kind, canary);

		likely |= (place & 1) << i;
		sure |= (place >> 1 & 1) << i;
	}
	if (sure)
		*known = true;
	if (*known)
		likely = sure & -sure;
	if (likely & (likely - 1)) /* more than one */
		return -1;
	for (int i = 1; i < WATCH_WORDS - WATCH_ARGS; i++)
		if (likely >> i & 1)
			return i;
	return -1;
}

/* Behind the stack's last page there may be none: what lies in the next one is read apart. */
KM_INLINE int read_stack(struct watch_stack *stack, __u64 sp)
{
	const __u32 bytes = sizeof(stack->word);
	__u32 here = 4096 - (sp & 4095);

	__builtin_memset(stack->word, 0, bytes);
	if (here >= bytes)
		return bpf_probe_read_kernel(stack->word, bytes, (const void *)sp);
	here &= bytes - 8;
	if (bpf_probe_read_kernel(stack->word, here, (const void *)sp))
		return -1;
	bpf_probe_read_kernel((void *)stack->word + here, bytes, (const void *)sp + here);
	return 0;
}

KM_INLINE void call_from_stack(const __u64 *arguments, unsigned int kind, struct call *call)
{
	call->site = arguments[0];
	call->ptr = arguments[1];
	switch (kind) {
	case KM_REC_KMALLOC:
		call->value = SIZES(arguments[2], arguments[3]);
		call->gfp = arguments[4];
		call->node = arguments[5];
		break;
	case KM_REC_CACHE_ALLOC:
		call->value = arguments[2];
		call->gfp = arguments[3];
		call->node = arguments[4];
		break;
	case KM_REC_CACHE_FREE:
		call->value = arguments[2];
	}
}

static __attribute__((noinline)) int watched(struct bpf_perf_event_data *context, unsigned int kind)
{
	__u32 cpu = bpf_get_smp_processor_id(), zero = 0;
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	struct watch_stack *stack = bpf_map_lookup_elem(&watch_stacks, &zero);
	struct call call = {};
	int first;

	if (!state || !stack || kind >= KM_WATCHED_KINDS ||
	    read_stack(stack, PT_REGS_SP(&context->regs)))
		return 0;
	first = find_arguments(stack, kind);
	if (first < 0 || first > WATCH_WORDS - WATCH_ARGS)
		return 0;
	call_from_stack(&stack->word[first], kind, &call);
	state->counts[KM_COPY_SECOND][kind].caught++;
	if (has_second[kind]) /* while it takes over, it must not record this one again */
		leave_token(state, kind, WATCH_PREEMPT_COUNT, call.ptr);
	if (switched_on)
		record(context, state, KM_COPY_SECOND, cpu, kind,
		       level_of(preempt_count(state) - WATCH_PREEMPT_COUNT), &call);
	return 0;
}

#define WATCHED(tracepoint, kind)                                                                  \
	SEC("perf_event")                                                                          \
	int tracepoint##_missed(struct bpf_perf_event_data *context)                               \
	{                                                                                          \
		return watched(context, kind);                                                     \
	}

WATCHED(kmalloc, KM_REC_KMALLOC)
WATCHED(kfree, KM_REC_KFREE)
WATCHED(kmem_cache_alloc, KM_REC_CACHE_ALLOC)
WATCHED(kmem_cache_free, KM_REC_CACHE_FREE)

/* ---- where the words are ---- */

/* The per-CPU pointers to the counts of the programs that watch.program names. */
SEC("iter/bpf_prog")
int find_misses(struct bpf_iter__bpf_prog *context)
{
	struct bpf_prog *program = context->prog;
	__u32 id;

	if (!program)
		return 0;
	id = BPF_CORE_READ(program, aux, id);
	for (unsigned int i = 0; i < KM_WATCHED_KINDS; i++)
		if (watch.program[i] == id)
			watch.misses[i] = (__u64)BPF_CORE_READ(program, stats) +
					  bpf_core_field_offset(struct bpf_prog_stats, misses);
	return 0;
}

/*
 * Run once on each CPU: how far its copies lie from per-CPU pointers, from one of which both are
 * known. (Addresses go through memory: the verifier does not let programs compute with them.)
 */
SEC("raw_tp")
int find_percpu_offset(void *context)
{
	__u32 cpu = bpf_get_smp_processor_id(), zero = 0;
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);
	void *copy = bpf_map_lookup_elem(&watch_stacks, &zero);
	__u64 pointer = 0;

	if (!state || !copy)
		return 0;
	watch.map = &watch_stacks;
	watch.copy = copy;
	bpf_probe_read_kernel(&pointer, sizeof(pointer),
			      (const void *)(*(volatile __u64 *)&watch.map +
					     bpf_core_field_offset(struct bpf_array, pptrs)));
	state->percpu_offset = pointer ? *(volatile __u64 *)&watch.copy - pointer : 0;
	return 0;
}
