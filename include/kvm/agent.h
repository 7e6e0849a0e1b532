/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands in a running guest ("lkvm exec"). The agent is a process of PID 1's program
 * (builtin/init/agent.c). It has a port of the virtio-console to lkvm, and each client
 * has a socket to lkvm (builtin/session/agent.c), which passes frames between them and
 * puts the number of the client's session into each. This is what is on both. All
 * three are one build's, so there is no version.
 *
 * A frame is a struct agent_frame and len bytes:
 *
 *  client   REQUEST  records of lkvm.conf (kvm/pid1.h): arg, env, cwd, user; also tty=yes,
 *                    winsize. Several add up, to at most AGENT_REQUEST_MAX bytes
 *           START    the request is whole: run it
 *           SIGNAL   __u32: a signal for the command's session
 *           WINSIZE  two __u16: rows, columns of its terminal
 *           CLOSE    the client has gone; lkvm sends it too. SIGHUP for the command
 *  both     DATA     bytes of @stream: 0 to the command, 1 and 2 from it
 *           EOF      the stream ends; of 1 and 2: nothing can be written any more
 *           CREDIT   __u32: so many bytes more of @stream may be sent
 *  agent    EXIT     __u32: the wait status. The last frame of a session
 *  agent,   ERROR    text: why there is no command, or none any more; the last frame
 *  lkvm
 *
 * Flow control: each sender has AGENT_WINDOW bytes of each stream at first. A DATA frame
 * costs its length and that of its header. Who receives data gives as much credit
 * when they have been passed on. So what is in buffers is bounded, and the buffer of
 * one session cannot stop another. A session that exceeds its credit ends.
 */
#ifndef KVM_AGENT_H
#define KVM_AGENT_H

#include <linux/types.h>

#define AGENT_PORT		"lkvm.agent"

enum agent_type {
	AGENT_REQUEST = 1, AGENT_START, AGENT_SIGNAL, AGENT_WINSIZE, AGENT_CLOSE,
	AGENT_DATA, AGENT_EOF, AGENT_CREDIT, AGENT_EXIT, AGENT_ERROR,
};

#define AGENT_MAGIC		0x6b6c
#define AGENT_FRAME_MAX		16384		/* bytes of one, without its header */
#define AGENT_REQUEST_MAX	(128 << 10)
#define AGENT_WINDOW		(64 << 10)
#define AGENT_SESSIONS		128		/* at a time */

struct agent_frame {
	__u16 magic;
	__u8 type, stream;
	__u32 session;			/* of the client: 0 */
	__u32 len;
};

#endif
