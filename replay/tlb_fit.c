/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From points to a model. What a load costs is taken as
 *	ns(n) = dense(n) + m1(n) hit + m2(n) walk + far(n) line
 * with dense(n) measured, the miss ratios m1, m2 and the share of far page-table lines simulated by
 * the engine for the same chains, and three costs per place. Geometry is one for all places: first
 * the L1, from chains that every L2 TLB holds; then the L2; then how many page-table lines stay
 * near. Candidates are ranked by every other point; the points between are only compared with.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/host.h"
#include "replay/tlb_calibration.h"
#include "results/term.h"

#define N KM_TLB_SIZES_MEASURED
#define NEAR_WAYS 16u
#define L1_UP_TO 512u  /* pages: any L2 TLB holds them */
#define L2_UP_TO 8192u /* their page-table lines stay near */
#define CYCLES_AT_LEAST 40000u
#define MOST_LINE_NS 400 /* no line comes from farther than memory */
#define MODEL_ERROR 0.02 /* no better is asked of a model */

static const uint32_t l1_entries[] = {16, 32, 48, 56, 64, 72, 80, 96, 112, 128, 192, 256};
static const uint32_t l2_entries[] = {512,  640,  768,  1024, 1280, 1536, 1792, 2048,
				      2304, 2560, 2816, 3072, 3584, 4096, 5120, 6144};
static const uint32_t all_ways[] = {0, 4, 5, 6, 8, 12, 16};
static const uint32_t near_lines[] = {2048,  4096,  8192,  12288, 14336, 16384, 18432,
				      20480, 22528, 24576, 28672, 32768, 49152, 65536};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Places whose latencies are fitted; the dense ones are what they are compared with. */
static const uint8_t fitted_places[] = {KM_TLB_USER, KM_TLB_USER_2M, KM_TLB_DIRECT, KM_TLB_VMALLOC};

struct ratios {
	double m1, m2, far;
};

struct fit {
	struct km_tlb_calibration *calibration;
	double measured[KM_TLB_PLACES][N]; /* NAN: not */
	double weight[KM_TLB_PLACES][N];   /* in the fit: less for what was measured less well */
	struct km_tlb_spec spec;           /* the candidate */
	struct ratios ratios[KM_TLB_PLACES][N];
	uint32_t *order;
	uint64_t *addrs; /* of one cycle */
};

static bool held_out(unsigned i)
{
	return i % 2;
}

/* ---- simulation of a chain ---- */

/* Neighbouring pages in user space and vmalloc; in the direct map where the objects are. */
static uint64_t page_of(const struct fit *fit, enum km_tlb_place place, uint32_t i)
{
	if (place != KM_TLB_DIRECT)
		return i;
	return (uint64_t)i << 18 | fit->calibration->direct_pages[i];
}

static uint64_t address_of(const struct fit *fit, enum km_tlb_place place, uint32_t i)
{
	return (page_of(fit, place, i) << KM_PAGE_SHIFT) + i % 62 * 64;
}

static enum km_tlb_size size_of(enum km_tlb_place place)
{
	return place == KM_TLB_USER_2M || place == KM_TLB_DIRECT ? KM_TLB_2M : KM_TLB_4K;
}

static void cycle_order(uint32_t *order, uint32_t n)
{
	uint64_t random = 88172645463325252ull;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t other, kept = order[i];

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		other = (uint32_t)(random % (i + 1));
		order[i] = order[other];
		order[other] = kept;
	}
}

static int simulate(struct fit *fit, enum km_tlb_place place, uint32_t n, struct ratios *ratios)
{
	uint32_t warm = 2, cycles = CYCLES_AT_LEAST / n + 2;
	struct km_tlb_counts counts;
	struct km_tlb *tlb;
	struct km_env env;
	int code;

	km_host_env(&env, 1);
	code = km_tlb_create(&env, &fit->spec, &tlb);
	if (code)
		return code;
	cycle_order(fit->order, n);
	for (uint32_t i = 0; i < n; i++)
		fit->addrs[i] = address_of(fit, place, fit->order[i]);
	for (uint32_t cycle = 0; cycle < warm + cycles; cycle++) {
		if (cycle == warm)
			km_tlb_reset_counts(tlb);
		km_tlb_access_many(tlb, fit->addrs, n, size_of(place));
	}
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	ratios->m1 = (double)(counts.l1_misses - counts.l2_misses) / (double)counts.refs;
	ratios->m2 = (double)counts.l2_misses / (double)counts.refs;
	ratios->far = (double)(counts.lines[1] + counts.lines[2]) / (double)counts.refs;
	return 0;
}

