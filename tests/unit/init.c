// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's PID 1 under another VMM: QEMU has the virtio-console ports and
 * the 9p share, this test plays lkvm's part on unix sockets, and Debian's
 * modular kernel runs in between. So the contract of kvm/pid1.h is kept by
 * PID 1 itself, and not only by two halves that make the same mistake.
 *
 * Each test is a boot, ten seconds or so of software emulation.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm/agent.h>
#include <kvm/guest_conf.h>
#include <kvm/initramfs.h>
#include <kvm/kernel.h>
#include <kvm/modules.h>
#include <kvm/pid1.h>
#include <kvm/root.h>

#include "tap.h"

#define SECONDS		150
#define PORTS		5

struct port {
	const char *name;
	int listener, fd;
	char *data;		/* what the guest has sent, with a NUL */
	size_t len;
};

struct guest {
	char dir[64];
	pid_t pid;
	struct port port[PORTS];
	int nr_ports;
	struct guest_conf conf;
	bool tree;		/* the modules are those of a build tree, made in dir/tree */
	const char *input;	/* for stdin, after "ready" */
	size_t input_len;
	size_t stdout_max;	/* then stdout is closed */
	/* Called when the guest has sent something. */
	void (*heard)(struct guest *g);
	int step;
};

static void conf(struct guest *g, const char *key, const char *value)
{
	CHECK(!guest_conf_add(&g->conf, key, value));
}

static void conf_sh(struct guest *g, const char *script)
{
	conf(g, "arg", "sh");
	conf(g, "arg", "-c");
	conf(g, "arg", script);
}

static struct port *port_get(struct guest *g, const char *name)
{
	for (int i = 0; i < g->nr_ports; i++)
		if (!strcmp(g->port[i].name, name))
			return &g->port[i];
	tap_fail(__FILE__, __LINE__, "no port %s", name);
}

