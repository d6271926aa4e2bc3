/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One statement of a scenario: "name = call(arguments) @CPU -> result", with the arguments that the
 * call's letters in scenario.h ask for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/scenario_parser.h"

static const struct {
	const char *name, *arguments;
	char returns;
} call_table[] = {
#define X(constant, name, arguments, returns) [constant] = {name, arguments, returns},
	KM_SCENARIO_CALLS(X)
#undef X
};

const char *km_call_name(enum km_call call)
{
	return call_table[call].name;
}

bool km_call_returns_number(enum km_call call)
{
	return call_table[call].returns == 'n';
}

/* ---- variables ---- */

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 0x100000001b3ull;
	return hash;
}

/* Index, or KM_NO_VARIABLE. A colliding hash moves to the next key. */
static uint32_t find_variable(const struct km_scenario_parser *parser, const char *name,
			      uint64_t *key)
{
	uint64_t index;

	for (*key = hash_name(name); km_addr_map_get(&parser->variables, *key, &index); ++*key)
		if (strcmp(parser->scenario->names[index], name) == 0)
			return (uint32_t)index;
	return KM_NO_VARIABLE;
}

static int add_variable(struct km_scenario_parser *parser, const char *name, uint32_t *index)
{
	struct km_scenario *scenario = parser->scenario;
	uint64_t key;

	*index = find_variable(parser, name, &key);
	if (*index != KM_NO_VARIABLE)
		return 0;
	if (scenario->nr_names == parser->names_room) {
		size_t room = parser->names_room ? parser->names_room * 2 : 256;
		char **names = reallocarray(scenario->names, room, sizeof(*names));

		if (!names)
			return -ENOMEM;
		scenario->names = names;
		parser->names_room = room;
	}
	scenario->names[scenario->nr_names] = strdup(name);
	if (!scenario->names[scenario->nr_names] ||
	    km_addr_map_put(&parser->variables, key, scenario->nr_names))
		return -ENOMEM;
	*index = (uint32_t)scenario->nr_names++;
	return 0;
}

/* ---- arguments ---- */

/* What follows "name" in "name[3]": the element's own variable is named so. */
static int take_index(struct km_scenario_parser *parser, char word[WORD_BYTES])
{
	uint64_t index;
	size_t length = strlen(word);
	int code;

	if (!km_scenario_take_char(parser, '['))
		return 0;
	code = km_scenario_parse_number(parser, "an index", &index);
	if (code)
		return code;
	if (index >= KM_BULK_MAX || !km_scenario_take_char(parser, ']') || length > WORD_BYTES - 8)
		return FAIL(parser, "\"%s[\" is not an element of an array", word);
	snprintf(word + length, WORD_BYTES - length, "[%u]", (unsigned)index);
	return 0;
}

/* "+ 3" behind a pointer: bytes, or pages where the call takes a page. */
static int parse_offset(struct km_scenario_parser *parser, char letter, struct km_scenario_arg *arg)
{
	int code;

	if (letter == 'c' || !km_scenario_take_char(parser, '+'))
		return 0;
	code = km_scenario_parse_number(parser, "an offset", &arg->number);
	if (!code && letter == 'q' &&
	    __builtin_mul_overflow(arg->number, KM_PAGE_SIZE, &arg->number))
		return FAIL(parser, "the offset does not fit 64 bits");
	return code;
}

/* A variable, an element of an array, what lies behind either, NULL, or an address. */
static int parse_pointer(struct km_scenario_parser *parser, char letter,
			 struct km_scenario_arg *arg)
{
	bool cache = letter == 'c';
	char word[WORD_BYTES];
	uint64_t key;
	int code;

	km_scenario_take_char(parser, '&');
	if (!km_scenario_take_word(parser, word))
		return FAIL(parser, "expected a variable near \"%.20s\"", parser->at);
	if (!cache && strcmp(word, "NULL") == 0)
		return 0;
	if (!cache && strcmp(word, "ZERO_SIZE_PTR") == 0) {
		arg->number = 16;
		return 0;
	}
	code = take_index(parser, word);
	if (code)
		return code;
	if (!cache && km_scenario_number(word, &arg->number))
		return 0;
	arg->variable = find_variable(parser, word, &key);
	if (arg->variable == KM_NO_VARIABLE)
		return FAIL(parser, "%s %s is used before any line sets it",
			    cache ? "cache" : "variable", word);
	return parse_offset(parser, letter, arg);
}

