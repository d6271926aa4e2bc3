/* SPDX-License-Identifier: GPL-2.0-only */
/* The plan of a sweep, read. It comes from elsewhere: every field is doubted. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/replayer.h"
#include "replay/session.h"
#include "replay/sweep.h"
#include "results/options.h"

#define FIELDS 8
#define MOST_BYTES (1u << 30)

static const char *const fields[FIELDS] = {"trace",  "uuid", "events", "model",
					   "params", "seed", "rep",    "settings"};

/* ---- settings ---- */

static int parse_setting(const char *word, struct km_sweep_settings *settings, struct km_err *err)
{
	if (!strncmp(word, "tlb=", 4)) {
		if (!word[4] || strlen(word + 4) >= sizeof(settings->tlb))
			return km_fail(err, -EINVAL, "'%.40s' names no TLB", word);
		strcpy(settings->tlb, word + 4);
		return 0;
	}
	if (!strncmp(word, "access=", 7))
		return km_access_parse(word + 7, &settings->access, err);
	if (!strncmp(word, "direct-map=", 11))
		return km_tlb_map_parse(word + 11, &settings->map, &settings->split_percent, err);
	if (strcmp(word, "allow-loss"))
		return km_fail(err, -EINVAL,
			       "there is no setting '%.40s'; there are tlb=, access=, direct-map= "
			       "and allow-loss",
			       word);
	settings->allow_loss = true;
	return 0;
}

int km_sweep_settings_parse(const char *text, struct km_sweep_settings *settings,
			    struct km_err *err)
{
	char *copy, *rest = NULL;
	int code;

	*settings = (struct km_sweep_settings){.tlb = "host"};
	code = km_access_parse("A0", &settings->access, err);
	if (code || !strcmp(text, "-"))
		return code;
	copy = strdup(text);
	if (!copy)
		return km_fail(err, -ENOMEM, "no memory to read the plan");
	for (char *word = strtok_r(copy, ",", &rest); word && !code;
	     word = strtok_r(NULL, ",", &rest))
		code = parse_setting(word, settings, err);
	free(copy);
	return code;
}

/* ---- a line ---- */

struct reading {
	struct km_sweep_plan *plan;
	size_t room;
	unsigned line;
	const char *checked; /* settings that are known to be right */
	struct km_err *err;
};

static int refuse(const struct reading *reading, const char *why)
{
	return km_fail(reading->err, -EINVAL, "%s, line %u: %s; put the line right or take it out",
		       reading->plan->name, reading->line, why);
}

/* Eight fields with tabs between, none empty. The tabs become 0. */
static int split(const struct reading *reading, char *line, char *field[FIELDS])
{
	char why[160];
	unsigned count = 0;

	while (line && count < FIELDS) {
		field[count++] = line;
		line = strchr(line, '\t');
		if (line)
			*line++ = '\0';
	}
	if (line || count < FIELDS) {
		snprintf(why, sizeof(why),
			 "a job has %d fields with tabs between (trace, uuid, events, model, "
			 "params, seed, rep, settings), and here are %s",
			 FIELDS, line ? "more" : "fewer");
		return refuse(reading, why);
	}
	for (unsigned i = 0; i < FIELDS; i++) {
		if (*field[i])
			continue;
		snprintf(why, sizeof(why), "the field %s is empty", fields[i]);
		return refuse(reading, why);
	}
	return 0;
}

static int read_field(const struct reading *reading, char *field[FIELDS], unsigned which,
		      uint64_t most, uint64_t *value)
{
	char why[160];

	if (km_read_number(field[which], value) && *value <= most)
		return 0;
	snprintf(why, sizeof(why), "%s is a number up to %llu, not '%.40s'", fields[which],
		 (unsigned long long)most, field[which]);
	return refuse(reading, why);
}

