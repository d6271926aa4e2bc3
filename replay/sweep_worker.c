/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/sweep_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results/term.h"

int km_sweep_worker_init(struct km_sweep_worker *worker)
{
	void *memory = mmap(NULL, sizeof(*worker->product), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	worker->product = memory;
	return 0;
}

void km_sweep_worker_release(struct km_sweep_worker *worker)
{
	if (worker->pid) {
		kill(worker->pid, SIGKILL);
		waitpid(worker->pid, NULL, 0);
		close(worker->end);
		worker->pid = 0;
	}
	if (worker->product)
		munmap(worker->product, sizeof(*worker->product));
	worker->product = NULL;
}

static void measure(struct km_sweep_worker *worker, const struct km_workload *workload,
		    const struct km_timer *timer)
{
	const struct km_sweep_settings *settings = &worker->setting->settings;
	struct km_sweep_product *product = worker->product;
	struct km_measures *measures = NULL;
	struct km_tlb_measures *tlb = NULL;

	product->code = km_workload_measure(workload, &worker->choice, worker->job->seed, timer,
					    &measures, &product->err);
	if (product->code)
		return;
	product->measures = *measures;
	product->timed = measures->latency != NULL;
	if (product->timed)
		product->latency = *measures->latency;
	if (!worker->choice.model || product->has_tlb)
		return;
	product->code = km_workload_simulate_tlb(workload, &worker->choice, &worker->setting->tlb,
						 &settings->access, settings->split_percent,
						 worker->job->seed, &tlb, &product->err);
	if (product->code)
		return;
	product->tlb = *tlb;
	product->has_tlb = true;
}

/* In the new process. An SQLite connection must not be used on both sides of fork(). */
static void work(struct km_sweep_worker *worker, const struct km_workload *workload,
		 const struct km_timer *timer, pid_t parent)
{
	struct km_sweep_product *product = worker->product;
	struct km_workload own = *workload;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	product->code = km_trace_open(worker->job->trace, &own.trace, &product->err);
	if (!product->code)
		measure(worker, &own, timer);
	_exit(0);
}

int km_sweep_worker_start(struct km_sweep_worker *worker, const struct km_workload *workload,
			  const struct km_timer *timer, int lock, struct km_err *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return km_fail(err, -errno,
			       "no process can be made for a job: %s; run fewer at once",
			       strerror(errno));
	fflush(NULL);
	worker->pid = fork();
	if (!worker->pid) {
		close(lock);
		work(worker, workload, timer, parent);
	}
	close(ends[1]);
	worker->end = ends[0];
	if (worker->pid > 0)
		return 0;
	worker->pid = 0;
	close(ends[0]);
	return km_fail(err, -EAGAIN, "no process can be made for a job: %s; run fewer at once",
		       strerror(errno));
}

int km_sweep_worker_wait(struct km_sweep_worker *worker, struct km_err *err)
{
	const struct km_sweep_product *product = worker->product;
	int status = 0, number;

	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(worker->end);
	worker->pid = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status) && !product->code)
		return 0;
	if (product->code == -EINTR || km_interrupted())
		return -EINTR;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		*err = product->err;
		return product->code;
	}
	if (WIFEXITED(status))
		return km_fail(err, -EFAULT,
			       "its process ended with status %d; replay it alone to see why",
			       WEXITSTATUS(status));
	number = WTERMSIG(status);
	return km_fail(err, -EFAULT,
		       "its process was ended by signal %d (%s)%s; replay it alone to see why",
		       number, strsignal(number),
		       number == SIGKILL ? ", as where there is too little memory" : "");
}