static int simulate_place(struct fit *fit, unsigned place, uint32_t up_to, bool held_out_too)
{
	int code = 0;

	for (unsigned i = 0; i < N && km_tlb_pages[i] <= up_to && !code; i++) {
		if (isnan(fit->measured[place][i]) || (held_out(i) && !held_out_too))
			continue;
		code = simulate(fit, place, km_tlb_pages[i], &fit->ratios[place][i]);
	}
	return code;
}

/* The chains of user space and of vmalloc are alike. */
static int simulate_all(struct fit *fit, uint32_t up_to)
{
	int code = 0;

	for (unsigned p = 0; p < COUNT(fitted_places) && !code; p++) {
		unsigned place = fitted_places[p];

		if (place == KM_TLB_VMALLOC)
			memcpy(fit->ratios[place], fit->ratios[KM_TLB_USER],
			       sizeof(fit->ratios[place]));
		else
			code = simulate_place(fit, place, up_to, false);
	}
	return code;
}

/* ---- costs: least squares of relative errors, none below zero ---- */

#define COSTS 3

/* Solve the normal equations for the costs in `used` (bits). False: singular. */
static bool solve(double a[COSTS][COSTS], const double b[COSTS], unsigned used, double x[COSTS])
{
	double m[COSTS][COSTS + 1];
	unsigned index[COSTS], n = 0;

	for (unsigned i = 0; i < COSTS; i++)
		if (used >> i & 1)
			index[n++] = i;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < n; k++)
			m[i][k] = a[index[i]][index[k]];
		m[i][n] = b[index[i]];
	}
	for (unsigned i = 0; i < n; i++) {
		if (m[i][i] < 1e-12)
			return false;
		for (unsigned row = 0; row < n; row++) {
			double factor = row == i ? 0 : m[row][i] / m[i][i];

			for (unsigned k = i; k <= n; k++)
				m[row][k] -= factor * m[i][k];
		}
	}
	memset(x, 0, COSTS * sizeof(*x));
	for (unsigned i = 0; i < n; i++)
		x[index[i]] = m[i][n] / m[i][i];
	return true;
}

static double dense_at(const struct fit *fit, unsigned place, unsigned i)
{
	return fit->measured[km_tlb_place_dense[place]][i];
}

static double predict(const struct fit *fit, unsigned place, unsigned i, const double x[COSTS])
{
	const struct ratios *ratios = &fit->ratios[place][i];

	return dense_at(fit, place, i) + (ratios->m1 + ratios->m2) * x[0] + ratios->m2 * x[1] +
	       ratios->far * x[2];
}

static double squares(const struct fit *fit, unsigned place, uint32_t up_to, const double x[COSTS])
{
	double sum = 0;

	for (unsigned i = 0; i < N && km_tlb_pages[i] <= up_to; i += 2) {
		double off = predict(fit, place, i, x) / fit->measured[place][i] - 1;

		sum += fit->weight[place][i] * off * off;
	}
	return sum;
}

