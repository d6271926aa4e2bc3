/* SPDX-License-Identifier: GPL-2.0-only */
/* What is written to a trace is what is read from it, in one order of time. */
#include "engine/tests/tap.h"
#include "traces/codec.h"
#include "traces/repair.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { CPUS = 3, EVENTS = 250000, STACKS = 5000 };

static struct km_err err;
static char path[128];
static struct km_event *written[CPUS];
static uint32_t nr_written[CPUS];

static int by_order(const void *a, const void *b)
{
	const struct km_event *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* CPU 0 gets half of the events, in batches; in half of these some times step back or are equal. */
static void write_events(struct km_trace_writer *writer)
{
	struct km_event batch[100];
	uint64_t time[CPUS] = {0};
	unsigned failed = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		written[cpu] = calloc(EVENTS, sizeof(struct km_event));
	for (unsigned total = 0; total < EVENTS;) {
		unsigned cpu = test_random() % 2 ? 0 : (unsigned)(test_random() % CPUS);
		unsigned n = 1 + test_random() % 100;
		bool unordered = test_random() % 2;

		for (unsigned i = 0; i < n; i++) {
			batch[i] = test_event(&time[cpu]);
			if (unordered && test_random() % 8 == 0)
				batch[i].time_ns -= batch[i].time_ns % 4096; /* back, or equal */
			batch[i].cpu = (uint16_t)cpu;
			written[cpu][nr_written[cpu] + i] = batch[i];
		}
		failed += km_trace_append(writer, cpu, batch, n, &err) != 0;
		nr_written[cpu] += n;
		total += n;
	}
	TAP_EQ(failed, 0, "every append succeeds %s", err.text);
}

/* All of them in the order promised: of each CPU by time (stable), numbered; then merged. */
static struct km_event *expected(size_t *count)
{
	struct km_event *all = calloc(2 * EVENTS, sizeof(*all));
	size_t n = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		struct km_event *lane = written[cpu];

		for (uint32_t i = 0; i < nr_written[cpu]; i++)
			lane[i].seq = i;
		qsort(lane, nr_written[cpu], sizeof(*lane), by_order);
		for (uint32_t i = 0; i < nr_written[cpu]; i++)
			lane[i].seq = i;
		memcpy(all + n, lane, nr_written[cpu] * sizeof(*lane));
		n += nr_written[cpu];
	}
	qsort(all, n, sizeof(*all), by_order);
	*count = n;
	return all;
}

static bool passes(const struct km_event *event, const struct km_trace_filter *filter)
{
	return (!filter->caches || filter->caches[event->cache]) &&
	       event->time_ns >= filter->from_ns &&
	       (!filter->to_ns || event->time_ns < filter->to_ns) &&
	       (!filter->kinds || filter->kinds >> event->kind & 1) &&
	       (filter->cpu < 0 || event->cpu == filter->cpu);
}

static void check_filter(struct km_trace *trace, const struct km_event *all, size_t n,
			 struct km_trace_filter filter, size_t batch, const char *what)
{
	struct km_event *events = calloc(batch, sizeof(*events));
	struct km_trace_cursor *cursor;
	size_t at = 0, got, wrong = 0, seen = 0;

	TAP_EQ(km_trace_cursor_open(trace, &filter, &cursor, &err), 0, "%s: open", what);
	do {
		if (km_trace_next(cursor, events, batch, &got, &err)) {
			wrong++;
			break;
		}
		for (size_t i = 0; i < got; i++) {
			while (at < n && !passes(&all[at], &filter))
				at++;
			wrong += at == n || !test_same_event(&all[at++], &events[i]);
		}
		seen += got;
	} while (got);
	while (at < n && !passes(&all[at], &filter))
		at++;
	TAP_OK(!wrong && at == n, "%s: %zu events, as selected by hand", what, seen);
	km_trace_cursor_close(cursor);
	free(events);
}

static struct km_event whole_event(const struct km_brief *brief, const struct km_legend *legend)
{
	struct km_event event = legend->shapes[brief->shape];

