// SPDX-License-Identifier: GPL-2.0
/*
 * Traces of a BIOS in memory, for programs for PCs: the BIOS data area, and code at
 * the reset vector. There is no BIOS: interrupt vectors are all zero. Runs while the
 * machine is built, on the main thread.
 */
#include <string.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/device.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

/* The BIOS data area (IBM PC/AT Technical Reference, 1984, section 5): offsets from LAYOUT_BDA. */
#define BDA_COM			0x00	/* ports of four serial lines, 2 bytes each */
#define BDA_COM_MAX		4
#define BDA_EBDA		0x0e	/* segment of the extended area */
#define BDA_EQUIPMENT		0x10
#define BDA_MEMORY		0x13	/* KiB below 640 KiB */

#define EQUIPMENT_COM_SHIFT	9	/* how many serial lines */

static void bios_word(u8 *bda, unsigned int off, u16 val)
{
	bda[off] = val;
	bda[off + 1] = val >> 8;
}

/* There is no extended area, so all of the memory below 640 KiB is the program's. */
static int bios_data_area(struct vm *vm)
{
	u8 bda[LAYOUT_BDA_LEN] = { 0 };
	const struct device *dev;
	unsigned int n = 0;

	/* A raw binary that was put there is what the user wants there. */
	if (vm->cfg->flat && vm->cfg->flat_addr < LAYOUT_BDA + LAYOUT_BDA_LEN)
		return 0;
	list_for_each_entry(dev, &vm->devices, node) {
		if (!strcmp(dev->type->name, "serial") && n < BDA_COM_MAX)
			bios_word(bda, BDA_COM + 2 * n++, device_resource(dev, RES_PIO));
	}
	bios_word(bda, BDA_EBDA, 0);
	bios_word(bda, BDA_EQUIPMENT, n << EQUIPMENT_COM_SHIFT);
	bios_word(bda, BDA_MEMORY, LAYOUT_LOW_END / KIB);
	return mem_write(&vm->mem, LAYOUT_BDA, bda, sizeof(bda));
}

/*
 * A guest that jumps to the reset vector wants a reset. Linux does so when ACPI is
 * hardware-reduced and there is no EFI: it then tries EFI first and the BIOS next
 * (arch/x86/kernel/reboot.c), and never gets to the reset register.
 */
static int bios_reset_vector(struct vm *vm)
{
	static const u8 code[] = {
		0xb0, ACPI_RESET_VALUE,				/* mov $ACPI_RESET_VALUE, %al */
		0xba, PORT_RESET & 0xff, PORT_RESET >> 8,	/* mov $PORT_RESET, %dx */
		0xee,						/* out %al, %dx */
		0xf4,						/* hlt */
		0xeb, 0xfd,					/* jmp to the hlt */
	};

	return mem_write(&vm->mem, LAYOUT_RESET, code, sizeof(code));
}

int bios_write(struct vm *vm)
{
	int ret = bios_data_area(vm);

	return ret ? ret : bios_reset_vector(vm);
}
