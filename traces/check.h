/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a trace what was recorded? Every part of the file is examined on its own, so that one damaged
 * part does not hide another: what is wrong is told piece by piece, and what is left can be read.
 */
#ifndef KMLAB_CHECK_H
#define KMLAB_CHECK_H

#include "trace.h"

/* X(constant, name, what holds where nothing is reported) */
#define KM_CHECK_PARTS(X)                                                                          \
	X(KM_CHECK_FILE, "file", "SQLite finds the file sound")                                    \
	X(KM_CHECK_TABLE, "table", "every row can be, dictionaries have no holes")                 \
	X(KM_CHECK_CHUNK, "chunk", "checksum right, decodable, ids within the dictionaries")       \
	X(KM_CHECK_INDEX, "index", "the chunk's row says what its bytes say")                      \
	X(KM_CHECK_SEQUENCE, "sequence", "each CPU's events follow one another without a hole")    \
	X(KM_CHECK_LEDGER, "ledger", "fired = recorded + lost + filtered; recorded is there")      \
	X(KM_CHECK_GAP, "gap", "every lost event has its place")                                   \
	X(KM_CHECK_REPAIR, "repair", "the stored repair counts are those of the events")

enum km_check_part {
#define X(constant, name, holds) constant,
	KM_CHECK_PARTS(X)
#undef X
		KM_NR_CHECK_PARTS
};

extern const char *const km_check_part_names[KM_NR_CHECK_PARTS];

struct km_check_problem {
	enum km_check_part part;
	int64_t chunk;  /* id in table chunk; 0: none in particular */
	char what[512]; /* subject and fact */
};

typedef void km_check_fn(void *context, const struct km_check_problem *problem);

struct km_check_result {
	uint64_t problems;
	uint64_t chunks, events;                 /* readable */
	uint64_t damaged_chunks, damaged_events; /* not readable; events as far as known */
};

/*
 * Examine the file at `path`; visit() gets every problem. `deep`: SQLite compares its indexes with
 * its tables, too, and the repair pass is run again. 0, whatever was found; what there is to read
 * is *trace then, open without the damaged chunks, or NULL if its tables cannot be read. An
 * unfinished trace (km_trace_complete()) has no ledger to examine and is no problem by that.
 * -errno with a sentence in *err as km_trace_open(): there is no trace to examine.
 */
int km_trace_check(const char *path, bool deep, km_check_fn *visit, void *context,
		   struct km_check_result *result, struct km_trace **trace, struct km_err *err);

#endif
