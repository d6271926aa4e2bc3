/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/touch_window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/host.h"

#define BLOCK_SHIFT 21
#define BLOCK_BYTES (1ull << BLOCK_SHIFT)
#define BLOCK_PAGES (BLOCK_BYTES >> KM_PAGE_SHIFT)
#define FIRST_BITS 12u

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* ---- lists ---- */

int km_touch_list_begin(struct km_touch_list *list)
{
	list->addr = malloc(KM_TOUCH_WINDOW * sizeof(*list->addr));
	list->subset = malloc(KM_TOUCH_WINDOW);
	list->bits = FIRST_BITS;
	list->pages = calloc(1u << list->bits, sizeof(*list->pages));
	return list->addr && list->subset && list->pages ? 0 : -ENOMEM;
}

void km_touch_list_free(struct km_touch_list *list)
{
	free(list->addr);
	free(list->subset);
	free(list->pages);
}

void km_touch_list_clear(struct km_touch_list *list)
{
	list->count = list->nr_pages = 0;
	memset(list->pages, 0, sizeof(*list->pages) << list->bits);
}

static struct km_touch_page *find_page(struct km_touch_page *pages, unsigned bits, uint64_t key)
{
	uint32_t mask = (1u << bits) - 1;
	uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - bits));

	while (pages[i].page && pages[i].page != key)
		i = (i + 1) & mask;
	return &pages[i];
}

static bool grow_pages(struct km_touch_list *list)
{
	struct km_touch_page *pages = calloc(1u << (list->bits + 1), sizeof(*pages));

	if (!pages)
		return false;
	for (uint32_t i = 0; i < 1u << list->bits; i++)
		if (list->pages[i].page)
			*find_page(pages, list->bits + 1, list->pages[i].page) = list->pages[i];
	free(list->pages);
	list->pages = pages;
	list->bits++;
	return true;
}

static bool note_page(struct km_touch_list *list, const struct km_frames *frames, uint64_t addr)
{
	uint64_t key = ((addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT) + 1;
	struct km_touch_page *page;
	uint32_t frame;
	bool huge;

	if (list->nr_pages >= 1u << (list->bits - 1) && !grow_pages(list))
		return false;
	frame = (uint32_t)km_frames_of(frames, addr, &huge);
	page = find_page(list->pages, list->bits, key);
	if (page->page)
		return page->frame == frame;
	*page = (struct km_touch_page){key, frame, huge};
	list->nr_pages++;
	return true;
}

bool km_touch_list_add(struct km_touch_list *list, const struct km_frames *frames, uint64_t addr,
		       unsigned subset)
{
	if (list->count == KM_TOUCH_WINDOW ||
	    (km_is_vmalloc_addr(addr) && !note_page(list, frames, addr)))
		return false;
	list->subset[list->count] = (uint8_t)subset;
	list->addr[list->count++] = addr;
	return true;
}

/* ---- the host's memory ---- */

static uint64_t number_in(const char *path, const char *format)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &number) == 1)
			break;
	if (file)
		fclose(file);
	return number;
}

/* 1 GiB pages are only asked for: a map of 2 MiB pages under their name would be a lie. */
static int open_map(struct km_touch_host *host, const struct km_placing *placing, unsigned map,
		    uint64_t max_pfn, struct km_touches *touches, struct km_err *err)
{
	static const enum km_leaf leaves[KM_TLB_MAPS] = {KM_LEAF_1G, KM_LEAF_2M, KM_LEAF_4K,
							 KM_LEAF_2M};
	const struct km_memory_layout layout = {
		.direct = leaves[map],
		.split_percent = map == KM_TLB_SPLIT ? placing->split_percent : 0,
		.seed = placing->seed,
		.may_be_apart = true,
		.vmalloc_bytes = (KM_PLACEMENTS + 1) * KM_TOUCH_PART,
	};
	int code = km_memory_open(max_pfn, &layout, &host->memory[map], err);

	if (code || host->memory[map]->layout.direct == leaves[map])
		return code;
	snprintf(touches->why[map], sizeof(touches->why[map]),
		 "the host has no %" PRIu64 " free pages of 1 GiB; boot it with hugepagesz=1G "
		 "hugepages=%" PRIu64,
		 (max_pfn + (1u << 18) - 1) >> 18, (max_pfn + (1u << 18) - 1) >> 18);
	km_memory_close(host->memory[map]);
	host->memory[map] = NULL;
	return 0;
}

