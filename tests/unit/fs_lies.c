// SPDX-License-Identifier: GPL-2.0
// with: tests/lib/lies.o
/* The two file servers on file systems that do not do as they should. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include <linux/kernel.h>
#include <kvm/host.h>

#include "../../hw/fs/fuse_session.h"
#include "fuse_client.h"
#include "lies.h"
#include "p9_client.h"
#include "scratch.h"
#include "tap.h"

#define ROOT	FUSE_ROOT_ID

/* A directory that has these entries, in so many parts as they need. */
static struct {
	char *name[64];
	unsigned int n, at;
} listed;

static void list(const char *name)
{
	listed.name[listed.n++] = strdup(name);
}

static void list_long(size_t len)
{
	char name[PATH_MAX];

	memset(name, 'a' + listed.n % 26, len);
	name[len] = '\0';
	list(name);
}

static ssize_t tell_listed(const char *call, void *buf, size_t len, ssize_t ret)
{
	size_t used = 0, one;

	if (strcmp(call, "getdents64"))
		return ret;
	for (; listed.at < listed.n; listed.at++, used += one) {
		one = lies_dirent((char *)buf + used, len - used, 1000 + listed.at, listed.at + 1,
				  DT_REG, listed.name[listed.at]);
		if (!one && !used) {
			errno = EINVAL;
			return -1;
		}
		if (!one)
			break;
	}
	return used;
}


static const char *name_real(const char *name)
{
	return strlen(name) > NAME_MAX ? "real" : name;
}

static void list_free(void)
{
	while (listed.n)
		free(listed.name[--listed.n]);
}

/* The names of a directory by FUSE, one a line; *@node: the last that one came with. */
static void fuse_list(struct fuse_client *c, bool plus, char *names, size_t size, u64 *node)
{
	struct fuse_read_in in = { .size = 8192 };
	const u8 *p;

	CHECK_EQ(fc_opendir(c, ROOT, &in.fh), 0);
	*names = '\0';
	do {
		CHECK_EQ(fc_call(c, plus ? FUSE_READDIRPLUS : FUSE_READDIR, ROOT, &in, sizeof(in), NULL, 0), 0);
		for (p = fc_body(c); p < (u8 *)fc_body(c) + c->len;) {
			const struct fuse_entry_out *e = (const void *)p;
			const struct fuse_dirent *d = plus ? (const void *)(e + 1) : (const void *)p;

			CHECK(strlen(names) + d->namelen + 2 < size);
			strncat(names, d->name, d->namelen);
			strcat(names, "\n");
			if (plus && node && e->nodeid)
				*node = e->nodeid;
			in.offset = d->off;
			p += (plus ? sizeof(*e) : 0) + FUSE_DIRENT_SIZE(d);
		}
	} while (c->len);
	CHECK_EQ(fc_release(c, ROOT, in.fh), 0);
}

static size_t lines(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* What counts in characters has names of up to 765 bytes: they are found and opened. */
TEST(fuse_opens_a_file_with_a_long_name)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_AUTO };
	struct fuse_client *c = fc_new(&opts);
	char names[4096], name[86 * 3 + 1] = "";
	struct fuse_entry_out e;
	struct fuse_open_out o;
	u64 node = 0;
	int i;

	scratch_file("real", "content");
	for (i = 0; i < 86; i++)
		strcat(name, "界");
	list(name);
	lies.name = name_real;
	lies.tell = tell_listed;
	fuse_list(c, true, names, sizeof(names), &node);
	CHECK_MEM(names, name, strlen(name));
	CHECK(node);
	CHECK_EQ(fc_open(c, node, O_RDONLY, &o), 0);
	CHECK_EQ(fc_read(c, o.fh, 0, 100), 7);
	CHECK_EQ(fc_release(c, node, o.fh), 0);
	CHECK_EQ(fc_lookup(c, ROOT, name, &e), 0);
	CHECK_EQ(e.nodeid, node);
	lies = (struct lies){ 0 };
	list_free();
	fc_free(c);
}

static void fuse_lists_long_names(enum fuse_cache cache, bool plus, unsigned int n, size_t len)
{
	struct fuse_options opts = { .cache = cache };
	struct fuse_client *c = fc_new(&opts);
	char *names = malloc(1 << 20);
	unsigned int i;

	CHECK(names);
	for (i = 0; i < n; i++)
		list_long(len);
	listed.at = 0;
	lies.tell = tell_listed;
	fuse_list(c, plus, names, 1 << 20, NULL);
	CHECK_EQ(lines(names), len <= HOST_NAME_BYTES ? n : 0);
	lies = (struct lies){ 0 };
	list_free();
	free(names);
	fc_free(c);
}

