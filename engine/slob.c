/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLOB as a slab layer: three lists of partly free pages by object size, searched from where the
 * last search ended; whole pages for large objects (mm/slob.c, 5.15 - 6.3). It follows 6.1; on
 * later profiles it is 6.1's SLOB over that kernel's pages. Objects of RCU-typesafe caches are
 * freed without waiting for a grace period. No distribution kernel with SLOB was at hand: this
 * follows the source, and no recorded answers prove it.
 */
#include "slob.h"

#include <errno.h>
#include <string.h>

#include "models.h"

/* Objects below these many bytes have lists of their own. */
#define SMALL_BELOW 256u
#define MEDIUM_BELOW 1024u
#define RCU_FOOTER 24u /* behind an RCU-typesafe object: what its delayed free needs */
/* ---- creation ---- */

static void slob_destroy(void *self)
{
	struct slob *slob = self;

	while (slob->caches) {
		struct slob_cache *cache = slob->caches;

		slob->caches = cache->next;
		km_env_release(slob->env, cache, cache->bytes);
	}
	km_records_destroy(&slob->records);
	km_env_release(slob->env, slob->by_number,
		       (KM_SLOB_CACHES_MAX + 1) * sizeof(*slob->by_number));
	km_env_release(slob->env, slob->page_of_pfn, slob->max_pfn * sizeof(*slob->page_of_pfn));
	km_env_release(slob->env, slob, sizeof(*slob));
}

static int slob_create(struct km_machine *machine, void **self)
{
	struct slob *slob = km_env_alloc(machine->env, sizeof(*slob));

	if (!slob)
		return -ENOMEM;
	slob->env = slob->records.env = machine->env;
	slob->machine = machine;
	slob->max_pfn = machine->max_pfn;
	km_ring_init(&slob->small);
	km_ring_init(&slob->medium);
	km_ring_init(&slob->large);
	slob->page_of_pfn = km_env_alloc(slob->env, slob->max_pfn * sizeof(*slob->page_of_pfn));
	slob->by_number =
		km_env_alloc(slob->env, (KM_SLOB_CACHES_MAX + 1) * sizeof(*slob->by_number));
	if (!slob->page_of_pfn || !slob->by_number) {
		slob_destroy(slob);
		return -ENOMEM;
	}
	*self = slob;
	return 0;
}

/* The lowest number that no cache has; 0: all are taken. */
static uint16_t unused_number(const struct slob *slob)
{
	unsigned number = 1;

	while (number <= KM_SLOB_CACHES_MAX && slob->by_number[number])
		number++;
	return number <= KM_SLOB_CACHES_MAX ? (uint16_t)number : 0;
}

/* Caches only say how large their objects are: nothing is merged, nothing kept apart. */
static void *slob_cache_create(void *self, const struct km_cache_spec *spec)
{
	struct slob *slob = self;
	const char *name = spec->name ? spec->name : "";
	size_t bytes = sizeof(struct slob_cache) + strlen(name) + 1;
	struct slob_cache *cache;
	uint64_t size = spec->object_size;

	if (spec->flags & KM_SLAB_TYPESAFE_BY_RCU)
		size += RCU_FOOTER;
	if (!spec->object_size || size > KM_PAGE_SIZE << KM_MAX_ORDER ||
	    (size < KM_PAGE_SIZE && spec->align > KM_PAGE_SIZE) || !unused_number(slob))
		return NULL;
	cache = km_env_alloc(slob->env, bytes);
	if (!cache)
		return NULL;
	cache->object_size = spec->object_size;
	cache->size = (uint32_t)km_round_up(size, KM_SLOB_UNIT);
	cache->align = km_slab_align(spec);
	cache->flags = spec->flags;
	cache->bytes = bytes;
	cache->name = memcpy(cache + 1, name, strlen(name) + 1);
	cache->number = unused_number(slob);
	slob->by_number[cache->number] = cache;
	cache->next = slob->caches;
	slob->caches = cache;
	return cache;
}

