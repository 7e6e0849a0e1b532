// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds a port of the host, for a message (proc(5): /proc/net/tcp, /proc/PID/fd).
 * Processes of other users are not seen. Before the machine is confined, and in commands.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forward.h"

#define TCP_LISTENING	0x0a

/* The inode of the socket that is bound to @port, by one of the kernel's tables; 0: it has none. */
static unsigned long holder_inode(const char *path, unsigned int port, bool listens)
{
	unsigned long inode, found = 0;
	unsigned int local, state;
	char line[512];
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*d %lu", &local, &state, &inode) == 3 &&
		    local == port && (!listens || state == TCP_LISTENING))
			found = inode;
	fclose(f);
	return found;
}

/* Does the process @pid have the socket @link? */
static bool holder_has(const char *pid, const char *link)
{
	char path[300], target[64];
	struct dirent *e;
	bool has = false;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!has && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.16s/fd/%.16s", pid, e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		has = !strcmp(target, link);
	}
	closedir(dir);
	return has;
}

static void holder_name(const char *pid, char *out, size_t size)
{
	char path[64], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = '\0';
	if (f)
		fclose(f);
	snprintf(out, size, " by %s (process %.16s)", *name ? name : "a process", pid);
}

void forward_holder(int type, unsigned int port, char *out, size_t size)
{
	bool tcp = type == SOCK_STREAM;
	unsigned long inode = holder_inode(tcp ? "/proc/net/tcp" : "/proc/net/udp", port, tcp);
	struct dirent *e;
	char link[64];
	DIR *dir;

	*out = '\0';
	if (!inode)
		inode = holder_inode(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", port, tcp);
	dir = inode ? opendir("/proc") : NULL;
	if (!dir)
		return;
	snprintf(link, sizeof(link), "socket:[%lu]", inode);
	while (!*out && (e = readdir(dir)))
		if (isdigit((unsigned char)*e->d_name) && holder_has(e->d_name, link))
			holder_name(e->d_name, out, size);
	closedir(dir);
}
