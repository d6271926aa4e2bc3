/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of one CPU -> a chunk (layout: codec_format.h). */
#include "codec_format.h"
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

#define KM_ZSTD_LEVEL 1 /* on kernel traces 2 % larger than level 3 and twice as fast */
#define KM_ZSTD_GAIN 32 /* stored compressed if that saves at least 1/32 */

struct km_encoder {
	ZSTD_CCtx *zstd;
	uint32_t shapes, actors, hash_bits;
	size_t raw_size[KM_NR_STREAMS], raw_capacity[KM_NR_STREAMS];
	uint8_t *raw[KM_NR_STREAMS];
	uint8_t *out;
	size_t out_capacity;
	/* Hash tables of 2 n entries: index + 1 of a shape, an actor, an event. */
	uint32_t shape_slot[2 * KM_CHUNK_EVENTS];
	uint32_t actor_slot[2 * KM_CHUNK_EVENTS];
	uint32_t ptr_slot[2 * KM_CHUNK_EVENTS];
	struct km_event shape[KM_CHUNK_EVENTS];
	uint64_t shape_ptr[KM_CHUNK_EVENTS]; /* last pointer of the shape */
	struct {
		uint32_t task;
		uint8_t context;
	} actor[KM_CHUNK_EVENTS];
	uint16_t shape_of[KM_CHUNK_EVENTS], actor_of[KM_CHUNK_EVENTS];
	uint64_t ptr[KM_CHUNK_EVENTS];
};

struct km_encoder *km_encoder_new(void)
{
	struct km_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return NULL;
	encoder->zstd = ZSTD_createCCtx();
	if (!encoder->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(
				      encoder->zstd, ZSTD_c_compressionLevel, KM_ZSTD_LEVEL))) {
		km_encoder_delete(encoder);
		return NULL;
	}
	return encoder;
}

void km_encoder_delete(struct km_encoder *encoder)
{
	if (!encoder)
		return;
	for (int s = 0; s < KM_NR_STREAMS; s++)
		free(encoder->raw[s]);
	free(encoder->out);
	ZSTD_freeCCtx(encoder->zstd);
	free(encoder);
}

static int stream_reserve(struct km_encoder *encoder, enum km_stream s, size_t bytes)
{
	uint8_t *grown;

	encoder->raw_size[s] = bytes;
	if (bytes + KM_STREAM_SLACK <= encoder->raw_capacity[s])
		return 0;
	grown = realloc(encoder->raw[s], bytes + KM_STREAM_SLACK);
	if (!grown)
		return -ENOMEM;
	encoder->raw[s] = grown;
	encoder->raw_capacity[s] = bytes + KM_STREAM_SLACK;
	return 0;
}

static inline uint32_t hash_shape(const struct km_event *event, unsigned bits)
{
	uint64_t hash = event->bytes_req * 0x9e3779b97f4a7c15ull;

	hash ^= (event->bytes_alloc + event->stack) * 0xc2b2ae3d27d4eb4full;
	hash ^= ((uint64_t)event->gfp << 32 | event->site) * 0x165667b19e3779f9ull;
	hash ^= ((uint64_t)event->cache << 40 | (uint64_t)(uint16_t)event->node << 24 |
		 (uint64_t)event->kind << 16 | (uint64_t)event->order << 8 | event->migratetype) *
		0xd6e8feb86659fd93ull;
	hash ^= hash >> 29;
	return (uint32_t)(hash * 0x9e3779b97f4a7c15ull >> (64 - bits));
}

static inline bool same_shape(const struct km_event *a, const struct km_event *b)
{
	return a->site == b->site && a->kind == b->kind && a->bytes_req == b->bytes_req &&
	       a->bytes_alloc == b->bytes_alloc && a->gfp == b->gfp && a->cache == b->cache &&
	       a->stack == b->stack && a->node == b->node && a->order == b->order &&
	       a->migratetype == b->migratetype;
}

