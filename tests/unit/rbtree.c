// SPDX-License-Identifier: GPL-2.0
/* The red-black tree: order, and the rules that keep it low, after every step. */
#include <stdlib.h>

#include <linux/rbtree.h>

#include "tap.h"

struct item {
	struct rb_node node;
	int key;
};

static void item_insert(struct rb_root *root, struct item *new)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = new->key < rb_entry(parent, struct item, node)->key ?
			&parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, root);
}

static int tree_height(const struct rb_node *n)
{
	int l, r;

	if (!n)
		return 0;
	l = tree_height(n->rb_left);
	r = tree_height(n->rb_right);
	return 1 + (l > r ? l : r);
}

/* In order both ways, @nr items, no higher than a red-black tree may be. */
static void tree_check(const struct rb_root *root, int nr)
{
	int n = 0, last = -1, limit = 0;
	struct rb_node *p;

	for (p = rb_first(root); p; p = rb_next(p), n++) {
		CHECK(rb_entry(p, struct item, node)->key >= last);
		last = rb_entry(p, struct item, node)->key;
	}
	CHECK_EQ(n, nr);
	for (p = rb_last(root); p; p = rb_prev(p), n--) {
		CHECK(rb_entry(p, struct item, node)->key <= last);
		last = rb_entry(p, struct item, node)->key;
	}
	CHECK_EQ(n, 0);
	while (1 << limit <= nr)	/* 2 log2(n + 1) */
		limit++;
	CHECK(tree_height(root->rb_node) <= 2 * limit);
}

TEST(empty_tree_has_no_first)
{
	struct rb_root root = RB_ROOT;

	CHECK(RB_EMPTY_ROOT(&root));
	CHECK(!rb_first(&root));
	CHECK(!rb_last(&root));
}

TEST(sorted_insertion_stays_balanced)
{
	struct rb_root root = RB_ROOT;
	static struct item it[1000];

	for (int i = 0; i < 1000; i++) {
		it[i].key = i;
		item_insert(&root, &it[i]);
		tree_check(&root, i + 1);
	}
	for (int i = 0; i < 1000; i++) {
		CHECK(rb_first(&root) == &it[i].node);
		rb_erase(&it[i].node, &root);
		tree_check(&root, 999 - i);
	}
	CHECK(RB_EMPTY_ROOT(&root));
}

TEST(random_insertion_and_erasure_stay_balanced)
{
	struct rb_root root = RB_ROOT;
	static struct item it[300];
	int nr = 0;

	srand(1);
	for (int i = 0; i < 300; i++)
		RB_CLEAR_NODE(&it[i].node);
	for (int round = 0; round < 10000; round++) {
		struct item *p = &it[rand() % 300];

		if (RB_EMPTY_NODE(&p->node)) {
			p->key = rand() % 100;	/* equal keys are allowed */
			item_insert(&root, p);
			nr++;
		} else {
			rb_erase(&p->node, &root);
			RB_CLEAR_NODE(&p->node);
			nr--;
		}
		tree_check(&root, nr);
	}
}
