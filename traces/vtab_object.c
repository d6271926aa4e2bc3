/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual table `object`: one row per lifetime as the repair rules (repair.h) make them of the
 * events, in the order in which they end; then those that do not. The events are streamed: memory
 * is bounded by the live objects.
 */
#include "repair.h"
#include "vtab.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Columns in order. X(constant, declaration). Of an object older than the trace nothing of its
 * allocation is known; of one that was freed unseen, that it ended in [free_after_ns,
 * free_before_ns], and who handed it to RCU, if that was seen.
 */
#define KM_OBJECT_COLUMNS(X)                                                                       \
	X(COLUMN_PTR, "ptr INTEGER") /* address; pages: pfn; percpu: per-CPU pointer */            \
	X(COLUMN_KIND, "kind TEXT")  /* slab page vmap percpu */                                   \
	X(COLUMN_CACHE, "cache TEXT")                                                              \
	X(COLUMN_BYTES_REQ, "bytes_req INTEGER")                                                   \
	X(COLUMN_BYTES_ALLOC, "bytes_alloc INTEGER")                                               \
	X(COLUMN_GFP, "gfp INTEGER")                                                               \
	X(COLUMN_PAGE_ORDER, "page_order INTEGER")                                                 \
	X(COLUMN_BACKING, "backing INTEGER")    /* pages: 1 = of a slab or a large kmalloc */      \
	X(COLUMN_ALLOC_CALL, "alloc_call TEXT") /* kind of event */                                \
	X(COLUMN_ALLOC_NS, "alloc_ns INTEGER")                                                     \
	X(COLUMN_ALLOC_CPU, "alloc_cpu INTEGER")                                                   \
	X(COLUMN_ALLOC_SITE, "alloc_site TEXT")                                                    \
	X(COLUMN_ALLOC_TID, "alloc_tid INTEGER")                                                   \
	X(COLUMN_ALLOC_COMM, "alloc_comm TEXT")                                                    \
	X(COLUMN_ALLOC_STACK, "alloc_stack INTEGER")                                               \
	X(COLUMN_FREE_KIND, "free_kind TEXT") /* explicit cross_api implied open preexisting */    \
	X(COLUMN_FREE_CALL, "free_call TEXT")                                                      \
	X(COLUMN_FREE_NS, "free_ns INTEGER")                                                       \
	X(COLUMN_FREE_AFTER_NS, "free_after_ns INTEGER")                                           \
	X(COLUMN_FREE_BEFORE_NS, "free_before_ns INTEGER")                                         \
	X(COLUMN_FREE_CPU, "free_cpu INTEGER")                                                     \
	X(COLUMN_FREE_SITE, "free_site TEXT")                                                      \
	X(COLUMN_FREE_TID, "free_tid INTEGER")                                                     \
	X(COLUMN_FREE_COMM, "free_comm TEXT")                                                      \
	X(COLUMN_LIFETIME_NS, "lifetime_ns INTEGER") /* where both its ends were traced */

enum object_column {
#define X(constant, declaration) constant,
	KM_OBJECT_COLUMNS(X)
#undef X
};

static const char object_declaration[] = "CREATE TABLE object("
#define X(constant, declaration) declaration ","
	KM_OBJECT_COLUMNS(X)
#undef X
		"CHECK (1))";

enum free_kind { FREE_EXPLICIT, FREE_CROSS_API, FREE_IMPLIED, FREE_OPEN, FREE_PREEXISTING };

struct object_rows {
	sqlite3_vtab_cursor base;
	struct km_trace_cursor *cursor;
	struct km_repair *repair;
	const struct km_event *events; /* being fed: the next is events[at] */
	size_t at, got;
	const struct km_event *last; /* the last one fed; NULL: all were */
	uint32_t next_open;          /* slot to look at when all were fed */
	int64_t rowid;
	bool eof;
	/* the row */
	struct km_object object; /* preexisting: ptr, cache, space, order alone */
	enum free_kind free_kind;
	struct {
		bool call, who, after, before; /* what is known */
		uint8_t kind;
		uint16_t cpu;
		uint32_t site, task;
		uint64_t ns, after_ns, before_ns;
	} free;
};

static int object_connect(sqlite3 *db, void *trace, int argc, const char *const *argv,
			  sqlite3_vtab **vtab, char **message)
{
	(void)argc;
	(void)argv;
	(void)message;
	return km_vtab_connect(db, trace, object_declaration, vtab);
}

/* Everything is read for any row, so there is one plan. */
static int object_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct km_trace *trace = ((struct km_vtab *)base)->trace;

	info->estimatedCost = 4 * (double)trace->events + 10;
	info->estimatedRows = (sqlite3_int64)trace->events / 2 + 1;
	return SQLITE_OK;
}

/* ---- rows ---- */

static int object_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	struct object_rows *rows = calloc(1, sizeof(*rows));

	(void)vtab;
	if (!rows)
		return SQLITE_NOMEM;
	*out = &rows->base;
	return SQLITE_OK;
}

