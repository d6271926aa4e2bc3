/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comparison with what Linux answered. Pages and areas by value. Objects by co-location: which
 * object of a slab comes first is random in Linux, so what must agree is which objects share a
 * slab; while a slab holds a live object, one slab of Linux stands for one of the model. Objects of
 * the kmalloc classes have company in Linux that the scenario does not know: of them it is compared
 * what is NULL, what is an area, what a resize leaves in place, and how large things are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/run_state.h"

const char *km_check_name(enum km_check_kind kind)
{
	static const char *const names[] = {"slab", "pages", "vmalloc", "kmalloc", "end state"};

	return names[kind];
}

__attribute__((format(printf, 4, 5))) static void
count(struct km_check *check, enum km_check_kind kind, bool matched, const char *format, ...)
{
	va_list args;
	char *text;

	check->checked[kind]++;
	check->matched[kind] += matched;
	if (matched || check->nr_mismatches == KM_MISMATCHES_SHOWN)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0)
		check->mismatch[check->nr_mismatches++] = text;
	va_end(args);
}

/* ---- co-location ---- */

static uint64_t live_on(const struct km_addr_map *map, uint64_t slab)
{
	uint64_t objects;

	return km_addr_map_get(map, slab, &objects) ? objects : 0;
}

static int bind(struct km_addr_map *partner, struct km_addr_map *live, uint64_t slab,
		uint64_t other)
{
	uint64_t objects = live_on(live, slab);

	if (!objects && km_addr_map_put(partner, slab, other))
		return -ENOMEM;
	return km_addr_map_put(live, slab, objects + 1);
}

static void unbind(struct km_addr_map *partner, struct km_addr_map *live, uint64_t slab)
{
	uint64_t objects = live_on(live, slab);

	if (objects > 1) {
		km_addr_map_put(live, slab, objects - 1); /* replaces: needs no memory */
		return;
	}
	km_addr_map_remove(live, slab);
	km_addr_map_remove(partner, slab);
}

static int check_slab(struct executor *run, const struct km_scenario_call *call, struct live *live)
{
	uint64_t mask = (KM_PAGE_SIZE << live->order) - 1;
	uint64_t theirs = call->want_value & ~mask, ours = live->addr & ~mask;
	uint64_t model = ours, kernel = theirs;

	km_addr_map_get(&run->to_model, theirs, &model);
	km_addr_map_get(&run->to_kernel, ours, &kernel);
	count(&run->run->check, KM_CHECK_SLAB, model == ours && kernel == theirs,
	      "line %u: %s got an object of slab 0x%" PRIx64 ", Linux of slab 0x%" PRIx64
	      " which so far was 0x%" PRIx64,
	      call->line, km_call_name(call->call), ours, theirs, model != ours ? model : kernel);
	if (live->paired)
		return 0; /* resized in place: counted when it was allocated */
	live->paired = true;
	live->kernel_slab = theirs;
	live->model_slab = ours;
	if (bind(&run->to_model, &run->kernel_live, theirs, ours) ||
	    bind(&run->to_kernel, &run->model_live, ours, theirs))
		return -ENOMEM;
	return 0;
}

void km_check_free(struct executor *run, const struct live *live)
{
	if (!live->paired)
		return;
	unbind(&run->to_model, &run->kernel_live, live->kernel_slab);
	unbind(&run->to_kernel, &run->model_live, live->model_slab);
}

/* ---- kmalloc ---- */

static bool is_kmalloc(const struct km_scenario_call *call)
{
	return call->call >= KM_CALL_KMALLOC && call->call <= KM_CALL_KVFREE_SENSITIVE;
}

static void check_kmalloc(struct executor *run, const struct km_scenario_call *call,
			  struct live *live)
{
	bool our_area = km_is_vmalloc_addr(live->addr);
	bool their_area = km_is_vmalloc_addr(call->want_value);
	bool resized = run->resized_model != 0 && run->resized_kernel != 0;
	bool we_stayed = live->addr == run->resized_model;
	bool they_stayed = call->want_value == run->resized_kernel;
	bool aligned = live->kind != LIVE_LARGE || call->want_value % live->bytes == 0;

