/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page layer's private records: mm/page_alloc.c of Linux 5.15 to 7.2 on one node. Zones hold
 * free lists by order and migratetype and one list set per CPU; a page costs nine bytes, in arrays
 * indexed by frame number that are touched only where a block starts.
 */
#ifndef ENGINE_BUDDY_H
#define ENGINE_BUDDY_H

#include <kmlab/machine.h>
#include <kmlab/page_state.h>
#include <string.h>

#define KM_PFN_NIL UINT32_MAX /* end of a list */

/*
 * One byte per page. The first page of a free block says where the block is; pages in use say
 * whether they can be moved. All others, inside free blocks and outside memory, are 0.
 */
#define KM_PAGE_BUDDY 0x80u /* | type << 4 | order */
#define KM_PAGE_PCP 0x40u   /* | type the drain returns it to << 4 | order */
#define KM_PAGE_ORDER 0x0fu
#define KM_PAGE_TYPE_SHIFT 4
#define KM_PAGE_TYPE_MASK 0x3u
#define KM_PAGE_TYPE_BITS (KM_PAGE_TYPE_MASK << KM_PAGE_TYPE_SHIFT)
#define KM_PAGE_USED 0x01u /* alone: in use, unmovable or reclaimable */
#define KM_PAGE_USED_MOVABLE 0x02u

/* What a request may do beyond the ordinary (mm/internal.h: ALLOC_*). */
#define KM_RIGHT_MIN_RESERVE 0x01u /* half of the min mark */
#define KM_RIGHT_NON_BLOCK 0x02u   /* a quarter more; HIGHATOMIC lists as last resort */
#define KM_RIGHT_HIGHATOMIC 0x04u  /* takes from and reserves HIGHATOMIC pageblocks */
#define KM_RIGHT_NOFRAGMENT 0x08u  /* falls back to whole pageblocks only */
#define KM_RIGHT_NO_WATERMARKS 0x10u
#define KM_RIGHT_KSWAPD 0x20u

enum km_mark { KM_MARK_MIN, KM_MARK_LOW, KM_MARK_HIGH };

/* Zone flags, bits as in enum zone_flags. */
#define KM_ZONE_BOOSTED 0x1u        /* kswapd is to be woken for a boost */
#define KM_ZONE_RECLAIM_ACTIVE 0x2u /* kswapd is at work: per-CPU lists are kept short */
#define KM_ZONE_BELOW_HIGH 0x4u     /* 6.7+: last seen under its high mark */

#define KM_PCP_COSTLY_ORDER 3u
#define KM_PCP_TYPES 3u
#define KM_PCP_THP_LIST (KM_PCP_TYPES * (KM_PCP_COSTLY_ORDER + 1))
#define KM_PCP_SCALE_MAX 5u /* CONFIG_PCP_BATCH_SCALE_MAX */
#define KM_PCP_PREV_HIGH_ORDER 0x1u
#define KM_PCP_BIG_CACHE 0x2u

struct km_page_link {
	uint32_t next, prev; /* next of the tail and prev of the head are not kept */
};

struct km_page_list {
	uint32_t head, tail;
};

/*
 * A list wound from strands: block number n is on strand n modulo their count. The blocks at either
 * end of all strands are then known at once, where one list tells the next only when the record of
 * the one before it has come from memory.
 */
#define KM_STRANDS 8u /* a power of two */

struct km_pcp_list {
	uint32_t first, count; /* number of the head, modulo 2^32; blocks */
	struct km_page_list strand[KM_STRANDS];
};

struct km_pcp {
	int32_t count, high, batch;                           /* pages */
	int32_t free_factor;                                  /* up to 6.6 */
	int32_t high_min, high_max, alloc_factor, free_count; /* 6.7+ */
	uint32_t flags;                                       /* KM_PCP_* */
	int32_t diff; /* this CPU's free-page difference, not yet in the zone's counter */
	struct km_pcp_list list[KM_PCP_LISTS];
};

