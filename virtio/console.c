// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-console: a console and any number of byte streams with names (virtio
 * 1.2, 5.3). Port 0 is the console, the others are ports in the order of the
 * command line; each is a terminal (kvm/tty.h) on the host. All state belongs
 * to the queue thread.
 *
 * Flow control goes both ways without a buffer of ours. A request that the
 * host end has taken in part stays in our hands, its iterator advanced, until
 * the host end is writable; the host end is read only when the guest has the
 * port open and gives us a buffer, straight into that.
 *
 * Control messages to the guest are not queued. Each port has a bit for each kind of
 * message. When the guest gives a control buffer, a message is made of the current
 * value. So a guest that gives no buffers makes lkvm keep nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include <linux/kernel.h>
#include <kvm/console.h>
#include <kvm/opt.h>
#include <kvm/tty.h>
#include <kvm/virtio.h>

#define CONSOLE_PORTS	31
#define CONSOLE_NAME	64	/* bytes of a port's name */
/* Requests of one queue served before the others have their turn. */
#define CONSOLE_BATCH	64

/* 5.3.2: the control queues stand between those of port 0 and port 1. */
enum { CONSOLE_RX, CONSOLE_TX, CONSOLE_CONTROL_RX, CONSOLE_CONTROL_TX };

/* Control messages that a port still has to send, in their order. */
enum {
	TELL_ADD	= 1 << 0,
	TELL_CONSOLE	= 1 << 1,
	TELL_NAME	= 1 << 2,
	TELL_SIZE	= 1 << 3,
	TELL_OPEN	= 1 << 4,
	TELL_ALL	= (1 << 5) - 1,
};

struct port {
	struct console *console;
	unsigned int id;
	const char *name;		/* NULL: the console */
	struct tty *tty;		/* NULL: there is no console */
	bool host_open;
	bool ready;			/* the guest's driver knows the port */
	bool guest_open;
	u8 tell;			/* TELL_* */
	struct vq_req *rx, *tx;		/* in our hands */
};

struct console {
	struct virtio_dev vdev;
	const char *spec;		/* suboptions */
	struct opt_list specs;
	struct port port[1 + CONSOLE_PORTS];
	unsigned int nr_ports;
	u16 rows, cols;
	struct loop *drain_loop;
	struct work *drain;		/* NULL: no thread waits */
};

static struct console *console_of(struct device *dev)
{
	return container_of(container_of(dev, struct virtio_dev, dev), struct console, vdev);
}

static struct vq *port_rx_queue(const struct port *p)
{
	return &p->console->vdev.vq[p->id ? 2 * p->id + 2 : CONSOLE_RX];
}

static struct vq *port_tx_queue(const struct port *p)
{
	return port_rx_queue(p) + 1;
}

/* To the guest: control messages, 5.3.6.2 */

static void port_message(struct port *p, u8 what, struct iov_iter *in)
{
	struct virtio_console_control msg = { .id = htole32(p->id), .value = htole16(1) };
	__le16 size[2];

	switch (what) {
	case TELL_ADD:
		msg.event = htole16(VIRTIO_CONSOLE_PORT_ADD);
		copy_to_iter(&msg, sizeof(msg), in);
		break;
	case TELL_CONSOLE:
		msg.event = htole16(VIRTIO_CONSOLE_CONSOLE_PORT);
		copy_to_iter(&msg, sizeof(msg), in);
		break;
	case TELL_NAME:
		msg.event = htole16(VIRTIO_CONSOLE_PORT_NAME);
		copy_to_iter(&msg, sizeof(msg), in);
		copy_to_iter(p->name, strlen(p->name), in);
		break;
	case TELL_SIZE:
		msg.event = htole16(VIRTIO_CONSOLE_RESIZE);
		size[0] = htole16(p->console->cols);
		size[1] = htole16(p->console->rows);
		copy_to_iter(&msg, sizeof(msg), in);
		copy_to_iter(size, sizeof(size), in);
		break;
	case TELL_OPEN:
		msg.event = htole16(VIRTIO_CONSOLE_PORT_OPEN);
		msg.value = htole16(p->host_open);
		copy_to_iter(&msg, sizeof(msg), in);
		break;
	}
}

