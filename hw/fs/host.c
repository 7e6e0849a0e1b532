// SPDX-License-Identifier: GPL-2.0
/*
 * The host's files as a tree of O_PATH descriptors: see include/kvm/host.h.
 * Runs on whichever thread serves a request, several at once.
 *
 * Some operations do not work on an O_PATH descriptor. They use its link under
 * /proc/self/fd, which leads to the same file whatever its name is now, or if it has
 * none left. That directory is opened once, at the start. Only links of regular files
 * and directories are ever opened for data: opening a FIFO, a device or a socket would
 * have an effect on it.
 *
 * The user and group who create a file, and the file creation mask, are set for
 * the calling thread alone: setfsuid(2) and setfsgid(2) are per thread, and the
 * thread gets a mask of its own by unshare(CLONE_FS), which costs no privilege.
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/host.h>
#include <kvm/keep.h>
#include <kvm/log.h>

#include "hide.h"
#include "nofile.h"

/* This thread has a file creation mask of its own. */
static __thread bool host_own_mask;

struct host {
	int proc_fd;			/* /proc/self/fd */
	pid_t pid;			/* of the process that it is of */
	bool readonly;
	bool has_openat2;
	uid_t uid;			/* who runs us */
	gid_t gid;
	bool owner_any;			/* CAP_FOWNER: counts as the owner of all files */
	bool parents;			/* nodes remember where they were found */
	u32 fds, fds_max;		/* nodes and files that are open */
	pthread_mutex_t lock;		/* node->parent of all nodes */
	struct host_node *root;
	struct hide *hide;		/* NULL: nothing is hidden */
};

#define HOST_READDIR_ROUNDS	1000	/* of entries that are all left out */

/* A descriptor's name under /proc/self/fd. */
struct host_link {
	char name[sizeof("/proc/self/fd/2147483647")];
};

static struct host_link host_link_rel(int fd)
{
	struct host_link l;

	snprintf(l.name, sizeof(l.name), "%d", fd);
	return l;
}

/* For the calls that have no *at() form: those on extended attributes. */
static struct host_link host_link_abs(int fd)
{
	struct host_link l;

	snprintf(l.name, sizeof(l.name), "/proc/self/fd/%d", fd);
	return l;
}

/* The one place that keeps a read-only tree as it is: all that changes files asks here. */
static int host_may_change(const struct host *h)
{
	return h->readonly ? -EROFS : 0;
}

/* Descriptors reserved for lookups, which open files may not use. */
#define HOST_FDS_RESERVE 256

static void host_fd_uncharge(struct host *h)
{
	__atomic_sub_fetch(&h->fds, 1, __ATOMIC_RELAXED);
}

static int host_fd_charge(struct host *h, bool stays)
{
	u32 most = h->fds_max - (stays ? min(h->fds_max / 8, (u32)HOST_FDS_RESERVE) : 0);

	if (__atomic_add_fetch(&h->fds, 1, __ATOMIC_RELAXED) <= most)
		return 0;
	host_fd_uncharge(h);
	return -EMFILE;
}

static void host_fd_close(struct host *h, int fd)
{
	close(fd);
	host_fd_uncharge(h);
}

static struct __user_cap_data_struct *host_caps_get(struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &head, caps) ? NULL : caps;
}

