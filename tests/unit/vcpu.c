// SPDX-License-Identifier: GPL-2.0
/*
 * What the threads of vCPUs do with what KVM answers, with this file's ioctl()
 * for a KVM: the first vCPU is in the guest until it is called out, the other
 * one is what a test is about.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/vcpu.h>

#include "driver.h"
#include "tap.h"

static int vcpu_fd[2], vcpu_err;
static struct kvm_run *vcpu_run[2], vcpu_answer;
static unsigned int nr;

int ioctl(int fd, unsigned long request, ...)
{
	switch (request) {
	case KVM_CREATE_VCPU:
		vcpu_fd[nr] = memfd_create("vcpu", 0);
		CHECK(!ftruncate(vcpu_fd[nr], 4096));
		return vcpu_fd[nr++];
	case KVM_GET_VCPU_MMAP_SIZE:
		return 4096;
	case KVM_RUN:
		if (fd == vcpu_fd[0]) {
			while (!vcpu_run[0]->immediate_exit)
				poll(NULL, 0, 10);
			errno = EINTR;
			return -1;
		}
		if (vcpu_err) {
			errno = vcpu_err;
			return -1;
		}
		*vcpu_run[1] = vcpu_answer;
		return 0;
	}
	return 0;
}

static struct machine m;
static struct vcpu *vcpu[2];

static void run(void)
{
	unsigned int i;

	nr = 0;
	machine_init(&m);
	m.cfg.cpus = m.cfg.cores = 2;
	m.cfg.sockets = m.cfg.threads = 1;
	m.vm.vcpu = vcpu;
	for (i = 0; i < 2; i++) {
		CHECK_EQ(vcpu_create(&m.vm, i, &vcpu[i]), 0);
		vcpu_run[i] = vcpu[i]->run;
		m.vm.nr_vcpus++;
	}
	vm_run(&m.vm);
}

TEST(one_that_kvm_refuses_to_run_ends_the_machine)
{
	vcpu_err = EFAULT;
	run();
	CHECK_EQ(m.vm.end, VM_FAILED);
	machine_free(&m);
}

static void answered(u32 reason, enum vm_end end)
{
	vcpu_answer.exit_reason = reason;
	run();
	CHECK_EQ(m.vm.end, end);
	machine_free(&m);
}

TEST(one_that_cannot_enter_the_guest_ends_it)
{
	answered(KVM_EXIT_FAIL_ENTRY, VM_FAILED);
}

TEST(one_that_kvm_gives_up_ends_it)
{
	answered(KVM_EXIT_INTERNAL_ERROR, VM_FAILED);
}

TEST(exit_that_nobody_knows_ends_it_and_is_named)
{
	char text[4096] = "";
	int fd = memfd_create("stderr", 0);

	dup2(fd, STDERR_FILENO);
	vcpu_answer.internal.suberror = 0xabc;
	answered(999, VM_FAILED);
	vcpu_answer.msr.index = 0x1a0;
	answered(KVM_EXIT_X86_WRMSR, VM_FAILED);
	vcpu_answer.hw.hardware_exit_reason = 0x400;
	answered(KVM_EXIT_UNKNOWN, VM_FAILED);
	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CHECK(strstr(text, "vCPU 1: KVM left the guest for something that lkvm does not know, with abc "));
	CHECK(strstr(text, "reason 0x3e7: the machine cannot go on"));
	CHECK(strstr(text, "vCPU 1: KVM left the guest for \"write of an MSR\", with "));
	CHECK(strstr(text, "hardware reason 0x400, reason 0x0: the machine cannot go on"));
}

TEST(one_with_a_triple_fault_ends_it)
{
	answered(KVM_EXIT_SHUTDOWN, VM_SHUTDOWN);
}
