// SPDX-License-Identifier: GPL-2.0
/* Commands and their subcommands: how they are found, and what is said if not. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>

#include "tap.h"

#define WORDS_MAX 8

struct disk {
	bool force;
};

static const struct opt disk_opts[] = {
	OPT_BOOL('f', "force", struct disk, force, "whatever is there"),
	OPT_END
};

static const struct command *called;
static int operands;

static int disk_main(const struct command *cmd, int argc, char **argv)
{
	struct disk disk = { false };
	int status, n = command_parse(cmd, &disk, argc, argv, &status);

	called = cmd;
	operands = n;
	return n < 0 ? status : disk.force ? 7 : 0;
}

static const struct command disk_create = {
	.name = "disk create", .synopsis = "[--force] FILE", .summary = "make a disk",
	.opts = disk_opts, .usage_status = STATUS_USAGE, .fn = disk_main,
};

static const struct command disk_info = {
	.name = "disk info", .synopsis = "FILE", .summary = "say what a disk is",
	.usage_status = STATUS_USAGE, .fn = disk_main,
};

static const struct command *const disk_commands[] = { &disk_create, &disk_info, NULL };

static const struct command command_disks = {
	.name = "disk", .synopsis = "COMMAND", .summary = "disks", .sub = disk_commands,
	.usage_status = STATUS_USAGE,
};

static const struct command *const table[] = { &command_disks, &command_list, NULL };

static char output[4096];

/* Run it with what it prints in output[]; the status. */
static int run(const char *line)
{
	char buf[256], *argv[WORDS_MAX + 1];
	int argc = 0, status, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	FILE *f = tmpfile();

	CHECK(f && out >= 0 && err >= 0);
	strcpy(buf, line);
	for (char *p = strtok(buf, " "); p && argc < WORDS_MAX; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	called = NULL;
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	dup2(fileno(f), STDERR_FILENO);
	status = command_call(table, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	rewind(f);
	output[fread(output, 1, sizeof(output) - 1, f)] = '\0';
	fclose(f);
	return status;
}

TEST(a_subcommand_is_called_with_what_follows_it)
{
	CHECK_EQ(run("disk create a b"), 0);
	CHECK(called == &disk_create);
	CHECK_EQ(operands, 2);
	CHECK_EQ(run("disk create --force a"), 7);
	CHECK_EQ(operands, 1);
	CHECK_EQ(run("disk info create"), 0);
	CHECK(called == &disk_info);
	CHECK_EQ(operands, 1);
}

TEST(help_lists_subcommands)
{
	CHECK_EQ(run("disk --help"), 0);
	CHECK_STR(output,
		  "usage: lkvm disk COMMAND\n\ndisks.\n\n"
		  "  create     make a disk\n"
		  "  info       say what a disk is\n");
	CHECK_EQ(run("disk create --help"), 0);
	CHECK(strstr(output, "usage: lkvm disk create [--force] FILE\n"));
	CHECK(strstr(output, "  -f, --force "));
}

TEST(mistakes_name_the_command)
{
	CHECK_EQ(run("disc"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: unknown command 'disc', did you mean 'disk'?\n");
	CHECK_EQ(run("xyzzy"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: unknown command 'xyzzy', 'lkvm help' lists those there are\n");
	CHECK_EQ(run("disk"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: disk: a word has to follow: 'lkvm help disk' lists them\n");
	CHECK_EQ(run("disk craete"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: unknown command 'disk craete', did you mean 'disk create'?\n");
	CHECK_EQ(run("disk xyzzy"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: unknown command 'disk xyzzy', 'lkvm help disk' lists those there are\n");
	CHECK_EQ(run("disk --xyzzy"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: disk: unknown option --xyzzy\n");
	CHECK_EQ(run("disk create --xyzzy"), STATUS_USAGE);
	CHECK_STR(output, "lkvm: disk create: unknown option --xyzzy\n");
	CHECK(!called || called == &disk_create);
}
