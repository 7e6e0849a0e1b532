// SPDX-License-Identifier: GPL-2.0
/* The disks of a machine by its control socket. On the main loop, machine lock held. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/config.h>
#include <kvm/device.h>
#include <kvm/disk.h>
#include <kvm/drive.h>
#include <kvm/hotplug.h>
#include <kvm/log.h>
#include <kvm/pci.h>
#include <kvm/session.h>
#include <kvm/verbs.h>
#include <kvm/vm.h>
#include <kvm/wait.h>

#include "disks.h"

/* Cut the first word off *@text. */
static void disks_word(const char **text, char *word, size_t size)
{
	size_t len = strcspn(*text, " ");

	snprintf(word, size, "%.*s", (int)len, *text);
	*text += len;
	*text += **text == ' ';
}

static int disks_find(const struct verbs *s, const char **arg, struct drive **drive, struct control_reply *reply)
{
	char name[64];

	disks_word(arg, name, sizeof(name));
	*drive = drive_find(s->vm, name);
	return *drive ? 0 : control_refuse(reply, -ENOENT, "it has no disk \"%s\"; 'lkvm disk list' shows them", name);
}

void disks_retry(const struct vm *vm)
{
	const struct drive *d;

	list_for_each_entry(d, &vm->drives, node)
		disk_retry(d->disk);
}

static int disks_list(struct verbs *s, const char *arg, struct control_reply *reply)
{
	const struct drive *d;

	list_for_each_entry(d, &s->vm->drives, node)
		control_value(reply, "disk", "%s %s %llu%s %s", d->serial, d->dev->name,
			      (unsigned long long)disk_size(d->disk), disk_readonly(d->disk) ? " ro" : "", d->file);
	return 0;
}

static void disks_show_fault(void *obj, const char *text)
{
	control_value(obj, "fault", "%s", text);
}

/* Without a fault: those there are. */
static int disks_fault(struct verbs *s, const char *arg, struct control_reply *reply)
{
	struct drive *d;
	int ret = disks_find(s, &arg, &d, reply);

	if (!ret && *arg)
		return disk_fault(d->disk, arg, &reply->err);
	if (!ret)
		disk_faults(d->disk, disks_show_fault, reply);
	return ret;
}

static int disks_mark(struct verbs *s, const char *arg, struct control_reply *reply)
{
	struct drive *d;
	int ret = disks_find(s, &arg, &d, reply);

	if (ret)
		return ret;
	ret = disk_mark(d->disk, arg);
	if (ret == -ENOENT)
		return control_refuse(reply, ret, "it has no log: keep-log=FILE of the disk begins one");
	return ret ? control_refuse(reply, ret, "the log: %s", strerror(-ret)) : 0;
}

static int disks_resize(struct verbs *s, const char *arg, struct control_reply *reply)
{
	struct drive *d;
	u64 size;
	int ret = disks_find(s, &arg, &d, reply);

	if (ret)
		return ret;
	if (opt_size(arg, MIB, &size))
		return control_refuse(reply, -EINVAL, "\"%s\" is no size, as in 20G", arg);
	ret = disk_resize(d->disk, size, &reply->err);
	if (!ret)
		d->resized(d);
	return ret;
}

/* Requests that wait for the guest */

#define DISKS_PATIENCE	WAIT_S(15)	/* less than a client's, so that it gets an answer */

struct disks_wait {
	struct disks *disks;
	struct device *dev;		/* NULL: free */
	u32 id;				/* of control_later() */
	struct timer timer;
};

struct disks {
	struct verbs *verbs;
	struct disks_wait wait[CONTROL_PEERS_MAX];
	char **text;			/* suboptions of disks that were attached */
	unsigned int nr_text;
};

static void disks_answer(struct disks_wait *w, const char *why)
{
	struct verbs *s = w->disks->verbs;

	loop_timer_cancel(s->vm->loop, &w->timer);
	w->dev = NULL;
	control_finish(s->control, w->id, why);
}

static void disks_late(struct timer *t)
{
	disks_answer(container_of(t, struct disks_wait, timer),
		     "the guest has not let go of it: it may do so later, and --surprise pulls the disk out");
}

