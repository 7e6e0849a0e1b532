// SPDX-License-Identifier: GPL-2.0
/* The 9P2000.L server: every message, as a client sees it. */
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
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <kvm/log.h>
#include <kvm/state.h>

#include "../../hw/fs/p9_session.h"
#include "p9_client.h"
#include "scratch.h"
#include "tap.h"

#define MSIZE	(512U << 10)
#define GID	((u32)getegid())

static void start(struct p9_client *c)
{
	p9c_start(c, scratch_dir(), false, MSIZE);
}

static int attach(struct p9_client *c, u32 fid, const char *aname, u32 uid)
{
	return p9c_call(c, P9_TATTACH, "ddssd", fid, P9_NOFID, "user", aname, uid);
}

static int lopen(struct p9_client *c, u32 fid, u32 flags)
{
	return p9c_call(c, P9_TLOPEN, "dd", fid, flags);
}

static int lcreate(struct p9_client *c, u32 fid, const char *name, u32 flags, u32 mode)
{
	return p9c_call(c, P9_TLCREATE, "dsddd", fid, name, flags, mode, GID);
}

static int pread9(struct p9_client *c, u32 fid, u64 off, u32 count)
{
	return p9c_call(c, P9_TREAD, "dqd", fid, off, count);
}

static int pwrite9(struct p9_client *c, u32 fid, u64 off, const char *s)
{
	return p9c_call(c, P9_TWRITE, "dqdm", fid, off, (u32)strlen(s), s, strlen(s));
}

struct attr {
	u64 valid, nlink, rdev, size, blocks, mtime, btime;
	u32 mode, uid, gid;
	struct p9_qid qid;
};

static int getattr9(struct p9_client *c, u32 fid, struct attr *a)
{
	int ret = p9c_call(c, P9_TGETATTR, "dq", fid, 0x3fffULL);

	if (ret)
		return ret;
	a->valid = p9c_get(c, 8);
	a->qid = p9c_qid(c);
	a->mode = p9c_get(c, 4);
	a->uid = p9c_get(c, 4);
	a->gid = p9c_get(c, 4);
	a->nlink = p9c_get(c, 8);
	a->rdev = p9c_get(c, 8);
	a->size = p9c_get(c, 8);
	p9c_get(c, 8);
	a->blocks = p9c_get(c, 8);
	p9c_bytes(c, 16);
	a->mtime = p9c_get(c, 8);
	p9c_bytes(c, 24);
	a->btime = p9c_get(c, 8);
	p9c_bytes(c, 24);
	CHECK_EQ(c->at, c->len);
	return 0;
}

static int setattr9(struct p9_client *c, u32 fid, u32 valid, u32 mode, u32 uid, u32 gid,
		    u64 size, u64 atime, u64 mtime)
{
	return p9c_call(c, P9_TSETATTR, "dddddqqqqq", fid, valid, mode, uid, gid, size,
			atime, 0ULL, mtime, 5ULL);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(scratch(name), &st) ? 0 : st.st_mode;
}

static void check_content(const char *name, const char *want)
{
	char buf[256] = "";
	int fd = open(scratch(name), O_RDONLY);

	CHECK(fd >= 0);
	CHECK(read(fd, buf, sizeof(buf) - 1) >= 0);
	close(fd);
	CHECK_STR(buf, want);
}

/* Become nobody in particular, in a directory that belongs to them. */
static void drop_root(void)
{
	if (geteuid())
		return;
	CHECK(!chown(scratch_dir(), 65534, 65534));
	CHECK(!setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534));
}

TEST(version_is_negotiated)
{
	struct p9_client c;

	p9c_init(&c, scratch_dir(), false);
	CHECK_EQ(attach(&c, 0, "", 0), -EPROTO);
	CHECK_EQ(p9c_call(&c, P9_TVERSION, "ds", 100U, "9P2000.L"), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TVERSION, "ds", 8192U, "9P2000"), 0);
	p9c_get(&c, 4);
	CHECK_EQ(p9c_get(&c, 2), 7);
	CHECK_MEM(p9c_bytes(&c, 7), "unknown", 7);
	CHECK_EQ(attach(&c, 0, "", 0), -EPROTO);
	CHECK_EQ(p9c_call(&c, P9_TVERSION, "ds", ~0U, "9P2000.L"), 0);
	CHECK_EQ(p9c_get(&c, 4), P9_MSIZE_MAX);
	CHECK_EQ(p9c_get(&c, 2), 8);
	CHECK_MEM(p9c_bytes(&c, 8), "9P2000.L", 8);
	CHECK_EQ(attach(&c, 0, "", 0), 0);
	/* A new one forgets the fids of the last. */
	CHECK_EQ(p9c_call(&c, P9_TVERSION, "ds", 8192U, "9P2000.L"), 0);
	CHECK_EQ(p9c_get(&c, 4), 8192);
	CHECK_EQ(p9c_clunk(&c, 0), -EBADF);
	CHECK_EQ(attach(&c, 0, "", 0), 0);
	p9_reset(c.p9);
	CHECK_EQ(p9c_clunk(&c, 0), -EPROTO);
	p9c_free(&c);
}

TEST(messages_that_are_none)
{
	struct p9_client c;
	u8 reply[64], t[64] = { 7, 0, 0, 0, P9_TCLUNK, 1, 0 };
	struct iovec tv = { t, 7 }, rv = { reply, sizeof(reply) };
	struct iov_iter ti, ri;
	struct p9_req *req;
	u32 type;

	start(&c);
	/* Too short for a header, or a size that is. */
	tv.iov_len = 6;
	iov_iter_init(&ti, &tv, 1);
	iov_iter_init(&ri, &rv, 1);
	CHECK_EQ(p9_serve(c.p9, &ti, &ri, &req), -EPROTO);
	tv.iov_len = 7;
	t[0] = 6;
	iov_iter_init(&ti, &tv, 1);
	CHECK_EQ(p9_serve(c.p9, &ti, &ri, &req), -EPROTO);
	t[0] = 7;
	/* No room for an error. */
	iov_iter_init(&ti, &tv, 1);
	rv.iov_len = 10;
	iov_iter_init(&ri, &rv, 1);
	CHECK_EQ(p9_serve(c.p9, &ti, &ri, &req), -EPROTO);
	/* The size says more than there is. */
	rv.iov_len = 64;
	t[0] = 11;
	iov_iter_init(&ti, &tv, 1);
	iov_iter_init(&ri, &rv, 1);
	CHECK_EQ(p9_serve(c.p9, &ti, &ri, &req), 11);
	p9_delivered(req);
	CHECK_EQ(reply[4], P9_RLERROR);
	CHECK_EQ(reply[7], EBADMSG);
	/* All types without a body: an error, except that a flush may not even be one. */
	for (type = 0; type < 256; type++)
		CHECK(p9c_call(&c, type, "") < 0);
	/* Larger than was agreed. */
	CHECK_EQ(p9c_call(&c, P9_TVERSION, "ds", 4096U, "9P2000.L"), 0);
	CHECK_EQ(attach(&c, 0, "", 0), 0);
	CHECK_EQ(p9c_call(&c, P9_TCLUNK, "dm", 7U, c.r, (size_t)5000), -EMSGSIZE);
	p9c_free(&c);
}

/* No message may end early without being refused. */
TEST(truncated_messages_are_refused)
{
	static const struct { u8 type; const char *fmt; } msgs[] = {
		{ P9_TATTACH, "ddssd" }, { P9_TWALK, "ddwss" }, { P9_TLOPEN, "dd" },
		{ P9_TLCREATE, "dsddd" }, { P9_TSYMLINK, "dssd" }, { P9_TMKNOD, "dsdddd" },
		{ P9_TRENAME, "dds" }, { P9_TRENAMEAT, "dsds" }, { P9_TUNLINKAT, "dsd" },
		{ P9_TMKDIR, "dsdd" }, { P9_TLINK, "dds" }, { P9_TREADLINK, "d" },
		{ P9_TGETATTR, "dq" }, { P9_TSETATTR, "dddddqqqqq" }, { P9_TXATTRWALK, "dds" },
		{ P9_TXATTRCREATE, "dsqd" }, { P9_TREADDIR, "dqd" }, { P9_TFSYNC, "dd" },
		{ P9_TLOCK, "dbdqqds" }, { P9_TGETLOCK, "dbqqds" }, { P9_TREAD, "dqd" },
		{ P9_TWRITE, "dqd" }, { P9_TCLUNK, "d" }, { P9_TREMOVE, "d" },
		{ P9_TSTATFS, "d" }, { P9_TFLUSH, "w" },
	};
	struct p9_client c;
	unsigned int i;

	start(&c);
	for (i = 0; i < sizeof(msgs) / sizeof(msgs[0]); i++) {
		const char *f = msgs[i].fmt;
		u8 body[128] = { 0 };
		size_t len = 0, n;

		/* Fields of zeros, except for strings, which are "x". */
		for (; *f; f++) {
			if (*f == 's') {
				memcpy(body + len, "\1\0x", 3);
				len += 3;
			} else {
				if (msgs[i].type == P9_TWALK && *f == 'w')
					body[len] = 2;
				len += *f == 'b' ? 1 : *f == 'w' ? 2 : *f == 'd' ? 4 : 8;
			}
		}
		for (n = 0; n < len; n++) {
			int ret = p9c_call(&c, msgs[i].type, "m", body, n);

			tap_note("type %d, %zu of %zu bytes: %s", msgs[i].type, n, len,
				 strerror(-ret));
			CHECK_EQ(ret, -EBADMSG);
		}
	}
	/* And nothing of it was done. */
	CHECK_EQ(p9c_walk(&c, 0, 1, "x"), -ENOENT);
	p9c_free(&c);
}

