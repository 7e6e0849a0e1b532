// SPDX-License-Identifier: GPL-2.0
/*
 * The panic device: a guest that says that it panicked is at its end, whatever it
 * does then; one whose crash kernel takes over has its time.
 *
 * [it_hangs]
 * run=-m 16 -p hang
 * status=123
 * expect="^offers 3"
 * expect-stderr="^lkvm: the guest's kernel panicked$"
 * [it_resets]
 * run=-m 16 -p reset
 * status=123
 * expect="^offers 3"
 * [a_crash_kernel_takes_over]
 * cmd=out=$("$LKVM" run -m 16 -p crash -k "$GUEST" 2>&1); echo "$out status $?"
 * expect="^later"
 * expect="status 123$"
 * [nothing_that_is_not_a_panic]
 * run=-m 16 -p none
 * status=1
 */
#include "guest.h"

#define PORT_PANIC	0x505

static u8 clock_second(void)
{
	outb(0x70, 0);
	return inb(0x71);
}

int main(void)
{
	static const u8 id[] = "QEMU0001";
	const char *how = cmdline();
	const u8 *p;
	u64 dsdt;

	memcpy(&dsdt, (const u8 *)acpi_table("FACP") + 140, 8);
	for (p = (const u8 *)dsdt; memcmp(p, id, sizeof(id)); p++)
		CHECK((u64)p < dsdt + ((struct acpi_header *)dsdt)->len);
	print("offers %u\n", inb(PORT_PANIC));
	if (str_starts(how, "none")) {
		outb(PORT_PANIC, 0xfc);
		return 0;
	}
	outb(PORT_PANIC, str_starts(how, "crash") ? 2 : 1);
	outb(PORT_PANIC, 1);
	if (str_starts(how, "hang"))
		for (;;)
			asm volatile("cli; hlt");
	if (str_starts(how, "crash")) {
		/* Longer than a kernel may go on that has panicked for good. */
		u8 second = clock_second(), changes = 0;

		while (changes < 4) {
			u8 now = clock_second();

			changes += now != second;
			second = now;
		}
		print("later\n");
	}
	outb(0x600, 6);
	for (;;)
		asm volatile("cli; hlt");
}
