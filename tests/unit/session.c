// SPDX-License-Identifier: GPL-2.0
/*
 * The host side of a session (builtin/session/):
 * the descriptors 0 to 2 of the test are pipes, files and ptys, the guest is
 * the other end of what would be given to the devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/log.h>
#include <kvm/session.h>

#include "../../builtin/session/kmsg.h"
#include <kvm/terminal.h>
#include "tap.h"

/* The exit status */

static int decide(struct session_outcome o, char *text)
{
	static char nowhere[256];

	return session_decide(&o, text ? text : nowhere, 256);
}

#define DECIDE(...)	decide((struct session_outcome){ __VA_ARGS__ }, text)

TEST(status_of_the_command)
{
	char text[256];

	for (int n = 0; n < 256; n++) {
		CHECK_EQ(DECIDE(.end = VM_EXIT, .command = true, .started = true, .oops_fail = true,
				.report = REPORT_EXIT, .value = n), n);
		if (n >= 123 && n <= 125)
			CHECK(strstr(text, "is that of the command"));
		else
			CHECK_STR(text, "");
	}
	CHECK_EQ(DECIDE(.end = VM_EXIT, .command = true, .report = REPORT_SIGNAL, .value = SIGSEGV), 139);
	CHECK_STR(text, "the command was killed by SIGSEGV");
	CHECK_EQ(DECIDE(.end = VM_EXIT, .report = REPORT_SIGNAL, .value = 40), 168);
	CHECK_STR(text, "the shell was killed by signal 40");
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .command = true, .report = REPORT_EXIT, .value = 5), 5);
	CHECK_EQ(DECIDE(.end = VM_RESET, .command = true, .report = REPORT_EXIT, .value = 5), 5);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .report = REPORT_EXIT, .value = 7), 7);
	/* Whatever a guest says, it is a status. */
	CHECK_EQ(DECIDE(.end = VM_EXIT, .report = REPORT_EXIT, .value = 0x7fffff05), 5);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .report = REPORT_SIGNAL, .value = -1), 255);
}

TEST(status_of_a_kernel_that_died)
{
	char text[256];

	for (enum vm_end end = VM_POWEROFF; end <= VM_FAILED; end++) {
		CHECK_EQ(DECIDE(.end = end, .panic = true, .command = true), 123);
		CHECK(strstr(text, "panicked"));
		CHECK_EQ(DECIDE(.end = end, .panic = true, .console = true), 123);
	}
	CHECK_EQ(DECIDE(.end = VM_PANIC, .panic = true, .release = ""), 123);
	CHECK_STR(text, "the guest's kernel panicked");
	CHECK_EQ(DECIDE(.end = VM_PANIC, .panic = true, .release = "6.9.0"), 123);
	CHECK_STR(text, "the guest's kernel 6.9.0 panicked");
	CHECK_EQ(DECIDE(.end = VM_EXIT, .panic = true, .timeout = true), 123);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .panic = true, .report = REPORT_EXIT), 123);
	CHECK_EQ(DECIDE(.end = VM_SHUTDOWN), 123);
	CHECK(strstr(text, "triple fault"));
	CHECK_EQ(DECIDE(.end = VM_SHUTDOWN, .console = true), 123);
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .command = true, .started = true), 123);
	CHECK(strstr(text, "switched itself off before the command had ended"));
	CHECK_EQ(DECIDE(.end = VM_RESET, .command = true, .started = true), 123);
	CHECK(strstr(text, "reset itself"));
	CHECK_EQ(DECIDE(.end = VM_RESET), 123);
	CHECK(strstr(text, "before its PID 1 was ready"));
	/* Only PID 1 does that: the kernel lacks something that it needs. */
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .command = true), 125);
	CHECK(strstr(text, "before its PID 1 was ready"));
}

TEST(status_of_an_oops)
{
	char text[256];

	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .command = true,
			.report = REPORT_EXIT, .value = 4), 123);
	CHECK(strstr(text, "oops") && strstr(text, "4"));
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .command = true, .report = REPORT_EXIT, .value = 4), 4);
	CHECK(strstr(text, "oops"));
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .oops = true, .oops_fail = true, .console = true), 123);
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .oops = true, .console = true), 0);
	CHECK(strstr(text, "oops"));
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .console = true, .exit_port = 0), 123);
}

TEST(status_of_an_oops_after_which_something_else_ended_it)
{
	char text[256];

	/* Nobody who goes by the status is to miss a crash. */
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .timeout = true, .command = true), 123);
	CHECK(strstr(text, "oops") && strstr(text, "--timeout"));
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .timeout = true, .command = true), 124);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .report = REPORT_ERROR, .command = true), 123);
	CHECK(strstr(text, "oops"));
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .report = REPORT_SIGNAL,
			.value = SIGKILL, .command = true), 123);
	CHECK(strstr(text, "oops"));
	/* But what the user does is the user's. */
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .signal = SIGTERM, .command = true), 143);
	CHECK(strstr(text, "oops"));
	CHECK_EQ(DECIDE(.end = VM_EXIT, .oops = true, .oops_fail = true, .quit = true, .command = true), 130);
	CHECK(strstr(text, "oops"));
}

static const char *outcome(struct session_outcome o, int status, const char *text, const char *cause)
{
	static char buf[512];
	FILE *f = tmpfile();
	size_t len;

	CHECK_EQ(session_outcome_write(fileno(f), &o, status, text, cause), 0);
	rewind(f);
	len = fread(buf, 1, sizeof(buf) - 1, f);
	buf[len] = 0;
	fclose(f);
	return buf;
}

#define OUTCOME(status, text, cause, ...)	outcome((struct session_outcome){ __VA_ARGS__ }, status, text, cause)

