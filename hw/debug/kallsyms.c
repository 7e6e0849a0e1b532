// SPDX-License-Identifier: GPL-2.0
/*
 * Linux' table of its own symbols, by the form that its build writes (scripts/kallsyms.c
 * since 4.6): names are strings of bytes, each of which stands for one of 256 tokens; the first
 * character of a name is its type. Addresses are 32-bit offsets from a base.
 *
 * Where the parts are: vmcoreinfo says it since Linux 6.0. For others they are looked for,
 * as they lie one behind the other, each a multiple of eight bytes:
 *
 *	offsets, base,					(before 6.4)
 *	number of symbols, names, markers, order of the names (from 6.2 on), tokens, index
 *						offsets, base	(from 6.4 on)
 *
 * The index of tokens is easy to recognize, and so are the names by their markers. Everything read is checked: this is the guest's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "kallsyms.h"

#define PAGE		4096ULL
#define TOKENS		256
#define TOKENS_MAX	(TOKENS * 128)		/* bytes of all tokens */
#define INDEX_BYTES	(TOKENS * sizeof(u16))
#define MARKER_STEP	256			/* symbols from one marker to the next */
#define NAMES_MIN	1000			/* fewer are not looked for */
#define SEARCH_BUDGET	(256u << 20)		/* bytes of names that are looked at, */
#define SEARCH_MAX	64			/* and places where an index may be */
#define WINDOW		65536			/* bytes that are looked at, at a time */

/* Virtual addresses of the parts. */
struct kallsyms {
	u64 names, number, tokens, index, offsets, base;
};

/* A part, read piece by piece. */
struct names {
	const struct linux_view *v;
	u64 at;
	u8 buf[PAGE];
	size_t pos, len;
	u32 left;			/* bytes that may be read yet: page tables may have no end */
};

struct tokens {
	u16 index[TOKENS];
	char text[TOKENS_MAX + 1];
};

static int names_byte(struct names *n)
{
	if (n->pos == n->len) {
		/* To the end of the page: the next one may not exist. */
		n->len = sizeof(n->buf) - n->at % sizeof(n->buf);
		n->pos = 0;
		if (n->len > n->left || view_read(n->v, n->at, n->buf, n->len))
			return n->len = 0, -1;
		n->left -= n->len;
		n->at += n->len;
	}
	return n->buf[n->pos++];
}

/* The length of the next name in tokens, or -1. Since 6.1 it may have two bytes. */
static int names_length(struct names *n)
{
	int len = names_byte(n), high;

	if (len < 0x80)
		return len;
	high = names_byte(n);
	return high < 0 ? -1 : (len & 0x7f) | high << 7;
}

/* The next name, its type first: its length, or -1. What is too long is cut. */
static int names_next(struct names *n, const struct tokens *t, char name[SYMBOL_NAME_MAX])
{
	int tokens = names_length(n);
	size_t len = 0;

	if (tokens <= 0)
		return -1;
	while (tokens--) {
		int byte = names_byte(n);
		const char *p;

		if (byte < 0)
			return -1;
		for (p = t->text + t->index[byte]; *p && len < SYMBOL_NAME_MAX - 1; p++)
			name[len++] = *p;
	}
	name[len] = '\0';
	return len;
}

static int tokens_read(const struct linux_view *v, const struct kallsyms *k, struct tokens *t)
{
	u64 room = k->index > k->tokens ? k->index - k->tokens : TOKENS_MAX;

	memset(t, 0, sizeof(*t));
	if (view_read(v, k->index, t->index, sizeof(t->index)) ||
	    view_read(v, k->tokens, t->text, min(room, (u64)TOKENS_MAX)))
		return -ENOENT;
	for (unsigned int i = 0; i < TOKENS; i++)
		if (t->index[i] >= TOKENS_MAX)
			return -ENOENT;
	return 0;
}

/* Looking for it */

