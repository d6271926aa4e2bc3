/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is used again. A sanitizer gives each large block pages of its own and takes them
 * back, which took a third of the time of reading a trace; here blocks of 64 KiB and more come from
 * a region, exact to the byte: what lies behind a block is poisoned, and its beginning once it is
 * freed. SQLite's blocks of up to 2 KiB are kept likewise, unpoisoned: SQLite is not what is
 * tested.
 */
#include "traces/fuzz/program/program.h"
#include <errno.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

#define REGION (8ull << 30) /* of address space */
#define LEAST_BITS 16
#define CLASSES 14      /* up to 512 MiB */
#define GUARD 4096u     /* behind each block */
#define POISONED 65536u /* at the beginning of a block that was freed */
#define BLOCKS_MAX 512u /* more at a time are leaks */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument);

/* Before a block, in a page of its own with the guard of the block before. */
struct head {
	struct head *next;
	size_t size;
	unsigned class;
};

static struct {
	char *begin, *end; /* of what is carved into blocks */
	struct head *free[CLASSES];
	unsigned used;
	atomic_flag taken;
} pool = {.taken = ATOMIC_FLAG_INIT};

static void lock(atomic_flag *flag)
{
	while (atomic_flag_test_and_set_explicit(flag, memory_order_acquire))
		;
}

static void unlock(atomic_flag *flag)
{
	atomic_flag_clear_explicit(flag, memory_order_release);
}

/* ---- large blocks ---- */

static size_t block_bytes(unsigned class)
{
	return (size_t)1 << (LEAST_BITS + class);
}

static bool is_pooled(const void *block)
{
	return (const char *)block >= pool.begin && (const char *)block < pool.end;
}

static struct head *head_of(const void *block)
{
	return (struct head *)(void *)((char *)(uintptr_t)block - GUARD);
}

/* NULL: there is no region or no room left in it. */
static struct head *carve(unsigned class)
{
	size_t bytes = GUARD + block_bytes(class) + GUARD;
	struct head *head = (struct head *)(void *)pool.end;

	if (!pool.begin || bytes > REGION - (size_t)(pool.end - pool.begin))
		return NULL;
	pool.end += bytes;
	__lsan_register_root_region(head, bytes);
	ASAN_POISON_MEMORY_REGION(head + 1, GUARD - sizeof(*head));
	head->class = class;
	return head;
}

/* Of which so many bytes may be used. */
static void show(struct head *head, size_t size)
{
	char *block = (char *)head + GUARD;

	ASAN_UNPOISON_MEMORY_REGION(block, size < POISONED ? size : POISONED);
	ASAN_POISON_MEMORY_REGION(block + size, GUARD);
	head->size = size;
}

static void *take(size_t size)
{
	unsigned class = 0;
	struct head *head;

	while (class < CLASSES && block_bytes(class) < size)
		class ++;
	if (class == CLASSES)
		return __real_malloc(size);
	lock(&pool.taken);
	head = pool.free[class];
	if (head)
		pool.free[class] = head->next;
	else
		head = carve(class);
	pool.used += head != NULL;
	unlock(&pool.taken);
	if (!head)
		return __real_malloc(size);
	show(head, size);
	return (char *)head + GUARD;
}

static void give(void *block)
{
	struct head *head = head_of(block);
	size_t hidden = head->size < POISONED ? head->size : POISONED;

	/* The guard moves with the size. */
	ASAN_UNPOISON_MEMORY_REGION((char *)block + head->size, GUARD);
	ASAN_POISON_MEMORY_REGION(block, hidden);
	lock(&pool.taken);
	head->next = pool.free[head->class];
	pool.free[head->class] = head;
	pool.used--;
	unlock(&pool.taken);
}

void *__wrap_malloc(size_t size)
{
	return size < block_bytes(0) ? __real_malloc(size) : take(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	size_t bytes;
	void *block;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes < block_bytes(0))
		return __real_calloc(n, size);
	block = take(bytes);
	return block ? memset(block, 0, bytes) : NULL;
}

void __wrap_free(void *block)
{
	if (is_pooled(block))
		give(block);
	else
		__real_free(block);
}

