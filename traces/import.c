/* SPDX-License-Identifier: GPL-2.0-only */
/* Imports a file: opens it (or what perf makes of it), and writes the facts and the ledger. */
#include "import.h"
#include "importer.h"
#include "uuid.h"
#include <errno.h>
#include <fcntl.h>
#include <kmlab/profile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const km_import_format_names[KM_NR_IMPORT_FORMATS] = {"perf", "ftrace", "llfree"};

int km_import_meta(struct km_importer *importer, struct km_err *err, const char *key,
		   const char *format, ...)
{
	char value[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	return km_trace_set_meta(importer->writer, key, value, err);
}

/* The first that is said counts: what the caller knows better is said before the file. */
int km_import_kernel(struct km_importer *importer, const char *release, struct km_err *err)
{
	int code;

	if (importer->profile || !*release)
		return 0;
	snprintf(importer->kernel, sizeof(importer->kernel), "%s", release);
	importer->profile = km_profile_for_release(release);
	code = km_import_meta(importer, err, "kernel", "%s", release);
	return code ? code
		    : km_import_meta(importer, err, "profile", "%s", importer->profile->name);
}

int km_import_stopped(const struct km_importer *importer, struct km_err *err)
{
	if (importer->line % 1024 || !importer->stop || !importer->stop())
		return 0;
	return km_fail(err, -EINTR, "%s was not imported: interrupted", importer->name);
}

/* ---- the ledger ---- */

/* What was lost before the next event of a CPU that has none, and what ftrace overwrote. */
static int close_gaps(struct km_importer *importer, struct km_err *err)
{
	struct km_trace_gap gap = {.cpu = KM_GAP_CPU_UNKNOWN,
				   .cause = KM_LOSS_RING_FULL,
				   .before_ns = importer->report->duration_ns,
				   .events = importer->overwritten};
	int code = 0;

	for (uint32_t cpu = 0; !code && cpu < importer->nr_cpus; cpu++)
		code = km_import_tick(importer, cpu, importer->report->duration_ns, err);
	if (code || !importer->overwritten)
		return code;
	importer->counts.lost[KM_LOSS_RING_FULL] += importer->overwritten;
	return km_trace_add_gap(importer->writer, &gap, err);
}

/* Of what kinds the lost were is not told: in proportion to what was recorded. */
static void spread_lost(struct km_trace_counts *counts)
{
	uint64_t lost = counts->lost[KM_LOSS_RING_FULL], left = lost, recorded = 0;
	unsigned most = KM_EV_KMALLOC;

	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		recorded += counts->recorded[kind];
		if (counts->recorded[kind] > counts->recorded[most])
			most = kind;
	}
	for (unsigned kind = 0; recorded && kind < KM_NR_EVENT_KINDS; kind++) {
		uint64_t share = (uint64_t)((double)lost * (double)counts->recorded[kind] /
					    (double)recorded);

		share = share < left ? share : left;
		counts->fired[kind] += share;
		left -= share;
	}
	counts->fired[most] += left;
}

static int write_ledger(struct km_importer *importer, struct km_err *err)
{
	int code = close_gaps(importer, err);

	if (code)
		return code;
	if (!importer->report->loss_known || importer->report->lost_marks)
		code = km_import_meta(importer, err, "loss", "unknown");
	if (!code && importer->counts.lost[KM_LOSS_RING_FULL])
		code = km_import_meta(importer, err, "fired", "estimated");
	spread_lost(&importer->counts);
	return code ? code : km_trace_set_counts(importer->writer, &importer->counts, err);
}

/* ---- facts ---- */

static int write_groups(struct km_importer *importer, struct km_err *err)
{
	unsigned groups = 0;
	char text[64] = "";

	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		if (importer->counts.recorded[kind])
			groups |= 1u << km_event_group_of(kind);
	for (unsigned group = 0; group < KM_NR_GROUPS; group++)
		if (groups >> group & 1)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 *text ? "," : "", km_event_group_name(group));
	return km_import_meta(importer, err, "groups", "%s", text);
}

/* The same file is the same trace: its name is made of what was read . */
static int write_uuid(struct km_importer *importer, struct km_err *err)
{
	char text[KM_UUID_TEXT];

	return km_import_meta(importer, err, "uuid", "%s",
			      km_uuid_text(importer->digest[0], importer->digest[1], text));
}

static int write_facts(struct km_importer *importer, enum km_import_format format,
		       struct km_err *err)
{
	uint64_t base = km_map_base(&importer->votes);
	int code = km_import_meta(importer, err, "imported", "%s", km_import_format_names[format]);

