/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario (.kms): a small program of kernel allocation calls in a text file, with what Linux
 * answered after "->", a start state and an expected end state. Parsed whole before anything runs;
 * every call keeps its line number. The format is described in the project's design and README.
 */
#ifndef REPLAY_SCENARIO_H
#define REPLAY_SCENARIO_H

#include <kmlab/err.h>
#include <kmlab/machine.h>
#include <kmlab/misuse.h>

/*
 * X(constant, name, arguments, what it returns)
 * arguments: c cache, p address, q page, n number, g gfp flags, f slab flags, i node,
 *            s optional name in quotes, t text in quotes, x ignored word, w ignored words, o old
 *            size (before 6.12 only), v array of pointers (left out: named as the result), | the
 * rest may be left out returns:   c cache, a address, p page, b pages in bulk, n number, - nothing
 */
#define KM_SCENARIO_CALLS(X)                                                                       \
	X(KM_CALL_CACHE_CREATE, "kmem_cache_create", "snn|fx", 'c')                                \
	X(KM_CALL_CACHE_CREATE_USERCOPY, "kmem_cache_create_usercopy", "snnfnn|x", 'c')            \
	X(KM_CALL_CACHE_ALLOC, "kmem_cache_alloc", "cg", 'a')                                      \
	X(KM_CALL_CACHE_ZALLOC, "kmem_cache_zalloc", "cg", 'a')                                    \
	X(KM_CALL_CACHE_ALLOC_NODE, "kmem_cache_alloc_node", "cgi", 'a')                           \
	X(KM_CALL_CACHE_FREE, "kmem_cache_free", "cp", '-')                                        \
	X(KM_CALL_CACHE_ALLOC_BULK, "kmem_cache_alloc_bulk", "cgnv", 'n')                          \
	X(KM_CALL_CACHE_FREE_BULK, "kmem_cache_free_bulk", "cnv", '-')                             \
	X(KM_CALL_CACHE_SHRINK, "kmem_cache_shrink", "c", '-')                                     \
	X(KM_CALL_CACHE_DESTROY, "kmem_cache_destroy", "c", '-')                                   \
	X(KM_CALL_CACHE_SIZE, "kmem_cache_size", "c", 'n')                                         \
	X(KM_CALL_ALLOC_PAGES, "alloc_pages", "gn", 'p')                                           \
	X(KM_CALL_ALLOC_PAGE, "alloc_page", "g", 'p')                                              \
	X(KM_CALL_GET_FREE_PAGES, "__get_free_pages", "gn", 'a')                                   \
	X(KM_CALL_GET_FREE_PAGE, "__get_free_page", "g", 'a')                                      \
	X(KM_CALL_GET_ZEROED_PAGE, "get_zeroed_page", "g", 'a')                                    \
	X(KM_CALL_ALLOC_PAGES_EXACT, "alloc_pages_exact", "ng", 'a')                               \
	X(KM_CALL_ALLOC_PAGES_BULK, "alloc_pages_bulk", "gn|v", 'b')                               \
	X(KM_CALL_ALLOC_PAGES_BULK_ARRAY, "alloc_pages_bulk_array", "gn|v", 'b')                   \
	X(KM_CALL_SPLIT_PAGE, "split_page", "qn", '-')                                             \
	X(KM_CALL_FREE_PAGES_EXACT, "free_pages_exact", "pn", '-')                                 \
	X(KM_CALL_FREE_PAGES_PAGE, "__free_pages", "qn", '-')                                      \
	X(KM_CALL_FREE_PAGE_PAGE, "__free_page", "q", '-')                                         \
	X(KM_CALL_FREE_PAGES, "free_pages", "pn", '-')                                             \
	X(KM_CALL_FREE_PAGE, "free_page", "p", '-')                                                \
	X(KM_CALL_KMALLOC, "kmalloc", "ng", 'a')                                                   \
	X(KM_CALL_KZALLOC, "kzalloc", "ng", 'a')                                                   \
	X(KM_CALL_KMALLOC_NODE, "kmalloc_node", "ngi", 'a')                                        \
	X(KM_CALL_KZALLOC_NODE, "kzalloc_node", "ngi", 'a')                                        \
	X(KM_CALL_KCALLOC, "kcalloc", "nng", 'a')                                                  \
	X(KM_CALL_KCALLOC_NODE, "kcalloc_node", "nngi", 'a')                                       \
	X(KM_CALL_KMALLOC_ARRAY, "kmalloc_array", "nng", 'a')                                      \
	X(KM_CALL_KMALLOC_ARRAY_NODE, "kmalloc_array_node", "nngi", 'a')                           \
	X(KM_CALL_KMEMDUP, "kmemdup", "png", 'a')                                                  \
	X(KM_CALL_KSTRDUP, "kstrdup", "tg", 'a')                                                   \
	X(KM_CALL_MEMDUP_USER, "memdup_user", "pn", 'a')                                           \
	X(KM_CALL_KREALLOC, "krealloc", "png", 'a')                                                \
	X(KM_CALL_KREALLOC_ARRAY, "krealloc_array", "pnng", 'a')                                   \
	X(KM_CALL_KREALLOC_NODE_ALIGN, "krealloc_node_align", "pnngi", 'a')                        \
	X(KM_CALL_KFREE, "kfree", "p", '-')                                                        \
	X(KM_CALL_KFREE_SENSITIVE, "kfree_sensitive", "p", '-')                                    \
	X(KM_CALL_KFREE_BULK, "kfree_bulk", "nv", '-')                                             \
	X(KM_CALL_KSIZE, "ksize", "p", 'n')                                                        \
	X(KM_CALL_KMALLOC_SIZE_ROUNDUP, "kmalloc_size_roundup", "n", 'n')                          \
	X(KM_CALL_KVMALLOC, "kvmalloc", "ng", 'a')                                                 \
	X(KM_CALL_KVZALLOC, "kvzalloc", "ng", 'a')                                                 \
	X(KM_CALL_KVMALLOC_NODE, "kvmalloc_node", "ngi", 'a')                                      \
	X(KM_CALL_KVCALLOC, "kvcalloc", "nng", 'a')                                                \
	X(KM_CALL_KVMALLOC_ARRAY, "kvmalloc_array", "nng", 'a')                                    \
	X(KM_CALL_KVREALLOC, "kvrealloc", "pong", 'a')                                             \
	X(KM_CALL_KVFREE, "kvfree", "p", '-')                                                      \
	X(KM_CALL_KVFREE_SENSITIVE, "kvfree_sensitive", "pn", '-')                                 \
	X(KM_CALL_VMALLOC, "vmalloc", "n", 'a')                                                    \
	X(KM_CALL_VZALLOC, "vzalloc", "n", 'a')                                                    \
	X(KM_CALL_VMALLOC_HUGE, "vmalloc_huge", "ng", 'a')                                         \
	X(KM_CALL_VMALLOC_NODE, "vmalloc_node", "ni", 'a')                                         \
	X(KM_CALL_VZALLOC_NODE, "vzalloc_node", "ni", 'a')                                         \
	X(KM_CALL_VMALLOC_USER, "vmalloc_user", "n", 'a')                                          \
	X(KM_CALL_VMALLOC_32, "vmalloc_32", "n", 'a')                                              \
	X(KM_CALL_VMALLOC_32_USER, "vmalloc_32_user", "n", 'a')                                    \
	X(KM_CALL_VMALLOC_GFP, "__vmalloc", "ng", 'a')                                             \
	X(KM_CALL_VMALLOC_ALIGN, "__vmalloc_node", "nng|iw", 'a')                                  \
	X(KM_CALL_VREALLOC, "vrealloc", "png", 'a')                                                \
	X(KM_CALL_VFREE, "vfree", "p", '-')                                                        \
	X(KM_CALL_VMAP, "vmap", "pn|ww", 'a')                                                      \
	X(KM_CALL_VUNMAP, "vunmap", "p", '-')                                                      \
	X(KM_CALL_VM_MAP_RAM, "vm_map_ram", "pn|i", 'a')                                           \
	X(KM_CALL_VM_UNMAP_RAM, "vm_unmap_ram", "pn", '-')                                         \
	X(KM_CALL_VM_UNMAP_ALIASES, "vm_unmap_aliases", "", '-')                                   \
	X(KM_CALL_IOREMAP, "ioremap", "nn", 'a')                                                   \
	X(KM_CALL_IOUNMAP, "iounmap", "p", '-')                                                    \
	X(KM_CALL_CONTEXT, "context", "", '-')

