// SPDX-License-Identifier: GPL-2.0
/* Devices: see devices.h. Main thread, before the machine is made. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/balloon.h>
#include <kvm/device.h>
#include <kvm/initramfs.h>
#include <kvm/log.h>
#include <kvm/modules.h>

#include "devices.h"

#define WATCHDOG	"i6300esb"

/* "help" is answered at once. */
static void devices_help(const char *arg)
{
	size_t len = strcspn(arg, ",");
	const struct device_type *type;
	char name[64];

	if (!strcmp(arg, "help")) {
		for (unsigned int i = 0; (type = device_type_get(i)); i++)
			if (!type->internal)
				printf("  %-20s %s\n", type->name, type->help);
		exit(command_flush(0));
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, arg);
	type = device_type_find(name);
	if (!type || type->internal || strcmp(arg + len, ",help"))
		return;
	printf("%s: %s\n", type->name, type->help);
	if (type->opts)
		opt_print_sub(stdout, type->opts);
	exit(command_flush(0));
}

/* --device: one that is not there is said at once. */
static int devices_device(void *obj, const char *arg, struct opt_err *err)
{
	struct run_devices *own = obj;
	const struct device_type *type;
	struct opt_near near = { 0 };
	struct opt_err why;
	const char **item;
	char name[64];

	devices_help(arg);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, ","), arg);
	type = device_type_find(name);
	if (!type || type->internal) {
		for (unsigned int i = 0; (type = device_type_get(i)); i++)
			if (!type->internal)
				opt_near(&near, name, type->name);
		snprintf(err->text, sizeof(err->text), "there is no device \"%s\"%s%s%s", name,
			 near.word ? ", did you mean \"" : "; --device help lists them",
			 near.word ? near.word : "", near.word ? "\"?" : "");
		return -EINVAL;
	}
	if (arg[strlen(name)]) {
		int ret = device_check(name, arg + strlen(name) + 1, &why);

		if (ret) {
			snprintf(err->text, sizeof(err->text), "%s: %.400s", name, why.text);
			return ret;
		}
	}
	item = reallocarray(own->device.item, own->device.nr + 1, sizeof(*item));
	if (!item) {
		snprintf(err->text, sizeof(err->text), "out of memory");
		return -ENOMEM;
	}
	own->device.item = item;
	item[own->device.nr++] = arg;
	return 0;
}

/* malloc()ed, or NULL */
static char *devices_watchdog_opts(const char *action)
{
	char *quoted = opt_quote(action), *opts = NULL;

	if (quoted && asprintf(&opts, "action=%s", quoted) < 0)
		opts = NULL;
	free(quoted);
	return opts;
}

static int devices_watchdog(void *obj, const char *arg, struct opt_err *err)
{
	struct run_devices *own = obj;
	char *opts = devices_watchdog_opts(arg);
	int ret = opts ? device_check(WATCHDOG, opts, err) : -ENOMEM;

	if (!opts)
		snprintf(err->text, sizeof(err->text), "out of memory");
	free(opts);
	own->watchdog = arg;
	return ret;
}

const struct opt devices_opts[] = {
	OPT_CALL(0, "device", devices_device, "TYPE[,OPTION...]",
		 "add a device; --device help lists the types, --device TYPE,help the options of one"),
	OPT_CALL(0, "watchdog", devices_watchdog, "ACTION",
		 "add a watchdog; when the guest does not reset it in time, ACTION is taken: one that --device " WATCHDOG ",help lists"),
	OPT_BOOL(0, "balloon", struct run_devices, balloon,
		 "the guest can give memory back: see 'lkvm help balloon'"),
	OPT_BOOL(0, "rng", struct run_devices, rng, "does nothing: every guest has a virtio-rng"),
	OPT_END
};

/* Without a driver nothing starts the watchdog, and it would be silent for ever. */
static void devices_watchdog_check(const struct plan *plan)
{
	struct modules *m = plan->is_linux ? modules_open(plan->kernel.modules, plan->kernel.tree) : NULL;

	if (m && modules_add(m, WATCHDOG) == MODULE_ABSENT)
		pr_warn("--watchdog: the guest's kernel has no driver for it (CONFIG_I6300ESB_WDT), so nothing starts it");
	if (m)
		modules_close(m);
}

int devices_config(struct plan *plan, struct run_devices *own)
{
	int ret = plan_device(plan, "virtio-rng", NULL);

	if (!ret && own->balloon)
		ret = plan_device(plan, BALLOON_TYPE, NULL);
	if (own->balloon && plan->host_root)
		plan->features |= INITRAMFS_BALLOON;
	if (!ret && own->watchdog) {
		char *opts = devices_watchdog_opts(own->watchdog);

		ret = opts ? plan_device(plan, WATCHDOG, "%s", opts) : plan_err(-ENOMEM, "out of memory");
		free(opts);
		devices_watchdog_check(plan);
	}
	/* Programs that test KVM expect this device. The user may have added it with options. */
	if (!ret && plan->is_pc && !plan->nodefaults && !plan_has_device(plan, "pc-testdev"))
		ret = plan_device(plan, "pc-testdev", NULL);
	return ret;
}

int devices_named(struct plan *plan, struct run_devices *own)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < own->device.nr; i++) {
		const char *arg = own->device.item[i], *opts = strchr(arg, ',');
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, ","), arg);
		ret = opts ? plan_device(plan, name, "%s", opts + 1) : plan_device(plan, name, NULL);
	}
	return ret;
}
