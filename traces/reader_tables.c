/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the small tables of a trace and the index of its chunks; nothing in them is trusted. */
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define KM_SNAPSHOT_MAX_BYTES (256u << 20)

/* One row into the trace. -EPROTO: it cannot be right. */
typedef int row_fn(struct km_trace *trace, sqlite3_stmt *row);

static int each_row(struct km_trace *trace, const char *table, const char *sql, row_fn *take,
		    struct km_err *err)
{
	sqlite3_stmt *statement;
	int code = km_prepare(trace, sql, &statement, err), step;
	char what[128];

	if (code)
		return code;
	while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW)
		code = take(trace, statement);
	if (code == -ENOMEM) {
		km_fail(err, code, "cannot read %s: not enough memory", trace->path);
	} else if (code) {
		snprintf(what, sizeof(what), "table %s has a row that cannot be", table);
		km_damaged(trace, err, what);
	} else if (step != SQLITE_DONE) {
		code = km_sql_errno(trace->db);
		if (step == SQLITE_INTERRUPT) {
			snprintf(what, sizeof(what), "table %s has no end", table);
			code = km_damaged(trace, err, what);
		} else if (code == -EPROTO || code == -EINVAL)
			code = km_damaged(trace, err, sqlite3_errmsg(trace->db));
		else
			code = km_sql_fail(trace->db, trace->path, "read", err);
	}
	sqlite3_finalize(statement);
	return code;
}

static char *column_dup(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return strdup(text ? text : "");
}

static void column_copy(sqlite3_stmt *row, int column, char *to, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	snprintf(to, size, "%s", text ? text : "");
}

static uint32_t column_u32(sqlite3_stmt *row, int column)
{
	return (uint32_t)sqlite3_column_int64(row, column);
}

static uint64_t column_u64(sqlite3_stmt *row, int column)
{
	return (uint64_t)sqlite3_column_int64(row, column);
}

/* ---- rows ---- */

static int take_meta(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_meta *meta;

	if (km_grow((void **)&trace->meta, trace->nr_meta, sizeof(*meta)))
		return -ENOMEM;
	meta = &trace->meta[trace->nr_meta];
	meta->key = column_dup(row, 0);
	meta->value = column_dup(row, 1);
	trace->nr_meta++;
	return meta->key && meta->value ? 0 : -ENOMEM;
}

static int take_cache(struct km_trace *trace, sqlite3_stmt *row)
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
	column_copy(row, 1, cache->name, sizeof(cache->name));
	cache->object_size = column_u32(row, 2);
	cache->size = column_u32(row, 3);
	cache->align = column_u32(row, 4);
	cache->flags = column_u32(row, 5);
	cache->order = column_u32(row, 6);
	cache->objects_per_slab = column_u32(row, 7);
	cache->min_partial = column_u32(row, 8);
	cache->cpu_partial = column_u32(row, 9);
	cache->sheaf_capacity = column_u32(row, 10);
	cache->has_geometry = sqlite3_column_int64(row, 11) != 0;
	cache->has_ctor = sqlite3_column_int64(row, 12) != 0;
	cache->typesafe_by_rcu = sqlite3_column_int64(row, 13) != 0;
	cache->reclaim_account = sqlite3_column_int64(row, 14) != 0;
	cache->account = sqlite3_column_int64(row, 15) != 0;
	cache->cache_dma = sqlite3_column_int64(row, 16) != 0;
	cache->hwcache_align = sqlite3_column_int64(row, 17) != 0;
	if (cache->order > KM_MAX_ORDER)
		return -EPROTO;
	trace->limits.caches++;
	return 0;
}

static int take_site(struct km_trace *trace, sqlite3_stmt *row)
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
	site->address = column_u64(row, 1);
	column_copy(row, 2, site->symbol, sizeof(site->symbol));
	site->offset = column_u32(row, 3);
	column_copy(row, 4, site->module, sizeof(site->module));
	trace->limits.sites++;
	return 0;
}

static int take_task(struct km_trace *trace, sqlite3_stmt *row)
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
	task->tid = column_u32(row, 1);
	task->tgid = column_u32(row, 2);
	column_copy(row, 3, task->comm, sizeof(task->comm));
	task->cgroup = column_u64(row, 4);
	trace->limits.tasks++;
	return 0;
}