static void object_reset(struct object_rows *rows)
{
	km_repair_delete(rows->repair);
	rows->repair = NULL;
	rows->at = rows->got = 0;
	rows->next_open = 0;
	rows->rowid = 0;
	rows->eof = false;
}

static int object_close(sqlite3_vtab_cursor *base)
{
	struct object_rows *rows = (struct object_rows *)base;

	object_reset(rows);
	km_vtab_cursor_done(base->pVtab, rows->cursor);
	free(rows);
	return SQLITE_OK;
}

/* The row is an object that the event freed, seen. */
static void freed_by(struct object_rows *rows, const struct km_event *event, enum free_kind kind)
{
	rows->free_kind = kind;
	rows->free.call = rows->free.who = true;
	rows->free.kind = event->kind;
	rows->free.cpu = event->cpu;
	rows->free.site = event->site;
	rows->free.task = event->task;
	rows->free.ns = event->time_ns;
}

/* The row is an object that was freed unseen, before the event, or at some time if there is none.
 */
static void freed_unseen(struct object_rows *rows, const struct km_event *event)
{
	const struct km_object *object = &rows->object;

	rows->free_kind = FREE_IMPLIED;
	rows->free.after = true;
	rows->free.after_ns = object->rcu_handed ? object->rcu_ns : object->alloc_ns;
	if (event) {
		rows->free.before = true;
		rows->free.before_ns = event->time_ns;
	}
	if (object->rcu_handed) {
		rows->free.who = true;
		rows->free.cpu = object->rcu_cpu;
		rows->free.site = object->rcu_site;
		rows->free.task = object->rcu_task;
	}
}

/* What the step of an event says of a lifetime; false: nothing. */
static bool take_step(struct object_rows *rows, const struct km_event *event,
		      const struct km_repair_step *step)
{
	memset(&rows->free, 0, sizeof(rows->free));
	rows->object = step->gone;
	switch (step->action) {
	case KM_REPAIR_FREE:
		freed_by(rows, event, step->cross_api ? FREE_CROSS_API : FREE_EXPLICIT);
		return true;
	case KM_REPAIR_REALLOC:
		freed_unseen(rows, event);
		return true;
	case KM_REPAIR_FREE_OLD:
		rows->object = (struct km_object){.ptr = event->ptr,
						  .cache = event->cache,
						  .order = event->order,
						  .space = (uint8_t)km_event_space(event->kind)};
		freed_by(rows, event, FREE_PREEXISTING);
		return true;
	default:
		return false;
	}
}

/* After the last event: the objects that are left. */
static void take_open(struct object_rows *rows)
{
	uint32_t count;
	const struct km_object *objects = km_repair_objects(rows->repair, &count);

	while (rows->next_open < count && objects[rows->next_open].kind == KM_NR_EVENT_KINDS)
		rows->next_open++;
	rows->eof = rows->next_open == count;
	if (rows->eof)
		return;
	memset(&rows->free, 0, sizeof(rows->free));
	rows->object = objects[rows->next_open++];
	if (rows->object.rcu_handed)
		freed_unseen(rows, NULL);
	else
		rows->free_kind = FREE_OPEN;
}

static int object_next(sqlite3_vtab_cursor *base)
{
	struct object_rows *rows = (struct object_rows *)base;
	struct km_repair_step step;
	struct km_err err;
	int code;

	rows->rowid++;
	while (rows->last) {
		if (km_repair_next_gone(rows->repair, &step)) {
			step.action = KM_REPAIR_REALLOC; /* as unseen as that */
			take_step(rows, rows->last, &step);
			return SQLITE_OK;
		}
		if (rows->at == rows->got) {
			rows->at = 0;
			code = km_trace_next_run(rows->cursor, &rows->events, &rows->got, &err);
			if (code)
				return km_vtab_fail(base->pVtab, &err, code);
		}
		rows->last = rows->got ? &rows->events[rows->at++] : NULL;
		if (rows->last && km_repair_feed(rows->repair, rows->last, &step))
			return SQLITE_NOMEM;
		if (rows->last && take_step(rows, rows->last, &step))
			return SQLITE_OK;
	}
	take_open(rows);
	return SQLITE_OK;
}

static int object_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc,
			 sqlite3_value **argv)
{
	static const struct km_event before_all = {.kind = KM_NR_EVENT_KINDS};
	struct object_rows *rows = (struct object_rows *)base;
	int code;

	(void)number;
	(void)plan;
	(void)argc;
	(void)argv;
	object_reset(rows);
	code = km_vtab_cursor(base->pVtab, NULL, &rows->cursor);
	if (code != SQLITE_OK)
		return code;
	if (km_repair_new(&rows->repair))
		return SQLITE_NOMEM;
	km_repair_set_direct_map(rows->repair, km_trace_direct_map(km_vtab_trace(base)));
	rows->last = &before_all;
	return object_next(base);
}

