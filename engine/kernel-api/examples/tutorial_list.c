// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the style of a lesson on kernel lists: tasks are kept in a list of structures of their own,
 * and removed again on exit. Written as before module_init(), with the two fixed names.
 */
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

struct task_info {
	pid_t pid;
	unsigned long timestamp;
	atomic_t count;
	struct list_head list;
};

static struct list_head head;

static struct task_info *task_info_alloc(int pid)
{
	struct task_info *ti = kmalloc(sizeof(*ti), GFP_KERNEL);

	if (ti == NULL)
		return NULL;
	ti->pid = pid;
	ti->timestamp = jiffies;
	atomic_set(&ti->count, 0);
	return ti;
}

static void task_info_add_to_list(int pid)
{
	struct task_info *ti = task_info_alloc(pid);

	if (ti)
		list_add(&ti->list, &head);
}

static void task_info_purge_list(void)
{
	struct list_head *p, *q;
	struct task_info *ti;

	list_for_each_safe(p, q, &head)
	{
		ti = list_entry(p, struct task_info, list);
		list_del(p);
		kfree(ti);
	}
}

int init_module(void)
{
	struct task_info *ti;

	INIT_LIST_HEAD(&head);
	for (int i = 1; i <= 4; i++)
		task_info_add_to_list(current->pid + i);
	list_for_each_entry(ti, &head, list)
		printk(KERN_INFO "task %d of %s\n", ti->pid - current->pid, current->comm);
	return 0;
}

void cleanup_module(void)
{
	task_info_purge_list();
}

MODULE_LICENSE("GPL");
