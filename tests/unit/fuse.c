// SPDX-License-Identifier: GPL-2.0
/* The FUSE server: its requests, as a client sees them that need not be Linux. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/magic.h>

#include "../../hw/fs/fuse_session.h"
#include "fuse_client.h"
#include "scratch.h"
#include "tap.h"

#define ROOT	FUSE_ROOT_ID

static void check_content(const char *name, const char *want)
{
	char buf[256] = "";
	int fd = open(scratch(name), O_RDONLY);

	CHECK(fd >= 0);
	CHECK(read(fd, buf, sizeof(buf) - 1) >= 0);
	close(fd);
	CHECK_STR(buf, want);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(scratch(name), &st) ? 0 : st.st_mode;
}

static unsigned int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static u32 nodes(const struct fuse_client *c)
{
	return c->f->nnodes;
}

/* The session */

TEST(init_offers_what_both_know)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_init_out *o = fc_body(c);

	CHECK_EQ(c->len, sizeof(*o));
	CHECK_EQ(o->major, 7);
	CHECK_EQ(o->minor, FUSE_KERNEL_MINOR_VERSION);
	CHECK_EQ(o->max_write, 1 << 20);
	CHECK_EQ(o->max_pages, 256);
	CHECK_EQ(o->time_gran, 1);
	CHECK(o->flags & FUSE_MAX_PAGES);
	CHECK(o->flags & FUSE_SUBMOUNTS);
	CHECK(o->flags & FUSE_POSIX_ACL);
	CHECK(!(o->flags & FUSE_EXPORT_SUPPORT));
	CHECK(!(o->flags & FUSE_WRITEBACK_CACHE));
	CHECK(!(o->flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS)));
	fc_free(c);
}

TEST(init_offers_nothing_that_is_not_asked_for)
{
	struct fuse_init_in in = { .major = 7, .minor = 31, .flags = FUSE_BIG_WRITES };
	struct fuse_client *c = fc_new(NULL);
	struct fuse_init_out *o = fc_body(c);

	/* As an older client sends it: 16 bytes. */
	CHECK_EQ(fc_call(c, FUSE_INIT, 0, &in, 16, NULL, 0), 0);
	CHECK_EQ(o->minor, 31);
	CHECK_EQ(o->flags, FUSE_BIG_WRITES);
	CHECK_EQ(o->flags2, 0);
	CHECK_EQ(o->max_write, 128 << 10);
	fc_free(c);
}

TEST(init_by_options)
{
	struct fuse_options opts = { .writeback = true, .locks = true, .flat = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_init_out *o = fc_body(c);

	CHECK(o->flags & FUSE_WRITEBACK_CACHE);
	CHECK(o->flags & FUSE_POSIX_LOCKS);
	CHECK(o->flags & FUSE_FLOCK_LOCKS);
	CHECK(!(o->flags & FUSE_SUBMOUNTS));
	fc_free(c);
}

TEST(init_of_other_versions)
{
	struct fuse_init_in in = { .major = 8, .minor = 3 };
	struct fuse_client *c = fc_new(NULL);
	struct fuse_init_out *o = fc_body(c);

	/* A newer client is told ours and asks again. */
	CHECK_EQ(fc_call(c, FUSE_INIT, 0, &in, sizeof(in), NULL, 0), 0);
	CHECK_EQ(o->major, 7);
	CHECK_EQ(fc_name(c, FUSE_LOOKUP, ROOT, "a"), -EIO);
	in = (struct fuse_init_in){ .major = 7, .minor = 12 };
	CHECK_EQ(fc_call(c, FUSE_INIT, 0, &in, sizeof(in), NULL, 0), -EPROTO);
	in.major = 6;
	CHECK_EQ(fc_call(c, FUSE_INIT, 0, &in, sizeof(in), NULL, 0), -EPROTO);
	fc_free(c);
}

TEST(nothing_without_a_session)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_attr a;

	CHECK_EQ(fc_getattr(c, ROOT, &a), 0);
	CHECK_EQ(fc_call(c, FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0);
	CHECK_EQ(fc_getattr(c, ROOT, &a), -EIO);
	fc_free(c);
}

TEST(what_is_not_offered_is_refused)
{
	static const u32 ops[] = {
		FUSE_ACCESS, FUSE_POLL, FUSE_BMAP, FUSE_NOTIFY_REPLY, FUSE_SETUPMAPPING,
		FUSE_REMOVEMAPPING, 0, 7, 19, 60, CUSE_INIT, ~0U,
	};
	struct fuse_client *c = fc_new(NULL);
	char arg[128] = "";
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		CHECK_EQ(fc_call(c, ops[i], ROOT, arg, sizeof(arg), NULL, 0), -ENOSYS);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, 1, 1, F_WRLCK, 0, 1, 0), -ENOSYS);
	CHECK_EQ(fc_lock(c, FUSE_SETLKW, 1, 1, F_WRLCK, 0, 1, 0), -ENOSYS);
	CHECK_EQ(fc_lock(c, FUSE_GETLK, 1, 1, F_WRLCK, 0, 1, 0), -ENOSYS);
	fc_free(c);
}

TEST(destroy_and_reset_give_everything_back)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_open_out o;
	struct fuse_init_in in = { .major = 7, .minor = 31 };
	unsigned int fds = open_fds();
	u64 dir;

	mkdir(scratch("d"), 0755);
	scratch_file("f", "x");
	CHECK_EQ(fc_opendir(c, fc_node(c, "d"), &dir), 0);
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDWR, &o), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, 1, F_WRLCK, 0, INT64_MAX, 0), 0);
	CHECK(open_fds() > fds);
	CHECK_EQ(nodes(c), 3);
	fuse_reset(c->f);
	CHECK_EQ(open_fds(), fds);
	CHECK_EQ(nodes(c), 1);
	CHECK_EQ(fc_call(c, FUSE_INIT, 0, &in, sizeof(in), NULL, 0), 0);
	CHECK_EQ(fc_read(c, o.fh, 0, 1), -EBADF);
	fc_node(c, "f");
	fc_free(c);
}

/* What a hostile client may send */

TEST(malformed)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_in_header *h = (void *)c->in;
	struct fuse_out_header *o = (void *)c->out;

	CHECK_EQ(fc_raw(c, 0), -EPROTO);
	CHECK_EQ(fc_raw(c, sizeof(*h) - 1), -EPROTO);
	*h = (struct fuse_in_header){ .len = sizeof(*h), .opcode = FUSE_GETATTR, .nodeid = ROOT };
	c->room = sizeof(*o) - 1;
	CHECK_EQ(fc_raw(c, sizeof(*h)), -EPROTO);
	/* Room for an error only. */
	c->room = sizeof(*o);
	CHECK_EQ(fc_name(c, FUSE_LOOKUP, ROOT, "a"), -EMSGSIZE);
	c->room = FC_BUF;
	/* Longer than what is there, shorter than a header. */
	h->len = 1000;
	h->opcode = FUSE_LOOKUP;
	CHECK_EQ(fc_raw(c, sizeof(*h) + 10), sizeof(*o));
	CHECK_EQ(o->error, -EINVAL);
	h->len = 7;
	CHECK_EQ(fc_raw(c, sizeof(*h) + 10), sizeof(*o));
	CHECK_EQ(o->error, -EINVAL);
	/* FORGET has no reply, and needs no room for one. */
	c->room = 0;
	fc_forget(c, 12345, 1);
	fc_free(c);
}

TEST(every_request_cut_short)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	char junk[256];
	size_t len;
	u32 op;

	for (op = 0; op < 64; op++) {
		if (op == FUSE_DESTROY || op == FUSE_INIT)
			continue;
		for (len = 0; len < sizeof(junk); len++) {
			memset(junk, 0, sizeof(junk));
			fc_call(c, op, ROOT, junk, len, NULL, 0);
			memset(junk, 0xff, sizeof(junk));
			fc_call(c, op, ROOT, junk, len, NULL, 0);
			fc_call(c, op, len, junk, len, NULL, 0);
		}
	}
	fc_free(c);
}

