/* SPDX-License-Identifier: GPL-2.0-only */
/* Result files put together: every run once, with all its rows; what must not be is refused. */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/tests/tap.h"
#include "results/merge.h"
#include "rows.h"

static struct km_err err;

/* What a run of these files measured; the rest is the same in all. */
struct measured {
	const char *model;
	unsigned rep;
	double pages, ns;
	double series; /* at its second point */
	const char *host;
};

static void add_run(struct km_result *result, int64_t trace, const struct measured *measured)
{
	const struct km_run_key key = {trace, measured->model, "{\"merge\":1}", 7, measured->rep};
	const uint64_t times[] = {0, 10, 20};
	const double values[] = {1, measured->series, NAN};
	struct km_hist *hist = calloc(1, sizeof(*hist));
	int64_t run = 0;

	km_hist_add(hist, (uint64_t)measured->ns);
	km_result_add_run(result, &key, &run, &err);
	km_result_metric(result, run, "pages.peak", "pages", measured->pages, false, &err);
	km_result_metric(result, run, "wall_ns", "ns", measured->ns, true, &err);
	km_result_note(result, run, "host.name", measured->host, &err);
	km_result_hist(result, run, "latency_ns.alloc", "ns", hist, &err);
	km_result_series(result, run, "pages", "pages", 3, times, values, &err);
	km_result_path(result, run, "slab_fast", 12, &err);
	free(hist);
}

static struct km_result *make(const char *path, const char *uuid, const char *ops)
{
	struct km_hist *hist = calloc(1, sizeof(*hist));
	struct km_result *result = NULL;
	int64_t trace = 0;

	unlink(path);
	km_result_create(path, &result, &err);
	km_result_add_trace(result, uuid, "t.kmt", &trace, &err);
	km_result_trace_fact(result, trace, "operations", ops, &err);
	km_result_trace_fact(result, trace, "replay_command", path, &err);
	km_hist_add(hist, 64);
	km_result_trace_hist(result, trace, "size_req", "bytes", hist, &err);
	free(hist);
	return result;
}

static void make_one(const char *path, const struct measured *measured)
{
	struct km_result *result = make(path, "uuid-1", "100");

	add_run(result, 1, measured);
	km_result_close(result, &err);
}

static int merge(struct km_result *to, const char *path, struct km_merge *merged)
{
	int code;

	err.text[0] = '\0';
	km_result_begin(to, &err);
	code = km_result_merge(to, path, merged, &err);
	if (code)
		km_result_rollback(to);
	else
		km_result_commit(to, NULL);
	return code;
}

static const struct measured first = {"slub", 0, 10, 100, 2, "a"};

static void test_merging(void)
{
	const struct measured second = {"slub", 1, 10, 200, 2, "b"};
	struct km_merge merged = {false, 0, 0, 0};
	struct km_result *to = make("to.kmr", "uuid-1", "100"), *other;

	add_run(to, 1, &first);
	make_one("b.kmr", &second);
	other = make("c.kmr", "uuid-2", "50");
	add_run(other, 1, &first);
	km_result_close(other, &err);
	TAP_EQ(merge(to, "b.kmr", &merged), 0, "another repetition is added");
	TAP_EQ(merge(to, "c.kmr", &merged), 0, "and the same of another trace");
	TAP_EQ(merged.added, 2, "two runs");
	TAP_EQ(count(to, "SELECT count(*) FROM run"), 3, "are three with the one before");
	TAP_EQ(count(to, "SELECT count(*) FROM trace"), 2, "of two traces");
	TAP_EQ(count(to, "SELECT count(*) FROM trace_hist"), 2, "with their histograms");
	TAP_EQ(count(to,
		     "SELECT count(*) FROM run JOIN metric ON run = run.id JOIN note USING (run)"
		     " JOIN hist USING (run) JOIN path USING (run) WHERE rep = 1 AND seed = 7 AND"
		     " metric.name = 'wall_ns' AND value = 200 AND timing = 1 AND text = 'b' AND"
		     " count = 12"),
	       1, "a run has all its rows");
	TAP_EQ(count(to, "SELECT count(*) FROM series WHERE value IS NULL"), 3,
	       "what was not measured stays that");
	TAP_EQ(count(to, "SELECT count(*) FROM trace_fact WHERE key = 'replay_command' AND "
			 "value = 'to.kmr'"),
	       1, "what tells of the replay is the first file's");
	TAP_EQ(merge(to, "b.kmr", &merged), 0, "once more");
	TAP_OK(merged.added == 2 && merged.same == 1, "and it is known");
	km_result_close(to, NULL);
}

static void refused(const struct measured *measured, int code, const char *part)
{
	struct km_result *to = make("to.kmr", "uuid-1", "100");
	struct km_merge merged = {false, 0, 0, 0};

	add_run(to, 1, &first);
	make_one("b.kmr", measured);
	TAP_EQ(merge(to, "b.kmr", &merged), code, "refused");
	TAP_OK(strstr(err.text, part) != NULL, "%s", err.text);
	TAP_EQ(count(to, "SELECT count(*) FROM run"), 1, "and nothing was added");
	km_result_close(to, NULL);
}

