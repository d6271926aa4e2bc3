// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfifo_alloc() takes a buffer for so many elements, rounded up to a power of two, from kmalloc;
 * DEFINE_KFIFO() has one of its own. What finds no room is not put, and the caller is told.
 */
#include <linux/kfifo.h>
#include <linux/module.h>

struct event {
	u32 time, what;
};

static DECLARE_KFIFO_PTR(events, struct event);
static DEFINE_KFIFO(bytes, unsigned char, 8);

static int __init example_init(void)
{
	unsigned char text[16] = "";
	struct event event;
	int ret = kfifo_alloc(&events, 100, GFP_KERNEL);

	if (ret)
		return ret;
	for (u32 i = 0; i < 3; i++)
		kfifo_put(&events, ((struct event){.time = i, .what = i * i}));
	while (kfifo_get(&events, &event))
		pr_info("at %u: %u\n", event.time, event.what);
	pr_info("room for %u events\n", kfifo_avail(&events));
	pr_info("of 10 bytes there is room for %u\n", kfifo_in(&bytes, "0123456789", 10));
	pr_info("%u came out: %s\n", kfifo_out(&bytes, text, 5), text);
	return 0;
}

static void __exit example_exit(void)
{
	kfifo_free(&events);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kfifo");
