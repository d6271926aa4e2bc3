/* SPDX-License-Identifier: GPL-2.0-only */
/* The result file: what is written is read back; foreign, newer and damaged files are refused. */
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/tests/tap.h"
#include "results/result.h"
#include "rows.h"

static char directory[] = "/tmp/kmlab-result-XXXXXX";

static const char *in_directory(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int64_t add_run(struct km_result *result, unsigned rep, struct km_err *err)
{
	struct km_run_key key = {.model = "slub", .params = "{}", .seed = 1, .rep = rep};
	int64_t run = 0;

	if (km_result_add_trace(result, "uuid-1", "a.kmt", &key.trace, err) ||
	    km_result_add_run(result, &key, &run, err))
		return -1;
	return run;
}

static void test_round_trip(void)
{
	static struct km_hist hist, read_back;
	const uint64_t times[] = {0, 10, 20};
	const double values[] = {1, NAN, 3};
	struct km_result *result;
	struct km_err err = {""};
	struct km_measure measure;
	double value = 0;
	int64_t run;

	for (uint64_t v = 1; v < 100000; v = v * 3 / 2 + 1)
		km_hist_add_many(&hist, v, v % 7);
	TAP_EQ(km_result_create(in_directory("a.kmr"), &result, &err), 0, "create %s", err.text);
	run = add_run(result, 0, &err);
	TAP_OK(run > 0, "a run is added");
	TAP_EQ(km_result_metric(result, run, "pages.peak", "pages", 42.5, false, &err), 0,
	       "metric");
	TAP_EQ(km_result_note(result, run, "method", "three passes", &err), 0, "note");
	TAP_EQ(km_result_hist(result, run, "latency_ns.alloc", "ns", &hist, &err), 0, "histogram");
	TAP_EQ(km_result_series(result, run, "pages", "pages", 3, times, values, &err), 0,
	       "series");
	TAP_EQ(km_result_path(result, run, "slab_fast", 7, &err), 0, "path");
	TAP_EQ(km_result_close(result, &err), 0, "close");
	TAP_OK(access(in_directory("a.kmr-wal"), F_OK) != 0, "one plain file remains");
	TAP_EQ(km_result_open(in_directory("a.kmr"), &result, &err), 0, "open again");
	TAP_EQ(km_result_get_metric(result, run, "pages.peak", &value), 0, "the metric is there");
	TAP_OK(value == 42.5, "with its value");
	TAP_OK(!km_result_get_measure(result, run, "pages.peak", &measure) &&
		       measure.value == 42.5 && !strcmp(measure.unit, "pages") && !measure.timed,
	       "its unit, and that it is not timed");
	TAP_OK(km_result_get_metric(result, run, "pages.mean", &value) == -2,
	       "what was not measured is absent, not zero");
	TAP_OK(strcmp(km_result_get_note(result, run, "method"), "three passes") == 0, "the note");
	TAP_EQ(km_result_get_hist(result, run, "latency_ns.alloc", &read_back), 0, "the histogram");
	TAP_OK(memcmp(&hist, &read_back, sizeof(hist)) == 0, "whole, bucket for bucket");
	km_result_close(result, NULL);
}

static void test_replacing(void)
{
	struct km_result *result;
	struct km_err err = {""};
	int64_t run;

	km_result_create(in_directory("a.kmr"), &result, &err);
	run = add_run(result, 0, &err);
	TAP_EQ(count(result, "SELECT count(*) FROM run"), 1, "the same run again replaces the old");
	TAP_EQ(count(result, "SELECT count(*) FROM series"), 0, "with all that belonged to it");
	TAP_OK(add_run(result, 1, &err) != run, "another repetition is another run");
	TAP_EQ(count(result, "SELECT count(*) FROM trace"), 1, "of the same trace");
	km_result_close(result, NULL);
}

static void set_pragma(const char *name, const char *pragma)
{
	sqlite3 *db;

	sqlite3_open(in_directory(name), &db);
	sqlite3_exec(db, pragma, NULL, NULL, NULL);
	sqlite3_close(db);
}

static void test_failures(void)
{
	struct km_run_key key = {.model = "buddy", .params = "{}", .seed = 1};
	struct km_result *result;
	struct km_err err = {""};
	int64_t run = 0, found;
	const char *why;

	km_result_create(in_directory("failed.kmr"), &result, &err);
	TAP_EQ(km_result_find_trace(result, "uuid-1", &key.trace), -2, "there is no trace yet");
	km_result_add_trace(result, "uuid-1", "a.kmt", &key.trace, &err);
	TAP_OK(!km_result_find_trace(result, "uuid-1", &found) && found == key.trace,
	       "then it is found");
	TAP_OK(!km_result_get_failure(result, &key), "nothing failed yet");
	TAP_EQ(km_result_add_failure(result, &key, "it was not there", &err), 0, "a failure");
	why = km_result_get_failure(result, &key);
	TAP_OK(why && !strcmp(why, "it was not there"), "is remembered");
	TAP_EQ(km_result_find_run(result, &key, &found), -2, "it is no run");
	TAP_EQ(km_result_add_run(result, &key, &run, &err), 0, "then it can be made");
	TAP_OK(!km_result_find_run(result, &key, &found) && found == run, "and is found");
	TAP_OK(!km_result_get_failure(result, &key), "which ends the failure");
	km_result_close(result, NULL);
}

/* What an older kmlab wrote has no table of failures. */
static void test_older(void)
{
	struct km_run_key key = {.trace = 1, .model = "slub", .params = "{}"};
	struct km_result *result = NULL;
	struct km_err err = {""};

	km_result_create(in_directory("older.kmr"), &result, &err);
	add_run(result, 0, &err);
	km_result_close(result, NULL);
	set_pragma("older.kmr", "DROP TABLE failure");
	TAP_EQ(km_result_open(in_directory("older.kmr"), &result, &err), 0, "it is read");
	TAP_OK(!km_result_get_failure(result, &key), "and tells of no failure");
	km_result_close(result, NULL);
	TAP_EQ(km_result_create(in_directory("older.kmr"), &result, &err), 0, "it is added to");
	TAP_EQ(km_result_add_failure(result, &key, "no", &err), 0, "and gets what it lacks");
	TAP_EQ(count(result, "SELECT count(*) FROM run"), 1, "its runs stay");
	km_result_close(result, NULL);
}

static void test_transaction(void)
{
	struct km_result *result;
	struct km_err err = {""};

	km_result_create(in_directory("b.kmr"), &result, &err);
	km_result_begin(result, &err);
	add_run(result, 0, &err);
	km_result_rollback(result);
	TAP_EQ(count(result, "SELECT count(*) FROM run"), 0, "a run is there whole or not at all");
	km_result_close(result, NULL);
}

static void expect_refusal(const char *name, const char *part)
{
	struct km_result *result = NULL;
	struct km_err err = {""};

	TAP_OK(km_result_open(in_directory(name), &result, &err) < 0 && strstr(err.text, part),
	       "%s: %s", name, err.text);
	TAP_OK(km_result_create(in_directory(name), &result, &err) < 0 && strstr(err.text, part),
	       "%s is not written to either", name);
}

static void test_refusals(void)
{
	static const char junk[4096] = "this is not a database at all";
	struct km_result *result = NULL;
	struct km_err err = {""};
	int fd = open(in_directory("junk.kmr"), O_WRONLY | O_CREAT, 0600);

	TAP_OK(write(fd, junk, sizeof(junk)) == (ssize_t)sizeof(junk), "junk is written");
	close(fd);
	expect_refusal("junk.kmr", "not a readable result file");
	set_pragma("foreign.kmr", "CREATE TABLE t(x); PRAGMA application_id=7");
	expect_refusal("foreign.kmr", "is not a kmlab result file");
	km_result_create(in_directory("newer.kmr"), &result, &err);
	km_result_close(result, NULL);
	set_pragma("newer.kmr", "PRAGMA user_version=99");
	expect_refusal("newer.kmr", "result format 99");
	km_result_create(in_directory("short.kmr"), &result, &err);
	km_result_close(result, NULL);
	TAP_EQ(truncate(in_directory("short.kmr"), 5000), 0, "a file is cut");
	expect_refusal("short.kmr", "not a readable result file");
	TAP_OK(km_result_open(in_directory("none.kmr"), &result, &err) == -2, "%s", err.text);
	TAP_OK(km_result_create("/nonexistent/x.kmr", &result, &err) < 0, "%s", err.text);
}

static void test_disk_full(void)
{
	struct km_result *result;
	struct km_err err = {""};
	char *large = malloc(1 << 20);
	int64_t run;
	int code = 0;

	memset(large, 'x', 1 << 20);
	large[(1 << 20) - 1] = '\0';
	km_result_create(in_directory("full.kmr"), &result, &err);
	run = add_run(result, 0, &err);
	sqlite3_exec(km_result_db(result), "PRAGMA max_page_count=100", NULL, NULL, NULL);
	code = km_result_note(result, run, "method", large, &err);
	TAP_OK(code < 0 && strstr(err.text, "no space left"), "%s", err.text);
	TAP_EQ(count(result, "SELECT count(*) FROM run"), 1, "what was stored stays");
	km_result_close(result, NULL);
	free(large);
}

static void test_not_plain(void)
{
	struct km_result *result = NULL;
	struct km_err err = {""};
	struct stat status;
	int fd = open(in_directory("empty.kmr"), O_WRONLY | O_CREAT, 0600);

	close(fd);
	TAP_EQ(mkfifo(in_directory("pipe"), 0600), 0, "a pipe is made");
	TAP_OK(km_result_create(in_directory("pipe"), &result, &err) < 0 &&
		       strstr(err.text, "is not a plain file"),
	       "%s", err.text);
	TAP_OK(stat(in_directory("pipe"), &status) == 0 && S_ISFIFO(status.st_mode),
	       "it is still there");
	TAP_EQ(km_result_create(in_directory("empty.kmr"), &result, &err), 0,
	       "an empty file may be filled");
	km_result_close(result, NULL);
}

static void test_damaged(void)
{
	struct km_result *result = NULL;
	struct km_err err = {""};
	char junk[20000];
	int64_t run;
	int fd;

	km_result_create(in_directory("damaged.kmr"), &result, &err);
	run = add_run(result, 0, &err);
	memset(junk, 'x', sizeof(junk));
	junk[sizeof(junk) - 1] = '\0';
	for (unsigned i = 0; i < 9; i++) {
		char name[] = {'n', (char)('0' + i), '\0'};

		km_result_note(result, run, name, junk, &err);
	}
	km_result_close(result, NULL);
	fd = open(in_directory("damaged.kmr"), O_WRONLY);
	TAP_OK(pwrite(fd, junk, sizeof(junk), 60000) == (ssize_t)sizeof(junk),
	       "its middle is spoilt");
	close(fd);
	TAP_OK(km_result_create(in_directory("damaged.kmr"), &result, &err) < 0 &&
		       strstr(err.text, "is damaged"),
	       "%s", err.text);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		TAP_SKIP_ALL("no temporary directory");
	test_round_trip();
	test_replacing();
	test_failures();
	test_older();
	test_transaction();
	test_refusals();
	test_disk_full();
	test_not_plain();
	test_damaged();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) == 0 ? tap_done() : 1;
}
