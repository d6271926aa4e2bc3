/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes as files (fs/sysfs). Each directory and each file is a node of the kernel's cache
 * kernfs_node_cache, and a copy of its name (fs/kernfs/dir.c). The runner uses the files (--files):
 * reading gives show() a zeroed page, writing gives store() a copy of what is written
 * (fs/kernfs/file.c). A node of the kernel's own directories costs the module nothing.
 */
#ifndef _LINUX_KOBJECT_H
#include <linux/kobject.h> /* which includes this where it belongs */
#elif !defined(_LINUX_SYSFS_H)
#define _LINUX_SYSFS_H

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/version.h>

struct kobject;
struct file;
struct vm_area_struct;

struct attribute {
	const char *name;
	umode_t mode;
};
struct bin_attribute {
	struct attribute attr;
	size_t size;
	void *private;
	ssize_t (*read)(struct file *, struct kobject *, struct bin_attribute *, char *, loff_t,
			size_t);
	ssize_t (*write)(struct file *, struct kobject *, struct bin_attribute *, char *, loff_t,
			 size_t);
	int (*mmap)(struct file *, struct kobject *, struct bin_attribute *,
		    struct vm_area_struct *);
};
struct attribute_group {
	const char *name;
	umode_t (*is_visible)(struct kobject *, struct attribute *, int);
	umode_t (*is_bin_visible)(struct kobject *, struct bin_attribute *, int);
	struct attribute **attrs;
	struct bin_attribute **bin_attrs;
};
struct sysfs_ops {
	ssize_t (*show)(struct kobject *, struct attribute *, char *);
	ssize_t (*store)(struct kobject *, struct attribute *, const char *, size_t);
};

struct kobj_type {
	void (*release)(struct kobject *);
	const struct sysfs_ops *sysfs_ops;
	struct attribute **default_attrs; /* up to 5.17 */
	const struct attribute_group **default_groups;
	const void *(*child_ns_type)(const struct kobject *);
	const void *(*namespace)(const struct kobject *);
	void (*get_ownership)(const struct kobject *, void *, void *);
};
struct kobj_attribute {
	struct attribute attr;
	ssize_t (*show)(struct kobject *, struct kobj_attribute *, char *);
	ssize_t (*store)(struct kobject *, struct kobj_attribute *, const char *, size_t);
};
static inline ssize_t kmlab_kobj_show(struct kobject *kobj, struct attribute *attr, char *text)
{
	struct kobj_attribute *kattr = container_of(attr, struct kobj_attribute, attr);

	return kattr->show ? kattr->show(kobj, kattr, text) : -EIO;
}
static inline ssize_t kmlab_kobj_store(struct kobject *kobj, struct attribute *attr,
				       const char *text, size_t n)
{
	struct kobj_attribute *kattr = container_of(attr, struct kobj_attribute, attr);

	return kattr->store ? kattr->store(kobj, kattr, text, n) : -EIO;
}
__attribute__((weak)) const struct sysfs_ops kobj_sysfs_ops = {kmlab_kobj_show, kmlab_kobj_store};

