/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab tune T.kmt: which size classes of kmalloc would waste least for this trace. */
#include "analysis.h"

#include "tune.h"

#include "results/options.h"
#include "results/query.h"
#include "results/term.h"
#include "traces/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ADDED 16

struct tune_args {
	const char *file;
	unsigned added;
	bool by_calls;
	struct km_common_options common;
};

/* Of the trace. */
struct demand {
	struct km_demand *sizes;
	size_t count;
	double calls, live_bytes; /* live_bytes: asked for, mean over time */
	double implied;           /* calls whose free was not seen: their ends are estimates */
	uint64_t cpus, sample, lost;
	double duration_ns;
};

static const struct argp_option options[] = {
	{"add", 'a', "N", 0, "Add up to N classes to those there are (default 3)", 0},
	{"by", 'b', "WHAT", 0,
	 "Least waste of live (default: mean over time, what memory is bought for) or of calls "
	 "(every allocation counts the same, however short it lives)",
	 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct tune_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case 'a':
		args->added = (unsigned)km_parse_number(state, "--add", arg, 1, MOST_ADDED);
		return 0;
	case 'b':
		if (strcmp(arg, "live") && strcmp(arg, "calls"))
			argp_error(state, "--by takes live or calls, not '%s'", arg);
		args->by_calls = !strcmp(arg, "calls");
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		km_take_trace(state, arg, &args->file);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- what the trace asked for ---- */

static int one_number(struct sqlite3 *db, const char *sql, uint64_t *number, struct km_err *err)
{
	struct km_query *row = NULL;
	int code = km_query_open(db, sql, &row, err);

	if (!code)
		code = km_query_step(row, err);
	if (code > 0)
		*number = (uint64_t)km_query_i64(row, 0);
	km_query_close(row);
	return code < 0 ? code : 0;
}

static int read_facts(struct sqlite3 *db, struct demand *demand, struct km_err *err)
{
	uint64_t duration = 0;
	int code =
		one_number(db, "SELECT value FROM meta WHERE key = 'duration_ns'", &duration, err);

	if (!code)
		code = one_number(db, "SELECT value FROM meta WHERE key = 'cpus'", &demand->cpus,
				  err);
	if (!code)
		code = one_number(db, "SELECT value FROM meta WHERE key = 'sample'",
				  &demand->sample, err);
	if (!code)
		code = one_number(db, "SELECT coalesce(sum(count), 0) FROM lost", &demand->lost,
				  err);
	demand->duration_ns = (double)duration;
	return code;
}

/* What is live at the end was so until then; an end that was not seen lies amid what is known. */
static int read_sizes(struct sqlite3 *db, struct demand *demand, struct km_err *err)
{
	static const char sql[] =
		"SELECT bytes_req, bytes_alloc, count(*), sum(coalesce(free_ns, (free_after_ns + "
		"free_before_ns) / 2, ?1) - alloc_ns), sum(free_kind = 'implied') FROM object "
		"WHERE alloc_call = 'kmalloc' AND kind = 'slab' AND bytes_req BETWEEN 1 AND 8192 "
		"AND bytes_alloc BETWEEN bytes_req AND 8192 GROUP BY 1, 2";
	struct km_query *row = NULL;
	size_t room = 0;
	int code = km_query_open(db, sql, &row, err);

	if (!code)
		km_query_bind_i64(row, 1, (int64_t)demand->duration_ns);
	while (!code && (code = km_query_step(row, err)) > 0) {
		struct km_demand *size;

		if (demand->count == room) {
			room = room ? 2 * room : 64;
			size = reallocarray(demand->sizes, room, sizeof(*size));
			if (!size) {
				code = km_fail(err, -ENOMEM, "no memory for the sizes asked for");
				break;
			}
			demand->sizes = size;
		}
		size = &demand->sizes[demand->count++];
		size->bytes = (unsigned)km_query_i64(row, 0);
		size->bytes_alloc = (unsigned)km_query_i64(row, 1);
		size->calls = km_query_f64(row, 2);
		size->live =
			demand->duration_ns > 0 ? km_query_f64(row, 3) / demand->duration_ns : 0;
		demand->calls += size->calls;
		demand->live_bytes += size->live * size->bytes;
		demand->implied += km_query_f64(row, 4);
		code = 0;
	}
	km_query_close(row);
	return code;
}

static int read_demand(const char *path, struct demand *demand, struct km_err *err)
{
	struct km_trace *trace;
	int code = km_trace_open(path, &trace, err);

	if (code)
		return code;
	code = km_trace_register_sql(trace, err);
	if (!code) {
		km_query_only_reading(km_trace_db(trace));
		code = read_facts(km_trace_db(trace), demand, err);
	}
	if (!code)
		code = read_sizes(km_trace_db(trace), demand, err);
	km_trace_close(trace);
	if (!code && !demand->count)
		code = km_fail(err, -ENODATA,
			       "%s has no kmalloc of up to 8192 bytes: there is nothing to tune; "
			       "record with 'capture -e slab'",
			       path);
	return code;
}

/* ---- the plans ---- */

#define MOST_PLANS (MOST_ADDED + 2)

struct plans {
	struct km_plan
		plan[MOST_PLANS]; /* now; one added, two …; as many, all of them placed anew */
	unsigned count;
};

static int make_plans(const struct tune_args *args, const struct demand *demand,
		      struct plans *plans, struct km_err *err)
{
	int code = km_plan_now(demand->sizes, demand->count, &plans->plan[0]);

	plans->count = 1;
	for (unsigned added = 1; !code && added <= args->added; added++) {
		code = km_plan_best(demand->sizes, demand->count, &plans->plan[0], added,
				    args->by_calls, &plans->plan[plans->count]);
		/* Every size that occurs has a class. */
		if (!code &&
		    plans->plan[plans->count].nr_classes < plans->plan[0].nr_classes + added)
			break;
		plans->count++;
	}
	if (!code)
		code = km_plan_best(demand->sizes, demand->count, NULL,
				    plans->plan[0].nr_classes - 1, args->by_calls,
				    &plans->plan[plans->count++]);
	if (code == -E2BIG)
		return km_fail(err, code, "the trace has more than %d size classes",
			       KM_TUNE_CLASSES);
	return code ? km_fail(err, code, "no memory to look for size classes") : 0;
}

static bool has_class(const struct km_plan *plan, unsigned bytes)
{
	for (unsigned i = 0; i < plan->nr_classes; i++)
		if (plan->classes[i] == bytes)
			return true;
	return false;
}

/* "now", "add 2", "anew" */
static const char *plan_name(const struct plans *plans, unsigned number, char text[24])
{
	if (!number)
		return "now";
	if (number + 1 == plans->count)
		return "anew";
	snprintf(text, 24, "add %u", number);
	return text;
}

/* Classes that the kernel has not: each holds a slab for every CPU that uses it. */
static double new_slabs(const struct demand *demand, const struct plans *plans, unsigned number)
{
	double slabs = 0;

	for (unsigned i = 0; i < plans->plan[number].nr_classes; i++)
		slabs += !has_class(&plans->plan[0], plans->plan[number].classes[i]);
	for (unsigned i = 0; i < plans->plan[0].nr_classes; i++)
		slabs -= !has_class(&plans->plan[number], plans->plan[0].classes[i]);
	return slabs * 4096 * (double)demand->cpus;
}

/* The classes that are new; of a plan made anew all. */
static void sizes_text(const struct plans *plans, unsigned number, char *text, size_t size)
{
	bool all = !number || number + 1 == plans->count;
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < plans->plan[number].nr_classes && used < size; i++)
		if (all || !has_class(&plans->plan[0], plans->plan[number].classes[i]))
			used += (size_t)snprintf(text + used, size - used, "%s%u", used ? " " : "",
						 plans->plan[number].classes[i]);
}

static void print_json(const struct tune_args *args, const struct demand *demand,
		       const struct plans *plans)
{
	struct km_json json;
	char text[24];

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "by", args->by_calls ? "calls" : "live");
	km_json_f64(&json, "calls", demand->calls);
	km_json_f64(&json, "live_bytes_req", demand->live_bytes);
	km_json_f64(&json, "ends_estimated", demand->implied);
	km_json_u64(&json, "lost_total", demand->lost);
	km_json_array(&json, "plans");
	for (unsigned i = 0; i < plans->count; i++) {
		const struct km_plan *plan = &plans->plan[i];

		km_json_object(&json, NULL);
		km_json_str(&json, "plan", plan_name(plans, i, text));
		km_json_f64(&json, "waste_live_bytes", plan->waste_live);
		km_json_f64(&json, "saved_live_bytes",
			    plans->plan[0].waste_live - plan->waste_live);
		km_json_f64(&json, "waste_calls_bytes", plan->waste_calls);
		km_json_f64(&json, "saved_calls_bytes",
			    plans->plan[0].waste_calls - plan->waste_calls);
		km_json_f64(&json, "new_slabs_bytes", new_slabs(demand, plans, i));
		km_json_array(&json, "classes");
		for (unsigned k = 0; k < plan->nr_classes; k++)
			km_json_u64(&json, NULL, plan->classes[k]);
		km_json_close(&json);
		km_json_close(&json);
	}
	km_json_end(&json);
}