	event.time_ns = brief->time_ns;
	event.ptr = brief->ptr;
	event.task = legend->actors[brief->actor].task;
	event.context = legend->actors[brief->actor].context;
	return event;
}

/* The same in brief, which tells no seq. */
static void check_briefs(struct km_trace *trace, const struct km_event *all, size_t n,
			 struct km_trace_filter filter, const char *what)
{
	struct km_legend legends[CPUS] = {0};
	struct km_trace_cursor *cursor;
	struct km_stretch stretch;
	size_t at = 0, wrong = 0, seen = 0;

	filter.brief = true;
	TAP_EQ(km_trace_cursor_open(trace, &filter, &cursor, &err), 0, "%s: open", what);
	do {
		wrong += km_trace_next_stretch(cursor, &stretch, &err) != 0;
		if (stretch.legend)
			legends[stretch.legend->cpu] = *stretch.legend;
		for (size_t i = 0; i < stretch.n; i++) {
			const struct km_brief *brief = &stretch.events[i];
			struct km_event event = whole_event(brief, &legends[brief->cpu]);

			while (at < n && !passes(&all[at], &filter))
				at++;
			event.seq = at < n ? all[at].seq : 0;
			wrong += at == n || event.cpu != brief->cpu ||
				 !test_same_event(&all[at++], &event);
		}
		seen += stretch.n;
	} while ((stretch.n || stretch.legend) && !wrong);
	while (at < n && !passes(&all[at], &filter))
		at++;
	TAP_OK(!wrong && at == n, "%s: %zu events in brief, as selected by hand", what, seen);
	km_trace_cursor_close(cursor);
}

/* The same events by runs; a run is of one CPU. */
static void check_runs(struct km_trace *trace, const struct km_event *all, size_t n)
{
	const struct km_event *events;
	struct km_trace_cursor *cursor;
	size_t at = 0, got, wrong = 0;

	km_trace_cursor_open(trace, NULL, &cursor, &err);
	while (!km_trace_next_run(cursor, &events, &got, &err) && got)
		for (size_t i = 0; i < got; i++, at++)
			wrong += at >= n || !test_same_event(&all[at], &events[i]) ||
				 events[i].cpu != events[0].cpu;
	TAP_OK(!wrong && at == n, "runs are the events in their order");
	km_trace_cursor_close(cursor);
}

/* One CPU after the other, each in its order, without what is not asked for. */
static void check_by_cpu(struct km_trace *trace)
{
	const struct km_trace_filter filter = {
		.cpu = -1, .by_cpu = true, .without = KM_WITHOUT_TIME | KM_WITHOUT_ACTOR};
	const struct km_event *events;
	struct km_trace_cursor *cursor;
	uint32_t at[CPUS] = {0}, cpu = 0;
	size_t got, wrong = 0;

	km_trace_cursor_open(trace, &filter, &cursor, &err);
	while (!km_trace_next_run(cursor, &events, &got, &err) && got)
		for (size_t i = 0; i < got; i++) {
			const struct km_event *event = &events[i];
			const struct km_event *want = &written[event->cpu][at[event->cpu]];

			wrong += event->cpu < cpu || event->seq != at[event->cpu]++ ||
				 event->ptr != want->ptr || event->kind != want->kind ||
				 event->time_ns || event->task || event->context;
			cpu = event->cpu;
		}
	for (cpu = 0; cpu < CPUS; cpu++)
		wrong += at[cpu] != nr_written[cpu];
	TAP_EQ(wrong, 0, "by CPU, without times and actors");
	km_trace_cursor_close(cursor);
}

