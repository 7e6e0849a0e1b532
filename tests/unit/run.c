// SPDX-License-Identifier: GPL-2.0
/* What the options of "lkvm run" come to: the groups of builtin/run, without a machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "../../builtin/run/boot.h"
#include "../../builtin/run/command.h"
#include "../../builtin/run/devices.h"
#include "../../builtin/run/files.h"
#include "tap.h"

static struct plan plan;
static struct run_command command;

/* The records of lkvm.conf, one a line. */
static const char *conf(void)
{
	static char text[8192];
	size_t n = min(plan.conf.len, sizeof(text) - 1);

	memcpy(text, plan.conf.data, n);
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = '\n';
	text[n] = '\0';
	return text;
}

static int configure(char **argv)
{
	static char *none[] = { NULL };
	int ret;

	guest_conf_free(&plan.conf);
	plan = (struct plan) { .argv = argv ? argv : none, .host_root = true };
	plan.session.mode[0] = plan.session.mode[1] = plan.session.mode[2] = "null";
	ret = command_wanted(&plan, &command);
	return ret ? ret : command_config(&plan, &command);
}

TEST(the_last_of_each_variable_holds)
{
	const char *items[] = { "TERM=dumb", "A=1", "AB=3", "A=2", "FROM_HERE", "NOT_HERE", "LANG", "TZ=" };

	clearenv();
	setenv("TERM", "xterm", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	setenv("FROM_HERE", "x=y", 1);
	setenv("SECRET", "1", 1);
	command.env = (struct opt_list) { items, ARRAY_SIZE(items) };
	CHECK_EQ(configure(NULL), 0);
	CHECK(strstr(conf(), "env=TERM=dumb\n"));
	CHECK(!strstr(conf(), "xterm"));
	CHECK(strstr(conf(), "env=A=2\n"));
	CHECK(!strstr(conf(), "env=A=1\n"));
	CHECK(strstr(conf(), "env=AB=3\n"));
	/* Without a value it is the caller's, as with docker and podman. */
	CHECK(strstr(conf(), "env=FROM_HERE=x=y\n"));
	CHECK(strstr(conf(), "env=LANG=C.UTF-8\n"));
	CHECK(strstr(strstr(conf(), "LANG") + 1, "LANG") == NULL);
	CHECK(!strstr(conf(), "NOT_HERE"));
	CHECK(!strstr(conf(), "SECRET"));
	CHECK(strstr(conf(), "env=TZ=\n"));
	CHECK(!strstr(conf(), "UTC"));
	items[0] = "=x";
	CHECK_EQ(configure(NULL), -EINVAL);
}

TEST(cwd_is_relative_to_the_current_directory)
{
	CHECK(!chdir("/usr"));
	CHECK_EQ(configure(NULL), 0);
	CHECK(strstr(conf(), "here=/usr\n"));
	command.cwd = "/tmp";
	CHECK_EQ(configure(NULL), 0);
	CHECK(strstr(conf(), "cwd=/tmp\n"));
	command.cwd = "share/man";
	CHECK_EQ(configure(NULL), 0);
	CHECK(strstr(conf(), "cwd=/usr/share/man\n"));
}

TEST(a_shell_s_line_is_no_command)
{
	static const char *const lines[] = { "uname -r; id", "ls -l", "true;false", "a|b", "/bin/ls -l" };
	char *argv[] = { NULL, NULL, NULL };

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		argv[0] = (char *)lines[i];
		CHECK_EQ(configure(argv), -EINVAL);
	}
	/* It may be on a share. */
	argv[0] = "/mnt/my prog";
	guest_conf_free(&plan.conf);
	plan = (struct plan) { .argv = argv, .wants_root = "--share" };
	CHECK_EQ(command_wanted(&plan, &command), 0);
	/* Arguments may have blanks, and a program's name may. */
	argv[0] = "echo";
	argv[1] = "a b";
	CHECK_EQ(configure(argv), 0);
	CHECK(strstr(conf(), "arg=echo\narg=a b\n"));
}

