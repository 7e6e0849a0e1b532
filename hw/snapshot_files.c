// SPDX-License-Identifier: GPL-2.0
/* The files of a snapshot, opened by the command that the user types: see kvm/snapshot.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/snapshot.h>

static int snapshot_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int snapshot_err(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(LOG_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

/* "fd:MACHINE:RAM": false if @where is none of these. */
static bool snapshot_inherited(struct snapshot_files *f, const char *where)
{
	char rest;

	if (sscanf(where, "fd:%d:%d%c", &f->machine, &f->ram, &rest) != 2)
		return false;
	f->machine = fcntl(f->machine, F_DUPFD_CLOEXEC, 0);
	f->ram = fcntl(f->ram, F_DUPFD_CLOEXEC, 0);
	snprintf(f->name, sizeof(f->name), "%s", where);
	snprintf(f->ram_name, sizeof(f->ram_name), "%s", where);
	return true;
}

static int snapshot_names(struct snapshot_files *f, const char *where)
{
	*f = (struct snapshot_files) { .machine = -1, .ram = -1 };
	if (snapshot_inherited(f, where))
		return f->machine < 0 || f->ram < 0 ? snapshot_err(-EBADF, "%s: there is no such descriptor", where) : 1;
	if (snprintf(f->name, sizeof(f->name), "%s/" SNAPSHOT_MACHINE, where) >= (int)sizeof(f->name) ||
	    snprintf(f->ram_name, sizeof(f->ram_name), "%s/" SNAPSHOT_RAM, where) >= (int)sizeof(f->ram_name))
		return snapshot_err(-ENAMETOOLONG, "%s: the name is too long", where);
	return 0;
}

/*
 * A snapshot says which of the host's files the guest gets, so it is as good as a
 * program: another user's is not run.
 */
static int snapshot_owned(int fd, const char *name)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return snapshot_err(-errno, "%s: %s", name, strerror(errno));
	if (st.st_uid != geteuid() && st.st_uid)
		return snapshot_err(-EPERM, "%s: belongs to another user, and says which of your files the guest gets: copy the snapshot if you trust it",
				name);
	return 0;
}

static int snapshot_file_open(const char *name, const char *where)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), ret;

	if (fd < 0 && errno == ENOENT)
		return snapshot_err(-ENOENT, "%s: there is no snapshot: it has no file %s", where, name);
	if (fd < 0)
		return snapshot_err(-errno, "%s: %s", name, strerror(errno));
	ret = snapshot_owned(fd, name);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

int snapshot_files_open(struct snapshot_files *f, const char *where)
{
	int ret = snapshot_names(f, where);

	if (ret)
		return min(ret, 0);
	f->machine = snapshot_file_open(f->name, where);
	f->ram = f->machine < 0 ? -1 : snapshot_file_open(f->ram_name, where);
	ret = min(min(f->machine, f->ram), 0);
	if (ret)
		snapshot_files_close(f);
	return ret;
}

static int snapshot_file_make(const char *name, const char *where)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return snapshot_err(-EEXIST, "%s: there is a snapshot already", where);
	return fd < 0 ? snapshot_err(-errno, "%s: %s", name, strerror(errno)) : fd;
}

int snapshot_files_make(struct snapshot_files *f, const char *where)
{
	int ret = snapshot_names(f, where);

	if (ret)
		return min(ret, 0);
	if (!mkdir(where, 0700))
		f->made = where;
	else if (errno != EEXIST)
		return snapshot_err(-errno, "%s: %s", where, strerror(errno));
	ret = f->machine = snapshot_file_make(f->name, where);
	if (ret < 0)
		return ret;
	ret = f->ram = snapshot_file_make(f->ram_name, where);
	if (ret >= 0)
		return 0;
	unlink(f->name);
	snapshot_files_close(f);
	return ret;
}

void snapshot_files_remove(const struct snapshot_files *f)
{
	if (!strncmp(f->name, "fd:", 3))
		return;
	unlink(f->name);
	unlink(f->ram_name);
	if (f->made)
		rmdir(f->made);
}

void snapshot_files_close(struct snapshot_files *f)
{
	if (f->machine >= 0)
		close(f->machine);
	if (f->ram >= 0)
		close(f->ram);
	f->machine = f->ram = -1;
}
