/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes texts that a trace holds of its machine: /proc/buddyinfo, counts and lists of slabs. What
 * is read of zones and migratetypes needs a trace around it and is not covered.
 */
#include "replay/start.h"
#include "replay/sysfs_slab.h"
#include "traces/fuzz/targets.h"
#include <stdlib.h>
#include <string.h>

static void run_snapshots(const uint8_t *data, size_t size)
{
	static const char *const attributes[] = {"order", "node_list", "cpu0_slab", "cpu1_chain",
						 "slabs_cpu_partial"};
	char *text = km_fuzz_text(data, size);
	struct km_buddyinfo info = {.blocks = {{0}}};
	const char *line;
	size_t length;

	if (!text)
		return;
	km_buddyinfo_read(text, &info);
	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		km_buddyinfo_unusable(text, order);
	line = km_sysfs_slab_line(text, "dentry", &length);
	if (!line)
		line = km_sysfs_slab_directory(text, "dentry", strlen("dentry"), &length);
	for (size_t i = 0; line && i < sizeof(attributes) / sizeof(*attributes); i++) {
		const char *value = km_sysfs_slab_text(line, length, attributes[i]);

		if (value && (value < line || value > line + length))
			abort();
		km_sysfs_slab_number(line, length, attributes[i]);
		km_sysfs_slab_count(text, "dentry", attributes[i]);
	}
	for (unsigned cpu = 0; line && cpu < 4; cpu++)
		km_sysfs_slab_chain(line, length, cpu);
	if (line)
		km_sysfs_slab_on_cpus(line, length, 4);
	free(text);
}

KM_FUZZ_TARGET(snapshots, run_snapshots, km_fuzz_mutate_lines)
