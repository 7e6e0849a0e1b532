// SPDX-License-Identifier: GPL-2.0
/*
 * A small FUSE server with one file: see present.h. Each state is a file of its own name
 * and inode, so the kernel never shows pages of an earlier one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fuse.h>

#include <linux/kernel.h>
#include <kvm/opt.h>

#include "present.h"

#define PRESENT_WRITE	MIB
#define PRESENT_BUF	(PRESENT_WRITE + 4096)
#define PRESENT_VALID	3600		/* seconds that names and attributes hold */

struct present {
	struct replay *r;
	int fuse, signals;
	u64 node;			/* of the state's file: 1 is the directory */
	char dir[64];
	bool mounted;
	sigset_t mask;			/* as it was */
	u8 *in, *out;			/* [PRESENT_BUF] */
};

static void present_name(const struct present *p, char name[32])
{
	snprintf(name, 32, "state%llu", (unsigned long long)p->node - 1);
}

/* Requests: each writes its answer to p->out, behind the header, and returns its length or -errno. */

static void present_attr(const struct present *p, u64 node, struct fuse_attr *attr)
{
	bool dir = node == FUSE_ROOT_ID;

	*attr = (struct fuse_attr){
		.ino = node, .size = dir ? 0 : replay_size(p->r), .blocks = dir ? 0 : replay_size(p->r) / 512,
		.mode = dir ? S_IFDIR | 0700 : S_IFREG | 0600, .nlink = 1 + dir, .uid = geteuid(), .gid = getegid(),
		.blksize = 4096,
	};
}

static int present_init(struct present *p, const struct fuse_init_in *in)
{
	struct fuse_init_out *out = (void *)(p->out + sizeof(struct fuse_out_header));

	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION, .minor = min(in->minor, (u32)FUSE_KERNEL_MINOR_VERSION),
		.max_readahead = in->max_readahead, .max_write = PRESENT_WRITE, .max_pages = PRESENT_WRITE / 4096,
		.flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_ASYNC_READ),
		.max_background = 16, .congestion_threshold = 12,
	};
	return sizeof(*out);
}

static int present_lookup(struct present *p, u64 node, const char *name)
{
	struct fuse_entry_out *out = (void *)(p->out + sizeof(struct fuse_out_header));
	char ours[32];

	present_name(p, ours);
	if (node != FUSE_ROOT_ID || strcmp(name, ours))
		return -ENOENT;
	*out = (struct fuse_entry_out){ .nodeid = p->node, .entry_valid = PRESENT_VALID, .attr_valid = PRESENT_VALID };
	present_attr(p, p->node, &out->attr);
	return sizeof(*out);
}

static int present_getattr(struct present *p, u64 node)
{
	struct fuse_attr_out *out = (void *)(p->out + sizeof(struct fuse_out_header));

	*out = (struct fuse_attr_out){ .attr_valid = PRESENT_VALID };
	present_attr(p, node, &out->attr);
	return sizeof(*out);
}

/* A disk keeps its size; times and modes are nobody's. */
static int present_setattr(struct present *p, u64 node, const struct fuse_setattr_in *in)
{
	if (in->valid & FATTR_SIZE && in->size != replay_size(p->r))
		return -ENOSPC;
	return present_getattr(p, node);
}

static int present_open(struct present *p)
{
	struct fuse_open_out *out = (void *)(p->out + sizeof(struct fuse_out_header));

	*out = (struct fuse_open_out){ .fh = 0 };
	return sizeof(*out);
}

static int present_read(struct present *p, const struct fuse_read_in *in)
{
	u64 size = replay_size(p->r), len = in->offset < size ? min((u64)in->size, size - in->offset) : 0;
	int ret;

	if (len > PRESENT_BUF - sizeof(struct fuse_out_header))
		return -EINVAL;
	ret = replay_read(p->r, in->offset, p->out + sizeof(struct fuse_out_header), len);
	return ret ? ret : (int)len;
}

