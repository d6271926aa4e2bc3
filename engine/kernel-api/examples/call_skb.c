// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet's memory is two pieces (net/core/skbuff.c): the head, and the data with 320 bytes of
 * shared information behind it. The room asked for is rounded up to what the class gives. Since 6.3
 * small data comes from a cache of its own.
 */
#include <linux/module.h>
#include <linux/skbuff.h>

static struct sk_buff_head queue;

static int __init example_init(void)
{
	struct sk_buff *skb;

	skb_queue_head_init(&queue);
	for (int bytes = 100; bytes <= 1600; bytes *= 4) {
		skb = alloc_skb(bytes, GFP_KERNEL);
		if (!skb)
			return -ENOMEM;
		skb_reserve(skb, 16);
		skb_put_data(skb, "packet", 7);
		skb_push(skb, 4);
		skb_queue_tail(&queue, skb);
	}
	skb = skb_dequeue(&queue);
	pr_info("%u bytes, %u before, %u left\n", skb->len, skb_headroom(skb),
		skb_queue_len(&queue));
	kfree_skb(skb);
	return 0;
}

static void __exit example_exit(void)
{
	skb_queue_purge(&queue);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_skb");
