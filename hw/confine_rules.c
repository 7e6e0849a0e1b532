// SPDX-License-Identifier: GPL-2.0
/*
 * The system calls that each kind of thread may make, with the arguments that
 * matter. C libraries use different calls. Where glibc and musl, or two versions of one,
 * differ, both calls are here (open and openat, epoll_wait and epoll_pwait).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include <linux/kernel.h>
#include <kvm/arch.h>

#include "confine_rules.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA	0x53564d41	/* Linux 5.17; the C library names its mappings */
#endif

/* musl has other calls for some functions. Its pthread_kill() names no process: Landlock's scope stays. */
static const struct seccomp_rule libc_rules[] = {
#ifndef __GLIBC__
	SECCOMP_CALL(tkill),
#ifdef __NR_lstat
	SECCOMP_CALL(stat),
	SECCOMP_CALL(lstat),
#endif
#endif
	SECCOMP_END
};

/* Every thread: memory, locks, time, its own end. No thread maps code. */
static const struct seccomp_rule common_rules[] = {
	SECCOMP_CALL(read),
	SECCOMP_CALL(write),
	SECCOMP_CALL(writev),
	SECCOMP_CALL(futex),
	SECCOMP_CALL(close),
	SECCOMP_CALL(clock_gettime),
	SECCOMP_CALL(getpid),
	SECCOMP_CALL(gettid),
	SECCOMP_CALL(getrandom),
	SECCOMP_CALL(restart_syscall),
	SECCOMP_CALL(rt_sigprocmask),
	SECCOMP_CALL(rt_sigreturn),
	SECCOMP_CALL(brk),
	SECCOMP_CALL(munmap),
	SECCOMP_CALL(madvise),
	SECCOMP_CLEAR(mmap, 2, PROT_EXEC),
	SECCOMP_CLEAR(mprotect, 2, PROT_EXEC),
	SECCOMP_EQ(prctl, 0, PR_SET_NAME),
	SECCOMP_EQ(prctl, 0, PR_SET_VMA),
	SECCOMP_CALL(exit),
	SECCOMP_CALL(exit_group),
	SECCOMP_END
};

/* The spawner also makes the calls of a new thread before that is under its own filter. */
static const struct seccomp_rule spawner_rules[] = {
	SECCOMP_BITS(clone, 0, CLONE_VM | CLONE_THREAD | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
		     CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, CLONE_VM | CLONE_THREAD),
	SECCOMP_ERRNO(clone3, ENOSYS),		/* its flags are in memory: clone() is asked instead */
	SECCOMP_CALL(set_robust_list),
	SECCOMP_CALL(rseq),
	SECCOMP_CALL(sched_setaffinity),
	SECCOMP_CALL(sched_getaffinity),
	SECCOMP_EQ(seccomp, 0, SECCOMP_SET_MODE_FILTER),
	SECCOMP_CALL(capset),
	SECCOMP_END
};

/* An event loop. */
static const struct seccomp_rule loop_rules[] = {
#ifdef __NR_epoll_wait
	SECCOMP_CALL(epoll_wait),
#endif
	SECCOMP_CALL(epoll_pwait),
	SECCOMP_CALL(epoll_ctl),
	SECCOMP_CALL(readv),
	SECCOMP_CALL(mremap),
	/* Nothing that sends signals or takes leases. */
	SECCOMP_EQ(fcntl, 1, F_DUPFD_CLOEXEC),
	SECCOMP_EQ(fcntl, 1, F_GETFL),
	SECCOMP_EQ(fcntl, 1, F_GETFD),
	SECCOMP_EQ(fcntl, 1, F_SETFD),		/* musl, after it has opened a file close-on-exec */
#ifdef __NR_poll
	SECCOMP_CALL(poll),
#endif
	SECCOMP_CALL(ppoll),
	SECCOMP_END
};

