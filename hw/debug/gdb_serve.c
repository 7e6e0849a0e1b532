// SPDX-License-Identifier: GPL-2.0
/*
 * What gdb asks for: one function for each packet ("Debugging with GDB", E.2 to
 * E.4), all called while the machine stands still. A packet that is not understood
 * gets the empty reply, which means that. Thread N is vCPU N-1, running or not: gdb's
 * scripts of the Linux kernel count on it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/vcpu.h>

#include "gdb_stub.h"

#define GDB_KILLED	137		/* the status after gdb's "kill": as if by SIGKILL */
#define GDB_TEXT_MAX	(GDB_PACKET_MAX / 2 - 1)	/* bytes that fit in hexadecimal */

static __attribute__((format(printf, 2, 3))) void gdb_say(struct gdb *g, const char *fmt, ...)
{
	size_t room = sizeof(g->reply) - g->reply_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(g->reply + g->reply_len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		g->reply_len += min((size_t)n, room - 1);
}

static void gdb_say_hex(struct gdb *g, const void *data, size_t len)
{
	len = min(len, (sizeof(g->reply) - g->reply_len - 1) / 2);
	gdb_hex(g->reply + g->reply_len, data, len);
	g->reply_len += 2 * len;
}

/* "OK", or the error. */
static void gdb_result(struct gdb *g, int ret)
{
	if (ret)
		gdb_say(g, "E%02x", -ret & 0xff);
	else
		gdb_say(g, "OK");
}

static struct vcpu *gdb_vcpu(const struct gdb *g)
{
	return g->vm->vcpu[g->current];
}

/* A thread's number: *@i is its vCPU, or -1 for "-1" (all) and "0" (any). False: there is none. */
static bool gdb_thread(const struct gdb *g, const char **p, int *i)
{
	u64 nr;

	*i = -1;
	if (!strncmp(*p, "-1", 2)) {
		*p += 2;
		return true;
	}
	if (!gdb_number(p, &nr) || nr > g->vm->nr_vcpus)
		return false;
	*i = (int)nr - 1;
	return true;
}

/* "ADDR,LEN" and what separates it from the rest, if there is any. */
static bool gdb_range(const char **p, u64 *addr, u64 *len)
{
	if (!gdb_number(p, addr) || *(*p)++ != ',' || !gdb_number(p, len))
		return false;
	if (**p)
		++*p;
	return true;
}

/* Registers */

static const struct arch_reg *gdb_reg(u64 nr, size_t *at)
{
	const struct arch_reg_set *set;

	*at = 0;
	for (set = arch_reg_sets; set->feature; set++)
		for (unsigned int i = 0; i < set->nr; i++, nr--) {
			if (!nr)
				return &set->reg[i];
			*at += set->reg[i].bytes;
		}
	return NULL;
}

/* Bytes of all of them. */
static size_t gdb_regs_len(void)
{
	size_t len;

	gdb_reg(~0ULL, &len);
	return len;
}

static void gdb_regs_get(struct gdb *g, const char *arg, size_t len)
{
	u8 buf[ARCH_REGS_MAX];
	int ret = arch_regs_read(gdb_vcpu(g), buf);

	if (ret)
		gdb_result(g, ret);
	else
		gdb_say_hex(g, buf, gdb_regs_len());
}

static void gdb_regs_set(struct gdb *g, const char *arg, size_t len)
{
	u8 buf[ARCH_REGS_MAX];
	int ret = arch_regs_read(gdb_vcpu(g), buf);

	if (!ret && !gdb_unhex(buf, arg, min(len / 2, gdb_regs_len())))
		ret = -EINVAL;
	gdb_result(g, ret ? ret : arch_regs_write(gdb_vcpu(g), buf));
}

static void gdb_reg_get(struct gdb *g, const char *arg, size_t len)
{
	const struct arch_reg *reg;
	u8 buf[ARCH_REGS_MAX];
	size_t at;
	u64 nr;
	int ret;

	reg = gdb_number(&arg, &nr) ? gdb_reg(nr, &at) : NULL;
	ret = reg ? arch_regs_read(gdb_vcpu(g), buf) : -EINVAL;
	if (ret)
		gdb_result(g, ret);
	else
		gdb_say_hex(g, buf + at, reg->bytes);
}

static void gdb_reg_set(struct gdb *g, const char *arg, size_t len)
{
	const struct arch_reg *reg;
	u8 buf[ARCH_REGS_MAX];
	size_t at;
	u64 nr;
	int ret;

	reg = gdb_number(&arg, &nr) && *arg++ == '=' ? gdb_reg(nr, &at) : NULL;
	ret = reg ? arch_regs_read(gdb_vcpu(g), buf) : -EINVAL;
	if (!ret && (strlen(arg) != 2U * reg->bytes || !gdb_unhex(buf + at, arg, reg->bytes)))
		ret = -EINVAL;
	gdb_result(g, ret ? ret : arch_regs_write(gdb_vcpu(g), buf));
}

static void gdb_describe(FILE *f)
{
	const struct arch_reg_set *set;

	fprintf(f, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		"<target version=\"1.0\"><architecture>%s</architecture>\n", arch_gdb_name);
	for (set = arch_reg_sets; set->feature; set++) {
		fprintf(f, "<feature name=\"%s\">%s\n", set->feature, set->types ? set->types : "");
		for (unsigned int i = 0; i < set->nr; i++)
			fprintf(f, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>\n", set->reg[i].name,
				set->reg[i].bytes * 8, set->reg[i].type);
		fprintf(f, "</feature>\n");
	}
	fprintf(f, "</target>\n");
}

/* Addresses are virtual ones, of which the guest decides: all of them may be RAM, none is flash memory. */
static void gdb_map(FILE *f)
{
	fprintf(f, "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
		"\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
		"<memory-map><memory type=\"ram\" start=\"0\" length=\"0xffffffffffffffff\"/></memory-map>\n");
}

/* A part of the document that @print prints. */
static void gdb_document(struct gdb *g, const char *arg, void (*print)(FILE *f))
{
	char *text = NULL;
	size_t size = 0, part;
	u64 off, want;
	FILE *f;

	if (!gdb_range(&arg, &off, &want)) {
		gdb_result(g, -EINVAL);
		return;
	}
	f = open_memstream(&text, &size);
	if (f) {
		print(f);
		fclose(f);
	}
	off = min(off, (u64)size);
	part = min(min(want, (u64)size - off), (u64)sizeof(g->reply) - 1);
	g->reply[0] = off + part < size ? 'm' : 'l';
	if (part)
		memcpy(g->reply + 1, text + off, part);
	g->reply_len = 1 + part;
	free(text);
}

static void gdb_features(struct gdb *g, const char *arg, size_t len)
{
	gdb_document(g, arg, gdb_describe);
}

static void gdb_memory_map(struct gdb *g, const char *arg, size_t len)
{
	gdb_document(g, arg, gdb_map);
}

/* Memory */

static void gdb_mem_read(struct gdb *g, const char *arg, size_t arg_len)
{
	u8 buf[GDB_TEXT_MAX];
	u64 addr, len;
	size_t n;

	if (!gdb_range(&arg, &addr, &len)) {
		gdb_result(g, -EINVAL);
		return;
	}
	n = gdb_memory_read(&g->points, gdb_vcpu(g), addr, buf, min(len, (u64)sizeof(buf)));
	if (n)
		gdb_say_hex(g, buf, n);
	else
		gdb_result(g, -EFAULT);
}

static void gdb_mem_write(struct gdb *g, const char *arg, size_t arg_len)
{
	u8 buf[GDB_TEXT_MAX];
	u64 addr, len;

	if (!gdb_range(&arg, &addr, &len) || len > sizeof(buf) || strlen(arg) != 2 * len ||
	    !gdb_unhex(buf, arg, len))
		gdb_result(g, -EINVAL);
	else
		gdb_result(g, gdb_memory_write(&g->points, gdb_vcpu(g), addr, buf, len) == len ? 0 : -EFAULT);
}

static void gdb_mem_binary(struct gdb *g, const char *arg, size_t arg_len)
{
	const char *data = arg;
	u64 addr, len;

	if (!gdb_range(&data, &addr, &len) || len != arg_len - (data - arg))
		gdb_result(g, -EINVAL);
	else
		gdb_result(g, gdb_memory_write(&g->points, gdb_vcpu(g), addr, data, len) == len ? 0 : -EFAULT);
}

/* "TYPE,ADDR,KIND": kind is the length of a watchpoint. Conditions and commands are gdb's business. */
static void gdb_point(struct gdb *g, const char *arg, bool set)
{
	static const enum arch_point_kind kinds[] = { ARCH_EXEC, ARCH_EXEC, ARCH_WRITE, ARCH_READ, ARCH_ACCESS };
	struct arch_point point;
	int type = *arg - '0', ret = 0;

	memset(&point, 0, sizeof(point));
	if (type < 0 || type >= (int)ARRAY_SIZE(kinds))
		return;
	if (*++arg != ',')
		ret = -EINVAL;
	else if (arg++, !gdb_range(&arg, &point.addr, &point.len))
		ret = -EINVAL;
	point.kind = kinds[type];
	if (ret)
		;
	else if (!type && set)
		ret = gdb_break_set(&g->points, gdb_vcpu(g), point.addr);
	else if (!type)
		gdb_break_clear(&g->points, point.addr);
	else if (set)
		ret = gdb_point_set(&g->points, gdb_vcpu(g), &point);
	else
		gdb_point_clear(&g->points, &point);
	gdb_result(g, ret);
}

static void gdb_point_insert(struct gdb *g, const char *arg, size_t len)
{
	gdb_point(g, arg, true);
}

static void gdb_point_remove(struct gdb *g, const char *arg, size_t len)
{
	gdb_point(g, arg, false);
}

/* Threads */

static void gdb_select(struct gdb *g, const char *arg, size_t len)
{
	bool registers = *arg == 'g';
	int i;

	if ((!registers && *arg != 'c') || (arg++, !gdb_thread(g, &arg, &i))) {
		gdb_result(g, -EINVAL);
		return;
	}
	if (registers && i >= 0)
		g->current = i;
	gdb_result(g, 0);
}

static void gdb_alive(struct gdb *g, const char *arg, size_t len)
{
	int i;

	gdb_result(g, gdb_thread(g, &arg, &i) && i >= 0 ? 0 : -EINVAL);
}

static void gdb_threads(struct gdb *g, const char *arg, size_t len)
{
	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		gdb_say(g, "%s%x", i ? "," : "m", i + 1);
}

static void gdb_threads_end(struct gdb *g, const char *arg, size_t len)
{
	gdb_say(g, "l");
}

static void gdb_thread_info(struct gdb *g, const char *arg, size_t len)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	const char *state;
	char text[64];
	int i;

	if (!gdb_thread(g, &arg, &i) || i < 0) {
		gdb_result(g, -EINVAL);
		return;
	}
	ioctl(g->vm->vcpu[i]->fd, KVM_GET_MP_STATE, &mp);
	state = mp.mp_state == KVM_MP_STATE_RUNNABLE ? "running" :
		mp.mp_state == KVM_MP_STATE_HALTED ? "halted" : "offline";
	snprintf(text, sizeof(text), "vCPU %d, %s", i, state);
	gdb_say_hex(g, text, strlen(text));
}

