// SPDX-License-Identifier: GPL-2.0
/*
 * Becoming the command: its streams, its user, its environment, its directory,
 * then the search of PATH as a shell does it. Errors are printed on the command's
 * own stderr, and the status is a shell's: 127 for a command that does not exist,
 * 126 for one that cannot be executed.
 */
#include <asm/termbits.h>
#include <asm/ioctls.h>

#include "init.h"

/* The child's words, on the command's stderr. */
static void say(const char *a, const char *b, const char *c)
{
	char text[4352];
	size_t n = str_format(text, sizeof(text), "lkvm: %s%s%s\n", a, b, c);

	sys_write(2, text, n);
}

static size_t conf_count(const char *key)
{
	const char *value = NULL;
	size_t n = 0;

	while ((value = conf_next(key, value)))
		n++;
	return n;
}

/* The value of @name in an environment, or NULL. */
static const char *env_get(char **env, const char *name)
{
	const char *rest;

	for (; *env; env++) {
		rest = str_after(*env, name);
		if (rest && *rest == '=')
			return rest + 1;
	}
	return NULL;
}

/* A login shell that refuses logins is no shell for programs that need one. */
static const char *env_shell(const struct user *u)
{
	const char *base = u->shell;

	for (const char *s = base; *s; s++)
		if (*s == '/')
			base = s + 1;
	return !strcmp(base, "nologin") || !strcmp(base, "false") ? "/bin/sh" : u->shell;
}

static char **env_make(const struct user *u)
{
	/* git takes the files of that user for root's own, as with sudo. */
	const char *caller = u->uid ? NULL : conf_get("caller", NULL);
	const char *defaults[][2] = {
		{ "HOME", u->home },
		{ "USER", u->name },
		{ "LOGNAME", u->name },
		{ "SHELL", env_shell(u) },
		{ "SUDO_UID", caller },
		{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
	};
	char **env = mem_alloc((conf_count("env") + ARRAY_SIZE(defaults) + 1) * sizeof(*env));
	const char *value = NULL;
	size_t n = 0, len;

	/* What was said first goes before what all commands have. */
	while ((value = conf_next("env", value))) {
		char name[256];
		size_t end = 0;

		while (value[end] && value[end] != '=' && end < sizeof(name) - 1)
			end++;
		memcpy(name, value, end);
		name[end] = 0;
		if (!env_get(env, name))
			env[n++] = (char *)value;
	}
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		value = defaults[i][1];
		if (!value || !*value || env_get(env, defaults[i][0]))
			continue;
		len = strlen(value) + 16;
		env[n] = mem_alloc(len);
		str_format(env[n++], len, "%s=%s", defaults[i][0], value);
	}
	return env;
}

/* Execute one file. Returns why not; a script without "#!" is given to /bin/sh. */
static long exec_file(const char *path, char **argv, char **env)
{
	size_t argc = 0;
	char **sh;
	long ret = sys_call(__NR_execve, (long)path, (long)argv, (long)env, 0, 0, 0);

	if (ret != -ENOEXEC)
		return ret;
	while (argv[argc])
		argc++;
	sh = mem_alloc((argc + 2) * sizeof(*sh));
	sh[0] = (char *)"sh";
	sh[1] = (char *)path;
	for (size_t i = 1; i <= argc; i++)
		sh[i + 1] = argv[i];
	sys_call(__NR_execve, (long)"/bin/sh", (long)sh, (long)env, 0, 0, 0);
	return ret;
}

/* Execute as found; exits with a shell's status if that cannot be. */
static void __attribute__((noreturn)) exec_search(char **argv, char **env)
{
	const char *name = argv[0], *dirs = env_get(env, "PATH"), *slash = name, *what = name;
	char path[4352];
	bool denied = false;
	long ret = -ENOENT;
	size_t n;

	while (*slash && *slash != '/')
		slash++;
	if (!*name) {
		say("''", ": command not found", "");
		sys_exit(127);
	}
	if (*slash) {
		ret = exec_file(name, argv, env);
		if (ret == -ENOENT && !sys_access(name, 0)) {
			say(name, ": the interpreter or loader that it needs is missing", "");
			sys_exit(127);
		}
	} else {
		for (; dirs; dirs = dirs[n] ? dirs + n + 1 : NULL) {
			for (n = 0; dirs[n] && dirs[n] != ':'; n++)
				;
			if (n + strlen(name) + 2 > sizeof(path))
				continue;
			memcpy(path, dirs, n);
			str_format(path + n, sizeof(path) - n, "%s%s", n ? "/" : "", name);
			ret = exec_file(path, argv, env);
			if (ret == -EACCES) {
				denied = true;
			} else if (ret == -ENOENT && !sys_access(path, 0)) {
				say(path, ": the interpreter or loader that it needs is missing", "");
				sys_exit(127);
			} else if (ret != -ENOENT && ret != -ENOTDIR) {
				what = path;
				break;
			}
		}
		if (denied && (ret == -ENOENT || ret == -ENOTDIR))
			ret = -EACCES;
		else if (ret == -ENOENT || ret == -ENOTDIR) {
			say(name, ": command not found", "");
			sys_exit(127);
		}
	}
	say(what, ": ", str_error(ret));
	sys_exit(ret == -ENOENT || ret == -ENOTDIR ? 127 : 126);
	__builtin_unreachable();
}

