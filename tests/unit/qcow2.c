// SPDX-License-Identifier: GPL-2.0
/* qcow2 images without a guest, and with QEMU's programs as the other implementation. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/state.h>

#include "image.h"
#include "scratch.h"
#include "tap.h"

#define SIZE (4 * MIB)

/* The image and all that it should have, byte for byte. */
struct model {
	struct disk *d;
	u8 *want, *buf;
	u64 size;
	unsigned int seed;
};

static void model_check(struct model *m)
{
	CHECK_EQ(image_io(m->d, DISK_READ, 0, m->buf, m->size), 0);
	CHECK_MEM(m->buf, m->want, m->size);
}

static void model_step(struct model *m, u32 n)
{
	u64 blocks = m->size / 512, at = rand_r(&m->seed) % blocks, most = rand_r(&m->seed) % 4 ? 16 : 600;
	u64 nr = 1 + rand_r(&m->seed) % min(blocks - at, most), off = at * 512, len = nr * 512;

	switch (rand_r(&m->seed) % 8) {
	case 0: case 1: case 2:
		image_fill(m->buf, off, len, n);
		memcpy(m->want + off, m->buf, len);
		CHECK_EQ(image_io(m->d, DISK_WRITE, off, m->buf, len), 0);
		break;
	case 3:
		memset(m->want + off, 0, len);
		CHECK_EQ(image_io(m->d, DISK_ZERO, off, NULL, len), 0);
		break;
	case 4:
		CHECK_EQ(image_io(m->d, DISK_DISCARD, off, NULL, len), 0);
		CHECK_EQ(image_io(m->d, DISK_READ, off, m->buf, len), 0);
		for (u64 i = 0; i < len; i++)
			CHECK(!m->buf[i] || m->buf[i] == m->want[off + i]);
		memcpy(m->want + off, m->buf, len);
		break;
	case 5:
		CHECK_EQ(image_io(m->d, DISK_FLUSH, 0, NULL, 0), 0);
		break;
	default:
		CHECK_EQ(image_io(m->d, DISK_READ, off, m->buf, len), 0);
		CHECK_MEM(m->buf, m->want + off, len);
	}
}

