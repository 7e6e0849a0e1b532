// SPDX-License-Identifier: GPL-2.0
/* Requests in JSON: what is read, what is refused. */
#include <string.h>

#include "../../hw/debug/json.h"
#include "tap.h"

static struct json val;
static char text[32];

static bool reads(const char *s)
{
	return json_read(&val, s, strlen(s));
}

TEST(values_are_one_and_whole)
{
	CHECK(reads(" {\"a\": [1, -2.5e3, true, {\"b\": \"c\"}], \"d\": null}\r\n"));
	CHECK(reads("\"x\"") && reads("12") && reads("[]") && reads("{}"));
	CHECK(!reads("") && !reads("{") && !reads("{\"a\"}") && !reads("{\"a\":}") && !reads("{a:1}"));
	CHECK(!reads("{} {}") && !reads("[1,]") && !reads("[1 2]") && !reads("\"x") && !reads("\"\\\""));
	CHECK(!reads("{\"a\":1,}") && !reads("\"\n\"") && !reads("}"));
	CHECK(reads("[[[[[[[1]]]]]]]") && !reads("[[[[[[[[[[1]]]]]]]]]]"));
	CHECK(!json_read(&val, "\0", 1));
}

TEST(members)
{
	struct json a, b;
	u64 n;

	CHECK(reads("{\"execute\": \"q\\u0041\\n\\\"\", \"arguments\": {\"n\": 42, \"big\": 18446744073709551616}}"));
	CHECK(json_member(&val, "execute", &a) && json_string(&a, text, sizeof(text)));
	CHECK_STR(text, "qA\n\"");
	CHECK(json_member(&val, "arguments", &a) && json_member(&a, "n", &b) && json_number(&b, &n));
	CHECK_EQ(n, 42);
	CHECK(json_member(&a, "big", &b) && !json_number(&b, &n));
	CHECK(!json_member(&val, "n", &b) && !json_member(&b, "x", &a));
	CHECK(!json_string(&b, text, sizeof(text)));
	CHECK(reads("[1]") && !json_member(&val, "a", &a));
}

TEST(strings_that_do_not_fit_are_none)
{
	CHECK(reads("\"0123456789012345678901234567890\"") && json_string(&val, text, sizeof(text)));
	CHECK(reads("\"01234567890123456789012345678901\"") && !json_string(&val, text, sizeof(text)));
	CHECK(reads("\"a\\u0000\"") && !json_string(&val, text, sizeof(text)));
	CHECK(reads("\"\\u00e4\"") && !json_string(&val, text, sizeof(text)));
	CHECK(reads("\"\\u12\"") && !json_string(&val, text, sizeof(text)));
	CHECK(reads("\"\\x\"") && !json_string(&val, text, sizeof(text)));
}
