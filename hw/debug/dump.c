// SPDX-License-Identifier: GPL-2.0
/*
 * A dump: see kvm/dump.h. The form is that of a kdump: an ELF core (System V gABI, chapters
 * 4 and 5) whose segments have physical addresses; NT_PRSTATUS notes have the vCPUs'
 * registers, and the note VMCOREINFO is the kernel's. Where Linux is found, virtual addresses
 * are in it, too: of the direct map, of the kernel's image and of the stacks; memory is in the
 * file once only. makedumpfile computes where the direct map is from one segment, and versions
 * differ in whether that is the first or the last: both are of the direct map.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/dump.h>
#include <kvm/elf.h>
#include <kvm/file.h>
#include <kvm/life.h>
#include <kvm/memory.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "linux_view.h"

#define DUMP_PAGE	4096ULL
#define DUMP_PIECE	(16 * MIB)	/* bytes of a write at most */
#define DUMP_LOOK	(2 * MIB)	/* zeroes are read up to such an address; the host's huge pages are as large */
#define DUMP_FIRST	MIB		/* bytes of the first segment, which is apart from the last */
#define DUMP_STACK	(16 * DUMP_PAGE)	/* of a stack that is not in the direct map, at most */

struct dump {
	struct vm *vm;
	int fd;
	struct linux_view view;
	Elf64_Phdr *ph;			/* of the notes, then of memory */
	unsigned int nr, max, regions;	/* regions of memory come after the notes */
	char *notes;
	size_t notes_len;
	bool only_notes;
	u64 off;			/* where the next piece of memory goes */
	u64 data;
};

static int dump_note(FILE *f, const char *name, u32 type, const void *desc, u32 len)
{
	Elf64_Nhdr head = { .n_namesz = strlen(name) + 1, .n_descsz = len, .n_type = type };
	static const char zeroes[4];

	fwrite(&head, sizeof(head), 1, f);
	fwrite(name, head.n_namesz, 1, f);
	fwrite(zeroes, ALIGN(head.n_namesz, 4) - head.n_namesz, 1, f);
	fwrite(desc, len, 1, f);
	fwrite(zeroes, ALIGN(len, 4) - len, 1, f);
	return ferror(f) ? -ENOMEM : 0;
}

static int dump_notes(struct dump *d)
{
	FILE *f = open_memstream(&d->notes, &d->notes_len);
	u8 status[ARCH_PRSTATUS_MAX];
	size_t len;
	int ret = f ? 0 : -ENOMEM;

	for (unsigned int i = 0; !ret && i < d->vm->nr_vcpus; i++) {
		ret = arch_prstatus(d->vm->vcpu[i], i + 1, status, &len);
		if (!ret)
			ret = dump_note(f, "CORE", NT_PRSTATUS, status, len);
	}
	if (!ret && d->view.note)
		fwrite(d->view.note, d->view.note_len, 1, f);
	if (f && fclose(f))
		ret = -ENOMEM;
	return ret;
}

static void dump_segment(struct dump *d, u64 addr, gpa_t gpa, u64 off, u64 len)
{
	if (d->nr == d->max)
		return;
	d->ph[d->nr++] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X, .p_offset = off, .p_vaddr = addr,
		.p_paddr = gpa, .p_filesz = len, .p_memsz = len,
		.p_align = 0,	/* as in a kdump: crash takes it for one of netdump otherwise */
	};
}

static int dump_region(void *obj, const struct mem_region *r)
{
	struct dump *d = obj;
	u64 direct = d->view.found ? d->view.map.direct : 0;

	u64 at, len;

	if (r->use != MEM_RAM && r->use != MEM_PLUGGABLE)
		return 0;
	/* There are two at least. */
	for (at = 0; at < r->len; at += len) {
		len = d->nr == 1 ? min(r->len, DUMP_FIRST) : r->len - at;
		dump_segment(d, direct + r->gpa + at, r->gpa + at, d->off, len);
		d->off += len;
	}
	return 0;
}

/* The same memory at another virtual address, if it is in the file. */
static void dump_alias(struct dump *d, u64 addr, gpa_t gpa, u64 len)
{
	for (unsigned int i = 1; i <= d->regions; i++) {
		u64 at = gpa - d->ph[i].p_paddr;

		if (at >= d->ph[i].p_filesz || len > d->ph[i].p_filesz - at)
			continue;
		dump_segment(d, addr, gpa, d->ph[i].p_offset + at, len);
		return;
	}
}

