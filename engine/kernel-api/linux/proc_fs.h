/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_PROC_FS_H
#define _LINUX_PROC_FS_H

#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/uidgid.h>

struct proc_ops {
	unsigned int proc_flags;
	int (*proc_open)(struct inode *, struct file *);
	ssize_t (*proc_read)(struct file *, char __user *, size_t, loff_t *);
	ssize_t (*proc_write)(struct file *, const char __user *, size_t, loff_t *);
	loff_t (*proc_lseek)(struct file *, loff_t, int);
	int (*proc_release)(struct inode *, struct file *);
	unsigned int (*proc_poll)(struct file *, struct poll_table_struct *);
	long (*proc_ioctl)(struct file *, unsigned int, unsigned long);
	int (*proc_mmap)(struct file *, struct vm_area_struct *);
};
struct proc_dir_entry {
	const char *name;
	struct file_operations fops;
	struct kmlab_node *node;
	struct proc_dir_entry *parent, *next;
	const struct seq_operations *seq_ops;
	int (*show)(struct seq_file *, void *);
	unsigned int state_size;
	void *data;
	const struct kmlab_site *site;
};
__attribute__((weak)) struct proc_dir_entry *kmlab_proc_entries;

static inline int kmlab_proc_seq_open(struct inode *inode, struct file *file);
static inline int kmlab_proc_seq_release(struct inode *inode, struct file *file);
/* Entries are the file system's memory (proc_dir_entry), not counted as the module's. */
static inline struct proc_dir_entry *kmlab_proc(const struct kmlab_site *site, const char *name,
						struct proc_dir_entry *parent,
						const struct proc_ops *ops, void *data)
{
	struct proc_dir_entry *entry = kmlab_api->own_memory(sizeof(*entry));

	for (struct proc_dir_entry *at = kmlab_proc_entries; at; at = at->next)
		if (at->parent == parent && strcmp(at->name, name) == 0)
			kmlab_api->complain(site, KMLAB_FAULT_CHECK,
					    "warning: proc_dir_entry \"%s\" is already registered",
					    name);
	*entry = (struct proc_dir_entry){.name = name,
					 .parent = parent,
					 .next = kmlab_proc_entries,
					 .data = data,
					 .site = site};
	kmlab_proc_entries = entry;
	kmlab_api->hold(site, KMLAB_RES_PROC, entry, name);
	if (!ops)
		return entry;
	entry->fops.open = ops->proc_open;
	entry->fops.read = ops->proc_read;
	entry->fops.write = ops->proc_write;
	entry->fops.release = ops->proc_release;
	entry->fops.mmap = ops->proc_mmap;
	entry->node = kmlab_node_add(name, &entry->fops, 0, data, NULL);
	return entry;
}
static inline struct proc_dir_entry *kmlab_proc_seq(const struct kmlab_site *site, const char *name,
						    struct proc_dir_entry *parent,
						    const struct seq_operations *seq_ops,
						    int (*show)(struct seq_file *, void *),
						    unsigned int state_size, void *data)
{
	static const struct proc_ops ops = {.proc_open = kmlab_proc_seq_open,
					    .proc_read = seq_read,
					    .proc_release = kmlab_proc_seq_release};
	struct proc_dir_entry *entry = kmlab_proc(site, name, parent, &ops, data);

	entry->seq_ops = seq_ops;
	entry->show = show;
	entry->state_size = state_size;
	entry->node->inode.i_private = entry;
	return entry;
}
static inline int kmlab_proc_seq_open(struct inode *inode, struct file *file)
{
	struct proc_dir_entry *entry = inode->i_private;

	if (entry->show)
		return kmlab_single_open(entry->site, file, entry->show, entry->data, 0);
	if (!entry->state_size)
		return kmlab_seq_open(entry->site, file, entry->seq_ops, NULL);
	return kmlab_seq_private(entry->site, file, entry->seq_ops, (int)entry->state_size)
		       ? 0
		       : -ENOMEM;
}
static inline int kmlab_proc_seq_release(struct inode *inode, struct file *file)
{
	struct proc_dir_entry *entry = inode->i_private;

	return entry->show         ? single_release(inode, file)
	       : entry->state_size ? seq_release_private(inode, file)
				   : seq_release(inode, file);
}
/* Up to 5.5 an entry had a struct file_operations: it is taken, and that is said. */
static inline const struct proc_ops *kmlab_proc_ops(const struct proc_ops *ops)
{
	return ops;
}
static inline const struct proc_ops *kmlab_proc_fops(const struct file_operations *fops)
{
	struct proc_ops *ops = kmlab_api->own_memory(sizeof(*ops));

	*ops = (struct proc_ops){.proc_open = fops->open,
				 .proc_read = fops->read,
				 .proc_write = fops->write,
				 .proc_lseek = fops->llseek,
				 .proc_release = fops->release,
				 .proc_poll = fops->poll,
				 .proc_ioctl = fops->unlocked_ioctl,
				 .proc_mmap = fops->mmap};
	printk("kmlab: since 5.6 proc_create() takes a struct proc_ops: a real build would fail\n");
	return ops;
}
#define KMLAB_PROC_OPS(ops)                                                                        \
	_Generic((ops),                                                                            \
		 struct file_operations *: kmlab_proc_fops,                                        \
		 const struct file_operations *: kmlab_proc_fops,                                  \
		 default: kmlab_proc_ops)((const void *)(ops))
