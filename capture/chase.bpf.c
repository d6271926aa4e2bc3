/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of pointers through the kernel's own memory, followed at the speed of the hardware: what
 * a load costs there, without a performance counter or a module. The values of a hash map that is
 * not preallocated are kmalloc-4k objects, which lie in the direct map; those of an array map lie
 * in vmalloc memory. Nothing is traced: the programs run when user space calls them.
 * bpf_rdonly_cast() (6.2) lets a program load through a pointer it has read.
 */
#include "vmlinux.h" /* first: it defines the types of all that follow */

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "capture/chase.h"

#define KM_INLINE static __attribute__((always_inline))

char LICENSE[] SEC("license") = "GPL";

/* With the element's header and the allocator's link the largest that is a kmalloc-4k object. */
struct direct_node {
	__u64 words[KM_CHASE_DIRECT_BYTES / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct direct_node);
} direct SEC(".maps");

struct vmalloc_node {
	__u64 words[512];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vmalloc_node);
} vmalloc SEC(".maps");

/* The same number of cache lines side by side: what the loads cost without the translation. */
struct dense_node {
	__u64 words[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dense_node);
} dense SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct km_chase_node);
} nodes SEC(".maps");

__u32 place, count; /* enum km_chase_place, nodes */
__u64 start, hops;  /* address of the first node; loads to time, rounded up to 64 */
__u64 took_ns, end;

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

KM_INLINE __u64 *find(__u32 i)
{
	switch (place) {
	case KM_CHASE_DIRECT:
		return bpf_map_lookup_elem(&direct, &i);
	case KM_CHASE_VMALLOC:
		return bpf_map_lookup_elem(&vmalloc, &i);
	default:
		return bpf_map_lookup_elem(&dense, &i);
	}
}

static int locate_one(__u32 i, void *context)
{
	struct km_chase_node *node = bpf_map_lookup_elem(&nodes, &i);
	__u64 *words = find(i);

	if (!node || !words)
		return 1;
	node->address = (__u64)words;
	return 0;
}

/* nodes[0 .. count): where they are. */
SEC("syscall")
int locate(void *context)
{
	return bpf_loop(count, locate_one, NULL, 0) != count;
}

/* The compiler would join the three look-ups and the store, which the verifier cannot follow. */
#define LINK(map, bytes)                                                                           \
	do {                                                                                       \
		char *value = bpf_map_lookup_elem(&map, &i);                                       \
		__u64 offset = node->offset;                                                       \
                                                                                                   \
		if (!value || offset > (bytes)-8)                                                  \
			return 1;                                                                  \
		*(__u64 *)(value + offset) = node->next;                                           \
		return 0;                                                                          \
	} while (0)

static int link_one(__u32 i, void *context)
{
	struct km_chase_node *node = bpf_map_lookup_elem(&nodes, &i);

	if (!node)
		return 1;
	if (place == KM_CHASE_DIRECT)
		LINK(direct, sizeof(struct direct_node));
	if (place == KM_CHASE_VMALLOC)
		LINK(vmalloc, sizeof(struct vmalloc_node));
	LINK(dense, sizeof(struct dense_node));
}

/* Into each node, at its offset, the address it leads to. */
SEC("syscall")
int link(void *context)
{
	return bpf_loop(count, link_one, NULL, 0) != count;
}

struct chase_state {
	__u64 at;
};

static int follow_64(__u32 i, void *context)
{
	struct chase_state *state = context;
	struct list_head *at =
		bpf_rdonly_cast((void *)state->at, bpf_core_type_id_kernel(struct list_head));

#define FOLLOW_8                                                                                   \
	at = at->next;                                                                             \
	at = at->next;                                                                             \
	at = at->next;                                                                             \
	at = at->next;                                                                             \
	at = at->next;                                                                             \
	at = at->next;                                                                             \
	at = at->next;                                                                             \
	at = at->next;
	FOLLOW_8 FOLLOW_8 FOLLOW_8 FOLLOW_8 FOLLOW_8 FOLLOW_8 FOLLOW_8 FOLLOW_8 state->at =
		(__u64)at;
	return 0;
}

SEC("syscall")
int chase(void *context)
{
	struct chase_state state = {.at = start};
	__u64 began;

	began = bpf_ktime_get_ns();
	bpf_loop((hops + 63) / 64, follow_64, &state, 0);
	took_ns = bpf_ktime_get_ns() - began;
	end = state.at;
	return 0;
}
