/* SPDX-License-Identifier: GPL-2.0-only */
/* Which page frame backs each page of a machine's vmalloc range, as its page tables were written.
 */
#ifndef REPLAY_FRAMES_H
#define REPLAY_FRAMES_H

#include <kmlab/machine.h>

struct km_frames;

/* It follows the machine's mappings from now on, until it is released. NULL: no memory. */
struct km_frames *km_frames_follow(struct km_machine *machine);
void km_frames_release(struct km_frames *frames);

/*
 * Frame number behind an address of the vmalloc range, 0: none known. A frame stays known after its
 * area was unmapped, until the address is mapped again. *huge: part of a 2 MiB leaf; may be NULL.
 */
uint64_t km_frames_of(const struct km_frames *frames, uint64_t addr, bool *huge);

#endif
