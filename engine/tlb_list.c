/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a block of references asks each array of a level: for the L1 all references, for the L2
 * those that the L1 has missed. A reference to the page that its array had last finds it, and
 * changes nothing: it is left out. With AVX-512 the L1's are listed eight at a time.
 */
#include "tlb_block.h"
#include "tlb_eight.h"

#define always_inline static inline __attribute__((always_inline))
#define SEVERAL (KM_TLB_ARRAYS + 1)

/* The array of all sizes that there are, by number; SEVERAL. */
static unsigned only_number(const struct km_tlb_block *block, const struct km_tlb_route *routes)
{
	for (unsigned size = 1; block->sizes && size < KM_TLB_SIZES; size++)
		if (routes[size].number != routes[0].number)
			return SEVERAL;
	return routes[block->size].number;
}

/* ---- all references, to the L1 ---- */

/* From the n-th on; all in one list, or in several. */
always_inline void list_references(struct km_tlb *tlb, size_t from, const uint8_t *sizes,
				   bool several)
{
	const struct km_tlb_route *routes = tlb->route[0];
	struct km_tlb_block *block = tlb->block;
	const uint64_t *addrs = block->addrs;
	unsigned size = block->size;
	struct km_tlb_list *list = &block->lists[routes[size].number];
	uint64_t last = list->last;
	size_t n = list->n;

	for (size_t i = from; i < block->nr_refs; i++) {
		uint64_t key;

		size = sizes ? sizes[i] : size;
		if (several) {
			list = &block->lists[routes[size].number];
			last = list->last;
			n = list->n;
		}
		key = km_tlb_route_key(&routes[size], addrs[i]);
		list->key[n] = key;
		list->of[n] = (uint16_t)i;
		n += key != last;
		last = key;
		if (several) {
			list->n = n;
			list->last = key;
		}
	}
	list->n = n;
	list->last = last;
}

#ifdef __x86_64__
/* What the routes say of each size. */
struct routes_8 {
	__m512i shift, sort, number;
};

KM_TLB_ALWAYS_8 struct routes_8 routes_of(const struct km_tlb_route *routes)
{
	uint64_t shift[8] = {0}, sort[8] = {0}, number[8] = {0};

	for (unsigned size = 0; size < KM_TLB_SIZES; size++) {
		shift[size] = routes[size].shift;
		sort[size] = km_tlb_key(routes[size].size, 0);
		number[size] = routes[size].number;
	}
	return (struct routes_8){_mm512_loadu_si512(shift), _mm512_loadu_si512(sort),
				 _mm512_loadu_si512(number)};
}

KM_TLB_ALWAYS_8 void append(struct km_tlb_list *list, __m512i keys, __m512i of, __mmask8 these)
{
	struct km_tlb_tail tail = {list->key, list->of, list->n, list->last};

	km_tlb_append_8(&tail, keys, of, these);
	list->n = tail.n;
	list->last = tail.last;
}

/* How many are listed: eights of them. */
KM_TLB_ALWAYS_8 size_t list_references_8(struct km_tlb *tlb, bool several)
{
	struct km_tlb_block *block = tlb->block;
	const struct routes_8 routes = routes_of(tlb->route[0]);
	__m512i size = _mm512_set1_epi64(block->size);
	size_t i = 0;

	for (; i + 8 <= block->nr_refs; i += 8) {
		__m512i keys = _mm512_loadu_si512(&block->addrs[i]);
		__m512i of = km_tlb_from_8(i);

		if (block->sizes)
			size = km_tlb_bytes_8(&block->sizes[i]);
		keys = _mm512_srlv_epi64(keys, _mm512_permutexvar_epi64(size, routes.shift));
		keys = _mm512_or_si512(_mm512_slli_epi64(keys, 4),
				       _mm512_permutexvar_epi64(size, routes.sort));
		if (!several) {
			append(&block->lists[tlb->route[0][block->size].number], keys, of, 0xff);
			continue;
		}
		for (unsigned number = 0; number < KM_TLB_ARRAYS; number++) {
			__mmask8 its = _mm512_cmpeq_epi64_mask(
				_mm512_permutexvar_epi64(size, routes.number),
				_mm512_set1_epi64(number));

			if (its)
				append(&block->lists[number], keys, of, its);
		}
	}
	return i;
}

static KM_TLB_WITH_8 size_t list_one_8(struct km_tlb *tlb)
{
	return list_references_8(tlb, false);
}

static KM_TLB_WITH_8 size_t list_several_8(struct km_tlb *tlb)
{
	return list_references_8(tlb, true);
}
#endif

static size_t list_eights(struct km_tlb *tlb, bool several)
{
#ifdef __x86_64__
	if (km_tlb_has_8())
		return several ? list_several_8(tlb) : list_one_8(tlb);
#endif
	(void)tlb;
	(void)several;
	return 0;
}

void km_tlb_list_references(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;
	bool several = only_number(block, tlb->route[0]) == SEVERAL;
	size_t from;

	for (unsigned i = 0; i < KM_TLB_ARRAYS; i++) {
		block->lists[i].n = 0;
		block->lists[i].last = tlb->l1[i].last;
	}
	block->lists[KM_TLB_ARRAYS].n = 0;
	from = list_eights(tlb, several);
	if (several)
		list_references(tlb, from, block->sizes, true);
	else if (block->sizes)
		list_references(tlb, from, block->sizes, false);
	else
		list_references(tlb, from, NULL, false);
	for (unsigned i = 0; i < KM_TLB_ARRAYS; i++)
		tlb->l1[i].last = block->lists[i].last;
}

/* ---- those that were missed, to the L2 ---- */

always_inline void list_misses(struct km_tlb *tlb, const uint8_t *sizes, bool several)
{
	const struct km_tlb_route *routes = tlb->route[1];
	struct km_tlb_block *block = tlb->block;
	const uint64_t *addrs = block->addrs;
	unsigned size = block->size;
	struct km_tlb_list *list = &block->lists[routes[size].number];
	size_t n = 0;

	for (size_t i = 0; i < block->n; i++) {
		uint16_t of = block->at[i];

		size = sizes ? sizes[of] : size;
		if (several) {
			list = &block->lists[routes[size].number];
			n = list->n;
		}
		list->key[n] = km_tlb_route_key(&routes[size], addrs[of]);
		list->of[n++] = of;
		if (several)
			list->n = n;
	}
	list->n = n;
}

void km_tlb_list_misses(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;

	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++)
		block->lists[i].n = 0;
	if (only_number(block, tlb->route[1]) == SEVERAL)
		list_misses(tlb, block->sizes, true);
	else if (block->sizes)
		list_misses(tlb, block->sizes, false);
	else
		list_misses(tlb, NULL, false);
}
