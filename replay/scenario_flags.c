/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp and slab flags by name, as kernel code writes them: include/linux/gfp_types.h and
 * include/linux/slab.h. Names of earlier kernels are translated.
 */
#include <errno.h>
#include <string.h>

#include "replay/scenario_parser.h"

/* name, our bit, the kernel's bit (the same from 5.15 to 6.6; later kernels moved the high ones) */
static const struct {
	const char *name;
	uint32_t bits, kernel;
} slab_names[] = {
	{"SLAB_HWCACHE_ALIGN", KM_SLAB_HWCACHE_ALIGN, 0x2000},
	{"SLAB_CACHE_DMA", KM_SLAB_CACHE_DMA, 0x4000},
	{"SLAB_RECLAIM_ACCOUNT", KM_SLAB_RECLAIM_ACCOUNT, 0x20000},
	{"SLAB_TEMPORARY", KM_SLAB_RECLAIM_ACCOUNT, 0},
	{"SLAB_PANIC", KM_SLAB_PANIC, 0x40000},
	{"SLAB_TYPESAFE_BY_RCU", KM_SLAB_TYPESAFE_BY_RCU, 0x80000},
	{"SLAB_MEM_SPREAD", 0, 0x100000},
	{"SLAB_NO_MERGE", KM_SLAB_NO_MERGE, 0x1000000},
	{"SLAB_ACCOUNT", KM_SLAB_ACCOUNT, 0x4000000},
};

bool km_scenario_gfp(const char *name, const struct km_profile *profile, uint64_t *bits)
{
	uint32_t found;

	if (!km_gfp_by_name(name, strlen(name), profile, &found))
		return false;
	*bits = found;
	return true;
}

bool km_scenario_slab_flag(const char *name, uint64_t *bits)
{
	for (size_t i = 0; i < sizeof(slab_names) / sizeof(slab_names[0]); i++) {
		if (strcmp(slab_names[i].name, name) == 0) {
			*bits = slab_names[i].bits;
			return true;
		}
	}
	return false;
}

uint64_t km_scenario_slab_flags_from_kernel(uint64_t kernel_bits)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < sizeof(slab_names) / sizeof(slab_names[0]); i++)
		if (kernel_bits & slab_names[i].kernel)
			bits |= slab_names[i].bits;
	return bits;
}

/* ---- expressions ---- */

struct flags {
	struct km_scenario_parser *parser;
	bool gfp;
	uint64_t clear; /* what names of earlier kernels take away from the whole */
};

static int unknown_flag(const struct flags *flags, const char *word)
{
	const char *kind = flags->gfp ? "gfp" : "slab";
	struct km_nearest nearest = {0};

	for (unsigned i = 0; flags->gfp && km_gfp_name(i); i++)
		km_scenario_nearest(&nearest, word, km_gfp_name(i));
	for (size_t i = 0; !flags->gfp && i < sizeof(slab_names) / sizeof(slab_names[0]); i++)
		km_scenario_nearest(&nearest, word, slab_names[i].name);
	if (nearest.name)
		return FAIL(flags->parser, "unknown %s flag %s; did you mean %s?", kind, word,
			    nearest.name);
	return FAIL(flags->parser, "unknown %s flag %s; write the kernel's name or a number", kind,
		    word);
}

static int parse_flag(struct flags *flags, uint64_t *bits)
{
	struct km_scenario_parser *parser = flags->parser;
	const struct km_profile *profile = &parser->scenario->spec.profile;
	const struct km_gfp_past *past;
	char word[WORD_BYTES];

	if (!km_scenario_take_word(parser, word))
		return FAIL(parser, "expected %s flags near \"%.20s\"", flags->gfp ? "gfp" : "slab",
			    parser->at);
	if (km_scenario_number(word, bits)) {
		if (flags->gfp && *bits > UINT32_MAX)
			return FAIL(parser, "gfp flags have 32 bits, this has more");
		*bits = flags->gfp ? *bits : km_scenario_slab_flags_from_kernel(*bits);
		return 0;
	}
	if (!flags->gfp)
		return km_scenario_slab_flag(word, bits) ? 0 : unknown_flag(flags, word);
	past = km_gfp_past(word, strlen(word), profile);
	if (past)
		flags->clear |= past->clear;
	return km_scenario_gfp(word, profile, bits) ? 0 : unknown_flag(flags, word);
}

#define MAX_DEPTH 16

static int parse_union(struct flags *flags, unsigned depth, uint64_t *bits);

static int parse_operand(struct flags *flags, unsigned depth, uint64_t *bits)
{
	struct km_scenario_parser *parser = flags->parser;
	bool invert = false;
	int code;

	while (km_scenario_take_char(parser, '~'))
		invert = !invert;
	if (!km_scenario_take_char(parser, '(')) {
		code = parse_flag(flags, bits);
	} else {
		if (depth == MAX_DEPTH)
			return FAIL(parser, "more than %d parentheses in flags", MAX_DEPTH);
		code = parse_union(flags, depth + 1, bits);
		if (!code && !km_scenario_take_char(parser, ')'))
			return FAIL(parser, "expected \")\" in flags near \"%.20s\"", parser->at);
	}
	if (invert)
		*bits = ~*bits;
	return code;
}

static int parse_union(struct flags *flags, unsigned depth, uint64_t *bits)
{
	struct km_scenario_parser *parser = flags->parser;
	uint64_t both, next;
	int code;

	*bits = 0;
	do {
		code = parse_operand(flags, depth, &both);
		while (!code && km_scenario_take_char(parser, '&')) {
			code = parse_operand(flags, depth, &next);
			both &= next;
		}
		if (code)
			return code;
		*bits |= both;
	} while (km_scenario_take_char(parser, '|'));
	return 0;
}

int km_scenario_flags(struct km_scenario_parser *parser, bool gfp, uint64_t *value)
{
	struct flags flags = {.parser = parser, .gfp = gfp};
	int code = parse_union(&flags, 0, value);

	*value &= ~flags.clear;
	if (gfp)
		*value &= UINT32_MAX;
	return code;
}
