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
 * as there was something. The pauses are long otherwise, but there is always a
 * next look: what was written may be a reset.
 */
static void vm_coalesced_due(struct timer *t)
{
	struct vm *vm = container_of(t, struct vm, coalesced_timer);

	vm->coalesced_soon = vm_coalesced(vm);
	loop_timer(vm->loop, t, loop_now() + (vm->coalesced_soon ? COALESCED_WAIT_NS :
					      COALESCED_IDLE_NS));
}

static void vm_coalesced_work(struct work *w)
{
	struct vm *vm = container_of(w, struct vm, coalesced_work);

	vm->coalesced_posted = false;
	vm->coalesced_soon = true;
	loop_timer(vm->loop, &vm->coalesced_timer, loop_now() + COALESCED_WAIT_NS);
}

void vm_coalesced_seen(struct vm *vm)
{
	if (vm->coalesced_soon || vm->coalesced_posted)
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
	loop_timer(vm->loop, &vm->coalesced_timer, loop_now() + COALESCED_IDLE_NS);
}