static void model_raw(const struct model *m, const char *name)
{
	int fd = open(scratch(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK_EQ(write(fd, m->want, m->size), m->size);
	close(fd);
}

static void model_start(struct model *m, u64 size, unsigned int seed)
{
	*m = (struct model){ .size = size, .seed = seed, .want = calloc(1, size), .buf = malloc(size) };
}

static void model_end(struct model *m)
{
	free(m->want);
	free(m->buf);
}

/* Random requests; then QEMU finds it clean and the same. */
static void at_random(struct model *m, const char *name, int steps)
{
	m->d = image_open((struct disk_options){ .file = scratch(name), .format = DISK_FORMAT_QCOW2, .verify = true });
	CHECK_EQ(disk_size(m->d), m->size);
	model_check(m);
	for (int i = 0; i < steps; i++)
		model_step(m, i + 1);
	model_check(m);
	disk_close(m->d, NULL, "");
	model_raw(m, "want");
	if (image_shell(false, "qemu-img check -f qcow2 %s && qemu-img compare -f qcow2 -F raw %s want", name, name))
		tap_fail(__FILE__, __LINE__, "%s is not what it should be", name);
	m->d = image_open((struct disk_options){ .file = scratch(name), .format = DISK_FORMAT_QCOW2, .ro = true });
	model_check(m);
	disk_close(m->d, NULL, "");
}

static const int widths[] = { 1, 2, 4, 8, 16, 32, 64 };

TEST_TIMEOUT(ours_of_all_sizes, 120)
{
	image_in_memory();
	image_needs_qemu();
	for (unsigned int bits = 9; bits <= 21; bits++) {
		struct model m;

		unlink(scratch("a"));
		model_start(&m, SIZE, bits);
		image_make((struct image_create){
			.file = scratch("a"), .format = DISK_FORMAT_QCOW2, .size = SIZE, .cluster = 1 << bits,
			.refcount_bits = widths[bits % ARRAY_SIZE(widths)],
		});
		CHECK_EQ(image_shell(false, "qemu-img check a"), 0);
		at_random(&m, "a", 150);
		model_end(&m);
	}
}

TEST_TIMEOUT(a_size_that_is_no_multiple, 60)
{
	image_in_memory();
	image_needs_qemu();
	for (int version = 2; version <= 3; version++) {
		struct model m;

		unlink(scratch("a"));
		model_start(&m, 1000 * 512, version);
		image_make((struct image_create){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .size = m.size, .version = version });
		at_random(&m, "a", 300);
		model_end(&m);
	}
}

/* What QEMU reads in @name is what is wanted from now on. */
static void model_from(struct model *m, const char *name)
{
	int fd;

	CHECK_EQ(image_shell(false, "qemu-img convert -f qcow2 -O raw %s want", name), 0);
	fd = open(scratch("want"), O_RDONLY);
	CHECK_EQ(read(fd, m->want, m->size), m->size);
	close(fd);
}

/* Made and filled by QEMU, read by us, written by us, checked by QEMU, written by QEMU, read by us. */
static void theirs(const char *make, unsigned int seed, int steps)
{
	struct model m;

	image_in_memory();
	image_needs_qemu();
	tap_note("%s", make);
	CHECK_EQ(image_shell(false, "rm -f a b c a.data; %s", make), 0);
	model_start(&m, SIZE, seed);
	model_from(&m, "a");
	at_random(&m, "a", steps);
	CHECK_EQ(image_shell(false, "qemu-io -f qcow2 -c 'write -P 17 100k 300k' -c 'write -z 1M 200k' -c 'discard 2M 300k' "
			     "-c 'write -P 34 3000k 5k' a && qemu-img check a"), 0);
	model_from(&m, "a");
	at_random(&m, "a", steps);
	model_end(&m);
}

#define FILL "qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 2 1500k 100k' -c 'write -z 1200k 64k' " \
	     "-c 'write -P 3 2049k 3k' -c 'discard 64k 128k'"

TEST_TIMEOUT(theirs_of_all_sizes, 120)
{
	for (unsigned int bits = 9; bits <= 21; bits += 4) {
		char make[300];

		snprintf(make, sizeof(make), "qemu-img create -q -f qcow2 -o cluster_size=%u,refcount_bits=%u a 4M && " FILL " a",
			 1 << bits, widths[(bits + 3) % ARRAY_SIZE(widths)]);
		theirs(make, bits, 60);
	}
}

TEST_TIMEOUT(version_2, 60)
{
	theirs("qemu-img create -q -f qcow2 -o compat=0.10,cluster_size=4k a 4M && " FILL " a", 1, 150);
}

TEST_TIMEOUT(a_backing_file, 60)
{
	theirs("qemu-img create -q -f qcow2 -o cluster_size=8k b 4M && " FILL " b && "
	       "qemu-img create -q -f qcow2 -b b -F qcow2 a 4M && qemu-io -f qcow2 -c 'write -P 9 40k 100k' a", 2, 150);
}

TEST_TIMEOUT(a_backing_file_of_version_2, 60)
{
	theirs("qemu-img create -q -f qcow2 b 4M && " FILL " b && "
	       "qemu-img create -q -f qcow2 -o compat=0.10,cluster_size=4k -b b -F qcow2 a 4M", 3, 150);
}

/* What is beyond its end reads as zeroes, also when a cluster is half there. */
TEST_TIMEOUT(a_raw_backing_file_that_is_shorter, 60)
{
	theirs("head -c 1500000 /dev/urandom > b; truncate -s 1500160 b; qemu-img create -q -f qcow2 -b b -F raw a 4M", 4, 150);
}

TEST_TIMEOUT(a_chain, 60)
{
	theirs("qemu-img create -q -f qcow2 c 2M && qemu-io -f qcow2 -c 'write -P 7 0 2M' c && "
	       "qemu-img create -q -f qcow2 -o cluster_size=512 -b c -F qcow2 b 3M && qemu-io -f qcow2 -c 'write -P 8 1M 30k' "
	       "-c 'write -z 1500k 10k' b && qemu-img create -q -f qcow2 -o cluster_size=32k -b b -F qcow2 a 4M", 5, 150);
}

TEST_TIMEOUT(extended_l2, 60)
{
	theirs("qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=64k a 4M && " FILL " a", 6, 200);
	theirs("qemu-img create -q -f qcow2 b 4M && " FILL " b && "
	       "qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=16k -b b -F qcow2 a 4M && " FILL " a", 7, 200);
}

TEST_TIMEOUT(compressed, 60)
{
	theirs("qemu-img create -q -f qcow2 b 4M && " FILL " b && qemu-io -f qcow2 -c 'write -s /bin/ls 3M 100k' b && "
	       "qemu-img convert -c -f qcow2 -O qcow2 -o cluster_size=64k b a", 8, 100);
	theirs("qemu-img create -q -f qcow2 b 4M && " FILL " b && qemu-io -f qcow2 -c 'write -s /bin/ls 3M 100k' b && "
	       "qemu-img convert -c -f qcow2 -O qcow2 -o cluster_size=2k b a", 9, 100);
}

TEST_TIMEOUT(compressed_on_extended_l2, 60)
{
	theirs("qemu-img create -q -f qcow2 b 4M && " FILL " b && "
	       "qemu-img convert -c -f qcow2 -O qcow2 -o extended_l2=on b a", 18, 100);
}

TEST_TIMEOUT(snapshots_stay_as_they_are, 60)
{
	image_in_memory();
	image_needs_qemu();
	for (int extended = 0; extended < 2; extended++) {
		struct image_info info;
		struct opt_err err;
		struct model m;

		CHECK_EQ(image_shell(false, "rm -f a; qemu-img create -q -f qcow2 -o extended_l2=%s a 4M && " FILL " a && "
				     "qemu-img snapshot -c first a && qemu-io -f qcow2 -c 'write -P 66 1M 1M' a && "
				     "qemu-img snapshot -c second a && qemu-img convert -f qcow2 -O raw -l first a first", extended ? "on" : "off"), 0);
		model_start(&m, SIZE, 10 + extended);
		model_from(&m, "a");
		at_random(&m, "a", 150);
		model_end(&m);
		CHECK_EQ(image_shell(false, "qemu-img convert -f qcow2 -O raw -l first a first.now && cmp first first.now"), 0);
		CHECK_EQ(image_info(&info, scratch("a"), DISK_FORMAT_QCOW2, &err), 0);
		CHECK_EQ(info.nr_snapshots, 2);
		CHECK_STR(info.snapshot[0].name, "first");
		CHECK_EQ(info.snapshot[1].size, SIZE);
		free(info.snapshot);

		model_start(&m, SIZE, 0);
		CHECK_EQ(image_shell(false, "mv first want"), 0);
		m.d = image_open((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .ro = true, .snapshot = "first" });
		int fd = open(scratch("want"), O_RDONLY);
		CHECK_EQ(read(fd, m.want, SIZE), SIZE);
		close(fd);
		model_check(&m);
		disk_close(m.d, NULL, "");
		model_end(&m);
	}
	image_refused((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .ro = true, .snapshot = "third" },
		      "no snapshot \"third\"");
	image_refused((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .snapshot = "first" }, "ro or cow");
}

TEST_TIMEOUT(a_data_file, 60)
{
	theirs("qemu-img create -q -f qcow2 -o data_file=a.data a 4M && " FILL " a", 12, 150);
	theirs("qemu-img create -q -f qcow2 -o data_file=a.data,data_file_raw=on a 4M && " FILL " a", 13, 150);
	CHECK_EQ(image_shell(false, "cmp a.data want"), 0);
	theirs("qemu-img create -q -f qcow2 -o data_file=a.data,extended_l2=on a 4M && " FILL " a", 14, 150);
}

TEST_TIMEOUT(lazy_refcounts, 60)
{
	theirs("qemu-img create -q -f qcow2 -o lazy_refcounts=on,cluster_size=4k a 4M && " FILL " a", 15, 150);
	/* The header was asked for, so it stays. */
	CHECK_EQ(image_shell(false, "qemu-img info a | grep 'lazy refcounts: true'"), 0);
}

TEST_TIMEOUT(preallocated, 60)
{
	theirs("qemu-img create -q -f qcow2 -o preallocation=metadata a 4M && " FILL " a", 16, 150);
	theirs("qemu-img create -q -f qcow2 -o preallocation=falloc,cluster_size=4k a 4M && qemu-io -f qcow2 -c 'write -z 0 4M' a", 17, 150);
}

/* What O_DIRECT does not take is copied, and tables go their own way. */
TEST_TIMEOUT(direct, 60)
{
	struct disk_options opts = { .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .direct = true, .block = 4096 };
	u8 *buf = malloc(SIZE + 1), *got = malloc(SIZE + 1);
	struct disk *d;
	int fd;

	image_make((struct image_create){ .file = opts.file, .format = DISK_FORMAT_QCOW2, .size = SIZE });
	fd = open(opts.file, O_RDONLY | O_DIRECT);
	if (fd < 0)
		SKIP("no direct I/O here");
	close(fd);
	d = image_open(opts);
	image_fill(buf + 1, 0, SIZE, 1);
	CHECK_EQ(image_io(d, DISK_WRITE, 4096, buf + 4097, 4096), 0);
	CHECK_EQ(image_io(d, DISK_WRITE, 65536 * 3 + 4096, buf + 65536 * 3 + 4097, 65536 * 3), 0);
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf + 1, SIZE), 0);
	CHECK_EQ(image_io(d, DISK_READ, 0, got + 1, SIZE), 0);
	CHECK_MEM(got + 1, buf + 1, SIZE);
	CHECK_EQ(image_io(d, DISK_ZERO, 0, NULL, SIZE - 4096), 0);
	disk_close(d, NULL, "");
	d = image_open(opts);
	CHECK_EQ(image_io(d, DISK_READ, 0, got, SIZE), 0);
	for (u64 i = 0; i < SIZE - 4096; i++)
		CHECK_EQ(got[i], 0);
	CHECK_MEM(got + SIZE - 4096, buf + 1 + SIZE - 4096, 4096);
	disk_close(d, NULL, "");
	free(buf);
	free(got);
}

