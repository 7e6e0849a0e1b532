// SPDX-License-Identifier: GPL-2.0
/*
 * Confinement: in a thread of each kind, what somebody would try who has taken it
 * over. Each attempt is a process of its own, confined as lkvm is, that shares one
 * directory. It may not succeed; the kernel refuses it, or the process ends with 125.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/confine.h>
#include <kvm/disk.h>
#include <kvm/seccomp.h>

#include "../../hw/confine_rules.h"
#include "scratch.h"
#include "tap.h"

/* Calls that only a build with a sanitizer makes. */
#define SANITIZER_CALLS	9

/* Exit statuses of an attempt. */
enum { DONE = 10, REFUSED = 11, VIOLATION = 125 };

static int share = -1, listener = -1, log_fd = -1;
static bool all_is_shared;	/* the default: / may be read, and a folder written */
static struct sockaddr_in tcp;
static char abstract[32];
static pid_t parent;

/* Attempts: 0 or more: it worked; -1 and errno: it did not. */

static int try_open_shadow(void) { return open("/etc/shadow", O_RDONLY); }
static int try_open_home(void) { return open(scratch("home/key"), O_RDONLY); }
static int try_dotdot(void) { return openat(share, "../home/key", O_RDONLY); }
static int try_memory(void) { return open("/proc/self/mem", O_RDWR); }
static int try_write_etc(void) { return open("/etc/lkvm-test", O_WRONLY | O_CREAT, 0600); }
static int try_make_outside(void) { return mkdirat(share, "../home/new", 0700); }
static int try_device(void) { return open("/dev/kvm", O_RDWR); }
static int try_null_device(void) { return open("/dev/full", O_RDWR); }
static int try_ptrace(void) { return ptrace(PTRACE_ATTACH, parent, NULL, NULL); }
static int try_kill(void) { return syscall(SYS_kill, parent, 0); }
static int try_tgkill(void) { return syscall(SYS_tgkill, parent, parent, 0); }
static int try_io_uring(void) { return syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EFAULT ? 0 : -1; }
static int try_userfaultfd(void) { return syscall(SYS_userfaultfd, 0); }
static int try_keyctl(void) { return syscall(SYS_keyctl, 0, -3, 1); }
static int try_user_namespace(void) { return unshare(CLONE_NEWUSER); }
static int try_mount_namespace(void) { return unshare(CLONE_NEWNS); }
static int try_mount(void) { return mount("none", "/", NULL, MS_REMOUNT, NULL); }
static int try_fork(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static int try_clone3(void) { return syscall(SYS_clone3, NULL, 0) < 0 && errno != ENOSYS ? 0 : -1; }
static int try_setuid(void) { return syscall(SYS_setresuid, 1, 1, 1); }
static int try_reboot(void) { return syscall(SYS_reboot, 0, 0, 0, 0) < 0 && errno == EINVAL ? 0 : -1; }
static int try_module(void) { return syscall(SYS_finit_module, -1, "", 0) < 0 && errno == EBADF ? 0 : -1; }
static int try_process_memory(void) { return syscall(SYS_process_vm_readv, parent, NULL, 0, NULL, 0, 0); }
static int try_tiocsti(void) { return ioctl(0, TIOCSTI, "x") < 0 && errno != EPERM && errno != EACCES ? 0 : -1; }
static int try_perf(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) < 0 && errno == EFAULT ? 0 : -1; }
static int try_memfd_secret(void) { return syscall(447 /* memfd_secret */, 0); }
static int try_pidfd(void) { return syscall(SYS_pidfd_open, parent, 0); }
static int try_undo(void) { return prctl(PR_SET_SECCOMP, 0, 0, 0, 0); }
static int try_securebits(void) { return prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) < 0 && errno == EPERM ? -1 : 0; }
static int try_open_by_handle(void) { return syscall(SYS_open_by_handle_at, share, NULL, 0) < 0 && errno == EFAULT ? 0 : -1; }
static int try_chroot(void) { return chroot("/"); }
static int try_set_owner(void) { return fcntl(share, F_SETOWN, parent); }
static int try_set_signal(void) { return fcntl(share, F_SETSIG, SIGKILL); }
static int try_notify(void) { return fcntl(share, F_NOTIFY, DN_CREATE); }
static int try_lease(void) { return fcntl(share, F_SETLEASE, F_RDLCK); }
static int try_limit(void) { return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &(struct rlimit64){ 8, 8 }, NULL); }
static int try_udp(void) { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }
static int try_fs_ioctl(void) { return ioctl(share, FIFREEZE, 0); }

