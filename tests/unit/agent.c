// SPDX-License-Identifier: GPL-2.0
/*
 * The agent in the guest, without a guest: it runs on this machine, and the test is lkvm,
 * at the other end of its port. Its commands are this machine's, run by root. Then lkvm's
 * part, between clients and a guest; the test is one of them or both.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/agent.h>
#include <kvm/types.h>

#include <kvm/control.h>

#include "../../builtin/session/agent.h"
#include "scratch.h"
#include "tap.h"

extern const char guest_init[], guest_init_end[];

static int port;
static pid_t agent;

/* What a session has said so far. */
struct heard {
	char text[2][4096];
	size_t len[2], bytes[2];	/* the beginning; all */
	size_t frames[2];
	bool eof[2], over, started;
	int status;
	char error[128];
	u32 stdin_credit;
	bool greedy;			/* it gives no credit */
};

#define MOST 256
static struct heard heard[MOST];

static void start(void)
{
	int pair[2], fd = open(scratch("init"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	size_t len = guest_init_end - guest_init;
	char *argv[] = { "agent", NULL }, *env[] = { NULL };

	if (geteuid())
		SKIP("commands become users, which root can");
	CHECK_EQ(write(fd, guest_init, len), len);
	close(fd);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	agent = fork();
	if (!agent) {
		dup2(fcntl(pair[1], F_DUPFD, 10), 3);
		execve(scratch("init"), argv, env);
		_exit(1);
	}
	close(pair[1]);
	port = pair[0];
	memset(heard, 0, sizeof(heard));
}

static void stop(void)
{
	int status;

	close(port);
	CHECK_EQ(waitpid(agent, &status, 0), agent);
	CHECK_EQ(status, 0);
}

static void put(u32 id, u8 type, u8 stream, const void *data, u32 len)
{
	static struct { struct agent_frame f; u8 data[AGENT_FRAME_MAX]; } out;

	/* At once: whoever does not like the header hangs up behind it. */
	out.f = (struct agent_frame) { AGENT_MAGIC, type, stream, id, len };
	if (len)
		memcpy(out.data, data, len);
	CHECK_EQ(send(port, &out, sizeof(out.f) + len, 0), sizeof(out.f) + len);
}

static void put_u32(u32 id, u8 type, u8 stream, u32 value)
{
	put(id, type, stream, &value, sizeof(value));
}

/* Run sh -c @line in session @id; @more are records, with a NUL behind each. */
static void run(u32 id, const char *line, const char *more, size_t len)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), "arg=sh%carg=-c%carg=%s%c", 0, 0, line, 0);

	heard[id] = (struct heard) { .stdin_credit = AGENT_WINDOW };
	put(id, AGENT_REQUEST, 0, text, n);
	if (len)
		put(id, AGENT_REQUEST, 0, more, len);
	put(id, AGENT_START, 0, NULL, 0);
}

static void get(void *to, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = recv(port, (char *)to + have, len - have, 0);

		CHECK(n > 0);
		have += n;
	}
}

/* One frame of the agent, whose session is returned. */
static u32 hear(void)
{
	static char data[AGENT_FRAME_MAX];
	struct agent_frame f;
	struct heard *h;
	u32 value = 0;
	unsigned int s;

	get(&f, sizeof(f));
	CHECK_EQ(f.magic, AGENT_MAGIC);
	CHECK(f.len <= sizeof(data) && f.session < MOST);
	get(data, f.len);
	h = &heard[f.session];
	CHECK(!h->over);
	s = f.stream == 2;
	if (f.len >= 4)
		memcpy(&value, data, 4);
	switch (f.type) {
	case AGENT_DATA:
		memcpy(h->text[s] + h->len[s], data, min(sizeof(h->text[s]) - 1 - h->len[s], (size_t)f.len));
		h->len[s] = min(sizeof(h->text[s]) - 1, h->len[s] + f.len);
		h->bytes[s] += f.len;
		h->frames[s]++;
		if (!h->greedy)
			put_u32(f.session, AGENT_CREDIT, f.stream, f.len + sizeof(f));
		break;
	case AGENT_EOF:
		h->eof[s] = true;
		break;
	case AGENT_CREDIT:
		h->stdin_credit += value;
		break;
	case AGENT_ERROR:
		snprintf(h->error, sizeof(h->error), "%.*s", (int)f.len, data);
		h->over = true;
		break;
	case AGENT_EXIT:
		h->status = value;
		h->over = true;
		break;
	default:
		tap_fail(__FILE__, __LINE__, "frame of type %d", f.type);
	}
	return f.session;
}

