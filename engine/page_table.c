/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page tables of the vmalloc range: x86_64, four levels, every entry written into a host array
 * as the processor would find it in memory. The 64 third-level tables exist from boot (mm/init.c:
 * preallocate_vmalloc_pages); second- and first-level ones are pages of the machine, taken when a
 * gigabyte or a 2 MiB slot is used first, and kept. With five levels the 50 fourth-level tables
 * exist from boot, third-level ones are taken when 512 GiB are used first.
 */
#include <errno.h>

#include "vmalloc.h"

#define ENTRIES 512u
#define SLOT_SHIFT 21 /* 2 MiB: one first-level table, or one huge leaf */
#define GIGA_SHIFT 30
#define TOP_SHIFT 39

/* Intel SDM vol. 3A, 4.5: bits of an entry. */
#define ENTRY_PRESENT 0x1ull
#define ENTRY_WRITE 0x2ull
#define ENTRY_ACCESSED 0x20ull
#define ENTRY_DIRTY 0x40ull
#define ENTRY_HUGE 0x80ull
#define ENTRY_GLOBAL 0x100ull
#define ENTRY_NO_EXECUTE (1ull << 63)
#define ENTRY_FRAME 0x000ffffffffff000ull

#define ENTRY_TABLE (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)
#define ENTRY_LEAF (ENTRY_TABLE | ENTRY_GLOBAL | ENTRY_NO_EXECUTE)

/* First level. */
struct slot_table {
	uint64_t entry[ENTRIES];
	km_pfn pfn;
};

/* Second and third level: the entries, and where the host keeps the tables they point to. */
struct giga_table {
	uint64_t entry[ENTRIES];
	struct slot_table *below[ENTRIES];
	km_pfn pfn;
};

struct top_table {
	uint64_t entry[ENTRIES];
	struct giga_table *below[ENTRIES];
	km_pfn pfn; /* with five levels */
};

struct page_table {
	struct km_machine *machine;
	struct top_table **top; /* [nr_top], by 512 GiB from start on */
	uint64_t start, nr_top;
	bool five_levels;
	uint64_t pages, leaf_4k, leaf_2m;
};

static unsigned index_at(uint64_t addr, unsigned shift)
{
	return (unsigned)(addr >> shift) & (ENTRIES - 1);
}

static uint64_t entry_for(km_pfn pfn, uint64_t bits)
{
	return (pfn.value << KM_PAGE_SHIFT & ENTRY_FRAME) | bits;
}

static km_pfn pfn_in(uint64_t entry)
{
	return (km_pfn){(entry & ENTRY_FRAME) >> KM_PAGE_SHIFT};
}

int km_page_table_create(struct km_machine *machine, uint64_t start, uint64_t end,
			 struct page_table **out)
{
	struct page_table *table = km_env_alloc(machine->env, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->machine = machine;
	table->start = start;
	table->nr_top = (end - start) >> TOP_SHIFT;
	table->five_levels = machine->spec.profile.la57;
	table->top = km_env_alloc(machine->env, table->nr_top * sizeof(*table->top));
	if (!table->top) {
		km_env_release(machine->env, table, sizeof(*table));
		return -ENOMEM;
	}
	*out = table;
	return 0;
}

static void destroy_giga(struct km_env *env, struct giga_table *giga)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		km_env_release(env, giga->below[i], sizeof(*giga->below[i]));
	km_env_release(env, giga, sizeof(*giga));
}

void km_page_table_destroy(struct page_table *table)
{
	struct km_env *env;

	if (!table)
		return;
	env = table->machine->env;
	for (uint64_t t = 0; t < table->nr_top; t++) {
		if (!table->top[t])
			continue;
		for (unsigned i = 0; i < ENTRIES; i++)
			if (table->top[t]->below[i])
				destroy_giga(env, table->top[t]->below[i]);
		km_env_release(env, table->top[t], sizeof(*table->top[t]));
	}
	km_env_release(env, table->top, table->nr_top * sizeof(*table->top));
	km_env_release(env, table, sizeof(*table));
}

/* ---- walking, and tables made on the way ---- */

static km_pfn table_page(struct page_table *table, unsigned cpu)
{
	struct km_machine *machine = table->machine;
	km_pfn pfn =
		machine->model->page->alloc(machine->page, cpu, KM_GFP_KERNEL | KM_GFP_ZERO, 0);

	if (km_pfn_valid(pfn))
		table->pages++;
	return pfn;
}

