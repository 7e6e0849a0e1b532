// SPDX-License-Identifier: GPL-2.0
/*
 * Control sockets: the server on a loop in a thread, as the machine has it, and
 * clients that behave, and some that do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm/control.h>

#include "scratch.h"
#include "tap.h"

static struct control *control;
static struct loop *loop;
static struct opt_err err;
static atomic_int calls;

static int verb_state(void *obj, const char *arg, struct control_reply *reply)
{
	calls++;
	control_value(reply, "arg", "%s", arg);
	control_value(reply, "state", "%s", (const char *)obj);
	return 0;
}

static int verb_refuse(void *obj, const char *arg, struct control_reply *reply)
{
	return control_refuse(reply, -EBUSY, "not\nnow");
}

static int verb_flood(void *obj, const char *arg, struct control_reply *reply)
{
	for (int i = 0; i < 10000; i++)
		control_value(reply, "line", "%d", i);
	return 0;
}

/* Writes the argument into each file that it takes. */
static int verb_put(void *obj, const char *arg, struct control_reply *reply)
{
	unsigned int n;
	int fd;

	for (n = 0; (fd = control_take(reply, n)) >= 0; n++) {
		CHECK_EQ(control_take(reply, n), -1);
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		CHECK(write(fd, arg, strlen(arg)) == (ssize_t)strlen(arg));
		close(fd);
	}
	control_value(reply, "files", "%u", n);
	return 0;
}

static int verb_leave(void *obj, const char *arg, struct control_reply *reply)
{
	return 0;
}

static const struct control_verb verbs[] = {
	{ "state", "how it is", verb_state },
	{ "refuse", "say no", verb_refuse },
	{ "flood", "say much", verb_flood },
	{ "put", "write it", verb_put, .need = 1,
	  .fd = { CONTROL_FILE | CONTROL_PIPE | CONTROL_WRITE, CONTROL_FILE | CONTROL_WRITE } },
	{ "leave", "take nothing", verb_leave, .need = 1, .fd = { CONTROL_PIPE | CONTROL_READ, CONTROL_SOCKET } },
	{ .verb = NULL }
};

static void runtime_dir(void)
{
	setenv("XDG_RUNTIME_DIR", scratch_dir(), 1);
}