	if (!code)
		code = km_import_meta(importer, err, "version", "%s", KMLAB_VERSION);
	if (!code)
		code = km_import_meta(importer, err, "cpus", "%u",
				      importer->nr_cpus > importer->told_cpus
					      ? importer->nr_cpus
					      : importer->told_cpus);
	if (!code)
		code = km_import_meta(importer, err, "clock_ns", "%llu",
				      (unsigned long long)importer->origin_ns);
	if (!code && base)
		code = km_import_meta(importer, err, "direct_map_base", "0x%llx",
				      (unsigned long long)base);
	if (!code)
		code = write_groups(importer, err);
	return code ? code : write_uuid(importer, err);
}

/* `shown`: what is read was asked to show all losses, so none shown are none. */
static int import_stream(enum km_import_format format, FILE *in, const char *name,
			 const struct km_import_options *options, bool shown,
			 struct km_trace_writer *writer, struct km_import_report *report,
			 struct km_err *err)
{
	struct km_importer *importer = calloc(1, sizeof(*importer));
	int code;

	if (!importer)
		return km_fail(err, -ENOMEM, "cannot import %s: not enough memory", name);
	*report = (struct km_import_report){.loss_known = shown};
	importer->writer = writer;
	importer->report = report;
	importer->name = name;
	importer->stop = options->stop;
	code = km_import_kernel(importer, options->kernel ? options->kernel : "", err);
	if (!code && format == KM_IMPORT_LLFREE)
		code = km_import_llfree(importer, in, err);
	else if (!code)
		code = km_import_text(importer, format, in, err);
	if (!code && !report->recorded)
		code = km_fail(
			err, -EPROTO,
			"%s has no allocation events (kmem, vmalloc, percpu); record them with "
			"perf record -e 'kmem:*'",
			name);
	if (!code)
		code = write_ledger(importer, err);
	if (!code)
		code = write_facts(importer, format, err);
	if (code == -ENOMEM)
		km_fail(err, code, "cannot import %s: not enough memory", name);
	km_intern_free(&importer->symbols);
	km_intern_free(&importer->caches);
	km_intern_free(&importer->tasks);
	free(importer);
	return code;
}

int km_import_stream(enum km_import_format format, FILE *in, const char *name,
		     const struct km_import_options *options, struct km_trace_writer *writer,
		     struct km_import_report *report, struct km_err *err)
{
	return import_stream(format, in, name, options, false, writer, report, err);
}

/* ---- perf.data ---- */

/* A pipe cannot be read twice, and is text. */
static bool is_perf_data(FILE *in)
{
	char magic[8] = "";
	bool is;

	if (fseek(in, 0, SEEK_SET))
		return false;
	is = fread(magic, sizeof(magic), 1, in) == 1 && !memcmp(magic, "PERFILE2", 8);
	rewind(in);
	return is;
}

static void run_perf(const char *path, int out)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp("perf", "perf", "script", "-i", path, "--header", "--ns", "--show-lost-events",
	       (char *)NULL);
	_exit(127);
}

/* What perf makes of its own file: it alone knows all versions of it. */
static int import_perf_data(const char *path, const struct km_import_options *options,
			    struct km_trace_writer *writer, struct km_import_report *report,
			    struct km_err *err)
{
	int pipes[2], status = 0, code;
	FILE *in;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return km_fail(err, -errno, "cannot run perf: %s", strerror(errno));
	child = fork();
	if (!child)
		run_perf(path, pipes[1]);
	close(pipes[1]);
	in = child > 0 ? fdopen(pipes[0], "r") : NULL;
	if (!in) {
		close(pipes[0]);
		return km_fail(err, -errno, "cannot run perf: %s", strerror(errno));
	}
	code = import_stream(KM_IMPORT_PERF, in, path, options, true, writer, report, err);
	fclose(in); /* perf ends with it if it has more to say */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (code == -EINTR)
		return code;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return km_fail(
			err, -ENOENT,
			"%s is a perf.data file, and perf is not installed; install linux-perf, "
			"or import what 'perf script' printed where it is",
			path);
	if (WIFEXITED(status) && WEXITSTATUS(status) && (!code || !report->recorded))
		return km_fail(
			err, -EPROTO,
			"perf cannot read %s (it ends with %d); 'perf script -i %s' says why", path,
			WEXITSTATUS(status), path);
	return code;
}

int km_import_file(enum km_import_format format, const char *path,
		   const struct km_import_options *options, struct km_trace_writer *writer,
		   struct km_import_report *report, struct km_err *err)
{
	FILE *in = fopen(path, "re");
	int code;

	if (!in)
		return km_fail(err, -errno, "cannot read %s: %s", path, strerror(errno));
	if (format == KM_IMPORT_PERF && is_perf_data(in))
		code = import_perf_data(path, options, writer, report, err);
	else
		code = km_import_stream(format, in, path, options, writer, report, err);
	fclose(in);
	return code;
}
