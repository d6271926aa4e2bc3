/* SPDX-License-Identifier: GPL-2.0-only */
/* What perf, ftrace, trace-cmd and LLFree print becomes the events it says, or is refused. */
#include "engine/tests/tap.h"
#include "traces/check.h"
#include "traces/import.h"
#include <errno.h>
#include <kmlab/gfp.h>
#include <kmlab/profile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_EVENTS 64

static char path[128];
static struct km_err err;
static struct km_import_report report;
static struct km_trace *trace;
static struct km_event events[MAX_EVENTS];
static size_t nr_events;

static int import_bytes(enum km_import_format format, const void *bytes, size_t size,
			const char *kernel)
{
	const struct km_import_options options = {.kernel = kernel};
	struct km_trace_writer *writer;
	FILE *in = fmemopen((void *)(uintptr_t)bytes, size, "rb");
	int code;

	err.text[0] = '\0';
	if (!in || km_trace_create(path, &writer, &err))
		exit(2);
	code = km_import_stream(format, in, "input", &options, writer, &report, &err);
	fclose(in);
	if (code) {
		km_trace_discard(writer);
		return code;
	}
	return km_trace_finish(writer, report.duration_ns, &err);
}

static void count_problem(void *context, const struct km_check_problem *problem)
{
	printf("# %s: %s\n", km_check_part_names[problem->part], problem->what);
	++*(unsigned *)context;
}

/* Import what can be imported and read it back; what was made is sound. */
static void take(enum km_import_format format, const void *bytes, size_t size, const char *kernel,
		 const char *what)
{
	struct km_trace_cursor *cursor;
	struct km_check_result result;
	unsigned problems = 0;
	int code = import_bytes(format, bytes, size, kernel);

	nr_events = 0;
	trace = NULL;
	if (!TAP_OK(!code, "%s is imported: %s", what, err.text))
		exit(1);
	if (km_trace_check(path, true, count_problem, &problems, &result, &trace, &err) ||
	    km_trace_cursor_open(trace, NULL, &cursor, &err) ||
	    km_trace_next(cursor, events, MAX_EVENTS, &nr_events, &err))
		exit(2);
	km_trace_cursor_close(cursor);
	TAP_EQ(problems, 0, "%s: the trace is sound", what);
}

static void take_text(enum km_import_format format, const char *text, const char *kernel,
		      const char *what)
{
	take(format, text, strlen(text), kernel, what);
}

/* Refused with the code, and the sentence says so. */
static void refuse(enum km_import_format format, const char *text, const char *kernel, int want,
		   const char *sentence)
{
	int code = import_bytes(format, text, strlen(text), kernel);

	TAP_OK(code == want && strstr(err.text, sentence), "%d: %s", code, err.text);
}

static const struct km_trace_site *site_of(const struct km_event *event)
{
	uint32_t count;

	return &km_trace_site_table(trace, &count)[event->site];
}

static const struct km_trace_task *task_of(const struct km_event *event)
{
	uint32_t count;

	return &km_trace_tasks(trace, &count)[event->task];
}

static const struct km_trace_cache *cache_of(const struct km_event *event)
{
	uint32_t count;

	return &km_trace_caches(trace, &count)[event->cache];
}

/* ---- perf ---- */

