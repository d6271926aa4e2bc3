/* SPDX-License-Identifier: GPL-2.0-only */
/* What a query of a result file's tables gives, for tests. */
#ifndef KMLAB_RESULTS_TESTS_ROWS_H
#define KMLAB_RESULTS_TESTS_ROWS_H

#include "results/result.h"

#include <sqlite3.h>

/* The number in its first row; -1: there is none. */
static int count(struct km_result *result, const char *sql)
{
	sqlite3_stmt *statement;
	int value = -1;

	if (sqlite3_prepare_v2(km_result_db(result), sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

#endif
