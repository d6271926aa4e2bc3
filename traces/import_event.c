/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of a text trace -> events of ours: dictionaries, stacks, losses, time. */
#include "importer.h"
#include "site_stand_in.h"
#include <errno.h>
#include <kmlab/profile.h>
#include <stdlib.h>
#include <string.h>

int km_import_bad(const struct km_importer *importer, struct km_err *err, const char *why)
{
	return km_fail(err, -EPROTO, "%s: line %llu: %s", importer->name,
		       (unsigned long long)importer->line, why);
}

/* ---- time ---- */

/*
 * Traces of microseconds hold many events in one; their lines are in the order in which they
 * happened, and keep it.
 */
uint64_t km_import_time(struct km_importer *importer, uint64_t time_ns, uint32_t unit_ns)
{
	if (!importer->begun) {
		importer->begun = true;
		importer->origin_ns = time_ns;
		importer->parsed_ns = UINT64_MAX;
	}
	if (time_ns < importer->origin_ns) {
		importer->report->unordered++;
		time_ns = importer->origin_ns;
	}
	time_ns -= importer->origin_ns;
	if (time_ns == importer->parsed_ns) {
		if (importer->given_ns + 1 < time_ns + unit_ns)
			importer->given_ns++;
	} else {
		importer->parsed_ns = importer->given_ns = time_ns;
	}
	if (importer->given_ns > importer->report->duration_ns)
		importer->report->duration_ns = importer->given_ns;
	return importer->given_ns;
}

/* ---- dictionaries ---- */

uint32_t km_import_task(struct km_importer *importer, uint32_t tid, uint32_t tgid,
			struct km_text comm)
{
	struct km_trace_task task = {.tid = tid, .tgid = tgid};
	char key[sizeof(tid) + sizeof(task.comm)] = {0};
	uint64_t *id;

	memcpy(task.comm, comm.at, comm.n < sizeof(task.comm) ? comm.n : sizeof(task.comm));
	memcpy(key, &tid, sizeof(tid));
	memcpy(key + sizeof(tid), task.comm, sizeof(task.comm));
	id = km_intern(&importer->tasks, key, sizeof(key));
	if (!id)
		return 0;
	if (!*id && !km_trace_define_task(importer->writer, &task, NULL))
		*id = task.id;
	return (uint32_t)*id;
}

/* Kernels before 6.16 do not name the caches they take from: one of those sizes stands for them. */
static int find_cache(struct km_importer *importer, const struct km_fields *fields,
		      struct km_event *event, struct km_err *err)
{
	struct km_trace_cache cache = {0};
	bool taken = event->kind == KM_EV_CACHE_ALLOC;
	uint64_t *known;
	int code = 0;

	if (event->kind != KM_EV_CACHE_ALLOC && event->kind != KM_EV_CACHE_FREE)
		return 0;
	if (fields->cache.n)
		snprintf(cache.name, sizeof(cache.name), "%.*s", (int)fields->cache.n,
			 fields->cache.at);
	else if (taken)
		snprintf(cache.name, sizeof(cache.name), "size-%llu-of-%llu",
			 (unsigned long long)event->bytes_req,
			 (unsigned long long)event->bytes_alloc);
	else
		return 0;
	known = km_intern(&importer->caches, cache.name, strlen(cache.name));
	if (!known)
		return -ENOMEM;
	/* id << 1 | the sizes are known */
	if (!*known || (taken && !(*known & 1))) {
		cache.id = (uint32_t)(*known >> 1);
		if (taken) {
			cache.object_size = (uint32_t)event->bytes_req;
			cache.size = (uint32_t)event->bytes_alloc;
		}
		code = km_trace_define_cache(importer->writer, &cache, err);
		if (code)
			return code;
		*known = (uint64_t)cache.id << 1 | taken;
	}
	event->cache = (uint16_t)(*known >> 1);
	return 0;
}

