/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab models: what can be replayed, with which parameters. */
#include <kmlab/machine.h>
#include <stdlib.h>

#include "replay/commands.h"
#include "results/options.h"
#include "results/term.h"

static const char doc[] = "List the models, the kernel profiles and the switches of a profile.\v"
			  "A model is asked for by its name, of a kernel generation by "
			  "MODEL@PROFILE; columns tell how each has a switch, which is set "
			  "with -p.\n\n"
			  "EXAMPLES\n"
			  "  kmlab models\n"
			  "  kmlab replay a.kmt --model slub@6.1,slub@7.2 -p random_freelist=0";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is taken; '%s' is left over", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct {
	const char *name, *type, *meaning;
} switches[] = {
#define X(type, field, text, meaning) {text, #type, meaning},
	KM_PROFILE_SWITCHES(X)
#undef X
};

#define NR_SWITCHES (sizeof(switches) / sizeof(switches[0]))
#define MALLOC_SUMMARY "malloc:LIBRARY.so, a user-space allocator, for scale"
#define KERNEL_SUMMARY "what Linux itself did, read back from the recorded pointers"

#define MOST_PROFILES 16

/* What each profile sets each switch to, in the order of km_profile_names(). How many profiles. */
static unsigned read_values(uint64_t values[MOST_PROFILES][NR_SWITCHES])
{
	unsigned count = 0;

	for (const char *const *name = km_profile_names(); *name && count < MOST_PROFILES; name++) {
		const struct km_profile *profile = km_profile_find(*name);
		uint64_t *value = values[count++];

#define X(type, field, text, meaning) *value++ = (uint64_t)profile->field;
		KM_PROFILE_SWITCHES(X)
#undef X
	}
	return count;
}

static void print_json(void)
{
	uint64_t values[MOST_PROFILES][NR_SWITCHES];
	unsigned profiles = read_values(values);
	struct km_json json;
	char text[24];

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_array(&json, "models");
	km_json_object(&json, NULL);
	km_json_str(&json, "name", "kernel");
	km_json_str(&json, "summary", KERNEL_SUMMARY);
	km_json_close(&json);
	for (const struct km_model *model = km_models; model->name; model++) {
		km_json_object(&json, NULL);
		km_json_str(&json, "name", model->name);
		km_json_str(&json, "summary", model->summary);
		km_json_close(&json);
	}
	km_json_object(&json, NULL);
	km_json_str(&json, "name", "malloc");
	km_json_str(&json, "summary", MALLOC_SUMMARY);
	km_json_close(&json);
	km_json_close(&json);
	km_json_array(&json, "profiles");
	for (const char *const *name = km_profile_names(); *name; name++)
		km_json_str(&json, NULL, *name);
	km_json_close(&json);
	km_json_array(&json, "parameters");
	for (size_t i = 0; i < NR_SWITCHES; i++) {
		km_json_object(&json, NULL);
		km_json_str(&json, "name", switches[i].name);
		km_json_str(&json, "type", switches[i].type);
		km_json_str(&json, "meaning", switches[i].meaning);
		km_json_object(&json, "values");
		for (unsigned k = 0; k < profiles; k++)
			km_json_raw(&json, km_profile_names()[k],
				    km_profile_text(switches[i].name, values[k][i], text, true));
		km_json_close(&json);
		km_json_close(&json);
	}
	km_json_close(&json);
	km_json_end(&json);
}

static void print_rows(enum km_format format)
{
	const char *titles[3 + MOST_PROFILES] = {"what", "name", "meaning"};
	uint64_t values[MOST_PROFILES][NR_SWITCHES];
	unsigned profiles = read_values(values);
	struct km_table *table;
	char text[24];

	for (unsigned k = 0; k < profiles; k++)
		titles[3 + k] = km_profile_names()[k];
	table = km_table_new(3 + profiles, titles);
	if (!table)
		return;
#define ROW(what, name, meaning)                                                                   \
	do {                                                                                       \
		km_table_cell(table, what);                                                        \
		km_table_cell(table, name);                                                        \
		km_table_cell(table, meaning);                                                     \
		for (unsigned k = 0; k < profiles; k++)                                            \
			km_table_cell(table, NULL);                                                \
	} while (0)
	ROW("model", "kernel", KERNEL_SUMMARY);
	for (const struct km_model *model = km_models; model->name; model++)
		ROW("model", model->name, model->summary);
	ROW("model", "malloc", MALLOC_SUMMARY);
	for (const char *const *name = km_profile_names(); *name; name++)
		ROW("profile", *name, "MODEL@PROFILE");
#undef ROW
	for (size_t i = 0; i < NR_SWITCHES; i++) {
		km_table_cell(table, "parameter");
		km_table_cell(table, switches[i].name);
		km_table_cell(table, switches[i].meaning);
		for (unsigned k = 0; k < profiles; k++)
			km_table_cell(table,
				      km_profile_text(switches[i].name, values[k][i], text, false));
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

int km_cmd_models(int argc, char **argv)
{
	static const struct argp argp = {NULL, parse_option, NULL, doc, km_common_children,
					 NULL, NULL};
	struct km_common_options common = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &common))
		return KM_EXIT_ERROR;
	if (common.format == KM_FORMAT_JSON)
		print_json();
	else
		print_rows(common.format);
	return KM_EXIT_OK;
}
