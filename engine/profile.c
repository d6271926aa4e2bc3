/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel generations as switches. Each line names when the behaviour came; versions written from
 * reading 5.15.85, 6.1.192 (Debian), 6.6.87, 6.12.117 (Debian), 6.18 and 7.2.13 (Debian), so a
 * vanilla x.y.0 may differ where stable kernels carry backports.
 */
#include <errno.h>
#include <kmlab/profile.h>
#include <string.h>

/* clang-format off */
#define COMMON .random_freelist = true, .hardened_freelist = true, .merge = true, .kmalloc_cg = true, .vmap_block_order = 8, \
	.own_kmallocs = true, .memcg = KM_MEMCG_CHARGED

#define UP_TO_6_6                                                                                  \
	COMMON, .slab_front = KM_FRONT_CPU_SLAB, .order_old = true,    \
	.fallback = KM_FALLBACK_STEAL

#define SINCE_6_1 .debug_track = 32, .pcp_thp_two = true, .vmalloc_bulk = true,              \
	.vmalloc_huge = true, .highatomic_last_resort = true, .exact_to_tail = true, \
	.kvmalloc_any_gfp = true, .krealloc_zeroes = true, .vector_may_fail = true

#define SINCE_6_12                                                                                 \
	COMMON, SINCE_6_1, .try_node_first = true, .comp_always = true, .kmalloc_align = true,     \
	.fallback = KM_FALLBACK_CLAIM, .pcp_generation = 2,            \
	.freelist_hygiene = true, .highatomic_rounded = true, .vmap_nodes = true,                  \
	.partial_count_sampled = true, .highatomic_free_only = true,                               \
	.watermark_movable_small = true, .kvrealloc_by_size = true, .roundup_limited = true,       \
	.vmap_block_sparing = true

#define SINCE_6_18 .sheaves_opt_in = true, .pcp_high_order_slack = true, .vm_requested_size = true, \
	.krealloc_exact = true, .kvmalloc_no_reclaim = true

static const struct km_profile profiles[] = {
	{ .name = "5.15", UP_TO_6_6, .cpu_partial_objects = true, .slab_large_classes = true, .debug_track = 152,
	  .pcp_generation = 0,
	  .gfp_atomic_bit = true, .reserve_harder = true, .nofragment_any_order = true },
	{ .name = "6.1", UP_TO_6_6, SINCE_6_1, .debug_orig_size = 4, .pcp_generation = 1, .gfp_atomic_bit = true },
	{ .name = "6.6", UP_TO_6_6, SINCE_6_1, .debug_orig_size = 4, .debug_outside = 1, .pcp_generation = 1, .highatomic_nonblock = true,
	  .watermark_movable_small = true, .roundup_limited = true, .vmap_block_sparing = true },
	{ .name = "6.12", SINCE_6_12, .debug_orig_size = 8, .debug_outside = 2, .slab_front = KM_FRONT_CPU_SLAB },
	{ .name = "6.18", SINCE_6_12, .debug_orig_size = 4, .debug_outside = 2, SINCE_6_18, .slab_front = KM_FRONT_CPU_SLAB },
	{ .name = "7.2", SINCE_6_12, .debug_orig_size = 8, .debug_outside = 2, SINCE_6_18, .slab_front = KM_FRONT_SHEAVES,
	  .pcp_drain_chunks = true, .highatomic_from_buddy = true, .vmalloc_high_orders = true,
	  .slowpath_single = true, .kvmalloc_atomic = true, .vrealloc_frees = true,
	  .vector_in_slab = true, .vector_no_comp = true },
};
/* clang-format on */

#define NR_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

