// SPDX-License-Identifier: GPL-2.0
/* What PID 1 is told about the command: see command.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>

#include "command.h"

const struct opt command_opts[] = {
	OPT_STR('u', "user", struct run_command, user, "NAME", "who runs it in the guest (default: root)"),
	OPT_STR(0, "cwd", struct run_command, cwd, "DIR", "where it runs (default: here)"),
	OPT_LIST(0, "env", struct run_command, env, "NAME=VALUE", "one more environment variable"),
	OPT_END
};

/* What of lkvm's environment means something in the guest, whose root may be another. */
static const char *const command_passed[] = {
	"TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES",
	"LC_NUMERIC", "LC_TIME", "TZ", NULL
};

int command_wanted(struct plan *plan, struct run_command *own)
{
	plan->wants_root |= own->user != NULL;
	return 0;
}

static int command_env(struct plan *plan, const struct run_command *own)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && command_passed[i]; i++) {
		const char *value = getenv(command_passed[i]);

		if (value)
			ret = guest_conf_addf(&plan->conf, "env", "%s=%s", command_passed[i], value);
	}
	for (unsigned int i = 0; !ret && i < own->env.nr; i++) {
		const char *item = own->env.item[i];

		if (!strchr(item, '=') || *item == '=')
			return plan_err(-EINVAL, "--env %s: has to be NAME=VALUE", item);
		ret = guest_conf_add(&plan->conf, "env", item);
	}
	return ret;
}

/* Whose files the guest's root may take for its own. With sudo that is not the user who runs lkvm. */
static int command_caller(struct plan *plan)
{
	const char *sudo = getenv("SUDO_UID");

	if (getuid())
		return guest_conf_addf(&plan->conf, "caller", "%u", getuid());
	return sudo ? guest_conf_add(&plan->conf, "caller", sudo) : 0;
}

int command_config(struct plan *plan, struct run_command *own)
{
	static const char *const key[] = { "stdin", "stdout", "stderr" };
	const struct session *s = &plan->session;
	char cwd[PATH_MAX];
	int ret;

	if (!plan->host_root)
		return 0;
	ret = guest_conf_add(&plan->conf, "hostname", plan->name ? plan->name : "lkvm");
	if (!ret && (own->cwd || getcwd(cwd, sizeof(cwd))))
		ret = guest_conf_add(&plan->conf, own->cwd ? "cwd" : "here", own->cwd ? own->cwd : cwd);
	if (!ret)
		ret = command_caller(plan);
	if (!ret && own->user)
		ret = guest_conf_add(&plan->conf, "user", own->user);
	if (!ret)
		ret = command_env(plan, own);
	for (unsigned int i = 0; !ret && plan->argv[i]; i++)
		ret = guest_conf_add(&plan->conf, "arg", plan->argv[i]);
	for (unsigned int i = 0; !ret && i < 3; i++)
		ret = guest_conf_add(&plan->conf, key[i], s->mode[i]);
	if (!ret && s->rows)
		ret = guest_conf_addf(&plan->conf, "winsize", "%u %u", s->rows, s->cols);
	return ret;
}
