/* SPDX-License-Identifier: GPL-2.0-only */
/* The free ranges of vmalloc's address space, and how many pages wait for a purge. */
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "oracle.h"

/* Variables of mm/vmalloc.c that are not exported; the guest finds them in /proc/kallsyms. */
static unsigned long vmap_free, vmap_lazy;
module_param(vmap_free, ulong, 0);
module_param(vmap_lazy, ulong, 0);

void oracle_print_areas(struct oracle_text *text)
{
	struct list_head *list = (struct list_head *)vmap_free;
	struct vmap_area *area;

	if (!vmap_free || !vmap_lazy)
		return;
	oracle_print(text, "vfree");
	list_for_each_entry(area, list, list)
		oracle_print(text, " %lx-%lx", area->va_start, area->va_end);
	oracle_print(text, "\nvlazy %ld\n", atomic_long_read((atomic_long_t *)vmap_lazy));
}
