/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Misuse of the allocators, as far as a trace can tell. A rule about one object's history holds
 * only if nothing of that history is invisible: what it finds is proven where that is so, and a
 * suspect, with the reason, where an allocation may have gone unseen.
 */
#ifndef KMLAB_CHECK_MISUSE_H
#define KMLAB_CHECK_MISUSE_H

#include "traces/check.h"
#include "traces/repair.h"

/* X(constant, name, what was seen, what to do) */
#define KM_MISUSE_RULES(X)                                                                         \
	X(KM_MISUSE_DOUBLE_FREE, "double_free", "freed again and not allocated in between",        \
	  "find the two owners of the object")                                                     \
	X(KM_MISUSE_INTERIOR_FREE, "interior_free", "freed a pointer into a live object",          \
	  "free the pointer that the allocation returned")                                         \
	X(KM_MISUSE_WRONG_CACHE, "wrong_cache", "freed into another cache than it came from",      \
	  "free into the cache of the allocation")                                                 \
	X(KM_MISUSE_SLEEPING, "sleeping_flag", "allocated in atomic context with a flag to sleep", \
	  "ask with GFP_ATOMIC or GFP_NOWAIT there, or allocate before")

enum km_misuse_rule {
#define X(constant, name, seen, advice) constant,
	KM_MISUSE_RULES(X)
#undef X
		KM_NR_MISUSE_RULES
};

extern const struct km_misuse_text {
	const char *name, *seen, *advice;
} km_misuse_texts[KM_NR_MISUSE_RULES];

/* All that one call site did against one rule; the details are of the first time. */
struct km_misuse {
	enum km_misuse_rule rule;
	const char *doubt; /* NULL: proven; else why it is only a suspect */
	uint64_t count;
	struct km_event event; /* the call */
	/* What the object went through before, at other_site: its free, or its allocation. */
	uint64_t other_ns;
	uint32_t other_site, other_task;
	uint16_t other_cache;
};

struct km_misuse_search;

/* 0 or -ENOMEM. The trace and what its check said must outlive the search. */
int km_misuse_search_new(struct km_trace *trace, const struct km_check_result *checked,
			 struct km_misuse_search **search);
void km_misuse_search_delete(struct km_misuse_search *search);
/* Why nothing can be proven about the history of any object; NULL: there is no such reason. */
const char *km_misuse_doubt(const struct km_misuse_search *search);
/* Every event in order, with what the repair pass just made of it. 0 or -ENOMEM. */
int km_misuse_feed(struct km_misuse_search *search, const struct km_repair *repair,
		   const struct km_event *event, const struct km_repair_step *step);
/* Found so far: what is proven in order of time, then the suspects, most frequent first. */
const struct km_misuse *km_misuse_found(struct km_misuse_search *search, size_t *count);

#endif
