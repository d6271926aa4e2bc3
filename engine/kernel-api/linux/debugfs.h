/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_DEBUGFS_H
#define _LINUX_DEBUGFS_H

#include <linux/fs.h>
#include <linux/seq_file.h>

struct dentry {
	const char *name;
};
static inline struct dentry *kmlab_debugfs(const struct kmlab_site *site, const char *name,
					   const struct file_operations *fops, void *data)
{
	static struct dentry entries[64];
	static unsigned int used;
	struct dentry *entry = &entries[used++ % 64];

	entry->name = name;
	if (fops)
		kmlab_node_add(name, fops, 0, data, NULL);
	return entry;
}
#define debugfs_create_dir(name, parent)                                                           \
	({                                                                                         \
		struct dentry *kmlab_dir_ =                                                        \
			kmlab_debugfs(KMLAB_SITE("debugfs_create_dir"), name, NULL, NULL);         \
		if (!(parent))                                                                     \
			kmlab_api->hold(KMLAB_SITE("debugfs_create_dir"), KMLAB_RES_DEBUGFS,       \
					kmlab_dir_, name);                                         \
		kmlab_dir_;                                                                        \
	})
#define debugfs_create_file(name, mode, parent, data, fops)                                        \
	kmlab_debugfs(KMLAB_SITE("debugfs_create_file"), name, fops, data)
#define debugfs_create_u32(name, mode, parent, value) ((void)(value))
#define debugfs_create_u64(name, mode, parent, value) ((void)(value))
#define debugfs_create_bool(name, mode, parent, value) ((void)(value))
#define debugfs_remove_recursive(entry)                                                            \
	((void)((entry) && kmlab_api->give_back(KMLAB_SITE("debugfs_remove_recursive"),            \
						KMLAB_RES_DEBUGFS, entry)))
#define debugfs_remove debugfs_remove_recursive

#endif
