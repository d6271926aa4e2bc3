/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which CPUs a shrink flushed, in which order (kernel-facts: B.7). The kernel has a worker on each
 * CPU that holds something do it, and whose turn comes first is timing: it is observed, at the
 * workers' own function. One that starts while another is at it waits for its end, so that there is
 * one order.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/processor.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "oracle.h"

static unsigned char *flushed; /* where the next CPU is put; NULL: nobody asks */
static unsigned int count;
static unsigned long busy;

static int begin(struct kretprobe_instance *instance, struct pt_regs *registers)
{
	if (!READ_ONCE(flushed))
		return 1;
	while (test_and_set_bit_lock(0, &busy))
		cpu_relax();
	if (count < ORACLE_CPUS_MAX)
		flushed[count++] = smp_processor_id();
	return 0;
}
NOKPROBE_SYMBOL(begin);

static int end(struct kretprobe_instance *instance, struct pt_regs *registers)
{
	clear_bit_unlock(0, &busy);
	return 0;
}
NOKPROBE_SYMBOL(end);

static struct kretprobe probe;

int oracle_flushes_init(void)
{
	static const char *const workers[] = {"flush_cpu_slab", "flush_cpu_sheaves" /* 7.0 */};
	int ret = -ENOENT;

	for (unsigned int i = 0; i < ARRAY_SIZE(workers) && ret; i++) {
		probe = (struct kretprobe){
			.kp.symbol_name = workers[i],
			.entry_handler = begin,
			.handler = end,
			.maxactive = ORACLE_CPUS_MAX,
		};
		ret = register_kretprobe(&probe);
	}
	if (ret)
		pr_err("kmlab_oracle: this kernel has no probe that shows the order of a shrink's "
		       "flushes: %d\n",
		       ret);
	return ret;
}

void oracle_flushes_exit(void)
{
	unregister_kretprobe(&probe);
}

void oracle_flushes_begin(unsigned char cpus[ORACLE_CPUS_MAX])
{
	count = 0;
	WRITE_ONCE(flushed, cpus);
}

unsigned int oracle_flushes_end(void)
{
	WRITE_ONCE(flushed, NULL);
	return count;
}