static void test_refusals(void)
{
	const struct measured again = {"slub", 0, 10, 101, 2, "a"};
	const struct measured other_host = {"slub", 0, 10, 100, 2, "b"};
	const struct measured other_pages = {"slub", 0, 11, 100, 2, "a"};
	const struct measured other_series = {"slub", 0, 10, 100, 3, "a"};
	struct km_merge keep = {.keep_first = true};
	struct km_result *to, *other;

	refused(&again, -EEXIST, "--keep-first");
	refused(&other_host, -EEXIST, "have both timed slub");
	refused(&other_pages, -EILSEQ, "pages.peak is another");
	refused(&other_series, -EILSEQ, "pages is another");
	to = make("to.kmr", "uuid-1", "100");
	add_run(to, 1, &first);
	make_one("b.kmr", &again);
	TAP_EQ(merge(to, "b.kmr", &keep), 0, "of two timings the first may be kept");
	TAP_OK(keep.left_out == 1 &&
		       count(to, "SELECT value FROM metric WHERE name = 'wall_ns'") == 100,
	       "and is");
	make_one("b.kmr", &other_pages);
	TAP_EQ(merge(to, "b.kmr", &keep), -EILSEQ, "not of two truths");
	other = make("b.kmr", "uuid-1", "99");
	km_result_close(other, &err);
	TAP_EQ(merge(to, "b.kmr", &keep), -EILSEQ, "one trace has one number of operations");
	TAP_OK(strstr(err.text, "operations is 99 and was 100") != NULL, "%s", err.text);
	TAP_EQ(merge(to, "none.kmr", &keep), -ENOENT, "%s", err.text);
	km_result_close(to, NULL);
}

static void test_failures(void)
{
	const struct km_run_key key = {1, "slub", "{\"merge\":1}", 7, 0};
	struct km_result *to = make("to.kmr", "uuid-1", "100");
	struct km_result *other = make("b.kmr", "uuid-1", "100");
	struct km_merge merged = {false, 0, 0, 0};

	km_result_add_failure(other, &key, "it fell", &err);
	km_result_close(other, &err);
	make_one("c.kmr", &first);
	TAP_EQ(merge(to, "b.kmr", &merged), 0, "what failed");
	TAP_OK(km_result_get_failure(to, &key) &&
		       !strcmp(km_result_get_failure(to, &key), "it fell"),
	       "is told");
	TAP_EQ(merge(to, "c.kmr", &merged), 0, "until a file has the run");
	TAP_OK(!km_result_get_failure(to, &key) && merged.added == 1, "which it is then");
	TAP_EQ(merge(to, "b.kmr", &merged), 0, "also where the failure");
	TAP_OK(!km_result_get_failure(to, &key), "comes later");
	km_result_close(to, NULL);
}

static void alter(const char *path, const char *sql)
{
	sqlite3 *db;

	sqlite3_open(path, &db);
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
}

/* Tables made by somebody who keeps to no CHECK. */
static void test_untrusted(void)
{
	static const char *const harms[] = {
		"DROP TABLE run; CREATE TABLE run(id, trace, model, params, seed, rep);"
		"INSERT INTO run VALUES(1, 1, NULL, '{}', 1, 0)",
		"DROP TABLE run; CREATE TABLE run(id, trace, model, params, seed, rep);"
		"INSERT INTO run VALUES(1, 1, 'slub', '{', 1, 0)",
		"DROP TABLE metric; CREATE TABLE metric(run, name, unit, value, timing);"
		"INSERT INTO metric VALUES(1, 'x', 'y', 1.0, 5)",
		"DROP TABLE hist",
		"DROP TABLE trace_fact; CREATE TABLE trace_fact(trace, key, value);"
		"INSERT INTO trace_fact VALUES(1, NULL, NULL)",
		"DROP TABLE trace; CREATE TABLE trace(id, uuid, path); INSERT INTO trace "
		"VALUES(1, NULL, NULL)",
	};
	struct km_merge merged = {false, 0, 0, 0};
	struct km_result *to = make("to.kmr", "uuid-1", "100");

	for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
		make_one("b.kmr", &first);
		alter("b.kmr", harms[i]);
		TAP_OK(merge(to, "b.kmr", &merged) < 0 && err.text[0], "%s", err.text);
	}
	TAP_EQ(count(to, "SELECT count(*) FROM run"), 0, "nothing was added");
	make_one("b.kmr", &first);
	alter("b.kmr", "DROP TABLE failure");
	TAP_EQ(merge(to, "b.kmr", &merged), 0, "an older file needs no table of failures");
	km_result_close(to, NULL);
}

int main(void)
{
	static char directory[] = "/tmp/kmlab-merge-XXXXXX";
	char command[64];

	if (!mkdtemp(directory) || chdir(directory))
		TAP_SKIP_ALL("no temporary directory");
	test_merging();
	test_refusals();
	test_failures();
	test_untrusted();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) == 0 ? tap_done() : 1;
}
