/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects with a reference count and a directory in sysfs (lib/kobject.c). What they allocate is
 * the module's, as in Linux: the name by kvasprintf_const(), which copies what does not lie in the
 * kernel's own constants; a directory's node and another copy of the name (linux/sysfs.h); for an
 * event, while it is built, 2592 bytes of environment and the path.
 */
#ifndef _LINUX_KOBJECT_H
#define _LINUX_KOBJECT_H

#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>

struct kset;
struct kobj_type;
struct kernfs_node;

struct kobject {
	const char *name;
	struct list_head entry;
	struct kobject *parent;
	struct kset *kset;
	const struct kobj_type *ktype;
	struct kernfs_node *sd;
	struct kref kref;
	unsigned int state_initialized : 1, state_in_sysfs : 1, state_add_uevent_sent : 1,
		state_remove_uevent_sent : 1, uevent_suppress : 1;
};

#include <linux/sysfs.h>

/* ---- events ---- */

#define UEVENT_NUM_ENVP 64
#define UEVENT_BUFFER_SIZE 2048
enum kobject_action {
	KOBJ_ADD,
	KOBJ_REMOVE,
	KOBJ_CHANGE,
	KOBJ_MOVE,
	KOBJ_ONLINE,
	KOBJ_OFFLINE,
	KOBJ_BIND,
	KOBJ_UNBIND
};
struct kobj_uevent_env {
	char *argv[3], *envp[UEVENT_NUM_ENVP];
	int envp_idx;
	char buf[UEVENT_BUFFER_SIZE];
	int buflen;
};
struct kset_uevent_ops {
	int (*filter)(struct kobject *);
	const char *(*name)(struct kobject *);
	int (*uevent)(struct kobject *, struct kobj_uevent_env *);
};
struct kset {
	struct list_head list;
	spinlock_t list_lock;
	struct kobject kobj;
	const struct kset_uevent_ops *uevent_ops;
};
#define to_kset(pointer) container_of(pointer, struct kset, kobj)
static inline __printf(2, 3) int add_uevent_var(struct kobj_uevent_env *env, const char *format,
						...)
{
	va_list args;
	int length;

	if (env->envp_idx >= UEVENT_NUM_ENVP)
		return -ENOMEM;
	va_start(args, format);
	length = vsnprintf(env->buf + env->buflen, UEVENT_BUFFER_SIZE - env->buflen, format, args);
	va_end(args);
	if (length >= UEVENT_BUFFER_SIZE - env->buflen)
		return -ENOMEM;
	env->envp[env->envp_idx++] = env->buf + env->buflen;
	env->buflen += length + 1;
	return 0;
}

/* "/kernel/NAME": to be freed. */
KMLAB_TEXT char *kmlab_kobject_path(const struct kmlab_site *site, const struct kobject *kobj,
				    gfp_t gfp)
{
	size_t length = 1;
	char *path;

	for (const struct kobject *at = kobj; at; at = at->parent)
		length += strlen(at->name) + 1;
	path = kmlab_api->do_kmalloc(site, length, gfp | __GFP_ZERO, -1);
	for (const struct kobject *at = kobj; path && at; at = at->parent) {
		size_t n = strlen(at->name);

		length -= n + 1;
		path[length - 1] = '/';
		__builtin_memcpy(path + length, at->name, n);
	}
	return path;
}
#define kobject_get_path(kobj, gfp) kmlab_kobject_path(KMLAB_SITE("kobject_get_path"), kobj, gfp)
/* lib/kobject_uevent.c: told on behalf of the nearest kset; nobody listens here. */
KMLAB_TEXT int kmlab_uevent(const struct kmlab_site *site, struct kobject *kobj,
			    enum kobject_action action, char *more[])
{
	struct kobject *top = kobj;
	const struct kset_uevent_ops *ops;
	struct kobj_uevent_env *env;
	char *path;
	int ret = 0;

	if (action == KOBJ_REMOVE)
		kobj->state_remove_uevent_sent = 1;
	while (!top->kset && top->parent)
		top = top->parent;
	if (!top->kset)
		return -EINVAL;
	ops = top->kset->uevent_ops;
	if (kobj->uevent_suppress || (ops && ops->filter && !ops->filter(kobj)))
		return 0;
	env = kmlab_api->do_kmalloc(site, sizeof(*env), GFP_KERNEL | __GFP_ZERO, -1);
	if (!env)
		return -ENOMEM;
	path = kmlab_kobject_path(site, kobj, GFP_KERNEL);
	if (!path)
		ret = -ENOENT;
	for (; !ret && more && *more; more++)
		ret = add_uevent_var(env, "%s", *more);
	if (!ret && ops && ops->uevent)
		ret = ops->uevent(kobj, env);
	if (action == KOBJ_ADD)
		kobj->state_add_uevent_sent = 1;
	kmlab_api->do_kfree(site, path, 0);
	kmlab_api->do_kfree(site, env, 0);
	return ret;
}
#define kobject_uevent(kobj, action) kmlab_uevent(KMLAB_SITE("kobject_uevent"), kobj, action, NULL)
#define kobject_uevent_env(kobj, action, more)                                                     \
	kmlab_uevent(KMLAB_SITE("kobject_uevent_env"), kobj, action, more)

