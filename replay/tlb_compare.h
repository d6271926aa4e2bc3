/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `kmlab tlb compare`: the same objects by kmalloc and by vmalloc, per size class or call site.
 * What the model counts, and what calls and touches were timed to take.
 */
#ifndef REPLAY_TLB_COMPARE_H
#define REPLAY_TLB_COMPARE_H

#include <kmlab/err.h>

#include "replay/bench_figures.h"
#include "replay/placement.h"
#include "replay/touch.h"
#include "results/emit.h"

#define KM_COMPARE_MOST_ROUNDS KM_BENCH_MAX_VALUES

struct km_tlb_comparison {
	const char *trace, *tlb; /* path; name for km_tlb_choose() */
	const char *site;        /* only call sites whose name has this in it; NULL: all */
	struct km_access_spec access;
	unsigned maps; /* bit m: kmalloc in the direct map m of tlb_access.h */
	unsigned split_percent;
	uint64_t kvmalloc_bytes;
	bool allow_loss; /* go on with a trace that lost events */
	bool by_site;
	unsigned top;    /* sites */
	unsigned rounds; /* of what is timed; 0: nothing is */
	enum km_format format;
};

/* Prints the document. 0, -EINTR, or -errno with a sentence. */
int km_tlb_compare(const struct km_tlb_comparison *comparison, struct km_err *err);

/* ---- the document: tlb_compare_print.c ---- */

/* X(constant, JSON key, title, format, timed, interval) */
#define KM_COMPARE_COLUMNS(X)                                                                      \
	X(OBJECTS, "objects", "objects", "%.0f", 0, 0)                                             \
	X(ASKED, "asked_bytes", "bytes asked", "%.0f", 0, 0)                                       \
	X(WASTE, "waste_percent", "waste %", "%.1f", 0, 0)                                         \
	X(L1, "l1_miss_per_kref", "L1 miss/kref", "%.2f", 0, 0)                                    \
	X(L2, "l2_miss_per_kref", "L2 miss/kref", "%.2f", 0, 0)                                    \
	X(WALK, "walk_cycles_per_object", "walk cycles/object", "%.1f", 0, 0)                      \
	X(WALK_LEAST, "overlapped_walk_cycles_per_object", "overlapped", "%.1f", 0, 0)             \
	X(WORKING_SET, "pages_per_1000_ops", "pages/1000 ops", "%.1f", 0, 0)                       \
	X(PAGES, "pages_peak", "peak pages", "%.0f", 0, 0)                                         \
	X(TABLES, "page_table_bytes", "page tables B", "%.0f", 0, 0)                               \
	X(CALL, "call_ns", "alloc+free ns", "%.1f", 1, 1)                                          \
	X(CALL_RATIO, "call_ratio", "to kmalloc", "%.2f", 1, 0)                                    \
	X(TOUCH, "touch_ns", "touch ns", "%.2f", 1, 1)                                             \
	X(TOUCH_FLAT, "touch_flat_ns", "same bytes in 2M", "%.2f", 1, 1)                           \
	X(TRANSLATION, "translation_ns", "so translation ns", "%.2f", 1, 1)                        \
	X(OVERLAPPED, "predicted_overlapped_ns", "model, overlapped", "%.2f", 1, 0)                \
	X(PREDICTED, "predicted_ns", "model, dependent", "%.2f", 1, 0)

enum km_compare_column {
#define X(constant, key, title, format, timed, interval) KM_COMPARE_##constant,
	KM_COMPARE_COLUMNS(X)
#undef X
		KM_COMPARE_NR_COLUMNS
};

struct km_compare_row {
	char what[160], placement[64]; /* size class or call site */
	/* NAN: not measured; a plain number is the median. */
	struct km_bench_figure values[KM_COMPARE_NR_COLUMNS];
};

struct km_compare_document {
	const struct km_tlb_comparison *asked;
	const struct km_tlb_choice *tlb;
	struct km_compare_row *rows;
	size_t nr_rows;
	char why[KM_TLB_MAPS][200], gives[KM_TLB_MAPS][120]; /* of km_touches */
	double coverage;                                     /* likewise */
	double trace_coverage; /* km_coverage(): share of the events that is there */
	char splinters[200];   /* what a hypervisor makes of 2 MiB pages; "" not known */
};

void km_compare_print(const struct km_compare_document *document);

#endif
