/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab info T.kmt: what is in a trace, what was lost and filtered, and what the repair pass
 * decided. One list of facts serves the JSON document and the tables (there a group's name is a
 * prefix).
 */
#include "analysis.h"

#include "results/emit.h"
#include "results/options.h"
#include "results/query.h"
#include "results/term.h"
#include "traces/repair.h"
#include "traces/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- gathering ---- */

struct info {
	struct km_trace *trace;
	struct km_trace_counts counts; /* recorded: corrected by counting where necessary */
	struct km_repair_counts repair;
	uint64_t events, fired, lost, file_bytes, chunk_bytes;
	uint32_t caches, sites, tasks;
	size_t gaps;
};

/* A ledger that does not add up to the chunks says nothing about the kinds: count the events. */
static int count_kinds(struct info *info, struct km_err *err)
{
	struct km_trace_cursor *cursor;
	struct km_event events[256];
	size_t got = 1;
	int code = km_trace_cursor_open(info->trace, NULL, &cursor, err);

	if (code)
		return code;
	memset(info->counts.recorded, 0, sizeof(info->counts.recorded));
	while (!code && got) {
		code = km_trace_next(cursor, events, 256, &got, err);
		for (size_t i = 0; !code && i < got; i++)
			info->counts.recorded[events[i].kind]++;
	}
	km_trace_cursor_close(cursor);
	return code;
}

static uint64_t payload_bytes(struct sqlite3 *db)
{
	struct km_query *row = NULL;
	uint64_t bytes = 0;

	if (!km_query_open(db, "SELECT sum(length(payload)) FROM chunk", &row, NULL) &&
	    km_query_step(row, NULL) > 0)
		bytes = (uint64_t)km_query_i64(row, 0);
	km_query_close(row);
	return bytes;
}

static int gather(struct info *info, struct km_err *err)
{
	struct km_trace *trace = info->trace;
	struct sqlite3 *db = km_trace_db(trace);
	uint64_t recorded = 0;
	uint32_t count;
	struct stat status;
	int code = km_trace_counts(trace, &info->counts);

	if (code && code != -ENOENT)
		return km_fail(err, code, "the counts of %s cannot be read", km_trace_path(trace));
	info->events = km_trace_events(trace);
	for (unsigned i = 0; i < KM_NR_EVENT_KINDS; i++)
		recorded += info->counts.recorded[i];
	code = recorded == info->events ? 0 : count_kinds(info, err);
	/* A capture that was killed stored none. */
	if (!code && (recorded != info->events || km_trace_repair(trace, &info->repair)))
		code = km_repair_trace(trace, &info->repair, err);
	if (code)
		return code;
	for (unsigned i = 0; i < KM_NR_EVENT_KINDS; i++)
		info->fired += info->counts.fired[i];
	for (unsigned i = 0; i < KM_NR_LOSS_CAUSES; i++)
		info->lost += info->counts.lost[i];
	info->chunk_bytes = payload_bytes(db);
	if (!stat(km_trace_path(trace), &status))
		info->file_bytes = (uint64_t)status.st_size;
	km_trace_caches(trace, &count);
	info->caches = count ? count - 1 : 0;
	km_trace_site_table(trace, &count);
	info->sites = count ? count - 1 : 0;
	km_trace_tasks(trace, &count);
	info->tasks = count ? count - 1 : 0;
	km_trace_gaps(trace, &info->gaps);
	return 0;
}

/* ---- printing ---- */

struct sink {
	struct km_json *json;   /* or NULL */
	struct km_table *table; /* or NULL */
	const char *group;      /* NULL: top level */
};

static void key_cell(struct sink *sink, const char *key)
{
	km_table_cellf(sink->table, "%s%s%s", sink->group ? sink->group : "",
		       sink->group ? "." : "", key);
}

static void put_group(struct sink *sink, const char *group)
{
	sink->group = group;
	if (sink->json)
		km_json_object(sink->json, group);
}

static void put_end(struct sink *sink)
{
	sink->group = NULL;
	if (sink->json)
		km_json_close(sink->json);
}

static void put_u64(struct sink *sink, const char *key, uint64_t value)
{
	if (sink->json) {
		km_json_u64(sink->json, key, value);
		return;
	}
	key_cell(sink, key);
	km_table_cellf(sink->table, "%" PRIu64, value);
}

static void put_i64(struct sink *sink, const char *key, int64_t value)
{
	if (sink->json) {
		km_json_i64(sink->json, key, value);
		return;
	}
	key_cell(sink, key);
	km_table_cellf(sink->table, "%" PRId64, value);
}

static void put_str(struct sink *sink, const char *key, const char *value)
{
	if (sink->json) {
		km_json_str(sink->json, key, value);
		return;
	}
	key_cell(sink, key);
	km_table_cell(sink->table, value);
}

static void put_bool(struct sink *sink, const char *key, bool value)
{
	if (sink->json)
		km_json_bool(sink->json, key, value);
	else
		put_str(sink, key, value ? "true" : "false");
}

static void put_f64(struct sink *sink, const char *key, double value)
{
	char text[32] = "";

	if (sink->json) {
		km_json_f64(sink->json, key, value);
		return;
	}
	if (!isnan(value))
		snprintf(text, sizeof(text), "%.2f", value);
	put_str(sink, key, text);
}

/* A capture that was killed never said what fired and what it filtered. */
static void put_known(struct sink *sink, const char *key, const struct info *info, uint64_t value)
{
	if (km_trace_complete(info->trace))
		put_u64(sink, key, value);
	else
		put_f64(sink, key, NAN);
}

static void put_lost(struct sink *sink, const char *key, const struct info *info, uint64_t value)
{
	if (!value && !km_trace_loss_known(info->trace))
		put_f64(sink, key, NAN);
	else
		put_u64(sink, key, value);
}

