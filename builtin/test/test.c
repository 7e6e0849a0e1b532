// SPDX-License-Identifier: GPL-2.0
/* lkvm test: the command, from its options to its exit status. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/log.h>

#include "job.h"

#define TESTS_MAX	20000
#define REPEAT_UNTIL	100	/* turns of --until-fail, if nothing else is said */

struct test_cmd {
	/* Options */
	struct opt_list commands, allow;
	const char *kunit, *shard, *baseline, *only, *logs;
	const char *json, *junit, *html, *kcidb, *origin, *build;
	int fresh, jobs, timeout, retry, repeat, seed;
	bool until_fail, merge, list;

	struct strings words;		/* of the command line, without those of "lkvm run" */
	struct strings run;		/* those */
	struct strings kernels;		/* -k */
	struct tests tests, old;
	struct regex_list allowed;
	FILE *json_file, *junit_file, *html_file, *kcidb_file;
	char *log_dir;
	unsigned int reported, failures;
	u64 began;			/* loop_now() */
	unsigned int jobs_now;		/* machines at a time */
};

static const char *const test_fresh[] = { [FRESH_BOOT] = "boot", [FRESH_CLONE] = "clone", [FRESH_NONE] = "none", [FRESH_AUTO] = NULL };

static const struct opt test_opts[] = {
	OPT_GROUP("Tests"),
	OPT_LIST('e', "execute", struct test_cmd, commands, "COMMAND", "a test: this command, for sh; may be repeated"),
	OPT_STR_ALONE("kunit", struct test_cmd, kunit, "GLOB", "a test: the kernel's own KUnit suites, or those whose names match"),
	OPT_CHOICE(0, "fresh", struct test_cmd, fresh, test_fresh,
		   "a machine is booted for each test, or each gets a clone of one that was booted once (default, where that is possible), or one runs them all"),
	OPT_TIME(0, "timeout", struct test_cmd, timeout, 1, INT_MAX / 4000, "SECONDS[s|m|h|d]",
		 "of a test that has no limit of its own, without the boot (default: 10m)"),
	OPT_LIST(0, "allow", struct test_cmd, allow, "REGEX",
		 "messages of the kernel that are no oops, as \"WARNING: .*foo\"; may be repeated"),
	OPT_GROUP("Which, in which order, how often"),
	OPT_STR(0, "shard", struct test_cmd, shard, "I/N", "only part I of N; auto: as Slurm, GitLab and others say in the environment"),
	OPT_STR(0, "only-regressions", struct test_cmd, only, "FILE", "only those that passed in FILE, of an earlier --json"),
	OPT_INT(0, "shuffle", struct test_cmd, seed, 0, INT_MAX, "SEED", "in another order, the same for each SEED"),
	OPT_INT(0, "repeat", struct test_cmd, repeat, 1, TESTS_MAX, "N", "each N times"),
	OPT_INT(0, "retry", struct test_cmd, retry, 0, 100, "N", "what fails up to N times more; what then passes is called flaky"),
	OPT_BOOL(0, "until-fail", struct test_cmd, until_fail, "begin none after the first failure (--repeat: 100)"),
	OPT_INT('j', "jobs", struct test_cmd, jobs, 0, 1024, "N", "N machines at a time; 0: as many as there is room for (default: 1; below make: as it allows)"),
	OPT_BOOL(0, "list", struct test_cmd, list, "print the names of the tests, and run none"),
	OPT_GROUP("Results"),
	OPT_STR(0, "json", struct test_cmd, json, "FILE", "write them as JSON"),
	OPT_STR(0, "junit", struct test_cmd, junit, "FILE", "write them as JUnit's XML"),
	OPT_STR(0, "html", struct test_cmd, html, "FILE", "write them as a page for a browser, a column for each kernel; with --baseline what has changed"),
	OPT_STR(0, "kcidb", struct test_cmd, kcidb, "FILE", "write them as KernelCI's database takes them (KCIDB 5.3)"),
	OPT_STR(0, "kcidb-origin", struct test_cmd, origin, "NAME", "the CI system that they are from (default: lkvm)"),
	OPT_STR(0, "kcidb-build", struct test_cmd, build, "ID", "the build that was tested, as NAME:ID (default: NAME and the kernel's path)"),
	OPT_STR(0, "logs", struct test_cmd, logs, "DIR", "keep what each test has left in a directory in DIR"),
	OPT_STR(0, "baseline", struct test_cmd, baseline, "FILE", "compare with FILE, of an earlier --json: only what is new is a failure"),
	OPT_BOOL(0, "merge", struct test_cmd, merge, "run nothing: the operands are files of --json, whose results are put together"),
	OPT_END
};

