// SPDX-License-Identifier: GPL-2.0
/*
 * A serial port: the 16550A of National Semiconductor's data sheet (PC16550D,
 * June 1995; section numbers are its), wired as in a PC, where OUT2 is the
 * gate of the interrupt. Registers are served on vCPU threads, the terminal on
 * the main loop, all under the machine lock.
 *
 * On a PC the third and fourth port share edge-triggered interrupts with the first
 * two, which is unreliable. Here each port has its own, and the DSDT says which.
 *
 * The port models no baud rate: a byte is sent when it is written, and the
 * character timeout expires as soon as the terminal has no more input.
 *
 * Transmitted bytes are buffered, and the main loop writes them a millisecond
 * later. A terminal that accepts nothing lets the buffer fill. The transmitter
 * holding register then stays full: the guest waits, the machine does not. A
 * terminal whose peer has gone accepts everything.
 *
 * Every byte would be an exit. So KVM collects writes of the transmitter register
 * (dev_coalesce()), but only for a guest that reads the status in between, as
 * drivers do. Collected writes are served before that read, in order, whatever
 * mode the register is in by then. A guest that writes without reading the status
 * might never exit again, so its writes are not collected.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <linux/serial_reg.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/iov.h>
#include <kvm/loop.h>
#include <kvm/opt.h>
#include <kvm/serial.h>
#include <kvm/tty.h>

#define SERIAL_PORTS		8
#define SERIAL_FIFO		16
#define SERIAL_TX		4096		/* bytes on their way to the terminal */
#define SERIAL_FLUSH_NS		(1000 * 1000)
#define SERIAL_DRAIN_NS		(1000ULL * 1000 * 1000)	/* at the end, for a terminal that is slow */
#define SERIAL_POLITE		64		/* bytes from a guest that looks first, until KVM may collect */

#define SERIAL_IER		(UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI)
#define SERIAL_MCR		(UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP)
#define SERIAL_LSR_ERRORS	(UART_LSR_OE | UART_LSR_PE | UART_LSR_FE | UART_LSR_BI)
#define SERIAL_MSR_LINES	(UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD)
#define SERIAL_IIR_TIMEOUT	0x0c		/* 8.4: received data, by the character timeout */
#define SERIAL_IIR_FIFO		0xc0

struct serial {
	struct device dev;
	/* suboptions */
	int base, gsi, nr;
	const char *spec;

	struct region ports;
	struct irq irq;
	struct tty *tty;

	u8 ier, lcr, mcr, scr, dll, dlm;
	u8 fcr;			/* 0: FIFOs off */
	u8 msr;
	bool thre;		/* the "transmitter holding register empty" interrupt is pending */
	bool overrun;

	struct {
		u8 byte, lsr;	/* errors that came with it */
	} rx[SERIAL_FIFO];
	unsigned int rx_pos, rx_nr;

	u8 tx[SERIAL_TX];
	unsigned int tx_pos, tx_nr;

	struct work work;	/* from vCPU threads to the loop */
	bool refill;		/* there may be something to receive, or it may be wanted now */
	struct timer timer;	/* the flush */
	bool stalled;		/* the terminal will say when it takes more */
	struct loop *drain;	/* at the end */

	unsigned int blind;	/* bytes sent since the guest looked */
	bool looked;		/* it has, once */
	unsigned int polite;	/* bytes from a guest that looks before it sends */
	bool rude;		/* it sent more than a FIFO holds without looking */
	bool coalesced;		/* KVM collects what it sends */
};

/* Interrupts (8.5, 8.6) */

static unsigned int serial_rx_size(const struct serial *s)
{
	return s->fcr ? SERIAL_FIFO : 1;
}

static unsigned int serial_rx_trigger(const struct serial *s)
{
	static const u8 level[] = { 1, 4, 8, 14 };

	return s->fcr ? level[s->fcr >> 6] : 1;
}

static bool serial_tx_room(const struct serial *s)
{
	return SERIAL_TX - s->tx_nr >= SERIAL_FIFO;
}

