// SPDX-License-Identifier: GPL-2.0
// with: tests/lib/lies.o
/*
 * Fuzz the FUSE server with a session of requests, most of them well-formed: an
 * input byte chooses the request, others the values of its fields, from such as
 * mean something, nodes and open files that the server has given out among them.
 * What stands beside the shared directory has to stay as it is. Not as root: the
 * requests do what they say.
 *
 * The end of an input, read backwards, says where the host lies: see lies.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/fuse.h>

#include "lies.h"
#include "scratch.h"

#define BUF	(16 << 10)
#define KNOWN	8

/*
 * d q: integers of 4 and 8 bytes, i n: a node, h: an open file, s: a string, x: the
 * name of an attribute, m: some data, M: data and their length at -1, z: 4 zero bytes
 */
static const struct { u8 op; const char *fmt; } ops[] = {
	{ FUSE_LOOKUP, "s" }, { FUSE_LOOKUP, "s" }, { FUSE_LOOKUP, "s" }, { FUSE_FORGET, "q" },
	{ FUSE_GETATTR, "dzh" }, { FUSE_SETATTR, "dzhqqqqqddddzddz" }, { FUSE_READLINK, "" },
	{ FUSE_SYMLINK, "ss" }, { FUSE_MKNOD, "dddzs" }, { FUSE_MKDIR, "dds" },
	{ FUSE_UNLINK, "s" }, { FUSE_RMDIR, "s" }, { FUSE_RENAME, "nss" }, { FUSE_LINK, "ns" },
	{ FUSE_OPEN, "dd" }, { FUSE_OPEN, "dd" }, { FUSE_READ, "hqddqdz" },
	{ FUSE_WRITE, "hqDdqdzm" }, { FUSE_STATFS, "" }, { FUSE_RELEASE, "hddq" },
	{ FUSE_FSYNC, "hdz" }, { FUSE_SETXATTR, "Dddzxm" }, { FUSE_GETXATTR, "dzx" },
	{ FUSE_LISTXATTR, "dz" }, { FUSE_REMOVEXATTR, "x" }, { FUSE_FLUSH, "hzzq" },
	{ FUSE_INIT, "dddddm" }, { FUSE_OPENDIR, "dd" }, { FUSE_READDIR, "hqddqdz" },
	{ FUSE_READDIRPLUS, "hqddqdz" }, { FUSE_RELEASEDIR, "hddq" }, { FUSE_FSYNCDIR, "hdz" },
	{ FUSE_GETLK, "hqqqddd" }, { FUSE_SETLK, "hqqqddd" }, { FUSE_CREATE, "ddddss" },
	{ FUSE_CREATE, "ddddss" }, { FUSE_INTERRUPT, "q" }, { FUSE_DESTROY, "" },
	{ FUSE_IOCTL, "hdcqddm" }, { FUSE_BATCH_FORGET, "dzqqqq" }, { FUSE_FALLOCATE, "hqqdz" },
	{ FUSE_RENAME2, "ndzss" }, { FUSE_LSEEK, "hqdz" }, { FUSE_COPY_FILE_RANGE, "hqnhqqq" },
	{ FUSE_TMPFILE, "dddds" }, { 52, "dzhdd" }, { FUSE_ACCESS, "dz" }, { 60, "m" },
};

static const char *const names[] = {
	"a", "b", "dir", "sub", "file", "link", "up", "abs", "fifo", "..", ".", "", "a/b",
	"../secret", "/etc/passwd", "share",
};
static const char *const xattrs[] = {
	"", "user.a", "user.b", "trusted.x", "security.capability", "system.posix_acl_access",
};
static const u32 ints[] = {
	0, 1, 2, 3, 4, 0x41, 0x42, 0x242, 0x400, 0100644, 040755, 010666, 0x1ff, 0x3fff, 4096,
	65536, 0x7fffffff, ~0U,
};
static const u64 longs[] = {
	0, 1, 5, 4095, 65536, 65537, 1ULL << 31, 1ULL << 32, 1ULL << 62, 1ULL << 63, ~0ULL,
};
static const u32 ioctls[] = { 0x80086601, 0x40086602, 0x801c581f, 0x401c5820, 0x5401 };

static const char *top;
static char share[128], secret[128];
static struct fuse *fuse, *kinds[2];	/* what may be changed; what nothing changes in */
static u64 nodes[KNOWN], files[KNOWN];
static unsigned int nnodes, nfiles;

struct input {
	const u8 *p;
	size_t left;
};

