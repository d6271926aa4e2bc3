/* SPDX-License-Identifier: GPL-2.0-only */
/* A window of the timed touch replay (touch.h): its touches, the memory behind them, their time. */
#ifndef REPLAY_TOUCH_WINDOW_H
#define REPLAY_TOUCH_WINDOW_H

#include "replay/touch.h"

#define KM_TOUCH_WINDOW (1u << 18) /* touches of one lane */
#define KM_TOUCH_SLICE 4096u       /* touches timed as one */
/* Each lane has its part of the vmalloc range, of the 64 GiB that frames.h follows. */
#define KM_TOUCH_PART (64ull << 30)

struct km_touch_page { /* of the vmalloc range */
	uint64_t page; /* number + 1; 0: free */
	uint32_t frame;
	bool huge;
};

/* What a lane touches in the present window, in order. */
struct km_touch_list {
	uint64_t *addr;
	uint8_t *subset;
	size_t count;
	struct km_touch_page *pages; /* hash of the vmalloc pages touched */
	unsigned bits;
	size_t nr_pages;
};

int km_touch_list_begin(struct km_touch_list *list); /* 0 or -ENOMEM */
void km_touch_list_free(struct km_touch_list *list);
/* True: kept. False: the list is full, or the page has had another frame: time the window first. */
bool km_touch_list_add(struct km_touch_list *list, const struct km_frames *frames, uint64_t addr,
		       unsigned subset);
void km_touch_list_clear(struct km_touch_list *list);

/* The memory that lanes touch: a machine's, once per kind of direct map, and its page structures.
 */
struct km_touch_host {
	struct km_memory *memory[KM_TLB_MAPS];
	char *frames; /* the vmemmap: 64 bytes per page frame, in 2 MiB pages */
	uint64_t frames_bytes, budget_bytes;
	uint8_t *frames_backed; /* per 2 MiB of it */
	uint64_t mappings;      /* pages of areas that may be shown at a time */
};

int km_touch_host_open(struct km_touch_host *host, const struct km_placing *placing,
		       uint64_t max_pfn, struct km_touches *touches, struct km_err *err);
void km_touch_host_close(struct km_touch_host *host);

/* One lane on one memory. `flat`: areas' bytes by way of the direct map. */
struct km_touch_view {
	unsigned lane, map;
	bool flat;
	uint8_t **at;                         /* [touch] host pointers of the window */
	size_t begin[KM_PLACING_SUBSETS + 1]; /* of a subset within `at`; subset 0 is all */
	uint64_t touches[KM_PLACING_SUBSETS];
	/* [slice * rounds + round], of all windows so far; slices of KM_TOUCH_SLICE touches */
	double *ns[KM_PLACING_SUBSETS];
	size_t slices[KM_PLACING_SUBSETS], room[KM_PLACING_SUBSETS];
	struct km_tlb *tlb; /* NULL: nothing is predicted */
	struct km_tlb_counts counts[KM_PLACING_SUBSETS];
};

/* Show and take the memory of a view's touches, and write down the pointers. 0 or -errno. */
int km_touch_view_prepare(struct km_touch_view *view, const struct km_touch_list *list,
			  struct km_touch_host *host, struct km_err *err);
/* Room for the slices of this window. 0 or -ENOMEM. */
int km_touch_view_begin(struct km_touch_view *view, unsigned rounds);
/* Time one round of the window. */
void km_touch_view_time(struct km_touch_view *view, unsigned rounds, unsigned round,
			const struct km_timer *timer);
/* The window's slices are complete. */
void km_touch_view_end(struct km_touch_view *view);
/* Count what the TLB model makes of the second of two passes. */
void km_touch_view_predict(struct km_touch_view *view, const struct km_touch_list *list,
			   const struct km_touch_host *host);
/* Areas of the lane are shown no more. */
int km_touch_view_finish(struct km_touch_view *view, struct km_touch_host *host,
			 struct km_err *err);

#endif
