/* SPDX-License-Identifier: GPL-2.0-only */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/term.h"

const char *argp_program_version = "kmlab-capture " KMLAB_VERSION;

static const char doc[] =
	"Record every kernel allocation and free of this machine into a trace.\n"
	"\v"
	"Recording ends when CMD exits, after SEC seconds, or at Ctrl-C (what was recorded is "
	"saved; a second Ctrl-C aborts). Needs root or capabilities, Linux 6.1 or newer, and BTF: "
	"'kmlab doctor' says what is missing.\n"
	"\n"
	"A filter chooses objects when they are allocated; their frees are recorded whoever frees "
	"them. Several words of one filter mean any of them, several filters mean all of them. "
	"Whatever is not recorded is counted.\n"
	"\n"
	"EXAMPLES\n"
	"  kmlab capture -o build.kmt -- make -j4\n"
	"  kmlab capture -d 10 -e slab,page\n"
	"  kmlab capture --cache dentry --stacks -d 5\n"
	"  kmlab capture --budget 5% --rotate-time 3600 --keep 24 -o day.kmt\n"
	"  kmlab capture --flight 30 --trigger failed -o flight.kmt\n";

enum {
	OPT_RING_SIZE = 256,
	OPT_SHRINK,
	OPT_STRICT,
	OPT_NO_REALTIME,
	OPT_RECOVER,
	OPT_BTF,
	OPT_SAVE_BTF,
	OPT_DOCTOR,
	OPT_STACKS,
	OPT_PID,
	OPT_TID,
	OPT_COMM,
	OPT_CGROUP,
	OPT_CACHE,
	OPT_SIZE,
	OPT_SITE,
	OPT_SAMPLE,
	OPT_BUDGET,
	OPT_ROTATE_SIZE,
	OPT_ROTATE_TIME,
	OPT_KEEP,
	OPT_FLIGHT,
	OPT_FLIGHT_MEMORY,
	OPT_TRIGGER,
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "The trace to write (trace.kmt)", 0},
	{"duration", 'd', "SEC", 0, "Stop after SEC seconds; may be a fraction", 0},
	{"events", 'e', "GROUPS", 0,
	 "slab, page, vmap, percpu, rcu (frees and allocations in bulk, which have no tracepoint), "
	 "separated by commas, or all (all)",
	 0},
	{"stacks", OPT_STACKS, NULL, 0, "Record the kernel stack of each event", 0},
	{"shrink", OPT_SHRINK, NULL, 0,
	 "First ask every slab cache to give back its empty slabs; and again when recording has "
	 "begun, where 'kmlab fidelity' then starts; there and at the end it is written down which "
	 "slab lies where. The recorder's own calls are recorded, too",
	 0},
	{"strict", OPT_STRICT, NULL, 0, "Exit 1 when events were lost", 0},
	{NULL, 0, NULL, 0, "What to record:", 1},
	{"pid", OPT_PID, "PID", 0, "Objects allocated by these processes", 1},
	{"tid", OPT_TID, "TID", 0, "… by these threads", 1},
	{"comm", OPT_COMM, "NAME", 0, "… by tasks of these names", 1},
	{"cgroup", OPT_CGROUP, "PATH", 0, "… by tasks in or below this cgroup", 1},
	{"cache", OPT_CACHE, "NAME", 0,
	 "… from these caches; NAME* is a prefix, kmalloc-64 all of kmalloc's caches of that size",
	 1},
	{"size", OPT_SIZE, "FROM-TO", 0, "… of so many bytes, as asked for", 1},
	{"site", OPT_SITE, "SYMBOL", 0,
	 "… by calls in these functions, or [MODULE] for those of a module", 1},
	{"sample", OPT_SAMPLE, "1/N", 0,
	 "Record one of N addresses, with all that happens to it (both ends of a lifetime)", 1},
	{"budget", OPT_BUDGET, "PERCENT", 0,
	 "Measure the load for a second and choose what to give up so that recording takes at "
	 "most this share of the machine's CPU time",
	 1},
	{NULL, 0, NULL, 0, "Long recordings:", 2},
	{"rotate-size", OPT_ROTATE_SIZE, "SIZE", 0,
	 "Begin a new trace (FILE.1.kmt, FILE.2.kmt …) at this size", 2},
	{"rotate-time", OPT_ROTATE_TIME, "SEC", 0, "… after so many seconds", 2},
	{"keep", OPT_KEEP, "N", 0, "Of these, keep the last N", 2},
	{"flight", OPT_FLIGHT, "SEC", 0,
	 "Keep the last SEC seconds in memory; save them on SIGUSR1, on a trigger, at the end", 2},
	{"flight-memory", OPT_FLIGHT_MEMORY, "SIZE", 0, "… but not more than this (512M)", 2},
	{"trigger", OPT_TRIGGER, "WHAT", 0,
	 "Save when rate=N events a second are reached, an allocation failed, or extfrag "
	 "(an allocation fell back to another migratetype)",
	 2},
	{NULL, 0, NULL, 0, "How:", 3},
	{"ring-size", OPT_RING_SIZE, "SIZE", 0,
	 "Memory for the rings of all CPUs, with suffix K, M or G (1/48 of the machine's, but 16M "
	 "to "
	 "512M)",
	 3},
	{"no-realtime", OPT_NO_REALTIME, NULL, 0, "Do not ask for real-time priority", 3},
	{"recover", OPT_RECOVER, "WHICH", 0,
	 "How to recover events that nested interrupts hide from the programs: none; by second "
	 "programs on all tracepoints or those of frees; or by watchpoints where the machine has "
	 "them, else on frees until an allocation was hidden and then on all (auto)",
	 3},
	{"btf", OPT_BTF, "FILE", 0,
	 "Only say whether the kernel described by this BTF file could be recorded", 3},
	{"save-btf", OPT_SAVE_BTF, "FILE", 0,
	 "Only write there what --btf asks of this kernel's BTF (or of that --btf names): a report "
	 "about an unknown kernel needs it",
	 3},
	{"doctor", OPT_DOCTOR, NULL, 0, "Only, and first: what 'kmlab doctor' does", 3},
	{"quiet", 'q', NULL, 0, "Print errors only", 3},
	{"verbose", 'v', NULL, 0, "Print what libbpf says", 3},
	{0},
};

