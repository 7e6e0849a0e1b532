// SPDX-License-Identifier: GPL-2.0
/*
 * The buttons: presses arrive as an interrupt of the generic event device, whose
 * place is taken from the DSDT, and its register says which. The guest says which
 * it was, and switches the machine off.
 *
 * [power_button]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST"); vm=$!; read -u 8 -r
 *	"$LKVM" stop vm; echo "stop $?"; cat <&8; wait $vm; echo "status $?"; ls lkvm
 * expect="^stop 0$"
 * expect="^power$"
 * expect="^status 0$"
 * reject="sleep|sock"
 * [one_that_does_not_listen_holds_nobody_up]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 7< <(exec "$LKVM" run -m 16 --name deaf -k "$LKVM_TESTS/guest/control.elf"); read -u 7 -r
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST"); vm=$!; read -u 8 -r
 *	"$LKVM" stop deaf vm & stop=$!; cat <&8; "$LKVM" list; "$LKVM" stop --force deaf; wait $stop; echo "stop $?"
 * expect="^power$"
 * expect="^deaf .* running$"
 * expect="^stop 0$"
 */
#include "guest.h"

#define VECTOR	0x40

static u32 port, seen;
static const u8 *dsdt, *dsdt_end;

/* @len bytes of the DSDT, from @p on. */
static const u8 *find(const u8 *p, const void *what, u32 len)
{
	for (; p + len <= dsdt_end; p++)
		if (!memcmp(p, what, len))
			return p;
	print("the DSDT lacks something\n");
	guest_exit(EXIT_FAILED);
}

static void event(struct frame *f)
{
	seen |= inl(port);
	apic_eoi();
}

int main(void)
{
	/* Interrupt descriptor: consumer, level; OperationRegion in I/O space, a word its address. */
	static const u8 irq[] = { 0x89, 6, 0, 0x01, 1 }, region[] = { 0x5b, 0x80, 'E', 'R', 'E', 'G', 1, 0x0b };
	/* EISA IDs of PNP0C0C and PNP0C0E */
	static const u8 power[] = { 0x0c, 0x41, 0xd0, 0x0c, 0x0c }, sleep[] = { 0x0c, 0x41, 0xd0, 0x0c, 0x0e };
	const u8 *ged;
	u64 addr;

	memcpy(&addr, (const u8 *)acpi_table("FACP") + 140, 8);
	dsdt = (const u8 *)addr;
	dsdt_end = dsdt + ((const struct acpi_header *)dsdt)->len;
	ged = find(dsdt, "ACPI0013", 8);
	find(dsdt, power, sizeof(power));
	find(dsdt, sleep, sizeof(sleep));
	port = find(ged, region, sizeof(region))[8] | find(ged, region, sizeof(region))[9] << 8;

	print("ready\n");
	apic_enable();
	irq_handle(VECTOR, event);
	ioapic_route_level(find(ged, irq, sizeof(irq))[5], VECTOR);
	while (!seen)
		irq_wait();
	/* Nothing is left of it, and the line is low again. */
	CHECK_EQ(inl(port), 0);
	print("%s\n", seen == 1 ? "power" : seen == 2 ? "sleep" : "?");
	outb(0x602, 0x80);
	outb(0x601, 5 << 2 | 1 << 5);
	for (;;)
		asm volatile("cli; hlt");
}
