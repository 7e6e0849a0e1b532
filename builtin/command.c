// SPDX-License-Identifier: GPL-2.0
/*
 * How a command is found by its words, how its options are read, how its help is
 * printed. Which there are is in commands.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kvm/builtin.h>
#include <kvm/log.h>

const char *command_word(const struct command *cmd)
{
	const char *blank = strrchr(cmd->name, ' ');

	return blank ? blank + 1 : cmd->name;
}

/* @group NULL: @table is the list of all. */
static const struct command *command_one(const struct command *const *table,
					 const struct command *group, const char *word)
{
	struct opt_near near = { 0 };
	const char *blank = group ? " " : "", *name = group ? group->name : "";

	for (int i = 0; table[i]; i++) {
		if (!strcmp(command_word(table[i]), word))
			return table[i];
		opt_near(&near, word, command_word(table[i]));
	}
	if (near.word)
		pr_err("unknown command '%s%s%s', did you mean '%s%s%s'?", name, blank, word, name, blank,
		       near.word);
	else
		pr_err("unknown command '%s%s%s', 'lkvm help%s%s' lists those there are", name, blank, word,
		       blank, name);
	return NULL;
}

const struct command *command_find(const struct command *const *table, char **words, int *used)
{
	const struct command *cmd = command_one(table, NULL, words[0]);

	for (*used = 1; cmd && cmd->sub && words[*used] && words[*used][0] != '-'; ++*used)
		cmd = command_one(cmd->sub, cmd, words[*used]);
	return cmd;
}

static void command_names_print(FILE *f, const struct command *const *table)
{
	for (int i = 0; table[i]; i++)
		fprintf(f, "  %-10s %s\n", command_word(table[i]), table[i]->summary);
}

void command_list_print(FILE *f, const struct command *const *table)
{
	fputs("usage: lkvm COMMAND [options]\n\n", f);
	command_names_print(f, table);
	fputs("\n'lkvm help COMMAND' says more; the manual is lkvm(1).\n", f);
}

void command_help_print(FILE *f, const struct command *cmd)
{
	fprintf(f, "usage: lkvm %s%s%s\n\n%s.\n", cmd->name, *cmd->synopsis ? " " : "",
		cmd->synopsis, cmd->summary);
	if (cmd->sub) {
		fputc('\n', f);
		command_names_print(f, cmd->sub);
	}
	if (cmd->opts) {
		fputc('\n', f);
		opt_print(f, cmd->opts);
	}
	if (cmd->about)
		fprintf(f, "\n%s", cmd->about);
}

int command_usage(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_prefixed(LOG_ERROR, cmd->name, 0, fmt, ap);
	va_end(ap);
	return cmd->usage_status;
}

int command_parse(const struct command *cmd, void *obj, int argc, char **argv, int *status)
{
	static const struct opt none[] = { OPT_END };
	struct opt_err err;
	int n = opt_parse(cmd->opts ? cmd->opts : none, obj, argc, argv, cmd->flags, &err);

	if (n >= 0)
		return n;
	if (n == -ECANCELED) {
		command_help_print(stdout, cmd);
		*status = 0;
	} else {
		*status = command_usage(cmd, "%s", err.text);
	}
	return -1;
}

int command_flush(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	pr_err("stdout: %s", strerror(errno));
	return status ? status : 1;
}

int command_call(const struct command *const *table, int argc, char **argv)
{
	const struct command *cmd;
	int used, status;

	cmd = command_find(table, argv, &used);
	if (!cmd)
		return STATUS_USAGE;
	if (cmd->fn)
		return cmd->fn(cmd, argc - used, argv + used);
	/* It has subcommands, and none of them was named: --help is all that it can do. */
	if (command_parse(cmd, NULL, argc - used, argv + used, &status) < 0)
		return status;
	return command_usage(cmd, "a word has to follow: 'lkvm help %s' lists them", cmd->name);
}
