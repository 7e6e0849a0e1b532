// SPDX-License-Identifier: GPL-2.0
/* Which Linux kernel runs, and where it is: see kvm/look.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/vm.h>

#include "linux_view.h"

/* A line of vmcoreinfo as text: printable characters only. */
static void look_line(const struct linux_view *v, const char *key, char *val, size_t size)
{
	const char *line = v->text ? strstr(v->text, key) : NULL;
	size_t len = 0;

	if (line)
		for (line += strlen(key); len < size - 1 && line[len] > ' ' && line[len] < 0x7f; len++)
			val[len] = line[len];
	val[len] = '\0';
}

int look_linux(struct vm *vm, struct look_linux *l)
{
	struct linux_view view;
	int ret = vm_pause(vm, HOLD_LOOK);

	*l = (struct look_linux) { .found = false };
	if (ret)
		return ret;
	ret = view_open(&view, vm);
	l->found = !ret && view.note;
	if (l->found) {
		view_number(&view, "KERNELOFFSET", 16, &l->moved);
		look_line(&view, "OSRELEASE=", l->release, sizeof(l->release));
		look_line(&view, "BUILD-ID=", l->build_id, sizeof(l->build_id));
	}
	view_close(&view);
	vm_release(vm, HOLD_LOOK);
	return ret;
}
