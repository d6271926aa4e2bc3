/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads run when others sleep. */
#ifndef _LINUX_KTHREAD_H
#define _LINUX_KTHREAD_H

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/version.h>
#include <linux/wait.h>

static inline struct task_struct *kmlab_thread(const struct kmlab_site *site, int (*run)(void *),
					       void *data, bool start, const char *format, ...)
{
	char name[TASK_COMM_LEN];
	struct task_struct *task;
	va_list args;

	va_start(args, format);
	kmlab_api->vsnprintf(name, sizeof(name), format, &args);
	va_end(args);
	task = kmlab_api->thread_create(site, run, data, name);
	if (!task)
		return ERR_PTR(-ENOMEM);
	task->pid = task->tgid = 4242 + 1;
	strscpy(task->comm, name, sizeof(task->comm));
	if (start)
		kmlab_api->thread_wake(task);
	return task;
}
#define kthread_create(run, data, format, ...)                                                     \
	kmlab_thread(KMLAB_SITE("kthread_create"), run, data, false, format, ##__VA_ARGS__)
#define kthread_run(run, data, format, ...)                                                        \
	kmlab_thread(KMLAB_SITE("kthread_run"), run, data, true, format, ##__VA_ARGS__)
#define kthread_stop(task) kmlab_api->thread_stop(KMLAB_SITE("kthread_stop"), task)
#define kthread_should_stop() (kmlab_api->thread_should_stop() != 0)
#define kthread_bind(task, cpu) ((void)(task))
#define kthread_create_on_node(run, data, node, ...) kthread_create(run, data, __VA_ARGS__)
/* A thread that ends itself; do_exit() and complete_and_exit() up to 5.16. */
static inline __noreturn void kmlab_thread_end(long result)
{
	kmlab_api->thread_exit((int)result);
	__builtin_unreachable();
}
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 17, 0)
#define kthread_exit(result) kmlab_thread_end(result)
#define kthread_complete_and_exit(completion, result)                                              \
	((completion) ? complete(completion) : (void)0, kmlab_thread_end(result))
#else
#define do_exit(result) kmlab_thread_end(result)
#define complete_and_exit(completion, result)                                                      \
	((completion) ? complete(completion) : (void)0, kmlab_thread_end(result))
#endif

#endif
