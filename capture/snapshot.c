/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine's state as text: what a replay needs to start from the same caches and zones, and
 * what a reader needs to know where a trace came from. Small samples in between let the replayed
 * footprint be compared with the real one. The host's name is never stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <kmlab/profile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cpu_list.h"
#include "results/term.h"
#include "slab_table.h"

#define SAMPLE_NS 100000000ull /* then ever more seldom: a long capture stays small */
#define SAMPLES_PER_INTERVAL 600

/* free() it. NULL: cannot be read. */
static char *read_at(int directory, const char *path, size_t *bytes)
{
	size_t room = 65536, used = 0;
	char *text = malloc(room), *grown;
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	while (fd >= 0 && text && (got = read(fd, text + used, room - 1 - used)) > 0) {
		used += (size_t)got;
		if (room - used > 4096)
			continue;
		grown = realloc(text, room * 2);
		if (!grown)
			break;
		text = grown;
		room *= 2;
	}
	if (fd >= 0)
		close(fd);
	if (got != 0) {
		free(text);
		return NULL;
	}
	text[used] = '\0';
	*bytes = used;
	return text;
}

/* What moves fastest comes last, nearest to the recording. */
static const char *const machine_files[] = {
	"/proc/vmallocinfo", "/proc/pagetypeinfo", "/proc/zoneinfo", "/proc/vmstat",
	"/proc/meminfo",     "/proc/slabinfo",     "/proc/buddyinfo"};
#define NR_MACHINE_FILES (sizeof(machine_files) / sizeof(machine_files[0]))

/* text: taken over; NULL: could not be read. */
static void add_text(struct km_snapshot *snapshot, const char *source, char *text, size_t bytes)
{
	struct km_snapshot_text *next = &snapshot->texts[snapshot->count];

	if (!text)
		return;
	*next = (struct km_snapshot_text){.source = source, .text = text, .bytes = bytes};
	snapshot->count++;
}

void km_snapshot_add(struct km_snapshot *snapshot, const char *source, char *text)
{
	add_text(snapshot, source, text, text ? strlen(text) : 0);
}

static void add_file(struct km_snapshot *snapshot, const char *path)
{
	size_t bytes = 0;
	char *text = read_at(AT_FDCWD, path, &bytes);

	add_text(snapshot, path, text, bytes);
}

int km_snapshot_machine(struct km_snapshot *snapshot, struct km_err *err)
{
	struct km_slab_table *table;
	char *slabs;

	memset(snapshot, 0, sizeof(*snapshot));
	if (km_slab_table_read(&table))
		return km_fail(err, -ENOMEM, "no memory to read /sys/kernel/slab");
	slabs = km_slab_table_hidden() ? NULL : km_slab_table_text(table);
	km_snapshot_add(snapshot, "sysfs slab", slabs);
	km_slab_table_free(table);
	for (size_t i = 0; i < NR_MACHINE_FILES; i++)
		add_file(snapshot, machine_files[i]);
	snapshot->time_ns = km_clock_ns();
	return 0;
}

int km_snapshot_store(const struct km_snapshot *snapshot, struct km_trace_writer *writer,
		      const char *phase, uint64_t time_ns, struct km_err *err)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < snapshot->count; i++)
		ret = km_trace_snapshot(writer, phase, time_ns, snapshot->texts[i].source,
					snapshot->texts[i].text, snapshot->texts[i].bytes, err);
	return ret;
}

size_t km_snapshot_bytes(const struct km_snapshot *snapshot)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < snapshot->count; i++)
		bytes += snapshot->texts[i].bytes;
	return bytes;
}

void km_snapshot_free(struct km_snapshot *snapshot)
{
	for (unsigned i = 0; i < snapshot->count; i++)
		free(snapshot->texts[i].text);
	snapshot->count = 0;
}

char *km_snapshot_hidden(void)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	const char *comma = "";

	if (!out)
		return NULL;
	for (size_t i = 0; i < NR_MACHINE_FILES; i++) {
		if (!eaccess(machine_files[i], R_OK) || errno != EACCES)
			continue;
		fprintf(out, "%s%s", comma, machine_files[i]);
		comma = ", ";
	}
	if (km_slab_table_hidden())
		fprintf(out, "%s/sys/kernel/slab", comma);
	return fclose(out) == 0 ? text : NULL;
}

/* ---- provenance ---- */

