/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was measured of a machine's address translation and what the TLB model makes of it: points,
 * the geometry chosen among candidates, the costs fitted on every other point, and how far the
 * model is from the points it has not seen. Kept as a text file, which `kmlab tlb show` prints.
 */
#ifndef REPLAY_TLB_CALIBRATION_H
#define REPLAY_TLB_CALIBRATION_H

#include <kmlab/err.h>
#include <kmlab/tlb.h>

#include "replay/tlb_overlap.h"

/*
 * Where a chain of dependent loads runs. X(constant, name, what, the place whose latencies are
 * those of the same number of cache lines without translation)
 */
#define KM_TLB_PLACE_LIST(X)                                                                       \
	X(KM_TLB_USER, "user", "user space, 4 KiB pages", KM_TLB_USER_DENSE)                       \
	X(KM_TLB_USER_2M, "user-2m", "user space, transparent huge pages", KM_TLB_USER_DENSE)      \
	X(KM_TLB_USER_DENSE, "user-dense", "user space, lines side by side", KM_TLB_USER_DENSE)    \
	X(KM_TLB_DIRECT, "direct", "kernel, direct map (kmalloc)", KM_TLB_KERNEL_DENSE)            \
	X(KM_TLB_VMALLOC, "vmalloc", "kernel, vmalloc", KM_TLB_KERNEL_DENSE)                       \
	X(KM_TLB_KERNEL_DENSE, "dense", "kernel, lines side by side", KM_TLB_KERNEL_DENSE)

enum km_tlb_place {
#define X(constant, name, what, dense) constant,
	KM_TLB_PLACE_LIST(X)
#undef X
		KM_TLB_PLACES
};

extern const char *const km_tlb_place_names[KM_TLB_PLACES];
extern const char *const km_tlb_place_what[KM_TLB_PLACES];
extern const uint8_t km_tlb_place_dense[KM_TLB_PLACES];

/* The numbers of pages that are measured. */
#define KM_TLB_SIZES_MEASURED 36
#define KM_TLB_MOST_PAGES 32768u
extern const uint32_t km_tlb_pages[KM_TLB_SIZES_MEASURED];

/*
 * One number of pages in one place. `ns` per load is the lower decile of the rounds: what disturbs
 * a measurement only ever makes it longer. low and high are its 95 % interval (order statistics).
 */
struct km_tlb_point {
	uint8_t place;
	uint32_t pages, rounds;
	double ns, low, high;
	double fitted; /* what the model says; NAN: not fitted */
	bool held_out; /* the fit has not seen it */
};

#define KM_TLB_MOST_POINTS (KM_TLB_PLACES * KM_TLB_SIZES_MEASURED)

struct km_tlb_place_fit {
	bool fitted;
	double l2_hit_ns;    /* an L1 miss that the L2 TLB has */
	double walk_ns;      /* a walk, its page-table line near */
	double far_ns;       /* what a far line adds */
	uint32_t near_lines; /* data and page-table lines that are near */
	double fit_error;    /* mean |model / measured - 1| of the points it was fitted on */
	double held_out_error, worst; /* the same of the others, and their largest */
	unsigned nr_fitted, nr_held_out;
	uint32_t worst_pages; /* where the largest is; not kept */
};

/* A geometry that was tried, and how well it explains the points it was ranked by. */
struct km_tlb_candidate {
	struct km_tlb_array_spec array;
	double error; /* weighted root mean square of model / measured - 1 */
};
#define KM_TLB_CANDIDATES 6 /* the best are kept */

struct km_tlb_cpu {
	char vendor[16], brand[64], hypervisor[16]; /* hypervisor "": none that says so */
	unsigned family, model, stepping;
	/* What CPUID says of 4 KiB data entries; entries 0: it says nothing. */
	struct km_tlb_array_spec l1, l2;
	char source[160]; /* of l1 and l2, or why there is nothing */
};

