/* SPDX-License-Identifier: GPL-2.0-only */
/* Chunks: every field survives, at its extremes too; no damaged byte goes unseen or crashes. */
#include "engine/tests/tap.h"
#include "traces/codec.h"
#include "traces/codec_format.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <xxhash.h>

static const struct km_chunk_limits no_limits = {UINT32_MAX, UINT32_MAX, 65536, UINT32_MAX};
static struct km_encoder *encoder;
static struct km_decoder *decoder;

/* Encode, decode, compare. cpu and seq are the chunk's. */
static bool survives(struct km_event *events, uint32_t n)
{
	struct km_chunk chunk = {.events = n, .cpu = 7, .first_seq = UINT32_MAX - 2};
	struct km_event *back = calloc(n, sizeof(*back));
	bool same = true;
	const void *bytes;
	size_t size;

	for (uint32_t i = 0; i < n; i++) {
		events[i].cpu = chunk.cpu;
		events[i].seq = chunk.first_seq + i;
	}
	if (km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size) ||
	    km_chunk_decode(decoder, bytes, size, &no_limits, &chunk, back))
		same = false;
	for (uint32_t i = 0; same && i < n; i++)
		same = test_same_event(&events[i], &back[i]);
	free(back);
	return same;
}

static uint64_t extreme(void)
{
	static const uint64_t values[] = {
		0,          1,          7,         8,          0xff,
		0x100,      0xffff,     0x10000,   0xffffff,   0x1000000,
		UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX - 7,
		UINT64_MAX};

	return values[test_random() % (sizeof(values) / sizeof(*values))];
}

static struct km_event extreme_event(void)
{
	return (struct km_event){.time_ns = extreme(),
				 .ptr = extreme(),
				 .bytes_req = extreme(),
				 .bytes_alloc = extreme(),
				 .gfp = (uint32_t)extreme(),
				 .site = (uint32_t)extreme() % UINT32_MAX,
				 .task = (uint32_t)extreme() % UINT32_MAX,
				 .stack = (uint32_t)extreme() % UINT32_MAX,
				 .cache = (uint16_t)extreme(),
				 .node = (int16_t)extreme(),
				 .kind = (uint8_t)(test_random() % KM_NR_EVENT_KINDS),
				 .context = (uint8_t)(test_random() % (KM_CTX_UNKNOWN + 1)),
				 .order = (uint8_t)extreme(),
				 .migratetype = (uint8_t)extreme()};
}

static struct km_event noise_event(void)
{
	uint64_t words[sizeof(struct km_event) / sizeof(uint64_t)];
	struct km_event event;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		words[i] = test_random();
	memcpy(&event, words, sizeof(event));
	event.site %= UINT32_MAX;
	event.task %= UINT32_MAX;
	event.stack %= UINT32_MAX;
	event.kind %= KM_NR_EVENT_KINDS;
	event.context %= KM_CTX_UNKNOWN + 1;
	memset(event.reserved, 0, sizeof(event.reserved));
	return event;
}

static void test_round_trips(struct km_event *events)
{
	static const uint32_t sizes[] = {1, 2, 3, 4, 5, 255, 256, 257, 1000, 65535, 65536};
	uint64_t time = 0;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		uint32_t n = sizes[s];

		for (uint32_t i = 0; i < n; i++)
			events[i] = test_event(&time);
		TAP_OK(survives(events, n), "%u events like a kernel's survive", n);
		for (uint32_t i = 0; i < n; i++)
			events[i] = extreme_event();
		TAP_OK(survives(events, n), "%u events of extreme values survive", n);
		for (uint32_t i = 0; i < n; i++)
			events[i] = noise_event();
		TAP_OK(survives(events, n), "%u events of noise survive", n);
	}
	memset(events, 0, KM_CHUNK_EVENTS * sizeof(*events));
	TAP_OK(survives(events, KM_CHUNK_EVENTS), "65536 events of zeros survive");
	for (uint32_t i = 0; i < KM_CHUNK_EVENTS; i++)
		events[i].ptr = i % 300 * 3; /* seen again from near and far */
	TAP_OK(survives(events, KM_CHUNK_EVENTS), "odd pointers seen again survive");
}

