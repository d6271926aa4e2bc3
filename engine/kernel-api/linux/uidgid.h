/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_UIDGID_H
#define _LINUX_UIDGID_H

#include <linux/types.h>

typedef struct {
	uid_t val;
} kuid_t;
typedef struct {
	gid_t val;
} kgid_t;
#define KUIDT_INIT(value) ((kuid_t){value})
#define __kuid_val(uid) ((uid).val)

#endif