TEST(the_end_in_a_word)
{
	CHECK_STR(OUTCOME(0, "", "", .end = VM_EXIT, .report = REPORT_EXIT), "exit 0\n\n");
	CHECK_STR(OUTCOME(123, "x", "", .end = VM_EXIT, .report = REPORT_EXIT, .value = 123), "exit 123\nx\n");
	CHECK_STR(OUTCOME(137, "", "", .end = VM_POWEROFF, .report = REPORT_SIGNAL, .value = 9), "exit 137\n\n");
	CHECK_STR(OUTCOME(123, "it panicked", "sysrq", .end = VM_PANIC, .panic = true, .timeout = true),
		  "panic 123\nit panicked: sysrq\n");
	CHECK_STR(OUTCOME(123, "", "", .end = VM_SHUTDOWN), "panic 123\n\n");
	CHECK_STR(OUTCOME(123, "", "", .end = VM_EXIT, .oops = true, .oops_fail = true, .report = REPORT_EXIT), "oops 123\n\n");
	CHECK_STR(OUTCOME(4, "", "", .end = VM_EXIT, .oops = true, .report = REPORT_EXIT, .value = 4), "exit 4\n\n");
	CHECK_STR(OUTCOME(124, "", "", .end = VM_EXIT, .timeout = true, .command = true), "timeout 124\n\n");
	CHECK_STR(OUTCOME(123, "", "", .end = VM_POWEROFF, .command = true, .started = true), "gone 123\n\n");
	CHECK_STR(OUTCOME(130, "", "", .end = VM_EXIT, .quit = true, .command = true), "interrupted 130\n\n");
	CHECK_STR(OUTCOME(125, "", "", .end = VM_FAILED), "error 125\n\n");
	CHECK_STR(OUTCOME(125, "", "", .end = VM_POWEROFF, .command = true), "error 125\n\n");
}

TEST(status_of_what_the_host_did)
{
	char text[256];

	CHECK_EQ(DECIDE(.end = VM_EXIT, .timeout = true, .command = true), 124);
	CHECK(strstr(text, "--timeout"));
	CHECK_EQ(DECIDE(.end = VM_FAILED, .command = true), 125);
	CHECK_EQ(DECIDE(.end = VM_FAILED, .report = REPORT_EXIT, .value = 0), 125);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .report = REPORT_ERROR, .command = true), 125);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .signal = SIGTERM, .command = true), 143);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .signal = SIGINT, .report = REPORT_EXIT, .command = true), 130);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .quit = true, .command = true), 130);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .quit = true), 0);
	CHECK_EQ(DECIDE(.end = VM_EXIT, .quit = true, .console = true), 0);
}

TEST(status_of_a_guest_on_its_own)
{
	char text[256];

	CHECK_EQ(DECIDE(.end = VM_EXIT, .console = true, .exit_port = 33), 33);
	CHECK_STR(text, "");
	CHECK_EQ(DECIDE(.end = VM_EXIT, .console = true, .exit_port = 124), 124);
	CHECK(strstr(text, "is that of the guest"));
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .console = true), 0);
	CHECK_EQ(DECIDE(.end = VM_RESET, .console = true), 0);
	/* An interactive shell whose user typed "poweroff". */
	CHECK_EQ(DECIDE(.end = VM_POWEROFF, .started = true), 0);
	CHECK_STR(text, "");
}

/* The kernel's console */

TEST(lines_that_mean_trouble)
{
	static const struct {
		const char *line;
		enum kmsg_class class;
	} lines[] = {
		{ "[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", KMSG_PANIC },
		{ "[    1.0] ---[ end Kernel panic - not syncing: Fatal exception ]---", KMSG_PANIC_OVER },
		{ "[    2.0] BUG: unable to handle page fault for address: ffffffffdeadbeef", KMSG_OOPS },
		{ "[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000000", KMSG_OOPS },
		{ "[    2.0] Oops: 0002 [#1] PREEMPT SMP PTI", KMSG_OOPS },
		{ "[    2.0] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]", KMSG_OOPS },
		{ "[    2.0] kernel BUG at mm/slab.c:123!", KMSG_OOPS },
		{ "[    2.0] invalid opcode: 0000 [#1] PREEMPT SMP", KMSG_OOPS },
		{ "[    2.0] divide error: 0000 [#12] SMP", KMSG_OOPS },
		{ "[    2.0] BUG: KASAN: use-after-free in foo+0x1/0x2", KMSG_OOPS },
		{ "[    2.0] BUG: sleeping function called from invalid context at foo.c:1", KMSG_OOPS },
		{ "[    2.0] traps: a.out[77] general protection fault ip:55 sp:7f error:0 in a.out", KMSG_PLAIN },
		{ "[    2.0] a.out[77]: segfault at 0 ip 0000 sp 0000 error 4 in a.out", KMSG_PLAIN },
		{ "[    2.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:1]", KMSG_PLAIN },
		{ "[    2.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 50s!", KMSG_PLAIN },
		{ "[    2.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", KMSG_PLAIN },
		{ "[    2.0] WARNING: CPU: 0 PID: 1 at foo.c:1 foo+0x1/0x2", KMSG_PLAIN },
		{ "[    2.0] DEBUG: all is well", KMSG_PLAIN },
		{ "", KMSG_PLAIN }, { " [#", KMSG_PLAIN }, { "x [#1", KMSG_PLAIN }, { " [#1]", KMSG_PLAIN },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		enum kmsg_class class = kmsg_classify(lines[i].line);

		if (class != lines[i].class)
			tap_fail(__FILE__, __LINE__, "\"%s\" is %d", lines[i].line, class);
	}
}

static void collect(void *obj, const char *text, size_t len)
{
	CHECK_EQ(strlen(text), len);
	strcat(obj, text);
	strcat(obj, "|");
}

