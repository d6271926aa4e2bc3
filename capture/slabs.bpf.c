/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lists of a slab cache: which slab lies where, in what order, with how many free objects.
 * sysfs tells only how many there are. Nothing is traced and nothing is written: the programs run
 * when user space calls them, and every read may fail, so that a list that changes under the walk
 * ends it, and the answer says so (`broken`). Structures: mm/slab.h, mm/slub.c, 6.1 - 7.2.
 */
#include "vmlinux.h" /* first: it defines the types of all that follow */

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "capture/slabs.h"

#define KM_INLINE static __attribute__((always_inline))

char LICENSE[] SEC("license") = "GPL";

/* What is read of each structure, by name: a kernel that lacks a field is asked for others only. */
struct slab___km {
	struct kmem_cache *slab_cache;
	struct list_head slab_list;
	struct slab___km *next;
	unsigned int inuse : 16, objects : 15;
} __attribute__((preserve_access_index));

struct kmem_cache_cpu___km {
	void **freelist;
	struct slab___km *slab, *partial;
} __attribute__((preserve_access_index));

struct kmem_cache_node___km {
	unsigned long nr_partial;
	struct list_head partial;
	atomic_long_t nr_slabs;
} __attribute__((preserve_access_index));

struct kmem_cache___km {
	struct kmem_cache_cpu___km *cpu_slab;
	unsigned int offset;
	struct list_head list;
	struct kobject kobj;
	unsigned long random;
	struct kmem_cache_node___km *node[1];
} __attribute__((preserve_access_index));

struct page___km {
	unsigned long compound_head;
} __attribute__((preserve_access_index));

const volatile __u64 vmemmap, direct_map;
const volatile __u32 page_struct_bytes = 64;
const volatile __u64 offset_this_cpu_off; /* in the per-CPU area; 0: CPUs cannot be read */
const volatile __u32 cpus;

__u64 cache; /* which to read */
__u32 found; /* entries, or caches */
__u64 began_ns, ended_ns, nr_partial, nr_slabs;
bool broken, has_cpus;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KM_SLABS_MOST);
	__type(key, __u32);
	__type(value, struct km_slabs_entry);
} entries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KM_SLABS_CACHES);
	__type(key, __u32);
	__type(value, struct km_slabs_cache);
} caches SEC(".maps");

/* By CPU: where its per-CPU area is; 0: not known. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} areas SEC(".maps");

/* ---- one cache ---- */

KM_INLINE int note_slab(__u64 address, __u32 place, __u32 more_free)
{
	struct slab___km *slab = (struct slab___km *)address;
	__u32 index = found;
	struct km_slabs_entry *entry = bpf_map_lookup_elem(&entries, &index);

	if (!entry || (__u64)BPF_CORE_READ(slab, slab_cache) != cache) {
		broken = true;
		return 1;
	}
	entry->pfn = (address - vmemmap) / page_struct_bytes;
	entry->free = (__u32)BPF_CORE_READ_BITFIELD_PROBED(slab, objects) -
		      (__u32)BPF_CORE_READ_BITFIELD_PROBED(slab, inuse) + more_free;
	entry->place = place;
	found = index + 1;
	return 0;
}

struct walk {
	__u64 at, head;
	__u32 place;
};

static long next_of_node(__u32 i, struct walk *walk)
{
	struct list_head *links = (struct list_head *)walk->at;

	if (walk->at == walk->head)
		return 1;
	if (note_slab(walk->at - bpf_core_field_offset(struct slab___km, slab_list), walk->place,
		      0))
		return 1;
	walk->at = (__u64)BPF_CORE_READ(links, next);
	return 0;
}

static long next_of_chain(__u32 i, struct walk *walk)
{
	struct slab___km *slab = (struct slab___km *)walk->at;

	if (!walk->at || note_slab(walk->at, walk->place, 0))
		return 1;
	walk->at = (__u64)BPF_CORE_READ(slab, next);
	return 0;
}

/* Free objects that the CPU keeps for itself: a chain through the objects, perhaps encoded. */
struct objects {
	__u64 at, random;
	__u32 offset, count;
};

static long next_object(__u32 i, struct objects *objects)
{
	__u64 place = objects->at + objects->offset, next = 0;

	if (!objects->at)
		return 1;
	objects->count++;
	if (bpf_probe_read_kernel(&next, sizeof(next), (const void *)place)) {
		broken = true;
		return 1;
	}
	objects->at = objects->random ? next ^ objects->random ^ __builtin_bswap64(place) : next;
	return 0;
}

