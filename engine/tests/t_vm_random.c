/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Over a million random calls of the vmalloc layer on all profiles against a map of its pages: no
 * area lies in another, guards stay unmapped, alignments hold, no address is handed out again
 * before the TLBs were flushed, and in the end every page and every byte is back.
 */
#include <string.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"
#include "engine/tests/vm_pages.h"
#include "engine/vmalloc.h"

#define CPUS 4u
#ifdef __SANITIZE_THREAD__
#define CALLS 20000u /* one thread: nothing to find, and slow */
#else
#define CALLS 180000u /* a profile */
#endif
#define LIVE 400u
#define SHADOW_PAGES (1u << 20) /* 4 GiB of addresses */
#define SOURCE_ORDER 7u         /* pages that mappings show */

/* One page of addresses. */
struct shadow {
	uint32_t owner;   /* slot + 1, guard included; 0: nobody */
	uint32_t flushes; /* TLB flushes when it was given up, + 1 */
	uint32_t pfn;     /* mapped frame + 1 */
};

enum way { WAY_VMALLOC, WAY_VMAP, WAY_RAM, WAY_IO };

struct slot {
	uint64_t addr, pages; /* addr 0: empty */
	enum way way;
};

struct run {
	struct km_machine *machine;
	struct km_env env, dice;
	struct test_host host;
	struct shadow *shadow;
	struct slot slots[LIVE];
	km_pfn source[1u << SOURCE_ORDER];
	uint64_t broken[6];
	uint64_t calls, given;
};

enum rule { RULE_RANGE, RULE_OVERLAP, RULE_STALE, RULE_MAPPED, RULE_ALIGN, RULE_FREE };

static const char *const rules[] = {"addresses are within reach",
				    "no area lies in another",
				    "none is reused before a TLB flush",
				    "an area is mapped and its guard is not",
				    "alignments hold",
				    "what was given is taken back"};

static struct shadow *page_at(struct run *run, uint64_t addr)
{
	uint64_t page = (addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT;

	return page < SHADOW_PAGES ? &run->shadow[page] : NULL;
}

/* The layer's own word about its page tables. */
static void on_mapped(void *context, uint64_t addr, const km_pfn *pfns, uint64_t count, bool huge)
{
	struct run *run = context;

	for (uint64_t i = 0; i < count; i++) {
		struct shadow *page = page_at(run, addr + (i << KM_PAGE_SHIFT));
		uint64_t pfn = huge ? pfns[0].value + i : pfns[i].value;

		run->broken[RULE_MAPPED] += !page || page->pfn;
		if (page)
			page->pfn = (uint32_t)pfn + 1;
	}
}

static void on_unmapped(void *context, uint64_t addr, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct shadow *page = page_at(context, addr + (i << KM_PAGE_SHIFT));

		if (page)
			page->pfn = 0;
	}
}

static void take(struct run *run, unsigned index, uint64_t guard)
{
	struct slot *slot = &run->slots[index];

	run->given++;
	for (uint64_t i = 0; i < slot->pages + guard; i++) {
		struct shadow *page = page_at(run, slot->addr + (i << KM_PAGE_SHIFT));

		if (!page) {
			run->broken[RULE_RANGE]++;
			continue;
		}
		run->broken[RULE_OVERLAP] += page->owner != 0;
		run->broken[RULE_STALE] += page->flushes > run->env.count.tlb_flush;
		run->broken[RULE_MAPPED] += (page->pfn != 0) != (i < slot->pages);
		page->owner = index + 1;
	}
}

static uint64_t guard_of(enum way way)
{
	return way != WAY_RAM;
}

static void give(struct run *run, unsigned index, unsigned cpu)
{
	struct slot *slot = &run->slots[index];
	uint64_t flushes = run->env.count.tlb_flush;
	int code = slot->way == WAY_RAM
			   ? km_vm_unmap_ram(run->machine, cpu, slot->addr, slot->pages)
			   : km_vfree(run->machine, cpu, slot->addr);

	run->broken[RULE_FREE] += code != 0;
	for (uint64_t i = 0; i < slot->pages + guard_of(slot->way); i++) {
		struct shadow *page = page_at(run, slot->addr + (i << KM_PAGE_SHIFT));

		if (!page)
			continue;
		run->broken[RULE_OVERLAP] += page->owner != index + 1;
		run->broken[RULE_MAPPED] += page->pfn != 0;
		page->owner = 0;
		/* A flush within the call came after the entries were cleared. */
		page->flushes = (uint32_t)flushes + 1;
	}
	slot->addr = 0;
}

static uint64_t below(struct run *run, uint64_t n)
{
	return km_env_random(&run->dice) % n;
}

static uint64_t some_pages(struct run *run)
{
	return 1 + below(run, below(run, 8) ? 12 : below(run, 16) ? 64 : 700);
}

