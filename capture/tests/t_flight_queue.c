/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one thread holds of a list stays as it was, whatever the other appends and drops; everything
 * is freed in the end (the sanitizers look). And the numbers of traces that follow one another.
 */
#include "capture/flight_queue.h"
#include "capture/job.h"
#include "capture/trace_file.h"
#include "engine/tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEMS 2000u

static void append(struct km_kept_list *list, uint64_t time_ns)
{
	struct km_kept *kept = km_kept_new(KM_KEPT_EVENTS, time_ns, sizeof(time_ns));

	memcpy(kept->payload, &time_ns, sizeof(time_ns));
	km_kept_append(list, kept);
}

/* How many items there are, if they are numbered from the first on, and hold what they should. */
static unsigned walk(struct km_kept_range *range)
{
	uint64_t expected = range->first ? range->first->time_ns : 0, payload;
	unsigned n = 0;

	for (; range->first; km_kept_advance(range), n++) {
		memcpy(&payload, range->first->payload, sizeof(payload));
		if (range->first->time_ns != expected + n || payload != expected + n)
			return 0;
	}
	return n;
}

static int walk_twice(void *context, struct km_err *err)
{
	struct km_kept_range *ranges = context;
	unsigned first = walk(&ranges[0]), second = walk(&ranges[1]);

	return km_fail(err, first == ITEMS && second == ITEMS / 2 ? 0 : -EPROTO, "%u and %u items",
		       first, second);
}

static void test_held_while_dropped(void)
{
	struct km_kept_list list = {NULL, NULL, 0};
	struct km_kept_range ranges[2];
	struct km_job job;
	struct km_err err = {""};

	for (unsigned i = 0; i < ITEMS; i++)
		append(&list, i);
	TAP_EQ(list.bytes, ITEMS * (sizeof(struct km_kept) + sizeof(uint64_t)),
	       "a list knows its bytes");
	ranges[0] = km_kept_hold(&list);
	for (unsigned i = 0; i < ITEMS / 2; i++)
		km_kept_drop(&list);
	ranges[1] = km_kept_hold(&list);
	km_job_begin(&job, walk_twice, ranges);
	for (unsigned i = 0; i < ITEMS; i++) {
		append(&list, ITEMS + i);
		km_kept_drop(&list);
	}
	TAP_EQ(km_job_wait(&job, &err), 0, "another thread sees what it held, and no more");
	TAP_EQ(list.first->time_ns, ITEMS + ITEMS / 2, "the list went on");
	ranges[0] = km_kept_hold(&list);
	km_kept_drop_all(&list);
	TAP_OK(!list.first && !list.last && !list.bytes, "all dropped: it is empty");
	TAP_EQ(walk(&ranges[0]), ITEMS / 2, "and what is held is still there");
	append(&list, 1);
	TAP_EQ(list.first->time_ns, 1, "an emptied list begins anew");
	km_kept_drop_all(&list);
}

static void test_released(void)
{
	struct km_kept_list list = {NULL, NULL, 0};
	struct km_snapshot snapshot = {.count = 1};
	struct km_kept_range range = km_kept_hold(&list);

	TAP_OK(!range.first, "nothing is held of an empty list");
	snapshot.texts[0] = (struct km_snapshot_text){"/proc/text", strdup("text"), 4};
	km_kept_append(&list, km_kept_snapshot(KM_KEPT_MACHINE, 1, &snapshot));
	TAP_EQ(snapshot.count, 0, "a snapshot is taken over");
	append(&list, 2);
	range = km_kept_hold(&list);
	km_kept_drop_all(&list);
	TAP_EQ(strcmp(range.first->snapshot.texts[0].text, "text"), 0, "and kept as it is");
	km_kept_release(&range);
	TAP_OK(!range.first, "what is released is gone");
}

static void touch(const char *output, unsigned number)
{
	char *path = km_numbered_path(output, number);

	close(open(path, O_CREAT | O_WRONLY, 0600));
	free(path);
}

static void test_numbers(void)
{
	char dir[] = "/tmp/kmlab-numbers.XXXXXX", output[64], *path;

	if (!mkdtemp(dir) || chdir(dir))
		exit(1);
	path = km_numbered_path("day.kmt", 12);
	TAP_EQ(strcmp(path, "day.12.kmt"), 0, "the number goes before .kmt");
	free(path);
	path = km_numbered_path("a.kmt/day", 1);
	TAP_EQ(strcmp(path, "a.kmt/day.1"), 0, "or to the end");
	free(path);
	TAP_EQ(km_numbered_last("day.kmt"), 0, "there is none yet");
	touch("day.kmt", 2);
	touch("day.kmt", 10);
	touch("other.kmt", 99);
	touch("day.x.kmt", 77);
	close(open("day.11.kmt.old", O_CREAT | O_WRONLY, 0600));
	TAP_EQ(km_numbered_last("day.kmt"), 10, "the highest number of those called so");
	snprintf(output, sizeof(output), "%s/day.kmt", dir);
	TAP_EQ(km_numbered_last(output), 10, "in any directory");
	TAP_EQ(km_numbered_last("/no/such/day.kmt"), 0, "that is there");
	unlink("day.2.kmt");
	unlink("day.10.kmt");
	unlink("other.99.kmt");
	unlink("day.x.77.kmt");
	unlink("day.11.kmt.old");
	rmdir(dir);
}

int main(void)
{
	test_held_while_dropped();
	test_released();
	test_numbers();
	return tap_done();
}
