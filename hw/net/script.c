// SPDX-License-Identifier: GPL-2.0
/* Programs of the user for a network interface: see script.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net.h"
#include "script.h"

static void script_exec(const char *path, const char *ifname)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	execl(path, path, ifname, (char *)NULL);
	_exit(127);
}

int script_run(const char *path, const char *ifname, struct opt_err *err)
{
	pid_t pid;
	int status;

	if (access(path, X_OK) < 0)
		return net_bad(err, -errno, "script=%s: %s", path, strerror(errno));
	pid = fork();
	if (!pid)
		script_exec(path, ifname);
	if (pid < 0)
		return net_bad(err, -errno, "script=%s: %s", path, strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return net_bad(err, -errno, "script=%s: %s", path, strerror(errno));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return net_bad(err, -EIO, "script=%s %s: it ended with %s %d", path, ifname,
		       WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* The process that waits. Guest memory does not exist yet; it keeps nothing of lkvm. */
static void script_wait(const char *path, const char *ifname, int end, int fd)
{
	int last = sysconf(_SC_OPEN_MAX), i;
	char byte;

	setsid();
	for (i = STDERR_FILENO + 1; i < (last < 1024 ? last : 1024); i++)
		if (i != end && i != fd)
			close(i);
	while (read(end, &byte, 1) < 0 && errno == EINTR)
		;
	script_exec(path, ifname);
}

int script_later(const char *path, const char *ifname, int fd, struct opt_err *err)
{
	int end[2];
	pid_t pid;

	if (access(path, X_OK) < 0 || pipe2(end, O_CLOEXEC) < 0)
		return net_bad(err, -errno, "downscript=%s: %s", path, strerror(errno));
	pid = fork();
	if (!pid) {
		/* Nobody's child, so that nobody has to wait for it. */
		if (!fork())
			script_wait(path, ifname, end[0], fd);
		_exit(0);
	}
	close(end[0]);
	if (pid < 0) {
		close(end[1]);
		return net_bad(err, -EAGAIN, "downscript=%s: no process for it", path);
	}
	waitpid(pid, NULL, 0);
	return end[1];
}
