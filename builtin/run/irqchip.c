// SPDX-License-Identifier: GPL-2.0
/* --irqchip: see irqchip.h. */
#include "irqchip.h"

enum { KIND_AUTO, KIND_KERNEL, KIND_SPLIT };
static const char *const irqchip_kinds[] = { "auto", "kernel", "split", NULL };

const struct opt irqchip_opts[] = {
	OPT_CHOICE(0, "irqchip", struct run_irqchip, kind, irqchip_kinds,
		   "emulate the I/O APIC in KVM, with the PICs of a PC, or in lkvm (default: chosen by the kernel that is booted)"),
	OPT_END
};

/*
 * Programs for a PC get all that KVM has of one, and so does a Linux that is not known
 * to read its tables and KVM's clock. One that does is not asked to look after more
 * pins than there are devices for.
 */
int irqchip_config(struct plan *plan, struct run_irqchip *own)
{
	static const char *const reads_tables[] = {
		"CONFIG_ACPI", "CONFIG_PCI_MSI", "CONFIG_DMI", "CONFIG_KVM_GUEST", NULL
	};
	bool reads = plan->is_linux && kernel_enables(&plan->kernel, reads_tables);
	struct vm_config *cfg = &plan->cfg;

	cfg->pc = !plan->nodefaults && (plan->is_pc || (plan->is_linux && !reads));
	if (own->kind == KIND_SPLIT)
		cfg->irqchip = IRQCHIP_SPLIT;
	else if (own->kind == KIND_KERNEL || plan->is_pc || plan_has_device(plan, "pit"))
		cfg->irqchip = IRQCHIP_KERNEL;
	else if (!plan->is_linux)
		cfg->irqchip = IRQCHIP_SPLIT;
	else if (reads)
		cfg->irqchip = IRQCHIP_COMPACT;
	return 0;
}
