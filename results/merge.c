/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs copied from one result file to another, row by row, their ids made anew. */
#include "results/merge.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows that belong to a run ---- */

static const struct rows {
	const char *read, *write;
	int columns;
} tables[] = {
	{"SELECT name, unit, value, timing FROM metric WHERE run=?1",
	 "INSERT INTO metric VALUES(?1, ?2, ?3, ?4, ?5)", 4},
	{"SELECT name, text FROM note WHERE run=?1", "INSERT INTO note VALUES(?1, ?2, ?3)", 2},
	{"SELECT name, unit, total, data FROM hist WHERE run=?1",
	 "INSERT INTO hist VALUES(?1, ?2, ?3, ?4, ?5)", 4},
	{"SELECT name, unit, time_ns, value FROM series WHERE run=?1",
	 "INSERT INTO series VALUES(?1, ?2, ?3, ?4, ?5)", 4},
	{"SELECT name, count FROM path WHERE run=?1", "INSERT INTO path VALUES(?1, ?2, ?3)", 2},
};
#define NR_TABLES (sizeof(tables) / sizeof(tables[0]))

static const struct rows of_trace = {
	"SELECT name, unit, total, data FROM trace_hist WHERE trace=?1",
	"INSERT OR IGNORE INTO trace_hist VALUES(?1, ?2, ?3, ?4, ?5)", 4};

/* What equal runs have in common; the first column names what is compared. */
static const char *const fixed[] = {
	"SELECT name, unit, value FROM metric WHERE run=?1 AND timing=0 ORDER BY name",
	"SELECT name, count FROM path WHERE run=?1 ORDER BY name",
	"SELECT name, time_ns, value FROM series WHERE run=?1 ORDER BY name, time_ns",
};
/* What they may differ in. */
static const char *const timed[] = {
	"SELECT name, unit, value FROM metric WHERE run=?1 AND timing=1 ORDER BY name",
	"SELECT name, total, data FROM hist WHERE run=?1 ORDER BY name",
	"SELECT name, text FROM note WHERE run=?1 ORDER BY name",
};

struct merging {
	struct km_result *to, *from;
	const char *path; /* of `from` */
	struct km_merge *merge;
	struct km_err *err;
	const char *uuid; /* the trace that is merged, and its ids in both */
	int64_t trace, from_trace;
};

static int failed(const struct merging *merging, sqlite3 *db)
{
	bool reads = db == km_result_db(merging->from);
	const char *why = sqlite3_errmsg(db);

	if (reads || !strncmp(why, "CHECK", 5) || !strncmp(why, "NOT NULL", 8))
		return km_fail(merging->err, -EPROTO,
			       "%s is damaged (%s); make it again, or leave it out", merging->path,
			       why);
	return km_fail(merging->err, -EIO,
		       "the runs of %s could not be stored: %s; look for space, and "
		       "merge again",
		       merging->path, why);
}

static sqlite3_stmt *open_rows(const struct merging *merging, struct km_result *result,
			       const char *sql, int64_t id)
{
	sqlite3_stmt *rows = NULL;

	if (sqlite3_prepare_v2(km_result_db(result), sql, -1, &rows, NULL) != SQLITE_OK) {
		failed(merging, km_result_db(result));
		return NULL;
	}
	sqlite3_bind_int64(rows, 1, id);
	return rows;
}

static int copy_rows(const struct merging *merging, const struct rows *rows, int64_t from,
		     int64_t to)
{
	sqlite3_stmt *read = open_rows(merging, merging->from, rows->read, from);
	sqlite3_stmt *write = open_rows(merging, merging->to, rows->write, to);
	int code = read && write ? 0 : -EPROTO, step = SQLITE_DONE;

	while (!code && (step = sqlite3_step(read)) == SQLITE_ROW) {
		for (int i = 0; i < rows->columns; i++)
			sqlite3_bind_value(write, i + 2, sqlite3_column_value(read, i));
		if (sqlite3_step(write) != SQLITE_DONE)
			code = failed(merging, km_result_db(merging->to));
		sqlite3_reset(write);
	}
	if (!code && step != SQLITE_DONE)
		code = failed(merging, km_result_db(merging->from));
	sqlite3_finalize(read);
	sqlite3_finalize(write);
	return code;
}

/* ---- is it the same run ---- */

static bool equal_values(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
	int type = sqlite3_column_type(a, column);

	if (type != sqlite3_column_type(b, column))
		return false;
	if (type == SQLITE_INTEGER)
		return sqlite3_column_int64(a, column) == sqlite3_column_int64(b, column);
	if (type == SQLITE_FLOAT)
		return sqlite3_column_double(a, column) == sqlite3_column_double(b, column);
	return type == SQLITE_NULL ||
	       (sqlite3_column_bytes(a, column) == sqlite3_column_bytes(b, column) &&
		!memcmp(sqlite3_column_blob(a, column), sqlite3_column_blob(b, column),
			(size_t)sqlite3_column_bytes(a, column)));
}

