// SPDX-License-Identifier: GPL-2.0
/* lkvm version. LKVM_VERSION comes from the Makefile: a kernel tree's, or git's. */
#include <stdio.h>

#include <kvm/builtin.h>
#include <kvm/feature.h>

const char *lkvm_version(void)
{
	return LKVM_VERSION;
}

struct version {
	bool features;
	const char *dev;
};

static const struct opt version_opts[] = {
	OPT_BOOL(0, "features", struct version, features,
		 "also print KVM's capabilities that lkvm uses, their values here, and the consequence where one is missing"),
	OPT_STR(0, "dev", struct version, dev, "FILE", "KVM's device (default: /dev/kvm)"),
	OPT_END
};

static int version_main(const struct command *cmd, int argc, char **argv)
{
	struct version version = { .dev = "/dev/kvm" };
	int status, n = command_parse(cmd, &version, argc, argv, &status);

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "it takes no arguments: '%s'", argv[0]);
	printf("lkvm %s\n", lkvm_version());
	return version.features && feature_print(version.dev, stdout) ? 1 : 0;
}

const struct command command_version = {
	.name = "version",
	.synopsis = "[--features]",
	.summary = "print the version of lkvm",
	.opts = version_opts,
	.usage_status = STATUS_USAGE,
	.fn = version_main,
};
