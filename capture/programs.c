/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which programs of record.bpf.c fit this kernel. The order of a tracepoint's or function's
 * arguments does not relocate, so the prototype of each is read from BTF and must equal, type for
 * type, the one a program was written for; a tracepoint with any other is refused. Prototypes:
 * include/trace/events/{kmem,vmalloc,percpu,rcu}.h, mm/{slub,slab_common,vmalloc}.c, 6.1 - 7.2.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"

#define PROGRAM(point, kind, prototype, optional)                                                  \
	{                                                                                          \
#point, NULL, prototype, {#point "_first", #point "_second" }, kind, optional      \
	}
#define FUNCTION(function, name, kind, prototype)                                                  \
	{                                                                                          \
		NULL, #function, prototype, {#name, NULL}, kind, true                              \
	}

/*
 * Canonical types: u64 s32 … integers and enums by width, *NAME a pointer to struct NAME, * one to
 * something without a name; of a function with the result last. Of several for a kind the first
 * that fits is taken.
 */
static const struct km_probe_program programs[] = {
	PROGRAM(kmalloc, KM_REC_KMALLOC, "u64 *void u64 u64 u32 s32", false),
	PROGRAM(kfree, KM_REC_KFREE, "u64 *void", false),
	PROGRAM(kmem_cache_alloc, KM_REC_CACHE_ALLOC, "u64 *void *kmem_cache u32 s32", false),
	PROGRAM(kmem_cache_free, KM_REC_CACHE_FREE, "u64 *void *kmem_cache", false),
	PROGRAM(mm_page_alloc, KM_REC_PAGE_ALLOC, "*page u32 u32 s32", false),
	PROGRAM(mm_page_free, KM_REC_PAGE_FREE, "*page u32", false),
	PROGRAM(mm_page_alloc_zone_locked, KM_REC_PAGE_ZONE_LOCKED, "*page u32 s32 s32", true),
	PROGRAM(mm_page_pcpu_drain, KM_REC_PAGE_PCPU_DRAIN, "*page u32 s32", true),
	PROGRAM(mm_page_alloc_extfrag, KM_REC_PAGE_EXTFRAG, "*page s32 s32 s32 s32", true),
	PROGRAM(alloc_vmap_area, KM_REC_VMAP_ALLOC, "u64 u64 u64 u64 u64 s32", true),
	PROGRAM(free_vmap_area_noflush, KM_REC_VMAP_FREE, "u64 u64 u64", true),
	PROGRAM(purge_vmap_area_lazy, KM_REC_VMAP_PURGE, "u64 u64 u32", true),
	PROGRAM(percpu_alloc_percpu, KM_REC_PERCPU_ALLOC,
		"u64 u8 u8 u64 u64 *void s32 *void u64 u32", true),
	PROGRAM(percpu_free_percpu, KM_REC_PERCPU_FREE, "*void s32 *void", true),
	FUNCTION(kvfree_call_rcu, rcu_free, KM_REC_RCU_FREE, "*callback_head *void"),
	FUNCTION(kvfree_call_rcu, rcu_free_offset, KM_REC_RCU_FREE, "*callback_head *"),
	FUNCTION(kmem_cache_free_bulk, bulk_free, KM_REC_BULK_FREE, "*kmem_cache u64 *"),
	FUNCTION(kmem_cache_alloc_bulk, bulk_alloc, KM_REC_BULK_ALLOC, "*kmem_cache u32 u64 * s32"),
	FUNCTION(kmem_cache_alloc_bulk_noprof, bulk_alloc, KM_REC_BULK_ALLOC,
		 "*kmem_cache u32 u64 * s32"),
	{"rcu_invoke_kfree_bulk_callback",
	 NULL,
	 "*s8 u64 *",
	 {"bulk_free_rcu", NULL},
	 KM_REC_BULK_FREE,
	 true},
	FUNCTION(alloc_vmap_area, vmap_alloc, KM_REC_VMAP_ALLOC,
		 "u64 u64 u64 u64 s32 u32 *vmap_area"),
	FUNCTION(free_vmap_area_noflush, vmap_free, KM_REC_VMAP_FREE, "*vmap_area"),
	FUNCTION(__purge_vmap_area_lazy, vmap_purge, KM_REC_VMAP_PURGE, "u64 u64 u8"),
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

static void append_type(const struct btf *btf, uint32_t id, char *text, size_t size)
{
	size_t used = strlen(text);
	char one[64];

	type_text(btf, id, one, sizeof(one));
	snprintf(text + used, size - used, "%s%s", used ? " " : "", one);
}

/* The arguments of btf_trace_NAME, without the leading private pointer. -ENOENT: no such one. */
static int tracepoint_text(const struct btf *btf, const char *tracepoint, char *text, size_t size)
{
	char name[64];
	const struct btf_type *type;
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	type = id > 0 ? strip(btf, (uint32_t)id) : NULL;
	type = type && btf_is_ptr(type) ? strip(btf, type->type) : NULL;
	if (!type || !btf_is_func_proto(type))
		return -ENOENT;
	for (unsigned i = 1; i < btf_vlen(type); i++)
		append_type(btf, btf_params(type)[i].type, text, size);
	return 0;
}

/* The arguments and the result (unless void) of a function. -ENOENT: it has none in BTF. */
static int function_text(const struct btf *btf, const char *function, char *text, size_t size)
{
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	type = type ? strip(btf, type->type) : NULL;
	if (!type || !btf_is_func_proto(type))
		return -ENOENT;
	for (unsigned i = 0; i < btf_vlen(type); i++)
		append_type(btf, btf_params(type)[i].type, text, size);
	if (type->type)
		append_type(btf, type->type, text, size);
	return 0;
}

static int prototype_text(const struct btf *btf, const struct km_probe_program *program, char *text,
			  size_t size)
{
	text[0] = '\0';
	return program->tracepoint ? tracepoint_text(btf, program->tracepoint, text, size)
				   : function_text(btf, program->function, text, size);
}

static enum km_event_group group_of(const struct km_probe_program *program)
{
	return km_event_group_of(program->kind);
}

/* A function's prototype is nobody's promise: one that differs is one that is not there. */
static int choose_one(const struct btf *btf, const struct km_probe_program *program,
		      struct km_program_choice *choice, struct km_err *err)
{
	char prototype[256];
	bool known = !prototype_text(btf, program, prototype, sizeof(prototype));

	if (!known && !program->optional)
		return km_fail(err, -ENOTSUP,
			       "this kernel has no typed tracepoint %s; recording needs Linux 6.1 "
			       "or newer with CONFIG_DEBUG_INFO_BTF",
			       program->tracepoint);
	if (known && strcmp(prototype, program->prototype) == 0) {
		choice->by_kind[program->kind] = program;
		choice->groups |= 1u << group_of(program);
	} else if (known && program->tracepoint) {
		return km_fail(
			err, -ENOTSUP,
			"the tracepoint %s of this kernel passes (%s), kmlab knows only (%s); "
			"record without its group (-e) or use a kmlab made for this kernel",
			program->tracepoint, prototype, program->prototype);
	}
	return 0;
}

int km_programs_choose(const struct btf *btf, unsigned groups, bool functions,
		       struct km_program_choice *choice, struct km_err *err)
{
	struct km_program_choice found = {0};
	int ret;

	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		if (!(groups & 1u << group_of(&programs[i])) ||
		    (programs[i].function && !functions) || found.by_kind[programs[i].kind])
			continue;
		ret = choose_one(btf, &programs[i], &found, err);
		if (ret)
			return ret;
	}
	if (!found.groups)
		return km_fail(err, -ENOTSUP,
			       "this kernel shows nothing of what was asked for: it has no such "
			       "tracepoints%s; choose other groups with -e",
			       functions ? ""
					 : ", and does not let programs attach to its functions "
					   "(CONFIG_FUNCTION_TRACER)");
	*choice = found;
	return 0;
}

/* Loads and attaches a program that does nothing. */
int km_programs_try_function(const struct btf *btf)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	int id = btf__find_by_name_kind(btf, "kmem_cache_free_bulk", BTF_KIND_FUNC);
	int program, attached;

	if (id < 0)
		return -ENOENT;
	options.attach_btf_id = (uint32_t)id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "try", "GPL", nothing, 2, &options);
	if (program < 0)
		return program;
	attached = bpf_raw_tracepoint_open(NULL, program);
	close(program);
	if (attached < 0)
		return attached;
	close(attached);
	return 0;
}