static void table_page_back(struct page_table *table, unsigned cpu, km_pfn pfn)
{
	struct km_machine *machine = table->machine;

	machine->model->page->free(machine->page, cpu, pfn, 0);
	table->pages--;
}

static struct giga_table *find_giga(const struct page_table *table, uint64_t addr)
{
	const struct top_table *top = table->top[(addr - table->start) >> TOP_SHIFT];

	return top ? top->below[index_at(addr, GIGA_SHIFT)] : NULL;
}

/* The table's entry for its third-level table exists from boot with four levels. */
static struct top_table *get_top(struct page_table *table, unsigned cpu, struct top_table **top)
{
	struct km_env *env = table->machine->env;

	if (*top)
		return *top;
	*top = km_env_alloc(env, sizeof(**top));
	if (!*top || !table->five_levels)
		return *top;
	(*top)->pfn = table_page(table, cpu);
	if (!km_pfn_valid((*top)->pfn)) {
		km_env_release(env, *top, sizeof(**top));
		*top = NULL;
		return NULL;
	}
	env->count.pte_set++;
	return *top;
}

static struct giga_table *get_giga(struct page_table *table, unsigned cpu, uint64_t addr)
{
	struct top_table **top = &table->top[(addr - table->start) >> TOP_SHIFT];
	unsigned index = index_at(addr, GIGA_SHIFT);
	struct km_env *env = table->machine->env;
	struct giga_table *giga;

	if (!get_top(table, cpu, top))
		return NULL;
	giga = (*top)->below[index];
	if (giga)
		return giga;
	giga = km_env_alloc(env, sizeof(*giga));
	if (!giga)
		return NULL;
	giga->pfn = table_page(table, cpu);
	if (!km_pfn_valid(giga->pfn)) {
		km_env_release(env, giga, sizeof(*giga));
		return NULL;
	}
	(*top)->entry[index] = entry_for(giga->pfn, ENTRY_TABLE);
	(*top)->below[index] = giga;
	env->count.pte_set++;
	return giga;
}

