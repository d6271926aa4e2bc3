/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A database file in memory, and what SQLite puts beside it: a VFS for these names, with locks that
 * are always had, and stat() and access() for them. All other files are those of the VFS that was
 * the default.
 */
#include "traces/fuzz/program/program.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "/km-fuzz-file"
#define SHM_BYTES 32768

int __real_stat(const char *path, struct stat *st);
int __real_access(const char *path, int mode);
int __wrap_stat(const char *path, struct stat *st);
int __wrap_access(const char *path, int mode);

struct memory_file {
	const char *name;
	bool there;
	size_t size, room;
	uint8_t *bytes;
};

static struct memory_file files[] = {
	{.name = NAME}, {.name = NAME "-wal"}, {.name = NAME "-journal"}};
static void *shm_page;

struct handle {
	sqlite3_file base;
	struct memory_file *file;
};

static struct memory_file *find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(files) / sizeof(*files); i++)
		if (!strcmp(name, files[i].name))
			return &files[i];
	return NULL;
}

/* ---- an open file ---- */

static struct memory_file *of(sqlite3_file *file)
{
	return ((struct handle *)file)->file;
}

static int do_close(sqlite3_file *file)
{
	(void)file;
	return SQLITE_OK;
}

static int do_read(sqlite3_file *handle, void *to, int n, sqlite3_int64 at)
{
	const struct memory_file *file = of(handle);
	size_t there = (uint64_t)at < file->size ? file->size - (size_t)at : 0;
	size_t take = there < (size_t)n ? there : (size_t)n;

	if (take)
		memcpy(to, file->bytes + at, take);
	memset((char *)to + take, 0, (size_t)n - take);
	return take == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int do_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
	struct memory_file *file = of(handle);

	if (size < 0 || size > 1 << 28)
		return SQLITE_FULL;
	if ((size_t)size > file->room) {
		uint8_t *grown = realloc(file->bytes, (size_t)size * 2);

		if (!grown)
			return SQLITE_IOERR_NOMEM;
		file->bytes = grown;
		file->room = (size_t)size * 2;
	}
	if ((size_t)size > file->size)
		memset(file->bytes + file->size, 0, (size_t)size - file->size);
	file->size = (size_t)size;
	return SQLITE_OK;
}

static int do_write(sqlite3_file *handle, const void *from, int n, sqlite3_int64 at)
{
	struct memory_file *file = of(handle);
	int code =
		(uint64_t)at + (unsigned)n > file->size ? do_truncate(handle, at + n) : SQLITE_OK;

	if (code == SQLITE_OK && n)
		memcpy(file->bytes + at, from, (size_t)n);
	return code;
}

static int do_sync(sqlite3_file *file, int flags)
{
	(void)file;
	(void)flags;
	return SQLITE_OK;
}

static int do_size(sqlite3_file *file, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)of(file)->size;
	return SQLITE_OK;
}

static int do_lock(sqlite3_file *file, int lock)
{
	return do_sync(file, lock);
}

static int do_reserved(sqlite3_file *file, int *reserved)
{
	*reserved = 0;
	return do_sync(file, 0);
}

static int do_control(sqlite3_file *file, int op, void *argument)
{
	(void)file;
	(void)op;
	(void)argument;
	return SQLITE_NOTFOUND;
}

static int no_number(sqlite3_file *file)
{
	(void)file;
	return 0;
}

/* Of the index of a log; one page is as much as there may be in so small a file. */
static int do_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **to)
{
	(void)file;
	*to = NULL;
	if (page || size > SHM_BYTES)
		return SQLITE_IOERR;
	if (!shm_page && extend)
		shm_page = calloc(1, SHM_BYTES);
	*to = shm_page;
	return SQLITE_OK;
}

static int do_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
	(void)at;
	(void)n;
	return do_sync(file, flags);
}

static void do_shm_barrier(sqlite3_file *file)
{
	(void)file;
}

static int do_shm_unmap(sqlite3_file *file, int delete)
{
	(void)file;
	(void)delete;
	free(shm_page);
	shm_page = NULL;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = do_close,
	.xRead = do_read,
	.xWrite = do_write,
	.xTruncate = do_truncate,
	.xSync = do_sync,
	.xFileSize = do_size,
	.xLock = do_lock,
	.xUnlock = do_lock,
	.xCheckReservedLock = do_reserved,
	.xFileControl = do_control,
	.xSectorSize = no_number,
	.xDeviceCharacteristics = no_number,
	.xShmMap = do_shm_map,
	.xShmLock = do_shm_lock,
	.xShmBarrier = do_shm_barrier,
	.xShmUnmap = do_shm_unmap,
};

/* ---- the VFS ---- */

static sqlite3_vfs *below;

static int do_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *to, int flags, int *out)
{
	struct memory_file *file = find(name);

	(void)vfs;
	if (!file)
		return below->xOpen(below, name, to, flags, out);
	to->pMethods = NULL;
	if (!file->there && !(flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	file->there = true;
	*(struct handle *)to = (struct handle){{&methods}, file};
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int do_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct memory_file *file = find(name);

	(void)vfs;
	if (!file)
		return below->xDelete(below, name, sync);
	file->there = false;
	file->size = 0;
	return SQLITE_OK;
}

static int do_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	struct memory_file *file = find(name);

	(void)vfs;
	if (!file)
		return below->xAccess(below, name, flags, out);
	*out = file->there && (flags != SQLITE_ACCESS_EXISTS || file->size);
	return SQLITE_OK;
}

static int do_full_name(sqlite3_vfs *vfs, const char *name, int room, char *full)
{
	(void)vfs;
	if (!find(name))
		return below->xFullPathname(below, name, room, full);
	sqlite3_snprintf(room, full, "%s", name);
	return SQLITE_OK;
}

static int last_error(sqlite3_vfs *vfs, int n, char *text)
{
	(void)vfs;
	(void)n;
	(void)text;
	return 0;
}

void km_fuzz_files_begin(void)
{
	static sqlite3_vfs vfs;

	below = sqlite3_vfs_find(NULL);
	vfs = *below;
	vfs.iVersion = 2; /* no replacing of system calls, which are below's */
	vfs.szOsFile = vfs.szOsFile > (int)sizeof(struct handle) ? vfs.szOsFile
								 : (int)sizeof(struct handle);
	vfs.zName = "km-fuzz";
	vfs.xOpen = do_open;
	vfs.xDelete = do_delete;
	vfs.xAccess = do_access;
	vfs.xFullPathname = do_full_name;
	vfs.xGetLastError = last_error;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

const char *km_fuzz_memory_file(const uint8_t *data, size_t size)
{
	struct handle handle = {{&methods}, &files[0]};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		files[i].there = i == 0;
		files[i].size = 0;
	}
	do_shm_unmap(NULL, 1);
	if (do_write(&handle.base, data, (int)size, 0) != SQLITE_OK)
		abort();
	return NAME;
}

/* ---- as the C library sees it ---- */

int __wrap_stat(const char *path, struct stat *st)
{
	const struct memory_file *file = find(path);

	if (!file)
		return __real_stat(path, st);
	if (!file->there) {
		errno = ENOENT;
		return -1;
	}
	*st = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)file->size};
	return 0;
}

int __wrap_access(const char *path, int mode)
{
	const struct memory_file *file = find(path);

	if (!file)
		return __real_access(path, mode);
	errno = ENOENT;
	return file->there ? 0 : -1;
}
