/* SPDX-License-Identifier: GPL-2.0-only */
/* Every kept input of result files. */
#include "traces/tests/fuzz_replay.h"

int main(void)
{
	return km_fuzz_replay("analysis/fuzz/corpus.tar.xz");
}
