// SPDX-License-Identifier: GPL-2.0
/*
 * A program in the guest that wants out of a shared folder: "hostile DIR" keeps
 * exchanging a directory with a symbolic link, and moving another one up and down the
 * tree, while it looks for "secret" by way of both. The file of that name outside is
 * not to be found. Prints how often it has tried.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

#define RENAMES	600

static atomic_bool done;
static atomic_uint tries, found;

static void *look(void *arg)
{
	static const char *const paths[] = {
		"d/secret", "d/../secret", "d/../../secret", "a/b/m/../../../../secret", "m/../../secret",
		"a/b/m/l/secret", "m/l/secret", "d/l/../secret",
	};
	char buf[64];
	unsigned int i;

	while (!done) {
		for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			int fd = open(paths[i], O_RDONLY);
			ssize_t n;

			tries++;
			if (fd < 0)
				continue;
			n = read(fd, buf, sizeof(buf) - 1);
			if (n > 0) {
				buf[n] = '\0';
				if (strstr(buf, "outside"))
					found++;
			}
			close(fd);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[2];
	unsigned int i, failed = 0;

	if (argc != 2 || chdir(argv[1]))
		return 2;
	mkdir("d", 0755);
	mkdir("m", 0755);
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	if (symlink("..", "s") || symlink("../..", "m/l") || symlink("../..", "d/l"))
		return 2;
	for (i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, look, NULL))
			return 2;
	for (i = 0; i < RENAMES; i++) {
		failed += renameat2(AT_FDCWD, "d", AT_FDCWD, "s", RENAME_EXCHANGE) && errno != EINVAL;
		failed += rename(i & 1 ? "a/b/m" : "m", i & 1 ? "m" : "a/b/m") != 0;
	}
	done = 1;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	printf("%u renames failed, %s, secrets: %u\n", failed, tries > 50 ? "many tries" : "few tries", found);
	return 0;
}
