// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a driver tells its state, and what that costs while it is read: an attribute of a device,
 * which is given a page; seq_file in proc and debugfs, whose buffer begins with a page and doubles
 * until one record fits (fs/seq_file.c); single_open_size(), which begins with what it is told.
 */
#include <linux/cdev.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/version.h>

struct reading {
	struct list_head list;
	int value;
};
static LIST_HEAD(readings);
static u32 limit = 40;
static struct class *class;
static struct dentry *directory;
static int wanted = 3;
module_param_named(readings, wanted, int, 0444);

static int by_value(void *unused, const struct list_head *a, const struct list_head *b)
{
	return list_entry(a, struct reading, list)->value -
	       list_entry(b, struct reading, list)->value;
}

static void *reading_start(struct seq_file *seq, loff_t *at)
{
	return seq_list_start(&readings, *at);
}
static void *reading_next(struct seq_file *seq, void *record, loff_t *at)
{
	return seq_list_next(record, &readings, at);
}
static void reading_stop(struct seq_file *seq, void *record)
{
}
static int reading_show(struct seq_file *seq, void *record)
{
	seq_printf(seq, "%d\n", list_entry(record, struct reading, list)->value);
	return 0;
}
static const struct seq_operations reading_ops = {
	.start = reading_start,
	.next = reading_next,
	.stop = reading_stop,
	.show = reading_show,
};

/* One record of more than a page. */
static int table_show(struct seq_file *seq, void *unused)
{
	for (int i = 0; i < 600; i++)
		seq_printf(seq, "row %04d\n", i);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(table);
static int table_open_large(struct inode *inode, struct file *file)
{
	return single_open_size(file, table_show, NULL, 3 * PAGE_SIZE);
}
static const struct file_operations large_fops = {
	.owner = THIS_MODULE,
	.open = table_open_large,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static ssize_t limit_show(struct device *device, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", limit);
}
static ssize_t limit_store(struct device *device, struct device_attribute *attr, const char *text,
			   size_t length)
{
	int ret = kstrtouint(text, 0, &limit);

	return ret ? ret : length;
}
static DEVICE_ATTR_RW(limit);
static struct attribute *example_attrs[] = {&dev_attr_limit.attr, NULL};
ATTRIBUTE_GROUPS(example);

static void forget_readings(void)
{
	struct reading *reading, *next;

	list_for_each_entry_safe(reading, next, &readings, list)
	{
		list_del(&reading->list);
		kfree(reading);
	}
}

static int __init example_init(void)
{
	struct device *device;

	for (int i = 0; i < wanted; i++) {
		struct reading *reading = kmalloc(sizeof(*reading), GFP_KERNEL);

		if (!reading) {
			forget_readings();
			return -ENOMEM;
		}
		reading->value = 7 * i % 5;
		list_add(&reading->list, &readings);
	}
	list_sort(NULL, &readings, by_value);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	class = class_create("example");
#else
	class = class_create(THIS_MODULE, "example");
#endif
	if (IS_ERR(class)) {
		forget_readings();
		return PTR_ERR(class);
	}
	device = device_create_with_groups(class, NULL, MKDEV(240, 0), NULL, example_groups,
					   "example%d", 0);
	if (IS_ERR(device)) {
		class_destroy(class);
		forget_readings();
		return PTR_ERR(device);
	}
	proc_create_seq("readings", 0444, NULL, &reading_ops);
	directory = debugfs_create_dir("example", NULL);
	debugfs_create_u32("limit", 0644, directory, &limit);
	debugfs_create_file("table", 0444, directory, NULL, &table_fops);
	debugfs_create_file("large", 0444, directory, NULL, &large_fops);
	return 0;
}

static void __exit example_exit(void)
{
	debugfs_remove_recursive(directory);
	remove_proc_entry("readings", NULL);
	device_destroy(class, MKDEV(240, 0));
	class_destroy(class);
	forget_readings();
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Files that tell a driver's state");
