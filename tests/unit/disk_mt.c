// SPDX-License-Identifier: GPL-2.0
/*
 * A disk that is copied on write, from several threads at a time, as the queues of a
 * device are: each has the blocks whose number gives its rest, so they are in each
 * other's words of the bitmap, and in each other's pages of the file.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <kvm/disk.h>
#include <kvm/opt.h>

#include "scratch.h"
#include "tap.h"

#define THREADS	4
#define BLOCKS	1024
#define ROUNDS	2000

struct worker {
	pthread_t thread;
	struct disk *disk;
	unsigned int nr;
};

static void io(struct disk *d, enum disk_op op, u64 block, u8 *buf)
{
	struct iovec iov = { .iov_base = buf, .iov_len = 512 };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = block * 512, .len = 512, .data = &data };

	iov_iter_init(&data, &iov, 1);
	CHECK(disk_allows(d, &req));
	CHECK_EQ(disk_serve(d, &req), 0);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	u8 want[BLOCKS / THREADS], buf[512];
	unsigned int seed = w->nr;

	memset(want, 'x', sizeof(want));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int own = rand_r(&seed) % (BLOCKS / THREADS);
		u64 block = own * THREADS + w->nr;

		switch (rand_r(&seed) % 4) {
		case 0:
			want[own] = i;
			memset(buf, i, sizeof(buf));
			io(w->disk, DISK_WRITE, block, buf);
			break;
		case 1:
			want[own] = 0;
			io(w->disk, DISK_ZERO, block, buf);
			break;
		default:
			io(w->disk, DISK_READ, block, buf);
			for (unsigned int b = 0; b < sizeof(buf); b++)
				CHECK_EQ(buf[b], want[own]);
		}
	}
	return NULL;
}

TEST_TIMEOUT(threads_do_not_meet, 60)
{
	struct disk_options opts = { .file = scratch("image"), .cow = true, .block = 512 };
	char *data = malloc(BLOCKS * 512);
	int fd = open(opts.file, O_WRONLY | O_CREAT, 0600);
	struct worker w[THREADS];
	struct opt_err err;
	struct disk *d;

	memset(data, 'x', BLOCKS * 512);
	CHECK_EQ(write(fd, data, BLOCKS * 512), BLOCKS * 512);
	close(fd);
	free(data);
	setenv("TMPDIR", scratch_dir(), 1);
	CHECK_EQ(disk_open(&d, &opts, NULL, "disk", &err), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .disk = d, .nr = i };
		CHECK_EQ(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	disk_close(d, NULL, "disk");
}
