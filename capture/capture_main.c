/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab-capture: record the live kernel's allocations into a trace. The only program of kmlab that
 * needs privilege. It polls the rings on a timer from a real-time thread: being woken per event
 * would cost more than recording one, and at normal priority the workload that is recorded would
 * keep it from running.
 */
#include <argp.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "command.h"
#include "results/term.h"
#include "slab_table.h"

#define POLL_NS 2000000
#define MISSED_CHECK_NS 100000000ull

const char *argp_program_version = "kmlab-capture " KMLAB_VERSION;

static const char doc[] =
	"Record every kernel allocation and free of this machine into a trace.\n"
	"\v"
	"Recording ends when CMD exits, after SEC seconds, or at Ctrl-C (what was recorded is "
	"saved; a second Ctrl-C aborts). Needs root, Linux 6.1 or newer, and BTF.\n"
	"\n"
	"Examples:\n"
	"  kmlab capture -o build.kmt -- make -j4\n"
	"  kmlab capture -d 10 -e slab,page\n";

enum { OPT_RING_SIZE = 256, OPT_SHRINK, OPT_STRICT, OPT_NO_REALTIME, OPT_RECOVER, OPT_BTF };

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "The trace to write (trace.kmt)", 0},
	{"duration", 'd', "SEC", 0, "Stop after SEC seconds; may be a fraction", 0},
	{"events", 'e', "GROUPS", 0, "slab, page, vmap, separated by commas, or all (all)", 0},
	{"ring-size", OPT_RING_SIZE, "SIZE", 0,
	 "Memory for the rings of all CPUs, with suffix K, M or G (64M)", 0},
	{"shrink", OPT_SHRINK, NULL, 0, "First ask every slab cache to give back its empty slabs",
	 0},
	{"strict", OPT_STRICT, NULL, 0, "Exit 1 when events were lost", 0},
	{"no-realtime", OPT_NO_REALTIME, NULL, 0, "Do not ask for real-time priority", 0},
	{"recover", OPT_RECOVER, "WHICH", 0,
	 "Events that nested interrupts hide from the first program: recover all, frees (half "
	 "the cost) or none (all)",
	 0},
	{"btf", OPT_BTF, "FILE", 0,
	 "Only say whether the kernel described by this BTF file could be recorded", 0},
	{"quiet", 'q', NULL, 0, "Print errors only", 0},
	{"verbose", 'v', NULL, 0, "Print what libbpf says", 0},
	{0},
};

struct arguments {
	const char *output, *btf;
	char **command;
	double seconds; /* 0: no limit */
	unsigned groups;
	uint64_t ring_bytes;
	enum km_recover recover;
	bool shrink, strict, no_realtime, verbose;
};

/* ---- options ---- */

static int parse_groups(char *text, unsigned *groups)
{
	static const char *const names[KM_NR_GROUPS] = {"slab", "page", "vmap"};
	char *rest = NULL;
	unsigned found = 0, group;

	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (strcmp(word, "all") == 0) {
			found |= KM_GROUPS_ALL;
			continue;
		}
		for (group = 0; group < KM_NR_GROUPS && strcmp(word, names[group]) != 0; group++)
			;
		if (group == KM_NR_GROUPS)
			return -EINVAL;
		found |= 1u << group;
	}
	*groups = found;
	return found ? 0 : -EINVAL;
}

static int parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	char *end;
	const char *suffix;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || text[0] == '-' || value > UINT32_MAX)
		return -EINVAL;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (*end && (!suffix || end[1]))
		return -EINVAL;
	*bytes = suffix ? (uint64_t)value << 10 * (suffix - suffixes + 1) : value;
	/* The kernel limits one ring to 2 GiB. */
	return *bytes >= 1u << 20 && *bytes <= 1ull << 31 ? 0 : -EINVAL;
}

static int parse_recover(const char *text, enum km_recover *recover)
{
	static const char *const names[] = {"all", "frees", "none"};

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0) {
			*recover = (enum km_recover)i;
			return 0;
		}
	}
	return -EINVAL;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char *end;

	switch (key) {
	case 'o':
		arguments->output = text;
		return 0;
	case 'd':
		arguments->seconds = strtod(text, &end);
		if (end == text || *end || !(arguments->seconds > 0) || arguments->seconds > 1e9)
			argp_error(state, "-d takes a positive number of seconds, not '%s'", text);
		return 0;
	case 'e':
		if (parse_groups(text, &arguments->groups))
			argp_error(state, "-e takes slab, page, vmap or all, separated by commas");
		return 0;
	case OPT_RING_SIZE:
		if (parse_size(text, &arguments->ring_bytes))
			argp_error(state, "--ring-size takes 1M to 2G, not '%s'", text);
		return 0;
	case OPT_SHRINK:
		arguments->shrink = true;
		return 0;
	case OPT_STRICT:
		arguments->strict = true;
		return 0;
	case OPT_NO_REALTIME:
		arguments->no_realtime = true;
		return 0;
	case OPT_RECOVER:
		if (parse_recover(text, &arguments->recover))
			argp_error(state, "--recover takes all, frees or none, not '%s'", text);
		return 0;
	case OPT_BTF:
		arguments->btf = text;
		return 0;
	case 'q':
		km_quiet = true;
		return 0;
	case 'v':
		arguments->verbose = true;
		return 0;
	case ARGP_KEY_ARG: /* the first word that is no option begins the command */
		arguments->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options, .parser = parse_option, .args_doc = "[-- CMD [ARG...]]", .doc = doc};