struct km_zone {
	uint64_t start, end; /* frames; end is one past the last */
	uint64_t spanned, present, managed;
	uint8_t index;
	uint8_t flags;
	int32_t threshold;       /* a CPU's difference beyond this goes to the counter */
	int64_t nr_free;         /* NR_FREE_PAGES as readers see it */
	int64_t free_highatomic; /* pages on HIGHATOMIC lists; kept with freelist_hygiene */
	int64_t reserved_highatomic;
	int64_t mark[3], boost;
	int64_t reserve[KM_NR_ZONES]; /* lowmem_reserve */
	uint64_t nr_blocks[KM_NR_ORDERS];
	uint32_t nonempty[KM_NR_MIGRATETYPES]; /* bit o: list (o, type) has a block */
	struct km_page_list list[KM_NR_ORDERS][KM_NR_MIGRATETYPES];
	uint64_t drift_mark; /* carried for recorded states, without effect here */
	int64_t skew;        /* counter minus pages on lists when a state was loaded */
	struct km_pcp *pcp;  /* by CPU */
};

struct km_pageblock {
	uint8_t type;
	uint8_t zone;       /* index, or KM_NR_ZONES */
	uint8_t counted;    /* wholly managed memory: part of the usage figures */
	uint16_t lru;       /* movable pages in use since before the start */
	uint16_t unmovable; /* pages in use of types other than MOVABLE */
};

struct km_buddy {
	struct km_env *env;
	struct km_profile profile;
	uint64_t max_pfn, nr_pageblocks;
	unsigned cpus;
	bool thp;            /* per-CPU lists for order 9 */
	bool grouping;       /* by mobility; off on tiny machines */
	bool zone_walk_high; /* 6.7+: walks test the high mark first */
	unsigned nr_pcp_lists;
	uint8_t preferred[KM_NR_ZONES]; /* first zone with memory at or below an index, else 0 */
	uint32_t reserve_rights;        /* any of these may use pages kept for HIGHATOMIC */
	struct km_page_link *link;
	uint8_t *page;
	struct km_pageblock *block;
	struct km_zone zone[KM_NR_ZONES]; /* managed == 0: absent */
	uint64_t free_pcp;
	uint64_t blocks_counted, blocks_unmovable;
	/* Movable pages in use since the start, a bit each, and what of them may still be
	 * reclaimed; NULL: the policy asks for none. */
	uint64_t *old, reclaimable;
	uint64_t reclaim_at;                /* where the search goes on */
	const struct km_machine_spec *spec; /* the machine's: what marks are computed from */
};

/* ---- lists of blocks ---- */

static inline bool km_page_list_empty(const struct km_page_list *list)
{
	return list->head == KM_PFN_NIL;
}

static inline void km_page_list_init(struct km_page_list *list)
{
	list->head = list->tail = KM_PFN_NIL;
}

static inline void km_page_list_push(struct km_buddy *buddy, struct km_page_list *list,
				     uint32_t pfn)
{
	buddy->link[pfn].next = list->head;
	if (list->head == KM_PFN_NIL)
		list->tail = pfn;
	else
		buddy->link[list->head].prev = pfn;
	list->head = pfn;
}

static inline void km_page_list_append(struct km_buddy *buddy, struct km_page_list *list,
				       uint32_t pfn)
{
	buddy->link[pfn].prev = list->tail;
	if (list->tail == KM_PFN_NIL)
		list->head = pfn;
	else
		buddy->link[list->tail].next = pfn;
	list->tail = pfn;
}

/* pfn must be on the list. */
static inline void km_page_list_remove(struct km_buddy *buddy, struct km_page_list *list,
				       uint32_t pfn)
{
	struct km_page_link *link = &buddy->link[pfn];

	if (list->head == list->tail) {
		km_page_list_init(list);
	} else if (list->head == pfn) {
		list->head = link->next;
	} else if (list->tail == pfn) {
		list->tail = link->prev;
	} else {
		buddy->link[link->prev].next = link->next;
		buddy->link[link->next].prev = link->prev;
	}
}

/* The block after pfn on its list, KM_PFN_NIL at the end. */
static inline uint32_t km_page_list_next(const struct km_buddy *buddy,
					 const struct km_page_list *list, uint32_t pfn)
{
	return pfn == list->tail ? KM_PFN_NIL : buddy->link[pfn].next;
}

/* The records of a page that is wanted soon, or KM_PFN_NIL. */
static inline void km_prefetch_page(const struct km_buddy *buddy, uint32_t pfn)
{
	if (pfn == KM_PFN_NIL)
		return;
	__builtin_prefetch(&buddy->link[pfn], 1);
	__builtin_prefetch(&buddy->page[pfn], 1);
}

