/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REPLAY_MODULE_MAP_H
#define REPLAY_MODULE_MAP_H

#include "replay/module.h"

/* Both address spaces with everything that was allocated at the end of init. */
void km_module_print_map(const struct km_module_report *report, FILE *out);

#endif