static int take_stack(struct km_trace *trace, sqlite3_stmt *row)
{
	uint32_t id = trace->limits.stacks;
	const uint8_t *bytes = sqlite3_column_blob(row, 1);
	size_t n = (size_t)sqlite3_column_bytes(row, 1) / sizeof(uint32_t);

	if (sqlite3_column_int64(row, 0) != id || id == UINT32_MAX || !n ||
	    (size_t)sqlite3_column_bytes(row, 1) % sizeof(uint32_t))
		return -EPROTO;
	if (km_grow((void **)&trace->stack_end, id, sizeof(*trace->stack_end)))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t site;

		memcpy(&site, bytes + i * sizeof(site), sizeof(site));
		if (site >= trace->limits.sites)
			return -EPROTO;
		if (km_grow((void **)&trace->frames, trace->nr_frames, sizeof(site)))
			return -ENOMEM;
		trace->frames[trace->nr_frames++] = site;
	}
	trace->stack_end[id] = trace->nr_frames;
	trace->limits.stacks++;
	return 0;
}

static int take_cgroup(struct km_trace *trace, sqlite3_stmt *row)
{
	struct km_cgroup *cgroup;

	if (km_grow((void **)&trace->cgroups, trace->nr_cgroups, sizeof(*cgroup)))
		return -ENOMEM;
	cgroup = &trace->cgroups[trace->nr_cgroups];
	cgroup->id = column_u64(row, 0);
	cgroup->path = column_dup(row, 1);
	trace->nr_cgroups++;
	return cgroup->path ? 0 : -ENOMEM;
}

static int loss_cause_of(const char *name)
{
	for (int i = 0; name && i < KM_NR_LOSS_CAUSES; i++)
		if (!strcmp(name, km_loss_cause_names[i]))
			return i;
	return -1;
}

static int take_gap(struct km_trace *trace, sqlite3_stmt *row)
{
	int cause = loss_cause_of((const char *)sqlite3_column_text(row, 1));
	struct km_trace_gap *gap;

	if (cause < 0)
		return -EPROTO;
	if (km_grow((void **)&trace->gaps, trace->nr_gaps, sizeof(*gap)))
		return -ENOMEM;
	gap = &trace->gaps[trace->nr_gaps++];
	memset(gap, 0, sizeof(*gap));
	gap->cpu = (uint16_t)sqlite3_column_int(row, 0);
	gap->cause = (enum km_loss_cause)cause;
	gap->after_ns = column_u64(row, 2);
	gap->before_ns = column_u64(row, 3);
	gap->events = column_u64(row, 4);
	return 0;
}

static int take_count(struct km_trace *trace, sqlite3_stmt *row)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);

	for (unsigned kind = 0; name && kind < KM_NR_EVENT_KINDS; kind++) {
		if (strcmp(name, km_event_name(kind)))
			continue;
		trace->counts.fired[kind] = column_u64(row, 1);
		trace->counts.recorded[kind] = column_u64(row, 2);
		return 0;
	}
	return -EPROTO;
}

static int take_lost(struct km_trace *trace, sqlite3_stmt *row)
{
	int cause = loss_cause_of((const char *)sqlite3_column_text(row, 0));

	if (cause < 0)
		return -EPROTO;
	trace->counts.lost[cause] = column_u64(row, 1);
	return 0;
}

static int take_filtered(struct km_trace *trace, sqlite3_stmt *row)
{
	const char *reason = (const char *)sqlite3_column_text(row, 0);
	uint64_t count = column_u64(row, 1);

#define X(name, meaning)                                                                           \
	if (reason && !strcmp(reason, #name)) {                                                    \
		trace->counts.filtered_##name = count;                                             \
		return 0;                                                                          \
	}
	KM_FILTER_REASONS(X)
#undef X
	return -EPROTO;
}

/*
 * A killed capture never said what had fired nor what was lost: as much as is recorded, and as much
 * as its gaps hold, at least.
 */
static void complete_counts(struct km_trace *trace)
{
	uint64_t gaps[KM_NR_LOSS_CAUSES] = {0};

	for (size_t i = 0; i < trace->nr_gaps; i++)
		gaps[trace->gaps[i].cause] += trace->gaps[i].events;
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++)
		if (trace->counts.lost[cause] < gaps[cause])
			trace->counts.lost[cause] = gaps[cause];
	if (km_trace_complete(trace))
		return;
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		if (trace->counts.fired[kind] < trace->counts.recorded[kind])
			trace->counts.fired[kind] = trace->counts.recorded[kind];
}

static int nothing(struct km_trace *trace, sqlite3_stmt *row)
{
	(void)trace;
	(void)row;
	return 0;
}

