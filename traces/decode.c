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
	const uint8_t *stored[KM_NR_STREAMS]; /* in the chunk */
	uint8_t *raw[KM_NR_STREAMS];          /* as decompressed */
	size_t capacity[KM_NR_STREAMS];
	struct km_event *shape;
	uint64_t *shape_ptr;
	struct actor {
		uint32_t task;
		uint8_t context;
	} * actor;
	uint64_t *ptr;
	uint16_t *shape_of, *actor_of;
	uint8_t *wanted; /* by shape */
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
	free(decoder->wanted);
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
	decoder->wanted = calloc(n, sizeof(*decoder->wanted));
	if (!decoder->shape || !decoder->shape_ptr || !decoder->actor || !decoder->ptr ||
	    !decoder->shape_of || !decoder->actor_of || !decoder->wanted)
		return -ENOMEM; /* what there is goes with the next call or the decoder */
	decoder->max_events = n;
	return 0;
}

/* Of at most `room` events. */
static int check_header(const struct km_chunk_header *header, uint32_t room, size_t size)
{
	uint64_t n = header->events, total = sizeof(*header);

	if (!n || n > room || header->cpu > UINT16_MAX)
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

/* Decompress a stream, with slack behind it. */
static int read_stream(struct km_decoder *decoder, enum km_stream s)
{
	size_t raw = decoder->header.stream[s].raw, stored = decoder->header.stream[s].stored;

	if (decoder->capacity[s] < raw + KM_STREAM_SLACK) {
		free(decoder->raw[s]);
		decoder->capacity[s] = 0;
		decoder->raw[s] = malloc(raw + KM_STREAM_SLACK);
		if (!decoder->raw[s])
			return -ENOMEM;
		decoder->capacity[s] = raw + KM_STREAM_SLACK;
	}
	if (stored == raw)
		memcpy(decoder->raw[s], decoder->stored[s], raw);
	else if (ZSTD_decompressDCtx(decoder->zstd, decoder->raw[s], raw, decoder->stored[s],
				     stored) != raw)
		return -EPROTO;
	memset(decoder->raw[s] + raw, 0, KM_STREAM_SLACK);
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
		       struct km_chunk *found)
{
	const uint8_t *from = decoder->raw[KM_STREAM_SHAPES];
	const uint8_t *end = from + decoder->header.stream[KM_STREAM_SHAPES].raw;
	uint32_t n = decoder->header.shapes;
	uint64_t value = 0;

	found->kinds = 0;
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
		    shape->cache >= limits->caches || shape->stack >= limits->stacks)
			return -EPROTO;
		shape->node = (int16_t)(uint16_t)(value - 1);
		shape->cpu = found->cpu;
		found->kinds |= 1u << shape->kind;
	}
	return from == end ? 0 : -EPROTO;
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

/* ---- columns: their streams, checked ---- */

static int load_shapes(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		       struct km_chunk *found)
{
	int code = read_stream(decoder, KM_STREAM_SHAPES);

	return code ? code : read_shapes(decoder, limits, found);
}

static int load_shape_ids(struct km_decoder *decoder, uint32_t n)
{
	int code = read_stream(decoder, KM_STREAM_SHAPE);

	return code ? code
		    : read_ids(decoder->raw[KM_STREAM_SHAPE], decoder->shape_of, n,
			       decoder->header.shapes);
}

static int load_actors(struct km_decoder *decoder, const struct km_chunk_limits *limits, uint32_t n)
{
	int code;

	if ((code = read_stream(decoder, KM_STREAM_ACTORS)) ||
	    (code = read_actors(decoder, limits)) || (code = read_stream(decoder, KM_STREAM_ACTOR)))
		return code;
	return read_ids(decoder->raw[KM_STREAM_ACTOR], decoder->actor_of, n,
			decoder->header.actors);
}

static int load_times(struct km_decoder *decoder, uint32_t n)
{
	int code;

	if ((code = read_stream(decoder, KM_STREAM_TIME_WIDTH)) ||
	    (code = read_stream(decoder, KM_STREAM_TIME_LOW)) ||
	    (code = read_stream(decoder, KM_STREAM_TIME_HIGH)))
		return code;
	return check_times(decoder, n);
}

