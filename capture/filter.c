/* SPDX-License-Identifier: GPL-2.0-only */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "privilege.h"

static int numbers(const struct km_words *words, const char *what, uint32_t *list, uint32_t *count,
		   struct km_err *err)
{
	unsigned long value;
	char *end;

	for (unsigned i = 0; i < words->count; i++) {
		value = strtoul(words->word[i], &end, 10);
		if (*end || end == words->word[i] || !value || value > INT32_MAX)
			return km_fail(err, -EINVAL, "--%s takes a number, not '%s'", what,
				       words->word[i]);
		list[(*count)++] = (uint32_t)value;
	}
	return 0;
}

static int comms(const struct km_words *words, struct km_filter *filter, struct km_err *err)
{
	for (unsigned i = 0; i < words->count; i++) {
		if (strlen(words->word[i]) >= sizeof(filter->comm[0]))
			return km_fail(err, -EINVAL,
				       "--comm takes names as the kernel has them, of up to %zu "
				       "characters; '%s' is longer",
				       sizeof(filter->comm[0]) - 1, words->word[i]);
		strcpy(filter->comm[filter->comms++], words->word[i]);
	}
	return 0;
}

/* kmalloc-96, kmalloc-2k: bytes, else 0. */
static uint32_t kmalloc_bytes(const char *name)
{
	const char *prefix = "kmalloc-";
	unsigned long bytes;
	char *end;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return 0;
	bytes = strtoul(name + strlen(prefix), &end, 10);
	if (*end == 'k' && !end[1])
		return (uint32_t)bytes << 10;
	return *end ? 0 : (uint32_t)bytes;
}

static int caches(const struct km_words *words, struct km_filter *filter, struct km_err *err)
{
	const char *name;
	uint32_t bytes;

	for (unsigned i = 0; i < words->count; i++) {
		name = words->word[i];
		bytes = kmalloc_bytes(name);
		if (bytes) {
			filter->kmalloc_size[filter->kmalloc_sizes++] = bytes;
			continue;
		}
		if (strncmp(name, "kmalloc-", 8) == 0)
			return km_fail(err, -EINVAL,
				       "kmalloc's events do not tell which of its caches of a size "
				       "they are from; say --cache kmalloc-SIZE instead of '%s'",
				       name);
		if (strlen(name) >= sizeof(filter->cache[0]))
			return km_fail(err, -EINVAL, "no cache's name is as long as '%s'", name);
		strcpy(filter->cache[filter->caches++], name);
	}
	return 0;
}

static int sites(const struct km_words *words, struct km_filter *filter, struct km_err *err)
{
	unsigned count;
	int ret;

	for (unsigned i = 0; i < words->count; i++) {
		ret = km_symbols_find(words->word[i], (uint64_t *)filter->site_from + filter->sites,
				      (uint64_t *)filter->site_to + filter->sites,
				      KM_FILTER_MAX - filter->sites, &count);
		if (ret == -EACCES)
			return km_fail(
				err, ret,
				"--site needs the addresses of symbols, which /proc/kallsyms "
				"hides; run as root, or once: %s",
				km_setcap_command());
		if (ret == -E2BIG)
			return km_fail(
				err, ret,
				"--site compares up to %d ranges of code, and '%s' takes one "
				"more; choose fewer",
				KM_FILTER_MAX, words->word[i]);
		if (ret)
			return km_fail(err, ret,
				       "there is no function or [module] '%s' in /proc/kallsyms",
				       words->word[i]);
		filter->sites += count;
	}
	return 0;
}

#define CGROUP_ROOT "/sys/fs/cgroup"

static int open_cgroup(const char *path, int *fd, struct km_err *err)
{
	struct statfs system;
	char full[4096];

	if (strncmp(path, CGROUP_ROOT, strlen(CGROUP_ROOT)) == 0)
		path += strlen(CGROUP_ROOT);
	snprintf(full, sizeof(full), "%s/%s", CGROUP_ROOT, path);
	*fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return km_fail(err, -errno, "there is no cgroup %s: %s", full, strerror(errno));
	if (!fstatfs(*fd, &system) && system.f_type == CGROUP2_SUPER_MAGIC)
		return 0;
	close(*fd);
	*fd = -1;
	return km_fail(err, -ENOTSUP,
		       "%s is not of the unified cgroup hierarchy (cgroup v2), which --cgroup "
		       "needs; choose tasks by --pid or --comm",
		       full);
}

int km_filter_make(const struct km_filter_options *options, struct km_filter *filter,
		   int *cgroup_fd, struct km_err *err)
{
	int ret;

	memset(filter, 0, sizeof(*filter));
	filter->has_sizes = options->has_sizes;
	filter->size_from = options->size_from;
	filter->size_to = options->size_to;
	ret = numbers(&options->pids, "pid", filter->tgid, &filter->tgids, err);
	if (!ret)
		ret = numbers(&options->tids, "tid", filter->tid, &filter->tids, err);
	if (!ret)
		ret = comms(&options->comms, filter, err);
	if (!ret)
		ret = caches(&options->caches, filter, err);
	if (!ret)
		ret = sites(&options->sites, filter, err);
	if (!ret && options->cgroup) {
		filter->cgroup = 1;
		ret = open_cgroup(options->cgroup, cgroup_fd, err);
	}
	return ret;
}

void km_filter_close(int cgroup_fd)
{
	if (cgroup_fd >= 0)
		close(cgroup_fd);
}
