/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of text traces (private to import*.c): first the columns before the fields, which differ
 * between perf and ftrace, then the fields, which the kernel's print formats lay down. Nothing here
 * keeps a byte beyond the line.
 */
#ifndef KMLAB_TRACES_IMPORT_PARSE_H
#define KMLAB_TRACES_IMPORT_PARSE_H

#include <kmlab/event.h>

struct km_profile;

/* A piece of a line; at NULL: it is not there. */
struct km_text {
	const char *at;
	size_t n;
};

static inline const char *km_text_end(struct km_text text)
{
	return text.at + text.n;
}

bool km_text_is(struct km_text text, const char *word);
/* Behind the prefix, or at NULL. */
struct km_text km_text_after(struct km_text text, const char *prefix);
struct km_text km_text_trim(struct km_text text);
/* The first word, taken off; at NULL at the end. */
struct km_text km_text_word(struct km_text *rest);
/* A whole number, all of the text: decimal, 0x hexadecimal, or without 0x in base 16. */
bool km_text_number(struct km_text text, unsigned base, uint64_t *value);

/* ---- the columns ---- */

enum km_line_kind {
	KM_LINE_EVENT,
	KM_LINE_LOST,  /* `lost` events of `cpu` before what follows; 0: how many is not told */
	KM_LINE_FRAME, /* of the stack of the event before: address, symbol */
	KM_LINE_NOTE,  /* a comment or an empty line */
	KM_LINE_BAD,   /* `why` */
};

struct km_line {
	enum km_line_kind kind;
	uint8_t context;    /* enum km_context */
	uint32_t tid, tgid; /* tgid 0: not told */
	uint32_t cpu;
	uint32_t unit_ns; /* of the time: 1000 where it is in microseconds */
	uint64_t time_ns;
	uint64_t lost, address;
	struct km_text comm, event, fields, symbol; /* symbol: "name+0x10 [module]" */
	const char *why;
};

void km_line_perf(struct km_text text, struct km_line *line);
void km_line_ftrace(struct km_text text, struct km_line *line);

/* ---- the fields ---- */

enum km_fields_result {
	KM_FIELDS_EVENT,
	KM_FIELDS_OTHER,   /* known, and nothing of an object */
	KM_FIELDS_UNKNOWN, /* no such event */
	KM_FIELDS_HASHED,  /* the kernel has hidden the addresses: %p, lib/vsprintf.c */
	KM_FIELDS_BAD,     /* `why` */
};

struct km_fields {
	struct km_event event; /* but time, cpu, and all ids */
	/* Where the call was made; address 0 where only the symbol is told. */
	struct km_text symbol, module;
	uint64_t site_address;
	uint32_t site_offset;
	struct km_text cache;        /* name, where it is told */
	struct km_text unknown_flag; /* a gfp flag no kernel of that profile has */
	const char *why;
};

enum km_fields_result km_fields_parse(struct km_text event, struct km_text fields,
				      const struct km_profile *profile, struct km_fields *out);
/* "name+0x10/0x400 [module]", or an address. */
void km_fields_site(struct km_text text, struct km_fields *out);

#endif
