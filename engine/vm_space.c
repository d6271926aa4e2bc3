/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disjoint address ranges in a tree that knows the largest range below each node (vm_tree.c), so
 * that the lowest fitting address is found in O(log n) (mm/vmalloc.c: free_vmap_area_root,
 * find_vmap_lowest_match; kernel-facts: D.2).
 */
#include <errno.h>

#include "vmalloc.h"

enum { LEFT, RIGHT };

static uint64_t max_of(const struct vm_area *area)
{
	return area ? area->max : 0;
}

/* ---- search ---- */

static bool fits(const struct vm_area *area, uint64_t bytes, uint64_t align, uint64_t from,
		 uint64_t *addr)
{
	uint64_t start = area->start > from ? area->start : from;

	start = (start + align - 1) & ~(align - 1);
	if (start < from || start >= area->end || area->end - start < bytes)
		return false;
	*addr = start;
	return true;
}

/*
 * Downwards the search follows subtrees that surely hold a fitting range: `length` bytes, whatever
 * their alignment. Every range on the way, down or up, is tried for what it is. So a small one
 * that happens to be aligned is taken where the tree puts it on the way, as in Linux.
 */
struct vm_area *km_vm_space_search(const struct vm_space *space, uint64_t bytes, uint64_t align,
				   uint64_t from, uint64_t limit, uint64_t *addr)
{
	struct vm_area *node = space->root;
	uint64_t length = bytes, low = from;

	if (align > KM_PAGE_SIZE && limit - from != bytes)
		length = bytes + align - 1;
	align = align ? align : 1;
	while (node) {
		if (max_of(node->child[LEFT]) >= length && low < node->start) {
			node = node->child[LEFT];
			continue;
		}
		if (fits(node, bytes, align, low, addr))
			break;
		if (max_of(node->child[RIGHT]) >= length) {
			node = node->child[RIGHT];
			continue;
		}
		while ((node = node->parent)) {
			if (fits(node, bytes, align, low, addr))
				goto found;
			if (max_of(node->child[RIGHT]) >= length && low <= node->start) {
				low = node->start + 1; /* never down to the left of it again */
				node = node->child[RIGHT];
				break;
			}
		}
	}
found:
	return node && *addr + bytes <= limit && *addr + bytes >= bytes ? node : NULL;
}

struct vm_area *km_vm_space_find(const struct vm_space *space, uint64_t start)
{
	struct vm_area *node = space->root;

	while (node && node->start != start)
		node = node->child[start > node->start];
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
			node = node->child[RIGHT];
		} else {
			*above = node;
			node = node->child[LEFT];
		}
	}
}

/* ---- changes ---- */

void km_vm_space_remove(struct vm_space *space, struct vm_area *area)
{
	km_vm_tree_remove(space, area);
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
		km_vm_tree_pull_up(area);
		km_vm_tree_insert(space, lower);
		return NULL;
	}
	if (addr == area->start)
		area->start = end;
	else
		area->end = addr;
	km_vm_tree_pull_up(area);
	return NULL;
}

bool km_vm_space_insert(struct vm_space *space, struct vm_area *area)
{
	return km_vm_tree_insert(space, area);
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
		km_vm_tree_pull_up(above);
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
		km_vm_tree_pull_up(below);
		if (!*unused)
			*unused = area;
		return true;
	}
	return km_vm_tree_insert(space, area);
}

/* ---- walks ---- */

static struct vm_area *first_below(struct vm_area *node)
{
	while (node && node->child[LEFT])
		node = node->child[LEFT];
	return node;
}

struct vm_area *km_vm_space_next(const struct vm_area *area)
{
	if (area->child[RIGHT])
		return first_below(area->child[RIGHT]);
	while (area->parent && area->parent->child[RIGHT] == area)
		area = area->parent;
	return area->parent;
}

struct vm_area *km_vm_space_first(const struct vm_space *space)
{
	return first_below(space->root);
}

struct vm_area *km_vm_space_drain(struct vm_space *space)
{
	struct vm_area *list = km_vm_space_first(space);

	for (struct vm_area *area = list; area; area = area->next)
		area->next = km_vm_space_next(area);
	*space = (struct vm_space){0};
	return list;
}

void km_vm_space_each(const struct vm_space *space, void (*visit)(void *, struct vm_area *),
		      void *context)
{
	for (struct vm_area *area = km_vm_space_first(space), *next; area; area = next) {
		next = km_vm_space_next(area);
		visit(context, area);
	}
}

unsigned km_vm_space_depth(const struct vm_area *area)
{
	unsigned depth = 0;

	while ((area = area->parent))
		depth++;
	return depth;
}

/* ---- a given shape ---- */

static struct vm_area *build(struct vm_area **areas, size_t count, unsigned depth)
{
	struct vm_area *top;
	size_t at = 0;

	while (at < count && areas[at]->depth != depth)
		at++;
	if (at == count)
		return NULL;
	top = areas[at];
	top->child[LEFT] = build(areas, at, depth + 1);
	top->child[RIGHT] = build(areas + at + 1, count - at - 1, depth + 1);
	for (unsigned side = LEFT; side <= RIGHT; side++)
		if (top->child[side])
			top->child[side]->parent = top;
	km_vm_tree_pull(top);
	return top;
}

bool km_vm_space_build(struct vm_space *space, struct vm_area **areas, size_t count)
{
	space->root = build(areas, count, 0);
	space->count = count;
	return km_vm_space_validate(space) == 0;
}

/* ---- validate ---- */

/* Black nodes on each way down, which must be as many on all of them; 0 when they are not. */
static unsigned black_height(const struct vm_area *area)
{
	unsigned left, right;

	if (!area)
		return 1;
	for (unsigned side = LEFT; side <= RIGHT; side++)
		if (area->child[side] &&
		    (area->child[side]->parent != area || (area->red && area->child[side]->red)))
			return 0;
	left = black_height(area->child[LEFT]);
	right = black_height(area->child[RIGHT]);
	return left && left == right ? left + !area->red : 0;
}

int km_vm_space_validate(const struct vm_space *space)
{
	uint64_t last_end = 0;
	size_t count = 0;

	if (space->root && (space->root->parent || space->root->red))
		return -EINVAL;
	if (!black_height(space->root))
		return -EINVAL;
	for (struct vm_area *area = km_vm_space_first(space); area; area = km_vm_space_next(area)) {
		struct vm_area copy = *area;

		km_vm_tree_pull(&copy);
		if (area->start < last_end || area->start >= area->end || copy.max != area->max)
			return -EINVAL;
		last_end = area->end;
		count++;
	}
	return count == space->count ? 0 : -EINVAL;
}
