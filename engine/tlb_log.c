/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LRU of many ways: every use of a set is written down in its log. As many places of the log as the
 * set has ways are the last ones of keys that it holds; the oldest of these is the victim. So a key
 * is there if its last place is not before the oldest. Nothing needs to be taken out: what is
 * before the oldest is past, and when the log is full it is written anew from what is left.
 *
 * Hits and misses do the same: one place is crossed out, the key's last or the oldest. There is no
 * branch on which of the two, which they would mislead in turn.
 */
#include <string.h>

#include "tlb.h"

#define always_inline static inline __attribute__((always_inline))

/* No place that is ever written is in the first word: as a key's last it is past. */
#define NEVER 0u
#define FIRST 64u

/* One set's part of the tables. */
struct set {
	uint64_t *keys, *last;
	uint32_t *before, *heads;
	unsigned head_shift;
	struct km_tlb_log *log;
};

always_inline struct set set_at(const struct km_tlb_array *array, uint32_t number)
{
	size_t place = (size_t)number << array->log_bits;

	return (struct set){
		.keys = array->keys + place,
		.last = array->lasts + place / 64,
		.before = array->before + place,
		.heads = array->heads + ((size_t)number << array->head_bits),
		.head_shift = 64u - array->head_bits,
		.log = &array->logs[number],
	};
}

/* Knuth's multiplicative hash: neighbours do not meet, nor pages alike in their low bits. */
always_inline uint32_t *head_of(const struct set *set, uint64_t key)
{
	return &set->heads[(key >> 4) * 0x9e3779b97f4a7c15ull >> set->head_shift];
}

/* Neither is it the key's nor past: the compiler must not make two branches of that. */
always_inline bool is_another(const struct set *set, size_t oldest, size_t place, uint64_t key)
{
	unsigned is = (place >= oldest) & (set->keys[place] != key);

	__asm__("" : "+r"(is));
	return is;
}

/* The key's last place; one that is past: it is not there. */
always_inline size_t find_last(const struct set *set, size_t oldest, size_t place, uint64_t key)
{
	while (__builtin_expect(is_another(set, oldest, place, key), 0))
		place = set->before[place];
	return place;
}

always_inline void write_down(const struct set *set, uint32_t *head, size_t place, uint64_t key)
{
	set->keys[place] = key;
	set->before[place] = *head;
	*head = (uint32_t)place;
}

/*
 * Begin the log with the places that are last ones. dropped: in its stead there is an empty one,
 * which is the oldest; NEVER: none.
 */
static void renew(const struct km_tlb_array *array, const struct set *set, size_t dropped)
{
	const struct km_tlb_log log = *set->log;
	uint32_t words = (log.end + 63) / 64, end = FIRST;
	uint64_t late = 0; /* while there is one to drop, each comes one place later */

	set->last[log.first / 64] = log.live;
	if (log.end % 64)
		set->last[words - 1] &= (1ull << log.end % 64) - 1;
	memset(set->heads, 0, sizeof(*set->heads) << array->head_bits);
	for (uint32_t word = log.first / 64; word < words; word++)
		for (uint64_t left = set->last[word]; left; left &= left - 1) {
			uint32_t from = word * 64 + (uint32_t)__builtin_ctzll(left);
			uint64_t key = set->keys[from], kept = dropped == NEVER ? key : late;

			late = key;
			dropped = from == dropped ? NEVER : dropped;
			write_down(set, head_of(set, kept), end++, kept);
		}
	/* All to come are the last ones, until they are crossed out. */
	memset(set->last, 0xff, sizeof(*set->last) << array->log_bits >> 6);
	*set->log = (struct km_tlb_log){.end = end, .first = FIRST, .live = UINT64_MAX};
}

/* Use keys[from] up to keys[to], for which there is room; how many have missed with them. */
always_inline size_t use_keys(const struct set *set, const uint64_t *keys, size_t from, size_t to,
			      uint16_t *missed, size_t misses)
{
	const struct set at = *set;
	size_t first = at.log->first, end = at.log->end;
	uint64_t live = at.log->live;

	for (size_t i = from; i < to; i++) {
		uint32_t *head = head_of(&at, keys[i]);
		size_t place = find_last(&at, first, *head, keys[i]);
		uint64_t bit = 1ull << place % 64, in_word = -(uint64_t)(place - first < 64);
		uint64_t here = live & bit & in_word;
		uint64_t crossed = here ? here : live & -live;

		at.last[place / 64] &= ~bit;
		/* A place in a later word is crossed out there. */
		crossed &= (uint64_t)((int64_t)(place - first - 64) >> 63);
		live ^= crossed;
		while (__builtin_expect(!live, 0)) {
			first += 64;
			live = at.last[first / 64];
		}
		write_down(&at, head, end++, keys[i]);
		missed[misses] = (uint16_t)i;
		misses += crossed != here;
	}
	*at.log = (struct km_tlb_log){.end = (uint32_t)end, .first = (uint32_t)first, .live = live};
	return misses;
}

always_inline size_t use_many(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
			      uint16_t *missed)
{
	const size_t size = (size_t)1 << array->log_bits;
	struct set set = set_at(array, 0);
	size_t misses = 0;

	for (size_t i = 0, to; i < n; i = to) {
		if (array->sets > 1)
			set = set_at(array, km_tlb_set_of(array, keys[i]));
		to = array->sets > 1 ? i + 1 : n;
		if (to - i > size - set.log->end)
			to = i + size - set.log->end;
		misses = use_keys(&set, keys, i, to, missed, misses);
		if (set.log->end == size)
			renew(array, &set, NEVER);
	}
	return misses;
}

#ifdef __x86_64__
/* A bit at a variable place is then one instruction, not three. */
static __attribute__((target("bmi,bmi2"))) size_t
use_many_bmi(const struct km_tlb_array *array, const uint64_t *keys, size_t n, uint16_t *missed)
{
	return use_many(array, keys, n, missed);
}
#endif

size_t km_tlb_log_use_many(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
			   uint16_t *missed)
{
#ifdef __x86_64__
	if (km_tlb_widest >= 4 && __builtin_cpu_supports("bmi2"))
		return use_many_bmi(array, keys, n, missed);
#endif
	return use_many(array, keys, n, missed);
}

bool km_tlb_log_use(const struct km_tlb_array *array, uint64_t key)
{
	uint16_t missed;

	return !km_tlb_log_use_many(array, &key, 1, &missed);
}

void km_tlb_log_remove(const struct km_tlb_array *array, uint64_t key)
{
	const struct set set = set_at(array, km_tlb_set_of(array, key));
	size_t oldest = set.log->first + (size_t)__builtin_ctzll(set.log->live);
	size_t place = find_last(&set, oldest, *head_of(&set, key), key);

	if (place >= oldest)
		renew(array, &set, place);
}

void km_tlb_log_clear(const struct km_tlb_array *array)
{
	for (uint32_t i = 0; i < array->sets; i++) {
		const struct set set = set_at(array, i);

		memset(set.keys, 0, sizeof(*set.keys) << array->log_bits);
		memset(set.last, 0xff, sizeof(*set.last) << array->log_bits >> 6);
		*set.log = (struct km_tlb_log){
			.end = FIRST + array->ways, .first = FIRST, .live = UINT64_MAX};
		memset(set.heads, 0, sizeof(*set.heads) << array->head_bits);
	}
}