#define VERIFY_OCTAL_PERMISSIONS(mode) (mode)
#define __ATTR(name_, mode_, show_, store_)                                                        \
	{                                                                                          \
		.attr = {.name = #name_, .mode = mode_}, .show = show_, .store = store_            \
	}
#define __ATTR_RO(name_) __ATTR(name_, 0444, name_##_show, NULL)
#define __ATTR_WO(name_) __ATTR(name_, 0200, NULL, name_##_store)
#define __ATTR_RW(name_) __ATTR(name_, 0644, name_##_show, name_##_store)
#define __ATTR_RO_MODE(name_, mode_) __ATTR(name_, mode_, name_##_show, NULL)
#define __ATTR_RW_MODE(name_, mode_) __ATTR(name_, mode_, name_##_show, name_##_store)
#define __ATTR_NULL                                                                                \
	{                                                                                          \
		.attr = {.name = NULL }                                                            \
	}
#define __ATTRIBUTE_GROUPS(name_)                                                                  \
	static const struct attribute_group *name_##_groups[] = {&name_##_group, NULL}
#define ATTRIBUTE_GROUPS(name_)                                                                    \
	static const struct attribute_group name_##_group = {.attrs = name_##_attrs};              \
	__ATTRIBUTE_GROUPS(name_)
#define __BIN_ATTR(name_, mode_, read_, write_, size_)                                             \
	{                                                                                          \
		.attr = {.name = #name_, .mode = mode_}, .size = size_, .read = read_,             \
		.write = write_                                                                    \
	}
#define BIN_ATTR(name_, mode_, read_, write_, size_)                                               \
	struct bin_attribute bin_attr_##name_ = __BIN_ATTR(name_, mode_, read_, write_, size_)
#define BIN_ATTR_RO(name_, size_) BIN_ATTR(name_, 0444, name_##_read, NULL, size_)
#define BIN_ATTR_RW(name_, size_) BIN_ATTR(name_, 0644, name_##_read, name_##_write, size_)
#define sysfs_attr_init(attr) ((void)(attr))
#define sysfs_bin_attr_init(attr) ((void)(attr))

/* ---- nodes ---- */

/* Since 6.8 a node is given up after an RCU grace period, and has a head for that. */
#define KMLAB_KERNFS_BYTES (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0) ? 136 : 128)

struct kernfs_node {
	const char *name;
	struct kernfs_node *parent, *children, *next;
	struct kobject *kobj;
	const struct attribute *attr;    /* NULL: a directory, or a link */
	const struct bin_attribute *bin; /* NULL: text */
	struct kmlab_file *file;
	bool kernels; /* not of the module's memory */
};
_Static_assert(sizeof(struct kernfs_node) <= 128, "as many bytes as the kernel's");

/* Releases of the kernel's own, told apart by their address. */
__attribute__((weak)) const struct kobj_type kmlab_dynamic_ktype = {.sysfs_ops = &kobj_sysfs_ops};
__attribute__((weak)) const struct kobj_type kmlab_kset_ktype = {.sysfs_ops = &kobj_sysfs_ops};

/* The directories that are there before any module. */
#define KMLAB_KERNEL_KOBJ(name_, text)                                                             \
	__attribute__((weak)) struct kernfs_node kmlab_node_##name_ = {.name = text,               \
								       .kernels = 1};              \
	__attribute__((weak)) struct kobject kmlab_kobj_##name_ = {.name = text,                   \
								   .ktype = &kmlab_dynamic_ktype,  \
								   .sd = &kmlab_node_##name_,      \
								   .kref = {ATOMIC_INIT(1)},       \
								   .state_initialized = 1};        \
	__attribute__((weak)) struct kobject *name_ = &kmlab_kobj_##name_
KMLAB_KERNEL_KOBJ(kernel_kobj, "kernel");
KMLAB_KERNEL_KOBJ(mm_kobj, "mm");
KMLAB_KERNEL_KOBJ(fs_kobj, "fs");
KMLAB_KERNEL_KOBJ(firmware_kobj, "firmware");
KMLAB_KERNEL_KOBJ(hypervisor_kobj, "hypervisor");
KMLAB_KERNEL_KOBJ(power_kobj, "power");
__attribute__((weak)) struct kernfs_node kmlab_sysfs_root = {.name = "", .kernels = 1};

