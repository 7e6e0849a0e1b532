// SPDX-License-Identifier: GPL-2.0
/* The kernel, its parameters and ramdisk: see boot.h. Main thread, before the machine is made. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/file.h>
#include <kvm/initramfs.h>
#include <kvm/log.h>

#include "boot.h"

const struct opt boot_opts[] = {
	OPT_STR('k', "kernel", struct run_boot, kernel, "FILE",
		"the kernel, a bzImage, ELF or Multiboot file (default: that of the kernel tree around the current directory; outside of one, the host's own in /boot)"),
	OPT_STR(0, "flat", struct run_boot, flat, "FILE@ADDR",
		"run a raw binary instead of a kernel: it is loaded at ADDR and started there in real mode"),
	OPT_LIST('i', "initrd", struct run_boot, initrd, "FILE",
		 "boot with this initial ramdisk, or several, one option for each; the guest then does not get the host's files"),
	OPT_STR('p', "params", struct run_boot, params, "TEXT", "add kernel parameters; they come after lkvm's"),
	OPT_STR(0, "modules", struct run_boot, modules, "DIR",
		"directory of the kernel's modules: a build tree, lib/modules/VERSION or one that contains it (default: beside the kernel, or in the guest's root)"),
	OPT_END
};

/* --flat: no file format, so the machine starts with nothing but that. */
static int boot_flat(struct plan *plan, struct run_boot *own)
{
	char *at, *end;

	if (own->kernel || own->initrd.nr || own->params || own->modules || plan->argv[0] || plan->wants_root)
		return plan_err(-EINVAL, "--flat %s: cannot be combined with a kernel, an initrd, parameters or a command",
				own->flat);
	own->flat_file = strdup(own->flat);
	if (!own->flat_file)
		return -ENOMEM;
	at = strrchr(own->flat_file, '@');
	if (at) {
		errno = 0;
		plan->cfg.flat_addr = strtoull(at + 1, &end, 0);
	}
	if (!at || at == own->flat_file || end == at + 1 || *end || errno || at[1] == '-')
		return plan_err(-EINVAL, "--flat %s: has to be FILE@ADDRESS, as in boot.bin@0x7c00",
				own->flat);
	*at = '\0';
	plan->cfg.flat = true;
	plan->is_pc = true;
	plan->cfg.kernel = own->flat_file;
	return 0;
}

bool boot_has_param(const char *params, const char *word)
{
	size_t len;

	for (; params && *params; params += len) {
		params += strspn(params, " \t\n");
		len = strcspn(params, " \t\n");
		if (len == strlen(word) && !strncmp(params, word, len))
			return true;
	}
	return false;
}

/*
 * Boot the vmlinux inside of the image if it can be unpacked. It is not relocated at
 * random then; with -p kaslr the image itself is booted.
 */
static void boot_unpack(struct plan *plan, struct run_boot *own)
{
	if (plan->nodefaults || boot_has_param(own->params, "kaslr"))
		return;
	own->vmlinux = kernel_unpack(plan->kernel.image);
	if (own->vmlinux < 0)
		return;
	snprintf(own->vmlinux_path, sizeof(own->vmlinux_path), "/proc/self/fd/%d", own->vmlinux);
	plan->cfg.kernel = own->vmlinux_path;
	plan->cfg.kernel_name = plan->kernel.image;
}

int boot_operand(struct plan *plan, struct run_boot *own)
{
	if (!own->kernel && !own->flat && plan->argv[0] && kernel_is_image(plan->argv[0]))
		own->kernel = *plan->argv++;
	return 0;
}

