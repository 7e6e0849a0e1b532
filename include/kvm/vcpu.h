/* SPDX-License-Identifier: GPL-2.0 */
/* One virtual processor and the thread that runs it. */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>

#include <kvm/types.h>

struct kvm_run;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int index;		/* from 0; the APIC ID is arch's business */
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
	atomic_bool stop;
};

/* Create vCPU @index in KVM. 0 or -errno with the message printed; given back through vm->undo. */
int vcpu_create(struct vm *vm, unsigned int index, struct vcpu **out);
/* Start its thread. 0 or -errno. */
int vcpu_start(struct vcpu *vcpu);
/* Make it leave the guest once and look at what is asked of it. Any thread, while it is started. */
void vcpu_kick(struct vcpu *vcpu);
/* Make it leave the guest, end its thread and wait for that. The lock is not held. */
void vcpu_join(struct vcpu *vcpu);

/* Hand the writes that KVM has collected to their registers; true if there were any. Lock held. */
bool vcpu_coalesced(struct vm *vm);

#endif
