// SPDX-License-Identifier: GPL-2.0
/*
 * An architecture that does nothing. Never run: tests/doc/source.sh links all
 * but x86/ with it, which shows that arch.h is all that a second architecture
 * has to provide.
 */
#include <errno.h>

#include <kvm/arch.h>
#include <kvm/feature.h>
#include <kvm/seccomp.h>

const struct feature arch_features[] = { { .name = NULL } };

unsigned int arch_wire_routes(u32 gsi, struct kvm_irq_routing_entry *e)
{
	return 0;
}

u32 arch_irq_line(u32 gsi)
{
	return gsi;
}

void arch_msi_route(const struct vm *vm, u32 devid, u64 addr, u32 data,
		    struct kvm_irq_routing_entry *e)
{
}

unsigned long arch_vm_type(int kvm_fd)
{
	return 0;
}

bool arch_place(const char *type, unsigned int nr, struct arch_place *place)
{
	return false;
}

int arch_vcpus_created(struct vm *vm)
{
	return 0;
}

const char *const arch_image_path = "arch/stub/boot/Image";
const char *const arch_image_name = "Image";

bool arch_image_is(const void *image, u64 len)
{
	return false;
}

const char *arch_image_release(const void *image, u64 len)
{
	return NULL;
}

const void *arch_image_payload(const void *image, u64 len, u64 *payload_len)
{
	return NULL;
}

const char *arch_cmdline(unsigned int serials)
{
	return "";
}

int arch_probe(const char *path, struct kernel_info *info)
{
	return -ENOSYS;
}

int arch_memory(struct vm *vm)
{
	return -ENOSYS;
}

int arch_irqchip(struct vm *vm)
{
	return -ENOSYS;
}

int arch_board(struct vm *vm)
{
	return -ENOSYS;
}

int arch_load(struct vm *vm)
{
	return -ENOSYS;
}

int arch_firmware(struct vm *vm)
{
	return -ENOSYS;
}

int arch_wake(struct vm *vm)
{
	return -ENOSYS;
}

u32 arch_vcpu_id(const struct vm *vm, unsigned int index)
{
	return index;
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	return -ENOSYS;
}

bool arch_vcpu_exit(struct vcpu *vcpu)
{
	return false;
}

void arch_vcpu_resumed(struct vcpu *vcpu)
{
}

int arch_state(struct vm *vm, struct state *s)
{
	return -ENOSYS;
}

int arch_vcpu_state(struct vcpu *vcpu, struct state *s)
{
	return -ENOSYS;
}

void arch_vcpu_dump(struct vcpu *vcpu, FILE *f)
{
}

u32 arch_audit(void)
{
	return 0;
}

const struct seccomp_rule *arch_confine_rules(bool main)
{
	static const struct seccomp_rule none[] = { SECCOMP_END };

	return none;
}

void arch_syscall_args(const void *context, u64 args[6])
{
}
