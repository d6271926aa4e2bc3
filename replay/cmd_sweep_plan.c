/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab sweep plan: the product of traces, models, parameters and repetitions, a job a line. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/loss.h"
#include "replay/session.h"
#include "replay/sweep.h"
#include "results/options.h"
#include "results/term.h"

#define MOST_AXES 16

/* A parameter and the values it takes. */
struct axis {
	struct km_param *values; /* all of one name */
	size_t nr;
};

struct source {
	const char *path;
	char *uuid;
	uint64_t events;
};

struct planning {
	struct source *traces;
	size_t nr_traces;
	struct km_model_choice models[KM_MAX_CHOICES];
	unsigned nr_models;
	struct axis axes[MOST_AXES];
	unsigned nr_axes;
	unsigned reps;
	uint64_t seed;
	const char *output, *tlb, *access, *map;
	bool allow_loss;
	size_t combinations; /* of parameters */
	struct km_common_options common;
};

enum { OPT_SEED = 256, OPT_REPS, OPT_TLB, OPT_ACCESS, OPT_DIRECT_MAP, OPT_ALLOW_LOSS };

static const struct argp_option options[] = {
	{"model", 'm', "A,B,C", 0, "Models to replay (default slub)", 0},
	{"param", 'p', "KEY=V1,V2,…", 0,
	 "Set a profile switch to each of these values in turn; repeatable: all combinations", 0},
	{"reps", OPT_REPS, "N", 0, "Repetitions (default 1)", 0},
	{"seed", OPT_SEED, "N", 0, "Seed of placement and freelist order (default 1)", 0},
	{"output", 'o', "PLAN", 0,
	 "Write the plan here, and its size to stdout (default: the plan)", 0},
	{"tlb", OPT_TLB, "NAME", 0,
	 "TLB that is simulated, as for 'kmlab replay'; host (the default) is the machine's own, "
	 "so "
	 "that on a cluster of different ones a name is better",
	 0},
	{"access", OPT_ACCESS, "MODEL", 0, "Access model, as for 'kmlab replay'", 0},
	{"direct-map", OPT_DIRECT_MAP, "SIZE", 0, "Pages of the direct map, likewise", 0},
	{"allow-loss", OPT_ALLOW_LOSS, NULL, 0, "Also traces with lost events", 0},
	{0},
};

/* ---- arguments ---- */

static void parse_models(struct planning *planning, char *list)
{
	struct km_err err;

	if (!km_model_choices_parse(list, planning->models, KM_MAX_CHOICES, &planning->nr_models,
				    &err))
		return;
	km_error("%s", err.text);
	exit(KM_EXIT_ERROR);
}

static void add_value(struct axis *axis, const char *name, const char *value,
		      struct argp_state *state)
{
	struct km_param *grown = realloc(axis->values, (axis->nr + 1) * sizeof(*grown));
	struct km_param *param = grown + axis->nr;
	struct km_err err;
	char word[160];

	if (!grown) {
		km_error("no memory to read the arguments");
		exit(KM_EXIT_ERROR);
	}
	axis->values = grown;
	snprintf(word, sizeof(word), "%s=%.80s", name, value);
	if (km_param_parse(word, param, &err))
		argp_error(state, "%s", err.text);
	for (size_t i = 0; i < axis->nr; i++)
		if (axis->values[i].value == param->value)
			argp_error(state, "parameter '%s' gets the value '%s' twice", name, value);
	axis->nr++;
}

