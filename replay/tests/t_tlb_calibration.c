/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calibration without a machine: points made by a known TLB are fitted, and the geometry, the costs
 * and the points held out must come back; points of no TLB must not pass for calibrated; a file
 * holds what was written, and what is no calibration is refused.
 */
#include "replay/tlb_repeat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/tests/tap.h"
#include "replay/host.h"

static const struct km_tlb_spec truth = {
	.l1 = {{64, 4, KM_TLB_HOLDS_ALL, KM_TLB_LRU}},
	.l2 = {{1024, 8, KM_TLB_HOLDS_ALL, KM_TLB_RANDOM}},
	.levels = 4,
};
#define DENSE_NS 2.0
#define HIT_NS 2.5
#define WALK_NS 20.0

/* Miss ratios of a cycle through n neighbouring pages, in an order of the test's own. */
static double true_ns(uint32_t n)
{
	struct km_tlb_counts counts;
	struct km_tlb *tlb;
	struct km_env env;

	km_host_env(&env, 99);
	if (km_tlb_create(&env, &truth, &tlb))
		return NAN;
	for (unsigned cycle = 0; cycle < 12; cycle++) {
		if (cycle == 2)
			km_tlb_reset_counts(tlb);
		for (uint32_t i = 0; i < n; i++)
			km_tlb_access(tlb, (uint64_t)i << KM_PAGE_SHIFT, KM_TLB_4K);
	}
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	return DENSE_NS +
	       (double)(counts.l1_misses - counts.l2_misses) / (double)counts.refs * HIT_NS +
	       (double)counts.l2_misses / (double)counts.refs * WALK_NS;
}

static void add_point(struct km_tlb_calibration *c, enum km_tlb_place place, uint32_t pages,
		      double ns)
{
	double rounds[] = {ns, ns, ns};

	c->points[c->nr_points++] = km_tlb_point_of(place, pages, rounds, 3);
}

static struct km_tlb_calibration *make(double (*ns)(uint32_t))
{
	struct km_tlb_calibration *c = calloc(1, sizeof(*c));

	c->cycle_ns = 0.25;
	c->huge_pages = 4;
	strcpy(c->kernel_why, "not asked for");
	strcpy(c->cpu.brand, "a CPU of this test");
	for (unsigned i = 0; i < KM_TLB_SIZES_MEASURED; i++) {
		add_point(c, KM_TLB_USER, km_tlb_pages[i], ns(km_tlb_pages[i]));
		add_point(c, KM_TLB_USER_DENSE, km_tlb_pages[i], DENSE_NS);
	}
	return c;
}

static const uint32_t few_l1[] = {64, 96}, few_l2[] = {1024, 1536}, few_lines[] = {65536};
static const struct km_tlb_search few = {few_l1, few_l2, few_lines, 2, 2, 1};
static const struct km_tlb_search one = {few_l1, few_l2, few_lines, 1, 1, 1};

static bool within(double got, double want, double share)
{
	return fabs(got - want) <= share * want;
}

static void test_recovers(void)
{
	struct km_tlb_calibration *c = make(true_ns);
	const struct km_tlb_place_fit *fit = &c->fits[KM_TLB_USER];
	struct km_err err = {""};

	TAP_EQ(km_tlb_fit(c, &few, &err), 0, "points are fitted%s", err.text);
	TAP_EQ(c->l1.entries, 64, "the L1 entries come back");
	TAP_EQ(c->l1.ways, 4, "and its ways");
	TAP_EQ(c->l2.entries, 1024, "the L2 entries come back");
	TAP_EQ(c->l2.policy, KM_TLB_RANDOM, "and its replacement");
	TAP_OK(fit->fitted && within(fit->l2_hit_ns, HIT_NS, 0.03), "an L2 hit costs %.2f ns",
	       fit->l2_hit_ns);
	TAP_OK(within(fit->walk_ns, WALK_NS, 0.03), "a walk costs %.2f ns", fit->walk_ns);
	TAP_OK(fit->nr_held_out >= 10 && fit->held_out_error < 0.02,
	       "%u points held out are off by %.2f %%", fit->nr_held_out,
	       fit->held_out_error * 100);
	TAP_OK(c->calibrated, "that is calibrated: %s", c->verdict);
	TAP_OK(!c->fits[KM_TLB_DIRECT].fitted && !c->fits[KM_TLB_VMALLOC].fitted,
	       "what has no points has no fit");
	TAP_OK(strstr(c->verdict, "kernel's own was not measured") != NULL, "and it says so");
	for (unsigned i = 0; i + 1 < KM_TLB_CANDIDATES; i++)
		if (c->candidates[1][i].error > c->candidates[1][i + 1].error)
			TAP_OK(false, "candidates are ranked");
	c->cpu.l2.entries = 2048;
	TAP_EQ(km_tlb_fit(c, &one, &err), 0, "fitted again where CPUID says 2048");
	TAP_OK(!c->calibrated && strstr(c->verdict, "CPUID"), "which is not calibrated: %s",
	       c->verdict);
	free(c);
}

