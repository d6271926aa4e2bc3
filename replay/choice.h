/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the slab choice measurement share: the kernel's slabs as the trace shows them
 * (kernel_slabs.c), the state the model starts from (slab_start.c), the comparison
 * (slab_choice.c).
 */
#ifndef REPLAY_CHOICE_H
#define REPLAY_CHOICE_H

#include "replay/fidelity.h"
#include "traces/repair.h"

#define KM_NO_INDEX UINT32_MAX
#define KM_NR_KMALLOC (KM_NR_KMALLOC_TYPES * KM_KMALLOC_CLASSES)
/* model_pair[] of a model slab that stands for a kernel slab not yet known. */
#define KM_ANONYMOUS UINT32_MAX

/* What the trace tells of a slab at the start, beyond counting. */
enum km_slab_was { KM_WAS_UNKNOWN, KM_WAS_FULL, KM_WAS_PARTIAL };

enum km_call_kind { KM_CALL_ALLOC, KM_CALL_FREE, KM_CALL_FREE_OLD };

/* An event, and the kernel slab it is about. */
struct km_slab_call {
	enum km_call_kind kind;
	uint32_t slab;
	uint32_t slot; /* not for FREE_OLD: an object that was in use at the start */
	struct km_event event;
	uint64_t addr; /* FREE: the model's object, 0 = none */
	bool implied;  /* FREE: no event showed it; it was at this time at the latest */
};

#define KM_RACE_CALLS 8

/* Calls that wait: slab_races.c. The first is the free that began it, all are of its CPU. */
struct km_race {
	uint32_t nr;
	struct km_slab_call calls[KM_RACE_CALLS];
};

/* A slab that lay on a list when the model begins: slab_lists.c. */
struct km_listed {
	uint64_t pfn;
	uint32_t free, place; /* objects; KM_SEED_* */
	uint32_t slab;        /* its index */
};

/* A cache's line of a snapshot that tells what lay where; text NULL: none does. */
struct km_lists_line {
	const char *text;
	size_t length;
};

/* A cache of kmem_buckets_create(), of which no event tells (slab_buckets.c). */
struct km_bucket {
	char name[32];
	size_t set_length; /* of the name without "-SIZE" */
	uint32_t bytes, size, align, order;
};

/* A cache of the comparison: kmalloc classes first, then the trace's dictionary, then buckets. */
struct km_choice_cache {
	const char *name;
	void *handle;
	uint32_t kernel_order, model_order, objects, sheaf_capacity;
	struct km_score score, switches;
	uint64_t unseen;    /* allocations and frees that were not traced, as far as proven */
	uint64_t reordered; /* strict: how often slab_races.c turned an order around */
	uint64_t placed;    /* strict: unseen calls that slab_unseen.c made */
	uint32_t old, partial_old; /* slabs older than the trace; of these, not full at the start */
	uint32_t first_old;        /* list of the old ones in order of first use; KM_NO_INDEX */
	uint32_t last_old;
	/*
	 * The model of this cache begins here: when it was shrunk, which left its CPUs with nothing
	 * (capture --shrink). 0: at the trace's start.
	 */
	uint64_t begin_ns;
	uint64_t end_ns; /* the kernel's counts at the end are of this time; UINT64_MAX: of the end
			  */
	struct km_lists_line lists, end_lists; /* at begin_ns and at end_ns */
	struct km_listed *listed;
	uint32_t nr_listed;
	bool accounted; /* both lists are there: unseen calls show as differences */
	uint32_t first_slab[KM_MAX_CPUS]; /* index + 1 of the CPU's first kernel slab */
	struct km_cache_info at_start;
	/* What was counted when the model begins; -1: not known. */
	int64_t slabs_counted, partial_counted, cpu_slabs_counted;
	uint64_t *anonymous; /* addresses of the anonymous slabs it was seeded with */
	uint32_t nr_anonymous;
	struct km_race race;
	uint32_t last_slab[KM_MAX_CPUS]; /* index + 1 of the CPU's kernel slab */
	/* learning: index + 1 of a slab that the CPU freed to last, the first thing seen of it */
	uint32_t last_freed[KM_MAX_CPUS];
	size_t row; /* of the results, + 1; 0: none */
	bool used, followed;
};

