/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects by address: whatever began and ended, those that live are found with what they are,
 * before and after each renewal; of addresses that are spread, that share a home, and whose homes
 * are at the table's ends, so that runs go around.
 */
#include "analysis/living_table.h"
#include "engine/tests/tap.h"

#include <stdio.h>
#include <stdlib.h>

#define BITS 6
#define ADDRESSES 3000
#define CALLS 100000

static uint64_t state;

static uint64_t drawn(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* The address of a hash: that times the factor's inverse, which Newton's steps find. */
static uint64_t address_of(uint64_t hash)
{
	const uint64_t factor = 0x9e3779b97f4a7c15ull;
	uint64_t inverse = factor;

	for (unsigned i = 0; i < 6; i++)
		inverse *= 2 - factor * inverse;
	return hash * inverse;
}

static uint64_t spread(uint64_t i)
{
	return 0xffff888000000000ull + i * 64;
}

static uint64_t in_last_line(uint64_t i)
{
	return address_of(UINT64_MAX - i);
}

static uint64_t in_first_line(uint64_t i)
{
	return address_of(i + 1);
}

static uint64_t at_both_ends(uint64_t i)
{
	return i & 1 ? in_last_line(i) : in_first_line(i);
}

static uint64_t in_clusters(uint64_t i)
{
	return address_of((i % 5) << 61 | (i << 20 | 1));
}

struct expected {
	uint64_t address;
	uint32_t life; /* 0: it does not live */
};

/* Nothing that lives is missing or another; nothing else seems to live. */
static bool all_found(const struct km_living_table *table, const struct expected *expected)
{
	size_t live = 0, seem_live = 0;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		const struct km_living_place *place = km_living_find(table, expected[i].address);

		live += expected[i].life != 0;
		if (place->life != expected[i].life ||
		    (place->life && place->ptr != expected[i].address))
			return false;
	}
	for (size_t i = 0; i < table->nr_places; i++)
		seem_live += table->places[i].life != 0;
	return live == seem_live;
}

/* An object ends, or sometimes one begins where there is none: most have ended at any time. */
static void call(struct km_living_table *table, struct expected *expected, uint32_t life)
{
	struct km_living_place *place = km_living_find(table, expected->address);

	if (expected->life) {
		place->life = 0;
		expected->life = 0;
		return;
	}
	if (drawn() % 4)
		return;
	table->used += !place->ptr;
	*place = (struct km_living_place){expected->address, life};
	expected->life = life;
}

/* Addresses come into use one after the other, so that the table grows; in the end all are freed.
 */
static void check_addresses(const char *what, uint64_t (*address)(uint64_t))
{
	static struct expected expected[ADDRESSES];
	struct km_living_table table;
	unsigned renewals = 0, grown = 0, wrong = 0;

	for (unsigned i = 0; i < ADDRESSES; i++)
		expected[i] = (struct expected){address(i), 0};
	state = 88172645463325252ull;
	if (km_living_table_init(&table, BITS))
		exit(2);
	for (uint32_t i = 1; i <= CALLS; i++) {
		size_t places = table.nr_places;
		unsigned in_use = 1 + (unsigned)((uint64_t)i * ADDRESSES / CALLS);

		call(&table, &expected[drawn() % (in_use < ADDRESSES ? in_use : ADDRESSES)], i);
		if (table.used <= table.most)
			continue;
		wrong += !all_found(&table, expected);
		if (km_living_table_renew(&table))
			exit(2);
		wrong += table.used > table.most || !all_found(&table, expected);
		renewals++;
		grown += table.nr_places > places;
	}
	TAP_EQ(wrong, 0, "%s: all are found before and after each of %u renewals", what, renewals);
	TAP_OK(grown >= 3 && renewals > grown + 2, "%s: %u of them grew the table", what, grown);
	for (unsigned i = 0; i < ADDRESSES; i++)
		if (expected[i].life)
			call(&table, &expected[i], 0);
	if (km_living_table_renew(&table))
		exit(2);
	TAP_OK(!table.used && all_found(&table, expected), "%s: and none when all have ended",
	       what);
	km_living_table_free(&table);
}

int main(void)
{
	check_addresses("addresses that are spread", spread);
	check_addresses("all homes in the last line", in_last_line);
	check_addresses("all homes in the first line", in_first_line);
	check_addresses("homes in both", at_both_ends);
	check_addresses("homes in five places", in_clusters);
	return tap_done();
}
