/* SPDX-License-Identifier: GPL-2.0-only */
/* The geometry of every slab cache of the kernel this runs on, from what sysfs says went into it.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/tests/tap.h"
#include "replay/fidelity.h"

#define CACHES "/sys/kernel/slab"
#define TEXT_BYTES (4u << 20)

static const char *const attributes[] = {
	"object_size", "align",          "slab_size", "order",  "objs_per_slab", "min_partial",
	"cpu_partial", "destroy_by_rcu", "red_zone",  "poison", "store_user",    "ctor"};

/* " attribute=value" behind the text, up to the line's end; nothing for an empty or absent one. */
static bool append_attribute(char *text, const char *cache, const char *attribute)
{
	char path[512], value[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), CACHES "/%s/%s", cache, attribute);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(value, sizeof(value), file))
		value[0] = 0;
	fclose(file);
	value[strcspn(value, "\n")] = 0;
	if (value[0])
		sprintf(text + strlen(text), " %s=%s", attribute, value);
	return true;
}

/* Aliases are links to the caches they are part of. */
static unsigned read_caches(char *text)
{
	DIR *directory = opendir(CACHES);
	const struct dirent *entry;
	unsigned caches = 0;

	while (directory && (entry = readdir(directory))) {
		size_t before = strlen(text);
		bool readable = true;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    before > TEXT_BYTES - 4096)
			continue;
		strcat(text, entry->d_name);
		for (unsigned i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
			readable &= append_attribute(text, entry->d_name, attributes[i]) ||
				    !strcmp(attributes[i], "ctor");
		if (readable)
			strcat(text, "\n");
		else
			text[before] = 0;
		caches += readable;
	}
	if (directory)
		closedir(directory);
	return caches;
}

/* Caches one by one, so that each that differs is named. */
static void check(char *text, const struct km_start *start, struct km_score *score)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		struct km_score one = {0, 0};

		km_fidelity_geometry(line, start, &one);
		if (one.matched < one.checked)
			printf("# not reproduced: %s\n", line);
		score->checked += one.checked;
		score->matched += one.matched;
	}
}

int main(void)
{
	char *text = calloc(1, TEXT_BYTES);
	struct km_start start = {.present_cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF)};
	struct km_score score = {0, 0};
	struct utsname kernel;
	unsigned caches, debugged = 0;

	if (!text || uname(&kernel))
		return 1;
	start.profile = km_profile_for_release(kernel.release);
	caches = read_caches(text);
	if (!caches) {
		free(text);
		TAP_SKIP_ALL("no cache in " CACHES " can be read; root can, on kernels with SLUB");
	}
	for (const char *at = text; (at = strstr(at, " red_zone=1")); at++)
		debugged++;
	check(text, &start, &score);
	TAP_OK(score.checked > 0,
	       "%u caches of Linux %s, %u with red zones, can be compared with profile %s", caches,
	       kernel.release, debugged, start.profile->name);
	TAP_EQ(score.matched, score.checked, "the geometry of each is as computed");
	free(text);
	return tap_done();
}
