/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chunk -> events (layout: codec_format.h). Every byte is doubted: sizes are checked before
 * anything is allocated or read by them, sums of widths before the loop that relies on them, so
 * that the loops themselves need no bounds checks.
 */
#include "codec_format.h"
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

struct km_decoder {
	ZSTD_DCtx *zstd;
	struct km_chunk_header header;
	uint8_t *raw[KM_NR_STREAMS]; /* as decompressed */
	size_t capacity[KM_NR_STREAMS];
	struct km_event *shape;
	uint64_t *shape_ptr;
	struct actor {
		uint32_t task;
		uint8_t context;
	} * actor;
	uint64_t *ptr;
	uint16_t *shape_of, *actor_of;
	uint32_t max_events;
};

struct km_decoder *km_decoder_new(void)
{
	struct km_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return NULL;
	decoder->zstd = ZSTD_createDCtx();
	if (!decoder->zstd) {
		free(decoder);
		return NULL;
	}
	return decoder;
}

static void decoder_release(struct km_decoder *decoder)
{
	free(decoder->shape);
	free(decoder->shape_ptr);
	free(decoder->actor);
	free(decoder->ptr);
	free(decoder->shape_of);
	free(decoder->actor_of);
	decoder->max_events = 0;
}

void km_decoder_delete(struct km_decoder *decoder)
{
	if (!decoder)
		return;
	for (int s = 0; s < KM_NR_STREAMS; s++)
		free(decoder->raw[s]);
	decoder_release(decoder);
	ZSTD_freeDCtx(decoder->zstd);
	free(decoder);
}

/* Tables for n events; n is checked. */
static int decoder_reserve(struct km_decoder *decoder, uint32_t n)
{
	if (n <= decoder->max_events)
		return 0;
	decoder_release(decoder);
	decoder->shape = calloc(n, sizeof(*decoder->shape));
	decoder->shape_ptr = calloc(n, sizeof(*decoder->shape_ptr));
	decoder->actor = calloc(n, sizeof(*decoder->actor));
	decoder->ptr = calloc(n, sizeof(*decoder->ptr));
	decoder->shape_of = calloc(n, sizeof(*decoder->shape_of));
	decoder->actor_of = calloc(n, sizeof(*decoder->actor_of));
	if (!decoder->shape || !decoder->shape_ptr || !decoder->actor || !decoder->ptr ||
	    !decoder->shape_of || !decoder->actor_of)
		return -ENOMEM; /* what there is goes with the next call or the decoder */
	decoder->max_events = n;
	return 0;
}

static int check_header(const struct km_chunk_header *header, const struct km_chunk *chunk,
			size_t size)
{
	uint64_t n = header->events, total = sizeof(*header);

	if (!n || n > KM_CHUNK_EVENTS || n != chunk->events || header->cpu != chunk->cpu ||
	    header->first_seq != chunk->first_seq)
		return -EPROTO;
	if (!header->shapes || header->shapes > n || !header->actors || header->actors > n)
		return -EPROTO;
	for (int s = 0; s < KM_NR_STREAMS; s++) {
		if (header->stream[s].raw > km_stream_bound(s, n) ||
		    header->stream[s].stored > header->stream[s].raw)
			return -EPROTO;
		total += header->stream[s].stored;
	}
	if (total != size || header->stream[KM_STREAM_TIME_WIDTH].raw != (n + 3) / 4 ||
	    header->stream[KM_STREAM_TIME_LOW].raw != n ||
	    header->stream[KM_STREAM_PTR_CODE].raw != (n + 1) / 2 ||
	    header->stream[KM_STREAM_SHAPE].raw != n * (header->shapes > 256 ? 2 : 1) ||
	    header->stream[KM_STREAM_ACTOR].raw != n * (header->actors > 256 ? 2 : 1))
		return -EPROTO;
	return 0;
}

/* Decompress all streams, each with slack behind it. */
static int read_streams(struct km_decoder *decoder, const uint8_t *from)
{
	for (int s = 0; s < KM_NR_STREAMS; s++) {
		size_t raw = decoder->header.stream[s].raw;
		size_t stored = decoder->header.stream[s].stored;

		if (decoder->capacity[s] < raw + KM_STREAM_SLACK) {
			free(decoder->raw[s]);
			decoder->capacity[s] = 0;
			decoder->raw[s] = malloc(raw + KM_STREAM_SLACK);
			if (!decoder->raw[s])
				return -ENOMEM;
			decoder->capacity[s] = raw + KM_STREAM_SLACK;
		}
		if (stored == raw)
			memcpy(decoder->raw[s], from, raw);
		else if (ZSTD_decompressDCtx(decoder->zstd, decoder->raw[s], raw, from, stored) !=
			 raw)
			return -EPROTO;
		memset(decoder->raw[s] + raw, 0, KM_STREAM_SLACK);
		from += stored;
	}
	return 0;
}