/* ---- the objects ---- */

static inline const char *kobject_name(const struct kobject *kobj)
{
	return kobj->name;
}
KMLAB_TEXT int kmlab_kobject_vname(const struct kmlab_site *site, struct kobject *kobj,
				   const char *format, va_list args)
{
	char *name;

	if (kobj->name && !format)
		return 0;
	name = kmlab_vasprintf(site, GFP_KERNEL, format, args);
	if (!name)
		return -ENOMEM;
	/* A slash cannot be in the name of a directory. */
	for (char *at = name; *at; at++)
		if (*at == '/')
			*at = '!';
	if (kobj->name)
		kmlab_api->do_kfree(site, kobj->name, 0);
	kobj->name = name;
	return 0;
}
static inline __printf(3, 4) int kmlab_kobject_set_name(const struct kmlab_site *site,
							struct kobject *kobj, const char *format,
							...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = kmlab_kobject_vname(site, kobj, format, args);
	va_end(args);
	return ret;
}
#define kobject_set_name(kobj, ...)                                                                \
	kmlab_kobject_set_name(KMLAB_SITE("kobject_set_name"), kobj, __VA_ARGS__)

KMLAB_TEXT void kmlab_kobject_init(const struct kmlab_site *site, struct kobject *kobj,
				   const struct kobj_type *ktype)
{
	if (!ktype)
		kmlab_api->complain(site, KMLAB_FAULT_ARGUMENT,
				    "%s without a ktype: nothing can release the kobject",
				    site->call);
	if (kobj->state_initialized)
		kmlab_api->complain(site, KMLAB_FAULT_REFERENCE,
				    "%s of the kobject \"%s\", which is initialised already",
				    site->call, kobj->name);
	kref_init(&kobj->kref);
	INIT_LIST_HEAD(&kobj->entry);
	kobj->state_in_sysfs = kobj->state_add_uevent_sent = kobj->state_remove_uevent_sent = 0;
	kobj->state_initialized = 1;
	kobj->ktype = ktype;
}
#define kobject_init(kobj, ktype) kmlab_kobject_init(KMLAB_SITE("kobject_init"), kobj, ktype)

/* May the count be touched? Else that is told. */
KMLAB_TEXT bool kmlab_kobject_alive(const struct kmlab_site *site, const struct kobject *kobj)
{
	if (!kmlab_api->in_use(site, kobj, "kobject"))
		return false;
	if (!kobj->state_initialized || !kobj->kref.refcount.counter) {
		kmlab_api->complain(
			site, KMLAB_FAULT_REFERENCE,
			kobj->state_initialized
				? "%s of the kobject \"%s\", whose last reference was "
				  "given back before"
				: "%s of the kobject \"%s\", which was never initialised",
			site->call, kobj->name ? kobj->name : "");
		return false;
	}
	return true;
}
static inline struct kobject *kmlab_kobject_get(const struct kmlab_site *site, struct kobject *kobj)
{
	if (kobj && kmlab_kobject_alive(site, kobj))
		kobj->kref.refcount.counter++;
	return kobj;
}
#define kobject_get(kobj) kmlab_kobject_get(KMLAB_SITE("kobject_get"), kobj)
static inline struct kobject *kobject_get_unless_zero(struct kobject *kobj)
{
	return kobj && refcount_inc_not_zero(&kobj->kref.refcount) ? kobj : NULL;
}

KMLAB_TEXT void kmlab_no_release(const struct kmlab_site *site, const char *what, const char *name)
{
	kmlab_api->complain(site, KMLAB_FAULT_REFERENCE,
			    "the %s \"%s\" has no release(): nothing says when its memory may be "
			    "freed",
			    what, name);
}