	if (our_area != their_area)
		count(&run->run->check, KM_CHECK_KMALLOC, false, "line %u: %s gave %s, Linux %s",
		      call->line, km_call_name(call->call),
		      our_area ? "an area" : "direct-mapped memory",
		      their_area ? "an area" : "direct-mapped memory");
	else
		count(&run->run->check, KM_CHECK_KMALLOC,
		      call->want == KM_WANT_NUMBER && aligned &&
			      (!resized || we_stayed == they_stayed),
		      "line %u: %s %s, Linux %s 0x%" PRIx64, call->line, km_call_name(call->call),
		      !resized    ? "took a block of its size's alignment"
		      : we_stayed ? "left the object in place"
				  : "moved the object",
		      they_stayed ? "left it at" : "gave", call->want_value);
	live->kernel_addr = call->want_value;
}

/* ---- values ---- */

static enum km_check_kind kind_of(const struct km_scenario_call *call, const struct live *live)
{
	if (is_kmalloc(call))
		return KM_CHECK_KMALLOC;
	if (live)
		return live->kind == LIVE_PAGES  ? KM_CHECK_PAGES
		       : live->kind >= LIVE_AREA ? KM_CHECK_VMALLOC
						 : KM_CHECK_SLAB;
	switch (call->call) {
	case KM_CALL_ALLOC_PAGES:
	case KM_CALL_ALLOC_PAGE:
	case KM_CALL_GET_FREE_PAGES:
	case KM_CALL_GET_FREE_PAGE:
	case KM_CALL_GET_ZEROED_PAGE:
	case KM_CALL_ALLOC_PAGES_EXACT:
		return KM_CHECK_PAGES;
	case KM_CALL_VMALLOC:
	case KM_CALL_VZALLOC:
	case KM_CALL_VMALLOC_HUGE:
	case KM_CALL_VMALLOC_NODE:
	case KM_CALL_VZALLOC_NODE:
	case KM_CALL_VMALLOC_USER:
	case KM_CALL_VMALLOC_32:
	case KM_CALL_VMALLOC_32_USER:
	case KM_CALL_VMALLOC_GFP:
	case KM_CALL_VMALLOC_ALIGN:
	case KM_CALL_VREALLOC:
	case KM_CALL_VMAP:
	case KM_CALL_VM_MAP_RAM:
	case KM_CALL_IOREMAP:
		return KM_CHECK_VMALLOC;
	default:
		return KM_CHECK_SLAB;
	}
}

static void describe(char *text, size_t room, bool null, bool pfn, uint64_t value)
{
	if (null)
		snprintf(text, room, "NULL");
	else
		snprintf(text, room, "%s0x%" PRIx64, pfn ? "pfn " : "", value);
}

/* Pages in bulk: each is one answer. Written as a number, only how many there are then. */
static int check_bulk(struct executor *run, const struct km_scenario_call *call,
		      const struct km_run_row *row)
{
	struct km_check *check = &run->run->check;
	uint32_t total = row->nr_pfns > call->nr_want_pfns ? row->nr_pfns : call->nr_want_pfns;

	if (call->want == KM_WANT_NUMBER) {
		uint64_t held = 0;

		for (uint64_t i = 0; i < call->args[1].number; i++)
			held += run->variables[call->args[2].variable + i].value != 0;
		count(check, KM_CHECK_PAGES, held == call->want_value,
		      "line %u: %" PRIu64 " pages are there, Linux has %" PRIu64, call->line, held,
		      call->want_value);
		return 0;
	}
	if (!total)
		count(check, KM_CHECK_PAGES, true, "both have none");
	for (uint32_t i = 0; i < total; i++) {
		uint32_t ours = i < row->nr_pfns ? row->pfns[i] : 0;
		uint32_t theirs = i < call->nr_want_pfns ? call->want_pfns[i] : 0;

		count(check, KM_CHECK_PAGES, ours == theirs,
		      "line %u: page %u of %s is pfn 0x%x, of Linux 0x%x (0: there is none)",
		      call->line, i, km_call_name(call->call), ours, theirs);
	}
	return 0;
}

