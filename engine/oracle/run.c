/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab_oracle: executes a scenario inside the kernel and tells what it returned.
 *
 *	insmod kmlab_oracle.ko program=/path/to/program.kms
 *	cat /sys/kernel/debug/kmlab_oracle/answer
 *
 * Caches are created first. The other calls run one after another, each on its CPU, while every CPU
 * is held with interrupts off (stop_machine), so that nothing else allocates; the states before and
 * after are taken at the same instants. Calls that may sleep (vmalloc, shrink) cannot run so: a
 * program with one of them runs as a task that moves from CPU to CPU, on a machine that is idle.
 * Everything this needs itself is allocated before the first state is taken; of what the program
 * leaves behind only pages are given back, so that programs of pages can follow one another.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/kernel_read_file.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/utsname.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "oracle.h"

static char *program;
module_param(program, charp, 0);

static struct oracle_program parsed;
static struct oracle_text before, after, answer;
static int turn = -1; /* the call to execute next; -1: the state is not taken yet */

/* ---- calls ---- */

static void constructor(void *object)
{
}

static void create_cache(struct oracle_call *call)
{
	const char *name = kasprintf(GFP_KERNEL, "kmlab-%s", parsed.names[call->target]);
	struct kmem_cache *cache =
		kmem_cache_create(name, call->args[0].number, call->args[1].number,
				  call->args[2].number, call->args[3].number ? constructor : NULL);

	call->result = (unsigned long)cache;
	parsed.values[call->target] = call->result;
}

static unsigned long long arg(const struct oracle_call *call, unsigned int i)
{
	return oracle_value(&parsed, call, i);
}

/* Values and pointers are of one size on the 64-bit machines this is for. */
static void **elements(const struct oracle_arg *array)
{
	BUILD_BUG_ON(sizeof(*parsed.values) != sizeof(void *));
	return (void **)&parsed.values[array->variable];
}

/* What was freed is in use no more. */
static void forget(const struct oracle_arg *first, unsigned int n)
{
	if (first->variable != ORACLE_NO_VARIABLE)
		memset(&parsed.values[first->variable], 0, n * sizeof(*parsed.values));
}

static void shrink(struct oracle_call *call, struct kmem_cache *cache)
{
	oracle_flushes_begin(call->flushed);
	kmem_cache_shrink(cache);
	call->nr_flushed = oracle_flushes_end();
}

static unsigned long long slab_call(struct oracle_call *call)
{
	struct kmem_cache *cache = (void *)arg(call, 0);

	switch (call->kind) {
	case CALL_CACHE_ALLOC:
		return (unsigned long)kmem_cache_alloc(cache, arg(call, 1));
	case CALL_CACHE_ZALLOC:
		return (unsigned long)kmem_cache_zalloc(cache, arg(call, 1));
	case CALL_CACHE_ALLOC_NODE:
		return (unsigned long)kmem_cache_alloc_node(cache, arg(call, 1), arg(call, 2));
	case CALL_CACHE_FREE:
		kmem_cache_free(cache, (void *)arg(call, 1));
		forget(&call->args[1], 1);
		return 0;
	case CALL_CACHE_ALLOC_BULK: /* 7.x says only whether */
		return kmem_cache_alloc_bulk(cache, arg(call, 1), arg(call, 2),
					     elements(&call->args[3]))
			       ? arg(call, 2)
			       : 0;
	case CALL_CACHE_FREE_BULK:
		kmem_cache_free_bulk(cache, arg(call, 1), elements(&call->args[2]));
		forget(&call->args[2], arg(call, 1));
		return 0;
	case CALL_CACHE_SHRINK:
		shrink(call, cache);
		return 0;
	default: /* created before */
		return call->result;
	}
}

static unsigned long long kmalloc_call(const struct oracle_call *call)
{
	switch (call->kind) {
	case CALL_KMALLOC:
		return (unsigned long)kmalloc(arg(call, 0), arg(call, 1));
	case CALL_KZALLOC:
		return (unsigned long)kzalloc(arg(call, 0), arg(call, 1));
	case CALL_KMALLOC_NODE:
		return (unsigned long)kmalloc_node(arg(call, 0), arg(call, 1), arg(call, 2));
	case CALL_KCALLOC:
		return (unsigned long)kcalloc(arg(call, 0), arg(call, 1), arg(call, 2));
	case CALL_KMALLOC_ARRAY:
		return (unsigned long)kmalloc_array(arg(call, 0), arg(call, 1), arg(call, 2));
	case CALL_KREALLOC:
		return (unsigned long)krealloc((void *)arg(call, 0), arg(call, 1), arg(call, 2));
	case CALL_KREALLOC_ARRAY:
		return (unsigned long)krealloc_array((void *)arg(call, 0), arg(call, 1),
						     arg(call, 2), arg(call, 3));
	case CALL_KSIZE:
		return ksize((void *)arg(call, 0));
	case CALL_KMALLOC_SIZE_ROUNDUP:
		return kmalloc_size_roundup(arg(call, 0));
	case CALL_KFREE_SENSITIVE:
		kfree_sensitive((void *)arg(call, 0));
		return 0;
	default:
		kfree((void *)arg(call, 0));
		return 0;
	}
}

