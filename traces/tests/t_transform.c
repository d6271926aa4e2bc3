/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of a trace, and parts put together: nothing appears, and what goes is counted. */
#include "engine/tests/tap.h"
#include "traces/check.h"
#include "traces/tests/events.h"
#include "traces/transform.h"
#include <errno.h>

#define EVENTS 4000
#define STEP_NS 1000

static struct km_err err;
static struct km_transform_report report;
static char whole[128], part[128], other[128], both[128];

static const uint8_t key[KM_KEY_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* ---- a trace of known events ---- */

/*
 * Two CPUs in turn, an event every microsecond: objects of cache "b" (id 2) from site 3 and of
 * kmalloc from site 4, each freed four events later by another site and often another CPU.
 */
static void make_whole(void)
{
	struct km_trace_cache caches[] = {{.name = "a"},
					  {.name = "b", .object_size = 64, .size = 64}};
	struct km_trace_counts counts = {.filtered_null = 5};
	struct km_trace_gap gaps[] = {
		{0, KM_LOSS_RING_FULL, 1000 * STEP_NS, 1001 * STEP_NS, 7},
		{1, KM_LOSS_CONTENDED, 2999 * STEP_NS, 3001 * STEP_NS, 11},
		{KM_GAP_CPU_UNKNOWN, KM_LOSS_RECURSION, 0, EVENTS * STEP_NS, 13}};
	struct km_trace_writer *writer;
	int code = km_trace_create(whole, &writer, &err);

	for (unsigned i = 0; !code && i < 2; i++)
		code = km_trace_define_cache(writer, &caches[i], &err);
	for (uint64_t i = 1; !code && i < 8; i++) {
		struct km_trace_site site = {.address = 0xffffffff81000000 + i * 4096,
					     .offset = 16};

		snprintf(site.symbol, sizeof(site.symbol), "f%u", (unsigned)i);
		site.id = km_trace_site_id(writer, site.address);
		code = km_trace_define_site(writer, &site, &err);
	}
	for (uint32_t i = 1; !code && i < 4; i++) {
		struct km_trace_task task = {.tid = 100 + i, .tgid = 100, .comm = "worker"};

		code = km_trace_define_task(writer, &task, &err);
	}
	for (uint64_t i = 0; !code && i < EVENTS; i++) {
		bool alloc = i % 8 < 4, cache = i % 2;
		struct km_event event = {.time_ns = i * STEP_NS,
					 .ptr = 0xffff888012345000 + (i - (alloc ? 0 : 4)) * 64,
					 .node = -1};

		event.kind = alloc ? (cache ? KM_EV_CACHE_ALLOC : KM_EV_KMALLOC)
				   : (cache ? KM_EV_CACHE_FREE : KM_EV_KFREE);
		event.cache = cache ? 2 : 0;
		event.bytes_req = event.bytes_alloc = alloc ? 64 : 0;
		event.site = alloc ? (cache ? 3 : 4) : 5;
		event.task = 1 + i % 3;
		counts.fired[event.kind]++;
		code = km_trace_append(writer, i / 3 % 2, &event, 1, &err);
	}
	counts.fired[KM_EV_KFREE] += 5 + 7 + 11 + 13;
	for (unsigned i = 0; !code && i < 3; i++) {
		counts.lost[gaps[i].cause] = gaps[i].events;
		code = km_trace_add_gap(writer, &gaps[i], &err);
	}
	if (code || km_trace_set_meta(writer, "uuid", "one", &err) ||
	    km_trace_set_meta(writer, "command", "make secret", &err) ||
	    km_trace_set_meta(writer, "kernel", "6.1.0", &err) ||
	    km_trace_set_meta(writer, "cpus", "2", &err) ||
	    km_trace_snapshot(writer, "start", 0, "/proc/buddyinfo", "b", 1, &err) ||
	    km_trace_snapshot(writer, "start", 0, "/proc/cmdline", "root=secret", 11, &err) ||
	    km_trace_snapshot(writer, "sample", 2000 * STEP_NS, "/proc/meminfo", "m", 1, &err) ||
	    km_trace_snapshot(writer, "end", EVENTS * STEP_NS, "/proc/buddyinfo", "e", 1, &err) ||
	    km_trace_snapshot(writer, "end", EVENTS * STEP_NS, "slab lists", "l", 1, &err) ||
	    km_trace_set_counts(writer, &counts, &err) ||
	    km_trace_finish(writer, EVENTS * STEP_NS, &err)) {
		printf("# %s\n", err.text);
		exit(2);
	}
}

/* ---- reading ---- */

static struct km_trace *open_trace(const char *path)
{
	struct km_trace *trace;

	if (km_trace_open(path, &trace, &err)) {
		printf("# %s\n", err.text);
		exit(2);
	}
	return trace;
}

static size_t read_events(struct km_trace *trace, struct km_event *events, size_t room)
{
	struct km_trace_cursor *cursor;
	size_t got;

	if (km_trace_cursor_open(trace, NULL, &cursor, &err) ||
	    km_trace_next(cursor, events, room, &got, &err))
		exit(2);
	km_trace_cursor_close(cursor);
	return got;
}

static void count_problem(void *context, const struct km_check_problem *problem)
{
	printf("# %s: %s\n", km_check_part_names[problem->part], problem->what);
	++*(unsigned *)context;
}

static void is_sound(const char *path, const char *what)
{
	struct km_check_result result;
	unsigned problems = 0;
	struct km_trace *trace;

	if (km_trace_check(path, true, count_problem, &problems, &result, &trace, &err))
		problems++;
	TAP_EQ(problems, 0, "%s: sound, and its ledger adds up", what);
	km_trace_close(trace);
}

static int edit(const char *from, const struct km_edit *ask, const char *to)
{
	struct km_trace *trace = open_trace(from);
	struct km_trace_writer *writer;
	int code;

	if (km_trace_create(to, &writer, &err))
		exit(2);
	code = km_trace_edit(trace, ask, writer, &report, &err);
	km_trace_close(trace);
	if (!code)
		return km_trace_finish(writer, report.duration_ns, &err);
	km_trace_discard(writer);
	return code;
}

static int merge(const char *a, const char *b, const char *to)
{
	struct km_trace *first = open_trace(a), *second = open_trace(b);
	struct km_trace_writer *writer;
	int code;

	if (km_trace_create(to, &writer, &err))
		exit(2);
	code = km_trace_merge(first, second, NULL, writer, &report, &err);
	km_trace_close(first);
	km_trace_close(second);
	if (!code)
		return km_trace_finish(writer, report.duration_ns, &err);
	km_trace_discard(writer);
	return code;
}

static uint64_t fired(const struct km_trace *trace)
{
	struct km_trace_counts counts;
	uint64_t sum = 0;

	km_trace_counts(trace, &counts);
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		sum += counts.fired[kind];
	return sum;
}

/* Events, dictionaries by content, gaps and ledger are those of the whole. */
static void is_whole(const char *path, const char *what)
{
	static struct km_event events[2][EVENTS];
	struct km_trace *traces[2] = {open_trace(whole), open_trace(path)};
	struct km_trace_counts counts[2];
	unsigned differ = 0;
	size_t n[2], gaps[2];

	for (unsigned i = 0; i < 2; i++) {
		n[i] = read_events(traces[i], events[i], EVENTS);
		km_trace_counts(traces[i], &counts[i]);
		km_trace_gaps(traces[i], &gaps[i]);
	}
	for (size_t i = 0; i < n[0] && i < n[1]; i++) {
		uint32_t count;
		struct km_event *a = &events[0][i], *b = &events[1][i];

		differ += km_trace_site_table(traces[0], &count)[a->site].address !=
				  km_trace_site_table(traces[1], &count)[b->site].address ||
			  km_trace_tasks(traces[0], &count)[a->task].tid !=
				  km_trace_tasks(traces[1], &count)[b->task].tid;
		a->site = b->site = a->task = b->task = 0;
		differ += !test_same_event(a, b);
	}
	TAP_OK(n[0] == n[1] && !differ && gaps[0] == gaps[1] &&
		       !memcmp(&counts[0], &counts[1], sizeof(counts[0])) &&
		       km_trace_duration_ns(traces[0]) == km_trace_duration_ns(traces[1]),
	       "%s: the whole again (%zu events, %u differ, %zu gaps)", what, n[1], differ,
	       gaps[1]);
	km_trace_close(traces[0]);
	km_trace_close(traces[1]);
}

/* ---- parts ---- */

static void test_time(void)
{
	const struct km_edit ask = {
		.from_ns = 1000 * STEP_NS, .to_ns = 3000 * STEP_NS, .text = "--time"};
	struct km_trace_counts counts;
	struct km_trace *trace;
	size_t gaps;

	TAP_OK(!edit(whole, &ask, part) && report.kept == 2000 && report.excluded == 2000,
	       "2000 of 4000 microseconds: %s", err.text);
	is_sound(part, "a part in time");
	trace = open_trace(part);
	km_trace_counts(trace, &counts);
	km_trace_gaps(trace, &gaps);
	TAP_OK(gaps == 3 && counts.lost[KM_LOSS_CONTENDED] == 11 &&
		       km_trace_gaps(trace, &gaps)[1].after_ns == 1999 * STEP_NS &&
		       km_trace_gaps(trace, &gaps)[1].before_ns == 2000 * STEP_NS,
	       "a gap over the edge stays, up to the edge");
	TAP_OK(counts.filtered_excluded == 2000 && counts.filtered_null == 5 &&
		       fired(trace) == EVENTS + 36,
	       "what is left out is excluded; as much fired as before");
	TAP_OK(!km_trace_snapshot_text(trace, "start", "/proc/buddyinfo") &&
		       !km_trace_snapshot_text(trace, "end", "/proc/buddyinfo") &&
		       km_trace_snapshot_text(trace, "start", "/proc/cmdline") &&
		       km_trace_snapshot_text(trace, "sample", "/proc/meminfo"),
	       "the state of other times is left out, facts stay");
	TAP_OK(!strcmp(km_trace_meta(trace, "origin"), "one") &&
		       strcmp(km_trace_meta(trace, "uuid"), "one") &&
		       !strcmp(km_trace_meta(trace, "edited"), "--time"),
	       "it has a name of its own and says what it is of");
	km_trace_close(trace);
}

/* Until the end: its state is that of the part, but times in it are counted from another start. */
static void test_end(void)
{
	struct km_edit ask = {
		.from_ns = 1000 * STEP_NS, .to_ns = EVENTS * STEP_NS, .text = "--time"};
	struct km_trace *trace;

	TAP_OK(!edit(whole, &ask, part), "the last 3000 microseconds: %s", err.text);
	trace = open_trace(part);
	TAP_OK(km_trace_snapshot_text(trace, "end", "/proc/buddyinfo") &&
		       !km_trace_snapshot_text(trace, "end", "slab lists"),
	       "lists that say when they were read are left out");
	km_trace_close(trace);
	ask.from_ns = 0;
	TAP_OK(!edit(whole, &ask, part), "all of it: %s", err.text);
	trace = open_trace(part);
	TAP_OK(km_trace_snapshot_text(trace, "end", "slab lists") != NULL, "there they stay");
	km_trace_close(trace);
}

static void test_losses_outside(void)
{
	const struct km_edit ask = {.from_ns = 1500 * STEP_NS, .to_ns = 2500 * STEP_NS, .text = ""};
	struct km_trace_counts counts;
	struct km_trace *trace;

	TAP_OK(!edit(whole, &ask, part) && report.lost_excluded == 18, "18 lost elsewhere");
	is_sound(part, "a part without two of the gaps");
	trace = open_trace(part);
	km_trace_counts(trace, &counts);
	TAP_OK(counts.filtered_excluded == 3000 + 18 && !counts.lost[KM_LOSS_RING_FULL] &&
		       counts.lost[KM_LOSS_RECURSION] == 13,
	       "losses there are excluded as well");
	km_trace_close(trace);
}

static void test_objects(void)
{
	const char *const caches[] = {"b"}, *const sites[] = {"f4"}, *const none[] = {"zz"};
	struct km_edit ask = {.caches = caches, .nr_caches = 1, .text = ""};

	TAP_OK(!edit(whole, &ask, part) && report.kept == EVENTS / 2, "objects of cache b: %s",
	       err.text);
	is_sound(part, "a cache");
	ask = (struct km_edit){.sites = sites, .nr_sites = 1, .text = ""};
	TAP_OK(!edit(whole, &ask, part) && report.kept == EVENTS / 2,
	       "objects from f4, and their frees elsewhere: %llu", (unsigned long long)report.kept);
	is_sound(part, "a call site");
	ask.sites = none;
	TAP_OK(edit(whole, &ask, part) == -ENOENT && strstr(err.text, "no call site in 'zz'"), "%s",
	       err.text);
	ask = (struct km_edit){.caches = none, .nr_caches = 1, .text = ""};
	TAP_OK(edit(whole, &ask, part) == -ENOENT && strstr(err.text, "no cache 'zz'"), "%s",
	       err.text);
	ask = (struct km_edit){.from_ns = 1ull << 40, .text = ""};
	TAP_OK(edit(whole, &ask, part) == -EINVAL && strstr(err.text, "nothing of"), "%s",
	       err.text);
}

/* Both ends of a lifetime stay or go, about one in four, and 1/8 is in 1/4. */
static void test_sample(void)
{
	static struct km_event four[EVENTS], eight[EVENTS];
	struct km_edit ask = {.sample = 4, .text = ""};
	struct km_trace *trace;
	unsigned unpaired = 0, foreign = 0;
	size_t n, m;

	TAP_OK(!edit(whole, &ask, part) && report.kept > EVENTS / 5 && report.kept < EVENTS / 3 &&
		       report.sampled == EVENTS - report.kept,
	       "one in four: %llu of %d", (unsigned long long)report.kept, EVENTS);
	is_sound(part, "a sample");
	trace = open_trace(part);
	n = read_events(trace, four, EVENTS);
	TAP_OK(!strcmp(km_trace_meta(trace, "sample"), "4"), "it says so");
	km_trace_close(trace);
	for (size_t i = 0; i < n; i++) {
		unsigned same = 0;

		for (size_t j = 0; j < n; j++)
			same += four[j].ptr == four[i].ptr;
		unpaired += same != 2;
	}
	TAP_EQ(unpaired, 0, "every lifetime has both its ends");
	ask.sample = 8;
	TAP_OK(!edit(part, &ask, other), "a sample of a sample");
	trace = open_trace(other);
	m = read_events(trace, eight, EVENTS);
	TAP_OK(!strcmp(km_trace_meta(trace, "sample"), "8"), "is one of the larger step");
	km_trace_close(trace);
	for (size_t i = 0; i < m; i++)
		foreign += !km_sample_keep(eight[i].kind, eight[i].ptr, 8);
	TAP_OK(m && m < n && !foreign, "1/8 lies within 1/4: %zu of %zu", m, n);
}

/* ---- together ---- */

static void test_merge(void)
{
	const uint8_t cpus[2][KM_MAX_CPUS] = {{1, 0}, {0, 1}};
	struct km_edit early = {.to_ns = 3000 * STEP_NS, .text = "early"};
	struct km_edit late = {.from_ns = 3000 * STEP_NS, .text = "late"};
	struct km_edit first = {.cpus = cpus[0], .text = "0"},
		       second = {.cpus = cpus[1], .text = "1"};

	if (edit(whole, &early, part) || edit(whole, &late, other))
		exit(2);
	TAP_OK(!merge(other, part, both), "two parts in time, in any order: %s", err.text);
	is_sound(both, "the sum");
	is_whole(both, "in time");
	TAP_OK(merge(part, part, both) == -EINVAL && strstr(err.text, "hold the same event"), "%s",
	       err.text);
	if (edit(whole, &first, part) || edit(whole, &second, other))
		exit(2);
	TAP_OK(!merge(part, other, both), "two CPUs: %s", err.text);
	is_sound(both, "the sum");
	is_whole(both, "by CPU");
}

static void rename_trace(const char *path, const char *uuid, const char *started,
			 const char *kernel)
{
	struct km_trace *trace = open_trace(whole);
	struct km_trace_writer *writer;
	struct km_edit ask = {.text = ""};

	if (km_trace_create(path, &writer, &err) ||
	    km_trace_edit(trace, &ask, writer, &report, &err) ||
	    km_trace_set_meta(writer, "origin", uuid, &err) ||
	    km_trace_set_meta(writer, "started", started, &err) ||
	    km_trace_set_meta(writer, "kernel", kernel, &err) ||
	    km_trace_finish(writer, report.duration_ns, &err))
		exit(2);
	km_trace_close(trace);
}

static void test_merge_others(void)
{
	struct km_trace *trace;

	rename_trace(part, "x", "2026-01-01T00:00:00Z", "6.1.0");
	rename_trace(other, "y", "2026-01-01T00:00:02Z", "6.1.0");
	TAP_OK(!merge(other, part, both) && report.events == 2 * EVENTS, "two recordings: %s",
	       err.text);
	is_sound(both, "the sum");
	trace = open_trace(both);
	TAP_OK(km_trace_duration_ns(trace) == 2000000000ull + EVENTS * STEP_NS &&
		       fired(trace) == 2 * (EVENTS + 36),
	       "the second lies 2 s later; the ledgers are added");
	TAP_OK(!strcmp(km_trace_snapshot_text(trace, "end", "/proc/buddyinfo"), "e"),
	       "the state at the end is the second's");
	TAP_OK(!km_trace_snapshot_text(trace, "end", "slab lists"),
	       "but for lists whose times are counted from its own start");
	km_trace_close(trace);
	rename_trace(other, "y", "2026-01-01T00:00:00Z", "6.1.0");
	TAP_OK(merge(part, other, both) == -EINVAL && strstr(err.text, "at the same time"), "%s",
	       err.text);
	rename_trace(other, "y", "2026-01-01T00:00:02Z", "6.6.0");
	TAP_OK(merge(part, other, both) == -EINVAL && strstr(err.text, "differ in their kernel"),
	       "%s", err.text);
}

/* ---- without names ---- */

/* The value the authors of SipHash give for the bytes 0 … 14 under the key 0 … 15. */
static void test_siphash(void)
{
	uint8_t bytes[15];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	TAP_OK(km_siphash(key, bytes, sizeof(bytes)) == 0xa129ca6149be45e5ull, "SipHash-2-4");
}

static void test_permute(void)
{
	static const uint64_t sizes[] = {1, 2, 3, 4, 5, 63, 64, 65, 1000};
	unsigned bad = 0;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		uint8_t hit[1000] = {0};

		for (uint64_t i = 0; i < sizes[s]; i++) {
			uint64_t to = km_permute(key, 1, sizes[s], i);

			bad += to >= sizes[s] || hit[to]++;
		}
	}
	TAP_EQ(bad, 0, "each number goes to one of its own");
}