static int object_eof(sqlite3_vtab_cursor *base)
{
	return ((struct object_rows *)base)->eof;
}

static int object_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
	*rowid = ((struct object_rows *)base)->rowid;
	return SQLITE_OK;
}

/* ---- columns ---- */

static void number_if(sqlite3_context *context, bool known, uint64_t number)
{
	if (known)
		sqlite3_result_int64(context, (int64_t)number);
}

static void text_of(sqlite3_context *context, const char *text)
{
	sqlite3_result_text(context, text, -1, SQLITE_STATIC);
}

static void alloc_column(sqlite3_context *context, const struct object_rows *rows, int column)
{
	const struct km_trace *trace = km_vtab_trace(&rows->base);
	const struct km_object *object = &rows->object;

	if (rows->free_kind == FREE_PREEXISTING)
		return; /* not known */
	switch (column) {
	case COLUMN_BYTES_REQ:
		number_if(context, true, object->bytes_req);
		break;
	case COLUMN_BYTES_ALLOC:
		number_if(context, true, object->bytes_alloc);
		break;
	case COLUMN_GFP:
		number_if(context, true, object->gfp);
		break;
	case COLUMN_BACKING:
		number_if(context, object->space == KM_SPACE_PAGE, object->backing);
		break;
	case COLUMN_ALLOC_CALL:
		text_of(context, km_event_name(object->kind));
		break;
	case COLUMN_ALLOC_NS:
		number_if(context, true, object->alloc_ns);
		break;
	case COLUMN_ALLOC_CPU:
		number_if(context, true, object->cpu);
		break;
	case COLUMN_ALLOC_SITE:
		km_result_site(context, &trace->sites[object->site]);
		break;
	case COLUMN_ALLOC_TID:
		number_if(context, object->task, trace->tasks[object->task].tid);
		break;
	case COLUMN_ALLOC_COMM:
		km_result_name(context, trace->tasks[object->task].comm);
		break;
	default:
		number_if(context, object->stack, object->stack);
	}
}

static void free_column(sqlite3_context *context, const struct object_rows *rows, int column)
{
	static const char *const kinds[] = {"explicit", "cross_api", "implied", "open",
					    "preexisting"};
	const struct km_trace *trace = km_vtab_trace(&rows->base);

	switch (column) {
	case COLUMN_FREE_KIND:
		text_of(context, kinds[rows->free_kind]);
		break;
	case COLUMN_FREE_CALL:
		if (rows->free.call)
			text_of(context, km_event_name(rows->free.kind));
		break;
	case COLUMN_FREE_NS:
		number_if(context, rows->free.call, rows->free.ns);
		break;
	case COLUMN_FREE_AFTER_NS:
		number_if(context, rows->free.after, rows->free.after_ns);
		break;
	case COLUMN_FREE_BEFORE_NS:
		number_if(context, rows->free.before, rows->free.before_ns);
		break;
	case COLUMN_FREE_CPU:
		number_if(context, rows->free.who, rows->free.cpu);
		break;
	case COLUMN_FREE_SITE:
		km_result_site(context, &trace->sites[rows->free.site]);
		break;
	case COLUMN_FREE_TID:
		number_if(context, rows->free.task, trace->tasks[rows->free.task].tid);
		break;
	case COLUMN_FREE_COMM:
		km_result_name(context, trace->tasks[rows->free.task].comm);
		break;
	default:
		number_if(context,
			  rows->free_kind == FREE_EXPLICIT || rows->free_kind == FREE_CROSS_API,
			  rows->free.ns - rows->object.alloc_ns);
	}
}

static int object_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	static const char *const spaces[KM_NR_SPACES] = {"slab", "page", "vmap", "percpu"};
	const struct object_rows *rows = (struct object_rows *)base;
	const struct km_object *object = &rows->object;

	switch (column) {
	case COLUMN_PTR:
		number_if(context, true, object->ptr);
		break;
	case COLUMN_KIND:
		text_of(context, spaces[object->space]);
		break;
	case COLUMN_CACHE:
		km_result_name(context, km_vtab_trace(base)->caches[object->cache].name);
		break;
	case COLUMN_PAGE_ORDER:
		number_if(context, object->space == KM_SPACE_PAGE, object->order);
		break;
	default:
		if (column < COLUMN_FREE_KIND)
			alloc_column(context, rows, column);
		else
			free_column(context, rows, column);
	}
	return SQLITE_OK;
}

const sqlite3_module km_vtab_object = {.xConnect = object_connect,
				       .xBestIndex = object_best_index,
				       .xDisconnect = km_vtab_disconnect,
				       .xOpen = object_open,
				       .xClose = object_close,
				       .xFilter = object_filter,
				       .xNext = object_next,
				       .xEof = object_eof,
				       .xColumn = object_column,
				       .xRowid = object_rowid};
