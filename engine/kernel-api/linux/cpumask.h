/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_CPUMASK_H
#define _LINUX_CPUMASK_H

#include <linux/kmlab.h>

#define nr_cpu_ids kmlab_api->cpus
#define num_online_cpus() kmlab_api->cpus
#define num_possible_cpus() kmlab_api->cpus
#define num_present_cpus() kmlab_api->cpus
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (unsigned int)(cpu) < kmlab_api->cpus; (cpu)++)
#define for_each_online_cpu for_each_possible_cpu
#define for_each_present_cpu for_each_possible_cpu

#endif