/* A user-space allocator's library is not loaded before its job is run. */
static int check_model(const struct reading *reading, const char *model)
{
	struct km_model_choice choice;
	struct km_err why;

	if (!strncmp(model, "malloc:", 7) && model[7] && strlen(model) < sizeof(choice.text))
		return 0;
	return km_model_choice_parse(model, &choice, &why) ? refuse(reading, why.text) : 0;
}

static int read_params(const struct reading *reading, const char *text, struct km_sweep_job *job)
{
	char json[KM_PARAMS_TEXT];
	struct km_params params;
	struct km_err why;

	if (km_params_parse(text, &params, &why))
		return refuse(reading, why.text);
	job->params = strdup(km_params_json(&params, json));
	return job->params ? 0 : km_fail(reading->err, -ENOMEM, "no memory to read the plan");
}

static int read_settings(struct reading *reading, const char *text)
{
	struct km_sweep_settings settings;
	struct km_err why;

	if (reading->checked && !strcmp(reading->checked, text))
		return 0;
	if (km_sweep_settings_parse(text, &settings, &why))
		return refuse(reading, why.text);
	reading->checked = text;
	return 0;
}

static struct km_sweep_job *add_job(struct reading *reading)
{
	struct km_sweep_plan *plan = reading->plan;
	struct km_sweep_job *grown;

	if (plan->nr_jobs == KM_SWEEP_MOST_JOBS) {
		km_fail(reading->err, -E2BIG,
			"%s holds more than %d jobs; split it, one plan after the other",
			plan->name, KM_SWEEP_MOST_JOBS);
		return NULL;
	}
	if (plan->nr_jobs == reading->room) {
		reading->room = reading->room ? 2 * reading->room : 64;
		grown = realloc(plan->jobs, reading->room * sizeof(*grown));
		if (!grown) {
			km_fail(reading->err, -ENOMEM, "no memory to read the plan");
			return NULL;
		}
		plan->jobs = grown;
	}
	memset(&plan->jobs[plan->nr_jobs], 0, sizeof(*grown));
	return &plan->jobs[plan->nr_jobs++];
}

static int read_job(struct reading *reading, char *line)
{
	struct km_sweep_job *job;
	char *field[FIELDS];
	uint64_t rep = 0, seed = 0, events = 0;
	int code = split(reading, line, field);

	if (!code)
		code = read_field(reading, field, 2, INT64_MAX, &events);
	if (!code)
		code = check_model(reading, field[3]);
	if (!code) /* a result file holds signed integers */
		code = read_field(reading, field, 5, INT64_MAX, &seed);
	if (!code)
		code = read_field(reading, field, 6, KM_MAX_REPS - 1, &rep);
	if (!code)
		code = read_settings(reading, field[7]);
	if (code)
		return code;
	job = add_job(reading);
	if (!job)
		return -ENOMEM;
	job->trace = field[0];
	job->uuid = field[1];
	job->events = events;
	job->model = field[3];
	job->seed = seed;
	job->rep = (unsigned)rep;
	job->settings = field[7];
	job->line = reading->line;
	job->given = field[4];
	return read_params(reading, field[4], job);
}

/* The title stands in the first line, or was cut off; of another format nothing is known. */
static int read_comment(const struct reading *reading, const char *line)
{
	size_t length = strlen(KM_SWEEP_TITLE);
	uint64_t version;

	if (strncmp(line, KM_SWEEP_TITLE, length))
		return 0;
	if (line[length] != ' ' || !km_read_number(line + length + 1, &version))
		return refuse(reading, "the title names no version of the format");
	if (version == KM_SWEEP_VERSION)
		return 0;
	return km_fail(
		reading->err, -EINVAL,
		"%s has plan format %llu and this kmlab reads %d; plan anew with this kmlab, "
		"or use the one that wrote it",
		reading->plan->name, (unsigned long long)version, KM_SWEEP_VERSION);
}

static int check_bytes(const struct reading *reading, const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] != '\t' && iscntrl((unsigned char)line[i]))
			return refuse(reading, "there is a control character in it");
	return 0;
}