static void test_refusals(void)
{
	static const struct km_chunk_limits limits = {10, 20, 30, 40};
	struct km_event event = {.site = 9, .task = 19, .cache = 29, .stack = 39, .kind = 0};
	struct km_chunk chunk = {.events = 1};
	const void *bytes;
	size_t size;

	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), 0,
	       "the last dictionary entries can be referred to");
	event.site = 10;
	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), -EINVAL,
	       "a site beyond the dictionary is refused");
	event.site = 0;
	event.task = 20;
	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), -EINVAL,
	       "a task beyond the dictionary is refused");
	event.task = 0;
	event.cache = 30;
	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), -EINVAL,
	       "a cache beyond the dictionary is refused");
	event.cache = 0;
	event.stack = 40;
	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), -EINVAL,
	       "a stack beyond the dictionary is refused");
	event.stack = 0;
	event.kind = KM_NR_EVENT_KINDS;
	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), -EINVAL,
	       "an unknown kind is refused");
	chunk.events = KM_CHUNK_EVENTS + 1;
	TAP_EQ(km_chunk_encode(encoder, &event, &limits, &chunk, &bytes, &size), -EINVAL,
	       "more events than a chunk holds are refused");
}

/* ---- a part of the events, and of their fields ---- */

static bool selected(const struct km_event *event, const struct km_chunk_selection *selection)
{
	return selection->kinds >> event->kind & 1 &&
	       (!selection->caches || selection->caches[event->cache]) &&
	       (selection->without & KM_WITHOUT_TIME ||
		(event->time_ns >= selection->from_ns && event->time_ns < selection->to_ns));
}

static struct km_event reduced(struct km_event event, unsigned without)
{
	if (without & KM_WITHOUT_TIME)
		event.time_ns = 0;
	if (without & KM_WITHOUT_PTR)
		event.ptr = 0;
	if (without & KM_WITHOUT_ACTOR)
		event.task = event.context = 0;
	return event;
}

static void check_selection(const struct km_event *events, uint32_t n,
			    const struct km_chunk_selection *selection, const char *what)
{
	struct km_event *back = calloc(n, sizeof(*back));
	struct km_chunk chunk = {.events = n, .cpu = 7, .first_seq = UINT32_MAX - 2};
	uint32_t got = 0, at = 0, wrong = 0;
	const void *bytes;
	size_t size;

	if (km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size) ||
	    km_chunk_select(decoder, bytes, size, &no_limits, &chunk, selection, back, &got))
		wrong++;
	for (uint32_t i = 0; i < n; i++) {
		struct km_event want = reduced(events[i], selection->without);

		if (selected(&events[i], selection))
			wrong += at >= got || !test_same_event(&want, &back[at++]);
	}
	TAP_OK(!wrong && at == got, "%s: %u of %u, as selected by hand", what, got, n);
	free(back);
}

static void test_selections(struct km_event *events)
{
	enum { N = 5000 };
	uint8_t caches[TEST_CACHES] = {[3] = 1, [20] = 1};
	uint64_t time = 0, middle;

	for (uint32_t i = 0; i < N; i++) {
		events[i] = test_event(&time);
		events[i].cpu = 7;
		events[i].seq = UINT32_MAX - 2 + i;
	}
	middle = events[N / 2].time_ns;
#define SELECTION(...) (&(struct km_chunk_selection){.to_ns = UINT64_MAX, __VA_ARGS__})
	check_selection(events, N, SELECTION(.kinds = UINT32_MAX), "all");
	check_selection(events, N, SELECTION(.kinds = 5), "two kinds");
	check_selection(events, N, SELECTION(.kinds = 1u << KM_NR_EVENT_KINDS), "no kind");
	check_selection(events, N, SELECTION(.kinds = UINT32_MAX, .caches = caches), "two caches");
	check_selection(events, N, SELECTION(.kinds = UINT32_MAX, .from_ns = middle), "the end");
	check_selection(events, N, (&(struct km_chunk_selection){.kinds = 7, .to_ns = middle}),
			"the beginning");
	for (unsigned without = 0; without < 8; without++)
		check_selection(events, N,
				SELECTION(.kinds = 0x0f, .caches = caches, .without = without),
				"without fields");
#undef SELECTION
}

#ifdef __SANITIZE_THREAD__
#define FLIPS 1 /* one thread: nothing to find, and slow */
#else
#define FLIPS 8
#endif

