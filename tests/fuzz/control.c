// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz a control socket: a client sends any bytes in any pieces, with descriptors of any
 * kind, and hangs up at any time. Each descriptor ends up with the verb that declares it, or
 * closed; none is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/control.h>

#include "fuzz_input.h"
#include "scratch.h"

#define PIECE_MAX	64

static struct control *control;
static struct loop *loop;
static int kinds[8];

static int verb_take(void *obj, const char *arg, struct control_reply *reply)
{
	unsigned int n = arg[0] & 3;
	int fd = control_take(reply, n);

	if (fd >= 0)
		close(fd);
	control_value(reply, "arg", "%s", arg);
	return fd >= 0 ? 0 : control_refuse(reply, -EBADF, "%s", arg);
}

static const struct control_verb verbs[] = {
	{ "i", "", verb_take },
	{ "f", "", verb_take, .need = 1, .fd = { CONTROL_FILE | CONTROL_READ, CONTROL_KINDS, CONTROL_SOCKET } },
	{ "p", "", verb_take, .fd = { CONTROL_PIPE | CONTROL_WRITE, CONTROL_CHAR | CONTROL_DIR } },
	{ .verb = NULL }
};

static void stop(struct work *w)
{
	loop_stop(loop);
}

/* One round: the server takes a connection, or one piece of each. */
static void serve(void)
{
	struct work work = { .fn = stop };

	loop_post(loop, &work);
	loop_run(loop);
}

static void set_up(void)
{
	struct opt_err err;
	int p[2];

	if (control)
		return;
	setenv("XDG_RUNTIME_DIR", scratch_dir(), 1);
	require(!control_open(&control, "vm", NULL, &err), "no socket");
	require(!loop_new(&loop, NULL) && !control_attach(control, loop, verbs), "no loop");
	require(!pipe2(p, O_CLOEXEC), "no pipe");
	kinds[0] = open(scratch("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	kinds[1] = open(scratch("file"), O_RDONLY | O_CLOEXEC);
	kinds[2] = open(scratch("file"), O_PATH | O_CLOEXEC);
	kinds[3] = open("/", O_RDONLY | O_CLOEXEC);
	kinds[4] = open("/dev/null", O_RDWR | O_CLOEXEC);
	kinds[5] = p[0];
	kinds[6] = p[1];
	kinds[7] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void send_piece(int sock, const uint8_t *data, size_t len, unsigned int nr, unsigned int kind)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * CONTROL_FDS_MAX * sizeof(int))];
	} cmsg;
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned int i;

	memset(&cmsg, 0, sizeof(cmsg));
	cmsg.head = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
				       .cmsg_len = CMSG_LEN(nr * sizeof(int)) };
	for (i = 0; i < nr; i++)
		memcpy(CMSG_DATA(&cmsg.head) + i * sizeof(int), &kinds[(kind + i) % ARRAY_SIZE(kinds)], sizeof(int));
	if (nr) {
		msg.msg_control = &cmsg;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
	}
	if (len)
		sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int first_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct opt_err err;
	int sock, before, rounds;
	size_t piece;

	set_up();
	before = first_free();
	sock = control_connect("vm", &err);
	require(sock >= 0, "no connection");
	serve();
	while (len > 2) {
		piece = data[0] % PIECE_MAX < len - 2 ? data[0] % PIECE_MAX : len - 2;
		send_piece(sock, data + 2, piece, data[1] & 7 ? data[1] & 7 : data[1] >> 6 ? 31 : 0, data[1] >> 3);
		if (data[0] & 0x40)
			serve();
		data += 2 + piece;
		len -= 2 + piece;
	}
	close(sock);
	for (rounds = 0; first_free() != before; rounds++) {
		require(rounds < 4096, "a descriptor is left");
		serve();
	}
	return 0;
}
