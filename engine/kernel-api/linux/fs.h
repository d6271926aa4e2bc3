/* SPDX-License-Identifier: GPL-2.0-only */
/* Character devices: what open, read, write and release are given. */
#ifndef _LINUX_FS_H
#define _LINUX_FS_H

#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/kdev_t.h>
#include <linux/kernel.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/wait.h>

#define FMODE_READ 1
#define FMODE_WRITE 2
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

struct cdev;
struct super_block;
struct inode {
	umode_t i_mode;
	unsigned long i_ino;
	dev_t i_rdev;
	loff_t i_size;
	void *i_private;
	struct cdev *i_cdev;
};
struct qstr {
	u32 hash, len;
	const unsigned char *name;
};
struct dentry {
	struct qstr d_name;
	struct inode *d_inode;
	struct dentry *d_parent;
	struct kmlab_node *kmlab_node; /* of debugfs */
	struct dentry *kmlab_children, *kmlab_next;
};
struct path {
	struct dentry *dentry;
};
struct file {
	fmode_t f_mode;
	unsigned int f_flags;
	loff_t f_pos;
	void *private_data;
	const struct file_operations *f_op;
	struct inode *f_inode;
	struct path f_path;
	struct vm_area_struct *kmlab_vma; /* while it is mapped */
};
#define f_dentry f_path.dentry
struct poll_table_struct;
struct iov_iter;
struct kiocb;
struct file_operations {
	struct module *owner;
	loff_t (*llseek)(struct file *, loff_t, int);
	ssize_t (*read)(struct file *, char __user *, size_t, loff_t *);
	ssize_t (*write)(struct file *, const char __user *, size_t, loff_t *);
	unsigned int (*poll)(struct file *, struct poll_table_struct *);
	long (*unlocked_ioctl)(struct file *, unsigned int, unsigned long);
	long (*compat_ioctl)(struct file *, unsigned int, unsigned long);
	int (*mmap)(struct file *, struct vm_area_struct *);
	int (*open)(struct inode *, struct file *);
	int (*flush)(struct file *, void *);
	int (*release)(struct inode *, struct file *);
	int (*fsync)(struct file *, loff_t, loff_t, int);
	int (*fasync)(int, struct file *, int);
};
#define file_inode(file) ((file)->f_inode)
#define file_dentry(file) ((file)->f_path.dentry)
#define S_ISCHR(mode) (((mode)&0170000) == S_IFCHR)
#define S_ISREG(mode) (((mode)&0170000) == S_IFREG)
#define iminor(inode) MINOR((inode)->i_rdev)
#define imajor(inode) MAJOR((inode)->i_rdev)

static inline int nonseekable_open(struct inode *inode, struct file *file)
{
	return 0;
}
static inline loff_t no_llseek(struct file *file, loff_t offset, int whence)
{
	return -ESPIPE;
}
static inline loff_t default_llseek(struct file *file, loff_t offset, int whence)
{
	offset += whence == SEEK_CUR ? file->f_pos : whence == SEEK_END ? file->f_inode->i_size : 0;
	if (offset < 0)
		return -EINVAL;
	return file->f_pos = offset;
}
static inline loff_t noop_llseek(struct file *file, loff_t offset, int whence)
{
	return file->f_pos;
}
#define generic_file_llseek default_llseek
static inline int simple_open(struct inode *inode, struct file *file)
{
	if (inode->i_private)
		file->private_data = inode->i_private;
	return 0;
}
/* Nobody is told of a signal here. */
struct fasync_struct {
	int kmlab_unused;
};
#define fasync_helper(fd, file, on, queue) ((void)(file), (void)(queue), 0)
#define kill_fasync(queue, signal, band) ((void)(queue))

/* ---- a file as the runner uses it (--files) ---- */

struct kmlab_node {
	struct kmlab_file file;
	const struct file_operations *fops;
	struct inode inode;
	struct dentry dentry;
	struct vm_area_struct vma;
	const struct kmlab_site *site; /* NULL: what is opened says where */
};

