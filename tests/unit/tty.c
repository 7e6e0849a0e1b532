// SPDX-License-Identifier: GPL-2.0
/*
 * Terminals (hw/tty/tty.c): bytes both ways, end of file, hang-ups, flow
 * control, and that what is shared with others is left as it was.
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
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <kvm/loop.h>
#include <kvm/tty.h>

#include "tap.h"

struct term {
	struct tty *tty;
	struct loop *loop;
	int readable, writable, connected;
};

static void term_readable(void *obj)
{
	struct term *t = obj;

	t->readable++;
	tty_want_read(t->tty, false);
	loop_stop(t->loop);
}

static void term_writable(void *obj)
{
	struct term *t = obj;

	t->writable++;
	loop_stop(t->loop);
}

static void term_connected(void *obj)
{
	struct term *t = obj;

	t->connected++;
	loop_stop(t->loop);
}

static const struct tty_ops term_ops = {
	.readable = term_readable, .writable = term_writable, .connected = term_connected,
};

static int term_try(struct term *t, const char *spec)
{
	memset(t, 0, sizeof(*t));
	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(loop_new(&t->loop, NULL), 0);
	return tty_open(&t->tty, spec, t->loop, &term_ops, t);
}

static void term_open(struct term *t, const char *fmt, int a, int b)
{
	char spec[64];

	snprintf(spec, sizeof(spec), fmt, a, b);
	CHECK_EQ(term_try(t, spec), 0);
}

static void term_close(struct term *t)
{
	tty_close(t->tty);
	loop_free(t->loop);
}

static void term_wait_readable(struct term *t)
{
	int before = t->readable;

	tty_want_read(t->tty, true);
	while (t->readable == before)
		loop_run(t->loop);
}

static void term_wait_writable(struct term *t)
{
	int before = t->writable;

	while (t->writable == before)
		loop_run(t->loop);
}

static ssize_t term_read(struct term *t, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter i;

	iov_iter_init(&i, &iov, 1);
	return tty_read(t->tty, &i, len);
}

static ssize_t term_write(struct term *t, const char *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct iov_iter i;
	ssize_t n;

	iov_iter_init(&i, &iov, 1);
	n = tty_write(t->tty, &i, len);
	CHECK_EQ(iov_iter_count(&i), len - (n > 0 ? n : 0));
	return n;
}

/* Read what is written to the other side, and compare. */
static void expect(int fd, const char *text)
{
	char buf[256];
	size_t done = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (done < strlen(text)) {
		ssize_t n;

		CHECK(poll(&p, 1, -1) == 1);
		n = read(fd, buf + done, strlen(text) - done);
		CHECK(n > 0);
		done += n;
	}
	CHECK_MEM(buf, text, done);
}

TEST(null_takes_everything_and_gives_nothing)
{
	struct term t;
	char c;

	term_open(&t, "null", 0, 0);
	CHECK_EQ(term_write(&t, "hello", 5), 5);
	CHECK_EQ(term_read(&t, &c, 1), -EAGAIN);
	CHECK(!tty_has_input(t.tty) && !tty_has_output(t.tty));
	term_close(&t);
}

TEST(a_wrong_specification_is_refused)
{
	static const char *const wrong[] = {
		"", "nul", "stdio:", "fd", "fd:", "fd::", "fd:x", "fd:1x", "fd:-1", "fd:1:2:3",
		"fd:99999999999", "fd:777", "file:", "unix:", "tcp:1", "file:/does/not/exist", "fd", "pty:1",
		"unix:/tmp/does/not/exist/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345",
	};

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct term t;

		if (term_try(&t, wrong[i]) >= 0)
			tap_fail(__FILE__, __LINE__, "\"%s\" was taken", wrong[i]);
		loop_free(t.loop);
	}
}