static void finish(u32 id)
{
	while (!heard[id].over)
		hear();
}

TEST(agent_runs_a_command)
{
	start();
	run(1, "echo out; echo err >&2; exit 3", NULL, 0);
	finish(1);
	CHECK_STR(heard[1].text[0], "out\n");
	CHECK_STR(heard[1].text[1], "err\n");
	CHECK_EQ(WEXITSTATUS(heard[1].status), 3);
	CHECK_EQ(WIFEXITED(heard[1].status), 1);
	run(2, "kill -9 $$", NULL, 0);
	finish(2);
	CHECK_EQ(WTERMSIG(heard[2].status), 9);
	stop();
}

TEST(agent_environment)
{
	char more[256];
	int n = snprintf(more, sizeof(more), "env=A=one two%cenv=PATH=/bin%ccwd=/usr%cuser=nobody%c", 0, 0, 0, 0);

	start();
	run(1, "echo \"$A\" $PATH $(pwd) $(id -un) $HOME; tty", more, n);
	finish(1);
	CHECK(strstr(heard[1].text[0], "one two /bin /usr nobody /nonexistent"));
	CHECK(strstr(heard[1].text[0], "not a tty"));
	/* Mistakes are the command's, and say what is wrong. */
	run(2, "true", "user=nobody-at-all", 19);
	finish(2);
	CHECK_EQ(WEXITSTATUS(heard[2].status), 126);
	CHECK(strstr(heard[2].text[1], "nobody-at-all"));
	run(3, "true", "cwd=/nowhere", 13);
	finish(3);
	CHECK_EQ(WEXITSTATUS(heard[3].status), 126);
	put(4, AGENT_REQUEST, 0, "arg=no-such-program", 20);
	put(4, AGENT_START, 0, NULL, 0);
	finish(4);
	CHECK_EQ(WEXITSTATUS(heard[4].status), 127);
	stop();
}

TEST(agent_passes_stdin)
{
	static char data[AGENT_FRAME_MAX];
	size_t sent = 0, all = 10 << 20;

	start();
	run(1, "cat; echo end >&2", NULL, 0);
	memset(data, 'x', sizeof(data));
	while (heard[1].bytes[0] < all) {
		u32 len = sizeof(data) - sizeof(struct agent_frame);

		if (sent < all && heard[1].stdin_credit >= sizeof(data)) {
			len = min((size_t)len, all - sent);
			put(1, AGENT_DATA, 0, data, len);
			heard[1].stdin_credit -= len + sizeof(struct agent_frame);
			sent += len;
			continue;
		}
		if (sent == all) {
			put(1, AGENT_EOF, 0, NULL, 0);
			sent++;
		}
		hear();
	}
	finish(1);
	CHECK_EQ(heard[1].bytes[0], all);
	CHECK_STR(heard[1].text[1], "end\n");
	/* A command that reads none of it ends as it likes. */
	run(2, "exec 0<&-; echo done; sleep 0.1", NULL, 0);
	put(2, AGENT_DATA, 0, data, 1000);
	finish(2);
	CHECK_STR(heard[2].text[0], "done\n");
	stop();
}

