// SPDX-License-Identifier: GPL-2.0
/* Filters of system calls: what tables compile to, and what the kernel makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm/seccomp.h>

#include "tap.h"

#ifdef __x86_64__
#define TEST_ARCH	AUDIT_ARCH_X86_64
#else
#define TEST_ARCH	AUDIT_ARCH_AARCH64
#endif

static const struct seccomp_rule base_rules[] = {
	SECCOMP_CALL(write),
	SECCOMP_CALL(exit_group),
	SECCOMP_CALL(rt_sigreturn),
	SECCOMP_CALL(sigaltstack),	/* AddressSanitizer at _exit() */
	SECCOMP_END
};

static const struct seccomp_rule more_rules[] = {
	SECCOMP_EQ(ioctl, 1, FIONREAD),
	SECCOMP_EQ(ioctl, 1, TIOCGWINSZ),
	SECCOMP_CLEAR(mmap, 2, PROT_EXEC),
	SECCOMP_BITS(openat, 2, O_ACCMODE | O_CREAT, O_RDONLY),
	SECCOMP_ERRNO(clone3, ENOSYS),
	SECCOMP_EQ(fcntl, 1, F_GETFL),
	SECCOMP_EQ(fcntl, 1, F_SETFL),
	SECCOMP_BITS(fcntl, 2, 0x30, 0x20),
	SECCOMP_ERRNO(fcntl, EPERM),
	{ .name = "prctl", .nr = __NR_prctl, .arg = 0, .mask = ~0U, .value = 5, .err = EPERM },
	SECCOMP_END
};

static const struct seccomp_rule *const tables[] = { base_rules, more_rules };

static int try(const struct seccomp_filter *f, int nr, unsigned int arg, u64 val)
{
	u64 args[6] = { 0 };

	args[arg] = val;
	return seccomp_try(f, nr, args);
}

