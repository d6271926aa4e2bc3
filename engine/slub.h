/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB as a model (mm/slub.c, 5.15 - 7.2): what its files share. One node layer (slabs, node
 * partial list) carries two backends (CPU slab: 5.15 - 6.18; direct: 7.x), and sheaves stand in
 * front of either. Objects are simulated: a slab's free chain is an array of 16-bit object
 * indexes beside the slab's record, not pointers inside the objects.
 */
#ifndef KMLAB_SLUB_H
#define KMLAB_SLUB_H

#include <kmlab/machine.h>

#include "record.h"
#include "slab_common.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* What the chain array says of an object that is not linked in a free chain. */
#define KM_OBJECT_END 0xffffu    /* end of a chain; as a head: empty chain */
#define KM_OBJECT_LIVE 0xfffeu   /* handed out */
#define KM_OBJECT_CACHED 0xfffdu /* in a sheaf, or on the way between layers */
#define KM_OBJECT_SEEDED 0xfffcu /* in use since before the start, address unknown */
#define KM_SLAB_MAX_OBJECTS 32767u

/* Sheaves a barn keeps of full ones; objects given back at once when a main sheaf is emptied. */
#define KM_BARN_MAX_FULL 10u
#define KM_SHEAF_FLUSH_BATCH 32u
/* struct slab_sheaf without its objects, struct node_barn. */
#define KM_SHEAF_HEADER_BYTES 32u
#define KM_BARN_BYTES 48u

enum km_slab_place {
	KM_PLACE_FULL, /* on no list */
	KM_PLACE_CPU,  /* a CPU's current slab: inuse == objects, the CPU owns the other chain */
	KM_PLACE_CPU_PARTIAL,
	KM_PLACE_NODE,
};

struct km_slub;
struct km_slub_cache;

/* One slab. Exactly one cache line, then its chain. */
struct km_slab {
	uint64_t base; /* address of the first object */
	struct km_slub_cache *cache;
	uint64_t reciprocal; /* object = offset * reciprocal >> KM_RECIPROCAL_SHIFT */
	struct km_slab *next, *prev;
	uint32_t size;         /* object stride, bytes */
	uint32_t partial_free; /* 5.15: free objects of the CPU partial chain from here down */
	uint16_t objects, inuse;
	uint16_t freelist;
	uint16_t seeded; /* objects marked KM_OBJECT_SEEDED */
	uint16_t cpu;    /* whose, for the two CPU places */
	uint8_t order, place;
	bool has_vector; /* for memory cgroups: slub_own.c */
	/*
	 * [objects]: the next free object, or one of KM_OBJECT_*. One more, never live, stands for
	 * what is left at the slab's end.
	 */
	uint16_t chain[] __attribute__((aligned(64)));
};

_Static_assert(sizeof(struct km_slab) == 64, "a slab's record is one cache line");

struct km_sheaf {
	struct km_sheaf *next;
	uint64_t addr; /* of its memory in the machine; 0: own_kmallocs is off */
	uint64_t nr;
	km_objref objects[];
};

/*
 * One CPU's part of a cache; everything a fast path needs is in the first cache line. What it
 * stores lies where in its line struct km_serving has nothing that is read for the next call: a
 * load that follows a store at an equal page offset waits for it on some hosts, if their frames'
 * numbers hash alike.
 */
struct km_slub_cpu {
	uint16_t *chain; /* slab->chain */
	uint64_t base;   /* slab->base */
	/* Address of the freelist's first object, if there is one: known before its index. */
	uint64_t first;
	uint64_t bytes;        /* of the slab's objects; 0: none, or not the fast way */
	uint64_t size;         /* the cache's */
	uint64_t reciprocal;   /* the cache's */
	struct km_sheaf *main; /* NULL: the cache has no sheaves */
	/* Which flags of a request want a vector for memory cgroups that the slab has not. */
	uint32_t uncharged;
	uint16_t sheaf_capacity;                           /* the cache's */
	uint16_t freelist;                                 /* km_cpu_freelist() */
	struct km_slab *slab __attribute__((aligned(64))); /* NULL: none; km_cpu_slab_set() */
	struct km_slab *partial;
	struct km_sheaf *spare;
	uint32_t partial_slabs;
	uint16_t behind; /* the freelist that sheaves stand before */
} __attribute__((aligned(64)));

