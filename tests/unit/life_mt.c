// SPDX-License-Identifier: GPL-2.0
/*
 * What holds vCPUs, and who waits for whom, with this file's ioctl() for a KVM:
 * each vCPU leaves the guest now and then to read a port, and stays out if it is
 * told to.
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/vcpu.h>

#include "driver.h"
#include "tap.h"

#define NR	3
#define PORT	0x80

static struct machine m;
static struct vcpu *vcpu[NR];
static atomic_uint entered[NR];		/* how often it has been in the guest */
static atomic_bool incomplete[NR];	/* an exit's value has not been taken by KVM */

static int test_run(unsigned int i, struct kvm_run *run)
{
	incomplete[i] = false;
	if (__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST)) {
		errno = EINTR;
		return -1;
	}
	entered[i]++;
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_IN;
	run->io.size = run->io.count = 1;
	run->io.port = PORT + i;
	run->io.data_offset = 2048;
	incomplete[i] = true;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned int i;
	int new;

	switch (request) {
	case KVM_CREATE_VCPU:
		new = memfd_create("vcpu", 0);
		CHECK(!ftruncate(new, 4096));
		return new;
	case KVM_GET_VCPU_MMAP_SIZE:
		return 4096;
	case KVM_RUN:
		for (i = 0; vcpu[i]->fd != fd; i++)
			;
		return test_run(i, vcpu[i]->run);
	}
	return 0;
}

/* Registers: what a vCPU's own exits do is a test's business. */
static void (*on_read)(unsigned int i);

static u64 test_read(void *obj, u64 off, unsigned int len)
{
	if (on_read)
		on_read(off);
	return 0;
}

static void test_write(void *obj, u64 off, unsigned int len, u64 val)
{
}

static const struct region_ops test_ops = { .read = test_read, .write = test_write, .max = 1 };
static struct region test_region = { .name = "test", .base = PORT, .len = NR, .ops = &test_ops };

/* The test itself is a callback on the main loop, as who waits for vCPUs is. */
static struct timer test_timer;

static void run(void (*fn)(struct timer *t))
{
	unsigned int i;

	machine_init(&m);
	m.cfg.cpus = m.cfg.cores = NR;
	m.cfg.sockets = m.cfg.threads = 1;
	m.vm.vcpu = vcpu;
	CHECK_EQ(bus_add(&m.vm.pio, &test_region), 0);
	for (i = 0; i < NR; i++) {
		CHECK_EQ(vcpu_create(&m.vm, i, &vcpu[i]), 0);
		m.vm.nr_vcpus++;
	}
	test_timer = (struct timer) { .fn = fn };
	loop_timer(m.vm.loop, &test_timer, loop_now() + 1000000);
	CHECK_EQ(vm_run(&m.vm), VM_EXIT);
	machine_free(&m);
}

static void end(void)
{
	vm_end(&m.vm, VM_EXIT, 0);
}

/* Until vCPU @i has been in the guest again. */
static void wait_entered(unsigned int i)
{
	unsigned int before = entered[i];

	pthread_mutex_unlock(&m.vm.lock);
	while (entered[i] == before)
		poll(NULL, 0, 1);
	pthread_mutex_lock(&m.vm.lock);
}

static void check_still(void)
{
	unsigned int before[NR], i;

	for (i = 0; i < NR; i++) {
		before[i] = entered[i];
		CHECK(vcpu[i]->parked);
		CHECK(!incomplete[i]);
	}
	pthread_mutex_unlock(&m.vm.lock);
	poll(NULL, 0, 20);
	pthread_mutex_lock(&m.vm.lock);
	for (i = 0; i < NR; i++)
		CHECK_EQ(entered[i], before[i]);
}

static void pause_fn(struct timer *t)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		wait_entered(i % NR);
		CHECK_EQ(vm_pause(&m.vm, HOLD_USER), 0);
		if (i % 10 == 0)
			check_still();
		vm_release(&m.vm, HOLD_USER);
	}
	CHECK_EQ(vm_pause(&m.vm, HOLD_USER), 0);
	CHECK_EQ(vm_pause(&m.vm, HOLD_USER), -EALREADY);
	vm_release(&m.vm, HOLD_USER);
	wait_entered(0);
	end();
}

