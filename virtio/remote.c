// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's side of a device that another process serves (see remote.h). The device has its
 * registers here, and one loop. Its queues are handed out as those of any other owner are
 * (vq_export()). A queue that is out counts as a request in flight, so a reset and a hold wait
 * until the server has given it back.
 *
 * The server may be anybody's: nothing that it sends is trusted, and nobody waits for it without
 * a limit. Runs on the device's loop, or before any thread runs that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/keep.h>
#include <kvm/virtio.h>
#include <kvm/vm.h>
#include <kvm/wait.h>

#include "queue.h"
#include "remote.h"

/* A server that does not stop by then is killed: before the end of a machine gives up. */
#define REMOTE_STOP_NS	WAIT_S(3)

/* Waits in vm->cfg->keep between two starts of a machine. */
struct remote {
	int sock, kill;
	bool gone;			/* the keeper has ended: nobody serves any more */
	struct virtio_dev *dev;		/* of this start */
	struct virtio_ops ops;		/* in place of the device's */
	struct vq_ops queue[REMOTE_QUEUES_MAX];
	struct watch watch;
	bool watched;
	bool serving;			/* there is a server, or there will be */
	bool out;			/* it has the queues */
	bool stopping, killed;
	u64 stop_at;			/* when it is killed */
	struct remote_msg ready;
};

/* What the other process says */

/* Queues that the server has, or has given back. */
static void remote_out(struct remote *r, bool out)
{
	unsigned int q;

	r->out = out;
	for (q = 0; q < r->dev->nr_vqs; q++)
		if (r->dev->vq[q].running)
			vq_lend(&r->dev->vq[q], out);
}

static void remote_lost(struct remote *r, const char *why)
{
	virtio_need_reset(r->dev, LOG_ERROR, "%s; the driver has to reset the device", why);
}

static void remote_server_gone(struct remote *r, int status)
{
	char why[64] = "the host has no room for its process";

	if (status >= 0 && WIFSIGNALED(status))
		snprintf(why, sizeof(why), "its process was killed by signal %d", WTERMSIG(status));
	else if (status >= 0)
		snprintf(why, sizeof(why), "its process has ended with status %d", WEXITSTATUS(status));
	if (r->serving && !r->stopping)
		remote_lost(r, why);
	r->serving = false;
	remote_out(r, false);
}

static void remote_keeper_gone(struct remote *r)
{
	r->gone = true;
	loop_del(r->dev->loop[0], &r->watch);
	r->watched = false;
	if (r->serving && !r->stopping)
		remote_lost(r, "its process has ended, and comes back with the next start of the machine");
	r->serving = false;
	remote_out(r, false);
}

