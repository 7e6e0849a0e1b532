/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tree of the host's files, for the servers that hand it to a guest. It
 * knows no protocol: it takes a directory and one name, and gives back nodes.
 *
 * A node is a file descriptor opened with O_PATH, found by looking up one name
 * in another node. There are no paths, so there is nothing to be fixed when
 * files are renamed or removed, and no name that a guest can send leads out of
 * the tree: symbolic links are never followed, ".." is not a name.
 *
 * Every lookup makes a new node, also of a file that already has one: a node stands
 * for the name as well as for the file. A user who needs one object per file keeps a
 * table by (dev, ino).
 *
 * All functions may be called from any thread and may block for as long as the
 * file system does; a signal interrupts them where the file system allows it.
 * They return 0 (or a length) or -errno. Names are checked by host_name_error().
 * In a tree that is shared read-only every change fails with -EROFS.
 */
#ifndef KVM_HOST_H
#define KVM_HOST_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <time.h>

#include <kvm/types.h>

struct keep;
struct opt_list;
struct host;

struct host_node {
	struct host *host;
	struct host_node *parent;	/* the directory of the lookup, or NULL. host->lock */
	int fd;				/* O_PATH, or of an opened file */
	bool opened;			/* the latter */
	u32 refs;
	mode_t type;			/* S_IFMT bits */
	uid_t uid;			/* the owner at the time of the lookup */
	dev_t dev;
	ino_t ino;
};

/* A regular file or a directory that was opened: one descriptor. Owned by whoever opened it. */
struct host_file {
	int fd;				/* node->fd */
	int flags;			/* O_ACCMODE and O_APPEND of it */
	struct host_node *node;		/* a reference; it has no parent, unless it was created here */
	pthread_mutex_t lock;		/* a directory's position */
	u64 pos;			/* cookie that the position stands at */
};

/* The owner of a new file. */
struct host_cred {
	uid_t uid;
	gid_t gid;
	mode_t umask;	/* if there is no default ACL to inherit */
};
#define HOST_ID_NONE	((u32)-1)	/* whoever runs lkvm */

/*
 * Sent to a thread to interrupt the blocked system call of its request. The first
 * host_new() installs a handler that does nothing. A thread that serves requests must
 * not block the signal, which may also interrupt a later system call.
 */
#define HOST_SIGNAL	(SIGRTMIN + 1)

#define HOST_READONLY	1	/* nothing may change */
#define HOST_PARENTS	2	/* nodes remember where they were found, and keep that open */

/*
 * Open @dir, or take it from @keep (NULL: there is none); @flags are HOST_*. On failure
 * *@err_out is a static text that says what failed.
 * Raises the process's limit of open files as far as it may. The tree uses at most half
 * of it: beyond that opening fails with -EMFILE, and a little later lookups do.
 */
int host_new(struct host **out, struct keep *keep, const char *dir, unsigned int flags,
	     const char **err_out);
/*
 * The tree has none of the files that @paths, absolute and without symbolic links, name now, and
 * no file of these names later. Before any other access. 0 or -errno: one is not there.
 */
int host_hide(struct host *h, struct keep *keep, const struct opt_list *paths);
/* This may be another process than that of host_new(), forked from it. Before any other access. 0 or -errno. */
int host_forked(struct host *h);
void host_free(struct host *h);		/* all nodes and files have been put */

/*
 * Bytes of the longest name. NAME_MAX is what most file systems have; ntfs, vfat, exfat and
 * cifs count up to 255 characters, and a FUSE file system may have names of any length. Linux
 * as a FUSE client takes 1024.
 */
#define HOST_NAME_BYTES	1023

/* 0 if the @len bytes at @name are the name of a file, or -errno. */
int host_name_error(const char *name, size_t len);

/* References. The root lives as long as the tree does. */
struct host_node *host_root(struct host *h);
struct host_node *host_node_get(struct host_node *node);
void host_node_put(struct host_node *node);

/* *@stx, if not NULL, are the attributes of @mask, which is statx(2)'s. */
int host_lookup(struct host_node *dir, const char *name, unsigned int mask,
		struct host_node **out, struct statx *stx);
/* The attributes alone. */
int host_stat(struct host_node *dir, const char *name, unsigned int mask, struct statx *stx);

/*
 * The directory that @node was found in, if it is still there; -ESTALE if it
 * has been moved. Of the root, or of @top: itself. HOST_PARENTS.
 */
int host_parent(struct host_node *node, struct host_node *top, struct host_node **out);

/*
 * The path of @node from the root, without a slash before it; "" is the root. -ESTALE: it has none
 * any more, or not below the root; -ENAMETOOLONG. @path has PATH_MAX bytes.
 */
