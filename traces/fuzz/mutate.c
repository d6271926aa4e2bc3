/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways to change an input so that what is not changed still holds together. */
#include "traces/codec_format.h"
#include "traces/fuzz/targets.h"
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

size_t km_fuzz_mutate_part(uint8_t *data, size_t size, size_t room, size_t at, size_t length)
{
	size_t most = length + (room - size), changed;
	uint8_t *copy = malloc(most ? most : 1);

	if (!copy)
		return size;
	memcpy(copy, data + at, length);
	changed = most ? LLVMFuzzerMutate(copy, length, most) : 0;
	memmove(data + at + changed, data + at + length, size - at - length);
	memcpy(data + at, copy, changed);
	free(copy);
	return size - length + changed;
}

/* ---- text ---- */

/* Begin and length, with its newline, of a line around a place. */
static size_t line_around(const uint8_t *data, size_t size, size_t place, size_t *length)
{
	const uint8_t *newline = memrchr(data, '\n', place);
	size_t begin = newline ? (size_t)(newline + 1 - data) : 0;

	newline = memchr(data + begin, '\n', size - begin);
	*length = newline ? (size_t)(newline + 1 - data) - begin : size - begin;
	return begin;
}

size_t km_fuzz_mutate_lines(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	size_t at, length, to, other;

	if (!size || seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, room);
	at = line_around(data, size, seed / 64 % size, &length);
	switch (seed % 8) {
	case 1: /* again, before another line */
		if (length > room - size)
			break;
		to = line_around(data, size, seed / 4096 % size, &other);
		memmove(data + to + length, data + to, size - to);
		memmove(data + to, data + (at >= to ? at + length : at), length);
		return size + length;
	case 2:
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	default:
		break;
	}
	/* The newline stays. */
	length -= data[at + length - 1] == '\n';
	return km_fuzz_mutate_part(data, size, room, at, length);
}

/* ---- chunks ---- */

size_t km_fuzz_mutate_stream(uint8_t *chunk, size_t size, size_t room, unsigned stream)
{
	struct km_chunk_header header;
	size_t at = sizeof(header), length, changed;

	if (size < sizeof(header) || size >= room)
		return LLVMFuzzerMutate(chunk, size, room);
	memcpy(&header, chunk, sizeof(header));
	for (unsigned i = 0; i < stream && at < size; i++)
		at += header.stream[i].stored;
	length = header.stream[stream].stored;
	if (at > size || length > size - at)
		return LLVMFuzzerMutate(chunk, size, room);
	changed = km_fuzz_mutate_part(chunk, size, room, at, length);
	length += changed - size;
	if (header.stream[stream].raw == header.stream[stream].stored)
		header.stream[stream].raw = (uint32_t)length;
	header.stream[stream].stored = (uint32_t)length;
	memcpy(chunk, &header, sizeof(header));
	return changed;
}

/* ---- databases ---- */

/* Numbers that are someone's limit. */
static int64_t some_number(int64_t value, unsigned seed)
{
	static const int64_t numbers[] = {0,          1,         -1,        255,       256,
					  65535,      65536,     65537,     INT32_MAX, 1ll << 31,
					  UINT32_MAX, 1ll << 32, INT64_MAX, INT64_MIN};

	switch (seed % 4) {
	case 0:
		return (int64_t)((uint64_t)value ^ 1ull << seed / 4 % 64);
	case 1:
		return (int64_t)((uint64_t)value + seed / 4 % 64 - 32);
	default:
		return numbers[seed / 4 % (sizeof(numbers) / sizeof(*numbers))];
	}
}

static bool is_chunk(sqlite3_stmt *row)
{
	return (size_t)sqlite3_column_bytes(row, 0) > sizeof(struct km_chunk_header);
}

/* The row's value, changed, as the first parameter. */
static void bind_changed(sqlite3_stmt *update, sqlite3_stmt *row, bool chunk, unsigned seed)
{
	size_t size = (size_t)sqlite3_column_bytes(row, 0), room = size + 256;
	uint8_t *bytes;

	if (sqlite3_column_type(row, 0) == SQLITE_INTEGER) {
		sqlite3_bind_int64(update, 1, some_number(sqlite3_column_int64(row, 0), seed));
		return;
	}
	bytes = malloc(room);
	if (!bytes)
		return;
	if (size)
		memcpy(bytes, sqlite3_column_blob(row, 0), size);
	size = chunk && is_chunk(row) && seed % 4
		       ? km_fuzz_mutate_stream(bytes, size, room, seed / 4 % KM_NR_STREAMS)
		       : LLVMFuzzerMutate(bytes, size, room);
	if (sqlite3_column_type(row, 0) == SQLITE_BLOB)
		sqlite3_bind_blob64(update, 1, bytes, size, SQLITE_TRANSIENT);
	else
		sqlite3_bind_text64(update, 1, (const char *)bytes, size, SQLITE_TRANSIENT,
				    SQLITE_UTF8);
	free(bytes);
}

static sqlite3_stmt *prepare(sqlite3 *db, char *sql)
{
	sqlite3_stmt *statement = NULL;

	sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	sqlite3_free(sql);
	return statement;
}

