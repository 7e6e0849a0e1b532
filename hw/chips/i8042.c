// SPDX-License-Identifier: GPL-2.0
/*
 * The keyboard controller of a PC (8042; IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller") with a keyboard and a
 * mouse that nobody touches: they answer commands, as drivers want, and send nothing
 * else. Guests use its reset line. It has no ACPI ID, so a kernel with ACPI does not
 * look for it.
 *
 * A command byte cancels a command before it that is not complete. The queue towards
 * the guest has a fixed size and drops bytes that do not fit. Runs on vCPU threads,
 * machine lock held.
 */
#include <errno.h>
#include <limits.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/opt.h>

#define I8042_QUEUE		16
#define I8042_COMMAND_PORT	4	/* from the data port */

#define STATUS_OUTPUT		(1U << 0)	/* there is a byte to read */
#define STATUS_SYSTEM		(1U << 2)	/* the self test was passed: a bit of the command byte */
#define STATUS_COMMAND		(1U << 3)	/* the last write was a command */
#define STATUS_UNLOCKED		(1U << 4)
#define STATUS_AUX		(1U << 5)	/* the byte to read is the mouse's */

#define CTR_KBD_IRQ		(1U << 0)
#define CTR_AUX_IRQ		(1U << 1)
#define CTR_SYSTEM		(1U << 2)
#define CTR_KBD_OFF		(1U << 4)
#define CTR_AUX_OFF		(1U << 5)
#define CTR_TRANSLATE		(1U << 6)
#define CTR_MASK		0x77

#define PORT_RUN		(1U << 0)	/* output port: low resets the processor */
#define PORT_A20		(1U << 1)

#define PS2_ACK			0xfa
#define PS2_RESEND		0xfe
#define PS2_PASSED		0xaa

/* A device on one of the two lines: the command that waits for its parameter, or 0. */
struct ps2 {
	u8 command;
	u8 scancodes;		/* keyboard: the set in use */
	bool aux;
};

struct i8042 {
	struct device dev;
	int base, kbd_gsi, aux_gsi;	/* suboptions */
	struct region data, command;
	struct irq kbd_irq, aux_irq;

	u8 ctr;			/* the command byte: configuration, to everybody else */
	u8 outport;
	u8 pending;		/* the command that waits for its parameter, or 0 */
	bool last_command;
	struct ps2 kbd, aux;
	struct {
		u8 byte;
		u8 aux;		/* 0 or 1 */
	} queue[I8042_QUEUE];
	unsigned int pos, nr;
};

static void i8042_lines(struct i8042 *k, bool kbd, bool aux)
{
	if (k->kbd_gsi)
		irq_set(&k->kbd_irq, kbd);
	if (k->aux_gsi)
		irq_set(&k->aux_irq, aux);
}

static void i8042_update(struct i8042 *k)
{
	bool aux = k->nr && k->queue[k->pos].aux;

	i8042_lines(k, k->nr && !aux && k->ctr & CTR_KBD_IRQ, aux && k->ctr & CTR_AUX_IRQ);
}

static void i8042_put(struct i8042 *k, bool aux, u8 byte)
{
	unsigned int last = (k->pos + k->nr) % I8042_QUEUE;

	if (k->nr == I8042_QUEUE)
		return;
	k->queue[last].byte = byte;
	k->queue[last].aux = aux;
	k->nr++;
}

/* The keyboard and the mouse */

static void ps2_answer(struct i8042 *k, const struct ps2 *p, const u8 *bytes, unsigned int n)
{
	i8042_put(k, p->aux, PS2_ACK);
	while (n--)
		i8042_put(k, p->aux, *bytes++);
}

static void kbd_write(struct i8042 *k, struct ps2 *p, u8 byte)
{
	static const u8 passed[] = { PS2_PASSED }, id[] = { 0xab, 0x83 };

	switch (byte) {
	case 0xed:		/* lamps */
	case 0xf0:		/* scan code set */
	case 0xf3:		/* repetition rate */
		p->command = byte;
		ps2_answer(k, p, NULL, 0);
		break;
	case 0xee:		/* echo */
		i8042_put(k, p->aux, byte);
		break;
	case 0xf2:
		ps2_answer(k, p, id, sizeof(id));
		break;
	case 0xf4 ... 0xfa:	/* on, off, defaults, kinds of keys */
		ps2_answer(k, p, NULL, 0);
		break;
	case 0xff:
		p->scancodes = 2;
		ps2_answer(k, p, passed, sizeof(passed));
		break;
	default:
		i8042_put(k, p->aux, PS2_RESEND);
	}
}

