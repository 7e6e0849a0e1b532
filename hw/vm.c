// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: vm_parts() is its parts list, in the order in which the parts
 * need each other. Memory slots come before interrupt controllers and ioeventfds:
 * with these a change of a slot makes KVM wait for a grace period. The main thread
 * creates, runs and destroys it.
 *
 * What a reboot keeps
 *
 * A guest that resets gets a new machine: vm_destroy(), then vm_create() with the
 * same struct vm_config (builtin/run/run.c). Nothing in struct vm survives, and the
 * new machine has new RAM, new devices and a new generation ID. So a reboot needs
 * no reset code in any chip.
 *
 * The configuration and what it points to survive: the initramfs, the session with
 * its terminal, the control socket, the thread spawner, the trace. So do the files
 * that the first start opened by name (cfg->keep, util/keep.c): /dev/kvm, the
 * kernel, the roots of shares, a RAM file, and the terminals with their peers. The
 * second start finds them there, as it may no longer open anything by name.
 *
 * Suspend to RAM (S3) is between the two. vm_rebuild() writes the few members that
 * S3 keeps (STATE_KEPT) into memory, gives back all but the RAM, builds the machine
 * anew around that RAM, and reads the members. arch_wake() takes the place of
 * arch_load(): the guest goes on at its waking vector, and nothing is loaded.
 *
 * A restored machine (vm_restore()) reads the whole state, and its vCPUs go on
 * where they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/hotplug.h>
#include <kvm/feature.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/state.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>
#include <kvm/vmgenid.h>

static void vm_free_buses(void *arg)
{
	struct vm *vm = arg;

	bus_free(&vm->pio);
	bus_free(&vm->mmio);
	bus_free(&vm->pcicfg);
}

/* A device has the same number at each start, though one before it may be gone. */
static int vm_device(struct vm *vm, unsigned int i)
{
	const struct device_config *config = vm->cfg->device;
	unsigned int number = 0, other;
	struct device *dev;
	int ret;

	for (other = 0; other < i; other++)
		number += !strcmp(config[other].type, config[i].type);
	ret = config[i].gone ? 0 : device_add_numbered(vm, config[i].type, config[i].opts, number, &dev);
	if (!ret && !config[i].gone)
		dev->config = i + 1;
	return ret;
}

static int vm_devices(struct vm *vm)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < vm->cfg->nr_devices; i++)
		ret = vm_device(vm, i);
	if (!ret)
		hotplug_ready(vm);
	return ret;
}

static int vm_vcpus(struct vm *vm)
{
	unsigned int i;
	int ret;

	vm->vcpu = calloc(vm->cfg->cpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		return -ENOMEM;
	ret = undo_free(&vm->undo, vm->vcpu);
	for (i = 0; !ret && i < vm->cfg->cpus; i++) {
		ret = vcpu_create(vm, i, &vm->vcpu[i]);
		if (!ret)
			vm->nr_vcpus++;
	}
	return ret;
}

static int vm_vcpus_init(struct vm *vm)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < vm->nr_vcpus; i++)
		ret = arch_vcpu_init(vm->vcpu[i]);
	return ret;
}

static void vm_free_loop(void *arg)
{
	loop_free(arg);
}

static int vm_main_loop(struct vm *vm)
{
	int ret = loop_new(&vm->loop, &vm->lock);

	if (ret) {
		pr_err("event loop: %s", strerror(-ret));
		return ret;
	}
	return undo_add(&vm->undo, vm_free_loop, vm->loop);
}

static int vm_buses(struct vm *vm)
{
	bus_init(&vm->pio, "I/O port", 0x10000);
	bus_init(&vm->mmio, "memory-mapped I/O", 0);
	bus_init(&vm->pcicfg, "PCI configuration space", MIB);
	return undo_add(&vm->undo, vm_free_buses, vm);
}

static int vm_irqs(struct vm *vm)
{
	return irqs_new(&vm->irqs, &vm->undo, vm, vm->vm_fd);
}

/* The content of RAM. A machine that is restored or wakes up already has it. */
static int vm_content(struct vm *vm)
{
	int ret;

	if (vm->begin == BEGIN_SAVED)
		return 0;
	if (vm->begin == BEGIN_WAKE)
		return arch_wake(vm);
	ret = arch_load(vm);
	return ret ? ret : arch_firmware(vm);
}

static int vm_read_state(struct vm *vm)
{
	int ret = vm->state ? vm_state(vm, vm->state) : 0;

	vm->state = NULL;
	/* Several machines may come from this state. A machine without a generation ID ignores this. */
	if (!ret && vm->begin == BEGIN_SAVED)
		vmgenid_renew(vm);
	return ret;
}

