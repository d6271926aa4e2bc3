/* SPDX-License-Identifier: GPL-2.0-only */
/* Each document is written to memory and compared byte for byte with what its standard asks. */
#include "engine/tests/tap.h"
#include "results/emit.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static char *text;
static size_t length;

static FILE *start(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &length);
}

static void test_json(void)
{
	FILE *out = start();
	struct km_json json;

	km_json_begin(&json, out);
	km_json_u64(&json, "max", UINT64_MAX);
	km_json_i64(&json, "min", INT64_MIN);
	km_json_f64(&json, "tenth", 0.1);
	km_json_f64(&json, "third", 1.0 / 3);
	km_json_f64(&json, "nan", NAN);
	km_json_f64(&json, "inf", INFINITY);
	km_json_bool(&json, "yes", true);
	km_json_str(&json, "a\"b", "back\\slash\ttab\nline\x01");
	km_json_str(&json, "none", NULL);
	km_json_str(&json, "utf8", "\xc3\xa9 \xff \xed\xa0\x80 \xc0\xaf");
	km_json_array(&json, "list");
	km_json_u64(&json, NULL, 1);
	km_json_object(&json, NULL);
	km_json_close(&json);
	km_json_close(&json);
	km_json_raw(&json, "raw", "{\"x\":1}");
	km_json_end(&json);
	fclose(out);
	TAP_OK(!strcmp(text, "{\n"
			     "  \"max\": 18446744073709551615,\n"
			     "  \"min\": -9223372036854775808,\n"
			     "  \"tenth\": 0.1,\n"
			     "  \"third\": 0.3333333333333333,\n"
			     "  \"nan\": null,\n"
			     "  \"inf\": null,\n"
			     "  \"yes\": true,\n"
			     "  \"a\\\"b\": \"back\\\\slash\\ttab\\nline\\u0001\",\n"
			     "  \"none\": null,\n"
			     "  \"utf8\": \"\xc3\xa9 \\ufffd \\ufffd\\ufffd\\ufffd "
			     "\\ufffd\\ufffd\",\n"
			     "  \"list\": [\n    1,\n    {}\n  ],\n"
			     "  \"raw\": {\"x\":1}\n"
			     "}\n"),
	       "a JSON document is well-formed, escaped and exact");
}

static struct km_table *sample(void)
{
	static const char *const titles[] = {"name", "bytes>"};
	struct km_table *table = km_table_new(2, titles);

	km_table_cell(table, "a,\"b\"");
	km_table_cellf(table, "%d", 12);
	km_table_cell(table, "tab\there");
	km_table_cell(table, NULL);
	km_table_cell(table, "n\xc3\xa4me");
	km_table_cell(table, "1 234");
	return table;
}

static const char *printed(enum km_format format)
{
	struct km_table *table = sample();
	FILE *out = start();

	km_table_print(table, out, format);
	fclose(out);
	km_table_free(table);
	return text;
}

static void test_tables(void)
{
	static const char *const titles[] = {"x"};
	struct km_table *empty = km_table_new(1, titles);
	FILE *out;

	TAP_OK(!strcmp(printed(KM_FORMAT_TABLE), "name      bytes\n"
						 "a,\"b\"        12\n"
						 "tab?here       \n"
						 "n\xc3\xa4me      1 234\n"),
	       "columns align by characters, control characters are not printed");
	TAP_OK(!strcmp(printed(KM_FORMAT_CSV), "name,bytes\r\n\"a,\"\"b\"\"\",12\r\n"
					       "tab\there,\r\nn\xc3\xa4me,1 234\r\n"),
	       "csv is quoted as RFC 4180 says");
	TAP_OK(!strcmp(printed(KM_FORMAT_TSV), "name\tbytes\na,\"b\"\t12\n"
					       "tab\\there\t\nn\xc3\xa4me\t1 234\n"),
	       "tsv escapes tabs");
	TAP_OK(!strcmp(printed(KM_FORMAT_JSON),
		       "[\n  {\n    \"name\": \"a,\\\"b\\\"\",\n    \"bytes\": 12\n  },\n"
		       "  {\n    \"name\": \"tab\\there\",\n    \"bytes\": null\n  },\n"
		       "  {\n    \"name\": \"n\xc3\xa4me\",\n    \"bytes\": \"1 234\"\n  }\n]\n"),
	       "json: numbers of right-aligned columns are numbers, an empty cell is null");
	out = start();
	km_table_print(empty, out, KM_FORMAT_JSON);
	fclose(out);
	TAP_OK(!strcmp(text, "[]\n"), "a table without rows is an empty JSON array");
	km_table_free(empty);
}

static void test_human(void)
{
	char buf[KM_HUMAN_BYTES];
	static const struct {
		const char *(*format)(double, char *);
		double value;
		const char *want;
	} cases[] = {
		{km_human_bytes, 0, "0 B"},          {km_human_bytes, 1023, "1023 B"},
		{km_human_bytes, 12600, "12.3 KiB"}, {km_human_bytes, 1048575, "1.00 MiB"},
		{km_human_count, 999, "999"},        {km_human_count, 1230000, "1.23 M"},
		{km_human_count, 999700, "1.00 M"},  {km_human_ns, 22, "22 ns"},
		{km_human_ns, 4500, "4.50 us"},      {km_human_ns, 12.34, "12.3 ns"},
		{km_human_ns, 90e9, "90.0 s"},       {km_human_ns, NAN, "-"},
		{km_human_count, -1500, "-1.50 k"},  {km_human_bytes, 1e300, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = cases[i].format(cases[i].value, buf);

		if (!cases[i].want)
			TAP_OK(strlen(got) < KM_HUMAN_BYTES, "a huge number stays in its buffer");
		else
			TAP_OK(!strcmp(got, cases[i].want), "%s is shown as %s", got,
			       cases[i].want);
	}
}

static void test_details(void)
{
	const struct km_detail details[] = {{.name = "trace", .text = "t.kmt"},
					    {.name = "kept", .value = 7},
					    {.name = "lost", .value = 3, .unknown = true}};
	FILE *out = start();

	km_put_details(details, 3, out, KM_FORMAT_TABLE);
	fclose(out);
	TAP_OK(!strcmp(text, "fact   value\ntrace  t.kmt\nkept       7\nlost        \n"),
	       "details are rows of two columns; what is not known is empty");
	out = start();
	km_put_details(details, 3, out, KM_FORMAT_JSON);
	fclose(out);
	TAP_OK(!strcmp(text, "{\n  \"schema\": 1,\n  \"trace\": \"t.kmt\",\n  \"kept\": 7,\n"
			     "  \"lost\": null\n}\n"),
	       "in JSON an object, with null");
}

int main(void)
{
	enum km_format format = KM_FORMAT_TABLE;

	TAP_EQ(km_format_parse("tsv", &format), 0, "tsv is a format");
	TAP_EQ(format, KM_FORMAT_TSV, "and is the one asked for");
	TAP_EQ(km_format_parse("xml", &format), -EINVAL, "xml is not");
	TAP_EQ(format, KM_FORMAT_TSV, "and leaves the format alone");
	test_json();
	test_tables();
	test_human();
	test_details();
	free(text);
	return tap_done();
}
