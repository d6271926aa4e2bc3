/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This machine's own /proc/zoneinfo: from the zones' sizes, the number of CPUs and whether huge
 * pages are on the model computes marks, reserves, per-CPU batch and limits and the counters'
 * threshold; every one must be the kernel's. Skipped where there is no such file, where memory has
 * several nodes, and where a sysctl that the formulas start from was changed.
 */
#include <sys/utsname.h>

#include "engine/tests/page_machine.h"

#define MAX_CPUS 4096

struct zone_info {
	struct km_zone_spec spec;
	unsigned long long mark[3], promo, boost, reserve[KM_NR_ZONES], threshold;
	struct {
		long long high, batch, high_min, high_max;
	} * cpu;
	unsigned nr_cpus;
};

static struct zone_info zones[KM_NR_ZONES];
static unsigned nr_zones;
static bool several_nodes;

static bool read_text(const char *path, char *text, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(text, 1, room - 1, file) : 0;

	text[length] = 0;
	if (file)
		fclose(file);
	return length;
}

/* "Node 0, zone   Normal": the zone that the next lines are about; NULL: none of interest. */
static struct zone_info *begin_zone(const char *line)
{
	static const char *const names[KM_NR_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};
	unsigned node;
	char name[16];

	if (sscanf(line, "Node %u, zone %15s", &node, name) != 2)
		return NULL;
	several_nodes |= node > 0;
	for (unsigned i = 0; i < KM_NR_ZONES && !node; i++) {
		if (strcmp(name, names[i]))
			continue;
		zones[nr_zones].spec.index = (uint8_t)i;
		return &zones[nr_zones];
	}
	return NULL;
}

static void read_value(struct zone_info *zone, const char *line)
{
	unsigned long long value;
	long long *fields[4];
	char key[32];

	if (sscanf(line, " protection: (%llu, %llu, %llu, %llu", &zone->reserve[0],
		   &zone->reserve[1], &zone->reserve[2], &zone->reserve[3]) > 0)
		return;
	if (sscanf(line, " vm stats threshold: %llu", &zone->threshold) == 1)
		return;
	if (sscanf(line, " %31[a-z_:] %llu", key, &value) != 2)
		return;
	if (!strcmp(key, "cpu:")) {
		zone->nr_cpus += zone->nr_cpus < MAX_CPUS;
		return;
	}
	if (!strcmp(key, "boost"))
		zone->boost = value;
	else if (!strcmp(key, "min"))
		zone->mark[0] = value;
	else if (!strcmp(key, "low"))
		zone->mark[1] = value;
	else if (!strcmp(key, "high"))
		zone->mark[2] = value;
	else if (!strcmp(key, "promo"))
		zone->promo = value;
	else if (!strcmp(key, "spanned"))
		zone->spec.spanned = value;
	else if (!strcmp(key, "present"))
		zone->spec.present = value;
	else if (!strcmp(key, "managed"))
		zone->spec.managed = value;
	else if (!strcmp(key, "start_pfn:"))
		zone->spec.start = value;
	if (!zone->nr_cpus)
		return;
	fields[0] = &zone->cpu[zone->nr_cpus - 1].high;
	fields[1] = &zone->cpu[zone->nr_cpus - 1].batch;
	fields[2] = &zone->cpu[zone->nr_cpus - 1].high_min;
	fields[3] = &zone->cpu[zone->nr_cpus - 1].high_max;
	for (unsigned i = 0; i < 4; i++) {
		static const char *const keys[] = {"high:", "batch:", "high_min:", "high_max:"};

		if (!strcmp(key, keys[i]))
			*fields[i] = (long long)value;
	}
}

/* Zones with memory, in order. */
static void read_zoneinfo(char *text)
{
	struct zone_info *zone = NULL;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "Node", 4)) {
			nr_zones += zone && zone->spec.managed;
			zone = nr_zones < KM_NR_ZONES ? begin_zone(line) : NULL;
			if (zone)
				zone->cpu = calloc(MAX_CPUS, sizeof(*zone->cpu));
		} else if (zone) {
			read_value(zone, line);
		}
	}
	nr_zones += zone && zone->spec.managed;
}

/* What was changed, or NULL. */
static const char *changed_sysctl(void)
{
	static const struct {
		const char *path, *text;
	} usual[] = {{"/proc/sys/vm/watermark_scale_factor", "10\n"},
		     {"/proc/sys/vm/percpu_pagelist_high_fraction", "0\n"}};
	char text[64];

	for (unsigned i = 0; i < 2; i++)
		if (read_text(usual[i].path, text, sizeof(text)) && strcmp(text, usual[i].text))
			return usual[i].path;
	return NULL;
}

/*
 * The kernel computes when it boots, and again when a sysctl says so; memory it releases in between
 * (its initramfs) is managed, but not in what it computed. Two values tell the size they are of.
 */
static bool is_stale(void)
{
	for (unsigned i = 0; i < nr_zones; i++) {
		const struct zone_info *zone = &zones[i];
		unsigned long long share = zone->spec.managed / 8 / zone->nr_cpus;

		if (i + 1 < nr_zones && zone->spec.index <= KM_ZONE_DMA32 &&
		    zone->reserve[zones[i + 1].spec.index] != zones[i + 1].spec.managed / 256)
			return true;
		if (zone->cpu[0].high_max && zone->cpu[0].high_max != (long long)share &&
		    zone->cpu[0].high_max != 4 * zone->cpu[0].batch)
			return true;
	}
	return false;
}

/* Writing what a file says already makes the kernel compute. */
static bool compute_anew(const char *path)
{
	char text[256];
	FILE *file;
	bool written;

	if (!read_text(path, text, sizeof(text)))
		return false;
	file = fopen(path, "w");
	written = file && fputs(text, file) >= 0;
	return file && !fclose(file) && written;
}

