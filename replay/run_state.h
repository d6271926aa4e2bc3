/* SPDX-License-Identifier: GPL-2.0-only */
/* What a running scenario keeps: the machine, variables, live objects. Shared by run*.c. */
#ifndef REPLAY_RUN_STATE_H
#define REPLAY_RUN_STATE_H

#include "replay/addr_map.h"
#include "replay/run.h"

enum live_kind {
	LIVE_OBJECT,
	LIVE_LARGE,
	LIVE_PAGES,
	LIVE_AREA, /* from here on addresses of the vmalloc range */
	LIVE_MAP,
	LIVE_RAM,
	LIVE_IO,
};

/* One allocation of the scenario that is not freed yet. */
struct live {
	uint64_t addr;
	enum live_kind kind;
	unsigned order; /* of its pages, or of its slab */
	void *cache;    /* or NULL */
	const char *cache_name;
	uint64_t bytes; /* capacity */
	unsigned line;
	uint64_t kernel_addr;             /* Linux's, of the kmalloc family; 0: not known */
	bool single;                      /* pages: of a split block or an exact one */
	bool compound;                    /* pages: never in parts */
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

/* Kmallocs of one size and flags that the slab layer made for itself in calls. */
struct own_kmallocs {
	uint64_t bytes, count; /* bytes 0: kfrees */
	uint32_t gfp;
};

#define OWN_KINDS 64u

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
	enum km_context context;
	struct own_kmallocs own[OWN_KINDS]; /* the first is its kfrees */
	unsigned nr_own;
	uint64_t resized_model, resized_kernel; /* where the object was before this call, or 0 */
	size_t at;                              /* index of the call being executed */
	size_t first_mismatch;                  /* of an area's address; SIZE_MAX: none */
	size_t last_purge; /* last call before that with a purge; SIZE_MAX: none */
	const struct late_purge *late;
	size_t nr_late;
	bool recorded;            /* the answers tell when purges were */
	bool purge_after;         /* this call */
	struct km_memory *memory; /* behind the machine, or NULL */
	struct km_scenario_run *run;
};

/* ---- run_live.c: objects, notes, results ---- */

/* Add a note to a row (the first one stays), and the rule that was broken. */
__attribute__((format(printf, 3, 4))) void km_run_note(struct km_run_row *row, enum km_rule rule,
						       const char *format, ...);
uint64_t km_run_argument(const struct executor *run, const struct km_scenario_call *call,
			 unsigned index);
/* The variable of an argument, or what to say of a number. */
const char *km_run_argument_name(const struct executor *run, const struct km_scenario_call *call,
				 unsigned index);
/* The object at `addr`, called `name`, if it is live; else NULL, and a note says what it is. */
struct live *km_run_must_be_live(struct executor *run, uint64_t addr, const char *name,
				 struct km_run_row *row);
/* "a slab object" … */
const char *km_run_kind_name(enum live_kind kind);
struct live *km_run_find_live(struct executor *run, uint64_t addr);
/* A new object that no row is about (bulk). 0 or -ENOMEM. */
int km_run_add_live(struct executor *run, const struct live *object);
int km_run_remove_live(struct executor *run, struct live *object, unsigned line);
/* The name, kept as long as the rows; NULL without memory. */
const char *km_run_name(struct executor *run, const char *name);
void km_run_set_target(struct executor *run, const struct km_scenario_call *call, uint64_t value);
/* A fresh object, or with addr 0 a failure, becomes the call's result. */
int km_run_finish_alloc(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row, struct live *object);
/* A number, or with UINT64_MAX none, becomes the result. */
int km_run_finish_number(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row, uint64_t number);
/* Flags that may sleep, where nothing may: noted. */
void km_run_check_flags(const struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row, uint32_t gfp);
/* A call that may sleep whatever its flags are. */
void km_run_check_sleep(const struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row);
/* With --debug: rules broken and objects left behind. 0 or -ENOMEM. */
int km_run_find(struct executor *run);

/* ---- the calls, by family; each executes into its row. 0 or -ENOMEM. ---- */

typedef int km_run_function(struct executor *, const struct km_scenario_call *,
			    struct km_run_row *);

/* run_slab.c: caches */
km_run_function km_run_cache_create, km_run_cache_alloc, km_run_cache_free, km_run_cache_bulk,
	km_run_free_bulk, km_run_cache_shrink, km_run_cache_destroy, km_run_cache_size;
/* run_kmalloc.c */
km_run_function km_run_kmalloc, km_run_kmemdup, km_run_free, km_run_krealloc, km_run_ksize,
	km_run_size_roundup, km_run_kvmalloc, km_run_kvrealloc;

/* run_pages.c */
km_run_function km_run_alloc_pages, km_run_alloc_pages_exact, km_run_alloc_pages_bulk,
	km_run_split_page, km_run_free_pages, km_run_free_pages_exact;

/* run_vm.c: vmalloc's variants, vmap, vm_map_ram, ioremap */
km_run_function km_run_vmalloc, km_run_vrealloc, km_run_vmap, km_run_vunmap, km_run_vm_unmap_ram,
	km_run_vm_unmap_aliases, km_run_ioremap;

/* run_calls.c: execute one call into its row. 0 or -ENOMEM. */
int km_run_call(struct executor *executor, const struct km_scenario_call *call,
		struct km_run_row *row);

/* run_touch.c: real memory behind the machine. 0 or -errno with a sentence. */
int km_run_touch_begin(struct executor *executor, struct km_err *err);
int km_run_touch_end(struct executor *executor, struct km_err *err);
/* Fill a new object; look whether a live one is as it was filled. Nothing without memory. */
void km_run_touch(struct executor *executor, const struct live *object);
void km_run_touched(struct executor *executor, const struct live *object, struct km_run_row *row);

/* run_own.c: count the slab layer's own kmallocs from here on; as lines "own BYTES FLAGS COUNT". */
void km_run_watch_own(struct executor *run);
void km_run_print_own(const struct executor *run, FILE *out);

/* run_lazy.c: purges where the recorded counts of waiting pages say that they were. */
void km_run_lazy_before(struct executor *executor, const struct km_scenario_call *call);
void km_run_lazy_after(struct executor *executor, const struct km_scenario_call *call);

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
