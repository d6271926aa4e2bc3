/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp flags by name, as kernel code writes them and as tracepoints print them:
 * include/linux/gfp_types.h, include/trace/events/mmflags.h, 5.15 - 7.2.
 */
#include <kmlab/gfp.h>
#include <kmlab/profile.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t bits;
} names[] = {
	{"GFP_KERNEL", KM_GFP_KERNEL},
	{"GFP_KERNEL_ACCOUNT", KM_GFP_KERNEL | KM_GFP_ACCOUNT},
	{"GFP_NOWAIT", KM_GFP_NOWAIT},
	{"GFP_ATOMIC", KM_GFP_ATOMIC},
	{"GFP_NOIO", KM_GFP_NOIO},
	{"GFP_NOFS", KM_GFP_NOFS},
	{"GFP_USER", KM_GFP_USER},
	{"GFP_DMA", KM_GFP_DMA},
	{"GFP_DMA32", KM_GFP_DMA32},
	{"GFP_HIGHUSER", KM_GFP_HIGHUSER},
	{"GFP_HIGHUSER_MOVABLE", KM_GFP_HIGHUSER_MOVABLE},
	{"GFP_TRANSHUGE_LIGHT",
	 (KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN) &
		 ~KM_GFP_RECLAIM},
	{"GFP_TRANSHUGE",
	 ((KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN) &
	  ~KM_GFP_RECLAIM) |
		 KM_GFP_DIRECT_RECLAIM},
	{"__GFP_DMA", KM_GFP_DMA},
	{"__GFP_HIGHMEM", KM_GFP_HIGHMEM},
	{"__GFP_DMA32", KM_GFP_DMA32},
	{"__GFP_MOVABLE", KM_GFP_MOVABLE},
	{"__GFP_RECLAIMABLE", KM_GFP_RECLAIMABLE},
	{"__GFP_HIGH", KM_GFP_HIGH},
	{"__GFP_IO", KM_GFP_IO},
	{"__GFP_FS", KM_GFP_FS},
	{"__GFP_ZERO", KM_GFP_ZERO},
	{"__GFP_ATOMIC", KM_GFP_ATOMIC_BIT}, /* 5.15 and 6.1 */
	{"__GFP_DIRECT_RECLAIM", KM_GFP_DIRECT_RECLAIM},
	{"__GFP_KSWAPD_RECLAIM", KM_GFP_KSWAPD_RECLAIM},
	{"__GFP_RECLAIM", KM_GFP_RECLAIM},
	{"__GFP_WRITE", KM_GFP_WRITE},
	{"__GFP_NOWARN", KM_GFP_NOWARN},
	{"__GFP_RETRY_MAYFAIL", KM_GFP_RETRY_MAYFAIL},
	{"__GFP_NOFAIL", KM_GFP_NOFAIL},
	{"__GFP_NORETRY", KM_GFP_NORETRY},
	{"__GFP_MEMALLOC", KM_GFP_MEMALLOC},
	{"__GFP_COMP", KM_GFP_COMP},
	{"__GFP_NOMEMALLOC", KM_GFP_NOMEMALLOC},
	{"__GFP_HARDWALL", KM_GFP_HARDWALL},
	{"__GFP_THISNODE", KM_GFP_THISNODE},
	{"__GFP_ACCOUNT", KM_GFP_ACCOUNT},
	/* Of other bits in each kernel and configuration; they steer no model. */
	{"__GFP_ZEROTAGS", 0},
	{"__GFP_SKIP_ZERO", 0},
	{"__GFP_SKIP_KASAN", 0},
	{"__GFP_SKIP_KASAN_ZERO", 0},
	{"__GFP_SKIP_KASAN_POISON", 0},
	{"__GFP_SKIP_KASAN_UNPOISON", 0},
	{"__GFP_NOLOCKDEP", 0},
	{"__GFP_NO_OBJ_EXT", 0},
};

/*
 * Names of earlier kernels (include/linux/gfp.h, 2.6 - 6.2): removed when the flag got another
 * name, became the rule, or lost its use.
 */