/* After the shape ids. */
static int load_ptrs(struct km_decoder *decoder, uint32_t n)
{
	int code;

	if ((code = read_stream(decoder, KM_STREAM_PTR_CODE)) ||
	    (code = read_stream(decoder, KM_STREAM_PTR)) || (code = check_ptrs(decoder, n)))
		return code;
	return read_ptrs(decoder, n);
}

/* ---- columns into events ---- */

/* Where reading the times has come to; checked: check_times(). */
struct time_reader {
	const uint8_t *width, *low, *high;
	uint64_t time, t_min, t_max;
	bool sorted;
};

static struct time_reader time_begin(const struct km_decoder *decoder)
{
	return (struct time_reader){.width = decoder->raw[KM_STREAM_TIME_WIDTH],
				    .low = decoder->raw[KM_STREAM_TIME_LOW],
				    .high = decoder->raw[KM_STREAM_TIME_HIGH],
				    .t_min = UINT64_MAX,
				    .sorted = true};
}

static inline uint64_t time_next(struct time_reader *reader, uint32_t i)
{
	static const uint64_t masks[4] = {0, 0xff, 0xffff, 0xffffffffffffff};
	unsigned w = reader->width[i >> 2] >> (i & 3) * 2 & 3;
	uint64_t time = reader->time;

	time += km_unzigzag(reader->low[i] | (km_load64(reader->high) & masks[w]) << 8);
	reader->high += km_time_high[w];
	reader->sorted &= time >= reader->time;
	reader->t_min = time < reader->t_min ? time : reader->t_min;
	reader->t_max = time > reader->t_max ? time : reader->t_max;
	return reader->time = time;
}

static void time_end(const struct time_reader *reader, struct km_chunk *found)
{
	found->t_min = reader->t_min;
	found->t_max = reader->t_max;
	found->sorted = reader->sorted;
}

static void assemble(struct km_decoder *decoder, struct km_chunk *found, struct km_event *events)
{
	struct time_reader reader = time_begin(decoder);

	for (uint32_t i = 0; i < found->events; i++) {
		const struct actor *actor = &decoder->actor[decoder->actor_of[i]];
		struct km_event *event = &events[i];

		*event = decoder->shape[decoder->shape_of[i]];
		event->time_ns = time_next(&reader, i);
		event->ptr = decoder->ptr[i];
		event->task = actor->task;
		event->context = actor->context;
		event->seq = found->first_seq + i;
	}
	time_end(&reader, found);
}

/* Events of wanted shapes. An event that is not wanted is written, and then over it the next. */
static uint32_t assemble_timeless(const struct km_decoder *decoder, const struct km_chunk *found,
				  struct km_event *events)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < found->events; i++) {
		unsigned shape = decoder->shape_of[i];

		events[n] = decoder->shape[shape];
		events[n].seq = found->first_seq + i;
		n += decoder->wanted[shape];
	}
	return n;
}

static uint32_t assemble_timed(const struct km_decoder *decoder,
			       const struct km_chunk_selection *selection, struct km_chunk *found,
			       struct km_event *events)
{
	struct time_reader reader = time_begin(decoder);
	uint32_t n = 0;

	for (uint32_t i = 0; i < found->events; i++) {
		unsigned shape = decoder->shape_of[i];
		uint64_t time = time_next(&reader, i);

		if (time < selection->from_ns || time >= selection->to_ns)
			continue;
		events[n] = decoder->shape[shape];
		events[n].time_ns = time;
		events[n].seq = found->first_seq + i;
		n += decoder->wanted[shape];
	}
	time_end(&reader, found);
	return n;
}

/* Pointers and actors of the n selected events, which know their places by seq. */
static void complete(const struct km_decoder *decoder, const struct km_chunk *found,
		     unsigned without, struct km_event *events, uint32_t n)
{
	for (uint32_t i = 0; i < n && !(without & KM_WITHOUT_PTR); i++)
		events[i].ptr = decoder->ptr[events[i].seq - found->first_seq];
	for (uint32_t i = 0; i < n && !(without & KM_WITHOUT_ACTOR); i++) {
		uint32_t at = events[i].seq - found->first_seq;

		events[i].task = decoder->actor[decoder->actor_of[at]].task;
		events[i].context = decoder->actor[decoder->actor_of[at]].context;
	}
}

/* ---- chunks ---- */

/* The header, and where the streams are; at most `room` events. */
static int begin(struct km_decoder *decoder, const uint8_t *bytes, size_t size, uint32_t room,
		 struct km_chunk *found)
{
	struct km_chunk_header *header = &decoder->header;
	int code;