TEST(all_stand_still_with_their_exits_complete)
{
	run(pause_fn);
}

static void reasons_fn(struct timer *t)
{
	CHECK_EQ(vm_pause(&m.vm, HOLD_USER), 0);
	CHECK_EQ(vm_pause(&m.vm, HOLD_STATS), 0);
	vm_release(&m.vm, HOLD_STATS);
	CHECK_EQ(vm_held(&m.vm), HOLD_USER);
	check_still();
	CHECK_EQ(vm_pause(&m.vm, HOLD_DEBUG), 0);
	vm_release(&m.vm, HOLD_USER);
	check_still();
	vm_release(&m.vm, HOLD_USER);
	vm_release(&m.vm, HOLD_DEBUG);
	CHECK_EQ(vm_held(&m.vm), 0);
	wait_entered(2);
	end();
}

TEST(each_reason_has_its_own_release)
{
	run(reasons_fn);
}

static void step_fn(struct timer *t)
{
	CHECK_EQ(vm_pause(&m.vm, HOLD_DEBUG), 0);
	vcpu_spare(vcpu[1], HOLD_DEBUG, true);
	wait_entered(1);
	wait_entered(1);
	CHECK(vcpu[0]->parked);
	CHECK(vcpu[2]->parked);
	/* Another reason holds it in spite of that. */
	CHECK_EQ(vm_pause(&m.vm, HOLD_USER), 0);
	check_still();
	vm_release(&m.vm, HOLD_USER);
	wait_entered(1);
	vcpu_spare(vcpu[1], HOLD_DEBUG, false);
	CHECK_EQ(vm_hold_wait(&m.vm), 0);
	check_still();
	end();
}

TEST(one_may_step_while_the_others_are_held)
{
	run(step_fn);
}

/* vCPU 1 meets a breakpoint. */
static void hold_self(unsigned int i)
{
	if (i == 1 && entered[1] == 100)
		vm_hold(&m.vm, HOLD_DEBUG);
}

static void breakpoint_fn(struct timer *t)
{
	if (!(vm_held(&m.vm) & HOLD_DEBUG)) {
		loop_timer(m.vm.loop, t, loop_now() + 1000000);
		return;
	}
	CHECK_EQ(vm_hold_wait(&m.vm), 0);
	check_still();
	CHECK_EQ(entered[1], 100);
	end();
}

TEST(a_vcpu_holds_all_and_waits_for_none)
{
	on_read = hold_self;
	entered[1] = 0;
	run(breakpoint_fn);
	on_read = NULL;
}

static void held_end_fn(struct timer *t)
{
	vm_hold(&m.vm, HOLD_USER);
	vm_hold(&m.vm, HOLD_SLEEP);
	end();
	CHECK_EQ(vm_hold_wait(&m.vm), -ESHUTDOWN);
	CHECK_EQ(vm_pause(&m.vm, HOLD_STATS), -ESHUTDOWN);
}

TEST(an_end_lets_all_go)
{
	run(held_end_fn);
}

TEST(held_time_does_not_count_but_for_sleep)
{
	u64 was;

	machine_init(&m);
	was = vm_running_ns(&m.vm);
	vm_hold(&m.vm, HOLD_SLEEP);
	poll(NULL, 0, 2);
	CHECK(vm_running_ns(&m.vm) > was);
	vm_hold(&m.vm, HOLD_USER);
	was = vm_running_ns(&m.vm);
	poll(NULL, 0, 2);
	vm_hold(&m.vm, HOLD_STATE);
	vm_release(&m.vm, HOLD_USER);
	poll(NULL, 0, 2);
	CHECK_EQ(vm_running_ns(&m.vm), was);
	vm_release(&m.vm, HOLD_STATE);
	poll(NULL, 0, 2);
	CHECK(vm_running_ns(&m.vm) > was);
	machine_free(&m);
}