static void console_tell(struct console *c)
{
	struct vq *vq = &c->vdev.vq[CONSOLE_CONTROL_RX];
	struct port *p;

	if (!virtio_has_feature(&c->vdev, VIRTIO_CONSOLE_F_MULTIPORT))
		return;
	for (p = c->port; p < c->port + c->nr_ports; p++) {
		while (p->tell) {
			u8 what = p->tell & -p->tell;
			struct vq_req *req = vq_next(vq);

			if (!req)
				return;
			port_message(p, what, &req->in);
			p->tell &= ~what;
			vq_done(vq, req);
		}
	}
}

static void port_set_host_open(struct port *p, bool open)
{
	if (p->host_open == open)
		return;
	p->host_open = open;
	if (!p->ready)
		return;
	p->tell |= TELL_OPEN;
	console_tell(p->console);
}

/* Bytes */

static void port_rx(struct port *p)
{
	struct vq *vq = port_rx_queue(p);
	bool want = false, closed = false;
	unsigned int n;

	if (!p->tty)
		return;
	/* The buffer that we may have is not ours to fill: a kick comes when the hold ends. */
	if (vq->on_hold) {
		tty_want_read(p->tty, false);
		return;
	}
	/* Linux throws away what comes before a program has opened the port. */
	for (n = 0; p->guest_open; n++) {
		ssize_t len;

		if (n == CONSOLE_BATCH) {
			want = true;
			break;
		}
		if (!p->rx)
			p->rx = vq_next(vq);
		if (!p->rx)
			break;		/* it will kick */
		len = iov_iter_count(&p->rx->in) ? tty_read(p->tty, &p->rx->in, SIZE_MAX) : 1;
		if (len == -EAGAIN) {
			want = true;
			break;
		}
		if (!len) {
			closed = true;
			break;
		}
		vq_done(vq, p->rx);
		p->rx = NULL;
	}
	tty_want_read(p->tty, want);
	if (closed)
		port_set_host_open(p, false);	/* after the last byte */
}

/* True: the host end has all of it, or never will. */
static bool port_write(struct port *p, struct iov_iter *out)
{
	ssize_t n;

	if (!iov_iter_count(out) || !p->tty)
		return true;
	n = tty_write(p->tty, out, SIZE_MAX);
	if (n == -EPIPE) {
		port_set_host_open(p, false);
		return true;
	}
	return !iov_iter_count(out);
}

static void console_drained(struct console *c)
{
	struct port *p;

	if (!c->drain)
		return;
	for (p = c->port; p < c->port + c->nr_ports; p++)
		if (p->tx || vq_pending(port_tx_queue(p)))
			return;
	loop_post(c->drain_loop, c->drain);
	c->drain = NULL;
}

static void port_tx(struct port *p)
{
	struct vq *vq = port_tx_queue(p);
	unsigned int n;

	if (vq->on_hold)
		return;
	for (n = 0; n < CONSOLE_BATCH; n++) {
		if (!p->tx)
			p->tx = vq_next(vq);
		if (!p->tx || !port_write(p, &p->tx->out))
			break;
		vq_done(vq, p->tx);
		p->tx = NULL;
	}
	if (n == CONSOLE_BATCH)
		vq_kick(vq);
	console_drained(p->console);
}

static void port_readable(void *obj)
{
	port_rx(obj);
}

static void port_writable(void *obj)
{
	port_tx(obj);
}

static void port_connected(void *obj)
{
	struct port *p = obj;

	port_set_host_open(p, true);
	port_rx(p);
	port_tx(p);
}

static const struct tty_ops port_tty_ops = {
	.readable = port_readable,
	.writable = port_writable,
	.connected = port_connected,
};

/* From the guest: control messages */

static void port_ready(struct port *p, bool ready)
{
	p->ready = ready;
	if (!ready) {
		log_limited(&p->console->vdev.limit, LOG_WARNING, "%s: the guest cannot add port %u",
			    p->console->vdev.dev.name, p->id);
		return;
	}
	p->tell |= p->name ? TELL_NAME : TELL_CONSOLE;
	if (!p->name && p->console->rows && virtio_has_feature(&p->console->vdev, VIRTIO_CONSOLE_F_SIZE))
		p->tell |= TELL_SIZE;
	if (p->host_open)
		p->tell |= TELL_OPEN;
}

