/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens a trace: says what is wrong with a file that is none, and reads everything but the events
 * into memory. A capture that was killed leaves a write-ahead log beside the file; SQLite takes it
 * in by itself.
 */
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KM_RECORD_ONE "record one with 'kmlab capture -o T.kmt'"

int km_damaged(const struct km_trace *trace, struct km_err *err, const char *what)
{
	return km_fail(err, -EPROTO, "%s is damaged: %s; copy it again or " KM_RECORD_ONE,
		       trace->path, what);
}

int km_prepare(const struct km_trace *trace, const char *sql, sqlite3_stmt **statement,
	       struct km_err *err)
{
	if (sqlite3_prepare_v2(trace->db, sql, -1, statement, NULL) == SQLITE_OK)
		return 0;
	if (km_sql_errno(trace->db) == -EINVAL || km_sql_errno(trace->db) == -EPROTO)
		return km_damaged(trace, err, sqlite3_errmsg(trace->db));
	return km_sql_fail(trace->db, trace->path, "read", err);
}

/* ---- tables without an end ---- */

/* A row of 10 bytes takes 50 steps of SQLite's machine, if it is sorted. */
#define STEPS_PER_BYTE 8
#define LEAST_ROW_BYTES 5 /* of two columns, and where its cell lies */
#define ROUND_STEPS 10000

