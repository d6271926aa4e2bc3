/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/call_cost.h"

#include <errno.h>
#include <stdlib.h>

#include "replay/host.h"
#include "results/term.h"

#define INTERRUPT_EVERY_OPS (1u << 16)

struct sums {
	uint64_t allocs, frees, alloc_ticks, free_ticks;
};

struct costing {
	const struct km_placing *placing;
	struct km_timer timer;
	double ns[KM_PLACEMENTS][KM_PLACING_SUBSETS][KM_BENCH_MAX_VALUES];
	uint64_t pairs[KM_PLACEMENTS][KM_PLACING_SUBSETS];
};

static void add(struct sums *sums, bool frees, uint64_t ticks)
{
	if (frees) {
		sums->frees++;
		sums->free_ticks += ticks;
	} else {
		sums->allocs++;
		sums->alloc_ticks += ticks;
	}
}

static uint64_t time_one(const struct km_access *access, size_t index, uint64_t cost_ticks)
{
	struct km_replayer *replayer = access->replayer;
	uint64_t begin, ticks;

	replayer->env.time_ns = replayer->program->ops[index].time_ns;
	begin = km_tick_begin();
	km_access_call(access, index);
	ticks = km_tick_end() - begin;
	return ticks < cost_ticks ? 0 : ticks - cost_ticks;
}

static int run_once(struct costing *costing, const struct km_access *access, struct sums *sums)
{
	const struct km_program *program = costing->placing->program;

	for (size_t i = 0; i < program->nr_ops; i++) {
		uint64_t ticks = time_one(access, i, costing->timer.cost_ticks);
		enum km_op_kind kind = km_op_kind(program, &program->ops[i]);

		if (kind == KM_OP_OBJECT_ALLOC || kind == KM_OP_OBJECT_FREE) {
			unsigned subset = km_placing_subset(costing->placing, i);

			add(&sums[0], kind == KM_OP_OBJECT_FREE, ticks);
			if (subset)
				add(&sums[subset], kind == KM_OP_OBJECT_FREE, ticks);
		}
		if (i % INTERRUPT_EVERY_OPS == 0 && km_interrupted())
			return -EINTR;
	}
	return 0;
}

static int measure_round(struct costing *costing, unsigned placement, unsigned round,
			 struct km_err *err)
{
	const struct km_placing *placing = costing->placing;
	struct sums sums[KM_PLACING_SUBSETS] = {{0}};
	struct km_access access = {
		.site_to_vmalloc = placing->placements[placement].site_to_vmalloc,
	};
	int code = km_replayer_create(placing->program, placing->trace, placing->start,
				      placing->placements[placement].model, placing->seed,
				      &access.replayer, err);

	if (code)
		return code;
	code = run_once(costing, &access, sums);
	km_replayer_destroy(access.replayer);
	for (unsigned i = 0; i < KM_PLACING_SUBSETS && !code; i++) {
		double *ns = &costing->ns[placement][i][round];

		costing->pairs[placement][i] = sums[i].allocs;
		if (sums[i].allocs)
			*ns = (double)sums[i].alloc_ticks / (double)sums[i].allocs;
		if (sums[i].frees)
			*ns += (double)sums[i].free_ticks / (double)sums[i].frees;
		*ns *= costing->timer.ns_per_tick;
	}
	return code;
}

static void fill_figures(const struct costing *costing, struct km_call_costs *costs)
{
	unsigned rounds = costing->placing->rounds;

	for (unsigned i = 0; i < costing->placing->nr_placements; i++)
		for (unsigned k = 0; k < KM_PLACING_SUBSETS; k++) {
			struct km_call_figures *figures = &costs->figures[i][k];

			figures->pairs = costing->pairs[i][k];
			if (!figures->pairs)
				continue;
			figures->ns = km_bench_figure(costing->ns[i][k], rounds);
			figures->ratio =
				km_bench_ratio(costing->ns[i][k], costing->ns[0][k], rounds);
		}
}

int km_call_measure(const struct km_placing *placing, struct km_call_costs **out,
		    struct km_err *err)
{
	struct costing *costing = calloc(1, sizeof(*costing));
	struct km_call_costs *costs = calloc(1, sizeof(*costs));
	int code = costing && costs ? 0 : km_fail(err, -ENOMEM, "no memory to time calls");

	if (!code) {
		costing->placing = placing;
		km_timer_calibrate(&costing->timer);
	}
	for (unsigned round = 0; !code && round < placing->rounds; round++)
		for (unsigned i = 0; !code && i < placing->nr_placements; i++)
			code = measure_round(costing, i, round, err);
	if (!code) {
		fill_figures(costing, costs);
		*out = costs;
	} else {
		free(costs);
	}
	free(costing);
	return code;
}