/* 1: the same rows; 0: not, and `what` names the first that differs; or -errno. */
static int equal_rows(const struct merging *merging, const char *sql, int64_t from, int64_t to,
		      char what[64])
{
	sqlite3_stmt *a = open_rows(merging, merging->from, sql, from);
	sqlite3_stmt *b = open_rows(merging, merging->to, sql, to);
	int code = a && b ? 1 : -EPROTO;

	while (code > 0) {
		int at = sqlite3_step(a), other = sqlite3_step(b);

		if (at != SQLITE_ROW && at != SQLITE_DONE)
			code = failed(merging, km_result_db(merging->from));
		else if (other != SQLITE_ROW && other != SQLITE_DONE)
			code = failed(merging, km_result_db(merging->to));
		else if (at != other)
			code = 0;
		for (int i = 0; code > 0 && at == SQLITE_ROW && i < sqlite3_column_count(a); i++)
			code = equal_values(a, b, i);
		if (!code) {
			const void *name = sqlite3_column_text(at == SQLITE_ROW ? a : b, 0);

			snprintf(what, 64, "%s", name ? (const char *)name : "?");
		}
		if (at != SQLITE_ROW)
			break;
	}
	sqlite3_finalize(a);
	sqlite3_finalize(b);
	return code;
}

/* A run of that key is there: it must be the same one. */
static int meet(const struct merging *merging, const struct km_run_key *key, int64_t from,
		int64_t to)
{
	char what[64];
	int code = 1;

	for (size_t i = 0; i < 3 && code > 0; i++)
		code = equal_rows(merging, fixed[i], from, to, what);
	if (!code)
		return km_fail(
			merging->err, -EILSEQ,
			"%s and the files before it disagree about %s with %.60s, seed %llu, "
			"repetition %u: %s is another, although it does not depend on the "
			"machine; they are of different TLBs, traces or versions of kmlab, "
			"so leave one out",
			merging->path, key->model, key->params, (unsigned long long)key->seed,
			key->rep, what);
	for (size_t i = 0; i < 3 && code > 0; i++)
		code = equal_rows(merging, timed[i], from, to, what);
	if (code > 0)
		merging->merge->same++;
	if (!code && !merging->merge->keep_first)
		return km_fail(merging->err, -EEXIST,
			       "%s and a file before it have both timed %s with %.60s, seed %llu, "
			       "repetition %u; leave one out, or keep the run of the first with "
			       "--keep-first",
			       merging->path, key->model, key->params,
			       (unsigned long long)key->seed, key->rep);
	if (!code)
		merging->merge->left_out++;
	return code < 0 ? code : 0;
}

/* ---- runs ---- */

/* Columns from `first` on: model, params, seed, rep. */
static int read_key(const struct merging *merging, sqlite3_stmt *row, int first,
		    struct km_run_key *key)
{
	*key = (struct km_run_key){
		.trace = merging->trace,
		.model = (const char *)sqlite3_column_text(row, first),
		.params = (const char *)sqlite3_column_text(row, first + 1),
		.seed = (uint64_t)sqlite3_column_int64(row, first + 2),
		.rep = (unsigned)sqlite3_column_int64(row, first + 3),
	};
	if (key->model && key->params)
		return 0;
	return km_fail(merging->err, -EPROTO,
		       "%s is damaged (a run without a model); make it again, or leave it out",
		       merging->path);
}

static int merge_run(const struct merging *merging, sqlite3_stmt *row)
{
	int64_t from = sqlite3_column_int64(row, 0), to;
	struct km_run_key key;
	int code = read_key(merging, row, 1, &key);

	if (code)
		return code;
	if (!km_result_find_run(merging->to, &key, &to))
		return meet(merging, &key, from, to);
	code = km_result_add_run(merging->to, &key, &to, merging->err);
	for (size_t i = 0; i < NR_TABLES && !code; i++)
		code = copy_rows(merging, &tables[i], from, to);
	merging->merge->added += !code;
	return code;
}

static int merge_failure(const struct merging *merging, sqlite3_stmt *row)
{
	struct km_run_key key;
	int64_t run;
	int code = read_key(merging, row, 0, &key);
	const char *why = (const char *)sqlite3_column_text(row, 4);

	if (code || !km_result_find_run(merging->to, &key, &run))
		return code;
	return km_result_add_failure(merging->to, &key, why ? why : "not known", merging->err);
}

/* ---- traces ---- */