static int load_tables(struct km_trace *trace, struct km_err *err)
{
	const bool has_cgroups = trace->version >= 2;
	const struct {
		const char *table, *sql; /* NULL: not in this version */
		row_fn *take;
	} tables[] = {
		{"meta", "SELECT key,value FROM meta", take_meta},
		{"cache",
		 "SELECT id,name,object_size,size,align,flags,slab_order,objects_per_slab,"
		 "min_partial,cpu_partial,sheaf_capacity,has_geometry,has_ctor,typesafe_by_rcu,"
		 "reclaim_account,account,cache_dma,hwcache_align FROM cache ORDER BY id",
		 take_cache},
		{"site", "SELECT id,address,symbol,offset,module FROM site ORDER BY id", take_site},
		{"task",
		 has_cgroups ? "SELECT id,tid,tgid,comm,cgroup FROM task ORDER BY id"
			     : "SELECT id,tid,tgid,comm,0 FROM task ORDER BY id",
		 take_task},
		{"cgroup", has_cgroups ? "SELECT id,path FROM cgroup ORDER BY id" : NULL,
		 take_cgroup},
		{"gap", "SELECT cpu,cause,after_ns,before_ns,events FROM gap ORDER BY id",
		 take_gap},
		{"counts", "SELECT kind,fired,recorded FROM counts", take_count},
		{"lost", "SELECT cause,count FROM lost", take_lost},
		{"filtered", "SELECT reason,count FROM filtered", take_filtered},
		{"stack", "SELECT id,frames FROM stack ORDER BY id", take_stack},
		{"snapshot", "SELECT phase,time_ns,source,bytes,text FROM snapshot LIMIT 0",
		 nothing},
		{"repair", "SELECT name,count FROM repair LIMIT 0", nothing},
	};
	int code = 0;

	if (km_grow((void **)&trace->stack_end, 0, sizeof(*trace->stack_end)))
		return km_fail(err, -ENOMEM, "cannot read %s: not enough memory", trace->path);
	trace->stack_end[0] = 0;
	trace->limits.stacks = 1;
	for (size_t i = 0; !code && i < sizeof(tables) / sizeof(*tables); i++)
		if (tables[i].sql)
			code = each_row(trace, tables[i].table, tables[i].sql, tables[i].take, err);
	if (code)
		return code;
	if (!trace->limits.caches || !trace->limits.sites || !trace->limits.tasks)
		return km_damaged(trace, err, "a dictionary is empty");
	complete_counts(trace);
	return 0;
}

/* ---- the index of chunks ---- */

int km_take_chunk_row(sqlite3_stmt *row, struct km_chunk_row *here)
{
	int64_t cpu = sqlite3_column_int64(row, 1), seq = sqlite3_column_int64(row, 2),
		events = sqlite3_column_int64(row, 3), kinds = sqlite3_column_int64(row, 6),
		sorted = sqlite3_column_int64(row, 7);
	struct km_chunk *chunk = &here->chunk;

	here->id = sqlite3_column_int64(row, 0);
	chunk->cpu = (uint16_t)cpu;
	chunk->first_seq = (uint32_t)seq;
	chunk->events = (uint32_t)events;
	chunk->t_min = column_u64(row, 4);
	chunk->t_max = column_u64(row, 5);
	chunk->kinds = (uint32_t)kinds;
	chunk->sorted = sorted != 0;
	chunk->xxh64 = column_u64(row, 9);
	/* A chunk of no kind would be passed over whatever is asked for. */
	return cpu < 0 || cpu > UINT16_MAX || seq < 0 || seq > UINT32_MAX || events < 1 ||
			       events > KM_CHUNK_EVENTS || chunk->t_min > chunk->t_max ||
			       chunk->t_max > INT64_MAX || kinds < 1 ||
			       kinds >> KM_NR_EVENT_KINDS || sorted < 0 || sorted > 1 ||
			       sqlite3_column_int64(row, 8) != KM_CHUNK_CODEC
		       ? -EPROTO
		       : 0;
}

int km_add_chunk(struct km_trace *trace, const struct km_chunk_row *here)
{
	const struct km_chunk_row *last =
		trace->nr_chunks ? &trace->chunks[trace->nr_chunks - 1] : NULL;

	trace->ordered &= here->chunk.sorted;
	if (last && last->chunk.cpu == here->chunk.cpu)
		trace->ordered &= here->chunk.t_min >= last->chunk.t_max;
	if (km_grow((void **)&trace->chunks, trace->nr_chunks, sizeof(*here)))
		return -ENOMEM;
	trace->chunks[trace->nr_chunks++] = *here;
	trace->events += here->chunk.events;
	return 0;
}

static int take_chunk(struct km_trace *trace, sqlite3_stmt *row)
{
	const struct km_chunk_row *last =
		trace->nr_chunks ? &trace->chunks[trace->nr_chunks - 1] : NULL;
	struct km_chunk_row here;
	uint32_t next_seq = 0;

	if (km_take_chunk_row(row, &here))
		return -EPROTO;
	if (last && last->chunk.cpu == here.chunk.cpu)
		next_seq = last->chunk.first_seq + last->chunk.events;
	if (here.chunk.first_seq != next_seq) /* no hole between them */
		return -EPROTO;
	return km_add_chunk(trace, &here);
}

