/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included first in every source of a module, itself not instrumented: what a compiler calls of its
 * own accord. Accesses are reported to the runner, which knows what belongs to whom (as KASAN does
 * in a kernel built with it); copies of structures are memcpy.
 */
#ifndef _LINUX_KMLAB_GLUE_H
#define _LINUX_KMLAB_GLUE_H

#include <linux/kmlab.h>
#include <linux/types.h>

#define KMLAB_FROM __builtin_return_address(0)
#define KMLAB_GLUE __attribute__((__weak__, __noinline__, __no_sanitize_address__))

#define KMLAB_ACCESS(bytes)                                                                        \
	void __asan_load##bytes##_noabort(void *p);                                                \
	KMLAB_GLUE void __asan_load##bytes##_noabort(void *p)                                      \
	{                                                                                          \
		kmlab_api->access(p, bytes, 0, KMLAB_FROM);                                        \
	}                                                                                          \
	void __asan_store##bytes##_noabort(void *p);                                               \
	KMLAB_GLUE void __asan_store##bytes##_noabort(void *p)                                     \
	{                                                                                          \
		kmlab_api->access(p, bytes, 1, KMLAB_FROM);                                        \
	}
KMLAB_ACCESS(1)
KMLAB_ACCESS(2)
KMLAB_ACCESS(4)
KMLAB_ACCESS(8)
KMLAB_ACCESS(16)

void __asan_loadN_noabort(void *p, size_t bytes);
KMLAB_GLUE void __asan_loadN_noabort(void *p, size_t bytes)
{
	kmlab_api->access(p, bytes, 0, KMLAB_FROM);
}
void __asan_storeN_noabort(void *p, size_t bytes);
KMLAB_GLUE void __asan_storeN_noabort(void *p, size_t bytes)
{
	kmlab_api->access(p, bytes, 1, KMLAB_FROM);
}
void __asan_handle_no_return(void);
KMLAB_GLUE void __asan_handle_no_return(void)
{
}

void *memcpy(void *to, const void *from, size_t n);
KMLAB_GLUE void *memcpy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((char *)to)[i] = ((const char *)from)[i];
	return to;
}
KMLAB_GLUE void *memset(void *to, int byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((char *)to)[i] = (char)byte;
	return to;
}
KMLAB_GLUE void *memmove(void *to, const void *from, size_t n)
{
	if ((char *)to <= (const char *)from)
		return memcpy(to, from, n);
	while (n--)
		((char *)to)[n] = ((const char *)from)[n];
	return to;
}
KMLAB_GLUE int memcmp(const void *a, const void *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)a)[i] != ((const unsigned char *)b)[i])
			return ((const unsigned char *)a)[i] - ((const unsigned char *)b)[i];
	return 0;
}
/* Where the static per-CPU variables are, if there are any. */
extern const char __start_kmlab_percpu[] __attribute__((__weak__));
extern const char __stop_kmlab_percpu[] __attribute__((__weak__));
__attribute__((__weak__)) const char *kmlab_percpu_first = __start_kmlab_percpu;
__attribute__((__weak__)) const char *kmlab_percpu_end = __stop_kmlab_percpu;

/* Some compilers' checks; a module has no host's C library. */
void __stack_chk_fail(void);
KMLAB_GLUE void __stack_chk_fail(void)
{
	__builtin_trap();
}

#endif