void *__wrap_realloc(void *block, size_t size)
{
	size_t had;
	void *moved;

	if (!block || !is_pooled(block))
		return block ? __real_realloc(block, size) : __wrap_malloc(size);
	had = head_of(block)->size;
	moved = __wrap_malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, block, had < size ? had : size);
	give(block);
	return moved;
}

/* ---- SQLite's blocks ---- */

#define SMALL_STEP 64u
#define SMALL_MAX 2048u
#define SIZE_WORD 16u /* before each block: its size */

static struct {
	void *free[SMALL_MAX / SMALL_STEP];
	atomic_flag taken;
} small = {.taken = ATOMIC_FLAG_INIT};

static int rounded(int size)
{
	return (int)((unsigned)(size ? size : 1) + SMALL_STEP - 1) & ~(int)(SMALL_STEP - 1);
}

static int size_of(void *block)
{
	return *(int *)(void *)((char *)block - SIZE_WORD);
}

static void *sql_malloc(int size)
{
	int room = rounded(size);
	void **list = (unsigned)room <= SMALL_MAX ? &small.free[room / (int)SMALL_STEP - 1] : NULL;
	char *block = NULL;

	lock(&small.taken);
	if (list && *list) {
		block = *list;
		*list = *(void **)(void *)block;
	}
	unlock(&small.taken);
	if (block)
		return block;
	block = __wrap_malloc((size_t)room + SIZE_WORD);
	if (!block)
		return NULL;
	*(int *)(void *)block = room;
	return block + SIZE_WORD;
}

static void sql_free(void *block)
{
	int room = size_of(block);

	if ((unsigned)room > SMALL_MAX) {
		__wrap_free((char *)block - SIZE_WORD);
		return;
	}
	lock(&small.taken);
	*(void **)block = small.free[room / (int)SMALL_STEP - 1];
	small.free[room / (int)SMALL_STEP - 1] = block;
	unlock(&small.taken);
}

static void *sql_realloc(void *block, int size)
{
	int had = size_of(block);
	void *moved;

	if (size <= had && rounded(size) == had)
		return block;
	moved = sql_malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, block, (size_t)(had < size ? had : size));
	sql_free(block);
	return moved;
}

static int sql_begin(void *unused)
{
	(void)unused;
	return SQLITE_OK;
}

static void sql_end(void *unused)
{
	(void)unused;
}

/* ---- zstd's contexts ---- */

#define CONTEXTS 8

ZSTD_DCtx *__real_ZSTD_createDCtx(void);
size_t __real_ZSTD_freeDCtx(ZSTD_DCtx *context);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *context);

static struct {
	ZSTD_DCtx *spare[CONTEXTS];
	unsigned n;
	atomic_flag taken;
} contexts = {.taken = ATOMIC_FLAG_INIT};

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
	ZSTD_DCtx *context = NULL;

	lock(&contexts.taken);
	if (contexts.n)
		context = contexts.spare[--contexts.n];
	unlock(&contexts.taken);
	return context ? context : __real_ZSTD_createDCtx();
}

size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *context)
{
	bool kept = false;

	if (context)
		ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters);
	lock(&contexts.taken);
	if (context && contexts.n < CONTEXTS) {
		contexts.spare[contexts.n++] = context;
		kept = true;
	}
	unlock(&contexts.taken);
	return kept ? 0 : __real_ZSTD_freeDCtx(context);
}

/* ---- threads ---- */

static bool threads_wanted = true;

void km_fuzz_threads(bool wanted)
{
	threads_wanted = wanted;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument)
{
	return threads_wanted ? __real_pthread_create(thread, attributes, run, argument) : EAGAIN;
}

/* ---- begin, check ---- */

void km_fuzz_memory_begin(void)
{
	static const sqlite3_mem_methods methods = {sql_malloc, sql_free,  sql_realloc, size_of,
						    rounded,    sql_begin, sql_end,     NULL};
	void *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (region == MAP_FAILED || sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		abort();
	pool.begin = pool.end = region;
}

void km_fuzz_memory_check(void)
{
	if (pool.used <= BLOCKS_MAX)
		return;
	fprintf(stderr, "%u large blocks were not freed\n", pool.used);
	abort();
}
