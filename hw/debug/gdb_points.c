// SPDX-License-Identifier: GPL-2.0
/*
 * Breakpoints and memory: see gdb_points.h. A breakpoint instruction is written by
 * physical address: the guest's page tables may say that its text is read-only, and
 * may be others when it is taken out.
 */
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "gdb_points.h"

#define GDB_PAGE	4096ULL		/* bytes that are mapped together at least */

static int points_translate(const struct gdb_points *p, struct vcpu *vcpu, u64 addr, gpa_t *gpa)
{
	if (!p->physical)
		return arch_vcpu_translate(vcpu, addr, gpa);
	*gpa = addr;
	return 0;
}

static int points_write(const struct gdb_points *p, gpa_t gpa, const void *buf, size_t len)
{
	return mem_write(&p->vm->mem, gpa, buf, len) && mem_write_rom(&p->vm->mem, gpa, buf, len) ?
		-EFAULT : 0;
}

/* The byte of a breakpoint at @gpa, or NULL. */
static u8 *points_orig(struct gdb_points *p, gpa_t gpa)
{
	for (unsigned int i = 0; i < p->nr_breaks; i++)
		for (size_t k = 0; k < arch_break_len; k++)
			if (p->brk[i].gpa[k] == gpa)
				return &p->brk[i].orig[k];
	return NULL;
}

/* Does any breakpoint touch the page? Most do not, and need no look at each byte. */
static bool points_touch(const struct gdb_points *p, gpa_t gpa)
{
	for (unsigned int i = 0; i < p->nr_breaks; i++)
		for (size_t k = 0; k < arch_break_len; k++)
			if ((p->brk[i].gpa[k] ^ gpa) < GDB_PAGE)
				return true;
	return false;
}

static int points_read_part(struct gdb_points *p, gpa_t gpa, u8 *buf, size_t len)
{
	const u8 *orig;

	if (mem_read(&p->vm->mem, gpa, buf, len))
		return -EFAULT;
	for (size_t i = 0; i < len && points_touch(p, gpa); i++) {
		orig = points_orig(p, gpa + i);
		if (orig)
			buf[i] = *orig;
	}
	return 0;
}

static int points_write_part(struct gdb_points *p, gpa_t gpa, const u8 *buf, size_t len)
{
	size_t i;
	u8 *orig;

	if (!points_touch(p, gpa))
		return points_write(p, gpa, buf, len);
	for (i = 0; i < len; i++) {
		orig = points_orig(p, gpa + i);
		if (orig)
			*orig = buf[i];
		else if (points_write(p, gpa + i, buf + i, 1))
			return -EFAULT;
	}
	return 0;
}

/* How many bytes at @addr are in one page. */
static size_t points_part(u64 addr, size_t len)
{
	return min((u64)len, GDB_PAGE - (addr & (GDB_PAGE - 1)));
}

size_t gdb_memory_read(struct gdb_points *p, struct vcpu *vcpu, u64 addr, void *buf, size_t len)
{
	size_t done = 0, part;
	gpa_t gpa;

	for (; done < len; done += part) {
		part = points_part(addr + done, len - done);
		if (points_translate(p, vcpu, addr + done, &gpa) ||
		    points_read_part(p, gpa, (u8 *)buf + done, part))
			break;
	}
	return done;
}

size_t gdb_memory_write(struct gdb_points *p, struct vcpu *vcpu, u64 addr, const void *buf, size_t len)
{
	size_t done = 0, part;
	gpa_t gpa;

	for (; done < len; done += part) {
		part = points_part(addr + done, len - done);
		if (points_translate(p, vcpu, addr + done, &gpa) ||
		    points_write_part(p, gpa, (const u8 *)buf + done, part))
			break;
	}
	return done;
}

bool gdb_break_at(const struct gdb_points *p, u64 addr)
{
	for (unsigned int i = 0; i < p->nr_breaks; i++)
		if (p->brk[i].addr == addr)
			return true;
	return false;
}

