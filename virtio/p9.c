// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-9p: a chain is a 9P2000.L message and the room for its reply. The
 * transport is in Linux (net/9p/trans_virtio.c) and in the device ID registry
 * of virtio 1.2, section 5; its configuration is le16 length and the mount
 * tag. Requests run on the queue thread. One that blocks on the host loses the loop to
 * another thread.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>

#include <kvm/opt.h>
#include <kvm/landlock.h>
#include <kvm/p9.h>
#include <kvm/virtio.h>

struct p9_dev {
	struct virtio_dev vdev;
	const char *dir, *tag;
	struct opt_list hide;
	bool ro;
	struct p9 *p9;
};

static void p9_dev_free(void *arg)
{
	p9_free(arg);
}

struct p9_dev_state {
	struct p9_dev *dev;
	struct state *s;
};

static void p9_dev_do_state(void *arg)
{
	struct p9_dev_state *state = arg;

	p9_state(state->dev->p9, state->s, state->dev->dir);
}

/* On the thread that serves files. */
static int p9_dev_state(void *obj, struct state *s)
{
	struct p9_dev_state state = { .dev = obj, .s = s };

	loop_call(state.dev->vdev.loop[0], p9_dev_do_state, &state);
	return state_status(s);
}

static int p9_dev_init(struct virtio_dev *vdev)
{
	struct p9_dev *d = container_of(vdev, struct p9_dev, vdev);
	struct p9_options opts = { .dir = d->dir, .keep = dev_keep(&vdev->dev), .readonly = d->ro, .hide = &d->hide };
	const char *what;
	__le16 tag_len;
	int ret;

	if (!d->dir || !d->tag)
		return dev_err(&vdev->dev, -EINVAL, "needs dir=DIRECTORY and tag=NAME");
	if (!*d->tag || strlen(d->tag) > P9_TAG_MAX)
		return dev_err(&vdev->dev, -EINVAL, "tag \"%s\": a tag has 1 to %d bytes", d->tag,
			       P9_TAG_MAX);
	tag_len = htole16(strlen(d->tag));
	memcpy(vdev->config, &tag_len, sizeof(tag_len));
	memcpy((char *)vdev->config + sizeof(tag_len), d->tag, strlen(d->tag));

	ret = p9_new(&d->p9, &opts, &what);
	if (ret)
		return dev_err(&vdev->dev, ret, "%s: %s", d->dir, what);
	ret = dev_defer(&vdev->dev, p9_dev_free, d->p9);
	if (!ret)
		ret = dev_state(&vdev->dev, "session", p9_dev_state, d);
	return ret ? ret : dev_allow(&vdev->dev, d->dir, LANDLOCK_READ | (d->ro ? 0 : LANDLOCK_WRITE));
}

static int p9_dev_request(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct p9_dev *d = container_of(vdev, struct p9_dev, vdev);
	struct p9_req *undelivered;
	ssize_t n = p9_serve(d->p9, &req->out, &req->in, &undelivered);

	req->priv = undelivered;
	return n < 0 ? n : 0;
}

static void p9_dev_delivered(struct virtio_dev *vdev, struct vq_req *req)
{
	p9_delivered(req->priv);
}

static int p9_dev_start(struct virtio_dev *vdev)
{
	return p9_reset(container_of(vdev, struct p9_dev, vdev)->p9);
}

static void p9_dev_stop(struct virtio_dev *vdev)
{
	p9_interrupt(container_of(vdev, struct p9_dev, vdev)->p9);
}

static const struct vq_ops p9_dev_queue = {
	.name = "request",
	.depth = 128,
	.blocking = true,
	.request = p9_dev_request,
	.delivered = p9_dev_delivered,
};

static const struct virtio_ops p9_dev_ops = {
	.id = VIRTIO_ID_9P,
	.queues = 1,
	.vq = &p9_dev_queue,
	.features = 1ULL << VIRTIO_9P_MOUNT_TAG,
	.config_size = sizeof(__le16) + P9_TAG_MAX,
	.thread = THREAD_FILES,
	.pci_class = 0x018000,		/* mass storage, other */
	.init = p9_dev_init,
	.start = p9_dev_start,
	.stop = p9_dev_stop,
};

static const struct opt p9_dev_opts[] = {
	OPT_STR_FIRST("dir", struct p9_dev, dir, "DIR", "the host directory to share"),
	OPT_STR(0, "tag", struct p9_dev, tag, "NAME", "name by which the guest mounts it"),
	OPT_BOOL(0, "ro", struct p9_dev, ro, "read-only, whatever the guest does"),
	OPT_LIST(0, "hide", struct p9_dev, hide, "PATH", "this file or directory of the host is not there for the guest"),
	OPT_END
};

DEVICE_TYPE(p9_type) = {
	.name = "virtio-9p",
	.help = "a host directory by 9P2000.L",
	.size = sizeof(struct p9_dev),
	.opts = p9_dev_opts,
	.state = STATELESS,		/* of its own: see p9_dev_state() */
	.init = virtio_init,
	.ops = &p9_dev_ops,
};
