// SPDX-License-Identifier: GPL-2.0
/* A host without room: what is written waits, is written when there is room again, or is given back. */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include <kvm/drive.h>
#include <kvm/life.h>

#include "driver.h"
#include "image.h"
#include "scratch.h"
#include "tap.h"

static bool full;

/* The host's, for raw images. */
ssize_t pwritev64v2(int fd, const struct iovec *iov, int nr, off64_t off, int flags)
{
	if (__atomic_load_n(&full, __ATOMIC_ACQUIRE)) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwritev2, fd, iov, nr, (unsigned long)off, 0, flags);
}

struct job {
	pthread_t thread;
	struct disk *disk;
	u64 off;
	int ret;
};

static void *work(void *arg)
{
	struct job *j = arg;
	u8 buf[4096];

	image_fill(buf, j->off, sizeof(buf), 1);
	j->ret = image_io(j->disk, DISK_WRITE, j->off, buf, sizeof(buf));
	return NULL;
}

static void told(void *arg)
{
	sem_post(arg);
}

static void two_writes(struct disk *d, struct job *job, sem_t *waiting)
{
	__atomic_store_n(&full, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++) {
		job[i] = (struct job){ .disk = d, .off = i * 8192 };
		CHECK_EQ(pthread_create(&job[i].thread, NULL, work, &job[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		sem_wait(waiting);
}

static void waits(struct disk_options opts)
{
	struct job job[2];
	u8 buf[4096], want[4096];
	struct disk *d;
	sem_t waiting;

	sem_init(&waiting, 0, 0);
	opts.wait_full = true;
	d = image_open(opts);
	disk_when_full(d, told, &waiting);
	two_writes(d, job, &waiting);
	/* Reads go on meanwhile, and a retry for nothing waits again. */
	CHECK_EQ(image_io(d, DISK_READ, 65536, buf, sizeof(buf)), 0);
	disk_retry(d);
	for (int i = 0; i < 2; i++)
		sem_wait(&waiting);
	__atomic_store_n(&full, false, __ATOMIC_RELEASE);
	disk_retry(d);
	for (int i = 0; i < 2; i++) {
		pthread_join(job[i].thread, NULL);
		CHECK_EQ(job[i].ret, 0);
		image_fill(want, job[i].off, sizeof(want), 1);
		CHECK_EQ(image_io(d, DISK_READ, job[i].off, buf, sizeof(buf)), 0);
		CHECK_MEM(buf, want, sizeof(buf));
	}
	disk_close(d, NULL, "");

	d = image_open(opts);
	disk_when_full(d, told, &waiting);
	two_writes(d, job, &waiting);
	disk_cancel(d);
	for (int i = 0; i < 2; i++) {
		pthread_join(job[i].thread, NULL);
		CHECK_EQ(job[i].ret, -EINTR);
	}
	__atomic_store_n(&full, false, __ATOMIC_RELEASE);
	disk_close(d, NULL, "");
}

TEST(raw)
{
	waits((struct disk_options){ .file = "new:1M" });
}

TEST(qcow2)
{
	struct image_check check = { .repair = false };
	struct opt_err err;

	image_make((struct image_create){ .file = scratch("a.qcow2"), .size = 1 << 20, .cluster = 4096 });
	waits((struct disk_options){ .file = scratch("a.qcow2") });
	CHECK_EQ(image_check(scratch("a.qcow2"), DISK_FORMAT_AUTO, &check, &err), 0);
	CHECK_EQ(check.errors, 0);
	CHECK_EQ(check.leaks, 0);
}

TEST(without_it_the_guest_is_told)
{
	struct disk *d = image_open((struct disk_options){ .file = "new:1M" });
	u8 buf[512] = { 0 };

	full = true;
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, sizeof(buf)), -ENOSPC);
	full = false;
	disk_close(d, NULL, "");
}

#define OUT	(32 * MIB)
#define IN	(33 * MIB)

static void held_write(struct driver *d)
{
	struct virtio_blk_outhdr head = { .type = htole32(VIRTIO_BLK_T_OUT) };

	CHECK_EQ(mem_write(&d->m->vm.mem, OUT, &head, sizeof(head)), 0);
	ring_add(&d->ring[0], OUT, sizeof(head) + 4096, IN, 1);
	driver_kick(d, 0);
	while (!(vm_held(&d->m->vm) & HOLD_ROOM))
		sched_yield();
}

/* The guest is held with its request in flight; it ends well, or a reset takes it back. */
TEST(the_machine_is_held)
{
	struct driver d = { 0 };
	struct machine m;
	u8 status = 0xaa;
	u32 id, len;

	setenv("TMPDIR", scratch_dir(), 1);
	machine_pci(&m);
	d.dev = machine_add(&m, "virtio-blk", "new:1M,werror=pause");
	machine_run(&m);
	driver_probe(&d, &m, d.dev);
	driver_start(&d, 64);
	__atomic_store_n(&full, true, __ATOMIC_RELEASE);
	held_write(&d);
	CHECK(!ring_take(&d.ring[0], &id, &len));
	__atomic_store_n(&full, false, __ATOMIC_RELEASE);
	pthread_mutex_lock(&m.vm.lock);
	vm_release(&m.vm, HOLD_ROOM);
	disk_retry(drive_find(&m.vm, "disk0")->disk);
	pthread_mutex_unlock(&m.vm.lock);
	CHECK(driver_wait(&d, 0, &id, &len));
	CHECK_EQ(len, 1);
	CHECK_EQ(mem_read(&m.vm.mem, IN, &status, 1), 0);
	CHECK_EQ(status, VIRTIO_BLK_S_OK);

	__atomic_store_n(&full, true, __ATOMIC_RELEASE);
	held_write(&d);
	driver_set_status(&d, 0);
	CHECK_EQ(driver_status(&d), 0);
	__atomic_store_n(&full, false, __ATOMIC_RELEASE);
	machine_free(&m);
}
