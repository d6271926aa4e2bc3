/* SPDX-License-Identifier: GPL-2.0-only */
/* Real memory behind a machine: one file shown twice (memory.h). */
#include "replay/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_SHIFT 21
#define BLOCK_BYTES (1ull << BLOCK_SHIFT)
#define GIGA_BYTES (1ull << 30)
#define BLOCK_PAGES (BLOCK_BYTES >> KM_PAGE_SHIFT)

/* Linux 6.1; Debian 12's libc does not name it. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MFD_HUGE_1GB
#define MFD_HUGE_1GB (30u << 26)
#endif

/* ---- open ---- */

/* Address space of `bytes` that begins at a multiple of 1 GiB, as both ranges of Linux do. */
static char *reserve(struct km_memory *memory, unsigned slot, uint64_t bytes)
{
	uint64_t room = bytes + GIGA_BYTES;
	char *base =
		mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	memory->reserved[slot] = base;
	memory->reserved_bytes[slot] = room;
	return base + (GIGA_BYTES - (uintptr_t)base % GIGA_BYTES) % GIGA_BYTES;
}

static bool show(char *at, uint64_t bytes, int file, uint64_t offset)
{
	return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file,
		    (off_t)offset) != MAP_FAILED;
}

bool km_memory_is_split(const struct km_memory_layout *layout, uint64_t offset)
{
	struct km_env env = {.random_state = layout->seed + (offset >> BLOCK_SHIFT)};

	return km_env_random(&env) % 100 < layout->split_percent;
}