static void put_counts(struct sink *sink, const struct info *info)
{
	const struct km_trace_counts *counts = &info->counts;

	put_group(sink, "events");
	for (unsigned i = 0; i < KM_NR_EVENT_KINDS; i++)
		if (counts->recorded[i] || counts->fired[i])
			put_u64(sink, km_event_name(i), counts->recorded[i]);
	put_end(sink);
	put_u64(sink, "events_total", info->events);
	if (!km_trace_loss_known(info->trace)) /* nor what fired */
		put_f64(sink, "fired", NAN);
	else
		put_known(sink, "fired", info, info->fired);
	put_u64(sink, "recorded", info->events);
	put_lost(sink, "lost_total", info, info->lost);
	put_group(sink, "lost");
	for (unsigned i = 0; i < KM_NR_LOSS_CAUSES; i++)
		put_lost(sink, km_loss_cause_names[i], info, counts->lost[i]);
	put_end(sink);
	put_group(sink, "filtered");
#define X(reason, meaning) put_known(sink, #reason, info, counts->filtered_##reason);
	KM_FILTER_REASONS(X)
#undef X
	put_end(sink);
	put_u64(sink, "gaps", info->gaps);
}

/*
 * Does what was allocated and freed add up? Before repair events are just counted; after it every
 * object that began has ended or is open.
 */
static void put_balance(struct sink *sink, const struct info *info)
{
	const struct km_repair_counts *repair = &info->repair;
	uint64_t allocs = 0, frees = 0, ended = repair->matched_frees + repair->implied_frees;

	for (unsigned i = 0; i < KM_NR_EVENT_KINDS; i++) {
		allocs += km_event_is_alloc(i) ? info->counts.recorded[i] : 0;
		frees += km_event_is_free(i) ? info->counts.recorded[i] : 0;
	}
	put_group(sink, "balance");
	put_u64(sink, "allocs_before", allocs);
	put_u64(sink, "frees_before", frees);
	put_i64(sink, "open_before", (int64_t)(allocs - frees));
	put_u64(sink, "allocs_after", repair->objects);
	put_u64(sink, "frees_after", ended);
	put_i64(sink, "open_after", (int64_t)(repair->objects - ended));
	put_end(sink);
}

static void put_all(struct sink *sink, const struct info *info)
{
	const struct km_trace *trace = info->trace;
	double events = info->events ? (double)info->events : NAN;

	put_str(sink, "kernel", km_trace_meta(trace, "kernel"));
	put_u64(sink, "cpus", km_trace_cpus(trace));
	put_str(sink, "profile", km_trace_meta(trace, "profile"));
	put_str(sink, "command", km_trace_meta(trace, "command"));
	put_str(sink, "started", km_trace_meta(trace, "started"));
	put_u64(sink, "duration_ns", km_trace_duration_ns(trace));
	put_bool(sink, "complete", km_trace_complete(trace));
	put_counts(sink, info);
	put_f64(sink, "bytes_per_event", (double)info->file_bytes / events);
	put_f64(sink, "chunk_bytes_per_event", (double)info->chunk_bytes / events);
	put_u64(sink, "file_bytes", info->file_bytes);
	put_u64(sink, "caches", info->caches);
	put_u64(sink, "sites", info->sites);
	put_u64(sink, "tasks", info->tasks);
	put_str(sink, "groups", km_trace_meta(trace, "groups"));
	put_str(sink, "sample", km_trace_meta(trace, "sample"));
	put_str(sink, "filter", km_trace_meta(trace, "filter"));
	put_group(sink, "repair");
#define X(field, meaning) put_u64(sink, #field, info->repair.field);
	KM_REPAIR_COUNTERS(X)
#undef X
	put_end(sink);
	put_balance(sink, info);
}

static void print_info(const struct info *info, enum km_format format)
{
	static const char *const titles[] = {"fact", "value>"};
	struct km_json json;
	struct sink sink = {0};

	if (format == KM_FORMAT_JSON) {
		km_json_begin(&json, stdout);
		km_json_u64(&json, "schema", 1);
		sink.json = &json;
		put_all(&sink, info);
		km_json_end(&json);
		return;
	}
	sink.table = km_table_new(2, titles);
	put_all(&sink, info);
	km_table_print(sink.table, stdout, format);
	km_table_free(sink.table);
}

/* ---- the command ---- */

struct info_args {
	const char *file;
	struct km_common_options common;
};

static int parse_option(int key, char *arg, struct argp_state *state)
{
	struct info_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		km_take_trace(state, arg, &args->file);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int km_cmd_info(int argc, char **argv)
{
	static const char doc[] =
		"Say what is in a trace, what was lost, and how incomplete events were read.\v"
		"fired = recorded + lost + filtered. The repair numbers tell what was decided "
		"about "
		"events that do not pair up: frees never seen, frees of objects older than the "
		"trace. The balance is allocations less frees: as the events say it, and after "
		"those decisions.\n\n"
		"EXAMPLES\n"
		"  kmlab info t.kmt\n"
		"  kmlab info t.kmt --format json";
	const struct argp argp = {NULL, parse_option, "T.kmt", doc, km_common_children, NULL, NULL};
	struct info_args args = {0};
	struct info info = {0};
	struct km_err err = {""};
	int code = KM_EXIT_OK;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	if (km_trace_open(args.file, &info.trace, &err))
		return km_error("%s", err.text);
	if (gather(&info, &err)) {
		code = km_error("%s", err.text);
	} else {
		print_info(&info, args.common.format);
		if (!km_trace_complete(info.trace))
			km_note("%s was not finished: it holds what was stored before its capture "
				"ended",
				args.file);
	}
	km_trace_close(info.trace);
	return code;
}
