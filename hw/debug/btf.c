// SPDX-License-Identifier: GPL-2.0
/* See btf.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "btf.h"

#define BTF_MAGIC	0xeb9f
#define BTF_DEPTH	8		/* anonymous structures in structures */
#define BTF_MEMBERS	(1u << 20)	/* that are looked at for one path: structures may be within one another */
#define BTF_ALIASES	16		/* typedefs, const and the like, one of the other */

enum {
	KIND_INT = 1, KIND_ARRAY = 3, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_TYPEDEF = 8, KIND_VOLATILE,
	KIND_CONST, KIND_RESTRICT, KIND_FUNC_PROTO = 13, KIND_VAR, KIND_DATASEC, KIND_DECL_TAG = 17,
	KIND_TYPE_TAG, KIND_ENUM64,
};

struct btf_header {
	u16 magic;
	u8 version, flags;
	u32 hdr_len, type_off, type_len, str_off, str_len;
};

struct btf_type {
	u32 name, info, type;
};

struct btf_member {
	u32 name, type, offset;
};

static unsigned int type_kind(const struct btf_type *t)
{
	return t->info >> 24 & 31;
}

static u32 type_vlen(const struct btf_type *t)
{
	return t->info & 0xffff;
}

/* Bytes behind the type itself. */
static u32 type_more(const struct btf_type *t)
{
	switch (type_kind(t)) {
	case KIND_INT:
	case KIND_VAR:
	case KIND_DECL_TAG:
		return 4;
	case KIND_ARRAY:
		return 12;
	case KIND_STRUCT:
	case KIND_UNION:
	case KIND_DATASEC:
	case KIND_ENUM64:
		return 12 * type_vlen(t);
	case KIND_ENUM:
	case KIND_FUNC_PROTO:
		return 8 * type_vlen(t);
	default:
		return 0;
	}
}

static bool btf_get(const struct btf *b, u32 at, void *val, size_t len)
{
	if (at > b->types_len || len > b->types_len - at)
		return false;
	memcpy(val, b->types + at, len);
	return true;
}

/* Where the types begin: count them, then note them. */
static int btf_index(struct btf *b)
{
	struct btf_type t;
	u32 at, room = b->types_len / sizeof(t) + 1;

	b->at = malloc(room * sizeof(*b->at));
	if (!b->at)
		return -ENOMEM;
	b->nr = 1;
	for (at = 0; b->nr < room && btf_get(b, at, &t, sizeof(t)); at += sizeof(t) + type_more(&t))
		b->at[b->nr++] = at;
	return 0;
}

int btf_open(struct btf *b, const void *data, size_t len)
{
	struct btf_header h;

	*b = (struct btf) { .nr = 0 };
	if (len < sizeof(h) || len > BTF_MAX)
		return -ENOEXEC;
	memcpy(&h, data, sizeof(h));
	if (h.magic != BTF_MAGIC || h.version != 1 || h.hdr_len < sizeof(h) || h.hdr_len > len)
		return -ENOEXEC;
	len -= h.hdr_len;
	if (h.type_off > len || h.type_len > len - h.type_off || h.str_off > len ||
	    h.str_len > len - h.str_off || !h.str_len)
		return -ENOEXEC;
	b->types = (const u8 *)data + h.hdr_len + h.type_off;
	b->types_len = h.type_len;
	b->strings = (const char *)data + h.hdr_len + h.str_off;
	b->strings_len = h.str_len;
	return b->strings[h.str_len - 1] ? -ENOEXEC : btf_index(b);
}

void btf_close(struct btf *b)
{
	free(b->at);
	b->at = NULL;
	b->nr = 0;
}

static bool btf_type(const struct btf *b, u32 id, struct btf_type *t)
{
	return id && id < b->nr && btf_get(b, b->at[id], t, sizeof(*t));
}

static bool btf_name_is(const struct btf *b, u32 name, const char *want, size_t len)
{
	const char *s = name < b->strings_len ? b->strings + name : "";

	return !strncmp(s, want, len) && !s[len];
}

/* What @id is, without its other names: an array is what it consists of. */
static u32 btf_resolve(const struct btf *b, u32 id)
{
	struct btf_type t;

	for (unsigned int i = 0; i < BTF_ALIASES && btf_type(b, id, &t); i++) {
		switch (type_kind(&t)) {
		case KIND_ARRAY:
			if (!btf_get(b, b->at[id] + sizeof(t), &id, sizeof(id)))
				return 0;
			break;
		case KIND_TYPEDEF:
		case KIND_VOLATILE:
		case KIND_CONST:
		case KIND_RESTRICT:
		case KIND_TYPE_TAG:
			id = t.type;
			break;
		default:
			return id;
		}
	}
	return 0;
}

/* What is looked for: the first @len bytes of @name. */
struct btf_search {
	const char *name;
	size_t len;
	u32 left;			/* members that may be looked at */
	u32 type;			/* the result */
	u32 offset;			/* is added to */
};

static bool btf_member(const struct btf *b, u32 id, unsigned int depth, struct btf_search *s)
{
	struct btf_member m;
	struct btf_type t;

	if (!depth || !btf_type(b, id, &t) || (type_kind(&t) != KIND_STRUCT && type_kind(&t) != KIND_UNION))
		return false;
	for (u32 i = 0; i < type_vlen(&t) && s->left && s->left-- && btf_get(b, b->at[id] + sizeof(t) + i * sizeof(m), &m, sizeof(m)); i++) {
		u32 bits = t.info >> 31 ? m.offset & 0xffffff : m.offset;

		if (!m.name && btf_member(b, btf_resolve(b, m.type), depth - 1, s)) {
			s->offset += bits / 8;
			return true;
		}
		if (m.name && btf_name_is(b, m.name, s->name, s->len)) {
			s->type = btf_resolve(b, m.type);
			s->offset += bits / 8;
			return true;
		}
	}
	return false;
}

static u32 btf_structure(const struct btf *b, const char *name)
{
	struct btf_type t;

	for (u32 id = 1; id < b->nr; id++)
		if (btf_type(b, id, &t) && type_kind(&t) == KIND_STRUCT && type_vlen(&t) &&
		    btf_name_is(b, t.name, name, strlen(name)))
			return id;
	return 0;
}

bool btf_offset(const struct btf *b, const char *structure, const char *path, u32 *offset)
{
	struct btf_search s = { .name = path, .left = BTF_MEMBERS, .type = btf_structure(b, structure) };

	for (;; s.name += s.len + 1) {
		s.len = strcspn(s.name, ".");
		if (!btf_member(b, s.type, BTF_DEPTH, &s))
			return false;
		*offset = s.offset;
		if (!s.name[s.len])
			return true;
	}
}
