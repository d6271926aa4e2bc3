/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_BUG_H
#define _LINUX_BUG_H

#include <linux/compiler.h>
#include <linux/printk.h>

#define BUG()                                                                                      \
	do {                                                                                       \
		kmlab_api->bug(KMLAB_SITE("BUG"), "BUG()", 1);                                     \
		__builtin_unreachable();                                                           \
	} while (0)
#define BUG_ON(condition)                                                                          \
	do {                                                                                       \
		if (unlikely(condition)) {                                                         \
			kmlab_api->bug(KMLAB_SITE("BUG_ON"), "BUG_ON(" #condition ")", 1);         \
			__builtin_unreachable();                                                   \
		}                                                                                  \
	} while (0)
#define WARN_ON(condition)                                                                         \
	({                                                                                         \
		int kmlab_warn_ = !!(condition);                                                   \
		if (unlikely(kmlab_warn_))                                                         \
			kmlab_api->bug(KMLAB_SITE("WARN_ON"), "WARN_ON(" #condition ")", 0);       \
		kmlab_warn_;                                                                       \
	})
#define WARN(condition, format, ...)                                                               \
	({                                                                                         \
		int kmlab_warn_ = !!(condition);                                                   \
		if (unlikely(kmlab_warn_)) {                                                       \
			printk(KERN_WARNING format, ##__VA_ARGS__);                                \
			kmlab_api->bug(KMLAB_SITE("WARN"), "WARN(" #condition ")", 0);             \
		}                                                                                  \
		kmlab_warn_;                                                                       \
	})
#define WARN_ON_ONCE WARN_ON
#define WARN_ONCE WARN
#define panic(format, ...)                                                                         \
	do {                                                                                       \
		printk(KERN_EMERG format, ##__VA_ARGS__);                                          \
		kmlab_api->bug(KMLAB_SITE("panic"), "panic()", 1);                                 \
		__builtin_unreachable();                                                           \
	} while (0)
#define BUILD_BUG_ON(condition) _Static_assert(!(condition), #condition)
#define static_assert(condition, ...) _Static_assert(condition, #condition)

#endif
