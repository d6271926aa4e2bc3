/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab check T.kmt: is the file what was recorded, what did the kernel do that it must not, and
 * what did it never free. One list of findings serves the JSON document and the tables.
 */
#include "analysis.h"

#include "check_leaks.h"
#include "check_misuse.h"
#include "results/emit.h"
#include "results/options.h"
#include "results/term.h"
#include "trace_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256

#define NO_AGE UINT64_MAX /* not asked for */

struct check_args {
	const char *file;
	bool deep;
	uint64_t age_ns; /* of a leak, at least */
	uint64_t top;    /* suspects and leaks shown, each */
	struct km_common_options common;
};

/* ---- findings ---- */

#define NO_CALL UINT16_MAX /* a finding's cpu when it is not about one call */

enum finding_type {
	FOUND_INTEGRITY,
	FOUND_MISUSE,
	FOUND_SUSPECT,
	FOUND_LEAK,
	FOUND_UNSEEN,
	NR_FOUND
};

struct finding {
	enum finding_type type;
	const char *rule;
	uint64_t count;
	uint64_t time_ns;
	uint32_t site, task;
	uint16_t cpu;               /* NO_CALL: no site, task and time either */
	const struct km_leak *leak; /* of a leak; its cpu is not known */
	char what[768];
};

static const char *const type_names[NR_FOUND] = {"integrity", "misuse", "suspect", "leak",
						 "unseen"};

struct findings {
	struct finding *list;
	size_t count, room;
	bool failed; /* not enough memory */
	struct km_check_result checked;
	struct km_trace *trace;
	const char *doubt;
	struct km_leaks *leaks;
	uint64_t leak_before_ns;
	size_t leaks_hidden;              /* sites with leaks that are not listed */
	size_t suspects, suspects_hidden; /* listed and not */
};

static struct finding *add_finding(struct findings *findings, enum finding_type type,
				   const char *rule)
{
	struct finding *finding;

	if (findings->count == findings->room) {
		size_t room = findings->room ? 2 * findings->room : 16;
		struct finding *grown = realloc(findings->list, room * sizeof(*grown));

		if (!grown) {
			findings->failed = true;
			return NULL;
		}
		findings->list = grown;
		findings->room = room;
	}
	finding = &findings->list[findings->count++];
	*finding = (struct finding){.type = type, .rule = rule, .count = 1, .cpu = NO_CALL};
	return finding;
}

static bool found(const struct findings *findings, enum finding_type type)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->list[i].type == type)
			return true;
	return false;
}

static void note_problem(void *context, const struct km_check_problem *problem)
{
	struct finding *finding =
		add_finding(context, FOUND_INTEGRITY, km_check_part_names[problem->part]);

	if (finding)
		snprintf(finding->what, sizeof(finding->what), "%s", problem->what);
}

/* "freed again and not allocated in between: ...; find the two owners of the object" */
static void tell_misuse(const struct findings *findings, const struct km_misuse *misuse,
			struct finding *finding)
{
	static const char *const contexts[] = {"process", "softirq", "hardirq", "nmi", "unknown"};
	const struct km_event *event = &misuse->event;
	const struct km_misuse_text *text = &km_misuse_texts[misuse->rule];
	char before[KM_HUMAN_BYTES], task[KM_TASK_TEXT], site[KM_SITE_TEXT], detail[448];
	const struct km_trace_cache *caches;
	const struct km_trace_site *sites;
	uint32_t count;

	caches = km_trace_caches(findings->trace, &count);
	sites = km_trace_site_table(findings->trace, &count);
	km_human_ns((double)(event->time_ns - misuse->other_ns), before);
	km_task_text(findings->trace, misuse->other_task, task);
	km_trace_site_text(&sites[misuse->other_site], site);
	if (misuse->rule == KM_MISUSE_SLEEPING)
		snprintf(detail, sizeof(detail), "gfp 0x%x in %s", event->gfp,
			 contexts[event->context]);
	else if (misuse->rule == KM_MISUSE_WRONG_CACHE)
		snprintf(detail, sizeof(detail),
			 "0x%" PRIx64 " from %s into %s, allocated %s before at %s by %s",
			 event->ptr, caches[misuse->other_cache].name, caches[event->cache].name,
			 before, site, task);
	else
		snprintf(detail, sizeof(detail), "0x%" PRIx64 ", %s %s before at %s by %s",
			 event->ptr,
			 misuse->rule == KM_MISUSE_DOUBLE_FREE ? "freed" : "in one allocated",
			 before, site, task);
	snprintf(finding->what, sizeof(finding->what), "%s: %s; %s%s%s", text->seen, detail,
		 misuse->doubt ? "only a suspect: " : "", misuse->doubt ? misuse->doubt : "",
		 misuse->doubt ? "" : text->advice);
	finding->count = misuse->count;
	finding->time_ns = event->time_ns;
	finding->site = event->site;
	finding->task = event->task;
	finding->cpu = event->cpu;
}