static int present_write(struct present *p, const struct fuse_write_in *in, u32 room)
{
	struct fuse_write_out *out = (void *)(p->out + sizeof(struct fuse_out_header));
	int ret = in->size > room ? -EINVAL : in->offset >= replay_size(p->r) ? -ENOSPC : 0;
	u64 len = ret ? 0 : min((u64)in->size, replay_size(p->r) - in->offset);

	if (!ret)
		ret = replay_write(p->r, in->offset, in + 1, len);
	*out = (struct fuse_write_out){ .size = len };
	return ret ? ret : (int)sizeof(*out);
}

static int present_fallocate(struct present *p, const struct fuse_fallocate_in *in)
{
	u64 size = replay_size(p->r);

	if (in->offset > size || in->length > size - in->offset)
		return -ENOSPC;
	if (!(in->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		return in->mode & ~FALLOC_FL_KEEP_SIZE ? -EOPNOTSUPP : 0;
	return replay_zero(p->r, in->offset, in->length);
}

/* -ENOSYS also tells the kernel not to ask again. */
static int present_serve(struct present *p, const struct fuse_in_header *in)
{
	const void *arg = in + 1;

	if (in->nodeid > FUSE_ROOT_ID && in->nodeid != p->node && in->opcode != FUSE_RELEASE && in->opcode != FUSE_FLUSH)
		return -ESTALE;
	switch (in->opcode) {
	case FUSE_INIT:
		return present_init(p, arg);
	case FUSE_LOOKUP:
		return present_lookup(p, in->nodeid, arg);
	case FUSE_GETATTR:
		return present_getattr(p, in->nodeid);
	case FUSE_SETATTR:
		return present_setattr(p, in->nodeid, arg);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return present_open(p);
	case FUSE_READ:
		return present_read(p, arg);
	case FUSE_WRITE:
		return present_write(p, arg, in->len - sizeof(*in) - sizeof(struct fuse_write_in));
	case FUSE_FALLOCATE:
		return present_fallocate(p, arg);
	case FUSE_READDIR:
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_DESTROY:
		return 0;
	default:
		return -ENOSYS;
	}
}

/* One request of the kernel's. It ends every text and structure that it sends. */
static int present_answer(struct present *p)
{
	struct fuse_in_header *in = (void *)p->in;
	struct fuse_out_header *out = (void *)p->out;
	ssize_t n = read(p->fuse, p->in, PRESENT_BUF);
	int ret;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN || errno == ENOENT ? 0 : -errno;
	if (n < (ssize_t)sizeof(*in))
		return -EIO;
	if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT)
		return 0;
	ret = present_serve(p, in);
	*out = (struct fuse_out_header){
		.len = sizeof(*out) + max(ret, 0), .error = min(ret, 0), .unique = in->unique,
	};
	/* Nobody may wait for the answer any more: ENOENT. */
	return write(p->fuse, out, out->len) < 0 && errno != ENOENT ? -errno : 0;
}

/* Commands */

/* @word with each {} replaced: malloc()ed. */
static char *present_word(const char *word, const char *path)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	for (; f && *word; word++) {
		if (word[0] == '{' && word[1] == '}') {
			fputs(path, f);
			word++;
		} else {
			fputc(*word, f);
		}
	}
	if (f)
		fclose(f);
	return out;
}