/* An array of `count` pointers: its elements are variables that follow one another. */
static int make_array(struct km_scenario_parser *parser, const char *word, bool fresh,
		      uint64_t count, struct km_scenario_arg *arg)
{
	char element[WORD_BYTES + 16];
	uint32_t index;
	uint64_t key;
	int code;

	if (!count || count > KM_BULK_MAX)
		return FAIL(parser, "%llu pointers; 1 to %u fit an array",
			    (unsigned long long)count, KM_BULK_MAX);
	for (uint64_t i = 0; i < count; i++) {
		snprintf(element, sizeof(element), "%s[%u]", word, (unsigned)i);
		index = find_variable(parser, element, &key);
		if (index == KM_NO_VARIABLE && !fresh)
			return FAIL(parser, "%s has no element %u; a bulk allocation makes one",
				    word, (unsigned)i);
		if (index == KM_NO_VARIABLE) {
			code = add_variable(parser, element, &index);
			if (code)
				return code;
		}
		if (!i)
			arg->variable = index;
		else if (index != arg->variable + i)
			return FAIL(parser, "%s has too few elements; take another name for more",
				    word);
	}
	return 0;
}

static int parse_array(struct km_scenario_parser *parser, bool fresh, uint64_t count,
		       struct km_scenario_arg *arg)
{
	char word[WORD_BYTES];

	km_scenario_take_char(parser, '&');
	if (!km_scenario_take_word(parser, word) || strlen(word) > WORD_BYTES - 8)
		return FAIL(parser, "expected an array near \"%.20s\"", parser->at);
	return make_array(parser, word, fresh, count, arg);
}

/* Pages in bulk without an array are named as the result. */
static int array_of_target(struct km_scenario_parser *parser, const char *target,
			   struct km_scenario_call *call)
{
	if (call_table[call->call].returns != 'b' || call->args[2].variable != KM_NO_VARIABLE)
		return 0;
	if (!target[0] || strlen(target) > WORD_BYTES - 8)
		return FAIL(parser, "the pages have no name; write p = %s(…)",
			    km_call_name(call->call));
	return make_array(parser, target, true, call->args[1].number, &call->args[2]);
}

static int parse_label(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	const char *end;

	if (!km_scenario_take_char(parser, '"'))
		return 0;
	end = strchr(parser->at, '"');
	if (!end)
		return FAIL(parser, "the name in quotes does not end on its line");
	call->label = strndup(parser->at, (size_t)(end - parser->at));
	parser->at = end + 1;
	return call->label ? 0 : -ENOMEM;
}

static int parse_argument(struct km_scenario_parser *parser, char letter,
			  struct km_scenario_call *call, struct km_scenario_arg *arg)
{
	char word[WORD_BYTES];

	switch (letter) {
	case 'c':
	case 'p':
	case 'q':
		return parse_pointer(parser, letter, arg);
	case 'g':
	case 'f':
		return km_scenario_flags(parser, letter == 'g', &arg->number);
	case 'i':
		km_scenario_skip_space(parser);
		if (strncmp(parser->at, "NUMA_NO_NODE", 12) == 0 || *parser->at == '-') {
			parser->at += *parser->at == '-';
			km_scenario_take_word(parser, word);
			arg->number = UINT64_MAX;
			return 0;
		}
		return km_scenario_parse_number(parser, "the node", &arg->number);
	case 'v':
		return parse_array(parser,
				   call->call == KM_CALL_CACHE_ALLOC_BULK ||
					   call_table[call->call].returns == 'b',
				   arg[-1].number, arg);
	case 'x':
		if (!km_scenario_take_word(parser, word))
			return FAIL(parser, "expected a constructor or NULL near \"%.20s\"",
				    parser->at);
		/* A constructor changes the object's layout. */
		if (strcmp(word, "NULL") != 0)
			call->args[2].number |= KM_SLAB_CTOR;
		return 0;
	case 'w':
		do {
			if (!km_scenario_take_word(parser, word))
				return FAIL(parser, "expected a word near \"%.20s\"", parser->at);
		} while (km_scenario_take_char(parser, '|'));
		return 0;
	default:
		return km_scenario_parse_number(parser, "an argument", &arg->number);
	}
}

static int parse_arguments(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	const char *letter = call_table[call->call].arguments;
	const char *name = call_table[call->call].name;
	bool optional = false, first = true;
	unsigned slot = 0;
	int code;

	if (!km_scenario_take_char(parser, '('))
		return FAIL(parser, "expected \"(\" after %s", name);
	for (; *letter; letter++) {
		if (*letter == '|') {
			optional = true;
			continue;
		}
		km_scenario_skip_space(parser);
		if (*letter == 's' && *parser->at != '"')
			continue;
		if (*letter == 'o' && parser->scenario->spec.profile.kvrealloc_by_size) {
			slot++;
			continue;
		}
		if (optional && *parser->at == ')')
			break;
		if (!first && !km_scenario_take_char(parser, ','))
			return FAIL(parser, "%s wants more arguments", name);
		first = false;
		if (*letter == 't' && *km_scenario_skip_to(parser) != '"')
			return FAIL(parser, "%s wants a text in quotes", name);
		if (*letter == 's' || *letter == 't') {
			code = parse_label(parser, call);
		} else {
			code = parse_argument(parser, *letter, call, &call->args[slot]);
			slot += *letter != 'x' && *letter != 'w';
		}
		if (code)
			return code;
	}
	if (!km_scenario_take_char(parser, ')'))
		return FAIL(parser, "expected \")\" to end the arguments of %s near \"%.20s\"",
			    name, parser->at);
	return 0;
}

