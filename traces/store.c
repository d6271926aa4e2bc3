/* SPDX-License-Identifier: GPL-2.0-only */
/* What the writer and the reader of trace files share. */
#include "store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const km_loss_cause_names[KM_NR_LOSS_CAUSES] = {
	[KM_LOSS_RING_FULL] = "ring_full",
	[KM_LOSS_CONTENDED] = "contended",
	[KM_LOSS_RECURSION] = "recursion",
};

int km_sql_errno(sqlite3 *db)
{
	switch (sqlite3_errcode(db)) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : -EIO;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EPROTO;
	default:
		return -EINVAL;
	}
}

int km_sql_fail(sqlite3 *db, const char *path, const char *what, struct km_err *err)
{
	int code = km_sql_errno(db);

	if (code == -ENOSPC)
		return km_fail(err, code,
			       "cannot %s %s: the disk is full; make room or choose another place "
			       "with -o",
			       what, path);
	return km_fail(err, code, "cannot %s %s: %s", what, path,
		       db && sqlite3_system_errno(db) ? strerror(sqlite3_system_errno(db))
						      : sqlite3_errmsg(db));
}

static uint32_t big_endian32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/*
 * The beginning of a file, through SQLite: closing a descriptor of one's own would give up the
 * locks that this process's other connections hold on the file (fcntl(2)); SQLite closes it later
 * then.
 */
static int read_beginning(const char *path, void *bytes, int count)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	const char *name = sqlite3_create_filename(path, "", "", 0, NULL);
	sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
	int code = -ENOMEM, result;

	if (name && file) {
		result = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB,
				    NULL);
		if (result == SQLITE_OK)
			result = file->pMethods->xRead(file, bytes, count, 0);
		code = result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ ? 0 : -EIO;
		if (code && vfs->xGetLastError(vfs, 0, NULL))
			code = -vfs->xGetLastError(vfs, 0, NULL);
		if (file->pMethods)
			file->pMethods->xClose(file);
	}
	sqlite3_free_filename(name);
	free(file);
	return code;
}

/* Offsets: https://sqlite.org/fileformat2.html, section 1.3. */
int km_read_head(const char *path, struct km_file_head *head)
{
	uint8_t bytes[100] = {0};
	struct stat st;
	int code;

	memset(head, 0, sizeof(*head));
	if (stat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	head->bytes = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || head->bytes < sizeof(bytes))
		return access(path, R_OK) ? -errno : 0;
	code = read_beginning(path, bytes, sizeof(bytes));
	if (code)
		return code;
	if (!memcmp(bytes, "SQLite format 3", 16)) {
		uint32_t page = (uint32_t)bytes[16] << 8 | bytes[17];

		head->is_sqlite = true;
		head->application_id = big_endian32(bytes + 68);
		/* The page count is valid only if "version valid for" is the change counter. */
		if (!memcmp(bytes + 24, bytes + 92, 4))
			head->pages_bytes =
				(uint64_t)(page == 1 ? 65536 : page) * big_endian32(bytes + 28);
	}
	return 0;
}