/* Pages from the stack pointer upwards, which lie anywhere. */
static void dump_stack(struct dump *d, struct vcpu *vcpu)
{
	const struct arch_linux *map = &d->view.map;
	struct arch_frame frame;
	struct arch_walk walk;
	u64 addr, end;

	if (arch_vcpu_frame(vcpu, &frame) || !frame.kernel)
		return;
	addr = frame.sp & ~(DUMP_PAGE - 1);
	for (end = addr + DUMP_STACK; addr < end; addr += DUMP_PAGE) {
		if (arch_space_walk(d->view.mem, &map->space, addr, &walk) || addr - walk.gpa == map->direct)
			return;
		dump_alias(d, addr, walk.gpa, DUMP_PAGE);
	}
}

static int dump_segments(struct dump *d)
{
	const struct arch_linux *map = &d->view.map;
	u64 head;

	d->max = 1 + MEM_REGIONS_MAX + 1 + 1 + d->vm->nr_vcpus * (DUMP_STACK / DUMP_PAGE);
	d->ph = calloc(d->max, sizeof(*d->ph));
	if (!d->ph)
		return -ENOMEM;
	/* The headers are as long as if all were used. */
	head = sizeof(Elf64_Ehdr) + d->max * sizeof(*d->ph);
	d->off = ALIGN(head + d->notes_len, DUMP_PAGE);
	d->ph[d->nr++] = (Elf64_Phdr) {
		.p_type = PT_NOTE, .p_offset = head, .p_filesz = d->notes_len, .p_memsz = d->notes_len,
		.p_align = 4,
	};
	mem_each(d->view.mem, dump_region, d);
	d->regions = d->nr - 1;
	if (!d->view.found)
		return 0;
	dump_alias(d, map->image, map->image_gpa, map->image_len);
	for (unsigned int i = 0; i < d->vm->nr_vcpus; i++)
		dump_stack(d, d->vm->vcpu[i]);
	return 0;
}

/* The file */

static int dump_put(struct dump *d, const void *buf, size_t len, u64 off)
{
	int ret = file_pwrite(d->fd, buf, len, off);

	if (!ret)
		d->data += len;
	return ret;
}

static int dump_head(struct dump *d)
{
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB, EV_CURRENT },
		.e_type = ET_CORE, .e_machine = arch_elf_machine, .e_version = EV_CURRENT,
		.e_phoff = sizeof(eh), .e_ehsize = sizeof(eh), .e_phentsize = sizeof(*d->ph), .e_phnum = d->nr,
	};
	unsigned int first = min(d->regions, 1U) + 1;	/* notes, and the first of the direct map */
	unsigned int alias = d->regions + 1;
	u64 off = sizeof(eh);
	int ret = dump_put(d, &eh, sizeof(eh), 0);

	if (!ret)
		ret = dump_put(d, d->ph, first * sizeof(*d->ph), off);
	off += first * sizeof(*d->ph);
	if (!ret)
		ret = dump_put(d, d->ph + alias, (d->nr - alias) * sizeof(*d->ph), off);
	off += (d->nr - alias) * sizeof(*d->ph);
	if (!ret)
		ret = dump_put(d, d->ph + first, (alias - first) * sizeof(*d->ph), off);
	return ret ? ret : dump_put(d, d->notes, d->notes_len, d->ph[0].p_offset);
}

/* How many bytes at @gpa of @len are zeroes (@zero), or are not: whole pages, one at least. */
static u64 dump_run(const struct dump *d, gpa_t gpa, u64 len, bool *zero)
{
	u64 at, skip = mem_untouched(d->view.mem, gpa, d->view.pagemap);

	*zero = skip || mem_is_zero(d->view.mem, gpa, DUMP_PAGE);
	at = max(skip & ~(DUMP_PAGE - 1), DUMP_PAGE);
	while (at < min(len, DUMP_PIECE) && mem_is_zero(d->view.mem, gpa + at, DUMP_PAGE) == *zero) {
		at += DUMP_PAGE;
		/* What follows may be untouched, and reading would touch it. */
		if (*zero && !((gpa + at) & (DUMP_LOOK - 1)))
			break;
	}
	return min(at, len);
}

