/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index files that modprobe searches (modules.dep.bin and others): a prefix
 * tree from keys to values, in the format of kmod's libkmod-index.c, version 2.1.
 */
#ifndef GUEST_TRIE_H
#define GUEST_TRIE_H

#include <stddef.h>

/* Zeroed at first; trie_free() in the end. */
struct trie {
	struct trie_entry {
		char *key, *value;
		unsigned int priority;
	} *entry;
	size_t nr, cap;
	/* The file, once it is made. */
	unsigned char *data;
	size_t len, size;
};

/*
 * A value of @key. modprobe takes those of lower @priority first. Keys that no index may
 * hold (not ASCII, or of more than 1000 characters) are left out. 0 or -ENOMEM.
 */
int trie_add(struct trie *t, const char *key, const char *value, unsigned int priority);
/* Make the file: @t->data of @t->len bytes. 0 or -ENOMEM. */
int trie_make(struct trie *t);
void trie_free(struct trie *t);

#endif
