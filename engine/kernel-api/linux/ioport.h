/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_IOPORT_H
#define _LINUX_IOPORT_H

#include <linux/types.h>

struct resource {
	resource_size_t start, end;
	const char *name;
	unsigned long flags;
};
#define IORESOURCE_MEM 0x200
#define IORESOURCE_IRQ 0x400

#endif