/* How single objects move between a CPU (or its sheaves) and slabs. */
struct km_slub_backend {
	/* One object, marked KM_OBJECT_CACHED. node -1 = no preference. False without memory. */
	bool (*take)(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node,
		     km_objref *object);
	/* Up to `wanted` objects, marked KM_OBJECT_CACHED; how many. */
	unsigned (*fill)(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp,
			 km_objref *objects, unsigned wanted);
	/* `count` objects of one slab, chained from head to tail, are free. Was it the CPU's own?
	 */
	bool (*give)(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab, unsigned head,
		     unsigned tail, unsigned count);
	/* A CPU lets go of all its slabs. */
	void (*flush)(struct km_slub_cache *cache, unsigned cpu);
	bool fill_blocks;    /* sheaves are filled only for callers that may sleep */
	bool main_is_spared; /* the emptied main sheaf becomes the spare, else the barn's */
	uint32_t fill_gfp;   /* added when a sheaf is filled */
	uint32_t free_gfp;   /* a free's, for a sheaf's memory */
};

/* What validate() finds in a cache's slabs. */
struct km_slub_tally {
	uint64_t live, cached, slabs, objects, partial;
};

struct km_slub_cache {
	/* read or written by fast paths */
	struct km_slub *slub;
	const struct km_slub_backend *backend;
	uint32_t size;
	uint32_t sheaf_capacity; /* 0: no sheaves */
	/* node */
	struct km_slab *partial_head, *partial_tail;
	uint64_t nr_partial, nr_slabs, total_objects;
	struct km_sheaf *barn_full, *barn_empty;
	uint32_t barn_nr_full;
	uint64_t barn_addr;
	struct km_sheaf *absent_mains; /* of CPUs that are possible but not there */
	/* constant */
	uint32_t flags;
	uint32_t aliases; /* merged into this one */
	uint32_t object_size;
	uint32_t page_gfp; /* for every slab page */
	/*
	 * Which flags of a request make its object one that memory cgroups charge: __GFP_ACCOUNT;
	 * any, in an accounted cache; none, where nobody is charged.
	 */
	uint32_t charged_gfp;
	uint64_t reciprocal;
	uint64_t secret; /* CONFIG_SLAB_FREELIST_HARDENED: in every free pointer */
	struct km_cache_geometry geometry;
	bool partial_in_objects; /* 5.15's unit of the CPU partial limit */
	bool mergeable;
	/* CONFIG_SLAB_FREELIST_RANDOM: a permutation and, per object, its circular successor */
	uint16_t *permutation, *successor;
	/* records kept for reuse */
	struct km_slab *unused_slabs;
	struct km_sheaf *unused_sheaves;
	struct km_slub_cache *next; /* in creation order */
	struct km_slub_tally tally;
	const char *name;
	size_t bytes; /* of this record */
	struct km_slub_cpu cpu[];
};

struct km_slub {
	struct km_counters *count;
	struct km_slab **slab_of_pfn; /* the slab a page belongs to, or NULL */
	uint64_t max_pfn;
	struct km_env *env;
	struct km_machine *machine;
	const struct km_profile *profile;
	uint64_t slab_pages;
	uint64_t own_bytes; /* object strides of what SLUB allocated for itself */
	struct km_slub_cache *caches, *newest;
	unsigned own_depth;    /* of these allocations within one another */
	struct km_env secrets; /* a stream of its own: hardening changes no placement */
	bool no_new_sheaves;   /* memory for a kmalloc class's sheaf is being allocated */
	unsigned cpus;
	struct km_record_pool records; /* slabs and sheaves */
};

/* What a CPU has of a cache, in a register: else each field is found from cache and CPU anew. */
static inline struct km_slub_cpu *km_slub_cpu(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];

	__asm__("" : "+r"(c));
	return c;
}

/* The slab an address lies in, or NULL. */
static inline struct km_slab *km_slub_slab_of(const struct km_slub *slub, uint64_t addr)
{
	uint64_t pfn = (addr - KM_DIRECT_MAP_BASE) >> KM_PAGE_SHIFT;

	return pfn < slub->max_pfn ? slub->slab_of_pfn[pfn] : NULL;
}