/* Terminals and sockets that are open already. */
static const struct seccomp_rule tty_rules[] = {
	SECCOMP_EQ(ioctl, 1, FIONREAD),
	SECCOMP_EQ(ioctl, 1, TCGETS),
	SECCOMP_EQ(ioctl, 1, TIOCGWINSZ),
	SECCOMP_CALL(recvfrom),
	SECCOMP_CALL(sendto),
	SECCOMP_CALL(recvmsg),
	SECCOMP_CALL(sendmsg),
	SECCOMP_CALL(accept4),
	SECCOMP_CALL(fstat),
	SECCOMP_CALL(newfstatat),
	SECCOMP_END
};

/* Registers: interrupts and doorbells come and go, and a processor's state is printed. */
static const struct seccomp_rule registers_rules[] = {
	SECCOMP_EQ(ioctl, 1, KVM_IRQ_LINE),
	SECCOMP_EQ(ioctl, 1, KVM_SIGNAL_MSI),
	SECCOMP_EQ(ioctl, 1, KVM_IRQFD),
	SECCOMP_EQ(ioctl, 1, KVM_SET_GSI_ROUTING),
	SECCOMP_EQ(ioctl, 1, KVM_IOEVENTFD),
	SECCOMP_EQ(ioctl, 1, KVM_REGISTER_COALESCED_MMIO),
	SECCOMP_EQ(ioctl, 1, KVM_UNREGISTER_COALESCED_MMIO),
	SECCOMP_EQ(ioctl, 1, KVM_SET_USER_MEMORY_REGION),
	SECCOMP_EQ(ioctl, 1, KVM_GET_DIRTY_LOG),
	SECCOMP_EQ(ioctl, 1, KVM_CHECK_EXTENSION),
	SECCOMP_EQ(ioctl, 1, TUNSETQUEUE),
	SECCOMP_CALL(epoll_ctl),
#ifdef __NR_poll
	SECCOMP_CALL(poll),
#endif
	SECCOMP_CALL(ppoll),
	SECCOMP_END
};

static const struct seccomp_rule vcpu_rules[] = {
	SECCOMP_EQ(ioctl, 1, KVM_RUN),
	SECCOMP_END
};

/* A machine is made anew when the guest reboots, from descriptors that are open. */
static const struct seccomp_rule main_rules[] = {
	SECCOMP_EQ(ioctl, 1, KVM_GET_API_VERSION),
	SECCOMP_EQ(ioctl, 1, KVM_CREATE_VM),
	SECCOMP_EQ(ioctl, 1, KVM_CREATE_VCPU),
	SECCOMP_EQ(ioctl, 1, KVM_GET_VCPU_MMAP_SIZE),
	SECCOMP_EQ(ioctl, 1, KVM_ENABLE_CAP),
	SECCOMP_EQ(ioctl, 1, KVM_GET_STATS_FD),
	SECCOMP_EQ(ioctl, 1, TCSETS),
	SECCOMP_EQ(ioctl, 1, TCSETSW),
	SECCOMP_EQ(ioctl, 1, TCSETSF),
	SECCOMP_EQ(ioctl, 1, TIOCGPGRP),
	SECCOMP_EQ(ioctl, 1, TIOCSWINSZ),
	SECCOMP_EQ(ioctl, 1, TIOCGPTN),
	SECCOMP_CALL(signalfd4),
	SECCOMP_CALL(eventfd2),
	SECCOMP_CALL(epoll_create1),
	SECCOMP_CALL(timerfd_create),
	SECCOMP_CALL(timerfd_settime),
	SECCOMP_CALL(pipe2),
	SECCOMP_EQ(socketpair, 0, AF_UNIX),
	SECCOMP_CALL(dup),
	SECCOMP_CALL(dup3),
	SECCOMP_CALL(lseek),
	SECCOMP_CALL(pread64),
	SECCOMP_CALL(preadv),
	SECCOMP_CALL(pwrite64),
	/* The caches of disks: at the end, at a power cut, and before a disk becomes smaller. */
	SECCOMP_CALL(preadv2),
	SECCOMP_CALL(pwritev2),
	SECCOMP_CALL(pwritev),
	SECCOMP_CALL(ftruncate),
	SECCOMP_CALL(fallocate),
	SECCOMP_CALL(memfd_create),		/* RAM of a machine that starts again */
	SECCOMP_EQ(fcntl, 1, F_ADD_SEALS),
	SECCOMP_CALL(fsync),
	SECCOMP_CALL(fdatasync),		/* an image with tables is closed */
	SECCOMP_CALL(getsockopt),
	SECCOMP_CALL(getsockname),
	SECCOMP_CALL(shutdown),
	SECCOMP_CALL(unlinkat),
#ifdef __NR_unlink
	SECCOMP_CALL(unlink),
#endif
	SECCOMP_CALL(getrlimit),
	SECCOMP_EQ(prlimit64, 2, 0),
	SECCOMP_ERRNO(prlimit64, EPERM),	/* limits are what they are */
	SECCOMP_EQ(fcntl, 1, F_OFD_SETLK),	/* disks of a machine that starts again */
	SECCOMP_CALL(geteuid),
	SECCOMP_CALL(getuid),
	SECCOMP_CALL(mbind),
	SECCOMP_CALL(mlock),
	SECCOMP_CALL(mincore),
	SECCOMP_CALL(rt_sigaction),
	SECCOMP_CALL(rt_sigpending),
	SECCOMP_CALL(rt_sigtimedwait),
	SECCOMP_CALL(getpgrp),
	SECCOMP_CALL(flock),		/* a file that is RAM */
	SECCOMP_CALL(fstatfs),
	SECCOMP_END
};