static int host_open_path(struct host *h, int dirfd, const char *name)
{
	static const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (h->has_openat2)
		fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	else
		fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Takes over @fd, which is charged, also on failure. *@stx (of @mask) may be NULL. */
static int host_node_new(struct host *h, struct host_node *parent, int fd, unsigned int mask,
			 struct host_node **out, struct statx *stx)
{
	struct host_node *node;
	struct statx st;
	int ret = 0;

	stx = stx ? stx : &st;
	node = malloc(sizeof(*node));
	if (!node)
		ret = -ENOMEM;
	else if (statx(fd, "", AT_EMPTY_PATH, mask | STATX_TYPE | STATX_UID | STATX_INO, stx))
		ret = -errno;
	if (ret) {
		free(node);
		host_fd_close(h, fd);
		return ret;
	}
	*node = (struct host_node){
		.host = h, .fd = fd, .refs = 1, .type = stx->stx_mode & S_IFMT,
		.parent = parent && h->parents ? host_node_get(parent) : NULL,
		.uid = stx->stx_uid, .ino = stx->stx_ino,
		.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
	};
	*out = node;
	return 0;
}

static void host_signal(int sig)
{
	/* It has come: the system call is over. */
}

int host_new(struct host **out, struct keep *keep, const char *dir, unsigned int flags,
	     const char **err_out)
{
	struct sigaction sa = { .sa_handler = host_signal };
	struct __user_cap_data_struct caps[2];
	const char *err;
	struct host *h;
	int fd, ret;

	h = calloc(1, sizeof(*h));
	if (!h) {
		*err_out = "out of memory";
		return -ENOMEM;
	}
	pthread_mutex_init(&h->lock, NULL);
	h->readonly = flags & HOST_READONLY;
	h->parents = flags & HOST_PARENTS;
	h->uid = geteuid();
	h->gid = getegid();
	h->owner_any = host_caps_get(caps) && (caps[0].effective & (1U << CAP_FOWNER));
	h->fds_max = nofile_raise();
	h->pid = getpid();

	err = "cannot open /proc/self/fd (is /proc mounted?)";
	h->proc_fd = keep_open(keep, "/proc/self/fd", O_PATH | O_DIRECTORY);
	if (h->proc_fd < 0) {
		ret = h->proc_fd;
		goto fail;
	}
	err = "cannot open the shared directory";
	fd = keep_open(keep, dir, O_PATH | O_DIRECTORY);
	if (fd < 0) {
		ret = fd;
		goto fail_proc;
	}
	h->fds = 1;
	ret = host_node_new(h, NULL, fd, 0, &h->root, NULL);
	if (ret)
		goto fail_proc;

	/* Before Linux 5.6, and in sandboxes that do not know it, there is no openat2(). */
	h->has_openat2 = true;
	fd = host_open_path(h, h->root->fd, ".");
	if (fd >= 0)
		close(fd);
	else if (fd == -ENOSYS || fd == -EPERM)
		h->has_openat2 = false;
	sigaction(HOST_SIGNAL, &sa, NULL);
	*out = h;
	return 0;

fail_proc:
	close(h->proc_fd);
fail:
	pthread_mutex_destroy(&h->lock);
	free(h);
	*err_out = err;
	return ret;
}

int host_forked(struct host *h)
{
	int fd;

	if (h->pid == getpid())
		return 0;
	fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(h->proc_fd);
	h->proc_fd = fd;
	h->pid = getpid();
	return 0;
}

int host_hide(struct host *h, struct keep *keep, const struct opt_list *paths)
{
	return hide_new(&h->hide, keep, paths);
}

static bool host_hidden(const struct host_node *dir, const char *name)
{
	return dir->host->hide && hide_name(dir->host->hide, dir->dev, dir->ino, name);
}

/* @name NULL: a file without one. */
static int host_may_make(const struct host_node *dir, const char *name)
{
	int ret = host_may_change(dir->host);

	return ret ? ret : name && host_hidden(dir, name) ? -EACCES : 0;
}

void host_free(struct host *h)
{
	host_node_put(h->root);
	hide_free(h->hide);
	close(h->proc_fd);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

struct host_node *host_root(struct host *h)
{
	return host_node_get(h->root);
}

struct host_node *host_node_get(struct host_node *node)
{
	__atomic_add_fetch(&node->refs, 1, __ATOMIC_RELAXED);
	return node;
}

void host_node_put(struct host_node *node)
{
	/* A chain of parents may go with it: no recursion, it is as long as the guest likes. */
	while (node && !__atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL)) {
		struct host_node *parent = node->parent;

		host_fd_close(node->host, node->fd);
		free(node);
		node = parent;
	}
}

int host_lookup(struct host_node *dir, const char *name, unsigned int mask,
		struct host_node **out, struct statx *stx)
{
	struct host *h = dir->host;
	int fd, ret;

	if (host_hidden(dir, name))
		return -ENOENT;
	ret = host_fd_charge(h, false);
	if (ret)
		return ret;
	fd = host_open_path(h, dir->fd, name);
	if (fd < 0) {
		host_fd_uncharge(h);
		return fd;
	}
	ret = host_node_new(h, dir, fd, mask, out, stx);
	if (!ret && hide_file(h->hide, (*out)->dev, (*out)->ino)) {
		host_node_put(*out);
		return -ENOENT;
	}
	return ret;
}

static struct host_node *host_node_parent(struct host_node *node)
{
	struct host_node *parent;

	pthread_mutex_lock(&node->host->lock);
	parent = node->parent ? host_node_get(node->parent) : NULL;
	pthread_mutex_unlock(&node->host->lock);
	return parent;
}

/*
 * The parent that we remember was reached from the root, so going there leads
 * nowhere new, whatever has been moved since; the kernel's ".." could. It is
 * asked only whether it agrees.
 */
int host_parent(struct host_node *node, struct host_node *top, struct host_node **out)
{
	struct host_node *parent;
	struct stat st;
	int fd, ret = 0;

	if (!S_ISDIR(node->type))
		return -ENOTDIR;
	parent = node == top ? NULL : host_node_parent(node);
	if (!parent) {
		*out = host_node_get(node);
		return 0;
	}
	fd = openat(node->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		ret = -errno;
	else if (st.st_dev != parent->dev || st.st_ino != parent->ino)
		ret = -ESTALE;
	if (fd >= 0)
		close(fd);
	if (ret)
		host_node_put(parent);
	else
		*out = parent;
	return ret;
}

int host_proc(const struct host *h)
{
	return h->proc_fd;
}

int host_getattr(struct host_node *node, unsigned int mask, struct statx *stx)
{
	return statx(node->fd, "", AT_EMPTY_PATH, mask, stx) ? -errno : 0;
}

int host_statfs(struct host_node *node, struct statfs *st)
{
	return fstatfs(node->fd, st) ? -errno : 0;
}

static bool host_file_writable(const struct host_file *file)
{
	int mode = file->flags & O_ACCMODE;

	return mode == O_WRONLY || mode == O_RDWR;
}

static int host_truncate(struct host_node *node, struct host_file *file, off_t size)
{
	struct host_link l = host_link_rel(node->fd);
	int fd, ret = 0;

	if (!S_ISREG(node->type))
		return S_ISDIR(node->type) ? -EISDIR : -EINVAL;
	if (file && host_file_writable(file))
		return ftruncate(file->fd, size) ? -errno : 0;
	fd = openat(node->host->proc_fd, l.name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size))
		ret = -errno;
	close(fd);
	return ret;
}

int host_setattr(struct host_node *node, struct host_file *file,
		 const struct host_attr *attr)
{
	struct host_link l = host_link_rel(node->fd);
	struct host *h = node->host;
	int ret;

	ret = host_may_change(h);
	if (ret)
		return ret;
	if (attr->valid & HOST_SET_SIZE) {
		ret = host_truncate(node, file, attr->size);
		if (ret)
			return ret;
	}
	/* The owner before the mode: a change of owner takes set-user-ID away. */
	if (attr->valid & (HOST_SET_UID | HOST_SET_GID)) {
		uid_t uid = attr->valid & HOST_SET_UID ? attr->uid : HOST_ID_NONE;
		gid_t gid = attr->valid & HOST_SET_GID ? attr->gid : HOST_ID_NONE;

		if (fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH))
			return -errno;
	}
	if (attr->valid & HOST_SET_MODE) {
		if (S_ISLNK(node->type))
			return -EOPNOTSUPP;
		if (fchmodat(h->proc_fd, l.name, attr->mode & 07777, 0))
			return -errno;
	}
	if (attr->valid & HOST_SET_TIMES &&
	    utimensat(h->proc_fd, l.name, attr->times, 0))
		return -errno;
	return 0;
}

