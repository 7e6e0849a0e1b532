// SPDX-License-Identifier: GPL-2.0
/*
 * The host's file tree: what no protocol's test can see, that is what it does
 * without the newer system calls, and what it leaves as it was.
 */
#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/types.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kvm/host.h>
#include <kvm/keep.h>
#include <kvm/opt.h>

#include "scratch.h"
#include "tap.h"

static const struct host_cred self = { HOST_ID_NONE, HOST_ID_NONE };

static struct host *tree(bool readonly)
{
	const char *err = NULL;
	struct host *h;
	int ret = host_new(&h, NULL, scratch_dir(), HOST_PARENTS | (readonly ? HOST_READONLY : 0), &err);

	if (ret)
		tap_fail(__FILE__, __LINE__, "%s: %s", err, strerror(-ret));
	return h;
}

/* From here on system call @nr fails with @err. */
static void forbid(int nr, int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		SKIP("no seccomp");
}

TEST(names)
{
	char name[1100];

	memset(name, 'x', sizeof(name));
	CHECK_EQ(host_name_error("a", 1), 0);
	CHECK_EQ(host_name_error("...", 3), 0);
	CHECK_EQ(host_name_error("..a", 3), 0);
	CHECK_EQ(host_name_error(".a", 2), 0);
	CHECK_EQ(host_name_error(name, 255), 0);
	CHECK_EQ(host_name_error(name, 1023), 0);		/* not every file system's limit is 255 */
	CHECK_EQ(host_name_error(name, 1024), -ENAMETOOLONG);
	CHECK_EQ(host_name_error("", 0), -EINVAL);
	CHECK_EQ(host_name_error(".", 1), -EINVAL);
	CHECK_EQ(host_name_error("..", 2), -EINVAL);
	CHECK_EQ(host_name_error("a/b", 3), -EINVAL);
	CHECK_EQ(host_name_error("/", 1), -EINVAL);
	CHECK_EQ(host_name_error("a\0b", 3), -EINVAL);
}

static void check_lookups(void)
{
	struct host_node *root, *node, *sub;
	struct host *h;

	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/f", "x");
	CHECK(!symlink("d", scratch("l")));
	CHECK(!symlink("/", scratch("d/abs")));
	h = tree(false);
	root = host_root(h);
	CHECK_EQ(host_lookup(root, "d", 0, &node, NULL), 0);
	CHECK(S_ISDIR(node->type));
	CHECK_EQ(host_lookup(node, "f", 0, &sub, NULL), 0);
	CHECK(S_ISREG(sub->type));
	host_node_put(sub);
	CHECK_EQ(host_lookup(node, "abs", 0, &sub, NULL), 0);
	CHECK(S_ISLNK(sub->type));
	host_node_put(node);
	CHECK_EQ(host_lookup(sub, "etc", 0, &node, NULL), -ENOTDIR);
	host_node_put(sub);
	CHECK_EQ(host_lookup(root, "l", 0, &node, NULL), 0);
	CHECK(S_ISLNK(node->type));
	CHECK_EQ(host_lookup(node, "f", 0, &sub, NULL), -ENOTDIR);
	host_node_put(node);
	CHECK_EQ(host_lookup(root, "none", 0, &node, NULL), -ENOENT);
	host_node_put(root);
	host_free(h);
}

TEST(lookups)
{
	check_lookups();
}

TEST(lookups_without_openat2)
{
	forbid(SYS_openat2, ENOSYS);
	check_lookups();
}

TEST(lookups_where_openat2_is_forbidden)
{
	forbid(SYS_openat2, EPERM);
	check_lookups();
}