static void disks_answer_all(struct disks *d, const struct device *dev, const char *why)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(d->wait); i++)
		if (d->wait[i].dev && (!dev || d->wait[i].dev == dev))
			disks_answer(&d->wait[i], why);
}

static void disks_unplugged(void *obj, struct device *dev)
{
	struct verbs *s = obj;

	if (s->plug && dev->config)
		s->plug->device[dev->config - 1].gone = true;
	disks_answer_all(s->disks, dev, NULL);
}

int drives_start(struct verbs *s)
{
	if (!s->disks)
		s->disks = calloc(1, sizeof(*s->disks));
	if (!s->disks)
		return -ENOMEM;
	s->disks->verbs = s;
	for (unsigned int i = 0; i < ARRAY_SIZE(s->disks->wait); i++) {
		s->disks->wait[i].disks = s->disks;
		s->disks->wait[i].timer.fn = disks_late;
	}
	s->vm->unplugged = disks_unplugged;
	s->vm->unplugged_obj = s;
	return 0;
}

void drives_leave(struct verbs *s)
{
	if (s->disks && s->vm)
		disks_answer_all(s->disks, NULL, "the machine has ended");
}

void drives_free(struct verbs *s)
{
	for (unsigned int i = 0; s->disks && i < s->disks->nr_text; i++)
		free(s->disks->text[i]);
	if (s->disks)
		free(s->disks->text);
	free(s->disks);
	s->disks = NULL;
}

bool drives_changed(const struct verbs *s)
{
	bool changed = s->vm->plugged;

	for (unsigned int i = 0; i < s->cfg->nr_devices; i++)
		changed |= s->cfg->device[i].gone;
	return changed;
}

static int disks_detach(struct verbs *s, const char *arg, struct control_reply *reply)
{
	struct disks_wait *w = s->disks->wait, *end = w + ARRAY_SIZE(s->disks->wait);
	struct drive *d;
	bool surprise;
	int ret = disks_find(s, &arg, &d, reply);

	if (ret)
		return ret;
	surprise = !strcmp(arg, "surprise");
	if (*arg && !surprise)
		return control_refuse(reply, -EINVAL, "detach DISK: \"surprise\" or nothing may follow");
	while (w < end && w->dev)
		w++;
	if (w == end)
		return control_refuse(reply, -EBUSY, "too many of its disks are being detached");
	ret = surprise ? hotplug_pull(d->dev) : hotplug_request(d->dev);
	if (ret)
		return control_refuse(reply, ret, pci_hot(s->vm) ? "%s shares its PCI slot with other devices" :
				      "%s has no slot that the guest would look at: a machine without ACPI", d->serial);
	w->dev = d->dev;
	w->id = control_later(s->control, reply);
	loop_timer(s->vm->loop, &w->timer, loop_now() + DISKS_PATIENCE);
	return 0;
}

/* The files that came with a request, in the order in which the client has opened them. */
struct disks_files {
	struct disk_opener opener;
	int fd[CONTROL_FDS_MAX];
	unsigned int nr, next;
};

static int disks_open(const struct disk_opener *o, const char *path, int flags)
{
	struct disks_files *files = container_of(o, struct disks_files, opener);

	if (files->next == files->nr) {
		errno = ENOENT;
		return -1;
	}
	return files->fd[files->next++];
}

/* Its place in the configuration: that of one that has gone, or a new one. -1: none is left. */
static int disks_place(struct verbs *s, const char *type, const char *opts)
{
	struct vm_config *cfg = s->plug;
	char **grown = reallocarray(s->disks->text, s->disks->nr_text + 1, sizeof(*grown));
	char *text = strdup(opts);
	unsigned int i = 0;

	if (grown)
		s->disks->text = grown;
	while (i < cfg->nr_devices && !(cfg->device[i].gone && !strcmp(cfg->device[i].type, type)))
		i++;
	if (!grown || !text || i == VM_DEVICES_MAX - 1) {
		free(text);
		return -1;
	}
	s->disks->text[s->disks->nr_text++] = text;
	cfg->device[i] = (struct device_config){ .type = type, .opts = text, .gone = true };
	if (i == cfg->nr_devices)
		cfg->nr_devices++;
	return i;
}

