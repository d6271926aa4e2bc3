/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to a person on stderr: messages, and a progress bar where stderr is a terminal.
 * Also the first Ctrl-C: it asks the command to finish and save; the second kills.
 */
#ifndef KMLAB_TERM_H
#define KMLAB_TERM_H

#include <kmlab/types.h>

#define KM_EXIT_OK 0
#define KM_EXIT_NO 1
#define KM_EXIT_ERROR 2
#define KM_EXIT_INTERRUPTED 130

extern bool km_quiet; /* -q: no notes, no progress */

/* "kmlab: …" on stderr, one line. Returns KM_EXIT_ERROR, so `return km_error(…)` reads well. */
__attribute__((format(printf, 1, 2))) int km_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void km_warn(const char *format, ...);
__attribute__((format(printf, 1, 2))) void km_note(const char *format, ...); /* unless -q */

/*
 * Progress: one line, shown after 1 s, at most 10 times a second, only on a terminal, and gone at
 * the end. total 0: how much there is to do is not known.
 */
struct km_progress {
	const char *what;
	uint64_t total, done;
	uint64_t started_ns, shown_ns;
	uint64_t counted_ns,
		counted_events; /* km_progress_flow(): where the rate is counted from */
	double events_per_s;
	bool visible;
};
void km_progress_start(struct km_progress *progress, const char *what, uint64_t total);
/* A bar: how much of the total is done. */
void km_progress_update(struct km_progress *progress, uint64_t done);
/* Is a line due? For what costs something to know; km_progress_flow() must follow. */
bool km_progress_due(struct km_progress *progress);
/*
 * What goes through and what is lost, instead of a bar:
 *	recording  12.3 s  2.31 M/s  28.1 M events  lost 0  84.0 MiB
 * The rate is that of the last second. The total is a time in ns ("12.3 of 60.0 s"), or 0.
 */
void km_progress_flow(struct km_progress *progress, uint64_t events, uint64_t lost, uint64_t bytes);
void km_progress_end(struct km_progress *progress);

/*
 * Handle SIGINT, SIGTERM and SIGHUP: km_interrupted() becomes true at the first; one that comes
 * more than a second later kills.
 */
void km_catch_interrupts(void);
bool km_interrupted(void);

uint64_t km_clock_ns(void); /* CLOCK_MONOTONIC */

#endif
