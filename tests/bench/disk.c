// SPDX-License-Identifier: GPL-2.0
/*
 * A disk alone, without a guest: disk FILE[,raw|qcow2] read|write BYTES COUNT STEP THREADS
 * serves COUNT requests of BYTES each at multiples of STEP, which wrap at the end, as
 * "qemu-img bench" does; STEP 0: at random. Prints seconds and requests a second; a
 * flush after writes is not in them.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kvm/disk.h>
#include <kvm/opt.h>

struct bench {
	struct disk *disk;
	enum disk_op op;
	u64 bytes, count, step;
	unsigned int threads;
};

struct worker {
	pthread_t thread;
	const struct bench *bench;
	unsigned int nr;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct bench *b = w->bench;
	u64 size = disk_size(b->disk), seed = w->nr + 1;
	struct iovec iov = { .iov_len = b->bytes };

	if (posix_memalign(&iov.iov_base, 4096, b->bytes))
		abort();
	memset(iov.iov_base, 'x', b->bytes);
	for (u64 i = w->nr; i < b->count; i += b->threads) {
		struct iov_iter data;
		struct disk_req req = { .op = b->op, .len = b->bytes, .data = &data };
		u64 at = i * b->step;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		if (!b->step)
			at = (seed >> 20) * b->bytes;
		req.off = at % (size / b->bytes * b->bytes);
		iov_iter_init(&data, &iov, 1);
		if (!disk_allows(b->disk, &req) || disk_serve(b->disk, &req)) {
			fprintf(stderr, "request at %llu failed\n", (unsigned long long)req.off);
			exit(1);
		}
	}
	free(iov.iov_base);
	return NULL;
}

int main(int argc, char **argv)
{
	struct disk_options opts = { .block = 512, .anywhere = true };
	static const struct disk_req flush = { .op = DISK_FLUSH };
	struct bench b = { 0 };
	struct worker w[64];
	struct timespec t0, t1;
	struct opt_err err;
	double s;
	char *comma;

	if (argc != 7)
		return 2;
	comma = strchr(argv[1], ',');
	if (comma) {
		*comma++ = '\0';
		opts.format = !strcmp(comma, "qcow2") ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW;
	}
	opts.file = argv[1];
	b.op = !strcmp(argv[2], "write") ? DISK_WRITE : DISK_READ;
	b.bytes = strtoull(argv[3], NULL, 0);
	b.count = strtoull(argv[4], NULL, 0);
	b.step = strtoull(argv[5], NULL, 0);
	b.threads = strtoul(argv[6], NULL, 0);
	if (!b.threads || b.threads > 64)
		return 2;
	if (disk_open(&b.disk, &opts, NULL, "", &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (unsigned int i = 0; i < b.threads; i++) {
		w[i] = (struct worker){ .bench = &b, .nr = i };
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			return 1;
	}
	for (unsigned int i = 0; i < b.threads; i++)
		pthread_join(w[i].thread, NULL);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	if (b.op == DISK_WRITE && disk_serve(b.disk, &flush))
		return 1;
	s = (t1.tv_sec - t0.tv_sec) + (t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("%.3f s, %.0f requests a second\n", s, b.count / s);
	disk_close(b.disk, NULL, "");
	return 0;
}
