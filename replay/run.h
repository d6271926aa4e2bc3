/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario executed on a machine: one row per call, what Linux's recorded answers say about them,
 * and the end state as text.
 */
#ifndef REPLAY_RUN_H
#define REPLAY_RUN_H

#include "replay/memory.h"
#include "replay/scenario.h"

enum km_result_kind {
	KM_RESULT_EMPTY,
	KM_RESULT_ADDRESS,
	KM_RESULT_PFN,
	KM_RESULT_NULL,
	KM_RESULT_PFNS
};

struct km_run_row {
	const struct km_scenario_call *call;
	enum km_result_kind kind;
	uint64_t result;
	uint64_t bytes_alloc; /* UINT64_MAX: nothing to say */
	const char *cache;    /* or NULL */
	uint32_t *pfns;       /* KM_RESULT_PFNS: what a bulk call added */
	uint32_t nr_pfns;
	char *note;        /* what is to be said of the call, or NULL */
	enum km_rule rule; /* which it broke; KM_RULE_NONE: none */
};

/* Of --debug: a rule broken, or what was left behind. */
struct km_run_finding {
	enum km_rule rule;
	unsigned line; /* of the call; of a leak: of the allocation */
	uint64_t count, bytes;
	char *what; /* one sentence without advice */
};

/* Answers compared with Linux's: equal addresses, or slabs that correspond one to one. */
enum km_check_kind {
	KM_CHECK_SLAB,
	KM_CHECK_PAGES,
	KM_CHECK_VMALLOC,
	KM_CHECK_KMALLOC,
	KM_CHECK_END,
	KM_NR_CHECKS
};

#define KM_MISMATCHES_SHOWN 10

struct km_check {
	uint64_t checked[KM_NR_CHECKS], matched[KM_NR_CHECKS];
	char *mismatch[KM_MISMATCHES_SHOWN]; /* the first ones, one sentence each */
	unsigned nr_mismatches;              /* filled entries */
	unsigned late_purges;                /* purges that Linux's worker ran some calls late */
	unsigned disturbed;                  /* line from which on another user of Linux's vmalloc
						shows in the recorded counts; 0: none */
};

struct km_run_options {
	const struct km_model *model; /* NULL: "slub" */
	uint64_t seed;
	bool check, state, debug;
	const struct km_memory_layout *memory; /* objects are filled and looked at; NULL: not */
};

/* With real memory behind the machine: what was written, and in pages of which size. */
struct km_run_touch {
	uint64_t objects, bytes;
	uint64_t spoilt; /* objects found changed */
	uint64_t refused_blocks;
	enum km_leaf asked;
	struct km_memory_pages pages;
};

struct km_scenario_run {
	struct km_run_row *rows; /* one per call of the scenario */
	size_t nr_rows;
	size_t broken; /* rows with a rule broken */
	struct km_check check;
	struct km_run_touch touch;
	char *state;  /* lines, or NULL when neither asked for nor compared */
	char **names; /* of caches that rows name and the scenario does not */
	size_t nr_names;
	struct km_run_finding *findings; /* with `debug`, in order of lines, leaks last */
	size_t nr_findings;
};

/* "slab", "pages", "vmalloc", "kmalloc", "end state" */
const char *km_check_name(enum km_check_kind kind);

/* The scenario must outlive the run. 0 or -errno with a sentence; release the run after 0. */
int km_run_scenario(const struct km_scenario *scenario, const struct km_run_options *options,
		    struct km_scenario_run *run, struct km_err *err);
void km_scenario_run_free(struct km_scenario_run *run);

#endif
