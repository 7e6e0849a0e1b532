/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine to be built. builtin/run/ fills it in from the command line, and
 * vm_create() reads it. Nothing else changes it.
 */
#ifndef KVM_CONFIG_H
#define KVM_CONFIG_H

#include <kvm/memory.h>
#include <kvm/types.h>

struct confine;
struct display;
struct inputs;
struct threads;
struct keep;
struct trace;

#define VM_DEVICES_MAX	192	/* as many as PCI has room for, and free slots */
#define VM_NODES_MAX	64
#define VM_MODULES_MAX	16

/* The guest's NUMA nodes. They take RAM in their order. */
struct numa {
	unsigned int nr;
	struct {
		u64 mem;		/* bytes, a multiple of 1 MiB, or 0 */
		int host;		/* the host's node that it comes from, -1: any */
	} node[VM_NODES_MAX];
	u8 distance[VM_NODES_MAX][VM_NODES_MAX];	/* 10: here, 255: not to be reached */
	unsigned char *cpu;		/* by vCPU: its node */
};

struct device_config {
	const char *type;		/* a struct device_type's name */
	const char *opts;		/* its suboptions, or NULL */
	bool gone;			/* it was removed while the machine ran: later starts do not have it */
	const char *again;		/* the same in a snapshot, if there they are others, or NULL: see plan.h */
};

/*
 * Where the I/O APIC is emulated. KERNEL: in KVM, with 24 pins and two PICs. SPLIT: in
 * lkvm, with 24 pins. COMPACT: in lkvm, with only the pins that are in use.
 */
enum irqchip { IRQCHIP_KERNEL, IRQCHIP_SPLIT, IRQCHIP_COMPACT };

struct vm_config {
	const char *name;
	const char *kvm_path;		/* /dev/kvm */
	unsigned int cpus;		/* 1.., the product of the next three */
	unsigned int sockets, cores, threads;	/* cores of a socket, threads of a core */
	const char *cpu;		/* "host,+feature,-feature", or NULL: host */
	const unsigned short *pin;	/* for each vCPU the host's CPU that it runs on, or NULL: any */
	enum irqchip irqchip;
	bool pc;			/* the guest expects a PC's timers, tables and PICs */
	u64 mem;			/* bytes of RAM */
	struct mem_config ram;
	const struct numa *numa;	/* adds up to mem; NULL: no tables of nodes */
	const char *kernel;		/* path */
	const char *kernel_name;	/* for messages, NULL: the same */
	bool flat;			/* the kernel is a raw binary for real mode, loaded at flat_addr */
	u64 flat_addr;
	const char *kernel_cmdline;	/* complete */
	/*
	 * The initial ramdisk, in memory (owned by the caller), or NULL. Several files lie in
	 * it one after the other, each from a multiple of 4096 on: module[] has their lengths.
	 * To Linux they are one; to others, modules.
	 */
	const void *initrd;
	size_t initrd_len;
	size_t module[VM_MODULES_MAX];
	unsigned int nr_modules;	/* 0: initrd is one file, if there is one */
	const char *console;		/* tty spec of the first serial port (see tty.h), or NULL: none */
	const char *console_again;	/* the same in a snapshot, or NULL */
	bool hotplug;			/* there are slots for devices that come later */
	struct device_config device[VM_DEVICES_MAX];	/* beyond the board, in order */
	unsigned int nr_devices;
	struct confine *confine;	/* what the process gives up (kvm/confine.h), or NULL */
	bool files_apart;		/* file servers are processes of their own; RAM is MEM_MEMFD */
	struct threads *spawner;	/* starts the machine's threads (kvm/threads.h), or NULL */
	struct keep *keep;		/* files opened by name, kept over reboots; the caller's, or NULL */
	struct inputs *inputs;		/* what people type (kvm/input.h), or NULL; the caller's */
	struct trace *trace;		/* counts the exits, or NULL; the caller's */
	struct display *display;	/* what devices draw on (kvm/display.h), kept over reboots; the caller's, or NULL */
};

#endif