static int read_lines(struct reading *reading, char *text, size_t length)
{
	char *at = text, *end = text + length;
	int code = 0;

	for (reading->line = 1; at < end && !code; reading->line++) {
		char *next = memchr(at, '\n', (size_t)(end - at));
		char *stop = next ? next : end;

		code = check_bytes(reading, at, (size_t)(stop - at));
		*stop = '\0'; /* there is room for one behind the text */
		if (!code && *at == '#')
			code = read_comment(reading, at);
		else if (!code && *at)
			code = read_job(reading, at);
		at = stop + 1;
	}
	return code;
}

/* ---- what belongs together ---- */

static int compare_workloads(const struct km_sweep_job *a, const struct km_sweep_job *b)
{
	int order = strcmp(a->uuid, b->uuid);

	if (!order)
		order = strcmp(a->trace, b->trace);
	if (!order)
		order = strcmp(a->settings, b->settings);
	return order ? order : (a->events > b->events) - (a->events < b->events);
}

static int compare_groups(const struct km_sweep_job *a, const struct km_sweep_job *b)
{
	int order = compare_workloads(a, b);

	if (!order)
		order = (a->seed > b->seed) - (a->seed < b->seed);
	return order ? order : (a->rep > b->rep) - (a->rep < b->rep);
}

static int compare_runs(const struct km_sweep_job *a, const struct km_sweep_job *b)
{
	int order = strcmp(a->uuid, b->uuid);

	if (!order)
		order = strcmp(a->model, b->model);
	if (!order)
		order = strcmp(a->params, b->params);
	if (!order)
		order = (a->seed > b->seed) - (a->seed < b->seed);
	return order ? order : (a->rep > b->rep) - (a->rep < b->rep);
}

/* Ties go to the earlier line. */
#define SORTER(name)                                                                               \
	static int sort_##name(const void *a, const void *b)                                       \
	{                                                                                          \
		const struct km_sweep_job *x = *(struct km_sweep_job *const *)a;                   \
		const struct km_sweep_job *y = *(struct km_sweep_job *const *)b;                   \
		int order = compare_##name(x, y);                                                  \
                                                                                                   \
		return order ? order : (x->line > y->line) - (x->line < y->line);                  \
	}
SORTER(groups)
SORTER(runs)

static int refuse_twice(const struct km_sweep_plan *plan, struct km_sweep_job **sorted,
			struct km_err *err)
{
	qsort(sorted, plan->nr_jobs, sizeof(*sorted), sort_runs);
	for (size_t i = 1; i < plan->nr_jobs; i++)
		if (!compare_runs(sorted[i - 1], sorted[i]))
			return km_fail(err, -EINVAL,
				       "%s: line %u is the job of line %u once more (same trace, "
				       "model, parameters, seed and repetition); take one out",
				       plan->name, sorted[i]->line, sorted[i - 1]->line);
	return 0;
}

/* Numbers in order of appearance: the first job of each is known, then the plan is gone through. */
static void number(struct km_sweep_plan *plan, struct km_sweep_job **sorted)
{
	uint32_t workload = 0, group = 0;

	qsort(sorted, plan->nr_jobs, sizeof(*sorted), sort_groups);
	for (size_t i = 0; i < plan->nr_jobs; i++) {
		workload += i && compare_workloads(sorted[i - 1], sorted[i]);
		group += i && compare_groups(sorted[i - 1], sorted[i]);
		sorted[i]->workload = workload;
		sorted[i]->group = group;
	}
	plan->nr_workloads = plan->nr_jobs ? workload + 1 : 0;
	plan->nr_groups = plan->nr_jobs ? group + 1 : 0;
}

