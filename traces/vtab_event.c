/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual table `event`: one row per event in order of time, straight from the chunks.
 * Conditions on time_ns, cpu, kind and cache choose what is decoded, and columns that a statement
 * does not name are not decoded at all. Grouping by kind or by cpu gets the rows in groups, by
 * reading the (cheap) shapes once per kind, so that SQLite need not sort.
 */
#include "vtab.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	X(COLUMN_STACK, "stack INTEGER")                                                           \
	X(COLUMN_CGROUP, "cgroup INTEGER")

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

/* Order of the rows: of time; all of a kind after the other, by name; all of a CPU. */
enum row_order { BY_TIME, BY_KIND, BY_CPU };

/* How vtab_best_index() tells vtab_filter(): idxNum. */
#define PLAN_ORDER(number) ((enum row_order)((number)&3))
#define PLAN_WITHOUT(number) ((unsigned)(number) >> 2)
#define PLAN_NUMBER(order, without) ((int)(order) | (int)(without) << 2)

struct event_rows {
	sqlite3_vtab_cursor base;
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	size_t at, got;
	int64_t rowid;
	struct km_trace_filter filter;
	uint8_t *caches; /* of the filter */
	enum row_order order;
	unsigned next_kind;               /* BY_KIND: next in kinds */
	uint8_t kinds[KM_NR_EVENT_KINDS]; /* by name */
};

static int event_connect(sqlite3 *db, void *trace, int argc, const char *const *argv,
			 sqlite3_vtab **vtab, char **message)
{
	(void)argc;
	(void)argv;
	(void)message;
	return km_vtab_connect(db, trace, event_declaration, vtab);
}

/* ---- planning: which conditions to take ---- */

static bool is_binary(sqlite3_index_info *info, int i)
{
	return !strcmp(sqlite3_vtab_collation(info, i), "BINARY");
}

/*
 * The conditions taken are told to event_filter() as a text, one character for each argument:
 * '>' G '<' L '=' on time_ns (G: >=, L: <=), c cpu =, k kind =, n cache =. What is taken need only
 * never lose a row, as SQLite checks every row again, but for what is_exact().
 */
static char plan_code(sqlite3_index_info *info, int i)
{
	const struct sqlite3_index_constraint *condition = &info->aConstraint[i];
	bool equal = condition->op == SQLITE_INDEX_CONSTRAINT_EQ;

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
		default:
			return equal ? '=' : 0;
		}
	case COLUMN_CPU:
		return equal ? 'c' : 0;
	case COLUMN_KIND:
		return equal && is_binary(info, i) ? 'k' : 0;
	case COLUMN_CACHE:
		return equal && is_binary(info, i) ? 'n' : 0;
	default:
		return 0;
	}
}

/* Compared with a constant of the column's own type: what is taken is all that is meant. */
static bool is_exact(sqlite3_index_info *info, int i, char what)
{
	sqlite3_value *value = NULL;

	if (sqlite3_vtab_rhs_value(info, i, &value) != SQLITE_OK || !value)
		return false;
	return sqlite3_value_type(value) ==
	       (what == 'k' || what == 'n' ? SQLITE_TEXT : SQLITE_INTEGER);
}

/* How many times fewer rows there are with the condition; a guess, of at least 1. */
static double selectivity(const struct km_trace *trace, char what)
{
	switch (what) {
	case '=':
		return (double)trace->events + 1;
	case 'c':
		return km_trace_cpus(trace) + 1;
	case 'k':
		return 4;
	case 'n':
		return trace->limits.caches + 1;
	default:
		return 8;
	}
}

static bool orders(const sqlite3_index_info *info, const int *columns, int most)
{
	if (info->nOrderBy > most)
		return false;
	for (int i = 0; i < info->nOrderBy; i++)
		if (info->aOrderBy[i].iColumn != columns[i] || info->aOrderBy[i].desc)
			return false;
	return true;
}

/* The order to give the rows in; *consumed: it is what ORDER BY or GROUP BY wants. */
static enum row_order choose_order(const sqlite3_index_info *info, const struct km_trace *trace,
				   int *consumed)
{
	static const int time[] = {COLUMN_TIME_NS, COLUMN_CPU, COLUMN_SEQ};
	static const int kind[] = {COLUMN_KIND, COLUMN_CPU}, cpu[] = {COLUMN_CPU};

	*consumed = info->nOrderBy > 0;
	if (!info->nOrderBy) /* who asks for no column cannot tell the order */
		return info->colUsed ? BY_TIME : BY_CPU;
	if (trace->ordered && orders(info, time, 3))
		return BY_TIME;
	if (orders(info, kind, 2))
		return BY_KIND;
	if (orders(info, cpu, 1))
		return BY_CPU;
	*consumed = 0;
	return BY_TIME;
}

