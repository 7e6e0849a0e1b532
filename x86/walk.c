// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables in guest memory: see kvm/arch.h. Intel SDM volume 3, 4.5; where Linux lies
 * by them: Documentation/arch/x86/x86_64/mm.rst.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/memory.h>
#include <kvm/vcpu.h>

#define CR0_PG		(1u << 31)
#define CR4_LA57	(1u << 12)
#define EFER_LMA	(1u << 10)

#define PTE_PRESENT	(1ULL << 0)
#define PTE_LARGE	(1ULL << 7)
#define PTE_ADDR	0x000ffffffffff000ULL
#define PTE_NX		(1ULL << 63)
/* Page table isolation: the half of a pair of tables that programs use (Documentation/arch/x86/pti.rst). */
#define PTI_USER	0x1000ULL

/* The kernel's image, and where its modules begin at the latest. */
#define IMAGE_START	0xffffffff80000000ULL
#define IMAGE_END	0xffffffffc0000000ULL
#define IMAGE_ALIGN	(2 * MIB)
/* The direct map: where it may begin, with 4 and with 5 levels; Linux moves it by whole GiB. */
#define DIRECT_START_4	0xffff880000000000ULL
#define DIRECT_START_5	0xff11000000000000ULL
#define DIRECT_END	0xfffff00000000000ULL

int arch_vcpu_space(struct vcpu *vcpu, struct arch_space *space)
{
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	*space = (struct arch_space) { .root = s.cr3 & PTE_ADDR };
	if (!(s.cr0 & CR0_PG))
		return 0;
	if (!(s.efer & EFER_LMA))
		return -ENOTSUP;
	space->levels = s.cr4 & CR4_LA57 ? 5 : 4;
	return 0;
}

/* Bytes that an entry of the table maps that is @left tables above the last one. */
static u64 walk_page(unsigned int left)
{
	return 1ULL << (12 + 9 * left);
}

int arch_space_walk(const struct mem *mem, const struct arch_space *space, u64 addr, struct arch_walk *walk)
{
	gpa_t table = space->root & PTE_ADDR;
	unsigned int left = min(space->levels, (unsigned int)ARCH_STEPS_MAX);
	u64 entry = 0;

	*walk = (struct arch_walk) { .gpa = addr, .page = walk_page(0) };
	if (!left)
		return 0;
	walk->page = walk_page(left - 1);
	if ((s64)(addr << (64 - 12 - 9 * left)) >> (64 - 12 - 9 * left) != (s64)addr)
		return -EFAULT;
	while (left--) {
		gpa_t at = table + 8 * (addr / walk_page(left) % 512);

		walk->page = walk_page(left);
		if (mem_read(mem, at, &entry, sizeof(entry)))
			return -EFAULT;
		walk->step[walk->nr].gpa = at;
		walk->step[walk->nr++].entry = entry;
		if (!(entry & PTE_PRESENT))
			return -EFAULT;
		if (left <= 2 && left && entry & PTE_LARGE)
			break;
		table = entry & PTE_ADDR;
	}
	walk->gpa = (entry & PTE_ADDR & ~(walk->page - 1)) + (addr & (walk->page - 1));
	return 0;
}

void arch_entry_text(u64 entry, char *text, size_t size)
{
	static const struct {
		u64 bit;
		const char *name;
	} flags[] = {
		{ PTE_PRESENT, "present" }, { 1 << 1, "write" }, { 1 << 2, "user" }, { 1 << 3, "pwt" }, { 1 << 4, "pcd" },
		{ 1 << 5, "accessed" }, { 1 << 6, "dirty" }, { PTE_LARGE, "large" }, { 1 << 8, "global" }, { PTE_NX, "nx" },
	};
	size_t len = snprintf(text, size, "%016llx", (unsigned long long)(entry & PTE_ADDR));

	for (unsigned int i = 0; i < ARRAY_SIZE(flags) && len < size; i++)
		if (entry & flags[i].bit)
			len += snprintf(text + len, size - len, " %s", flags[i].name);
}

static bool walk_reaches(const struct mem *mem, const struct arch_space *space, u64 addr, gpa_t gpa)
{
	struct arch_walk walk;

	return !arch_space_walk(mem, space, addr, &walk) && walk.gpa == gpa;
}

/* A search for mapped addresses. A hostile guest's tables have an end, too. */
struct walk_search {
	const struct mem *mem;
	const struct arch_space *space;
	unsigned int left;		/* walks */
};
#define WALKS_MAX	(1u << 20)

/* The first mapped address from @addr to @end, or @end. */
static u64 walk_first(struct walk_search *s, u64 addr, u64 end, struct arch_walk *walk)
{
	while (addr < end && s->left && s->left--) {
		if (!arch_space_walk(s->mem, s->space, addr, walk))
			return addr;
		if (__builtin_add_overflow(addr & ~(walk->page - 1), walk->page, &addr))
			break;
	}
	return end;
}

/* The image: from its first mapped address to the last one that is as far from its physical one. */
static int linux_image(const struct mem *mem, struct arch_linux *l)
{
	struct walk_search search = { mem, &l->space, WALKS_MAX };
	struct arch_walk walk;
	u64 addr = walk_first(&search, IMAGE_START, IMAGE_END, &walk), offset, end;

	if (addr >= IMAGE_END || addr & (IMAGE_ALIGN - 1) || !mem_region(mem, walk.gpa))
		return -ENOENT;
	l->image = addr;
	l->image_gpa = walk.gpa;
	offset = addr - walk.gpa;
	end = addr;
	for (; addr < IMAGE_END; addr = walk_first(&search, end, IMAGE_END, &walk)) {
		if (addr - walk.gpa != offset || !mem_map(mem, walk.gpa & ~(walk.page - 1), walk.page))
			break;
		end = (addr & ~(walk.page - 1)) + walk.page;
	}
	l->image_len = end - l->image;
	return l->image_len >= IMAGE_ALIGN && mem_map(mem, l->image_gpa, l->image_len) ? 0 : -ENOENT;
}

/* It maps all RAM, so also the image; and begins with a whole number of GiB. */
static u64 linux_direct(const struct mem *mem, const struct arch_linux *l)
{
	u64 addr = l->space.levels == 5 ? DIRECT_START_5 : DIRECT_START_4, step = walk_page(l->space.levels - 1);
	struct walk_search search = { mem, &l->space, WALKS_MAX };
	struct arch_walk walk;

	for (unsigned int i = 0; i < 512 && addr < DIRECT_END; i++) {
		u64 at = walk_first(&search, addr, DIRECT_END, &walk), direct;

		if (at >= DIRECT_END)
			break;
		direct = at - walk.gpa;
		if (!(direct & (GIB - 1)) && walk_reaches(mem, &l->space, direct + l->image_gpa, l->image_gpa))
			return direct;
		/* The page, or the whole first table's entry, is something else. */
		addr = (at & ~(step - 1)) + step;
	}
	return 0;
}

int arch_linux_find(const struct mem *mem, const struct arch_space *space, struct arch_linux *l)
{
	if (space->levels < 4)
		return -ENOENT;
	*l = (struct arch_linux) { .space = { space->root & ~PTI_USER, space->levels } };
	if (linux_image(mem, l)) {
		l->space.root = space->root;
		if (linux_image(mem, l))
			return -ENOENT;
	}
	l->direct = linux_direct(mem, l);
	return 0;
}

struct arch_space arch_linux_space(u64 init_top_pgt, u64 phys_base, bool five_levels)
{
	return (struct arch_space) { init_top_pgt - IMAGE_START + phys_base, five_levels ? 5 : 4 };
}