static int renumber(struct km_sweep_plan *plan)
{
	uint32_t *new_workload = calloc(plan->nr_workloads + 1, sizeof(uint32_t));
	uint32_t *new_group = calloc(plan->nr_groups + 1, sizeof(uint32_t));
	uint32_t workloads = 0, groups = 0;
	bool room = new_workload && new_group;

	for (size_t i = 0; room && i < plan->nr_jobs; i++) {
		struct km_sweep_job *job = &plan->jobs[i];

		if (!new_workload[job->workload])
			new_workload[job->workload] = ++workloads;
		if (!new_group[job->group])
			new_group[job->group] = ++groups;
		job->workload = new_workload[job->workload] - 1;
		job->group = new_group[job->group] - 1;
	}
	free(new_workload);
	free(new_group);
	return room ? 0 : -ENOMEM;
}

static int arrange(struct km_sweep_plan *plan, struct km_err *err)
{
	struct km_sweep_job **sorted = calloc(plan->nr_jobs + 1, sizeof(*sorted));
	int code;

	if (!sorted)
		return km_fail(err, -ENOMEM, "no memory to read the plan");
	for (size_t i = 0; i < plan->nr_jobs; i++)
		sorted[i] = &plan->jobs[i];
	code = refuse_twice(plan, sorted, err);
	if (!code) {
		number(plan, sorted);
		code = renumber(plan);
	}
	free(sorted);
	return code == -ENOMEM ? km_fail(err, code, "no memory to read the plan") : code;
}

/* ---- the whole ---- */

int km_sweep_plan_parse(const char *name, char *text, size_t length, struct km_sweep_plan *plan,
			struct km_err *err)
{
	struct reading reading = {.plan = plan, .err = err};
	char *roomy = realloc(text, length + 1);
	int code;

	*plan = (struct km_sweep_plan){.name = name, .text = roomy ? roomy : text};
	if (!roomy) {
		code = km_fail(err, -ENOMEM, "no memory to read the plan");
		goto out;
	}
	code = read_lines(&reading, plan->text, length);
	if (!code && !plan->nr_jobs)
		code = km_fail(err, -EINVAL,
			       "%s holds no job; make a plan with 'kmlab sweep plan T.kmt --model "
			       "A,B -o PLAN'",
			       name);
	if (!code)
		code = arrange(plan, err);
out:
	if (code)
		km_sweep_plan_free(plan);
	return code;
}

static int read_file(FILE *file, const char *path, char **text, size_t *length, struct km_err *err)
{
	size_t room = 0, got = 1;

	*text = NULL;
	for (*length = 0; got; *length += got) {
		if (*length == room) {
			char *grown = realloc(*text, room = room ? 2 * room : 1 << 16);

			if (!grown)
				return km_fail(err, -ENOMEM, "no memory to read the plan");
			*text = grown;
		}
		if (*length > MOST_BYTES)
			return km_fail(err, -E2BIG, "%s is too large for a plan; split it", path);
		got = fread(*text + *length, 1, room - *length, file);
	}
	if (ferror(file))
		return km_fail(err, -EIO, "%s cannot be read: %s", path, strerror(errno));
	return 0;
}

int km_sweep_plan_read(const char *path, struct km_sweep_plan *plan, struct km_err *err)
{
	bool standard = !strcmp(path, "-");
	FILE *file = standard ? stdin : fopen(path, "rb");
	const char *name = standard ? "the plan on standard input" : path;
	char *text = NULL;
	size_t length = 0;
	int code;

	if (!file)
		return km_fail(err, -errno,
			       "%s cannot be opened: %s; make a plan with 'kmlab sweep plan'", path,
			       strerror(errno));
	code = read_file(file, name, &text, &length, err);
	if (!standard)
		fclose(file);
	if (!code)
		return km_sweep_plan_parse(name, text, length, plan, err);
	free(text);
	return code;
}

void km_sweep_plan_free(struct km_sweep_plan *plan)
{
	for (size_t i = 0; i < plan->nr_jobs; i++)
		free(plan->jobs[i].params);
	free(plan->jobs);
	free(plan->text);
	memset(plan, 0, sizeof(*plan));
}
