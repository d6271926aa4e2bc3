/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of the page allocator, and which pages the program holds, so that it leaves none behind.
 * A page is kept as its address; splitting or freeing none is nothing.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "oracle.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define alloc_pages_bulk alloc_pages_bulk_array
#endif

static unsigned long *held, *single; /* a bit a page; single: freed page by page */
static struct page *bulk[ORACLE_BULK_MAX];

int oracle_pages_init(struct oracle_program *program)
{
	unsigned long bytes =
		BITS_TO_LONGS(PHYS_PFN(virt_to_phys(high_memory - 1)) + 1) * sizeof(long);

	held = vzalloc(bytes);
	single = vzalloc(bytes);
	return held && single ? 0 : -ENOMEM;
}

void oracle_pages_exit(void)
{
	vfree(held);
	vfree(single);
}

static unsigned long frame(unsigned long addr)
{
	return PHYS_PFN(virt_to_phys((void *)addr));
}

static unsigned long hold(unsigned long addr, unsigned long pages, int one_by_one)
{
	if (!addr)
		return 0;
	bitmap_set(held, frame(addr), pages);
	if (one_by_one)
		bitmap_set(single, frame(addr), pages);
	else
		bitmap_clear(single, frame(addr), pages);
	return addr;
}

static unsigned long hold_page(struct page *page, unsigned int order)
{
	return page ? hold((unsigned long)page_address(page), 1ul << order, 0) : 0;
}

static void drop(unsigned long addr, unsigned long pages)
{
	if (addr)
		bitmap_clear(held, frame(addr), pages);
}

static unsigned long alloc_bulk(struct oracle_program *program, struct oracle_call *call)
{
	unsigned long long *values = &program->values[call->args[2].variable];
	unsigned long count = call->args[1].number, filled;

	for (unsigned long i = 0; i < count; i++)
		bulk[i] = values[i] ? virt_to_page((void *)(unsigned long)values[i]) : NULL;
	filled = alloc_pages_bulk(call->args[0].number, count, bulk);
	for (unsigned long i = 0; i < count; i++) {
		call->filled[i] = !values[i] && bulk[i] ? hold_page(bulk[i], 0) : 0;
		values[i] = bulk[i] ? (unsigned long)page_address(bulk[i]) : 0;
	}
	return filled;
}

static void release(const struct oracle_call *call, unsigned long addr, unsigned long number)
{
	if (!addr)
		return;
	if (call->kind == CALL_FREE_PAGES_EXACT) {
		drop(addr, PFN_UP(number));
		free_pages_exact((void *)addr, number);
	} else {
		/* Of a block only the first page is counted; pages that were split all are. */
		if (test_bit(frame(addr), single))
			for (unsigned long i = 1; i < 1ul << number; i++)
				set_page_count(virt_to_page((void *)addr) + i, 0);
		drop(addr, 1ul << number);
		free_pages(addr, number);
	}
}

unsigned long long oracle_page_call(struct oracle_program *program, struct oracle_call *call)
{
	unsigned long first = oracle_value(program, call, 0);
	unsigned long second = oracle_value(program, call, 1);

	switch (call->kind) {
	case CALL_ALLOC_PAGES:
		return hold_page(alloc_pages(first, second), second);
	case CALL_ALLOC_PAGE:
		return hold_page(alloc_pages(first, 0), 0);
	case CALL_GET_FREE_PAGES:
		return hold(__get_free_pages(first, second), 1ul << second, 0);
	case CALL_GET_FREE_PAGE:
		return hold(__get_free_pages(first, 0), 1, 0);
	case CALL_GET_ZEROED_PAGE:
		return hold(get_zeroed_page(first), 1, 0);
	case CALL_ALLOC_PAGES_EXACT:
		return hold((unsigned long)alloc_pages_exact(first, second), PFN_UP(first), 1);
	case CALL_ALLOC_PAGES_BULK:
	case CALL_ALLOC_PAGES_BULK_ARRAY:
		return alloc_bulk(program, call);
	case CALL_SPLIT_PAGE:
		if (first) {
			split_page(virt_to_page((void *)first), second);
			hold(first, 1ul << second, 1);
		}
		return 0;
	default:
		release(call, first, second);
		return 0;
	}
}

/* ---- what is left in the end ---- */

static void give_back(unsigned long addr, unsigned long pages)
{
	unsigned long pfn;

	if (!addr)
		return;
	pfn = frame(addr);
	if (test_bit(pfn, held) && !test_bit(pfn, single)) {
		bitmap_clear(held, pfn, pages);
		free_pages(addr, get_order(pages << PAGE_SHIFT));
		return;
	}
	for (unsigned long i = 0; i < pages; i++)
		if (test_and_clear_bit(pfn + i, held))
			free_pages(addr + (i << PAGE_SHIFT), 0);
}

/* Who took a page last holds it: from the end to the beginning. */
void oracle_pages_give_back(struct oracle_program *program)
{
	for (unsigned int i = program->count; i--;) {
		const struct oracle_call *call = &program->calls[i];
		unsigned long pages = 1;

		if (call->kind == CALL_ALLOC_PAGES || call->kind == CALL_GET_FREE_PAGES)
			pages = 1ul << call->args[1].number;
		else if (call->kind == CALL_ALLOC_PAGES_EXACT)
			pages = PFN_UP(call->args[0].number);
		if (call->kind == CALL_ALLOC_PAGES_BULK ||
		    call->kind == CALL_ALLOC_PAGES_BULK_ARRAY)
			for (unsigned long k = 0; k < call->args[1].number; k++)
				give_back(call->filled[k], 1);
		else if (call->kind >= CALL_ALLOC_PAGES && call->kind < CALL_SPLIT_PAGE)
			give_back(call->result, pages);
	}
}
