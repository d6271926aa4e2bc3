/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sweep, run. A trace is opened and compiled once; each of its jobs is a process
 * (sweep_worker.h). This one alone writes the result file, one run after the other, so that it
 * holds whole runs at any kill.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/store_run.h"
#include "replay/sweep_worker.h"
#include "results/term.h"

#define LOOK_EVERY_MS 200
#define LOCK_TRIES 4
#define LOCK_AT (0x40000000 + 4096) /* SQLite's bytes begin at 0x40000000 and are 512 */

const char *const km_sweep_state_names[KM_SWEEP_STATES] = {"apart", "not run", "done",
							   "done before", "failed"};

/* ---- what was asked for ---- */

static void set_state(struct km_sweep *sweep, size_t job, enum km_sweep_state state)
{
	sweep->count[sweep->states[job]]--;
	sweep->states[job] = (uint8_t)state;
	sweep->count[state]++;
}

void km_sweep_take_shard(struct km_sweep *sweep, unsigned number, unsigned shards, bool scatter)
{
	for (size_t i = 0; i < sweep->plan->nr_jobs; i++) {
		uint64_t dealt = scatter ? i : sweep->plan->jobs[i].group;

		if (dealt % shards == number - 1)
			set_state(sweep, i, KM_SWEEP_WAITING);
	}
}

void km_sweep_take_range(struct km_sweep *sweep, size_t first, size_t last)
{
	for (size_t i = first - 1; i < last && i < sweep->plan->nr_jobs; i++)
		set_state(sweep, i, KM_SWEEP_WAITING);
}

/* ---- what runs ---- */

/* Simulated once for all repetitions. */
struct known_tlb {
	const struct km_sweep_job *job;
	struct km_tlb_measures measures;
	struct known_tlb *next;
};

struct running {
	struct km_sweep *sweep;
	struct km_timer timer;
	struct km_sweep_worker *workers;
	unsigned nr_busy, at_once;
	struct km_sweep_setting *settings;
	/* The trace that is open. */
	struct km_workload workload;
	uint32_t number; /* of the workload; UINT32_MAX: none */
	struct km_err workload_err;
	int workload_code;
	int64_t trace_row;
	struct known_tlb *tlbs;
	struct km_progress progress;
	size_t finished;
	struct km_err *err;
};

/* ---- what became of it ---- */

static int key_of(const struct running *running, const struct km_sweep_job *job,
		  struct km_run_key *key)
{
	*key = (struct km_run_key){
		.model = job->model, .params = job->params, .seed = job->seed, .rep = job->rep};
	return km_result_find_trace(running->sweep->result, job->uuid, &key->trace);
}

/* The sentence is told, kept in the result file, and the sweep goes on. */
static int fail_job(struct running *running, size_t number, const char *why)
{
	struct km_sweep *sweep = running->sweep;
	const struct km_sweep_job *job = &sweep->plan->jobs[number];
	const char *name = strrchr(job->trace, '/');
	struct km_run_key key;
	int64_t run;
	int code = 0;

	km_warn("job %zu (%s, %s, %s, repetition %u) failed: %s", number + 1,
		name ? name + 1 : job->trace, job->model, job->given, job->rep, why);
	if (key_of(running, job, &key))
		code = km_result_add_trace(sweep->result, job->uuid, name ? name + 1 : job->trace,
					   &key.trace, running->err);
	if (!code && km_result_find_run(sweep->result, &key, &run)) /* else --again: it stays */
		code = km_result_add_failure(sweep->result, &key, why, running->err);
	free(sweep->why[number]);
	sweep->why[number] = strdup(why);
	set_state(sweep, number, KM_SWEEP_FAILED);
	km_progress_update(&running->progress, ++running->finished);
	return code;
}

/* Of any repetition; NULL: not yet. */
static const struct known_tlb *find_tlb(const struct running *running,
					const struct km_sweep_job *job)
{
	const struct known_tlb *known = running->tlbs;

	while (known && (known->job->seed != job->seed || strcmp(known->job->model, job->model) ||
			 strcmp(known->job->params, job->params)))
		known = known->next;
	return known;
}

