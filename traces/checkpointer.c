/* SPDX-License-Identifier: GPL-2.0-only */
#include "checkpointer.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct km_checkpointer {
	const char *path;
	sqlite3 *db; /* the thread's; opened when it is first needed */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows; not held while it works */
	pthread_cond_t started, done;
	bool busy, stop;
	int failed;
	struct km_err failure;
};

int km_checkpoint(sqlite3 *db, const char *path, struct km_err *err)
{
	int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	return code == SQLITE_OK || code == SQLITE_BUSY ? 0 : km_sql_fail(db, path, "write", err);
}

/* A connection finds out that there is a log when it first reads. */
static int open_db(struct km_checkpointer *checkpointer, struct km_err *err)
{
	if (sqlite3_open_v2(checkpointer->path, &checkpointer->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_exec(checkpointer->db, "PRAGMA synchronous=NORMAL; PRAGMA schema_version", NULL,
			 NULL, NULL) != SQLITE_OK)
		return km_sql_fail(checkpointer->db, checkpointer->path, "write", err);
	return 0;
}

static int take_in(struct km_checkpointer *checkpointer, struct km_err *err)
{
	int code = checkpointer->db ? 0 : open_db(checkpointer, err);

	return code ? code : km_checkpoint(checkpointer->db, checkpointer->path, err);
}

static void *run(void *argument)
{
	struct km_checkpointer *checkpointer = argument;
	struct km_err err;
	int code;

	pthread_mutex_lock(&checkpointer->lock);
	for (;;) {
		while (!checkpointer->busy && !checkpointer->stop)
			pthread_cond_wait(&checkpointer->started, &checkpointer->lock);
		if (!checkpointer->busy)
			break;
		pthread_mutex_unlock(&checkpointer->lock);
		code = take_in(checkpointer, &err);
		pthread_mutex_lock(&checkpointer->lock);
		if (code && !checkpointer->failed) {
			checkpointer->failed = code;
			checkpointer->failure = err;
		}
		checkpointer->busy = false;
		pthread_cond_signal(&checkpointer->done);
	}
	pthread_mutex_unlock(&checkpointer->lock);
	return NULL;
}

static void release(struct km_checkpointer *checkpointer)
{
	sqlite3_close(checkpointer->db);
	pthread_cond_destroy(&checkpointer->done);
	pthread_cond_destroy(&checkpointer->started);
	pthread_mutex_destroy(&checkpointer->lock);
	free(checkpointer);
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct km_checkpointer *checkpointer)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&checkpointer->thread, NULL, run, checkpointer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!code)
		pthread_setname_np(checkpointer->thread, "km-checkpoint");
	return code;
}

struct km_checkpointer *km_checkpointer_new(const char *path)
{
	struct km_checkpointer *checkpointer = calloc(1, sizeof(*checkpointer));

	if (!checkpointer)
		return NULL;
	checkpointer->path = path;
	pthread_mutex_init(&checkpointer->lock, NULL);
	pthread_cond_init(&checkpointer->started, NULL);
	pthread_cond_init(&checkpointer->done, NULL);
	if (!start_thread(checkpointer))
		return checkpointer;
	release(checkpointer);
	return NULL;
}

void km_checkpointer_delete(struct km_checkpointer *checkpointer)
{
	if (!checkpointer)
		return;
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->stop = true;
	pthread_cond_signal(&checkpointer->started);
	pthread_mutex_unlock(&checkpointer->lock);
	pthread_join(checkpointer->thread, NULL);
	release(checkpointer);
}

bool km_checkpointer_start(struct km_checkpointer *checkpointer)
{
	bool idle;

	pthread_mutex_lock(&checkpointer->lock);
	idle = !checkpointer->busy;
	checkpointer->busy = true;
	if (idle)
		pthread_cond_signal(&checkpointer->started);
	pthread_mutex_unlock(&checkpointer->lock);
	return idle;
}

void km_checkpointer_wait(struct km_checkpointer *checkpointer)
{
	pthread_mutex_lock(&checkpointer->lock);
	while (checkpointer->busy)
		pthread_cond_wait(&checkpointer->done, &checkpointer->lock);
	pthread_mutex_unlock(&checkpointer->lock);
}

int km_checkpointer_failed(struct km_checkpointer *checkpointer, struct km_err *err)
{
	int code;

	pthread_mutex_lock(&checkpointer->lock);
	code = checkpointer->failed;
	if (code && err)
		*err = checkpointer->failure;
	pthread_mutex_unlock(&checkpointer->lock);
	return code;
}
