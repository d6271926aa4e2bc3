/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_DEVICE_H
#define _LINUX_DEVICE_H

#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

struct device;
struct class;
struct device_driver;
struct bus_type;
struct kmlab_device_private;

/* The argument is const since 6.4. */
struct class_attribute {
	struct attribute attr;
	ssize_t (*show)(const struct class *, const struct class_attribute *, char *);
	ssize_t (*store)(const struct class *, const struct class_attribute *, const char *,
			 size_t);
};
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define KMLAB_CLASS_ATTR(name_, mode_, show_, store_)                                              \
	struct class_attribute class_attr_##name_ = {                                              \
		{#name_, mode_},                                                                   \
		(__typeof__(((struct class_attribute *)0)->show))(show_),                          \
		(__typeof__(((struct class_attribute *)0)->store))(store_)}
#else
#define KMLAB_CLASS_ATTR(name_, mode_, show_, store_)                                              \
	struct class_attribute class_attr_##name_ = {{#name_, mode_}, show_, store_}
#endif
#define CLASS_ATTR_RO(name_) KMLAB_CLASS_ATTR(name_, 0444, name_##_show, NULL)
#define CLASS_ATTR_WO(name_) KMLAB_CLASS_ATTR(name_, 0200, NULL, name_##_store)
#define CLASS_ATTR_RW(name_) KMLAB_CLASS_ATTR(name_, 0644, name_##_show, name_##_store)

struct class
{
	const char *name;
	struct module *owner; /* up to 6.3 */
	const struct attribute_group **class_groups, **dev_groups;
	int (*dev_uevent)();
	char *(*devnode)();
	void (*class_release)();
	void (*dev_release)(struct device *);
	const void *pm;
	struct kobject kmlab_kobj;
};
struct device {
	struct kobject kobj;
	struct device *parent;
	void *driver_data, *platform_data;
	dev_t devt;
	u32 id;
	const struct class *class;
	const struct bus_type *bus;
	const char *init_name;
	const void *type;
	const struct attribute_group **groups;
	void (*release)(struct device *);
	u64 *dma_mask;
	u64 coherent_dma_mask;
	struct device_driver *driver;
	void *of_node, *fwnode;
	struct kmlab_devres *kmlab_devres; /* newest first */
	struct device *kmlab_next;         /* of those that device_create() made */
};
#define kobj_to_dev(pointer) container_of(pointer, struct device, kobj)
#include <linux/pm.h>
struct device_driver {
	const char *name;
	const struct bus_type *bus;
	struct module *owner;
	const void *of_match_table, *acpi_match_table;
	const struct attribute_group **groups, **dev_groups;
	const struct dev_pm_ops *pm;
};
struct device_attribute {
	struct attribute attr;
	ssize_t (*show)(struct device *, struct device_attribute *, char *);
	ssize_t (*store)(struct device *, struct device_attribute *, const char *, size_t);
};
#define DEVICE_ATTR(name_, mode_, show_, store_)                                                   \
	struct device_attribute dev_attr_##name_ = {{#name_, mode_}, show_, store_}
#define DEVICE_ATTR_RO(name_) DEVICE_ATTR(name_, 0444, name_##_show, NULL)
#define DEVICE_ATTR_WO(name_) DEVICE_ATTR(name_, 0200, NULL, name_##_store)
#define DEVICE_ATTR_RW(name_) DEVICE_ATTR(name_, 0644, name_##_show, name_##_store)

/* ---- what goes with its device: drivers/base/devres.c ---- */

