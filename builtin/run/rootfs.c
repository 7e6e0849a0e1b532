// SPDX-License-Identifier: GPL-2.0
/* -d DIR, -d NAME, --sandbox and --init: see rootfs.h. Main thread, before the machine is made. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/builtin.h>
#include <kvm/rootfs.h>

#include "rootfs.h"

const struct opt rootfs_opts[] = {
	OPT_STR(0, "init", struct run_rootfs, init, "PROGRAM",
		"start this program of the guest's root as PID 1, as in --init /sbin/init, with the COMMAND as its arguments; the console is stdin and stdout"),
	OPT_STR(0, "sandbox", struct run_rootfs, sandbox, "SCRIPT",
		"run a script of the host by the guest's /bin/sh, and print the kernel's messages"),
	OPT_END
};

static bool rootfs_is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/*
 * The directory that @item of -d means, malloc()ed; *@named: it is below ~/.lkvm. NULL in
 * *@dir: it means a disk.
 */
static int rootfs_find(const char *item, char **dir, bool *named)
{
	char *path;

	*named = false;
	*dir = NULL;
	if (rootfs_is_dir(item)) {
		*dir = realpath(item, NULL);
		if (!*dir)
			return plan_err(-errno, "-d %s: %s", item, strerror(errno));
	}
	if (!rootfs_name_ok(item) || strpbrk(item, ",:") || !getenv("HOME"))
		return 0;
	path = rootfs_path(item);
	if (!path || !rootfs_is_dir(path)) {
		free(path);
		return path ? 0 : -EINVAL;
	}
	*named = true;
	if (!access(item, F_OK)) {
		plan_err(0, "-d %s: may be ./%s or %s: say which", item, item, path);
		free(path);
		return -EINVAL;
	}
	*dir = path;
	return 0;
}

/* The guest sees it at another path than the host, or not at all. */
static int rootfs_script(struct plan *plan, struct run_rootfs *own)
{
	char *real = realpath(own->sandbox, NULL);
	int ret = 0;

	if (!real)
		return plan_err(-errno, "--sandbox %s: %s", own->sandbox, strerror(errno));
	if (plan->argv[0])
		ret = plan_err(-EINVAL, "--sandbox %s: it is what runs, so there is no place for %s",
			       own->sandbox, plan->argv[0]);
	else if (plan->root && strcmp(plan->root, "/") && !plan->hostfs)
		ret = plan_err(-EINVAL, "--sandbox %s: the guest's root %s has no files of the host: say --share DIR -- /bin/sh DIR/SCRIPT",
			       own->sandbox, plan->root);
	else if (asprintf(&own->script, "%s%s", plan->hostfs ? ROOTFS_HOST : "", real) < 0)
		own->script = NULL;
	free(real);
	if (ret)
		return ret;
	if (!own->script)
		return plan_err(-ENOMEM, "out of memory");
	own->argv[0] = (char *)"/bin/sh";
	own->argv[1] = own->script;
	plan->argv = own->argv;
	return 0;
}

static int rootfs_use(struct plan *plan, struct run_rootfs *own, struct run_files *files,
		      const char *item, bool named, bool initrd)
{
	if (files->root)
		return plan_err(-EINVAL, "-d %s, --root %s: a guest has one root", item, files->root);
	if (initrd || plan->nodefaults) {
		/* Whoever has an initrd of their own mounts it by the tag that kvmtool has given it. */
		plan->plain_root = own->dir;
		return 0;
	}
	files->root = own->dir;
	files->rw = true;
	if (named) {
		plan->hostfs = rootfs_wants_host(own->dir);
		if (!plan->name)
			plan->name = plan->cfg.name = item;
	} else if (!own->init && !own->sandbox && !plan->argv[0]) {
		own->init = "/sbin/init";
	}
	return 0;
}

/* Take the one directory out of the disks. */
static int rootfs_take(struct run_rootfs *own, struct run_disks *disks, const char **item, bool *named)
{
	unsigned int kept = 0, n = disks->disk.nr;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < n; i++) {
		const char *disk = disks->disk.item[i];
		bool is_name;
		char *dir;

		ret = rootfs_find(disk, &dir, &is_name);
		if (ret || !dir) {
			disks->disk.item[kept++] = disk;
		} else if (own->dir) {
			ret = plan_err(-EINVAL, "-d %s, -d %s: a guest has one root", *item, disk);
			free(dir);
		} else {
			own->dir = dir;
			*item = disk;
			*named = is_name;
		}
	}
	disks->disk.nr = kept;
	return ret;
}

int rootfs_wanted(struct plan *plan, struct run_rootfs *own, struct run_disks *disks,
		  struct run_files *files, bool initrd)
{
	const char *item = NULL;
	bool named = false;
	int ret = rootfs_take(own, disks, &item, &named);

	if (!ret && own->dir)
		ret = rootfs_use(plan, own, files, item, named, initrd);
	if (ret)
		return ret;
	plan->root = files->root;
	plan->init = own->init;
	plan->sandbox = own->sandbox;
	if (own->init && *own->init != '/')
		return plan_err(-EINVAL, "--init %s: has to begin with /", own->init);
	if (own->init && own->sandbox)
		return plan_err(-EINVAL, "--init %s, --sandbox %s: one of them can run", own->init,
				own->sandbox);
	return own->sandbox ? rootfs_script(plan, own) : 0;
}

void rootfs_free(struct run_rootfs *own)
{
	free(own->dir);
	free(own->script);
}