static void port_add(struct guest *g, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct port *p = &g->port[g->nr_ports++];

	CHECK(g->nr_ports <= PORTS);
	p->name = name;
	p->fd = -1;
	p->data = calloc(1, 1);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", g->dir, name);
	CHECK(!bind(p->listener, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK(!listen(p->listener, 1));
}

/* Of the installed modules of @k a build tree, and @k booted from it. */
static void tree_make(struct guest *g, struct kernel *k)
{
	char cmd[1024], tree[80];

	snprintf(tree, sizeof(tree), "%s/tree", g->dir);
	snprintf(cmd, sizeof(cmd), "set -e; m=%s; mkdir %s; cd %s; ln -s $m/kernel/* .; cp $m/modules.builtin* .;"
		 "cd $m/kernel; find . -name '*.ko' | sed 's,^./,,' > %s/modules.order", k->modules, tree, tree, tree);
	CHECK(!system(cmd));
	free(k->modules);
	k->modules = strdup(tree);
	k->tree = true;
	CHECK(!guest_conf_addf(&g->conf, "modules", "%s,tree,%s", k->release, tree));
}

static void guest_init_conf(struct guest *g)
{
	memset(g, 0, sizeof(*g));
	strcpy(g->dir, "/tmp/lkvm-test-XXXXXX");
	CHECK(mkdtemp(g->dir));
	conf(g, "9p", "msize=512000,cache=loose");
	conf(g, "root", "overlay");
}

/* Debian's kernel, as the boot tests have it. */
static void kernel_get(struct kernel *k)
{
	char image[512] = "";
	FILE *f;

	if (system("command -v qemu-system-x86_64 >/dev/null"))
		SKIP("qemu-system-x86_64 is not installed");
	f = popen("bash -c '. tests/lib/rig.sh && rig_kernel generic' 2>/dev/null", "r");
	if (!f || !fgets(image, sizeof(image), f) || pclose(f))
		SKIP("there is no kernel: tests/lib/rig.sh rig_kernel generic");
	image[strcspn(image, "\n")] = 0;
	CHECK_EQ(kernel_find(k, image, NULL, NULL), 0);
}

/* @params: more kernel parameters. */
static void guest_start(struct guest *g, unsigned int features, const char *params)
{
	static char args[2 * PORTS][160], initrd[128], kmsg[128], append[256];
	char *argv[64] = {
		"qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "768",
		"-display", "none", "-nic", "none", "-no-reboot", "-monitor", "none",
		"-append", append,
		"-virtfs", "local,path=/,mount_tag=lkvm.root,security_model=none,multidevs=remap,readonly=on",
		"-device", "virtio-serial-pci",
	};
	struct kernel k;
	size_t len;
	void *data;
	FILE *f;
	int n = 20;

	/* On a busy host QEMU's timer is late, which Linux takes for a broken one. */
	snprintf(append, sizeof(append), "console=ttyS0 panic=-1 quiet no_timer_check %s", params);
	kernel_get(&k);
	if (g->tree)
		tree_make(g, &k);
	CHECK_EQ(initramfs_build(&k, features, &g->conf, &data, &len), 0);
	snprintf(initrd, sizeof(initrd), "%s/initrd", g->dir);
	f = fopen(initrd, "w");
	CHECK(f && fwrite(data, 1, len, f) == len && !fclose(f));
	free(data);

	port_add(g, GUEST_PORT_CONTROL);
	snprintf(kmsg, sizeof(kmsg), "file:%s/kmsg", g->dir);
	argv[n++] = "-serial";
	argv[n++] = kmsg;
	argv[n++] = "-kernel";
	argv[n++] = k.image;
	argv[n++] = "-initrd";
	argv[n++] = initrd;
	for (int i = 0; i < g->nr_ports; i++) {
		snprintf(args[2 * i], sizeof(args[0]), "socket,id=p%d,path=%s/%s", i, g->dir,
			 g->port[i].name);
		snprintf(args[2 * i + 1], sizeof(args[0]), "virtserialport,nr=%d,chardev=p%d,name=%s",
			 i + 1, i, g->port[i].name);
		argv[n++] = "-chardev";
		argv[n++] = args[2 * i];
		argv[n++] = "-device";
		argv[n++] = args[2 * i + 1];
	}
	argv[n] = NULL;
	g->pid = fork();
	CHECK(g->pid >= 0);
	if (!g->pid) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 0);
		dup2(null, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	for (int i = 0; i < g->nr_ports; i++) {
		g->port[i].fd = accept4(g->port[i].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		CHECK(g->port[i].fd >= 0);
	}
	kernel_free(&k);
}

static void port_send(struct guest *g, const char *name, const char *text)
{
	CHECK_EQ(write(port_get(g, name)->fd, text, strlen(text)), strlen(text));
}

static void port_close(struct port *p)
{
	close(p->fd);
	p->fd = -1;
}

/* Returns false at the end of the stream. */
static bool port_hear(struct port *p)
{
	char buf[65536];
	ssize_t n = read(p->fd, buf, sizeof(buf));

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	p->data = realloc(p->data, p->len + n + 1);
	memcpy(p->data + p->len, buf, n);
	p->len += n;
	p->data[p->len] = 0;
	return true;
}

/* The line of the control port that begins with @word, or NULL. */
static const char *control_word(struct guest *g, const char *word)
{
	const char *line = port_get(g, GUEST_PORT_CONTROL)->data;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, word, strlen(word)) && strchr(line, '\n'))
			return line;
	return NULL;
}

static void guest_feed(struct guest *g, struct port *p)
{
	ssize_t n = write(p->fd, g->input, g->input_len);

	if (n > 0) {
		g->input += n;
		g->input_len -= n;
	}
	if (!g->input_len) {
		/* QEMU closes the port when it has read all. */
		CHECK(!shutdown(p->fd, SHUT_WR));
		g->input = NULL;
	}
}

/* Play lkvm until the machine is off. */
static void guest_run(struct guest *g)
{
	struct pollfd pfd[PORTS];
	bool bye = false, told = false;
	int open, status;

	for (;;) {
		open = 0;
		for (int i = 0; i < g->nr_ports; i++) {
			struct port *p = &g->port[i];
			bool feed = g->input && !strcmp(p->name, GUEST_PORT_STDIN) &&
				    control_word(g, "ready");

			pfd[i] = (struct pollfd){ .fd = p->fd, .events = POLLIN | (feed ? POLLOUT : 0) };
			open += p->fd >= 0;
		}
		if (!open)
			break;
		CHECK(poll(pfd, g->nr_ports, -1) >= 0);
		for (int i = 0; i < g->nr_ports; i++) {
			struct port *p = &g->port[i];

			if (p->fd < 0)
				continue;
			if (pfd[i].revents & POLLOUT)
				guest_feed(g, p);
			if (pfd[i].revents & (POLLIN | POLLHUP) && !port_hear(p))
				port_close(p);
			if (p->fd >= 0 && g->stdout_max && p->len > g->stdout_max &&
			    !strcmp(p->name, GUEST_PORT_STDOUT))
				port_close(p);
		}
		if (!told && control_word(g, "time\n")) {
			told = true;
			port_send(g, GUEST_PORT_CONTROL, "time 2000000000 500000000\n");
		}
		if (g->heard)
			g->heard(g);
		if (!bye && (control_word(g, "exit") || control_word(g, "signal") ||
			     control_word(g, "error"))) {
			bye = true;
			port_send(g, GUEST_PORT_CONTROL, "bye\n");
		}
	}
	CHECK_EQ(waitpid(g->pid, &status, 0), g->pid);
	CHECK_EQ(status, 0);
}

static void guest_end(struct guest *g)
{
	char cmd[128];

	for (int i = 0; i < g->nr_ports; i++) {
		close(g->port[i].listener);
		free(g->port[i].data);
	}
	guest_conf_free(&g->conf);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", g->dir);
	CHECK(!system(cmd));
}

/* How it ended; all that was said if not so. */
static void guest_ended(struct guest *g, const char *line)
{
	char *said = port_get(g, GUEST_PORT_CONTROL)->data;

	if (control_word(g, line))
		return;
	for (char *s = said; (s = strchr(s, '\n')); )
		*s = ';';
	tap_fail(__FILE__, __LINE__, "no \"%.*s\": %s", (int)strcspn(line, "\n"), line, said);
}

#define FEATURES (INITRAMFS_9P | INITRAMFS_OVERLAY | INITRAMFS_RNG)

static void conf_pipes(struct guest *g)
{
	conf(g, "stdin", "pipe");
	conf(g, "stdout", "pipe");
	conf(g, "stderr", "pipe");
	port_add(g, GUEST_PORT_STDIN);
	port_add(g, GUEST_PORT_STDOUT);
	port_add(g, GUEST_PORT_STDERR);
}

TEST_TIMEOUT(streams_are_binary_and_the_status_arrives, SECONDS)
{
	enum { SIZE = 1000003 };
	char *bytes = malloc(SIZE);
	struct guest g;
	struct port *p;

	for (size_t n = 0; n < SIZE; n += 256)
		CHECK(getrandom(bytes + n, SIZE - n < 256 ? SIZE - n : 256, 0) > 0);
	guest_init_conf(&g);
	conf(&g, "hostname", "box");
	conf(&g, "cwd", "/usr/bin");
	conf(&g, "user", "daemon");
	conf(&g, "env", "WORD=two words");
	/* A process that holds the pipes is not waited for. */
	conf_sh(&g, "cat; sleep 1000 & id -un >&2; pwd >&2; uname -n >&2; echo $WORD $HOME $SHELL >&2;"
		"cat /proc/sys/net/ipv4/ping_group_range >&2;"
		"echo new > /dev/shm/x && cat /dev/shm/x >/dev/stderr; touch /usr/no 2>/dev/null || exit 77");
	conf_pipes(&g);
	g.input = bytes;
	g.input_len = SIZE;
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	p = port_get(&g, GUEST_PORT_STDOUT);
	CHECK_EQ(p->len, SIZE);
	CHECK_MEM(p->data, bytes, SIZE);
	CHECK_STR(port_get(&g, GUEST_PORT_STDERR)->data,
		  "daemon\n/usr/bin\nbox\ntwo words /usr/sbin /bin/sh\n0\t2147483647\nnew\n");
	guest_ended(&g, "exit 77\n");
	CHECK(!control_word(&g, "oops"));
	CHECK(!control_word(&g, "note"));
	guest_end(&g);
	free(bytes);
}

TEST_TIMEOUT(closed_stdout_ends_the_command, SECONDS)
{
	struct guest g;

	guest_init_conf(&g);
	conf(&g, "here", "/no/such/directory");
	conf(&g, "arg", "yes");
	conf_pipes(&g);
	g.stdout_max = 100000;
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	CHECK(control_word(&g, "signal"));
	CHECK(!strncmp(control_word(&g, "signal"), "signal 13\n", 10));
	CHECK(control_word(&g, "note the command starts in /, not in /no/such/directory"));
	guest_end(&g);
}

/* What a person at the terminal does next, when he has seen what he did before. */
static void tty_type(struct guest *g)
{
	static const struct { const char *seen, *type; } steps[] = {
		{ "# ", "stty size; tty; cat\r" },
		{ "/dev/pts/0\r\n", "echoed\r" },
		{ "echoed\r\nechoed\r\n", "\003" },
		{ "# ", "echo status $?\r" },
		{ "status 130\r\n", NULL },		/* the window changes */
		{ "# ", "stty size\r" },
		{ "50 132\r\n", "kill -TERM $$; echo survived; exit 9\r" },
	};
	static size_t from;
	struct port *p = port_get(g, GUEST_PORT_TTY);
	const char *at;

	if (g->step == sizeof(steps) / sizeof(*steps) || from > p->len)
		return;
	at = strstr(p->data + from, steps[g->step].seen);
	if (!at)
		return;
	from = at - p->data + strlen(steps[g->step].seen);
	if (steps[g->step].type)
		port_send(g, GUEST_PORT_TTY, steps[g->step].type);
	else {
		port_send(g, GUEST_PORT_CONTROL, "winsize 50 132\n");
		port_send(g, GUEST_PORT_TTY, "\r");
	}
	g->step++;
}

TEST_TIMEOUT(a_terminal_is_one, SECONDS)
{
	struct guest g;

	guest_init_conf(&g);
	conf(&g, "stdin", "tty");
	conf(&g, "stdout", "tty");
	conf(&g, "stderr", "tty");
	conf(&g, "winsize", "33 99");
	conf(&g, "env", "TERM=dumb");
	port_add(&g, GUEST_PORT_TTY);
	g.heard = tty_type;
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	CHECK_EQ(g.step, 7);
	CHECK(strstr(port_get(&g, GUEST_PORT_TTY)->data, "33 99\r\n"));
	/* An interactive shell ignores SIGTERM. */
	CHECK(strstr(port_get(&g, GUEST_PORT_TTY)->data, "survived\r\n"));
	guest_ended(&g, "exit 9\n");
	guest_end(&g);
}

TEST_TIMEOUT(what_the_kernel_lacks_is_named, SECONDS)
{
	struct guest g;

	guest_init_conf(&g);
	conf(&g, "arg", "true");
	/* As if this kernel had no overlay. */
	guest_start(&g, INITRAMFS_9P, "");
	guest_run(&g);
	CHECK(control_word(&g, "error cannot mount /root: the kernel lacks CONFIG_OVERLAY_FS"));
	CHECK(!control_word(&g, "ready"));
	guest_end(&g);
}

TEST_TIMEOUT(without_a_control_port_it_is_said_on_the_console, SECONDS)
{
	struct guest g;
	char cmd[320];

	guest_init_conf(&g);
	conf(&g, "arg", "true");
	conf(&g, "module", "/no/such/module.ko");
	guest_start(&g, FEATURES, "module_blacklist=virtio_console");
	guest_run(&g);
	CHECK(!control_word(&g, "ready"));
	snprintf(cmd, sizeof(cmd), "cat %s/kmsg; grep -q 'lkvm: error PID 1 cannot talk to lkvm: the kernel has CONFIG_VIRTIO_CONSOLE, "
		 "but that driver did not start' %s/kmsg", g.dir, g.dir);
	CHECK(!system(cmd));
	snprintf(cmd, sizeof(cmd), "grep -q 'lkvm: note /no/such/module.ko is not loaded' %s/kmsg", g.dir);
	CHECK(!system(cmd));
	guest_end(&g);
}

/* The modules of a build tree, by hand, by alias, and by a device node that is there before. */
TEST_TIMEOUT(modules_of_a_build_tree_load, SECONDS)
{
	struct guest g;

	guest_init_conf(&g);
	g.tree = true;
	conf_sh(&g, "set -e; modprobe dummy; ip link add v0 type veth; ls /sys/module/dummy /sys/module/veth >/dev/null;"
		"test ! -e /sys/module/loop; losetup -f; stat -c '%a %n' /dev/loop-control /dev/net/tun;"
		"ip tuntap add mode tap; test -d /sys/module/tun; modinfo -n ext4; test -d /lib/modules/$(uname -r)/build/fs;"
		"exit 3");
	conf_pipes(&g);
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	CHECK_STR(port_get(&g, GUEST_PORT_STDERR)->data, "");
	CHECK(strstr(port_get(&g, GUEST_PORT_STDOUT)->data, "/dev/loop0\n600 /dev/loop-control\n666 /dev/net/tun\n/lib/modules/"));
	CHECK(strstr(port_get(&g, GUEST_PORT_STDOUT)->data, "/kernel/fs/ext4/ext4.ko\n"));
	guest_ended(&g, "exit 3\n");
	guest_end(&g);
}

TEST_TIMEOUT(a_wrong_directory_is_an_error, SECONDS)
{
	struct guest g;

	guest_init_conf(&g);
	conf(&g, "cwd", "/root");
	conf(&g, "user", "daemon");
	conf(&g, "arg", "true");
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	CHECK(control_word(&g, "error --cwd /root: Permission denied in the guest"));
	CHECK(!control_word(&g, "ready"));
	guest_end(&g);
}

/* What a user expects of a root that is his own, and a machine's. */
TEST_TIMEOUT(the_root_is_as_at_home, SECONDS)
{
	struct guest g;
	char cmd[512];

	guest_init_conf(&g);
	/* A repository of the user who runs lkvm. */
	snprintf(cmd, sizeof(cmd), "cd %s && chmod 755 . && mkdir empty && { ! command -v git >/dev/null || { git init -q r && cd r && "
		 "git -c user.name=x -c user.email=x commit -q --allow-empty -m yes && chown -R 1000:1000 .; }; }", g.dir);
	CHECK(!system(cmd));
	conf(&g, "cwd", g.dir);
	conf(&g, "caller", "1000");
	conf(&g, "tmpfs", "700 /mnt/fresh");
	conf(&g, "dir", "493 0 0 /etc");
	conf(&g, "file", "288 1 2 /etc/lkvm-test\nlocked\n");
	conf_sh(&g, "set -e; test $(date +%s) -ge 2000000000; test $(date +%s) -lt 2000000020;"
		"! command -v git >/dev/null || test $(git -C r log --format=%s) = yes;"
		"perl -e 'rename \"empty\", \"other\" or die $!; rename \"/usr/share\", \"/usr/share2\" or die $!';"
		"grep -q ' /mnt/fresh tmpfs ' /proc/mounts; test $(stat -c %a /mnt/fresh) = 700;"
		"test \"$(stat -c '%a %u %g' /etc /etc/lkvm-test | tr '\\n' ' ')\" = '755 0 0 440 1 2 ';"
		"test $(cat /etc/lkvm-test) = locked; test -s /etc/passwd; exit 3");
	conf_pipes(&g);
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	CHECK_STR(port_get(&g, GUEST_PORT_STDERR)->data, "");
	guest_ended(&g, "exit 3\n");
	guest_end(&g);
}

/* A frame to the agent. */
static void agent_put(struct guest *g, u8 type, const char *data, u32 len)
{
	struct agent_frame f = { AGENT_MAGIC, type, 0, 7, len };
	int fd = port_get(g, AGENT_PORT)->fd;

	CHECK_EQ(write(fd, &f, sizeof(f)), sizeof(f));
	CHECK_EQ(write(fd, data, len), len);
}

static void agent_heard(struct guest *g)
{
	static const char request[] = "arg=sh\0arg=-c\0arg=cat; echo $A $(tty); exit 9\0env=A=agent says\0";
	struct port *p = port_get(g, AGENT_PORT);
	struct agent_frame last;
	int status;

	if (!g->step && control_word(g, "ready")) {
		g->step++;
		agent_put(g, AGENT_REQUEST, request, sizeof(request) - 1);
		agent_put(g, AGENT_START, "", 0);
		agent_put(g, AGENT_DATA, "by way of stdin, ", 17);
		agent_put(g, AGENT_EOF, "", 0);
	}
	if (g->step != 1 || p->len < sizeof(last) + 4)
		return;
	memcpy(&last, p->data + p->len - sizeof(last) - 4, sizeof(last));
	if (last.magic != AGENT_MAGIC || last.type != AGENT_EXIT)
		return;
	g->step++;
	memcpy(&status, p->data + p->len - 4, 4);
	CHECK_EQ(WEXITSTATUS(status), 9);
	CHECK(memmem(p->data, p->len, "by way of stdin, ", 17) && memmem(p->data, p->len, "agent says not a tty", 20));
	port_send(g, GUEST_PORT_CONTROL, "stop\n");
}

/* "lkvm exec" when the command has ended and the machine is kept; "stop" ends it. */
TEST_TIMEOUT(agent, SECONDS)
{
	struct guest g;

	guest_init_conf(&g);
	conf_sh(&g, "exit 3");
	conf(&g, "keep", "yes");
	port_add(&g, AGENT_PORT);
	g.heard = agent_heard;
	guest_start(&g, FEATURES, "");
	guest_run(&g);
	CHECK_EQ(g.step, 2);
	CHECK(control_word(&g, "note the command has ended with status 3"));
	guest_ended(&g, "exit 3\n");
	guest_end(&g);
}
