/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Filters of system calls, written as tables (Linux: seccomp(2),
 * Documentation/userspace-api/seccomp_filter.rst). A table lists the calls that
 * a thread may make; the kernel stops the thread at every other one.
 *
 *	static const struct seccomp_rule rules[] = {
 *		SECCOMP_CALL(read),
 *		SECCOMP_EQ(ioctl, 1, KVM_RUN),
 *		SECCOMP_CLEAR(mmap, 2, PROT_EXEC),
 *		SECCOMP_END
 *	};
 *
 * Several rules for one call are alternatives. Conditions look at the low 32 bits
 * of an argument, which is all that the kernel reads of those worth a condition.
 */
#ifndef KVM_SECCOMP_H
#define KVM_SECCOMP_H

#include <stdio.h>
#include <sys/syscall.h>

#include <kvm/types.h>

struct seccomp_rule {
	const char *name;	/* of the call; NULL ends a table */
	int nr;
	u8 arg;			/* index of the argument of the condition */
	u32 mask;		/* (argument & mask) == value; mask 0: no condition */
	u32 value;
	int err;		/* not 0: the call is not made, and returns this errno */
	const char *what;	/* of the condition, for people: "KVM_RUN"; NULL: there is none */
};

#define SECCOMP_CALL(call)		{ .name = #call, .nr = __NR_##call }
#define SECCOMP_EQ(call, n, val) \
	{ .name = #call, .nr = __NR_##call, .arg = (n), .mask = ~0U, .value = (u32)(val), .what = #val }
/* The bits @bits of the argument are clear. */
#define SECCOMP_CLEAR(call, n, bits) \
	{ .name = #call, .nr = __NR_##call, .arg = (n), .mask = (u32)(bits), .what = "no " #bits }
/* Of the bits @bits the bits @val are set and the others clear. */
#define SECCOMP_BITS(call, n, bits, val) \
	{ .name = #call, .nr = __NR_##call, .arg = (n), .mask = (u32)(bits), .value = (u32)(val), .what = #val }
#define SECCOMP_ERRNO(call, errno)	{ .name = #call, .nr = __NR_##call, .err = (errno), .what = "or " #errno }
#define SECCOMP_END			{ .name = NULL }

/* The consequence of a call that no rule allows. */
enum seccomp_deny {
	SECCOMP_DENY_TRAP,	/* the thread gets SIGSYS, see seccomp_trap() */
	SECCOMP_DENY_NOTIFY,	/* a supervisor is asked: see seccomp_supervise() */
};

struct seccomp_filter;

/*
 * Compile the rules of @nr_tables tables into one filter for calls of the ABI @arch
 * (AUDIT_ARCH_*), which the caller frees by seccomp_filter_free(). Calls are tried in
 * the order of the tables. 0, -ENOMEM, or -E2BIG: more instructions than the kernel takes.
 */
int seccomp_filter_new(struct seccomp_filter **out, u32 arch, const struct seccomp_rule *const *tables,
		       unsigned int nr_tables, enum seccomp_deny deny);
void seccomp_filter_free(struct seccomp_filter *f);
/* Instructions of the filter. */
unsigned int seccomp_filter_len(const struct seccomp_filter *f);
/* Calls that @tables allow, each counted once. */
unsigned int seccomp_count(const struct seccomp_rule *const *tables, unsigned int nr_tables);

/* Does the host's kernel filter system calls, with that consequence? */
bool seccomp_available(enum seccomp_deny deny);

/*
 * Put the calling thread under @f for good; threads that it creates inherit it. The
 * thread has no_new_privs set (prctl(2)) or CAP_SYS_ADMIN. Returns 0, or with
 * SECCOMP_DENY_NOTIFY the descriptor for seccomp_supervise(), or -errno: -EINVAL
 * where the kernel has no filters.
 */
int seccomp_enter(const struct seccomp_filter *f);

/* The filter run on a call, for tests and --confine show: 0: allowed, > 0: that errno, -EACCES: denied. */
int seccomp_try(const struct seccomp_filter *f, int nr, const u64 args[6]);

/* "openat", or NULL for a number that this build does not know. */
const char *seccomp_call_name(int nr);

#endif
