/* SPDX-License-Identifier: GPL-2.0-only */
/* Text traces line by line: what their heads say of the machine, and of what is missing. */
#include "importer.h"
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#define LINE_BYTES 65536

/* The number behind the title; false: there is no such title or no number. */
static bool number_behind(struct km_text text, const char *title, uint64_t *number)
{
	struct km_text value = km_text_after(text, title), word;

	if (!value.at)
		return false;
	word = km_text_word(&value);
	return word.n && km_text_number(word, 10, number);
}

/* CPUs the machine has; those that are seen count as well. */
static void take_cpus(struct km_importer *importer, uint64_t cpus)
{
	if (cpus <= KM_MAX_CPUS && cpus > importer->told_cpus)
		importer->told_cpus = (uint32_t)cpus;
}

/* "# event : name = kmem:kmalloc, …, { sample_period, sample_freq } = 1, …": every event, or some?
 */
static int read_perf_event(struct km_importer *importer, struct km_text text, struct km_err *err)
{
	static const char period[] = "{ sample_period, sample_freq } = ";
	struct km_text name = km_text_after(text, "# event : name = "), value;
	const char *at = name.n ? memmem(name.at, name.n, period, strlen(period)) : NULL;
	const char *comma;
	uint64_t number;

	if (!at || !(km_text_after(name, "kmem:").at || km_text_after(name, "vmalloc:").at ||
		     km_text_after(name, "percpu:").at))
		return 0;
	at += strlen(period);
	value = (struct km_text){at, (size_t)(km_text_end(name) - at)};
	comma = memchr(value.at, ',', value.n);
	value.n = comma ? (size_t)(comma - value.at) : value.n;
	if (!km_text_number(km_text_trim(value), 10, &number) || number == 1)
		return 0;
	comma = memchr(name.at, ',', name.n);
	return km_fail(err, -ENOTSUP,
		       "%s has only one of %llu events of %.*s, so frees cannot be matched with "
		       "allocations; record again with 'perf record -c 1'",
		       importer->name, (unsigned long long)number, (int)(comma - name.at), name.at);
}

/* "# os release : 6.1.0-13-amd64", as `perf script --header` prints what perf recorded. */
static int read_perf_head(struct km_importer *importer, struct km_text text, struct km_err *err)
{
	static const struct {
		const char *title, *key;
	} facts[] = {{"# arch :", "machine"}, {"# cmdline :", "command"}};
	struct km_text value = km_text_trim(km_text_after(text, "# os release :"));
	char release[65];
	uint64_t number;

	if (value.n) {
		snprintf(release, sizeof(release), "%.*s", (int)value.n, value.at);
		return km_import_kernel(importer, release, err);
	}
	if (number_behind(text, "# nrcpus online :", &number))
		take_cpus(importer, number);
	if (number_behind(text, "# total memory :", &number) && number < INT64_MAX / 1024)
		return km_import_meta(importer, err, "memory_bytes", "%llu",
				      (unsigned long long)number * 1024);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		value = km_text_trim(km_text_after(text, facts[i].title));
		if (value.n)
			return km_import_meta(importer, err, facts[i].key, "%.*s", (int)value.n,
					      value.at);
	}
	return read_perf_event(importer, text, err);
}

/*
 * "# entries-in-buffer/entries-written: 1622/4187   #P:2": what was written and is no longer there
 * was overwritten. trace-cmd begins with "cpus=2", and marks what its file has lost.
 */
static int read_ftrace_head(struct km_importer *importer, struct km_text text, struct km_err *err)
{
	struct km_text value = km_text_after(text, "# entries-in-buffer/entries-written:"), word;
	uint64_t cpus, kept, written;
	const char *slash;

	if (number_behind(text, "cpus=", &cpus)) {
		importer->report->loss_known = true;
		take_cpus(importer, cpus);
	}
	if (!value.at)
		return 0;
	word = km_text_word(&value);
	slash = word.n ? memchr(word.at, '/', word.n) : NULL;
	if (!slash ||
	    !km_text_number((struct km_text){word.at, (size_t)(slash - word.at)}, 10, &kept) ||
	    !km_text_number((struct km_text){slash + 1, (size_t)(km_text_end(word) - slash) - 1},
			    10, &written) ||
	    written < kept || written - kept > KM_IMPORT_LOST_MAX)
		return km_import_bad(importer, err, "it does not say how many entries there are");
	importer->report->loss_known = true;
	importer->overwritten += written - kept;
	importer->report->lost += written - kept;
	if (number_behind(km_text_trim(value), "#P:", &cpus))
		take_cpus(importer, cpus);
	return 0;
}

static int take_line(struct km_importer *importer, enum km_import_format format,
		     struct km_text text, struct km_err *err)
{
	struct km_line line;
	int code;

	if (format == KM_IMPORT_PERF) {
		code = read_perf_head(importer, text, err);
		km_line_perf(text, &line);
	} else {
		code = read_ftrace_head(importer, text, err);
		km_line_ftrace(text, &line);
	}
	return code ? code : km_import_line(importer, &line, err);
}

int km_import_text(struct km_importer *importer, enum km_import_format format, FILE *in,
		   struct km_err *err)
{
	XXH3_state_t *digest = XXH3_createState();
	static _Thread_local char bytes[LINE_BYTES];
	XXH128_hash_t sum;
	int code = 0;

	if (!digest)
		return -ENOMEM;
	XXH3_128bits_reset(digest);
	while (!code && fgets(bytes, sizeof(bytes), in)) {
		size_t n = strlen(bytes);

		importer->line++;
		code = km_import_stopped(importer, err);
		XXH3_128bits_update(digest, bytes, n);
		if (code)
			break;
		if (n == sizeof(bytes) - 1 && bytes[n - 1] != '\n')
			code = km_import_bad(importer, err,
					     "it is longer than any line of a trace");
		else if (!n || (bytes[n - 1] != '\n' && !feof(in)))
			code = km_import_bad(importer, err, "it is not text");
		else
			code = take_line(importer, format,
					 (struct km_text){bytes, n - (bytes[n - 1] == '\n')}, err);
	}
	if (!code && ferror(in))
		code = km_fail(err, -EIO, "cannot read %s: %s", importer->name, strerror(errno));
	if (!code)
		code = km_import_settle(importer, err);
	sum = XXH3_128bits_digest(digest);
	importer->digest[0] = sum.high64;
	importer->digest[1] = sum.low64;
	XXH3_freeState(digest);
	return code;
}
