// SPDX-License-Identifier: GPL-2.0
/*
 * main() of a fuzz target, which has libFuzzer's LLVMFuzzerTestOneInput() and
 * perhaps LLVMFuzzerInitialize(), so that libFuzzer could drive it as well.
 * This one needs nothing but the compiler's -fsanitize-coverage=trace-pc:
 * an input that reaches a pair of code places for the first time is kept and
 * varied further.
 *
 *	TARGET [-s SECONDS] [-r SEED] [FILE...]
 *
 * runs for SECONDS (0: until it is interrupted) beginning with the FILEs; with
 * FILEs and without -s it runs these once. An input that crashes, hangs or
 * leaks is left in crash-TARGET.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FUZZ_INPUT_MAX	4096
#define FUZZ_KEEP_MAX	4096
#define FUZZ_MAP	(1U << 16)
/* Seconds for one input: of the processor's time, and of all for one that waits. */
#define FUZZ_SPINS	10
#define FUZZ_HANGS	100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_cov_trace_pc(void);

struct fuzz_input {
	size_t len;
	uint8_t data[FUZZ_INPUT_MAX];
};

/* Shared with the child that runs the inputs: the one that it runs. */
static struct {
	struct fuzz_input now;
	unsigned long runs, kept;
} *fuzz;

static struct fuzz_input *fuzz_kept[FUZZ_KEEP_MAX];
static unsigned int fuzz_nr_kept;
static uint8_t fuzz_map[FUZZ_MAP];
static unsigned int fuzz_new;
static uint64_t fuzz_seed;

/* Called by the instrumented code at every place. Any thread; a race loses little. */
void __sanitizer_cov_trace_pc(void)
{
	static __thread uintptr_t last;
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	uint32_t i = (uint32_t)((pc * 0x9e3779b1U) >> 7 ^ last) % FUZZ_MAP;

	if (!fuzz_map[i]) {
		fuzz_map[i] = 1;
		fuzz_new++;
	}
	last = pc >> 1;
}

static uint32_t fuzz_random(uint32_t below)
{
	fuzz_seed ^= fuzz_seed << 13;
	fuzz_seed ^= fuzz_seed >> 7;
	fuzz_seed ^= fuzz_seed << 17;
	return (fuzz_seed >> 16) % below;
}

static void fuzz_keep(const struct fuzz_input *in)
{
	struct fuzz_input *copy;

	if (fuzz_nr_kept < FUZZ_KEEP_MAX)
		copy = fuzz_kept[fuzz_nr_kept] = malloc(sizeof(*copy));
	else
		copy = fuzz_kept[fuzz_random(FUZZ_KEEP_MAX)];
	if (!copy)
		abort();
	*copy = *in;
	if (fuzz_nr_kept < FUZZ_KEEP_MAX)
		fuzz_nr_kept++;
	fuzz->kept = fuzz_nr_kept;
}

static void fuzz_mutate_once(struct fuzz_input *in)
{
	static const uint64_t interesting[] = {
		0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0x7fff, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, ~0ULL, ~0ULL >> 1,
	};
	uint32_t at = in->len ? fuzz_random(in->len) : 0, n;
	const struct fuzz_input *other;
	uint64_t v;

	switch (fuzz_random(in->len ? 8 : 1)) {
	case 0:		/* append */
		for (n = 1 + fuzz_random(16); n && in->len < FUZZ_INPUT_MAX; n--)
			in->data[in->len++] = fuzz_random(256);
		break;
	case 1:
		in->data[at] ^= 1 << fuzz_random(8);
		break;
	case 2:
		in->data[at] = fuzz_random(256);
		break;
	case 3:
		in->data[at] += fuzz_random(16) - 8;
		break;
	case 4:		/* a number that matters, of 1 to 8 bytes */
		n = 1U << fuzz_random(4);
		v = interesting[fuzz_random(sizeof(interesting) / sizeof(*interesting))];
		if (n > in->len - at)
			n = in->len - at;
		memcpy(in->data + at, &v, n);
		break;
	case 5:		/* take some out */
		n = 1 + fuzz_random(in->len - at < 32 ? in->len - at : 32);
		memmove(in->data + at, in->data + at + n, in->len - at - n);
		in->len -= n;
		break;
	case 6:		/* double some */
		n = 1 + fuzz_random(in->len - at < 32 ? in->len - at : 32);
		if (in->len + n <= FUZZ_INPUT_MAX) {
			memmove(in->data + at + n, in->data + at, in->len - at);
			in->len += n;
		}
		break;
	case 7:		/* go on like another */
		if (!fuzz_nr_kept)
			break;
		other = fuzz_kept[fuzz_random(fuzz_nr_kept)];
		if (other->len > at) {
			memcpy(in->data + at, other->data + at, other->len - at);
			in->len = other->len;
		}
		break;
	}
}