TEST(fuse_lists_names_of_any_length)
{
	fuse_lists_long_names(FUSE_CACHE_NONE, false, 12, 671);
	fuse_lists_long_names(FUSE_CACHE_AUTO, true, 40, 761);
	fuse_lists_long_names(FUSE_CACHE_AUTO, true, 40, 1023);
	fuse_lists_long_names(FUSE_CACHE_AUTO, false, 60, 1024);
	fuse_lists_long_names(FUSE_CACHE_AUTO, true, 60, 4095);
}

/* Names that cannot be a file's are not handed on: Linux would refuse all of the directory. */
TEST(fuse_leaves_out_what_is_no_name)
{
	struct fuse_client *c = fc_new(NULL);
	char names[4096];

	list("a/b");
	list("");
	list(".");
	list("good");
	list("/");
	list_long(1024);
	list("..");
	list("last");
	list("a/b/c");
	lies.tell = tell_listed;
	fuse_list(c, false, names, sizeof(names), NULL);
	CHECK_STR(names, ".\ngood\n..\nlast\n");
	listed.at = 0;
	fuse_list(c, true, names, sizeof(names), NULL);
	CHECK_STR(names, ".\ngood\n..\nlast\n");
	lies = (struct lies){ 0 };
	list_free();
	fc_free(c);
}

static void p9_list(struct p9_client *c, u32 msize, char *names, size_t size)
{
	u64 cookie = 0;
	u32 left;

	CHECK_EQ(p9c_call(c, P9_TLOPEN, "dd", 1, O_RDONLY), 0);
	*names = '\0';
	do {
		CHECK_EQ(p9c_call(c, P9_TREADDIR, "dqd", 1, cookie, msize - 24), 0);
		left = p9c_get(c, 4);
		while (left) {
			u16 len;

			p9c_qid(c);
			cookie = p9c_get(c, 8);
			p9c_get(c, 1);
			len = p9c_get(c, 2);
			CHECK(strlen(names) + len + 2 < size);
			strncat(names, (const char *)p9c_bytes(c, len), len);
			strcat(names, "\n");
			left -= 13 + 8 + 1 + 2 + len;
		}
	} while (c->len > 11);
}

/* Linux's client takes names of 255 bytes at the most, or nothing of the directory. */
TEST(p9_leaves_out_what_is_no_name)
{
	static const u32 sizes[] = { 8192, 1 << 20 };
	struct p9_client c;
	char names[4096];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p9c_start(&c, scratch_dir(), false, sizes[i]);
		CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
		for (k = 0; k < 20; k++)
			list_long(4095);
		list("a/b");
		list("good");
		list_long(256);
		list("");
		list("last");
		list_long(761);
		listed.at = 0;
		lies.tell = tell_listed;
		p9_list(&c, sizes[i], names, sizeof(names));
		CHECK_STR(names, "good\nlast\n");
		lies = (struct lies){ 0 };
		list_free();
		p9c_free(&c);
	}
}

/* A directory that goes on for ever, and has nothing that could be shown. */
static ssize_t tell_for_ever(const char *call, void *buf, size_t len, ssize_t ret)
{
	return strcmp(call, "getdents64") ? ret : (ssize_t)lies_dirent(buf, len, 1, 1, DT_REG, "a/b");
}

TEST(a_directory_without_end)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_read_in in = { .size = 4096 };
	struct p9_client p9;

	CHECK_EQ(fc_opendir(c, ROOT, &in.fh), 0);
	p9c_start(&p9, scratch_dir(), false, 8192);
	CHECK_EQ(p9c_walk(&p9, 0, 1, ""), 0);
	CHECK_EQ(p9c_call(&p9, P9_TLOPEN, "dd", 1, O_RDONLY), 0);
	lies.tell = tell_for_ever;
	CHECK_EQ(fc_call(c, FUSE_READDIR, ROOT, &in, sizeof(in), NULL, 0), -ELOOP);
	CHECK_EQ(p9c_call(&p9, P9_TREADDIR, "dqd", 1, 0ULL, 8192 - 24), -ELOOP);
	lies = (struct lies){ 0 };
	p9c_free(&p9);
	fc_free(c);
}

static ssize_t tell_long_link(const char *call, void *buf, size_t len, ssize_t ret)
{
	if (strcmp(call, "readlinkat"))
		return ret;
	memset(buf, 'x', len);
	return len;
}

TEST(a_link_that_leads_too_far)
{
	struct fuse_client *c = fc_new(NULL);
	struct p9_client p9;

	CHECK(!symlink("target", scratch("link")));
	p9c_start(&p9, scratch_dir(), false, 8192);
	CHECK_EQ(p9c_walk(&p9, 0, 1, "link"), 0);
	lies.tell = tell_long_link;
	CHECK_EQ(fc_call(c, FUSE_READLINK, fc_node(c, "link"), NULL, 0, NULL, 0), -ENAMETOOLONG);
	CHECK_EQ(p9c_call(&p9, P9_TREADLINK, "d", 1), -ENAMETOOLONG);
	lies = (struct lies){ 0 };
	p9c_free(&p9);
	fc_free(c);
}

