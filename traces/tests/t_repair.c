/* SPDX-License-Identifier: GPL-2.0-only */
/* Each rule by which events become lifetimes, alone; then all of them against a plain model. */
#include "engine/tests/tap.h"
#include "traces/repair.h"
#include "traces/tests/events.h"

static struct km_repair *repair;
static struct km_repair_step step;
static struct km_repair_counts counts;
static uint64_t now;

static enum km_repair_action feed(struct km_event event)
{
	event.time_ns = ++now;
	if (km_repair_feed(repair, &event, &step))
		exit(2);
	km_repair_counts(repair, &counts);
	return step.action;
}

#define FEED(...) feed((struct km_event){__VA_ARGS__})

static void begin(void)
{
	km_repair_delete(repair);
	if (km_repair_new(&repair))
		exit(2);
	now = 0;
}

static const struct km_object *object(uint32_t slot)
{
	uint32_t count;
	const struct km_object *objects = km_repair_objects(repair, &count);

	return slot < count ? &objects[slot] : NULL;
}

/* ---- slab objects ---- */

static void test_plain(void)
{
	uint32_t slot;

	begin();
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = 0x1000, .bytes_req = 10, .bytes_alloc = 16,
		    .gfp = 3, .site = 4, .task = 5, .cache = 6, .cpu = 7),
	       KM_REPAIR_ALLOC, "kmalloc: an object");
	slot = step.slot;
	TAP_OK(object(slot)->ptr == 0x1000 && object(slot)->bytes_req == 10 &&
		       object(slot)->bytes_alloc == 16 && object(slot)->gfp == 3 &&
		       object(slot)->site == 4 && object(slot)->task == 5 &&
		       object(slot)->cache == 6 && object(slot)->cpu == 7 &&
		       object(slot)->alloc_ns == 1 && object(slot)->kind == KM_EV_KMALLOC &&
		       object(slot)->space == KM_SPACE_SLAB,
	       "it has all the event said");
	TAP_OK(counts.open == 1 && counts.open_bytes == 16, "it is open");
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = 0x1000), KM_REPAIR_FREE, "kfree: freed");
	TAP_OK(step.slot == slot && step.gone.ptr == 0x1000 && step.gone.alloc_ns == 1 &&
		       !step.cross_api,
	       "the same");
	TAP_EQ(object(slot)->kind, KM_NR_EVENT_KINDS, "its slot is empty");
	TAP_OK(counts.open == 0 && counts.open_bytes == 0 && counts.matched_frees == 1,
	       "nothing is open");
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0x2000, .cache = 1);
	TAP_EQ(step.slot, slot, "the slot is used again");
	TAP_EQ(FEED(.kind = KM_EV_CACHE_FREE, .ptr = 0x2000, .cache = 1), KM_REPAIR_FREE,
	       "kmem_cache_free: freed");
	TAP_EQ(FEED(.kind = KM_EV_CACHE_FREE, .ptr = 0x2000, .cache = 1), KM_REPAIR_FREE_OLD,
	       "freed again: older than the trace, as far as it can tell");
	TAP_EQ(counts.preexisting_frees, 1, "and counted so");
	TAP_EQ(counts.cross_api_frees, 0, "no API was crossed");
}