static int store_text(struct km_trace_writer *writer, const char *source, char *text,
		      struct km_err *err)
{
	int ret = 0;

	if (text)
		ret = km_trace_snapshot(writer, "start", 0, source, text, strlen(text), err);
	free(text);
	return ret;
}

static int store_file(struct km_trace_writer *writer, const char *path, struct km_err *err)
{
	size_t bytes;

	return store_text(writer, path, read_at(AT_FDCWD, path, &bytes), err);
}

__attribute__((format(printf, 4, 5))) static int set_meta(struct km_trace_writer *writer,
							  struct km_err *err, const char *key,
							  const char *format, ...)
{
	char value[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	return km_trace_set_meta(writer, key, value, err);
}

/* Lowest address in /proc/vmallocinfo, rounded down to the 1 GiB the kernel aligns the area to. */
static uint64_t vmalloc_start(void)
{
	size_t bytes;
	char *text = read_at(AT_FDCWD, "/proc/vmallocinfo", &bytes);
	uint64_t lowest = UINT64_MAX, address;

	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		address = strtoull(line, NULL, 16);
		if (address && address < lowest)
			lowest = address;
	}
	free(text);
	return lowest == UINT64_MAX ? 0 : lowest & ~((1ull << 30) - 1);
}

/* A random name for the trace, so that results can tell which one they are of. */
static int store_uuid(struct km_trace_writer *writer, struct km_err *err)
{
	size_t bytes;
	char *uuid = read_at(AT_FDCWD, "/proc/sys/kernel/random/uuid", &bytes);
	int ret = 0;

	if (uuid) {
		uuid[strcspn(uuid, "\n")] = '\0';
		ret = km_trace_set_meta(writer, "uuid", uuid, err);
	}
	free(uuid);
	return ret;
}