/* One whose reader has stopped waits; all others go on. */
TEST(agent_credit_bounds_output)
{
	start();
	run(1, "head -c 1000000 /dev/zero", NULL, 0);
	heard[1].greedy = true;
	run(2, "echo other", NULL, 0);
	finish(2);
	/* A frame of data is more than its header. */
	while (heard[1].bytes[0] + (heard[1].frames[0] + 1) * sizeof(struct agent_frame) < AGENT_WINDOW)
		hear();
	run(3, "echo more", NULL, 0);
	finish(3);
	CHECK(heard[1].bytes[0] <= AGENT_WINDOW);
	CHECK(!heard[1].over);
	heard[1].greedy = false;
	put_u32(1, AGENT_CREDIT, 1, AGENT_WINDOW);
	finish(1);
	CHECK_EQ(heard[1].bytes[0], 1000000);
	stop();
}

TEST(agent_signals)
{
	start();
	run(1, "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.01; done", NULL, 0);
	while (!heard[1].len[0])
		hear();
	put_u32(1, AGENT_SIGNAL, 0, SIGTERM);
	finish(1);
	CHECK_STR(heard[1].text[0], "ready\ngot it\n");
	CHECK_EQ(WEXITSTATUS(heard[1].status), 7);
	stop();
}

TEST(agent_terminal)
{
	char more[] = "tty=yes\0winsize=33 101";

	start();
	run(1, "tty; stty size; read line; echo got $line; stty size; sleep 100", more, sizeof(more));
	while (!strstr(heard[1].text[0], "33 101"))
		hear();
	CHECK(strstr(heard[1].text[0], "/dev/pts/"));
	put_u32(1, AGENT_WINSIZE, 0, 44 | 55 << 16);
	put(1, AGENT_DATA, 0, "hello\n", 6);
	while (!strstr(heard[1].text[0], "44 55"))
		hear();
	CHECK(strstr(heard[1].text[0], "got hello"));
	/* Ctrl-c, by the terminal, which echoes it. A shell that is starting a program may not be hit. */
	while (!heard[1].over) {
		put(1, AGENT_DATA, 0, "\003", 1);
		hear();
	}
	CHECK_EQ(WTERMSIG(heard[1].status), SIGINT);
	run(2, "cat; echo end", more, sizeof(more));
	put(2, AGENT_EOF, 0, NULL, 0);
	finish(2);
	CHECK(strstr(heard[2].text[0], "end"));
	stop();
}

/* A client that goes takes its command along. */
TEST(agent_hangup)
{
	char path[128], line[256];
	int fd;

	start();
	snprintf(path, sizeof(path), "%s", scratch("fifo"));
	CHECK_EQ(mkfifo(path, 0600), 0);
	snprintf(line, sizeof(line), "exec 5>%s; echo there; sleep 100", path);
	run(1, line, NULL, 0);
	fd = open(path, O_RDONLY);
	while (!heard[1].len[0])
		hear();
	put(1, AGENT_CLOSE, 0, NULL, 0);
	/* Its end is the end of the FIFO. */
	CHECK_EQ(read(fd, line, 1), 0);
	close(fd);
	run(2, "echo next", NULL, 0);
	finish(2);
	CHECK(!heard[1].over);
	stop();
}

TEST_TIMEOUT(agent_hundred_at_once, 60)
{
	unsigned int i;

	start();
	for (i = 1; i <= 100; i++)
		run(i, "read x; echo $x", NULL, 0);
	for (i = 1; i <= 100; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%u\n", i);

		put(i, AGENT_DATA, 0, text, n);
	}
	for (i = 1; i <= 100; i++) {
		finish(i);
		CHECK_EQ(atoi(heard[i].text[0]), i);
	}
	stop();
}

TEST_TIMEOUT(agent_ten_thousand, 120)
{
	unsigned int i;

	start();
	for (i = 0; i < 10000; i++) {
		u32 id = 1 + i % 8;

		if (i >= 8)
			finish(id);
		heard[id] = (struct heard) { .error = "" };
		put(id, AGENT_REQUEST, 0, "arg=/bin/true", 14);
		put(id, AGENT_START, 0, NULL, 0);
	}
	for (i = 1; i <= 8; i++) {
		finish(i);
		CHECK_EQ(heard[i].status, 0);
	}
	stop();
}

