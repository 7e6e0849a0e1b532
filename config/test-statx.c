// SPDX-License-Identifier: GPL-2.0
/* Does the C library have newer system calls of Linux? If not: include/kvm/libc.h. */
#include <sys/stat.h>
#include <sys/uio.h>

int main(void)
{
	struct statx stx;

	return statx(0, "", 0, STATX_BASIC_STATS, &stx) + preadv2(0, 0, 0, 0, 0);
}
