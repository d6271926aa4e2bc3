/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The balanced tree under an address space: red-black (Guibas, Sedgewick 1978; Cormen et al.,
 * ch. 13), each node knowing the largest range of its subtree. Which of several equally good
 * rotations is taken shows in the addresses: a search with an alignment also looks at the ranges it
 * passes on its way (vm_space.c). So the tree has the shape that lib/rbtree.c would give it.
 */
#include "vmalloc.h"

enum { LEFT, RIGHT };

static bool is_red(const struct vm_area *area)
{
	return area && area->red;
}

void km_vm_tree_pull(struct vm_area *area)
{
	uint64_t max = area->end - area->start;

	for (unsigned side = LEFT; side <= RIGHT; side++)
		if (area->child[side] && area->child[side]->max > max)
			max = area->child[side]->max;
	area->max = max;
}

void km_vm_tree_pull_up(struct vm_area *area)
{
	for (; area; area = area->parent) {
		uint64_t before = area->max;

		km_vm_tree_pull(area);
		/* Nothing above can change either; a node just linked in had no maximum yet. */
		if (area->max == before)
			break;
	}
}

/* `other` (or nothing) takes the place of `area` below its parent. */
static void replace(struct vm_space *space, struct vm_area *area, struct vm_area *other)
{
	struct vm_area *parent = area->parent;

	if (!parent)
		space->root = other;
	else
		parent->child[parent->child[RIGHT] == area] = other;
	if (other)
		other->parent = parent;
}

/* `top` goes down to `side`; its other child comes up. */
static struct vm_area *rotate(struct vm_space *space, struct vm_area *top, unsigned side)
{
	struct vm_area *riser = top->child[!side], *inner = riser->child[side];

	replace(space, top, riser);
	riser->child[side] = top;
	top->parent = riser;
	top->child[!side] = inner;
	if (inner)
		inner->parent = top;
	km_vm_tree_pull(top);
	km_vm_tree_pull(riser);
	return riser;
}

/* ---- insertion ---- */

static void mend_red(struct vm_space *space, struct vm_area *area)
{
	struct vm_area *parent;

	while (is_red(parent = area->parent)) {
		struct vm_area *top = parent->parent; /* exists: the root is black */
		unsigned side = top->child[RIGHT] == parent;
		struct vm_area *uncle = top->child[!side];

		if (is_red(uncle)) {
			uncle->red = parent->red = false;
			top->red = true;
			area = top;
			continue;
		}
		if (parent->child[!side] == area)
			parent = rotate(space, parent, side);
		parent->red = false;
		top->red = true;
		rotate(space, top, !side);
		break;
	}
	space->root->red = false;
}

bool km_vm_tree_insert(struct vm_space *space, struct vm_area *area)
{
	struct vm_area **link = &space->root, *parent = NULL;

	while (*link) {
		parent = *link;
		if (area->end <= parent->start)
			link = &parent->child[LEFT];
		else if (area->start >= parent->end)
			link = &parent->child[RIGHT];
		else
			return false;
	}
	area->child[LEFT] = area->child[RIGHT] = NULL;
	area->parent = parent;
	area->red = true;
	area->max = 0;
	*link = area;
	space->count++;
	km_vm_tree_pull_up(area);
	mend_red(space, area);
	return true;
}

/* ---- removal ---- */

/* The subtree at `area` (may be empty) below `parent` lacks a black node. */
static void mend_black(struct vm_space *space, struct vm_area *parent, struct vm_area *area)
{
	while (parent) {
		unsigned side = parent->child[RIGHT] == area;
		struct vm_area *sibling = parent->child[!side];

		if (is_red(sibling)) {
			rotate(space, parent, side);
			sibling->red = false;
			parent->red = true;
			sibling = parent->child[!side];
		}
		if (!is_red(sibling->child[!side])) {
			if (!is_red(sibling->child[side])) {
				sibling->red = true;
				if (parent->red) {
					parent->red = false;
					return;
				}
				area = parent;
				parent = area->parent;
				continue;
			}
			sibling->red = true;
			sibling = rotate(space, sibling, !side);
			sibling->red = false;
		}
		rotate(space, parent, side);
		sibling->red = parent->red;
		parent->red = false;
		sibling->child[!side]->red = false;
		return;
	}
}

void km_vm_tree_remove(struct vm_space *space, struct vm_area *area)
{
	struct vm_area *below, *parent, *next = NULL;
	bool was_red = area->red;

	space->count--;
	if (!area->child[LEFT] || !area->child[RIGHT]) {
		below = area->child[area->child[LEFT] ? LEFT : RIGHT];
		parent = area->parent;
		replace(space, area, below);
	} else {
		/* The next one takes its place and colour. */
		for (next = area->child[RIGHT]; next->child[LEFT]; next = next->child[LEFT])
			;
		was_red = next->red;
		below = next->child[RIGHT];
		parent = next->parent == area ? next : next->parent;
		if (parent != next) {
			replace(space, next, below);
			next->child[RIGHT] = area->child[RIGHT];
			next->child[RIGHT]->parent = next;
		}
		next->child[LEFT] = area->child[LEFT];
		next->child[LEFT]->parent = next;
		next->red = area->red;
		replace(space, area, next);
	}
	km_vm_tree_pull_up(parent);
	if (next) {
		next->max = 0; /* stands for another subtree now: what is above must be told */
		km_vm_tree_pull_up(next);
	}
	if (below && !was_red)
		below->red = false;
	else if (!was_red)
		mend_black(space, parent, below);
}
