// SPDX-License-Identifier: GPL-2.0
/* lkvm exec: run a command in a running guest. */
#include <stdio.h>
#include <unistd.h>

#include "enter.h"

static const struct opt exec_opts[] = {
	OPT_BOOL('t', "tty", struct enter, tty, "give it a terminal, which is this one"),
	OPT_BOOL(0, "no-stdin", struct enter, no_stdin, "its stdin is empty"),
	OPT_TABLE_OF_NONE(enter_opts),
	OPT_END
};

static int exec_main(const struct command *cmd, int argc, char **argv)
{
	struct enter e = { .fd = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO } };
	int status, n = command_parse(cmd, &e, argc, argv, &status);

	if (n < 0) {
		opt_free(exec_opts, &e);
		return status;
	}
	/* The machine's name ended the options: those of "exec NAME --tty -- CMD" come behind it. */
	if (n > 1) {
		int more = command_parse(cmd, &e, n - 1, argv + 1, &status);

		if (more < 0) {
			opt_free(exec_opts, &e);
			return status;
		}
		n = more + 1;
	}
	if (!n)
		status = command_usage(cmd, "which machine? 'lkvm list' shows them");
	else if (n == 1)
		status = command_usage(cmd, "which command? 'lkvm shell %s' gives a shell", argv[0]);
	else if (e.tty && !isatty(STDIN_FILENO))
		status = command_usage(cmd, "--tty: stdin is no terminal");
	else
		status = enter_run(&e, argv[0], argv + 1);
	opt_free(exec_opts, &e);
	return status;
}

const struct command command_exec = {
	.name = "exec",
	.synopsis = "NAME [OPTION...] [--] COMMAND [ARG...]",
	.summary = "run a command in the guest of a running machine",
	.about =
	"It needs no network. The exit status is the command's; 128 and more: a signal\n"
	"ended it; 125: it could not be run. Its stdin, stdout and stderr are those of\n"
	"this command, and signals to this command go to it.\n",
	.opts = exec_opts,
	.flags = OPT_STOP,
	.usage_status = STATUS_FAILED,
	.fn = exec_main,
};
