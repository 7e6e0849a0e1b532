// SPDX-License-Identifier: GPL-2.0
/*
 * A machine of tests: its command line, its files, and what they say afterwards. Its files
 * are in the first test's directory: stdout, stderr, kmsg, outcome, and command, which
 * repeats it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/template.h>

#include "job.h"

#define JOB_BOOT	120		/* seconds for what is not the test */
#define JOB_TRACE_MAX	(16 * MIB)	/* that are read of a file */
#define JOB_NAME_MAX	100
#define JOB_SCRIPT_MAX	(64 * 1024)

static unsigned int test_seconds(const struct test *t, const struct pool_config *cfg)
{
	return t->timeout ? (unsigned int)t->timeout : (unsigned int)cfg->timeout;
}

unsigned int job_seconds(const struct job *job, const struct pool_config *cfg, const struct tests *t)
{
	u64 seconds = JOB_BOOT;

	for (unsigned int i = 0; i < job->nr; i++)
		seconds += test_seconds(&t->item[job->test[i]], cfg);
	return min(seconds, (u64)INT_MAX / 2000);
}

static bool strings_same(const struct strings *a, const struct strings *b)
{
	if (a->nr != b->nr)
		return false;
	for (unsigned int i = 0; i < a->nr; i++)
		if (strcmp(a->item[i], b->item[i]))
			return false;
	return true;
}

bool job_same_machine(const struct test *a, const struct test *b)
{
	return !strcmp(a->kernel ?: "", b->kernel ?: "") && strings_same(&a->options, &b->options);
}

/* @text as a word of sh. */
static void print_quoted(FILE *f, const char *text)
{
	if (*text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./,:@%") == strlen(text)) {
		fputs(text, f);
		return;
	}
	putc('\'', f);
	for (; *text; text++)
		*text == '\'' ? fputs("'\\''", f) : putc(*text, f);
	putc('\'', f);
}

static FILE *job_file(const struct job *job, const char *name, const char *mode)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", job->dir, name);
	f = fopen(path, mode);
	if (!f)
		pr_err("%s: %s", path, strerror(errno));
	return f;
}

/* Several tests, one after the other, with lines between what they print. */
static int job_script(struct job *job, const struct pool_config *cfg, const struct tests *t)
{
	unsigned long random;
	size_t len;
	FILE *f;

	free(job->script);
	job->script = NULL;
	f = open_memstream(&job->script, &len);
	if (!f)
		return -ENOMEM;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = loop_now();
	snprintf(job->mark, sizeof(job->mark), "@lkvm-test-%016lx", random);
	for (unsigned int i = 0; i < job->nr; i++) {
		const struct test *test = &t->item[job->test[i]];

		fprintf(f, "printf '\\n%s begin %u\\n'; echo '%s begin %u' > /dev/kmsg\n( ", job->mark, i,
			job->mark, i);
		if (test->cwd) {
			fputs("cd ", f);
			print_quoted(f, test->cwd);
			fputs(" && ", f);
		}
		fprintf(f, "timeout -k 5 %u", test_seconds(test, cfg));
		for (unsigned int a = 0; a < test->argv.nr; a++) {
			putc(' ', f);
			print_quoted(f, test->argv.item[a]);
		}
		fprintf(f, " ) < /dev/null 2>&1\nprintf '\\n%s end %u %%d\\n' $?\n", job->mark, i);
	}
	if (fclose(f))
		return -ENOMEM;
	if (len < JOB_SCRIPT_MAX)
		return 0;
	/* Too long for a word of a command line: the guest reads it, if it has the host's files. */
	f = job_file(job, "script", "w");
	if (!f || fputs(job->script, f) < 0 || fclose(f))
		return -EIO;
	free(job->script);
	job->script = NULL;
	return 0;
}

