// SPDX-License-Identifier: GPL-2.0
/* lkvm shell: a login shell in a running guest. */
#include <stdio.h>
#include <unistd.h>

#include "enter.h"

static int shell_main(const struct command *cmd, int argc, char **argv)
{
	struct enter e = { .fd = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO } };
	int status, n = command_parse(cmd, &e, argc, argv, &status);

	if (n == 1) {
		/* Without a terminal it is a shell that reads a script. */
		e.tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
		status = enter_run(&e, argv[0], argv + 1);
	} else if (n >= 0) {
		status = command_usage(cmd, n ? "one machine; 'lkvm exec' runs a command" : "which machine? 'lkvm list' shows them");
	}
	opt_free(enter_opts, &e);
	return status;
}

const struct command command_shell = {
	.name = "shell",
	.synopsis = "[OPTION...] NAME",
	.summary = "a shell in the guest of a running machine",
	.about =
	"The user's login shell, on a terminal of the guest. Ctrl-a x leaves it.\n",
	.opts = enter_opts,
	.usage_status = STATUS_FAILED,
	.fn = shell_main,
};
