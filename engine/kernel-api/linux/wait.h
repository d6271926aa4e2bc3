/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting lets everything run that can; what nothing will ever end is reported. */
#ifndef _LINUX_WAIT_H
#define _LINUX_WAIT_H

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

struct wait_queue_head {
	int kmlab_made;
};
typedef struct wait_queue_head wait_queue_head_t;
#define DECLARE_WAIT_QUEUE_HEAD(name) wait_queue_head_t name = {1}
#define init_waitqueue_head(queue) ((void)((queue)->kmlab_made = 1))
#define waitqueue_active(queue) 0
#define wake_up(queue) ((void)(queue))
#define wake_up_all wake_up
#define wake_up_interruptible wake_up
#define wake_up_interruptible_all wake_up
#define wake_up_process(task) kmlab_api->thread_wake(task)

#define KMLAB_WAIT(name, condition)                                                                \
	({                                                                                         \
		kmlab_api->do_might_sleep(KMLAB_SITE(name));                                       \
		while (!(condition) && kmlab_api->wait(KMLAB_SITE(name)))                          \
			;                                                                          \
		0;                                                                                 \
	})
#define wait_event(queue, condition) ((void)KMLAB_WAIT("wait_event", condition))
#define wait_event_interruptible(queue, condition) KMLAB_WAIT("wait_event_interruptible", condition)
#define wait_event_killable wait_event_interruptible
#define wait_event_timeout(queue, condition, timeout)                                              \
	({                                                                                         \
		unsigned long kmlab_end_ = jiffies + (timeout);                                    \
		while (!(condition) && time_before(jiffies, kmlab_end_))                           \
			kmlab_api->sleep(KMLAB_SITE("wait_event_timeout"), KMLAB_JIFFY_NS, 1);     \
		(condition) ? max(1L, (long)(kmlab_end_ - jiffies)) : 0L;                          \
	})
#define wait_event_interruptible_timeout wait_event_timeout

#endif
