/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_TIMER_H
#define _LINUX_TIMER_H

#include <linux/jiffies.h>
#include <linux/kernel.h>

struct timer_list {
	unsigned long expires;
	void (*function)(struct timer_list *);
	unsigned long data; /* up to 4.14 */
	u32 flags;
};
#define TIMER_DEFERRABLE 0
#define DEFINE_TIMER(name, handler) struct timer_list name = {.function = handler}
#define timer_setup(timer, handler, flags_)                                                        \
	((timer)->function = (handler), (timer)->flags = (flags_))
#define setup_timer(timer, handler, data_)                                                         \
	((timer)->function = (void (*)(struct timer_list *))(handler), (timer)->data = (data_))
#define init_timer(timer) ((void)(timer))
#define from_timer(variable, timer, member) container_of(timer, __typeof__(*variable), member)
#define timer_container_of(variable, timer, member) from_timer(variable, timer, member)

static inline void kmlab_timer_run(void *object)
{
	struct timer_list *timer = object;

	timer->function(timer);
}
static inline int kmlab_timer_start(const struct kmlab_site *site, struct timer_list *timer,
				    unsigned long expires)
{
	long left = (long)(expires - jiffies);

	timer->expires = expires;
	return !kmlab_api->defer(site, KMLAB_TIMER, timer, kmlab_timer_run,
				 left > 0 ? left * KMLAB_JIFFY_NS : 0);
}
#define mod_timer(timer, expires) kmlab_timer_start(KMLAB_SITE("mod_timer"), timer, expires)
#define add_timer(timer) ((void)kmlab_timer_start(KMLAB_SITE("add_timer"), timer, (timer)->expires))
#define del_timer(timer) kmlab_api->cancel(KMLAB_TIMER, timer)
#define del_timer_sync(timer) kmlab_api->cancel(KMLAB_TIMER, timer)
#define timer_delete del_timer
#define timer_delete_sync del_timer_sync
#define timer_shutdown_sync del_timer_sync
#define timer_pending(timer) kmlab_api->pending(KMLAB_TIMER, timer)

#endif
