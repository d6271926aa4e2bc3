/* SPDX-License-Identifier: GPL-2.0-only */
/* Columns -> a chunk (layout: codec_format.h). */
#include "builder.h"
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

#define KM_ZSTD_LEVEL 1 /* on kernel traces 2 % larger than level 3 and twice as fast */
#define KM_ZSTD_GAIN 32 /* stored compressed if that saves at least 1/32 */

/*
 * Of a stream of more than two samples' length one is compressed first: where zstd does not make
 * it a quarter, it takes longer than all the rest of encoding, and is not asked.
 */
#define KM_ZSTD_SAMPLE 4096
#define KM_ZSTD_SAMPLE_GAIN 4

struct km_encoder {
	ZSTD_CCtx *zstd;
	struct km_builder *builder; /* for events that come as a whole chunk; NULL: none came yet */
	uint8_t packed[2 * KM_CHUNK_EVENTS]; /* a stream that is not in the builder as it is here */
	uint8_t *out;
	size_t out_capacity, size; /* size: of the chunk so far */
	struct km_chunk_header header;
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
	km_builder_delete(encoder->builder);
	free(encoder->out);
	ZSTD_freeCCtx(encoder->zstd);
	free(encoder);
}

/* ---- streams ---- */

/* Room for so many more bytes of the chunk. */
static int reserve_out(struct km_encoder *encoder, size_t bytes)
{
	size_t capacity = encoder->size + bytes;
	uint8_t *grown;

	if (capacity <= encoder->out_capacity)
		return 0;
	capacity += capacity / 2;
	grown = realloc(encoder->out, capacity);
	if (!grown)
		return -ENOMEM;
	encoder->out = grown;
	encoder->out_capacity = capacity;
	return 0;
}

/* Would zstd be worth its time? There is room for the compressed stream. */
static bool compresses(struct km_encoder *encoder, const uint8_t *raw, size_t size)
{
	size_t stored;

	if (size <= 2 * KM_ZSTD_SAMPLE)
		return true;
	stored = ZSTD_compress2(encoder->zstd, encoder->out + encoder->size,
				encoder->out_capacity - encoder->size, raw + size / 2,
				KM_ZSTD_SAMPLE);
	return stored <= KM_ZSTD_SAMPLE / KM_ZSTD_SAMPLE_GAIN;
}

/* The chunk's next stream. */
static int put_stream(struct km_encoder *encoder, enum km_stream s, const uint8_t *raw, size_t size)
{
	size_t stored = size, room = ZSTD_compressBound(size);

	if (reserve_out(encoder, room))
		return -ENOMEM;
	if (compresses(encoder, raw, size)) {
		stored = ZSTD_compress2(encoder->zstd, encoder->out + encoder->size, room, raw,
					size);
		if (ZSTD_isError(stored))
			return -EIO;
		if (stored + size / KM_ZSTD_GAIN >= size)
			stored = size;
	}
	if (stored == size)
		memcpy(encoder->out + encoder->size, raw, size);
	encoder->header.stream[s].raw = (uint32_t)size;
	encoder->header.stream[s].stored = (uint32_t)stored;
	encoder->size += stored;
	return 0;
}

/* ---- dictionaries ---- */

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
	while (value >= 0x80) {
		*to++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*to++ = (uint8_t)value;
	return to;
}

static int put_shapes(struct km_encoder *encoder, const struct km_builder *builder)
{
	uint8_t *raw = malloc((size_t)builder->nr_shapes * KM_SHAPE_COLUMNS * KM_VARINT_BYTES);
	uint8_t *to = raw;
	int code;

	if (!raw)
		return -ENOMEM;
#define X(field, maximum)                                                                          \
	for (uint32_t i = 0; i < builder->nr_shapes; i++)                                          \
		to = put_varint(to, km_shape_event(&builder->shapes[i]).field);
	KM_SHAPE_FIELDS(X)
#undef X
	for (uint32_t i = 0; i < builder->nr_shapes; i++)
		to = put_varint(to, (uint16_t)(km_shape_event(&builder->shapes[i]).node + 1));
	code = put_stream(encoder, KM_STREAM_SHAPES, raw, (size_t)(to - raw));
	free(raw);
	return code;
}

static int put_actors(struct km_encoder *encoder, const struct km_builder *builder)
{
	uint8_t *raw = malloc((size_t)builder->nr_actors * 2 * KM_VARINT_BYTES), *to = raw;
	int code;

	if (!raw)
		return -ENOMEM;
	for (uint32_t i = 0; i < builder->nr_actors; i++)
		to = put_varint(to, builder->actors[i] >> 8);
	for (uint32_t i = 0; i < builder->nr_actors; i++)
		to = put_varint(to, builder->actors[i] & 0xff);
	code = put_stream(encoder, KM_STREAM_ACTORS, raw, (size_t)(to - raw));
	free(raw);
	return code;
}

static int check_limits(const struct km_builder *builder, const struct km_chunk_limits *limits)
{
	for (uint32_t i = 0; i < builder->nr_shapes; i++) {
		struct km_event shape = km_shape_event(&builder->shapes[i]);

		if (shape.site >= limits->sites || shape.cache >= limits->caches ||
		    shape.stack >= limits->stacks)
			return -EINVAL;
	}
	for (uint32_t i = 0; i < builder->nr_actors; i++)
		if (builder->actors[i] >> 8 >= limits->tasks)
			return -EINVAL;
	return 0;
}