int host_path(struct host_node *node, char *path);
/* The node at a path of host_path(), by looking each name up. */
int host_walk(struct host *h, const char *path, struct host_node **out);
int host_walk_from(struct host_node *from, const char *path, struct host_node **out);
/* For host_path.c: a descriptor of /proc/self/fd. */
int host_proc(const struct host *h);

int host_getattr(struct host_node *node, unsigned int mask, struct statx *stx);
int host_statfs(struct host_node *node, struct statfs *st);

#define HOST_SET_MODE	0x01
#define HOST_SET_UID	0x02
#define HOST_SET_GID	0x04
#define HOST_SET_SIZE	0x08
#define HOST_SET_TIMES	0x10

struct host_attr {
	u32 valid;		/* HOST_SET_* */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t size;
	struct timespec times[2];	/* as for utimensat(2) */
};

/* @file, if not NULL, is @node opened: then a size needs no more permission. */
int host_setattr(struct host_node *node, struct host_file *file,
		 const struct host_attr *attr);

/*
 * Open a regular file or a directory; anything else is -EINVAL. The flags used are
 * O_ACCMODE (with 3, which is for ioctl(2) alone), O_TRUNC, O_APPEND, O_NONBLOCK, O_SYNC,
 * O_DSYNC and O_NOATIME. In a tree shared read-only, reading does not update access times
 * if that is possible.
 */
int host_open(struct host_node *node, int flags, struct host_file **out);
void host_file_close(struct host_file *file);

/*
 * Create @name, or open it if it exists and @flags have no O_EXCL. NULL: a file without a
 * name, as O_TMPFILE makes it, which O_EXCL keeps from getting one.
 */
int host_create(struct host_node *dir, const char *name, int flags, mode_t mode,
		const struct host_cred *cred, struct host_file **out);

/* *@st are the attributes of the new file. */
int host_mkdir(struct host_node *dir, const char *name, mode_t mode,
	       const struct host_cred *cred, struct stat *st);
int host_mknod(struct host_node *dir, const char *name, mode_t mode, dev_t rdev,
	       const struct host_cred *cred, struct stat *st);
int host_symlink(struct host_node *dir, const char *name, const char *target,
		 const struct host_cred *cred, struct stat *st);

int host_link(struct host_node *node, struct host_node *dir, const char *name);
int host_unlink(struct host_node *dir, const char *name, bool directory);
int host_rename(struct host_node *olddir, const char *oldname,
		struct host_node *newdir, const char *newname, unsigned int flags);

/* The same for the name by which @node was found, as it is now called in its directory. HOST_PARENTS. */
int host_node_unlink(struct host_node *node);
int host_node_rename(struct host_node *node, struct host_node *newdir, const char *newname);

/* Not terminated; returns the length. -ENAMETOOLONG if it does not fit in @len. */
ssize_t host_readlink(struct host_node *node, char *buf, size_t len);

struct host_dirent {		/* linux_dirent64, getdents64(2) */
	u64 ino;
	u64 cookie;		/* where the next entry is read */
	u16 reclen;		/* from this entry to the next */
	u8 type;		/* DT_* */
	char name[];
};

/*
 * Whole entries from @cookie on (0: the first, otherwise that of an entry) as
 * they fit in @len bytes at @buf (aligned for u64); returns their length, 0 at
 * the end, -EINVAL if the next does not fit (any does in 8 KiB). Each is
 * "." or "..", or host_name_error() has nothing against its name and it has at most
 * @name_max bytes: others are left out.
 */
ssize_t host_readdir(struct host_file *file, u64 cookie, size_t name_max, void *buf, size_t len);

int host_fsync(struct host_file *file, bool datasync);

/*
 * A write by @uid is about to change @file: clear set-user-ID and set-group-ID as the
 * kernel does, even if root runs lkvm.
 */
int host_file_modify(struct host_file *file, uid_t uid);

/* @len 0 asks for the size. -EROFS as above. @name is terminated, and not a path. */
ssize_t host_getxattr(struct host_node *node, const char *name, void *buf, size_t len);
ssize_t host_listxattr(struct host_node *node, void *buf, size_t len);
int host_setxattr(struct host_node *node, const char *name, const void *buf, size_t len,
		  int flags);
int host_removexattr(struct host_node *node, const char *name);

/*
 * Open file description locks (F_OFD_SETLK, F_OFD_GETLK): never wait, -EAGAIN
 * if another one is in the way.
 */
int host_lock(struct host_file *file, struct flock *lock);
int host_getlock(struct host_file *file, struct flock *lock);
/* The same lock, waited for: -EINTR if a signal comes first. */
int host_lock_wait(struct host_file *file, struct flock *lock);

/* Descriptors that nodes and files may use together. */
u32 host_fds_max(const struct host *h);

/* Clear set-user-ID and set-group-ID, as a write by an unprivileged user does. */
int host_file_kill_priv(struct host_file *file);

/* Write out all of the file system that the root is on. */
int host_syncfs(struct host *h);

#endif
