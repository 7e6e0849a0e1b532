// SPDX-License-Identifier: GPL-2.0
/*
 * JSON (RFC 8259), read for results of earlier runs, which may be anybody's: bounded in
 * depth; \u escapes become UTF-8, a lone half of a pair U+FFFD; duplicate names are kept.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define JSON_DEPTH	32

struct json_in {
	const char *at, *end, *begin;
	const char *wrong;		/* the first mistake, or NULL */
	unsigned int depth;
};

static struct json *json_fail(struct json_in *in, const char *wrong)
{
	if (!in->wrong)
		in->wrong = wrong;
	return NULL;
}

static void json_blank(struct json_in *in)
{
	while (in->at < in->end && *in->at && strchr(" \t\r\n", *in->at))
		in->at++;
}

static bool json_char(struct json_in *in, char c)
{
	json_blank(in);
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

/* Four hexadecimal digits, or -1. */
static long json_hex(struct json_in *in)
{
	long n = 0;

	for (int i = 0; i < 4; i++, in->at++) {
		if (in->at == in->end || !isxdigit((unsigned char)*in->at))
			return -1;
		n = n * 16 + (isdigit((unsigned char)*in->at) ? *in->at - '0' : (*in->at | 0x20) - 'a' + 10);
	}
	return n;
}

static char *json_utf8(char *p, unsigned long c)
{
	if (c < 0x80) {
		*p++ = c;
	} else if (c < 0x800) {
		*p++ = 0xc0 | c >> 6;
		*p++ = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		*p++ = 0xe0 | c >> 12;
		*p++ = 0x80 | (c >> 6 & 0x3f);
		*p++ = 0x80 | (c & 0x3f);
	} else {
		*p++ = 0xf0 | c >> 18;
		*p++ = 0x80 | (c >> 12 & 0x3f);
		*p++ = 0x80 | (c >> 6 & 0x3f);
		*p++ = 0x80 | (c & 0x3f);
	}
	return p;
}

/* Behind "\u". NULL: not an escape. */
static char *json_unicode(struct json_in *in, char *p)
{
	long c = json_hex(in), low;

	if (c < 0)
		return NULL;
	if (c >= 0xd800 && c < 0xdc00 && in->end - in->at > 6 && in->at[0] == '\\' && in->at[1] == 'u') {
		in->at += 2;
		low = json_hex(in);
		if (low < 0)
			return NULL;
		c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
	}
	/* No string has a NUL in it here. */
	return json_utf8(p, (c >= 0xd800 && c < 0xe000) || !c ? 0xfffd : (unsigned long)c);
}

/* malloc()ed, or NULL. An escape is never shorter than what it stands for. */
static char *json_string(struct json_in *in)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *close = in->at;
	char *text, *p;

	while (close < in->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	p = text = close < in->end ? malloc(close - in->at + 1) : NULL;
	while (p && in->at < close) {
		const char *esc;

		if ((unsigned char)*in->at < 0x20)
			p = NULL;
		else if (*in->at != '\\')
			*p++ = *in->at++;
		else if (in->at[1] == 'u')
			in->at += 2, p = json_unicode(in, p);
		else if (in->at[1] && (esc = strchr(from, in->at[1])))
			*p++ = to[esc - from], in->at += 2;
		else
			p = NULL;
	}
	if (!p || in->at != close) {
		free(text);
		json_fail(in, "a string");
		return NULL;
	}
	*p = '\0';
	in->at++;
	return text;
}

static struct json *json_value(struct json_in *in);

/* The members of an array or object, up to @close. False with a mistake. */
static bool json_members(struct json_in *in, struct json *j, char close)
{
	struct json **link = &j->child;

	if (json_char(in, close))
		return true;
	do {
		char *name = NULL;

		if (j->kind == JSON_OBJECT) {
			name = json_char(in, '"') ? json_string(in) : NULL;
			if (!name || !json_char(in, ':')) {
				free(name);
				json_fail(in, "a name");
				return false;
			}
		}
		*link = json_value(in);
		if (!*link) {
			free(name);
			return false;
		}
		(*link)->name = name;
		link = &(*link)->next;
	} while (json_char(in, ','));
	if (!json_char(in, close))
		json_fail(in, "a comma or the end of a list");
	return !in->wrong;
}

static bool json_word(struct json_in *in, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len))
		return false;
	in->at += len;
	return true;
}

static bool json_number(struct json_in *in, struct json *j)
{
	char text[64], *end;
	size_t len = 0;

	while (in->at + len < in->end && len < sizeof(text) - 1 && in->at[len] &&
	       strchr("+-.0123456789eE", in->at[len]))
		len++;
	memcpy(text, in->at, len);
	text[len] = '\0';
	j->kind = JSON_NUMBER;
	j->number = strtod(text, &end);
	in->at += len;
	return len && !*end;
}

static bool json_fill(struct json_in *in, struct json *j)
{
	json_blank(in);
	if (json_char(in, '{')) {
		j->kind = JSON_OBJECT;
		return json_members(in, j, '}');
	}
	if (json_char(in, '[')) {
		j->kind = JSON_ARRAY;
		return json_members(in, j, ']');
	}
	if (json_char(in, '"')) {
		j->kind = JSON_STRING;
		j->text = json_string(in);
		return j->text;
	}
	if (json_word(in, "null"))
		return true;
	j->kind = JSON_BOOL;
	j->number = json_word(in, "true");
	return j->number || json_word(in, "false") || json_number(in, j);
}

static struct json *json_value(struct json_in *in)
{
	struct json *j;

	if (in->depth == JSON_DEPTH)
		return json_fail(in, "nothing as deep as this");
	j = calloc(1, sizeof(*j));
	if (!j)
		return json_fail(in, "more memory");
	in->depth++;
	if (!json_fill(in, j) || in->wrong) {
		json_free(j);
		return json_fail(in, "a value");
	}
	in->depth--;
	return j;
}

struct json *json_parse(const char *text, size_t len, char why[128])
{
	struct json_in in = { .at = text, .begin = text, .end = text + len };
	struct json *j = json_value(&in);
	unsigned int line = 1;

	json_blank(&in);
	if (j && in.at < in.end) {
		json_free(j);
		j = json_fail(&in, "the end");
	}
	if (j)
		return j;
	for (const char *p = text; p < in.at && p < in.end; p++)
		line += *p == '\n';
	snprintf(why, 128, "line %u: not JSON, %s was expected", line, in.wrong);
	return NULL;
}

void json_free(struct json *j)
{
	while (j) {
		struct json *next = j->next;

		json_free(j->child);
		free(j->name);
		free(j->text);
		free(j);
		j = next;
	}
}

const struct json *json_get(const struct json *object, const char *name)
{
	const struct json *j = object && object->kind == JSON_OBJECT ? object->child : NULL;

	while (j && strcmp(j->name, name))
		j = j->next;
	return j;
}

/* The length of the UTF-8 sequence at @p, 0: it is none. */
static int json_utf8_len(const unsigned char *p)
{
	int n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 :
		*p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	for (int i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

void json_print(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	putc('"', f);
	while (*p) {
		int n = json_utf8_len(p);

		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(f, "\\u%04x", *p);
		else if (n)
			fwrite(p, n, 1, f);
		else
			fputs("\\ufffd", f);
		p += n ? n : 1;
	}
	putc('"', f);
}
