/* SPDX-License-Identifier: GPL-2.0-only */
/* Leaks by call site: counts per site while the events pass, live objects at the end. */
#include "check_leaks.h"

#include <errno.h>
#include <stdlib.h>

struct km_leaks {
	struct km_leak *sites; /* by id, until km_leaks_end() */
	uint32_t nr_sites;
	/* By cache, then by site for objects of no known cache; at the end those that are unseen.
	 */
	struct km_unseen *ends;
	uint32_t nr_caches;
	size_t nr_unseen;
};

static struct km_unseen *ends_of(struct km_leaks *leaks, const struct km_object *object)
{
	return &leaks->ends[object->cache ? object->cache : leaks->nr_caches + object->site];
}

int km_leaks_new(struct km_trace *trace, struct km_leaks **out)
{
	struct km_leaks *leaks = calloc(1, sizeof(*leaks));

	if (!leaks)
		return -ENOMEM;
	km_trace_site_table(trace, &leaks->nr_sites);
	km_trace_caches(trace, &leaks->nr_caches);
	leaks->sites = calloc(leaks->nr_sites, sizeof(*leaks->sites));
	leaks->ends = calloc((size_t)leaks->nr_caches + leaks->nr_sites, sizeof(*leaks->ends));
	if (!leaks->sites || !leaks->ends) {
		km_leaks_delete(leaks);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < leaks->nr_sites; i++)
		leaks->ends[leaks->nr_caches + i].site = leaks->sites[i].site = i;
	for (uint32_t i = 0; i < leaks->nr_caches; i++)
		leaks->ends[i].cache = (uint16_t)i;
	*out = leaks;
	return 0;
}

void km_leaks_delete(struct km_leaks *leaks)
{
	if (!leaks)
		return;
	free(leaks->sites);
	free(leaks->ends);
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
	if (step->action == KM_REPAIR_FREE && event) {
		gone->freed++;
		ends_of(leaks, &step->gone)->freed++;
	} else {
		gone->implied++;
		ends_of(leaks, &step->gone)->implied++;
	}
}

static int by_bytes(const void *a, const void *b)
{
	const struct km_leak *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	return left->site < right->site ? -1 : left->site > right->site;
}

static int by_objects(const void *a, const void *b)
{
	const struct km_unseen *left = a, *right = b;

	if (left->objects != right->objects)
		return left->objects < right->objects ? 1 : -1;
	if (left->cache != right->cache)
		return left->cache < right->cache ? -1 : 1;
	return left->site < right->site ? -1 : left->site > right->site;
}

static bool is_old(const struct km_object *object, uint64_t before_ns)
{
	return object->kind != KM_NR_EVENT_KINDS && object->space != KM_SPACE_PAGE &&
	       !object->rcu_handed && object->alloc_ns < before_ns;
}

static bool is_unseen(const struct km_unseen *ends)
{
	return ends->implied > ends->freed && ends->implied > ends->objects;
}

/* Of the ends those that are unseen and have something that seems live. */
static void keep_unseen(struct km_leaks *leaks)
{
	for (size_t i = 0; i < (size_t)leaks->nr_caches + leaks->nr_sites; i++)
		if (leaks->ends[i].objects && is_unseen(&leaks->ends[i]))
			leaks->ends[leaks->nr_unseen++] = leaks->ends[i];
	qsort(leaks->ends, leaks->nr_unseen, sizeof(*leaks->ends), by_objects);
}

const struct km_leak *km_leaks_end(struct km_leaks *leaks, const struct km_repair *repair,
				   uint64_t before_ns, size_t *count)
{
	uint32_t nr_objects;
	const struct km_object *objects = km_repair_objects(repair, &nr_objects);

	for (uint32_t i = 0; i < nr_objects; i++) {
		if (!is_old(&objects[i], before_ns))
			continue;
		ends_of(leaks, &objects[i])->objects++;
		ends_of(leaks, &objects[i])->bytes += objects[i].bytes_alloc;
	}
	for (uint32_t i = 0; i < nr_objects; i++) {
		const struct km_object *object = &objects[i];
		struct km_leak *leak = &leaks->sites[object->site];

		if (!is_old(object, before_ns) || is_unseen(ends_of(leaks, object)))
			continue;
		if (!leak->objects || object->alloc_ns < leak->oldest_ns) {
			leak->oldest_ns = object->alloc_ns;
			leak->task = object->task;
			leak->cache = object->cache;
		}
		leak->objects++;
		leak->bytes += object->bytes_alloc;
	}
	keep_unseen(leaks);
	*count = 0;
	for (uint32_t i = 0; i < leaks->nr_sites; i++)
		if (leaks->sites[i].objects)
			leaks->sites[(*count)++] = leaks->sites[i];
	qsort(leaks->sites, *count, sizeof(*leaks->sites), by_bytes);
	return leaks->sites;
}

const struct km_unseen *km_leaks_unseen(const struct km_leaks *leaks, size_t *count)
{
	*count = leaks->nr_unseen;
	return leaks->ends;
}
