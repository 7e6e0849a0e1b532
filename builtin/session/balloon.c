// SPDX-License-Identifier: GPL-2.0
/* The verb about the guest's balloon: see balloon.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/balloon.h>
#include <kvm/vm.h>

#include "balloon.h"

/* By the numbers of virtio 1.2, 5.5.6.3; the first four count events, the last two huge pages. */
static const char *const balloon_stats[BALLOON_STATS] = {
	"swap-in", "swap-out", "major-faults", "minor-faults", "free-memory", "total-memory",
	"available-memory", "disk-caches", "hugetlb-allocations", "hugetlb-failures",
};

static void balloon_show(struct vm *vm, struct device *dev, struct control_reply *reply)
{
	struct balloon b;

	balloon_look(dev, &b);
	balloon_ask(dev);
	control_value(reply, "answers", "%llu", (unsigned long long)b.answers);
	control_value(reply, "memory", "%llu", (unsigned long long)mem_size(&vm->mem));
	control_value(reply, "balloon-target", "%llu", (unsigned long long)b.target);
	control_value(reply, "balloon", "%llu", (unsigned long long)b.actual);
	control_value(reply, "reported-free", "%llu", (unsigned long long)b.discarded);
	for (unsigned int i = 0; i < BALLOON_STATS; i++)
		if (b.has[i])
			control_value(reply, balloon_stats[i], "%llu", (unsigned long long)b.stat[i]);
}

int balloon_verb(struct vm *vm, const char *arg, struct control_reply *reply)
{
	struct device *dev = device_find(vm, BALLOON_TYPE);
	u64 bytes;
	char *end;

	if (!dev)
		return control_refuse(reply, -ENODEV, "it has no balloon: start it with --balloon");
	if (!*arg) {
		balloon_show(vm, dev, reply);
		return 0;
	}
	errno = 0;
	bytes = strtoull(arg, &end, 10);
	if (*arg < '0' || *arg > '9' || *end || errno)
		return control_refuse(reply, -EINVAL, "balloon: a number of bytes");
	if (balloon_target(dev, bytes))
		return control_refuse(reply, -ERANGE, "its memory is %llu MiB", (unsigned long long)(mem_size(&vm->mem) >> 20));
	return 0;
}
