// SPDX-License-Identifier: GPL-2.0
/* Files of the guest's /etc that replace the host's: see kvm/etc.h. Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/etc.h>
#include <kvm/types.h>

#include "root.h"

#define ETC_MAX		(4 * MIB)	/* of a file that is read */

/* A whole text file of the root, malloc()ed; NULL if there is none that can be read. */
static char *etc_read(int root, const char *path)
{
	int fd = root_open(root, path);
	char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size < (off_t)ETC_MAX)
		text = malloc(st.st_size + 1);
	while (text && n > 0 && len < (size_t)st.st_size) {
		n = read(fd, text + len, st.st_size - len);
		if (n > 0)
			len += n;
	}
	close(fd);
	if (text)
		text[len] = '\0';
	return text;
}

/* One record: kvm/pid1.h has its form. */
static int etc_file(struct guest_conf *conf, const char *path, const struct stat *st, const char *text)
{
	return guest_conf_addf(conf, "file", "%u %u %u %s\n%s", st->st_mode & 07777, st->st_uid,
			       st->st_gid, path, text);
}

/* Is @word among the words of @text that stand before a '#'? */
static bool etc_has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, " \t\n#");

		if (n == len && !strncmp(text, word, n))
			return true;
		text += n;
		if (*text == '#')
			text = strchrnul(text, '\n');
		else if (*text)
			text++;
	}
	return false;
}

static int etc_hosts(struct guest_conf *conf, int root, const char *name)
{
	struct stat st = { .st_mode = 0644 };
	char *text = etc_read(root, "/etc/hosts"), *more = NULL;
	const char *old = text ? text : "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
	int ret = 0;

	if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ||
	    etc_has_word(old, name))
		goto out;
	ret = asprintf(&more, "%s%s127.0.1.1\t%s\n", old,
		       *old && old[strlen(old) - 1] != '\n' ? "\n" : "", name);
	ret = ret < 0 ? -ENOMEM : etc_file(conf, "/etc/hosts", &st, more);
	free(more);
out:
	free(text);
	return ret;
}

/*
 * A database of passwords for the names in @from, whose lines begin with them: "*" is no
 * password, and @rest is what stands behind it.
 */
static char *etc_locked(int root, const char *from, const char *rest)
{
	char *text = etc_read(root, from), *out = NULL, *line, *next;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	for (line = text; f && line && *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = '\0';
		line[strcspn(line, ":")] = '\0';
		if (*line && *line != '#' && *line != '+' && *line != '-')
			fprintf(f, "%s:*%s\n", line, rest);
	}
	free(text);
	if (f && !fclose(f))
		return out;
	return NULL;
}

static char *etc_sudoers(unsigned int caller)
{
	char *text;

	return asprintf(&text, "root ALL=(ALL:ALL) NOPASSWD: ALL\n#%u ALL=(ALL:ALL) NOPASSWD: ALL\n",
			caller) < 0 ? NULL : text;
}

/* In place of a file that is there, but not for us to read. Takes @text over. */
static int etc_instead(struct guest_conf *conf, int root, const char *path, char *text)
{
	struct stat st;
	int ret = -ENOMEM;

	if (text)
		ret = fstatat(root, path + 1, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
		      !faccessat(root, path + 1, R_OK, AT_EACCESS) ? 0 : etc_file(conf, path, &st, text);
	free(text);
	return ret;
}

static int etc_home(struct guest_conf *conf, int root)
{
	struct stat st;

	if (fstatat(root, "root", &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode) ||
	    !faccessat(root, "root", R_OK | X_OK, AT_EACCESS))
		return 0;
	return guest_conf_add(conf, "tmpfs", "700 /root");
}

int etc_add(struct guest_conf *conf, const char *root, const char *hostname, unsigned int caller)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), ret = 0;
	struct stat st;

	if (fd < 0)
		return 0;
	/* If /etc is a link or missing, a directory in the upper layer would hide that. */
	if (fstatat(fd, "etc", &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
		goto out;
	ret = guest_conf_addf(conf, "dir", "%u %u %u /etc", st.st_mode & 07777, st.st_uid, st.st_gid);
	if (!ret)
		ret = etc_hosts(conf, fd, hostname);
	if (!ret)
		ret = etc_instead(conf, fd, "/etc/shadow", etc_locked(fd, "/etc/passwd", ":::::::"));
	if (!ret)
		ret = etc_instead(conf, fd, "/etc/gshadow", etc_locked(fd, "/etc/group", "::"));
	if (!ret)
		ret = etc_instead(conf, fd, "/etc/sudoers", etc_sudoers(caller));
	if (!ret)
		ret = etc_home(conf, fd);
out:
	close(fd);
	return ret;
}
