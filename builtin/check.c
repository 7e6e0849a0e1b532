// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm check: can this host run machines, and can a kernel run in one? A line for each
 * thing that was looked at, with what would mend it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/seccomp.h>
#include <kvm/arch.h>
#include <kvm/builtin.h>
#include <kvm/feature.h>
#include <kvm/file.h>
#include <kvm/kernel.h>
#include <kvm/landlock.h>
#include <kvm/user_dir.h>

/* Emulated instructions take some hundred nanoseconds. */
#define CHECK_SLOW_PS	20000
#define CHECK_WIDTH	80

struct check {
	const char *kernel, *modules, *dev;
	bool failed;
};

static const struct opt check_opts[] = {
	OPT_STR('k', "kernel", struct check, kernel, "FILE", "look at this kernel too"),
	OPT_STR(0, "modules", struct check, modules, "DIR", "its modules, as for lkvm run"),
	OPT_STR(0, "dev", struct check, dev, "FILE", "KVM's device (default: /dev/kvm)"),
	OPT_END
};

enum check_result { CHECK_OK, CHECK_LACKS, CHECK_FAILS };

static void check_say(struct check *c, enum check_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void check_say(struct check *c, enum check_result result, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "lacks", "FAILS" };
	va_list ap;

	c->failed |= result == CHECK_FAILS;
	printf("%-6s ", words[result]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* The host */

static const char *check_advice(int err)
{
	return err == EACCES ? "join its group (usermod -aG kvm USER, then log in again)" :
	       err == ENOENT || err == ENXIO ? "load kvm_intel or kvm_amd, and see that virtualization is on in the firmware" :
	       strerror(err);
}

static void check_kvm(struct check *c)
{
	const struct feature *f;
	u64 ps = 0;
	int fd = open(c->dev, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0) {
		check_say(c, CHECK_FAILS, "%s: %s", c->dev, check_advice(errno));
		return;
	}
	close(fd);
	f = feature_lacking(c->dev);
	if (f) {
		check_say(c, CHECK_FAILS, "%s: KVM has no %s (%s): a newer kernel is needed", c->dev, f->name, f->use);
		return;
	}
	ret = arch_speed(c->dev, &ps);
	if (ret)
		check_say(c, CHECK_FAILS, "%s: a small guest does not run: %s", c->dev, strerror(-ret));
	else if (ps > CHECK_SLOW_PS)
		check_say(c, CHECK_LACKS, "%s emulates guests: %.1f us an instruction; Linux needs a processor with virtualization",
			  c->dev, ps / 1e6);
	else
		check_say(c, CHECK_OK, "%s runs guests: %.2f ns an instruction", c->dev, ps / 1e3);
}

static void check_dir(struct check *c)
{
	struct opt_err err;
	char path[108];
	int fd = user_dir_open(path, sizeof(path), true, "control sockets", &err);

	if (fd < 0) {
		check_say(c, CHECK_LACKS, "control sockets: %s", err.text);
		return;
	}
	close(fd);
	check_say(c, CHECK_OK, "control sockets in %s", path);
}

static void check_confinement(struct check *c)
{
	int abi = landlock_abi();
	unsigned int action = SECCOMP_RET_TRAP;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		check_say(c, CHECK_LACKS, "seccomp: %s; lkvm runs without its filters of system calls", strerror(errno));
	else
		check_say(c, CHECK_OK, "seccomp");
	if (!abi)
		check_say(c, CHECK_LACKS, "Landlock: the host's kernel has none, or it is not in its list lsm=");
	else if (landlock_missing(abi, 0))
		check_say(c, CHECK_OK, "Landlock, ABI %d, which cannot do all: lkvm run -vv says what", abi);
	else
		check_say(c, CHECK_OK, "Landlock, ABI %d", abi);
}

static void check_network(struct check *c)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd >= 0)
		check_say(c, CHECK_OK, "ping from guests");
	else
		check_say(c, CHECK_LACKS, "ping from guests: root may say sysctl net.ipv4.ping_group_range=\"0 2147483647\"");
	if (fd >= 0)
		close(fd);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		check_say(c, CHECK_OK, "taps: /dev/net/tun (a new one needs CAP_NET_ADMIN; user mode needs none of this)");
	else
		check_say(c, CHECK_LACKS, "taps: /dev/net/tun: %s (user mode needs none)", strerror(errno));
	if (fd >= 0)
		close(fd);
	fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		check_say(c, CHECK_OK, "vhost-net for taps");
	else
		check_say(c, CHECK_LACKS, "vhost-net for taps: /dev/vhost-net: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void check_pages(struct check *c)
{
	char *text = NULL;
	size_t len;

	if (file_read("/sys/kernel/mm/transparent_hugepage/enabled", &text, &len))
		check_say(c, CHECK_LACKS, "transparent huge pages: guests are slower without");
	else if (strstr(text, "[never]"))
		check_say(c, CHECK_LACKS, "transparent huge pages: root may say echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
	else
		check_say(c, CHECK_OK, "transparent huge pages");
	free(text);
}

/* A kernel */

/* What lkvm run -- COMMAND cannot do without, besides one of the file systems. */
static const char *const check_needed[] = {
	"CONFIG_PCI", "CONFIG_VIRTIO_PCI", "CONFIG_VIRTIO_CONSOLE", "CONFIG_BLK_DEV_INITRD", "CONFIG_BINFMT_ELF",
	"CONFIG_TMPFS", "CONFIG_PROC_FS", "CONFIG_SYSFS", "CONFIG_OVERLAY_FS", "CONFIG_NET", NULL
};

static bool check_has(const struct kernel *k, const char *config, const char *option)
{
	char value = kernel_config_value(config, option);

	return value == 'y' || (value == 'm' && k->modules);
}

extern const char guest_kconfig[], guest_kconfig_end[];

/* The options that guests make use of, and this kernel has not, in lines below each other. */
static void check_wanted(struct check *c, const struct kernel *k, const char *config)
{
	const char *line = guest_kconfig, *next;
	unsigned int missing = 0, column = 0;
	char option[64];

	for (; line < guest_kconfig_end; line = next) {
		next = memchr(line, '\n', guest_kconfig_end - line);
		next = next ? next + 1 : guest_kconfig_end;
		if (strncmp(line, "CONFIG_", 7))
			continue;
		snprintf(option, sizeof(option), "%.*s", (int)strcspn(line, "="), line);
		if (check_has(k, config, option))
			continue;
		if (!missing++)
			check_say(c, CHECK_LACKS, "these options, which lkvm kconfig prints; each has its use:");
		if (column + 1 + strlen(option) > CHECK_WIDTH)
			column = 0;
		if (!column)
			column = printf("%s      ", missing > 1 ? "\n" : "") - (missing > 1);
		column += printf(" %s", option);
	}
	if (missing)
		putchar('\n');
	else
		check_say(c, CHECK_OK, "every option of lkvm kconfig");
}

static void check_options(struct check *c, const struct kernel *k, const char *config)
{
	bool fs = check_has(k, config, "CONFIG_VIRTIO_FS") ||
		  (check_has(k, config, "CONFIG_NET_9P_VIRTIO") && check_has(k, config, "CONFIG_9P_FS"));

	for (unsigned int i = 0; check_needed[i]; i++) {
		const char *option = check_needed[i];

		if (check_has(k, config, option))
			continue;
		check_say(c, CHECK_FAILS, "%s: lkvm run needs it%s", option,
			  kernel_config_value(config, option) == 'm' ? "; it is a module, and there are no modules: --modules DIR" : "");
	}
	if (!fs)
		check_say(c, CHECK_FAILS, "CONFIG_VIRTIO_FS, or CONFIG_NET_9P_VIRTIO and CONFIG_9P_FS: lkvm run needs one of them");
	check_wanted(c, k, config);
}

static void check_kernel(struct check *c)
{
	struct kernel_info info;
	struct kernel k;
	char text[512], *config;

	/* Both print what is wrong. */
	if (kernel_find(&k, c->kernel, c->modules, NULL) || arch_probe(k.image, &info)) {
		check_say(c, CHECK_FAILS, "%s cannot be booted", c->kernel);
		kernel_free(&k);
		return;
	}
	check_say(c, CHECK_OK, "%s", kernel_describe(&k, text, sizeof(text)));
	if (info.is_linux && info.is_narrow)
		check_say(c, CHECK_FAILS, "it is a 32-bit kernel: it boots with an initrd of its own only (-i)");
	config = info.is_linux ? kernel_config(&k) : NULL;
	if (config)
		check_options(c, &k, config);
	else if (info.is_linux)
		check_say(c, CHECK_LACKS, "its configuration: neither config-RELEASE beside it or in /boot, nor .config of its tree, nor CONFIG_IKCONFIG");
	free(config);
	kernel_free(&k);
}

static int check_main(const struct command *cmd, int argc, char **argv)
{
	struct check c = { .dev = "/dev/kvm" };
	int status, n = command_parse(cmd, &c, argc, argv, &status);

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "it takes no arguments: '%s'; a kernel is named by -k", argv[0]);
	check_kvm(&c);
	check_dir(&c);
	check_confinement(&c);
	check_pages(&c);
	check_network(&c);
	if (c.kernel)
		check_kernel(&c);
	return command_flush(c.failed);
}

const struct command command_check = {
	.name = "check",
	.synopsis = "[-k FILE]",
	.summary = "look at this host, and at a kernel, and say what they lack",
	.about =
	"ok: it is there. lacks: lkvm run works without it, and does less or is slower.\n"
	"FAILS: lkvm run does not work; the exit status is 1.\n",
	.opts = check_opts,
	.usage_status = STATUS_USAGE,
	.fn = check_main,
};