static unsigned long long vmalloc_call(const struct oracle_call *call)
{
	switch (call->kind) {
	case CALL_KVMALLOC:
		return (unsigned long)kvmalloc(arg(call, 0), arg(call, 1));
	case CALL_KVZALLOC:
		return (unsigned long)kvzalloc(arg(call, 0), arg(call, 1));
	case CALL_KVCALLOC:
		return (unsigned long)kvcalloc(arg(call, 0), arg(call, 1), arg(call, 2));
	case CALL_KVREALLOC:
		return (unsigned long)
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
			kvrealloc((void *)arg(call, 0), arg(call, 1), arg(call, 2), arg(call, 3));
#else
			kvrealloc((void *)arg(call, 0), arg(call, 2), arg(call, 3));
#endif
	case CALL_VMALLOC:
		return (unsigned long)vmalloc(arg(call, 0));
	case CALL_VZALLOC:
		return (unsigned long)vzalloc(arg(call, 0));
	case CALL_VFREE:
		vfree((void *)arg(call, 0));
		return 0;
	default:
		kvfree((void *)arg(call, 0));
		return 0;
	}
}

static void execute(struct oracle_call *call)
{
	if (parsed.only_caches)
		oracle_own_warm();
	oracle_own_watch(1);
	if (call->kind < CALL_ALLOC_PAGES)
		call->result = slab_call(call);
	else if (call->kind < CALL_KMALLOC)
		call->result = oracle_page_call(&parsed, call);
	else if (call->kind < CALL_KVMALLOC)
		call->result = kmalloc_call(call);
	else if (call->kind <= CALL_VFREE)
		call->result = vmalloc_call(call);
	else
		call->result = oracle_mappings_call(&parsed, call);
	oracle_own_watch(0);
	if (call->target != ORACLE_NO_VARIABLE)
		parsed.values[call->target] = call->result;
}

/* ---- the machine ---- */

static void take_state(struct oracle_text *text)
{
	if (parsed.has_pages && !parsed.has_areas)
		oracle_print_pages(text);
	if (parsed.has_areas)
		oracle_print_areas(text);
}

/* On every CPU at once: each waits for its turn. */
static int take_turns(void *unused)
{
	int me = smp_processor_id(), now;

	if (!me) {
		take_state(&before);
		smp_store_release(&turn, 0);
	}
	while ((now = smp_load_acquire(&turn)) < (int)parsed.count) {
		if (now >= 0 && parsed.calls[now].cpu == me) {
			execute(&parsed.calls[now]);
			smp_store_release(&turn, now + 1);
		} else {
			cpu_relax();
		}
	}
	if (!me)
		take_state(&after);
	return 0;
}

static void run_as_task(void)
{
	unsigned int cpu = ~0u;

	oracle_mappings_settle();
	take_state(&before);
	for (unsigned int i = 0; i < parsed.count; i++) {
		if (parsed.calls[i].cpu != cpu) {
			cpu = parsed.calls[i].cpu;
			set_cpus_allowed_ptr(current, cpumask_of(cpu));
		}
		parsed.calls[i].lazy[0] = oracle_lazy_pages();
		execute(&parsed.calls[i]);
		parsed.calls[i].lazy[1] = oracle_lazy_pages();
#ifdef TIF_NEED_RESCHED_LAZY /* 6.13: else no worker would come before the next tick */
		if (test_thread_flag(TIF_NEED_RESCHED_LAZY))
			schedule();
#endif
		oracle_wait_for_purge();
	}
	take_state(&after);
}