	if (size < sizeof(*header))
		return -EPROTO;
	memcpy(header, bytes, sizeof(*header));
	if ((code = check_header(header, room, size)) ||
	    (code = decoder_reserve(decoder, header->events)))
		return code;
	bytes += sizeof(*header);
	for (int s = 0; s < KM_NR_STREAMS; s++) {
		decoder->stored[s] = bytes;
		bytes += header->stream[s].stored;
	}
	found->events = header->events;
	found->first_seq = header->first_seq;
	found->cpu = (uint16_t)header->cpu;
	return 0;
}

static bool same_place(const struct km_chunk *found, const struct km_chunk *chunk)
{
	return found->events == chunk->events && found->first_seq == chunk->first_seq &&
	       found->cpu == chunk->cpu && found->kinds == chunk->kinds;
}

static bool same_times(const struct km_chunk *found, const struct km_chunk *chunk)
{
	return found->t_min == chunk->t_min && found->t_max == chunk->t_max &&
	       found->sorted == chunk->sorted;
}

/* All but the checksum; events has `room`. */
static int decode(struct km_decoder *decoder, const uint8_t *bytes, size_t size,
		  const struct km_chunk_limits *limits, uint32_t room, struct km_chunk *found,
		  struct km_event *events)
{
	int code = begin(decoder, bytes, size, room, found);

	if (code || (code = load_shapes(decoder, limits, found)) ||
	    (code = load_shape_ids(decoder, found->events)) ||
	    (code = load_actors(decoder, limits, found->events)) ||
	    (code = load_times(decoder, found->events)) ||
	    (code = load_ptrs(decoder, found->events)))
		return code;
	assemble(decoder, found, events);
	return 0;
}

int km_chunk_decode(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    struct km_event *events)
{
	struct km_chunk found;
	int code;

	if (XXH64(bytes, size, 0) != chunk->xxh64)
		return -EBADMSG;
	code = decode(decoder, bytes, size, limits, chunk->events, &found, events);
	if (code)
		return code;
	return same_place(&found, chunk) && same_times(&found, chunk) ? 0 : -EPROTO;
}

/* Which shapes are selected; false if none is. */
static bool mark_wanted(struct km_decoder *decoder, const struct km_chunk_selection *selection)
{
	bool any = false;

	for (uint32_t i = 0; i < decoder->header.shapes; i++) {
		const struct km_event *shape = &decoder->shape[i];

		decoder->wanted[i] = selection->kinds >> shape->kind & 1 &&
				     (!selection->caches || selection->caches[shape->cache]);
		any |= decoder->wanted[i];
	}
	return any;
}

int km_chunk_select(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    const struct km_chunk_selection *selection, struct km_event *events,
		    uint32_t *n)
{
	bool timeless = selection->without & KM_WITHOUT_TIME;
	struct km_chunk found;
	int code;

	if (XXH64(bytes, size, 0) != chunk->xxh64)
		return -EBADMSG;
	if ((code = begin(decoder, bytes, size, chunk->events, &found)) ||
	    (code = load_shapes(decoder, limits, &found)))
		return code;
	if (!same_place(&found, chunk))
		return -EPROTO;
	*n = 0;
	if (!mark_wanted(decoder, selection))
		return 0;
	if ((code = load_shape_ids(decoder, found.events)) ||
	    (!timeless && (code = load_times(decoder, found.events))) ||
	    (!(selection->without & KM_WITHOUT_ACTOR) &&
	     (code = load_actors(decoder, limits, found.events))) ||
	    (!(selection->without & KM_WITHOUT_PTR) && (code = load_ptrs(decoder, found.events))))
		return code;
	*n = timeless ? assemble_timeless(decoder, &found, events)
		      : assemble_timed(decoder, selection, &found, events);
	complete(decoder, &found, selection->without, events, *n);
	return timeless || same_times(&found, chunk) ? 0 : -EPROTO;
}

int km_chunk_examine(struct km_decoder *decoder, const void *bytes, size_t size,
		     const struct km_chunk_limits *limits, struct km_chunk *found,
		     struct km_event *events)
{
	found->xxh64 = XXH64(bytes, size, 0);
	return decode(decoder, bytes, size, limits, KM_CHUNK_EVENTS, found, events);
}