TEST(last_lines_are_kept)
{
	static struct kmsg k;
	char line[64], got[512] = "";

	kmsg_last(&k, 5, collect, got);
	CHECK_STR(got, "");
	kmsg_feed(&k, "one\r\ntwo\n\nfour", 14);
	kmsg_end(&k);
	kmsg_last(&k, 10, collect, got);
	CHECK_STR(got, "one|two||four|");
	*got = 0;
	kmsg_last(&k, 2, collect, got);
	CHECK_STR(got, "|four|");
	for (int i = 0; i < 10000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		kmsg_feed(&k, line, strlen(line));
	}
	*got = 0;
	kmsg_last(&k, 3, collect, got);
	CHECK_STR(got, "line 9997|line 9998|line 9999|");
	*got = 0;
	kmsg_last(&k, 0, collect, got);
	CHECK_STR(got, "");
}

TEST(a_line_without_end_is_cut)
{
	static struct kmsg k;
	static char got[KMSG_KEPT * 2];
	char big[3000];

	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 100; i++)
		kmsg_feed(&k, big, sizeof(big));
	kmsg_feed(&k, "\nKernel pa", 10);
	kmsg_feed(&k, "nic - not syncing: \033[2Jboo\n", 27);
	CHECK(k.panic && !k.oops && !k.panic_over);
	CHECK_STR(k.cause, "Kernel panic - not syncing: .[2Jboo");
	kmsg_last(&k, 1000, collect, got);
	CHECK(strlen(got) <= KMSG_KEPT);
}

TEST(a_panic_is_the_cause_before_an_oops)
{
	static struct kmsg k;

	kmsg_feed(&k, "Oops: 1\nOops: 2\n", 16);
	CHECK_STR(k.cause, "Oops: 1");
	kmsg_feed(&k, "Kernel panic - not syncing: A\n---[ end Kernel panic - not syncing: A ]---\nOops: 3\n", 82);
	CHECK_STR(k.cause, "Kernel panic - not syncing: A");
	CHECK(k.oops && k.panic && k.panic_over);
}

/* The escape key */

TEST(escape_keys)
{
	struct escape e = { 0 };

	CHECK_EQ(escape_key(&e, 'x'), ESCAPE_PASS);
	CHECK_EQ(escape_key(&e, ESCAPE_KEY), ESCAPE_DROP);
	CHECK_EQ(escape_key(&e, 'x'), ESCAPE_EXIT);
	CHECK_EQ(escape_key(&e, ESCAPE_KEY), ESCAPE_DROP);
	CHECK_EQ(escape_key(&e, 'h'), ESCAPE_HELP);
	CHECK_EQ(escape_key(&e, ESCAPE_KEY), ESCAPE_DROP);
	CHECK_EQ(escape_key(&e, 'a'), ESCAPE_PASS);
	CHECK_EQ(escape_key(&e, 'a'), ESCAPE_PASS);
	CHECK_EQ(escape_key(&e, ESCAPE_KEY), ESCAPE_DROP);
	CHECK_EQ(escape_key(&e, 'q'), ESCAPE_HELP);
	CHECK_EQ(escape_key(&e, 'q'), ESCAPE_PASS);
	CHECK_EQ(escape_key(&e, ESCAPE_KEY), ESCAPE_DROP);
	CHECK_EQ(escape_key(&e, 'b'), ESCAPE_BREAK);
	CHECK_EQ(escape_key(&e, ESCAPE_KEY), ESCAPE_DROP);
	CHECK_EQ(escape_key(&e, 'z'), ESCAPE_SUSPEND);
	CHECK_EQ(escape_key(&e, 'z'), ESCAPE_PASS);
}

/* Sessions */

struct talk {
	struct session s;
	struct loop *loop;
	struct work *drain;		/* asked for and not answered */
	bool hold_drain, started, held;
	int ended, dumped, died;
	u16 rows, cols;
	int in, out, err;		/* the far ends of 0, 1, 2 */
	int control;			/* the guest's */
};

static void talk_end(void *obj)
{
	struct talk *t = obj;

	t->ended++;
	loop_stop(t->loop);
}

static void talk_resize(void *obj, u16 rows, u16 cols)
{
	struct talk *t = obj;

	t->rows = rows;
	t->cols = cols;
	if (t->started)
		loop_stop(t->loop);
}

static void talk_drain(void *obj, struct work *done)
{
	struct talk *t = obj;

	if (!t->hold_drain) {
		loop_post(t->loop, done);
		return;
	}
	t->drain = done;
	loop_stop(t->loop);
}

static int talk_break(void *obj, char key)
{
	char text[] = { 'B', 'R', 'K', key, '\n' };

	CHECK_EQ(write(1, text, sizeof(text)), sizeof(text));
	return key == 'z' ? -ENOTCONN : 0;
}

static void talk_hold(void *obj, bool hold)
{
	struct talk *t = obj;

	CHECK_EQ(t->held, !hold);
	t->held = hold;
	CHECK_EQ(write(1, hold ? "held\n" : "going on\n", hold ? 5 : 9), hold ? 5 : 9);
}

static void talk_dump(void *obj)
{
	struct talk *t = obj;

	t->dumped++;
}

static void talk_died(void *obj)
{
	struct talk *t = obj;

	t->died++;
}

static const struct session_ops talk_ops = {
	.end = talk_end, .resize = talk_resize, .drain = talk_drain, .brk = talk_break,
	.hold = talk_hold, .dump = talk_dump, .died = talk_died,
};

/* 0, 1 and 2 become pipes. */
static void talk_pipes(struct talk *t)
{
	int p[2];

	memset(t, 0, sizeof(*t));
	CHECK(!pipe2(p, O_CLOEXEC));
	dup2(p[0], 0);
	close(p[0]);
	t->in = p[1];
	CHECK(!pipe2(p, O_CLOEXEC));
	dup2(p[1], 1);
	close(p[1]);
	t->out = p[0];
	CHECK(!pipe2(p, O_CLOEXEC));
	dup2(p[1], 2);
	close(p[1]);
	t->err = p[0];
	fcntl(t->err, F_SETFL, O_NONBLOCK);
}

