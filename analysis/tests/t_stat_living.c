/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What live objects are said to be, however much of it a word holds: births and ends at random,
 * each end beside a plain list, for times beyond what was announced, for more traits than there are
 * bits, and for groups of the objects' own.
 */
#include "analysis/stat_living.h"
#include "engine/tests/tap.h"

#include <stdlib.h>
#include <string.h>

#define ADDRESSES 2000
#define SHAPES 60
#define CALLS 200000

static uint64_t state;

static uint64_t drawn(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

struct expected {
	bool live;
	uint64_t time_ns, bytes_alloc;
	uint32_t group, cpu;
};

struct pass {
	struct km_living live;
	struct km_living_shape begins[SHAPES], ends;
	struct km_event events[SHAPES];
	struct expected expected[ADDRESSES];
	uint64_t latest_ns;
	uint32_t own_groups;
	unsigned wrong, checked;
	uint64_t most_live, now_live;
};

static uint64_t address_of(uint64_t i)
{
	return 0xffff888000000000ull + 64 * i;
}

static void prepare(struct pass *pass)
{
	const struct km_event end = {.kind = KM_EV_KFREE, .cpu = 1};

	for (uint32_t i = 0; i < SHAPES; i++) {
		struct km_event *event = &pass->events[i];

		*event = (struct km_event){.kind = KM_EV_KMALLOC,
					   .cpu = i % 3,
					   .bytes_req = 8 + i,
					   .bytes_alloc = i == 7 ? 1ull << 40 : 16 + i};
		if (!km_living_shape(&pass->live, event, pass->own_groups ? 0 : i,
				     &pass->begins[i]))
			exit(2);
	}
	if (!km_living_shape(&pass->live, &end, 0, &pass->ends))
		exit(2);
}

static bool is_as(const struct pass *pass, const struct km_living_place *place,
		  const struct expected *expected)
{
	const struct km_living_birth birth = km_living_birth(&pass->live, place);

	return birth.time_ns == expected->time_ns && birth.group == expected->group &&
	       birth.traits->bytes_alloc == expected->bytes_alloc && birth.cpu == expected->cpu;
}

static void begin(struct pass *pass, uint64_t ptr, struct expected *expected)
{
	const uint32_t shape = (uint32_t)drawn(SHAPES);
	static const struct km_actor actor = {.task = 1};
	const struct km_living_call call = {ptr, drawn(pass->latest_ns), &actor};
	const uint32_t group = pass->own_groups ? (uint32_t)drawn(pass->own_groups) : shape;
	bool twice;
	struct km_living_place *place =
		km_living_alloc(&pass->live, &call, &pass->begins[shape], &twice);

	/* Where one is already, that has ended unseen. */
	pass->wrong += twice || (place->life != 0) != expected->live ||
		       (expected->live && !is_as(pass, place, expected));
	pass->now_live += !expected->live;
	*expected = (struct expected){true, call.time_ns, pass->events[shape].bytes_alloc, group,
				      pass->events[shape].cpu};
	if (km_living_put(&pass->live, place, &call, &pass->begins[shape], group))
		exit(2);
	pass->live.nr_large = 0; /* what follows a large one is not what this is about */
}

static void end(struct pass *pass, uint64_t ptr, struct expected *expected)
{
	struct km_living_place *place = km_living_freed(&pass->live, ptr);

	pass->checked++;
	pass->wrong +=
		(place != NULL) != expected->live || (place && !is_as(pass, place, expected));
	if (place) {
		km_living_remove(&pass->live, place);
		pass->now_live--;
	}
	expected->live = false;
}

/* The object becomes that of another call site. */
static void change(struct pass *pass, uint64_t ptr, struct expected *expected)
{
	struct km_living_place *place = km_living_find(&pass->live.table, ptr);
	const uint32_t shape = (uint32_t)drawn(SHAPES);
	const uint32_t group = pass->own_groups ? (uint32_t)drawn(pass->own_groups) : shape;

	if (!place->life)
		return;
	if (km_living_change(&pass->live, place, &pass->begins[shape], group))
		exit(2);
	*expected = (struct expected){true, expected->time_ns, pass->events[shape].bytes_alloc,
				      group, pass->events[shape].cpu};
}

/* Times are below latest_ns, of which the duration tells; some births are wide, or none. */
static void check(const char *what, uint64_t latest_ns, uint64_t duration_ns, uint32_t own_groups,
		  unsigned cpus, bool wide)
{
	static struct pass pass;
	const struct km_living_hints hints = {
		.calls = CALLS, .duration_ns = duration_ns, .own_groups = own_groups, .cpus = cpus};

	memset(&pass, 0, sizeof(pass));
	pass.latest_ns = latest_ns;
	pass.own_groups = own_groups;
	state = 88172645463325252ull;
	if (km_living_init(&pass.live, &hints))
		exit(2);
	prepare(&pass);
	for (unsigned i = 0; i < CALLS; i++) {
		const uint64_t at = drawn(ADDRESSES), call = drawn(8);

		if (call < 4)
			begin(&pass, address_of(at), &pass.expected[at]);
		else if (call < 7)
			end(&pass, address_of(at), &pass.expected[at]);
		else
			change(&pass, address_of(at), &pass.expected[at]);
		if (pass.now_live > pass.most_live)
			pass.most_live = pass.now_live;
	}
	TAP_OK(!pass.wrong && pass.checked > CALLS / 4, "%s: %u of %u ends are not right", what,
	       pass.wrong, pass.checked);
	TAP_OK(wide ? pass.live.nr_wide > 0 && pass.live.nr_wide <= pass.most_live + 1
		    : !pass.live.nr_wide,
	       "%s: %llu wide births for %llu objects", what, (unsigned long long)pass.live.nr_wide,
	       (unsigned long long)pass.most_live);
	km_living_free(&pass.live);
}

static struct km_living_traits traits_of(uint32_t i)
{
	return (struct km_living_traits){i % 50, i % 50 + i % 7, i};
}

/* Numbers are as many as there are and stay what they were; then there are none. */
static void check_numbers(void)
{
	const uint32_t most = 3000;
	struct km_living_numbers numbers = {.most = most};
	uint32_t wrong = 0, number;

	for (unsigned pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < 2 * most; i++) {
			const uint32_t want = i + KM_LIVING_FIRST_NUMBER;
			const struct km_living_traits traits = traits_of(i);

			if (!km_living_number(&numbers, &traits, &number))
				exit(2);
			wrong += number != (want <= most ? want : 0);
			wrong += number && (numbers.traits[number].group != i ||
					    numbers.traits[number].bytes_req != i % 50);
		}
	TAP_EQ(wrong, 0, "6000 traits, twice, and 2999 numbers");
	km_living_numbers_free(&numbers);
}

int main(void)
{
	const uint64_t minute = 60000000000ull, years = 1ull << 60;

	check("a minute", minute, minute, 0, 3, false);
	check("a minute, by task", minute, minute, 5000, 3, false);
	check("a minute, by task, of many CPUs", minute, minute, 5000, 256, false);
	check("times beyond the duration", years, minute, 0, 3, true);
	check("times beyond the duration, by task", years, minute, 5000, 3, true);
	check("years", years, years, 0, 3, true);
	check("more traits than numbers, by task", minute, minute, 1 << 24, 3, true);
	check("no room for groups and CPUs", minute, minute, UINT32_MAX, 60000, true);
	check("all times", UINT64_MAX, UINT64_MAX, UINT32_MAX, 3, true);
	check_numbers();
	return tap_done();
}
