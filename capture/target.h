/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a recording goes: traces that follow one another (rotate.c; one is the usual number), or
 * memory, of which traces are saved (flight.c).
 */
#ifndef KMLAB_CAPTURE_TARGET_H
#define KMLAB_CAPTURE_TARGET_H

#include "dictionary.h"
#include "tally.h"
#include "trace_file.h"

/* What the session and its target share. */
struct km_recording {
	const struct km_options *options;
	struct km_recorder *recorder;
	struct km_dictionary *dictionary;
	struct km_drain *drain;
	struct km_tally tally;
	uint64_t start_ns; /* CLOCK_MONOTONIC, as all times here */
	uint64_t events;   /* taken from the rings */
};

/* How recording ended; the rings are drained into the target. */
struct km_ending {
	uint64_t end_ns;
	struct km_snapshot snapshot;      /* of the machine; the target may take it over */
	struct km_recorder_totals totals; /* all of it */
	struct km_trace_counts last;      /* what no ledger has yet (km_tally_last()) */
};

struct km_target {
	const struct km_target_ops *ops;
	struct km_recording *recording;
};

/* Each that can fail returns 0 or -errno with a sentence. */
struct km_target_ops {
	const char *doing; /* for the progress line */
	/* Before events count. */
	int (*prepare)(struct km_target *target, struct km_err *err);
	/* They count from recording->start_ns. */
	void (*begin)(struct km_target *target);
	/* Between two looks at the rings. */
	int (*poll)(struct km_target *target, uint64_t now_ns, struct km_err *err);
	/* A failure leaves what give_up() cares for. */
	int (*end)(struct km_target *target, struct km_ending *ending, struct km_err *err);
	/* Recording did not begin, or broke off: *err goes on with what is stored. */
	void (*give_up)(struct km_target *target, bool began, struct km_err *err);
	/* A note on what was made of it. False: something was not stored, as was told then. */
	bool (*tell)(const struct km_target *target, const struct km_ending *ending);
	/* Of the present trace, or in memory. */
	uint64_t (*bytes)(const struct km_target *target);
	void (*close)(struct km_target *target);
};

/* NULL: no memory. */
struct km_target *km_rotation_new(struct km_recording *recording);
struct km_target *km_flight_new(struct km_recording *recording);

#endif