/* Straight from the guest's memory, as nothing is to be in memory twice. */
static int dump_memory(struct dump *d, const Elf64_Phdr *ph)
{
	u64 at, len;
	bool zero;

	for (at = 0; at < ph->p_filesz; at += len) {
		int ret;

		len = dump_run(d, ph->p_paddr + at, ph->p_filesz - at, &zero);
		if (zero)
			continue;
		ret = mem_write_file(d->view.mem, ph->p_paddr + at, d->fd, len, ph->p_offset + at);
		if (ret)
			return ret;
		d->data += len;
	}
	return 0;
}

static int dump_file(struct dump *d)
{
	int ret = ftruncate(d->fd, 0) < 0 || ftruncate(d->fd, d->off) < 0 ? -errno : 0;

	for (unsigned int i = 1; !ret && i <= d->regions; i++)
		ret = dump_memory(d, &d->ph[i]);
	/* The headers come last: without them the file is not taken for a whole dump. */
	return ret ? ret : dump_head(d);
}

static int dump_all(struct dump *d)
{
	int ret = view_open(&d->view, d->vm);

	if (!ret)
		ret = dump_notes(d);
	if (!ret)
		ret = dump_segments(d);
	if (d->only_notes)
		d->nr = 1, d->regions = 0;
	return ret ? ret : dump_file(d);
}

/* The vCPUs stand still: held, or without threads. */
static int dump_hold(struct vm *vm, struct opt_err *err)
{
	bool threads = false;
	int ret;

	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		threads |= vm->vcpu[i]->started;
	if (vm->end != VM_RUNNING && !threads)
		return 0;
	ret = vm_pause(vm, HOLD_LOOK);
	if (ret)
		snprintf(err->text, sizeof(err->text), ret == -ETIMEDOUT ?
			 "a vCPU waits for the host and cannot be held" : "the machine is ending");
	return ret;
}

static int dump_begin(struct dump *d, struct dump_report *report, struct opt_err *err)
{
	u64 begin = loop_now();
	struct stat st;
	int ret;

	if (fstat(d->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(err->text, sizeof(err->text), "a regular file is needed, as a dump has holes");
		return -EINVAL;
	}
	ret = dump_hold(d->vm, err);
	if (ret)
		return ret;
	ret = dump_all(d);
	vm_release(d->vm, HOLD_LOOK);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s, after %llu MiB: %s", strerror(-ret),
			 (unsigned long long)(d->data / MIB), ftruncate(d->fd, 0) < 0 ?
			 "what the file has is not a whole dump" : "the file has been emptied");
	*report = (struct dump_report) {
		.size = d->off, .data = d->data, .ns = loop_now() - begin, .vmcoreinfo = d->view.note,
	};
	view_number(&d->view, "KERNELOFFSET", 16, &report->moved);
	view_close(&d->view);
	free(d->notes);
	free(d->ph);
	return ret;
}

int dump_write(struct vm *vm, int fd, struct dump_report *report, struct opt_err *err)
{
	struct dump d = { .vm = vm, .fd = fd };

	return dump_begin(&d, report, err);
}

int dump_write_notes(struct vm *vm, int fd, struct opt_err *err)
{
	struct dump d = { .vm = vm, .fd = fd, .only_notes = true };
	struct dump_report report;

	return dump_begin(&d, &report, err);
}

void dump_text(const struct dump_report *r, char *text, size_t size)
{
	size_t len = snprintf(text, size, "%llu MiB, %llu of them on the disk, in %llu ms",
			      (unsigned long long)(r->size / MIB), (unsigned long long)(r->data + MIB - 1) / MIB,
			      (unsigned long long)(r->ns / 1000000));

	if (!r->vmcoreinfo)
		snprintf(text + len, size - len,
			 "; the kernel has no VMCOREINFO (CONFIG_CRASH_DUMP), without which crash and drgn do not read it");
	else if (r->moved)
		snprintf(text + len, size - len, "; for gdb: symbol-file vmlinux -o 0x%llx", (unsigned long long)r->moved);
}