/* ---- values ---- */

static int parse_groups(char *text, unsigned *groups)
{
	char *rest = NULL;
	unsigned found = 0, group;

	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (strcmp(word, "all") == 0) {
			found |= KM_GROUPS_ALL;
			continue;
		}
		for (group = 0;
		     group < KM_NR_GROUPS && strcmp(word, km_event_group_name(group)) != 0; group++)
			;
		if (group == KM_NR_GROUPS)
			return -EINVAL;
		found |= 1u << group;
	}
	*groups = found;
	return found ? 0 : -EINVAL;
}

/* A number with an optional suffix; *end: what follows. */
static int parse_bytes(const char *text, const char **end, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *after;

	errno = 0;
	*bytes = strtoull(text, &after, 10);
	if (errno || after == text || text[0] < '0' || text[0] > '9' || *bytes >> 33)
		return -EINVAL;
	suffix = *after ? strchr(suffixes, *after) : NULL;
	if (suffix)
		*bytes <<= 10 * (suffix - suffixes + 1);
	*end = after + (suffix != NULL);
	return 0;
}

static int parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *bytes)
{
	const char *end;

	if (parse_bytes(text, &end, bytes) || *end)
		return -EINVAL;
	return *bytes >= least && *bytes <= most ? 0 : -EINVAL;
}

/* FROM-TO, FROM-, -TO, or one size. */
static int parse_range(const char *text, struct km_filter_options *filter)
{
	const char *end = text;

	filter->has_sizes = true;
	filter->size_from = 0;
	filter->size_to = UINT64_MAX;
	if (*text != '-' && parse_bytes(text, &end, &filter->size_from))
		return -EINVAL;
	if (!*end) {
		filter->size_to = filter->size_from;
		return 0;
	}
	if (*end++ != '-')
		return -EINVAL;
	if (*end && (parse_bytes(end, &end, &filter->size_to) || *end))
		return -EINVAL;
	return filter->size_from <= filter->size_to ? 0 : -EINVAL;
}

static int parse_recover(const char *text, enum km_recover *recover)
{
	static const char *const names[] = {"auto", "all", "frees", "none"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*recover = (enum km_recover)i;
			return 0;
		}
	}
	return -EINVAL;
}

static double parse_number(struct argp_state *state, const char *option, const char *text,
			   const char *suffix, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || (*end && strcmp(end, suffix) != 0) || !(value > 0) || value > most)
		argp_error(state, "%s takes a positive number up to %g%s, not '%s'", option, most,
			   suffix, text);
	return value;
}