static void check_events(struct km_trace *trace)
{
	static const uint8_t caches[TEST_CACHES] = {[2] = 1, [9] = 1};
	uint64_t middle, late;
	struct km_event *all;
	size_t n;

	all = expected(&n);
	middle = all[n / 2].time_ns;
	late = all[n - n / 50].time_ns;
	TAP_EQ(km_trace_events(trace), n, "the index counts all events");
	check_filter(trace, all, n, (struct km_trace_filter){.cpu = -1}, 256, "all");
	check_filter(trace, all, n, (struct km_trace_filter){.cpu = -1}, 1, "all, one by one");
	check_briefs(trace, all, n, (struct km_trace_filter){.cpu = -1}, "all");
	check_briefs(trace, all, n, (struct km_trace_filter){.cpu = 1}, "one cpu");
	check_briefs(trace, all, n,
		     (struct km_trace_filter){.from_ns = middle, .to_ns = late, .cpu = -1},
		     "an interval");
	check_filter(trace, all, n, (struct km_trace_filter){.cpu = 1}, 999, "one cpu");
	check_filter(trace, all, n, (struct km_trace_filter){.cpu = CPUS}, 9, "no such cpu");
	check_filter(trace, all, n, (struct km_trace_filter){.kinds = 5, .cpu = -1}, 256,
		     "two kinds");
	check_filter(trace, all, n,
		     (struct km_trace_filter){.from_ns = middle, .to_ns = late, .cpu = -1}, 256,
		     "an interval");
	check_filter(trace, all, n,
		     (struct km_trace_filter){
			     .from_ns = middle, .to_ns = middle + 1, .kinds = 2, .cpu = 0},
		     256, "one instant, kind and cpu");
	check_filter(trace, all, n, (struct km_trace_filter){.caches = caches, .cpu = -1}, 256,
		     "two caches");
	check_filter(trace, all, n,
		     (struct km_trace_filter){.caches = caches, .from_ns = middle, .cpu = 1}, 256,
		     "two caches of one cpu, later");
	check_runs(trace, all, n);
	check_by_cpu(trace);
	check_filter(trace, all, n, (struct km_trace_filter){.from_ns = INT64_MAX, .cpu = -1}, 256,
		     "after the end");
	free(all);
}

/* ---- small tables ---- */

/* The same stack is the same id, before and after others. */
static void write_stacks(struct km_trace_writer *writer)
{
	uint64_t one = 0xffffffff81000010ull, frames[2];
	unsigned wrong = 0;

	for (unsigned round = 0; round < 2; round++)
		for (uint32_t i = 0; i < STACKS; i++) {
			frames[0] = one + i % 100 * 16;
			frames[1] = one + (1 + i / 100) * 16;
			wrong += km_trace_stack_id(writer, frames, 2) != TEST_STACKS + i;
		}
	TAP_EQ(wrong, 0, "%d stacks have one id each", STACKS);
	TAP_EQ(km_trace_stack_id(writer, &one, 1), 1, "a shorter one is another");
	TAP_EQ(km_trace_stack_id(writer, &one, 0), 0, "no frames: no stack");
}

/* What is written is what readers take. */
static void test_orders(struct km_trace_writer *writer, struct km_trace_cache cache)
{
	cache.order = KM_MAX_ORDER;
	TAP_EQ(km_trace_define_cache(writer, &cache, &err), 0, "the largest slab order");
	cache.order = KM_MAX_ORDER + 1;
	TAP_EQ(km_trace_define_cache(writer, &cache, &err), -EINVAL, "a larger one is refused");
}

