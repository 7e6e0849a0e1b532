// SPDX-License-Identifier: GPL-2.0
/* Disks in tests: see image.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "scratch.h"
#include "tap.h"

struct disk *image_open(struct disk_options opts)
{
	struct opt_err err;
	struct disk *d;

	setenv("TMPDIR", scratch_dir(), 1);
	opts.block = opts.block ? opts.block : 512;
	if (disk_open(&d, &opts, NULL, "", &err))
		tap_fail(__FILE__, __LINE__, "%s", err.text);
	return d;
}

void image_refused(struct disk_options opts, const char *text)
{
	struct opt_err err = { "" };
	struct disk *d;
	int ret;

	setenv("TMPDIR", scratch_dir(), 1);
	opts.block = opts.block ? opts.block : 512;
	ret = disk_open(&d, &opts, NULL, "", &err);
	if (!ret || !strstr(err.text, text))
		tap_fail(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", opts.file, err.text, text);
}

void image_make(struct image_create c)
{
	struct opt_err err;

	if (image_create(&c, &err))
		tap_fail(__FILE__, __LINE__, "%s", err.text);
}

int image_io(struct disk *d, enum disk_op op, u64 off, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = off, .len = len, .data = &data };

	iov_iter_init(&data, &iov, 1);
	return disk_allows(d, &req) ? disk_serve(d, &req) : -EPERM;
}

void image_fill(u8 *buf, u64 off, size_t len, u32 n)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = 1 + (n * 31 + (off + i) / 512 * 7 + (off + i) % 251) % 255;
}

int image_shell(bool quiet, const char *fmt, ...)
{
	char *line, *command;
	va_list ap;
	int status;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0 ||
	    asprintf(&command, "cd %s && { %s; } >shell.out 2>&1 || { s=$?; %s sed 's/^/# /' shell.out; exit $s; }", scratch_dir(),
		     line, quiet ? "true" : "") < 0)
		abort();
	va_end(ap);
	fflush(stdout);
	status = system(command);
	free(command);
	free(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void image_in_memory(void)
{
	struct statvfs fs;

	if (!access("/dev/shm", W_OK) && !statvfs("/dev/shm", &fs) && (u64)fs.f_bavail * fs.f_bsize > 256 * MIB)
		setenv("TMPDIR", "/dev/shm", 1);
}

void image_needs_qemu(void)
{
	if (image_shell(true, "command -v qemu-img && command -v qemu-io"))
		SKIP("there is no qemu-img: Debian's qemu-utils has it");
}
