/* SPDX-License-Identifier: GPL-2.0-only */
/* What a running scenario keeps: the machine, variables, live objects. Shared by run*.c. */
#ifndef REPLAY_RUN_STATE_H
#define REPLAY_RUN_STATE_H

#include "replay/addr_map.h"
#include "replay/run.h"

enum live_kind { LIVE_OBJECT, LIVE_LARGE, LIVE_PAGES, LIVE_AREA };

/* One allocation of the scenario that is not freed yet. */
struct live {
	uint64_t addr;
	enum live_kind kind;
	unsigned order; /* of its pages, or of its slab */
	void *cache;    /* or NULL */
	const char *cache_name;
	uint64_t bytes; /* capacity */
	unsigned line;
	bool paired;                      /* kernel_slab is known */
	uint64_t kernel_slab, model_slab; /* bases */
	uint32_t next_unused;
};

struct variable {
	uint64_t value; /* address (pages: in the direct map), 0 = NULL */
	void *cache;    /* for cache variables */
	struct km_cache_info info;
};

/* A purge that became due in call `due` and ran just before call `run` (indexes). */
struct late_purge {
	size_t due, run;
};

struct executor {
	const struct km_scenario *scenario;
	const struct km_run_options *options;
	struct km_env env;
	struct km_machine *machine;
	struct variable *variables;
	struct live *live;
	uint32_t nr_live, live_room, unused;        /* unused: list of free entries, 0 = none */
	struct km_addr_map by_addr;                 /* address -> index into live */
	struct km_addr_map freed;                   /* address -> line that freed it */
	struct km_addr_map to_model, to_kernel;     /* slab base -> the other side's */
	struct km_addr_map kernel_live, model_live; /* slab base -> objects alive on it */
	bool atomic;
	size_t at;             /* index of the call being executed */
	size_t first_mismatch; /* of an area's address; SIZE_MAX: none */
	size_t last_purge;     /* last call before that with a purge; SIZE_MAX: none */
	const struct late_purge *late;
	size_t nr_late;
	struct km_scenario_run *run;
};

/* Add a note to a row (the first one stays). */
__attribute__((format(printf, 2, 3))) void km_run_note(struct km_run_row *row, const char *format,
						       ...);

/* run_calls.c: execute one call into its row. 0 or -ENOMEM. */
int km_run_call(struct executor *executor, const struct km_scenario_call *call,
		struct km_run_row *row);

/*
 * run.c: one run with these purges late. With `trial` it ends at the first area whose address
 * differs. What it found goes to `first_mismatch` (the number of calls when only the end state
 * differs, SIZE_MAX when nothing does) and `last_purge`. Release the run after 0.
 */
struct run_trial {
	const struct late_purge *late;
	size_t nr_late;
	bool trial;
	size_t first_mismatch, last_purge;
};
int km_run_once(const struct km_scenario *scenario, const struct km_run_options *options,
		struct run_trial *trial, struct km_scenario_run *run, struct km_err *err);

/* run_purges.c: which purges Linux's worker ran late, so that the answers agree. 0 or -errno. */
#define MAX_LATE_PURGES 64
int km_find_late_purges(const struct km_scenario *scenario, const struct km_run_options *options,
			struct late_purge late[MAX_LATE_PURGES], size_t *nr_late,
			struct km_err *err);

/* run_check.c */
int km_check_result(struct executor *executor, const struct km_scenario_call *call,
		    const struct km_run_row *row, struct live *live);
void km_check_free(struct executor *executor, const struct live *live);
/* Compare the end state (lines) with the expect block. */
int km_check_end(struct executor *executor, const char *state);

#endif
