/* SPDX-License-Identifier: GPL-2.0-only */
/* What a running scenario keeps of its objects, and what it says of calls that break a rule. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/run_state.h"

#define ZERO_SIZE_PTR 16ull

void km_run_note(struct km_run_row *row, enum km_rule rule, const char *format, ...)
{
	va_list args;

	if (row->note)
		return;
	va_start(args, format);
	if (vasprintf(&row->note, format, args) < 0)
		row->note = NULL;
	va_end(args);
	row->rule = rule;
}

uint64_t km_run_argument(const struct executor *run, const struct km_scenario_call *call,
			 unsigned index)
{
	const struct km_scenario_arg *arg = &call->args[index];
	uint64_t value;

	if (arg->variable == KM_NO_VARIABLE)
		return arg->number;
	/* Behind nothing lies nothing. */
	value = run->variables[arg->variable].value;
	return value ? value + arg->number : 0;
}

const char *km_run_kind_name(enum live_kind kind)
{
	static const char *const names[] = {
		"a slab object", "a large kmalloc block",       "pages",          "a vmalloc area",
		"a vmap area",   "a part mapped by vm_map_ram", "an ioremap area"};

	return names[kind];
}

/* ---- live objects ---- */

struct live *km_run_find_live(struct executor *run, uint64_t addr)
{
	uint64_t index;

	return km_addr_map_get(&run->by_addr, addr, &index) ? &run->live[index] : NULL;
}

static struct live *add_live(struct executor *run, const struct live *object)
{
	uint32_t index = run->unused;

	if (index) {
		run->unused = run->live[index].next_unused;
	} else {
		if (run->nr_live + 1 >= run->live_room) {
			uint32_t room = run->live_room ? run->live_room * 2 : 256;
			struct live *bigger = reallocarray(run->live, room, sizeof(*bigger));

			if (!bigger)
				return NULL;
			run->live = bigger;
			run->live_room = room;
		}
		index = ++run->nr_live; /* entry 0 is never used: 0 ends the list */
	}
	run->live[index] = *object;
	km_run_touch(run, object);
	km_addr_map_remove(&run->freed, object->addr);
	return km_addr_map_put(&run->by_addr, object->addr, index) ? NULL : &run->live[index];
}

int km_run_add_live(struct executor *run, const struct live *object)
{
	return add_live(run, object) ? 0 : -ENOMEM;
}

int km_run_remove_live(struct executor *run, struct live *object, unsigned line)
{
	uint64_t addr = object->addr;

	km_check_free(run, object);
	km_addr_map_remove(&run->by_addr, addr);
	object->next_unused = run->unused;
	object->addr = 0;
	run->unused = (uint32_t)(object - run->live);
	return km_addr_map_put(&run->freed, addr, line);
}

/* The live object that `addr` lies in, or NULL: looked for only where a rule is broken. */
static const struct live *around(const struct executor *run, uint64_t addr)
{
	for (uint32_t i = 1; i <= run->nr_live; i++) {
		const struct live *object = &run->live[i];

		if (object->addr && addr > object->addr && addr - object->addr < object->bytes)
			return object;
	}
	return NULL;
}

const char *km_run_argument_name(const struct executor *run, const struct km_scenario_call *call,
				 unsigned index)
{
	uint32_t variable = call->args[index].variable;

	return variable == KM_NO_VARIABLE ? "this address" : run->scenario->names[variable];
}

/* What Linux makes of it: it stops, or writes over the free pointer. */
static void note_double_free(struct executor *run, uint64_t addr, const char *name, uint64_t line,
			     struct km_run_row *row)
{
	const struct km_slab_ops *slab = run->machine->model->slab;
	enum km_call call = row->call->call;
	bool single = call == KM_CALL_KFREE || call == KM_CALL_CACHE_FREE ||
		      call == KM_CALL_KFREE_SENSITIVE || call == KM_CALL_KVFREE ||
		      call == KM_CALL_KVFREE_SENSITIVE;
	struct km_free_pointer pointer;

	if (single && slab->stops_double_free &&
	    slab->stops_double_free(run->machine->slab, row->call->cpu, addr))
		km_run_note(row, KM_RULE_DOUBLE_FREE,
			    "double free: line %" PRIu64 " freed %s; first of its freelist: BUG in "
			    "set_freepointer",
			    line, name);
	else if (single && slab->free_pointer &&
		 !slab->free_pointer(run->machine->slab, addr, &pointer))
		km_run_note(row, KM_RULE_DOUBLE_FREE,
			    "double free: line %" PRIu64 " freed %s; its free pointer is 0x%" PRIx64
			    " at 0x%" PRIx64 ", to 0x%" PRIx64,
			    line, name, pointer.word, pointer.at, pointer.next);
	else
		km_run_note(row, KM_RULE_DOUBLE_FREE, "double free: line %" PRIu64 " freed %s",
			    line, name);
}

struct live *km_run_must_be_live(struct executor *run, uint64_t addr, const char *name,
				 struct km_run_row *row)
{
	struct live *object = km_run_find_live(run, addr);
	const struct live *outer;
	uint64_t line;

	if (object) {
		km_run_touched(run, object, row);
		return object;
	}
	outer = around(run, addr);
	if (km_addr_map_get(&run->freed, addr, &line))
		note_double_free(run, addr, name, line, row);
	else if (outer)
		km_run_note(row, KM_RULE_INTERIOR_FREE,
			    "not allocated here: %s is 0x%" PRIx64 ", %" PRIu64
			    " bytes into what line %u allocated",
			    name, addr, addr - outer->addr, outer->line);
	else
		km_run_note(row, KM_RULE_INVALID_FREE, "not allocated here: %s is 0x%" PRIx64, name,
			    addr);
	return NULL;
}

