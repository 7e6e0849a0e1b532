// SPDX-License-Identifier: GPL-2.0
/* What is wrong with a disk, in one line for the user. */
#include <stdarg.h>
#include <stdio.h>

#include "disk.h"

int disk_bad(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}