static int disks_add(struct verbs *s, int place, struct disks_files *files, struct control_reply *reply)
{
	struct device_config *config = &s->plug->device[place];
	char why[sizeof(reply->err.text)];
	unsigned int number = 0;
	struct device *dev;
	int ret;

	for (int i = 0; i < place; i++)
		number += !strcmp(s->plug->device[i].type, config->type);
	log_capture(why, sizeof(why));
	s->vm->opener = &files->opener;
	ret = device_add_numbered(s->vm, config->type, config->opts, number, &dev);
	s->vm->opener = NULL;
	log_capture(NULL, 0);
	if (ret) {
		s->plug->nr_devices -= place == (int)s->plug->nr_devices - 1;
		return control_refuse(reply, ret, "%s", *why ? why : strerror(-ret));
	}
	dev->config = place + 1;
	config->gone = false;
	hotplug_added(dev);
	return 0;
}

static int disks_attach(struct verbs *s, const char *arg, struct control_reply *reply)
{
	struct disks_files files = { .opener = { .sent = true, .open = disks_open } };
	const char *type;
	int place, ret = -ENOSPC;

	if (!s->plug || !pci_hot(s->vm))
		return control_refuse(reply, -ENOTSUP,
			"it has no slots for disks: a machine has them with -d or --hotplug, and with ACPI");
	while (files.nr < CONTROL_FDS_MAX && (files.fd[files.nr] = control_take(reply, files.nr)) >= 0)
		files.nr++;
	type = disk_choice_device(arg);
	place = type ? disks_place(s, type, arg) : -1;
	if (!type)
		ret = control_refuse(reply, -EINVAL, "these are no suboptions of a disk");
	else if (place < 0)
		control_refuse(reply, ret, "it has as many devices as it can have");
	else
		ret = disks_add(s, place, &files, reply);
	while (files.next < files.nr)
		close(files.fd[files.next++]);
	return ret;
}

int disks_verb(void *obj, const char *arg, struct control_reply *reply)
{
	static const struct {
		const char *name;
		int (*fn)(struct verbs *s, const char *arg, struct control_reply *reply);
	} verbs[] = {
		{ "list", disks_list },
		{ "attach", disks_attach },
		{ "detach", disks_detach },
		{ "fault", disks_fault },
		{ "mark", disks_mark },
		{ "resize", disks_resize },
	};
	char word[16];

	disks_word(&arg, word, sizeof(word));
	for (unsigned int i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, word))
			return verbs[i].fn(obj, arg, reply);
	return control_refuse(reply, -EINVAL, "disk: list, attach, detach, resize, fault or mark may follow");
}

/* The disks stop first, all of them: none has anything that came after the others had lost power. */
int disks_power_cut(void *obj, const char *arg, struct control_reply *reply)
{
	struct verbs *s = obj;
	struct drive *d;
	u32 seed = 0;
	char *rest = NULL;
	int ret = 0;

	if (*arg)
		seed = strtoul(arg, &rest, 10);
	if (rest && (*rest || rest == arg))
		return control_refuse(reply, -EINVAL, "\"%s\" is no seed, which is a number", arg);
	if (!*arg && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return control_refuse(reply, -EIO, "no random seed");
	/* One that waits for room may hold a cache, and the user cannot make room from now on. */
	list_for_each_entry(d, &s->vm->drives, node) {
		disk_freeze(d->disk);
		disk_when_full(d->disk, NULL, NULL);
	}
	control_value(reply, "seed", "%u", seed);
	list_for_each_entry(d, &s->vm->drives, node) {
		struct disk_cut cut;
		int err = disk_readonly(d->disk) ? 0 : disk_cut(d->disk, seed ? seed + d->dev->index : 0, &cut);

		if (err)
			ret = control_refuse(reply, err, "%s: %s", d->serial, strerror(-err));
		else if (!disk_readonly(d->disk))
			control_value(reply, "disk", "%s: of the writes since the last flush %llu kept, %llu lost, %llu torn",
				      d->serial, (unsigned long long)cut.kept, (unsigned long long)cut.lost,
				      (unsigned long long)cut.torn);
	}
	session_kill(s->session);
	return ret;
}