static void bytes_cell(struct km_table *table, enum km_format format, double bytes)
{
	char text[KM_HUMAN_BYTES];

	if (format == KM_FORMAT_TABLE && bytes >= 0)
		km_table_cell(table, km_human_bytes(bytes, text));
	else
		km_table_cellf(table, "%.0f", bytes);
}

static void print_table(const struct demand *demand, const struct plans *plans,
			enum km_format format)
{
	static const char *const titles[] = {"plan",         "classes>",   "waste_live>",
					     "saved_live>",  "new_slabs>", "waste_calls>",
					     "saved_calls>", "sizes"};
	struct km_table *table = km_table_new(8, titles);
	char text[512];

	for (unsigned i = 0; i < plans->count; i++) {
		const struct km_plan *plan = &plans->plan[i];

		km_table_cell(table, plan_name(plans, i, text));
		km_table_cellf(table, "%u", plan->nr_classes);
		bytes_cell(table, format, plan->waste_live);
		bytes_cell(table, format, plans->plan[0].waste_live - plan->waste_live);
		bytes_cell(table, format, new_slabs(demand, plans, i));
		bytes_cell(table, format, plan->waste_calls);
		bytes_cell(table, format, plans->plan[0].waste_calls - plan->waste_calls);
		sizes_text(plans, i, text, sizeof(text));
		km_table_cell(table, text);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

static void print_coverage(const struct demand *demand, enum km_format format)
{
	char text[KM_HUMAN_BYTES], line[400];
	size_t used = (size_t)snprintf(
		line, sizeof(line),
		"%.0f calls of kmalloc up to 8192 bytes, %s asked for and live on average, older "
		"objects not counted; coverage: %" PRIu64
		" events lost, the ends of %.2f %% not seen but estimated",
		demand->calls, km_human_bytes(demand->live_bytes, text), demand->lost,
		100 * demand->implied / demand->calls);

	if (demand->sample > 1)
		snprintf(line + used, sizeof(line) - used,
			 "; 1 of %" PRIu64 " addresses sampled, and bytes are of these",
			 demand->sample);
	if (format == KM_FORMAT_TABLE)
		printf("%s\n", line);
	else
		km_note("%s", line);
}

int km_cmd_tune(int argc, char **argv)
{
	static const char doc[] =
		"Find the size classes of kmalloc that would waste least for a trace.\v"
		"Waste is what an object has beyond the bytes asked for: waste_live its mean over "
		"the "
		"trace's time, waste_calls the sum over all calls. Plans: the classes there are "
		"now; "
		"one, two, … added; as many as now, each placed anew. No other choice of as many "
		"multiples of 8 wastes less.\n\n"
		"A class has slabs of its own, one for each CPU at least: new_slabs, which "
		"saved_live "
		"must exceed to save memory. Objects older than the trace are not counted: their "
		"sizes "
		"are not known. Nor is what krealloc() and ksize() make of the rest of a class. "
		"For a "
		"threshold of kvmalloc replay with --model kvmalloc:BYTES, for switches of SLUB "
		"with "
		"-p, and 'kmlab compare'.\n\n"
		"EXAMPLES\n"
		"  kmlab tune a.kmt\n"
		"  kmlab tune a.kmt --add 6 --by calls --format json";
	const struct argp argp = {options, parse_option, "T.kmt", doc, km_common_children,
				  NULL,    NULL};
	struct tune_args args = {.added = 3};
	struct demand demand = {NULL};
	struct plans plans = {.count = 0};
	struct km_err err = {""};
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	km_catch_interrupts();
	code = read_demand(args.file, &demand, &err);
	if (!code)
		code = make_plans(&args, &demand, &plans, &err);
	if (code && km_interrupted()) {
		code = KM_EXIT_INTERRUPTED;
	} else if (code) {
		code = km_error("%s", err.text);
	} else if (args.common.format == KM_FORMAT_JSON) {
		print_json(&args, &demand, &plans);
	} else {
		print_table(&demand, &plans, args.common.format);
		print_coverage(&demand, args.common.format);
	}
	free(demand.sizes);
	return code;
}
