/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A debugger's breakpoints and watchpoints, and guest memory as it is without
 * them. All vCPUs are held. Main thread, lock held.
 */
#ifndef HW_DEBUG_GDB_POINTS_H
#define HW_DEBUG_GDB_POINTS_H

#include <kvm/arch.h>
#include <kvm/types.h>

#define GDB_BREAKS_MAX	256

struct vcpu;
struct vm;

/* A breakpoint instruction in guest memory. */
struct gdb_break {
	u64 addr;			/* virtual */
	gpa_t gpa[ARCH_BREAK_MAX];	/* of each byte */
	u8 orig[ARCH_BREAK_MAX];
};

struct gdb_points {
	struct vm *vm;
	bool physical;			/* memory is meant by its physical address */
	struct gdb_break brk[GDB_BREAKS_MAX];
	unsigned int nr_breaks;
	struct arch_point point[ARCH_POINTS_MAX];
	bool lent[ARCH_POINTS_MAX];	/* to a breakpoint that could be in memory */
	unsigned int nr_points;
};

/*
 * A breakpoint at @addr, in the memory that @vcpu sees there. The processor watches the address
 * instead where nothing is mapped yet, because the kernel has not set its page tables up; and, while it can
 * watch one more, where the address is in the kernel's half, as a kernel may patch its own code. Setting one that there is already is nothing. 0;
 * -ENOSPC: no more of them; -errno.
 */
int gdb_break_set(struct gdb_points *p, struct vcpu *vcpu, u64 addr);
void gdb_break_clear(struct gdb_points *p, u64 addr);
/* Is the breakpoint instruction at @addr ours? On any thread, lock held. */
bool gdb_break_at(const struct gdb_points *p, u64 addr);

/* 0; -ENOSPC; -EINVAL: the processor cannot watch that. A breakpoint that need not be a point goes into memory for it. */
int gdb_point_set(struct gdb_points *p, struct vcpu *vcpu, const struct arch_point *point);
void gdb_point_clear(struct gdb_points *p, const struct arch_point *point);

/* All of them go. */
void gdb_points_clear(struct gdb_points *p);

/* Read or write up to @len bytes, which are not those of breakpoints: how many it was before nothing is mapped. */
size_t gdb_memory_read(struct gdb_points *p, struct vcpu *vcpu, u64 addr, void *buf, size_t len);
size_t gdb_memory_write(struct gdb_points *p, struct vcpu *vcpu, u64 addr, const void *buf, size_t len);

#endif
