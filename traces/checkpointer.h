/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the write-ahead log of a trace into its file while the writer goes on: a thread with a
 * connection of its own (private to writer_log.c). It only saves the writer the wait for the disk.
 * What makes a commit safe is in the log before the thread hears of it.
 */
#ifndef KMLAB_TRACES_CHECKPOINTER_H
#define KMLAB_TRACES_CHECKPOINTER_H

#include "store.h"

struct km_checkpointer;

/*
 * For the trace at `path`, which lives as long. NULL: no memory, no thread; the writer has to take
 * in the log itself.
 */
struct km_checkpointer *km_checkpointer_new(const char *path);
/* Waits for the thread, closes its connection. NULL is fine. */
void km_checkpointer_delete(struct km_checkpointer *checkpointer);
/* Begin to take in what is committed. false: the thread is still busy with what was before. */
bool km_checkpointer_start(struct km_checkpointer *checkpointer);
/* Until the thread has nothing to do. */
void km_checkpointer_wait(struct km_checkpointer *checkpointer);
/*
 * 0 or the first failure with its sentence "cannot write <path>: ...". That others read or take in
 * the log is none.
 */
int km_checkpointer_failed(struct km_checkpointer *checkpointer, struct km_err *err);
/* On any connection: what the log holds goes into the file as far as readers let it. 0 or -errno */
int km_checkpoint(sqlite3 *db, const char *path, struct km_err *err);

#endif
