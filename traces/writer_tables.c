/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes the small tables of a trace: dictionaries, facts, snapshots, the loss ledger. */
#include "writer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* Snapshots from this size on are compressed. */
#define KM_SNAPSHOT_ZSTD_BYTES 1024

/* ---- dictionaries ---- */

static int write_site(struct km_trace_writer *writer, const struct km_trace_site *site,
		      struct km_err *err)
{
	return km_write_step(writer,
			     km_write_bind(writer, KM_WRITE_SITE, "iitit", (int64_t)site->id,
					   (int64_t)site->address, site->symbol,
					   (int64_t)site->offset, site->module),
			     err);
}

static int write_cache(struct km_trace_writer *writer, const struct km_trace_cache *cache,
		       struct km_err *err)
{
	return km_write_step(writer,
			     km_write_bind(writer, KM_WRITE_CACHE, "itiiiiiiiiinnnnnnn",
					   (int64_t)cache->id, cache->name,
					   (int64_t)cache->object_size, (int64_t)cache->size,
					   (int64_t)cache->align, (int64_t)cache->flags,
					   (int64_t)cache->order, (int64_t)cache->objects_per_slab,
					   (int64_t)cache->min_partial, (int64_t)cache->cpu_partial,
					   (int64_t)cache->sheaf_capacity, (int)cache->has_geometry,
					   (int)cache->has_ctor, (int)cache->typesafe_by_rcu,
					   (int)cache->reclaim_account, (int)cache->account,
					   (int)cache->cache_dma, (int)cache->hwcache_align),
			     err);
}

static int write_task(struct km_trace_writer *writer, const struct km_trace_task *task,
		      struct km_err *err)
{
	char comm[sizeof(task->comm) + 1] = "";

	memcpy(comm, task->comm, sizeof(task->comm)); /* may fill its 16 bytes */
	return km_write_step(writer,
			     km_write_bind(writer, KM_WRITE_TASK, "iiiti", (int64_t)task->id,
					   (int64_t)task->tid, (int64_t)task->tgid, comm,
					   (int64_t)task->cgroup),
			     err);
}

static uint32_t *site_slot(const struct km_trace_writer *writer, uint64_t address)
{
	uint32_t mask = 2 * writer->site_capacity - 1, at;

	at = (uint32_t)(address * 0x9e3779b97f4a7c15ull >> 32) & mask;
	while (writer->site_slot[at] && writer->sites[writer->site_slot[at]] != address)
		at = (at + 1) & mask;
	return &writer->site_slot[at];
}