static const char perf_text[] =
	"# ========\n"
	"# os release : 6.18.44-example\n"
	"# arch : x86_64\n"
	"# nrcpus online : 2\n"
	"# total memory : 1024 kB\n"
	"# cmdline : perf record -a \n"
	"#\n"
	"    Web Content  20918 [000] 11967.219015749:  kmem:kmalloc: call_site=single_open+0x2a "
	"ptr=0xffff888104803b40 bytes_req=24 bytes_alloc=32 gfp_flags=GFP_KERNEL|__GFP_ZERO node=1 "
	"accounted=false\n"
	"perf 23265/23266 [001] 11967.219015800:  kmem:kmem_cache_alloc: call_site=f+0x10 [ext4] "
	"ptr=0xffff88810d762000 name=my cache bytes_req=184 bytes_alloc=192 gfp_flags=GFP_NOWAIT "
	"node=-1 accounted=true\n"
	"a 1 [001] 11967.219016000: PERF_RECORD_LOST lost 36\n"
	"a 1 [000] 11967.219016100:  kmem:kfree: call_site=g+0x1 ptr=(nil)\n"
	"a 1 [000] 11967.219016200:  kmem:kfree: call_site=g+0x1 ptr=0xffff888104803b40\n"
	"a 1 [001] 11967.219016300:  kmem:kmem_cache_free: call_site=g+0x1 "
	"ptr=0xffff88810d762000 name=my cache\n"
	"a 1 [001] 11967.219016400:  kmem:mm_page_alloc: page=0x145e03 pfn=0x145e03 order=3 "
	"migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|0x800000\n"
	"a 1 [001] 11967.219016500:  kmem:mm_page_alloc: page=(nil) pfn=0x0 order=9 migratetype=0 "
	"gfp_flags=GFP_ATOMIC\n"
	"a 1 [001] 11967.219016600:  kmem:mm_page_free: page=0x145e03 pfn=0x145e03 order=3\n"
	"a 1 [001] 11967.219016700:  vmalloc:alloc_vmap_area: va_start: 18446683600570023936 "
	"size=20480 align=1 vstart=0xffffc90000000000 vend=0xffffe8ffffffffff failed=0\n"
	"a 1 [001] 11967.219016800:  vmalloc:free_vmap_area_noflush: va_start=0xffffc90000000000 "
	"nr_lazy=5 nr_lazy_max=65536\n"
	"a 1 [001] 11967.219016900:  vmalloc:purge_vmap_area_lazy: start=0xffffc90000000000 "
	"end=0xffffc90000005000 num_purged=1\n"
	"a 1 [001] 11967.219017000:  percpu:percpu_alloc_percpu: call_site=mm_init+0x2bf "
	"reserved=0 "
	"is_atomic=0 size=16 align=8 base_addr=0xffffe8ffffc00000 off=25328 ptr=0x152c0 "
	"bytes_alloc=64 gfp_flags=GFP_KERNEL\n"
	"a 1 [001] 11967.219017100:  percpu:percpu_free_percpu: base_addr=0xffffe8ffffc00000 "
	"off=25328 ptr=0x152c0\n"
	"a 1 [001] 11967.219017200:  kmem:rss_stat: mm_id=1 curr=1 type=MM_FILEPAGES size=1B\n"
	"a 1 [001] 11967.219017300:          1 cycles: ffffffff81000000 x ([kernel.kallsyms])\n"
	"a 1 [000] 11967.219017400:  kmem:mm_page_alloc_extfrag: page=0x10 pfn=0x10 alloc_order=0 "
	"fallback_order=9 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=1 "
	"fragmenting=0 "
	"change_ownership=1\n";

