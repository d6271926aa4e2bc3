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

/* ---- scenario_words.c ---- */

#define WORD_BYTES 64

void km_scenario_skip_space(struct km_scenario_parser *parser);
bool km_scenario_take_char(struct km_scenario_parser *parser, char c);
/* Identifier or number. False when there is none, or it is longer than any word may be. */
bool km_scenario_take_word(struct km_scenario_parser *parser, char word[WORD_BYTES]);
const char *km_scenario_skip_to(struct km_scenario_parser *parser);
/* A number, PAGE_SIZE or the like, or a product of them. */
int km_scenario_parse_number(struct km_scenario_parser *parser, const char *what, uint64_t *value);

/* The known name most like a wrong one, NULL when none is; begins zeroed. */
struct km_nearest {
	const char *name;
	unsigned distance;
};
void km_scenario_nearest(struct km_nearest *nearest, const char *word, const char *known);

/* ---- scenario_flags.c ---- */

/* gfp or slab flags: names and numbers with |, &, ~ and parentheses. */
int km_scenario_flags(struct km_scenario_parser *parser, bool gfp, uint64_t *value);

static inline bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

#define FAIL(parser, ...)                                                                          \
	km_scenario_fail((parser)->err, (parser)->path, (parser)->line, __VA_ARGS__)

#endif