static void read_anew(void)
{
	static char text[1 << 20];

	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		free(zones[i].cpu);
	memset(zones, 0, sizeof(zones));
	nr_zones = 0;
	if (read_text("/proc/zoneinfo", text, sizeof(text)))
		read_zoneinfo(text);
}

static bool huge_pages(void)
{
	char text[64];

	return read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) &&
	       !strstr(text, "[never]");
}

static bool start(struct page_machine *m, uint64_t min_free_kbytes)
{
	struct km_machine_spec *spec = &m->machine.spec;
	struct utsname name;

	memset(m, 0, sizeof(*m));
	test_host_env(&m->env, &m->host, 1);
	m->machine.env = &m->env;
	uname(&name);
	spec->profile = *km_profile_for_release(name.release);
	spec->cpus = spec->possible_cpus = zones[0].nr_cpus;
	spec->thp = huge_pages();
	spec->min_free_kbytes = min_free_kbytes;
	spec->nr_zones = nr_zones;
	for (unsigned i = 0; i < nr_zones; i++) {
		spec->zones[i] = zones[i].spec;
		m->machine.max_pfn = zones[i].spec.start + zones[i].spec.spanned;
	}
	return pages->create(&m->machine, &m->machine.page) == 0;
}

static bool same_min(struct page_machine *m)
{
	struct km_page_state state;
	bool same = true;

	km_buddy_save_state(m->machine.page, &state);
	for (unsigned i = 0; i < nr_zones; i++)
		same &= state.zones[i].mark[0] + zones[i].boost == zones[i].mark[0];
	km_buddy_release_state(m->machine.page, &state);
	return same;
}

static void check_zone(const struct zone_info *info, const struct km_zone_state *zone,
		       bool adaptive)
{
	static const char *const marks[] = {"min", "low", "high"};
	unsigned z = info->spec.index;

	for (unsigned i = 0; i < 3; i++)
		TAP_EQ(zone->mark[i], info->mark[i] - info->boost, "zone %u: %s", z, marks[i]);
	/* One step beyond high; the model has no tiers to promote to. */
	if (info->promo)
		TAP_EQ(2 * zone->mark[2] - zone->mark[1], info->promo - info->boost,
		       "zone %u: promo", z);
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		TAP_EQ(zone->reserve[i], info->reserve[i], "zone %u: protection %u", z, i);
	TAP_EQ(zone->threshold, info->threshold, "zone %u: vm stats threshold", z);
	for (unsigned i = 0; i < info->nr_cpus; i++) {
		const struct km_pcp_state *pcp = &zone->pcp[i];

		TAP_EQ(pcp->batch, info->cpu[i].batch, "zone %u cpu %u: batch", z, i);
		if (!adaptive) {
			TAP_EQ(pcp->high, info->cpu[i].high, "zone %u cpu %u: high", z, i);
			continue;
		}
		/* Until 6.13 only the limit of the moment is shown, 0 before the first use. */
		if (!info->cpu[i].high_max) {
			TAP_OK(!info->cpu[i].high || (info->cpu[i].high >= pcp->high_min &&
						      info->cpu[i].high <= pcp->high_max),
			       "zone %u cpu %u: high %lld within %d..%d", z, i, info->cpu[i].high,
			       pcp->high_min, pcp->high_max);
			continue;
		}
		TAP_EQ(pcp->high_min, info->cpu[i].high_min, "zone %u cpu %u: high_min", z, i);
		TAP_EQ(pcp->high_max, info->cpu[i].high_max, "zone %u cpu %u: high_max", z, i);
	}
}

static void check(struct page_machine *m)
{
	struct km_page_state state;

	km_buddy_save_state(m->machine.page, &state);
	for (unsigned i = 0; i < nr_zones; i++)
		check_zone(&zones[i], &state.zones[i], m->machine.spec.profile.pcp_generation >= 2);
	km_buddy_release_state(m->machine.page, &state);
}

int main(void)
{
	static char number[64];
	struct page_machine m;

	read_anew();
	if (several_nodes)
		TAP_SKIP_ALL("memory has several nodes, machines here have one");
	if (changed_sysctl())
		TAP_SKIP_ALL(
			"vm.watermark_scale_factor or vm.percpu_pagelist_high_fraction is set");
	if (!nr_zones || !zones[0].nr_cpus || zones[0].nr_cpus > KM_MAX_CPUS)
		TAP_SKIP_ALL("/proc/zoneinfo shows no zone with memory and CPUs");
	if (is_stale() && compute_anew("/proc/sys/vm/watermark_scale_factor") &&
	    compute_anew("/proc/sys/vm/lowmem_reserve_ratio"))
		read_anew();
	if (is_stale())
		TAP_SKIP_ALL(
			"memory was released since the kernel computed its marks; as root it is "
			"made to compute them anew");
	if (!TAP_OK(start(&m, 0), "a machine of %u zones and %u CPUs", nr_zones, zones[0].nr_cpus))
		return tap_done();
	/* A number set by hand does not say that it was. */
	if (!same_min(&m) && read_text("/proc/sys/vm/min_free_kbytes", number, sizeof(number))) {
		page_machine_stop(&m);
		start(&m, strtoull(number, NULL, 10));
		tap_ok(true, __FILE__, __LINE__,
		       "min_free_kbytes # SKIP the kernel's formula gives another value than %llu: "
		       "it is taken as set",
		       strtoull(number, NULL, 10));
	}
	check(&m);
	page_machine_stop(&m);
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		free(zones[i].cpu);
	return tap_done();
}