#define MOST_OBJECTS 32768

static long read_cpu(__u32 cpu, void *context)
{
	struct kmem_cache___km *s = (struct kmem_cache___km *)cache;
	__u64 *area = bpf_map_lookup_elem(&areas, &cpu), base = 0, slab;
	struct walk walk = {.place = KM_SLABS_CHAIN << 16 | cpu};
	struct objects objects = {.offset = BPF_CORE_READ(s, offset)};
	struct kmem_cache_cpu___km *c;

	if (!area || !*area)
		return 0;
	bpf_probe_read_kernel(&base, sizeof(base), (const void *)(*area + offset_this_cpu_off));
	c = (struct kmem_cache_cpu___km *)((__u64)BPF_CORE_READ(s, cpu_slab) + base);
	if (bpf_core_field_exists(s->random))
		objects.random = BPF_CORE_READ(s, random);
	slab = (__u64)BPF_CORE_READ(c, slab);
	objects.at = (__u64)BPF_CORE_READ(c, freelist);
	if (slab) {
		bpf_loop(MOST_OBJECTS, next_object, &objects, 0);
		note_slab(slab, KM_SLABS_CPU << 16 | cpu, objects.count);
	}
	walk.at = (__u64)BPF_CORE_READ(c, partial);
	if (bpf_core_field_exists(struct slab___km, next))
		bpf_loop(KM_SLABS_MOST, next_of_chain, &walk, 0);
	return 0;
}

/* The lists of `cache`; those of its first node. */
SEC("syscall")
int read_cache(void *context)
{
	struct kmem_cache___km *s = (struct kmem_cache___km *)cache;
	struct kmem_cache_node___km *node;
	struct walk walk = {.place = KM_SLABS_NODE << 16};

	began_ns = bpf_ktime_get_ns();
	found = 0;
	broken = false;
	has_cpus = offset_this_cpu_off && bpf_core_field_exists(s->cpu_slab);
	if (!bpf_core_field_exists(s->node))
		return 1;
	node = BPF_CORE_READ(s, node[0]);
	nr_partial = BPF_CORE_READ(node, nr_partial);
	if (has_cpus)
		bpf_loop(cpus, read_cpu, NULL, 0);
	walk.head = (__u64)node + bpf_core_field_offset(struct kmem_cache_node___km, partial);
	walk.at = (__u64)BPF_CORE_READ(node, partial.next);
	bpf_loop(KM_SLABS_MOST, next_of_node, &walk, 0);
	if (walk.at != walk.head || nr_partial != BPF_CORE_READ(node, nr_partial))
		broken = true;
	nr_slabs = BPF_CORE_READ(node, nr_slabs.counter);
	ended_ns = bpf_ktime_get_ns();
	return 0;
}

/* ---- all caches: they are a ring, in which the list's head is no cache ---- */

KM_INLINE __u64 cache_of(const void *object)
{
	__u64 page = vmemmap + (((__u64)object - direct_map) >> 12) * page_struct_bytes, head = 0;

	if (bpf_core_field_exists(struct page___km, compound_head))
		head = BPF_CORE_READ((struct page___km *)page, compound_head);
	if (head & 1)
		page = head - 1;
	return (__u64)BPF_CORE_READ((struct slab___km *)page, slab_cache);
}

struct ring {
	__u64 at, first, kind; /* kind: the cache that the caches' own descriptions come from */
};

static long next_cache(__u32 i, struct ring *ring)
{
	struct kmem_cache___km *s = (struct kmem_cache___km *)ring->at;
	__u32 index = found;
	struct km_slabs_cache *known = bpf_map_lookup_elem(&caches, &index);

	if (!known)
		return 1;
	if (cache_of(s) == ring->kind) {
		known->cache = ring->at;
		bpf_probe_read_kernel_str(known->directory, sizeof(known->directory),
					  BPF_CORE_READ(s, kobj.name));
		found = index + 1;
	}
	ring->at = (__u64)BPF_CORE_READ(s, list.next) -
		   bpf_core_field_offset(struct kmem_cache___km, list);
	return ring->at == ring->first;
}

/* From the cache that the calling task's description comes from. */
SEC("syscall")
int find_caches(void *context)
{
	struct ring ring = {.at = cache_of((void *)bpf_get_current_task())};

	ring.first = ring.at;
	ring.kind = cache_of((void *)ring.at);
	found = 0;
	if (!ring.at || !ring.kind)
		return 1;
	bpf_loop(KM_SLABS_CACHES, next_cache, &ring, 0);
	return ring.at != ring.first;
}
