/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an object costs: the slab models beside user-space allocators, in one process and through
 * one loop, over the objects of recorded traces, which are all freed in the end. Nobody touches the
 * objects: what is compared is the allocators' own work. The subjects take turns round by round;
 * shown are ns per allocation and its free, medians with bootstrap intervals of 95 %, and ratios of
 * the rounds to slub. "null" is the loop itself.
 *
 * All go through km_calls_loop(), which is compiled around each layer's own alloc and free; before
 * its time is taken each replays the trace once, since the subject before left its own records in
 * the host's caches. So the figure is of a trace in its steady state, its branches learned.
 *
 * Every round has machines of its own. Where a machine's records lie in the host's memory is part
 *of its speed for as long as it lives: a load that follows a store at an equal page offset waits
 *for it when the two frames' numbers hash alike, which on an Emerald Rapids holds for one pair of
 *pages in 256 and costs 6 ns each time.
 *
 * local: every call in recorded order, on one CPU. remote: a window of allocations on CPU 0, then
 *the window's frees on CPU 1, by one thread; only the kernel's models have CPUs, malloc sees one
 *thread. two threads: the same by two, in turn: no two calls overlap and waiting for the other is
 *not counted, so that what they take longer is the host's work of bringing each one's lines to the
 *other.
 *
 *	bench_slab [ROUNDS] TRACE.kmt…
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/bench_figures.h"
#include "replay/compile.h"
#include "replay/replayer.h"

#define WINDOW 512u
#define MIN_OPS 400000u /* of a timed pass: the trace is repeated */
#define MAX_SUBJECTS 12u

enum way { LOCAL, REMOTE, TWO_THREADS, NR_WAYS };

struct work {
	const char *name;
	struct km_program program; /* a trace's, with operations on objects alone, on CPU 0 */
	size_t nr_objects;
	/* The same operations: of each window allocations, then frees, these on CPU 1. */
	struct km_op *turns;
	uint16_t *nr_allocs; /* by window */
};

struct subject {
	const char *text;
	struct km_model_choice choice;
	struct km_replayer *replayer;            /* of this round */
	double ns[NR_WAYS][KM_BENCH_MAX_VALUES]; /* by round */
};

static const char *const subject_texts[] = {"slub",
					    "slub@6.1",
					    "slub@7.2",
					    "slab",
					    "slob",
					    "malloc:libc.so.6",
					    "malloc:libjemalloc.so.2",
					    "malloc:libmimalloc.so.2",
					    "null"};

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_slab: %s: %s\n", what, why);
	exit(2);
}

/* ---- a trace's objects ---- */

/* Slots of the work: one freed in a window is taken again only after it, so that the window's
 * frees can come after its allocations. */
struct slots {
	uint32_t *of_object; /* by the trace's slot: the work's + 1, 0: not live */
	uint32_t *spare, nr_spare, nr_waiting; /* the waiting ones follow */
};

static void add_op(struct work *work, struct slots *slots, const struct km_op *op)
{
	struct km_program *program = &work->program;
	uint32_t *slot = &slots->of_object[op->slot];
	struct km_op *added = &program->ops[program->nr_ops];

	if (op->is_free && !*slot)
		return;
	if (program->nr_ops % WINDOW == 0) {
		slots->nr_spare += slots->nr_waiting;
		slots->nr_waiting = 0;
	}
	program->nr_ops++;
	*added = *op;
	added->cpu = 0;
	added->time_ns = 0;
	if (op->is_free) {
		added->slot = *slot - 1;
		*slot = 0;
		slots->spare[slots->nr_spare + slots->nr_waiting++] = added->slot;
		return;
	}
	work->nr_objects++;
	if (slots->nr_spare) {
		added->slot = slots->spare[--slots->nr_spare];
		slots->spare[slots->nr_spare] = slots->spare[slots->nr_spare + slots->nr_waiting];
	} else {
		added->slot = program->nr_slots++;
	}
	*slot = added->slot + 1;
}

static void make_turns(struct work *work)
{
	const struct km_program *program = &work->program;
	struct km_op *turn;

	turn = work->turns = calloc(program->nr_ops + 1, sizeof(*work->turns));
	work->nr_allocs = calloc(program->nr_ops / WINDOW + 1, sizeof(*work->nr_allocs));
	if (!work->turns || !work->nr_allocs)
		die(work->name, "no memory");
	for (size_t at = 0; at < program->nr_ops; at += WINDOW)
		for (unsigned frees = 0; frees < 2; frees++)
			for (size_t i = at; i < at + WINDOW && i < program->nr_ops; i++) {
				if (program->ops[i].is_free != frees)
					continue;
				*turn = program->ops[i];
				turn++->cpu = frees;
				work->nr_allocs[at / WINDOW] += !frees;
			}
}

