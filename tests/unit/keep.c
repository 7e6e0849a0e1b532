// SPDX-License-Identifier: GPL-2.0
/* What is kept from one start of a machine to the next. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/keep.h>

#include "scratch.h"
#include "tap.h"

TEST(a_name_is_opened_once)
{
	struct keep *k = keep_new();
	struct stat a, b;
	int fd, again;

	CHECK(!chdir(scratch_dir()));
	CHECK(k);
	CHECK_EQ(keep_open(k, "file", O_RDONLY), -ENOENT);
	close(open("file", O_WRONLY | O_CREAT, 0600));
	fd = keep_open(k, "file", O_RDONLY);
	CHECK(fd >= 0 && !fstat(fd, &a));
	unlink("file");
	close(open("file", O_WRONLY | O_CREAT, 0600));
	again = keep_open(k, "file", O_RDONLY);
	CHECK(again >= 0 && again != fd && !fstat(again, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	close(again);
	/* For writing it is another. */
	again = keep_open(k, "file", O_RDWR);
	CHECK(again >= 0 && !fstat(again, &b));
	CHECK(a.st_ino != b.st_ino);
	close(again);
	close(fd);
	keep_free(k);
}

TEST(without_a_keep_everything_is_opened)
{
	int fd = keep_open(NULL, "/dev/null", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(keep_add_fd(NULL, "x", fd), 0);
	CHECK_EQ(keep_fd(NULL, "x"), -ENOENT);
	CHECK_EQ(keep_put(NULL, "x", &fd, free), -ENOMEM);
	CHECK(!keep_take(NULL, "x"));
	close(fd);
	keep_free(NULL);
}

static int order;

static void put_back(void *obj)
{
	*(int *)obj = ++order;
}

TEST(things_are_taken_in_the_order_in_which_they_were_put)
{
	struct keep *k = keep_new();
	int a = 0, b = 0, c = 0;

	CHECK_EQ(keep_put(k, "pty", &a, put_back), 0);
	CHECK_EQ(keep_put(k, "pty", &b, put_back), 0);
	CHECK_EQ(keep_put(k, "unix:x", &c, put_back), 0);
	CHECK(keep_take(k, "pty") == &a);
	CHECK_EQ(keep_put(k, "pty", &a, put_back), 0);
	CHECK(keep_take(k, "pty") == &b);
	CHECK(!keep_take(k, "unix:y"));
	keep_free(k);
	CHECK_EQ(a, 1);		/* the newest first */
	CHECK_EQ(b, 0);		/* is its owner's */
	CHECK_EQ(c, 2);
}