static void parse_axis(struct planning *planning, char *text, struct argp_state *state)
{
	char *values = strchr(text, '='), *rest = NULL;
	struct axis *axis = &planning->axes[planning->nr_axes];
	struct km_param first;

	if (!values || values == text || !values[1] || values[1] == ',')
		argp_error(state, "--param takes KEY=VALUE or KEY=V1,V2,…, not '%s'", text);
	if (planning->nr_axes == MOST_AXES)
		argp_error(state, "at most %d parameters are varied", MOST_AXES);
	*values++ = '\0';
	for (char *value = strtok_r(values, ",", &rest); value; value = strtok_r(NULL, ",", &rest))
		add_value(axis, text, value, state);
	first = axis->values[0];
	for (unsigned i = 0; i < planning->nr_axes; i++)
		if (!strcmp(planning->axes[i].values[0].name, first.name))
			argp_error(state,
				   "parameter '%s' is given twice; write all its values as "
				   "%s=V1,V2,…",
				   first.name, first.name);
	planning->nr_axes++;
}

static void add_trace(struct planning *planning, const char *path, struct argp_state *state)
{
	struct source *grown =
		realloc(planning->traces, (planning->nr_traces + 1) * sizeof(*grown));

	if (!grown) {
		km_error("no memory to read the arguments");
		exit(KM_EXIT_ERROR);
	}
	planning->traces = grown;
	for (const char *at = path; *at; at++)
		if (iscntrl((unsigned char)*at))
			argp_error(state,
				   "a plan cannot hold the name '%s' with its control "
				   "character; give the trace another",
				   path);
	if (*path == '#')
		argp_error(state, "in a plan '%s' would be a comment; write './%s'", path, path);
	planning->traces[planning->nr_traces++] = (struct source){.path = path};
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct planning *planning = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &planning->common;
		return 0;
	case 'm':
		parse_models(planning, arg);
		return 0;
	case 'p':
		parse_axis(planning, arg, state);
		return 0;
	case 'o':
		planning->output = arg;
		return 0;
	case OPT_REPS:
		planning->reps = (unsigned)km_parse_number(state, "--reps", arg, 1, KM_MAX_REPS);
		return 0;
	case OPT_SEED: /* a result file holds signed integers */
		planning->seed = km_parse_number(state, "--seed", arg, 0, INT64_MAX);
		return 0;
	case OPT_TLB:
		planning->tlb = arg;
		return 0;
	case OPT_ACCESS:
		planning->access = arg;
		return 0;
	case OPT_DIRECT_MAP:
		planning->map = arg;
		return 0;
	case OPT_ALLOW_LOSS:
		planning->allow_loss = true;
		return 0;
	case ARGP_KEY_ARG:
		add_trace(planning, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no trace given; make one with 'kmlab capture'");
		return 0;
	case ARGP_KEY_END:
		if (!planning->output && planning->common.format_given &&
		    planning->common.format != KM_FORMAT_TSV)
			argp_error(state, "a plan is tsv; name its file with -o to get its size "
					  "in another format");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- what is planned ---- */

static int look_at_trace(struct planning *planning, size_t number, struct km_err *err)
{
	struct source *source = &planning->traces[number];
	struct km_trace *trace = NULL;
	const char *uuid;
	int code = km_trace_open(source->path, &trace, err);

	if (!code)
		code = km_refuse_loss(trace, source->path, planning->allow_loss, err);
	if (code)
		goto out;
	uuid = km_trace_meta(trace, "uuid");
	source->uuid = strdup(uuid ? uuid : source->path);
	source->events = km_trace_events(trace);
	if (!source->uuid)
		code = km_fail(err, -ENOMEM, "no memory to plan");
	else if (!source->events)
		code = km_fail(err, -EINVAL,
			       "%s holds no event, so there is nothing to replay; leave it out",
			       source->path);
	for (size_t i = 0; !code && i < number; i++)
		if (!strcmp(planning->traces[i].uuid, source->uuid))
			code = km_fail(err, -EINVAL,
				       "%s and %s are the same capture; leave one out",
				       planning->traces[i].path, source->path);
out:
	km_trace_close(trace);
	return code;
}

/* The settings' text: what is not the default, as km_sweep_settings_parse() takes it. */
static int write_settings(const struct planning *planning, char *text, size_t size,
			  struct km_err *err)
{
	const struct {
		const char *name, *value;
	} words[] = {
		{"tlb=", planning->tlb},
		{"access=", planning->access},
		{"direct-map=", planning->map},
		{"allow-loss", planning->allow_loss ? "" : NULL},
	};
	struct km_sweep_settings settings;
	struct km_tlb_choice tlb;
	size_t used = 0;
	int code;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].value && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s%s",
						 used ? "," : "", words[i].name, words[i].value);
	if (used >= size)
		return km_fail(err, -EINVAL, "--tlb, --access and --direct-map are too long");
	if (!used)
		snprintf(text, size, "-");
	code = km_sweep_settings_parse(text, &settings, err);
	return code ? code : km_tlb_choose(settings.tlb, &tlb, err);
}

