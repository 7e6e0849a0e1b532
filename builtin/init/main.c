// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's PID 1, from the first instruction in user space to power-off:
 * modules, the control port, the root, the command, its end. lkvm carries it
 * (blob.S) and puts it into the initramfs; kvm/pid1.h is the protocol between them.
 *
 * Nothing here fails silently: fail() tells lkvm in one line, or the console if
 * there is no way to lkvm.
 */
#include <linux/poll.h>
#include <linux/wait.h>

#include "init.h"

#define TAINT_DIE	(1 << 7)
#define CLOCK_WAIT_NS	1000000000ULL

/* Files opened later must not become the command's 0, 1 and 2. */
static void stdio_open(void)
{
	long fd;

	do {
		fd = sys_open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 2);
	for (int i = 0; fd == 2 && i < 2; i++)
		sys_dup3(2, i);
	if (fd > 2) {
		for (int i = 0; i < 3; i++)
			sys_dup3(fd, i);
		sys_close(fd);
	}
}

/*
 * End all processes, so that nothing writes any more when the file systems are
 * synced. One that cannot be killed, as it waits for a device, is not waited for.
 */
static void end_processes(void)
{
	u64 mask = 1ULL << (SIGCHLD - 1), end = clock_ns() + 2000000000ULL, now;
	struct __kernel_timespec ts;

	sys_kill(-1, SIGKILL);
	for (;;) {
		long ret = sys_call(__NR_wait4, -1, 0, WNOHANG, 0, 0, 0);

		if (ret < 0)
			return;
		if (ret > 0)
			continue;
		now = clock_ns();
		if (now >= end)
			return;
		ts.tv_sec = (end - now) / 1000000000;
		ts.tv_nsec = (end - now) % 1000000000;
		sys_call(__NR_rt_sigtimedwait, (long)&mask, 0, (long)&ts, sizeof(mask), 0, 0);
	}
}

bool clock_step(const char *time, u64 late)
{
	struct __kernel_timespec ts;
	const char *end;
	long sec, nsec;
	u64 ns;

	if ((sec = str_number(time, &end)) < 0 || *end != ' ' || (nsec = str_number(end + 1, &end)) < 0)
		return false;
	ns = nsec + late;
	ts.tv_sec = sec + ns / 1000000000;
	ts.tv_nsec = ns % 1000000000;
	sys_call(__NR_clock_settime, CLOCK_REALTIME, (long)&ts, 0, 0, 0, 0);
	return true;
}

/*
 * The time of day as the host has it: what the kernel knows is a second's worth by the
 * RTC, or from when kvmclock was set up. The answer is half of its way old.
 */
static void clock_set(void)
{
	u64 asked = clock_ns(), now = asked;
	const char *line, *time = NULL;

	control_send("time");
	while (!time && now - asked < CLOCK_WAIT_NS) {
		while (!time && (line = control_line())) {
			time = str_after(line, "time ");
			if (!time)
				relay_heard(line);
		}
		if (!time)
			control_wait(CLOCK_WAIT_NS - (now - asked));
		now = clock_ns();
	}
	if (!time || !clock_step(time, (now - asked) / 2))
		note("the clock may be behind: lkvm does not say what time it is");
}

/*
 * A guest that is to be copied stands still here. Each copy goes on by a command of its
 * own: what "conf" brings.
 */
static void command_wait(void)
{
	const char *line, *size, *end;

	if (!conf_get("wait", NULL))
		return;
	control_send("waiting");
	for (;;) {
		while ((line = control_line())) {
			long len = (size = str_after(line, "conf ")) ? str_number(size, &end) : -1;

			if (len >= 0) {
				conf_more(len);
				host_name();
				return;
			}
		}
		control_wait(~0ULL);
	}
}

static void report(int status)
{
	char tainted[24] = "";
	const char *end;

	if (!file_line("/proc/sys/kernel/tainted", tainted, sizeof(tainted)) &&
	    str_number(tainted, &end) & TAINT_DIE)
		control_send("oops");
	if (status & 0x7f)
		control_send("signal %ld", (long)status & 0x7f);
	else
		control_send("exit %ld", (long)status >> 8 & 0xff);
}

/* A PID 1 of the user's takes over, with the kernel's console as its streams. */
static void __attribute__((noreturn)) init_other(const char *program)
{
	int fds[3];
	long tty = sys_open("/dev/console", O_RDWR);

	for (int i = 0; i < 3; i++)
		fds[i] = tty >= 0 ? tty : 0;
	init_exec(program, fds);
}

void init_main(void) __attribute__((noreturn));
void init_main(void)
{
	u64 entered = clock_ns(), mask = 1ULL << (SIGCHLD - 1);
	struct user user = { 0 };
	int fds[3], tty, status;
	long pid;

	if (sys_call(__NR_getpid, 0, 0, 0, 0, 0, 0) != 1)
		agent_alone();
	mount_early();
	stdio_open();
	conf_load();
	modules_load();
	if (!conf_get("init", NULL))
		control_open(NULL);
	root_mount();
	if (conf_get("init", NULL))
		init_other(conf_get("init", NULL));
	command_wait();
	user_find(&user);
	relay_setup(&user, fds, &tty);
	command_chdir(&user);
	clock_set();

	sys_call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&mask, 0, sizeof(mask), 0, 0);
	control_send("ready %lu %lu", (unsigned long)entered, (unsigned long)clock_ns());
	pid = sys_fork();
	if (pid < 0)
		fail("fork: %s", str_error(pid));
	if (!pid)
		command_exec(&user, fds, tty);
	sys_chdir("/");
	relay_started();
	agent_start();
	status = relay_run(pid);
	if (conf_get("keep", NULL) && !relay_stopped()) {
		if (status & 0x7f)
			note("the command was ended by signal %ld, and the machine is kept: 'lkvm stop' ends it", (long)status & 0x7f);
		else
			note("the command has ended with status %ld, and the machine is kept: 'lkvm stop' ends it", (long)status >> 8 & 0xff);
		relay_keep();
	}

	end_processes();
	unmount_disks();
	sys_call(__NR_sync, 0, 0, 0, 0, 0, 0);
	report(status);
	power_off();
}
