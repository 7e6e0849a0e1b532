// SPDX-License-Identifier: GPL-2.0
/* lkvm help: the list of commands, or one command's options. */
#include <stdio.h>

#include <kvm/builtin.h>

void command_list_print(FILE *f)
{
	fputs("usage: lkvm COMMAND [options]\n\n", f);
	for (int i = 0; commands[i]; i++)
		fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'lkvm help COMMAND' says more; the manual is lkvm(1).\n", f);
}

void command_help_print(FILE *f, const struct command *cmd)
{
	fprintf(f, "usage: lkvm %s%s%s\n\n%s.\n", cmd->name, *cmd->synopsis ? " " : "",
		cmd->synopsis, cmd->summary);
	if (cmd->opts) {
		fputc('\n', f);
		opt_print(f, cmd->opts);
	}
	if (cmd->about)
		fprintf(f, "\n%s", cmd->about);
}

static int help_main(const struct command *cmd, int argc, char **argv)
{
	const struct command *about;
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return command_usage(cmd, "one command at a time");
	if (n == 0) {
		command_list_print(stdout);
		return 0;
	}
	about = command_find(argv[0]);
	if (!about)
		return cmd->usage_status;
	command_help_print(stdout, about);
	return 0;
}

const struct command command_help = {
	.name = "help",
	.synopsis = "[COMMAND]",
	.summary = "List the commands, or say what one does",
	.usage_status = STATUS_USAGE,
	.fn = help_main,
};
