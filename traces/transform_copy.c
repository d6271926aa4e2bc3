/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies dictionaries, events, snapshots and facts. Call sites, tasks and stacks are written when
 * an event first refers to them, so a part of a trace does not carry the names of the rest.
 */
#include "transform_copy.h"
#include "reader.h"
#include "site_stand_in.h"
#include "uuid.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define STACK_FRAMES 256

static int no_memory(const struct km_copy *copy, struct km_err *err)
{
	return km_fail(err, -ENOMEM, "cannot copy %s: not enough memory",
		       km_trace_path(copy->from));
}

int km_copy_unfinished(const struct km_trace *trace, struct km_err *err)
{
	return km_fail(err, -EINVAL,
		       "%s was not finished, so what fired and what was lost is not known; only a "
		       "finished trace can be taken apart or put together",
		       km_trace_path(trace));
}

int km_copy_stopped(const struct km_trace *trace, bool (*stop)(void), struct km_err *err)
{
	return stop && stop() ? km_fail(err, -EINTR, "%s was not read to its end: interrupted",
					km_trace_path(trace))
			      : 0;
}

/* ---- dictionaries ---- */

static int copy_caches(struct km_copy *copy, bool merge, struct km_err *err)
{
	uint32_t count;
	const struct km_trace_cache *caches = km_trace_caches(copy->from, &count);

	for (uint32_t i = 1; i < count; i++) {
		struct km_trace_cache cache = caches[i];
		char key[sizeof(cache.name) + 64];
		uint64_t *known;
		int code, n;

		n = snprintf(key, sizeof(key), "%s %u %u %u %x", cache.name, cache.object_size,
			     cache.size, cache.align, cache.flags);
		known = km_intern(&copy->to->caches, key, (size_t)n);
		if (!known)
			return no_memory(copy, err);
		if (!merge || !*known) {
			cache.id = 0;
			code = km_trace_define_cache(copy->to->writer, &cache, err);
			if (code)
				return code;
			if (!*known)
				*known = cache.id;
			copy->caches[i] = (uint16_t)cache.id;
		} else {
			copy->caches[i] = (uint16_t)*known;
		}
	}
	return 0;
}

/*
 * Stand-ins count symbols trace by trace: they are counted anew. Under a key all addresses are
 * replaced by stand-ins. 0: not enough memory.
 */
static uint64_t site_address(struct km_copy *copy, const struct km_trace_site *site)
{
	char key[sizeof(site->symbol) + sizeof(site->module) + 1];
	uint64_t *number;
	int n;

	if (!copy->anonymise && !km_site_is_stand_in(site->address))
		return site->address;
	if (*site->symbol)
		n = snprintf(key, sizeof(key), "%s %s", site->symbol, site->module);
	else
		n = snprintf(key, sizeof(key), "%llx", (unsigned long long)site->address);
	number = km_intern(&copy->to->symbols, key, (size_t)n);
	if (!number)
		return 0;
	if (!*number)
		*number = copy->to->symbols.count;
	return km_site_stand_in(*number, site->offset);
}

static uint32_t copy_site(struct km_copy *copy, uint32_t id)
{
	uint32_t count, before, after;
	const struct km_trace_site *sites = km_trace_site_table(copy->from, &count);
	struct km_trace_site site;

	if (!id || id >= count || copy->sites[id])
		return id < count ? copy->sites[id] : 0;
	site = sites[id];
	site.address = site_address(copy, &site);
	km_trace_sites(copy->to->writer, &before);
	site.id = km_trace_site_id(copy->to->writer, site.address);
	km_trace_sites(copy->to->writer, &after);
	if (after != before && *site.symbol)
		km_trace_define_site(copy->to->writer, &site, NULL); /* the next append reports */
	return copy->sites[id] = site.id;
}