static int64_t pragma(const struct km_trace *trace, const char *sql)
{
	sqlite3_stmt *row;
	int64_t value = 0;

	if (km_prepare(trace, sql, &row, NULL))
		return 0;
	if (sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static int spend_round(void *context)
{
	struct km_trace *trace = context;

	return trace->rounds_left-- <= 0;
}

void km_limit_rows(struct km_trace *trace)
{
	/* At most 2^32 of 2^16. */
	const int64_t bytes =
		pragma(trace, "PRAGMA page_count") * pragma(trace, "PRAGMA page_size");

	trace->most_rows = bytes / LEAST_ROW_BYTES;
	trace->rounds_left = bytes / (ROUND_STEPS / STEPS_PER_BYTE) + 10;
	sqlite3_progress_handler(trace->db, ROUND_STEPS, spend_round, trace);
}

void km_free_rows(struct km_trace *trace)
{
	sqlite3_progress_handler(trace->db, 0, NULL, NULL);
}

/* Capacity is the next power of two of n, so that adding one is amortised. */
int km_grow(void **array, size_t n, size_t size)
{
	size_t capacity = n ? 2 * n : 16;
	void *grown;

	if (n && (n < 16 || (n & (n - 1))))
		return 0;
	grown = realloc(*array, capacity * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

/* ---- is it a trace ---- */

static bool has_log(const char *path)
{
	char name[4096];

	return snprintf(name, sizeof(name), "%s-wal", path) < (int)sizeof(name) &&
	       access(name, F_OK) == 0;
}

static int check_file(const char *path, struct km_err *err)
{
	struct km_file_head head;
	int code = km_read_head(path, &head);

	if (code == -ENOENT)
		return km_fail(err, code, "%s does not exist; " KM_RECORD_ONE, path);
	if (code)
		return km_fail(err, code, "cannot read %s: %s", path, strerror(-code));
	if (!head.bytes)
		return km_fail(err, -EPROTO, "%s is not a kmlab trace: it is empty; " KM_RECORD_ONE,
			       path);
	if (!head.is_sqlite)
		return km_fail(err, -EPROTO,
			       "%s is not a kmlab trace: it is not an SQLite file; " KM_RECORD_ONE,
			       path);
	if (head.application_id != KM_TRACE_APPLICATION_ID)
		return km_fail(err, -EPROTO,
			       "%s is not a kmlab trace: it is an SQLite file of another "
			       "application (id 0x%08x); " KM_RECORD_ONE,
			       path, head.application_id);
	if (head.bytes < head.pages_bytes && !has_log(path))
		return km_fail(err, -EPROTO,
			       "%s is truncated: it has %llu of its %llu bytes; copy it again "
			       "or " KM_RECORD_ONE,
			       path, (unsigned long long)head.bytes,
			       (unsigned long long)head.pages_bytes);
	return 0;
}

static int check_version(struct km_trace *trace, struct km_err *err)
{
	sqlite3_stmt *statement;
	int code = km_prepare(trace, "PRAGMA user_version", &statement, err);

	if (code)
		return code;
	if (sqlite3_step(statement) != SQLITE_ROW) {
		code = km_sql_errno(trace->db) == -EPROTO
			       ? km_damaged(trace, err, sqlite3_errmsg(trace->db))
			       : km_sql_fail(trace->db, trace->path, "read", err);
		sqlite3_finalize(statement);
		return code;
	}
	trace->version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	if (trace->version > KM_TRACE_VERSION)
		return km_fail(err, -ENOTSUP,
			       "%s was written by a newer kmlab (trace version %d, this one reads "
			       "up to %d); update kmlab",
			       trace->path, trace->version, KM_TRACE_VERSION);
	if (trace->version < 1)
		return km_damaged(trace, err, "it has no trace version");
	return 0;
}

/* ---- open, close ---- */

/* The path as an SQLite URI, or NULL without memory. */
static char *immutable_uri(const char *path)
{
	static const char hex[] = "0123456789abcdef";
	char *uri = malloc(3 * strlen(path) + 32), *to = uri;

	if (!uri)
		return NULL;
	to += sprintf(to, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path)) {
			*to++ = '%';
			*to++ = hex[(unsigned char)*path >> 4];
			*to++ = hex[*path & 15];
		} else {
			*to++ = *path;
		}
	}
	strcpy(to, "?immutable=1");
	return uri;
}

/*
 * Writable only so that SQLite can take in the log of a killed capture. `immutable`: without any
 * file beside it.
 */
static int open_db(struct km_trace *trace, bool immutable, struct km_err *err)
{
	char *name = immutable ? immutable_uri(trace->path) : strdup(trace->path);
	int flags = SQLITE_OPEN_NOMUTEX, code = 0;

	if (!name)
		return km_fail(err, -ENOMEM, "cannot read %s: not enough memory", trace->path);
	flags |= immutable ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE;
	if (sqlite3_open_v2(name, &trace->db, flags, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(trace->db, 5000) != SQLITE_OK ||
	    sqlite3_exec(trace->db, "PRAGMA query_only=1; PRAGMA cell_size_check=1", NULL, NULL,
			 NULL) != SQLITE_OK)
		code = km_sql_fail(trace->db, trace->path, "read", err);
	free(name);
	return code ? code : check_version(trace, err);
}

/*
 * A trace that was not finished cannot be read through its log where nothing may be written; if
 * the log is gone (taken in before), it can be read as it is.
 */
static int open_anywhere(struct km_trace *trace, struct km_err *err)
{
	int code = open_db(trace, false, err);

	if (code != -EACCES && code != -EROFS && code != -ENOENT)
		return code;
	if (has_log(trace->path))
		return km_fail(err, code,
			       "%s was not finished and lies where nothing may be written; copy it "
			       "and %s-wal to a directory of your own",
			       trace->path, trace->path);
	sqlite3_close(trace->db);
	trace->db = NULL;
	return open_db(trace, true, err);
}

/* A finished trace says how many events it recorded; its chunks must hold as many. */
static int check_ledger(const struct km_trace *trace, struct km_err *err)
{
	uint64_t recorded = 0;

	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		recorded += trace->counts.recorded[kind];
	if (!km_trace_complete(trace) || recorded == trace->events)
		return 0;
	return km_fail(
		err, -EPROTO,
		"%s is damaged: its ledger says %llu events and its chunks hold %llu; record "
		"it again",
		trace->path, (unsigned long long)recorded, (unsigned long long)trace->events);
}

int km_open_unread(const char *path, struct km_trace **out, struct km_err *err)
{
	struct km_trace *trace;
	int code = check_file(path, err);

	if (code)
		return code;
	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return km_fail(err, -ENOMEM, "cannot read %s: not enough memory", path);
	trace->ordered = true;
	trace->path = strdup(path);
	if (!trace->path) {
		code = km_fail(err, -ENOMEM, "cannot read %s: not enough memory", path);
		goto fail;
	}
	code = open_anywhere(trace, err);
	if (code)
		goto fail;
	/* One moment of a file that may still be written. */
	if (sqlite3_exec(trace->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) {
		code = km_sql_fail(trace->db, path, "read", err);
		goto fail;
	}
	*out = trace;
	return 0;
fail:
	km_trace_close(trace);
	return code;
}

int km_trace_open(const char *path, struct km_trace **out, struct km_err *err)
{
	struct km_trace *trace;
	int code = km_open_unread(path, &trace, err);

	if (code)
		return code;
	if ((code = km_load_tables(trace, err)) || (code = km_load_chunks(trace, err)))
		goto fail;
	sqlite3_exec(trace->db, "COMMIT", NULL, NULL, NULL);
	code = check_ledger(trace, err);
	if (code)
		goto fail;
	*out = trace;
	return 0;
fail:
	km_trace_close(trace);
	return code;
}

void km_trace_close(struct km_trace *trace)
{
	if (!trace)
		return;
	sqlite3_close_v2(trace->db);
	for (size_t i = 0; i < trace->nr_meta; i++) {
		free(trace->meta[i].key);
		free(trace->meta[i].value);
	}
	for (size_t i = 0; i < trace->nr_texts; i++) {
		free(trace->texts[i].phase);
		free(trace->texts[i].source);
		free(trace->texts[i].text);
	}
	free(trace->meta);
	free(trace->texts);
	free(trace->caches);
	free(trace->sites);
	free(trace->tasks);
	for (size_t i = 0; i < trace->nr_cgroups; i++)
		free(trace->cgroups[i].path);
	free(trace->cgroups);
	free(trace->frames);
	free(trace->stack_end);
	free(trace->gaps);
	free(trace->chunks);
	free(trace->path);
	free(trace);
}

/* ---- what it says ---- */

const char *km_trace_path(const struct km_trace *trace)
{
	return trace->path;
}

struct sqlite3 *km_trace_db(struct km_trace *trace)
{
	return trace->db;
}

const char *km_trace_meta(const struct km_trace *trace, const char *key)
{
	for (size_t i = 0; i < trace->nr_meta; i++)
		if (!strcmp(trace->meta[i].key, key))
			return trace->meta[i].value;
	return NULL;
}

uint64_t km_trace_duration_ns(const struct km_trace *trace)
{
	const char *text = km_trace_meta(trace, "duration_ns");
	uint64_t last = 0;

	if (text)
		return strtoull(text, NULL, 10);
	for (size_t i = 0; i < trace->nr_chunks; i++) /* killed: until its last event */
		if (trace->chunks[i].chunk.t_max > last)
			last = trace->chunks[i].chunk.t_max;
	return last;
}

unsigned km_trace_cpus(const struct km_trace *trace)
{
	const char *text = km_trace_meta(trace, "cpus");
	unsigned long cpus = text ? strtoul(text, NULL, 10) : 0;

	for (size_t i = 0; i < trace->nr_chunks; i++)
		if (trace->chunks[i].chunk.cpu >= cpus)
			cpus = trace->chunks[i].chunk.cpu + 1ul;
	return cpus <= UINT16_MAX + 1ul ? (unsigned)cpus : UINT16_MAX + 1u;
}

uint64_t km_trace_direct_map(const struct km_trace *trace)
{
	const char *base = km_trace_meta(trace, "direct_map_base");

	return base ? strtoull(base, NULL, 0) : KM_DIRECT_MAP_BASE;
}

bool km_trace_loss_known(const struct km_trace *trace)
{
	const char *loss = km_trace_meta(trace, "loss");

	return !loss || strcmp(loss, "unknown") != 0;
}

bool km_trace_complete(const struct km_trace *trace)
{
	const char *text = km_trace_meta(trace, "complete");

	return text && !strcmp(text, "1");
}

uint64_t km_trace_events(const struct km_trace *trace)
{
	return trace->events;
}

uint32_t km_trace_kinds(const struct km_trace *trace)
{
	uint32_t kinds = 0;

	for (size_t i = 0; i < trace->nr_chunks; i++)
		kinds |= trace->chunks[i].chunk.kinds;
	return kinds;
}

const struct km_trace_cache *km_trace_caches(const struct km_trace *trace, uint32_t *count)
{
	*count = trace->limits.caches;
	return trace->caches;
}

const struct km_trace_site *km_trace_site_table(const struct km_trace *trace, uint32_t *count)
{
	*count = trace->limits.sites;
	return trace->sites;
}

const char *km_trace_site_text(const struct km_trace_site *site, char text[KM_SITE_TEXT])
{
	if (!site->address)
		snprintf(text, KM_SITE_TEXT, "unknown");
	else if (!site->symbol[0])
		snprintf(text, KM_SITE_TEXT, "0x%016llx", (unsigned long long)site->address);
	else if (site->module[0])
		snprintf(text, KM_SITE_TEXT, "%s+0x%x [%s]", site->symbol, site->offset,
			 site->module);
	else
		snprintf(text, KM_SITE_TEXT, "%s+0x%x", site->symbol, site->offset);
	return text;
}

const struct km_trace_task *km_trace_tasks(const struct km_trace *trace, uint32_t *count)
{
	*count = trace->limits.tasks;
	return trace->tasks;
}

const uint32_t *km_trace_stack(const struct km_trace *trace, uint32_t id, unsigned *frames)
{
	if (!id || id >= trace->limits.stacks) {
		*frames = 0;
		return NULL;
	}
	*frames = (unsigned)(trace->stack_end[id] - trace->stack_end[id - 1]);
	return trace->frames + trace->stack_end[id - 1];
}

const char *km_trace_cgroup_path(const struct km_trace *trace, uint64_t id)
{
	size_t low = 0, high = trace->nr_cgroups;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((int64_t)trace->cgroups[middle].id < (int64_t)id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < trace->nr_cgroups && trace->cgroups[low].id == id ? trace->cgroups[low].path
								       : NULL;
}

const struct km_trace_gap *km_trace_gaps(const struct km_trace *trace, size_t *count)
{
	*count = trace->nr_gaps;
	return trace->gaps;
}

int km_trace_counts(const struct km_trace *trace, struct km_trace_counts *counts)
{
	*counts = trace->counts;
	return 0;
}