static void write_tables(struct km_trace_writer *writer)
{
	char *big = malloc(100001);
	struct km_trace_cache cache = {.id = 3,
				       .name = "dentry",
				       .object_size = 192,
				       .size = 192,
				       .align = 8,
				       .flags = 0x80000000,
				       .order = 1,
				       .objects_per_slab = 42,
				       .min_partial = 5,
				       .cpu_partial = 120,
				       .sheaf_capacity = 28,
				       .has_geometry = 1,
				       .reclaim_account = 1,
				       .account = 1};
	struct km_trace_cache beyond = {.id = 1000};
	struct km_trace_task task = {.id = 2,
				     .tid = 77,
				     .tgid = 70,
				     .comm = "123456789012345",
				     .cgroup = 1ull << 63 | 5};
	struct km_trace_site site = {.id = 5,
				     .address = 0xffffffff81000050ull,
				     .symbol = "do_sys_open",
				     .offset = 16,
				     .module = "ext4"};
	struct km_trace_gap gap = {.cpu = 2,
				   .cause = KM_LOSS_CONTENDED,
				   .after_ns = 10,
				   .before_ns = 20,
				   .events = 30};
	struct km_trace_counts counts = {.lost = {1, 2, 3},
					 .filtered_null = 4,
					 .filtered_self = 5,
					 .filtered_sampled = 6,
					 .filtered_excluded = 7,
					 .filtered_aged = 8};
	uint32_t count;

	memset(big, 'x', 100000);
	big[100000] = 0;
	counts.fired[KM_EV_KMALLOC] = 1000000;
	TAP_EQ(km_trace_set_meta(writer, "kernel", "6.1.0-test", &err), 0, "set_meta");
	TAP_EQ(km_trace_set_meta(writer, "kernel", "6.1.0", &err), 0, "set_meta again");
	TAP_EQ(km_trace_snapshot(writer, "start", 1, "/proc/a", "one\n", 4, &err), 0, "snapshot");
	TAP_EQ(km_trace_snapshot(writer, "sample", 2, "/proc/a", "old", 3, &err), 0, "sample");
	TAP_EQ(km_trace_snapshot(writer, "sample", 3, "/proc/a", "new", 3, &err), 0, "sample 2");
	TAP_EQ(km_trace_snapshot(writer, "end", 3, "/proc/b", big, 100000, &err), 0, "a large one");
	TAP_EQ(km_trace_snapshot(writer, "end", 3, "/proc/c", "", 0, &err), 0, "an empty one");
	test_orders(writer, cache);
	TAP_EQ(km_trace_define_cache(writer, &cache, &err), 0, "a cache is redefined");
	TAP_EQ(km_trace_define_cache(writer, &beyond, &err), -EINVAL,
	       "a cache id of its own is refused");
	TAP_OK(!strcmp(err.text, "cannot redefine cache 1000: there is none"), "%s", err.text);
	TAP_EQ(km_trace_define_task(writer, &task, &err), 0, "a task is redefined");
	TAP_EQ(km_trace_define_site(writer, &site, &err), 0, "a site is resolved");
	TAP_EQ(km_trace_site_id(writer, site.address), 5, "and keeps its id");
	TAP_EQ(km_trace_site_id(writer, 0), 0, "address 0 is unknown");
	TAP_OK(km_trace_sites(writer, &count)[5] == site.address && count == TEST_SITES,
	       "sites are listed");
	write_stacks(writer);
	TAP_EQ(km_trace_define_cgroup(writer, 1ull << 63 | 5, "/old", &err), 0, "a cgroup");
	TAP_EQ(km_trace_define_cgroup(writer, 7, "/", &err), 0, "another");
	TAP_EQ(km_trace_define_cgroup(writer, 1ull << 63 | 5, "/new", &err), 0, "it moved");
	TAP_EQ(km_trace_add_gap(writer, &gap, &err), 0, "a gap");
	TAP_EQ(km_trace_set_counts(writer, &counts, &err), 0, "counts");
	free(big);
}

