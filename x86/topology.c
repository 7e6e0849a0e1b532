// SPDX-License-Identifier: GPL-2.0
/*
 * Threads, cores and sockets in APIC IDs. An ID has bit fields for the thread, the
 * core and the socket, so IDs have gaps if a number is no power of two (Intel SDM
 * volume 3, 9.9).
 */
#include <kvm/arch.h>
#include <kvm/vm.h>

#include "x86.h"

static unsigned int topology_bits(unsigned int n)
{
	return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

unsigned int topology_thread_bits(const struct vm *vm)
{
	return topology_bits(vm->cfg->threads);
}

unsigned int topology_core_bits(const struct vm *vm)
{
	return topology_bits(vm->cfg->cores);
}

u32 arch_vcpu_id(const struct vm *vm, unsigned int index)
{
	const struct vm_config *cfg = vm->cfg;
	unsigned int threads = topology_thread_bits(vm), cores = topology_core_bits(vm);

	return index % cfg->threads | index / cfg->threads % cfg->cores << threads |
	       index / cfg->threads / cfg->cores << (threads + cores);
}
