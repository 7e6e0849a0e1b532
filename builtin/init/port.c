// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio-console ports, found by name in sysfs, and the control port's
 * lines (kvm/pid1.h). The driver makes a port's node first and learns its name
 * later, and sends a uevent for both. PID 1 waits for these uevents. When the host
 * opens its side, POLLHUP ends: poll() cannot wait for that, but an edge-triggered
 * epoll can.
 */
#include <linux/types.h>
/* Our linux/types.h is for programs with a libc and does not have it. */
typedef unsigned int __poll_t;
#include <linux/eventpoll.h>
#include <linux/netlink.h>
#include <linux/poll.h>
#include <linux/reboot.h>
#include <linux/socket.h>

#include <kvm/pid1.h>

#include "init.h"

#define PORT_WAIT_NS	(30 * 1000000000ULL)
#define CONSOLE_DRIVER	"/sys/bus/virtio/drivers/virtio_console"
#define AF_NETLINK	16
#define SOCK_DGRAM	2

struct dirent64 {
	u64 ino, off;
	u16 len;
	u8 type;
	char name[];
};

static int control = -1;
static bool child;		/* this process is becoming a command */

/* Lines from the time before control was open. */
static char pending[2048];
static size_t pending_len;

static void console_say(const char *level, const char *text)
{
	char line[GUEST_LINE_MAX];
	size_t n = str_format(line, sizeof(line), "%s" GUEST_CONSOLE "%s\n", level, text);
	long fd = sys_open("/dev/kmsg", O_WRONLY);

	if (fd < 0)
		fd = sys_open("/dev/console", O_WRONLY | O_NOCTTY);
	if (fd >= 0) {
		sys_write(fd, line, n);
		sys_close(fd);
	}
}

/*
 * Without firmware tables the kernel knows no way to switch the machine off. It would
 * halt, and lkvm would wait. A reset it can always do.
 */
static bool machine_has_off(void)
{
	return !sys_access("/sys/firmware/acpi", 0) || !sys_access("/sys/firmware/devicetree", 0);
}

static void machine_off(void) __attribute__((noreturn));
static void machine_off(void)
{
	if (machine_has_off())
		sys_call(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			 LINUX_REBOOT_CMD_POWER_OFF, 0, 0, 0);
	sys_call(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		 LINUX_REBOOT_CMD_RESTART, 0, 0, 0);
	for (;;)
		sys_exit(1);
}

static long poll_one(int fd, int events, u64 timeout_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	struct __kernel_timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };

	sys_call(__NR_ppoll, (long)&p, 1, timeout_ns == ~0ULL ? 0 : (long)&ts, 0, 0, 0);
	return p.revents;
}

/* The device node of the port @dev; made where there is no devtmpfs. */
static void port_node(const char *dev, char *node, size_t size)
{
	char path[128], text[32];
	long major, minor;
	const char *end;

	str_format(node, size, "/dev/%s", dev);
	if (!sys_access(node, 0))
		return;
	str_format(path, sizeof(path), "/sys/class/virtio-ports/%s/dev", dev);
	if (file_line(path, text, sizeof(text)))
		return;
	major = str_number(text, &end);
	if (major < 0 || *end != ':')
		return;
	minor = str_number(end + 1, &end);
	sys_mknod(node, S_IFCHR | 0600, major << 8 | minor);
}

/*
 * Look through a directory of sysfs: for the port of that @name, whose node is
 * put in @node, or, without one, for any virtio device.
 */
static bool port_scan(const char *dir, const char *name, char *node, size_t size)
{
	long n, fd = sys_open(dir, O_RDONLY | O_DIRECTORY);
	char buf[2048], path[128], text[64];
	struct dirent64 *d;
	bool found = false;

	if (fd < 0)
		return false;
	while (!found && (n = sys_call(__NR_getdents64, fd, (long)buf, sizeof(buf), 0, 0, 0)) > 0) {
		for (long off = 0; off < n && !found; off += d->len) {
			d = (void *)(buf + off);
			if (!name) {
				found = str_after(d->name, "virtio");
				continue;
			}
			str_format(path, sizeof(path), "%s/%s/name", dir, d->name);
			found = !file_line(path, text, sizeof(text)) && !strcmp(text, name);
			if (found)
				port_node(d->name, node, size);
		}
	}
	sys_close(fd);
	return found;
}