static void talk_start(struct talk *t, struct session_config cfg)
{
	const char *p;

	CHECK_EQ(session_open(&t->s, &cfg), 0);
	t->control = -1;
	if (t->s.device) {
		p = strstr(t->s.device, "port=lkvm.control:fd:");
		CHECK(p);
		t->control = atoi(p + strlen("port=lkvm.control:fd:"));
	}
	CHECK_EQ(loop_new(&t->loop, NULL), 0);
	CHECK_EQ(session_start(&t->s, t->loop, &talk_ops, t), 0);
	t->started = true;
}

static void talk_run(struct talk *t)
{
	loop_run(t->loop);
}

static int talk_stop(struct talk *t, enum vm_end end, int exit_port)
{
	int status;

	session_leave(&t->s);
	loop_free(t->loop);
	status = session_status(&t->s, end, exit_port);
	session_close(&t->s);
	return status;
}

static void say(struct talk *t, const char *text)
{
	CHECK_EQ(write(t->control, text, strlen(text)), strlen(text));
}

/* The descriptor that the guest's console is written to, and the one it is read from. */
static int console_fd(struct talk *t, bool out)
{
	int in = -1, fd = -1;

	if (sscanf(t->s.console, "fd::%d", &fd) != 1)
		CHECK_EQ(sscanf(t->s.console, "fd:%d:%d", &in, &fd), 2);
	return out ? fd : in;
}

static void print(struct talk *t, const char *text)
{
	CHECK_EQ(write(console_fd(t, true), text, strlen(text)), strlen(text));
}

/* All that was said on stderr. */
static const char *errors(struct talk *t)
{
	static char buf[65536];
	ssize_t n = read(t->err, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = 0;
	return buf;
}

TEST(a_command_that_ends)
{
	struct talk t;
	char buf[16];

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true, .oops_fail = true });
	CHECK_STR(t.s.mode[0], "pipe");
	CHECK_STR(t.s.mode[1], "pipe");
	CHECK_STR(t.s.mode[2], "pipe");
	CHECK(!strncmp(t.s.device, "port=lkvm.stdin:fd:0:,port=lkvm.stdout:fd::1,port=lkvm.stderr:fd::2,port=lkvm.agent:fd:", 86));
	say(&t, "ready 1000 2000\nex");
	say(&t, "it 3\n");
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(read(t.control, buf, sizeof(buf)), 4);
	CHECK_MEM(buf, "bye\n", 4);
	CHECK_EQ(t.s.init_ns, 1000);
	CHECK_EQ(t.s.ready_ns, 2000);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 3);
	CHECK_STR(errors(&t), "");
}

TEST(pid_1_asks_what_time_it_is)
{
	struct talk t;
	struct timespec now;
	long long sec;
	char buf[64];
	ssize_t n;
	long ns;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	say(&t, "time\nexit 0\n");
	talk_run(&t);
	n = read(t.control, buf, sizeof(buf) - 1);
	CHECK(n > 0);
	buf[n] = 0;
	CHECK_EQ(sscanf(buf, "time %lld %ld\nbye\n", &sec, &ns), 2);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(sec <= now.tv_sec && sec > now.tv_sec - 60 && ns >= 0 && ns < 1000000000);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 0);
}

TEST(the_end_waits_for_the_output)
{
	struct talk t;
	char buf[16];

	talk_pipes(&t);
	t.hold_drain = true;
	talk_start(&t, (struct session_config){ .command = true });
	say(&t, "signal 9\nexit 0\n");
	talk_run(&t);
	CHECK(t.drain && !t.ended);
	loop_post(t.loop, t.drain);
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(read(t.control, buf, sizeof(buf)), 4);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 137);
}

TEST(what_the_guest_cannot_do_is_said)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	say(&t, "note slow\nerror the kernel lacks CONFIG_OVERLAY_FS\033[2J\n");
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 125);
	CHECK_STR(errors(&t), "lkvm: warning: guest: slow\nlkvm: guest: the kernel lacks CONFIG_OVERLAY_FS.[2J\n");
}

TEST(without_a_control_port_it_is_said_on_the_console)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	print(&t, "[    1.234567] lkvm: note a is not loaded\n"
	      "[    1.25] Command line: lkvm: error of somebody else\nlkvm: exit 0\n"
	      "[    1.300000] lkvm: error PID 1 cannot talk to lkvm: the kernel lacks X\n");
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(talk_stop(&t, VM_POWEROFF, 0), 125);
	CHECK_STR(errors(&t), "lkvm: warning: guest: a is not loaded\n"
		  "lkvm: guest: PID 1 cannot talk to lkvm: the kernel lacks X\n");
}

TEST(a_kernel_that_halts_has_ended)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	say(&t, "ready 1 2\n");
	print(&t, "[   14.595869] kmsg: reboot: System halted\n[   14.600000] reboot: System halted\n");
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 123);
	CHECK(strstr(errors(&t), "the guest switched itself off before the command had ended"));
}

TEST(once_pid_1_is_ready_the_console_is_anybodys)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	say(&t, "ready 1 2\nexit 5\n");
	talk_run(&t);
	print(&t, "lkvm: error made up\n");
	CHECK_EQ(talk_stop(&t, VM_POWEROFF, 0), 5);
	CHECK_STR(errors(&t), "");
}

TEST(lines_that_never_end_are_skipped)
{
	static char big[5000];
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	memset(big, 'x', sizeof(big) - 1);
	say(&t, big);
	say(&t, "\nwhat\n\nexit\nexit x\nexit 6\n");
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 6);
}

TEST(null_and_shared_streams)
{
	struct talk t;
	struct session_config cfg = { .command = true };
	int fd;

	talk_pipes(&t);
	fd = open("/dev/null", O_RDWR);
	dup2(fd, 0);
	dup2(1, 2);
	CHECK_EQ(session_open(&t.s, &cfg), 0);
	CHECK_STR(t.s.mode[0], "null");
	CHECK_STR(t.s.mode[1], "pipe");
	CHECK_STR(t.s.mode[2], "stdout");
	CHECK(!strncmp(t.s.device, "port=lkvm.stdout:fd::1,port=lkvm.agent:fd:", 42));
	session_close(&t.s);
}

