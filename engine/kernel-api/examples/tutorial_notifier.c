// SPDX-License-Identifier: GPL-2.0-only
/*
 * A chain of notifiers (kernel/notifier.c), called from the highest priority down until one stops
 * it; a tasklet that completes what a thread waits for; a static key; a bitmap of free numbers.
 */
#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/jump_label.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/notifier.h>

static BLOCKING_NOTIFIER_HEAD(chain);
static DEFINE_STATIC_KEY_FALSE(verbose);
static DECLARE_COMPLETION(done);
static unsigned long *numbers;
static struct task_struct *waiter;

static int told(struct notifier_block *nb, unsigned long action, void *data)
{
	int *calls = data;

	++*calls;
	if (static_branch_unlikely(&verbose))
		pr_info("priority %d, action %lu\n", nb->priority, action);
	return nb->priority == 1 ? NOTIFY_STOP : NOTIFY_OK;
}
static struct notifier_block blocks[3] = {
	{.notifier_call = told, .priority = 0},
	{.notifier_call = told, .priority = 9},
	{.notifier_call = told, .priority = 1},
};

static void finish(struct tasklet_struct *unused)
{
	complete(&done);
}
static DECLARE_TASKLET(tasklet, finish);

static int wait(void *unused)
{
	wait_for_completion(&done);
	pr_info("completed\n");
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

static int __init example_init(void)
{
	int calls = 0, number;

	numbers = bitmap_zalloc(100, GFP_KERNEL);
	if (!numbers)
		return -ENOMEM;
	bitmap_set(numbers, 0, 3);
	number = bitmap_find_free_region(numbers, 100, 2);
	waiter = kthread_run(wait, NULL, "example");
	if (IS_ERR(waiter)) {
		bitmap_free(numbers);
		return PTR_ERR(waiter);
	}
	for (int i = 0; i < 3; i++)
		blocking_notifier_chain_register(&chain, &blocks[i]);
	static_branch_enable(&verbose);
	blocking_notifier_call_chain(&chain, 7, &calls);
	static_branch_disable(&verbose);
	pr_info("%d calls, numbers from %d, %u taken\n", calls, number,
		bitmap_weight(numbers, 100));
	tasklet_schedule(&tasklet);
	return 0;
}

static void __exit example_exit(void)
{
	kthread_stop(waiter);
	tasklet_kill(&tasklet);
	for (int i = 0; i < 3; i++)
		blocking_notifier_chain_unregister(&chain, &blocks[i]);
	bitmap_free(numbers);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Notifiers, completions, static keys, bitmaps");
