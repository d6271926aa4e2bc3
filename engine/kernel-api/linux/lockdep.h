/* SPDX-License-Identifier: GPL-2.0-only */
/* What lockdep would know, the runner knows of locks that are held. */
#ifndef _LINUX_LOCKDEP_H
#define _LINUX_LOCKDEP_H

#include <linux/bug.h>

#define lockdep_is_held(lock) kmlab_api->locked(lock)
#ifndef lockdep_assert_held
#define lockdep_assert_held(lock) WARN_ON(!lockdep_is_held(lock))
#endif

#endif
