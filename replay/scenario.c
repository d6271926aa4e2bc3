/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The .kms parser: one pass over the lines. Nothing is
 * executed here; unknown words, wrong argument counts and variables used before they are set are
 * errors with the line they stand on.
 */
#include "replay/scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/scenario_parser.h"

int km_scenario_fail(struct km_err *err, const char *path, unsigned line, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return km_fail(err, -EINVAL, "%s:%u: %s", path, line, text);
}

/* ---- blocks ---- */

static int append_line(struct km_scenario_block *block, unsigned line, const char *text)
{
	/* Powers of two: the count itself tells when the room is used up. */
	if (!(block->count & (block->count - 1))) {
		size_t room = block->count ? block->count * 2 : 1;
		struct km_scenario_line *lines = reallocarray(block->lines, room, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		block->lines = lines;
	}
	block->lines[block->count].line = line;
	block->lines[block->count].text = strdup(text);
	return block->lines[block->count++].text ? 0 : -ENOMEM;
}

static bool two_words(const char *line, const char *first, const char *second)
{
	char a[16], b[16], rest;

	return sscanf(line, "%15s %15s %c", a, b, &rest) == 2 && !strcmp(a, first) &&
	       !strcmp(b, second);
}

/* ---- lines ---- */

static void cut_comment(char *line)
{
	bool quoted = false;

	for (; *line; line++) {
		if (*line == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		if (*line == '#' || (line[0] == '/' && (line[1] == '/' || line[1] == '*'))) {
			*line = 0;
			return;
		}
	}
}

static int parse_line(struct km_scenario_parser *parser, char *line,
		      struct km_scenario_block **inside)
{
	struct km_scenario *scenario = parser->scenario;
	const char *name = *inside == &scenario->state ? "state" : "expect";
	size_t length;

	cut_comment(line);
	for (length = strlen(line); length && isspace((unsigned char)line[length - 1]); length--)
		line[length - 1] = 0;
	while (isspace((unsigned char)*line))
		line++;
	if (!*line)
		return 0;
	if (*inside) {
		if (!two_words(line, name, "end"))
			return append_line(*inside, parser->line, line);
		*inside = NULL;
		return 0;
	}
	if (two_words(line, "state", "begin") || two_words(line, "expect", "begin")) {
		*inside = line[0] == 's' ? &scenario->state : &scenario->expect;
		if ((*inside)->present)
			return FAIL(parser, "a second %s block; one is allowed",
				    line[0] == 's' ? "state" : "expect");
		if (line[0] == 's' && parser->seen_call)
			return FAIL(parser, "the state block must come before the first call");
		(*inside)->present = true;
		return 0;
	}
	parser->at = line;
	if (strncmp(line, "machine", 7) == 0 && !is_word_char(line[7])) {
		if (parser->seen_call || scenario->state.present)
			return FAIL(parser, "the machine line must come first");
		return km_scenario_machine_line(scenario, line + 7, parser->line, parser->err);
	}
	parser->seen_call = true;
	return km_scenario_parse_call(parser);
}

static int parse_lines(struct km_scenario_parser *parser, char *text)
{
	struct km_scenario_block *inside = NULL;
	int code;

	for (char *line = text; line;) {
		char *end = strchr(line, '\n');

		if (end)
			*end++ = 0;
		parser->line++;
		code = parse_line(parser, line, &inside);
		if (code)
			return code;
		line = end;
	}
	if (inside)
		return FAIL(parser, "the %s block has no \"%s end\"",
			    inside == &parser->scenario->state ? "state" : "expect",
			    inside == &parser->scenario->state ? "state" : "expect");
	return km_scenario_zones(parser->scenario, parser->err);
}

int km_scenario_parse(const char *path, char *text, struct km_scenario *scenario,
		      struct km_err *err)
{
	struct km_scenario_parser parser = {.scenario = scenario, .err = err, .path = path};
	int code;

	*scenario = (struct km_scenario){.path = strdup(path)};
	if (!scenario->path)
		return km_fail(err, -ENOMEM, "%s: out of memory", path);
	km_scenario_machine_default(scenario);
	code = parse_lines(&parser, text);
	km_addr_map_free(&parser.variables);
	if (code == -ENOMEM)
		km_fail(err, code, "%s: out of memory", path);
	if (code)
		km_scenario_free(scenario);
	return code;
}

/* ---- files ---- */

/* Grows until the end of `file`; NUL-terminated. */
static char *read_all(FILE *file, size_t *length)
{
	size_t room = 1 << 16;
	char *text = malloc(room), *grown;

	*length = 0;
	while (text) {
		*length += fread(text + *length, 1, room - *length - 1, file);
		if (*length + 1 < room)
			break;
		grown = realloc(text, room *= 2);
		if (!grown)
			free(text);
		text = grown;
	}
	if (text)
		text[*length] = 0;
	return text;
}

int km_scenario_load(const char *path, struct km_scenario *scenario, struct km_err *err)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "r");
	size_t length = 0;
	char *text;
	int code;

	if (!file)
		return km_fail(err, -errno, "cannot open %s: %s", path, strerror(errno));
	errno = 0;
	text = read_all(file, &length);
	code = ferror(file) ? -(errno ? errno : EIO) : 0;
	if (!standard)
		fclose(file);
	if (code)
		km_fail(err, code, "cannot read %s: %s", path, strerror(-code));
	else if (!text)
		code = km_fail(err, -ENOMEM, "cannot read %s: out of memory", path);
	else if (strlen(text) != length)
		code = km_fail(
			err, -EINVAL,
			"%s is not a scenario: it holds binary data (unpack .xz files first)",
			path);
	else
		code = km_scenario_parse(standard ? "stdin" : path, text, scenario, err);
	free(text);
	return code;
}

static void free_block(struct km_scenario_block *block)
{
	for (size_t i = 0; i < block->count; i++)
		free(block->lines[i].text);
	free(block->lines);
}

void km_scenario_free(struct km_scenario *scenario)
{
	for (size_t i = 0; i < scenario->nr_calls; i++)
		free(scenario->calls[i].label), free(scenario->calls[i].want_pfns),
			free(scenario->calls[i].flushed);
	for (size_t i = 0; i < scenario->nr_names; i++)
		free(scenario->names[i]);
	free_block(&scenario->state);
	free_block(&scenario->expect);
	free(scenario->calls);
	free(scenario->names);
	free(scenario->path);
	*scenario = (struct km_scenario){0};
}