/* ---- a capture ---- */

struct capture {
	const struct arguments *arguments;
	struct km_recorder *recorder;
	struct km_trace_writer *writer;
	struct km_drain *drain;
	struct km_command command;
	struct km_sampler sampler;
	uint64_t start_ns, duration_ns;
	/* When losses to recursion were first and last seen to have grown. */
	uint64_t missed, missed_after_ns, missed_before_ns, missed_checked_ns;
	uint64_t events; /* taken from the rings */
	uint64_t stored; /* of these, in the file */
	bool interrupted;
	char *earlier; /* where the trace is that was in the output; NULL: none */
};

static int be_realtime(void)
{
	struct sched_param priority = {.sched_priority = 1};

	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) ? -errno : 0;
}

static int set_meta(struct capture *capture, struct km_err *err)
{
	static const char *const groups[] = {"",     "slab",      "page",      "slab,page",
					     "vmap", "slab,vmap", "page,vmap", "slab,page,vmap"};
	char number[24], *text = km_command_text(capture->arguments->command);
	int ret;

	snprintf(number, sizeof(number), "%u", km_recorder_possible_cpus(capture->recorder));
	ret = km_trace_set_meta(capture->writer, "possible_cpus", number, err);
	if (!ret)
		ret = km_trace_set_meta(capture->writer, "command", text ? text : "", err);
	if (!ret)
		ret = km_trace_set_meta(capture->writer, "version", KMLAB_VERSION, err);
	if (!ret && capture->arguments->shrink)
		ret = km_trace_set_meta(capture->writer, "start", "shrunk", err);
	if (!ret)
		ret = km_trace_set_meta(capture->writer, "groups",
					groups[km_recorder_groups(capture->recorder)], err);
	free(text);
	return ret;
}

static int create(struct capture *capture, struct km_err *err)
{
	int ret = km_trace_create(capture->arguments->output, &capture->writer, err);

	if (!ret && km_trace_earlier(capture->writer)) {
		capture->earlier = strdup(km_trace_earlier(capture->writer));
		if (!capture->earlier)
			ret = km_fail(err, -ENOMEM, "no memory to begin a trace");
	}
	return ret;
}

/* Everything up to the moment events count. */
static int prepare(struct capture *capture, struct km_err *err)
{
	const struct arguments *arguments = capture->arguments;
	struct km_recorder_options wanted = {.groups = arguments->groups,
					     .ring_bytes = arguments->ring_bytes,
					     .recover = arguments->recover};
	int ret = km_recorder_open(&wanted, &capture->recorder, err);

	if (!ret && arguments->command)
		ret = km_command_prepare(&capture->command, arguments->command, err);
	if (!ret)
		ret = create(capture, err);
	if (!ret)
		ret = set_meta(capture, err);
	if (!ret)
		ret = km_snapshot_provenance(capture->writer, km_recorder_btf(capture->recorder),
					     km_recorder_layout(capture->recorder), err);
	if (ret)
		return ret;
	if (arguments->shrink && !km_slab_shrink_all())
		km_warn("no slab cache could be shrunk; the trace starts from caches as they are");
	ret = km_snapshot_machine(capture->writer, "start", 0, err);
	if (!ret)
		ret = km_trace_flush(capture->writer, err);
	if (!ret)
		ret = km_drain_open(capture->recorder, capture->writer, &capture->drain, err);
	return ret;
}

static void check_missed(struct capture *capture, uint64_t now_ns)
{
	uint64_t missed = km_recorder_missed(capture->recorder);

	if (missed > capture->missed) {
		if (!capture->missed)
			capture->missed_after_ns = capture->missed_checked_ns;
		capture->missed_before_ns = now_ns;
		capture->missed = missed;
	}
	capture->missed_checked_ns = now_ns;
}

