/* SPDX-License-Identifier: GPL-2.0 */
/* Programs of the user that set a network interface up and take it down. Before lkvm confines itself. */
#ifndef HW_NET_SCRIPT_H
#define HW_NET_SCRIPT_H

#include <kvm/opt.h>

/* Run @path with @ifname and wait for it. 0 or -errno with @err filled in: it has failed. */
int script_run(const char *path, const char *ifname, struct opt_err *err);

/*
 * Have @path run with @ifname when the descriptor that is returned is closed, as by the end
 * of this process. A process of its own waits for that, with no descriptor but @fd, the interface's.
 * -errno with @err filled in.
 */
int script_later(const char *path, const char *ifname, int fd, struct opt_err *err);

#endif
