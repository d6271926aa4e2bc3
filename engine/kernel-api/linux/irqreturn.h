/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_IRQRETURN_H
#define _LINUX_IRQRETURN_H

typedef enum { IRQ_NONE, IRQ_HANDLED, IRQ_WAKE_THREAD } irqreturn_t;
#define IRQ_RETVAL(handled) ((handled) ? IRQ_HANDLED : IRQ_NONE)

#endif
