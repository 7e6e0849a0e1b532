/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's PID 1: what its files share. It is freestanding: no libc, static,
 * a few pages. Functions return a value or a negative errno, as the kernel does.
 * There is one thread and one PID 1, so what it keeps is static in the file that
 * looks after it.
 */
#ifndef INIT_H
#define INIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <linux/types.h>

#include "init-arch.h"

/* linux/stat.h leaves them to a libc. */
#ifndef S_IFCHR
#define S_IFCHR		0020000
#define S_IFBLK		0060000
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define AT_FDCWD_	((long)AT_FDCWD)

/* System calls by the name that libc would give them. */
#define sys_open(path, flags)	sys_call(__NR_openat, AT_FDCWD_, (long)(path), (flags) | O_CLOEXEC, 0, 0, 0)
#define sys_create(path, mode)	sys_call(__NR_openat, AT_FDCWD_, (long)(path), O_CREAT | O_WRONLY | O_CLOEXEC, mode, 0, 0)
#define sys_close(fd)		sys_call(__NR_close, fd, 0, 0, 0, 0, 0)
#define sys_read(fd, p, n)	sys_call(__NR_read, fd, (long)(p), (long)(n), 0, 0, 0)
#define sys_write(fd, p, n)	sys_call(__NR_write, fd, (long)(p), (long)(n), 0, 0, 0)
#define sys_mkdir(path, mode)	sys_call(__NR_mkdirat, AT_FDCWD_, (long)(path), mode, 0, 0, 0)
#define sys_mknod(path, mode, dev) sys_call(__NR_mknodat, AT_FDCWD_, (long)(path), mode, dev, 0, 0)
#define sys_unlink(path)	sys_call(__NR_unlinkat, AT_FDCWD_, (long)(path), 0, 0, 0, 0)
#define sys_symlink(to, path)	sys_call(__NR_symlinkat, (long)(to), AT_FDCWD_, (long)(path), 0, 0, 0)
#define sys_access(path, mode)	sys_call(__NR_faccessat, AT_FDCWD_, (long)(path), mode, 0, 0, 0)
#define sys_mount(src, dir, type, flags, data) \
	sys_call(__NR_mount, (long)(src), (long)(dir), (long)(type), (long)(flags), (long)(data), 0)
#define sys_umount(dir, flags)	sys_call(__NR_umount2, (long)(dir), flags, 0, 0, 0, 0)
#define sys_chdir(path)		sys_call(__NR_chdir, (long)(path), 0, 0, 0, 0, 0)
#define sys_chroot(path)	sys_call(__NR_chroot, (long)(path), 0, 0, 0, 0, 0)
#define sys_ioctl(fd, cmd, arg)	sys_call(__NR_ioctl, fd, cmd, (long)(arg), 0, 0, 0)
#define sys_dup3(from, to)	sys_call(__NR_dup3, from, to, 0, 0, 0, 0)
#define sys_fcntl(fd, cmd, arg)	sys_call(__NR_fcntl, fd, cmd, arg, 0, 0, 0)
#define sys_kill(pid, sig)	sys_call(__NR_kill, pid, sig, 0, 0, 0, 0)
#define sys_exit(status)	sys_call(__NR_exit_group, status, 0, 0, 0, 0, 0)

/* lib.c: strings, memory that is never given back, small files */

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
/* The rest of @s behind @prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);
/* The number that @s starts with and, through @end, what is behind it; -EINVAL if there is none. */
long str_number(const char *s, const char **end);
/* Zeroed; a failure is fatal. */
void *mem_alloc(size_t n);
/* NULL if there is none. */
void *mem_try(size_t n);
/* %s %d %u (both long) %%; always terminated; returns the length that fitted. */
size_t str_format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
size_t str_vformat(char *buf, size_t size, const char *fmt, va_list ap);
/* "No such file or directory" and so on for a negative errno. */
const char *str_error(long err);
/* A whole file, terminated by a NUL; NULL if it cannot be read. */
char *file_read(const char *path, size_t *len);
/* The beginning of a small file without its final newline. Returns 0 or -errno. */
long file_line(const char *path, char *buf, size_t size);
u64 clock_ns(void);

