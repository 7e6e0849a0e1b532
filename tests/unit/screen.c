// SPDX-License-Identifier: GPL-2.0
/* The guest's console and those who watch it: a guest that is this test, watchers that are its sockets. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/loop.h>

#include "../../builtin/session/screen.h"
#include "tap.h"

static struct screen *screen;
static struct loop *loop;

static void stop_now(struct work *w)
{
	loop_stop(loop);
}

/* Serve all that is ready. */
static void serve(void)
{
	struct work work = { .fn = stop_now };

	for (int i = 0; loop && i < 8; i++) {
		loop_post(loop, &work);
		loop_run(loop);
	}
}

static void start(void)
{
	CHECK_EQ(screen_new(&screen), 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	screen_attach(screen, loop);
}

static void stop(void)
{
	screen_free(screen);
	loop_free(loop);
	loop = NULL;
}

static int watcher(bool once)
{
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(screen_watch(screen, pair[1], once), 0);
	return pair[0];
}

static void put(const char *text)
{
	screen_put(screen, text, strlen(text));
}

/* All that has come; -1 at the end. */
static ssize_t get(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		serve();
		n = recv(fd, buf + len, size - 1 - len, MSG_DONTWAIT);
		if (n <= 0)
			break;
		len += n;
	}
	buf[len] = '\0';
	return !len && !n ? -1 : (ssize_t)len;
}

static const char *text_of(int fd)
{
	static char buf[4096];

	return get(fd, buf, sizeof(buf)) < 0 ? "(end)" : buf;
}

TEST(what_was_printed_before_comes_first)
{
	int a, b;

	start();
	put("one ");
	a = watcher(false);
	put("two ");
	b = watcher(false);
	put("three");
	CHECK_STR(text_of(a), "one two three");
	CHECK_STR(text_of(b), "one two three");
	put("!");
	CHECK_STR(text_of(b), "!");
	stop();
	CHECK_STR(text_of(a), "!");
}

TEST(once_and_no_more)
{
	int a;

	start();
	put("before");
	a = watcher(true);
	put("after");
	CHECK_STR(text_of(a), "before");
	CHECK_STR(text_of(a), "(end)");
	a = watcher(true);
	CHECK_STR(text_of(a), "beforeafter");
	stop();
}

TEST(a_watcher_that_does_not_read_delays_nobody_and_is_told)
{
	static char line[1000], buf[4 * SCREEN_ROOM];
	unsigned long long lost, sent = 0;
	int slow, fast;
	const char *note;
	ssize_t n, m;

	start();
	memset(line, 'x', sizeof(line));
	slow = watcher(false);
	fast = watcher(false);
	for (int i = 0; i < 2000; i++) {
		screen_put(screen, line, sizeof(line));
		sent += sizeof(line);
		n = recv(fast, buf, sizeof(buf), MSG_DONTWAIT);
		CHECK_EQ(n, sizeof(line));
	}
	n = get(slow, buf, sizeof(buf));
	note = strstr(buf, "\r\n[lkvm: ");
	CHECK(note);
	CHECK_EQ(sscanf(note, "\r\n[lkvm: %llu bytes of the console are lost here]", &lost), 1);
	m = strstr(note, "]\r\n") + 3 - note;
	CHECK_EQ(n - m + lost, sent);
	CHECK(!strstr(note + 4, "[lkvm: "));
	put("alive");
	CHECK_STR(text_of(slow), "alive");
	stop();
}

TEST(one_who_comes_late_gets_the_last_bytes)
{
	static char line[1000], buf[2 * SCREEN_ROOM];
	int a;

	start();
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 1000; i++)
		screen_put(screen, line, sizeof(line));
	put("last");
	a = watcher(false);
	CHECK_EQ(get(a, buf, sizeof(buf)), SCREEN_ROOM);
	CHECK_STR(buf + SCREEN_ROOM - 4, "last");
	stop();
}

TEST(keys_of_all_go_to_the_guest)
{
	char buf[16];
	int a, b;

	start();
	a = watcher(false);
	b = watcher(false);
	CHECK_EQ(write(a, "ab", 2), 2);
	serve();
	CHECK_EQ(write(b, "cd", 2), 2);
	serve();
	CHECK_EQ(read(screen_in(screen), buf, sizeof(buf)), 4);
	CHECK_MEM(buf, "abcd", 4);
	/* No more keys, and still a watcher. */
	shutdown(a, SHUT_WR);
	serve();
	put("x");
	CHECK_STR(text_of(a), "x");
	stop();
}

TEST(keys_that_the_guest_does_not_read_wait)
{
	static char keys[300000], buf[65536];
	size_t sent = 0, got = 0;
	int a, b;

	start();
	for (size_t i = 0; i < sizeof(keys); i++)
		keys[i] = i % 251;
	a = watcher(false);
	b = watcher(false);
	fcntl(a, F_SETFL, O_NONBLOCK);
	while (got < sizeof(keys)) {
		ssize_t n = sent < sizeof(keys) ? write(a, keys + sent, sizeof(keys) - sent) : 0;

		sent += max(n, (ssize_t)0);
		serve();
		/* The other one sees the guest meanwhile. */
		put("y");
		CHECK_STR(text_of(b), "y");
		n = read(screen_in(screen), buf, sizeof(buf));
		CHECK(n > 0);
		CHECK_MEM(buf, keys + got, n);
		got += n;
	}
	stop();
}

TEST(watchers_come_and_go_while_nothing_serves_them)
{
	int a, b;

	start();
	a = watcher(false);
	screen_attach(screen, NULL);
	put("the end");
	b = watcher(false);
	CHECK_EQ(write(a, "k", 1), 1);
	close(a);
	CHECK_STR(text_of(b), "the end");
	screen_attach(screen, loop);
	put("!");
	CHECK_STR(text_of(b), "!");
	stop();
	CHECK_STR(text_of(b), "(end)");
}

TEST(too_many)
{
	int fd[SCREEN_WATCHERS], pair[2];

	start();
	for (int i = 0; i < SCREEN_WATCHERS; i++)
		fd[i] = watcher(false);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(screen_watch(screen, pair[1], false), -EBUSY);
	close(fd[7]);
	serve();
	watcher(false);
	stop();
}
