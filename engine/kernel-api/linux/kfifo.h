/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of elements of one type, a power of two of them, in a buffer of their own or from
 * kmalloc (lib/kfifo.c). in and out count on without end; their difference is what lies inside.
 */
#ifndef _LINUX_KFIFO_H
#define _LINUX_KFIFO_H

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct __kfifo {
	unsigned int in, out, mask, esize;
	void *data;
};

#define KMLAB_KFIFO(type, room)                                                                    \
	{                                                                                          \
		struct __kfifo kfifo;                                                              \
		type *type_;                                                                       \
		char(*rectype)[0];                                                                 \
		type buf[room];                                                                    \
	}
#define STRUCT_KFIFO_PTR(type) struct KMLAB_KFIFO(type, 0)
/* Records: a length of one or two bytes before each (kfifo_in() is one record). */
#define KMLAB_KFIFO_RECORDS(type, room, bytes)                                                     \
	{                                                                                          \
		struct __kfifo kfifo;                                                              \
		type *type_;                                                                       \
		char(*rectype)[bytes];                                                             \
		type buf[room];                                                                    \
	}
#define STRUCT_KFIFO_REC_1(size) struct KMLAB_KFIFO_RECORDS(unsigned char, size, 1)
#define STRUCT_KFIFO_REC_2(size) struct KMLAB_KFIFO_RECORDS(unsigned char, size, 2)
struct kfifo_rec_ptr_1 KMLAB_KFIFO_RECORDS(unsigned char, 0, 1);
struct kfifo_rec_ptr_2 KMLAB_KFIFO_RECORDS(unsigned char, 0, 2);
#define DECLARE_KFIFO_PTR(fifo, type) STRUCT_KFIFO_PTR(type) fifo
#define STRUCT_KFIFO(type, size) struct KMLAB_KFIFO(type, size)
#define DECLARE_KFIFO(fifo, type, size) STRUCT_KFIFO(type, size) fifo
#define DEFINE_KFIFO(fifo, type, size)                                                             \
	DECLARE_KFIFO(fifo, type, size) = {                                                        \
		.kfifo = {.mask = (size)-1, .esize = sizeof(type), .data = (fifo).buf}}
struct kfifo KMLAB_KFIFO(unsigned char, 0);

#define INIT_KFIFO(fifo)                                                                           \
	((fifo).kfifo = (struct __kfifo){.mask = ARRAY_SIZE((fifo).buf) - 1,                       \
					 .esize = sizeof(*(fifo).type_),                           \
					 .data = (fifo).buf})

static inline int kmlab_kfifo_begin(struct __kfifo *fifo, void *data, unsigned int size,
				    unsigned int esize)
{
	*fifo = (struct __kfifo){.mask = size - 1, .esize = esize, .data = data};
	if (!data)
		fifo->mask = 0;
	return size < 2 ? -EINVAL : data ? 0 : -ENOMEM;
}
#define kfifo_init(fifo, buffer, bytes)                                                            \
	kmlab_kfifo_begin(&(fifo)->kfifo, buffer,                                                  \
			  rounddown_pow_of_two((bytes) / sizeof(*(fifo)->type_)),                  \
			  sizeof(*(fifo)->type_))
#define kfifo_alloc(fifo, size, gfp)                                                               \
	({                                                                                         \
		unsigned int kmlab_size_ = roundup_pow_of_two(size);                               \
		kmlab_kfifo_begin(&(fifo)->kfifo,                                                  \
				  kmlab_array(KMLAB_SITE("kfifo_alloc"), kmlab_size_,              \
					      sizeof(*(fifo)->type_), gfp, -1),                    \
				  kmlab_size_, sizeof(*(fifo)->type_));                            \
	})
#define kfifo_free(fifo)                                                                           \
	do {                                                                                       \
		kmlab_api->do_kfree(KMLAB_SITE("kfifo_free"), (fifo)->kfifo.data, 0);              \
		(fifo)->kfifo = (struct __kfifo){0};                                               \
	} while (0)

#define kfifo_initialized(fifo) ((fifo)->kfifo.mask != 0)
#define kfifo_esize(fifo) ((fifo)->kfifo.esize)
#define kfifo_size(fifo) ((fifo)->kfifo.mask + 1)
#define kfifo_reset(fifo) ((void)((fifo)->kfifo.in = (fifo)->kfifo.out = 0))
#define kfifo_reset_out(fifo) ((void)((fifo)->kfifo.out = (fifo)->kfifo.in))
#define kfifo_len(fifo) ((fifo)->kfifo.in - (fifo)->kfifo.out)
#define kfifo_is_empty(fifo) (kfifo_len(fifo) == 0)
#define kfifo_is_full(fifo) (kfifo_len(fifo) > (fifo)->kfifo.mask)
#define kfifo_avail(fifo) (kfifo_size(fifo) - kfifo_len(fifo))
#define kfifo_skip(fifo)                                                                           \
	((void)((fifo)->kfifo.out +=                                                               \
		KMLAB_HEAD(fifo) ? KMLAB_HEAD(fifo) + kmlab_kfifo_record_length(&(fifo)->kfifo,    \
										KMLAB_HEAD(fifo))  \
				 : 1))

