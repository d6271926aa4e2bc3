/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows of time: of a chunk, of a file and of the virtual table they are what a selection by hand
 * gives, wherever they begin and end, though little more than the window is decoded.
 */
#include "engine/tests/tap.h"
#include "traces/codec.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <sqlite3.h>

static struct km_err err;

/* ---- a chunk ---- */

static const struct km_chunk_limits no_limits = {UINT32_MAX, UINT32_MAX, 65536, UINT32_MAX};
static struct km_encoder *encoder;
static struct km_decoder *decoder;

/* How far one event is from the next; what a kernel's are is in all of them. */
enum steps { SHORT, USUAL, SAME, SOME_LONG, LONG, BACK, NR_STEPS };
static const char *const step_names[] = {
	"steps of one byte",           "steps of two bytes", "many at the same time",
	"long steps among short ones", "long steps",         "steps back"};

static uint64_t step(enum steps steps)
{
	uint64_t random = test_random();

	switch (steps) {
	case SHORT:
		return random % 128;
	case USUAL:
		return random % 32768;
	case SAME:
		return random % 8 ? 0 : random % 1000;
	case SOME_LONG:
		return random % 20 ? random % 3000 : random % (1ull << random % 45);
	case LONG:
		return random % (1ull << 45);
	default:
		return random % 4 ? random % 4000 : -(random % 200);
	}
}

static void make_events(struct km_event *events, uint32_t n, enum steps steps)
{
	uint64_t time = test_random() % 3 ? 1000000 : 0, unused = 0;

	for (uint32_t i = 0; i < n; i++) {
		events[i] = test_event(&unused);
		events[i].cpu = 7;
		events[i].seq = i;
		if (i && test_random() % 3 == 0) /* seen before */
			events[i].ptr = events[test_random() % i].ptr;
		events[i].time_ns = time += step(steps);
	}
}

/* A time that windows are likely to go wrong at. */
static uint64_t bound(const struct km_event *events, uint32_t n)
{
	uint64_t time = events[test_random() % n].time_ns;

	switch (test_random() % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return time + 1;
	case 3:
		return time - (time > 0);
	case 4:
		return time + test_random() % 100;
	default:
		return time;
	}
}

static struct km_event reduced(struct km_event event, unsigned without)
{
	if (without & KM_WITHOUT_PTR)
		event.ptr = 0;
	if (without & KM_WITHOUT_ACTOR)
		event.task = event.context = 0;
	return event;
}

static bool selected(const struct km_event *event, const struct km_chunk_selection *selection)
{
	return event->time_ns >= selection->from_ns && event->time_ns < selection->to_ns &&
	       selection->kinds >> event->kind & 1 &&
	       (!selection->caches || selection->caches[event->cache]);
}

/* In pieces of any size what comes at once, and both what is selected by hand. */
static bool window_holds(const struct km_event *events, struct km_chunk *chunk, const void *bytes,
			 size_t size, const struct km_chunk_selection *selection)
{
	static struct km_event all[KM_CHUNK_EVENTS], piece[64];
	static struct km_selected left;
	uint32_t n = 0, at = 0, taken = 0, got;

	if (km_chunk_select(decoder, bytes, size, &no_limits, chunk, selection, all, &n) ||
	    km_selected_begin(&left, decoder, bytes, size, &no_limits, chunk, selection))
		return false;
	for (uint32_t i = 0; i < chunk->events; i++) {
		struct km_event want = reduced(events[i], selection->without);

		if (selected(&events[i], selection) &&
		    (at == n || !test_same_event(&want, &all[at++])))
			return false;
	}
	for (; km_selected_step(&left); taken += got) {
		got = km_selected_take(&left, piece, 1 + (uint32_t)(test_random() % 64));
		if (!got || got > n - taken || memcmp(piece, all + taken, got * sizeof(*piece)))
			return false;
	}
	km_selected_free(&left);
	return at == n && taken == n;
}

