// SPDX-License-Identifier: GPL-2.0
/* All commands, and lkvm help, which lists them or says what one does. */
#include <stdio.h>

#include <kvm/builtin.h>

const struct command *const commands[] = {
	&command_run,
	&command_sandbox,
	&command_setup,
	&command_snapshot,
	&command_restore,
	&command_clone,
	&command_list,
	&command_stat,
	&command_debug,
	&command_dump,
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
