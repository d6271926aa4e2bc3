/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables whose rows say less than SQL wants to know: snapshots may be compressed, and call sites
 * lack the name that table event has. A temporary view of the same name comes before the table; the
 * file is not touched.
 */
#include "vtab.h"
#include <zstd.h>

#define MAX_BYTES (256 << 20) /* of a text, as the reader takes it */

/* snapshot_text(text, bytes): the text, whole or NULL. */
static void snapshot_text(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	int64_t bytes = sqlite3_value_int64(argv[1]);
	size_t size = (size_t)sqlite3_value_bytes(argv[0]);
	char *text;

	(void)argc;
	if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) {
		sqlite3_result_value(context, argv[0]);
		return;
	}
	if (bytes < 0 || bytes > MAX_BYTES)
		return; /* NULL */
	text = sqlite3_malloc64((uint64_t)bytes + 1);
	if (!text)
		sqlite3_result_error_nomem(context);
	else if (ZSTD_decompress(text, (size_t)bytes, sqlite3_value_blob(argv[0]), size) ==
		 (size_t)bytes)
		sqlite3_result_text64(context, text, (uint64_t)bytes, sqlite3_free, SQLITE_UTF8);
	else
		sqlite3_free(text);
}

static const char views[] =
	"CREATE TEMP VIEW IF NOT EXISTS snapshot AS SELECT id, phase, time_ns, source, bytes, "
	"snapshot_text(text, bytes) AS text FROM main.snapshot;"
	"CREATE TEMP VIEW IF NOT EXISTS site AS SELECT id, address, symbol, offset, module, "
	"CASE WHEN address = 0 THEN NULL "
	"WHEN symbol = '' THEN printf('0x%016x', address) "
	"WHEN module = '' THEN printf('%s+0x%x', symbol, offset) "
	"ELSE printf('%s+0x%x [%s]', symbol, offset, module) END AS name FROM main.site;";

/* A temporary view counts as writing where query_only forbids that, as in an open trace. */
static int create_views(sqlite3 *db)
{
	sqlite3_stmt *row;
	bool only = false;
	int code = sqlite3_prepare_v2(db, "PRAGMA query_only", -1, &row, NULL);

	if (code == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
		only = sqlite3_column_int(row, 0) != 0;
	sqlite3_finalize(row);
	if (only)
		sqlite3_exec(db, "PRAGMA query_only = 0", NULL, NULL, NULL);
	code = sqlite3_exec(db, views, NULL, NULL, NULL);
	if (only)
		sqlite3_exec(db, "PRAGMA query_only = 1", NULL, NULL, NULL);
	return code;
}

int km_vtab_views(sqlite3 *db)
{
	int code = sqlite3_create_function(db, "snapshot_text", 2,
					   SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
					   NULL, snapshot_text, NULL, NULL);

	return code == SQLITE_OK ? create_views(db) : code;
}
