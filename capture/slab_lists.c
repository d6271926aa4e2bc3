/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs slabs.bpf.c for one cache after another and writes down what it finds. */
#include "slab_lists.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "recorder.h"
#include "slabs.h"
#include "slabs.skel.h"

/* A list that changes while it is read is read again. */
#define ATTEMPTS 5

struct km_slab_lists {
	struct slabs_bpf *skel;
	struct km_slabs_entry *entries; /* mapped */
	struct km_slabs_cache *caches;  /* mapped */
	unsigned cpus, nr_caches;
};

static int call(const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int code = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	return code ? code : opts.retval ? -EIO : 0;
}

static void *map_of(const struct bpf_map *map, size_t bytes)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return mapped == MAP_FAILED ? NULL : mapped;
}

static int load(struct km_slab_lists *lists, const struct km_recorder *recorder)
{
	struct slabs_bpf *skel = lists->skel;
	int ret = bpf_map__set_max_entries(skel->maps.areas, lists->cpus);

	skel->rodata->vmemmap = recorder->layout.vmemmap;
	skel->rodata->direct_map = recorder->layout.direct_map;
	skel->rodata->page_struct_bytes = recorder->layout.page_struct_bytes;
	skel->rodata->offset_this_cpu_off = recorder->percpu.this_cpu_off;
	skel->rodata->cpus = lists->cpus;
	if (!ret)
		ret = slabs_bpf__load(skel);
	for (uint32_t cpu = 0; cpu < lists->cpus && !ret; cpu++) {
		uint64_t area = recorder->states[cpu].percpu_area;

		ret = bpf_map_update_elem(bpf_map__fd(skel->maps.areas), &cpu, &area, BPF_ANY);
	}
	return ret;
}

static bool read_lists(struct km_slab_lists *lists, uint64_t cache)
{
	struct slabs_bpf__bss *seen = lists->skel->bss;

	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		seen->cache = cache;
		if (call(lists->skel->progs.read_cache))
			return false;
		if (!seen->broken)
			return true;
	}
	return false;
}

int km_slab_lists_open(const struct km_recorder *recorder, struct km_slab_lists **out)
{
	struct km_slab_lists *lists;
	int ret;

	if (!recorder->layout.vmemmap || !recorder->layout.direct_map)
		return -ENODATA;
	if (access("/sys/devices/system/node/node1", F_OK) == 0)
		return -ENOTSUP;
	lists = calloc(1, sizeof(*lists));
	if (!lists)
		return -ENOMEM;
	lists->cpus = recorder->nr_rings;
	lists->skel = slabs_bpf__open();
	ret = lists->skel ? load(lists, recorder) : -ENOMEM;
	if (!ret) {
		lists->entries =
			map_of(lists->skel->maps.entries, KM_SLABS_MOST * sizeof(*lists->entries));
		lists->caches =
			map_of(lists->skel->maps.caches, KM_SLABS_CACHES * sizeof(*lists->caches));
		ret = lists->entries && lists->caches ? 0 : -ENOMEM;
	}
	if (!ret && (!km_slab_lists_find(lists) || !read_lists(lists, lists->caches[0].cache)))
		ret = -ENOTSUP;
	if (ret)
		km_slab_lists_close(lists);
	else
		*out = lists;
	return ret;
}

void km_slab_lists_close(struct km_slab_lists *lists)
{
	if (!lists)
		return;
	if (lists->entries)
		munmap(lists->entries, KM_SLABS_MOST * sizeof(*lists->entries));
	if (lists->caches)
		munmap(lists->caches, KM_SLABS_CACHES * sizeof(*lists->caches));
	slabs_bpf__destroy(lists->skel);
	free(lists);
}

unsigned km_slab_lists_find(struct km_slab_lists *lists)
{
	int code = call(lists->skel->progs.find_caches);

	lists->nr_caches = code ? 0 : lists->skel->bss->found;
	return lists->nr_caches;
}

/* ---- one cache ---- */

/* The list of one place, if there is any. */
static void print_list(const struct km_slab_lists *lists, FILE *out, uint32_t place,
		       const char *name)
{
	char before = '=';

	for (uint32_t i = 0; i < lists->skel->bss->found; i++) {
		const struct km_slabs_entry *entry = &lists->entries[i];

		if (entry->place != place)
			continue;
		if (before == '=')
			fprintf(out, " %s", name);
		fprintf(out, "%c%" PRIx64 ":%" PRIu32, before, (uint64_t)entry->pfn, entry->free);
		before = ',';
	}
}

static void print_cache(const struct km_slab_lists *lists, FILE *out, const char *directory,
			uint64_t start_ns)
{
	const struct slabs_bpf__bss *seen = lists->skel->bss;
	char name[32];

	fprintf(out,
		"lists directory=%s lists_ns=%" PRIu64 " lists_took_ns=%" PRIu64 " cpu_lists=%d",
		directory, (uint64_t)seen->began_ns - start_ns,
		(uint64_t)(seen->ended_ns - seen->began_ns), seen->has_cpus);
	fprintf(out, " listed_slabs=%" PRIu64 " listed_partial=%" PRIu64, (uint64_t)seen->nr_slabs,
		(uint64_t)seen->nr_partial);
	print_list(lists, out, KM_SLABS_NODE << 16, "node_list");
	for (uint32_t cpu = 0; cpu < lists->cpus && seen->has_cpus; cpu++) {
		snprintf(name, sizeof(name), "cpu%u_slab", cpu);
		print_list(lists, out, KM_SLABS_CPU << 16 | cpu, name);
		snprintf(name, sizeof(name), "cpu%u_chain", cpu);
		print_list(lists, out, KM_SLABS_CHAIN << 16 | cpu, name);
	}
	fputc('\n', out);
}

void km_slab_lists_print(struct km_slab_lists *lists, FILE *out, const char *directory,
			 uint64_t start_ns)
{
	for (unsigned i = 0; i < lists->nr_caches; i++)
		if (strcmp(lists->caches[i].directory, directory) == 0) {
			if (read_lists(lists, lists->caches[i].cache))
				print_cache(lists, out, directory, start_ns);
			return;
		}
}

char *km_slab_lists_text(struct km_slab_lists *lists, uint64_t start_ns)
{
	unsigned count = km_slab_lists_find(lists);
	char *text = NULL;
	size_t bytes;
	FILE *out = count ? open_memstream(&text, &bytes) : NULL;

	for (unsigned i = 0; out && i < count; i++)
		if (read_lists(lists, lists->caches[i].cache))
			print_cache(lists, out, lists->caches[i].directory, start_ns);
	if (out && !fclose(out))
		return text;
	free(text);
	return NULL;
}
