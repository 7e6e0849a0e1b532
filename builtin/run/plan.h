/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The groups of options of "lkvm run" fill the plan in, in the order of run.c's list.
 * A group knows another only by the plan. It is a file: its options, its structure,
 * config(plan, own), and free(own), which frees what the plan points to.
 */
#ifndef RUN_PLAN_H
#define RUN_PLAN_H

#include <kvm/config.h>
#include <kvm/guest_conf.h>
#include <kvm/kernel.h>
#include <kvm/opt.h>
#include <kvm/session.h>
#include <kvm/snapshot.h>

struct plan {
	/* Of the command line, before any group. */
	char **argv;			/* the command, *argv NULL: a shell */
	const char *name;		/* --name, or NULL */
	bool nodefaults;		/* add only what the user has asked for */
	const char *root;		/* the directory that is the guest's root, or NULL: / */
	bool hostfs;			/* that root has the host's files at ROOTFS_HOST */
	bool sandbox;			/* --sandbox runs a script */
	const char *init;		/* a program of the root that becomes PID 1 in place of ours, or NULL */
	const char *plain_root;		/* offered by 9p as kvmtool's root, or NULL */
	char *hidden;			/* suboptions of each shared folder: ",hide=PATH" each; NULL: none */
	const char *wants_root;		/* an option that means something to a guest with the host's files only */
	const char *wants_command;	/* an option that means something to a command only */
	const struct opt_list *devices;	/* --device */

	struct kernel kernel;		/* not with a raw binary */
	bool is_linux;
	bool is_pc;			/* the guest is a program for an old PC */
	bool host_root;			/* PID 1 of ours, with the host's files as its root */
	unsigned int features;		/* INITRAMFS_..., what PID 1 needs */
	struct guest_conf conf;		/* PID 1's configuration */

	const char *control;		/* the path of the control socket, NULL: there is none */
	const char *gdb;		/* where a debugger connects, or NULL */
	const char *console;		/* of the kernel: "ttyS0" or "hvc0" */
	unsigned int serials;		/* serial ports of the machine, from ttyS0 on */
	bool messages;			/* the user reads the kernel's messages */
	struct session session;		/* open from watch_config() on */
	bool waits;			/* PID 1 waits for a command, which a snapshot is taken for */
	const char *dir;		/* relative paths of cfg begin there, or NULL */
	struct snapshot_session snapshot;	/* the session's part of one */

	struct vm_config cfg;		/* all that the machine is made of */

	char *text[3 * VM_DEVICES_MAX];	/* what cfg.device points to */
	unsigned int nr_text;
};

/* Print what is wrong and return @err. */
int plan_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As many descriptors as the host allows: for a machine of many vCPUs or devices. */
void plan_files(void);

/* One more device; @fmt are its suboptions, NULL: none. 0, or -errno with the message printed. */
int plan_device(struct plan *plan, const char *type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The device that was added last has terminals of the session: @again are its suboptions
 * with SNAPSHOT_CONSOLE and SNAPSHOT_PORTS (snapshot.h) in their place.
 */
int plan_device_again(struct plan *plan, const char *again);

/* Has the user asked for a device of that type? */
bool plan_has_device(const struct plan *plan, const char *type);

/* The user ID of the user who runs lkvm: behind sudo that is another than this process's. */
unsigned int plan_caller(void);

/* Does PID 1 of ours run the command, and report its status? */
static inline bool plan_commands(const struct plan *plan)
{
	return plan->host_root && !plan->init;
}

void plan_free(struct plan *plan);

#endif
