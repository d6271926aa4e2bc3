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

/* Progress: shown after 1 s, at most 10 times a second, only on a terminal. total 0: spinner. */
struct km_progress {
	const char *what;
	uint64_t total, done;
	uint64_t started_ns, shown_ns;
	bool visible;
};
void km_progress_start(struct km_progress *progress, const char *what, uint64_t total);
void km_progress_update(struct km_progress *progress, uint64_t done);
void km_progress_end(struct km_progress *progress);

/*
 * Handle SIGINT, SIGTERM and SIGHUP: km_interrupted() becomes true at the first; one that comes
 * more than a second later kills.
 */
void km_catch_interrupts(void);
bool km_interrupted(void);

uint64_t km_clock_ns(void); /* CLOCK_MONOTONIC */

#endif
