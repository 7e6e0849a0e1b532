// SPDX-License-Identifier: GPL-2.0
/* The directory of the user's sockets: see kvm/user_dir.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/user_dir.h>

static int dir_err(struct opt_err *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int dir_err(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

int user_dir_name(const char *name, const char *what, struct opt_err *err)
{
	const char *p;

	if (!*name)
		return dir_err(err, -EINVAL, "%s's name cannot be empty", what);
	if (*name == '.')
		return dir_err(err, -EINVAL, "\"%s\": %s's name cannot begin with a dot", name, what);
	for (p = name; *p; p++)
		if (*p == '/' || *p == ' ' || iscntrl((unsigned char)*p))
			return dir_err(err, -EINVAL, "%s's name has no slashes, blanks or control characters", what);
	return 0;
}

int user_dir_open(char *path, size_t size, bool create, const char *what, struct opt_err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int fd, ret;

	if (runtime && *runtime == '/' && !stat(runtime, &st) && st.st_uid == geteuid())
		ret = snprintf(path, size, "%s/lkvm", runtime);
	else
		ret = snprintf(path, size, "/tmp/lkvm-%u", (unsigned int)geteuid());
	if ((size_t)ret >= size)
		return dir_err(err, -ENAMETOOLONG, "$XDG_RUNTIME_DIR is too long for a socket");
	if (create && mkdir(path, 0700) < 0 && errno != EEXIST) {
		ret = -errno;
		return dir_err(err, ret, "%s, the directory of %s: %s", path, what, strerror(-ret));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		return dir_err(err, ret, "%s, the directory of %s: %s", path, what, strerror(-ret));
	}
	/* In /tmp another user may have made it. */
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 077) {
		close(fd);
		return dir_err(err, -EPERM, "%s, the directory of %s, has to be yours and closed to others (chmod 700)",
			       path, what);
	}
	return fd;
}
