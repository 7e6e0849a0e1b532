// SPDX-License-Identifier: GPL-2.0
/* The log of a disk's writes, and the states that it stands for. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/loop.h>
#include <kvm/opt.h>
#include <kvm/replay.h>

#include "scratch.h"
#include "tap.h"

#define BLOCKS	64
#define SIZE	(BLOCKS * 512)

static struct opt_err why;
static struct disk *disk;
static struct replay *replay;

static void image(size_t len)
{
	int fd = open(scratch("image"), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK_EQ(ftruncate(fd, len), 0);
	close(fd);
}

/* The disk is a copy: the image stays as it was when the log began. */
static void start(void)
{
	struct disk_options opts = { .file = scratch("image"), .cow = true, .log = scratch("log"), .block = 512 };

	setenv("TMPDIR", scratch_dir(), 1);
	image(SIZE);
	if (disk_open(&disk, &opts, NULL, "disk", &why))
		tap_fail(__FILE__, __LINE__, "%s", why.text);
}

static void end(void)
{
	disk_close(disk, NULL, "disk");
	if (replay_open(&replay, scratch("log"), scratch("image"), DISK_FORMAT_AUTO, &why))
		tap_fail(__FILE__, __LINE__, "%s", why.text);
}

static void ask(enum disk_op op, u32 block, u32 nr, char fill, bool durable)
{
	char *buf = malloc(nr * 512 + 1);
	struct iovec iov = { .iov_base = buf, .iov_len = nr * 512 };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = block * 512, .len = nr * 512, .data = &data, .durable = durable };

	memset(buf, fill, nr * 512);
	iov_iter_init(&data, &iov, 1);
	CHECK_EQ(disk_serve(disk, &req), 0);
	free(buf);
}

static void put(u32 block, u32 nr, char fill)
{
	ask(DISK_WRITE, block, nr, fill, false);
}

static void flush(void)
{
	ask(DISK_FLUSH, 0, 0, 0, false);
}

static char sector(u32 block)
{
	char buf[512];

	CHECK_EQ(replay_read(replay, block * 512, buf, 512), 0);
	for (int i = 1; i < 512; i++)
		CHECK_EQ(buf[i], buf[0]);
	return buf[0];
}

/* After each entry the state is what the disk was. */
TEST(states_at_entries)
{
	enum { STEPS = 200 };
	char (*want)[SIZE] = calloc(STEPS + 1, SIZE), *buf = malloc(SIZE);

	srandom(1);
	start();
	for (int i = 0; i < STEPS; i++) {
		u32 block = random() % BLOCKS, nr = 1 + random() % (BLOCKS - block), what = random() % 10;
		char c = what < 7 ? 1 + i % 100 : 0;

		memcpy(want[i + 1], want[i], SIZE);
		if (what == 9) {
			flush();
			continue;
		}
		memset(want[i + 1] + block * 512, c, nr * 512);
		ask(what < 7 ? DISK_WRITE : what == 7 ? DISK_ZERO : DISK_DISCARD, block, nr, c, what == 6);
	}
	end();
	CHECK_EQ(replay_entries(replay), STEPS);
	CHECK_EQ(replay_size(replay), SIZE);
	for (int i = 0; i <= 2 * STEPS; i++) {
		int at = i <= STEPS ? i : random() % (STEPS + 1);
		u32 off = random() % SIZE, len = random() % (SIZE - off + 1);

		CHECK_EQ(replay_at(replay, at), 0);
		CHECK_EQ(replay_read(replay, off, buf, len), 0);
		CHECK_MEM(buf, want[at] + off, len);
		/* What is written to a state is there, */
		memset(buf, 'w', len);
		CHECK_EQ(i % 3 ? replay_write(replay, off, buf, len) : replay_zero(replay, off, len), 0);
		memset(want[at] + off, i % 3 ? 'w' : 0, len);
		CHECK_EQ(replay_read(replay, 0, buf, SIZE), 0);
		CHECK_MEM(buf, want[at], SIZE);
		/* and gone with it. */
		CHECK_EQ(replay_at(replay, at), 0);
		CHECK_EQ(replay_read(replay, 0, want[at], SIZE), 0);
	}
	CHECK_EQ(replay_read(replay, SIZE - 1, buf, 2), -EINVAL);
	CHECK_EQ(replay_write(replay, ~0ULL, buf, 2), -EINVAL);
	CHECK_EQ(replay_zero(replay, 512, ~0ULL), -EINVAL);
	replay_close(replay);
	free(want);
	free(buf);
}

