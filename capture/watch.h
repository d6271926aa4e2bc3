/* SPDX-License-Identifier: GPL-2.0-only */
/* Recovering what the kernel skipped, without a second program (watch.bpf.h, watch.c). */
#ifndef KMLAB_CAPTURE_WATCH_H
#define KMLAB_CAPTURE_WATCH_H

#include "recorder.h"

/*
 * Set watchpoints for the kinds that have a program and may have one; watched[] tells which.
 * Programs are loaded, none is attached. 0 also where the machine has none to give: kernels other
 * than x86-64's, no CAP_SYS_ADMIN, no debug registers free.
 */
void km_watch_open(struct km_recorder *recorder);
/* CPUs may have come and gone: those online have theirs afterwards. Call it a few times a second.
 */
void km_watch_refresh(struct km_recorder *recorder);
/* No more of this kind. */
void km_watch_end(struct km_recorder *recorder, unsigned kind);
void km_watch_close(struct km_recorder *recorder);

/* Would watchpoints be set here? 0, or -errno: what the kernel said. For doctor. */
int km_watch_try(void);

#endif