/* ---- what is packed closer than in the builder ---- */

static int put_ids(struct km_encoder *encoder, enum km_stream s, const uint16_t *ids, uint32_t n,
		   uint32_t distinct)
{
	if (distinct > 256)
		return put_stream(encoder, s, (const uint8_t *)ids, (size_t)n * 2);
	for (uint32_t i = 0; i < n; i++)
		encoder->packed[i] = (uint8_t)ids[i];
	return put_stream(encoder, s, encoder->packed, n);
}

static int put_widths(struct km_encoder *encoder, const uint8_t *widths, uint32_t n)
{
	uint8_t *to = encoder->packed;

	for (uint32_t i = 0; i < n; i += 4)
		*to++ = (uint8_t)(widths[i] | widths[i + 1] << 2 | widths[i + 2] << 4 |
				  widths[i + 3] << 6);
	return put_stream(encoder, KM_STREAM_TIME_WIDTH, encoder->packed, (n + 3) / 4);
}

static int put_codes(struct km_encoder *encoder, const uint8_t *codes, uint32_t n)
{
	uint8_t *to = encoder->packed;

	for (uint32_t i = 0; i < n; i += 2)
		*to++ = (uint8_t)(codes[i] | codes[i + 1] << 4);
	return put_stream(encoder, KM_STREAM_PTR_CODE, encoder->packed, (n + 1) / 2);
}

/* ---- the chunk ---- */

static int put_columns(struct km_encoder *encoder, const struct km_builder *builder)
{
	uint32_t n = builder->n;
	int code;

	if ((code = put_shapes(encoder, builder)) || (code = put_actors(encoder, builder)) ||
	    (code = put_ids(encoder, KM_STREAM_SHAPE, builder->shape_of, n, builder->nr_shapes)) ||
	    (code = put_ids(encoder, KM_STREAM_ACTOR, builder->actor_of, n, builder->nr_actors)) ||
	    (code = put_widths(encoder, builder->time_width, n)) ||
	    (code = put_stream(encoder, KM_STREAM_TIME_LOW, builder->time_low, n)) ||
	    (code = put_stream(encoder, KM_STREAM_TIME_HIGH, builder->time_high,
			       (size_t)(builder->time_end - builder->time_high))) ||
	    (code = put_codes(encoder, builder->ptr_code, n)))
		return code;
	return put_stream(encoder, KM_STREAM_PTR, builder->ptr_bytes,
			  (size_t)(builder->ptr_end - builder->ptr_bytes));
}

static void describe(const struct km_builder *builder, struct km_chunk *chunk)
{
	chunk->events = builder->n;
	chunk->sorted = builder->sorted;
	chunk->t_min = builder->t_min;
	chunk->t_max = builder->t_max;
	chunk->kinds = 0;
	for (uint32_t i = 0; i < builder->nr_shapes; i++)
		chunk->kinds |= 1u << km_shape_event(&builder->shapes[i]).kind;
}

int km_builder_encode(struct km_builder *builder, struct km_encoder *encoder,
		      const struct km_chunk_limits *limits, struct km_chunk *chunk,
		      const void **bytes, size_t *size)
{
	int code;

	if (!builder->n)
		return -EINVAL;
	encoder->header = (struct km_chunk_header){.events = builder->n,
						   .first_seq = chunk->first_seq,
						   .cpu = chunk->cpu,
						   .shapes = builder->nr_shapes,
						   .actors = builder->nr_actors};
	encoder->size = 0;
	memset(builder->time_width + builder->n, 0, 4); /* the rest of a byte */
	memset(builder->ptr_code + builder->n, 0, 2);
	if ((code = check_limits(builder, limits)) ||
	    (code = reserve_out(encoder, sizeof(encoder->header))))
		return code;
	encoder->size = sizeof(encoder->header);
	code = put_columns(encoder, builder);
	if (code)
		return code;
	memcpy(encoder->out, &encoder->header, sizeof(encoder->header));
	describe(builder, chunk);
	chunk->xxh64 = XXH64(encoder->out, encoder->size, 0);
	*bytes = encoder->out;
	*size = encoder->size;
	km_builder_reset(builder);
	return 0;
}

/* So many events that they stay in the fastest cache from one column to the next. */
#define KM_ENCODE_STEP 256

int km_chunk_encode(struct km_encoder *encoder, const struct km_event *events,
		    const struct km_chunk_limits *limits, struct km_chunk *chunk,
		    const void **bytes, size_t *size)
{
	uint32_t n = chunk->events;
	int code = 0;

	if (!n || n > KM_CHUNK_EVENTS)
		return -EINVAL;
	if (!encoder->builder)
		encoder->builder = km_builder_new();
	if (!encoder->builder)
		return -ENOMEM;
	km_builder_reset(encoder->builder);
	for (uint32_t i = 0; !code && i < n; i += KM_ENCODE_STEP)
		code = km_builder_add(encoder->builder, events + i,
				      n - i < KM_ENCODE_STEP ? n - i : KM_ENCODE_STEP);
	return code ? code
		    : km_builder_encode(encoder->builder, encoder, limits, chunk, bytes, size);
}
