/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_COMPLETION_H
#define _LINUX_COMPLETION_H

#include <linux/wait.h>

struct completion {
	unsigned int done;
	wait_queue_head_t wait;
};
#define COMPLETION_INITIALIZER(name)                                                               \
	{                                                                                          \
		0                                                                                  \
	}
#define COMPLETION_INITIALIZER_ONSTACK COMPLETION_INITIALIZER
#define DECLARE_COMPLETION(name) struct completion name = {0}
#define DECLARE_COMPLETION_ONSTACK DECLARE_COMPLETION
#define init_completion(completion) ((void)((completion)->done = 0))
#define reinit_completion init_completion
/* completion->done, from which complete_all() is not taken. */
#define KMLAB_ALL_DONE (~0u / 2)
static inline void complete(struct completion *completion)
{
	if (completion->done < KMLAB_ALL_DONE)
		completion->done++;
	kmlab_api->thread_wake(NULL);
}
static inline void complete_all(struct completion *completion)
{
	completion->done = KMLAB_ALL_DONE;
	kmlab_api->thread_wake(NULL);
}
#define completion_done(completion) ((completion)->done != 0)
static inline bool try_wait_for_completion(struct completion *completion)
{
	if (!completion->done)
		return false;
	if (completion->done != KMLAB_ALL_DONE)
		completion->done--;
	return true;
}
#define wait_for_completion(completion)                                                            \
	((void)KMLAB_WAIT("wait_for_completion", (completion)->done),                              \
	 (void)try_wait_for_completion(completion))
#define wait_for_completion_io wait_for_completion
#define wait_for_completion_interruptible(completion) (wait_for_completion(completion), 0)
#define wait_for_completion_killable wait_for_completion_interruptible
#define wait_for_completion_timeout(completion, timeout)                                           \
	({                                                                                         \
		unsigned long kmlab_left_ =                                                        \
			(unsigned long)wait_event_timeout(0, (completion)->done, timeout);         \
		if (kmlab_left_)                                                                   \
			try_wait_for_completion(completion);                                       \
		kmlab_left_;                                                                       \
	})
#define wait_for_completion_interruptible_timeout(completion, timeout)                             \
	((long)wait_for_completion_timeout(completion, timeout))
#define wait_for_completion_killable_timeout wait_for_completion_interruptible_timeout

#endif
