/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/irqflags.h>
#include <linux/preempt.h>
