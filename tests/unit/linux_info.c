// SPDX-License-Identifier: GPL-2.0
/* A Linux kernel in guest memory: its symbols, its stacks, its tasks; and memory that lies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/memory.h>

#include "../../hw/debug/kallsyms.h"
#include "../../hw/debug/linux_info.h"
#include "../../hw/debug/linux_tasks.h"
#include "fake_linux.h"
#include "tap.h"

#define STACK	(FAKE_IMAGE + 6 * MIB)
#define FN(i)	(FAKE_IMAGE + 0x1000 + 16 * (i))

static struct vm vm;
static struct fake_parts parts;
static struct linux_view view;
static struct symbols symbols;
static struct linux_info info;

static int read_symbols(void)
{
	int ret;

	symbols_free(&symbols);
	CHECK_EQ(view_open(&view, &vm), 0);
	ret = kallsyms_read(&view, &symbols);
	view_close(&view);
	return ret;
}

static void check_symbols(void)
{
	const struct symbol *sym;
	u64 addr, size;

	CHECK_EQ(symbols.nr, 1300);
	CHECK(symbols_find(&symbols, "_stext", &addr));
	CHECK_EQ(addr, FAKE_IMAGE);
	sym = symbols_at(&symbols, FN(700) + 5, &size);
	CHECK(sym && !strcmp(symbol_name(&symbols, sym), "fn_700"));
	CHECK_EQ(sym->addr, FN(700));
	CHECK_EQ(size, 16);
	CHECK(!symbols_at(&symbols, FAKE_IMAGE - 1, &size));
}

TEST(symbols_by_vmcoreinfo)
{
	for (int old = 0; old < 2; old++) {
		fake_linux(&vm);
		fake_kallsyms(&vm, old, &parts);
		fake_kallsyms_note(&vm, &parts);
		CHECK_EQ(read_symbols(), 0);
		check_symbols();
		fake_linux_free(&vm);
	}
}

TEST(symbols_are_found_without_it)
{
	for (int old = 0; old < 2; old++) {
		fake_linux(&vm);
		fake_kallsyms(&vm, old, &parts);
		CHECK_EQ(read_symbols(), 0);
		check_symbols();
		fake_linux_free(&vm);
	}
}

TEST(no_symbols_are_no_error_of_ours)
{
	fake_linux(&vm);
	CHECK_EQ(read_symbols(), -ENOENT);
	fake_linux_free(&vm);
}

/* The part at @at has that word: the table is refused or read, and that ends. */
static void spoil(u64 at, u64 word, size_t len)
{
	int ret;

	fake_linux(&vm);
	fake_kallsyms(&vm, true, &parts);
	fake_kallsyms_note(&vm, &parts);
	fake_write(&vm, at, &word, len);
	ret = read_symbols();
	CHECK(!ret || ret == -ENOENT);
	fake_linux_free(&vm);
}

TEST(a_table_of_symbols_may_lie)
{
	static const u64 words[] = { 0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, ~0ULL };

	fake_linux(&vm);
	fake_kallsyms(&vm, true, &parts);
	fake_linux_free(&vm);
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		spoil(parts.number, words[i], 4);
		spoil(parts.names, words[i], 1);
		spoil(parts.names + 1000, words[i], 8);
		spoil(parts.tokens, words[i], 8);
		spoil(parts.index + 100, words[i], 2);
		spoil(parts.base, words[i], 8);
		spoil(parts.offsets + 4, words[i], 4);
	}
}

TEST(control_characters_do_not_reach_the_terminal)
{
	struct symbols s = { .nr = 0 };

	CHECK_EQ(symbols_add(&s, 1, 't', "a\033[2Jb"), 0);
	CHECK(!strcmp(symbol_name(&s, &s.sym[0]), "a.[2Jb"));
	symbols_free(&s);
}

/* The stack */

static void word(unsigned int i, u64 val)
{
	fake_write(&vm, STACK + 8 * i, &val, 8);
}

static void open_info(bool old)
{
	fake_linux(&vm);
	fake_kallsyms(&vm, old, &parts);
	fake_orc(&vm, old);
	CHECK_EQ(info_open(&info, &vm), 0);
}

