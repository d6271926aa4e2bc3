/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KOBJECT_H
#define _LINUX_KOBJECT_H

#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/slab.h>

struct kobject {
	const char *name;
	struct kref kref;
};
struct attribute {
	const char *name;
	umode_t mode;
};
struct attribute_group {
	const char *name;
	struct attribute **attrs;
};
struct kobj_attribute {
	struct attribute attr;
	ssize_t (*show)(struct kobject *, struct kobj_attribute *, char *);
	ssize_t (*store)(struct kobject *, struct kobj_attribute *, const char *, size_t);
};
#define __ATTR(name_, mode_, show_, store_)                                                        \
	{                                                                                          \
		.attr = {.name = #name_, .mode = mode_}, .show = show_, .store = store_            \
	}
#define __ATTR_RO(name_) __ATTR(name_, 0444, name_##_show, NULL)
#define __ATTR_RW(name_) __ATTR(name_, 0644, name_##_show, name_##_store)
#define kernel_kobj ((struct kobject *)NULL)
static inline struct kobject *kmlab_kobject(const struct kmlab_site *site, const char *name)
{
	struct kobject *kobject =
		kmlab_api->do_kmalloc(site, sizeof(*kobject), GFP_KERNEL | __GFP_ZERO, -1);

	if (kobject)
		kobject->name = name;
	return kobject;
}
#define kobject_create_and_add(name, parent)                                                       \
	kmlab_kobject(KMLAB_SITE("kobject_create_and_add"), name)
#define kobject_put(kobject) kmlab_api->do_kfree(KMLAB_SITE("kobject_put"), kobject, 0)
#define sysfs_create_file(kobject, attribute) ((void)(kobject), (void)(attribute), 0)
#define sysfs_remove_file(kobject, attribute) ((void)(kobject))
#define sysfs_create_group(kobject, group) ((void)(kobject), (void)(group), 0)
#define sysfs_remove_group(kobject, group) ((void)(kobject))
#define sysfs_emit(text, format, ...) scnprintf(text, 4096, format, ##__VA_ARGS__)

#endif