static int grow_sites(struct km_trace_writer *writer)
{
	uint32_t capacity = writer->site_capacity ? 2 * writer->site_capacity : 4096;
	uint64_t *sites = realloc(writer->sites, capacity * sizeof(*sites));
	uint32_t *slots;

	if (!sites)
		return -ENOMEM;
	writer->sites = sites;
	slots = calloc(2 * (size_t)capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(writer->site_slot);
	writer->site_slot = slots;
	writer->site_capacity = capacity;
	for (uint32_t id = 1; id < writer->next.sites; id++)
		*site_slot(writer, sites[id]) = id;
	return 0;
}

int km_write_unknowns(struct km_trace_writer *writer, struct km_err *err)
{
	static const struct km_trace_site site;
	static const struct km_trace_cache cache;
	static const struct km_trace_task task;
	int code;

	if (grow_sites(writer))
		return km_fail(err, -ENOMEM, "cannot write %s: not enough memory", writer->path);
	writer->sites[0] = 0;
	writer->next = (struct km_chunk_limits){1, 1, 1, 1};
	if ((code = write_site(writer, &site, err)) || (code = write_cache(writer, &cache, err)))
		return code;
	return write_task(writer, &task, err);
}

uint32_t km_trace_site_id(struct km_trace_writer *writer, uint64_t address)
{
	struct km_trace_site site = {.address = address};
	uint32_t *slot;

	if (!address)
		return 0;
	slot = site_slot(writer, address);
	if (*slot)
		return *slot;
	if (writer->failed)
		return 0;
	if (writer->next.sites == writer->site_capacity) {
		if (grow_sites(writer))
			return 0;
		slot = site_slot(writer, address);
	}
	site.id = writer->next.sites;
	if (write_site(writer, &site, NULL)) /* the next append reports it */
		return 0;
	writer->sites[site.id] = address;
	return *slot = writer->next.sites++;
}

int km_trace_define_site(struct km_trace_writer *writer, const struct km_trace_site *site,
			 struct km_err *err)
{
	int code = km_write_usable(writer, err);

	if (code)
		return code;
	if (!site->id || site->id >= writer->next.sites)
		return km_fail(err, -EINVAL, "cannot define call site %u: it has no address yet",
			       site->id);
	return write_site(writer, site, err);
}

const uint64_t *km_trace_sites(const struct km_trace_writer *writer, uint32_t *count)
{
	*count = writer->next.sites;
	return writer->sites;
}

int km_trace_define_cache(struct km_trace_writer *writer, struct km_trace_cache *cache,
			  struct km_err *err)
{
	struct km_trace_cache row = *cache;
	int code = km_write_usable(writer, err);

	if (code)
		return code;
	if (row.id >= writer->next.caches)
		return km_fail(err, -EINVAL, "cannot redefine cache %u: there is none", row.id);
	if (row.order > KM_MAX_ORDER)
		return km_fail(err, -EINVAL,
			       "cannot define cache %s: slabs of order %u are none, %d is the "
			       "largest",
			       row.name, row.order, KM_MAX_ORDER);
	if (!row.id && writer->next.caches > UINT16_MAX)
		return km_fail(err, -E2BIG, "cannot write %s: a trace holds up to %d caches",
			       writer->path, UINT16_MAX);
	if (!row.id)
		row.id = writer->next.caches;
	code = write_cache(writer, &row, err);
	if (code)
		return code;
	if (row.id == writer->next.caches)
		writer->next.caches++;
	cache->id = row.id;
	return 0;
}

int km_trace_define_task(struct km_trace_writer *writer, struct km_trace_task *task,
			 struct km_err *err)
{
	struct km_trace_task row = *task;
	int code = km_write_usable(writer, err);

	if (code)
		return code;
	if (row.id >= writer->next.tasks || writer->next.tasks == UINT32_MAX)
		return km_fail(err, -EINVAL, "cannot redefine task %u: there is none", row.id);
	if (!row.id)
		row.id = writer->next.tasks;
	code = write_task(writer, &row, err);
	if (code)
		return code;
	if (row.id == writer->next.tasks)
		writer->next.tasks++;
	task->id = row.id;
	return 0;
}

int km_trace_define_cgroup(struct km_trace_writer *writer, uint64_t id, const char *path,
			   struct km_err *err)
{
	int code = km_write_usable(writer, err);

	return code ? code
		    : km_write_step(writer,
				    km_write_bind(writer, KM_WRITE_CGROUP, "it", (int64_t)id, path),
				    err);
}

/* ---- facts and snapshots ---- */

int km_trace_set_meta(struct km_trace_writer *writer, const char *key, const char *value,
		      struct km_err *err)
{
	int code = km_write_usable(writer, err);

	if (!code)
		code = km_write_step(writer, km_write_bind(writer, KM_WRITE_META, "tt", key, value),
				     err);
	return code;
}

int km_trace_snapshot(struct km_trace_writer *writer, const char *phase, uint64_t time_ns,
		      const char *source, const char *text, size_t bytes, struct km_err *err)
{
	sqlite3_stmt *statement;
	void *packed = NULL;
	size_t size = 0;
	int code = km_write_usable(writer, err);

	if (code)
		return code;
	statement = km_write_bind(writer, KM_WRITE_SNAPSHOT, "titi", phase, (int64_t)time_ns,
				  source, (int64_t)bytes);
	if (bytes >= KM_SNAPSHOT_ZSTD_BYTES) {
		size = ZSTD_compressBound(bytes);
		packed = malloc(size);
		if (!packed)
			return km_fail(err, -ENOMEM, "cannot store %s: not enough memory", source);
		size = ZSTD_compress(packed, size, text, bytes, 9);
		if (ZSTD_isError(size)) {
			free(packed);
			return km_fail(err, -EIO, "cannot store %s: zstd failed", source);
		}
		sqlite3_bind_blob64(statement, 5, packed, size, SQLITE_STATIC);
	} else {
		sqlite3_bind_text64(statement, 5, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
	}
	code = km_write_step(writer, statement, err);
	sqlite3_clear_bindings(statement);
	free(packed);
	return code;
}

/* ---- the loss ledger ---- */

int km_trace_add_gap(struct km_trace_writer *writer, const struct km_trace_gap *gap,
		     struct km_err *err)
{
	int code = km_write_usable(writer, err);

	if (code)
		return code;
	if ((unsigned)gap->cause >= KM_NR_LOSS_CAUSES)
		return km_fail(err, -EINVAL, "cannot store a gap of unknown cause %d", gap->cause);
	return km_write_step(writer,
			     km_write_bind(writer, KM_WRITE_GAP, "ntiii", (int)gap->cpu,
					   km_loss_cause_names[gap->cause], (int64_t)gap->after_ns,
					   (int64_t)gap->before_ns, (int64_t)gap->events),
			     err);
}

int km_write_counts(struct km_trace_writer *writer, struct km_err *err)
{
	int code = 0;

	for (unsigned kind = 0; !code && kind < KM_NR_EVENT_KINDS; kind++)
		code = km_write_step(writer,
				     km_write_bind(writer, KM_WRITE_COUNT, "tii",
						   km_event_name(kind),
						   (int64_t)writer->fired[kind],
						   (int64_t)writer->recorded[kind]),
				     err);
	return code;
}

int km_trace_set_counts(struct km_trace_writer *writer, const struct km_trace_counts *counts,
			struct km_err *err)
{
	const struct {
		const char *reason;
		uint64_t count;
	} filtered[] = {
#define X(reason, meaning) {#reason, counts->filtered_##reason},
		KM_FILTER_REASONS(X)
#undef X
	};
	int code = km_write_usable(writer, err);

	if (code)
		return code;
	memcpy(writer->fired, counts->fired, sizeof(writer->fired));
	code = km_write_counts(writer, err);
	for (unsigned i = 0; !code && i < KM_NR_LOSS_CAUSES; i++)
		code = km_write_step(writer,
				     km_write_bind(writer, KM_WRITE_LOST, "ti",
						   km_loss_cause_names[i],
						   (int64_t)counts->lost[i]),
				     err);
	for (unsigned i = 0; !code && i < sizeof(filtered) / sizeof(*filtered); i++)
		code = km_write_step(writer,
				     km_write_bind(writer, KM_WRITE_FILTERED, "ti",
						   filtered[i].reason, (int64_t)filtered[i].count),
				     err);
	return code ? code : km_write_commit(writer, err);
}