static void close_info(void)
{
	info_close(&info);
	fake_linux_free(&vm);
}

static void step(struct arch_frame *f, const char *name)
{
	char text[INFO_NAME_MAX];

	CHECK_EQ(arch_unwind(&info.unwind, f), 0);
	info_name(&info, f->ip, text, sizeof(text));
	CHECK_STR(text, name);
}

TEST(callers_by_orc)
{
	for (int old = 0; old < 2; old++) {
		struct arch_frame f = { .ip = FN(10), .sp = STACK, .exact = true, .kernel = true };

		open_info(old);
		word(1, FN(11) + 4);		/* of fn_10 */
		word(3, FN(20) + 4);		/* of fn_11 */
		/* fn_20 counts from its frame pointer, which is 16 bytes below */
		f.fp = STACK + 8 * 10;
		word(10, 0x1234);
		word(11, FN(30));
		step(&f, "fn_11+0x4/0x10");
		step(&f, "fn_20+0x4/0x10");
		step(&f, "fn_30+0x0/0x10");
		CHECK_EQ(f.fp, 0x1234);
		CHECK_EQ(f.sp, STACK + 8 * 12);
		CHECK(!f.guess);
		close_info();
	}
}

TEST(an_exception_and_the_end)
{
	struct arch_frame f = { .ip = FN(30) + 1, .sp = STACK, .exact = true, .kernel = true };

	open_info(false);
	word(4, 0x77);			/* rbp */
	word(16, FN(40) + 1);
	word(17, 0x10);
	word(19, STACK + 0x800);
	step(&f, "fn_40+0x1/0x10");
	CHECK(f.exact && f.full);
	CHECK_EQ(f.sp, STACK + 0x800);
	CHECK_EQ(arch_unwind(&info.unwind, &f), -ENOENT);
	/* From a program */
	f = (struct arch_frame) { .ip = FN(30) + 1, .sp = STACK, .exact = true, .kernel = true };
	word(17, 0x33);
	CHECK_EQ(arch_unwind(&info.unwind, &f), -ENOENT);
	CHECK(!f.kernel);
	close_info();
}

TEST(callers_without_tables)
{
	struct arch_frame f = { .ip = FN(10), .sp = STACK, .fp = STACK + 16, .kernel = true };

	open_info(true);
	info.tables.nr = 0;
	word(2, STACK + 64);
	word(3, FN(50) + 1);
	step(&f, "fn_50+0x1/0x10");
	CHECK(!f.guess);
	/* The frame pointer is something else: what looks like a return address is shown as a guess. */
	f.fp = 5;
	word(9, FN(60) + 2);
	step(&f, "fn_60+0x2/0x10");
	CHECK(f.guess);
	close_info();
}

TEST(a_stack_that_leads_to_itself_ends)
{
	struct arch_frame f = { .ip = ~0ULL, .sp = ~7ULL, .fp = ~0ULL, .kernel = true };

	open_info(true);
	CHECK_EQ(arch_unwind(&info.unwind, &f), -ENOENT);
	/* Each step of a hostile stack is one. */
	f = (struct arch_frame) { .ip = FN(20), .sp = STACK, .fp = STACK, .kernel = true, .exact = true };
	word(0, STACK);
	word(1, FN(20));
	for (int i = 0; i < 100 && !arch_unwind(&info.unwind, &f); i++)
		;
	CHECK_EQ(arch_unwind_task(&info.unwind, ~0ULL - 8, &f), -EFAULT);
	close_info();
}

TEST(tables_that_lie_are_left)
{
	struct arch_tables lies[] = {
		{ FAKE_ORC_IP, ~0ULL - 4, FAKE_ORCS }, { ~0ULL - 2, FAKE_ORC, ~0u }, { 0, 0, ~0u },
		{ FAKE_ORC, FAKE_ORC_IP, ~0u },
	};

	open_info(true);
	word(1, FN(50) + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		struct arch_frame f = { .ip = FN(10), .sp = STACK, .kernel = true };

		info.tables = lies[i];
		arch_unwind(&info.unwind, &f);
	}
	close_info();
}