static void test_nothing(void)
{
	begin();
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = 0), KM_REPAIR_DROP, "kfree(NULL)");
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = 16), KM_REPAIR_DROP, "kfree(ZERO_SIZE_PTR)");
	TAP_EQ(counts.null_frees, 2, "null frees counted");
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = 17), KM_REPAIR_FREE_OLD, "17 is an address");
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = 0), KM_REPAIR_DROP, "failed kmalloc");
	TAP_EQ(FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0), KM_REPAIR_DROP, "failed cache alloc");
	TAP_EQ(FEED(.kind = KM_EV_VMAP_ALLOC, .ptr = 0), KM_REPAIR_DROP, "failed vmap");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_ALLOC, .ptr = UINT64_MAX), KM_REPAIR_DROP, "failed pages");
	TAP_EQ(counts.failed_allocs, 4, "failures counted");
	TAP_EQ(FEED(.kind = KM_EV_VMAP_PURGE, .ptr = 1), KM_REPAIR_NOTE, "purge is a note");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_ZONE_LOCKED, .ptr = 1), KM_REPAIR_NOTE, "zone_locked too");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_PCPU_DRAIN, .ptr = 1), KM_REPAIR_NOTE, "pcpu_drain too");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_EXTFRAG, .ptr = 1), KM_REPAIR_NOTE, "extfrag too");
	TAP_EQ(FEED(.kind = 200), KM_REPAIR_NOTE, "an unknown kind too");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_ALLOC, .order = 200), KM_REPAIR_NOTE, "a mad order too");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_ALLOC, .ptr = UINT64_MAX - 1, .order = 3), KM_REPAIR_NOTE,
	       "pages beyond the last too");
	TAP_EQ(counts.open, 0, "nothing is open");
}

static void test_cross_api(void)
{
	begin();
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0x1000, .cache = 1);
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = 0x1000), KM_REPAIR_FREE, "kfree of a cache object");
	TAP_OK(step.cross_api && counts.cross_api_frees == 1, "crosses the API");
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x1000);
	TAP_EQ(FEED(.kind = KM_EV_CACHE_FREE, .ptr = 0x1000), KM_REPAIR_FREE,
	       "kmem_cache_free of a kmalloc object");
	TAP_OK(step.cross_api && counts.cross_api_frees == 2 && counts.matched_frees == 2,
	       "crosses it too");
}

static void test_implied(void)
{
	uint32_t slot;

	begin();
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0x1000, .bytes_alloc = 256, .site = 1);
	slot = step.slot;
	TAP_EQ(FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0x1000, .bytes_alloc = 512, .site = 2),
	       KM_REPAIR_REALLOC, "an allocation over a live object");
	TAP_OK(step.slot == slot && step.gone.site == 1 && step.gone.bytes_alloc == 256 &&
		       object(slot)->site == 2,
	       "ends it and takes its slot");
	TAP_OK(counts.implied_frees == 1 && counts.open == 1 && counts.open_bytes == 512,
	       "and is counted");
	TAP_EQ(FEED(.kind = KM_EV_VMAP_ALLOC, .ptr = 0x1000, .bytes_alloc = 8192), KM_REPAIR_ALLOC,
	       "the same number in another space is another object");
	TAP_OK(step.slot != slot && counts.open == 2, "with its own slot");
	TAP_EQ(FEED(.kind = KM_EV_VMAP_FREE, .ptr = 0x1000), KM_REPAIR_FREE, "vmap_free");
	TAP_OK(step.gone.space == KM_SPACE_VMAP && !step.cross_api, "frees the area");
	TAP_EQ(FEED(.kind = KM_EV_VMAP_FREE, .ptr = 0x1000), KM_REPAIR_FREE_OLD, "only once");
}

/* ---- bulk calls, RCU, per-CPU memory ---- */

