// SPDX-License-Identifier: GPL-2.0
// without: hw/chips/serial.o
/*
 * The 16550A, by its data sheet and by what Linux's 8250 driver makes of it.
 * One thread: the loop runs until something is there.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver.h"
#include "tap.h"

/* What KVM has been asked to collect. */
static int zones, looks;

static int test_coalesce(struct device *dev, const struct region *r, u64 off, u32 len, bool *on)
{
	CHECK_EQ(r->base, 0x3f8);
	CHECK_EQ(off, 0);
	CHECK_EQ(len, 1);
	zones++;
	*on = true;
	return 0;
}

static void test_coalesce_stop(struct device *dev, bool *on)
{
	zones -= *on;
	*on = false;
}

static void test_coalesced_seen(struct device *dev)
{
	looks++;
}

#define dev_coalesce test_coalesce
#define dev_coalesce_stop test_coalesce_stop
#define dev_coalesced_seen test_coalesced_seen
#include "../../hw/chips/serial.c"

#define PORT	0x3f8

static struct machine m;
static struct serial *s;
static int to_guest, from_guest;

static u8 in(unsigned int reg)
{
	return bus_read(&m.vm.pio, PORT + reg, 1);
}

static void out(unsigned int reg, u8 val)
{
	bus_write(&m.vm.pio, PORT + reg, 1, val);
}

static void start_tty(const char *tty)
{
	struct device *dev;
	char opts[128];

	signal(SIGPIPE, SIG_IGN);
	machine_init(&m);
	snprintf(opts, sizeof(opts), "base=%#x,irq=4,tty=%s", PORT, tty);
	CHECK_EQ(device_add(&m.vm, "serial", opts, &dev), 0);
	s = container_of(dev, struct serial, dev);
}

static void start(void)
{
	int a[2], b[2];
	char tty[64];

	CHECK_EQ(pipe(a), 0);
	CHECK_EQ(pipe(b), 0);
	to_guest = a[1];
	from_guest = b[0];
	fcntl(b[1], F_SETPIPE_SZ, 4096);
	snprintf(tty, sizeof(tty), "fd:%d:%d", a[0], b[1]);
	start_tty(tty);
	close(a[0]);
	close(b[1]);
}

static void stop_loop(struct watch *w, u32 events)
{
	loop_stop(m.vm.loop);
}

/* Run the loop until there is something to read from @fd. */
static void run_until(int fd)
{
	struct watch w = { .fd = dup(fd), .fn = stop_loop };

	CHECK_EQ(loop_add(m.vm.loop, &w, EPOLLIN), 0);
	loop_run(m.vm.loop);
	loop_del(m.vm.loop, &w);
	close(w.fd);
}

/* Run it once, for what is due already. */
static void work_stop(struct work *w)
{
	loop_stop(m.vm.loop);
}

static void run_once(void)
{
	struct work w = { .fn = work_stop };

	loop_post(m.vm.loop, &w);
	loop_run(m.vm.loop);
}

/* Has the line risen since the last call? */
static bool irq_rose(void)
{
	u64 count;

	return read(s->irq.fd, &count, sizeof(count)) == sizeof(count);
}

static void type(const char *text)
{
	CHECK_EQ(write(to_guest, text, strlen(text)), strlen(text));
}

static void fifo(u8 trigger)
{
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT | trigger);
}

