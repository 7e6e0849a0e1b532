// SPDX-License-Identifier: GPL-2.0
/* How many files a tree may have open: see nofile.h. */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "nofile.h"

/*
 * A guest that caches its lookups holds a node for every file that it has seen:
 * the more we may open the better, up to a million. The descriptor table grows
 * by waiting for all threads, so let it be of some size before there are any.
 */
u32 nofile_raise(void)
{
	const rlim_t most = 1 << 20, table = 1 << 14;
	struct rlimit lim, more = { .rlim_cur = most, .rlim_max = most };
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return 256;
	if (lim.rlim_max < most && !setrlimit(RLIMIT_NOFILE, &more)) {
		lim = more;
	} else if (lim.rlim_cur < min(lim.rlim_max, most)) {
		lim.rlim_cur = min(lim.rlim_max, most);
		setrlimit(RLIMIT_NOFILE, &lim);
		getrlimit(RLIMIT_NOFILE, &lim);
	}
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)min(lim.rlim_cur, table) - 1);
	if (fd >= 0)
		close(fd);
	return min(lim.rlim_cur, most) / 2;
}