static void parse_sample(struct argp_state *state, const char *text, uint32_t *sample)
{
	unsigned long n;
	char *end;

	n = strncmp(text, "1/", 2) == 0 ? strtoul(text + 2, &end, 10) : 0;
	if (n < 1 || n > 1u << 20 || *end || text[2] < '0' || text[2] > '9')
		argp_error(state, "--sample takes 1/N with N up to %u, not '%s'", 1u << 20, text);
	*sample = (uint32_t)n;
}

static void parse_trigger(struct argp_state *state, char *text, struct km_options *parsed)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (strcmp(word, "failed") == 0)
			parsed->trigger_failed = true;
		else if (strcmp(word, "extfrag") == 0)
			parsed->trigger_extfrag = true;
		else if (strncmp(word, "rate=", 5) == 0)
			parsed->trigger_rate =
				parse_number(state, "--trigger rate=", word + 5, "", 1e12);
		else
			argp_error(state, "--trigger takes rate=N, failed or extfrag, not '%s'",
				   word);
	}
}

/* Words separated by commas, beside those of earlier options of that name. */
static void add_words(struct argp_state *state, const char *option, char *text,
		      struct km_words *words)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (words->count == KM_FILTER_MAX)
			argp_error(state, "%s takes up to %d, '%s' is one more", option,
				   KM_FILTER_MAX, word);
		else
			words->word[words->count++] = word;
	}
}

/* ---- options ---- */

static error_t parse_filter(int key, char *text, struct argp_state *state)
{
	struct km_options *parsed = state->input;
	struct km_filter_options *filter = &parsed->filter;

	switch (key) {
	case OPT_PID:
		add_words(state, "--pid", text, &filter->pids);
		return 0;
	case OPT_TID:
		add_words(state, "--tid", text, &filter->tids);
		return 0;
	case OPT_COMM:
		add_words(state, "--comm", text, &filter->comms);
		return 0;
	case OPT_CACHE:
		add_words(state, "--cache", text, &filter->caches);
		return 0;
	case OPT_SITE:
		add_words(state, "--site", text, &filter->sites);
		return 0;
	case OPT_CGROUP:
		filter->cgroup = text;
		return 0;
	case OPT_SIZE:
		if (parse_range(text, filter))
			argp_error(state, "--size takes bytes as 64-192, 4K- or 96, not '%s'",
				   text);
		return 0;
	case OPT_SAMPLE:
		parse_sample(state, text, &parsed->sample);
		return 0;
	case OPT_BUDGET:
		parsed->budget_percent = parse_number(state, "--budget", text, "%", 100);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_long(int key, char *text, struct argp_state *state)
{
	struct km_options *parsed = state->input;
	uint64_t keep;

	switch (key) {
	case OPT_ROTATE_SIZE:
		if (parse_size(text, 1u << 20, 1ull << 40, &parsed->rotate_bytes))
			argp_error(state, "--rotate-size takes 1M to 1024G, not '%s'", text);
		return 0;
	case OPT_ROTATE_TIME:
		parsed->rotate_seconds = parse_number(state, "--rotate-time", text, "", 1e9);
		return 0;
	case OPT_KEEP:
		if (parse_size(text, 1, 1000000, &keep))
			argp_error(state, "--keep takes 1 to 1000000, not '%s'", text);
		parsed->keep = (unsigned)keep;
		return 0;
	case OPT_FLIGHT:
		parsed->flight_seconds = parse_number(state, "--flight", text, "s", 1e6);
		return 0;
	case OPT_FLIGHT_MEMORY:
		if (parse_size(text, 1u << 20, 1ull << 40, &parsed->flight_bytes))
			argp_error(state, "--flight-memory takes 1M to 1024G, not '%s'", text);
		return 0;
	case OPT_TRIGGER:
		parse_trigger(state, text, parsed);
		return 0;
	default:
		return parse_filter(key, text, state);
	}
}

static error_t parse_how(int key, char *text, struct argp_state *state)
{
	struct km_options *parsed = state->input;

	switch (key) {
	case OPT_RING_SIZE:
		if (parse_size(text, 1u << 20, 1ull << 31, &parsed->ring_bytes))
			argp_error(state, "--ring-size takes 1M to 2G, not '%s'", text);
		return 0;
	case OPT_NO_REALTIME:
		parsed->no_realtime = true;
		return 0;
	case OPT_RECOVER:
		if (parse_recover(text, &parsed->recover))
			argp_error(state, "--recover takes auto, all, frees or none, not '%s'",
				   text);
		return 0;
	case OPT_BTF:
		parsed->btf = text;
		return 0;
	case OPT_SAVE_BTF:
		parsed->save_btf = text;
		return 0;
	case 'q':
		km_quiet = true;
		return 0;
	case 'v':
		parsed->verbose = true;
		return 0;
	default:
		return parse_long(key, text, state);
	}
}

static void check_together(struct argp_state *state)
{
	const struct km_options *parsed = state->input;
	bool rotates = parsed->rotate_bytes || parsed->rotate_seconds > 0;
	bool triggers =
		parsed->trigger_failed || parsed->trigger_extfrag || parsed->trigger_rate > 0;

	if (parsed->keep && !rotates)
		argp_error(state, "--keep needs --rotate-size or --rotate-time");
	if (triggers && !(parsed->flight_seconds > 0))
		argp_error(state, "--trigger needs --flight");
	if (rotates && parsed->flight_seconds > 0)
		argp_error(state, "--flight and rotation cannot be used together");
	if (parsed->sample > 1 && parsed->budget_percent > 0)
		argp_error(state, "--budget chooses the sampling; leave --sample out");
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct km_options *parsed = state->input;

	switch (key) {
	case 'o':
		parsed->output = text;
		return 0;
	case 'd':
		parsed->seconds = parse_number(state, "-d", text, "", 1e9);
		return 0;
	case 'e':
		if (parse_groups(text, &parsed->groups))
			argp_error(state, "-e takes slab, page, vmap, percpu, rcu or all, "
					  "separated by commas");
		return 0;
	case OPT_STACKS:
		parsed->stacks = true;
		return 0;
	case OPT_SHRINK:
		parsed->shrink = true;
		return 0;
	case OPT_STRICT:
		parsed->strict = true;
		return 0;
	case ARGP_KEY_ARG: /* the first word that is no option begins the command */
		parsed->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_SUCCESS:
		check_together(state);
		return 0;
	default:
		return parse_how(key, text, state);
	}
}

static const struct argp argp = {
	.options = options, .parser = parse_option, .args_doc = "[-- CMD [ARG...]]", .doc = doc};

/* Enough for seconds of a busy machine's events, and little of its memory. */
uint64_t km_default_ring_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	uint64_t bytes = pages > 0 ? (uint64_t)pages * KM_PAGE_SIZE / 48 : 0;

	return bytes < 16u << 20 ? 16u << 20 : bytes > 512u << 20 ? 512u << 20 : bytes;
}

void km_options_parse(struct km_options *parsed, int argc, char **argv)
{
	*parsed = (struct km_options){.output = "trace.kmt",
				      .groups = KM_GROUPS_ALL,
				      .ring_bytes = km_default_ring_bytes(),
				      .flight_bytes = 512u << 20,
				      .sample = 1};
	argp_err_exit_status = KM_EXIT_ERROR;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, parsed);
}

