/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of mm/vmalloc.c and ioremap in a scenario. vmap() and vm_map_ram() are given pages by the
 * first of them: vmap(p, 3) maps the first three of what alloc_pages() returned as p.
 */
#include <errno.h>
#include <stdlib.h>

#include "replay/run_state.h"

/* What all calls that make a mapping may do. */
static void begin(const struct executor *run, const struct km_scenario_call *call,
		  struct km_run_row *row, uint32_t gfp)
{
	if (run->context >= KM_IN_SOFTIRQ)
		km_run_note(row, KM_RULE_IN_INTERRUPT,
			    "not allowed in an interrupt: %s changes page tables",
			    km_call_name(call->call));
	km_run_check_flags(run, call, row, gfp);
}

/* The live object of argument 0; NULL with a note. */
static struct live *live_argument(struct executor *run, const struct km_scenario_call *call,
				  struct km_run_row *row)
{
	return km_run_must_be_live(run, km_run_argument(run, call, 0),
				   km_run_argument_name(run, call, 0), row);
}

/* ---- vmalloc ---- */

/* Flags, alignment and node that the call stands for. */
struct vmalloc_way {
	uint32_t gfp, flags;
	uint64_t align;
	int node;
};

static struct vmalloc_way way_of(const struct executor *run, const struct km_scenario_call *call)
{
	struct vmalloc_way way = {.gfp = KM_GFP_KERNEL, .node = -1};

	switch (call->call) {
	case KM_CALL_VZALLOC:
	case KM_CALL_VMALLOC_USER:
		way.gfp |= KM_GFP_ZERO;
		break;
	case KM_CALL_VMALLOC_HUGE:
		way.flags = KM_VM_ALLOW_HUGE;
		way.gfp = (uint32_t)km_run_argument(run, call, 1);
		break;
	case KM_CALL_VMALLOC_GFP:
		way.gfp = (uint32_t)km_run_argument(run, call, 1);
		break;
	case KM_CALL_VMALLOC_32:
		way.gfp |= KM_GFP_DMA32;
		break;
	case KM_CALL_VMALLOC_32_USER:
		way.gfp |= KM_GFP_DMA32 | KM_GFP_ZERO;
		break;
	case KM_CALL_VMALLOC_NODE:
	case KM_CALL_VZALLOC_NODE:
		way.gfp |= call->call == KM_CALL_VZALLOC_NODE ? KM_GFP_ZERO : 0;
		way.node = (int)km_run_argument(run, call, 1);
		break;
	case KM_CALL_VMALLOC_ALIGN:
		way.align = km_run_argument(run, call, 1);
		way.gfp = (uint32_t)km_run_argument(run, call, 2);
		way.node = (int)km_run_argument(run, call, 3);
		break;
	default:
		break;
	}
	way.flags |= way.node >= 0 ? KM_VM_ON_NODE : 0;
	return way;
}

static void describe_area(const struct executor *run, enum live_kind kind, uint64_t addr,
			  struct live *object)
{
	*object = (struct live){.kind = kind, .addr = addr};
	if (addr)
		object->bytes = run->machine->model->vm->size(run->machine->vm, addr);
}

int km_run_vmalloc(struct executor *run, const struct km_scenario_call *call,
		   struct km_run_row *row)
{
	struct vmalloc_way way = way_of(run, call);
	struct live object = {.kind = LIVE_AREA};

	begin(run, call, row, way.gfp);
	if (way.node > 0)
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "node %d does not exist", way.node);
	else if (way.align & (way.align - 1))
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "alignment %llu is not a power of two",
			    (unsigned long long)way.align);
	else
		describe_area(run, LIVE_AREA,
			      km_vmalloc(run->machine, call->cpu, km_run_argument(run, call, 0),
					 way.align, way.gfp, way.flags),
			      &object);
	return km_run_finish_alloc(run, call, row, &object);
}

int km_run_vrealloc(struct executor *run, const struct km_scenario_call *call,
		    struct km_run_row *row)
{
	uint64_t old_addr = km_run_argument(run, call, 0), bytes = km_run_argument(run, call, 1);
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 2);
	uint64_t addr = old_addr;
	struct live *old = NULL, object;
	int code;

	if (!run->machine->spec.profile.vmap_nodes)
		km_run_note(row, KM_RULE_NONE, "vrealloc came with Linux 6.12");
	if (old_addr) {
		old = live_argument(run, call, row);
		if (!old)
			return 0;
		if (old->kind != LIVE_AREA) {
			km_run_note(row, KM_RULE_WRONG_FREE, "vrealloc cannot take %s (line %u)",
				    km_run_kind_name(old->kind), old->line);
			return 0;
		}
	}
	begin(run, call, row, gfp);
	code = km_vrealloc(run->machine, call->cpu, &addr, bytes, gfp);
	if (code && code != -ENOMEM)
		km_run_note(row, KM_RULE_NONE, "the model does not know this object");
	if (old && !code) {
		code = km_run_remove_live(run, old, call->line);
		if (code)
			return code;
	}
	describe_area(run, LIVE_AREA, code ? 0 : addr, &object);
	return km_run_finish_alloc(run, call, row, &object);
}

