/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an object costs: the slab models beside user-space allocators, in one process and through
 *one loop, over the objects of recorded traces, which are all freed in the end. Nobody touches the
 * objects: what is compared is the allocators' own work. The subjects take turns round by round;
 * shown are ns per allocation and its free, medians with bootstrap intervals of 95 %, and ratios of
 * the rounds to slub. "null" is the loop itself.
 *
 * one thread: every call in recorded order, on one CPU. two threads: a window of allocations by one
 * thread (CPU 0), then the window's frees by another (CPU 1), in turn: no two calls overlap,
 *waiting for the other is not counted, and every free is remote.
 *
 *	bench_slab [ROUNDS] TRACE.kmt…
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "replay/bench_figures.h"
#include "replay/compile.h"
#include "replay/replayer.h"

#define WINDOW 512u
#define MIN_OPS 400000u /* of a timed pass: the trace is repeated */
#define MAX_SUBJECTS 12u

struct step {
	uint32_t object; /* every allocation has its own number */
	uint32_t size, gfp;
	uint16_t cache;
	int8_t node;
	bool free;
};

struct work {
	const char *name;
	struct step *steps;
	size_t nr_steps, nr_objects;
};

struct subject {
	const char *text;
	struct km_replayer *replayer;
	double ns[2][KM_BENCH_MAX_VALUES]; /* one thread, two threads; by round */
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

static uint64_t *addrs;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_slab: %s: %s\n", what, why);
	exit(2);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- a trace's objects ---- */

static void add_open(struct work *work, const uint32_t *object_of_slot, uint32_t nr_slots)
{
	for (uint32_t slot = 0; slot < nr_slots; slot++)
		if (object_of_slot[slot])
			work->steps[work->nr_steps++] =
				(struct step){.object = object_of_slot[slot], .free = true};
}

static void make_work(struct work *work, const struct km_program *program)
{
	uint32_t *object_of_slot = calloc(program->nr_slots + 1, sizeof(*object_of_slot));

	work->steps = calloc(2 * program->nr_ops + 1, sizeof(*work->steps));
	if (!object_of_slot || !work->steps)
		die(work->name, "no memory");
	work->nr_objects = 1;
	for (size_t i = 0; i < program->nr_ops; i++) {
		const struct km_op *op = &program->ops[i];
		struct step *step = &work->steps[work->nr_steps];

		if (op->kind == KM_OP_OBJECT_ALLOC) {
			*step = (struct step){.object = (uint32_t)work->nr_objects++,
					      .size = op->size,
					      .gfp = op->gfp,
					      .cache = op->cache,
					      .node = op->node_given ? 0 : -1};
			object_of_slot[op->slot] = step->object;
		} else if (op->kind == KM_OP_OBJECT_FREE && object_of_slot[op->slot]) {
			*step = (struct step){.object = object_of_slot[op->slot], .free = true};
			object_of_slot[op->slot] = 0;
		} else {
			continue;
		}
		work->nr_steps++;
	}
	add_open(work, object_of_slot, program->nr_slots);
	work->nr_objects--;
	free(object_of_slot);
}

/* ---- the loop ---- */

static inline void allocate(struct km_replayer *replayer, const struct step *step)
{
	addrs[step->object] = km_object_alloc(replayer->machine, 0, replayer->caches[step->cache],
					      step->size, step->gfp, step->node);
}

static inline void release(struct km_replayer *replayer, const struct step *step, unsigned cpu)
{
	km_kfree(replayer->machine, cpu, addrs[step->object]);
}

static void pass_one(struct km_replayer *replayer, const struct work *work)
{
	const struct step *step = work->steps, *end = step + work->nr_steps;

	for (; step < end; step++) {
		if (step->free)
			release(replayer, step, 0);
		else
			allocate(replayer, step);
	}
}

/* ---- two threads in turn ---- */

struct pair {
	pthread_barrier_t turn;
	struct km_replayer *replayer;
	const struct work *work;
	double freed_ns;
	unsigned passes;
};

static void window_frees(struct km_replayer *replayer, const struct step *step,
			 const struct step *end)
{
	for (; step < end; step++)
		if (step->free)
			release(replayer, step, 1);
}

static void window_allocs(struct km_replayer *replayer, const struct step *step,
			  const struct step *end)
{
	for (; step < end; step++)
		if (!step->free)
			allocate(replayer, step);
}

static const struct step *window_end(const struct work *work, size_t at)
{
	size_t end = at + WINDOW;

	return work->steps + (end < work->nr_steps ? end : work->nr_steps);
}

static void *free_windows(void *context)
{
	struct pair *pair = context;
	const struct work *work = pair->work;

	for (size_t at = 0; at < work->nr_steps; at += WINDOW) {
		double start;

		pthread_barrier_wait(&pair->turn);
		start = now_ns();
		window_frees(pair->replayer, work->steps + at, window_end(work, at));
		pair->freed_ns += now_ns() - start;
		pthread_barrier_wait(&pair->turn);
	}
	return NULL;
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
	for (size_t at = 0; at < work->nr_steps; at += WINDOW) {
		start = now_ns();
		window_allocs(replayer, work->steps + at, window_end(work, at));
		spent += now_ns() - start;
		pthread_barrier_wait(&pair.turn);
		pthread_barrier_wait(&pair.turn);
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&pair.turn);
	return spent + pair.freed_ns;
}

static void measure(struct subject *subject, const struct work *work, unsigned round)
{
	unsigned passes = (unsigned)(MIN_OPS / work->nr_steps) + 1;
	double start = now_ns();

	for (unsigned i = 0; i < passes; i++)
		pass_one(subject->replayer, work);
	subject->ns[0][round] = (now_ns() - start) / passes / (double)work->nr_objects;
	subject->ns[1][round] = pass_two(subject->replayer, work) / (double)work->nr_objects;
}

/* ---- subjects ---- */

static unsigned start_subjects(struct subject *subjects, const struct km_program *program,
			       struct km_trace *trace, struct km_start *start)
{
	unsigned count = 0;

