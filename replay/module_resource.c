/* SPDX-License-Identifier: GPL-2.0-only */
/* What a module registers besides memory, and what only the headers see go wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/module_kernel.h"

struct resource {
	struct resource *next;
	enum kmlab_resource kind;
	const void *key;
	char name[32];
	const struct kmlab_site *site;
};

static const char *const kind_names[KMLAB_NR_RESOURCES] = {
	"device number", "character device", "misc device", "class",     "device",
	"proc entry",    "debugfs entry",    "sysfs entry", "workqueue", "region",
	"driver",        "kobject",          "notifier",    "GPIO"};

static void api_hold(const struct kmlab_site *site, enum kmlab_resource kind, const void *key,
		     const char *name)
{
	struct resource *resource = calloc(1, sizeof(*resource));

	if (!resource)
		return;
	resource->kind = kind;
	resource->key = key;
	resource->site = site;
	snprintf(resource->name, sizeof(resource->name), "%s", name ? name : "");
	resource->next = km_kernel->resources;
	km_kernel->resources = resource;
}

static int api_give_back(const struct kmlab_site *site, enum kmlab_resource kind, const void *key)
{
	struct resource **link = &km_kernel->resources, *gone;

	while (*link && ((*link)->kind != kind || (*link)->key != key))
		link = &(*link)->next;
	gone = *link;
	if (!gone) {
		km_find(KM_RULE_INVALID_FREE, site, "%s of a %s that is not registered", site->call,
			kind_names[kind]);
		return 0;
	}
	*link = gone->next;
	free(gone);
	return 1;
}

void km_resource_leaks(void)
{
	for (struct resource *left = km_kernel->resources; left; left = left->next)
		km_find(KM_RULE_RESOURCE, left->site, "%s \"%s\" is still registered",
			kind_names[left->kind], left->name);
}

/* ---- what only the headers see ---- */

static void api_complain(const struct kmlab_site *site, enum kmlab_fault fault, const char *format,
			 ...)
{
	static const enum km_rule rules[] = {[KMLAB_FAULT_CHECK] = KM_RULE_CHECK,
					     [KMLAB_FAULT_REFERENCE] = KM_RULE_REFERENCE,
					     [KMLAB_FAULT_ARGUMENT] = KM_RULE_BAD_ARGUMENT};
	char text[400];
	va_list args;

	va_start(args, format);
	km_format(text, sizeof(text), format, &args);
	va_end(args);
	km_find(rules[fault], site, "%s", text);
}

static int api_in_use(const struct kmlab_site *site, const void *p, const char *name)
{
	uint64_t addr = km_addr(p);
	const struct object *object = addr > 16 ? km_object_near(addr) : NULL;
	char text[160], where[60];

	if (!object || !object->freed_at || addr >= object->addr + object->capacity)
		return 1;
	km_where(where, object->freed_at);
	km_find(KM_RULE_REFERENCE, site,
		"%s of a %s that is gone: it lay in %s, which %s gave back at %s", site->call, name,
		km_object_text(object, text), object->freed_at->call, where);
	return 0;
}

static void *api_own_memory(unsigned long bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory)
		abort();
	return memory;
}

static unsigned long long api_random(void)
{
	return km_env_random(&km_kernel->env);
}

void km_api_resource(struct kmlab_api *api)
{
	api->hold = api_hold;
	api->give_back = api_give_back;
	api->complain = api_complain;
	api->in_use = api_in_use;
	api->own_memory = api_own_memory;
	api->random = api_random;
}
