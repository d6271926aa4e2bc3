/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call of a scenario on the machine: the table of all calls. Each function stands for kernel
 * functions of one family; a call that breaks a rule of that family is not executed but gets a
 * note.
 */
#include <errno.h>
#include <inttypes.h>

#include "replay/run_state.h"

static int call_context(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	(void)row;
	run->context = (enum km_context)call->args[0].number;
	return 0;
}

/* clang-format off */
static km_run_function *const functions[KM_NR_CALLS] = {
	[KM_CALL_CACHE_CREATE] = km_run_cache_create,
	[KM_CALL_CACHE_CREATE_USERCOPY] = km_run_cache_create,
	[KM_CALL_CACHE_ALLOC] = km_run_cache_alloc,
	[KM_CALL_CACHE_ZALLOC] = km_run_cache_alloc,
	[KM_CALL_CACHE_ALLOC_NODE] = km_run_cache_alloc,
	[KM_CALL_CACHE_FREE] = km_run_cache_free,
	[KM_CALL_CACHE_ALLOC_BULK] = km_run_cache_bulk,
	[KM_CALL_CACHE_FREE_BULK] = km_run_free_bulk,
	[KM_CALL_CACHE_SHRINK] = km_run_cache_shrink,
	[KM_CALL_CACHE_DESTROY] = km_run_cache_destroy,
	[KM_CALL_CACHE_SIZE] = km_run_cache_size,
	[KM_CALL_ALLOC_PAGES] = km_run_alloc_pages,
	[KM_CALL_ALLOC_PAGE] = km_run_alloc_pages,
	[KM_CALL_GET_FREE_PAGES] = km_run_alloc_pages,
	[KM_CALL_GET_FREE_PAGE] = km_run_alloc_pages,
	[KM_CALL_GET_ZEROED_PAGE] = km_run_alloc_pages,
	[KM_CALL_ALLOC_PAGES_EXACT] = km_run_alloc_pages_exact,
	[KM_CALL_ALLOC_PAGES_BULK] = km_run_alloc_pages_bulk,
	[KM_CALL_ALLOC_PAGES_BULK_ARRAY] = km_run_alloc_pages_bulk,
	[KM_CALL_SPLIT_PAGE] = km_run_split_page,
	[KM_CALL_FREE_PAGES_EXACT] = km_run_free_pages_exact,
	[KM_CALL_FREE_PAGES_PAGE] = km_run_free_pages,
	[KM_CALL_FREE_PAGE_PAGE] = km_run_free_pages,
	[KM_CALL_FREE_PAGES] = km_run_free_pages,
	[KM_CALL_FREE_PAGE] = km_run_free_pages,
	[KM_CALL_KMALLOC] = km_run_kmalloc,
	[KM_CALL_KZALLOC] = km_run_kmalloc,
	[KM_CALL_KMALLOC_NODE] = km_run_kmalloc,
	[KM_CALL_KZALLOC_NODE] = km_run_kmalloc,
	[KM_CALL_KCALLOC] = km_run_kmalloc,
	[KM_CALL_KCALLOC_NODE] = km_run_kmalloc,
	[KM_CALL_KMALLOC_ARRAY] = km_run_kmalloc,
	[KM_CALL_KMALLOC_ARRAY_NODE] = km_run_kmalloc,
	[KM_CALL_KMEMDUP] = km_run_kmemdup,
	[KM_CALL_KSTRDUP] = km_run_kmemdup,
	[KM_CALL_MEMDUP_USER] = km_run_kmemdup,
	[KM_CALL_KREALLOC] = km_run_krealloc,
	[KM_CALL_KREALLOC_ARRAY] = km_run_krealloc,
	[KM_CALL_KREALLOC_NODE_ALIGN] = km_run_krealloc,
	[KM_CALL_KFREE] = km_run_free,
	[KM_CALL_KFREE_SENSITIVE] = km_run_free,
	[KM_CALL_KFREE_BULK] = km_run_free_bulk,
	[KM_CALL_KSIZE] = km_run_ksize,
	[KM_CALL_KMALLOC_SIZE_ROUNDUP] = km_run_size_roundup,
	[KM_CALL_KVMALLOC] = km_run_kvmalloc,
	[KM_CALL_KVZALLOC] = km_run_kvmalloc,
	[KM_CALL_KVMALLOC_NODE] = km_run_kvmalloc,
	[KM_CALL_KVCALLOC] = km_run_kvmalloc,
	[KM_CALL_KVMALLOC_ARRAY] = km_run_kvmalloc,
	[KM_CALL_KVREALLOC] = km_run_kvrealloc,
	[KM_CALL_KVFREE] = km_run_free,
	[KM_CALL_KVFREE_SENSITIVE] = km_run_free,
	[KM_CALL_VMALLOC] = km_run_vmalloc,
	[KM_CALL_VZALLOC] = km_run_vmalloc,
	[KM_CALL_VMALLOC_HUGE] = km_run_vmalloc,
	[KM_CALL_VMALLOC_NODE] = km_run_vmalloc,
	[KM_CALL_VZALLOC_NODE] = km_run_vmalloc,
	[KM_CALL_VMALLOC_USER] = km_run_vmalloc,
	[KM_CALL_VMALLOC_32] = km_run_vmalloc,
	[KM_CALL_VMALLOC_32_USER] = km_run_vmalloc,
	[KM_CALL_VMALLOC_GFP] = km_run_vmalloc,
	[KM_CALL_VMALLOC_ALIGN] = km_run_vmalloc,
	[KM_CALL_VREALLOC] = km_run_vrealloc,
	[KM_CALL_VFREE] = km_run_free,
	[KM_CALL_VMAP] = km_run_vmap,
	[KM_CALL_VUNMAP] = km_run_vunmap,
	[KM_CALL_VM_MAP_RAM] = km_run_vmap,
	[KM_CALL_VM_UNMAP_RAM] = km_run_vm_unmap_ram,
	[KM_CALL_VM_UNMAP_ALIASES] = km_run_vm_unmap_aliases,
	[KM_CALL_IOREMAP] = km_run_ioremap,
	[KM_CALL_IOUNMAP] = km_run_vunmap,
	[KM_CALL_CONTEXT] = call_context,
};
/* clang-format on */

int km_run_call(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row)
{
	*row = (struct km_run_row){.call = call, .bytes_alloc = UINT64_MAX};
	run->resized_model = run->resized_kernel = 0;
	run->machine->caller = call->line; /* every line is a call site of its own */
	return functions[call->call](run, call, row);
}
