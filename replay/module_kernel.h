/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel that a module sees: what replay/module_*.c share in the module's process. */
#ifndef REPLAY_MODULE_KERNEL_H
#define REPLAY_MODULE_KERNEL_H

#include <setjmp.h>
#include <stdarg.h>

#include <kmlab/module_abi.h>

#include "replay/addr_map.h"
#include "replay/memory.h"
#include "replay/module.h"

/* What an access to 8 bytes of the machine's memory may do: 1 to 8 leading bytes, or why not. */
#define SHADOW_NONE 0 /* nobody's */
#define SHADOW_FREED 0xfb
#define SHADOW_RED 0xfc /* behind the bytes asked for */

#define POISON_FREE 0x6b
#define POISON_END 0xa5
#define RED_ACTIVE 0xcc

/* An allocation; a freed one is kept until its place is used again. */
struct object {
	uint64_t addr, bytes, capacity;
	const struct kmlab_site *site, *freed_at;
	struct cache *cache;
	enum km_module_kind kind;
	unsigned order;
	unsigned copies; /* of KM_OBJECT_PERCPU: one per CPU, so many bytes apart */
	uint64_t copy_stride;
	bool borrowed; /* an area over pages of somebody else */
	bool compound; /* KM_OBJECT_PAGES of __GFP_COMP: its first page counts for all */
	bool damaged;  /* an access outside of it is reported */
	uint32_t next_unused;
};

struct cache {
	struct cache *next;
	void *handle; /* NULL: destroyed */
	char name[32];
	uint64_t size;
	void (*ctor)(void *);
	struct km_addr_map constructed; /* slabs, by address */
	uint64_t discards;              /* when that was begun */
	const struct kmlab_site *site;  /* NULL: the kernel's own */
};

struct kernel {
	const struct km_module_options *options;
	struct km_module_report *report;
	struct km_env env;
	struct km_machine *machine;
	struct km_memory *memory;
	void (*follow_mapped)(void *, uint64_t, const km_pfn *, uint64_t, bool);
	void (*follow_unmapped)(void *, uint64_t, uint64_t);
	uint8_t *direct_shadow, *vmalloc_shadow;
	uint64_t vmalloc_bytes;
	uint32_t *area_pfns; /* of each page of the vmalloc range */
	char *memory_map;
	struct object *objects; /* entry 0 is unused */
	uint32_t nr_objects, objects_room, unused;
	struct km_addr_map live, freed; /* address -> index */
	struct km_addr_map locks;       /* lock -> site */
	struct km_addr_map owners;      /* lock -> thread */
	struct cache *caches;
	enum km_module_phase phase;
	const struct kmlab_site *last;         /* the latest call of the API */
	const char *base;                      /* where the module's file is loaded */
	const char *percpu_first, *percpu_end; /* its static per-CPU variables */
	uint64_t *shown; /* frames that the file being mapped shows, by page; 0: none */
	unsigned shown_pages;
	/* context */
	unsigned depth[KMLAB_NR_CONTEXTS];
	const struct kmlab_site *entered[KMLAB_NR_CONTEXTS]; /* the latest */
	char in[64];                                         /* "the handler of interrupt 7" */
	/* time */
	uint64_t now_ns, events;
	unsigned long jiffies;
	struct deferred *deferred;
	struct thread *threads, *current;
	struct irq *irqs;
	struct resource *resources;
	struct file_entry *files;
	sigjmp_buf escape; /* where a crash ends */
	bool escapable;
	bool constructing; /* objects that are nobody's yet */
	struct kmlab_api api;
};

extern struct kernel *km_kernel; /* one per process: a module's calls carry no context */

/* module_run.c: machine, memory and API of a kernel with options and report. 0 or -errno. */
int km_module_boot(struct kernel *kernel, struct km_err *err);

/* ---- module_report.c ---- */

/* "file.c:12 function()" */
void km_where(char where[60], const struct kmlab_site *site);
__attribute__((format(printf, 3, 4))) void km_find(enum km_rule rule, const struct kmlab_site *site,
						   const char *format, ...);
/* Of an instruction of the module, or of nothing in particular (0). */
__attribute__((format(printf, 3, 4))) void km_find_at(enum km_rule rule, uint64_t code,
						      const char *format, ...);
