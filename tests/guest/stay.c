// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that says one line and then does nothing, until it is ended.
 *
 * [ended_from_outside]
 * run=-m 16 --timeout 1
 * status=124
 * expect="^here"
 */
#include "guest.h"

int main(void)
{
	print("here\n");
	for (;;)
		asm volatile("cli; hlt");
}