static void console_message(struct console *c, const struct virtio_console_control *msg)
{
	u32 id = le32toh(msg->id);
	u16 event = le16toh(msg->event);
	bool value = msg->value;
	struct port *p;

	if (event == VIRTIO_CONSOLE_DEVICE_READY) {
		for (p = c->port; value && p < c->port + c->nr_ports; p++)
			if (p->tty)
				p->tell |= TELL_ADD;
		return;
	}
	if (id >= c->nr_ports || !c->port[id].tty)
		return;
	p = &c->port[id];
	if (event == VIRTIO_CONSOLE_PORT_READY) {
		port_ready(p, value);
	} else if (event == VIRTIO_CONSOLE_PORT_OPEN) {
		p->guest_open = value;
		port_rx(p);
	}
}

/* The queues */

static void console_receive(struct virtio_dev *dev, struct vq *vq)
{
	port_rx(vq->priv);
}

static void console_transmit(struct virtio_dev *dev, struct vq *vq)
{
	port_tx(vq->priv);
}

static void console_control_receive(struct virtio_dev *dev, struct vq *vq)
{
	console_tell(container_of(dev, struct console, vdev));
}

static int console_control(struct virtio_dev *dev, struct vq *vq, struct vq_req *req)
{
	struct console *c = container_of(dev, struct console, vdev);
	struct virtio_console_control msg;

	if (copy_from_iter(&msg, sizeof(msg), &req->out) == sizeof(msg))
		console_message(c, &msg);
	console_tell(c);
	return 0;
}

/* State: what was in our hands comes back. */

static int console_resume(struct vq_req **at, struct vq_req *req)
{
	if (*at)
		return -EINVAL;		/* one at a time */
	*at = req;
	return 0;
}

static int console_resume_receive(struct virtio_dev *dev, struct vq *vq, struct vq_req *req)
{
	return console_resume(&((struct port *)vq->priv)->rx, req);
}

static int console_resume_transmit(struct virtio_dev *dev, struct vq *vq, struct vq_req *req)
{
	return console_resume(&((struct port *)vq->priv)->tx, req);
}

/* Linux fills every receive queue with pages. */
#define CONSOLE_DEPTH	32

static const struct vq_ops port_queues[] = {
	{ .name = "receive", .depth = CONSOLE_DEPTH, .kick = console_receive,
	  .resume = console_resume_receive },
	{ .name = "transmit", .depth = CONSOLE_DEPTH, .kick = console_transmit,
	  .resume = console_resume_transmit },
};

static const struct vq_ops control_queues[] = {
	{ .name = "control receive", .depth = CONSOLE_DEPTH, .kick = console_control_receive },
	{ .name = "control transmit", .depth = CONSOLE_DEPTH, .request = console_control },
};

static const struct vq_ops *console_queue(const struct virtio_dev *dev, unsigned int q)
{
	if (q == CONSOLE_CONTROL_RX || q == CONSOLE_CONTROL_TX)
		return &control_queues[q - CONSOLE_CONTROL_RX];
	return &port_queues[q % 2];
}

/* Start and stop */

static int console_start(struct virtio_dev *dev)
{
	struct console *c = container_of(dev, struct console, vdev);
	struct port *p;

	for (p = c->port; p < c->port + c->nr_ports; p++) {
		port_rx_queue(p)->priv = port_tx_queue(p)->priv = p;
		p->tell = 0;
		p->ready = false;
		/* Without control queues there is nothing but the console, and that is open. */
		p->guest_open = !p->id && !virtio_has_feature(dev, VIRTIO_CONSOLE_F_MULTIPORT);
		if (p->tty)
			tty_attach(p->tty, dev->loop[0]);
	}
	return 0;
}

static void console_stop(struct virtio_dev *dev)
{
	struct console *c = container_of(dev, struct console, vdev);
	struct port *p;

	for (p = c->port; p < c->port + c->nr_ports; p++) {
		if (p->rx)
			vq_done(port_rx_queue(p), p->rx);
		if (p->tx)
			vq_done(port_tx_queue(p), p->tx);
		p->rx = p->tx = NULL;
		if (p->tty) {
			tty_want_read(p->tty, false);
			tty_detach(p->tty);
		}
	}
	if (c->drain)
		loop_post(c->drain_loop, c->drain);
	c->drain = NULL;
}

