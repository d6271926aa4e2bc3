/* SPDX-License-Identifier: GPL-2.0-only */
/* The times of a chunk: all of them, or those of a window. */
#include "decoder.h"
#include <errno.h>

/* The high bytes are as many as the widths say; unused bits of the last width byte are 0. */
static int check_widths(const struct km_decoder *decoder, uint32_t n)
{
	const uint8_t *width = decoder->raw[KM_STREAM_TIME_WIDTH];
	size_t total = 0;

	for (uint32_t i = 0; i < (n + 3) / 4; i++)
		total += decoder->tables.high[width[i]]; /* steps that are not there have none */
	if ((n & 3) && width[n >> 2] >> (n & 3) * 2)
		return -EPROTO;
	return total == decoder->header.stream[KM_STREAM_TIME_HIGH].raw ? 0 : -EPROTO;
}

/* Where reading time steps has come to. */
struct time_reader {
	const uint8_t *width, *low, *high;
	uint64_t time, *time_ns;
	bool back; /* some step was */
};

static inline void step_time(struct time_reader *reader, uint32_t i, uint64_t step)
{
	uint64_t last = reader->time;

	reader->time += km_unzigzag(step);
	reader->time_ns[i] = reader->time;
	reader->back |= reader->time < last;
}

static inline void read_time(struct time_reader *reader, uint32_t i, unsigned w)
{
	static const uint64_t masks[4] = {0, 0xff, 0xffff, 0xffffffffffffff};

	step_time(reader, i, reader->low[i] | (km_load64(reader->high) & masks[w]) << 8);
	reader->high += km_time_high[w];
}

/* A step of two bytes, as most are on a busy CPU: four of them need no tables. */
#define FOUR_SHORT 0x55
static inline void read_short_time(struct time_reader *reader, uint32_t i)
{
	step_time(reader, i, reader->low[i] | (uint64_t)*reader->high++ << 8);
}

static inline void read_four_times(struct time_reader *reader, uint32_t i)
{
	unsigned widths = reader->width[i / 4];

	if (widths == FOUR_SHORT) {
		read_short_time(reader, i);
		read_short_time(reader, i + 1);
		read_short_time(reader, i + 2);
		read_short_time(reader, i + 3);
		return;
	}
	read_time(reader, i, widths & 3);
	read_time(reader, i + 1, widths >> 2 & 3);
	read_time(reader, i + 2, widths >> 4 & 3);
	read_time(reader, i + 3, widths >> 6);
}

/* From event i, which is a multiple of 4, until one is not before `to`; the number then read. */
static inline uint32_t read_times(struct time_reader *reader, uint32_t i, uint32_t n, uint64_t to)
{
	for (; i + 4 <= n && reader->time < to; i += 4)
		read_four_times(reader, i);
	for (; i < n && reader->time < to; i++)
		read_time(reader, i, reader->width[i / 4] >> (i & 3) * 2 & 3);
	return i;
}

static int begin_times(struct km_decoder *decoder, struct km_columns *columns,
		       struct time_reader *reader)
{
	int code;

	if ((code = km_decoder_stream(decoder, KM_STREAM_TIME_WIDTH)) ||
	    (code = km_decoder_stream(decoder, KM_STREAM_TIME_LOW)) ||
	    (code = km_decoder_stream(decoder, KM_STREAM_TIME_HIGH)) ||
	    (code = check_widths(decoder, columns->n)))
		return code;
	*reader = (struct time_reader){.width = decoder->raw[KM_STREAM_TIME_WIDTH],
				       .low = decoder->raw[KM_STREAM_TIME_LOW],
				       .high = decoder->raw[KM_STREAM_TIME_HIGH],
				       .time_ns = columns->time_ns};
	return 0;
}

int km_decoder_times(struct km_decoder *decoder, struct km_chunk *found, struct km_columns *columns)
{
	const uint64_t *time_ns = columns->time_ns;
	uint32_t n = columns->n, i = 0;
	struct time_reader reader;
	int code = begin_times(decoder, columns, &reader);

	if (code)
		return code;
	for (; i + 4 <= n; i += 4)
		read_four_times(&reader, i);
	for (; i < n; i++)
		read_time(&reader, i, reader.width[i / 4] >> (i & 3) * 2 & 3);
	found->sorted = !reader.back;
	found->t_min = time_ns[0];
	found->t_max = time_ns[n - 1];
	for (i = 0; reader.back && i < n; i++) {
		found->t_min = time_ns[i] < found->t_min ? time_ns[i] : found->t_min;
		found->t_max = time_ns[i] > found->t_max ? time_ns[i] : found->t_max;
	}
	return 0;
}