/* Put the instruction in, or nothing. */
static int break_insert(struct gdb_points *p, struct vcpu *vcpu, struct gdb_break *b)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < arch_break_len; i++) {
		ret = arch_vcpu_translate(vcpu, b->addr + i, &b->gpa[i]);
		if (!ret)
			ret = points_read_part(p, b->gpa[i], &b->orig[i], 1);
	}
	for (i = 0; !ret && i < arch_break_len; i++)
		ret = points_write(p, b->gpa[i], arch_break_insn + i, 1);
	return ret;
}

/* In memory. */
static int break_write(struct gdb_points *p, struct vcpu *vcpu, u64 addr)
{
	struct gdb_break *b = &p->brk[p->nr_breaks];
	int ret;

	if (p->nr_breaks == GDB_BREAKS_MAX)
		return -ENOSPC;
	b->addr = addr;
	ret = break_insert(p, vcpu, b);
	p->nr_breaks += !ret;
	return ret;
}

/* On all architectures that Linux has, its own half of addresses is the upper one. */
static bool break_is_kernel(u64 addr)
{
	return addr >> 63;
}

int gdb_break_set(struct gdb_points *p, struct vcpu *vcpu, u64 addr)
{
	const struct arch_point point = { addr, 1, ARCH_EXEC };
	unsigned int nr = p->nr_points;

	if (gdb_break_at(p, addr))
		return 0;
	if (break_is_kernel(addr) && nr < ARCH_POINTS_MAX) {
		if (!gdb_point_set(p, vcpu, &point) && p->nr_points > nr)
			p->lent[nr] = true;
		return 0;
	}
	return break_write(p, vcpu, addr) ? gdb_point_set(p, vcpu, &point) : 0;
}

/* Has the guest written something else there, it stays. */
static void break_remove(const struct gdb_points *p, const struct gdb_break *b)
{
	u8 now;

	for (size_t i = 0; i < arch_break_len; i++)
		if (!mem_read(&p->vm->mem, b->gpa[i], &now, 1) && now == arch_break_insn[i])
			points_write(p, b->gpa[i], &b->orig[i], 1);
}

void gdb_break_clear(struct gdb_points *p, u64 addr)
{
	for (unsigned int i = 0; i < p->nr_breaks; i++) {
		if (p->brk[i].addr != addr)
			continue;
		break_remove(p, &p->brk[i]);
		p->brk[i] = p->brk[--p->nr_breaks];
		return;
	}
	gdb_point_clear(p, &(struct arch_point) { addr, 1, ARCH_EXEC });
}

static bool point_same(const struct arch_point *a, const struct arch_point *b)
{
	return a->addr == b->addr && a->kind == b->kind && (a->kind == ARCH_EXEC || a->len == b->len);
}

static void point_remove(struct gdb_points *p, unsigned int i)
{
	p->nr_points--;
	p->point[i] = p->point[p->nr_points];
	p->lent[i] = p->lent[p->nr_points];
}

/* Make room for a point by one that is lent. */
static int point_claim(struct gdb_points *p, struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < p->nr_points; i++)
		if (p->lent[i] && !break_write(p, vcpu, p->point[i].addr)) {
			point_remove(p, i);
			return 0;
		}
	return -ENOSPC;
}

int gdb_point_set(struct gdb_points *p, struct vcpu *vcpu, const struct arch_point *point)
{
	if (!arch_point_valid(point))
		return -EINVAL;
	for (unsigned int i = 0; i < p->nr_points; i++)
		if (point_same(&p->point[i], point))
			return 0;
	if (p->nr_points == ARCH_POINTS_MAX && point_claim(p, vcpu))
		return -ENOSPC;
	p->lent[p->nr_points] = false;
	p->point[p->nr_points++] = *point;
	return 0;
}

void gdb_point_clear(struct gdb_points *p, const struct arch_point *point)
{
	for (unsigned int i = 0; i < p->nr_points; i++)
		if (point_same(&p->point[i], point)) {
			point_remove(p, i);
			return;
		}
}

void gdb_points_clear(struct gdb_points *p)
{
	while (p->nr_breaks)
		break_remove(p, &p->brk[--p->nr_breaks]);
	p->nr_points = 0;
}