static void add_misuses(struct findings *findings, struct km_misuse_search *search, uint64_t top)
{
	size_t count;
	const struct km_misuse *misuses = km_misuse_found(search, &count);

	findings->doubt = km_misuse_doubt(search);
	for (size_t i = 0; i < count; i++) {
		bool suspect = misuses[i].doubt != NULL;
		struct finding *finding;

		if (suspect && top && findings->suspects == top) {
			findings->suspects_hidden = count - i;
			return;
		}
		findings->suspects += suspect;
		finding = add_finding(findings, suspect ? FOUND_SUSPECT : FOUND_MISUSE,
				      km_misuse_texts[misuses[i].rule].name);
		if (finding)
			tell_misuse(findings, &misuses[i], finding);
	}
}

static void add_leaks(struct findings *findings, const struct km_repair *repair, uint64_t top)
{
	uint64_t end_ns = km_trace_duration_ns(findings->trace);
	size_t count, shown;
	const struct km_leak *leaks =
		km_leaks_end(findings->leaks, repair, findings->leak_before_ns, &count);

	shown = top && top < count ? (size_t)top : count;
	findings->leaks_hidden = count - shown;
	for (size_t i = 0; i < shown; i++) {
		struct finding *finding = add_finding(findings, FOUND_LEAK, "live_at_end");
		uint64_t age_ns = end_ns > leaks[i].oldest_ns ? end_ns - leaks[i].oldest_ns : 0;
		char age[KM_HUMAN_BYTES];

		if (!finding)
			return;
		finding->count = leaks[i].objects;
		finding->time_ns = leaks[i].oldest_ns;
		finding->site = leaks[i].site;
		finding->task = leaks[i].task;
		finding->leak = &leaks[i];
		snprintf(finding->what, sizeof(finding->what),
			 "the oldest is %s old; of %" PRIu64 " allocated there %" PRIu64
			 " were freed, %" PRIu64 " more without a traced free",
			 km_human_ns((double)age_ns, age), leaks[i].allocated, leaks[i].freed,
			 leaks[i].implied);
	}
}

/* Why objects that seem live are no leaks. */
static void add_unseen(struct findings *findings)
{
	uint32_t unused;
	size_t count;
	const struct km_unseen *unseen = km_leaks_unseen(findings->leaks, &count);
	const struct km_trace_cache *caches = km_trace_caches(findings->trace, &unused);
	const struct km_trace_site *sites = km_trace_site_table(findings->trace, &unused);

	for (size_t i = 0; i < count; i++) {
		struct finding *finding = add_finding(findings, FOUND_UNSEEN, "frees");
		char site[KM_SITE_TEXT];

		if (!finding)
			return;
		finding->count = unseen[i].objects;
		snprintf(finding->what, sizeof(finding->what),
			 "of %s %" PRIu64 " ended without a traced free and %" PRIu64
			 " with one: those that seem live may be gone, and are no leaks",
			 unseen[i].cache ? caches[unseen[i].cache].name
					 : km_trace_site_text(&sites[unseen[i].site], site),
			 unseen[i].implied, unseen[i].freed);
	}
}

/* ---- the pass over the events ---- */

struct pass {
	struct km_repair *repair;
	struct km_misuse_search *misuse;
	struct km_leaks *leaks;
};

/* 0 or -ENOMEM. */
static int feed(struct pass *pass, const struct km_event *event)
{
	struct km_repair_step step;
	int code = km_repair_feed(pass->repair, event, &step);

	if (!code)
		code = km_misuse_feed(pass->misuse, pass->repair, event, &step);
	if (code)
		return code;
	km_leaks_feed(pass->leaks, event, &step);
	while (km_repair_next_gone(pass->repair, &step))
		km_leaks_feed(pass->leaks, NULL, &step);
	return 0;
}

static int feed_all(struct pass *pass, struct km_trace *trace, struct km_err *err)
{
	struct km_progress progress;
	struct km_trace_cursor *cursor;
	struct km_event events[BATCH];
	size_t got = 1;
	int code = km_trace_cursor_open(trace, NULL, &cursor, err);

	if (code)
		return code;
	km_progress_start(&progress, "checking", km_trace_events(trace));
	while (!code && got) {
		code = km_trace_next(cursor, events, BATCH, &got, err);
		for (size_t i = 0; !code && i < got; i++)
			if (feed(pass, &events[i]))
				code = km_fail(err, -ENOMEM, "cannot check %s: not enough memory",
					       km_trace_path(trace));
		km_progress_update(&progress, progress.done + got);
	}
	km_progress_end(&progress);
	km_trace_cursor_close(cursor);
	return code;
}