/* ---- what follows the call: ; @N -> X ---- */

/* "0x12 0x13 …": the pages of a bulk call that are new. */
static int parse_want_pfns(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	char word[WORD_BYTES];
	uint64_t pfn;

	call->want_pfns = calloc(call->args[1].number, sizeof(*call->want_pfns));
	if (!call->want_pfns)
		return -ENOMEM;
	while (km_scenario_take_word(parser, word)) {
		if (!km_scenario_number(word, &pfn) || pfn > UINT32_MAX)
			return FAIL(parser, "\"%s\" is not a page frame number", word);
		if (call->nr_want_pfns == call->args[1].number)
			return FAIL(parser, "more page frame numbers than the %llu pages asked for",
				    (unsigned long long)call->args[1].number);
		call->want_pfns[call->nr_want_pfns++] = (uint32_t)pfn;
	}
	return call->nr_want_pfns ? 0 : FAIL(parser, "expected page frame numbers after \"pfn\"");
}

/* Behind the word "lazy". */
static int parse_lazy(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	int code = km_scenario_parse_number(parser, "the pages before", &call->lazy_before);

	if (!code)
		code = km_scenario_parse_number(parser, "the pages after", &call->lazy_after);
	call->has_lazy = !code;
	return code;
}

/* Behind the word "flushed". */
static int parse_flushed(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	unsigned cpus = parser->scenario->spec.cpus;
	char word[WORD_BYTES];
	uint64_t cpu;

	if (call->call != KM_CALL_CACHE_SHRINK || call->flushed)
		return FAIL(parser, "\"flushed\" stands once, behind kmem_cache_shrink");
	call->flushed = calloc(cpus, sizeof(*call->flushed));
	if (!call->flushed)
		return -ENOMEM;
	while (km_scenario_take_word(parser, word)) {
		if (!km_scenario_number(word, &cpu) || cpu >= cpus)
			return FAIL(parser, "\"%s\" is none of the machine's %u CPUs", word, cpus);
		if (call->nr_flushed == cpus)
			return FAIL(parser, "more CPUs were flushed than the machine's %u", cpus);
		call->flushed[call->nr_flushed++] = (uint16_t)cpu;
	}
	return call->nr_flushed ? 0 : FAIL(parser, "expected CPUs after \"flushed\"");
}

static int parse_want(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	char word[WORD_BYTES];

	if (!km_scenario_take_word(parser, word))
		return FAIL(parser, "expected a result after \"->\"");
	if (strcmp(word, "lazy") == 0)
		return parse_lazy(parser, call);
	if (strcmp(word, "flushed") == 0)
		return parse_flushed(parser, call);
	if (strcmp(word, "NULL") == 0) {
		call->want = KM_WANT_NULL;
		return 0;
	}
	call->want = KM_WANT_NUMBER;
	if (strcmp(word, "pfn") == 0) {
		call->want = KM_WANT_PFN;
		if (call_table[call->call].returns == 'b' && !call->want_pfns)
			return parse_want_pfns(parser, call);
		if (!km_scenario_take_word(parser, word))
			return FAIL(parser, "expected a page frame number after \"pfn\"");
	}
	if (!km_scenario_number(word, &call->want_value))
		return FAIL(parser, "\"%s\" is not a result; write 0x…, pfn 0x…, NULL or a number",
			    word);
	return 0;
}

static int parse_tail(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	uint64_t cpu;
	int code;

	for (;;) {
		km_scenario_skip_space(parser);
		if (!*parser->at)
			return 0;
		if (km_scenario_take_char(parser, ';'))
			continue;
		if (km_scenario_take_char(parser, '@')) {
			code = km_scenario_parse_number(parser, "the CPU", &cpu);
			if (code)
				return code;
			if (cpu >= parser->scenario->spec.cpus)
				return FAIL(
					parser,
					"CPU %llu does not exist: the machine line says cpus=%u",
					(unsigned long long)cpu, parser->scenario->spec.cpus);
			call->cpu = (unsigned)cpu;
			continue;
		}
		if (call->want != KM_WANT_NOTHING && !call->has_lazy &&
		    strncmp(parser->at, "lazy ", 5) == 0) {
			parser->at += 4;
			code = parse_lazy(parser, call);
			if (code)
				return code;
			continue;
		}
		if (parser->at[0] != '-' || parser->at[1] != '>')
			return FAIL(parser, "unexpected \"%.20s\" after the call", parser->at);
		parser->at += 2;
		code = parse_want(parser, call);
		if (code)
			return code;
	}
}

