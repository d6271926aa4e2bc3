/* SPDX-License-Identifier: GPL-2.0-only */
/* gfp and slab flags by the names that this kernel knows them by. */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "oracle.h"

struct flag {
	const char *name;
	unsigned long long bits;
};
#define GFP(name)                                                                                  \
	{                                                                                          \
#name, (__force unsigned long long)name                                            \
	}
static const struct flag gfp_flags[] = {GFP(GFP_KERNEL),
					GFP(GFP_ATOMIC),
					GFP(GFP_NOWAIT),
					GFP(GFP_USER),
					GFP(GFP_HIGHUSER),
					GFP(GFP_HIGHUSER_MOVABLE),
					GFP(GFP_NOFS),
					GFP(GFP_NOIO),
					GFP(GFP_DMA),
					GFP(GFP_DMA32),
					GFP(GFP_KERNEL_ACCOUNT),
					GFP(GFP_TRANSHUGE),
					GFP(GFP_TRANSHUGE_LIGHT),
					GFP(__GFP_DMA),
					GFP(__GFP_HIGHMEM),
					GFP(__GFP_DMA32),
					GFP(__GFP_MOVABLE),
					GFP(__GFP_RECLAIMABLE),
					GFP(__GFP_HIGH),
					GFP(__GFP_IO),
					GFP(__GFP_FS),
					GFP(__GFP_ZERO),
#ifdef __GFP_ATOMIC
					GFP(__GFP_ATOMIC),
#endif
					GFP(__GFP_RECLAIM),
					GFP(__GFP_DIRECT_RECLAIM),
					GFP(__GFP_WRITE),
					GFP(__GFP_KSWAPD_RECLAIM),
					GFP(__GFP_NOWARN),
					GFP(__GFP_RETRY_MAYFAIL),
					GFP(__GFP_NOFAIL),
					GFP(__GFP_NORETRY),
					GFP(__GFP_MEMALLOC),
					GFP(__GFP_COMP),
					GFP(__GFP_NOMEMALLOC),
					GFP(__GFP_HARDWALL),
					GFP(__GFP_THISNODE),
					GFP(__GFP_ACCOUNT),
					{NULL, 0}};
static const struct flag slab_flags[] = {GFP(SLAB_HWCACHE_ALIGN),
					 GFP(SLAB_CACHE_DMA),
					 GFP(SLAB_RECLAIM_ACCOUNT),
					 GFP(SLAB_TEMPORARY),
					 GFP(SLAB_PANIC),
					 GFP(SLAB_TYPESAFE_BY_RCU),
					 GFP(SLAB_ACCOUNT),
#ifdef SLAB_NO_MERGE
					 GFP(SLAB_NO_MERGE),
#endif
					 {NULL, 0}};

void oracle_print_gfp(struct oracle_text *text, unsigned long long gfp)
{
	const char *between = "";

	for (const struct flag *flag = gfp_flags; flag->name; flag++)
		if (flag->name[0] == '_' && is_power_of_2(flag->bits) && gfp & flag->bits) {
			oracle_print(text, "%s%s", between, flag->name);
			between = "|";
		}
}

int oracle_flag(int gfp, const char *word, unsigned long length, unsigned long long *bits)
{
	for (const struct flag *flag = gfp ? gfp_flags : slab_flags; flag->name; flag++)
		if (strlen(flag->name) == length && memcmp(word, flag->name, length) == 0) {
			*bits = flag->bits;
			return 0;
		}
	return -EINVAL;
}
