/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between a module compiled against engine/kernel-api and the runner that loads it: a table of
 * functions of the simulated kernel. Both sides are built from one tree; nothing here is stable.
 * Plain C types only, because the module is compiled without any system header.
 */
#ifndef KMLAB_MODULE_ABI_H
#define KMLAB_MODULE_ABI_H

/* Where a call stands in the module's source. */
struct kmlab_site {
	const char *call, *function, *file;
	unsigned int line;
};

/* What makes a context atomic; each nests. */
enum kmlab_context {
	KMLAB_HARDIRQ,
	KMLAB_SOFTIRQ,
	KMLAB_SPINLOCK,
	KMLAB_IRQS_OFF,
	KMLAB_BH_OFF,
	KMLAB_PREEMPT_OFF,
	KMLAB_RCU,
	KMLAB_MUTEX, /* may sleep: only its pairing is watched */
	KMLAB_NR_CONTEXTS
};

/* Work that runs later, by what it runs in. */
enum kmlab_deferred { KMLAB_TASKLET, KMLAB_TIMER, KMLAB_HRTIMER, KMLAB_WORK, KMLAB_RCU_CALLBACK };

/* What a module must give back besides memory. */
enum kmlab_resource {
	KMLAB_RES_CHRDEV,
	KMLAB_RES_CDEV,
	KMLAB_RES_MISC,
	KMLAB_RES_CLASS,
	KMLAB_RES_DEVICE,
	KMLAB_RES_PROC,
	KMLAB_RES_DEBUGFS,
	KMLAB_RES_SYSFS,
	KMLAB_RES_WORKQUEUE,
	KMLAB_RES_REGION,
	KMLAB_RES_DRIVER,
	KMLAB_RES_KOBJECT,
	KMLAB_RES_NOTIFIER,
	KMLAB_RES_GPIO,
	KMLAB_NR_RESOURCES
};

/* What a page is a part of: nothing that has a head; a block that has no references but its first
 * page's; one whose pages all count on the first. */
enum kmlab_block { KMLAB_BLOCK_NONE, KMLAB_BLOCK_PLAIN, KMLAB_BLOCK_COMPOUND };

/* What only the headers see. */
enum kmlab_fault { KMLAB_FAULT_CHECK, KMLAB_FAULT_REFERENCE, KMLAB_FAULT_ARGUMENT };

/* How the runner uses a file that the module registered. */
struct kmlab_file {
	const char *name;
	int (*open)(void *context, void **file);
	long (*read)(void *file, char *buffer, unsigned long bytes);
	long (*write)(void *file, const char *buffer, unsigned long bytes);
	void (*release)(void *file);
	/* As mmap() of so many bytes from the file's beginning does; NULL: it cannot be mapped. */
	int (*map)(void *file, unsigned long bytes);
	/* The frame of a page that `map` did not map, or -errno; -ENOSYS: nobody is asked. */
	long (*page_fault)(void *file, unsigned long page);
	void (*unmap)(void *file);
	void *context;
	int gives_back; /* what is written is what was read: `echo $(cat F) > F` */
};

/* module_param(): a list that constructors of the module build. */
struct kmlab_param {
	struct kmlab_param *next;
	const char *name, *type, *description;
	void *value;
	unsigned int room, *count; /* of an array: elements, and where their number goes */
	unsigned int size;         /* of one element, bytes */
	/* instead of a type; 0 or -errno */
	int (*set)(const struct kmlab_param *param, const char *text);
};

struct kmlab_modinfo {
	struct kmlab_modinfo *next;
	const char *tag, *text;
};

