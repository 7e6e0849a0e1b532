// SPDX-License-Identifier: GPL-2.0
/* lkvm dump: what is in a machine's memory, for crash, gdb, drgn and makedumpfile. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kvm/log.h>

#include "client.h"

/* Open @path for the machine to write. It empties the file when it begins; *@created: there was none. */
static int dump_open(struct client *client, const char *path, bool *created)
{
	/* O_NONBLOCK: a FIFO has no reader to wait for, and the machine refuses it. */
	int flags = O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, fd = open(path, flags | O_CREAT | O_EXCL, 0600);

	*created = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags);
	if (fd < 0) {
		pr_err("%s: %s", path, strerror(errno));
		return -errno;
	}
	return client_send(client, fd);
}

static int dump_main(const struct command *cmd, int argc, char **argv)
{
	struct client client = { .text = true, .slow = true };
	int status = 0, n = command_parse(cmd, NULL, argc, argv, &status);
	char *none = NULL;
	bool created;

	if (n < 0)
		return status;
	if (n != 2)
		return command_usage(cmd, "a machine and a file: 'lkvm dump vm core'");
	client.name = argv[0];
	if (dump_open(&client, argv[1], &created))
		return 1;
	status = client_main(cmd, &client, &none, "dump", false);
	if (status && created)
		unlink(argv[1]);
	return status;
}

const struct command command_dump = {
	.name = "dump",
	.synopsis = "NAME FILE",
	.summary = "write the memory and registers of a machine to a file",
	.about =
	"The file is an ELF core that crash, gdb, drgn and makedumpfile read. The\n"
	"machine stands still while it is written. Pages of zeroes are holes. Whoever\n"
	"can read the file can read all that the guest knows.\n",
	.usage_status = STATUS_USAGE,
	.fn = dump_main,
};