KMLAB_TEXT struct kernfs_node *kmlab_kernfs_new(const struct kmlab_site *site,
						struct kernfs_node *parent, const char *name)
{
	struct kernfs_node *node, **link = &parent->children;
	size_t length = strlen(name) + 1;
	char *copy;

	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	if (*link) {
		printk("sysfs: cannot create duplicate filename '%s/%s'\n", parent->name, name);
		return ERR_PTR(-EEXIST);
	}
	copy = kmlab_api->do_kmalloc(site, length, GFP_KERNEL, -1);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	__builtin_memcpy(copy, name, length);
	node = kmlab_api->cache_alloc(
		site, kmlab_api->kernel_cache("kernfs_node_cache", KMLAB_KERNFS_BYTES, SLAB_PANIC),
		GFP_KERNEL | __GFP_ZERO, -1);
	if (!node) {
		kmlab_api->do_kfree(site, copy, 0);
		return ERR_PTR(-ENOMEM);
	}
	node->name = copy;
	node->parent = parent;
	*link = node;
	return node;
}
KMLAB_TEXT void kmlab_kernfs_remove(const struct kmlab_site *site, struct kernfs_node *node)
{
	struct kernfs_node **link;

	if (!node || node->kernels)
		return;
	while (node->children)
		kmlab_kernfs_remove(site, node->children);
	if (node->file)
		kmlab_api->remove_file(node->file);
	link = &node->parent->children;
	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	kmlab_api->do_kfree(site, node->name, 0);
	kmlab_api->cache_free(
		site, kmlab_api->kernel_cache("kernfs_node_cache", KMLAB_KERNFS_BYTES, SLAB_PANIC),
		node);
}
KMLAB_TEXT int kmlab_kernfs_dir(const struct kmlab_site *site, struct kobject *kobj,
				struct kernfs_node *parent)
{
	struct kernfs_node *node =
		kmlab_kernfs_new(site, parent ? parent : &kmlab_sysfs_root, kobj->name);

	if (IS_ERR(node))
		return PTR_ERR(node);
	node->kobj = kobj;
	kobj->sd = node;
	return 0;
}
static inline struct kernfs_node *kmlab_kernfs_find(struct kernfs_node *parent, const char *name)
{
	struct kernfs_node *node = parent ? parent->children : NULL;

	while (node && strcmp(node->name, name) != 0)
		node = node->next;
	return node;
}

/* ---- files, as the runner uses them ---- */