/* The words of "lkvm run". */
static int job_argv(struct job *job, const struct pool_config *cfg, const struct tests *t, struct strings *argv)
{
	const struct test *first = &t->item[job->test[0]];
	int ret = strings_add(argv, cfg->lkvm) ?: strings_add(argv, "run");

	for (unsigned int i = 0; !ret && i < cfg->options->nr; i++)
		ret = strings_add(argv, cfg->options->item[i]);
	if (!ret && first->kernel)
		ret = strings_add(argv, "-k") ?: strings_add(argv, first->kernel);
	for (unsigned int i = 0; !ret && i < first->options.nr; i++)
		ret = strings_add(argv, first->options.item[i]);
	if (!ret && first->cwd && cfg->fresh != FRESH_NONE)
		ret = strings_add(argv, "--cwd") ?: strings_add(argv, first->cwd);
	if (!ret)
		ret = strings_add(argv, "--no-stdin") ?: strings_addf(argv, "--timeout=%u", job_seconds(job, cfg, t)) ?:
			strings_addf(argv, "--kmsg=%s/kmsg", job->dir) ?:
			strings_addf(argv, "--outcome=%s/outcome", job->dir) ?: strings_add(argv, "--oops=report") ?:
			strings_add(argv, "--");
	if (!ret && cfg->fresh == FRESH_NONE)
		return strings_add(argv, "sh") ?: job->script ?
			strings_add(argv, "-c") ?: strings_add(argv, job->script) : strings_addf(argv, "%s/script", job->dir);
	for (unsigned int i = 0; !ret && i < first->argv.nr; i++)
		ret = strings_add(argv, first->argv.item[i]);
	return ret;
}

static int job_command(const struct job *job, const struct strings *argv)
{
	FILE *f = job_file(job, "command", "w");
	char cwd[PATH_MAX];

	if (!f)
		return -EIO;
	if (getcwd(cwd, sizeof(cwd))) {
		fputs("cd ", f);
		print_quoted(f, cwd);
		fputs(" && ", f);
	}
	for (unsigned int i = 0; i < argv->nr; i++) {
		fputs(i ? " " : "", f);
		print_quoted(f, argv->item[i]);
	}
	putc('\n', f);
	return fclose(f) ? -EIO : 0;
}

/* Its stdin, stdout and stderr: 0 or -errno with the message printed. */
static int job_streams(const struct job *job, int fd[3])
{
	static const char *const names[] = { NULL, "stdout", "stderr" };
	char path[PATH_MAX] = "/dev/null";

	for (int i = 0; i < 3; i++) {
		if (names[i])
			snprintf(path, sizeof(path), "%s/%s", job->dir, names[i]);
		fd[i] = open(path, i ? O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0666);
		if (fd[i] < 0) {
			int ret = -errno;

			pr_err("%s: %s", path, strerror(errno));
			while (i--)
				close(fd[i]);
			return ret;
		}
	}
	return 0;
}

static pid_t job_run(const int fd[3], char **argv)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++)
		dup2(fd[i], i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", argv);
	_exit(125);
}

static pid_t job_clone(const struct job *job, const struct pool_config *cfg, const struct tests *t, const int fd[3])
{
	const struct test *test = &t->item[job->test[0]];
	char kmsg[PATH_MAX], outcome[PATH_MAX];
	struct template_run run = {
		.argv = test->argv.item, .fd = { fd[0], fd[1], fd[2] }, .cwd = test->cwd, .kmsg = kmsg,
		.outcome = outcome, .faults = "report", .timeout = job_seconds(job, cfg, t),
	};

	snprintf(kmsg, sizeof(kmsg), "%s/kmsg", job->dir);
	snprintf(outcome, sizeof(outcome), "%s/outcome", job->dir);
	return template_clone(job->template->template, &run);
}

/* The options of a template's boot. */
static pid_t job_boot(const struct job *job, const struct pool_config *cfg, const struct tests *t, const int fd[3])
{
	const struct test *test = &t->item[job->template->test];
	struct strings argv = { NULL, 0 };
	pid_t pid = strings_addf(&argv, "--timeout=%d", JOB_BOOT);

	for (unsigned int i = 0; !pid && i < cfg->options->nr; i++)
		pid = strings_add(&argv, cfg->options->item[i]);
	if (!pid && test->kernel)
		pid = strings_add(&argv, "-k") ?: strings_add(&argv, test->kernel);
	for (unsigned int i = 0; !pid && i < test->options.nr; i++)
		pid = strings_add(&argv, test->options.item[i]);
	if (!pid)
		pid = template_boot(job->template->template, argv.item, fd[2]);
	strings_free(&argv);
	return pid;
}