struct kmlab_devres {
	struct kmlab_devres *next;
	void (*action)(void *); /* NULL: memory, behind this */
	void *data;
	size_t unused[2]; /* what the kernel's record takes: 40 bytes */
};
static inline void *kmlab_devm(const struct kmlab_site *site, struct device *device, size_t bytes,
			       gfp_t gfp)
{
	struct kmlab_devres *res;

	if (!bytes)
		return ZERO_SIZE_PTR;
	res = kmlab_api->do_kmalloc(site, size_add(sizeof(*res), bytes), gfp, -1);
	if (!res)
		return NULL;
	res->action = NULL;
	res->next = device->kmlab_devres;
	device->kmlab_devres = res;
	return res + 1;
}
static inline void *kmlab_devm_dup(const struct kmlab_site *site, struct device *device,
				   const void *from, size_t bytes, gfp_t gfp)
{
	void *p = from ? kmlab_devm(site, device, bytes, gfp) : NULL;

	if (p)
		memcpy(p, from, bytes);
	return p;
}
static inline int kmlab_devm_action(const struct kmlab_site *site, struct device *device,
				    void (*action)(void *), void *data)
{
	struct kmlab_devres *res = kmlab_api->do_kmalloc(site, sizeof(*res), GFP_KERNEL, -1);

	if (!res)
		return -ENOMEM;
	*res = (struct kmlab_devres){device->kmlab_devres, action, data, {0, 0}};
	device->kmlab_devres = res;
	return 0;
}
static inline void kmlab_devm_free(const struct kmlab_site *site, struct device *device,
				   const void *p)
{
	struct kmlab_devres **link = &device->kmlab_devres, *res;

	if (ZERO_OR_NULL_PTR(p))
		return;
	while (*link && (const void *)(*link + 1) != p)
		link = &(*link)->next;
	res = *link;
	if (!res) {
		kmlab_api->bug(site, "what the device does not hold is freed", 0);
		return;
	}
	*link = res->next;
	kmlab_api->do_kfree(site, res, 0);
}
/* The driver leaves the device: the newest first. */
static inline void kmlab_devres_release(const struct kmlab_site *site, struct device *device)
{
	struct kmlab_devres *res;

	while ((res = device->kmlab_devres)) {
		device->kmlab_devres = res->next;
		if (res->action)
			res->action(res->data);
		kmlab_api->do_kfree(site, res, 0);
	}
}
#define devm_kmalloc(device, bytes, gfp) kmlab_devm(KMLAB_SITE("devm_kmalloc"), device, bytes, gfp)
#define devm_kzalloc(device, bytes, gfp)                                                           \
	kmlab_devm(KMLAB_SITE("devm_kzalloc"), device, bytes, (gfp) | __GFP_ZERO)
#define devm_kmalloc_array(device, n, bytes, gfp)                                                  \
	kmlab_devm(KMLAB_SITE("devm_kmalloc_array"), device, size_mul(n, bytes), gfp)
#define devm_kcalloc(device, n, bytes, gfp)                                                        \
	kmlab_devm(KMLAB_SITE("devm_kcalloc"), device, size_mul(n, bytes), (gfp) | __GFP_ZERO)
#define devm_kmemdup(device, from, bytes, gfp)                                                     \
	kmlab_devm_dup(KMLAB_SITE("devm_kmemdup"), device, from, bytes, gfp)
#define devm_kstrdup(device, text, gfp)                                                            \
	({                                                                                         \
		const char *kmlab_text_ = (text);                                                  \
		(char *)kmlab_devm_dup(KMLAB_SITE("devm_kstrdup"), device, kmlab_text_,            \
				       kmlab_text_ ? strlen(kmlab_text_) + 1 : 0, gfp);            \
	})
#define devm_kfree(device, p) kmlab_devm_free(KMLAB_SITE("devm_kfree"), device, p)
#define devm_add_action(device, action, data)                                                      \
	kmlab_devm_action(KMLAB_SITE("devm_add_action"), device, action, data)
#define devm_add_action_or_reset(device, action, data)                                             \
	({                                                                                         \
		int kmlab_ret_ = kmlab_devm_action(KMLAB_SITE("devm_add_action_or_reset"), device, \
						   action, data);                                  \
		if (kmlab_ret_)                                                                    \
			action(data);                                                              \
		kmlab_ret_;                                                                        \
	})

