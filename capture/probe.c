/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where struct page 0 and the direct map are, measured instead of assumed (both bases are
 * randomized, and their variables are in no public symbol table): fault in a page, let a program
 * note the struct page the kernel took, read the frame number from /proc/self/pagemap. For the
 * direct map, grow a pipe: its buffer array is a kmalloc() straight from pages.
 * Per-CPU variables are found through the running task's runqueue (record.bpf.c, probe_cpu).
 * Documentation/admin-guide/mm/pagemap.rst; fs/pipe.c pipe_resize_ring(), 6.1 - 6.18.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

/* ---- per-CPU variables ---- */

static int find_variable(const struct btf *btf, const char *name, uint64_t *offset)
{
	int section = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);
	const struct btf_type *type, *variable;

	if (section < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, (uint32_t)section);
	for (unsigned i = 0; i < btf_vlen(type); i++) {
		variable = btf__type_by_id(btf, btf_var_secinfos(type)[i].type);
		if (strcmp(btf__name_by_offset(btf, variable->name_off), name) == 0) {
			*offset = btf_var_secinfos(type)[i].offset;
			return 0;
		}
	}
	return -ENOENT;
}

/* Offset of a member of struct pcpu_hot, which nests it in an anonymous union and struct. */
static int find_member(const struct btf *btf, const struct btf_type *type, const char *name,
		       uint64_t *offset)
{
	const struct btf_member *members;
	uint64_t inner;

	if (!type || !btf_is_composite(type))
		return -ENOENT;
	members = btf_members(type);
	for (unsigned i = 0; i < btf_vlen(type); i++) {
		const char *member = btf__name_by_offset(btf, members[i].name_off);

		if (strcmp(member, name) == 0) {
			*offset = btf_member_bit_offset(type, i) / 8;
			return 0;
		}
		if (!*member &&
		    !find_member(btf, btf__type_by_id(btf, members[i].type), name, &inner)) {
			*offset = btf_member_bit_offset(type, i) / 8 + inner;
			return 0;
		}
	}
	return -ENOENT;
}

int km_probe_offsets(const struct btf *btf, struct km_percpu_offsets *offsets)
{
	int hot = btf__find_by_name_kind(btf, "pcpu_hot", BTF_KIND_STRUCT);
	const struct btf_type *type = hot > 0 ? btf__type_by_id(btf, (uint32_t)hot) : NULL;
	uint64_t start, preempt_count, cpu_number, current_task;

	if (find_variable(btf, "runqueues", &offsets->runqueues))
		return -ENOENT;
	find_variable(btf, "this_cpu_off", &offsets->this_cpu_off); /* x86 */
	/* 6.2 - 6.14 keep both in struct pcpu_hot; before and after they are variables. */
	if (!find_variable(btf, "pcpu_hot", &start) &&
	    !find_member(btf, type, "preempt_count", &preempt_count) &&
	    !find_member(btf, type, "cpu_number", &cpu_number)) {
		offsets->preempt_count = start + preempt_count;
		offsets->cpu_number = start + cpu_number;
		if (!find_member(btf, type, "current_task", &current_task))
			offsets->current_task = start + current_task;
		return 0;
	}
	if (find_variable(btf, "cpu_number", &offsets->cpu_number))
		return -ENOENT;
	find_variable(btf, "current_task", &offsets->current_task);
	return find_variable(btf, "__preempt_count", &offsets->preempt_count);
}

int km_probe_cpu(const struct bpf_program *program, unsigned cpu)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

	return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

/* ---- pages and the direct map ---- */

#define NR_PAGES 9 /* the first pays for tables and caches of its own */
#define NR_AGREE 3

/* Where frame numbers come from, and the pages whose allocation was watched. */
struct frames {
	volatile struct km_probe *seen;
	int pagemap;
	const struct bpf_program *table;
	unsigned top_shift; /* log2 of the bytes under one entry of the top level; 0: not known */
	void *pages[NR_PAGES];
};

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A page of ours that is touched for the first time, at `address` unless that is NULL. */
static char *touch_new_page(struct frames *frames, unsigned n, void *address)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED_NOREPLACE : 0);
	char *page = mmap(address, page_bytes(), PROT_READ | PROT_WRITE, flags, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	frames->pages[n] = page;
	madvise(page, page_bytes(), MADV_NOHUGEPAGE);
	frames->seen->page = 0; /* mapping may have taken pages, too */
	return madvise(page, page_bytes(), MADV_POPULATE_WRITE) ? NULL : page;
}

/* The frame of a new page, from /proc/self/pagemap, which tells it to CAP_SYS_ADMIN only. */
static uint64_t frame_from_pagemap(struct frames *frames, unsigned n)
{
	char *page = touch_new_page(frames, n, NULL);
	uint64_t entry = 0;

	if (!page ||
	    pread(frames->pagemap, &entry, sizeof(entry),
		  (off_t)((uintptr_t)page / page_bytes() * 8)) != sizeof(entry) ||
	    !(entry >> 63))
		return 0;
	return entry & ((1ull << 55) - 1);
}