static void tell(void)
{
	unsigned int major = LINUX_VERSION_CODE >> 16, minor = LINUX_VERSION_CODE >> 8 & 0xff;
	const char *memory = parsed.memory ? parsed.memory : "1G";

	oracle_print(&answer,
		     "#!kmlab scenario 1\n# recorded on Linux %s, slab_nomerge, x86_64; \"->\" is "
		     "what Linux returned\nmachine kernel=%u.%u cpus=%u memory=%.*s%s%.*s\n",
		     init_utsname()->release, major, minor, num_online_cpus(),
		     (int)strcspn(memory, " \t"), memory, parsed.memcg ? " memcg=" : "",
		     parsed.memcg ? 1 : 0, parsed.memcg ? parsed.memcg : "");
	if (before.used)
		oracle_print(&answer, "state begin\n%sstate end\n", before.bytes);
	for (unsigned int i = 0; i < parsed.count; i++)
		oracle_print_call(&answer, &parsed, &parsed.calls[i]);
	oracle_print(&answer, "expect begin\n%s", after.used ? after.bytes : "");
	if (parsed.only_caches)
		oracle_print_own(&answer, parsed.sleeps);
}

static int make_text(struct oracle_text *text, unsigned long room)
{
	text->bytes = vzalloc(room);
	text->room = text->bytes ? room : 0;
	return text->bytes ? 0 : -ENOMEM;
}

static struct debugfs_blob_wrapper blob;
static struct dentry *folder;
static char *source;

static void finish(void)
{
	debugfs_remove(folder);
	oracle_program_free(&parsed);
	oracle_pages_exit();
	oracle_mappings_exit();
	oracle_own_exit();
	vfree(before.bytes);
	vfree(after.bytes);
	vfree(answer.bytes);
	vfree(source);
}

/* Objects that the program left in use go back to its caches. */
static void free_left(const struct oracle_call *call)
{
	unsigned int n = 1, first = call->target;

	if (call->kind == CALL_CACHE_ALLOC_BULK) {
		first = call->args[3].variable;
		n = call->result;
	}
	for (; n && first != ORACLE_NO_VARIABLE; n--, first++) {
		if (parsed.values[first])
			kmem_cache_free((void *)arg(call, 0), (void *)parsed.values[first]);
		parsed.values[first] = 0;
	}
}

/* The guest has read the caches: they go, so that the next program can have its own. */
static void __exit stop(void)
{
	/* The last call that set a variable says whose object it is. */
	for (unsigned int i = parsed.count; i-- > 0;) {
		enum oracle_kind kind = parsed.calls[i].kind;

		if (kind == CALL_CACHE_ALLOC || kind == CALL_CACHE_ZALLOC ||
		    kind == CALL_CACHE_ALLOC_NODE || kind == CALL_CACHE_ALLOC_BULK)
			free_left(&parsed.calls[i]);
	}
	for (unsigned int i = 0; i < parsed.count; i++)
		if (parsed.calls[i].kind == CALL_CACHE_CREATE)
			kmem_cache_destroy((void *)parsed.calls[i].result);
	finish();
}

static int read_program(void)
{
	void *file = NULL;
	size_t bytes = 0;
	ssize_t ret =
		kernel_read_file_from_path(program, 0, &file, INT_MAX, &bytes, READING_UNKNOWN);

	if (ret < 0)
		return ret;
	source = vzalloc(bytes + 1);
	if (source)
		memcpy(source, file, bytes);
	vfree(file);
	if (!source)
		return -ENOMEM;
	ret = oracle_parse(&parsed, source);
	if (!ret)
		ret = oracle_pages_init(&parsed);
	if (!ret)
		ret = oracle_mappings_init();
	if (!ret)
		ret = oracle_own_init();
	/* An answer adds some 50 bytes to a line, and 10 to a page in bulk. */
	if (!ret && (make_text(&before, 4 << 20) || make_text(&after, 4 << 20) ||
		     make_text(&answer, (9 << 20) + bytes * 4 + parsed.nr_names * 10)))
		ret = -ENOMEM;
	return ret;
}

static int __init start(void)
{
	int ret = read_program();

	if (ret)
		goto out;
	for (unsigned int i = 0; i < parsed.count; i++)
		if (parsed.calls[i].kind == CALL_CACHE_CREATE)
			create_cache(&parsed.calls[i]);
	if (parsed.shrinks)
		ret = oracle_flushes_init();
	if (ret)
		goto out;
	if (parsed.sleeps)
		run_as_task();
	else
		stop_machine(take_turns, NULL, cpu_online_mask);
	if (parsed.shrinks)
		oracle_flushes_exit();
	oracle_pages_give_back(&parsed);
	tell();
	ret = -ENOSPC;
	if (before.used == before.room || after.used == after.room || answer.used == answer.room)
		goto out;
	blob.data = answer.bytes;
	blob.size = answer.used;
	folder = debugfs_create_dir("kmlab_oracle", NULL);
	debugfs_create_blob("answer", 0400, folder, &blob);
	return 0;
out:
	finish();
	return ret;
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What this kernel's memory allocators return for a scenario of kmlab");
