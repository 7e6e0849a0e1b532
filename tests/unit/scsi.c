// SPDX-License-Identifier: GPL-2.0
/* SCSI commands on a disk, good and evil; and the queues of virtio-scsi. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/virtio_scsi.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/drive.h>
#include <kvm/opt.h>
#include <kvm/scsi.h>

#include "driver.h"
#include "scratch.h"
#include "tap.h"

static struct scsi_disk s = { .block = 512, .physical = 4096, .serial = "number1", .lock = PTHREAD_MUTEX_INITIALIZER };
static struct scsi_cmd c;
static u8 in[65536], out[65536];
static size_t got;

static void start(const char *file, bool ro)
{
	struct disk_options opts = { .file = file, .ro = ro, .block = 512, .physical = 4096 };
	struct opt_err err;

	setenv("TMPDIR", scratch_dir(), 1);
	if (disk_open(&s.disk, &opts, NULL, "disk", &err))
		tap_fail(__FILE__, __LINE__, "%s", err.text);
}

/* Sense key, code and qualifier; 0: good. */
static u32 run(const u8 *cdb, size_t len, size_t out_len, size_t in_len)
{
	struct iovec o = { out, out_len }, i = { in, in_len };
	struct iov_iter oi, ii;

	memset(&c, 0, sizeof(c));
	memcpy(c.cdb, cdb, len);
	iov_iter_init(&oi, &o, 1);
	iov_iter_init(&ii, &i, 1);
	c.out = &oi;
	c.in = &ii;
	scsi_serve(&s, &c);
	got = in_len - iov_iter_count(&ii);
	CHECK_EQ(c.sense[0], c.status ? 0x70 : 0);
	return c.status ? c.sense[2] << 16 | c.sense[12] << 8 | c.sense[13] : 0;
}
#define RUN(out_len, in_len, ...) run((u8[]){ __VA_ARGS__ }, sizeof((u8[]){ __VA_ARGS__ }), out_len, in_len)

TEST(what_it_is)
{
	start("new:1M", false);
	CHECK_EQ(RUN(0, 0, 0x00), 0);
	CHECK_EQ(RUN(0, 96, 0x12, 0, 0, 0, 96), 0);
	CHECK_EQ(got, 36);
	CHECK(!in[0] && in[2] == 6 && !memcmp(in + 8, "LKVM    DISK", 12));
	CHECK_EQ(RUN(0, 96, 0x12, 0, 0, 0, 5), 0);
	CHECK_EQ(got, 5);
	CHECK_EQ(RUN(0, 96, 0x12, 1, 0, 0, 96), 0);
	CHECK_MEM(in, "\0\0\0\6\0\x80\x83\xb0\xb1\xb2", 10);
	CHECK_EQ(RUN(0, 96, 0x12, 1, 0x80, 0, 96), 0);
	CHECK_MEM(in, "\0\x80\0\7number1", 11);
	CHECK_EQ(RUN(0, 96, 0x12, 1, 0x83, 0, 96), 0);
	CHECK_MEM(in + 4, "\2\1\0\17LKVM    number1", 19);
	CHECK_EQ(RUN(0, 96, 0x12, 1, 0xb0, 0, 96), 0);
	CHECK(in[3] == 60 && in[5] == 1 && in[7] == 8);
	CHECK_EQ(RUN(0, 96, 0x12, 1, 0xb2, 0, 96), 0);
	CHECK_EQ(in[5], 0xe0);
	CHECK_EQ(RUN(0, 96, 0x12, 1, 0x99, 0, 96), 0x52400);
	CHECK_EQ(RUN(0, 96, 0x12, 0, 0x80, 0, 96), 0x52400);
	CHECK_EQ(RUN(0, 96, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 96), 0);
	CHECK(got == 16 && in[3] == 8);
	CHECK_EQ(RUN(0, 8, 0x25), 0);
	CHECK_MEM(in, "\0\0\7\xff\0\0\2\0", 8);
	CHECK_EQ(RUN(0, 32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32), 0);
	CHECK(in[6] == 7 && in[7] == 0xff && in[10] == 2 && in[13] == 3 && in[14] == 0x80);
	CHECK_EQ(RUN(0, 32, 0x9e, 0x11), 0x52400);
	CHECK_EQ(RUN(0, 64, 0x1a, 0, 8, 0, 64), 0);
	CHECK(got == 24 && in[0] == 23 && in[2] == 0x10 && in[4] == 8 && in[6] == 4);
	CHECK_EQ(RUN(0, 64, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 64), 0);
	CHECK(got == 28 && in[1] == 26 && in[8] == 8);
	CHECK_EQ(RUN(0, 64, 0x1a, 0, 0x1c, 0, 64), 0x52400);
	CHECK_EQ(RUN(0, 18, 0x03, 0, 0, 0, 18), 0);
	CHECK(in[0] == 0x70 && !in[2]);
	CHECK_EQ(RUN(0, 0, 0xff), 0x52000);
	disk_close(s.disk, NULL, "disk");
}

