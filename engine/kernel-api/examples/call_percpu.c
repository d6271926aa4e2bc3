// SPDX-License-Identifier: GPL-2.0-only
/*
 * One copy of a variable for each CPU.
 */
#include <linux/module.h>
#include <linux/percpu.h>

static int __percpu *counters;

static int __init example_init(void)
{
	int cpu, sum = 0;

	counters = alloc_percpu(int);
	if (!counters)
		return -ENOMEM;
	for_each_possible_cpu(cpu) * per_cpu_ptr(counters, cpu) = cpu + 1;
	for_each_possible_cpu(cpu) sum += *per_cpu_ptr(counters, cpu);
	pr_info("sum %d\n", sum);
	return 0;
}

static void __exit example_exit(void)
{
	free_percpu(counters);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_percpu");
