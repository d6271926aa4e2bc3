/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_INIT_H
#define _LINUX_INIT_H

#include <linux/compiler.h>

/*
 * The runner finds these two by name; without them it looks for init_module, cleanup_module. As in
 * the kernel no semicolon need follow.
 */
#define module_init(function) int (*kmlab_module_init)(void) = function;
#define module_exit(function) void (*kmlab_module_exit)(void) = function;
#define late_initcall(function) module_init(function)
#define subsys_initcall(function) module_init(function)
#define device_initcall(function) module_init(function)

#endif
