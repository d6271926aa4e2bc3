/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The streams of a chunk -> columns, but for the times (layout: codec_format.h). Every byte is
 * doubted: sizes are checked before anything is allocated or read by them, sums of widths before
 * the loop that relies on them, so that the loops themselves need no bounds checks.
 */
#include "decoder.h"
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

/* ---- the header ---- */

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

/* By shape; their number is checked. */
static int reserve_shapes(struct km_decoder *decoder, uint32_t n)
{
	if (n <= decoder->max_shapes)
		return 0;
	decoder->max_shapes = 0;
	free(decoder->near);
	decoder->near = malloc(n * sizeof(*decoder->near));
	if (!decoder->near)
		return -ENOMEM;
	decoder->max_shapes = n;
	return 0;
}

int km_decoder_begin(struct km_decoder *decoder, const void *bytes, size_t size, uint32_t room,
		     struct km_chunk *found, struct km_columns *columns)
{
	struct km_chunk_header *header = &decoder->header;
	const uint8_t *at = bytes;
	int code;

	if (size < sizeof(*header))
		return -EPROTO;
	memcpy(header, bytes, sizeof(*header));
	if ((code = check_header(header, room, size)) ||
	    (code = reserve_shapes(decoder, header->shapes)) ||
	    (code = km_columns_reserve(columns, header->events, header->shapes, header->actors)))
		return code;
	at += sizeof(*header);
	for (int s = 0; s < KM_NR_STREAMS; s++) {
		decoder->stored[s] = at;
		at += header->stream[s].stored;
	}
	decoder->end = at;
	columns->n = found->events = header->events;
	columns->legend.nr_shapes = header->shapes;
	columns->legend.nr_actors = header->actors;
	columns->cpu = found->cpu = (uint16_t)header->cpu;
	found->first_seq = header->first_seq;
	return 0;
}

/* ---- streams ---- */

static int reserve_raw(struct km_decoder *decoder, enum km_stream s, size_t bytes)
{
	if (decoder->capacity[s] >= bytes)
		return 0;
	free(decoder->own_raw[s]);
	decoder->capacity[s] = 0;
	decoder->own_raw[s] = malloc(bytes);
	if (!decoder->own_raw[s])
		return -ENOMEM;
	decoder->capacity[s] = bytes;
	return 0;
}