static u8 serial_lsr(const struct serial *s)
{
	u8 lsr = s->overrun ? UART_LSR_OE : 0;
	unsigned int i;

	if (s->rx_nr)
		lsr |= UART_LSR_DR | s->rx[s->rx_pos].lsr;
	if (serial_tx_room(s))
		lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	for (i = 0; s->fcr && i < s->rx_nr; i++)
		if (s->rx[(s->rx_pos + i) % SERIAL_FIFO].lsr)
			lsr |= UART_LSR_FIFOE;
	return lsr;
}

/* The pending and enabled interrupt with the highest priority. */
static u8 serial_iir(const struct serial *s)
{
	if (s->ier & UART_IER_RLSI && serial_lsr(s) & SERIAL_LSR_ERRORS)
		return UART_IIR_RLSI;
	if (s->ier & UART_IER_RDI && s->rx_nr)
		return s->rx_nr >= serial_rx_trigger(s) ? UART_IIR_RDI : SERIAL_IIR_TIMEOUT;
	if (s->ier & UART_IER_THRI && s->thre)
		return UART_IIR_THRI;
	if (s->ier & UART_IER_MSI && s->msr & UART_MSR_ANY_DELTA)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

static void serial_update(struct serial *s)
{
	/* The local loopback takes the modem outputs, OUT2 among them, off their pins. */
	bool gate = (s->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;

	irq_set(&s->irq, gate && serial_iir(s) != UART_IIR_NO_INT);
}

/* Modem lines (8.7, 8.8) */

static void serial_lines_update(struct serial *s)
{
	u8 old = s->msr, lines = 0, changed;

	if (s->mcr & UART_MCR_LOOP) {
		lines |= s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0;
		lines |= s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0;
		lines |= s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0;
		lines |= s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
	} else if (tty_is_connected(s->tty)) {
		lines = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	}
	changed = (old ^ lines) & SERIAL_MSR_LINES;
	/* The ring indicator counts when it ends. */
	if (lines & UART_MSR_RI)
		changed &= ~UART_MSR_RI;
	s->msr = lines | (old & UART_MSR_ANY_DELTA) | changed >> 4;
}

/* Receiving */

static void serial_rx_put(struct serial *s, u8 byte, u8 lsr)
{
	unsigned int size = serial_rx_size(s);

	if (s->rx_nr == size) {
		s->overrun = true;
		/* 8.4: with FIFOs it is the newcomer that is lost. */
		if (size > 1)
			return;
		s->rx_nr--;
	}
	s->rx[(s->rx_pos + s->rx_nr) % SERIAL_FIFO].byte = byte;
	s->rx[(s->rx_pos + s->rx_nr) % SERIAL_FIFO].lsr = lsr;
	s->rx_nr++;
}

/*
 * The terminal holds its bytes until the guest is there for them: it has said
 * so by RTS, or it waits for the interrupt. Otherwise what was typed ahead
 * would be lost when a driver clears the FIFO as it starts.
 */
static bool serial_rx_wanted(const struct serial *s)
{
	return (s->mcr & UART_MCR_RTS || s->ier & UART_IER_RDI) &&
		!(s->mcr & UART_MCR_LOOP) && s->rx_nr < serial_rx_size(s);
}

/* On the loop. */
static void serial_rx_fill(struct serial *s)
{
	u8 buf[SERIAL_FIFO];
	struct iovec iov = { .iov_base = buf };
	struct iov_iter to;
	ssize_t n = 0, i;

	if (serial_rx_wanted(s)) {
		iov.iov_len = serial_rx_size(s) - s->rx_nr;
		iov_iter_init(&to, &iov, 1);
		n = tty_read(s->tty, &to, iov.iov_len);
		for (i = 0; i < n; i++)
			serial_rx_put(s, buf[i], 0);
	}
	/* After the end of file the terminal is silent by itself. */
	tty_want_read(s->tty, serial_rx_wanted(s));
	if (!n)
		serial_lines_update(s);
}

/* Sending */

/* On the loop. */
static void serial_tx_flush(struct serial *s)
{
	while (s->tx_nr && !s->stalled) {
		struct iovec iov = { s->tx + s->tx_pos, min(s->tx_nr, SERIAL_TX - s->tx_pos) };
		struct iov_iter from;
		ssize_t n;

		iov_iter_init(&from, &iov, 1);
		n = tty_write(s->tty, &from, iov.iov_len);
		if (n == -EAGAIN) {
			s->stalled = true;
		} else if (n < 0) {
			s->tx_nr = 0;		/* there is no peer */
			serial_lines_update(s);
		} else {
			s->stalled = (size_t)n < iov.iov_len;
			s->tx_pos = (s->tx_pos + n) % SERIAL_TX;
			s->tx_nr -= n;
		}
	}
}

static void serial_post(struct serial *s)
{
	loop_post(dev_loop(&s->dev), &s->work);
}

static void serial_refill(struct serial *s)
{
	s->refill = true;
	serial_post(s);
}

static void serial_tx_put(struct serial *s, u8 byte)
{
	if (s->mcr & UART_MCR_LOOP) {
		serial_rx_put(s, byte, 0);
		s->thre = true;
		return;
	}
	/* Beyond the room that LSR promised: lost, as on the wire. */
	if (s->tx_nr < SERIAL_TX)
		s->tx[(s->tx_pos + s->tx_nr++) % SERIAL_TX] = byte;
	s->thre = serial_tx_room(s);
	if (!s->stalled && !s->timer.due)
		serial_post(s);

	if (++s->blind > SERIAL_FIFO) {
		s->rude = true;
		dev_coalesce_stop(&s->dev, &s->coalesced);
	} else if (!s->rude && s->looked && !s->coalesced) {
		/* It uses the FIFO, or it has much to say byte by byte. */
		if (s->blind == 2 || (++s->polite >= SERIAL_POLITE && s->blind == 1))
			dev_coalesce(&s->dev, &s->ports, UART_TX, 1, &s->coalesced);
	}
}

/* The guest looks at LSR or IIR, most likely to write next. */
static void serial_looked(struct serial *s)
{
	s->blind = 0;
	s->looked = true;
	/* It may wait for an answer after that: what KVM has collected by then is to be seen. */
	if (s->coalesced)
		dev_coalesced_seen(&s->dev);
}

/* Registers (8.0, table II) */

static u64 serial_read(void *obj, u64 off, unsigned int len)
{
	struct serial *s = obj;
	u8 val = 0;

	if (s->lcr & UART_LCR_DLAB && off <= UART_DLM)
		return off == UART_DLL ? s->dll : s->dlm;
	switch (off) {
	case UART_RX:
		if (!s->rx_nr)
			break;
		val = s->rx[s->rx_pos].byte;
		s->rx_pos = (s->rx_pos + 1) % SERIAL_FIFO;
		if (!--s->rx_nr)
			serial_refill(s);
		break;
	case UART_IER:
		return s->ier;
	case UART_IIR:
		val = serial_iir(s);
		if (val == UART_IIR_THRI)
			s->thre = false;
		val |= s->fcr ? SERIAL_IIR_FIFO : 0;
		serial_looked(s);
		break;
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		val = serial_lsr(s);
		s->overrun = false;
		if (s->rx_nr)
			s->rx[s->rx_pos].lsr = 0;
		serial_looked(s);
		break;
	case UART_MSR:
		val = s->msr;
		s->msr &= ~UART_MSR_ANY_DELTA;
		break;
	case UART_SCR:
		return s->scr;
	}
	serial_update(s);
	return val;
}

static void serial_write_ier(struct serial *s, u8 val)
{
	/* 8.6: enabling the interrupt while the register is empty raises it. */
	if (val & ~s->ier & UART_IER_THRI && serial_tx_room(s))
		s->thre = true;
	s->ier = val & SERIAL_IER;
	serial_refill(s);
}

static void serial_write_fcr(struct serial *s, u8 val)
{
	bool on = val & UART_FCR_ENABLE_FIFO;

	/* 8.3: switching clears both FIFOs. Transmitted bytes are on the line already. */
	if (on != !!s->fcr || (on && val & UART_FCR_CLEAR_RCVR)) {
		s->rx_nr = 0;
		s->overrun = false;
		serial_refill(s);
	}
	/* 8.3: the other bits are only programmed along with this one. */
	s->fcr = on ? val & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK) : 0;
}

static void serial_write_lcr(struct serial *s, u8 val)
{
	/*
	 * 8.1: a break lasts as long as the bit is set, and is received as
	 * one character. A terminal has no notion of it.
	 */
	if (val & ~s->lcr & UART_LCR_SBC && s->mcr & UART_MCR_LOOP)
		serial_rx_put(s, 0, UART_LSR_BI | UART_LSR_FE);
	s->lcr = val;
}

static void serial_write_mcr(struct serial *s, u8 val)
{
	s->mcr = val & SERIAL_MCR;
	serial_lines_update(s);
	serial_refill(s);
}

static void serial_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct serial *s = obj;

	if (s->lcr & UART_LCR_DLAB && off <= UART_DLM) {
		*(off == UART_DLL ? &s->dll : &s->dlm) = val;
		return;
	}
	switch (off) {
	case UART_TX:
		serial_tx_put(s, val);
		break;
	case UART_IER:
		serial_write_ier(s, val);
		break;
	case UART_FCR:
		serial_write_fcr(s, val);
		break;
	case UART_LCR:
		serial_write_lcr(s, val);
		break;
	case UART_MCR:
		serial_write_mcr(s, val);
		break;
	case UART_SCR:
		s->scr = val;
		break;
	}
	serial_update(s);
}