int job_start(struct job *job, const struct pool_config *cfg, const struct tests *t)
{
	static const char *const old[] = { "kmsg", "outcome", "stdout", "stderr" };
	struct strings argv = { NULL, 0 };
	char path[PATH_MAX];
	int ret = 0, fd[3];

	/* Those of an earlier turn. */
	for (unsigned int i = 0; i < ARRAY_SIZE(old); i++)
		if (snprintf(path, sizeof(path), "%s/%s", job->dir, old[i]) < (int)sizeof(path))
			unlink(path);
	if (cfg->fresh == FRESH_NONE)
		ret = job_script(job, cfg, t);
	if (!ret && !job->boots)
		ret = job_argv(job, cfg, t, &argv) ?: job_command(job, &argv);
	ret = ret ?: job_streams(job, fd);
	if (!ret) {
		job->began = loop_now();
		job->pid = job->boots ? job_boot(job, cfg, t, fd) : job->template ? job_clone(job, cfg, t, fd) :
			job_run(fd, argv.item);
		for (int i = 0; i < 3; i++)
			close(fd[i]);
		ret = job->pid < 0 ? job->pid : 0;
		if (ret)
			pr_err("a process for another machine: %s", strerror(-ret));
		else
			setpgid(job->pid, job->pid);
	}
	strings_free(&argv);
	return ret;
}

/* What is in a file of the job's, at most JOB_TRACE_MAX of it; "" if there is none. NULs become blanks. */
static char *job_read(const struct job *job, const char *name)
{
	char path[PATH_MAX], *text = NULL;
	size_t len = 0, size = 0;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", job->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	do {
		if (size - len < 2) {
			char *more = realloc(text, size = size ? 2 * size : 4096);

			if (!more)
				break;
			text = more;
		}
		n = fd < 0 ? 0 : read(fd, text + len, size - len - 1);
		len += n > 0 ? n : 0;
	} while (n > 0 && len < JOB_TRACE_MAX);
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	if (text)
		text[len] = '\0';
	return text;
}

/* The line "MARK WORD I" in @text, or NULL. */
static char *job_find(const struct job *job, char *text, const char *word, unsigned int i)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "%s %s %u", job->mark, word, i);

	while ((text = strstr(text, line))) {
		if (text[len] == '\n' || text[len] == ' ' || text[len] == '\r')
			return text;
		text += len;
	}
	return NULL;
}