static bool index_is(const u8 *p)
{
	u16 index[TOKENS];

	/* Nearly everything is something else. */
	if (p[0] || p[1] || !p[2])
		return false;
	memcpy(index, p, sizeof(index));
	for (unsigned int i = 1; i < TOKENS; i++)
		if (index[i] <= index[i - 1] || index[i] - index[i - 1] > 128)
			return false;
	return true;
}

/* The tokens end where the index begins, but for its alignment: each ends with a NUL. */
static bool find_tokens(const struct linux_view *v, struct kallsyms *k)
{
	struct tokens *t = malloc(sizeof(*t));
	bool found = false;
	u16 last;

	if (!t || view_read(v, k->index, t->index, sizeof(t->index))) {
		free(t);
		return false;
	}
	last = t->index[TOKENS - 1];
	for (u64 pad = 0; !found && pad < 256; pad += 8) {
		k->tokens = k->index - ALIGN((u64)last + 2, 8) - pad;
		found = !tokens_read(v, k, t) && strlen(t->text + last) + last + 1 > k->index - k->tokens - 8;
		for (unsigned int i = 1; found && i < TOKENS; i++)
			found = t->index[i] == t->index[i - 1] + strlen(t->text + t->index[i - 1]) + 1;
	}
	free(t);
	return found;
}

/* Pass over @nr names: where the next one begins, or 0. */
static u64 names_skip(struct names *n, u32 nr)
{
	while (nr--) {
		int len = names_length(n);

		if (len <= 0)
			return 0;
		while (len--)
			if (names_byte(n) < 0)
				return 0;
	}
	return n->at - n->len + n->pos;
}

/* Are there @nr names at @at? Then markers follow, which are the offsets of every 256th. */
static bool names_fit(const struct linux_view *v, u64 at, u32 nr, u32 *budget)
{
	struct names n = { .v = v, .at = at, .left = *budget };
	u32 first = min(nr, (u32)MARKER_STEP), marker[2];
	u64 second = names_skip(&n, first), end = second ? names_skip(&n, nr - first) : 0;

	*budget = n.left;
	return end && !view_read(v, ALIGN(end, 8), marker, sizeof(marker)) && !marker[0] && marker[1] == second - at;
}

/* Their number is in front of them: a word of 32 bits, aligned to 64. Backwards, page by page. */
static bool find_names(const struct linux_view *v, struct kallsyms *k, u32 *budget)
{
	u64 first = max(v->map.image, k->tokens - min(k->tokens, (u64)SYMBOLS_TEXT)), page;
	u64 word[PAGE / sizeof(u64)];

	for (page = (k->tokens - 1) & ~(PAGE - 1); page >= first && *budget; page -= PAGE) {
		if (view_read(v, page, word, sizeof(word)))
			return false;
		for (unsigned int i = ARRAY_SIZE(word); i-- > 0;) {
			u64 at = page + i * sizeof(u64);

			if (word[i] < NAMES_MIN || word[i] > SYMBOLS_MAX || at + 8 >= k->tokens ||
			    !names_fit(v, at + 8, word[i], budget))
				continue;
			k->number = at;
			k->names = at + 8;
			return true;
		}
	}
	return false;
}

/* The base is where the image is, or near. */
static bool find_offsets(const struct linux_view *v, struct kallsyms *k)
{
	u64 base, after = k->index + INDEX_BYTES;
	u32 nr;

	if (view_read(v, k->number, &nr, sizeof(nr)))
		return false;
	k->base = k->number - 8;
	k->offsets = k->base - ALIGN(4ULL * nr, 8);
	if (!view_read(v, k->base, &base, sizeof(base)) && base - v->map.image < v->map.image_len)
		return true;
	k->offsets = after;
	k->base = after + ALIGN(4ULL * nr, 8);
	return !view_read(v, k->base, &base, sizeof(base)) && base - v->map.image < v->map.image_len;
}

static bool find_rest(const struct linux_view *v, struct kallsyms *k, u32 *budget)
{
	return find_tokens(v, k) && find_names(v, k, budget) && find_offsets(v, k);
}