static const struct region_ops serial_ops = {
	.read = serial_read, .write = serial_write, .max = 1,
};

/* On the loop */

static void serial_flush(struct serial *s)
{
	bool full = !serial_tx_room(s);

	serial_tx_flush(s);
	if (full && serial_tx_room(s))
		s->thre = true;
	serial_update(s);
	if (s->drain && !s->tx_nr)
		loop_stop(s->drain);
}

static void serial_timer(struct timer *t)
{
	serial_flush(container_of(t, struct serial, timer));
}

static void serial_work(struct work *w)
{
	struct serial *s = container_of(w, struct serial, work);

	if (s->refill) {
		s->refill = false;
		serial_rx_fill(s);
		serial_update(s);
	}
	if (s->tx_nr && !s->stalled && !s->timer.due)
		loop_timer(dev_loop(&s->dev), &s->timer, loop_now() + SERIAL_FLUSH_NS);
}

static void serial_readable(void *obj)
{
	struct serial *s = obj;

	serial_rx_fill(s);
	serial_update(s);
}

static void serial_writable(void *obj)
{
	struct serial *s = obj;

	s->stalled = false;
	serial_flush(s);
}

static void serial_connected(void *obj)
{
	struct serial *s = obj;

	serial_lines_update(s);
	serial_rx_fill(s);
	serial_update(s);
}