enum km_call {
#define X(constant, name, arguments, returns) constant,
	KM_SCENARIO_CALLS(X)
#undef X
		KM_NR_CALLS
};

/* What the following calls run in: "context NAME". */
enum km_context { KM_IN_PROCESS, KM_IN_ATOMIC, KM_IN_SOFTIRQ, KM_IN_INTERRUPT, KM_NR_CONTEXTS };

#define KM_CALL_MAX_ARGS 5
#define KM_BULK_MAX 4096u /* pointers of one array */
#define KM_NO_VARIABLE UINT32_MAX

/* A number, or the value a variable has when the call runs and the number of bytes behind it. */
struct km_scenario_arg {
	uint64_t number;
	uint32_t variable; /* index into names, or KM_NO_VARIABLE */
};

enum km_want { KM_WANT_NOTHING, KM_WANT_NUMBER, KM_WANT_PFN, KM_WANT_NULL };

struct km_scenario_call {
	unsigned line, cpu;
	enum km_call call;
	uint32_t target; /* variable that takes the result, or KM_NO_VARIABLE */
	/* In the order of the call's own argument letters; 0 where left out. `s`, `t` and `x` have
	 * none. `v` is the first of as many variables as the number before it says.
	 * KM_CALL_CONTEXT: args[0] is enum km_context. */
	struct km_scenario_arg args[KM_CALL_MAX_ARGS];
	char *label; /* kmem_cache_create("name", …), kstrdup("text", …), or NULL */
	enum km_want want;
	uint64_t want_value; /* address, pfn or number */
	/* "lazy A B": vmalloc pages that waited for a purge before and after the call. */
	bool has_lazy;
	uint64_t lazy_before, lazy_after;
	uint16_t *flushed; /* a shrink: "flushed CPU…", in which order it flushed them; or NULL */
	uint32_t nr_flushed;
	uint32_t *want_pfns; /* KM_WANT_PFN in bulk: all of them; else NULL */
	uint32_t nr_want_pfns;
};

