/* SPDX-License-Identifier: GPL-2.0-only */
/* Work in a thread of its own, at normal priority, while recording goes on (job.c). */
#ifndef KMLAB_CAPTURE_JOB_H
#define KMLAB_CAPTURE_JOB_H

#include <kmlab/err.h>
#include <kmlab/types.h>
#include <pthread.h>

struct km_job {
	pthread_t thread;
	int (*work)(void *context, struct km_err *err);
	void *context;
	bool begun;    /* and not waited for */
	bool threaded; /* there is a thread to join */
	bool ended;    /* atomic */
	int ret;
	struct km_err err;
};

/*
 * work returns 0 or -errno with a sentence; context is the thread's until km_job_wait(). Where no
 * thread can be made the work is done at once.
 */
void km_job_begin(struct km_job *job, int (*work)(void *context, struct km_err *err),
		  void *context);
/* It was begun, and km_job_wait() would not wait. */
bool km_job_ended(const struct km_job *job);
/* What it returned. */
int km_job_wait(struct km_job *job, struct km_err *err);

#endif