static uint32_t copy_task(struct km_copy *copy, uint32_t id)
{
	uint32_t count;
	const struct km_trace_task *tasks = km_trace_tasks(copy->from, &count);
	struct km_trace_task task;
	uint64_t *known;
	struct {
		uint64_t cgroup;
		uint32_t tid, tgid;
		char comm[sizeof(task.comm)];
	} key = {0};

	if (!id || id >= count || copy->tasks[id])
		return id < count ? copy->tasks[id] : 0;
	task = tasks[id];
	if (copy->anonymise)
		km_anonymise_task(copy->anonymise, &task);
	key.cgroup = task.cgroup;
	key.tid = task.tid;
	key.tgid = task.tgid;
	memcpy(key.comm, task.comm, strnlen(task.comm, sizeof(task.comm)));
	known = km_intern(&copy->to->tasks, &key, sizeof(key));
	if (!known)
		return 0;
	task.id = 0;
	if (!*known && !km_trace_define_task(copy->to->writer, &task, NULL))
		*known = task.id;
	return copy->tasks[id] = (uint32_t)*known;
}

static uint32_t copy_stack(struct km_copy *copy, uint32_t id)
{
	uint64_t addresses[STACK_FRAMES];
	const uint64_t *written;
	const uint32_t *frames;
	unsigned n;
	uint32_t count;

	if (!id || copy->stacks[id])
		return id ? copy->stacks[id] : 0;
	frames = km_trace_stack(copy->from, id, &n);
	n = n < STACK_FRAMES ? n : STACK_FRAMES;
	for (unsigned i = 0; i < n; i++) {
		uint32_t site = copy_site(copy, frames[i]);

		written = km_trace_sites(copy->to->writer, &count);
		addresses[i] = site < count ? written[site] : 0;
	}
	return copy->stacks[id] = km_trace_stack_id(copy->to->writer, addresses, n);
}

int km_copy_begin(struct km_copy *copy, struct km_trace *from, struct km_copy_target *to,
		  bool merge, struct km_err *err)
{
	copy->from = from;
	copy->to = to;
	copy->sites = calloc(from->limits.sites + 1, sizeof(*copy->sites));
	copy->tasks = calloc(from->limits.tasks + 1, sizeof(*copy->tasks));
	copy->stacks = calloc(from->limits.stacks + 1, sizeof(*copy->stacks));
	copy->caches = calloc(from->limits.caches + 1, sizeof(*copy->caches));
	if (!copy->sites || !copy->tasks || !copy->stacks || !copy->caches)
		return no_memory(copy, err);
	return copy_caches(copy, merge, err);
}

void km_copy_end(struct km_copy *copy)
{
	free(copy->sites);
	free(copy->tasks);
	free(copy->stacks);
	free(copy->caches);
	*copy = (struct km_copy){0};
}

void km_copy_target_free(struct km_copy_target *target)
{
	km_intern_free(&target->caches);
	km_intern_free(&target->tasks);
	km_intern_free(&target->symbols);
}

int km_copy_event(struct km_copy *copy, struct km_event event, struct km_err *err)
{
	event.site = copy_site(copy, event.site);
	event.task = copy_task(copy, event.task);
	event.stack = copy_stack(copy, event.stack);
	event.cache = copy->caches[event.cache];
	event.time_ns += (uint64_t)copy->shift_ns;
	if (copy->anonymise)
		event.ptr = km_anonymise_ptr(copy->anonymise, event.kind, event.ptr);
	return km_trace_append(copy->to->writer, event.cpu, &event, 1, err);
}

int km_copy_cgroups(struct km_copy *copy, struct km_err *err)
{
	int code = 0;

	for (size_t i = 0; !code && i < copy->from->nr_cgroups; i++) {
		const struct km_cgroup *cgroup = &copy->from->cgroups[i];
		char path[4096];

		if (copy->anonymise)
			code = km_trace_define_cgroup(
				copy->to->writer, km_anonymise_cgroup(copy->anonymise, cgroup->id),
				km_anonymise_path(copy->anonymise, cgroup->path, path,
						  sizeof(path)),
				err);
		else
			code = km_trace_define_cgroup(copy->to->writer, cgroup->id, cgroup->path,
						      err);
	}
	return code;
}

/* ---- snapshots ---- */

struct walk {
	struct km_copy *copy;
	km_copy_wants_fn *wants;
	const void *context;
	struct km_copy_snapshot snapshot;
	struct km_err *err;
};

