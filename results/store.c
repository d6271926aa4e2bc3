/* SPDX-License-Identifier: GPL-2.0-only */
/* The result file: results/schema.sql through prepared statements. */
#include "results/result.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema_results.h"

/* X(id, SQL): every statement the store uses, prepared on first use. */
#define STATEMENTS(X)                                                                              \
	X(ADD_TRACE, "INSERT INTO trace(uuid, path) VALUES(?1, ?2)"                                \
		     " ON CONFLICT(uuid) DO UPDATE SET path = ?2 RETURNING id")                    \
	X(TRACE_FACT, "INSERT OR REPLACE INTO trace_fact VALUES(?1, ?2, ?3)")                      \
	X(TRACE_HIST, "INSERT OR REPLACE INTO trace_hist VALUES(?1, ?2, ?3, ?4, ?5)")              \
	X(DROP_RUN, "DELETE FROM run WHERE trace=?1 AND model=?2 AND params=?3 AND seed=?4"        \
		    " AND rep=?5")                                                                 \
	X(ADD_RUN, "INSERT INTO run(trace, model, params, seed, rep) VALUES(?1, ?2, ?3, ?4, ?5)")  \
	X(DROP_FAILURE,                                                                            \
	  "DELETE FROM failure WHERE trace=?1 AND model=?2 AND params=?3 AND seed=?4"              \
	  " AND rep=?5")                                                                           \
	X(ADD_FAILURE, "INSERT OR REPLACE INTO failure VALUES(?1, ?2, ?3, ?4, ?5, ?6)")            \
	X(FIND_TRACE, "SELECT id FROM trace WHERE uuid=?1")                                        \
	X(FIND_RUN, "SELECT id FROM run WHERE trace=?1 AND model=?2 AND params=?3 AND seed=?4"     \
		    " AND rep=?5")                                                                 \
	X(GET_FAILURE, "SELECT why FROM failure WHERE trace=?1 AND model=?2 AND params=?3"         \
		       " AND seed=?4 AND rep=?5")                                                  \
	X(METRIC, "INSERT OR REPLACE INTO metric VALUES(?1, ?2, ?3, ?4, ?5)")                      \
	X(NOTE, "INSERT OR REPLACE INTO note VALUES(?1, ?2, ?3)")                                  \
	X(HIST, "INSERT OR REPLACE INTO hist VALUES(?1, ?2, ?3, ?4, ?5)")                          \
	X(SERIES, "INSERT OR REPLACE INTO series VALUES(?1, ?2, ?3, ?4, ?5)")                      \
	X(PATH, "INSERT OR REPLACE INTO path VALUES(?1, ?2, ?3)")                                  \
	X(GET_METRIC, "SELECT value, timing, unit FROM metric WHERE run=?1 AND name=?2")           \
	X(GET_NOTE, "SELECT text FROM note WHERE run=?1 AND name=?2")                              \
	X(GET_HIST, "SELECT total, data FROM hist WHERE run=?1 AND name=?2")                       \
	X(GET_TRACE_HIST, "SELECT total, data FROM trace_hist WHERE trace=?1 AND name=?2")

enum statement {
#define X(id, sql) SQL_##id,
	STATEMENTS(X)
#undef X
		NR_STATEMENTS
};

static const char *const statement_sql[] = {
#define X(id, sql) sql,
	STATEMENTS(X)
#undef X
};

struct km_result {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[NR_STATEMENTS];
};

/* ---- errors ---- */

static int errno_of(int sqlite_code)
{
	switch (sqlite_code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EPROTO;
	default:
		return -EIO;
	}
}

static int fail(struct km_result *result, const char *doing, struct km_err *err)
{
	int code = errno_of(sqlite3_errcode(result->db));

	if (code == -ENOSPC)
		return km_fail(err, code,
			       "%s: no space left while %s; free some space and run again "
			       "(runs already stored are kept)",
			       result->path, doing);
	if (code == -EPROTO)
		return km_fail(err, code,
			       "%s is not a readable result file (%s); make one with "
			       "'kmlab replay T.kmt -o R.kmr'",
			       result->path, sqlite3_errmsg(result->db));
	return km_fail(err, code, "%s: failed while %s: %s", result->path, doing,
		       sqlite3_errmsg(result->db));
}