int km_load_tables(struct km_trace *trace, struct km_err *err)
{
	int code;

	km_limit_rows(trace);
	code = load_tables(trace, err);
	km_free_rows(trace);
	return code;
}

int km_load_chunks(struct km_trace *trace, struct km_err *err)
{
	int code;

	km_limit_rows(trace);
	code = each_row(trace, "chunk", KM_CHUNK_ROWS, take_chunk, err);
	km_free_rows(trace);
	return code;
}

/* ---- snapshots, on demand ---- */

/*
 * The rows of a phase and source, in a table that may have no end (km_limit_rows()): found without
 * the texts of the others.
 */
#define SNAPSHOT_ROWS                                                                              \
	"FROM main.snapshot WHERE id IN (SELECT id FROM (SELECT id,phase,source "                  \
	"FROM main.snapshot LIMIT ?3) WHERE phase=?1 AND source=?2) "

static void bind_snapshot(const struct km_trace *trace, sqlite3_stmt *statement, const char *phase,
			  const char *source)
{
	sqlite3_bind_text(statement, 1, phase, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, source, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, trace->most_rows);
}

/* The row's text to free(). -EPROTO: it is not what its row says; -ENOMEM. */
static int snapshot_column(sqlite3_stmt *row, char **out)
{
	int64_t bytes = sqlite3_column_int64(row, 0);
	const void *stored = sqlite3_column_blob(row, 1);
	size_t size = (size_t)sqlite3_column_bytes(row, 1);
	bool right;
	char *text;

	if (bytes < 0 || bytes > KM_SNAPSHOT_MAX_BYTES)
		return -EPROTO;
	text = malloc((size_t)bytes + 1);
	if (!text || (!stored && size)) {
		free(text);
		return -ENOMEM;
	}
	text[bytes] = 0;
	if (sqlite3_column_type(row, 1) == SQLITE_BLOB) {
		right = ZSTD_decompress(text, (size_t)bytes, stored, size) == (size_t)bytes;
	} else {
		right = size == (size_t)bytes;
		if (right && size)
			memcpy(text, stored, size);
	}
	if (!right) {
		free(text);
		return -EPROTO;
	}
	*out = text;
	return 0;
}

/* Keep the text for as long as the trace; it is freed if it cannot be kept. */
static const char *keep_text(struct km_trace *trace, const char *phase, const char *source,
			     char *text)
{
	struct km_text entry = {strdup(phase), strdup(source), text};

	if (!entry.phase || !entry.source ||
	    km_grow((void **)&trace->texts, trace->nr_texts, sizeof(entry))) {
		free(entry.phase);
		free(entry.source);
		free(text);
		return NULL;
	}
	trace->texts[trace->nr_texts++] = entry;
	return text;
}

const char *km_trace_snapshot_text(struct km_trace *trace, const char *phase, const char *source)
{
	sqlite3_stmt *statement;
	char *text = NULL;

	for (size_t i = 0; i < trace->nr_texts; i++)
		if (!strcmp(trace->texts[i].phase, phase) &&
		    !strcmp(trace->texts[i].source, source))
			return trace->texts[i].text;
	if (km_prepare(trace, "SELECT bytes,text " SNAPSHOT_ROWS "ORDER BY id DESC LIMIT 1",
		       &statement, NULL))
		return NULL;
	bind_snapshot(trace, statement, phase, source);
	if (sqlite3_step(statement) == SQLITE_ROW)
		snapshot_column(statement, &text);
	sqlite3_finalize(statement);
	return text ? keep_text(trace, phase, source, text) : NULL;
}

int km_trace_each_snapshot(struct km_trace *trace, const char *phase, const char *source,
			   int (*visit)(void *context, uint64_t time_ns, const char *text),
			   void *context)
{
	sqlite3_stmt *statement;
	int code = km_prepare(trace,
			      "SELECT bytes,text,time_ns " SNAPSHOT_ROWS "ORDER BY time_ns,id",
			      &statement, NULL),
	    step = SQLITE_DONE;

	if (code)
		return code;
	bind_snapshot(trace, statement, phase, source);
	while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		char *text = NULL;

		code = snapshot_column(statement, &text);
		if (!code)
			code = visit(context, column_u64(statement, 2), text);
		free(text);
	}
	if (!code && step != SQLITE_DONE)
		code = km_sql_errno(trace->db);
	sqlite3_finalize(statement);
	return code;
}
