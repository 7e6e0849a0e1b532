// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm kconfig: prints the options that a guest's kernel needs, in the form
 * that a kernel tree's scripts/kconfig/merge_config.sh reads. The text is
 * config/lkvm.config, carried inside lkvm (builtin/init/blob.S).
 */
#include <stdio.h>

#include <kvm/builtin.h>

extern const char guest_kconfig[], guest_kconfig_end[];

static int kconfig_run(const struct command *cmd, int argc, char **argv)
{
	size_t len = guest_kconfig_end - guest_kconfig;
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "it takes no arguments: '%s'", argv[0]);
	fwrite(guest_kconfig, 1, len, stdout);
	return 0;
}

const struct command command_kconfig = {
	.name = "kconfig",
	.synopsis = "",
	.summary = "print the kernel options that a guest needs",
	.about = "In a kernel tree:\n"
		 "    lkvm kconfig > .lkvm.config\n"
		 "    scripts/kconfig/merge_config.sh .config .lkvm.config\n",
	.usage_status = STATUS_USAGE,
	.fn = kconfig_run,
};
