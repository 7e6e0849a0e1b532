// SPDX-License-Identifier: GPL-2.0
/*
 * The format of a state: see kvm/state.h. A record is
 *
 *	le32 length, u8 length of the name, name, content
 *
 * and a section is a record of records. The first record is the version, the
 * second the kind. There is no order in a section: each name is looked for, so the
 * reader is as simple as the writer. Any thread, one at a time.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/state.h>

#define STATE_HEAD	5		/* bytes before the name */

struct state_section {
	const char *name;
	size_t start, end;		/* of its records; end: when reading */
	unsigned int known;		/* records that were read */
};

struct state {
	enum state_kind kind;
	bool reads;
	u8 *buf;			/* written: ours */
	const u8 *data;			/* read: the caller's */
	size_t len, size;
	struct state_section section[STATE_DEPTH];
	unsigned int depth;		/* of the current section, from 0 */
	int err;
};

const struct state_field state_none[] = { STATE_END };

static int state_error(struct state *s, int err, const char *fmt, va_list ap)
{
	char where[sizeof("state") + STATE_DEPTH * (STATE_NAME_MAX + 2)] = "state";
	unsigned int i;

	if (s->err)
		return s->err;
	s->err = err;
	for (i = 1; i <= s->depth; i++)
		snprintf(where + strlen(where), sizeof(where) - strlen(where), ": %s", s->section[i].name);
	log_prefixed(LOG_ERROR, where, 0, fmt, ap);
	return err;
}

int state_refuse(struct state *s, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = state_error(s, -EINVAL, fmt, ap);
	va_end(ap);
	return ret;
}