/* ---- those of a window ---- */

/* So many events are skipped at once: their high bytes are within the slack behind a stream. */
#define SKIP 16
_Static_assert(SKIP <= KM_STREAM_SLACK, "high bytes are loaded before they are counted");

/* Sums of each two bytes of a word, and of all four of these. */
static inline uint64_t pair_sums(uint64_t bytes)
{
	return (bytes & 0x00ff00ff00ff00ff) + (bytes >> 8 & 0x00ff00ff00ff00ff);
}

static inline uint64_t sum_of_four(uint64_t sums)
{
	return sums * 0x0001000100010001 >> 48;
}

/* The first n bytes of a word, of which there may be none or all. */
static inline uint64_t first_bytes(uint64_t bytes, unsigned n)
{
	return n < 8 ? bytes & ((1ull << 8 * n) - 1) : bytes;
}

/*
 * SKIP events whose steps have at most one high byte: what all steps add up to, whichever event a
 * high byte is of. Where no time steps back every zigzag number is even, twice the step.
 */
static inline void sum_steps(struct time_reader *reader, uint32_t i, uint32_t widths)
{
	uint64_t one = km_load64(reader->low + i), two = km_load64(reader->low + i + 8);
	uint32_t n = (widths & 0x33333333) + (widths >> 2 & 0x33333333);
	uint64_t low = sum_of_four(pair_sums(one) + pair_sums(two)), high;

	n = ((n + (n >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
	reader->back |= ((one | two) & 0x0101010101010101) != 0;
	one = first_bytes(km_load64(reader->high), n);
	two = n > 8 ? first_bytes(km_load64(reader->high + 8), n - 8) : 0;
	high = sum_of_four(pair_sums(one) + pair_sums(two));
	reader->high += n;
	reader->time += (low + (high << 8)) / 2;
}

/* To at most SKIP events before the first that is not before from_ns; the number skipped. */
static uint32_t skip_times(struct time_reader *reader, uint32_t n, uint64_t from_ns)
{
	uint32_t i = 0;

	for (; i + SKIP <= n; i += SKIP) {
		const struct time_reader before = *reader;
		uint32_t widths;

		memcpy(&widths, reader->width + i / 4, sizeof(widths));
		if (widths & 0xaaaaaaaa)
			for (uint32_t k = 0; k < SKIP; k += 4)
				read_four_times(reader, i + k);
		else
			sum_steps(reader, i, widths);
		if (reader->time >= from_ns) {
			*reader = before;
			break;
		}
	}
	return i;
}

static int sorted_window(struct km_decoder *decoder, const struct km_chunk *chunk, uint64_t from_ns,
			 uint64_t to_ns, struct km_columns *columns, uint32_t *first, uint32_t *end)
{
	const uint64_t *time_ns = columns->time_ns;
	struct time_reader reader, peek;
	uint32_t from, to;
	uint64_t earliest;
	int code = begin_times(decoder, columns, &reader);

	if (code)
		return code;
	peek = reader;
	peek.time_ns = &earliest;
	read_time(&peek, 0, *peek.width & 3);
	from = skip_times(&reader, columns->n, from_ns);
	to = read_times(&reader, from, columns->n, to_ns);
	if (reader.back || earliest != chunk->t_min ||
	    (to == columns->n && reader.time != chunk->t_max))
		return -EPROTO;
	while (from < to && time_ns[from] < from_ns)
		from++;
	while (from < to && time_ns[to - 1] >= to_ns)
		to--;
	*first = from;
	*end = to;
	return 0;
}

int km_decoder_window(struct km_decoder *decoder, const struct km_chunk *chunk, uint64_t from_ns,
		      uint64_t to_ns, struct km_columns *columns, uint32_t *first, uint32_t *end)
{
	struct km_chunk found;
	int code;

	if (chunk->sorted)
		return sorted_window(decoder, chunk, from_ns, to_ns, columns, first, end);
	code = km_decoder_times(decoder, &found, columns);
	if (code)
		return code;
	*first = 0;
	*end = columns->n;
	return found.sorted || found.t_min != chunk->t_min || found.t_max != chunk->t_max ? -EPROTO
											  : 0;
}