static void test_chunks(struct km_event *events, enum steps steps)
{
	static const uint32_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 100, 1000, 20000};
	uint8_t caches[TEST_CACHES] = {[3] = 1, [4] = 1, [20] = 1};
	unsigned wrong = 0, windows = 0;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct km_chunk chunk = {.events = sizes[s], .cpu = 7};
		const void *bytes;
		size_t size;
		uint8_t *copy;

		make_events(events, sizes[s], steps);
		if (km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size))
			wrong++;
		copy = malloc(size); /* of its exact size, for the address sanitizer */
		memcpy(copy, bytes, size);
		for (unsigned i = 0; i < (sizes[s] > 1000 ? 20 : 200); i++, windows++) {
			struct km_chunk_selection selection = {
				.from_ns = bound(events, sizes[s]),
				.to_ns = bound(events, sizes[s]),
				.kinds = test_random() % 2 ? UINT32_MAX : (uint32_t)test_random(),
				.caches = test_random() % 4 ? NULL : caches,
				.without = (unsigned)test_random() % 4 *
					   KM_WITHOUT_PTR /* and the actor */};

			wrong += !window_holds(events, &chunk, copy, size, &selection);
		}
		free(copy);
	}
	TAP_EQ(wrong, 0, "%s: %u windows of chunks, as selected by hand", step_names[steps],
	       windows);
}

/* What a window has to look at must be what the row of the chunk says. */
static void test_row_mismatch(struct km_event *events)
{
	const struct km_chunk_selection all = {.to_ns = UINT64_MAX, .kinds = UINT32_MAX};
	struct km_chunk_selection end = all;
	struct km_chunk chunk = {.events = 500, .cpu = 7}, row;
	const void *bytes;
	uint32_t n;
	size_t size;

	make_events(events, chunk.events, USUAL);
	end.from_ns = events[400].time_ns;
	TAP_EQ(km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size), 0, "encode");
#define REFUSED(field, value, selection)                                                           \
	row = chunk;                                                                               \
	row.field = (value);                                                                       \
	TAP_EQ(km_chunk_select(decoder, bytes, size, &no_limits, &row, &selection, events, &n),    \
	       -EPROTO, "a wrong " #field " in the row is refused: " #selection);
	REFUSED(t_min, chunk.t_min + 1, all)
	REFUSED(t_min, chunk.t_min + 1, end)
	REFUSED(t_max, chunk.t_max - 1, all)
	REFUSED(t_max, chunk.t_max - 1, end)
	REFUSED(sorted, false, all)
	REFUSED(sorted, false, end)
	REFUSED(first_seq, 1, end)
	REFUSED(kinds, 1, end)
	make_events(events, chunk.events, BACK);
	km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size);
	end.from_ns = chunk.t_max;
	REFUSED(sorted, true, all)
	REFUSED(sorted, true, end)
#undef REFUSED
}

/* ---- a file ---- */

/* Sums in which every field has a part, and events that come in another order give another. */
struct sums {
	int64_t n, weighted;
};

static void add(struct sums *sums, const struct km_event *event)
{
	uint64_t mix = event->time_ns * 3 + event->ptr * 5 + event->seq * 7ull + event->cpu * 11u +
		       event->bytes_alloc * 13 + event->kind * 17u;

	sums->n++;
	sums->weighted += (int64_t)(mix % 1000003) * (sums->n % 1009);
}

static struct sums by_cursor(struct km_trace *trace, const struct km_trace_filter *filter)
{
	struct km_trace_cursor *cursor;
	struct sums sums = {0};
	const struct km_event *events;
	size_t got = 0;

	if (km_trace_cursor_open(trace, filter, &cursor, &err))
		return (struct sums){-1, 0};
	while (!km_trace_next_run(cursor, &events, &got, &err) && got)
		for (size_t i = 0; i < got; i++)
			add(&sums, &events[i]);
	km_trace_cursor_close(cursor);
	return sums;
}

static struct sums by_sql(struct km_trace *trace, const struct km_trace_filter *filter)
{
	struct sums sums = {0};
	sqlite3_stmt *row;
	char sql[200];