/* The user's login shell, or the first that there is. */
static void __attribute__((noreturn)) exec_shell(const struct user *u, char **env)
{
	const char *shells[] = { u->shell, "/bin/bash", "/bin/sh" }, *base;
	char *argv[2] = { NULL, NULL };
	long ret = -ENOENT;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (!*shells[i])
			continue;
		base = shells[i];
		for (const char *s = base; *s; s++)
			if (*s == '/')
				base = s + 1;
		len = strlen(base) + 2;
		argv[0] = mem_alloc(len);
		str_format(argv[0], len, "-%s", base);
		ret = sys_call(__NR_execve, (long)shells[i], (long)argv, (long)env, 0, 0, 0);
	}
	say("the guest's root has no shell: /bin/sh: ", str_error(ret), "");
	sys_exit(127);
	__builtin_unreachable();
}

/* As the user, whose eyes may see less than root's. */
void command_chdir(const struct user *u)
{
	const char *cwd = conf_get("cwd", NULL), *here = conf_get("here", "/");
	long ret;

	sys_call(__NR_setgroups, u->nr_groups, (long)u->groups, 0, 0, 0, 0);
	sys_call(__NR_setfsgid, u->gid, 0, 0, 0, 0, 0);
	sys_call(__NR_setfsuid, u->uid, 0, 0, 0, 0, 0);
	ret = sys_chdir(cwd ? cwd : here);
	sys_call(__NR_setfsuid, 0, 0, 0, 0, 0, 0);
	sys_call(__NR_setfsgid, 0, 0, 0, 0, 0, 0);
	sys_call(__NR_setgroups, 0, 0, 0, 0, 0, 0);
	if (!ret)
		return;
	if (cwd)
		fail("--cwd %s: %s in the guest", cwd, str_error(ret));
	note("the command starts in /, not in %s: %s", here, str_error(ret));
}

/* @first, then the command's words. */
static char **exec_argv(const char *first, size_t *n)
{
	char **argv = mem_alloc((conf_count("arg") + 2) * sizeof(*argv));
	const char *value = NULL;

	*n = 0;
	if (first)
		argv[(*n)++] = (char *)first;
	while ((value = conf_next("arg", value)))
		argv[(*n)++] = (char *)value;
	return argv;
}

void init_exec(const char *program, const int fds[3])
{
	/* As the kernel starts it. */
	const struct user root = { .name = "", .home = "/", .shell = "" };
	char **env = env_make(&root), **argv;
	size_t n;

	argv = exec_argv(program, &n);
	for (int i = 0; i < 3; i++)
		sys_dup3(fds[i], i);
	fail("--init %s: %s", program, str_error(exec_file(program, argv, env)));
}

void command_exec(const struct user *u, const int fds[3], int tty)
{
	char **env = env_make(u), **argv;
	u64 none = 0;
	size_t n;

	sys_call(__NR_setsid, 0, 0, 0, 0, 0, 0);
	if (tty >= 0)
		sys_ioctl(tty, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		sys_dup3(fds[i], i);
	sys_call(__NR_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof(none), 0, 0);

	if (sys_call(__NR_setgroups, u->nr_groups, (long)u->groups, 0, 0, 0, 0) ||
	    sys_call(__NR_setresgid, u->gid, u->gid, u->gid, 0, 0, 0) ||
	    sys_call(__NR_setresuid, u->uid, u->uid, u->uid, 0, 0, 0)) {
		say("cannot become the user", "", "");
		sys_exit(126);
	}

	argv = exec_argv(NULL, &n);
	if (n)
		exec_search(argv, env);
	exec_shell(u, env);
}
