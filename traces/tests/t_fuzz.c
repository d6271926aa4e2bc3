/* SPDX-License-Identifier: GPL-2.0-only */
/* Every kept input of chunks, trace files and the importers. */
#include "traces/tests/fuzz_replay.h"

int main(void)
{
	return km_fuzz_replay("traces/fuzz/corpus.tar.xz");
}