#define proc_create(name, mode, parent, ops)                                                       \
	kmlab_proc(KMLAB_SITE("proc_create"), name, parent, KMLAB_PROC_OPS(ops), NULL)
#define proc_create_data(name, mode, parent, ops, data)                                            \
	kmlab_proc(KMLAB_SITE("proc_create_data"), name, parent, KMLAB_PROC_OPS(ops), data)
#define proc_mkdir(name, parent) kmlab_proc(KMLAB_SITE("proc_mkdir"), name, parent, NULL, NULL)
#define proc_create_single(name, mode, parent, show)                                               \
	kmlab_proc_seq(KMLAB_SITE("proc_create_single"), name, parent, NULL, show, 0, NULL)
#define proc_create_single_data(name, mode, parent, show, data)                                    \
	kmlab_proc_seq(KMLAB_SITE("proc_create_single_data"), name, parent, NULL, show, 0, data)
#define proc_create_seq(name, mode, parent, ops)                                                   \
	kmlab_proc_seq(KMLAB_SITE("proc_create_seq"), name, parent, ops, NULL, 0, NULL)
#define proc_create_seq_data(name, mode, parent, ops, data)                                        \
	kmlab_proc_seq(KMLAB_SITE("proc_create_seq_data"), name, parent, ops, NULL, 0, data)
#define proc_create_seq_private(name, mode, parent, ops, bytes, data)                              \
	kmlab_proc_seq(KMLAB_SITE("proc_create_seq_private"), name, parent, ops, NULL, bytes, data)
#define proc_symlink(name, parent, to)                                                             \
	kmlab_proc(KMLAB_SITE("proc_symlink"), name, parent, NULL, NULL)
#define proc_set_size(entry, bytes) ((void)((entry)->node->inode.i_size = (bytes)))
#define proc_set_user(entry, uid, gid) ((void)(entry), (void)(uid), (void)(gid))

/* An entry goes with all that is below it. */
static inline void kmlab_proc_remove(const struct kmlab_site *site, struct proc_dir_entry *entry)
{
	struct proc_dir_entry **link = &kmlab_proc_entries, *below;

	if (!entry)
		return;
	while (*link && *link != entry)
		link = &(*link)->next;
	if (*link)
		*link = entry->next;
	for (below = kmlab_proc_entries; below;
	     below = below->parent == entry ? (kmlab_proc_remove(site, below), kmlab_proc_entries)
					    : below->next)
		;
	kmlab_api->give_back(site, KMLAB_RES_PROC, entry);
	if (entry->node)
		kmlab_api->remove_file(entry->node);
}
#define proc_remove(entry) kmlab_proc_remove(KMLAB_SITE("proc_remove"), entry)
static inline void kmlab_proc_remove_named(const struct kmlab_site *site, const char *name,
					   struct proc_dir_entry *parent)
{
	struct proc_dir_entry *entry = kmlab_proc_entries;

	while (entry && (entry->parent != parent || strcmp(entry->name, name) != 0))
		entry = entry->next;
	if (entry)
		kmlab_proc_remove(site, entry);
	else
		kmlab_api->complain(site, KMLAB_FAULT_CHECK, "warning: %s: there is no \"%s\"",
				    site->call, name);
}
#define remove_proc_entry(name, parent)                                                            \
	kmlab_proc_remove_named(KMLAB_SITE("remove_proc_entry"), name, parent)
#define remove_proc_subtree(name, parent)                                                          \
	(kmlab_proc_remove_named(KMLAB_SITE("remove_proc_subtree"), name, parent), 0)
#define pde_data(inode) ((inode)->i_private)
#define PDE_DATA pde_data

#endif