static struct slot_table *get_slot(struct page_table *table, unsigned cpu, struct giga_table *giga,
				   unsigned index)
{
	struct km_env *env = table->machine->env;
	struct slot_table *slot = giga->below[index];

	if (slot)
		return slot;
	slot = km_env_alloc(env, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->pfn = table_page(table, cpu);
	if (!km_pfn_valid(slot->pfn)) {
		km_env_release(env, slot, sizeof(*slot));
		return NULL;
	}
	giga->entry[index] = entry_for(slot->pfn, ENTRY_TABLE);
	giga->below[index] = slot;
	env->count.pte_set++;
	return slot;
}

/* ---- map ---- */

int km_page_table_map(struct page_table *table, unsigned cpu, uint64_t addr, const km_pfn *pfns,
		      uint64_t count)
{
	struct km_env *env = table->machine->env;

	while (count) {
		unsigned first = index_at(addr, KM_PAGE_SHIFT);
		uint64_t run = ENTRIES - first < count ? ENTRIES - first : count;
		struct giga_table *giga = get_giga(table, cpu, addr);
		struct slot_table *slot;

		if (!giga)
			return -ENOMEM;
		slot = get_slot(table, cpu, giga, index_at(addr, SLOT_SHIFT));
		if (!slot)
			return -ENOMEM;
		for (uint64_t i = 0; i < run; i++)
			slot->entry[first + i] = entry_for(pfns[i], ENTRY_LEAF);
		env->count.pte_set += run;
		table->leaf_4k += run;
		if (env->mapped)
			env->mapped(env->memory, addr, pfns, run, false);
		addr += run << KM_PAGE_SHIFT;
		pfns += run;
		count -= run;
	}
	return 0;
}

int km_page_table_map_huge(struct page_table *table, unsigned cpu, uint64_t addr, km_pfn pfn)
{
	struct giga_table *giga = get_giga(table, cpu, addr);
	struct km_env *env = table->machine->env;
	unsigned index = index_at(addr, SLOT_SHIFT);
	struct slot_table *slot;

	if (!giga)
		return -ENOMEM;
	slot = giga->below[index];
	if (slot) {
		/* An empty table lies there: the processor may have cached the way to it. */
		giga->below[index] = NULL;
		env->count.pte_clear++;
		env->count.tlb_flush++;
		env->count.tlb_flush_cpu += table->machine->spec.cpus;
		table_page_back(table, cpu, slot->pfn);
		km_env_release(env, slot, sizeof(*slot));
	}
	giga->entry[index] = entry_for(pfn, ENTRY_LEAF | ENTRY_HUGE);
	env->count.pte_set++;
	table->leaf_2m++;
	if (env->mapped)
		env->mapped(env->memory, addr, &pfn, VM_HUGE_PAGES, true);
	return 0;
}

/* ---- unmap ---- */

/* pfns may be NULL. */
static uint64_t unmap_slot(struct page_table *table, struct slot_table *slot, unsigned first,
			   uint64_t run, km_pfn *pfns)
{
	uint64_t cleared = 0;

	for (uint64_t i = 0; i < run; i++) {
		uint64_t *entry = &slot->entry[first + i];

		if (!(*entry & ENTRY_PRESENT))
			continue;
		if (pfns)
			pfns[cleared] = pfn_in(*entry);
		cleared++;
		*entry = 0;
	}
	table->leaf_4k -= cleared;
	table->machine->env->count.pte_clear += cleared;
	return cleared;
}

uint64_t km_page_table_unmap(struct page_table *table, uint64_t addr, uint64_t count, km_pfn *pfns)
{
	struct km_env *env = table->machine->env;
	uint64_t cleared = 0;

	if (env->unmapped)
		env->unmapped(env->memory, addr, count);
	while (count) {
		unsigned first = index_at(addr, KM_PAGE_SHIFT);
		uint64_t run = ENTRIES - first < count ? ENTRIES - first : count;
		struct giga_table *giga = find_giga(table, addr);
		unsigned index = index_at(addr, SLOT_SHIFT);

		if (giga && giga->entry[index] & ENTRY_HUGE) {
			uint64_t head = pfn_in(giga->entry[index]).value;

			for (unsigned i = 0; pfns && i < VM_HUGE_PAGES; i++)
				pfns[cleared + i] = (km_pfn){head + i};
			cleared += VM_HUGE_PAGES;
			giga->entry[index] = 0;
			table->leaf_2m--;
			table->machine->env->count.pte_clear++;
		} else if (giga && giga->below[index]) {
			cleared += unmap_slot(table, giga->below[index], first, run,
					      pfns ? pfns + cleared : NULL);
		}
		addr += run << KM_PAGE_SHIFT;
		count -= run;
	}
	return cleared;
}

/* ---- looking ---- */

km_pfn km_page_table_lookup(const struct page_table *table, uint64_t addr, bool *huge)
{
	const struct giga_table *giga = find_giga(table, addr);
	unsigned index = index_at(addr, SLOT_SHIFT), page = index_at(addr, KM_PAGE_SHIFT);
	uint64_t entry = giga ? giga->entry[index] : 0;

	*huge = entry & ENTRY_HUGE;
	if (*huge)
		return (km_pfn){pfn_in(entry).value + page};
	if (!(entry & ENTRY_PRESENT))
		return KM_PFN_NONE;
	entry = giga->below[index]->entry[page];
	return entry & ENTRY_PRESENT ? pfn_in(entry) : KM_PFN_NONE;
}

uint64_t km_page_table_pages(const struct page_table *table)
{
	return table->pages;
}

void km_page_table_leaves(const struct page_table *table, uint64_t *leaf_4k, uint64_t *leaf_2m)
{
	*leaf_4k = table->leaf_4k;
	*leaf_2m = table->leaf_2m;
}

static void count_giga(const struct giga_table *giga, uint64_t *leaf_4k, uint64_t *leaf_2m)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		*leaf_2m += (giga->entry[i] & ENTRY_HUGE) != 0;
		for (unsigned e = 0; giga->below[i] && e < ENTRIES; e++)
			*leaf_4k += giga->below[i]->entry[e] & ENTRY_PRESENT;
	}
}

void km_page_table_count(const struct page_table *table, uint64_t *leaf_4k, uint64_t *leaf_2m)
{
	*leaf_4k = *leaf_2m = 0;
	for (uint64_t t = 0; t < table->nr_top; t++)
		for (unsigned i = 0; table->top[t] && i < ENTRIES; i++)
			if (table->top[t]->below[i])
				count_giga(table->top[t]->below[i], leaf_4k, leaf_2m);
}