static void mouse_write(struct i8042 *k, struct ps2 *p, u8 byte)
{
	static const u8 passed[] = { PS2_PASSED, 0x00 }, id[] = { 0x00 };
	static const u8 status[] = { 0x00, 0x02, 0x64 }, still[] = { 0x08, 0x00, 0x00 };

	switch (byte) {
	case 0xe8:		/* resolution */
	case 0xf3:		/* sample rate */
		p->command = byte;
		ps2_answer(k, p, NULL, 0);
		break;
	case 0xe9:
		ps2_answer(k, p, status, sizeof(status));
		break;
	case 0xeb:
		ps2_answer(k, p, still, sizeof(still));
		break;
	case 0xf2:
		ps2_answer(k, p, id, sizeof(id));
		break;
	case 0xe6:		/* scaling, modes, on, off, defaults */
	case 0xe7:
	case 0xea:
	case 0xec:
	case 0xee:
	case 0xf0:
	case 0xf4 ... 0xf6:
		ps2_answer(k, p, NULL, 0);
		break;
	case 0xff:
		ps2_answer(k, p, passed, sizeof(passed));
		break;
	default:
		i8042_put(k, p->aux, PS2_RESEND);
	}
}

static void ps2_write(struct i8042 *k, struct ps2 *p, u8 byte)
{
	u8 command = p->command;

	p->command = 0;
	if (!command) {
		(p->aux ? mouse_write : kbd_write)(k, p, byte);
		return;
	}
	if (command == 0xf0 && !p->aux && !byte) {
		ps2_answer(k, p, &p->scancodes, 1);
		return;
	}
	if (command == 0xf0 && !p->aux)
		p->scancodes = byte;
	ps2_answer(k, p, NULL, 0);
}

/* The controller */

static void i8042_reset_line(struct i8042 *k, bool high)
{
	if (!high)
		dev_end(&k->dev, VM_RESET, 0);
}

static void i8042_do_command(struct i8042 *k, u8 command)
{
	k->pending = 0;
	switch (command) {
	case 0x20:
		i8042_put(k, false, k->ctr);
		break;
	case 0x60:
	case 0xd1 ... 0xd4:
		k->pending = command;
		break;
	case 0xa7:
		k->ctr |= CTR_AUX_OFF;
		break;
	case 0xa8:
		k->ctr &= ~CTR_AUX_OFF;
		break;
	case 0xa9:		/* test of the mouse's line: nothing is stuck */
	case 0xab:		/* the keyboard's */
		i8042_put(k, false, 0x00);
		break;
	case 0xaa:
		k->nr = 0;
		k->ctr |= CTR_SYSTEM;
		i8042_put(k, false, 0x55);
		break;
	case 0xad:
		k->ctr |= CTR_KBD_OFF;
		break;
	case 0xae:
		k->ctr &= ~CTR_KBD_OFF;
		break;
	case 0xc0:		/* input port: nothing is strapped */
		i8042_put(k, false, 0x80);
		break;
	case 0xd0:
		i8042_put(k, false, k->outport);
		break;
	case 0xf0 ... 0xff:	/* pulse the lines whose bits are 0 */
		i8042_reset_line(k, command & PORT_RUN);
		break;
	}
}

static void i8042_do_data(struct i8042 *k, u8 byte)
{
	u8 command = k->pending;

	k->pending = 0;
	switch (command) {
	case 0x60:
		k->ctr = byte & CTR_MASK;
		break;
	case 0xd1:
		k->outport = byte;
		i8042_reset_line(k, byte & PORT_RUN);
		break;
	case 0xd2:		/* back, as if the keyboard had said it */
		i8042_put(k, false, byte);
		break;
	case 0xd3:		/* the mouse */
		i8042_put(k, true, byte);
		break;
	case 0xd4:
		ps2_write(k, &k->aux, byte);
		break;
	default:
		/* Talking to the keyboard switches its line on. */
		k->ctr &= ~CTR_KBD_OFF;
		ps2_write(k, &k->kbd, byte);
	}
}