static int exec(struct km_result *result, const char *sql, const char *doing, struct km_err *err)
{
	if (sqlite3_exec(result->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(result, doing, err);
	return 0;
}

/* ---- open and close ---- */

static int64_t pragma_number(struct km_result *result, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(result->db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static int check_identity(struct km_result *result, struct km_err *err)
{
	int64_t id = pragma_number(result, "PRAGMA application_id");
	int64_t version = pragma_number(result, "PRAGMA user_version");

	if (id < 0 || version < 0)
		return fail(result, "reading its header", err);
	if (id != KM_RESULT_APPLICATION_ID)
		return km_fail(err, -EPROTO,
			       "%s is not a kmlab result file; make one with "
			       "'kmlab replay T.kmt -o R.kmr'",
			       result->path);
	if (version > KM_RESULT_VERSION)
		return km_fail(err, -ENOTSUP,
			       "%s has result format %lld and this kmlab reads up to %d; use the "
			       "kmlab that wrote it or a newer one",
			       result->path, (long long)version, KM_RESULT_VERSION);
	if (pragma_number(result, "SELECT count(*) FROM run") < 0)
		return fail(result, "reading its tables", err);
	return 0;
}

static void discard(struct km_result *result)
{
	if (!result)
		return;
	for (unsigned i = 0; i < NR_STATEMENTS; i++)
		sqlite3_finalize(result->statements[i]);
	sqlite3_close(result->db);
	free(result->path);
	free(result);
}

static int open_file(const char *path, int flags, struct km_result **result, struct km_err *err)
{
	struct km_result *opened = calloc(1, sizeof(*opened));
	int code;

	if (!opened || !(opened->path = strdup(path))) {
		free(opened);
		return km_fail(err, -ENOMEM, "no memory to open %s", path);
	}
	if (sqlite3_open_v2(path, &opened->db, flags, NULL) != SQLITE_OK) {
		code = km_fail(err, errno_of(sqlite3_errcode(opened->db)),
			       "%s cannot be opened (%s); check the path and its permissions", path,
			       sqlite3_errmsg(opened->db));
		discard(opened);
		return code;
	}
	sqlite3_busy_timeout(opened->db, 5000);
	*result = opened;
	return 0;
}

static int initialise(struct km_result *result, struct km_err *err)
{
	char pragmas[160];
	int code;

	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d;",
		 KM_RESULT_APPLICATION_ID, KM_RESULT_VERSION);
	code = exec(result, "BEGIN IMMEDIATE", "creating its tables", err);
	if (!code)
		code = exec(result, km_results_schema, "creating its tables", err);
	if (!code)
		code = exec(result, pragmas, "creating its tables", err);
	if (!code)
		code = exec(result, "COMMIT", "creating its tables", err);
	return code;
}

/* Runs are added to whole files only: what is added to a damaged one could not be read back. */
static int check_whole(struct km_result *result, struct km_err *err)
{
	sqlite3_stmt *statement = NULL;
	bool whole = false;

	if (sqlite3_prepare_v2(result->db, "PRAGMA quick_check(1)", -1, &statement, NULL) ==
		    SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		whole = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
	sqlite3_finalize(statement);
	if (whole)
		return 0;
	return km_fail(err, -EPROTO,
		       "%s is damaged; move it away, or name another file for the results",
		       result->path);
}

int km_result_create(const char *path, struct km_result **result, struct km_err *err)
{
	struct km_result *opened;
	struct stat status;
	bool exists = stat(path, &status) == 0;
	bool empty = !exists || status.st_size == 0;
	int code;

	if (exists && !S_ISREG(status.st_mode))
		return km_fail(err, -EINVAL,
			       "%s is not a plain file; name another place for the results", path);
	code = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &opened, err);
	if (code)
		return code;
	code = empty ? 0 : check_identity(opened, err);
	if (!code && !empty)
		code = check_whole(opened, err);
	if (!code) /* also what an older kmlab did not know of */
		code = initialise(opened, err);
	if (!code)
		code = exec(opened,
			    "PRAGMA foreign_keys=ON; PRAGMA journal_mode=WAL;"
			    " PRAGMA synchronous=NORMAL",
			    "preparing to write", err);
	if (code) {
		discard(opened);
		if (!exists) /* only what this call made */
			unlink(path);
		return code;
	}
	*result = opened;
	return 0;
}

int km_result_open(const char *path, struct km_result **result, struct km_err *err)
{
	struct km_result *opened;
	int code;

	if (access(path, F_OK) != 0)
		return km_fail(err, -ENOENT,
			       "%s does not exist; make it with 'kmlab replay T.kmt -o %s'", path,
			       path);
	code = open_file(path, SQLITE_OPEN_READWRITE, &opened, err);
	if (code)
		return code;
	code = check_identity(opened, err);
	if (code) {
		discard(opened);
		return code;
	}
	*result = opened;
	return 0;
}

int km_result_close(struct km_result *result, struct km_err *err)
{
	int code = 0;

	if (!result)
		return 0;
	for (unsigned i = 0; i < NR_STATEMENTS; i++) {
		sqlite3_finalize(result->statements[i]);
		result->statements[i] = NULL;
	}
	if (sqlite3_db_readonly(result->db, "main") != 1)
		code = exec(result, "PRAGMA journal_mode=DELETE", "finishing", err);
	discard(result);
	return code;
}

struct sqlite3 *km_result_db(struct km_result *result)
{
	return result->db;
}

int km_result_begin(struct km_result *result, struct km_err *err)
{
	return exec(result, "BEGIN IMMEDIATE", "starting a transaction", err);
}

int km_result_commit(struct km_result *result, struct km_err *err)
{
	return exec(result, "COMMIT", "committing", err);
}

void km_result_rollback(struct km_result *result)
{
	sqlite3_exec(result->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- statements ---- */

static sqlite3_stmt *prepared(struct km_result *result, enum statement which)
{
	sqlite3_stmt **statement = &result->statements[which];

	if (!*statement &&
	    sqlite3_prepare_v2(result->db, statement_sql[which], -1, statement, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
	return *statement;
}

static int step_done(struct km_result *result, sqlite3_stmt *statement, struct km_err *err)
{
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		return fail(result, "storing a result", err);
	return 0;
}

int km_result_add_trace(struct km_result *result, const char *uuid, const char *path, int64_t *id,
			struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, SQL_ADD_TRACE);

	if (!statement)
		return fail(result, "adding a trace", err);
	sqlite3_bind_text(statement, 1, uuid, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, path, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW)
		return fail(result, "adding a trace", err);
	*id = sqlite3_column_int64(statement, 0);
	return step_done(result, statement, err);
}

int km_result_trace_fact(struct km_result *result, int64_t trace, const char *key,
			 const char *value, struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, SQL_TRACE_FACT);

	if (!statement)
		return fail(result, "storing a trace fact", err);
	sqlite3_bind_int64(statement, 1, trace);
	sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, value, -1, SQLITE_STATIC);
	return step_done(result, statement, err);
}

static void bind_key(sqlite3_stmt *statement, const struct km_run_key *key)
{
	sqlite3_bind_int64(statement, 1, key->trace);
	sqlite3_bind_text(statement, 2, key->model, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, key->params, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, (int64_t)key->seed);
	sqlite3_bind_int64(statement, 5, key->rep);
}

int km_result_add_run(struct km_result *result, const struct km_run_key *key, int64_t *run,
		      struct km_err *err)
{
	const enum statement steps[] = {SQL_DROP_RUN, SQL_DROP_FAILURE, SQL_ADD_RUN};
	int code = 0;

	for (unsigned i = 0; i < 3 && !code; i++) {
		sqlite3_stmt *statement = prepared(result, steps[i]);

		if (!statement)
			return fail(result, "adding a run", err);
		bind_key(statement, key);
		code = step_done(result, statement, err);
	}
	if (!code)
		*run = sqlite3_last_insert_rowid(result->db);
	return code;
}

int km_result_add_failure(struct km_result *result, const struct km_run_key *key, const char *why,
			  struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, SQL_ADD_FAILURE);

	if (!statement)
		return fail(result, "storing why a run failed", err);
	bind_key(statement, key);
	sqlite3_bind_text(statement, 6, why, -1, SQLITE_STATIC);
	return step_done(result, statement, err);
}

int km_result_metric(struct km_result *result, int64_t run, const char *name, const char *unit,
		     double value, bool timing, struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, SQL_METRIC);

	if (!statement)
		return fail(result, "storing a metric", err);
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, unit, -1, SQLITE_STATIC);
	sqlite3_bind_double(statement, 4, value);
	sqlite3_bind_int(statement, 5, timing);
	return step_done(result, statement, err);
}

int km_result_note(struct km_result *result, int64_t run, const char *name, const char *text,
		   struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, SQL_NOTE);

	if (!statement)
		return fail(result, "storing a note", err);
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC);
	return step_done(result, statement, err);
}