/* From the main thread and from registers, under the machine lock */

static const struct state_field port_state[] = {
	STATE(struct port, ready),
	STATE(struct port, guest_open),
	STATE(struct port, host_open),
	STATE(struct port, tell),
	STATE_END
};

/* The guest's view of @p. If the state of the host end has changed since, the guest gets a message. */
static int port_do_state(struct port *p, struct state *s)
{
	bool open = p->host_open;
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "port%u", p->id);
	ret = state_begin(s, name);
	if (!ret)
		ret = state_fields(s, port_state, p);
	if (ret || !state_reads(s))
		return ret ? ret : state_end(s);
	if (p->tell & ~TELL_ALL)
		return state_refuse(s, "there is no such message to the guest");
	if (p->host_open != open && p->ready)
		p->tell |= TELL_OPEN;
	p->host_open = open;
	return state_end(s);
}

struct console_state {
	struct console *console;
	struct state *s;
	int ret;
};

static void console_do_state(void *arg)
{
	struct console_state *state = arg;
	struct console *c = state->console;
	struct port *p;

	for (p = c->port; !state->ret && p < c->port + c->nr_ports; p++)
		state->ret = port_do_state(p, state->s);
}

static int console_state(void *obj, struct state *s)
{
	struct console_state state = { .console = obj, .s = s };

	loop_call(state.console->vdev.loop[0], console_do_state, &state);
	return state.ret;
}

struct console_call {
	struct console *console;
	u16 rows, cols;
	struct loop *loop;
	struct work *done;
	char emergency;
};

static void console_do_resize(void *arg)
{
	struct console_call *call = arg;
	struct console *c = call->console;
	struct port *p = &c->port[0];

	c->rows = call->rows;
	c->cols = call->cols;
	if (p->ready && virtio_has_feature(&c->vdev, VIRTIO_CONSOLE_F_SIZE)) {
		p->tell |= TELL_SIZE;
		console_tell(c);
	}
}

void console_resize(struct device *dev, u16 rows, u16 cols)
{
	struct console_call call = { .console = console_of(dev), .rows = rows, .cols = cols };
	__le16 size[2] = { htole16(cols), htole16(rows) };

	if (!call.console->port[0].tty)
		return;
	loop_call(call.console->vdev.loop[0], console_do_resize, &call);
	virtio_config_set(&call.console->vdev, offsetof(struct virtio_console_config, cols),
			  size, sizeof(size));
}

static void console_do_drain(void *arg)
{
	struct console_call *call = arg;
	struct console *c = call->console;
	struct port *p;

	c->drain_loop = call->loop;
	c->drain = call->done;
	/* The kick for what was written last may not have been heard yet. */
	for (p = c->port; p < c->port + c->nr_ports; p++)
		port_tx(p);
	console_drained(c);
}

void console_drain(struct device *dev, struct loop *loop, struct work *done)
{
	struct console_call call = { .console = console_of(dev), .loop = loop, .done = done };

	loop_call(call.console->vdev.loop[0], console_do_drain, &call);
}

static void console_do_emergency(void *arg)
{
	struct console_call *call = arg;
	struct iovec iov = { .iov_base = &call->emergency, .iov_len = 1 };
	struct iov_iter i;

	iov_iter_init(&i, &iov, 1);
	/* There is nobody to tell if it cannot be written. */
	tty_write(call->console->port[0].tty, &i, 1);
}

/* 5.3.4: emerg_wr takes a character at any time, also before the driver is there. */
static void console_config_written(struct virtio_dev *dev, u32 off, u32 len)
{
	struct console *c = container_of(dev, struct console, vdev);
	u32 at = offsetof(struct virtio_console_config, emerg_wr);
	struct console_call call = { .console = c };

	if (off > at || off + len <= at || !c->port[0].tty)
		return;
	call.emergency = ((char *)dev->config)[at];
	loop_call(dev->loop[0], console_do_emergency, &call);
}

/* Creation */

static void console_close(void *arg)
{
	struct console *c = arg;
	unsigned int i;

	for (i = 0; i < c->nr_ports; i++)
		if (c->port[i].tty)
			tty_close(c->port[i].tty);
}

