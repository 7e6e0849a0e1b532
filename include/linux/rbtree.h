/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Red-black trees with the kernel's names and meaning: the node is embedded in
 * its owner, the owner walks and compares. Only read when lkvm is built alone:
 * a kernel tree has tools/include/linux/rbtree.h and tools/lib/rbtree.c.
 *
 * To insert: descend from &root->rb_node, remember the parent and the link
 * that was NULL, then rb_link_node(), then rb_insert_color().
 */
#ifndef _LINUX_RBTREE_H
#define _LINUX_RBTREE_H

#include <linux/kernel.h>
#include <linux/types.h>

struct rb_node {
	struct rb_node *rb_parent;	/* private; itself: RB_CLEAR_NODE() */
	union {
		struct {
			struct rb_node *rb_left;
			struct rb_node *rb_right;
		};
		struct rb_node *rb_child[2];	/* private: the same two, by side */
	};
	int rb_red;			/* private */
};

struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT			((struct rb_root){ NULL })
#define RB_EMPTY_ROOT(root)	((root)->rb_node == NULL)

/* A node that is in no tree, if its owner said so by RB_CLEAR_NODE(). */
#define RB_EMPTY_NODE(node)	((node)->rb_parent == (node))
#define RB_CLEAR_NODE(node)	((node)->rb_parent = (node))

#define rb_entry(ptr, type, member)	container_of(ptr, type, member)
#define rb_entry_safe(ptr, type, member) \
	({ typeof(ptr) _ptr = (ptr); _ptr ? rb_entry(_ptr, type, member) : NULL; })

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **link)
{
	node->rb_parent = parent;
	node->rb_left = node->rb_right = NULL;
	node->rb_red = 1;
	*link = node;
}

/* Restore the balance after rb_link_node(). */
void rb_insert_color(struct rb_node *node, struct rb_root *root);

/* Take @node out. Its own fields are left as they were. */
void rb_erase(struct rb_node *node, struct rb_root *root);

/* In order; NULL at the ends. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#endif
