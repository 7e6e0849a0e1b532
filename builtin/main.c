// SPDX-License-Identifier: GPL-2.0
/*
 * main(): finds the command and calls it. The list of commands is here, the
 * rest of a command is in its file.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kvm/builtin.h>
#include <kvm/log.h>

const struct command *const commands[] = {
	&command_run,
	&command_list,
	&command_stat,
	&command_stop,
	&command_pause,
	&command_resume,
	&command_reset,
	&command_kconfig,
	&command_help,
	&command_version,
	NULL
};

/* What users of kvmtool may type. */
static const char *const main_later[] = {
	"balloon", "debug", "sandbox", "setup", "stat", NULL
};

const struct command *command_find(const char *name)
{
	struct opt_near near = { 0 };

	for (int i = 0; commands[i]; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
		opt_near(&near, name, commands[i]->name);
	}
	for (int i = 0; main_later[i]; i++) {
		if (!strcmp(main_later[i], name)) {
			pr_err("the command '%s' is not there yet", name);
			return NULL;
		}
	}
	if (near.word)
		pr_err("unknown command '%s', did you mean '%s'?", name, near.word);
	else
		pr_err("unknown command '%s', 'lkvm help' lists those there are", name);
	return NULL;
}

int command_usage(const struct command *cmd, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pr_err("%s: %s", cmd->name, text);
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

int main(int argc, char **argv)
{
	const struct command *cmd;
	const char *name;

	/* The limit of a file's size is an error of the write, EFBIG, which is told to the guest. */
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		command_list_print(stderr);
		return STATUS_USAGE;
	}
	argc--, argv++;
	name = *argv;
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version"))
		name = "version";
	else if (*name == '-') {
		pr_err("unknown option %s, a command comes first: 'lkvm help' lists them", name);
		return STATUS_USAGE;
	}
	cmd = command_find(name);
	if (!cmd)
		return STATUS_USAGE;
	return cmd->fn(cmd, argc - 1, argv + 1);
}
