// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation has its own free: kfree() of a vmalloc area, vfree() of a kmalloc object, a
 * pointer into an object, a wrong order, an object of another cache, an error pointer.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static struct kmem_cache *one, *other;

static int __init example_init(void)
{
	char *area = vmalloc(100), *p = kmalloc(100, GFP_KERNEL);
	unsigned long pages = __get_free_pages(GFP_KERNEL, 2);
	void *object;

	one = kmem_cache_create("example_one", 40, 0, SLAB_NO_MERGE, NULL);
	other = kmem_cache_create("example_other", 40, 0, SLAB_NO_MERGE, NULL);
	object = kmem_cache_alloc(one, GFP_KERNEL);
	kfree(area);
	vfree(p);
	kfree(p + 8);
	free_pages(pages, 1);
	kmem_cache_free(other, object);
	kfree(ERR_PTR(-ENOMEM));
	/* And now as it should be. */
	vfree(area);
	kfree(p);
	free_pages(pages, 2);
	kmem_cache_free(one, object);
	return 0;
}

static void __exit example_exit(void)
{
	kmem_cache_destroy(one);
	kmem_cache_destroy(other);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_wrong_free");
