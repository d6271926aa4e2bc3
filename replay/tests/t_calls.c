/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A layer's own loop over operations (run()) does what its calls do one by one: the same addresses,
 * counts and refusals, on every model, for the bundled traces and for a program with defects.
 */
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/replayer.h"
#include "replay/tests/small_trace.h"

/* Operations between two comparisons; a trace's pages and areas end a run anywhere within. */
#define STEP 997u

static const char *const traces[] = {"traces/samples/fork.kmt", "traces/samples/compile.kmt"};
static const char *const models[] = {"slub",     "slub@5.15", "slub@6.1", "slub@7.2",
				     "slab@6.1", "slob@6.1",  "buddy",    "kvmalloc:4096",
				     "bump",     "null"};

#ifdef __SANITIZE_THREAD__
enum { TRACES = 1, MODELS = 1 }; /* one thread: nothing to find, and slow */
#else
enum { TRACES = 2, MODELS = sizeof(models) / sizeof(models[0]) };
#endif

struct pair {
	struct km_replayer *together, *singly;
};

static bool pair_begin(struct pair *pair, const struct km_program *program, struct km_trace *trace,
		       const struct km_start *start, const char *model)
{
	struct km_model_choice choice;
	struct km_err err;

	return !km_model_choice_parse(model, &choice, &err) &&
	       !km_replayer_create(program, trace, start, &choice, 1, &pair->together, &err) &&
	       !km_replayer_create(program, trace, start, &choice, 1, &pair->singly, &err);
}

static void pair_end(struct pair *pair)
{
	km_replayer_destroy(pair->together);
	km_replayer_destroy(pair->singly);
}

static bool same(const struct pair *pair)
{
	const struct km_replayer *a = pair->together, *b = pair->singly;

	return memcmp(a->addr, b->addr, a->program->nr_slots * sizeof(*a->addr)) == 0 &&
	       memcmp(&a->env.count, &b->env.count, sizeof(a->env.count)) == 0 &&
	       a->env.time_ns == b->env.time_ns && a->failed == b->failed &&
	       a->refused == b->refused;
}

static void step(struct pair *pair, const struct km_op *op, const struct km_op *end)
{
	km_replay_ops(pair->together, op, end);
	for (; op < end; op++) {
		pair->singly->env.time_ns = op->time_ns;
		km_replay_op(pair->singly, op);
	}
}

static void test_trace(const char *name, const char *model)
{
	struct km_program *program;
	struct km_trace *trace;
	struct km_start start;
	struct km_err err;
	struct pair pair;
	size_t at = 0;

	if (km_trace_open(name, &trace, &err) || km_start_read(trace, &start, &err) ||
	    km_compile(trace, NULL, NULL, &program, &err) ||
	    !pair_begin(&pair, program, trace, &start, model)) {
		printf("Bail out! %s with %s cannot be replayed\n", name, model);
		exit(1);
	}
	do {
		size_t end = at + STEP < program->nr_ops ? at + STEP : program->nr_ops;

		step(&pair, program->ops + at, program->ops + end);
		at = end;
	} while (same(&pair) && at < program->nr_ops);
	TAP_OK(same(&pair) && at == program->nr_ops, "%s, %s: %zu of %zu operations alike", name,
	       model, at, program->nr_ops);
	TAP_EQ(pair.together->refused, 0, "nothing is refused");
	TAP_EQ(km_machine_validate(pair.together->machine), 0, "the machine is sound");
	pair_end(&pair);
	km_program_free(program);
	km_trace_close(trace);
}

/* A free of what is free already, in each place where an object can be free; then all is used. */
static void test_defects(const char *model)
{
	static struct km_request requests[] = {
		{.kind = KM_OP_NONE},
		{.kind = KM_OP_OBJECT_ALLOC, .size = 192, .gfp = KM_GFP_KERNEL},
		{.kind = KM_OP_PAGE_ALLOC, .size = 1, .gfp = KM_GFP_KERNEL}};
	enum { OBJECTS = 300 };
	struct km_op ops[4 * OBJECTS + 2];
	struct km_program program = {
		.ops = ops, .requests = requests, .nr_requests = 3, .nr_slots = OBJECTS + 1};
	struct small_trace small;
	struct km_trace *trace;
	struct km_start start;
	struct km_err err;
	struct pair pair;
	unsigned n = 0;

	if (!small_trace_begin(&small))
		return;
	small_trace_add(&small, 0, kmalloc_event(page_addr(1024), 192, 192));
	trace = small_trace_end(&small);
	if (!TAP_OK(trace && !km_start_read(trace, &start, &err), "a machine's trace"))
		return;
	for (uint32_t i = 0; i < OBJECTS; i++)
		ops[n++] = (struct km_op){.time_ns = n, .slot = i, .request = 1};
	ops[n++] = (struct km_op){.time_ns = n, .slot = OBJECTS, .request = 2};
	for (uint32_t i = 0; i < 2 * OBJECTS; i++) /* each twice, in turn on either CPU */
		ops[n++] = (struct km_op){
			.time_ns = n, .slot = i / 2, .request = 1, .is_free = 1, .cpu = i / 3 % 2};
	ops[n++] = (struct km_op){.time_ns = n, .slot = OBJECTS, .request = 2, .is_free = 1};
	for (uint32_t i = 0; i < OBJECTS; i++)
		ops[n++] = (struct km_op){.time_ns = n, .slot = i, .request = 1, .cpu = 1};
	if (!TAP_OK(pair_begin(&pair, &program, trace, &start, model), "%s: a machine", model))
		return;
	step(&pair, ops, ops + n);
	TAP_EQ(pair.together->refused, OBJECTS, "%s: every second free is refused", model);
	TAP_OK(same(&pair), "%s: as by single calls", model);
	TAP_EQ(km_machine_validate(pair.together->machine), 0, "%s: and harms nothing", model);
	pair_end(&pair);
	km_trace_close(trace);
}

int main(void)
{
	static const char *const defects[] = {"slub@6.1", "slub@7.2", "slab@6.1"};

	for (unsigned i = 0; i < MODELS; i++)
		for (unsigned k = 0; k < TRACES; k++)
			test_trace(traces[k], models[i]);
	for (unsigned i = 0; i < sizeof(defects) / sizeof(defects[0]); i++)
		test_defects(defects[i]);
	return tap_done();
}
