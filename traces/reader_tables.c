/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the small tables of a trace and the index of its chunks; nothing in them is trusted. */
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define KM_SNAPSHOT_MAX_BYTES (256u << 20)

/* One row into the trace. -EPROTO: it cannot be right. */
typedef int km_row_fn(struct km_trace *trace, sqlite3_stmt *row);

static int km_each_row(struct km_trace *trace, const char *table, const char *sql, km_row_fn *take,
		       struct km_err *err)
{
	sqlite3_stmt *statement;
	int rc = km_prepare(trace, sql, &statement, err), step;
	char what[128];

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(statement)) == SQLITE_ROW)
		rc = take(trace, statement);
	if (rc == -ENOMEM) {
		km_fail(err, rc, "cannot read %s: not enough memory", trace->path);
	} else if (rc) {
		snprintf(what, sizeof(what), "table %s has a row that cannot be", table);
		km_damaged(trace, err, what);
	} else if (step != SQLITE_DONE) {
		rc = km_sql_errno(trace->db);
		if (rc == -EPROTO || rc == -EINVAL)
			rc = km_damaged(trace, err, sqlite3_errmsg(trace->db));
		else
			rc = km_sql_fail(trace->db, trace->path, "read", err);
	}
	sqlite3_finalize(statement);
	return rc;
}

static char *km_column_dup(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return strdup(text ? text : "");
}

static void km_column_copy(sqlite3_stmt *row, int column, char *to, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	snprintf(to, size, "%s", text ? text : "");
}

static uint32_t km_column_u32(sqlite3_stmt *row, int column)
{
	return (uint32_t)sqlite3_column_int64(row, column);
}

static uint64_t km_column_u64(sqlite3_stmt *row, int column)
{
	return (uint64_t)sqlite3_column_int64(row, column);
}

/* ---- rows ---- */

static int km_take_meta(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_meta *meta;

	if (km_grow((void **)&trace->meta, trace->nr_meta, sizeof(*meta)))
		return -ENOMEM;
	meta = &trace->meta[trace->nr_meta];
	meta->key = km_column_dup(row, 0);
	meta->value = km_column_dup(row, 1);
	trace->nr_meta++;
	return meta->key && meta->value ? 0 : -ENOMEM;
}

static int km_take_cache(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_trace_cache *cache;
	uint32_t id = trace->limits.caches;

	if (sqlite3_column_int64(row, 0) != id || id > UINT16_MAX)
		return -EPROTO;
	if (km_grow((void **)&trace->caches, id, sizeof(*cache)))
		return -ENOMEM;
	cache = &trace->caches[id];
	memset(cache, 0, sizeof(*cache));
	cache->id = id;
	km_column_copy(row, 1, cache->name, sizeof(cache->name));
	cache->object_size = km_column_u32(row, 2);
	cache->size = km_column_u32(row, 3);
	cache->align = km_column_u32(row, 4);
	cache->flags = km_column_u32(row, 5);
	cache->order = km_column_u32(row, 6);
	cache->objects_per_slab = km_column_u32(row, 7);
	cache->min_partial = km_column_u32(row, 8);
	cache->cpu_partial = km_column_u32(row, 9);
	cache->sheaf_capacity = km_column_u32(row, 10);
	cache->has_geometry = sqlite3_column_int64(row, 11) != 0;
	cache->has_ctor = sqlite3_column_int64(row, 12) != 0;
	cache->typesafe_by_rcu = sqlite3_column_int64(row, 13) != 0;
	cache->reclaim_account = sqlite3_column_int64(row, 14) != 0;
	cache->account = sqlite3_column_int64(row, 15) != 0;
	cache->cache_dma = sqlite3_column_int64(row, 16) != 0;
	cache->hwcache_align = sqlite3_column_int64(row, 17) != 0;
	trace->limits.caches++;
	return 0;
}

static int km_take_site(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_trace_site *site;
	uint32_t id = trace->limits.sites;

	if (sqlite3_column_int64(row, 0) != id || id == UINT32_MAX)
		return -EPROTO;
	if (km_grow((void **)&trace->sites, id, sizeof(*site)))
		return -ENOMEM;
	site = &trace->sites[id];
	memset(site, 0, sizeof(*site));
	site->id = id;
	site->address = km_column_u64(row, 1);
	km_column_copy(row, 2, site->symbol, sizeof(site->symbol));
	site->offset = km_column_u32(row, 3);
	km_column_copy(row, 4, site->module, sizeof(site->module));
	trace->limits.sites++;
	return 0;
}

static int km_take_task(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_trace_task *task;
	uint32_t id = trace->limits.tasks;

	if (sqlite3_column_int64(row, 0) != id || id == UINT32_MAX)
		return -EPROTO;
	if (km_grow((void **)&trace->tasks, id, sizeof(*task)))
		return -ENOMEM;
	task = &trace->tasks[id];
	memset(task, 0, sizeof(*task));
	task->id = id;
	task->tid = km_column_u32(row, 1);
	task->tgid = km_column_u32(row, 2);
	km_column_copy(row, 3, task->comm, sizeof(task->comm));
	trace->limits.tasks++;
	return 0;
}

