/* SPDX-License-Identifier: GPL-2.0-only */
/* Work runs in process context, after what is running now. */
#ifndef _LINUX_WORKQUEUE_H
#define _LINUX_WORKQUEUE_H

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct workqueue_struct;
struct work_struct {
	void (*func)(struct work_struct *);
	unsigned long data;
};
typedef void (*work_func_t)(struct work_struct *);
struct delayed_work {
	struct work_struct work;
};
#define WQ_UNBOUND 0x2
#define WQ_HIGHPRI 0x10
#define WQ_MEM_RECLAIM 0x8
#define WQ_FREEZABLE 0x4
#define system_wq ((struct workqueue_struct *)8)
#define system_unbound_wq system_wq
#define system_long_wq system_wq
#define system_highpri_wq system_wq
#define system_percpu_wq system_wq

#define INIT_WORK(work, function) ((void)((work)->func = (function)))
#define INIT_DELAYED_WORK(delayed, function) ((void)((delayed)->work.func = (function)))
#define INIT_WORK_ONSTACK INIT_WORK
#define DECLARE_WORK(name, function) struct work_struct name = {.func = function}
#define DECLARE_DELAYED_WORK(name, function) struct delayed_work name = {.work.func = function}
#define to_delayed_work(work_) container_of(work_, struct delayed_work, work)

static inline void kmlab_work_run(void *object)
{
	struct work_struct *work = object;

	work->func(work);
}
#define KMLAB_QUEUE(name, work, delay)                                                             \
	(kmlab_api->defer(KMLAB_SITE(name), KMLAB_WORK, work, kmlab_work_run,                      \
			  (delay)*KMLAB_JIFFY_NS) != 0)
#define schedule_work(work) KMLAB_QUEUE("schedule_work", work, 0)
#define queue_work(queue, work) ((void)(queue), KMLAB_QUEUE("queue_work", work, 0))
#define queue_work_on(cpu, queue, work) queue_work(queue, work)
#define schedule_delayed_work(delayed, delay)                                                      \
	KMLAB_QUEUE("schedule_delayed_work", &(delayed)->work, delay)
#define queue_delayed_work(queue, delayed, delay)                                                  \
	((void)(queue), KMLAB_QUEUE("queue_delayed_work", &(delayed)->work, delay))
#define mod_delayed_work(queue, delayed, delay)                                                    \
	(kmlab_api->cancel(KMLAB_WORK, &(delayed)->work), queue_delayed_work(queue, delayed, delay))
#define cancel_work_sync(work) (kmlab_api->cancel(KMLAB_WORK, work) != 0)
#define cancel_work cancel_work_sync
#define cancel_delayed_work(delayed) cancel_work_sync(&(delayed)->work)
#define cancel_delayed_work_sync cancel_delayed_work
#define flush_work(work) (kmlab_api->flush(KMLAB_SITE("flush_work"), work), true)
#define flush_delayed_work(delayed) flush_work(&(delayed)->work)
#define work_pending(work) kmlab_api->pending(KMLAB_WORK, work)
#define flush_scheduled_work() kmlab_api->flush(KMLAB_SITE("flush_scheduled_work"), NULL)
#define flush_workqueue(queue) kmlab_api->flush(KMLAB_SITE("flush_workqueue"), NULL)
#define drain_workqueue flush_workqueue

struct workqueue_struct {
	const char *name;
};
static inline struct workqueue_struct *kmlab_workqueue(const struct kmlab_site *site,
						       const char *name)
{
	static struct workqueue_struct queues[16];
	static int used;
	struct workqueue_struct *queue = &queues[used++ % 16];

	queue->name = name;
	kmlab_api->hold(site, KMLAB_RES_WORKQUEUE, queue, name);
	return queue;
}
#define alloc_workqueue(name, flags, most, ...) kmlab_workqueue(KMLAB_SITE("alloc_workqueue"), name)
#define create_workqueue(name) kmlab_workqueue(KMLAB_SITE("create_workqueue"), name)
#define create_singlethread_workqueue(name)                                                        \
	kmlab_workqueue(KMLAB_SITE("create_singlethread_workqueue"), name)
#define alloc_ordered_workqueue(name, flags, ...)                                                  \
	kmlab_workqueue(KMLAB_SITE("alloc_ordered_workqueue"), name)
#define destroy_workqueue(queue)                                                                   \
	(flush_workqueue(queue),                                                                   \
	 (void)kmlab_api->give_back(KMLAB_SITE("destroy_workqueue"), KMLAB_RES_WORKQUEUE, queue))

#endif
