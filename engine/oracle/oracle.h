/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the kernel module kmlab_oracle, which executes a scenario (.kms) inside the kernel
 * it is loaded into. Declared with C types only: the header compiles outside of a kernel, too.
 */
#ifndef KMLAB_ORACLE_H
#define KMLAB_ORACLE_H

/* ---- text.c: what is told, in memory that was taken before anything is executed ---- */

struct oracle_text {
	char *bytes;
	unsigned long used, room; /* used == room: something was cut off */
};
__attribute__((format(printf, 2, 3))) void oracle_print(struct oracle_text *text,
							const char *format, ...);

/* ---- program.c: the calls of a scenario ---- */

#define ORACLE_ARGS 5
#define ORACLE_NO_VARIABLE (~0u)

/*
 * X(constant, name, arguments, result, does it sleep)
 * arguments: v as many variables as the number before it says, c cache, p address, q page, n
 * number, g gfp flags, f slab flags, i node, x constructor, w ignored words, s name in quotes, o
 * old size (before 6.12 only), r array of as many pages as the number before it says (left out:
 * named as the result), | the rest may be left out result:    c cache, a address, p page, b pages
 * in bulk, n number, - nothing
 */
#define ORACLE_CALLS(X)                                                                            \
	X(CALL_CACHE_CREATE, "kmem_cache_create", "snn|fx", 'c', 0)                                \
	X(CALL_CACHE_ALLOC, "kmem_cache_alloc", "cg", 'a', 0)                                      \
	X(CALL_CACHE_ZALLOC, "kmem_cache_zalloc", "cg", 'a', 0)                                    \
	X(CALL_CACHE_ALLOC_NODE, "kmem_cache_alloc_node", "cgi", 'a', 0)                           \
	X(CALL_CACHE_FREE, "kmem_cache_free", "cp", '-', 0)                                        \
	X(CALL_CACHE_ALLOC_BULK, "kmem_cache_alloc_bulk", "cgnv", 'n', 1)                          \
	X(CALL_CACHE_FREE_BULK, "kmem_cache_free_bulk", "cnv", '-', 1)                             \
	X(CALL_CACHE_SHRINK, "kmem_cache_shrink", "c", '-', 1)                                     \
	X(CALL_ALLOC_PAGES, "alloc_pages", "gn", 'p', 0)                                           \
	X(CALL_ALLOC_PAGE, "alloc_page", "g", 'p', 0)                                              \
	X(CALL_GET_FREE_PAGES, "__get_free_pages", "gn", 'a', 0)                                   \
	X(CALL_GET_FREE_PAGE, "__get_free_page", "g", 'a', 0)                                      \
	X(CALL_GET_ZEROED_PAGE, "get_zeroed_page", "g", 'a', 0)                                    \
	X(CALL_ALLOC_PAGES_EXACT, "alloc_pages_exact", "ng", 'a', 0)                               \
	X(CALL_ALLOC_PAGES_BULK, "alloc_pages_bulk", "gn|r", 'b', 0)                               \
	X(CALL_ALLOC_PAGES_BULK_ARRAY, "alloc_pages_bulk_array", "gn|r", 'b', 0)                   \
	X(CALL_SPLIT_PAGE, "split_page", "qn", '-', 0)                                             \
	X(CALL_FREE_PAGES_EXACT, "free_pages_exact", "pn", '-', 0)                                 \
	X(CALL_FREE_PAGES_PAGE, "__free_pages", "qn", '-', 0)                                      \
	X(CALL_FREE_PAGE_PAGE, "__free_page", "q", '-', 0)                                         \
	X(CALL_FREE_PAGES, "free_pages", "pn", '-', 0)                                             \
	X(CALL_FREE_PAGE, "free_page", "p", '-', 0)                                                \
	X(CALL_KMALLOC, "kmalloc", "ng", 'a', 0)                                                   \
	X(CALL_KZALLOC, "kzalloc", "ng", 'a', 0)                                                   \
	X(CALL_KMALLOC_NODE, "kmalloc_node", "ngi", 'a', 0)                                        \
	X(CALL_KCALLOC, "kcalloc", "nng", 'a', 0)                                                  \
	X(CALL_KMALLOC_ARRAY, "kmalloc_array", "nng", 'a', 0)                                      \
	X(CALL_KREALLOC, "krealloc", "png", 'a', 0)                                                \
	X(CALL_KREALLOC_ARRAY, "krealloc_array", "pnng", 'a', 0)                                   \
	X(CALL_KFREE, "kfree", "p", '-', 0)                                                        \
	X(CALL_KFREE_SENSITIVE, "kfree_sensitive", "p", '-', 0)                                    \
	X(CALL_KSIZE, "ksize", "p", 'n', 0)                                                        \
	X(CALL_KMALLOC_SIZE_ROUNDUP, "kmalloc_size_roundup", "n", 'n', 0)                          \
	X(CALL_KVMALLOC, "kvmalloc", "ng", 'a', 1)                                                 \
	X(CALL_KVZALLOC, "kvzalloc", "ng", 'a', 1)                                                 \
	X(CALL_KVCALLOC, "kvcalloc", "nng", 'a', 1)                                                \
	X(CALL_KVREALLOC, "kvrealloc", "pong", 'a', 1)                                             \
	X(CALL_KVFREE, "kvfree", "p", '-', 1)                                                      \
	X(CALL_VMALLOC, "vmalloc", "n", 'a', 1)                                                    \
	X(CALL_VZALLOC, "vzalloc", "n", 'a', 1)                                                    \
	X(CALL_VFREE, "vfree", "p", '-', 1)                                                        \
	X(CALL_VMALLOC_HUGE, "vmalloc_huge", "ng", 'a', 1)                                         \
	X(CALL_VMALLOC_USER, "vmalloc_user", "n", 'a', 1)                                          \
	X(CALL_VMALLOC_32, "vmalloc_32", "n", 'a', 1)                                              \
	X(CALL_VMALLOC_NODE, "vmalloc_node", "ni", 'a', 1)                                         \
	X(CALL_VMALLOC_ALIGN, "__vmalloc_node", "nng|iw", 'a', 1)                                  \
	X(CALL_VREALLOC, "vrealloc", "png", 'a', 1)                                                \
	X(CALL_VMAP, "vmap", "pn|ww", 'a', 1)                                                      \
	X(CALL_VUNMAP, "vunmap", "p", '-', 1)                                                      \
	X(CALL_VM_MAP_RAM, "vm_map_ram", "pn|i", 'a', 1)                                           \
	X(CALL_VM_UNMAP_RAM, "vm_unmap_ram", "pn", '-', 1)                                         \
	X(CALL_VM_UNMAP_ALIASES, "vm_unmap_aliases", "", '-', 1)                                   \
	X(CALL_IOREMAP, "ioremap", "nn", 'a', 1)                                                   \
	X(CALL_IOUNMAP, "iounmap", "p", '-', 1)