/* What the counters said of a chain, per load, beside what the model says of it. */
struct km_tlb_counted {
	uint8_t place;
	uint32_t pages;
	double l1_misses, walks, walk_cycles; /* NAN: this CPU has no such event */
	double model_l1_misses, model_walks;
	bool multiplexed; /* the counts are scaled */
};

#define KM_TLB_MOST_COUNTED (3 * KM_TLB_SIZES_MEASURED)

struct km_tlb_calibration {
	struct km_tlb_cpu cpu;
	char kernel[80], date[32];
	double cycle_ns;                /* km_tlb_cycle_ns() */
	unsigned huge_pages, huge_real; /* 2 MiB pages tried, of them with one TLB entry */
	unsigned nr_points;
	struct km_tlb_point points[KM_TLB_MOST_POINTS];
	struct km_tlb_array_spec l1, l2;                          /* chosen */
	struct km_tlb_candidate candidates[2][KM_TLB_CANDIDATES]; /* of L1 and L2, best first */
	struct km_tlb_place_fit fits[KM_TLB_PLACES];
	struct km_tlb_overlap overlap; /* what streams of loads pay for the same translations */
	uint32_t direct_pages[KM_TLB_MOST_PAGES]; /* page numbers within 1 GiB; not kept */
	char kernel_why[320]; /* why there are no points of the kernel; "" there are */
	char pmu[300];        /* are there counters; why not, and the remedy */
	struct km_tlb_counted counted[KM_TLB_MOST_COUNTED]; /* user space; if they were asked for */
	unsigned nr_counted;
	bool calibrated;
	char verdict[256];
};

#define KM_TLB_HELD_OUT_LIMIT 0.10

/* ---- measuring ---- */

void km_tlb_cpu_read(struct km_tlb_cpu *cpu);
/* ns of one cycle, as a chain of rotations takes them now. */
double km_tlb_cycle_ns(void);
/* The point of `rounds` measurements (sorted by this). */
struct km_tlb_point km_tlb_point_of(enum km_tlb_place place, uint32_t pages, double *ns,
				    uint32_t rounds);
/* Add the points. 0 or -errno with a sentence; -EINTR. */
int km_tlb_measure_user(struct km_tlb_calibration *calibration, uint32_t rounds,
			struct km_err *err);
/* The same chains under the counters. 0, -EINTR, or -errno with a sentence. */
struct km_pmu;
int km_tlb_count_user(struct km_tlb_calibration *calibration, struct km_pmu *pmu,
		      struct km_err *err);
/* One count: `loads` of a chain. */
struct km_pmu_reading;
struct km_tlb_counted km_tlb_counted_of(enum km_tlb_place place, uint32_t pages, double loads,
					const struct km_pmu_reading *reading);
/* Through kmlab-capture; refused: kernel_why is filled, and that is no error. */
int km_tlb_measure_kernel(struct km_tlb_calibration *calibration, uint32_t rounds,
			  struct km_err *err);

/* ---- fitting: geometry, costs, fitted values, errors, verdict ---- */

/* Numbers of entries and of near lines to try. */
struct km_tlb_search {
	const uint32_t *l1, *l2, *lines;
	unsigned nr_l1, nr_l2, nr_lines;
};

/* search NULL: all that are known of. 0, -EINTR, or -errno with a sentence. */
int km_tlb_fit(struct km_tlb_calibration *calibration, const struct km_tlb_search *search,
	       struct km_err *err);

/* ---- keeping ---- */

/* Where it is kept without -o: $XDG_DATA_HOME or ~/.local/share, kmlab/tlb. malloc'd, or NULL. */
char *km_tlb_default_path(void);
int km_tlb_write(const struct km_tlb_calibration *calibration, const char *path,
		 struct km_err *err);
/* -ENOENT with a sentence when there is none; -EPROTO for what is no calibration. */
int km_tlb_read_file(struct km_tlb_calibration *calibration, const char *path, struct km_err *err);

#endif