/* Takes @node over, also on failure: it is the opened file. */
static int host_file_new(struct host_node *node, int flags, struct host_file **out)
{
	struct host_file *file = malloc(sizeof(*file));

	if (!file) {
		host_node_put(node);
		return -ENOMEM;
	}
	node->opened = true;
	file->fd = node->fd;
	file->flags = flags & (O_ACCMODE | O_APPEND);
	file->node = node;
	pthread_mutex_init(&file->lock, NULL);
	file->pos = 0;
	*out = file;
	return 0;
}

#define HOST_OPEN_FLAGS	(O_ACCMODE | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
			 O_DSYNC | O_NOATIME)

int host_open(struct host_node *node, int flags, struct host_file **out)
{
	struct host_link l = host_link_rel(node->fd);
	struct host *h = node->host;
	struct host_node *self;
	bool noatime;
	int fd, ret;

	flags &= HOST_OPEN_FLAGS;
	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC) {
		ret = S_ISDIR(node->type) ? -EISDIR : host_may_change(h);
		if (ret)
			return ret;
	}
	if (S_ISDIR(node->type))
		flags = (flags & O_NOATIME) | O_DIRECTORY;
	else if (!S_ISREG(node->type))
		return -EINVAL;
	/* Only an owner may leave access times alone; others read as always. */
	noatime = flags & O_NOATIME || h->readonly;
	flags &= ~O_NOATIME;
	if (noatime && (h->owner_any || node->uid == h->uid))
		flags |= O_NOATIME;

	ret = host_fd_charge(h, true);
	if (ret)
		return ret;
	do {
		fd = openat(h->proc_fd, l.name, flags | O_NOCTTY | O_CLOEXEC);
		noatime = flags & O_NOATIME;
		flags &= ~O_NOATIME;
	} while (fd < 0 && errno == EPERM && noatime);
	if (fd < 0) {
		ret = -errno;
		host_fd_uncharge(h);
		return ret;
	}
	/* The same file: @node, and its descriptor, need not stay for this one. */
	self = malloc(sizeof(*self));
	if (!self) {
		host_fd_close(h, fd);
		return -ENOMEM;
	}
	*self = (struct host_node){
		.host = h, .fd = fd, .refs = 1, .type = node->type, .uid = node->uid,
		.dev = node->dev, .ino = node->ino,
	};
	return host_file_new(self, flags, out);
}

