// SPDX-License-Identifier: GPL-2.0
/* The command, as configured for PID 1: see command.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

const struct opt command_opts[] = {
	OPT_STR('u', "user", struct run_command, user, "NAME", "user who runs the command (default: root)"),
	OPT_STR(0, "cwd", struct run_command, cwd, "DIR", "directory that the command runs in, relative to the current one (default: that)"),
	OPT_LIST(0, "env", struct run_command, env, "NAME[=VALUE]",
		 "set an environment variable of the command; without a value, to that of lkvm's"),
	OPT_BOOL(0, "keep", struct run_command, keep, "when the command has ended the machine goes on, until 'lkvm stop'"),
	OPT_END
};

/* Variables of lkvm's environment that are passed on, even to a guest with another root. */
static const char *const command_passed[] = {
	"TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES",
	"LC_NUMERIC", "LC_TIME", "TZ", NULL
};

/* Has the user quoted a shell's command line, which is one word for us? */
static bool command_is_line(const struct plan *plan)
{
	const char *word = plan->argv[0];

	if (!word || plan->argv[1] || !word[strcspn(word, " \t\n;|&<>")])
		return false;
	/* A file may have such a name; of those in another root and on shares we do not know. */
	return strchr(word, '/') ? !plan->wants_root && access(word, F_OK) : true;
}

int command_wanted(struct plan *plan, struct run_command *own)
{
	if (!plan->init && command_is_line(plan))
		return plan_err(-EINVAL, "'%s' is one word, the name of a program: a shell's command line is run by sh -c '%s'",
				plan->argv[0], plan->argv[0]);
	if (plan->init && (own->user || own->cwd || own->keep))
		return plan_err(-EINVAL, "--init %s, %s: a PID 1 starts as root in /, and the machine ends with it", plan->init,
				own->user ? "--user" : own->cwd ? "--cwd" : "--keep");
	plan->wants_command = own->user ? "--user" : own->cwd ? "--cwd" : own->env.nr ? "--env" : own->keep ? "--keep" : NULL;
	if (plan->wants_command)
		plan->wants_root = plan->wants_command;
	return 0;
}

/* Is the variable @item, "NAME" or "NAME=VALUE", among @list from number @from on? */
static bool command_env_has(const struct opt_list *list, unsigned int from, const char *item)
{
	size_t len = strcspn(item, "=");

	for (; from < list->nr; from++)
		if (!strncmp(list->item[from], item, len) && strchr("=", list->item[from][len]))
			return true;
	return false;
}

/* @item as it is in lkvm's environment, if it is. */
static int command_env_pass(struct plan *plan, const char *item)
{
	const char *value = getenv(item);

	return value ? guest_conf_addf(&plan->conf, "env", "%s=%s", item, value) : 0;
}

/* Each variable once: the last that is said of it holds. */
static int command_env(struct plan *plan, const struct run_command *own)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && command_passed[i]; i++)
		if (!command_env_has(&own->env, 0, command_passed[i]))
			ret = command_env_pass(plan, command_passed[i]);
	for (unsigned int i = 0; !ret && i < own->env.nr; i++) {
		const char *item = own->env.item[i];

		if (!*item || *item == '=')
			return plan_err(-EINVAL, "--env %s: has to be NAME=VALUE or NAME", item);
		if (command_env_has(&own->env, i + 1, item))
			continue;
		ret = strchr(item, '=') ? guest_conf_add(&plan->conf, "env", item) :
					  command_env_pass(plan, item);
	}
	return ret;
}

/* --cwd is relative to the current directory, as for env -C. */
static int command_cwd(struct plan *plan, const char *dir)
{
	char here[PATH_MAX];

	if (dir && *dir == '/')
		return guest_conf_add(&plan->conf, "cwd", dir);
	if (!getcwd(here, sizeof(here)))
		return dir ? plan_err(-errno, "--cwd %s: the current directory: %s", dir, strerror(errno)) : 0;
	/* Such a root has none of the host's directories where the host has them. */
	if (!dir && plan->hostfs)
		return 0;
	return dir ? guest_conf_addf(&plan->conf, "cwd", "%s/%s", here, dir) :
		     guest_conf_add(&plan->conf, "here", here);
}

int command_config(struct plan *plan, struct run_command *own)
{
	static const char *const key[] = { "stdin", "stdout", "stderr" };
	const struct session *s = &plan->session;
	int ret;

	if (!plan->host_root)
		return 0;
	if (plan->name && strlen(plan->name) > HOST_NAME_MAX)
		return plan_err(-EINVAL, "--name %s: the guest's host name may have at most %d characters",
				plan->name, HOST_NAME_MAX);
	ret = guest_conf_add(&plan->conf, "hostname", plan->name ? plan->name : "lkvm");
	/* The rest is said when there is a command. */
	if (ret || plan->waits)
		return ret;
	ret = plan->init ? guest_conf_add(&plan->conf, "init", plan->init) : command_cwd(plan, own->cwd);
	if (!ret)
		ret = plan_caller() ? guest_conf_addf(&plan->conf, "caller", "%u", plan_caller()) : 0;
	if (!ret && own->user)
		ret = guest_conf_add(&plan->conf, "user", own->user);
	if (!ret && own->keep)
		ret = guest_conf_add(&plan->conf, "keep", "yes");
	if (!ret)
		ret = command_env(plan, own);
	for (unsigned int i = 0; !ret && plan->argv[i]; i++)
		ret = guest_conf_add(&plan->conf, "arg", plan->argv[i]);
	for (unsigned int i = 0; !ret && !plan->init && i < 3; i++)
		ret = guest_conf_add(&plan->conf, key[i], s->mode[i]);
	if (!ret && !plan->init && s->rows)
		ret = guest_conf_addf(&plan->conf, "winsize", "%u %u", s->rows, s->cols);
	return ret;
}
