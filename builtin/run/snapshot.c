// SPDX-License-Identifier: GPL-2.0
/* Snapshots, as the commands see them: see snapshot.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/device.h>

#include "snapshot.h"

/* The session's part */

static int snapshot_text(struct state *s, const char *name, char *text, size_t size)
{
	size_t len = strlen(text);

	if (!state_bytes(s, name, text, &len, size - 1) && state_reads(s))
		text[len] = '\0';
	return state_status(s);
}

int snapshot_guest_state(void *obj, struct state *s)
{
	struct snapshot_guest *g = obj;

	state_begin(s, "streams");
	session_guest_state(&g->guest, s);
	state_end(s);
	snapshot_text(s, "directory", g->dir, sizeof(g->dir));
	return snapshot_text(s, "release", g->release, sizeof(g->release));
}

int snapshot_plan_state(void *obj, struct state *s)
{
	struct plan *plan = obj;
	struct snapshot_guest g = { .dir = "" };

	session_guest_now(&plan->session, &g.guest);
	snprintf(g.dir, sizeof(g.dir), "%s", plan->dir ? plan->dir : "/");
	snprintf(g.release, sizeof(g.release), "%s", plan->kernel.release ? plan->kernel.release : "");
	return snapshot_guest_state(&g, s);
}

/* The session's terminals */

/* @text with @what replaced by @by, malloc()ed, and @text freed. */
static char *snapshot_replace(char *text, const char *what, const char *by)
{
	char *at = text ? strstr(text, what) : NULL, *new = NULL;

	if (!at)
		return text;
	if (asprintf(&new, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what)) < 0)
		new = NULL;
	free(text);
	return new;
}

static int snapshot_device(struct plan *plan, struct device_config *dev, const char *console)
{
	char *text = strdup(dev->again);

	text = snapshot_replace(text, SNAPSHOT_CONSOLE, console);
	text = snapshot_replace(text, SNAPSHOT_PORTS, plan->session.device ? plan->session.device : "");
	if (!text)
		return plan_err(-ENOMEM, "out of memory");
	plan->text[plan->nr_text++] = text;
	dev->opts = text;
	return 0;
}

/* Has a disk cow: 0, 1, or 2 with a file that is kept. */
static int snapshot_cow(const char *opts)
{
	const char *at = opts;

	while ((at = strstr(at, ",cow"))) {
		at += strlen(",cow");
		if (*at == '=')
			return 2;
		if (!*at || *at == ',')
			return 1;
	}
	return 0;
}

/* The disk whose image is written, by its suboptions. */
static bool snapshot_is_written(const struct device_config *dev)
{
	const char *file = dev->opts ? dev->opts : "";

	if (!strncmp(file, "file=", 5))
		file += 5;
	return (!strcmp(dev->type, "virtio-blk") || !strcmp(dev->type, "virtio-scsi")) && strncmp(file, "new:", 4) &&
	       !device_flag(dev->type, dev->opts, "ro") && snapshot_cow(file) != 1;
}

/* A disk that was written is only read now; what the guest writes goes with the machine. */
static int snapshot_disk(struct plan *plan, struct device_config *dev)
{
	char *text;

	if (!snapshot_is_written(dev))
		return 0;
	if (snapshot_cow(dev->opts))
		return plan_err(-ENOTSUP, "%s %s: what was written to a file by cow= cannot be restored", dev->type, dev->opts);
	if (asprintf(&text, "%s,cow", dev->opts) < 0)
		return plan_err(-ENOMEM, "out of memory");
	plan->text[plan->nr_text++] = text;
	dev->opts = text;
	return 0;
}

int snapshot_shared(const struct vm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_devices; i++) {
		const struct device_config *dev = &cfg->device[i];

		if (snapshot_is_written(dev))
			return plan_err(-EBUSY, "it writes the disk %s, and a clone would see that change: a disk with cow can be cloned",
					dev->opts);
		if (dev->opts && (!strcmp(dev->type, "serial") || !strcmp(dev->type, "virtio-console")) &&
		    (strstr(dev->opts, "unix:") || strstr(dev->opts, "file:")))
			return plan_err(-EBUSY, "%s %s: two machines cannot have one terminal", dev->type, dev->opts);
	}
	return 0;
}

int snapshot_streams(struct plan *plan)
{
	struct vm_config *cfg = &plan->cfg;
	char *console = opt_quote(plan->session.console);
	unsigned int i;
	int ret = console ? 0 : plan_err(-ENOMEM, "out of memory");

	if (cfg->console && !strcmp(cfg->console, SNAPSHOT_CONSOLE)) {
		cfg->console_again = cfg->console;
		cfg->console = plan->session.console;
	}
	for (i = 0; !ret && i < cfg->nr_devices; i++)
		ret = cfg->device[i].again ? snapshot_device(plan, &cfg->device[i], console) :
					     snapshot_disk(plan, &cfg->device[i]);
	free(console);
	return ret;
}
