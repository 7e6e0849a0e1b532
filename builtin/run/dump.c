// SPDX-License-Identifier: GPL-2.0
/* --dump: see dump.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/dump.h>
#include <kvm/log.h>

#include "dump.h"

const struct opt dump_opts[] = {
	OPT_STR(0, "dump", struct run_dump, path, "FILE",
		"if the guest's kernel panics, has an oops or hangs, write its memory to FILE: an ELF core for crash, gdb, drgn, makedumpfile"),
	OPT_END
};

int dump_config(struct plan *plan, struct run_dump *own)
{
	struct stat st;
	int ret;

	if (!own->path)
		return 0;
	/* O_NONBLOCK: a FIFO does not wait for a reader, and is refused. */
	own->fd = open(own->path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (own->fd < 0) {
		ret = -errno;
		return plan_err(ret, "--dump %s: %s", own->path, strerror(-ret));
	}
	if (fstat(own->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return plan_err(-EINVAL, "--dump %s: a regular file is needed, as a dump has holes", own->path);
	/* Whatever it has is not of this run. */
	ret = ftruncate(own->fd, 0) < 0 ? -errno : 0;
	return ret ? plan_err(ret, "--dump %s: %s", own->path, strerror(-ret)) : 0;
}

void dump_now(struct run_dump *own, struct vm *vm)
{
	struct dump_report report;
	struct opt_err err;
	char text[DUMP_TEXT_MAX];

	if (own->fd < 0)
		return;
	if (dump_write(vm, own->fd, &report, &err)) {
		pr_err("--dump %s: %s", own->path, err.text);
	} else {
		dump_text(&report, text, sizeof(text));
		pr_warn("the dump is in %s: %s", own->path, text);
	}
	dump_free(own);
}

void dump_free(struct run_dump *own)
{
	if (own->fd >= 0)
		close(own->fd);
	own->fd = -1;
}
