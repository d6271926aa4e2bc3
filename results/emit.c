/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON after RFC 8259, CSV after RFC 4180, TSV with backslash escapes, and aligned tables.
 * Names recorded from a kernel (task names above all) are bytes, not text: what is not valid UTF-8
 * becomes U+FFFD in JSON, and control characters never reach a terminal.
 */
#include "results/emit.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KM_JSON_DEPTH 32

int km_format_parse(const char *text, enum km_format *format)
{
	static const char *const names[] = {"table", "json", "csv", "tsv"};

	for (unsigned i = 0; i < 4; i++) {
		if (!strcmp(text, names[i])) {
			*format = (enum km_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- JSON ---- */

/* Length of the valid UTF-8 sequence at text, 0 when it is none (RFC 3629). */
static unsigned utf8_length(const unsigned char *text)
{
	unsigned length;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	/* Overlong forms, surrogates and values above U+10FFFF show in the second byte. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

static void json_escaped(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	fputc('"', out);
	while (*at) {
		unsigned length = utf8_length(at);

		if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at == '\n')
			fputs("\\n", out);
		else if (*at == '\t')
			fputs("\\t", out);
		else if (*at < 0x20 || *at == 0x7f)
			fprintf(out, "\\u%04x", *at);
		else if (!length)
			fputs("\\ufffd", out);
		else
			fwrite(at, 1, length, out);
		at += length ? length : 1;
	}
	fputc('"', out);
}

/* Comma, line break, indent, key: everything in front of a value. */
static void json_lead(struct km_json *json, const char *key)
{
	bool *first = &json->first[json->depth];

	if (json->depth) {
		fputs(*first ? "\n" : ",\n", json->out);
		fprintf(json->out, "%*s", 2 * (int)json->depth, "");
		*first = false;
	}
	if (key) {
		json_escaped(json->out, key);
		fputs(": ", json->out);
	}
}

static void json_open(struct km_json *json, const char *key, bool array)
{
	json_lead(json, key);
	fputc(array ? '[' : '{', json->out);
	if (json->depth + 1 < KM_JSON_DEPTH)
		json->depth++;
	json->first[json->depth] = true;
	json->array[json->depth] = array;
}

void km_json_begin(struct km_json *json, FILE *out)
{
	*json = (struct km_json){.out = out};
	json_open(json, NULL, false);
}

void km_json_end(struct km_json *json)
{
	while (json->depth)
		km_json_close(json);
	fputc('\n', json->out);
}

void km_json_object(struct km_json *json, const char *key)
{
	json_open(json, key, false);
}

void km_json_array(struct km_json *json, const char *key)
{
	json_open(json, key, true);
}

void km_json_close(struct km_json *json)
{
	bool empty = json->first[json->depth], array = json->array[json->depth];

	if (!json->depth)
		return;
	json->depth--;
	if (!empty)
		fprintf(json->out, "\n%*s", 2 * (int)json->depth, "");
	fputc(array ? ']' : '}', json->out);
}

void km_json_u64(struct km_json *json, const char *key, uint64_t value)
{
	json_lead(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void km_json_i64(struct km_json *json, const char *key, int64_t value)
{
	json_lead(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void km_json_f64(struct km_json *json, const char *key, double value)
{
	char text[32];

	if (!isfinite(value)) {
		km_json_null(json, key);
		return;
	}
	json_lead(json, key);
	/* The shortest text that reads back as the same double. */
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	fputs(text, json->out);
}

void km_json_bool(struct km_json *json, const char *key, bool value)
{
	json_lead(json, key);
	fputs(value ? "true" : "false", json->out);
}

void km_json_null(struct km_json *json, const char *key)
{
	json_lead(json, key);
	fputs("null", json->out);
}

void km_json_str(struct km_json *json, const char *key, const char *value)
{
	if (!value) {
		km_json_null(json, key);
		return;
	}
	json_lead(json, key);
	json_escaped(json->out, value);
}

void km_json_raw(struct km_json *json, const char *key, const char *json_text)
{
	json_lead(json, key);
	fputs(json_text, json->out);
}

/* ---- tables ---- */

struct km_table {
	unsigned columns;
	bool failed; /* memory ran out: rows are missing */
	bool *right;
	char **titles;
	char **cells;
	size_t count, room;
};

struct km_table *km_table_new(unsigned columns, const char *const *titles)
{
	struct km_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->right = calloc(columns ? columns : 1, sizeof(*table->right));
	table->titles = calloc(columns ? columns : 1, sizeof(*table->titles));
	if (!table->right || !table->titles)
		goto fail;
	for (unsigned i = 0; i < columns; i++) {
		const char *title = titles[i] ? titles[i] : "";
		size_t length = strlen(title);

		table->right[i] = length && title[length - 1] == '>';
		table->titles[i] = strndup(title, length - table->right[i]);
		if (!table->titles[i])
			goto fail;
	}
	return table;
fail:
	km_table_free(table);
	return NULL;
}

static bool table_grow(struct km_table *table)
{
	size_t room = table->room ? 2 * table->room : 64;
	char **cells = realloc(table->cells, room * sizeof(*cells));

	if (!cells)
		return false;
	table->cells = cells;
	table->room = room;
	return true;
}

void km_table_cell(struct km_table *table, const char *text)
{
	char *copy;

	if (!table || table->failed)
		return;
	copy = strdup(text ? text : "");
	if (!copy || (table->count == table->room && !table_grow(table))) {
		free(copy);
		table->failed = true;
		return;
	}
	table->cells[table->count++] = copy;
}

void km_table_cellf(struct km_table *table, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	if (!table || table->failed)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		table->failed = true;
	}
	va_end(args);
	if (text)
		km_table_cell(table, text);
	free(text);
}

/* Columns a terminal needs: code points, not bytes. */
static unsigned display_width(const char *text)
{
	unsigned width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static const char *cell_at(const struct km_table *table, size_t row, unsigned column)
{
	size_t index = row * table->columns + column;

	return index < table->count ? table->cells[index] : "";
}

static void print_aligned_cell(FILE *out, const char *text, unsigned width, bool right, bool last)
{
	unsigned used = display_width(text), pad = width > used ? width - used : 0;

	if (right)
		fprintf(out, "%*s", (int)pad, "");
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
	if (!last)
		fprintf(out, "%*s", (int)(right ? 0 : pad) + 2, "");
}

static void print_aligned(const struct km_table *table, size_t rows, FILE *out)
{
	unsigned *width = calloc(table->columns, sizeof(*width));

	if (!width) {
		fputs("kmlab: out of memory while printing a table.\n", stderr);
		return;
	}
	for (unsigned i = 0; i < table->columns; i++) {
		width[i] = display_width(table->titles[i]);
		for (size_t row = 0; row < rows; row++) {
			unsigned needed = display_width(cell_at(table, row, i));

			width[i] = needed > width[i] ? needed : width[i];
		}
	}
	for (size_t line = 0; line <= rows; line++) {
		for (unsigned i = 0; i < table->columns; i++)
			print_aligned_cell(out,
					   line ? cell_at(table, line - 1, i) : table->titles[i],
					   width[i], table->right[i], i + 1 == table->columns);
		fputc('\n', out);
	}
	free(width);
}

void km_emit_field(FILE *out, enum km_format format, const char *text)
{
	static const char escapes[] = "\tt\nn\rr\\\\";

	if (format == KM_FORMAT_CSV) {
		bool quote = strpbrk(text, ",\"\r\n") != NULL;

		if (quote)
			fputc('"', out);
		for (; *text; text++) {
			if (*text == '"')
				fputc('"', out);
			fputc(*text, out);
		}
		if (quote)
			fputc('"', out);
		return;
	}
	for (; *text; text++) {
		const char *escape = NULL;

		for (unsigned i = 0; i < sizeof(escapes) - 1 && !escape; i += 2)
			if (escapes[i] == *text)
				escape = &escapes[i + 1];
		if (escape)
			fprintf(out, "\\%c", *escape);
		else
			fputc(*text, out);
	}
}

static void print_separated(const struct km_table *table, size_t rows, FILE *out,
			    enum km_format format)
{
	const char *end = format == KM_FORMAT_CSV ? "\r\n" : "\n";

	for (size_t line = 0; line <= rows; line++) {
		for (unsigned i = 0; i < table->columns; i++) {
			if (i)
				fputc(format == KM_FORMAT_CSV ? ',' : '\t', out);
			km_emit_field(out, format,
				      line ? cell_at(table, line - 1, i) : table->titles[i]);
		}
		fputs(end, out);
	}
}

/* A number as JSON writes it: -?int[.frac][e[+-]exp]. */
static bool is_json_number(const char *text)
{
	const char *digits;

	text += *text == '-';
	digits = text;
	text += strspn(text, "0123456789");
	if (text == digits || (*digits == '0' && text > digits + 1))
		return false;
	if (*text == '.') {
		size_t fraction = strspn(text + 1, "0123456789");

		if (!fraction)
			return false;
		text += 1 + fraction;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '+' || *text == '-';
		digits = text;
		text += strspn(text, "0123456789");
		if (text == digits)
			return false;
	}
	return !*text;
}

/* Right-aligned columns hold numbers: those come out as numbers, an empty cell as null. */
static void print_json(const struct km_table *table, size_t rows, FILE *out)
{
	struct km_json json = {.out = out};

	json_open(&json, NULL, true);
	for (size_t row = 0; row < rows; row++) {
		km_json_object(&json, NULL);
		for (unsigned i = 0; i < table->columns; i++) {
			const char *text = cell_at(table, row, i);

			if (!*text)
				km_json_null(&json, table->titles[i]);
			else if (table->right[i] && is_json_number(text))
				km_json_raw(&json, table->titles[i], text);
			else
				km_json_str(&json, table->titles[i], text);
		}
		km_json_close(&json);
	}
	km_json_end(&json);
}

void km_table_print(const struct km_table *table, FILE *out, enum km_format format)
{
	size_t rows;

	if (!table || table->failed)
		fputs("kmlab: out of memory while making a table; rows are missing.\n", stderr);
	if (!table || !table->columns)
		return;
	rows = (table->count + table->columns - 1) / table->columns;
	if (format == KM_FORMAT_JSON)
		print_json(table, rows, out);
	else if (format == KM_FORMAT_TABLE)
		print_aligned(table, rows, out);
	else
		print_separated(table, rows, out, format);
}

void km_table_free(struct km_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	for (unsigned i = 0; table->titles && i < table->columns; i++)
		free(table->titles[i]);
	free(table->cells);
	free(table->titles);
	free(table->right);
	free(table);
}

/* ---- numbers for people: three significant digits ---- */

static const char *human(double value, double step, double promote, const char *const *units,
			 unsigned count, char *buf)
{
	unsigned unit = 0;
	double magnitude = fabs(value);

	if (isnan(value)) {
		snprintf(buf, KM_HUMAN_BYTES, "-");
		return buf;
	}
	while (unit + 1 < count && magnitude >= promote) {
		magnitude /= step;
		value /= step;
		unit++;
	}
	if (magnitude >= 99.95 || (!unit && value == trunc(value)))
		snprintf(buf, KM_HUMAN_BYTES, "%.0f%s", value, units[unit]);
	else if (magnitude >= 9.995)
		snprintf(buf, KM_HUMAN_BYTES, "%.1f%s", value, units[unit]);
	else
		snprintf(buf, KM_HUMAN_BYTES, "%.2f%s", value, units[unit]);
	return buf;
}

const char *km_human_bytes(double bytes, char buf[KM_HUMAN_BYTES])
{
	static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};

	return human(bytes, 1024, 1023.5, units, 6, buf);
}

const char *km_human_count(double count, char buf[KM_HUMAN_BYTES])
{
	static const char *const units[] = {"", " k", " M", " G", " T"};

	return human(count, 1000, 999.5, units, 5, buf);
}

const char *km_human_ns(double ns, char buf[KM_HUMAN_BYTES])
{
	static const char *const units[] = {" ns", " us", " ms", " s"};

	return human(ns, 1000, 999.5, units, 4, buf);
}

/* ---- details ---- */

static void put_details_json(const struct km_detail *details, size_t count, FILE *out)
{
	struct km_json json;

	km_json_begin(&json, out);
	km_json_u64(&json, "schema", 1);
	for (size_t i = 0; i < count; i++)
		if (details[i].unknown)
			km_json_null(&json, details[i].name);
		else if (details[i].text)
			km_json_str(&json, details[i].name, details[i].text);
		else
			km_json_u64(&json, details[i].name, details[i].value);
	km_json_end(&json);
}

void km_put_details(const struct km_detail *details, size_t count, FILE *out, enum km_format format)
{
	static const char *const titles[] = {"fact", "value>"};
	struct km_table *table;

	if (format == KM_FORMAT_JSON) {
		put_details_json(details, count, out);
		return;
	}
	table = km_table_new(2, titles);
	for (size_t i = 0; i < count; i++) {
		km_table_cell(table, details[i].name);
		if (details[i].unknown || details[i].text)
			km_table_cell(table, details[i].unknown ? NULL : details[i].text);
		else
			km_table_cellf(table, "%" PRIu64, details[i].value);
	}
	km_table_print(table, out, format);
	km_table_free(table);
}
