/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_IOCTL_H
#define _LINUX_IOCTL_H

#define _IOC(direction, type, number, size)                                                        \
	((unsigned int)(direction) << 30 | (unsigned int)(size) << 16 | (type) << 8 | (number))
#define _IO(type, number) _IOC(0, type, number, 0)
#define _IOW(type, number, argument) _IOC(1, type, number, sizeof(argument))
#define _IOR(type, number, argument) _IOC(2, type, number, sizeof(argument))
#define _IOWR(type, number, argument) _IOC(3, type, number, sizeof(argument))
#define _IOC_TYPE(command) ((command) >> 8 & 0xff)
#define _IOC_NR(command) ((command)&0xff)
#define _IOC_DIR(command) ((command) >> 30)
#define _IOC_SIZE(command) ((command) >> 16 & 0x3fff)

#endif
