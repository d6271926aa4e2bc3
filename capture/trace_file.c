/* SPDX-License-Identifier: GPL-2.0-only */
#include "trace_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "dictionary.h"
#include "privilege.h"
#include "results/term.h"

static int append(void *context, unsigned cpu, const struct km_event *events, size_t n,
		  struct km_err *err)
{
	return km_trace_append(context, cpu, events, n, err);
}

static int gap(void *context, const struct km_trace_gap *lost, struct km_err *err)
{
	return km_trace_add_gap(context, lost, err);
}

static void groups_text(unsigned groups, char *text, size_t size)
{
	size_t used = 0;

	for (unsigned group = 0; group < KM_NR_GROUPS; group++)
		if (groups & 1u << group)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "",
						 km_event_group_name(group));
}

/* What was asked for, as far as it tells a reader what to expect. */
static int store_request(struct km_trace_file *file, struct km_err *err)
{
	const struct km_options *options = file->options;
	char *filter = km_options_filter_text(options),
	     *command = km_command_text(options->command);
	int ret = 0;

	if (!filter || !command)
		ret = km_fail(err, -ENOMEM, "no memory to begin a trace");
	if (!ret)
		ret = km_trace_set_meta(file->writer, "command", command, err);
	if (!ret && *filter)
		ret = km_trace_set_meta(file->writer, "filter", filter, err);
	if (!ret && options->shrink)
		ret = km_trace_set_meta(file->writer, "start", "shrunk", err);
	free(filter);
	free(command);
	return ret;
}

static int store_meta(struct km_trace_file *file, struct km_err *err)
{
	uint32_t sample = km_recorder_sampling(file->recorder);
	char groups[64] = "", cpus[24], kept[24];
	int ret = store_request(file, err);

	groups_text(km_recorder_groups(file->recorder), groups, sizeof(groups));
	snprintf(cpus, sizeof(cpus), "%u", km_recorder_possible_cpus(file->recorder));
	snprintf(kept, sizeof(kept), "%u", sample);
	if (!ret)
		ret = km_trace_set_meta(file->writer, "possible_cpus", cpus, err);
	if (!ret)
		ret = km_trace_set_meta(file->writer, "version", KMLAB_VERSION, err);
	if (!ret)
		ret = km_trace_set_meta(file->writer, "groups", groups, err);
	if (!ret && sample > 1)
		ret = km_trace_set_meta(file->writer, "sample", kept, err);
	return ret;
}

int km_trace_file_open(struct km_trace_file *file, const struct km_options *options,
		       const struct km_recorder *recorder, const char *path, struct km_err *err)
{
	int ret;

	*file = (struct km_trace_file){
		.options = options, .recorder = recorder, .path = strdup(path)};
	if (!file->path)
		return km_fail(err, -ENOMEM, "no memory to begin a trace");
	ret = km_trace_create(path, &file->writer, err);
	if (ret)
		return ret;
	file->sink = (struct km_sink){append, gap, file->writer};
	if (km_trace_earlier(file->writer)) {
		file->earlier = strdup(km_trace_earlier(file->writer));
		if (!file->earlier)
			return km_fail(err, -ENOMEM, "no memory to begin a trace");
	}
	ret = store_meta(file, err);
	if (!ret)
		ret = km_snapshot_provenance(file->writer, km_recorder_btf(file->recorder),
					     km_recorder_layout(file->recorder), err);
	return ret;
}