static void get(struct run *run, unsigned index, unsigned cpu)
{
	struct slot *slot = &run->slots[index];
	uint64_t way = below(run, 20), align = KM_PAGE_SIZE << (below(run, 4) ? 0 : below(run, 7));

	slot->pages = some_pages(run);
	slot->way = WAY_VMALLOC;
	if (way < 12) {
		slot->addr = km_vmalloc(run->machine, cpu, slot->pages << KM_PAGE_SHIFT, align,
					KM_GFP_KERNEL, way ? 0 : KM_VM_ALLOW_HUGE);
		run->broken[RULE_ALIGN] += slot->addr % align != 0;
		slot->pages = run->machine->model->vm->size(run->machine->vm, slot->addr) >>
			      KM_PAGE_SHIFT;
	} else if (way < 15) {
		slot->way = WAY_VMAP;
		slot->pages = 1 + below(run, 1u << SOURCE_ORDER);
		slot->addr = km_vmap(run->machine, cpu, run->source, slot->pages);
	} else if (way < 19) {
		slot->way = WAY_RAM;
		slot->pages = 1 + below(run, below(run, 10) ? 16 : 1u << SOURCE_ORDER);
		slot->addr = km_vm_map_ram(run->machine, cpu, run->source, slot->pages);
	} else {
		slot->way = WAY_IO;
		slot->addr =
			km_ioremap(run->machine, cpu, 0xf0000000, slot->pages << KM_PAGE_SHIFT);
	}
	if (slot->addr)
		take(run, index, guard_of(slot->way));
}

static void resize(struct run *run, unsigned index, unsigned cpu)
{
	struct slot *slot = &run->slots[index], old = *slot;
	uint64_t flushes = run->env.count.tlb_flush;

	slot->pages = some_pages(run);
	run->broken[RULE_FREE] += km_vrealloc(run->machine, cpu, &slot->addr,
					      slot->pages << KM_PAGE_SHIFT, KM_GFP_KERNEL) != 0;
	if (slot->addr == old.addr) {
		slot->pages = old.pages; /* the addresses stay its own, whatever is behind them */
		return;
	}
	for (uint64_t i = 0; i <= old.pages; i++) {
		struct shadow *page = page_at(run, old.addr + (i << KM_PAGE_SHIFT));

		page->owner = 0;
		page->flushes = (uint32_t)flushes + 1;
	}
	take(run, index, 1);
}

static void one_call(struct run *run)
{
	unsigned index = (unsigned)below(run, LIVE), cpu = (unsigned)below(run, CPUS);
	struct slot *slot = &run->slots[index];

	run->calls++;
	if (!below(run, 5000))
		km_vm_unmap_aliases(run->machine, cpu);
	else if (!slot->addr)
		get(run, index, cpu);
	else if (slot->way == WAY_VMALLOC && !below(run, 6))
		resize(run, index, cpu);
	else
		give(run, index, cpu);
}

static void start(struct run *run, const char *kernel)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find(kernel),
				       .cpus = CPUS,
				       .memory_bytes = 512ull << 20};
	km_pfn head;

	test_host_env(&run->env, &run->host, 5);
	run->dice.random_state = 11;
	run->env.mapped = on_mapped;
	run->env.unmapped = on_unmapped;
	run->env.memory = run;
	run->shadow = calloc(SHADOW_PAGES, sizeof(*run->shadow));
	if (!run->shadow || km_machine_create(&run->env, &spec, &run->machine)) {
		printf("Bail out! no machine for %s\n", kernel);
		exit(1);
	}
	head = km_alloc_pages(run->machine, 0, KM_GFP_KERNEL, SOURCE_ORDER);
	for (uint64_t i = 0; i < 1u << SOURCE_ORDER; i++)
		run->source[i] = (km_pfn){head.value + i};
}

static void test_profile(const char *kernel)
{
	struct run *run = calloc(1, sizeof(*run));
	struct vm_layer *vm;
	unsigned invalid = 0;

	start(run, kernel);
	vm = run->machine->vm;
	while (run->calls < CALLS) {
		one_call(run);
		if (run->calls % (CALLS / 4) == 0)
			invalid += km_machine_validate(run->machine) != 0;
	}
	for (unsigned i = 0; i < LIVE; i++)
		if (run->slots[i].addr)
			give(run, i, i % CPUS);
	for (unsigned rule = 0; rule < 6; rule++)
		TAP_EQ(run->broken[rule], 0, "%s: %s", kernel, rules[rule]);
	TAP_EQ(invalid, 0, "%s: valid all the time", kernel);
	TAP_OK(run->env.count.tlb_flush >= 5 && run->env.count.vm_block > 1000,
	       "%s: %llu areas given, %llu flushes, %llu parts of blocks", kernel,
	       (unsigned long long)run->given, (unsigned long long)run->env.count.tlb_flush,
	       (unsigned long long)run->env.count.vm_block);
	TAP_EQ(run->env.count.tlb_flush_cpu, run->env.count.tlb_flush * CPUS,
	       "%s: each flush on every CPU", kernel);
	km_vm_purge(vm, 0, true);
	TAP_EQ(vm->free.count, 1, "%s: the free space is one range again", kernel);
	TAP_EQ(data_pages(run->machine), 1u << SOURCE_ORDER, "%s: all pages are back", kernel);
	TAP_EQ(vm->usage.areas + vm->usage.mapped_pages + vm->usage.metadata_bytes, 0,
	       "%s: nothing is counted any more", kernel);
	km_machine_destroy(run->machine);
	TAP_EQ(run->host.live_blocks, 0, "%s: nor any host memory", kernel);
	free(run->shadow);
	free(run);
}

int main(void)
{
	for (const char *const *kernel = km_profile_names(); *kernel; kernel++)
		test_profile(*kernel);
	return tap_done();
}
