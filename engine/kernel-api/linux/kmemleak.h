/* SPDX-License-Identifier: GPL-2.0-only */
/* What tells the kernel's leak detector of pointers that it cannot see; the runner counts instead.
 */
#ifndef _LINUX_KMEMLEAK_H
#define _LINUX_KMEMLEAK_H

#include <linux/types.h>

#define kmemleak_not_leak(p) ((void)(p))
#define kmemleak_ignore(p) ((void)(p))
#define kmemleak_alloc(p, bytes, min_count, gfp) ((void)(p))
#define kmemleak_free(p) ((void)(p))
#define kmemleak_no_scan(p) ((void)(p))

#endif