/* Take one option for "lkvm run" at @argv: the number of its words, or -EINVAL, printed. */
static int test_run_option(struct test_cmd *c, const struct command *cmd, char **argv)
{
	struct opt_err err;
	int n = opt_words(command_run.opts, argv[0], &err);
	const char *word = argv[0], *kernel = NULL;

	if (n < 0) {
		command_usage(cmd, "%s", err.text);
		return n;
	}
	if (n == 2 && !argv[1]) {
		command_usage(cmd, "%s needs an argument", word);
		return -EINVAL;
	}
	if (!strncmp(word, "--kernel", 8))
		kernel = word[8] == '=' ? word + 9 : argv[1];
	else if (!strncmp(word, "-k", 2))
		kernel = word[2] ? word + 2 : argv[1];
	if (kernel)
		return strings_add(&c->kernels, kernel) ?: n;
	for (int i = 0; i < n; i++)
		if (strings_add(&c->run, argv[i]))
			return -ENOMEM;
	return n;
}

/* Tell the options of "lkvm run" from those of here: 0, or -errno with the message printed. */
static int test_split(struct test_cmd *c, const struct command *cmd, char **argv)
{
	struct opt_err err;

	while (*argv && strcmp(*argv, "--")) {
		bool option = argv[0][0] == '-' && argv[0][1];
		bool help = !strcmp(*argv, "-h") || !strcmp(*argv, "--help");
		int n = !option || help ? 1 : opt_words(test_opts, *argv, &err);

		if (n < 0) {
			n = test_run_option(c, cmd, argv);
			if (n < 0)
				return n;
			argv += n;
			continue;
		}
		while (n-- && *argv)
			if (strings_add(&c->words, *argv++))
				return -ENOMEM;
	}
	return 0;
}

/* Each test for each kernel. */
static int test_kernels(struct test_cmd *c)
{
	unsigned int nr = c->tests.nr;
	char name[PATH_MAX];

	for (unsigned int k = 1; k < c->kernels.nr; k++) {
		for (unsigned int i = 0; i < nr; i++) {
			struct test *t;

			snprintf(name, sizeof(name), "%s: %s", c->kernels.item[k], c->tests.item[i].name);
			t = tests_copy(&c->tests, i, name);
			if (!t)
				return -ENOMEM;
			free(t->kernel);
			t->kernel = strdup(c->kernels.item[k]);
		}
	}
	for (unsigned int i = 0; c->kernels.nr && i < nr; i++) {
		struct test *t = &c->tests.item[i];

		if (c->kernels.nr == 1 && t->kernel)
			continue;
		free(t->kernel);
		t->kernel = strdup(c->kernels.item[0]);
		if (c->kernels.nr > 1) {
			snprintf(name, sizeof(name), "%s: %s", c->kernels.item[0], t->name);
			free(t->name);
			t->name = strdup(name);
		}
		if (!t->kernel || !t->name)
			return -ENOMEM;
	}
	return 0;
}