static const struct tty_ops serial_tty_ops = {
	.readable = serial_readable,
	.writable = serial_writable,
	.connected = serial_connected,
};

int serial_break(struct device *dev, u8 byte)
{
	struct serial *s = container_of(dev, struct serial, dev);

	if (!(s->ier & UART_IER_RDI) || s->mcr & UART_MCR_LOOP)
		return -ENOTCONN;
	serial_rx_put(s, 0, UART_LSR_BI | UART_LSR_FE);
	if (byte)
		serial_rx_put(s, byte, 0);
	serial_update(s);
	return 0;
}

/* The end: the machine is gone, its last words may still be here. */

static void serial_drain_timeout(struct timer *t)
{
	struct serial *s = container_of(t, struct serial, timer);

	loop_stop(s->drain);
}

static void serial_drain(struct serial *s)
{
	struct loop *loop;

	serial_tx_flush(s);
	tty_detach(s->tty);
	if (!s->tx_nr || loop_new(&loop, NULL))
		return;
	s->drain = loop;
	s->timer = (struct timer) { .fn = serial_drain_timeout };
	loop_timer(loop, &s->timer, loop_now() + SERIAL_DRAIN_NS);
	tty_want_read(s->tty, false);
	tty_attach(s->tty, loop);
	loop_run(loop);
	loop_timer_cancel(loop, &s->timer);
	tty_detach(s->tty);
	loop_free(loop);
}