struct km_module_call *km_record(const struct kmlab_site *site);
void km_log(int level, const char *text, size_t length);
/* An object of the module's file into its offset there. */
uint64_t km_code(const void *address);

/* ---- module_memory.c: what belongs to whom ---- */

int km_memory_setup(struct kernel *kernel, struct km_err *err);
/* The machine, its memory and the books; a module's process ends without. */
void km_memory_tear_down(struct kernel *kernel);
static inline void *km_host(uint64_t addr)
{
	return addr <= 16 ? (void *)(uintptr_t)addr : km_memory_pointer(km_kernel->memory, addr);
}
/* The machine's address of a pointer of the module; 0: it is none. */
uint64_t km_addr(const void *p);
/* The same, and the memory map's; other values stay. For what is printed. */
uint64_t km_shown(uint64_t value);
struct object *km_object_live(uint64_t addr);
const struct object *km_object_freed(uint64_t addr);
/* The live, else the freed object around addr, or the live one that ends just before it. */
struct object *km_object_near(uint64_t addr);
/* The object is in use now (shadow, contents); NULL without memory. */
struct object *km_object_add(const struct object *object, uint32_t gfp);
void km_object_remove(struct object *object, const struct kmlab_site *site);
void km_object_resize(struct object *object, uint64_t bytes);
/* A live object that has bytes in [addr, addr + bytes), or NULL. */
const struct object *km_object_within(uint64_t addr, uint64_t bytes);
/* Red zones of what is live. */
void km_object_check(const struct object *object);
void km_object_check_all(void);
/* The first byte of [addr, addr + bytes) that nobody may use, or 0. */
uint64_t km_bad_byte(uint64_t addr, uint64_t bytes);
void km_access(const void *p, unsigned long bytes, int write, const void *from);
/* "100 bytes of kmalloc at a.c:12 init()" */
const char *km_object_text(const struct object *object, char text[160]);

/* ---- the API's parts ---- */

void km_api_memory(struct kmlab_api *api);   /* module_alloc.c */
void km_api_pages(struct kmlab_api *api);    /* module_pages.c */
void km_api_cache(struct kmlab_api *api);    /* module_cache.c */
void km_api_text(struct kmlab_api *api);     /* module_print.c */
void km_api_context(struct kmlab_api *api);  /* module_context.c */
void km_api_time(struct kmlab_api *api);     /* module_time.c */
void km_api_resource(struct kmlab_api *api); /* module_resource.c */
void km_api_percpu(struct kmlab_api *api);   /* module_percpu.c */
void km_api_file(struct kmlab_api *api);     /* module_file.c */

/* module_percpu.c: CPU 0's copy of an address in another CPU's; other addresses as they are. */
uint64_t km_percpu_own(uint64_t addr);

/* module_alloc.c, for caches and pages */
void km_check_gfp(const struct kmlab_site *site, uint32_t gfp);
void *km_given(const struct kmlab_site *site, struct object *object, uint32_t gfp);
struct object *km_taken(const struct kmlab_site *site, const void *p, unsigned kinds);
void km_freed(const struct kmlab_site *site, struct object *object);
struct km_module_call *km_free_row(const struct kmlab_site *site, const void *p);

/* module_context.c */
bool km_atomic(void);
/* "an interrupt handler", "spin_lock taken at a.c:12 f() is held" */
const char *km_context_text(char text[160]);
/* What code runs in, while other code runs. */
struct km_running {
	unsigned depth[KMLAB_NR_CONTEXTS];
	char in[sizeof(((struct kernel *)0)->in)];
};
void km_running_save(struct km_running *outer);
void km_running_restore(const struct km_running *outer);
/* Call something of the module in a context; afterwards it is as it was, or that is reported. */
void km_call_in(int context, const char *name, void (*run)(void *), void *argument);
void km_check_left(const char *name, const unsigned before[KMLAB_NR_CONTEXTS]);
void km_might_sleep(const struct kmlab_site *site);

/* module_time.c */
/* Run what is due until then; false: nothing more was. */
bool km_step(uint64_t until_ns);
/* What waits here can go on when something has happened; false: nothing ever will. */
bool km_let_others_run(void);
void km_raise_interrupts(void);
void km_time_leaks(void);

/* module_file.c */
void km_use_files(void);

/* module_resource.c */
void km_resource_leaks(void);

/* module_print.c */
int km_format(char *text, size_t room, const char *format, va_list *args);

#endif