static u64 i8042_read_data(void *obj, u64 off, unsigned int len)
{
	struct i8042 *k = obj;
	u8 byte = k->queue[k->pos].byte;	/* the last one again, if there is no other */

	if (k->nr) {
		k->nr--;
		if (k->nr)
			k->pos = (k->pos + 1) % I8042_QUEUE;
		/* A falling edge between two bytes. */
		i8042_lines(k, false, false);
		i8042_update(k);
	}
	return byte;
}

static void i8042_write_data(void *obj, u64 off, unsigned int len, u64 val)
{
	struct i8042 *k = obj;

	k->last_command = false;
	i8042_do_data(k, val);
	i8042_update(k);
}

static u64 i8042_read_status(void *obj, u64 off, unsigned int len)
{
	const struct i8042 *k = obj;
	u8 status = STATUS_UNLOCKED;

	if (k->nr)
		status |= STATUS_OUTPUT | (k->queue[k->pos].aux ? STATUS_AUX : 0);
	if (k->ctr & CTR_SYSTEM)
		status |= STATUS_SYSTEM;
	if (k->last_command)
		status |= STATUS_COMMAND;
	return status;
}

static void i8042_write_command(void *obj, u64 off, unsigned int len, u64 val)
{
	struct i8042 *k = obj;

	k->last_command = true;
	i8042_do_command(k, val);
	i8042_update(k);
}

static const struct region_ops i8042_data_ops = {
	.read = i8042_read_data, .write = i8042_write_data, .max = 1,
};
static const struct region_ops i8042_command_ops = {
	.read = i8042_read_status, .write = i8042_write_command, .max = 1,
};

static int i8042_init(struct device *dev)
{
	struct i8042 *k = container_of(dev, struct i8042, dev);
	int ret;

	k->ctr = CTR_SYSTEM | CTR_TRANSLATE;
	k->outport = PORT_RUN | PORT_A20;
	k->kbd.scancodes = 2;
	k->aux.aux = true;
	k->data.name = "i8042 data";
	k->command.name = "i8042 command";
	ret = dev_regs(dev, &k->data, k->base, 1, &i8042_data_ops, k);
	if (!ret)
		ret = dev_regs(dev, &k->command, k->base + I8042_COMMAND_PORT, 1,
			       &i8042_command_ops, k);
	if (!ret && k->kbd_gsi)
		ret = dev_irq_wire(dev, &k->kbd_irq, k->kbd_gsi);
	if (!ret && k->aux_gsi)
		ret = dev_irq_wire(dev, &k->aux_irq, k->aux_gsi);
	return ret;
}

static const struct state_field i8042_state[] = {
	STATE(struct i8042, ctr),
	STATE(struct i8042, outport),
	STATE(struct i8042, pending),
	STATE(struct i8042, last_command),
	STATE(struct i8042, kbd.command),
	STATE(struct i8042, kbd.scancodes),
	STATE(struct i8042, aux.command),
	STATE(struct i8042, queue),
	STATE(struct i8042, pos),
	STATE(struct i8042, nr),
	STATE_END
};

static int i8042_loaded(struct device *dev, enum state_kind kind)
{
	struct i8042 *k = container_of(dev, struct i8042, dev);

	if (k->pos >= I8042_QUEUE || k->nr > I8042_QUEUE)
		return -EINVAL;
	i8042_update(k);
	return 0;
}

static const struct opt i8042_opts[] = {
	OPT_INT(0, "base", struct i8042, base, 1, INT_MAX, "ADDR", "data port; the command port is four further"),
	OPT_INT(0, "irq", struct i8042, kbd_gsi, 1, IRQ_WIRES - 1, "N", "the keyboard's interrupt (default: none)"),
	OPT_INT(0, "aux-irq", struct i8042, aux_gsi, 1, IRQ_WIRES - 1, "N", "the mouse's interrupt (default: none)"),
	OPT_END
};

DEVICE_TYPE(i8042) = {
	.name = "i8042",
	.help = "keyboard controller",
	.size = sizeof(struct i8042),
	.opts = i8042_opts,
	.init = i8042_init,
	.state = i8042_state,
	.loaded = i8042_loaded,
	.internal = true,
};
