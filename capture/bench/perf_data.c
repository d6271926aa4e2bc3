/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_section {
	uint64_t offset, size;
};

struct file_header {
	char magic[8]; /* "PERFILE2" */
	uint64_t size, attr_size;
	struct file_section attrs, data;
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

struct lost_samples_record {
	struct perf_event_header header;
	uint64_t lost;
};

/*
 * Losses appear where they happened (LOST) and, since Linux 6.1, once more as totals of each event
 * at the end (LOST_SAMPLES): whichever knows more is the number.
 */
static int count(const uint8_t *data, uint64_t size, double *samples, double *lost)
{
	const struct perf_event_header *header;
	double at_place = 0, at_end = 0;

	*samples = 0;
	for (uint64_t at = 0; at + sizeof(*header) <= size; at += header->size) {
		header = (const struct perf_event_header *)(data + at);
		if (header->size < sizeof(*header) || header->size > size - at)
			return -EPROTO;
		if (header->type == PERF_RECORD_SAMPLE)
			*samples += 1;
		if (header->type == PERF_RECORD_LOST && header->size >= sizeof(struct lost_record))
			at_place += (double)((const struct lost_record *)header)->lost;
		if (header->type == PERF_RECORD_LOST_SAMPLES &&
		    header->size >= sizeof(struct lost_samples_record))
			at_end += (double)((const struct lost_samples_record *)header)->lost;
	}
	*lost = at_place > at_end ? at_place : at_end;
	return 0;
}

int bench_perf_data(const char *path, double *samples, double *lost, struct km_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = -EPROTO;
	const struct file_header *header;
	struct stat status;
	uint64_t bytes;
	void *file;

	if (fd < 0 || fstat(fd, &status)) {
		ret = km_fail(err, -errno, "%s cannot be read: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	bytes = (uint64_t)status.st_size;
	file = mmap(NULL, bytes ? bytes : 1, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return km_fail(err, -errno, "%s cannot be mapped: %s", path, strerror(errno));
	header = file;
	if (bytes >= sizeof(*header) && memcmp(header->magic, "PERFILE2", 8) == 0 &&
	    header->data.offset <= bytes && header->data.size <= bytes - header->data.offset)
		ret = count((const uint8_t *)file + header->data.offset, header->data.size, samples,
			    lost);
	munmap(file, bytes ? bytes : 1);
	return ret ? km_fail(err, ret, "%s is not a whole perf.data file", path) : 0;
}
