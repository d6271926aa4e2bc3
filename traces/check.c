/* SPDX-License-Identifier: GPL-2.0-only */
/* The integrity walk. What the reader refuses as a whole is here taken row by row. */
#include "check.h"
#include "reader.h"
#include "repair.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const km_check_part_names[KM_NR_CHECK_PARTS] = {
#define X(constant, name, holds) [constant] = (name),
	KM_CHECK_PARTS(X)
#undef X
};

struct check {
	struct km_trace *trace;
	struct km_check_result *result;
	km_check_fn *visit;
	void *context;
	struct km_decoder *decoder;
	struct km_event *events; /* of one chunk */
	sqlite3_stmt *payload;
	uint64_t kinds[KM_NR_EVENT_KINDS]; /* readable events */
	uint64_t next_seq;                 /* of the CPU at hand */
	int cpu;
};

__attribute__((format(printf, 4, 5))) static void
report(struct check *check, enum km_check_part part, int64_t chunk, const char *format, ...)
{
	struct km_check_problem problem = {.part = part, .chunk = chunk};
	va_list args;

	va_start(args, format);
	vsnprintf(problem.what, sizeof(problem.what), format, args);
	va_end(args);
	check->result->problems++;
	check->visit(check->context, &problem);
}

/* SQLite could not read on: a problem of the file, or an error of this program's surroundings. */
static int sql_failed(struct check *check, struct km_err *err)
{
	sqlite3 *db = check->trace->db;
	int code = km_sql_errno(db);

	if (code != -EPROTO && code != -EINVAL)
		return km_sql_fail(db, check->trace->path, "read", err);
	report(check, KM_CHECK_FILE, 0, "SQLite cannot read on: %s", sqlite3_errmsg(db));
	return 0;
}

static int prepare(struct check *check, const char *sql, sqlite3_stmt **statement,
		   struct km_err *err)
{
	*statement = NULL;
	if (sqlite3_prepare_v2(check->trace->db, sql, -1, statement, NULL) == SQLITE_OK)
		return 0;
	return sql_failed(check, err);
}

/* Calls take() for each row. */
static int each_row(struct check *check, const char *sql,
		    int (*take)(struct check *check, sqlite3_stmt *row, struct km_err *err),
		    struct km_err *err)
{
	sqlite3_stmt *row;
	int step = SQLITE_DONE, code = prepare(check, sql, &row, err);

	while (row && !code && (step = sqlite3_step(row)) == SQLITE_ROW)
		code = take(check, row, err);
	if (!code && step != SQLITE_DONE)
		code = sql_failed(check, err);
	sqlite3_finalize(row);
	return code;
}

static int take_sqlite_problem(struct check *check, sqlite3_stmt *row, struct km_err *err)
{
	const char *text = (const char *)sqlite3_column_text(row, 0);

	(void)err;
	if (text && strcmp(text, "ok") != 0)
		report(check, KM_CHECK_FILE, 0, "SQLite: %s", text);
	return 0;
}

/* ---- chunks ---- */

/* The bytes decoded into check->events, their row into *found; else -errno, -EPROTO reported. */
static int decode(struct check *check, const struct km_chunk_row *row, struct km_chunk *found)
{
	static const struct km_chunk_limits any = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	const void *bytes = sqlite3_column_blob(check->payload, 0);
	size_t size = (size_t)sqlite3_column_bytes(check->payload, 0);
	int code;

	if (!bytes) {
		report(check, KM_CHECK_CHUNK, row->id, "chunk %lld has no bytes",
		       (long long)row->id);
		return -EPROTO;
	}
	code = km_chunk_examine(check->decoder, bytes, size, &check->trace->limits, found,
				check->events);
	if (found->xxh64 != row->chunk.xxh64) {
		report(check, KM_CHECK_CHUNK, row->id, "chunk %lld fails its checksum",
		       (long long)row->id);
		return -EPROTO;
	}
	if (code == -EPROTO)
		report(check, KM_CHECK_CHUNK, row->id, "chunk %lld %s", (long long)row->id,
		       km_chunk_examine(check->decoder, bytes, size, &any, found, check->events)
			       ? "cannot be decoded"
			       : "names a site, task, cache or stack that is in no dictionary");
	return code;
}

static int read_chunk(struct check *check, const struct km_chunk_row *row, struct km_chunk *found,
		      struct km_err *err)
{
	int step, code;

	sqlite3_bind_int64(check->payload, 1, row->id);
	step = sqlite3_step(check->payload);
	if (step == SQLITE_ROW) {
		code = decode(check, row, found);
		if (code == -ENOMEM)
			km_fail(err, code, "cannot read %s: not enough memory", check->trace->path);
	} else {
		code = sql_failed(check, err);
		code = code ? code : -EPROTO;
	}
	sqlite3_reset(check->payload);
	return code;
}

