/* SPDX-License-Identifier: GPL-2.0-only */
/* The snapshot "sysfs slab" of a trace: one cache per line, attribute=value. */
#ifndef REPLAY_SYSFS_SLAB_H
#define REPLAY_SYSFS_SLAB_H

#include <stddef.h>
#include <stdint.h>

/* The line of a cache and its length (it ends at '\n' or NUL); NULL: not there. text may be NULL.
 */
const char *km_sysfs_slab_line(const char *text, const char *cache, size_t *length);
/*
 * In a text whose lines begin with something else ("slab shrink", "slab shrink lists", "slab
 * lists"): the line about this directory of /sys/kernel/slab, `bytes` long; NULL: not there. text
 * may be NULL.
 */
const char *km_sysfs_slab_directory(const char *text, const char *directory, size_t bytes,
				    size_t *length);
/* Value of an attribute of a line as text, up to the line's end; NULL: absent. */
const char *km_sysfs_slab_text(const char *line, size_t length, const char *attribute);
/* Leading number of an attribute; -1: absent. */
int64_t km_sysfs_slab_number(const char *line, size_t length, const char *attribute);
/* The same by the name of the cache; -1: no such cache or attribute. */
int64_t km_sysfs_slab_count(const char *text, const char *cache, const char *attribute);
/*
 * Slabs on the partial chain of one CPU, from slabs_cpu_partial ("42(6),C0=21(3),C1=21(3)", where
 * the numbers in brackets are slabs); 0: none said.
 */
uint32_t km_sysfs_slab_chain(const char *line, size_t length, unsigned cpu);
/*
 * Slabs that CPUs 0 .. cpus - 1 have, current ones and chains, as the recorder listed them
 * (capture/slab_lists.h); -1: it did not.
 */
int64_t km_sysfs_slab_on_cpus(const char *line, size_t length, unsigned cpus);

#endif
