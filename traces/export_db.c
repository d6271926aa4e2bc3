/* SPDX-License-Identifier: GPL-2.0-only */
/* Plain tables of a trace: one transaction into a file that nobody else has open. */
#include "export.h"
#include "reader.h"
#include <errno.h>
#include <string.h>

static const char schema[] =
	"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; BEGIN;"
	"CREATE TABLE kind(id INTEGER PRIMARY KEY, name TEXT NOT NULL, groups TEXT NOT NULL);"
	"CREATE TABLE event(time_ns INTEGER NOT NULL, cpu INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, ptr INTEGER NOT NULL, bytes_req INTEGER NOT NULL,"
	" bytes_alloc INTEGER NOT NULL, gfp INTEGER NOT NULL, node INTEGER NOT NULL,"
	" page_order INTEGER NOT NULL, migratetype INTEGER NOT NULL, context INTEGER NOT NULL,"
	" cache INTEGER NOT NULL, site INTEGER NOT NULL, task INTEGER NOT NULL,"
	" stack INTEGER NOT NULL);"
	"CREATE TABLE cache(id INTEGER PRIMARY KEY, name TEXT NOT NULL, object_size INTEGER,"
	" size INTEGER, align INTEGER, flags INTEGER, slab_order INTEGER, objects_per_slab "
	"INTEGER);"
	"CREATE TABLE site(id INTEGER PRIMARY KEY, address INTEGER, symbol TEXT, offset INTEGER,"
	" module TEXT);"
	"CREATE TABLE task(id INTEGER PRIMARY KEY, tid INTEGER, tgid INTEGER, comm TEXT,"
	" cgroup INTEGER);"
	"CREATE TABLE stack(id INTEGER, depth INTEGER, site INTEGER, PRIMARY KEY(id, depth));"
	"CREATE TABLE gap(cpu INTEGER, cause TEXT, after_ns INTEGER, before_ns INTEGER,"
	" events INTEGER);"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);"
	"CREATE VIEW named_event AS SELECT e.time_ns, e.cpu, e.seq, k.name AS kind, e.ptr,"
	" e.bytes_req, e.bytes_alloc, e.gfp, e.node, e.page_order, e.migratetype, e.context,"
	" c.name AS cache, s.symbol AS symbol, s.offset AS offset, t.tid, t.comm, e.stack"
	" FROM event e JOIN kind k ON k.id = e.kind JOIN cache c ON c.id = e.cache"
	" JOIN site s ON s.id = e.site JOIN task t ON t.id = e.task;";

struct target {
	sqlite3 *db;
	const char *path;
	sqlite3_stmt *insert;
	bool (*stop)(void);
};

static int failed(const struct target *target, struct km_err *err)
{
	return km_sql_fail(target->db, target->path, "write", err);
}

static int prepare(struct target *target, const char *sql, struct km_err *err)
{
	sqlite3_finalize(target->insert);
	target->insert = NULL;
	return sqlite3_prepare_v2(target->db, sql, -1, &target->insert, NULL) == SQLITE_OK
		       ? 0
		       : failed(target, err);
}

/* A row: i int64_t, t text. */
static int put(struct target *target, struct km_err *err, const char *types, ...)
{
	va_list args;
	bool done;

	va_start(args, types);
	for (int i = 1; *types; types++, i++) {
		if (*types == 't')
			sqlite3_bind_text(target->insert, i, va_arg(args, const char *), -1,
					  SQLITE_STATIC);
		else
			sqlite3_bind_int64(target->insert, i, va_arg(args, int64_t));
	}
	va_end(args);
	done = sqlite3_step(target->insert) == SQLITE_DONE;
	return sqlite3_reset(target->insert) == SQLITE_OK && done ? 0 : failed(target, err);
}

static int put_caches(struct target *target, struct km_trace *trace, struct km_err *err)
{
	uint32_t count;
	const struct km_trace_cache *caches = km_trace_caches(trace, &count);
	int code = prepare(target, "INSERT INTO cache VALUES(?,?,?,?,?,?,?,?)", err);

	for (uint32_t i = 0; !code && i < count; i++)
		code = put(target, err, "itiiiiii", (int64_t)i, caches[i].name,
			   (int64_t)caches[i].object_size, (int64_t)caches[i].size,
			   (int64_t)caches[i].align, (int64_t)caches[i].flags,
			   (int64_t)caches[i].order, (int64_t)caches[i].objects_per_slab);
	return code;
}