/* The costs of one place from its points up to `up_to`; their sum of squares. */
static double fit_costs(const struct fit *fit, unsigned place, uint32_t up_to, double best[COSTS])
{
	double a[COSTS][COSTS] = {{0}}, b[COSTS] = {0}, least = INFINITY, x[COSTS];

	for (unsigned i = 0; i < N && km_tlb_pages[i] <= up_to; i += 2) {
		const struct ratios *ratios = &fit->ratios[place][i];
		double y = fit->measured[place][i], weight = fit->weight[place][i];
		double row[COSTS] = {(ratios->m1 + ratios->m2) / y, ratios->m2 / y,
				     ratios->far / y};

		for (unsigned j = 0; j < COSTS; j++) {
			for (unsigned k = 0; k < COSTS; k++)
				a[j][k] += weight * row[j] * row[k];
			b[j] += weight * row[j] * (y - dense_at(fit, place, i)) / y;
		}
	}
	memset(best, 0, COSTS * sizeof(*best));
	for (unsigned used = 0; used < 1u << COSTS; used++) {
		double sum;

		if (!solve(a, b, used, x) || x[0] < 0 || x[1] < 0 || x[2] < 0 ||
		    x[2] > MOST_LINE_NS)
			continue;
		sum = squares(fit, place, up_to, x);
		if (sum < least) {
			least = sum;
			memcpy(best, x, sizeof(x));
		}
	}
	return least;
}

static double all_squares(const struct fit *fit, uint32_t up_to)
{
	double sum = 0, x[COSTS];

	for (unsigned p = 0; p < COUNT(fitted_places); p++)
		if (!isnan(fit->measured[fitted_places[p]][0]))
			sum += fit_costs(fit, fitted_places[p], up_to, x);
	return sum;
}

/* ---- geometry ---- */

static unsigned all_points(const struct fit *fit, uint32_t up_to)
{
	unsigned n = 0;

	for (unsigned p = 0; p < COUNT(fitted_places); p++)
		for (unsigned i = 0; i < N && km_tlb_pages[i] <= up_to; i += 2)
			n += !isnan(fit->measured[fitted_places[p]][i]);
	return n;
}

/* Into its place among the best. */
static void rank(struct km_tlb_candidate *ranking, const struct km_tlb_array_spec *array,
		 double mean_square)
{
	struct km_tlb_candidate candidate = {*array, sqrt(mean_square)};

	for (unsigned i = 0; i < KM_TLB_CANDIDATES; i++) {
		struct km_tlb_candidate kept = ranking[i];

		if (kept.array.entries && kept.error <= candidate.error)
			continue;
		ranking[i] = candidate;
		candidate = kept;
	}
}

/* Try every array among the candidates at `into`; the best stays there. */
static int choose_array(struct fit *fit, struct km_tlb_array_spec *into, const uint32_t *entries,
			unsigned nr_entries, uint32_t up_to, struct km_tlb_candidate *ranking,
			struct km_progress *progress)
{
	for (unsigned e = 0; e < nr_entries; e++)
		for (unsigned k = 0; k < COUNT(all_ways) * KM_TLB_POLICIES; k++) {
			uint32_t ways = all_ways[k / KM_TLB_POLICIES];
			int code;

			*into = (struct km_tlb_array_spec){entries[e], ways, KM_TLB_HOLDS_ALL,
							   (uint8_t)(k % KM_TLB_POLICIES)};
			if (ways && entries[e] % ways)
				continue;
			code = simulate_all(fit, up_to);
			if (code)
				return code;
			if (km_interrupted())
				return -EINTR;
			rank(ranking, into, all_squares(fit, up_to) / all_points(fit, up_to));
			km_progress_update(progress, ++progress->done);
		}
	*into = ranking[0].array;
	return 0;
}

/*
 * How many lines are near, and what each cost is, of one place. Chains of data fill the caches
 * together with their page tables, which is where walks become dear.
 */
static int choose_lines(struct fit *fit, unsigned place, const struct km_tlb_search *search,
			struct km_progress *progress)
{
	struct km_tlb_array_spec *into = &fit->spec.lines[0];
	double least = INFINITY, x[COSTS];
	struct km_tlb_array_spec best = {0};
	int code = 0;

