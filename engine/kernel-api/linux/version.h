/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_VERSION_H
#define _LINUX_VERSION_H

#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
/* KMLAB_VERSION_CODE is of the profile that the module runs on. */
#define LINUX_VERSION_CODE KMLAB_VERSION_CODE

#endif
