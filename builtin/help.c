// SPDX-License-Identifier: GPL-2.0
/* lkvm help: the list of commands, or one command's options. */
#include <stdio.h>

#include <kvm/builtin.h>

static void commands_print(FILE *f, const struct command *const *table)
{
	for (int i = 0; table[i]; i++)
		fprintf(f, "  %-10s %s\n", command_word(table[i]), table[i]->summary);
}

void command_list_print(FILE *f, const struct command *const *table)
{
	fputs("usage: lkvm COMMAND [options]\n\n", f);
	commands_print(f, table);
	fputs("\n'lkvm help COMMAND' says more; the manual is lkvm(1).\n", f);
}

void command_help_print(FILE *f, const struct command *cmd)
{
	fprintf(f, "usage: lkvm %s%s%s\n\n%s.\n", cmd->name, *cmd->synopsis ? " " : "",
		cmd->synopsis, cmd->summary);
	if (cmd->sub) {
		fputc('\n', f);
		commands_print(f, cmd->sub);
	}
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
	.summary = "list the commands, or say what one does",
	.usage_status = STATUS_USAGE,
	.fn = help_main,
};