static void test_bulk(void)
{
	begin();
	TAP_EQ(FEED(.kind = KM_EV_BULK_ALLOC, .ptr = 0x1000, .bytes_alloc = 64, .cache = 3),
	       KM_REPAIR_ALLOC, "an object of a bulk allocation");
	TAP_OK(object(step.slot)->space == KM_SPACE_SLAB && object(step.slot)->cache == 3,
	       "is a slab object");
	TAP_EQ(FEED(.kind = KM_EV_BULK_FREE, .ptr = 0x1000, .cache = 3), KM_REPAIR_FREE,
	       "a bulk free ends it");
	TAP_OK(!step.cross_api && !counts.cross_api_frees, "by the same API");
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0x2000, .cache = 3);
	TAP_EQ(FEED(.kind = KM_EV_BULK_FREE, .ptr = 0x2000), KM_REPAIR_FREE,
	       "a bulk free ends an object of kmem_cache_alloc");
	TAP_OK(step.cross_api && counts.cross_api_frees == 1, "by another API");
	FEED(.kind = KM_EV_BULK_ALLOC, .ptr = 0x2000, .cache = 3);
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = 0x2000), KM_REPAIR_FREE, "kfree of a bulk object");
	TAP_OK(step.cross_api && counts.cross_api_frees == 2, "by another API too");
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = 0x3000);
	TAP_EQ(FEED(.kind = KM_EV_BULK_ALLOC, .ptr = 0x3000), KM_REPAIR_REALLOC,
	       "a bulk allocation over a live object ends that");
	TAP_EQ(FEED(.kind = KM_EV_BULK_FREE, .ptr = 0x4000), KM_REPAIR_FREE_OLD,
	       "a bulk free of an unknown object");
	TAP_EQ(FEED(.kind = KM_EV_BULK_FREE, .ptr = 0), KM_REPAIR_DROP, "and of nothing");
	TAP_EQ(FEED(.kind = KM_EV_BULK_ALLOC, .ptr = 0), KM_REPAIR_DROP, "a failed one");
}

static void test_rcu(void)
{
	uint32_t slot;

	begin();
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x1000, .bytes_alloc = 64);
	slot = step.slot;
	TAP_EQ(FEED(.kind = KM_EV_RCU_FREE, .ptr = 0x1000, .site = 8, .cpu = 2, .task = 5),
	       KM_REPAIR_NOTE, "an object handed to RCU");
	TAP_OK(counts.open == 1 && counts.rcu_pending == 1, "is still live");
	TAP_OK(object(slot)->rcu_handed && object(slot)->rcu_ns == 2 &&
		       object(slot)->rcu_site == 8 && object(slot)->rcu_cpu == 2 &&
		       object(slot)->rcu_task == 5,
	       "what the call said is kept");
	FEED(.kind = KM_EV_RCU_FREE, .ptr = 0x1000, .site = 9);
	TAP_OK(object(slot)->rcu_site == 8 && counts.rcu_pending == 1, "the first call counts");
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = 0x1000, .bytes_alloc = 64), KM_REPAIR_REALLOC,
	       "its address is handed out again");
	TAP_OK(step.gone.rcu_handed && step.gone.rcu_ns == 2 && counts.implied_frees == 1 &&
		       counts.rcu_pending == 0,
	       "so it was freed after the call");
	TAP_OK(!object(slot)->rcu_handed, "the new object was not handed to RCU");
	FEED(.kind = KM_EV_RCU_FREE, .ptr = 0x1000);
	TAP_EQ(FEED(.kind = KM_EV_BULK_FREE, .ptr = 0x1000), KM_REPAIR_FREE,
	       "kfree_bulk of the RCU worker ends it where that is traced");
	TAP_OK(step.cross_api && counts.open == 0 && counts.rcu_pending == 0, "and all is even");
	TAP_EQ(FEED(.kind = KM_EV_RCU_FREE, .ptr = 0x5000), KM_REPAIR_NOTE,
	       "an unknown object handed to RCU ends nothing");
	TAP_EQ(counts.preexisting_frees, 0, "yet");
}

static void test_percpu(void)
{
	begin();
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x1000, .bytes_alloc = 64);
	TAP_EQ(FEED(.kind = KM_EV_PERCPU_ALLOC, .ptr = 0x1000, .bytes_req = 5, .bytes_alloc = 8),
	       KM_REPAIR_ALLOC, "a per-CPU pointer is no address");
	TAP_OK(object(step.slot)->space == KM_SPACE_PERCPU && counts.open == 2,
	       "it has a space of its own");
	TAP_EQ(FEED(.kind = KM_EV_PERCPU_FREE, .ptr = 0x1000), KM_REPAIR_FREE, "and a free");
	TAP_OK(step.gone.bytes_req == 5 && !step.cross_api && counts.open == 1, "of its own");
	TAP_EQ(FEED(.kind = KM_EV_PERCPU_FREE, .ptr = 0x1000), KM_REPAIR_FREE_OLD, "only once");
	TAP_EQ(FEED(.kind = KM_EV_PERCPU_ALLOC, .ptr = 0), KM_REPAIR_DROP, "a failed one");
	TAP_EQ(FEED(.kind = KM_EV_PERCPU_FREE, .ptr = 0), KM_REPAIR_DROP, "a free of nothing");
}

