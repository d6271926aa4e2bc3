// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's structures that a module's objects hang in: a list without locks that is taken
 * whole, a sequence lock around what many read, a buffer that goes round, and variables that are
 * freed at the end of their block.
 */
#include <asm/byteorder.h>
#include <linux/circ_buf.h>
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/seqlock.h>
#include <linux/sort.h>

struct item {
	struct llist_node node;
	int number;
};

static LLIST_HEAD(items);
static DEFINE_SEQLOCK(clock_lock);
static DEFINE_MUTEX(mutex);
static u64 clock_ns;

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int add(int number)
{
	struct item *item __free(kfree) = kzalloc(sizeof(*item), GFP_KERNEL);

	guard(mutex)(&mutex);
	if (!item)
		return -ENOMEM;
	if (number < 0)
		return -EINVAL; /* the item is freed, and the mutex left, here too */
	item->number = number;
	llist_add(&no_free_ptr(item)->node, &items);
	return 0;
}

static int __init example_init(void)
{
	struct circ_buf ring = {.buf = NULL, .head = 6, .tail = 3};
	int numbers[] = {30, 10, 20};
	unsigned int start;
	u64 now;

	sort(numbers, ARRAY_SIZE(numbers), sizeof(numbers[0]), compare, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		if (add(numbers[i]))
			return -ENOMEM;
	pr_info("refused: %d\n", add(-1));
	write_seqlock(&clock_lock);
	clock_ns += 1000;
	write_sequnlock(&clock_lock);
	do {
		start = read_seqbegin(&clock_lock);
		now = clock_ns;
	} while (read_seqretry(&clock_lock, start));
	pr_info("clock %llu, in the ring %d, room %d\n", now, CIRC_CNT(ring.head, ring.tail, 8),
		CIRC_SPACE(ring.head, ring.tail, 8));
	pr_info("%c %x\n", toupper('k'), cpu_to_be32(0x12345678));
	return 0;
}

static void __exit example_exit(void)
{
	struct item *item, *next;

	llist_for_each_entry_safe(item, next, llist_del_all(&items), node)
	{
		pr_info("item %d\n", item->number);
		kfree(item);
	}
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("tutorial_structures");
