/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Put before every file that is compiled for the loadable extension: SQLite is then called through
 * the table of the program that loads it, never through a second copy.
 * Interface: https://sqlite.org/loadext.html.
 */
#ifndef KMLAB_TRACES_EXTENSION_H
#define KMLAB_TRACES_EXTENSION_H

#include <sqlite3ext.h>

extern const sqlite3_api_routines *sqlite3_api;

#endif
