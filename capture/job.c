/* SPDX-License-Identifier: GPL-2.0-only */
#include "job.h"

/* The recorder's priority is not inherited: SCHED_RESET_ON_FORK (privilege.c). */
static void *run(void *argument)
{
	struct km_job *job = argument;

	job->ret = job->work(job->context, &job->err);
	__atomic_store_n(&job->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

void km_job_begin(struct km_job *job, int (*work)(void *context, struct km_err *err), void *context)
{
	*job = (struct km_job){.work = work, .context = context, .begun = true};
	job->threaded = !pthread_create(&job->thread, NULL, run, job);
	if (!job->threaded)
		run(job);
}

bool km_job_ended(const struct km_job *job)
{
	return job->begun && __atomic_load_n(&job->ended, __ATOMIC_ACQUIRE);
}

int km_job_wait(struct km_job *job, struct km_err *err)
{
	if (job->threaded)
		pthread_join(job->thread, NULL);
	job->begun = false;
	if (job->ret)
		*err = job->err;
	return job->ret;
}