int km_result_path(struct km_result *result, int64_t run, const char *name, uint64_t count,
		   struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, SQL_PATH);

	if (!statement)
		return fail(result, "storing a path count", err);
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, (int64_t)count);
	return step_done(result, statement, err);
}

int km_result_series(struct km_result *result, int64_t run, const char *name, const char *unit,
		     size_t n, const uint64_t *time_ns, const double *value, struct km_err *err)
{
	int code = 0;

	for (size_t i = 0; i < n && !code; i++) {
		sqlite3_stmt *statement = prepared(result, SQL_SERIES);

		if (!statement)
			return fail(result, "storing a series", err);
		sqlite3_bind_int64(statement, 1, run);
		sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(statement, 3, unit, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 4, (int64_t)time_ns[i]);
		if (isnan(value[i]))
			sqlite3_bind_null(statement, 5);
		else
			sqlite3_bind_double(statement, 5, value[i]);
		code = step_done(result, statement, err);
	}
	return code;
}

/* ---- histograms: sum, min, max, then the buckets that are not 0 ---- */

static uint64_t *pack_hist(const struct km_hist *hist, size_t *words)
{
	uint64_t *packed = malloc((3 + 2 * (size_t)KM_HIST_BUCKETS) * sizeof(uint64_t));
	size_t used = 3;

	if (!packed)
		return NULL;
	packed[0] = hist->sum;
	packed[1] = hist->min;
	packed[2] = hist->max;
	for (unsigned i = 0; i < KM_HIST_BUCKETS; i++) {
		if (!hist->bucket[i])
			continue;
		packed[used++] = i;
		packed[used++] = hist->bucket[i];
	}
	*words = used;
	return packed;
}

