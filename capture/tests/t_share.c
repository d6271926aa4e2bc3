/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's share of one CPU, on a clock of the test's own: what it owes, and never too much. Then
 * the real thing: the thread's priority as the kernel has it.
 */
#include "capture/privilege.h"
#include "engine/tests/tap.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define START (77 * MS) /* clocks do not begin at zero */
#define CPU (5 * MS)

static void test_one_window(void)
{
	struct km_share share = {.percent = 70};

	km_share_begin(&share, START, CPU);
	TAP_EQ(km_share_owed_ns(&share, START + 35 * MS, CPU + 35 * MS), 0,
	       "all of its share at once is within it");
	TAP_EQ(km_share_owed_ns(&share, START + 42 * MS, CPU + 42 * MS), 18 * MS,
	       "42 ms at 70 %% are worth 60 ms: 18 are owed");
	km_share_begin(&share, START + 60 * MS, CPU + 42 * MS);
	TAP_EQ(km_share_owed_ns(&share, START + 61 * MS, CPU + 43 * MS), 0,
	       "after standing back it may go on");
	share.percent = 50;
	km_share_begin(&share, START, CPU);
	TAP_EQ(km_share_owed_ns(&share, START + 300 * MS, CPU + 300 * MS), 300 * MS,
	       "one long round at 50 %% is paid back whole");
}

static void test_idle_is_no_credit(void)
{
	struct km_share share = {.percent = 70};

	km_share_begin(&share, START, CPU);
	TAP_EQ(km_share_owed_ns(&share, START + 1000 * MS, CPU + 1 * MS), 0, "a second of idling");
	TAP_EQ(km_share_owed_ns(&share, START + 1049 * MS, CPU + 50 * MS), 21 * MS,
	       "... is no credit for the next 49 ms");
}

/* Work in rounds of 2 ms, now and then a long one, and stand back as told. */
static void test_long_run(void)
{
	struct km_share share = {.percent = 70};
	uint64_t now = START, cpu = CPU, owed, worked;
	unsigned over = 0;

	km_share_begin(&share, now, cpu);
	for (unsigned round = 0; now < START + 60000 * MS; round++) {
		worked = round % 97 == 0 ? 80 * MS : 2 * MS;
		now += worked;
		cpu += worked;
		owed = km_share_owed_ns(&share, now, cpu);
		if (!owed)
			continue;
		now += owed;
		over += (cpu - share.cpu_began_ns) * 100 > 70 * (now - share.began_ns);
		km_share_begin(&share, now, cpu);
	}
	TAP_EQ(over, 0, "after standing back a window is never above the share");
	TAP_OK((cpu - CPU) * 100 <= 71 * (now - START) && (cpu - CPU) * 100 >= 65 * (now - START),
	       "a thread that always works gets its share of a minute: %.1f %%",
	       (double)(cpu - CPU) * 100 / (double)(now - START));
}

static int policy(void)
{
	return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
}

static int policy_of_child(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(policy());
	return child > 0 && waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1;
}

static void test_priority(void)
{
	const struct timespec pause = {.tv_nsec = 5 * MS};
	struct km_realtime realtime;
	int ret = km_realtime_begin(&realtime);

	if (ret) {
		TAP_OK(km_realtime_remedy(ret)[0] && policy() == SCHED_OTHER,
		       "real-time priority # SKIP not permitted here: %s", km_realtime_remedy(ret));
		return;
	}
	TAP_EQ(policy(), SCHED_FIFO, "real-time priority");
	TAP_EQ(policy_of_child(), SCHED_OTHER, "... that a child does not have");
	while (!realtime.stand_back_until_ns) /* work: some 40 ms */
		km_realtime_pace(&realtime);
	TAP_EQ(policy(), SCHED_OTHER, "past its share the thread is like any other");
	TAP_OK(realtime.stood_back_ns > 0, "which is told");
	while (realtime.stand_back_until_ns) {
		nanosleep(&pause, NULL);
		km_realtime_pace(&realtime);
	}
	TAP_EQ(policy(), SCHED_FIFO, "once it is even it has its priority again");
	km_realtime_end(&realtime);
	TAP_EQ(policy(), SCHED_OTHER, "at the end it gives it up");
	km_realtime_pace(&realtime);
	TAP_EQ(policy(), SCHED_OTHER, "for good");
}

/* The reason for a refusal is looked for in what the process may do. */
static void test_remedy(void)
{
	TAP_OK(*km_realtime_remedy(-EPERM) && *km_realtime_remedy(-EINVAL),
	       "every refusal has a remedy or a reason");
}

int main(void)
{
	test_one_window();
	test_idle_is_no_credit();
	test_long_run();
	test_priority();
	test_remedy();
	return tap_done();
}
