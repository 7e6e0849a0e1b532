// SPDX-License-Identifier: GPL-2.0
/* Reports of a kernel: told apart, and the same line for the same trouble. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../builtin/session/splat.h"
#include "tap.h"

static struct splats s;
static char text[SPLAT_TEXT_MAX];

static void feed(const char *log)
{
	char *copy = strdup(log), *line, *next;

	memset(&s, 0, sizeof(s));
	for (line = copy; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		splats_line(&s, line);
	}
	free(copy);
}

static const char *first(enum session_fault class)
{
	splat_text(&s.of[class], text);
	return text;
}

static void only(enum session_fault class)
{
	for (unsigned int i = 0; i < FAULT_CLASSES; i++)
		CHECK_EQ(s.of[i].count, i == class);
}

#define REPORT(time, cpu, addr, off)							\
	"[" time "] BUG: kernel NULL pointer dereference, address: " addr "\n"		\
	"[" time "] #PF: supervisor write access in kernel mode\n"			\
	"[" time "] Oops: 0002 [#1] PREEMPT SMP NOPTI\n"					\
	"[" time "] CPU: " cpu " PID: 99" cpu " Comm: test" cpu " Not tainted 6.1.0 #1\n"	\
	"[" time "] RIP: 0010:do_foo.isra.0+0x" off "/0x40 [foo]\n"			\
	"[" time "] Call Trace:\n"							\
	"[" time "]  <TASK>\n"								\
	"[" time "]  ? __die_body.cold+0x1a/0x1f\n"					\
	"[" time "]  exc_page_fault+0x70/0x170\n"					\
	"[" time "]  foo_write+0x" off "/0x80 [foo]\n"					\
	"[" time "]  vfs_write+0xc7/0x3f0\n"						\
	"[" time "]  ksys_write+0x6b/0xf0\n"						\
	"[" time "]  do_syscall_64+0x5d/0xb0\n"						\
	"[" time "]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n"				\
	"[" time "] ---[ end trace 0000000000000000 ]---\n"

TEST(the_same_oops_is_the_same_line)
{
	char once[SPLAT_TEXT_MAX];

	feed(REPORT("   11.353714", "0", "0000000000000000", "12"));
	only(FAULT_OOPS);
	CHECK_STR(first(FAULT_OOPS),
		  "kernel NULL pointer dereference in do_foo: foo_write < vfs_write < ksys_write < do_syscall_64");
	strcpy(once, text);
	feed(REPORT("  999.000001", "3", "ffff888012345678", "1c"));
	CHECK_STR(first(FAULT_OOPS), once);
}

TEST(a_panic_after_it_does_not_hide_it)
{
	feed(REPORT("    1.000000", "0", "0", "1")
	     "[    1.1] Kernel panic - not syncing: Fatal exception\n"
	     "[    1.1] ---[ end Kernel panic - not syncing: Fatal exception ]---\n");
	CHECK_EQ(s.of[FAULT_OOPS].count, 1);
	CHECK_STR(first(FAULT_PANIC), "Kernel panic - not syncing: Fatal exception");
}

TEST(a_panic_by_hand)
{
	feed("[   11.353714] Kernel panic - not syncing: sysrq triggered crash\n"
	     "[   11.353714] CPU: 0 PID: 83 Comm: sh Not tainted 6.1.0-56-amd64 #1\n"
	     "[   11.353714] Call Trace:\n[   11.353714]  <TASK>\n[   11.353714]  dump_stack_lvl+0x49/0x5c\n"
	     "[   11.353714]  panic+0x118/0x2f4\n[   11.353714]  sysrq_handle_crash+0x16/0x20\n"
	     "[   11.353714]  __handle_sysrq.cold+0x44/0x11c\n");
	only(FAULT_PANIC);
	CHECK_STR(first(FAULT_PANIC),
		  "Kernel panic - not syncing: sysrq triggered crash: sysrq_handle_crash < __handle_sysrq");
}

TEST(kasan)
{
	feed("[    3.1] ==================================================================\n"
	     "[    3.1] BUG: KASAN: slab-out-of-bounds in foo_copy+0x1c/0x30 [foo]\n"
	     "[    3.1] Write of size 1 at addr ffff88800abcdef0 by task sh/83\n"
	     "[    3.1] Call Trace:\n[    3.1]  dump_stack_lvl+0x34/0x48\n[    3.1]  print_report+0x1/0x2\n"
	     "[    3.1]  kasan_report+0x1/0x2\n[    3.1]  foo_copy+0x1c/0x30 [foo]\n[    3.1]  foo_ioctl+0x10/0x20 [foo]\n");
	only(FAULT_OOPS);
	CHECK_STR(first(FAULT_OOPS), "KASAN: slab-out-of-bounds in foo_copy: foo_copy < foo_ioctl");
}

TEST(warnings)
{
	feed("[    3.1] ------------[ cut here ]------------\n"
	     "[    3.1] WARNING: CPU: 2 PID: 17 at fs/foo.c:123 foo_evict+0x20/0x40 [foo]\n"
	     "[    3.1] Call Trace:\n[    3.1]  evict+0xd1/0x1a0\n[    3.1] ---[ end trace 0 ]---\n"
	     "[    3.2] WARNING: CPU: 1 PID: 18 at fs/bar.c:9 bar+0x20/0x40\n");
	CHECK_EQ(s.of[FAULT_WARN].count, 2);
	CHECK_STR(first(FAULT_WARN), "WARNING at fs/foo.c:123 in foo_evict: evict");
}

TEST(the_other_kinds)
{
	feed("[    1.0] UBSAN: array-index-out-of-bounds in drivers/foo.c:12:3\n");
	only(FAULT_UBSAN);
	CHECK_STR(first(FAULT_UBSAN), "UBSAN: array-index-out-of-bounds in drivers/foo.c:12:3");
	feed("[    1.0] WARNING: possible circular locking dependency detected\n");
	only(FAULT_LOCKDEP);
	CHECK_STR(first(FAULT_LOCKDEP), "possible circular locking dependency detected");
	feed("[    1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n");
	only(FAULT_RCU);
	feed("[  241.0] INFO: task foo:83 blocked for more than 120 seconds.\n"
	     "[  241.0]       Not tainted 6.1.0 #1\n[  241.0] Call Trace:\n[  241.0]  __schedule+0x34d/0xa00\n"
	     "[  241.0]  schedule+0x5a/0xd0\n[  241.0]  foo_wait+0x1/0x2\n");
	only(FAULT_HUNG);
	CHECK_STR(first(FAULT_HUNG), "hung task: foo_wait");
	feed("[   26.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:83]\n"
	     "[   26.0] RIP: 0010:foo_spin+0x5/0x10\n");
	only(FAULT_LOCKUP);
	CHECK_STR(first(FAULT_LOCKUP), "soft lockup in foo_spin");
	feed("[    1.0] BUG: sleeping function called from invalid context at mm/slab.h:512\n");
	CHECK_STR(first(FAULT_OOPS), "sleeping function called from invalid context at mm/slab.h:512");
	feed("[    1.0] kernel BUG at fs/foo.c:99!\n[    1.0] invalid opcode: 0000 [#1] SMP\n");
	only(FAULT_OOPS);
	CHECK_STR(first(FAULT_OOPS), "kernel BUG at fs/foo.c:99");
	feed("[    1.0] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP\n");
	CHECK_STR(first(FAULT_OOPS), "general protection fault");
}

TEST(plain_lines_are_none)
{
	feed("[    1.0] traps: foo[12] general protection fault ip:1 sp:2 error:0 in foo[1+1]\n"
	     "[    1.0] foo: DEBUG: all is well\n[    1.0] Call Trace:\n  foo+0x1/0x2\n[\n[ \n[[[]\n");
	for (unsigned int i = 0; i < FAULT_CLASSES; i++)
		CHECK_EQ(s.of[i].count, 0);
	CHECK_STR(first(FAULT_OOPS), "");
}

TEST(long_lines_are_cut)
{
	char log[4000] = "BUG: ";

	memset(log + 5, 'x', 3000);
	strcpy(log + 3005, "\nRIP: 0010:");
	memset(log + 3016, 'y', 500);
	strcpy(log + 3516, "+0x1/0x2\nCall Trace:\n zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz+0x1/0x2\n");
	feed(log);
	CHECK(strlen(first(FAULT_OOPS)) < SPLAT_TEXT_MAX);
	CHECK_EQ(s.of[FAULT_OOPS].count, 1);
}