static unsigned without(sqlite3_uint64 used)
{
#define USED(column) (used >> (column)&1)
	return (USED(COLUMN_TIME_NS) ? 0 : KM_WITHOUT_TIME) |
	       (USED(COLUMN_PTR) ? 0 : KM_WITHOUT_PTR) |
	       (USED(COLUMN_TID) || USED(COLUMN_COMM) || USED(COLUMN_CONTEXT) || USED(COLUMN_CGROUP)
			? 0
			: KM_WITHOUT_ACTOR);
#undef USED
}

static int event_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct km_trace *trace = ((struct km_vtab *)base)->trace;
	double rows = (double)trace->events + 1;
	char *plan = sqlite3_malloc(info->nConstraint + 1);
	enum row_order order;
	int taken = 0;

	if (!plan)
		return SQLITE_NOMEM;
	for (int i = 0; i < info->nConstraint; i++) {
		char what = plan_code(info, i);

		if (!what)
			continue;
		plan[taken++] = what;
		info->aConstraintUsage[i].argvIndex = taken;
		info->aConstraintUsage[i].omit = is_exact(info, i, what);
		rows /= selectivity(trace, what);
	}
	plan[taken] = 0;
	info->idxStr = plan;
	info->needToFreeIdxStr = 1;
	info->estimatedCost = rows + 10;
	info->estimatedRows = (sqlite3_int64)rows + 1;
	order = choose_order(info, trace, &info->orderByConsumed);
	info->idxNum = PLAN_NUMBER(order, without(info->colUsed));
	return SQLITE_OK;
}

/* ---- the conditions as a filter ---- */

/* The integer that a value is when compared with an INTEGER column; false: it is none. */
static bool is_integer(sqlite3_value *value, int64_t *integer)
{
	int type = sqlite3_value_numeric_type(value);
	double real = sqlite3_value_double(value);

	*integer = sqlite3_value_int64(value);
	return type == SQLITE_INTEGER || (type == SQLITE_FLOAT && real == (double)*integer &&
					  real < 0x1p53 && real > -0x1p53);
}

/* Narrow [*from, *to] by one condition on the time; values that are no integers narrow nothing. */
static void narrow(char what, sqlite3_value *value, int64_t *from, int64_t *to)
{
	int64_t bound;

	if (!is_integer(value, &bound))
		return;
	if ((what == '>' && bound == INT64_MAX) || (what == '<' && bound == INT64_MIN)) {
		*to = -1; /* no time is there */
		return;
	}
	bound += what == '>';
	bound -= what == '<';
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

/* Leave the caches of that name; several may have it, one after the other. */
static int narrow_caches(struct event_rows *rows, sqlite3_value *value)
{
	const struct km_trace *trace = km_vtab_trace(&rows->base);
	const char *name = (const char *)sqlite3_value_text(value);
	uint32_t n = trace->limits.caches;

	if (!rows->caches) {
		rows->caches = malloc(n);
		if (!rows->caches)
			return -ENOMEM;
		memset(rows->caches, 1, n);
	}
	for (uint32_t i = 0; i < n; i++)
		rows->caches[i] &= name && *name && !strcmp(trace->caches[i].name, name);
	rows->filter.caches = rows->caches;
	return 0;
}

/* 1: no row can meet them; -ENOMEM. */
static int plan_filter(struct event_rows *rows, const char *plan, sqlite3_value **values)
{
	struct km_trace_filter *filter = &rows->filter;
	int64_t from = 0, to = INT64_MAX, cpu;

	filter->cpu = -1;
	filter->kinds = UINT32_MAX;
	for (; *plan; plan++, values++) {
		switch (*plan) {
		case 'c':
			if (!is_integer(*values, &cpu))
				break;
			if (cpu < 0 || cpu > UINT16_MAX || (filter->cpu >= 0 && filter->cpu != cpu))
				return 1;
			filter->cpu = (int)cpu;
			break;
		case 'k':
			filter->kinds &= kind_bit(*values);
			break;
		case 'n':
			if (narrow_caches(rows, *values))
				return -ENOMEM;
			break;
		default:
			narrow(*plan, *values, &from, &to);
		}
	}
	filter->from_ns = (uint64_t)from;
	filter->to_ns = (uint64_t)to + 1; /* times end at INT64_MAX */
	return !filter->kinds || from > to;
}

/* ---- rows ---- */

static int event_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	struct event_rows *rows = calloc(1, sizeof(*rows));

	(void)vtab;
	if (!rows)
		return SQLITE_NOMEM;
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		unsigned at = kind;

		for (; at && strcmp(km_event_name(rows->kinds[at - 1]), km_event_name(kind)) > 0;
		     at--)
			rows->kinds[at] = rows->kinds[at - 1];
		rows->kinds[at] = (uint8_t)kind;
	}
	*out = &rows->base;
	return SQLITE_OK;
}

