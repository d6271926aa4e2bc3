/* SPDX-License-Identifier: GPL-2.0-only */
/* msleep() lets time pass and everything run that is due; udelay() only takes time. */
#ifndef _LINUX_DELAY_H
#define _LINUX_DELAY_H

#include <linux/jiffies.h>
#include <linux/ktime.h>

#define msleep(ms) kmlab_api->sleep(KMLAB_SITE("msleep"), (ms)*1000000ULL, 0)
#define msleep_interruptible(ms)                                                                   \
	(kmlab_api->sleep(KMLAB_SITE("msleep_interruptible"), (ms)*1000000ULL, 1), 0UL)
#define ssleep(s) kmlab_api->sleep(KMLAB_SITE("ssleep"), (s)*1000000000ULL, 0)
#define usleep_range(low, high) kmlab_api->sleep(KMLAB_SITE("usleep_range"), (low)*1000ULL, 0)
#define fsleep(us) kmlab_api->sleep(KMLAB_SITE("fsleep"), (us)*1000ULL, 0)
#define udelay(us) ((void)(us))
#define mdelay(ms) ((void)(ms))
#define ndelay(ns) ((void)(ns))

#endif
