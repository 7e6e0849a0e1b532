// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that a debugger has: it stands still, says why, and goes on. See
 * hw/debug/gdb.c. Main thread, lock held, but for gdb_note().
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/vcpu.h>

#include "gdb_stub.h"

/* Tell KVM how the vCPU is debugged, if that is something new. */
static int gdb_debug(struct gdb *g, unsigned int i, const struct arch_debug *debug)
{
	int ret;

	if (!memcmp(&g->vcpu[i].set, debug, sizeof(*debug)))
		return 0;
	ret = arch_debug_set(g->vm->vcpu[i], debug);
	if (!ret)
		g->vcpu[i].set = *debug;
	return ret;
}

int gdb_hold(struct gdb *g)
{
	int ret;

	vm_hold(g->vm, HOLD_DEBUG);
	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		vcpu_spare(g->vm->vcpu[i], HOLD_DEBUG, false);
	ret = vm_hold_wait(g->vm);
	if (ret == -ETIMEDOUT)
		pr_warn("gdb: a vCPU does not leave the guest: the connection ends");
	if (!ret)
		g->running = false;
	return ret;
}

void gdb_go(struct gdb *g)
{
	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		vcpu_spare(g->vm->vcpu[i], HOLD_DEBUG, false);
	vm_release(g->vm, HOLD_DEBUG);
}

void gdb_release(struct gdb *g)
{
	struct arch_debug none;

	if (!g->attached)
		return;
	memset(&none, 0, sizeof(none));
	/* Breakpoints are taken out of memory in any case; KVM is asked where it would answer. */
	gdb_points_clear(&g->points);
	g->attached = false;
	if (g->vm->end != VM_RUNNING)
		return;
	for (unsigned int i = 0; !g->running && i < g->vm->nr_vcpus; i++)
		gdb_debug(g, i, &none);
	g->running = false;
	gdb_go(g);
}

static bool gdb_is_watch(const struct gdb_vcpu *v)
{
	return v->stop == ARCH_STOP_POINT && v->point.kind != ARCH_EXEC;
}

bool gdb_note(struct gdb *g, struct vcpu *vcpu)
{
	struct gdb_vcpu *v = &g->vcpu[vcpu->index];
	unsigned int nr = 0;
	enum arch_stop stop;
	u64 addr;

	stop = arch_debug_stop(vcpu, &v->set, &addr, &nr);
	if (stop == ARCH_STOP_NONE || (stop == ARCH_STOP_BREAK && !gdb_break_at(&g->points, addr)))
		return false;
	v->stop = stop;
	if (stop == ARCH_STOP_POINT)
		v->point = v->set.point[nr];
	return true;
}

bool gdb_has_stopped(const struct gdb *g)
{
	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		if (g->vcpu[i].stop != ARCH_STOP_NONE)
			return true;
	return false;
}

static void gdb_reason(const struct gdb *g, const struct gdb_vcpu *v, char *text, size_t size)
{
	static const char *const watch[] = { [ARCH_WRITE] = "watch", [ARCH_READ] = "rwatch", [ARCH_ACCESS] = "awatch" };

	*text = '\0';
	if (gdb_is_watch(v))
		snprintf(text, size, "%s:%llx;", watch[v->point.kind], (unsigned long long)v->point.addr);
	else if (v->stop == ARCH_STOP_BREAK && g->swbreak)
		snprintf(text, size, "swbreak:;");
	else if (v->stop == ARCH_STOP_POINT && g->hwbreak)
		snprintf(text, size, "hwbreak:;");
}

void gdb_report(struct gdb *g, unsigned int sig)
{
	char text[64], reason[40] = "";
	unsigned int i, found = g->vm->nr_vcpus;

	for (i = 0; i < g->vm->nr_vcpus; i++) {
		struct gdb_vcpu *v = &g->vcpu[i];

		if (v->stop == ARCH_STOP_NONE)
			continue;
		if (found == g->vm->nr_vcpus) {
			found = i;
			sig = GDB_SIGTRAP;
			gdb_reason(g, v, reason, sizeof(reason));
			v->stop = ARCH_STOP_NONE;
		} else if (!gdb_is_watch(v)) {
			/* It is where it was and meets the breakpoint again; a write has been made. */
			v->stop = ARCH_STOP_NONE;
		}
	}
	if (found < g->vm->nr_vcpus)
		g->current = found;
	snprintf(text, sizeof(text), "T%02x%sthread:%x;", sig, reason, g->current + 1);
	gdb_peer_send(&g->peer, text, strlen(text));
}

int gdb_resume(struct gdb *g)
{
	unsigned int i, held = 0;
	int ret = 0;

	/* Another one has met a watchpoint at the same time. */
	if (gdb_has_stopped(g)) {
		gdb_report(g, GDB_SIGTRAP);
		return 0;
	}
	for (i = 0; !ret && i < g->vm->nr_vcpus; i++) {
		struct arch_debug debug;

		memset(&debug, 0, sizeof(debug));
		debug.on = true;
		debug.step = g->vcpu[i].action == 's';
		debug.nr = g->points.nr_points;
		memcpy(debug.point, g->points.point, debug.nr * sizeof(*debug.point));
		ret = gdb_debug(g, i, &debug);
	}
	if (ret)
		return ret;
	g->running = true;
	for (i = 0; i < g->vm->nr_vcpus; i++)
		held += !g->vcpu[i].action;
	if (!held) {
		gdb_go(g);
		return 0;
	}
	for (i = 0; i < g->vm->nr_vcpus; i++)
		if (g->vcpu[i].action)
			vcpu_spare(g->vm->vcpu[i], HOLD_DEBUG, true);
	return 0;
}