/* What was flushed is there in each state, and each kind of loss comes. */
TEST(states_after_a_power_cut)
{
	unsigned int lost = 0, reordered = 0, torn = 0, late = 0;

	start();
	put(0, 8, 'F');
	flush();
	put(8, 8, 'A');
	put(16, 8, 'B');
	ask(DISK_WRITE, 24, 1, 'D', true);
	put(8, 8, 'C');
	flush();
	put(0, 8, 'X');
	end();
	CHECK_EQ(replay_flush(replay, 0), 1);
	CHECK_EQ(replay_flush(replay, 2), 6);
	CHECK_EQ(replay_flush(replay, 7), replay_entries(replay));
	for (u64 seed = 0; seed < 256; seed++) {
		unsigned int b = 0, c = 0;

		CHECK_EQ(replay_cut(replay, 1, 6, seed), 0);
		for (u32 i = 0; i < 8; i++) {
			CHECK_EQ(sector(i), 'F');
			CHECK(strchr("AC", sector(8 + i)) || !sector(8 + i));
			CHECK(sector(16 + i) == 'B' || !sector(16 + i));
			b += sector(16 + i) == 'B';
			c += sector(8 + i) == 'C';
		}
		/* Complete and FUA: gone only if the power failed before it. */
		CHECK(sector(24) == 'D' || (!c && !sector(24)));
		lost += !b;
		reordered += !b && c;
		torn += b && b < 8;
		late += sector(24) != 'D';
	}
	if (lost <= 10 || reordered <= 2 || torn <= 10 || late <= 10)
		tap_fail(__FILE__, __LINE__, "%u lost, %u reordered, %u torn, %u late", lost, reordered, torn, late);
	replay_close(replay);
}

TEST(marks)
{
	char *text;

	start();
	put(0, 1, 'a');
	CHECK_EQ(disk_mark(disk, "mkfs is done"), 0);
	put(0, 1, 'b');
	CHECK_EQ(disk_mark(disk, ""), 0);
	put(0, 1, 'c');
	end();
	CHECK_EQ(replay_mark(replay, "mkfs is done", 0), 1);
	CHECK_EQ(replay_mark(replay, "mkfs", 0), 5);
	CHECK_EQ(replay_mark(replay, "", 0), 3);
	text = replay_text(replay, 1);
	CHECK_STR(text, "mkfs is done");
	free(text);
	CHECK(!replay_text(replay, 0));
	CHECK_EQ(replay_at(replay, 4), 0);
	CHECK_EQ(sector(0), 'b');
	CHECK(replay_writes(replay, 0, 1) && !replay_writes(replay, 1, 2) && replay_writes(replay, 1, 3));
	replay_close(replay);
}

/* As dm-log-writes has it: the header, then an entry in a sector of its own, then data. */
TEST(format)
{
	u64 head[3], entry[4];
	char data[512];
	u32 size;
	int fd;

	start();
	put(3, 2, 'a');
	flush();
	ask(DISK_DISCARD, 8, 8, 0, false);
	ask(DISK_WRITE, 1, 1, 'b', true);
	disk_close(disk, NULL, "disk");
	fd = open(scratch("log"), O_RDONLY);
	CHECK_EQ(pread(fd, head, 24, 0), 24);
	CHECK_EQ(pread(fd, &size, 4, 24), 4);
	CHECK(le64toh(head[0]) == 0x6a736677736872ULL && le64toh(head[1]) == 1 && le64toh(head[2]) == 4);
	CHECK_EQ(le32toh(size), 512);
	CHECK_EQ(pread(fd, entry, 32, 512), 32);
	CHECK(le64toh(entry[0]) == 3 && le64toh(entry[1]) == 2 && !entry[2] && !entry[3]);
	CHECK_EQ(pread(fd, data, 512, 1536), 512);
	CHECK(data[0] == 'a' && data[511] == 'a');
	CHECK_EQ(pread(fd, entry, 32, 2048), 32);
	CHECK(!entry[0] && !entry[1] && le64toh(entry[2]) == 1);
	CHECK_EQ(pread(fd, entry, 32, 2560), 32);
	CHECK(le64toh(entry[0]) == 8 && le64toh(entry[1]) == 8 && le64toh(entry[2]) == 4);
	CHECK_EQ(pread(fd, entry, 32, 3072), 32);
	CHECK(le64toh(entry[0]) == 1 && le64toh(entry[1]) == 1 && le64toh(entry[2]) == 2);
	close(fd);
}

static void refused(const char *log, const char *text)
{
	CHECK(replay_open(&replay, log, scratch("image"), DISK_FORMAT_AUTO, &why) < 0);
	if (!strstr(why.text, text))
		tap_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", why.text, text);
}

static void patch(u64 off, u64 val, unsigned int len)
{
	int fd = open(scratch("log"), O_WRONLY);

	CHECK_EQ(pwrite(fd, &val, len, off), len);
	close(fd);
}