/* A slab of the traced kernel, for as long as its pages were one slab. */
struct km_kernel_slab {
	uint64_t base;     /* first pfn, direct map normalised */
	uint64_t birth_ns; /* its page_alloc event + 1; 0: older than the trace */
	bool young;        /* born since its cache's model began */
	uint32_t older;    /* another slab at this pfn, earlier in time; KM_NO_INDEX */
	uint32_t next_old; /* list of its cache */
	uint32_t cache;
	int32_t net;    /* objects allocated minus freed since the start */
	int32_t most;   /* maximum of net until it was used up: how many were free at the start */
	uint32_t live;  /* objects, as far as known */
	uint64_t pair;  /* first model pfn; 0: none */
	bool listed;    /* in its cache's list */
	bool is_listed; /* it was on one of the lists that the recorder wrote down */
	bool gone;      /* its pages were freed before the lists of the end */
	uint32_t free_at_start, free_at_end; /* objects, by those lists */
	int32_t taken;    /* allocated minus freed between them, as far as seen */
	uint32_t implied; /* of these, frees that no event showed */
	int32_t balance;  /* what those lists prove beyond: frees, or (negative) allocations */
	/* In this walk (slab_unseen.c): unseen calls still to be made; implied frees still to come,
	 * and those of them that were made already; objects allocated unseen. */
	uint32_t owed_frees, owed_allocs, implied_left, early, unseen_live;
	uint8_t was;          /* enum km_slab_was */
	bool touched;         /* anything was seen of it */
	bool exhausted, full; /* was it used up once; was it full at the start */
	bool bound;           /* older than the trace, and its model slab is known */
	uint16_t user;        /* the CPU of its last allocation */
	uint16_t first_user;  /* learned: that of its first, + 1; 0: none */
	bool used;            /* in this walk, an object was allocated from it */
	bool refuted;         /* it was made where the start state still had partial ones */
	bool lost;            /* following: the model gave its slab back, the kernel did not */
	uint16_t freed_by;    /* following: the CPU and time of its last free */
	uint64_t freed_ns;
};

enum km_walk { KM_WALK_FIND, KM_WALK_LEARN, KM_WALK_COMPARE, KM_WALK_FOLLOW };

struct km_choice {
	struct km_trace *trace;
	const struct km_start *start;
	struct km_repair *repair; /* of the current walk */
	enum km_walk walk;
	uint64_t direct_map_base, max_pfn;
	uint64_t delay_ns; /* event_order.h */

	struct km_choice_cache *caches;
	uint32_t nr_caches;
	struct km_bucket *buckets; /* the last of these */
	uint32_t nr_buckets;

	struct km_kernel_slab *slabs;
	uint32_t nr_slabs;
	size_t slab_capacity;
	uint32_t *listed_cache; /* per pfn: index + 1 of the cache on whose lists it was */
	uint32_t *slab_at;      /* per pfn: index + 1 of the latest slab there */

	uint64_t seed;
	struct km_env env;
	struct km_machine *machine;
	uint32_t *model_pair; /* per first pfn of a model slab: index + 1 of the kernel slab */
	uint32_t *model_live; /* per first pfn of a model slab: objects */
	uint64_t *slot_addr;  /* the model's address, by slot */
	uint32_t *slot_slab;  /* the kernel slab, by slot */
	uint32_t nr_slots;
};

/* ---- kernel_slabs.c ---- */

/* Pfn of an address in the recorded direct map; UINT64_MAX outside it. */
uint64_t km_choice_pfn(const struct km_choice *choice, uint64_t addr);
/* The slab an address lies in now; KM_NO_INDEX: none known. */
uint32_t km_choice_slab_at(const struct km_choice *choice, uint64_t addr);
/* Note the slab of this cache around an address; KM_NO_INDEX without memory. */
uint32_t km_choice_add_slab(struct km_choice *choice, uint64_t addr, uint32_t cache);

/* Note a slab that no event shows, older than the trace; KM_NO_INDEX without memory. */
uint32_t km_choice_new_slab(struct km_choice *choice, uint32_t cache, uint64_t base);

/* ---- slab_buckets.c ---- */

