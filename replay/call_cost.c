/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/call_cost.h"

#include <errno.h>
#include <stdlib.h>

#include "replay/host.h"
#include "results/term.h"

#define INTERRUPT_EVERY_OPS (1u << 16)

#define SLICE_OPS 4096u

/* Of one placement and subset. */
struct sums {
	uint64_t calls[2]; /* allocations, frees; of a round */
	double *ticks[2];  /* [slice * rounds + round] */
};

struct costing {
	const struct km_placing *placing;
	struct km_timer timer;
	size_t slices;
	struct sums sums[KM_PLACEMENTS][KM_PLACING_SUBSETS];
};

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

static int run_once(struct costing *costing, unsigned placement, unsigned round,
		    const struct km_access *access)
{
	const struct km_placing *placing = costing->placing;
	const struct km_program *program = placing->program;

	for (size_t i = 0; i < program->nr_ops; i++) {
		uint64_t ticks = time_one(access, i, costing->timer.cost_ticks);
		size_t slice = i / SLICE_OPS * placing->rounds + round;
		enum km_op_kind kind = km_op_kind(program, &program->ops[i]);
		bool frees = kind == KM_OP_OBJECT_FREE;
		unsigned subset;

		if (i % INTERRUPT_EVERY_OPS == 0 && km_interrupted())
			return -EINTR;
		if (!frees && kind != KM_OP_OBJECT_ALLOC)
			continue;
		subset = km_placing_subset(placing, i);
		costing->sums[placement][0].ticks[frees][slice] += (double)ticks;
		costing->sums[placement][0].calls[frees] += !round;
		if (!subset)
			continue;
		costing->sums[placement][subset].ticks[frees][slice] += (double)ticks;
		costing->sums[placement][subset].calls[frees] += !round;
	}
	return 0;
}

static int measure_round(struct costing *costing, unsigned placement, unsigned round,
			 struct km_err *err)
{
	const struct km_placing *placing = costing->placing;
	struct km_access access = {
		.site_to_vmalloc = placing->placements[placement].site_to_vmalloc,
	};
	int code = km_replayer_create(placing->program, placing->trace, placing->start,
				      placing->placements[placement].model, placing->seed,
				      &access.replayer, err);

	if (code)
		return code;
	code = run_once(costing, placement, round, &access);
	km_replayer_destroy(access.replayer);
	return code;
}

/* Ticks of allocations become ns per pair, those of frees added, each by its own number of calls.
 */
static void fill_figures(struct costing *costing, unsigned placement, unsigned subset,
			 struct km_call_costs *costs)
{
	struct km_call_figures *figures = &costs->figures[placement][subset];
	struct sums *sums = &costing->sums[placement][subset];
	double scale[2];

	figures->pairs = sums->calls[0];
	if (!figures->pairs)
		return;
	for (unsigned i = 0; i < 2; i++)
		scale[i] = sums->calls[i] ? costing->timer.ns_per_tick / (double)sums->calls[i] : 0;
	for (size_t i = 0; i < costing->slices * costing->placing->rounds; i++)
		sums->ticks[0][i] = sums->ticks[0][i] * scale[0] + sums->ticks[1][i] * scale[1];
	figures->ns = km_bench_sliced(sums->ticks[0], costing->slices, costing->placing->rounds);
	figures->ratio = figures->ns.median / costs->figures[0][subset].ns.median;
}

static int make_room(struct costing *costing)
{
	const struct km_placing *placing = costing->placing;

	costing->slices = placing->program->nr_ops / SLICE_OPS + 1;
	for (unsigned i = 0; i < placing->nr_placements * KM_PLACING_SUBSETS * 2; i++) {
		struct sums *sums =
			&costing->sums[i / (2 * KM_PLACING_SUBSETS)][i / 2 % KM_PLACING_SUBSETS];

		sums->ticks[i % 2] = calloc(costing->slices * placing->rounds, sizeof(double));
		if (!sums->ticks[i % 2])
			return -ENOMEM;
	}
	return 0;
}

static void release(struct costing *costing)
{
	for (unsigned i = 0; i < KM_PLACEMENTS; i++)
		for (unsigned k = 0; k < KM_PLACING_SUBSETS; k++) {
			free(costing->sums[i][k].ticks[0]);
			free(costing->sums[i][k].ticks[1]);
		}
	free(costing);
}

int km_call_measure(const struct km_placing *placing, struct km_call_costs **out,
		    struct km_err *err)
{
	struct costing *costing = calloc(1, sizeof(*costing));
	struct km_call_costs *costs = calloc(1, sizeof(*costs));
	int code = costing && costs ? 0 : -ENOMEM;

	if (!code) {
		costing->placing = placing;
		km_timer_calibrate(&costing->timer);
		code = make_room(costing);
	}
	if (code)
		km_fail(err, code, "no memory to time calls");
	for (unsigned round = 0; !code && round < placing->rounds; round++)
		for (unsigned i = 0; !code && i < placing->nr_placements; i++)
			code = measure_round(costing, i, round, err);
	for (unsigned i = 0; !code && i < placing->nr_placements; i++)
		for (unsigned k = 0; k < KM_PLACING_SUBSETS; k++)
			fill_figures(costing, i, k, costs);
	if (costing)
		release(costing);
	if (code)
		free(costs);
	else
		*out = costs;
	return code;
}