TEST(a_descriptor_of_the_wrong_direction_is_refused)
{
	char spec[32];
	struct term t;
	int p[2];

	CHECK(!pipe(p));
	snprintf(spec, sizeof(spec), "fd:%d", p[0]);
	CHECK_EQ(term_try(&t, spec), -EBADF);
	loop_free(t.loop);
	snprintf(spec, sizeof(spec), "fd:%d:%d", p[1], p[0]);
	CHECK_EQ(term_try(&t, spec), -EBADF);
	loop_free(t.loop);
}

TEST(pipe_input_then_end_of_file)
{
	struct term t;
	char buf[16];
	int p[2];

	CHECK(!pipe(p));
	term_open(&t, "fd:%d:", p[0], 0);
	CHECK(tty_has_input(t.tty) && !tty_has_output(t.tty));
	CHECK_EQ(term_read(&t, buf, 16), -EAGAIN);
	CHECK_EQ(write(p[1], "abcdef", 6), 6);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 4), 4);
	CHECK_EQ(term_read(&t, buf + 4, 16), 2);
	CHECK_MEM(buf, "abcdef", 6);
	CHECK_EQ(term_read(&t, buf, 16), -EAGAIN);
	close(p[1]);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 16), 0);
	CHECK_EQ(term_read(&t, buf, 16), 0);
	/* An input that has no way out takes everything. */
	CHECK_EQ(term_write(&t, "x", 1), 1);
	term_close(&t);
}

TEST(pipe_output_fills_and_goes_on)
{
	static char big[1 << 20];
	struct term t;
	size_t sent = 0, got = 0;
	char *back;
	int p[2];

	CHECK(!pipe(p));
	term_open(&t, "fd::%d", p[1], 0);
	close(p[1]);
	back = malloc(sizeof(big));
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i * 7 + (i >> 10);
	while (got < sizeof(big)) {
		ssize_t n = sent < sizeof(big) ? term_write(&t, big + sent, sizeof(big) - sent) : 0;

		CHECK(n >= 0 || n == -EAGAIN);
		sent += n > 0 ? n : 0;
		n = read(p[0], back + got, 50000);
		CHECK(n > 0);
		got += n;
		if (sent < sizeof(big))
			term_wait_writable(&t);
	}
	CHECK_MEM(big, back, sizeof(big));
	free(back);
	term_close(&t);
	CHECK_EQ(read(p[0], big, 1), 0);
}

TEST(a_pipe_without_a_reader_is_epipe)
{
	struct term t;
	int p[2];

	CHECK(!pipe(p));
	term_open(&t, "fd::%d", p[1], 0);
	close(p[0]);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	term_close(&t);
	/* The same if it was so from the beginning. */
	term_open(&t, "fd::%d", p[1], 0);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	term_close(&t);
}

TEST(a_full_pipe_whose_reader_goes_wakes_the_writer)
{
	static char big[200000];
	struct term t;
	int p[2];

	CHECK(!pipe(p));
	term_open(&t, "fd::%d", p[1], 0);
	close(p[1]);
	while (term_write(&t, big, sizeof(big)) > 0)
		;
	close(p[0]);
	term_wait_writable(&t);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	term_close(&t);
}

TEST(a_full_disk_is_epipe)
{
	struct term t;
	int fd = open("/dev/full", O_WRONLY);

	CHECK(fd >= 0);
	term_open(&t, "fd::%d", fd, 0);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	term_close(&t);
}

TEST(shared_descriptions_keep_their_flags)
{
	struct term t;
	int p[2], s[2], master, slave;

	CHECK(!pipe(p));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);

	term_open(&t, "fd:%d:%d", p[0], p[1]);
	CHECK(!(fcntl(p[0], F_GETFL) & O_NONBLOCK) && !(fcntl(p[1], F_GETFL) & O_NONBLOCK));
	term_close(&t);
	term_open(&t, "fd:%d:%d", s[0], s[1]);
	CHECK(!(fcntl(s[0], F_GETFL) & O_NONBLOCK) && !(fcntl(s[1], F_GETFL) & O_NONBLOCK));
	term_close(&t);
	term_open(&t, "fd:%d:%d", slave, master);
	CHECK(!(fcntl(slave, F_GETFL) & O_NONBLOCK) && !(fcntl(master, F_GETFL) & O_NONBLOCK));
	term_close(&t);
}