/* True if the row says what its bytes say; a wrong row is reported. */
static void check_index(struct check *check, const struct km_chunk_row *row,
			const struct km_chunk *found)
{
#define X(column)                                                                                  \
	if (row->chunk.column != found->column)                                                    \
		report(check, KM_CHECK_INDEX, row->id,                                             \
		       "chunk %lld: column " #column " is %llu, by its events it is %llu",         \
		       (long long)row->id, (unsigned long long)row->chunk.column,                  \
		       (unsigned long long)found->column);
	X(cpu)
	X(first_seq)
	X(events)
	X(t_min)
	X(t_max)
	X(kinds)
	X(sorted)
#undef X
}

static void check_sequence(struct check *check, int64_t id, const struct km_chunk *chunk)
{
	if (check->cpu != chunk->cpu)
		check->next_seq = 0;
	check->cpu = chunk->cpu;
	if (chunk->first_seq > check->next_seq)
		report(check, KM_CHECK_SEQUENCE, id,
		       "cpu %u: %llu events are missing before chunk %lld", chunk->cpu,
		       (unsigned long long)(chunk->first_seq - check->next_seq), (long long)id);
	else if (chunk->first_seq < check->next_seq)
		report(check, KM_CHECK_SEQUENCE, id,
		       "cpu %u: chunk %lld begins with event %u, which is in the one before it",
		       chunk->cpu, (long long)id, chunk->first_seq);
	check->next_seq = (uint64_t)chunk->first_seq + chunk->events;
}

/* The chunk as its bytes say, from here on. */
static int keep_chunk(struct check *check, int64_t id, const struct km_chunk *found,
		      struct km_err *err)
{
	const struct km_chunk_row row = {id, *found};

	for (uint32_t i = 0; i < found->events; i++)
		check->kinds[check->events[i].kind]++;
	check->result->chunks++;
	if (km_add_chunk(check->trace, &row))
		return km_fail(err, -ENOMEM, "cannot read %s: not enough memory",
			       check->trace->path);
	return 0;
}

static int take_chunk(struct check *check, sqlite3_stmt *statement, struct km_err *err)
{
	struct km_chunk_row row;
	struct km_chunk found;
	int code;

	if (km_take_chunk_row(statement, &row))
		report(check, KM_CHECK_INDEX, row.id, "chunk %lld: its row cannot be",
		       (long long)row.id);
	code = read_chunk(check, &row, &found, err);
	if (!code)
		check_index(check, &row, &found);
	if (!code && found.cpu == row.chunk.cpu) {
		check_sequence(check, row.id, &found);
		return keep_chunk(check, row.id, &found, err);
	}
	if (code && code != -EPROTO)
		return code;
	check_sequence(check, row.id, &row.chunk);
	check->result->damaged_chunks++;
	check->result->damaged_events += row.chunk.events;
	return 0;
}

/* ---- the ledger ---- */

static int take_sums(struct check *check, sqlite3_stmt *row, struct km_err *err)
{
	unsigned long long sums[4];

	(void)err;
	for (int i = 0; i < 4; i++)
		sums[i] = (unsigned long long)sqlite3_column_int64(row, i);
	if (sums[0] != sums[1] + sums[2] + sums[3])
		report(check, KM_CHECK_LEDGER, 0,
		       "%llu events fired, but %llu recorded + %llu lost + %llu filtered are %llu",
		       sums[0], sums[1], sums[2], sums[3], sums[1] + sums[2] + sums[3]);
	return 0;
}

static int take_lost(struct check *check, sqlite3_stmt *row, struct km_err *err)
{
	int64_t lost = sqlite3_column_int64(row, 1), placed = sqlite3_column_int64(row, 2);

	(void)err;
	if (lost != placed)
		report(check, KM_CHECK_GAP, 0,
		       "%lld events were lost by %s, the gaps of that cause hold %lld",
		       (long long)lost, (const char *)sqlite3_column_text(row, 0),
		       (long long)placed);
	return 0;
}

static void check_recorded(struct check *check)
{
	const struct km_check_result *result = check->result;
	const uint64_t *recorded = check->trace->counts.recorded;
	uint64_t sum = 0, there = result->events + result->damaged_events;

	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		sum += recorded[kind];
		if (!result->damaged_chunks && recorded[kind] != check->kinds[kind])
			report(check, KM_CHECK_LEDGER, 0,
			       "%llu events %s were recorded, the chunks hold %llu",
			       (unsigned long long)recorded[kind], km_event_name(kind),
			       (unsigned long long)check->kinds[kind]);
	}
	if (result->damaged_chunks && sum != there)
		report(check, KM_CHECK_LEDGER, 0, "%llu events were recorded, the chunks hold %llu",
		       (unsigned long long)sum, (unsigned long long)there);
}

