/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages, progress and interrupts: everything that goes to stderr. */
#include "results/term.h"

#include "results/emit.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

bool km_quiet;

#define SHOW_AFTER_NS 1000000000ull
#define SHOW_EVERY_NS 100000000ull
#define RATE_OVER_NS 1000000000ull
#define BAR_WIDTH 30
#define SECOND_CHANCE_NS 1000000000ull

static bool stderr_is_terminal(void)
{
	static int cached = -1;

	if (cached < 0)
		cached = isatty(STDERR_FILENO);
	return cached;
}

static void clear_line(void)
{
	if (stderr_is_terminal())
		fputs("\r\033[K", stderr);
}

static void message(const char *mark, const char *format, va_list args)
{
	clear_line();
	fprintf(stderr, "kmlab: %s", mark);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int km_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("", format, args);
	va_end(args);
	return KM_EXIT_ERROR;
}

void km_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("warning: ", format, args);
	va_end(args);
}

void km_note(const char *format, ...)
{
	va_list args;

	if (km_quiet)
		return;
	va_start(args, format);
	message("", format, args);
	va_end(args);
}

uint64_t km_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void km_progress_start(struct km_progress *progress, const char *what, uint64_t total)
{
	*progress = (struct km_progress){
		.what = what,
		.total = total,
		.started_ns = km_clock_ns(),
		.visible = !km_quiet && stderr_is_terminal(),
	};
	progress->counted_ns = progress->started_ns;
}

/* Over the line before. Cut to the terminal's width: a wrapped line could not be overwritten. */
__attribute__((format(printf, 1, 2))) static void draw_line(const char *format, ...)
{
	struct winsize size = {.ws_col = 0};
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col && size.ws_col < sizeof(line))
		line[size.ws_col - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
}

/* Between the start and the line that is drawn. */
static double elapsed_s(const struct km_progress *progress)
{
	return (double)(progress->shown_ns - progress->started_ns) / 1e9;
}

static void draw_bar(const struct km_progress *progress)
{
	double elapsed = elapsed_s(progress);
	double share = progress->total ? (double)progress->done / (double)progress->total : 0;
	char bar[BAR_WIDTH + 1];
	unsigned filled;

	if (!progress->total) {
		draw_line("%s  %.1f s", progress->what, elapsed);
		return;
	}
	if (share > 1)
		share = 1;
	filled = (unsigned)(share * BAR_WIDTH);
	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', filled);
	bar[BAR_WIDTH] = '\0';
	draw_line("%s  [%s] %3.0f %%  %.0f s left", progress->what, bar, share * 100,
		  share > 0 ? elapsed / share - elapsed : 0);
}

bool km_progress_due(struct km_progress *progress)
{
	uint64_t now;

	if (!progress->visible)
		return false;
	now = km_clock_ns();
	if (now - progress->started_ns < SHOW_AFTER_NS || now - progress->shown_ns < SHOW_EVERY_NS)
		return false;
	progress->shown_ns = now;
	return true;
}

void km_progress_update(struct km_progress *progress, uint64_t done)
{
	progress->done = done;
	if (km_progress_due(progress))
		draw_bar(progress);
}

void km_progress_flow(struct km_progress *progress, uint64_t events, uint64_t lost, uint64_t bytes)
{
	char rate[KM_HUMAN_BYTES], count[KM_HUMAN_BYTES], size[KM_HUMAN_BYTES], of[32] = "";
	uint64_t counted = progress->shown_ns - progress->counted_ns;

	if (counted >= RATE_OVER_NS) {
		progress->events_per_s =
			(double)(events - progress->counted_events) * 1e9 / (double)counted;
		progress->counted_ns = progress->shown_ns;
		progress->counted_events = events;
	}
	if (progress->total)
		snprintf(of, sizeof(of), " of %.1f", (double)progress->total / 1e9);
	draw_line("%s  %.1f%s s  %s/s  %s events  lost %llu  %s", progress->what,
		  elapsed_s(progress), of, km_human_count(progress->events_per_s, rate),
		  km_human_count((double)events, count), (unsigned long long)lost,
		  km_human_bytes((double)bytes, size));
}

void km_progress_end(struct km_progress *progress)
{
	if (progress->visible && progress->shown_ns)
		clear_line();
	progress->visible = false;
}

static volatile sig_atomic_t interrupted;
static uint64_t interrupted_ns;

/*
 * A signal sent to a process and to its group arrives twice at once: only one that comes after a
 * person had time to mean it ends the program before it has saved.
 */
static void on_interrupt(int signal_number)
{
	uint64_t now = km_clock_ns();

	if (!interrupted) {
		interrupted_ns = now;
		interrupted = 1;
	} else if (now - interrupted_ns > SECOND_CHANCE_NS) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
	}
}

void km_catch_interrupts(void)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL); /* the connection was lost: save as well */
}

bool km_interrupted(void)
{
	return interrupted;
}