static int event_close(sqlite3_vtab_cursor *base)
{
	struct event_rows *rows = (struct event_rows *)base;

	km_vtab_cursor_done(base->pVtab, rows->cursor);
	free(rows->caches);
	free(rows);
	return SQLITE_OK;
}

/* BY_KIND: begin anew with the next kind that is wanted; false when there is none. */
static bool next_pass(struct event_rows *rows)
{
	struct km_trace_filter filter = rows->filter;

	while (rows->order == BY_KIND && rows->next_kind < KM_NR_EVENT_KINDS) {
		filter.kinds = rows->filter.kinds & 1u << rows->kinds[rows->next_kind++];
		if (filter.kinds) {
			km_cursor_restart(rows->cursor, &filter);
			return true;
		}
	}
	return false;
}

static int event_fetch(struct event_rows *rows)
{
	struct km_err err;
	int code;

	rows->at = 0;
	do {
		code = km_trace_next_run(rows->cursor, &rows->events, &rows->got, &err);
		if (code)
			return km_vtab_fail(rows->base.pVtab, &err, code);
	} while (!rows->got && next_pass(rows));
	return SQLITE_OK;
}

static int event_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc,
			sqlite3_value **argv)
{
	struct event_rows *rows = (struct event_rows *)base;
	int code;

	(void)argc;
	free(rows->caches);
	rows->caches = NULL;
	rows->at = rows->got = 0;
	rows->rowid = 1;
	rows->order = PLAN_ORDER(number);
	rows->filter = (struct km_trace_filter){.by_cpu = rows->order != BY_TIME,
						.without = PLAN_WITHOUT(number)};
	code = plan_filter(rows, plan ? plan : "", argv);
	if (code)
		return code == 1 ? SQLITE_OK : SQLITE_NOMEM;
	code = km_vtab_cursor(base->pVtab, &rows->filter, &rows->cursor);
	if (code != SQLITE_OK)
		return code;
	rows->next_kind = 0;
	if (rows->order == BY_KIND)
		next_pass(rows);
	return event_fetch(rows);
}

static int event_next(sqlite3_vtab_cursor *base)
{
	struct event_rows *rows = (struct event_rows *)base;

	rows->rowid++;
	return ++rows->at < rows->got ? SQLITE_OK : event_fetch(rows);
}

static int event_eof(sqlite3_vtab_cursor *base)
{
	struct event_rows *rows = (struct event_rows *)base;

	return rows->at == rows->got;
}

static int event_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
	*rowid = ((struct event_rows *)base)->rowid;
	return SQLITE_OK;
}

/* ---- columns ---- */

static void text_column(sqlite3_context *context, const struct km_trace *trace,
			const struct km_event *event, int column)
{
	static const char *const contexts[] = {"process", "softirq", "hardirq", "nmi", "unknown"};

	switch (column) {
	case COLUMN_KIND:
		sqlite3_result_text(context, km_event_name(event->kind), -1, SQLITE_STATIC);
		break;
	case COLUMN_CACHE:
		km_result_name(context, trace->caches[event->cache].name);
		break;
	case COLUMN_SITE:
		km_result_site(context, &trace->sites[event->site]);
		break;
	case COLUMN_COMM:
		km_result_name(context, trace->tasks[event->task].comm);
		break;
	default:
		sqlite3_result_text(context, contexts[event->context], -1, SQLITE_STATIC);
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
	case COLUMN_CGROUP:
		return (int64_t)trace->tasks[event->task].cgroup;
	default:
		return event->stack;
	}
}

static int event_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	const struct event_rows *rows = (struct event_rows *)base;
	const struct km_trace *trace = km_vtab_trace(base);
	const struct km_event *event = &rows->events[rows->at];
	int64_t number;

	switch (column) {
	case COLUMN_KIND:
	case COLUMN_CACHE:
	case COLUMN_SITE:
	case COLUMN_COMM:
	case COLUMN_CONTEXT:
		text_column(context, trace, event, column);
		break;
	default:
		number = number_column(trace, event, column);
		if (number || column < COLUMN_STACK) /* 0: no stack, no cgroup */
			sqlite3_result_int64(context, number);
	}
	return SQLITE_OK;
}

const sqlite3_module km_vtab_event = {.xConnect = event_connect,
				      .xBestIndex = event_best_index,
				      .xDisconnect = km_vtab_disconnect,
				      .xOpen = event_open,
				      .xClose = event_close,
				      .xFilter = event_filter,
				      .xNext = event_next,
				      .xEof = event_eof,
				      .xColumn = event_column,
				      .xRowid = event_rowid};
