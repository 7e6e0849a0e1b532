// SPDX-License-Identifier: GPL-2.0
/* What a process gives up besides files and system calls: see confine_drop.h. */
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "confine_drop.h"

/* Descriptors that are looked at: 3 to 1023. */
#define DROP_INHERITED	1021

bool drop_capabilities(u64 keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	unsigned int i;

	if (syscall(SYS_capget, &head, caps) < 0)
		return false;
	for (i = 0; i < 2; i++) {
		caps[i].permitted &= keep >> 32 * i;
		caps[i].effective &= keep >> 32 * i;
		caps[i].inheritable = 0;
	}
	return !syscall(SYS_capset, &head, caps) && (caps[0].permitted || caps[1].permitted);
}

void drop_limits(void)
{
	static const int none[] = { RLIMIT_CORE, RLIMIT_MSGQUEUE, RLIMIT_RTPRIO };
	struct rlimit lim;
	unsigned int i;

	if (!getrlimit(RLIMIT_NOFILE, &lim)) {
		lim.rlim_max = lim.rlim_cur;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	for (i = 0; i < ARRAY_SIZE(none); i++)
		setrlimit(none[i], &(struct rlimit){ 0, 0 });
}

/* Everything that was opened here is close-on-exec. What an option names has been duplicated. */
void drop_inherited(void)
{
	struct pollfd fd[DROP_INHERITED];
	unsigned int i;

	for (i = 0; i < DROP_INHERITED; i++)
		fd[i] = (struct pollfd){ .fd = STDERR_FILENO + 1 + i };
	/* One call tells which there are. */
	if (poll(fd, DROP_INHERITED, 0) < 0)
		return;
	for (i = 0; i < DROP_INHERITED; i++)
		if (!(fd[i].revents & POLLNVAL) && !fcntl(fd[i].fd, F_GETFD))
			close(fd[i].fd);
}

bool drop_is_traced(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[4096], *at;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[max(n, (ssize_t)0)] = '\0';
	at = strstr(text, "TracerPid:");
	return at && atoi(at + strlen("TracerPid:"));
}
