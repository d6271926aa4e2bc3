/* SPDX-License-Identifier: GPL-2.0-only */
/* Parameters: `kmlab module FILE.c name=value` sets them before init. */
#ifndef _LINUX_MODULEPARAM_H
#define _LINUX_MODULEPARAM_H

#include <linux/stat.h>
#include <linux/types.h>

#define KMLAB_PARAM(name_, variable, type_, room_, count_, size_)                                  \
	__attribute__((constructor)) static void kmlab_param_##name_(void)                         \
	{                                                                                          \
		static struct kmlab_param param = {.name = #name_,                                 \
						   .type = #type_,                                 \
						   .value = (void *)&variable,                     \
						   .room = room_,                                  \
						   .count = (unsigned int *)(count_),              \
						   .size = size_};                                 \
		param.next = kmlab_params;                                                         \
		kmlab_params = &param;                                                             \
	}                                                                                          \
	struct kmlab_needs_a_semicolon
#define module_param_named(name, variable, type, mode)                                             \
	KMLAB_PARAM(name, variable, type, 1, NULL, sizeof(variable))
#define module_param(name, type, mode) module_param_named(name, name, type, mode)
#define module_param_array(name, type, count, mode)                                                \
	KMLAB_PARAM(name, name, type, sizeof(name) / sizeof((name)[0]), count, sizeof((name)[0]))
#define module_param_string(name, variable, length, mode)                                          \
	KMLAB_PARAM(name, variable, string, 1, NULL, length)
#define MODULE_PARM_DESC(name, text) KMLAB_INFO(parm, #name ":" text)

#define KMLAB_INFO(tag, text) KMLAB_INFO_1(tag, text, __COUNTER__)
#define KMLAB_INFO_1(tag, text, number) KMLAB_INFO_2(tag, text, number)
#define KMLAB_INFO_2(tag_, text_, number)                                                          \
	__attribute__((constructor)) static void kmlab_info_##number(void)                         \
	{                                                                                          \
		static struct kmlab_modinfo info = {NULL, #tag_, text_};                           \
		info.next = kmlab_modinfo;                                                         \
		kmlab_modinfo = &info;                                                             \
	}                                                                                          \
	struct kmlab_needs_a_semicolon

#endif
