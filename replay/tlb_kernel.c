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

#include "replay/tlb_repeat.h"
#include "results/program.h"
#include "results/term.h"

/* As it prints them. */
static const char *const names[] = {"direct", "vmalloc", "dense"};
static const uint8_t places[] = {KM_TLB_DIRECT, KM_TLB_VMALLOC, KM_TLB_KERNEL_DENSE};
#define NR_PLACES (sizeof(places) / sizeof(places[0]))

struct kernel {
	struct km_tlb_calibration *calibration;
	const char *path; /* of kmlab-capture */
	bool placed;      /* where the direct map's objects lie was read */
	bool refused;     /* the calibration says why */
};

static void add_line(struct kernel *kernel, struct km_tlb_samples *samples, const char *line)
{
	unsigned pages, number;
	char name[16];
	double ns;

	if (sscanf(line, "page %u %u", &pages, &number) == 2 && pages < KM_TLB_MOST_PAGES) {
		/* The first time, of which all points are. */
		if (!kernel->placed)
			kernel->calibration->direct_pages[pages] = number;
		return;
	}
	if (sscanf(line, "%15s %u %lf", name, &pages, &ns) != 3)
		return;
	for (unsigned i = 0; i < NR_PLACES * KM_TLB_SIZES_MEASURED; i++)
		if (!strcmp(names[i / KM_TLB_SIZES_MEASURED], name) &&
		    km_tlb_pages[i % KM_TLB_SIZES_MEASURED] == pages)
			km_tlb_samples_add(samples, i, ns);
}

/* It measures the sizes of which a place's is wanted, in all places. */
static void exec_capture(const char *path, const bool *wanted, uint32_t rounds, int out, int errors)
{
	char pages[KM_TLB_SIZES_MEASURED * 8] = "", option[32];
	size_t used = 0;

	for (unsigned i = 0; i < KM_TLB_SIZES_MEASURED; i++)
		if (wanted[i] || wanted[i + KM_TLB_SIZES_MEASURED] ||
		    wanted[i + 2 * KM_TLB_SIZES_MEASURED])
			used += (size_t)sprintf(pages + used, "%s%u", used ? "," : "",
						km_tlb_pages[i]);
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
static int run_capture(struct kernel *kernel, struct km_tlb_samples *samples, const bool *wanted,
		       uint32_t rounds, FILE *errors)
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
		exec_capture(kernel->path, wanted, rounds, ends[1], fileno(errors));
	}
	close(ends[1]);
	lines = child < 0 ? NULL : fdopen(ends[0], "r");
	while (lines && fgets(line, sizeof(line), lines))
		add_line(kernel, samples, line);
	if (lines)
		fclose(lines);
	else
		close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 256;
	return WEXITSTATUS(status);
}

/* -ENODATA: refused. */
static int measure_rounds(void *context, struct km_tlb_samples *samples, const bool *wanted,
			  uint32_t rounds, struct km_err *err)
{
	struct km_tlb_calibration *calibration;
	struct kernel *kernel = context;
	FILE *errors = tmpfile();
	int status;

	if (!errors)
		return km_fail(err, -errno, "no temporary file to measure the kernel's");
	status = run_capture(kernel, samples, wanted, rounds, errors);
	kernel->placed = true;
	calibration = kernel->calibration;
	kernel->refused = status != 0;
	if (status)
		keep_reason(errors, calibration->kernel_why, sizeof(calibration->kernel_why));
	fclose(errors);
	if (km_interrupted() || status == KM_EXIT_INTERRUPTED)
		return -EINTR;
	return status ? -ENODATA : 0;
}

int km_tlb_measure_kernel(struct km_tlb_calibration *calibration, uint32_t rounds,
			  struct km_err *err)
{
	struct kernel kernel = {.calibration = calibration};
	char path[4200];
	int code;

	if (!km_find_capture(path, sizeof(path))) {
		snprintf(calibration->kernel_why, sizeof(calibration->kernel_why), "%s",
			 KM_CAPTURE_NOT_BUILT);
		return 0;
	}
	kernel.path = path;
	code = km_tlb_measure_points(calibration, places, NR_PLACES, rounds, measure_rounds,
				     &kernel, err);
	if (code == -ENODATA && !kernel.refused)
		snprintf(calibration->kernel_why, sizeof(calibration->kernel_why),
			 "kmlab-capture printed fewer measurements than it was asked for");
	return code == -ENODATA ? 0 : code;
}
