/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is fuzzed: each target takes any bytes and must neither crash, hang nor leak, nor break the
 * property it states. libFuzzer runs one of them (fuzz_main.c), and traces/tests/t_fuzz.c all of
 * them over the kept corpus.
 */
#ifndef KMLAB_TRACES_FUZZ_TARGETS_H
#define KMLAB_TRACES_FUZZ_TARGETS_H

#include <kmlab/types.h>

struct km_fuzz_target {
	const char *name; /* also the corpus' folder */
	void (*run)(const uint8_t *data, size_t size);
	/* Its own way to change an input, as LLVMFuzzerCustomMutator(), or NULL. */
	size_t (*mutate)(uint8_t *data, size_t size, size_t room, unsigned seed);
};

extern const struct km_fuzz_target km_fuzz_targets[];
extern const unsigned km_nr_fuzz_targets;
/* NULL: there is none of that name. */
const struct km_fuzz_target *km_fuzz_target_find(const char *name);

/*
 * Events of a chunk: the bytes are a struct km_fuzz_chunk and then the chunk. What can be decoded
 * can be encoded and decoded again to the same events; examined without its row it is the same; and
 * a selection of it is what the whole has of that.
 */
struct km_fuzz_chunk {
	uint64_t t_min, t_max;
	uint32_t kinds, sites, tasks, caches, stacks;
	uint8_t sorted, without, wanted[2]; /* of the selection: KM_WITHOUT_*, kinds */
};
void km_fuzz_chunk(const uint8_t *data, size_t size);
size_t km_fuzz_chunk_mutate(uint8_t *data, size_t size, size_t room, unsigned seed);

/* A trace file: examined, opened, every event read and paired, its snapshots, SQL over it. */
void km_fuzz_trace(const uint8_t *data, size_t size);

/* Lines of text traces alone, which is fast; then whole files of others, into a trace. */
void km_fuzz_lines(const uint8_t *data, size_t size);
void km_fuzz_perf(const uint8_t *data, size_t size);
void km_fuzz_ftrace(const uint8_t *data, size_t size);
void km_fuzz_llfree(const uint8_t *data, size_t size);

/* Where targets put files: in memory where there is such a place; path has room for 64 bytes. */
const char *km_fuzz_file(char path[64], const char *suffix);

#endif
