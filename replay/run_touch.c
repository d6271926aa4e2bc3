/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario on real memory: every object is filled when it is allocated and looked at when a call
 * names it again. Nothing else may have written to it: neither another object nor, through the
 * page tables of its area, another area. What maps pages of others is not written to.
 */
#include <errno.h>
#include <string.h>

#include "replay/run_state.h"

int km_run_touch_begin(struct executor *run, struct km_err *err)
{
	struct km_memory_layout layout = *run->options->memory;
	int code;

	if (run->machine->spec.profile.la57)
		layout.vmalloc_start = KM_VMALLOC_START_LA57;
	layout.seed = run->options->seed;
	code = km_memory_open(run->machine->max_pfn, &layout, &run->memory, err);
	if (!code)
		km_memory_follow(run->memory, &run->env);
	return code;
}

static unsigned char pattern_of(const struct live *object)
{
	return (unsigned char)(object->line * 31 + (object->addr >> 3));
}

/* NULL for what is not to be written: mappings of others' pages, areas that nothing maps. */
static unsigned char *bytes_of(const struct executor *run, const struct live *object)
{
	uint64_t last = object->addr + object->bytes - 1;

	if (!run->memory || object->kind > LIVE_AREA || !object->bytes ||
	    km_memory_failure(run->memory, NULL) || !km_memory_pointer(run->memory, last))
		return NULL;
	if (km_is_vmalloc_addr(object->addr) &&
	    strcmp(run->machine->model->vm->name, "vmalloc") != 0)
		return NULL;
	return km_memory_pointer(run->memory, object->addr);
}

void km_run_touch(struct executor *run, const struct live *object)
{
	unsigned char *bytes = bytes_of(run, object);

	if (!bytes)
		return;
	/* Large pages are had when they are asked for before the first touch. */
	if (run->memory->layout.direct != KM_LEAF_4K && !km_is_vmalloc_addr(object->addr))
		km_memory_back(run->memory, object->addr, object->bytes, NULL);
	memset(bytes, pattern_of(object), object->bytes);
	run->run->touch.objects++;
	run->run->touch.bytes += object->bytes;
}

void km_run_touched(struct executor *run, const struct live *object, struct km_run_row *row)
{
	const unsigned char *bytes = bytes_of(run, object);

	if (!bytes)
		return;
	if (bytes[0] == pattern_of(object) && memcmp(bytes, bytes + 1, object->bytes - 1) == 0)
		return;
	run->run->touch.spoilt++;
	km_run_note(row, KM_RULE_NONE, "the memory of line %u was written to by something else",
		    object->line);
}

int km_run_touch_end(struct executor *run, struct km_err *err)
{
	struct km_run_touch *touch = &run->run->touch;
	int code = km_memory_failure(run->memory, err);

	if (code)
		return code;
	touch->asked = run->options->memory->direct;
	touch->refused_blocks = run->memory->refused_blocks;
	return km_memory_pages(run->memory, &touch->pages, err);
}
