// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_ATOMIC never sleeps and may use a part of the reserve: for interrupt handlers, and for code
 * that holds a spinlock. It fails sooner than GFP_KERNEL, so the result must be checked.
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);
static void *held;

static irqreturn_t handler(int irq, void *device)
{
	void *p = kmalloc(64, GFP_ATOMIC);

	pr_info("in an interrupt: %d, allocated: %d\n", in_interrupt() != 0, p != NULL);
	kfree(p);
	return IRQ_HANDLED;
}

static int __init example_init(void)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	held = kmalloc(256, GFP_ATOMIC);
	spin_unlock_irqrestore(&lock, flags);
	if (!held)
		return -ENOMEM;
	return request_irq(9, handler, IRQF_SHARED, "example", &lock);
}

static void __exit example_exit(void)
{
	free_irq(9, &lock);
	kfree(held);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_atomic");