enum oracle_kind {
#define X(constant, name, arguments, result, sleeps) constant,
	ORACLE_CALLS(X)
#undef X
		ORACLE_NR_CALLS
};

#define ORACLE_BULK_MAX 512u
#define ORACLE_CPUS_MAX 64u /* of a machine whose programs shrink caches */

/* A number, or the value its variable has when the call runs and the number added to it. */
struct oracle_arg {
	unsigned long long number;
	unsigned int variable;
};

struct oracle_call {
	const char *text; /* "name = call(arguments) @CPU", without what followed "->" */
	enum oracle_kind kind;
	unsigned int cpu, target; /* variable that takes the result */
	struct oracle_arg args[ORACLE_ARGS];
	unsigned long long result; /* a page by its address; in bulk: how many there are now */
	long lazy[2];              /* vmalloc pages that waited for a purge before and after */
	unsigned long *filled;     /* in bulk: their addresses, 0 where there was one before */
	unsigned char *flushed;    /* a shrink: the CPUs it flushed, in that order */
	unsigned int nr_flushed;
};

struct oracle_program {
	struct oracle_call *calls;
	unsigned int count;
	char **names; /* variables */
	unsigned int *by_hash, hash_mask;
	unsigned int nr_names;
	unsigned long long *values; /* of the variables: addresses, or caches */
	const char *memory, *memcg; /* of the machine line; NULL: not said */
	int sleeps;                 /* some call may sleep */
	int shrinks;
	int has_pages, has_areas; /* calls whose state is shown */
	int only_caches;          /* no other calls: what the slab layer does for itself is shown */
};

