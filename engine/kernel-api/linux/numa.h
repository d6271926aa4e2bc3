/* SPDX-License-Identifier: GPL-2.0-only */
/* One node. */
#ifndef _LINUX_NUMA_H
#define _LINUX_NUMA_H

#define NUMA_NO_NODE (-1)
#define MAX_NUMNODES 1
#define numa_node_id() 0
#define numa_mem_id() 0
#define cpu_to_node(cpu) 0

#endif