static void present_exec(struct present *p, char *const *argv, int output)
{
	char path[128], name[32], **words;
	unsigned int nr = 0;
	int null = open("/dev/null", O_RDONLY);

	present_name(p, name);
	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	while (argv[nr])
		nr++;
	words = calloc(nr + 1, sizeof(*words));
	for (unsigned int i = 0; words && i < nr; i++)
		words[i] = present_word(argv[i], path);
	sigprocmask(SIG_SETMASK, &p->mask, NULL);
	dup2(null, 0);
	if (output >= 0) {
		dup2(output, 1);
		dup2(output, 2);
	}
	if (words)
		execvp(words[0], words);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Serve until the child has ended. */
static int present_wait(struct present *p, int pidfd, pid_t pid)
{
	struct pollfd pfd[] = {
		{ .fd = p->fuse, .events = POLLIN }, { .fd = pidfd, .events = POLLIN }, { .fd = p->signals, .events = POLLIN },
	};
	int status, ret = 0;

	do {
		if (poll(pfd, ARRAY_SIZE(pfd), -1) < 0 && errno != EINTR)
			ret = -errno;
		if (!ret && pfd[0].revents)
			ret = present_answer(p);
		if (!ret && pfd[2].revents)
			ret = -EINTR;
	} while (!ret && !pfd[1].revents);
	if (ret)
		kill(pid, SIGKILL);
	/* A child that waits for the file is waited for by its kernel: it goes with the server. */
	while (!ret && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			ret = -errno;
	return ret ? ret : status;
}

int present_run(struct present *p, char *const *argv, int output)
{
	int pidfd, ret;
	pid_t pid;

	p->node++;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		present_exec(p, argv, output);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		ret = -errno;
		kill(pid, SIGKILL);
		return ret;
	}
	ret = present_wait(p, pidfd, pid);
	close(pidfd);
	return ret;
}

/* The mount */

static int present_bad(struct opt_err *err, const char *what)
{
	int ret = -errno;

	snprintf(err->text, sizeof(err->text), "%s: %s; states are shown by FUSE in a mount namespace", what,
		 strerror(-ret));
	return ret;
}

static int present_map_id(const char *path, unsigned int id)
{
	char text[64];
	int fd = open(path, O_WRONLY | O_CLOEXEC), n = snprintf(text, sizeof(text), "%u %u 1", id, id);
	bool ok = fd >= 0 && write(fd, text, n) == n;

	if (fd >= 0)
		close(fd);
	return ok ? 0 : -1;
}

static int present_namespace(struct opt_err *err)
{
	unsigned int uid = geteuid(), gid = getegid();
	int fd;

	if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)))
		return present_bad(err, uid ? "a user namespace" : "a mount namespace");
	if (uid) {
		fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			/* Older kernels have no such file, and want nothing. */
			if (write(fd, "deny", 4) < 0)
				errno = 0;
			close(fd);
		}
		if (present_map_id("/proc/self/uid_map", uid) || present_map_id("/proc/self/gid_map", gid))
			return present_bad(err, "a user namespace");
	}
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ? present_bad(err, "a mount namespace") : 0;
}

static int present_mount(struct present *p, struct opt_err *err)
{
	const char *env = getenv("TMPDIR"), *tmp = env && *env ? env : "/tmp";
	char options[96];
	int ret;

	if (snprintf(p->dir, sizeof(p->dir), "%s/lkvm-XXXXXX", tmp) >= (int)sizeof(p->dir))
		snprintf(p->dir, sizeof(p->dir), "/tmp/lkvm-XXXXXX");
	if (!mkdtemp(p->dir)) {
		ret = present_bad(err, p->dir);
		*p->dir = '\0';
		return ret;
	}
	ret = present_namespace(err);
	if (ret)
		return ret;
	p->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (p->fuse < 0)
		return present_bad(err, "/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", p->fuse, geteuid(), getegid());
	if (mount("lkvm", p->dir, "fuse.lkvm", MS_NOSUID | MS_NODEV, options))
		return present_bad(err, "mount");
	p->mounted = true;
	return 0;
}

void present_free(struct present *p)
{
	if (p->mounted)
		umount2(p->dir, MNT_DETACH);
	if (p->fuse >= 0)
		close(p->fuse);
	if (p->signals >= 0)
		close(p->signals);
	if (*p->dir)
		rmdir(p->dir);
	sigprocmask(SIG_SETMASK, &p->mask, NULL);
	free(p->in);
	free(p->out);
	free(p);
}

int present_new(struct present **out, struct replay *r, struct opt_err *err)
{
	struct present *p = calloc(1, sizeof(*p));
	sigset_t ends;
	int ret;

	if (!p)
		return present_bad(err, "memory");
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &p->mask);
	p->r = r;
	p->node = FUSE_ROOT_ID;
	p->fuse = -1;
	p->signals = signalfd(-1, &ends, SFD_CLOEXEC);
	p->in = malloc(PRESENT_BUF);
	p->out = malloc(PRESENT_BUF);
	ret = p->signals >= 0 && p->in && p->out ? present_mount(p, err) : present_bad(err, "memory");
	if (ret)
		present_free(p);
	else
		*out = p;
	return ret;
}
