/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * References on their way into TLBs: one per CPU, access model and page size of the direct map;
 * and beside them what needs no TLB: reuse distances, distinct pages per window.
 */
#ifndef REPLAY_TLB_STREAM_H
#define REPLAY_TLB_STREAM_H

#include "replay/tlb_access.h"

struct km_tlb_stream;

/* frames: of the machine. The stream keeps both pointers. NULL: no memory. */
struct km_tlb_stream *km_tlb_stream_new(const struct km_tlb_pass *pass,
					const struct km_frames *frames, unsigned cpus);
void km_tlb_stream_free(struct km_tlb_stream *stream);

/*
 * A reference in the access models of the mask (bit 0: A0). Reuse and windows see those of A0.
 * share[KM_TLB_MAPS], or one for a site; NULL: nobody's. It is counted by the time of
 * km_tlb_stream_read(): references go to a TLB many at once.
 */
void km_tlb_stream_touch(struct km_tlb_stream *stream, unsigned cpu, unsigned mask, uint64_t addr,
			 struct km_tlb_share *share);
/* An operation ends: windows go on. */
void km_tlb_stream_operation(struct km_tlb_stream *stream);
void km_tlb_stream_flush(struct km_tlb_stream *stream);
int km_tlb_stream_failed(const struct km_tlb_stream *stream); /* 0 or -ENOMEM */
void km_tlb_stream_read(struct km_tlb_stream *stream, struct km_tlb_measures *measures);

#endif
