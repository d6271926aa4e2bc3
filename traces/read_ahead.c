/* SPDX-License-Identifier: GPL-2.0-only */
#include "read_ahead.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct km_read_ahead {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t started, done;
	km_ahead_decode *decode;
	void *context;
	struct place {
		struct km_ahead_slot slot;
		bool waiting; /* for the thread, since */
		uint64_t since;
	} * places;
	size_t nr_places;
	uint64_t now; /* slots started so far */
	bool stop;
};

/* The slot that waits longest, or NULL. */
static struct place *oldest(struct km_read_ahead *ahead)
{
	struct place *found = NULL;

	for (size_t i = 0; i < ahead->nr_places; i++) {
		struct place *place = &ahead->places[i];

		if (place->waiting && (!found || place->since < found->since))
			found = place;
	}
	return found;
}

static void *run(void *argument)
{
	struct km_read_ahead *ahead = argument;

	pthread_mutex_lock(&ahead->lock);
	while (!ahead->stop) {
		struct place *place = oldest(ahead);

		if (!place) {
			pthread_cond_wait(&ahead->started, &ahead->lock);
			continue;
		}
		pthread_mutex_unlock(&ahead->lock);
		place->slot.code = ahead->decode(ahead->context, &place->slot);
		pthread_mutex_lock(&ahead->lock);
		place->waiting = false;
		pthread_cond_signal(&ahead->done);
	}
	pthread_mutex_unlock(&ahead->lock);
	return NULL;
}

static void release(struct km_read_ahead *ahead)
{
	for (size_t i = 0; i < ahead->nr_places; i++) {
		free(ahead->places[i].slot.bytes);
		km_decoded_free(&ahead->places[i].slot.decoded);
	}
	pthread_cond_destroy(&ahead->done);
	pthread_cond_destroy(&ahead->started);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead->places);
	free(ahead);
}

struct km_read_ahead *km_read_ahead_new(size_t slots, km_ahead_decode *decode, void *context)
{
	struct km_read_ahead *ahead = calloc(1, sizeof(*ahead));

	if (!ahead)
		return NULL;
	ahead->places = calloc(slots + 1, sizeof(*ahead->places));
	ahead->nr_places = ahead->places ? slots : 0;
	ahead->decode = decode;
	ahead->context = context;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->started, NULL);
	pthread_cond_init(&ahead->done, NULL);
	if (ahead->places && !pthread_create(&ahead->thread, NULL, run, ahead))
		return ahead;
	release(ahead);
	return NULL;
}

void km_read_ahead_delete(struct km_read_ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->stop = true;
	pthread_cond_signal(&ahead->started);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	release(ahead);
}

struct km_ahead_slot *km_read_ahead_wait(struct km_read_ahead *ahead, size_t slot)
{
	struct place *place = &ahead->places[slot];

	pthread_mutex_lock(&ahead->lock);
	while (place->waiting)
		pthread_cond_wait(&ahead->done, &ahead->lock);
	pthread_mutex_unlock(&ahead->lock);
	return &place->slot;
}

int km_ahead_reserve(struct km_ahead_slot *slot, size_t bytes)
{
	if (bytes <= slot->bytes_capacity)
		return 0;
	free(slot->bytes);
	slot->bytes_capacity = 0;
	slot->bytes = malloc(bytes);
	if (!slot->bytes)
		return -ENOMEM;
	slot->bytes_capacity = bytes;
	return 0;
}

void km_decoded_free(struct km_decoded *decoded)
{
	free(decoded->events);
	km_columns_free(&decoded->columns);
	*decoded = (struct km_decoded){0};
}

void km_read_ahead_start(struct km_read_ahead *ahead, size_t slot)
{
	struct place *place = &ahead->places[slot];

	pthread_mutex_lock(&ahead->lock);
	place->waiting = true;
	place->since = ahead->now++;
	pthread_cond_signal(&ahead->started);
	pthread_mutex_unlock(&ahead->lock);
}
