/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What no tracepoint shows, from the entries and exits of the functions themselves where the kernel
 * lets programs attach there (CONFIG_FUNCTION_TRACER): frees and allocations in bulk, objects
 * handed to RCU, and vmalloc areas before they had tracepoints. Part of record.bpf.c.
 * mm/slub.c, mm/slab_common.c, mm/vmalloc.c, 6.1 - 7.2; programs.c checks each prototype.
 */

/* One event of a kind that has a single program. */
KM_INLINE int take(void *context, unsigned int kind, const struct call *call)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct km_cpu_state *state = bpf_map_lookup_elem(&states, &cpu);

	if (state && switched_on)
		record(context, state, KM_COPY_FIRST, cpu, kind, context_level(state), call);
	return 0;
}

/* Not through BPF_PROG: before 6.14 the verifier refuses some types of pointers. */
KM_INLINE __u64 argument(void *context, __u32 n)
{
	__u64 value = 0;

	bpf_get_func_arg(context, n, &value);
	return value;
}

KM_INLINE __u64 result(void *context)
{
	__u64 value = 0;

	bpf_get_func_ret(context, &value);
	return value;
}

struct bulk {
	void *context;
	void **objects;
	__u64 cache;
	__u32 kind, gfp;
};

static long take_nth(__u32 n, struct bulk *bulk)
{
	struct call call = {.value = bulk->cache, .gfp = bulk->gfp, .node = -1};
	void *object = NULL;

	bpf_probe_read_kernel(&object, sizeof(object), bulk->objects + n);
	call.ptr = (__u64)object;
	if (bulk->kind == KM_REC_BULK_ALLOC)
		return take(bulk->context, KM_REC_BULK_ALLOC, &call);
	return take(bulk->context, KM_REC_BULK_FREE, &call);
}

/* void kmem_cache_free_bulk(struct kmem_cache *, size_t, void **) */
SEC("fentry/kmem_cache_free_bulk")
int bulk_free(void *context)
{
	struct bulk bulk = {.context = context,
			    .objects = (void **)argument(context, 2),
			    .cache = argument(context, 0),
			    .kind = KM_REC_BULK_FREE};

	bpf_loop(argument(context, 1), take_nth, &bulk, 0);
	return 0;
}

/* int kmem_cache_alloc_bulk(struct kmem_cache *, gfp_t, size_t, void **): how many */
SEC("fexit/kmem_cache_alloc_bulk")
int bulk_alloc(void *context)
{
	struct bulk bulk = {.context = context,
			    .objects = (void **)argument(context, 3),
			    .cache = argument(context, 0),
			    .kind = KM_REC_BULK_ALLOC,
			    .gfp = argument(context, 1)};
	int allocated = (int)result(context);

	if (allocated > 0)
		bpf_loop(allocated, take_nth, &bulk, 0);
	return 0;
}

/* The frees that RCU makes in bulk, with CONFIG_RCU_TRACE; cache and call site are not told. */
SEC("raw_tp/rcu_invoke_kfree_bulk_callback")
int BPF_PROG(bulk_free_rcu, const char *name, unsigned long count, void **objects)
{
	struct bulk bulk = {ctx, objects, 0, KM_REC_BULK_FREE, 0};

	bpf_loop(count, take_nth, &bulk, 0);
	return 0;
}

/* void kvfree_call_rcu(struct rcu_head *, void *object) */
SEC("fentry/kvfree_call_rcu")
int rcu_free(void *context)
{
	struct call call = {.ptr = argument(context, 1)};

	return take(context, KM_REC_RCU_FREE, &call);
}

/* Before 6.2: the head lies in the object, at the offset that stands where a function would. */
SEC("fentry/kvfree_call_rcu")
int rcu_free_offset(void *context)
{
	__u64 head = argument(context, 0), offset = argument(context, 1);
	struct call call = {.ptr = head ? head - offset : offset};

	return take(context, KM_REC_RCU_FREE, &call);
}

/* ---- vmalloc areas, where they have no tracepoints (before 6.2) ---- */

/*
 * struct vmap_area *alloc_vmap_area(unsigned long size, unsigned long align, unsigned long start,
 *				     unsigned long end, int node, gfp_t)
 */
SEC("fexit/alloc_vmap_area")
int vmap_alloc(void *context)
{
	__u64 area = result(context);
	struct call call = {.site = argument(context, 0)};

	if (area && area < (__u64)-4095)
		call.ptr = BPF_CORE_READ((struct vmap_area *)area, va_start);
	return take(context, KM_REC_VMAP_ALLOC, &call);
}

/* void free_vmap_area_noflush(struct vmap_area *) */
SEC("fentry/free_vmap_area_noflush")
int vmap_free(void *context)
{
	struct vmap_area *area = (struct vmap_area *)argument(context, 0);
	struct call call = {.ptr = BPF_CORE_READ(area, va_start)};

	return take(context, KM_REC_VMAP_FREE, &call);
}

/* bool __purge_vmap_area_lazy(unsigned long start, unsigned long end) */
SEC("fentry/__purge_vmap_area_lazy")
int vmap_purge(void *context)
{
	__u64 start = argument(context, 0);
	struct call call = {.ptr = start, .site = argument(context, 1) - start};

	return take(context, KM_REC_VMAP_PURGE, &call);
}
