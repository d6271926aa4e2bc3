/* SPDX-License-Identifier: GPL-2.0-only */
/* The parser's own state, shared by the files that read lines (scenario.c) and calls. */
#ifndef REPLAY_SCENARIO_PARSER_H
#define REPLAY_SCENARIO_PARSER_H

#include <ctype.h>

#include "replay/addr_map.h"
#include "replay/scenario.h"
#include "replay/scenario_machine.h"

struct km_scenario_parser {
	struct km_scenario *scenario;
	struct km_addr_map variables; /* hash of the name -> index + 1 */
	struct km_err *err;
	const char *path;
	unsigned line;
	bool seen_call;
	const char *at; /* rest of the current line */
	size_t calls_room, names_room;
};

/* One statement, parser->at being its start. 0 or -errno; -EINVAL with a sentence. */
int km_scenario_parse_call(struct km_scenario_parser *parser);

static inline bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

#define FAIL(parser, ...)                                                                          \
	km_scenario_fail((parser)->err, (parser)->path, (parser)->line, __VA_ARGS__)

#endif