	snprintf(sql, sizeof(sql),
		 "SELECT time_ns, ptr, seq, cpu, bytes_alloc, kind FROM event "
		 "WHERE time_ns >= %llu AND time_ns < %llu%s",
		 (unsigned long long)filter->from_ns, (unsigned long long)filter->to_ns,
		 filter->cpu < 0 ? ""
		 : filter->cpu   ? " AND cpu = 1"
				 : " AND cpu = 0");
	sqlite3_prepare_v2(km_trace_db(trace), sql, -1, &row, NULL);
	while (sqlite3_step(row) == SQLITE_ROW) {
		const char *kind = (const char *)sqlite3_column_text(row, 5);
		struct km_event event = {.time_ns = (uint64_t)sqlite3_column_int64(row, 0),
					 .ptr = (uint64_t)sqlite3_column_int64(row, 1),
					 .seq = (uint32_t)sqlite3_column_int64(row, 2),
					 .cpu = (uint16_t)sqlite3_column_int(row, 3),
					 .bytes_alloc = (uint64_t)sqlite3_column_int64(row, 4)};

		while (strcmp(km_event_name(event.kind), kind))
			event.kind++;
		add(&sums, &event);
	}
	sqlite3_finalize(row);
	return sums;
}

static struct sums by_hand(const struct km_event *events, size_t n,
			   const struct km_trace_filter *filter)
{
	struct sums sums = {0};

	for (size_t i = 0; i < n; i++)
		if (events[i].time_ns >= filter->from_ns && events[i].time_ns < filter->to_ns &&
		    (filter->cpu < 0 || events[i].cpu == filter->cpu))
			add(&sums, &events[i]);
	return sums;
}

static void test_file(const char *path)
{
	struct km_trace_cursor *cursor;
	struct km_trace *trace;
	struct km_event *events;
	size_t n = 0, got = 0;
	unsigned wrong = 0;

	if (km_trace_open(path, &trace, &err) || km_trace_register_sql(trace, &err) ||
	    km_trace_cursor_open(trace, NULL, &cursor, &err)) {
		TAP_OK(false, "%s: %s", path, err.text);
		return;
	}
	events = calloc(km_trace_events(trace), sizeof(*events));
	while (!km_trace_next(cursor, events + n, 1000, &got, &err) && got)
		n += got;
	km_trace_cursor_close(cursor);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t from = events[test_random() % n].time_ns - test_random() % 2;
		uint64_t to = i % 3 ? from + test_random() % (events[n - 1].time_ns / 20 + 1)
				    : bound(events, (uint32_t)n) & INT64_MAX;
		struct km_trace_filter filter = {
			.from_ns = from, .to_ns = to + !to, .cpu = i % 4 ? -1 : (int)(i / 4 % 2)};
		struct sums want = by_hand(events, n, &filter);
		struct sums one = by_cursor(trace, &filter), other = by_sql(trace, &filter);

		wrong += one.n != want.n || one.weighted != want.weighted || other.n != want.n ||
			 other.weighted != want.weighted;
	}
	TAP_EQ(wrong, 0, "%s: 60 windows of %zu events, as selected by hand", path, n);
	free(events);
	km_trace_close(trace);
}

/* Three CPUs, of which one has chunks of any length, one full ones and one hardly any event. */
static void make_trace(const char *path)
{
	struct km_trace_writer *writer;
	uint64_t time[3] = {0, 5000, 9000};

	TAP_EQ(km_trace_create(path, &writer, &err), 0, "create");
	test_define(writer);
	for (unsigned i = 0; i < 150000; i++) {
		unsigned cpu = i % 1000 ? i % 10 != 0 : 2;
		struct km_event event = test_event(&time[cpu]);

		time[cpu] = cpu == 2 ? time[1] : time[cpu];
		time[0] = i % 10 ? time[0] : time[1];
		km_trace_append(writer, cpu, &event, 1, &err);
		if (i == 100 || i == 40000 || i == 120001)
			km_trace_flush(writer, &err);
	}
	TAP_EQ(km_trace_finish(writer, time[1], &err), 0, "finish: %s", err.text);
}

int main(void)
{
	static const char *const samples[] = {"compile", "fork", "messages", "tables", "walk"};
	struct km_event *events = calloc(KM_CHUNK_EVENTS, sizeof(*events));
	const char *directory = test_directory();
	char path[128];

	encoder = km_encoder_new();
	decoder = km_decoder_new();
	if (!events || !encoder || !decoder)
		return 2;
	for (enum steps steps = 0; steps < NR_STEPS; steps++)
		test_chunks(events, steps);
	test_row_mismatch(events);
	km_encoder_delete(encoder);
	km_decoder_delete(decoder);
	free(events);
	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	make_trace(path);
	test_file(path);
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		snprintf(path, sizeof(path), "traces/samples/%s.kmt", samples[i]);
		test_file(path);
	}
	test_remove_directory(directory);
	return tap_done();
}