/* ---- vmap, vm_map_ram ---- */

/* The frames of argument 0; NULL with a note, or without memory. */
static km_pfn *frames_of(struct executor *run, const struct km_scenario_call *call, uint64_t count,
			 struct km_run_row *row)
{
	struct live *pages = live_argument(run, call, row);
	km_pfn *pfns;

	if (!pages)
		return NULL;
	if (pages->kind != LIVE_PAGES || count > 1ull << pages->order) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "%s maps pages: line %u gives %s, of %llu bytes",
			    km_call_name(call->call), pages->line, km_run_kind_name(pages->kind),
			    (unsigned long long)pages->bytes);
		return NULL;
	}
	pfns = malloc((count + 1) * sizeof(*pfns));
	for (uint64_t i = 0; pfns && i < count; i++)
		pfns[i] = (km_pfn){km_addr_to_pfn(pages->addr).value + i};
	return pfns;
}

int km_run_vmap(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row)
{
	bool ram = call->call == KM_CALL_VM_MAP_RAM;
	uint64_t count = km_run_argument(run, call, 1);
	km_pfn *pfns = frames_of(run, call, count, row);
	struct live object = {.kind = ram ? LIVE_RAM : LIVE_MAP, .bytes = count << KM_PAGE_SHIFT};

	begin(run, call, row, KM_GFP_KERNEL);
	if (!pfns && !row->note)
		return -ENOMEM;
	if (pfns)
		object.addr = ram ? km_vm_map_ram(run->machine, call->cpu, pfns, count)
				  : km_vmap(run->machine, call->cpu, pfns, count);
	free(pfns);
	return km_run_finish_alloc(run, call, row, &object);
}

int km_run_vm_unmap_ram(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	struct live *object = live_argument(run, call, row);
	uint64_t count = km_run_argument(run, call, 1);

	if (!object)
		return 0;
	if (object->kind != LIVE_RAM) {
		km_run_note(row, KM_RULE_WRONG_FREE, "vm_unmap_ram cannot unmap %s (line %u)",
			    km_run_kind_name(object->kind), object->line);
		return 0;
	}
	km_run_check_sleep(run, call, row);
	if (object->bytes != count << KM_PAGE_SHIFT) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "wrong count %llu: line %u mapped %llu pages",
			    (unsigned long long)count, object->line,
			    (unsigned long long)(object->bytes >> KM_PAGE_SHIFT));
		return 0;
	}
	if (km_vm_unmap_ram(run->machine, call->cpu, object->addr, count))
		km_run_note(row, KM_RULE_NONE, "the model does not know this object");
	return km_run_remove_live(run, object, call->line);
}

int km_run_vm_unmap_aliases(struct executor *run, const struct km_scenario_call *call,
			    struct km_run_row *row)
{
	km_run_check_sleep(run, call, row);
	km_vm_unmap_aliases(run->machine, call->cpu);
	return 0;
}

/* ---- ioremap, and taking mappings away ---- */

int km_run_ioremap(struct executor *run, const struct km_scenario_call *call,
		   struct km_run_row *row)
{
	uint64_t phys = km_run_argument(run, call, 0), bytes = km_run_argument(run, call, 1);
	struct live object = {.kind = LIVE_IO, .bytes = bytes};

	begin(run, call, row, KM_GFP_KERNEL);
	object.addr = km_ioremap(run->machine, call->cpu, phys, bytes);
	return km_run_finish_alloc(run, call, row, &object);
}

/* vunmap(), iounmap() */
int km_run_vunmap(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row)
{
	enum live_kind kind = call->call == KM_CALL_VUNMAP ? LIVE_MAP : LIVE_IO;
	struct live *object;

	if (!km_run_argument(run, call, 0))
		return 0;
	object = live_argument(run, call, row);
	if (!object)
		return 0;
	if (object->kind != kind) {
		km_run_note(row, KM_RULE_WRONG_FREE, "%s cannot unmap %s (line %u)",
			    km_call_name(call->call), km_run_kind_name(object->kind), object->line);
		return 0;
	}
	km_run_check_sleep(run, call, row);
	if (km_vfree(run->machine, call->cpu, object->addr & ~(KM_PAGE_SIZE - 1)))
		km_run_note(row, KM_RULE_NONE, "the model does not know this object");
	return km_run_remove_live(run, object, call->line);
}
