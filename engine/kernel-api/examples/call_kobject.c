// SPDX-License-Identifier: GPL-2.0-only
/*
 * kobject_init_and_add() and kset_create_and_add() (lib/kobject.c): a set, and in it an object of
 * the module's own type with two attributes. Besides the structures themselves, sysfs takes for
 * each directory and each file a node of kernfs_node_cache and a copy of the name; the event that
 * announces an object takes its environment from kmalloc-4k for as long as it is built. What
 * belongs to an object goes with its last reference: release() is where its memory is freed.
 */
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

struct valve {
	struct kobject kobj;
	int opening;
	char note[100];
};
#define to_valve(pointer) container_of(pointer, struct valve, kobj)

static struct kset *valves;
static struct valve *inlet;

struct valve_attribute {
	struct attribute attr;
	ssize_t (*show)(struct valve *valve, char *text);
	ssize_t (*store)(struct valve *valve, const char *text, size_t length);
};

static ssize_t opening_show(struct valve *valve, char *text)
{
	return sysfs_emit(text, "%d\n", valve->opening);
}
static ssize_t opening_store(struct valve *valve, const char *text, size_t length)
{
	int ret = kstrtoint(text, 10, &valve->opening);

	return ret ? ret : length;
}
static ssize_t note_show(struct valve *valve, char *text)
{
	return sysfs_emit(text, "%s\n", valve->note);
}
static struct valve_attribute opening_attribute =
	__ATTR(opening, 0664, opening_show, opening_store);
static struct valve_attribute note_attribute = __ATTR(note, 0444, note_show, NULL);
static struct attribute *valve_attrs[] = {&opening_attribute.attr, &note_attribute.attr, NULL};
ATTRIBUTE_GROUPS(valve);

static ssize_t valve_attr_show(struct kobject *kobj, struct attribute *attr, char *text)
{
	struct valve_attribute *attribute = container_of(attr, struct valve_attribute, attr);

	return attribute->show ? attribute->show(to_valve(kobj), text) : -EIO;
}
static ssize_t valve_attr_store(struct kobject *kobj, struct attribute *attr, const char *text,
				size_t length)
{
	struct valve_attribute *attribute = container_of(attr, struct valve_attribute, attr);

	return attribute->store ? attribute->store(to_valve(kobj), text, length) : -EIO;
}
static const struct sysfs_ops valve_sysfs_ops = {
	.show = valve_attr_show,
	.store = valve_attr_store,
};
static void valve_release(struct kobject *kobj)
{
	pr_info("%s goes\n", kobject_name(kobj));
	kfree(to_valve(kobj));
}
static const struct kobj_type valve_type = {
	.sysfs_ops = &valve_sysfs_ops,
	.release = valve_release,
	.default_groups = valve_groups,
};

static int __init example_init(void)
{
	int ret;

	valves = kset_create_and_add("valves", NULL, kernel_kobj);
	if (!valves)
		return -ENOMEM;
	inlet = kzalloc(sizeof(*inlet), GFP_KERNEL);
	if (!inlet) {
		kset_unregister(valves);
		return -ENOMEM;
	}
	strscpy(inlet->note, "north side", sizeof(inlet->note));
	inlet->kobj.kset = valves;
	ret = kobject_init_and_add(&inlet->kobj, &valve_type, NULL, "inlet%d", 1);
	if (ret) {
		/* From here on the memory belongs to the reference. */
		kobject_put(&inlet->kobj);
		kset_unregister(valves);
		return ret;
	}
	return kobject_uevent(&inlet->kobj, KOBJ_ADD);
}

static void __exit example_exit(void)
{
	kobject_put(&inlet->kobj);
	kset_unregister(valves);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Objects in sysfs, and what they take");
