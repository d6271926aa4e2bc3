/* SPDX-License-Identifier: GPL-2.0-only */
/* Real memory behind a machine: two views of one memory, page sizes, limits, following a machine.
 */
#include "replay/memory.h"

#include <errno.h>
#include <kmlab/machine.h>
#include <string.h>
#include <unistd.h>

#include "engine/tests/tap.h"
#include "replay/host.h"

#define FRAMES (64ull << 20 >> KM_PAGE_SHIFT)

static struct km_memory *open_memory(const char *direct_map)
{
	struct km_memory_layout layout = {.seed = 1};
	struct km_memory *memory;
	struct km_err err = {0};

	if (km_memory_parse(direct_map, &layout, &err) ||
	    km_memory_open(FRAMES, &layout, &memory, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return memory;
}

/* Whether a byte can be read, without dying where it cannot. */
static bool is_mapped(const void *at)
{
	static int ends[2] = {-1, -1};
	char byte;

	if (ends[0] < 0 && pipe(ends))
		return false;
	return write(ends[1], at, 1) == 1 && read(ends[0], &byte, 1) == 1;
}

static void test_layout(void)
{
	static const char *const wrong[] = {
		"", "2m", "split", "split:", "split:5", "split:101%", "split:5%x", "16K"};
	struct km_memory_layout layout = {.direct = KM_LEAF_1G};
	struct km_err err = {0};
	unsigned refused = 0;

	TAP_OK(!km_memory_parse("split:25%", &layout, &err) && layout.direct == KM_LEAF_2M &&
		       layout.split_percent == 25,
	       "split:25%%");
	TAP_OK(!km_memory_parse("1G", &layout, &err) && layout.direct == KM_LEAF_1G &&
		       layout.split_percent == 0,
	       "1G");
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refused += km_memory_parse(wrong[i], &layout, &err) == -EINVAL &&
			   strstr(err.text, "split:PERCENT%") && layout.direct == KM_LEAF_1G;
	TAP_EQ(refused, sizeof(wrong) / sizeof(wrong[0]), "anything else is refused, unchanged");
}

/* ---- two views ---- */

static void test_views(void)
{
	struct km_memory *memory = open_memory("4K");
	const km_pfn scattered[] = {{7}, {8}, {9}, {4000}, {3}, {FRAMES - 1}};
	const unsigned count = sizeof(scattered) / sizeof(scattered[0]);
	uint64_t area = KM_VMALLOC_START + (5ull << 21) + 3 * KM_PAGE_SIZE;
	unsigned wrong = 0, left = 0;
	struct km_err err = {0};

	TAP_EQ(km_memory_map(memory, area, scattered, count, &err), 0, "scattered frames mapped");
	for (unsigned i = 0; i < count; i++) {
		char *there = km_memory_pointer(memory, area + i * KM_PAGE_SIZE + i);
		char *here = km_memory_pointer(memory, km_pfn_to_addr(scattered[i]) + i);

		*there = (char)(i + 1);
		wrong += *here != (char)(i + 1);
		wrong += km_memory_address(memory, there) != area + i * KM_PAGE_SIZE + i;
		wrong += km_memory_address(memory, here) != km_pfn_to_addr(scattered[i]) + i;
	}
	TAP_EQ(wrong, 0, "what is written through vmalloc is read in the direct map");
	TAP_OK(!is_mapped(km_memory_pointer(memory, area - 1)) &&
		       !is_mapped(km_memory_pointer(memory, area + count * KM_PAGE_SIZE)),
	       "nothing lies before it and behind it");
	TAP_EQ(km_memory_unmap(memory, area, count, &err), 0, "unmapped");
	for (unsigned i = 0; i < count; i++)
		left += is_mapped(km_memory_pointer(memory, area + i * KM_PAGE_SIZE));
	TAP_EQ(left, 0, "and gone");
	TAP_OK(!km_memory_pointer(memory, 0x1000) && !km_memory_pointer(memory, UINT64_MAX) &&
		       !km_memory_pointer(memory, KM_DIRECT_MAP_BASE - 1) &&
		       !km_memory_pointer(memory, KM_DIRECT_MAP_BASE + (FRAMES << KM_PAGE_SHIFT)),
	       "no pointer outside of both ranges");
	TAP_OK(km_memory_map(memory, KM_VMALLOC_START - KM_PAGE_SIZE, scattered, 1, &err) ==
			       -ERANGE &&
		       km_memory_map(memory, area + 1, scattered, 1, &err) == -ERANGE &&
		       km_memory_map(memory, area, &(km_pfn){FRAMES}, 1, &err) == -ERANGE &&
		       km_memory_unmap(memory, area, UINT64_MAX, &err) == -ERANGE,
	       "no mapping outside, of parts, or of frames that do not exist");
	km_memory_close(memory);
}

/* ---- page sizes ---- */

#define BLOCKS 24u
#define BLOCK (2ull << 20)

/* The host's answer for BLOCKS blocks taken in this layout. */
static struct km_memory_pages taken(struct km_memory *memory)
{
	struct km_memory_pages pages;
	struct km_err err = {0};
	int code = km_memory_back(memory, KM_DIRECT_MAP_BASE, BLOCKS * BLOCK, &err);

	if (code || km_memory_pages(memory, &pages, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return pages;
}

static uint64_t sum(const uint64_t leaf[KM_NR_LEAVES])
{
	return leaf[KM_LEAF_4K] + leaf[KM_LEAF_2M] + leaf[KM_LEAF_1G];
}

static void test_page_sizes(void)
{
	static const char *const layouts[] = {"4K", "split:50%", "2M", "1G"};
	uint64_t huge[4] = {0};

	for (unsigned i = 0; i < 4; i++) {
		struct km_memory *memory = open_memory(layouts[i]);
		struct km_memory_pages pages = taken(memory);

		huge[i] = pages.direct[KM_LEAF_2M];
		TAP_EQ(sum(pages.direct), BLOCKS * BLOCK, "%s: all of it is there, no more",
		       layouts[i]);
		TAP_EQ(sum(pages.vmalloc), 0, "%s: nothing is mapped by vmalloc", layouts[i]);
		TAP_EQ(pages.direct[KM_LEAF_1G], 0, "%s: one memory has no 1 GiB pages",
		       layouts[i]);
		TAP_OK(pages.mappings > 0 && memory->touched_blocks == BLOCKS,
		       "%s: %llu mappings, %llu blocks refused", layouts[i],
		       (unsigned long long)pages.mappings,
		       (unsigned long long)memory->refused_blocks);
		km_memory_close(memory);
	}
	TAP_EQ(huge[0], 0, "4K: no page is larger");
	if (!huge[2]) {
		TAP_OK(true, "2M # SKIP this host gives no 2 MiB pages to shared memory");
		return;
	}
	TAP_OK(huge[2] > huge[1] && huge[1] > 0 && huge[1] < BLOCKS * BLOCK,
	       "split: %llu of %llu MiB in 2 MiB pages, some in small ones",
	       (unsigned long long)huge[1] >> 20, (unsigned long long)huge[2] >> 20);
	TAP_EQ(huge[3], huge[2], "1G falls back to 2M");
}

static void test_huge_leaf(void)
{
	struct km_memory *memory = open_memory("2M");
	struct km_memory_pages pages;
	struct km_err err = {0};
	char *here, *there;

	TAP_EQ(km_memory_map_huge(memory, KM_VMALLOC_START + BLOCK, (km_pfn){1024}, &err), 0,
	       "a huge leaf");
	km_memory_back(memory, KM_DIRECT_MAP_BASE + 2 * BLOCK, BLOCK, &err);
	here = km_memory_pointer(memory, KM_DIRECT_MAP_BASE + 2 * BLOCK + 12345);
	there = km_memory_pointer(memory, KM_VMALLOC_START + BLOCK + 12345);
	*here = 42;
	TAP_EQ(*there, 42, "shows its 512 frames");
	TAP_EQ(km_memory_back(memory, KM_VMALLOC_START + BLOCK, BLOCK, &err), 0, "taken");
	km_memory_pages(memory, &pages, &err);
	TAP_EQ(sum(pages.vmalloc), BLOCK, "2 MiB of vmalloc, %llu KiB of it in one page",
	       (unsigned long long)pages.vmalloc[KM_LEAF_2M] >> 10);
	TAP_OK(pages.direct[KM_LEAF_2M] == 0 || pages.vmalloc[KM_LEAF_2M] == BLOCK,
	       "in one page if the direct map is");
	TAP_EQ(km_memory_back(memory, KM_VMALLOC_START + 3 * BLOCK, 1, &err), -ENOMEM,
	       "what is not mapped cannot be taken");
	km_memory_close(memory);
}

/* ---- the host's limit ---- */

static void test_limit(void)
{
	struct km_memory_layout layout = {.direct = KM_LEAF_4K};
	uint64_t limit = 0, mapped = 0, frames;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	struct km_memory *memory;
	struct km_err err = {0};
	km_pfn pfns[64];
	int code = 0;

#ifdef __SANITIZE_THREAD__
	limit = UINT64_MAX; /* the sanitizer needs mappings of its own and dies without */
#endif
	if (limit || !file || fscanf(file, "%lu", &limit) != 1 || limit > 100000) {
		TAP_OK(true, "limit # SKIP vm.max_map_count is unknown, large, or a sanitizer's");
		return;
	}
	fclose(file);
	frames = 2 * limit + 1000;
	if (km_memory_open(frames, &layout, &memory, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	for (unsigned i = 0; i < 64; i++) /* neighbours share a mapping */
		pfns[i] = (km_pfn){i};
	TAP_EQ(km_memory_map(memory, KM_VMALLOC_START, pfns, 64, &err), 0, "64 neighbours");
	for (; !code && mapped < limit; mapped += 64) {
		for (unsigned i = 0; i < 64; i++)
			pfns[i] = (km_pfn){(mapped + i) * 2};
		code = km_memory_map(memory, KM_VMALLOC_START + ((mapped + 64) << KM_PAGE_SHIFT),
				     pfns, 64, &err);
	}
	TAP_OK(code == -ENOMEM && strstr(err.text, "sysctl -w vm.max_map_count="),
	       "%llu scattered pages later: %s", (unsigned long long)mapped, err.text);
	km_memory_close(memory);
}

/* ---- following a machine ---- */

#define AREAS 40u

static struct km_machine *make_machine(struct km_env *env)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find("6.12"),
				       .cpus = 2,
				       .memory_bytes = 64ull << 20};
	struct km_machine *machine;

	if (km_machine_create(env, &spec, &machine)) {
		printf("Bail out! no machine\n");
		exit(1);
	}
	return machine;
}

/* Areas and objects are each filled with their own byte: none reaches into another. */
static void test_following(void)
{
	uint64_t at[AREAS], bytes[AREAS], spoilt = 0;
	struct km_memory *memory = open_memory("2M");
	struct km_machine *machine;
	struct km_err err = {0};
	struct km_env env;

	km_host_env(&env, 1);
	km_memory_follow(memory, &env);
	machine = make_machine(&env);
	for (unsigned i = 0; i < AREAS; i++) {
		bytes[i] = (i * 7919) % 90000 + 1;
		at[i] = i & 1 ? km_vmalloc(machine, i % 2, bytes[i], 0, KM_GFP_KERNEL, 0)
			      : km_kmalloc(machine, i % 2, bytes[i], KM_GFP_KERNEL, -1);
	}
	at[1] = km_vfree(machine, 0, at[1]) ? 0 : at[1];
	at[1] = km_vmalloc(machine, 0, 5ull << 20, 0, KM_GFP_KERNEL, KM_VM_ALLOW_HUGE);
	bytes[1] = 5ull << 20;
	TAP_EQ(km_memory_failure(memory, &err), 0, "a machine's page tables are followed%s",
	       err.text);
	for (unsigned i = 0; i < AREAS; i++)
		memset(km_memory_pointer(memory, at[i]), (int)i + 1, bytes[i]);
	for (unsigned i = 0; i < AREAS; i++) {
		const unsigned char *byte = km_memory_pointer(memory, at[i]);

		for (uint64_t b = 0; b < bytes[i]; b++)
			spoilt += byte[b] != i + 1;
	}
	TAP_EQ(spoilt, 0, "no object lies in another");
	km_vfree(machine, 0, at[1]);
	TAP_OK(!is_mapped(km_memory_pointer(memory, at[1])), "what is freed is not there any more");
	km_machine_destroy(machine);
	km_memory_close(memory);
}

int main(void)
{
	test_layout();
	test_views();
	test_page_sizes();
	test_huge_leaf();
	test_limit();
	test_following();
	return tap_done();
}
