/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel module in C on a simulated machine: compiled against engine/kernel-api, loaded into a
 * process of its own, with real memory behind the machine's addresses (replay/memory.h). What it
 * logs, allocates and does wrong goes to a report that outlives its process.
 */
#ifndef REPLAY_MODULE_H
#define REPLAY_MODULE_H

#include <kmlab/err.h>
#include <kmlab/machine.h>
#include <kmlab/misuse.h>

struct km_module_options {
	struct km_machine_spec spec; /* model and profile set */
	char **sources;              /* .c files */
	unsigned nr_sources;
	char **params; /* "name=value" */
	unsigned nr_params;
	uint64_t seed;
	uint64_t run_ns;      /* simulated time between init and exit */
	unsigned interrupts;  /* how often each one asked for is raised */
	unsigned cpu_seconds; /* until it counts as hung */
	bool files;           /* open, write, read and close each file it registers */
	bool fresh;           /* no pages were used before */
	bool no_checks;       /* accesses are not instrumented */
};

enum km_module_phase { KM_PHASE_INIT, KM_PHASE_RUN, KM_PHASE_EXIT, KM_NR_PHASES };

enum km_module_kind {
	KM_OBJECT_NONE, /* nothing was allocated or freed */
	KM_OBJECT_SLAB,
	KM_OBJECT_LARGE,
	KM_OBJECT_PAGES,
	KM_OBJECT_AREA,
	KM_OBJECT_PERCPU, /* CPU 0's copy */
};

/* One call, in order. Addresses are the machine's. */
struct km_module_call {
	char call[28], where[60], cache[32], note[112];
	uint64_t addr, bytes, bytes_alloc; /* bytes: asked for */
	uint64_t moved_from;               /* resized: the old place, or 0 */
	uint64_t slab;                     /* of KM_OBJECT_SLAB: its first byte */
	uint32_t gfp, slab_index, slab_objects;
	uint32_t first_run, nr_runs; /* physical pieces: km_module_report.runs */
	uint8_t phase, kind;
	bool frees, failed; /* failed: NULL */
};

/* Physically contiguous pages of an area. */
struct km_module_run {
	uint64_t pfn;
	uint32_t pages;
};

struct km_module_finding {
	enum km_rule rule;
	uint64_t count;
	char where[60], what[420];
	uint64_t code; /* address in the module's file of an access; 0: `where` is known */
};

struct km_module_line {
	uint64_t time_ns;
	uint32_t text; /* offset */
	int level;
};

#define KM_MODULE_CALLS (1u << 18)
#define KM_MODULE_RUNS (1u << 20)
#define KM_MODULE_FINDINGS 4096u
#define KM_MODULE_LINES (1u << 17)
#define KM_MODULE_TEXT (16u << 20)

/* In memory that both processes see; untouched parts cost nothing. */
struct km_module_report {
	size_t nr_calls, nr_runs, nr_findings, nr_lines, text_used;
	uint64_t lost_calls, lost_lines; /* beyond the room */
	int init_result;
	bool init_done, exit_done, finished, has_exit;
	char license[64], failure[512];    /* failure: the module could not be loaded */
	uint64_t live_bytes, live_objects; /* at the end */
	struct km_module_call calls[KM_MODULE_CALLS];
	struct km_module_run runs[KM_MODULE_RUNS];
	struct km_module_finding findings[KM_MODULE_FINDINGS];
	struct km_module_line lines[KM_MODULE_LINES];
	char text[KM_MODULE_TEXT];
};

/*
 * Build, load, run. 0, with a report to be released; or -errno with a sentence: it does not compile
 * (-ENOEXEC; the compiler has said why on stderr), there is no compiler, no memory.
 */
int km_module_run(const struct km_module_options *options, struct km_module_report **report,
		  struct km_err *err);
void km_module_release(struct km_module_report *report);

/* "SOURCES" into an object at `path`. In module_build.c. */
int km_module_build(const struct km_module_options *options, const char *path, struct km_err *err);
/* Lines of accesses, by the debugging information of the object at `path`. */
void km_module_resolve(const char *path, struct km_module_report *report);

#endif
