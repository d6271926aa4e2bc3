/* SPDX-License-Identifier: GPL-2.0-only */
/* An open trace (private to reader.c, reader_tables.c, cursor.c, check.c and vtab.c). */
#ifndef KMLAB_TRACES_READER_H
#define KMLAB_TRACES_READER_H

#include "store.h"

/* A row of table chunk without its bytes. */
struct km_chunk_row {
	int64_t id;
	struct km_chunk chunk;
};

struct km_trace {
	sqlite3 *db;
	char *path;
	struct km_meta {
		char *key, *value;
	} * meta;
	size_t nr_meta;
	struct km_text {
		char *phase, *source, *text;
	} * texts; /* snapshots handed out */
	size_t nr_texts;
	struct km_trace_cache *caches;
	struct km_trace_site *sites;
	struct km_trace_task *tasks;
	uint32_t *frames; /* site ids of all stacks, one stack after the other */
	size_t nr_frames;
	size_t *stack_end; /* in frames, by stack id; that of id 0 is 0 */
	struct km_cgroup {
		uint64_t id;
		char *path;
	} * cgroups; /* by id, ascending as int64_t */
	size_t nr_cgroups;
	struct km_chunk_limits limits; /* their counts */
	struct km_trace_gap *gaps;
	size_t nr_gaps;
	struct km_trace_counts counts;
	int version;
	struct km_chunk_row *chunks; /* by cpu, then in order of recording */
	size_t nr_chunks;
	uint64_t events;
	bool ordered;        /* each CPU's events are in order of time: merging sorts */
	int64_t rounds_left; /* of reading rows, see km_limit_rows() */
	int64_t most_rows;   /* that any table of this file has room for */
};

/* Open the file and begin to read, nothing read yet. As km_trace_open(), without what it holds. */
int km_open_unread(const char *path, struct km_trace **trace, struct km_err *err);
/*
 * What is read next from the database ends as if interrupted after as many steps as all rows that
 * its pages have room for could take: where pages lead to one another again, tables have no end.
 * Until km_free_rows().
 */
void km_limit_rows(struct km_trace *trace);
void km_free_rows(struct km_trace *trace);
/* All but the chunk index; the tables are untrusted. */
int km_load_tables(struct km_trace *trace, struct km_err *err);
int km_load_chunks(struct km_trace *trace, struct km_err *err);
/* Rows of table chunk as km_take_chunk_row() takes them; -EPROTO: one that cannot be. */
#define KM_CHUNK_ROWS                                                                              \
	"SELECT id,cpu,first_seq,events,t_min,t_max,kinds,sorted,codec,xxh64 "                     \
	"FROM chunk ORDER BY cpu,id"
int km_take_chunk_row(sqlite3_stmt *row, struct km_chunk_row *here);
/* Put it last into the index; -ENOMEM. */
int km_add_chunk(struct km_trace *trace, const struct km_chunk_row *here);
/* Begin again from the first event, with another filter; its memory is used again. */
void km_cursor_restart(struct km_trace_cursor *cursor, const struct km_trace_filter *filter);
/* "<path> is damaged: <what>", -EPROTO. */
int km_damaged(const struct km_trace *trace, struct km_err *err, const char *what);
int km_prepare(const struct km_trace *trace, const char *sql, sqlite3_stmt **statement,
	       struct km_err *err);
/* Make room for one more element of `size` bytes in a growing array of n elements. */
int km_grow(void **array, size_t n, size_t size);

#endif
