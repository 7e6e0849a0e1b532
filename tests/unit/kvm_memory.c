// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that comes and goes while there is a machine: KVM's slots follow, and a
 * queue on hold goes on in other memory at the same place. On the host's /dev/kvm.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kvm/kvm.h>

#include "driver.h"
#include "tap.h"

#define PLUG	(8 * GIB)
#define BUF	(PLUG + 2 * MIB)

static struct machine m;
static struct driver d;

static void start(void)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		SKIP("/dev/kvm cannot be opened");
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	m.cfg.kvm_path = "/dev/kvm";
	CHECK_EQ(kvm_open(&m.vm), 0);
	CHECK_EQ(kvm_memory(&m.vm), 0);
}

static int plug(u64 len)
{
	struct mem_region r = { .gpa = PLUG, .len = len, .use = MEM_PLUGGABLE, .fd = -1 };

	return vm_memory_insert(&m.vm, &r);
}

TEST(memory_comes_and_goes)
{
	u32 val = 0x12345678;
	int i;

	start();
	for (i = 0; i < 100; i++) {
		CHECK_EQ(plug(4 * MIB), 0);
		CHECK_EQ(plug(4 * MIB), -EBUSY);
		CHECK_EQ(mem_write(&m.vm.mem, PLUG + 4 * MIB - 4, &val, 4), 0);
		CHECK_EQ(vm_memory_remove(&m.vm, PLUG + 4096), -ENOENT);
		CHECK_EQ(vm_memory_remove(&m.vm, PLUG), 0);
		CHECK_EQ(vm_memory_remove(&m.vm, PLUG), -ENOENT);
		CHECK_EQ(mem_write(&m.vm.mem, PLUG, &val, 4), -EFAULT);
	}
	/* KVM has no slot of it any more, so another size is no change of one. */
	CHECK_EQ(plug(16 * MIB), 0);
	machine_free(&m);
}

TEST(a_machine_that_runs_keeps_its_memory)
{
	start();
	CHECK_EQ(plug(4 * MIB), 0);
	m.vm.running = true;
	CHECK_EQ(vm_memory_remove(&m.vm, PLUG), -EBUSY);
	vm_hold(&m.vm, HOLD_STATE);
	CHECK_EQ(vm_memory_remove(&m.vm, PLUG), 0);
	CHECK_EQ(plug(4 * MIB), 0);
	vm_release(&m.vm, HOLD_STATE);
	CHECK_EQ(plug(4 * MIB), -EBUSY);
	machine_free(&m);
}

TEST(a_log_of_writes)
{
	u64 bitmap[4 * MIB / 4096 / 64];
	size_t i;

	start();
	CHECK_EQ(plug(4 * MIB), 0);
	CHECK_EQ(vm_memory_dirty(&m.vm, PLUG, bitmap, ARRAY_SIZE(bitmap)), -ENOENT);
	CHECK_EQ(vm_memory_log(&m.vm, PLUG + 64 * MIB, true), -ENOENT);
	CHECK_EQ(vm_memory_log(&m.vm, PLUG, true), 0);
	CHECK_EQ(vm_memory_dirty(&m.vm, PLUG, bitmap, ARRAY_SIZE(bitmap) - 1), -EINVAL);
	memset(bitmap, 0xff, sizeof(bitmap));
	CHECK_EQ(vm_memory_dirty(&m.vm, PLUG, bitmap, ARRAY_SIZE(bitmap)), 0);
	/* No vCPU has written anything. */
	for (i = 0; i < ARRAY_SIZE(bitmap); i++)
		CHECK_EQ(bitmap[i], 0);
	CHECK_EQ(vm_memory_log(&m.vm, PLUG, false), 0);
	CHECK_EQ(vm_memory_dirty(&m.vm, PLUG, bitmap, ARRAY_SIZE(bitmap)), -ENOENT);
	CHECK_EQ(vm_memory_remove(&m.vm, PLUG), 0);
	machine_free(&m);
}

static void hold(void)
{
	pthread_mutex_lock(&m.vm.lock);
	CHECK_EQ(devices_hold(&m.vm), 0);
}

static void release(void)
{
	devices_release(&m.vm);
	pthread_mutex_unlock(&m.vm.lock);
}

static void ask_random(void)
{
	u32 len;

	ring_add(&d.ring[0], 0, 0, BUF, 64);
	driver_kick(&d, 0);
	CHECK(driver_wait(&d, 0, NULL, &len));
	CHECK_EQ(len, 64);
}

TEST(a_queue_goes_on_in_other_memory)
{
	static u8 was[4 * MIB];

	start();
	CHECK_EQ(plug(4 * MIB), 0);
	driver_probe(&d, &m, machine_add(&m, "virtio-rng", NULL));
	d.rings = PLUG;
	machine_run(&m);
	driver_start(&d, 16);
	ask_random();
	hold();
	CHECK_EQ(mem_read(&m.vm.mem, PLUG, was, sizeof(was)), 0);
	CHECK_EQ(vm_memory_remove(&m.vm, PLUG), 0);
	/* So that the new memory is not where the old was. */
	CHECK(mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK_EQ(plug(4 * MIB), 0);
	CHECK_EQ(mem_write(&m.vm.mem, PLUG, was, sizeof(was)), 0);
	release();
	ask_random();

	/* The ring is gone: the driver has to reset, and nothing else happens. */
	hold();
	CHECK_EQ(vm_memory_remove(&m.vm, PLUG), 0);
	release();
	CHECK(driver_wait_broken(&d));
	driver_set_status(&d, 0);
	CHECK_EQ(plug(4 * MIB), 0);
	driver_start(&d, 16);
	ask_random();
	machine_free(&m);
}