/* ---- results ---- */

/* They are few: only sets of kmalloc classes have names that no table has. */
const char *km_run_name(struct executor *run, const char *name)
{
	struct km_scenario_run *out = run->run;
	char **grown;

	for (size_t i = 0; i < out->nr_names; i++)
		if (strcmp(out->names[i], name) == 0)
			return out->names[i];
	grown = reallocarray(out->names, out->nr_names + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	out->names = grown;
	grown[out->nr_names] = strdup(name);
	return grown[out->nr_names] ? grown[out->nr_names++] : NULL;
}

void km_run_set_target(struct executor *run, const struct km_scenario_call *call, uint64_t value)
{
	if (call->target != KM_NO_VARIABLE) {
		run->variables[call->target].value = value;
		run->variables[call->target].cache = NULL;
	}
}

int km_run_finish_alloc(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row, struct live *object)
{
	struct live *live = NULL;

	km_run_set_target(run, call, object->addr);
	if (!object->addr) {
		row->kind = KM_RESULT_NULL;
		row->cache = object->cache_name;
		return km_check_result(run, call, row, NULL);
	}
	row->kind = KM_RESULT_ADDRESS;
	row->result = object->addr;
	if (object->addr <= ZERO_SIZE_PTR) {
		row->bytes_alloc = 0;
		return km_check_result(run, call, row, NULL);
	}
	object->line = call->line;
	row->bytes_alloc = object->bytes;
	row->cache = object->cache_name;
	if (call->call == KM_CALL_ALLOC_PAGES || call->call == KM_CALL_ALLOC_PAGE) {
		row->kind = KM_RESULT_PFN;
		row->result = km_addr_to_pfn(object->addr).value;
	}
	live = add_live(run, object);
	return live ? km_check_result(run, call, row, live) : -ENOMEM;
}

int km_run_finish_number(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row, uint64_t number)
{
	row->bytes_alloc = number;
	km_run_set_target(run, call, number);
	return km_check_result(run, call, row, NULL);
}

/* ---- context ---- */

static const char *const context_names[KM_NR_CONTEXTS] = {"process context", "atomic context",
							  "a softirq", "an interrupt"};

void km_run_check_flags(const struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row, uint32_t gfp)
{
	if (run->context != KM_IN_PROCESS && (gfp & KM_GFP_DIRECT_RECLAIM))
		km_run_note(row, KM_RULE_SLEEPING_FLAG,
			    "sleeping flag in atomic context: %s may sleep with these flags, "
			    "and this is %s",
			    km_call_name(call->call), context_names[run->context]);
}

void km_run_check_sleep(const struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	if (run->context != KM_IN_PROCESS)
		km_run_note(row, KM_RULE_SLEEPING_CALL,
			    "sleeping function in atomic context: %s may sleep, and this is %s",
			    km_call_name(call->call), context_names[run->context]);
}

/* ---- findings of --debug ---- */

static int by_line(const void *a, const void *b)
{
	const struct live *left = a, *right = b;

	return (left->line > right->line) - (left->line < right->line);
}

static struct km_run_finding *add_finding(struct executor *run)
{
	struct km_scenario_run *out = run->run;
	struct km_run_finding *grown = out->findings;

	if (!(out->nr_findings & (out->nr_findings - 1)))
		grown = reallocarray(out->findings, out->nr_findings ? 2 * out->nr_findings : 1,
				     sizeof(*grown));
	if (!grown)
		return NULL;
	out->findings = grown;
	grown[out->nr_findings] = (struct km_run_finding){0};
	return &grown[out->nr_findings++];
}

/* Objects of one line are one leak. */
static int find_leaks(struct executor *run)
{
	struct km_run_finding *last = NULL;
	const char *call;

	if (run->nr_live)
		qsort(run->live + 1, run->nr_live, sizeof(*run->live), by_line);
	for (uint32_t i = 1; i <= run->nr_live; i++) {
		const struct live *object = &run->live[i];

		if (!object->addr)
			continue;
		if (last && last->line == object->line) {
			last->count++;
			last->bytes += object->bytes;
			continue;
		}
		last = add_finding(run);
		if (!last)
			return -ENOMEM;
		*last = (struct km_run_finding){KM_RULE_LEAK, object->line, 1, object->bytes, NULL};
	}
	for (size_t i = 0; i < run->run->nr_findings; i++) {
		struct km_run_finding *leak = &run->run->findings[i];

		if (leak->rule != KM_RULE_LEAK)
			continue;
		call = "";
		for (size_t c = 0; c < run->run->nr_rows; c++)
			if (run->run->rows[c].call->line == leak->line)
				call = km_call_name(run->run->rows[c].call->call);
		if (asprintf(&leak->what,
			     "leak: %s of line %u was never freed: %" PRIu64 " object%s, %" PRIu64
			     " bytes",
			     call, leak->line, leak->count, leak->count == 1 ? "" : "s",
			     leak->bytes) < 0)
			return -ENOMEM;
	}
	return 0;
}

int km_run_find(struct executor *run)
{
	for (size_t i = 0; i < run->run->nr_rows; i++) {
		const struct km_run_row *row = &run->run->rows[i];
		struct km_run_finding *finding;

		if (row->rule == KM_RULE_NONE)
			continue;
		finding = add_finding(run);
		if (!finding)
			return -ENOMEM;
		finding->rule = row->rule;
		finding->line = row->call->line;
		finding->count = 1;
		if (asprintf(&finding->what, "%s: %s", km_call_name(row->call->call), row->note) <
		    0)
			return -ENOMEM;
	}
	return find_leaks(run);
}
