/* SPDX-License-Identifier: GPL-2.0-only */
/* What the virtual tables share, and how a connection gets them. */
#include "vtab.h"
#include <errno.h>
#include <stdlib.h>

int km_vtab_fail(sqlite3_vtab *vtab, const struct km_err *err, int code)
{
	sqlite3_free(vtab->zErrMsg);
	vtab->zErrMsg = sqlite3_mprintf("%s", err->text);
	return code == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

int km_vtab_connect(sqlite3 *db, struct km_trace *trace, const char *declaration,
		    sqlite3_vtab **out)
{
	struct km_vtab *vtab;
	int code = sqlite3_declare_vtab(db, declaration);

	if (code != SQLITE_OK)
		return code;
	vtab = calloc(1, sizeof(*vtab));
	if (!vtab)
		return SQLITE_NOMEM;
	vtab->trace = trace;
	*out = &vtab->base;
	return SQLITE_OK;
}

int km_vtab_disconnect(sqlite3_vtab *vtab)
{
	km_trace_cursor_close(((struct km_vtab *)vtab)->spare);
	sqlite3_free(vtab->zErrMsg);
	free(vtab);
	return SQLITE_OK;
}

int km_vtab_cursor(sqlite3_vtab *base, const struct km_trace_filter *filter,
		   struct km_trace_cursor **cursor)
{
	struct km_vtab *vtab = (struct km_vtab *)base;
	struct km_err err;
	int code;

	if (!*cursor && vtab->spare) {
		*cursor = vtab->spare;
		vtab->spare = NULL;
	}
	if (*cursor) {
		km_cursor_restart(*cursor, filter);
		return SQLITE_OK;
	}
	code = km_trace_cursor_open(vtab->trace, filter, cursor, &err);
	return code ? km_vtab_fail(base, &err, code) : SQLITE_OK;
}

void km_vtab_cursor_done(sqlite3_vtab *base, struct km_trace_cursor *cursor)
{
	struct km_vtab *vtab = (struct km_vtab *)base;

	km_trace_cursor_close(vtab->spare);
	vtab->spare = cursor;
}

void km_result_name(sqlite3_context *context, const char *text)
{
	if (*text)
		sqlite3_result_text(context, text, -1, SQLITE_STATIC);
}

void km_result_site(sqlite3_context *context, const struct km_trace_site *site)
{
	char text[224];

	if (!site->address)
		return; /* NULL */
	if (!site->symbol[0])
		snprintf(text, sizeof(text), "0x%016llx", (unsigned long long)site->address);
	else if (site->module[0])
		snprintf(text, sizeof(text), "%s+0x%x [%s]", site->symbol, site->offset,
			 site->module);
	else
		snprintf(text, sizeof(text), "%s+0x%x", site->symbol, site->offset);
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/*
 * Without xCreate a table exists by itself, under its module's name. Declaring it, at its first
 * use, looks like writing to who forbids that: it is used here once.
 */
int km_vtab_register(sqlite3 *db, struct km_trace *trace, void (*done)(void *trace))
{
	int code = sqlite3_create_module_v2(db, "event", &km_vtab_event, trace, done);

	if (code == SQLITE_OK)
		code = sqlite3_create_module_v2(db, "object", &km_vtab_object, trace, NULL);
	if (code == SQLITE_OK)
		code = km_vtab_views(db);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "SELECT 1 FROM event, object LIMIT 0", NULL, NULL, NULL);
	return code;
}

int km_trace_register_sql(struct km_trace *trace, struct km_err *err)
{
	if (km_vtab_register(trace->db, trace, NULL) == SQLITE_OK)
		return 0;
	return km_fail(err, -ENOMEM, "cannot read %s: %s", trace->path, sqlite3_errmsg(trace->db));
}