TEST(names_lead_nowhere_else)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "/etc/passwd", "../x", "d/.." };
	struct fuse_client *c = fc_new(NULL);
	struct fuse_rename_in ren = { ROOT };
	struct fuse_mkdir_in dir = { .mode = 0755 };
	struct fuse_mknod_in nod = { .mode = S_IFREG | 0644 };
	struct fuse_create_in cr = { .flags = O_RDWR, .mode = 0644 };
	struct fuse_link_in link = { 0 };
	char two[64];
	size_t len;
	u32 i;

	scratch_file("f", "x");
	mkdir(scratch("d"), 0755);
	link.oldnodeid = fc_node(c, "f");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		len = strlen(bad[i]) + 1;
		CHECK_EQ(fc_name(c, FUSE_LOOKUP, ROOT, bad[i]), -EINVAL);
		CHECK_EQ(fc_name(c, FUSE_UNLINK, ROOT, bad[i]), -EINVAL);
		CHECK_EQ(fc_name(c, FUSE_RMDIR, ROOT, bad[i]), -EINVAL);
		CHECK_EQ(fc_call(c, FUSE_MKDIR, ROOT, &dir, sizeof(dir), bad[i], len), -EINVAL);
		CHECK_EQ(fc_call(c, FUSE_MKNOD, ROOT, &nod, sizeof(nod), bad[i], len), -EINVAL);
		CHECK_EQ(fc_call(c, FUSE_CREATE, ROOT, &cr, sizeof(cr), bad[i], len), -EINVAL);
		CHECK_EQ(fc_call(c, FUSE_LINK, ROOT, &link, sizeof(link), bad[i], len), -EINVAL);
		memcpy(two, "f", 2);
		memcpy(two + 2, bad[i], len);
		CHECK_EQ(fc_call(c, FUSE_RENAME, ROOT, &ren, sizeof(ren), two, 2 + len), -EINVAL);
		memcpy(two, bad[i], len);
		memcpy(two + len, "t", 2);
		CHECK_EQ(fc_call(c, FUSE_SYMLINK, ROOT, NULL, 0, two, len + 2), -EINVAL);
	}
	/* Without an end. */
	CHECK_EQ(fc_call(c, FUSE_LOOKUP, ROOT, NULL, 0, "f", 1), -EINVAL);
	CHECK_EQ(fc_call(c, FUSE_RENAME, ROOT, &ren, sizeof(ren), "f\0g", 3), -EINVAL);
	fc_free(c);
}

TEST(symbolic_links_are_not_followed)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_open_out o;
	struct fuse_entry_out e;
	u64 link;

	CHECK(!symlink("/", scratch("root")));
	CHECK_EQ(fc_lookup(c, ROOT, "root", &e), 0);
	CHECK(S_ISLNK(e.attr.mode));
	link = e.nodeid;
	CHECK_EQ(fc_lookup(c, link, "etc", &e), -ENOTDIR);
	CHECK_EQ(fc_open(c, link, O_RDONLY, &o), -EINVAL);
	CHECK_EQ(fc_call(c, FUSE_READLINK, link, NULL, 0, NULL, 0), 0);
	CHECK_EQ(c->len, 1);
	CHECK_MEM(fc_body(c), "/", 1);
	/* Nor by creating what exists. */
	CHECK_EQ(fc_create(c, ROOT, "root", O_RDWR, 0644, &e, &o), -ELOOP);
	fc_free(c);
}

TEST(special_files_are_never_opened)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e;
	struct fuse_open_out o;

	CHECK(!mkfifo(scratch("fifo"), 0600));
	CHECK_EQ(fc_open(c, fc_node(c, "fifo"), O_RDONLY, &o), -EINVAL);
	CHECK_EQ(fc_open(c, fc_node(c, "fifo"), O_WRONLY, &o), -EINVAL);
	CHECK_EQ(fc_create(c, ROOT, "fifo", O_RDWR, 0600, &e, &o), -EINVAL);
	fc_free(c);
}

static void *swap_thread(void *arg)
{
	volatile bool *stop = arg;
	char d[PATH_MAX], l[PATH_MAX], t[PATH_MAX];

	snprintf(d, sizeof(d), "%s/d", scratch_dir());
	snprintf(l, sizeof(l), "%s/link", scratch_dir());
	snprintf(t, sizeof(t), "%s/t", scratch_dir());
	while (!*stop) {
		renameat2(AT_FDCWD, d, AT_FDCWD, l, RENAME_EXCHANGE);
		rename(d, t);
		rename(t, d);
	}
	return NULL;
}

/* A directory that is exchanged with a link to somewhere else all the time. */
TEST(a_rename_race_leads_nowhere_else)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e, f;
	struct fuse_open_out o;
	volatile bool stop = false;
	unsigned int i, seen = 0;
	pthread_t thread;

	mkdir(scratch("d"), 0755);
	scratch_file("d/passwd", "inside");
	CHECK(!symlink("/etc", scratch("link")));
	CHECK(!pthread_create(&thread, NULL, swap_thread, (void *)&stop));
	for (i = 0; i < 20000; i++) {
		if (fc_lookup(c, ROOT, "d", &e) || !e.nodeid)
			continue;
		if (!fc_lookup(c, e.nodeid, "passwd", &f) && f.nodeid) {
			CHECK_EQ(f.attr.size, 6);
			if (!fc_open(c, f.nodeid, O_RDONLY, &o)) {
				CHECK_EQ(fc_read(c, o.fh, 0, 100), 6);
				CHECK_MEM(fc_body(c), "inside", 6);
				fc_release(c, f.nodeid, o.fh);
				seen++;
			}
			fc_forget(c, f.nodeid, 1);
		}
		fc_forget(c, e.nodeid, 1);
	}
	stop = true;
	pthread_join(thread, NULL);
	CHECK(seen);
	CHECK_EQ(nodes(c), 1);
	fc_free(c);
}

/* Nodes */

TEST(lookups_are_counted)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_attr a;
	u64 id;

	scratch_file("f", "x");
	id = fc_node(c, "f");
	CHECK_EQ(fc_node(c, "f"), id);
	CHECK_EQ(fc_node(c, "f"), id);
	fc_forget(c, id, 2);
	CHECK_EQ(fc_getattr(c, id, &a), 0);
	fc_forget(c, id, 1);
	CHECK_EQ(fc_getattr(c, id, &a), -ESTALE);
	CHECK_EQ(nodes(c), 1);
	/* Never the same number again: what still comes for the old one is not for the new. */
	CHECK(fc_node(c, "f") != id);
	CHECK_EQ(fc_getattr(c, id, &a), -ESTALE);
	/* More than there were. */
	fc_forget(c, fc_node(c, "f"), ~0ULL);
	fc_forget(c, ROOT, ~0ULL);
	CHECK_EQ(nodes(c), 1);
	CHECK_EQ(fc_getattr(c, ROOT, &a), 0);
	fc_free(c);
}

TEST(batch_forget)
{
	struct fuse_client *c = fc_new(NULL);
	struct {
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[4];
	} b = { .in.count = 1000 };	/* more than follow */

	scratch_file("a", "");
	scratch_file("b", "");
	b.one[0] = (struct fuse_forget_one){ fc_node(c, "a"), 1 };
	b.one[1] = (struct fuse_forget_one){ fc_node(c, "b"), 1 };
	b.one[2] = (struct fuse_forget_one){ fc_node(c, "b"), 1 };
	b.one[3] = (struct fuse_forget_one){ 777, 1 };
	CHECK_EQ(nodes(c), 3);
	CHECK_EQ(fc_call(c, FUSE_BATCH_FORGET, 0, &b, sizeof(b), NULL, 0), 0);
	CHECK_EQ(nodes(c), 1);
	fc_free(c);
}

TEST(a_node_is_a_file_not_a_name)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_attr a;
	u64 id;

	scratch_file("a", "x");
	CHECK(!link(scratch("a"), scratch("b")));
	id = fc_node(c, "a");
	CHECK_EQ(fc_node(c, "b"), id);
	CHECK_EQ(fc_getattr(c, id, &a), 0);
	CHECK_EQ(a.nlink, 2);
	/* By the name that is left. */
	CHECK_EQ(fc_name(c, FUSE_UNLINK, ROOT, "b"), 0);
	CHECK_EQ(fc_getattr(c, id, &a), 0);
	CHECK_EQ(a.nlink, 1);
	fc_free(c);
}

TEST(parents_stay_as_long_as_their_children)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out d, e, f;
	struct fuse_attr a;

	mkdir(scratch("d"), 0755);
	mkdir(scratch("d/e"), 0755);
	scratch_file("d/e/f", "x");
	CHECK_EQ(fc_lookup(c, ROOT, "d", &d), 0);
	CHECK_EQ(fc_lookup(c, d.nodeid, "e", &e), 0);
	CHECK_EQ(fc_lookup(c, e.nodeid, "f", &f), 0);
	fc_forget(c, d.nodeid, 1);
	fc_forget(c, e.nodeid, 1);
	CHECK_EQ(nodes(c), 4);
	CHECK_EQ(fc_getattr(c, f.nodeid, &a), 0);
	fc_forget(c, f.nodeid, 1);
	CHECK_EQ(nodes(c), 1);
	fc_free(c);
}

TEST(what_is_removed_stays_until_it_is_forgotten)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_attr a;
	u64 f, d, fh;

	scratch_file("f", "abc");
	mkdir(scratch("d"), 0755);
	f = fc_node(c, "f");
	d = fc_node(c, "d");
	CHECK_EQ(fc_name(c, FUSE_UNLINK, ROOT, "f"), 0);
	CHECK_EQ(fc_name(c, FUSE_RMDIR, ROOT, "d"), 0);
	CHECK_EQ(mode_of("f"), 0);
	CHECK_EQ(fc_getattr(c, f, &a), 0);
	CHECK_EQ(a.nlink, 0);
	CHECK_EQ(a.size, 3);
	CHECK_EQ(fc_opendir(c, d, &fh), 0);
	fc_release(c, d, fh);
	fc_forget(c, f, 1);
	fc_forget(c, d, 1);
	CHECK_EQ(nodes(c), 1);
	fc_free(c);
}