/* A read that stops half way, for no reason that the client could know. */
static unsigned int reads;

static ssize_t tell_half(const char *call, void *buf, size_t len, ssize_t ret)
{
	return strcmp(call, "preadv2") ? ret : (ret + 1) / 2;
}

static int fail_third_read(const char *call)
{
	return !strcmp(call, "preadv2") && ++reads > 2 ? EIO : 0;
}

/* Linux takes a short read for the end of the file, and shortens it. */
TEST(fuse_reads_on_after_a_short_read)
{
	struct fuse_client *c = fc_new(NULL);
	struct fuse_open_out o;
	u64 node;

	scratch_file("f", "0123456789");
	node = fc_node(c, "f");
	CHECK_EQ(fc_open(c, node, O_RDONLY, &o), 0);
	lies.tell = tell_half;
	CHECK_EQ(fc_read(c, o.fh, 0, 4096), 10);
	CHECK_MEM(fc_body(c), "0123456789", 10);
	CHECK_EQ(fc_read(c, o.fh, 1, 5), 5);
	CHECK_MEM(fc_body(c), "12345", 5);
	CHECK_EQ(fc_read(c, o.fh, 10, 5), 0);
	/* What stopped it was an error. */
	lies.fail = fail_third_read;
	CHECK_EQ(fc_read(c, o.fh, 0, 4096), -EIO);
	lies = (struct lies){ 0 };
	/* Longer than the client knows. */
	scratch_file("f", "0123456789abcdef");
	CHECK_EQ(fc_read(c, o.fh, 0, 4096), 16);
	fc_free(c);
}

/* Without a page cache the reader gets what there is: a second read could wait for more. */
TEST(fuse_reads_once_what_is_not_cached)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_NONE };
	struct fuse_client *c = fc_new(&opts);
	struct fuse_open_out o;

	scratch_file("f", "0123456789");
	CHECK_EQ(fc_open(c, fc_node(c, "f"), O_RDONLY, &o), 0);
	lies.tell = tell_half;
	CHECK_EQ(fc_read(c, o.fh, 0, 4096), 5);
	lies = (struct lies){ 0 };
	fc_free(c);
}

/* Every call of every kind fails once; what comes after is served as if it had not. */
static unsigned int calls, fail_at;
static int fail_with;

static int fail_one(const char *call)
{
	return calls++ == fail_at ? fail_with : 0;
}

static void fuse_work(struct fuse_client *c)
{
	struct fuse_create_in create = { .flags = O_RDWR, .mode = 0644 };
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct fuse_read_in list = { .size = 4096 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct fuse_attr a;
	u64 fh;

	if (!fc_call(c, FUSE_MKDIR, ROOT, &mkdir, sizeof(mkdir), "d", 2))
		fc_name(c, FUSE_RMDIR, ROOT, "d");
	if (!fc_create(c, ROOT, "new", O_RDWR, 0644, &e, &o)) {
		fc_write(c, o.fh, 0, "abc", 0, 0);
		fc_getattr(c, e.nodeid, &a);
		fc_release(c, e.nodeid, o.fh);
		fc_forget(c, e.nodeid, 1);
	}
	if (!fc_lookup(c, ROOT, "f", &e) && e.nodeid) {
		if (!fc_open(c, e.nodeid, O_RDWR, &o)) {
			fc_read(c, o.fh, 0, 100);
			fc_lock(c, FUSE_SETLK, o.fh, 1, F_WRLCK, 0, 10, 0);
			fc_release(c, e.nodeid, o.fh);
		}
		fc_forget(c, e.nodeid, 1);
	}
	if (!fc_opendir(c, ROOT, &fh)) {
		list.fh = fh;
		fc_call(c, FUSE_READDIR, ROOT, &list, sizeof(list), NULL, 0);
		fc_release(c, ROOT, fh);
	}
	fc_call(c, FUSE_TMPFILE, ROOT, &create, sizeof(create), "", 1);
	fc_name(c, FUSE_UNLINK, ROOT, "new");
}

TEST(fuse_lives_through_any_error)
{
	static const int errors[] = { EIO, EINTR, ESTALE, EMFILE, ENOENT };
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	unsigned int i, last;

	scratch_file("f", "content");
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		fail_with = errors[i];
		for (fail_at = 0, last = 1; fail_at < last; fail_at++) {
			calls = 0;
			lies.fail = fail_one;
			fuse_work(c);
			last = calls;
			lies.fail = NULL;
			unlink(scratch("new"));
			rmdir(scratch("d"));
		}
		CHECK(last > 20);
	}
	fuse_reset(c->f);
	CHECK_EQ(c->f->nnodes, 1);
	CHECK_EQ(c->f->held, 0);
	fc_free(c);
}
