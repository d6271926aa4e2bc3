/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What BTF tells about the recording kernel beyond prototypes: sizes of the structures the models
 * imitate and the constants that moved between versions (gfp bits since 6.10, slab flags since 6.8,
 * migratetypes, zones, kmalloc types).
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

static int64_t enumerator(const struct btf_type *type, unsigned i)
{
	if (btf_is_enum64(type))
		return (int64_t)btf_enum64_value(&btf_enum64(type)[i]);
	return btf_enum(type)[i].val;
}

static const char *enumerator_name(const struct btf *btf, const struct btf_type *type, unsigned i)
{
	return btf__name_by_offset(btf, btf_is_enum64(type) ? btf_enum64(type)[i].name_off
							    : btf_enum(type)[i].name_off);
}

int km_btf_enumerator(const struct btf *btf, const char *name, int64_t *value)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (!btf_is_any_enum(type))
			continue;
		for (unsigned i = 0; i < btf_vlen(type); i++) {
			if (strcmp(enumerator_name(btf, type, i), name) == 0) {
				*value = enumerator(type, i);
				return 0;
			}
		}
	}
	return -ENOENT;
}

static bool wanted(const char *name)
{
	static const char *const prefixes[] = {"___GFP_",      "_SLAB_",           "MIGRATE_",
					       "ZONE_",        "KMALLOC_",         "NR_PCP_",
					       "MAX_NR_ZONES", "NR_KMALLOC_TYPES", "PB_migrate"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof(names[0]))

static const char *const structs[] = {
	"page",      "slab",      "kmem_cache",    "kmem_cache_cpu", "kmem_cache_node",
	"vm_struct", "vmap_area", "per_cpu_pages", "zone",           "slab_sheaf"};
/* ZONE_ and MIGRATE_ begin the names of other enums' enumerators too. */
static const char *const enums[] = {"migratetype", "zone_type", "kmalloc_cache_type",
				    "_slab_flag_bits"};

bool km_btf_is_fact(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);

	if (btf_is_struct(type))
		return IS_ONE_OF(name, structs);
	if (!btf_is_any_enum(type))
		return false;
	if (*name)
		return IS_ONE_OF(name, enums);
	for (unsigned i = 0; i < btf_vlen(type); i++)
		if (wanted(enumerator_name(btf, type, i)))
			return true;
	return false;
}

static void print_enumerators(FILE *out, const struct btf *btf, const struct btf_type *type)
{
	const char *owner = btf__name_by_offset(btf, type->name_off);

	for (unsigned i = 0; i < btf_vlen(type); i++) {
		const char *name = enumerator_name(btf, type, i);

		if (*owner || wanted(name))
			fprintf(out, "%s=%lld\n", name, (long long)enumerator(type, i));
	}
}

char *km_btf_facts(const struct btf *btf)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	for (size_t i = 0; i < sizeof(structs) / sizeof(structs[0]); i++) {
		int id = btf__find_by_name_kind(btf, structs[i], BTF_KIND_STRUCT);

		if (id > 0)
			fprintf(out, "sizeof(struct %s)=%lld\n", structs[i],
				(long long)btf__resolve_size(btf, (uint32_t)id));
	}
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_any_enum(type) && km_btf_is_fact(btf, type))
			print_enumerators(out, btf, type);
	}
	return fclose(out) == 0 ? text : NULL;
}