/* ---- large kmallocs traced twice ---- */

#define LARGE(...)                                                                                 \
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x10000, .bytes_req = 10240, .bytes_alloc = 16384,      \
	     .task = 9, __VA_ARGS__)

static void test_double(void)
{
	begin();
	TAP_EQ(LARGE(.site = 1), KM_REPAIR_ALLOC, "the inner event");
	TAP_EQ(LARGE(.site = 2), KM_REPAIR_DROP, "the outer event is the same object");
	TAP_OK(object(step.slot)->site == 2 && counts.double_large == 1 && counts.open == 1 &&
		       counts.implied_frees == 0,
	       "called from the outer site");
	TAP_EQ(LARGE(.site = 2), KM_REPAIR_REALLOC, "a third is an object of its own");

	begin();
	LARGE(.site = 1);
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x500, .bytes_alloc = 8, .task = 9,
	     .context = KM_CTX_HARDIRQ);
	FEED(.kind = KM_EV_KFREE, .ptr = 0x500, .task = 9, .context = KM_CTX_HARDIRQ);
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x600, .bytes_alloc = 8, .task = 8);
	TAP_EQ(LARGE(.site = 2), KM_REPAIR_DROP, "an interrupt or another task may lie between");

	begin();
	LARGE(.site = 1);
	FEED(.kind = KM_EV_KFREE, .ptr = 0x10000, .task = 8, .cpu = 1);
	TAP_EQ(LARGE(.site = 2), KM_REPAIR_ALLOC, "but not a free of it");
	TAP_EQ(counts.double_large, 0, "not counted");

	begin();
	LARGE(.site = 1);
	FEED(.kind = KM_EV_KFREE, .ptr = 0x700, .task = 9);
	TAP_EQ(LARGE(.site = 2), KM_REPAIR_REALLOC, "nor another event of the task");

	begin();
	LARGE(.site = 1);
	TAP_EQ(LARGE(.site = 2, .cpu = 1), KM_REPAIR_REALLOC, "another CPU is another call");

	begin();
	LARGE(.site = 1);
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = 0x10000, .bytes_req = 10241, .bytes_alloc = 16384,
		    .task = 9),
	       KM_REPAIR_REALLOC, "another size too");

	begin();
	FEED(.kind = KM_EV_KMALLOC, .ptr = 0x10000, .bytes_req = 8000, .bytes_alloc = 8192);
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = 0x10000, .bytes_req = 8000, .bytes_alloc = 8192),
	       KM_REPAIR_REALLOC, "8192 bytes are not large");
}

/* ---- pages ---- */

#define PAGES(pfn, o)                                                                              \
	FEED(.kind = KM_EV_PAGE_ALLOC, .ptr = (pfn), .order = (o),                                 \
	     .bytes_req = KM_PAGE_SIZE << (o), .bytes_alloc = KM_PAGE_SIZE << (o))
#define FREE_PAGES(pfn, o) FEED(.kind = KM_EV_PAGE_FREE, .ptr = (pfn), .order = (o))