static int test_load(struct test_cmd *c, char **plans, char **command)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < c->commands.nr; i++)
		ret = plan_sh(&c->tests, c->commands.item[i]);
	if (c->kunit && c->fresh == FRESH_NONE) {
		pr_err("--kunit needs a machine of its own, not --fresh none: its tests run as the kernel boots");
		return -EINVAL;
	}
	if (!ret && c->kunit)
		ret = plan_kunit(&c->tests, c->kunit);
	for (; !ret && *plans; plans++)
		ret = plan_load(&c->tests, *plans);
	if (!ret && *command) {
		char *name = NULL;

		for (char **word = command; *word; word++) {
			char *more = NULL;

			if (asprintf(&more, "%s%s%s", name ?: "", name ? " " : "", *word) < 0)
				return -ENOMEM;
			free(name);
			name = more;
		}
		ret = plan_command(&c->tests, name, command);
		free(name);
	}
	if (!ret && !c->tests.nr) {
		pr_err("no tests: a PLAN, a DIRECTORY, a program, -e COMMAND or -- COMMAND says what to test");
		ret = -ENOENT;
	}
	return ret ?: test_kernels(c);
}

struct shard {
	unsigned int index, total;
};

static bool test_in_shard(const struct test *t, const void *arg)
{
	const struct shard *s = arg;

	return shard_has(t->name, s->index, s->total);
}

static bool test_passed_before(const struct test *t, const void *arg)
{
	const struct test *old = tests_find(arg, t->name);

	return old && old->word == TEST_PASS;
}

/* Which of them, in which order, how often. */
static int test_select(struct test_cmd *c)
{
	char name[PATH_MAX];
	unsigned int nr;
	struct shard s;
	int ret;

	if (c->shard) {
		ret = shard_parse(c->shard, &s.index, &s.total);
		if (ret)
			return ret;
		tests_keep(&c->tests, test_in_shard, &s);
	}
	if (c->only) {
		struct tests old = { NULL, 0 };

		ret = results_load(&old, c->only);
		if (!ret)
			tests_keep(&c->tests, test_passed_before, &old);
		tests_free(&old);
		if (ret)
			return ret;
	}
	nr = c->tests.nr;
	if (!c->repeat)
		c->repeat = c->until_fail ? REPEAT_UNTIL : 1;
	if ((u64)nr * c->repeat > TESTS_MAX) {
		pr_err("--repeat: %u tests, %d times each; %d in all are possible", nr, c->repeat, TESTS_MAX);
		return -E2BIG;
	}
	/* By the name that tests_add() would find, which looks at all of them for each. */
	for (int n = 1; n < c->repeat; n++) {
		for (unsigned int i = 0; i < nr; i++) {
			snprintf(name, sizeof(name), "%s#%d", c->tests.item[i].name, n + 1);
			if (!tests_copy(&c->tests, i, name))
				return -ENOMEM;
		}
	}
	if (c->seed >= 0)
		tests_shuffle(&c->tests, c->seed);
	return 0;
}

static int test_open(FILE **f, const char *path)
{
	if (!path)
		return 0;
	*f = fopen(path, "we");
	if (*f)
		return 0;
	pr_err("%s: %s", path, strerror(errno));
	return -EIO;
}

/* What will be written is opened before anything is booted. */
static int test_outputs(struct test_cmd *c)
{
	const char *tmp = getenv("TMPDIR");
	int ret = 0;

	for (unsigned int i = 0; !ret && i < c->allow.nr; i++)
		ret = regexes_add(&c->allowed, "--allow", c->allow.item[i]);
	if (!ret && c->baseline)
		ret = results_load(&c->old, c->baseline);
	if (!ret)
		ret = test_open(&c->json_file, c->json);
	if (!ret)
		ret = test_open(&c->junit_file, c->junit);
	if (!ret)
		ret = test_open(&c->html_file, c->html);
	if (!ret)
		ret = kcidb_check(c->origin ?: "lkvm", c->build) ?: test_open(&c->kcidb_file, c->kcidb);
	if (ret || c->merge)
		return ret;
	if (c->logs) {
		if (mkdir(c->logs, 0777) && errno != EEXIST) {
			pr_err("%s: %s", c->logs, strerror(errno));
			return -EIO;
		}
		c->log_dir = realpath(c->logs, NULL);
	} else if (asprintf(&c->log_dir, "%s/lkvm-test-XXXXXX", tmp && *tmp ? tmp : "/tmp") >= 0 &&
		   !mkdtemp(c->log_dir)) {
		pr_err("%s: %s", c->log_dir, strerror(errno));
		return -EIO;
	}
	return c->log_dir ? job_dirs(&c->tests, c->log_dir) : -EIO;
}