TEST(closed_descriptors)
{
	struct session_config cfg = { .command = true };
	struct session s;

	close(0);
	close(1);
	close(2);
	CHECK_EQ(session_open(&s, &cfg), 0);
	CHECK_STR(s.mode[0], "null");
	CHECK_STR(s.mode[1], "pipe");
	CHECK_STR(s.mode[2], "pipe");
	CHECK(write(1, "x", 1) < 0 && errno == EPIPE);
	CHECK(write(2, "x", 1) < 0 && errno == EPIPE);
	session_close(&s);
}

/* What nohup leaves, and a shell's 1<file. */
TEST(descriptors_for_the_other_direction)
{
	struct session_config cfg = { .console = true };
	struct talk t;

	talk_pipes(&t);
	CHECK_EQ(dup2(open("/dev/null", O_WRONLY), 0), 0);
	CHECK_EQ(dup2(open("/dev/null", O_RDONLY), 1), 1);
	CHECK_EQ(session_open(&t.s, &cfg), 0);
	CHECK_EQ(read(0, &cfg, 1), 0);
	CHECK(write(1, "x", 1) < 0 && errno == EPIPE);
	session_close(&t.s);
	CHECK_EQ(dup2(open("/dev/null", O_PATH), 0), 0);
	CHECK_EQ(session_open(&t.s, &cfg), 0);
	session_close(&t.s);
}

TEST(stdin_is_not_read)
{
	struct talk t;
	struct session_config cfg = { .command = true, .no_stdin = true };
	char c;

	talk_pipes(&t);
	CHECK_EQ(write(t.in, "x", 1), 1);
	close(t.in);
	t.in = dup(0);
	CHECK_EQ(session_open(&t.s, &cfg), 0);
	CHECK_STR(t.s.mode[0], "null");
	CHECK_EQ(read(0, &c, 1), 0);
	session_close(&t.s);
	CHECK_EQ(read(t.in, &c, 1), 1);
}

TEST(a_panic_shows_the_last_lines)
{
	struct talk t;
	const char *said;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	print(&t, "[    0.1] Linux version 6\r\n");
	print(&t, "[    0.2] Kernel panic - not syncing: Attempted to kill init!\r\n[    0.3] ---[ end Kernel pa");
	print(&t, "nic - not syncing: Attempted to kill init! ]---\r\n");
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(t.died, 1);
	/* What comes after the end is read too. */
	print(&t, "the rest");
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 123);
	said = errors(&t);
	CHECK(strstr(said, "\n[    0.1] Linux version 6\n"));
	CHECK(strstr(said, "\nthe rest\n"));
	CHECK(strstr(said, "lkvm: the guest's kernel panicked: [    0.2] Kernel panic - not syncing: Attempted to kill init!\n"));
}

TEST(an_oops_is_told_when_all_of_it_is_there)
{
	static const char begin[] = "BUG: kernel NULL pointer dereference\n", end[] = "---[ end trace 0 ]---\n";
	struct kmsg *k = calloc(1, sizeof(*k));
	struct talk t;

	kmsg_feed(k, begin, strlen(begin));
	CHECK(k->oops && !k->told);
	kmsg_feed(k, end, strlen(end));
	CHECK(k->told);
	free(k);
	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	print(&t, begin);
	print(&t, end);
	print(&t, "Kernel panic - not syncing: Fatal exception\n");
	print(&t, "---[ end Kernel panic - not syncing: Fatal exception ]---\n");
	talk_run(&t);
	CHECK_EQ(t.died, 1);
	CHECK(session_died(&t.s, VM_EXIT));
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 123);
}

TEST(a_warning_fails_only_if_asked_to)
{
	static const char line[] = "[    0.2] WARNING: CPU: 0 PID: 1 at fs/foo.c:7 foo+0x1/0x2\r\n";
	struct talk t;

	for (int fails = 0; fails < 2; fails++) {
		const char *said;

		talk_pipes(&t);
		talk_start(&t, (struct session_config){ .command = true, .oops_fail = true, .fails = fails << FAULT_WARN });
		print(&t, line);
		say(&t, "exit 3\n");
		talk_run(&t);
		CHECK_EQ(talk_stop(&t, VM_EXIT, 0), fails ? 123 : 3);
		said = errors(&t);
		if (fails)
			CHECK(strstr(said, "lkvm: the guest's kernel had a WARNING; the status of the command was 3\n"
				     "lkvm: fingerprint: WARNING at fs/foo.c:7 in foo\n"));
		else
			CHECK(strstr(said, "the guest's kernel had a WARNING: WARNING at fs/foo.c:7 in foo\n"));
	}
}

/* A test's log, or an old crash that somebody writes to /dev/kmsg. */
TEST(lines_that_only_look_like_a_panic)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true, .oops_fail = true });
	print(&t, "[    0.2] Kernel panic - not syncing: x\r\n");
	print(&t, "[    0.2] ---[ end Kernel panic - not syncing: x ]---\r\n");
	say(&t, "exit 0\n");
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 0);
	CHECK_STR(errors(&t), "");
}

TEST(a_panic_after_the_report)
{
	struct talk t;

	talk_pipes(&t);
	t.hold_drain = true;
	talk_start(&t, (struct session_config){ .command = true });
	say(&t, "exit 0\n");
	talk_run(&t);
	print(&t, "[    0.2] Kernel panic - not syncing: x\r\n");
	/* Before all output was taken. */
	CHECK_EQ(talk_stop(&t, VM_RESET, 0), 123);
}

struct stopper {
	struct timer timer;
	struct loop *loop;
};

static void stopper_due(struct timer *t)
{
	loop_stop(container_of(t, struct stopper, timer)->loop);
}