int km_snapshot_started(struct km_trace_writer *writer, uint64_t time_ns, struct km_err *err)
{
	time_t started = time(NULL) - (time_t)((km_clock_ns() - time_ns) / 1000000000u);
	char text[32];
	struct tm utc;

	gmtime_r(&started, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return km_trace_set_meta(writer, "started", text, err);
}

static int store_identity(struct km_trace_writer *writer, const struct km_layout *layout,
			  struct km_err *err)
{
	uint64_t vmalloc = vmalloc_start();
	struct utsname name;
	struct sysinfo info;
	char present[256];
	int ret;

	uname(&name);
	sysinfo(&info);
	ret = set_meta(writer, err, "kernel", "%s", name.release);
	if (!ret)
		ret = set_meta(writer, err, "kernel_version", "%s", name.version);
	if (!ret)
		ret = set_meta(writer, err, "machine", "%s", name.machine);
	if (!ret)
		ret = set_meta(writer, err, "cpus", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	if (!ret && km_cpu_list_read(KM_CPUS_PRESENT, present, sizeof(present)))
		ret = set_meta(writer, err, "present_cpus", "%u", km_cpu_list_end(present));
	if (!ret)
		ret = set_meta(writer, err, "memory_bytes", "%llu",
			       (unsigned long long)info.totalram * info.mem_unit);
	if (!ret)
		ret = km_snapshot_started(writer, km_clock_ns(), err);
	if (!ret)
		ret = set_meta(writer, err, "profile", "%s",
			       km_profile_for_release(name.release)->name);
	if (!ret && layout->direct_map)
		ret = set_meta(writer, err, "direct_map_base", "0x%llx",
			       (unsigned long long)layout->direct_map);
	if (!ret && vmalloc)
		ret = set_meta(writer, err, "vmalloc_start", "0x%llx", (unsigned long long)vmalloc);
	return ret;
}

/* The description of the first CPU: the others repeat it. */
static int store_first_cpu(struct km_trace_writer *writer, struct km_err *err)
{
	size_t bytes;
	char *text = read_at(AT_FDCWD, "/proc/cpuinfo", &bytes);
	char *end = text ? strstr(text, "\n\n") : NULL;

	if (end)
		end[1] = '\0';
	return store_text(writer, "/proc/cpuinfo", text, err);
}

/*
 * The names of the gfp bits, from the format of the kmalloc event. Where tracefs is not mounted it
 * is opened through a mount of our own that no other process can see and that ends with the
 * descriptor (fsopen(2), fsmount(2)).
 */
static int store_gfp_names(struct km_trace_writer *writer, struct km_err *err)
{
	const char *source = "/sys/kernel/tracing/events/kmem/kmalloc/format";
	size_t bytes;
	char *text = read_at(AT_FDCWD, source, &bytes);
	int context, mounted = -1;

	if (!text) {
		context = fsopen("tracefs", FSOPEN_CLOEXEC);
		if (context >= 0 && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
			mounted = fsmount(context, FSMOUNT_CLOEXEC, 0);
		if (mounted >= 0) {
			text = read_at(mounted, "events/kmem/kmalloc/format", &bytes);
			close(mounted);
		}
		if (context >= 0)
			close(context);
	}
	return store_text(writer, source, text, err);
}

int km_snapshot_provenance(struct km_trace_writer *writer, const struct btf *btf,
			   const struct km_layout *layout, struct km_err *err)
{
	static const char *const files[] = {"/proc/version",
					    "/proc/cmdline",
					    "/proc/sys/vm/min_free_kbytes",
					    "/proc/sys/vm/watermark_scale_factor",
					    "/proc/sys/vm/watermark_boost_factor",
					    "/proc/sys/vm/lowmem_reserve_ratio",
					    "/proc/sys/vm/percpu_pagelist_high_fraction",
					    "/proc/sys/kernel/kptr_restrict",
					    "/sys/kernel/mm/transparent_hugepage/enabled",
					    "/sys/kernel/mm/transparent_hugepage/defrag"};
	int ret = store_identity(writer, layout, err);

	if (!ret)
		ret = store_uuid(writer, err);
	for (size_t i = 0; !ret && i < sizeof(files) / sizeof(files[0]); i++)
		ret = store_file(writer, files[i], err);
	if (!ret)
		ret = store_first_cpu(writer, err);
	if (!ret)
		ret = store_gfp_names(writer, err);
	if (!ret)
		ret = store_text(writer, "btf facts", km_btf_facts(btf), err);
	return ret;
}

/* ---- samples ---- */

void km_sampler_open(struct km_sampler *sampler, uint64_t window_ns)
{
	sampler->buddyinfo = open("/proc/buddyinfo", O_RDONLY | O_CLOEXEC);
	sampler->meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	sampler->window_ns = window_ns;
	km_sampler_restart(sampler);
}

void km_sampler_restart(struct km_sampler *sampler)
{
	uint64_t share = sampler->window_ns / SAMPLES_PER_INTERVAL;

	sampler->next_ns = 0;
	sampler->interval_ns = share > SAMPLE_NS ? share : SAMPLE_NS;
	sampler->taken = 0;
}

/* Keep only the lines of /proc/meminfo that kernel memory shows in. */
static size_t keep_kernel_lines(char *text)
{
	static const char *const names[] = {
		"MemFree:",     "Slab:",       "SReclaimable:", "SUnreclaim:",
		"KernelStack:", "PageTables:", "VmallocUsed:",  "Percpu:"};
	char *out = text, *next;

	for (char *line = text; *line; line = next) {
		next = strchr(line, '\n');
		next = next ? next + 1 : line + strlen(line);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (strncmp(line, names[i], strlen(names[i])) != 0)
				continue;
			memmove(out, line, (size_t)(next - line));
			out += next - line;
			break;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}

static void sample(int fd, const char *source, bool meminfo, struct km_snapshot *snapshot)
{
	char text[8192];
	ssize_t got = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;

	if (got <= 0)
		return;
	text[got] = '\0';
	if (meminfo)
		got = (ssize_t)keep_kernel_lines(text);
	add_text(snapshot, source, strdup(text), (size_t)got);
}

bool km_sampler_take(struct km_sampler *sampler, uint64_t now_ns, struct km_snapshot *snapshot)
{
	if (now_ns < sampler->next_ns)
		return false;
	*snapshot = (struct km_snapshot){.time_ns = now_ns};
	sample(sampler->buddyinfo, "/proc/buddyinfo", false, snapshot);
	sample(sampler->meminfo, "/proc/meminfo", true, snapshot);
	if (++sampler->taken % SAMPLES_PER_INTERVAL == 0 && !sampler->window_ns)
		sampler->interval_ns *= 2;
	sampler->next_ns = now_ns + sampler->interval_ns;
	return true;
}

void km_sampler_close(struct km_sampler *sampler)
{
	if (sampler->buddyinfo >= 0)
		close(sampler->buddyinfo);
	if (sampler->meminfo >= 0)
		close(sampler->meminfo);
}