static int encode_shapes(struct km_encoder *encoder, const struct km_event *events, uint32_t n,
			 const struct km_chunk_limits *limits)
{
	uint32_t mask = (1u << encoder->hash_bits) - 1;

	encoder->shapes = 0;
	memset(encoder->shape_slot, 0, sizeof(uint32_t) << encoder->hash_bits);
	for (uint32_t i = 0; i < n; i++) {
		const struct km_event *event = &events[i];
		uint32_t at = hash_shape(event, encoder->hash_bits), id;

		while ((id = encoder->shape_slot[at]) &&
		       !same_shape(&encoder->shape[id - 1], event))
			at = (at + 1) & mask;
		if (!id) {
			if (event->kind >= KM_NR_EVENT_KINDS || event->site >= limits->sites ||
			    event->cache >= limits->caches || event->stack >= limits->stacks)
				return -EINVAL;
			encoder->shape_ptr[encoder->shapes] = 0;
			encoder->shape[encoder->shapes] = *event;
			id = encoder->shape_slot[at] = ++encoder->shapes;
		}
		encoder->shape_of[i] = (uint16_t)(id - 1);
	}
	return 0;
}

static int encode_actors(struct km_encoder *encoder, const struct km_event *events, uint32_t n,
			 const struct km_chunk_limits *limits)
{
	uint32_t mask = (1u << encoder->hash_bits) - 1, last = 0;

	encoder->actors = 0;
	memset(encoder->actor_slot, 0, sizeof(uint32_t) << encoder->hash_bits);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t task = events[i].task, id, at;
		uint8_t context = events[i].context;

		if (i && encoder->actor[last].task == task &&
		    encoder->actor[last].context == context) {
			encoder->actor_of[i] = (uint16_t)last;
			continue;
		}
		at = ((uint64_t)task << 3 ^ context) * 0x9e3779b97f4a7c15ull >>
		     (64 - encoder->hash_bits);
		while ((id = encoder->actor_slot[at]) &&
		       (encoder->actor[id - 1].task != task ||
			encoder->actor[id - 1].context != context))
			at = (at + 1) & mask;
		if (!id) {
			if (task >= limits->tasks || context > KM_CTX_UNKNOWN)
				return -EINVAL;
			encoder->actor[encoder->actors].task = task;
			encoder->actor[encoder->actors].context = context;
			id = encoder->actor_slot[at] = ++encoder->actors;
		}
		last = id - 1;
		encoder->actor_of[i] = (uint16_t)last;
	}
	return 0;
}

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
	while (value >= 0x80) {
		*to++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*to++ = (uint8_t)value;
	return to;
}

static int write_dictionaries(struct km_encoder *encoder)
{
	uint8_t *to;
	int code;

	code = stream_reserve(encoder, KM_STREAM_SHAPES,
			      (size_t)encoder->shapes * KM_SHAPE_COLUMNS * KM_VARINT_BYTES);
	if (code)
		return code;
	to = encoder->raw[KM_STREAM_SHAPES];
#define X(field, maximum)                                                                          \
	for (uint32_t i = 0; i < encoder->shapes; i++)                                             \
		to = put_varint(to, encoder->shape[i].field);
	KM_SHAPE_FIELDS(X)
#undef X
	for (uint32_t i = 0; i < encoder->shapes; i++)
		to = put_varint(to, (uint16_t)(encoder->shape[i].node + 1));
	encoder->raw_size[KM_STREAM_SHAPES] = (size_t)(to - encoder->raw[KM_STREAM_SHAPES]);

	code = stream_reserve(encoder, KM_STREAM_ACTORS,
			      (size_t)encoder->actors * 2 * KM_VARINT_BYTES);
	if (code)
		return code;
	to = encoder->raw[KM_STREAM_ACTORS];
	for (uint32_t i = 0; i < encoder->actors; i++)
		to = put_varint(to, encoder->actor[i].task);
	for (uint32_t i = 0; i < encoder->actors; i++)
		to = put_varint(to, encoder->actor[i].context);
	encoder->raw_size[KM_STREAM_ACTORS] = (size_t)(to - encoder->raw[KM_STREAM_ACTORS]);
	return 0;
}

