/* SPDX-License-Identifier: GPL-2.0-only */
/* Words and numbers of a scenario's lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/scenario_parser.h"

void km_scenario_skip_space(struct km_scenario_parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

const char *km_scenario_skip_to(struct km_scenario_parser *parser)
{
	km_scenario_skip_space(parser);
	return parser->at;
}

bool km_scenario_take_char(struct km_scenario_parser *parser, char c)
{
	km_scenario_skip_space(parser);
	if (*parser->at != c)
		return false;
	parser->at++;
	return true;
}

/* Identifier or number. False when there is none, or it is longer than any word may be. */
bool km_scenario_take_word(struct km_scenario_parser *parser, char word[WORD_BYTES])
{
	size_t length = 0;

	km_scenario_skip_space(parser);
	while (is_word_char(parser->at[length]))
		length++;
	if (!length || length >= WORD_BYTES)
		return false;
	memcpy(word, parser->at, length);
	word[length] = 0;
	parser->at += length;
	return true;
}

bool km_scenario_number(const char *text, uint64_t *value)
{
	char *end;
	unsigned shift = 0;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end,
			  text[0] == '0' && tolower((unsigned char)text[1]) == 'x' ? 16 : 10);
	if (errno)
		return false;
	switch (toupper((unsigned char)*end)) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	}
	/* C's suffixes: a number copied from code. */
	end += shift != 0;
	while (!shift && (*end == 'U' || *end == 'u' || *end == 'L' || *end == 'l'))
		end++;
	if (*end || (shift && *value >> (64 - shift)))
		return false;
	*value <<= shift;
	return true;
}

static bool constant(const char *word, uint64_t *value)
{
	static const struct {
		const char *name;
		uint64_t value;
	} constants[] = {{"PAGE_SIZE", KM_PAGE_SIZE},
			 {"SIZE_MAX", UINT64_MAX},
			 {"ULONG_MAX", UINT64_MAX},
			 {"UINT_MAX", UINT32_MAX},
			 {"INT_MAX", INT32_MAX},
			 {"KMALLOC_MAX_SIZE", KM_KMALLOC_MAX_SIZE},
			 {"KMALLOC_MAX_CACHE_SIZE", KM_KMALLOC_MAX_CACHE}};

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		if (strcmp(word, constants[i].name) == 0) {
			*value = constants[i].value;
			return true;
		}
	}
	return false;
}

/* A number, PAGE_SIZE or the like, or a product of them. */
int km_scenario_parse_number(struct km_scenario_parser *parser, const char *what, uint64_t *value)
{
	char word[WORD_BYTES];
	uint64_t factor;

	*value = 1;
	do {
		if (!km_scenario_take_word(parser, word))
			return FAIL(parser, "expected a number as %s near \"%.20s\"", what,
				    parser->at);
		if (!constant(word, &factor) && !km_scenario_number(word, &factor))
			return FAIL(
				parser,
				"\"%s\" is not a number; write decimal, 0x hex, or with K, M, G",
				word);
		if (__builtin_mul_overflow(*value, factor, value))
			return FAIL(parser, "the product does not fit 64 bits");
	} while (km_scenario_take_char(parser, '*'));
	return 0;
}

/* ---- what a wrong word may have meant ---- */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to insert, delete, replace or swap with the next (Damerau), capital or not. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][WORD_BYTES + 1];
	size_t length = strlen(b);

	for (unsigned j = 0; j <= length; j++)
		row[0][j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *second = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= length; j++) {
			int x = tolower((unsigned char)a[i - 1]);
			int y = tolower((unsigned char)b[j - 1]);

			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + (x != y));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], second[j - 2] + 1);
		}
	}
	return row[strlen(a) % 3][length];
}

void km_scenario_nearest(struct km_nearest *nearest, const char *word, const char *known)
{
	unsigned far;

	if (strlen(word) >= WORD_BYTES || strlen(known) >= WORD_BYTES)
		return;
	far = distance(word, known);
	/* A third of the letters may be wrong, not more. */
	if (far * 3 > strlen(known) || (nearest->name && far >= nearest->distance))
		return;
	nearest->name = known;
	nearest->distance = far;
}
