/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files that a module registers, and their use as processes would use them (--files): opened,
 * written, read, mapped, closed. What a process is shown of the kernel's memory is looked at.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/module_kernel.h"

#define USER_BYTES 256
#define MAPPED_PAGES 1u

struct file_entry {
	struct file_entry *next;
	struct kmlab_file file;
	char name[64];
	bool used;
};

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

static void check_behind(const char *name, const char *buffer)
{
	const char *behind = buffer + USER_BYTES;
	unsigned bytes = BEHIND_BYTES;

	while (bytes && behind[bytes - 1] == BEHIND_FILL)
		bytes--;
	if (bytes)
		km_find(KM_RULE_OUT_OF_BOUNDS, NULL,
			"out of bounds: read of the file %s was asked for %d bytes and wrote %u "
			"behind them in user memory",
			name, USER_BYTES - 1, bytes);
}

/* ---- mmap() ---- */

/* A frame is shown whole: all of its bytes should be somebody's who means to show them. */
static void check_frame(const struct kmlab_site *site, const char *call, uint64_t pfn)
{
	const struct kernel *kernel = km_kernel;
	uint64_t addr = km_pfn_to_addr((km_pfn){pfn}), offset;
	const struct object *object;
	char text[160];

	/* What the address would be if the direct map went on for ever. */
	offset = (uintptr_t)kernel->memory->direct + (pfn << KM_PAGE_SHIFT) -
		 (uintptr_t)kernel->memory->vmalloc;
	if (offset < kernel->vmalloc_bytes)
		km_find(KM_RULE_OUT_OF_BOUNDS, site,
			"out of bounds: %s shows a process what virt_to_phys() makes of an address "
			"of the vmalloc range, where it means nothing: take vmalloc_to_pfn()",
			call);
	if (offset < kernel->vmalloc_bytes || pfn >= kernel->machine->max_pfn ||
	    !km_bad_byte(addr, KM_PAGE_SIZE))
		return; /* told, a device's, or good */
	object = km_object_within(addr, KM_PAGE_SIZE);
	if (object)
		km_find(KM_RULE_OUT_OF_BOUNDS, site,
			"out of bounds: %s shows a process the whole page 0x%" PRIx64
			", of which only a part is %s: it sees what lies beside",
			call, addr, km_object_text(object, text));
	else
		km_find(KM_RULE_OUT_OF_BOUNDS, site,
			"out of bounds: %s shows a process the page 0x%" PRIx64
			", which nobody has allocated",
			call, addr);
}

static void api_show_frames(const struct kmlab_site *site, unsigned long first, unsigned long pfn,
			    unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		check_frame(site, site->call, pfn + i);
		if (km_kernel->shown && first + i < km_kernel->shown_pages)
			km_kernel->shown[first + i] = pfn + i + 1;
	}
}

static void use_mapping(const struct file_entry *entry, void *file)
{
	uint64_t shown[MAPPED_PAGES] = {0};
	unsigned pages = 0;
	char text[200];
	int code;
	long pfn;

	km_kernel->shown = shown;
	km_kernel->shown_pages = MAPPED_PAGES;
	code = entry->file.map(file, MAPPED_PAGES * KM_PAGE_SIZE);
	for (unsigned page = 0; !code && page < MAPPED_PAGES; page++) {
		if (!shown[page]) {
			pfn = entry->file.page_fault(file, page);
			if (pfn < 0)
				continue; /* SIGBUS */
			check_frame(NULL, "the fault handler", (uint64_t)pfn);
			shown[page] = (uint64_t)pfn + 1;
		}
		pages++;
	}
	km_kernel->shown = NULL;
	if (!code)
		entry->file.unmap(file);
	if (pages)
		snprintf(text, sizeof(text),
			 "kmlab: mapped a page of %s: it is shown the one at physical 0x%" PRIx64,
			 entry->name, (shown[0] - 1) << KM_PAGE_SHIFT);
	else
		snprintf(text, sizeof(text), "kmlab: mapping a page of %s gives %s %d", entry->name,
			 code ? "" : "SIGBUS,", code);
	km_log(6, text, strlen(text));
}

/* ---- open, write, read, close ---- */

/* `echo $(cat FILE) >FILE` */
static void read_then_write(const struct file_entry *entry, void *file, char *buffer)
{
	long got = entry->file.read(file, buffer, USER_BYTES - 1), wrote;
	char text[200];

	check_behind(entry->name, buffer);
	wrote = got > 0 && got < USER_BYTES ? entry->file.write(file, buffer, (unsigned long)got)
					    : 0;
	snprintf(text, sizeof(text), "kmlab: opened %s, read (gives %ld)%s", entry->name, got,
		 got > 0 ? "" : ", closed");
	if (got > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ", wrote that back (gives %ld), closed", wrote);
	km_log(6, text, strlen(text));
}

static void write_then_read(const struct file_entry *entry, void *file, char *buffer)
{
	long wrote = entry->file.write(file, buffer, 6), got;
	char text[200];

	got = entry->file.read(file, buffer, USER_BYTES - 1);
	check_behind(entry->name, buffer);
	snprintf(text, sizeof(text),
		 "kmlab: opened %s, wrote 6 bytes (gives %ld), read up to %d (gives %ld), closed",
		 entry->name, wrote, USER_BYTES - 1, got);
	km_log(6, text, strlen(text));
}

static void use_file(void *argument)
{
	const struct file_entry *entry = argument;
	static char buffer[USER_BYTES + BEHIND_BYTES];
	char text[200];
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
	if (entry->file.gives_back)
		read_then_write(entry, file, buffer);
	else
		write_then_read(entry, file, buffer);
	if (entry->file.map && code == 0)
		use_mapping(entry, file);
	entry->file.release(file);
}

/* A file's use may remove it, and others. */
void km_use_files(void)
{
	struct file_entry *entry, copy;

	for (;;) {
		entry = km_kernel->files;
		while (entry && entry->used)
			entry = entry->next;
		if (!entry)
			return;
		entry->used = true;
		copy = *entry;
		km_call_in(-1, "a system call", use_file, &copy);
	}
}

void km_api_file(struct kmlab_api *api)
{
	api->add_file = api_add_file;
	api->remove_file = api_remove_file;
	api->show_frames = api_show_frames;
}
