/* SPDX-License-Identifier: GPL-2.0 */
/* One virtual processor and the thread that runs it. */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <kvm/types.h>

/* Makes KVM_RUN return. The file servers' signal (kvm/host.h) is the next one. */
#define SIG_VCPU	SIGRTMIN

struct kvm_run;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int index;		/* from 0; the APIC ID is arch's business */
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;			/* set under the lock; cleared by vcpu_join() */
	bool parked;			/* held, and out of the guest; under the lock */
	atomic_uint spared;		/* enum vm_hold: reasons that do not hold this one; changed under the lock */
	atomic_bool stop;
};

/* Create vCPU @index in KVM. 0 or -errno with the message printed; given back through vm->undo. */
int vcpu_create(struct vm *vm, unsigned int index, struct vcpu **out);
/* Start its thread. 0 or -errno. The lock is held. */
int vcpu_start(struct vcpu *vcpu);
/* Make it leave the guest, end its thread and wait for that. The lock is not held. */
void vcpu_join(struct vcpu *vcpu);

#endif