/* A call site, known by its address, or by its symbol alone: then an address stands for it. */
static uint32_t find_site(struct km_importer *importer, const struct km_fields *fields,
			  uint64_t address)
{
	struct km_trace_site site = {.offset = fields->site_offset};
	char key[sizeof(site.symbol) + sizeof(site.module)];
	uint32_t before, after;
	uint64_t *number;
	int n;

	snprintf(site.symbol, sizeof(site.symbol), "%.*s", (int)fields->symbol.n,
		 fields->symbol.n ? fields->symbol.at : "");
	snprintf(site.module, sizeof(site.module), "%.*s", (int)fields->module.n,
		 fields->module.n ? fields->module.at : "");
	if (!address) {
		if (!*site.symbol)
			return 0;
		n = snprintf(key, sizeof(key), "%s %s", site.symbol, site.module);
		number = km_intern(&importer->symbols, key,
				   (size_t)n < sizeof(key) ? (size_t)n : sizeof(key) - 1);
		if (!number)
			return 0;
		if (!*number)
			*number = importer->symbols.count;
		address = km_site_stand_in(*number, site.offset);
	}
	site.address = address;
	km_trace_sites(importer->writer, &before);
	site.id = km_trace_site_id(importer->writer, address);
	km_trace_sites(importer->writer, &after);
	if (after != before && *site.symbol)
		km_trace_define_site(importer->writer, &site,
				     NULL); /* the next append reports it */
	return site.id;
}

/* ---- events ---- */

int km_import_tick(struct km_importer *importer, uint32_t cpu, uint64_t time_ns, struct km_err *err)
{
	struct km_import_cpu *here = &importer->cpus[cpu];
	struct km_trace_gap gap = {.cpu = (uint16_t)cpu,
				   .cause = KM_LOSS_RING_FULL,
				   .after_ns = here->last_ns,
				   .before_ns = time_ns,
				   .events = here->lost};
	int code = 0;

	if (cpu >= importer->nr_cpus)
		importer->nr_cpus = cpu + 1;
	if (here->lost) {
		if (gap.after_ns > gap.before_ns)
			gap.after_ns = gap.before_ns;
		code = km_trace_add_gap(importer->writer, &gap, err);
		importer->counts.lost[KM_LOSS_RING_FULL] += here->lost;
		here->lost = 0;
	}
	here->last_ns = time_ns;
	here->seen = true;
	return code;
}

int km_import_append(struct km_importer *importer, uint32_t cpu, const struct km_event *event,
		     struct km_err *err)
{
	if (event->kind == KM_EV_KFREE && event->ptr <= 16) {
		importer->report->null_frees++;
		importer->counts.filtered_null++;
		importer->counts.fired[KM_EV_KFREE]++;
		return 0;
	}
	importer->report->recorded++;
	importer->counts.recorded[event->kind]++;
	importer->counts.fired[event->kind]++;
	km_map_vote(importer, cpu, event);
	return km_trace_append(importer->writer, cpu, event, 1, err);
}

int km_import_settle(struct km_importer *importer, struct km_err *err)
{
	struct km_event *event = &importer->event;
	int code;

	if (!importer->waiting)
		return 0;
	importer->waiting = false;
	if (!importer->site_found)
		event->site = find_site(importer, &importer->fields, importer->fields.site_address);
	event->stack = km_trace_stack_id(importer->writer, importer->frames, importer->nr_frames);
	code = find_cache(importer, &importer->fields, event, err);
	return code ? code : km_import_append(importer, importer->waiting_cpu, event, err);
}

/* User space's frames are left out; the frame the event was called from has its true address. */
static void take_frame(struct km_importer *importer, const struct km_line *line)
{
	const struct km_fields *event = &importer->fields;
	struct km_fields frame = {.why = NULL};
	uint32_t site;

	if (!importer->waiting || line->address < 1ull << 63 ||
	    importer->nr_frames == KM_IMPORT_STACK_FRAMES)
		return;
	importer->frames[importer->nr_frames++] = line->address;
	km_fields_site(line->symbol, &frame);
	site = find_site(importer, &frame, line->address);
	if (!importer->site_found && event->symbol.n && frame.symbol.n == event->symbol.n &&
	    frame.site_offset == event->site_offset &&
	    !memcmp(frame.symbol.at, event->symbol.at, frame.symbol.n)) {
		importer->site_found = true;
		importer->event.site = site;
	}
}