TEST(renames_by_the_client_are_followed)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_rename_in in = { ROOT };
	struct fuse_rename2_in in2 = { .newdir = ROOT };
	struct fuse_attr a;
	u64 f, g;

	scratch_file("f", "f");
	scratch_file("g", "gg");
	f = fc_node(c, "f");
	g = fc_node(c, "g");
	CHECK_EQ(fc_call(c, FUSE_RENAME, ROOT, &in, sizeof(in), "f\0h", 4), 0);
	CHECK_EQ(fc_getattr(c, f, &a), 0);
	in2.flags = RENAME_EXCHANGE;
	CHECK_EQ(fc_call(c, FUSE_RENAME2, ROOT, &in2, sizeof(in2), "h\0g", 4), 0);
	check_content("g", "f");
	CHECK_EQ(fc_getattr(c, f, &a), 0);
	CHECK_EQ(a.size, 1);
	CHECK_EQ(fc_getattr(c, g, &a), 0);
	CHECK_EQ(a.size, 2);
	in2.flags = RENAME_NOREPLACE;
	CHECK_EQ(fc_call(c, FUSE_RENAME2, ROOT, &in2, sizeof(in2), "h\0g", 4), -EEXIST);
	in2.flags = 1 << 10;
	CHECK_EQ(fc_call(c, FUSE_RENAME2, ROOT, &in2, sizeof(in2), "h\0g", 4), -EINVAL);
	/* Over another one, which stays for who has it. */
	CHECK_EQ(fc_call(c, FUSE_RENAME, ROOT, &in, sizeof(in), "h\0g", 4), 0);
	CHECK_EQ(fc_getattr(c, f, &a), 0);
	CHECK_EQ(a.nlink, 0);
	CHECK_EQ(fc_getattr(c, g, &a), 0);
	CHECK_EQ(a.nlink, 1);
	fc_free(c);
}

TEST(what_the_host_replaces_is_stale)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_open_out o;
	u64 old, new;

	scratch_file("f", "old");
	scratch_file("g", "new");
	old = fc_node(c, "f");
	CHECK(!rename(scratch("g"), scratch("f")));
	CHECK_EQ(fc_open(c, old, O_RDONLY, &o), -ESTALE);
	new = fc_node(c, "f");
	CHECK(new != old);
	CHECK_EQ(fc_open(c, new, O_RDONLY, &o), 0);
	fc_free(c);
}

/* ext4 and others give a number again at once: the time of birth tells. */
TEST(a_number_used_again_is_another_file)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e;
	struct fuse_attr a;
	u64 old, ino;
	int i;

	scratch_file("f", "old");
	old = fc_node(c, "f");
	CHECK_EQ(fc_getattr(c, old, &a), 0);
	ino = a.ino;
	/* What the lookup has opened would hold the number. */
	while (fuse_evict(c->f))
		;
	for (i = 0; i < 100; i++) {
		unlink(scratch("f"));
		scratch_file("f", "new");
		CHECK_EQ(fc_lookup(c, ROOT, "f", &e), 0);
		if (e.attr.ino == ino && e.nodeid != old)
			break;
	}
	if (i == 100)
		SKIP("the file system did not use a number again");
	CHECK_EQ(fc_getattr(c, old, &a), -ESTALE);
	CHECK_EQ(fc_getattr(c, e.nodeid, &a), 0);
	fc_free(c);
}

TEST(an_open_file_outlives_its_name_on_the_host)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct fuse_attr a;

	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0644, &e, &o), 0);
	CHECK(!unlink(scratch("f")));
	CHECK_EQ(fc_getattr(c, e.nodeid, &a), 0);
	CHECK_EQ(a.nlink, 0);
	CHECK_EQ(fc_write(c, o.fh, 0, "abc", 0, 0), 3);
	CHECK_EQ(fc_read(c, o.fh, 0, 10), 3);
	fc_release(c, e.nodeid, o.fh);
	CHECK_EQ(fc_getattr(c, e.nodeid, &a), -ESTALE);
	fc_free(c);
}

/* Descriptors are not what limits how many files a client may know. */
TEST(few_descriptors_many_files)
{
	struct rlimit lim = { 128, 128 };
	struct fuse_client *c;
	struct fuse_entry_out e;
	u64 id[600], dir[300], fh;
	struct fuse_attr a;
	char name[32];
	int i;

	for (i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		scratch_file(name, "x");
		if (i < 300) {
			snprintf(name, sizeof(name), "d%d", i);
			mkdir(scratch(name), 0755);
			snprintf(name, sizeof(name), "d%d/f", i);
			scratch_file(name, "x");
		}
	}
	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	c = fc_new(NULL);
	c->f->held_max = 20;
	for (i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		id[i] = fc_node(c, name);
		CHECK_EQ(fc_getattr(c, id[i], &a), 0);
		if (i < 300) {
			snprintf(name, sizeof(name), "d%d", i);
			dir[i] = fc_node(c, name);
			CHECK_EQ(fc_lookup(c, dir[i], "f", &e), 0);
			CHECK_EQ(fc_getattr(c, e.nodeid, &a), 0);
		}
	}
	for (i = 0; i < 600; i++) {
		CHECK_EQ(fc_getattr(c, id[i], &a), 0);
		CHECK_EQ(a.size, 1);
		if (i < 300) {
			CHECK_EQ(fc_opendir(c, dir[i], &fh), 0);
			CHECK_EQ(fc_release(c, dir[i], fh), 0);
		}
	}
	CHECK(open_fds() < 64);
	fc_free(c);
}

/* A client that opens until there is no more gets an error, and can go on. */
TEST(too_many_open_files)
{
	struct fuse_client *c;
	struct fuse_open_out o;
	struct fuse_mkdir_in dir = { .mode = 0755 };
	struct fuse_attr a;
	u64 fh[1000], id;
	u32 n, i;

	scratch_file("f", "x");
	scratch_file("g", "x");
	/* Root's limit would be raised by the server. */
	if (!geteuid() && (chown(scratch_dir(), 65534, 65534) || setgroups(0, NULL) ||
			   setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		SKIP("cannot be somebody else");
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 400, 400 });
	c = fc_new(NULL);
	id = fc_node(c, "f");
	for (n = 0; n < ARRAY_SIZE(fh); n++) {
		int ret = fc_open(c, id, O_RDONLY, &o);

		if (ret) {
			CHECK(ret == -EMFILE);
			break;
		}
		fh[n] = o.fh;
	}
	/* A descriptor each; and all but opening goes on. */
	CHECK(n > 150);
	CHECK_EQ(fc_call(c, FUSE_MKDIR, ROOT, &dir, sizeof(dir), "d", 2), 0);
	CHECK_EQ(fc_getattr(c, fc_node(c, "d"), &a), 0);
	CHECK_EQ(fc_getattr(c, fc_node(c, "g"), &a), 0);
	CHECK_EQ(fc_name(c, FUSE_UNLINK, ROOT, "g"), 0);
	CHECK_EQ(fc_name(c, FUSE_RMDIR, ROOT, "d"), 0);
	for (i = 0; i < n; i++)
		CHECK_EQ(fc_release(c, id, fh[i]), 0);
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK_EQ(fc_release(c, id, o.fh), 0);
	CHECK_EQ(fc_release(c, id, o.fh), -EBADF);
	fc_free(c);
}

/* Deeper than what is held open, from the bottom up. */
TEST(deep_trees)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e;
	struct fuse_mkdir_in in = { .mode = 0755 };
	u64 id = ROOT, top = 0;
	struct fuse_attr a;
	int i;

	for (i = 0; i < 1000; i++) {
		CHECK_EQ(fc_call(c, FUSE_MKDIR, id, &in, sizeof(in), "d", 2), 0);
		e = *(struct fuse_entry_out *)fc_body(c);
		id = e.nodeid;
		if (!i)
			top = id;
	}
	while (fuse_evict(c->f))
		;
	CHECK_EQ(fc_getattr(c, id, &a), 0);
	CHECK(S_ISDIR(a.mode));
	/* All that is between lives by its children only; then all of it goes. */
	CHECK_EQ(nodes(c), 1001);
	fuse_reset(c->f);
	CHECK_EQ(nodes(c), 1);
	CHECK(top != id);
	fc_free(c);
}

/* By renames on the host each of two directories can be found in the other. */
TEST(directories_moved_into_each_other)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out b, e;
	struct fuse_attr a;
	u64 top;

	mkdir(scratch("a"), 0755);
	mkdir(scratch("a/b"), 0755);
	top = fc_node(c, "a");
	CHECK_EQ(fc_lookup(c, top, "b", &b), 0);
	CHECK_EQ(fc_getattr(c, b.nodeid, &a), 0);
	CHECK(!rename(scratch("a/b"), scratch("b")));
	CHECK(!rename(scratch("a"), scratch("b/a")));
	CHECK_EQ(fc_lookup(c, b.nodeid, "a", &e), 0);
	CHECK_EQ(e.nodeid, top);
	while (fuse_evict(c->f))
		;
	CHECK_EQ(fc_getattr(c, top, &a), -ESTALE);
	fc_node(c, "b");
	CHECK_EQ(fc_lookup(c, b.nodeid, "a", &e), 0);
	CHECK_EQ(fc_getattr(c, top, &a), 0);
	fuse_reset(c->f);
	CHECK_EQ(nodes(c), 1);
	fc_free(c);
}

