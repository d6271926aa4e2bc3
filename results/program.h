/* SPDX-License-Identifier: GPL-2.0-only */
/* The other programs of kmlab, which this one executes. */
#ifndef KMLAB_PROGRAM_H
#define KMLAB_PROGRAM_H

#include <kmlab/types.h>

/*
 * kmlab-capture lies beside the running program in a build tree, and in ../libexec/kmlab where
 * `make install` puts it, whatever the prefix. False: it is in neither place.
 */
bool km_find_capture(char *path, size_t size);

/* What to do when it is not there. */
#define KM_CAPTURE_NOT_BUILT                                                                       \
	"capture is not built; install libbpf-dev, clang and bpftool (on Debian: 'make deps'), "   \
	"then run 'make' again"

#endif
