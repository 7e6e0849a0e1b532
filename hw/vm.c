// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: vm_parts() is its parts list, in the order in which the parts
 * need each other. Memory slots come before anything that makes KVM wait for
 * a grace period when they change (interrupt controllers, ioeventfds), and do
 * not change again. The main thread creates, runs and destroys it.
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
#include <kvm/feature.h>
#include <kvm/log.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

/* A vCPU that waits for a request to come back from a device takes up to five seconds. */
#define PAUSE_WAIT_S		8
/* How long a collected write may wait when the guest does not leave by itself. */
#define COALESCED_WAIT_NS	(20 * 1000 * 1000)
#define COALESCED_IDLE_NS	(250 * 1000 * 1000)
/* How long a kernel that has panicked may go on, to print and to store what it knows. */
#define PANIC_NS		(2000ULL * 1000 * 1000)

int vm_cap(const struct vm *vm, unsigned int cap)
{
	int ret = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

void vm_end(struct vm *vm, enum vm_end end, int status)
{
	int running = VM_RUNNING;

	if (!atomic_compare_exchange_strong(&vm->end, &running, end))
		return;
	vm->status = status;
	loop_stop(vm->loop);
}

static void vm_panic_due(struct timer *t)
{
	vm_end(container_of(t, struct vm, panic_timer), VM_PANIC, 0);
}

static void vm_panic_work(struct work *w)
{
	struct vm *vm = container_of(w, struct vm, panic_work);

	loop_timer(vm->loop, &vm->panic_timer, loop_now() + PANIC_NS);
}

void vm_panic(struct vm *vm, bool crash_kernel)
{
	if (vm->panicked)
		return;
	vm->panicked = true;
	if (!crash_kernel)
		loop_post(vm->loop, &vm->panic_work);
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

/*
 * The guest may write and then do nothing that leaves it: look, often for as long
 * as there was something. The pauses are long otherwise, but there is always a
 * next look: what was written may be a reset.
 */
static void vm_coalesced_due(struct timer *t)
{
	struct vm *vm = container_of(t, struct vm, coalesced_timer);

	vm->coalesced_soon = vcpu_coalesced(vm);
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

int vm_resume(struct vm *vm)
{
	if (!vm->paused)
		return -EALREADY;
	vm->paused = false;
	vm->paused_ns += loop_now() - vm->paused_at;
	pthread_cond_broadcast(&vm->pause_cond);
	return 0;
}

/* Here and not in vm_sleep(): on the loop all vCPUs have their threads. */
static void vm_sleep_work(struct work *w)
{
	struct vm *vm = container_of(w, struct vm, sleep_work);
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_kick(vm->vcpu[i]);
}

void vm_sleep(struct vm *vm)
{
	if (vm->asleep)
		return;
	vm->asleep = true;
	loop_post(vm->loop, &vm->sleep_work);
}

void vm_wake(struct vm *vm, u16 status)
{
	vm->woken = status;
	vm_end(vm, VM_WAKE, 0);
}

u64 vm_running_ns(const struct vm *vm)
{
	return (vm->paused ? vm->paused_at : loop_now()) - vm->paused_ns;
}

int vm_pause(struct vm *vm)
{
	struct timespec end;
	unsigned int i;
	int ret = 0;

	if (vm->end != VM_RUNNING)
		return -ESHUTDOWN;
	if (vm->paused)
		return -EALREADY;
	vm->paused = true;
	vm->paused_at = loop_now();
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_kick(vm->vcpu[i]);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PAUSE_WAIT_S;
	/* A vCPU that is in an exit handler gets the lock now, comes to its end, and parks. */
	while (!ret && vm->parked < vm->nr_vcpus && vm->end == VM_RUNNING)
		ret = -pthread_cond_timedwait(&vm->pause_cond, &vm->lock, &end);
	if (ret || vm->end != VM_RUNNING) {
		vm_resume(vm);
		return ret ? ret : -ESHUTDOWN;
	}
	vcpu_coalesced(vm);
	return 0;
}

static int vm_open_kvm(struct vm *vm)
{
	const char *path = vm->cfg->kvm_path;
	int version, ret;

	vm->kvm_fd = open(path, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		ret = -errno;
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
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0) {
		ret = -errno;
		pr_err("KVM cannot create a machine: %s", strerror(-ret));
		return ret;
	}
	return undo_close(&vm->undo, vm->vm_fd);
}

static int vm_memory_slots(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->mem.nr; i++) {
		struct mem_region *r = &vm->mem.region[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i, .guest_phys_addr = r->gpa, .memory_size = r->len,
			.userspace_addr = (u64)(uintptr_t)r->hva,
		};

		if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0) {
			int ret = -errno;

			pr_err("KVM refuses %llu MiB of memory at 0x%llx: %s",
			       (unsigned long long)(r->len / MIB), (unsigned long long)r->gpa,
			       strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static void vm_free_buses(void *arg)
{
	struct vm *vm = arg;

	bus_free(&vm->pio);
	bus_free(&vm->mmio);
	bus_free(&vm->pcicfg);
}

static int vm_devices(struct vm *vm)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < vm->cfg->nr_devices; i++)
		ret = device_add(vm, vm->cfg->device[i].type, vm->cfg->device[i].opts, NULL);
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
	return irqs_new(&vm->irqs, &vm->undo, vm->vm_fd);
}

/* What is in the RAM: of a machine that wakes up, what was there. */
static int vm_content(struct vm *vm)
{
	int ret;

	if (vm->woken)
		return arch_wake(vm);
	ret = arch_load(vm);
	return ret ? ret : arch_firmware(vm);
}

static int vm_parts(struct vm *vm)
{
	int (*const part[])(struct vm *) = {
		vm_main_loop,
		vm_open_kvm,
		feature_check,
		arch_memory,
		vm_memory_slots,
		arch_irqchip,
		vm_irqs,
		vm_vcpus,
		vm_buses,
		arch_board,
		vm_devices,
		vm_content,
		vm_vcpus_init,
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(part); i++)
		ret = part[i](vm);
	return ret;
}

static void vm_init(struct vm *vm, const struct vm_config *cfg)
{
	pthread_condattr_t attr;

	memset(vm, 0, sizeof(*vm));
	vm->cfg = cfg;
	vm->kvm_fd = vm->vm_fd = -1;
	undo_init(&vm->undo);
	undo_init(&vm->ram);
	INIT_LIST_HEAD(&vm->devices);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->pause_cond, &attr);
	pthread_condattr_destroy(&attr);
	vm->trace = cfg->trace;
	vm->coalesced_timer.fn = vm_coalesced_due;
	vm->coalesced_work.fn = vm_coalesced_work;
	vm->panic_timer.fn = vm_panic_due;
	vm->panic_work.fn = vm_panic_work;
	vm->sleep_work.fn = vm_sleep_work;
}

static int vm_build(struct vm *vm)
{
	int ret = vm_parts(vm);

	if (ret) {
		/* Most have said what it was; running out of memory says nothing by itself. */
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

int vm_rebuild(struct vm *vm)
{
	struct mem mem = vm->mem;
	u16 woken = vm->woken;
	struct undo ram;

	undo_init(&ram);
	list_splice_init(&vm->ram.entries, &ram.entries);
	vm_destroy(vm);
	vm_init(vm, vm->cfg);
	vm->mem = mem;
	vm->woken = woken;
	list_splice_init(&ram.entries, &vm->ram.entries);
	return vm_build(vm);
}

enum vm_end vm_run(struct vm *vm)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < vm->nr_vcpus; i++)
		ret = vcpu_start(vm->vcpu[i]);
	if (ret)
		vm_end(vm, VM_FAILED, 0);
	if (vm->coalesced)
		loop_timer(vm->loop, &vm->coalesced_timer, loop_now() + COALESCED_IDLE_NS);
	loop_run(vm->loop);
	pthread_mutex_lock(&vm->lock);
	vm_resume(vm);
	vm->asleep = false;
	pthread_cond_broadcast(&vm->pause_cond);
	pthread_mutex_unlock(&vm->lock);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_join(vm->vcpu[i]);
	pthread_mutex_lock(&vm->lock);
	vcpu_coalesced(vm);
	/* A panic is why it has switched itself off, or wants to start again. */
	if (vm->panicked && vm->end != VM_FAILED && vm->end != VM_EXIT)
		vm->end = VM_PANIC;
	pthread_mutex_unlock(&vm->lock);
	return vm->end;
}

void vm_destroy(struct vm *vm)
{
	undo_run(&vm->undo);
	undo_run(&vm->ram);	/* if it came so far only */
	pthread_cond_destroy(&vm->pause_cond);
	pthread_mutex_destroy(&vm->lock);
}
