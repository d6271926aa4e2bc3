/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table is made new in its place, run by run, as memory that was never touched is dear: a host
 * that took it back needs milliseconds for each 2 MiB of it.
 *
 * A run is some full lines and the one that ends them. What has its home in a run lies in it, but
 * for the last: looking goes on from there to the first. In a table twice as large the lines
 * [a, b] become [2a, 2b + 1], and objects that lay in a run find room in what becomes of it. So
 * runs can be taken out and put back one by one, the last first, while what the first holds waits
 * until all are done.
 */
#include "living_table.h"
#include "traces/huge.h"

#include <errno.h>
#include <stdlib.h>

/* Fuller, it is slower: a second line is needed more often, which nothing predicts. */
#define MOST_USED(places) ((places) / 2)
#define MOST_LIVE(places) ((places) / 4) /* so that the next renewal is not at once */
#define MAX_BITS 32

static size_t bytes_of(size_t places)
{
	return places * sizeof(struct km_living_place);
}

static void set_places(struct km_living_table *table, size_t places)
{
	table->nr_places = places;
	table->most = MOST_USED(places);
	table->shift = 64 - (unsigned)__builtin_ctzll(places);
}

int km_living_table_init(struct km_living_table *table, unsigned bits)
{
	*table = (struct km_living_table){.places = km_huge_map(bytes_of((size_t)1 << bits))};
	if (!table->places)
		return -ENOMEM;
	set_places(table, (size_t)1 << bits);
	return 0;
}

void km_living_table_free(struct km_living_table *table)
{
	km_huge_unmap(table->places, bytes_of(table->nr_places));
	*table = (struct km_living_table){0};
}

void km_living_table_touch(struct km_living_table *table)
{
	const size_t step = KM_HUGE_BYTES / sizeof(*table->places);

	for (size_t i = 0; i < table->nr_places; i += step)
		*(volatile uint64_t *)&table->places[i].ptr = 0;
}

/* ---- runs ---- */

static bool is_full(const struct km_living_table *table, size_t line)
{
	return table->places[KM_LIVING_LINE * line + KM_LIVING_LINE - 1].ptr != 0;
}

static size_t first_run_end(const struct km_living_table *table)
{
	size_t line = 0;

	while (is_full(table, line))
		line++;
	return line;
}

/* Where the run begins that ends at `end`: behind the first run. */
static size_t run_begin(const struct km_living_table *table, size_t end, size_t first_end)
{
	while (end - 1 > first_end && is_full(table, end - 1))
		end--;
	return end;
}

/* In lines; of the last of `lines` to those behind the first run. */
static size_t longest_run(const struct km_living_table *table, size_t lines, size_t first_end)
{
	size_t longest = 0;

	for (size_t end = lines - 1, begin; end > first_end; end = begin - 1) {
		begin = run_begin(table, end, first_end);
		if (end - begin + 1 > longest)
			longest = end - begin + 1;
	}
	return longest;
}

/* ---- moving ---- */

static size_t count_live(const struct km_living_table *table)
{
	size_t live = 0;

	for (size_t i = 0; i < table->nr_places; i++)
		live += table->places[i].life != 0;
	return live;
}

/* The live objects of the lines [begin, end], which are then empty: how many these were. */
static size_t take_lines(struct km_living_table *table, size_t begin, size_t end,
			 struct km_living_place *taken)
{
	size_t n = 0;

	for (size_t i = KM_LIVING_LINE * begin; i < KM_LIVING_LINE * (end + 1); i++) {
		taken[n] = table->places[i];
		n += taken[n].life != 0;
		table->places[i] = (struct km_living_place){0};
	}
	return n;
}

static void put_back(struct km_living_table *table, const struct km_living_place *taken, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*km_living_find(table, taken[i].ptr) = taken[i];
}

static int grow(struct km_living_table *table)
{
	void *places;

	if (table->nr_places >> (MAX_BITS - 1))
		return -ENOMEM;
	places = km_huge_grow(table->places, bytes_of(table->nr_places),
			      bytes_of(2 * table->nr_places));
	if (!places)
		return -ENOMEM;
	table->places = places;
	set_places(table, 2 * table->nr_places);
	return 0;
}

int km_living_table_renew(struct km_living_table *table)
{
	size_t lines = table->nr_places / KM_LIVING_LINE, first_end = first_run_end(table);
	size_t live = count_live(table), most, n, in_first;
	struct km_living_place *taken, *first;

	/* take_lines() writes one more than it keeps. */
	most = longest_run(table, lines, first_end) + first_end + 1;
	taken = malloc(bytes_of(KM_LIVING_LINE * most + 2));
	if (!taken)
		return -ENOMEM;
	if (live > MOST_LIVE(table->nr_places) && grow(table)) {
		free(taken);
		return -ENOMEM;
	}
	in_first = take_lines(table, 0, first_end, taken);
	first = taken;
	taken += in_first;
	for (size_t end = lines - 1, begin; end > first_end; end = begin - 1) {
		begin = run_begin(table, end, first_end);
		n = take_lines(table, begin, end, taken);
		put_back(table, taken, n);
	}
	put_back(table, first, in_first);
	table->used = live;
	free(first);
	return 0;
}
