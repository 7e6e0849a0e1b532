// SPDX-License-Identifier: GPL-2.0
/*
 * --template: see template.h. RAM is the snapshot's file from the start, so nothing is
 * copied. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/keep.h>

#include "template.h"

const struct opt template_opts[] = {
	OPT_STR(0, "template", struct run_template, where, "DIR",
		"boot up to where the command would start, and write a snapshot to DIR instead: 'lkvm restore DIR COMMAND' runs a command from there"),
	OPT_END
};

int template_config(struct plan *plan, struct run_template *own)
{
	struct mem_config *ram = &plan->cfg.ram;
	char *key;
	int ret;

	own->files.machine = own->files.ram = -1;
	if (!own->where)
		return 0;
	if (!plan->host_root)
		return plan_err(-EINVAL, "--template: the guest has no PID 1 of lkvm's, which would wait for a command");
	if (plan->argv[0] || plan->wants_command)
		return plan_err(-EINVAL, "--template %s: the command is given later, to lkvm restore: not %s", own->where,
				plan->argv[0] ? plan->argv[0] : plan->wants_command);
	if (ram->kind != MEM_THP)
		return plan_err(-EINVAL, "--template %s: RAM is a file there, so --mem-backend cannot be given", own->where);
	ret = snapshot_files_make(&own->files, own->where);
	if (ret)
		return ret;
	own->files.made = NULL;		/* a confined lkvm removes no directory */
	ram->kind = MEM_FILE;
	ram->path = own->files.ram_name;
	if (asprintf(&key, "RAM from %s", ram->path) < 0)
		return plan_err(-ENOMEM, "out of memory");
	ret = keep_add_fd(plan->cfg.keep, key, own->files.ram);
	free(key);
	plan->waits = true;
	return ret ? plan_err(ret, "%s: %s", ram->path, strerror(-ret)) : guest_conf_add(&plan->conf, "wait", "yes");
}

int template_write(struct run_template *own, struct plan *plan, struct vm *vm)
{
	int ret = snapshot_write(vm, &plan->snapshot, own->files.machine, -1);

	own->done = !ret;
	return ret;
}

void template_close(struct run_template *own)
{
	if (!own->where)
		return;
	if (!own->done && own->files.machine >= 0)
		snapshot_files_remove(&own->files);
	snapshot_files_close(&own->files);
}
