// SPDX-License-Identifier: GPL-2.0
/*
 * --confine: see confine.h. Devices say by dev_allow() which directories they serve;
 * here is what the session and the terminals need. Main thread, before the machine is made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/builtin.h>
#include <kvm/confine.h>
#include <kvm/log.h>

#include "confine.h"

static int confine_mode(void *obj, const char *arg, struct opt_err *err)
{
	static const char *const words[] = {
		[CONFINE_ON] = "on", [CONFINE_LOG] = "log", [CONFINE_OFF] = "off",
	};
	struct run_confine *own = obj;
	unsigned int i;

	if (!strcmp(arg, "show")) {
		confine_show(stdout);
		exit(command_flush(0));
	}
	own->apart = !strcmp(arg, "files=process");
	if (own->apart) {
		own->mode = CONFINE_ON;
		return 0;
	}
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(arg, words[i]))
			continue;
		own->mode = i;
		return 0;
	}
	snprintf(err->text, sizeof(err->text), "\"%s\" has to be on, files=process, log, off or show", arg);
	return -EINVAL;
}

const struct opt confine_opts[] = {
	OPT_CALL(0, "confine", confine_mode, "on|files=process|log|off|show",
		 "before the guest runs give up files, system calls and privileges that the machine has no use for (default: on); files=process: each shared folder is served by a process of its own, too; log: report system calls instead; show: print the rules"),
	OPT_END
};

/* The directory of @path, whose socket is removed at the end. */
static int confine_socket(struct plan *plan, const char *path)
{
	char *dir = strdup(path), *slash;
	int ret;

	if (!dir)
		return plan_err(-ENOMEM, "out of memory");
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	ret = confine_allow(plan->cfg.confine, slash ? dir : ".", LANDLOCK_SOCKET);
	if (ret)
		plan_err(ret, "%s: %s", dir, strerror(-ret));
	free(dir);
	return ret;
}

/* Where a terminal or a debugger is: "unix:PATH" or something else. */
static int confine_place(struct plan *plan, const char *where)
{
	return where && !strncmp(where, "unix:", 5) ? confine_socket(plan, where + 5) : 0;
}

/* Terminals that are sockets: "unix:PATH" somewhere in suboptions, whose commas are doubled. */
static int confine_terminals(struct plan *plan, const char *text)
{
	const char *at = text ? strstr(text, "unix:") : NULL;
	char path[256];
	size_t n;
	int ret = 0;

	for (; !ret && at; at = strstr(at, "unix:")) {
		for (n = 0; *at && (*at != ',' || *++at == ',') && n < sizeof(path) - 1; at++)
			path[n++] = *at;
		path[n] = '\0';
		ret = confine_place(plan, path);
	}
	return ret;
}

/* What the processes of file servers ask of the rest. */
static int confine_apart(struct plan *plan)
{
	struct mem_config *ram = &plan->cfg.ram;

	if ((ram->kind != MEM_THP && ram->kind != MEM_MEMFD) || ram->merge)
		return plan_err(-EINVAL, "--confine files=process: RAM is a memfd there, which the file servers' processes share; no huge pages, file, --mem-merge, template or restored machine");
	ram->kind = MEM_MEMFD;
	plan->cfg.files_apart = true;
	return 0;
}

int confine_config(struct plan *plan, struct run_confine *own, const char *socket)
{
	struct confine_config cfg = {
		.mode = own->mode, .apart = own->apart, .log_fd = session_kmsg(&plan->session), .end = session_abort,
	};
	int ret = own->apart ? confine_apart(plan) : 0;
	unsigned int i;

	if (ret)
		return ret;
	ret = confine_new(&plan->cfg.confine, &cfg);
	if (ret)
		return plan_err(ret, "out of memory");
	plan->cfg.spawner = confine_threads(plan->cfg.confine);
	if (own->mode == CONFINE_OFF && isatty(STDERR_FILENO))
		pr_warn("--confine off: a guest that takes lkvm over has all that its user has");
	ret = socket ? confine_socket(plan, socket) : 0;
	if (!ret)
		ret = confine_terminals(plan, plan->cfg.console);
	if (!ret)
		ret = confine_place(plan, plan->gdb);
	for (i = 0; !ret && i < plan->cfg.nr_devices; i++)
		ret = confine_terminals(plan, plan->cfg.device[i].opts);
	return ret;
}

void confine_done(struct plan *plan)
{
	if (plan->cfg.confine)
		confine_free(plan->cfg.confine);
	plan->cfg.confine = NULL;
}
