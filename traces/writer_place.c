/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a trace is written, and what becomes of the trace that was there: it is moved aside under a
 * name no file has, removed when the new one is finished, moved back when that is discarded. At a
 * kill each of the two is under one of the names, with its write-ahead log if it has one.
 */
#include "writer.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KM_LINKS_MAX 40 /* as in the kernel (include/linux/namei.h, MAXSYMLINKS) */
#define KM_EARLIER_MAX 100
#define KM_SUFFIX_MAX 16

static const char *const beside[] = {"-wal", "-shm", "-journal"};

/* Put `suffix` after the name; name has room for it. */
static const char *with(char *name, const char *path, const char *suffix)
{
	strcpy(stpcpy(name, path), suffix);
	return name;
}

/* One symbolic link further. 0 or -errno. */
static int follow(char *path)
{
	char target[PATH_MAX], *slash = strrchr(path, '/');
	ssize_t got = readlink(path, target, sizeof(target) - 1);
	size_t directory;

	if (got < 0)
		return -errno;
	target[got] = '\0';
	directory = *target == '/' || !slash ? 0 : (size_t)(slash + 1 - path);
	if (directory + (size_t)got + KM_SUFFIX_MAX >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + directory, target, (size_t)got + 1);
	return 0;
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

/* The file that `path` leads to, whether it is there or not, in target[PATH_MAX]. */
static int resolve(const char *path, char *target, struct km_err *err)
{
	struct stat st;
	int code = 0;

	if (strlen(path) + KM_SUFFIX_MAX >= PATH_MAX)
		return km_fail(err, -ENAMETOOLONG, "cannot write %.64s...: the name is too long",
			       path);
	strcpy(target, path);
	for (unsigned links = 0; !code && !lstat(target, &st) && S_ISLNK(st.st_mode); links++)
		code = links < KM_LINKS_MAX ? follow(target) : -ELOOP;
	if (code)
		return km_fail(err, code, "cannot write %s: %s", path, strerror(-code));
	if (!lstat(target, &st) && !S_ISREG(st.st_mode))
		return km_fail(err, -EINVAL,
			       "%s is %s, not a regular file; choose another name with -o", path,
			       kind_of(st.st_mode));
	return 0;
}

/*
 * Another process that writes a trace holds its write lock. If none does, this takes in the log of
 * a killed capture, so that the trace is one file.
 */
static bool is_being_written(const char *path)
{
	sqlite3 *db = NULL;
	bool busy = false;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
		busy = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_BUSY;
	sqlite3_close(db);
	return busy;
}

static void remove_beside(const char *path)
{
	char name[PATH_MAX + KM_SUFFIX_MAX];

	for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++)
		unlink(with(name, path, beside[i]));
}

/*
 * Rename a trace. A log that could not be taken in (the disk is full) has both names while the
 * trace has either; what else is beside it SQLite makes anew.
 */
static int move_trace(const char *from, const char *to)
{
	char old_log[PATH_MAX + KM_SUFFIX_MAX], new_log[PATH_MAX + KM_SUFFIX_MAX];
	int code;

	with(old_log, from, "-wal");
	with(new_log, to, "-wal");
	/* Where there are no hard links the log has to go first, and alone. */
	if (link(old_log, new_log) && errno != ENOENT && rename(old_log, new_log))
		return -errno;
	if (rename(from, to)) {
		code = -errno;
		if (access(old_log, F_OK))
			rename(new_log, old_log);
		else
			unlink(new_log);
		return code;
	}
	remove_beside(from);
	return 0;
}

static bool is_free(const char *path)
{
	char name[PATH_MAX + KM_SUFFIX_MAX];
	struct stat st;

	return lstat(path, &st) && errno == ENOENT && lstat(with(name, path, "-wal"), &st) &&
	       errno == ENOENT;
}

/* path.old, or the first of path.old2, path.old3 ... that no file has. */
static int move_aside(struct km_place *place, struct km_err *err)
{
	char name[PATH_MAX + KM_SUFFIX_MAX], suffix[KM_SUFFIX_MAX] = ".old";
	int code;

	for (unsigned n = 2; !is_free(with(name, place->path, suffix)); n++) {
		if (n == KM_EARLIER_MAX)
			return km_fail(err, -EEXIST,
				       "cannot replace %s: %s.old and others keep earlier traces; "
				       "remove those that are not needed",
				       place->path, place->path);
		snprintf(suffix, sizeof(suffix), ".old%u", n);
	}
	place->earlier = strdup(name);
	code = place->earlier ? move_trace(place->path, name) : -ENOMEM;
	if (!code)
		return 0;
	free(place->earlier);
	place->earlier = NULL;
	return km_fail(err, code, "cannot replace %s: %s", place->path, strerror(-code));
}

int km_place_take(const char *path, struct km_place *place, struct km_err *err)
{
	char target[PATH_MAX];
	struct km_file_head head;
	int code = resolve(path, target, err);

	if (code)
		return code;
	code = km_read_head(target, &head);
	if (code && code != -ENOENT)
		return km_fail(err, code, "cannot write %s: %s", path, strerror(-code));
	if (!code && head.bytes &&
	    !(head.is_sqlite && head.application_id == KM_TRACE_APPLICATION_ID))
		return km_fail(err, -EEXIST,
			       "%s exists and is not a kmlab trace; choose another name with -o",
			       path);
	if (!code && head.bytes && is_being_written(target))
		return km_fail(
			err, -EBUSY,
			"%s is being written by another process; choose another name with -o",
			path);
	place->earlier = NULL;
	place->path = strdup(target);
	if (!place->path)
		return km_fail(err, -ENOMEM, "cannot write %s: not enough memory", path);
	if (!code && head.bytes) {
		code = move_aside(place, err);
		if (code) {
			km_place_free(place);
			return code;
		}
	}
	remove_beside(place->path); /* the log of a trace that is gone */
	return 0;
}

void km_place_keep(struct km_place *place)
{
	if (!place->earlier)
		return;
	unlink(place->earlier);
	remove_beside(place->earlier);
}

void km_place_restore(struct km_place *place)
{
	unlink(place->path);
	remove_beside(place->path);
	if (place->earlier)
		move_trace(place->earlier, place->path);
}

void km_place_free(struct km_place *place)
{
	free(place->path);
	free(place->earlier);
	*place = (struct km_place){NULL, NULL};
}