/* A loop that would hang if the terminal blocked. */
static void fill(struct term *t)
{
	static char big[70000];
	ssize_t n;

	memset(big, 'x', sizeof(big));
	while ((n = term_write(t, big, sizeof(big))) > 0)
		;
	CHECK_EQ(n, -EAGAIN);
}

TEST(nothing_blocks)
{
	struct term t;
	char c;
	int p[2], s[2], master, slave;

	CHECK(!pipe(p));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);

	term_open(&t, "fd:%d:%d", p[0], p[1]);
	CHECK_EQ(term_read(&t, &c, 1), -EAGAIN);
	fill(&t);
	term_close(&t);
	term_open(&t, "fd:%d", s[0], 0);
	CHECK_EQ(term_read(&t, &c, 1), -EAGAIN);
	fill(&t);
	term_close(&t);
	term_open(&t, "fd:%d", slave, 0);
	CHECK_EQ(term_read(&t, &c, 1), -EAGAIN);
	fill(&t);
	term_close(&t);
}

TEST(a_description_that_cannot_be_opened_again_is_polled)
{
	struct term t;
	struct termios tio;
	char buf[8];
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	CHECK(master >= 0 && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(slave >= 0 && !tcgetattr(slave, &tio));
	cfmakeraw(&tio);
	CHECK(!tcsetattr(slave, TCSANOW, &tio));
	/* A master is such a one. */
	term_open(&t, "fd:%d", master, 0);
	CHECK_EQ(term_read(&t, buf, 8), -EAGAIN);
	CHECK_EQ(term_write(&t, "down", 4), 4);
	expect(slave, "down");
	CHECK_EQ(write(slave, "up", 2), 2);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 8), 2);
	CHECK_MEM(buf, "up", 2);
	fill(&t);
	term_close(&t);
}

TEST(a_socket_both_ways_and_its_end)
{
	struct term t;
	char buf[8];
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	term_open(&t, "fd:%d", s[0], 0);
	CHECK_EQ(term_write(&t, "out", 3), 3);
	expect(s[1], "out");
	CHECK_EQ(write(s[1], "in", 2), 2);
	close(s[1]);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 8), 2);
	CHECK_EQ(term_read(&t, buf, 8), 0);
	term_close(&t);
}

TEST(scattered_bytes_stay_in_order)
{
	struct iovec iov[100];
	struct iov_iter i;
	char text[200], back[200];
	struct term t;
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	term_open(&t, "fd:%d", s[0], 0);
	for (int n = 0; n < 200; n++)
		text[n] = n;
	for (int n = 0; n < 100; n++) {
		iov[n].iov_base = text + 2 * n;
		iov[n].iov_len = n == 50 ? 0 : 2;
	}
	memmove(text + 100, text + 102, 98);
	for (int n = 51; n < 100; n++)
		iov[n].iov_base = text + 2 * n - 2;
	iov_iter_init(&i, iov, 100);
	CHECK_EQ(iov_iter_advance(&i, 1), 1);
	while (iov_iter_count(&i))
		CHECK(tty_write(t.tty, &i, 131) > 0);
	CHECK_EQ(read(s[1], back, sizeof(back)), 197);
	CHECK_MEM(back, text + 1, 197);
	term_close(&t);
}

TEST(a_regular_file_in_and_out)
{
	char in[] = "/tmp/lkvm-tty-XXXXXX", spec[64], buf[16];
	struct term t;
	int fd = mkstemp(in);

	CHECK(fd >= 0 && write(fd, "first\n", 6) == 6);
	snprintf(spec, sizeof(spec), "file:%s", in);
	CHECK_EQ(term_try(&t, spec), 0);
	CHECK_EQ(term_write(&t, "second\n", 7), 7);
	term_close(&t);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	term_open(&t, "fd:%d:", fd, 0);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 16), 13);
	CHECK_MEM(buf, "first\nsecond\n", 13);
	CHECK_EQ(term_read(&t, buf, 16), 0);
	term_close(&t);
	unlink(in);
}

