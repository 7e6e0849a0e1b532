// SPDX-License-Identifier: GPL-2.0
/* Which Linux kernel runs, where it is, and its messages: see kvm/look.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/vm.h>

#include "linux_log.h"
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
	l->found = !ret && (view.note || view.found);
	/* Early in its boot it has page tables, and says nothing yet. */
	l->text = view.found ? view.map.image : 0;
	if (l->found) {
		view_number(&view, "KERNELOFFSET", 16, &l->moved);
		view_number(&view, "SYMBOL(_stext)", 16, &l->text);
		look_line(&view, "OSRELEASE=", l->release, sizeof(l->release));
		look_line(&view, "BUILD-ID=", l->build_id, sizeof(l->build_id));
	}
	view_close(&view);
	vm_release(vm, HOLD_LOOK);
	return ret;
}

/* The last @max bytes of @text, from the beginning of a line on. */
static const char *look_tail(const char *text, size_t len, size_t max)
{
	const char *from = len > max ? strchr(text + len - max, '\n') : text;

	return from ? from + (from != text) : text + len;
}

int look_kmsg(struct vm *vm, size_t max, FILE *f)
{
	struct linux_view view;
	char *text = NULL;
	size_t len;
	int ret = vm_pause(vm, HOLD_LOOK);
	FILE *all;

	if (ret)
		return ret;
	all = open_memstream(&text, &len);
	ret = view_open(&view, vm);
	if (!all)
		ret = -ENOMEM;
	if (!ret)
		ret = view.found ? linux_log_print(&view, all) : -ENOENT;
	view_close(&view);
	vm_release(vm, HOLD_LOOK);
	if (all)
		fclose(all);
	if (!ret && text)
		fputs(look_tail(text, len, max), f);
	free(text);
	return ret;
}
