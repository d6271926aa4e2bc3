/* SPDX-License-Identifier: GPL-2.0-only */
/* A small part of a kernel's BTF, enough to judge whether it can be recorded (btf_cut.c). */
#ifndef KMLAB_CAPTURE_BTF_CUT_H
#define KMLAB_CAPTURE_BTF_CUT_H

#include "capture.h"

/*
 * Write to `path`, as raw BTF, what km_programs_choose(), km_probe_offsets() and km_btf_facts() ask
 * of `btf`; a few KB. -errno: it could not be written, nothing is left there.
 */
int km_btf_cut(const struct btf *btf, const char *path, struct km_err *err);

#endif