static void check_dictionaries(struct km_trace *trace)
{
	const struct km_trace_cache *caches;
	const struct km_trace_site *sites;
	const struct km_trace_task *tasks;
	uint32_t count;

	caches = km_trace_caches(trace, &count);
	TAP_EQ(count, TEST_CACHES, "all caches");
	TAP_OK(!strcmp(caches[3].name, "dentry") && caches[3].flags == 0x80000000 &&
		       caches[3].objects_per_slab == 42 && caches[3].sheaf_capacity == 28 &&
		       caches[3].cpu_partial == 120 && caches[3].has_geometry &&
		       caches[3].account && !caches[3].cache_dma && caches[3].order == 1,
	       "a cache has all its fields");
	TAP_OK(!caches[0].name[0] && !strcmp(caches[4].name, "cache_4"), "the others too");
	sites = km_trace_site_table(trace, &count);
	TAP_EQ(count, TEST_SITES, "all sites");
	TAP_OK(!strcmp(sites[5].symbol, "do_sys_open") && sites[5].offset == 16 &&
		       !strcmp(sites[5].module, "ext4") &&
		       sites[5].address == 0xffffffff81000050ull,
	       "a site has all its fields");
	tasks = km_trace_tasks(trace, &count);
	TAP_EQ(count, TEST_TASKS, "all tasks");
	TAP_OK(tasks[2].tid == 77 && tasks[2].tgid == 70 &&
		       !strcmp(tasks[2].comm, "123456789012345") &&
		       tasks[2].cgroup == (1ull << 63 | 5),
	       "a task has all its fields");
	TAP_OK(tasks[9].cgroup == 0 && tasks[19].cgroup == 1, "the others too");
	TAP_OK(!strcmp(km_trace_cgroup_path(trace, 1), "/user.slice") &&
		       !strcmp(km_trace_cgroup_path(trace, 7), "/") &&
		       !strcmp(km_trace_cgroup_path(trace, 1ull << 63 | 5), "/new"),
	       "cgroups have their last path");
	TAP_OK(!km_trace_cgroup_path(trace, 0) && !km_trace_cgroup_path(trace, UINT64_MAX),
	       "others have none");
}

/* Stack i of test_define() is sites i ... 1, and write_stacks() gave more than one table holds. */
static void check_stacks(struct km_trace *trace)
{
	const uint32_t *sites;
	unsigned frames, wrong = 0;
	uint32_t id;

	TAP_OK(!km_trace_stack(trace, 0, &frames) && !frames, "stack 0 is none");
	for (id = 1; id < TEST_STACKS; id++) {
		sites = km_trace_stack(trace, id, &frames);
		wrong += !sites || frames != id;
		for (unsigned i = 0; i < frames; i++)
			wrong += sites[i] != id - i;
	}
	for (; (sites = km_trace_stack(trace, id, &frames)); id++)
		wrong += frames != 2 || sites[0] != 1 + (id - TEST_STACKS) % 100 ||
			 sites[1] != 2 + (id - TEST_STACKS) / 100;
	TAP_EQ(wrong, 0, "all stacks have their frames");
	TAP_EQ(id, TEST_STACKS + STACKS, "and are all there");
}

static void check_tables(struct km_trace *trace)
{
	const char *text, *same;
	const struct km_trace_gap *gaps;
	struct km_trace_counts counts;
	size_t nr_gaps;

	TAP_OK(!strcmp(km_trace_meta(trace, "kernel"), "6.1.0"), "meta: the last value");
	TAP_OK(!km_trace_meta(trace, "nothing"), "meta: none");
	text = km_trace_snapshot_text(trace, "start", "/proc/a");
	TAP_OK(text && !strcmp(text, "one\n"), "snapshot");
	text = km_trace_snapshot_text(trace, "sample", "/proc/a");
	TAP_OK(text && !strcmp(text, "new"), "snapshot: the last of its phase");
	text = km_trace_snapshot_text(trace, "end", "/proc/b");
	same = km_trace_snapshot_text(trace, "end", "/proc/b");
	TAP_OK(text && strlen(text) == 100000 && strspn(text, "x") == 100000 && same == text,
	       "snapshot: a large one, kept");
	text = km_trace_snapshot_text(trace, "end", "/proc/c");
	TAP_OK(text && !*text, "snapshot: an empty one");
	TAP_OK(!km_trace_snapshot_text(trace, "end", "/proc/a"), "snapshot: none");
	gaps = km_trace_gaps(trace, &nr_gaps);
	TAP_OK(nr_gaps == 1 && gaps[0].cpu == 2 && gaps[0].cause == KM_LOSS_CONTENDED &&
		       gaps[0].after_ns == 10 && gaps[0].before_ns == 20 && gaps[0].events == 30,
	       "gap");
	TAP_EQ(km_trace_counts(trace, &counts), 0, "counts");
	TAP_OK(counts.lost[0] == 1 && counts.lost[1] == 30 && counts.lost[2] == 3 &&
		       counts.filtered_null == 4 && counts.filtered_self == 5 &&
		       counts.filtered_sampled == 6 && counts.filtered_excluded == 7 &&
		       counts.filtered_aged == 8 && counts.fired[KM_EV_KMALLOC] == 1000000,
	       "the ledger, and what the gaps say beyond it");
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		uint64_t n = 0;

		for (unsigned cpu = 0; cpu < CPUS; cpu++)
			for (uint32_t i = 0; i < nr_written[cpu]; i++)
				n += written[cpu][i].kind == kind;
		TAP_EQ(counts.recorded[kind], n, "recorded %s", km_event_name(kind));
	}
}