static void first_of(char *to, size_t size, struct km_text text)
{
	if (!*to)
		snprintf(to, size, "%.*s", (int)text.n, text.at);
}

/* Move what the fields refer to out of the line, which is gone when the event is complete. */
static void keep_texts(struct km_importer *importer)
{
	struct km_text *texts[] = {&importer->fields.symbol, &importer->fields.module,
				   &importer->fields.cache};
	size_t used = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		size_t n = texts[i]->n, room = sizeof(importer->text) / 3;

		if (n > room)
			n = room;
		if (n)
			memcpy(importer->text + used, texts[i]->at, n);
		*texts[i] = (struct km_text){importer->text + used, n};
		used += n;
	}
}

static int take_event(struct km_importer *importer, const struct km_line *line, struct km_err *err)
{
	struct km_import_report *report = importer->report;
	/* Only an allocation's flags need the kernel; which is checked below. */
	const struct km_profile *profile =
		importer->profile ? importer->profile : km_profile_for_release("6.1");
	enum km_fields_result result =
		km_fields_parse(line->event, line->fields, profile, &importer->fields);
	uint64_t time_ns = km_import_time(importer, line->time_ns, line->unit_ns);
	int code = km_import_tick(importer, line->cpu, time_ns, err);

	if (code)
		return code;
	switch (result) {
	case KM_FIELDS_OTHER:
		report->other++;
		return 0;
	case KM_FIELDS_UNKNOWN:
		report->unknown++;
		first_of(report->first_unknown, sizeof(report->first_unknown), line->event);
		return 0;
	case KM_FIELDS_HASHED:
		return km_fail(
			err, -ENOTSUP,
			"%s: line %llu: its addresses are hashed, so that frees cannot be told "
			"apart; record again after 'echo 0 > "
			"/sys/kernel/tracing/options/hash-ptr' (Linux 5.12 on), or with "
			"trace-cmd or perf",
			importer->name, (unsigned long long)importer->line);
	case KM_FIELDS_BAD:
		return km_fail(err, -EPROTO, "%s: line %llu: %.*s cannot be read: %s",
			       importer->name, (unsigned long long)importer->line,
			       (int)line->event.n, line->event.at, importer->fields.why);
	case KM_FIELDS_EVENT:
		break;
	}
	if (!importer->profile)
		return km_fail(
			err, -ENOTSUP,
			"%s does not say which kernel wrote it; name its release, as 'uname -r' "
			"there prints it, with --kernel",
			importer->name);
	if (importer->fields.unknown_flag.n) {
		report->unknown_flags++;
		first_of(report->first_flag, sizeof(report->first_flag),
			 importer->fields.unknown_flag);
	}
	importer->event = importer->fields.event;
	importer->event.time_ns = time_ns;
	importer->event.context = line->context;
	importer->event.task = km_import_task(importer, line->tid, line->tgid, line->comm);
	importer->waiting = true;
	importer->waiting_cpu = line->cpu;
	importer->nr_frames = 0;
	importer->site_found = false;
	keep_texts(importer);
	return 0;
}

int km_import_line(struct km_importer *importer, const struct km_line *line, struct km_err *err)
{
	int code;

	switch (line->kind) {
	case KM_LINE_NOTE:
		return 0;
	case KM_LINE_BAD:
		return km_import_bad(importer, err, line->why);
	case KM_LINE_FRAME:
		take_frame(importer, line);
		return 0;
	default:
		break;
	}
	if (line->cpu >= KM_MAX_CPUS)
		return km_import_bad(importer, err, "there is no such CPU");
	code = km_import_settle(importer, err);
	if (code)
		return code;
	if (line->kind == KM_LINE_EVENT)
		return take_event(importer, line, err);
	if (line->lost > KM_IMPORT_LOST_MAX)
		return km_import_bad(importer, err, "so many events cannot be lost");
	importer->report->loss_known = true;
	importer->report->lost_marks += !line->lost;
	importer->cpus[line->cpu].lost += line->lost;
	importer->report->lost += line->lost;
	if (line->cpu >= importer->nr_cpus)
		importer->nr_cpus = line->cpu + 1;
	return 0;
}
