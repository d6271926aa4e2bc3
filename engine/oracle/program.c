/* SPDX-License-Identifier: GPL-2.0-only */
/* A scenario's text into calls: the part of replay/scenario.h's language that makes sense here. */
#include <linux/ctype.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "oracle.h"

static const struct {
	const char *name, *arguments;
	char result;
	char sleeps;
} calls[] = {
#define X(constant, name, arguments, result, sleeps) [constant] = {name, arguments, result, sleeps},
	ORACLE_CALLS(X)
#undef X
};

/* ---- words ---- */

struct parser {
	struct oracle_program *program;
	char *at;
};

static char *skip(struct parser *parser)
{
	parser->at = skip_spaces(parser->at);
	return parser->at;
}

static int take(struct parser *parser, char c)
{
	if (*skip(parser) != c)
		return 0;
	parser->at++;
	return 1;
}

/* The next identifier or number, and its length; 0: there is none. */
static size_t take_word(struct parser *parser, const char **word)
{
	*word = skip(parser);
	while (isalnum(*parser->at) || *parser->at == '_')
		parser->at++;
	return parser->at - *word;
}

/* "name" or "name[3]", as one text. */
static int take_name(struct parser *parser, char *name, size_t room)
{
	const char *word;
	size_t length = take_word(parser, &word);
	char *end;

	if (!length || length >= room)
		return -EINVAL;
	if (*parser->at == '[') {
		end = strchr(parser->at, ']');
		if (!end || end + 1 - word >= room)
			return -EINVAL;
		length = end + 1 - word;
		parser->at = end + 1;
	}
	memcpy(name, word, length);
	name[length] = 0;
	return 0;
}