/* The live object at addr: its slab and index. NULL: there is none. */
static inline struct km_slab *km_slub_live_object(const struct km_slub *slub, uint64_t addr,
						  uint64_t *index)
{
	struct km_slab *slab = km_slub_slab_of(slub, addr);
	uint64_t offset;

	if (UNLIKELY(!slab))
		return NULL;
	offset = addr - slab->base;
	*index = km_reciprocal_divide(offset, slab->reciprocal);
	if (UNLIKELY(*index * slab->size != offset || slab->chain[*index] != KM_OBJECT_LIVE))
		return NULL;
	return slab;
}

static inline struct km_slab *km_objref_slab(km_objref object)
{
	return km_objref_record(object);
}

/* Where the CPU's own chain begins. Sheaves stand before it: then no call finds it at once. */
static inline unsigned km_cpu_freelist(const struct km_slub_cpu *c)
{
	return c->main ? c->behind : c->freelist;
}

static inline void km_cpu_freelist_set(struct km_slub_cpu *c, unsigned index)
{
	if (c->main) {
		c->behind = (uint16_t)index;
		return;
	}
	c->freelist = (uint16_t)index;
	c->first = c->base + index * c->size;
}

/* Of a request's flags, those that want a vector for memory cgroups in this slab. */
static inline uint32_t km_slab_uncharged(const struct km_slab *slab)
{
	return slab->has_vector ? 0 : slab->cache->charged_gfp;
}

/* The slab the CPU takes from, or none; its own chain is empty. */
static inline void km_cpu_slab_set(struct km_slub_cpu *c, struct km_slab *slab)
{
	c->slab = slab;
	c->chain = slab ? slab->chain : NULL;
	c->base = slab ? slab->base : 0;
	c->bytes = slab && !c->main ? (uint64_t)slab->objects * slab->size : 0;
	c->uncharged = slab ? km_slab_uncharged(slab) : 0;
	c->freelist = c->behind = KM_OBJECT_END;
}

/* Mark an object as handed out; its address. */
static inline uint64_t km_objref_hand_out(km_objref object)
{
	struct km_slab *slab = km_objref_slab(object);
	unsigned index = km_objref_index(object);

	slab->chain[index] = KM_OBJECT_LIVE;
	return slab->base + (uint64_t)index * slab->size;
}

/* ---- node layer: slub_node.c ---- */

/* A new slab on no list with all objects free; NULL when the page layer has no memory. */
struct km_slab *km_slab_new(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp);
/* A slab on no list leaves the cache; its pages go back. */
void km_slab_release(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab);
void km_node_add_head(struct km_slub_cache *cache, struct km_slab *slab);
void km_node_add_tail(struct km_slub_cache *cache, struct km_slab *slab);
void km_node_remove(struct km_slub_cache *cache, struct km_slab *slab);
/* A chain (linked by next) goes to the node in order; empty slabs beyond min_partial go back. */
void km_node_put_chain(struct km_slub_cache *cache, unsigned cpu, struct km_slab *chain);
/* Release every empty slab, bring the fullest of the others to the front. */
void km_node_shrink(struct km_slub_cache *cache, unsigned cpu);
/* Free objects on the node partial list, as slabinfo counts them. */
uint64_t km_node_free_objects(const struct km_slub_cache *cache);
/* Objects of a cache handed out and not freed: those of its slabs that are not free anywhere. */
uint64_t km_slub_live(const struct km_slub_cache *cache);

/* ---- backends, and what stands in front of them ---- */

extern const struct km_slub_backend km_slub_cpu_backend;
extern const struct km_slub_backend km_slub_direct_backend;

/* Put a slab at the head of a CPU's partial chain; with `drain`, a full chain moves first. */
void km_cpu_partial_put(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab,
			bool drain);
/* How many slabs a CPU puts on its chain when it takes `first` from the node. */
unsigned km_cpu_partial_from_node(const struct km_slub_cache *cache, const struct km_slab *first);
/* Make a slab with free objects a CPU's current slab; the CPU has none. */
void km_cpu_slab_install(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab);