static int write_ids(struct km_encoder *encoder, enum km_stream s, const uint16_t *ids, uint32_t n,
		     uint32_t distinct)
{
	int code = stream_reserve(encoder, s, distinct <= 256 ? n : (size_t)n * 2);

	if (code)
		return code;
	if (distinct > 256) {
		memcpy(encoder->raw[s], ids, (size_t)n * 2);
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		encoder->raw[s][i] = (uint8_t)ids[i];
	return 0;
}

/* Index in km_time_high of the least width that holds the value. */
static inline unsigned time_width(uint64_t value)
{
	return value >> 24 ? 3 : (value > 0xff) + (value > 0xffff);
}

static int write_times(struct km_encoder *encoder, const struct km_event *events, uint32_t n)
{
	uint8_t *width, *low, *high;
	uint64_t last = 0;
	int code;

	if ((code = stream_reserve(encoder, KM_STREAM_TIME_WIDTH, (n + 3) / 4)) ||
	    (code = stream_reserve(encoder, KM_STREAM_TIME_LOW, n)) ||
	    (code = stream_reserve(encoder, KM_STREAM_TIME_HIGH, (size_t)n * 7)))
		return code;
	width = encoder->raw[KM_STREAM_TIME_WIDTH];
	low = encoder->raw[KM_STREAM_TIME_LOW];
	high = encoder->raw[KM_STREAM_TIME_HIGH];
	memset(width, 0, (n + 3) / 4);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t step = km_zigzag(events[i].time_ns - last);
		unsigned w = time_width(step);

		last = events[i].time_ns;
		width[i >> 2] |= (uint8_t)(w << (i & 3) * 2);
		low[i] = (uint8_t)step;
		km_store64(high, step >> 8);
		high += km_time_high[w];
	}
	encoder->raw_size[KM_STREAM_TIME_HIGH] = (size_t)(high - encoder->raw[KM_STREAM_TIME_HIGH]);
	return 0;
}

/* The code of the least width that holds the value, in the group of codes. */
static inline unsigned ptr_code(unsigned group, uint64_t value)
{
	if (value >> 32)
		return group + 4;
	return group + (value > 0xff) + (value > 0xffff) + (value > 0xffffff);
}

static int write_ptrs(struct km_encoder *encoder, const struct km_event *events, uint32_t n)
{
	uint64_t group_ptr[KM_NR_GROUPS] = {0};
	uint8_t *codes, *out;
	int code;

	if ((code = stream_reserve(encoder, KM_STREAM_PTR_CODE, (n + 1) / 2)) ||
	    (code = stream_reserve(encoder, KM_STREAM_PTR, (size_t)n * 8)))
		return code;
	codes = encoder->raw[KM_STREAM_PTR_CODE];
	out = encoder->raw[KM_STREAM_PTR];
	memset(codes, 0, (n + 1) / 2);
	memset(encoder->ptr_slot, 0, sizeof(uint32_t) << encoder->hash_bits);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t ptr = events[i].ptr, value, difference;
		uint64_t *near = &encoder->shape_ptr[encoder->shape_of[i]];
		uint64_t *group = &group_ptr[km_event_group_of(events[i].kind)];
		uint32_t *slot = &encoder->ptr_slot[ptr * 0x9e3779b97f4a7c15ull >>
						    (64 - encoder->hash_bits)];
		unsigned c;

		difference = ptr - (*near ? *near : *group);
		if (difference & 7) {
			value = km_zigzag(difference);
			c = ptr_code(KM_PTR_ONES, value);
		} else {
			value = km_zigzag((uint64_t)((int64_t)difference >> 3));
			c = ptr_code(KM_PTR_EIGHTS, value);
		}
		if (*slot && encoder->ptr[*slot - 1] == ptr) {
			uint32_t ago = i - *slot; /* slot is index + 1 */
			unsigned seen = KM_PTR_SEEN + (ago > 0xff);

			if (km_ptr_width[seen] <= km_ptr_width[c]) {
				value = ago;
				c = seen;
			}
		}
		encoder->ptr[i] = *near = *group = ptr;
		*slot = i + 1;
		codes[i >> 1] |= (uint8_t)(c << (i & 1) * 4);
		km_store64(out, value);
		out += km_ptr_width[c];
	}
	encoder->raw_size[KM_STREAM_PTR] = (size_t)(out - encoder->raw[KM_STREAM_PTR]);
	return 0;
}