static int is_word(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static int number_of(const char *word, size_t length, unsigned long long *value)
{
	char text[32], *end;

	if (!isdigit(*word) || length >= sizeof(text))
		return -EINVAL;
	memcpy(text, word, length);
	text[length] = 0;
	*value = memparse(text, &end); /* 0x and K, M, G */
	while (*end == 'U' || *end == 'u' || *end == 'L' || *end == 'l')
		end++;
	return *end ? -EINVAL : 0;
}

/* ---- variables ---- */

static unsigned int find(struct oracle_program *program, const char *word, size_t length,
			 unsigned int **place)
{
	unsigned int hash = full_name_hash(NULL, word, length);

	for (;; hash++) {
		*place = &program->by_hash[hash & program->hash_mask];
		if (**place == ORACLE_NO_VARIABLE || is_word(word, length, program->names[**place]))
			return **place;
	}
}

static int define(struct oracle_program *program, const char *word, size_t length,
		  unsigned int *variable)
{
	unsigned int *place;

	*variable = find(program, word, length, &place);
	if (*variable != ORACLE_NO_VARIABLE)
		return 0;
	program->names[program->nr_names] = kmemdup_nul(word, length, GFP_KERNEL);
	if (!program->names[program->nr_names])
		return -ENOMEM;
	*place = *variable = program->nr_names++;
	return 0;
}

/* ---- arguments ---- */

static int parse_number(struct parser *parser, unsigned long long *value)
{
	unsigned long long factor;
	const char *word;
	size_t length;

	*value = 1;
	do {
		length = take_word(parser, &word);
		if (is_word(word, length, "PAGE_SIZE"))
			factor = PAGE_SIZE;
		else if (number_of(word, length, &factor))
			return -EINVAL;
		*value *= factor;
	} while (take(parser, '*'));
	return 0;
}

static int parse_flags(struct parser *parser, int gfp, unsigned long long *value)
{
	unsigned long long bits;
	const char *word;
	size_t length;

	*value = 0;
	do {
		length = take_word(parser, &word);
		if (oracle_flag(gfp, word, length, &bits) && number_of(word, length, &bits))
			return -EINVAL;
		*value |= bits;
	} while (take(parser, '|'));
	return 0;
}

/* "p", "&p", "p[2]", "p + 3" (in units of `scale`), NULL or a number. */
static int parse_pointer(struct parser *parser, unsigned int scale, struct oracle_arg *arg)
{
	unsigned int *place;
	char name[64];
	int ret;

	take(parser, '&');
	ret = take_name(parser, name, sizeof(name));
	if (ret || strcmp(name, "NULL") == 0 || !number_of(name, strlen(name), &arg->number))
		return ret;
	arg->variable = find(parser->program, name, strlen(name), &place);
	if (arg->variable == ORACLE_NO_VARIABLE)
		return -EINVAL;
	if (!take(parser, '+'))
		return 0;
	ret = parse_number(parser, &arg->number);
	arg->number *= scale;
	return ret;
}

/* Variables name[0] up to so many, which follow one another. */
static int define_array(struct parser *parser, const char *name, unsigned long long count,
			struct oracle_arg *array)
{
	unsigned int variable;
	char element[80];
	int ret = 0;

	if (!count || count > ORACLE_BULK_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < count && !ret; i++) {
		snprintf(element, sizeof(element), "%s[%u]", name, i);
		ret = define(parser->program, element, strlen(element), &variable);
		if (!ret && !i)
			array->variable = variable;
		else if (!ret && variable != array->variable + i)
			ret = -EINVAL; /* it was shorter before */
	}
	return ret;
}

/* What the target of a bulk call names, as many as the argument before says. */
static int parse_array(struct parser *parser, struct oracle_call *call, const char *name)
{
	unsigned long long count = call->args[1].number;
	int ret = define_array(parser, name, count, &call->args[2]);

	if (ret)
		return ret;
	call->filled = kcalloc(count, sizeof(*call->filled), GFP_KERNEL);
	return call->filled ? 0 : -ENOMEM;
}

/* NUMA_NO_NODE, -1 or a number. */
static int parse_node(struct parser *parser, unsigned long long *value)
{
	const char *word;
	size_t length;

	take(parser, '-');
	length = take_word(parser, &word);
	*value = NUMA_NO_NODE;
	if (is_word(word, length, "NUMA_NO_NODE") || word[-1] == '-')
		return 0;
	return number_of(word, length, value);
}

static int parse_argument(struct parser *parser, char letter, struct oracle_arg *arg)
{
	const char *word;
	char name[64];
	size_t length;
	int ret;

	switch (letter) {
	case 'v':
		ret = take_name(parser, name, sizeof(name));
		return ret ? ret : define_array(parser, name, arg[-1].number, arg);
	case 'c':
	case 'p':
		return parse_pointer(parser, 1, arg);
	case 'q':
		return parse_pointer(parser, PAGE_SIZE, arg);
	case 'g':
		return parse_flags(parser, 1, &arg->number);
	case 'f':
		return parse_flags(parser, 0, &arg->number);
	case 'i':
		return parse_node(parser, &arg->number);
	case 'w':
		do {
			take_word(parser, &word);
		} while (take(parser, '|'));
		return 0;
	case 'x':
		length = take_word(parser, &word);
		arg->number = !is_word(word, length, "NULL");
		return 0;
	default:
		return parse_number(parser, &arg->number);
	}
}

static int parse_arguments(struct parser *parser, struct oracle_call *call)
{
	unsigned int slot = 0, optional = 0, first = 1;
	char name[64];
	int ret;

	if (!take(parser, '('))
		return -EINVAL;
	for (const char *letter = calls[call->kind].arguments; *letter; letter++) {
		if (*letter == '|') {
			optional = 1;
			continue;
		}
		if (*letter == 's' && *skip(parser) != '"')
			continue;
		if (*letter == 'o' && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)) {
			slot++;
			continue;
		}
		if (optional && *skip(parser) == ')')
			break;
		if (!first && !take(parser, ','))
			return -EINVAL;
		first = 0;
		if (*letter == 's') {
			parser->at = strchr(parser->at + 1, '"');
			if (!parser->at++)
				return -EINVAL;
			continue;
		}
		if (*letter == 'r') {
			ret = take_name(parser, name, sizeof(name));
			if (!ret)
				ret = parse_array(parser, call, name);
		} else {
			ret = parse_argument(parser, *letter, &call->args[slot++]);
		}
		if (ret)
			return ret;
	}
	return take(parser, ')') ? 0 : -EINVAL;
}

