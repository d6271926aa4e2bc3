/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the parser that fill the machine: its line, and the zones of the state block. */
#ifndef REPLAY_SCENARIO_MACHINE_H
#define REPLAY_SCENARIO_MACHINE_H

#include "replay/scenario.h"

/* What a scenario without a machine line runs on: 6.1, one CPU, 1 GiB. */
void km_scenario_machine_default(struct km_scenario *scenario);
/* `text`: what follows the word "machine"; modified. */
int km_scenario_machine_line(struct km_scenario *scenario, char *text, unsigned line,
			     struct km_err *err);
/* Zones of the state block into spec.zones. */
int km_scenario_zones(struct km_scenario *scenario, struct km_err *err);

/* Decimal or 0x hex, with K M G or C's U L. False if text is anything else. */
bool km_scenario_number(const char *text, uint64_t *value);

/* "path:line: sentence"; -EINVAL. */
__attribute__((format(printf, 4, 5))) int km_scenario_fail(struct km_err *err, const char *path,
							   unsigned line, const char *format, ...);

#endif