static int resolve_symbols(struct km_trace_file *file, struct km_err *err)
{
	static bool told;
	uint32_t sites, unresolved;
	int ret = km_symbols_resolve(file->writer, &sites, &unresolved, err);

	if (!ret && sites > 1 && unresolved == sites - 1 &&
	    !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		km_warn("no call site has a symbol: /proc/kallsyms hides its addresses; run as "
			"root or with kernel.kptr_restrict=0");
	return ret;
}

static void discard(struct km_trace_file *file)
{
	km_trace_discard(file->writer);
	file->writer = NULL;
}

int km_trace_file_finish(struct km_trace_file *file, const struct km_trace_end *end,
			 struct km_err *err)
{
	int ret = km_snapshot_store(&end->snapshot, file->writer, "end", end->duration_ns, err);

	if (!ret)
		ret = km_trace_set_counts(file->writer, &end->counts, err);
	if (!ret)
		ret = km_names_cgroups(end->names, file->writer, err);
	if (!ret)
		ret = resolve_symbols(file, err);
	if (ret)
		return ret;
	ret = km_trace_flush(file->writer, err);
	if (ret)
		return ret;
	file->stored = km_trace_stored(file->writer);
	if (!file->stored && file->earlier) {
		discard(file);
		return 0;
	}
	ret = km_trace_finish(file->writer, end->duration_ns, err);
	file->writer = NULL;
	return ret;
}

void km_trace_end_free(struct km_trace_end *end)
{
	km_snapshot_free(&end->snapshot);
	km_names_free(end->names);
	end->names = NULL;
}

static uint64_t file_bytes(const char *path)
{
	struct stat status;

	return stat(path, &status) ? 0 : (uint64_t)status.st_size;
}

/* While recording, what is new lies in the write-ahead log beside the file. */
uint64_t km_trace_file_bytes(const struct km_trace_file *file)
{
	char log[4096];

	snprintf(log, sizeof(log), "%s-wal", file->path);
	return file_bytes(file->path) + file_bytes(log);
}

void km_trace_file_tell(const struct km_trace_file *file, uint64_t duration_ns)
{
	double seconds = (double)duration_ns / 1e9;
	uint64_t bytes = km_trace_file_bytes(file);

	if (file->stored)
		km_note("%s: %llu events in %.3f s (%.3g M/s), %llu bytes (%.2f an event)",
			file->path, (unsigned long long)file->stored, seconds,
			(double)file->stored / seconds / 1e6, (unsigned long long)bytes,
			(double)bytes / (double)file->stored);
	else
		km_note("nothing was recorded in %.3f s%s%s", seconds,
			file->earlier ? "; the earlier trace stays in " : "",
			file->earlier ? file->path : "");
}

/* The sentence goes on. */
__attribute__((format(printf, 2, 3))) static void go_on(struct km_err *err, const char *format, ...)
{
	size_t used = strlen(err->text);
	va_list args;

	va_start(args, format);
	vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
	va_end(args);
}

void km_trace_file_give_up(struct km_trace_file *file, bool began, struct km_err *err)
{
	if (file->writer) {
		file->stored = km_trace_stored(file->writer);
		if (!file->stored) {
			discard(file);
			go_on(err, "%s", began ? "; no events are stored" : "");
			return;
		}
		km_trace_abandon(file->writer);
		file->writer = NULL;
	}
	if (file->stored)
		go_on(err, "; %llu events are stored in %s%s%s", (unsigned long long)file->stored,
		      file->path, file->earlier ? ", the earlier trace is in " : "",
		      file->earlier ? file->earlier : "");
}

void km_trace_file_close(struct km_trace_file *file)
{
	if (file->writer)
		discard(file);
	free(file->earlier);
	free(file->path);
	memset(file, 0, sizeof(*file));
}

/* ---- numbered traces ---- */

/* Length of the name before ".kmt", if it ends so. */
static int stem(const char *name)
{
	size_t length = strlen(name);

	return (int)(length > 4 && strcmp(name + length - 4, ".kmt") == 0 ? length - 4 : length);
}

char *km_numbered_path(const char *output, unsigned number)
{
	int length = stem(output);
	char *path;

	return asprintf(&path, "%.*s.%u%s", length, output, number, output + length) < 0 ? NULL
											 : path;
}

/* The number of the file called `name`, 0: it is none of those called like `output`. */
static unsigned number_of(const char *name, const char *output)
{
	size_t length = (size_t)stem(output);
	unsigned long number;
	char *end;

	if (strncmp(name, output, length) != 0 || name[length] != '.' || name[length + 1] < '1' ||
	    name[length + 1] > '9')
		return 0;
	number = strtoul(name + length + 1, &end, 10);
	return strcmp(end, output + length) == 0 && number < UINT32_MAX ? (unsigned)number : 0;
}

unsigned km_numbered_last(const char *output)
{
	const char *slash = strrchr(output, '/'), *name = slash ? slash + 1 : output;
	char *folder = slash ? strndup(output, (size_t)(slash - output) + 1) : strdup(".");
	DIR *directory = folder ? opendir(folder) : NULL;
	struct dirent *entry;
	unsigned last = 0, number;

	while (directory && (entry = readdir(directory))) {
		number = number_of(entry->d_name, name);
		if (number > last)
			last = number;
	}
	if (directory)
		closedir(directory);
	free(folder);
	return last;
}
