/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast the store is beside plain SQLite rows: the events of a trace (repeated if it has fewer
 * than are asked for) are written and read both ways in turn, with the same settings (WAL,
 * synchronous=NORMAL, 64 KiB pages, a commit every 65536 events). Every figure is the median of
 * the rounds with its range; every comparison is the median and range of the ratios within the
 * rounds, so that a busy machine slows both sides alike; beside each stands the median by CPU time
 * of all threads, which others hardly disturb: what one core could do. The times are of the calls
 * alone: making the events is not counted.
 *
 * bench-store TRACE [EVENTS [ROUNDS]]: files go to $TMPDIR or /tmp, and are removed.
 */
#include "codec.h"
#include "trace.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROUNDS 31
#define COMMIT_EVENTS KM_CHUNK_EVENTS

enum figure {
	ENCODE, /* events/s, each: chunks in memory */
	DECODE,
	STORE_WRITE, /* to a file: append, encode, commit */
	ROWS_WRITE,
	STORE_READ, /* all of a file, every field */
	ROWS_READ,
	STORE_GROUP, /* the same statements over both */
	ROWS_GROUP,
	STORE_SCAN,
	ROWS_SCAN,
	STORE_WINDOW, /* the mean of all windows */
	STORE_ONE,    /* one of them, another in each round */
	ROWS_ONE,
	NR_FIGURES
};

/* Windows of 1 % of the time that the events take, which share it among them. */
#define WINDOWS 100

struct window {
	uint64_t from_ns, to_ns;
	uint64_t rows;
	double wall[MAX_ROUNDS], cpu[MAX_ROUNDS]; /* seconds */
};

struct bench {
	struct km_trace *source;
	struct km_event *base; /* all events of the source in order of time */
	size_t nr_base;
	struct km_event *by_cpu; /* the same, one CPU after the other: what chunks are made of */
	uint64_t period_ns;      /* from one repetition to the next */
	uint64_t events, rounds;
	char directory[512], store[544], rows[544];
	struct span {
		double wall, cpu; /* seconds; cpu: of all threads */
	} spent[NR_FIGURES][MAX_ROUNDS];
	struct window windows[WINDOWS];
	uint64_t store_bytes, rows_bytes;
	uint64_t sink;
};

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-store: %s: %s\n", what, why);
	exit(2);
}