static void check_file(void)
{
	char name[160], head[100];
	FILE *file = fopen(path, "rb");

	TAP_OK(file && fread(head, 1, sizeof(head), file) == sizeof(head) &&
		       !memcmp(head + 68, "kmlt", 4) && head[63] == KM_TRACE_VERSION &&
		       head[18] == 1 && head[16] == 0 && head[17] == 1,
	       "the file has kmlab's id and version, 64 KiB pages, and no log");
	if (file)
		fclose(file);
	snprintf(name, sizeof(name), "%s-wal", path);
	TAP_OK(access(name, F_OK), "no -wal beside it");
	snprintf(name, sizeof(name), "%s-shm", path);
	TAP_OK(access(name, F_OK), "no -shm beside it");
}

static void check_repair(struct km_trace *trace)
{
	struct km_repair_counts stored = {0}, again = {0};

	TAP_EQ(km_trace_repair(trace, &stored), 0, "the repair counts are stored");
	TAP_EQ(km_repair_trace(trace, &again, &err), 0, "the trace is repaired again");
	TAP_OK(stored.matched_frees + stored.open > 0 && !memcmp(&stored, &again, sizeof(stored)),
	       "with the same counts");
}

/* ---- create ---- */

static void test_create(const char *directory)
{
	char other[128], want[256];
	struct km_trace_writer *writer, *second;
	FILE *file;

	snprintf(other, sizeof(other), "%s/other", directory);
	file = fopen(other, "w");
	fputs("precious", file);
	fclose(file);
	snprintf(want, sizeof(want),
		 "%s exists and is not a kmlab trace; choose another name with -o", other);
	TAP_EQ(km_trace_create(other, &writer, &err), -EEXIST, "another file is not overwritten");
	TAP_OK(!strcmp(err.text, want), "%s", err.text);
	snprintf(other, sizeof(other), "%s/none/T.kmt", directory);
	TAP_EQ(km_trace_create(other, &writer, &err), -ENOENT, "%s", err.text);
	snprintf(other, sizeof(other), "%s/busy.kmt", directory);
	TAP_EQ(km_trace_create(other, &writer, &err), 0, "a new file");
	TAP_EQ(km_trace_create(other, &second, &err), -EBUSY, "%s", err.text);
	km_trace_abandon(writer);
	TAP_EQ(km_trace_create(other, &writer, &err), 0, "a trace is replaced");
	TAP_EQ(km_trace_finish(writer, 0, &err), 0, "a trace without events");
}