static int unpack_hist(sqlite3_stmt *statement, struct km_hist *hist)
{
	const uint64_t *packed = sqlite3_column_blob(statement, 1);
	size_t words = (size_t)sqlite3_column_bytes(statement, 1) / sizeof(uint64_t);
	uint64_t word[2];

	memset(hist, 0, sizeof(*hist));
	if (!packed || words < 3 || (words - 3) % 2)
		return -EPROTO;
	memcpy(&hist->sum, packed, sizeof(uint64_t));
	memcpy(&hist->min, packed + 1, sizeof(uint64_t));
	memcpy(&hist->max, packed + 2, sizeof(uint64_t));
	for (size_t i = 3; i < words; i += 2) {
		memcpy(word, packed + i, sizeof(word));
		if (word[0] >= KM_HIST_BUCKETS)
			return -EPROTO;
		hist->bucket[word[0]] = word[1];
		hist->total += word[1];
	}
	return 0;
}

static int store_hist(struct km_result *result, enum statement which, int64_t owner,
		      const char *name, const char *unit, const struct km_hist *hist,
		      struct km_err *err)
{
	sqlite3_stmt *statement = prepared(result, which);
	size_t words;
	uint64_t *packed = pack_hist(hist, &words);
	int code;

	if (!packed)
		return km_fail(err, -ENOMEM, "no memory to store the histogram %s", name);
	if (!statement) {
		free(packed);
		return fail(result, "storing a histogram", err);
	}
	sqlite3_bind_int64(statement, 1, owner);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, unit, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, (int64_t)hist->total);
	sqlite3_bind_blob(statement, 5, packed, (int)(words * sizeof(uint64_t)), SQLITE_STATIC);
	code = step_done(result, statement, err);
	free(packed);
	return code;
}

