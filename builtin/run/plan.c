// SPDX-License-Identifier: GPL-2.0
/* Functions that the groups of "lkvm run" share: see plan.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/keep.h>
#include <kvm/log.h>

#include "plan.h"

#define PLAN_DEVICES_FEW	16	/* they do with the descriptors that every process has */

int plan_err(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(LOG_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

static char *plan_keep(struct plan *plan, char *text)
{
	if (text)
		plan->text[plan->nr_text++] = text;
	return text;
}

void plan_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int plan_device(struct plan *plan, const char *type, const char *fmt, ...)
{
	struct vm_config *cfg = &plan->cfg;
	char *opts = NULL, *name;
	va_list ap;

	if (cfg->nr_devices == VM_DEVICES_MAX - 1)
		return plan_err(-EINVAL, "more than %d devices", VM_DEVICES_MAX - 1);
	if (fmt) {
		va_start(ap, fmt);
		if (vasprintf(&opts, fmt, ap) < 0)
			opts = NULL;
		va_end(ap);
		if (!plan_keep(plan, opts))
			return plan_err(-ENOMEM, "out of memory");
	}
	name = plan_keep(plan, strdup(type));
	if (!name)
		return plan_err(-ENOMEM, "out of memory");
	cfg->device[cfg->nr_devices++] = (struct device_config) { .type = name, .opts = opts };
	/* Each queue has a doorbell, an interrupt, and perhaps a loop. */
	if (cfg->nr_devices == PLAN_DEVICES_FEW)
		plan_files();
	return 0;
}

int plan_device_again(struct plan *plan, const char *again)
{
	char *text = plan_keep(plan, strdup(again));

	plan->cfg.device[plan->cfg.nr_devices - 1].again = text;
	return text ? 0 : plan_err(-ENOMEM, "out of memory");
}

bool plan_has_device(const struct plan *plan, const char *type)
{
	const struct opt_list *list = plan->devices;
	size_t len = strlen(type);

	for (unsigned int i = 0; i < list->nr; i++)
		if (!strncmp(list->item[i], type, len) && strchr(",", list->item[i][len]))
			return true;
	return false;
}

unsigned int plan_caller(void)
{
	const char *sudo = getenv("SUDO_UID");

	return getuid() || !sudo ? getuid() : strtoul(sudo, NULL, 10);
}

void plan_free(struct plan *plan)
{
	keep_free(plan->cfg.keep);
	free(plan->hidden);
	session_close(&plan->session);
	kernel_free(&plan->kernel);
	guest_conf_free(&plan->conf);
	for (unsigned int i = 0; i < plan->nr_text; i++)
		free(plan->text[i]);
}
