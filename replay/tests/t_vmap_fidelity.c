/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes and purges of vmalloc against a trace written by hand. */
#include "replay/vmap_fidelity.h"

#include "engine/tests/tap.h"
#include "replay/tests/small_trace.h"

#define AREA(n) (KM_VMALLOC_START + ((uint64_t)(n) << 28))
#define LAZY_MAX 16384u /* two CPUs */

static uint32_t array_site, other_site;

static void area(struct small_trace *trace, uint64_t addr, uint64_t pages)
{
	small_trace_add(trace, 0,
			(struct km_event){.kind = KM_EV_VMAP_ALLOC,
					  .ptr = addr,
					  .bytes_alloc = (pages + 1) << KM_PAGE_SHIFT});
}

static void array(struct small_trace *trace, uint64_t bytes, uint32_t site)
{
	struct km_event event = kmalloc_event(page_addr(5000), bytes, bytes);

	event.site = site;
	small_trace_add(trace, 0, event);
	small_trace_add(trace, 0, kfree_event(page_addr(5000)));
}

static void give(struct small_trace *trace, uint64_t addr)
{
	small_trace_add(trace, 0, (struct km_event){.kind = KM_EV_VMAP_FREE, .ptr = addr});
}

static void purge(struct small_trace *trace, uint64_t low, uint64_t high, uint64_t areas)
{
	small_trace_add(trace, 1,
			(struct km_event){.kind = KM_EV_VMAP_PURGE,
					  .ptr = low,
					  .bytes_alloc = high - low,
					  .bytes_req = areas});
}

static void write_trace(struct small_trace *trace)
{
	struct km_trace_site array_place = {.address = 0xffffffff81001000,
					    .symbol = "__vmalloc_node_range_noprof"};
	struct km_trace_site other_place = {.address = 0xffffffff81002000, .symbol = "seq_open"};

	array_site = km_trace_site_id(trace->writer, array_place.address);
	other_site = km_trace_site_id(trace->writer, other_place.address);
	array_place.id = array_site;
	other_place.id = other_site;
	km_trace_define_site(trace->writer, &array_place, NULL);
	km_trace_define_site(trace->writer, &other_place, NULL);
	/* Three areas whose arrays tell the size, one of them wrongly; one whose array is an area.
	 */
	area(trace, AREA(1), 4);
	array(trace, 32, array_site);
	area(trace, AREA(2), 10);
	array(trace, 88, array_site);
	area(trace, AREA(3), 1000);
	area(trace, AREA(4), 2);
	array(trace, 16, array_site);
	/* vmap: the next kmalloc is about something else. */
	area(trace, AREA(5), 7);
	array(trace, 56, other_site);
	/* The first purge begins the count. */
	give(trace, AREA(5));
	purge(trace, AREA(5), AREA(5) + 0x8000, 3);
	/* Early, after a free. */
	give(trace, AREA(1));
	purge(trace, AREA(1), AREA(1) + 0x5000, 1);
	/* Due: more than the limit waits. Too few areas are said to be purged. */
	area(trace, AREA(6), LAZY_MAX - 1);
	area(trace, AREA(7), 1);
	area(trace, AREA(8), 1);
	give(trace, AREA(6));
	give(trace, AREA(7)); /* passes it */
	give(trace, AREA(8)); /* before the worker came */
	purge(trace, AREA(6), AREA(8) + 0x2000, 1);
}

int main(void)
{
	struct km_vmap_fidelity score;
	struct km_trace *read = NULL;
	struct small_trace trace;
	struct km_start start;
	struct km_err err = {""};

	if (!small_trace_begin(&trace))
		TAP_SKIP_ALL("no temporary file can be made");
	write_trace(&trace);
	read = small_trace_end(&trace);
	if (!read || km_start_read(read, &start, &err) ||
	    km_vmap_fidelity_measure(read, &start, &score, &err)) {
		printf("Bail out! %s\n", err.text);
		return 1;
	}
	TAP_EQ(score.areas, 8, "areas");
	TAP_EQ(score.sizes.checked, 4, "sizes: three by their array, one by its array's area");
	TAP_EQ(score.sizes.matched, 3, "sizes: one array is one pointer too long");
	TAP_EQ(score.without_array, 4, "others have none");
	TAP_EQ(score.lazy_max, LAZY_MAX, "the limit of two CPUs");
	TAP_EQ(score.purges_kernel, 2, "purges after the first");
	TAP_EQ(score.purges_model, 1, "purges: one is due");
	TAP_EQ(score.purges_matched, 1, "purges: and comes");
	TAP_EQ(score.early_own + score.early_other, 1, "purges: the other is early");
	TAP_EQ(score.late_frees, 1, "purges: one free late");
	TAP_EQ(score.purged_areas.checked - score.purged_areas.matched, 1,
	       "purges: a wrong number of areas shows");
	TAP_EQ(score.purged_range.matched, 2, "purges: ranges as the areas that waited");
	TAP_EQ(score.unknown_frees, 0, "every freed area is known");
	km_trace_close(read);
	return tap_done();
}