/* ---- lines ---- */

/* "name =", behind a declaration or not. */
static int parse_target(struct parser *parser, struct oracle_call *call)
{
	char *equals = strchr(parser->at, '='), *paren = strchr(parser->at, '('), *start, *end;

	call->target = ORACLE_NO_VARIABLE;
	if (!equals || (paren && paren < equals))
		return 0;
	for (end = equals; end > parser->at && isspace(end[-1]); end--)
		;
	for (start = end; start > parser->at && (isalnum(start[-1]) || start[-1] == '_'); start--)
		;
	if (start == end)
		return -EINVAL;
	parser->at = equals + 1;
	return define(parser->program, start, end - start, &call->target);
}

static int parse_call(struct parser *parser, struct oracle_call *call)
{
	unsigned long long cpu = 0;
	const char *word;
	size_t length;
	int ret;

	for (unsigned int i = 0; i < ORACLE_ARGS; i++)
		call->args[i].variable = ORACLE_NO_VARIABLE;
	ret = parse_target(parser, call);
	if (ret)
		return ret;
	length = take_word(parser, &word);
	while (call->kind < ORACLE_NR_CALLS && !is_word(word, length, calls[call->kind].name))
		call->kind++;
	if (call->kind == ORACLE_NR_CALLS)
		return -ENOSYS;
	ret = parse_arguments(parser, call);
	if (!ret && calls[call->kind].result == 'b' && !call->filled)
		ret = call->target == ORACLE_NO_VARIABLE
			      ? -EINVAL
			      : parse_array(parser, call, parser->program->names[call->target]);
	if (!ret && call->kind == CALL_CACHE_SHRINK) {
		call->flushed = kcalloc(ORACLE_CPUS_MAX, 1, GFP_KERNEL);
		ret = call->flushed ? 0 : -ENOMEM;
	}
	while (!ret && take(parser, ';'))
		;
	if (!ret && take(parser, '@'))
		ret = parse_number(parser, &cpu);
	if (cpu >= num_online_cpus())
		return -ENODEV;
	call->cpu = cpu;
	return *skip(parser) && *parser->at != ';' ? -EINVAL : ret;
}

static void note_kind(struct oracle_program *program, const struct oracle_call *call)
{
	program->sleeps |= calls[call->kind].sleeps;
	program->shrinks |= call->kind == CALL_CACHE_SHRINK;
	program->has_pages |= call->kind >= CALL_ALLOC_PAGES && call->kind < CALL_SPLIT_PAGE;
	program->has_areas |= call->kind >= CALL_VMALLOC;
	program->only_caches &= call->kind < CALL_ALLOC_PAGES;
}

static int parse_line(struct oracle_program *program, char *line)
{
	struct oracle_call *call = &program->calls[program->count];
	struct parser parser = {.program = program, .at = line};
	char *arrow = strstr(line, "->"), *comment = strchr(line, '#');

	if (comment)
		*comment = 0;
	if (arrow)
		*arrow = 0;
	call->text = strim(line);
	if (!*call->text || strstarts(call->text, "context "))
		return 0;
	if (strstarts(call->text, "machine ")) {
		char *memory = strstr(call->text, "memory=");
		char *memcg = strstr(call->text, "memcg=");

		program->memory = memory ? memory + 7 : NULL;
		program->memcg = memcg ? memcg + 6 : NULL;
		return 0;
	}
	program->count++;
	/* The text is told again, the parser does not change it. */
	parser.at = (char *)call->text;
	if (parse_call(&parser, call))
		return -EINVAL;
	note_kind(program, call);
	return 0;
}

static int make_room(struct oracle_program *program, const char *source)
{
	unsigned int lines = 2, names;

	for (const char *at = source; *at; at++)
		lines += *at == '\n';
	names = lines;
	while ((source = strstr(source, "_bulk"))) {
		names += ORACLE_BULK_MAX;
		source++;
	}
	program->hash_mask = roundup_pow_of_two(names * 2) - 1;
	program->calls = vzalloc(lines * sizeof(*program->calls));
	program->names = vzalloc(names * sizeof(*program->names));
	program->values = vzalloc(names * sizeof(*program->values));
	program->by_hash = vmalloc((program->hash_mask + 1ul) * sizeof(*program->by_hash));
	if (!program->calls || !program->names || !program->values || !program->by_hash)
		return -ENOMEM;
	memset(program->by_hash, 0xff, (program->hash_mask + 1ul) * sizeof(*program->by_hash));
	return 0;
}