static int try_bpf(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int try_exec(void)
{
	char *const argv[] = { "true", NULL };

	return execve("/bin/true", argv, argv + 1);
}

static int try_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? fd : connect(fd, (struct sockaddr *)&tcp, sizeof(tcp));
}

static int try_bind(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? fd : bind(fd, (struct sockaddr *)&any, sizeof(any));
}

static int try_abstract(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path + 1, abstract, strlen(abstract));
	return fd < 0 ? fd : connect(fd, (struct sockaddr *)&addr,
				     offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract));
}

static int try_raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int try_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static const struct attempt {
	const char *name;
	int (*fn)(void);
	int abi;			/* of Landlock that it takes to refuse this one */
	bool reads;			/* where the share is /, a file server may: it reads what its user reads */
} attempts[] = {
#define TRY(what, ...) { .name = #what, .fn = try_##what, __VA_ARGS__ }
	TRY(open_shadow, .abi = 1, .reads = true), TRY(open_home, .abi = 1, .reads = true),
	TRY(dotdot, .abi = 1, .reads = true), TRY(memory, .abi = 1),
	TRY(write_etc, .abi = 1), TRY(make_outside, .abi = 1), TRY(device, .abi = 1), TRY(null_device, .abi = 1),
	TRY(ptrace, .abi = 1), TRY(kill), TRY(tgkill), TRY(io_uring), TRY(userfaultfd), TRY(keyctl), TRY(user_namespace),
	TRY(mount_namespace), TRY(mount), TRY(fork), TRY(clone3), TRY(setuid), TRY(reboot), TRY(module),
	TRY(process_memory), TRY(tiocsti), TRY(perf), TRY(memfd_secret), TRY(pidfd), TRY(undo), TRY(securebits),
	TRY(open_by_handle), TRY(chroot), TRY(set_owner), TRY(set_signal), TRY(notify), TRY(lease), TRY(limit), TRY(udp), TRY(fs_ioctl), TRY(bpf), TRY(exec, .abi = 1), TRY(connect, .abi = 4),
	TRY(bind, .abi = 4), TRY(abstract, .abi = 6), TRY(raw_socket), TRY(code), TRY(make_code),
};

static void violated(void)
{
	syscall(SYS_exit_group, VIOLATION);
}

static void *attempt_thread(void *arg)
{
	const struct attempt *a = arg;

	syscall(SYS_exit_group, a->fn() < 0 ? REFUSED : DONE);
	return NULL;
}

static __thread volatile sig_atomic_t trapped;
static struct seccomp_filter *filter;

static void numbers_trap(int sig, siginfo_t *info, void *context)
{
	trapped = info->si_syscall;
}

/* The filter that a thread of @kind has, compiled here once more. */
static void numbers_prepare(enum thread_kind kind)
{
	const struct seccomp_rule self[] = { SECCOMP_EQ(tgkill, 0, getpid()), SECCOMP_END };
	const struct seccomp_rule *tables[CONFINE_TABLES + 1];
	unsigned int nr = confine_rules(kind, CONFINE_FILES, tables);
	struct sigaction sa = { .sa_sigaction = numbers_trap, .sa_flags = SA_SIGINFO };

	tables[nr++] = self;
	if (seccomp_filter_new(&filter, arch_audit(), tables, nr, SECCOMP_DENY_TRAP) || sigaction(SIGSYS, &sa, NULL))
		_exit(96);
}

