// SPDX-License-Identifier: GPL-2.0
/*
 * For tests/bench/fs-native.sh: "fs serve DIR MOUNTPOINT THREADS [root]" is the FUSE
 * server behind /dev/fuse, until it is unmounted, with "root" as for a guest's root, in
 * which nothing changes; "fs work DIR" does the same things there
 * as everywhere and prints how many a second, or MB a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuse_mount.h"

#define FILES	3000
#define SIZE	(128 << 20)
#define BLOCKS	8000		/* of 4 KiB, at random places */

static char block[1 << 20];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static const char *name(const char *dir, unsigned int i)
{
	static char buf[2][64];
	static unsigned int n;

	snprintf(buf[n ^= 1], sizeof(buf[0]), "%s/file%u", dir, i);
	return buf[n];
}

static void work_create(void)
{
	for (unsigned int i = 0; i < FILES; i++) {
		int fd = open(name("d", i), O_WRONLY | O_CREAT | O_EXCL, 0644);

		if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
			fail("create");
	}
}

static void work_list(void)
{
	struct dirent *de;
	DIR *dir = opendir("d");
	struct stat st;

	if (!dir)
		fail("opendir");
	while ((de = readdir(dir)))
		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			fail("stat");
	closedir(dir);
}

/* What has not been looked at for more than a second. */
static void work_stat(void)
{
	struct stat st;

	for (unsigned int i = 0; i < FILES; i++)
		if (stat(name("d", i), &st))
			fail("stat");
}

static void work_missing(void)
{
	struct stat st;

	for (unsigned int i = 0; i < FILES; i++)
		if (!stat(name("d", FILES + i), &st))
			fail("missing");
}

static void work_open(void)
{
	char c;

	for (unsigned int i = 0; i < FILES; i++) {
		int fd = open(name("d", i), O_RDONLY);

		if (fd < 0 || read(fd, &c, 1) != 1 || close(fd))
			fail("open");
	}
}

static void work_rename(void)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (rename(name("d", i), name("e", i)))
			fail("rename");
}

static void work_unlink(void)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (unlink(name("e", i)))
			fail("unlink");
}

/* Nothing in the client's cache; the host's has it all. */
static int big(int flags)
{
	int fd = open("big", flags | O_CREAT, 0644);

	if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		fail("big");
	return fd;
}

static void work_seq(int flags, size_t size)
{
	int fd = big(flags);

	for (size_t done = 0; done < SIZE; done += size)
		if ((flags == O_RDONLY ? read(fd, block, size) :
		     write(fd, block, size)) != (ssize_t)size)
			fail("big");
	if (close(fd))
		fail("big");
}

static void work_random(int flags)
{
	int fd = big(flags);
	unsigned int x = 1;

	for (unsigned int i = 0; i < BLOCKS; i++) {
		off_t off;

		x = x * 1664525 + 1013904223;
		off = (off_t)((x >> 8) % (SIZE / 4096)) * 4096;
		if ((flags == O_RDONLY ? pread(fd, block, 4096, off) :
		     pwrite(fd, block, 4096, off)) != 4096)
			fail("big");
	}
	if (close(fd))
		fail("big");
}

static void work_write_1m(void) { work_seq(O_WRONLY, 1 << 20); }
static void work_write_4k(void) { work_seq(O_WRONLY, 4096); }
static void work_read_1m(void) { work_seq(O_RDONLY, 1 << 20); }
static void work_read_4k(void) { work_seq(O_RDONLY, 4096); }
static void work_random_read(void) { work_random(O_RDONLY); }
static void work_random_write(void) { work_random(O_WRONLY); }

static const struct {
	const char *name;
	void (*fn)(void);
	double count;
	bool rest;		/* until names and attributes have to be asked for again */
} works[] = {
	{ "create", work_create, FILES },
	{ "list", work_list, FILES, true },
	{ "stat", work_stat, FILES, true },
	{ "missing", work_missing, FILES },
	{ "open", work_open, FILES, true },
	{ "rename", work_rename, FILES },
	{ "unlink", work_unlink, FILES },
	{ "write-1M", work_write_1m, SIZE / 1e6 },
	{ "write-4k", work_write_4k, SIZE / 1e6 },
	{ "read-1M", work_read_1m, SIZE / 1e6 },
	{ "read-4k", work_read_4k, SIZE / 1e6 },
	{ "random-read", work_random_read, BLOCKS },
	{ "random-write", work_random_write, BLOCKS },
};

static int work(const char *dir)
{
	if (chdir(dir) || (mkdir("d", 0755) && errno != EEXIST) || (mkdir("e", 0755) && errno != EEXIST))
		fail(dir);
	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		double start;

		if (works[i].rest)
			poll(NULL, 0, 1100);
		start = now();
		works[i].fn();
		printf("%s %.0f\n", works[i].name, works[i].count / (now() - start));
	}
	return unlink("big") || rmdir("d") || rmdir("e");
}

int main(int argc, char **argv)
{
	struct fuse_options opts = { .dir = argc > 2 ? argv[2] : NULL };
	int fd;

	if (argc == 3 && !strcmp(argv[1], "work"))
		return work(argv[2]);
	if (argc < 5 || strcmp(argv[1], "serve"))
		return 2;
	if (argc > 5) {
		opts.readonly = true;
		opts.cache = FUSE_CACHE_ALWAYS;
	}
	fd = fuse_mount_open(argv[3]);
	if (fd < 0)
		return 1;
	return fuse_mount_serve(&opts, fd, atoi(argv[4])) ? 1 : 0;
}