TEST(logs_that_are_none)
{
	start();
	put(0, 4, 'a');
	flush();
	disk_close(disk, NULL, "disk");
	refused(scratch("none"), "No such file");
	refused("/dev/null", "no log");
	refused(scratch("image"), "no log");
	patch(512 + 8, 5000, 8);
	refused(scratch("log"), "beyond the end");
	patch(512 + 8, 5, 8);
	refused(scratch("log"), "entry 1");
	patch(512 + 8, 4, 8);
	patch(512, ~0ULL, 8);
	refused(scratch("log"), "beyond the end");
	patch(512, 0, 8);
	patch(512 + 16, 1 << 7, 8);
	refused(scratch("log"), "flags");
	patch(512 + 16, 0, 8);
	CHECK_EQ(truncate(scratch("log"), 3080), 0);
	refused(scratch("log"), "entry 1");
	CHECK_EQ(truncate(scratch("log"), 2000), 0);
	refused(scratch("log"), "entry 0");
	patch(16, ~0ULL, 8);
	refused(scratch("log"), "last of its");
	patch(24, 100, 4);
	refused(scratch("log"), "sectors of 100");
	patch(8, 2, 8);
	refused(scratch("log"), "version 2");
}

/* What cannot be logged is refused before anything is changed. */
TEST(files_that_take_no_log)
{
	struct disk_options opts = { .file = scratch("image"), .log = scratch_dir(), .block = 512 };

	setenv("TMPDIR", scratch_dir(), 1);
	image(SIZE);
	CHECK(disk_open(&disk, &opts, NULL, "disk", &why) < 0);
	CHECK(strstr(why.text, "keep-log"));
	opts.log = "/dev/null";
	CHECK(disk_open(&disk, &opts, NULL, "disk", &why) < 0);
	CHECK(strstr(why.text, "no regular file"));
	opts.ro = true;
	CHECK(disk_open(&disk, &opts, NULL, "disk", &why) < 0);
	CHECK(strstr(why.text, "neither volatile nor keep-log"));
}

/* The command, on files that a shell opens. */

int lkvm_main(int argc, char **argv);

static int command(char **words, char *out, size_t size)
{
	char *argv[32] = { "lkvm", "disk", "replay", (char *)scratch("log"), (char *)scratch("image") };
	int fd = open(scratch("out"), O_RDWR | O_CREAT | O_TRUNC, 0600), argc = 5, status;
	ssize_t n;
	pid_t pid;

	while (*words)
		argv[argc++] = *words++;
	pid = fork();
	if (!pid) {
		dup2(fd, 1);
		dup2(fd, 2);
		exit(lkvm_main(argc, argv));
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	n = pread(fd, out, size - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define COMMAND(out, ...) command((char *[]){ __VA_ARGS__, NULL }, out, sizeof(out))

static void says(const char *out, const char *text)
{
	if (!strstr(out, text))
		tap_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", out, text);
}

TEST_TIMEOUT(a_command_on_each_state, 60)
{
	char out[8192];
	int ret;

	start();
	put(0, 1, 'a');
	CHECK_EQ(disk_mark(disk, "first"), 0);
	put(1, 1, 'b');
	flush();
	put(2, 4, 'c');
	flush();
	disk_close(disk, NULL, "disk");
	ret = COMMAND(out, "--every-flush");
	says(out, "3 states");
	CHECK_EQ(ret, 0);
	ret = COMMAND(out, "--every-flush", "--states", "10");
	says(out, "23 states");
	CHECK_EQ(ret, 0);
	ret = COMMAND(out, "--at", "first", "--", "sh", "-c", "head -c 1 $0 && ! tail -c +513 $0 | grep -q b", "{}");
	if (strstr(out, "FUSE"))
		SKIP("no FUSE in a namespace here");
	says(out, "1 states, the command failed on 0");
	CHECK_EQ(ret, 0);
	/* What a command writes goes with its state. */
	ret = COMMAND(out, "--every-flush", "--states", "5", "--", "sh", "-ec",
		      "! grep -q written {}; echo written | dd of={} conv=notrunc status=none; sync {}; grep -q written {}");
	says(out, "13 states, the command failed on 0");
	CHECK_EQ(ret, 0);
	ret = COMMAND(out, "--every-flush", "--states", "20", "--", "sh", "-c",
		      "echo it says; ! grep -q cc {} || [ \"$(tr -d '\\0' <{} | wc -c)\" = 3072 ]");
	says(out, "it says");
	says(out, "--at 5 --seed");
	CHECK_EQ(ret, 1);
	ret = COMMAND(out, "--at", "2", "--", "sh", "-c", "kill -9 $$");
	says(out, "signal 9");
	CHECK_EQ(ret, 1);
	ret = COMMAND(out, "--at", "2", "--", "/nothing/there", "{}");
	says(out, "/nothing/there");
	CHECK_EQ(ret, 2);
}

TEST(commands_that_mean_nothing)
{
	char out[8192];

	start();
	put(0, 1, 'a');
	disk_close(disk, NULL, "disk");
	CHECK_EQ(COMMAND(out, "--at", "0", "--every-flush"), 2);
	says(out, "which states");
	CHECK_EQ(COMMAND(out, "--states", "1"), 2);
	says(out, "which states");
	CHECK_EQ(COMMAND(out, "--at", "2"), 2);
	says(out, "1 entries");
	CHECK_EQ(COMMAND(out, "--at", "then"), 2);
	says(out, "no such mark");
}
