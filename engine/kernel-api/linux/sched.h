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
#define THREAD_SIZE 16384UL
#define THREAD_ALIGN THREAD_SIZE
#define TASK_RUNNING 0
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2

#define _NSIG 64
#define _NSIG_WORDS 1
typedef struct {
	unsigned long sig[_NSIG_WORDS];
} sigset_t;
struct sigpending {
	struct list_head list;
	sigset_t signal;
};
struct task_struct {
	unsigned int __state;
	struct sigpending pending;
	sigset_t blocked, real_blocked;
	pid_t pid, tgid;
	int prio;
	char comm[TASK_COMM_LEN];
	struct list_head tasks;
	struct task_struct *parent, *real_parent, *group_leader;
	struct list_head children, sibling;
	struct mm_struct *mm;
	void *kmlab_thread;
};
/* The task that loads the module, its parent, and the two that are always there: a ring. */
#define KMLAB_TASK(name, number, text, parent_, prev_, next_)                                      \
	__attribute__((weak)) struct task_struct name = {                                          \
		.pid = number,                                                                     \
		.tgid = number,                                                                    \
		.prio = 120,                                                                       \
		.comm = text,                                                                      \
		.tasks = {&(next_).tasks, &(prev_).tasks},                                         \
		.parent = &(parent_),                                                              \
		.real_parent = &(parent_),                                                         \
		.group_leader = &name,                                                             \
		.children = {&name.children, &name.children},                                      \
		.sibling = {&name.sibling, &name.sibling}}
extern struct task_struct init_task, kmlab_init, kmlab_shell, kmlab_task;
KMLAB_TASK(init_task, 0, "swapper/0", init_task, kmlab_task, kmlab_init);
KMLAB_TASK(kmlab_init, 1, "init", init_task, init_task, kmlab_shell);
KMLAB_TASK(kmlab_shell, 4200, "bash", kmlab_init, kmlab_init, kmlab_task);
KMLAB_TASK(kmlab_task, 4242, "insmod", kmlab_shell, kmlab_shell, init_task);
#define next_task(task) list_entry((task)->tasks.next, struct task_struct, tasks)
#define for_each_process(task) for ((task) = &init_task; ((task) = next_task(task)) != &init_task;)
#define task_tgid_nr(task) ((task)->tgid)
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