static bool kallsyms_search(const struct linux_view *v, struct kallsyms *k)
{
	u8 *buf = malloc(WINDOW);
	unsigned int left = SEARCH_MAX;
	u32 budget = SEARCH_BUDGET;
	bool found = false;

	for (u64 at = 0; buf && !found && left && at < v->map.image_len; at += WINDOW - INDEX_BYTES) {
		u64 len = min((u64)WINDOW, v->map.image_len - at);

		/* Freed parts of the image are holes: their window is passed over. */
		if (view_read(v, v->map.image + at, buf, len))
			continue;
		for (u64 i = 0; !found && left && i + INDEX_BYTES <= len; i += 8) {
			if (!index_is(buf + i))
				continue;
			k->index = v->map.image + at + i;
			found = find_rest(v, k, &budget);
			left--;
		}
	}
	free(buf);
	return found;
}

static bool kallsyms_by_note(const struct linux_view *v, struct kallsyms *k)
{
	return view_number(v, "SYMBOL(kallsyms_names)", 16, &k->names) &&
	       view_number(v, "SYMBOL(kallsyms_num_syms)", 16, &k->number) &&
	       view_number(v, "SYMBOL(kallsyms_token_table)", 16, &k->tokens) &&
	       view_number(v, "SYMBOL(kallsyms_token_index)", 16, &k->index) &&
	       view_number(v, "SYMBOL(kallsyms_offsets)", 16, &k->offsets) &&
	       view_number(v, "SYMBOL(kallsyms_relative_base)", 16, &k->base);
}

/* Reading it */

/*
 * With CONFIG_KALLSYMS_ABSOLUTE_PERCPU (before 6.15) those of per-CPU data are positive
 * values, and all others negative ones that begin at -1.
 */
static u64 kallsyms_addr(u64 base, s32 offset, bool per_cpu)
{
	if (!per_cpu)
		return base + (u32)offset;
	return offset >= 0 ? (u64)offset : base - 1 - offset;
}

static int kallsyms_add(const struct linux_view *v, const struct kallsyms *k, const struct tokens *t, u32 nr,
			struct symbols *s)
{
	struct names *n = calloc(2, sizeof(*n)), *offsets = n + 1;
	char name[SYMBOL_NAME_MAX];
	u64 base = 0;
	s32 last;
	int ret = n ? 0 : -ENOMEM;

	if (!ret && (view_read(v, k->base, &base, sizeof(base)) ||
		     view_read(v, k->offsets + 4 * (nr - 1ULL), &last, sizeof(last))))
		ret = -ENOENT;
	if (!ret) {
		*n = (struct names) { .v = v, .at = k->names, .left = SYMBOLS_TEXT };
		*offsets = (struct names) { .v = v, .at = k->offsets, .left = SYMBOLS_TEXT };
	}
	for (u32 i = 0; !ret && i < nr; i++) {
		s32 offset = 0;

		for (unsigned int byte = 0; byte < 4; byte++)
			offset |= (u32)names_byte(offsets) << (8 * byte);
		if (!offsets->len || names_next(n, t, name) < 1)
			ret = -ENOENT;
		else
			ret = symbols_add(s, kallsyms_addr(base, offset, last < 0), name[0], name + 1);
	}
	free(n);
	return ret;
}

int kallsyms_read(const struct linux_view *v, struct symbols *s)
{
	struct tokens *t;
	struct kallsyms k;
	u32 nr = 0;
	int ret;

	if (!v->found || (!kallsyms_by_note(v, &k) && !kallsyms_search(v, &k)))
		return -ENOENT;
	t = malloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	ret = tokens_read(v, &k, t);
	if (!ret && (view_read(v, k.number, &nr, sizeof(nr)) || !nr || nr > SYMBOLS_MAX))
		ret = -ENOENT;
	if (!ret)
		ret = kallsyms_add(v, &k, t, nr, s);
	free(t);
	if (ret) {
		symbols_free(s);
		return ret == -ENOMEM ? ret : -ENOENT;
	}
	symbols_sort(s);
	return 0;
}