static int km_loss_cause(const char *name)
{
	for (int i = 0; name && i < KM_NR_LOSS_CAUSES; i++)
		if (!strcmp(name, km_loss_cause_names[i]))
			return i;
	return -1;
}

static int km_take_gap(struct km_trace *trace, sqlite3_stmt *row)
{
	int cause = km_loss_cause((const char *)sqlite3_column_text(row, 1));
	struct km_trace_gap *gap;

	if (cause < 0)
		return -EPROTO;
	if (km_grow((void **)&trace->gaps, trace->nr_gaps, sizeof(*gap)))
		return -ENOMEM;
	gap = &trace->gaps[trace->nr_gaps++];
	memset(gap, 0, sizeof(*gap));
	gap->cpu = (uint16_t)sqlite3_column_int(row, 0);
	gap->cause = (enum km_loss_cause)cause;
	gap->after_ns = km_column_u64(row, 2);
	gap->before_ns = km_column_u64(row, 3);
	gap->events = km_column_u64(row, 4);
	return 0;
}

static int km_take_count(struct km_trace *trace, sqlite3_stmt *row)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);

	for (unsigned kind = 0; name && kind < KM_NR_EVENT_KINDS; kind++) {
		if (strcmp(name, km_event_name(kind)))
			continue;
		trace->counts.fired[kind] = km_column_u64(row, 1);
		trace->counts.recorded[kind] = km_column_u64(row, 2);
		return 0;
	}
	return -EPROTO;
}

static int km_take_lost(struct km_trace *trace, sqlite3_stmt *row)
{
	int cause = km_loss_cause((const char *)sqlite3_column_text(row, 0));

	if (cause < 0)
		return -EPROTO;
	trace->counts.lost[cause] = km_column_u64(row, 1);
	return 0;
}

static int km_take_filtered(struct km_trace *trace, sqlite3_stmt *row)
{
	const char *reason = (const char *)sqlite3_column_text(row, 0);
	uint64_t count = km_column_u64(row, 1);

	if (reason && !strcmp(reason, "null"))
		trace->counts.filtered_null = count;
	else if (reason && !strcmp(reason, "self"))
		trace->counts.filtered_self = count;
	else if (reason && !strcmp(reason, "sampled"))
		trace->counts.filtered_sampled = count;
	else
		return -EPROTO;
	return 0;
}

/* A killed capture never said what had fired: as much as is recorded, at least. */
static void km_complete_counts(struct km_trace *trace)
{
	if (km_trace_complete(trace))
		return;
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		if (trace->counts.fired[kind] < trace->counts.recorded[kind])
			trace->counts.fired[kind] = trace->counts.recorded[kind];
}

static int km_nothing(struct km_trace *trace, sqlite3_stmt *row)
{
	(void)trace;
	(void)row;
	return 0;
}

int km_load_tables(struct km_trace *trace, struct km_err *err)
{
	static const struct {
		const char *table, *sql;
		km_row_fn *take;
	} tables[] = {
		{"meta", "SELECT key,value FROM meta", km_take_meta},
		{"cache",
		 "SELECT id,name,object_size,size,align,flags,slab_order,objects_per_slab,"
		 "min_partial,cpu_partial,sheaf_capacity,has_geometry,has_ctor,typesafe_by_rcu,"
		 "reclaim_account,account,cache_dma,hwcache_align FROM cache ORDER BY id",
		 km_take_cache},
		{"site", "SELECT id,address,symbol,offset,module FROM site ORDER BY id",
		 km_take_site},
		{"task", "SELECT id,tid,tgid,comm FROM task ORDER BY id", km_take_task},
		{"gap", "SELECT cpu,cause,after_ns,before_ns,events FROM gap ORDER BY id",
		 km_take_gap},
		{"counts", "SELECT kind,fired,recorded FROM counts", km_take_count},
		{"lost", "SELECT cause,count FROM lost", km_take_lost},
		{"filtered", "SELECT reason,count FROM filtered", km_take_filtered},
		{"stack", "SELECT id,frames FROM stack LIMIT 0", km_nothing},
		{"snapshot", "SELECT phase,time_ns,source,bytes,text FROM snapshot LIMIT 0",
		 km_nothing},
		{"repair", "SELECT name,count FROM repair LIMIT 0", km_nothing},
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(tables) / sizeof(*tables); i++)
		rc = km_each_row(trace, tables[i].table, tables[i].sql, tables[i].take, err);
	if (rc)
		return rc;
	if (!trace->limits.caches || !trace->limits.sites || !trace->limits.tasks)
		return km_damaged(trace, err, "a dictionary is empty");
	km_complete_counts(trace);
	return 0;
}

/* ---- the index of chunks ---- */