static inline int kmlab_node_open(void *context, void **out)
{
	struct kmlab_node *node = context;
	struct file *file = kmlab_api->own_memory(sizeof(*file));

	*file = (struct file){.f_mode = FMODE_READ | FMODE_WRITE,
			      .f_flags = O_RDWR,
			      .f_op = node->fops,
			      .f_inode = &node->inode,
			      .f_path = {&node->dentry}};
	*out = file;
	return node->fops->open ? node->fops->open(&node->inode, file) : 0;
}
static inline long kmlab_node_read(void *object, char *buffer, unsigned long bytes)
{
	struct file *file = object;

	return file->f_op->read ? file->f_op->read(file, buffer, bytes, &file->f_pos) : -EINVAL;
}
static inline long kmlab_node_write(void *object, const char *buffer, unsigned long bytes)
{
	struct file *file = object;
	loff_t start = 0;

	return file->f_op->write ? file->f_op->write(file, buffer, bytes, &start) : -EINVAL;
}
/* Where a process would have it. */
#define KMLAB_USER_ADDRESS 0x7f0000000000UL
static inline int kmlab_node_map(void *object, unsigned long bytes)
{
	struct file *file = object;
	struct kmlab_node *node = container_of(file->f_inode, struct kmlab_node, inode);
	struct vm_area_struct *vma = &node->vma;

	*vma = (struct vm_area_struct){.vm_start = KMLAB_USER_ADDRESS,
				       .vm_end = KMLAB_USER_ADDRESS + bytes,
				       .vm_mm = &kmlab_mm,
				       .vm_flags = VM_READ | VM_WRITE | VM_SHARED,
				       .vm_file = file};
	file->kmlab_vma = vma;
	return file->f_op->mmap ? file->f_op->mmap(file, vma) : -ENODEV;
}
static inline long kmlab_node_fault(void *object, unsigned long page)
{
	struct vm_area_struct *vma = ((struct file *)object)->kmlab_vma;
	struct vm_fault fault = {.vma = vma,
				 .pgoff = vma->vm_pgoff + page,
				 .address = vma->vm_start + page * PAGE_SIZE};
	struct page *head;
	unsigned int got;

	if (!vma->vm_ops || !vma->vm_ops->fault)
		return -ENOSYS;
	got = vma->vm_ops->fault(&fault);
	if ((got & VM_FAULT_ERROR) || !fault.page)
		return -EFAULT;
	/* The mapping's reference goes with the mapping. */
	head = compound_head(fault.page);
	head->_refcount.counter -= head->_refcount.counter > 0;
	return page_to_pfn(fault.page);
}
static inline void kmlab_node_unmap(void *object)
{
	struct vm_area_struct *vma = ((struct file *)object)->kmlab_vma;

	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
}
static inline void kmlab_node_release(void *object)
{
	struct file *file = object;

	if (file->f_op->release)
		file->f_op->release(file->f_inode, file);
}
static inline struct kmlab_node *kmlab_node_add(const char *name,
						const struct file_operations *fops, dev_t number,
						void *private, struct cdev *cdev)
{
	struct kmlab_node *node = kmlab_api->own_memory(sizeof(*node));

	*node = (struct kmlab_node){
		.file = {.name = name,
			 .open = kmlab_node_open,
			 .read = kmlab_node_read,
			 .write = kmlab_node_write,
			 .release = kmlab_node_release},
		.fops = fops,
		.dentry = {.d_name = {.len = strlen(name), .name = (const unsigned char *)name}},
		.inode = {.i_mode = S_IFCHR | 0600,
			  .i_rdev = number,
			  .i_private = private,
			  .i_cdev = cdev}};
	node->file.context = node;
	node->dentry.d_inode = &node->inode;
	if (fops && fops->mmap) {
		node->file.map = kmlab_node_map;
		node->file.page_fault = kmlab_node_fault;
		node->file.unmap = kmlab_node_unmap;
	}
	kmlab_api->add_file(&node->file);
	return node;
}

/* ---- numbers ---- */

static inline int kmlab_chrdev(const struct kmlab_site *site, unsigned int major, const char *name,
			       const struct file_operations *fops)
{
	static unsigned int next = 240;
	unsigned int number = major ? major : next++;

	kmlab_api->hold(site, KMLAB_RES_CHRDEV, (void *)(unsigned long)number, name);
	if (fops)
		kmlab_node_add(name, fops, MKDEV(number, 0), NULL, NULL);
	return major ? 0 : (int)number;
}
static inline void kmlab_chrdev_gone(const struct kmlab_site *site, unsigned int major)
{
	kmlab_api->give_back(site, KMLAB_RES_CHRDEV, (void *)(unsigned long)major);
}
#define register_chrdev(major, name, fops)                                                         \
	kmlab_chrdev(KMLAB_SITE("register_chrdev"), major, name, fops)
#define unregister_chrdev(major, name) kmlab_chrdev_gone(KMLAB_SITE("unregister_chrdev"), major)
#define alloc_chrdev_region(number, first, count, name)                                            \
	(*(number) = MKDEV(kmlab_chrdev(KMLAB_SITE("alloc_chrdev_region"), 0, name, NULL), first), \
	 0)
#define register_chrdev_region(number, count, name)                                                \
	kmlab_chrdev(KMLAB_SITE("register_chrdev_region"), MAJOR(number), name, NULL)
#define unregister_chrdev_region(number, count)                                                    \
	kmlab_chrdev_gone(KMLAB_SITE("unregister_chrdev_region"), MAJOR(number))

KMLAB_TEXT ssize_t simple_read_from_buffer(void __user *to, size_t count, loff_t *at,
					   const void *from, size_t available)
{
	if (*at < 0)
		return -EINVAL;
	if ((size_t)*at >= available || !count)
		return 0;
	if (count > available - *at)
		count = available - *at;
	KMLAB_READS((const char *)from + *at, count);
	__builtin_memcpy(to, (const char *)from + *at, count);
	*at += count;
	return count;
}
KMLAB_TEXT ssize_t simple_write_to_buffer(void *to, size_t available, loff_t *at,
					  const void __user *from, size_t count)
{
	if (*at < 0)
		return -EINVAL;
	if ((size_t)*at >= available || !count)
		return 0;
	if (count > available - *at)
		count = available - *at;
	KMLAB_WRITES((char *)to + *at, count);
	__builtin_memcpy((char *)to + *at, from, count);
	*at += count;
	return count;
}

#include <linux/uaccess.h>

#endif