	fit->spec.data_lines = true;
	for (unsigned i = 0; i < 2 * search->nr_lines && !code; i++) {
		uint8_t policy = i % 2 ? KM_TLB_LRU : KM_TLB_RANDOM;
		double sum;

		*into = (struct km_tlb_array_spec){search->lines[i / 2], NEAR_WAYS, 0, policy};
		code = simulate_place(fit, place, UINT32_MAX, false);
		sum = fit_costs(fit, place, UINT32_MAX, x);
		if (sum < least) {
			least = sum;
			best = *into;
		}
		km_progress_update(progress, ++progress->done);
	}
	*into = best;
	fit->calibration->fits[place].near_lines = best.entries;
	return code ? code : simulate_place(fit, place, UINT32_MAX, true);
}

/* ---- what is left to say ---- */

static struct km_tlb_point *point_at(struct km_tlb_calibration *calibration, unsigned place,
				     unsigned i)
{
	for (unsigned k = 0; k < calibration->nr_points; k++)
		if (calibration->points[k].place == place &&
		    calibration->points[k].pages == km_tlb_pages[i])
			return &calibration->points[k];
	return NULL;
}

/* Errors are those of chains that the L1 TLB does not hold: the others need no model. */
static void finish_place(struct fit *fit, unsigned place)
{
	struct km_tlb_place_fit *out = &fit->calibration->fits[place];
	double x[COSTS];

	if (isnan(fit->measured[place][0]))
		return;
	fit_costs(fit, place, UINT32_MAX, x);
	out->fitted = true;
	out->l2_hit_ns = x[0];
	out->walk_ns = x[0] + x[1];
	out->far_ns = x[2];
	for (unsigned i = 0; i < N; i++) {
		struct km_tlb_point *point = point_at(fit->calibration, place, i);
		double off;

		point->fitted = predict(fit, place, i, x);
		point->held_out = held_out(i);
		off = fabs(point->fitted / point->ns - 1);
		if (point->pages <= fit->calibration->l1.entries)
			continue;
		if (held_out(i)) {
			out->held_out_error += off;
			out->nr_held_out++;
			out->worst_pages = off > out->worst ? point->pages : out->worst_pages;
			out->worst = off > out->worst ? off : out->worst;
		} else {
			out->fit_error += off;
			out->nr_fitted++;
		}
	}
	out->held_out_error /= out->nr_held_out ? out->nr_held_out : 1;
	out->fit_error /= out->nr_fitted ? out->nr_fitted : 1;
}

static bool geometry_agrees(const struct km_tlb_calibration *calibration)
{
	const struct km_tlb_cpu *cpu = &calibration->cpu;

	if (cpu->l1.entries && cpu->l1.entries != calibration->l1.entries)
		return false;
	return !cpu->l2.entries ||
	       fabs((double)calibration->l2.entries / cpu->l2.entries - 1) <= 0.1;
}

static void judge(struct km_tlb_calibration *calibration)
{
	const char *kernel = calibration->kernel_why[0] ? "; the kernel's own was not measured"
							: " and in the kernel";
	double worst = 0;
	unsigned where = 0;

	for (unsigned place = 0; place < KM_TLB_PLACES; place++)
		if (calibration->fits[place].fitted &&
		    calibration->fits[place].held_out_error > worst) {
			worst = calibration->fits[place].held_out_error;
			where = place;
		}
	calibration->calibrated = worst <= KM_TLB_HELD_OUT_LIMIT && geometry_agrees(calibration);
	if (worst > KM_TLB_HELD_OUT_LIMIT)
		snprintf(calibration->verdict, sizeof(calibration->verdict),
			 "not calibrated: held-out error %.1f %% in %s, above %.0f %%; farthest "
			 "off (%.0f %%) at %u pages",
			 worst * 100, km_tlb_place_what[where], KM_TLB_HELD_OUT_LIMIT * 100,
			 calibration->fits[where].worst * 100,
			 calibration->fits[where].worst_pages);
	else if (!calibration->calibrated)
		snprintf(calibration->verdict, sizeof(calibration->verdict),
			 "not calibrated: the geometry found is not what CPUID says");
	else
		snprintf(calibration->verdict, sizeof(calibration->verdict),
			 "calibrated: held-out error at most %.1f %% in user space%s", worst * 100,
			 kernel);
}

