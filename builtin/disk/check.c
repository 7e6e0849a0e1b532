// SPDX-License-Identifier: GPL-2.0
/* lkvm disk check: a qcow2 image against itself. */
#include <stdio.h>

#include <kvm/image.h>

#include "disk.h"

#define STATUS_ERRORS	1
#define STATUS_LEAKS	3

struct check {
	int format;
	bool repair;
};

static const struct opt check_opts[] = {
	OPT_CHOICE('f', "format", struct check, format, disk_formats, "what FILE is (auto: by its name)"),
	OPT_BOOL('r', "repair", struct check, repair, "make the reference counts right"),
	OPT_END
};

static void check_say(void *arg, const char *text)
{
	puts(text);
}

static int check_main(const struct command *cmd, int argc, char **argv)
{
	struct check check = { .format = DISK_FORMAT_AUTO };
	int status, n = command_parse(cmd, &check, argc, argv, &status);
	struct image_check found = { .repair = check.repair, .say = check_say };
	struct opt_err err;

	if (n < 0)
		return status;
	if (n != 1)
		return command_usage(cmd, "one image, as in 'lkvm disk check disk.qcow2'");
	if (image_check(argv[0], check.format, &found, &err))
		return command_usage(cmd, "%s", err.text);
	if (check.repair && (found.errors || found.leaks)) {
		printf("%llu errors and %llu leaked clusters, %llu mended\n", (unsigned long long)found.errors,
		       (unsigned long long)found.leaks, (unsigned long long)found.fixed);
		found = (struct image_check){ .say = check_say };
		if (image_check(argv[0], check.format, &found, &err))
			return command_usage(cmd, "%s", err.text);
	}
	if (!found.errors && !found.leaks)
		puts("no errors");
	else
		printf("%llu errors, %llu leaked clusters%s\n", (unsigned long long)found.errors, (unsigned long long)found.leaks,
		       check.repair ? "" : "; --repair mends counts");
	return command_flush(found.errors ? STATUS_ERRORS : found.leaks ? STATUS_LEAKS : 0);
}

const struct command command_disk_check = {
	.name = "disk check",
	.synopsis = "[--repair] FILE",
	.summary = "check a qcow2 image, and repair it",
	.about =
	"Each cluster's reference count is compared with the references there are. The\n"
	"status is 0 if all is well, 1 after errors, 3 if clusters are only leaked: they\n"
	"take room and harm nobody. A repair throws nothing away that the guest wrote.\n",
	.opts = check_opts,
	.usage_status = STATUS_USAGE,
	.fn = check_main,
};
