/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a replay, from opening the trace to the last stored run. */
#include "replay/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "results/term.h"

static int measure_one(struct km_session *session, const struct km_model_choice *choice,
		       uint64_t seed, struct km_measures **measures, struct km_pmu_reading *reading,
		       struct km_err *err)
{
	int code;

	*reading = session->no_pmu;
	if (!choice->model)
		snprintf(reading->why, sizeof(reading->why), "%s", KM_KERNEL_TLB_WHY);
	else
		km_pmu_start(session->pmu);
	code = km_workload_measure(&session->workload, choice, seed, &session->timer, measures,
				   err);
	if (choice->model)
		km_pmu_stop(session->pmu, reading);
	return code;
}

/* Deterministic: once for all repetitions. */
static int simulate_tlb(struct km_session *session, unsigned index, struct km_err *err)
{
	const struct km_replay_options *options = &session->options;

	if (!options->choices[index].model || options->count_with_pmu ||
	    session->tlb_measures[index])
		return 0;
	return km_workload_simulate_tlb(&session->workload, &options->choices[index], &session->tlb,
					&options->access, options->split_percent, options->seed,
					&session->tlb_measures[index], err);
}

/* Models whose pages are a machine's; kmalloc on every direct map, areas beside one of 2 MiB. */
static bool can_touch(const struct km_model_choice *choice)
{
	return choice->model && !strcmp(choice->model->page->name, "buddy");
}

static unsigned maps_of(const struct km_session *session, const struct km_model_choice *choice)
{
	if (choice->model->route != KM_ROUTE_SLAB && choice->model->route != KM_ROUTE_PAGES)
		return 1u << KM_TLB_MAP_2M;
	return session->options.split_percent ? (1u << KM_TLB_MAPS) - 1 : (1u << KM_TLB_SPLIT) - 1;
}

static int time_touches(struct km_session *session, struct km_err *err)
{
	const struct km_replay_options *options = &session->options;
	struct km_placement placements[KM_PLACEMENTS];
	struct km_placing placing = {
		.program = session->workload.program,
		.trace = session->workload.trace,
		.start = &session->workload.start,
		.tlb = &session->tlb,
		.predict = !strcmp(options->tlb, "host"),
		.access = &options->access,
		.split_percent = options->split_percent,
		.rounds = options->touch_rounds,
		.seed = options->seed,
		.placements = placements,
		.site = UINT32_MAX,
	};

	for (unsigned i = 0; i < options->nr_choices; i++) {
		session->touch_of[i] = KM_PLACEMENTS;
		if (!options->touch_rounds || !can_touch(&options->choices[i]))
			continue;
		if (placing.nr_placements == KM_PLACEMENTS)
			return km_fail(err, -EINVAL,
				       "touches of %d models at most are timed side by side; leave "
				       "some out",
				       KM_PLACEMENTS);
		session->touch_of[i] = placing.nr_placements;
		placements[placing.nr_placements++] = (struct km_placement){
			&options->choices[i], UINT32_MAX, maps_of(session, &options->choices[i])};
	}
	return placing.nr_placements ? km_touch_measure(&placing, &session->touches, err) : 0;
}

void km_session_describe_run(const struct km_session *session, unsigned i, struct km_run *run)
{
	const struct km_replay_options *options = &session->options;
	unsigned choice = i % options->nr_choices;

	*run = (struct km_run){
		.choice = &options->choices[choice],
		.params = session->params,
		.seed = options->seed,
		.rep = i / options->nr_choices,
		.measures = session->measures[i],
		.pmu = options->count_with_pmu ? &session->readings[i] : NULL,
		.tlb = session->tlb_measures[choice],
		.tlb_choice = &session->tlb,
		.tlb_why = options->choices[choice].model ? "" : KM_KERNEL_TLB_WHY,
		.access = &options->access,
		.tlb_map = options->map,
		.touches = session->touches,
		.touch_placement = session->touch_of[choice],
		.touch_why = options->touch_rounds ? "no model here places what can be touched"
						   : "not asked for: --touch",
		.workers = 1,
	};
}

static int run_all(struct km_session *session, struct km_err *err)
{
	const struct km_replay_options *options = &session->options;
	unsigned total = options->reps * options->nr_choices;
	struct km_progress progress;
	int code = 0;

	session->measures = calloc(total, sizeof(*session->measures));
	session->readings = calloc(total, sizeof(*session->readings));
	session->tlb_measures = calloc(options->nr_choices, sizeof(*session->tlb_measures));
	if (!session->measures || !session->readings || !session->tlb_measures)
		return km_fail(err, -ENOMEM, "no memory for %u runs", total);
	code = time_touches(session, err);
	km_progress_start(&progress, "replaying", total);
	for (unsigned i = 0; i < total && !code; i++) {
		unsigned choice = i % options->nr_choices;
		struct km_run run;

		code = measure_one(session, &options->choices[choice], options->seed,
				   &session->measures[i], &session->readings[i], err);
		if (!code)
			code = simulate_tlb(session, choice, err);
		km_session_describe_run(session, i, &run);
		if (!code)
			code = km_store_run(session->result, session->trace_row, &run, err);
		session->nr_done += !code;
		km_progress_update(&progress, i + 1);
	}
	km_progress_end(&progress);
	return code;
}

int km_session_run(struct km_session *session, struct km_err *err)
{
	int code = km_tlb_choose(session->options.tlb, &session->tlb, err);

	if (!code)
		code = km_workload_open(&session->workload, session->options.trace,
					session->options.allow_loss, session->options.seed, err);
	if (code)
		return code;
	for (unsigned i = 0; i < session->options.nr_choices; i++)
		km_workload_choose(&session->workload, &session->options.params,
				   &session->options.choices[i], &session->profiles[i]);
	km_params_json(&session->options.params, session->params);
	code = km_result_create(session->options.output, &session->result, err);
	if (!code)
		code = km_store_trace(session->result, session->workload.trace,
				      session->workload.program, &session->workload.fidelity,
				      session->options.command, &session->trace_row, err);
	if (code)
		return code;
	km_timer_calibrate(&session->timer);
	km_pmu_open(&session->pmu, &session->no_pmu);
	return run_all(session, err);
}

int km_session_close(struct km_session *session, struct km_err *err)
{
	unsigned total = session->options.reps * session->options.nr_choices;

	for (unsigned i = 0; session->measures && i < total; i++)
		km_measures_free(session->measures[i]);
	for (unsigned i = 0; session->tlb_measures && i < session->options.nr_choices; i++)
		km_tlb_measures_free(session->tlb_measures[i]);
	free(session->tlb_measures);
	free(session->touches);
	free(session->measures);
	free(session->readings);
	km_pmu_close(session->pmu);
	km_workload_close(&session->workload);
	return km_result_close(session->result, err);
}
