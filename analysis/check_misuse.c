/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Misuse rules over repaired events. What was last freed where is kept per address; memory is
 * bounded by the addresses a kernel frees, not by the length of the trace.
 */
#include "check_misuse.h"

#include <kmlab/gfp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Between two frees this close, by one task on one CPU, nobody else had the object: a switch to
 * another task and back takes longer.
 */
#define NO_SWITCH_NS 2000

const struct km_misuse_text km_misuse_texts[KM_NR_MISUSE_RULES] = {
#define X(constant, name, seen, advice) [constant] = {name, seen, advice},
	KM_MISUSE_RULES(X)
#undef X
};

/* The last free of an address, while it is free. Open addressing, linear probing. */
struct freed {
	uint64_t ptr; /* 0: empty */
	uint64_t time_ns;
	uint32_t site, task;
	uint16_t cpu, cache;
	uint8_t kind;
	bool live; /* allocated since */
};

struct km_misuse_search {
	struct freed *freed;
	unsigned bits; /* log2 of its entries */
	size_t used;
	struct km_misuse *found;
	size_t nr_found, room;
	const struct km_trace_cache *caches;
	/* Why an allocation may have gone unseen, whatever object it is; or NULL. */
	const char *doubt;
	bool bulk_unseen;
	/* The same, where other tasks may have run since. */
	const char *others_doubt;
};

static bool has_group(const char *groups, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = groups; (at = strstr(at, name)); at += length)
		if ((at == groups || at[-1] == ',') && (!at[length] || at[length] == ','))
			return true;
	return false;
}

static void find_doubts(struct km_misuse_search *search, struct km_trace *trace,
			const struct km_check_result *checked)
{
	const char *groups = km_trace_meta(trace, "groups");
	const char *kernel = km_trace_meta(trace, "kernel");
	unsigned version = 0, patchlevel = 0;
	struct km_trace_counts counts = {0};
	uint64_t lost = 0;

	km_trace_counts(trace, &counts);
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++)
		lost += counts.lost[cause];
	if (lost)
		search->doubt = "events were lost";
	else if (!km_trace_loss_known(trace))
		search->doubt = "its recorder did not count every loss";
	else if (checked->damaged_chunks)
		search->doubt = "a chunk is damaged";
	else if (counts.filtered_excluded)
		search->doubt = "a filter left out allocations";
	else if (counts.filtered_aged)
		search->doubt = "older events were discarded";
	search->bulk_unseen = groups && !has_group(groups, "rcu");
	if (kernel)
		sscanf(kernel, "%u.%u", &version, &patchlevel);
	if (counts.filtered_self || !km_trace_complete(trace))
		search->others_doubt = "the recorder's own allocations were not recorded";
	else if (version > 6 || (version == 6 && patchlevel >= 18))
		search->others_doubt = "kmalloc_nolock() of this kernel is not traced";
}

int km_misuse_search_new(struct km_trace *trace, const struct km_check_result *checked,
			 struct km_misuse_search **out)
{
	struct km_misuse_search *search = calloc(1, sizeof(*search));
	uint32_t count;

	if (!search)
		return -ENOMEM;
	search->bits = 12;
	search->freed = calloc((size_t)1 << search->bits, sizeof(*search->freed));
	if (!search->freed) {
		free(search);
		return -ENOMEM;
	}
	search->caches = km_trace_caches(trace, &count);
	find_doubts(search, trace, checked);
	*out = search;
	return 0;
}

void km_misuse_search_delete(struct km_misuse_search *search)
{
	if (!search)
		return;
	free(search->freed);
	free(search->found);
	free(search);
}

static int by_weight(const void *a, const void *b)
{
	const struct km_misuse *left = a, *right = b;

	if (!left->doubt != !right->doubt)
		return left->doubt ? 1 : -1;
	if (left->doubt && left->count != right->count)
		return left->count < right->count ? 1 : -1;
	if (left->event.time_ns != right->event.time_ns)
		return left->event.time_ns < right->event.time_ns ? -1 : 1;
	return (int)left->rule - (int)right->rule;
}

const struct km_misuse *km_misuse_found(struct km_misuse_search *search, size_t *count)
{
	if (search->nr_found)
		qsort(search->found, search->nr_found, sizeof(*search->found), by_weight);
	*count = search->nr_found;
	return search->found;
}

const char *km_misuse_doubt(const struct km_misuse_search *search)
{
	return search->doubt;
}

/* ---- addresses ---- */

/* The address's entry, or the empty one where it belongs. */
static struct freed *lookup(const struct km_misuse_search *search, uint64_t ptr)
{
	size_t mask = ((size_t)1 << search->bits) - 1;
	size_t at = ptr * 0x9e3779b97f4a7c15ull >> (64 - search->bits);

	while (search->freed[at].ptr && search->freed[at].ptr != ptr)
		at = (at + 1) & mask;
	return &search->freed[at];
}

static int reserve(struct km_misuse_search *search)
{
	struct km_misuse_search grown = {.bits = search->bits + 1};

	if (search->used < (size_t)1 << search->bits >> 1)
		return 0;
	grown.freed = calloc((size_t)1 << grown.bits, sizeof(*grown.freed));
	if (!grown.freed)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << search->bits; i++)
		if (search->freed[i].ptr)
			*lookup(&grown, search->freed[i].ptr) = search->freed[i];
	free(search->freed);
	search->freed = grown.freed;
	search->bits = grown.bits;
	return 0;
}

