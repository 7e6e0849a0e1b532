// SPDX-License-Identifier: GPL-2.0
/*
 * Exits counted: see kvm/trace.h. Addresses are in a hash table that does not
 * grow; what finds it full counts as "others". On vCPU threads, machine lock
 * held; it outlives the machine, which may have started again meanwhile, so it
 * keeps names by copy.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/trace.h>
#include <kvm/vm.h>

#define TRACE_REASONS	64
#define TRACE_SPOTS	1024		/* a power of two */
#define TRACE_SHOWN	20

struct trace_spot {
	u64 addr, count;		/* count 0: free */
	bool pio, write;
	char name[28];			/* of the registers there, "" if they are unclaimed */
};

struct trace {
	u64 reason[TRACE_REASONS];	/* the last one: all that are beyond */
	u64 others;
	struct trace_spot spot[TRACE_SPOTS];
};

static const char *const trace_reason[] = {
	[KVM_EXIT_UNKNOWN] = "unknown",
	[KVM_EXIT_EXCEPTION] = "exception",
	[KVM_EXIT_IO] = "I/O port",
	[KVM_EXIT_HYPERCALL] = "hypercall",
	[KVM_EXIT_DEBUG] = "debug",
	[KVM_EXIT_HLT] = "halt",
	[KVM_EXIT_MMIO] = "memory-mapped I/O",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "interrupt window",
	[KVM_EXIT_SHUTDOWN] = "shutdown",
	[KVM_EXIT_FAIL_ENTRY] = "entry failed",
	[KVM_EXIT_INTR] = "signal",
	[KVM_EXIT_SET_TPR] = "task priority",
	[KVM_EXIT_TPR_ACCESS] = "task priority access",
	[KVM_EXIT_WATCHDOG] = "watchdog",
	[KVM_EXIT_NMI] = "NMI",
	[KVM_EXIT_INTERNAL_ERROR] = "internal error of KVM",
	[KVM_EXIT_SYSTEM_EVENT] = "system event",
	[KVM_EXIT_IOAPIC_EOI] = "end of interrupt",
	[KVM_EXIT_HYPERV] = "Hyper-V",
	[KVM_EXIT_X86_RDMSR] = "read of an MSR",
	[KVM_EXIT_X86_WRMSR] = "write of an MSR",
	[KVM_EXIT_DIRTY_RING_FULL] = "full dirty ring",
	[KVM_EXIT_AP_RESET_HOLD] = "hold of a processor in reset",
	[KVM_EXIT_X86_BUS_LOCK] = "bus lock",
	[KVM_EXIT_XEN] = "Xen",
	[KVM_EXIT_NOTIFY] = "no window for events",
	[39] = "memory fault",		/* newer than some kernels' headers */
};

const char *trace_reason_name(u32 reason)
{
	return reason < ARRAY_SIZE(trace_reason) ? trace_reason[reason] : NULL;
}

struct trace *trace_new(void)
{
	return calloc(1, sizeof(struct trace));
}

void trace_free(struct trace *t)
{
	free(t);
}

static void trace_spot(struct trace *t, const struct vm *vm, bool pio, bool write, u64 addr)
{
	u64 key = addr << 2 | pio << 1 | write;
	u32 first = key * 0x9e3779b97f4a7c15ULL >> 54, i;

	/* A few tries: a guest that fills the table on purpose gets no slower. */
	for (i = 0; i < 16; i++) {
		struct trace_spot *s = &t->spot[(first + i) % TRACE_SPOTS];

		if (!s->count) {
			const char *name = bus_name(pio ? &vm->pio : &vm->mmio, addr);

			s->addr = addr;
			s->pio = pio;
			s->write = write;
			strncpy(s->name, name ? name : "", sizeof(s->name) - 1);
		}
		if (s->addr == addr && s->pio == pio && s->write == write) {
			s->count++;
			return;
		}
	}
	t->others++;
}

void trace_exit(struct trace *t, const struct vm *vm, const struct kvm_run *run)
{
	t->reason[min(run->exit_reason, (u32)TRACE_REASONS - 1)]++;
	if (run->exit_reason == KVM_EXIT_IO)
		trace_spot(t, vm, true, run->io.direction == KVM_EXIT_IO_OUT, run->io.port);
	else if (run->exit_reason == KVM_EXIT_MMIO)
		trace_spot(t, vm, false, run->mmio.is_write, run->mmio.phys_addr);
}

/* The most frequent first. */
static bool trace_before(const struct trace_spot *a, const struct trace_spot *b)
{
	return a->count != b->count ? a->count > b->count : a->addr < b->addr;
}

static void trace_print_reasons(const struct trace *t, FILE *f)
{
	bool done[TRACE_REASONS] = { false };
	u64 total = 0;
	u32 i, best;

	for (i = 0; i < TRACE_REASONS; i++)
		total += t->reason[i];
	fprintf(f, "exits to lkvm: %llu\n", (unsigned long long)total);
	for (;;) {
		best = TRACE_REASONS;
		for (i = 0; i < TRACE_REASONS; i++)
			if (!done[i] && t->reason[i] && (best == TRACE_REASONS || t->reason[i] > t->reason[best]))
				best = i;
		if (best == TRACE_REASONS)
			break;
		done[best] = true;
		fprintf(f, "%12llu  ", (unsigned long long)t->reason[best]);
		if (trace_reason_name(best))
			fprintf(f, "%s\n", trace_reason_name(best));
		else
			fprintf(f, "reason %u%s\n", best, best == TRACE_REASONS - 1 ? " or more" : "");
	}
}

void trace_print(const struct trace *t, FILE *f)
{
	const struct trace_spot *spot[TRACE_SPOTS];
	u64 rest = t->others;
	u32 i, n = 0;

	trace_print_reasons(t, f);
	/* By insertion: qsort() of the C library asks the system how much memory there is. */
	for (i = 0; i < TRACE_SPOTS; i++) {
		u32 at = n;

		if (!t->spot[i].count)
			continue;
		for (n++; at && trace_before(&t->spot[i], spot[at - 1]); at--)
			spot[at] = spot[at - 1];
		spot[at] = &t->spot[i];
	}
	if (!n)
		return;
	fprintf(f, "of these, by register:\n");
	for (i = 0; i < n; i++) {
		if (i >= TRACE_SHOWN) {
			rest += spot[i]->count;
			continue;
		}
		fprintf(f, "%12llu  %-5s %s 0x%llx  %s\n", (unsigned long long)spot[i]->count,
			spot[i]->write ? "write" : "read", spot[i]->pio ? "port" : "address",
			(unsigned long long)spot[i]->addr, *spot[i]->name ? spot[i]->name : "(nobody)");
	}
	if (rest)
		fprintf(f, "%12llu  others\n", (unsigned long long)rest);
}