/* One of the schema's tables or columns, to sqlite3_free(). */
static char *pick(sqlite3 *db, char *sql, unsigned seed)
{
	sqlite3_stmt *rows = prepare(db, sql);
	char *name = NULL;
	unsigned n = 0;

	while (rows && sqlite3_step(rows) == SQLITE_ROW)
		n++;
	sqlite3_reset(rows);
	for (unsigned i = 0; n && i <= seed % n; i++)
		sqlite3_step(rows);
	if (n)
		name = sqlite3_mprintf("%s", sqlite3_column_text(rows, 0));
	sqlite3_finalize(rows);
	return name;
}

/* A value of some row. WITHOUT ROWID tables have no rowid, but a key that is the first column. */
static void change_value(sqlite3 *db, const char *table, const char *key, const char *column,
			 unsigned seed)
{
	sqlite3_stmt *row =
		prepare(db, sqlite3_mprintf("SELECT \"%w\",\"%w\" FROM \"%w\" LIMIT 1 OFFSET %u %% "
					    "max(1,(SELECT count(*) FROM \"%w\"))",
					    column, key, table, seed / 8, table));
	sqlite3_stmt *update = prepare(
		db, sqlite3_mprintf("UPDATE OR REPLACE \"%w\" SET \"%w\"=?1 WHERE \"%w\"=?2", table,
				    column, key));

	if (row && update && sqlite3_step(row) == SQLITE_ROW) {
		bind_changed(update, row, !strcmp(column, "payload"), seed);
		sqlite3_bind_value(update, 2, sqlite3_column_value(row, 1));
		sqlite3_step(update);
	}
	sqlite3_finalize(row);
	sqlite3_finalize(update);
}

static void run(sqlite3 *db, char *sql)
{
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

/* Rows are left out; columns lose their types. */
static void change_table(sqlite3 *db, const char *table, const char *key, unsigned seed)
{
	if (seed % 4)
		run(db, sqlite3_mprintf("DELETE FROM \"%w\" WHERE \"%w\"=(SELECT \"%w\" FROM "
					"\"%w\" LIMIT 1 OFFSET %u)",
					table, key, key, table, seed / 4 % 8));
	else
		run(db, sqlite3_mprintf("PRAGMA writable_schema=1; UPDATE sqlite_schema SET "
					"sql=replace(replace(sql,'STRICT,',''),'STRICT','') WHERE "
					"name=%Q",
					table));
}

static void change_one(sqlite3 *db, unsigned seed)
{
	char *table = pick(db, sqlite3_mprintf("SELECT name FROM sqlite_schema WHERE type='table'"),
			   seed / 2),
	     *key = NULL, *column = NULL;

	if (table) {
		key = pick(db, sqlite3_mprintf("SELECT name FROM pragma_table_info(%Q)", table), 0);
		column = pick(db, sqlite3_mprintf("SELECT name FROM pragma_table_info(%Q)", table),
			      seed / 32);
	}
	if (key && column && seed % 8)
		change_value(db, table, key, column, seed / 512);
	else if (key)
		change_table(db, table, key, seed / 512);
	sqlite3_free(table);
	sqlite3_free(key);
	sqlite3_free(column);
}

/* To open a database takes longer than to change it: mostly once, at times up to four times. */
static void change_db(sqlite3 *db, unsigned seed, void (*rows_fixed)(sqlite3 *db))
{
	sqlite3_exec(db, "PRAGMA ignore_check_constraints=1; PRAGMA foreign_keys=0; BEGIN", NULL,
		     NULL, NULL);
	for (unsigned n = seed % 8 < 4 ? 1 : seed % 8 - 3; n; n--) {
		change_one(db, seed / 8);
		seed = seed * 1664525u + 1013904223u;
	}
	if (rows_fixed)
		rows_fixed(db);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

/* The database's file into data; 0 if there is no room. */
static size_t take_file(sqlite3 *db, uint8_t *data, size_t room)
{
	sqlite3_int64 size = 0;
	uint8_t *file = sqlite3_serialize(db, "main", &size, 0);
	bool fits = file && size > 0 && (uint64_t)size <= room;

	if (fits)
		memcpy(data, file, (size_t)size);
	sqlite3_free(file);
	return fits ? (size_t)size : 0;
}

size_t km_fuzz_mutate_db(uint8_t *data, size_t size, size_t room, unsigned seed,
			 void (*rows_fixed)(struct sqlite3 *db))
{
	unsigned char *copy = seed % 2 ? sqlite3_malloc64(size + 1) : NULL;
	size_t changed = 0;
	sqlite3 *db = NULL;

	if (copy && sqlite3_open(":memory:", &db) == SQLITE_OK) {
		memcpy(copy, data, size);
		/* The copy is the database's from here on, whether it is one or not. */
		if (sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
					SQLITE_DESERIALIZE_FREEONCLOSE |
						SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK) {
			change_db(db, seed / 2, rows_fixed);
			changed = take_file(db, data, room);
		}
		copy = NULL;
	}
	sqlite3_free(copy);
	sqlite3_close(db);
	return changed ? changed : LLVMFuzzerMutate(data, size, room);
}
