/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_PROC_FS_H
#define _LINUX_PROC_FS_H

#include <linux/fs.h>
#include <linux/seq_file.h>

struct proc_ops {
	unsigned int proc_flags;
	int (*proc_open)(struct inode *, struct file *);
	ssize_t (*proc_read)(struct file *, char __user *, size_t, loff_t *);
	ssize_t (*proc_write)(struct file *, const char __user *, size_t, loff_t *);
	loff_t (*proc_lseek)(struct file *, loff_t, int);
	int (*proc_release)(struct inode *, struct file *);
	long (*proc_ioctl)(struct file *, unsigned int, unsigned long);
};
struct proc_dir_entry {
	const char *name;
	struct file_operations fops;
	struct kmlab_node *node;
};
static inline struct proc_dir_entry *kmlab_proc(const struct kmlab_site *site, const char *name,
						const struct proc_ops *ops,
						int (*show)(struct seq_file *, void *), void *data)
{
	static struct proc_dir_entry entries[32];
	static unsigned int used;
	struct proc_dir_entry *entry = &entries[used++ % 32];

	*entry = (struct proc_dir_entry){.name = name};
	kmlab_api->hold(site, KMLAB_RES_PROC, entry, name);
	if (!ops)
		return entry;
	entry->fops.open = ops->proc_open;
	entry->fops.read = ops->proc_read;
	entry->fops.write = ops->proc_write;
	entry->fops.release = ops->proc_release;
	entry->node = kmlab_node_add(name, &entry->fops, 0, data, NULL);
	return entry;
}
#define proc_create(name, mode, parent, ops)                                                       \
	kmlab_proc(KMLAB_SITE("proc_create"), name, ops, NULL, NULL)
#define proc_create_data(name, mode, parent, ops, data)                                            \
	kmlab_proc(KMLAB_SITE("proc_create_data"), name, ops, NULL, data)
#define proc_mkdir(name, parent) kmlab_proc(KMLAB_SITE("proc_mkdir"), name, NULL, NULL, NULL)
static inline void kmlab_proc_remove(const struct kmlab_site *site, struct proc_dir_entry *entry)
{
	kmlab_api->give_back(site, KMLAB_RES_PROC, entry);
	if (entry && entry->node)
		kmlab_api->remove_file(entry->node);
}
#define proc_remove(entry) kmlab_proc_remove(KMLAB_SITE("proc_remove"), entry)
/* Found by its name. */
#define remove_proc_entry(name, parent)                                                            \
	((void)kmlab_api->give_back(KMLAB_SITE("remove_proc_entry"), KMLAB_RES_PROC, name))
#define remove_proc_subtree remove_proc_entry
#define pde_data(inode) ((inode)->i_private)
#define PDE_DATA pde_data

#endif