static int km_take_chunk(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_chunk_row *last = trace->nr_chunks ? &trace->chunks[trace->nr_chunks - 1] : NULL;
	struct km_chunk_row here = {.id = sqlite3_column_int64(row, 0)};
	int64_t cpu = sqlite3_column_int64(row, 1), events = sqlite3_column_int64(row, 3);

	here.chunk.cpu = (uint16_t)cpu;
	here.chunk.first_seq = km_column_u32(row, 2);
	here.chunk.events = (uint32_t)events;
	here.chunk.t_min = km_column_u64(row, 4);
	here.chunk.t_max = km_column_u64(row, 5);
	here.chunk.kinds = km_column_u32(row, 6);
	here.chunk.sorted = sqlite3_column_int64(row, 7) != 0;
	here.chunk.xxh64 = km_column_u64(row, 9);
	if (cpu < 0 || cpu > UINT16_MAX || events < 1 || events > KM_CHUNK_EVENTS ||
	    here.chunk.t_min > here.chunk.t_max || here.chunk.t_max > INT64_MAX ||
	    sqlite3_column_int64(row, 8) != KM_CHUNK_CODEC)
		return -EPROTO;
	trace->ordered &= here.chunk.sorted;
	if (last && last->chunk.cpu == cpu) { /* no hole between them */
		if (here.chunk.first_seq != last->chunk.first_seq + last->chunk.events)
			return -EPROTO;
		trace->ordered &= here.chunk.t_min >= last->chunk.t_max;
	} else if (here.chunk.first_seq) {
		return -EPROTO;
	}
	if (km_grow((void **)&trace->chunks, trace->nr_chunks, sizeof(here)))
		return -ENOMEM;
	trace->chunks[trace->nr_chunks++] = here;
	trace->events += here.chunk.events;
	return 0;
}

int km_load_chunks(struct km_trace *trace, struct km_err *err)
{
	trace->ordered = true;
	return km_each_row(trace, "chunk",
			   "SELECT id,cpu,first_seq,events,t_min,t_max,kinds,sorted,codec,xxh64 "
			   "FROM chunk ORDER BY cpu,id",
			   km_take_chunk, err);
}

/* ---- snapshots, on demand ---- */

static char *km_snapshot_column(sqlite3_stmt *row)
{
	int64_t bytes = sqlite3_column_int64(row, 0);
	const void *stored = sqlite3_column_blob(row, 1);
	size_t size = (size_t)sqlite3_column_bytes(row, 1);
	char *text;

	if (bytes < 0 || bytes > KM_SNAPSHOT_MAX_BYTES)
		return NULL;
	text = malloc((size_t)bytes + 1);
	if (!text)
		return NULL;
	text[bytes] = 0;
	if (sqlite3_column_type(row, 1) == SQLITE_BLOB) {
		if (ZSTD_decompress(text, (size_t)bytes, stored, size) == (size_t)bytes)
			return text;
	} else if (size == (size_t)bytes) {
		if (size)
			memcpy(text, stored, size);
		return text;
	}
	free(text);
	return NULL;
}

const char *km_trace_snapshot_text(struct km_trace *trace, const char *phase, const char *source)
{
	struct km_text *entry;
	sqlite3_stmt *statement;
	char *text = NULL;

	for (size_t i = 0; i < trace->nr_texts; i++)
		if (!strcmp(trace->texts[i].phase, phase) &&
		    !strcmp(trace->texts[i].source, source))
			return trace->texts[i].text;
	if (km_prepare(trace,
		       "SELECT bytes,text FROM snapshot WHERE phase=? AND source=? "
		       "ORDER BY id DESC LIMIT 1",
		       &statement, NULL))
		return NULL;
	sqlite3_bind_text(statement, 1, phase, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, source, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) == SQLITE_ROW)
		text = km_snapshot_column(statement);
	sqlite3_finalize(statement);
	if (!text)
		return NULL;
	if (km_grow((void **)&trace->texts, trace->nr_texts, sizeof(*entry))) {
		free(text);
		return NULL;
	}
	entry = &trace->texts[trace->nr_texts++];
	entry->phase = strdup(phase);
	entry->source = strdup(source);
	entry->text = text;
	return entry->phase && entry->source ? text : NULL;
}

int km_trace_each_snapshot(struct km_trace *trace, const char *phase, const char *source,
			   int (*visit)(void *context, uint64_t time_ns, const char *text),
			   void *context)
{
	sqlite3_stmt *statement;
	int rc = km_prepare(trace,
			    "SELECT bytes,text,time_ns FROM snapshot WHERE phase=? AND source=? "
			    "ORDER BY time_ns,id",
			    &statement, NULL);

	if (rc)
		return rc;
	sqlite3_bind_text(statement, 1, phase, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, source, -1, SQLITE_STATIC);
	while (!rc && sqlite3_step(statement) == SQLITE_ROW) {
		char *text = km_snapshot_column(statement);

		rc = text ? visit(context, km_column_u64(statement, 2), text) : -EPROTO;
		free(text);
	}
	sqlite3_finalize(statement);
	return rc;
}
