/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/access.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64u

enum { ONLY_A1 = 0x02, EACH = (1u << KM_ACCESSES) - 1 };

/* ---- what is asked for ---- */

static void name_accesses(struct km_access_spec *spec)
{
	strcpy(spec->names[0], "A0");
	strcpy(spec->names[1], "A1");
	for (unsigned i = 0; i < KM_ACCESS_BANDS; i++) {
		int used = snprintf(spec->names[2 + i], sizeof(spec->names[0]), "A2:%u",
				    spec->lambda[i]);

		if (spec->skew < 1 || spec->skew > 1)
			snprintf(spec->names[2 + i] + used, sizeof(spec->names[0]) - (size_t)used,
				 ":%g", spec->skew);
	}
}

static void choose_bands(struct km_access_spec *spec, uint32_t lambda)
{
	for (unsigned i = 0; i < KM_ACCESS_BANDS; i++)
		if (spec->lambda[i] == lambda)
			spec->which = 2 + i;
	if (spec->which)
		return;
	spec->lambda[0] = lambda < 8 ? 1 : lambda / 4;
	spec->lambda[1] = lambda;
	spec->lambda[2] = 4 * lambda;
	spec->which = 3;
}

int km_access_parse(const char *text, struct km_access_spec *spec, struct km_err *err)
{
	struct km_access_spec parsed = {.lambda = {1, 4, 16}, .skew = 1};
	unsigned long lambda = 0;
	char *end = NULL;

	if (!strcmp(text, "A0") || !strcmp(text, "A1")) {
		parsed.which = text[1] == '1';
	} else {
		bool good = !strncmp(text, "A2:", 3) && text[3] >= '0' && text[3] <= '9';

		if (good)
			lambda = strtoul(text + 3, &end, 10);
		if (good && *end == ':' && ((end[1] >= '0' && end[1] <= '9') || end[1] == '.'))
			parsed.skew = strtod(end + 1, &end);
		if (!good || *end)
			return km_fail(err, -EINVAL,
				       "there is no access model '%s'; it is A0, A1, A2:LAMBDA or "
				       "A2:LAMBDA:SKEW, as in A2:4:0.9",
				       text);
		if (!lambda || lambda > KM_ACCESS_MOST_LAMBDA ||
		    !(parsed.skew <= KM_ACCESS_MOST_SKEW))
			return km_fail(err, -EINVAL,
				       "access model '%s' is out of range: 1 to %u touches, a skew "
				       "of 0 to %g",
				       text, KM_ACCESS_MOST_LAMBDA, KM_ACCESS_MOST_SKEW);
		choose_bands(&parsed, (uint32_t)lambda);
	}
	name_accesses(&parsed);
	*spec = parsed;
	return 0;
}

/* ---- one object ---- */

static void touch(struct km_access *access, unsigned cpu, unsigned mask, uint64_t addr, size_t op)
{
	access->touch(access->to, cpu, mask, addr, op);
}

/* A page's struct page: 64 bytes in the vmemmap (x86_64, 4-level). */
static void touch_frames(struct km_access *access, unsigned cpu, uint64_t first, uint64_t count,
			 size_t op)
{
	for (uint64_t i = 0; i < count; i++)
		touch(access, cpu, EACH, KM_VMEMMAP_BASE + (first + i) * LINE, op);
}

static void touch_area_frames(struct km_access *access, unsigned cpu, uint64_t addr, uint64_t pages,
			      size_t op)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t frame = km_frames_of(access->frames, addr + (i << KM_PAGE_SHIFT), NULL);

		if (frame)
			touch_frames(access, cpu, frame, 1, op);
	}
}

static const struct km_request *request_of(const struct km_access *access, const struct km_op *op)
{
	return km_op_request(access->replayer->program, op);
}

