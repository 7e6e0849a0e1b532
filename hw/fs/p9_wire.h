/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 9P2000.L on the wire: names for its numbers, and a decoder and an encoder
 * that remember the first error. Little-endian, strings with a 16-bit length
 * and no end. The protocol: diod's protocol.md and Plan 9's section 5.
 */
#ifndef HW_FS_P9_WIRE_H
#define HW_FS_P9_WIRE_H

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <kvm/types.h>

enum p9_type {			/* T-messages; the R-message is one more */
	P9_RLERROR	= 7,
	P9_TSTATFS	= 8,
	P9_TLOPEN	= 12,
	P9_TLCREATE	= 14,
	P9_TSYMLINK	= 16,
	P9_TMKNOD	= 18,
	P9_TRENAME	= 20,
	P9_TREADLINK	= 22,
	P9_TGETATTR	= 24,
	P9_TSETATTR	= 26,
	P9_TXATTRWALK	= 30,
	P9_TXATTRCREATE	= 32,
	P9_TREADDIR	= 40,
	P9_TFSYNC	= 50,
	P9_TLOCK	= 52,
	P9_TGETLOCK	= 54,
	P9_TLINK	= 70,
	P9_TMKDIR	= 72,
	P9_TRENAMEAT	= 74,
	P9_TUNLINKAT	= 76,
	P9_TVERSION	= 100,
	P9_TAUTH	= 102,
	P9_TATTACH	= 104,
	P9_TFLUSH	= 108,
	P9_TWALK	= 110,
	P9_TREAD	= 116,
	P9_TWRITE	= 118,
	P9_TCLUNK	= 120,
	P9_TREMOVE	= 122,
	P9_TYPES	= 128,
};

struct p9_header {
	__le32 size;		/* of the whole message */
	u8 type;
	__le16 tag;
} __attribute__((packed));

#define P9_HEADER	sizeof(struct p9_header)
#define P9_ERROR_SIZE	(P9_HEADER + 4)
#define P9_DATA_HEADER	(P9_HEADER + 4)	/* of Rread and Rreaddir, in front of the data */
#define P9_WRITE_HEADER	(P9_HEADER + 16)
#define P9_DIRENT	24		/* qid[13] offset[8] type[1] and a name's length[2] */
#define P9_QID		13
#define P9_WALK_MAX	16
#define P9_MSIZE_MIN	4096
#define P9_NOFID	(~0U)
#define P9_NONUNAME	(~0U)

#define P9_QTDIR	0x80
#define P9_QTSYMLINK	0x02
#define P9_QTFILE	0x00

#define P9_AT_REMOVEDIR	0x200

#define P9_GETATTR_BASIC 0x7ffULL
#define P9_GETATTR_BTIME 0x800ULL

#define P9_SETATTR_MODE		0x001
#define P9_SETATTR_UID		0x002
#define P9_SETATTR_GID		0x004
#define P9_SETATTR_SIZE		0x008
#define P9_SETATTR_ATIME	0x010
#define P9_SETATTR_MTIME	0x020
#define P9_SETATTR_CTIME	0x040
#define P9_SETATTR_ATIME_SET	0x080
#define P9_SETATTR_MTIME_SET	0x100
#define P9_SETATTR_ALL		0x1ff

enum p9_lock_type { P9_LOCK_RDLCK, P9_LOCK_WRLCK, P9_LOCK_UNLCK };
enum p9_lock_status { P9_LOCK_SUCCESS, P9_LOCK_BLOCKED, P9_LOCK_ERROR, P9_LOCK_GRACE };

/* Linux's open flags as x86 numbers them, whatever machine this is. */
#define P9_O_ACCMODE	00000003
#define P9_O_EXCL	00000200
#define P9_O_TRUNC	00001000
#define P9_O_APPEND	00002000
#define P9_O_NONBLOCK	00004000
#define P9_O_DSYNC	00010000
#define P9_O_DIRECTORY	00200000
#define P9_O_NOATIME	01000000
#define P9_O_SYNC	04000000

struct p9_qid {
	u8 type;
	u32 version;
	u64 path;
};

/* After the first error, which stays in err, everything that is read is 0. */
struct p9_in {
	const u8 *p;
	size_t left;
	int err;
};

static inline const u8 *p9_get(struct p9_in *in, size_t len)
{
	const u8 *p = in->p;

	if (len > in->left && !in->err)
		in->err = -EBADMSG;
	if (in->err)
		return NULL;
	in->p += len;
	in->left -= len;
	return p;
}

static inline u8 p9_get_u8(struct p9_in *in)
{
	const u8 *p = p9_get(in, 1);

	return p ? *p : 0;
}

static inline u16 p9_get_u16(struct p9_in *in)
{
	const u8 *p = p9_get(in, 2);
	__le16 v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline u32 p9_get_u32(struct p9_in *in)
{
	const u8 *p = p9_get(in, 4);
	__le32 v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline u64 p9_get_u64(struct p9_in *in)
{
	const u8 *p = p9_get(in, 8);
	__le64 v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* A string, terminated; -ENAMETOOLONG if it does not fit, -EINVAL with a NUL in it. */
static inline void p9_get_str(struct p9_in *in, char *buf, size_t size)
{
	u16 len = p9_get_u16(in);
	const u8 *p = p9_get(in, len);

	*buf = '\0';
	if (!p)
		return;
	if (len >= size) {
		in->err = -ENAMETOOLONG;
	} else if (memchr(p, '\0', len)) {
		in->err = -EINVAL;
	} else {
		memcpy(buf, p, len);
		buf[len] = '\0';
	}
}

/* Data that does not fit is left out, and err is set. */
struct p9_out {
	u8 *p;
	size_t len, size;
	int err;
};

static inline void p9_put(struct p9_out *out, const void *src, size_t len)
{
	if (len > out->size - out->len) {
		out->err = -EMSGSIZE;
		return;
	}
	memcpy(out->p + out->len, src, len);
	out->len += len;
}

static inline void p9_put_u8(struct p9_out *out, u8 v)
{
	p9_put(out, &v, sizeof(v));
}

static inline void p9_put_u16(struct p9_out *out, u16 v)
{
	__le16 le = htole16(v);

	p9_put(out, &le, sizeof(le));
}

static inline void p9_put_u32(struct p9_out *out, u32 v)
{
	__le32 le = htole32(v);

	p9_put(out, &le, sizeof(le));
}

static inline void p9_put_u64(struct p9_out *out, u64 v)
{
	__le64 le = htole64(v);

	p9_put(out, &le, sizeof(le));
}

static inline void p9_put_str(struct p9_out *out, const char *s, size_t len)
{
	p9_put_u16(out, len);
	p9_put(out, s, len);
}

static inline void p9_put_qid(struct p9_out *out, const struct p9_qid *qid)
{
	p9_put_u8(out, qid->type);
	p9_put_u32(out, qid->version);
	p9_put_u64(out, qid->path);
}

#endif
