/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Real memory behind a machine's addresses, so that touching an object costs what it costs. The
 * machine's page frames are one sparse file in memory: frame n lies at offset n * 4 KiB and is
 * taken from the host when it is touched first. The direct map shows that file once, in pages as
 * large as the host gives; the vmalloc range shows the same frames once more, each area virtually
 * contiguous and physically where the model put it, in 4 KiB pages (2 MiB ones where the model
 * mapped a huge leaf). What is written through one is read through the other.
 *
 * Which pages the host really gave is told by km_memory_pages(), read from /proc/self/smaps. A
 * hypervisor below may split them again: no guest can see that there.
 */
#ifndef REPLAY_MEMORY_H
#define REPLAY_MEMORY_H

#include <kmlab/env.h>
#include <kmlab/err.h>
#include <kmlab/types.h>

enum km_leaf { KM_LEAF_4K, KM_LEAF_2M, KM_LEAF_1G, KM_NR_LEAVES };

struct km_memory_layout {
	enum km_leaf direct; /* wanted for the direct map; smaller ones where there are none */
	unsigned
		split_percent; /* of its 2 MiB blocks are mapped in 4 KiB pages (KM_LEAF_2M only) */
	uint64_t seed;         /* which ones */
	/*
	 * 1 GiB pages come from hugetlbfs, which cannot be shown in 4 KiB pieces. Allowed to be
	 * apart, the direct map and the vmalloc range are then two memories of equal layout; else
	 * the direct map gets 2 MiB pages.
	 */
	bool may_be_apart;
	uint64_t vmalloc_start; /* 0: KM_VMALLOC_START */
	uint64_t vmalloc_bytes; /* of the vmalloc range from its start; 0: 4 * memory + 1 GiB */
};

/* Pointers and sizes are for the inline functions below; the rest is private. */
struct km_memory {
	char *direct, *vmalloc;
	uint64_t direct_bytes, vmalloc_start, vmalloc_bytes;
	struct km_memory_layout layout; /* direct: what could be had */
	int file, direct_file;          /* the same but for 1 GiB pages */
	uint8_t *backed;                /* per 2 MiB block: its pages are there */
	void *reserved[2];              /* address space around both, bytes below */
	uint64_t reserved_bytes[2];
	uint64_t touched_blocks, refused_blocks; /* 2 MiB blocks; refused: not given as one page */
	struct km_err failure; /* the first of a following map: km_memory_failure() */
	int failed;
};

/* "1G", "2M", "4K", "split:25%": the direct map of a layout. 0 or -EINVAL with a sentence. */
int km_memory_parse(const char *text, struct km_memory_layout *layout, struct km_err *err);

/*
 * Is the 2 MiB block at that offset of the direct map mapped in 4 KiB pages? split_percent of the
 * blocks are in the long run, the same ones for a seed.
 */
bool km_memory_is_split(const struct km_memory_layout *layout, uint64_t offset);

/* Frames [0, max_pfn). 0 or -errno with a sentence. Costs address space until touched. */
int km_memory_open(uint64_t max_pfn, const struct km_memory_layout *layout,
		   struct km_memory **memory, struct km_err *err);
void km_memory_close(struct km_memory *memory);

/*
 * The host's pointer to an address of the machine, NULL outside of both ranges. In the vmalloc
 * range it may be followed only where something is mapped: elsewhere the host kills, as Linux does.
 */
static inline void *km_memory_pointer(const struct km_memory *memory, uint64_t addr)
{
	uint64_t offset = addr - KM_DIRECT_MAP_BASE;

	if (offset < memory->direct_bytes)
		return memory->direct + offset;
	offset = addr - memory->vmalloc_start;
	return offset < memory->vmalloc_bytes ? memory->vmalloc + offset : NULL;
}

/* The address of the machine behind a host pointer, 0 outside of both ranges. */
static inline uint64_t km_memory_address(const struct km_memory *memory, const void *pointer)
{
	uint64_t offset = (uint64_t)((const char *)pointer - memory->direct);

	if (offset < memory->direct_bytes)
		return KM_DIRECT_MAP_BASE + offset;
	offset = (uint64_t)((const char *)pointer - memory->vmalloc);
	return offset < memory->vmalloc_bytes ? memory->vmalloc_start + offset : 0;
}

/*
 * Show frames pfns[0 .. count) from addr on, or none. Neighbouring frames take one mapping of the
 * host together. 0, -ERANGE (outside of the range), -ENOMEM with the remedy when the host's limit
 * of mappings is reached.
 */
int km_memory_map(struct km_memory *memory, uint64_t addr, const km_pfn *pfns, uint64_t count,
		  struct km_err *err);
/* 512 frames from `head` on as one 2 MiB page, where the host gives one. */
int km_memory_map_huge(struct km_memory *memory, uint64_t addr, km_pfn head, struct km_err *err);
int km_memory_unmap(struct km_memory *memory, uint64_t addr, uint64_t count, struct km_err *err);

/*
 * The vmalloc range follows the page tables of the machine that will be created with this env. What
 * cannot be mapped is remembered: ask km_memory_failure() before touching.
 */
void km_memory_follow(struct km_memory *memory, struct km_env *env);
/* 0, or the first failure of following, with its sentence. */
int km_memory_failure(const struct km_memory *memory, struct km_err *err);

/*
 * Take the memory behind [addr, addr + bytes) now, in the layout's page size, so that touching it
 * later does not fault. 0 or -errno with a sentence.
 */
int km_memory_back(struct km_memory *memory, uint64_t addr, uint64_t bytes, struct km_err *err);

/* What the host's page tables hold of both ranges now, in bytes. */
struct km_memory_pages {
	uint64_t direct[KM_NR_LEAVES], vmalloc[KM_NR_LEAVES];
	uint64_t mappings; /* of the host's limit vm.max_map_count */
};
int km_memory_pages(const struct km_memory *memory, struct km_memory_pages *pages,
		    struct km_err *err);
/* "4K" "2M" "1G" */
const char *km_leaf_name(enum km_leaf leaf);

#endif