TEST(attach_to_several_trees)
{
	struct p9_client c;

	CHECK(!mkdir(scratch("a"), 0755) && !mkdir(scratch("a/b"), 0755));
	scratch_file("file", "");
	CHECK(!symlink("/", scratch("out")));
	start(&c);
	CHECK_EQ(p9c_call(&c, P9_TAUTH, "dssd", 1U, "u", "", 0U), -ENOENT);
	CHECK_EQ(attach(&c, 0, "", 0), -EBADF);			/* in use */
	CHECK_EQ(attach(&c, P9_NOFID, "", 0), -EBADF);
	CHECK_EQ(p9c_call(&c, P9_TATTACH, "ddssd", 1U, 0U, "", "", 0U), -EBADF);
	CHECK_EQ(attach(&c, 1, "/", 1000), 0);
	CHECK_EQ(attach(&c, 2, "/a/./b/", 1000), 0);
	CHECK_EQ(attach(&c, 3, "a/../..", 0), -EINVAL);
	CHECK_EQ(attach(&c, 3, "nothing", 0), -ENOENT);
	CHECK_EQ(attach(&c, 3, "file", 0), -ENOTDIR);
	CHECK_EQ(attach(&c, 3, "out", 0), -ENOTDIR);
	/* Each ends at its own root. */
	CHECK_EQ(p9c_walk(&c, 2, 4, "../../.."), 0);
	p9c_bytes(&c, 2 * P9_QID);
	CHECK_EQ(p9c_qid(&c).path, ({ CHECK_EQ(p9c_walk(&c, 0, 5, "a/b"), 0);
				      p9c_bytes(&c, P9_QID); p9c_qid(&c).path; }));
	p9c_free(&c);
}

TEST(a_share_has_to_be_a_directory)
{
	struct p9_options opts = { 0 };
	const char *err = NULL;
	struct p9 *p9;

	scratch_file("file", "");
	opts.dir = scratch("file");
	CHECK_EQ(p9_new(&p9, &opts, &err), -ENOTDIR);
	CHECK(err && *err);
	opts.dir = scratch("missing");
	CHECK_EQ(p9_new(&p9, &opts, NULL), -ENOENT);
}

TEST(walk)
{
	struct p9_client c;
	char name[300];
	int i;

	CHECK(!mkdir(scratch("d"), 0755) && !mkdir(scratch("d/e"), 0755));
	scratch_file("d/f", "x");
	start(&c);
	/* Clones; in use; in its own place. */
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(p9c_walk(&c, 0, 1, "d"), -EBADF);
	CHECK_EQ(p9c_walk(&c, 9, 2, "d"), -EBADF);
	CHECK_EQ(p9c_walk(&c, 0, P9_NOFID, "d"), -EINVAL);
	CHECK_EQ(p9c_walk(&c, 1, 1, "d"), 0);
	CHECK_EQ(p9c_qid(&c).type, P9_QTDIR);
	CHECK_EQ(p9c_walk(&c, 1, 2, "f"), 0);
	CHECK_EQ(p9c_qid(&c).type, P9_QTFILE);
	/* Not at all, or a part of the way. */
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddwss", 0, 3U, 2, "no", "d"), -ENOENT);
	CHECK_EQ(p9c_clunk(&c, 3), -EBADF);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddwsss", 0, 3U, 3, "d", "f", "x"), 0);
	CHECK_EQ(p9c_get(&c, 2), 2);
	CHECK_EQ(p9c_qid(&c).type, P9_QTDIR);
	CHECK_EQ(p9c_qid(&c).type, P9_QTFILE);
	CHECK_EQ(c.at, c.len);
	CHECK_EQ(p9c_clunk(&c, 3), -EBADF);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddwss", 1U, 1U, 2, "e", "no"), 0);
	CHECK_EQ(p9c_walk(&c, 1, 3, "e"), 0);
	CHECK_EQ(p9c_clunk(&c, 3), 0);
	/* Up. */
	CHECK_EQ(p9c_walk(&c, 0, 3, "d/e/../f"), 0);
	CHECK_EQ(p9c_clunk(&c, 3), 0);
	CHECK_EQ(p9c_walk(&c, 0, 3, "../../d/../.."), 0);
	p9c_bytes(&c, 4 * P9_QID);
	CHECK_EQ(p9c_qid(&c).path, ({ CHECK_EQ(p9c_walk(&c, 0, 4, "."), 0); p9c_qid(&c).path; }));
	CHECK_EQ(p9c_walk(&c, 2, 5, ".."), -ENOTDIR);
	CHECK_EQ(p9c_walk(&c, 2, 5, "."), -EINVAL);
	/* What is no name. */
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddws", 0, 5U, 1, ""), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddws", 0, 5U, 1, "d/e"), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddws", 0, 5U, 1, "/"), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddwn", 0, 5U, 1, "d\0e", (size_t)3), -EINVAL);
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddws", 0, 5U, 1, name), -ENOENT);
	name[255] = 'n';
	name[256] = '\0';
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddws", 0, 5U, 1, name), -ENAMETOOLONG);
	/* At most 16. */
	for (i = 0; i < 17; i++)
		memcpy(name + 3 * i, "\1\0.", 3);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddwm", 0, 5U, 16, name, (size_t)48), 0);
	CHECK_EQ(c.len, P9_HEADER + 2 + 16 * P9_QID);
	CHECK_EQ(p9c_call(&c, P9_TWALK, "ddwm", 0, 6U, 17, name, (size_t)51), -EINVAL);
	p9c_free(&c);
}

/* CVE-2016-9602 and its kin. */
TEST(nothing_leads_out)
{
	static const char *const links[] = { "abs", "rel", "magic", "self" };
	struct p9_client c;
	unsigned int i;
	char outside[PATH_MAX];

	CHECK(!mkdir(scratch("share"), 0755) && !mkdir(scratch("share/d"), 0755));
	CHECK(!mkdir(scratch("share/d/sub"), 0755));
	scratch_file("secret", "secret");
	CHECK(!symlink("/etc", scratch("share/abs")));
	CHECK(!symlink("..", scratch("share/rel")));
	CHECK(!symlink("/proc/self/root", scratch("share/magic")));
	CHECK(!symlink(scratch("share/d"), scratch("share/self")));
	p9c_start(&c, scratch("share"), false, MSIZE);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(p9c_walk(&c, 0, 1, links[i]), 0);
		CHECK_EQ(p9c_qid(&c).type, P9_QTSYMLINK);
		CHECK_EQ(p9c_walk(&c, 1, 2, "passwd"), -ENOTDIR);
		CHECK_EQ(p9c_walk(&c, 1, 2, ".."), -ENOTDIR);
		CHECK_EQ(p9c_walk(&c, 1, 2, "secret"), -ENOTDIR);
		CHECK_EQ(lopen(&c, 1, O_RDONLY), -EINVAL);
		CHECK_EQ(p9c_call(&c, P9_TREADDIR, "dqd", 1U, 0ULL, 100U), -EBADF);
		CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 1U, "new", 0755U, GID), -ENOTDIR);
		CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 1U, "secret", 0U), -ENOTDIR);
		CHECK_EQ(lcreate(&c, 1, "new", O_WRONLY, 0600), -ENOTDIR);
		/* Attributes are the link's own. */
		CHECK_EQ(setattr9(&c, 1, P9_SETATTR_MODE, 0777, 0, 0, 0, 0, 0), -EOPNOTSUPP);
		CHECK_EQ(setattr9(&c, 1, P9_SETATTR_SIZE, 0, 0, 0, 0, 0, 0), -EINVAL);
		CHECK_EQ(p9c_clunk(&c, 1), 0);
	}
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lcreate(&c, 1, "rel", O_WRONLY, 0600), -ELOOP);
	CHECK_EQ(lcreate(&c, 1, "../x", O_WRONLY, 0600), -EINVAL);
	CHECK_EQ(lcreate(&c, 1, "..", O_WRONLY, 0600), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "..", 0755U, GID), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "d", 0, ".."), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "..", 0, "x"), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "d", 0, "../x"), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "..", P9_AT_REMOVEDIR), -EINVAL);
	/* A directory that is moved out while the guest is in it is no way up. */
	CHECK_EQ(p9c_walk(&c, 0, 2, "d/sub"), 0);
	CHECK_EQ(p9c_walk(&c, 0, 3, "d"), 0);
	snprintf(outside, sizeof(outside), "%s", scratch("moved"));
	CHECK(!rename(scratch("share/d"), outside));
	CHECK_EQ(p9c_walk(&c, 3, 4, ".."), -ESTALE);
	CHECK_EQ(p9c_walk(&c, 2, 4, "../.."), -ENOENT);		/* half of the way */
	p9c_free(&c);
}