/* ---- lists of strands ---- */

/* The strand of block i of a list, from the head, from -1 (a new head) to count (a new tail). */
static inline struct km_page_list *km_pcp_strand(struct km_pcp_list *list, uint32_t i)
{
	return &list->strand[(list->first + i) % KM_STRANDS];
}

static inline void km_pcp_list_init(struct km_pcp_list *list)
{
	list->first = list->count = 0;
	for (unsigned i = 0; i < KM_STRANDS; i++)
		km_page_list_init(&list->strand[i]);
}

static inline void km_pcp_list_push(struct km_buddy *buddy, struct km_pcp_list *list, uint32_t pfn)
{
	km_page_list_push(buddy, &list->strand[--list->first % KM_STRANDS], pfn);
	list->count++;
}

static inline void km_pcp_list_append(struct km_buddy *buddy, struct km_pcp_list *list,
				      uint32_t pfn)
{
	km_page_list_append(buddy, km_pcp_strand(list, list->count++), pfn);
}

/* The head of a list that is not empty, off it. */
static inline uint32_t km_pcp_list_pop(struct km_buddy *buddy, struct km_pcp_list *list)
{
	struct km_page_list *strand = &list->strand[list->first++ % KM_STRANDS];
	uint32_t pfn = strand->head;

	list->count--;
	km_page_list_remove(buddy, strand, pfn);
	km_prefetch_page(buddy, strand->head);
	return pfn;
}

/* The tail of a list that is not empty, off it. */
static inline uint32_t km_pcp_list_pop_tail(struct km_buddy *buddy, struct km_pcp_list *list)
{
	struct km_page_list *strand = km_pcp_strand(list, --list->count);
	uint32_t pfn = strand->tail;

	km_page_list_remove(buddy, strand, pfn);
	return pfn;
}

/* A walk from the head: start with {0}; KM_PFN_NIL after the last. */
struct km_pcp_walk {
	uint32_t passed, at[KM_STRANDS];
};

static inline uint32_t km_pcp_list_next(const struct km_buddy *buddy,
					const struct km_pcp_list *list, struct km_pcp_walk *walk)
{
	uint32_t number = list->first + walk->passed;
	const struct km_page_list *strand = &list->strand[number % KM_STRANDS];
	uint32_t *at = &walk->at[number % KM_STRANDS];

	if (walk->passed == list->count)
		return KM_PFN_NIL;
	*at = walk->passed++ < KM_STRANDS ? strand->head : km_page_list_next(buddy, strand, *at);
	return *at;
}

static inline struct km_pageblock *km_pageblock_of(const struct km_buddy *buddy, uint64_t pfn)
{
	return &buddy->block[pfn >> KM_PAGEBLOCK_ORDER];
}

static inline unsigned km_page_order(uint8_t page)
{
	return page & KM_PAGE_ORDER;
}

static inline enum km_migratetype km_page_type(uint8_t page)
{
	return (enum km_migratetype)(page >> KM_PAGE_TYPE_SHIFT & KM_PAGE_TYPE_MASK);
}

static inline bool km_type_mergeable(unsigned type)
{
	return type <= KM_RECLAIMABLE;
}

/* A free block of exactly this order starts at pfn, inside the zone. */
static inline bool km_page_is_buddy(const struct km_buddy *buddy, const struct km_zone *zone,
				    uint64_t pfn, unsigned order)
{
	return pfn >= zone->start && pfn < zone->end &&
	       (buddy->page[pfn] & (KM_PAGE_BUDDY | KM_PAGE_ORDER)) == (KM_PAGE_BUDDY | order);
}

/* ---- buddy.c: free lists, split, merge ---- */

static inline void km_buddy_add(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn,
				unsigned order, enum km_migratetype type, bool tail)
{
	struct km_page_list *list = &zone->list[order][type];

	buddy->page[pfn] = (uint8_t)(KM_PAGE_BUDDY | type << KM_PAGE_TYPE_SHIFT | order);
	if (tail)
		km_page_list_append(buddy, list, (uint32_t)pfn);
	else
		km_page_list_push(buddy, list, (uint32_t)pfn);
	zone->nonempty[type] |= 1u << order;
	zone->nr_blocks[order]++;
}