/* The seconds that the rest will take: what a test took before, else the mean of those that ended. */
static unsigned int test_estimate(const struct test_cmd *c)
{
	u64 mean = (loop_now() - c->began) / 1000000 * c->jobs_now / c->reported, ms = 0;

	for (unsigned int i = 0; i < c->tests.nr; i++) {
		const struct test *t = &c->tests.item[i];

		if (!t->done)
			ms += t->before ? t->before : mean;
	}
	return ms / 1000 / c->jobs_now;
}

/* Below the results of a terminal. */
static void test_progress(const struct test_cmd *c)
{
	unsigned int left = test_estimate(c);

	fprintf(stderr, "%u of %u, %u failed, about %u:%02u left\r", c->reported, c->tests.nr, c->failures, left / 60,
		left % 60);
}

static void test_done(const struct test *t, void *obj)
{
	struct test_cmd *c = obj;

	bool terminal = isatty(STDERR_FILENO);

	/* The result takes the place of the progress. */
	if (terminal)
		fputs("\r\033[K", stderr);
	report_test(stdout, t, ++c->reported);
	c->failures += test_failed(t);
	if (terminal && c->reported < c->tests.nr)
		test_progress(c);
}

/* Machines at a time: a processor and a GiB of free memory each. */
static unsigned int test_room(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), gib = 1;
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long kib;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld kB", &kib) == 1)
			gib = kib >> 20;
	if (f)
		fclose(f);
	return max(1L, min(cpus, gib));
}

static int test_run(struct test_cmd *c, const char *lkvm)
{
	const char *make = getenv("MAKEFLAGS");
	struct pool_config cfg = {
		.lkvm = lkvm, .options = &c->run, .allow = &c->allowed, .logs = c->log_dir, .keep = c->logs,
		.fresh = c->fresh, .jobs = c->jobs, .timeout = c->timeout, .retry = c->retry,
		.until_fail = c->until_fail, .done = test_done, .obj = c,
	};

	if (c->jobs < 0)
		cfg.jobs = make && strstr(make, "--jobserver") ? test_room() : 1;
	else if (!c->jobs)
		cfg.jobs = test_room();
	for (unsigned int i = 0; i < c->tests.nr && isatty(STDERR_FILENO); i++) {
		const struct test *old = tests_find(&c->old, c->tests.item[i].name);

		c->tests.item[i].before = old ? old->ms : 0;
	}
	c->began = loop_now();
	c->jobs_now = cfg.jobs;
	report_begin(stdout, c->tests.nr);
	if (c->seed >= 0)
		printf("# --shuffle %d\n", c->seed);
	if (!c->jobs)
		printf("# %u machines at a time\n", cfg.jobs);
	fflush(stdout);
	return pool_run(&c->tests, &cfg);
}

static int test_close(FILE *f, const char *path)
{
	if (!f || !fclose(f))
		return 0;
	pr_err("%s: %s", path, strerror(errno));
	return -EIO;
}

/* The reports, of whatever is known. The exit status. */
static int test_report(struct test_cmd *c, int ret)
{
	int status = ret == -EINTR ? 130 : ret ? STATUS_FAILED :
		report_status(&c->tests, c->baseline ? &c->old : NULL);

	report_end(stdout, &c->tests);
	if (c->baseline)
		baseline_print(stdout, &c->tests, &c->old);
	if (c->json_file)
		report_json(c->json_file, &c->tests);
	if (c->junit_file)
		report_junit(c->junit_file, &c->tests);
	if (c->html_file && report_html(c->html_file, &c->tests, c->baseline ? &c->old : NULL)) {
		pr_err("%s: out of memory", c->html);
		status = status ?: STATUS_FAILED;
	}
	if (c->kcidb_file)
		report_kcidb(c->kcidb_file, &c->tests, c->origin ?: "lkvm", c->build);
	if (test_close(c->json_file, c->json) | test_close(c->junit_file, c->junit) |
	    test_close(c->html_file, c->html) | test_close(c->kcidb_file, c->kcidb))
		status = status ?: STATUS_FAILED;
	c->json_file = c->junit_file = c->html_file = c->kcidb_file = NULL;
	return command_flush(status);
}

