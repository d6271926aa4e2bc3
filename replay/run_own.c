/* SPDX-License-Identifier: GPL-2.0-only */
/* What the slab layer allocates for itself while a scenario's calls are executed, counted by kind.
 */
#include <inttypes.h>

#include "replay/run_state.h"
#include "replay/state_text.h"

/* A cache's first sheaves are not counted: in the oracle's kernel its caches are there before. */
static void note_own(void *watcher, uint64_t bytes, uint32_t gfp)
{
	struct executor *run = watcher;
	unsigned i = 0;

	if (run->scenario->calls[run->at].call == KM_CALL_CACHE_CREATE)
		return;
	while (i < run->nr_own && (run->own[i].bytes != bytes || run->own[i].gfp != gfp))
		i++;
	if (i == OWN_KINDS)
		return;
	if (i == run->nr_own)
		run->own[run->nr_own++] = (struct own_kmallocs){.bytes = bytes, .gfp = gfp};
	run->own[i].count++;
}

void km_run_watch_own(struct executor *run)
{
	run->nr_own = 1;
	run->machine->watch_own = note_own;
	run->machine->watcher = run;
}

void km_run_print_own(const struct executor *run, FILE *out)
{
	for (unsigned i = 1; i < run->nr_own; i++) {
		const struct own_kmallocs *own = &run->own[i];

		fprintf(out, "own %" PRIu64 " ", own->bytes);
		km_state_print_gfp(out, own->gfp, &run->machine->spec.profile);
		fprintf(out, " %" PRIu64 "\n", own->count);
	}
	fprintf(out, "own kfree %" PRIu64 "\n", run->own[0].count);
}
