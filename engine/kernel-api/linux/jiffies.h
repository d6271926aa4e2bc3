/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_JIFFIES_H
#define _LINUX_JIFFIES_H

#include <linux/types.h>

#define HZ 250
#define jiffies (*kmlab_api->jiffies)
#define get_jiffies_64() ((u64)jiffies)
#define MAX_JIFFY_OFFSET (~0UL >> 2)
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) ((long)((a) - (b)) >= 0)
#define time_before_eq(a, b) time_after_eq(b, a)
#define msecs_to_jiffies(ms) (((unsigned long)(ms)*HZ + 999) / 1000)
#define usecs_to_jiffies(us) (((unsigned long)(us)*HZ + 999999) / 1000000)
#define nsecs_to_jiffies(ns) ((unsigned long)(ns) / (1000000000UL / HZ))
#define secs_to_jiffies(s) ((unsigned long)(s)*HZ)
#define jiffies_to_msecs(j) ((unsigned int)((j)*1000UL / HZ))
#define jiffies_to_usecs(j) ((unsigned int)((j)*1000000UL / HZ))
#define KMLAB_JIFFY_NS (1000000000ULL / HZ)

#endif