/* Whatever lkvm sends, it does not end. */
TEST(agent_limits)
{
	static char data[AGENT_FRAME_MAX];
	unsigned int i;

	start();
	/* More data than there was credit for. */
	run(1, "sleep 100", NULL, 0);
	for (i = 0; i < 20 && !heard[1].over; i++)
		put(1, AGENT_DATA, 0, data, sizeof(data));
	finish(1);
	CHECK(strstr(heard[1].error, "credit"));
	/* A request that has no end. */
	for (i = 0; i < 10; i++)
		put(2, AGENT_REQUEST, 0, data, sizeof(data));
	finish(2);
	CHECK(strstr(heard[2].error, "too long"));
	memset(heard, 0, sizeof(heard));
	/* Sessions that never start: there is an end of them, and room again when they go. */
	for (i = 1; i <= AGENT_SESSIONS + 1; i++)
		put(i, AGENT_REQUEST, 0, "arg=true", 9);
	finish(AGENT_SESSIONS + 1);
	CHECK(strstr(heard[AGENT_SESSIONS + 1].error, "too many"));
	for (i = 1; i <= AGENT_SESSIONS; i++)
		put(i, AGENT_CLOSE, 0, NULL, 0);
	/* What is no frame is skipped. */
	CHECK_EQ(send(port, "rubbish", 7, 0), 7);
	put(200, 99, 7, data, 100);
	put(200, AGENT_START, 0, NULL, 0);
	run(3, "echo fine", NULL, 0);
	finish(3);
	CHECK_STR(heard[3].text[0], "fine\n");
	stop();
}

/* lkvm's part: frames of the clients get a number, the guest's find their client. */

static struct agent *relay;

/* A client; its end. */
static int client(void)
{
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(agent_client(relay, NULL, pair[1]), 0);
	return pair[0];
}

static void relay_new(void)
{
	CHECK_EQ(agent_new(&relay), 0);
}

/* The next frame at @fd; its data in @data. */
static struct agent_frame next(int fd, void *data)
{
	struct agent_frame f;

	port = fd;
	get(&f, sizeof(f));
	CHECK(f.len <= AGENT_FRAME_MAX);
	get(data, f.len);
	return f;
}

static void give(int fd, u32 id, u8 type, u8 stream, const void *data, u32 len)
{
	port = fd;
	put(id, type, stream, data, len);
}

