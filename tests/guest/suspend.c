// SPDX-License-Identifier: GPL-2.0
/*
 * Suspend to RAM by ACPI's fixed hardware: the guest comes back in real mode at
 * its vector, with its memory, with all else as out of reset; and its interrupt,
 * and that a machine does not have it if nobody asked for it.
 *
 * [comes_back_by_the_alarm]
 * run=-m 16 -c 2 --no-reboot --device acpi-pm -p alarm
 * status=1
 * expect="^woken 3$"
 * [comes_back_by_the_power_button]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 -c 3 --no-reboot --name vm --device acpi-pm -k "$GUEST" -p button); vm=$!
 *	read -u 8 -r; until "$LKVM" list | grep asleep; do :; done
 *	"$LKVM" pause vm; "$LKVM" list; "$LKVM" resume vm; "$LKVM" list
 *	"$LKVM" stop vm; read -u 8 -r; echo "$REPLY"; wait $vm; echo "status $?"
 * expect="^vm +[0-9]+  asleep$"
 * expect="^vm +[0-9]+  paused$"
 * expect="^woken 1$"
 * expect="^status 1$"
 * [sleeps_until_the_time_is_over]
 * run=-m 16 -c 2 --timeout 3 --device acpi-pm -p nothing
 * status=124
 * [off]
 * run=-m 16 --device acpi-pm -p off
 * status=0
 * [not_unless_asked_for]
 * run=-m 16 -p none
 * status=1
 * [only_one]
 * run=-m 16 --device acpi-pm --device acpi-pm
 * status=125
 * expect-stderr="there is one already"
 */
#include "guest.h"

#define VECTOR		0x60
#define GSI_SCI		9
#define PATTERN		0x400000ULL
#define PATTERN_LEN	0x100000ULL

#define PM1_POWER	0x100
#define PM1_RTC		0x400
#define PM1_WAKE	0x8000
#define PM1_S3		(1 << 10)
#define PM1_SLEEP	(1 << 13)

static volatile u32 wakes, others, interrupts, went_on;
static u16 event, control, timer, wake_by;
static u8 *facs;

static u32 fadt(unsigned int off, unsigned int len)
{
	u32 val = 0;

	memcpy(&val, (const u8 *)acpi_table("FACP") + off, len);
	return val;
}

static void cmos_write(u8 reg, u8 val)
{
	outb(0x70, reg);
	outb(0x71, val);
}

static u8 cmos(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

/* An alarm at each second. */
static void alarm(void)
{
	cmos_write(1, 0xff);
	cmos_write(3, 0xff);
	cmos_write(5, 0xff);
	cmos(0xc);
	cmos_write(0xb, cmos(0xb) | 0x20);
}

static void pattern_write(void)
{
	u64 addr;

	for (addr = PATTERN; addr < PATTERN + PATTERN_LEN; addr += 4096)
		*(volatile u64 *)addr = addr * 3;
}

static void pattern_check(void)
{
	u64 addr;

	for (addr = PATTERN; addr < PATTERN + PATTERN_LEN; addr += 4096)
		CHECK_EQ(*(volatile u64 *)addr, addr * 3);
}

static void suspend(void)
{
	u32 vector = GUEST_AP_BOOT;

	memcpy((void *)GUEST_AP_BOOT, guest_ap_boot, guest_ap_boot_end - guest_ap_boot);
	memcpy(facs + 12, &vector, sizeof(vector));
	outw(event, 0xffff);
	outw(event + 2, wake_by);
	if (wake_by == PM1_RTC)
		alarm();
	outw(control, PM1_S3 | PM1_SLEEP);
	went_on = 1;
	for (;;)
		asm volatile("cli; hlt");
}

/* A CPU that has started, the first one after S3 like the others. */
static void started(void)
{
	if (apic_id()) {
		others++;
		return;
	}
	wakes++;
	CHECK(!went_on);
	CHECK_EQ(inw(event), PM1_WAKE | wake_by);
	CHECK_EQ(inw(event + 2), 0);
	CHECK_EQ(inw(control), 1);
	outw(event, PM1_WAKE | wake_by);
	CHECK_EQ(inw(event), 0);
	CHECK_EQ(cmos(0xb), 2);			/* its alarm is off */
	pattern_check();
	if (wake_by == PM1_RTC) {
		guest_ap_start(1);
		while (others != wakes)
			cpu_relax();
		if (wakes < 3)
			suspend();
	}
	print("woken %u\n", wakes);
	guest_exit(0);
}

static void interrupted(struct frame *f)
{
	CHECK_EQ(inw(event) & PM1_RTC, PM1_RTC);
	outw(event + 2, 0);
	interrupts++;
	apic_eoi();
}

static void check_registers(void)
{
	u32 last;

	CHECK(!(fadt(112, 4) & 1 << 20));	/* hardware-reduced */
	CHECK(fadt(112, 4) & 1 << 8);		/* 32 bits of timer */
	CHECK_EQ(fadt(46, 2), GSI_SCI);
	CHECK_EQ(fadt(48, 4), 0);		/* no SMI */
	CHECK_EQ(fadt(88, 4), 0x04000204);
	CHECK(!memcmp(facs, "FACS", 4));
	CHECK_EQ((u64)facs & 63, 0);
	CHECK_EQ(inw(event), 0);
	CHECK_EQ(inw(control), 1);		/* SCI_EN */
	last = inl(timer);
	while (inl(timer) == last)
		cpu_relax();

	apic_enable();
	irq_handle(VECTOR, interrupted);
	ioapic_route_level(GSI_SCI, VECTOR);
	outw(event + 2, PM1_RTC);
	alarm();
	while (!interrupts)
		irq_wait();
	CHECK_EQ(interrupts, 1);
	cmos_write(0xb, 2);
	cmos(0xc);
	outw(event, PM1_RTC);
}

int main(void)
{
	const char *how = cmdline();

	if (str_starts(how, "none")) {
		CHECK(fadt(112, 4) & 1 << 20);
		CHECK_EQ(fadt(36, 4), 0);
		CHECK_EQ(fadt(56, 4), 0);
		CHECK_EQ(inl(0x608), 0xffffffff);
		return 0;
	}
	event = fadt(56, 4);
	control = fadt(64, 4);
	timer = fadt(76, 4);
	facs = (u8 *)(u64)fadt(36, 4);
	print("start\n");
	guest_ap_fn = started;
	pattern_write();
	if (str_starts(how, "off"))
		outw(control, 5 << 10 | PM1_SLEEP);
	check_registers();
	wake_by = str_starts(how, "alarm") ? PM1_RTC : str_starts(how, "button") ? PM1_POWER : 0;
	suspend();
	return 0;
}
