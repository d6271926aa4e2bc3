/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files for who debugs (fs/debugfs). Their inodes and dentries are the file system's, not counted
 * as the module's. What is created below a directory goes with it.
 */
#ifndef _LINUX_DEBUGFS_H
#define _LINUX_DEBUGFS_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

struct debugfs_blob_wrapper {
	void *data;
	unsigned long size;
};

/* The topmost directory's entries; those of others hang on their own. */
__attribute__((weak)) struct dentry kmlab_debugfs_root;

static inline struct dentry *kmlab_debugfs(const struct kmlab_site *site, const char *name,
					   struct dentry *parent,
					   const struct file_operations *fops, void *data)
{
	struct dentry *entry = kmlab_api->own_memory(sizeof(*entry));
	size_t length = strlen(name) + 1;
	char *copy = kmlab_api->own_memory(length);

	__builtin_memcpy(copy, name, length);
	parent = IS_ERR_OR_NULL(parent) ? &kmlab_debugfs_root : parent;
	for (struct dentry *at = parent->kmlab_children; at; at = at->kmlab_next)
		if (strcmp((const char *)at->d_name.name, name) == 0) {
			printk("debugfs: '%s' is already there\n", name);
			return ERR_PTR(-EEXIST);
		}
	*entry = (struct dentry){.d_name = {.len = length - 1, .name = (unsigned char *)copy},
				 .d_parent = parent,
				 .kmlab_next = parent->kmlab_children};
	parent->kmlab_children = entry;
	if (fops) {
		entry->kmlab_node = kmlab_node_add(copy, fops, 0, data, NULL);
		entry->kmlab_node->site = site;
		entry->d_inode = &entry->kmlab_node->inode;
	}
	if (parent == &kmlab_debugfs_root)
		kmlab_api->hold(site, KMLAB_RES_DEBUGFS, entry, copy);
	return entry;
}
static inline void kmlab_debugfs_gone(const struct kmlab_site *site, struct dentry *entry)
{
	struct dentry **link;

	if (IS_ERR_OR_NULL(entry))
		return;
	while (entry->kmlab_children)
		kmlab_debugfs_gone(site, entry->kmlab_children);
	link = &entry->d_parent->kmlab_children;
	while (*link && *link != entry)
		link = &(*link)->kmlab_next;
	if (!*link) {
		kmlab_api->complain(site, KMLAB_FAULT_REFERENCE,
				    "%s of the debugfs entry \"%s\", which was removed before",
				    site->call, (const char *)entry->d_name.name);
		return;
	}
	*link = entry->kmlab_next;
	if (entry->kmlab_node)
		kmlab_api->remove_file(entry->kmlab_node);
	if (entry->d_parent == &kmlab_debugfs_root)
		kmlab_api->give_back(site, KMLAB_RES_DEBUGFS, entry);
}
#define debugfs_create_dir(name, parent)                                                           \
	kmlab_debugfs(KMLAB_SITE("debugfs_create_dir"), name, parent, NULL, NULL)
#define debugfs_create_file(name, mode, parent, data, fops)                                        \
	kmlab_debugfs(KMLAB_SITE("debugfs_create_file"), name, parent, fops, data)
#define debugfs_create_file_unsafe debugfs_create_file
#define debugfs_remove(entry) kmlab_debugfs_gone(KMLAB_SITE("debugfs_remove"), entry)
#define debugfs_remove_recursive(entry)                                                            \
	kmlab_debugfs_gone(KMLAB_SITE("debugfs_remove_recursive"), entry)
#define debugfs_initialized() true
static inline struct dentry *debugfs_lookup(const char *name, struct dentry *parent)
{
	parent = parent ? parent : &kmlab_debugfs_root;
	for (struct dentry *at = parent->kmlab_children; at; at = at->kmlab_next)
		if (strcmp((const char *)at->d_name.name, name) == 0)
			return at;
	return NULL;
}

/* ---- files of one number (fs/libfs.c: 112 bytes while one is open) ---- */

struct simple_attr {
	int (*get)(void *, u64 *);
	int (*set)(void *, u64);
	char get_buf[24], set_buf[24];
	void *data;
	const char *fmt;
	const struct kmlab_site *kmlab_site;
	char kmlab_mutex[24];
};
KMLAB_TEXT int kmlab_simple_attr_open(const struct kmlab_site *site, struct inode *inode,
				      struct file *file, int (*get)(void *, u64 *),
				      int (*set)(void *, u64), const char *format)
{
	struct simple_attr *attr =
		kmlab_api->do_kmalloc(site, sizeof(*attr), GFP_KERNEL | __GFP_ZERO, -1);

	if (!attr)
		return -ENOMEM;
	attr->get = get;
	attr->set = set;
	attr->data = inode->i_private;
	attr->fmt = format;
	attr->kmlab_site = site;
	file->private_data = attr;
	return 0;
}
#define simple_attr_open(inode, file, get, set, format)                                            \
	kmlab_simple_attr_open(KMLAB_SITE("simple_attr_open"), inode, file, get, set, format)
