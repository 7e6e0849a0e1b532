/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests. A file of tests is
 *
 *	#include "tap.h"
 *	TEST(list_is_empty_at_first)
 *	{
 *		CHECK(list_empty(&head));
 *	}
 *
 * linked with tap.c, which has main(): it runs all tests in the order of the
 * file, or those named on its command line, each in a process of its own and
 * for at most a time limit, and prints KTAP. A CHECK that fails ends the test,
 * from any thread.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct tap_test {
	const char *name;
	void (*fn)(void);
	int line;
	int seconds;
};

#define TAP_SECONDS 20

/*
 * A test with its own limit in seconds. They are those of a machine that has
 * nothing else to do: see tap_share(). Nothing in a test has a limit of its own.
 */
#define TEST_TIMEOUT(test, limit)						\
	static void test_##test(void);						\
	static const struct tap_test tap_##test = {				\
		.name = #test, .fn = test_##test, .line = __LINE__,		\
		.seconds = (limit),						\
	};									\
	static const struct tap_test *const tap_ptr_##test			\
		__attribute__((used, section("tap_tests"))) = &tap_##test;	\
	static void test_##test(void)

#define TEST(test)	TEST_TIMEOUT(test, TAP_SECONDS)

#define CHECK(cond) do {							\
	if (!(cond))								\
		tap_fail(__FILE__, __LINE__, "%s", #cond);			\
} while (0)

/* Integers, compared and printed as 64 bits. */
#define CHECK_EQ(a, b) do {							\
	long long tap_a = (long long)(a), tap_b = (long long)(b);		\
	if (tap_a != tap_b)							\
		tap_fail(__FILE__, __LINE__, "%s == %s: %lld (%#llx) != %lld (%#llx)", \
			 #a, #b, tap_a, tap_a, tap_b, tap_b);			\
} while (0)

/* Strings; either may be NULL. */
#define CHECK_STR(a, b) do {							\
	const char *tap_a = (a), *tap_b = (b);					\
	if (tap_a != tap_b && (!tap_a || !tap_b || strcmp(tap_a, tap_b)))	\
		tap_fail(__FILE__, __LINE__, "%s == %s: \"%s\" != \"%s\"",	\
			 #a, #b, tap_a ? tap_a : "(null)", tap_b ? tap_b : "(null)"); \
} while (0)

/* Bytes; says which one differs first. */
#define CHECK_MEM(a, b, len)	tap_mem(__FILE__, __LINE__, #a " == " #b, a, b, len)

/* End the test, counted as skipped. */
#define SKIP(...)		tap_skip(__VA_ARGS__)

/* Printed with -v only. */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void tap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void tap_skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void tap_mem(const char *file, int line, const char *what,
	     const void *a, const void *b, size_t len);

#endif
