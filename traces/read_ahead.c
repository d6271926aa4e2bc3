/* SPDX-License-Identifier: GPL-2.0-only */
#include "read_ahead.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

struct km_read_ahead {
	pthread_t thread;
	bool threaded;
	cpu_set_t apart; /* where the thread may run; none: anywhere */
	km_ahead_fill *fill;
	void *context;
	size_t slots;
	/* Slots so far: filled, asked for; a slot is used again for number + slots. Atomic. */
	uint64_t nr_filled, nr_taken;
	bool ended; /* the last is filled; atomic */
	bool stop;  /* atomic */
	/*
	 * Who cannot go on says so under the lock, looks again, and waits; who made something
	 * possible looks whether the other waits, and signals under the lock. All of it is in one
	 * order (seq_cst), so that one of them sees the other.
	 */
	bool filling_waits, taking_waits;
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
};

#define load(at) __atomic_load_n((at), __ATOMIC_SEQ_CST)
#define store(at, value) __atomic_store_n((at), (value), __ATOMIC_SEQ_CST)

static void wake(struct km_read_ahead *ahead, const bool *waits, pthread_cond_t *cond)
{
	if (!load(waits))
		return;
	pthread_mutex_lock(&ahead->lock);
	pthread_cond_signal(cond);
	pthread_mutex_unlock(&ahead->lock);
}

/* ---- filling ---- */

/* Of those that are filled, the one that was taken last is still being worked on. */
static size_t free_slots(const struct km_read_ahead *ahead)
{
	uint64_t taken = load(&ahead->nr_taken);

	return ahead->slots - (size_t)(load(&ahead->nr_filled) - taken) - (taken > 0);
}

/* Until half of the slots are free, so that it is not for each of them. */
static void wait_emptied(struct km_read_ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	store(&ahead->filling_waits, true);
	while (!load(&ahead->stop) && free_slots(ahead) < ahead->slots / 2)
		pthread_cond_wait(&ahead->emptied, &ahead->lock);
	store(&ahead->filling_waits, false);
	pthread_mutex_unlock(&ahead->lock);
}

static void *run(void *argument)
{
	struct km_read_ahead *ahead = argument;
	bool last = false;

	while (!last && !load(&ahead->stop)) {
		if (!free_slots(ahead)) {
			wait_emptied(ahead);
			continue;
		}
		last = !ahead->fill(ahead->context, ahead->nr_filled % ahead->slots);
		store(&ahead->nr_filled, ahead->nr_filled + 1);
		store(&ahead->ended, last);
		wake(ahead, &ahead->taking_waits, &ahead->filled);
	}
	return NULL;
}

/* ---- taking ---- */

static bool is_filled(const struct km_read_ahead *ahead)
{
	return load(&ahead->nr_filled) > load(&ahead->nr_taken) || load(&ahead->ended);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Until there is a slot to take, or no more will come; not for long. False: not yet. */
static bool wait_awake(const struct km_read_ahead *ahead)
{
	const uint64_t end_ns = now_ns() + KM_AHEAD_AWAKE_NS;

	while (!is_filled(ahead)) {
		if (now_ns() > end_ns)
			return false;
		sched_yield(); /* what else is to run here may keep the thread from its CPU */
	}
	return true;
}

static void wait_filled(struct km_read_ahead *ahead)
{
	if (is_filled(ahead) || (CPU_COUNT(&ahead->apart) && wait_awake(ahead)))
		return;
	pthread_mutex_lock(&ahead->lock);
	store(&ahead->taking_waits, true);
	while (!is_filled(ahead))
		pthread_cond_wait(&ahead->filled, &ahead->lock);
	store(&ahead->taking_waits, false);
	pthread_mutex_unlock(&ahead->lock);
}

size_t km_read_ahead_next(struct km_read_ahead *ahead)
{
	uint64_t taken = ahead->nr_taken;

	if (!ahead->threaded) {
		ahead->ended = ahead->ended || !ahead->fill(ahead->context, 0);
		return 0;
	}
	wait_filled(ahead);
	taken += load(&ahead->nr_filled) > taken;
	store(&ahead->nr_taken, taken);
	if (free_slots(ahead) >= ahead->slots / 2)
		wake(ahead, &ahead->filling_waits, &ahead->emptied);
	return (size_t)((taken - 1) % ahead->slots);
}

/* ---- life ---- */

/*
 * Where a thread wakes another, the scheduler likes to have both on one CPU, by turns, beside one
 * that idles; of a virtual machine above all, whose idle CPUs seem taken. So the thread keeps off
 * the CPU that it is made on, and who takes waits awake. False: it was not made.
 */
static bool start_apart(struct km_read_ahead *ahead)
{
	pthread_attr_t attributes;
	int here = sched_getcpu();
	bool started;

	if (here < 0 || here >= CPU_SETSIZE ||
	    pthread_getaffinity_np(pthread_self(), sizeof(ahead->apart), &ahead->apart))
		CPU_ZERO(&ahead->apart);
	else
		CPU_CLR(here, &ahead->apart);
	if (!CPU_COUNT(&ahead->apart) || pthread_attr_init(&attributes))
		return false;
	started = !pthread_attr_setaffinity_np(&attributes, sizeof(ahead->apart), &ahead->apart) &&
		  !pthread_create(&ahead->thread, &attributes, run, ahead);
	pthread_attr_destroy(&attributes);
	return started;
}

static bool start_anywhere(struct km_read_ahead *ahead)
{
	CPU_ZERO(&ahead->apart);
	return !pthread_create(&ahead->thread, NULL, run, ahead);
}

struct km_read_ahead *km_read_ahead_new(size_t slots, km_ahead_fill *fill, void *context)
{
	struct km_read_ahead *ahead = calloc(1, sizeof(*ahead));

	if (!ahead)
		return NULL;
	ahead->slots = slots;
	ahead->fill = fill;
	ahead->context = context;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->filled, NULL);
	pthread_cond_init(&ahead->emptied, NULL);
	ahead->threaded = start_apart(ahead) || start_anywhere(ahead);
	return ahead;
}

void km_read_ahead_delete(struct km_read_ahead *ahead)
{
	if (!ahead)
		return;
	store(&ahead->stop, true);
	wake(ahead, &ahead->filling_waits, &ahead->emptied);
	if (ahead->threaded)
		pthread_join(ahead->thread, NULL);
	pthread_cond_destroy(&ahead->emptied);
	pthread_cond_destroy(&ahead->filled);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}