static void test_addresses(void)
{
	struct km_anonymise anonymise = {.direct_map = 0xffff9a0ac0000000,
					 .vmalloc_start = 0xffffb00000000000,
					 .blocks = 4096};
	const uint64_t block = 1 << 22;
	unsigned far = 0, zones = 0, linked = 0, moved = 0;

	memcpy(anonymise.key, key, KM_KEY_BYTES);
	for (uint64_t i = 0; i < anonymise.blocks; i++) {
		uint64_t pfn = i * 1024 + i % 1024, at = anonymise.direct_map + pfn * 4096 + 72;
		uint64_t to = km_anonymise_ptr(&anonymise, KM_EV_PAGE_ALLOC, pfn);
		uint64_t ptr = km_anonymise_ptr(&anonymise, KM_EV_KMALLOC, at);

		moved += to != pfn;
		far += to % 1024 != pfn % 1024;
		zones += (pfn < 4096) != (to < 4096) || (pfn < 1 << 20) != (to < 1 << 20);
		linked += ptr != KM_DIRECT_MAP_BASE + to * 4096 + 72;
	}
	TAP_OK(!far && !zones && !linked && moved > 4000,
	       "pages stay in their zone and place in a block, objects in their page; %u moved",
	       moved);
	TAP_OK(km_anonymise_ptr(&anonymise, KM_EV_VMAP_FREE, 0xffffb00000005000) + 0x3000 ==
			       km_anonymise_ptr(&anonymise, KM_EV_VMAP_ALLOC, 0xffffb00000008000) &&
		       km_anonymise_ptr(&anonymise, KM_EV_VMAP_FREE, 0xffffb00000005000) % block ==
			       0x5000,
	       "vmalloc's areas stay neighbours");
	TAP_OK(!km_anonymise_ptr(&anonymise, KM_EV_KFREE, 0) &&
		       km_anonymise_ptr(&anonymise, KM_EV_KFREE, 16) == 16 &&
		       km_anonymise_ptr(&anonymise, KM_EV_PAGE_ALLOC, UINT64_MAX) == UINT64_MAX,
	       "nothing stays nothing");
}