static void check_gaps(struct check *check)
{
	for (size_t i = 0; i < check->trace->nr_gaps; i++) {
		const struct km_trace_gap *gap = &check->trace->gaps[i];

		if (gap->after_ns > gap->before_ns || !gap->events ||
		    (gap->cpu != KM_GAP_CPU_UNKNOWN && gap->cpu >= km_trace_cpus(check->trace)))
			report(check, KM_CHECK_GAP, 0,
			       "gap %zu cannot be: cpu %u, after %llu ns, before %llu ns, %llu "
			       "events",
			       i + 1, gap->cpu, (unsigned long long)gap->after_ns,
			       (unsigned long long)gap->before_ns, (unsigned long long)gap->events);
	}
}

/* A capture that was killed never wrote its ledger. */
static int check_ledger(struct check *check, struct km_err *err)
{
	static const char sums[] = "SELECT (SELECT coalesce(sum(fired),0) FROM counts),"
				   "(SELECT coalesce(sum(recorded),0) FROM counts),"
				   "(SELECT coalesce(sum(count),0) FROM lost),"
				   "(SELECT coalesce(sum(count),0) FROM filtered)";
	static const char lost[] = "SELECT cause,count,coalesce((SELECT sum(events) FROM gap "
				   "WHERE gap.cause=lost.cause),0) FROM lost";
	int code;

	check_gaps(check);
	if (!km_trace_complete(check->trace))
		return 0;
	check_recorded(check);
	code = each_row(check, sums, take_sums, err);
	return code ? code : each_row(check, lost, take_lost, err);
}

/* Run the repair pass again over what must be the same events. */
static int check_repair(struct check *check, struct km_err *err)
{
	const char *rules = km_trace_meta(check->trace, "repair_rules");
	struct km_repair_counts stored, again;
	int code;

	/* Counts by older rules are made anew by whoever asks for them. */
	if (!km_trace_complete(check->trace) || check->result->damaged_chunks || !rules ||
	    strtol(rules, NULL, 10) != KM_REPAIR_RULES)
		return 0;
	if (km_trace_repair(check->trace, &stored)) {
		report(check, KM_CHECK_REPAIR, 0, "the repair counts are not all there");
		return 0;
	}
	code = km_repair_trace(check->trace, &again, err);
	if (code)
		return code;
#define X(field, meaning)                                                                          \
	if (stored.field != again.field)                                                           \
		report(check, KM_CHECK_REPAIR, 0,                                                  \
		       "the stored count of " #field " is %llu, its events give %llu",             \
		       (unsigned long long)stored.field, (unsigned long long)again.field);
	KM_REPAIR_COUNTERS(X)
#undef X
	return 0;
}

/* ---- the walk ---- */

/* Tables whose rows cannot be are reported; the events cannot be read then. */
static int walk(struct check *check, bool deep, bool *readable, struct km_err *err)
{
	struct km_trace *trace = check->trace;
	int code = each_row(check, deep ? "PRAGMA integrity_check(20)" : "PRAGMA quick_check(20)",
			    take_sqlite_problem, err);

	if (code)
		return code;
	code = km_load_tables(trace, err);
	if (code && code != -EPROTO)
		return code;
	*readable = !code;
	if (code) {
		report(check, KM_CHECK_TABLE, 0, "%s", err->text);
		trace->limits =
			(struct km_chunk_limits){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	}
	code = prepare(check, "SELECT payload FROM chunk WHERE id=?", &check->payload, err);
	km_limit_rows(trace);
	if (!code && check->payload)
		code = each_row(check, KM_CHUNK_ROWS, take_chunk, err);
	km_free_rows(trace);
	check->result->events = trace->events;
	if (code || !*readable)
		return code;
	sqlite3_exec(trace->db, "COMMIT", NULL, NULL, NULL);
	code = check_ledger(check, err);
	return code || !deep ? code : check_repair(check, err);
}

/* A trace by its first bytes that cannot be opened is a problem, not an error. */
static int check_unopened(struct check *check, const char *path, int code, struct km_err *err)
{
	struct km_file_head head;

	if (code != -EPROTO || km_read_head(path, &head) || !head.is_sqlite ||
	    head.application_id != KM_TRACE_APPLICATION_ID)
		return code;
	report(check, KM_CHECK_FILE, 0, "%s", err->text);
	return 0;
}

int km_trace_check(const char *path, bool deep, km_check_fn *visit, void *context,
		   struct km_check_result *result, struct km_trace **out, struct km_err *err)
{
	struct check check = {.result = result, .visit = visit, .context = context, .cpu = -1};
	bool readable = false;
	int code;

	*result = (struct km_check_result){0};
	*out = NULL;
	code = km_open_unread(path, &check.trace, err);
	if (code)
		return check_unopened(&check, path, code, err);
	check.decoder = km_decoder_new();
	check.events = malloc(KM_CHUNK_EVENTS * sizeof(*check.events));
	code = check.decoder && check.events
		       ? walk(&check, deep, &readable, err)
		       : km_fail(err, -ENOMEM, "cannot read %s: not enough memory", path);
	sqlite3_finalize(check.payload);
	km_decoder_delete(check.decoder);
	free(check.events);
	if (!code && readable)
		*out = check.trace;
	else
		km_trace_close(check.trace);
	return code;
}