/* Linux destroys a SLOB cache whatever is in use; what is could not be freed any more here. */
static int slob_cache_destroy(void *self, void *handle, unsigned cpu)
{
	struct slob *slob = self;
	struct slob_cache *cache = handle, **link = &slob->caches;

	(void)cpu;
	if (cache->live)
		return -EBUSY;
	while (*link != cache)
		link = &(*link)->next;
	*link = cache->next;
	slob->by_number[cache->number] = NULL;
	km_env_release(slob->env, cache, cache->bytes);
	return 0;
}

/* ---- pages ---- */

/* The ring turns until this page is its first. */
static void list_rotate_to(struct km_ring *head, struct km_ring *first)
{
	km_ring_remove(head);
	head->next = first;
	head->prev = first->prev;
	first->prev->next = head;
	first->prev = head;
}

static struct km_ring *list_for(struct slob *slob, uint64_t bytes)
{
	return bytes < SMALL_BELOW    ? &slob->small
	       : bytes < MEDIUM_BELOW ? &slob->medium
				      : &slob->large;
}

static struct slob_page *record_take(struct slob *slob, bool small)
{
	struct km_ring **unused = small ? &slob->unused_pages : &slob->unused_blocks;
	struct km_ring *record = *unused;

	if (!record)
		return km_record_new(&slob->records, small ? sizeof(struct slob_page)
							   : offsetof(struct slob_page, starts));
	*unused = record->next;
	return (struct slob_page *)record;
}

static void record_keep(struct slob *slob, struct slob_page *page)
{
	struct km_ring **unused = page->order_plus_one ? &slob->unused_blocks : &slob->unused_pages;

	page->link.next = *unused;
	*unused = &page->link;
}

static struct slob_page *page_new(struct slob *slob, unsigned cpu, uint32_t gfp, unsigned order,
				  bool small)
{
	struct slob_page *page = record_take(slob, small);
	km_pfn pfn;

	if (!page)
		return NULL;
	page->order_plus_one = (uint8_t)(small ? 0 : order + 1);
	pfn = slob->machine->model->page->alloc(slob->machine->page, cpu, gfp & ~KM_GFP_ZERO,
						order);
	if (!km_pfn_valid(pfn)) {
		record_keep(slob, page);
		return NULL;
	}
	page->addr = km_pfn_to_addr(pfn);
	for (uint64_t i = 0; i < 1ull << order; i++)
		slob->page_of_pfn[pfn.value + i] = page;
	slob->slab_pages += 1ull << order;
	slob->env->count.slab_new++;
	return page;
}

static void page_release(struct slob *slob, unsigned cpu, struct slob_page *page)
{
	unsigned order = page->order_plus_one ? page->order_plus_one - 1u : 0;
	km_pfn pfn = km_addr_to_pfn(page->addr);

	for (uint64_t i = 0; i < 1ull << order; i++)
		slob->page_of_pfn[pfn.value + i] = NULL;
	slob->slab_pages -= 1ull << order;
	slob->env->count.slab_discard++;
	slob->machine->model->page->free(slob->machine->page, cpu, pfn, order);
	record_keep(slob, page);
}

/* ---- blocks within pages ---- */

/* Room in a listed page: the search begins where the last one ended. */
static unsigned take_listed(struct slob *slob, struct km_ring *list, unsigned units, uint32_t align,
			    uint32_t header, struct slob_page **found)
{
	for (struct km_ring *link = list->next; link != list; link = link->next) {
		struct slob_page *page = (struct slob_page *)link;
		unsigned block;

		slob->env->count.slob_pages_searched++;
		if (page->units < units)
			continue;
		block = km_slob_page_take(page, units, align, header);
		if (block == KM_SLOB_NONE)
			continue;
		if (!page->units) {
			km_ring_remove(link);
			page->listed = false;
		} else if (list->next != link) {
			list_rotate_to(list, link);
		}
		*found = page;
		return block;
	}
	return KM_SLOB_NONE;
}

