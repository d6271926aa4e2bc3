/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which events are recorded. A filter chooses objects when they are allocated; a chosen object's
 * address is followed, so that its free is recorded whoever frees it. Sampling keeps addresses, not
 * instants, so that both ends of a lifetime survive. Part of record.bpf.c.
 */
#define ENOENT 2

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} followed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cgroup SEC(".maps");

/* The object an event is about: km_sample_keep() (engine/include/kmlab/event.h) says the same. */
KM_INLINE bool sampled(unsigned int kind, __u64 ptr)
{
	__u64 unit = ptr >> 3;

	if (kind == KM_REC_PAGE_ALLOC || kind == KM_REC_PAGE_FREE ||
	    (kind >= KM_REC_PAGE_ZONE_LOCKED && kind <= KM_REC_PAGE_EXTFRAG))
		unit = ptr ? (ptr - vmemmap_start) / page_struct_bytes : ~0ull;
	return (unit * 0x9e3779b97f4a7c15ull >> 32) * sample_n >> 32 == 0;
}

KM_INLINE bool in_list(__u32 value, const volatile __u32 *list, __u32 count)
{
	for (unsigned int i = 0; i < KM_FILTER_MAX; i++)
		if (i < count && list[i] == value)
			return true;
	return false;
}

KM_INLINE bool task_chosen(unsigned int level, struct task_struct *task)
{
	bool found = false;

	if (!filter.tgids && !filter.tids && !filter.comms && !filter.cgroup)
		return true;
	/* What an interrupt does is not the doing of the task it borrows. */
	if (level != LEVEL_PROCESS && level != LEVEL_UNKNOWN)
		return false;
	if (filter.tgids && !in_list(task->tgid, filter.tgid, filter.tgids))
		return false;
	if (filter.tids && !in_list(task->pid, filter.tid, filter.tids))
		return false;
	if (filter.cgroup && bpf_current_task_under_cgroup(&cgroup, 0) != 1)
		return false;
	for (unsigned int i = 0; i < KM_FILTER_MAX; i++) {
		const volatile __u64 *comm = (const volatile __u64 *)filter.comm[i];

		if (i < filter.comms && comm[0] == ((__u64 *)task->comm)[0] &&
		    comm[1] == ((__u64 *)task->comm)[1])
			found = true;
	}
	return found || !filter.comms;
}

KM_INLINE bool site_chosen(__u64 site)
{
	for (unsigned int i = 0; i < KM_FILTER_MAX; i++)
		if (i < filter.sites && site >= filter.site_from[i] && site < filter.site_to[i])
			return true;
	return !filter.sites;
}

/* The caches of kmalloc() are told by the size of their objects. */
KM_INLINE bool cache_chosen(const struct km_cpu_state *state, unsigned int kind,
			    const struct call *call)
{
	if (!filter.caches && !filter.kmalloc_sizes)
		return true;
	if (kind == KM_REC_KMALLOC)
		return in_list(call->value >> 32, filter.kmalloc_size, filter.kmalloc_sizes);
	return names_cache(kind) && state->cache_slots[KM_CACHE_SLOT(call->value)] == call->value &&
	       state->cache_chosen[KM_CACHE_SLOT(call->value)];
}

KM_INLINE bool size_chosen(unsigned int kind, const struct call *call)
{
	const struct kmem_cache *cache = (const struct kmem_cache *)call->value;
	__u64 bytes = call->site; /* vmap */

	if (!filter.has_sizes)
		return true;
	if (names_cache(kind))
		bytes = BPF_CORE_READ(cache, object_size);
	else if (kind == KM_REC_KMALLOC || kind == KM_REC_PERCPU_ALLOC)
		bytes = call->value & 0xffffffff;
	else if (kind == KM_REC_PAGE_ALLOC)
		bytes = 4096ull << (call->site & 31);
	return bytes >= filter.size_from && bytes <= filter.size_to;
}

KM_INLINE bool is_allocation(unsigned int kind)
{
	return kind == KM_REC_KMALLOC || kind == KM_REC_CACHE_ALLOC || kind == KM_REC_PAGE_ALLOC ||
	       kind == KM_REC_VMAP_ALLOC || kind == KM_REC_PERCPU_ALLOC ||
	       kind == KM_REC_BULK_ALLOC;
}

/*
 * Is this free of a followed object? Then it is not followed any more; an interrupt within the
 * map's own code is refused to say so (-EBUSY), but may look.
 */
KM_INLINE bool unfollow(__u64 key)
{
	long ret = bpf_map_delete_elem(&followed, &key);

	return !ret || (ret != -ENOENT && bpf_map_lookup_elem(&followed, &key));
}

KM_INLINE bool chosen(struct km_cpu_state *state, unsigned int kind, unsigned int level,
		      const struct call *call, struct task_struct *task)
{
	__u64 key = call->ptr;
	__u8 one = 1;
	bool has_site = kind != KM_REC_PAGE_ALLOC && kind != KM_REC_VMAP_ALLOC;

	if (kind == KM_REC_RCU_FREE) /* its object is not free yet */
		return bpf_map_lookup_elem(&followed, &key) != NULL;
	if (!is_allocation(kind))
		return unfollow(key);
	if (!task_chosen(level, task) || !cache_chosen(state, kind, call) ||
	    !size_chosen(kind, call) || !site_chosen(has_site ? call->site : 0)) {
		bpf_map_delete_elem(&followed, &key); /* its free was not seen */
		return false;
	}
	if (key && bpf_map_update_elem(&followed, &key, &one, BPF_ANY)) {
		__sync_fetch_and_add(&state->not_followed, 1);
		return false;
	}
	return true;
}
