/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_COMPLETION_H
#define _LINUX_COMPLETION_H

#include <linux/wait.h>

struct completion {
	unsigned int done;
};
#define DECLARE_COMPLETION(name) struct completion name = {0}
#define DECLARE_COMPLETION_ONSTACK DECLARE_COMPLETION
#define init_completion(completion) ((void)((completion)->done = 0))
#define reinit_completion init_completion
#define complete(completion) ((void)(completion)->done++)
#define complete_all(completion) ((void)((completion)->done = ~0u / 2))
#define completion_done(completion) ((completion)->done != 0)
#define wait_for_completion(completion)                                                            \
	((void)KMLAB_WAIT("wait_for_completion", (completion)->done), (void)(completion)->done--)
#define wait_for_completion_interruptible(completion) (wait_for_completion(completion), 0)
#define wait_for_completion_timeout(completion, timeout)                                           \
	wait_event_timeout(0, (completion)->done, timeout)

#endif
