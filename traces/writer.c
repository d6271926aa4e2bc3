/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes a trace: events into chunks, chunks into SQLite. There is always a transaction open;
 * rows of the small tables go into it as they come, and it is committed with every full chunk. So
 * whatever is committed holds together: a chunk with the dictionary rows it refers to and the
 * running counts, at any kill.
 */
#include "writer.h"
#include "checkpointer.h"
#include "repair.h"
#include "schema_traces.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const write_sql[KM_NR_WRITE_STATEMENTS] = {
	[KM_WRITE_CHUNK] =
		"INSERT INTO "
		"chunk(cpu,first_seq,events,t_min,t_max,kinds,sorted,codec,xxh64,payload) "
		"VALUES(?,?,?,?,?,?,?,?,?,?)",
	[KM_WRITE_COUNT] = "INSERT OR REPLACE INTO counts VALUES(?,?,?)",
	[KM_WRITE_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[KM_WRITE_SNAPSHOT] =
		"INSERT INTO snapshot(phase,time_ns,source,bytes,text) VALUES(?,?,?,?,?)",
	[KM_WRITE_CACHE] =
		"INSERT OR REPLACE INTO cache VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[KM_WRITE_SITE] = "INSERT OR REPLACE INTO site VALUES(?,?,?,?,?)",
	[KM_WRITE_TASK] = "INSERT OR REPLACE INTO task VALUES(?,?,?,?,?)",
	[KM_WRITE_STACK] = "INSERT INTO stack VALUES(?,?)",
	[KM_WRITE_CGROUP] = "INSERT OR REPLACE INTO cgroup VALUES(?,?)",
	[KM_WRITE_GAP] = "INSERT INTO gap(cpu,cause,after_ns,before_ns,events) VALUES(?,?,?,?,?)",
	[KM_WRITE_LOST] = "INSERT OR REPLACE INTO lost VALUES(?,?)",
	[KM_WRITE_FILTERED] = "INSERT OR REPLACE INTO filtered VALUES(?,?)",
	[KM_WRITE_REPAIR] = "INSERT OR REPLACE INTO repair VALUES(?,?)",
};

int km_write_usable(const struct km_trace_writer *writer, struct km_err *err)
{
	if (writer->failed && err)
		*err = writer->failure;
	return writer->failed;
}

static int write_failed(struct km_trace_writer *writer, int code, struct km_err *err)
{
	if (!writer->failed) {
		writer->failed = code;
		if (err)
			writer->failure = *err;
	}
	return code;
}

static int write_sql_failed(struct km_trace_writer *writer, struct km_err *err)
{
	struct km_err here;
	int code = km_sql_fail(writer->db, writer->path, "write", &here);

	if (err)
		*err = here;
	return write_failed(writer, code, &here);
}

sqlite3_stmt *km_write_bind(struct km_trace_writer *writer, enum km_write_statement which,
			    const char *types, ...)
{
	sqlite3_stmt *statement = writer->statement[which];
	va_list args;

	sqlite3_reset(statement);
	va_start(args, types);
	for (int i = 1; *types; types++, i++) {
		switch (*types) {
		case 't':
			sqlite3_bind_text(statement, i, va_arg(args, const char *), -1,
					  SQLITE_TRANSIENT);
			break;
		case 'n':
			sqlite3_bind_int(statement, i, va_arg(args, int));
			break;
		default:
			sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
		}
	}
	va_end(args);
	return statement;
}

int km_write_step(struct km_trace_writer *writer, sqlite3_stmt *statement, struct km_err *err)
{
	int code = sqlite3_step(statement) == SQLITE_DONE ? 0 : write_sql_failed(writer, err);

	sqlite3_reset(statement);
	return code;
}