TEST(reset_state)
{
	start();
	CHECK_EQ(in(UART_IER), 0);
	CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
	CHECK_EQ(in(UART_LCR), 0);
	CHECK_EQ(in(UART_MCR), 0);
	CHECK_EQ(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	CHECK_EQ(in(UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	machine_free(&m);
}

TEST(linux_finds_a_16550A)
{
	start();
	out(UART_IER, 0);
	CHECK_EQ(in(UART_IER), 0);
	out(UART_IER, 0x0f);
	CHECK_EQ(in(UART_IER), 0x0f);
	out(UART_IER, 0xff);
	CHECK_EQ(in(UART_IER), 0x0f);
	out(UART_IER, 0);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_RTS | UART_MCR_OUT2);
	CHECK_EQ(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(UART_MCR, 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK_EQ(in(UART_IIR) >> 6, 3);
	/* No 16750: the bit for its 64 bytes does not stick. */
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	CHECK_EQ(in(UART_IIR) >> 5, 6);
	out(UART_FCR, 0);
	CHECK_EQ(in(UART_IIR) >> 6, 0);
	out(UART_SCR, 0x5a);
	CHECK_EQ(in(UART_SCR), 0x5a);
	machine_free(&m);
}

TEST(divisor_latch_hides_two_registers)
{
	char byte;

	start();
	out(UART_IER, UART_IER_RDI);
	out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(UART_DLL, 0x34);
	out(UART_DLM, 0x12);
	CHECK_EQ(in(UART_DLL), 0x34);
	CHECK_EQ(in(UART_DLM), 0x12);
	out(UART_LCR, UART_LCR_WLEN8);
	CHECK_EQ(in(UART_IER), UART_IER_RDI);
	CHECK_EQ(in(UART_RX), 0);
	out(UART_TX, 'x');
	run_until(from_guest);
	CHECK_EQ(read(from_guest, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	machine_free(&m);
}

TEST(what_is_sent_is_written_at_once)
{
	char buf[64];

	start();
	for (const char *p = "hello, world\n"; *p; p++) {
		CHECK(in(UART_LSR) & UART_LSR_THRE);
		out(UART_TX, *p);
	}
	run_until(from_guest);
	CHECK_EQ(read(from_guest, buf, sizeof(buf)), 13);
	CHECK_MEM(buf, "hello, world\n", 13);
	machine_free(&m);
}

TEST(a_slow_terminal_makes_the_guest_wait_and_loses_nothing)
{
	unsigned int sent = 0, received = 0, waited = 0;
	u8 got[1000];

	start();
	fifo(0);
	while (received < 100000) {
		if (sent < 100000 && in(UART_LSR) & UART_LSR_THRE) {
			for (int i = 0; i < 16; i++, sent++)
				out(UART_TX, sent % 251);
			continue;
		}
		waited++;
		run_until(from_guest);
		/* Less than there may be. */
		for (ssize_t i = 0, n = read(from_guest, got, sizeof(got)); i < n; i++, received++)
			CHECK_EQ(got[i], received % 251);
	}
	CHECK(waited > 3);
	machine_free(&m);
}

TEST(when_the_terminal_takes_more_the_guest_is_told)
{
	static u8 got[8192];

	start();
	fifo(0);
	out(UART_MCR, UART_MCR_OUT2);
	while (!s->stalled || in(UART_LSR) & UART_LSR_THRE) {
		if (in(UART_LSR) & UART_LSR_THRE)
			out(UART_TX, 'x');
		else
			run_once();
	}
	out(UART_IER, UART_IER_THRI);
	CHECK(!irq_rose());
	CHECK(read(from_guest, got, sizeof(got)) > 0);
	run_until(s->irq.fd);
	CHECK(irq_rose());
	CHECK_EQ(in(UART_IIR) & 0x0f, UART_IIR_THRI);
	CHECK(in(UART_LSR) & UART_LSR_THRE);
	machine_free(&m);
}

TEST(a_terminal_where_nobody_is_takes_everything)
{
	start();
	close(from_guest);
	for (int i = 0; i < 20000; i++) {
		if (!(in(UART_LSR) & UART_LSR_THRE)) {
			out(UART_IER, UART_IER_THRI);
			out(UART_MCR, UART_MCR_OUT2);
			irq_rose();
			run_until(s->irq.fd);
			out(UART_IER, 0);
		}
		CHECK(in(UART_LSR) & UART_LSR_THRE);
		out(UART_TX, 'x');
	}
	machine_free(&m);
}

TEST(last_words_are_written_at_the_end)
{
	char buf[64];

	start();
	for (const char *p = "panic"; *p; p++)
		out(UART_TX, *p);
	machine_free(&m);
	CHECK_EQ(read(from_guest, buf, sizeof(buf)), 5);
	CHECK_MEM(buf, "panic", 5);
}

static void *slow_reader(void *arg)
{
	static char buf[4096];
	size_t *total = arg;
	ssize_t n;

	while ((n = read(from_guest, buf, sizeof(buf))) > 0)
		*total += n;
	return NULL;
}

TEST(last_words_wait_for_a_slow_terminal)
{
	size_t total = 0;
	pthread_t thread;

	start();
	for (int i = 0; i < 4000; i++)
		out(UART_TX, 'x');
	while (s->tx_nr)
		run_until(from_guest);
	for (int i = 0; i < 4000; i++)
		out(UART_TX, 'y');
	CHECK_EQ(pthread_create(&thread, NULL, slow_reader, &total), 0);
	machine_free(&m);
	pthread_join(thread, NULL);
	CHECK_EQ(total, 8000);
}

TEST(thre_interrupt)
{
	start();
	out(UART_MCR, UART_MCR_OUT2);
	CHECK(!irq_rose());
	/* Enabling it while empty raises it. */
	out(UART_IER, UART_IER_THRI);
	CHECK(irq_rose());
	CHECK_EQ(in(UART_IIR), UART_IIR_THRI);
	/* That look was the acknowledgement. */
	CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
	out(UART_TX, 'x');
	CHECK(irq_rose());
	CHECK_EQ(in(UART_IIR), UART_IIR_THRI);
	out(UART_IER, 0);
	out(UART_IER, UART_IER_THRI);
	CHECK(irq_rose());
	/* Written again without a change: nothing new. */
	in(UART_IIR);
	out(UART_IER, UART_IER_THRI);
	CHECK(!irq_rose());
	machine_free(&m);
}

TEST(out2_is_the_gate_of_the_interrupt)
{
	start();
	out(UART_IER, UART_IER_THRI);
	CHECK(!irq_rose());
	out(UART_MCR, UART_MCR_OUT2);
	CHECK(irq_rose());
	out(UART_MCR, 0);
	out(UART_MCR, UART_MCR_OUT2 | UART_MCR_LOOP);
	CHECK(!irq_rose());
	machine_free(&m);
}

TEST(received_data_by_trigger_and_timeout)
{
	const char *text = "abcdefghijklmnopqrst", *p = text;

	start();
	fifo(UART_FCR_TRIGGER_8);
	out(UART_IER, UART_IER_RDI);
	out(UART_MCR, UART_MCR_OUT2);
	type(text);
	run_until(s->irq.fd);
	CHECK_EQ(s->rx_nr, 16);
	while (s->rx_nr >= 8) {
		CHECK_EQ(in(UART_IIR) & 0x0f, UART_IIR_RDI);
		CHECK_EQ(in(UART_RX), *p++);
	}
	while (s->rx_nr) {
		CHECK_EQ(in(UART_IIR) & 0x0f, SERIAL_IIR_TIMEOUT);
		CHECK(in(UART_LSR) & UART_LSR_DR);
		CHECK_EQ(in(UART_RX), *p++);
	}
	CHECK_EQ(in(UART_IIR) & 0x0f, UART_IIR_NO_INT);
	irq_rose();
	run_until(s->irq.fd);
	while (*p)
		CHECK_EQ(in(UART_RX), *p++);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	machine_free(&m);
}

TEST(received_data_without_fifos)
{
	start();
	out(UART_IER, UART_IER_RDI);
	out(UART_MCR, UART_MCR_OUT2);
	type("abc");
	for (const char *p = "abc"; *p; p++) {
		run_until(s->irq.fd);
		irq_rose();
		CHECK_EQ(in(UART_IIR), UART_IIR_RDI);
		CHECK_EQ(in(UART_RX), *p);
		CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
	}
	machine_free(&m);
}

TEST(input_waits_for_the_guest)
{
	start();
	fifo(0);
	type("typed ahead");
	run_once();
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	out(UART_MCR, UART_MCR_RTS);
	run_once();
	CHECK(in(UART_LSR) & UART_LSR_DR);
	CHECK_EQ(in(UART_RX), 't');
	machine_free(&m);
}

TEST(after_end_of_file_output_goes_on)
{
	char byte;

	start();
	fifo(0);
	out(UART_MCR, UART_MCR_RTS);
	close(to_guest);
	run_once();
	run_once();
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	out(UART_TX, 'x');
	run_until(from_guest);
	CHECK_EQ(read(from_guest, &byte, 1), 1);
	machine_free(&m);
}

TEST(fifo_reset_drops_what_was_received)
{
	start();
	fifo(0);
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_TX, 'x');
	CHECK(in(UART_LSR) & UART_LSR_DR);
	fifo(0);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	out(UART_TX, 'x');
	/* Switching the FIFOs does the same. */
	out(UART_FCR, 0);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	machine_free(&m);
}

TEST(loopback_overrun)
{
	start();
	fifo(0);
	out(UART_MCR, UART_MCR_LOOP);
	for (int i = 0; i < 17; i++)
		out(UART_TX, 'a' + i);
	CHECK(in(UART_LSR) & UART_LSR_OE);
	CHECK(!(in(UART_LSR) & UART_LSR_OE));
	/* The FIFO keeps what it has ... */
	for (int i = 0; i < 16; i++)
		CHECK_EQ(in(UART_RX), 'a' + i);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	/* ... a single register does not. */
	out(UART_FCR, 0);
	out(UART_TX, 'a');
	out(UART_TX, 'b');
	CHECK(in(UART_LSR) & UART_LSR_OE);
	CHECK_EQ(in(UART_RX), 'b');
	machine_free(&m);
}

TEST(break_is_a_character_with_a_mark)
{
	u8 lsr;

	start();
	fifo(UART_FCR_TRIGGER_14);
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_IER, UART_IER_RLSI | UART_IER_RDI);
	out(UART_TX, 'a');
	out(UART_LCR, UART_LCR_WLEN8 | UART_LCR_SBC);
	out(UART_LCR, UART_LCR_WLEN8);
	/* It shows when it comes to the front; the FIFO says before that it is there. */
	lsr = in(UART_LSR);
	CHECK(!(lsr & UART_LSR_BI));
	CHECK(lsr & UART_LSR_FIFOE);
	CHECK_EQ(in(UART_IIR) & 0x0f, SERIAL_IIR_TIMEOUT);
	CHECK_EQ(in(UART_RX), 'a');
	CHECK_EQ(in(UART_IIR) & 0x0f, UART_IIR_RLSI);
	lsr = in(UART_LSR);
	CHECK_EQ(lsr & (UART_LSR_BI | UART_LSR_FE | UART_LSR_FIFOE),
		 UART_LSR_BI | UART_LSR_FE | UART_LSR_FIFOE);
	lsr = in(UART_LSR);
	CHECK(!(lsr & (UART_LSR_BI | UART_LSR_FE | UART_LSR_FIFOE)));
	CHECK(lsr & UART_LSR_DR);
	CHECK_EQ(in(UART_RX), 0);
	machine_free(&m);
}

TEST(a_break_from_outside)
{
	start();
	/* Nobody listens: it would be there when somebody does, who did not ask for it. */
	CHECK_EQ(serial_break(&s->dev, 't'), -ENOTCONN);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	fifo(UART_FCR_TRIGGER_14);
	out(UART_MCR, UART_MCR_OUT2);
	out(UART_IER, UART_IER_RLSI | UART_IER_RDI);
	CHECK_EQ(serial_break(&s->dev, 't'), 0);
	CHECK(irq_rose());
	CHECK_EQ(in(UART_LSR) & (UART_LSR_BI | UART_LSR_DR), UART_LSR_BI | UART_LSR_DR);
	CHECK_EQ(in(UART_RX), 0);
	CHECK_EQ(in(UART_LSR) & (UART_LSR_BI | UART_LSR_DR), UART_LSR_DR);
	CHECK_EQ(in(UART_RX), 't');
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	CHECK_EQ(serial_break(&s->dev, 0), 0);
	CHECK(in(UART_LSR) & UART_LSR_BI);
	CHECK_EQ(in(UART_RX), 0);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	machine_free(&m);
}

TEST(interrupt_priorities)
{
	start();
	in(UART_MSR);
	out(UART_IER, SERIAL_IER);
	out(UART_MCR, UART_MCR_LOOP);		/* the modem lines fall */
	out(UART_TX, 'x');
	out(UART_TX, 'y');			/* overrun */
	CHECK_EQ(in(UART_IIR), UART_IIR_RLSI);
	in(UART_LSR);
	CHECK_EQ(in(UART_IIR), UART_IIR_RDI);
	in(UART_RX);
	CHECK_EQ(in(UART_IIR), UART_IIR_THRI);
	CHECK_EQ(in(UART_IIR), UART_IIR_MSI);
	in(UART_MSR);
	CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
	machine_free(&m);
}

TEST(modem_status_deltas)
{
	start();
	out(UART_MCR, UART_MCR_LOOP);
	in(UART_MSR);
	CHECK_EQ(in(UART_MSR), 0);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_DTR | UART_MCR_OUT1);
	/* The ring indicator has no delta when it begins. */
	CHECK_EQ(in(UART_MSR), UART_MSR_DSR | UART_MSR_RI | UART_MSR_DDSR);
	CHECK_EQ(in(UART_MSR), UART_MSR_DSR | UART_MSR_RI);
	out(UART_MCR, UART_MCR_LOOP);
	CHECK_EQ(in(UART_MSR), UART_MSR_DDSR | UART_MSR_TERI);
	machine_free(&m);
}

TEST(carrier_is_the_peer_of_a_socket)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char tty[128];
	int fd;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/serial-test-%d", getpid());
	snprintf(tty, sizeof(tty), "unix:%s", addr.sun_path);
	start_tty(tty);
	fifo(0);
	out(UART_MCR, UART_MCR_OUT2 | UART_MCR_RTS);
	out(UART_IER, UART_IER_MSI);
	CHECK_EQ(in(UART_MSR), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	run_until(s->irq.fd);
	irq_rose();
	CHECK_EQ(in(UART_MSR), 0xbb);
	close(fd);
	run_until(s->irq.fd);
	irq_rose();
	CHECK_EQ(in(UART_MSR), 0x0b);
	machine_free(&m);
}

static void look_and_send(unsigned int looks_wanted, unsigned int n)
{
	while (looks_wanted--) {
		in(UART_LSR);
		for (unsigned int i = 0; i < n; i++)
			out(UART_TX, 'x');
	}
}

TEST(writes_are_collected_for_a_guest_that_looks)
{
	start();
	look_and_send(SERIAL_POLITE - 1, 1);
	CHECK_EQ(zones, 0);
	look_and_send(1, 1);
	CHECK_EQ(zones, 1);
	/* Each look has the rest looked for a moment later. */
	looks = 0;
	look_and_send(3, 16);
	CHECK_EQ(looks, 3);
	CHECK_EQ(zones, 1);
	/* It has turned blind. */
	look_and_send(1, 17);
	CHECK_EQ(zones, 0);
	machine_free(&m);
}

TEST(writes_of_a_blind_guest_come_one_by_one)
{
	start();
	for (int i = 0; i < 200; i++)
		out(UART_TX, 'x');
	/* Not even when it looks later. */
	look_and_send(100, 1);
	CHECK_EQ(zones, 0);
	machine_free(&m);
}
