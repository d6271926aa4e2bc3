/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices and drivers that find each other by name (drivers/base/platform.c): whichever comes
 * second, probe is called then. When one of the two goes, remove is, and then all that devm_*
 * functions allocated is freed.
 */
#ifndef _LINUX_PLATFORM_DEVICE_H
#define _LINUX_PLATFORM_DEVICE_H

#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/mod_devicetable.h>
#include <linux/version.h>

#define PLATFORM_DEVID_NONE (-1)
#define PLATFORM_DEVID_AUTO (-2)

struct platform_device {
	const char *name;
	int id;
	struct device dev;
	u32 num_resources;
	struct resource *resource;
	struct platform_device *kmlab_next;
	bool kmlab_allocated;
};
struct platform_driver {
	int (*probe)(struct platform_device *);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	int (*remove)(struct platform_device *); /* what it returns is passed over */
#else
	void (*remove)(struct platform_device *);
#endif
	void (*remove_new)(struct platform_device *); /* 6.3 to 6.13 */
	void (*shutdown)(struct platform_device *);
	struct device_driver driver;
	const struct platform_device_id *id_table;
	struct platform_driver *kmlab_next;
};
#define to_platform_device(device) container_of(device, struct platform_device, dev)
#define platform_get_drvdata(device) dev_get_drvdata(&(device)->dev)
#define platform_set_drvdata(device, data) dev_set_drvdata(&(device)->dev, data)

__attribute__((weak)) struct platform_device *kmlab_platform_devices;
__attribute__((weak)) struct platform_driver *kmlab_platform_drivers;

static inline bool kmlab_matches(const struct platform_device *device,
				 const struct platform_driver *driver)
{
	const struct platform_device_id *id = driver->id_table;

	for (; id && id->name[0]; id++)
		if (strcmp(id->name, device->name) == 0)
			return true;
	return !driver->id_table && strcmp(device->name, driver->driver.name) == 0;
}
static inline void kmlab_probe(const struct kmlab_site *site, struct platform_device *device,
			       struct platform_driver *driver)
{
	int ret;

	if (device->dev.driver || !kmlab_matches(device, driver))
		return;
	device->dev.driver = &driver->driver;
	ret = driver->probe ? driver->probe(device) : 0;
	if (!ret)
		return;
	pr_warn("%s: probe failed with error %d\n", device->name, ret);
	kmlab_devres_release(site, &device->dev);
	device->dev.driver = NULL;
}
static inline void kmlab_remove(const struct kmlab_site *site, struct platform_device *device)
{
	struct platform_driver *driver =
		container_of(device->dev.driver, struct platform_driver, driver);

	if (!device->dev.driver)
		return;
	if (driver->remove)
		driver->remove(device);
	else if (driver->remove_new)
		driver->remove_new(device);
	kmlab_devres_release(site, &device->dev);
	device->dev.driver = NULL;
	device->dev.driver_data = NULL;
}

/* ---- drivers ---- */

static inline int kmlab_driver_register(const struct kmlab_site *site,
					struct platform_driver *driver)
{
	kmlab_api->hold(site, KMLAB_RES_DRIVER, driver, driver->driver.name);
	driver->kmlab_next = kmlab_platform_drivers;
	kmlab_platform_drivers = driver;
	for (struct platform_device *d = kmlab_platform_devices; d; d = d->kmlab_next)
		kmlab_probe(site, d, driver);
	return 0;
}
static inline void kmlab_driver_unregister(const struct kmlab_site *site,
					   struct platform_driver *driver)
{
	struct platform_driver **link = &kmlab_platform_drivers;

	kmlab_api->give_back(site, KMLAB_RES_DRIVER, driver);
	for (struct platform_device *d = kmlab_platform_devices; d; d = d->kmlab_next)
		if (d->dev.driver == &driver->driver)
			kmlab_remove(site, d);
	while (*link && *link != driver)
		link = &(*link)->kmlab_next;
	if (*link)
		*link = driver->kmlab_next;
}
#define platform_driver_register(driver)                                                           \
	kmlab_driver_register(KMLAB_SITE("platform_driver_register"), driver)
