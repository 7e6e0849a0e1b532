// SPDX-License-Identifier: GPL-2.0
/*
 * The serial port as the 16550's data sheet has it, mostly in its own
 * loopback, and its interrupt through the I/O APIC.
 *
 * [a_16550]
 * run=-m 16
 * status=1
 * expect="^all of these bytes arrive: [.]{200}!"
 * [with_kvms_interrupt_controllers]
 * run=-m 16 --irqchip kernel
 * status=1
 * expect="^all of these bytes arrive: [.]{200}!"
 */
#include <linux/serial_reg.h>

#include "guest.h"

#define VECTOR	0x41
#define GSI	4

static volatile u32 interrupts, iir_seen;

static u8 reg_read(u8 reg)
{
	return inb(PORT_SERIAL + reg);
}

static void reg_write(u8 reg, u8 val)
{
	outb(PORT_SERIAL + reg, val);
}

static void test_registers(void)
{
	reg_write(UART_SCR, 0xa5);
	CHECK_EQ(reg_read(UART_SCR), 0xa5);
	reg_write(UART_SCR, 0x5a);
	CHECK_EQ(reg_read(UART_SCR), 0x5a);

	reg_write(UART_IER, 0);
	reg_write(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	reg_write(UART_DLL, 0x34);
	reg_write(UART_DLM, 0x12);
	CHECK_EQ(reg_read(UART_DLL), 0x34);
	CHECK_EQ(reg_read(UART_DLM), 0x12);
	reg_write(UART_LCR, UART_LCR_WLEN8);
	CHECK_EQ(reg_read(UART_IER), 0);
	CHECK_EQ(reg_read(UART_LCR), UART_LCR_WLEN8);

	reg_write(UART_FCR, 0);
	CHECK_EQ(reg_read(UART_IIR), UART_IIR_NO_INT);
	reg_write(UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK_EQ(reg_read(UART_IIR), 0xc0 | UART_IIR_NO_INT);
	CHECK_EQ(reg_read(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

static void test_loopback(void)
{
	unsigned int i;

	reg_write(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_TRIGGER_8);
	reg_write(UART_MCR, UART_MCR_LOOP | UART_MCR_DTR | UART_MCR_OUT2);
	CHECK_EQ(reg_read(UART_MSR) & 0xf0, UART_MSR_DSR | UART_MSR_DCD);
	reg_write(UART_IER, UART_IER_RDI);

	for (i = 0; i < 7; i++)
		reg_write(UART_TX, 'a' + i);
	CHECK_EQ(reg_read(UART_IIR) & 0x3f, 0x0c);		/* not enough, but it is waiting */
	reg_write(UART_TX, 'h');
	CHECK_EQ(reg_read(UART_IIR) & 0x3f, UART_IIR_RDI);
	for (i = 8; i < 16; i++)
		reg_write(UART_TX, 'a' + i);
	CHECK_EQ(reg_read(UART_LSR) & UART_LSR_OE, 0);
	reg_write(UART_TX, 'X');				/* the 17th is lost */
	CHECK(reg_read(UART_LSR) & UART_LSR_OE);
	CHECK_EQ(reg_read(UART_LSR) & UART_LSR_OE, 0);		/* reading has cleared it */
	for (i = 0; i < 16; i++) {
		CHECK(reg_read(UART_LSR) & UART_LSR_DR);
		CHECK_EQ(reg_read(UART_RX), 'a' + i);
	}
	CHECK_EQ(reg_read(UART_LSR) & UART_LSR_DR, 0);
	CHECK_EQ(reg_read(UART_IIR) & 0x3f, UART_IIR_NO_INT);

	/* A break is a zero byte with its error, which is read once. */
	reg_write(UART_IER, UART_IER_RLSI);
	reg_write(UART_LCR, UART_LCR_SBC | UART_LCR_WLEN8);
	CHECK_EQ(reg_read(UART_IIR) & 0x3f, UART_IIR_RLSI);
	CHECK(reg_read(UART_LSR) & UART_LSR_BI);
	CHECK_EQ(reg_read(UART_LSR) & UART_LSR_BI, 0);
	CHECK_EQ(reg_read(UART_RX), 0);
	reg_write(UART_LCR, UART_LCR_WLEN8);

	/* Without FIFOs there is one byte, and the newer one wins. */
	reg_write(UART_FCR, 0);
	reg_write(UART_TX, '1');
	reg_write(UART_TX, '2');
	CHECK(reg_read(UART_LSR) & UART_LSR_OE);
	CHECK_EQ(reg_read(UART_RX), '2');
	CHECK_EQ(reg_read(UART_LSR) & UART_LSR_DR, 0);
	reg_write(UART_IER, 0);
	reg_write(UART_MCR, 0);
}

static void on_serial(struct frame *f)
{
	interrupts++;
	iir_seen = reg_read(UART_IIR);
	apic_eoi();
}

static void test_interrupt(void)
{
	apic_enable();
	irq_handle(VECTOR, on_serial);
	ioapic_route(GSI, VECTOR);
	reg_write(UART_FCR, UART_FCR_ENABLE_FIFO);
	reg_write(UART_MCR, 0);
	irq_enable();
	reg_write(UART_IER, UART_IER_THRI);		/* OUT2 is off: the wire is not driven */
	CHECK_EQ(interrupts, 0);
	irq_disable();
	reg_write(UART_MCR, UART_MCR_OUT2 | UART_MCR_DTR | UART_MCR_RTS);
	while (!interrupts)
		irq_wait();
	CHECK_EQ(interrupts, 1);
	CHECK_EQ(iir_seen & 0x3f, UART_IIR_THRI);
	reg_write(UART_TX, '\n');			/* sending makes it empty again */
	while (interrupts < 2)
		irq_wait();
	reg_write(UART_IER, 0);
}

int main(void)
{
	unsigned int i;

	test_registers();
	test_loopback();
	test_interrupt();
	print("all of these bytes arrive: ");
	for (i = 0; i < 200; i++)
		print(".");
	print("!\n");
	return 0;
}