static void serve(const char *name)
{
	runtime_dir();
	CHECK_EQ(control_open(&control, name, "well", &err), 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(control_attach(control, loop, verbs), 0);
	CHECK_EQ(loop_thread_start(loop, "control"), 0);
}

static void serve_end(void)
{
	loop_thread_stop(loop);
	control_close(control);
	loop_free(loop);
}

static int dial(const char *name)
{
	int fd = control_connect(name, &err);

	CHECK(fd >= 0);
	return fd;
}

/* Bytes, for those who do not keep to lines; what comes back until the end or a line's end. */
static void raw(int fd, const char *text, size_t len, char *reply, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t got = 0;
	ssize_t n;

	CHECK(!len || send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len);
	do {
		CHECK(poll(&pfd, 1, -1) == 1);
		n = recv(fd, reply + got, size - 1 - got, MSG_DONTWAIT);
		CHECK(n >= 0);
		got += n;
		reply[got] = 0;
	} while (n && reply[got - 1] != '\n');
}

TEST(a_verb_is_answered)
{
	char values[CONTROL_REPLY_MAX];
	int fd;

	serve("vm");
	fd = dial("vm");
	CHECK_EQ(control_request(fd, "state of things", values, sizeof(values), &err), 0);
	CHECK_STR(values, "arg=of things\nstate=well\n");
	/* The same connection serves again. */
	CHECK_EQ(control_request(fd, "state", values, sizeof(values), &err), 0);
	CHECK_STR(values, "arg=\nstate=well\n");
	CHECK_EQ(control_request(fd, "help", values, sizeof(values), &err), 0);
	CHECK_STR(values, "state=how it is\nrefuse=say no\nflood=say much\nput=write it\nleave=take nothing\n");
	close(fd);
	serve_end();
}

TEST(an_error_is_one_line)
{
	char values[CONTROL_REPLY_MAX];
	int fd;

	serve("vm");
	fd = dial("vm");
	CHECK_EQ(control_request(fd, "refuse", values, sizeof(values), &err), -EPROTO);
	CHECK_STR(err.text, "not.now");
	CHECK_EQ(control_request(fd, "stat", values, sizeof(values), &err), -EPROTO);
	CHECK_STR(err.text, "there is no verb \"stat\", \"help\" lists them");
	/* A reply that would not end is cut between lines, and still says that it is one. */
	CHECK_EQ(control_request(fd, "flood", values, sizeof(values), &err), 0);
	CHECK(strlen(values) > 1000 && values[strlen(values) - 1] == '\n');
	close(fd);
	serve_end();
}

TEST(files_are_the_users_alone)
{
	struct stat st;

	serve("vm");
	CHECK_EQ(lstat(control_path(control), &st), 0);
	CHECK_EQ(st.st_mode, S_IFSOCK | 0600);
	CHECK_EQ(lstat(scratch("lkvm"), &st), 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 0700);
	serve_end();
	CHECK(access(scratch("lkvm/vm.sock"), F_OK));
}

TEST(a_directory_that_is_open_to_others_is_refused)
{
	runtime_dir();
	CHECK_EQ(mkdir(scratch("lkvm"), 0700), 0);
	CHECK_EQ(chmod(scratch("lkvm"), 0750), 0);
	CHECK_EQ(control_open(&control, "vm", NULL, &err), -EPERM);
	CHECK(strstr(err.text, "chmod 700"));
	CHECK_EQ(chmod(scratch("lkvm"), 0700), 0);
	CHECK_EQ(rename(scratch("lkvm"), scratch("else")), 0);
	CHECK_EQ(symlink("else", scratch("lkvm")), 0);
	CHECK(control_open(&control, "vm", NULL, &err) < 0);
	CHECK(control_connect("vm", &err) < 0);
}

TEST(another_users_connection_is_refused)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char reply[256] = "";
	int fd, status;
	pid_t pid;

	if (geteuid())
		SKIP("only root can be somebody else");
	serve("vm");
	strcpy(addr.sun_path, control_path(control));
	CHECK_EQ(chmod(scratch_dir(), 0711), 0);
	CHECK_EQ(chmod(scratch("lkvm"), 0711), 0);
	CHECK_EQ(chmod(control_path(control), 0666), 0);
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(2);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (void *)&addr, sizeof(addr)) || recv(fd, reply, sizeof(reply) - 1, 0) < 0)
			_exit(3);
		_exit(strstr(reply, "error: this machine belongs to another user") ? 0 : 4);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	serve_end();
}

TEST(names_that_cannot_be)
{
	static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "../x", "a b", "a\nb" };
	char name[200];

	runtime_dir();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(control_open(&control, bad[i], NULL, &err), -EINVAL);
		CHECK_EQ(control_connect(bad[i], &err), -EINVAL);
	}
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	CHECK_EQ(control_open(&control, name, NULL, &err), -ENAMETOOLONG);
	CHECK(strstr(err.text, "has room for"));
	/* The longest that the message promises fits. */
	name[sizeof(((struct sockaddr_un *)0)->sun_path) - strlen(scratch("lkvm")) - strlen("/.sock") - 1] = 0;
	CHECK_EQ(control_open(&control, name, NULL, &err), 0);
	control_close(control);
	strcat(name, "n");
	CHECK_EQ(control_open(&control, name, NULL, &err), -ENAMETOOLONG);
}

TEST(a_name_in_use_is_said)
{
	struct control *second;

	serve("vm");
	CHECK_EQ(control_open(&second, "vm", NULL, &err), -EADDRINUSE);
	CHECK(strstr(err.text, "\"vm\"") && strstr(err.text, "another --name"));
	CHECK_EQ(control_open(&second, "vm2", NULL, &err), 0);
	control_close(second);
	close(dial("vm"));
	serve_end();
}

static void count_name(void *obj, const char *name)
{
	CHECK_STR(name, "vm");
	++*(int *)obj;
}