static inline void km_buddy_remove_known(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn,
					 unsigned order, enum km_migratetype type)
{
	struct km_page_list *list = &zone->list[order][type];

	km_page_list_remove(buddy, list, (uint32_t)pfn);
	if (km_page_list_empty(list))
		zone->nonempty[type] &= ~(1u << order);
	zone->nr_blocks[order]--;
	buddy->page[pfn] = 0;
}

static inline void km_buddy_remove(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn)
{
	km_buddy_remove_known(buddy, zone, pfn, km_page_order(buddy->page[pfn]),
			      km_page_type(buddy->page[pfn]));
}

/* To the tail of the list of `type`; the zone's counters move where the kernel moves them. */
void km_buddy_retype(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
		     enum km_migratetype type);
/* Upper halves of [pfn, 1 << high) back to the lists of `type` until 1 << low pages are left. */
void km_buddy_split(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn, unsigned low,
		    unsigned high, enum km_migratetype type);
/*
 * As many blocks of an order as *count says from the smallest sufficient one of exactly this type,
 * but none from a second one: what as many takes one after another give, first to last. The first
 * one's frame, *count what there were; KM_PFN_NIL when there is none.
 */
uint32_t km_buddy_take_run(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			   unsigned order, enum km_migratetype type, uint32_t *count);
/* One of them. */
uint32_t km_buddy_take_type(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			    unsigned order, enum km_migratetype type);
void km_buddy_free_block(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
			 unsigned order, enum km_migratetype type);
/* As km_buddy_free_block() of one page by its pageblock's type, to the tail of its list. */
void km_buddy_free_to_tail(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			   uint64_t pfn);
/* A block that bypasses the per-CPU lists: its pageblocks' types decide. */
void km_buddy_free_direct(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
			  unsigned order);
/* The bytes of so many pages. */
void km_buddy_mark(struct km_buddy *buddy, uint64_t pfn, uint64_t pages, uint8_t byte);
void km_buddy_set_blocks_type(struct km_buddy *buddy, uint64_t pfn, unsigned order,
			      enum km_migratetype type);

/* ---- fallback.c: other migratetypes' blocks ---- */

/* What a refill remembers between its blocks (6.12+). */
enum km_take_mode { KM_TAKE_NORMAL, KM_TAKE_STEAL };

/*
 * A block for `type`: its own lists, then claiming and stealing by the profile's rules. Up to 6.6
 * the zone's counter is the caller's business. KM_PFN_NIL when there is none.
 */
uint32_t km_buddy_take(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		       enum km_migratetype type, uint32_t rights, enum km_take_mode *mode);
/* The pageblock of a block just allocated becomes HIGHATOMIC, if the limit allows. */
void km_buddy_reserve_highatomic(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
				 uint64_t pfn, unsigned order);

/*
 * One pageblock of the HIGHATOMIC reserve of the zones up to `highest` becomes one of `type`; at
 * least one stays unless `force`. False: there is none to give.
 */
bool km_buddy_unreserve_highatomic(struct km_buddy *buddy, unsigned cpu, unsigned highest,
				   enum km_migratetype type, bool force);

/* ---- pcp.c: per-CPU lists ---- */

static inline bool km_pcp_allows(const struct km_buddy *buddy, unsigned order)
{
	return order <= KM_PCP_COSTLY_ORDER || (order == KM_PAGEBLOCK_ORDER && buddy->thp);
}

static inline unsigned km_pcp_list_of(const struct km_buddy *buddy, unsigned order,
				      enum km_migratetype type)
{
	if (order <= KM_PCP_COSTLY_ORDER)
		return KM_PCP_TYPES * order + type;
	return KM_PCP_THP_LIST + (buddy->profile.pcp_thp_two ? type == KM_MOVABLE : type);
}

static inline unsigned km_pcp_order_of(unsigned list)
{
	return list < KM_PCP_THP_LIST ? list / KM_PCP_TYPES : KM_PAGEBLOCK_ORDER;
}

