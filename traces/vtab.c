/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SQL over the events: the read-only virtual table `event`, one row per event in order of time,
 * straight from the chunks. Conditions on time_ns, cpu and kind choose the chunks to decode; a
 * column is made only when a query asks for it.
 * Interface: https://sqlite.org/vtab.html.
 */
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KM_VTAB_BATCH 256

/* Columns in order. X(constant, declaration) */
#define KM_EVENT_COLUMNS(X)                                                                        \
	X(COLUMN_TIME_NS, "time_ns INTEGER")                                                       \
	X(COLUMN_CPU, "cpu INTEGER")                                                               \
	X(COLUMN_SEQ, "seq INTEGER")                                                               \
	X(COLUMN_KIND, "kind TEXT")                                                                \
	X(COLUMN_PTR, "ptr INTEGER")                                                               \
	X(COLUMN_BYTES_REQ, "bytes_req INTEGER")                                                   \
	X(COLUMN_BYTES_ALLOC, "bytes_alloc INTEGER")                                               \
	X(COLUMN_GFP, "gfp INTEGER")                                                               \
	X(COLUMN_NODE, "node INTEGER")                                                             \
	X(COLUMN_CACHE, "cache TEXT")                                                              \
	X(COLUMN_SITE, "site TEXT")                                                                \
	X(COLUMN_SITE_ADDRESS, "site_address INTEGER")                                             \
	X(COLUMN_TID, "tid INTEGER")                                                               \
	X(COLUMN_COMM, "comm TEXT")                                                                \
	X(COLUMN_CONTEXT, "context TEXT")                                                          \
	X(COLUMN_PAGE_ORDER, "page_order INTEGER")                                                 \
	X(COLUMN_MIGRATETYPE, "migratetype INTEGER")                                               \
	X(COLUMN_STACK, "stack INTEGER")

enum event_column {
#define X(constant, declaration) constant,
	KM_EVENT_COLUMNS(X)
#undef X
};

static const char event_declaration[] = "CREATE TABLE event("
#define X(constant, declaration) declaration ","
	KM_EVENT_COLUMNS(X)
#undef X
		"CHECK (1))";

struct event_vtab {
	sqlite3_vtab base;
	struct km_trace *trace;
};

struct event_rows {
	sqlite3_vtab_cursor base;
	struct km_trace_cursor *cursor;
	struct km_event events[KM_VTAB_BATCH];
	size_t at, got;
	int64_t rowid;
};

static int vtab_fail(sqlite3_vtab *vtab, const struct km_err *err, int code)
{
	sqlite3_free(vtab->zErrMsg);
	vtab->zErrMsg = sqlite3_mprintf("%s", err->text);
	return code == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

static int vtab_connect(sqlite3 *db, void *trace, int argc, const char *const *argv,
			sqlite3_vtab **out, char **message)
{
	struct event_vtab *vtab;
	int code = sqlite3_declare_vtab(db, event_declaration);

	(void)argc;
	(void)argv;
	(void)message;
	if (code != SQLITE_OK)
		return code;
	vtab = calloc(1, sizeof(*vtab));
	if (!vtab)
		return SQLITE_NOMEM;
	vtab->trace = trace;
	*out = &vtab->base;
	return SQLITE_OK;
}

static int vtab_disconnect(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

/* ---- planning: which conditions to take ---- */

/*
 * The conditions taken are told to vtab_filter() as a text, one character for each argument:
 * '>' G '<' L '=' on time_ns (G: >=, L: <=), c cpu =, k kind =. SQLite checks every row again, so
 * what is taken need only never lose a row.
 */
static char plan_code(sqlite3_index_info *info, int i)
{
	const struct sqlite3_index_constraint *condition = &info->aConstraint[i];

	if (!condition->usable)
		return 0;
	switch (condition->iColumn) {
	case COLUMN_TIME_NS:
		switch (condition->op) {
		case SQLITE_INDEX_CONSTRAINT_GT:
			return '>';
		case SQLITE_INDEX_CONSTRAINT_GE:
			return 'G';
		case SQLITE_INDEX_CONSTRAINT_LT:
			return '<';
		case SQLITE_INDEX_CONSTRAINT_LE:
			return 'L';
		case SQLITE_INDEX_CONSTRAINT_EQ:
			return '=';
		default:
			return 0;
		}
	case COLUMN_CPU:
		return condition->op == SQLITE_INDEX_CONSTRAINT_EQ ? 'c' : 0;
	case COLUMN_KIND:
		return condition->op == SQLITE_INDEX_CONSTRAINT_EQ &&
				       !strcmp(sqlite3_vtab_collation(info, i), "BINARY")
			       ? 'k'
			       : 0;
	default:
		return 0;
	}
}

/* Rows come in order of (time_ns, cpu, seq) if the trace is ordered. */
static bool comes_in_order(const struct km_trace *trace, const sqlite3_index_info *info)
{
	static const int order[] = {COLUMN_TIME_NS, COLUMN_CPU, COLUMN_SEQ};

	if (!trace->ordered || info->nOrderBy > 3)
		return false;
	for (int i = 0; i < info->nOrderBy; i++)
		if (info->aOrderBy[i].iColumn != order[i] || info->aOrderBy[i].desc)
			return false;
	return true;
}

static int vtab_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	struct event_vtab *vtab = (struct event_vtab *)base;
	double rows = (double)vtab->trace->events + 1;
	char *plan = sqlite3_malloc(info->nConstraint + 1);
	int taken = 0;

	if (!plan)
		return SQLITE_NOMEM;
	for (int i = 0; i < info->nConstraint; i++) {
		char what = plan_code(info, i);

		if (!what)
			continue;
		plan[taken++] = what;
		info->aConstraintUsage[i].argvIndex = taken;
		rows /= what == '=' ? rows : 4;
	}
	plan[taken] = 0;
	info->idxStr = plan;
	info->needToFreeIdxStr = 1;
	info->estimatedCost = rows + 10;
	info->estimatedRows = (sqlite3_int64)rows + 1;
	info->orderByConsumed = info->nOrderBy && comes_in_order(vtab->trace, info);
	return SQLITE_OK;
}

/* ---- rows ---- */

static int vtab_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	struct event_rows *rows = calloc(1, sizeof(*rows));

	(void)vtab;
	if (!rows)
		return SQLITE_NOMEM;
	*out = &rows->base;
	return SQLITE_OK;
}