TEST(read_and_write)
{
	start("new:1M", false);
	memset(out, 'a', 4096);
	CHECK_EQ(RUN(512, 0, 0x0a, 0, 0, 1, 1), 0);
	CHECK_EQ(RUN(1024, 0, 0x2a, 0, 0, 0, 0, 2, 0, 0, 2), 0);
	CHECK_EQ(RUN(512, 0, 0xaa, 0, 0, 0, 0, 4, 0, 0, 0, 1), 0);
	CHECK_EQ(RUN(512, 0, 0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1), 0);
	CHECK_EQ(RUN(0, 512 * 6, 0x08, 0, 0, 0, 6), 0);
	CHECK(got == 3072 && !in[0] && in[512] == 'a' && in[3071] == 'a');
	CHECK_EQ(RUN(0, 512, 0x28, 0, 0, 0, 0, 6, 0, 0, 1), 0);
	CHECK(!in[0]);
	CHECK_EQ(RUN(0, 512, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1), 0);
	CHECK(in[0] == 'a');
	/* A length of 0: 256 blocks in the shortest, none in the others. */
	CHECK_EQ(RUN(0, 0, 0x28, 0, 0, 0, 0, 6, 0, 0, 0), 0);
	CHECK_EQ(RUN(0, 4096, 0x08, 0, 0, 0, 0), 0x52400);
	CHECK_EQ(RUN(0, 0, 0x35), 0);
	CHECK_EQ(RUN(0, 0, 0x91), 0);
	CHECK_EQ(RUN(0, 0, 0x2f, 0, 0, 0, 0, 6, 0, 0, 9), 0);
	CHECK_EQ(RUN(0, 0, 0x2f, 2, 0, 0, 0, 6, 0, 0, 9), 0x52400);
	/* Beyond the end, wrapped, too long for the buffer, with protection. */
	CHECK_EQ(RUN(0, 512, 0x28, 0, 0, 0, 8, 0, 0, 0, 1), 0x52100);
	CHECK_EQ(RUN(0, 1024, 0x28, 0, 0, 0, 7, 0xff, 0, 0, 2), 0x52100);
	CHECK_EQ(RUN(0, 1024, 0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2), 0x52100);
	CHECK_EQ(RUN(0, 511, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0x52400);
	CHECK_EQ(RUN(0, 512, 0x28, 0x20, 0, 0, 0, 0, 0, 0, 1), 0x52400);
	disk_close(s.disk, NULL, "disk");
}

static u8 at(u8 block)
{
	CHECK_EQ(RUN(0, 512, 0x28, 0, 0, 0, 0, block, 0, 0, 1), 0);
	for (int i = 1; i < 512; i++)
		CHECK_EQ(in[i], in[0]);
	return in[0];
}

TEST(unmap_and_write_same)
{
	start("new:1M", false);
	memset(out, 'a', sizeof(out));
	CHECK_EQ(RUN(512 * 64, 0, 0x2a, 0, 0, 0, 0, 0, 0, 0, 64), 0);
	memset(out, 0, 512);
	out[1] = 38;
	out[3] = 32;
	out[15] = 8;			/* 8 blocks from 8 on */
	out[19] = 8;
	out[31] = 32;			/* and one from 32 on */
	out[35] = 1;
	CHECK_EQ(RUN(40, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 40), 0);
	CHECK(at(7) == 'a' && !at(8) && !at(15) && at(16) == 'a' && !at(32) && at(33) == 'a');
	out[8] = 0xff;			/* one of them beyond the end: none is done */
	out[31] = 40;
	CHECK_EQ(RUN(40, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 40), 0x52100);
	CHECK_EQ(at(40), 'a');
	CHECK_EQ(RUN(40, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 7), 0x51a00);
	CHECK_EQ(RUN(40, 0, 0x42, 1, 0, 0, 0, 0, 0, 0, 40), 0x52400);
	CHECK_EQ(RUN(0, 0, 0x42), 0);
	memset(out, 'b', 512);
	CHECK_EQ(RUN(512, 0, 0x41, 0, 0, 0, 0, 1, 0, 0, 3), 0);
	CHECK(at(0) == 'a' && at(1) == 'b' && at(3) == 'b' && at(4) == 'a');
	CHECK_EQ(RUN(512, 0, 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0), 0);
	CHECK(at(0) == 'b' && !RUN(0, 512, 0x28, 0, 0, 0, 3, 0xff, 0, 0, 1) && in[0] == 'b');
	CHECK_EQ(RUN(0, 0, 0x93, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2), 0);
	CHECK(at(1) == 'b' && !at(2) && !at(3) && at(4) == 'b');
	CHECK_EQ(RUN(512, 0, 0x41, 0, 0, 0, 0, 1, 0, 0, 0), 0x52400);
	CHECK_EQ(RUN(100, 0, 0x41, 0, 0, 0, 0, 1, 0, 0, 1), 0x52400);
	CHECK_EQ(RUN(512, 0, 0x41, 4, 0, 0, 0, 1, 0, 0, 1), 0x52400);
	disk_close(s.disk, NULL, "disk");
}

TEST(compare_and_write)
{
	start("new:1M", false);
	memset(out, 0, 512);
	memset(out + 512, 'n', 512);
	CHECK_EQ(RUN(1024, 0, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1), 0);
	CHECK_EQ(at(5), 'n');
	CHECK_EQ(RUN(1024, 0, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1), 0xe1d00);
	CHECK_EQ(RUN(1000, 0, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1), 0x52400);
	CHECK_EQ(RUN(2048, 0, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 2), 0x52400);
	CHECK_EQ(at(6), 0);
	disk_close(s.disk, NULL, "disk");
}

TEST(errors_of_the_host)
{
	struct opt_err err;

	start("new:1M", false);
	CHECK_EQ(disk_fault(s.disk, "eio,op=read+write+flush", &err), 0);
	CHECK_EQ(RUN(0, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0x31100);
	CHECK(got == 512 && !in[0] && c.err == -5);
	CHECK_EQ(RUN(512, 0, 0x2a, 0, 0, 0, 0, 0, 0, 0, 1), 0x30c00);
	CHECK_EQ(RUN(0, 0, 0x35), 0x30c00);
	CHECK_EQ(disk_fault(s.disk, "clear", &err), 0);

	disk_close(s.disk, NULL, "disk");
	scratch_file("image", "some bytes");
	start(scratch("image"), true);
	CHECK_EQ(RUN(512, 0, 0x2a, 0, 0, 0, 0, 0, 0, 0, 1), 0x72700);
	CHECK_EQ(RUN(0, 0, 0x93, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), 0x72700);
	CHECK_EQ(RUN(0, 64, 0x1a, 0, 8, 0, 64), 0);
	CHECK_EQ(in[2], 0x90);
	disk_close(s.disk, NULL, "disk");
}

/* Commands at random: each comes back, and writes no more than it may. */
TEST_TIMEOUT(commands_at_random, 60)
{
	start("new:1M", false);
	srandom(1);
	for (int i = 0; i < 50000; i++) {
		u8 cdb[SCSI_CDB];

		for (unsigned int n = 0; n < sizeof(cdb); n++)
			cdb[n] = random() % 3 ? 0 : random();
		cdb[0] = random() % 4 ? (u8[]){ 0x28, 0x88, 0x2a, 0x8a, 0x41, 0x93, 0x42, 0x89, 0x12, 0x1a, 0x5a, 0x9e, 0xa0 }[random() % 13]
				      : random();
		out[random() % 64] = random();
		run(cdb, sizeof(cdb), random() % 2 ? random() % 1500 : 512, random() % 2 ? random() % 1500 : 4096);
	}
	disk_close(s.disk, NULL, "disk");
}

/* By the queues */

TEST(virtio)
{
	struct virtio_scsi_cmd_req req = { .lun = { 1, 0, 0x40, 0 }, .cdb = { 0x12, 0, 0, 0, 96 } };
	struct virtio_scsi_cmd_resp resp;
	struct virtio_scsi_event event;
	struct machine m;
	struct driver d = { 0 };
	u32 len, tmf = htole32(VIRTIO_SCSI_T_TMF);

	setenv("TMPDIR", scratch_dir(), 1);
	machine_pci(&m);
	log_set_level(-1);
	driver_probe(&d, &m, machine_add(&m, "virtio-scsi", "new:1M,queues=2"));
	machine_run(&m);
	CHECK_EQ(driver_read(&d, d.config, 4), 2);
	driver_start(&d, 16);
	for (unsigned int q = 2; q < 4; q++) {
		CHECK_EQ(mem_write(&m.vm.mem, 8 * MIB, &req, sizeof(req)), 0);
		ring_add(&d.ring[q], 8 * MIB, sizeof(req), 9 * MIB, sizeof(resp) + 96);
		driver_kick(&d, q);
		CHECK(driver_wait(&d, q, NULL, &len));
		CHECK_EQ(len, sizeof(resp) + 36);
		CHECK_EQ(mem_read(&m.vm.mem, 9 * MIB, &resp, sizeof(resp)), 0);
		CHECK(!resp.response && !resp.status && le32toh(resp.resid) == 60);
	}
	/* A buffer for events waits until the disk has another size. */
	ring_add(&d.ring[1], 0, 0, 9 * MIB, sizeof(event));
	driver_kick(&d, 1);
	pthread_mutex_lock(&m.vm.lock);
	drive_find(&m.vm, "scsi0")->resized(drive_find(&m.vm, "scsi0"));
	pthread_mutex_unlock(&m.vm.lock);
	CHECK(driver_wait(&d, 1, NULL, &len));
	CHECK_EQ(len, sizeof(event));
	CHECK_EQ(mem_read(&m.vm.mem, 9 * MIB, &event, sizeof(event)), 0);
	CHECK(le32toh(event.event) == VIRTIO_SCSI_T_PARAM_CHANGE && le32toh(event.reason) == 0x92a);
	/* Another unit; a command without room for an answer; a task to be aborted. */
	req.lun[1] = 1;
	CHECK_EQ(mem_write(&m.vm.mem, 8 * MIB, &req, sizeof(req)), 0);
	ring_add(&d.ring[2], 8 * MIB, sizeof(req), 9 * MIB, sizeof(resp));
	driver_kick(&d, 2);
	CHECK(driver_wait(&d, 2, NULL, &len));
	CHECK_EQ(mem_read(&m.vm.mem, 9 * MIB, &resp, sizeof(resp)), 0);
	CHECK_EQ(resp.response, VIRTIO_SCSI_S_BAD_TARGET);
	ring_add(&d.ring[2], 8 * MIB, sizeof(req), 9 * MIB, sizeof(resp) - 1);
	driver_kick(&d, 2);
	CHECK(driver_wait(&d, 2, NULL, &len));
	CHECK_EQ(len, 0);
	CHECK_EQ(mem_write(&m.vm.mem, 8 * MIB, &tmf, sizeof(tmf)), 0);
	ring_add(&d.ring[0], 8 * MIB, sizeof(struct virtio_scsi_ctrl_tmf_req), 9 * MIB, 1);
	driver_kick(&d, 0);
	CHECK(driver_wait(&d, 0, NULL, &len));
	CHECK_EQ(len, 1);
	machine_free(&m);
}
