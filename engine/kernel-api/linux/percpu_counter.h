/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A count of which every CPU has a part (lib/percpu_counter.c): an s32 per CPU by
 * alloc_percpu_gfp(), added to the whole when it reaches the batch. With one CPU Linux keeps the
 * whole alone; here there are always parts.
 */
#ifndef _LINUX_PERCPU_COUNTER_H
#define _LINUX_PERCPU_COUNTER_H

#include <linux/percpu.h>
#include <linux/spinlock.h>

struct percpu_counter {
	raw_spinlock_t lock;
	s64 count;
	struct list_head list;
	s32 __percpu *counters;
};
#define percpu_counter_batch ((s32)max(32u, 2 * num_online_cpus()))

static inline int kmlab_counter_init(const struct kmlab_site *site, struct percpu_counter *counter,
				     s64 amount, gfp_t gfp, u32 number)
{
	s32 *parts;

	/* Several counters take their parts in one piece. */
	parts = kmlab_api->percpu_alloc(site, number * sizeof(*parts), sizeof(*parts), gfp);
	if (!parts)
		return -ENOMEM;
	for (u32 i = 0; i < number; i++) {
		raw_spin_lock_init(&counter[i].lock);
		counter[i].count = amount;
		counter[i].counters = parts + i;
	}
	return 0;
}
#define percpu_counter_init(counter, amount, gfp)                                                  \
	kmlab_counter_init(KMLAB_SITE("percpu_counter_init"), counter, amount, gfp, 1)
#define percpu_counter_init_many(counter, amount, gfp, number)                                     \
	kmlab_counter_init(KMLAB_SITE("percpu_counter_init_many"), counter, amount, gfp, number)
static inline void kmlab_counter_destroy(const struct kmlab_site *site,
					 struct percpu_counter *counter, u32 number)
{
	if (counter->counters)
		kmlab_api->percpu_free(site, counter->counters);
	for (u32 i = 0; i < number; i++)
		counter[i].counters = NULL;
}
#define percpu_counter_destroy(counter)                                                            \
	kmlab_counter_destroy(KMLAB_SITE("percpu_counter_destroy"), counter, 1)
#define percpu_counter_destroy_many(counter, number)                                               \
	kmlab_counter_destroy(KMLAB_SITE("percpu_counter_destroy_many"), counter, number)

static inline void percpu_counter_add_batch(struct percpu_counter *counter, s64 amount, s32 batch)
{
	s64 part = *this_cpu_ptr(counter->counters) + amount;

	if (part >= batch || part <= -batch) {
		counter->count += part;
		part = 0;
	}
	*this_cpu_ptr(counter->counters) = (s32)part;
}
static inline void percpu_counter_add(struct percpu_counter *counter, s64 amount)
{
	percpu_counter_add_batch(counter, amount, percpu_counter_batch);
}
#define percpu_counter_add_local percpu_counter_add
#define percpu_counter_sub(counter, amount) percpu_counter_add(counter, -(amount))
#define percpu_counter_inc(counter) percpu_counter_add(counter, 1)
#define percpu_counter_dec(counter) percpu_counter_add(counter, -1)
static inline s64 percpu_counter_sum(struct percpu_counter *counter)
{
	s64 sum = counter->count;
	unsigned int cpu;

	for_each_online_cpu(cpu) sum += *per_cpu_ptr(counter->counters, cpu);
	return sum;
}
#define __percpu_counter_sum percpu_counter_sum
#define percpu_counter_sum_positive(counter) max(percpu_counter_sum(counter), (s64)0)
#define percpu_counter_read(counter) ((counter)->count)
#define percpu_counter_read_positive(counter) max((counter)->count, (s64)0)
#define percpu_counter_initialized(counter) ((counter)->counters != NULL)
static inline void percpu_counter_set(struct percpu_counter *counter, s64 amount)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) * per_cpu_ptr(counter->counters, cpu) = 0;
	counter->count = amount;
}
static inline int percpu_counter_compare(struct percpu_counter *counter, s64 value)
{
	s64 sum = percpu_counter_sum(counter);

	return (sum > value) - (sum < value);
}

#endif