/* A process that has the socket, and is killed. */
static void leave_ghost(const char *name)
{
	int ready[2], status;
	pid_t pid;
	char c;

	runtime_dir();
	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (control_open(&control, name, NULL, &err) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

TEST(a_ghost_gives_way)
{
	int n = 0;

	leave_ghost("vm");
	CHECK_EQ(access(scratch("lkvm/vm.sock"), F_OK), 0);
	CHECK_EQ(control_connect("vm", &err), -ENOENT);
	CHECK(strstr(err.text, "no machine called \"vm\""));
	serve("vm");
	CHECK_EQ(control_each(count_name, &n, &err), 0);
	CHECK_EQ(n, 1);
	serve_end();
	leave_ghost("other");
	CHECK_EQ(control_each(count_name, &n, &err), 0);
	CHECK_EQ(n, 1);
	CHECK(access(scratch("lkvm/other.sock"), F_OK));
}

TEST(no_machines_at_all)
{
	int n = 0;

	runtime_dir();
	CHECK_EQ(control_each(count_name, &n, &err), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(control_connect("vm", &err), -ENOENT);
}

TEST(a_file_that_is_no_socket_stays)
{
	runtime_dir();
	CHECK_EQ(mkdir(scratch("lkvm"), 0700), 0);
	scratch_file("lkvm/vm.sock", "precious");
	CHECK(control_open(&control, "vm", NULL, &err) < 0);
	CHECK_EQ(access(scratch("lkvm/vm.sock"), F_OK), 0);
}

TEST(lines_have_an_end)
{
	char text[2 * CONTROL_LINE_MAX], reply[1024];
	int fd;

	serve("vm");
	fd = dial("vm");
	memset(text, 'x', sizeof(text));
	raw(fd, text, CONTROL_LINE_MAX, reply, sizeof(reply));
	CHECK_STR(reply, "error: the line is too long\n");
	CHECK(control_wait(fd, -1));
	close(fd);

	/* A line may come in pieces, and several at once. */
	fd = dial("vm");
	CHECK_EQ(send(fd, "ref", 3, 0), 3);
	raw(fd, "use\r\n", 5, reply, sizeof(reply));
	CHECK_STR(reply, "error: not.now\n");
	raw(fd, "refuse\nrefuse\n", 14, reply, sizeof(reply));
	CHECK_MEM(reply, "error: not.now\n", 15);
	close(fd);
	serve_end();
}

TEST(one_that_never_reads_is_dropped)
{
	char text[CONTROL_LINE_MAX];
	int fd, sent;

	serve("vm");
	fd = dial("vm");
	for (sent = 0; sent < 100000; sent++) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		CHECK_EQ(poll(&pfd, 1, -1), 1);
		if (send(fd, "flood\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
			break;
	}
	CHECK(sent < 100000);
	close(fd);
	/* And the others are still served. */
	fd = dial("vm");
	CHECK_EQ(control_request(fd, "state", text, sizeof(text), &err), 0);
	close(fd);
	serve_end();
}

TEST(connections_are_bounded)
{
	int fd[CONTROL_PEERS_MAX], more, i;
	char text[CONTROL_LINE_MAX];

	serve("vm");
	for (i = 0; i < CONTROL_PEERS_MAX; i++) {
		fd[i] = dial("vm");
		CHECK_EQ(control_request(fd[i], "state", text, sizeof(text), &err), 0);
	}
	more = dial("vm");
	raw(more, "", 0, text, sizeof(text));
	CHECK_STR(text, "error: too many connections\n");
	CHECK(control_wait(more, -1));
	close(more);
	more = dial("vm");
	CHECK_EQ(control_request(more, "state", text, sizeof(text), &err), -EPROTO);
	CHECK_STR(err.text, "too many connections");
	close(more);
	close(fd[3]);
	/* The server sees that one has gone before it sees the next come, or says again that it is full. */
	do {
		more = dial("vm");
		i = control_request(more, "state", text, sizeof(text), &err);
		close(more);
	} while (i);
	for (i = 0; i < CONTROL_PEERS_MAX; i++)
		if (i != 3)
			close(fd[i]);
	serve_end();
}

struct waiter {
	int fd;
	char values[CONTROL_LINE_MAX];
};

static void *ask(void *arg)
{
	struct waiter *w = arg;

	CHECK_EQ(control_request(w->fd, "state", w->values, sizeof(w->values), &(struct opt_err){ "" }), 0);
	return NULL;
}

/* A reboot takes the loop away: connections and requests of that time wait. */
TEST(nothing_is_lost_between_two_lives)
{
	struct waiter old, new;
	pthread_t thread[2];

	serve("vm");
	old.fd = dial("vm");
	CHECK_EQ(control_request(old.fd, "state", old.values, sizeof(old.values), &err), 0);
	loop_thread_stop(loop);
	control_detach(control);
	loop_free(loop);

	new.fd = dial("vm");
	CHECK_EQ(pthread_create(&thread[0], NULL, ask, &old), 0);
	CHECK_EQ(pthread_create(&thread[1], NULL, ask, &new), 0);

	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(control_attach(control, loop, verbs), 0);
	CHECK_EQ(loop_thread_start(loop, "control"), 0);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	CHECK_STR(old.values, "arg=\nstate=well\n");
	CHECK_STR(new.values, "arg=\nstate=well\n");
	close(old.fd);
	close(new.fd);
	serve_end();
}

static void *wait_gone(void *arg)
{
	int *fd = arg;

	control_wait(*fd, -1);
	/* Whoever has waited finds the name free. */
	CHECK(access(scratch("lkvm/vm.sock"), F_OK));
	return NULL;
}

TEST(the_end_is_seen)
{
	char text[CONTROL_LINE_MAX];
	pthread_t thread;
	int fd;

	serve("vm");
	fd = dial("vm");
	CHECK_EQ(control_request(fd, "state", text, sizeof(text), &err), 0);
	CHECK_EQ(pthread_create(&thread, NULL, wait_gone, &fd), 0);
	serve_end();
	pthread_join(thread, NULL);
	CHECK(control_request(fd, "state", text, sizeof(text), &err) == -EPIPE);
	close(fd);
}

/* Descriptors with requests */

TEST(a_connection_waits_for_a_free_descriptor)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char text[CONTROL_LINE_MAX];
	struct rlimit limit;
	int first, second;

	serve("vm");
	first = dial("vm");
	CHECK_EQ(control_request(first, "state", text, sizeof(text), &err), 0);
	second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(addr.sun_path, control_path(control));
	CHECK(second >= 0 && !getrlimit(RLIMIT_NOFILE, &limit));
	/* It takes the last one, so accept() finds none. */
	limit.rlim_cur = second + 1;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	CHECK(!connect(second, (void *)&addr, sizeof(addr)));
	CHECK_EQ(control_request(first, "state", text, sizeof(text), &err), 0);
	close(first);
	CHECK_EQ(control_request(second, "state", text, sizeof(text), &err), 0);
	close(second);
	serve_end();
}

static unsigned int nr_open(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int ask_with(int sock, const char *line, const int *fds, unsigned int nr)
{
	char values[CONTROL_LINE_MAX];

	control_ask(sock, line, fds, nr);
	return control_answer(sock, loop_now() + CONTROL_PATIENCE_NS, values, sizeof(values), &err);
}

static int open_scratch(const char *name, int flags)
{
	int fd = open(scratch(name), flags | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	return fd;
}

static void check_content(const char *name, const char *content)
{
	char text[64] = "";
	int fd = open_scratch(name, O_RDONLY);

	CHECK(read(fd, text, sizeof(text) - 1) >= 0);
	CHECK_STR(text, content);
	close(fd);
}

TEST(descriptors_come_with_a_request)
{
	int sock, fd[2];
	unsigned int before;

	serve("vm");
	sock = dial("vm");
	fd[0] = open_scratch("one", O_WRONLY);
	fd[1] = open_scratch("two", O_RDWR);
	CHECK_EQ(ask_with(sock, "state", NULL, 0), 0);
	before = nr_open();
	CHECK_EQ(ask_with(sock, "put hello", fd, 1), 0);
	CHECK_EQ(ask_with(sock, "put there", fd, 2), 0);
	check_content("one", "hellothere");
	check_content("two", "there");
	CHECK_EQ(nr_open(), before);
	close(fd[0]);
	close(fd[1]);
	close(sock);
	serve_end();
}

TEST(descriptors_that_do_not_fit_are_refused)
{
	int sock, file, reader, dir, path, null, fd[CONTROL_FDS_MAX];
	unsigned int before, i;

	serve("vm");
	sock = dial("vm");
	file = open_scratch("file", O_WRONLY);
	reader = open_scratch("file", O_RDONLY);
	path = open(scratch("file"), O_PATH | O_CLOEXEC);
	dir = open(scratch_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < CONTROL_FDS_MAX; i++)
		fd[i] = file;
	CHECK_EQ(ask_with(sock, "state", NULL, 0), 0);
	before = nr_open();

	CHECK_EQ(ask_with(sock, "state", fd, 1), -EPROTO);
	CHECK_STR(err.text, "state takes no descriptor");
	CHECK_EQ(ask_with(sock, "put x", NULL, 0), -EPROTO);
	CHECK_STR(err.text, "put needs 1 descriptor with the request, not 0: use the command");
	CHECK_EQ(ask_with(sock, "put x", fd, CONTROL_FDS_MAX), -EPROTO);
	CHECK_STR(err.text, "put takes at most 2 descriptors, not 16");
	CHECK_EQ(ask_with(sock, "put x", &dir, 1), -EPROTO);
	CHECK_STR(err.text, "put: descriptor 1 has to be a regular file or a pipe, open for writing");
	CHECK_EQ(ask_with(sock, "put x", &reader, 1), -EPROTO);
	CHECK_EQ(ask_with(sock, "put x", &path, 1), -EPROTO);
	CHECK_EQ(ask_with(sock, "put x", &null, 1), -EPROTO);
	CHECK_EQ(ask_with(sock, "put x", &sock, 1), -EPROTO);
	CHECK_EQ(ask_with(sock, "put x", (int[]) { file, null }, 2), -EPROTO);
	CHECK_STR(err.text, "put: descriptor 2 has to be a regular file, open for writing");
	CHECK_EQ(ask_with(sock, "help", fd, 1), 0);
	CHECK_EQ(ask_with(sock, "none", fd, 1), -EPROTO);
	check_content("file", "");
	/* Each is closed, and the connection goes on. */
	CHECK_EQ(nr_open(), before);
	CHECK_EQ(ask_with(sock, "put x", fd, 1), 0);
	check_content("file", "x");
	close(sock);
	serve_end();
}

/* The other end of a pipe tells when the last copy of a descriptor is closed. */
static void check_closed(int reader)
{
	struct pollfd pfd = { .fd = reader };

	while (poll(&pfd, 1, -1) != 1 || !(pfd.revents & POLLHUP))
		;
	close(reader);
}

/* Some bytes with @nr times @fd, which is closed here. */
static void send_fds(int sock, const char *text, int fd, unsigned int nr)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(4 * CONTROL_FDS_MAX * sizeof(int))];
	} cmsg = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(nr * sizeof(int)) } };
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &cmsg,
			      .msg_controllen = CMSG_SPACE(nr * sizeof(int)) };
	unsigned int i;

	for (i = 0; i < nr; i++)
		memcpy(CMSG_DATA(&cmsg.head) + i * sizeof(int), &fd, sizeof(int));
	CHECK_EQ(sendmsg(sock, &msg, MSG_NOSIGNAL), strlen(text));
	close(fd);
}

