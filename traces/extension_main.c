/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual tables for any program that uses SQLite:
 *	sqlite3 T.kmt
 *	.load build/kmlab
 *	SELECT kind, count(*) FROM event GROUP BY 1;
 * They read the trace that is open as database "main" when the extension is loaded.
 */
#include "extension.h"
#include "vtab.h"

const sqlite3_api_routines *sqlite3_api;

__attribute__((visibility("default"))) int sqlite3_kmlab_init(sqlite3 *db, char **message,
							      const sqlite3_api_routines *api);

static void close_trace(void *trace)
{
	km_trace_close(trace);
}

int sqlite3_kmlab_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
	struct km_trace *trace;
	struct km_err err;
	const char *path;

	sqlite3_api = api;
	path = sqlite3_db_filename(db, "main");
	if (!path || !*path) {
		*message = sqlite3_mprintf("no trace is open; open one before: sqlite3 T.kmt");
		return SQLITE_ERROR;
	}
	if (km_trace_open(path, &trace, &err)) {
		*message = sqlite3_mprintf("%s", err.text);
		return SQLITE_ERROR;
	}
	/* From here on the trace is the connection's: a failure closes it, too. */
	if (km_vtab_register(db, trace, close_trace) != SQLITE_OK) {
		*message = sqlite3_mprintf("cannot read %s: %s", path, sqlite3_errmsg(db));
		return SQLITE_ERROR;
	}
	return SQLITE_OK;
}
