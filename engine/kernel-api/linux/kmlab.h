/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the kernel's API is reached from a module that runs on kmlab: through one table of
 * functions, which the runner sets before it calls the module. Every call names its place.
 */
#ifndef _LINUX_KMLAB_H
#define _LINUX_KMLAB_H

#include <kmlab/module_abi.h>

/* One of each in a module, however many files it has. */
__attribute__((weak)) const struct kmlab_api *kmlab_api;
__attribute__((weak)) struct kmlab_param *kmlab_params;
__attribute__((weak)) struct kmlab_modinfo *kmlab_modinfo;

#define KMLAB_SITE(name)                                                                           \
	({                                                                                         \
		static const struct kmlab_site kmlab_site_ = {name, __func__, __FILE__, __LINE__}; \
		&kmlab_site_;                                                                      \
	})

#endif
