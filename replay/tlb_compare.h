/* SPDX-License-Identifier: GPL-2.0-only */
/* `kmlab tlb compare`: the same objects by kmalloc and by vmalloc, per size class or call site. */
#ifndef REPLAY_TLB_COMPARE_H
#define REPLAY_TLB_COMPARE_H

#include <kmlab/err.h>

#include "results/emit.h"

struct km_tlb_comparison {
	const char *trace, *tlb; /* path; name for km_tlb_choose() */
	bool by_site;
	unsigned top; /* sites */
	enum km_format format;
};

/* Prints the table. 0, -EINTR, or -errno with a sentence. */
int km_tlb_compare(const struct km_tlb_comparison *comparison, struct km_err *err);

#endif