int km_result_hist(struct km_result *result, int64_t run, const char *name, const char *unit,
		   const struct km_hist *hist, struct km_err *err)
{
	return store_hist(result, SQL_HIST, run, name, unit, hist, err);
}

int km_result_trace_hist(struct km_result *result, int64_t trace, const char *name,
			 const char *unit, const struct km_hist *hist, struct km_err *err)
{
	return store_hist(result, SQL_TRACE_HIST, trace, name, unit, hist, err);
}

static int load_hist(struct km_result *result, enum statement which, int64_t owner,
		     const char *name, struct km_hist *hist)
{
	sqlite3_stmt *statement = prepared(result, which);
	int code = -ENOENT;

	if (!statement)
		return -EIO;
	sqlite3_bind_int64(statement, 1, owner);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) == SQLITE_ROW)
		code = unpack_hist(statement, hist);
	sqlite3_reset(statement);
	return code;
}

int km_result_get_hist(struct km_result *result, int64_t run, const char *name,
		       struct km_hist *hist)
{
	return load_hist(result, SQL_GET_HIST, run, name, hist);
}

int km_result_get_trace_hist(struct km_result *result, int64_t trace, const char *name,
			     struct km_hist *hist)
{
	return load_hist(result, SQL_GET_TRACE_HIST, trace, name, hist);
}

int km_result_get_measure(struct km_result *result, int64_t run, const char *name,
			  struct km_measure *measure)
{
	sqlite3_stmt *statement = prepared(result, SQL_GET_METRIC);
	int code = -ENOENT;

	if (!statement)
		return -EIO;
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) == SQLITE_ROW) {
		measure->value = sqlite3_column_double(statement, 0);
		measure->timed = sqlite3_column_int(statement, 1);
		snprintf(measure->unit, sizeof(measure->unit), "%s",
			 (const char *)sqlite3_column_text(statement, 2));
		code = 0;
	}
	sqlite3_reset(statement);
	return code;
}

int km_result_get_metric(struct km_result *result, int64_t run, const char *name, double *value)
{
	struct km_measure measure;
	int code = km_result_get_measure(result, run, name, &measure);

	if (!code)
		*value = measure.value;
	return code;
}

const char *km_result_get_note(struct km_result *result, int64_t run, const char *name)
{
	sqlite3_stmt *statement = prepared(result, SQL_GET_NOTE);

	if (!statement)
		return NULL;
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW)
		return NULL;
	return (const char *)sqlite3_column_text(statement, 0);
}

/* The one number of the first row. */
static int find_id(sqlite3_stmt *statement, int64_t *id)
{
	int code = -ENOENT;

	if (sqlite3_step(statement) == SQLITE_ROW) {
		*id = sqlite3_column_int64(statement, 0);
		code = 0;
	}
	sqlite3_reset(statement);
	return code;
}

int km_result_find_trace(struct km_result *result, const char *uuid, int64_t *trace)
{
	sqlite3_stmt *statement = prepared(result, SQL_FIND_TRACE);

	if (!statement)
		return -EIO;
	sqlite3_bind_text(statement, 1, uuid, -1, SQLITE_STATIC);
	return find_id(statement, trace);
}

int km_result_find_run(struct km_result *result, const struct km_run_key *key, int64_t *run)
{
	sqlite3_stmt *statement = prepared(result, SQL_FIND_RUN);

	if (!statement)
		return -EIO;
	bind_key(statement, key);
	return find_id(statement, run);
}

const char *km_result_get_failure(struct km_result *result, const struct km_run_key *key)
{
	sqlite3_stmt *statement = prepared(result, SQL_GET_FAILURE);

	if (!statement) /* an older file has no such table */
		return NULL;
	bind_key(statement, key);
	if (sqlite3_step(statement) != SQLITE_ROW)
		return NULL;
	return (const char *)sqlite3_column_text(statement, 0);
}
