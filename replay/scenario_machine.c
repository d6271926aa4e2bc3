/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine of a scenario: "machine kernel=6.1 cpus=4 memory=1G switch=value …" and its zones. */
#include "replay/scenario_machine.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_KERNEL "6.1"
#define DEFAULT_MEMORY (1ull << 30)

/*
 * Caches of a scenario are private, as with the boot parameter slab_nomerge: what one cache does
 * must not depend on which others happen to exist. "merge=1" asks for aliases. As in a kernel just
 * booted there are no memory cgroups; "memcg=1" has some, and with "memcg=2" callers are in one.
 */
static void set_profile(struct km_scenario *scenario, const struct km_profile *profile)
{
	scenario->spec.profile = *profile;
	scenario->spec.profile.merge = false;
	scenario->spec.profile.memcg = KM_MEMCG_NONE;
}

void km_scenario_machine_default(struct km_scenario *scenario)
{
	scenario->spec.cpus = 1;
	scenario->spec.memory_bytes = DEFAULT_MEMORY;
	scenario->spec.thp = true;
	set_profile(scenario, km_profile_find(DEFAULT_KERNEL));
}

static int set_kernel(struct km_scenario *scenario, const char *value, unsigned line,
		      struct km_err *err)
{
	const struct km_profile *profile = km_profile_find(value);

	if (!profile && isdigit((unsigned char)value[0]) && strchr(value, '.'))
		profile = km_profile_for_release(value);
	if (!profile)
		return km_scenario_fail(err, scenario->path, line,
					"kernel=%s is not a release such as 6.1 or 6.12", value);
	set_profile(scenario, profile);
	return 0;
}

static int set_switch(struct km_scenario *scenario, const char *key, uint64_t value, unsigned line,
		      struct km_err *err)
{
	int code = km_profile_set(&scenario->spec.profile, key, value);

	if (code == -ERANGE)
		return km_scenario_fail(
			err, scenario->path, line, "machine switch %s takes 0 to %llu, not %llu",
			key, (unsigned long long)km_profile_max(key), (unsigned long long)value);
	if (code)
		return km_scenario_fail(err, scenario->path, line,
					"unknown machine switch %s; kmlab models lists them", key);
	return 0;
}

static int set_one(struct km_scenario *scenario, const char *key, const char *value, unsigned line,
		   struct km_err *err)
{
	struct km_machine_spec *spec = &scenario->spec;
	uint64_t number;

	if (strcmp(key, "kernel") == 0)
		return set_kernel(scenario, value, line, err);
	if (km_profile_word(key, value, &number) && !km_scenario_number(value, &number))
		return km_scenario_fail(
			err, scenario->path, line, "%s=%s is not a number%s", key, value,
			km_profile_max(key) == KM_RECLAIM_OOM ? "; it takes none, oom or N%" : "");
	if (strcmp(key, "cpus") == 0 || strcmp(key, "possible_cpus") == 0) {
		if (!number || number > KM_MAX_CPUS)
			return km_scenario_fail(err, scenario->path, line, "%s=%s is outside 1..%u",
						key, value, KM_MAX_CPUS);
		*(key[0] == 'c' ? &spec->cpus : &spec->possible_cpus) = (unsigned)number;
	} else if (strcmp(key, "memory") == 0) {
		if (number < 4 * KM_PAGE_SIZE || number >> 44)
			return km_scenario_fail(err, scenario->path, line,
						"memory=%s is outside 16K..16T", value);
		spec->memory_bytes = number;
	} else if (strcmp(key, "min_free_kbytes") == 0) {
		spec->min_free_kbytes = number;
	} else if (strcmp(key, "thp") == 0) {
		spec->thp = number;
	} else {
		return set_switch(scenario, key, number, line, err);
	}
	return 0;
}

int km_scenario_machine_line(struct km_scenario *scenario, char *text, unsigned line,
			     struct km_err *err)
{
	struct {
		const char *key, *value;
	} pairs[64];
	unsigned count = 0;
	char *save = NULL;
	int code = 0;

	for (char *word = strtok_r(text, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		char *equals = strchr(word, '=');

		if (!equals || count == sizeof(pairs) / sizeof(pairs[0]))
			return km_scenario_fail(err, scenario->path, line,
						"expected switch=value, found \"%s\"", word);
		*equals = 0;
		pairs[count].key = word;
		pairs[count++].value = equals + 1;
	}
	/* The kernel first, wherever it stands: it sets all switches. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < count && !code; i++)
			if ((strcmp(pairs[i].key, "kernel") == 0) == !pass)
				code = set_one(scenario, pairs[i].key, pairs[i].value, line, err);
	return code;
}

/* ---- zones ---- */

static const char *const zone_names[KM_NR_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};

int km_scenario_zones(struct km_scenario *scenario, struct km_err *err)
{
	struct km_machine_spec *spec = &scenario->spec;

	for (size_t i = 0; i < scenario->state.count; i++) {
		const struct km_scenario_line *line = &scenario->state.lines[i];
		unsigned long long start, spanned, present, managed;
		struct km_zone_spec *zone;
		unsigned index = 0;
		char name[16];

		if (strncmp(line->text, "zone ", 5) != 0)
			continue;
		if (sscanf(line->text,
			   "zone %15s start %llx spanned %llx present %llx managed %llx", name,
			   &start, &spanned, &present, &managed) != 5)
			return km_scenario_fail(
				err, scenario->path, line->line,
				"expected zone NAME start HEX spanned HEX present HEX managed HEX");
		while (index < KM_NR_ZONES && strcasecmp(zone_names[index], name) != 0)
			index++;
		if (index == KM_NR_ZONES || spec->nr_zones == KM_NR_ZONES)
			return km_scenario_fail(
				err, scenario->path, line->line,
				"unknown zone %s; zones are DMA DMA32 Normal Movable", name);
		zone = &spec->zones[spec->nr_zones++];
		*zone = (struct km_zone_spec){(uint8_t)index, start, spanned, present, managed};
	}
	return 0;
}
