/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_IRQFLAGS_H
#define _LINUX_IRQFLAGS_H

#include <linux/kmlab.h>

#define local_irq_disable() kmlab_api->enter(KMLAB_SITE("local_irq_disable"), KMLAB_IRQS_OFF, 0)
#define local_irq_enable() kmlab_api->leave(KMLAB_SITE("local_irq_enable"), KMLAB_IRQS_OFF, 0)
#define local_irq_save(flags)                                                                      \
	do {                                                                                       \
		(flags) = kmlab_api->context(KMLAB_IRQS_OFF);                                      \
		kmlab_api->enter(KMLAB_SITE("local_irq_save"), KMLAB_IRQS_OFF, 0);                 \
	} while (0)
#define local_irq_restore(flags)                                                                   \
	do {                                                                                       \
		(void)(flags);                                                                     \
		kmlab_api->leave(KMLAB_SITE("local_irq_restore"), KMLAB_IRQS_OFF, 0);              \
	} while (0)
#define irqs_disabled() (kmlab_api->context(KMLAB_IRQS_OFF) || kmlab_api->context(KMLAB_HARDIRQ))

#endif