static void test_pages(void)
{
	uint32_t slot;

	begin();
	TAP_EQ(PAGES(0x100, 3), KM_REPAIR_ALLOC, "a block of 8 pages");
	slot = step.slot;
	TAP_OK(object(slot)->space == KM_SPACE_PAGE && object(slot)->order == 3 &&
		       counts.open_bytes == 32768,
	       "is an object");
	TAP_EQ(FREE_PAGES(0x100, 3), KM_REPAIR_FREE, "freed whole");
	TAP_OK(step.slot == slot && counts.open == 0 && counts.page_splits == 0, "no split");
	TAP_EQ(FREE_PAGES(0x100, 3), KM_REPAIR_FREE_OLD, "it is gone");
	TAP_EQ(PAGES(0, 0), KM_REPAIR_ALLOC, "page 0 is a page");
	TAP_EQ(FREE_PAGES(0, 0), KM_REPAIR_FREE, "and can be freed");
	TAP_EQ(PAGES(510, 2), KM_REPAIR_ALLOC, "a block over a 2 MiB border");
	TAP_EQ(FREE_PAGES(510, 2), KM_REPAIR_FREE, "is one block");

	begin();
	PAGES(0x100, 1);
	TAP_EQ(PAGES(0x100, 1), KM_REPAIR_REALLOC, "pages handed out again: freed unseen");
	TAP_OK(counts.implied_frees == 1 && counts.open == 1, "counted");
}

static void test_split(void)
{
	uint32_t slot;

	begin();
	PAGES(0x100, 2);
	slot = step.slot;
	TAP_EQ(FREE_PAGES(0x102, 0), KM_REPAIR_NOTE, "one page of four is freed");
	TAP_EQ(FREE_PAGES(0x102, 0), KM_REPAIR_FREE_OLD, "only once");
	TAP_EQ(FREE_PAGES(0x100, 1), KM_REPAIR_NOTE, "then two");
	TAP_OK(counts.page_splits == 2 && counts.open == 1, "the block is still there");
	TAP_EQ(PAGES(0x100, 0), KM_REPAIR_ALLOC, "its first page is used again");
	TAP_EQ(FREE_PAGES(0x103, 0), KM_REPAIR_FREE, "the last page ends the block");
	TAP_OK(step.slot == slot && step.gone.order == 2 && counts.page_splits == 3 &&
		       counts.matched_frees == 1,
	       "as one object");
	TAP_EQ(FREE_PAGES(0x100, 0), KM_REPAIR_FREE, "and the page has a life of its own");
	TAP_EQ(step.gone.order, 0, "of order 0");
	TAP_EQ(counts.open, 0, "nothing is open");
}

/* One event ends several objects: what a step cannot say, later allocations say. */
static void test_many_ends(void)
{
	uint32_t told = 0;

	begin();
	for (uint64_t pfn = 0x200; pfn < 0x204; pfn++)
		PAGES(pfn, 0);
	TAP_EQ(PAGES(0x200, 2), KM_REPAIR_REALLOC, "a block over four live pages");
	TAP_OK(counts.implied_frees == 4 && counts.open == 1, "ends all four");
	told |= 1u << step.gone.ptr % 4;
	for (uint64_t i = 0; i < 3; i++) {
		if (FEED(.kind = KM_EV_KMALLOC, .ptr = 0x8000 + i * 8) == KM_REPAIR_REALLOC)
			told |= 1u << step.gone.ptr % 4;
	}
	TAP_EQ(told, 15, "each is reported once");
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = 0x9000), KM_REPAIR_ALLOC, "and then no more");

	begin();
	PAGES(0x200, 2);
	TAP_EQ(PAGES(0x201, 0), KM_REPAIR_ALLOC, "a page of a live block is handed out");
	TAP_OK(counts.page_splits == 1 && counts.open == 2, "so that part was freed unseen");
	PAGES(0x200, 0);
	PAGES(0x202, 0);
	TAP_EQ(PAGES(0x203, 0), KM_REPAIR_REALLOC, "the last one ends the block");
	TAP_OK(step.gone.order == 2 && counts.implied_frees == 1, "unseen");

	begin();
	PAGES(0x200, 0);
	PAGES(0x201, 0);
	TAP_EQ(FREE_PAGES(0x200, 1), KM_REPAIR_FREE, "one free over two blocks");
	TAP_OK(counts.matched_frees == 1 && counts.implied_frees == 1 && counts.open == 0,
	       "ends both");
	TAP_EQ(PAGES(0x300, 0), KM_REPAIR_REALLOC, "the other is reported later");
	TAP_EQ(step.gone.ptr, 0x201, "with its place");
}

