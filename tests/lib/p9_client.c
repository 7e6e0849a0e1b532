// SPDX-License-Identifier: GPL-2.0
/* A 9P2000.L client that calls the server in its own process: see p9_client.h. */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "p9_client.h"
#include "tap.h"

void p9c_init(struct p9_client *c, const char *dir, bool readonly)
{
	struct p9_options opts = { .dir = dir, .readonly = readonly };
	const char *err = NULL;
	int ret;

	memset(c, 0, sizeof(*c));
	ret = p9_new(&c->p9, &opts, &err);
	if (ret)
		tap_fail(__FILE__, __LINE__, "p9_new %s: %s: %s", dir, err, strerror(-ret));
	c->room = P9C_ROOM;
	c->t = malloc(P9C_ROOM);
	c->r = malloc(P9C_ROOM);
}

void p9c_share(struct p9_client *c, const struct p9_client *other, u16 tag)
{
	*c = *other;
	c->tag = tag;
	c->t = malloc(P9C_ROOM);
	c->r = malloc(P9C_ROOM);
}

void p9c_start(struct p9_client *c, const char *dir, bool readonly, u32 msize)
{
	p9c_init(c, dir, readonly);
	CHECK_EQ(p9c_call(c, P9_TVERSION, "ds", msize, "9P2000.L"), 0);
	CHECK_EQ(p9c_call(c, P9_TATTACH, "ddssd", 0, P9_NOFID, "", "", P9_NONUNAME), 0);
}

void p9c_free_shared(struct p9_client *c)
{
	free(c->t);
	free(c->r);
}

void p9c_free(struct p9_client *c)
{
	p9_free(c->p9);
	p9c_free_shared(c);
}

int p9c_call(struct p9_client *c, u8 type, const char *fmt, ...)
{
	struct p9_out out = { .p = c->t, .len = P9_HEADER, .size = P9C_ROOM };
	struct iovec tv[2], rv[2];
	struct iov_iter t, r;
	struct p9_header head;
	const char *s;
	const void *p;
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		switch (*fmt) {
		case 'b':
			p9_put_u8(&out, va_arg(ap, int));
			break;
		case 'w':
			p9_put_u16(&out, va_arg(ap, int));
			break;
		case 'd':
			p9_put_u32(&out, va_arg(ap, u32));
			break;
		case 'q':
			p9_put_u64(&out, va_arg(ap, u64));
			break;
		case 's':
			s = va_arg(ap, const char *);
			p9_put_str(&out, s, strlen(s));
			break;
		case 'm':
		case 'n':
			p = va_arg(ap, const void *);
			len = va_arg(ap, size_t);
			if (*fmt == 'n')
				p9_put_u16(&out, len);
			p9_put(&out, p, len);
			break;
		default:
			abort();
		}
	}
	va_end(ap);
	CHECK_EQ(out.err, 0);
	head = (struct p9_header){ htole32(out.len), type, htole16(c->tag) };
	memcpy(c->t, &head, sizeof(head));

	/* In two pieces each, so that nothing relies on one. */
	tv[0] = (struct iovec){ c->t, 5 };
	tv[1] = (struct iovec){ c->t + 5, out.len - 5 };
	rv[0] = (struct iovec){ c->r, 9 };
	rv[1] = (struct iovec){ c->r + 9, c->room - 9 };
	iov_iter_init(&t, tv, 2);
	iov_iter_init(&r, rv, 2);
	memset(c->r, 0xee, c->room);
	c->at = sizeof(head);
	c->len = p9_serve(c->p9, &t, &r, &c->undelivered);
	if (!c->keep)
		p9_delivered(c->undelivered);
	if (c->len <= 0)
		return c->len ? (int)c->len : 1;
	CHECK_EQ(iov_iter_count(&r), c->room - c->len);
	memcpy(&head, c->r, sizeof(head));
	CHECK_EQ(le32toh(head.size), c->len);
	CHECK_EQ(le16toh(head.tag), c->tag);
	if (head.type == P9_RLERROR) {
		CHECK_EQ(c->len, P9_ERROR_SIZE);
		return -(int)p9c_get(c, 4);
	}
	CHECK_EQ(head.type, type + 1);
	return 0;
}

const u8 *p9c_bytes(struct p9_client *c, size_t len)
{
	const u8 *p = c->r + c->at;

	CHECK(c->at + len <= (size_t)c->len);
	c->at += len;
	return p;
}

u64 p9c_get(struct p9_client *c, unsigned int len)
{
	const u8 *p = p9c_bytes(c, len);
	u64 v = 0;

	while (len--)
		v = v << 8 | p[len];
	return v;
}

struct p9_qid p9c_qid(struct p9_client *c)
{
	struct p9_qid qid;

	qid.type = p9c_get(c, 1);
	qid.version = p9c_get(c, 4);
	qid.path = p9c_get(c, 8);
	return qid;
}

int p9c_walk(struct p9_client *c, u32 fid, u32 newfid, const char *path)
{
	u8 names[4096];
	struct p9_out out = { .p = names, .size = sizeof(names) };
	size_t len;
	u16 n = 0;
	int ret;

	for (; *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		p9_put_str(&out, path, len);
		n++;
	}
	ret = p9c_call(c, P9_TWALK, "ddwm", fid, newfid, n, names, out.len);
	if (ret)
		return ret;
	return p9c_get(c, 2) == n ? 0 : -ENOENT;
}

int p9c_clunk(struct p9_client *c, u32 fid)
{
	return p9c_call(c, P9_TCLUNK, "d", fid);
}