/* Caching */

TEST(what_is_not_there_is_remembered)
{
	struct fuse_options none = { .cache = FUSE_CACHE_NONE }, always = { .cache = FUSE_CACHE_ALWAYS };
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e;

	CHECK_EQ(fc_lookup(c, ROOT, "nothing", &e), 0);
	CHECK_EQ(e.nodeid, 0);
	CHECK_EQ(e.entry_valid, 1);
	fc_free(c);
	c = fc_new(&none);
	CHECK_EQ(fc_name(c, FUSE_LOOKUP, ROOT, "nothing"), -ENOENT);
	scratch_file("f", "x");
	CHECK_EQ(fc_lookup(c, ROOT, "f", &e), 0);
	CHECK_EQ(e.entry_valid, 0);
	CHECK_EQ(e.attr_valid, 0);
	fc_free(c);
	c = fc_new(&always);
	CHECK_EQ(fc_lookup(c, ROOT, "f", &e), 0);
	CHECK(e.attr_valid > 1000);
	fc_free(c);
}

/* The page cache is kept over opens unless the file is another now. */
TEST(close_to_open)
{
	struct fuse_client *c = fc_new(NULL);
	struct timespec ts[2] = { { 1, 0 }, { 1, 0 } };
	struct fuse_flush_in flush = { 0 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	u64 id;

	scratch_file("f", "abc");
	id = fc_node(c, "f");
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(o.open_flags & FOPEN_KEEP_CACHE);
	/* The host writes: its size in our cache is wrong, look again. */
	scratch_file("f", "abcdef");
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), -ESTALE);
	CHECK_EQ(fc_lookup(c, ROOT, "f", &e), 0);
	CHECK_EQ(e.attr.size, 6);
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(o.open_flags & FOPEN_KEEP_CACHE);
	/* Who does not look again gets the file all the same. */
	CHECK(!utimensat(AT_FDCWD, scratch("f"), ts, 0));
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), -ESTALE);
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(!(o.open_flags & FOPEN_KEEP_CACHE));
	/* What the client itself writes is in its cache. */
	CHECK_EQ(fc_lookup(c, ROOT, "f", &e), 0);
	CHECK_EQ(fc_open(c, id, O_RDWR, &o), 0);
	CHECK_EQ(fc_write(c, o.fh, 6, "ghi", 0, 0), 3);
	flush.fh = o.fh;
	CHECK_EQ(fc_call(c, FUSE_FLUSH, id, &flush, sizeof(flush), NULL, 0), 0);
	CHECK_EQ(fc_open(c, id, O_RDWR, &o), 0);
	CHECK(o.open_flags & FOPEN_KEEP_CACHE);
	/* And if it does not say that it closes the file, which then is gone. */
	CHECK_EQ(fc_write(c, o.fh, 9, "jkl", 0, 0), 3);
	CHECK_EQ(fc_release(c, id, o.fh), 0);
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(o.open_flags & FOPEN_KEEP_CACHE);
	fc_free(c);
}

/* No thread is refused twice in a row, whatever others do and the file becomes meanwhile. */
TEST(an_open_is_refused_once)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_entry_out e;
	struct fuse_open_out o;
	char text[80];
	u64 id;
	u32 i;

	scratch_file("f", "x");
	id = fc_node(c, "f");
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "%0*u", i + 2, i);
		scratch_file("f", text);
		c->pid = i;
		CHECK_EQ(fc_open(c, id, O_RDONLY, &o), -ESTALE);
	}
	for (i = 0; i < 60; i++) {
		CHECK_EQ(fc_lookup(c, ROOT, "f", &e), 0);
		snprintf(text, sizeof(text), "%0*u", 70 - i, i);
		scratch_file("f", text);
		c->pid = i;
		CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
		CHECK(!(o.open_flags & FOPEN_KEEP_CACHE));
		CHECK_EQ(fc_release(c, id, o.fh), 0);
		CHECK_EQ(fc_open(c, id, O_RDONLY, &o), -ESTALE);
		CHECK_EQ(fc_open(c, id, O_WRONLY | O_TRUNC, &o), 0);
		CHECK_EQ(fc_release(c, id, o.fh), 0);
	}
	fc_free(c);
}

TEST(open_flags_by_cache)
{
	struct fuse_options none = { .cache = FUSE_CACHE_NONE },
			    always = { .cache = FUSE_CACHE_ALWAYS, .readonly = true, .locks = true },
			    ro = { .readonly = true }, locks = { .locks = true };
	struct fuse_open_out o;
	struct fuse_client *c;
	struct statfs st;
	u64 id;
	u32 i;

	scratch_file("f", "x");
	c = fc_new(&none);
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDONLY, &o), 0);
	CHECK(o.open_flags & FOPEN_DIRECT_IO);
	fc_free(c);
	c = fc_new(&always);
	id = fc_node(c, "f");
	scratch_file("f", "changed");
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(o.open_flags & FOPEN_KEEP_CACHE);
	CHECK(o.open_flags & (1 << 5));		/* FOPEN_NOFLUSH: who reads holds no lock for long */
	fc_free(c);
	c = fc_new(&locks);
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDONLY, &o), 0);
	CHECK(o.open_flags & (1 << 5));
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_WRONLY, &o), 0);
	CHECK(!(o.open_flags & (1 << 5)));	/* locks are let go of */
	fc_free(c);
	c = fc_new(NULL);
	id = fc_node(c, "f");
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(o.open_flags & (1 << 5));
	/* To close what was written can only fail where there is a network, or another file system below. */
	CHECK_EQ(fc_open(c, id, O_WRONLY, &o), 0);
	CHECK(!statfs(scratch("f"), &st));
	if (st.f_type == EXT4_SUPER_MAGIC || st.f_type == TMPFS_MAGIC)
		CHECK(o.open_flags & (1 << 5));
	for (i = 0; i < c->f->share.ndevs; i++)
		c->f->share.devs[i].contents = SHARE_CONTENTS_STORED;
	CHECK_EQ(fc_open(c, id, O_WRONLY, &o), 0);
	CHECK(!(o.open_flags & (1 << 5)));
	fc_free(c);
	/* A layer of an overlay gets no ESTALE: it would not look again. */
	c = fc_new(&ro);
	id = fc_node(c, "f");
	scratch_file("f", "x");
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), 0);
	CHECK(!(o.open_flags & FOPEN_KEEP_CACHE));
	fc_free(c);
}

static ssize_t read_unopened(struct fuse_client *c, u64 id, u64 off)
{
	struct fuse_read_in in = { .offset = off, .size = 4096 };
	int ret = fc_call(c, FUSE_READ, id, &in, sizeof(in), NULL, 0);

	return ret ? ret : (ssize_t)c->len;
}

/* Where nothing changes the client opens nothing; what it reads stays open for a while. */
TEST(no_need_to_open)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_ALWAYS, .readonly = true };
	struct fuse_setattr_in set = { .valid = FATTR_SIZE };
	struct fuse_flush_in flush = { 0 };
	struct fuse_write_in wr = { .size = 1 };
	struct fuse_read_in rd = { .size = 4096 };
	struct fuse_client *c;
	struct fuse_open_out o;
	char name[16];
	u64 id, fh;
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		scratch_file(name, name);
	}
	mkfifo(scratch("fifo"), 0644);
	c = fc_new(&opts);
	c->f->kept_max = 4;
	id = fc_node(c, "f0");
	CHECK_EQ(fc_open(c, id, O_RDONLY, &o), -ENOSYS);
	CHECK_EQ(fc_opendir(c, ROOT, &fh), -ENOSYS);
	CHECK_EQ(fc_call(c, FUSE_FLUSH, id, &flush, sizeof(flush), NULL, 0), -ENOSYS);
	CHECK_EQ(fc_call(c, FUSE_READDIR, ROOT, &rd, sizeof(rd), NULL, 0), 0);
	CHECK(c->len > 20 * sizeof(struct fuse_dirent));
	CHECK_EQ(c->f->nkept, 1);
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%d", i % 20);
		id = fc_node(c, name);
		CHECK_EQ(read_unopened(c, id, 1), strlen(name) - 1);
		CHECK_MEM(fc_body(c), name + 1, strlen(name) - 1);
		CHECK_EQ(c->f->nkept, i < 3 ? i + 2 : 4);
	}
	/* Again, and gone when it is forgotten. */
	CHECK_EQ(read_unopened(c, id, 0), 3);
	CHECK_EQ(c->f->nkept, 4);
	fc_forget(c, id, 2);
	CHECK_EQ(c->f->nkept, 3);
	CHECK_EQ(read_unopened(c, id, 0), -ESTALE);
	/* Nothing that has no contents is opened, and nothing changed. */
	id = fc_node(c, "fifo");
	CHECK_EQ(read_unopened(c, id, 0), -EINVAL);
	id = fc_node(c, "f1");
	CHECK_EQ(fc_call(c, FUSE_WRITE, id, &wr, sizeof(wr), "x", 1), -EROFS);
	CHECK_EQ(fc_setattr(c, id, &set), -EROFS);
	/* Descriptors that run out. */
	CHECK(read_unopened(c, id, 0) > 0);
	while (fuse_evict(c->f))
		;
	CHECK_EQ(c->f->nkept, 0);
	CHECK(read_unopened(c, id, 0) > 0);
	fuse_reset(c->f);
	CHECK_EQ(c->f->nkept, 0);
	CHECK_EQ(nodes(c), 1);
	fc_free(c);
}

