/* SPDX-License-Identifier: GPL-2.0 */
/* What a forward is, for wires that have some: see net_forward_socket() in kvm/net.h. */
#ifndef HW_NET_FORWARD_H
#define HW_NET_FORWARD_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <kvm/opt.h>
#include <kvm/types.h>

#define FORWARD_FORM "tcp|udp:[HOSTADDR:]PORT:[GUEST:]PORT or unix:PATH:[GUEST:]PORT, as in tcp:2222:22"

/* IPv4 addresses are mapped into IPv6 ones (RFC 4291, 2.5.5.2). */
struct forward {
	int type;			/* SOCK_STREAM, SOCK_DGRAM */
	struct sockaddr_storage host;
	socklen_t host_len;
	bool has_guest;
	struct in6_addr guest;
	u16 guest_port;
};

/* 0, or -EINVAL with @err filled in. */
int forward_parse(const char *text, struct forward *f, struct opt_err *err);
/* A socket as @f says, bound and listening: a descriptor, or -errno with @err filled in. */
int forward_socket(const char *text, const struct forward *f, struct opt_err *err);
/* An address as text: "127.0.0.1:22", "[::1]:22", "/path". */
void forward_address(const struct sockaddr_storage *a, socklen_t len, char *out, size_t size);
/* Where the socket @fd of @f is, as text: "tcp:127.0.0.1:22". */
void forward_where(const struct forward *f, int fd, char *out, size_t size);

/* Who holds @port, as " by NAME (process N)", or "". */
void forward_holder(int type, unsigned int port, char *out, size_t size);

#endif
