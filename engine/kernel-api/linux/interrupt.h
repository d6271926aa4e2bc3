/* SPDX-License-Identifier: GPL-2.0-only */
/* The runner raises each interrupt that a module asked for (--interrupts says how often). */
#ifndef _LINUX_INTERRUPT_H
#define _LINUX_INTERRUPT_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/hardirq.h>
#include <linux/irqreturn.h>
#include <linux/kernel.h>

#define IRQF_SHARED 0x80
#define IRQF_TRIGGER_NONE 0
#define IRQF_TRIGGER_RISING 1
#define IRQF_TRIGGER_FALLING 2
#define IRQF_TRIGGER_HIGH 4
#define IRQF_TRIGGER_LOW 8
#define IRQF_ONESHOT 0x2000
#define IRQF_NO_SUSPEND 0x4000

typedef irqreturn_t (*irq_handler_t)(int, void *);

#define request_irq(irq, handler, flags, name, device)                                             \
	kmlab_api->do_request_irq(KMLAB_SITE("request_irq"), irq, (int (*)(int, void *))(handler), \
				  NULL, flags, name, device)
#define request_threaded_irq(irq, handler, thread, flags, name, device)                            \
	kmlab_api->do_request_irq(KMLAB_SITE("request_threaded_irq"), irq,                         \
				  (int (*)(int, void *))(handler), (int (*)(int, void *))(thread), \
				  flags, name, device)
#define devm_request_irq(parent, irq, handler, flags, name, device)                                \
	request_irq(irq, handler, flags, name, device)
#define free_irq(irq, device) kmlab_api->do_free_irq(KMLAB_SITE("free_irq"), irq, device)
#define disable_irq(irq) ((void)(irq))
#define enable_irq(irq) ((void)(irq))
#define synchronize_irq(irq) ((void)(irq))

struct tasklet_struct {
	void (*func)(unsigned long);
	void (*callback)(struct tasklet_struct *);
	unsigned long data, state;
	atomic_t count;
};
/* With data as a third argument up to 5.8. */
#define KMLAB_TASKLET_2(name, function, ...) struct tasklet_struct name = {.callback = function}
#define KMLAB_TASKLET_3(name, function, value)                                                     \
	struct tasklet_struct name = {.func = function, .data = value}
#define KMLAB_TASKLET_PICK(a, b, c, pick, ...) pick
#define DECLARE_TASKLET(...)                                                                       \
	KMLAB_TASKLET_PICK(__VA_ARGS__, KMLAB_TASKLET_3, KMLAB_TASKLET_2, )(__VA_ARGS__)
#define DECLARE_TASKLET_OLD(name, function) struct tasklet_struct name = {.func = function}
#define from_tasklet(variable, tasklet, member) container_of(tasklet, __typeof__(*variable), member)
static inline void tasklet_init(struct tasklet_struct *tasklet, void (*func)(unsigned long),
				unsigned long data)
{
	*tasklet = (struct tasklet_struct){.func = func, .data = data};
}
static inline void tasklet_setup(struct tasklet_struct *tasklet,
				 void (*callback)(struct tasklet_struct *))
{
	*tasklet = (struct tasklet_struct){.callback = callback};
}
static inline void kmlab_tasklet_run(void *object)
{
	struct tasklet_struct *tasklet = object;

	if (tasklet->callback)
		tasklet->callback(tasklet);
	else
		tasklet->func(tasklet->data);
}
#define tasklet_schedule(tasklet)                                                                  \
	((void)kmlab_api->defer(KMLAB_SITE("tasklet_schedule"), KMLAB_TASKLET, tasklet,            \
				kmlab_tasklet_run, 0))
#define tasklet_hi_schedule tasklet_schedule
#define tasklet_kill(tasklet) ((void)kmlab_api->cancel(KMLAB_TASKLET, tasklet))
#define tasklet_disable(tasklet) ((void)(tasklet))
#define tasklet_enable(tasklet) ((void)(tasklet))

#endif
