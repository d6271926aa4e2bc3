/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One copy per CPU; what runs here runs on CPU 0. Dynamic ones are places in the kernel's chunk
 * (mm/percpu.c), at most 32 KiB each, and no slab object.
 */
#ifndef _LINUX_PERCPU_H
#define _LINUX_PERCPU_H

#include <linux/cpumask.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#define PCPU_MIN_UNIT_SIZE (32UL << 10)

#define DEFINE_PER_CPU(type, name) __attribute__((section("kmlab_percpu"))) __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name
#define DEFINE_PER_CPU_ALIGNED DEFINE_PER_CPU
#define DEFINE_PER_CPU_SHARED_ALIGNED DEFINE_PER_CPU
#define DEFINE_PER_CPU_READ_MOSTLY DEFINE_PER_CPU

#define per_cpu_ptr(p, cpu) ((__typeof__(p))kmlab_api->percpu_copy(p, cpu))
#define per_cpu(name, cpu) (*per_cpu_ptr(&(name), cpu))
#define this_cpu_ptr(p) (p)
#define raw_cpu_ptr(p) (p)
#define __this_cpu_ptr(p) (p)
#define get_cpu_var(name)                                                                          \
	(*({                                                                                       \
		preempt_disable();                                                                 \
		&(name);                                                                           \
	}))
#define put_cpu_var(name) ((void)&(name), preempt_enable())
#define get_cpu_ptr(p)                                                                             \
	({                                                                                         \
		preempt_disable();                                                                 \
		(p);                                                                               \
	})
#define put_cpu_ptr(p) ((void)(p), preempt_enable())

#define this_cpu_read(name) (name)
#define this_cpu_write(name, value) ((void)((name) = (value)))
#define this_cpu_add(name, n) ((void)((name) += (n)))
#define this_cpu_sub(name, n) ((void)((name) -= (n)))
#define this_cpu_inc(name) this_cpu_add(name, 1)
#define this_cpu_dec(name) this_cpu_sub(name, 1)
#define this_cpu_and(name, n) ((void)((name) &= (n)))
#define this_cpu_or(name, n) ((void)((name) |= (n)))
#define this_cpu_add_return(name, n) ((name) += (n))
#define this_cpu_sub_return(name, n) ((name) -= (n))
#define this_cpu_inc_return(name) this_cpu_add_return(name, 1)
#define this_cpu_xchg(name, value) xchg(&(name), value)
#define this_cpu_cmpxchg(name, old, value) cmpxchg(&(name), old, value)
#define __this_cpu_read this_cpu_read
#define __this_cpu_write this_cpu_write
#define __this_cpu_add this_cpu_add
#define __this_cpu_sub this_cpu_sub
#define __this_cpu_add_return this_cpu_add_return
#define __this_cpu_sub_return this_cpu_sub_return
#define __this_cpu_inc_return this_cpu_inc_return
#define __this_cpu_inc this_cpu_inc
#define __this_cpu_dec this_cpu_dec
#define raw_cpu_read this_cpu_read
#define raw_cpu_write this_cpu_write
#define raw_cpu_add this_cpu_add
#define raw_cpu_inc this_cpu_inc

#define KMLAB_PERCPU(name, type, gfp)                                                              \
	((__typeof__(type) *)kmlab_api->percpu_alloc(KMLAB_SITE(name), sizeof(type),               \
						     __alignof__(type), gfp))
#define alloc_percpu(type) KMLAB_PERCPU("alloc_percpu", type, GFP_KERNEL)
#define alloc_percpu_gfp(type, gfp) KMLAB_PERCPU("alloc_percpu_gfp", type, gfp)
#define __alloc_percpu(bytes, align)                                                               \
	kmlab_api->percpu_alloc(KMLAB_SITE("__alloc_percpu"), bytes, align, GFP_KERNEL)
#define __alloc_percpu_gfp(bytes, align, gfp)                                                      \
	kmlab_api->percpu_alloc(KMLAB_SITE("__alloc_percpu_gfp"), bytes, align, gfp)
#define free_percpu(p) kmlab_api->percpu_free(KMLAB_SITE("free_percpu"), p)

#endif