KMLAB_TEXT void kmlab_kobject_put(const struct kmlab_site *site, struct kobject *kobj);
KMLAB_TEXT void kmlab_kobject_del(const struct kmlab_site *site, struct kobject *kobj)
{
	struct kobject *parent;

	if (!kobj || !kmlab_api->in_use(site, kobj, "kobject") || !kobj->state_in_sysfs)
		return;
	parent = kobj->parent;
	if (kobj->state_add_uevent_sent && !kobj->state_remove_uevent_sent)
		kmlab_uevent(site, kobj, KOBJ_REMOVE, NULL);
	kmlab_kernfs_remove(site, kobj->sd);
	kobj->sd = NULL;
	kobj->state_in_sysfs = 0;
	kmlab_api->give_back(site, KMLAB_RES_KOBJECT, kobj);
	if (kobj->kset) {
		list_del_init(&kobj->entry);
		kmlab_kobject_put(site, &kobj->kset->kobj);
	}
	kobj->parent = NULL;
	kmlab_kobject_put(site, parent);
}
#define kobject_del(kobj) kmlab_kobject_del(KMLAB_SITE("kobject_del"), kobj)

KMLAB_TEXT void kmlab_kobject_put(const struct kmlab_site *site, struct kobject *kobj)
{
	const char *name;
	struct kobject *parent;

	if (!kobj || !kmlab_kobject_alive(site, kobj) || --kobj->kref.refcount.counter)
		return;
	name = kobj->name;
	if (kobj->state_in_sysfs)
		kmlab_kobject_del(site, kobj);
	parent = kobj->parent;
	if (kobj->ktype == &kmlab_dynamic_ktype)
		kmlab_api->do_kfree(site, kobj, 0);
	else if (kobj->ktype == &kmlab_kset_ktype)
		kmlab_api->do_kfree(site, to_kset(kobj), 0);
	else if (kobj->ktype && kobj->ktype->release)
		kobj->ktype->release(kobj);
	else
		kmlab_no_release(site, "kobject", name);
	kmlab_api->do_kfree(site, name, 0);
	if (parent)
		kmlab_kobject_put(site, parent);
}
#define kobject_put(kobj) kmlab_kobject_put(KMLAB_SITE("kobject_put"), kobj)
static inline void(kobject_put)(struct kobject *kobj)
{
	kobject_put(kobj);
}

/* Into the directory of its parent, else of its kset, else the topmost. */
KMLAB_TEXT int kmlab_kobject_add(const struct kmlab_site *site, struct kobject *kobj)
{
	struct kobject *parent = kobj->parent;
	int ret;

	if (!kobj->name || !kobj->name[0]) {
		kmlab_api->complain(site, KMLAB_FAULT_ARGUMENT,
				    "%s of a kobject without a name: call kobject_set_name() first",
				    site->call);
		return -EINVAL;
	}
	kmlab_kobject_get(site, parent);
	if (kobj->kset) {
		if (!parent)
			parent = kmlab_kobject_get(site, &kobj->kset->kobj);
		kmlab_kobject_get(site, &kobj->kset->kobj);
		list_add_tail(&kobj->entry, &kobj->kset->list);
		kobj->parent = parent;
	}
	ret = kmlab_kernfs_dir(site, kobj, parent ? parent->sd : NULL);
	if (!ret) {
		kobj->state_in_sysfs = 1;
		kmlab_api->hold(site, KMLAB_RES_KOBJECT, kobj, kobj->name);
		if (kobj->ktype && kobj->ktype->default_groups)
			ret = kmlab_sysfs_groups(site, kobj, kobj->ktype->default_groups);
		if (!ret && kobj->ktype && kobj->ktype->default_attrs)
			ret = kmlab_sysfs_files(site, kobj, NULL, kobj->ktype->default_attrs);
		if (!ret)
			return 0;
		kmlab_api->give_back(site, KMLAB_RES_KOBJECT, kobj);
		kobj->state_in_sysfs = 0;
		kmlab_kernfs_remove(site, kobj->sd);
		kobj->sd = NULL;
	}
	if (kobj->kset) {
		list_del_init(&kobj->entry);
		kmlab_kobject_put(site, &kobj->kset->kobj);
	}
	kmlab_kobject_put(site, parent);
	kobj->parent = NULL;
	if (ret == -EEXIST)
		printk("kobject_add_internal failed for %s with -EEXIST, don't try to register "
		       "things with the same name in the same directory.\n",
		       kobj->name);
	return ret;
}
static inline __printf(4, 5) int kmlab_kobject_add_named(const struct kmlab_site *site,
							 struct kobject *kobj,
							 struct kobject *parent, const char *format,
							 ...)
{
	va_list args;
	int ret;

	if (!kobj->state_initialized) {
		kmlab_api->complain(site, KMLAB_FAULT_REFERENCE,
				    "%s of a kobject that was never initialised: call "
				    "kobject_init() first",
				    site->call);
		return -EINVAL;
	}
	va_start(args, format);
	ret = kmlab_kobject_vname(site, kobj, format, args);
	va_end(args);
	if (ret)
		return ret;
	kobj->parent = parent;
	return kmlab_kobject_add(site, kobj);
}
#define kobject_add(kobj, parent, ...)                                                             \
	kmlab_kobject_add_named(KMLAB_SITE("kobject_add"), kobj, parent, __VA_ARGS__)