static u8 next(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static u64 number(struct input *in, unsigned int bytes)
{
	u64 v = 0;

	while (bytes--)
		v = v << 8 | next(in);
	return v;
}

static const char *choose(struct input *in, const char *const *list, size_t n, char buf[256])
{
	u8 c = next(in);
	size_t len, i;

	if (c < 224)
		return list[c % n];
	len = c == 255 ? 255 : c - 224;
	for (i = 0; i < len; i++)
		buf[i] = next(in) | 1;
	buf[len] = '\0';
	return buf;
}

#define CHOOSE(list)	choose(in, list, sizeof(list) / sizeof(list[0]), buf)
#define PICK(list, c)	list[(c) % (sizeof(list) / sizeof(list[0]))]

struct output {
	u8 *p;
	size_t len;
};

static void put(struct output *out, const void *src, size_t len)
{
	if (out->len + len <= BUF) {
		memcpy(out->p + out->len, src, len);
		out->len += len;
	}
}

static void put_u32(struct output *out, u32 v)
{
	put(out, &v, sizeof(v));
}

static void put_u64(struct output *out, u64 v)
{
	put(out, &v, sizeof(v));
}

static u64 known(struct input *in, const u64 *list, unsigned int n)
{
	u8 c = next(in);

	return c < 8 ? number(in, 8) : n ? list[c % (n < KNOWN ? n : KNOWN)] : c;
}

static size_t request(struct input *in, u8 *t)
{
	struct fuse_in_header head = { .unique = 1, .uid = geteuid(), .gid = getegid() };
	struct output out = { t, sizeof(head) };
	size_t length_at = 0;
	u8 sel = next(in), c;
	const char *f, *s;
	char buf[256];
	u16 n;

	if (sel >= 250) {	/* anything */
		n = next(in);
		for (out.len = 0; out.len < n; out.len++)
			t[out.len] = next(in);
		return n;
	}
	sel %= sizeof(ops) / sizeof(ops[0]);
	head.opcode = ops[sel].op;
	head.nodeid = known(in, nodes, nnodes);
	for (f = ops[sel].fmt; *f; f++) {
		switch (*f) {
		case 'z':
			put_u32(&out, 0);
			break;
		case 'd':
		case 'D':
			c = next(in);
			length_at = *f == 'D' ? out.len : length_at;
			put_u32(&out, c < 200 ? PICK(ints, c) : number(in, 4));
			break;
		case 'c':
			put_u32(&out, PICK(ioctls, next(in)));
			break;
		case 'q':
			c = next(in);
			put_u64(&out, c < 200 ? PICK(longs, c) : number(in, 8));
			break;
		case 'n':
			put_u64(&out, known(in, nodes, nnodes));
			break;
		case 'h':
			/* 0: what has not been opened */
			put_u64(&out, nfiles ? known(in, files, nfiles) : next(in) % 4);
			break;
		case 's':
			s = CHOOSE(names);
			put(&out, s, strlen(s) + 1);
			break;
		case 'x':
			s = CHOOSE(xattrs);
			put(&out, s, strlen(s) + 1);
			break;
		case 'm':
			n = next(in) * 4;
			if (length_at && next(in) < 240)
				memcpy(t + length_at, (u32[]){ n }, 4);
			while (n--)
				put(&out, (u8[]){ next(in) }, 1);
			break;
		}
	}
	/* Cut short now and then. */
	c = next(in);
	if (c >= 250 && out.len > sizeof(head))
		out.len -= c % (out.len - sizeof(head));
	head.len = out.len;
	memcpy(t, &head, sizeof(head));
	return out.len;
}

static int fuzz_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type == FTW_DNR)
		chmod(path, 0700);
	if (ftw->level)
		remove(path);
	return 0;
}

/* What cannot be read is made so first, and goes in another round. */
static void fuzz_empty(const char *dir)
{
	struct stat st;
	int i;

	for (i = 0; i < 20; i++) {
		chmod(dir, 0700);
		nftw(dir, fuzz_remove, 32, FTW_DEPTH | FTW_PHYS);
		if (!stat(dir, &st) && st.st_nlink == 2)
			break;
	}
}

static void fuzz_tree(void)
{
	int fd, dir;

	fuzz_empty(share);
	dir = open(share, O_RDONLY | O_DIRECTORY);
	mkdirat(dir, "dir", 0755);
	mkdirat(dir, "dir/sub", 0755);
	symlinkat("..", dir, "up");
	symlinkat("/", dir, "abs");
	symlinkat("file", dir, "link");
	mkfifoat(dir, "fifo", 0666);
	fd = openat(dir, "file", O_CREAT | O_WRONLY, 0666);
	if (write(fd, "content", 7) != 7)
		abort();
	close(fd);
	close(dir);
}

