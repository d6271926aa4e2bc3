// SPDX-License-Identifier: GPL-2.0-only
/*
 * Showing a process the kernel's memory: kmalloc'd pages in one piece by remap_pfn_range(),
 * vmalloc'd ones page by page, when they are touched, by vm_operations_struct.fault. `kmlab module
 * --files` maps a page of each and says which one a process is shown.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define PAGES 4

static char *in_one_piece, *scattered;

static int example_map(struct file *file, struct vm_area_struct *vma)
{
	unsigned long bytes = vma->vm_end - vma->vm_start;

	if (bytes > PAGES * PAGE_SIZE)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, virt_to_phys(in_one_piece) >> PAGE_SHIFT, bytes,
			       vma->vm_page_prot);
}
static vm_fault_t example_fault(struct vm_fault *fault)
{
	if (fault->pgoff >= PAGES)
		return VM_FAULT_SIGBUS;
	fault->page = vmalloc_to_page(scattered + (fault->pgoff << PAGE_SHIFT));
	get_page(fault->page);
	return 0;
}
static const struct vm_operations_struct example_vm_ops = {.fault = example_fault};
static int example_map_later(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &example_vm_ops;
	return 0;
}
static const struct file_operations pieces_fops = {.owner = THIS_MODULE, .mmap = example_map};
static const struct file_operations pages_fops = {.owner = THIS_MODULE, .mmap = example_map_later};
static struct miscdevice pieces = {
	.minor = MISC_DYNAMIC_MINOR, .name = "in_one_piece", .fops = &pieces_fops};
static struct miscdevice pages = {
	.minor = MISC_DYNAMIC_MINOR, .name = "by_the_page", .fops = &pages_fops};

static int __init example_init(void)
{
	int ret = -ENOMEM;

	in_one_piece = kzalloc(PAGES * PAGE_SIZE, GFP_KERNEL);
	scattered = vmalloc_user(PAGES * PAGE_SIZE);
	if (!in_one_piece || !scattered)
		goto out_free;
	ret = misc_register(&pieces);
	if (ret)
		goto out_free;
	ret = misc_register(&pages);
	if (!ret)
		return 0;
	misc_deregister(&pieces);
out_free:
	vfree(scattered);
	kfree(in_one_piece);
	return ret;
}

static void __exit example_exit(void)
{
	misc_deregister(&pages);
	misc_deregister(&pieces);
	vfree(scattered);
	kfree(in_one_piece);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Memory that processes see");