int km_check_result(struct executor *run, const struct km_scenario_call *call,
		    const struct km_run_row *row, struct live *live)
{
	bool want_null = call->want == KM_WANT_NULL, want_pfn = call->want == KM_WANT_PFN;
	bool null = row->kind == KM_RESULT_NULL, pfn = row->kind == KM_RESULT_PFN, matched;
	uint64_t got = row->result;
	char ours[32], theirs[32];
	enum km_check_kind kind = kind_of(call, live);

	if (!run->options->check || call->want == KM_WANT_NOTHING)
		return 0;
	if (live && is_kmalloc(call) && !want_null) {
		check_kmalloc(run, call, live);
		return 0;
	}
	if (call->call == KM_CALL_ALLOC_PAGES_BULK || call->call == KM_CALL_ALLOC_PAGES_BULK_ARRAY)
		return check_bulk(run, call, row);
	if (live && (live->kind == LIVE_OBJECT || live->kind == LIVE_LARGE) && !want_null &&
	    km_is_vmalloc_addr(live->addr) == km_is_vmalloc_addr(call->want_value))
		return check_slab(run, call, live);
	if (km_call_returns_number(call->call))
		got = row->bytes_alloc;
	/* alloc_pages() written with an address, __get_free_pages() with a pfn. */
	if (!want_null && !null && want_pfn != pfn && live)
		got = want_pfn ? km_addr_to_pfn(live->addr).value : live->addr;
	matched = null == want_null && (null || got == call->want_value);
	describe(ours, sizeof(ours), null, want_pfn, got);
	describe(theirs, sizeof(theirs), want_null, want_pfn, call->want_value);
	count(&run->run->check, kind, matched, "line %u: %s gave %s, Linux %s", call->line,
	      km_call_name(call->call), ours, theirs);
	if (!matched && kind == KM_CHECK_VMALLOC && run->first_mismatch == SIZE_MAX)
		run->first_mismatch = run->at;
	return 0;
}

/* ---- end state ---- */

/* Leading words that name a line: "free 3 1", "pcp 0", "cache c4"; others are named by one word. */
static size_t key_length(const char *line)
{
	static const struct {
		const char *word;
		unsigned words;
	} keys[] = {{"zone ", 2},  {"free ", 3},  {"pcplist ", 3},
		    {"pcp ", 2},   {"cache ", 2}, {"vparked ", 2},
		    {"vpool ", 2}, {"own ", 3},   {"own kfree ", 2}};
	unsigned words = 1;
	size_t length = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(line, keys[i].word, strlen(keys[i].word)) == 0)
			words = keys[i].words;
	while (words-- && line[length]) {
		length += strspn(line + length, " ");
		length += strcspn(line + length, " ");
	}
	return length;
}

static bool same_key(const char *a, const char *b)
{
	size_t length = key_length(a);

	return length == key_length(b) && memcmp(a, b, length) == 0;
}

/* Zone lines start a group; caches and ranges stand outside of any. */
static const char *group_of(const char *line, const char *group)
{
	if (strncmp(line, "zone ", 5) == 0)
		return line;
	if (strncmp(line, "cache ", 6) == 0 || strncmp(line, "own ", 4) == 0 || line[0] == 'v')
		return "";
	return group;
}

struct state_line {
	const char *text, *group;
	bool used;
};

static bool in_group(const struct state_line *line, const char *group)
{
	return !*group == !*line->group && (!*group || same_key(group, line->group));
}

#define CACHE_WORD 80

/* The word of `line` that begins with the first `length` bytes of `key` ("slabs="); NULL if none.
 */
static const char *word_with_key(const char *line, const char *key, size_t length)
{
	for (; *line; line += strcspn(line, " ")) {
		line += strspn(line, " ");
		if (strncmp(line, key, length) == 0)
			return line;
	}
	return NULL;
}

/*
 * A cache line matches when every key=value of Linux's is among ours; the first that is not goes
 * to `theirs_differs`, our value of that key to `ours_differs`.
 */
static bool same_cache(const char *ours, const char *theirs, char ours_differs[CACHE_WORD],
		       char theirs_differs[CACHE_WORD])
{
	char *word = theirs_differs;
	int used;

	for (; sscanf(theirs, "%79s%n", word, &used) == 1; theirs += used) {
		size_t key = strcspn(word, "=") + 1, length = strlen(word);
		const char *found = strchr(word, '=') ? word_with_key(ours, word, key) : word;

		if (found && strcspn(found, " ") == length && strncmp(found, word, length) == 0)
			continue;
		snprintf(ours_differs, CACHE_WORD, "%.*s", found ? (int)strcspn(found, " ") : 7,
			 found ? found : "nothing");
		return false;
	}
	return true;
}

/* Words equal, whatever the spaces. */
static bool same_words(const char *a, const char *b)
{
	for (;;) {
		size_t length_a, length_b;

		a += strspn(a, " \t");
		b += strspn(b, " \t");
		length_a = strcspn(a, " \t");
		length_b = strcspn(b, " \t");
		if (length_a != length_b || memcmp(a, b, length_a) != 0)
			return false;
		if (!length_a)
			return true;
		a += length_a;
		b += length_b;
	}
}

struct range {
	uint64_t start, end;
};

static bool next_range(const char **text, struct range *range)
{
	int used;

	if (sscanf(*text, "%" SCNx64 "-%" SCNx64 "%n", &range->start, &range->end, &used) != 2)
		return false;
	*text += used;
	return true;
}