/* ---- attributes of devices and classes ---- */

static inline ssize_t kmlab_dev_show(struct kobject *kobj, struct attribute *attr, char *text)
{
	struct device_attribute *dattr = container_of(attr, struct device_attribute, attr);

	return dattr->show ? dattr->show(kobj_to_dev(kobj), dattr, text) : -EIO;
}
static inline ssize_t kmlab_dev_store(struct kobject *kobj, struct attribute *attr,
				      const char *text, size_t n)
{
	struct device_attribute *dattr = container_of(attr, struct device_attribute, attr);

	return dattr->store ? dattr->store(kobj_to_dev(kobj), dattr, text, n) : -EIO;
}
static inline ssize_t kmlab_class_show(struct kobject *kobj, struct attribute *attr, char *text)
{
	struct class_attribute *cattr = container_of(attr, struct class_attribute, attr);

	return cattr->show ? cattr->show(container_of(kobj, struct class, kmlab_kobj), cattr, text)
			   : -EIO;
}
static inline ssize_t kmlab_class_store(struct kobject *kobj, struct attribute *attr,
					const char *text, size_t n)
{
	struct class_attribute *cattr = container_of(attr, struct class_attribute, attr);

	return cattr->store
		       ? cattr->store(container_of(kobj, struct class, kmlab_kobj), cattr, text, n)
		       : -EIO;
}
__attribute__((weak))
const struct sysfs_ops kmlab_dev_sysfs_ops = {kmlab_dev_show, kmlab_dev_store};
__attribute__((weak))
const struct sysfs_ops kmlab_class_sysfs_ops = {kmlab_class_show, kmlab_class_store};
__attribute__((weak)) const struct kobj_type kmlab_dev_ktype = {.sysfs_ops = &kmlab_dev_sysfs_ops};
__attribute__((weak))
const struct kobj_type kmlab_class_ktype = {.sysfs_ops = &kmlab_class_sysfs_ops};
/* A directory that the driver core makes: of its own memory, which is not the module's. */
static inline void kmlab_core_kobject(struct kobject *kobj, const struct kobj_type *ktype,
				      const char *name)
{
	struct kernfs_node *node = kmlab_api->own_memory(sizeof(*node));
	size_t length = strlen(name) + 1;
	char *copy = kmlab_api->own_memory(length);

	*kobj = (struct kobject){.name = __builtin_memcpy(copy, name, length),
				 .ktype = ktype,
				 .sd = node,
				 .kref = {ATOMIC_INIT(1)},
				 .state_initialized = 1};
	*node = (struct kernfs_node){.name = copy, .kernels = true, .kobj = kobj};
}
static inline void kmlab_core_kobject_gone(const struct kmlab_site *site, struct kobject *kobj)
{
	while (kobj->sd && kobj->sd->children)
		kmlab_kernfs_remove(site, kobj->sd->children);
	kobj->sd = NULL;
}

/* ---- classes ---- */

static inline int kmlab_class_register(const struct kmlab_site *site, struct class *class)
{
	kmlab_core_kobject(&class->kmlab_kobj, &kmlab_class_ktype, class->name);
	kmlab_api->hold(site, KMLAB_RES_CLASS, class, class->name);
	return class->class_groups
		       ? kmlab_sysfs_groups(site, &class->kmlab_kobj, class->class_groups)
		       : 0;
}
static inline void kmlab_class_gone(const struct kmlab_site *site, const struct class *class)
{
	if (IS_ERR_OR_NULL(class))
		return;
	if (kmlab_api->give_back(site, KMLAB_RES_CLASS, class))
		kmlab_core_kobject_gone(site, (struct kobject *)&class->kmlab_kobj);
}
/* The classes and devices made here are the kernel's memory, not the module's. */
static inline struct class *kmlab_class(const struct kmlab_site *site, const char *name)
{
	struct class *class = kmlab_api->own_memory(sizeof(*class));

	class->name = name;
	kmlab_class_register(site, class);
	return class;
}
/* One argument since 6.4, two before. */
#define KMLAB_CLASS_1(name) kmlab_class(KMLAB_SITE("class_create"), name)
#define KMLAB_CLASS_2(owner, name) kmlab_class(KMLAB_SITE("class_create"), name)
#define KMLAB_CLASS(a, b, name, ...) name
#define class_create(...) KMLAB_CLASS(__VA_ARGS__, KMLAB_CLASS_2, KMLAB_CLASS_1, )(__VA_ARGS__)
#define class_destroy(class) kmlab_class_gone(KMLAB_SITE("class_destroy"), class)
#define class_register(class)                                                                      \
	kmlab_class_register(KMLAB_SITE("class_register"), (struct class *)(class))