static bool port_find(const char *name, char *node, size_t size)
{
	return port_scan("/sys/class/virtio-ports", name, node, size);
}

/* Wait for uevents until the port is there. */
static bool port_wait(const char *name, char *node, size_t size)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	u64 now, end = clock_ns() + PORT_WAIT_NS;
	char event[2048];
	bool found;
	long fd;

	if (port_find(name, node, size))
		return true;
	/* Without a driver and a device no event will ever come. */
	if (!port_scan(CONSOLE_DRIVER, NULL, NULL, 0))
		return false;
	fd = sys_call(__NR_socket, AF_NETLINK, SOCK_DGRAM | O_CLOEXEC | O_NONBLOCK,
		      NETLINK_KOBJECT_UEVENT, 0, 0, 0);
	if (fd < 0 || sys_call(__NR_bind, fd, (long)&addr, sizeof(addr), 0, 0, 0))
		return false;
	while (!(found = port_find(name, node, size)) && (now = clock_ns()) < end) {
		poll_one(fd, POLLIN, end - now);
		while (sys_read(fd, event, sizeof(event)) > 0)
			;
	}
	sys_close(fd);
	return found;
}

/* Wait until the host has opened its side. */
static bool port_connected(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	u64 now, end = clock_ns() + PORT_WAIT_NS;
	long ep = sys_call(__NR_epoll_create1, O_CLOEXEC, 0, 0, 0, 0, 0), n;
	bool connected = false;

	if (ep < 0 || sys_call(__NR_epoll_ctl, ep, EPOLL_CTL_ADD, fd, (long)&ev, 0, 0))
		return true;
	while (!connected && (now = clock_ns()) < end) {
		n = sys_call(__NR_epoll_pwait, ep, (long)&ev, 1, (end - now) / 1000000, 0, 0);
		connected = n == 1 && !(ev.events & EPOLLHUP);
	}
	sys_close(ep);
	return connected;
}

