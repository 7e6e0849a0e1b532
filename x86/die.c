// SPDX-License-Identifier: GPL-2.0
/*
 * "...: 0000 [#1] PREEMPT SMP": how die() ends its first line, a fault's code and how many
 * there were (arch/x86/kernel/dumpstack.c of the kernel).
 */
#include <ctype.h>
#include <string.h>

#include <kvm/arch.h>

bool arch_is_die(const char *line)
{
	const char *p = line;

	while ((p = strstr(p, " [#"))) {
		const char *digit = p + 3;

		if (p - line >= 4 && isxdigit((unsigned char)p[-1]) &&
		    isxdigit((unsigned char)p[-2]) && isdigit((unsigned char)*digit)) {
			while (isdigit((unsigned char)*digit))
				digit++;
			if (*digit == ']')
				return true;
		}
		p++;
	}
	return false;
}