static int test_merge(struct test_cmd *c, char **files)
{
	int ret = test_outputs(c);

	for (; !ret && *files; files++)
		ret = results_load(&c->tests, *files);
	if (ret)
		return STATUS_FAILED;
	report_begin(stdout, c->tests.nr);
	for (unsigned int i = 0; i < c->tests.nr; i++)
		report_test(stdout, &c->tests.item[i], i + 1);
	return test_report(c, 0);
}

static void test_done_with(struct test_cmd *c)
{
	FILE *file[] = { c->json_file, c->junit_file, c->html_file, c->kcidb_file };

	for (unsigned int i = 0; i < ARRAY_SIZE(file); i++)
		if (file[i])
			fclose(file[i]);
	for (unsigned int i = 0; !c->logs && i < c->tests.nr; i++)
		if (c->log_dir && c->tests.item[i].dir)
			job_dir_remove(c->tests.item[i].dir);
	if (c->log_dir && !c->logs)
		rmdir(c->log_dir);
	free(c->log_dir);
	tests_free(&c->tests);
	tests_free(&c->old);
	regexes_free(&c->allowed);
	strings_free(&c->words);
	strings_free(&c->run);
	strings_free(&c->kernels);
	opt_free(test_opts, c);
}

/* @plans are the operands, @command is what is behind "--". */
static int test_all(struct test_cmd *c, char **plans, char **command)
{
	int ret;

	if (c->merge)
		return test_merge(c, plans);
	if (test_load(c, plans, command) || test_select(c))
		return STATUS_FAILED;
	if (c->list) {
		for (unsigned int i = 0; i < c->tests.nr; i++)
			puts(c->tests.item[i].name);
		return command_flush(0);
	}
	if (test_outputs(c))
		return STATUS_FAILED;
	ret = test_run(c, "lkvm");
	return test_report(c, ret);
}

static int cmd_test(const struct command *cmd, int argc, char **argv)
{
	struct test_cmd c = { .fresh = FRESH_AUTO, .jobs = -1, .timeout = 600, .seed = -1 };
	int status = cmd->usage_status, n;
	char **command = argv;

	(void)argc;
	while (*command && strcmp(*command, "--"))
		command++;
	if (*command)
		command++;
	if (!test_split(&c, cmd, argv)) {
		static char *none[] = { NULL };
		char **words = c.words.item ? c.words.item : none;

		/* opt_parse() moves the operands to the front: a copy, as the strings are freed by their order. */
		char **copy = calloc(c.words.nr + 1, sizeof(*copy));

		memcpy(copy, words, c.words.nr * sizeof(*copy));
		n = command_parse(cmd, &c, c.words.nr, copy, &status);
		if (n >= 0)
			status = test_all(&c, copy, command);
		free(copy);
	}
	test_done_with(&c);
	return status;
}

const struct command command_test = {
	.name = "test",
	.synopsis = "[OPTION...] [PLAN|DIRECTORY|PROGRAM]... [-- COMMAND [ARG...]]",
	.summary = "run tests in machines, and report their results",
	.about =
	"PLAN is a file with a command per line, or in stanzas. A DIRECTORY has a program\n"
	"for each test, or is an installed kselftest tree. All options of 'lkvm run' are\n"
	"possible; with several -k each test runs on each kernel.\n"
	"The exit status is 0: all passed or were skipped; 1: a test failed; 123: the\n"
	"kernel panicked or complained in all of them, 124: all took too long, 125:\n"
	"beside tests that passed there are only those that lkvm could not run.\n",
	.opts = test_opts,
	.usage_status = STATUS_FAILED,
	.fn = cmd_test,
};
