/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The columns of text traces.
 * perf script (tools/perf/builtin-script.c, 5.15 - 6.12):
 *	comm tid [cpu] seconds.micros: system:event: fields
 *	comm pid/tid [cpu] seconds.nanos: PERF_RECORD_LOST lost 12
 *	<tab> address symbol+0x10 (object)
 * ftrace (kernel/trace/trace_output.c) and trace-cmd report:
 *	comm-tid (tgid) [cpu] dNh2. seconds.micros: event: fields
 *	CPU:1 [LOST 12 EVENTS]            CPU:1 [12 EVENTS DROPPED]
 */
#include "import_parse.h"
#include <ctype.h>
#include <string.h>

/* ---- text ---- */

bool km_text_is(struct km_text text, const char *word)
{
	return strlen(word) == text.n && !memcmp(text.at, word, text.n);
}

struct km_text km_text_after(struct km_text text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (text.n < n || memcmp(text.at, prefix, n))
		return (struct km_text){NULL, 0};
	return (struct km_text){text.at + n, text.n - n};
}

struct km_text km_text_trim(struct km_text text)
{
	while (text.n && isspace((unsigned char)*text.at)) {
		text.at++;
		text.n--;
	}
	while (text.n && isspace((unsigned char)text.at[text.n - 1]))
		text.n--;
	return text;
}

struct km_text km_text_word(struct km_text *rest)
{
	struct km_text word = km_text_trim(*rest);
	size_t n = 0;

	if (!word.n)
		return (struct km_text){NULL, 0};
	while (n < word.n && !isspace((unsigned char)word.at[n]))
		n++;
	*rest = (struct km_text){word.at + n, word.n - n};
	word.n = n;
	return word;
}

bool km_text_number(struct km_text text, unsigned base, uint64_t *value)
{
	struct km_text hex = km_text_after(text, "0x");
	uint64_t sum = 0;

	if (hex.at) {
		text = hex;
		base = 16;
	}
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.at[i];
		unsigned digit = isdigit(c)    ? c - '0' + 0u
				 : isxdigit(c) ? (unsigned)tolower(c) - 'a' + 10
					       : 16;

		if (digit >= base || sum > (UINT64_MAX - digit) / base)
			return false;
		sum = sum * base + digit;
	}
	*value = sum;
	return text.n != 0;
}

static bool number32(struct km_text text, uint32_t *value)
{
	uint64_t wide;

	if (!km_text_number(text, 10, &wide) || wide > UINT32_MAX)
		return false;
	*value = (uint32_t)wide;
	return true;
}

static struct km_text until(struct km_text text, const char *end)
{
	return (struct km_text){text.at, (size_t)(end - text.at)};
}

static struct km_text from(struct km_text text, const char *begin)
{
	return (struct km_text){begin, (size_t)(km_text_end(text) - begin)};
}

static const char *last(struct km_text text, char c)
{
	return text.n ? memrchr(text.at, c, text.n) : NULL;
}

static void bad(struct km_line *line, const char *why)
{
	line->kind = KM_LINE_BAD;
	line->why = why;
}

/* ---- columns both have ---- */

/* "12000.107762:" */
static bool read_time(struct km_text text, struct km_line *line)
{
	const char *dot = text.n ? memchr(text.at, '.', text.n) : NULL;
	uint64_t seconds, fraction;
	uint32_t unit = 1000000000;
	size_t digits;

	if (!dot || text.at[text.n - 1] != ':')
		return false;
	digits = (size_t)(km_text_end(text) - dot) - 2;
	if (!digits || digits > 9 || !km_text_number(until(text, dot), 10, &seconds) ||
	    !km_text_number((struct km_text){dot + 1, digits}, 10, &fraction) ||
	    seconds > INT64_MAX / 1000000000 - 1)
		return false;
	for (size_t i = 0; i < digits; i++)
		unit /= 10;
	line->unit_ns = unit;
	line->time_ns = seconds * 1000000000 + fraction * unit;
	return true;
}

/* The third of ftrace's flags: kernel/trace/trace_output.c, trace_print_lat_fmt(). */
static uint8_t context_of(struct km_text flags)
{
	if (flags.n < 3)
		return KM_CTX_UNKNOWN;
	switch (flags.at[2]) {
	case 'Z':
	case 'z':
		return KM_CTX_NMI;
	case 'H':
	case 'h':
		return KM_CTX_HARDIRQ;
	case 's':
		return KM_CTX_SOFTIRQ;
	case '.':
		return KM_CTX_PROCESS;
	default:
		return KM_CTX_UNKNOWN;
	}
}

/*
 * "[000] ..... 12000.107762: kmalloc: call_site=…" from `text` on; a command's name may hold
 * brackets, so only what is a CPU and is followed by a time counts.
 */
static bool read_columns(struct km_text text, struct km_line *line)
{
	const char *close = memchr(text.at, ']', text.n);
	struct km_text rest, word;

	line->context = KM_CTX_UNKNOWN;
	if (!close ||
	    !number32(until((struct km_text){text.at + 1, text.n - 1}, close), &line->cpu))
		return false;
	rest = from(text, close + 1);
	word = km_text_word(&rest);
	if (word.n && !read_time(word, line)) {
		line->context = context_of(word);
		word = km_text_word(&rest);
		if (!word.n || !read_time(word, line))
			return false;
	} else if (!word.n) {
		return false;
	}
	line->fields = km_text_trim(rest);
	return true;
}

