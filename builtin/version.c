// SPDX-License-Identifier: GPL-2.0
/* lkvm version. LKVM_VERSION comes from the Makefile: a kernel tree's, or git's. */
#include <stdio.h>

#include <kvm/builtin.h>

const char *lkvm_version(void)
{
	return LKVM_VERSION;
}

static int version_main(const struct command *cmd, int argc, char **argv)
{
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "there is nothing to say about '%s'", argv[0]);
	printf("lkvm %s\n", lkvm_version());
	return 0;
}

const struct command command_version = {
	.name = "version",
	.synopsis = "",
	.summary = "Print the version of lkvm",
	.usage_status = STATUS_USAGE,
	.fn = version_main,
};
