// SPDX-License-Identifier: GPL-2.0
/* What all kinds of disks use: what is wrong, in one line for the user; what an image looks like. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"

const char *const disk_formats[] = { "auto", "raw", "qcow2", NULL };

int disk_bad(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

bool disk_is_named_qcow2(const char *file)
{
	size_t len = strlen(file);

	return len > 6 && !strcmp(file + len - 6, ".qcow2");
}

bool disk_begins_as_qcow2(int fd)
{
	static const char qcow2[4] = { 'Q', 'F', 'I', (char)0xfb };
	char magic[4096] __attribute__((aligned(4096)));

	return pread(fd, magic, sizeof(magic), 0) >= (ssize_t)sizeof(qcow2) && !memcmp(magic, qcow2, sizeof(qcow2));
}
