// SPDX-License-Identifier: GPL-2.0
/*
 * The 9P server and clients that others wrote: those of Debian's package diod,
 * over TCP on the loopback.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p9_sock.h"
#include "scratch.h"
#include "tap.h"

static pid_t server;
static char address[32];

/* Serve the scratch directory from a process of its own, which ends with the test's group. */
static void serve(void)
{
	struct p9_options opts = { .dir = scratch_dir() };
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (access("/usr/sbin/diodls", X_OK))
		SKIP("no diodls: apt install diod");
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 8))
		SKIP("no loopback");
	CHECK(!getsockname(fd, (struct sockaddr *)&addr, &len));
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(addr.sin_port));
	server = fork();
	if (!server)
		p9_sock_accept(&opts, fd, 4);
	close(fd);
}

static void serve_end(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* The output of @cmd, in which $S is the server; its status has to be @status. */
static const char *run(const char *cmd, int status)
{
	static char out[1 << 20];
	FILE *f;
	size_t n;

	setenv("S", address, 1);
	f = popen(cmd, "r");
	CHECK(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	tap_note("%s: %s", cmd, out);
	CHECK_EQ(WEXITSTATUS(pclose(f)), status);
	return out;
}

TEST(diodls_lists)
{
	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/one", "1");
	scratch_file("d/two", "2");
	CHECK(!chmod(scratch("d/one"), 0640));
	serve();
	CHECK_STR(run("/usr/sbin/diodls -s $S -a / d | sort", 0), "one\ntwo\n");
	CHECK_STR(run("/usr/sbin/diodls -s $S -a /d | sort", 0), "one\ntwo\n");
	CHECK(strstr(run("/usr/sbin/diodls -s $S -a / -l d", 0), "-rw-r-----"));
	run("/usr/sbin/diodls -s $S -a / missing 2>&1", 1);
	run("/usr/sbin/diodls -s $S -a /missing 2>&1", 1);
	serve_end();
}

TEST(diodls_lists_a_large_directory)
{
	char name[16];
	int i;

	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		scratch_file(name, "");
	}
	serve();
	CHECK_STR(run("/usr/sbin/diodls -s $S -a / -m 4096 | sort -u | wc -l", 0), "3000\n");
	serve_end();
}

TEST(diodcat_reads)
{
	char cmd[256];

	serve();
	snprintf(cmd, sizeof(cmd), "head -c 3000000 /dev/urandom > %s", scratch("big"));
	CHECK(!system(cmd));
	snprintf(cmd, sizeof(cmd), "/usr/sbin/diodcat -s $S -a / big | cmp - %s", scratch("big"));
	run(cmd, 0);
	serve_end();
}

/* Sixteen threads; it wants two files that take and give what they like. */
TEST_TIMEOUT(diodload_loads, 60)
{
	serve();
	CHECK(!mkdir(scratch("ctl"), 0755));
	scratch_file("ctl/null", "");
	scratch_file("ctl/zero", "0");
	CHECK(!truncate(scratch("ctl/zero"), 1 << 20));
	CHECK(!strstr(run("/usr/sbin/diodload -s $S -r 1 -n 16 2>&1", 0), "error"));
	CHECK(!strstr(run("/usr/sbin/diodload -s $S -r 1 -n 16 -g 2>&1", 0), "error"));
	serve_end();
}
