/* SPDX-License-Identifier: GPL-2.0-only */
#include "consumer.h"

#include <sched.h>
#include <time.h>

#include "results/term.h"

#define SPARE_PAUSE_NS 2000000
/* A crash loses no more than this, and what a full ring holds. */
#define OLD_NS 5000000000ull
/* In between the caller only tries; then it waits, and the thread inherits its priority. */
#define LOCK_NS 100000000ull

/* A batch at a time, so that whoever waits for the lock waits a fraction of a millisecond. */
static void *use_spare_time(void *argument)
{
	struct km_consumer *consumer = argument;
	const struct timespec pause = {.tv_nsec = SPARE_PAUSE_NS};
	const struct sched_param none = {0};
	size_t moved;
	bool more;

	sched_setscheduler(0, SCHED_IDLE, &none);
	while (!__atomic_load_n(&consumer->ended, __ATOMIC_ACQUIRE)) {
		pthread_mutex_lock(&consumer->lock);
		if (!consumer->ret)
			consumer->ret =
				km_drain_batch(consumer->drain, &moved, &more, &consumer->err);
		if (consumer->ret)
			more = false;
		else
			*consumer->events += moved;
		pthread_mutex_unlock(&consumer->lock);
		if (!more)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

void km_consumer_begin(struct km_consumer *consumer, struct km_drain *drain, uint64_t *events,
		       bool spare)
{
	pthread_mutexattr_t attributes;

	*consumer = (struct km_consumer){.drain = drain, .events = events};
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&consumer->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	consumer->threaded =
		spare && !pthread_create(&consumer->thread, NULL, use_spare_time, consumer);
}

int km_consumer_turn(struct km_consumer *consumer, uint64_t now_ns, bool *held, bool *more,
		     struct km_err *err)
{
	size_t moved = 0;
	int ret;

	*more = false;
	*held = false;
	consumer->pressed = !consumer->threaded ||
			    km_drain_pressed(consumer->drain, now_ns, OLD_NS, consumer->pressed);
	if (!consumer->pressed && now_ns - consumer->locked_ns < LOCK_NS) {
		if (pthread_mutex_trylock(&consumer->lock))
			return 0;
	} else {
		pthread_mutex_lock(&consumer->lock);
	}
	*held = true;
	consumer->locked_ns = now_ns;
	ret = consumer->ret;
	if (ret)
		*err = consumer->err;
	else if (consumer->pressed)
		ret = km_drain_some(consumer->drain, &moved, more, err);
	*consumer->events += moved;
	return ret;
}

void km_consumer_yield(struct km_consumer *consumer)
{
	pthread_mutex_unlock(&consumer->lock);
}

int km_consumer_end(struct km_consumer *consumer, struct km_err *err)
{
	if (consumer->threaded) {
		__atomic_store_n(&consumer->ended, true, __ATOMIC_RELEASE);
		pthread_join(consumer->thread, NULL);
		consumer->threaded = false;
	}
	pthread_mutex_destroy(&consumer->lock);
	if (consumer->ret)
		*err = consumer->err;
	return consumer->ret;
}