/* Nothing more comes. */
static bool ended(int fd)
{
	char data[256];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

TEST(relay_to_a_real_agent)
{
	char data[AGENT_FRAME_MAX];
	struct agent_frame f;
	int c[3], i;

	if (geteuid())
		SKIP("commands become users, which root can");
	start();
	relay_new();
	/* The agent's port and the relay's: two wires that the test ties together would be a pump; it is dup2() here. */
	close(port);
	waitpid(agent, NULL, 0);
	agent = fork();
	if (!agent) {
		char *argv[] = { "agent", NULL };

		dup2(fcntl(agent_port(relay), F_DUPFD, 10), 3);
		execve(scratch("init"), argv, argv + 1);
		_exit(1);
	}
	for (i = 0; i < 3; i++) {
		int n = snprintf(data, sizeof(data), "arg=sh%carg=-c%carg=cat; echo end %d; exit %d%c", 0, 0, i, i, 0);

		c[i] = client();
		give(c[i], 77, AGENT_REQUEST, 0, data, n);
		give(c[i], 0, AGENT_START, 0, NULL, 0);
		give(c[i], 0, AGENT_DATA, 0, "hello\n", 6);
		give(c[i], 0, AGENT_EOF, 0, NULL, 0);
	}
	for (i = 0; i < 3; i++) {
		char text[64] = "", want[64];
		size_t len = 0;

		snprintf(want, sizeof(want), "hello\nend %d\n", i);
		while ((f = next(c[i], data)).type != AGENT_EXIT) {
			CHECK_EQ(f.session, 0);
			if (f.type == AGENT_DATA) {
				memcpy(text + len, data, f.len);
				len += f.len;
			}
		}
		CHECK_STR(text, want);
		CHECK_EQ(WEXITSTATUS(*(int *)data), i);
		CHECK(ended(c[i]));
		close(c[i]);
	}
	agent_free(relay);
	CHECK_EQ(waitpid(agent, NULL, 0), agent);
}

TEST(relay_trusts_no_guest)
{
	char data[AGENT_FRAME_MAX] = "";
	int guest, a, b, i;
	struct agent_frame f;
	u32 id;

	relay_new();
	guest = agent_port(relay);
	a = client();
	b = client();
	give(a, 0, AGENT_START, 0, NULL, 0);
	f = next(guest, data);
	id = f.session;
	/* Rubbish, frames for nobody, of a kind that no guest sends: each costs at most its session. */
	CHECK_EQ(send(guest, "rubbish", 7, 0), 7);
	give(guest, id + 5, AGENT_DATA, 1, "x", 1);
	f = next(guest, data);
	CHECK_EQ(f.type, AGENT_CLOSE);
	CHECK_EQ(f.session, id + 5);
	give(guest, id, AGENT_DATA, 1, "good", 4);
	f = next(a, data);
	CHECK_EQ(f.type, AGENT_DATA);
	give(guest, id, AGENT_START, 0, NULL, 0);
	f = next(a, data);
	CHECK_EQ(f.type, AGENT_ERROR);
	CHECK(ended(a));
	f = next(guest, data);
	CHECK_EQ(f.type, AGENT_CLOSE);
	CHECK_EQ(f.session, id);
	close(a);
	/* More than there was credit for. */
	give(b, 0, AGENT_START, 0, NULL, 0);
	f = next(guest, data);
	for (i = 0; i < 100; i++)
		give(guest, f.session, AGENT_DATA, 1, data, AGENT_FRAME_MAX);
	do {
		f = next(b, data);
	} while (f.type == AGENT_DATA);
	CHECK_EQ(f.type, AGENT_ERROR);
	CHECK(ended(b));
	close(b);
	agent_free(relay);
}

TEST(relay_trusts_no_client)
{
	static const struct { u8 type, stream; u32 len; } bad[] = {
		{ AGENT_EXIT, 0, 4 }, { AGENT_ERROR, 0, 0 }, { 99, 0, 0 }, { 0, 0, 0 }, { AGENT_DATA, 1, 1 },
		{ AGENT_CREDIT, 0, 4 }, { AGENT_CREDIT, 1, 5 }, { AGENT_START, 0, 1 }, { AGENT_SIGNAL, 0, 0 },
	};
	static char data[AGENT_FRAME_MAX];
	struct agent_frame f = { AGENT_MAGIC, AGENT_DATA, 0, 0, AGENT_FRAME_MAX + 1 };
	int guest, c, idle, all[AGENT_SESSIONS];
	unsigned int i;

	relay_new();
	guest = agent_port(relay);
	idle = client();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		c = client();
		give(c, 0, bad[i].type, bad[i].stream, data, bad[i].len);
		CHECK(ended(c));
		close(c);
	}
	c = client();
	CHECK_EQ(send(c, &f, sizeof(f), 0), sizeof(f));
	CHECK(ended(c));
	close(c);
	/* As many as there may be; one more is refused; when one goes there is room. */
	for (i = 1; i < AGENT_SESSIONS; i++)
		all[i] = client();
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, all), 0);
	CHECK_EQ(agent_client(relay, NULL, all[1]), -EBUSY);
	close(all[0]);
	close(all[2]);
	do {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, all), 0);
	} while (agent_client(relay, NULL, all[1]) == -EBUSY && !close(all[0]));
	/* A client that ends tells the guest, if that knows of it. */
	give(idle, 0, AGENT_START, 0, NULL, 0);
	f = next(guest, data);
	CHECK_EQ(f.type, AGENT_START);
	close(idle);
	f = next(guest, data);
	CHECK_EQ(f.type, AGENT_CLOSE);
	/* The machine starts again: nobody waits for ever. */
	agent_leave(relay, "gone");
	f = next(all[0], data);
	CHECK_EQ(f.type, AGENT_ERROR);
	CHECK(!memcmp(data, "gone", 4));
	agent_free(relay);
}