static int note_free(struct km_misuse_search *search, const struct km_event *event)
{
	struct freed *freed;

	if (reserve(search))
		return -ENOMEM;
	freed = lookup(search, event->ptr);
	search->used += !freed->ptr;
	*freed = (struct freed){event->ptr, event->time_ns, event->site, event->task,
				event->cpu, event->cache,   event->kind, false};
	return 0;
}

/* ---- what was found ---- */

static int add(struct km_misuse_search *search, const struct km_misuse *misuse)
{
	for (size_t i = 0; i < search->nr_found; i++) {
		struct km_misuse *known = &search->found[i];

		if (known->rule != misuse->rule || known->event.site != misuse->event.site ||
		    known->other_site != misuse->other_site || !known->doubt != !misuse->doubt)
			continue;
		known->count++;
		return 0;
	}
	if (search->nr_found == search->room) {
		size_t room = search->room ? 2 * search->room : 16;
		struct km_misuse *grown = realloc(search->found, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		search->found = grown;
		search->room = room;
	}
	search->found[search->nr_found] = *misuse;
	search->found[search->nr_found++].count = 1;
	return 0;
}

/*
 * May an allocation have gone unseen since the object was last seen? Those of kmalloc() are never
 * made in bulk; other tasks' cannot come in where no other task ran.
 */
static const char *doubt(const struct km_misuse_search *search, const struct km_misuse *misuse,
			 unsigned other_kind, unsigned other_cpu)
{
	const struct km_event *event = &misuse->event;

	if (search->doubt)
		return search->doubt;
	if (search->bulk_unseen && (event->kind != KM_EV_KFREE || other_kind == KM_EV_CACHE_FREE ||
				    other_kind == KM_EV_CACHE_ALLOC))
		return "bulk allocations (group rcu) were not recorded";
	if (event->task == misuse->other_task && event->cpu == other_cpu &&
	    event->time_ns - misuse->other_ns <= NO_SWITCH_NS)
		return NULL;
	return search->others_doubt;
}

static int double_free(struct km_misuse_search *search, const struct km_event *event,
		       const struct freed *freed)
{
	struct km_misuse misuse = {.rule = KM_MISUSE_DOUBLE_FREE,
				   .event = *event,
				   .other_ns = freed->time_ns,
				   .other_site = freed->site,
				   .other_task = freed->task,
				   .other_cache = freed->cache};

	misuse.doubt = doubt(search, &misuse, freed->kind, freed->cpu);
	return add(search, &misuse);
}

static int object_misuse(struct km_misuse_search *search, enum km_misuse_rule rule,
			 const struct km_event *event, const struct km_object *object)
{
	struct km_misuse misuse = {.rule = rule,
				   .event = *event,
				   .other_ns = object->alloc_ns,
				   .other_site = object->site,
				   .other_task = object->task,
				   .other_cache = object->cache};

	misuse.doubt = doubt(search, &misuse, object->kind, object->cpu);
	return add(search, &misuse);
}

/* ---- rules ---- */

static int feed_alloc(struct km_misuse_search *search, const struct km_event *event)
{
	struct freed *freed = lookup(search, event->ptr);

	if (freed->ptr)
		freed->live = true;
	return 0;
}

static int feed_old_free(struct km_misuse_search *search, const struct km_repair *repair,
			 const struct km_event *event)
{
	const struct freed *freed = lookup(search, event->ptr);
	const struct km_object *around;
	int code = 0;

	if (freed->ptr && !freed->live)
		code = double_free(search, event, freed);
	else if (!freed->ptr && (around = km_repair_around(repair, event->ptr)))
		code = object_misuse(search, KM_MISUSE_INTERIOR_FREE, event, around);
	return code ? code : note_free(search, event);
}

static int feed_free(struct km_misuse_search *search, const struct km_event *event,
		     const struct km_object *gone)
{
	const struct km_trace_cache *caches = search->caches;
	int code = 0;

	if (event->cache && gone->cache && event->cache != gone->cache &&
	    strcmp(caches[event->cache].name, caches[gone->cache].name) != 0)
		code = object_misuse(search, KM_MISUSE_WRONG_CACHE, event, gone);
	return code ? code : note_free(search, event);
}

static int feed_sleeping(struct km_misuse_search *search, const struct km_event *event)
{
	const struct km_misuse misuse = {.rule = KM_MISUSE_SLEEPING, .event = *event};

	return add(search, &misuse);
}

int km_misuse_feed(struct km_misuse_search *search, const struct km_repair *repair,
		   const struct km_event *event, const struct km_repair_step *step)
{
	if (km_event_is_alloc(event->kind) && event->kind != KM_EV_VMAP_ALLOC &&
	    (event->gfp & KM_GFP_DIRECT_RECLAIM) && event->context >= KM_CTX_SOFTIRQ &&
	    event->context <= KM_CTX_NMI && feed_sleeping(search, event))
		return -ENOMEM;
	if (km_event_space(event->kind) != KM_SPACE_SLAB)
		return 0;
	switch (step->action) {
	case KM_REPAIR_ALLOC:
	case KM_REPAIR_REALLOC:
		return feed_alloc(search, event);
	case KM_REPAIR_FREE_OLD:
		return feed_old_free(search, repair, event);
	case KM_REPAIR_FREE:
		return feed_free(search, event, &step->gone);
	default:
		return 0;
	}
}