/* Flip, cut and replace bytes of a chunk. `fixed`: with a checksum that fits the damage. */
static void test_damage(struct km_event *events, uint32_t n, const char *what)
{
	struct km_chunk chunk = {.events = n, .cpu = 3}, fixed;
	struct km_event *back = calloc(n, sizeof(*back));
	const struct km_chunk_selection part = {.to_ns = UINT64_MAX, .kinds = 0x5555};
	const struct km_chunk_selection window = {.from_ns = events[n / 3].time_ns,
						  .to_ns = events[n / 3 * 2].time_ns,
						  .kinds = UINT32_MAX};
	unsigned unseen = 0, crashed = 0, refused = 0;
	const void *bytes;
	uint32_t got;
	uint8_t *copy;
	size_t size;
	int code;

	code = km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size);
	TAP_EQ(code, 0, "%s: %u events take %zu bytes", what, n, size);
	copy = malloc(size); /* of its exact size, for the address sanitizer */
	memcpy(copy, bytes, size);
	for (size_t i = 0; i < size; i++) {
		uint8_t good = copy[i];

		for (int bit = 0; bit < FLIPS; bit++) {
			copy[i] = good ^ (uint8_t)(1 << bit);
			unseen += km_chunk_decode(decoder, copy, size, &no_limits, &chunk, back) !=
				  -EBADMSG;
			fixed = chunk;
			fixed.xxh64 = XXH64(copy, size, 0);
			code = km_chunk_decode(decoder, copy, size, &no_limits, &fixed, back);
			crashed += code != 0 && code != -EPROTO;
			refused += code == -EPROTO;
			code = km_chunk_select(decoder, copy, size, &no_limits, &fixed, &part, back,
					       &got);
			crashed += code != 0 && code != -EPROTO;
			code = km_chunk_select(decoder, copy, size, &no_limits, &fixed, &window,
					       back, &got);
			crashed += code != 0 && code != -EPROTO;
		}
		copy[i] = good;
	}
	TAP_EQ(unseen, 0, "%s: every flipped bit fails the checksum", what);
	TAP_EQ(crashed, 0, "%s: with the checksum forged it is refused or other events", what);
	TAP_OK(refused > 0, "%s: %u of %zu forgeries refused", what, refused, size * FLIPS);
	unseen = 0;
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *shorter = malloc(cut + !cut);

		memcpy(shorter, copy, cut);
		fixed = chunk;
		fixed.xxh64 = XXH64(shorter, cut, 0);
		unseen +=
			km_chunk_decode(decoder, shorter, cut, &no_limits, &fixed, back) != -EPROTO;
		free(shorter);
	}
	TAP_EQ(unseen, 0, "%s: every truncation is refused", what);
	free(copy);
	free(back);
}

/* What the chunk's row says must be what its bytes say. */
static void test_row_mismatch(struct km_event *events)
{
	struct km_chunk chunk = {.events = 100, .cpu = 3, .first_seq = 5}, row;
	struct km_event back[101];
	const void *bytes;
	size_t size;

	TAP_EQ(km_chunk_encode(encoder, events, &no_limits, &chunk, &bytes, &size), 0, "encode");
#define REFUSED(field, value)                                                                      \
	row = chunk;                                                                               \
	row.field = (value);                                                                       \
	TAP_EQ(km_chunk_decode(decoder, bytes, size, &no_limits, &row, back), -EPROTO,             \
	       "a wrong " #field " in the row is refused");
	REFUSED(events, 101)
	REFUSED(events, 99)
	REFUSED(cpu, 4)
	REFUSED(first_seq, 6)
	REFUSED(t_min, chunk.t_min + 1)
	REFUSED(t_max, chunk.t_max - 1)
	REFUSED(kinds, chunk.kinds ^ 1)
	REFUSED(sorted, !chunk.sorted)
#undef REFUSED
	TAP_EQ(km_chunk_decode(decoder, bytes, size, &no_limits, &chunk, back), 0,
	       "and the right row is accepted");
}

int main(void)
{
	struct km_event *events = calloc(KM_CHUNK_EVENTS, sizeof(*events));
	uint64_t time = 0;

	encoder = km_encoder_new();
	decoder = km_decoder_new();
	if (!events || !encoder || !decoder)
		return 2;
	test_round_trips(events);
	test_refusals();
	test_selections(events);
	for (uint32_t i = 0; i < 400; i++) {
		events[i] = test_event(&time);
		events[i].ptr = i % 3 ? events[i].ptr : events[i / 2].ptr;
	}
	test_row_mismatch(events);
	test_damage(events, 40, "plain streams");
	test_damage(events, 400, "compressed streams");
	for (uint32_t i = 0; i < 300; i++)
		events[i] = extreme_event();
	test_damage(events, 300, "extreme values");
	km_encoder_delete(encoder);
	km_decoder_delete(decoder);
	free(events);
	return tap_done();
}