/* /proc says of all files that they are empty. */
TEST(files_whose_size_says_nothing)
{
	struct fuse_options opts = { .dir = "/proc/self", .readonly = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_open_out o;

	CHECK_EQ(fc_open(c, fc_node(c, "status"), O_RDONLY, &o), 0);
	CHECK(o.open_flags & FOPEN_DIRECT_IO);
	CHECK(fc_read(c, o.fh, 0, 4096) > 10);
	fc_free(c);
}

/* Attributes */

TEST(attributes_are_the_hosts)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_attr a;
	struct stat st;

	scratch_file("f", "hello");
	chmod(scratch("f"), 0640);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(fc_getattr(c, fc_node(c, "f"), &a), 0);
	CHECK_EQ(a.ino, st.st_ino);
	CHECK_EQ(a.size, 5);
	CHECK_EQ(a.mode, st.st_mode);
	CHECK_EQ(a.uid, st.st_uid);
	CHECK_EQ(a.mtime, st.st_mtim.tv_sec);
	CHECK_EQ(a.mtimensec, st.st_mtim.tv_nsec);
	CHECK_EQ(a.blocks, st.st_blocks);
	fc_free(c);
}

TEST(statx_has_the_time_of_birth)
{
	struct { u32 flags, reserved; u64 fh; u32 sx_flags, sx_mask; } in = { .sx_mask = ~0U };
	struct fuse_client *c = fc_new(NULL);
	struct statx stx;
	struct {
		u64 valid;
		u32 nsec, flags;
		u64 spare[2];
		struct statx stx;
	} *o = fc_body(c);

	scratch_file("f", "x");
	CHECK(!statx(AT_FDCWD, scratch("f"), 0, STATX_ALL, &stx));
	CHECK_EQ(fc_call(c, 52, fc_node(c, "f"), &in, sizeof(in), NULL, 0), 0);
	CHECK_EQ(c->len, sizeof(*o));
	CHECK_EQ(o->stx.stx_ino, stx.stx_ino);
	CHECK_EQ(o->stx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(o->stx.stx_mode, stx.stx_mode);
	CHECK_EQ(o->stx.stx_btime.tv_sec, stx.stx_btime.tv_sec);
	CHECK_EQ(o->stx.stx_btime.tv_nsec, stx.stx_btime.tv_nsec);
	fc_free(c);
}

TEST(setattr)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = S_IFREG | 0600 };
	struct stat st;
	u64 id;

	scratch_file("f", "hello");
	id = fc_node(c, "f");
	CHECK_EQ(fc_setattr(c, id, &in), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0600);
	in = (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 3 };
	CHECK_EQ(fc_setattr(c, id, &in), 0);
	check_content("f", "hel");
	in = (struct fuse_setattr_in){
		.valid = FATTR_MTIME, .mtime = 1000, .mtimensec = 7,
	};
	CHECK_EQ(fc_setattr(c, id, &in), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(st.st_mtim.tv_sec, 1000);
	CHECK_EQ(st.st_mtim.tv_nsec, 7);
	CHECK(st.st_atim.tv_sec != 1000);
	in = (struct fuse_setattr_in){ .valid = FATTR_MTIME, .mtimensec = 1000000000 };
	CHECK_EQ(fc_setattr(c, id, &in), -EINVAL);
	in = (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 1ULL << 63 };
	CHECK_EQ(fc_setattr(c, id, &in), -EINVAL);
	in = (struct fuse_setattr_in){ .valid = FATTR_UID, .uid = -1 };
	CHECK_EQ(fc_setattr(c, id, &in), -EINVAL);
	fc_free(c);
}

TEST(privileges_end_with_a_change)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_setattr_in in = { .valid = FATTR_SIZE | FATTR_KILL_SUIDGID };
	struct fuse_open_in trunc = { .flags = O_WRONLY | O_TRUNC };
	struct fuse_open_out o;
	u64 id;

	scratch_file("f", "x");
	id = fc_node(c, "f");
	chmod(scratch("f"), 06755);
	if (mode_of("f") != (S_IFREG | 06755))
		SKIP("no set-group-ID here");
	CHECK_EQ(fc_open(c, id, O_WRONLY, &o), 0);
	CHECK_EQ(fc_write(c, o.fh, 0, "y", FUSE_WRITE_KILL_PRIV, 0), 1);
	CHECK_EQ(mode_of("f"), S_IFREG | 0755);
	/* Without execution for the group set-group-ID means something else. */
	chmod(scratch("f"), 06745);
	CHECK_EQ(fc_setattr(c, id, &in), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 02745);
	chmod(scratch("f"), 06755);
	trunc.open_flags = 1;		/* FUSE_OPEN_KILL_SUIDGID */
	fc_node(c, "f");
	CHECK_EQ(fc_call(c, FUSE_OPEN, id, &trunc, sizeof(trunc), NULL, 0), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0755);
	fc_free(c);
}

/* As they do to who is not root there; that we are root changes nothing. */
TEST(privileges_end_with_allocation_and_copies)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_fallocate_in fa = { .length = 1 };
	struct fuse_copy_file_range_in copy = { .len = 1 };
	struct fuse_open_out o, from;
	u64 id;

	scratch_file("f", "x");
	scratch_file("g", "y");
	id = fc_node(c, "f");
	c->uid = 1000;
	CHECK_EQ(fc_open(c, fc_node(c, "g"), O_RDONLY, &from), 0);
	CHECK_EQ(fc_open(c, id, O_RDWR, &o), 0);
	chmod(scratch("f"), 06755);
	if (mode_of("f") != (S_IFREG | 06755))
		SKIP("no set-group-ID here");
	fa.fh = copy.fh_out = o.fh;
	copy.fh_in = from.fh;
	copy.nodeid_out = id;
	CHECK_EQ(fc_call(c, FUSE_FALLOCATE, id, &fa, sizeof(fa), NULL, 0), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0755);
	chmod(scratch("f"), 06755);
	fa.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	CHECK_EQ(fc_call(c, FUSE_FALLOCATE, id, &fa, sizeof(fa), NULL, 0), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0755);
	chmod(scratch("f"), 06755);
	CHECK_EQ(fc_call(c, FUSE_COPY_FILE_RANGE, id, &copy, sizeof(copy), NULL, 0), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0755);
	fc_free(c);
}

/* Names */

TEST(creating_things)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_mkdir_in dir = { .mode = 0777, .umask = 022 };
	struct fuse_mknod_in nod = { .mode = S_IFIFO | 0666, .umask = 0 };
	struct fuse_link_in link = { 0 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	char buf[16];

	umask(077);		/* is not the client's */
	c->uid = geteuid();
	c->gid = getegid();
	CHECK_EQ(fc_call(c, FUSE_MKDIR, ROOT, &dir, sizeof(dir), "d", 2), 0);
	CHECK_EQ(mode_of("d"), S_IFDIR | 0755);
	CHECK_EQ(fc_call(c, FUSE_MKNOD, ROOT, &nod, sizeof(nod), "p", 2), 0);
	CHECK_EQ(mode_of("p"), S_IFIFO | 0666);
	CHECK_EQ(fc_call(c, FUSE_SYMLINK, ROOT, NULL, 0, "s\0../x", 7), 0);
	CHECK_EQ(readlink(scratch("s"), buf, sizeof(buf)), 4);
	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR | O_EXCL, 0640, &e, &o), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0640);
	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR | O_EXCL, 0640, &e, &o), -EEXIST);
	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0600, &e, &o), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0640);
	link.oldnodeid = e.nodeid;
	CHECK_EQ(fc_call(c, FUSE_LINK, ROOT, &link, sizeof(link), "l", 2), 0);
	CHECK_EQ(((struct fuse_entry_out *)fc_body(c))->nodeid, e.nodeid);
	CHECK_EQ(((struct fuse_entry_out *)fc_body(c))->attr.nlink, 2);
	CHECK_EQ(fc_name(c, FUSE_RMDIR, ROOT, "f"), -ENOTDIR);
	CHECK_EQ(fc_name(c, FUSE_UNLINK, ROOT, "d"), -EISDIR);
	fc_free(c);
}

TEST(ownership_is_the_requests)
{
	struct fuse_client *c;
	struct fuse_mkdir_in dir = { .mode = 0755 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct stat st;

	if (geteuid())
		SKIP("needs root");
	chmod(scratch_dir(), 0755);
	c = fc_new(NULL);
	c->uid = 1234;
	c->gid = 5678;
	/* The client has checked that this user may. */
	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0644, &e, &o), 0);
	CHECK_EQ(e.attr.uid, 1234);
	CHECK_EQ(e.attr.gid, 5678);
	CHECK_EQ(fc_call(c, FUSE_MKDIR, ROOT, &dir, sizeof(dir), "d", 2), 0);
	CHECK(!stat(scratch("d"), &st));
	CHECK_EQ(st.st_uid, 1234);
	/* The thread is root again. */
	c->uid = c->gid = 0;
	CHECK_EQ(fc_create(c, ROOT, "g", O_RDWR, 0644, &e, &o), 0);
	CHECK_EQ(e.attr.uid, 0);
	/* A directory that hands down its group. */
	CHECK(!chown(scratch("d"), 0, 42));
	CHECK(!chmod(scratch("d"), 02777));
	c->uid = 1234;
	c->gid = 5678;
	CHECK_EQ(fc_create(c, fc_node(c, "d"), "f", O_RDWR, 02755, &e, &o), 0);
	CHECK_EQ(e.attr.gid, 42);
	CHECK_EQ(e.attr.mode, S_IFREG | 0755);	/* not a member: no program that runs as 42 */
	fc_free(c);
}