TEST(getattr)
{
	struct p9_client c;
	struct stat st;
	struct attr a;

	scratch_file("f", "hello");
	CHECK(!chmod(scratch("f"), 04751));
	CHECK(!link(scratch("f"), scratch("g")));
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(getattr9(&c, 1, &a), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(a.valid & P9_GETATTR_BASIC, P9_GETATTR_BASIC);
	CHECK_EQ(a.mode, S_IFREG | 04751);
	CHECK_EQ(a.uid, st.st_uid);
	CHECK_EQ(a.gid, st.st_gid);
	CHECK_EQ(a.nlink, 2);
	CHECK_EQ(a.size, 5);
	CHECK_EQ(a.blocks, st.st_blocks);
	CHECK_EQ(a.mtime, st.st_mtime);
	CHECK_EQ(a.qid.path, st.st_ino);
	CHECK_EQ(a.qid.version, 1);
	CHECK_EQ(p9c_call(&c, P9_TGETATTR, "dq", 1U, 1ULL), 0);
	CHECK_EQ(p9c_get(&c, 8), P9_GETATTR_BASIC);
	CHECK_EQ(p9c_call(&c, P9_TGETATTR, "dq", 8U, 1ULL), -EBADF);
	p9c_free(&c);
	/* A device's number, as Linux packs it. */
	p9c_start(&c, "/dev", true, MSIZE);
	CHECK_EQ(p9c_walk(&c, 0, 1, "null"), 0);
	CHECK_EQ(getattr9(&c, 1, &a), 0);
	CHECK_EQ(a.mode & S_IFMT, S_IFCHR);
	CHECK_EQ(a.rdev, 0x103);
	p9c_free(&c);
}

TEST(setattr)
{
	struct p9_client c;
	struct stat st;

	scratch_file("f", "hello");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_MODE | P9_SETATTR_CTIME, S_IFREG | 0640, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0640);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_SIZE, 0, 0, 0, 2, 0, 0), 0);
	check_content("f", "he");
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_SIZE, 0, 0, 0, 1ULL << 63, 0, 0), -EINVAL);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET | P9_SETATTR_MTIME |
			  P9_SETATTR_MTIME_SET, 0, 0, 0, 0, 111, 222), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(st.st_atime, 111);
	CHECK_EQ(st.st_mtime, 222);
	CHECK_EQ(st.st_mtim.tv_nsec, 5);
	/* One left alone, one now. */
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_MTIME, 0, 0, 0, 0, 1, 1), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(st.st_atime, 111);
	CHECK(st.st_mtime > 1000000);
	/* UTIME_NOW and UTIME_OMIT are not the guest's to say. */
	CHECK_EQ(p9c_call(&c, P9_TSETATTR, "dddddqqqqq", 1U,
			  (u32)(P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET), 0, 0, 0, 0ULL, 0ULL,
			  (u64)UTIME_NOW, 0ULL, 0ULL), -EINVAL);
	CHECK_EQ(setattr9(&c, 1, 0x200, 0, 0, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_UID, 0, ~0U, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(setattr9(&c, 0, P9_SETATTR_SIZE, 0, 0, 0, 0, 0, 0), -EISDIR);
	if (!geteuid()) {
		CHECK_EQ(setattr9(&c, 1, P9_SETATTR_UID | P9_SETATTR_GID, 0, 12, 34, 0, 0, 0), 0);
		CHECK(!stat(scratch("f"), &st));
		CHECK_EQ(st.st_uid, 12);
		CHECK_EQ(st.st_gid, 34);
		/* A mode that is said survives the change of owner; one that is not, does not. */
		CHECK_EQ(setattr9(&c, 1, P9_SETATTR_UID | P9_SETATTR_MODE, 06755, 13, 0, 0, 0, 0), 0);
		CHECK_EQ(mode_of("f"), S_IFREG | 06755);
		CHECK_EQ(setattr9(&c, 1, P9_SETATTR_UID, 0, 14, 0, 0, 0, 0), 0);
		CHECK_EQ(mode_of("f"), S_IFREG | 0755);
	}
	p9c_free(&c);
}

TEST(chown_is_refused_to_a_user)
{
	struct p9_client c;

	drop_root();
	scratch_file("f", "");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_UID, 0, 0, 0, 0, 0, 0), -EPERM);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_UID, 0, getuid(), 0, 0, 0, 0), 0);
	p9c_free(&c);
}

TEST(create)
{
	struct p9_client c;
	struct attr a;

	umask(077);
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lcreate(&c, 1, "f", O_RDWR | O_EXCL | 0x8000, S_IFREG | 01666), 0);
	CHECK_EQ(p9c_qid(&c).type, P9_QTFILE);
	CHECK_EQ(p9c_get(&c, 4), 0);
	/* The guest has applied its own mask: ours does not count. */
	CHECK_EQ(mode_of("f"), S_IFREG | 01666);
	/* fid 1 is the file now. */
	CHECK_EQ(pwrite9(&c, 1, 0, "hello"), 0);
	CHECK_EQ(p9c_get(&c, 4), 5);
	CHECK_EQ(pread9(&c, 1, 1, 100), 0);
	CHECK_EQ(p9c_get(&c, 4), 4);
	CHECK_MEM(p9c_bytes(&c, 4), "ello", 4);
	CHECK_EQ(getattr9(&c, 1, &a), 0);
	CHECK_EQ(a.size, 5);
	CHECK_EQ(lcreate(&c, 1, "g", O_RDWR, 0600), -EBADF);
	CHECK_EQ(p9c_clunk(&c, 1), 0);
	/* It exists. */
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lcreate(&c, 1, "f", O_RDWR | O_EXCL, 0600), -EEXIST);
	CHECK_EQ(lcreate(&c, 1, "f", O_RDONLY, 0600), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 01666);
	CHECK_EQ(pread9(&c, 1, 0, 100), 0);
	CHECK_EQ(p9c_get(&c, 4), 5);
	CHECK_EQ(pwrite9(&c, 1, 0, "x"), -EBADF);
	CHECK_EQ(p9c_clunk(&c, 1), 0);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lcreate(&c, 1, "f", O_WRONLY | O_TRUNC, 0600), 0);
	CHECK_EQ(getattr9(&c, 1, &a), 0);
	CHECK_EQ(a.size, 0);
	CHECK_EQ(p9c_clunk(&c, 1), 0);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "d", S_IFDIR | 01777U, GID), 0);
	CHECK_EQ(p9c_qid(&c).type, P9_QTDIR);
	CHECK_EQ(mode_of("d"), S_IFDIR | 01777);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lcreate(&c, 1, "d", O_RDONLY, 0600), -EISDIR);
	p9c_free(&c);
}

/* CVE-2023-2861: to open one of these is to do something to it, or to wait. */
TEST(special_files_are_not_opened)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct p9_client c;
	int fd;

	start(&c);
	CHECK_EQ(p9c_call(&c, P9_TMKNOD, "dsdddd", 0, "fifo", S_IFIFO | 0666U, 0, 0, GID), 0);
	CHECK_EQ(mode_of("fifo"), S_IFIFO | 0666);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", scratch("sock"));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK_EQ(p9c_walk(&c, 0, 1, "fifo"), 0);
	CHECK_EQ(lopen(&c, 1, O_RDONLY), -EINVAL);
	CHECK_EQ(lopen(&c, 1, O_WRONLY), -EINVAL);
	CHECK_EQ(lopen(&c, 1, O_RDWR), -EINVAL);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_SIZE, 0, 0, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_MODE, 0600, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(mode_of("fifo"), S_IFIFO | 0600);
	CHECK_EQ(p9c_walk(&c, 0, 2, "sock"), 0);
	CHECK_EQ(lopen(&c, 2, O_RDWR), -EINVAL);
	CHECK_EQ(p9c_walk(&c, 0, 3, ""), 0);
	CHECK_EQ(lcreate(&c, 3, "fifo", O_WRONLY, 0600), -EINVAL);
	CHECK_EQ(lcreate(&c, 3, "sock", O_WRONLY, 0600), -EINVAL);
	if (!geteuid()) {
		CHECK_EQ(p9c_call(&c, P9_TMKNOD, "dsdddd", 0, "dev", S_IFCHR | 0666U, 1, 3, GID), 0);
		CHECK_EQ(p9c_walk(&c, 0, 4, "dev"), 0);
		CHECK_EQ(lopen(&c, 4, O_RDWR), -EINVAL);
	}
	close(fd);
	p9c_free(&c);
}

TEST(root_creates_for_the_guests_users)
{
	gid_t groups[] = { 0, 77 };	/* those of root are not the guest's */
	struct p9_client c;
	struct stat st;

	if (geteuid())
		SKIP("needs root");
	CHECK(!setgroups(2, groups));
	start(&c);
	CHECK(!mkdir(scratch("pub"), 0777) && !chmod(scratch("pub"), 0777));
	CHECK(!mkdir(scratch("sgid"), 0777) && !chown(scratch("sgid"), 0, 77));
	CHECK(!chmod(scratch("sgid"), 02777));
	CHECK(!mkdir(scratch("shut"), 0700) && !chown(scratch("shut"), 5, 5));
	CHECK_EQ(attach(&c, 1, "pub", 1000), 0);
	CHECK_EQ(attach(&c, 2, "sgid", 1000), 0);
	CHECK_EQ(attach(&c, 3, "shut", 1000), 0);

	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 1U, "d", 0755U, 1001U), 0);
	CHECK(!stat(scratch("pub/d"), &st));
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(st.st_gid, 1001);
	CHECK_EQ(p9c_call(&c, P9_TSYMLINK, "dssd", 1U, "l", "target", 1001U), 0);
	CHECK(!lstat(scratch("pub/l"), &st));
	CHECK_EQ(st.st_uid, 1000);
	/* The directory's group, and a directory hands it on. */
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 2U, "d", 0755U, 1001U), 0);
	CHECK(!stat(scratch("sgid/d"), &st));
	CHECK_EQ(st.st_gid, 77);
	CHECK_EQ(st.st_mode, S_IFDIR | 02755);
	/* CVE-2022-0358: a program of that group by somebody who is not in it. */
	CHECK_EQ(p9c_walk(&c, 2, 4, ""), 0);
	CHECK_EQ(p9c_call(&c, P9_TLCREATE, "dsddd", 4U, "f", O_WRONLY, 02775U, 1001U), 0);
	CHECK(!stat(scratch("sgid/f"), &st));
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(st.st_gid, 77);
	CHECK_EQ(st.st_mode, S_IFREG | 0775);
	/* The guest's kernel has judged by groups that the host does not know. */
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 3U, "d", 0755U, 1001U), 0);
	CHECK(!stat(scratch("shut/d"), &st));
	CHECK_EQ(st.st_uid, 1000);
	/* And the thread is root again. */
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "mine", 0755U, 0), 0);
	CHECK(!stat(scratch("mine"), &st));
	CHECK_EQ(st.st_uid, 0);
	CHECK(!access(scratch("shut"), R_OK | W_OK));
	CHECK(!chown(scratch("mine"), 3, 3));
	p9c_free(&c);
}