static int port_open(struct console *c, unsigned int id, const char *name, const char *spec)
{
	struct port *p = &c->port[id];
	int ret;

	p->console = c;
	p->id = id;
	p->name = name;
	if (!spec)
		return 0;
	ret = tty_open_kept(&p->tty, dev_keep(&c->vdev.dev), spec, NULL, &port_tty_ops, p);
	if (ret)
		return ret;
	tty_announce(p->tty, name ? name : "hvc0");
	p->host_open = tty_is_connected(p->tty);
	return 0;
}

/* "NAME:TTY" */
static int port_parse(struct console *c, unsigned int id, const char *text)
{
	const char *colon = strchr(text, ':');
	struct device *dev = &c->vdev.dev;
	char *name;
	unsigned int i;

	if (!colon || colon == text || colon - text > CONSOLE_NAME)
		return dev_err(dev, -EINVAL, "port=%s: it is NAME:TTY, with a name of 1 to %d bytes",
			       text, CONSOLE_NAME);
	name = dev_alloc(dev, colon - text + 1);
	if (!name)
		return -ENOMEM;
	memcpy(name, text, colon - text);
	for (i = 1; i < id; i++)
		if (!strcmp(c->port[i].name, name))
			return dev_err(dev, -EINVAL, "two ports with the name %s", name);
	return port_open(c, id, name, colon + 1);
}

static int console_init(struct virtio_dev *dev)
{
	struct console *c = container_of(dev, struct console, vdev);
	struct virtio_console_config *config = dev->config;
	unsigned int i;
	int ret;

	ret = dev_defer(&dev->dev, console_close, c);
	if (!ret)
		ret = dev_state(&dev->dev, "ports", console_state, c);
	if (ret)
		return ret;
	if (!c->spec && !c->specs.nr)
		return dev_err(&dev->dev, -EINVAL, "nothing is connected to it: console=TTY or port=NAME:TTY");
	if (c->specs.nr > CONSOLE_PORTS)
		return dev_err(&dev->dev, -EINVAL, "%u ports, and %d are possible", c->specs.nr,
			       CONSOLE_PORTS);
	c->nr_ports = 1 + c->specs.nr;
	ret = port_open(c, 0, NULL, c->spec);
	for (i = 1; !ret && i < c->nr_ports; i++)
		ret = port_parse(c, i, c->specs.item[i - 1]);
	if (ret)
		return ret;
	if (c->spec) {
		dev->features |= 1ULL << VIRTIO_CONSOLE_F_SIZE | 1ULL << VIRTIO_CONSOLE_F_EMERG_WRITE;
		if (!tty_size(c->port[0].tty, &c->rows, &c->cols)) {
			config->rows = htole16(c->rows);
			config->cols = htole16(c->cols);
		}
	}
	/* A console alone is quicker to bring up without the control queues. */
	dev->nr_vqs = 2;
	if (c->specs.nr) {
		dev->features |= 1ULL << VIRTIO_CONSOLE_F_MULTIPORT;
		dev->nr_vqs = 2 * (c->nr_ports + 1);
	}
	config->max_nr_ports = htole32(c->nr_ports);
	return 0;
}

static const struct virtio_ops console_ops = {
	.id = VIRTIO_ID_CONSOLE,
	.queue = console_queue,
	.config_size = sizeof(struct virtio_console_config),
	.pci_class = 0x078000,		/* communication controller, other */
	.init = console_init,
	.start = console_start,
	.stop = console_stop,
	.config_written = console_config_written,
};

static const struct opt console_opts[] = {
	OPT_STR(0, "console", struct console, spec, "TTY",
		"a console (hvc0) on TTY: null, stdio, pty, fd:N, fd:IN:OUT, file:PATH or unix:PATH"),
	OPT_LIST(0, "port", struct console, specs, "NAME:TTY",
		 "a port with a name, /dev/vportNpM in the guest; again for more"),
	OPT_END
};

DEVICE_TYPE(console_type) = {
	.name = "virtio-console",
	.help = "a console, and byte streams with names",
	.size = sizeof(struct console),
	.opts = console_opts,
	.state = STATELESS,		/* of its own: see console_state() */
	.init = virtio_init,
	.ops = &console_ops,
};
