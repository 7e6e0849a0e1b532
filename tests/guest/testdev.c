// SPDX-License-Identifier: GPL-2.0
/*
 * What there is for tests of KVM and for those who know only the PC of old:
 * pc-testdev, the timer, the debug console.
 *
 * [devices]
 * run=-m 16 -c 2 --device pc-testdev --device pit
 * status=1
 * [debug_console]
 * run=-m 16 --device debugcon -p console
 * status=1
 * expect-stderr="^by the debug console$"
 * [debug_console_in_a_file]
 * cmd=$LKVM run -m 16 -k "$GUEST" --device debugcon,base=0xe9,tty=file:log -p console=e9; cat log
 * expect="^by the debug console$"
 * [not_for_a_program_with_a_pvh_entry]
 * run=-m 16 -p none
 * status=1
 */
#include "guest.h"

#define VECTOR	0x50
#define MEMORY	0xff000000ULL
#define LINE	10		/* nobody's */

static volatile u32 interrupts, pic_interrupts;

static void interrupted(struct frame *f)
{
	interrupts++;
	outb(0x2000 + LINE, 0);
	apic_eoi();
}

/* Input 11 by the PICs, where a PC's firmware has put it. */
static void pic_interrupted(struct frame *f)
{
	pic_interrupts++;
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void check_pic(void)
{
	irq_handle(0x73, pic_interrupted);
	outb(0x2000 + 11, 1);
	outb(0x2000 + 11, 0);
	while (!pic_interrupts)
		irq_wait();
	CHECK_EQ(pic_interrupts, 1);
	outb(0x21, 0xff);
}

static void debug_print(u16 port, const char *s)
{
	CHECK_EQ(inb(port), 0xe9);
	while (*s)
		outb(port, *s++);
}

static u64 fw_cfg(u16 item, unsigned int len)
{
	unsigned int i;
	u64 val = 0;

	outw(0x510, item);
	for (i = 0; i < len; i++)
		val |= (u64)inb(0x511) << i * 8;
	return val;
}

static void check_timer(void)
{
	u8 last;

	outb(0x43, 0x34);		/* counter 0, low and high byte, rate generator */
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	last = inb(0x40);
	inb(0x40);
	while (inb(0x40) == last)
		inb(0x40);
}

int main(void)
{
	static char page[4096] __attribute__((aligned(4096)));

	if (str_starts(cmdline(), "console")) {
		debug_print(str_starts(cmdline(), "console=e9") ? 0xe9 : 0x402,
			    "by the debug console\n");
		return 0;
	}
	if (str_starts(cmdline(), "none")) {
		CHECK_EQ(inl(0xe0), 0xffffffff);
		CHECK_EQ(inb(0x402), 0xff);
		CHECK_EQ(mmio_read32(MEMORY), 0xffffffff);
		return 0;
	}
	outl(0xe0, 0x12345678);
	CHECK_EQ(inl(0xe0), 0x12345678);
	CHECK_EQ(inw(0xe2), 0x1234);
	outb(0xe1, 0xaa);
	CHECK_EQ(inl(0xe0), 0x1234aa78);

	mmio_write64(MEMORY + 0xfff8, 0x1122334455667788);
	CHECK_EQ(mmio_read32(MEMORY + 0xfffc), 0x11223344);
	CHECK_EQ(mmio_read64(MEMORY + 0xfff0), 0);

	page[17] = 42;
	outl(0xe4, (u32)(u64)page);
	CHECK_EQ(page[17], 42);
	outl(0xe4, 0xfffff000);		/* no page */

	CHECK_EQ(fw_cfg(5, 2), 2);
	CHECK_EQ(fw_cfg(3, 8), 16 << 20);
	CHECK_EQ(fw_cfg(0x11, 8), 0);

	apic_enable();
	irq_handle(VECTOR, interrupted);
	ioapic_route(LINE, VECTOR);
	outb(0x2000 + LINE, 1);
	while (!interrupts)
		irq_wait();
	CHECK_EQ(inb(0x2000 + LINE), 0);
	check_timer();
	check_pic();
	return 0;
}
