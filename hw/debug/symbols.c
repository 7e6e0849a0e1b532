// SPDX-License-Identifier: GPL-2.0
/* See symbols.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "symbols.h"

static int symbols_grow(void **p, size_t size, u32 *room, u32 need, u32 most)
{
	u32 want = max(*room ? 2 * *room : 4096, need);
	void *grown;

	if (need <= *room)
		return 0;
	if (need > most)
		return -E2BIG;
	want = min(want, most);
	grown = reallocarray(*p, want, size);
	if (!grown)
		return -ENOMEM;
	*p = grown;
	*room = want;
	return 0;
}

int symbols_add(struct symbols *s, u64 addr, char type, const char *name)
{
	size_t len = strnlen(name, SYMBOL_NAME_MAX - 1);
	int ret = symbols_grow((void **)&s->sym, sizeof(*s->sym), &s->room, s->nr + 1, SYMBOLS_MAX);

	if (!ret)
		ret = symbols_grow((void **)&s->text, 1, &s->text_room, s->text_len + len + 1, SYMBOLS_TEXT);
	if (ret)
		return ret;
	s->sym[s->nr++] = (struct symbol) { addr, s->text_len, type };
	/* It may end up on the user's terminal. */
	for (size_t i = 0; i < len; i++)
		s->text[s->text_len++] = isgraph((unsigned char)name[i]) ? name[i] : '.';
	s->text[s->text_len++] = '\0';
	return 0;
}

static bool symbol_before(const struct symbol *a, const struct symbol *b)
{
	return a->addr != b->addr ? a->addr < b->addr : a->name < b->name;
}

/* Let @sym sink from place @i of the heap of @nr. */
static void symbols_sink(struct symbol *heap, unsigned int i, unsigned int nr, struct symbol sym)
{
	unsigned int child;

	for (; (child = 2 * i + 1) < nr; i = child) {
		if (child + 1 < nr && symbol_before(&heap[child], &heap[child + 1]))
			child++;
		if (!symbol_before(&sym, &heap[child]))
			break;
		heap[i] = heap[child];
	}
	heap[i] = sym;
}

/* A heap sort: qsort() of the C library asks the system how much memory there is. */
void symbols_sort(struct symbols *s)
{
	for (unsigned int i = s->nr / 2; i-- > 0;)
		symbols_sink(s->sym, i, s->nr, s->sym[i]);
	for (unsigned int nr = s->nr; nr > 1; nr--) {
		struct symbol last = s->sym[nr - 1];

		s->sym[nr - 1] = s->sym[0];
		symbols_sink(s->sym, 0, nr - 1, last);
	}
}

void symbols_free(struct symbols *s)
{
	free(s->sym);
	free(s->text);
	*s = (struct symbols) { .nr = 0 };
}

static bool symbol_is_code(const struct symbol *sym)
{
	return strchr("tTwW", sym->type) && sym->type;
}

const struct symbol *symbols_at(const struct symbols *s, u64 addr, u64 *size)
{
	unsigned int low = 0, high = s->nr, next;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (s->sym[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	next = low;
	while (low && !symbol_is_code(&s->sym[low - 1]))
		low--;
	if (!low)
		return NULL;
	/* Of several names the first one counts, as in Linux. */
	for (low--; low && s->sym[low - 1].addr == s->sym[low].addr && symbol_is_code(&s->sym[low - 1]); low--)
		;
	*size = next < s->nr ? s->sym[next].addr - s->sym[low].addr : 0;
	return &s->sym[low];
}

bool symbols_find(const struct symbols *s, const char *name, u64 *addr)
{
	for (unsigned int i = 0; i < s->nr; i++) {
		if (strcmp(s->text + s->sym[i].name, name))
			continue;
		*addr = s->sym[i].addr;
		return true;
	}
	return false;
}

const char *symbol_name(const struct symbols *s, const struct symbol *sym)
{
	return s->text + sym->name;
}
