/* SPDX-License-Identifier: GPL-2.0-only */
/* Replaces what identifies a machine and its work; what stays is said in the header. */
#include "anonymise.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SHIFT 22 /* the largest buddy */
#define ROUNDS 6
#define IMAGE_START 0xffffffff80000000ull /* kernel image and modules */

/* What the key is used for: equal numbers of different kinds are replaced differently. */
enum domain { DOMAIN_BLOCK, DOMAIN_VMALLOC, DOMAIN_PERCPU, DOMAIN_IMAGE, DOMAIN_TID, DOMAIN_NAME };

/* ---- SipHash-2-4 ---- */

static uint64_t load64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], unsigned rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t km_siphash(const uint8_t key[KM_KEY_BYTES], const void *bytes, size_t size)
{
	uint64_t k0 = load64(key), k1 = load64(key + 8), word;
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull,
			 k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull};
	const uint8_t *from = bytes;
	uint8_t tail[8] = {0};
	size_t left = size;

	for (; left >= 8; left -= 8, from += 8) {
		word = load64(from);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	if (left)
		memcpy(tail, from, left);
	tail[7] = (uint8_t)size;
	word = load64(tail);
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t hash_number(const uint8_t key[KM_KEY_BYTES], unsigned domain, unsigned round,
			    uint64_t number)
{
	uint64_t words[2] = {(uint64_t)domain << 32 | round, number};

	return km_siphash(key, words, sizeof(words));
}

uint64_t km_permute(const uint8_t key[KM_KEY_BYTES], unsigned domain, uint64_t n, uint64_t number)
{
	unsigned half = 1;
	uint64_t mask;

	while (1ull << 2 * half < n)
		half++;
	mask = (1ull << half) - 1;
	do {
		uint64_t left = number >> half, right = number & mask, next;

		for (unsigned round = 0; round < ROUNDS; round++) {
			next = left ^ (hash_number(key, domain, round, right) & mask);
			left = right;
			right = next;
		}
		number = left << half | right;
	} while (number >= n);
	return number;
}

/* ---- addresses ---- */

/* Blocks that may change places: the zones below 16 MiB and 4 GiB stay themselves. */
static uint64_t permute_block(const struct km_anonymise *anonymise, uint64_t block)
{
	const uint64_t ends[] = {4, 1024, UINT64_MAX};
	uint64_t begin = 0, end;

	for (unsigned zone = 0;; begin = ends[zone++]) {
		end = ends[zone] < anonymise->blocks ? ends[zone] : anonymise->blocks;
		if (block < end)
			return begin + km_permute(anonymise->key, DOMAIN_BLOCK + 16 * zone,
						  end - begin, block - begin);
		if (end == anonymise->blocks)
			return block; /* beyond all that was seen: cannot be */
	}
}

static uint64_t move_percpu(const struct km_anonymise *anonymise, uint64_t ptr)
{
	return ptr ? ptr + ((hash_number(anonymise->key, DOMAIN_PERCPU, 0, 0) & 0x3ff) << 21) : 0;
}

static uint64_t move_address(const struct km_anonymise *anonymise, uint64_t ptr)
{
	uint64_t offset = ptr - anonymise->direct_map;

	if (ptr <= 16)
		return ptr;
	if (offset < anonymise->blocks << BLOCK_SHIFT)
		return KM_DIRECT_MAP_BASE +
		       (permute_block(anonymise, offset >> BLOCK_SHIFT) << BLOCK_SHIFT) +
		       (offset & ((1ull << BLOCK_SHIFT) - 1));
	if (ptr >= anonymise->vmalloc_start && ptr < IMAGE_START)
		return KM_VMALLOC_START + (ptr - anonymise->vmalloc_start) +
		       ((hash_number(anonymise->key, DOMAIN_VMALLOC, 0, 0) & 0x3ffff)
			<< BLOCK_SHIFT);
	return IMAGE_START +
	       (hash_number(anonymise->key, DOMAIN_IMAGE, 0, ptr / KM_PAGE_SIZE) & 0x3ffff) *
		       KM_PAGE_SIZE +
	       ptr % KM_PAGE_SIZE;
}

uint64_t km_anonymise_ptr(const struct km_anonymise *anonymise, unsigned kind, uint64_t ptr)
{
	const unsigned shift = BLOCK_SHIFT - KM_PAGE_SHIFT;

	switch (km_event_group_of(kind)) {
	case KM_GROUP_PAGE:
		return ptr == UINT64_MAX ? ptr
					 : permute_block(anonymise, ptr >> shift) << shift |
						   (ptr & ((1u << shift) - 1));
	case KM_GROUP_PERCPU:
		return move_percpu(anonymise, ptr);
	default:
		return move_address(anonymise, ptr);
	}
}

/* Memory of the direct map goes as far as pages were seen, and objects below vmalloc's area. */
static void see(struct km_anonymise *anonymise, const struct km_event *event)
{
	uint64_t block = 0;

	switch (km_event_group_of(event->kind)) {
	case KM_GROUP_PAGE:
		if (event->ptr < UINT64_MAX >> KM_PAGE_SHIFT)
			block = event->ptr >> (BLOCK_SHIFT - KM_PAGE_SHIFT);
		break;
	case KM_GROUP_SLAB:
	case KM_GROUP_RCU:
		if (event->ptr >= anonymise->direct_map && event->ptr < anonymise->vmalloc_start)
			block = (event->ptr - anonymise->direct_map) >> BLOCK_SHIFT;
		break;
	default:
		return;
	}
	if (block >= anonymise->blocks)
		anonymise->blocks = block + 1;
}

int km_anonymise_begin(struct km_anonymise *anonymise, struct km_trace *trace,
		       const uint8_t key[KM_KEY_BYTES], struct km_err *err)
{
	const char *vmalloc = km_trace_meta(trace, "vmalloc_start");
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	size_t got;
	int code;

	*anonymise = (struct km_anonymise){.direct_map = km_trace_direct_map(trace),
					   .vmalloc_start = vmalloc ? strtoull(vmalloc, NULL, 0)
								    : KM_VMALLOC_START};
	memcpy(anonymise->key, key, KM_KEY_BYTES);
	if (anonymise->vmalloc_start < anonymise->direct_map)
		anonymise->vmalloc_start = IMAGE_START;
	code = km_trace_cursor_open(trace, NULL, &cursor, err);
	if (code)
		return code;
	while (!(code = km_trace_next_run(cursor, &events, &got, err)) && got)
		for (size_t i = 0; i < got; i++)
			see(anonymise, &events[i]);
	km_trace_cursor_close(cursor);
	return code;
}

/* ---- names ---- */

static uint32_t hash_name(const struct km_anonymise *anonymise, const char *name, size_t length)
{
	char bytes[64] = {DOMAIN_NAME};

	if (length > sizeof(bytes) - 1)
		return (uint32_t)km_siphash(anonymise->key, name, length);
	memcpy(bytes + 1, name, length);
	return (uint32_t)km_siphash(anonymise->key, bytes, length + 1);
}

static uint32_t move_tid(const struct km_anonymise *anonymise, uint32_t tid)
{
	const uint32_t n = 1u << 31;

	return !tid || tid >= n
		       ? tid
		       : 1 + (uint32_t)km_permute(anonymise->key, DOMAIN_TID, n - 1, tid - 1);
}

/* 0 is the idle task of each CPU, in every trace. */
void km_anonymise_task(const struct km_anonymise *anonymise, struct km_trace_task *task)
{
	char comm[sizeof(task->comm)];
	size_t length = strnlen(task->comm, sizeof(task->comm));

	task->tid = move_tid(anonymise, task->tid);
	task->tgid = move_tid(anonymise, task->tgid);
	task->cgroup = km_anonymise_cgroup(anonymise, task->cgroup);
	if (!length)
		return;
	snprintf(comm, sizeof(comm), "task-%08x", hash_name(anonymise, task->comm, length));
	memcpy(task->comm, comm, sizeof(comm));
}

uint64_t km_anonymise_cgroup(const struct km_anonymise *anonymise, uint64_t id)
{
	const uint64_t n = 1ull << 62;

	return !id || id >= n ? id : 1 + km_permute(anonymise->key, DOMAIN_NAME, n - 1, id - 1);
}

const char *km_anonymise_path(const struct km_anonymise *anonymise, const char *path, char *text,
			      size_t size)
{
	size_t used = 0;

	snprintf(text, size, "/");
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length && used + 1 < size)
			used += (size_t)snprintf(text + used, size - used, "/%08x",
						 hash_name(anonymise, path, length));
		path += length + (path[length] == '/');
	}
	return text;
}