static double clock_seconds(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static struct span begin(void)
{
	return (struct span){clock_seconds(CLOCK_MONOTONIC),
			     clock_seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

/* What was done since `from` is part of the figure. */
static void end(struct bench *bench, enum figure figure, unsigned round, struct span from)
{
	struct span *spent = &bench->spent[figure][round], to = begin();

	spent->wall += to.wall - from.wall;
	spent->cpu += to.cpu - from.cpu;
}

static void check_sql(sqlite3 *db, int code)
{
	if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
		die("SQLite", sqlite3_errmsg(db));
}

/* ---- the events ---- */

static void load_source(struct bench *bench, const char *path)
{
	struct km_trace_cursor *cursor;
	struct km_err err;
	size_t got = 1, left;

	if (km_trace_open(path, &bench->source, &err) ||
	    km_trace_cursor_open(bench->source, NULL, &cursor, &err))
		die(path, err.text);
	left = km_trace_events(bench->source);
	bench->base = malloc(left * sizeof(*bench->base) + 1);
	if (!bench->base)
		die(path, "not enough memory");
	for (; left; left -= got, bench->nr_base += got)
		if (km_trace_next(cursor, bench->base + bench->nr_base, left, &got, &err) || !got)
			die(path, got ? err.text : "it holds fewer events than it says");
	km_trace_cursor_close(cursor);
	if (!bench->nr_base)
		die(path, "it holds no events");
	bench->period_ns = bench->base[bench->nr_base - 1].time_ns + 1000;
}

static void sort_by_cpu(struct bench *bench)
{
	static size_t place[UINT16_MAX + 2];

	for (size_t i = 0; i < bench->nr_base; i++)
		place[bench->base[i].cpu + 1]++;
	for (unsigned cpu = 0; cpu < UINT16_MAX; cpu++)
		place[cpu + 1] += place[cpu];
	bench->by_cpu = malloc(bench->nr_base * sizeof(*bench->by_cpu));
	if (!bench->by_cpu)
		die("events", "not enough memory");
	for (size_t i = 0; i < bench->nr_base; i++)
		bench->by_cpu[place[bench->base[i].cpu]++] = bench->base[i];
}

/* Event number i of the endless repetition of the events. */
static inline struct km_event repeated(const struct bench *bench, const struct km_event *events,
				       uint64_t i)
{
	struct km_event event = events[i % bench->nr_base];

	event.time_ns += i / bench->nr_base * bench->period_ns;
	return event;
}

static inline struct km_event event_at(const struct bench *bench, uint64_t i)
{
	return repeated(bench, bench->base, i);
}

/* ---- chunks in memory ---- */

static void codec_round(struct bench *bench, unsigned round)
{
	static const struct km_chunk_limits limits = {UINT32_MAX, UINT32_MAX, 65536, UINT32_MAX};
	struct km_event *events = malloc(2 * KM_CHUNK_EVENTS * sizeof(*events));
	struct km_encoder *encoder = km_encoder_new();
	struct km_decoder *decoder = km_decoder_new();

	if (!events || !encoder || !decoder)
		die("codec", "not enough memory");
	for (uint64_t done = 0; done < bench->events; done += KM_CHUNK_EVENTS) {
		struct km_chunk chunk = {.events = KM_CHUNK_EVENTS};
		struct span from;
		const void *bytes;
		size_t size;

		for (uint32_t i = 0; i < KM_CHUNK_EVENTS; i++)
			events[i] = repeated(bench, bench->by_cpu, done + i);
		from = begin();
		if (km_chunk_encode(encoder, events, &limits, &chunk, &bytes, &size))
			die("codec", "cannot encode");
		end(bench, ENCODE, round, from);
		from = begin();
		if (km_chunk_decode(decoder, bytes, size, &limits, &chunk,
				    events + KM_CHUNK_EVENTS))
			die("codec", "cannot decode");
		end(bench, DECODE, round, from);
	}
	km_encoder_delete(encoder);
	km_decoder_delete(decoder);
	free(events);
}

/* ---- files ---- */

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void remove_files(const struct bench *bench)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char name[600];

	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", bench->store, suffixes[i]);
		unlink(name);
		snprintf(name, sizeof(name), "%s%s", bench->rows, suffixes[i]);
		unlink(name);
	}
}

static void copy_dictionaries(const struct bench *bench, struct km_trace_writer *writer)
{
	uint32_t caches, sites, tasks;
	const struct km_trace_cache *cache = km_trace_caches(bench->source, &caches);
	const struct km_trace_site *site = km_trace_site_table(bench->source, &sites);
	const struct km_trace_task *task = km_trace_tasks(bench->source, &tasks);

	for (uint32_t i = 1; i < caches; i++) {
		struct km_trace_cache copy = cache[i];

		copy.id = 0;
		km_trace_define_cache(writer, &copy, NULL);
	}
	for (uint32_t i = 1; i < sites; i++)
		km_trace_site_id(writer, site[i].address);
	for (uint32_t i = 1; i < tasks; i++) {
		struct km_trace_task copy = task[i];

		copy.id = 0;
		km_trace_define_task(writer, &copy, NULL);
	}
}

/* Events of one CPU, as many as a recorder drains from its ring at once. */
#define BATCH_EVENTS 1024

struct batch {
	struct km_event events[BATCH_EVENTS];
	size_t n;
};

static void append(struct bench *bench, unsigned round, struct km_trace_writer *writer,
		   unsigned cpu, struct batch *batch)
{
	double from = clock_seconds(CLOCK_MONOTONIC);
	struct km_err err;

	if (km_trace_append(writer, cpu, batch->events, batch->n, &err))
		die(bench->store, err.text);
	bench->spent[STORE_WRITE][round].wall += clock_seconds(CLOCK_MONOTONIC) - from;
	batch->n = 0;
}

/*
 * The writer's thread goes on while events are made, so its CPU time cannot be that of the calls:
 * it is the process's less what making took.
 */
static void append_all(struct bench *bench, unsigned round, struct km_trace_writer *writer)
{
	double all = clock_seconds(CLOCK_PROCESS_CPUTIME_ID), making = 0, from;
	unsigned cpus = km_trace_cpus(bench->source);
	struct batch *batches = calloc(cpus, sizeof(*batches)), *batch;
	uint64_t later_ns = 0;

	if (!batches)
		die(bench->store, "not enough memory");
	from = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0, at = 0; i < bench->events; i++) {
		struct km_event event = bench->base[at];

		event.time_ns += later_ns;
		event.stack = 0;
		batch = &batches[event.cpu];
		batch->events[batch->n++] = event;
		if (batch->n == BATCH_EVENTS) {
			making += clock_seconds(CLOCK_THREAD_CPUTIME_ID) - from;
			append(bench, round, writer, event.cpu, batch);
			from = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
		}
		if (++at == bench->nr_base) {
			at = 0;
			later_ns += bench->period_ns;
		}
	}
	making += clock_seconds(CLOCK_THREAD_CPUTIME_ID) - from;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		append(bench, round, writer, cpu, &batches[cpu]);
	bench->spent[STORE_WRITE][round].cpu +=
		clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - all - making;
	free(batches);
}