static void make_work(struct work *work, const struct km_program *trace)
{
	struct slots slots = {.of_object = calloc(trace->nr_slots + 1, sizeof(uint32_t)),
			      .spare = calloc(trace->nr_ops + 1, sizeof(uint32_t))};
	uint32_t *request_of_slot = calloc(trace->nr_slots + 1, sizeof(uint32_t));

	work->program = *trace;
	work->program.ops = calloc(2 * trace->nr_ops + 1, sizeof(struct km_op));
	work->program.nr_ops = work->program.nr_slots = 0;
	if (!slots.of_object || !slots.spare || !request_of_slot || !work->program.ops)
		die(work->name, "no memory");
	for (size_t i = 0; i < trace->nr_ops; i++) {
		const struct km_op *op = &trace->ops[i];

		if (km_op_request(trace, op)->kind != KM_OP_OBJECT_ALLOC)
			continue;
		request_of_slot[op->slot] = op->request;
		add_op(work, &slots, op);
	}
	for (uint32_t slot = 0; slot < trace->nr_slots; slot++) {
		struct km_op op = {.slot = slot, .is_free = true};

		op.request = request_of_slot[slot] & (KM_MAX_REQUESTS - 1);
		add_op(work, &slots, &op);
	}
	free(slots.of_object);
	free(slots.spare);
	free(request_of_slot);
	make_turns(work);
}

static void pass_one(struct km_replayer *replayer, const struct work *work)
{
	const struct km_program *program = &work->program;

	km_replay_ops(replayer, program->ops, program->ops + program->nr_ops);
}

/* ---- two threads in turn ---- */

struct pair {
	pthread_barrier_t turn;
	struct km_replayer *replayer;
	const struct work *work;
	double freed_ns;
	unsigned passes;
};

static void window_part(struct km_replayer *replayer, const struct work *work, size_t at,
			bool frees)
{
	size_t middle = at + work->nr_allocs[at / WINDOW], end = at + WINDOW;

	if (end > work->program.nr_ops)
		end = work->program.nr_ops;
	km_replay_ops(replayer, work->turns + (frees ? middle : at),
		      work->turns + (frees ? end : middle));
}

static void *free_windows(void *context)
{
	struct pair *pair = context;
	const struct work *work = pair->work;

	for (size_t at = 0; at < work->program.nr_ops; at += WINDOW) {
		double start;

		pthread_barrier_wait(&pair->turn);
		start = km_bench_now_ns();
		window_part(pair->replayer, work, at, true);
		pair->freed_ns += km_bench_now_ns() - start;
		pthread_barrier_wait(&pair->turn);
	}
	return NULL;
}

static void pass_remote(struct km_replayer *replayer, const struct work *work)
{
	km_replay_ops(replayer, work->turns, work->turns + work->program.nr_ops);
}

/* ns spent in calls, by both. */
static double pass_two(struct km_replayer *replayer, const struct work *work)
{
	struct pair pair = {.replayer = replayer, .work = work};
	double spent = 0, start;
	pthread_t thread;

	if (pthread_barrier_init(&pair.turn, NULL, 2) ||
	    pthread_create(&thread, NULL, free_windows, &pair))
		die("the second thread", strerror(errno));
	for (size_t at = 0; at < work->program.nr_ops; at += WINDOW) {
		start = km_bench_now_ns();
		window_part(replayer, work, at, false);
		spent += km_bench_now_ns() - start;
		pthread_barrier_wait(&pair.turn);
		pthread_barrier_wait(&pair.turn);
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&pair.turn);
	return spent + pair.freed_ns;
}

/* ns per object. The subject before left the host's caches full of its own records. */
static double time_passes(void (*pass)(struct km_replayer *replayer, const struct work *work),
			  struct km_replayer *replayer, const struct work *work)
{
	unsigned passes = (unsigned)(MIN_OPS / work->program.nr_ops) + 1;
	double start;

	pass(replayer, work);
	start = km_bench_now_ns();
	for (unsigned i = 0; i < passes; i++)
		pass(replayer, work);
	return (km_bench_now_ns() - start) / passes / (double)work->nr_objects;
}

static void measure(struct subject *subject, const struct work *work, unsigned round)
{
	struct km_replayer *replayer = subject->replayer;

	subject->ns[LOCAL][round] = time_passes(pass_one, replayer, work);
	subject->ns[REMOTE][round] = time_passes(pass_remote, replayer, work);
	subject->ns[TWO_THREADS][round] = pass_two(replayer, work) / (double)work->nr_objects;
}

/* ---- subjects ---- */

static int build(struct subject *subject, const struct work *work, struct km_trace *trace,
		 const struct km_start *start, struct km_err *err)
{
	return km_replayer_create(&work->program, trace, start, &subject->choice, 1,
				  &subject->replayer, err);
}

