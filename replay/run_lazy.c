/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux's purging worker is asynchronous, and on several CPUs its instant does not follow from the
 * calls. Where the answers tell how many pages waited before and after each call, a purge is where
 * that number fell; the model's worker is made to run there, and only there. A number that rose by
 * what no call explains shows that something else in the kernel freed an area meanwhile.
 */
#include <kmlab/vm_state.h>

#include "replay/run_state.h"

static uint64_t waiting(const struct executor *run)
{
	struct km_vm_usage usage;

	run->machine->model->vm->usage(run->machine->vm, &usage);
	return usage.lazy_pages;
}

/* Pages that freeing argument 0 will park, guard included: of the area, of its page array. */
static void will_park(struct executor *run, const struct km_scenario_call *call, uint64_t *area,
		      uint64_t *array)
{
	struct live *object = km_run_find_live(run, km_run_argument(run, call, 0));
	uint64_t pages;

	*area = *array = 0;
	if (!object || object->kind < LIVE_AREA)
		return;
	pages = object->bytes >> KM_PAGE_SHIFT;
	*area = pages + (object->kind != LIVE_RAM);
	if (object->kind == LIVE_AREA && pages * 8 > KM_PAGE_SIZE)
		*array = ((pages * 8 + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT) + 1;
}

void km_run_lazy_before(struct executor *run, const struct km_scenario_call *call)
{
	bool fell = call->lazy_after < call->lazy_before;
	uint64_t now = waiting(run), area, array;

	run->purge_after = false;
	km_vmalloc_hold_purges(run->machine->vm, true);
	if (call->lazy_before < now) {
		/* Between the calls. */
		km_vmalloc_purge(run->machine->vm, 0);
		run->run->check.late_purges++;
		now = waiting(run);
	}
	if (call->lazy_before != now && !run->run->check.disturbed)
		run->run->check.disturbed = call->line;
	if (!fell || call->call == KM_CALL_VM_UNMAP_ALIASES)
		return;
	will_park(run, call, &area, &array);
	if (!area || call->lazy_after >= area) {
		/* Before what this call frees was parked, or before an address was searched. */
		km_vmalloc_purge(run->machine->vm, 0);
		run->run->check.late_purges++;
	} else if (call->lazy_after && array) {
		km_vmalloc_hold_purges(run->machine->vm, false);
	} else {
		run->purge_after = true;
	}
}

void km_run_lazy_after(struct executor *run, const struct km_scenario_call *call)
{
	if (run->purge_after)
		km_vmalloc_purge(run->machine->vm, 0);
	if (waiting(run) != call->lazy_after && !run->run->check.disturbed)
		run->run->check.disturbed = call->line;
}
