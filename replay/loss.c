/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/loss.h"

#include <errno.h>

#include "results/term.h"

/* A trace that was not finished has no ledger: its gaps are the least that was lost. */
int km_refuse_loss(struct km_trace *trace, const char *path, bool allow, struct km_err *err)
{
	const char *least = km_trace_complete(trace) ? "" : "at least ";
	struct km_trace_counts counts;
	uint64_t lost = 0;
	int code = km_trace_counts(trace, &counts);

	if (code)
		return km_fail(err, code, "%s: its loss ledger cannot be read", path);
	for (unsigned i = 0; i < KM_NR_LOSS_CAUSES; i++)
		lost += counts.lost[i];
	if (!km_trace_complete(trace))
		km_warn("%s was not finished: it holds what was stored before its capture ended, "
			"and what was filtered is not known",
			path);
	if (!lost && km_trace_loss_known(trace))
		return 0;
	if (!allow && !lost)
		return km_fail(err, -EINVAL,
			       "%s was imported from a recorder that did not count its losses, so "
			       "every number from it may be off by an unknown amount; give "
			       "--allow-loss to go on all the same",
			       path);
	if (!allow)
		return km_fail(err, -EINVAL,
			       "%s lost %s%llu events, so every number from it would be off by an "
			       "unknown amount; record again, or give --allow-loss to go on with "
			       "the coverage shown",
			       path, least, (unsigned long long)lost);
	km_warn("%s lost %s%llu events; results show the coverage%s", path, least,
		(unsigned long long)lost,
		km_trace_loss_known(trace) ? "" : ", which is the best it can be");
	return 0;
}