	/* Every free in the second table is another CPU's. */
	if (start->cpus < 2)
		start->cpus = 2;
	for (unsigned i = 0; i < sizeof(subject_texts) / sizeof(subject_texts[0]); i++) {
		struct subject *subject = &subjects[count];
		struct km_model_choice choice;
		struct km_err err = {""};

		memset(subject, 0, sizeof(*subject));
		subject->text = subject_texts[i];
		if (km_model_choice_parse(subject->text, &choice, &err) ||
		    km_replayer_create(program, trace, start, &choice, 1, &subject->replayer, &err))
			printf("%s is left out: %s\n", subject->text, err.text);
		else
			count++;
	}
	return count;
}

/* ---- tables ---- */

static void print_figure(struct km_bench_figure figure, const char *format)
{
	char number[3][16], text[64];

	snprintf(number[0], sizeof(number[0]), format, figure.median);
	snprintf(number[1], sizeof(number[1]), format, figure.low);
	snprintf(number[2], sizeof(number[2]), format, figure.high);
	snprintf(text, sizeof(text), "%s [%s-%s]", number[0], number[1], number[2]);
	printf(" %22s", text);
}

static void print_table(const struct work *work, const struct subject *subjects, unsigned count,
			unsigned rounds)
{
	printf("\n%s: %zu objects, %u rounds\n%-24s %22s %22s %22s %22s\n", work->name,
	       work->nr_objects, rounds, "ns per alloc+free", "one thread", "/ slub",
	       "two threads, remote", "/ slub");
	for (unsigned i = 0; i < count; i++) {
		printf("%-24s", subjects[i].text);
		for (unsigned t = 0; t < 2; t++) {
			print_figure(km_bench_figure(subjects[i].ns[t], rounds), "%.1f");
			print_figure(km_bench_ratio(subjects[i].ns[t], subjects[0].ns[t], rounds),
				     "%.2f");
		}
		printf("\n");
	}
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
	addrs = calloc(work.nr_objects + 1, sizeof(*addrs));
	if (!addrs || !work.nr_objects)
		die(path, addrs ? "it holds no objects" : "no memory");
	count = start_subjects(subjects, program, trace, &start);
	for (unsigned i = 0; i < count; i++) { /* once unmeasured: pages are touched */
		pass_one(subjects[i].replayer, &work);
		pass_two(subjects[i].replayer, &work);
	}
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < count; i++)
			measure(&subjects[i], &work, round);
	print_table(&work, subjects, count, rounds);
	for (unsigned i = 0; i < count; i++)
		km_replayer_destroy(subjects[i].replayer);
	free(addrs);
	free(work.steps);
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