static void store_write(struct bench *bench, unsigned round)
{
	struct km_trace_writer *writer;
	struct km_err err = {""};
	struct span from;

	if (km_trace_create(bench->store, &writer, &err))
		die(bench->store, err.text);
	copy_dictionaries(bench, writer);
	append_all(bench, round, writer);
	from = begin();
	if (km_trace_flush(writer, &err))
		die(bench->store, err.text);
	end(bench, STORE_WRITE, round, from);
	if (km_trace_finish(writer, event_at(bench, bench->events).time_ns, &err))
		die(bench->store, err.text);
	bench->store_bytes = file_bytes(bench->store);
}

static void bind_row(sqlite3_stmt *row, const struct km_event *event)
{
	const int64_t values[] = {(int64_t)event->time_ns,
				  event->cpu,
				  event->seq,
				  event->kind,
				  (int64_t)event->ptr,
				  (int64_t)event->bytes_req,
				  (int64_t)event->bytes_alloc,
				  event->gfp,
				  event->node,
				  event->cache,
				  event->site,
				  event->task,
				  event->context,
				  event->order,
				  event->migratetype,
				  event->stack};

	for (int i = 0; i < 16; i++)
		sqlite3_bind_int64(row, i + 1, values[i]);
}

static void rows_write(struct bench *bench, unsigned round)
{
	struct km_event *batch = malloc(COMMIT_EVENTS * sizeof(*batch));
	sqlite3_stmt *insert;
	sqlite3 *db;

	if (!batch)
		die(bench->rows, "not enough memory");
	check_sql(NULL, sqlite3_open(bench->rows, &db));
	check_sql(db,
		  sqlite3_exec(db,
			       "PRAGMA page_size=65536; PRAGMA journal_mode=WAL; PRAGMA "
			       "synchronous=NORMAL; CREATE TABLE event(time_ns INTEGER, cpu "
			       "INTEGER, seq INTEGER, kind INTEGER, ptr INTEGER, bytes_req "
			       "INTEGER, bytes_alloc INTEGER, gfp INTEGER, node INTEGER, cache "
			       "INTEGER, site INTEGER, task INTEGER, context INTEGER, page_order "
			       "INTEGER, migratetype INTEGER, stack INTEGER) STRICT",
			       NULL, NULL, NULL));
	check_sql(db, sqlite3_prepare_v2(
			      db, "INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
			      &insert, NULL));
	for (uint64_t done = 0; done < bench->events;) {
		struct span from;
		uint64_t n = 0;

		for (; n < COMMIT_EVENTS && done < bench->events; n++)
			batch[n] = event_at(bench, done++);
		from = begin();
		check_sql(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
		for (uint64_t i = 0; i < n; i++) {
			bind_row(insert, &batch[i]);
			check_sql(db, sqlite3_step(insert));
			sqlite3_reset(insert);
		}
		check_sql(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
		end(bench, ROWS_WRITE, round, from);
	}
	sqlite3_finalize(insert);
	check_sql(db, sqlite3_close(db));
	bench->rows_bytes = file_bytes(bench->rows);
	free(batch);
}

static void store_read(struct bench *bench, struct km_trace *trace, unsigned round)
{
	struct km_event events[1024];
	struct km_trace_cursor *cursor;
	struct span from = begin();
	struct km_err err;
	size_t got = 0;

	if (km_trace_cursor_open(trace, NULL, &cursor, &err))
		die(bench->store, err.text);
	do {
		if (km_trace_next(cursor, events, 1024, &got, &err))
			die(bench->store, err.text);
		bench->sink += got ? events[got - 1].ptr : 0;
	} while (got);
	km_trace_cursor_close(cursor);
	end(bench, STORE_READ, round, from);
}

static void rows_read(struct bench *bench, sqlite3 *db, unsigned round)
{
	struct span from = begin();
	sqlite3_stmt *row;

	check_sql(db, sqlite3_prepare_v2(db, "SELECT * FROM event", -1, &row, NULL));
	while (sqlite3_step(row) == SQLITE_ROW)
		for (int i = 0; i < 16; i++)
			bench->sink += (uint64_t)sqlite3_column_int64(row, i);
	sqlite3_finalize(row);
	end(bench, ROWS_READ, round, from);
}

/* ---- statements ---- */

/* Sums of the first and the last column. */
struct answer {
	int64_t first, last;
};

static struct answer run(struct bench *bench, sqlite3 *db, const char *sql, enum figure figure,
			 unsigned round)
{
	struct answer answer = {0};
	struct span from = begin();
	sqlite3_stmt *row;

	check_sql(db, sqlite3_prepare_v2(db, sql, -1, &row, NULL));
	while (sqlite3_step(row) == SQLITE_ROW) {
		answer.first += sqlite3_column_int64(row, 0);
		answer.last += sqlite3_column_int64(row, sqlite3_column_count(row) - 1);
	}
	check_sql(db, sqlite3_finalize(row));
	end(bench, figure, round, from);
	return answer;
}

static struct answer run_both(struct bench *bench, sqlite3 *store, sqlite3 *rows, const char *sql,
			      enum figure figure, unsigned round)
{
	struct answer one = run(bench, store, sql, figure, round);
	struct answer other = run(bench, rows, sql, figure + 1, round);

	if (one.first != other.first || one.last != other.last)
		die(sql, "the store and the rows give different results");
	return one;
}

static void window_statement(const struct window *window, char sql[160])
{
	snprintf(sql, 160,
		 "SELECT count(*), sum(bytes_alloc) FROM event WHERE time_ns >= %llu AND time_ns < "
		 "%llu",
		 (unsigned long long)window->from_ns, (unsigned long long)window->to_ns);
}

/*
 * Every event is in one window, so the mean window holds 1 % of them however they lie: their rows
 * are those of the full scan.
 */
static void run_windows(struct bench *bench, sqlite3 *store, struct answer full, unsigned round)
{
	uint64_t last_ns = event_at(bench, bench->events).time_ns;
	struct span *spent = &bench->spent[STORE_WINDOW][round];
	struct answer sum = {0};

	for (uint64_t i = 0; i < WINDOWS; i++) {
		struct window *window = &bench->windows[i];
		struct span before = *spent;
		struct answer answer;
		char sql[160];

		window->from_ns = last_ns / WINDOWS * i;
		window->to_ns = i + 1 < WINDOWS ? last_ns / WINDOWS * (i + 1) : INT64_MAX;
		window_statement(window, sql);
		answer = run(bench, store, sql, STORE_WINDOW, round);
		window->rows = (uint64_t)answer.first;
		window->wall[round] = spent->wall - before.wall;
		window->cpu[round] = spent->cpu - before.cpu;
		sum.first += answer.first;
		sum.last += answer.last;
	}
	if (sum.first != full.first || sum.last != full.last)
		die("windows", "they hold other events than the full scan");
	spent->wall /= WINDOWS;
	spent->cpu /= WINDOWS;
}

static void read_round(struct bench *bench, unsigned round)
{
	struct km_trace *trace;
	struct answer full;
	struct km_err err;
	char sql[160];
	sqlite3 *rows;

	if (km_trace_open(bench->store, &trace, &err) || km_trace_register_sql(trace, &err))
		die(bench->store, err.text);
	check_sql(NULL, sqlite3_open(bench->rows, &rows));
	store_read(bench, trace, round);
	rows_read(bench, rows, round);
	run_both(bench, km_trace_db(trace), rows,
		 "SELECT count(*), kind, sum(bytes_alloc) FROM event GROUP BY kind", STORE_GROUP,
		 round);
	full = run_both(bench, km_trace_db(trace), rows,
			"SELECT count(*), sum(bytes_alloc) FROM event", STORE_SCAN, round);
	run_windows(bench, km_trace_db(trace), full, round);
	window_statement(&bench->windows[(2 * round + 1) * WINDOWS / (2 * bench->rounds)], sql);
	run_both(bench, km_trace_db(trace), rows, sql, STORE_ONE, round);
	sqlite3_close(rows);
	km_trace_close(trace);
}

/* ---- what came of it ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A line: the values by wall time, and their median by CPU time. */
static void print_line(const char *name, double *wall, double *cpu, unsigned n, const char *unit)
{
	qsort(wall, n, sizeof(*wall), by_value);
	qsort(cpu, n, sizeof(*cpu), by_value);
	printf("%-34s%8.2f %s (%.2f .. %.2f), of CPU time %.2f\n", name, wall[n / 2], unit, wall[0],
	       wall[n - 1], cpu[n / 2]);
}

static void print_rate(const struct bench *bench, const char *name, enum figure figure)
{
	double wall[MAX_ROUNDS], cpu[MAX_ROUNDS];

	for (unsigned i = 0; i < bench->rounds; i++) {
		wall[i] = (double)bench->events / bench->spent[figure][i].wall * 1e-6;
		cpu[i] = (double)bench->events / bench->spent[figure][i].cpu * 1e-6;
	}
	print_line(name, wall, cpu, (unsigned)bench->rounds, "M/s");
}

/* How many times as fast `fast` is as `slow`, round by round. */
static void print_ratio(const struct bench *bench, const char *name, enum figure fast,
			enum figure slow)
{
	double wall[MAX_ROUNDS], cpu[MAX_ROUNDS];

	for (unsigned i = 0; i < bench->rounds; i++) {
		wall[i] = bench->spent[slow][i].wall / bench->spent[fast][i].wall;
		cpu[i] = bench->spent[slow][i].cpu / bench->spent[fast][i].cpu;
	}
	print_line(name, wall, cpu, (unsigned)bench->rounds, "x  ");
}

static int by_rows(const void *a, const void *b)
{
	const struct window *x = a, *y = b;

	return (x->rows > y->rows) - (x->rows < y->rows);
}

/*
 * How many times as fast as the full scan one window is: by its rows that is bounded, as a row of
 * it takes at least what a row of the full scan takes.
 */
static void print_window(const struct bench *bench, const char *name, const struct window *window)
{
	const struct span *full = bench->spent[STORE_SCAN];
	double wall[MAX_ROUNDS], cpu[MAX_ROUNDS];
	char title[64];

	for (unsigned i = 0; i < bench->rounds; i++) {
		wall[i] = full[i].wall / window->wall[i];
		cpu[i] = full[i].cpu / window->cpu[i];
	}
	snprintf(title, sizeof(title), "  %s, %.2f %% of events", name,
		 100 * (double)window->rows / (double)bench->events);
	print_line(title, wall, cpu, (unsigned)bench->rounds, "x  ");
}

static void print_windows(struct bench *bench)
{
	const struct span *full = bench->spent[STORE_SCAN], *mean = bench->spent[STORE_WINDOW];
	double wall[MAX_ROUNDS], cpu[MAX_ROUNDS];

	print_ratio(bench, "1 % of the time / the full scan", STORE_WINDOW, STORE_SCAN);
	for (unsigned i = 0; i < bench->rounds; i++) {
		wall[i] = mean[i].wall * WINDOWS / full[i].wall;
		cpu[i] = mean[i].cpu * WINDOWS / full[i].cpu;
	}
	print_line("  a row of it / of the full scan", wall, cpu, (unsigned)bench->rounds, "x  ");
	qsort(bench->windows, WINDOWS, sizeof(*bench->windows), by_rows);
	print_window(bench, "median", &bench->windows[WINDOWS / 2]);
	print_window(bench, "fullest", &bench->windows[WINDOWS - 1]);
	print_ratio(bench, "  one of them / of plain rows", STORE_ONE, ROWS_ONE);
}

static void print_all(struct bench *bench)
{
	double events = (double)bench->events;

	printf("%llu events of %zu recorded ones%s, %llu rounds: median (least .. most)\n",
	       (unsigned long long)bench->events, bench->nr_base,
	       bench->events > bench->nr_base ? ", repeated" : "",
	       (unsigned long long)bench->rounds);
	print_rate(bench, "encode, in memory", ENCODE);
	print_rate(bench, "decode, in memory", DECODE);
	print_rate(bench, "write: append, encode, commit", STORE_WRITE);
	print_rate(bench, "  plain rows", ROWS_WRITE);
	print_ratio(bench, "  ratio", STORE_WRITE, ROWS_WRITE);
	print_rate(bench, "read: every event, merged", STORE_READ);
	print_rate(bench, "  plain rows", ROWS_READ);
	print_ratio(bench, "  ratio", STORE_READ, ROWS_READ);
	printf("%-34s%8.2f B/event\n", "size of the file", (double)bench->store_bytes / events);
	printf("%-34s%8.2f B/event\n", "  plain rows", (double)bench->rows_bytes / events);
	print_rate(bench, "GROUP BY kind", STORE_GROUP);
	print_rate(bench, "  plain rows", ROWS_GROUP);
	print_ratio(bench, "  ratio", STORE_GROUP, ROWS_GROUP);
	print_rate(bench, "count, sum: full scan", STORE_SCAN);
	print_rate(bench, "  plain rows", ROWS_SCAN);
	print_ratio(bench, "  ratio", STORE_SCAN, ROWS_SCAN);
	print_windows(bench);
}

int main(int argc, char **argv)
{
	static struct bench bench = {.events = 10000000, .rounds = 5};
	const char *temporary = getenv("TMPDIR");

	if (argc < 2 || argc > 4)
		die("usage", "bench-store TRACE [EVENTS [ROUNDS]]");
	if (argc > 2)
		bench.events = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		bench.rounds = strtoull(argv[3], NULL, 10);
	if (!bench.events || !bench.rounds || bench.rounds > MAX_ROUNDS)
		die("usage", "EVENTS is at least 1, ROUNDS is 1 to 31");
	snprintf(bench.directory, sizeof(bench.directory), "%s/kmlab-bench-XXXXXX",
		 temporary ? temporary : "/tmp");
	if (!mkdtemp(bench.directory))
		die(bench.directory, strerror(errno));
	snprintf(bench.store, sizeof(bench.store), "%s/T.kmt", bench.directory);
	snprintf(bench.rows, sizeof(bench.rows), "%s/rows.db", bench.directory);
	load_source(&bench, argv[1]);
	sort_by_cpu(&bench);
	for (unsigned round = 0; round < bench.rounds; round++) {
		codec_round(&bench, round);
		store_write(&bench, round);
		rows_write(&bench, round);
		read_round(&bench, round);
		remove_files(&bench);
	}
	print_all(&bench);
	rmdir(bench.directory);
	km_trace_close(bench.source);
	free(bench.base);
	free(bench.by_cpu);
	return 0;
}
