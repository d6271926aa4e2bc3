/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disjoint address ranges in an AVL tree augmented with the largest range of each subtree, so that
 * the lowest fitting address is found in O(log n). Linux keeps the same augmentation on a
 * red-black tree (mm/vmalloc.c: free_vmap_area_root); which tree balances does not show in the
 * addresses, except where an alignment above a page makes a search pass over small areas.
 */
#include <errno.h>

#include "vmalloc.h"

static unsigned height_of(const struct vm_area *area)
{
	return area ? area->height : 0;
}

static uint64_t max_of(const struct vm_area *area)
{
	return area ? area->max : 0;
}

static void pull(struct vm_area *area)
{
	unsigned left = height_of(area->left), right = height_of(area->right);
	uint64_t max = area->end - area->start;

	if (max_of(area->left) > max)
		max = area->left->max;
	if (max_of(area->right) > max)
		max = area->right->max;
	area->max = max;
	area->height = (uint8_t)((left > right ? left : right) + 1);
}

static struct vm_area *rotate_right(struct vm_area *area)
{
	struct vm_area *top = area->left;

	area->left = top->right;
	top->right = area;
	pull(area);
	pull(top);
	return top;
}

static struct vm_area *rotate_left(struct vm_area *area)
{
	struct vm_area *top = area->right;

	area->right = top->left;
	top->left = area;
	pull(area);
	pull(top);
	return top;
}

static struct vm_area *balance(struct vm_area *area)
{
	int lean;

	pull(area);
	lean = (int)height_of(area->left) - (int)height_of(area->right);
	if (lean > 1) {
		if (height_of(area->left->left) < height_of(area->left->right))
			area->left = rotate_left(area->left);
		return rotate_right(area);
	}
	if (lean < -1) {
		if (height_of(area->right->right) < height_of(area->right->left))
			area->right = rotate_right(area->right);
		return rotate_left(area);
	}
	return area;
}

static struct vm_area *insert_below(struct vm_area *node, struct vm_area *area)
{
	if (!node)
		return area;
	if (area->start < node->start)
		node->left = insert_below(node->left, area);
	else
		node->right = insert_below(node->right, area);
	return balance(node);
}

static struct vm_area *take_first(struct vm_area *node, struct vm_area **first)
{
	if (!node->left) {
		*first = node;
		return node->right;
	}
	node->left = take_first(node->left, first);
	return balance(node);
}

static struct vm_area *remove_below(struct vm_area *node, const struct vm_area *area)
{
	struct vm_area *successor;

	if (area->start < node->start) {
		node->left = remove_below(node->left, area);
	} else if (area->start > node->start) {
		node->right = remove_below(node->right, area);
	} else {
		if (!node->left)
			return node->right;
		if (!node->right)
			return node->left;
		node->right = take_first(node->right, &successor);
		successor->left = node->left;
		successor->right = node->right;
		node = successor;
	}
	return balance(node);
}

/* Maxima on the way down to `area`, whose size has changed but not its place in the order. */
static void pull_path(struct vm_area *node, const struct vm_area *area)
{
	if (node != area)
		pull_path(area->start < node->start ? node->left : node->right, area);
	pull(node);
}

/* ---- search ---- */

static bool fits(const struct vm_area *area, uint64_t bytes, uint64_t align, uint64_t from,
		 uint64_t limit, uint64_t *addr)
{
	uint64_t start = area->start > from ? area->start : from;
	uint64_t end = area->end < limit ? area->end : limit;

	start = (start + align - 1) & ~(align - 1);
	if (start < from || start >= end || end - start < bytes)
		return false;
	*addr = start;
	return true;
}

struct query {
	uint64_t bytes, length, align, from, limit;
};

static struct vm_area *lowest(struct vm_area *node, const struct query *query, uint64_t *addr)
{
	struct vm_area *found;

	for (;;) {
		if (max_of(node->left) >= query->length && query->from < node->start) {
			found = lowest(node->left, query, addr);
			if (found)
				return found;
		}
		if (fits(node, query->bytes, query->align, query->from, query->limit, addr))
			return node;
		if (max_of(node->right) < query->length)
			return NULL;
		node = node->right;
	}
}

struct vm_area *km_vm_space_search(const struct vm_space *space, uint64_t bytes, uint64_t align,
				   uint64_t from, uint64_t limit, uint64_t *addr)
{
	struct query query = {bytes, bytes, align ? align : 1, from, limit};

	if (align > KM_PAGE_SIZE && limit - from != bytes)
		query.length = bytes + align - 1;
	return space->root ? lowest(space->root, &query, addr) : NULL;
}

