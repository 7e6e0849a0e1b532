// SPDX-License-Identifier: GPL-2.0
/* lkvm disk replay: run a command on the states that a disk could have had. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/log.h>

#include "disk.h"
#include "present.h"

#define REPLAY_OUTPUT	4096	/* bytes that are shown of what a command printed that failed */

struct replay_cmd {
	const char *at, *from;
	bool every, all_output;
	int states, seed, format;
	/* private */
	struct replay *r;
	struct present *present;
	char **argv;			/* the command, or its first word is NULL */
	int output;
	u64 nr, failed;
};

static const struct opt replay_opts[] = {
	OPT_STR(0, "at", struct replay_cmd, at, "WHERE", "the state after entry number WHERE, or at the mark of that name"),
	OPT_BOOL(0, "every-flush", struct replay_cmd, every, "the state after each flush, and after the last entry"),
	OPT_STR(0, "from", struct replay_cmd, from, "WHERE", "with --every-flush: leave the flushes before out"),
	OPT_INT(0, "states", struct replay_cmd, states, 0, INT32_MAX, "K",
		"before each of these, K states that a power cut since the last flush could leave (0)"),
	OPT_INT(0, "seed", struct replay_cmd, seed, 0, INT32_MAX, "N",
		"the first of their seeds (1); with --at and without --states: that state alone"),
	OPT_CHOICE('f', "format", struct replay_cmd, format, disk_formats, "what IMAGE is (auto: by its name)"),
	OPT_BOOL('v', "verbose", struct replay_cmd, all_output, "show what each command prints, not only of those that fail"),
	OPT_END
};

/* The end of what a command has printed. */
static void replay_show(int fd)
{
	char text[REPLAY_OUTPUT];
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, text, sizeof(text), end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) : 0);

	if (n > 0)
		fwrite(text, 1, n, stderr);
	if (n > 0 && text[n - 1] != '\n')
		fputc('\n', stderr);
}

static void replay_failed(struct replay_cmd *c, u64 at, int seed, int status)
{
	char what[64], which[64] = "";

	c->failed++;
	if (seed >= 0)
		snprintf(which, sizeof(which), " --seed %d", seed);
	if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "ended by signal %d", WTERMSIG(status));
	else
		snprintf(what, sizeof(what), "status %d", WEXITSTATUS(status));
	pr_err("--at %llu%s: %s", (unsigned long long)at, which, what);
	if (c->output >= 0)
		replay_show(c->output);
}

/* The state that is made: @seed -1 for the one in which nothing is lost. */
static int replay_state(struct replay_cmd *c, u64 at, int seed)
{
	int status;

	c->nr++;
	if (!*c->argv)
		return 0;
	if (c->output >= 0 && (ftruncate(c->output, 0) || lseek(c->output, 0, SEEK_SET)))
		return -errno;
	status = present_run(c->present, c->argv, c->output);
	if (status < 0)
		return status;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOEXEC;
	if (status)
		replay_failed(c, at, seed, status);
	return 0;
}

/* States between the flush before entry @from and entry @at, then that after @at entries. */
static int replay_step(struct replay_cmd *c, u64 from, u64 at, int states, bool exact)
{
	int ret = 0;

	for (int i = 0; !ret && i < states && replay_writes(c->r, from, at); i++) {
		ret = replay_cut(c->r, from, at, c->seed + i);
		if (!ret)
			ret = replay_state(c, at, c->seed + i);
	}
	if (!ret && exact)
		ret = replay_at(c->r, at);
	return ret || !exact ? ret : replay_state(c, at, -1);
}

static int replay_every(struct replay_cmd *c, u64 first)
{
	u64 from = 0, at, end = replay_entries(c->r);
	int ret = 0;

	for (; !ret && from < end; from = at) {
		at = replay_flush(c->r, from + 1);
		if (from >= first)
			ret = replay_step(c, from, at, c->states, true);
	}
	return ret;
}

