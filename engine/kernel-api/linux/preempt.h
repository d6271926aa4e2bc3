/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_PREEMPT_H
#define _LINUX_PREEMPT_H

#include <linux/kmlab.h>

#define preempt_disable() kmlab_api->enter(KMLAB_SITE("preempt_disable"), KMLAB_PREEMPT_OFF, 0)
#define preempt_enable() kmlab_api->leave(KMLAB_SITE("preempt_enable"), KMLAB_PREEMPT_OFF, 0)
#define local_bh_disable() kmlab_api->enter(KMLAB_SITE("local_bh_disable"), KMLAB_BH_OFF, 0)
#define local_bh_enable() kmlab_api->leave(KMLAB_SITE("local_bh_enable"), KMLAB_BH_OFF, 0)
#define in_irq() (kmlab_api->context(KMLAB_HARDIRQ) != 0)
#define in_hardirq() in_irq()
#define in_serving_softirq() (kmlab_api->context(KMLAB_SOFTIRQ) != 0)
#define in_softirq() (in_serving_softirq() || kmlab_api->context(KMLAB_BH_OFF))
#define in_interrupt() (in_irq() || in_softirq())
#define in_nmi() 0
#define in_task() (!in_irq() && !in_serving_softirq())
#define preempt_count()                                                                            \
	((int)(kmlab_api->context(KMLAB_SPINLOCK) + kmlab_api->context(KMLAB_PREEMPT_OFF) +        \
	       (kmlab_api->context(KMLAB_SOFTIRQ) << 8) +                                          \
	       (kmlab_api->context(KMLAB_BH_OFF) << 9) +                                           \
	       (kmlab_api->context(KMLAB_HARDIRQ) << 16)))
#define in_atomic() (preempt_count() != 0)
#define preemptible() (!preempt_count() && !kmlab_api->context(KMLAB_IRQS_OFF))

#endif