#define platform_driver_unregister(driver)                                                         \
	kmlab_driver_unregister(KMLAB_SITE("platform_driver_unregister"), driver)
#define module_driver(driver, enter, leave)                                                        \
	static int __init driver##_init(void)                                                      \
	{                                                                                          \
		return enter(&(driver));                                                           \
	}                                                                                          \
	module_init(driver##_init);                                                                \
	static void __exit driver##_exit(void)                                                     \
	{                                                                                          \
		leave(&(driver));                                                                  \
	}                                                                                          \
	module_exit(driver##_exit)
#define module_platform_driver(driver)                                                             \
	module_driver(driver, platform_driver_register, platform_driver_unregister)

/* ---- devices ---- */

/* struct platform_object, before the name; of the module's own devices this is not asked for. */
#define KMLAB_PLATFORM_BYTES 768
_Static_assert(sizeof(struct platform_device) <= KMLAB_PLATFORM_BYTES,
	       "as many bytes as the kernel's");

static inline int kmlab_pdev_add(const struct kmlab_site *site, struct platform_device *device)
{
	kmlab_api->hold(site, KMLAB_RES_DEVICE, device, device->name);
	device->dev.init_name = device->name;
	device->kmlab_next = kmlab_platform_devices;
	kmlab_platform_devices = device;
	for (struct platform_driver *d = kmlab_platform_drivers; d; d = d->kmlab_next)
		kmlab_probe(site, device, d);
	return 0;
}
static inline void kmlab_pdev_put(const struct kmlab_site *site, struct platform_device *device)
{
	if (device && device->kmlab_allocated)
		kmlab_api->do_kfree(site, device, 0);
	else if (device && device->dev.release)
		device->dev.release(&device->dev);
}
static inline void kmlab_pdev_gone(const struct kmlab_site *site, struct platform_device *device)
{
	struct platform_device **link = &kmlab_platform_devices;

	if (IS_ERR_OR_NULL(device))
		return;
	kmlab_api->give_back(site, KMLAB_RES_DEVICE, device);
	kmlab_remove(site, device);
	while (*link && *link != device)
		link = &(*link)->kmlab_next;
	if (*link)
		*link = device->kmlab_next;
	kmlab_pdev_put(site, device);
}
/* The name lies behind it, as in the kernel. */
static inline struct platform_device *kmlab_pdev_new(const struct kmlab_site *site,
						     const char *name, int id)
{
	size_t length = strlen(name) + 1;
	struct platform_device *device = kmlab_api->do_kmalloc(site, KMLAB_PLATFORM_BYTES + length,
							       GFP_KERNEL | __GFP_ZERO, -1);

	if (!device)
		return NULL;
	device->name = memcpy(device + 1, name, length);
	device->id = id;
	device->kmlab_allocated = true;
	return device;
}
static inline struct platform_device *kmlab_pdev_simple(const struct kmlab_site *site,
							const char *name, int id,
							const struct resource *resources,
							unsigned int count)
{
	struct platform_device *device = kmlab_pdev_new(site, name, id);

	if (!device)
		return ERR_PTR(-ENOMEM);
	device->resource = (struct resource *)resources;
	device->num_resources = count;
	kmlab_pdev_add(site, device);
	return device;
}
#define platform_device_register(device)                                                           \
	kmlab_pdev_add(KMLAB_SITE("platform_device_register"), device)
#define platform_device_unregister(device)                                                         \
	kmlab_pdev_gone(KMLAB_SITE("platform_device_unregister"), device)
#define platform_device_alloc(name, id)                                                            \
	kmlab_pdev_new(KMLAB_SITE("platform_device_alloc"), name, id)
#define platform_device_add(device) kmlab_pdev_add(KMLAB_SITE("platform_device_add"), device)
#define platform_device_put(device) kmlab_pdev_put(KMLAB_SITE("platform_device_put"), device)
#define platform_device_register_simple(name, id, resources, count)                                \
	kmlab_pdev_simple(KMLAB_SITE("platform_device_register_simple"), name, id, resources, count)

#endif