/* The file servers of a machine that starts again. */
static const struct seccomp_rule main_files_rules[] = {
	SECCOMP_CALL(openat2),
	SECCOMP_CALL(statx),
	SECCOMP_CALL(getegid),
	SECCOMP_CALL(capget),
	SECCOMP_END
};

/* It makes a process for each start of a device, and ends those that do not end themselves. */
static const struct seccomp_rule keeper_rules[] = {
	SECCOMP_BITS(clone, 0, CLONE_VM | CLONE_THREAD | CLONE_VFORK | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID |
		     CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 0),
#if !defined(__GLIBC__) && defined(__NR_fork)
	SECCOMP_CALL(fork),
#endif
	SECCOMP_CALL(wait4),
	SECCOMP_EQ(kill, 1, SIGKILL),		/* by Landlock's scope only processes that it has made */
	SECCOMP_CALL(tgkill),			/* those signal themselves, and their numbers are not known yet */
	SECCOMP_EQ(prctl, 0, PR_SET_PDEATHSIG),
	SECCOMP_CALL(getppid),
	SECCOMP_CALL(rt_sigaction),		/* the C library before its first thread, in the new process */
	SECCOMP_CALL(ppoll),
	SECCOMP_END
};

/* The main thread of a process that serves files: it takes orders and starts the loop. */
static const struct seccomp_rule server_rules[] = {
	SECCOMP_CALL(recvmsg),
	SECCOMP_CALL(sendmsg),
	SECCOMP_CALL(epoll_create1),
	SECCOMP_CALL(epoll_ctl),
	SECCOMP_CALL(eventfd2),
	SECCOMP_CALL(mremap),
	SECCOMP_END
};

