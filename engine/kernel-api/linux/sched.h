/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H

#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>

#define TASK_COMM_LEN 16
#define TASK_RUNNING 0
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2

struct task_struct {
	unsigned int __state;
	pid_t pid, tgid;
	int prio;
	char comm[TASK_COMM_LEN];
	struct list_head tasks;
	struct task_struct *parent;
	struct mm_struct *mm;
	void *kmlab_thread;
};
/* The task that loads the module. */
__attribute__((weak)) struct task_struct kmlab_task = {.pid = 4242, .tgid = 4242, .comm = "insmod"};
static inline struct task_struct *get_current(void)
{
	struct task_struct *self = kmlab_api->thread_self();

	return self ? self : &kmlab_task;
}
#define current get_current()
#define task_pid_nr(task) ((task)->pid)
#define get_task_comm(text, task) strscpy(text, (task)->comm, sizeof(text))
#define set_current_state(state) ((void)(state))
#define __set_current_state(state) ((void)(state))
#define signal_pending(task) 0
#define need_resched() 0
#define schedule() ((void)kmlab_api->sleep(KMLAB_SITE("schedule"), KMLAB_JIFFY_NS, 1))
#define schedule_timeout(timeout)                                                                  \
	(kmlab_api->sleep(KMLAB_SITE("schedule_timeout"), (timeout)*KMLAB_JIFFY_NS, 1), 0L)
#define schedule_timeout_interruptible schedule_timeout
#define schedule_timeout_uninterruptible schedule_timeout
#define cond_resched() (kmlab_api->do_might_sleep(KMLAB_SITE("cond_resched")), 0)
#define yield() schedule()
#define smp_processor_id() 0
#define raw_smp_processor_id() 0
#define get_cpu() (kmlab_api->enter(KMLAB_SITE("get_cpu"), KMLAB_PREEMPT_OFF, 0), 0)
#define put_cpu() kmlab_api->leave(KMLAB_SITE("put_cpu"), KMLAB_PREEMPT_OFF, 0)

#endif