/* A guest that has booted and resets itself, having printed @text. */
static const char *reset_after(const char *text)
{
	struct stopper stopper = { .timer.fn = stopper_due };
	char buf[16];
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	stopper.loop = t.loop;
	print(&t, "[    0.1] Linux version 6\r\n");
	say(&t, "ready 1 2\n");
	/* It is told to stop as soon as it is ready, and both have been read then. */
	CHECK_EQ(session_stop(&t.s), 0);
	do {
		loop_timer(t.loop, &stopper.timer, loop_now());
		talk_run(&t);
	} while (recv(t.control, buf, sizeof(buf), MSG_DONTWAIT) < 0);
	print(&t, text);
	CHECK_EQ(talk_stop(&t, VM_RESET, 0), 123);
	return errors(&t);
}

TEST(a_reset_does_not_show_how_it_had_booted)
{
	const char *said = reset_after("[   99.0] reboot: machine restart\r\n");

	CHECK(!strstr(said, "Linux version"));
	CHECK(strstr(said, "the last lines of the guest's kernel:\n[   99.0] reboot: machine restart\n"));
	CHECK(strstr(said, "reset itself before the command had ended"));
	said = reset_after("");
	CHECK(!strstr(said, "Linux version"));
	CHECK(!strstr(said, "the last lines"));
}

TEST(a_kernel_that_is_well_says_nothing)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	print(&t, "[    0.1] Linux version 6\r\n");
	say(&t, "exit 0\n");
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 0);
	CHECK_STR(errors(&t), "");
}

TEST(an_oops_that_only_the_console_saw)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true, .oops_fail = true });
	say(&t, "exit 0\n");
	talk_run(&t);
	print(&t, "Oops: 0000 [#1] SMP\n");
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 123);
	CHECK(strstr(errors(&t), "Oops: 0000 [#1] SMP"));
}

TEST(kmsg_file_and_verbose)
{
	char path[] = "/tmp/lkvm-session-XXXXXX", buf[64];
	struct talk t;
	int fd = mkstemp(path);

	talk_pipes(&t);
	CHECK_EQ(write(fd, "old old old old old", 19), 19);
	talk_start(&t, (struct session_config){ .command = true, .kmsg = path, .verbose = true });
	print(&t, "hello\r\n");
	say(&t, "exit 0\n");
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 0);
	CHECK_STR(errors(&t), "hello\n");
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), 7);
	CHECK_MEM(buf, "hello\r\n", 7);
	unlink(path);
}

TEST(signals_end_the_machine)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++) {
		struct talk t;

		talk_pipes(&t);
		talk_start(&t, (struct session_config){ .command = true });
		kill(getpid(), signals[i]);
		talk_run(&t);
		CHECK_EQ(t.ended, 1);
		CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 128 + signals[i]);
	}
}

TEST(a_stop_is_said_to_pid_1)
{
	struct talk t;
	char buf[32];

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	/* Before PID 1 is ready its driver would drop it. */
	CHECK_EQ(session_stop(&t.s), 0);
	CHECK(recv(t.control, buf, sizeof(buf), MSG_DONTWAIT) < 0);
	say(&t, "ready 1 2\nsignal 15\n");
	talk_run(&t);
	CHECK_EQ(read(t.control, buf, sizeof(buf)), 9);
	CHECK_MEM(buf, "stop\nbye\n", 9);
	CHECK_EQ(session_stop(&t.s), 0);
	CHECK_EQ(read(t.control, buf, sizeof(buf)), 5);
	CHECK_MEM(buf, "stop\n", 5);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 128 + SIGTERM);
	CHECK_STR(errors(&t), "lkvm: the command was killed by SIGTERM\n");
}

TEST(without_pid_1_a_kill_is_all_there_is)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .console = true });
	CHECK_EQ(session_stop(&t.s), -ENOTSUP);
	CHECK(session_reboot(&t.s));
	session_kill(&t.s);
	CHECK_EQ(t.ended, 1);
	CHECK(!session_reboot(&t.s));
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 128 + SIGTERM);
}

TEST(an_ignored_signal_stays_ignored)
{
	struct talk t;

	signal(SIGHUP, SIG_IGN);
	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true });
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGTERM);
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 128 + SIGTERM);
}

TEST(a_timeout)
{
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .command = true, .timeout = 1 });
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(t.dumped, 1);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 124);
	CHECK(strstr(errors(&t), "--timeout"));
}

TEST(a_guest_that_reboots)
{
	struct talk t;
	struct session_config cfg = { .command = false };

	talk_pipes(&t);
	talk_start(&t, cfg);
	say(&t, "ready 1 2\nhalf a li");
	print(&t, "first\n");
	kill(getpid(), SIGWINCH);	/* nothing to do with it: no terminal */
	session_leave(&t.s);
	loop_free(t.loop);
	CHECK_EQ(loop_new(&t.loop, NULL), 0);
	CHECK_EQ(session_start(&t.s, t.loop, &talk_ops, &t), 0);
	say(&t, "ready 1 2\nexit 9\n");
	talk_run(&t);
	CHECK_EQ(t.ended, 1);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 9);
}

/* The console as stdin and stdout */

TEST(console_both_ways)
{
	struct talk t;
	char buf[16];
	struct pollfd p;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .console = true });
	CHECK(!t.s.device);
	/* Binary clean: Ctrl-a is a key of terminals only. */
	CHECK_EQ(write(t.in, "\1xyz", 4), 4);
	close(t.in);
	print(&t, "hi\r\n");
	p = (struct pollfd){ .fd = console_fd(&t, false), .events = POLLIN };
	kill(getpid(), SIGTERM);	/* after what is there already */
	talk_run(&t);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(read(p.fd, buf, sizeof(buf)), 4);
	CHECK_MEM(buf, "\1xyz", 4);
	talk_stop(&t, VM_EXIT, 0);
	CHECK_EQ(read(t.out, buf, sizeof(buf)), 4);
	CHECK_MEM(buf, "hi\r\n", 4);
}

