/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a report about an unknown kernel needs. A kernel's BTF has megabytes; kept are the
 * prototypes of the tracepoints and functions around memory, whether kmlab knows them or not, the
 * per-CPU variables by which contexts are told, and the enums and sizes the models go by. A
 * structure keeps its name and size but no members, which is also what ends the walk.
 */
#include "btf_cut.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cut {
	const struct btf *from;
	struct btf *to;
	int *ids; /* in `to`, by id in `from`; 0: not there yet */
};

/* ---- what is kept ---- */

static bool starts_as(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

static bool is_tracepoint(const char *name)
{
	static const char *const prefixes[] = {"btf_trace_kmalloc",
					       "btf_trace_kfree",
					       "btf_trace_kmem_",
					       "btf_trace_mm_page",
					       "btf_trace_alloc_vmap",
					       "btf_trace_free_vmap",
					       "btf_trace_purge_v",
					       "btf_trace_percpu_",
					       "btf_trace_rcu_invoke_kfree",
					       NULL};

	return starts_as(name, prefixes);
}

static bool is_function(const char *name)
{
	static const char *const prefixes[] = {
		"kvfree_call_rcu",   "kmem_cache_free_bulk", "kmem_cache_alloc_bulk",
		"rcu_invoke_kfree",  "alloc_vmap_area",      "free_vmap_area",
		"__purge_vmap_area", "bpf_rdonly_cast",      NULL};

	return starts_as(name, prefixes);
}

static bool is_variable(const char *name)
{
	static const char *const names[] = {"runqueues",    "pcpu_hot",        "cpu_number",
					    "current_task", "__preempt_count", "this_cpu_off"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static const char *name_of(const struct cut *cut, const struct btf_type *type)
{
	return btf__name_by_offset(cut->from, type->name_off);
}

static bool is_kept(const struct cut *cut, const struct btf_type *type)
{
	const char *name = name_of(cut, type);

	return (btf_is_typedef(type) && is_tracepoint(name)) ||
	       (btf_is_func(type) && is_function(name)) || km_btf_is_fact(cut->from, type);
}

/* struct pcpu_hot holds per-CPU variables, in an anonymous union and struct. */
static bool keeps_members(const struct cut *cut, const struct btf_type *type)
{
	const char *name = name_of(cut, type);

	return !*name || strcmp(name, "pcpu_hot") == 0;
}

/* ---- copying: what a type refers to comes first ---- */

static int copy(struct cut *cut, uint32_t id);

static int copy_prototype(struct cut *cut, const struct btf_type *type)
{
	const struct btf_param *params = btf_params(type);
	int id = copy(cut, type->type), ret = id < 0 ? id : 0;

	for (unsigned i = 0; i < btf_vlen(type) && ret >= 0; i++)
		ret = copy(cut, params[i].type);
	if (ret >= 0)
		id = ret = btf__add_func_proto(cut->to, cut->ids[type->type]);
	for (unsigned i = 0; i < btf_vlen(type) && ret >= 0; i++)
		ret = btf__add_func_param(cut->to,
					  btf__name_by_offset(cut->from, params[i].name_off),
					  cut->ids[params[i].type]);
	return ret < 0 ? ret : id;
}

static int copy_composite(struct cut *cut, const struct btf_type *type)
{
	const struct btf_member *members = btf_members(type);
	unsigned count = keeps_members(cut, type) ? btf_vlen(type) : 0;
	int id, ret = 0;

	for (unsigned i = 0; i < count && ret >= 0; i++)
		ret = copy(cut, members[i].type);
	if (ret < 0)
		return ret;
	id = ret = btf_is_union(type) ? btf__add_union(cut->to, name_of(cut, type), type->size)
				      : btf__add_struct(cut->to, name_of(cut, type), type->size);
	for (unsigned i = 0; i < count && ret >= 0; i++)
		ret = btf__add_field(cut->to, btf__name_by_offset(cut->from, members[i].name_off),
				     cut->ids[members[i].type], btf_member_bit_offset(type, i),
				     btf_member_bitfield_size(type, i));
	return ret < 0 ? ret : id;
}

static int copy_enum(struct cut *cut, const struct btf_type *type)
{
	const char *name = name_of(cut, type);
	bool wide = btf_is_enum64(type);
	int id, ret;

	id = ret = wide ? btf__add_enum64(cut->to, name, type->size, btf_kflag(type))
			: btf__add_enum(cut->to, name, type->size);
	for (unsigned i = 0; i < btf_vlen(type) && ret >= 0; i++) {
		const struct btf_enum64 *big = &btf_enum64(type)[i];
		const struct btf_enum *small = &btf_enum(type)[i];

		ret = wide ? btf__add_enum64_value(cut->to,
						   btf__name_by_offset(cut->from, big->name_off),
						   btf_enum64_value(big))
			   : btf__add_enum_value(cut->to,
						 btf__name_by_offset(cut->from, small->name_off),
						 small->val);
	}
	return ret < 0 ? ret : id;
}

static int copy_array(struct cut *cut, const struct btf_type *type)
{
	const struct btf_array *array = btf_array(type);
	int index = copy(cut, array->index_type), element = copy(cut, array->type);

	if (index < 0 || element < 0)
		return index < 0 ? index : element;
	return btf__add_array(cut->to, index, element, array->nelems);
}

/* Types that are another one with something added. */
static int copy_reference(struct cut *cut, const struct btf_type *type)
{
	const char *name = name_of(cut, type);
	int target = copy(cut, type->type);

	if (target < 0)
		return target;
	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
		return btf__add_ptr(cut->to, target);
	case BTF_KIND_TYPEDEF:
		return btf__add_typedef(cut->to, name, target);
	case BTF_KIND_VOLATILE:
		return btf__add_volatile(cut->to, target);
	case BTF_KIND_CONST:
		return btf__add_const(cut->to, target);
	case BTF_KIND_RESTRICT:
		return btf__add_restrict(cut->to, target);
	case BTF_KIND_TYPE_TAG:
		return btf__add_type_tag(cut->to, name, target);
	case BTF_KIND_FUNC:
		/* the linkage of a function stands where others have a count */
		return btf__add_func(cut->to, name, (enum btf_func_linkage)btf_vlen(type), target);
	case BTF_KIND_VAR:
		return btf__add_var(cut->to, name, btf_var(type)->linkage, target);
	default:
		return -EINVAL;
	}
}

static int copy_type(struct cut *cut, const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		return btf__add_int(cut->to, name_of(cut, type), type->size,
				    btf_int_encoding(type));
	case BTF_KIND_FLOAT:
		return btf__add_float(cut->to, name_of(cut, type), type->size);
	case BTF_KIND_FWD:
		return btf__add_fwd(cut->to, name_of(cut, type),
				    btf_kflag(type) ? BTF_FWD_UNION : BTF_FWD_STRUCT);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return copy_enum(cut, type);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return copy_composite(cut, type);
	case BTF_KIND_ARRAY:
		return copy_array(cut, type);
	case BTF_KIND_FUNC_PROTO:
		return copy_prototype(cut, type);
	default:
		return copy_reference(cut, type);
	}
}

/* The id in `to`, or -errno; void is 0 in both. */
static int copy(struct cut *cut, uint32_t id)
{
	if (id && !cut->ids[id]) {
		int added = copy_type(cut, btf__type_by_id(cut->from, id));

		if (added < 0)
			return added;
		cut->ids[id] = added;
	}
	return cut->ids[id];
}

/* The section with those of its variables that are asked for. */
static int copy_variables(struct cut *cut, const struct btf_type *section)
{
	const struct btf_var_secinfo *places = btf_var_secinfos(section);
	int ret = 0;

	for (unsigned i = 0; i < btf_vlen(section) && ret >= 0; i++)
		if (is_variable(name_of(cut, btf__type_by_id(cut->from, places[i].type))))
			ret = copy(cut, places[i].type);
	if (ret >= 0)
		ret = btf__add_datasec(cut->to, name_of(cut, section), section->size);
	for (unsigned i = 0; i < btf_vlen(section) && ret >= 0; i++)
		if (cut->ids[places[i].type])
			ret = btf__add_datasec_var_info(cut->to, cut->ids[places[i].type],
							places[i].offset, places[i].size);
	return ret;
}

static int copy_kept(struct cut *cut)
{
	int section = btf__find_by_name_kind(cut->from, ".data..percpu", BTF_KIND_DATASEC);
	int ret = 0;

	for (uint32_t id = 1; id < btf__type_cnt(cut->from) && ret >= 0; id++)
		if (is_kept(cut, btf__type_by_id(cut->from, id)))
			ret = copy(cut, id);
	if (ret >= 0 && section > 0)
		ret = copy_variables(cut, btf__type_by_id(cut->from, (uint32_t)section));
	return ret < 0 ? ret : 0;
}

/* ---- the file ---- */

static int store(const struct btf *btf, const char *path, struct km_err *err)
{
	uint32_t bytes = 0;
	const void *data = btf__raw_data(btf, &bytes);
	FILE *out = data ? fopen(path, "wb") : NULL;
	int ret;

	if (!data)
		return km_fail(err, -ENOMEM, "no memory to write BTF");
	if (!out)
		return km_fail(err, -errno, "cannot write %s: %s", path, strerror(errno));
	ret = fwrite(data, 1, bytes, out) == bytes ? 0 : -errno;
	if (fclose(out) && !ret)
		ret = -errno;
	if (!ret)
		return 0;
	unlink(path);
	return km_fail(err, ret, "cannot write %s: %s", path, strerror(-ret));
}

int km_btf_cut(const struct btf *btf, const char *path, struct km_err *err)
{
	struct cut cut = {.from = btf, .to = btf__new_empty()};
	int ret;

	cut.ids = calloc(btf__type_cnt(btf), sizeof(*cut.ids));
	if (!cut.to || !cut.ids)
		ret = km_fail(err, -ENOMEM, "no memory to cut BTF");
	else if ((ret = copy_kept(&cut)))
		km_fail(err, ret, "this BTF cannot be cut: %s", strerror(-ret));
	else
		ret = store(cut.to, path, err);
	free(cut.ids);
	btf__free(cut.to);
	return ret;
}