TEST(tables_become_a_filter)
{
	struct seccomp_filter *f;

	CHECK_EQ(seccomp_filter_new(&f, TEST_ARCH, tables, 2, SECCOMP_DENY_TRAP), 0);
	CHECK_EQ(seccomp_count(tables, 2), 8);
	CHECK_EQ(try(f, __NR_write, 0, 5), 0);
	CHECK_EQ(try(f, __NR_read, 0, 5), -EACCES);
	CHECK_EQ(try(f, __NR_ioctl, 1, FIONREAD), 0);
	CHECK_EQ(try(f, __NR_ioctl, 1, TIOCGWINSZ), 0);
	CHECK_EQ(try(f, __NR_ioctl, 1, TIOCSTI), -EACCES);
	/* The kernel reads 32 bits of a request, and a C library may extend its sign. */
	CHECK_EQ(try(f, __NR_ioctl, 1, 0xffffffff00000000ULL | FIONREAD), 0);
	CHECK_EQ(try(f, __NR_mmap, 2, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(try(f, __NR_mmap, 2, PROT_READ | PROT_EXEC), -EACCES);
	CHECK_EQ(try(f, __NR_openat, 2, O_RDONLY | O_CLOEXEC), 0);
	CHECK_EQ(try(f, __NR_openat, 2, O_RDWR), -EACCES);
	CHECK_EQ(try(f, __NR_openat, 2, O_CREAT), -EACCES);
	CHECK_EQ(try(f, __NR_clone3, 0, 0), ENOSYS);
	/* Several conditions, the last word without one. */
	CHECK_EQ(try(f, __NR_fcntl, 1, F_GETFL), 0);
	CHECK_EQ(try(f, __NR_fcntl, 1, F_SETFL), 0);
	CHECK_EQ(try(f, __NR_fcntl, 2, 0x20), 0);
	CHECK_EQ(try(f, __NR_fcntl, 1, F_SETOWN), EPERM);
	CHECK_EQ(try(f, __NR_prctl, 0, 5), EPERM);
	CHECK_EQ(try(f, __NR_prctl, 0, 6), -EACCES);
	CHECK_EQ(try(f, __NR_write | 0x40000000, 0, 0), -EACCES);	/* x32 */
	CHECK_EQ(try(f, -1, 0, 0), -EACCES);
	seccomp_filter_free(f);
}

TEST(calls_have_names)
{
	CHECK_STR(seccomp_call_name(__NR_openat), "openat");
	CHECK_STR(seccomp_call_name(__NR_exit_group), "exit_group");
	CHECK_STR(seccomp_call_name(-1), NULL);
	CHECK_STR(seccomp_call_name(1 << 20), NULL);
}

/* A call takes its jump over all its rules: too many of them are refused, not cut. */
TEST(too_long_is_refused)
{
	static struct seccomp_rule many[300];
	const struct seccomp_rule *const table[] = { base_rules, many, more_rules };
	struct seccomp_filter *f;
	unsigned int i;

	for (i = 0; i < 240; i++)
		many[i] = (struct seccomp_rule)SECCOMP_EQ(ioctl, 1, i);
	CHECK_EQ(seccomp_filter_new(&f, TEST_ARCH, table, 3, SECCOMP_DENY_TRAP), 0);
	CHECK_EQ(try(f, __NR_ioctl, 1, 239), 0);
	CHECK_EQ(try(f, __NR_ioctl, 1, 240), -EACCES);
	CHECK_EQ(try(f, __NR_ioctl, 1, FIONREAD), 0);
	CHECK_EQ(try(f, __NR_write, 0, 0), 0);
	CHECK_EQ(try(f, __NR_mmap, 2, PROT_EXEC), -EACCES);
	seccomp_filter_free(f);
	for (; i < 299; i++)
		many[i] = (struct seccomp_rule)SECCOMP_EQ(ioctl, 1, i);
	CHECK_EQ(seccomp_filter_new(&f, TEST_ARCH, table, 3, SECCOMP_DENY_TRAP), -E2BIG);
}

/* One call or none is a tree, too; each number is either found or denied. */
TEST(every_number_has_its_answer)
{
	static struct seccomp_rule some[64];
	const struct seccomp_rule *const table[] = { some };
	struct seccomp_filter *f;
	unsigned int n, i;
	int nr;

	for (n = 0; n < 40; n++) {
		memset(some, 0, sizeof(some));
		for (i = 0; i < n; i++)
			some[i] = (struct seccomp_rule){ .name = "some", .nr = (i * 37 + 5) % 400 };
		CHECK_EQ(seccomp_filter_new(&f, TEST_ARCH, table, 1, SECCOMP_DENY_TRAP), 0);
		for (nr = -1; nr < 512; nr++) {
			bool allowed = false;

			for (i = 0; i < n; i++)
				allowed |= some[i].nr == nr;
			CHECK_EQ(try(f, nr, 0, 0), allowed ? 0 : -EACCES);
		}
		seccomp_filter_free(f);
	}
}

static void trapped(int sig, siginfo_t *info, void *context)
{
	_exit(info->si_syscall == __NR_getppid && info->si_code == 1 /* SYS_SECCOMP */ ? 42 : 43);
}

/* The child's exit status after @nr with @arg as its second argument. */
static int child(int nr, long arg)
{
	struct sigaction sa = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };
	struct seccomp_filter *f;
	int status, ret;
	pid_t pid;

	CHECK_EQ(seccomp_filter_new(&f, TEST_ARCH, tables, 2, SECCOMP_DENY_TRAP), 0);
	pid = fork();
	if (!pid) {
		sigaction(SIGSYS, &sa, NULL);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			_exit(90);
		ret = seccomp_enter(f);
		if (ret)
			_exit(ret == -EINVAL || ret == -ENOSYS ? 91 : 92);
		ret = syscall(nr, 1, arg, 0);
		_exit(ret < 0 ? 1 : 0);
	}
	seccomp_filter_free(f);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 91)
		SKIP("this kernel has no filters of system calls");
	return WEXITSTATUS(status);
}

TEST(kernel_traps_what_no_rule_allows)
{
	CHECK_EQ(child(__NR_write, 0), 0);
	CHECK_EQ(child(__NR_getppid, 0), 42);
	CHECK_EQ(child(__NR_ioctl, TIOCSTI), 43);
	CHECK_EQ(child(__NR_clone3, 0), 1);	/* not called, ENOSYS */
}
