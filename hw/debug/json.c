// SPDX-License-Identifier: GPL-2.0
/* See json.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define JSON_DEPTH	8

static void json_blanks(const char **p, const char *end)
{
	while (*p < end && strchr(" \t\r\n", **p) && **p)
		++*p;
}

static bool json_skip_string(const char **p, const char *end)
{
	for (++*p; *p < end && **p != '"'; ++*p) {
		if ((unsigned char)**p < ' ' || (**p == '\\' && ++*p == end))
			return false;
	}
	return *p < end && (*p)++;
}

static bool json_skip_word(const char **p, const char *end)
{
	const char *begin = *p;

	while (*p < end && (isalnum((unsigned char)**p) || (**p && strchr("+-.", **p))))
		++*p;
	return *p > begin;
}

/* Pass over one value. */
static bool json_skip(const char **p, const char *end, unsigned int depth)
{
	char open = *p < end ? **p : 0, close = open == '{' ? '}' : ']';

	if (open == '"')
		return json_skip_string(p, end);
	if (open != '{' && open != '[')
		return open && json_skip_word(p, end);
	if (!depth)
		return false;
	++*p;
	json_blanks(p, end);
	if (*p < end && **p == close)
		return ++*p;
	for (;;) {
		if (open == '{') {
			if (*p == end || **p != '"' || !json_skip_string(p, end))
				return false;
			json_blanks(p, end);
			if (*p == end || *(*p)++ != ':')
				return false;
			json_blanks(p, end);
		}
		if (!json_skip(p, end, depth - 1))
			return false;
		json_blanks(p, end);
		if (*p == end || (**p != ',' && **p != close))
			return false;
		if (*(*p)++ == close)
			return true;
		json_blanks(p, end);
	}
}

bool json_read(struct json *val, const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	json_blanks(&p, end);
	val->p = p;
	if (!json_skip(&p, end, JSON_DEPTH))
		return false;
	val->end = p;
	json_blanks(&p, end);
	return p == end;
}

bool json_member(const struct json *obj, const char *key, struct json *val)
{
	const char *p = obj->p + 1;
	char name[64];

	if (obj->p == obj->end || *obj->p != '{')
		return false;
	/* It has been read, so it is well formed. */
	for (;;) {
		struct json have;

		json_blanks(&p, obj->end);
		have.p = p;
		if (p >= obj->end || *p != '"' || !json_skip_string(&p, obj->end))
			return false;
		have.end = p;
		json_blanks(&p, obj->end);
		p++;
		json_blanks(&p, obj->end);
		val->p = p;
		if (!json_skip(&p, obj->end, JSON_DEPTH))
			return false;
		val->end = p;
		if (json_string(&have, name, sizeof(name)) && !strcmp(name, key))
			return true;
		json_blanks(&p, obj->end);
		if (p >= obj->end || *p++ != ',')
			return false;
	}
}

/* What follows a backslash at *@p: the character, or 0. */
static char json_escape(const char **p, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = **p ? strchr(from, **p) : NULL;
	char hex[5] = "", *rest;
	unsigned long code;

	if (at)
		return to[at - from];
	if (**p != 'u' || end - *p < 5)
		return 0;
	memcpy(hex, *p + 1, 4);
	code = strtoul(hex, &rest, 16);
	*p += 4;
	return *rest || code > 0x7f ? 0 : (char)code;
}

bool json_string(const struct json *val, char *buf, size_t size)
{
	const char *p = val->p + 1, *end = val->end - 1;
	size_t len = 0;

	if (val->end - val->p < 2 || *val->p != '"')
		return false;
	for (; p < end; p++) {
		char c = *p;

		if (c == '\\') {
			p++;
			c = json_escape(&p, end);
		}
		if (!c || len == size - 1)
			return false;
		buf[len++] = c;
	}
	buf[len] = '\0';
	return true;
}

bool json_number(const struct json *val, u64 *number)
{
	const char *p;

	*number = 0;
	for (p = val->p; p < val->end; p++)
		if (!isdigit((unsigned char)*p) || __builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, *p - '0', number))
			return false;
	return p > val->p;
}