/* Before there are caches: fills buckets. 0 or -ENOMEM. */
int km_buckets_find(struct km_choice *choice);
/*
 * The cache that served a kmalloc: `cache`, kmalloc's own of that size, or a bucket. `index`: the
 * slab it lies in, which the first walk gives to the bucket it turns out to be of; KM_NO_INDEX:
 * none yet.
 */
uint32_t km_buckets_serve(struct km_choice *choice, const struct km_event *event, uint32_t cache,
			  uint32_t index);

/* ---- slab_lists.c ---- */

/* Before the first walk: which cache's slabs the listed pages are. 0, -ENOMEM or -EINVAL. */
int km_lists_hint(struct km_choice *choice);
/* Read every cache's lists and find their slabs in the trace, of which all are known by now. 0,
 * -ENOMEM, or -EINVAL: they cannot be understood. */
int km_lists_bind(struct km_choice *choice);
/*
 * Once all calls were seen: add to each cache's `unseen` how many the lists of the end prove beyond
 * those. 0, -ENOMEM or -EINVAL.
 */
int km_lists_account(struct km_choice *choice);
/* Put the listed slabs of a cache into the model. 0 or -errno. */
int km_lists_seed(struct km_choice *choice, struct km_choice_cache *cache);

/* ---- slab_start.c ---- */

/* What the trace says of a cache's start. */
void km_start_counts(const struct km_choice *choice, struct km_choice_cache *cache);

/* While learning: an allocation or a free in a slab. */
void km_start_note_alloc(struct km_choice *choice, uint32_t index, uint16_t cpu);
void km_start_note_free(struct km_choice *choice, uint32_t index, uint16_t cpu);
/* Put what was learned into the model. 0 or -errno. */
int km_start_seed_slabs(struct km_choice *choice);
/*
 * The kernel's slab and the model's were allocated from together for the first time (the model's
 * object is already taken). True if the model's stood for an unknown slab, and now is this one.
 */
bool km_start_bind(struct km_choice *choice, uint32_t index, uint64_t model_pfn);

/*
 * The kernel made this slab. It does only when no partial one is in the CPU's reach: unknown ones
 * that the model would take first do not exist. True if there were any.
 */
bool km_start_refute(struct km_choice *choice, uint32_t index, unsigned cpu);

/* ---- slab_walk.c ---- */

/* One pass over the trace. 0 or -errno. */
int km_choice_walk(struct km_choice *choice, enum km_walk walk, struct km_err *err);

/* ---- slab_races.c ---- */

/* The next call by recorded order: made now, or when it is known what came first. */
void km_races_call(struct km_choice *choice, const struct km_slab_call *call);
/* Make all calls that still wait. */
void km_races_settle(struct km_choice *choice);

/* ---- slab_unseen.c ---- */

/* Is it known, slab by slab, how many calls of this cache no event shows? */
bool km_unseen_known(const struct km_choice_cache *cache);
/* Before a walk that feeds the model: nothing was made yet. */
void km_unseen_reset(struct km_kernel_slab *slab);
/* Before an allocation: make the unseen calls without which the kernel could not have chosen so. */
void km_unseen_place(struct km_choice *choice, const struct km_slab_call *call);
/* A free: true if there is nothing to do any more, because it was made as an unseen one, or is of
 * an object whose unseen allocation was not made. */
bool km_unseen_covers(struct km_choice *choice, const struct km_slab_call *call);
/* An object of the model at `addr` is freed. 0 or -EFAULT. */
int km_unseen_free_object(struct km_choice *choice, const struct km_choice_cache *cache,
			  unsigned cpu, uint64_t addr);
/* After the last call: the frees that nothing placed. */
void km_unseen_settle(struct km_choice *choice);

/* ---- slab_compare.c: the model on its own ---- */

void km_choice_unpair(struct km_choice *choice, struct km_kernel_slab *slab);
/* The model has one object more, or one less, in the slab at a pfn. */
void km_compare_hold(struct km_choice *choice, uint64_t model);
void km_compare_release(struct km_choice *choice, uint64_t model);
void km_compare_call(struct km_choice *choice, const struct km_slab_call *call);

/* ---- slab_follow.c: the model put right after each wrong choice ---- */

void km_follow_call(struct km_choice *choice, const struct km_slab_call *call);
/* Before repair sees the event. */
void km_follow_page_free(struct km_choice *choice, const struct km_event *event);

#endif
