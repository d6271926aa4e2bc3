/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MOD_DEVICETABLE_H
#define _LINUX_MOD_DEVICETABLE_H

#include <linux/types.h>

struct of_device_id {
	char name[32], type[32], compatible[128];
	const void *data;
};
struct platform_device_id {
	char name[24];
	unsigned long driver_data;
};

#endif
