/* SPDX-License-Identifier: GPL-2.0-only */
#include "flight_save.h"

#include <errno.h>
#include <stdlib.h>

#include "tally.h"

/* Parts of the window that went into the trace. */
struct window {
	struct km_save *save;
	struct km_decoder *decoder;
	struct km_chunk_limits limits;
	struct km_event *events; /* KM_CHUNK_EVENTS */
	uint64_t recorded, lost[KM_NR_LOSS_CAUSES];
};

static int store_events(struct window *window, const struct km_kept *kept, struct km_err *err)
{
	const struct km_chunk_selection selection = {
		.from_ns = window->save->begin_ns, .to_ns = UINT64_MAX, .kinds = ~0u};
	uint32_t n = 0;
	int ret = km_chunk_select(window->decoder, kept->payload, kept->bytes - sizeof(*kept),
				  &window->limits, &kept->chunk, &selection, window->events, &n);
	if (ret)
		return km_fail(err, ret,
			       "the memory of the flight recorder is damaged (chunk of "
			       "CPU %u)",
			       kept->chunk.cpu);
	for (uint32_t i = 0; i < n; i++)
		window->events[i].time_ns -= window->save->begin_ns;
	window->recorded += n;
	return km_trace_append(window->save->file.writer, kept->chunk.cpu, window->events, n, err);
}

/* One that began before the window may have been in it as a whole. */
static int store_gap(struct window *window, const struct km_kept *kept, struct km_err *err)
{
	uint64_t begin_ns = window->save->begin_ns;
	struct km_trace_gap gap = kept->gap;

	if (gap.before_ns < begin_ns)
		return 0;
	gap.after_ns = gap.after_ns > begin_ns ? gap.after_ns - begin_ns : 0;
	gap.before_ns -= begin_ns;
	window->lost[gap.cause] += gap.events;
	return km_trace_add_gap(window->save->file.writer, &gap, err);
}

static int store_sample(struct window *window, const struct km_kept *kept, struct km_err *err)
{
	const struct km_save *save = window->save;

	if (kept->time_ns < save->begin_ns)
		return 0;
	return km_snapshot_store(&kept->snapshot, save->file.writer, "sample",
				 kept->time_ns - save->begin_ns, err);
}

static int store_machine(struct window *window, const struct km_kept *kept, struct km_err *err)
{
	const struct km_save *save = window->save;

	if (kept->time_ns != save->begin_ns)
		return 0;
	return km_snapshot_store(&kept->snapshot, save->file.writer, "start", 0, err);
}

static int store_all(struct window *window, struct km_err *err)
{
	static int (*const store[KM_NR_KEPT])(struct window *, const struct km_kept *,
					      struct km_err *) = {
		[KM_KEPT_EVENTS] = store_events,
		[KM_KEPT_GAP] = store_gap,
		[KM_KEPT_SAMPLE] = store_sample,
		[KM_KEPT_MACHINE] = store_machine,
	};
	int ret = 0;

	for (int kind = KM_NR_KEPT - 1; kind >= 0; kind--) {
		struct km_kept_range *kept = &window->save->kept[kind];

		for (; !ret && kept->first; km_kept_advance(kept))
			ret = store[kind](window, kept->first, err);
	}
	return ret;
}

/* What fired, and is not in the window, has aged: recorded or lost, before it. */
static void age(const struct window *window, struct km_trace_counts *counts)
{
	counts->filtered_aged = km_sum(counts->recorded, KM_NR_EVENT_KINDS) - window->recorded;
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++) {
		counts->filtered_aged += counts->lost[cause] - window->lost[cause];
		counts->lost[cause] = window->lost[cause];
	}
}

static int begin(struct km_save *save, struct km_err *err)
{
	char *path = km_numbered_path(save->options->output, save->number);
	int ret = 0;

	if (!path)
		return km_fail(err, -ENOMEM, "no memory to begin a trace");
	if (!save->ended)
		ret = km_snapshot_machine(&save->end.snapshot, err);
	if (!ret)
		ret = km_trace_file_open(&save->file, save->options, save->recorder, path, err);
	free(path);
	if (!ret)
		ret = km_trace_set_meta(save->file.writer, "flight", save->reason, err);
	if (!ret)
		ret = km_snapshot_started(save->file.writer, save->start_ns + save->begin_ns, err);
	if (!ret)
		ret = km_names_define(save->end.names, save->file.writer, err);
	return ret;
}

int km_save_run(void *context, struct km_err *err)
{
	struct km_save *save = context;
	struct window window = {.save = save,
				.decoder = km_decoder_new(),
				.limits = km_names_limits(save->end.names),
				.events = malloc(KM_CHUNK_EVENTS * sizeof(struct km_event))};
	int ret = window.decoder && window.events
			  ? begin(save, err)
			  : km_fail(err, -ENOMEM, "no memory to save a trace");

	if (!ret)
		ret = store_all(&window, err);
	free(window.events);
	km_decoder_delete(window.decoder);
	if (ret)
		return ret;
	save->end.duration_ns = save->end_ns - save->begin_ns;
	age(&window, &save->end.counts);
	return km_trace_file_finish(&save->file, &save->end, err);
}

void km_save_close(struct km_save *save)
{
	for (unsigned kind = 0; kind < KM_NR_KEPT; kind++)
		km_kept_release(&save->kept[kind]);
	km_trace_end_free(&save->end);
	km_trace_file_close(&save->file);
}
