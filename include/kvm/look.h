/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inspecting a guest that does not respond: hw/debug/look.c. The vCPUs are held for it
 * (HOLD_LOOK) and go on afterwards. Main thread, lock held, and released meanwhile.
 */
#ifndef KVM_LOOK_H
#define KVM_LOOK_H

#include <stdio.h>

#include <kvm/types.h>

struct vm;

#define LOOK_ALL	-1

/*
 * Print the registers of vCPU @vcpu; LOOK_ALL: of the first 16.
 * 0, -EINVAL: there is no such vCPU, or as vm_pause().
 */
int look_registers(struct vm *vm, int vcpu, FILE *f);
/* A non-maskable interrupt for vCPU @vcpu or LOOK_ALL. 0, -ENOTSUP: KVM has none, or as above. */
int look_nmi(struct vm *vm, int vcpu);

/* The Linux kernel that runs, as its vmcoreinfo says. */
struct look_linux {
	bool found;
	u64 moved;			/* bytes from where it was linked for: KASLR; 0 also if it does not say yet */
	u64 text;			/* virtual address where its code begins, 0: it does not say */
	char release[72], build_id[80];	/* "" if it does not say; printable */
};
/* 0, -ENOMEM, or as vm_pause(). A kernel that is not found is no error. */
int look_linux(struct vm *vm, struct look_linux *l);

/*
 * Print the kernel's messages out of its memory, also those that its console does not show: the last
 * @max bytes of them. 0, -ENOENT: there is no Linux kernel, or it does not say where they are; -EFAULT:
 * they are not there; -ENOMEM, or as vm_pause().
 */
int look_kmsg(struct vm *vm, size_t max, FILE *f);

/* Memory as lines of 16 bytes, or the page tables' entries on the way to it. */
#define LOOK_MEMORY_MAX	8192
struct look_memory {
	int vcpu;			/* whose page tables */
	bool physical, walk;
	const char *addr;		/* a number, or a symbol of a Linux kernel, "+" and a number behind it */
	u64 len;			/* bytes, up to LOOK_MEMORY_MAX */
};
/* 0, -EINVAL: no such vCPU, or no address; -ENOENT: no such symbol; -ENOTSUP: page tables of another mode; or as vm_pause(). */
int look_memory(struct vm *vm, const struct look_memory *what, FILE *f);

#endif