static void remember_tlb(struct running *running, const struct km_sweep_worker *worker)
{
	const struct km_sweep_job *job = worker->job;
	struct known_tlb *known;

	if (!worker->product->has_tlb || job->workload != running->number || find_tlb(running, job))
		return;
	known = malloc(sizeof(*known));
	if (!known) /* then it is simulated again */
		return;
	*known = (struct known_tlb){job, worker->product->tlb, running->tlbs};
	running->tlbs = known;
}

static void recall_tlb(const struct running *running, struct km_sweep_worker *worker)
{
	const struct known_tlb *known = find_tlb(running, worker->job);

	if (!known)
		return;
	worker->product->tlb = known->measures;
	worker->product->has_tlb = true;
}

static int store(struct running *running, struct km_sweep_worker *worker)
{
	struct km_sweep *sweep = running->sweep;
	const struct km_sweep_job *job = worker->job;
	struct km_sweep_product *product = worker->product;
	const struct km_run run = {
		.choice = &worker->choice,
		.params = job->params,
		.seed = job->seed,
		.rep = job->rep,
		.measures = &product->measures,
		.tlb = product->has_tlb ? &product->tlb : NULL,
		.tlb_choice = &worker->setting->tlb,
		.tlb_why = KM_KERNEL_TLB_WHY,
		.access = &worker->setting->settings.access,
		.tlb_map = worker->setting->settings.map,
		.touch_placement = KM_PLACEMENTS,
		.touch_why = "a sweep times no touches: 'kmlab replay --touch' does",
		.workers = running->at_once,
	};
	int code;

	product->measures.latency = product->timed ? &product->latency : NULL;
	code = km_store_run(sweep->result, worker->trace_row, &run, running->err);
	if (code)
		return code;
	set_state(sweep, worker->number, KM_SWEEP_DONE);
	remember_tlb(running, worker);
	km_progress_update(&running->progress, ++running->finished);
	return 0;
}

/* Its process has ended, or will in a moment. */
static int collect(struct running *running, struct km_sweep_worker *worker)
{
	struct km_err why = {""};
	int code = km_sweep_worker_wait(worker, &why);

	running->nr_busy--;
	if (!code)
		return store(running, worker);
	return code == -EINTR ? code : fail_job(running, worker->number, why.text);
}

/* Until fewer than `most` processes run. */
static int wait_below(struct running *running, unsigned most)
{
	struct pollfd ends[KM_SWEEP_MOST_WORKERS];
	int code = 0;

	while (running->nr_busy >= most && running->nr_busy && !code) {
		for (unsigned i = 0; i < running->at_once; i++)
			ends[i] = (struct pollfd){
				.fd = running->workers[i].pid ? running->workers[i].end : -1};
		poll(ends, running->at_once, LOOK_EVERY_MS);
		if (km_interrupted())
			return -EINTR;
		for (unsigned i = 0; i < running->at_once && !code; i++)
			if (ends[i].fd >= 0 && ends[i].revents)
				code = collect(running, &running->workers[i]);
		km_progress_update(&running->progress, running->finished);
	}
	return code;
}

/* ---- traces ---- */

static void close_workload(struct running *running)
{
	struct known_tlb *next;

	for (struct known_tlb *known = running->tlbs; known; known = next) {
		next = known->next;
		free(known);
	}
	running->tlbs = NULL;
	km_workload_close(&running->workload);
	running->number = UINT32_MAX;
}

/* Is it the trace that the plan was made for? */
static int check_trace(const struct km_sweep_job *job, struct km_trace *trace, struct km_err *err)
{
	const char *uuid = km_trace_meta(trace, "uuid");

	if (!strcmp(uuid ? uuid : job->trace, job->uuid) && km_trace_events(trace) == job->events)
		return 0;
	return km_fail(err, -ESTALE,
		       "%s is another trace than when the plan was made (then %.60s with %llu "
		       "events, now %.60s with %llu); make the plan anew",
		       job->trace, job->uuid, (unsigned long long)job->events,
		       uuid ? uuid : "without identity",
		       (unsigned long long)km_trace_events(trace));
}

