// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm cp: files and trees between the host and a running guest, both ways. tar(1) on both
 * sides, as it knows modes, owners, links and holes; the guest's runs by the agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm/log.h>

#include "enter.h"

struct cp {
	const char *machine, *path;	/* the guest's side */
	const char *local;
	bool to_guest;
	bool slash;			/* path ended in one: it is a directory */
};

/*
 * In the guest, as a shell sees it: $1 is the path. What is read is archived by the name
 * that it has, from its directory.
 */
static const char cp_reads[] =
	"p=$1; while [ \"${p%/}\" != \"$p\" ] && [ \"$p\" != / ]; do p=${p%/}; done; "
	"[ -e \"$p\" ] || [ -L \"$p\" ] || { echo \"lkvm: $p: there is no such file in the guest\" >&2; exit 1; }; "
	"d=$(dirname -- \"$p\"); exec tar -S -cf - -C \"$d\" -- \"$(basename -- \"$p\")\"";

/*
 * The archive has one tree, called $2; "." stands for a directory's content. $1 is where the
 * tree goes: a directory, or its new name. With $3 the tree has to be a directory.
 */
static const char cp_writes[] =
	"p=$1; if [ -d \"$p\" ]; then exec tar -xpf - -C \"$p\"; fi; "
	"d=$(dirname -- \"$p\"); [ -d \"$d\" ] || { echo \"lkvm: $d: there is no such directory in the guest\" >&2; exit 1; }; "
	"t=$(mktemp -d -p \"$d\") || exit 1; f=$t; [ \"$2\" = . ] || f=$t/$2; tar -xpf - -C \"$t\" && "
	"if [ -z \"$3\" ] || [ -d \"$f\" ]; then mv -T -- \"$f\" \"$p\"; else "
	"echo \"lkvm: $p: there is no such directory in the guest\" >&2; false; fi; "
	"s=$?; rm -rf -- \"$t\"; exit $s";

/* "NAME:PATH"; a path of the host has a slash before its colon, if it has one. */
static bool cp_is_guest(const char *text)
{
	size_t n = strcspn(text, ":/");

	return n && text[n] == ':';
}

static int cp_parse(const struct command *cmd, struct cp *cp, char **argv, int n)
{
	char *guest, *base;

	if (n != 2)
		return command_usage(cmd, "two names: NAME:PATH and PATH, or PATH and NAME:PATH");
	cp->to_guest = cp_is_guest(argv[1]);
	if (cp->to_guest == cp_is_guest(argv[0]))
		return command_usage(cmd, "one of the two is NAME:PATH, in the guest of the machine NAME, and the other is not");
	guest = argv[cp->to_guest];
	cp->local = argv[!cp->to_guest];
	cp->machine = guest;
	guest += strcspn(guest, ":");
	*guest++ = '\0';
	for (n = strlen(guest); n > 1 && guest[n - 1] == '/'; n--) {
		guest[n - 1] = '\0';
		cp->slash = true;
	}
	cp->path = guest;
	base = strrchr(guest, '/') ? strrchr(guest, '/') + 1 : guest;
	if (!*guest || (!cp->to_guest && (!*base || !strcmp(base, ".") || !strcmp(base, ".."))))
		return command_usage(cmd, "%s:%s: the file or directory has to be named", cp->machine, guest);
	return 0;
}

/* Without slashes at its end, malloc()ed. */
static char *cp_trimmed(const char *path)
{
	char *p = strdup(path);
	size_t n = p ? strlen(p) : 0;

	while (n > 1 && p[n - 1] == '/')
		p[--n] = '\0';
	return p;
}

/* A local tar with one end of a pipe as its stdin or stdout; the other end is returned, or -1. */
static int cp_tar(char *const argv[], bool reads, pid_t *pid)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		pr_err("pipe: %s", strerror(errno));
		return -1;
	}
	*pid = fork();
	if (!*pid) {
		dup2(ends[!reads], reads ? STDIN_FILENO : STDOUT_FILENO);
		execvp(argv[0], argv);
		pr_err("tar: %s", strerror(errno));
		_exit(127);
	}
	close(ends[!reads]);
	if (*pid < 0) {
		pr_err("fork: %s", strerror(errno));
		close(ends[reads]);
		return -1;
	}
	return ends[reads];
}

static int cp_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int cp_run(const struct cp *cp, const char *script, const char *name, int in, int out)
{
	struct enter e = { .fd = { in, out, STDERR_FILENO }, .no_stdin = in < 0 };
	char *argv[] = { "sh", "-c", (char *)script, "sh", (char *)cp->path, (char *)name, cp->slash ? "/" : "", NULL };

	return enter_run(&e, cp->machine, argv);
}

static int cp_to_guest(const struct cp *cp, const char *dir, const char *base)
{
	char *argv[] = { "tar", "-S", "-cf", "-", "-C", (char *)dir, "--", (char *)base, NULL };
	struct stat st;
	int fd, status, tar;
	pid_t pid;

	if (lstat(cp->local, &st) < 0) {
		pr_err("%s: %s", cp->local, strerror(errno));
		return 1;
	}
	fd = cp_tar(argv, false, &pid);
	if (fd < 0)
		return STATUS_FAILED;
	status = cp_run(cp, cp_writes, base, fd, STDOUT_FILENO);
	close(fd);
	tar = cp_wait(pid);
	return status ? status : tar;
}