/* What is not a regular file is refused and stays what it is. */
static void test_not_regular(const char *directory)
{
	static const struct {
		const char *name;
		mode_t mode;
	} nodes[] = {{"fifo", S_IFIFO}, {"socket", S_IFSOCK}, {"device", S_IFCHR}};
	struct km_trace_writer *writer;
	struct stat before, after;
	char other[128];

	TAP_EQ(km_trace_create(directory, &writer, &err), -EINVAL, "%s", err.text);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		snprintf(other, sizeof(other), "%s/%s", directory, nodes[i].name);
		/* device 1:3 is the one of /dev/null */
		if (mknod(other, nodes[i].mode | 0600, makedev(1, 3)) || stat(other, &before)) {
			TAP_OK(true, "%s # SKIP cannot make one", nodes[i].name);
			continue;
		}
		TAP_EQ(km_trace_create(other, &writer, &err), -EINVAL, "%s", err.text);
		TAP_OK(!stat(other, &after) && before.st_ino == after.st_ino &&
			       before.st_mode == after.st_mode,
		       "the %s is left as it is", nodes[i].name);
	}
}

static bool is_link(const char *name)
{
	struct stat st;

	return !lstat(name, &st) && S_ISLNK(st.st_mode);
}

static void test_links(const char *directory)
{
	char first[128], second[128], target[128], sub[128];
	struct km_trace_writer *writer;
	struct stat st;

	snprintf(first, sizeof(first), "%s/first", directory);
	snprintf(second, sizeof(second), "%s/second", directory);
	snprintf(sub, sizeof(sub), "%s/sub", directory);
	snprintf(target, sizeof(target), "%s/sub/target.kmt", directory);
	if (mkdir(sub, 0700) || symlink("second", first) || symlink("sub/target.kmt", second))
		exit(2);
	for (unsigned i = 0; i < 2; i++) {
		TAP_EQ(km_trace_create(first, &writer, &err), 0, "a link to a link to %s",
		       i ? "a trace" : "nothing");
		TAP_EQ(km_trace_finish(writer, 0, &err), 0, "finish");
		TAP_OK(is_link(first) && is_link(second), "the links are kept");
		TAP_OK(!lstat(target, &st) && S_ISREG(st.st_mode), "their target is the trace");
	}
	unlink(second);
	if (symlink("first", second))
		exit(2);
	TAP_EQ(km_trace_create(first, &writer, &err), -ELOOP, "%s", err.text);
}

/* ---- the trace that was there ---- */

static int write_named(const char *name, const char *value, struct km_trace_writer **writer)
{
	int code = km_trace_create(name, writer, &err);

	return code ? code : km_trace_set_meta(*writer, "name", value, &err);
}

static bool is_named(const char *name, const char *value)
{
	struct km_trace *trace;
	bool same;

	if (km_trace_open(name, &trace, &err))
		return false;
	same = km_trace_meta(trace, "name") && !strcmp(km_trace_meta(trace, "name"), value);
	km_trace_close(trace);
	return same;
}

static void test_earlier(const char *directory)
{
	char name[128], old[136], old2[136];
	struct km_trace_writer *writer;

	snprintf(name, sizeof(name), "%s/keep.kmt", directory);
	snprintf(old, sizeof(old), "%s.old", name);
	snprintf(old2, sizeof(old2), "%s.old2", name);
	TAP_EQ(write_named(name, "one", &writer), 0, "a trace");
	TAP_OK(!km_trace_earlier(writer), "there was none before");
	TAP_EQ(km_trace_finish(writer, 1, &err), 0, "finish");
	TAP_EQ(write_named(name, "two", &writer), 0, "another in its place");
	TAP_OK(km_trace_earlier(writer) && !strcmp(km_trace_earlier(writer), old) &&
		       is_named(old, "one"),
	       "the earlier one is moved aside");
	km_trace_discard(writer);
	TAP_OK(is_named(name, "one") && access(old, F_OK), "discarded: it is back");
	TAP_EQ(write_named(name, "two", &writer), 0, "another");
	TAP_EQ(km_trace_flush(writer, &err), 0, "flush");
	km_trace_abandon(writer);
	TAP_OK(is_named(name, "two") && is_named(old, "one"), "abandoned: both are there");
	TAP_EQ(write_named(name, "three", &writer), 0, "another");
	TAP_OK(is_named(old, "one") && is_named(old2, "two"), "all three are there");
	TAP_EQ(km_trace_finish(writer, 1, &err), 0, "finish");
	TAP_OK(is_named(name, "three") && is_named(old, "one") && access(old2, F_OK),
	       "finished: the one it replaced is gone, an older one is not touched");
	snprintf(name, sizeof(name), "%s/gone.kmt", directory);
	TAP_EQ(write_named(name, "x", &writer), 0, "a trace where there was none");
	km_trace_discard(writer);
	TAP_OK(access(name, F_OK), "discarded: nothing is there");
}