/* A guest that reads nothing stops the clients, and keeps nothing of what they send. */
TEST(relay_is_bounded)
{
	static char data[AGENT_FRAME_MAX];
	size_t sent = 0, got = 0;
	struct agent_frame f;
	int guest, c, other;

	relay_new();
	guest = agent_port(relay);
	c = client();
	other = client();
	fcntl(c, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p = { .fd = c, .events = POLLOUT };
		struct agent_frame head = { AGENT_MAGIC, AGENT_DATA, 0, 0, sizeof(data) };

		if (poll(&p, 1, 200) == 0)
			break;
		CHECK_EQ(send(c, &head, sizeof(head), 0), sizeof(head));
		fcntl(c, F_SETFL, 0);
		CHECK(sent < 4 << 20);
		/* The rest of a frame may wait: the last one is cut there. */
		if (send(c, data, sizeof(data), MSG_DONTWAIT) != sizeof(data))
			break;
		sent += sizeof(data);
	}
	CHECK(sent < 4 << 20);
	while (got < sent) {
		f = next(guest, data);
		CHECK_EQ(f.len, sizeof(data));
		got += f.len;
	}
	give(other, 0, AGENT_START, 0, NULL, 0);
	do {
		f = next(guest, data);
	} while (f.type != AGENT_START);
	close(c);
	agent_free(relay);
}

/* The whole way but the guest: the commands, the control socket, the relay, the agent. */

static int machine_exec(void *obj, const char *arg, struct control_reply *reply)
{
	return agent_client(relay, NULL, control_take(reply, 0));
}

/* A process that is a machine called "box". */
static pid_t machine(void)
{
	static const struct control_verb verbs[] = {
		{ "exec", "", machine_exec, { CONTROL_SOCKET | CONTROL_READ | CONTROL_WRITE }, 1 }, { .verb = NULL }
	};
	struct control *control;
	struct opt_err err;
	struct loop *loop;
	int ready[2];
	char byte;
	pid_t pid;

	setenv("XDG_RUNTIME_DIR", scratch_dir(), 1);
	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	if (pid) {
		CHECK_EQ(read(ready[0], &byte, 1), 1);
		return pid;
	}
	CHECK_EQ(agent_new(&relay), 0);
	agent = fork();
	if (!agent) {
		char *argv[] = { "agent", NULL };

		dup2(fcntl(agent_port(relay), F_DUPFD, 10), 3);
		execve(scratch("init"), argv, argv + 1);
		_exit(1);
	}
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(control_open(&control, "box", NULL, &err), 0);
	CHECK_EQ(control_attach(control, loop, verbs), 0);
	CHECK_EQ(write(ready[1], "", 1), 1);
	loop_run(loop);
	_exit(0);
}

int lkvm_main(int argc, char **argv);

