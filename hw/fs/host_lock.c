// SPDX-License-Identifier: GPL-2.0
/* Locks of opened files: see kvm/host.h. */
#include <errno.h>
#include <fcntl.h>

#include <kvm/host.h>

int host_lock(struct host_file *file, struct flock *lock)
{
	return fcntl(file->fd, F_OFD_SETLK, lock) ? -errno : 0;
}

int host_getlock(struct host_file *file, struct flock *lock)
{
	return fcntl(file->fd, F_OFD_GETLK, lock) ? -errno : 0;
}

int host_lock_wait(struct host_file *file, struct flock *lock)
{
	return fcntl(file->fd, F_OFD_SETLKW, lock) ? -errno : 0;
}