static void fuzz_run(void)
{
	struct itimerval spins = { .it_value.tv_sec = FUZZ_SPINS };
	struct itimerval hangs = { .it_value.tv_sec = FUZZ_HANGS };
	uint8_t *exact;

	/* In memory of its own, so that reading beyond its end is noticed. */
	exact = malloc(fuzz->now.len ? fuzz->now.len : 1);
	if (!exact)
		abort();
	memcpy(exact, fuzz->now.data, fuzz->now.len);
	setitimer(ITIMER_PROF, &spins, NULL);
	setitimer(ITIMER_REAL, &hangs, NULL);
	fuzz_new = 0;
	LLVMFuzzerTestOneInput(exact, fuzz->now.len);
	free(exact);
	fuzz->runs++;
	if (fuzz_new)
		fuzz_keep(&fuzz->now);
}

static int fuzz_load(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f) {
		perror(path);
		return -1;
	}
	fuzz->now.len = fread(fuzz->now.data, 1, FUZZ_INPUT_MAX, f);
	fclose(f);
	return 0;
}

/* In the child: the files, then inputs made from what was good until the time is over. */
static int fuzz_child(int nr, char **files, long seconds)
{
	time_t end = time(NULL) + seconds;

	for (int i = 0; i < nr; i++) {
		if (fuzz_load(files[i]))
			return 2;
		fuzz_run();
	}
	if (seconds < 0)
		return 0;
	fuzz->now.len = 0;
	fuzz_run();
	while (!seconds || time(NULL) < end) {
		fuzz->now = *fuzz_kept[fuzz_random(fuzz_nr_kept)];
		for (unsigned int n = 1 + fuzz_random(8); n; n--)
			fuzz_mutate_once(&fuzz->now);
		fuzz_run();
	}
	for (unsigned int i = 0; i < fuzz_nr_kept; i++)
		free(fuzz_kept[i]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	long seconds = -1;
	char crash[256];
	int c, status;
	pid_t pid;
	FILE *f;

	fuzz_seed = 88172645463325252ULL;
	while ((c = getopt(argc, argv, "s:r:")) != -1) {
		if (c == 's')
			seconds = atol(optarg);
		else if (c == 'r')
			fuzz_seed += strtoull(optarg, NULL, 0) * 2654435761U;
		else
			return 2;
	}
	if (optind == argc && seconds < 0)
		seconds = 0;
	fuzz = mmap(NULL, sizeof(*fuzz), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fuzz == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		if (LLVMFuzzerInitialize)
			LLVMFuzzerInitialize(&argc, &argv);
		exit(fuzz_child(argc - optind, argv + optind, seconds));
	}
	if (pid < 0) {
		perror("fork");
		return 2;
	}
	signal(SIGINT, SIG_IGN);	/* the child ends by it, and then so do we */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	printf("# %lu inputs, %lu of them kept\n", fuzz->runs, fuzz->kept);
	if ((WIFEXITED(status) && !WEXITSTATUS(status)) ||
	    (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)) {
		printf("ok - %s\n", name);
		return 0;
	}
	snprintf(crash, sizeof(crash), "crash-%s", name);
	f = fopen(crash, "w");
	if (!f || fwrite(fuzz->now.data, 1, fuzz->now.len, f) != fuzz->now.len || fclose(f))
		perror(crash);
	printf("not ok - %s # %s, input %lu of %zu bytes is in %s\n", name,
	       WIFEXITED(status) ? "a sanitizer speaks" :
	       WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF ? "it hangs" : strsignal(WTERMSIG(status)),
	       fuzz->runs, fuzz->now.len, crash);
	return 1;
}
