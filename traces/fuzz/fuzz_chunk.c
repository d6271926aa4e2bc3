/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes the chunk decoder. The checksum is made right, or nothing behind it would be reached. */
#include "traces/codec_format.h"
#include "traces/fuzz/targets.h"
#include "traces/trace.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HEAD sizeof(struct km_fuzz_chunk)

struct work {
	struct km_decoder *decoder;
	struct km_encoder *encoder;
	struct km_event *first, *second;
	uint8_t caches[UINT16_MAX + 1];
};

/* Made once: the tables of an encoder are large. */
static struct work *work(void)
{
	static struct work work;

	if (!work.decoder) {
		work.decoder = km_decoder_new();
		work.encoder = km_encoder_new();
		work.first = calloc(KM_CHUNK_EVENTS, sizeof(*work.first));
		work.second = calloc(KM_CHUNK_EVENTS, sizeof(*work.second));
		for (uint32_t i = 0; i <= UINT16_MAX; i++)
			work.caches[i] = i % 3 == 0;
	}
	if (!work.decoder || !work.encoder || !work.first || !work.second)
		abort();
	return &work;
}

/* A chunk may name kinds in shapes that no event has; what it is encoded to again does not. */
static void check_round_trip(struct work *work, const struct km_chunk *chunk,
			     const struct km_chunk_limits *limits)
{
	struct km_chunk again = {
		.events = chunk->events, .cpu = chunk->cpu, .first_seq = chunk->first_seq};
	const void *bytes;
	size_t size;

	if (km_chunk_encode(work->encoder, work->first, limits, &again, &bytes, &size) ||
	    (again.kinds & ~chunk->kinds) || again.t_min != chunk->t_min ||
	    again.t_max != chunk->t_max || again.sorted != chunk->sorted ||
	    km_chunk_decode(work->decoder, bytes, size, limits, &again, work->second) ||
	    memcmp(work->first, work->second, chunk->events * sizeof(*work->first)))
		abort();
}

/* Without the row that describes it, the bytes say the same. */
static void check_examined(struct work *work, const uint8_t *bytes, size_t size,
			   const struct km_chunk_limits *limits, const struct km_chunk *chunk)
{
	struct km_chunk found = {.cpu = chunk->cpu};

	if (km_chunk_examine(work->decoder, bytes, size, limits, &found, work->second) ||
	    found.events != chunk->events || found.first_seq != chunk->first_seq ||
	    found.kinds != chunk->kinds || found.t_min != chunk->t_min ||
	    found.t_max != chunk->t_max || found.sorted != chunk->sorted ||
	    found.xxh64 != chunk->xxh64 ||
	    memcmp(work->first, work->second, chunk->events * sizeof(*work->first)))
		abort();
}

/* The event as a reader sees it who does not look at everything. */
static struct km_event without(struct km_event event, unsigned without_what)
{
	if (without_what & KM_WITHOUT_TIME)
		event.time_ns = 0;
	if (without_what & KM_WITHOUT_PTR)
		event.ptr = 0;
	if (without_what & KM_WITHOUT_ACTOR)
		event.task = event.context = 0;
	return event;
}

static void check_selected(struct work *work, const uint8_t *bytes, size_t size,
			   const struct km_chunk_limits *limits, const struct km_chunk *chunk,
			   const struct km_fuzz_chunk *head)
{
	struct km_chunk_selection selection = {
		.from_ns = chunk->t_min + (chunk->t_max - chunk->t_min) / 4,
		.to_ns = chunk->t_max - (chunk->t_max - chunk->t_min) / 4,
		.kinds = head->wanted[0] | (uint32_t)head->wanted[1] << 8 | 0x10000,
		.caches = head->without & 8 ? work->caches : NULL,
		.without = head->without & 7};
	uint32_t n = 0, expected = 0;

	if (km_chunk_select(work->decoder, bytes, size, limits, chunk, &selection, work->second,
			    &n))
		abort();
	for (uint32_t i = 0; i < chunk->events; i++) {
		const struct km_event *event = &work->first[i];
		struct km_event want = without(*event, selection.without);
		bool in_time =
			event->time_ns >= selection.from_ns && event->time_ns < selection.to_ns;

		if (!(selection.kinds >> event->kind & 1) ||
		    (selection.caches && !selection.caches[event->cache]) ||
		    !(in_time || (selection.without & KM_WITHOUT_TIME)))
			continue;
		if (expected == n || memcmp(&work->second[expected++], &want, sizeof(want)))
			abort();
	}
	if (expected != n)
		abort();
}

static void run_chunk(const uint8_t *data, size_t size)
{
	struct work *here = work();
	struct km_chunk_header header;
	struct km_chunk_limits limits;
	struct km_fuzz_chunk head;
	struct km_chunk chunk;

	if (size < HEAD + sizeof(header))
		return;
	memcpy(&head, data, HEAD);
	memcpy(&header, data + HEAD, sizeof(header));
	/* Larger ones take long and show nothing else. */
	if (!header.events || header.events > 4096)
		return;
	limits = (struct km_chunk_limits){.sites = head.sites,
					  .tasks = head.tasks,
					  .caches = head.caches,
					  .stacks = head.stacks};
	chunk = (struct km_chunk){.events = header.events,
				  .first_seq = header.first_seq,
				  .cpu = (uint16_t)header.cpu,
				  .sorted = head.sorted & 1,
				  .kinds = head.kinds,
				  .t_min = head.t_min,
				  .t_max = head.t_max,
				  .xxh64 = XXH64(data + HEAD, size - HEAD, 0)};
	if (km_chunk_decode(here->decoder, data + HEAD, size - HEAD, &limits, &chunk, here->first))
		return;
	check_examined(here, data + HEAD, size - HEAD, &limits, &chunk);
	check_selected(here, data + HEAD, size - HEAD, &limits, &chunk, &head);
	check_round_trip(here, &chunk, &limits);
}

/* One stream, or what lies before them; the sizes in the header stay right. */
static size_t mutate_chunk(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	return size < HEAD || seed % (KM_NR_STREAMS + 2) >= KM_NR_STREAMS
		       ? LLVMFuzzerMutate(data, size, room)
		       : HEAD + km_fuzz_mutate_stream(data + HEAD, size - HEAD, room - HEAD,
						      seed % (KM_NR_STREAMS + 2));
}

KM_FUZZ_TARGET(chunk, run_chunk, mutate_chunk)