/* What is discarded gives its room back, and the room is used again. */
TEST(room_is_given_back)
{
	struct stat full, empty, again;
	struct disk *d;
	u8 *buf = malloc(SIZE);

	image_make((struct image_create){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .size = SIZE });
	d = image_open((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .verify = true });
	image_fill(buf, 0, SIZE, 1);
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, SIZE), 0);
	CHECK_EQ(image_io(d, DISK_FLUSH, 0, NULL, 0), 0);
	CHECK_EQ(stat(scratch("a"), &full), 0);
	CHECK_EQ(image_io(d, DISK_DISCARD, 0, NULL, SIZE), 0);
	CHECK_EQ(image_io(d, DISK_FLUSH, 0, NULL, 0), 0);
	CHECK_EQ(stat(scratch("a"), &empty), 0);
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, SIZE), 0);
	CHECK_EQ(image_io(d, DISK_FLUSH, 0, NULL, 0), 0);
	CHECK_EQ(stat(scratch("a"), &again), 0);
	CHECK_EQ(again.st_size, full.st_size);
	disk_close(d, NULL, "");
	free(buf);
	if (full.st_blocks * 512 < (long)SIZE)
		SKIP("the file system packs what is written");
	CHECK(empty.st_blocks * 512 < (long)SIZE / 4);
}