TEST(a_file_without_a_name)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_create_in in = { .flags = O_RDWR, .mode = 0600 };
	struct fuse_link_in link = { 0 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct fuse_attr a;
	int ret;

	ret = fc_call(c, FUSE_TMPFILE, ROOT, &in, sizeof(in), "x", 2);
	if (ret == -EOPNOTSUPP)
		SKIP("no O_TMPFILE here");
	CHECK_EQ(ret, 0);
	memcpy(&e, fc_body(c), sizeof(e));
	memcpy(&o, (u8 *)fc_body(c) + sizeof(e), sizeof(o));
	CHECK_EQ(e.attr.nlink, 0);
	CHECK_EQ(mode_of("x"), 0);
	CHECK_EQ(fc_write(c, o.fh, 0, "abc", 0, 0), 3);
	CHECK_EQ(fc_getattr(c, e.nodeid, &a), 0);
	link.oldnodeid = e.nodeid;
	CHECK_EQ(fc_call(c, FUSE_LINK, ROOT, &link, sizeof(link), "y", 2), 0);
	check_content("y", "abc");
	CHECK_EQ(fc_release(c, e.nodeid, o.fh), 0);
	CHECK_EQ(fc_getattr(c, e.nodeid, &a), 0);
	CHECK_EQ(a.nlink, 1);
	fc_free(c);
}

TEST(readonly_is_enforced_here)
{
	struct fuse_options opts = { .readonly = true, .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_setattr_in attr = { .valid = FATTR_MODE, .mode = 0777 };
	struct fuse_setattr_in size = { .valid = FATTR_SIZE };
	struct fuse_mkdir_in dir = { .mode = 0755 };
	struct fuse_mknod_in nod = { .mode = S_IFREG | 0644 };
	struct fuse_rename_in ren = { ROOT };
	struct fuse_rename2_in ren2 = { ROOT, RENAME_EXCHANGE, 0 };
	struct fuse_link_in link = { 0 };
	struct fuse_fallocate_in fa = { .length = 4096 };
	struct fuse_ioctl_in io = { .cmd = 0x40086602, .in_size = 8 };	/* FS_IOC_SETFLAGS */
	struct { struct fuse_setxattr_in in; char s[8]; } x = { .in.size = 1, .s = "user.x" };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct stat st, after;
	u64 f;

	scratch_file("f", "x");
	scratch_file("g", "y");
	mkdir(scratch("d"), 0755);
	CHECK(!stat(scratch("f"), &st));
	f = link.oldnodeid = fc_node(c, "f");
	fc_node(c, "g");
	CHECK_EQ(fc_open(c, f, O_WRONLY, &o), -EROFS);
	CHECK_EQ(fc_open(c, f, O_RDWR, &o), -EROFS);
	CHECK_EQ(fc_open(c, f, O_RDONLY | O_TRUNC, &o), -EROFS);
	CHECK_EQ(fc_create(c, ROOT, "new", O_RDWR, 0644, &e, &o), -EROFS);
	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0644, &e, &o), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_TMPFILE, ROOT, (struct fuse_create_in[]){ { .flags = O_RDWR } },
			 sizeof(struct fuse_create_in), "x", 2), -EROFS);
	CHECK_EQ(fc_setattr(c, f, &attr), -EROFS);
	CHECK_EQ(fc_setattr(c, f, &size), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_MKDIR, ROOT, &dir, sizeof(dir), "n", 2), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_MKNOD, ROOT, &nod, sizeof(nod), "n", 2), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_SYMLINK, ROOT, NULL, 0, "n\0t", 4), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_LINK, ROOT, &link, sizeof(link), "n", 2), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_RENAME, ROOT, &ren, sizeof(ren), "f\0n", 4), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_RENAME2, ROOT, &ren2, sizeof(ren2), "f\0g", 4), -EROFS);
	CHECK_EQ(fc_name(c, FUSE_UNLINK, ROOT, "f"), -EROFS);
	CHECK_EQ(fc_name(c, FUSE_RMDIR, ROOT, "d"), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_SETXATTR, f, &x, sizeof(x), "v", 1), -EROFS);
	CHECK_EQ(fc_name(c, FUSE_REMOVEXATTR, f, "user.x"), -EROFS);
	CHECK_EQ(fc_open(c, f, O_RDONLY, &o), 0);
	CHECK_EQ(fc_write(c, o.fh, 0, "z", FUSE_WRITE_CACHE, 0), -EROFS);
	CHECK(fc_write(c, o.fh, 0, "z", FUSE_WRITE_KILL_PRIV, 0) < 0);
	fa.fh = io.fh = o.fh;
	CHECK_EQ(fc_call(c, FUSE_FALLOCATE, f, &fa, sizeof(fa), NULL, 0), -EROFS);
	CHECK_EQ(fc_call(c, FUSE_IOCTL, f, &io, sizeof(io), "\0\0\0\0\0\0\0", 8), -EROFS);
	CHECK(!stat(scratch("f"), &after));
	CHECK_EQ(st.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
	check_content("f", "x");
	CHECK_EQ(mode_of("n"), 0);
	fc_free(c);
}

/* Data */

TEST(reading_and_writing)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_open_out o;
	struct fuse_entry_out e;

	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0644, &e, &o), 0);
	CHECK_EQ(fc_write(c, o.fh, 0, "hello", 0, 0), 5);
	CHECK_EQ(fc_write(c, o.fh, 3, "p!", 0, 0), 2);
	check_content("f", "help!");
	CHECK_EQ(fc_read(c, o.fh, 1, 3), 3);
	CHECK_MEM(fc_body(c), "elp", 3);
	CHECK_EQ(fc_read(c, o.fh, 5, 100), 0);
	CHECK_EQ(fc_read(c, o.fh, 1ULL << 63, 1), -EINVAL);
	CHECK_EQ(fc_read(c, 4711, 0, 1), -EBADF);
	/* No more than there is room for. */
	c->room = sizeof(struct fuse_out_header) + 2;
	CHECK_EQ(fc_read(c, o.fh, 0, 100), 2);
	fc_free(c);
}

TEST(appending_is_the_hosts_work)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_open_out o;

	scratch_file("f", "1");
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_WRONLY | O_APPEND, &o), 0);
	CHECK_EQ(fc_write(c, o.fh, 0, "2", 0, O_WRONLY | O_APPEND), 1);
	check_content("f", "12");
	/* The page cache means its place. */
	CHECK_EQ(fc_write(c, o.fh, 0, "X", FUSE_WRITE_CACHE, O_WRONLY | O_APPEND), 1);
	check_content("f", "X2");
	fc_free(c);
}

TEST(a_write_longer_than_its_data)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_write_in in = { .size = 100 };
	struct fuse_entry_out e;
	struct fuse_open_out o;

	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0644, &e, &o), 0);
	in.fh = o.fh;
	CHECK_EQ(fc_call(c, FUSE_WRITE, e.nodeid, &in, sizeof(in), "abc", 3), -EINVAL);
	fc_free(c);
}

TEST(holes)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_lseek_in in = { .whence = SEEK_DATA };
	struct fuse_fallocate_in fa = { .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					.length = 4096 };
	struct fuse_entry_out e;
	struct fuse_open_out o;

	CHECK_EQ(fc_create(c, ROOT, "f", O_RDWR, 0644, &e, &o), 0);
	CHECK_EQ(fc_write(c, o.fh, 1 << 20, "x", 0, 0), 1);
	in.fh = fa.fh = o.fh;
	CHECK_EQ(fc_call(c, FUSE_LSEEK, e.nodeid, &in, sizeof(in), NULL, 0), 0);
	CHECK_EQ(*(u64 *)fc_body(c), 1 << 20);
	fa.offset = 1 << 20;
	CHECK_EQ(fc_call(c, FUSE_FALLOCATE, e.nodeid, &fa, sizeof(fa), NULL, 0), 0);
	CHECK_EQ(fc_call(c, FUSE_LSEEK, e.nodeid, &in, sizeof(in), NULL, 0), -ENXIO);
	in.whence = SEEK_SET;
	CHECK_EQ(fc_call(c, FUSE_LSEEK, e.nodeid, &in, sizeof(in), NULL, 0), -EINVAL);
	fc_free(c);
}

