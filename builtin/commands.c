// SPDX-License-Identifier: GPL-2.0
/*
 * All commands, and those that read their table: lkvm help lists them or says what one
 * does, lkvm completion has a shell complete them.
 */
#include <stdio.h>
#include <string.h>

#include <kvm/builtin.h>

#include "completion.h"

const struct command *const commands[] = {
	&command_run,
	&command_test,
	&command_sandbox,
	&command_setup,
	&command_snapshot,
	&command_restore,
	&command_clone,
	&command_exec,
	&command_shell,
	&command_console,
	&command_cp,
	&command_list,
	&command_stat,
	&command_balloon,
	&command_debug,
	&command_dump,
	&command_gdb,
	&command_drgn,
	&command_mem,
	&command_disk,
	&command_stop,
	&command_power_cut,
	&command_pause,
	&command_resume,
	&command_reset,
	&command_link,
	&command_forward,
	&command_check,
	&command_kconfig,
	&command_completion,
	&command_help,
	&command_version,
	NULL
};

static int help_main(const struct command *cmd, int argc, char **argv)
{
	const struct command *about;
	int used, status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n == 0) {
		command_list_print(stdout, commands);
		return 0;
	}
	about = command_find(commands, argv, &used);
	if (!about)
		return cmd->usage_status;
	if (used < n)
		return command_usage(cmd, "one command at a time");
	command_help_print(stdout, about);
	return 0;
}

const struct command command_help = {
	.name = "help",
	.synopsis = "[COMMAND]",
	.summary = "list the commands, or describe one",
	.usage_status = STATUS_USAGE,
	.fn = help_main,
};

static int completion_main(const struct command *cmd, int argc, char **argv)
{
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n > 2 && !strcmp(argv[0], "words") && !strcmp(argv[1], "--"))
		completion_words(commands, n - 2, argv + 2);
	else if (n != 1 || completion_script(argv[0]))
		return command_usage(cmd, "it takes one word: bash, zsh or fish");
	return command_flush(0);
}

const struct command command_completion = {
	.name = "completion",
	.synopsis = "bash|zsh|fish",
	.summary = "print a script by which a shell completes lkvm's words",
	.about =
	"In ~/.bashrc or ~/.zshrc:   eval \"$(lkvm completion bash)\"\n"
	"For fish:                   lkvm completion fish | source\n"
	"'make install' installs all three.\n",
	.usage_status = STATUS_USAGE,
	.flags = OPT_STOP,
	.fn = completion_main,
};