int km_touch_host_open(struct km_touch_host *host, const struct km_placing *placing,
		       uint64_t max_pfn, struct km_touches *touches, struct km_err *err)
{
	unsigned wanted = 1u << KM_TLB_MAP_2M; /* what all are compared with */
	int code = 0;

	for (unsigned i = 0; i < placing->nr_placements; i++)
		wanted |= placing->placements[i].maps;
	for (unsigned map = 0; map < KM_TLB_MAPS && !code; map++)
		if (wanted >> map & 1)
			code = open_map(host, placing, map, max_pfn, touches, err);
	if (code)
		return code;
	host->budget_bytes = number_in("/proc/meminfo", "MemAvailable: %llu") * 1024 / 2;
	/* An area and the gap behind it are a mapping each; some are kmlab's own. */
	host->mappings = number_in("/proc/sys/vm/max_map_count", "%llu") / 2;
	host->mappings = host->mappings > 2000 ? host->mappings - 1000 : 1000;
	host->frames_bytes = km_round_up(max_pfn * 64, BLOCK_BYTES);
	host->frames_backed = calloc(host->frames_bytes >> BLOCK_SHIFT, 1);
	host->frames = mmap(NULL, host->frames_bytes + BLOCK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host->frames == MAP_FAILED)
		host->frames = NULL;
	if (!host->frames || !host->frames_backed)
		return km_fail(err, -ENOMEM, "no memory for the page structures of a machine");
	madvise(host->frames, host->frames_bytes + BLOCK_BYTES, MADV_HUGEPAGE);
	return 0;
}

void km_touch_host_close(struct km_touch_host *host)
{
	for (unsigned map = 0; map < KM_TLB_MAPS; map++)
		km_memory_close(host->memory[map]);
	if (host->frames)
		munmap(host->frames, host->frames_bytes + BLOCK_BYTES);
	free(host->frames_backed);
}

static char *frames_base(const struct km_touch_host *host)
{
	return host->frames + (-(uintptr_t)host->frames & (BLOCK_BYTES - 1));
}

static int back_frames(struct km_touch_host *host, uint64_t offset, struct km_err *err)
{
	uint64_t block = offset >> BLOCK_SHIFT;

	if (offset >= host->frames_bytes)
		return km_fail(err, -ERANGE, "a touch lies outside of the page structures");
	if (host->frames_backed[block])
		return 0;
	host->frames_backed[block] = 1;
	return madvise(frames_base(host) + (block << BLOCK_SHIFT), BLOCK_BYTES, MADV_POPULATE_WRITE)
		       ? km_fail(err, -errno, "no memory for page structures: %s", strerror(errno))
		       : 0;
}

/* ---- a view ---- */

static uint64_t part_of(const struct km_touch_view *view, uint64_t addr)
{
	return addr + view->lane * KM_TOUCH_PART;
}