#define kobject_init_and_add(kobj, ktype, parent, ...)                                             \
	({                                                                                         \
		const struct kmlab_site *kmlab_add_ = KMLAB_SITE("kobject_init_and_add");          \
		struct kobject *kmlab_kobj_ = (kobj);                                              \
		kmlab_kobject_init(kmlab_add_, kmlab_kobj_, ktype);                                \
		kmlab_kobject_add_named(kmlab_add_, kmlab_kobj_, parent, __VA_ARGS__);             \
	})
/* On failure the memory goes with its last reference. */
KMLAB_TEXT struct kobject *kmlab_kobject_create(const struct kmlab_site *site, const char *name,
						struct kobject *parent)
{
	struct kobject *kobj =
		kmlab_api->do_kmalloc(site, sizeof(*kobj), GFP_KERNEL | __GFP_ZERO, -1);
	int ret;

	if (!kobj)
		return NULL;
	kmlab_kobject_init(site, kobj, &kmlab_dynamic_ktype);
	ret = kmlab_kobject_add_named(site, kobj, parent, "%s", name);
	if (!ret)
		return kobj;
	printk("kobject_create_and_add: kobject_add error: %d\n", ret);
	kmlab_kobject_put(site, kobj);
	return NULL;
}
#define kobject_create_and_add(name, parent)                                                       \
	kmlab_kobject_create(KMLAB_SITE("kobject_create_and_add"), name, parent)

/* ---- sets of them ---- */

static inline void kset_init(struct kset *kset)
{
	kmlab_kobject_init(KMLAB_SITE("kset_init"), &kset->kobj, kset->kobj.ktype);
	INIT_LIST_HEAD(&kset->list);
	spin_lock_init(&kset->list_lock);
}
KMLAB_TEXT int kmlab_kset_register(const struct kmlab_site *site, struct kset *kset)
{
	int ret;

	kmlab_kobject_init(site, &kset->kobj, kset->kobj.ktype);
	INIT_LIST_HEAD(&kset->list);
	spin_lock_init(&kset->list_lock);
	ret = kmlab_kobject_add(site, &kset->kobj);
	if (!ret)
		kmlab_uevent(site, &kset->kobj, KOBJ_ADD, NULL);
	return ret;
}
#define kset_register(kset) kmlab_kset_register(KMLAB_SITE("kset_register"), kset)
KMLAB_TEXT struct kset *kmlab_kset_create(const struct kmlab_site *site, const char *name,
					  const struct kset_uevent_ops *ops, struct kobject *parent)
{
	struct kset *kset = kmlab_api->do_kmalloc(site, sizeof(*kset), GFP_KERNEL | __GFP_ZERO, -1);

	if (!kset)
		return NULL;
	if (kmlab_kobject_set_name(site, &kset->kobj, "%s", name)) {
		kmlab_api->do_kfree(site, kset, 0);
		return NULL;
	}
	kset->uevent_ops = ops;
	kset->kobj.parent = parent;
	kset->kobj.ktype = &kmlab_kset_ktype;
	if (!kmlab_kset_register(site, kset))
		return kset;
	kmlab_api->do_kfree(site, kset->kobj.name, 0);
	kmlab_api->do_kfree(site, kset, 0);
	return NULL;
}
#define kset_create_and_add(name, ops, parent)                                                     \
	kmlab_kset_create(KMLAB_SITE("kset_create_and_add"), name, ops, parent)
KMLAB_TEXT void kmlab_kset_unregister(const struct kmlab_site *site, struct kset *kset)
{
	if (!kset)
		return;
	kmlab_kobject_del(site, &kset->kobj);
	kmlab_kobject_put(site, &kset->kobj);
}
#define kset_unregister(kset) kmlab_kset_unregister(KMLAB_SITE("kset_unregister"), kset)
static inline struct kset *kset_get(struct kset *kset)
{
	if (kset)
		kobject_get(&kset->kobj);
	return kset;
}
static inline void kset_put(struct kset *kset)
{
	if (kset)
		kobject_put(&kset->kobj);
}
static inline struct kobject *kset_find_obj(struct kset *kset, const char *name)
{
	struct kobject *kobj;

	list_for_each_entry(kobj, &kset->list,
			    entry) if (strcmp(kobj->name, name) == 0) return kobject_get(kobj);
	return NULL;
}
static inline const struct kobj_type *get_ktype(const struct kobject *kobj)
{
	return kobj->ktype;
}

#endif
