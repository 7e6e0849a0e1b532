// SPDX-License-Identifier: GPL-2.0
/* Names of files: the one check of those that a guest sends. Any thread. */
#include <errno.h>
#include <string.h>

#include <kvm/host.h>

int host_name_error(const char *name, size_t len)
{
	if (!len || memchr(name, '/', len) || memchr(name, '\0', len))
		return -EINVAL;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return -EINVAL;
	return len > HOST_NAME_BYTES ? -ENAMETOOLONG : 0;
}