/* 1 for a point whose interval is narrow beside the error that a model may have. */
static double weight_of(const struct km_tlb_point *point)
{
	double relative = (point->high - point->low) / point->ns / MODEL_ERROR;

	return 1 / (1 + relative * relative);
}

static void take_points(struct fit *fit)
{
	for (unsigned place = 0; place < KM_TLB_PLACES; place++)
		for (unsigned i = 0; i < N; i++) {
			const struct km_tlb_point *point = point_at(fit->calibration, place, i);

			fit->measured[place][i] = point ? point->ns : NAN;
			fit->weight[place][i] = point ? weight_of(point) : 0;
		}
}

static int choose_geometry(struct fit *fit, const struct km_tlb_search *search)
{
	struct km_tlb_calibration *calibration = fit->calibration;
	struct km_progress progress;
	int code;

	km_progress_start(&progress, "fitting",
			  (search->nr_l1 + search->nr_l2) * COUNT(all_ways) * KM_TLB_POLICIES / 2 +
				  2 * search->nr_lines * COUNT(fitted_places));
	code = choose_array(fit, &fit->spec.l1[0], search->l1, search->nr_l1, L1_UP_TO,
			    calibration->candidates[0], &progress);
	if (!code)
		code = choose_array(fit, &fit->spec.l2[0], search->l2, search->nr_l2, L2_UP_TO,
				    calibration->candidates[1], &progress);
	calibration->l1 = fit->spec.l1[0];
	calibration->l2 = fit->spec.l2[0];
	for (unsigned p = 0; p < COUNT(fitted_places) && !code; p++)
		if (!isnan(fit->measured[fitted_places[p]][0]))
			code = choose_lines(fit, fitted_places[p], search, &progress);
	km_progress_end(&progress);
	return code;
}

/* Beside each count what the chosen geometry makes of the same chain. */
static int simulate_counted(struct fit *fit)
{
	struct km_tlb_calibration *calibration = fit->calibration;
	int code = 0;

	for (unsigned i = 0; i < calibration->nr_counted && !code; i++) {
		struct km_tlb_counted *counted = &calibration->counted[i];
		struct ratios ratios = {0};

		if (counted->place == KM_TLB_USER_DENSE)
			continue;
		code = simulate(fit, counted->place, counted->pages, &ratios);
		counted->model_l1_misses = ratios.m1 + ratios.m2;
		counted->model_walks = ratios.m2;
	}
	return code;
}

int km_tlb_fit(struct km_tlb_calibration *calibration, const struct km_tlb_search *search,
	       struct km_err *err)
{
	static const struct km_tlb_search all = {l1_entries,        l2_entries,
						 near_lines,        COUNT(l1_entries),
						 COUNT(l2_entries), COUNT(near_lines)};
	struct fit *fit = calloc(1, sizeof(*fit));
	int code = -ENOMEM;

	if (fit) {
		fit->order = calloc(KM_TLB_MOST_PAGES, sizeof(*fit->order));
		fit->addrs = calloc(KM_TLB_MOST_PAGES, sizeof(*fit->addrs));
	}
	if (!fit || !fit->order || !fit->addrs)
		goto out;
	fit->calibration = calibration;
	fit->spec.levels = 4;
	fit->spec.host_size =
		calibration->huge_real * 2 > calibration->huge_pages ? KM_TLB_1G : KM_TLB_4K;
	/* Upper levels of the tables are few lines, and always cached in the chains measured. */
	fit->spec.structures[0] = (struct km_tlb_array_spec){128, 0, 0, KM_TLB_LRU};
	take_points(fit);
	code = choose_geometry(fit, search ? search : &all);
	if (code)
		goto out;
	for (unsigned p = 0; p < COUNT(fitted_places); p++)
		finish_place(fit, fitted_places[p]);
	judge(calibration);
	code = simulate_counted(fit);
out:
	if (fit) {
		free(fit->order);
		free(fit->addrs);
	}
	free(fit);
	return code == -ENOMEM ? km_fail(err, code, "no memory to fit the measurements") : code;
}