static void gdb_current(struct gdb *g, const char *arg, size_t len)
{
	gdb_say(g, "QC%x", g->current + 1);
}

/* Going on */

static void gdb_actions(struct gdb *g, const char *arg, size_t len)
{
	gdb_say(g, "vCont;c;C;s;S");
}

/* One action, "s:2" or "C05": of those vCPUs that have none yet. */
static bool gdb_action(struct gdb *g, const char **p)
{
	char action = *(*p)++;
	u64 sig;
	int of = -1;

	if (action == 'C' || action == 'S') {
		if (!gdb_number(p, &sig))
			return false;
		action = action == 'C' ? 'c' : 's';
	}
	if (action != 'c' && action != 's')
		return false;
	if (**p == ':' && (++*p, !gdb_thread(g, p, &of)))
		return false;
	for (int i = 0; i < (int)g->vm->nr_vcpus; i++)
		if ((of < 0 || of == i) && !g->vcpu[i].action)
			g->vcpu[i].action = action;
	return !**p || *(*p)++ == ';';
}

/* The reply comes when the machine stops. */
static void gdb_continue(struct gdb *g, const char *arg, size_t len)
{
	int ret = 0;

	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		g->vcpu[i].action = 0;
	do {
		if (!gdb_action(g, &arg))
			ret = -EINVAL;
	} while (!ret && *arg);
	if (!ret)
		ret = gdb_resume(g);
	if (ret)
		gdb_result(g, ret);
}