TEST(descriptors_that_a_verb_leaves_are_closed)
{
	int sock, p[2];

	serve("vm");
	sock = dial("vm");
	CHECK(!pipe2(p, O_CLOEXEC));
	CHECK_EQ(ask_with(sock, "leave", (int[]) { p[0], sock }, 2), 0);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK(write(p[1], "x", 1) < 0 && errno == EPIPE);
	close(p[1]);
	close(sock);
	serve_end();
}

TEST(a_sender_that_ends_early_leaves_no_descriptor)
{
	int sock, p[2];

	serve("vm");
	sock = dial("vm");
	CHECK(!pipe2(p, O_CLOEXEC));
	send_fds(sock, "put ", p[1], 1);
	close(sock);
	check_closed(p[0]);
	serve_end();
}

TEST(too_many_descriptors_end_the_connection)
{
	char text[64];
	int sock, p[2], i;

	serve("vm");
	for (i = 0; i < 2; i++) {
		sock = dial("vm");
		CHECK(!pipe2(p, O_CLOEXEC));
		if (i) {	/* with several parts of a line */
			send_fds(sock, "p", dup(p[1]), CONTROL_FDS_MAX - 1);
			send_fds(sock, "u", p[1], 2);
		} else {
			send_fds(sock, "put\n", p[1], 2 * CONTROL_FDS_MAX);
		}
		raw(sock, "", 0, text, sizeof(text));
		CHECK_STR(text, "error: too many descriptors\n");
		CHECK(control_wait(sock, -1));
		check_closed(p[0]);
		close(sock);
	}
	serve_end();
}