/* A log whose trace is gone must not get into the next one. */
static void test_stray_log(const char *directory)
{
	char name[128], log[136], command[1024];
	struct km_trace_writer *writer;

	snprintf(name, sizeof(name), "%s/stray.kmt", directory);
	snprintf(log, sizeof(log), "%s-wal", name);
	TAP_EQ(write_named(name, "killed", &writer), 0, "create");
	TAP_EQ(km_trace_flush(writer, &err), 0, "flush");
	snprintf(command, sizeof(command), "cp %s %s.k && cp %s %s.k-wal", name, name, log, name);
	if (system(command))
		exit(2);
	km_trace_abandon(writer);
	strcat(name, ".k");
	TAP_EQ(write_named(name, "next", &writer), 0, "in place of a killed trace");
	TAP_OK(is_named(km_trace_earlier(writer), "killed"), "which keeps what its log holds");
	km_trace_discard(writer);
	TAP_OK(is_named(name, "killed"), "also when it is back");
	unlink(name);
	snprintf(command, sizeof(command), "echo x >%s-wal", name);
	if (system(command))
		exit(2);
	TAP_EQ(write_named(name, "next", &writer), 0, "beside a log without a trace");
	TAP_EQ(km_trace_finish(writer, 1, &err), 0, "finish");
	TAP_OK(is_named(name, "next"), "it is not taken in");
}

static void test_bad_events(const char *directory)
{
	struct km_event event = {.kind = KM_NR_EVENT_KINDS};
	struct km_trace_writer *writer;
	char name[128];

	snprintf(name, sizeof(name), "%s/bad.kmt", directory);
	TAP_EQ(km_trace_create(name, &writer, &err), 0, "create");
	TAP_EQ(km_trace_append(writer, 70000, &event, 1, &err), -EINVAL, "%s", err.text);
	TAP_EQ(km_trace_append(writer, 0, &event, 1, &err), 0, "not looked at yet");
	TAP_EQ(km_trace_flush(writer, &err), -EINVAL, "%s", err.text);
	TAP_EQ(km_trace_append(writer, 0, &event, 1, &err), -EINVAL, "the writer stays failed");
	TAP_EQ(km_trace_finish(writer, 1, &err), -EINVAL, "and says so at the end");
}

int main(void)
{
	const char *directory = test_directory();
	struct km_trace_writer *writer;
	struct km_trace *trace;

	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	TAP_EQ(km_trace_create(path, &writer, &err), 0, "create");
	TAP_EQ(test_define(writer), 0, "define");
	write_events(writer);
	write_tables(writer);
	TAP_EQ(km_trace_finish(writer, 123456789, &err), 0, "finish %s", err.text);
	check_file();
	TAP_EQ(km_trace_open(path, &trace, &err), 0, "open %s", err.text);
	TAP_OK(km_trace_complete(trace), "complete");
	TAP_EQ(km_trace_duration_ns(trace), 123456789, "duration");
	TAP_EQ(km_trace_cpus(trace), CPUS, "cpus");
	TAP_OK(!strcmp(km_trace_path(trace), path), "path");
	check_events(trace);
	check_dictionaries(trace);
	check_stacks(trace);
	check_tables(trace);
	check_repair(trace);
	km_trace_close(trace);
	test_create(directory);
	test_not_regular(directory);
	test_links(directory);
	test_earlier(directory);
	test_stray_log(directory);
	test_bad_events(directory);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		free(written[cpu]);
	test_remove_directory(directory);
	return tap_done();
}