static int get_varint(const uint8_t **from, const uint8_t *end, uint64_t maximum, uint64_t *value)
{
	uint64_t sum = 0;

	for (unsigned shift = 0; shift < 64 && *from < end; shift += 7) {
		uint64_t byte = *(*from)++;

		if (shift == 63 && byte > 1)
			return -EPROTO;
		sum |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = sum;
			return sum <= maximum ? 0 : -EPROTO;
		}
	}
	return -EPROTO;
}

static int read_shapes(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		       const struct km_chunk *chunk)
{
	const uint8_t *from = decoder->raw[KM_STREAM_SHAPES];
	const uint8_t *end = from + decoder->header.stream[KM_STREAM_SHAPES].raw;
	uint32_t n = decoder->header.shapes, kinds = 0;
	uint64_t value = 0;

	memset(decoder->shape, 0, n * sizeof(*decoder->shape));
	memset(decoder->shape_ptr, 0, n * sizeof(*decoder->shape_ptr));
#define X(field, maximum)                                                                          \
	for (uint32_t i = 0; i < n; i++) {                                                         \
		if (get_varint(&from, end, maximum, &value))                                       \
			return -EPROTO;                                                            \
		decoder->shape[i].field = (__typeof__(decoder->shape[i].field))value;              \
	}
	KM_SHAPE_FIELDS(X)
#undef X
	for (uint32_t i = 0; i < n; i++) {
		struct km_event *shape = &decoder->shape[i];

		if (get_varint(&from, end, UINT16_MAX, &value) || shape->site >= limits->sites ||
		    shape->cache >= limits->caches)
			return -EPROTO;
		shape->node = (int16_t)(uint16_t)(value - 1);
		shape->cpu = chunk->cpu;
		kinds |= 1u << shape->kind;
	}
	return from == end && kinds == chunk->kinds ? 0 : -EPROTO;
}

static int read_actors(struct km_decoder *decoder, const struct km_chunk_limits *limits)
{
	const uint8_t *from = decoder->raw[KM_STREAM_ACTORS];
	const uint8_t *end = from + decoder->header.stream[KM_STREAM_ACTORS].raw;
	uint64_t value = 0;

	for (uint32_t i = 0; i < decoder->header.actors; i++) {
		if (get_varint(&from, end, UINT32_MAX, &value) || value >= limits->tasks)
			return -EPROTO;
		decoder->actor[i].task = (uint32_t)value;
	}
	for (uint32_t i = 0; i < decoder->header.actors; i++) {
		if (get_varint(&from, end, KM_CTX_UNKNOWN, &value))
			return -EPROTO;
		decoder->actor[i].context = (uint8_t)value;
	}
	return from == end ? 0 : -EPROTO;
}

static int read_ids(const uint8_t *raw, uint16_t *ids, uint32_t n, uint32_t distinct)
{
	uint32_t most = 0;

	if (distinct > 256)
		memcpy(ids, raw, (size_t)n * 2);
	else
		for (uint32_t i = 0; i < n; i++)
			ids[i] = raw[i];
	for (uint32_t i = 0; i < n; i++)
		most = ids[i] > most ? ids[i] : most;
	return most < distinct ? 0 : -EPROTO;
}

/* The high bytes are as many as the widths say; unused bits of the last width byte are 0. */
static int check_times(const struct km_decoder *decoder, uint32_t n)
{
	const uint8_t *width = decoder->raw[KM_STREAM_TIME_WIDTH];
	size_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += km_time_high[width[i >> 2] >> (i & 3) * 2 & 3];
	if ((n & 3) && width[n >> 2] >> (n & 3) * 2)
		return -EPROTO;
	return total == decoder->header.stream[KM_STREAM_TIME_HIGH].raw ? 0 : -EPROTO;
}

static int check_ptrs(const struct km_decoder *decoder, uint32_t n)
{
	const uint8_t *code = decoder->raw[KM_STREAM_PTR_CODE];
	size_t total = 0;
	bool bad = false;

	for (uint32_t i = 0; i < n; i++) {
		unsigned c = code[i >> 1] >> (i & 1) * 4 & 15;

		bad |= c >= KM_NR_PTR_CODES;
		total += km_ptr_width[c];
	}
	if (bad || ((n & 1) && code[n >> 1] >> 4))
		return -EPROTO;
	return total == decoder->header.stream[KM_STREAM_PTR].raw ? 0 : -EPROTO;
}

