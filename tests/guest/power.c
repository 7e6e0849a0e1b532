// SPDX-License-Identifier: GPL-2.0
/*
 * Every way in which a guest ends or restarts the machine.
 *
 * [acpi_power_off]
 * run=-m 16 -p poweroff
 * status=0
 * expect="^start"
 * [acpi_reset]
 * run=-m 16 --no-reboot -p acpi
 * status=0
 * [i8042_reset]
 * run=-m 16 --no-reboot -p i8042
 * status=0
 * [cf9_reset]
 * run=-m 16 --no-reboot -p cf9
 * status=0
 * [reset_vector]
 * run=-m 16 -c 2 --no-reboot -p vector
 * status=0
 * [triple_fault]
 * run=-m 16 -p triple
 * status=123
 * expect-stderr="^lkvm: vCPU 0: a triple fault"
 * expect-stderr="^  rip 0008:|those of a reset"
 * expect-stderr="<0f> 0b|those of a reset"
 * [triple_fault_of_another_cpu]
 * run=-m 16 -c 2 -p other
 * status=123
 * expect-stderr="^lkvm: vCPU 1: a triple fault"
 * [another_cpu_that_kvm_gives_up]
 * run=-m 16 -c 2 -p nowhere
 * status=125
 * expect-stderr="vCPU 1: .*: the machine cannot go on"
 * [reboots_are_counted]
 * cmd="$LKVM" run -m 16 -k "$GUEST" -p acpi --max-reboots 3 | grep -c "^start"
 *	"$LKVM" run -m 16 -k "$GUEST" -p acpi --max-reboots 0 | grep -c "^start"
 * expect="^4$"
 * expect="^1$"
 * [reset_starts_again]
 * cmd=n=$("$LKVM" run -m 16 --timeout 1 -k "$GUEST" -p acpi | grep -c "^start"); [ "$n" -gt 2 ] && echo again
 * expect="^again$"
 */
#include "guest.h"

/* The value of the FADT's register at @off, an I/O port. */
static u16 fadt_port(unsigned int off)
{
	const u8 *fadt = (const u8 *)acpi_table("FACP");
	u64 port;

	CHECK(fadt);
	CHECK_EQ(fadt[off], 1);
	memcpy(&port, fadt + off + 4, 8);
	CHECK(port < 0x10000);
	return port;
}

/* \_S5: Name (_S5_, Package () { type, ... }) */
static u8 sleep_type_s5(void)
{
	const u8 *p, *fadt = (const u8 *)acpi_table("FACP");
	u64 dsdt;

	memcpy(&dsdt, fadt + 140, 8);
	for (p = (const u8 *)dsdt; memcmp(p, "_S5_", 4); p++)
		CHECK((u64)p < dsdt + ((struct acpi_header *)dsdt)->len);
	CHECK_EQ(p[4], 0x12);
	p += 5 + 1 + (p[5] >> 6);	/* the package's length */
	CHECK_EQ(p[1], 0x0a);
	return p[2];
}

static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
}

/* No RAM and no device: there is nothing to execute. */
static void go_nowhere(void)
{
	((void (*)(void))0xd0000000)();
}

int main(void)
{
	const char *how = cmdline();

	print("start\n");
	if (str_starts(how, "poweroff")) {
		outb(fadt_port(256), 0x80);
		outb(fadt_port(244), sleep_type_s5() << 2 | 1 << 5);
	} else if (str_starts(how, "acpi")) {
		outb(fadt_port(116), ((const u8 *)acpi_table("FACP"))[128]);
	} else if (str_starts(how, "i8042")) {
		while (inb(0x64) & 2)
			;
		outb(0x64, 0xfe);
	} else if (str_starts(how, "cf9")) {
		outb(0xcf9, 0x02);
		outb(0xcf9, 0x06);
	} else if (str_starts(how, "vector")) {
		/*
		 * The other CPU starts in real mode at 0xff000, in zeroes,
		 * which are harmless instructions, and comes to 0xffff0.
		 */
		apic_enable();
		apic_ipi(1, 0xc500);
		apic_ipi(1, 0x600 | 0xff);
	} else if (str_starts(how, "triple")) {
		triple_fault();
	} else if (str_starts(how, "other")) {
		guest_ap_fn = triple_fault;
		guest_ap_start(1);
	} else if (str_starts(how, "nowhere")) {
		guest_ap_fn = go_nowhere;
		guest_ap_start(1);
	}
	/* The write ends the machine; this vCPU may get a little further. */
	for (;;)
		asm volatile("cli; hlt");
}
