/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a trace tells of its machine, replaced under a key: who has not the key cannot get it back,
 * and the same key gives the same replacements, so that traces of one machine stay comparable.
 *
 * Memory keeps what allocators see of it: blocks of 4 MiB are permuted within their zone (16 MiB,
 * 4 GiB, the rest), so offsets in pages, slabs, 2 MiB blocks and the largest buddies, and reuse,
 * stay. vmalloc and per-CPU pointers move as a whole, so neighbours stay neighbours. Where the
 * kernel had put its mappings (KASLR) is gone. Tasks, commands and cgroups become numbers.
 * Kernel symbols, modules, names of caches, sizes, flags and times stay: they are what a trace is
 * for, and tell which kernel code ran, and when.
 */
#ifndef KMLAB_TRACES_ANONYMISE_H
#define KMLAB_TRACES_ANONYMISE_H

#include "trace.h"

#define KM_KEY_BYTES 16

/* SipHash-2-4 (Aumasson, Bernstein 2012) of the bytes. */
uint64_t km_siphash(const uint8_t key[KM_KEY_BYTES], const void *bytes, size_t size);

/*
 * A number below n -> another below n, each once (a Feistel network, walked until it is below n).
 * `domain` tells different uses apart. 0 < n <= 2^62.
 */
uint64_t km_permute(const uint8_t key[KM_KEY_BYTES], unsigned domain, uint64_t n, uint64_t number);

struct km_anonymise {
	uint8_t key[KM_KEY_BYTES];
	uint64_t direct_map, vmalloc_start;
	uint64_t blocks; /* of 4 MiB: as far as pages and slabs of the trace go */
};

/* Reads through the trace to see how far its memory goes. 0 or -errno. */
int km_anonymise_begin(struct km_anonymise *anonymise, struct km_trace *trace,
		       const uint8_t key[KM_KEY_BYTES], struct km_err *err);
uint64_t km_anonymise_ptr(const struct km_anonymise *anonymise, unsigned kind, uint64_t ptr);
void km_anonymise_task(const struct km_anonymise *anonymise, struct km_trace_task *task);
uint64_t km_anonymise_cgroup(const struct km_anonymise *anonymise, uint64_t id);
/* "/<number>/<number>", as deep as the path: into text, returned. */
const char *km_anonymise_path(const struct km_anonymise *anonymise, const char *path, char *text,
			      size_t size);
/* May the fact, or the snapshot, stay as it is? */
bool km_anonymise_keeps_meta(const char *key);
bool km_anonymise_keeps_source(const char *source);

#endif