/* Facts that tell of the replay, not of the trace. */
static bool may_differ(const char *key)
{
	return !strcmp(key, "replay_command") || !strcmp(key, "sample") ||
	       !strncmp(key, "fidelity_", strlen("fidelity_"));
}

static int merge_fact(const struct merging *merging, sqlite3_stmt *row)
{
	const char *key = (const char *)sqlite3_column_text(row, 0);
	const char *value = (const char *)sqlite3_column_text(row, 1);
	sqlite3_stmt *there =
		open_rows(merging, merging->to,
			  "SELECT value FROM trace_fact WHERE trace=?1 AND key=?2", merging->trace);
	int code = there && key && value ? 0 : -EPROTO;

	if (code) {
		sqlite3_finalize(there);
		return km_fail(merging->err, code, "%s is damaged (a fact of a trace is empty)",
			       merging->path);
	}
	sqlite3_bind_text(there, 2, key, -1, SQLITE_STATIC);
	if (sqlite3_step(there) != SQLITE_ROW)
		code = km_result_trace_fact(merging->to, merging->trace, key, value, merging->err);
	else if (!may_differ(key) && strcmp((const char *)sqlite3_column_text(there, 0), value))
		code = km_fail(
			merging->err, -EILSEQ,
			"%s and the files before it disagree about the trace %.60s (%.40s is "
			"%.60s and was %.60s); its file changed between them, or kmlab did, "
			"so leave one out",
			merging->path, merging->uuid, key, value,
			(const char *)sqlite3_column_text(there, 0));
	sqlite3_finalize(there);
	return code;
}

typedef int (*visitor)(const struct merging *merging, sqlite3_stmt *row);

static int each_row(const struct merging *merging, const char *sql, visitor visit)
{
	sqlite3_stmt *rows = open_rows(merging, merging->from, sql, merging->from_trace);
	int code = rows ? 0 : -EPROTO, step = SQLITE_DONE;

	while (!code && (step = sqlite3_step(rows)) == SQLITE_ROW)
		code = visit(merging, rows);
	if (!code && step != SQLITE_DONE)
		code = failed(merging, km_result_db(merging->from));
	sqlite3_finalize(rows);
	return code;
}

static int merge_trace(const struct merging *merging, sqlite3_stmt *row)
{
	struct merging one = *merging;
	const char *path = (const char *)sqlite3_column_text(row, 2);
	int64_t id;
	int code = 0;

	one.from_trace = sqlite3_column_int64(row, 0);
	one.uuid = (const char *)sqlite3_column_text(row, 1);
	if (!one.uuid || !path)
		return km_fail(merging->err, -EPROTO, "%s is damaged (a trace without a name)",
			       merging->path);
	if (km_result_find_trace(merging->to, one.uuid, &id))
		code = km_result_add_trace(merging->to, one.uuid, path, &id, merging->err);
	one.trace = id;
	if (!code)
		code = each_row(&one, "SELECT key, value FROM trace_fact WHERE trace=?1",
				merge_fact);
	if (!code)
		code = copy_rows(&one, &of_trace, one.from_trace, one.trace);
	if (!code)
		code = each_row(&one,
				"SELECT id, model, params, seed, rep FROM run WHERE trace=?1 "
				"ORDER BY id",
				merge_run);
	return code;
}

static int merge_failures(const struct merging *merging, sqlite3_stmt *row)
{
	struct merging one = *merging;
	const char *uuid = (const char *)sqlite3_column_text(row, 1);

	one.from_trace = sqlite3_column_int64(row, 0);
	if (!uuid || km_result_find_trace(merging->to, uuid, &one.trace))
		return 0;
	return each_row(&one, "SELECT model, params, seed, rep, why FROM failure WHERE trace=?1",
			merge_failure);
}

int km_result_merge(struct km_result *to, const char *path, struct km_merge *merge,
		    struct km_err *err)
{
	static const char traces[] = "SELECT id, uuid, path FROM trace ORDER BY id";
	struct merging merging = {.to = to, .path = path, .merge = merge, .err = err};
	sqlite3_stmt *table;
	bool knows_failures;
	int code = km_result_open(path, &merging.from, err);

	if (code)
		return code;
	code = each_row(&merging, traces, merge_trace);
	table = code ? NULL
		     : open_rows(&merging, merging.from,
				 "SELECT 1 FROM sqlite_master WHERE type='table' AND "
				 "name='failure'",
				 0);
	knows_failures = table && sqlite3_step(table) == SQLITE_ROW;
	sqlite3_finalize(table);
	if (!code && knows_failures) /* an older file has no such table */
		code = each_row(&merging, traces, merge_failures);
	km_result_close(merging.from, NULL);
	return code;
}
