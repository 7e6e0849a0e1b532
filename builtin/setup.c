// SPDX-License-Identifier: GPL-2.0
/* lkvm setup: a root file system of the user's, by name. */
#include <kvm/builtin.h>
#include <kvm/rootfs.h>

struct setup {
	const char *from;
};

static const struct opt setup_opts[] = {
	OPT_STR(0, "from", struct setup, from, "DIR|TAR|debootstrap:SUITE",
		"copy a directory, unpack an archive, or have debootstrap(8) install a Debian (default: a small root with the host's programs)"),
	OPT_END
};

static int setup_main(const struct command *cmd, int argc, char **argv)
{
	struct setup setup = { NULL };
	int status, n = command_parse(cmd, &setup, argc, argv, &status);

	if (n < 0)
		return status;
	if (n != 1)
		return command_usage(cmd, n ? "one name at a time" : "it needs a name");
	if (!rootfs_name_ok(argv[0]))
		return command_usage(cmd, "'%s' is no name: it has no '/', and does not begin with '.' or '-'",
				     argv[0]);
	return rootfs_make(argv[0], setup.from) ? 1 : 0;
}

const struct command command_setup = {
	.name = "setup",
	.synopsis = "[--from DIR|TAR|debootstrap:SUITE] NAME",
	.summary = "make a root file system",
	.about =
	"It is the directory ~/.lkvm/NAME. 'lkvm run -d NAME' boots with it as the\n"
	"guest's root, and the guest's changes stay in it. A small root has links to\n"
	"the host's programs, and its guest sees the host's files in /host, read-only.\n",
	.opts = setup_opts,
	.usage_status = STATUS_USAGE,
	.fn = setup_main,
};