int boot_config(struct plan *plan, struct run_boot *own)
{
	struct kernel *k = &plan->kernel;
	struct kernel_info info;
	char text[512];
	int ret;

	if (own->flat)
		return boot_flat(plan, own);
	ret = kernel_find(k, own->kernel, own->modules, plan->root);
	if (ret)
		return ret;
	ret = arch_probe(k->image, &info);
	if (ret)
		return ret;
	plan->cfg.kernel = k->image;
	/* The host's own kernel is hardly ever the one to be tested. */
	if (!own->kernel && (k->host || log_enabled(LOG_INFO) || isatty(STDERR_FILENO)))
		fprintf(stderr, "lkvm: booting %s%s\n", k->host ? "the host's kernel, " : "",
			kernel_describe(k, text, sizeof(text)));
	plan->is_linux = info.is_linux;
	plan->is_pc = info.is_pc && !info.is_linux;
	plan->host_root = info.is_linux && !plan->nodefaults && (!own->initrd.nr || plan->root);
	if (!plan->host_root && (plan->argv[0] || plan->wants_root))
		return plan_err(-EINVAL, "%s: %s, so there is nothing to %s %s %s", k->image,
				!info.is_linux ? "is not Linux" : own->initrd.nr ?
				"boots with your own initrd and no --root" : "boots with --nodefaults",
				plan->argv[0] ? "run" : "use", plan->argv[0] ? plan->argv[0] : plan->wants_root,
				plan->argv[0] ? "in" : "for");
	if (plan->host_root && info.is_narrow)
		return plan_err(-EINVAL, "%s is a 32-bit kernel, which cannot run lkvm's PID 1: it boots with an initrd of its own (-i)",
				k->image);
	if (info.is_linux)
		boot_unpack(plan, own);
	return 0;
}

/*
 * Our parameters come first, so that -p can override them. A panic ends the machine at
 * once. The kernel's messages stay in its buffer unless the user reads them, because a
 * serial console costs an exit for every character.
 */
int boot_cmdline(struct plan *plan, struct run_boot *own)
{
	bool wanted = plan->messages || plan->init || (!plan->host_root && !plan->argv[0]);
	const char *params = own->params ? own->params : "";
	int n;

	if (plan->nodefaults || !plan->is_linux)
		n = asprintf(&own->cmdline, "%s", params);
	else
		n = asprintf(&own->cmdline, "console=%s panic=-1 %s%s%s%s%s", plan->console,
			     arch_cmdline(plan->serials), wanted ? "" : " quiet",
			     plan->host_root ? " rdinit=/init" : "", *params ? " " : "", params);
	if (n < 0) {
		own->cmdline = NULL;
		return plan_err(-ENOMEM, "out of memory");
	}
	plan->cfg.kernel_cmdline = own->cmdline;
	return 0;
}

/* Append @path to the ramdisk. */
static int boot_initrd(struct plan *plan, struct run_boot *own, const char *path)
{
	struct vm_config *cfg = &plan->cfg;
	size_t len, at = ALIGN(cfg->initrd_len, (size_t)4096);
	char *data, *all;
	int ret = file_read(path, &data, &len);

	if (ret)
		return plan_err(ret, "initrd %s: %s", path,
				ret == -EINVAL || ret == -EISDIR ? "is no regular file" :
				ret == -EIO ? "became shorter" : strerror(-ret));
	all = own->ramdisk;
	if (!len) {
		ret = plan_err(-EINVAL, "initrd %s: is empty", path);
	} else if (!all) {
		own->ramdisk = data;
		data = NULL;
	} else {
		all = realloc(all, at + len);
		if (!all) {
			ret = plan_err(-ENOMEM, "initrd %s: out of memory", path);
		} else {
			memset(all + cfg->initrd_len, 0, at - cfg->initrd_len);
			memcpy(all + at, data, len);
			own->ramdisk = all;
		}
	}
	free(data);
	cfg->initrd = own->ramdisk;
	cfg->initrd_len = at + len;
	cfg->module[cfg->nr_modules++] = len;
	return ret;
}

static int boot_initrds(struct plan *plan, struct run_boot *own)
{
	int ret = 0;

	if (own->initrd.nr > VM_MODULES_MAX)
		return plan_err(-EINVAL, "--initrd: more than %d of them", VM_MODULES_MAX);
	for (unsigned int i = 0; !ret && i < own->initrd.nr; i++)
		ret = boot_initrd(plan, own, own->initrd.item[i]);
	return ret;
}

int boot_ramdisk(struct plan *plan, struct run_boot *own)
{
	int ret;

	if (!plan->host_root)
		return own->initrd.nr ? boot_initrds(plan, own) : 0;
	ret = initramfs_build(&plan->kernel, plan->features, &plan->conf, &own->ramdisk,
			      &plan->cfg.initrd_len);
	plan->cfg.initrd = own->ramdisk;
	return ret;
}

void boot_free(struct run_boot *own)
{
	if (own->vmlinux >= 0)
		close(own->vmlinux);
	free(own->cmdline);
	free(own->flat_file);
	free(own->ramdisk);
	opt_list_free(&own->initrd);
}