/*
 * Give objects (marked KM_OBJECT_CACHED) to their slabs, grouped as Linux does. Reorders them;
 * how many went to the CPU's own slab.
 */
unsigned km_slub_give_all(unsigned cpu, km_objref *objects, unsigned n);

/*
 * slub_sheaf.c. A barn and one empty main sheaf per possible CPU, if the cache is to have sheaves
 * (`asked`: the capacity its creator wants); false without memory.
 */
bool km_sheaf_setup(struct km_slub_cache *cache, uint32_t asked);
/* All that setup allocated is given back; the sheaves are empty, there is no spare. */
void km_sheaf_teardown(struct km_slub_cache *cache, unsigned cpu);
/* Make the main sheaf nonempty; false: take the object from a slab. */
bool km_sheaf_replenish(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp);
/* Make room in the full main sheaf. */
void km_sheaf_make_room(struct km_slub_cache *cache, unsigned cpu);
unsigned km_sheaf_alloc_bulk(struct km_slub_cache *cache, unsigned cpu, km_objref *objects,
			     unsigned n);
/* How many of the objects found room; the others, at the end of the array, are the caller's. */
unsigned km_sheaf_free_bulk(struct km_slub_cache *cache, unsigned cpu, const km_objref *objects,
			    unsigned n);
void km_sheaf_flush_cpu(struct km_slub_cache *cache, unsigned cpu);
void km_sheaf_flush_barn(struct km_slub_cache *cache, unsigned cpu);
/* Objects in all sheaves. */
uint64_t km_sheaf_objects(const struct km_slub_cache *cache);

/* ---- slub_own.c: kmallocs of SLUB's own. The profile may be without: then there is nothing to do.
 */

/* Memory for a sheaf of the cache's capacity, or its barn; false: there is none. */
bool km_sheaf_get_memory(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp,
			 struct km_sheaf *sheaf);
void km_sheaf_put_memory(struct km_slub_cache *cache, unsigned cpu, struct km_sheaf *sheaf);
bool km_barn_get_memory(struct km_slub_cache *cache, unsigned cpu);
void km_barn_put_memory(struct km_slub_cache *cache, unsigned cpu);

/* The vector of a slab that was just made with these flags, if its cache is accounted. */
void km_slab_new_vector(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab,
			uint32_t gfp);
void km_slab_put_vector(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab);
/* Are callers in a memory cgroup, so that objects may need a vector in their slab? */
bool km_slub_charges(const struct km_slub *slub);
/* The object at addr, asked for with these flags, is charged if they say so. */
void km_slub_charge(struct km_slub *slub, unsigned cpu, uint64_t addr, uint32_t gfp);

/* Where in a slab's record the vector's address lies: behind the chain. */
static inline size_t km_slab_vector_offset(const struct km_cache_geometry *geometry)
{
	return sizeof(struct km_slab) +
	       km_round_up((geometry->objects + 1) * sizeof(uint16_t), sizeof(uint64_t));
}

/* slub_freelist.c: as in struct km_slab_ops */
int km_slub_free_pointer(void *self, uint64_t addr, struct km_free_pointer *pointer);
bool km_slub_stops_double_free(void *self, unsigned cpu, uint64_t addr);

/* slub_check.c: 0, or -EINVAL */
int km_slub_validate(void *self);

/* slub_cache.c: as in struct km_slab_ops */
void *km_slub_cache_create(void *self, const struct km_cache_spec *spec);
int km_slub_cache_destroy(void *self, void *handle, unsigned cpu);
int km_slub_cache_info(void *self, void *handle, struct km_cache_info *info);

/* slub_bulk.c: as in struct km_slab_ops */
unsigned km_slub_alloc_bulk(void *self, void *handle, unsigned cpu, uint32_t gfp, unsigned n,
			    uint64_t *addrs);
void km_slub_free_bulk(void *self, unsigned cpu, unsigned n, uint64_t *addrs);

/* slub.c: free one object that is marked KM_OBJECT_LIVE. */
void km_slub_free_object(struct km_slub *slub, unsigned cpu, struct km_slab *slab, unsigned index);

#endif
