/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of one CPU -> columns, as they come: what is in the cache when it is appended is not
 * fetched again when the chunk is full. Each column has its loop over the few events at hand.
 */
#include "builder.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define KM_FIRST_SLOT_BITS 10

struct km_builder *km_builder_new(void)
{
	struct km_builder *builder = calloc(1, sizeof(*builder));

	if (builder)
		km_builder_reset(builder);
	return builder;
}

void km_builder_delete(struct km_builder *builder)
{
	free(builder);
}

uint32_t km_builder_events(const struct km_builder *builder)
{
	return builder->n;
}

void km_builder_count(const struct km_builder *builder, uint64_t counts[KM_NR_EVENT_KINDS])
{
	for (uint32_t i = 0; i < builder->nr_shapes; i++)
		counts[km_shape_event(&builder->shapes[i]).kind] += builder->shapes[i].events;
}

/* ---- hash tables ---- */

static void clear_slots(struct km_slots *slots, unsigned bits)
{
	slots->bits = bits;
	memset(slots->slot, 0, sizeof(*slots->slot) << bits);
}

static inline uint32_t home_of(const struct km_slots *slots, uint64_t hash)
{
	return (uint32_t)(hash >> (64 - slots->bits));
}

static inline uint32_t slot_after(const struct km_slots *slots, uint32_t at)
{
	return (at + 1) & ((1u << slots->bits) - 1);
}

/* Into a slot that is free; all entries differ. */
static void put_slot(struct km_slots *slots, uint64_t hash, uint32_t entry)
{
	uint32_t at = home_of(slots, hash);

	while (slots->slot[at])
		at = slot_after(slots, at);
	slots->slot[at] = entry + 1;
}

/* At most half of them are taken; so many entries, the last of them not in it yet, are crowded. */
static inline bool slots_crowded(const struct km_slots *slots, uint32_t entries)
{
	return entries > 1u << slots->bits >> 1;
}

void km_builder_reset(struct km_builder *builder)
{
	builder->n = builder->nr_shapes = builder->nr_actors = builder->shape = builder->actor = 0;
	builder->shapes[0].next = 0;
	builder->shapes[0].word[4] = UINT64_MAX; /* no event's */
	builder->sorted = true;
	builder->t_min = UINT64_MAX;
	builder->t_max = builder->time = 0;
	memset(builder->group_ptr, 0, sizeof(builder->group_ptr));
	builder->time_end = builder->time_high;
	builder->ptr_end = builder->ptr_bytes;
	clear_slots(&builder->shape_slots, KM_FIRST_SLOT_BITS);
	clear_slots(&builder->actor_slots, KM_FIRST_SLOT_BITS);
}

/* ---- shapes ---- */

/* Fields that lie together are taken together. */
_Static_assert(offsetof(struct km_event, site) == offsetof(struct km_event, gfp) + 4 &&
		       offsetof(struct km_event, node) + 8 == sizeof(struct km_event) &&
		       offsetof(struct km_event, kind) == offsetof(struct km_event, node) + 2 &&
		       offsetof(struct km_event, order) == offsetof(struct km_event, node) + 4 &&
		       offsetof(struct km_event, migratetype) ==
			       offsetof(struct km_event, node) + 5,
	       "words of a shape");
#define KM_NODE_WORD 0x0000ffff00ffffffull /* without context and reserved */

static inline uint64_t word_at(const struct km_event *event, size_t offset)
{
	return km_load64((const uint8_t *)event + offset);
}

static inline void shape_words(const struct km_event *event, uint64_t word[5])
{
	word[0] = event->bytes_req;
	word[1] = event->bytes_alloc;
	word[2] = word_at(event, offsetof(struct km_event, gfp));
	word[3] = (uint64_t)event->stack << 32 | event->cache;
	word[4] = word_at(event, offsetof(struct km_event, node)) & KM_NODE_WORD;
}

struct km_event km_shape_event(const struct km_shape *shape)
{
	const uint64_t *word = shape->word;

	return (struct km_event){.bytes_req = word[0],
				 .bytes_alloc = word[1],
				 .gfp = (uint32_t)word[2],
				 .site = (uint32_t)(word[2] >> 32),
				 .stack = (uint32_t)(word[3] >> 32),
				 .cache = (uint16_t)word[3],
				 .node = (int16_t)(uint16_t)word[4],
				 .kind = (uint8_t)(word[4] >> 16),
				 .order = (uint8_t)(word[4] >> 32),
				 .migratetype = (uint8_t)(word[4] >> 40)};
}