static int put_sites(struct target *target, struct km_trace *trace, struct km_err *err)
{
	uint32_t count, id = 1;
	const struct km_trace_site *sites = km_trace_site_table(trace, &count);
	const uint32_t *frames;
	unsigned n;
	int code = prepare(target, "INSERT INTO site VALUES(?,?,?,?,?)", err);

	for (uint32_t i = 0; !code && i < count; i++)
		code = put(target, err, "iitit", (int64_t)i, (int64_t)sites[i].address,
			   sites[i].symbol, (int64_t)sites[i].offset, sites[i].module);
	if (!code)
		code = prepare(target, "INSERT INTO stack VALUES(?,?,?)", err);
	for (; !code && (frames = km_trace_stack(trace, id, &n)); id++)
		for (unsigned depth = 0; !code && depth < n; depth++)
			code = put(target, err, "iii", (int64_t)id, (int64_t)depth,
				   (int64_t)frames[depth]);
	return code;
}

static int put_tasks(struct target *target, struct km_trace *trace, struct km_err *err)
{
	uint32_t count;
	const struct km_trace_task *tasks = km_trace_tasks(trace, &count);
	int code = prepare(target, "INSERT INTO task VALUES(?,?,?,?,?)", err);

	for (uint32_t i = 0; !code && i < count; i++) {
		char comm[sizeof(tasks[i].comm) + 1] = "";

		memcpy(comm, tasks[i].comm, sizeof(tasks[i].comm));
		code = put(target, err, "iiiti", (int64_t)i, (int64_t)tasks[i].tid,
			   (int64_t)tasks[i].tgid, comm, (int64_t)tasks[i].cgroup);
	}
	return code;
}

static int put_small(struct target *target, struct km_trace *trace, struct km_err *err)
{
	size_t count;
	const struct km_trace_gap *gaps = km_trace_gaps(trace, &count);
	int code = prepare(target, "INSERT INTO kind VALUES(?,?,?)", err);

	for (unsigned kind = 0; !code && kind < KM_NR_EVENT_KINDS; kind++)
		code = put(target, err, "itt", (int64_t)kind, km_event_name(kind),
			   km_event_group_name(km_event_group_of(kind)));
	if (!code)
		code = prepare(target, "INSERT INTO gap VALUES(?,?,?,?,?)", err);
	for (size_t i = 0; !code && i < count; i++)
		code = put(target, err, "itiii", (int64_t)gaps[i].cpu,
			   km_loss_cause_names[gaps[i].cause], (int64_t)gaps[i].after_ns,
			   (int64_t)gaps[i].before_ns, (int64_t)gaps[i].events);
	if (!code)
		code = prepare(target, "INSERT INTO meta VALUES(?,?)", err);
	for (size_t i = 0; !code && i < trace->nr_meta; i++)
		code = put(target, err, "tt", trace->meta[i].key, trace->meta[i].value);
	return code;
}

static int put_event(struct target *target, const struct km_event *event, struct km_err *err)
{
	return put(target, err, "iiiiiiiiiiiiiiii", (int64_t)event->time_ns, (int64_t)event->cpu,
		   (int64_t)event->seq, (int64_t)event->kind, (int64_t)event->ptr,
		   (int64_t)event->bytes_req, (int64_t)event->bytes_alloc, (int64_t)event->gfp,
		   (int64_t)event->node, (int64_t)event->order, (int64_t)event->migratetype,
		   (int64_t)event->context, (int64_t)event->cache, (int64_t)event->site,
		   (int64_t)event->task, (int64_t)event->stack);
}

static int put_events(struct target *target, struct km_trace *trace,
		      const struct km_trace_filter *filter, uint64_t *rows, struct km_err *err)
{
	struct km_trace_cursor *cursor = NULL;
	const struct km_event *events;
	size_t got;
	int code =
		prepare(target, "INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", err);

	if (!code)
		code = km_trace_cursor_open(trace, filter, &cursor, err);
	while (!code && !(code = km_trace_next_run(cursor, &events, &got, err)) && got) {
		if (target->stop && target->stop())
			code = km_fail(err, -EINTR, "%s was not written: interrupted",
				       target->path);
		for (size_t i = 0; !code && i < got; i++)
			code = put_event(target, &events[i], err);
		*rows += got;
	}
	km_trace_cursor_close(cursor);
	return code;
}

int km_export_db(struct km_trace *trace, const struct km_trace_filter *filter, const char *path,
		 bool (*stop)(void), uint64_t *rows, struct km_err *err)
{
	struct target target = {.path = path, .stop = stop};
	int code = 0;

	*rows = 0;
	if (sqlite3_open_v2(path, &target.db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_exec(target.db, schema, NULL, NULL, NULL) != SQLITE_OK)
		code = failed(&target, err);
	if (code || (code = put_small(&target, trace, err)) ||
	    (code = put_caches(&target, trace, err)) || (code = put_sites(&target, trace, err)) ||
	    (code = put_tasks(&target, trace, err)) ||
	    (code = put_events(&target, trace, filter, rows, err)))
		goto close;
	if (sqlite3_exec(target.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		code = failed(&target, err);
close:
	sqlite3_finalize(target.insert);
	sqlite3_close(target.db);
	return code;
}