/* Why there may be no ports at all. */
static const char *port_trouble(void)
{
	static const char *const needs[][2] = {
		{ "/sys/bus/pci", "CONFIG_PCI" },
		{ "/sys/bus/virtio", "CONFIG_VIRTIO" },
		{ "/sys/bus/pci/drivers/virtio-pci", "CONFIG_VIRTIO_PCI" },
		{ CONSOLE_DRIVER, "CONFIG_VIRTIO_CONSOLE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (sys_access(needs[i][0], 0))
			return option_trouble(needs[i][1]);
	if (!port_scan(CONSOLE_DRIVER, NULL, NULL, 0))
		return "there is no virtio-console device, or its driver did not take it";
	return "no such virtio-console port";
}

int port_open(const char *name)
{
	char node[64];
	long fd;

	if (!port_wait(name, node, sizeof(node)))
		fail("port %s: %s", name, port_trouble());
	fd = sys_open(node, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		fail("port %s: %s: %s", name, node, str_error(fd));
	return fd;
}

int port_try(const char *name)
{
	char node[64];

	return port_find(name, node, sizeof(node)) ? (int)sys_open(node, O_RDWR | O_NONBLOCK) : -ENOENT;
}

static void control_write(const char *text, size_t len)
{
	long n;

	while (len) {
		n = sys_write(control, text, len);
		if (n == -EAGAIN && !(poll_one(control, POLLOUT, ~0ULL) & POLLHUP))
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= n;
	}
}

/*
 * There is no way to lkvm but the kernel's console: the lines of the control port go
 * there, at the level that "quiet" lets through.
 */
static void control_give_up(const char *failed, const char *why) __attribute__((noreturn));
static void control_give_up(const char *failed, const char *why)
{
	char text[GUEST_LINE_MAX - 32];

	for (size_t i = 0, line = 0; i < pending_len; i++) {
		if (pending[i] != '\n')
			continue;
		pending[i] = 0;
		console_say("<0>", pending + line);
		line = i + 1;
	}
	if (failed)
		str_format(text, sizeof(text), "error %s", failed);
	else
		str_format(text, sizeof(text), "error PID 1 cannot talk to lkvm: %s", why);
	console_say("<0>", text);
	machine_off();
}

void control_open(const char *failed)
{
	char node[64];
	long fd;

	if (!port_wait(GUEST_PORT_CONTROL, node, sizeof(node)))
		control_give_up(failed, port_trouble());
	fd = sys_open(node, O_RDWR | O_NONBLOCK);
	if (fd < 0 || !port_connected(fd))
		control_give_up(failed, "it has not opened the control port");
	control = fd;
	control_write(pending, pending_len);
}

int control_fd(void)
{
	return control;
}

void control_forget(void)
{
	if (control >= 0)
		sys_close(control);
	control = -1;
}

void fail_as_child(void)
{
	child = true;
}

static void child_say(const char *text)
{
	char line[GUEST_LINE_MAX];
	size_t n = str_format(line, sizeof(line), "lkvm: %s\n", text);

	sys_write(2, line, n);
}

void control_wait(u64 timeout_ns)
{
	poll_one(control, POLLIN, timeout_ns);
}

static void control_vsend(const char *word, const char *fmt, va_list ap)
{
	char line[GUEST_LINE_MAX];
	size_t n = str_format(line, sizeof(line), "%s", word);

	n += str_vformat(line + n, sizeof(line) - n - 1, fmt, ap);
	for (size_t i = 0; i < n; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[n++] = '\n';
	if (control >= 0) {
		control_write(line, n);
	} else if (n <= sizeof(pending) - pending_len) {
		memcpy(pending + pending_len, line, n);
		pending_len += n;
	}
}

void control_send(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	control_vsend("", fmt, ap);
	va_end(ap);
}

/* What the host has said, and nobody has read yet: from used on. */
static struct {
	char buf[256];
	size_t len, used;
} heard;

void control_bytes(char *buf, size_t len)
{
	size_t have = heard.len - heard.used;
	long n;

	if (have > len)
		have = len;
	memcpy(buf, heard.buf + heard.used, have);
	heard.used += have;
	while (have < len) {
		n = sys_read(control, buf + have, len - have);
		if (!n)
			machine_off();
		if (n > 0)
			have += n;
		else
			poll_one(control, POLLIN, ~0ULL);
	}
}

char *control_line(void)
{
	char *buf = heard.buf;
	long n;

	for (;;) {
		for (size_t i = heard.used; i < heard.len; i++) {
			char *line = buf + heard.used;

			if (buf[i] != '\n')
				continue;
			buf[i] = 0;
			heard.used = i + 1;
			return line;
		}
		/* A line that does not fit is not one of ours. */
		if (heard.used)
			for (size_t i = heard.used; i < heard.len; i++)
				buf[i - heard.used] = buf[i];
		heard.len -= heard.used;
		heard.used = 0;
		if (heard.len == sizeof(heard.buf))
			heard.len = 0;
		n = sys_read(control, buf + heard.len, sizeof(heard.buf) - heard.len);
		if (n <= 0) {
			/* The host's side is closed: lkvm is gone, and so is the reason to run. */
			if (!n)
				machine_off();
			return NULL;
		}
		heard.len += n;
	}
}

void note(const char *fmt, ...)
{
	char text[GUEST_LINE_MAX - 32];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (child) {
		child_say(text);
		return;
	}
	console_say("<4>", text);
	control_send("note %s", text);
}

void fail(const char *fmt, ...)
{
	char text[GUEST_LINE_MAX - 32];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (child) {
		child_say(text);
		sys_exit(126);
	}
	console_say("<3>", text);
	if (control < 0 && conf_get("init", NULL))
		control_give_up(text, NULL);
	if (control < 0)
		control_open(text);
	control_send("error %s", text);
	power_off();
}

void power_off(void)
{
	char *line;

	for (;;) {
		while ((line = control_line()))
			if (!strcmp(line, "bye"))
				machine_off();
		poll_one(control, POLLIN, ~0ULL);
	}
}