static void test_perf(void)
{
	size_t gaps;
	const struct km_trace_gap *gap;
	struct km_trace_counts counts;

	take_text(KM_IMPORT_PERF, perf_text, NULL, "perf script");
	TAP_OK(nr_events == 13 && report.null_frees == 1 && report.other == 1 &&
		       report.unknown == 1 && !strcmp(report.first_unknown, "cycles"),
	       "13 events, one free of nothing, one of no object, one unknown");
	TAP_OK(events[0].kind == KM_EV_KMALLOC && events[0].ptr == 0xffff888104803b40 &&
		       events[0].bytes_req == 24 && events[0].bytes_alloc == 32 &&
		       events[0].gfp == (KM_GFP_KERNEL | KM_GFP_ZERO) && events[0].node == 1 &&
		       !events[0].cpu && !events[0].time_ns && events[0].context == KM_CTX_UNKNOWN,
	       "kmalloc");
	TAP_OK(!strcmp(site_of(&events[0])->symbol, "single_open") &&
		       site_of(&events[0])->offset == 0x2a &&
		       !strcmp(task_of(&events[0])->comm, "Web Content") &&
		       task_of(&events[0])->tid == 20918,
	       "its call site and a command with a space");
	TAP_OK(events[1].kind == KM_EV_CACHE_ALLOC && events[1].cpu == 1 &&
		       events[1].time_ns == 51 && !strcmp(cache_of(&events[1])->name, "my cache") &&
		       cache_of(&events[1])->object_size == 184 &&
		       cache_of(&events[1])->size == 192 &&
		       !strcmp(site_of(&events[1])->module, "ext4") &&
		       task_of(&events[1])->tgid == 23265 && task_of(&events[1])->tid == 23266,
	       "kmem_cache_alloc from a module, into a cache with a space");
	TAP_EQ(events[1].gfp, KM_GFP_NOWAIT | KM_GFP_NOWARN, "GFP_NOWAIT as 6.18 has it");
	TAP_OK(events[3].kind == KM_EV_CACHE_FREE && events[3].cache == events[1].cache,
	       "freed to the same cache");
	TAP_OK(events[4].kind == KM_EV_PAGE_ALLOC && events[4].ptr == 0x145e03 &&
		       events[4].order == 3 && events[4].bytes_alloc == 32768 &&
		       events[4].migratetype == 1 &&
		       events[4].gfp == (KM_GFP_HIGHUSER_MOVABLE | 0x800000),
	       "mm_page_alloc, a flag by number");
	TAP_OK(events[5].ptr == UINT64_MAX, "a page that was not to be had");
	TAP_OK(events[7].kind == KM_EV_VMAP_ALLOC && events[7].bytes_alloc == 20480 &&
		       events[7].ptr >> 40 == 0xffffc9 && events[8].kind == KM_EV_VMAP_FREE &&
		       events[9].kind == KM_EV_VMAP_PURGE && events[9].bytes_alloc == 0x5000 &&
		       events[9].bytes_req == 1,
	       "vmalloc");
	TAP_OK(events[10].kind == KM_EV_PERCPU_ALLOC && events[10].ptr == 0x152c0 &&
		       events[10].bytes_alloc == 64 && events[11].kind == KM_EV_PERCPU_FREE,
	       "percpu; its pointers may be small");
	TAP_OK(events[12].kind == KM_EV_PAGE_EXTFRAG && !events[12].order && events[12].node == 1,
	       "mm_page_alloc_extfrag");
	gap = km_trace_gaps(trace, &gaps);
	km_trace_counts(trace, &counts);
	TAP_OK(gaps == 1 && gap->cpu == 1 && gap->events == 36 && gap->after_ns == 51 &&
		       gap->before_ns == 551 && counts.lost[KM_LOSS_RING_FULL] == 36,
	       "the loss lies between that CPU's events");
	TAP_OK(!strcmp(km_trace_meta(trace, "kernel"), "6.18.44-example") &&
		       !strcmp(km_trace_meta(trace, "profile"), "6.18") &&
		       !strcmp(km_trace_meta(trace, "memory_bytes"), "1048576") &&
		       !strcmp(km_trace_meta(trace, "cpus"), "2") &&
		       !strcmp(km_trace_meta(trace, "fired"), "estimated") &&
		       !km_trace_meta(trace, "loss"),
	       "the header's facts");
	km_trace_close(trace);
}

static void test_stacks(void)
{
	const uint32_t *frames;
	unsigned n;

	take_text(KM_IMPORT_PERF,
		  "p 1 [000] 1.000001: kmem:kfree: call_site=g+0x160 ptr=0xffff888104803640\n"
		  "\tffffffff815c78c1 __traceiter_kfree+0x31 ([kernel.kallsyms])\n"
		  "\tffffffff813ced20 g+0x160 ([kernel.kallsyms])\n"
		  "\tffffffffc00ced20 h+0x1 ([ext4])\n"
		  "\t           ee137 main+0x7 (/usr/bin/p)\n"
		  "\n"
		  "p 1 [000] 1.000002: kmem:kfree: call_site=g+0x160 ptr=0xffff888104803640\n",
		  "6.1", "a call stack");
	frames = km_trace_stack(trace, events[0].stack, &n);
	TAP_OK(n == 3 && frames && !events[1].stack, "the kernel's three frames");
	TAP_OK(site_of(&events[0])->address == 0xffffffff813ced20 &&
		       !strcmp(site_of(&events[0])->symbol, "g"),
	       "the call site has its true address from the stack");
	TAP_OK(site_of(&events[1])->address >> 60 == 4, "without one, an address stands for it");
	TAP_OK(!strcmp(km_trace_meta(trace, "loss"), "unknown"), "no losses told: unknown");
	km_trace_close(trace);
}