static int write_chunk(struct km_encoder *encoder, const struct km_chunk *chunk, size_t *size)
{
	struct km_chunk_header header = {.events = chunk->events,
					 .first_seq = chunk->first_seq,
					 .cpu = chunk->cpu,
					 .shapes = encoder->shapes,
					 .actors = encoder->actors};
	size_t bound = sizeof(header), at = sizeof(header);

	for (int s = 0; s < KM_NR_STREAMS; s++)
		bound += ZSTD_compressBound(encoder->raw_size[s]);
	if (bound > encoder->out_capacity) {
		free(encoder->out);
		encoder->out_capacity = 0;
		encoder->out = malloc(bound);
		if (!encoder->out)
			return -ENOMEM;
		encoder->out_capacity = bound;
	}
	for (int s = 0; s < KM_NR_STREAMS; s++) {
		size_t raw = encoder->raw_size[s];
		size_t stored = ZSTD_compress2(encoder->zstd, encoder->out + at, bound - at,
					       encoder->raw[s], raw);

		if (ZSTD_isError(stored))
			return -EIO;
		if (stored + raw / KM_ZSTD_GAIN >= raw) {
			memcpy(encoder->out + at, encoder->raw[s], raw);
			stored = raw;
		}
		header.stream[s].raw = (uint32_t)raw;
		header.stream[s].stored = (uint32_t)stored;
		at += stored;
	}
	memcpy(encoder->out, &header, sizeof(header));
	*size = at;
	return 0;
}

static void describe(struct km_chunk *chunk, const struct km_encoder *encoder,
		     const struct km_event *events)
{
	uint64_t t_min = UINT64_MAX, t_max = 0, last = 0;
	bool sorted = true;

	for (uint32_t i = 0; i < chunk->events; i++) {
		uint64_t time = events[i].time_ns;

		sorted &= time >= last;
		last = time;
		t_min = time < t_min ? time : t_min;
		t_max = time > t_max ? time : t_max;
	}
	chunk->sorted = sorted;
	chunk->t_min = t_min;
	chunk->t_max = t_max;
	chunk->kinds = 0;
	for (uint32_t i = 0; i < encoder->shapes; i++)
		chunk->kinds |= 1u << encoder->shape[i].kind;
}

int km_chunk_encode(struct km_encoder *encoder, const struct km_event *events,
		    const struct km_chunk_limits *limits, struct km_chunk *chunk,
		    const void **bytes, size_t *size)
{
	uint32_t n = chunk->events;
	int code;

	if (!n || n > KM_CHUNK_EVENTS)
		return -EINVAL;
	encoder->hash_bits = n == 1 ? 2 : 33 - (unsigned)__builtin_clz(n - 1);
	if ((code = encode_shapes(encoder, events, n, limits)) ||
	    (code = encode_actors(encoder, events, n, limits)) ||
	    (code = write_dictionaries(encoder)) ||
	    (code = write_ids(encoder, KM_STREAM_SHAPE, encoder->shape_of, n, encoder->shapes)) ||
	    (code = write_ids(encoder, KM_STREAM_ACTOR, encoder->actor_of, n, encoder->actors)) ||
	    (code = write_times(encoder, events, n)) || (code = write_ptrs(encoder, events, n)) ||
	    (code = write_chunk(encoder, chunk, size)))
		return code;
	describe(chunk, encoder, events);
	chunk->xxh64 = XXH64(encoder->out, *size, 0);
	*bytes = encoder->out;
	return 0;
}
