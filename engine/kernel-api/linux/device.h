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
	struct device_driver *driver;
	struct kmlab_devres *kmlab_devres; /* newest first */
};
struct device_driver {
	const char *name;
	struct module *owner;
	const void *of_match_table, *acpi_match_table, *pm;
};
struct device_attribute {
	const char *name;
	umode_t mode;
	ssize_t (*show)(struct device *, struct device_attribute *, char *);
	ssize_t (*store)(struct device *, struct device_attribute *, const char *, size_t);
};
#define DEVICE_ATTR(name_, mode_, show_, store_)                                                   \
	struct device_attribute dev_attr_##name_ = {#name_, mode_, show_, store_}
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
__attribute__((weak)) struct device kmlab_devices[32];
static inline struct device *kmlab_device(const struct kmlab_site *site, struct class *class,
					  struct device *parent, dev_t number, void *data,
					  const char *name)
{
	static unsigned int used;
	struct device *device = &kmlab_devices[used++ % 32];

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
static inline void kmlab_device_gone(const struct kmlab_site *site, dev_t number)
{
	for (unsigned int i = 0; i < 32; i++)
		if (kmlab_devices[i].class && kmlab_devices[i].devt == number)
			kmlab_devres_release(site, &kmlab_devices[i]);
	kmlab_api->give_back(site, KMLAB_RES_DEVICE, (void *)(unsigned long)number);
}
#define device_destroy(class, number) kmlab_device_gone(KMLAB_SITE("device_destroy"), number)
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