static uint64_t direct_addr(const struct km_touch_list *list, uint64_t addr)
{
	uint64_t key = ((addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT) + 1;
	const struct km_touch_page *page = find_page(list->pages, list->bits, key);

	return km_pfn_to_addr((km_pfn){page->frame}) + addr % KM_PAGE_SIZE;
}

static int show_area_page(struct km_touch_view *view, const struct km_touch_page *page,
			  struct km_memory *memory, struct km_err *err)
{
	uint64_t addr = part_of(view, KM_VMALLOC_START + ((page->page - 1) << KM_PAGE_SHIFT));
	km_pfn frame = {page->frame};
	uint64_t within = page->huge ? (page->page - 1) % BLOCK_PAGES : 0;
	int code;

	/* The frame in the direct map's page size first: small views of it do not split that. */
	code = km_memory_back(memory, km_pfn_to_addr(frame), KM_PAGE_SIZE, err);
	if (code)
		return code;
	if (page->huge) {
		frame.value -= within;
		code = km_memory_map_huge(memory, addr - (within << KM_PAGE_SHIFT), frame, err);
	} else {
		code = km_memory_map(memory, addr, &frame, 1, err);
	}
	return code ? code : km_memory_back(memory, addr, KM_PAGE_SIZE, err);
}

static int show_areas(struct km_touch_view *view, const struct km_touch_list *list,
		      struct km_memory *memory, struct km_err *err)
{
	int code = 0;

	for (uint32_t i = 0; i < 1u << list->bits && !code; i++)
		if (list->pages[i].page)
			code = show_area_page(view, &list->pages[i], memory, err);
	return code;
}

/* The host's pointer to a touch, its memory taken. */
static int find_pointer(const struct km_touch_view *view, const struct km_touch_list *list,
			struct km_touch_host *host, uint64_t addr, uint8_t **at, struct km_err *err)
{
	struct km_memory *memory = host->memory[view->map];
	bool area = km_is_vmalloc_addr(addr);
	int code = 0;

	if (addr >= KM_VMEMMAP_BASE) {
		code = back_frames(host, addr - KM_VMEMMAP_BASE, err);
		*at = (uint8_t *)frames_base(host) + (addr - KM_VMEMMAP_BASE);
		return code;
	}
	if (area)
		addr = view->flat ? direct_addr(list, addr) : part_of(view, addr);
	if (!area || view->flat)
		code = km_memory_back(memory, addr, 1, err);
	*at = km_memory_pointer(memory, addr);
	return code || *at ? code : km_fail(err, -EFAULT, "a touch lies outside of the machine");
}

static int check_budget(const struct km_touch_host *host, struct km_err *err)
{
	uint64_t bytes = 0;

	for (unsigned map = 0; map < KM_TLB_MAPS; map++)
		if (host->memory[map] && map != KM_TLB_MAP_4K)
			bytes += host->memory[map]->touched_blocks << BLOCK_SHIFT;
	return bytes <= host->budget_bytes
		       ? 0
		       : km_fail(err, -ENOMEM,
				 "the touches lie in %" PRIu64
				 " MiB of 2 MiB pages, more than half of the memory that is free; "
				 "give the replay a part of the trace ('kmlab edit --time')",
				 bytes >> 20);
}

int km_touch_view_prepare(struct km_touch_view *view, const struct km_touch_list *list,
			  struct km_touch_host *host, struct km_err *err)
{
	size_t used = list->count;
	uint8_t *at;
	int code = 0;

	if (!view->flat && list->nr_pages)
		code = show_areas(view, list, host->memory[view->map], err);
	view->begin[0] = 0;
	for (size_t i = 0; i < list->count && !code; i++) {
		code = find_pointer(view, list, host, list->addr[i], &view->at[i], err);
		if (!code && i % 1024 == 0)
			code = check_budget(host, err);
	}
	for (unsigned subset = 1; subset < KM_PLACING_SUBSETS && !code; subset++) {
		view->begin[subset] = used;
		for (size_t i = 0; i < list->count; i++) {
			at = view->at[i];
			if (list->subset[i] == subset)
				view->at[used++] = at;
		}
	}
	view->begin[KM_PLACING_SUBSETS] = used;
	return code;
}

static size_t end_of(const struct km_touch_view *view, unsigned subset)
{
	return subset ? view->begin[subset + 1] : view->begin[1];
}

/* Each load waits for the one before it: all bytes are zero. */
static __attribute__((noinline)) uint64_t touch_all(uint8_t *const *at, size_t count)
{
	uint64_t last = 0;

	for (size_t i = 0; i < count; i++)
		last = *(const volatile uint8_t *)(at[i] + last);
	return last;
}

static size_t count_of(const struct km_touch_view *view, unsigned subset)
{
	return end_of(view, subset) - view->begin[subset];
}

static size_t slices_of(size_t count)
{
	return (count + KM_TOUCH_SLICE - 1) / KM_TOUCH_SLICE;
}

int km_touch_view_begin(struct km_touch_view *view, unsigned rounds)
{
	for (unsigned subset = 0; subset < KM_PLACING_SUBSETS; subset++) {
		size_t needed = view->slices[subset] + slices_of(count_of(view, subset));
		size_t room = 2 * needed;
		double *ns;

		if (needed <= view->room[subset])
			continue;
		ns = realloc(view->ns[subset], room * rounds * sizeof(*ns));
		if (!ns)
			return -ENOMEM;
		view->ns[subset] = ns;
		view->room[subset] = room;
	}
	return 0;
}

static double time_slice(uint8_t *const *at, size_t count, const struct km_timer *timer)
{
	uint64_t begin = km_tick_begin(), ticks;

	touch_all(at, count);
	ticks = km_tick_end() - begin;
	ticks -= ticks < timer->cost_ticks ? ticks : timer->cost_ticks;
	return (double)ticks * timer->ns_per_tick;
}

void km_touch_view_time(struct km_touch_view *view, unsigned rounds, unsigned round,
			const struct km_timer *timer)
{
	for (unsigned subset = 0; subset < KM_PLACING_SUBSETS; subset++) {
		uint8_t *const *at = view->at + view->begin[subset];
		size_t count = count_of(view, subset), slice = view->slices[subset];

		touch_all(at, count);
		for (size_t i = 0; i < count; i += KM_TOUCH_SLICE) {
			size_t n = count - i < KM_TOUCH_SLICE ? count - i : KM_TOUCH_SLICE;

			view->ns[subset][slice++ * rounds + round] = time_slice(at + i, n, timer);
		}
	}
}

void km_touch_view_end(struct km_touch_view *view)
{
	for (unsigned subset = 0; subset < KM_PLACING_SUBSETS; subset++) {
		view->touches[subset] += count_of(view, subset);
		view->slices[subset] += slices_of(count_of(view, subset));
	}
}

/* ---- what the model says of it ---- */

static enum km_tlb_size size_of(const struct km_touch_view *view, const struct km_touch_list *list,
				const struct km_touch_host *host, uint64_t addr)
{
	static const uint8_t sizes[KM_TLB_SPLIT] = {KM_TLB_1G, KM_TLB_2M, KM_TLB_4K};
	uint64_t key = ((addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT) + 1;

	if (addr >= KM_VMEMMAP_BASE)
		return KM_TLB_2M;
	if (km_is_vmalloc_addr(addr))
		return find_page(list->pages, list->bits, key)->huge ? KM_TLB_2M : KM_TLB_4K;
	if (view->map != KM_TLB_SPLIT)
		return sizes[view->map];
	return km_memory_is_split(&host->memory[view->map]->layout, addr - KM_DIRECT_MAP_BASE)
		       ? KM_TLB_4K
		       : KM_TLB_2M;
}

#define PREDICTED_AT_ONCE 256u

static void predict_pass(struct km_touch_view *view, const struct km_touch_list *list,
			 const struct km_touch_host *host, unsigned subset)
{
	uint64_t addrs[PREDICTED_AT_ONCE];
	uint8_t sizes[PREDICTED_AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t addr = list->addr[i];

		if (subset && list->subset[i] != subset)
			continue;
		if (view->flat && km_is_vmalloc_addr(addr))
			addr = direct_addr(list, addr);
		addrs[n] = addr;
		sizes[n++] = (uint8_t)size_of(view, list, host, addr);
		if (n == PREDICTED_AT_ONCE) {
			km_tlb_access_each(view->tlb, addrs, sizes, n, NULL);
			n = 0;
		}
	}
	km_tlb_access_each(view->tlb, addrs, sizes, n, NULL);
}

void km_touch_view_predict(struct km_touch_view *view, const struct km_touch_list *list,
			   const struct km_touch_host *host)
{
	for (unsigned subset = 0; view->tlb && subset < KM_PLACING_SUBSETS; subset++) {
		struct km_tlb_counts *sum = &view->counts[subset], now;

		if (end_of(view, subset) == view->begin[subset])
			continue;
		predict_pass(view, list, host, subset);
		km_tlb_reset_counts(view->tlb);
		predict_pass(view, list, host, subset);
		km_tlb_read(view->tlb, &now);
		sum->refs += now.refs;
		sum->l1_misses += now.l1_misses;
		sum->l2_misses += now.l2_misses;
		for (unsigned i = 0; i < KM_TLB_SIZES; i++)
			sum->walks[i] += now.walks[i];
		for (unsigned i = 0; i < KM_TLB_LINE_LEVELS; i++)
			sum->lines[i] += now.lines[i];
	}
}

int km_touch_view_finish(struct km_touch_view *view, struct km_touch_host *host, struct km_err *err)
{
	return km_memory_unmap(host->memory[view->map], part_of(view, KM_VMALLOC_START),
			       KM_TOUCH_PART >> KM_PAGE_SHIFT, err);
}
