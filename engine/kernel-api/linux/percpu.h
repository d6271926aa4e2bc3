/* SPDX-License-Identifier: GPL-2.0-only */
/* One copy per CPU; what runs here runs on CPU 0. */
#ifndef _LINUX_PERCPU_H
#define _LINUX_PERCPU_H

#include <linux/cpumask.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#define DEFINE_PER_CPU(type, name) __typeof__(type) name[64]
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name[64]
#define per_cpu(name, cpu) ((name)[cpu])
#define this_cpu_ptr(p) (p)
#define raw_cpu_ptr(p) (p)
#define per_cpu_ptr(p, cpu) ((__typeof__(p))((char *)(p) + (cpu)*kmlab_percpu_stride(sizeof(*(p)))))
#define get_cpu_var(name)                                                                          \
	(*({                                                                                       \
		preempt_disable();                                                                 \
		&(name)[0];                                                                        \
	}))
#define put_cpu_var(name) preempt_enable()
#define get_cpu_ptr(p)                                                                             \
	({                                                                                         \
		preempt_disable();                                                                 \
		(p);                                                                               \
	})
#define put_cpu_ptr(p) preempt_enable()
#define this_cpu_read(name) ((name)[0])
#define this_cpu_inc(name) ((void)(name)[0]++)
#define this_cpu_add(name, n) ((void)((name)[0] += (n)))
static inline unsigned long kmlab_percpu_stride(unsigned long bytes)
{
	return (bytes + 7) & ~7UL;
}
/* The kernel takes them from its own chunks; here they are one object. */
#define alloc_percpu(type)                                                                         \
	((__typeof__(type) *)kmlab_api->do_kmalloc(                                                \
		KMLAB_SITE("alloc_percpu"), kmlab_percpu_stride(sizeof(type)) * kmlab_api->cpus,   \
		GFP_KERNEL | __GFP_ZERO, -1))
#define free_percpu(p) kmlab_api->do_kfree(KMLAB_SITE("free_percpu"), p, 0)

#endif
