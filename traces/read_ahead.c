/* SPDX-License-Identifier: GPL-2.0-only */
#include "read_ahead.h"
#include <pthread.h>
#include <stdlib.h>

struct km_read_ahead {
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	km_ahead_fill *fill;
	void *context;
	size_t slots;
	/* Slots so far: filled, asked for; a slot is used again for number + slots. */
	uint64_t nr_filled, nr_taken;
	bool filling_waits, taking_waits;
	bool ended; /* the last is filled */
	bool stop;
};

/* Of those that are filled, the one that was taken last is still being worked on. */
static size_t free_slots(const struct km_read_ahead *ahead)
{
	return ahead->slots - (size_t)(ahead->nr_filled - ahead->nr_taken) - (ahead->nr_taken > 0);
}

static void *run(void *argument)
{
	struct km_read_ahead *ahead = argument;

	pthread_mutex_lock(&ahead->lock);
	while (!ahead->stop && !ahead->ended) {
		bool last;

		if (!free_slots(ahead)) {
			ahead->filling_waits = true;
			while (!ahead->stop && free_slots(ahead) < ahead->slots / 2)
				pthread_cond_wait(&ahead->emptied, &ahead->lock);
			ahead->filling_waits = false;
			continue;
		}
		pthread_mutex_unlock(&ahead->lock);
		last = !ahead->fill(ahead->context, ahead->nr_filled % ahead->slots);
		pthread_mutex_lock(&ahead->lock);
		ahead->nr_filled++;
		ahead->ended = last;
		if (ahead->taking_waits &&
		    (last || ahead->nr_filled - ahead->nr_taken >= ahead->slots / 2))
			pthread_cond_signal(&ahead->filled);
	}
	pthread_mutex_unlock(&ahead->lock);
	return NULL;
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
	ahead->threaded = !pthread_create(&ahead->thread, NULL, run, ahead);
	return ahead;
}

void km_read_ahead_delete(struct km_read_ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->stop = true;
	pthread_cond_signal(&ahead->emptied);
	pthread_mutex_unlock(&ahead->lock);
	if (ahead->threaded)
		pthread_join(ahead->thread, NULL);
	pthread_cond_destroy(&ahead->emptied);
	pthread_cond_destroy(&ahead->filled);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}

/* Until there is a slot to take, or no more will come. */
static void wait_filled(struct km_read_ahead *ahead)
{
	if (ahead->nr_filled > ahead->nr_taken || ahead->ended)
		return;
	ahead->taking_waits = true;
	while (!ahead->ended && ahead->nr_filled - ahead->nr_taken < ahead->slots / 2)
		pthread_cond_wait(&ahead->filled, &ahead->lock);
	ahead->taking_waits = false;
}

size_t km_read_ahead_next(struct km_read_ahead *ahead)
{
	size_t slot;

	if (!ahead->threaded) {
		ahead->ended = ahead->ended || !ahead->fill(ahead->context, 0);
		return 0;
	}
	pthread_mutex_lock(&ahead->lock);
	wait_filled(ahead);
	ahead->nr_taken += ahead->nr_filled > ahead->nr_taken;
	if (ahead->filling_waits && free_slots(ahead) >= ahead->slots / 2)
		pthread_cond_signal(&ahead->emptied);
	slot = (size_t)((ahead->nr_taken - 1) % ahead->slots);
	pthread_mutex_unlock(&ahead->lock);
	return slot;
}
