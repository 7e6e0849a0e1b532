// SPDX-License-Identifier: GPL-2.0
/* The configuration of a kernel: see kvm/kernel.h. Main thread. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/deflate.h>
#include <kvm/file.h>
#include <kvm/kernel.h>

/* kernel/configs.c: the configuration, by gzip(1) without a name, between these. */
#define CONFIG_START	"IKCFG_ST"
#define CONFIG_END	"IKCFG_ED"
#define CONFIG_GZIP	10		/* bytes of a gzip header without optional fields (RFC 1952, 2.3) */
#define CONFIG_MAX	(4UL << 20)

static char *config_at(const char *path)
{
	size_t len;
	char *text;

	return file_read(path, &text, &len) ? NULL : text;
}

static char *config_beside(const struct kernel *k)
{
	const char *slash = strrchr(k->image, '/'), *base = slash ? slash + 1 : k->image;
	int len = base - k->image;
	char path[PATH_MAX], *text = NULL;

	if (k->release && snprintf(path, sizeof(path), "%.*sconfig-%s", len, k->image,
				   k->release) < (int)sizeof(path))
		text = config_at(path);
	if (!text && snprintf(path, sizeof(path), "%.*s%s.config", len, k->image,
			      strstr(base, "vmlinux") ? "" : "../../../") < (int)sizeof(path))
		text = config_at(path);
	if (!text && k->release &&
	    snprintf(path, sizeof(path), "/boot/config-%s", k->release) < (int)sizeof(path))
		text = config_at(path);
	return text;
}

static char *config_unpack(const char *data, size_t len)
{
	const char *start = memmem(data, len, CONFIG_START, strlen(CONFIG_START)), *end;
	char *text;
	long n;

	if (!start)
		return NULL;
	start += strlen(CONFIG_START);
	end = memmem(start, len - (start - data), CONFIG_END, strlen(CONFIG_END));
	if (!end || end - start <= CONFIG_GZIP || memcmp(start, "\x1f\x8b\x08", 3) || start[3])
		return NULL;
	text = malloc(CONFIG_MAX + 1);
	n = text ? deflate_unpack(start + CONFIG_GZIP, end - start - CONFIG_GZIP, text, CONFIG_MAX) : -1;
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* Out of the vmlinux, which a bzImage carries packed. */
static char *config_inside(const struct kernel *k)
{
	int fd = kernel_unpack(k->image);
	char *text = NULL;
	struct stat st;
	void *data;

	if (fd < 0)
		fd = open(k->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
		data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data != MAP_FAILED) {
			text = config_unpack(data, st.st_size);
			munmap(data, st.st_size);
		}
	}
	close(fd);
	return text;
}

char *kernel_config(const struct kernel *k)
{
	char *text = config_beside(k);

	return text ? text : config_inside(k);
}

char kernel_config_value(const char *config, const char *option)
{
	char line[128];
	const char *at;
	int len = snprintf(line, sizeof(line), "\n%s=", option);

	if (len >= (int)sizeof(line))
		return 'n';
	at = strncmp(config, line + 1, len - 1) ? strstr(config, line) : config - 1;
	if (!at || (at[len] != 'y' && at[len] != 'm') || (at[len + 1] && at[len + 1] != '\n'))
		return 'n';
	return at[len];
}

bool kernel_enables(const struct kernel *k, const char *const *options)
{
	char *config = config_beside(k);
	bool all = config != NULL;

	for (unsigned int i = 0; all && options[i]; i++)
		all = kernel_config_value(config, options[i]) == 'y';
	free(config);
	return all;
}
