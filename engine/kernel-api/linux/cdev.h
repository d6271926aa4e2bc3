/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_CDEV_H
#define _LINUX_CDEV_H

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kobject.h>

/* 104 bytes, as the kernel's. */
struct cdev {
	struct kobject kobj;
	struct module *owner;
	const struct file_operations *ops;
	struct kmlab_node *kmlab_node;
	unsigned long kmlab_allocated;
	dev_t dev;
	unsigned int count;
};
static inline void cdev_init(struct cdev *cdev, const struct file_operations *fops)
{
	*cdev = (struct cdev){.ops = fops, .owner = cdev->owner};
}
static inline struct cdev *kmlab_cdev_alloc(const struct kmlab_site *site)
{
	struct cdev *cdev = kmlab_api->do_kmalloc(site, sizeof(*cdev), GFP_KERNEL | __GFP_ZERO, -1);

	if (cdev)
		cdev->kmlab_allocated = true;
	return cdev;
}
#define cdev_alloc() kmlab_cdev_alloc(KMLAB_SITE("cdev_alloc"))
static inline int kmlab_cdev_add(const struct kmlab_site *site, struct cdev *cdev, dev_t number,
				 unsigned int count)
{
	cdev->dev = number;
	cdev->count = count;
	kmlab_api->hold(site, KMLAB_RES_CDEV, cdev, "cdev");
	cdev->kmlab_node = kmlab_node_add("cdev", cdev->ops, number, NULL, cdev);
	return 0;
}
#define cdev_add(cdev, number, count) kmlab_cdev_add(KMLAB_SITE("cdev_add"), cdev, number, count)
static inline void kmlab_cdev_del(const struct kmlab_site *site, struct cdev *cdev)
{
	kmlab_api->give_back(site, KMLAB_RES_CDEV, cdev);
	kmlab_api->remove_file(cdev->kmlab_node);
	if (cdev->kmlab_allocated)
		kmlab_api->do_kfree(site, cdev, 0);
}
#define cdev_del(cdev) kmlab_cdev_del(KMLAB_SITE("cdev_del"), cdev)

#endif
