/* SPDX-License-Identifier: GPL-2.0-only */
/* What a module registers besides memory, and the files among it, which are used if asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/module_kernel.h"

#define USER_BYTES 256

struct resource {
	struct resource *next;
	enum kmlab_resource kind;
	const void *key;
	char name[32];
	const struct kmlab_site *site;
};

struct file_entry {
	struct file_entry *next;
	struct kmlab_file file;
	char name[32];
};

static const char *const kind_names[KMLAB_NR_RESOURCES] = {
	"device number", "character device", "misc device", "class",  "device", "proc entry",
	"debugfs entry", "sysfs entry",      "workqueue",   "region", "driver"};

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
	/* remove_proc_entry() knows it by its name. */
	if (!*link && kind == KMLAB_RES_PROC && key) {
		link = &km_kernel->resources;
		while (*link && ((*link)->kind != kind || strcmp((*link)->name, key) != 0))
			link = &(*link)->next;
	}
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

/* ---- files ---- */

static void api_add_file(const struct kmlab_file *file)
{
	struct file_entry *entry = calloc(1, sizeof(*entry)), **link = &km_kernel->files;

	if (!entry)
		return;
	entry->file = *file;
	snprintf(entry->name, sizeof(entry->name), "%s", file->name ? file->name : "");
	while (*link)
		link = &(*link)->next;
	*link = entry;
}

static void api_remove_file(const void *context)
{
	struct file_entry **link = &km_kernel->files, *gone;

	while (*link && (*link)->file.context != context)
		link = &(*link)->next;
	gone = *link;
	if (!gone)
		return;
	*link = gone->next;
	free(gone);
}

/* A driver that passes over the count it is given writes behind the caller's buffer. */
#define BEHIND_BYTES 65536u
#define BEHIND_FILL 0x5a

static void check_behind(const char *name, const char *behind)
{
	unsigned bytes = BEHIND_BYTES;

	while (bytes && behind[bytes - 1] == BEHIND_FILL)
		bytes--;
	if (bytes)
		km_find(KM_RULE_OUT_OF_BOUNDS, NULL,
			"out of bounds: read of the file %s was asked for %d bytes and wrote %u "
			"behind them in user memory",
			name, USER_BYTES - 1, bytes);
}

static void use_file(void *argument)
{
	const struct file_entry *entry = argument;
	static char buffer[USER_BYTES + BEHIND_BYTES];
	char text[200];
	long wrote, got;
	void *file;
	int code;

	memset(buffer, 0, USER_BYTES);
	memset(buffer + USER_BYTES, BEHIND_FILL, BEHIND_BYTES);
	strcpy(buffer, "hello\n");
	code = entry->file.open(entry->file.context, &file);

	if (code) {
		snprintf(text, sizeof(text), "kmlab: opening %s gives %d", entry->name, code);
		km_log(6, text, strlen(text));
		return;
	}
	wrote = entry->file.write(file, buffer, 6);
	got = entry->file.read(file, buffer, USER_BYTES - 1);
	check_behind(entry->name, buffer + USER_BYTES);
	entry->file.release(file);
	snprintf(text, sizeof(text),
		 "kmlab: opened %s, wrote 6 bytes (gives %ld), read up to %d (gives %ld), closed",
		 entry->name, wrote, USER_BYTES - 1, got);
	km_log(6, text, strlen(text));
}

void km_use_files(void)
{
	for (struct file_entry *entry = km_kernel->files; entry; entry = entry->next)
		km_call_in(-1, "a system call", use_file, entry);
}

static unsigned long long api_random(void)
{
	return km_env_random(&km_kernel->env);
}

void km_api_resource(struct kmlab_api *api)
{
	api->hold = api_hold;
	api->give_back = api_give_back;
	api->add_file = api_add_file;
	api->remove_file = api_remove_file;
	api->random = api_random;
}
