// SPDX-License-Identifier: GPL-2.0
/* The host's files in the guest: see files.h. Main thread, before the machine is made. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/etc.h>
#include <kvm/initramfs.h>
#include <kvm/log.h>
#include <kvm/modules.h>
#include <kvm/pid1.h>
#include <kvm/root.h>

#include "files.h"
#include "share.h"

enum { FS_AUTO, FS_VIRTIOFS, FS_9P };
static const char *const files_systems[] = { "auto", "virtiofs", "9p", NULL };

const struct opt files_opts[] = {
	OPT_STR(0, "root", struct run_files, root, "DIR", "directory that is the guest's root (default: /); the guest's writes go to an overlay in its memory, and are lost at the end"),
	OPT_BOOL(0, "rw", struct run_files, rw, "no overlay: the guest's writes to its root change the directory itself"),
	OPT_LIST(0, "share", struct run_files, share, "DIR[:GUESTDIR][,ro][,OPTION...]",
		 "let the guest read and write a folder of the host, at the same path or at GUESTDIR; options: see --device virtio-fs,help"),
	OPT_LIST(0, "tmpfs", struct run_files, tmpfs, "DIR", "an empty directory at DIR, in the guest's memory"),
	OPT_CHOICE(0, "fs", struct run_files, fs, files_systems,
		   "file system that the guest mounts all of these by (default: virtiofs if its kernel is known to have that, else 9p)"),
	OPT_LIST(0, "hide", struct run_files, hide, "PATH",
		 "no folder of the guest has this file or directory of the host"),
	OPT_LIST(0, "9p", struct run_files, p9, "DIR,TAG",
		 "offer a folder of the host by 9p, which the guest mounts itself by TAG"),
	OPT_END
};

/* --hide PATH: one more suboption of each folder. */
static int files_hide(struct plan *plan, const char *arg)
{
	char *path = realpath(arg, NULL), *quoted = path ? opt_quote(path) : NULL, *text = NULL;
	int ret = 0;

	if (!path)
		ret = plan_err(-errno, "--hide %s: %s", arg, strerror(errno));
	else if (!strcmp(path, "/"))
		ret = plan_err(-EINVAL, "--hide %s: everything would be hidden", arg);
	else if (!quoted || asprintf(&text, "%s,hide=%s", plan->hidden ? plan->hidden : "", quoted) < 0)
		ret = plan_err(-ENOMEM, "out of memory");
	free(path);
	free(quoted);
	if (ret)
		return ret;
	pr_info("hidden from the guest: %s", arg);
	free(plan->hidden);
	plan->hidden = text;
	return 0;
}

/* Below the user's home: what opens other machines and accounts. */
static int files_hide_secrets(struct plan *plan)
{
	static const char *const secrets[] = {
		".ssh", ".gnupg", ".netrc", ".git-credentials", ".pgpass", ".my.cnf", ".password-store", ".aws",
		".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".local/share/keyrings",
		".mozilla", ".config/chromium", ".config/google-chrome", ".thunderbird",
	};
	const char *home = getenv("HOME");
	char path[PATH_MAX];
	int ret = 0;

	for (unsigned int i = 0; !ret && home && i < ARRAY_SIZE(secrets); i++)
		if (snprintf(path, sizeof(path), "%s/%s", home, secrets[i]) < (int)sizeof(path) && !access(path, F_OK))
			ret = files_hide(plan, path);
	return ret;
}

int files_wanted(struct plan *plan, struct run_files *own)
{
	struct share_spec s;
	int ret = 0;

	plan->wants_root = own->root ? "--root" : own->share.nr ? "--share" : own->tmpfs.nr ? "--tmpfs" :
			   own->rw ? "--rw" : own->fs != FS_AUTO ? "--fs" :
			   own->hide.nr && !own->p9.nr ? "--hide" : NULL;
	for (unsigned int i = 0; !ret && i < own->hide.nr; i++)
		ret = files_hide(plan, own->hide.item[i]);
	if (!ret && own->no_secrets)
		ret = files_hide_secrets(plan);
	for (unsigned int i = 0; !ret && i < own->share.nr; i++) {
		ret = share_parse(&s, own->share.item[i]);
		if (!ret)
			share_free(&s);
	}
	return ret;
}

/* @more: further suboptions, or "". */
static int files_folder(struct plan *plan, const char *type, const char *dir, const char *tag,
			const char *more)
{
	char *quoted_dir = opt_quote(dir), *quoted_tag = opt_quote(tag);
	int ret;

	if (quoted_dir && quoted_tag)
		ret = plan_device(plan, type, "dir=%s,tag=%s%s%s%s", quoted_dir, quoted_tag,
				  *more ? "," : "", more, plan->hidden ? plan->hidden : "");
	else
		ret = plan_err(-ENOMEM, "out of memory");
	free(quoted_dir);
	free(quoted_tag);
	return ret;
}

/* Virtio-fs is faster. If the kernel's configuration is unknown, prefer 9p: more kernels have it. */
static void files_choose(struct run_files *own, const struct kernel *k)
{
	struct modules *m;
	int state;

	if (own->fs != FS_AUTO)
		return;
	own->fs = FS_9P;
	m = modules_open(k->modules, k->tree);
	if (!m)
		return;
	state = modules_add(m, "virtiofs");
	if ((state != MODULE_UNKNOWN && state != MODULE_ABSENT) || modules_add(m, "9p") == MODULE_ABSENT)
		own->fs = FS_VIRTIOFS;
	modules_close(m);
}