/* As the kernel does for anybody but root, also when root runs the server. */
TEST(a_users_write_takes_set_user_id_away)
{
	struct p9_client c;

	if (geteuid())
		SKIP("needs root");
	start(&c);
	scratch_file("f", "");
	CHECK(!chmod(scratch("f"), 06777));
	CHECK_EQ(attach(&c, 1, "", 0), 0);
	CHECK_EQ(attach(&c, 2, "", 1000), 0);
	CHECK_EQ(p9c_walk(&c, 1, 3, "f"), 0);
	CHECK_EQ(p9c_walk(&c, 2, 4, "f"), 0);
	CHECK_EQ(lopen(&c, 3, O_WRONLY), 0);
	CHECK_EQ(lopen(&c, 4, O_WRONLY), 0);
	CHECK_EQ(pwrite9(&c, 3, 0, "root"), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 06777);
	CHECK_EQ(pwrite9(&c, 4, 0, "user"), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 0777);
	/* Without execution by the group it means something else. */
	CHECK(!chmod(scratch("f"), 02767));
	CHECK_EQ(pwrite9(&c, 4, 0, "user"), 0);
	CHECK_EQ(mode_of("f"), S_IFREG | 02767);
	p9c_free(&c);
}

TEST(a_user_creates_in_a_group_of_theirs)
{
	gid_t groups[] = { 65534, 4321 };
	struct p9_client c;
	struct stat st;

	if (geteuid())
		SKIP("needs root");
	CHECK(!setgroups(2, groups));
	drop_root();
	start(&c);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "other", 0755U, 0), 0);
	CHECK(!stat(scratch("other"), &st));
	CHECK_EQ(st.st_uid, 65534);
	CHECK_EQ(st.st_gid, 65534);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "second", 0755U, 4321U), 0);
	CHECK(!stat(scratch("second"), &st));
	CHECK_EQ(st.st_gid, 4321);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(p9c_call(&c, P9_TLCREATE, "dsddd", 1U, "f", O_WRONLY, 04755U, 4321U), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(st.st_gid, 4321);
	CHECK_EQ(st.st_mode, S_IFREG | 04755);
	p9c_free(&c);
}

TEST(read_and_write)
{
	u32 big = 700 << 10, max = MSIZE - P9_DATA_HEADER;
	struct p9_client c;
	u32 i, *p;
	u8 *buf;

	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(pread9(&c, 1, 0, 10), -EBADF);
	CHECK_EQ(pwrite9(&c, 1, 0, "x"), -EBADF);
	CHECK_EQ(lcreate(&c, 1, "f", O_RDWR, 0600), 0);
	buf = malloc(big);
	p = (u32 *)buf;
	for (i = 0; i < big / 4; i++)
		p[i] = i;
	for (i = 0; i < big; i += 100 << 10) {
		CHECK_EQ(p9c_call(&c, P9_TWRITE, "dqdm", 1U, (u64)i, 100U << 10, buf + i,
				  (size_t)(100 << 10)), 0);
		CHECK_EQ(p9c_get(&c, 4), 100 << 10);
	}
	/* As much as a message holds, never more than was asked for. */
	CHECK_EQ(pread9(&c, 1, 0, ~0U), 0);
	CHECK_EQ(p9c_get(&c, 4), max);
	CHECK_EQ(c.len, MSIZE);
	CHECK_MEM(p9c_bytes(&c, max), buf, max);
	CHECK_EQ(pread9(&c, 1, 1000, 10), 0);
	CHECK_EQ(p9c_get(&c, 4), 10);
	CHECK_MEM(p9c_bytes(&c, 10), buf + 1000, 10);
	CHECK_EQ(c.r[c.len], 0xee);
	/* As much as there is room for. */
	c.room = 100;
	CHECK_EQ(pread9(&c, 1, 0, 1000), 0);
	CHECK_EQ(p9c_get(&c, 4), 100 - P9_DATA_HEADER);
	c.room = P9C_ROOM;
	/* The end, beyond it, and beyond what is a file. */
	CHECK_EQ(pread9(&c, 1, big - 3, 10), 0);
	CHECK_EQ(p9c_get(&c, 4), 3);
	CHECK_EQ(pread9(&c, 1, big, 10), 0);
	CHECK_EQ(p9c_get(&c, 4), 0);
	CHECK_EQ(pread9(&c, 1, ~0ULL, 10), -EINVAL);
	CHECK_EQ(pread9(&c, 1, 1ULL << 63, 10), -EINVAL);
	CHECK_EQ(p9c_call(&c, P9_TWRITE, "dqdm", 1U, ~0ULL, 1U, "x", (size_t)1), -EINVAL);
	/* More bytes claimed than sent. */
	CHECK_EQ(p9c_call(&c, P9_TWRITE, "dqdm", 1U, 0ULL, 5U, "x", (size_t)1), -EBADMSG);
	CHECK_EQ(p9c_call(&c, P9_TWRITE, "dqdm", 1U, 0ULL, ~0U, "x", (size_t)1), -EBADMSG);
	CHECK_EQ(p9c_call(&c, P9_TFSYNC, "dd", 1U, 0), 0);
	CHECK_EQ(p9c_call(&c, P9_TFSYNC, "dd", 1U, 1U), 0);
	CHECK_EQ(p9c_call(&c, P9_TFSYNC, "dd", 0, 1U), -EBADF);
	CHECK_EQ(p9c_walk(&c, 0, 2, ""), 0);
	CHECK_EQ(lopen(&c, 2, O_RDWR), -EISDIR);
	CHECK_EQ(lopen(&c, 2, O_RDONLY), 0);
	CHECK_EQ(lopen(&c, 2, O_RDONLY), -EBADF);
	CHECK_EQ(pread9(&c, 2, 0, 10), -EISDIR);
	CHECK_EQ(p9c_walk(&c, 0, 3, "f"), 0);
	CHECK_EQ(lopen(&c, 3, P9_O_DIRECTORY), -ENOTDIR);
	/* For ioctl(2) alone. */
	CHECK_EQ(lopen(&c, 3, 3), 0);
	CHECK_EQ(pread9(&c, 3, 0, 10), -EBADF);
	free(buf);
	p9c_free(&c);
}

TEST(append)
{
	struct p9_client c;

	scratch_file("f", "abc");
	start(&c);
	/* For writing only: whatever the guest believes of the end. */
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(lopen(&c, 1, O_WRONLY | P9_O_APPEND), 0);
	CHECK_EQ(pwrite9(&c, 1, 0, "d"), 0);
	check_content("f", "abcd");
	/* For both: it may be a page cache that is written back. */
	CHECK_EQ(p9c_walk(&c, 0, 2, "f"), 0);
	CHECK_EQ(lopen(&c, 2, O_RDWR | P9_O_APPEND), 0);
	CHECK_EQ(pwrite9(&c, 2, 0, "X"), 0);
	check_content("f", "Xbcd");
	p9c_free(&c);
}

/* iperf3 and apt do this; servers that keep paths fail. */
TEST(an_unlinked_file_still_works)
{
	struct p9_client c;
	struct attr a;

	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lcreate(&c, 1, "f", O_RDWR, 0600), 0);
	CHECK_EQ(p9c_walk(&c, 0, 2, "f"), 0);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "f", 0), 0);
	CHECK_EQ(pwrite9(&c, 1, 0, "hello"), 0);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_SIZE, 0, 0, 0, 3, 0, 0), 0);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_MODE, 0640, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(setattr9(&c, 1, P9_SETATTR_MTIME, 0, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(getattr9(&c, 1, &a), 0);
	CHECK_EQ(a.size, 3);
	CHECK_EQ(a.nlink, 0);
	CHECK_EQ(a.mode, S_IFREG | 0640);
	/* Also by a fid that was not open at that time. */
	CHECK_EQ(getattr9(&c, 2, &a), 0);
	CHECK_EQ(a.size, 3);
	CHECK_EQ(lopen(&c, 2, O_RDWR), 0);
	CHECK_EQ(pread9(&c, 2, 0, 10), 0);
	CHECK_EQ(p9c_get(&c, 4), 3);
	/* And one cloned from the open one. */
	CHECK_EQ(p9c_walk(&c, 1, 3, ""), 0);
	CHECK_EQ(p9c_clunk(&c, 1), 0);
	CHECK_EQ(setattr9(&c, 3, P9_SETATTR_SIZE, 0, 0, 0, 1, 0, 0), 0);
	CHECK_EQ(lopen(&c, 3, O_RDONLY), 0);
	CHECK_EQ(pread9(&c, 3, 0, 10), 0);
	CHECK_EQ(p9c_get(&c, 4), 1);
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 3U, "again"), -ENOENT);
	CHECK_EQ(p9c_call(&c, P9_TREMOVE, "d", 3U), -ENOENT);
	CHECK_EQ(p9c_clunk(&c, 3), -EBADF);
	p9c_free(&c);
}

