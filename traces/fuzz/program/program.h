/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer's program (private to it): what a target asks for again and again is given to it from
 * memory. Calls of the objects linked here are taken by the linker (--wrap in the Makefile), so
 * that kmlab's own code is what runs, unchanged. What is not covered therefore: the kernel's files
 * and SQLite's unix VFS, memory that is short, a thread for most inputs.
 */
#ifndef KMLAB_TRACES_FUZZ_PROGRAM_H
#define KMLAB_TRACES_FUZZ_PROGRAM_H

#include "traces/fuzz/targets.h"

/* Large blocks and SQLite's small ones are used again (memory.c). Before SQLite is used. */
void km_fuzz_memory_begin(void);
/* Ends the program where blocks pile up, which libFuzzer does not see. */
void km_fuzz_memory_check(void);
void km_fuzz_threads(bool wanted);

/* files.c: SQLite's default VFS, behind which there is another for all other files. */
void km_fuzz_files_begin(void);
const char *km_fuzz_memory_file(const uint8_t *data, size_t size);

/* sink.c */
struct km_trace_writer *km_fuzz_sink_open(void);
void km_fuzz_sink_close(const struct km_import_report *report);

#endif