/* What goes wrong here is each job's failure. */
static int open_trace(struct running *running, const struct km_sweep_job *job, bool allow_loss)
{
	struct km_err *err = &running->workload_err;
	int code = km_workload_open(&running->workload, job->trace, allow_loss, job->seed, err);

	if (running->workload.trace && check_trace(job, running->workload.trace, err))
		code = -ESTALE;
	return code;
}

static int open_workload(struct running *running, const struct km_sweep_job *job,
			 const struct km_sweep_setting *setting)
{
	int code = running->at_once == 1 ? wait_below(running, 1) : 0;

	if (code)
		return code;
	close_workload(running);
	running->number = job->workload;
	running->workload_code = open_trace(running, job, setting->settings.allow_loss);
	if (running->workload_code)
		return running->workload_code == -EINTR ? -EINTR : 0;
	return km_store_trace(running->sweep->result, running->workload.trace,
			      running->workload.program, &running->workload.fidelity,
			      running->sweep->command, &running->trace_row, running->err);
}

/* ---- jobs ---- */

static int setting_of(struct running *running, const struct km_sweep_job *job,
		      const struct km_sweep_setting **found, struct km_err *err)
{
	struct km_sweep_setting *setting = running->settings;
	int code;

	while (setting && strcmp(setting->text, job->settings))
		setting = setting->next;
	*found = setting;
	if (setting)
		return 0;
	setting = calloc(1, sizeof(*setting));
	if (!setting)
		return km_fail(err, -ENOMEM, "no memory to run the sweep");
	setting->text = job->settings;
	code = km_sweep_settings_parse(job->settings, &setting->settings, err);
	if (!code)
		code = km_tlb_choose(setting->settings.tlb, &setting->tlb, err);
	if (code) {
		free(setting);
		return code;
	}
	setting->next = running->settings;
	*found = running->settings = setting;
	return 0;
}

static struct km_sweep_worker *idle_worker(const struct running *running)
{
	struct km_sweep_worker *worker = running->workers;

	while (worker->pid)
		worker++;
	return worker;
}

/* Parameters are right: the plan was read. */
static int prepare(struct running *running, struct km_sweep_worker *worker, size_t number,
		   const struct km_sweep_setting *setting, struct km_err *err)
{
	const struct km_sweep_job *job = &running->sweep->plan->jobs[number];
	struct km_params params;
	int code = km_model_choice_parse(job->model, &worker->choice, err);

	if (!code)
		code = km_params_parse(job->given, &params, err);
	if (code)
		return code;
	km_workload_choose(&running->workload, &params, &worker->choice, &worker->profile);
	memset(worker->product, 0, sizeof(*worker->product));
	worker->number = number;
	worker->job = job;
	worker->trace_row = running->trace_row;
	worker->setting = setting;
	recall_tlb(running, worker);
	return 0;
}

static int run_job(struct running *running, size_t number)
{
	const struct km_sweep_job *job = &running->sweep->plan->jobs[number];
	const struct km_sweep_setting *setting;
	struct km_sweep_worker *worker;
	struct km_err why = {""};
	int code = setting_of(running, job, &setting, &why);

	if (code)
		return fail_job(running, number, why.text);
	if (running->number != job->workload)
		code = open_workload(running, job, setting);
	if (!code && running->workload_code)
		return fail_job(running, number, running->workload_err.text);
	if (!code)
		code = wait_below(running, running->at_once);
	if (code)
		return code;
	worker = idle_worker(running);
	if (prepare(running, worker, number, setting, &why))
		return fail_job(running, number, why.text);
	code = km_sweep_worker_start(worker, &running->workload, &running->timer,
				     running->sweep->lock, running->err);
	running->nr_busy += !code;
	return code;
}