TEST(copying_on_the_host)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_copy_file_range_in in = { .len = 3 };
	struct fuse_open_out from, to;
	struct fuse_entry_out e;

	scratch_file("f", "abcdef");
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDONLY, &from), 0);
	CHECK_EQ(fc_create(c, ROOT, "g", O_RDWR, 0644, &e, &to), 0);
	in.fh_in = from.fh;
	in.fh_out = to.fh;
	in.off_in = 2;
	CHECK_EQ(fc_call(c, FUSE_COPY_FILE_RANGE, e.nodeid, &in, sizeof(in), NULL, 0), 0);
	CHECK_EQ(((struct fuse_write_out *)fc_body(c))->size, 3);
	check_content("g", "cde");
	fc_free(c);
}

TEST(ioctls)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_ioctl_in in = { .cmd = 0x80086601, .out_size = 8 };	/* FS_IOC_GETFLAGS */
	struct fuse_open_out o;
	int ret;

	scratch_file("f", "x");
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDONLY, &o), 0);
	in.fh = o.fh;
	ret = fc_call(c, FUSE_IOCTL, ROOT, &in, sizeof(in), NULL, 0);
	CHECK(!ret || ret == -ENOTTY || ret == -EOPNOTSUPP);
	in.out_size = 1;
	CHECK_EQ(fc_call(c, FUSE_IOCTL, ROOT, &in, sizeof(in), NULL, 0), -EINVAL);
	in.cmd = 0x5401;	/* TCGETS */
	CHECK_EQ(fc_call(c, FUSE_IOCTL, ROOT, &in, sizeof(in), NULL, 0), -ENOTTY);
	fc_free(c);
}

/* Directories */

static u32 read_dir(struct fuse_client *c, u32 op, u64 fh, u32 size, char seen[256])
{
	struct fuse_read_in in = { .fh = fh, .size = size };
	u32 n = 0, at;

	memset(seen, 0, 256);
	for (;;) {
		CHECK_EQ(fc_call(c, op, ROOT, &in, sizeof(in), NULL, 0), 0);
		CHECK(c->len <= size);
		if (!c->len)
			return n;
		for (at = 0; at < c->len;) {
			struct fuse_direntplus *p = (void *)((u8 *)fc_body(c) + at);
			struct fuse_dirent *d = (void *)p;

			if (op == FUSE_READDIRPLUS) {
				d = &p->dirent;
				at += FUSE_DIRENTPLUS_SIZE(p);
			} else {
				at += FUSE_DIRENT_SIZE(d);
			}
			in.offset = d->off;
			n++;
			if (d->name[0] == 'f')
				seen[atoi(strndupa(d->name + 1, d->namelen - 1))]++;
			if (op != FUSE_READDIRPLUS)
				continue;
			if (d->name[0] == '.') {
				CHECK_EQ(p->entry_out.nodeid, 0);
			} else {
				CHECK(p->entry_out.nodeid);
				CHECK_EQ(p->entry_out.attr.ino, d->ino);
			}
		}
		CHECK_EQ(at, c->len);
	}
}

TEST(directories)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_read_in in = { .size = 30 };
	char name[16], seen[256];
	u32 i, size;
	u64 fh;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		scratch_file(name, "");
	}
	CHECK_EQ(fc_opendir(c, ROOT, &fh), 0);
	for (size = 300; size < 5000; size += 700) {
		CHECK_EQ(read_dir(c, FUSE_READDIR, fh, size, seen), 202);
		for (i = 0; i < 200; i++)
			CHECK_EQ(seen[i], 1);
	}
	CHECK_EQ(nodes(c), 1);
	/* Each entry of this is a lookup, and only those that are in the reply. */
	CHECK_EQ(read_dir(c, FUSE_READDIRPLUS, fh, 4096, seen), 202);
	CHECK_EQ(nodes(c), 201);
	for (i = 0; i < 200; i++) {
		u64 id;

		CHECK_EQ(seen[i], 1);
		snprintf(name, sizeof(name), "f%u", i);
		id = fc_node(c, name);
		fc_forget(c, id, 2);
	}
	CHECK_EQ(nodes(c), 1);
	/* No room for one. */
	in.fh = fh;
	CHECK_EQ(fc_call(c, FUSE_READDIR, ROOT, &in, sizeof(in), NULL, 0), -EINVAL);
	/* As it is now, from the start. */
	scratch_file("f200", "");
	CHECK_EQ(read_dir(c, FUSE_READDIR, fh, 4096, seen), 203);
	CHECK_EQ(fc_release(c, ROOT, fh), 0);
	CHECK_EQ(c->f->dir_bufs, 0);
	fc_free(c);
}

/* What has no place to read ahead into is read all the same. */
TEST(directories_without_memory)
{
	struct fuse_client *c = fc_new(NULL);
	char name[16], seen[256];
	u32 i;
	u64 fh;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		scratch_file(name, "");
	}
	c->f->dir_bufs = FUSE_DIR_BUFS;
	CHECK_EQ(fc_opendir(c, ROOT, &fh), 0);
	CHECK_EQ(read_dir(c, FUSE_READDIR, fh, 1000, seen), 202);
	for (i = 0; i < 200; i++)
		CHECK_EQ(seen[i], 1);
	CHECK_EQ(c->f->dir_bufs, FUSE_DIR_BUFS);
	fc_free(c);
}

/* Extended attributes */

TEST(extended_attributes)
{
	struct fuse_client *c = fc_new(NULL);
	struct { struct fuse_setxattr_in in; char s[8]; } x = { .in.size = 5, .s = "user.xy" };
	struct fuse_getxattr_in get = { 0 };
	struct fuse_getxattr_out *len = fc_body(c);
	u64 id;
	int ret;

	scratch_file("f", "x");
	id = fc_node(c, "f");
	ret = fc_call(c, FUSE_SETXATTR, id, &x, sizeof(x), "value", 5);
	if (ret == -EOPNOTSUPP)
		SKIP("no extended attributes here");
	CHECK_EQ(ret, 0);
	CHECK_EQ(fc_call(c, FUSE_GETXATTR, id, &get, sizeof(get), "user.xy", 8), 0);
	CHECK_EQ(len->size, 5);
	get.size = 4;
	CHECK_EQ(fc_call(c, FUSE_GETXATTR, id, &get, sizeof(get), "user.xy", 8), -ERANGE);
	get.size = ~0U;
	CHECK_EQ(fc_call(c, FUSE_GETXATTR, id, &get, sizeof(get), "user.xy", 8), 0);
	CHECK_EQ(c->len, 5);
	CHECK_MEM(fc_body(c), "value", 5);
	CHECK_EQ(fc_call(c, FUSE_LISTXATTR, id, &get, sizeof(get), NULL, 0), 0);
	CHECK_MEM(fc_body(c), "user.xy", 8);
	CHECK_EQ(fc_name(c, FUSE_REMOVEXATTR, id, "user.xy"), 0);
	CHECK_EQ(fc_call(c, FUSE_GETXATTR, id, &get, sizeof(get), "user.xy", 8), -ENODATA);
	/* Lengths that are not true. */
	x.in.size = 6;
	CHECK_EQ(fc_call(c, FUSE_SETXATTR, id, &x, sizeof(x), "value", 5), -EINVAL);
	x.in.size = ~0U;
	CHECK_EQ(fc_call(c, FUSE_SETXATTR, id, &x, sizeof(x), "value", 5), -EINVAL);
	CHECK_EQ(fc_call(c, FUSE_GETXATTR, id, &get, sizeof(get), "user", 4), -EINVAL);
	CHECK_EQ(fc_call(c, FUSE_GETXATTR, id, &get, sizeof(get), "", 1), -EINVAL);
	fc_free(c);
}

/* Locks */

TEST(locks_are_a_process_s)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_flush_in flush = { .lock_owner = 1 };
	struct fuse_open_out a, b;
	struct fuse_lk_out *lk = fc_body(c);
	struct flock fl = { .l_type = F_WRLCK, .l_len = 5 };
	int fd;
	u64 id;

	scratch_file("f", "x");
	id = fc_node(c, "f");
	CHECK_EQ(fc_open(c, id, O_RDWR, &a), 0);
	CHECK_EQ(fc_open(c, id, O_RDWR, &b), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_WRLCK, 0, 9, 0), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, b.fh, 2, F_WRLCK, 5, 5, 0), -EAGAIN);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, b.fh, 2, F_WRLCK, 10, INT64_MAX, 0), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, b.fh, 1, F_RDLCK, 0, 4, 0), 0);	/* its own */
	CHECK_EQ(fc_lock(c, FUSE_GETLK, b.fh, 2, F_WRLCK, 7, 7, 0), 0);
	CHECK_EQ(lk->lk.type, F_WRLCK);
	CHECK_EQ(lk->lk.start, 5);
	CHECK_EQ(lk->lk.end, 9);
	CHECK_EQ(lk->lk.pid, 42);
	/* The host sees them. */
	fd = open(scratch("f"), O_RDWR);
	CHECK(fcntl(fd, F_SETLK, &fl) && errno == EAGAIN);
	/* By closing any of its files a process loses them. */
	flush.fh = b.fh;
	CHECK_EQ(fc_call(c, FUSE_FLUSH, id, &flush, sizeof(flush), NULL, 0), 0);
	CHECK_EQ(fcntl(fd, F_SETLK, &fl), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_WRLCK, 0, 9, 0), -EAGAIN);
	/* At the latest when the file is gone. */
	fl.l_start = 20;
	CHECK(fcntl(fd, F_SETLK, &fl));
	CHECK_EQ(fc_release(c, id, b.fh), 0);
	CHECK_EQ(fcntl(fd, F_SETLK, &fl), 0);
	/* Nonsense. */
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, 77, 0, 9, 0), -EINVAL);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_WRLCK, 9, 8, 0), -EINVAL);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_WRLCK, ~0ULL, ~0ULL, 0), -EOVERFLOW);
	CHECK_EQ(fc_release(c, id, a.fh), 0);
	CHECK_EQ(c->f->share.nowners, 0);
	close(fd);
	fc_free(c);
}

