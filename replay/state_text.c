/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State blocks as text: one line per free list, per-CPU list, zone counter or address range, as the
 * recording harness writes them. Pages in hexadecimal, counts in decimal.
 */
#include "replay/state_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/scenario_machine.h"

struct reader {
	const char *path;
	struct km_err *err;
	const struct km_scenario_line *line;
	const char *at;
	struct km_page_state *pages;
	struct km_zone_state *zone; /* of the last zone line */
};

static bool starts(const char *text, const char *word)
{
	size_t length = strlen(word);

	return strncmp(text, word, length) == 0 && (text[length] == ' ' || !text[length]);
}

static int bad(struct reader *reader, const char *expected)
{
	return km_scenario_fail(reader->err, reader->path, reader->line->line, "expected %s",
				expected);
}

/* Next number of the line; false at its end or at anything else. */
static bool next_number(struct reader *reader, int base, int64_t *value)
{
	char *end;

	errno = 0;
	*value = (int64_t)strtoull(reader->at, &end, base);
	if (end == reader->at || errno)
		return false;
	reader->at = end;
	return true;
}

static bool next_word(struct reader *reader, char *word, size_t room)
{
	size_t length;

	reader->at += strspn(reader->at, " \t");
	length = strcspn(reader->at, " \t");
	if (!length || length >= room)
		return false;
	memcpy(word, reader->at, length);
	word[length] = 0;
	reader->at += length;
	return true;
}

static bool at_end(const struct reader *reader)
{
	return !reader->at[strspn(reader->at, " \t")];
}

/* Room for one more of `size` bytes; NULL without memory. Grows at powers of two. */
static void *grown(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? count * 2 : 1, size);
}

/* ---- pages ---- */

static int read_pfns(struct reader *reader, struct km_pfn_list *list)
{
	int64_t pfn;

	while (next_number(reader, 16, &pfn)) {
		uint32_t *pfns = grown(list->pfns, list->count, sizeof(*pfns));

		if (!pfns)
			return -ENOMEM;
		list->pfns = pfns;
		pfns[list->count++] = (uint32_t)pfn;
	}
	return at_end(reader) ? 0 : bad(reader, "page frame numbers in hexadecimal");
}

/* "pfn:value …": value in hexadecimal never occurs, counts are decimal. */
static int read_runs(struct reader *reader, struct km_pageblock_run **runs, unsigned *count)
{
	int64_t pfn, value;

	while (next_number(reader, 16, &pfn)) {
		struct km_pageblock_run *more;

		if (*reader->at++ != ':' || !next_number(reader, 10, &value))
			return bad(reader, "pfn:number pairs");
		more = grown(*runs, *count, sizeof(**runs));
		if (!more)
			return -ENOMEM;
		*runs = more;
		more[(*count)++] = (struct km_pageblock_run){(uint64_t)pfn, (uint32_t)value};
	}
	return at_end(reader) ? 0 : bad(reader, "pfn:number pairs");
}

/* Geometry was read by km_scenario_zones() before; here the rest of the line. */
static int read_zone(struct reader *reader)
{
	struct km_page_state *pages = reader->pages;
	struct km_zone_state *zone;
	struct km_scenario one = {.path = (char *)reader->path};
	struct km_scenario_line line = *reader->line;
	char word[24];
	int64_t value;
	int code;

	if (pages->nr_zones == KM_NR_ZONES)
		return bad(reader, "at most four zones");
	one.state = (struct km_scenario_block){&line, 1, true};
	code = km_scenario_zones(&one, reader->err);
	if (code)
		return code;
	zone = reader->zone = &pages->zones[pages->nr_zones++];
	zone->spec = one.spec.zones[0];
	reader->at = strstr(reader->at, " wm ");
	if (!reader->at)
		return bad(reader,
			   "wm MIN LOW HIGH boost N highatomic N reserve N… in a zone line");
	while (next_word(reader, word, sizeof(word))) {
		unsigned count = strcmp(word, "wm") == 0   ? 3
				 : strcmp(word, "reserve") ? 1
							   : KM_NR_ZONES;

		for (unsigned i = 0; i < count; i++) {
			if (!next_number(reader, 10, &value))
				return bad(reader, "a number after each word of a zone line");
			if (word[0] == 'w')
				zone->mark[i] = (uint64_t)value;
			else if (word[0] == 'r')
				zone->reserve[i] = (uint64_t)value;
			else if (word[0] == 'b')
				zone->boost = (uint64_t)value;
			else if (word[0] == 'h')
				zone->highatomic = (uint64_t)value;
		}
	}
	return 0;
}

static struct km_pcp_state *pcp_of(struct km_zone_state *zone, uint32_t cpu)
{
	struct km_pcp_state *pcp;