/* The direct map in 1 GiB pages of its own file, if the host has as many. */
static bool show_giant(struct km_memory *memory)
{
	uint64_t bytes = km_round_up(memory->direct_bytes, GIGA_BYTES);
	int file = memfd_create("kmlab-direct-map", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_1GB);

	if (file < 0)
		return false;
	/* Without MAP_NORESERVE the host says now whether the pages are there. */
	if (ftruncate(file, (off_t)bytes) || mmap(memory->direct, bytes, PROT_READ | PROT_WRITE,
						  MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
		close(file);
		return false;
	}
	memory->direct_file = file;
	return true;
}

static bool show_direct(struct km_memory *memory)
{
	struct km_memory_layout *layout = &memory->layout;
	uint64_t blocks = (memory->direct_bytes + BLOCK_BYTES - 1) >> BLOCK_SHIFT;

	if (layout->direct == KM_LEAF_1G && layout->may_be_apart && show_giant(memory))
		return true;
	if (layout->direct == KM_LEAF_1G)
		layout->direct = KM_LEAF_2M;
	if (!show(memory->direct, memory->direct_bytes, memory->file, 0))
		return false;
	/* Hosts without THP refuse the advice: then all pages are small, as the report will say. */
	madvise(memory->direct, memory->direct_bytes,
		layout->direct == KM_LEAF_4K ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	for (uint64_t i = 0; layout->direct == KM_LEAF_2M && layout->split_percent && i < blocks;
	     i++) {
		uint64_t offset = i << BLOCK_SHIFT, left = memory->direct_bytes - offset;

		if (km_memory_is_split(layout, offset))
			madvise(memory->direct + offset, left < BLOCK_BYTES ? left : BLOCK_BYTES,
				MADV_NOHUGEPAGE);
	}
	return true;
}

static int open_ranges(struct km_memory *memory, struct km_err *err)
{
	memory->file = memfd_create("kmlab-memory", MFD_CLOEXEC);
	if (memory->file < 0 || ftruncate(memory->file, (off_t)memory->direct_bytes))
		return km_fail(err, -errno, "memory: no file of %" PRIu64 " MiB in memory: %s",
			       memory->direct_bytes >> 20, strerror(errno));
	memory->direct = reserve(memory, 0, km_round_up(memory->direct_bytes, GIGA_BYTES));
	memory->vmalloc = memory->direct ? reserve(memory, 1, memory->vmalloc_bytes) : NULL;
	if (!memory->vmalloc || !show_direct(memory))
		return km_fail(err, -ENOMEM,
			       "memory: no address space for %" PRIu64 " MiB and a vmalloc range "
			       "of %" PRIu64 " MiB: %s; see ulimit -v",
			       memory->direct_bytes >> 20, memory->vmalloc_bytes >> 20,
			       strerror(errno));
	memory->backed = calloc((memory->direct_bytes >> BLOCK_SHIFT) + 1, 1);
	if (!memory->backed)
		return km_fail(err, -ENOMEM, "memory: out of memory");
	return 0;
}

int km_memory_open(uint64_t max_pfn, const struct km_memory_layout *layout, struct km_memory **out,
		   struct km_err *err)
{
	struct km_memory *memory = calloc(1, sizeof(*memory));
	int code;

	if (!memory || !max_pfn || max_pfn > UINT32_MAX) {
		free(memory);
		return km_fail(err, -EINVAL, "memory: a machine of %" PRIu64 " page frames",
			       max_pfn);
	}
	memory->file = memory->direct_file = -1;
	memory->layout = *layout;
	memory->direct_bytes = max_pfn << KM_PAGE_SHIFT;
	memory->vmalloc_start = layout->vmalloc_start ? layout->vmalloc_start : KM_VMALLOC_START;
	memory->vmalloc_bytes = layout->vmalloc_bytes ? layout->vmalloc_bytes
						      : memory->direct_bytes * 4 + GIGA_BYTES;
	code = open_ranges(memory, err);
	if (code)
		km_memory_close(memory);
	else
		*out = memory;
	return code;
}

void km_memory_close(struct km_memory *memory)
{
	if (!memory)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (memory->reserved[i])
			munmap(memory->reserved[i], memory->reserved_bytes[i]);
	if (memory->file >= 0)
		close(memory->file);
	if (memory->direct_file >= 0)
		close(memory->direct_file);
	free(memory->backed);
	free(memory);
}

/* ---- the vmalloc range ---- */

static int out_of_mappings(uint64_t addr, struct km_err *err)
{
	unsigned long long limit = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");

	if (file && fscanf(file, "%llu", &limit) != 1)
		limit = 0;
	if (file)
		fclose(file);
	return km_fail(err, -ENOMEM,
		       "memory: 0x%" PRIx64 " cannot be mapped: scattered pages need more than the "
		       "%llu mappings a process may have; sysctl -w vm.max_map_count=%llu",
		       addr, limit, limit * 8);
}

static int check_range(const struct km_memory *memory, uint64_t addr, uint64_t count,
		       struct km_err *err)
{
	uint64_t offset = addr - memory->vmalloc_start;

	if (addr % KM_PAGE_SIZE == 0 && offset < memory->vmalloc_bytes &&
	    count <= (memory->vmalloc_bytes - offset) >> KM_PAGE_SHIFT)
		return 0;
	return km_fail(err, -ERANGE,
		       "memory: %" PRIu64 " pages at 0x%" PRIx64 " lie outside the %" PRIu64
		       " MiB of the vmalloc range that are backed",
		       count, addr, memory->vmalloc_bytes >> 20);
}

static int show_run(struct km_memory *memory, uint64_t addr, km_pfn head, uint64_t count, bool huge,
		    struct km_err *err)
{
	char *at = memory->vmalloc + (addr - memory->vmalloc_start);
	uint64_t bytes = count << KM_PAGE_SHIFT;

	if (head.value + count > memory->direct_bytes >> KM_PAGE_SHIFT)
		return km_fail(err, -ERANGE, "memory: frame 0x%" PRIx64 " does not exist",
			       head.value);
	if (!show(at, bytes, memory->file, head.value << KM_PAGE_SHIFT))
		return errno == ENOMEM ? out_of_mappings(addr, err)
				       : km_fail(err, -errno, "memory: mmap: %s", strerror(errno));
	if (huge)
		madvise(at, bytes, MADV_HUGEPAGE);
	else if (count >= BLOCK_PAGES)
		madvise(at, bytes, MADV_NOHUGEPAGE); /* Linux writes 4 KiB entries here */
	return 0;
}

int km_memory_map(struct km_memory *memory, uint64_t addr, const km_pfn *pfns, uint64_t count,
		  struct km_err *err)
{
	int code = check_range(memory, addr, count, err);

	while (count && !code) {
		uint64_t run = 1;

		while (run < count && pfns[run].value == pfns[0].value + run)
			run++;
		code = show_run(memory, addr, pfns[0], run, false, err);
		addr += run << KM_PAGE_SHIFT;
		pfns += run;
		count -= run;
	}
	return code;
}

int km_memory_map_huge(struct km_memory *memory, uint64_t addr, km_pfn head, struct km_err *err)
{
	int code = check_range(memory, addr, BLOCK_PAGES, err);

	return code ? code : show_run(memory, addr, head, BLOCK_PAGES, true, err);
}

int km_memory_unmap(struct km_memory *memory, uint64_t addr, uint64_t count, struct km_err *err)
{
	int code = check_range(memory, addr, count, err);
	char *at = memory->vmalloc + (addr - memory->vmalloc_start);

	if (code || !count)
		return code;
	/* A reservation again, which joins its neighbours: the number of mappings falls. */
	if (mmap(at, count << KM_PAGE_SHIFT, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return out_of_mappings(addr, err);
	return 0;
}

/* ---- following a machine ---- */

static void note_failure(struct km_memory *memory, int code, const struct km_err *err)
{
	if (!code || memory->failed)
		return;
	memory->failed = code;
	memory->failure = *err;
}

static void on_mapped(void *self, uint64_t addr, const km_pfn *pfns, uint64_t count, bool huge)
{
	struct km_memory *memory = self;
	struct km_err err;
	int code;

	/* A device's frames (ioremap): there is nothing to touch. */
	if (pfns[0].value >= memory->direct_bytes >> KM_PAGE_SHIFT)
		return;
	code = huge ? km_memory_map_huge(self, addr, pfns[0], &err)
		    : km_memory_map(self, addr, pfns, count, &err);
	note_failure(self, code, &err);
}

static void on_unmapped(void *self, uint64_t addr, uint64_t count)
{
	struct km_err err;

	note_failure(self, km_memory_unmap(self, addr, count, &err), &err);
}

void km_memory_follow(struct km_memory *memory, struct km_env *env)
{
	env->mapped = on_mapped;
	env->unmapped = on_unmapped;
	env->memory = memory;
}

int km_memory_failure(const struct km_memory *memory, struct km_err *err)
{
	return memory->failed ? km_fail(err, memory->failed, "%s", memory->failure.text) : 0;
}

/* ---- taking memory before it is touched ---- */

static bool populate(char *at, uint64_t bytes)
{
	return madvise(at, bytes, MADV_POPULATE_WRITE) == 0;
}

/* One page of 2 MiB if the layout wants it: asked for at once, where the host only does so later.
 */
static bool back_block(struct km_memory *memory, uint64_t block)
{
	uint64_t offset = block << BLOCK_SHIFT, left = memory->direct_bytes - offset;
	uint64_t bytes = left < BLOCK_BYTES ? left : BLOCK_BYTES;
	char *at = memory->direct + offset;

	if (memory->backed[block])
		return true;
	memory->backed[block] = 1;
	memory->touched_blocks++;
	if (memory->layout.direct == KM_LEAF_2M && bytes == BLOCK_BYTES &&
	    !km_memory_is_split(&memory->layout, offset)) {
		/* A block without any page is not collapsed. */
		volatile char *first = at;

		*first = *first;
		if (madvise(at, bytes, MADV_COLLAPSE))
			memory->refused_blocks++;
	}
	return populate(at, bytes);
}

int km_memory_back(struct km_memory *memory, uint64_t addr, uint64_t bytes, struct km_err *err)
{
	uint64_t offset = addr - KM_DIRECT_MAP_BASE, end;
	char *at = km_memory_pointer(memory, addr);
	bool done = at != NULL;

	if (!bytes)
		return 0;
	if (offset < memory->direct_bytes) {
		end = offset + bytes;
		done = end <= memory->direct_bytes;
		for (uint64_t block = offset >> BLOCK_SHIFT; done && block << BLOCK_SHIFT < end;
		     block++)
			done = back_block(memory, block);
	} else if (done) {
		uint64_t lead = addr & (KM_PAGE_SIZE - 1);

		done = populate(at - lead, km_round_up(lead + bytes, KM_PAGE_SIZE));
	}
	return done ? 0
		    : km_fail(err, -ENOMEM,
			      "memory: %" PRIu64 " bytes at 0x%" PRIx64
			      " are not mapped, or the host has no memory for them",
			      bytes, addr);
}
