// SPDX-License-Identifier: GPL-2.0
/*
 * Landlock by raw system calls (landlock(7)). The bits are those of the kernel's
 * ABI; headers older than the host's kernel lack some, so they stand here. Any thread.
 */
#include <errno.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/landlock.h>

#define FS(bit)			(1ULL << (bit))
/* Access to files, by ABI: 13 bits from the first, then one each from 2, 3 and 5. */
#define FS_EXECUTE		FS(0)
#define FS_WRITE_FILE		FS(1)
#define FS_READ_FILE		FS(2)
#define FS_READ_DIR		FS(3)
#define FS_REMOVE_DIR		FS(4)
#define FS_REMOVE_FILE		FS(5)
#define FS_MAKE_SOCK		FS(9)
#define FS_ABI1			(FS(13) - 1)
#define FS_REFER		FS(13)
#define FS_TRUNCATE		FS(14)
#define FS_IOCTL_DEV		FS(15)
/* Only these apply to a file that is no directory. */
#define FS_OF_FILE		(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_BIND_TCP		FS(0)
#define NET_CONNECT_TCP		FS(1)
#define SCOPE_ABSTRACT_SOCKET	FS(0)
#define SCOPE_SIGNAL		FS(1)

/* struct landlock_ruleset_attr as of ABI 6; older kernels take its beginning. */
struct landlock_set {
	u64 fs, net, scoped;
};

static u64 landlock_fs(int abi)
{
	return FS_ABI1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
	       (abi >= 5 ? FS_IOCTL_DEV : 0);
}

int landlock_abi(void)
{
	int abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return max(abi, 0);
}

const char *landlock_missing(int abi, unsigned int n)
{
	static const struct {
		int since;
		const char *text;
	} missing[] = {
		{ 1, "files outside of what was given can be opened" },
		{ 2, "files cannot be renamed or linked between directories of a share" },
		{ 3, "files that may only be read can be truncated" },
		{ 4, "TCP connections go out, and ports can be listened on" },
		{ 5, "ioctls reach every device that can be opened" },
		{ 6, "signals and abstract sockets reach other processes of the user" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(missing); i++)
		if (abi < missing[i].since && !n--)
			return missing[i].text;
	return NULL;
}

int landlock_new(int abi, bool connect, bool bind)
{
	struct landlock_set set = { .fs = landlock_fs(abi) };
	size_t size = abi >= 6 ? sizeof(set) : abi >= 4 ? offsetof(struct landlock_set, scoped) :
		      offsetof(struct landlock_set, net);
	int fd;

	if (abi >= 4)
		set.net = (connect ? 0 : NET_CONNECT_TCP) | (bind ? 0 : NET_BIND_TCP);
	if (abi >= 6)
		set.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	fd = syscall(SYS_landlock_create_ruleset, &set, size, 0);
	return fd < 0 ? -errno : fd;
}

int landlock_allow(int set, int abi, int fd, unsigned int what)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (what & LANDLOCK_READ)
		rule.allowed_access |= FS_READ_FILE | FS_READ_DIR;
	if (what & LANDLOCK_WRITE)
		rule.allowed_access |= landlock_fs(abi) & ~(FS_EXECUTE | FS_READ_FILE | FS_READ_DIR | FS_IOCTL_DEV);
	if (what & LANDLOCK_SOCKET)
		rule.allowed_access |= FS_MAKE_SOCK | FS_REMOVE_FILE;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILE;
	if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

int landlock_enter(int set)
{
	return syscall(SYS_landlock_restrict_self, set, 0) < 0 ? -errno : 0;
}
