// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two mistakes of mmap functions. A page is shown whole: with 100 bytes of kmalloc a process sees
 * all their neighbours. And virt_to_phys() means nothing for vmalloc memory: some other page is
 * shown; vmalloc_to_pfn() knows the right one.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static char *small, *area;

static int small_map(struct file *file, struct vm_area_struct *vma)
{
	return remap_pfn_range(vma, vma->vm_start, virt_to_phys(small) >> PAGE_SHIFT, PAGE_SIZE,
			       vma->vm_page_prot);
}
static int area_map(struct file *file, struct vm_area_struct *vma)
{
	return remap_pfn_range(vma, vma->vm_start, virt_to_phys(area) >> PAGE_SHIFT, PAGE_SIZE,
			       vma->vm_page_prot);
}
static const struct file_operations small_fops = {.mmap = small_map};
static const struct file_operations area_fops = {.mmap = area_map};
static struct miscdevice devices[] = {
	{.minor = MISC_DYNAMIC_MINOR, .name = "small", .fops = &small_fops},
	{.minor = MISC_DYNAMIC_MINOR, .name = "area", .fops = &area_fops},
};

static int __init example_init(void)
{
	small = kmalloc(100, GFP_KERNEL);
	area = vmalloc(PAGE_SIZE);
	if (!small || !area)
		return -ENOMEM;
	misc_register(&devices[0]);
	return misc_register(&devices[1]);
}

static void __exit example_exit(void)
{
	misc_deregister(&devices[1]);
	misc_deregister(&devices[0]);
	vfree(area);
	kfree(small);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Mappings that show too much, or the wrong page");