static void gdb_why(struct gdb *g, const char *arg, size_t len)
{
	gdb_report(g, GDB_SIGTRAP);
}

static void gdb_detach(struct gdb *g, const char *arg, size_t len)
{
	gdb_release(g);
	gdb_result(g, 0);
}

static void gdb_kill(struct gdb *g, const char *arg, size_t len)
{
	vm_end(g->vm, VM_EXIT, GDB_KILLED);
	gdb_result(g, 0);
}

/* What there is */

static void gdb_supported(struct gdb *g, const char *arg, size_t len)
{
	g->swbreak = strstr(arg, "swbreak+");
	g->hwbreak = strstr(arg, "hwbreak+");
	gdb_say(g, "PacketSize=%x;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;qXfer:features:read+;qXfer:memory-map:read+",
		GDB_PACKET_MAX - 1);
}

static void gdb_no_ack(struct gdb *g, const char *arg, size_t len)
{
	g->peer.no_ack = true;
	gdb_result(g, 0);
}

/* The machine was there before the debugger, which is not to end it when it ends itself. */
static void gdb_attached(struct gdb *g, const char *arg, size_t len)
{
	gdb_say(g, "1");
}

/*
 * Where the kernel is, if that is not where its file says. One segment is named: gdb moves those
 * that follow by as much, per-CPU data, too, which does not move ("lkvm gdb" knows that).
 */
