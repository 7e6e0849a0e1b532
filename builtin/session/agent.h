/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the clients of "lkvm exec" and the agent in the guest: frames of kvm/agent.h. It
 * trusts neither. Each client has a bounded buffer, by the credit that it has given; one
 * that breaks a rule loses its own session. The guest's frames are always read, so
 * no client can stop another. It has a thread of its own from the first client on,
 * until the guest ends.
 */
#ifndef SESSION_AGENT_H
#define SESSION_AGENT_H

struct agent;
struct threads;

/* 0 or -errno. agent_free(NULL) is nothing; its thread has ended then. */
int agent_new(struct agent **out);
void agent_free(struct agent *a);

/* The guest's end, for the port AGENT_PORT of a virtio-console. It stays the agent's. -1: @a is NULL. */
int agent_port(const struct agent *a);

/*
 * A client at the socket @fd, which is taken also if this fails. Its thread is started by
 * @threads. 0; -EBUSY: there are AGENT_SESSIONS clients; -errno.
 */
int agent_client(struct agent *a, struct threads *threads, int fd);

/* The guest is no more: all sessions end, clients are told @why, and the thread ends. */
void agent_leave(struct agent *a, const char *why);

#endif
