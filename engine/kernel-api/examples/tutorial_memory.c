// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the style of a first lesson on memory in the kernel: every call of the family in init, with a
 * parameter for the size, everything freed in exit.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define PRINT_PREF "[MEMORY] "

static int size = 1024;
module_param(size, int, S_IRUGO);
MODULE_PARM_DESC(size, "bytes of the first buffer");

struct driver_data {
	u8 version;
	char text[64];
};

static char *kbuf, *zbuf, *vbuf;
static int *array;
static struct driver_data *data;

static int __init memory_init(void)
{
	int i, nonzero = 0;
	char *grown;

	printk(KERN_INFO PRINT_PREF "entering, size=%d\n", size);
	kbuf = kmalloc(size, GFP_KERNEL);
	if (!kbuf) {
		printk(KERN_ERR PRINT_PREF "kmalloc failed\n");
		return -ENOMEM;
	}
	snprintf(kbuf, size, "written by %s", KBUILD_MODNAME);
	printk(KERN_INFO PRINT_PREF "kmalloc: %s\n", kbuf);

	zbuf = kzalloc(100, GFP_KERNEL);
	if (!zbuf)
		goto free_kbuf;
	for (i = 0; i < 100; i++)
		nonzero += zbuf[i] != 0;
	printk(KERN_INFO PRINT_PREF "kzalloc: %d of 100 bytes are not zero\n", nonzero);

	array = kcalloc(10, sizeof(int), GFP_KERNEL);
	if (!array)
		goto free_zbuf;
	for (i = 0; i < 10; i++)
		array[i] = i * i;
	printk(KERN_INFO PRINT_PREF "kcalloc: the last of ten is %d\n", array[9]);

	grown = krealloc(kbuf, 2 * size, GFP_KERNEL);
	if (!grown)
		goto free_array;
	kbuf = grown;
	printk(KERN_INFO PRINT_PREF "krealloc: still \"%s\"\n", kbuf);

	data = kmalloc(sizeof(*data), GFP_KERNEL);
	if (!data)
		goto free_array;
	data->version = 3;
	strcpy(data->text, "driver data");

	vbuf = vmalloc(3 * PAGE_SIZE);
	if (!vbuf)
		goto free_data;
	memset(vbuf, 'v', 3 * PAGE_SIZE);
	vbuf[10] = '\0';
	pr_info(PRINT_PREF "vmalloc: %s\n", vbuf);
	return 0;

free_data:
	kfree(data);
free_array:
	kfree(array);
free_zbuf:
	kfree(zbuf);
free_kbuf:
	kfree(kbuf);
	return -ENOMEM;
}

static void __exit memory_exit(void)
{
	pr_info(PRINT_PREF "version %u, %s\n", data->version, data->text);
	vfree(vbuf);
	kfree(data);
	kfree(array);
	kfree(zbuf);
	kfree(kbuf);
	printk(KERN_INFO PRINT_PREF "exiting\n");
}

module_init(memory_init);
module_exit(memory_exit);

MODULE_LICENSE("GPL v2");
MODULE_AUTHOR("kmlab");
MODULE_DESCRIPTION("kmalloc, kzalloc, kcalloc, krealloc, vmalloc");