TEST(an_open_tree_is_renamed)
{
	struct p9_client c;
	struct attr a;

	CHECK(!mkdir(scratch("a"), 0755) && !mkdir(scratch("a/b"), 0755) &&
	      !mkdir(scratch("z"), 0755));
	scratch_file("a/b/f", "x");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "a/b"), 0);
	CHECK_EQ(p9c_walk(&c, 1, 2, "f"), 0);
	CHECK_EQ(lopen(&c, 2, O_RDWR), 0);
	CHECK_EQ(p9c_walk(&c, 0, 3, "z"), 0);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "a", 3U, "aa"), 0);
	CHECK_EQ(p9c_walk(&c, 1, 4, "f"), 0);
	CHECK_EQ(getattr9(&c, 4, &a), 0);
	CHECK_EQ(pwrite9(&c, 2, 0, "y"), 0);
	check_content("z/aa/b/f", "y");
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 1U, "new", 0755U, GID), 0);
	CHECK_EQ(mode_of("z/aa/b/new"), S_IFDIR | 0755);
	CHECK_EQ(p9c_walk(&c, 1, 5, "../b"), 0);
	/* By fid, and back up to where it is now. */
	CHECK_EQ(p9c_call(&c, P9_TRENAME, "dds", 1U, 0, "bb"), 0);
	CHECK_EQ(mode_of("bb/f"), S_IFREG | (mode_of("bb/f") & 07777));
	CHECK_EQ(p9c_walk(&c, 1, 6, "../z"), 0);
	/* By the other fid, which was not told. */
	CHECK_EQ(p9c_walk(&c, 5, 7, ".."), -ESTALE);
	CHECK_EQ(p9c_call(&c, P9_TRENAME, "dds", 5U, 0, "b"), -ENOENT);
	CHECK_EQ(p9c_call(&c, P9_TRENAME, "dds", 0, 0, "b"), -EBUSY);
	p9c_free(&c);
}

TEST(names)
{
	struct p9_client c;
	char target[PATH_MAX + 1];

	start(&c);
	CHECK_EQ(p9c_call(&c, P9_TSYMLINK, "dssd", 0, "l", "/any/where\xff", GID), 0);
	CHECK_EQ(p9c_qid(&c).type, P9_QTSYMLINK);
	CHECK_EQ(p9c_walk(&c, 0, 1, "l"), 0);
	CHECK_EQ(p9c_call(&c, P9_TREADLINK, "d", 1U), 0);
	CHECK_EQ(p9c_get(&c, 2), 11);
	CHECK_MEM(p9c_bytes(&c, 11), "/any/where\xff", 11);
	CHECK_EQ(p9c_call(&c, P9_TREADLINK, "d", 0), -EINVAL);
	memset(target, 't', PATH_MAX);
	target[PATH_MAX - 1] = '\0';
	CHECK_EQ(p9c_call(&c, P9_TSYMLINK, "dssd", 0, "long", target, GID), 0);
	CHECK_EQ(p9c_walk(&c, 0, 2, "long"), 0);
	CHECK_EQ(p9c_call(&c, P9_TREADLINK, "d", 2U), 0);
	CHECK_EQ(p9c_get(&c, 2), PATH_MAX - 1);
	target[PATH_MAX - 1] = 't';
	target[PATH_MAX] = '\0';
	CHECK_EQ(p9c_call(&c, P9_TSYMLINK, "dssd", 0, "longer", target, GID), -ENAMETOOLONG);
	/* Hard links: also of a symbolic link. */
	scratch_file("f", "x");
	CHECK_EQ(p9c_walk(&c, 0, 3, "f"), 0);
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 3U, "g"), 0);
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 3U, "g"), -EEXIST);
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 1U, "l2"), 0);
	CHECK_EQ(mode_of("l2") & S_IFMT, S_IFLNK);
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 0, "dir"), -EPERM);
	/* Of two names of a file the one that was walked to goes. */
	CHECK_EQ(p9c_walk(&c, 0, 4, "g"), 0);
	CHECK_EQ(p9c_call(&c, P9_TREMOVE, "d", 4U), 0);
	CHECK_EQ(p9c_clunk(&c, 4), -EBADF);
	CHECK(mode_of("f") && !mode_of("g"));
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 3U, "g"), 0);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "f", 0, "f2"), 0);
	CHECK_EQ(p9c_call(&c, P9_TREMOVE, "d", 3U), 0);
	CHECK(mode_of("g") && !mode_of("f2"));
	/* Directories. */
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "d", 0755U, GID), 0);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "d", 0755U, GID), -EEXIST);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "d", 0), -EISDIR);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "g", P9_AT_REMOVEDIR), -ENOTDIR);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "d", 1U), -EINVAL);
	CHECK_EQ(p9c_walk(&c, 0, 5, "d"), 0);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "d", P9_AT_REMOVEDIR), 0);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 5U, "x", 0755U, GID), -ENOENT);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "d", 0755U, GID), 0);
	CHECK_EQ(p9c_walk(&c, 0, 6, "d"), 0);
	CHECK_EQ(p9c_call(&c, P9_TREMOVE, "d", 6U), 0);
	CHECK(!mode_of("d"));
	CHECK_EQ(p9c_walk(&c, 0, 7, ""), 0);
	CHECK_EQ(p9c_call(&c, P9_TREMOVE, "d", 7U), -EBUSY);
	CHECK_EQ(p9c_clunk(&c, 7), -EBADF);
	p9c_free(&c);
}

/* Read the directory of @fid in messages of @count bytes; calls for each entry. */
static unsigned int list(struct p9_client *c, u32 fid, u32 count,
			 void (*fn)(struct p9_client *c, const char *name, struct p9_qid qid,
				    u8 type))
{
	unsigned int n = 0;
	u64 off = 0;

	for (;;) {
		char name[256];
		size_t end;

		CHECK_EQ(p9c_call(c, P9_TREADDIR, "dqd", fid, off, count), 0);
		end = p9c_get(c, 4);
		CHECK(end <= count);
		if (!end)
			return n;
		end += c->at;
		CHECK_EQ(end, c->len);
		while (c->at < end) {
			struct p9_qid qid = p9c_qid(c);
			size_t len;
			u8 type;

			off = p9c_get(c, 8);
			type = p9c_get(c, 1);
			len = p9c_get(c, 2);
			memcpy(name, p9c_bytes(c, len), len);
			name[len] = '\0';
			n++;
			if (fn)
				fn(c, name, qid, type);
		}
	}
}

static unsigned char seen[2000];
static struct p9_qid dot, dotdot;

static void see(struct p9_client *c, const char *name, struct p9_qid qid, u8 type)
{
	struct stat st;

	if (!strcmp(name, "."))
		dot = qid;
	else if (!strcmp(name, ".."))
		dotdot = qid;
	else {
		CHECK_EQ(seen[atoi(name)]++, 0);
		CHECK(!stat(scratch(name), &st));
		CHECK_EQ(qid.path, st.st_ino);
		CHECK_EQ(qid.type, P9_QTFILE);
		CHECK_EQ(type, DT_REG);
	}
}

TEST(readdir)
{
	static const u32 counts[] = { 500, 4000, 100000, MSIZE };
	struct p9_client c;
	char name[16];
	u32 i, n;

	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		scratch_file(name, "");
	}
	start(&c);
	for (n = 0; n < 4; n++) {
		memset(seen, 0, sizeof(seen));
		CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
		CHECK_EQ(p9c_call(&c, P9_TREADDIR, "dqd", 1U, 0ULL, 1000U), -EBADF);
		CHECK_EQ(lopen(&c, 1, P9_O_DIRECTORY), 0);
		CHECK_EQ(list(&c, 1, counts[n], see), 2002);
		/* And again: offset 0 is the start. */
		CHECK_EQ(list(&c, 1, counts[n], NULL), 2002);
		CHECK_EQ(p9c_clunk(&c, 1), 0);
	}
	/* Above the root there is nothing. */
	CHECK_EQ(dot.path, dotdot.path);
	CHECK_EQ(p9c_walk(&c, 0, 1, "."), 0);
	CHECK_EQ(p9c_qid(&c).path, dot.path);
	CHECK_EQ(lopen(&c, 1, 0), 0);
	CHECK_EQ(p9c_call(&c, P9_TREADDIR, "dqd", 1U, 0ULL, 20U), -EINVAL);
	c.room = 30;
	CHECK_EQ(p9c_call(&c, P9_TREADDIR, "dqd", 1U, 0ULL, 2000U), -EINVAL);
	c.room = P9C_ROOM;
	CHECK(p9c_call(&c, P9_TREADDIR, "dqd", 1U, ~0ULL, 2000U) <= 0);
	CHECK_EQ(list(&c, 1, 1000, NULL), 2002);
	p9c_free(&c);
}

/* rm -r: what is removed on the way neither hides nor repeats what is left. */
static void see_and_remove(struct p9_client *c, const char *name, struct p9_qid qid, u8 type)
{
	if (*name == '.')
		return;
	CHECK_EQ(seen[atoi(name)]++, 0);
	CHECK(!unlink(scratch(name)));
}

TEST(readdir_while_files_are_removed)
{
	struct p9_client c;
	char name[16];
	u32 i;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		scratch_file(name, "");
	}
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(lopen(&c, 1, 0), 0);
	CHECK_EQ(list(&c, 1, 700, see_and_remove), 1002);
	CHECK_EQ(list(&c, 1, 700, NULL), 2);
	p9c_free(&c);
}