/* The values of combination `number`; the last parameter varies fastest. */
static void combination(const struct planning *planning, size_t number, char text[KM_PARAMS_TEXT])
{
	struct km_params params = {.nr = 0};

	for (unsigned i = planning->nr_axes; i-- > 0;) {
		const struct axis *axis = &planning->axes[i];

		km_params_set(&params, &axis->values[number % axis->nr], NULL);
		number /= axis->nr;
	}
	km_params_text(&params, text);
}

/* What Linux did is told once: nothing of it depends on parameters or repetition. */
static bool once(const char *model)
{
	return !strcmp(model, "kernel");
}

static void write_jobs(const struct planning *planning, const struct source *source,
		       const char *settings, FILE *out)
{
	char params[KM_PARAMS_TEXT];

	for (unsigned rep = 0; rep < planning->reps; rep++)
		for (size_t i = 0; i < planning->combinations; i++) {
			combination(planning, i, params);
			for (unsigned k = 0; k < planning->nr_models; k++) {
				const char *model = planning->models[k].text;

				if (once(model) && (rep || i))
					continue;
				fprintf(out, "%s\t%s\t%llu\t%s\t%s\t%llu\t%u\t%s\n", source->path,
					source->uuid, (unsigned long long)source->events, model,
					once(model) ? "-" : params,
					(unsigned long long)planning->seed, rep, settings);
			}
		}
}

static int count_jobs(struct planning *planning, struct km_err *err)
{
	double jobs = (double)planning->nr_traces * planning->reps * planning->nr_models;

	planning->combinations = 1;
	for (unsigned i = 0; i < planning->nr_axes; i++) {
		jobs *= (double)planning->axes[i].nr;
		if (jobs <= KM_SWEEP_MOST_JOBS)
			planning->combinations *= planning->axes[i].nr;
	}
	if (jobs <= KM_SWEEP_MOST_JOBS)
		return 0;
	return km_fail(err, -E2BIG, "that would be %.0f jobs, and a plan holds %d; vary less", jobs,
		       KM_SWEEP_MOST_JOBS);
}

static int write_plan(struct planning *planning, char **text, size_t *length, struct km_err *err)
{
	char settings[256];
	FILE *out;
	int code = count_jobs(planning, err);

	if (!code)
		code = write_settings(planning, settings, sizeof(settings), err);
	for (size_t i = 0; i < planning->nr_traces && !code; i++)
		code = look_at_trace(planning, i, err);
	if (code)
		return code;
	out = open_memstream(text, length);
	if (!out)
		return km_fail(err, -ENOMEM, "no memory to plan");
	fprintf(out, KM_SWEEP_TITLE " %d\n", KM_SWEEP_VERSION);
	fprintf(out, "#trace\tuuid\tevents\tmodel\tparams\tseed\trep\tsettings\n");
	for (size_t i = 0; i < planning->nr_traces; i++)
		write_jobs(planning, &planning->traces[i], settings, out);
	return fclose(out) ? km_fail(err, -ENOMEM, "no memory to plan") : 0;
}