TEST(console_output_is_complete_for_a_slow_reader)
{
	static char data[60000], back[60000];
	struct talk t;
	size_t done = 0;
	int status;
	pid_t pid;

	talk_pipes(&t);
	fcntl(1, F_SETPIPE_SZ, 4096);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 60 ? 'a' + i % 26 : '\n';
	pid = fork();
	if (!pid) {
		talk_start(&t, (struct session_config){ .console = true });
		close(t.out);
		CHECK_EQ(write(console_fd(&t, true), data, sizeof(data)), sizeof(data));
		_exit(talk_stop(&t, VM_EXIT, 17));
	}
	close(1);
	while (done < sizeof(back)) {
		ssize_t n = read(t.out, back + done, sizeof(back) - done);

		CHECK(n > 0);
		done += n;
	}
	CHECK_MEM(back, data, sizeof(data));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 17);
}

TEST(console_reader_that_has_gone)
{
	static char data[60000];
	struct talk t;

	talk_pipes(&t);
	talk_start(&t, (struct session_config){ .console = true });
	close(t.out);
	memset(data, 'x', sizeof(data));
	CHECK_EQ(write(console_fd(&t, true), data, sizeof(data)), sizeof(data));
	CHECK_EQ(talk_stop(&t, VM_POWEROFF, 0), 0);
}

/* Nobody reads stdout, and nobody ends reading it. */
static void talk_full(struct talk *t, struct session_config cfg)
{
	static char data[30000];

	talk_pipes(t);
	fcntl(1, F_SETPIPE_SZ, 4096);
	talk_start(t, cfg);
	memset(data, 'x', sizeof(data));
	CHECK_EQ(write(console_fd(t, true), data, sizeof(data)), sizeof(data));
}

TEST(a_reader_that_does_not_read_delays_no_timeout)
{
	struct talk t;

	talk_full(&t, (struct session_config){ .console = true, .timeout = 1 });
	talk_run(&t);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 124);
}

TEST(a_reader_that_does_not_read_after_the_end)
{
	struct talk t;

	talk_full(&t, (struct session_config){ .console = true, .timeout = 1 });
	CHECK_EQ(talk_stop(&t, VM_POWEROFF, 0), 124);
}

TEST(a_reader_that_does_not_read_delays_no_kill)
{
	struct talk t;

	talk_full(&t, (struct session_config){ .console = true });
	session_kill(&t.s);
	CHECK_EQ(talk_stop(&t, VM_EXIT, 0), 128 + SIGTERM);
}

/* Terminals */

struct pty {
	int master;
	pid_t pid;
	struct termios before;
};

/* fn() in a session of its own whose terminal, and 0, 1 and 2, are the pty. */
static void pty_run(struct pty *p, void (*fn)(void))
{
	struct winsize ws = { .ws_row = 33, .ws_col = 111 };

	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(p->master >= 0 && !unlockpt(p->master));
	CHECK(!ioctl(p->master, TIOCSWINSZ, &ws));
	CHECK(!tcgetattr(p->master, &p->before));
	CHECK(p->before.c_lflag & ICANON);
	p->pid = fork();
	if (!p->pid) {
		int fd;

		setsid();
		fd = open(ptsname(p->master), O_RDWR);
		CHECK(!ioctl(fd, TIOCSCTTY, 0));
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		fn();
		_exit(99);
	}
}

static void pty_expect(struct pty *p, const char *text)
{
	char buf[1024];
	size_t len = 0;
	struct pollfd fd = { .fd = p->master, .events = POLLIN };

	for (;;) {
		ssize_t n;

		CHECK(poll(&fd, 1, -1) == 1);
		n = read(p->master, buf + len, sizeof(buf) - 1 - len);
		CHECK(n > 0);
		len += n;
		buf[len] = 0;
		if (strstr(buf, text))
			return;
	}
}

static bool pty_is_raw(struct pty *p)
{
	struct termios tio;

	CHECK(!tcgetattr(p->master, &tio));
	return !(tio.c_lflag & (ICANON | ECHO | ISIG)) && !(tio.c_oflag & OPOST);
}

static int pty_wait(struct pty *p)
{
	struct termios tio;
	int status;

	CHECK_EQ(waitpid(p->pid, &status, 0), p->pid);
	CHECK(!tcgetattr(p->master, &tio));
	CHECK_EQ(tio.c_lflag, p->before.c_lflag);
	CHECK_EQ(tio.c_iflag, p->before.c_iflag);
	CHECK_EQ(tio.c_oflag, p->before.c_oflag);
	return status;
}

