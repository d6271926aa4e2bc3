/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of traits: half of the slots are empty at least. */
#include "living_traits.h"

#include <stdlib.h>

#define FIRST_BITS 9

static uint32_t *slot_of(const struct km_living_numbers *numbers,
			 const struct km_living_traits *traits)
{
	const uint64_t factor = 0x9e3779b97f4a7c15ull;
	const uint32_t mask = (1u << numbers->bits) - 1;
	uint64_t hash = (traits->bytes_req * factor ^ traits->group) * factor;
	uint32_t at;

	hash = (hash ^ hash >> 32 ^ traits->bytes_alloc) * factor;
	for (at = (uint32_t)(hash >> (64 - numbers->bits)); numbers->slots[at];
	     at = (at + 1) & mask) {
		const struct km_living_traits *known = &numbers->traits[numbers->slots[at]];

		if (known->bytes_req == traits->bytes_req &&
		    known->bytes_alloc == traits->bytes_alloc && known->group == traits->group)
			break;
	}
	return &numbers->slots[at];
}

static bool grow(struct km_living_numbers *numbers)
{
	struct km_living_numbers grown = *numbers;

	grown.bits = numbers->bits ? numbers->bits + 1 : FIRST_BITS;
	grown.traits = realloc(numbers->traits, (sizeof(*grown.traits) << grown.bits) / 2);
	if (!grown.traits)
		return false;
	numbers->traits = grown.traits;
	grown.slots = calloc((size_t)1 << grown.bits, sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	if (!numbers->bits)
		grown.next = KM_LIVING_FIRST_NUMBER;
	for (uint32_t i = KM_LIVING_FIRST_NUMBER; i < grown.next; i++)
		*slot_of(&grown, &grown.traits[i]) = i;
	free(numbers->slots);
	*numbers = grown;
	return true;
}

bool km_living_number(struct km_living_numbers *numbers, const struct km_living_traits *traits,
		      uint32_t *number)
{
	uint32_t *slot;

	if (!numbers->bits && !grow(numbers))
		return false;
	slot = slot_of(numbers, traits);
	if (!*slot && numbers->next <= numbers->most) {
		if (numbers->next == 1u << numbers->bits >> 1) {
			if (!grow(numbers))
				return false;
			slot = slot_of(numbers, traits);
		}
		numbers->traits[numbers->next] = *traits;
		*slot = numbers->next++;
	}
	*number = *slot;
	return true;
}

void km_living_numbers_free(struct km_living_numbers *numbers)
{
	free(numbers->traits);
	free(numbers->slots);
	*numbers = (struct km_living_numbers){0};
}
