/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How closely the models reproduce what the traced kernel did. Three levels: bytes_alloc of every
 * kmalloc event; geometry of every cache in sysfs; the slab every object was put in.
 *
 * Slab choice: the SLUB model runs with the trace's own profile from a start state learned from
 * sysfs and from the trace itself (slab_start.c). Of a trace recorded with --shrink each cache's
 * comparison begins when that cache was shrunk. The recorder then writes down which slab lies where
 * (slab_lists.c), there and again at the end: the model starts from those lists, and what it counts
 * is compared when they are read again. Two numbers, neither replaces the other:
 *
 * slab_choice, the strict one. The model runs on its own. Kernel slabs and model slabs are paired
 * when first used together; an allocation matches when its kernel slab and its model slab are each
 * other's partner. A pair ends when either slab holds no live object, so one divergence keeps
 * counting for as long as it is visible, and usually brings on others. A slab that the kernel made
 * while the start state still has partial ones in reach is a wrong choice, once: those are dropped.
 *
 * switches, the stepwise one (slab_follow.c). After a wrong choice the model is made to do what the
 * kernel did; each point where the kernel or the model moves a CPU to another slab is one choice.
 * It says how often the rules err at most (what surrounds a wrong choice is put right only as far
 * as it shows), where the strict number says how long a replay stays exact.
 *
 * Calls that no event shows (kfree_rcu() and bulk frees, and whatever a machine hides from
 * tracing) the model lacks. The lists of start and end prove how many, slab by slab: free objects
 * at the end, less those of the start and what the traced calls changed. When they were made they
 * do not tell: it is taken from what the kernel did (slab_unseen.c), and counted (`placed`).
 * slab_choice_seen is the part of slab_choice that comes from caches without such calls.
 *
 * In both, the order of two CPUs' calls that were recorded within 3 us of each other is not known;
 * where it decides, it is taken from what the kernel did and counted (`reordered`).
 *
 * Caches with sheaves are in neither total: which objects lie in sheaves at the start, and what
 * prefilling and kfree_rcu() move through them, is not traced. Their strict score stands apart.
 */
#ifndef REPLAY_FIDELITY_H
#define REPLAY_FIDELITY_H

#include "replay/start.h"
#include "traces/trace.h"

struct km_score {
	uint64_t checked, matched;
};

struct km_cache_fidelity {
	char name[64];
	struct km_score slab_choice, switches;
	/*
	 * Calls that were not traced, as far as the trace proves them: frees (the address was
	 * handed out again), allocations (of an object that is freed), and what the lists of start
	 * and end tell beyond that.
	 */
	uint64_t unseen;
	/* Of these, made where the kernel's choices show that they had been (slab_unseen.c). */
	uint64_t placed;
	bool all_seen; /* lists of start and end agree with the calls that were traced */
	/* Calls of two CPUs, recorded almost together, taken in the other order (slab_races.c). */
	uint64_t reordered;
	bool sheaves;
	/*
	 * Counts at the end, of the recorded lists or of sysfs; -1 = neither was recorded. The
	 * model's are start + its own change.
	 */
	int64_t slabs_model, slabs_kernel;
	int64_t partial_model, partial_kernel;
	int64_t cpu_slabs_model, cpu_slabs_kernel;
};

struct km_fidelity {
	struct km_score bytes_alloc, geometry, slab_choice, switches, slab_choice_sheaves;
	struct km_score slab_choice_seen; /* the part of caches of which every call was seen */
	struct km_cache_fidelity *caches; /* by slab_choice.checked, most first */
	size_t nr_caches;
	int64_t pages_model, pages_kernel; /* of the slabs of all caches above; -1 unknown */
};

/*
 * Adds how many caches of a snapshot "sysfs slab" were checked, and of how many size, order,
 * objects and list limits follow from object size, alignment and flags. Debugged caches are left
 * out: sysfs does not show all that their layout depends on. text may be NULL.
 */
void km_fidelity_geometry(const char *text, const struct km_start *start, struct km_score *score);

int km_fidelity_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			struct km_fidelity *fidelity, struct km_err *err);
void km_fidelity_release(struct km_fidelity *fidelity);

/* "99.98 %", or "-" when nothing was checked. */
const char *km_score_text(const struct km_score *score, char buf[16]);

#endif