/* "lkvm @line", a shell's words; its output and errors in @text. Its exit status. */
static int lkvm(const char *line, const char *input, char *text, size_t size)
{
	char copy[512], *argv[32] = { "lkvm" }, *word, *rest = copy;
	int in[2], out[2], argc = 1, status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, "|")))
		argv[argc++] = word;
	CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(in[1]);
		exit(lkvm_main(argc, argv));
	}
	close(in[0]);
	close(out[1]);
	CHECK_EQ(write(in[1], input, strlen(input)), strlen(input));
	close(in[1]);
	while ((n = read(out[0], text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	close(out[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST_TIMEOUT(exec_shell_and_cp, 60)
{
	char text[4096], line[512], path[2][128];
	struct stat st;
	pid_t pid;

	start();
	stop();
	pid = machine();
	CHECK_EQ(lkvm("exec|box|--cwd|/usr|--env|A=b|--|sh|-c|echo out $PWD $A; echo err >&2; exit 7", "", text, sizeof(text)), 7);
	CHECK(strstr(text, "out /usr b\n") && strstr(text, "err\n"));
	CHECK_EQ(lkvm("exec|box|cat", "piped", text, sizeof(text)), 0);
	CHECK_STR(text, "piped");
	CHECK_EQ(lkvm("exec|-u|nobody|box|--|sh|-c|id -un; kill -15 $$", "", text, sizeof(text)), 143);
	CHECK(strstr(text, "nobody\n") && strstr(text, "signal 15"));
	CHECK_EQ(lkvm("exec|box|--no-stdin|cat", "not read", text, sizeof(text)), 0);
	CHECK_STR(text, "");
	CHECK_EQ(lkvm("shell|box", "echo \"shell $0\"; exit 5\n", text, sizeof(text)), 5);
	CHECK(strstr(text, "shell -"));
	/* Both ways, and not over what is there already. */
	snprintf(path[0], sizeof(path[0]), "%s", scratch("tree"));
	snprintf(path[1], sizeof(path[1]), "%s", scratch("back"));
	snprintf(line, sizeof(line), "mkdir -p %s/sub && chmod 750 %s/sub && echo deep > %s/sub/file && ln -s sub/file %s/link",
		 path[0], path[0], path[0], path[0]);
	CHECK_EQ(system(line), 0);
	snprintf(line, sizeof(line), "cp|%s|box:%s", path[0], path[1]);
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 0);
	snprintf(line, sizeof(line), "cp|box:%s/|%s", path[1], scratch("again"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 0);
	CHECK(!lstat(scratch("again/sub"), &st) && (st.st_mode & 07777) == 0750);
	CHECK(!stat(scratch("again/link"), &st) && st.st_size == 5);
	CHECK(!lstat(scratch("again/link"), &st) && S_ISLNK(st.st_mode));
	/* A new name for a directory, however it is spelled. */
	CHECK(!chdir(path[0]));
	snprintf(line, sizeof(line), "cp|.|box:%s", scratch("dot"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 0);
	CHECK(!stat(scratch("dot/sub/file"), &st) && st.st_size == 5);
	snprintf(line, sizeof(line), "cp|sub/..|box:%s", scratch("dots"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 0);
	CHECK(!stat(scratch("dots/sub/file"), &st) && st.st_size == 5);
	snprintf(line, sizeof(line), "cp|sub/|box:%s/", scratch("slash"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 0);
	CHECK(!stat(scratch("slash/file"), &st) && st.st_size == 5);
	snprintf(line, sizeof(line), "cp|box:%s/sub/|%s/", path[0], scratch("home"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 0);
	CHECK(!stat(scratch("home/file"), &st) && st.st_size == 5);
	/* A file does not become a directory. */
	snprintf(line, sizeof(line), "cp|sub/file|box:%s/", scratch("none"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 1);
	CHECK(strstr(text, "no such directory in the guest") && stat(scratch("none"), &st));
	snprintf(line, sizeof(line), "cp|box:%s/sub/file|%s/", path[0], scratch("none"));
	CHECK_EQ(lkvm(line, "", text, sizeof(text)), 1);
	CHECK(strstr(text, "no such directory") && stat(scratch("none"), &st));
	CHECK_EQ(lkvm("cp|box:/no/such|/tmp/x", "", text, sizeof(text)), 1);
	CHECK(strstr(text, "no such file in the guest"));
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(lkvm("exec|box|true", "", text, sizeof(text)), 125);
}