struct kmlab_sysfs_file {
	struct kmlab_file file;
	struct kmlab_site site;
	struct kobject *kobj;
	const struct attribute *attr;
	struct bin_attribute *bin;
	const struct sysfs_ops *ops;
	char name[64];
};
static inline int kmlab_sysfs_open(void *context, void **file)
{
	*file = context;
	return 0;
}
static inline long kmlab_sysfs_read(void *object, char *to, unsigned long bytes)
{
	struct kmlab_sysfs_file *file = object;
	long got = -EIO;
	char *page;

	if (!(file->attr->mode & 0444) || (!file->bin && (!file->ops || !file->ops->show)) ||
	    (file->bin && !file->bin->read))
		return got;
	page = kmlab_api->do_kmalloc(&file->site, PAGE_SIZE, GFP_KERNEL | __GFP_ZERO, -1);
	if (!page)
		return -ENOMEM;
	got = file->bin ? file->bin->read(NULL, file->kobj, file->bin, page, 0,
					  min(bytes, file->bin->size ? file->bin->size : PAGE_SIZE))
			: file->ops->show(file->kobj, (struct attribute *)file->attr, page);
	if (got >= (long)PAGE_SIZE && !file->bin)
		kmlab_api->complain(
			&file->site, KMLAB_FAULT_CHECK,
			"show() of the attribute %s gives %ld bytes: a page is all it has",
			file->name, got);
	if (got > 0)
		__builtin_memcpy(to, page, min((unsigned long)got, bytes));
	kmlab_api->do_kfree(&file->site, page, 0);
	return got;
}
static inline long kmlab_sysfs_write(void *object, const char *from, unsigned long bytes)
{
	struct kmlab_sysfs_file *file = object;
	long took = -EIO;
	char *copy;

	if (!(file->attr->mode & 0222) || (!file->bin && (!file->ops || !file->ops->store)) ||
	    (file->bin && !file->bin->write))
		return took;
	copy = kmlab_api->do_kmalloc(&file->site, bytes + 1, GFP_KERNEL, -1);
	if (!copy)
		return -ENOMEM;
	__builtin_memcpy(copy, from, bytes);
	copy[bytes] = 0;
	took = file->bin
		       ? file->bin->write(NULL, file->kobj, file->bin, copy, 0, bytes)
		       : file->ops->store(file->kobj, (struct attribute *)file->attr, copy, bytes);
	kmlab_api->do_kfree(&file->site, copy, 0);
	return took;
}
static inline void kmlab_sysfs_close(void *object)
{
}
KMLAB_TEXT int kmlab_sysfs_file(const struct kmlab_site *site, struct kobject *kobj,
				struct kernfs_node *dir, const struct attribute *attr,
				const struct bin_attribute *bin)
{
	struct kernfs_node *node;
	struct kmlab_sysfs_file *file;

	if (!dir) {
		kmlab_api->complain(site, KMLAB_FAULT_ARGUMENT,
				    "%s: the kobject has no directory; add it first", site->call);
		return -EINVAL;
	}
	if (!attr || !attr->name)
		return -EINVAL;
	node = kmlab_kernfs_new(site, dir, attr->name);
	if (IS_ERR(node))
		return PTR_ERR(node);
	node->attr = attr;
	node->bin = bin;
	node->kobj = kobj;
	file = kmlab_api->own_memory(sizeof(*file));
	*file = (struct kmlab_sysfs_file){.file = {.name = file->name,
						   .open = kmlab_sysfs_open,
						   .read = kmlab_sysfs_read,
						   .write = kmlab_sysfs_write,
						   .release = kmlab_sysfs_close,
						   .context = file,
						   .gives_back = 1},
					  .site = *site,
					  .kobj = kobj,
					  .attr = attr,
					  .bin = (struct bin_attribute *)bin,
					  .ops = kobj->ktype ? kobj->ktype->sysfs_ops : NULL};
	/* Who reads and writes is not who made the file. */
	file->site.call = "kernfs";
	snprintf(file->name, sizeof(file->name), "%s/%s", dir->name, attr->name);
	kmlab_api->add_file(&file->file);
	node->file = (struct kmlab_file *)file;
	return 0;
}
KMLAB_TEXT int kmlab_sysfs_files(const struct kmlab_site *site, struct kobject *kobj,
				 const struct attribute_group *group, struct attribute **attrs)
{
	struct kernfs_node *dir = kobj->sd;
	int ret = 0;

	if (group && group->name) {
		dir = dir ? kmlab_kernfs_new(site, dir, group->name) : NULL;
		if (IS_ERR(dir))
			return PTR_ERR(dir);
	}
	for (int i = 0; attrs && attrs[i] && !ret; i++)
		if (!group || !group->is_visible || group->is_visible(kobj, attrs[i], i))
			ret = kmlab_sysfs_file(site, kobj, dir, attrs[i], NULL);
	for (int i = 0; group && group->bin_attrs && group->bin_attrs[i] && !ret; i++)
		ret = kmlab_sysfs_file(site, kobj, dir, &group->bin_attrs[i]->attr,
				       group->bin_attrs[i]);
	return ret;
}
KMLAB_TEXT void kmlab_sysfs_group_gone(const struct kmlab_site *site, struct kobject *kobj,
				       const struct attribute_group *group)
{
	struct kernfs_node *dir = kobj->sd;

	if (group->name) {
		kmlab_kernfs_remove(site, kmlab_kernfs_find(dir, group->name));
		return;
	}
	for (int i = 0; group->attrs && group->attrs[i]; i++)
		kmlab_kernfs_remove(site, kmlab_kernfs_find(dir, group->attrs[i]->name));
	for (int i = 0; group->bin_attrs && group->bin_attrs[i]; i++)
		kmlab_kernfs_remove(site, kmlab_kernfs_find(dir, group->bin_attrs[i]->attr.name));
}
/* All of them or none. */
KMLAB_TEXT int kmlab_sysfs_group(const struct kmlab_site *site, struct kobject *kobj,
				 const struct attribute_group *group)
{
	int ret = kmlab_sysfs_files(site, kobj, group, group->attrs);

	if (ret && ret != -EEXIST)
		kmlab_sysfs_group_gone(site, kobj, group);
	return ret;
}
KMLAB_TEXT int kmlab_sysfs_groups(const struct kmlab_site *site, struct kobject *kobj,
				  const struct attribute_group **groups)
{
	int ret = 0;

	for (int i = 0; groups && groups[i] && !ret; i++)
		ret = kmlab_sysfs_group(site, kobj, groups[i]);
	return ret;
}
#define sysfs_create_file(kobj, attr)                                                              \
	kmlab_sysfs_file(KMLAB_SITE("sysfs_create_file"), kobj, (kobj)->sd, attr, NULL)