/* Ascending address ranges one by one: a long line that differs somewhere says little. */
static void check_ranges(struct executor *run, unsigned line, const char *ours, const char *theirs)
{
	struct km_check *check = &run->run->check;
	struct range a, b;
	bool has_a = next_range(&ours, &a), has_b = next_range(&theirs, &b);

	while (has_a || has_b) {
		bool a_first = has_a && (!has_b || a.start < b.start);
		bool b_first = has_b && (!has_a || b.start < a.start);
		struct range one = b_first ? b : a;

		if (a_first || b_first)
			count(check, KM_CHECK_END, false,
			      "line %u: %" PRIx64 "-%" PRIx64 " is free in %s only", line,
			      one.start, one.end, a_first ? "the model" : "Linux");
		else
			count(check, KM_CHECK_END, a.end == b.end,
			      "line %u: free range at %" PRIx64 " ends at %" PRIx64
			      ", Linux's at %" PRIx64,
			      line, a.start, a.end, b.end);
		if (!b_first)
			has_a = next_range(&ours, &a);
		if (!a_first)
			has_b = next_range(&theirs, &b);
	}
}

static void check_line(struct executor *run, const struct km_scenario_line *expected,
		       const char *group, struct state_line *lines, size_t nr_lines)
{
	const char *theirs = expected->text;
	char a[CACHE_WORD], b[CACHE_WORD];
	bool matched;

	for (size_t i = 0; i < nr_lines; i++) {
		const char *ours = lines[i].text;

		if (!same_key(ours, theirs) || !in_group(&lines[i], group))
			continue;
		lines[i].used = true;
		if (strncmp(theirs, "vfree", 5) == 0) {
			check_ranges(run, expected->line, ours + 5, theirs + 5);
			return;
		}
		if (strncmp(theirs, "cache ", 6) == 0) {
			matched = same_cache(ours, theirs, a, b);
			count(&run->run->check, KM_CHECK_END, matched,
			      "line %u: %.*s ends with %s, Linux's with %s", expected->line,
			      (int)key_length(theirs), theirs, a, b);
			return;
		}
		matched = same_words(ours, theirs);
		count(&run->run->check, KM_CHECK_END, matched,
		      "line %u: end state is \"%.120s\", Linux's \"%.120s\"", expected->line, ours,
		      theirs);
		return;
	}
	count(&run->run->check, KM_CHECK_END, false, "line %u: the model has no \"%.60s\"",
	      expected->line, theirs);
}

/* What the model has and Linux has not, of the kinds and zones that the block speaks of. */
static void check_surplus(struct executor *run, const struct state_line *line)
{
	const struct km_scenario_block *block = &run->scenario->expect;
	const char *group = "";
	bool known = !*line->group; /* does Linux's block tell of such lines at all? */

	if (strncmp(line->text, "own kfree", 9) == 0)
		return; /* told only where no worker frees */
	if (strncmp(line->text, "own ", 4) == 0)
		known = false;
	else if (strncmp(line->text, "free ", 5) != 0 && strncmp(line->text, "pcplist ", 8) != 0)
		return;
	for (size_t i = 0; i < block->count; i++) {
		group = group_of(block->lines[i].text, group);
		known |= *group ? same_key(group, line->group)
				: strncmp(block->lines[i].text, "own ", 4) == 0 && !*line->group;
	}
	if (known)
		count(&run->run->check, KM_CHECK_END, false,
		      "end state has \"%.100s\", Linux's has not", line->text);
}

int km_check_end(struct executor *run, const char *state)
{
	const struct km_scenario_block *block = &run->scenario->expect;
	char *text = strdup(state), *save = NULL;
	size_t room = 1, nr_lines = 0;
	struct state_line *lines;
	const char *group = "";

	for (const char *c = state; *c; c++)
		room += *c == '\n';
	lines = calloc(room, sizeof(*lines));
	if (!text || !lines) {
		free(text);
		free(lines);
		return -ENOMEM;
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		group = group_of(line, group);
		lines[nr_lines++] = (struct state_line){line, group, false};
	}
	group = "";
	for (size_t i = 0; i < block->count; i++) {
		group = group_of(block->lines[i].text, group);
		check_line(run, &block->lines[i], group, lines, nr_lines);
	}
	for (size_t i = 0; i < nr_lines; i++)
		if (!lines[i].used)
			check_surplus(run, &lines[i]);
	free(lines);
	free(text);
	return 0;
}
