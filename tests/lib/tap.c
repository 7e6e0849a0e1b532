// SPDX-License-Identifier: GPL-2.0
/*
 * main() of a unit test: the KTAP that tests/run reads. Every test is a child
 * process in a process group of its own, so that one that crashes, hangs or
 * leaks (a sanitizer then makes its exit status non-zero) is one "not ok", and
 * nothing that it has started stays.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* Made by the linker: the bounds of the section that TEST() fills. */
extern const struct tap_test *const __start_tap_tests[], *const __stop_tap_tests[];

void __sanitizer_cov_trace_pc(void);

enum tap_outcome { TAP_OK, TAP_FAILED, TAP_SKIPPED };

/* Shared with the child. */
static struct tap_result {
	enum tap_outcome outcome;
	char text[1024];
} *tap_result;

static bool tap_verbose;

/* Called by the code under test at every place, for fuzzing: tests/tests.mk. */
void __sanitizer_cov_trace_pc(void)
{
}

static void tap_end(enum tap_outcome outcome, const char *where, const char *fmt, va_list ap)
{
	int n = snprintf(tap_result->text, sizeof(tap_result->text), "%s", where);

	vsnprintf(tap_result->text + n, sizeof(tap_result->text) - n, fmt, ap);
	tap_result->outcome = outcome;
	/* Not exit(): other threads may run, and what they hold is no leak. */
	fflush(NULL);
	_exit(0);
}

void tap_fail(const char *file, int line, const char *fmt, ...)
{
	char where[256];
	va_list ap;

	snprintf(where, sizeof(where), "%s:%d: ", file, line);
	va_start(ap, fmt);
	tap_end(TAP_FAILED, where, fmt, ap);
	abort();
}

void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_end(TAP_SKIPPED, "", fmt, ap);
	abort();
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	if (!tap_verbose)
		return;
	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

void tap_mem(const char *file, int line, const char *what,
	     const void *a, const void *b, size_t len)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			tap_fail(file, line, "%s: byte %zu of %zu: %#04x != %#04x",
				 what, i, len, x[i], y[i]);
}

static void tap_child(const struct tap_test *t)
{
	setpgid(0, 0);
	t->fn();
	exit(0);		/* with the sanitizers' last look */
}

/*
 * How much of a second counts when several threads want each processor: other
 * work on the machine must not end a test.
 */
static double tap_share(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	FILE *f = fopen("/proc/loadavg", "r");
	long wanted = 0;

	if (f) {
		if (fscanf(f, "%*s %*s %*s %ld/", &wanted) != 1)
			wanted = 0;
		fclose(f);
	}
	return wanted > cpus ? (double)cpus / wanted : 1;
}

/* Wait for the end of @pid for @seconds; false if it has not come then. */
static bool tap_wait(pid_t pid, double seconds)
{
	struct pollfd pfd = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int n = 0;

	if (pfd.fd < 0) {
		perror("pidfd_open");
		exit(1);
	}
	while (seconds > 0 && (n = poll(&pfd, 1, 1000)) == 0)
		seconds -= tap_share();
	close(pfd.fd);
	return n != 0;
}

/* Run @t, leave its outcome in tap_result. */
static void tap_run(const struct tap_test *t)
{
	int status = 0;
	bool ended;
	pid_t pid;

	*tap_result = (struct tap_result){ 0 };
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		tap_child(t);
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	ended = tap_wait(pid, t->seconds);
	if (!ended) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	kill(-pid, SIGKILL);
	if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;

	tap_result->outcome = TAP_FAILED;
	if (!ended)
		snprintf(tap_result->text, sizeof(tap_result->text), "no end after %d s",
			 t->seconds);
	else if (WIFEXITED(status))
		snprintf(tap_result->text, sizeof(tap_result->text), "exit status %d",
			 WEXITSTATUS(status));
	else
		snprintf(tap_result->text, sizeof(tap_result->text), "%s",
			 strsignal(WTERMSIG(status)));
}

static int tap_by_line(const void *a, const void *b)
{
	return (*(const struct tap_test *const *)a)->line -
	       (*(const struct tap_test *const *)b)->line;
}

static bool tap_wanted(const struct tap_test *t, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], t->name))
			return true;
	return argc == 0;
}

int main(int argc, char **argv)
{
	size_t nr = __stop_tap_tests - __start_tap_tests;
	const struct tap_test **tests = calloc(nr, sizeof(*tests));
	int wanted = 0, n = 0, failed = 0;
	/* Who starts tests in the background may ignore these, and lkvm leaves alone what is ignored. */
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);

	argc--, argv++;
	if (argc && !strcmp(argv[0], "-v")) {
		tap_verbose = true;
		argc--, argv++;
	}
	tap_result = mmap(NULL, sizeof(*tap_result), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!tests || tap_result == MAP_FAILED) {
		perror("tap");
		return 1;
	}
	memcpy(tests, __start_tap_tests, nr * sizeof(*tests));
	qsort(tests, nr, sizeof(*tests), tap_by_line);

	for (size_t i = 0; i < nr; i++)
		wanted += tap_wanted(tests[i], argc, argv);
	if (!wanted || wanted < argc) {
		fprintf(stderr, "no such test; there are:");
		for (size_t i = 0; i < nr; i++)
			fprintf(stderr, " %s", tests[i]->name);
		fputc('\n', stderr);
		return 1;
	}

	printf("KTAP version 1\n1..%d\n", wanted);
	for (size_t i = 0; i < nr; i++) {
		if (!tap_wanted(tests[i], argc, argv))
			continue;
		tap_run(tests[i]);
		n++;
		switch (tap_result->outcome) {
		case TAP_OK:
			printf("ok %d %s\n", n, tests[i]->name);
			break;
		case TAP_SKIPPED:
			printf("ok %d %s # SKIP %s\n", n, tests[i]->name, tap_result->text);
			break;
		case TAP_FAILED:
			printf("not ok %d %s # %s\n", n, tests[i]->name, tap_result->text);
			failed++;
			break;
		}
	}
	free(tests);
	return failed != 0;
}
