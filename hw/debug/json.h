/* SPDX-License-Identifier: GPL-2.0 */
/* Just enough of JSON (RFC 8259) to read a request: values are pieces of its text. */
#ifndef HW_DEBUG_JSON_H
#define HW_DEBUG_JSON_H

#include <kvm/types.h>

struct json {
	const char *p, *end;		/* the value, without blanks around it */
};

/* Is @text, @len bytes, one value, at most eight deep? */
bool json_read(struct json *val, const char *text, size_t len);
/* The member @key of an object: false if there is none. */
bool json_member(const struct json *obj, const char *key, struct json *val);
/* A string, with its escapes replaced (of \u only ASCII): false if it is none, or does not fit. */
bool json_string(const struct json *val, char *buf, size_t size);
/* A whole number that is not negative. */
bool json_number(const struct json *val, u64 *number);

#endif
