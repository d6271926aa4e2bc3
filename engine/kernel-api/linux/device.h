/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_DEVICE_H
#define _LINUX_DEVICE_H

#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>

struct class
{
	const char *name;
	void *dev_uevent;
	char *(*devnode)(const void *, umode_t *);
};
struct device {
	struct device *parent;
	void *driver_data, *platform_data;
	dev_t devt;
	struct class *class;
	const char *init_name;
	void (*release)(struct device *);
	u64 *dma_mask;
	u64 coherent_dma_mask;
};
struct device_attribute {
	const char *name;
	umode_t mode;
	ssize_t (*show)(struct device *, struct device_attribute *, char *);
	ssize_t (*store)(struct device *, struct device_attribute *, const char *, size_t);
};
#define DEVICE_ATTR(name_, mode_, show_, store_)                                                   \
	struct device_attribute dev_attr_##name_ = {#name_, mode_, show_, store_}

/* The classes and devices themselves are the kernel's memory, not the module's. */
static inline struct class *kmlab_class(const struct kmlab_site *site, const char *name)
{
	static struct class classes[16];
	static unsigned int used;
	struct class *class = &classes[used++ % 16];

	*class = (struct class){.name = name};
	kmlab_api->hold(site, KMLAB_RES_CLASS, class, name);
	return class;
}
/* One argument since 6.4, two before. */
#define KMLAB_CLASS_1(name) kmlab_class(KMLAB_SITE("class_create"), name)
#define KMLAB_CLASS_2(owner, name) kmlab_class(KMLAB_SITE("class_create"), name)
#define KMLAB_CLASS(a, b, name, ...) name
#define class_create(...) KMLAB_CLASS(__VA_ARGS__, KMLAB_CLASS_2, KMLAB_CLASS_1, )(__VA_ARGS__)
#define class_destroy(class)                                                                       \
	((void)kmlab_api->give_back(KMLAB_SITE("class_destroy"), KMLAB_RES_CLASS, class))
static inline struct device *kmlab_device(const struct kmlab_site *site, struct class *class,
					  struct device *parent, dev_t number, void *data,
					  const char *name)
{
	static struct device devices[32];
	static unsigned int used;
	struct device *device = &devices[used++ % 32];

	*device = (struct device){.parent = parent,
				  .devt = number,
				  .class = class,
				  .driver_data = data,
				  .init_name = name};
	kmlab_api->hold(site, KMLAB_RES_DEVICE, (void *)(unsigned long)number, name);
	return device;
}
#define device_create(class, parent, number, data, name, ...)                                      \
	kmlab_device(KMLAB_SITE("device_create"), class, parent, number, data, name)
#define device_destroy(class, number)                                                              \
	((void)kmlab_api->give_back(KMLAB_SITE("device_destroy"), KMLAB_RES_DEVICE,                \
				    (void *)(unsigned long)(number)))
#define dev_set_drvdata(device, data) ((void)((device)->driver_data = (data)))
#define dev_get_drvdata(device) ((device)->driver_data)
#define dev_name(device) ((device)->init_name ? (device)->init_name : "device")
#define device_create_file(device, attribute) ((void)(device), (void)(attribute), 0)
#define device_remove_file(device, attribute) ((void)(device), (void)(attribute))

#define dev_printk(level, device, format, ...)                                                     \
	printk(level "%s: " format, (device) ? dev_name(device) : "(NULL device *)", ##__VA_ARGS__)
#define dev_info(device, format, ...) dev_printk(KERN_INFO, device, format, ##__VA_ARGS__)
#define dev_err(device, format, ...) dev_printk(KERN_ERR, device, format, ##__VA_ARGS__)
#define dev_warn(device, format, ...) dev_printk(KERN_WARNING, device, format, ##__VA_ARGS__)
#define dev_notice(device, format, ...) dev_printk(KERN_NOTICE, device, format, ##__VA_ARGS__)
#define dev_dbg(device, format, ...) ((void)(device))

#endif
