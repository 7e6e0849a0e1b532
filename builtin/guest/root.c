// SPDX-License-Identifier: GPL-2.0
/*
 * Is a directory fit to be a guest's root? Asked before the machine is made,
 * since a guest can only say so after a boot. All paths are resolved by
 * openat2(RESOLVE_IN_ROOT), as they will be in the guest: an absolute symbolic
 * link in a debootstrap leads into the debootstrap. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>

#include <kvm/elf.h>
#include <kvm/log.h>

#include "root.h"

static const struct root_machine {
	u16 machine, also;		/* ELF e_machine; another that its kernel runs */
	const char *name;
} root_machines[] = {
	{ EM_X86_64, EM_386, "x86-64" },
	{ EM_AARCH64, EM_ARM, "arm64" },
	{ EM_386, 0, "32-bit x86" },
	{ EM_ARM, 0, "32-bit arm" },
	{ EM_RISCV, 0, "riscv" },
	{ EM_PPC64, 0, "powerpc64" },
	{ EM_S390, 0, "s390" },
	{ EM_MIPS, 0, "mips" },
	{ EM_LOONGARCH, 0, "loongarch" },
};

static const struct root_machine *root_machine(u16 machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(root_machines); i++)
		if (root_machines[i].machine == machine)
			return &root_machines[i];
	return NULL;
}

int root_open(int dir, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	/* Before Linux 5.6; a link that leads out of the tree is then found on the host. */
	if (fd < 0 && errno == ENOSYS)
		fd = openat(dir, *path == '/' ? path + 1 : path, how.flags);
	return fd < 0 ? -errno : fd;
}

/* The e_machine of an ELF program, 0 if it is something else (a script, or not to be read). */
static u16 root_elf(int fd)
{
	struct stat st;
	struct elf elf;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || elf_open_fd(&elf, fd, st.st_size))
		return 0;
	return elf.machine;
}

/* 1: there, and fit for this machine; 0: not there; -errno: not fit, and that has been said. */
static int root_program(const char *dir, int dirfd, const char *path)
{
	const struct root_machine *ours, *theirs;
	int fd = root_open(dirfd, path), self;
	u16 machine, own = 0;

	if (fd == -EACCES)
		return 1;
	if (fd < 0)
		return 0;
	machine = root_elf(fd);
	close(fd);
	/* The machine's kernel runs programs of this program's architecture. */
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self >= 0) {
		own = root_elf(self);
		close(self);
	}
	ours = root_machine(own);
	if (!machine || !ours || machine == own || machine == ours->also)
		return 1;
	theirs = root_machine(machine);
	if (theirs)
		pr_err("--root %s: %s is for %s, this machine is %s", dir, path, theirs->name, ours->name);
	else
		pr_err("--root %s: %s is for another machine (ELF %u), this is %s", dir, path,
		       machine, ours->name);
	return -ENOEXEC;
}

/*
 * Is @user in the user database? Where there is none, or none that may be read, the
 * guest will tell. A number, or two as in 1000:1000, need not be in there.
 */
static int root_user(const char *dir, int dirfd, const char *user)
{
	size_t len = strlen(user), size = 0;
	bool found = false;
	char *line = NULL;
	struct stat st;
	FILE *file;
	int fd;

	if (len && strspn(user, "0123456789:") == len)
		return 0;
	fd = root_open(dirfd, "/etc/passwd");
	if (fd < 0)
		return 0;
	file = !fstat(fd, &st) && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	if (!file) {
		close(fd);
		return 0;
	}
	while (!found && getline(&line, &size, file) > 0)
		found = strcspn(line, ":") == len && !strncmp(line, user, len);
	free(line);
	fclose(file);
	if (found)
		return 0;
	pr_err("--user %s: there is no such user in %s/etc/passwd", user, strcmp(dir, "/") ? dir : "");
	return -ENOENT;
}

int root_has(const char *dir, const char *path)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return 0;	/* files_path() has found it: the guest tells the rest */
	ret = root_program(dir, fd, path);
	close(fd);
	if (ret)
		return ret > 0 ? 0 : ret;
	pr_err("--init %s: there is no such program in %s", path, dir);
	return -ENOENT;
}

int root_check(const char *dir, char *const *argv, const char *user)
{
	static const char *const bins[] = {
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"
	};
	const char *command = argv ? argv[0] : NULL;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;
	char path[4352];

	if (fd < 0) {
		ret = -errno;
		pr_err("--root %s: %s", dir, strerror(errno));
		return ret;
	}
	ret = user ? root_user(dir, fd, user) : 0;
	if (!ret)
		ret = root_program(dir, fd, "/bin/sh");
	/* A command may be on a share, so it is only asked for where there is no shell. */
	if (!ret && !command)
		ret = root_program(dir, fd, "/bin/bash");
	if (!ret && command && *command == '/')
		ret = root_program(dir, fd, command);
	for (size_t i = 0; !ret && command && !strchr(command, '/') && i < ARRAY_SIZE(bins); i++) {
		snprintf(path, sizeof(path), "%s/%s", bins[i], command);
		ret = root_program(dir, fd, path);
	}
	close(fd);
	if (ret)
		return ret > 0 ? 0 : ret;
	if (command)
		pr_err("--root %s: there is neither /bin/sh nor %s in it: is it a root file system?", dir,
		       command);
	else
		pr_err("--root %s: there is no shell (/bin/sh) in it: is it a root file system?", dir);
	return -ENOENT;
}