static const char *files_device(const struct run_files *own)
{
	return own->fs == FS_VIRTIOFS ? "virtio-fs" : "virtio-9p";
}

/* The root below an overlay does not change, as far as the overlay is concerned. */
static const char *files_root_options(const struct run_files *own)
{
	if (own->rw)
		return "";
	return own->fs == FS_VIRTIOFS ? "ro,flat,cache=always" : "ro";
}

/* The host's files beside a root of the guest's own: the host may change them at any time. */
static const char *files_host_options(const struct run_files *own)
{
	return own->fs == FS_VIRTIOFS ? "ro,flat" : "ro";
}

/* A folder that the user names: its real path (malloc()ed), or NULL with the message printed. */
static char *files_path(const char *option, const char *dir)
{
	struct stat st;
	char *path = realpath(dir, NULL);

	if (!path) {
		pr_err("--%s %s: %s", option, dir, strerror(errno));
		return NULL;
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		pr_err("--%s %s: not a directory", option, dir);
		free(path);
		return NULL;
	}
	return path;
}

static int files_share(struct plan *plan, const struct run_files *own, const char *arg, unsigned int n)
{
	struct share_spec s;
	char tag[32], *path;
	int ret = share_parse(&s, arg);

	if (ret)
		return ret;
	path = files_path("share", s.dir);
	snprintf(tag, sizeof(tag), GUEST_TAG_SHARE "%u", n);
	/* By 9p the guest keeps nothing in any case: ro is all that means something there. */
	ret = path ? files_folder(plan, files_device(own), path, tag,
				  own->fs == FS_VIRTIOFS ? s.opts : s.ro ? "ro" : "") : -EINVAL;
	if (!ret)
		ret = guest_conf_addf(&plan->conf, "share", "%s,%s,%s", tag, s.ro ? "ro" : "rw",
				      s.guest ? s.guest : path);
	free(path);
	share_free(&s);
	return ret;
}

/*
 * The guest's /lib/modules may have no modules of its kernel, only those of the host's.
 * PID 1 binds ours there, or mounts a share of them if they are not in the guest's root.
 */
static int files_modules(struct plan *plan, const struct run_files *own, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;
	const struct kernel *k = &plan->kernel;
	char *path = k->modules && k->release ? realpath(k->modules, NULL) : NULL;
	bool inside;
	int ret = 0;

	if (!path)
		return 0;
	inside = !strncmp(path, root, len) && path[len] == '/';
	if (!inside)
		ret = files_folder(plan, files_device(own), path, GUEST_TAG_MODULES, "ro");
	if (!ret)
		ret = guest_conf_addf(&plan->conf, "modules", "%s,%s,%s", k->release,
				      k->tree ? "tree" : "dir", inside ? path + len : GUEST_TAG_MODULES);
	free(path);
	return ret;
}

int files_config(struct plan *plan, struct run_files *own, const char *user)
{
	char *root;
	int ret;

	if (!plan->host_root)
		return 0;
	root = files_path("root", own->root ? own->root : "/");
	if (!root)
		return -EINVAL;
	files_choose(own, &plan->kernel);
	plan->features = INITRAMFS_RNG | (own->fs == FS_9P ? INITRAMFS_9P : INITRAMFS_VIRTIOFS) |
			 (own->rw ? 0 : INITRAMFS_OVERLAY);
	ret = plan->init ? root_has(root, plan->init) : plan->hostfs ? 0 :
	      root_check(root, plan->argv[0] ? plan->argv : NULL, user);
	if (!ret)
		ret = files_folder(plan, files_device(own), root, GUEST_TAG_ROOT, files_root_options(own));
	if (!ret && plan->hostfs)
		ret = files_folder(plan, files_device(own), "/", GUEST_TAG_HOST, files_host_options(own));
	if (!ret && plan->hostfs)
		ret = guest_conf_add(&plan->conf, "host", GUEST_TAG_HOST);
	if (!ret)
		ret = files_modules(plan, own, root);
	if (!ret && !own->rw)
		ret = etc_add(&plan->conf, root, plan->name ? plan->name : "lkvm", plan_caller());
	free(root);
	if (!ret)
		ret = guest_conf_add(&plan->conf, "fs", files_systems[own->fs]);
	if (!ret)
		ret = guest_conf_add(&plan->conf, "root", own->rw ? "rw" : "overlay");
	for (unsigned int i = 0; !ret && i < own->share.nr; i++)
		ret = files_share(plan, own, own->share.item[i], i);
	for (unsigned int i = 0; !ret && i < own->tmpfs.nr; i++)
		ret = *own->tmpfs.item[i] == '/' ?
			guest_conf_addf(&plan->conf, "tmpfs", "1777 %s", own->tmpfs.item[i]) :
			plan_err(-EINVAL, "--tmpfs %s: has to begin with /", own->tmpfs.item[i]);
	return ret;
}

/* --9p DIR,TAG: the last comma divides, as a tag has none. */
int files_plain(struct plan *plan, struct run_files *own)
{
	int ret = 0;

	if (plan->plain_root)
		ret = files_folder(plan, "virtio-9p", plan->plain_root, "/dev/root", "");
	for (unsigned int i = 0; !ret && i < own->p9.nr; i++) {
		char *dir = strdup(own->p9.item[i]), *comma;

		if (!dir)
			return plan_err(-ENOMEM, "out of memory");
		comma = strrchr(dir, ',');
		if (comma)
			*comma++ = '\0';
		ret = files_folder(plan, "virtio-9p", dir, comma && *comma ? comma : "kvm_9p", "");
		free(dir);
	}
	return ret;
}
