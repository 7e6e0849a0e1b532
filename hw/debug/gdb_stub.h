/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the gdb server share. Main thread, lock held, unless it says otherwise. */
#ifndef HW_DEBUG_GDB_STUB_H
#define HW_DEBUG_GDB_STUB_H

#include <stdio.h>

#include <kvm/arch.h>
#include <kvm/gdb.h>
#include <kvm/vm.h>

#include "gdb_peer.h"
#include "gdb_points.h"

/* Signals by gdb's numbers ("Debugging with GDB", E.14.10). */
#define GDB_SIGINT	2
#define GDB_SIGTRAP	5

struct gdb_vcpu {
	char action;			/* how it is to go on: 'c', 's', 0: not at all */
	struct arch_debug set;		/* what KVM has been told */
	enum arch_stop stop;		/* why it stopped, and nobody has been told yet */
	struct arch_point point;	/* ARCH_STOP_POINT: of these */
};

struct gdb {
	char *where;
	const char *version;
	struct watch listen;
	struct gdb_peer peer;

	struct vm *vm;			/* while started */
	struct vm_debugger debugger;
	struct work stopped;		/* a vCPU has met something */
	struct gdb_vcpu *vcpu;		/* vm->nr_vcpus of them */
	struct gdb_points points;
	bool wait;			/* for a debugger, before the first instruction */
	bool attached;			/* the machine is a debugger's */
	bool running;			/* and it has let some of it go */

	/* What the client has chosen. */
	unsigned int current;		/* the vCPU that registers and memory are of */
	bool swbreak, hwbreak;		/* it knows these reasons to stop */

	size_t reply_len;
	char reply[GDB_PACKET_MAX];
};

/* A packet, while the machine stands still. */
void gdb_serve(struct gdb *g, const char *data, size_t len);

/* hw/debug/gdb_stop.c */
/* All vCPUs stand still. 0 or -errno: the machine is ending, or one of them does not come. */
int gdb_hold(struct gdb *g);
/* They go on. */
void gdb_go(struct gdb *g);
/* On the vCPU's thread, lock held: note why it stopped. Was it the debugger's business? */
bool gdb_note(struct gdb *g, struct vcpu *vcpu);
/* A vCPU has stopped, and nobody has been told yet. */
bool gdb_has_stopped(const struct gdb *g);
/* The client asks: let the vCPUs go on by their action. 0 or -errno. */
int gdb_resume(struct gdb *g);
/* Tell the client why the machine stands still: one of the reasons that there are, or else @sig. */
void gdb_report(struct gdb *g, unsigned int sig);
/* The machine is nobody's any more, and goes on. */
void gdb_release(struct gdb *g);
/* Do what the line behind gdb's "monitor" says; its text goes to @f. */
void gdb_monitor_line(struct gdb *g, const char *line, FILE *f);

#endif
