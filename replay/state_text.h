/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of state and expect blocks: text to plain data and back. */
#ifndef REPLAY_STATE_TEXT_H
#define REPLAY_STATE_TEXT_H

#include <kmlab/page_state.h>
#include <kmlab/vm_state.h>
#include <stdio.h>

#include "replay/scenario.h"

/* True when the block has lines of that layer. */
bool km_state_has_pages(const struct km_scenario_block *block);
bool km_state_has_vm(const struct km_scenario_block *block);

/* 0 or -errno with a sentence. Free the result in either case. */
int km_state_parse_pages(const char *path, const struct km_scenario_block *block,
			 struct km_page_state *state, struct km_err *err);
void km_state_free_pages(struct km_page_state *state);
int km_state_parse_vm(const char *path, const struct km_scenario_block *block,
		      struct km_vm_state *state, struct km_err *err);
void km_state_free_vm(struct km_vm_state *state);

/* One line each, ended by a newline. */
void km_state_print_pages(FILE *out, const struct km_page_state *state,
			  const struct km_profile *profile);
void km_state_print_vm(FILE *out, const struct km_vm_state *state);
void km_state_print_cache(FILE *out, const char *variable, const struct km_cache_info *info);
/* Without a newline, by the names of single bits: __GFP_ZERO|__GFP_COMP. */
void km_state_print_gfp(FILE *out, uint32_t gfp, const struct km_profile *profile);

#endif