/* flags.c: the bits of a gfp flag, or else of a slab flag. 0, or -EINVAL: no such name. */
int oracle_flag(int gfp, const char *word, unsigned long length, unsigned long long *bits);

/* The bits, by the names of single ones: __GFP_ZERO|__GFP_COMP. */
void oracle_print_gfp(struct oracle_text *text, unsigned long long gfp);

/* Reads `source`, a NUL-terminated text which it changes and refers to. 0 or -errno, with a line in
 * the kernel's log. */
int oracle_parse(struct oracle_program *program, char *source);
void oracle_program_free(struct oracle_program *program);
/* Where something else may run meanwhile the kernel's pages are not determined: not told then. */
void oracle_print_call(struct oracle_text *text, const struct oracle_program *program,
		       const struct oracle_call *call);

/* ---- mappings.c: calls of mm/vmalloc.c and ioremap ---- */

/* Room for the pages of the largest vmap. 0 or -ENOMEM. */
int oracle_mappings_init(void);
void oracle_mappings_exit(void);
/* What an earlier program left in blocks of vm_map_ram and in pools goes back. */
void oracle_mappings_settle(void);
unsigned long long oracle_mappings_call(const struct oracle_program *program,
					const struct oracle_call *call);

/* The value of a call's argument when it runs. */
unsigned long long oracle_value(const struct oracle_program *program,
				const struct oracle_call *call, unsigned int i);

/* ---- flushes.c: the order in which a shrink flushes the CPUs ---- */

/* Between the two, where the kernel has a probe at its workers. 0 or -errno, with a line in the
 * log. */
int oracle_flushes_init(void);
void oracle_flushes_exit(void);
/* Around a shrink: `cpus` gets those whose worker did something; how many. */
void oracle_flushes_begin(unsigned char cpus[ORACLE_CPUS_MAX]);
unsigned int oracle_flushes_end(void);

/* ---- page_calls.c: calls of the page allocator, and who holds what ---- */

int oracle_pages_init(struct oracle_program *program);
void oracle_pages_exit(void);
unsigned long long oracle_page_call(struct oracle_program *program, struct oracle_call *call);
/* What the program left behind may be all there is, and telling takes some. */
void oracle_pages_give_back(struct oracle_program *program);

/* ---- own.c: what the slab layer allocates for itself ---- */

int oracle_own_init(void);
void oracle_own_exit(void);
/* From now on, or no longer, what this task does is a call of the program. */
void oracle_own_watch(int on);
/* Before a call of a program of caches only: others see what pages it takes. */
void oracle_own_warm(void);
/* Lines "own BYTES FLAGS COUNT" for its kmallocs; "own kfree COUNT" if no call of the program
 * slept. */
void oracle_print_own(struct oracle_text *text, int sleeps);

/* ---- pages.c, areas.c: the state of the machine, as replay/state_text.c reads it ---- */

void oracle_print_pages(struct oracle_text *text);
void oracle_print_areas(struct oracle_text *text);
/* Pages of freed areas that wait for a purge. */
long oracle_lazy_pages(void);
/* Until the worker that purges has nothing to do: on several CPUs it would run beside the calls. */
void oracle_wait_for_purge(void);

#endif
