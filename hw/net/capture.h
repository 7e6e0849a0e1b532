/* SPDX-License-Identifier: GPL-2.0 */
/* For hw/net/net.c: the capture of a wire, or NULL. */
#ifndef HW_NET_CAPTURE_H
#define HW_NET_CAPTURE_H

#include <kvm/iov.h>

#include "net.h"

/* @frame has crossed the wire: @len bytes with its net_hdr; @in: to the guest. On the pair's thread. */
void capture_frame(struct capture *c, unsigned int pair, struct iov_iter frame, size_t len, bool in);
void capture_free(struct capture *c);

#endif
