// SPDX-License-Identifier: GPL-2.0
// with: tests/lib/lies.o
/*
 * Fuzz the 9P server with a session of messages, most of them well-formed: an
 * input byte chooses the message, others the values of its fields, from such as
 * mean something. What stands beside the shared directory has to stay as it is.
 * Not as root: the messages do what they say.
 *
 * The end of an input, read backwards, says where the host lies: see lies.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/p9.h>

#include "../../hw/fs/p9_wire.h"
#include "lies.h"
#include "lies.h"
#include "scratch.h"

#define REPLY	(16 << 10)

/* f: fid, b w d q: integers, s: string, n: nearly a name, l: a list of names, m: data */
static const struct { u8 type; const char *fmt; } msgs[] = {
	{ P9_TWALK, "ffl" }, { P9_TWALK, "ffl" }, { P9_TWALK, "ffl" }, { P9_TCLUNK, "f" },
	{ P9_TLOPEN, "fd" }, { P9_TLCREATE, "fnddd" }, { P9_TSYMLINK, "fnsd" },
	{ P9_TMKNOD, "fndddd" }, { P9_TRENAME, "ffn" }, { P9_TREADLINK, "f" },
	{ P9_TGETATTR, "fq" }, { P9_TSETATTR, "fddddqqqqq" }, { P9_TXATTRWALK, "ffx" },
	{ P9_TXATTRCREATE, "fxqd" }, { P9_TREADDIR, "fqd" }, { P9_TFSYNC, "fd" },
	{ P9_TLOCK, "fbdqqds" }, { P9_TGETLOCK, "fbqqds" }, { P9_TLINK, "ffn" },
	{ P9_TMKDIR, "fndd" }, { P9_TRENAMEAT, "fnfn" }, { P9_TUNLINKAT, "fnd" },
	{ P9_TATTACH, "ffssd" }, { P9_TAUTH, "fssd" }, { P9_TFLUSH, "w" },
	{ P9_TREAD, "fqd" }, { P9_TWRITE, "fqm" }, { P9_TREMOVE, "f" }, { P9_TSTATFS, "f" },
	{ P9_TVERSION, "dv" },
};

static const char *const names[] = {
	"a", "b", "dir", "sub", "file", "link", "up", "abs", "fifo", "..", ".", "", "a/b",
	"../secret", "/etc/passwd", "share",
};
static const char *const xattrs[] = { "", "user.a", "user.b", "trusted.x", "security.capability" };
static const u32 ints[] = {
	0, 1, 2, 3, 0x200, 0100644, 040755, 010666, 0x1ff, 0x3fff, 4096, 65536, 0x7fffffff, ~0U,
};
static const u64 longs[] = {
	0, 1, 5, 4095, 65536, 65537, 1ULL << 31, 1ULL << 32, 1ULL << 62, 1ULL << 63, ~0ULL,
};

static const char *top;
static char share[128], secret[128];
static struct p9 *p9;

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

static void put_string(struct p9_out *out, const char *s)
{
	p9_put_str(out, s, strlen(s));
}

#define CHOOSE(list)	choose(in, list, sizeof(list) / sizeof(list[0]), buf)

