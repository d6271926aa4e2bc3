/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is fuzzed: each target takes any bytes and must neither crash, hang nor leak, nor break the
 * property it states. libFuzzer runs one of them (program/main.c), and FOLDER/tests/t_fuzz.c all of
 * a folder over its kept corpus, FOLDER/fuzz/corpus.tar.xz.
 */
#ifndef KMLAB_TRACES_FUZZ_TARGETS_H
#define KMLAB_TRACES_FUZZ_TARGETS_H

#include <kmlab/types.h>

struct km_fuzz_target {
	const char *name; /* also the corpus' folder */
	void (*run)(const uint8_t *data, size_t size);
	/* Its own way to change an input, as LLVMFuzzerCustomMutator(), or NULL. */
	size_t (*mutate)(uint8_t *data, size_t size, size_t room, unsigned seed);
	struct km_fuzz_target *next; /* of those in the program */
};

/* Before main(), of each target that is linked. */
void km_fuzz_register(struct km_fuzz_target *target);
#define KM_FUZZ_TARGET(id, run_it, mutate_it)                                                      \
	__attribute__((constructor)) static void register_##id(void)                               \
	{                                                                                          \
		static struct km_fuzz_target target = {                                            \
			.name = #id, .run = run_it, .mutate = mutate_it};                          \
                                                                                                   \
		km_fuzz_register(&target);                                                         \
	}

/* By name; the first of all, and each one's next. NULL: there is none (of that name). */
const struct km_fuzz_target *km_fuzz_target_find(const char *name);
const struct km_fuzz_target *km_fuzz_first_target(void);

/* From libFuzzer; absent where the corpus is only replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) __attribute__((weak));

struct km_trace_writer;
struct km_import_report;

/*
 * How libFuzzer's program spares what need not be done millions of times (program/). NULL where the
 * corpus is replayed: there all is as in kmlab.
 */
struct km_fuzz_shortcuts {
	/*
	 * Takes what an importer writes and ends the program where the true writer would refuse it
	 * or `kmlab check` would find the trace unsound; keeps nothing.
	 */
	struct km_trace_writer *(*sink_open)(void);
	/* The importer has accepted its input: is the ledger whole? */
	void (*sink_close)(const struct km_import_report *report);
	/* The bytes as a file in memory, for SQLite, stat() and access(); the last one is gone. */
	const char *(*memory_file)(const uint8_t *data, size_t size);
	/* Are threads to be made from here on, or do callers have to do without? */
	void (*threads)(bool wanted);
};
extern const struct km_fuzz_shortcuts *km_fuzz_shortcuts;

/*
 * The bytes as a file that SQLite opens, in memory where there is such a place. Gone with
 * km_fuzz_file_remove(), with what SQLite has put beside it.
 */
const char *km_fuzz_file(const uint8_t *data, size_t size);
void km_fuzz_file_remove(void);
/* A name for a file of the process, where the above are; room for 64 bytes. */
const char *km_fuzz_path(char path[64], const char *suffix);

/* The bytes as a text, to free(); NULL: a byte of it is 0. */
char *km_fuzz_text(const uint8_t *data, size_t size);

/* A number that the bytes alone decide: below n. */
unsigned km_fuzz_draw(const uint8_t *data, size_t size, unsigned n);

/* ---- ways to change an input, as LLVMFuzzerCustomMutator() ---- */

/* The bytes [at, at + length) alone. */
size_t km_fuzz_mutate_part(uint8_t *data, size_t size, size_t room, size_t at, size_t length);
/* Mostly one line, which may also be doubled, left out or moved. */
size_t km_fuzz_mutate_lines(uint8_t *data, size_t size, size_t room, unsigned seed);
/*
 * An SQLite file: mostly one value or row, by way of SQLite, so that all else stays sound. A
 * `rows_fixed` puts right what belongs to changed rows (checksums), or is NULL.
 */
struct sqlite3;
size_t km_fuzz_mutate_db(uint8_t *data, size_t size, size_t room, unsigned seed,
			 void (*rows_fixed)(struct sqlite3 *db));

/* ---- chunks ---- */

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
/* One stream of a chunk; the sizes in its header stay right. */
size_t km_fuzz_mutate_stream(uint8_t *chunk, size_t size, size_t room, unsigned stream);

#endif
