/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_POISON_H
#define _LINUX_POISON_H

/* Addresses that are never mapped: following a link of a deleted entry is an oops. */
#define LIST_POISON1 ((void *)0xdead000000000100UL)
#define LIST_POISON2 ((void *)0xdead000000000122UL)
#define POISON_FREE 0x6b
#define POISON_END 0xa5
#define POISON_INUSE 0x5a

#endif