/* No TLB makes latencies fall as more pages are visited. */
static double falling_ns(uint32_t n)
{
	return 40 - 3 * log2(n);
}

static void test_refuses(void)
{
	struct km_tlb_calibration *c = make(falling_ns);
	struct km_err err = {""};

	TAP_EQ(km_tlb_fit(c, &one, &err), 0, "points that no TLB makes are fitted, too");
	TAP_OK(!c->calibrated && !strncmp(c->verdict, "not calibrated", 14), "but: %s", c->verdict);
	TAP_OK(strstr(c->verdict, " pages") != NULL, "which says where the model is farthest off");
	free(c);
}

static void test_points(void)
{
	double rounds[100];
	struct km_tlb_point point;

	for (unsigned i = 0; i < 100; i++)
		rounds[i] = 100 - i;
	point = km_tlb_point_of(KM_TLB_DIRECT, 64, rounds, 100);
	TAP_EQ(point.ns, 11, "the lower decile of 1 to 100");
	TAP_OK(point.low == 5 && point.high == 16, "its interval is %g to %g", point.low,
	       point.high);
}

/* ---- points whose rounds are apart ---- */

#define ROUNDS 20u
#define POINTS (2 * KM_TLB_SIZES_MEASURED)
enum { DISTURBED = 3, DISTURBED_HELD_OUT = 40, NEVER_CALM = 12, OFF_THE_MODEL = 21 };

struct fake {
	unsigned calls, times[POINTS]; /* that a point was measured */
	unsigned skipped;              /* a point that is not; POINTS: none */
};

/* All points take 10 ns, one 99, and some rounds of some are longer. */
static int measure_fake(void *context, struct km_tlb_samples *samples, const bool *wanted,
			uint32_t rounds, struct km_err *err)
{
	struct fake *fake = context;

	(void)err;
	for (unsigned i = 0; i < POINTS; i++) {
		bool disturbed = i == NEVER_CALM ||
				 ((i == DISTURBED || i == DISTURBED_HELD_OUT) && !fake->calls);

		for (uint32_t round = 0; wanted[i] && i != fake->skipped && round < rounds; round++)
			km_tlb_samples_add(samples, i,
					   (i == OFF_THE_MODEL ? 99.0 : 10.0) *
						   (disturbed ? 1 + round + fake->calls : 1));
		fake->times[i] += wanted[i];
	}
	fake->calls++;
	return 0;
}

static void test_again(void)
{
	static const uint8_t places[] = {KM_TLB_USER, KM_TLB_USER_DENSE};
	struct km_tlb_calibration *c = calloc(1, sizeof(*c));
	struct fake fake = {.skipped = POINTS};
	unsigned others = 0, again, apart;
	struct km_err err = {""};

	TAP_EQ(km_tlb_measure_points(c, places, 2, ROUNDS, measure_fake, &fake, &err), 0,
	       "points are measured");
	TAP_EQ(c->nr_points, POINTS, "all of them");
	TAP_OK(fake.times[DISTURBED] == 2 && fake.times[DISTURBED_HELD_OUT] == 2,
	       "those whose rounds were apart once more, held out or not");
	TAP_EQ(fake.times[NEVER_CALM], 1 + KM_TLB_TIMES_AGAIN, "one that never agrees, %u times",
	       1 + KM_TLB_TIMES_AGAIN);
	for (unsigned i = 0; i < POINTS; i++)
		others += i != DISTURBED && i != DISTURBED_HELD_OUT && i != NEVER_CALM &&
			  fake.times[i] != 1;
	TAP_EQ(others, 0, "and no other, whatever a model would make of it");
	TAP_OK(c->points[DISTURBED].rounds == 2 * ROUNDS &&
		       c->points[NEVER_CALM].rounds == (1 + KM_TLB_TIMES_AGAIN) * ROUNDS,
	       "no round is left out");
	TAP_OK(c->points[DISTURBED].ns == 10 && km_tlb_point_agrees(&c->points[DISTURBED]),
	       "a calm time more settles a point");
	km_tlb_count_again(c, &again, &apart);
	TAP_OK(again == 3 && apart == 1, "%u were measured again, %u is still apart", again, apart);
	fake = (struct fake){.skipped = OFF_THE_MODEL};
	TAP_EQ(km_tlb_measure_points(c, places, 2, ROUNDS, measure_fake, &fake, &err), -ENODATA,
	       "a meter that leaves a point out is told");
	free(c);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (file) {
		fputs(text, file);
		fclose(file);
	}
}

