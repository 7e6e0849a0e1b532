// SPDX-License-Identifier: GPL-2.0
/*
 * Red-black trees: a root without a red parent, no red node with a red parent,
 * and the same number of black nodes on every way down. The two mirror images
 * of each case are one: a side is an index, the other side is !side. Any
 * thread; the owner of the tree serialises. A build inside a kernel tree uses the
 * kernel's own instead.
 */
#include <linux/rbtree.h>

static int rbtree_red(const struct rb_node *node)
{
	return node && node->rb_red;
}

/* Which child of @parent is @node? */
static int rbtree_side(const struct rb_node *parent, const struct rb_node *node)
{
	return parent->rb_child[1] == node;
}

/* Put @new where @old is below old's parent. */
static void rbtree_replace(struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
	struct rb_node *parent = old->rb_parent;

	if (parent)
		parent->rb_child[rbtree_side(parent, old)] = new;
	else
		root->rb_node = new;
	if (new)
		new->rb_parent = parent;
}

/* Turn @node down to @side; its other child, which exists, takes its place. */
static void rbtree_rotate(struct rb_root *root, struct rb_node *node, int side)
{
	struct rb_node *up = node->rb_child[!side];

	rbtree_replace(root, node, up);
	node->rb_child[!side] = up->rb_child[side];
	if (node->rb_child[!side])
		node->rb_child[!side]->rb_parent = node;
	up->rb_child[side] = node;
	node->rb_parent = up;
}

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent;

	while (rbtree_red(parent = node->rb_parent)) {
		struct rb_node *top = parent->rb_parent;	/* a red node is not the root */
		int side = rbtree_side(top, parent);
		struct rb_node *uncle = top->rb_child[!side];

		if (rbtree_red(uncle)) {
			/* Push the blackness of the grandparent down and go on there. */
			parent->rb_red = uncle->rb_red = 0;
			top->rb_red = 1;
			node = top;
			continue;
		}
		if (rbtree_side(parent, node) != side) {
			/* The inner grandchild: make it the outer one. */
			rbtree_rotate(root, parent, side);
			parent = node;
		}
		parent->rb_red = 0;
		top->rb_red = 1;
		rbtree_rotate(root, top, !side);
		break;
	}
	root->rb_node->rb_red = 0;
}

/* Every way down from @node (may be NULL), a child of @parent, lacks one black node. */
static void rbtree_mend(struct rb_root *root, struct rb_node *parent, struct rb_node *node)
{
	while (parent && !rbtree_red(node)) {
		int side = rbtree_side(parent, node);
		struct rb_node *sibling = parent->rb_child[!side];

		/* The sibling exists: its side has at least one black node more. */
		if (sibling->rb_red) {
			sibling->rb_red = 0;
			parent->rb_red = 1;
			rbtree_rotate(root, parent, side);
			sibling = parent->rb_child[!side];
		}
		if (!rbtree_red(sibling->rb_left) && !rbtree_red(sibling->rb_right)) {
			sibling->rb_red = 1;
			node = parent;
			parent = node->rb_parent;
			continue;
		}
		if (!rbtree_red(sibling->rb_child[!side])) {
			sibling->rb_child[side]->rb_red = 0;
			sibling->rb_red = 1;
			rbtree_rotate(root, sibling, !side);
			sibling = parent->rb_child[!side];
		}
		sibling->rb_red = parent->rb_red;
		parent->rb_red = 0;
		sibling->rb_child[!side]->rb_red = 0;
		rbtree_rotate(root, parent, side);
		return;
	}
	if (node)
		node->rb_red = 0;
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *child, *parent;
	int red;

	if (node->rb_left && node->rb_right) {
		/* The next node in order has no left child: it moves here. */
		struct rb_node *next = rb_next(node);

		child = next->rb_right;
		parent = next->rb_parent;
		red = next->rb_red;
		rbtree_replace(root, next, child);
		if (parent == node)
			parent = next;
		rbtree_replace(root, node, next);
		for (int side = 0; side < 2; side++) {
			next->rb_child[side] = node->rb_child[side];
			if (next->rb_child[side])
				next->rb_child[side]->rb_parent = next;
		}
		next->rb_red = node->rb_red;
	} else {
		child = node->rb_left ? node->rb_left : node->rb_right;
		parent = node->rb_parent;
		red = node->rb_red;
		rbtree_replace(root, node, child);
	}
	if (!red)
		rbtree_mend(root, parent, child);
}

static struct rb_node *rbtree_end(struct rb_node *node, int side)
{
	while (node && node->rb_child[side])
		node = node->rb_child[side];
	return node;
}

static struct rb_node *rbtree_step(const struct rb_node *node, int side)
{
	struct rb_node *parent;

	if (node->rb_child[side])
		return rbtree_end(node->rb_child[side], !side);
	while ((parent = node->rb_parent) && rbtree_side(parent, node) == side)
		node = parent;
	return parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return rbtree_end(root->rb_node, 0);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return rbtree_end(root->rb_node, 1);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return rbtree_step(node, 1);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return rbtree_step(node, 0);
}
