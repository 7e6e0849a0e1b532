// SPDX-License-Identifier: GPL-2.0
/* Byte streams over scattered memory. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/iov.h>

#include "tap.h"

static char a[3], b[5], c[8];
static const struct iovec vec[] = {
	{ a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) }, { NULL, 0 }, { c, sizeof(c) },
};

static struct iov_iter iter(void)
{
	struct iov_iter i;

	iov_iter_init(&i, vec, ARRAY_SIZE(vec));
	return i;
}

TEST(copies_cross_segments_and_stop_at_the_end)
{
	struct iov_iter i = iter();
	char out[32];

	CHECK_EQ(iov_iter_count(&i), 16);
	CHECK_EQ(copy_to_iter("0123456789", 10, &i), 10);
	CHECK_EQ(iov_iter_count(&i), 6);
	CHECK_EQ(copy_to_iter("abcdefghij", 10, &i), 6);
	CHECK_EQ(copy_to_iter("x", 1, &i), 0);
	CHECK_MEM(a, "012", 3);
	CHECK_MEM(b, "34567", 5);
	CHECK_MEM(c, "89abcdef", 8);
	i = iter();
	CHECK_EQ(copy_from_iter(out, 2, &i), 2);
	CHECK_EQ(copy_from_iter(out + 2, sizeof(out), &i), 14);
	CHECK_MEM(out, "0123456789abcdef", 16);
	i = iter();
	CHECK_EQ(iov_iter_advance(&i, 4), 4);
	CHECK_EQ(iov_iter_zero(5, &i), 5);
	CHECK_MEM(b, "3\0\0\0\0", 5);
	CHECK_MEM(c, "\0" "9abcdef", 8);
	CHECK_EQ(iov_iter_advance(&i, 100), 7);
}

TEST(truncate_and_split)
{
	struct iov_iter i = iter(), part;

	CHECK(!iov_iter_split(&i, 17, &part));
	CHECK(!iov_iter_split_tail(&i, 17, &part));
	CHECK(iov_iter_split(&i, 4, &part));
	CHECK_EQ(copy_to_iter("HHHHHH", 6, &part), 4);
	CHECK(iov_iter_split_tail(&i, 1, &part));
	CHECK_EQ(copy_to_iter("TT", 2, &part), 1);
	CHECK_EQ(iov_iter_count(&i), 11);
	iov_iter_truncate(&i, 2);
	CHECK_EQ(copy_to_iter("mmm", 3, &i), 2);
	CHECK_MEM(a, "HHH", 3);
	CHECK_MEM(b, "Hmm", 3);
	CHECK_EQ(c[7], 'T');
	iov_iter_truncate(&i, 100);
	CHECK_EQ(iov_iter_count(&i), 0);
}

TEST(files_at_an_offset)
{
	struct iov_iter i = iter();
	int fd = memfd_create("test", 0);

	CHECK_EQ(write(fd, "0123456789abcdefgh", 18), 18);
	CHECK_EQ(iov_iter_read(&i, fd, 100, 1, 0), 16);
	CHECK_MEM(c, "9abcdefg", 8);
	i = iter();
	CHECK_EQ(iov_iter_read(&i, fd, 4, 16, 0), 2);	/* end of file */
	CHECK_EQ(iov_iter_count(&i), 14);
	CHECK_EQ(iov_iter_read(&i, fd, 4, 18, 0), 0);
	i = iter();
	CHECK_EQ(iov_iter_write(&i, fd, 5, 100, 0), 5);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 105);
	CHECK_EQ(iov_iter_read(&i, -1, 1, 0, 0), -EBADF);
}

TEST(more_segments_than_one_system_call_takes)
{
	enum { N = 300 };
	static char buf[N * 3], want[N * 3];
	struct iovec many[N];
	struct iov_iter i;
	int fd = memfd_create("test", 0), n;

	for (n = 0; n < N; n++)
		many[n] = (struct iovec) { buf + (N - 1 - n) * 3, 3 };
	for (n = 0; n < N * 3; n++)
		want[n] = n * 7;
	CHECK_EQ(write(fd, want, sizeof(want)), sizeof(want));
	iov_iter_init(&i, many, N);
	CHECK_EQ(iov_iter_read(&i, fd, sizeof(want), 0, 0), sizeof(want));
	for (n = 0; n < N; n++)
		CHECK_MEM(many[n].iov_base, want + n * 3, 3);
	iov_iter_init(&i, many, N);
	CHECK_EQ(iov_iter_write(&i, fd, sizeof(want), 1000, 0), sizeof(want));
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(pread(fd, buf, sizeof(buf), 1000), sizeof(buf));
	CHECK_MEM(buf, want, sizeof(want));
}

TEST(a_packet_is_moved_whole_or_not_at_all)
{
	static char text[IOV_MAX + 1];
	struct msghdr msg = { 0 };
	static struct iovec iov[IOV_MAX + 1];
	struct iov_iter i;
	char back[sizeof(text)];
	int fd[2], n;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	for (n = 0; n < IOV_MAX + 1; n++) {
		text[n] = n;
		iov[n] = (struct iovec) { text + n, 1 };
	}
	iov_iter_init(&i, iov, IOV_MAX + 1);
	CHECK_EQ(iov_iter_write_packet(&i, fd[0]), -EMSGSIZE);
	CHECK_EQ(iov_iter_count(&i), IOV_MAX + 1);
	CHECK_EQ(recv(fd[1], back, sizeof(back), MSG_DONTWAIT), -1);

	CHECK_EQ(iov_iter_sendmsg(&i, fd[0], SIZE_MAX, &msg, 0), -EMSGSIZE);
	CHECK_EQ(iov_iter_recvmsg(&i, fd[0], SIZE_MAX, &msg, MSG_DONTWAIT), -EMSGSIZE);
	CHECK_EQ(iov_iter_count(&i), IOV_MAX + 1);
	iov_iter_init(&i, iov, IOV_MAX);
	CHECK_EQ(iov_iter_write_packet(&i, fd[0]), IOV_MAX);
	CHECK_EQ(iov_iter_count(&i), 0);
	CHECK_EQ(recv(fd[1], back, sizeof(back), MSG_DONTWAIT), IOV_MAX);
	CHECK_MEM(back, text, IOV_MAX);

	CHECK_EQ(send(fd[0], "packet", 6, 0), 6);
	CHECK_EQ(send(fd[0], "next", 4, 0), 4);
	iov_iter_init(&i, iov, 300);
	CHECK_EQ(iov_iter_read_packet(&i, fd[1]), 6);
	CHECK_EQ(iov_iter_count(&i), 294);
	CHECK_MEM(text, "packet", 6);
	close(fd[0]);
	close(fd[1]);
}

TEST(random_fills_all)
{
	static char big[5000];
	struct iovec one = { big, sizeof(big) };
	struct iov_iter i;
	int n, zero = 0;

	iov_iter_init(&i, &one, 1);
	CHECK_EQ(iov_iter_getrandom(&i, 4900), 4900);
	for (n = 0; n < 4900; n++)
		zero += !big[n];
	CHECK(zero < 100);
	for (n = 4900; n < 5000; n++)
		CHECK(!big[n]);
}