TEST(dev_null_is_at_its_end)
{
	struct term t;
	char c;
	int fd = open("/dev/null", O_RDWR);

	term_open(&t, "fd:%d", fd, 0);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, &c, 1), 0);
	CHECK_EQ(term_write(&t, "x", 1), 1);
	term_close(&t);
}

/* What the line on stderr says. */
static void pty_name(struct term *t, char *name, size_t len)
{
	int p[2], err = dup(2);
	char line[128], *start;
	ssize_t n;

	CHECK(!pipe(p));
	dup2(p[1], 2);
	CHECK_EQ(term_try(t, "pty"), 0);
	tty_announce(t->tty, "ttyS1");
	dup2(err, 2);
	n = read(p[0], line, sizeof(line) - 1);
	CHECK(n > 0);
	line[n] = 0;
	CHECK(!strncmp(line, "lkvm: ttyS1: pty /dev/pts/", 26));
	start = strstr(line, "/dev/pts/");
	*strchrnul(start, '\n') = 0;
	snprintf(name, len, "%s", start);
}

TEST(pty_peers_come_and_go)
{
	struct termios tio;
	char name[64], buf[8];
	struct term t;

	pty_name(&t, name, sizeof(name));
	CHECK(!tty_is_connected(t.tty));
	CHECK_EQ(term_write(&t, "nobody hears", 12), -EPIPE);
	for (int round = 1; round <= 2; round++) {
		int fd = open(name, O_RDWR | O_NOCTTY);

		CHECK(fd >= 0);
		while (t.connected < round)
			loop_run(t.loop);
		CHECK(!tcgetattr(fd, &tio) && !(tio.c_lflag & (ICANON | ECHO)) && !(tio.c_oflag & OPOST));
		CHECK_EQ(term_write(&t, "hello", 5), 5);
		expect(fd, "hello");
		CHECK_EQ(write(fd, "ho", 2), 2);
		term_wait_readable(&t);
		CHECK_EQ(term_read(&t, buf, 8), 2);
		close(fd);
		if (round == 1) {
			/* Seen by reading, and by writing. */
			term_wait_readable(&t);
			CHECK_EQ(term_read(&t, buf, 8), 0);
		}
		CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
		CHECK_EQ(term_read(&t, buf, 8), -EAGAIN);
		CHECK(!tty_is_connected(t.tty));
	}
	term_close(&t);
}

TEST(pty_size)
{
	struct winsize ws = { .ws_row = 41, .ws_col = 97 };
	char name[64];
	struct term t;
	u16 rows, cols;
	int fd;

	pty_name(&t, name, sizeof(name));
	CHECK_EQ(tty_size(t.tty, &rows, &cols), -ENOTTY);
	fd = open(name, O_RDWR | O_NOCTTY);
	CHECK(!ioctl(fd, TIOCSWINSZ, &ws));
	CHECK_EQ(tty_size(t.tty, &rows, &cols), 0);
	CHECK_EQ(rows, 41);
	CHECK_EQ(cols, 97);
	term_close(&t);
	term_open(&t, "null", 0, 0);
	CHECK_EQ(tty_size(t.tty, &rows, &cols), -ENOTTY);
	term_close(&t);
}

static int unix_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static void unix_path(char path[64], char spec[80])
{
	char dir[] = "/tmp/lkvm-tty-XXXXXX";

	CHECK(mkdtemp(dir));
	snprintf(path, 64, "%s/s", dir);
	snprintf(spec, 80, "unix:%s", path);
}

static void unix_remove(char path[64])
{
	unlink(path);
	*strrchr(path, '/') = 0;
	CHECK(!rmdir(path));
}

