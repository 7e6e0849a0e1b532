// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux is told about this machine besides its tables (Linux,
 * Documentation/admin-guide/kernel-parameters.txt). All of it only saves exits:
 * a kernel that gets none of it runs as well.
 */
#include <string.h>

#include <kvm/arch.h>

/*
 * One serial port, so three need not be looked for. The ports of PCI's
 * configuration space count as taken: Linux prefers them to ECAM, whose reads
 * are no exits, if it can have them. Who talks about PCI or ACPI gets what they
 * ask for.
 */
const char *arch_cmdline(const char *params)
{
	if (strstr(params, "pci=") || strstr(params, "acpi="))
		return "8250.nr_uarts=1";
	return "8250.nr_uarts=1 reserve=0xcf8,8";
}