/* What a guest would do: echo in capitals. */
static void *guest_tty(void *arg)
{
	int keys = *(int *)arg;
	char c;

	while (read(keys, &c, 1) == 1) {
		if (c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		if (c == 1)
			c = '^';
		CHECK_EQ(write(1, &c, 1), 1);
	}
	return NULL;
}

static void shell(void)
{
	struct talk t = { 0 };
	pthread_t guest;
	int keys, status;

	talk_start(&t, (struct session_config){ .command = false });
	CHECK_EQ(t.s.rows, 33);
	CHECK_EQ(t.cols, 111);
	CHECK_STR(t.s.mode[0], "tty");
	CHECK_STR(t.s.mode[1], "tty");
	CHECK_STR(t.s.mode[2], "tty");
	CHECK(!strncmp(t.s.device, "port=lkvm.tty:fd:", 17));
	/* Its own: the session closes its descriptors before the guest has ended. */
	keys = dup(atoi(strstr(t.s.device, "lkvm.tty:fd:") + 12));
	CHECK_EQ(write(1, "up\n", 3), 3);
	CHECK(!pthread_create(&guest, NULL, guest_tty, &keys));
	while (!t.ended) {
		talk_run(&t);
		if (t.cols == 222) {
			char line[32] = "";

			CHECK(read(t.control, line, sizeof(line)) > 0);
			CHECK(strstr(line, "winsize 44 222\n"));
			CHECK_EQ(write(1, "resized\n", 8), 8);
			t.cols = 0;
		}
	}
	status = talk_stop(&t, VM_EXIT, 0);
	pthread_join(guest, NULL);	/* its pipe has ended */
	exit(status);
}

TEST(a_terminal_is_raw_and_restored)
{
	struct winsize ws = { .ws_row = 44, .ws_col = 222 };
	struct pty p;

	pty_run(&p, shell);
	pty_expect(&p, "up\n");		/* no CR: raw */
	CHECK(pty_is_raw(&p));
	CHECK_EQ(write(p.master, "hello\3", 6), 6);
	pty_expect(&p, "HELLO\3");	/* Ctrl-C is the guest's */
	CHECK_EQ(write(p.master, "\1h", 2), 2);
	pty_expect(&p, "Ctrl-a x");
	CHECK_EQ(write(p.master, "\1ac", 3), 3);
	pty_expect(&p, "^C");
	/* No key of ours: here is what there is. */
	CHECK_EQ(write(p.master, "\1q", 2), 2);
	pty_expect(&p, "Ctrl-a x");
	CHECK_EQ(write(p.master, "\1b\1", 3), 3);
	pty_expect(&p, "BRK\1");
	CHECK_EQ(write(p.master, "\1bz", 3), 3);
	pty_expect(&p, "does not listen on its serial console");
	CHECK_EQ(write(p.master, "f", 1), 1);
	pty_expect(&p, "F");
	CHECK(!ioctl(p.master, TIOCSWINSZ, &ws));
	pty_expect(&p, "resized");
	CHECK_EQ(write(p.master, "\1x", 2), 2);
	CHECK_EQ(WEXITSTATUS(pty_wait(&p)), 0);
}

TEST(a_terminal_is_restored_after_signals)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct pty p;

	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++) {
		pty_run(&p, shell);
		pty_expect(&p, "up\n");
		kill(p.pid, signals[i]);
		CHECK_EQ(WEXITSTATUS(pty_wait(&p)), 128 + signals[i]);
	}
}

static void crash_abort(void)
{
	CHECK_EQ(terminal_raw(0), 0);
	CHECK_EQ(write(1, "up\n", 3), 3);
	signal(SIGTERM, SIG_DFL);
	abort();
}

static void crash_segv(void)
{
	signal(SIGSEGV, SIG_DFL);	/* a sanitizer's */
	CHECK_EQ(terminal_raw(0), 0);
	raise(SIGSEGV);
}

static void just_exit(void)
{
	CHECK_EQ(terminal_raw(0), 0);
	exit(3);
}

TEST(a_terminal_is_restored_after_a_crash)
{
	struct pty p;
	int status;

	pty_run(&p, crash_abort);
	status = pty_wait(&p);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	pty_run(&p, crash_segv);
	status = pty_wait(&p);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	pty_run(&p, just_exit);
	CHECK_EQ(WEXITSTATUS(pty_wait(&p)), 3);
}

TEST(a_stopped_session_gives_the_terminal_back)
{
	struct termios tio;
	struct pty p;
	int status;

	pty_run(&p, shell);
	pty_expect(&p, "up\n");
	kill(p.pid, SIGTSTP);
	CHECK_EQ(waitpid(p.pid, &status, WUNTRACED), p.pid);
	CHECK(WIFSTOPPED(status));
	CHECK(!tcgetattr(p.master, &tio) && (tio.c_lflag & ICANON));
	kill(p.pid, SIGCONT);
	pty_expect(&p, "going on");
	/* Raw again as soon as it reads again. */
	do {
		CHECK_EQ(write(p.master, "k", 1), 1);
		pty_expect(&p, "K");
	} while (!pty_is_raw(&p));
	CHECK_EQ(write(p.master, "\1x", 2), 2);
	CHECK_EQ(WEXITSTATUS(pty_wait(&p)), 0);
}

TEST(suspended_by_a_key)
{
	struct termios tio;
	struct pty p;
	int status;

	pty_run(&p, shell);
	pty_expect(&p, "up\n");
	/* Ctrl-Z is the guest's. */
	CHECK_EQ(write(p.master, "\032k", 2), 2);
	pty_expect(&p, "\032K");
	CHECK_EQ(write(p.master, "\1z", 2), 2);
	CHECK_EQ(waitpid(p.pid, &status, WUNTRACED), p.pid);
	CHECK(WIFSTOPPED(status));
	CHECK(!tcgetattr(p.master, &tio) && (tio.c_lflag & ICANON));
	pty_expect(&p, "held");
	kill(p.pid, SIGCONT);
	pty_expect(&p, "going on");
	do {
		CHECK_EQ(write(p.master, "k", 1), 1);
		pty_expect(&p, "K");
	} while (!pty_is_raw(&p));
	CHECK_EQ(write(p.master, "\1x", 2), 2);
	CHECK_EQ(WEXITSTATUS(pty_wait(&p)), 0);
}

static void in_background(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		setpgid(0, 0);
		shell();
	}
	setpgid(pid, pid);
	signal(SIGTTOU, SIG_IGN);
	/* Runs, and neither stops nor touches the terminal; then it is brought to the foreground. */
	CHECK_EQ(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
	while (read(0, &status, 1) != 1)
		;
	CHECK(!tcsetpgrp(0, pid));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

TEST(a_session_in_the_background)
{
	struct termios tio;
	struct pty p;

	pty_run(&p, in_background);
	pty_expect(&p, "up\r\n");	/* with CR: not raw */
	CHECK(!tcgetattr(p.master, &tio) && (tio.c_lflag & ICANON));
	CHECK_EQ(write(p.master, "\n", 1), 1);
	do {
		struct pollfd none = { .fd = -1 };

		poll(&none, 1, 20);	/* nothing tells when the mode of a pty changes */
	} while (!pty_is_raw(&p));
	CHECK_EQ(write(p.master, "hello", 5), 5);
	pty_expect(&p, "HELLO");
	CHECK_EQ(write(p.master, "\1x", 2), 2);
	CHECK_EQ(WEXITSTATUS(pty_wait(&p)), 0);
}