/* In its place where that can be, else as copied or decompressed. */
int km_decoder_stream(struct km_decoder *decoder, enum km_stream s)
{
	size_t raw = decoder->header.stream[s].raw, stored = decoder->header.stream[s].stored;

	decoder->raw[s] = decoder->stored[s];
	if (stored == raw && (size_t)(decoder->end - decoder->stored[s]) >= raw + KM_STREAM_SLACK)
		return 0;
	if (reserve_raw(decoder, s, raw + KM_STREAM_SLACK))
		return -ENOMEM;
	decoder->raw[s] = decoder->own_raw[s];
	if (stored == raw)
		memcpy(decoder->own_raw[s], decoder->stored[s], raw);
	else if (ZSTD_decompressDCtx(decoder->zstd, decoder->own_raw[s], raw, decoder->stored[s],
				     stored) != raw)
		return -EPROTO;
	memset(decoder->own_raw[s] + raw, 0, KM_STREAM_SLACK);
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

/* ---- shapes and actors ---- */

int km_decoder_shapes(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		      struct km_chunk *found, struct km_columns *columns)
{
	int code = km_decoder_stream(decoder, KM_STREAM_SHAPES);
	const uint8_t *from = decoder->raw[KM_STREAM_SHAPES];
	const uint8_t *end = from + decoder->header.stream[KM_STREAM_SHAPES].raw;
	uint32_t n = columns->legend.nr_shapes;
	uint64_t value = 0;

	if (code)
		return code;
	found->kinds = 0;
	memset(columns->legend.shapes, 0, n * sizeof(*columns->legend.shapes));
#define X(field, maximum)                                                                          \
	for (uint32_t i = 0; i < n; i++) {                                                         \
		if (get_varint(&from, end, maximum, &value))                                       \
			return -EPROTO;                                                            \
		columns->legend.shapes[i].field =                                                  \
			(__typeof__(columns->legend.shapes[i].field))value;                        \
	}
	KM_SHAPE_FIELDS(X)
#undef X
	for (uint32_t i = 0; i < n; i++) {
		struct km_event *shape = &columns->legend.shapes[i];

		if (get_varint(&from, end, UINT16_MAX, &value) || shape->site >= limits->sites ||
		    shape->cache >= limits->caches || shape->stack >= limits->stacks)
			return -EPROTO;
		shape->node = (int16_t)(uint16_t)(value - 1);
		shape->cpu = columns->cpu;
		found->kinds |= 1u << shape->kind;
	}
	return from == end ? 0 : -EPROTO;
}

static int read_actors(const struct km_decoder *decoder, const struct km_chunk_limits *limits,
		       struct km_columns *columns)
{
	const uint8_t *from = decoder->raw[KM_STREAM_ACTORS];
	const uint8_t *end = from + decoder->header.stream[KM_STREAM_ACTORS].raw;
	uint64_t value = 0;

	for (uint32_t i = 0; i < columns->legend.nr_actors; i++) {
		if (get_varint(&from, end, UINT32_MAX, &value) || value >= limits->tasks)
			return -EPROTO;
		columns->legend.actors[i].task = (uint32_t)value;
	}
	for (uint32_t i = 0; i < columns->legend.nr_actors; i++) {
		if (get_varint(&from, end, KM_CTX_UNKNOWN, &value))
			return -EPROTO;
		columns->legend.actors[i].context = (uint8_t)value;
	}
	return from == end ? 0 : -EPROTO;
}

/* As vectors of the compiler: at its usual level it makes none of loops like these. */
typedef uint8_t bytes_vector __attribute__((vector_size(16)));
typedef uint16_t ids_vector __attribute__((vector_size(32)));
#define IDS_STEP (sizeof(bytes_vector))

/* As 16-bit numbers. False: some are beyond the last. */
static bool widen_ids(const uint8_t *restrict raw, uint16_t *restrict ids, uint32_t n, uint8_t last)
{
	bytes_vector limit = last - (bytes_vector){0}, beyond = {0};
	bool any = false;
	uint32_t i = 0;

	for (; i + IDS_STEP <= n; i += IDS_STEP) {
		bytes_vector narrow;
		ids_vector wide;

		memcpy(&narrow, raw + i, sizeof(narrow));
		beyond |= (bytes_vector)(narrow > limit);
		wide = __builtin_convertvector(narrow, ids_vector);
		memcpy(ids + i, &wide, sizeof(wide));
	}
	for (; i < n; i++) {
		ids[i] = raw[i];
		any |= raw[i] > last;
	}
	for (unsigned k = 0; k < IDS_STEP; k++)
		any |= beyond[k] != 0;
	return !any;
}

static bool copy_ids(const uint8_t *raw, uint16_t *ids, uint32_t n, uint16_t last)
{
	bool any = false;

	memcpy(ids, raw, (size_t)n * 2);
	for (uint32_t i = 0; i < n; i++)
		any |= ids[i] > last;
	return !any;
}

static int read_ids(const uint8_t *raw, uint16_t *ids, uint32_t from, uint32_t end,
		    uint32_t distinct)
{
	bool good = distinct > 256 ? copy_ids(raw + (size_t)from * 2, ids + from, end - from,
					      (uint16_t)(distinct - 1))
				   : widen_ids(raw + from, ids + from, end - from,
					       (uint8_t)(distinct - 1));

	return good ? 0 : -EPROTO;
}

int km_decoder_shape_ids(struct km_decoder *decoder, struct km_columns *columns, uint32_t from,
			 uint32_t end)
{
	int code = km_decoder_stream(decoder, KM_STREAM_SHAPE);

	return code ? code
		    : read_ids(decoder->raw[KM_STREAM_SHAPE], columns->shape_of, from, end,
			       columns->legend.nr_shapes);
}

int km_decoder_actors(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		      struct km_columns *columns, uint32_t from, uint32_t end)
{
	int code;

	if ((code = km_decoder_stream(decoder, KM_STREAM_ACTORS)) ||
	    (code = read_actors(decoder, limits, columns)) ||
	    (code = km_decoder_stream(decoder, KM_STREAM_ACTOR)))
		return code;
	return read_ids(decoder->raw[KM_STREAM_ACTOR], columns->actor_of, from, end,
			columns->legend.nr_actors);
}

/* ---- pointers ---- */

static int check_ptrs(const struct km_decoder *decoder, uint32_t n)
{
	const uint8_t *code = decoder->raw[KM_STREAM_PTR_CODE];
	size_t total = 0;
	uint8_t bad = 0;

	for (uint32_t i = 0; i < n / 2; i++) {
		bad |= decoder->tables.pair[code[i]];
		total += decoder->tables.pair[code[i]] & ~KM_BAD_PAIR;
	}
	if (n & 1) {
		bad |= code[n >> 1] >> 4 ? KM_BAD_PAIR : decoder->tables.pair[code[n >> 1]];
		total += km_ptr_width[code[n >> 1] & 15];
	}
	if (bad & KM_BAD_PAIR)
		return -EPROTO;
	return total == decoder->header.stream[KM_STREAM_PTR].raw ? 0 : -EPROTO;
}

/* Where reading pointers has come to. */
struct ptr_reader {
	const uint8_t *from;
	uint64_t *near; /* by shape: its last */
	uint64_t bad;   /* its highest bit: something was not there */
};

/*
 * The last pointer of the shape's group before event i; 0: there is none. Asked once per shape,
 * and where it has looked it need not look again for the group, so the looks are few.
 */
static uint64_t group_ptr(const struct km_columns *columns, uint32_t i)
{
	const struct km_event *shapes = columns->legend.shapes;
	enum km_event_group group = km_event_group_of(shapes[columns->shape_of[i]].kind);

	while (i-- > 0)
		if (km_event_group_of(shapes[columns->shape_of[i]].kind) == group)
			return columns->ptr[i];
	return 0;
}

/*
 * A pointer is another, of earlier in the chunk or of its shape, and a difference to that. Which of
 * the two it is cannot be predicted, so there is no branch: an address is chosen, and a difference
 * is multiplied by 0.
 */
static inline void read_ptr(struct ptr_reader *reader, const struct km_columns *columns, uint32_t i,
			    unsigned c)
{
	static const struct {
		uint64_t mask, scale, seen, width; /* seen: all ones for KM_PTR_SEEN */
	} codes[16] = {{0xff, 0, -1ull, 1},   {0xffff, 0, -1ull, 2}, {0xff, 8, 0, 1},
		       {0xffff, 8, 0, 2},     {0xffffff, 8, 0, 3},   {0xffffffff, 8, 0, 4},
		       {UINT64_MAX, 8, 0, 8}, {0xff, 1, 0, 1},       {0xffff, 1, 0, 2},
		       {0xffffff, 1, 0, 3},   {0xffffffff, 1, 0, 4}, {UINT64_MAX, 1, 0, 8}};
	uint64_t *near = &reader->near[columns->shape_of[i]];
	uint64_t value = km_load64(reader->from) & codes[c].mask;
	uint64_t at = i - 1 - value;
	const uint64_t *base;

	if (__builtin_expect(!*near, 0))
		*near = group_ptr(columns, i);
	reader->from += codes[c].width;
	reader->bad |= at & codes[c].seen;
	base = (int64_t)(at | ~codes[c].seen) < 0 ? near : &columns->ptr[at];
	columns->ptr[i] = *near = *base + km_unzigzag(value) * codes[c].scale;
}

/* Checked: check_ptrs(). Only "seen" distances are left to check. */
static int read_ptrs(struct km_decoder *decoder, const struct km_columns *to, uint32_t end)
{
	const uint8_t *code = decoder->raw[KM_STREAM_PTR_CODE];
	const struct km_columns columns = *to; /* that nothing written here can change */
	struct ptr_reader reader = {.from = decoder->raw[KM_STREAM_PTR], .near = decoder->near};
	uint32_t i = 0;

	for (; i + 2 <= end; i += 2, code++) {
		read_ptr(&reader, &columns, i, *code & 15);
		read_ptr(&reader, &columns, i + 1, *code >> 4);
	}
	if (i < end)
		read_ptr(&reader, &columns, i, *code & 15);
	return reader.bad >> 63 ? -EPROTO : 0;
}

int km_decoder_ptrs(struct km_decoder *decoder, struct km_columns *columns, uint32_t end)
{
	int code;

	if ((code = km_decoder_stream(decoder, KM_STREAM_PTR_CODE)) ||
	    (code = km_decoder_stream(decoder, KM_STREAM_PTR)) ||
	    (code = check_ptrs(decoder, columns->n)))
		return code;
	memset(decoder->near, 0, columns->legend.nr_shapes * sizeof(*decoder->near));
	return read_ptrs(decoder, columns, end);
}

/* ---- tables ---- */

void km_decoder_tables(struct km_decoder_tables *tables)
{
	for (unsigned i = 0; i < 256; i++) {
		bool bad = (i & 15) >= KM_NR_PTR_CODES || i >> 4 >= KM_NR_PTR_CODES;

		tables->pair[i] = (uint8_t)(km_ptr_width[i & 15] + km_ptr_width[i >> 4]);
		tables->pair[i] |= bad ? KM_BAD_PAIR : 0;
		tables->high[i] = (uint8_t)(km_time_high[i & 3] + km_time_high[i >> 2 & 3] +
					    km_time_high[i >> 4 & 3] + km_time_high[i >> 6]);
	}
}
