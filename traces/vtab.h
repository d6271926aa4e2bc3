/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the virtual tables `event` and `object` share (private to vtab*.c).
 * Interface: https://sqlite.org/vtab.html.
 */
#ifndef KMLAB_TRACES_VTAB_H
#define KMLAB_TRACES_VTAB_H

#include "reader.h"

struct km_vtab {
	sqlite3_vtab base;
	struct km_trace *trace;
	struct km_trace_cursor *spare; /* of a statement that is done, for the next */
};

extern const sqlite3_module km_vtab_event, km_vtab_object;

/* Both for xConnect, xDisconnect. */
int km_vtab_connect(sqlite3 *db, struct km_trace *trace, const char *declaration,
		    sqlite3_vtab **vtab);
int km_vtab_disconnect(sqlite3_vtab *vtab);
/* The sentence becomes the statement's error. */
int km_vtab_fail(sqlite3_vtab *vtab, const struct km_err *err, int code);

/* A cursor with the filter (NULL: all) in *cursor, which may hold one. An SQLite code. */
int km_vtab_cursor(sqlite3_vtab *vtab, const struct km_trace_filter *filter,
		   struct km_trace_cursor **cursor);
/* It (or NULL) is not needed any more. */
void km_vtab_cursor_done(sqlite3_vtab *vtab, struct km_trace_cursor *cursor);

static inline struct km_trace *km_vtab_trace(const sqlite3_vtab_cursor *cursor)
{
	return ((struct km_vtab *)cursor->pVtab)->trace;
}

/* Results of xColumn. NULL for the empty text, and for the unknown site. */
void km_result_name(sqlite3_context *context, const char *text);
/* "symbol+0x1c", "symbol+0x1c [module]" or the address. */
void km_result_site(sqlite3_context *context, const struct km_trace_site *site);

/* The views of vtab_views.c on a connection: an SQLite code. */
int km_vtab_views(sqlite3 *db);
/*
 * Make the tables on a connection, of which the trace's own is one. The trace must live as long;
 * `done` (or NULL) is called with it when the connection does not need it any more.
 */
int km_vtab_register(sqlite3 *db, struct km_trace *trace, void (*done)(void *trace));

#endif
