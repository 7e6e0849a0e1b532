// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz virtio-blk: an input is a sequence of requests to a disk that is copied on
 * write, each with a header, data and room as the input says. Each comes back, with a
 * used length that the chain has room for; the disk serves on; and the image is as it was.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <linux/kernel.h>
#include <kvm/device.h>

#include "driver.h"
#include "fuzz_input.h"
#include "scratch.h"
#include "tap.h"

#define IMAGE_LEN	(MIB + 100)
#define OUT		(8 * MIB)
#define IN		(24 * MIB)
#define REQUESTS	64

static u32 request(struct driver *d, u32 out, u32 in)
{
	u16 head = ring_add(&d->ring[0], OUT, out, IN, in);
	u32 id, len;

	driver_kick(d, 0);
	require(driver_wait(d, 0, &id, &len), "a request does not come back");
	require(id == head && len <= in, "a used element that cannot be");
	return len;
}

static u32 length(struct input *in)
{
	static const u32 lens[] = { 0, 1, 511, 512, 513, 4096, 8192, MIB, MIB + 512, MIB + 1024, 16, 20, 32 };
	u8 i = take(in, 1);

	return i < ARRAY_SIZE(lens) ? lens[i] : i * 512;
}

/* Numbers near what means something. */
static void step(struct driver *d, struct input *in)
{
	static const u64 sectors[] = { 0, 1, 2047, 2048, 2049, ~0ULL, 1ULL << 55, 1ULL << 63, (1ULL << 55) - 1 };
	const struct mem *mem = &d->m->vm.mem;
	u32 type = take(in, 1), out, room;
	u8 i = take(in, 1), flags;
	struct virtio_blk_outhdr head;
	struct virtio_blk_discard_write_zeroes range[2];

	head.type = htole32(type & 0x80 ? take(in, 4) : type % 18);
	head.sector = htole64(i < ARRAY_SIZE(sectors) ? sectors[i] : i & 1 ? take(in, 8) : i);
	flags = take(in, 1);
	out = flags & 1 ? sizeof(head) + length(in) : flags & 2 ? take(in, 1) : sizeof(head);
	room = 1 + length(in);
	require(!mem_write(mem, OUT, &head, sizeof(head)), "no memory");
	for (unsigned int n = 0; n < ARRAY_SIZE(range); n++) {
		i = take(in, 1);
		range[n].sector = htole64(i < ARRAY_SIZE(sectors) ? sectors[i] : i);
		range[n].num_sectors = htole32(take(in, 1) & 1 ? take(in, 4) : take(in, 1));
		range[n].flags = htole32(take(in, 1) & 3);
	}
	require(!mem_write(mem, OUT + sizeof(head), range, sizeof(range)), "no memory");
	request(d, out, flags & 4 ? 0 : room);
}

static void image_is_untouched(int fd)
{
	char buf[4096];
	off_t off = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), off)) > 0) {
		while (n--)
			require(buf[n] == 'x', "the image has changed");
		off += sizeof(buf);
	}
	require(lseek(fd, 0, SEEK_END) == (off_t)IMAGE_LEN, "the image has another length");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *x = malloc(IMAGE_LEN);
	int fd = open(scratch("image"), O_WRONLY | O_CREAT, 0600);

	memset(x, 'x', IMAGE_LEN);
	require(write(fd, x, IMAGE_LEN) == (ssize_t)IMAGE_LEN, "no image");
	close(fd);
	free(x);
	setenv("TMPDIR", scratch_dir(), 1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct driver d = { 0 };
	struct machine m;
	char opts[300];
	int fd = open(scratch("image"), O_RDONLY);

	log_set_level(-1);
	machine_pci(&m);
	snprintf(opts, sizeof(opts), "%s,cow", scratch("image"));
	d.dev = machine_add(&m, "virtio-blk", opts);
	machine_run(&m);
	driver_probe(&d, &m, d.dev);
	driver_start(&d, 64);
	for (unsigned int i = 0; in.left && i < REQUESTS; i++)
		step(&d, &in);
	require(!virtio_is_broken(d.dev), "the disk is broken");
	machine_free(&m);
	image_is_untouched(fd);
	close(fd);
	return 0;
}