	for (unsigned i = 0; i < zone->nr_pcp; i++)
		if (zone->pcp[i].cpu == cpu)
			return &zone->pcp[i];
	pcp = reallocarray(zone->pcp, zone->nr_pcp + 1u, sizeof(*pcp));
	if (!pcp)
		return NULL;
	zone->pcp = pcp;
	pcp = &pcp[zone->nr_pcp++];
	*pcp = (struct km_pcp_state){.cpu = cpu};
	return pcp;
}

static int read_pcp(struct reader *reader)
{
	struct km_pcp_state *pcp;
	int64_t cpu, value;
	char word[24];

	if (!next_number(reader, 10, &cpu) || cpu < 0 || cpu >= KM_MAX_CPUS)
		return bad(reader, "a CPU number after pcp");
	pcp = pcp_of(reader->zone, (uint32_t)cpu);
	if (!pcp)
		return -ENOMEM;
	while (next_word(reader, word, sizeof(word))) {
		if (!next_number(reader, strcmp(word, "flags") ? 10 : 16, &value))
			return bad(reader, "a number after each word of a pcp line");
#define FIELD(field)                                                                               \
	if (strcmp(word, #field) == 0)                                                             \
		pcp->field = (int32_t)value;
		FIELD(count)
		FIELD(high)
		FIELD(batch)
		FIELD(free_factor)
		FIELD(high_min)
		FIELD(high_max)
		FIELD(alloc_factor)
		FIELD(free_count)
#undef FIELD
		if (strcmp(word, "flags") == 0)
			pcp->flags = (uint32_t)value;
	}
	return 0;
}

/* What each CPU has not yet folded into the zone's counter; of CPUs not told, nothing. */
static int read_diffs(struct reader *reader)
{
	const char *at = reader->at;
	struct km_pcp_state *pcp;
	int64_t value;

	for (uint32_t cpu = 0; cpu < KM_MAX_CPUS && next_number(reader, 10, &value); cpu++) {
		pcp = pcp_of(reader->zone, cpu);
		if (!pcp)
			return -ENOMEM;
		pcp->diff = (int32_t)value;
	}
	return reader->at == at ? bad(reader, "a number after diff") : 0;
}

/* The zone's free counter and what decides with it. */
static int read_zx(struct reader *reader)
{
	struct km_zone_state *zone = reader->zone;
	char word[24];
	int64_t value;
	int code;

	zone->has_counter = true;
	while (next_word(reader, word, sizeof(word))) {
		if (strcmp(word, "diff") == 0) {
			code = read_diffs(reader);
			if (code)
				return code;
			continue;
		}
		if (!next_number(reader, strcmp(word, "flags") ? 10 : 16, &value))
			return bad(reader, "a number after each word of a zx line");
		if (strcmp(word, "nrfree") == 0)
			zone->nr_free = value;
		else if (strcmp(word, "thr") == 0)
			zone->threshold = (int32_t)value;
		else if (strcmp(word, "flags") == 0)
			zone->flags = (uint32_t)value;
		else if (strcmp(word, "drift") == 0)
			zone->drift_mark = (uint64_t)value;
	}
	return 0;
}

static int read_list(struct reader *reader, bool per_cpu)
{
	struct km_zone_state *zone = reader->zone;
	struct km_pcp_state *pcp;
	int64_t first, second;

	if (!next_number(reader, 10, &first) || !next_number(reader, 10, &second) || first < 0 ||
	    second < 0)
		return bad(reader, "two numbers before the page frame numbers");
	if (!per_cpu) {
		if (first > KM_MAX_ORDER || second >= KM_NR_MIGRATETYPES)
			return bad(reader, "free ORDER MIGRATETYPE pfn…");
		return read_pfns(reader, &zone->free[first][second]);
	}
	if (first >= KM_MAX_CPUS || second >= KM_PCP_LISTS)
		return bad(reader, "pcplist CPU LIST pfn…");
	pcp = pcp_of(zone, (uint32_t)first);
	return pcp ? read_pfns(reader, &pcp->lists[second]) : -ENOMEM;
}

static int read_page_line(struct reader *reader)
{
	static const char *const words[] = {"free", "pcplist", "pcp", "blocks", "lru", "zx"};
	const char *text = reader->line->text;
	unsigned kind = 0;

	reader->at = text;
	if (starts(text, "zone"))
		return read_zone(reader);
	while (kind < 6 && !starts(text, words[kind]))
		kind++;
	if (kind == 6)
		return starts(text, "vfree") || starts(text, "vtree") || starts(text, "vlazy") ||
				       starts(text, "vparked") || starts(text, "vpool") ||
				       starts(text, "cache")
			       ? 0
			       : bad(reader,
				     "a state line such as zone, free, pcp, blocks or vfree");
	if (!reader->zone)
		return bad(reader, "a zone line before this one");
	reader->at += strlen(words[kind]);
	switch (kind) {
	case 0:
	case 1:
		return read_list(reader, kind == 1);
	case 2:
		return read_pcp(reader);
	case 3:
		return read_runs(reader, &reader->zone->types, &reader->zone->nr_types);
	case 4:
		return read_runs(reader, &reader->zone->lru, &reader->zone->nr_lru);
	default:
		return read_zx(reader);
	}
}

int km_state_parse_pages(const char *path, const struct km_scenario_block *block,
			 struct km_page_state *state, struct km_err *err)
{
	struct reader reader = {.path = path, .err = err, .pages = state};

	*state = (struct km_page_state){0};
	for (size_t i = 0; i < block->count; i++) {
		int code;

		reader.line = &block->lines[i];
		code = read_page_line(&reader);
		if (code == -ENOMEM)
			return km_fail(err, code, "%s: out of memory", path);
		if (code)
			return code;
	}
	return 0;
}

void km_state_free_pages(struct km_page_state *state)
{
	for (unsigned z = 0; z < state->nr_zones; z++) {
		struct km_zone_state *zone = &state->zones[z];

		for (unsigned o = 0; o < KM_NR_ORDERS; o++)
			for (unsigned t = 0; t < KM_NR_MIGRATETYPES; t++)
				free(zone->free[o][t].pfns);
		for (unsigned i = 0; i < zone->nr_pcp; i++)
			for (unsigned list = 0; list < KM_PCP_LISTS; list++)
				free(zone->pcp[i].lists[list].pfns);
		free(zone->pcp);
		free(zone->types);
		free(zone->lru);
	}
	*state = (struct km_page_state){0};
}

/* ---- vmalloc ---- */

static int read_ranges(struct reader *reader, uint32_t node, struct km_vm_range **ranges,
		       size_t *count)
{
	int64_t start, end;

	while (next_number(reader, 16, &start)) {
		struct km_vm_range *more;

		if (*reader->at++ != '-' || !next_number(reader, 16, &end))
			return bad(reader, "start-end ranges in hexadecimal");
		more = grown(*ranges, *count, sizeof(**ranges));
		if (!more)
			return -ENOMEM;
		*ranges = more;
		more[(*count)++] = (struct km_vm_range){
			.start = (uint64_t)start, .end = (uint64_t)end, .node = node};
	}
	return at_end(reader) ? 0 : bad(reader, "start-end ranges in hexadecimal");
}

/* "DEPTHb" or "DEPTHr" for each range of the vfree line before. */
static int read_shape(struct reader *reader, struct km_vm_state *state)
{
	int64_t depth;
	size_t i = 0;

	while (next_number(reader, 10, &depth)) {
		char colour = *reader->at++;

		if (i == state->nr_free || depth < 0 || depth > UINT8_MAX ||
		    (colour != 'b' && colour != 'r'))
			return bad(reader, "a depth and a colour for each free range");
		state->free[i].depth = (uint8_t)depth;
		state->free[i++].red = colour == 'r';
	}
	state->has_shape = i > 0;
	return at_end(reader) && i == state->nr_free
		       ? 0
		       : bad(reader, "a depth and a colour for each free range");
}

static int read_vm_line(struct reader *reader, struct km_vm_state *state)
{
	const char *text = reader->line->text;
	int64_t node;

	reader->at = text + strcspn(text, " ");
	if (starts(text, "vfree"))
		return read_ranges(reader, 0, &state->free, &state->nr_free);
	if (starts(text, "vtree"))
		return read_shape(reader, state);
	if (starts(text, "vlazy"))
		return next_number(reader, 10, (int64_t *)&state->lazy_pages)
			       ? 0
			       : bad(reader, "vlazy PAGES");
	if (!starts(text, "vparked") && !starts(text, "vpool"))
		return 0;
	if (!next_number(reader, 10, &node) || node < 0 || node >= KM_MAX_CPUS)
		return bad(reader, "a node number before the ranges");
	if (text[2] == 'a')
		return read_ranges(reader, (uint32_t)node, &state->parked, &state->nr_parked);
	return read_ranges(reader, (uint32_t)node, &state->pooled, &state->nr_pooled);
}

int km_state_parse_vm(const char *path, const struct km_scenario_block *block,
		      struct km_vm_state *state, struct km_err *err)
{
	struct reader reader = {.path = path, .err = err};

	*state = (struct km_vm_state){0};
	for (size_t i = 0; i < block->count; i++) {
		int code;

		reader.line = &block->lines[i];
		code = read_vm_line(&reader, state);
		if (code == -ENOMEM)
			return km_fail(err, code, "%s: out of memory", path);
		if (code)
			return code;
	}
	return 0;
}

void km_state_free_vm(struct km_vm_state *state)
{
	free(state->free);
	free(state->parked);
	free(state->pooled);
	*state = (struct km_vm_state){0};
}

static bool has_line(const struct km_scenario_block *block, const char *word)
{
	for (size_t i = 0; i < block->count; i++)
		if (starts(block->lines[i].text, word))
			return true;
	return false;
}

bool km_state_has_pages(const struct km_scenario_block *block)
{
	return has_line(block, "zone");
}

bool km_state_has_vm(const struct km_scenario_block *block)
{
	return has_line(block, "vfree") || has_line(block, "vlazy");
}