/* Misuse and leaks of what can be read. */
static int search(struct findings *findings, const struct check_args *args, struct km_err *err)
{
	struct km_trace *trace = findings->trace;
	uint64_t duration_ns = km_trace_duration_ns(trace);
	struct pass pass = {0};
	int code = km_repair_new(&pass.repair);

	if (!code)
		code = km_misuse_search_new(trace, &findings->checked, &pass.misuse);
	if (!code)
		code = km_leaks_new(trace, &pass.leaks);
	if (code) {
		km_fail(err, code, "cannot check %s: not enough memory", km_trace_path(trace));
		goto out;
	}
	findings->leaks = pass.leaks;
	findings->leak_before_ns = duration_ns / 2;
	if (args->age_ns != NO_AGE)
		findings->leak_before_ns =
			duration_ns > args->age_ns ? duration_ns - args->age_ns : 0;
	km_repair_set_direct_map(pass.repair, km_trace_direct_map(trace));
	code = feed_all(&pass, trace, err);
	if (code)
		goto out;
	add_misuses(findings, pass.misuse, args->top);
	add_leaks(findings, pass.repair, args->top);
	add_unseen(findings);
out:
	km_misuse_search_delete(pass.misuse);
	km_repair_delete(pass.repair);
	return code;
}

/* ---- printing ---- */

static void summary(const struct findings *findings, char *text, size_t size)
{
	const struct km_check_result *checked = &findings->checked;
	bool complete = findings->trace && km_trace_complete(findings->trace);

	if (checked->damaged_chunks)
		snprintf(text, size,
			 "damaged: %" PRIu64 " of %" PRIu64 " chunks cannot be read; %" PRIu64
			 " events can",
			 checked->damaged_chunks, checked->damaged_chunks + checked->chunks,
			 checked->events);
	else
		snprintf(text, size, "%s, %" PRIu64 " events %s",
			 !findings->trace ? "not readable"
			 : complete       ? "finished"
					  : "unfinished",
			 checked->events, checked->problems ? "readable" : "intact");
}

static void print_table(const struct findings *findings, enum km_format format)
{
	static const char *const titles[] = {"finding", "rule", "count>", "bytes>", "time_s>",
					     "cpu>",    "task", "site",   "what"};
	struct km_table *table = km_table_new(sizeof(titles) / sizeof(*titles), titles);
	char text[KM_SITE_TEXT];
	const struct km_trace_site *sites = NULL;
	uint32_t nr_sites;

	if (findings->trace)
		sites = km_trace_site_table(findings->trace, &nr_sites);
	summary(findings, text, sizeof(text));
	for (unsigned i = 0; i < 8; i++)
		km_table_cell(table, i ? NULL : "trace");
	km_table_cell(table, text);
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];
		bool called = finding->cpu != NO_CALL;

		km_table_cell(table, type_names[finding->type]);
		km_table_cell(table, finding->rule);
		km_table_cellf(table, "%" PRIu64, finding->count);
		if (finding->leak)
			km_table_cellf(table, "%" PRIu64, finding->leak->bytes);
		else
			km_table_cell(table, NULL);
		if (called || finding->leak)
			km_table_cellf(table, "%.6f", (double)finding->time_ns / 1e9);
		else
			km_table_cell(table, NULL);
		if (called)
			km_table_cellf(table, "%u", finding->cpu);
		else
			km_table_cell(table, NULL);
		if (called || finding->leak) {
			km_table_cell(table, km_task_text(findings->trace, finding->task, text));
			km_table_cell(table, km_trace_site_text(&sites[finding->site], text));
		} else {
			km_table_cell(table, NULL);
			km_table_cell(table, NULL);
		}
		km_table_cell(table, finding->what);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

static void json_finding(struct km_json *json, const struct findings *findings,
			 const struct finding *finding)
{
	char text[KM_SITE_TEXT];
	const struct km_trace_site *sites;
	uint32_t nr_sites;

	km_json_object(json, NULL);
	km_json_str(json, "rule", finding->rule);
	km_json_u64(json, "count", finding->count);
	if (finding->leak) {
		km_json_u64(json, "bytes", finding->leak->bytes);
		km_json_u64(json, "allocated", finding->leak->allocated);
		km_json_u64(json, "freed", finding->leak->freed);
		km_json_u64(json, "implied_frees", finding->leak->implied);
	}
	if (finding->leak || finding->cpu != NO_CALL) {
		sites = km_trace_site_table(findings->trace, &nr_sites);
		km_json_u64(json, "time_ns", finding->time_ns);
		km_json_str(json, "task", km_task_text(findings->trace, finding->task, text));
		km_json_str(json, "site", km_trace_site_text(&sites[finding->site], text));
	}
	if (finding->cpu != NO_CALL)
		km_json_u64(json, "cpu", finding->cpu);
	km_json_str(json, "what", finding->what);
	km_json_close(json);
}