static int vtab_close(sqlite3_vtab_cursor *base)
{
	struct event_rows *rows = (struct event_rows *)base;

	km_trace_cursor_close(rows->cursor);
	free(rows);
	return SQLITE_OK;
}

/* Narrow [*from, *to] by one condition on the time; values that are no integers narrow nothing. */
static void narrow(char what, sqlite3_value *value, int64_t *from, int64_t *to)
{
	int64_t bound = sqlite3_value_int64(value);

	if (sqlite3_value_type(value) != SQLITE_INTEGER)
		return;
	if (what == '>' && bound < INT64_MAX)
		bound++;
	if (what == '<' && bound > INT64_MIN)
		bound--;
	if ((what == '>' || what == 'G' || what == '=') && bound > *from)
		*from = bound;
	if ((what == '<' || what == 'L' || what == '=') && bound < *to)
		*to = bound;
}

static uint32_t kind_bit(sqlite3_value *value)
{
	const char *name = (const char *)sqlite3_value_text(value);

	for (unsigned kind = 0; name && kind < KM_NR_EVENT_KINDS; kind++)
		if (!strcmp(name, km_event_name(kind)))
			return 1u << kind;
	return 0;
}

/* The conditions as a filter; false if no row can meet them. */
static bool plan_filter(const char *plan, sqlite3_value **values, struct km_trace_filter *filter)
{
	int64_t from = 0, to = INT64_MAX, cpu;
	uint32_t kinds = UINT32_MAX;

	filter->cpu = -1;
	for (; *plan; plan++, values++) {
		switch (*plan) {
		case 'c':
			if (sqlite3_value_type(*values) != SQLITE_INTEGER)
				break;
			cpu = sqlite3_value_int64(*values);
			if (cpu < 0 || cpu > UINT16_MAX || (filter->cpu >= 0 && filter->cpu != cpu))
				return false;
			filter->cpu = (int)cpu;
			break;
		case 'k':
			kinds &= kind_bit(*values);
			break;
		default:
			narrow(*plan, *values, &from, &to);
		}
	}
	filter->kinds = kinds;
	filter->from_ns = (uint64_t)from;
	filter->to_ns = (uint64_t)to + 1; /* times end at INT64_MAX */
	return kinds && from <= to;
}

static int vtab_fetch(struct event_rows *rows)
{
	struct km_err err;
	int code;

	rows->at = 0;
	code = km_trace_next(rows->cursor, rows->events, KM_VTAB_BATCH, &rows->got, &err);
	return code ? vtab_fail(rows->base.pVtab, &err, code) : SQLITE_OK;
}

