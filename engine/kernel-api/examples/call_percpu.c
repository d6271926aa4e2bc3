// SPDX-License-Identifier: GPL-2.0-only
/*
 * One copy of a variable for each CPU (mm/percpu.c). alloc_percpu() takes a place in the kernel's
 * chunk, where each CPU has a unit: no slab object, and at most 32 KiB. Static variables are in the
 * module's own per-CPU section. percpu_counter_init() takes one s32 per CPU.
 */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>

struct sums {
	u64 bytes;
	u32 packets;
};
static struct sums __percpu *sums;
static int __percpu *counters;
static struct percpu_counter total;
static DEFINE_PER_CPU(int, calls);

static int __init example_init(void)
{
	int cpu, sum = 0;

	counters = alloc_percpu(int);
	sums = __alloc_percpu_gfp(sizeof(*sums), __alignof__(*sums), GFP_KERNEL);
	if (!counters || !sums || percpu_counter_init(&total, 5, GFP_KERNEL))
		return -ENOMEM;
	for_each_possible_cpu(cpu)
	{
		*per_cpu_ptr(counters, cpu) = cpu + 1;
		per_cpu_ptr(sums, cpu)->bytes = 100 * cpu;
		per_cpu(calls, cpu) = 10;
	}
	this_cpu_inc(calls);
	this_cpu_add(sums->packets, 3);
	percpu_counter_add(&total, 7);
	for_each_possible_cpu(cpu) sum += *per_cpu_ptr(counters, cpu) + per_cpu(calls, cpu);
	pr_info("sum %d, packets %u, total read %lld, sum %lld\n", sum,
		this_cpu_read(sums->packets), percpu_counter_read(&total),
		percpu_counter_sum(&total));
	return 0;
}

static void __exit example_exit(void)
{
	percpu_counter_destroy(&total);
	free_percpu(sums);
	free_percpu(counters);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_percpu");
