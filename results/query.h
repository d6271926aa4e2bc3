/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of one SQL statement, for readers that know the schema of a trace or result file but not
 * how it is stored. Pointers to text and bytes live until the next step.
 */
#ifndef KMLAB_QUERY_H
#define KMLAB_QUERY_H

#include <kmlab/err.h>
#include <kmlab/types.h>

struct sqlite3;
struct km_query;

enum km_value_type { KM_VALUE_NULL, KM_VALUE_INTEGER, KM_VALUE_REAL, KM_VALUE_TEXT, KM_VALUE_BLOB };

/*
 * Prepare `sql`: 0; -EINVAL: not exactly one statement that gives rows; -EPERM: it does more than
 * read (after km_query_only_reading()); -EPROTO: the file or the statement is wrong. *err: why.
 */
int km_query_open(struct sqlite3 *db, const char *sql, struct km_query **query, struct km_err *err);
void km_query_close(struct km_query *query);

/* Parameters ?1, ?2 … The text must live as long as the query. */
void km_query_bind_i64(struct km_query *query, int parameter, int64_t value);
void km_query_bind_text(struct km_query *query, int parameter, const char *text);

/* 1: on a row, 0: no more, -EPROTO: failed, *err says why. */
int km_query_step(struct km_query *query, struct km_err *err);

unsigned km_query_columns(const struct km_query *query);
const char *km_query_name(const struct km_query *query, unsigned column);
enum km_value_type km_query_type(const struct km_query *query, unsigned column);
int64_t km_query_i64(const struct km_query *query, unsigned column);
double km_query_f64(const struct km_query *query, unsigned column);
const char *km_query_text(const struct km_query *query, unsigned column); /* NULL for NULL */
const unsigned char *km_query_blob(const struct km_query *query, unsigned column, size_t *bytes);

/*
 * From now on statements on this connection can only read (no write, no file, no setting), and end
 * when the program is interrupted.
 */
void km_query_only_reading(struct sqlite3 *db);

#endif
