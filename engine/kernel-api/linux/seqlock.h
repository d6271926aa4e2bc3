/* SPDX-License-Identifier: GPL-2.0-only */
/* Readers look again when a writer came between; here nobody runs beside them. */
#ifndef _LINUX_SEQLOCK_H
#define _LINUX_SEQLOCK_H

#include <linux/spinlock.h>

typedef struct seqcount {
	unsigned int sequence;
} seqcount_t;
#define SEQCNT_ZERO(name)                                                                          \
	{                                                                                          \
		0                                                                                  \
	}
#define seqcount_init(count) ((void)((count)->sequence = 0))
#define read_seqcount_begin(count) ((count)->sequence)
#define read_seqcount_retry(count, start) ((count)->sequence != (start))
#define write_seqcount_begin(count) ((void)(count)->sequence++)
#define write_seqcount_end(count) ((void)(count)->sequence++)

typedef struct {
	seqcount_t seqcount;
	spinlock_t lock;
} seqlock_t;
#define __SEQLOCK_UNLOCKED(name)                                                                   \
	{                                                                                          \
		.lock = __SPIN_LOCK_UNLOCKED(name)                                                 \
	}
#define DEFINE_SEQLOCK(name) seqlock_t name = __SEQLOCK_UNLOCKED(name)
#define seqlock_init(s)                                                                            \
	do {                                                                                       \
		seqcount_init(&(s)->seqcount);                                                     \
		spin_lock_init(&(s)->lock);                                                        \
	} while (0)
#define read_seqbegin(s) read_seqcount_begin(&(s)->seqcount)
#define read_seqretry(s, start) read_seqcount_retry(&(s)->seqcount, start)
#define write_seqlock(s)                                                                           \
	do {                                                                                       \
		spin_lock(&(s)->lock);                                                             \
		write_seqcount_begin(&(s)->seqcount);                                              \
	} while (0)
#define write_sequnlock(s)                                                                         \
	do {                                                                                       \
		write_seqcount_end(&(s)->seqcount);                                                \
		spin_unlock(&(s)->lock);                                                           \
	} while (0)
#define write_seqlock_irqsave(s, flags)                                                            \
	do {                                                                                       \
		spin_lock_irqsave(&(s)->lock, flags);                                              \
		write_seqcount_begin(&(s)->seqcount);                                              \
	} while (0)
#define write_sequnlock_irqrestore(s, flags)                                                       \
	do {                                                                                       \
		write_seqcount_end(&(s)->seqcount);                                                \
		spin_unlock_irqrestore(&(s)->lock, flags);                                         \
	} while (0)

#endif
