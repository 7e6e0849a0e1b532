// SPDX-License-Identifier: GPL-2.0
/*
 * How long a program takes to its first KVM_RUN, in microseconds: "first COMMAND ..."
 * starts it with this file, as a library, loaded before the others.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

#ifdef LIBRARY
int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int, unsigned long, void *);
	static int seen;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!next)
		next = dlsym(RTLD_NEXT, "ioctl");
	if (request == KVM_RUN && !seen && getenv("FIRST_START")) {
		seen = 1;
		dprintf(2, "first %lld\n", now() - atoll(getenv("FIRST_START")));
	}
	return next(fd, request, arg);
}
#else
int main(int argc, char **argv)
{
	char start[32];

	if (argc < 3)
		return 125;
	setenv("LD_PRELOAD", argv[1], 1);
	snprintf(start, sizeof(start), "%lld", now());
	setenv("FIRST_START", start, 1);
	execvp(argv[2], argv + 2);
	return 127;
}
#endif