TEST(options_for_the_host_s_files_are_not_ignored)
{
	command.cwd = "/";
	CHECK_EQ(configure(NULL), 0);
	CHECK_STR(plan.wants_root, "--cwd");
	command.user = "nobody";
	CHECK_EQ(configure(NULL), 0);
	CHECK_STR(plan.wants_root, "--user");
}

/* The suboptions of the device that shares @tag, or "". */
static const char *shared(const char *tag)
{
	for (unsigned int i = 0; i < plan.cfg.nr_devices; i++)
		if (plan.cfg.device[i].opts && strstr(plan.cfg.device[i].opts, tag))
			return plan.cfg.device[i].opts;
	return "";
}

TEST(modules_outside_of_the_root_are_shared)
{
	char dir[] = "/tmp/lkvm-test-XXXXXX", cmd[128];
	struct run_files files = { 0 };

	CHECK(mkdtemp(dir) && !chdir(dir));
	CHECK(!system("mkdir -p r/bin r/m m && cp /bin/sh r/bin"));
	plan = (struct plan) { .argv = (char *[]){ "/bin/sh", NULL }, .host_root = true };
	plan.kernel = (struct kernel){ .release = "1.2", .modules = "m" };
	files.root = "r";
	CHECK_EQ(files_config(&plan, &files, NULL), 0);
	CHECK(strstr(conf(), "modules=1.2,dir,lkvm.modules\n"));
	snprintf(cmd, sizeof(cmd), "dir=%s/m,tag=lkvm.modules,ro", dir);
	CHECK_STR(shared("lkvm.modules"), cmd);

	guest_conf_free(&plan.conf);
	plan.kernel = (struct kernel){ .release = "1.2", .modules = "r/m", .tree = true };
	plan.cfg.nr_devices = 0;
	CHECK_EQ(files_config(&plan, &files, NULL), 0);
	CHECK(strstr(conf(), "modules=1.2,tree,/m\n"));
	CHECK_STR(shared("lkvm.modules"), "");
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	CHECK(!chdir("/") && !system(cmd));
}

TEST(a_kernel_parameter_is_a_whole_word)
{
	CHECK(boot_has_param("kaslr", "kaslr"));
	CHECK(boot_has_param(" quiet  kaslr x", "kaslr"));
	CHECK(!boot_has_param("nokaslr", "kaslr"));
	CHECK(!boot_has_param("kaslr=1 ", "kaslr"));
	CHECK(!boot_has_param("", "kaslr"));
	CHECK(!boot_has_param(NULL, "kaslr"));
}

/* What is said about a watchdog, with a kernel whose built-in modules are @builtin. */
static const char *watchdog(const char *builtin)
{
	static char said[512];
	char dir[] = "/tmp/lkvm-test-XXXXXX", path[64];
	struct run_devices devices = { .watchdog = "reset" };
	int p[2], err = dup(2);
	ssize_t n;
	FILE *f;

	CHECK(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, i ? "modules.dep" : "modules.builtin");
		f = fopen(path, "w");
		CHECK(f);
		fputs(i ? "" : builtin, f);
		fclose(f);
	}
	plan = (struct plan) { .is_linux = true, .kernel.modules = strdup(dir), .devices = &devices.device };
	CHECK(!pipe(p));
	dup2(p[1], 2);
	close(p[1]);
	CHECK_EQ(devices_config(&plan, &devices), 0);
	dup2(err, 2);
	close(err);
	n = read(p[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	CHECK(!system(path));
	plan_free(&plan);
	return said;
}

TEST(a_watchdog_that_nothing_would_start)
{
	CHECK_STR(watchdog("kernel/drivers/watchdog/i6300esb.ko\n"), "");
	CHECK(strstr(watchdog("kernel/fs/ext4/ext4.ko\n"), "CONFIG_I6300ESB_WDT"));
}