#define sysfs_remove_file(kobj, attr)                                                              \
	kmlab_kernfs_remove(KMLAB_SITE("sysfs_remove_file"),                                       \
			    kmlab_kernfs_find((kobj)->sd, (attr)->name))
#define sysfs_create_files(kobj, attrs)                                                            \
	kmlab_sysfs_files(KMLAB_SITE("sysfs_create_files"), kobj, NULL,                            \
			  (struct attribute **)(attrs))
#define sysfs_remove_files(kobj, attrs)                                                            \
	kmlab_sysfs_group_gone(                                                                    \
		KMLAB_SITE("sysfs_remove_files"), kobj,                                            \
		&(const struct attribute_group){.attrs = (struct attribute **)(attrs)})
#define sysfs_create_bin_file(kobj, attr_)                                                         \
	kmlab_sysfs_file(KMLAB_SITE("sysfs_create_bin_file"), kobj, (kobj)->sd, &(attr_)->attr,    \
			 attr_)
#define sysfs_remove_bin_file(kobj, attr_) sysfs_remove_file(kobj, &(attr_)->attr)
#define sysfs_create_group(kobj, group)                                                            \
	kmlab_sysfs_group(KMLAB_SITE("sysfs_create_group"), kobj, group)
#define sysfs_remove_group(kobj, group)                                                            \
	kmlab_sysfs_group_gone(KMLAB_SITE("sysfs_remove_group"), kobj, group)
#define sysfs_create_groups(kobj, groups)                                                          \
	kmlab_sysfs_groups(KMLAB_SITE("sysfs_create_groups"), kobj, groups)
#define sysfs_remove_groups(kobj, groups)                                                          \
	do {                                                                                       \
		for (int kmlab_i_ = 0; (groups)[kmlab_i_]; kmlab_i_++)                             \
			sysfs_remove_group(kobj, (groups)[kmlab_i_]);                              \
	} while (0)
#define sysfs_create_link(kobj, target, name)                                                      \
	({                                                                                         \
		struct kernfs_node *kmlab_link_ =                                                  \
			kmlab_kernfs_new(KMLAB_SITE("sysfs_create_link"), (kobj)->sd, name);       \
		((void)(target), PTR_ERR_OR_ZERO(kmlab_link_));                                    \
	})
#define sysfs_remove_link(kobj, name)                                                              \
	kmlab_kernfs_remove(KMLAB_SITE("sysfs_remove_link"), kmlab_kernfs_find((kobj)->sd, name))
#define sysfs_notify(kobj, dir, attr) ((void)(kobj))

/* fs/sysfs/file.c: the page of the file is known by where it begins. */
KMLAB_TEXT __printf(4, 5) int kmlab_sysfs_emit(const struct kmlab_site *site, char *page, int at,
					       const char *format, ...)
{
	va_list args;
	int n;

	if (!page || offset_in_page(page) || at < 0 || at >= (int)PAGE_SIZE) {
		kmlab_api->complain(
			site, KMLAB_FAULT_CHECK,
			"warning: %s into %s, which is not the page that show() was given",
			site->call, page ? "a buffer of its own" : "nothing");
		return 0;
	}
	va_start(args, format);
	n = vscnprintf(page + at, PAGE_SIZE - at, format, args);
	va_end(args);
	return n;
}
#define sysfs_emit(page, ...) kmlab_sysfs_emit(KMLAB_SITE("sysfs_emit"), page, 0, __VA_ARGS__)
#define sysfs_emit_at(page, at, ...)                                                               \
	kmlab_sysfs_emit(KMLAB_SITE("sysfs_emit_at"), page, at, __VA_ARGS__)

#endif
