// SPDX-License-Identifier: GPL-2.0
/* The machine of a plan: see machine.h. */
#include <errno.h>
#include <stdio.h>

#include <kvm/backtrace.h>
#include <kvm/builtin.h>
#include <kvm/confine.h>
#include <kvm/console.h>
#include <kvm/device.h>
#include <kvm/fw_cfg.h>
#include <kvm/gdb.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/look.h>
#include <kvm/serial.h>
#include <kvm/snapshot.h>
#include <kvm/verbs.h>
#include <kvm/vm.h>

#include "dump.h"
#include "machine.h"
#include "plan.h"

/* What the session's callbacks get. */
struct machine_call {
	struct machine *machine;
	struct vm *vm;
};

static struct vm *machine_vm(void *call)
{
	return ((struct machine_call *)call)->vm;
}

static void machine_end(void *obj)
{
	vm_end(machine_vm(obj), VM_EXIT, 0);
}

static void machine_resize(void *obj, u16 rows, u16 cols)
{
	struct device *dev = device_find(machine_vm(obj), "virtio-console");

	if (dev)
		console_resize(dev, rows, cols);
}

static void machine_drain(void *obj, struct work *done)
{
	struct vm *vm = machine_vm(obj);
	struct device *dev = device_find(vm, "virtio-console");

	if (dev)
		console_drain(dev, vm->loop, done);
	else
		loop_post(vm->loop, done);
}

static int machine_break(void *obj, char key)
{
	struct device *dev = device_find(machine_vm(obj), "serial");

	return dev ? serial_break(dev, key) : -ENODEV;
}

static void machine_hold(void *obj, bool hold)
{
	if (hold)
		vm_pause(machine_vm(obj), HOLD_LOOK);
	else
		vm_release(machine_vm(obj), HOLD_LOOK);
}

static void machine_dump(void *obj)
{
	if (look_registers(machine_vm(obj), LOOK_ALL, stderr))
		pr_warn("no registers: a vCPU does not leave the guest");
	else
		backtrace_print(machine_vm(obj), LOOK_ALL, stderr);
}

static void machine_died(void *obj)
{
	struct machine_call *call = obj;

	if (call->machine->dump)
		dump_now(call->machine->dump, call->vm);
}

static void machine_waits(void *obj)
{
	struct machine_call *call = obj;
	struct machine *m = call->machine;

	if (m->waits && m->waits(m->obj, call->vm))
		vm_end(call->vm, VM_FAILED, 0);
}

static const struct session_ops machine_session_ops = {
	.end = machine_end, .resize = machine_resize, .drain = machine_drain, .brk = machine_break, .hold = machine_hold,
	.dump = machine_dump, .died = machine_died, .waits = machine_waits,
};

/* The first start: 0 or -errno with the message printed. */
static int machine_begin(struct machine *m, struct vm *vm)
{
	const struct snapshot *snap = m->snapshot;
	struct state *s;
	int ret;

	if (!snap)
		return vm_create(vm, &m->plan->cfg);
	ret = state_read(&s, snap->part[SNAPSHOT_STATE].data, snap->part[SNAPSHOT_STATE].len);
	if (ret)
		return ret;
	ret = vm_restore(vm, &m->plan->cfg, s);
	state_free(s);
	return ret;
}

/* One start. How it ended. */
static enum vm_end machine_start(struct machine *m, struct vm *vm)
{
	struct machine_call call = { .machine = m, .vm = vm };
	struct plan *plan = m->plan;
	enum vm_end end = VM_FAILED;

	if (!session_start(&plan->session, vm->loop, &machine_session_ops, &call) &&
	    !verbs_start(m->verbs, vm) && !(m->gdb && gdb_start(m->gdb, vm))) {
		*m->entered = loop_now();
		end = confine_enter(plan->cfg.confine) ? VM_FAILED : vm_run(vm);
	}
	fw_cfg_release(vm, plan->session.release);
	if (m->gdb)
		gdb_leave(m->gdb);
	verbs_leave(m->verbs);
	session_leave(&plan->session);
	if (m->dump && session_died(&plan->session, end))
		dump_now(m->dump, vm);
	return end;
}

/* A guest that reboots gets a new machine, one that wakes up from S3 a new one around its RAM. */
int machine_main(struct machine *m)
{
	struct session *session = &m->plan->session;
	int left = m->max_reboots, status;
	enum vm_end end = VM_RESET;
	struct vm vm;
	bool again = false;

	session->rest = verbs_rest;
	session->rest_obj = m->verbs;
	do {
		m->verbs->reboot = m->reboot && left;
		m->verbs->gdb = m->gdb;
		if (end == VM_WAKE ? vm_rebuild(&vm) : again ? vm_create(&vm, &m->plan->cfg) : machine_begin(m, &vm))
			return STATUS_FAILED;
		again = true;
		end = machine_start(m, &vm);
		status = vm.status;
		if (end != VM_WAKE)
			vm_destroy(&vm);
		/* Its memory is not to be given to another: see queues_stop(). */
		if (vm.abandoned)
			end = VM_FAILED;
	} while (end == VM_WAKE || (end == VM_RESET && m->reboot && left-- && session_reboot(session)));
	return session_status(session, end, status);
}
