// SPDX-License-Identifier: GPL-2.0
/* main(): calls the command. */
#include <signal.h>
#include <string.h>

#include <kvm/builtin.h>
#include <kvm/log.h>

int main(int argc, char **argv)
{
	static char help[] = "help", version[] = "version";

	/* Beyond the limit of a file's size a write fails with EFBIG, which the guest gets. */
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		command_list_print(stderr, commands);
		return STATUS_USAGE;
	}
	argc--, argv++;
	if (!strcmp(*argv, "--help") || !strcmp(*argv, "-h")) {
		*argv = help;
	} else if (!strcmp(*argv, "--version")) {
		*argv = version;
	} else if (**argv == '-') {
		pr_err("unknown option %s, a command comes first: 'lkvm help' lists them", *argv);
		return STATUS_USAGE;
	}
	return command_flush(command_call(commands, argc, argv));
}