/* A block of so many bytes; its unit, or KM_SLOB_NONE without memory. */
static unsigned take(struct slob *slob, unsigned cpu, uint64_t bytes, uint32_t gfp, uint32_t align,
		     uint32_t header, struct slob_page **page)
{
	struct km_ring *list = list_for(slob, bytes);
	unsigned units = km_slob_units(bytes);
	unsigned block = take_listed(slob, list, units, align, header, page);

	if (block != KM_SLOB_NONE) {
		slob->env->count.slab_fast++;
		return block;
	}
	*page = page_new(slob, cpu, gfp, 0, true);
	if (!*page) {
		slob->env->count.slab_fail++;
		return KM_SLOB_NONE;
	}
	km_slob_page_init(*page);
	block = km_slob_page_take(*page, units, align, header);
	if ((*page)->units) {
		km_ring_insert(list, &(*page)->link);
		(*page)->listed = true;
	}
	return block;
}

static void give(struct slob *slob, unsigned cpu, struct slob_page *page, unsigned block,
		 uint64_t bytes)
{
	km_slob_page_give(page, block, km_slob_units(bytes));
	if (page->units == KM_SLOB_PAGE_UNITS) {
		if (page->listed)
			km_ring_remove(&page->link);
		slob->env->count.slab_free_slow++;
		page_release(slob, cpu, page);
		return;
	}
	slob->env->count.slab_free_fast++;
	if (!page->listed) { /* the size of what is freed decides, whatever else lies there */
		km_ring_insert(list_for(slob, bytes), &page->link);
		page->listed = true;
	}
}

/* ---- the calls ---- */

static uint64_t slob_alloc(void *self, void *handle, unsigned cpu, uint32_t gfp, int node)
{
	struct slob *slob = self;
	struct slob_cache *cache = handle;
	struct slob_page *page;
	unsigned block = 0;

	(void)node;
	if (cache->size < KM_PAGE_SIZE) {
		block = take(slob, cpu, cache->size, gfp, cache->align, 0, &page);
		if (block == KM_SLOB_NONE)
			return 0;
		page->words[block] = cache->number;
	} else {
		page = page_new(slob, cpu, gfp, km_get_order(cache->size), false);
		if (!page) {
			slob->env->count.slab_fail++;
			return 0;
		}
		page->cache = cache;
	}
	cache->live++;
	slob->live_bytes += cache->size;
	return page->addr + (uint64_t)block * KM_SLOB_UNIT;
}

static uint64_t slob_kmalloc_max(const struct km_machine *machine)
{
	(void)machine;
	return KM_PAGE_SIZE - KM_SLOB_HEADER - 1;
}

static uint64_t slob_kmalloc_bytes(void *self, uint64_t bytes)
{
	(void)self;
	return km_round_up(bytes + KM_SLOB_HEADER, KM_SLOB_UNIT);
}

static uint64_t slob_kmalloc(void *self, unsigned cpu, uint64_t bytes, uint32_t gfp, int node)
{
	struct slob *slob = self;
	uint32_t align =
		bytes & (bytes - 1) || bytes < KM_SLOB_HEADER ? KM_SLOB_HEADER : (uint32_t)bytes;
	struct slob_page *page;
	unsigned block;

	(void)node;
	block = take(slob, cpu, bytes + KM_SLOB_HEADER, gfp, align, KM_SLOB_HEADER, &page);
	if (block == KM_SLOB_NONE)
		return 0;
	page->words[block] = 0;
	page->words[block + 1] = (uint16_t)bytes;
	slob->live_bytes += slob_kmalloc_bytes(self, bytes);
	return page->addr + (uint64_t)block * KM_SLOB_UNIT + KM_SLOB_HEADER;
}

static struct slob_page *page_of(const struct slob *slob, uint64_t addr)
{
	uint64_t pfn = (addr - KM_DIRECT_MAP_BASE) >> KM_PAGE_SHIFT;

	return pfn < slob->max_pfn ? slob->page_of_pfn[pfn] : NULL;
}

/* The block of the object at addr: of a cache, or of kmalloc (*cache NULL). */
static unsigned find_block(const struct slob *slob, const struct slob_page *page, uint64_t addr,
			   struct slob_cache **cache)
{
	unsigned unit = (unsigned)((addr - page->addr) / KM_SLOB_UNIT);
	unsigned header = KM_SLOB_HEADER / KM_SLOB_UNIT;