static void print_json(const struct findings *findings, bool ok)
{
	const struct km_check_result *checked = &findings->checked;
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_bool(&json, "ok", ok);
	km_json_bool(&json, "readable", findings->trace != NULL);
	km_json_bool(&json, "complete", findings->trace && km_trace_complete(findings->trace));
	km_json_u64(&json, "chunks", checked->chunks);
	km_json_u64(&json, "events", checked->events);
	km_json_u64(&json, "damaged_chunks", checked->damaged_chunks);
	km_json_u64(&json, "damaged_events", checked->damaged_events);
	km_json_str(&json, "doubt", findings->doubt);
	km_json_u64(&json, "leak_before_ns", findings->leak_before_ns);
	km_json_u64(&json, "leaks_hidden", findings->leaks_hidden);
	km_json_u64(&json, "suspects_hidden", findings->suspects_hidden);
	for (unsigned type = 0; type < NR_FOUND; type++) {
		km_json_array(&json, type_names[type]);
		for (size_t i = 0; i < findings->count; i++)
			if (findings->list[i].type == type)
				json_finding(&json, findings, &findings->list[i]);
		km_json_close(&json);
	}
	km_json_end(&json);
}

static void notes(const struct findings *findings)
{
	if (findings->doubt)
		km_note("what an object went through can only be suspected: %s", findings->doubt);
	if (findings->leaks_hidden || findings->suspects_hidden)
		km_note("%zu more suspects and %zu more call sites with old live objects; --top 0 "
			"lists all",
			findings->suspects_hidden, findings->leaks_hidden);
}

/* ---- the command ---- */

static int parse_option(int key, char *arg, struct argp_state *state)
{
	struct check_args *args = state->input;
	const char *rest = arg;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case 'd':
		args->deep = true;
		return 0;
	case 'a':
		args->age_ns = km_parse_seconds(state, "--age", &rest);
		if (*rest)
			argp_error(state, "--age takes seconds such as 1.5, not '%s'", arg);
		return 0;
	case 't':
		args->top = km_parse_number(state, "--top", arg, 0, UINT32_MAX);
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		km_take_trace(state, arg, &args->file);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(const struct check_args *args, struct findings *findings, struct km_err *err)
{
	bool ok;

	if (km_trace_check(args->file, args->deep, note_problem, findings, &findings->checked,
			   &findings->trace, err) ||
	    (findings->trace && search(findings, args, err)))
		return km_error("%s", err->text);
	if (findings->failed)
		return km_error("cannot check %s: not enough memory", args->file);
	ok = !found(findings, FOUND_INTEGRITY) && !found(findings, FOUND_MISUSE);
	if (args->common.format == KM_FORMAT_JSON)
		print_json(findings, ok);
	else
		print_table(findings, args->common.format);
	notes(findings);
	return ok ? KM_EXIT_OK : KM_EXIT_NO;
}

int km_cmd_check(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"deep", 'd', NULL, 0,
		 "Also compare SQLite's indexes with its tables, and run the repair pass again", 0},
		{"age", 'a', "SECONDS", 0,
		 "Live objects this old at the end are leaks (default: allocated in the first "
		 "half)",
		 0},
		{"top", 't', "N", 0, "List N suspects and N sites with leaks (default 20; 0: all)",
		 0},
		{0},
	};
	static const char doc[] =
		"Examine a trace: is it what was recorded, what did the traced kernel do that it "
		"must not, and what did it not free.\v"
		"Integrity: SQLite's own check, the checksum and contents of every chunk, the "
		"order "
		"of events, the ledger. A capture that was killed is sound if what it stored is. "
		"A damaged chunk is named, the others are read.\n\n"
		"Misuse: double_free, interior_free, wrong_cache, sleeping_flag. Where events are "
		"missing that could explain it, it is a suspect.\n\n"
		"Leaks: objects that are still live at the end, by call site. "
		"A short trace shows many that live on rightly. Where most frees cannot be traced "
		"(in bulk, by RCU), nothing is called a leak: such caches are told as unseen.\n\n"
		"Exit status: 0 sound, 1 damaged or misuse found, 2 not examined.\n\n"
		"EXAMPLES\n"
		"  kmlab check t.kmt\n"
		"  kmlab check t.kmt --deep --format json\n"
		"  kmlab check t.kmt --age 10 --top 5";
	const struct argp argp = {options, parse_option, "T.kmt", doc, km_common_children,
				  NULL,    NULL};
	struct check_args args = {.age_ns = NO_AGE, .top = 20};
	struct findings findings = {0};
	struct km_err err = {""};
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	code = run(&args, &findings, &err);
	km_leaks_delete(findings.leaks);
	km_trace_close(findings.trace);
	free(findings.list);
	return code;
}
