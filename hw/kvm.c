// SPDX-License-Identifier: GPL-2.0
/*
 * Calls to KVM for the machine as a whole: see kvm/kvm.h. Writes that KVM has
 * collected come from a ring in the first vCPU's mapping (Documentation/virt/kvm/
 * api.rst, KVM_REGISTER_COALESCED_MMIO), and are served before any other exit. Machine
 * lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/loop.h>
#include <kvm/vm.h>
#include <kvm/keep.h>

/* How long a collected write may wait when the guest does not leave by itself. */
#define COALESCED_WAIT_NS	(20 * 1000 * 1000)
#define COALESCED_IDLE_NS	(250 * 1000 * 1000)

int vm_cap(const struct vm *vm, unsigned int cap)
{
	int ret = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

int kvm_open(struct vm *vm)
{
	const char *path = vm->cfg->kvm_path;
	int version, ret;

	ret = vm->kvm_fd = keep_open(vm->cfg->keep, path, O_RDWR);
	if (vm->kvm_fd < 0) {
		if (ret == -ENOENT)
			pr_err("there is no %s: load the kvm-intel or kvm-amd module, or enable virtualization in the firmware",
			       path);
		else if (ret == -EACCES || ret == -EPERM)
			pr_err("%s: no permission: become a member of its group (often \"kvm\")",
			       path);
		else
			pr_err("%s: %s", path, strerror(-ret));
		return ret;
	}
	ret = undo_close(&vm->undo, vm->kvm_fd);
	if (ret)
		return ret;
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		if (version < 0)
			pr_err("%s is not KVM: %s", path, strerror(errno));
		else
			pr_err("%s speaks version %d of the KVM interface; lkvm needs %d", path,
			       version, KVM_API_VERSION);
		return -ENODEV;
	}
	do
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, arch_vm_type(vm->kvm_fd));
	while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0) {
		ret = -errno;
		pr_err("KVM cannot create a machine: %s", strerror(-ret));
		return ret;
	}
	return undo_close(&vm->undo, vm->vm_fd);
}

/* Have KVM know @r, or forget it (@len 0), or log writes to it. */
static int kvm_slot(struct vm *vm, const struct mem_region *r, u64 len, bool log)
{
	struct kvm_userspace_memory_region slot = {
		.slot = r->slot, .guest_phys_addr = r->gpa, .memory_size = len,
		.userspace_addr = (u64)(uintptr_t)r->hva,
		.flags = (r->use == MEM_ROM ? KVM_MEM_READONLY : 0) |
			 (log ? KVM_MEM_LOG_DIRTY_PAGES : 0),
	};

	if (vm->vm_fd < 0)
		return 0;
	return ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -errno : 0;
}

int kvm_memory(struct vm *vm)
{
	const struct mem_table *t = mem_table(&vm->mem);
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < t->nr; i++) {
		const struct mem_region *r = &t->region[i];

		ret = kvm_slot(vm, r, r->len, false);
		if (ret)
			pr_err("KVM refuses %llu MiB of memory at 0x%llx: %s",
			       (unsigned long long)(r->len / MIB), (unsigned long long)r->gpa,
			       strerror(-ret));
	}
	return ret;
}

/* vCPUs' exits and queues have pointers into memory: both are held, or the machine does not run yet. */
static bool kvm_memory_is_still(const struct vm *vm)
{
	return !vm->running || vm_held(vm) & HOLD_STATE;
}

int vm_memory_insert(struct vm *vm, struct mem_region *want)
{
	int ret;

	if (!kvm_memory_is_still(vm))
		return -EBUSY;
	ret = mem_insert(&vm->mem, &vm->ram, want);
	if (ret)
		return ret;
	ret = kvm_slot(vm, want, want->len, false);
	if (ret)
		mem_remove(&vm->mem, &vm->ram, want->gpa);
	mem_reclaim(&vm->mem);
	return ret;
}

int vm_memory_remove(struct vm *vm, gpa_t gpa)
{
	const struct mem_region *r = mem_region(&vm->mem, gpa);
	int ret;

	if (!kvm_memory_is_still(vm))
		return -EBUSY;
	if (!r || r->gpa != gpa)
		return -ENOENT;
	ret = kvm_slot(vm, r, 0, false);
	if (!ret)
		ret = mem_remove(&vm->mem, &vm->ram, gpa);
	if (ret == -ENOMEM)
		kvm_slot(vm, r, r->len, false);		/* it is still there */
	mem_reclaim(&vm->mem);
	return ret;
}

int vm_memory_log(struct vm *vm, gpa_t gpa, bool on)
{
	const struct mem_region *r = mem_region(&vm->mem, gpa);

	return r ? kvm_slot(vm, r, r->len, on) : -ENOENT;
}

int vm_memory_dirty(struct vm *vm, gpa_t gpa, u64 *bitmap, size_t words)
{
	const struct mem_region *r = mem_region(&vm->mem, gpa);
	struct kvm_dirty_log log = { .dirty_bitmap = bitmap };

	if (!r)
		return -ENOENT;
	if (words < DIV_ROUND_UP(r->len / 4096, 64))
		return -EINVAL;
	log.slot = r->slot;
	return ioctl(vm->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0 ? -errno : 0;
}

int vm_ioeventfd(struct vm *vm, bool pio, u64 addr, unsigned int len, int fd, bool add)
{
	struct kvm_ioeventfd io = {
		.addr = addr, .len = len, .fd = fd,
		.flags = (pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (vm->vm_fd < 0)
		return -ENOTSUP;
	return ioctl(vm->vm_fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

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
