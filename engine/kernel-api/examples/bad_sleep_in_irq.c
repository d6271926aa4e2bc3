// SPDX-License-Identifier: GPL-2.0-only
/*
 * An interrupt handler must not sleep: neither with GFP_KERNEL nor in msleep().
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>

static irqreturn_t handler(int irq, void *device)
{
	void *p = kmalloc(64, GFP_KERNEL);

	msleep(10);
	kfree(p);
	return IRQ_HANDLED;
}

static int __init example_init(void)
{
	return request_irq(5, handler, 0, "example", NULL);
}

static void __exit example_exit(void)
{
	free_irq(5, NULL);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_sleep_in_irq");
