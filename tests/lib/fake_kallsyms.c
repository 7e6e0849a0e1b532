// SPDX-License-Identifier: GPL-2.0
/* A kernel's table of symbols, ORC's tables and BTF in a fake Linux: see fake_linux.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "fake_linux.h"

#define SYMBOLS		1300
#define TOKEN_FN	1		/* stands for "fn_" */

/* What is written, one part behind the other. */
struct table {
	u8 buf[256 * 1024];
	size_t len;
};

static void put(struct table *t, const void *p, size_t len)
{
	must(t->len + len <= sizeof(t->buf));
	memcpy(t->buf + t->len, p, len);
	t->len += len;
}

static void put32(struct table *t, u32 val)
{
	put(t, &val, sizeof(val));
}

static void align(struct table *t, size_t to)
{
	while (t->len % to)
		put(t, "", 1);
}

/* Symbols by rising address: functions of 16 bytes, then those with a meaning. */
static u64 symbol_at(unsigned int i, char name[64])
{
	static const struct {
		const char *name;
		u64 addr;
	} special[] = {
		{ "T_stext", FAKE_IMAGE }, { "T_etext", FAKE_IMAGE + FAKE_TEXT_LEN },
		{ "D__start_orc_unwind_ip", FAKE_ORC_IP },
		{ "D__stop_orc_unwind_ip", FAKE_ORC_IP + 4 * FAKE_ORCS },
		{ "D__start_orc_unwind", FAKE_ORC }, { "D__start_BTF", FAKE_BTF },
		{ "D__stop_BTF", FAKE_BTF + FAKE_BTF_LEN }, { "Dinit_task", FAKE_TASK },
		{ "Dmodules", FAKE_MODULES },
	};

	if (i < ARRAY_SIZE(special)) {
		strcpy(name, special[i].name);
		return special[i].addr;
	}
	snprintf(name, 64, "t\1%u", i);
	return FAKE_IMAGE + 0x1000 + 16 * i;
}

static void put_names(struct table *t, u32 markers[16])
{
	size_t begin = t->len;
	char name[64];

	for (unsigned int i = 0; i < SYMBOLS; i++) {
		u8 len;

		if (i % 256 == 0)
			markers[i / 256] = t->len - begin;
		symbol_at(i, name);
		len = strlen(name);
		put(t, &len, 1);
		put(t, name, len);
	}
}

static void put_tokens(struct table *t, struct fake_parts *parts)
{
	u16 index[256];
	char text[8];

	parts->tokens = FAKE_KALLSYMS + t->len;
	for (unsigned int i = 0; i < 256; i++) {
		size_t begin = parts->tokens - FAKE_KALLSYMS;

		index[i] = t->len - begin;
		snprintf(text, sizeof(text), i == TOKEN_FN ? "fn_" : i < ' ' || i > 126 ? "%02x" : "%c", i);
		put(t, text, strlen(text) + 1);
	}
	align(t, 8);
	parts->index = FAKE_KALLSYMS + t->len;
	put(t, index, sizeof(index));
}

static void put_offsets(struct table *t, struct fake_parts *parts, bool old)
{
	u64 base = FAKE_IMAGE;
	char name[64];

	align(t, 8);
	parts->offsets = FAKE_KALLSYMS + t->len;
	for (unsigned int i = 0; i < SYMBOLS; i++) {
		u64 offset = symbol_at(i, name) - base;

		put32(t, old ? -1 - offset : offset);
	}
	align(t, 8);
	parts->base = FAKE_KALLSYMS + t->len;
	put(t, &base, sizeof(base));
}

void fake_kallsyms(struct vm *vm, bool old, struct fake_parts *parts)
{
	struct table *t = calloc(1, sizeof(*t));
	u32 markers[16] = { 0 }, number = SYMBOLS;

	must(t);
	put(t, "rodata..", 8);
	if (old)
		put_offsets(t, parts, true);
	parts->number = FAKE_KALLSYMS + t->len;
	put32(t, number);
	align(t, 8);
	parts->names = FAKE_KALLSYMS + t->len;
	put_names(t, markers);
	align(t, 8);
	put(t, markers, 4 * ((SYMBOLS + 255) / 256));
	align(t, 8);
	/* The order of the names, which nobody reads. */
	for (unsigned int i = 0; !old && i < SYMBOLS; i++)
		put(t, "\1\2\3", 3);
	align(t, 8);
	put_tokens(t, parts);
	if (!old)
		put_offsets(t, parts, false);
	parts->len = t->len;
	fake_write(vm, FAKE_KALLSYMS, t->buf, t->len);
	free(t);
}

void fake_kallsyms_note(struct vm *vm, const struct fake_parts *parts)
{
	char text[1024];

	snprintf(text, sizeof(text), "SYMBOL(kallsyms_names)=%llx\nSYMBOL(kallsyms_num_syms)=%llx\n"
		 "SYMBOL(kallsyms_token_table)=%llx\nSYMBOL(kallsyms_token_index)=%llx\n"
		 "SYMBOL(kallsyms_offsets)=%llx\nSYMBOL(kallsyms_relative_base)=%llx\n",
		 (unsigned long long)parts->names, (unsigned long long)parts->number,
		 (unsigned long long)parts->tokens, (unsigned long long)parts->index,
		 (unsigned long long)parts->offsets, (unsigned long long)parts->base);
	fake_note(vm, text);
}

void fake_orc(struct vm *vm, bool old)
{
	/* By their functions: 16 bytes of code each, the stack grows by 8 with each. */
	for (u32 i = 0; i < FAKE_ORCS; i++) {
		s32 offset = FAKE_IMAGE + 0x1000 + 16 * i - (FAKE_ORC_IP + 4 * i);
		u8 entry[6] = { 16, 0, 0, 0, 5, old ? 0 : 2 };

		if (i == 20) {
			entry[4] = 4 | 1 << 4;		/* from the frame pointer, which is saved */
			entry[2] = entry[3] = 0xff;
			entry[2] = 0xf0;
		}
		if (i == 30)
			entry[0] = 0, entry[5] = old ? 1 : 3;	/* an exception's registers */
		if (i == 40)
			entry[4] = 0, entry[5] = old ? 0 : 1;	/* the first function */
		fake_write(vm, FAKE_ORC_IP + 4 * i, &offset, 4);
		fake_write(vm, FAKE_ORC + 6 * i, entry, 6);
	}
}
