/* SPDX-License-Identifier: GPL-2.0-only */
/* Every kept input of scenarios. */
#include "traces/tests/fuzz_replay.h"

int main(void)
{
	return km_fuzz_replay("replay/fuzz/corpus.tar.xz");
}
