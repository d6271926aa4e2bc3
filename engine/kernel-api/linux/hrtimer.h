/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_HRTIMER_H
#define _LINUX_HRTIMER_H

#include <linux/kernel.h>
#include <linux/ktime.h>

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode { HRTIMER_MODE_ABS, HRTIMER_MODE_REL, HRTIMER_MODE_REL_PINNED };
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1

struct hrtimer {
	enum hrtimer_restart (*function)(struct hrtimer *);
	ktime_t expires;
};
#define hrtimer_init(timer, clock, mode) ((void)((timer)->expires = 0))
#define hrtimer_setup(timer, handler, clock, mode) ((void)((timer)->function = (handler)))

static inline void kmlab_hrtimer_run(void *object);
static inline void kmlab_hrtimer_start(const struct kmlab_site *site, struct hrtimer *timer,
				       ktime_t time, bool relative)
{
	timer->expires = relative ? ktime_get() + time : time;
	time = timer->expires - ktime_get();
	kmlab_api->defer(site, KMLAB_HRTIMER, timer, kmlab_hrtimer_run, time > 0 ? time : 0);
}
static inline void kmlab_hrtimer_run(void *object)
{
	struct hrtimer *timer = object;

	if (timer->function(timer) == HRTIMER_RESTART)
		kmlab_hrtimer_start(KMLAB_SITE("hrtimer restart"), timer, timer->expires, false);
}
#define hrtimer_start(timer, time, mode)                                                           \
	kmlab_hrtimer_start(KMLAB_SITE("hrtimer_start"), timer, time, (mode) != HRTIMER_MODE_ABS)
#define hrtimer_cancel(timer) kmlab_api->cancel(KMLAB_HRTIMER, timer)
#define hrtimer_active(timer) kmlab_api->pending(KMLAB_HRTIMER, timer)
static inline u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval)
{
	u64 overruns = 0;

	while (timer->expires <= now) {
		timer->expires += interval;
		overruns++;
	}
	return overruns;
}
#define hrtimer_forward_now(timer, interval) hrtimer_forward(timer, ktime_get(), interval)

#endif