static enum km_call find_call(const char *word)
{
	unsigned call = 0;

	while (call < KM_NR_CALLS && strcmp(call_table[call].name, word) != 0)
		call++;
	return (enum km_call)call;
}

static int unknown_call(struct km_scenario_parser *parser, const char *word)
{
	struct km_nearest nearest = {0};

	for (unsigned call = 0; call < KM_NR_CALLS; call++)
		km_scenario_nearest(&nearest, word, call_table[call].name);
	if (nearest.name)
		return FAIL(parser, "unknown call %s; did you mean %s?", word, nearest.name);
	return FAIL(parser, "unknown call %s; kmlab run --help lists those there are", word);
}

static int parse_context(struct km_scenario_parser *parser, struct km_scenario_call *call)
{
	char word[WORD_BYTES];

	static const char *const names[KM_NR_CONTEXTS] = {"process", "atomic", "softirq",
							  "interrupt"};
	unsigned context = 0;

	if (!km_scenario_take_word(parser, word))
		word[0] = 0;
	while (context < KM_NR_CONTEXTS && strcmp(word, names[context]) != 0)
		context++;
	if (context == KM_NR_CONTEXTS)
		return FAIL(parser,
			    "context is \"process\", \"atomic\", \"softirq\" or \"interrupt\"");
	call->args[0].number = context;
	return parse_tail(parser, call);
}

/* "name = call(…)": take the name. A declaration in front ("void *p = …") is passed over. */
static bool take_target(struct km_scenario_parser *parser, char target[WORD_BYTES])
{
	const char *equals = strchr(parser->at, '='), *paren = strchr(parser->at, '(');
	const char *start, *end;

	if (!equals || (paren && paren < equals))
		return false;
	for (end = equals; end > parser->at && isspace((unsigned char)end[-1]); end--)
		;
	for (start = end; start > parser->at && is_word_char(start[-1]); start--)
		;
	if (start == end || end - start >= WORD_BYTES || isdigit((unsigned char)*start))
		return false;
	memcpy(target, start, (size_t)(end - start));
	target[end - start] = 0;
	parser->at = equals + 1;
	return true;
}

static int append_call(struct km_scenario_parser *parser, struct km_scenario_call **out)
{
	struct km_scenario *scenario = parser->scenario;
	struct km_scenario_call *calls;

	if (scenario->nr_calls == parser->calls_room) {
		size_t room = parser->calls_room ? parser->calls_room * 2 : 256;

		calls = reallocarray(scenario->calls, room, sizeof(*calls));
		if (!calls)
			return -ENOMEM;
		scenario->calls = calls;
		parser->calls_room = room;
	}
	*out = &scenario->calls[scenario->nr_calls++];
	**out = (struct km_scenario_call){.line = parser->line, .target = KM_NO_VARIABLE};
	for (unsigned i = 0; i < KM_CALL_MAX_ARGS; i++)
		(*out)->args[i].variable = KM_NO_VARIABLE;
	return 0;
}

int km_scenario_parse_call(struct km_scenario_parser *parser)
{
	char target[WORD_BYTES] = "", word[WORD_BYTES];
	struct km_scenario_call *call;
	char returns;
	int code;

	take_target(parser, target);
	if (!km_scenario_take_word(parser, word))
		return FAIL(parser, "expected a call near \"%.20s\"", parser->at);
	code = append_call(parser, &call);
	if (code)
		return code;
	call->call = find_call(word);
	if (call->call == KM_NR_CALLS)
		return unknown_call(parser, word);
	returns = call_table[call->call].returns;
	if (call->call == KM_CALL_CONTEXT)
		code = parse_context(parser, call);
	else
		code = parse_arguments(parser, call);
	if (!code)
		code = array_of_target(parser, target, call);
	if (!code && call->call != KM_CALL_CONTEXT)
		code = parse_tail(parser, call);
	if (code)
		return code;
	if (target[0] && returns == '-')
		return FAIL(parser, "%s returns nothing that %s could take", word, target);
	if (!target[0] && returns == 'c')
		return FAIL(parser, "the cache has no name; write c = %s(…)", word);
	return target[0] ? add_variable(parser, target, &call->target) : 0;
}
