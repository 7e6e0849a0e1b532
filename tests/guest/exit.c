// SPDX-License-Identifier: GPL-2.0
/*
 * The exit port: what the guest writes is lkvm's status, 2v + 1.
 *
 * [success]
 * run=-m 16
 * status=1
 * expect="^hello from the guest"
 * [value]
 * run=-m 16 -p exit=42
 * status=85
 * [high_bits_are_lost]
 * run=-m 16 -p exit=300
 * status=89
 */
#include "guest.h"

int main(void)
{
	const char *s = cmdline();
	u32 val = 0;

	CHECK_EQ(start_info()->magic, 0x336ec578);
	print("hello from the guest\n");
	if (str_starts(s, "exit="))
		for (s += 5; *s >= '0' && *s <= '9'; s++)
			val = val * 10 + *s - '0';
	return val;
}