static int ended_with(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const struct confine_config machine_cfg = { .mode = CONFINE_ON, .log_fd = -1, .end = violated };

/* The same in a process that serves files, forked by its keeper. */
static int server_run(enum thread_kind kind, void *(*fn)(void *arg), void *arg)
{
	struct confine *c;
	pthread_t thread;
	int null, status;
	pid_t pid = fork();

	if (pid)
		return ended_with(pid);
	null = open("/dev/null", O_WRONLY);
	dup2(null, STDERR_FILENO);
	if (confine_new(&c, &machine_cfg))
		_exit(99);
	confine_forked(c, violated);
	if (confine_allow(c, scratch("share"), LANDLOCK_READ | LANDLOCK_WRITE) || confine_keeper(c))
		_exit(99);
	if (kind == THREAD_KEEPER)
		fn(arg);
	pid = fork();
	if (pid) {
		while (waitpid(pid, &status, 0) != pid)
			;
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 96);
	}
	if (confine_server(c))
		_exit(99);
	if (kind == THREAD_SERVER)
		fn(arg);
	if (thread_start(confine_threads(c), kind, NULL, &thread, fn, arg))
		_exit(98);
	pthread_join(thread, NULL);
	_exit(97);
}

/* What @fn ends with in a thread of @kind. */
static int thread_run(enum thread_kind kind, void *(*fn)(void *arg), void *arg, bool numbers)
{
	struct confine_config cfg = machine_cfg;
	struct confine *c;
	pthread_t thread;
	pid_t pid = fork();

	cfg.log_fd = log_fd;

	if (!pid) {
		/* The message is for people. */
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		if (confine_new(&c, &cfg) || confine_allow(c, scratch("share"), LANDLOCK_READ | LANDLOCK_WRITE) ||
		    (all_is_shared && confine_allow(c, "/", LANDLOCK_READ)) || confine_enter(c))
			_exit(99);
		if (numbers)
			numbers_prepare(kind);
		if (kind == THREAD_MAIN)
			fn(arg);
		if (thread_start(confine_threads(c), kind, NULL, &thread, fn, arg))
			_exit(98);
		pthread_join(thread, NULL);
		_exit(97);
	}
	return ended_with(pid);
}

static int attempt_run(const struct attempt *a, enum thread_kind kind)
{
	return thread_run(kind, attempt_thread, (void *)a, false);
}

static void attempts_prepare(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(tcp);
	int fd;

	parent = getpid();
	CHECK(!mkdir(scratch("share"), 0700) && !mkdir(scratch("home"), 0700));
	scratch_file("home/key", "secret");
	share = open(scratch("share"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(share >= 0);
	tcp.sin_family = AF_INET;
	tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(!bind(listener, (struct sockaddr *)&tcp, sizeof(tcp)) && !listen(listener, 8));
	CHECK(!getsockname(listener, (struct sockaddr *)&tcp, &len));
	snprintf(abstract, sizeof(abstract), "lkvm-test-%d", parent);
	memcpy(addr.sun_path + 1, abstract, strlen(abstract));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(!bind(fd, (struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract)));
	CHECK(!listen(fd, 8));
}

static void attempts_all(enum thread_kind kind)
{
	int abi = landlock_abi();
	unsigned int i;

	attempts_prepare();
	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		int status;

		if (attempts[i].abi > abi)
			continue;
		status = attempt_run(&attempts[i], kind);
		if (all_is_shared && attempts[i].reads && kind == THREAD_FILES ? status != DONE :
		    status != REFUSED && status != VIOLATION)
			tap_fail(__FILE__, __LINE__, "%s in a %s thread ended with %d", attempts[i].name,
				 thread_kind_name(kind), status);
	}
}

TEST_TIMEOUT(nobody_gets_out_of_the_main_thread, 60) { attempts_all(THREAD_MAIN); }
TEST_TIMEOUT(nobody_gets_out_of_a_vcpu_thread, 60) { attempts_all(THREAD_VCPU); }
TEST_TIMEOUT(nobody_gets_out_of_a_device_thread, 60) { attempts_all(THREAD_DEVICE); }
TEST_TIMEOUT(nobody_gets_out_of_a_file_server, 60) { attempts_all(THREAD_FILES); }
TEST_TIMEOUT(nobody_gets_out_of_a_disk_thread, 60) { attempts_all(THREAD_DISK); }
TEST_TIMEOUT(nobody_gets_out_of_a_network_thread, 60) { attempts_all(THREAD_NET); }
TEST_TIMEOUT(nobody_gets_out_of_a_display_thread, 60) { attempts_all(THREAD_DISPLAY); }

/* And of a file server's own process, but for what the keeper is there for. */
TEST_TIMEOUT(nobody_gets_out_of_a_server_s_process, 60)
{
	static const enum thread_kind kinds[] = { THREAD_KEEPER, THREAD_SERVER, THREAD_FILES };
	int abi = landlock_abi();
	unsigned int i, k;

	attempts_prepare();
	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (i = 0; i < ARRAY_SIZE(attempts); i++) {
			const struct attempt *a = &attempts[i];
			bool keeps = kinds[k] == THREAD_KEEPER && (a->fn == try_fork || (a->fn == try_tgkill && abi < 6));
			int status;

			if (a->abi > abi)
				continue;
			status = server_run(kinds[k], attempt_thread, (void *)a);
			if (keeps ? status != DONE : status != REFUSED && status != VIOLATION)
				tap_fail(__FILE__, __LINE__, "%s in a %s thread ended with %d", a->name,
					 thread_kind_name(kinds[k]), status);
		}
	}
}