static int set_xattr(struct p9_client *c, u32 file, const char *name, const char *value,
		     u32 flags)
{
	int ret;

	CHECK_EQ(p9c_walk(c, file, 99, ""), 0);
	ret = p9c_call(c, P9_TXATTRCREATE, "dsqd", 99U, name, (u64)strlen(value), flags);
	if (!ret && *value)
		ret = pwrite9(c, 99, 0, value);
	if (ret) {
		p9c_clunk(c, 99);
		return ret;
	}
	return p9c_clunk(c, 99);
}

TEST(extended_attributes)
{
	struct p9_client c;
	static char big[P9_MSIZE_MIN * 20];
	char value[64] = "";
	u64 size;

	scratch_file("f", "");
	if (setxattr(scratch("f"), "user.probe", "1", 1, 0))
		SKIP("no extended attributes of users in /tmp: %s", strerror(errno));
	removexattr(scratch("f"), "user.probe");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(set_xattr(&c, 1, "user.one", "value", 0), 0);
	CHECK_EQ(getxattr(scratch("f"), "user.one", value, sizeof(value)), 5);
	CHECK_STR(value, "value");
	CHECK_EQ(set_xattr(&c, 1, "user.one", "other", XATTR_CREATE), -EEXIST);
	CHECK_EQ(set_xattr(&c, 1, "user.two", "other", XATTR_REPLACE), -ENODATA);
	CHECK_EQ(set_xattr(&c, 1, "user.two", "", 0), 0);
	CHECK_EQ(getxattr(scratch("f"), "user.two", value, sizeof(value)), 0);
	/* Reading: size, value, offsets. */
	CHECK_EQ(p9c_call(&c, P9_TXATTRWALK, "dds", 1U, 2U, "user.one"), 0);
	CHECK_EQ(p9c_get(&c, 8), 5);
	CHECK_EQ(pread9(&c, 2, 2, 100), 0);
	CHECK_EQ(p9c_get(&c, 4), 3);
	CHECK_MEM(p9c_bytes(&c, 3), "lue", 3);
	CHECK_EQ(pread9(&c, 2, 5, 100), 0);
	CHECK_EQ(p9c_get(&c, 4), 0);
	CHECK_EQ(pread9(&c, 2, ~0ULL, ~0U), 0);
	CHECK_EQ(p9c_get(&c, 4), 0);
	CHECK_EQ(pwrite9(&c, 2, 0, "x"), -EBADF);
	/* It is no file. */
	CHECK_EQ(lopen(&c, 2, 0), -EBADF);
	CHECK_EQ(p9c_walk(&c, 2, 3, ""), -EBADF);
	CHECK_EQ(p9c_call(&c, P9_TGETATTR, "dq", 2U, 0ULL), -EBADF);
	CHECK_EQ(p9c_call(&c, P9_TXATTRWALK, "dds", 1U, 2U, "user.one"), -EBADF);
	CHECK_EQ(p9c_clunk(&c, 2), 0);
	CHECK_EQ(p9c_call(&c, P9_TXATTRWALK, "dds", 1U, 2U, "user.none"), -ENODATA);
	CHECK_EQ(p9c_clunk(&c, 2), -EBADF);
	/* The list. */
	CHECK_EQ(p9c_call(&c, P9_TXATTRWALK, "dds", 1U, 2U, ""), 0);
	size = p9c_get(&c, 8);
	CHECK_EQ(pread9(&c, 2, 0, 1000), 0);
	CHECK_EQ(p9c_get(&c, 4), size);
	CHECK(memmem(p9c_bytes(&c, size), size, "user.one", 9));
	CHECK_EQ(p9c_clunk(&c, 2), 0);
	/* Not all of it written, holes, too much: nothing is set. CVE-2016-9103, -9104. */
	CHECK_EQ(p9c_walk(&c, 1, 4, ""), 0);
	CHECK_EQ(p9c_call(&c, P9_TXATTRCREATE, "dsqd", 4U, "user.three", 10ULL, 0), 0);
	CHECK_EQ(pread9(&c, 4, 0, 10), -EBADF);
	CHECK_EQ(pwrite9(&c, 4, 1, "x"), -EINVAL);
	CHECK_EQ(pwrite9(&c, 4, ~0ULL, "x"), -EINVAL);
	CHECK_EQ(pwrite9(&c, 4, 0, "12345"), 0);
	CHECK_EQ(pwrite9(&c, 4, 5, "123456"), -ENOSPC);
	CHECK_EQ(p9c_clunk(&c, 4), -EIO);
	CHECK_EQ(p9c_clunk(&c, 4), -EBADF);
	CHECK_EQ(getxattr(scratch("f"), "user.three", value, sizeof(value)), -1);
	CHECK_EQ(p9c_walk(&c, 1, 4, ""), 0);
	CHECK_EQ(p9c_call(&c, P9_TXATTRCREATE, "dsqd", 4U, "user.x", 65537ULL, 0), -E2BIG);
	CHECK_EQ(p9c_call(&c, P9_TXATTRCREATE, "dsqd", 4U, "user.x", ~0ULL, 0), -E2BIG);
	CHECK_EQ(p9c_call(&c, P9_TXATTRCREATE, "dsqd", 4U, "user.x", 1ULL, 4U), -EINVAL);
	memset(big, 'n', sizeof(big));
	CHECK_EQ(p9c_call(&c, P9_TXATTRCREATE, "dnqd", 4U, big, (size_t)256, 1ULL, 0), -ENAMETOOLONG);
	/* Linux removes so. */
	CHECK_EQ(set_xattr(&c, 1, "user.one", "", XATTR_REPLACE), 0);
	CHECK_EQ(getxattr(scratch("f"), "user.one", value, sizeof(value)), -1);
	CHECK_EQ(set_xattr(&c, 1, "user.one", "", XATTR_REPLACE), -ENODATA);
	p9c_free(&c);
}

/* What fids hold of values is bounded: 300 of 64 KiB are too many. */
TEST(extended_attributes_do_not_fill_memory)
{
	struct p9_client c;
	int ret = 0;
	u32 i;

	start(&c);
	for (i = 1; i < 300 && !ret; i++) {
		CHECK_EQ(p9c_walk(&c, 0, i, ""), 0);
		ret = p9c_call(&c, P9_TXATTRCREATE, "dsqd", i, "user.x", 65536ULL, 0);
	}
	CHECK_EQ(ret, -ENOMEM);
	CHECK_EQ(p9c_clunk(&c, 1), -EIO);
	CHECK_EQ(p9c_call(&c, P9_TXATTRCREATE, "dsqd", i - 1, "user.x", 65536ULL, 0), 0);
	p9c_free(&c);
}

static int lock9(struct p9_client *c, u32 fid, u8 type, u64 start, u64 len, u32 pid)
{
	int ret = p9c_call(c, P9_TLOCK, "dbdqqds", fid, type, 1U, start, len, pid, "guest");

	return ret ? ret : (int)p9c_get(c, 1);
}

TEST(locks)
{
	struct flock host = { .l_type = F_WRLCK };
	struct p9_client c;
	int fd;

	scratch_file("f", "0123456789");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 0, 10), -EBADF);
	CHECK_EQ(lopen(&c, 1, O_RDWR), 0);
	CHECK_EQ(p9c_walk(&c, 0, 2, "f"), 0);
	CHECK_EQ(lopen(&c, 2, O_RDONLY), 0);
	/* Between processes of the guest. */
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 5, 10), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 4, 1, 20), P9_LOCK_BLOCKED);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 5, 1, 20), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 0, 5, 10), P9_LOCK_SUCCESS);	/* its own: weaker */
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 4, 1, 20), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 3, 10), P9_LOCK_SUCCESS);
	/* A child with the same fid lets go of nothing that is its parent's. */
	CHECK_EQ(lock9(&c, 1, P9_LOCK_UNLCK, 0, 0, 11), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 0, 1, 20), P9_LOCK_BLOCKED);
	/* Who is in the way? */
	CHECK_EQ(p9c_call(&c, P9_TGETLOCK, "dbqqds", 2U, P9_LOCK_RDLCK, 0ULL, 0ULL, 20U, "guest"), 0);
	CHECK_EQ(p9c_get(&c, 1), P9_LOCK_WRLCK);
	CHECK_EQ(p9c_get(&c, 8), 0);
	CHECK_EQ(p9c_get(&c, 8), 3);
	CHECK_EQ(p9c_get(&c, 4), 10);
	CHECK_EQ(p9c_get(&c, 2), 5);
	CHECK_EQ(p9c_call(&c, P9_TGETLOCK, "dbqqds", 2U, P9_LOCK_RDLCK, 100ULL, 0ULL, 20U, "guest"), 0);
	CHECK_EQ(p9c_get(&c, 1), P9_LOCK_UNLCK);
	/* The host sees them. */
	fd = open(scratch("f"), O_RDWR);
	host.l_len = 1;
	CHECK_EQ(fcntl(fd, F_OFD_SETLK, &host), -1);
	host.l_start = 8;
	host.l_len = 2;
	CHECK_EQ(fcntl(fd, F_OFD_SETLK, &host), 0);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 8, 0, 10), P9_LOCK_BLOCKED);
	close(fd);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 8, 0, 10), P9_LOCK_SUCCESS);
	/* Those of flock(2) are of all of a file. */
	CHECK_EQ(lock9(&c, 1, P9_LOCK_UNLCK, 0, 0, 10), P9_LOCK_SUCCESS);
	fd = open(scratch("f"), O_RDWR);
	CHECK(!flock(fd, LOCK_SH));
	CHECK_EQ(lock9(&c, 1, P9_LOCK_RDLCK, 0, 2, 10), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 0, 10), P9_LOCK_BLOCKED);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_WRLCK, 0, 1, 20), P9_LOCK_BLOCKED);	/* the old one is still there */
	CHECK_EQ(lock9(&c, 1, P9_LOCK_RDLCK, 0, 0, 10), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 0, 10), P9_LOCK_BLOCKED);
	CHECK(flock(fd, LOCK_EX | LOCK_NB));
	close(fd);
	fd = open(scratch("f"), O_RDWR);
	CHECK(flock(fd, LOCK_EX | LOCK_NB));
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 0, 10), P9_LOCK_BLOCKED);	/* by 20, elsewhere */
	CHECK_EQ(lock9(&c, 2, P9_LOCK_UNLCK, 0, 0, 20), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 0, 0, 10), P9_LOCK_SUCCESS);
	CHECK(flock(fd, LOCK_SH | LOCK_NB));
	CHECK_EQ(lock9(&c, 1, P9_LOCK_UNLCK, 0, 0, 10), P9_LOCK_SUCCESS);
	CHECK(!flock(fd, LOCK_EX | LOCK_NB));
	close(fd);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_WRLCK, 8, 0, 10), P9_LOCK_SUCCESS);
	/* They go with the fid by which they came. */
	CHECK_EQ(lock9(&c, 2, P9_LOCK_UNLCK, 0, 0, 20), P9_LOCK_SUCCESS);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 8, 1, 20), P9_LOCK_BLOCKED);
	CHECK_EQ(p9c_clunk(&c, 1), 0);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 0, 0, 20), P9_LOCK_SUCCESS);
	/* Nonsense. */
	CHECK_EQ(lock9(&c, 2, 3, 0, 0, 20), -EINVAL);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, ~0ULL, 0, 20), -EOVERFLOW);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, 5, ~0ULL, 20), -EOVERFLOW);
	CHECK_EQ(lock9(&c, 2, P9_LOCK_RDLCK, INT64_MAX, INT64_MAX, 20), -EOVERFLOW);
	p9c_free(&c);
}

