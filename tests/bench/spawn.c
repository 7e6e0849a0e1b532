// SPDX-License-Identifier: GPL-2.0
/*
 * How long a program takes: "spawn COUNT COMMAND..." starts it so often, without
 * input and with nobody to read its output, and prints the median and the least
 * number of milliseconds from its start to its end. "spawn COUNT LIBRARY.so
 * COMMAND...": to its first KVM_RUN, which this file sees as a library that is
 * loaded before the others.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#define SEEN_FD	"SPAWN_FD"	/* a page for the library to say when it was */

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

#ifdef LIBRARY
static long long *seen;

/* Before lkvm closes the descriptors that it inherits, and forbids calls that it does not make. */
__attribute__((constructor)) static void seen_map(void)
{
	const char *fd = getenv(SEEN_FD);

	if (fd)
		seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0);
	if (seen == MAP_FAILED)
		abort();
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int, unsigned long, void *);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!next)
		next = dlsym(RTLD_NEXT, "ioctl");
	if (request == KVM_RUN && seen && !*seen)
		*seen = now();
	return next(fd, request, arg);
}
#else
/* In microseconds. What did not run, or did not come so far, has taken no time that counts. */
static long long once(char **argv, const char *library)
{
	int fd = memfd_create("seen", 0), status, null;
	long long start, end, seen = 0;
	char text[16];
	pid_t pid;

	if (fd < 0 || ftruncate(fd, sizeof(seen)))
		goto failed;
	if (library) {
		snprintf(text, sizeof(text), "%d", fd);
		setenv(SEEN_FD, text, 1);
		setenv("LD_PRELOAD", library, 1);
	}
	start = now();
	pid = vfork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	end = now();
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 127 ||
	    pread(fd, &seen, sizeof(seen), 0) != sizeof(seen) || (library && !seen))
		goto failed;
	close(fd);
	return library ? seen - start : end - start;
failed:
	printf("(%s failed)\n", argv[0]);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	return (*(long long *)a > *(long long *)b) - (*(long long *)a < *(long long *)b);
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[1]) : 0, i;
	const char *library = n > 0 && strstr(argv[2], ".so") ? argv[2] : NULL;
	long long t[1000];

	if (n < 1 || n > 1000 || argc < 3 + !!library)
		return 2;
	for (i = 0; i < n; i++)
		t[i] = once(argv + 2 + !!library, library);
	qsort(t, n, sizeof(t[0]), compare);
	printf("%.1f ms (least %.1f)\n", t[n / 2] / 1e3, t[0] / 1e3);
	return 0;
}
#endif