/* A CPU that only lost is a CPU of the machine. */
static void test_lost_only(void)
{
	size_t gaps;

	take_text(KM_IMPORT_PERF,
		  "p 1 [000] 1.000001: kmem:kfree: call_site=g+0x160 ptr=0xffff888104803640\n"
		  "p 1 [003] 1.000002: PERF_RECORD_LOST lost 5\n",
		  "6.1", "a CPU without events");
	TAP_OK(km_trace_cpus(trace) == 4 && km_trace_gaps(trace, &gaps)->cpu == 3 && gaps == 1,
	       "it has a place for its losses");
	km_trace_close(trace);
}

/* ---- ftrace ---- */

static const char ftrace_text[] =
	"# tracer: nop\n"
	"#\n"
	"# entries-in-buffer/entries-written: 5/12   #P:4\n"
	"#\n"
	"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
	"          <idle>-0       [001] d.h3. 12000.107762: kmalloc: call_site=f+0x10d/0x490 "
	"ptr=ffff888163948100 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_ATOMIC node=-1 "
	"accounted=false\n"
	" my-task-3-21281   (  21280) [001] ..s.. 12000.107762: kmem_cache_free: "
	"call_site=g+0x1/0x2 "
	"ptr=ffff8881393b5264 name=filp\n"
	"##### CPU 0 buffer started ####\n"
	"            bash-21281   (-----) [000] ..... 12000.107762: kfree: call_site=g+0x1/0x2 "
	"ptr=ffff888163948100\n"
	"CPU:0 [LOST 3 EVENTS]\n"
	"            bash-21281   [000] d.Z1. 12000.107763: mm_page_pcpu_drain: "
	"page=ffffea0000000000 "
	"pfn=0x40 order=0 migratetype=2\n";

static void test_ftrace(void)
{
	struct km_trace_counts counts;
	size_t gaps;
	const struct km_trace_gap *gap;

	take_text(KM_IMPORT_FTRACE, ftrace_text, "6.1.0", "ftrace");
	TAP_OK(nr_events == 4 && events[0].time_ns == 0 && events[1].time_ns == 1 &&
		       events[2].time_ns == 2 && events[3].time_ns == 1000,
	       "events of one microsecond keep their order");
	TAP_OK(events[0].context == KM_CTX_HARDIRQ && events[1].context == KM_CTX_SOFTIRQ &&
		       events[2].context == KM_CTX_PROCESS && events[3].context == KM_CTX_NMI,
	       "where each ran");
	TAP_EQ(events[0].gfp, KM_GFP_ATOMIC | KM_GFP_ATOMIC_BIT, "GFP_ATOMIC as 6.1 has it");
	TAP_OK(!strcmp(task_of(&events[1])->comm, "my-task-3") &&
		       task_of(&events[1])->tid == 21281 && task_of(&events[1])->tgid == 21280 &&
		       !strcmp(task_of(&events[0])->comm, "<idle>"),
	       "tasks and their groups");
	TAP_OK(events[3].kind == KM_EV_PAGE_PCPU_DRAIN && events[3].ptr == 0x40 &&
		       events[3].migratetype == 2,
	       "mm_page_pcpu_drain");
	gap = km_trace_gaps(trace, &gaps);
	km_trace_counts(trace, &counts);
	TAP_OK(gaps == 2 && gap[0].cpu == 0 && gap[0].events == 3 && gap[0].after_ns == 2 &&
		       gap[0].before_ns == 1000 && gap[1].cpu == KM_GAP_CPU_UNKNOWN &&
		       gap[1].events == 7 && counts.lost[KM_LOSS_RING_FULL] == 10,
	       "3 lost on CPU 0, 7 overwritten before");
	TAP_OK(km_trace_cpus(trace) == 4 && !km_trace_meta(trace, "loss"), "losses are known");
	km_trace_close(trace);
}