	if (addr % KM_SLOB_UNIT)
		return KM_SLOB_NONE;
	if (km_slob_starts(page, unit) && page->words[unit]) {
		*cache = slob->by_number[page->words[unit]];
		return unit;
	}
	if (unit < header || !km_slob_starts(page, unit - header) || page->words[unit - header])
		return KM_SLOB_NONE;
	*cache = NULL;
	return unit - header;
}

static int free_pages_of(struct slob *slob, unsigned cpu, struct slob_page *page, uint64_t addr)
{
	if (addr != page->addr)
		return -EFAULT;
	page->cache->live--;
	slob->live_bytes -= page->cache->size;
	slob->env->count.slab_free_slow++;
	page_release(slob, cpu, page);
	return 0;
}

static int slob_free(void *self, unsigned cpu, uint64_t addr)
{
	struct slob *slob = self;
	struct slob_page *page = page_of(slob, addr);
	struct slob_cache *cache;
	uint64_t bytes;
	unsigned block;

	if (!page)
		return -EFAULT;
	if (page->order_plus_one)
		return free_pages_of(slob, cpu, page, addr);
	block = find_block(slob, page, addr, &cache);
	if (block == KM_SLOB_NONE)
		return -EFAULT;
	bytes = cache ? cache->size : slob_kmalloc_bytes(self, page->words[block + 1]);
	if (cache)
		cache->live--;
	slob->live_bytes -= bytes;
	give(slob, cpu, page, block, bytes);
	return 0;
}

/* Of kmalloc's objects: the class that other allocators would have taken. */
static void *slob_cache_of(void *self, uint64_t addr)
{
	struct slob *slob = self;
	struct slob_page *page = page_of(slob, addr);
	struct slob_cache *cache;
	unsigned block;

	if (!page || page->order_plus_one)
		return page ? page->cache : NULL;
	block = find_block(slob, page, addr, &cache);
	if (block == KM_SLOB_NONE || cache)
		return block == KM_SLOB_NONE ? NULL : cache;
	return slob->machine
		->kmalloc_caches[KM_KMALLOC_NORMAL][km_kmalloc_class(page->words[block + 1])];
}

/* Pages hold objects of many caches: a cache has no slabs to count. */
static int slob_cache_info(void *self, void *handle, struct km_cache_info *info)
{
	const struct slob_cache *cache = handle;

	(void)self;
	*info = (struct km_cache_info){
		.name = cache->name,
		.object_size = cache->object_size,
		.size = cache->size,
		.align = cache->align,
		.inuse = cache->size,
		.flags = cache->flags,
		.order = cache->size < KM_PAGE_SIZE ? 0 : km_get_order(cache->size),
		.live = cache->live,
	};
	return 0;
}

static uint64_t slob_ksize(void *self, uint64_t addr)
{
	const struct slob *slob = self;
	const struct slob_page *page = page_of(slob, addr);
	struct slob_cache *cache;
	unsigned block;

	if (!page || page->order_plus_one)
		return page ? KM_PAGE_SIZE << (page->order_plus_one - 1) : 0;
	block = find_block(slob, page, addr, &cache);
	if (block == KM_SLOB_NONE)
		return 0;
	return cache ? cache->size : km_round_up(page->words[block + 1], KM_SLOB_UNIT);
}

static void slob_usage(void *self, uint64_t *slab_pages, uint64_t *live_bytes)
{
	const struct slob *slob = self;

	*slab_pages = slob->slab_pages;
	*live_bytes = slob->live_bytes;
}

KM_SLAB_RUN(slob_run, slob_alloc, slob_free, 0)

const struct km_slab_ops km_slob_slab_ops = {
	.name = "slob",
	.create = slob_create,
	.destroy = slob_destroy,
	.cache_create = slob_cache_create,
	.alloc = slob_alloc,
	.free = slob_free,
	.run = slob_run,
	.cache_destroy = slob_cache_destroy,
	.cache_of = slob_cache_of,
	.cache_info = slob_cache_info,
	.usage = slob_usage,
	.validate = km_slob_validate,
	.kmalloc_max = slob_kmalloc_max,
	.kmalloc = slob_kmalloc,
	.kmalloc_bytes = slob_kmalloc_bytes,
	.ksize = slob_ksize,
};
