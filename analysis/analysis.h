/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The analysis commands. Each takes its own argv (argv[0] is the command's name) and returns the
 * exit status: 0, 1 where the answer is no, or 2 on a usage error or a failure it has reported on
 * stderr.
 */
#ifndef KMLAB_ANALYSIS_H
#define KMLAB_ANALYSIS_H

int km_cmd_import(int argc, char **argv);  /* of others, to traces */
int km_cmd_edit(int argc, char **argv);    /* traces, to traces */
int km_cmd_merge(int argc, char **argv);   /* traces, to traces */
int km_cmd_export(int argc, char **argv);  /* traces, to other formats */
int km_cmd_info(int argc, char **argv);    /* traces */
int km_cmd_check(int argc, char **argv);   /* traces; 1: damaged, or misuse found */
int km_cmd_stat(int argc, char **argv);    /* traces */
int km_cmd_sql(int argc, char **argv);     /* traces */
int km_cmd_tune(int argc, char **argv);    /* traces */
int km_cmd_compare(int argc, char **argv); /* results; 1: a --fail-if is met */
int km_cmd_plot(int argc, char **argv);    /* results */
int km_cmd_report(int argc, char **argv);  /* results */

#endif
