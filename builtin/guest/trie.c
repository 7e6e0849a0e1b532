// SPDX-License-Identifier: GPL-2.0
/*
 * modprobe's index files: see trie.h. All numbers are 32 bits, big-endian.
 *
 *	magic, version, offset of the root
 *	a node:	prefix, ended by NUL			if INDEX_PREFIX
 *		first, last: a byte each, the range of the next character
 *		the child of each character in it	if INDEX_CHILDREN
 *		number of values, each a priority and a text with its NUL
 *							if INDEX_VALUES
 *
 * The flags are the upper bits of the offset by which a node is found; the offset 0 is
 * no node. Children come before their parent. Main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/types.h>

#include "trie.h"

#define INDEX_MAGIC	0xb007f457
#define INDEX_VERSION	0x00020001
#define INDEX_PREFIX	0x80000000
#define INDEX_VALUES	0x40000000
#define INDEX_CHILDREN	0x20000000
#define INDEX_CHARS	128
#define KEY_MAX		1000	/* bounds the depth of the recursion */

int trie_add(struct trie *t, const char *key, const char *value, unsigned int priority)
{
	struct trie_entry *more, *e;
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)key[i] >= INDEX_CHARS)
			return 0;
	if (len > KEY_MAX)
		return 0;
	if (t->nr == t->cap) {
		more = realloc(t->entry, (t->cap * 2 + 64) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->entry = more;
		t->cap = t->cap * 2 + 64;
	}
	e = &t->entry[t->nr];
	*e = (struct trie_entry){ strdup(key), strdup(value), priority };
	if (!e->key || !e->value) {
		free(e->key);
		free(e->value);
		return -ENOMEM;
	}
	t->nr++;
	return 0;
}

static int trie_order(const void *a, const void *b)
{
	const struct trie_entry *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	if (!order)
		order = x->priority < y->priority ? -1 : x->priority > y->priority;
	return order ? order : strcmp(x->value, y->value);
}

/* An allocation that failed shows in @t->data, which is then NULL. */
static void trie_put(struct trie *t, const void *p, size_t len)
{
	unsigned char *more;

	if (!t->data)
		return;
	if (len > t->size - t->len) {
		more = realloc(t->data, t->size * 2 + len);
		if (!more) {
			free(t->data);
			t->data = NULL;
			return;
		}
		t->data = more;
		t->size = t->size * 2 + len;
	}
	memcpy(t->data + t->len, p, len);
	t->len += len;
}

static void trie_put32(struct trie *t, u32 val)
{
	unsigned char be[4] = { val >> 24, val >> 16, val >> 8, val };

	trie_put(t, be, sizeof(be));
}

static void trie_values(struct trie *t, const struct trie_entry *from, const struct trie_entry *to)
{
	trie_put32(t, to - from);
	for (; from < to; from++) {
		trie_put32(t, from->priority);
		trie_put(t, from->value, strlen(from->value) + 1);
	}
}

/* The node of sorted entries that have their first @depth characters in common; its offset. */
static u32 trie_node(struct trie *t, const struct trie_entry *from, const struct trie_entry *to,
		     size_t depth)
{
	const char *first = from->key + depth, *last = to[-1].key + depth;
	u32 child[INDEX_CHARS] = { 0 }, offset, flags = 0;
	const struct trie_entry *values = from, *next;
	size_t common = 0;

	while (first[common] && first[common] == last[common])
		common++;
	depth += common;
	while (values < to && !values->key[depth])
		values++;
	for (const struct trie_entry *e = values; e < to; e = next) {
		for (next = e; next < to && next->key[depth] == e->key[depth]; next++)
			;
		child[(unsigned char)e->key[depth]] = trie_node(t, e, next, depth + 1);
	}

	offset = t->len;
	if (common) {
		flags |= INDEX_PREFIX;
		trie_put(t, first, common);
		trie_put(t, "", 1);
	}
	if (values < to) {
		flags |= INDEX_CHILDREN;
		trie_put(t, &values->key[depth], 1);
		trie_put(t, &to[-1].key[depth], 1);
		for (int c = values->key[depth]; c <= to[-1].key[depth]; c++)
			trie_put32(t, child[c]);
	}
	if (values > from) {
		flags |= INDEX_VALUES;
		trie_values(t, from, values);
	}
	return offset | flags;
}

int trie_make(struct trie *t)
{
	u32 root = 12;

	t->size = 4096;
	t->len = 0;
	t->data = malloc(t->size);
	if (t->nr)
		qsort(t->entry, t->nr, sizeof(*t->entry), trie_order);
	trie_put32(t, INDEX_MAGIC);
	trie_put32(t, INDEX_VERSION);
	trie_put32(t, root);
	if (t->nr)
		root = trie_node(t, t->entry, t->entry + t->nr, 0);
	else
		trie_put32(t, 0);	/* a node without anything */
	for (int i = 0; t->data && i < 4; i++)
		t->data[8 + i] = root >> (24 - 8 * i);
	return t->data ? 0 : -ENOMEM;
}

void trie_free(struct trie *t)
{
	for (size_t i = 0; i < t->nr; i++) {
		free(t->entry[i].key);
		free(t->entry[i].value);
	}
	free(t->entry);
	free(t->data);
	memset(t, 0, sizeof(*t));
}
