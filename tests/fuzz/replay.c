// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz the logs of disks: an input is a log. It is refused, or its states are made, read and
 * written within the disk.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/opt.h>
#include <kvm/replay.h>

#include "scratch.h"

#define IMAGE_LEN	(64 * KIB + 100)
#define STATES		16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void file(const char *name, const void *data, size_t len)
{
	int fd = open(scratch(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *x = calloc(1, IMAGE_LEN);

	file("image", x, IMAGE_LEN);
	free(x);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	u8 *buf = malloc(IMAGE_LEN + DISK_BLOCK_MAX);
	struct replay *r;
	struct opt_err err;
	u64 size, from = 0;

	file("log", data, len);
	if (replay_open(&r, scratch("log"), scratch("image"), DISK_FORMAT_RAW, &err)) {
		free(buf);
		return 0;
	}
	size = replay_size(r);
	for (unsigned int i = 0; i < STATES && from < replay_entries(r); i++) {
		u64 at = replay_flush(r, from + 1);

		free(replay_text(r, from));
		if (replay_cut(r, from, at, i) || replay_read(r, 0, buf, size))
			break;
		replay_write(r, i * 100, buf, size / 3);
		replay_zero(r, i * 300, size / 2);
		if (replay_read(r, i, buf, size - i))
			break;
		from = at;
	}
	replay_mark(r, "mark", 0);
	replay_close(r);
	free(buf);
	return 0;
}