#define debugfs_attr_read simple_attr_read
#define debugfs_attr_write simple_attr_write
static inline ssize_t simple_attr_read(struct file *file, char __user *to, size_t n, loff_t *at)
{
	struct simple_attr *attr = file->private_data;
	u64 value;
	int ret;

	if (!attr->get)
		return -EACCES;
	ret = *at ? 0 : attr->get(attr->data, &value);
	if (ret)
		return ret;
	if (!*at)
		scnprintf(attr->get_buf, sizeof(attr->get_buf), attr->fmt, value);
	return simple_read_from_buffer(to, n, at, attr->get_buf, strlen(attr->get_buf));
}
static inline ssize_t simple_attr_write(struct file *file, const char __user *from, size_t n,
					loff_t *at)
{
	struct simple_attr *attr = file->private_data;
	size_t used = min(sizeof(attr->set_buf) - 1, n);
	u64 value;
	int ret;

	if (!attr->set)
		return -EACCES;
	if (copy_from_user(attr->set_buf, from, used))
		return -EFAULT;
	attr->set_buf[used] = 0;
	ret = kstrtoull(attr->set_buf, 0, &value);
	if (!ret)
		ret = attr->set(attr->data, value);
	return ret ? ret : (ssize_t)n;
}
static inline int simple_attr_release(struct inode *inode, struct file *file)
{
	struct simple_attr *attr = file->private_data;

	kmlab_api->do_kfree(attr->kmlab_site, attr, 0);
	return 0;
}
#define DEFINE_SIMPLE_ATTRIBUTE(name, get, set, format)                                            \
	static int name##_open(struct inode *inode, struct file *file)                             \
	{                                                                                          \
		return simple_attr_open(inode, file, get, set, format);                            \
	}                                                                                          \
	static const struct file_operations name = {.owner = THIS_MODULE,                          \
						    .open = name##_open,                           \
						    .release = simple_attr_release,                \
						    .read = simple_attr_read,                      \
						    .write = simple_attr_write}
#define DEFINE_DEBUGFS_ATTRIBUTE DEFINE_SIMPLE_ATTRIBUTE

#define KMLAB_DEBUGFS_NUMBER(name, type, format)                                                   \
	static inline int kmlab_debugfs_get_##name(void *data, u64 *value)                         \
	{                                                                                          \
		*value = *(type *)data;                                                            \
		return 0;                                                                          \
	}                                                                                          \
	static inline int kmlab_debugfs_set_##name(void *data, u64 value)                          \
	{                                                                                          \
		*(type *)data = (type)value;                                                       \
		return 0;                                                                          \
	}                                                                                          \
	static inline int kmlab_debugfs_open_##name(struct inode *inode, struct file *file)        \
	{                                                                                          \
		const struct kmlab_node *node = container_of(inode, struct kmlab_node, inode);     \
		return kmlab_simple_attr_open(node->site, inode, file, kmlab_debugfs_get_##name,   \
					      kmlab_debugfs_set_##name, format);                   \
	}                                                                                          \
	__attribute__((weak)) const struct file_operations kmlab_debugfs_fops_##name = {           \
		.open = kmlab_debugfs_open_##name,                                                 \
		.release = simple_attr_release,                                                    \
		.read = simple_attr_read,                                                          \
		.write = simple_attr_write}
KMLAB_DEBUGFS_NUMBER(u8, u8, "%llu\n");
KMLAB_DEBUGFS_NUMBER(u16, u16, "%llu\n");
KMLAB_DEBUGFS_NUMBER(u32, u32, "%llu\n");
KMLAB_DEBUGFS_NUMBER(u64, u64, "%llu\n");
KMLAB_DEBUGFS_NUMBER(x8, u8, "0x%02llx\n");
KMLAB_DEBUGFS_NUMBER(x16, u16, "0x%04llx\n");
KMLAB_DEBUGFS_NUMBER(x32, u32, "0x%08llx\n");
KMLAB_DEBUGFS_NUMBER(x64, u64, "0x%016llx\n");
KMLAB_DEBUGFS_NUMBER(ulong, unsigned long, "%llu\n");
KMLAB_DEBUGFS_NUMBER(size_t, size_t, "%llu\n");
KMLAB_DEBUGFS_NUMBER(atomic_t, int, "%lld\n");
KMLAB_DEBUGFS_NUMBER(bool, bool, "%llu\n");
#define KMLAB_DEBUGFS_FILE(name, type, parent, value)                                              \
	((void)kmlab_debugfs(KMLAB_SITE("debugfs_create_" #type), name, parent,                    \
			     &kmlab_debugfs_fops_##type, value))
#define debugfs_create_u8(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, u8, parent, value)
#define debugfs_create_u16(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, u16, parent, value)
#define debugfs_create_u32(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, u32, parent, value)
#define debugfs_create_u64(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, u64, parent, value)
#define debugfs_create_x8(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, x8, parent, value)
#define debugfs_create_x16(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, x16, parent, value)
#define debugfs_create_x32(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, x32, parent, value)
#define debugfs_create_x64(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, x64, parent, value)
#define debugfs_create_ulong(name, mode, parent, value)                                            \
	KMLAB_DEBUGFS_FILE(name, ulong, parent, value)
#define debugfs_create_size_t(name, mode, parent, value)                                           \
	KMLAB_DEBUGFS_FILE(name, size_t, parent, value)
#define debugfs_create_atomic_t(name, mode, parent, value)                                         \
	KMLAB_DEBUGFS_FILE(name, atomic_t, parent, value)
#define debugfs_create_bool(name, mode, parent, value) KMLAB_DEBUGFS_FILE(name, bool, parent, value)
static inline ssize_t kmlab_blob_read(struct file *file, char __user *to, size_t n, loff_t *at)
{
	struct debugfs_blob_wrapper *blob = file->private_data;

	return simple_read_from_buffer(to, n, at, blob->data, blob->size);
}
__attribute__((weak))
const struct file_operations kmlab_blob_fops = {.open = simple_open, .read = kmlab_blob_read};
#define debugfs_create_blob(name, mode, parent, blob)                                              \
	kmlab_debugfs(KMLAB_SITE("debugfs_create_blob"), name, parent, &kmlab_blob_fops, blob)

#endif