static void test_trace_cmd(void)
{
	take_text(KM_IMPORT_FTRACE,
		  "cpus=2\n"
		  "          <...>-12    [001] 12.000001500: kmalloc:              (g+0x10) "
		  "call_site=ffffffff81234567 ptr=0xffff888100000000 bytes_req=8 bytes_alloc=8 "
		  "gfp_flags=GFP_KERNEL\n"
		  "CPU:1 [EVENTS DROPPED]\n"
		  "CPU:1 [12 EVENTS DROPPED]\n"
		  "          <...>-12    [001] 12.000001501: kmalloc_node:         (h+0x10) "
		  "call_site=ffffffff81234577 ptr=0xffff888100000008 bytes_req=8 bytes_alloc=8 "
		  "gfp_flags=GFP_KERNEL|GFP_NOSUCH node=0\n",
		  "5.15", "trace-cmd report");
	TAP_OK(nr_events == 2 && events[1].time_ns == 1 && events[1].kind == KM_EV_KMALLOC &&
		       site_of(&events[0])->address == 0xffffffff81234567 &&
		       !strcmp(site_of(&events[0])->symbol, "g") && !events[1].node,
	       "its symbols and addresses, and an event of older kernels");
	TAP_OK(report.lost_marks == 1 && report.lost == 12 &&
		       !strcmp(km_trace_meta(trace, "loss"), "unknown"),
	       "a loss without a number leaves the losses unknown");
	TAP_OK(report.unknown_flags == 1 && !strcmp(report.first_flag, "GFP_NOSUCH"),
	       "a flag that is none is told");
	km_trace_close(trace);
}

/* 4.19: no accounted, decimal pfn, caches without names, call sites as numbers. */
static void test_old_fields(void)
{
	take_text(
		KM_IMPORT_FTRACE,
		"a-1 [000] .... 5.000001: kmem_cache_alloc: call_site=ffffffff81234567 "
		"ptr=ffff888100000000 bytes_req=184 bytes_alloc=192 gfp_flags=GFP_KERNEL\n"
		"a-1 [000] .... 5.000002: kmem_cache_alloc_node: call_site=ffffffff81234568 "
		"ptr=ffff888100000100 bytes_req=184 bytes_alloc=192 gfp_flags=GFP_KERNEL node=-1\n"
		"a-1 [000] .... 5.000003: kmem_cache_free: call_site=ffffffff81234569 "
		"ptr=ffff888100000000\n"
		"a-1 [000] .... 5.000004: mm_page_alloc: page=00000000abcdef12 pfn=1334787 order=0 "
		"migratetype=0 gfp_flags=GFP_KERNEL\n",
		"4.19.0", "an old kernel's text");
	TAP_OK(nr_events == 4 && events[0].cache && events[0].cache == events[1].cache &&
		       !strcmp(cache_of(&events[0])->name, "size-184-of-192") && !events[2].cache,
	       "a cache of that size stands for one without a name");
	TAP_OK(events[3].ptr == 1334787 && site_of(&events[0])->address == 0xffffffff81234567,
	       "decimal pfn, call site by address; a hashed struct page does not matter");
	km_trace_close(trace);
}