TEST(read_only)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct p9_client c;
	struct stat st;
	u32 i;

	scratch_file("f", "hello");
	CHECK(!mkdir(scratch("d"), 0755));
	CHECK(!utimensat(AT_FDCWD, scratch("f"), old, 0));
	p9c_start(&c, scratch_dir(), true, MSIZE);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	CHECK_EQ(p9c_walk(&c, 0, 2, "d"), 0);
	CHECK_EQ(p9c_walk(&c, 0, 3, ""), 0);
	CHECK_EQ(lopen(&c, 1, O_WRONLY), -EROFS);
	CHECK_EQ(lopen(&c, 1, O_RDWR), -EROFS);
	CHECK_EQ(lopen(&c, 1, O_RDONLY | P9_O_TRUNC), -EROFS);
	CHECK_EQ(lcreate(&c, 3, "new", O_RDONLY, 0600), -EROFS);
	CHECK_EQ(lcreate(&c, 3, "f", O_WRONLY, 0600), -EROFS);
	CHECK_EQ(lcreate(&c, 3, "f", O_RDONLY | P9_O_TRUNC, 0600), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TSYMLINK, "dssd", 0, "l", "t", GID), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TMKNOD, "dsdddd", 0, "n", S_IFIFO | 0666U, 0, 0, GID), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TMKDIR, "dsdd", 0, "m", 0755U, GID), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TRENAME, "dds", 1U, 0, "g"), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "f", 0, "g"), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TLINK, "dds", 0, 1U, "g"), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TUNLINKAT, "dsd", 0, "f", 0), -EROFS);
	CHECK_EQ(p9c_call(&c, P9_TREMOVE, "d", 2U), -EROFS);
	for (i = 1; i <= P9_SETATTR_ALL; i <<= 1)
		if (i != P9_SETATTR_CTIME)
			CHECK_EQ(setattr9(&c, 1, i, 0600, geteuid(), GID, 0, 0, 0), -EROFS);
	CHECK_EQ(set_xattr(&c, 1, "user.x", "v", 0), -EROFS);
	CHECK_EQ(set_xattr(&c, 1, "user.x", "", XATTR_REPLACE), -EROFS);
	/* Reading works, locks too, and leaves no trace. */
	CHECK_EQ(lopen(&c, 1, O_RDONLY), 0);
	CHECK_EQ(pread9(&c, 1, 0, 10), 0);
	CHECK_EQ(p9c_get(&c, 4), 5);
	CHECK_EQ(pwrite9(&c, 1, 0, "x"), -EBADF);
	CHECK_EQ(lock9(&c, 1, P9_LOCK_RDLCK, 0, 0, 1), P9_LOCK_SUCCESS);
	CHECK_EQ(lcreate(&c, 3, "f", O_RDONLY, 0600), 0);
	CHECK_EQ(p9c_call(&c, P9_TSTATFS, "d", 0), 0);
	CHECK(!stat(scratch("f"), &st));
	CHECK_EQ(st.st_atime, 1000);
	CHECK_EQ(st.st_mtime, 2000);
	CHECK_EQ(st.st_size, 5);
	check_content("f", "hello");
	p9c_free(&c);
}

TEST(statfs)
{
	struct p9_client c;
	struct statfs st;

	start(&c);
	CHECK_EQ(p9c_call(&c, P9_TSTATFS, "d", 0), 0);
	CHECK(!statfs(scratch_dir(), &st));
	CHECK_EQ(p9c_get(&c, 4), (u32)st.f_type);
	CHECK_EQ(p9c_get(&c, 4), st.f_bsize);
	CHECK_EQ(p9c_get(&c, 8), st.f_blocks);
	p9c_bytes(&c, 40);
	CHECK_EQ(p9c_get(&c, 4), st.f_namelen);
	CHECK_EQ(c.at, c.len);
	p9c_free(&c);
}

/* Two file systems with the same inode numbers are two sets of files. */
TEST(numbers_are_unique_across_mounts)
{
	struct p9_client c;
	u64 a, b, root;

	CHECK(!mkdir(scratch("a"), 0755) && !mkdir(scratch("b"), 0755));
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("a", scratch("a"), "tmpfs", 0, "size=64k") ||
	    mount("b", scratch("b"), "tmpfs", 0, "size=64k"))
		SKIP("may not mount: %s", strerror(errno));
	scratch_file("a/f", "");
	scratch_file("b/f", "");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "a/f"), 0);
	p9c_bytes(&c, P9_QID);
	a = p9c_qid(&c).path;
	CHECK_EQ(p9c_walk(&c, 0, 2, "b/f"), 0);
	p9c_bytes(&c, P9_QID);
	b = p9c_qid(&c).path;
	CHECK_EQ(a & 0xffffffffffff, b & 0xffffffffffff);
	CHECK(a != b);
	/* Up from the root of a mount. */
	CHECK_EQ(p9c_walk(&c, 0, 3, "."), 0);
	root = p9c_qid(&c).path;
	CHECK_EQ(p9c_walk(&c, 0, 4, "a/.."), 0);
	p9c_bytes(&c, P9_QID);
	CHECK_EQ(p9c_qid(&c).path, root);
	CHECK_EQ(p9c_call(&c, P9_TRENAMEAT, "dsds", 0, "a", 0, "c"), -EBUSY);
	p9c_free(&c);
	umount(scratch("a"));
	umount(scratch("b"));
}

TEST(made_up_files_are_not_to_be_cached)
{
	struct p9_client c;

	p9c_start(&c, "/proc", true, MSIZE);
	CHECK_EQ(p9c_walk(&c, 0, 1, "version"), 0);
	CHECK_EQ(p9c_qid(&c).version, 0);
	CHECK_EQ(lopen(&c, 1, 0), 0);
	CHECK_EQ(pread9(&c, 1, 0, 5), 0);
	CHECK_EQ(p9c_get(&c, 4), 5);
	CHECK_MEM(p9c_bytes(&c, 5), "Linux", 5);
	/* Magic links are links: they lead nowhere. */
	CHECK_EQ(p9c_walk(&c, 0, 2, "self/root/etc"), -ENOENT);
	CHECK_EQ(p9c_walk(&c, 0, 2, "1/root/etc"), -ENOENT);
	p9c_free(&c);
}

/* Half of the files that may be open, and then an error that the guest can see. */
TEST(files_run_out)
{
	struct rlimit lim = { 64, 64 };
	struct p9_client c;
	u32 i, n = 0;
	int ret = 0;

	scratch_file("f", "");
	drop_root();
	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	start(&c);
	for (i = 1; i < 64 && !ret; i++, n += !ret)
		ret = p9c_walk(&c, 0, i, "f");
	CHECK_EQ(ret, -EMFILE);
	CHECK_EQ(n, 31);
	CHECK_EQ(lopen(&c, 1, O_RDONLY), -EMFILE);
	CHECK_EQ(p9c_walk(&c, 1, 99, ""), 0);	/* shares what it clones */
	/* A few are for lookups alone. */
	for (i = 2; i < 6; i++) {
		CHECK_EQ(p9c_clunk(&c, i), 0);
		CHECK_EQ(lopen(&c, 1, O_RDONLY), -EMFILE);
	}
	CHECK_EQ(p9c_clunk(&c, 6), 0);
	CHECK_EQ(lopen(&c, 1, O_RDONLY), 0);
	for (i = 2; i < 6; i++)
		CHECK_EQ(p9c_walk(&c, 0, i, "f"), 0);
	CHECK_EQ(p9c_walk(&c, 0, 100, "f"), -EMFILE);
	p9c_free(&c);
}

