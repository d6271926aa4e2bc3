/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The indices of fragmentation on small cases counted by hand, and on this kernel's /proc/buddyinfo
 * beside what its debugfs says of it (skipped where there is no debugfs extfrag).
 */
#include <kmlab/fragmentation.h>
#include <string.h>

#include "engine/tests/tap.h"

static void test_by_hand(void)
{
	uint64_t none[KM_NR_ORDERS] = {0}, mixed[KM_NR_ORDERS] = {4, 2, 1};
	uint64_t large[KM_NR_ORDERS] = {[10] = 3};

	TAP_EQ(km_unusable_index(none, 0), 1000, "nothing free: all unusable");
	TAP_EQ(km_fragmentation_index(none, 3), 0, "nothing free: no memory");
	TAP_EQ(km_free_pages_of(mixed), 12, "4 + 2 * 2 + 1 * 4");
	TAP_EQ(km_order_available(mixed, 1), 4, "two of two pages, and two in the four");
	TAP_EQ(km_order_optimal(mixed, 1), 6, "six, were they together");
	TAP_EQ(km_unusable_index(mixed, 1), 333, "4 of 12 pages are single");
	TAP_EQ(km_unusable_index(mixed, 3), 1000, "none of eight");
	TAP_EQ(km_fragmentation_index(mixed, 2), -1000, "a request of four does not fail");
	TAP_EQ(km_fragmentation_index(mixed, 3), 1000 - (1000 + 1500) / 7, "one of eight does");
	TAP_EQ(km_order_available(large, 9), 6, "a block of 4 MiB is two of 2 MiB");
}

static bool read_text(const char *path, char text[16384])
{
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(text, 1, 16383, file) : 0;

	text[length] = 0;
	if (file)
		fclose(file);
	return length;
}

/* The lines of buddyinfo and of an index name the same zones, in the same order. */
static void compare(char *buddyinfo, char *indices, bool unusable)
{
	char *lines, *wanted;
	char *line = strtok_r(buddyinfo, "\n", &lines), *want = strtok_r(indices, "\n", &wanted);

	for (; line && want;
	     line = strtok_r(NULL, "\n", &lines), want = strtok_r(NULL, "\n", &wanted)) {
		char *at = strstr(line, "zone"), *value = strstr(want, "zone");
		uint64_t blocks[KM_NR_ORDERS];
		char name[16];
		int used;

		if (!at || !value || sscanf(at, "zone %15s%n", name, &used) != 1)
			continue;
		at += used;
		value = strstr(value, name) + strlen(name);
		for (unsigned order = 0; order < KM_NR_ORDERS; order++)
			blocks[order] = strtoull(at, &at, 10);
		for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
			double said = strtod(value, &value) * 1000;
			int ours = unusable ? (int)km_unusable_index(blocks, order)
					    : km_fragmentation_index(blocks, order);

			TAP_EQ(ours, (int)(said < 0 ? said - 0.5 : said + 0.5), "%s, order %u: %s",
			       name, order, unusable ? "unusable_index" : "extfrag_index");
		}
	}
}

static void test_this_kernel(void)
{
	static char before[16384], after[16384], unusable[16384], extfrag[16384], copy[16384];
	bool quiet = false;

	for (unsigned i = 0; i < 200 && !quiet; i++) {
		if (!read_text("/proc/buddyinfo", before) ||
		    !read_text("/sys/kernel/debug/extfrag/unusable_index", unusable) ||
		    !read_text("/sys/kernel/debug/extfrag/extfrag_index", extfrag) ||
		    !read_text("/proc/buddyinfo", after)) {
			tap_ok(true, __FILE__, __LINE__,
			       "this kernel's own indices # SKIP no debugfs extfrag here");
			return;
		}
		quiet = !strcmp(before, after);
	}
	if (!quiet) {
		tap_ok(true, __FILE__, __LINE__,
		       "this kernel's own indices # SKIP its free lists never stand still");
		return;
	}
	memcpy(copy, before, sizeof(copy));
	compare(copy, unusable, true);
	compare(before, extfrag, false);
}

int main(void)
{
	test_by_hand();
	test_this_kernel();
	return tap_done();
}