static char *line_after(char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

/* Test @i of a machine of several: true if it has begun. */
static bool job_judge_one(struct job *job, const struct pool_config *cfg, struct test *t, unsigned int i,
			  const struct test_traces *all)
{
	char *begin = job_find(job, all->out, "begin", i), *end, *kmsg, *next;
	char outcome[32] = "exit 0\n", *empty = strdup("");
	struct test_traces tr = { .err = empty, .kmsg = empty, .outcome = outcome };
	int status = 0;

	if (!begin || !empty) {
		free(empty);
		return false;
	}
	end = job_find(job, begin, "end", i);
	tr.out = line_after(begin);
	kmsg = job_find(job, all->kmsg, "begin", i);
	next = kmsg ? job_find(job, kmsg, "begin", i + 1) : NULL;
	tr.kmsg = kmsg ? strndup(kmsg, next ? (size_t)(next - kmsg) : strlen(kmsg)) : NULL;
	if (end) {
		char *line = strndup(end, strcspn(end, "\n")), *p = line ? strrchr(line, ' ') : NULL;

		status = p ? atoi(p + 1) : 0;
		free(line);
		snprintf(outcome, sizeof(outcome), status == 124 ? "timeout 124\n" : "exit %d\n", status);
	}
	if (end)
		tr.out = strndup(tr.out, end > tr.out ? end - tr.out - 1 : 0);
	else
		tr.out = strdup(tr.out);
	if (!end)
		tr.outcome = all->outcome;
	if (!tr.kmsg)
		tr.kmsg = strdup("");
	if (tr.out && tr.kmsg)
		verdict(t, &tr, cfg->allow);
	if (!end && t->word != TEST_PANIC && t->word != TEST_OOPS && t->word != TEST_TIMEOUT)
		t->word = TEST_ERROR;
	free(tr.out);
	free(tr.kmsg);
	free(empty);
	return t->done;
}

static u64 wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void job_judge(struct job *job, const struct pool_config *cfg, struct tests *t, int wstatus)
{
	struct test_traces tr = {
		.out = job_read(job, "stdout"), .err = job_read(job, "stderr"),
		.kmsg = job_read(job, "kmsg"), .outcome = job_read(job, "outcome"),
	};
	u64 ms = (loop_now() - job->began) / 1000000 / job->nr, start = wall_ms() - ms * job->nr;
	bool any = false;

	tr.status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
	for (unsigned int i = 0; tr.out && tr.err && tr.kmsg && tr.outcome && i < job->nr; i++) {
		struct test *test = &t->item[job->test[i]];

		if (cfg->fresh != FRESH_NONE) {
			verdict(test, &tr, cfg->allow);
		} else {
			char *outcome = strdup(tr.outcome);
			struct test_traces one = tr;

			one.outcome = outcome;
			if (outcome)
				any |= job_judge_one(job, cfg, test, i, &one);
			free(outcome);
		}
		test->ms = ms;
		test->start = start;
	}
	/* It came to none of them: what happened is the result of all. */
	for (unsigned int i = 0; cfg->fresh == FRESH_NONE && !any && i < job->nr; i++) {
		struct test *test = &t->item[job->test[i]];
		char *outcome = strdup(tr.outcome ?: ""), *err = strdup(tr.err ?: "");
		struct test_traces one = tr;

		one.outcome = outcome;
		one.err = err;
		if (outcome && err && tr.out && tr.kmsg)
			verdict(test, &one, cfg->allow);
		test->word = test->done && test_failed(test) && test->word != TEST_FAIL ? test->word : TEST_ERROR;
		test->done = true;
		free(outcome);
		free(err);
	}
	if (job->killed) {
		t->item[job->test[0]].word = TEST_ERROR;
		t->item[job->test[0]].done = true;
	}
	free(tr.out);
	free(tr.err);
	free(tr.kmsg);
	free(tr.outcome);
}

/* A name for a directory. */
static void job_dir_name(const char *name, char out[JOB_NAME_MAX])
{
	size_t i;

	for (i = 0; name[i] && i < JOB_NAME_MAX - 1; i++)
		out[i] = isalnum((unsigned char)name[i]) || strchr("._+=:-", name[i]) ? name[i] : '_';
	out[i] = '\0';
	if (*out == '.')
		*out = '_';
}

static bool job_dir_taken(const struct tests *t, unsigned int before, const char *dir)
{
	for (unsigned int i = 0; i < before; i++)
		if (t->item[i].dir && !strcmp(t->item[i].dir, dir))
			return true;
	return false;
}

int job_dirs(struct tests *t, const char *logs)
{
	char name[JOB_NAME_MAX];

	for (unsigned int i = 0; i < t->nr; i++) {
		struct test *test = &t->item[i];
		unsigned int n = 1;

		job_dir_name(test->name, name);
		do {
			free(test->dir);
			test->dir = NULL;
			if ((n == 1 ? asprintf(&test->dir, "%s/%s", logs, name) :
			     asprintf(&test->dir, "%s/%s-%u", logs, name, i + n - 1)) < 0)
				return -ENOMEM;
			n++;
		} while (job_dir_taken(t, i, test->dir));
		if (mkdir(test->dir, 0777) && errno != EEXIST) {
			int ret = -errno;

			pr_err("%s: %s", test->dir, strerror(errno));
			return ret;
		}
	}
	return 0;
}

void job_dir_remove(const char *dir)
{
	static const char *const names[] = { "stdout", "stderr", "kmsg", "outcome", "command", "script" };
	char path[PATH_MAX];

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) < (int)sizeof(path))
			unlink(path);
	rmdir(dir);
}

char *job_last_words(const struct job *job)
{
	char *text = job_read(job, "stderr"), *end = text ? text + strlen(text) : NULL, *line;

	while (end && end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	line = text ? strrchr(text, '\n') : NULL;
	if (line)
		memmove(text, line + 1, strlen(line));
	return text;
}
