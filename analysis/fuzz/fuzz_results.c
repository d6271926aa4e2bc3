/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes result files: opened as reports open them, and every list and number of every run read;
 * merged into an empty one, which then holds all of it or nothing. What is drawn and written of
 * that is not covered. In libFuzzer's program the file lies in memory.
 */
#include "analysis/dataset.h"
#include "results/merge.h"
#include "results/query.h"
#include "results/result.h"
#include "traces/fuzz/targets.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 8 /* one of so many is read at a time */

static void read_machine(const struct km_dataset *dataset, const struct km_machine_runs *machine,
			 enum km_name_kind kind, const char *name)
{
	struct km_points points = {0};
	struct km_err err = {""};
	struct km_spread spread;
	struct km_hist hist;
	int code;

	switch (kind) {
	case KM_NAMES_METRIC:
		spread = km_dataset_metric(dataset, machine, name);
		if (spread.count > machine->count ||
		    (spread.count && !(spread.min <= spread.max) && spread.min == spread.min))
			abort();
		break;
	case KM_NAMES_NOTE:
		km_dataset_note(dataset, machine, name);
		break;
	case KM_NAMES_PATH:
		km_dataset_path(dataset, machine, name);
		break;
	}
	if (!km_dataset_hist(dataset, machine, name, &hist)) {
		km_hist_quantile(&hist, 0.5);
		km_hist_quantile(&hist, 0.999);
	}
	code = km_dataset_series(dataset, machine, name, &points, &err);
	if (!code)
		km_points_free(&points);
	else if (code != -ENOENT && !*err.text)
		abort();
}

/* In libFuzzer's program some names of each list, by `draw`; else all of them. */
static void read_trace(const struct km_dataset *dataset, const struct km_trace_results *trace,
		       size_t draw)
{
	static const char *const others[] = {"latency_ns.alloc", "latency_ns.free", "pages",
					     "pages.live", "lifetime_ns"};

	for (unsigned kind = KM_NAMES_METRIC; kind <= KM_NAMES_PATH; kind++) {
		struct km_name *names = NULL;
		struct km_err err = {""};
		size_t count = 0;

		if (km_dataset_names(dataset, trace, kind, &names, &count, &err)) {
			if (!*err.text)
				abort();
			continue;
		}
		for (size_t m = 0; m < trace->machine_count; m++)
			for (size_t i = 0; i < count; i++)
				if (!km_fuzz_shortcuts || i % NAMES == draw)
					read_machine(dataset, &trace->machines[m], kind,
						     names[i].name);
		km_names_free(names, count);
	}
	for (size_t m = 0; m < trace->machine_count; m++)
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
			read_machine(dataset, &trace->machines[m], KM_NAMES_NOTE, others[i]);
	for (size_t i = 0; i < trace->fact_count; i++)
		km_dataset_fact_number(trace, trace->facts[i].key);
}

static uint64_t count_runs(struct km_result *result)
{
	struct km_query *rows = NULL;
	uint64_t count = 0;

	if (km_query_open(km_result_db(result), "SELECT count(*) FROM run", &rows, NULL) ||
	    km_query_step(rows, NULL) <= 0)
		abort();
	count = (uint64_t)km_query_i64(rows, 0);
	km_query_close(rows);
	return count;
}

static void merge(const char *path)
{
	struct km_merge merged = {.keep_first = true};
	struct km_result *to;
	struct km_err err = {""};
	int code;

	if (km_result_create(":memory:", &to, &err) || km_result_begin(to, &err))
		abort();
	code = km_result_merge(to, path, &merged, &err);
	if (code && !*err.text)
		abort();
	if (code)
		km_result_rollback(to);
	else if (km_result_commit(to, &err))
		abort();
	if (count_runs(to) != (code ? 0 : merged.added))
		abort();
	km_result_close(to, NULL);
}

static void run_results(const uint8_t *data, size_t size)
{
	struct km_dataset dataset;
	struct km_err err = {""};

	const char *path;

	if (km_fuzz_shortcuts)
		km_fuzz_shortcuts->threads(false);
	path = km_fuzz_file(data, size);
	if (!km_dataset_open(path, &dataset, &err)) {
		for (size_t i = 0; i < dataset.count; i++)
			read_trace(&dataset, &dataset.traces[i], km_fuzz_draw(data, size, NAMES));
		km_dataset_close(&dataset);
	} else if (!*err.text) {
		abort();
	}
	merge(path);
	km_fuzz_file_remove();
}

static size_t mutate_results(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	return km_fuzz_mutate_db(data, size, room, seed, NULL);
}

KM_FUZZ_TARGET(results, run_results, mutate_results)