static int state_fail(struct state *s, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int state_fail(struct state *s, int err, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = state_error(s, err, fmt, ap);
	va_end(ap);
	return ret;
}

bool state_reads(const struct state *s)
{
	return s->reads;
}

enum state_kind state_kind(const struct state *s)
{
	return s->kind;
}

/* Writing */

static int state_put(struct state *s, const void *p, size_t len)
{
	if (s->err)
		return s->err;
	if (len > s->size - s->len) {
		size_t size = max(2 * s->size, s->len + len);
		u8 *grown = realloc(s->buf, size);

		if (!grown)
			return state_fail(s, -ENOMEM, "out of memory");
		s->buf = grown;
		s->size = size;
	}
	if (len)
		memcpy(s->buf + s->len, p, len);
	s->len += len;
	return 0;
}

/* @len may become more: see state_end(). */
static int state_put_head(struct state *s, const char *name, size_t len)
{
	u8 head[STATE_HEAD], n = strlen(name);
	__le32 le = (__le32)htole32(len);

	memcpy(head, &le, sizeof(le));
	head[4] = n;
	state_put(s, head, sizeof(head));
	return state_put(s, name, n);
}

/* Reading */

/* The record at *@pos, before @end; *@pos is then behind it. False: there is none, or no whole one. */
static bool state_record(const struct state *s, size_t *pos, size_t end, const u8 **name, u8 *name_len,
			 size_t *at, size_t *len)
{
	const u8 *p = s->data + *pos;
	size_t left = end - *pos;
	__le32 le;

	if (left < STATE_HEAD)
		return false;
	memcpy(&le, p, sizeof(le));
	*len = le32toh((u32)le);
	*name_len = p[4];
	*name = p + STATE_HEAD;
	left -= STATE_HEAD;
	if (*name_len > left || *len > left - *name_len)
		return false;
	*at = *pos + STATE_HEAD + *name_len;
	*pos = *at + *len;
	return true;
}

/* Find the content of the record @name in the current section. */
static int state_find(struct state *s, const char *name, size_t *at, size_t *len)
{
	struct state_section *section = &s->section[s->depth];
	size_t pos = section->start;
	const u8 *found;
	u8 n;

	while (!s->err && state_record(s, &pos, section->end, &found, &n, at, len)) {
		if (n != strlen(name) || memcmp(found, name, n))
			continue;
		section->known++;
		return 0;
	}
	return state_fail(s, -EINVAL, "there is no \"%s\"", name);
}

/* Nothing but what was asked for, up to the section's end. */
static int state_check_end(struct state *s)
{
	struct state_section *section = &s->section[s->depth];
	size_t pos = section->start, at, len;
	unsigned int nr = 0;
	const u8 *name;
	u8 n;

	while (state_record(s, &pos, section->end, &name, &n, &at, &len))
		nr++;
	if (pos != section->end)
		return state_fail(s, -EINVAL, "it is cut short");
	if (nr != section->known)
		return state_fail(s, -EINVAL, "it has %u values, %u are expected", nr, section->known);
	return 0;
}

/* Both */

int state_bytes(struct state *s, const char *name, void *p, size_t *len, size_t max)
{
	size_t at, n;

	if (s->err)
		return s->err;
	if (!s->reads) {
		state_put_head(s, name, *len);
		return state_put(s, p, *len);
	}
	if (state_find(s, name, &at, &n))
		return s->err;
	if (n > max)
		return state_fail(s, -EINVAL, "%s has %zu bytes, at most %zu are expected", name, n, max);
	if (n)
		memcpy(p, s->data + at, n);
	*len = n;
	return 0;
}

int state_value(struct state *s, const char *name, void *p, size_t len)
{
	size_t at, n;

	if (s->err)
		return s->err;
	if (!s->reads)
		return state_bytes(s, name, p, &len, len);
	if (state_find(s, name, &at, &n))
		return s->err;
	if (n != len)
		return state_fail(s, -EINVAL, "%s has %zu bytes, %zu are expected", name, n, len);
	if (len)
		memcpy(p, s->data + at, len);
	return 0;
}

int state_flag(struct state *s, const char *name, bool *flag)
{
	u8 byte = *flag;

	/* Any other byte is no bool, and must not become one. */
	if (!state_value(s, name, &byte, 1) && byte > 1)
		state_refuse(s, "%s is %u", name, byte);
	if (!s->err)
		*flag = byte;
	return s->err;
}

int state_fields(struct state *s, const struct state_field *fields, void *obj)
{
	const struct state_field *f;

	for (f = fields; f->name; f++) {
		void *p = (u8 *)obj + f->offset;

		if (s->kind == STATE_SLEEP && !(f->flags & STATE_F_KEPT))
			continue;
		if (f->flags & STATE_F_BOOL)
			state_flag(s, f->name, p);
		else
			state_value(s, f->name, p, f->size);
	}
	return s->err;
}

int state_begin(struct state *s, const char *name)
{
	struct state_section *section;
	size_t at = 0, len = 0;

	if (s->err)
		return s->err;
	if (s->depth + 1 == STATE_DEPTH)
		return state_fail(s, -EINVAL, "sections are too deep");
	if (s->reads ? state_find(s, name, &at, &len) : state_put_head(s, name, 0))
		return s->err;
	section = &s->section[++s->depth];
	*section = (struct state_section) {
		.name = name, .start = s->reads ? at : s->len, .end = at + len,
	};
	return 0;
}

int state_end(struct state *s)
{
	struct state_section *section = &s->section[s->depth];
	__le32 le;

	if (s->err)
		return s->err;
	if (s->reads) {
		state_check_end(s);
	} else {
		le = (__le32)htole32(s->len - section->start);
		memcpy(s->buf + section->start - strlen(section->name) - STATE_HEAD, &le, sizeof(le));
	}
	if (!s->err)
		s->depth--;
	return s->err;
}

int state_status(const struct state *s)
{
	return s->err;
}

int state_finish(struct state *s)
{
	return s->err || !s->reads ? s->err : state_check_end(s);
}

/* The first two records. */
static int state_header(struct state *s)
{
	u32 version = STATE_VERSION, kind = s->kind;

	state_value(s, "lkvm-state", &version, sizeof(version));
	state_value(s, "kind", &kind, sizeof(kind));
	if (!s->err && version != STATE_VERSION)
		state_refuse(s, "it is of version %u, this lkvm has version %u", version, STATE_VERSION);
	if (!s->err && kind > STATE_SLEEP)
		state_refuse(s, "it is of an unknown kind");
	s->kind = s->err ? STATE_ALL : (enum state_kind)kind;
	return s->err;
}

int state_write(struct state **out, enum state_kind kind)
{
	struct state *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->kind = kind;
	ret = state_header(s);
	if (ret)
		state_free(s);
	else
		*out = s;
	return ret;
}

int state_written(struct state *s, const void **data, size_t *len)
{
	*data = s->buf;
	*len = s->len;
	return s->err;
}

int state_read(struct state **out, const void *data, size_t len)
{
	struct state *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->reads = true;
	s->data = data;
	s->len = s->section[0].end = len;
	ret = state_header(s);
	if (ret)
		state_free(s);
	else
		*out = s;
	return ret;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	free(s->buf);
	free(s);
}