#define class_unregister(class) kmlab_class_gone(KMLAB_SITE("class_unregister"), class)
#define class_create_file(class, attr_)                                                            \
	kmlab_sysfs_file(KMLAB_SITE("class_create_file"), (struct kobject *)&(class)->kmlab_kobj,  \
			 (class)->kmlab_kobj.sd, &(attr_)->attr, NULL)
#define class_remove_file(class, attr_)                                                            \
	kmlab_kernfs_remove(KMLAB_SITE("class_remove_file"),                                       \
			    kmlab_kernfs_find((class)->kmlab_kobj.sd, (attr_)->attr.name))

/* ---- devices ---- */

__attribute__((weak)) struct device *kmlab_devices;

static inline const char *dev_name(const struct device *device)
{
	return device->kobj.name   ? device->kobj.name
	       : device->init_name ? device->init_name
				   : "device";
}
static inline __printf(2, 3) int dev_set_name(struct device *device, const char *format, ...)
{
	char *name = kmlab_api->own_memory(64);
	va_list args;

	va_start(args, format);
	vsnprintf(name, 64, format, args);
	va_end(args);
	device->kobj.name = name;
	return 0;
}
static inline void device_initialize(struct device *device)
{
	const char *name = device->kobj.name;

	device->kobj = (struct kobject){.name = name,
					.ktype = &kmlab_dev_ktype,
					.kref = {ATOMIC_INIT(1)},
					.state_initialized = 1};
}
static inline int kmlab_device_add(const struct kmlab_site *site, struct device *device)
{
	int ret;

	if (!device->kobj.name && !device->init_name)
		return -EINVAL;
	kmlab_core_kobject(&device->kobj, &kmlab_dev_ktype, dev_name(device));
	kmlab_api->hold(site, KMLAB_RES_DEVICE, device, dev_name(device));
	ret = device->class && device->class->dev_groups
		      ? kmlab_sysfs_groups(site, &device->kobj, device->class->dev_groups)
		      : 0;
	return !ret && device->groups ? kmlab_sysfs_groups(site, &device->kobj, device->groups)
				      : ret;
}
static inline void kmlab_device_del(const struct kmlab_site *site, struct device *device)
{
	if (kmlab_api->give_back(site, KMLAB_RES_DEVICE, device))
		kmlab_core_kobject_gone(site, &device->kobj);
	kmlab_devres_release(site, device);
}
static inline void kmlab_device_put(const struct kmlab_site *site, struct device *device)
{
	if (!device || !kmlab_kobject_alive(site, &device->kobj) ||
	    --device->kobj.kref.refcount.counter)
		return;
	if (device->release)
		device->release(device);
	else if (device->class && device->class->dev_release)
		device->class->dev_release(device);
	else
		kmlab_no_release(site, "device", dev_name(device));
}
#define get_device(device)                                                                         \
	({                                                                                         \
		struct device *kmlab_dev_ = (device);                                              \
		if (kmlab_dev_)                                                                    \
			kmlab_kobject_get(KMLAB_SITE("get_device"), &kmlab_dev_->kobj);            \
		kmlab_dev_;                                                                        \
	})
