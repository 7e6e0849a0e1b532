// SPDX-License-Identifier: GPL-2.0
/* What Landlock leaves of the file system, with every ABI up to the host's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm/landlock.h>

#include "scratch.h"
#include "tap.h"

static int abi_or_skip(void)
{
	int abi = landlock_abi();

	if (!abi)
		SKIP("this kernel has no Landlock");
	return abi > 7 ? 7 : abi;
}

/* A directory for the round with @abi. */
static const char *place(int abi, const char *name)
{
	char both[32];

	snprintf(both, sizeof(both), "%s%d", name, abi);
	return scratch(both);
}

static int sub(int abi, const char *name)
{
	int fd;

	CHECK(!mkdir(place(abi, name), 0700));
	fd = open(place(abi, name), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static int make(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int look(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int bind_at(const char *dir, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ret;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
	ret = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	close(fd);
	return ret;
}

/* In a child: it is for good. Returns the number of the first line that is not right, or 0. */
static int confined(int abi, int ro, int rw, int sock, int none)
{
	int set = landlock_new(abi, false, false), ret;

#define RIGHT(cond) do { if (!(cond)) return __LINE__ & 0xff; } while (0)
	RIGHT(set >= 0);
	RIGHT(!landlock_allow(set, abi, ro, LANDLOCK_READ));
	RIGHT(!landlock_allow(set, abi, rw, LANDLOCK_READ | LANDLOCK_WRITE));
	RIGHT(!landlock_allow(set, abi, sock, LANDLOCK_SOCKET));
	RIGHT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RIGHT(!landlock_enter(set));
	close(set);
	RIGHT(!look(ro, "file"));
	RIGHT(make(ro, "new") == -EACCES);
	RIGHT(make(ro, "file") == -EACCES);
	RIGHT(!make(rw, "new"));
	RIGHT(!look(rw, "new"));
	RIGHT(!unlinkat(rw, "new", 0));
	ret = renameat(rw, "d/x", rw, "x");
	RIGHT(ret == 0 || (abi < 2 && errno == EXDEV));
	RIGHT(look(none, "file") == -EACCES);
	RIGHT(look(AT_FDCWD, "/etc/passwd") == -EACCES);
	RIGHT(look(rw, "../none1/file") == -EACCES);
	RIGHT(!bind_at(place(abi, "sock"), "s"));
	RIGHT(bind_at(place(abi, "ro"), "s") == -EACCES);
	RIGHT(make(sock, "file") == -EACCES);
	RIGHT(execl("/bin/true", "true", NULL) < 0 && errno == EACCES);
	if (abi >= 6)
		RIGHT(kill(getppid(), 0) < 0 && errno == EPERM);
	return 0;
}

TEST(only_what_is_allowed_is_open)
{
	int max = abi_or_skip(), abi;

	for (abi = 1; abi <= max; abi++) {
		int ro, rw, sock, none, status;
		pid_t pid;

		ro = sub(abi, "ro");
		rw = sub(abi, "rw");
		sock = sub(abi, "sock");
		none = sub(abi, "none");
		CHECK_EQ(make(ro, "file"), 0);
		CHECK_EQ(make(none, "file"), 0);
		CHECK(!mkdirat(rw, "d", 0700));
		CHECK_EQ(make(rw, "d/x"), 0);
		pid = fork();
		if (!pid)
			_exit(confined(abi, ro, rw, sock, none));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		tap_note("ABI %d", abi);
		CHECK_EQ(WEXITSTATUS(status), 0);
		close(ro);
		close(rw);
		close(sock);
		close(none);
	}
}

TEST(what_an_old_kernel_cannot_do_is_known)
{
	unsigned int n = 0;

	while (landlock_missing(0, n))
		n++;
	CHECK_EQ(n, 6);
	CHECK_STR(landlock_missing(6, 0), NULL);
	CHECK(strstr(landlock_missing(5, 0), "signals"));
}
