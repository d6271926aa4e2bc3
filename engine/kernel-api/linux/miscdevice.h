/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MISCDEVICE_H
#define _LINUX_MISCDEVICE_H

#include <linux/device.h>
#include <linux/fs.h>

#define MISC_DYNAMIC_MINOR 255

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	struct device *parent, *this_device;
	const char *nodename;
	umode_t mode;
	struct kmlab_node *kmlab_node;
};
static inline int kmlab_misc(const struct kmlab_site *site, struct miscdevice *misc)
{
	kmlab_api->hold(site, KMLAB_RES_MISC, misc, misc->name);
	misc->kmlab_node =
		kmlab_node_add(misc->name, misc->fops, MKDEV(10, misc->minor), NULL, NULL);
	return 0;
}
#define misc_register(misc) kmlab_misc(KMLAB_SITE("misc_register"), misc)
#define misc_deregister(misc)                                                                      \
	(kmlab_api->remove_file((misc)->kmlab_node),                                               \
	 (void)kmlab_api->give_back(KMLAB_SITE("misc_deregister"), KMLAB_RES_MISC, misc))

#endif