/* By default the root of the guest is that of the host. */
TEST_TIMEOUT(a_file_server_of_the_whole_host_only_reads_it, 60)
{
	if (geteuid())
		SKIP("only root reads all that is tried");
	all_is_shared = true;
	attempts_all(THREAD_FILES);
}

/* Every number of a system call, in a thread of each kind */

/* Calls that the kernel lets through every filter: uretprobe(), uprobe(). Only it makes them. */
static bool numbers_pass(int nr)
{
#ifdef __x86_64__
	return nr == 335 || nr == 336;
#else
	return false;
#endif
}

/* Calls that the tables allow are not made: the document lists them. */
static void *numbers_thread(void *arg)
{
	static const u64 args[][6] = { { 0 }, { ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL } };
	unsigned int i, denied = 0;
	int nr;

	for (nr = 0; nr < 1024; nr++) {
		for (i = 0; i < ARRAY_SIZE(args); i++) {
			const u64 *a = args[i];
			int want = seccomp_try(filter, nr, a), ret;

			if (!want || numbers_pass(nr))
				continue;
			trapped = -1;
			errno = 0;
			ret = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
			if (want > 0 ? ret != -1 || errno != want : trapped != nr)
				syscall(SYS_exit_group, 95);
			denied++;
		}
	}
#ifdef __x86_64__
	/* Numbers of the x32 ABI */
	for (nr = 0; nr < 1024; nr++) {
		trapped = -1;
		syscall(nr | 0x40000000, 0, 0, 0, 0, 0, 0);
		if (trapped != (nr | 0x40000000))
			syscall(SYS_exit_group, 94);
	}
#endif
	syscall(SYS_exit_group, denied > 1500 ? REFUSED : 93);
	return NULL;
}

static void *other_abi_thread(void *arg)
{
#ifdef __x86_64__
	int ret = 20;	/* getpid() of i386 */

	asm volatile("int $0x80" : "+a"(ret) : : "memory");
#endif
	syscall(SYS_exit_group, DONE);
	return NULL;
}

TEST(every_number_that_is_not_listed_is_refused)
{
	unsigned int kind;
	int status;

	CHECK(!mkdir(scratch("share"), 0700));
	for (kind = 0; kind < THREAD_KINDS; kind++) {
		status = thread_run(kind, numbers_thread, NULL, true);
		if (status != REFUSED)
			tap_fail(__FILE__, __LINE__, "a %s thread ended with %d", thread_kind_name(kind), status);
	}
}

TEST(numbers_of_another_abi_end_the_process)
{
	int status;

#ifndef __x86_64__
	SKIP("this architecture has one");
#endif
	CHECK(!mkdir(scratch("share"), 0700));
	status = thread_run(THREAD_VCPU, other_abi_thread, NULL, false);
	CHECK(status == -SIGSYS || status == -SIGSEGV);
}