TEST(flock_is_an_open_files)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_open_out a, b;
	u64 id;

	scratch_file("f", "x");
	id = fc_node(c, "f");
	CHECK_EQ(fc_open(c, id, O_RDWR, &a), 0);
	CHECK_EQ(fc_open(c, id, O_RDWR, &b), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_WRLCK, 0, 9, FUSE_LK_FLOCK), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, b.fh, 1, F_RDLCK, 0, 9, FUSE_LK_FLOCK), -EAGAIN);
	CHECK_EQ(fc_release(c, id, a.fh), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, b.fh, 1, F_RDLCK, 0, 9, FUSE_LK_FLOCK), 0);
	fc_free(c);
}

struct waiter {
	struct fuse_client *c;
	u64 fh;
	u32 flags;
	int ret;
};

static void *wait_thread(void *arg)
{
	struct waiter *w = arg;

	w->ret = fc_lock(w->c, FUSE_SETLKW, w->fh, 2, F_WRLCK, 0, 9, w->flags);
	return NULL;
}

/* Until the thread sleeps in the lock. */
static void wait_blocked(struct fuse_client *c)
{
	bool busy = false;

	while (!busy) {
		pthread_mutex_lock(&c->f->share.lock);
		busy = !list_empty(&c->f->share.reqs);
		pthread_mutex_unlock(&c->f->share.lock);
		sched_yield();
	}
}

static void check_interrupt(u32 flags, bool all)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_interrupt_in in = { 0 };
	struct waiter w = { .c = fc_share(c), .flags = flags };
	struct fuse_open_out a, b;
	struct timespec ts;
	pthread_t thread;

	scratch_file("f", "x");
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDWR, &a), 0);
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDWR, &b), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_WRLCK, 0, 9, flags), 0);
	w.fh = b.fh;
	CHECK(!pthread_create(&thread, NULL, wait_thread, &w));
	wait_blocked(c);
	do {
		in.unique = w.c->unique;
		if (all)
			fuse_interrupt(c->f);
		else
			CHECK_EQ(fc_call(c, FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0), 0);
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec = ts.tv_nsec < 900000000 ? ts.tv_nsec + 100000000 : 999999999;
	} while (pthread_timedjoin_np(thread, NULL, &ts));
	CHECK_EQ(w.ret, -EINTR);
	/* What comes too late finds nobody. */
	CHECK_EQ(fc_call(c, FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0), 0);
	/* And waiting works. */
	CHECK(!pthread_create(&thread, NULL, wait_thread, &w));
	wait_blocked(c);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, a.fh, 1, F_UNLCK, 0, INT64_MAX, flags), 0);
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(w.ret, 0);
	free(w.c);
	fc_free(c);
}

TEST(waiting_for_a_lock_is_interrupted)
{
	check_interrupt(0, false);
}

TEST(waiting_for_a_flock_is_interrupted)
{
	check_interrupt(FUSE_LK_FLOCK, false);
}

TEST(a_stop_interrupts_all)
{
	check_interrupt(0, true);
}

/* Three processes, by owner: each has a byte of the file, and waits for the next one's. */
struct ring {
	struct fuse_client *c;
	pthread_t thread;
	u64 fh, owner, byte;
	int ret;
};

static void *ring_thread(void *arg)
{
	struct ring *r = arg;

	r->ret = fc_lock(r->c, FUSE_SETLKW, r->fh, r->owner, F_WRLCK, r->byte, r->byte, 0);
	return NULL;
}

static void ring_wait(struct ring *r, struct fuse_client *c, u64 owner, u64 byte, unsigned int waiting)
{
	unsigned int n = 0;
	struct list_head *at;

	*r = (struct ring){ .c = fc_share(c), .fh = r->fh, .owner = owner, .byte = byte };
	CHECK(!pthread_create(&r->thread, NULL, ring_thread, r));
	while (n != waiting) {
		sched_yield();
		pthread_mutex_lock(&c->f->share.lock);
		for (n = 0, at = c->f->share.waits.next; at != &c->f->share.waits; at = at->next)
			n++;
		pthread_mutex_unlock(&c->f->share.lock);
	}
}

TEST(a_deadlock_is_told_to_the_last)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct ring ring[3] = { 0 };
	struct fuse_open_out o;
	u64 i;

	scratch_file("f", "x");
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDWR, &o), 0);
	for (i = 0; i < 3; i++) {
		ring[i].fh = o.fh;
		/* In pieces, some more than is needed, some twice. */
		CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, i, F_WRLCK, i * 10, i * 10 + 8, 0), 0);
		CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, i, F_RDLCK, i * 10 + 2, i * 10 + 3, 0), 0);
		CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, i, F_UNLCK, i * 10 + 4, i * 10 + 5, 0), 0);
		CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, i, F_WRLCK, i * 10 + 1, i * 10 + 2, 0), 0);
	}
	/* No ring yet: what 1 waits for is nothing of 2's... */
	ring_wait(&ring[0], c, 0, 10, 1);
	ring_wait(&ring[1], c, 1, 23, 2);
	/* ...and this is free, or its own. */
	CHECK_EQ(fc_lock(c, FUSE_SETLKW, o.fh, 2, F_WRLCK, 4, 5, 0), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLKW, o.fh, 2, F_WRLCK, 20, 29, 0), 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLKW, o.fh, 2, F_WRLCK, 3, 3, 0), -EDEADLK);
	CHECK_EQ(fc_lock(c, FUSE_SETLKW, o.fh, 2, F_WRLCK, 11, 11, 0), -EDEADLK);
	/* Who is nobody's hindrance waits. */
	ring_wait(&ring[2], c, 7, 0, 3);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, 2, F_UNLCK, 0, INT64_MAX, 0), 0);
	CHECK(!pthread_join(ring[1].thread, NULL));
	CHECK_EQ(ring[1].ret, 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, 1, F_UNLCK, 0, INT64_MAX, 0), 0);
	CHECK(!pthread_join(ring[0].thread, NULL));
	CHECK_EQ(ring[0].ret, 0);
	CHECK_EQ(fc_lock(c, FUSE_SETLK, o.fh, 0, F_UNLCK, 0, INT64_MAX, 0), 0);
	CHECK(!pthread_join(ring[2].thread, NULL));
	CHECK_EQ(ring[2].ret, 0);
	CHECK_EQ(c->f->share.nranges, 1);
	for (i = 0; i < 3; i++)
		free(ring[i].c);
	fuse_reset(c->f);
	CHECK_EQ(c->f->share.nranges, 0);
	fc_free(c);
}

/* Mounts */

static void mount_tmpfs(void)
{
	if (geteuid() || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		SKIP("needs root");
	mkdir(scratch("d"), 0755);
	mkdir(scratch("d/m"), 0755);
	if (mount("t", scratch("d/m"), "tmpfs", 0, NULL))
		SKIP("no tmpfs");
	scratch_file("d/m/f", "x");
}

TEST(mounts_are_announced)
{
	struct fuse_entry_out d, m, f;
	struct fuse_client *c;

	mount_tmpfs();
	c = fc_new(NULL);
	CHECK_EQ(fc_lookup(c, ROOT, "d", &d), 0);
	CHECK_EQ(d.attr.flags, 0);
	CHECK_EQ(fc_lookup(c, d.nodeid, "m", &m), 0);
	CHECK_EQ(m.attr.flags, FUSE_ATTR_SUBMOUNT);
	CHECK_EQ(fc_lookup(c, m.nodeid, "f", &f), 0);
	CHECK_EQ(f.attr.flags, 0);
	fc_free(c);
	umount2(scratch("d/m"), MNT_DETACH);
}

TEST(mounts_that_are_not_told_apart_share_no_numbers)
{
	struct fuse_options opts = { .flat = true };
	struct fuse_entry_out d, m, f;
	struct fuse_client *c;
	struct stat st;

	mount_tmpfs();
	c = fc_new(&opts);
	CHECK_EQ(fc_lookup(c, ROOT, "d", &d), 0);
	CHECK(!stat(scratch("d"), &st));
	CHECK_EQ(d.attr.ino, st.st_ino);
	CHECK_EQ(fc_lookup(c, d.nodeid, "m", &m), 0);
	CHECK_EQ(m.attr.flags, 0);
	CHECK_EQ(fc_lookup(c, m.nodeid, "f", &f), 0);
	CHECK(!stat(scratch("d/m/f"), &st));
	CHECK_EQ(f.attr.ino, st.st_ino | 1ULL << 48);
	fc_free(c);
	umount2(scratch("d/m"), MNT_DETACH);
}