const struct km_profile *km_profile_find(const char *name)
{
	for (unsigned i = 0; i < NR_PROFILES; i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

/* "6.18.44-something" -> 618, comparable; digits only, at most three per part. */
static unsigned version_rank(const char *text)
{
	unsigned part[2] = {0, 0};

	for (unsigned i = 0; i < 2; i++) {
		unsigned digits = 0;

		while (*text >= '0' && *text <= '9' && digits++ < 3)
			part[i] = part[i] * 10 + (unsigned)(*text++ - '0');
		if (*text != '.')
			break;
		text++;
	}
	return part[0] * 1000 + part[1];
}

const struct km_profile *km_profile_for_release(const char *release)
{
	unsigned rank = version_rank(release), i = NR_PROFILES;

	while (i-- > 1)
		if (version_rank(profiles[i].name) <= rank)
			break;
	return &profiles[i];
}

uint64_t km_profile_max(const char *name)
{
	static const struct {
		const char *name;
		uint64_t max;
	} enums[] = {{"slab_front", KM_FRONT_SHEAVES}, {"fallback", KM_FALLBACK_CLAIM},
		     {"vmap_block_order", 10},         {"pcp_generation", 2},
		     {"memcg", KM_MEMCG_CHARGED},      {"debug_track", 255},
		     {"debug_orig_size", 8},           {"debug_outside", 2},
		     {"reclaim", KM_RECLAIM_OOM}};

	for (unsigned i = 0; i < sizeof(enums) / sizeof(enums[0]); i++)
		if (strcmp(enums[i].name, name) == 0)
			return enums[i].max;
#define X(type, field, text, meaning)                                                              \
	if (strcmp(name, text) == 0)                                                               \
		return 1;
	KM_PROFILE_SWITCHES(X)
#undef X
	return 0;
}

int km_profile_set(struct km_profile *profile, const char *name, uint64_t value)
{
#define X(type, field, text, meaning)                                                              \
	if (strcmp(name, text) == 0) {                                                             \
		if (value > km_profile_max(name))                                                  \
			return -ERANGE;                                                            \
		profile->field = (type)value;                                                      \
		return 0;                                                                          \
	}
	KM_PROFILE_SWITCHES(X)
#undef X
	return -ENOENT;
}

/* ---- values as words ---- */

static bool is_reclaim(const char *name)
{
	return strcmp(name, "reclaim") == 0;
}

int km_profile_word(const char *name, const char *text, uint64_t *value)
{
	static const char prefix[] = "reclaim:";
	uint64_t percent = 0;

	if (!is_reclaim(name))
		return -ENOENT;
	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		text += sizeof(prefix) - 1;
	if (strcmp(text, "none") == 0 || strcmp(text, "oom") == 0) {
		*value = text[0] == 'n' ? KM_RECLAIM_NONE : KM_RECLAIM_OOM;
		return 0;
	}
	if (*text == '%')
		return -ENOENT;
	for (; *text >= '0' && *text <= '9' && percent <= KM_RECLAIM_ALL; text++)
		percent = percent * 10 + (uint64_t)(*text - '0');
	if (strcmp(text, "%") != 0 || percent > KM_RECLAIM_ALL)
		return -ENOENT;
	*value = percent;
	return 0;
}

const char *km_profile_text(const char *name, uint64_t value, char text[24], bool quoted)
{
	bool word = is_reclaim(name);
	char *at = text + 23;

	*at = 0;
	if (word && quoted)
		*--at = '"';
	if (word && (value == KM_RECLAIM_NONE || value == KM_RECLAIM_OOM)) {
		const char *is = value == KM_RECLAIM_NONE ? "none" : "oom";

		at -= strlen(is);
		memcpy(at, is, strlen(is));
	} else {
		if (word)
			*--at = '%';
		do
			*--at = (char)('0' + value % 10);
		while (value /= 10);
	}
	if (word && quoted)
		*--at = '"';
	return at;
}

const char *const *km_profile_names(void)
{
	static const char *names[NR_PROFILES + 1];

	for (unsigned i = 0; i < NR_PROFILES; i++)
		names[i] = profiles[i].name;
	return names;
}
