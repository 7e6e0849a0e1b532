// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz qcow2 images: an input is what is compressed in one, or changes to a small image
 * that is sound, then requests. Opening is refused, or the disk serves: nothing crashes,
 * hangs, or grows without bound, and a check and a repair come to an end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/deflate.h>
#include <kvm/log.h>

#include "fuzz_input.h"
#include "image.h"
#include "scratch.h"
#include "tap.h"

#define IMAGES	4
#define SIZE	(256 * KIB)
#define ROOM	(512 * KIB)

static u8 *sound[IMAGES];
static size_t sound_len[IMAGES];

void tap_skip(const char *fmt, ...)
{
	abort();
}

/* At places that mean something more often than at others. */
static void change(struct input *in, u8 *image, size_t len)
{
	static const u16 fields[] = { 4, 8, 16, 20, 24, 32, 36, 40, 48, 56, 60, 64, 72, 80, 88, 96, 100, 104, 112 };
	u8 how = take(in, 1);
	size_t at = how & 1 ? fields[take(in, 1) % ARRAY_SIZE(fields)] : how & 2 ? take(in, 2) % 64 * 512 + take(in, 1) % 8 * 8 :
		    take(in, 3);
	unsigned int n = 1 << (how >> 2 & 3);
	u64 val = how & 16 ? take(in, n) : how & 32 ? take(in, 1) * 512 : (u64)take(in, 1) << (how >> 6) * 16;

	at %= len - 8;
	val |= how & 64 ? 1ULL << 63 : 0;
	for (unsigned int i = 0; i < n; i++)
		image[at + i] = val >> (n - 1 - i) * 8;
}

static void request(struct disk *d, struct input *in, u8 *buf)
{
	u64 size = disk_size(d), off = take(in, 2) * 512, len = (1 + take(in, 1)) * 512;
	enum disk_op op = take(in, 1) % 5;

	if (off < size)
		image_io(d, op, off, buf, min(len, size - off));
}

static void use(struct input *in, bool ro, bool verify, u8 *buf)
{
	struct disk_options opts = {
		.file = scratch("image"), .format = DISK_FORMAT_QCOW2, .ro = ro, .verify = verify, .block = 512,
	};
	struct opt_err err;
	struct disk *d;

	if (disk_open(&d, &opts, NULL, "", &err))
		return;
	for (unsigned int i = 0; i < 24 && in->left; i++)
		request(d, in, buf);
	disk_close(d, NULL, "");
}

/* What is in a compressed cluster, by itself: to room of exactly so many bytes. */
static void unpack(const struct input *in, unsigned int room)
{
	u8 *packed = malloc(in->left), *plain = malloc(room * 16);
	long n;

	memcpy(packed, in->p, in->left);
	n = deflate_unpack(packed, in->left, plain, room * 16);
	if (n > (long)room * 16)
		tap_fail(__FILE__, __LINE__, "too much");
	free(packed);
	free(plain);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct image_create kinds[IMAGES] = {
		{ .cluster = 512, .size = SIZE }, { .cluster = 4096, .refcount_bits = 1, .size = SIZE, .lazy = true },
		{ .cluster = 16384, .extended = true, .size = SIZE }, { .cluster = 512, .refcount_bits = 64, .size = SIZE },
	};
	u8 *buf = malloc(ROOM);

	log_set_level(-1);
	image_in_memory();
	memset(buf, 'x', ROOM);
	for (unsigned int i = 0; i < IMAGES; i++) {
		struct image_create c = kinds[i];
		struct stat st;
		struct disk *d;
		int fd;

		unlink(scratch("image"));
		c.file = scratch("image");
		c.format = DISK_FORMAT_QCOW2;
		image_make(c);
		d = image_open((struct disk_options){ .file = scratch("image"), .format = DISK_FORMAT_QCOW2 });
		for (u64 off = 0; off < SIZE; off += 3 * 16384)
			image_io(d, DISK_WRITE, off, buf, 4096);
		image_io(d, DISK_ZERO, 0, NULL, 1024);
		disk_close(d, NULL, "");
		fd = open(scratch("image"), O_RDONLY);
		fstat(fd, &st);
		sound_len[i] = min((size_t)st.st_size, ROOM);
		sound[i] = malloc(sound_len[i]);
		if (read(fd, sound[i], sound_len[i]) != (ssize_t)sound_len[i])
			abort();
		close(fd);
	}
	free(buf);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	unsigned int kind = take(&in, 1), how = take(&in, 1), changes = take(&in, 1) % 12;
	struct image_check check = { .repair = how & 4 };
	size_t size = sound_len[kind % IMAGES];
	u8 *image = malloc(size), *buf = malloc(256 * 512);
	struct opt_err err;
	struct stat st;
	int fd;

	if (kind & 0x80) {
		unpack(&in, how);
		free(image);
		free(buf);
		return 0;
	}
	memcpy(image, sound[kind % IMAGES], size);
	memset(buf, 'y', 256 * 512);
	for (unsigned int i = 0; i < changes; i++)
		change(&in, image, size);
	fd = open(scratch("image"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(fd, image, size) != (ssize_t)size)
		abort();
	if (how & 1)
		image_check(scratch("image"), DISK_FORMAT_QCOW2, &check, &err);
	use(&in, how & 8, how & 16, buf);
	if (how & 2)
		image_check(scratch("image"), DISK_FORMAT_QCOW2, &check, &err);
	/* Not more than what 24 requests write, their tables, and a step. */
	if (fstat(fd, &st) || st.st_blocks * 512 > 64L << 20)
		tap_fail(__FILE__, __LINE__, "it grows");
	close(fd);
	free(image);
	free(buf);
	return 0;
}