struct kmlab_api {
	/* kmalloc and kvmalloc families; zeroing is __GFP_ZERO */
	void *(*do_kmalloc)(const struct kmlab_site *site, unsigned long bytes, unsigned int gfp,
			    int node);
	void *(*do_memdup_user)(const struct kmlab_site *site, unsigned long bytes,
				unsigned int gfp);
	void *(*do_krealloc)(const struct kmlab_site *site, const void *p, unsigned long bytes,
			     unsigned long align, unsigned int gfp, int node);
	void (*do_kfree)(const struct kmlab_site *site, const void *p, int sensitive);
	unsigned long (*do_ksize)(const struct kmlab_site *site, const void *p);
	unsigned long (*size_roundup)(unsigned long bytes);
	void *(*do_kvmalloc)(const struct kmlab_site *site, unsigned long bytes, unsigned int gfp,
			     int node);
	void *(*do_kvrealloc)(const struct kmlab_site *site, const void *p, unsigned long old_bytes,
			      unsigned long bytes, unsigned int gfp);
	void (*do_kvfree)(const struct kmlab_site *site, const void *p, int sensitive);
	/* vmalloc */
	void *(*do_vmalloc)(const struct kmlab_site *site, unsigned long bytes, unsigned long align,
			    unsigned int gfp, int huge);
	void (*do_vfree)(const struct kmlab_site *site, const void *p);
	void *(*do_vmap)(const struct kmlab_site *site, const unsigned long *pfns,
			 unsigned int count);
	unsigned long (*vmalloc_pfn)(const void *p);
	/* pages, by their address in the direct map */
	unsigned long (*do_alloc_pages)(const struct kmlab_site *site, unsigned int gfp,
					unsigned int order);
	void (*do_free_pages)(const struct kmlab_site *site, unsigned long addr,
			      unsigned int order);
	/* all but the first page, which somebody still refers to */
	void (*do_free_rest)(const struct kmlab_site *site, unsigned long addr, unsigned int order);
	void (*do_split_page)(const struct kmlab_site *site, unsigned long addr,
			      unsigned int order);
	/* enum kmlab_block of a page, by its address; head and order unless it is NONE */
	int (*page_block)(const void *p, unsigned long *head, unsigned int *order);
	void *(*do_alloc_pages_exact)(const struct kmlab_site *site, unsigned long bytes,
				      unsigned int gfp);
	void (*do_free_pages_exact)(const struct kmlab_site *site, void *p, unsigned long bytes);
	/* one copy per CPU, in chunks of the kernel's own; percpu_copy also of static variables */
	void *(*percpu_alloc)(const struct kmlab_site *site, unsigned long bytes,
			      unsigned long align, unsigned int gfp);
	void (*percpu_free)(const struct kmlab_site *site, const void *p);
	void *(*percpu_copy)(const void *p, unsigned int cpu);
	/* Frames that a process is shown at pages [first, first + count) of the file being mapped.
	 */
	void (*show_frames)(const struct kmlab_site *site, unsigned long first, unsigned long pfn,
			    unsigned long count);
	/* caches; `flags` are SLAB_* of linux/slab.h */
	void *(*cache_create)(const struct kmlab_site *site, const char *name, unsigned long size,
			      unsigned long align, unsigned long flags, void (*ctor)(void *));
	/* One of the kernel's own, by its name; made at the first call. NULL without memory. */
	void *(*kernel_cache)(const char *name, unsigned long size, unsigned long flags);
	void (*cache_destroy)(const struct kmlab_site *site, void *cache);
	void *(*cache_alloc)(const struct kmlab_site *site, void *cache, unsigned int gfp,
			     int node);
	void (*cache_free)(const struct kmlab_site *site, void *cache, const void *p);
	int (*cache_alloc_bulk)(const struct kmlab_site *site, void *cache, unsigned int gfp,
				unsigned long count, void **objects);
	void (*cache_free_bulk)(const struct kmlab_site *site, void *cache, unsigned long count,
				void **objects);
	void (*cache_shrink)(const struct kmlab_site *site, void *cache);
	unsigned int (*cache_size)(const void *cache);
	/* text; formats are the kernel's own, `args` is a va_list * */
	int (*vprintk)(const char *format, void *args);
	int (*vsnprintf)(char *text, unsigned long room, const char *format, void *args);
	/* context */
	void (*enter)(const struct kmlab_site *site, enum kmlab_context kind, const void *lock);
	void (*leave)(const struct kmlab_site *site, enum kmlab_context kind, const void *lock);
	unsigned int (*context)(enum kmlab_context kind); /* depth */
	int (*locked)(const void *lock);
	void (*do_might_sleep)(const struct kmlab_site *site);
	/* time passes; whatever is due meanwhile runs. interruptible: a wake-up ends it early */
	void (*sleep)(const struct kmlab_site *site, unsigned long long ns, int interruptible);
	/* until something has happened; 0: nothing ever will */
	int (*wait)(const struct kmlab_site *site);
	unsigned long long (*now_ns)(void);
	/* later; 0: it was pending already (a timer is moved) */
	int (*defer)(const struct kmlab_site *site, enum kmlab_deferred kind, void *object,
		     void (*run)(void *object), unsigned long long delay_ns);
	int (*cancel)(enum kmlab_deferred kind, const void *object); /* was it pending? */
	int (*pending)(enum kmlab_deferred kind, const void *object);
	void (*flush)(const struct kmlab_site *site, const void *object); /* NULL: all work */
	/* interrupts, threads */
	int (*do_request_irq)(const struct kmlab_site *site, unsigned int irq,
			      int (*handler)(int, void *), int (*thread)(int, void *),
			      unsigned long flags, const char *name, void *device);
	const void *(*do_free_irq)(const struct kmlab_site *site, unsigned int irq, void *device);
	void *(*thread_create)(const struct kmlab_site *site, int (*run)(void *), void *data,
			       const char *name);
	int (*thread_stop)(const struct kmlab_site *site, void *thread);
	int (*thread_wake)(void *thread);
	int (*thread_should_stop)(void);
	void (*thread_exit)(int result); /* does not return in a thread */
	void *(*thread_self)(void);      /* NULL: not in a thread of the module */
	/* other things to be given back */
	void (*hold)(const struct kmlab_site *site, enum kmlab_resource kind, const void *key,
		     const char *name);
	int (*give_back)(const struct kmlab_site *site, enum kmlab_resource kind, const void *key);
	void (*add_file)(const struct kmlab_file *file);
	void (*remove_file)(const void *context);
	/* what goes wrong */
	void (*bug)(const struct kmlab_site *site, const char *what, int fatal);
	__attribute__((format(printf, 3, 4))) void (*complain)(const struct kmlab_site *site,
							       enum kmlab_fault fault,
							       const char *format, ...);
	/* Is the memory at p still somebody's? Else that is reported. `name` is of what lay there.
	 */
	int (*in_use)(const struct kmlab_site *site, const void *p, const char *name);
	/* Zeroed memory of the runner's, for records of the headers; not the machine's. */
	void *(*own_memory)(unsigned long bytes);
	void (*access)(const void *p, unsigned long bytes, int write, const void *from);
	unsigned long long (*random)(void);
	/* A parameter's text into a variable of a type of module_param(); 0 or -EINVAL. */
	int (*param_value)(const char *text, const char *type, void *value, unsigned int bytes);
	/* the two mappings, as the module sees them */
	char *direct_map, *vmalloc_area;
	unsigned long direct_bytes, vmalloc_bytes;
	char *memory_map; /* struct page, 64 bytes each */
	unsigned long max_pfn;
	unsigned long *jiffies;
	unsigned int cpus, page_zeroed;
};

#endif
