/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KTIME_H
#define _LINUX_KTIME_H

#include <linux/types.h>

typedef s64 ktime_t;
struct timespec64 {
	time64_t tv_sec;
	long tv_nsec;
};
/* Simulated: a thousand million a second. */
#define get_cycles() ((unsigned long long)kmlab_api->now_ns())
#define NSEC_PER_USEC 1000L
#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_SEC 1000000000L
#define USEC_PER_SEC 1000000L
#define MSEC_PER_SEC 1000L
#define ktime_get() ((ktime_t)kmlab_api->now_ns())
#define ktime_get_ns() ((u64)kmlab_api->now_ns())
#define ktime_get_real ktime_get
#define ktime_get_boottime ktime_get
#define ktime_get_real_seconds() ((time64_t)(ktime_get() / NSEC_PER_SEC))
#define ktime_get_seconds ktime_get_real_seconds
#define ktime_get_real_ts64(ts)                                                                    \
	(*(ts) = (struct timespec64){ktime_get() / NSEC_PER_SEC, ktime_get() % NSEC_PER_SEC})
#define ktime_get_ts64 ktime_get_real_ts64
#define ktime_set(s, ns) ((ktime_t)((s)*NSEC_PER_SEC + (ns)))
#define ns_to_ktime(ns) ((ktime_t)(ns))
#define ms_to_ktime(ms) ((ktime_t)((ms)*NSEC_PER_MSEC))
#define us_to_ktime(us) ((ktime_t)((us)*NSEC_PER_USEC))
#define ktime_to_ns(t) (t)
#define ktime_to_us(t) ((t) / NSEC_PER_USEC)
#define ktime_to_ms(t) ((t) / NSEC_PER_MSEC)
#define ktime_sub(a, b) ((a) - (b))
#define ktime_add(a, b) ((a) + (b))
#define ktime_add_ns(a, b) ((a) + (b))
#define ktime_us_delta(a, b) ktime_to_us(ktime_sub(a, b))
#define ktime_ms_delta(a, b) ktime_to_ms(ktime_sub(a, b))

#endif