/* Split at the CPU; false if there is no such column. */
static bool split(struct km_text text, struct km_text *who, struct km_line *line)
{
	for (size_t i = 1; i < text.n; i++) {
		if (text.at[i] != '[' || !read_columns(from(text, text.at + i), line))
			continue;
		*who = km_text_trim(until(text, text.at + i));
		return true;
	}
	return false;
}

/* "event: fields", of an event's line. perf prints a count before the names of some events. */
static void read_event(struct km_line *line)
{
	struct km_text rest = line->fields, word = km_text_word(&rest);
	uint64_t count;

	if (word.n && km_text_number(word, 10, &count))
		word = km_text_word(&rest);
	if (!word.n || word.at[word.n - 1] != ':') {
		bad(line, "there is no event's name behind the time");
		return;
	}
	line->kind = KM_LINE_EVENT;
	line->event = (struct km_text){word.at, word.n - 1};
	line->fields = km_text_trim(rest);
}

/* ---- perf ---- */

/* "\tffffffff813ceccc sched_setaffinity+0x10c ([kernel.kallsyms])" */
static void read_frame(struct km_text text, struct km_line *line)
{
	struct km_text word = km_text_word(&text);
	const char *open;

	if (!km_text_number(word, 16, &line->address)) {
		bad(line, "it is neither an event nor a frame of a call stack");
		return;
	}
	line->kind = KM_LINE_FRAME;
	text = km_text_trim(text);
	open = last(text, '(');
	line->symbol = km_text_trim(open ? until(text, open) : text);
}

/* "comm tid" or "comm pid/tid" */
static bool read_perf_task(struct km_text who, struct km_line *line)
{
	const char *space = last(who, ' '), *slash;
	struct km_text ids;

	if (!space)
		return false;
	line->comm = km_text_trim(until(who, space));
	ids = from(who, space + 1);
	slash = ids.n ? memchr(ids.at, '/', ids.n) : NULL;
	if (!slash)
		return number32(ids, &line->tid) || km_text_is(ids, "-1");
	return number32(until(ids, slash), &line->tgid) &&
	       number32(from(ids, slash + 1), &line->tid);
}

void km_line_perf(struct km_text text, struct km_line *line)
{
	struct km_text who, lost, count;

	*line = (struct km_line){.kind = KM_LINE_NOTE};
	if (!km_text_trim(text).n || *text.at == '#')
		return;
	if (*text.at == '\t') {
		read_frame(text, line);
		return;
	}
	if (!split(text, &who, line)) {
		bad(line,
		    "there is no '[CPU] seconds.fraction:' in it; print it with 'perf script' "
		    "and its own choice of fields");
		return;
	}
	if (!read_perf_task(who, line)) {
		bad(line, "there is no command and thread before the CPU");
		return;
	}
	lost = km_text_after(line->fields, "PERF_RECORD_LOST lost ");
	if (!lost.at)
		lost = km_text_after(line->fields, "PERF_RECORD_LOST_SAMPLES lost ");
	if (!lost.at) {
		read_event(line);
		return;
	}
	count = km_text_word(&lost);
	line->kind = KM_LINE_LOST;
	if (!count.n || !km_text_number(count, 10, &line->lost))
		bad(line, "it does not say how many events were lost");
}

/* ---- ftrace ---- */

/* "comm-tid" or "comm-tid (tgid)" */
static bool read_ftrace_task(struct km_text who, struct km_line *line)
{
	const char *open, *dash;

	if (who.n && who.at[who.n - 1] == ')' && (open = last(who, '('))) {
		struct km_text tgid = from(who, open + 1);

		tgid.n--;
		number32(km_text_trim(tgid), &line->tgid); /* "-----": not known */
		who = km_text_trim(until(who, open));
	}
	dash = last(who, '-');
	if (!dash || !number32(from(who, dash + 1), &line->tid))
		return false;
	line->comm = km_text_trim(until(who, dash));
	return true;
}

/* "CPU:1 [LOST 12 EVENTS]", "CPU:1 [12 EVENTS DROPPED]", and both without the number */
static bool read_ftrace_loss(struct km_text text, struct km_line *line)
{
	struct km_text rest = km_text_after(km_text_trim(text), "CPU:"), word;
	const char *open;
	uint64_t count;

	if (!rest.at)
		return false;
	word = km_text_word(&rest);
	rest = km_text_trim(rest);
	open = rest.n && *rest.at == '[' ? rest.at + 1 : NULL;
	if (!open || !word.n || !number32(word, &line->cpu))
		return false;
	rest = from(rest, open);
	line->kind = KM_LINE_LOST;
	line->lost = 0;
	while ((word = km_text_word(&rest)).n)
		if (km_text_number(word, 10, &count))
			line->lost = count;
	return true;
}

/* What trace-cmd says before and between events. */
static bool is_ftrace_note(struct km_text text)
{
	static const char *const prefixes[] = {"#", "cpus=", "version = ", "CPU ", "trace.dat"};

	text = km_text_trim(text);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (km_text_after(text, prefixes[i]).at)
			return true;
	return !text.n;
}

void km_line_ftrace(struct km_text text, struct km_line *line)
{
	struct km_text who;

	*line = (struct km_line){.kind = KM_LINE_NOTE};
	if (split(text, &who, line)) {
		if (read_ftrace_task(who, line))
			read_event(line);
		else
			bad(line, "there is no command-thread before the CPU");
		return;
	}
	if (is_ftrace_note(text) || read_ftrace_loss(text, line))
		return;
	bad(line,
	    "there is no '[CPU] seconds.fraction:' in it; the trace must be in ftrace's usual "
	    "columns, with trace_clock local, global or mono");
}