struct km_scenario_line {
	unsigned line;
	char *text; /* without the newline */
};

struct km_scenario_block {
	struct km_scenario_line *lines;
	size_t count;
	bool present;
};

struct km_scenario {
	char *path; /* for messages */
	/* From the machine line and the zones of the state block; model is left NULL. */
	struct km_machine_spec spec;
	struct km_scenario_call *calls;
	size_t nr_calls;
	char **names; /* variables, in order of appearance */
	size_t nr_names;
	struct km_scenario_block state, expect;
};

/* Read all of `path` ("-": standard input). 0 or -errno with a sentence that has the line. */
int km_scenario_load(const char *path, struct km_scenario *scenario, struct km_err *err);
/* The same from memory; `text` is modified. */
int km_scenario_parse(const char *path, char *text, struct km_scenario *scenario,
		      struct km_err *err);
void km_scenario_free(struct km_scenario *scenario);

const char *km_call_name(enum km_call call);
bool km_call_returns_number(enum km_call call);

/* ---- flags by name (scenario_flags.c) ---- */

/* Bits of one name; false if unknown. GFP_ATOMIC has __GFP_ATOMIC where the profile knows it. */
bool km_scenario_gfp(const char *name, const struct km_profile *profile, uint64_t *bits);
/* KM_SLAB_* of one SLAB_… name, or of a number with the kernel's own bits. */
bool km_scenario_slab_flag(const char *name, uint64_t *bits);
uint64_t km_scenario_slab_flags_from_kernel(uint64_t kernel_bits);

#endif
