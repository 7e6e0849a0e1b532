// SPDX-License-Identifier: GPL-2.0
/*
 * The debug console: a byte written to its port is printed, nothing has to be
 * set up. A guest that reads 0xe9 there knows that it exists (the convention of Bochs).
 * Runs on the vCPU that writes and on the main thread, machine lock held.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/opt.h>
#include <kvm/tty.h>

#define DEBUGCON_HERE	0xe9
#define DEBUGCON_BUF	4096	/* what a slow reader may be behind; the rest is lost */

struct debugcon {
	struct device dev;
	struct region port;
	struct tty *tty;
	int base;
	const char *spec;
	u8 buf[DEBUGCON_BUF];
	unsigned int len;
};

static void debugcon_flush(void *obj)
{
	struct debugcon *d = obj;
	struct iovec iov = { .iov_base = d->buf, .iov_len = d->len };
	struct iov_iter iter;
	ssize_t n;

	if (!d->len)
		return;
	iov_iter_init(&iter, &iov, 1);
	n = tty_write(d->tty, &iter, d->len);
	if (n > 0) {
		d->len -= n;
		memmove(d->buf, d->buf + n, d->len);
	} else if (n != -EAGAIN) {
		d->len = 0;		/* there is no peer */
	}
}

static u64 debugcon_read(void *obj, u64 off, unsigned int len)
{
	return DEBUGCON_HERE;
}

static void debugcon_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct debugcon *d = obj;

	if (d->len == DEBUGCON_BUF)
		return;
	d->buf[d->len++] = val;
	debugcon_flush(d);
}

static const struct region_ops debugcon_ops = {
	.read = debugcon_read, .write = debugcon_write, .max = 1,
};

static const struct tty_ops debugcon_tty_ops = { .writable = debugcon_flush };

static void debugcon_close(void *obj)
{
	struct debugcon *d = obj;

	tty_close(d->tty);
}

static int debugcon_init(struct device *dev)
{
	struct debugcon *d = container_of(dev, struct debugcon, dev);
	int ret = dev_place(dev, dev->type->name, dev->index, &d->base, NULL);

	if (!ret)
		ret = tty_open_kept(&d->tty, dev_keep(dev), d->spec ? d->spec : "fd::2", dev_loop(dev),
				    &debugcon_tty_ops, d);
	if (!ret)
		ret = dev_defer(dev, debugcon_close, d);
	if (ret)
		return ret;
	tty_announce(d->tty, "debugcon");
	return dev_regs(dev, &d->port, d->base, 1, &debugcon_ops, d);
}

static const struct state_field debugcon_state[] = {
	STATE(struct debugcon, buf),
	STATE(struct debugcon, len),
	STATE_END
};

static int debugcon_loaded(struct device *dev, enum state_kind kind)
{
	struct debugcon *d = container_of(dev, struct debugcon, dev);

	if (d->len > DEBUGCON_BUF)
		return -EINVAL;
	debugcon_flush(d);
	return 0;
}

static const struct opt debugcon_opts[] = {
	OPT_INT(0, "base", struct debugcon, base, 1, INT_MAX, "ADDR", "its port (the board's)"),
	OPT_STR(0, "tty", struct debugcon, spec, "TTY",
		"where it prints: file:PATH, unix:PATH, pty, fd::N (standard error)"),
	OPT_END
};

DEVICE_TYPE(debugcon) = {
	.name = "debugcon",
	.help = "port that prints what is written to it",
	.size = sizeof(struct debugcon),
	.opts = debugcon_opts,
	.init = debugcon_init,
	.state = debugcon_state,
	.loaded = debugcon_loaded,
};
