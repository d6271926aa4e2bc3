/* SPDX-License-Identifier: GPL-2.0-only */
/* One call of `kmlab replay`: a trace, the models asked for, and what was measured so far. */
#ifndef REPLAY_SESSION_H
#define REPLAY_SESSION_H

#include "replay/store_run.h"
#include "replay/tlb_access.h"
#include "replay/workload.h"

#define KM_MAX_CHOICES 32
#define KM_MAX_REPS 1000

struct km_replay_options {
	const char *trace, *output;
	struct km_model_choice choices[KM_MAX_CHOICES];
	unsigned nr_choices;
	struct km_params params;
	uint64_t seed;
	unsigned reps;
	enum km_format format;
	bool allow_loss;
	const char *tlb;     /* name of a TLB (tlb_choice.h) */
	bool count_with_pmu; /* the counters instead of the model */
	struct km_access_spec access;
	unsigned map; /* of the model's numbers, which are the headline */
	unsigned split_percent;
	unsigned touch_rounds; /* of the timed touch replay; 0: none */
	char command[1024];    /* as given, for provenance */
};

struct km_session {
	struct km_replay_options options;
	struct km_workload workload;
	struct km_profile profiles[KM_MAX_CHOICES]; /* the choices' own, with parameters applied */
	struct km_result *result;
	int64_t trace_row;
	struct km_timer timer;
	struct km_tlb_choice tlb;
	struct km_tlb_measures **tlb_measures; /* [choice]: one for all repetitions */
	struct km_touches *touches;            /* NULL: not timed */
	unsigned touch_of[KM_MAX_CHOICES];     /* a choice's placement in it, or KM_PLACEMENTS */
	struct km_pmu *pmu;
	struct km_pmu_reading no_pmu;
	char params[KM_PARAMS_TEXT];   /* JSON object, keys sorted */
	struct km_measures **measures; /* [rep * nr_choices + choice] */
	struct km_pmu_reading *readings;
	unsigned nr_done;
};

/*
 * Open, compile, score, replay, store; session->options is filled, the rest zero. What was done
 * until an error or interrupt (-EINTR) is stored and stays in the session.
 */
int km_session_run(struct km_session *session, struct km_err *err);
/* 0, or -errno when the result file could not be finished. */
int km_session_close(struct km_session *session, struct km_err *err);

/* Run i, in the order they are done (repetition by repetition), as it is stored and printed. */
void km_session_describe_run(const struct km_session *session, unsigned i, struct km_run *run);

/* The asked document on stdout. */
void km_session_print(const struct km_session *session);

#endif
