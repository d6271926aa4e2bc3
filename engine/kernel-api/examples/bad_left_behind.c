// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that is gone must leave nothing: no timer, no interrupt, no cache, no thread.
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>

static struct timer_list timer;
static struct kmem_cache *cache;

static void expired(struct timer_list *unused)
{
	mod_timer(&timer, jiffies + HZ);
}

static irqreturn_t handler(int irq, void *device)
{
	return IRQ_HANDLED;
}

static int __init example_init(void)
{
	cache = kmem_cache_create("example_left", 32, 0, SLAB_NO_MERGE, NULL);
	timer_setup(&timer, expired, 0);
	mod_timer(&timer, jiffies + HZ / 2);
	return request_irq(6, handler, 0, "example", NULL);
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_left_behind");