/* A slab of order 0 at each of four pages, under a direct map of its own. */
static void test_direct_map(void)
{
	char text[4096];
	size_t used = 0;

	for (unsigned i = 0; i < 4; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used,
			"a-1 [000] .... 5.00000%u: mm_page_alloc: page=0 pfn=0x%x order=1 "
			"migratetype=0 "
			"gfp_flags=GFP_KERNEL\n"
			"a-1 [000] .... 5.00000%u: kmalloc: call_site=f+0x1/0x2 ptr=ffff9a0ac%07x "
			"bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL\n",
			i, 0x1000 + 14 * i, i, (0x1000 + 14 * i) * 4096 + 0x1100 + i * 8);
	take_text(KM_IMPORT_FTRACE, text, "6.1", "randomised memory");
	TAP_OK(km_trace_direct_map(trace) == 0xffff9a0ac0000000,
	       "the base of the direct map is found: %llx",
	       (unsigned long long)km_trace_direct_map(trace));
	km_trace_close(trace);
}

/* ---- refusals ---- */

#define HEAD "a-1 [000] .... 5.000001: "

static void test_refusals(void)
{
	refuse(KM_IMPORT_FTRACE, HEAD "kfree: call_site=f+0x1/0x2 ptr=00000000163e9481\n", "6.1",
	       -ENOTSUP, "line 1: its addresses are hashed");
	refuse(KM_IMPORT_FTRACE, "\n" HEAD "kfree: call_site=f+0x1/0x2 ptr=(____ptrval____)\n",
	       "5.15", -ENOTSUP, "line 2: its addresses are hashed");
	refuse(KM_IMPORT_FTRACE,
	       HEAD "percpu_free_percpu: base_addr=00000000163e9481 off=1 ptr=0000000000015000\n",
	       "6.1", -ENOTSUP, "hash-ptr");
	refuse(KM_IMPORT_FTRACE, HEAD "kfree: call_site=f+0x1/0x2 ptr=ffff888163948100\n", NULL,
	       -ENOTSUP, "input does not say which kernel wrote it");
	refuse(KM_IMPORT_FTRACE, HEAD "kmalloc: call_site=f ptr=ffff888163948100 bytes_req=1\n",
	       "6.1", -EPROTO,
	       "line 1: kmalloc cannot be read: it has no bytes_req and bytes_alloc");
	refuse(KM_IMPORT_FTRACE, HEAD "mm_page_free: page=0 pfn=0x1 order=77\n", "6.1", -EPROTO,
	       "it has no order, or none that can be");
	refuse(KM_IMPORT_FTRACE, "hello\n", "6.1", -EPROTO, "input: line 1: there is no '[CPU]");
	refuse(KM_IMPORT_FTRACE,
	       "a-1 [5000] .... 5.000001: kfree: call_site=f ptr=ffff888163948100\n", "6.1",
	       -EPROTO, "line 1: there is no such CPU");
	refuse(KM_IMPORT_PERF, "# os release : 6.1\nx [000] 5.000001: kmem:kfree: ptr=0x1\n", NULL,
	       -EPROTO, "line 2: there is no command and thread");
	refuse(KM_IMPORT_PERF, "a 1 [000] 5.000001: nothing\n", "6.1", -EPROTO,
	       "line 1: there is no event's name");
	refuse(KM_IMPORT_PERF, "# only a header\n", "6.1", -EPROTO,
	       "input has no allocation events");
	refuse(KM_IMPORT_PERF,
	       "# event : name = kmem:kfree, , id = { 1 }, { sample_period, sample_freq } = 100, "
	       "x\n",
	       "6.1", -ENOTSUP, "input has only one of 100 events of kmem:kfree");
	refuse(KM_IMPORT_LLFREE, "short", NULL, -EPROTO,
	       "input: page 0: it is shorter than a page");
}

/* A byte 0 ends a line for C, and is none of a text. */
static void test_zero_byte(void)
{
	static const char text[] = "# x\n\0";

	TAP_OK(import_bytes(KM_IMPORT_PERF, text, 5, "6.1") == -EPROTO &&
		       strstr(err.text, "line 2: it is not text"),
	       "%s", err.text);
}

/* ---- LLFree ---- */