static const struct km_gfp_past past[] = {
	/* 4.4 split "may sleep" into its two halves. */
	{"__GFP_WAIT", KM_GFP_RECLAIM, 0, "__GFP_RECLAIM, or __GFP_DIRECT_RECLAIM alone"},
	{"GFP_WAIT", KM_GFP_RECLAIM, 0, "__GFP_RECLAIM"},
	{"__GFP_NO_KSWAPD", 0, KM_GFP_KSWAPD_RECLAIM, "& ~__GFP_KSWAPD_RECLAIM"},
	{"GFP_IOFS", KM_GFP_IO | KM_GFP_FS, 0, "__GFP_IO | __GFP_FS"},
	{"__GFP_NOACCOUNT", 0, KM_GFP_ACCOUNT, "nothing; __GFP_ACCOUNT asks for the opposite"},
	{"__GFP_KMEMCG", KM_GFP_ACCOUNT, 0, "__GFP_ACCOUNT"},
	{"GFP_THISNODE", KM_GFP_THISNODE | KM_GFP_NORETRY | KM_GFP_NOWARN, 0,
	 "__GFP_THISNODE | __GFP_NORETRY | __GFP_NOWARN"},
	{"__GFP_OTHER_NODE", 0, 0, "nothing"},
	{"__GFP_REPEAT", KM_GFP_RETRY_MAYFAIL, 0, "__GFP_RETRY_MAYFAIL"},
	{"GFP_TEMPORARY", KM_GFP_KERNEL | KM_GFP_RECLAIMABLE, 0, "GFP_KERNEL | __GFP_RECLAIMABLE"},
	{"__GFP_COLD", 0, 0, "nothing"},
	{"__GFP_NOTRACK", 0, 0, "nothing"},
	{"__GFP_NOTRACK_FALSE_POSITIVE", 0, 0, "nothing"},
	/* 6.3: what it allowed follows from __GFP_HIGH and from not sleeping. */
	{"__GFP_ATOMIC", KM_GFP_HIGH, 0, "__GFP_HIGH"},
};

#define NR_NAMES (sizeof(names) / sizeof(names[0]))
#define NR_PAST (sizeof(past) / sizeof(past[0]))

static bool is(const char *name, size_t length, const char *known)
{
	if (length > 6 && memcmp(name, "___GFP", 6) == 0) {
		name++;
		length--;
	}
	return strlen(known) == length && memcmp(known, name, length) == 0;
}

bool km_gfp_by_name(const char *name, size_t length, const struct km_profile *profile,
		    uint32_t *bits)
{
	const struct km_gfp_past *before = km_gfp_past(name, length, profile);

	if (before) {
		*bits = before->bits;
		return true;
	}
	for (size_t i = 0; i < NR_NAMES; i++) {
		if (!is(name, length, names[i].name))
			continue;
		*bits = names[i].bits;
		if (profile->gfp_atomic_bit && is(name, length, "GFP_ATOMIC"))
			*bits |= KM_GFP_ATOMIC_BIT;
		/* mmflags.h prints what include/linux/gfp_types.h says; both changed in 6.9. */
		if (profile->vmap_nodes && is(name, length, "GFP_NOWAIT"))
			*bits |= KM_GFP_NOWARN;
		return true;
	}
	return false;
}

const struct km_gfp_past *km_gfp_past(const char *name, size_t length,
				      const struct km_profile *profile)
{
	for (size_t i = 0; i < NR_PAST; i++)
		if (is(name, length, past[i].name) &&
		    !(profile->gfp_atomic_bit && is(name, length, "__GFP_ATOMIC")))
			return &past[i];
	return NULL;
}

/* ---- as text ---- */

/* Names of many flags, those of most first; single flags follow in the order of `names`. */
static const char *const composite[] = {"GFP_TRANSHUGE",
					"GFP_TRANSHUGE_LIGHT",
					"GFP_HIGHUSER_MOVABLE",
					"GFP_HIGHUSER",
					"GFP_USER",
					"GFP_KERNEL",
					"GFP_NOFS",
					"GFP_NOIO",
					"GFP_ATOMIC",
					"GFP_NOWAIT"};
#define NR_COMPOSITE (sizeof(composite) / sizeof(composite[0]))

struct gfp_line {
	char *text;
	size_t size, used;
};

/* All of it or nothing. */
static bool append(struct gfp_line *line, const char *word)
{
	size_t length = strlen(word), between = line->used ? 1 : 0;

	if (line->used + between + length >= line->size)
		return false;
	line->text[line->used] = '|';
	memcpy(line->text + line->used + between, word, length + 1);
	line->used += between + length;
	return true;
}

static void append_bits(struct gfp_line *line, uint32_t bits)
{
	static const char digits[] = "0123456789abcdef";
	char word[11] = "0x";
	unsigned at = 2;

	for (int shift = 28; shift >= 0; shift -= 4)
		if (bits >> shift || !shift)
			word[at++] = digits[bits >> shift & 15];
	word[at] = '\0';
	append(line, word);
}

void km_gfp_text(uint32_t gfp, const struct km_profile *profile, char *text, size_t size)
{
	struct gfp_line line = {.text = text, .size = size};
	uint32_t bits;

	text[0] = '\0';
	for (size_t i = 0; i < NR_COMPOSITE + NR_NAMES; i++) {
		const char *name = i < NR_COMPOSITE ? composite[i] : names[i - NR_COMPOSITE].name;

		if ((i >= NR_COMPOSITE && name[0] != '_') ||
		    !km_gfp_by_name(name, strlen(name), profile, &bits) || !bits ||
		    (gfp & bits) != bits)
			continue;
		if (!append(&line, name))
			return;
		gfp &= ~bits;
	}
	if (gfp || !line.used)
		append_bits(&line, gfp);
}

const char *km_gfp_name(unsigned index)
{
	if (index < NR_NAMES)
		return names[index].name;
	index -= NR_NAMES;
	return index < NR_PAST ? past[index].name : NULL;
}