static int vtab_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc,
		       sqlite3_value **argv)
{
	struct event_rows *rows = (struct event_rows *)base;
	struct km_trace *trace = ((struct event_vtab *)base->pVtab)->trace;
	struct km_trace_filter filter;
	struct km_err err;
	int code;

	(void)number;
	(void)argc;
	km_trace_cursor_close(rows->cursor);
	rows->cursor = NULL;
	rows->at = rows->got = 0;
	rows->rowid = 1;
	if (!plan_filter(plan ? plan : "", argv, &filter))
		return SQLITE_OK;
	code = km_trace_cursor_open(trace, &filter, &rows->cursor, &err);
	return code ? vtab_fail(base->pVtab, &err, code) : vtab_fetch(rows);
}

static int vtab_next(sqlite3_vtab_cursor *base)
{
	struct event_rows *rows = (struct event_rows *)base;

	rows->rowid++;
	return ++rows->at < rows->got ? SQLITE_OK : vtab_fetch(rows);
}

static int vtab_eof(sqlite3_vtab_cursor *base)
{
	struct event_rows *rows = (struct event_rows *)base;

	return rows->at == rows->got;
}

static int vtab_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
	*rowid = ((struct event_rows *)base)->rowid;
	return SQLITE_OK;
}

/* ---- columns ---- */

static void result_static(sqlite3_context *context, const char *text)
{
	if (*text)
		sqlite3_result_text(context, text, -1, SQLITE_STATIC);
	else
		sqlite3_result_null(context);
}

/* "symbol+0x1c", "symbol+0x1c [module]" or the address. */
static void result_site(sqlite3_context *context, const struct km_trace_site *site)
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

static void result_text_column(sqlite3_context *context, const struct km_trace *trace,
			       const struct km_event *event, int column)
{
	static const char *const contexts[] = {"process", "softirq", "hardirq", "nmi", "unknown"};

	switch (column) {
	case COLUMN_KIND:
		sqlite3_result_text(context, km_event_name(event->kind), -1, SQLITE_STATIC);
		break;
	case COLUMN_CACHE:
		result_static(context, trace->caches[event->cache].name);
		break;
	case COLUMN_SITE:
		result_site(context, &trace->sites[event->site]);
		break;
	case COLUMN_COMM:
		result_static(context, trace->tasks[event->task].comm);
		break;
	case COLUMN_CONTEXT:
		sqlite3_result_text(context, contexts[event->context], -1, SQLITE_STATIC);
		break;
	default:
		break;
	}
}

static int64_t number_column(const struct km_trace *trace, const struct km_event *event, int column)
{
	switch (column) {
	case COLUMN_TIME_NS:
		return (int64_t)event->time_ns;
	case COLUMN_CPU:
		return event->cpu;
	case COLUMN_SEQ:
		return event->seq;
	case COLUMN_PTR:
		return (int64_t)event->ptr;
	case COLUMN_BYTES_REQ:
		return (int64_t)event->bytes_req;
	case COLUMN_BYTES_ALLOC:
		return (int64_t)event->bytes_alloc;
	case COLUMN_GFP:
		return event->gfp;
	case COLUMN_NODE:
		return event->node;
	case COLUMN_SITE_ADDRESS:
		return (int64_t)trace->sites[event->site].address;
	case COLUMN_TID:
		return trace->tasks[event->task].tid;
	case COLUMN_PAGE_ORDER:
		return event->order;
	case COLUMN_MIGRATETYPE:
		return event->migratetype;
	default:
		return event->stack;
	}
}

static int vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	const struct event_rows *rows = (struct event_rows *)base;
	const struct km_trace *trace = ((struct event_vtab *)base->pVtab)->trace;
	const struct km_event *event = &rows->events[rows->at];

	switch (column) {
	case COLUMN_KIND:
	case COLUMN_CACHE:
	case COLUMN_SITE:
	case COLUMN_COMM:
	case COLUMN_CONTEXT:
		result_text_column(context, trace, event, column);
		break;
	default:
		sqlite3_result_int64(context, number_column(trace, event, column));
	}
	return SQLITE_OK;
}

int km_trace_register_sql(struct km_trace *trace, struct km_err *err)
{
	/* Without xCreate the table exists by itself, under the module's name. */
	static const sqlite3_module module = {.xConnect = vtab_connect,
					      .xBestIndex = vtab_best_index,
					      .xDisconnect = vtab_disconnect,
					      .xOpen = vtab_open,
					      .xClose = vtab_close,
					      .xFilter = vtab_filter,
					      .xNext = vtab_next,
					      .xEof = vtab_eof,
					      .xColumn = vtab_column,
					      .xRowid = vtab_rowid};

	if (sqlite3_create_module_v2(trace->db, "event", &module, trace, NULL) == SQLITE_OK)
		return 0;
	return km_fail(err, -ENOMEM, "cannot read %s: %s", trace->path, sqlite3_errmsg(trace->db));
}