TEST_TIMEOUT(copies, 60)
{
	image_needs_qemu();
	if (!getenv("LKVM"))
		SKIP("no lkvm: $LKVM names it");
	CHECK_EQ(image_shell(false, "qemu-img create -q -f qcow2 b.qcow2 4M && " FILL " b.qcow2 && "
		"qemu-img create -q -f qcow2 -b b.qcow2 -F qcow2 a.qcow2 && qemu-io -f qcow2 -c 'write -P 9 1M 64k' a.qcow2"), 0);
	CHECK_EQ(image_shell(false, "$LKVM disk convert a.qcow2 a.img && qemu-img compare -f qcow2 -F raw a.qcow2 a.img && "
		"$LKVM disk convert --cluster 4K a.img c.qcow2 && qemu-img check c.qcow2 && qemu-img compare -f raw -F qcow2 a.img c.qcow2 && "
		"test $(du -k a.img | cut -f1) -lt 2048 && ! $LKVM disk convert a.img c.qcow2"), 0);
	/* Where what is, in the words of both. */
	CHECK_EQ(image_shell(false, "$LKVM disk map --json a.qcow2 >ours && qemu-img map --output=json a.qcow2 >theirs && python3 -c '"
		"import json\n"
		"def read(f):\n"
		" out = []\n"
		" for e in json.load(open(f)):\n"
		"  for at in range(0, e[\"length\"], 512):\n"
		"   where = None if e[\"zero\"] else (e[\"depth\"], e[\"offset\"] + at)\n"
		"   out.append(where)\n"
		" return out\n"
		"assert read(\"ours\") == read(\"theirs\")'"), 0);
}