struct vm_area *km_vm_space_find(const struct vm_space *space, uint64_t start)
{
	struct vm_area *node = space->root;

	while (node && node->start != start)
		node = start < node->start ? node->left : node->right;
	return node;
}

/* Last range that starts below `start`, first that starts at or above it. */
static void neighbours(const struct vm_space *space, uint64_t start, struct vm_area **below,
		       struct vm_area **above)
{
	struct vm_area *node = space->root;

	*below = *above = NULL;
	while (node) {
		if (node->start < start) {
			*below = node;
			node = node->right;
		} else {
			*above = node;
			node = node->left;
		}
	}
}

/* ---- changes ---- */

static void put(struct vm_space *space, struct vm_area *area)
{
	area->left = area->right = NULL;
	pull(area);
	space->root = insert_below(space->root, area);
	space->count++;
}

void km_vm_space_remove(struct vm_space *space, struct vm_area *area)
{
	space->root = remove_below(space->root, area);
	space->count--;
}

struct vm_area *km_vm_space_cut(struct vm_space *space, struct vm_area *area, uint64_t addr,
				uint64_t bytes, struct vm_area **spare)
{
	uint64_t end = addr + bytes;

	if (addr == area->start && end == area->end) {
		km_vm_space_remove(space, area);
		return area;
	}
	if (addr > area->start && end < area->end) {
		struct vm_area *lower = *spare;

		*spare = NULL;
		lower->start = area->start;
		lower->end = addr;
		area->start = end;
		pull_path(space->root, area);
		put(space, lower);
		return NULL;
	}
	if (addr == area->start)
		area->start = end;
	else
		area->end = addr;
	pull_path(space->root, area);
	return NULL;
}

bool km_vm_space_insert(struct vm_space *space, struct vm_area *area)
{
	struct vm_area *below, *above;

	neighbours(space, area->start, &below, &above);
	if ((below && below->end > area->start) || (above && above->start < area->end))
		return false;
	put(space, area);
	return true;
}

bool km_vm_space_merge(struct vm_space *space, struct vm_area *area, struct vm_area **unused)
{
	struct vm_area *below, *above;

	*unused = NULL;
	neighbours(space, area->start, &below, &above);
	if ((below && below->end > area->start) || (above && above->start < area->end))
		return false;
	area->next = NULL;
	if (above && above->start == area->end) {
		/* The upper neighbour grows downwards: its place in the order stays. */
		above->start = area->start;
		pull_path(space->root, above);
		*unused = area;
		if (!below || below->end != above->start)
			return true;
		km_vm_space_remove(space, above);
		above->next = NULL;
		area->next = above;
		area = above;
	}
	if (below && below->end == area->start) {
		below->end = area->end;
		pull_path(space->root, below);
		if (!*unused)
			*unused = area;
		return true;
	}
	put(space, area);
	return true;
}

/* ---- walks ---- */

static struct vm_area *chain(struct vm_area *node, struct vm_area *rest)
{
	while (node) {
		struct vm_area *left = node->left;

		node->next = chain(node->right, rest);
		rest = node;
		node = left;
	}
	return rest;
}

struct vm_area *km_vm_space_drain(struct vm_space *space)
{
	struct vm_area *list = chain(space->root, NULL);

	*space = (struct vm_space){0};
	return list;
}

static void each(struct vm_area *node, void (*visit)(void *, struct vm_area *), void *context)
{
	for (; node; node = node->right) {
		each(node->left, visit, context);
		visit(context, node);
	}
}

void km_vm_space_each(const struct vm_space *space, void (*visit)(void *, struct vm_area *),
		      void *context)
{
	each(space->root, visit, context);
}

struct audit {
	uint64_t last_end;
	size_t count;
	bool broken;
};

static void audit_area(void *context, struct vm_area *area)
{
	struct audit *audit = context;
	struct vm_area copy = *area;
	int lean = (int)height_of(area->left) - (int)height_of(area->right);

	pull(&copy);
	if (area->start < audit->last_end || area->start >= area->end || copy.max != area->max ||
	    copy.height != area->height || lean > 1 || lean < -1)
		audit->broken = true;
	audit->last_end = area->end;
	audit->count++;
}

int km_vm_space_validate(const struct vm_space *space)
{
	struct audit audit = {0};

	km_vm_space_each(space, audit_area, &audit);
	return audit.broken || audit.count != space->count ? -EINVAL : 0;
}