/* Does the object lie in a slab? Then where its free pointer is. */
static bool slab_offset(const struct km_access *access, const struct km_request *request,
			uint32_t *offset)
{
	const struct km_machine *machine = access->replayer->machine;
	enum km_route route = machine->model->route;

	if (!access->has_slabs || route == KM_ROUTE_PAGES)
		return false;
	if (request->cache && access->replayer->caches[request->cache])
		*offset = access->offsets[request->cache];
	else if (request->size <= KM_KMALLOC_MAX_CACHE && request->size)
		*offset = access->kmalloc_offsets[km_kmalloc_class(request->size)];
	else
		return false;
	return true;
}

/* What the allocator does with its own records, and the object's two ends: A0. */
static void touch_call(struct km_access *access, size_t index, uint64_t addr, bool frees)
{
	const struct km_op *op = &access->replayer->program->ops[index];
	const struct km_request *request = request_of(access, op);
	uint64_t pages = (request->size + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;
	uint32_t offset;

	if (km_is_vmalloc_addr(addr)) {
		touch_area_frames(access, op->cpu, addr, pages, index);
	} else if (slab_offset(access, request, &offset)) {
		touch(access, op->cpu, EACH, addr + offset, index);
		if (frees)
			touch_frames(access, op->cpu, km_addr_to_pfn(addr).value, 1, index);
	} else if (access->has_slabs) {
		touch_frames(access, op->cpu, km_addr_to_pfn(addr).value, pages, index);
	}
	touch(access, op->cpu, EACH, addr, index);
	if (request->size > LINE)
		touch(access, op->cpu, EACH, addr + request->size - 1, index);
}

/* Every line once, and once more where the allocator zeroes it: A1. */
static void touch_whole(struct km_access *access, size_t index, uint64_t addr)
{
	const struct km_op *op = &access->replayer->program->ops[index];
	const struct km_request *request = request_of(access, op);
	unsigned times = request->gfp & KM_GFP_ZERO ? 2 : 1;

	for (unsigned i = 0; i < times; i++)
		for (uint64_t at = 0; at < request->size; at += LINE)
			touch(access, op->cpu, ONLY_A1, addr + at, index);
}

/* ---- touches between operations ---- */

static double next_uniform(struct km_access *access)
{
	access->random = access->random * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(access->random >> 11) * 0x1p-53;
}

/* A rank of n from 0 on: the inverse of the integral of 1 / x^skew from 1 to n + 1. */
static uint32_t next_rank(struct km_access *access, uint32_t n)
{
	double skew = access->spec->skew, from = next_uniform(access), to = n + 1.0, rank;

	if (skew < 1 || skew > 1)
		rank = pow(from * (pow(to, 1 - skew) - 1) + 1, 1 / (1 - skew)) - 1;
	else
		rank = exp(from * log(to)) - 1;
	return rank < n ? (uint32_t)rank : n - 1;
}

/* The access models of which the i-th touch after an allocation is one. */
static unsigned bands_of(const struct km_access_spec *spec, uint32_t i)
{
	unsigned mask = 0;

	for (unsigned band = 0; band < KM_ACCESS_BANDS; band++)
		mask |= i < spec->lambda[band] ? 4u << band : 0;
	return mask;
}

/* Any line of live objects: A2. */
static void touch_again(struct km_access *access, unsigned cpu)
{
	const struct km_access_spec *spec = access->spec;

	for (uint32_t i = 0; i < spec->lambda[KM_ACCESS_BANDS - 1] && access->nr_live; i++) {
		uint32_t slot = access->live[next_rank(access, access->nr_live)];
		uint32_t lines = (access->size[slot] + LINE - 1) / LINE;
		uint64_t line = (uint64_t)(next_uniform(access) * lines);

		touch(access, cpu, bands_of(spec, i), access->replayer->addr[slot] + line * LINE,
		      SIZE_MAX);
	}
}

/* ---- operations ---- */

static void now_live(struct km_access *access, const struct km_op *op)
{
	access->live[access->nr_live++] = op->slot;
	access->place[op->slot] = access->nr_live;
	access->size[op->slot] = request_of(access, op)->size;
}

static void no_longer_live(struct km_access *access, uint32_t slot)
{
	uint32_t at = access->place[slot], last = access->live[--access->nr_live];

	access->live[at - 1] = last;
	access->place[last] = at;
	access->place[slot] = 0;
}

void km_access_call(const struct km_access *access, size_t index)
{
	struct km_replayer *replayer = access->replayer;
	const struct km_op *op = &replayer->program->ops[index];
	const struct km_request *request = request_of(access, op);
	uint64_t *addr = &replayer->addr[op->slot];

	if (replayer->program->site[index] != access->site_to_vmalloc || !request->size ||
	    request->kind != KM_OP_OBJECT_ALLOC)
		km_replay_op(replayer, op);
	else if (!op->is_free)
		*addr = km_vmalloc(replayer->machine, op->cpu, request->size, 0, request->gfp, 0);
	else if (*addr)
		km_vfree(replayer->machine, op->cpu, *addr);
}

static bool begin_object(struct km_access *access, size_t index)
{
	const struct km_op *op = &access->replayer->program->ops[index];
	uint64_t addr;

	km_access_call(access, index);
	addr = access->replayer->addr[op->slot];
	if (addr < KM_PAGE_SIZE || !request_of(access, op)->size)
		return false;
	touch_call(access, index, addr, false);
	touch_whole(access, index, addr);
	now_live(access, op);
	touch_again(access, op->cpu);
	return true;
}

static void end_object(struct km_access *access, size_t index)
{
	const struct km_op *op = &access->replayer->program->ops[index];

	if (access->place[op->slot]) {
		no_longer_live(access, op->slot);
		touch_call(access, index, access->replayer->addr[op->slot], true);
	}
	km_access_call(access, index);
}

bool km_access_step(struct km_access *access, size_t index)
{
	struct km_replayer *replayer = access->replayer;
	const struct km_op *op = &replayer->program->ops[index];
	enum km_op_kind kind = km_op_kind(replayer->program, op);

	replayer->env.time_ns = op->time_ns;
	if (kind == KM_OP_OBJECT_ALLOC)
		return begin_object(access, index);
	if (kind == KM_OP_OBJECT_FREE)
		end_object(access, index);
	else
		km_replay_op(replayer, op);
	return false;
}

/* ---- beginning and end ---- */

static uint32_t offset_of(const struct km_machine *machine, void *cache)
{
	struct km_cache_info info;

	return machine->model->slab->cache_info(machine->slab, cache, &info) ? 0 : info.offset;
}

int km_access_begin(struct km_access *access, uint64_t seed)
{
	struct km_replayer *replayer = access->replayer;
	struct km_machine *machine = replayer->machine;
	size_t slots = replayer->program->nr_slots + 1;
	struct km_cache_info info;

	access->random = seed;
	access->live = calloc(slots, sizeof(*access->live));
	access->place = calloc(slots, sizeof(*access->place));
	access->size = calloc(slots, sizeof(*access->size));
	access->offsets = calloc(replayer->nr_caches + 1, sizeof(*access->offsets));
	access->frames = km_frames_follow(machine);
	if (!access->live || !access->place || !access->size || !access->offsets || !access->frames)
		return -ENOMEM;
	access->has_slabs = !machine->model->slab->cache_info(
		machine->slab, machine->kmalloc_caches[KM_KMALLOC_NORMAL][3], &info);
	for (uint32_t i = 1; i < replayer->nr_caches; i++)
		if (replayer->caches[i])
			access->offsets[i] = offset_of(machine, replayer->caches[i]);
	for (unsigned i = 1; i < KM_KMALLOC_CLASSES; i++)
		access->kmalloc_offsets[i] =
			offset_of(machine, machine->kmalloc_caches[KM_KMALLOC_NORMAL][i]);
	return 0;
}

void km_access_end(struct km_access *access)
{
	km_frames_release(access->frames);
	free(access->live);
	free(access->place);
	free(access->size);
	free(access->offsets);
}
