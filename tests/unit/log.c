// SPDX-License-Identifier: GPL-2.0
/* Messages that a guest can cause: few at a time, and not for ever. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/log.h>

#include "scratch.h"
#include "tap.h"

/* What @say prints to stderr; to be freed. */
static char *printed(void (*say)(void))
{
	int old = dup(STDERR_FILENO), fd;
	struct stat st;
	char *text;

	CHECK(!chdir(scratch_dir()));
	fd = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	say();
	dup2(old, STDERR_FILENO);
	close(old);
	CHECK(!fstat(fd, &st));
	text = calloc(1, st.st_size + 1);
	CHECK_EQ(pread(fd, text, st.st_size, 0), st.st_size);
	close(fd);
	return text;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void say_often(void)
{
	struct log_limit limit = { 0 };

	for (int i = 0; i < 100; i++)
		log_limited(&limit, LOG_WARNING, "evil ring");
}

TEST(messages_come_in_bursts)
{
	char *text = printed(say_often);

	CHECK_EQ(lines(text), LOG_BURST);
	free(text);
}

/* As many devices, or as many starts of the machine, each with a limit of its own. */
static void say_everywhere(void)
{
	for (int i = 0; i < 3 * LOG_LIMITED_MAX; i++) {
		struct log_limit limit = { 0 };

		log_limited(&limit, LOG_INFO, "not shown, not counted");
		log_limited(&limit, LOG_WARNING, "evil ring");
	}
	pr_warn("lkvm's own");
}

TEST(messages_have_an_end)
{
	char *text = printed(say_everywhere), *last;

	/* The last two: that there are no more, and one that no guest has caused. */
	CHECK(lines(text) <= LOG_LIMITED_MAX + 2);
	CHECK(lines(text) > LOG_LIMITED_MAX / 2);
	last = strstr(text, "lkvm: warning: the guest has caused 1000 messages: lkvm prints no more of this kind\n"
		      "lkvm: warning: lkvm's own\n");
	CHECK(last);
	CHECK(!strstr(text, "not shown"));
	free(text);
}

static void prefixed(int err, ...)
{
	va_list ap;

	va_start(ap, err);
	log_prefixed(LOG_ERROR, "disk0", err, "image", ap);
	va_end(ap);
}

static void say_refused(void)
{
	prefixed(-EACCES);
	prefixed(-ENOENT);
}

/* A refusal of Landlock's is an EACCES like any other. */
TEST(a_refusal_may_be_lkvm_s_own)
{
	char *text = printed(say_refused);

	CHECK(!strcmp(text, "lkvm: disk0: image: Permission denied\nlkvm: disk0: image: No such file or directory\n"));
	free(text);
	log_set_confined();
	text = printed(say_refused);
	CHECK(strstr(text, "lkvm: disk0: image: Permission denied (lkvm is confined, --confine off"));
	CHECK(strstr(text, "lkvm: disk0: image: No such file or directory\n"));
	free(text);
}
