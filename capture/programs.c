/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which programs of record.bpf.c fit this kernel. The order of a BTF tracepoint's arguments does
 * not relocate, so the prototype of every btf_trace_NAME is read from BTF and must equal, type for
 * type, the one a program was written for; anything else is refused. Prototypes:
 * include/trace/events/{kmem,vmalloc}.h, 6.1 - 6.18 (vmalloc since 6.2).
 */
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "capture.h"

#define PROGRAM(tracepoint, kind, prototype, optional)                                             \
	{                                                                                          \
#tracepoint, prototype,                                                            \
			{#tracepoint "_first", #tracepoint "_second" }, kind, optional             \
	}

/* Canonical types: u64 s32 … integers and enums by width, *NAME a pointer to struct NAME. */
static const struct km_probe_program programs[] = {
	PROGRAM(kmalloc, KM_REC_KMALLOC, "u64 *void u64 u64 u32 s32", false),
	PROGRAM(kfree, KM_REC_KFREE, "u64 *void", false),
	PROGRAM(kmem_cache_alloc, KM_REC_CACHE_ALLOC, "u64 *void *kmem_cache u32 s32", false),
	PROGRAM(kmem_cache_free, KM_REC_CACHE_FREE, "u64 *void *kmem_cache", false),
	PROGRAM(mm_page_alloc, KM_REC_PAGE_ALLOC, "*page u32 u32 s32", false),
	PROGRAM(mm_page_free, KM_REC_PAGE_FREE, "*page u32", false),
	PROGRAM(alloc_vmap_area, KM_REC_VMAP_ALLOC, "u64 u64 u64 u64 u64 s32", true),
	PROGRAM(free_vmap_area_noflush, KM_REC_VMAP_FREE, "u64 u64 u64", true),
	PROGRAM(purge_vmap_area_lazy, KM_REC_VMAP_PURGE, "u64 u64 u32", true),
};
#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static const struct btf_type *strip(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	return type;
}

static void type_text(const struct btf *btf, uint32_t id, char *text, size_t size)
{
	const struct btf_type *type = id ? strip(btf, id) : NULL;
	const struct btf_type *target;

	if (!type || btf_is_void(type)) {
		snprintf(text, size, "void");
	} else if (btf_is_int(type)) {
		snprintf(text, size, "%c%u", btf_int_encoding(type) & BTF_INT_SIGNED ? 's' : 'u',
			 type->size * 8);
	} else if (btf_is_any_enum(type)) {
		snprintf(text, size, "u%u", type->size * 8);
	} else if (btf_is_ptr(type)) {
		target = type->type ? strip(btf, type->type) : NULL;
		snprintf(text, size, "*%s",
			 target && !btf_is_void(target) ? btf__name_by_offset(btf, target->name_off)
							: "void");
	} else {
		snprintf(text, size, "%s", btf__name_by_offset(btf, type->name_off));
	}
}

/* The arguments of btf_trace_NAME, without the leading private pointer. -ENOENT: no such one. */
static int prototype_text(const struct btf *btf, const char *tracepoint, char *text, size_t size)
{
	char name[64], one[64];
	const struct btf_type *type;
	const struct btf_param *params;
	size_t used = 0;
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -ENOENT;
	type = strip(btf, (uint32_t)id);
	if (!type || !btf_is_ptr(type))
		return -ENOENT;
	type = strip(btf, type->type);
	if (!type || !btf_is_func_proto(type))
		return -ENOENT;
	params = btf_params(type);
	text[0] = '\0';
	for (unsigned i = 1; i < btf_vlen(type) && used < size; i++) {
		type_text(btf, params[i].type, one, sizeof(one));
		used += (size_t)snprintf(text + used, size - used, "%s%s", i > 1 ? " " : "", one);
	}
	return 0;
}

static enum km_event_group group_of(const struct km_probe_program *program)
{
	return km_event_group_of(program->kind);
}

static int choose_one(const struct btf *btf, const struct km_probe_program *program,
		      struct km_program_choice *choice, struct km_err *err)
{
	char prototype[256];

	if (prototype_text(btf, program->tracepoint, prototype, sizeof(prototype))) {
		if (program->optional)
			return 0;
		return km_fail(err, -ENOTSUP,
			       "this kernel has no typed tracepoint %s; recording needs Linux 6.1 "
			       "or newer with CONFIG_DEBUG_INFO_BTF",
			       program->tracepoint);
	}
	if (strcmp(prototype, program->prototype) != 0)
		return km_fail(
			err, -ENOTSUP,
			"the tracepoint %s of this kernel passes (%s), kmlab knows only (%s); "
			"record without its group (-e) or use a kmlab made for this kernel",
			program->tracepoint, prototype, program->prototype);
	choice->by_kind[program->kind] = program;
	choice->groups |= 1u << group_of(program);
	return 0;
}

int km_programs_choose(const struct btf *btf, unsigned groups, struct km_program_choice *choice,
		       struct km_err *err)
{
	struct km_program_choice found = {0};
	int ret;

	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		if (!(groups & 1u << group_of(&programs[i])))
			continue;
		ret = choose_one(btf, &programs[i], &found, err);
		if (ret)
			return ret;
	}
	if (!found.groups)
		return km_fail(err, -ENOTSUP,
			       "this kernel has no vmalloc tracepoints (Linux 6.2 and newer do); "
			       "choose other groups with -e");
	*choice = found;
	return 0;
}