static inline uint64_t shape_hash(const uint64_t word[5])
{
	uint64_t hash = word[2] * 0x9e3779b97f4a7c15ull;

	hash ^= (word[0] ^ word[4] << 32) * 0xc2b2ae3d27d4eb4full;
	hash ^= (word[1] ^ (word[3] << 29 | word[3] >> 35)) * 0x165667b19e3779f9ull;
	return (hash ^ hash >> 29) * 0x9e3779b97f4a7c15ull;
}

static inline bool same_words(const uint64_t a[5], const uint64_t b[5])
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]));
}

__attribute__((noinline)) static int new_shape(struct km_builder *builder, const uint64_t word[5])
{
	struct km_slots *slots = &builder->shape_slots;
	uint32_t id = builder->nr_shapes;
	struct km_shape *shape = &builder->shapes[id];

	*shape = (struct km_shape){.events = 0};
	memcpy(shape->word, word, sizeof(shape->word));
	if (km_shape_event(shape).kind >= KM_NR_EVENT_KINDS)
		return -EINVAL;
	shape->group = (uint8_t)km_event_group_of(km_shape_event(shape).kind);
	builder->nr_shapes++;
	if (slots_crowded(slots, builder->nr_shapes)) {
		clear_slots(slots, slots->bits + 1);
		for (uint32_t i = 0; i < id; i++)
			put_slot(slots, shape_hash(builder->shapes[i].word), i);
	}
	put_slot(slots, shape_hash(word), id);
	return 0;
}

/* The shape's place, or how many there are if it is none of them. */
static inline uint32_t find_shape(const struct km_builder *builder, const uint64_t word[5])
{
	const struct km_slots *slots = &builder->shape_slots;
	uint32_t at = home_of(slots, shape_hash(word)), id;

	for (; (id = slots->slot[at]); at = slot_after(slots, at))
		if (same_words(builder->shapes[id - 1].word, word))
			return id - 1;
	return builder->nr_shapes;
}

/* Bytes; events that come from memory are waited for otherwise. There may be none any more. */
#define KM_FETCH_AHEAD (24 * sizeof(struct km_event))

/* A kernel repeats itself: mostly what came after a shape comes after it again. */
static int add_shapes(struct km_builder *builder, const struct km_event *events, uint32_t n)
{
	uint32_t last = builder->shape;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = builder->shapes[last].next;
		uint64_t word[5];

		__builtin_prefetch((const void *)((uintptr_t)&events[i] + KM_FETCH_AHEAD));
		shape_words(&events[i], word);
		if (!same_words(builder->shapes[id].word, word)) {
			id = find_shape(builder, word);
			if (id == builder->nr_shapes && new_shape(builder, word))
				return -EINVAL;
			builder->shapes[last].next = (uint16_t)id;
		}
		builder->shapes[id].events++;
		builder->shape_of[builder->n + i] = (uint16_t)id;
		last = id;
	}
	builder->shape = last;
	return 0;
}

/* ---- actors ---- */

static inline uint64_t actor_hash(uint64_t actor)
{
	return actor * 0x9e3779b97f4a7c15ull;
}

static int new_actor(struct km_builder *builder, uint64_t actor)
{
	struct km_slots *slots = &builder->actor_slots;
	uint32_t id = builder->nr_actors;

	if ((uint8_t)actor > KM_CTX_UNKNOWN)
		return -EINVAL;
	builder->actors[builder->nr_actors++] = actor;
	if (slots_crowded(slots, builder->nr_actors)) {
		clear_slots(slots, slots->bits + 1);
		for (uint32_t i = 0; i < id; i++)
			put_slot(slots, actor_hash(builder->actors[i]), i);
	}
	put_slot(slots, actor_hash(actor), id);
	return 0;
}

static uint32_t find_actor(const struct km_builder *builder, uint64_t actor)
{
	const struct km_slots *slots = &builder->actor_slots;
	uint32_t at = home_of(slots, actor_hash(actor)), id;

	for (; (id = slots->slot[at]); at = slot_after(slots, at))
		if (builder->actors[id - 1] == actor)
			return id - 1;
	return builder->nr_actors;
}

/* Mostly who ran before runs on. */
static int add_actors(struct km_builder *builder, const struct km_event *events, uint32_t n)
{
	uint32_t last = builder->actor;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t actor = (uint64_t)events[i].task << 8 | events[i].context;

		if (!builder->nr_actors || builder->actors[last] != actor) {
			last = find_actor(builder, actor);
			if (last == builder->nr_actors && new_actor(builder, actor))
				return -EINVAL;
		}
		builder->actor_of[builder->n + i] = (uint16_t)last;
	}
	builder->actor = last;
	return 0;
}

/* ---- times ---- */

/* Bytes that hold the value, less one. */
static inline unsigned bytes_of(uint64_t value)
{
	return ((unsigned)__builtin_clzll(value | 1) ^ 63) / 8;
}

