/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of CPUs as the kernel writes them ("0-3,5"): Documentation/admin-guide/cputopology.rst. */
#ifndef KMLAB_CAPTURE_CPU_LIST_H
#define KMLAB_CAPTURE_CPU_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define KM_CPUS_PRESENT "/sys/devices/system/cpu/present"
#define KM_CPUS_ONLINE "/sys/devices/system/cpu/online"

/* One of the above as a string; false: it cannot be read or does not fit, and list is "". */
bool km_cpu_list_read(const char *path, char *list, size_t size);
/* Is `cpu` in the list? */
bool km_cpu_list_has(const char *list, unsigned cpu);
/* One more than the highest CPU in the list; 0: it has none. */
unsigned km_cpu_list_end(const char *list);

#endif
