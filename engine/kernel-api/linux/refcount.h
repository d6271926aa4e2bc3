/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_REFCOUNT_H
#define _LINUX_REFCOUNT_H

#include <linux/atomic.h>

typedef atomic_t refcount_t;
#define REFCOUNT_INIT ATOMIC_INIT
#define refcount_set atomic_set
#define refcount_read atomic_read
#define refcount_inc atomic_inc
#define refcount_dec atomic_dec
#define refcount_dec_and_test atomic_dec_and_test
#define refcount_inc_not_zero atomic_inc_not_zero

#endif
