// SPDX-License-Identifier: GPL-2.0
/* Root file systems below ~/.lkvm. */
#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/rootfs.h>

#include "scratch.h"
#include "tap.h"

static void home_new(void)
{
	setenv("HOME", scratch_dir(), 1);
}

/* The number of files in ~/.lkvm, hidden ones too. */
static int home_count(void)
{
	DIR *d = opendir(scratch(".lkvm"));
	int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static bool exists(const char *name)
{
	struct stat st;

	return !lstat(scratch(name), &st);
}

TEST(a_small_root_has_links_to_the_hosts_files)
{
	char to[64] = "", *path;
	ssize_t n;

	home_new();
	CHECK_EQ(rootfs_make("vm", NULL), 0);
	path = rootfs_path("vm");
	CHECK_STR(path, scratch(".lkvm/vm"));
	CHECK(rootfs_wants_host(path));
	n = readlink(scratch(".lkvm/vm/usr"), to, sizeof(to) - 1);
	CHECK(n > 0);
	CHECK_STR(to, ROOTFS_HOST "/usr");
	CHECK(exists(".lkvm/vm/etc/passwd"));
	CHECK(exists(".lkvm/vm/virt"));
	CHECK_EQ(home_count(), 1);
	free(path);
}

TEST(a_root_is_never_made_over_another)
{
	home_new();
	CHECK_EQ(rootfs_make("vm", NULL), 0);
	scratch_file(".lkvm/vm/mine", "kept");
	CHECK_EQ(rootfs_make("vm", NULL), -EEXIST);
	CHECK(exists(".lkvm/vm/mine"));
	CHECK_EQ(home_count(), 1);
}

TEST(a_copy_of_a_directory_and_of_an_archive)
{
	char cmd[512];

	home_new();
	CHECK(!mkdir(scratch("from"), 0755));
	scratch_file("from/-rf", "a");
	CHECK(!symlink("/nowhere", scratch("from/link")));
	snprintf(cmd, sizeof(cmd), "tar -C %s -cf %s .", scratch("from"), scratch("from.tar"));
	CHECK_EQ(system(cmd), 0);
	CHECK_EQ(rootfs_make("dir", scratch("from")), 0);
	CHECK(exists(".lkvm/dir/-rf"));
	CHECK(exists(".lkvm/dir/link"));
	CHECK(!rootfs_wants_host(scratch(".lkvm/dir")));
	CHECK_EQ(rootfs_make("tar", scratch("from.tar")), 0);
	CHECK(exists(".lkvm/tar/-rf"));
	CHECK_EQ(home_count(), 2);
}

TEST(what_cannot_be_made_leaves_nothing)
{
	home_new();
	CHECK_EQ(rootfs_make("a", scratch("nothing")), -ENOENT);
	CHECK_EQ(rootfs_make("a", "debootstrap:"), -EINVAL);
	scratch_file("no.tar", "this is no archive");
	CHECK_EQ(rootfs_make("a", scratch("no.tar")), -EIO);
	CHECK_EQ(home_count(), 0);
	unsetenv("HOME");
	CHECK(rootfs_make("a", NULL) < 0);
}

TEST(names)
{
	CHECK(rootfs_name_ok("syz-0"));
	CHECK(!rootfs_name_ok(""));
	CHECK(!rootfs_name_ok("."));
	CHECK(!rootfs_name_ok(".."));
	CHECK(!rootfs_name_ok("a/b"));
	CHECK(!rootfs_name_ok("--from"));
}