/* Trace by trace, and in the plan's order within: runs of a group take turns. */
static int run_jobs(struct running *running)
{
	const struct km_sweep_plan *plan = running->sweep->plan;
	size_t *first = calloc((size_t)plan->nr_workloads + 2, sizeof(*first));
	size_t *order = calloc(plan->nr_jobs, sizeof(*order));
	int code = 0;

	if (!first || !order)
		code = km_fail(running->err, -ENOMEM, "no memory to run the sweep");
	for (size_t i = 0; !code && i < plan->nr_jobs; i++)
		first[plan->jobs[i].workload + 2]++;
	for (uint32_t i = 2; !code && i < plan->nr_workloads + 2; i++)
		first[i] += first[i - 1];
	for (size_t i = 0; !code && i < plan->nr_jobs; i++)
		order[first[plan->jobs[i].workload + 1]++] = i;
	for (size_t i = 0; !code && i < plan->nr_jobs; i++)
		if (running->sweep->states[order[i]] == KM_SWEEP_WAITING)
			code = km_interrupted() ? -EINTR : run_job(running, order[i]);
	if (!code)
		code = wait_below(running, 1);
	free(first);
	free(order);
	return code;
}

static void stop_workers(struct running *running)
{
	for (unsigned i = 0; running->workers && i < running->at_once; i++)
		km_sweep_worker_release(&running->workers[i]);
	free(running->workers);
}

static int make_workers(struct running *running)
{
	size_t waiting = running->sweep->count[KM_SWEEP_WAITING];
	int code;

	running->at_once = running->sweep->workers;
	if (running->at_once > waiting)
		running->at_once = waiting ? (unsigned)waiting : 1;
	running->workers = calloc(running->at_once, sizeof(*running->workers));
	code = running->workers ? 0 : -ENOMEM;
	for (unsigned i = 0; !code && i < running->at_once; i++)
		code = km_sweep_worker_init(&running->workers[i]);
	return code ? km_fail(running->err, code, "no memory for %u jobs at once; run fewer",
			      running->at_once)
		    : 0;
}

/* What the result file holds already is not run again. */
static void leave_out_done(struct running *running)
{
	struct km_sweep *sweep = running->sweep;

	for (size_t i = 0; !sweep->again && i < sweep->plan->nr_jobs; i++) {
		struct km_run_key key;
		int64_t run;

		if (sweep->states[i] == KM_SWEEP_WAITING &&
		    !key_of(running, &sweep->plan->jobs[i], &key) &&
		    !km_result_find_run(sweep->result, &key, &run))
			set_state(sweep, i, KM_SWEEP_EARLIER);
	}
}

/*
 * Two sweeps into one file would do everything twice. A lock of one byte, behind those that SQLite
 * locks; where the file system knows none, there is none. What cannot be opened is told later.
 */
static int lock_output(struct km_sweep *sweep, struct km_err *err)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_AT, .l_len = 1};

	sweep->lock = open(sweep->output, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	/* A process of one that was just killed may take a moment to go. */
	for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
		if (sweep->lock < 0 || !fcntl(sweep->lock, F_OFD_SETLK, &lock) ||
		    (errno != EAGAIN && errno != EACCES))
			return 0;
		poll(NULL, 0, LOOK_EVERY_MS / LOCK_TRIES);
	}
	return km_fail(err, -EBUSY,
		       "%s is being written by another sweep; give each its own file, and put them "
		       "together with 'kmlab sweep merge'",
		       sweep->output);
}

int km_sweep_run(struct km_sweep *sweep, struct km_err *err)
{
	struct running running = {.sweep = sweep, .number = UINT32_MAX, .err = err};
	int code = lock_output(sweep, err);

	if (!code)
		code = km_result_create(sweep->output, &sweep->result, err);
	if (code)
		return code;
	leave_out_done(&running);
	code = make_workers(&running);
	km_timer_calibrate(&running.timer);
	km_progress_start(&running.progress, "sweeping", sweep->count[KM_SWEEP_WAITING]);
	if (!code)
		code = run_jobs(&running);
	km_progress_end(&running.progress);
	stop_workers(&running);
	close_workload(&running);
	for (struct km_sweep_setting *next, *setting = running.settings; setting; setting = next) {
		next = setting->next;
		free(setting);
	}
	return code;
}

int km_sweep_close(struct km_sweep *sweep, struct km_err *err)
{
	int code;

	for (size_t i = 0; sweep->why && i < sweep->plan->nr_jobs; i++)
		free(sweep->why[i]);
	free(sweep->why);
	free(sweep->states);
	code = km_result_close(sweep->result, err);
	if (sweep->lock >= 0) /* not before: SQLite's own locks would go with it */
		close(sweep->lock);
	return code;
}