int km_write_commit(struct km_trace_writer *writer, struct km_err *err)
{
	struct km_err here;
	int code;

	if (sqlite3_exec(writer->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return write_sql_failed(writer, err);
	writer->stored = 0;
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		writer->stored += writer->recorded[kind];
	code = km_write_log_committed(writer, &here);
	if (code) {
		if (err)
			*err = here;
		return write_failed(writer, code, &here);
	}
	return sqlite3_exec(writer->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : write_sql_failed(writer, err);
}

/* ---- create ---- */

static int create_tables(struct km_trace_writer *writer, struct km_err *err)
{
	char start[256];

	snprintf(start, sizeof(start),
		 "PRAGMA page_size=%d; PRAGMA journal_mode=DELETE; BEGIN IMMEDIATE; "
		 "PRAGMA application_id=%d; PRAGMA user_version=%d;",
		 KM_PAGE_BYTES, KM_TRACE_APPLICATION_ID, KM_TRACE_VERSION);
	if (sqlite3_exec(writer->db, start, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(writer->db, km_traces_schema, NULL, NULL, NULL) != SQLITE_OK)
		return km_sql_fail(writer->db, writer->path, "write", err);
	for (int i = 0; i < KM_NR_WRITE_STATEMENTS; i++)
		if (sqlite3_prepare_v3(writer->db, write_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &writer->statement[i], NULL) != SQLITE_OK)
			return km_sql_fail(writer->db, writer->path, "write", err);
	return 0;
}

static void close_db(struct km_trace_writer *writer)
{
	km_checkpointer_delete(writer->log.checkpointer);
	writer->log.checkpointer = NULL;
	for (int i = 0; i < KM_NR_WRITE_STATEMENTS; i++) {
		sqlite3_finalize(writer->statement[i]);
		writer->statement[i] = NULL;
	}
	sqlite3_close(writer->db);
	writer->db = NULL;
}

static void lane_free(struct km_lane *lane)
{
	km_builder_delete(lane->builder);
	free(lane->held);
}

static void writer_free(struct km_trace_writer *writer)
{
	close_db(writer);
	for (uint32_t cpu = 0; cpu < writer->nr_lanes; cpu++)
		lane_free(&writer->lanes[cpu]);
	free(writer->lanes);
	free(writer->sites);
	free(writer->site_slot);
	km_stack_index_free(&writer->stacks);
	km_encoder_delete(writer->encoder);
	km_place_free(&writer->place);
	free(writer);
}

int km_trace_create(const char *path, struct km_trace_writer **out, struct km_err *err)
{
	struct km_trace_writer *writer = calloc(1, sizeof(*writer));
	int code;

	if (!writer)
		return km_fail(err, -ENOMEM, "cannot write %s: not enough memory", path);
	writer->encoder = km_encoder_new();
	if (!writer->encoder) {
		code = km_fail(err, -ENOMEM, "cannot write %s: not enough memory", path);
		goto free;
	}
	code = km_place_take(path, &writer->place, err);
	if (code)
		goto free;
	writer->path = writer->place.path;
	if (sqlite3_open_v2(writer->path, &writer->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		code = km_sql_fail(writer->db, path, "write", err);
		goto discard;
	}
	if ((code = create_tables(writer, err)) || (code = km_write_unknowns(writer, err)) ||
	    (code = km_write_counts(writer, err)) || (code = km_write_log_begin(writer, err)))
		goto discard;
	*out = writer;
	return 0;
discard:
	km_trace_discard(writer);
	return code;
free:
	writer_free(writer);
	return code;
}

const char *km_trace_earlier(const struct km_trace_writer *writer)
{
	return writer->place.earlier;
}

uint64_t km_trace_stored(const struct km_trace_writer *writer)
{
	return writer->stored;
}

/* ---- events ---- */

static int find_lane(struct km_trace_writer *writer, unsigned cpu, struct km_lane **out)
{
	if (cpu >= writer->nr_lanes) {
		uint32_t n = cpu + 1;
		struct km_lane *lanes;

		if (cpu > UINT16_MAX)
			return -EINVAL;
		lanes = realloc(writer->lanes, n * sizeof(*lanes));
		if (!lanes)
			return -ENOMEM;
		memset(lanes + writer->nr_lanes, 0, (n - writer->nr_lanes) * sizeof(*lanes));
		writer->lanes = lanes;
		writer->nr_lanes = n;
	}
	*out = &writer->lanes[cpu];
	if (!(*out)->builder)
		(*out)->builder = km_builder_new();
	if (!(*out)->held)
		(*out)->held = malloc(KM_HELD_EVENTS * sizeof(*(*out)->held));
	return (*out)->builder && (*out)->held ? 0 : -ENOMEM;
}

static int events_failed(struct km_trace_writer *writer, int code, struct km_err *err)
{
	struct km_err here;

	km_fail(&here, code, "cannot write %s: %s", writer->path,
		code == -EINVAL ? "an event is out of range (kind, time, or an undefined cache, "
				  "site, task or stack)"
				: strerror(-code));
	if (err)
		*err = here;
	return write_failed(writer, code, &here);
}

/* Write what the lane's builder holds as a chunk, not yet committed. */
static int write_chunk_row(struct km_trace_writer *writer, unsigned cpu, struct km_err *err)
{
	struct km_lane *lane = &writer->lanes[cpu];
	struct km_chunk chunk = {.cpu = (uint16_t)cpu, .first_seq = lane->first_seq};
	sqlite3_stmt *statement;
	const void *bytes;
	size_t size;
	int code;

	km_builder_count(lane->builder, writer->recorded);
	code = km_builder_encode(lane->builder, writer->encoder, &writer->next, &chunk, &bytes,
				 &size);
	if (!code && chunk.t_max > INT64_MAX)
		code = -EINVAL;
	if (code)
		return events_failed(writer, code, err);
	statement = km_write_bind(writer, KM_WRITE_CHUNK, "niniinni", (int)cpu,
				  (int64_t)chunk.first_seq, (int)chunk.events, (int64_t)chunk.t_min,
				  (int64_t)chunk.t_max, (int)chunk.kinds, (int)chunk.sorted,
				  (int64_t)KM_CHUNK_CODEC);
	sqlite3_bind_int64(statement, 9, (int64_t)chunk.xxh64);
	sqlite3_bind_blob64(statement, 10, bytes, size, SQLITE_STATIC);
	lane->first_seq += chunk.events;
	return km_write_step(writer, statement, err);
}

/* So many events that they stay in the fastest cache from one column to the next. */
#define KM_BUILD_STEP 256

/* The lane's next events, in their final order. A chunk that they fill is written. */
static int build(struct km_trace_writer *writer, unsigned cpu, const struct km_event *events,
		 size_t n, struct km_err *err)
{
	struct km_lane *lane = &writer->lanes[cpu];
	int code = 0;

	while (!code && n > 0) {
		uint32_t room = KM_CHUNK_EVENTS - km_builder_events(lane->builder);
		uint32_t take = room < KM_BUILD_STEP ? room : KM_BUILD_STEP;

		take = n < take ? (uint32_t)n : take;
		code = km_builder_add(lane->builder, events, take);
		if (code)
			return events_failed(writer, code, err);
		events += take;
		n -= take;
		if (take == room && !(code = write_chunk_row(writer, cpu, err)) &&
		    !(code = km_write_counts(writer, err)))
			code = km_write_commit(writer, err);
	}
	return code;
}

/* The n events held longest are in their final order. */
static int settle_events(struct km_trace_writer *writer, unsigned cpu, uint32_t n,
			 struct km_err *err)
{
	struct km_lane *lane = &writer->lanes[cpu];
	int code = build(writer, cpu, lane->held, n, err);

	lane->nr_held -= n;
	memmove(lane->held, lane->held + n, lane->nr_held * sizeof(*lane->held));
	return code;
}

/* The event at a place is earlier than the one before it: it is put right among those before. */
static void put_right(struct km_event *held, uint32_t at)
{
	uint32_t stop = at > KM_REORDER_EVENTS ? at - KM_REORDER_EVENTS : 0;
	struct km_event event = held[at];

	for (; at > stop && held[at - 1].time_ns > event.time_ns; at--)
		held[at] = held[at - 1];
	held[at] = event;
}

static void hold(struct km_lane *lane, const struct km_event *events, uint32_t n)
{
	struct km_event *held = lane->held;

	memcpy(held + lane->nr_held, events, n * sizeof(*held));
	for (; n > 0; n--, lane->nr_held++)
		if (lane->nr_held && held[lane->nr_held - 1].time_ns > held[lane->nr_held].time_ns)
			put_right(held, lane->nr_held);
}

/* Does no time step back, from the last event that is held on? */
static bool in_order(const struct km_lane *lane, const struct km_event *events, size_t n)
{
	uint64_t last = lane->nr_held ? lane->held[lane->nr_held - 1].time_ns : 0;
	bool back = false;

	for (size_t i = 0; i < n; i++) {
		back |= events[i].time_ns < last;
		last = events[i].time_ns;
	}
	return !back;
}

/* All are in order already: but for the last ones, which may yet be preceded, none is held. */
static int pass_on(struct km_trace_writer *writer, unsigned cpu, const struct km_event *events,
		   size_t n, struct km_err *err)
{
	struct km_lane *lane = &writer->lanes[cpu];
	int code = settle_events(writer, cpu, lane->nr_held, err);

	if (!code)
		code = build(writer, cpu, events, n - KM_REORDER_EVENTS, err);
	if (!code)
		hold(lane, events + n - KM_REORDER_EVENTS, KM_REORDER_EVENTS);
	return code;
}

int km_trace_append(struct km_trace_writer *writer, unsigned cpu, const struct km_event *events,
		    size_t n, struct km_err *err)
{
	struct km_lane *lane;
	int code = km_write_usable(writer, err);

	if (code || !n)
		return code;
	code = find_lane(writer, cpu, &lane);
	if (code)
		return km_fail(err, code, "cannot record events of CPU %u: %s", cpu,
			       strerror(-code));
	if (n > KM_REORDER_EVENTS && in_order(lane, events, n))
		return pass_on(writer, cpu, events, n, err);
	while (n > 0) {
		uint32_t room = KM_HELD_EVENTS - lane->nr_held;
		uint32_t take = n < room ? (uint32_t)n : room;

		hold(lane, events, take);
		events += take;
		n -= take;
		if (take == room &&
		    (code = settle_events(writer, cpu, KM_HELD_EVENTS - KM_REORDER_EVENTS, err)))
			return code;
	}
	return 0;
}

int km_trace_flush(struct km_trace_writer *writer, struct km_err *err)
{
	int code = km_write_usable(writer, err);

	for (uint32_t cpu = 0; !code && cpu < writer->nr_lanes; cpu++) {
		struct km_lane *lane = &writer->lanes[cpu];

		if (!lane->nr_held)
			continue;
		code = settle_events(writer, cpu, lane->nr_held, err);
		if (!code && km_builder_events(lane->builder))
			code = write_chunk_row(writer, cpu, err);
	}
	if (code || (code = km_write_counts(writer, err)))
		return code;
	return km_write_commit(writer, err);
}

/* ---- the end ---- */

static int store_repair(struct km_trace_writer *writer, const char *name, uint64_t count,
			struct km_err *err)
{
	return km_write_step(
		writer, km_write_bind(writer, KM_WRITE_REPAIR, "ti", name, (int64_t)count), err);
}

/* Read everything back, as every later user will, and decide what it means. */
static int write_repair(struct km_trace_writer *writer, struct km_err *err)
{
	struct km_repair_counts counts;
	struct km_trace *trace;
	char rules[16];
	int code = km_trace_open(writer->path, &trace, err);

	if (code)
		return code;
	code = km_repair_trace(trace, &counts, err);
	km_trace_close(trace);
#define X(field, meaning)                                                                          \
	if (!code)                                                                                 \
		code = store_repair(writer, #field, counts.field, err);
	KM_REPAIR_COUNTERS(X)
#undef X
	snprintf(rules, sizeof(rules), "%d", KM_REPAIR_RULES);
	return code ? code : km_trace_set_meta(writer, "repair_rules", rules, err);
}

/* Fold the write-ahead log into the file: one plain file is left. */
static int settle(struct km_trace_writer *writer, struct km_err *err)
{
	for (int i = 0; i < KM_NR_WRITE_STATEMENTS; i++) {
		sqlite3_finalize(writer->statement[i]);
		writer->statement[i] = NULL;
	}
	return km_write_log_end(writer, err);
}

int km_trace_finish(struct km_trace_writer *writer, uint64_t duration_ns, struct km_err *err)
{
	char text[32];
	int code;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)duration_ns);
	if ((code = km_trace_flush(writer, err)) || (code = write_repair(writer, err)) ||
	    (code = km_trace_set_meta(writer, "duration_ns", text, err)) ||
	    (code = km_trace_set_meta(writer, "complete", "1", err))) {
		km_trace_abandon(writer);
		return code;
	}
	if (sqlite3_exec(writer->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		code = km_sql_fail(writer->db, writer->path, "finish", err);
	if (!code)
		code = settle(writer, err);
	if (!code)
		km_place_keep(&writer->place);
	writer_free(writer);
	return code;
}

void km_trace_abandon(struct km_trace_writer *writer)
{
	if (!writer)
		return;
	/* After a full disk SQLite may have rolled back by itself, and the log may have to stay. */
	sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
	settle(writer, NULL);
	writer_free(writer);
}

void km_trace_discard(struct km_trace_writer *writer)
{
	if (!writer)
		return;
	close_db(writer);
	km_place_restore(&writer->place);
	writer_free(writer);
}