/* By bytes_of(): index in km_time_high of the least width that holds the value. */
static const uint8_t time_width[8] = {0, 1, 2, 3, 3, 3, 3, 3};

static void add_times(struct km_builder *builder, const struct km_event *events, uint32_t n)
{
	uint64_t last = builder->time, t_min = builder->t_min, t_max = builder->t_max, back = 0;
	uint8_t *width = builder->time_width + builder->n, *low = builder->time_low + builder->n;
	uint8_t *high = builder->time_end;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t time = events[i].time_ns, step = km_zigzag(time - last);
		unsigned w = time_width[bytes_of(step)];

		back |= time < last;
		last = time;
		t_min = time < t_min ? time : t_min;
		t_max = time > t_max ? time : t_max;
		width[i] = (uint8_t)w;
		low[i] = (uint8_t)step;
		km_store64(high, step >> 8);
		high += km_time_high[w];
	}
	builder->sorted &= !back;
	builder->time_end = high;
	builder->time = last;
	builder->t_min = t_min;
	builder->t_max = t_max;
}

/* ---- pointers ---- */

/* By bytes_of(): how much further than its group's first the code is that holds the value. */
static const uint8_t ptr_width[8] = {0, 1, 2, 3, 4, 4, 4, 4};

/* So many events are looked up before the first is told: what is fetched is there by then. */
#define KM_PTR_STEP 64

/*
 * The n events from number `first` on: those that may have had their pointers before, or they
 * themselves where none did.
 */
static void look_up(struct km_builder *builder, const struct km_event *events, uint32_t first,
		    uint32_t n, uint32_t *before)
{
	for (uint32_t k = 0, i = first; k < n; k++, i++) {
		uint64_t ptr = events[k].ptr, hash = ptr * 0x9e3779b97f4a7c15ull;
		uint32_t *slot = &builder->seen[hash >> (64 - KM_SEEN_BITS)];
		uint32_t tag = (uint32_t)(hash >> 16) & 0xffff0000, at = *slot ^ tag;

		*slot = tag | i;
		before[k] = at < i ? at : i; /* what is not likely is not fetched */
		__builtin_prefetch(&builder->ptr[before[k]]);
		builder->ptr[i] = ptr;
	}
}

/*
 * How a pointer is told cannot be predicted, so all ways are gone and one result is taken, without
 * a branch.
 */
static uint8_t *tell_ptrs(struct km_builder *builder, const uint32_t *before, uint32_t first,
			  uint32_t n, uint8_t *out)
{
	for (uint32_t k = 0, i = first; k < n; k++, i++) {
		uint64_t ptr = builder->ptr[i], other = builder->ptr[before[k]] ^ ptr, value, taken;
		struct km_shape *shape = &builder->shapes[builder->shape_of[i]];
		uint64_t *group = &builder->group_ptr[shape->group];
		uint64_t difference = ptr - (shape->near ? shape->near : *group);
		/* Events between the two that had the pointer, or all ones. */
		uint32_t ago = (i - 1 - before[k]) | (uint32_t) - ((other | -other) >> 63);
		bool odd = difference & 7;
		unsigned code, seen_code = KM_PTR_SEEN + (ago > 0xff);

		value = km_zigzag((uint64_t)((int64_t)difference >> (odd ? 0 : 3)));
		code = (odd ? KM_PTR_ONES : KM_PTR_EIGHTS) + ptr_width[bytes_of(value)];
		/* "Seen" where it is no longer. */
		taken = -(uint64_t)((ago < i) & ((ago <= 0xff) | (value > 0xff)));
		value = (value & ~taken) | (ago & taken);
		code = (code & (unsigned)~taken) | (seen_code & (unsigned)taken);
		shape->near = *group = ptr;
		builder->ptr_code[i] = (uint8_t)code;
		km_store64(out, value);
		out += km_ptr_width[code];
	}
	return out;
}

static void add_ptrs(struct km_builder *builder, const struct km_event *events, uint32_t n)
{
	uint32_t before[KM_PTR_STEP];

	for (uint32_t k = 0, step; k < n; k += step) {
		step = n - k < KM_PTR_STEP ? n - k : KM_PTR_STEP;
		look_up(builder, events + k, builder->n + k, step, before);
		builder->ptr_end =
			tell_ptrs(builder, before, builder->n + k, step, builder->ptr_end);
	}
}

int km_builder_add(struct km_builder *builder, const struct km_event *events, uint32_t n)
{
	int code;

	if (n > KM_CHUNK_EVENTS - builder->n)
		return -EINVAL;
	if ((code = add_shapes(builder, events, n)) || (code = add_actors(builder, events, n)))
		return code;
	add_times(builder, events, n);
	add_ptrs(builder, events, n);
	builder->n += n;
	return 0;
}
