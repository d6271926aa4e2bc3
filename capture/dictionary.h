/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What events name by number: call sites, caches, tasks, stacks. The numbers hold for a whole
 * recording, so that its events can go into several traces, or wait in memory until it is known
 * whether they are wanted at all.
 */
#ifndef KMLAB_CAPTURE_DICTIONARY_H
#define KMLAB_CAPTURE_DICTIONARY_H

#include "capture.h"
#include "traces/codec.h"

struct km_dictionary;
struct km_names;

int km_dictionary_open(const struct km_recorder *recorder, struct km_dictionary **dictionary,
		       struct km_err *err);
void km_dictionary_close(struct km_dictionary *dictionary);

/*
 * Define everything there is in a trace that is empty or has what `defined` has, under the same
 * numbers, and from now on what comes as well. NULL: nowhere; the writer used until now is not
 * touched any more.
 */
int km_dictionary_attach(struct km_dictionary *dictionary, struct km_trace_writer *writer,
			 const struct km_names *defined, struct km_err *err);

/* Numbers; 0: unknown (no memory). A failure of the writer shows at its next use. */
uint32_t km_dictionary_site(struct km_dictionary *dictionary, uint64_t address);
/* Stack `number` of the kernel's map, of an event at call site `address`. */
uint32_t km_dictionary_stack(struct km_dictionary *dictionary, uint32_t number, uint64_t address);
/* The cache or task that a definition record describes. -ENOMEM, or as the writer. */
int km_dictionary_cache(struct km_dictionary *dictionary, const struct km_cache_facts *facts,
			const struct km_trace_cache **cache, struct km_err *err);
/* The last cache defined at that address of the kernel; 0: none was. */
uint32_t km_dictionary_find_cache(const struct km_dictionary *dictionary, uint64_t address);
#define KM_TASKS (1u << 22) /* different ones; later ones are "unknown" */
int km_dictionary_task(struct km_dictionary *dictionary, const struct km_record_task *record,
		       uint32_t *id, struct km_err *err);

/* Tasks that came when there were KM_TASKS already. */
uint64_t km_dictionary_unnamed(const struct km_dictionary *dictionary);

/* How many of each there are, "unknown" included. */
struct km_chunk_limits km_dictionary_limits(const struct km_dictionary *dictionary);

/* ---- a copy of what there is now, for another thread; it must not outlive the dictionary ---- */

/* NULL: no memory. */
struct km_names *km_dictionary_names(const struct km_dictionary *dictionary);
/* Define all of it in an empty trace. */
int km_names_define(const struct km_names *names, struct km_trace_writer *writer,
		    struct km_err *err);
/* Paths of the cgroups that tasks were in, as far as they still exist, into the writer. */
int km_names_cgroups(const struct km_names *names, struct km_trace_writer *writer,
		     struct km_err *err);
struct km_chunk_limits km_names_limits(const struct km_names *names);
void km_names_free(struct km_names *names);

#endif
