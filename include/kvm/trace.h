/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of VM exits to lkvm, by reason, and by port or address. Their memory is
 * bounded whatever the guest accesses.
 */
#ifndef KVM_TRACE_H
#define KVM_TRACE_H

#include <stdio.h>

#include <kvm/types.h>

struct kvm_run;
struct trace;
struct vm;

struct trace *trace_new(void);		/* NULL: no memory */
void trace_free(struct trace *t);

/* Count the exit that @run describes. Machine lock held. */
void trace_exit(struct trace *t, const struct vm *vm, const struct kvm_run *run);

/* The name of a KVM_EXIT_..., NULL: not known. */
const char *trace_reason_name(u32 reason);

/* The counts, most frequent first. Counting has ended. */
void trace_print(const struct trace *t, FILE *f);

#endif
