/* SPDX-License-Identifier: GPL-2.0-only */
/* Group ids and names. */
#include "stat_groups.h"

#include "trace_text.h"

#include <kmlab/gfp.h>
#include <kmlab/profile.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const km_stat_by_names[KM_NR_BY] = {
#define X(constant, name, title) [constant] = (name),
	KM_STAT_BY(X)
#undef X
};

/* ---- modules: the id of the first site in each ---- */

static int find_modules(struct km_groups *groups)
{
	uint32_t nr_sites;
	const struct km_trace_site *sites = km_trace_site_table(groups->trace, &nr_sites);

	groups->module_of = calloc(nr_sites, sizeof(*groups->module_of));
	if (!groups->module_of)
		return -ENOMEM;
	groups->count = nr_sites;
	for (uint32_t i = 0; i < nr_sites; i++) {
		uint32_t first = sites[i].symbol[0] ? 1 : 0; /* 0: where it was is not known */

		while (first && first < i &&
		       (groups->module_of[first] != first ||
			strcmp(sites[first].module, sites[i].module) != 0))
			first++;
		groups->module_of[i] = first;
	}
	return 0;
}

/* ---- keys ---- */

static uint32_t *slot_of(const struct km_groups *groups, uint64_t key)
{
	uint32_t mask = (1u << groups->bits) - 1;
	uint32_t at = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - groups->bits));

	while (groups->slots[at] && groups->keys[groups->slots[at] - 1] != key)
		at = (at + 1) & mask;
	return &groups->slots[at];
}

static int grow_keys(struct km_groups *groups)
{
	uint32_t n = groups->count - groups->first_key;
	struct km_groups grown = *groups;

	grown.bits++;
	grown.keys = realloc(groups->keys, sizeof(*grown.keys) << grown.bits);
	if (!grown.keys)
		return -ENOMEM;
	groups->keys = grown.keys;
	grown.slots = calloc((size_t)1 << grown.bits, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		*slot_of(&grown, grown.keys[i]) = i + 1;
	free(groups->slots);
	*groups = grown;
	return 0;
}

uint32_t km_groups_of_key(struct km_groups *groups, uint64_t key)
{
	uint32_t n = groups->count - groups->first_key, *slot = slot_of(groups, key);

	if (*slot)
		return groups->first_key + *slot - 1;
	if (n >= 1u << groups->bits >> 1) {
		if (groups->bits == 30 || grow_keys(groups))
			return UINT32_MAX;
		slot = slot_of(groups, key);
	}
	groups->keys[n] = key;
	*slot = n + 1;
	return groups->count++;
}

/* ---- life ---- */

int km_groups_init(struct km_groups *groups, const struct km_trace *trace, enum km_stat_by by)
{
	int code = 0;

	*groups = (struct km_groups){.trace = trace, .by = by, .bits = 7};
	if (by == KM_BY_SITE)
		km_trace_site_table(trace, &groups->count);
	else if (by == KM_BY_TASK)
		km_trace_tasks(trace, &groups->count);
	else if (by == KM_BY_CACHE)
		km_trace_caches(trace, &groups->count);
	else if (by == KM_BY_CPU)
		groups->count = km_trace_cpus(trace);
	else if (by == KM_BY_MODULE)
		code = find_modules(groups);
	groups->first_key = groups->count;
	if (!code)
		code = grow_keys(groups);
	if (code)
		km_groups_free(groups);
	return code;
}

void km_groups_free(struct km_groups *groups)
{
	free(groups->module_of);
	free(groups->keys);
	free(groups->slots);
	*groups = (struct km_groups){0};
}

/* ---- names ---- */

/* Names of the kernel the trace is of. */
static void gfp_name(const struct km_trace *trace, uint32_t gfp, char text[KM_GROUP_TEXT])
{
	const char *name = km_trace_meta(trace, "profile");
	const struct km_profile *profile = name ? km_profile_find(name) : NULL;

	km_gfp_text(gfp, profile ? profile : km_profile_find("6.1"), text, KM_GROUP_TEXT);
}

const char *km_groups_name(const struct km_groups *groups, uint32_t id, char text[KM_GROUP_TEXT])
{
	const struct km_trace *trace = groups->trace;
	uint64_t key = id >= groups->first_key ? groups->keys[id - groups->first_key] : 0;
	uint32_t count;

	switch (groups->by) {
	case KM_BY_SITE:
		return km_trace_site_text(&km_trace_site_table(trace, &count)[id], text);
	case KM_BY_TASK:
		return km_task_text(trace, id, text);
	case KM_BY_MODULE:
		snprintf(text, KM_GROUP_TEXT, "%s", km_trace_site_table(trace, &count)[id].module);
		if (!*text)
			snprintf(text, KM_GROUP_TEXT, "%s", id ? "kernel" : "unknown");
		return text;
	case KM_BY_CACHE:
		if (id < groups->first_key)
			snprintf(text, KM_GROUP_TEXT, "%s",
				 km_trace_caches(trace, &count)[id].name);
		else
			snprintf(text, KM_GROUP_TEXT, "kmalloc-%" PRIu64, key);
		return text;
	case KM_BY_GFP:
		gfp_name(trace, (uint32_t)key, text);
		return text;
	default:
		snprintf(text, KM_GROUP_TEXT, "%" PRIu64, groups->by == KM_BY_CPU ? id : key);
		return text;
	}
}