/* A file server: files below descriptors that it has. It never sees a socket. */
static const struct seccomp_rule files_rules[] = {
	SECCOMP_CALL(openat),
	SECCOMP_CALL(openat2),
	SECCOMP_CALL(fstat),
	SECCOMP_CALL(newfstatat),
	SECCOMP_CALL(statx),
	SECCOMP_CALL(fstatfs),
	SECCOMP_CALL(readlinkat),
	SECCOMP_CALL(getdents64),
	SECCOMP_CALL(lseek),
	SECCOMP_CALL(pread64),
	SECCOMP_CALL(pwrite64),
	SECCOMP_CALL(preadv),
	SECCOMP_CALL(pwritev),
	SECCOMP_CALL(preadv2),
	SECCOMP_CALL(pwritev2),
	SECCOMP_CALL(copy_file_range),
	SECCOMP_CALL(fallocate),
	SECCOMP_CALL(ftruncate),
	SECCOMP_CALL(fsync),
	SECCOMP_CALL(fdatasync),		/* an image with tables is closed */
	SECCOMP_CALL(fdatasync),
	SECCOMP_CALL(syncfs),
	SECCOMP_CALL(mkdirat),
	SECCOMP_CALL(mknodat),
	SECCOMP_CALL(symlinkat),
	SECCOMP_CALL(linkat),
	SECCOMP_CALL(unlinkat),
	SECCOMP_CALL(renameat2),
#ifdef __NR_renameat
	SECCOMP_CALL(renameat),		/* what glibc makes of renameat2() without flags */
#endif
	SECCOMP_CALL(fchmod),
	SECCOMP_CALL(fchmodat),
	SECCOMP_CALL(fchown),
	SECCOMP_CALL(fchownat),
	SECCOMP_CALL(utimensat),
	SECCOMP_CALL(getxattr),
	SECCOMP_CALL(setxattr),
	SECCOMP_CALL(listxattr),
	SECCOMP_CALL(removexattr),
	SECCOMP_CALL(lgetxattr),
	SECCOMP_CALL(lsetxattr),
	SECCOMP_CALL(llistxattr),
	SECCOMP_CALL(lremovexattr),
	SECCOMP_CALL(fgetxattr),
	SECCOMP_CALL(fsetxattr),
	SECCOMP_CALL(flistxattr),
	SECCOMP_CALL(fremovexattr),
	SECCOMP_EQ(fcntl, 1, F_OFD_SETLK),
	SECCOMP_EQ(fcntl, 1, F_OFD_SETLKW),
	SECCOMP_EQ(fcntl, 1, F_OFD_GETLK),
	SECCOMP_CALL(flock),
	SECCOMP_CALL(dup),
	SECCOMP_CALL(umask),
	SECCOMP_CALL(setfsuid),
	SECCOMP_CALL(setfsgid),
	SECCOMP_CALL(setgroups),
	SECCOMP_CALL(capget),
	SECCOMP_CALL(capset),
	SECCOMP_EQ(unshare, 0, CLONE_FS),
	SECCOMP_EQ(ioctl, 1, FS_IOC_GETFLAGS),
	SECCOMP_EQ(ioctl, 1, FS_IOC_SETFLAGS),
	SECCOMP_EQ(ioctl, 1, FS_IOC_FSGETXATTR),
	SECCOMP_EQ(ioctl, 1, FICLONE),
	SECCOMP_END
};

static const struct seccomp_rule disk_rules[] = {
	SECCOMP_CALL(preadv2),
	SECCOMP_CALL(pwritev2),
	SECCOMP_CALL(preadv),
	SECCOMP_CALL(pwritev),
	SECCOMP_CALL(pread64),
	SECCOMP_CALL(pwrite64),
	SECCOMP_CALL(fdatasync),
	SECCOMP_CALL(fallocate),
	SECCOMP_CALL(ftruncate),
	SECCOMP_CALL(fstat),
	SECCOMP_CALL(newfstatat),
	SECCOMP_CALL(lseek),
#ifdef __NR_io_uring_enter
	SECCOMP_CALL(io_uring_enter),
#endif
	SECCOMP_EQ(ioctl, 1, BLKDISCARD),
	SECCOMP_EQ(ioctl, 1, BLKZEROOUT),
	SECCOMP_EQ(ioctl, 1, BLKSECDISCARD),
	SECCOMP_END
};

/* A network that its guest reaches others by. */
static const struct seccomp_rule connect_rules[] = {
	SECCOMP_EQ(socket, 0, AF_INET),
	SECCOMP_EQ(socket, 0, AF_INET6),
	SECCOMP_BITS(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),	/* resolv.conf */
	SECCOMP_CALL(connect),
	SECCOMP_CALL(bind),
	SECCOMP_CALL(listen),
	SECCOMP_END
};

/* A network with sockets that are open, or come by accept(). */
static const struct seccomp_rule net_rules[] = {
	SECCOMP_EQ(ioctl, 1, TUNSETQUEUE),
	SECCOMP_CALL(shutdown),
	SECCOMP_CALL(getsockopt),
	SECCOMP_CALL(setsockopt),
	SECCOMP_CALL(getsockname),
	SECCOMP_CALL(getpeername),
	SECCOMP_CALL(sendmmsg),
	SECCOMP_CALL(recvmmsg),
	SECCOMP_END
};

