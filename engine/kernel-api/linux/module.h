/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MODULE_H
#define _LINUX_MODULE_H

#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/string.h>

struct module {
	const char *name;
};
__attribute__((weak)) struct module __this_module = {KBUILD_MODNAME};
#define THIS_MODULE (&__this_module)

#define MODULE_LICENSE(text) KMLAB_INFO(license, text)
#define MODULE_AUTHOR(text) KMLAB_INFO(author, text)
#define MODULE_DESCRIPTION(text) KMLAB_INFO(description, text)
#define MODULE_VERSION(text) KMLAB_INFO(version, text)
#define MODULE_ALIAS(text) KMLAB_INFO(alias, text)
#define MODULE_SOFTDEP(text) KMLAB_INFO(softdep, text)
#define MODULE_INFO(tag, text) KMLAB_INFO(tag, text)
#define MODULE_SUPPORTED_DEVICE(text) struct kmlab_needs_a_semicolon
#define MODULE_DEVICE_TABLE(type, name) struct kmlab_needs_a_semicolon
#define MODULE_IMPORT_NS(name) struct kmlab_needs_a_semicolon

static inline bool try_module_get(struct module *module)
{
	return true;
}
static inline void module_put(struct module *module)
{
}
#define __module_get(module) ((void)(module))
#define module_refcount(module) 0

/* What the kernel's own module.h brings along. */
#include <linux/jump_label.h>
#include <linux/kobject.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#endif