int oracle_parse(struct oracle_program *program, char *source)
{
	unsigned int number = 0, in_block = 0;
	char *line, shown[80];
	int ret = make_room(program, source);

	program->only_caches = 1;
	while (!ret && (line = strsep(&source, "\n"))) {
		number++;
		strscpy(shown, line, sizeof(shown));
		if (strstarts(line, "state begin") || strstarts(line, "expect begin"))
			in_block = 1;
		else if (strstarts(line, "state end") || strstarts(line, "expect end"))
			in_block = 0;
		else if (!in_block)
			ret = parse_line(program, line);
	}
	if (ret)
		pr_err("kmlab_oracle: line %u is not executed here: %s\n", number, shown);
	return ret;
}

void oracle_program_free(struct oracle_program *program)
{
	for (unsigned int i = 0; program->names && i < program->nr_names; i++)
		kfree(program->names[i]);
	for (unsigned int i = 0; program->calls && i < program->count; i++) {
		kfree(program->calls[i].filled);
		kfree(program->calls[i].flushed);
	}
	vfree(program->calls);
	vfree(program->names);
	vfree(program->values);
	vfree(program->by_hash);
}

unsigned long long oracle_value(const struct oracle_program *program,
				const struct oracle_call *call, unsigned int i)
{
	const struct oracle_arg *arg = &call->args[i];

	if (arg->variable == ORACLE_NO_VARIABLE)
		return arg->number;
	/* Behind nothing lies nothing. */
	return program->values[arg->variable] ? program->values[arg->variable] + arg->number : 0;
}

static void print_filled(struct oracle_text *text, const struct oracle_call *call)
{
	const char *lead = " -> pfn";

	for (unsigned long i = 0; i < call->args[1].number; i++) {
		if (!call->filled[i])
			continue;
		oracle_print(text, "%s 0x%lx", lead,
			     page_to_pfn(virt_to_page((void *)call->filled[i])));
		lead = "";
	}
	oracle_print(text, "%s\n", *lead ? " -> NULL" : "");
}

/* "flushed CPU…": nothing else says in which order the CPUs' slabs came to the node's list. */
static void print_flushed(struct oracle_text *text, const struct oracle_call *call)
{
	for (unsigned int i = 0; i < call->nr_flushed; i++)
		oracle_print(text, "%s %u", i ? "" : " -> flushed", call->flushed[i]);
}

/* "lazy BEFORE AFTER" tells where the purges were, which no answer does. */
static void end_line(struct oracle_text *text, const struct oracle_program *program,
		     const struct oracle_call *call, const char *arrow)
{
	if (program->has_areas)
		oracle_print(text, "%s lazy %ld %ld", arrow, call->lazy[0], call->lazy[1]);
	oracle_print(text, "\n");
}

void oracle_print_call(struct oracle_text *text, const struct oracle_program *program,
		       const struct oracle_call *call)
{
	char result = calls[call->kind].result;
	int is_page = call->kind >= CALL_ALLOC_PAGES && call->kind < CALL_KMALLOC;

	oracle_print(text, "%s", call->text);
	print_flushed(text, call);
	if (result == '-' || result == 'c' || (is_page && program->has_areas)) {
		end_line(text, program, call, " ->");
		return;
	}
	if (result == 'b') {
		print_filled(text, call);
		return;
	}
	if (result == 'n')
		oracle_print(text, " -> %llu", call->result);
	else if (!call->result)
		oracle_print(text, " -> NULL");
	else if (result == 'p')
		oracle_print(text, " -> pfn 0x%lx",
			     page_to_pfn(virt_to_page((void *)call->result)));
	else
		oracle_print(text, " -> 0x%llx", call->result);
	end_line(text, program, call, "");
}