/* The new tree is made beside its place, and moved there when it is whole. */
static int cp_place(const char *tmp, const char *local)
{
	/* The archive's one name is not known here: a guest says it. */
	static const char script[] =
		"cd -- \"$1\" || exit 1; "
		/* root would make devices of what the guest says. The directory is closed to others until here. */
		"[ -z \"$(find . \\( -type b -o -type c \\) -print -quit)\" ] || { echo 'lkvm: devices are not copied from a guest' >&2; exit 1; }; "
		"set -- \"$2\" * .[!.]* ..?*; p=$1; shift; n=; "
		"for f; do if [ -e \"$f\" ] || [ -L \"$f\" ]; then [ -z \"$n\" ] || exit 1; n=$f; fi; done; "
		"case $p in */) [ -d \"$n\" ] || { echo \"lkvm: $p: there is no such directory\" >&2; exit 1; };; esac; "
		"[ -n \"$n\" ] && mv -T -- \"$n\" \"$p\"";
	char *real = *local == '/' ? strdup(local) : NULL, *here = NULL;
	pid_t pid;

	if (!real && (!(here = realpath(".", NULL)) || asprintf(&real, "%s/%s", here, local) < 0))
		real = NULL;
	free(here);
	pid = real ? fork() : -1;
	if (!pid) {
		execl("/bin/sh", "sh", "-c", script, "sh", tmp, real, (char *)NULL);
		_exit(127);
	}
	free(real);
	return pid < 0 ? 1 : cp_wait(pid);
}

static int cp_remove(const char *tmp)
{
	pid_t pid = fork();

	if (!pid) {
		execlp("rm", "rm", "-rf", "--", tmp, (char *)NULL);
		_exit(127);
	}
	return pid < 0 ? 1 : cp_wait(pid);
}

static int cp_from_guest(const struct cp *cp, const char *dir)
{
	char *tmp = NULL, *argv[] = { "tar", "-xf", "-", "--no-same-owner", "--no-same-permissions",
			    "--no-overwrite-dir", "-C", NULL, NULL };
	struct stat st;
	mode_t mask;
	bool into = !stat(cp->local, &st) && S_ISDIR(st.st_mode);
	int fd, status, tar;
	pid_t pid;

	if (asprintf(&tmp, "%s/.lkvm-cp-XXXXXX", into ? cp->local : dir) < 0)
		return STATUS_FAILED;
	if (!mkdtemp(tmp)) {
		pr_err("%s: %s", into ? cp->local : dir, strerror(errno));
		free(tmp);
		return 1;
	}
	argv[7] = tmp;
	/*
	 * All of a mode but set-user-ID and its like: the guest says them. Not that of the directory
	 * itself, which stays closed to others.
	 */
	mask = umask(0);
	fd = cp_tar(argv, true, &pid);
	umask(mask);
	status = STATUS_FAILED;
	if (fd >= 0) {
		status = cp_run(cp, cp_reads, "", -1, fd);
		/* What has come is not whole, and not worth a word of tar's. */
		if (status)
			kill(pid, SIGKILL);
		close(fd);
		tar = cp_wait(pid);
		if (!status)
			status = tar;
	}
	if (!status) {
		char *place = NULL;

		if (into && asprintf(&place, "%s/%s", cp->local, strrchr(cp->path, '/') ? strrchr(cp->path, '/') + 1 : cp->path) < 0)
			place = NULL;
		status = cp_place(tmp, into ? place : cp->local);
		if (status)
			pr_err("%s: it cannot be put there", into ? place : cp->local);
		free(place);
	}
	cp_remove(tmp);
	free(tmp);
	return status;
}

/* The directory and the name in it of @path, which is changed: "." for what has no name. */
static void cp_split(char *path, const char **dir, const char **base)
{
	char *slash = strrchr(path, '/');

	*base = slash ? slash + 1 : path;
	if (!**base || !strcmp(*base, ".") || !strcmp(*base, "..")) {
		*dir = path;
		*base = ".";
		return;
	}
	*dir = !slash ? "." : slash == path ? "/" : path;
	if (slash)
		*slash = '\0';
}

static int cp_main(const struct command *cmd, int argc, char **argv)
{
	struct cp cp = { .machine = NULL };
	int status, n = command_parse(cmd, &cp, argc, argv, &status);
	const char *dir, *base;
	char *local;

	if (n < 0)
		return status;
	status = cp_parse(cmd, &cp, argv, n);
	if (status)
		return status;
	local = cp_trimmed(cp.local);
	if (!local) {
		pr_err("out of memory");
		return STATUS_FAILED;
	}
	cp_split(local, &dir, &base);
	status = cp.to_guest ? cp_to_guest(&cp, dir, base) : cp_from_guest(&cp, dir);
	free(local);
	return status;
}

const struct command command_cp = {
	.name = "cp",
	.synopsis = "NAME:PATH PATH | PATH NAME:PATH",
	.summary = "copy files between the host and a running guest",
	.about =
	"A file or a whole tree, with its modes, links and holes. A directory as the\n"
	"second name gets it in it. Both sides need tar.\n",
	.usage_status = STATUS_FAILED,
	.fn = cp_main,
};
