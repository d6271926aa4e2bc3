/* SPDX-License-Identifier: GPL-2.0-only */
/* What the writer and the reader of trace files share (private to traces/). */
#ifndef KMLAB_TRACES_STORE_H
#define KMLAB_TRACES_STORE_H

#include "codec.h"
#include "trace.h"
#include <sqlite3.h>

/* SQLite's last error of the connection as -errno. */
int km_sql_errno(sqlite3 *db);
/* Same, with the sentence "cannot <what> <path>: <reason>". */
int km_sql_fail(sqlite3 *db, const char *path, const char *what, struct km_err *err);

/* First 100 bytes of an SQLite file. */
struct km_file_head {
	bool is_sqlite;
	uint64_t bytes;       /* size of the file */
	uint64_t pages_bytes; /* size its header states; 0 when the header does not say */
	uint32_t application_id;
};

/* 0 or -errno of open() or read(); a short or other file is told in *head. */
int km_read_head(const char *path, struct km_file_head *head);

#endif