#ifdef __x86_64__
#define FIRST_SLOT 130 /* of 256; programs, libraries and stacks lie elsewhere */

/* 48: five levels, so that a mapping above 47 bits is granted to whoever asks for it; else 39. */
static unsigned top_level_shift(void)
{
	void *hint = (void *)((uintptr_t)FIRST_SLOT << 48);
	void *page = mmap(hint, page_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		munmap(page, page_bytes());
	return page == hint ? 48 : 39;
}

/* Bits 12 to 51 of an entry, without the one that says "encrypted" on AMD (APM volume 2, 7.10). */
static uint64_t frame_of_entry(uint64_t entry)
{
	unsigned eax, ebx, ecx, edx;

	if (__get_cpuid(0x8000001f, &eax, &ebx, &ecx, &edx) && ebx & 0x3f)
		entry &= ~(1ull << (ebx & 0x3f));
	return entry & 1 ? (entry & ((1ull << 52) - 1)) >> KM_PAGE_SHIFT : 0;
}

/*
 * The frame of a new table of the level below the top. A page in a slot of the top level that is
 * still empty makes the kernel allocate that table first, and the slot then holds its frame, which
 * a program may read (CAP_PERFMON). mm/memory.c __handle_mm_fault(), 6.1 - 6.18.
 */
static uint64_t frame_from_table(struct frames *frames, unsigned n)
{
	uintptr_t slot = FIRST_SLOT + n;

	if (!frames->top_shift)
		frames->top_shift = top_level_shift();
	frames->seen->index = slot;
	frames->seen->entry = 0;
	if (!touch_new_page(frames, n, (void *)(slot << frames->top_shift)) ||
	    bpf_prog_test_run_opts(bpf_program__fd(frames->table), NULL))
		return 0;
	return frame_of_entry(frames->seen->entry);
}
#else
static uint64_t frame_from_table(struct frames *frames, unsigned n)
{
	(void)frames;
	(void)n;
	return 0;
}
#endif

/* The base on which enough freshly allocated pages agree, or 0. */
static uint64_t find_vmemmap(struct frames *frames, uint32_t struct_bytes,
			     uint64_t (*new_frame)(struct frames *, unsigned))
{
	uint64_t base[NR_PAGES] = {0}, found = 0, frame;

	memset(frames->pages, 0, sizeof(frames->pages));
	for (unsigned i = 0; i < NR_PAGES && !found; i++) {
		int agree = 0;

		frame = new_frame(frames, i);
		if (frame && frames->seen->page)
			base[i] = frames->seen->page - frame * struct_bytes;
		for (unsigned j = 0; j <= i; j++)
			agree += base[i] && base[j] == base[i];
		if (agree >= NR_AGREE)
			found = base[i];
	}
	for (unsigned i = 0; i < NR_PAGES; i++)
		if (frames->pages[i])
			munmap(frames->pages[i], page_bytes());
	return found;
}

/* 0 when it could not be measured: not needed for recording, only told. */
static uint64_t find_direct_map(volatile struct km_probe *seen, const struct km_layout *layout)
{
	uint64_t base = 0, frame;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return 0;
	seen->large_page = 0;
	seen->large_ptr = 0;
	if (fcntl(ends[0], F_SETPIPE_SZ, 1 << 20) > 0 && seen->large_page && seen->large_ptr) {
		frame = (seen->large_page - layout->vmemmap) / layout->page_struct_bytes;
		base = seen->large_ptr - (frame << KM_PAGE_SHIFT);
	}
	close(ends[0]);
	close(ends[1]);
	return base & ((1ull << 30) - 1) ? 0 : base; /* the kernel aligns it to 1 GiB */
}

int km_probe_layout(const struct km_probe_programs *programs, volatile struct km_probe *seen,
		    struct km_layout *layout, struct km_err *err)
{
	struct frames frames = {.seen = seen, .table = programs->table};
	struct bpf_link *page_link, *kmalloc_link = NULL;

	frames.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	page_link = bpf_program__attach(programs->page);
	if (programs->kmalloc)
		kmalloc_link = bpf_program__attach(programs->kmalloc);
	if (page_link && frames.pagemap >= 0)
		layout->vmemmap =
			find_vmemmap(&frames, layout->page_struct_bytes, frame_from_pagemap);
	if (page_link && !layout->vmemmap)
		layout->vmemmap =
			find_vmemmap(&frames, layout->page_struct_bytes, frame_from_table);
	if (layout->vmemmap && kmalloc_link)
		layout->direct_map = find_direct_map(seen, layout);
	bpf_link__destroy(kmalloc_link);
	bpf_link__destroy(page_link);
	if (frames.pagemap >= 0)
		close(frames.pagemap);
	if (!layout->vmemmap)
		return km_fail(err, -ENOTSUP,
			       "page frame numbers cannot be told on this machine without "
			       "CAP_SYS_ADMIN, which /proc/self/pagemap asks for; record as root, "
			       "or without the page group: -e slab,vmap");
	return 0;
}
