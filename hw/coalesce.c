// SPDX-License-Identifier: GPL-2.0
/*
 * Writes of the guest that KVM collects in place of an exit for each. They come from a
 * ring in the first vCPU's mapping (Documentation/virt/kvm/api.rst,
 * KVM_REGISTER_COALESCED_MMIO), and are served before any other exit. Machine lock.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/kvm.h>
#include <kvm/loop.h>
#include <kvm/vm.h>

/* How long a collected write may wait when the guest does not leave by itself. */
#define COALESCED_WAIT_NS	(20 * 1000 * 1000)
#define COALESCED_IDLE_NS	(250 * 1000 * 1000)
#define COALESCED_QUIET		4	/* such looks for nothing, after which writes are exits again */

int vm_coalesce(struct vm *vm, bool pio, u64 addr, u32 len, bool add)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = len, .pio = pio };

	if (vm->vm_fd < 0 || !vm->coalesced)
		return -ENOTSUP;
	return ioctl(vm->vm_fd, add ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
		     &zone) < 0 ? -errno : 0;
}

void vm_coalesce_index(struct vm *vm, bool *done, bool pio, u64 addr, u32 len)
{
	if (!*done)
		vm_coalesce(vm, pio, addr, len, true);
	*done = true;
}

int vm_coalesce_busy(struct vm *vm, bool pio, u64 addr, u32 len, bool *on)
{
	struct vm_coalesced *zone = &vm->coalesced_busy[vm->nr_coalesced_busy];
	int ret;

	if (vm->nr_coalesced_busy == ARRAY_SIZE(vm->coalesced_busy))
		return -ENOSPC;
	ret = vm_coalesce(vm, pio, addr, len, true);
	if (ret)
		return ret;
	*zone = (struct vm_coalesced){ .addr = addr, .len = len, .pio = pio, .on = on };
	vm->nr_coalesced_busy++;
	*on = true;
	vm_coalesced_seen(vm);
	return 0;
}

void vm_coalesce_stop(struct vm *vm, bool *on)
{
	struct vm_coalesced *zone = vm->coalesced_busy;

	while (zone < vm->coalesced_busy + vm->nr_coalesced_busy && zone->on != on)
		zone++;
	if (zone == vm->coalesced_busy + vm->nr_coalesced_busy)
		return;
	vm_coalesce(vm, zone->pio, zone->addr, zone->len, false);
	*zone->on = false;
	*zone = vm->coalesced_busy[--vm->nr_coalesced_busy];
}

bool vm_coalesced(struct vm *vm)
{
	struct kvm_coalesced_mmio_ring *ring = vm->coalesced;
	u32 nr, last;

	if (!ring || !vm->nr_vcpus)
		return false;
	nr = (sysconf(_SC_PAGESIZE) - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]);
	last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
	if (ring->first == last)
		return false;
	do {
		struct kvm_coalesced_mmio *m = &ring->coalesced_mmio[ring->first];
		u64 val = 0;

		memcpy(&val, m->data, min(m->len, (u32)sizeof(val)));
		bus_write(m->pio ? &vm->pio : &vm->mmio, m->phys_addr, m->len, val);
		__atomic_store_n(&ring->first, (ring->first + 1) % nr, __ATOMIC_RELEASE);
	} while (ring->first != last);
	return true;
}

/*
 * The guest may write and then do nothing that leaves it: look, often for as long
 * as there was something, and then for a second. What KVM had collected when it was told
 * to stop is there when the ioctl returns.
 */
static void vm_coalesced_due(struct timer *t)
{
	struct vm *vm = container_of(t, struct vm, coalesced_timer);

	vm->coalesced_soon = vm_coalesced(vm);
	vm->coalesced_quiet = vm->coalesced_soon ? 0 : vm->coalesced_quiet + 1;
	while (vm->coalesced_quiet > COALESCED_QUIET && vm->nr_coalesced_busy)
		vm_coalesce_stop(vm, vm->coalesced_busy[0].on);
	if (vm->nr_coalesced_busy)
		loop_timer(vm->loop, t, loop_now() + (vm->coalesced_soon ? COALESCED_WAIT_NS : COALESCED_IDLE_NS));
	else
		vm_coalesced(vm);
}

static void vm_coalesced_work(struct work *w)
{
	struct vm *vm = container_of(w, struct vm, coalesced_work);

	vm->coalesced_posted = false;
	vm->coalesced_soon = true;
	vm->coalesced_quiet = 0;
	loop_timer(vm->loop, &vm->coalesced_timer, loop_now() + COALESCED_WAIT_NS);
}

void vm_coalesced_seen(struct vm *vm)
{
	if (vm->coalesced_soon || vm->coalesced_posted || !vm->nr_coalesced_busy)
		return;
	vm->coalesced_posted = true;
	loop_post(vm->loop, &vm->coalesced_work);
}

void vm_coalesced_start(struct vm *vm)
{
	if (!vm->coalesced)
		return;
	vm->coalesced_timer.fn = vm_coalesced_due;
	vm->coalesced_work.fn = vm_coalesced_work;
}