bool km_options_filter(const struct km_options *parsed)
{
	const struct km_filter_options *filter = &parsed->filter;

	return filter->pids.count || filter->tids.count || filter->comms.count ||
	       filter->caches.count || filter->sites.count || filter->cgroup || filter->has_sizes;
}

static void print_words(FILE *out, const char *name, const struct km_words *words)
{
	for (unsigned i = 0; i < words->count; i++)
		fprintf(out, "%s%s%s", i ? "," : name, i ? "" : "=", words->word[i]);
	if (words->count)
		fputc(' ', out);
}

char *km_options_filter_text(const struct km_options *parsed)
{
	const struct km_filter_options *filter = &parsed->filter;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	print_words(out, "pid", &filter->pids);
	print_words(out, "tid", &filter->tids);
	print_words(out, "comm", &filter->comms);
	print_words(out, "cache", &filter->caches);
	print_words(out, "site", &filter->sites);
	if (filter->cgroup)
		fprintf(out, "cgroup=%s ", filter->cgroup);
	if (filter->has_sizes && filter->size_to == UINT64_MAX)
		fprintf(out, "size=%llu-", (unsigned long long)filter->size_from);
	else if (filter->has_sizes)
		fprintf(out, "size=%llu-%llu", (unsigned long long)filter->size_from,
			(unsigned long long)filter->size_to);
	if (fclose(out))
		return NULL;
	for (size_t end = strlen(text); end && text[end - 1] == ' '; end--)
		text[end - 1] = '\0';
	return text;
}
