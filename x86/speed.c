// SPDX-License-Identifier: GPL-2.0
/* How fast this host runs a guest's instructions: see kvm/arch.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kvm/arch.h>
#include <kvm/loop.h>

#define SPEED_AT	0x1000U
#define SPEED_LOOPS	0xffffU
#define SPEED_TSS	0xfffbd000UL	/* Intel's CPUs want one for real mode */

/* Real mode: mov cx, SPEED_LOOPS; 1: dec cx; jnz 1b; hlt */
static const u8 speed_code[] = { 0xb9, SPEED_LOOPS & 0xff, SPEED_LOOPS >> 8, 0x49, 0x75, 0xfd, 0xf4 };

struct speed {
	int kvm, vm, vcpu;
	void *mem;
	struct kvm_run *run;
	size_t run_len;
};

static int speed_open(struct speed *s, const char *path)
{
	struct kvm_userspace_memory_region region = { .guest_phys_addr = SPEED_AT, .memory_size = 4096 };
	int len;

	s->kvm = open(path, O_RDWR | O_CLOEXEC);
	s->vm = s->kvm < 0 ? -1 : ioctl(s->kvm, KVM_CREATE_VM, 0);
	len = s->kvm < 0 ? -1 : ioctl(s->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	s->mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->vm < 0 || len < (int)sizeof(*s->run) || s->mem == MAP_FAILED)
		return -errno;
	memcpy(s->mem, speed_code, sizeof(speed_code));
	region.userspace_addr = (uintptr_t)s->mem;
	ioctl(s->vm, KVM_SET_TSS_ADDR, SPEED_TSS);
	s->vcpu = ioctl(s->vm, KVM_CREATE_VCPU, 0);
	if (s->vcpu < 0 || ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return -errno;
	s->run_len = len;
	s->run = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, s->vcpu, 0);
	return s->run == MAP_FAILED ? -errno : 0;
}

static int speed_start(struct speed *s)
{
	struct kvm_regs regs = { .rip = SPEED_AT, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(s->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = sregs.cs.selector = 0;
	return ioctl(s->vcpu, KVM_SET_SREGS, &sregs) || ioctl(s->vcpu, KVM_SET_REGS, &regs) ? -errno : 0;
}

int arch_speed(const char *path, u64 *picoseconds)
{
	struct speed s = { .kvm = -1, .vm = -1, .vcpu = -1, .mem = MAP_FAILED, .run = MAP_FAILED };
	int ret = speed_open(&s, path);
	u64 start;

	if (!ret)
		ret = speed_start(&s);
	start = loop_now();
	while (!ret && ioctl(s.vcpu, KVM_RUN, 0))
		ret = errno == EINTR ? 0 : -errno;
	*picoseconds = (loop_now() - start) * 1000 / (2 * SPEED_LOOPS);
	if (!ret && s.run->exit_reason != KVM_EXIT_HLT)
		ret = -EIO;
	if (s.run != MAP_FAILED)
		munmap(s.run, s.run_len);
	if (s.mem != MAP_FAILED)
		munmap(s.mem, 4096);
	if (s.vcpu >= 0)
		close(s.vcpu);
	if (s.vm >= 0)
		close(s.vm);
	if (s.kvm >= 0)
		close(s.kvm);
	return ret;
}