/* Sanitizers look at the process while it runs and ends. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const struct seccomp_rule build_rules[] = {
	SECCOMP_CALL(sigaltstack),
	SECCOMP_CALL(openat),
	SECCOMP_CALL(readlink),
	SECCOMP_EQ(clone, 0, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED),
	SECCOMP_CALL(wait4),
	SECCOMP_CALL(getrlimit),
	SECCOMP_EQ(prlimit64, 2, 0),
	SECCOMP_CALL(sched_getaffinity),
	SECCOMP_EQ(prctl, 0, PR_SET_DUMPABLE),
	SECCOMP_EQ(prctl, 0, PR_GET_DUMPABLE),
	SECCOMP_CALL(ptrace),
	SECCOMP_END
};
#else
static const struct seccomp_rule build_rules[] = {
	SECCOMP_END
};
#endif

#define KIND(name)	(1U << THREAD_##name)
#define KINDS_LOOP	(KIND(MAIN) | KIND(DEVICE) | KIND(FILES) | KIND(DISK) | KIND(NET) | KIND(DISPLAY))
/* The kinds of a machine's process that the spawner makes, and those of a file server's. */
#define KINDS_MACHINE	(KIND(VCPU) | KIND(DEVICE) | KIND(DISK) | KIND(NET) | KIND(DISPLAY) | KIND(SPAWNER))
#define KINDS_SERVER	(KIND(FILES) | KIND(SPAWNER))

/* Which kinds have which tables, the most frequent calls first. */
static const struct {
	const struct seccomp_rule *rules;
	unsigned int kinds, wants;
} confine_tables[] = {
	{ vcpu_rules, KIND(VCPU) },
	{ common_rules, ~0U },
	{ build_rules, ~0U },
	{ libc_rules, ~0U },
	{ loop_rules, KINDS_LOOP },
	{ registers_rules, KIND(VCPU) | KIND(MAIN) },
	{ main_rules, KIND(MAIN) },
	{ main_files_rules, KIND(MAIN), CONFINE_FILES },
	{ tty_rules, KIND(MAIN) | KIND(DEVICE) | KIND(NET) | KIND(DISPLAY) },
	{ files_rules, KIND(FILES) },
	{ disk_rules, KIND(DISK) },
	{ net_rules, KIND(NET) },
	{ connect_rules, KIND(NET), CONFINE_CONNECT },
	{ spawner_rules, KIND(SPAWNER) },
	{ server_rules, KIND(SERVER) },
	{ keeper_rules, KIND(KEEPER) },
};

/* A filter is inherited: a thread that makes others allows what any of them may do. */
static unsigned int confine_kinds(enum thread_kind kind, unsigned int wants)
{
	unsigned int files = wants & (CONFINE_FILES | CONFINE_SERVER) ? KIND(FILES) : 0;

	if (kind == THREAD_KEEPER)
		return KIND(KEEPER) | KIND(SERVER) | KINDS_SERVER;
	if (kind == THREAD_SPAWNER)
		return (wants & CONFINE_SERVER ? KINDS_SERVER : KINDS_MACHINE) | files;
	return 1U << kind;
}

unsigned int confine_rules(enum thread_kind kind, unsigned int wants,
			   const struct seccomp_rule *tables[CONFINE_TABLES])
{
	unsigned int kinds = confine_kinds(kind, wants), nr = 0, i;

	for (i = 0; i < ARRAY_SIZE(confine_tables); i++)
		if (!(confine_tables[i].wants & ~wants) && confine_tables[i].kinds & kinds)
			tables[nr++] = confine_tables[i].rules;
	if (kinds & KIND(VCPU))
		tables[nr++] = arch_confine_rules(false);
	else if (kind == THREAD_MAIN)
		tables[nr++] = arch_confine_rules(true);
	return nr;
}