/* The file of --kmsg has it, too: whoever looks there needs no terminal. */
TEST(a_violation_is_named)
{
	static const struct attempt perf = TRY(perf);
	char text[512] = "";

	attempts_prepare();
	log_fd = open(scratch("log"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_EQ(attempt_run(&perf, THREAD_VCPU), VIOLATION);
	CHECK(pread(log_fd, text, sizeof(text) - 1, 0) > 0);
	CHECK(strstr(text, "a vCPU thread called perf_event_open (298) with 0x0 0x0 0xffffffff"));
	CHECK(strstr(text, "please report this; --confine off runs without\n"));
}

/* What the main loop does with disks: another size, a power cut, and caches that are written back at the end. */
static void *disk_end(void *arg)
{
	struct disk *d = arg;
	struct disk_cut cut;
	struct opt_err err;
	u8 buf[8192] = "written";
	struct iovec iov = { buf, sizeof(buf) };
	struct disk_req req = { .op = DISK_WRITE, .len = sizeof(buf) };

	for (unsigned int i = 0; i < 40; i++) {
		struct iov_iter data;

		iov_iter_init(&data, &iov, 1);
		req.off = i * 3 * sizeof(buf);
		req.data = &data;
		if (disk_serve(d, &req))
			syscall(SYS_exit_group, 95);
	}
	if (disk_resize(d, 2 * MIB, &err) || disk_cut(d, 7, &cut))
		syscall(SYS_exit_group, 94);
	disk_close(d, NULL, "");
	syscall(SYS_exit_group, DONE);
	return NULL;
}

TEST(the_main_loop_may_close_disks)
{
	struct disk_options opts = { .file = scratch("d"), .block = 512, .cache = MIB };
	struct opt_err err;
	struct disk *d;
	int fd = open(opts.file, O_CREAT | O_RDWR, 0600);

	CHECK_EQ(mkdir(scratch("share"), 0700), 0);
	CHECK_EQ(ftruncate(fd, 4 * MIB), 0);
	close(fd);
	CHECK_EQ(disk_open(&d, &opts, NULL, "", &err), 0);
	CHECK_EQ(thread_run(THREAD_MAIN, disk_end, d, false), DONE);
	disk_close(d, NULL, "");
}

/* Firecracker publishes 27 calls for a vCPU and 50 for the thread that has its devices. */
TEST(few_calls_are_allowed)
{
	const struct seccomp_rule *tables[CONFINE_TABLES];
	unsigned int kind;

	for (kind = 0; kind < THREAD_KINDS; kind++) {
		/* The process may also signal itself. */
		unsigned int calls = seccomp_count(tables, confine_rules(kind, CONFINE_ALL, tables)) + 1;

		tap_note("%s: %u", thread_kind_name(kind), calls);
		if (kind == THREAD_VCPU)
			CHECK(calls - SANITIZER_CALLS < 27);
		if (kind == THREAD_DEVICE || kind == THREAD_DISK || kind == THREAD_NET || kind == THREAD_DISPLAY)
			CHECK(calls - SANITIZER_CALLS < 50);
	}
}

/* Every call that a kind may make by its tables alone, so that a new one is noticed in the document. */
TEST(no_kind_makes_processes_or_programs)
{
	static const int never[] = {
		SYS_execve, SYS_execveat, SYS_kill, SYS_mount, SYS_bpf, SYS_io_uring_setup, SYS_setuid,
		SYS_process_vm_writev, SYS_pivot_root, SYS_init_module, SYS_kexec_load, SYS_open_by_handle_at,
	};
	const struct seccomp_rule *tables[CONFINE_TABLES], *r;
	unsigned int kind, nr, t, i;

	for (kind = 0; kind < THREAD_KINDS; kind++) {
		nr = confine_rules(kind, CONFINE_ALL, tables);
		for (t = 0; t < nr; t++)
			for (r = tables[t]; r->name; r++)
				for (i = 0; i < ARRAY_SIZE(never); i++)
					CHECK(r->nr != never[i] || r->err || (r->nr == SYS_kill && kind == THREAD_KEEPER));
	}
}
