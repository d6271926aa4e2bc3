/* SPDX-License-Identifier: GPL-2.0-only */
/* Leaks by call site: counts per site while the events pass, live objects at the end. */
#include "check_leaks.h"

#include <errno.h>
#include <stdlib.h>

struct km_leaks {
	struct km_leak *sites; /* by id, until km_leaks_end() */
	uint32_t nr_sites;
};

int km_leaks_new(struct km_trace *trace, struct km_leaks **out)
{
	struct km_leaks *leaks = calloc(1, sizeof(*leaks));

	if (!leaks)
		return -ENOMEM;
	km_trace_site_table(trace, &leaks->nr_sites);
	leaks->sites = calloc(leaks->nr_sites, sizeof(*leaks->sites));
	if (!leaks->sites) {
		free(leaks);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < leaks->nr_sites; i++)
		leaks->sites[i].site = i;
	*out = leaks;
	return 0;
}

void km_leaks_delete(struct km_leaks *leaks)
{
	if (!leaks)
		return;
	free(leaks->sites);
	free(leaks);
}

void km_leaks_feed(struct km_leaks *leaks, const struct km_event *event,
		   const struct km_repair_step *step)
{
	bool begins = step->action == KM_REPAIR_ALLOC || step->action == KM_REPAIR_REALLOC;
	bool ends = step->action == KM_REPAIR_FREE || step->action == KM_REPAIR_REALLOC;
	struct km_leak *gone = &leaks->sites[ends ? step->gone.site : 0];

	if (begins && km_event_space(event->kind) != KM_SPACE_PAGE)
		leaks->sites[event->site].allocated++;
	if (!ends || step->gone.space == KM_SPACE_PAGE)
		return;
	if (step->action == KM_REPAIR_FREE && event)
		gone->freed++;
	else
		gone->implied++;
}

static int by_bytes(const void *a, const void *b)
{
	const struct km_leak *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	return left->site < right->site ? -1 : left->site > right->site;
}

const struct km_leak *km_leaks_end(struct km_leaks *leaks, const struct km_repair *repair,
				   uint64_t before_ns, size_t *count)
{
	uint32_t nr_objects;
	const struct km_object *objects = km_repair_objects(repair, &nr_objects);

	for (uint32_t i = 0; i < nr_objects; i++) {
		const struct km_object *object = &objects[i];
		struct km_leak *leak = &leaks->sites[object->site];

		if (object->kind == KM_NR_EVENT_KINDS || object->space == KM_SPACE_PAGE ||
		    object->rcu_handed || object->alloc_ns >= before_ns)
			continue;
		if (!leak->objects || object->alloc_ns < leak->oldest_ns) {
			leak->oldest_ns = object->alloc_ns;
			leak->task = object->task;
			leak->cache = object->cache;
		}
		leak->objects++;
		leak->bytes += object->bytes_alloc;
	}
	*count = 0;
	for (uint32_t i = 0; i < leaks->nr_sites; i++)
		if (leaks->sites[i].objects)
			leaks->sites[(*count)++] = leaks->sites[i];
	qsort(leaks->sites, *count, sizeof(*leaks->sites), by_bytes);
	return leaks->sites;
}