/* A call on a thread of its own. */
struct call {
	struct p9_client c;
	pthread_t thread;
	int ret;
};

static void *call_open(void *arg)
{
	struct call *call = arg;

	call->ret = lopen(&call->c, 1, O_RDWR);
	return NULL;
}

/*
 * Files with a lease, held by another process: to open one waits until the holder
 * gives way, which it never does. Returns when the call waits.
 */
static pid_t holder;

static void block(struct p9_client *c, struct call *call)
{
	int fds[2];
	char byte;

	CHECK(!pipe(fds));
	holder = fork();
	if (!holder) {
		int fd = open(scratch("f"), O_RDONLY);
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGIO);
		sigprocmask(SIG_BLOCK, &set, NULL);
		byte = !fcntl(fd, F_SETLEASE, F_RDLCK) ? 'y' : 'n';
		if (write(fds[1], &byte, 1) == 1)
			sigwaitinfo(&set, NULL);
		if (write(fds[1], "!", 1) == 1)
			pause();
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	if (byte != 'y') {
		kill(holder, SIGKILL);
		SKIP("no leases in /tmp");
	}
	p9c_share(&call->c, c, 7);
	CHECK(!pthread_create(&call->thread, NULL, call_open, call));
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	CHECK_EQ(byte, '!');
	close(fds[0]);
	close(fds[1]);
}

static void unblock(struct call *call)
{
	pthread_join(call->thread, NULL);
	p9c_free_shared(&call->c);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

TEST(flush_interrupts)
{
	struct p9_client c;
	struct call call;

	scratch_file("f", "x");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	block(&c, &call);
	/* It stalls nobody else. */
	CHECK_EQ(p9c_walk(&c, 0, 2, "f"), 0);
	/* Tags that nobody has; the one that waits. */
	CHECK_EQ(p9c_call(&c, P9_TFLUSH, "w", 99), 0);
	CHECK_EQ(p9c_call(&c, P9_TFLUSH, "w", 0), 0);
	CHECK_EQ(p9c_call(&c, P9_TFLUSH, "w", 7), 0);
	unblock(&call);
	CHECK_EQ(call.ret, 1);
	CHECK_EQ(lopen(&c, 1, O_RDONLY), 0);
	p9c_free(&c);
}

static void *call_flush(void *arg)
{
	struct call *call = arg;

	call->ret = p9c_call(&call->c, P9_TFLUSH, "w", 55);
	return NULL;
}

/* The client may use the number again: what a flushed message made is unmade. */
TEST(flush_takes_a_new_fid_back)
{
	struct p9_client c;
	struct p9_fid *root, *fid;
	struct p9_req *req;
	struct call call;
	bool flushed;

	start(&c);
	req = p9_req_begin(c.p9, 55);
	CHECK_EQ(p9_fid_get(req, 0, &root), 0);
	fid = p9_fid_new(root->attach, root->file_node);
	CHECK_EQ(p9_fid_add(req, 3, NULL, fid), 0);
	p9c_share(&call.c, &c, 8);
	CHECK(!pthread_create(&call.thread, NULL, call_flush, &call));
	for (flushed = false; !flushed; sched_yield()) {
		pthread_mutex_lock(&c.p9->share.lock);
		flushed = req->req.cancelled;
		pthread_mutex_unlock(&c.p9->share.lock);
	}
	CHECK_EQ(getattr9(&c, 3, &(struct attr){ 0 }), 0);
	CHECK(p9_req_answer(req));
	p9_delivered(req);
	pthread_join(call.thread, NULL);
	CHECK_EQ(call.ret, 0);
	CHECK_EQ(getattr9(&c, 3, &(struct attr){ 0 }), -EBADF);
	CHECK_EQ(p9c_walk(&c, 0, 3, ""), 0);
	/* One that nobody flushed keeps it. */
	req = p9_req_begin(c.p9, 55);
	CHECK_EQ(p9_fid_get(req, 0, &root), 0);
	CHECK_EQ(p9_fid_add(req, 4, NULL, p9_fid_new(root->attach, root->file_node)), 0);
	CHECK(!p9_req_answer(req));
	p9_delivered(req);
	CHECK_EQ(p9c_clunk(&c, 4), 0);
	p9c_free_shared(&call.c);
	p9c_free(&c);
}

TEST(interrupt_ends_what_blocks)
{
	struct p9_client c;
	struct timespec t;
	struct call call;

	scratch_file("f", "x");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	block(&c, &call);
	/* Not in one go: a thread that always has a signal to handle does nothing else. */
	do {
		p9_interrupt(c.p9);
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += (t.tv_nsec + 5000000) / 1000000000;
		t.tv_nsec = (t.tv_nsec + 5000000) % 1000000000;
	} while (pthread_timedjoin_np(call.thread, NULL, &t));
	CHECK_EQ(call.ret, -EINTR);
	p9c_free_shared(&call.c);
	kill(holder, SIGKILL);
	p9c_free(&c);
}

TEST(a_new_version_aborts_what_blocks)
{
	struct p9_client c;
	struct call call;

	scratch_file("f", "x");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	block(&c, &call);
	CHECK_EQ(p9c_call(&c, P9_TVERSION, "ds", 8192U, "9P2000.L"), 0);
	unblock(&call);
	CHECK_EQ(call.ret, 1);
	CHECK_EQ(attach(&c, 0, "", 0), 0);
	p9c_free(&c);
}

/* A clunk while the fid is in use takes its number, not its file. */
TEST(clunk_defers)
{
	struct p9_client c;
	struct call call;

	scratch_file("f", "x");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "f"), 0);
	block(&c, &call);
	CHECK_EQ(p9c_clunk(&c, 1), 0);
	CHECK_EQ(p9c_clunk(&c, 1), -EBADF);
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	kill(holder, SIGKILL);		/* its lease ends with it */
	pthread_join(call.thread, NULL);
	CHECK_EQ(call.ret, 0);
	p9c_free_shared(&call.c);
	p9c_free(&c);
}

/* State: saved, loaded into a server that was made anew, and the fids go on. */

static u8 *session_save(struct p9_client *c, size_t *len)
{
	const void *data;
	struct state *s;
	u8 *saved;

	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(p9_state(c->p9, s, "test"), 0);
	CHECK_EQ(state_written(s, &data, len), 0);
	saved = malloc(*len);
	memcpy(saved, data, *len);
	state_free(s);
	return saved;
}

static int session_load(struct p9_client *c, const u8 *saved, size_t len)
{
	struct state *s;
	int ret;

	p9c_init(c, scratch_dir(), false);
	ret = state_read(&s, saved, len);
	if (ret)
		return ret;
	p9_state(c->p9, s, "test");
	ret = state_finish(s);
	state_free(s);
	return ret;
}

TEST(a_session_goes_on)
{
	struct p9_client c;
	struct attr before, after;
	size_t len;
	u8 *saved;

	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/f", "hello");
	scratch_file("gone", "soon");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 1, "d"), 0);
	CHECK_EQ(p9c_walk(&c, 0, 2, "d/f"), 0);
	CHECK_EQ(getattr9(&c, 2, &before), 0);
	CHECK_EQ(lopen(&c, 2, O_RDWR), 0);
	CHECK_EQ(p9c_walk(&c, 0, 3, "gone"), 0);
	CHECK_EQ(attach(&c, 7, "/d", getuid()), 0);
	saved = session_save(&c, &len);
	p9c_free(&c);
	CHECK(!unlink(scratch("gone")));
	scratch_file("gone", "another");

	log_set_level(LOG_ERROR);
	CHECK_EQ(session_load(&c, saved, len), 0);
	CHECK_EQ(pread9(&c, 2, 0, 100), 0);
	CHECK_EQ(p9c_get(&c, 4), 5);
	CHECK_MEM(p9c_bytes(&c, 5), "hello", 5);
	CHECK_EQ(pwrite9(&c, 2, 5, "!"), 0);
	CHECK_EQ(getattr9(&c, 2, &after), 0);
	CHECK_EQ(after.qid.path, before.qid.path);
	CHECK_EQ(after.size, 6);
	CHECK_EQ(p9c_walk(&c, 1, 4, "f"), 0);
	CHECK_EQ(p9c_walk(&c, 7, 5, "f"), 0);
	CHECK_EQ(p9c_clunk(&c, 3), -EBADF);
	CHECK_EQ(p9c_clunk(&c, 7), 0);
	CHECK_EQ(p9c_clunk(&c, 2), 0);
	p9c_free(&c);
	free(saved);
}

TEST(a_session_of_any_kind)
{
	struct p9_client c;
	unsigned int i, loaded = 0;
	struct attr a;
	size_t len;
	u8 *saved;

	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/f", "hello");
	start(&c);
	CHECK_EQ(p9c_walk(&c, 0, 2, "d/f"), 0);
	CHECK_EQ(lopen(&c, 2, O_RDWR), 0);
	saved = session_save(&c, &len);
	p9c_free(&c);
	log_set_level(LOG_ERROR - 1);
	for (i = 0; i < 8 * len; i += 3) {
		saved[i / 8] ^= 1 << i % 8;
		if (!session_load(&c, saved, len)) {
			loaded++;
			getattr9(&c, 2, &a);
		}
		p9c_free(&c);
		saved[i / 8] ^= 1 << i % 8;
	}
	printf("# %u were loaded\n", loaded);
	free(saved);
}
