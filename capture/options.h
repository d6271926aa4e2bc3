/* SPDX-License-Identifier: GPL-2.0-only */
/* What was asked of kmlab-capture on its command line (options.c). */
#ifndef KMLAB_CAPTURE_OPTIONS_H
#define KMLAB_CAPTURE_OPTIONS_H

#include "capture.h"

/* Words of one filter option, in the order given. */
struct km_words {
	const char *word[KM_FILTER_MAX];
	unsigned count;
};

struct km_filter_options {
	struct km_words pids, tids, comms, caches, sites;
	const char *cgroup; /* below /sys/fs/cgroup; NULL: any */
	bool has_sizes;
	uint64_t size_from, size_to; /* bytes asked for, inclusive */
};

struct km_options {
	const char *output, *btf, *save_btf;
	char **command;
	double seconds; /* 0: no limit */
	unsigned groups;
	uint64_t ring_bytes;
	enum km_recover recover;
	struct km_filter_options filter;
	uint32_t sample;       /* keep one address of so many; 1: all */
	double budget_percent; /* of the machine's CPU time; 0: no limit */
	uint64_t rotate_bytes; /* 0: never by size */
	double rotate_seconds; /* 0: never by time */
	unsigned keep;         /* rotated traces; 0: all */
	double flight_seconds; /* 0: no flight recorder */
	uint64_t flight_bytes; /* memory for it */
	double trigger_rate;   /* events/s; 0: none */
	bool trigger_failed, trigger_extfrag;
	bool stacks, shrink, strict, no_realtime, verbose;
};

/* Exits with a sentence and 2 on misuse, with help and 0 when asked. */
/* Of this machine, for the rings of all CPUs together, when nobody says. */
uint64_t km_default_ring_bytes(void);
void km_options_parse(struct km_options *options, int argc, char **argv);
/* Has any filter been given? */
bool km_options_filter(const struct km_options *options);
/* The filters as they were given, for the trace. free() it; NULL: no memory. */
char *km_options_filter_text(const struct km_options *options);

#endif