/* Checked: check_ptrs(). Only "seen" distances are left to check. */
static int read_ptrs(struct km_decoder *decoder, uint32_t n)
{
	static const uint64_t masks[9] = {0, 0xff, 0xffff, 0xffffff,  0xffffffff,
					  0, 0,    0,      UINT64_MAX};
	const uint8_t *code = decoder->raw[KM_STREAM_PTR_CODE];
	const uint8_t *from = decoder->raw[KM_STREAM_PTR];
	uint64_t group_ptr[KM_NR_GROUPS] = {0};
	bool bad = false;

	for (uint32_t i = 0; i < n; i++) {
		unsigned shape = decoder->shape_of[i], c = code[i >> 1] >> (i & 1) * 4 & 15;
		uint64_t *near = &decoder->shape_ptr[shape];
		uint64_t *group = &group_ptr[km_event_group_of(decoder->shape[shape].kind)];
		uint64_t value = km_load64(from) & masks[km_ptr_width[c]], ptr;

		from += km_ptr_width[c];
		if (c < KM_PTR_EIGHTS) {
			bad |= value >= i;
			ptr = decoder->ptr[value < i ? i - 1 - value : 0];
		} else {
			unsigned shift = c < KM_PTR_ONES ? 3 : 0;

			ptr = (*near ? *near : *group) + (km_unzigzag(value) << shift);
		}
		decoder->ptr[i] = *near = *group = ptr;
	}
	return bad ? -EPROTO : 0;
}

/* Put the columns together; checked: check_times(), all ids. */
static int assemble(struct km_decoder *decoder, const struct km_chunk *chunk,
		    struct km_event *events)
{
	static const uint64_t masks[4] = {0, 0xff, 0xffff, 0xffffffffffffff};
	const uint8_t *width = decoder->raw[KM_STREAM_TIME_WIDTH];
	const uint8_t *low = decoder->raw[KM_STREAM_TIME_LOW];
	const uint8_t *high = decoder->raw[KM_STREAM_TIME_HIGH];
	uint64_t time = 0, last = 0, t_min = UINT64_MAX, t_max = 0;
	bool sorted = true;

	for (uint32_t i = 0; i < chunk->events; i++) {
		const struct actor *actor = &decoder->actor[decoder->actor_of[i]];
		struct km_event *event = &events[i];
		unsigned w = width[i >> 2] >> (i & 3) * 2 & 3;

		time += km_unzigzag(low[i] | (km_load64(high) & masks[w]) << 8);
		high += km_time_high[w];
		sorted &= time >= last;
		last = time;
		t_min = time < t_min ? time : t_min;
		t_max = time > t_max ? time : t_max;
		*event = decoder->shape[decoder->shape_of[i]];
		event->time_ns = time;
		event->ptr = decoder->ptr[i];
		event->task = actor->task;
		event->context = actor->context;
		event->seq = chunk->first_seq + i;
	}
	return t_min == chunk->t_min && t_max == chunk->t_max && sorted == chunk->sorted ? 0
											 : -EPROTO;
}

int km_chunk_decode(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    struct km_event *events)
{
	uint32_t n = chunk->events;
	int code;

	if (XXH64(bytes, size, 0) != chunk->xxh64)
		return -EBADMSG;
	if (size < sizeof(decoder->header))
		return -EPROTO;
	memcpy(&decoder->header, bytes, sizeof(decoder->header));
	if ((code = check_header(&decoder->header, chunk, size)) ||
	    (code = decoder_reserve(decoder, n)) ||
	    (code = read_streams(decoder, (const uint8_t *)bytes + sizeof(decoder->header))) ||
	    (code = read_shapes(decoder, limits, chunk)) || (code = read_actors(decoder, limits)) ||
	    (code = read_ids(decoder->raw[KM_STREAM_SHAPE], decoder->shape_of, n,
			     decoder->header.shapes)) ||
	    (code = read_ids(decoder->raw[KM_STREAM_ACTOR], decoder->actor_of, n,
			     decoder->header.actors)) ||
	    (code = check_times(decoder, n)) || (code = check_ptrs(decoder, n)) ||
	    (code = read_ptrs(decoder, n)))
		return code;
	return assemble(decoder, chunk, events);
}
