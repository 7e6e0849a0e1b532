// SPDX-License-Identifier: GPL-2.0
/* The disks of a machine by its control socket. On the main loop, machine lock held. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/disk.h>
#include <kvm/drive.h>
#include <kvm/session.h>
#include <kvm/verbs.h>
#include <kvm/vm.h>

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

int disks_verb(void *obj, const char *arg, struct control_reply *reply)
{
	static const struct {
		const char *name;
		int (*fn)(struct verbs *s, const char *arg, struct control_reply *reply);
	} verbs[] = {
		{ "list", disks_list },
		{ "fault", disks_fault },
		{ "mark", disks_mark },
		{ "resize", disks_resize },
	};
	char word[16];

	disks_word(&arg, word, sizeof(word));
	for (unsigned int i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, word))
			return verbs[i].fn(obj, arg, reply);
	return control_refuse(reply, -EINVAL, "disk: list, fault, mark or resize may follow");
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
	list_for_each_entry(d, &s->vm->drives, node)
		disk_freeze(d->disk);
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