/* ---- what stays ---- */

static bool among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

bool km_anonymise_keeps_meta(const char *key)
{
	static const char *const keys[] = {
		"kernel",       "machine",  "cpus",   "possible_cpus", "present_cpus",
		"memory_bytes", "profile",  "groups", "sample",        "start",
		"version",      "imported", "loss",   "fired"};

	return among(key, keys, sizeof(keys) / sizeof(*keys));
}

bool km_anonymise_keeps_source(const char *source)
{
	static const char *const sources[] = {
		"/proc/buddyinfo",
		"/proc/meminfo",
		"/proc/pagetypeinfo",
		"/proc/slabinfo",
		"/proc/vmstat",
		"/proc/zoneinfo",
		"/proc/sys/vm/lowmem_reserve_ratio",
		"/proc/sys/vm/min_free_kbytes",
		"/proc/sys/vm/percpu_pagelist_high_fraction",
		"/proc/sys/vm/watermark_boost_factor",
		"/proc/sys/vm/watermark_scale_factor",
		"/sys/kernel/mm/transparent_hugepage/defrag",
		"/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/kernel/tracing/events/kmem/kmalloc/format",
		"slab shrink",
		"sysfs slab",
	};

	return among(source, sources, sizeof(sources) / sizeof(*sources));
}
