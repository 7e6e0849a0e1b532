// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux is told about this machine besides its tables (Linux,
 * Documentation/admin-guide/kernel-parameters.txt). All of it only saves exits:
 * a kernel that gets none of it runs as well.
 */
#include <kvm/arch.h>

/*
 * Serial ports that are not there need not be looked for; and there is no chipset
 * whose mistakes have to be found in every slot before PCI is even set up.
 */
const char *arch_cmdline(unsigned int serials)
{
	static const char *const text[] = {
		"8250.nr_uarts=1 pci=noearly", "8250.nr_uarts=2 pci=noearly",
		"8250.nr_uarts=3 pci=noearly", "8250.nr_uarts=4 pci=noearly",
	};

	return text[serials - 1];
}