/* Element by element: an end of the buffer may lie between. */
static inline unsigned int kmlab_kfifo_in(struct __kfifo *fifo, const void *from, unsigned int n)
{
	unsigned int room = fifo->data ? fifo->mask + 1 - (fifo->in - fifo->out) : 0;

	n = n < room ? n : room;
	for (unsigned int i = 0; i < n; i++, fifo->in++)
		memcpy((char *)fifo->data + (size_t)(fifo->in & fifo->mask) * fifo->esize,
		       (const char *)from + (size_t)i * fifo->esize, fifo->esize);
	return n;
}
static inline unsigned int kmlab_kfifo_peek(const struct __kfifo *fifo, void *to, unsigned int n)
{
	unsigned int length = fifo->in - fifo->out;

	n = n < length ? n : length;
	for (unsigned int i = 0; i < n; i++)
		memcpy((char *)to + (size_t)i * fifo->esize,
		       (const char *)fifo->data +
			       (size_t)((fifo->out + i) & fifo->mask) * fifo->esize,
		       fifo->esize);
	return n;
}
static inline unsigned int kmlab_kfifo_out(struct __kfifo *fifo, void *to, unsigned int n)
{
	n = kmlab_kfifo_peek(fifo, to, n);
	fifo->out += n;
	return n;
}
#define kfifo_put(fifo, value)                                                                     \
	({                                                                                         \
		__typeof__(*(fifo)->type_) kmlab_value_ = (value);                                 \
		(int)kmlab_kfifo_in(&(fifo)->kfifo, &kmlab_value_, 1);                             \
	})
#define kfifo_get(fifo, value) ((int)kmlab_kfifo_out(&(fifo)->kfifo, value, 1))
#define kfifo_peek(fifo, value) ((int)kmlab_kfifo_peek(&(fifo)->kfifo, value, 1))
/* A record whole, or none of it; of one that is taken, as much as there is room for. */
static inline unsigned int kmlab_kfifo_record_in(struct __kfifo *fifo, const void *from,
						 unsigned int n, unsigned int head)
{
	u8 length[2] = {(u8)n, (u8)(n >> 8)};

	if (!fifo->data || n + head > fifo->mask + 1 - (fifo->in - fifo->out) || n >> 8 * head)
		return 0;
	kmlab_kfifo_in(fifo, length, head);
	return kmlab_kfifo_in(fifo, from, n);
}
static inline unsigned int kmlab_kfifo_record_length(const struct __kfifo *fifo, unsigned int head)
{
	u8 length[2] = {0, 0};

	kmlab_kfifo_peek(fifo, length, head);
	return length[0] | length[1] << 8;
}
static inline unsigned int kmlab_kfifo_record_out(struct __kfifo *fifo, void *to, unsigned int n,
						  unsigned int head, bool keep)
{
	unsigned int length = kmlab_kfifo_record_length(fifo, head), out = fifo->out;

	if (fifo->in == fifo->out)
		return 0;
	fifo->out += head;
	n = kmlab_kfifo_peek(fifo, to, n < length ? n : length);
	fifo->out = keep ? out : out + head + length;
	return n;
}
#define KMLAB_HEAD(fifo) sizeof(*(fifo)->rectype)
#define kfifo_recsize(fifo) KMLAB_HEAD(fifo)
#define kfifo_peek_len(fifo)                                                                       \
	(KMLAB_HEAD(fifo) ? kmlab_kfifo_record_length(&(fifo)->kfifo, KMLAB_HEAD(fifo))            \
			  : kfifo_len(fifo) * kfifo_esize(fifo))
#define kfifo_in(fifo, from, n)                                                                    \
	(KMLAB_HEAD(fifo) ? kmlab_kfifo_record_in(&(fifo)->kfifo, from, n, KMLAB_HEAD(fifo))       \
			  : kmlab_kfifo_in(&(fifo)->kfifo, from, n))
#define kfifo_out(fifo, to, n)                                                                     \
	(KMLAB_HEAD(fifo) ? kmlab_kfifo_record_out(&(fifo)->kfifo, to, n, KMLAB_HEAD(fifo), false) \
			  : kmlab_kfifo_out(&(fifo)->kfifo, to, n))
#define kfifo_out_peek(fifo, to, n)                                                                \
	(KMLAB_HEAD(fifo) ? kmlab_kfifo_record_out(&(fifo)->kfifo, to, n, KMLAB_HEAD(fifo), true)  \
			  : kmlab_kfifo_peek(&(fifo)->kfifo, to, n))
/* Bytes of a process, as whole elements. */
#define kfifo_from_user(fifo, from, bytes, copied)                                                 \
	({                                                                                         \
		might_sleep();                                                                     \
		*(copied) = kfifo_in(fifo, (const void *)(from), (bytes) / kfifo_esize(fifo)) *    \
			    kfifo_esize(fifo);                                                     \
		0;                                                                                 \
	})
#define kfifo_to_user(fifo, to, bytes, copied)                                                     \
	({                                                                                         \
		might_sleep();                                                                     \
		*(copied) = kfifo_out(fifo, (void *)(to), (bytes) / kfifo_esize(fifo)) *           \
			    kfifo_esize(fifo);                                                     \
		0;                                                                                 \
	})
#define KMLAB_LOCKED(lock, call)                                                                   \
	({                                                                                         \
		unsigned long kmlab_flags_;                                                        \
		unsigned int kmlab_n_;                                                             \
		spin_lock_irqsave(lock, kmlab_flags_);                                             \
		kmlab_n_ = call;                                                                   \
		spin_unlock_irqrestore(lock, kmlab_flags_);                                        \
		kmlab_n_;                                                                          \
	})
#define kfifo_in_spinlocked(fifo, from, n, lock) KMLAB_LOCKED(lock, kfifo_in(fifo, from, n))
#define kfifo_out_spinlocked(fifo, to, n, lock) KMLAB_LOCKED(lock, kfifo_out(fifo, to, n))
#define kfifo_in_locked kfifo_in_spinlocked
#define kfifo_out_locked kfifo_out_spinlocked

#include <linux/spinlock.h>

#endif
