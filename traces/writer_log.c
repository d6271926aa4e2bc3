/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The write-ahead log of a trace that is being written. A commit is in the log; from there a thread
 * takes it into the file (checkpointer.h), so that the writer need not wait for the disk. The log
 * begins anew only when all of it is in the file, which while the writer goes on it never is: when
 * the log is long, the writer waits for the thread and takes in the rest.
 */
#include "checkpointer.h"
#include "writer.h"

/*
 * The thread begins when so many pages are new: each time costs the disk two flushes, however
 * little there is to write.
 */
#define KM_LOG_START_PAGES 32
/* On a full disk the log is what the file cannot use. */
#define KM_LOG_MAX_PAGES 256
/* It keeps its room for the next time, with what the commit that was one too many had added. */
#define KM_LOG_BYTES (KM_LOG_MAX_PAGES * 5ll / 4 * KM_PAGE_BYTES)

static int on_commit(void *writer, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct km_trace_writer *)writer)->log.pages = (uint32_t)pages;
	return SQLITE_OK;
}

int km_write_log_begin(struct km_trace_writer *writer, struct km_err *err)
{
	char begin[256];

	snprintf(begin, sizeof(begin),
		 "COMMIT; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
		 "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=%lld; BEGIN IMMEDIATE",
		 KM_LOG_BYTES);
	if (sqlite3_exec(writer->db, begin, NULL, NULL, NULL) != SQLITE_OK)
		return km_sql_fail(writer->db, writer->path, "write", err);
	sqlite3_wal_hook(writer->db, on_commit, writer);
	writer->log.checkpointer = km_checkpointer_new(writer->path);
	return 0;
}

int km_write_log_committed(struct km_trace_writer *writer, struct km_err *err)
{
	struct km_write_log *log = &writer->log;
	int code = log->checkpointer ? km_checkpointer_failed(log->checkpointer, err) : 0;

	if (code)
		return code;
	if (log->pages < log->started)
		log->started = 0; /* it began anew */
	if (log->pages >= KM_LOG_MAX_PAGES) {
		if (log->checkpointer)
			km_checkpointer_wait(log->checkpointer);
		log->started = log->pages;
		return km_checkpoint(writer->db, writer->path, err);
	}
	if (log->checkpointer && log->pages - log->started >= KM_LOG_START_PAGES &&
	    km_checkpointer_start(log->checkpointer))
		log->started = log->pages;
	return 0;
}

int km_write_log_end(struct km_trace_writer *writer, struct km_err *err)
{
	km_checkpointer_delete(writer->log.checkpointer);
	writer->log.checkpointer = NULL;
	if (sqlite3_exec(writer->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE",
			 NULL, NULL, NULL) != SQLITE_OK)
		return km_sql_fail(writer->db, writer->path, "finish", err);
	return 0;
}