static void test_file(void)
{
	static const char *const wrong[] = {
		"",
		"SQLite format 3",
		"kmlab-tlb 1\n",
		"kmlab-tlb 2\nl1 64 4 lru\ncycle-ns 1\n",
		"kmlab-tlb 1\nl1 64 5 lru\ncycle-ns 1\n",
		"kmlab-tlb 1\nl1 64 4 fifo\ncycle-ns 1\n",
		"kmlab-tlb 1\nl1 64 4 lru\ncycle-ns 0\n",
		"kmlab-tlb 1\nl1 64 4 lru\ncycle-ns 1\npoint nowhere 1 1 1 1 1 1 0\n",
		"kmlab-tlb 1\nl1 64 4 lru\ncycle-ns 1\nfit user 1\n",
		"kmlab-tlb 1\nl1 64 4 lru\ncycle-ns 1\nloads 4K sideways 1 1 1 1 1 1 1 1 1\n",
		"kmlab-tlb 1\nl1 64 4 lru\ncycle-ns 1\nloads 4K overlapped 1 1\n",
	};
	struct km_tlb_calibration *c = make(falling_ns), *back = calloc(1, sizeof(*back));
	char path[] = "/tmp/kmlab-tlb-XXXXXX", nowhere[] = "/proc/kmlab/tlb";
	struct km_err err = {""};

	close(mkstemp(path));
	c->l1 = truth.l1[0];
	c->l2 = truth.l2[0];
	c->fits[KM_TLB_USER] =
		(struct km_tlb_place_fit){true, 1.5, 20.25, 3.125, 4096, 0.5, 0.25, 0.75, 7, 8, 0};
	c->overlap = (struct km_tlb_overlap){
		.cache = {768, 12, KM_TLB_HOLDS_ALL, KM_TLB_LRU},
		.costs = {{{0}, {true, {0.25, 0.125, 0.5}, {8, 7, 9}, {1.5, 1, 2}}}},
	};
	c->points[3].fitted = 12.5;
	c->points[3].held_out = true;
	TAP_EQ(km_tlb_write(c, path, &err), 0, "a calibration is written%s", err.text);
	TAP_EQ(km_tlb_read_file(back, path, &err), 0, "and read%s", err.text);
	TAP_OK(!memcmp(&back->l1, &c->l1, sizeof(c->l1)) &&
		       !memcmp(&back->l2, &c->l2, sizeof(c->l2)),
	       "the geometry is the same");
	TAP_OK(!memcmp(&back->fits[KM_TLB_USER], &c->fits[KM_TLB_USER], sizeof(c->fits[0])),
	       "the fit is");
	TAP_OK(!memcmp(&back->overlap, &c->overlap, sizeof(c->overlap)),
	       "the costs of streams are, and those not measured");
	TAP_OK(back->nr_points == c->nr_points && back->points[3].fitted == 12.5 &&
		       back->points[3].held_out && isnan(back->points[4].fitted) &&
		       fabs(back->points[9].ns - c->points[9].ns) < 1e-4,
	       "the points are");
	TAP_OK(!strcmp(back->cpu.brand, c->cpu.brand) && !strcmp(back->kernel_why, c->kernel_why) &&
		       !strcmp(back->cpu.hypervisor, ""),
	       "the words are, also none");
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		write_text(path, wrong[i]);
		TAP_EQ(km_tlb_read_file(back, path, &err), -EPROTO, "refused: %s", err.text);
	}
	unlink(path);
	TAP_EQ(km_tlb_read_file(back, path, &err), -ENOENT, "absent: %s", err.text);
	TAP_OK(km_tlb_write(c, nowhere, &err) < 0, "not writable: %s", err.text);
	free(back);
	free(c);
}

int main(void)
{
	test_points();
	test_again();
	test_file();
#ifdef __SANITIZE_THREAD__
	printf("# what follows is one thread, and a minute's work here: left to the other "
	       "builds\n");
	return tap_done();
#endif
	test_recovers();
	test_refuses();
	return tap_done();
}