static void test_backing(void)
{
	uint64_t base = 0xffff9a0000000000ull;

	begin();
	PAGES(0x400, 1);
	TAP_EQ(km_repair_block_at(repair, KM_DIRECT_MAP_BASE + 0x401123)->ptr, 0x400,
	       "the block of an address");
	TAP_OK(!km_repair_block_at(repair, KM_DIRECT_MAP_BASE + 0x402000), "none behind it");
	TAP_OK(!km_repair_block_at(repair, KM_VMALLOC_START), "none of a vmalloc address");
	TAP_EQ(object(step.slot)->backing, 0, "not known to back anything");
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = KM_DIRECT_MAP_BASE + 0x401100);
	TAP_EQ(km_repair_block_at(repair, KM_DIRECT_MAP_BASE + 0x400000)->backing, 1,
	       "until an object in it is seen");

	begin();
	km_repair_set_direct_map(repair, base);
	PAGES(0x400, 1);
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = KM_DIRECT_MAP_BASE + 0x401100);
	TAP_EQ(km_repair_block_at(repair, base + 0x400000)->backing, 0, "with another direct map");
	FEED(.kind = KM_EV_KMALLOC, .ptr = base + 0x401100, .bytes_alloc = 8192);
	TAP_EQ(km_repair_block_at(repair, base + 0x400000)->backing, 1, "its addresses count");
}

/* ---- all together, against arrays ---- */

enum { ADDRESSES = 3000, PAGE_RANGE = 2048 };

struct plain {
	bool live[KM_NR_SPACES][ADDRESSES];
	uint64_t block[PAGE_RANGE]; /* which block, 0 = none */
	uint64_t pages[1 << 20];    /* of block: pages left */
	uint64_t blocks;
	uint64_t open;
};

static void plain_drop(struct plain *plain, uint64_t page)
{
	uint64_t block = plain->block[page];

	plain->block[page] = 0;
	if (block && !--plain->pages[block])
		plain->open--;
}

static void plain_feed(struct plain *plain, const struct km_event *event)
{
	unsigned space =
		km_event_group_of(event->kind) == KM_GROUP_VMAP ? KM_SPACE_VMAP : KM_SPACE_SLAB;
	bool *live = &plain->live[space][event->ptr / 32 % ADDRESSES];

	if (km_event_group_of(event->kind) == KM_GROUP_PAGE) {
		for (uint64_t i = 0; i < 1ull << event->order; i++)
			plain_drop(plain, event->ptr + i);
		if (event->kind == KM_EV_PAGE_FREE)
			return;
		plain->open++;
		plain->pages[++plain->blocks] = 1ull << event->order;
		for (uint64_t i = 0; i < 1ull << event->order; i++)
			plain->block[event->ptr + i] = plain->blocks;
	} else if (km_event_is_alloc(event->kind)) {
		plain->open += !*live;
		*live = true;
	} else {
		plain->open -= *live;
		*live = false;
	}
}

/* What a user of the steps believes to be live: slots, by ALLOC, REALLOC and FREE alone. */
static bool believe(bool *slots, uint64_t *believed)
{
	bool was = slots[step.slot], right = true;

	if (step.action == KM_REPAIR_ALLOC)
		right = !was;
	else if (step.action == KM_REPAIR_REALLOC || step.action == KM_REPAIR_FREE)
		right = was;
	else
		return true;
	slots[step.slot] = step.action != KM_REPAIR_FREE;
	*believed += step.action == KM_REPAIR_ALLOC;
	*believed -= step.action == KM_REPAIR_FREE;
	return right;
}