void host_file_close(struct host_file *file)
{
	host_node_put(file->node);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

/* The file to be created. */
struct host_make {
	enum {
		HOST_MAKE_FILE, HOST_MAKE_TMPFILE, HOST_MAKE_DIR, HOST_MAKE_NODE,
		HOST_MAKE_SYMLINK,
	} kind;
	const char *name;
	const char *target;
	mode_t mode;
	dev_t rdev;
	int flags;
};

/* A descriptor for HOST_MAKE_FILE and _TMPFILE, else 0; or -errno. */
static int host_make_once(int dirfd, const struct host_make *m)
{
	int ret = -1;

	switch (m->kind) {
	case HOST_MAKE_FILE:
		ret = openat(dirfd, m->name, m->flags | O_CREAT | O_EXCL | O_NOFOLLOW |
			     O_NOCTTY | O_CLOEXEC, m->mode & 07777);
		break;
	case HOST_MAKE_TMPFILE:
		ret = openat(dirfd, ".", m->flags | O_TMPFILE | O_CLOEXEC, m->mode & 07777);
		break;
	case HOST_MAKE_DIR:
		ret = mkdirat(dirfd, m->name, m->mode & 07777);
		break;
	case HOST_MAKE_NODE:
		ret = mknodat(dirfd, m->name, m->mode, m->rdev);
		break;
	case HOST_MAKE_SYMLINK:
		ret = symlinkat(m->target, dirfd, m->name);
		break;
	}
	return ret < 0 ? -errno : ret;
}

/* The guest's kernel has found its user permitted, by groups that we do not know. */
static bool host_override(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (!host_caps_get(caps))
		return false;
	caps[0].effective |= 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;
	return !syscall(SYS_capset, &head, caps);
}

/*
 * Set the attributes that creation did not: a group that is one of the user's own but
 * not the first, or mode bits that the file creation mask has cleared.
 */
static void host_settle(struct host_node *dir, const struct host_make *m, int fd,
			const struct host_cred *cred, bool masked)
{
	struct host *h = dir->host;
	struct stat st, dst;
	int path = fd;

	if (m->kind > HOST_MAKE_TMPFILE)
		path = host_open_path(h, dir->fd, m->name);
	if (path < 0)
		return;
	if (!fstat(path, &st) && (!h->uid || st.st_uid == h->uid)) {
		mode_t mode = (m->mode & 07777) | (st.st_mode & S_ISGID);

		if (h->uid && st.st_gid != cred->gid && cred->gid != HOST_ID_NONE &&
		    !fstat(dir->fd, &dst) && !(dst.st_mode & S_ISGID) &&
		    !fchownat(path, "", HOST_ID_NONE, cred->gid, AT_EMPTY_PATH))
			masked = masked || m->mode & (S_ISUID | S_ISGID);
		/* The file is there either way; bits that cannot be set stay away. */
		if (masked && m->kind != HOST_MAKE_SYMLINK &&
		    fchmodat(h->proc_fd, host_link_rel(path).name, mode, 0) < 0)
			pr_debug("chmod of a new file: %s", strerror(errno));
	}
	if (path != fd)
		close(path);
}

/* False: the mask is the process's and has to stay what it is. */
static bool host_mask(mode_t mask)
{
	if (!host_own_mask && unshare(CLONE_FS))
		return false;
	host_own_mask = true;
	umask(mask);
	return true;
}

static int host_make(struct host_node *dir, struct host_make *m, const struct host_cred *cred)
{
	struct host *h = dir->host;
	uid_t uid = cred->uid == HOST_ID_NONE || h->uid ? h->uid : cred->uid;
	gid_t gid = cred->gid == HOST_ID_NONE || h->uid ? h->gid : cred->gid;
	struct stat st;
	bool masked;
	int ret;

	ret = host_may_make(dir, m->name);
	if (ret)
		return ret;
	/*
	 * Our supplementary groups are not the guest's: a guest's user who is not in
	 * the directory's group gets no program that runs as that group.
	 */
	if (uid && !h->uid && m->kind != HOST_MAKE_DIR &&
	    (m->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    !fstat(dir->fd, &st) && st.st_mode & S_ISGID && st.st_gid != gid)
		m->mode &= ~S_ISGID;

	masked = !host_mask(cred->umask);
	if (masked)
		m->mode &= ~cred->umask;
	if (gid != h->gid)
		setfsgid(gid);
	if (uid != h->uid)
		setfsuid(uid);
	ret = host_make_once(dir->fd, m);
	if (ret == -EACCES && uid != h->uid && host_override())
		ret = host_make_once(dir->fd, m);
	/* Back to user 0 gives all that setfsuid() and host_override() changed back. */
	if (uid != h->uid)
		setfsuid(h->uid);
	if (gid != h->gid)
		setfsgid(h->gid);
	if (ret >= 0 && (masked || (h->uid && cred->gid != h->gid)))
		host_settle(dir, m, ret, cred, masked);
	return ret;
}

/* The existing file of the name to be created: opened, if it is a regular file. */
static int host_create_existing(struct host_node *dir, const char *name, int flags,
				struct host_file **out)
{
	struct host_node *node;
	int ret = host_lookup(dir, name, 0, &node, NULL);

	if (ret)
		return ret;
	ret = S_ISLNK(node->type) ? -ELOOP : S_ISDIR(node->type) ? -EISDIR :
		host_open(node, flags, out);
	host_node_put(node);
	return ret;
}

/* Never by O_CREAT alone: what exists could be a FIFO, or a symbolic link by now. */
int host_create(struct host_node *dir, const char *name, int flags, mode_t mode,
		const struct host_cred *cred, struct host_file **out)
{
	struct host_make m = {
		.kind = name ? HOST_MAKE_FILE : HOST_MAKE_TMPFILE, .name = name, .mode = mode,
		.flags = (flags & HOST_OPEN_FLAGS & ~(O_TRUNC | O_NOATIME)) | (name ? 0 : flags & O_EXCL),
	};
	struct host *h = dir->host;
	struct host_node *node;
	int fd, ret, tries;

	ret = host_fd_charge(h, true);
	for (tries = 0; !ret && tries < 8; tries++) {
		fd = host_make(dir, &m, cred);
		if (fd >= 0) {
			ret = host_node_new(h, dir, fd, 0, &node, NULL);
			return ret ? ret : host_file_new(node, flags, out);
		}
		host_fd_uncharge(h);
		if (!name || flags & O_EXCL || (fd != -EEXIST && fd != -EROFS))
			return fd;
		ret = host_create_existing(dir, name, flags, out);
		if (ret != -ENOENT || fd == -EROFS)
			return ret == -ENOENT ? fd : ret;
		ret = host_fd_charge(h, true);		/* it was there and is gone: once more */
	}
	if (!ret)
		host_fd_uncharge(h);
	return ret ? ret : -EEXIST;
}

static int host_make_stat(struct host_node *dir, struct host_make *m,
			  const struct host_cred *cred, struct stat *st)
{
	int ret = host_make(dir, m, cred);

	if (ret < 0)
		return ret;
	return fstatat(dir->fd, m->name, st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

int host_mkdir(struct host_node *dir, const char *name, mode_t mode,
	       const struct host_cred *cred, struct stat *st)
{
	struct host_make m = { .kind = HOST_MAKE_DIR, .name = name, .mode = mode };

	return host_make_stat(dir, &m, cred, st);
}

int host_mknod(struct host_node *dir, const char *name, mode_t mode, dev_t rdev,
	       const struct host_cred *cred, struct stat *st)
{
	struct host_make m = {
		.kind = HOST_MAKE_NODE, .name = name, .mode = mode, .rdev = rdev,
	};

	return host_make_stat(dir, &m, cred, st);
}

int host_symlink(struct host_node *dir, const char *name, const char *target,
		 const struct host_cred *cred, struct stat *st)
{
	struct host_make m = { .kind = HOST_MAKE_SYMLINK, .name = name, .target = target };

	return host_make_stat(dir, &m, cred, st);
}

int host_link(struct host_node *node, struct host_node *dir, const char *name)
{
	struct host_link l = host_link_rel(node->fd);
	int ret = host_may_make(dir, name);

	if (ret)
		return ret;
	/* That follows our link, to the file itself; no further, should that be one too. */
	return linkat(node->host->proc_fd, l.name, dir->fd, name, AT_SYMLINK_FOLLOW) ?
		-errno : 0;
}

int host_unlink(struct host_node *dir, const char *name, bool directory)
{
	int ret = host_may_change(dir->host);

	if (!ret && host_hidden(dir, name))
		ret = -ENOENT;
	if (ret)
		return ret;
	return unlinkat(dir->fd, name, directory ? AT_REMOVEDIR : 0) ? -errno : 0;
}

int host_rename(struct host_node *olddir, const char *oldname,
		struct host_node *newdir, const char *newname, unsigned int flags)
{
	int ret = host_may_make(newdir, newname);

	if (!ret && host_hidden(olddir, oldname))
		ret = -ENOENT;
	if (ret)
		return ret;
	return renameat2(olddir->fd, oldname, newdir->fd, newname, flags) ? -errno : 0;
}

/*
 * The kernel knows by which name a node was found and follows its renames: the
 * last component of what it says is asked for again in the directory, and has to
 * be the same file.
 */
static int host_node_name(struct host_node *node, struct host_node **dir,
			  char name[HOST_NAME_BYTES + 1])
{
	struct host_link l = host_link_rel(node->fd);
	struct host_node *same;
	char path[PATH_MAX];
	const char *last;
	ssize_t len;
	int ret;

	*dir = host_node_parent(node);
	if (!*dir)
		return -EBUSY;		/* the root */
	len = readlinkat(node->host->proc_fd, l.name, path, sizeof(path) - 1);
	ret = len < 0 ? -errno : 0;
	if (ret)
		goto fail;
	path[len] = '\0';
	last = strrchr(path, '/');
	ret = -ENOENT;
	if (!last || host_name_error(last + 1, strlen(last + 1)))
		goto fail;
	strcpy(name, last + 1);
	ret = host_lookup(*dir, name, 0, &same, NULL);
	if (ret)
		goto fail;
	if (same->dev != node->dev || same->ino != node->ino)
		ret = -ENOENT;
	host_node_put(same);
	if (!ret)
		return 0;
fail:
	host_node_put(*dir);
	return ret;
}

int host_node_unlink(struct host_node *node)
{
	char name[HOST_NAME_BYTES + 1];
	struct host_node *dir;
	int ret;

	ret = host_may_change(node->host);
	if (ret)
		return ret;
	ret = host_node_name(node, &dir, name);
	if (ret)
		return ret;
	ret = host_unlink(dir, name, S_ISDIR(node->type));
	host_node_put(dir);
	return ret;
}

int host_node_rename(struct host_node *node, struct host_node *newdir, const char *newname)
{
	char name[HOST_NAME_BYTES + 1];
	struct host_node *dir, *old;
	int ret;

	ret = host_may_change(node->host);
	if (ret)
		return ret;
	ret = host_node_name(node, &dir, name);
	if (ret)
		return ret;
	ret = host_rename(dir, name, newdir, newname, 0);
	host_node_put(dir);
	if (ret)
		return ret;
	pthread_mutex_lock(&node->host->lock);
	old = node->parent;
	node->parent = host_node_get(newdir);
	pthread_mutex_unlock(&node->host->lock);
	host_node_put(old);
	return 0;
}

ssize_t host_readlink(struct host_node *node, char *buf, size_t len)
{
	ssize_t ret;

	if (!S_ISLNK(node->type))
		return -EINVAL;
	ret = readlinkat(node->fd, "", buf, len);
	if (ret < 0)
		return -errno;
	return (size_t)ret == len ? -ENAMETOOLONG : ret;
}

static bool host_dirent_ok(const struct host_node *dir, const struct host_dirent *de, size_t name_max)
{
	size_t len = strlen(de->name);

	if (de->name[0] == '.' && (len == 1 || (len == 2 && de->name[1] == '.')))
		return true;
	return len <= name_max && !host_name_error(de->name, len) && !host_hidden(dir, de->name);
}

/*
 * Leave out the entries that are hidden, whose names the file system should not have or the
 * reader cannot take; the length of the rest. *@cookie is what follows the last of all.
 */
static size_t host_dirents_vet(const struct host_node *dir, char *buf, size_t len, size_t name_max,
			       u64 *cookie)
{
	struct host_dirent *de, *last = NULL;
	size_t off, used = 0, reclen;

	for (off = 0; off < len; off += reclen) {
		de = (void *)(buf + off);
		reclen = de->reclen;
		*cookie = de->cookie;
		if (host_dirent_ok(dir, de, name_max)) {
			last = memmove(buf + used, de, reclen);
			used += reclen;
		} else if (last) {
			last->cookie = *cookie;
		}
	}
	return used;
}

ssize_t host_readdir(struct host_file *file, u64 cookie, size_t name_max, void *buf, size_t len)
{
	unsigned int rounds;
	ssize_t n, used = 0;

	if (!S_ISDIR(file->node->type))
		return -ENOTDIR;
	pthread_mutex_lock(&file->lock);
	n = cookie != file->pos && lseek(file->fd, cookie, SEEK_SET) < 0 ? -errno : 1;
	if (n > 0)
		file->pos = cookie;
	/* A directory that has nothing but what is left out has an end, or is none. */
	for (rounds = 0; n > 0 && !used; rounds++) {
		n = getdents64(file->fd, buf, len);
		if (n < 0)
			n = -errno;
		else
			used = host_dirents_vet(file->node, buf, n, name_max, &file->pos);
		if (rounds == HOST_READDIR_ROUNDS)
			n = -ELOOP;
	}
	pthread_mutex_unlock(&file->lock);
	return n < 0 ? n : used;
}

int host_fsync(struct host_file *file, bool datasync)
{
	return (datasync ? fdatasync(file->fd) : fsync(file->fd)) ? -errno : 0;
}

int host_file_kill_priv(struct host_file *file)
{
	mode_t drop = S_ISUID;
	struct stat st;

	if (fstat(file->fd, &st))
		return -errno;
	if (st.st_mode & S_IXGRP)
		drop |= S_ISGID;
	if (!(st.st_mode & drop))
		return 0;
	return fchmod(file->fd, st.st_mode & 07777 & ~drop) ? -errno : 0;
}

int host_file_modify(struct host_file *file, uid_t uid)
{
	/* Root may keep the bits, and the kernel takes them from anybody else. */
	if (file->node->host->uid || !uid || uid == HOST_ID_NONE)
		return 0;
	return host_file_kill_priv(file);
}

ssize_t host_getxattr(struct host_node *node, const char *name, void *buf, size_t len)
{
	ssize_t n;

	/* Linux asks for a file's capabilities at each first write. */
	if (node->opened)
		n = fgetxattr(node->fd, name, buf, len);
	else
		n = getxattr(host_link_abs(node->fd).name, name, buf, len);
	return n < 0 ? -errno : n;
}

ssize_t host_listxattr(struct host_node *node, void *buf, size_t len)
{
	ssize_t n = listxattr(host_link_abs(node->fd).name, buf, len);

	return n < 0 ? -errno : n;
}

int host_setxattr(struct host_node *node, const char *name, const void *buf, size_t len,
		  int flags)
{
	int ret = host_may_change(node->host);

	if (ret)
		return ret;
	return setxattr(host_link_abs(node->fd).name, name, buf, len, flags) ? -errno : 0;
}

int host_removexattr(struct host_node *node, const char *name)
{
	int ret = host_may_change(node->host);

	if (ret)
		return ret;
	return removexattr(host_link_abs(node->fd).name, name) ? -errno : 0;
}

int host_stat(struct host_node *dir, const char *name, unsigned int mask, struct statx *stx)
{
	if (host_hidden(dir, name))
		return -ENOENT;
	return statx(dir->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, mask, stx) ?
		-errno : 0;
}

u32 host_fds_max(const struct host *h)
{
	return h->fds_max;
}

/* An O_PATH descriptor is not good enough for syncfs(2). */
int host_syncfs(struct host *h)
{
	int fd, ret;

	if (h->readonly)
		return 0;
	fd = openat(h->root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syncfs(fd) ? -errno : 0;
	close(fd);
	return ret;
}
