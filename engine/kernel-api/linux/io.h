/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_IO_H
#define _LINUX_IO_H

#include <linux/mm.h>

#define readl(p) (*(volatile u32 *)(p))
#define writel(value, p) (*(volatile u32 *)(p) = (value))
#define readb(p) (*(volatile u8 *)(p))
#define writeb(value, p) (*(volatile u8 *)(p) = (value))

#endif