static void check_modes(void)
{
	struct host *h;
	struct host_node *root;
	struct host_file *file;
	struct stat st;

	umask(027);
	h = tree(false);
	root = host_root(h);
	CHECK_EQ(host_create(root, "f", O_RDWR, 0666, &self, &file), 0);
	host_file_close(file);
	CHECK_EQ(host_mkdir(root, "d", 01777, &self, &st), 0);
	CHECK_EQ(host_mknod(root, "p", S_IFIFO | 0622, 0, &self, &st), 0);
	CHECK_EQ(host_symlink(root, "l", "/etc/passwd", &self, &st), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0666);
	CHECK(!stat(scratch("d"), &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	CHECK(!stat(scratch("p"), &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0622);
	host_node_put(root);
	host_free(h);
}

TEST(modes_are_as_asked)
{
	check_modes();
}

/* As in a container: the mask is the process's, and has to be left alone. */
TEST(modes_without_unshare)
{
	forbid(SYS_unshare, EPERM);
	check_modes();
	CHECK_EQ(umask(0), 027);
}

/* A file that is deep in a tree keeps its ancestors, and they go with it. */
TEST(a_deep_chain_is_put)
{
	struct host *h = tree(false);
	struct host_node *node = host_root(h), *next;
	struct stat st;
	int i;

	for (i = 0; i < 200; i++) {
		CHECK_EQ(host_mkdir(node, "d", 0755, &self, &st), 0);
		CHECK_EQ(host_lookup(node, "d", 0, &next, NULL), 0);
		host_node_put(node);
		node = next;
	}
	CHECK_EQ(host_parent(node, NULL, &next), 0);
	CHECK_EQ(host_parent(node, node, &next), 0);
	CHECK(next == node);
	host_node_put(next);
	host_node_put(node->parent);
	host_node_put(node);
	host_free(h);
}

TEST(the_limit_of_open_files_is_raised)
{
	struct rlimit lim;

	CHECK(!getrlimit(RLIMIT_NOFILE, &lim));
	lim.rlim_cur = 100;
	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	host_free(tree(false));
	CHECK(!getrlimit(RLIMIT_NOFILE, &lim));
	CHECK(lim.rlim_cur == lim.rlim_max || lim.rlim_cur == 1 << 20);
}

/* Entries that were returned but not used are read again from their cookie. */
TEST(readdir_from_a_cookie)
{
	u64 buf[4096], cookie = 0;
	struct host *h;
	struct host_node *root;
	struct host_file *file;
	const struct host_dirent *de;
	unsigned int n = 0;
	char name[16];
	int i;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%d", i);
		scratch_file(name, "");
	}
	h = tree(true);
	root = host_root(h);
	CHECK_EQ(host_open(root, O_RDONLY, &file), 0);
	while (host_readdir(file, cookie, NAME_MAX, buf, sizeof(buf)) > 0) {
		de = (const void *)buf;
		cookie = de->cookie;
		n++;
	}
	CHECK_EQ(n, 302);
	host_file_close(file);
	host_node_put(root);
	host_free(h);
}

/* Hidden files */

static bool listed(struct host_node *dir, const char *name)
{
	char buf[4096] __attribute__((aligned(8)));
	struct host_file *file;
	bool found = false;
	u64 cookie = 0;
	ssize_t n, off;

	CHECK_EQ(host_open(dir, O_RDONLY, &file), 0);
	while ((n = host_readdir(file, cookie, NAME_MAX, buf, sizeof(buf))) > 0)
		for (off = 0; off < n; off += ((struct host_dirent *)(buf + off))->reclen) {
			found |= !strcmp(((struct host_dirent *)(buf + off))->name, name);
			cookie = ((struct host_dirent *)(buf + off))->cookie;
		}
	host_file_close(file);
	return found;
}

static void check_hidden(struct host_node *dir, const char *name)
{
	struct host_node *node;
	struct host_file *file;
	struct statx stx;
	struct stat st;

	CHECK_EQ(host_lookup(dir, name, 0, &node, NULL), -ENOENT);
	CHECK_EQ(host_stat(dir, name, STATX_BASIC_STATS, &stx), -ENOENT);
	CHECK_EQ(host_unlink(dir, name, false), -ENOENT);
	CHECK_EQ(host_unlink(dir, name, true), -ENOENT);
	CHECK_EQ(host_rename(dir, name, dir, "else", 0), -ENOENT);
	CHECK_EQ(host_rename(dir, "open", dir, name, 0), -EACCES);
	CHECK_EQ(host_rename(dir, "open", dir, name, RENAME_EXCHANGE), -EACCES);
	CHECK_EQ(host_create(dir, name, O_RDWR, 0600, &self, &file), -EACCES);
	CHECK_EQ(host_mkdir(dir, name, 0700, &self, &st), -EACCES);
	CHECK_EQ(host_symlink(dir, name, "open", &self, &st), -EACCES);
	CHECK_EQ(host_lookup(dir, "open", 0, &node, NULL), 0);
	CHECK_EQ(host_link(node, dir, name), -EACCES);
	host_node_put(node);
	CHECK(!listed(dir, name));
	CHECK(listed(dir, "open"));
}

TEST(hidden_files_are_not_there)
{
	char key[PATH_MAX], dir[PATH_MAX];
	const char *paths[] = { key, dir };
	struct opt_list list = { paths, 2 };
	struct host_node *home, *node;
	struct keep *keep = keep_new();
	struct host *h;
	int again;

	CHECK(!mkdir(scratch("home"), 0700) && !mkdir(scratch("home/.ssh"), 0700));
	scratch_file("home/key", "secret");
	scratch_file("home/.ssh/id", "secret");
	scratch_file("home/open", "public");
	CHECK(!link(scratch("home/key"), scratch("home/alias")));
	strcpy(key, scratch("home/key"));
	strcpy(dir, scratch("home/.ssh"));
	/* A machine that starts again finds the same, whatever has these names by then. */
	for (again = 0; again < 2; again++) {
		h = tree(false);
		CHECK_EQ(host_hide(h, keep, &list), 0);
		home = host_root(h);
		CHECK_EQ(host_lookup(home, "home", 0, &node, NULL), 0);
		host_node_put(home);
		home = node;
		check_hidden(home, "key");
		check_hidden(home, ".ssh");
		/* By another name it is hidden as well, and what replaces it. */
		CHECK_EQ(host_lookup(home, "alias", 0, &node, NULL), -ENOENT);
		CHECK(!rename(scratch("home/.ssh"), scratch("home/moved")));
		CHECK_EQ(host_lookup(home, "moved", 0, &node, NULL), -ENOENT);
		CHECK(!mkdir(scratch("home/.ssh"), 0700));
		check_hidden(home, ".ssh");
		CHECK(!rmdir(scratch("home/.ssh")) && !rename(scratch("home/moved"), scratch("home/.ssh")));
		/* The same name elsewhere is not. */
		if (!again)
			scratch_file("key", "of a piano");
		node = host_root(h);
		CHECK(listed(node, "key"));
		host_node_put(node);
		host_node_put(home);
		host_free(h);
	}
	keep_free(keep);
	CHECK(!access(key, F_OK) && !access(dir, F_OK));
}

TEST(only_what_is_there_can_be_hidden)
{
	static const char *const bad[] = { "", "key", "/", "/no/such/file", "/etc/" };
	struct host *h = tree(false);
	struct opt_list list = { NULL, 1 };
	const char *path;
	size_t i;

	list.item = &path;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		path = bad[i];
		CHECK(host_hide(h, NULL, &list) < 0);
	}
	host_free(h);
}
