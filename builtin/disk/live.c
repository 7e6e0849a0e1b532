// SPDX-License-Identifier: GPL-2.0
/* The disks of a machine that runs: lkvm disk list, resize, fault, mark. */
#include <stdio.h>
#include <string.h>

#include <kvm/disk.h>

#include "../client.h"
#include "disk.h"

/* Ask the machine @argv[0] for "disk @verb" with the other words. */
static int live_ask(const struct command *cmd, char **argv, bool show)
{
	struct client client = { .text = show };
	char line[CONTROL_LINE_MAX], *names[] = { argv[0], NULL };
	int n = snprintf(line, sizeof(line), "disk %s", command_word(cmd));

	for (char **word = argv + 1; *word; word++) {
		if (strpbrk(*word, "\n\r"))
			return command_usage(cmd, "a line break cannot be sent");
		n += snprintf(line + n, sizeof(line) - n, " %s", *word);
		if (n >= (int)sizeof(line) - 1)
			return command_usage(cmd, "that is too long");
	}
	return client_main(cmd, &client, names, line, false);
}

static int live_main(const struct command *cmd, int argc, char **argv, int least, int most, bool show, const char *what)
{
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n < least || n > most)
		return command_usage(cmd, "%s", what);
	return live_ask(cmd, argv, show);
}

static int list_main(const struct command *cmd, int argc, char **argv)
{
	return live_main(cmd, argc, argv, 1, 1, true, "which machine? Its name; 'lkvm list' shows them");
}

const struct command command_disk_list = {
	.name = "disk list",
	.synopsis = "NAME",
	.summary = "list the disks of a machine",
	.about =
	"A line for each: serial number, device, bytes, file. The other commands find a\n"
	"disk by either of the first two.\n",
	.usage_status = STATUS_USAGE,
	.fn = list_main,
};

static int resize_main(const struct command *cmd, int argc, char **argv)
{
	return live_main(cmd, argc, argv, 3, 3, false,
			 "a machine, a disk and its new size, as in 'lkvm disk resize vm disk0 20G'");
}

const struct command command_disk_resize = {
	.name = "disk resize",
	.synopsis = "NAME DISK SIZE",
	.summary = "change the size of a machine's disk",
	.about =
	"The image has that size afterwards, and the guest is told. What is beyond a\n"
	"smaller end is lost. A SIZE without a suffix is in MiB.\n",
	.usage_status = STATUS_USAGE,
	.fn = resize_main,
};

static int fault_main(const struct command *cmd, int argc, char **argv)
{
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n == 1 && !strcmp(argv[0], "help")) {
		opt_print_sub(stdout, disk_fault_opts);
		return command_flush(0);
	}
	if (n < 2 || n > 3)
		return command_usage(cmd, "a machine, a disk and a fault, as in 'lkvm disk fault vm disk0 eio,op=read,count=3'");
	return live_ask(cmd, argv, n == 2);
}

const struct command command_disk_fault = {
	.name = "disk fault",
	.synopsis = "NAME DISK [FAULT[,OPTION...] | clear]",
	.summary = "have requests of a machine's disk fail on purpose",
	.about =
	"FAULT is one of eio, medium, delay=MS, hang and torn; 'lkvm disk fault help'\n"
	"lists the options. Faults add up. \"clear\" ends all, and lets requests go on\n"
	"that hang. Without FAULT those there are, with the number of requests that they\n"
	"hit.\n",
	.usage_status = STATUS_USAGE,
	.fn = fault_main,
};

static int mark_main(const struct command *cmd, int argc, char **argv)
{
	return live_main(cmd, argc, argv, 3, 3, false,
			 "a machine, a disk and a text, as in 'lkvm disk mark vm disk0 synced'");
}

const struct command command_disk_mark = {
	.name = "disk mark",
	.synopsis = "NAME DISK TEXT",
	.summary = "write a mark to the log of a machine's disk",
	.about = "'lkvm disk replay --at TEXT' finds it.\n",
	.usage_status = STATUS_USAGE,
	.fn = mark_main,
};
