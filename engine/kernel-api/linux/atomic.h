/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H

#include <linux/types.h>

#define ATOMIC_INIT(value)                                                                         \
	{                                                                                          \
		value                                                                              \
	}
#define ATOMIC64_INIT ATOMIC_INIT
#define ATOMIC_LONG_INIT ATOMIC_INIT

#define KMLAB_ATOMIC(prefix, type, number)                                                         \
	static inline number prefix##_read(const type *v)                                          \
	{                                                                                          \
		return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);                             \
	}                                                                                          \
	static inline void prefix##_set(type *v, number i)                                         \
	{                                                                                          \
		__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);                                \
	}                                                                                          \
	static inline number prefix##_add_return(number i, type *v)                                \
	{                                                                                          \
		return __sync_add_and_fetch(&v->counter, i);                                       \
	}                                                                                          \
	static inline number prefix##_sub_return(number i, type *v)                                \
	{                                                                                          \
		return __sync_sub_and_fetch(&v->counter, i);                                       \
	}                                                                                          \
	static inline number prefix##_fetch_add(number i, type *v)                                 \
	{                                                                                          \
		return __sync_fetch_and_add(&v->counter, i);                                       \
	}                                                                                          \
	static inline void prefix##_add(number i, type *v)                                         \
	{                                                                                          \
		prefix##_add_return(i, v);                                                         \
	}                                                                                          \
	static inline void prefix##_sub(number i, type *v)                                         \
	{                                                                                          \
		prefix##_sub_return(i, v);                                                         \
	}                                                                                          \
	static inline void prefix##_inc(type *v)                                                   \
	{                                                                                          \
		prefix##_add_return(1, v);                                                         \
	}                                                                                          \
	static inline void prefix##_dec(type *v)                                                   \
	{                                                                                          \
		prefix##_sub_return(1, v);                                                         \
	}                                                                                          \
	static inline number prefix##_inc_return(type *v)                                          \
	{                                                                                          \
		return prefix##_add_return(1, v);                                                  \
	}                                                                                          \
	static inline number prefix##_dec_return(type *v)                                          \
	{                                                                                          \
		return prefix##_sub_return(1, v);                                                  \
	}                                                                                          \
	static inline bool prefix##_dec_and_test(type *v)                                          \
	{                                                                                          \
		return !prefix##_sub_return(1, v);                                                 \
	}                                                                                          \
	static inline bool prefix##_inc_and_test(type *v)                                          \
	{                                                                                          \
		return !prefix##_add_return(1, v);                                                 \
	}                                                                                          \
	static inline bool prefix##_sub_and_test(number i, type *v)                                \
	{                                                                                          \
		return !prefix##_sub_return(i, v);                                                 \
	}                                                                                          \
	static inline number prefix##_cmpxchg(type *v, number old, number value)                   \
	{                                                                                          \
		return __sync_val_compare_and_swap(&v->counter, old, value);                       \
	}                                                                                          \
	static inline number prefix##_xchg(type *v, number value)                                  \
	{                                                                                          \
		return __atomic_exchange_n(&v->counter, value, __ATOMIC_SEQ_CST);                  \
	}                                                                                          \
	static inline bool prefix##_add_unless(type *v, number i, number unless)                   \
	{                                                                                          \
		if (v->counter == unless)                                                          \
			return false;                                                              \
		prefix##_add_return(i, v);                                                         \
		return true;                                                                       \
	}

KMLAB_ATOMIC(atomic, atomic_t, int)
KMLAB_ATOMIC(atomic64, atomic64_t, s64)
KMLAB_ATOMIC(atomic_long, atomic_long_t, s64)

#define atomic_inc_not_zero(v) atomic_add_unless(v, 1, 0)
#define atomic_inc_unless_negative(v) ((v)->counter < 0 ? false : (atomic_inc(v), true))
#define cmpxchg(p, old, value) __sync_val_compare_and_swap(p, old, value)
#define xchg(p, value) __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST)

#include <linux/bitops.h>

#endif
