/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One document on stdout, in the asked format. JSON is written by hand-held calls that keep it
 * well-formed (commas, escapes, NaN as null); tables serve table, csv (RFC 4180), tsv and json
 * (array of objects) from the same calls.
 */
#ifndef KMLAB_EMIT_H
#define KMLAB_EMIT_H

#include <kmlab/types.h>
#include <stdio.h>

enum km_format { KM_FORMAT_TABLE, KM_FORMAT_JSON, KM_FORMAT_CSV, KM_FORMAT_TSV };

/* 0, or -EINVAL for an unknown name. */
int km_format_parse(const char *text, enum km_format *format);

/* ---- JSON ---- */
struct km_json {
	FILE *out;
	unsigned depth;
	bool first[32];
	bool array[32]; /* what closes each level: ] or } */
};

void km_json_begin(struct km_json *json, FILE *out); /* opens the document's object */
void km_json_end(struct km_json *json);              /* closes it, newline */
/* key NULL inside arrays. */
void km_json_object(struct km_json *json, const char *key);
void km_json_array(struct km_json *json, const char *key);
void km_json_close(struct km_json *json); /* the innermost object or array */
void km_json_u64(struct km_json *json, const char *key, uint64_t value);
void km_json_i64(struct km_json *json, const char *key, int64_t value);
void km_json_f64(struct km_json *json, const char *key, double value); /* NaN, inf: null */
void km_json_bool(struct km_json *json, const char *key, bool value);
void km_json_null(struct km_json *json, const char *key);
void km_json_str(struct km_json *json, const char *key, const char *value); /* NULL: null */
void km_json_raw(struct km_json *json, const char *key, const char *json_text);

/* ---- tables: collect, then print with columns aligned ---- */
struct km_table;

/* Column titles; a title ending in '>' is right-aligned (the mark is not printed). */
struct km_table *km_table_new(unsigned columns, const char *const *titles);
/* Next cell of the current row, left to right; a full row starts the next one. NULL: empty. */
void km_table_cell(struct km_table *table, const char *text);
__attribute__((format(printf, 2, 3))) void km_table_cellf(struct km_table *table,
							  const char *format, ...);
void km_table_print(const struct km_table *table, FILE *out, enum km_format format);
void km_table_free(struct km_table *table);

/* ---- details: names and what they are, one to a row ---- */
struct km_detail {
	const char *name;
	const char *text; /* NULL: a number */
	uint64_t value;
	bool unknown;
};

/* A table of two columns; in JSON an object with the schema's number and a member for each. */
void km_put_details(const struct km_detail *details, size_t count, FILE *out,
		    enum km_format format);

/* One field of a csv (RFC 4180 quoting) or tsv (\t \n \r \\ escaped) row; no separator. */
void km_emit_field(FILE *out, enum km_format format, const char *text);

/* "12.3 KiB", "1.23 M", "4.5 us": into buf, returned. NaN prints "-". */
#define KM_HUMAN_BYTES 16
const char *km_human_bytes(double bytes, char buf[KM_HUMAN_BYTES]);
const char *km_human_count(double count, char buf[KM_HUMAN_BYTES]);
const char *km_human_ns(double ns, char buf[KM_HUMAN_BYTES]);

#endif
