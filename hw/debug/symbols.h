/* SPDX-License-Identifier: GPL-2.0 */
/* Names of addresses: a table that is filled, sorted, and then asked. */
#ifndef HW_DEBUG_SYMBOLS_H
#define HW_DEBUG_SYMBOLS_H

#include <kvm/types.h>

#define SYMBOL_NAME_MAX	512		/* bytes with the NUL; a longer name is cut */
#define SYMBOLS_MAX	(2u << 20)	/* of a table */
#define SYMBOLS_TEXT	(64u << 20)	/* bytes of all its names */

struct symbol {
	u64 addr;
	u32 name;			/* where in the text */
	char type;			/* as nm(1) says it */
};

struct symbols {
	struct symbol *sym;		/* by rising address, once sorted */
	unsigned int nr, room;
	char *text;
	u32 text_len, text_room;
};

/* 0, -ENOMEM, -E2BIG. Control characters in @name become dots. */
int symbols_add(struct symbols *s, u64 addr, char type, const char *name);
void symbols_sort(struct symbols *s);
void symbols_free(struct symbols *s);

/* The last symbol of code at or below @addr, or NULL; *@size: bytes to the next one, 0: there is none. */
const struct symbol *symbols_at(const struct symbols *s, u64 addr, u64 *size);
/* By its name: false if there is none. Of several the first by address. */
bool symbols_find(const struct symbols *s, const char *name, u64 *addr);
const char *symbol_name(const struct symbols *s, const struct symbol *sym);

#endif
