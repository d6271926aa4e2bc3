/* SPDX-License-Identifier: GPL-2.0-only */
/* A prepared SQLite statement and its rows; an authorizer where only reading is wanted. */
#include "results/query.h"
#include "results/term.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct km_query {
	sqlite3_stmt *statement;
};

/* What is refused within a table that is a function is an error like any other, but for its words.
 */
static int failed(sqlite3 *db, struct km_err *err)
{
	bool refused =
		sqlite3_errcode(db) == SQLITE_AUTH || !strcmp(sqlite3_errmsg(db), "not authorized");

	return km_fail(err, refused ? -EPERM : -EPROTO, "%s", sqlite3_errmsg(db));
}

int km_query_open(struct sqlite3 *db, const char *sql, struct km_query **query, struct km_err *err)
{
	struct km_query *opened = calloc(1, sizeof(*opened));
	const char *rest = "";
	int code = 0;

	if (!opened)
		return km_fail(err, -ENOMEM, "no memory for the statement");
	if (sqlite3_prepare_v2(db, sql, -1, &opened->statement, &rest) != SQLITE_OK)
		code = failed(db, err);
	else if (!opened->statement || rest[strspn(rest, " \t\r\n;")] ||
		 !sqlite3_column_count(opened->statement))
		code = km_fail(err, -EINVAL, "it is not exactly one statement that gives rows");
	if (code) {
		km_query_close(opened);
		return code;
	}
	*query = opened;
	return 0;
}

void km_query_close(struct km_query *query)
{
	if (!query)
		return;
	sqlite3_finalize(query->statement);
	free(query);
}

void km_query_bind_i64(struct km_query *query, int parameter, int64_t value)
{
	sqlite3_bind_int64(query->statement, parameter, value);
}

void km_query_bind_text(struct km_query *query, int parameter, const char *text)
{
	sqlite3_bind_text(query->statement, parameter, text, -1, SQLITE_STATIC);
}

int km_query_step(struct km_query *query, struct km_err *err)
{
	int code = sqlite3_step(query->statement);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : failed(sqlite3_db_handle(query->statement), err);
}

/* ---- columns ---- */

unsigned km_query_columns(const struct km_query *query)
{
	return (unsigned)sqlite3_column_count(query->statement);
}

const char *km_query_name(const struct km_query *query, unsigned column)
{
	const char *name = sqlite3_column_name(query->statement, (int)column);

	return name ? name : "";
}

enum km_value_type km_query_type(const struct km_query *query, unsigned column)
{
	switch (sqlite3_column_type(query->statement, (int)column)) {
	case SQLITE_INTEGER:
		return KM_VALUE_INTEGER;
	case SQLITE_FLOAT:
		return KM_VALUE_REAL;
	case SQLITE_TEXT:
		return KM_VALUE_TEXT;
	case SQLITE_BLOB:
		return KM_VALUE_BLOB;
	default:
		return KM_VALUE_NULL;
	}
}

int64_t km_query_i64(const struct km_query *query, unsigned column)
{
	return sqlite3_column_int64(query->statement, (int)column);
}

double km_query_f64(const struct km_query *query, unsigned column)
{
	return sqlite3_column_double(query->statement, (int)column);
}

const char *km_query_text(const struct km_query *query, unsigned column)
{
	return (const char *)sqlite3_column_text(query->statement, (int)column);
}

const unsigned char *km_query_blob(const struct km_query *query, unsigned column, size_t *bytes)
{
	const unsigned char *blob = sqlite3_column_blob(query->statement, (int)column);

	*bytes = (size_t)sqlite3_column_bytes(query->statement, (int)column);
	return blob;
}

/* ---- reading only ---- */

/* Pragmas that only tell. */
static int pragma_allowed(const char *name)
{
	static const char *const allowed[] = {"table_info", "table_list", "table_xinfo"};

	for (unsigned i = 0; name && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (!strcmp(name, allowed[i]))
			return SQLITE_OK;
	return SQLITE_DENY;
}

static int only_reading(void *context, int action, const char *first, const char *second,
			const char *database, const char *trigger)
{
	(void)context;
	(void)database;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return second && !strcmp(second, "load_extension") ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_PRAGMA:
		return pragma_allowed(first);
	default:
		return SQLITE_DENY;
	}
}

/* A long statement ends at the first Ctrl-C. */
static int asked_to_stop(void *unused)
{
	(void)unused;
	return km_interrupted();
}

void km_query_only_reading(struct sqlite3 *db)
{
	sqlite3_progress_handler(db, 100000, asked_to_stop, NULL);
	sqlite3_set_authorizer(db, only_reading, NULL);
}