static int vm_parts(struct vm *vm)
{
	int (*const part[])(struct vm *) = {
		vm_main_loop,
		kvm_open,
		feature_check,
		arch_memory,
		kvm_memory,
		arch_irqchip,
		vm_irqs,
		vm_vcpus,
		arch_vcpus_created,
		vm_buses,
		arch_board,
		vm_devices,
		vm_content,
		vm_vcpus_init,
		vm_read_state,
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(part); i++)
		ret = part[i](vm);
	return ret;
}

static void vm_init(struct vm *vm, const struct vm_config *cfg)
{
	memset(vm, 0, sizeof(*vm));
	vm->cfg = cfg;
	vm->kvm_fd = vm->vm_fd = -1;
	undo_init(&vm->undo);
	undo_init(&vm->ram);
	INIT_LIST_HEAD(&vm->devices);
	INIT_LIST_HEAD(&vm->drives);
	life_init(vm);
	vm->trace = cfg->trace;
}

static int vm_build(struct vm *vm)
{
	int ret = vm_parts(vm);

	if (ret) {
		/* Most parts have printed the error; those that run out of memory have not. */
		if (ret == -ENOMEM)
			pr_err("not enough memory for the machine");
		vm_destroy(vm);
	}
	return ret;
}

int vm_create(struct vm *vm, const struct vm_config *cfg)
{
	vm_init(vm, cfg);
	return vm_build(vm);
}

int vm_restore(struct vm *vm, const struct vm_config *cfg, struct state *s)
{
	vm_init(vm, cfg);
	vm->state = s;
	vm->begin = BEGIN_SAVED;
	return vm_build(vm);
}

/* Tear down all but the RAM, and build it again around that. */
static int vm_renew(struct vm *vm, const void *kept, size_t len)
{
	struct mem mem = vm->mem;
	struct state *s;
	struct undo ram;
	int ret;

	undo_init(&ram);
	list_splice_init(&vm->ram.entries, &ram.entries);
	vm_destroy(vm);
	if (vm->abandoned)
		return -EIO;
	vm_init(vm, vm->cfg);
	vm->mem = mem;
	list_splice_init(&ram.entries, &vm->ram.entries);
	ret = state_read(&s, kept, len);
	if (ret) {
		vm_destroy(vm);
		return ret;
	}
	vm->state = s;
	vm->begin = BEGIN_WAKE;
	ret = vm_build(vm);
	state_free(s);
	return ret;
}

int vm_rebuild(struct vm *vm)
{
	struct state *s;
	const void *kept;
	size_t len;
	int ret = state_write(&s, STATE_SLEEP);

	if (ret) {
		vm_destroy(vm);
		return ret;
	}
	vm_state(vm, s);
	ret = state_written(s, &kept, &len);
	if (ret)
		vm_destroy(vm);
	else
		ret = vm_renew(vm, kept, len);
	state_free(s);
	return ret;
}

enum vm_end vm_run(struct vm *vm)
{
	unsigned int i;
	int ret = 0;

	vm->running = true;
	/* With the lock held, either no vCPU has a thread or all have: see vm_hold(). */
	pthread_mutex_lock(&vm->lock);
	for (i = 0; !ret && i < vm->nr_vcpus; i++)
		ret = vcpu_start(vm->vcpu[i]);
	/* Devices that were loaded are held until now. */
	if (vm->begin == BEGIN_SAVED)
		devices_release(vm);
	pthread_mutex_unlock(&vm->lock);
	if (ret)
		vm_end(vm, VM_FAILED, 0);
	vm_coalesced_start(vm);
	loop_run(vm->loop);
	/* Release held vCPUs, so that they see the end. */
	pthread_mutex_lock(&vm->lock);
	vm_release(vm, vm_held(vm));
	pthread_mutex_unlock(&vm->lock);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_join(vm->vcpu[i]);
	pthread_mutex_lock(&vm->lock);
	vm_coalesced(vm);
	vm->running = false;
	/* After a panic a power-off or a reset is the panic's doing. */
	if (vm->panicked && vm->end != VM_FAILED && vm->end != VM_EXIT)
		vm->end = VM_PANIC;
	pthread_mutex_unlock(&vm->lock);
	return vm->end;
}

void vm_destroy(struct vm *vm)
{
	undo_run(&vm->undo);
	undo_run(&vm->ram);	/* not empty if arch_memory() was not reached */
	life_free(vm);
}
