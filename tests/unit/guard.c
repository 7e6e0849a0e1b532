// SPDX-License-Identifier: GPL-2.0
/* Mappings with a page on each side that nothing may touch. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm/guard.h>
#include <kvm/memory.h>
#include <kvm/undo.h>

#include "tap.h"

static int touch(volatile char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		*p = 1;
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void check_guarded(char *p, size_t len)
{
	CHECK_EQ(touch(p), 0);
	CHECK_EQ(touch(p + len - 1), 0);
	CHECK_EQ(touch(p - 1), -SIGSEGV);
	CHECK_EQ(touch(p - guard_size()), -SIGSEGV);
	CHECK_EQ(touch(p + len), -SIGSEGV);
	CHECK_EQ(touch(p + len + guard_size() - 1), -SIGSEGV);
}

TEST(a_mapping_has_guards)
{
	size_t page = guard_size(), len;
	char *p;

	for (len = page; len <= 3 * page; len += page) {
		p = guard_map(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		CHECK(p != MAP_FAILED);
		check_guarded(p, len);
		guard_unmap(p, len);
		/* Nothing is left there. */
		CHECK(madvise(p - page, len + 2 * page, MADV_NORMAL) < 0 && errno == ENOMEM);
	}
	CHECK(guard_map(0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1) == MAP_FAILED);
	CHECK(guard_map(~0UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1) == MAP_FAILED);
	CHECK(guard_map(page, PROT_READ, MAP_SHARED, -1) == MAP_FAILED && errno == EBADF);
	guard_unmap(NULL, page);
}

TEST(guest_memory_has_guards)
{
	const u64 len = 4 << 20;
	struct mem mem = { 0 };
	struct undo undo;
	void __guest *g;

	undo_init(&undo);
	CHECK_EQ(mem_add(&mem, &undo, 0x200000, len), 0);
	g = mem_map(&mem, 0x200000, len);
	CHECK(g);
	check_guarded((char *)(unsigned long)g, len);
	undo_run(&undo);
}
