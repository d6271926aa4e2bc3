/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of several MiB that is all used: in huge pages where the kernel has them, as faulting it
 * in by pages of 4 KiB takes as long as what is done in it. A multiple of 2 MiB is aligned to that.
 */
#ifndef KMLAB_HUGE_H
#define KMLAB_HUGE_H

#include <stddef.h>
#include <sys/mman.h>

#define KM_HUGE_BYTES ((size_t)2 << 20)

/* All 0; NULL: there is no memory. */
static inline void *km_huge_map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, bytes, MADV_HUGEPAGE); /* or not */
	return at;
}

/* More of it, the new part all 0; it may move. NULL: there is no memory, all is as before. */
static inline void *km_huge_grow(void *at, size_t from_bytes, size_t to_bytes)
{
	void *grown = mremap(at, from_bytes, to_bytes, MREMAP_MAYMOVE);

	return grown == MAP_FAILED ? NULL : grown;
}

/* NULL: nothing is done. */
static inline void km_huge_unmap(void *at, size_t bytes)
{
	if (at)
		munmap(at, bytes);
}

#endif
