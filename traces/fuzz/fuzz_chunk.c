/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes the chunk decoder. The checksum is made right, or nothing behind it would be reached. */
#include "traces/codec_format.h"
#include "traces/fuzz/targets.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* From libFuzzer; absent where the corpus is only replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) __attribute__((weak));

#define HEAD sizeof(struct km_fuzz_chunk)

struct work {
	struct km_decoder *decoder;
	struct km_encoder *encoder;
	struct km_event *first, *second;
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

void km_fuzz_chunk(const uint8_t *data, size_t size)
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
	if (!km_chunk_decode(here->decoder, data + HEAD, size - HEAD, &limits, &chunk, here->first))
		check_round_trip(here, &chunk, &limits);
}

/* Change one stream, or what lies before them, and keep the sizes in the header right. */
size_t km_fuzz_chunk_mutate(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	struct km_chunk_header *header = (struct km_chunk_header *)(void *)(data + HEAD);
	size_t at = HEAD + sizeof(*header), length, changed;
	unsigned s = seed % (KM_NR_STREAMS + 2);
	uint8_t *copy;

	if (size < at || s >= KM_NR_STREAMS)
		return LLVMFuzzerMutate(data, size, room);
	for (unsigned i = 0; i < s && at < size; i++)
		at += header->stream[i].stored;
	length = header->stream[s].stored;
	if (at > size || length > size - at || room == size)
		return LLVMFuzzerMutate(data, size, room);
	copy = malloc(length + (room - size));
	if (!copy)
		return size;
	memcpy(copy, data + at, length);
	changed = LLVMFuzzerMutate(copy, length, length + (room - size));
	memmove(data + at + changed, data + at + length, size - at - length);
	memcpy(data + at, copy, changed);
	free(copy);
	if (header->stream[s].raw == header->stream[s].stored)
		header->stream[s].raw = (uint32_t)changed;
	header->stream[s].stored = (uint32_t)changed;
	return size - length + changed;
}