#define put_device(device) kmlab_device_put(KMLAB_SITE("put_device"), device)
#define device_add(device) kmlab_device_add(KMLAB_SITE("device_add"), device)
#define device_del(device) kmlab_device_del(KMLAB_SITE("device_del"), device)
#define device_register(device)                                                                    \
	(device_initialize(device), kmlab_device_add(KMLAB_SITE("device_register"), device))
static inline void kmlab_device_unregister(const struct kmlab_site *site, struct device *device)
{
	kmlab_device_del(site, device);
	kmlab_device_put(site, device);
}
#define device_unregister(device) kmlab_device_unregister(KMLAB_SITE("device_unregister"), device)

static inline __printf(7, 8) struct device *kmlab_device(
	const struct kmlab_site *site, const struct class *class, struct device *parent,
	dev_t number, void *data, const struct attribute_group **groups, const char *format, ...)
{
	struct device *device = kmlab_api->own_memory(sizeof(*device));
	char name[64];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	*device = (struct device){.parent = parent,
				  .devt = number,
				  .class = class,
				  .driver_data = data,
				  .groups = groups,
				  .kmlab_next = kmlab_devices};
	dev_set_name(device, "%s", name);
	kmlab_devices = device;
	return kmlab_device_add(site, device) ? ERR_PTR(-EEXIST) : device;
}
#define device_create(class, parent, number, data, ...)                                            \
	kmlab_device(KMLAB_SITE("device_create"), class, parent, number, data, NULL, __VA_ARGS__)
#define device_create_with_groups(class, parent, number, data, groups, ...)                        \
	kmlab_device(KMLAB_SITE("device_create_with_groups"), class, parent, number, data, groups, \
		     __VA_ARGS__)
static inline void kmlab_device_gone(const struct kmlab_site *site, const struct class *class,
				     dev_t number)
{
	struct device **link = &kmlab_devices, *device;

	while (*link && ((*link)->class != class || (*link)->devt != number))
		link = &(*link)->kmlab_next;
	device = *link;
	if (!device) {
		kmlab_api->give_back(site, KMLAB_RES_DEVICE, (void *)(unsigned long)number);
		return;
	}
	*link = device->kmlab_next;
	kmlab_device_del(site, device);
}
#define device_destroy(class, number) kmlab_device_gone(KMLAB_SITE("device_destroy"), class, number)
#define dev_set_drvdata(device, data) ((void)((device)->driver_data = (data)))
#define dev_get_drvdata(device) ((device)->driver_data)
#define dev_get_platdata(device) ((device)->platform_data)
#define device_create_file(device, attr_)                                                          \
	kmlab_sysfs_file(KMLAB_SITE("device_create_file"), &(device)->kobj, (device)->kobj.sd,     \
			 &(attr_)->attr, NULL)
#define device_remove_file(device, attr_)                                                          \
	kmlab_kernfs_remove(KMLAB_SITE("device_remove_file"),                                      \
			    kmlab_kernfs_find((device)->kobj.sd, (attr_)->attr.name))
#define device_add_groups(device, groups) sysfs_create_groups(&(device)->kobj, groups)
#define device_remove_groups(device, groups) sysfs_remove_groups(&(device)->kobj, groups)

#define dev_printk(level, device, format, ...)                                                     \
	printk(level "%s: " format, (device) ? dev_name(device) : "(NULL device *)", ##__VA_ARGS__)
#define dev_info(device, format, ...) dev_printk(KERN_INFO, device, format, ##__VA_ARGS__)
#define dev_err(device, format, ...) dev_printk(KERN_ERR, device, format, ##__VA_ARGS__)
#define dev_warn(device, format, ...) dev_printk(KERN_WARNING, device, format, ##__VA_ARGS__)
#define dev_notice(device, format, ...) dev_printk(KERN_NOTICE, device, format, ##__VA_ARGS__)
#define dev_dbg(device, format, ...) ((void)(device))

#endif