static void put_entry(uint8_t *to, uint64_t time_us, uint64_t pfn, bool alloc, unsigned order,
		      uint32_t gfp, uint32_t pid)
{
	uint64_t low = time_us | pfn << 38 | (uint64_t)alloc << 62 | (uint64_t)order << 63;
	uint64_t high = order >> 1 | (uint64_t)gfp << 3 | (uint64_t)pid << 32;

	memcpy(to, &low, 8);
	memcpy(to + 8, &high, 8);
}

static void test_llfree(void)
{
	static uint8_t bytes[3 * 4096];
	const uint32_t head[3] = {2, 2, 0xfffff};
	const uint32_t cpu = 1;

	memcpy(bytes, head, sizeof(head));
	memcpy(bytes + 4096, &cpu, sizeof(cpu));
	put_entry(bytes + 4096 + 16, 1005, 0x1234, true, 9, 0x10000cc0, 77);
	put_entry(bytes + 4096 + 32, 1005, 0x1000, true, 0, 0xcc0, 78);
	put_entry(bytes + 2 * 4096 + 16, 1000, 0x2000, true, 3, 0xcc0, 79);
	put_entry(bytes + 2 * 4096 + 32, 1007, 0x1234, false, 9, 0, 79);
	take(KM_IMPORT_LLFREE, bytes, sizeof(bytes), NULL, "LLFree");
	TAP_OK(nr_events == 4 && events[0].cpu == 0 && events[0].ptr == 0x2000 &&
		       events[0].time_ns == 0 && events[0].order == 3,
	       "the first in time is on the second page");
	TAP_OK(events[1].cpu == 1 && events[1].time_ns == 5000 && events[1].order == 9 &&
		       events[1].gfp == 0xcc0 && events[1].bytes_alloc == 2 << 20 &&
		       task_of(&events[1])->tid == 77,
	       "an allocation, without LLFree's own flag");
	TAP_OK(events[2].time_ns == 5001 && events[3].kind == KM_EV_PAGE_FREE &&
		       events[3].time_ns == 7000 && events[3].order == 9,
	       "order within a microsecond, and a free");
	TAP_OK(!strcmp(km_trace_meta(trace, "memory_bytes"), "4294967296") &&
		       !strcmp(km_trace_meta(trace, "loss"), "unknown"),
	       "its memory; it does not tell losses");
	km_trace_close(trace);
	bytes[4096] = 9;
	TAP_OK(import_bytes(KM_IMPORT_LLFREE, bytes, sizeof(bytes), NULL) == -EPROTO &&
		       strstr(err.text, "page 1: there is no such CPU"),
	       "%s", err.text);
	bytes[4096] = 1;
	TAP_OK(import_bytes(KM_IMPORT_LLFREE, bytes, sizeof(bytes) - 5, NULL) == -EPROTO &&
		       strstr(err.text, "it is cut off"),
	       "%s", err.text);
}

/* The same bytes are the same trace; others are not. */
static void test_name(void)
{
	char name[64];

	take_text(KM_IMPORT_FTRACE, ftrace_text, "6.1.0", "ftrace");
	snprintf(name, sizeof(name), "%s", km_trace_meta(trace, "uuid"));
	km_trace_close(trace);
	take_text(KM_IMPORT_FTRACE, ftrace_text, "6.1.0", "ftrace again");
	TAP_OK(!strcmp(name, km_trace_meta(trace, "uuid")) && strlen(name) == 36 && name[14] == '8',
	       "the same name: %s", name);
	km_trace_close(trace);
	take_text(KM_IMPORT_FTRACE, strchr(ftrace_text, '\n') + 1, "6.1.0",
		  "ftrace without a line");
	TAP_OK(strcmp(name, km_trace_meta(trace, "uuid")), "another name: %s",
	       km_trace_meta(trace, "uuid"));
	km_trace_close(trace);
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/kmlab-import-%d.kmt", (int)getpid());
	test_perf();
	test_stacks();
	test_lost_only();
	test_ftrace();
	test_trace_cmd();
	test_old_fields();
	test_direct_map();
	test_refusals();
	test_zero_byte();
	test_llfree();
	test_name();
	unlink(path);
	return tap_done();
}
