/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traces made of traces: a part of one, or two together. The ledger stays whole: what is left out
 * of a trace counts as filtered (excluded, or sampled), be it an event or a loss, so that
 * fired = recorded + lost + filtered holds with the `fired` of the first recording.
 */
#ifndef KMLAB_TRACES_TRANSFORM_H
#define KMLAB_TRACES_TRANSFORM_H

#include "anonymise.h"
#include "trace.h"

struct km_edit {
	uint64_t from_ns, to_ns; /* [from, to) becomes the whole trace; to 0 = end */
	const uint8_t *cpus;     /* KM_MAX_CPUS of them, nonzero = kept; NULL = all */
	/*
	 * Objects of these caches, and objects allocated at these symbols (or with them in the
	 * stack), with all that happens to them; both: one of either is enough.
	 */
	const char *const *caches, *const *sites;
	unsigned nr_caches, nr_sites;
	uint32_t sample;    /* one of so many addresses (km_sample_keep()); 0 and 1: all */
	const uint8_t *key; /* of KM_KEY_BYTES: anonymise under it; NULL: do not */
	const char *text;   /* how a person said all this; kept in meta key "edited" */
	bool (*stop)(void); /* asked now and then, -EINTR if true; NULL: never */
};

struct km_transform_report {
	uint64_t events; /* in the sources */
	uint64_t kept;   /* of them, in the result */
	uint64_t excluded, sampled;
	uint64_t lost_excluded; /* losses outside of what was kept */
	uint64_t duration_ns;
};

/*
 * Snapshots of the machine's state stay where they still are the state at the trace's start and
 * end: all CPUs, caches, sites and addresses, and nothing cut off at that side. A gap over the edge
 * stays with all its events. The caller finishes the writer with report->duration_ns. -ENOENT:
 * there is no such cache or symbol; or -errno of reading or writing.
 */
int km_trace_edit(struct km_trace *trace, const struct km_edit *edit,
		  struct km_trace_writer *writer, struct km_transform_report *report,
		  struct km_err *err);

/*
 * Parts of one recording lie as they lay in it. Others must be of one kernel as it was booted
 * (release, mappings), and one after the other by the times at which they were recorded.
 * -EINVAL: they cannot be one trace, with the reason; -EINTR: stop() said so.
 */
int km_trace_merge(struct km_trace *first, struct km_trace *second, bool (*stop)(void),
		   struct km_trace_writer *writer, struct km_transform_report *report,
		   struct km_err *err);

#endif