/* It grows, its L1 table moves, and nothing is lost. */
TEST_TIMEOUT(growing, 60)
{
	image_in_memory();
	image_needs_qemu();
	for (unsigned int cluster = 512; cluster <= 65536; cluster *= 128) {
		struct opt_err err;
		struct model m;

		unlink(scratch("a"));
		image_make((struct image_create){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .size = SIZE, .cluster = cluster });
		model_start(&m, SIZE, cluster);
		at_random(&m, "a", 50);
		model_end(&m);
		model_start(&m, 2 * SIZE, cluster);
		m.d = image_open((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2, .verify = true });
		CHECK_EQ(image_io(m.d, DISK_READ, 0, m.want, SIZE), 0);
		CHECK_EQ(image_io(m.d, DISK_WRITE, 0, m.want, 65536), 0);
		CHECK_EQ(disk_resize(m.d, SIZE / 2, &err), -ENOTSUP);
		if (disk_resize(m.d, 2 * SIZE, &err))
			tap_fail(__FILE__, __LINE__, "%s", err.text);
		CHECK_EQ(disk_size(m.d), 2 * SIZE);
		disk_close(m.d, NULL, "");
		at_random(&m, "a", 100);
		model_end(&m);
	}
}

static void kept_has(struct disk_options opts, u8 first)
{
	struct disk *d = image_open(opts);
	u8 buf[512];

	CHECK_EQ(image_io(d, DISK_READ, 0, buf, sizeof(buf)), 0);
	CHECK_EQ(buf[0], first);
	memset(buf, first + 1, sizeof(buf));
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, sizeof(buf)), 0);
	disk_close(d, NULL, "");
}

TEST(what_is_written_over_an_image_is_kept)
{
	struct disk_options opts = { .file = scratch("image.qcow2"), .cow_file = scratch("kept.qcow2") };
	struct stat before, after;

	image_make((struct image_create){ .file = opts.file, .size = MIB });
	CHECK_EQ(stat(opts.file, &before), 0);
	kept_has(opts, 0);
	kept_has(opts, 1);
	kept_has((struct disk_options){ .file = scratch("kept.qcow2"), .anywhere = true }, 2);
	CHECK_EQ(stat(opts.file, &after), 0);
	CHECK_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	opts.ro = true;
	image_refused(opts, "not with ro");
	opts.ro = false;
	opts.cow_file = scratch("kept.img");
	image_refused(opts, "kept.img.qcow2");
	scratch_file("raw", "raw");
	opts.file = scratch("raw");
	opts.cow_file = scratch("kept.qcow2");
	image_refused(opts, "not on");
	/* A clone, where there can be one. */
	opts.cow_file = scratch("clone");
	if (image_shell(true, "cp --reflink=always raw clone; s=$?; rm -f clone; test $s = 0")) {
		image_refused(opts, "no clone of");
		CHECK(access(scratch("clone"), F_OK));
	} else {
		kept_has(opts, 'r');
		kept_has(opts, 's');
		kept_has((struct disk_options){ .file = scratch("raw") }, 'r');
	}
}

static int state_of(struct disk *d, void **data, size_t *len)
{
	const void *written;
	struct state *s;
	int ret;

	CHECK_EQ(*data ? state_read(&s, *data, *len) : state_write(&s, STATE_ALL), 0);
	ret = disk_state(d, s);
	if (!*data && !ret) {
		CHECK_EQ(state_written(s, &written, len), 0);
		*data = malloc(*len);
		memcpy(*data, written, *len);
	}
	state_free(s);
	return ret;
}

/* A machine's state names the image as it was; what is behind it, too. */
TEST(a_state_wants_the_same_image)
{
	struct disk_options opts = { .file = scratch("a.qcow2") };
	u8 buf[65536] = { 1 };
	void *data = NULL;
	struct disk *d;
	size_t len;

	image_make((struct image_create){ .file = scratch("b.qcow2"), .size = MIB });
	image_make((struct image_create){ .file = opts.file, .backing = "b.qcow2", .backing_format = DISK_FORMAT_QCOW2, .lazy = true });
	d = image_open(opts);
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, sizeof(buf)), 0);
	CHECK_EQ(state_of(d, &data, &len), 0);
	disk_close(d, NULL, "");
	d = image_open(opts);
	CHECK_EQ(state_of(d, &data, &len), 0);
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, sizeof(buf)), 0);
	CHECK(state_of(d, &data, &len));
	disk_close(d, NULL, "");
	free(data);
}