static void test_random_events(void)
{
	struct plain *plain = calloc(1, sizeof(*plain));
	bool *slots = calloc(1 << 20, sizeof(*slots));
	uint64_t believed = 0, most = 0;
	unsigned wrong_open = 0, wrong_steps = 0;
	uint32_t count;

	begin();
	for (unsigned i = 0; i < 500000; i++) {
		struct km_event event = {.cpu = (uint16_t)(test_random() % 4),
					 .bytes_alloc = 64,
					 .kind = (uint8_t)(test_random() % (KM_EV_VMAP_FREE + 1))};

		if (km_event_group_of(event.kind) == KM_GROUP_PAGE) {
			event.order = (uint8_t)(test_random() % 5);
			event.ptr = test_random() % PAGE_RANGE >> event.order << event.order;
		} else {
			event.ptr = 32 * (1 + test_random() % (ADDRESSES - 1));
		}
		feed(event);
		plain_feed(plain, &event);
		wrong_steps += !believe(slots, &believed);
		wrong_open +=
			counts.open != plain->open || believed < counts.open ||
			counts.objects != counts.matched_frees + counts.implied_frees + counts.open;
		most = believed > most ? believed : most;
	}
	TAP_EQ(wrong_open, 0,
	       "after each of 500000 events as many are open as in the model, and all "
	       "objects are accounted for");
	TAP_EQ(wrong_steps, 0, "and the steps tell one story");
	km_repair_objects(repair, &count);
	TAP_OK(count <= most + 1, "slots are dense: %u for %llu at most", count,
	       (unsigned long long)most);
	free(plain);
	free(slots);
}

/* Pages that are freed, or handed out again, take what still seems live in them along. */
static void test_pages_take_objects(void)
{
	const uint64_t base = KM_DIRECT_MAP_BASE, page = KM_PAGE_SIZE;
	struct km_repair_step gone;
	unsigned ended = 0;

	begin();
	FEED(.kind = KM_EV_PAGE_ALLOC, .ptr = 8, .order = 1);
	FEED(.kind = KM_EV_KMALLOC, .ptr = base + 8 * page, .bytes_req = 8, .bytes_alloc = 8);
	FEED(.kind = KM_EV_CACHE_ALLOC, .ptr = base + 9 * page + 4088, .bytes_alloc = 8);
	FEED(.kind = KM_EV_KMALLOC, .ptr = base + 10 * page, .bytes_req = 8, .bytes_alloc = 8);
	TAP_OK(!km_repair_next_gone(repair, &gone), "nothing is gone yet");
	TAP_EQ(FEED(.kind = KM_EV_PAGE_FREE, .ptr = 8, .order = 1), KM_REPAIR_FREE,
	       "a slab's pages are freed");
	while (km_repair_next_gone(repair, &gone))
		ended += gone.action == KM_REPAIR_FREE && gone.gone.space == KM_SPACE_SLAB &&
			 gone.gone.ptr < base + 10 * page;
	TAP_EQ(ended, 2, "the two objects in them are gone, first and last place");
	TAP_EQ(counts.implied_frees, 2, "by frees that were not traced");
	TAP_EQ(counts.open, 1, "the neighbour is live");
	TAP_EQ(FEED(.kind = KM_EV_KFREE, .ptr = base + 8 * page), KM_REPAIR_FREE_OLD,
	       "a late free of them matches nothing");
	TAP_OK(FEED(.kind = KM_EV_PAGE_ALLOC, .ptr = 10, .order = 0) == KM_REPAIR_REALLOC &&
		       step.gone.ptr == base + 10 * page,
	       "pages handed out again say the same");
	TAP_EQ(counts.open, 1, "only the new block is live");
	TAP_EQ(FEED(.kind = KM_EV_KMALLOC, .ptr = base + 10 * page, .bytes_alloc = 8),
	       KM_REPAIR_ALLOC, "and its memory starts afresh");
	TAP_OK(!km_repair_around(repair, 32) && !km_repair_around(repair, UINT64_MAX),
	       "nothing is around addresses at either end, and that is found out");
}

int main(void)
{
	test_plain();
	test_nothing();
	test_cross_api();
	test_implied();
	test_bulk();
	test_rcu();
	test_percpu();
	test_double();
	test_pages();
	test_split();
	test_many_ends();
	test_backing();
	test_pages_take_objects();
	test_random_events();
	km_repair_delete(repair);
	return tap_done();
}