static bool holds(const char *path, const char *word)
{
	static char bytes[4 << 20];
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

	if (file)
		fclose(file);
	return memmem(bytes, n, word, strlen(word)) != NULL;
}

static void test_anonymise(void)
{
	struct km_edit ask = {.key = key, .text = "--anonymise"};
	static struct km_event events[EVENTS], again[EVENTS];
	struct km_trace_cache const *cache;
	struct km_trace *trace;
	unsigned paths = 0;
	uint32_t count;
	char text[64];

	TAP_OK(!edit(whole, &ask, part) && report.kept == EVENTS, "anonymised: %s", err.text);
	is_sound(part, "it");
	TAP_OK(holds(whole, "secret") && holds(whole, "worker") && !holds(part, "secret") &&
		       !holds(part, "worker"),
	       "command line, boot line and commands are gone");
	trace = open_trace(part);
	read_events(trace, events, EVENTS);
	cache = km_trace_caches(trace, &count);
	TAP_OK(!km_trace_meta(trace, "command") && !km_trace_meta(trace, "origin") &&
		       !strcmp(cache[2].name, "b"),
	       "what it is a part of too; names of caches stay");
	TAP_OK(km_trace_site_table(trace, &count)[events[0].site].address >> 60 == 4 &&
		       !strcmp(km_trace_site_table(trace, &count)[events[0].site].symbol, "f4"),
	       "symbols stay without their addresses");
	km_trace_close(trace);
	if (edit(whole, &ask, other))
		exit(2);
	trace = open_trace(other);
	read_events(trace, again, EVENTS);
	TAP_OK(!memcmp(events, again, sizeof(events)), "the same key, the same trace");
	km_trace_close(trace);
	{
		struct km_anonymise anonymise = {.blocks = 1};

		memcpy(anonymise.key, key, KM_KEY_BYTES);
		km_anonymise_path(&anonymise, "/user.slice/me", text, sizeof(text));
		for (const char *at = text; *at; at++)
			paths += *at == '/';
	}
	TAP_OK(paths == 2 && strlen(text) == 18 && !strstr(text, "me"), "a path of two: %s", text);
}

int main(void)
{
	const char *directory = test_directory();

	snprintf(whole, sizeof(whole), "%s/whole.kmt", directory);
	snprintf(part, sizeof(part), "%s/part.kmt", directory);
	snprintf(other, sizeof(other), "%s/other.kmt", directory);
	snprintf(both, sizeof(both), "%s/both.kmt", directory);
	make_whole();
	is_sound(whole, "the whole");
	test_time();
	test_end();
	test_losses_outside();
	test_objects();
	test_sample();
	test_merge();
	test_merge_others();
	test_siphash();
	test_permute();
	test_addresses();
	test_anonymise();
	test_remove_directory(directory);
	return tap_done();
}