/* Sizes from the zone's managed pages and low mark (zone_batchsize, zone_highsize). */
void km_pcp_size(const struct km_buddy *buddy, const struct km_zone *zone, struct km_pcp *pcp);
uint32_t km_pcp_alloc(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		      enum km_migratetype type, uint32_t rights);
/* As km_pcp_alloc(), as the bulk interface does: without telling the sizing of it. */
uint32_t km_pcp_take(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		     enum km_migratetype type, uint32_t rights);
void km_pcp_free(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
		 unsigned order);
void km_pcp_drain(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu);

/* ---- page_alloc.c: one request ---- */

struct km_page_request {
	uint32_t gfp;
	unsigned cpu, order;
	enum km_migratetype type;
	enum km_zone_index highest;
	enum km_mark mark;
	uint32_t rights;
};

/* A block from the first zone that may give one at the request's mark; KM_PFN_NIL: there is none.
 */
uint32_t km_page_walk(struct km_buddy *buddy, const struct km_page_request *request);

/* ---- reclaim.c: what a request finds that may wait for memory ---- */

/* The pages in use now are those of the start. */
void km_reclaim_start(struct km_buddy *buddy);
/* Reclaim by the machine's policy (not none), as often as the request's flags ask for. */
uint32_t km_reclaim(struct km_buddy *buddy, struct km_page_request *request);
/* These are freed: whoever takes them next, they are not of the start. */
void km_reclaim_forget(struct km_buddy *buddy, uint64_t pfn, unsigned order);

/* ---- zone.c: marks, reserves, the free-page counter ---- */

/* Marks, reserves and per-CPU sizes of every zone (__setup_per_zone_wmarks). */
void km_zone_setup_marks(struct km_buddy *buddy);
bool km_zone_watermark_ok(const struct km_buddy *buddy, const struct km_zone *zone, unsigned order,
			  int64_t mark, unsigned highest, uint32_t rights);
/* Raise the boost after mixing a pageblock. */
void km_zone_boost(struct km_zone *zone, uint32_t rights);

static inline int64_t km_zone_mark(const struct km_zone *zone, enum km_mark mark)
{
	return zone->mark[mark] + zone->boost;
}

/* The free-page counter changes by `pages` on a CPU (__mod_zone_page_state). */
static inline void km_zone_count(struct km_zone *zone, unsigned cpu, int64_t pages)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	int64_t diff = pcp->diff + pages;

	if (diff > zone->threshold || diff < -zone->threshold) {
		zone->nr_free += diff;
		diff = 0;
	}
	pcp->diff = (int32_t)diff;
}

/* As km_zone_count() for pages of a type's free lists (account_freepages, 6.10+). */
static inline void km_zone_account(struct km_zone *zone, unsigned cpu, int64_t pages,
				   enum km_migratetype type)
{
	km_zone_count(zone, cpu, pages);
	if (type == KM_HIGHATOMIC)
		zone->free_highatomic += pages;
}

/* ---- page_boot.c: a machine's memory before anyone asked for it ---- */

int km_buddy_create(struct km_machine *machine, void **self);
void km_buddy_destroy(void *self);
/*
 * Zones laid out anew, all lists empty, all pageblocks MOVABLE, marks computed, no page free or in
 * use. 0, or -EINVAL for zones that overlap, share a pageblock or leave the machine's frames.
 */
int km_buddy_lay_out(struct km_buddy *buddy, unsigned nr_zones, const struct km_zone_spec *zones);
/* All managed memory of the zone free. */
void km_zone_boot(struct km_buddy *buddy, struct km_zone *zone);
/* As at creation. */
void km_buddy_boot(struct km_buddy *buddy);
/*
 * Which frames of the zone are taken to be managed, as only their number is known: firmware and
 * kernel image lie below, holes above (in zone DMA below).
 */
void km_zone_memory(const struct km_zone *zone, uint64_t *first, uint64_t *end);
/* All pages of the zone in use: movable in MOVABLE pageblocks. */
void km_zone_use_all(struct km_buddy *buddy, struct km_zone *zone);
/* Figures on the zone's pageblocks from its pages' bytes. */
void km_zone_count_pageblocks(struct km_buddy *buddy, struct km_zone *zone);

/* ---- page_check.c ---- */

int km_buddy_validate(void *self);
uint64_t km_buddy_mixed(void *self);
void km_buddy_usage(void *self, struct km_page_usage *usage);

#endif