/* Lines that the other process has written to its stderr; @text has room for one more byte. */
static void remote_text(struct log_limit *limit, char *text, size_t len)
{
	static const char prefix[] = "lkvm: ";
	size_t i;

	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	for (i = 0; i < len; i++)
		if ((u8)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	text[len] = '\0';
	if (!strncmp(text, prefix, strlen(prefix)))
		text += strlen(prefix);
	if (limit)
		log_limited(limit, LOG_ERROR, "%s", text);
	else
		pr_err("%s", text);
}

static void remote_heard(struct remote *r, struct remote_msg *msg, size_t len)
{
	switch (msg->type) {
	case REMOTE_BROKEN:
		virtio_need_reset(r->dev, LOG_ERROR, NULL);
		break;
	case REMOTE_HELD:
		if (r->serving)
			remote_out(r, false);
		break;
	case REMOTE_GONE:
		remote_server_gone(r, msg->gone.status);
		break;
	default:
		if (msg->type >= REMOTE_TYPES)
			remote_text(&r->dev->limit, (char *)msg, min(len, sizeof(*msg) - 1));
	}
}

static void remote_ready(struct watch *w, u32 events)
{
	struct remote *r = container_of(w, struct remote, watch);
	struct remote_msg msg;
	ssize_t n = remote_recv(r->sock, &msg, NULL, NULL, MSG_DONTWAIT);

	if (n > 0)
		remote_heard(r, &msg, n);
	else if (n != -EAGAIN)
		remote_keeper_gone(r);
}

/* What it is told */

static int remote_tell(struct remote *r, const struct remote_msg *msg, size_t len, const int *fd, unsigned int nr)
{
	return remote_send(r->sock, msg, len, fd, nr, MSG_DONTWAIT);
}

static int remote_order(struct remote *r, enum remote_type type)
{
	const struct remote_msg msg = { .type = type };

	return remote_tell(r, &msg, REMOTE_BARE, NULL, 0);
}

struct remote_memory {
	struct remote_msg *msg;
	int fd;
};

static int remote_region(void *obj, const struct mem_region *r)
{
	struct remote_memory *m = obj;
	u32 *nr = &m->msg->start.nr_regions;

	if (r->fd != m->fd || r->private || *nr == REMOTE_REGIONS_MAX)
		return -EOPNOTSUPP;
	m->msg->start.region[(*nr)++] = (struct remote_region) {
		.gpa = r->gpa, .len = r->len, .off = r->off, .use = r->use,
	};
	return 0;
}

/* Hand all enabled queues to a new server. 0 or -errno. */
static int remote_begin(struct remote *r)
{
	struct remote_msg msg = { .type = REMOTE_START };
	const struct mem *mem = &r->dev->dev.vm->mem;
	struct remote_memory memory = { &msg, mem->fd };
	int fd[REMOTE_FDS_MAX], ret;
	unsigned int nr = 0, q;

	msg.start.features = r->dev->driver_features;
	msg.start.nr_queues = r->dev->nr_vqs;
	ret = mem_each(mem, remote_region, &memory);
	if (ret)
		return ret;
	fd[nr++] = mem->fd;
	for (q = 0; q < r->dev->nr_vqs; q++) {
		struct vq *vq = &r->dev->vq[q];
		struct vq_ring ring;

		if (!vq->enabled)
			continue;
		vq_export(vq, &ring);
		msg.start.queue[q] = (struct remote_queue) {
			.desc = ring.desc, .avail = ring.avail, .used = ring.used, .size = ring.num,
			.enabled = true, .call = ring.call_fd >= 0,
		};
		fd[nr++] = ring.kick_fd;
		if (ring.call_fd >= 0)
			fd[nr++] = ring.call_fd;
	}
	ret = remote_tell(r, &msg, REMOTE_LEN(start), fd, nr);
	if (ret)
		return ret;
	r->serving = true;
	remote_out(r, true);
	return 0;
}

/* In place of the device's functions */

static int remote_start(struct virtio_dev *dev)
{
	struct remote *r = dev->remote;
	int ret = 0;

	r->stopping = r->killed = false;
	if (r->gone)
		remote_lost(r, "its process has ended, and comes back with the next start of the machine");
	else if (!r->watched)
		ret = loop_add(dev->loop[0], &r->watch, EPOLLIN);
	r->watched = !r->gone && !ret;
	return ret;
}

static int remote_queue_start(struct virtio_dev *dev, struct vq *vq)
{
	unsigned int q;

	/* All at once, when the last one has been checked. */
	for (q = vq->index + 1; q < dev->nr_vqs; q++)
		if (dev->vq[q].enabled)
			return 0;
	return dev->remote->gone ? 0 : remote_begin(dev->remote);
}

static void remote_stop(struct virtio_dev *dev)
{
	struct remote *r = dev->remote;
	u64 now = loop_now(), one = 1;

	if (!r->serving)
		return;
	if (!r->stopping)
		r->stop_at = now + REMOTE_STOP_NS;
	r->stopping = true;
	remote_order(r, REMOTE_STOP);
	if (now < r->stop_at || r->killed)
		return;
	r->killed = true;
	log_limited(&dev->limit, LOG_WARNING, "%s: its process does not stop: it is killed", dev->dev.name);
	if (write(r->kill, &one, sizeof(one)) < 0)
		return;		/* it has been told already */
}

static void remote_hold_begin(void *arg)
{
	struct remote *r = arg;

	if (r->serving)
		remote_order(r, REMOTE_HOLD);
}

static void remote_hold_end(void *arg)
{
	struct remote *r = arg;

	if (!r->serving)
		return;
	remote_out(r, true);
	remote_order(r, REMOTE_RELEASE);
}

static void remote_hold(struct virtio_dev *dev, bool on)
{
	loop_call(dev->loop[0], on ? remote_hold_begin : remote_hold_end, dev->remote);
}

static void remote_irq(void *arg)
{
	struct vq *vq = arg;
	struct remote *r = vq->dev->remote;
	struct vq_ring ring;
	struct remote_msg msg = { .type = REMOTE_IRQ, .irq.queue = vq->index };

	if (!r->serving)
		return;
	vq_export(vq, &ring);
	msg.irq.has = ring.call_fd >= 0;
	remote_tell(r, &msg, REMOTE_LEN(irq), &ring.call_fd, msg.irq.has);
}

static void remote_irq_moved(struct virtio_dev *dev, struct vq *vq)
{
	loop_call(dev->loop[0], remote_irq, vq);
}

static const struct vq_ops *remote_queue_ops(const struct virtio_dev *dev, unsigned int q)
{
	return &dev->remote->queue[q];
}

/* Creation */

static void remote_free(void *obj)
{
	struct remote *r = obj;

	close(r->sock);		/* the keeper ends by that */
	close(r->kill);
	free(r);
}

/* Wait for the keeper, which says itself if it cannot keep anything. 0 or -errno. */
static int remote_wait(struct remote *r)
{
	ssize_t n;

	for (;;) {
		n = remote_recv(r->sock, &r->ready, NULL, NULL, 0);
		if (n <= 0)
			return -ECANCELED;
		if (r->ready.type == REMOTE_READY)
			return r->ready.ready.nr_queues > REMOTE_QUEUES_MAX ? -E2BIG : 0;
		remote_text(NULL, (char *)&r->ready, min((size_t)n, sizeof(r->ready) - 1));
	}
}

static int remote_new(struct remote **out, struct virtio_dev *dev)
{
	struct remote *r = calloc(1, sizeof(*r));
	int sock[2], ret;
	pid_t pid;

	if (!r || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0) {
		free(r);
		return dev_err(&dev->dev, -ENOMEM, "a process of its own");
	}
	r->sock = sock[0];
	r->kill = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pid = r->kill < 0 ? -1 : fork();
	ret = pid < 0 ? dev_err(&dev->dev, -errno, "a process of its own") : 0;
	if (!pid)
		keeper_main(dev, sock[1], r->kill);
	close(sock[1]);
	if (!ret)
		ret = remote_wait(r);
	if (ret)
		remote_free(r);
	else
		*out = r;
	return ret;
}

static char *remote_key(const struct virtio_dev *dev)
{
	char *key;

	return asprintf(&key, "process of %s", dev->dev.name) < 0 ? NULL : key;
}

/* The device ends. Another start of the machine wants what it has. */
static void remote_put(void *arg)
{
	struct remote *r = arg;
	struct keep *keep = dev_keep(&r->dev->dev);
	char *key = keep ? remote_key(r->dev) : NULL;

	if (!key || keep_put(keep, key, r, remote_free))
		remote_free(r);
	free(key);
}

static int remote_get(struct remote **out, struct virtio_dev *dev)
{
	struct keep *keep = dev_keep(&dev->dev);
	char *key = keep ? remote_key(dev) : NULL;

	*out = key ? keep_take(keep, key) : NULL;
	free(key);
	return *out ? 0 : remote_new(out, dev);
}

bool remote_wanted(const struct virtio_dev *dev)
{
	const struct vm_config *cfg = dev->dev.vm->cfg;

	return cfg && cfg->files_apart && dev->ops->thread == THREAD_FILES;
}

int remote_init(struct virtio_dev *dev)
{
	const struct virtio_ops *ops = dev->ops;
	struct remote *r;
	unsigned int q;
	int ret = remote_get(&r, dev);

	if (ret)
		return ret;
	r->dev = dev;
	r->watched = r->serving = false;
	r->watch = (struct watch) { .fd = r->sock, .fn = remote_ready };
	dev->remote = r;
	dev->features = r->ready.ready.features;
	dev->nr_vqs = r->ready.ready.nr_queues;
	memcpy(dev->config, r->ready.ready.config, min((size_t)ops->config_size, (size_t)REMOTE_CONFIG_MAX));
	for (q = 0; q < dev->nr_vqs; q++) {
		const struct vq_ops *own = ops->queue ? ops->queue(dev, q) : &ops->vq[q];

		r->queue[q] = (struct vq_ops) {
			.name = own->name, .depth = own->depth,
			.start = remote_queue_start, .irq_moved = remote_irq_moved,
		};
	}
	r->ops = (struct virtio_ops) {
		.id = ops->id, .config_size = ops->config_size, .pci_class = ops->pci_class,
		.thread = THREAD_DEVICE, .queue = remote_queue_ops,
		.start = remote_start, .stop = remote_stop, .hold = remote_hold,
	};
	dev->ops = &r->ops;
	return dev_defer(&dev->dev, remote_put, r);
}