static void serial_close(void *arg)
{
	struct serial *s = arg;

	loop_timer_cancel(dev_loop(&s->dev), &s->timer);
	serial_drain(s);
	tty_close(s->tty);
}

static int serial_init(struct device *dev)
{
	struct serial *s = container_of(dev, struct serial, dev);
	unsigned int nr = s->nr ? (unsigned int)s->nr : dev->index;
	char name[16];
	int ret;

	s->ports.name = dev->name;
	ret = dev_place(dev, dev->type->name, nr, &s->base, &s->gsi);
	if (!ret)
		ret = dev_regs(dev, &s->ports, s->base, SERIAL_PORTS, &serial_ops, s);
	if (!ret)
		ret = dev_irq_wire(dev, &s->irq, s->gsi);
	if (!ret)
		ret = dev_timer(dev, &s->timer, serial_timer);
	if (!ret)
		ret = dev_work(dev, &s->work, serial_work);
	if (!ret)
		ret = tty_open_kept(&s->tty, dev_keep(dev), s->spec ? s->spec : "null", dev_loop(dev),
			       &serial_tty_ops, s);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), "ttyS%u", nr);
	tty_announce(s->tty, name);
	serial_lines_update(s);
	s->msr &= SERIAL_MSR_LINES;
	return dev_defer(dev, serial_close, s);
}

/* Collecting writes is no state: KVM is asked again when the guest reads the status in between. */
static const struct state_field serial_state[] = {
	STATE(struct serial, ier),
	STATE(struct serial, lcr),
	STATE(struct serial, mcr),
	STATE(struct serial, scr),
	STATE(struct serial, dll),
	STATE(struct serial, dlm),
	STATE(struct serial, fcr),
	STATE(struct serial, msr),
	STATE(struct serial, thre),
	STATE(struct serial, overrun),
	STATE(struct serial, rx),
	STATE(struct serial, rx_pos),
	STATE(struct serial, rx_nr),
	STATE(struct serial, tx),
	STATE(struct serial, tx_pos),
	STATE(struct serial, tx_nr),
	STATE_END
};

/* Write the buffer to the terminal first, so that a restored machine does not send it again. */
static void serial_saving(struct device *dev)
{
	serial_flush(container_of(dev, struct serial, dev));
}

static int serial_loaded(struct device *dev, enum state_kind kind)
{
	struct serial *s = container_of(dev, struct serial, dev);

	if (s->rx_pos >= SERIAL_FIFO || s->rx_nr > serial_rx_size(s) ||
	    s->tx_pos >= SERIAL_TX || s->tx_nr > SERIAL_TX ||
	    s->ier & ~SERIAL_IER || s->mcr & ~SERIAL_MCR)
		return -EINVAL;
	/* The terminal is another one: what it takes is sent, and what it has is received. */
	serial_lines_update(s);
	serial_update(s);
	serial_refill(s);
	return 0;
}

static const struct opt serial_opts[] = {
	OPT_STR(0, "tty", struct serial, spec, "TTY", "its other end: stdio, pty, unix:PATH, file:PATH, fd:N, null"),
	OPT_INT(0, "nr", struct serial, nr, 1, 3, "N", "which one of a PC's it is: 1 for ttyS1 (its number in order)"),
	OPT_INT(0, "base", struct serial, base, 1, INT_MAX, "ADDR",
		"the first of eight ports (the board's for the first four)"),
	OPT_INT(0, "irq", struct serial, gsi, 1, IRQ_WIRES - 1, "N", "interrupt (the board's)"),
	OPT_END
};

DEVICE_TYPE(serial) = {
	.name = "serial",
	.help = "16550A serial port",
	.size = sizeof(struct serial),
	.opts = serial_opts,
	.init = serial_init,
	.state = serial_state,
	.saving = serial_saving,
	.loaded = serial_loaded,
	.acpi_hid = "PNP0501",
};
