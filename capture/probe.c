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
	uint64_t start, preempt_count, cpu_number;

	if (find_variable(btf, "runqueues", &offsets->runqueues))
		return -ENOENT;
	/* 6.2 - 6.14 keep both in struct pcpu_hot; before and after they are variables. */
	if (!find_variable(btf, "pcpu_hot", &start) &&
	    !find_member(btf, type, "preempt_count", &preempt_count) &&
	    !find_member(btf, type, "cpu_number", &cpu_number)) {
		offsets->preempt_count = start + preempt_count;
		offsets->cpu_number = start + cpu_number;
		return 0;
	}
	if (find_variable(btf, "cpu_number", &offsets->cpu_number))
		return -ENOENT;
	return find_variable(btf, "__preempt_count", &offsets->preempt_count);
}

int km_probe_cpu(const struct bpf_program *program, unsigned cpu)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

	return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

/* ---- pages and the direct map ---- */

#define NR_PAGES 9 /* the first pays for the page table */
#define NR_AGREE 3

static uint64_t frame_of(int pagemap, const void *address)
{
	uint64_t entry = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (pread(pagemap, &entry, sizeof(entry), (off_t)((uintptr_t)address / page * 8)) !=
		    sizeof(entry) ||
	    !(entry >> 63))
		return 0;
	return entry & ((1ull << 55) - 1);
}

/* The base on which enough freshly faulted pages agree, or 0. */
static uint64_t find_vmemmap(int pagemap, volatile struct km_probe *seen, uint32_t struct_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *memory = mmap(NULL, NR_PAGES * page, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t base[NR_PAGES] = {0}, found = 0, frame;

	if (memory == MAP_FAILED)
		return 0;
	madvise((void *)memory, NR_PAGES * page, MADV_NOHUGEPAGE);
	for (int i = 0; i < NR_PAGES && !found; i++) {
		int agree = 0;

		seen->page = 0;
		memory[(size_t)i * page] = 1;
		frame = frame_of(pagemap, (const void *)(memory + (size_t)i * page));
		if (frame && seen->page)
			base[i] = seen->page - frame * struct_bytes;
		for (int j = 0; j <= i; j++)
			agree += base[i] && base[j] == base[i];
		if (agree >= NR_AGREE)
			found = base[i];
	}
	munmap((void *)memory, NR_PAGES * page);
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

int km_probe_layout(struct bpf_program *page, struct bpf_program *kmalloc,
		    volatile struct km_probe *seen, struct km_layout *layout, struct km_err *err)
{
	struct bpf_link *page_link = NULL, *kmalloc_link = NULL;
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	page_link = bpf_program__attach_trace(page);
	if (kmalloc)
		kmalloc_link = bpf_program__attach_trace(kmalloc);
	if (page_link && pagemap >= 0)
		layout->vmemmap = find_vmemmap(pagemap, seen, layout->page_struct_bytes);
	if (layout->vmemmap && kmalloc_link)
		layout->direct_map = find_direct_map(seen, layout);
	bpf_link__destroy(kmalloc_link);
	bpf_link__destroy(page_link);
	if (pagemap >= 0)
		close(pagemap);
	if (!layout->vmemmap)
		return km_fail(err, -ENOTSUP,
			       "page frame numbers cannot be told on this machine "
			       "(/proc/self/pagemap needs CAP_SYS_ADMIN); record without the page "
			       "group: -e slab,vmap");
	return 0;
}