static void gdb_offsets(struct gdb *g, const char *arg, size_t len)
{
	struct look_linux l;

	if (!look_linux(g->vm, &l) && l.found && l.moved && l.text)
		gdb_say(g, "TextSeg=%llx", (unsigned long long)l.text);
	else
		gdb_say(g, "Text=0;Data=0;Bss=0");
}

/* gdb's command "monitor": gdb_monitor.c has what it can be told. */
static void gdb_monitor(struct gdb *g, const char *arg, size_t len)
{
	char line[64] = "", *text = NULL;
	size_t size = 0;
	FILE *f;

	if (len / 2 >= sizeof(line) || !gdb_unhex(line, arg, len / 2)) {
		gdb_result(g, -EINVAL);
		return;
	}
	f = open_memstream(&text, &size);
	if (!f) {
		gdb_result(g, -ENOMEM);
		return;
	}
	gdb_monitor_line(g, line, f);
	fclose(f);
	if (size)
		gdb_say_hex(g, text, size);
	else
		gdb_result(g, 0);
	free(text);
}

static const struct gdb_request {
	const char *name;
	bool exact;			/* nothing follows */
	void (*fn)(struct gdb *g, const char *arg, size_t len);
} gdb_requests[] = {
	{ "g", true, gdb_regs_get },
	{ "G", false, gdb_regs_set },
	{ "p", false, gdb_reg_get },
	{ "P", false, gdb_reg_set },
	{ "m", false, gdb_mem_read },
	{ "M", false, gdb_mem_write },
	{ "X", false, gdb_mem_binary },
	{ "Z", false, gdb_point_insert },
	{ "z", false, gdb_point_remove },
	{ "H", false, gdb_select },
	{ "T", false, gdb_alive },
	{ "?", true, gdb_why },
	{ "D", false, gdb_detach },
	{ "k", true, gdb_kill },
	{ "vKill", false, gdb_kill },
	{ "vCont?", true, gdb_actions },
	{ "vCont;", false, gdb_continue },
	{ "qSupported", false, gdb_supported },
	{ "QStartNoAckMode", true, gdb_no_ack },
	{ "qXfer:features:read:target.xml:", false, gdb_features },
	{ "qXfer:memory-map:read::", false, gdb_memory_map },
	{ "qfThreadInfo", true, gdb_threads },
	{ "qsThreadInfo", true, gdb_threads_end },
	{ "qThreadExtraInfo,", false, gdb_thread_info },
	{ "qC", true, gdb_current },
	{ "qAttached", false, gdb_attached },
	{ "qOffsets", true, gdb_offsets },
	{ "qRcmd,", false, gdb_monitor },
};

void gdb_serve(struct gdb *g, const char *data, size_t len)
{
	/* These reply when the machine stops, or have replied. */
	bool later = false;

	g->reply_len = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(gdb_requests); i++) {
		const struct gdb_request *r = &gdb_requests[i];
		size_t n = strlen(r->name);

		if (strncmp(data, r->name, n) || (r->exact && data[n]))
			continue;
		r->fn(g, data + n, len - n);
		later = r->fn == gdb_continue || r->fn == gdb_why;
		break;
	}
	if (!later || g->reply_len)
		gdb_peer_send(&g->peer, g->reply, g->reply_len);
}