/* An entry's number, or a mark's name: a mark is there when all before it is. */
static int replay_where(struct replay_cmd *c, const struct command *cmd, const char *where, u64 *at)
{
	u64 end = replay_entries(c->r);
	char *rest;

	*at = strtoull(where, &rest, 10);
	if (*rest || rest == where)
		*at = replay_mark(c->r, where, 0);
	else if (*at <= end)
		return 0;
	else
		return command_usage(cmd, "%s: the log has %llu entries", where, (unsigned long long)end);
	return *at < end ? 0 : command_usage(cmd, "%s: the log has no such mark", where);
}

static int replay_one(struct replay_cmd *c, u64 at, bool seeded)
{
	u64 from = 0, flush;
	bool alone = seeded && !c->states;

	while ((flush = replay_flush(c->r, from + 1)) < at)
		from = flush;
	return replay_step(c, from, at, alone ? 1 : c->states, !alone);
}

static int replay_run(const struct command *cmd, struct replay_cmd *c)
{
	bool seeded = c->seed >= 0;
	struct opt_err err;
	u64 at = 0;
	const char *where = c->at ? c->at : c->from;
	int ret = where ? replay_where(c, cmd, where, &at) : 0;

	if (ret)
		return ret;
	c->seed = seeded ? c->seed : 1;
	c->output = c->all_output ? -1 : memfd_create("lkvm-replay", MFD_CLOEXEC);
	if (*c->argv && present_new(&c->present, c->r, &err))
		return command_usage(cmd, "%s", err.text);
	ret = c->every ? replay_every(c, at) : replay_one(c, at, seeded);
	if (c->present)
		present_free(c->present);
	if (ret == -ENOEXEC)
		return command_usage(cmd, "%s cannot be run", *c->argv);
	if (ret == -EINTR)
		return 128 + 2;
	if (ret)
		pr_err("%s after %llu states", strerror(-ret), (unsigned long long)c->nr);
	printf("%llu states%s", (unsigned long long)c->nr, *c->argv ? "" : "\n");
	if (*c->argv)
		printf(", the command failed on %llu\n", (unsigned long long)c->failed);
	return command_flush(ret || c->failed ? 1 : 0);
}

static int replay_main(const struct command *cmd, int argc, char **argv)
{
	struct replay_cmd c = { .seed = -1 };
	int status, n = command_parse(cmd, &c, argc, argv, &status);
	struct opt_err err;

	if (n < 0)
		return status;
	if (n < 2)
		return command_usage(cmd, "a log and the image as it was when the log began");
	if (!c.at == !c.every)
		return command_usage(cmd, "which states? --at WHERE, or --every-flush");
	if (c.at && c.from)
		return command_usage(cmd, "--from is for --every-flush");
	if (replay_open(&c.r, argv[0], argv[1], c.format, &err))
		return command_usage(cmd, "%s", err.text);
	c.argv = argv + 2;
	status = replay_run(cmd, &c);
	replay_close(c.r);
	return status;
}

const struct command command_disk_replay = {
	.name = "disk replay",
	.synopsis = "LOG IMAGE --every-flush | --at WHERE [-- COMMAND {}]",
	.summary = "run a command on the states that a log of a disk stands for",
	.about =
	"LOG is what keep-log=FILE of a disk has recorded, or dm-log-writes; IMAGE is the\n"
	"disk as it was when the log began. Neither is changed. COMMAND is run for each\n"
	"state, with {} replaced by a file that has it. What COMMAND writes to that file\n"
	"goes with the state. Without COMMAND the states are only made.\n"
	"\n"
	"The exit status is 1 if COMMAND failed on a state. The message names the state:\n"
	"'lkvm disk replay LOG IMAGE --at N --seed S -- COMMAND {}' makes it again.\n",
	.opts = replay_opts,
	.usage_status = STATUS_USAGE,
	.fn = replay_main,
};