/* Only a plan is written over. */
static int save(const char *path, const char *text, size_t length, struct km_err *err)
{
	char title[sizeof(KM_SWEEP_TITLE)] = "";
	FILE *file = fopen(path, "r");
	size_t got = file ? fread(title, 1, sizeof(title) - 1, file) : 0;

	if (file)
		fclose(file);
	if (got && strcmp(title, KM_SWEEP_TITLE))
		return km_fail(err, -EEXIST, "%s is there and is no plan; name another file", path);
	file = fopen(path, "w");
	if (!file)
		return km_fail(err, -errno, "%s cannot be written: %s; name another file", path,
			       strerror(errno));
	got = fwrite(text, 1, length, file);
	if (fclose(file) || got != length)
		return km_fail(err, -EIO, "%s cannot be written: %s; free some space", path,
			       strerror(errno));
	return 0;
}

/* It is read back as `sweep run` will read it. */
static int print_size(const struct planning *planning, char *text, size_t length,
		      struct km_err *err)
{
	struct km_sweep_plan plan;
	int code = km_sweep_plan_parse(planning->output, text, length, &plan, err);
	struct km_detail details[] = {
		{"plan", planning->output, 0, false},
		{"jobs", NULL, 0, false},
		{"groups", NULL, 0, false},
		{"traces", NULL, planning->nr_traces, false},
		{"models", NULL, planning->nr_models, false},
		{"combinations", NULL, planning->combinations, false},
		{"repetitions", NULL, planning->reps, false},
	};

	if (code)
		return code;
	details[1].value = plan.nr_jobs;
	details[2].value = plan.nr_groups;
	km_put_details(details, sizeof(details) / sizeof(details[0]), stdout,
		       planning->common.format);
	km_sweep_plan_free(&plan);
	return 0;
}

int km_cmd_sweep_plan(int argc, char **argv)
{
	static const char doc[] =
		"Write down the jobs of a sweep: traces x models x parameter values x "
		"repetitions.\v"
		"A plan is a text: after a title, a job a line, eight fields with tabs between "
		"them "
		"(trace, uuid, events, model, params, seed, rep, settings). Lines may be taken "
		"out, "
		"changed, split and joined with any tool: each stands for itself. uuid and events "
		"tell "
		"whether the trace is still the same when its job is run. What the recorded kernel "
		"did "
		"(model kernel) is planned once for each trace.\n"
		"\nEXAMPLES\n"
		"  kmlab sweep plan *.kmt -m kernel,slub,slub@7.2 --reps 5 -o plan.tsv\n"
		"  kmlab sweep plan a.kmt -p vmap_block_order=$(seq -s, 6 10) -p merge=0,1\n"
		"  kmlab sweep plan a.kmt -m buddy,slub -p 'reclaim=none,10%,30%,oom'\n"
		"  cut -f4,5 plan.tsv | sort | uniq -c";
	static const struct argp argp = {options, parse_option, "T.kmt…", doc, km_common_children,
					 NULL,    NULL};
	struct planning planning = {.reps = 1, .seed = 1};
	static char slub[] = "slub";
	struct km_err err = {""};
	char *text = NULL;
	size_t length = 0;
	int code;

	parse_models(&planning, slub);
	if (argp_parse(&argp, argc, argv, 0, NULL, &planning))
		return KM_EXIT_ERROR;
	code = write_plan(&planning, &text, &length, &err);
	if (!code && planning.output)
		code = save(planning.output, text, length, &err);
	if (!code && planning.output) {
		code = print_size(&planning, text, length, &err);
		text = NULL;
	} else if (!code) {
		fwrite(text, 1, length, stdout);
	}
	free(text);
	for (size_t i = 0; i < planning.nr_traces; i++)
		free(planning.traces[i].uuid);
	for (unsigned i = 0; i < planning.nr_axes; i++)
		free(planning.axes[i].values);
	free(planning.traces);
	return code ? km_error("%s", err.text) : KM_EXIT_OK;
}
