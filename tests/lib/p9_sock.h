/* SPDX-License-Identifier: GPL-2.0 */
/* The 9P server on sockets: for clients that are programs of their own. */
#ifndef P9_SOCK_H
#define P9_SOCK_H

#include <kvm/p9.h>

/*
 * Serve the connection @fd with a session of its own until the other end closes
 * it: messages are read and answered by @threads threads, one at a time each.
 * Closes @fd. 0 or -errno.
 */
int p9_sock_serve(const struct p9_options *opts, int fd, unsigned int threads);

/* Accept connections on the listening socket @fd for ever, a thread for each. */
void p9_sock_accept(const struct p9_options *opts, int fd, unsigned int threads);

#endif