/* Those that this host has: a first machine of each is built. */
static unsigned find_subjects(struct subject *subjects, const struct work *work,
			      struct km_trace *trace, const struct km_start *start)
{
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof(subject_texts) / sizeof(subject_texts[0]); i++) {
		struct subject *subject = &subjects[count];
		struct km_err err = {""};

		memset(subject, 0, sizeof(*subject));
		subject->text = subject_texts[i];
		if (km_model_choice_parse(subject->text, &subject->choice, &err) ||
		    build(subject, work, trace, start, &err)) {
			printf("%s is left out: %s\n", subject->text, err.text);
			continue;
		}
		km_replayer_destroy(subject->replayer);
		count++;
	}
	return count;
}

static void run_round(struct subject *subjects, unsigned count, const struct work *work,
		      struct km_trace *trace, const struct km_start *start, unsigned round)
{
	struct km_err err;

	for (unsigned i = 0; i < count; i++) {
		if (build(&subjects[i], work, trace, start, &err))
			die(subjects[i].text, err.text);
		pass_one(subjects[i].replayer, work); /* once unmeasured: pages are touched */
		pass_two(subjects[i].replayer, work);
	}
	for (unsigned i = 0; i < count; i++)
		measure(&subjects[i], work, round);
	for (unsigned i = 0; i < count; i++)
		km_replayer_destroy(subjects[i].replayer);
}

/* ---- tables ---- */

static void print_figure(struct km_bench_figure figure, const char *format)
{
	char text[KM_BENCH_TEXT];

	printf(" %22s", km_bench_text(&figure, format, text));
}

/* What the loop itself does not explain. */
static void print_less_null(const struct subject *subject, const struct subject *null,
			    unsigned rounds)
{
	double less[KM_BENCH_MAX_VALUES];
	char title[64];

	snprintf(title, sizeof(title), "%s less null", subject->text);
	printf("%-24s", title);
	for (unsigned t = 0; t < NR_WAYS; t++) {
		for (unsigned i = 0; i < rounds; i++)
			less[i] = subject->ns[t][i] - null->ns[t][i];
		print_figure(km_bench_figure(less, rounds), "%.1f");
		print_figure(km_bench_ratio(less, subject->ns[t], rounds), "%.2f");
	}
	printf("\n");
}

static void print_table(const struct work *work, const struct subject *subjects, unsigned count,
			unsigned rounds)
{
	printf("\n%s: %zu objects, %u rounds\n%-24s %22s %22s %22s %22s %22s %22s\n", work->name,
	       work->nr_objects, rounds, "ns per alloc+free", "local", "/ slub", "remote", "/ slub",
	       "remote, two threads", "/ slub");
	for (unsigned i = 0; i < count; i++) {
		printf("%-24s", subjects[i].text);
		for (unsigned t = 0; t < NR_WAYS; t++) {
			print_figure(km_bench_figure(subjects[i].ns[t], rounds), "%.1f");
			print_figure(km_bench_ratio(subjects[i].ns[t], subjects[0].ns[t], rounds),
				     "%.2f");
		}
		printf("\n");
	}
	print_less_null(&subjects[0], &subjects[count - 1], rounds);
}

static void bench(const char *path, unsigned rounds)
{
	static struct subject subjects[MAX_SUBJECTS];
	struct work work = {.name = path};
	struct km_program *program;
	struct km_trace *trace;
	struct km_start start;
	struct km_err err;
	unsigned count;

	if (km_trace_open(path, &trace, &err) || km_start_read(trace, &start, &err) ||
	    km_compile(trace, NULL, NULL, &program, &err))
		die(path, err.text);
	make_work(&work, program);
	if (!work.nr_objects)
		die(path, "it holds no objects");
	/* Every free in the second table is another CPU's. */
	if (start.cpus < 2)
		start.cpus = start.present_cpus = 2;
	count = find_subjects(subjects, &work, trace, &start);
	for (unsigned round = 0; round < rounds; round++)
		run_round(subjects, count, &work, trace, &start, round);
	print_table(&work, subjects, count, rounds);
	free(work.program.ops);
	free(work.turns);
	free(work.nr_allocs);
	km_program_free(program);
	km_trace_close(trace);
}

int main(int argc, char **argv)
{
	static const char tunable[] = "glibc.rtld.optional_static_tls=32768";
	unsigned rounds = 21;
	int first = 1;

	/* Allocators loaded late want more thread-local memory than is set aside. */
	if (!getenv("GLIBC_TUNABLES") && !setenv("GLIBC_TUNABLES", tunable, 1))
		execv("/proc/self/exe", argv);
	if (argc > 1 && strspn(argv[1], "0123456789") == strlen(argv[1])) {
		rounds = (unsigned)atoi(argv[1]);
		first = 2;
	}
	if (first >= argc || rounds < 1 || rounds > KM_BENCH_MAX_VALUES) {
		fprintf(stderr, "bench_slab [ROUNDS] TRACE.kmt...: 1 to %d rounds (default 21)\n",
			KM_BENCH_MAX_VALUES);
		return 2;
	}
	for (int i = first; i < argc; i++)
		bench(argv[i], rounds);
	return 0;
}
