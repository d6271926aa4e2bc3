/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's points: kmlab-capture, the only program with privilege, follows chains through the
 * kernel's own memory and prints what it measured. Where it may not, its sentence is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/tlb_calibration.h"
#include "results/program.h"
#include "results/term.h"

static const struct {
	const char *name; /* as it prints them */
	enum km_tlb_place place;
} places[] = {
	{"direct", KM_TLB_DIRECT},
	{"vmalloc", KM_TLB_VMALLOC},
	{"dense", KM_TLB_KERNEL_DENSE},
};
#define NR_PLACES (sizeof(places) / sizeof(places[0]))

struct samples {
	double *ns; /* [place][size][round] */
	uint32_t *count;
	uint32_t rounds;
};

static void add_line(struct samples *samples, struct km_tlb_calibration *calibration,
		     const char *line)
{
	unsigned pages, number;
	char name[16];
	double ns;

	if (sscanf(line, "page %u %u", &pages, &number) == 2 && pages < KM_TLB_MOST_PAGES) {
		calibration->direct_pages[pages] = number;
		return;
	}
	if (sscanf(line, "%15s %u %lf", name, &pages, &ns) != 3)
		return;
	for (unsigned i = 0; i < NR_PLACES * KM_TLB_SIZES_MEASURED; i++) {
		if (strcmp(places[i / KM_TLB_SIZES_MEASURED].name, name) ||
		    km_tlb_pages[i % KM_TLB_SIZES_MEASURED] != pages ||
		    samples->count[i] == samples->rounds)
			continue;
		samples->ns[(size_t)i * samples->rounds + samples->count[i]++] = ns;
	}
}

static void exec_capture(const char *path, uint32_t rounds, int out, int errors)
{
	char pages[KM_TLB_SIZES_MEASURED * 8] = "", option[32];
	size_t used = 0;

	for (unsigned i = 0; i < KM_TLB_SIZES_MEASURED; i++)
		used += (size_t)sprintf(pages + used, "%s%u", i ? "," : "", km_tlb_pages[i]);
	snprintf(option, sizeof(option), "--rounds=%u", rounds);
	dup2(out, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execl(path, "kmlab-capture", "--chase", option, pages, (char *)NULL);
	fprintf(stderr, "%s cannot be run: %s\n", path, strerror(errno));
	_exit(126);
}

/* Its first line on stderr without the program's name. */
static void keep_reason(FILE *errors, char *why, size_t size)
{
	char line[320] = "";

	rewind(errors);
	if (!fgets(line, sizeof(line), errors))
		strcpy(line, "kmlab-capture gave no reason");
	line[strcspn(line, "\n")] = '\0';
	snprintf(why, size, "%s", strncmp(line, "kmlab: ", 7) ? line : line + 7);
}

/* Exit status of the child, 256 when it did not exit. */
static int run_capture(const char *path, struct samples *samples,
		       struct km_tlb_calibration *calibration, FILE *errors)
{
	int ends[2], status;
	char line[128];
	FILE *lines;
	pid_t child;

	if (pipe(ends))
		return 256;
	child = fork();
	if (!child) {
		close(ends[0]);
		exec_capture(path, samples->rounds, ends[1], fileno(errors));
	}
	close(ends[1]);
	lines = child < 0 ? NULL : fdopen(ends[0], "r");
	while (lines && fgets(line, sizeof(line), lines))
		add_line(samples, calibration, line);
	if (lines)
		fclose(lines);
	else
		close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 256;
	return WEXITSTATUS(status);
}

static int add_points(struct km_tlb_calibration *calibration, struct samples *samples)
{
	for (unsigned i = 0; i < NR_PLACES * KM_TLB_SIZES_MEASURED; i++)
		if (samples->count[i] != samples->rounds)
			return -ENODATA;
	for (unsigned i = 0; i < NR_PLACES * KM_TLB_SIZES_MEASURED; i++)
		calibration->points[calibration->nr_points++] =
			km_tlb_point_of(places[i / KM_TLB_SIZES_MEASURED].place,
					km_tlb_pages[i % KM_TLB_SIZES_MEASURED],
					samples->ns + (size_t)i * samples->rounds, samples->rounds);
	return 0;
}

int km_tlb_measure_kernel(struct km_tlb_calibration *calibration, uint32_t rounds,
			  struct km_err *err)
{
	const size_t n = NR_PLACES * KM_TLB_SIZES_MEASURED;
	struct samples samples = {calloc(n * rounds, sizeof(double)), calloc(n, sizeof(uint32_t)),
				  rounds};
	FILE *errors = tmpfile();
	char path[4200];
	int code = 0, status;

	if (!samples.ns || !samples.count || !errors) {
		code = km_fail(err, -ENOMEM, "no memory to measure the kernel's");
		goto out;
	}
	if (!km_find_capture(path, sizeof(path))) {
		snprintf(calibration->kernel_why, sizeof(calibration->kernel_why), "%s",
			 KM_CAPTURE_NOT_BUILT);
		goto out;
	}
	status = run_capture(path, &samples, calibration, errors);
	if (km_interrupted() || status == KM_EXIT_INTERRUPTED)
		code = -EINTR;
	else if (status)
		keep_reason(errors, calibration->kernel_why, sizeof(calibration->kernel_why));
	else if (add_points(calibration, &samples))
		snprintf(calibration->kernel_why, sizeof(calibration->kernel_why),
			 "kmlab-capture printed fewer measurements than it was asked for");
out:
	if (errors)
		fclose(errors);
	free(samples.count);
	free(samples.ns);
	return code;
}