static size_t message(struct input *in, u8 *t, size_t size)
{
	struct p9_out out = { .p = t, .len = P9_HEADER, .size = size };
	u8 sel = next(in), c;
	struct p9_header head;
	const char *f;
	char buf[256];
	u16 n;

	if (sel >= 250) {	/* anything */
		n = next(in);
		for (out.len = 0; out.len < n; out.len++)
			t[out.len] = next(in);
		return n;
	}
	sel %= sizeof(msgs) / sizeof(msgs[0]);
	for (f = msgs[sel].fmt; *f; f++) {
		switch (*f) {
		case 'f':
			c = next(in);
			p9_put_u32(&out, c < 240 ? c % 6 : c < 250 ? P9_NOFID : number(in, 4));
			break;
		case 'b':
			p9_put_u8(&out, next(in) % 5);
			break;
		case 'w':
			p9_put_u16(&out, next(in));
			break;
		case 'd':
			c = next(in);
			p9_put_u32(&out, c < 200 ? ints[c % (sizeof(ints) / sizeof(ints[0]))] :
					 number(in, 4));
			break;
		case 'q':
			c = next(in);
			p9_put_u64(&out, c < 200 ? longs[c % (sizeof(longs) / sizeof(longs[0]))] :
					 number(in, 8));
			break;
		case 's':
		case 'n':
			put_string(&out, CHOOSE(names));
			break;
		case 'x':
			put_string(&out, CHOOSE(xattrs));
			break;
		case 'v':
			put_string(&out, next(in) < 200 ? "9P2000.L" : "9P2000");
			break;
		case 'l':
			n = next(in) % 18;
			p9_put_u16(&out, n);
			while (n--)
				put_string(&out, CHOOSE(names));
			break;
		case 'm':
			n = next(in) * 4;
			p9_put_u32(&out, n);
			while (n--)
				p9_put_u8(&out, next(in));
			break;
		}
	}
	/* Cut short now and then. */
	c = next(in);
	if (c >= 250 && out.len > P9_HEADER)
		out.len -= c % (out.len - P9_HEADER);
	head = (struct p9_header){ htole32(out.len), msgs[sel].type, htole16(1) };
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
	struct p9_options opts = { 0 };

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
	opts.dir = share;
	if (mkdir(share, 0700) || chmod(secret, 0600) || p9_new(&p9, &opts, NULL))
		abort();
}

static void fuzz_check(void)
{
	struct stat st, dir;

	if (stat(secret, &st) || st.st_size != 6 || (st.st_mode & 07777) != 0600 ||
	    st.st_nlink != 1 || stat(top, &dir) || dir.st_nlink != 3)
		abort();
}

static struct input truth;

static u8 lie(void)
{
	return truth.left ? truth.p[--truth.left] : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static const u8 start[] =
		"\x15\0\0\0\x64\1\0\0\x20\0\0\x08\0" "9P2000.L"
		"\x17\0\0\0\x68\1\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff";
	static u8 t[REPLY], r[REPLY];
	struct input in = { data, len };
	unsigned int n = 0;
	bool lying;

	if (!p9)
		fuzz_init();
	fuzz_tree();
	p9_reset(p9);
	truth = in;
	lying = next(&in) & 1;
	while (in.left || n < 2) {
		/* The replies in two pieces, of which the last is sometimes small. */
		size_t size = n == 0 ? 0x15 : n == 1 ? 0x17 : message(&in, t, sizeof(t));
		size_t room = n < 2 ? REPLY : next(&in) < 16 ? next(&in) : REPLY;
		struct iovec tv[2] = { { t, size / 2 }, { t + size / 2, size - size / 2 } };
		struct iovec rv[2] = { { r, room / 2 }, { r + room / 2, room - room / 2 } };
		struct iov_iter ti, ri;
		struct p9_req *req;
		ssize_t ret;

		if (n < 2)
			memcpy(t, start + (n ? 0x15 : 0), size);
		iov_iter_init(&ti, tv, 2);
		iov_iter_init(&ri, rv, 2);
		ret = p9_serve(p9, &ti, &ri, &req);
		p9_delivered(req);
		if (n == 1 && lying)
			lies_by_bytes(lie);
		if (ret > (ssize_t)room || (ret < 0 && ret != -EPROTO) ||
		    (n < 2 && r[4] == P9_RLERROR))
			abort();
		if (ret > 0 && (ret < (ssize_t)P9_HEADER || le32toh(((struct p9_header *)r)->size) != ret))
			abort();
		n++;
	}
	lies_by_bytes(NULL);
	fuzz_check();
	return 0;
}
