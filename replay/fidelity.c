/* SPDX-License-Identifier: GPL-2.0-only */
/* The fidelity score of a trace: sizes, geometry, and (slab_choice.c) slabs. */
#include "replay/fidelity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/slab_choice.h"
#include "replay/sysfs_slab.h"

/* ---- bytes_alloc: the size class of every kmalloc ---- */

static int score_bytes_alloc(struct km_trace *trace, struct km_score *score, struct km_err *err)
{
	struct km_trace_filter kmallocs = {.kinds = 1u << KM_EV_KMALLOC, .cpu = -1};
	struct km_trace_cursor *cursor;
	struct km_event events[256];
	size_t got;
	int code = km_trace_cursor_open(trace, &kmallocs, &cursor, err);

	while (!code) {
		code = km_trace_next(cursor, events, 256, &got, err);
		if (code || !got)
			break;
		for (size_t i = 0; i < got; i++) {
			score->checked++;
			score->matched += km_kmalloc_bytes_alloc(events[i].bytes_req) ==
					  events[i].bytes_alloc;
		}
	}
	km_trace_cursor_close(cursor);
	return code;
}

/* ---- geometry of every cache in sysfs ---- */

/* KM_SLAB_* that sysfs shows of a cache. */
static uint32_t shown_flags(const char *line, size_t length)
{
	static const struct {
		const char *attribute;
		uint32_t flag;
	} rows[] = {{"destroy_by_rcu", KM_SLAB_TYPESAFE_BY_RCU},
		    {"red_zone", KM_SLAB_RED_ZONE},
		    {"poison", KM_SLAB_POISON},
		    {"store_user", KM_SLAB_STORE_USER}};
	uint32_t flags = memmem(line, length, " ctor=", 6) ? KM_SLAB_CTOR : 0;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (km_sysfs_slab_number(line, length, rows[i].attribute) > 0)
			flags |= rows[i].flag;
	if (!strncmp(line, "kmalloc-", 8) || !strncmp(line, "dma-kmalloc-", 12))
		flags |= KM_SLAB_KMALLOC;
	return flags;
}

static bool as_computed(const struct km_start *start, const struct km_cache_spec *spec,
			const char *line, size_t length)
{
	struct km_cache_geometry geometry;

	return km_cache_geometry(start->profile, start->present_cpus, spec, &geometry) == 0 &&
	       geometry.size == km_sysfs_slab_number(line, length, "slab_size") &&
	       geometry.order == km_sysfs_slab_number(line, length, "order") &&
	       geometry.objects == km_sysfs_slab_number(line, length, "objs_per_slab") &&
	       geometry.min_partial == km_sysfs_slab_number(line, length, "min_partial") &&
	       geometry.cpu_partial == km_sysfs_slab_number(line, length, "cpu_partial");
}

static bool geometry_matches(const struct km_start *start, const char *line, size_t length)
{
	struct km_cache_spec spec = {
		.object_size = (uint32_t)km_sysfs_slab_number(line, length, "object_size"),
		.align = (uint32_t)km_sysfs_slab_number(line, length, "align"),
		.flags = shown_flags(line, length),
	};

	if (as_computed(start, &spec, line, length))
		return true;
	/* Since 6.12 a cache may say where inside the object its free pointer is. Whether one does,
	 * sysfs does not show, but then nothing is appended. */
	spec.freeptr_offset = 1;
	return spec.flags & (KM_SLAB_CTOR | KM_SLAB_TYPESAFE_BY_RCU) &&
	       start->profile->comp_always && as_computed(start, &spec, line, length);
}

void km_fidelity_geometry(const char *text, const struct km_start *start, struct km_score *score)
{
	size_t length;

	for (; text && *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		if (km_sysfs_slab_number(text, length, "slab_size") <= 0)
			continue;
		score->checked++;
		score->matched += geometry_matches(start, text, length);
	}
}

/* ---- what was counted at the end ---- */

/*
 * By sysfs, or, where the recorder wrote it down, by the lists themselves: reading sysfs comes
 * later and uses caches itself.
 */
static void kernel_counts(struct km_trace *trace, const char *text, unsigned cpus,
			  struct km_cache_fidelity *row)
{
	const char *lists = km_trace_snapshot_text(trace, "end", "slab lists"), *directory;
	size_t length, listed;
	const char *line = km_sysfs_slab_line(text, row->name, &length), *ended = NULL;

	row->slabs_kernel = km_sysfs_slab_count(text, row->name, "slabs");
	row->partial_kernel = km_sysfs_slab_count(text, row->name, "partial");
	row->cpu_slabs_kernel = km_sysfs_slab_count(text, row->name, "cpu_slabs");
	directory = line ? km_sysfs_slab_text(line, length, "directory") : NULL;
	if (directory)
		ended = km_sysfs_slab_directory(lists, directory, strcspn(directory, " \n"),
						&listed);
	if (!ended || km_sysfs_slab_on_cpus(ended, listed, cpus) < 0)
		return;
	row->slabs_kernel = km_sysfs_slab_number(ended, listed, "listed_slabs");
	row->partial_kernel = km_sysfs_slab_number(ended, listed, "listed_partial");
	row->cpu_slabs_kernel = km_sysfs_slab_on_cpus(ended, listed, cpus);
}

static void join_counts(struct km_trace *trace, unsigned cpus, struct km_fidelity *fidelity)
{
	const char *text = km_trace_snapshot_text(trace, "end", "sysfs slab");

	fidelity->pages_model = fidelity->pages_kernel = text ? 0 : -1;
	for (size_t i = 0; i < fidelity->nr_caches; i++) {
		struct km_cache_fidelity *row = &fidelity->caches[i];
		int64_t order = km_sysfs_slab_count(text, row->name, "order");

		kernel_counts(trace, text, cpus, row);
		if (fidelity->pages_model < 0 || order < 0 || row->slabs_model < 0 ||
		    row->slabs_kernel < 0)
			continue;
		fidelity->pages_model += row->slabs_model << order;
		fidelity->pages_kernel += row->slabs_kernel << order;
	}
}

int km_fidelity_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			struct km_fidelity *fidelity, struct km_err *err)
{
	int code;

	memset(fidelity, 0, sizeof(*fidelity));
	code = score_bytes_alloc(trace, &fidelity->bytes_alloc, err);
	if (code)
		return code;
	km_fidelity_geometry(km_trace_snapshot_text(trace, "start", "sysfs slab"), start,
			     &fidelity->geometry);
	code = km_slab_choice_measure(trace, start, seed, fidelity, err);
	if (code) {
		km_fidelity_release(fidelity);
		return code;
	}
	join_counts(trace, start->cpus, fidelity);
	return 0;
}

void km_fidelity_release(struct km_fidelity *fidelity)
{
	free(fidelity->caches);
	fidelity->caches = NULL;
	fidelity->nr_caches = 0;
}

const char *km_score_text(const struct km_score *score, char buf[16])
{
	if (!score->checked)
		strcpy(buf, "-");
	else if (score->matched == score->checked)
		strcpy(buf, "100 %");
	else /* never rounded up to 100 */
		snprintf(buf, 16, "%.2f %%",
			 (double)(score->matched * 10000 / score->checked) / 100);
	return buf;
}