/* conf.c: lkvm.conf and the guest's user database */

struct user {
	const char *name;		/* NULL: not in /etc/passwd */
	const char *home, *shell;
	u32 uid, gid;
	u32 *groups;			/* supplementary */
	size_t nr_groups;
};

void conf_load(void);
/* The next @len bytes on the control port are more of it, and go before the rest. */
void conf_more(size_t len);
/* @records take the place of all but what commands have in common: env, caller; cwd, as here. */
void conf_use(const char *records, size_t len);
/* The first value of @key after @prev (NULL: from the start), or NULL. */
const char *conf_next(const char *key, const char *prev);
const char *conf_get(const char *key, const char *fallback);
/* Why there is nothing of a configuration option's driver. Valid until the next call. */
const char *option_trouble(const char *option);
/* The user= of the configuration. A name that does not exist is fatal. */
void user_find(struct user *u);

/* port.c: the ports, and what is said on the control port */

/*
 * Find and open control, and wait until the host has opened its side. If there is no way
 * to lkvm, the console gets the message: @failed, why PID 1 has to end, or if that is NULL
 * why there is no way.
 */
void control_open(const char *failed);
/* An open, non-blocking port. Not to find it is fatal. */
int port_open(const char *name);
/* The same, or -errno. */
int port_try(const char *name);
/* This process is not PID 1: the control port is no concern of it. */
void control_forget(void);
void control_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One line from the host without its LF, if a whole one is there, else NULL. */
char *control_line(void);
int control_fd(void);
/* The next @len bytes from the host, after its last line. */
void control_bytes(char *buf, size_t len);
/* Wait for the host to say something, for at most that long; ~0: as long as it takes. */
void control_wait(u64 timeout_ns);
/* Something to be known: to the kernel log, and to lkvm as soon as it listens. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Say why there will be no command, and power off. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* From now on fail() and note() are said on stderr, and fail() ends this process: a command's. */
void fail_as_child(void);
/* Wait for bye and power off. */
void power_off(void) __attribute__((noreturn));

/* main.c */

/* Set the clock to "SEC NSEC", said @late nanoseconds ago. False: that is no time. */
bool clock_step(const char *time, u64 late);

/* mount.c: modules, file systems, the root */

void mount_early(void);
void modules_load(void);
void root_mount(void);
/* The kernel's host name, as configured. */
void host_name(void);
/* Write @text to a file of /proc or /sys; errors are ignored. */
void file_write(const char *path, const char *text);
/* Take file systems on block devices off, so that they are clean. */
void unmount_disks(void);

/* net.c: the network cards */

void network_setup(void);

/* relay.c: the command's streams */

enum stream_mode { STREAM_NULL, STREAM_PIPE, STREAM_TTY, STREAM_STDOUT };

/* Make what the modes ask for; the command's ends come in @fds. @tty is the pty's slave or -1. */
void relay_setup(const struct user *u, int fds[3], int *tty);
/* Close the command's ends in this process, after the fork. */
void relay_started(void);
/* A line from the host. Returns true if the command has been told to end. */
bool relay_heard(const char *line);
/* Has the host said so? */
bool relay_stopped(void);
/* Relay until process @pid has ended and its pipes are empty. Returns its wait status. */
int relay_run(int pid);
/* Serve the guest until the host has it end. */
void relay_keep(void);

/* agent.c: commands in the running guest */

/* A process of its own, if lkvm has the port for it. */
void agent_start(void);
/* This process is it. */
void agent_alone(void) __attribute__((noreturn));

/* exec.c: becoming the command */

/* Go to where it starts, or say why there will be no command. */
void command_chdir(const struct user *u);
/* In the child: never returns. */
void command_exec(const struct user *u, const int fds[3], int tty) __attribute__((noreturn));
/* This process becomes another PID 1. */
void init_exec(const char *program, const int fds[3]) __attribute__((noreturn));

#endif