static void fuzz_init(void)
{
	const struct rlimit size = { 1 << 20, 1 << 20 };
	struct fuse_options opts = { .locks = true };
	struct fuse_options quiet = { .readonly = true, .cache = FUSE_CACHE_ALWAYS };

	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 0);	/* where fsync() costs nothing */
	scratch_file("secret", "secret");
	top = scratch_dir();
	snprintf(share, sizeof(share), "%s", scratch("share"));
	snprintf(secret, sizeof(secret), "%s", scratch("secret"));
	if (!geteuid() && (chown(top, 65534, 65534) || chown(secret, 65534, 65534) ||
			   setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
			   setresuid(65534, 65534, 65534)))
		abort();
	setrlimit(RLIMIT_FSIZE, &size);
	signal(SIGXFSZ, SIG_IGN);
	opts.dir = quiet.dir = share;
	if (mkdir(share, 0700) || chmod(secret, 0600) || fuse_new(&kinds[0], &opts, NULL) ||
	    fuse_new(&kinds[1], &quiet, NULL))
		abort();
}

static void fuzz_check(void)
{
	struct stat st, dir;

	if (stat(secret, &st) || st.st_size != 6 || (st.st_mode & 07777) != 0600 ||
	    st.st_nlink != 1 || stat(top, &dir) || dir.st_nlink != 3)
		abort();
}

/* Remember what the reply gave out. */
static void learn(const u8 *t, const u8 *r, size_t len)
{
	const struct fuse_in_header *in = (const void *)t;
	const struct fuse_out_header *out = (const void *)r;
	const struct fuse_entry_out *e = (const void *)(out + 1);
	const struct fuse_open_out *o = (const void *)(out + 1);
	const struct fuse_direntplus *d;
	const u8 *p = (const void *)(out + 1);

	if (out->error)
		return;
	for (; in->opcode == FUSE_READDIRPLUS && p < r + len; p += FUSE_DIRENTPLUS_SIZE(d)) {
		d = (const void *)p;
		if (d->entry_out.nodeid)
			nodes[nnodes++ % KNOWN] = d->entry_out.nodeid;
	}
	if (in->opcode == FUSE_CREATE || in->opcode == FUSE_TMPFILE)
		o = (const void *)(e + 1);
	if (len >= sizeof(*out) + sizeof(*e) && in->opcode != FUSE_READDIRPLUS && e->nodeid)
		nodes[nnodes++ % KNOWN] = e->nodeid;
	if (in->opcode == FUSE_OPEN || in->opcode == FUSE_OPENDIR || in->opcode == FUSE_CREATE ||
	    in->opcode == FUSE_TMPFILE)
		files[nfiles++ % KNOWN] = o->fh;
}

static struct input truth;

static u8 lie(void)
{
	return truth.left ? truth.p[--truth.left] : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static const struct {
		struct fuse_in_header head;
		struct fuse_init_in in;
	} start = {
		.head = { .len = sizeof(start), .opcode = FUSE_INIT },
		.in = { .major = 7, .minor = 38, .flags = 0x7fffffff },
	};
	static u8 t[BUF] __attribute__((aligned(8))), r[BUF] __attribute__((aligned(8)));
	struct input in = { data, len };
	unsigned int n = 0;
	u8 sel;

	if (!kinds[0])
		fuzz_init();
	sel = next(&in);
	fuse = kinds[sel & 1];
	fuzz_tree();
	fuse_reset(fuse);
	truth = in;
	lies_by_bytes(sel & 2 ? lie : NULL);
	nodes[0] = FUSE_ROOT_ID;
	nnodes = 1;
	nfiles = 0;
	while (in.left || n < 1) {
		/* The replies in two pieces, of which the last is sometimes small. */
		size_t size = n == 0 ? sizeof(start) : request(&in, t);
		size_t room = n < 1 ? BUF : next(&in) < 16 ? next(&in) : BUF;
		struct iovec tv[2] = { { t, size / 2 }, { t + size / 2, size - size / 2 } };
		struct iovec rv[2] = { { r, room / 2 }, { r + room / 2, room - room / 2 } };
		struct iov_iter ti, ri;
		ssize_t ret;

		if (!n)
			memcpy(t, &start, sizeof(start));
		iov_iter_init(&ti, tv, 2);
		iov_iter_init(&ri, rv, 2);
		ret = fuse_serve(fuse, &ti, &ri);
		if (ret > (ssize_t)room || (ret < 0 && ret != -EPROTO))
			abort();
		if (ret > 0 && (ret < (ssize_t)sizeof(struct fuse_out_header) ||
				((struct fuse_out_header *)r)->len != ret))
			abort();
		if (ret > 0)
			learn(t, r, ret);
		n++;
	}
	lies_by_bytes(NULL);
	fuzz_check();
	return 0;
}
