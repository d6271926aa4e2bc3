/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/workload.h"

#include <errno.h>
#include <string.h>

#include "replay/loss.h"
#include "results/term.h"

static int on_compile_progress(void *context, uint64_t done)
{
	km_progress_update(context, done);
	return km_interrupted();
}

int km_workload_open(struct km_workload *workload, const char *path, bool allow_loss, uint64_t seed,
		     struct km_err *err)
{
	struct km_progress progress;
	int code = km_trace_open(path, &workload->trace, err);

	if (!code)
		code = km_refuse_loss(workload->trace, path, allow_loss, err);
	if (!code)
		code = km_start_read(workload->trace, &workload->start, err);
	if (code)
		return code;
	km_progress_start(&progress, "compiling", km_trace_events(workload->trace));
	code = km_compile(workload->trace, on_compile_progress, &progress, &workload->program, err);
	km_progress_end(&progress);
	if (!code && !workload->program->nr_ops)
		code = km_fail(err, -EINVAL,
			       "%s holds no allocation that can be replayed; record some load with "
			       "'kmlab capture -o T.kmt -- COMMAND'",
			       path);
	if (!code)
		code = km_fidelity_measure(workload->trace, &workload->start, seed,
					   &workload->fidelity, err);
	return code;
}

void km_workload_close(struct km_workload *workload)
{
	km_fidelity_release(&workload->fidelity);
	km_program_free(workload->program);
	km_trace_close(workload->trace);
	memset(workload, 0, sizeof(*workload));
}

void km_workload_choose(const struct km_workload *workload, const struct km_params *params,
			struct km_model_choice *choice, struct km_profile *own)
{
	*own = choice->profile ? *choice->profile : *workload->start.profile;
	km_params_apply(params, own);
	choice->profile = own;
}

int km_workload_measure(const struct km_workload *workload, const struct km_model_choice *choice,
			uint64_t seed, const struct km_timer *timer, struct km_measures **measures,
			struct km_err *err)
{
	if (!choice->model)
		return km_measure_kernel(workload->program, workload->trace, &workload->start,
					 measures, err);
	return km_measure(workload->program, workload->trace, &workload->start, choice, seed, timer,
			  measures, err);
}

int km_workload_simulate_tlb(const struct km_workload *workload,
			     const struct km_model_choice *choice, const struct km_tlb_choice *tlb,
			     const struct km_access_spec *access, unsigned split_percent,
			     uint64_t seed, struct km_tlb_measures **measures, struct km_err *err)
{
	const struct km_tlb_pass pass = {
		.program = workload->program,
		.trace = workload->trace,
		.start = &workload->start,
		.model = choice,
		.tlb = tlb,
		.access = access,
		.split_percent = split_percent,
		.seed = seed,
		.site_to_vmalloc = UINT32_MAX,
	};

	return km_tlb_measure(&pass, measures, err);
}
