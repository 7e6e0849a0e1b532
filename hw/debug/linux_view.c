// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel in guest memory: see linux_view.h. vmcoreinfo is an ELF note that Linux
 * writes for those who read its dumps (Documentation/admin-guide/kdump/vmcoreinfo.rst). Its
 * driver for the firmware configuration device tells where; without that, it is looked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/fw_cfg.h>
#include <kvm/keep.h>
#include <kvm/memory.h>
#include <kvm/snapshot.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "linux_view.h"

#define NOTE_NAME	"VMCOREINFO"
#define NOTE_TEXT	24		/* bytes before it: the note's header, and the name in whole words */
#define NOTE_FIRST	"OSRELEASE="
#define VIEW_TRIES	4
#define VIEW_PAGE	4096ULL
#define SEARCH_STEP	(2 * MIB)	/* untouched memory is skipped from these addresses on */

/* How long the note at @gpa is, 0: there is none. @room: bytes that may belong to it. */
static u32 view_note_len(const struct mem *mem, gpa_t gpa, u64 room)
{
	u8 head[NOTE_TEXT + sizeof(NOTE_FIRST) - 1];
	u32 name_len, len;

	if (room < sizeof(head) || mem_read(mem, gpa, head, sizeof(head)))
		return 0;
	memcpy(&name_len, head, sizeof(name_len));
	memcpy(&len, head + 4, sizeof(len));
	if (name_len != sizeof(NOTE_NAME) || memcmp(head + 12, NOTE_NAME, sizeof(NOTE_NAME)) ||
	    memcmp(head + NOTE_TEXT, NOTE_FIRST, strlen(NOTE_FIRST)) || len > VIEW_NOTE_MAX ||
	    NOTE_TEXT + ALIGN(len, 4) > room)
		return 0;
	return NOTE_TEXT + ALIGN(len, 4);
}

/* The guest may change it meanwhile: only the copy counts. */
static int view_note_copy(struct linux_view *v, gpa_t gpa)
{
	v->note = malloc(v->note_len + 1);
	if (!v->note)
		return -ENOMEM;
	if (mem_read(v->mem, gpa, v->note, v->note_len)) {
		free(v->note);
		v->note = NULL;
		v->note_len = 0;
		return 0;
	}
	v->note[v->note_len] = '\0';
	v->text = v->note + NOTE_TEXT;
	return 0;
}

/* Linux allocates whole pages for it. */
static int view_search(void *obj, const struct mem_region *r)
{
	struct linux_view *v = obj;
	u64 at, skip;

	for (at = 0; at < r->len && !v->note; at += VIEW_PAGE) {
		/* Once for each piece that was allocated as a whole. */
		skip = at % SEARCH_STEP ? 0 : mem_untouched(v->mem, r->gpa + at, v->pagemap) & ~(u64)(VIEW_PAGE - 1);
		if (skip) {
			at += skip - VIEW_PAGE;
			continue;
		}
		v->note_len = view_note_len(v->mem, r->gpa + at, r->len - at);
		if (v->note_len && view_note_copy(v, r->gpa + at))
			return -ENOMEM;
	}
	return v->note != NULL;
}

bool view_number(const struct linux_view *v, const char *key, int base, u64 *val)
{
	size_t len = strlen(key);
	const char *line;
	char *end;

	for (line = v->text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, key, len) || line[len] != '=')
			continue;
		*val = strtoull(line + len + 1, &end, base);
		return end > line + len + 1 && (!*end || *end == '\n');
	}
	return false;
}

static void view_by_note(struct linux_view *v)
{
	u64 table, base, five = 0;
	struct arch_space space;

	if (!view_number(v, "SYMBOL(init_top_pgt)", 16, &table) || !view_number(v, "NUMBER(phys_base)", 10, &base))
		return;
	view_number(v, "NUMBER(pgtable_l5_enabled)", 10, &five);
	space = arch_linux_space(table, base, five);
	v->found = !arch_linux_find(v->mem, &space, &v->map);
}

int view_open(struct linux_view *v, struct vm *vm)
{
	unsigned int tries = VIEW_TRIES;
	struct arch_space space;
	gpa_t gpa;
	u32 len;
	int ret = 0;

	*v = (struct linux_view) { .mem = &vm->mem, .pagemap = -1 };
	if (vm->cfg)
		v->pagemap = keep_fd(vm->cfg->keep, SNAPSHOT_PAGEMAP);
	if (fw_cfg_vmcoreinfo(vm, &gpa, &len))
		v->note_len = view_note_len(v->mem, gpa, len);
	if (v->note_len)
		ret = view_note_copy(v, gpa);
	if (!ret && !v->note)
		ret = mem_each(v->mem, view_search, v);
	/* All vCPUs of a kernel have its half in common: what a few do not have, none has. */
	for (unsigned int i = 0; !v->found && tries && i < vm->nr_vcpus; i++) {
		if (arch_vcpu_space(vm->vcpu[i], &space) || !space.levels)
			continue;
		v->found = !arch_linux_find(v->mem, &space, &v->map);
		tries--;
	}
	if (!v->found)
		view_by_note(v);
	return min(ret, 0);
}

void view_close(struct linux_view *v)
{
	free(v->note);
	v->note = NULL;
	if (v->pagemap >= 0)
		close(v->pagemap);
	v->pagemap = -1;
}

int view_read(const struct linux_view *v, u64 addr, void *buf, size_t len)
{
	struct arch_walk walk;

	while (len) {
		size_t part = min((u64)len, VIEW_PAGE - (addr & (VIEW_PAGE - 1)));

		if (arch_space_walk(v->mem, &v->map.space, addr, &walk) || mem_read(v->mem, walk.gpa, buf, part))
			return -EFAULT;
		buf = (char *)buf + part;
		addr += part;
		len -= part;
	}
	return 0;
}
