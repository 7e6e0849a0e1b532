// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux is told about this machine besides its tables (Linux,
 * Documentation/admin-guide/kernel-parameters.txt). All of it only saves exits:
 * a kernel that gets none of it runs as well.
 */
#include <kvm/arch.h>

/*
 * There is one serial port, so three need not be looked for; and no chipset whose
 * mistakes have to be found in every slot before PCI is even set up.
 */
const char *arch_cmdline(void)
{
	return "8250.nr_uarts=1 pci=noearly";
}
