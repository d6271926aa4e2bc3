/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots come in order, each filled once, the last again and again; whoever of the two is slower,
 * longer than the other waits awake; on all CPUs and on one; and the ring can be left at any time.
 */
#include "engine/tests/tap.h"
#include "traces/read_ahead.h"

#include <sched.h>
#include <time.h>

#define SLOTS 4
#define LONG_NS (5 * (long)KM_AHEAD_AWAKE_NS / 2)

struct ring {
	unsigned values[SLOTS]; /* as filled; 0 is none */
	unsigned filled, last;  /* so far, in all */
	unsigned slow_from;     /* filling takes long for some from there on; 0: never */
};

static void pause_long(void)
{
	nanosleep(&(struct timespec){.tv_nsec = LONG_NS}, NULL);
}

static bool fill(void *context, size_t slot)
{
	struct ring *ring = context;

	ring->filled++;
	if (ring->slow_from && ring->filled >= ring->slow_from &&
	    ring->filled < ring->slow_from + 3)
		pause_long();
	ring->values[slot] = ring->filled;
	return ring->filled < ring->last;
}

/* How many slots of the ring come as they were filled; slow_at: working on that one takes long. */
static unsigned take_all(struct ring *ring, unsigned slow_at)
{
	struct km_read_ahead *ahead = km_read_ahead_new(SLOTS, fill, ring);
	unsigned right = 0;

	if (!ahead)
		exit(2);
	for (unsigned i = 1; i <= ring->last; i++) {
		size_t slot = km_read_ahead_next(ahead);

		if (i == slow_at)
			pause_long();
		right += slot < SLOTS && ring->values[slot] == i;
	}
	for (unsigned i = 0; i < 3; i++) {
		size_t slot = km_read_ahead_next(ahead);

		if (slot >= SLOTS || ring->values[slot] != ring->last)
			right = 0;
	}
	km_read_ahead_delete(ahead);
	return right;
}

static void check_order(const char *where)
{
	struct ring many = {.last = 20000}, late = {.last = 40, .slow_from = 1};
	struct ring stops = {.last = 40, .slow_from = 20}, full = {.last = 40}, one = {.last = 1};

	TAP_EQ(take_all(&many, 0), 20000, "%s: 20000 slots of 4", where);
	TAP_EQ(take_all(&late, 0), 40, "%s: the first come late", where);
	TAP_EQ(take_all(&stops, 0), 40, "%s: some in between come late", where);
	TAP_EQ(take_all(&full, 10), 40, "%s: the ring is full for long", where);
	TAP_EQ(take_all(&one, 0), 1, "%s: a single slot", where);
}

/* After so many of the slots. */
static void leave(unsigned after)
{
	struct ring ring = {.last = 1000};
	struct km_read_ahead *ahead = km_read_ahead_new(SLOTS, fill, &ring);

	for (unsigned i = 0; i < after; i++)
		km_read_ahead_next(ahead);
	km_read_ahead_delete(ahead);
	TAP_OK(ring.filled < after + SLOTS + 1, "left after %u: %u were filled", after,
	       ring.filled);
}

/* Only where it is made: there is nothing to keep apart, and nobody waits awake. */
static bool keep_to_one_cpu(void)
{
	int here = sched_getcpu();
	cpu_set_t one;

	if (here < 0 || here >= CPU_SETSIZE)
		return false;
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	return !sched_setaffinity(0, sizeof(one), &one);
}

int main(void)
{
	check_order("all CPUs");
	for (unsigned after = 0; after < 10; after += 3)
		leave(after);
	if (keep_to_one_cpu())
		check_order("one CPU");
	else
		TAP_OK(true, "one CPU # SKIP this process cannot choose where it runs");
	return tap_done();
}