/* 0: go on; 1: time to end; or -errno. */
static int step(struct capture *capture, struct km_progress *progress, struct km_err *err)
{
	const struct arguments *arguments = capture->arguments;
	uint64_t now_ns = km_clock_ns() - capture->start_ns;
	size_t moved;
	int ret;

	ret = km_drain_once(capture->drain, &moved, err);
	if (ret)
		return ret;
	capture->events += moved;
	if (km_interrupted()) {
		capture->interrupted = true;
		km_note("saving what was recorded; Ctrl-C again aborts");
		return 1;
	}
	if (arguments->command && km_command_ended(&capture->command))
		return 1;
	if (arguments->seconds > 0 && (double)now_ns >= arguments->seconds * 1e9)
		return 1;
	ret = km_sampler_poll(&capture->sampler, capture->writer, now_ns, err);
	if (now_ns - capture->missed_checked_ns >= MISSED_CHECK_NS)
		check_missed(capture, now_ns);
	km_progress_update(progress, now_ns);
	return ret;
}

static int record(struct capture *capture, struct km_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	struct km_progress progress;
	int ret = 0;

	km_progress_start(&progress, "recording", (uint64_t)(capture->arguments->seconds * 1e9));
	km_sampler_open(&capture->sampler);
	if (!capture->arguments->no_realtime && be_realtime())
		km_warn("no real-time priority, so a busy machine may lose events; run as root or "
			"with CAP_SYS_NICE");
	km_recorder_start(capture->recorder, &capture->start_ns);
	km_drain_start(capture->drain, capture->start_ns);
	if (capture->arguments->command)
		ret = km_command_go(&capture->command, err);
	while (!ret) {
		ret = step(capture, &progress, err);
		if (!ret)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	capture->duration_ns = km_clock_ns() - capture->start_ns;
	km_recorder_stop(capture->recorder);
	km_progress_end(&progress);
	km_sampler_close(&capture->sampler);
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	return ret < 0 ? ret : 0;
}

/* The ledger, into the trace. */
static int store_counts(struct capture *capture, struct km_recorder_totals *totals,
			struct km_err *err)
{
	struct km_trace_counts *counts = &totals->counts;
	struct km_trace_gap gap = {.cpu = KM_GAP_CPU_UNKNOWN, .cause = KM_LOSS_RECURSION};
	int ret;

	km_recorder_totals(capture->recorder, totals);
	memcpy(counts->recorded, km_drain_recorded(capture->drain), sizeof(counts->recorded));
	gap.events = counts->lost[KM_LOSS_RECURSION];
	gap.after_ns = capture->missed ? capture->missed_after_ns : capture->missed_checked_ns;
	gap.before_ns =
		gap.events > capture->missed ? capture->duration_ns : capture->missed_before_ns;
	ret = gap.events ? km_trace_add_gap(capture->writer, &gap, err) : 0;
	if (!ret)
		ret = km_trace_set_counts(capture->writer, counts, err);
	return ret;
}

/* What comes after recording: the last records, the end state, the ledger, the symbols. */
static int complete(struct capture *capture, struct km_recorder_totals *totals, struct km_err *err)
{
	uint32_t sites, unresolved;
	size_t moved = 0;
	int ret = km_snapshot_machine(capture->writer, "end", capture->duration_ns, err);

	if (!ret)
		ret = km_drain_once(capture->drain, &moved, err);
	capture->events += moved;
	if (!ret)
		ret = km_drain_finish(capture->drain, capture->duration_ns, err);
	if (!ret)
		ret = store_counts(capture, totals, err);
	if (!ret)
		ret = km_symbols_resolve(capture->writer, &sites, &unresolved, err);
	if (ret)
		return ret;
	if (sites > 1 && unresolved == sites - 1)
		km_warn("no call site has a symbol: /proc/kallsyms hides its addresses; run as "
			"root "
			"or with kernel.kptr_restrict=0");
	if (!capture->events && capture->earlier) {
		km_trace_discard(capture->writer);
		capture->writer = NULL;
		return 0;
	}
	ret = km_trace_flush(capture->writer, err);
	if (ret)
		return ret;
	capture->stored = km_trace_stored(capture->writer);
	ret = km_trace_finish(capture->writer, capture->duration_ns, err);
	capture->writer = NULL;
	return ret;
}

/* ---- what it came to ---- */

static uint64_t sum(const uint64_t *values, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += values[i];
	return total;
}

static long long file_bytes(const char *path)
{
	struct stat status;

	return stat(path, &status) ? 0 : (long long)status.st_size;
}

static void tell_losses(const struct km_trace_counts *counts, uint64_t lost, uint64_t fired)
{
	km_warn("%llu of %llu events were lost (ring full %llu, contended %llu, recursion %llu); "
		"try a larger --ring-size, real-time priority or a faster disk",
		(unsigned long long)lost, (unsigned long long)fired,
		(unsigned long long)counts->lost[KM_LOSS_RING_FULL],
		(unsigned long long)counts->lost[KM_LOSS_CONTENDED],
		(unsigned long long)counts->lost[KM_LOSS_RECURSION]);
}

static int summarize(const struct capture *capture, const struct km_recorder_totals *totals)
{
	const struct km_trace_counts *counts = &totals->counts;
	uint64_t fired = sum(counts->fired, KM_NR_EVENT_KINDS);
	uint64_t recorded = sum(counts->recorded, KM_NR_EVENT_KINDS);
	uint64_t lost = sum(counts->lost, KM_NR_LOSS_CAUSES);
	uint64_t filtered =
		counts->filtered_null + counts->filtered_self + counts->filtered_sampled;
	double seconds = (double)capture->duration_ns / 1e9;
	long long bytes = file_bytes(capture->arguments->output);

	if (recorded)
		km_note("%s: %llu events in %.3f s (%.3g M/s), %lld bytes (%.2f an event)",
			capture->arguments->output, (unsigned long long)recorded, seconds,
			(double)recorded / seconds / 1e6, bytes, (double)bytes / (double)recorded);
	else
		km_note("nothing was recorded in %.3f s%s%s", seconds,
			capture->earlier ? "; the earlier trace stays in " : "",
			capture->earlier ? capture->arguments->output : "");
	km_note("lost %llu, filtered %llu (freeing nothing %llu, own %llu), recovered %llu",
		(unsigned long long)lost, (unsigned long long)filtered,
		(unsigned long long)counts->filtered_null,
		(unsigned long long)counts->filtered_self,
		(unsigned long long)(totals->skipped > counts->lost[KM_LOSS_RECURSION]
					     ? totals->skipped - counts->lost[KM_LOSS_RECURSION]
					     : 0));
	if (capture->arguments->command && !capture->interrupted)
		km_command_tell(&capture->command);
	if (fired != recorded + lost + filtered)
		return km_error("the ledger does not balance (%llu fired, %llu accounted for); "
				"please report this with the kernel version",
				(unsigned long long)fired,
				(unsigned long long)(recorded + lost + filtered));
	if (lost)
		tell_losses(counts, lost, fired);
	if (capture->interrupted)
		return KM_EXIT_INTERRUPTED;
	return lost && capture->arguments->strict ? KM_EXIT_NO : KM_EXIT_OK;
}

/* Recording did not begin, or broke off, most often because the disk is full. */
static int give_up(struct capture *capture, const struct km_err *err)
{
	const char *output = capture->arguments->output;
	bool began = capture->duration_ns > 0;

	if (capture->writer) {
		capture->stored = km_trace_stored(capture->writer);
		if (!capture->stored) {
			km_trace_discard(capture->writer);
			return km_error("%s%s", err->text, began ? "; no events are stored" : "");
		}
		km_trace_abandon(capture->writer);
	} else if (!capture->stored) {
		return km_error("%s", err->text);
	}
	return km_error("%s; %llu events are stored in %s%s%s", err->text,
			(unsigned long long)capture->stored, output,
			capture->earlier ? ", the earlier trace is in " : "",
			capture->earlier ? capture->earlier : "");
}

static int run(const struct arguments *arguments)
{
	struct capture capture = {.arguments = arguments};
	struct km_recorder_totals totals;
	struct km_err err = {""};
	int ret = prepare(&capture, &err);

	if (!ret)
		ret = record(&capture, &err);
	if (!ret)
		ret = complete(&capture, &totals, &err);
	ret = ret ? give_up(&capture, &err) : summarize(&capture, &totals);
	free(capture.earlier);
	km_command_finish(&capture.command);
	km_drain_close(capture.drain);
	km_recorder_close(capture.recorder);
	return ret;
}

/* --btf: would that kernel do? */
static int judge(const char *path, unsigned groups)
{
	static const char *const names[KM_NR_GROUPS] = {"slab", "page", "vmap"};
	struct km_program_choice choice;
	struct km_err err;
	struct btf *btf = btf__parse(path, NULL);
	int ret;

	if (!btf)
		return km_error("%s is not a BTF file: %s", path, strerror(errno));
	ret = km_programs_choose(btf, groups, &choice, &err);
	btf__free(btf);
	if (ret)
		return km_error("%s", err.text);
	for (unsigned group = 0; group < KM_NR_GROUPS; group++)
		printf("%s %s\n", names[group], choice.groups & 1u << group ? "yes" : "no");
	return KM_EXIT_OK;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.output = "trace.kmt", .groups = KM_GROUPS_ALL, .ring_bytes = 64u << 20};

	argp_err_exit_status = KM_EXIT_ERROR;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	libbpf_set_print(arguments.verbose ? print_libbpf : NULL);
	if (arguments.btf)
		return judge(arguments.btf, arguments.groups);
	km_catch_interrupts();
	return run(&arguments);
}