TEST(unix_peers_come_and_go)
{
	char path[64], spec[80], buf[8];
	struct stat st;
	struct term t;

	unix_path(path, spec);
	CHECK_EQ(term_try(&t, spec), 0);
	CHECK(!stat(path, &st));
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
	CHECK_EQ(term_read(&t, buf, 8), -EAGAIN);
	for (int round = 1; round <= 3; round++) {
		int fd = unix_connect(path);

		CHECK(fd >= 0);
		while (t.connected < round)
			loop_run(t.loop);
		CHECK_EQ(term_write(&t, "hello", 5), 5);
		expect(fd, "hello");
		CHECK_EQ(write(fd, "last", 4), 4);
		close(fd);
		/* Nobody hears any more, but what was said before is not lost. */
		CHECK_EQ(term_write(&t, "x", 1), -EPIPE);
		term_wait_readable(&t);
		CHECK_EQ(term_read(&t, buf, 8), 4);
		CHECK_EQ(term_read(&t, buf, 8), 0);
		CHECK_EQ(term_read(&t, buf, 8), -EAGAIN);
		CHECK(!tty_is_connected(t.tty));
	}
	term_close(&t);
	CHECK(stat(path, &st) < 0);
	unix_remove(path);
}

TEST(unix_second_peer_waits)
{
	char path[64], spec[80], buf[8];
	struct term t;
	int a, b;

	unix_path(path, spec);
	CHECK_EQ(term_try(&t, spec), 0);
	a = unix_connect(path);
	b = unix_connect(path);
	CHECK(a >= 0 && b >= 0);
	CHECK_EQ(write(b, "b", 1), 1);
	while (!t.connected)
		loop_run(t.loop);
	CHECK_EQ(term_write(&t, "to a", 4), 4);
	expect(a, "to a");
	CHECK_EQ(term_read(&t, buf, 8), -EAGAIN);
	close(a);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 8), 0);
	while (t.connected < 2)
		loop_run(t.loop);
	term_wait_readable(&t);
	CHECK_EQ(term_read(&t, buf, 8), 1);
	CHECK_EQ(buf[0], 'b');
	term_close(&t);
	unix_remove(path);
}

TEST(unix_stale_socket_is_replaced_and_no_other_file)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[64], spec[80];
	struct term t, t2;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unix_path(path, spec);
	strcpy(addr.sun_path, path);
	CHECK(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	close(fd);
	CHECK_EQ(term_try(&t, spec), 0);
	/* One that is listened on is left alone. */
	CHECK_EQ(term_try(&t2, spec), -EADDRINUSE);
	loop_free(t2.loop);
	fd = unix_connect(path);
	CHECK(fd >= 0);
	/* Somebody else's socket is not removed at the end. */
	CHECK(!unlink(path));
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	term_close(&t);
	CHECK(!stat(path, &st));
	CHECK(!unlink(path));
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(term_try(&t, spec), -EADDRINUSE);
	loop_free(t.loop);
	CHECK(!stat(path, &st) && S_ISREG(st.st_mode));
	unix_remove(path);
}

TEST(detached_terminals_lose_nothing)
{
	char path[64], spec[80], buf[8];
	struct term t;
	struct loop *second;
	int fd;

	unix_path(path, spec);
	CHECK_EQ(term_try(&t, spec), 0);
	tty_want_read(t.tty, true);
	tty_detach(t.tty);
	fd = unix_connect(path);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "early", 5), 5);
	CHECK_EQ(term_read(&t, buf, 8), -EAGAIN);
	second = t.loop;
	CHECK_EQ(loop_new(&t.loop, NULL), 0);
	tty_attach(t.tty, t.loop);
	while (!t.connected)
		loop_run(t.loop);
	while (!t.readable)
		loop_run(t.loop);
	CHECK_EQ(term_read(&t, buf, 8), 5);
	tty_detach(t.tty);
	CHECK_EQ(write(fd, "again", 5), 5);
	CHECK_EQ(term_read(&t, buf, 8), 5);
	CHECK_EQ(term_write(&t, "back", 4), 4);
	expect(fd, "back");
	loop_free(t.loop);
	t.loop = second;
	term_close(&t);
	unix_remove(path);
}