static int copy_text(void *context, uint64_t time_ns, const char *text)
{
	struct walk *walk = context;
	int64_t shift = walk->copy->shift_ns;

	walk->snapshot.time_ns = time_ns;
	if (!walk->wants(walk->context, &walk->snapshot))
		return 0;
	/* What was read at the start holds from the start on, whatever that is now. */
	time_ns = shift < 0 && time_ns < (uint64_t)-shift ? 0 : time_ns + (uint64_t)shift;
	return km_trace_snapshot(walk->copy->to->writer, walk->snapshot.phase, time_ns,
				 walk->snapshot.source, text, strlen(text), walk->err);
}

int km_copy_snapshots(struct km_copy *copy, km_copy_wants_fn *wants, const void *context,
		      struct km_err *err)
{
	struct walk walk = {.copy = copy, .wants = wants, .context = context, .err = err};
	sqlite3_stmt *row;
	int code = km_prepare(copy->from,
			      "SELECT phase,source FROM snapshot GROUP BY 1,2 ORDER BY min(id)",
			      &row, err);

	while (!code && sqlite3_step(row) == SQLITE_ROW) {
		walk.snapshot.phase = (const char *)sqlite3_column_text(row, 0);
		walk.snapshot.source = (const char *)sqlite3_column_text(row, 1);
		if (!walk.snapshot.phase || !walk.snapshot.source ||
		    (copy->anonymise && !km_anonymise_keeps_source(walk.snapshot.source)))
			continue;
		code = km_trace_each_snapshot(copy->from, walk.snapshot.phase, walk.snapshot.source,
					      copy_text, &walk);
		if (code == -EPROTO)
			km_damaged(copy->from, err, "a snapshot cannot be read");
	}
	sqlite3_finalize(row);
	return code;
}

bool km_copy_is_state(const char *source)
{
	static const char *const states[] = {
		"/proc/buddyinfo",   "/proc/meminfo", "/proc/pagetypeinfo", "/proc/slabinfo",
		"/proc/vmallocinfo", "/proc/vmstat",  "sysfs slab"};

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (!strcmp(source, states[i]))
			return true;
	return false;
}

bool km_copy_tells_times(const char *source)
{
	static const char slab[] = "slab "; /* "slab shrink", "slab shrink lists", "slab lists" */

	return strncmp(source, slab, sizeof(slab) - 1) == 0;
}

/* ---- facts ---- */

uint64_t km_copy_number(const struct km_trace *trace, const char *key)
{
	const char *text = km_trace_meta(trace, key);

	return text ? strtoull(text, NULL, 0) : 0;
}

int km_copy_set_number(struct km_trace_writer *writer, const char *key, uint64_t value,
		       struct km_err *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return km_trace_set_meta(writer, key, text, err);
}

const char *km_copy_origin(const struct km_trace *trace)
{
	const char *origin = km_trace_meta(trace, "origin");

	return origin ? origin : km_trace_meta(trace, "uuid");
}

int km_copy_facts(struct km_copy *copy, struct km_err *err)
{
	static const char *const own[] = {"uuid", "duration_ns", "complete", "repair_rules",
					  "edited"};
	int code = 0;

	for (size_t i = 0; !code && i < copy->from->nr_meta; i++) {
		const struct km_meta *meta = &copy->from->meta[i];
		bool skip = copy->anonymise && !km_anonymise_keeps_meta(meta->key);

		for (size_t j = 0; j < sizeof(own) / sizeof(*own); j++)
			skip |= !strcmp(meta->key, own[j]);
		if (!skip)
			code = km_trace_set_meta(copy->to->writer, meta->key, meta->value, err);
	}
	return code;
}

int km_copy_name(struct km_copy *copy, const char *uuid, const char *made, struct km_err *err)
{
	char name[KM_UUID_TEXT];
	XXH128_hash_t hash = XXH3_128bits(made, strlen(made));

	if (uuid)
		hash = XXH3_128bits_withSeed(uuid, strlen(uuid), hash.high64 ^ hash.low64);
	return km_trace_set_meta(copy->to->writer, "uuid",
				 km_uuid_text(hash.high64, hash.low64, name), err);
}
