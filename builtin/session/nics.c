// SPDX-License-Identifier: GPL-2.0
/*
 * The verbs about network cards. They have numbers, from 0, in the order of the command
 * line. Main loop, machine lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <kvm/nic.h>
#include <kvm/vm.h>

#include "nics.h"

/* Card @n, or NULL. */
static struct device *nics_nth(struct vm *vm, unsigned int n)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, node)
		if (!strcmp(dev->type->name, NIC_TYPE) && dev->index == n)
			return dev;
	return NULL;
}

void nics_info(struct vm *vm, struct control_reply *reply)
{
	struct device *dev;
	char forward[256];
	struct nic nic;

	for (unsigned int n = 0; vm && (dev = nics_nth(vm, n)); n++) {
		nic_look(dev, &nic);
		control_value(reply, "nic", "%u mode=%s mac=%02x:%02x:%02x:%02x:%02x:%02x link=%s queues=%u dropped=%llu", n,
			      nic.mode, nic.mac[0], nic.mac[1], nic.mac[2], nic.mac[3], nic.mac[4], nic.mac[5],
			      nic.link ? "up" : "down", nic.pairs, (unsigned long long)nic.dropped);
		for (unsigned int i = 0; nic_forward_text(dev, i, forward, sizeof(forward)); i++)
			control_value(reply, "forward", "%u %s", n, forward);
	}
}

/* The card that begins @arg, and what follows it; "-" is the first. NULL: refused. */
static struct device *nics_find(struct vm *vm, const char *arg, const char **rest, struct control_reply *reply)
{
	struct device *dev;
	unsigned int n = 0;
	int len = 0;

	if (arg[0] == '-' && arg[1] == ' ')
		len = 1;
	else if (*arg < '0' || *arg > '9' || sscanf(arg, "%u%n", &n, &len) != 1 || (arg[len] && arg[len] != ' '))
		len = 0;
	dev = len ? nics_nth(vm, n) : NULL;
	*rest = arg + len + (arg[len] == ' ');
	if (dev)
		return dev;
	if (nics_nth(vm, 0))
		control_refuse(reply, -ENODEV, "it has no network card %.*s: the first is 0", (int)strcspn(arg, " "), arg);
	else
		control_refuse(reply, -ENODEV, "it has no network card");
	return NULL;
}

int nics_link(struct vm *vm, const char *arg, struct control_reply *reply)
{
	const char *word;
	struct device *dev = nics_find(vm, arg, &word, reply);

	if (!dev)
		return -ENODEV;
	if (strcmp(word, "up") && strcmp(word, "down"))
		return control_refuse(reply, -EINVAL, "link: a card, and up or down");
	nic_plug(dev, !strcmp(word, "up"));
	return 0;
}

int nics_forward(struct vm *vm, const char *arg, struct control_reply *reply)
{
	const char *word;
	struct device *dev = nics_find(vm, arg, &word, reply);
	int fd;

	if (!dev)
		return -ENODEV;
	if (!strncmp(word, "remove ", 7))
		return nic_unforward(dev, word + 7, &reply->err);
	if (strncmp(word, "add ", 4))
		return control_refuse(reply, -EINVAL, "forward: a card, and add or remove and which");
	fd = control_take(reply, 0);
	if (fd < 0)
		return control_refuse(reply, -EINVAL, "forward: the socket goes with the request");
	return nic_forward(dev, word + 4, fd, &reply->err);
}
