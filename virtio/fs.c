// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-fs (virtio 1.2, 5.11): a chain is a FUSE request and the room for its
 * reply. Queue 0 is for requests that must not wait: FORGET, and by the specification
 * INTERRUPT, which Linux does not send. One thread serves all queues. A request that
 * blocks on the host loses the loop to another thread, so no other waits behind it.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>

#include <kvm/fuse.h>
#include <kvm/landlock.h>
#include <kvm/opt.h>
#include <kvm/virtio.h>

#define FS_QUEUES_MAX	8		/* request queues */

/* Who keeps the locks on files. */
enum fs_locks { FS_LOCKS_AUTO, FS_LOCKS_HOST, FS_LOCKS_GUEST };
static const char *const fs_locks[] = { "auto", "host", "guest", NULL };

struct fs_dev {
	struct virtio_dev vdev;
	const char *dir, *tag;
	struct opt_list hide;
	bool ro, writeback, flat;
	int cache, locks, queues;
	struct fuse *fuse;
};

static void fs_free(void *arg)
{
	fuse_free(arg);
}

static int fs_state(void *obj, struct state *s)
{
	struct fs_dev *d = obj;

	return fuse_state(d->fuse, s, d->dir);
}

static int fs_init(struct virtio_dev *vdev)
{
	struct fs_dev *d = container_of(vdev, struct fs_dev, vdev);
	struct fuse_options opts = {
		.dir = d->dir, .keep = dev_keep(&vdev->dev), .readonly = d->ro, .hide = &d->hide, .cache = d->cache,
		.writeback = d->writeback, .flat = d->flat,
		/* If the host changes nothing, its processes need no locks. */
		.locks = d->locks == FS_LOCKS_HOST ||
			 (d->locks == FS_LOCKS_AUTO && d->cache != FUSE_CACHE_ALWAYS),
	};
	struct virtio_fs_config config = { 0 };
	const char *what;
	int ret;

	if (!d->dir || !d->tag)
		return dev_err(&vdev->dev, -EINVAL, "needs dir=DIRECTORY and tag=NAME");
	if (!*d->tag || strlen(d->tag) > sizeof(config.tag))
		return dev_err(&vdev->dev, -EINVAL, "tag \"%s\": a tag has 1 to %zu bytes", d->tag,
			       sizeof(config.tag));
	if (d->ro && d->writeback)
		return dev_err(&vdev->dev, -EINVAL, "writeback is for what can be written: not with ro");
	/* 5.11.4: padded with NULs, and without one if it is as long as that. */
	memcpy(config.tag, d->tag, strlen(d->tag));
	if (!d->queues)
		d->queues = 1;
	config.num_request_queues = htole32(d->queues);
	memcpy(vdev->config, &config, sizeof(config));
	vdev->nr_vqs = 1 + d->queues;

	ret = fuse_new(&d->fuse, &opts, &what);
	if (ret)
		return dev_err(&vdev->dev, ret, "%s: %s", d->dir, what);
	ret = dev_defer(&vdev->dev, fs_free, d->fuse);
	if (!ret)
		ret = dev_state(&vdev->dev, "session", fs_state, d);
	return ret ? ret : dev_allow(&vdev->dev, d->dir, LANDLOCK_READ | (d->ro ? 0 : LANDLOCK_WRITE));
}

static int fs_request(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct fs_dev *d = container_of(vdev, struct fs_dev, vdev);
	ssize_t n = fuse_serve(d->fuse, &req->out, &req->in);

	return n == -ERESTART ? VIRTIO_AGAIN : n < 0 ? n : 0;
}

static int fs_start(struct virtio_dev *vdev)
{
	return fuse_reset(container_of(vdev, struct fs_dev, vdev)->fuse);
}

static void fs_stop(struct virtio_dev *vdev)
{
	fuse_interrupt(container_of(vdev, struct fs_dev, vdev)->fuse);
}

static void fs_hold(struct virtio_dev *vdev, bool on)
{
	fuse_suspend(container_of(vdev, struct fs_dev, vdev)->fuse, on);
}

/* Linux takes no larger requests than half of a queue could hold: a megabyte is 256 pages. */
#define FS_DEPTH	1024

static const struct vq_ops fs_queues[] = {
	{ .name = "high priority", .depth = FS_DEPTH, .blocking = true, .request = fs_request },
	{ .name = "request", .depth = FS_DEPTH, .blocking = true, .request = fs_request },
};

static const struct vq_ops *fs_queue(const struct virtio_dev *vdev, unsigned int q)
{
	return &fs_queues[q > 0];
}

static const struct virtio_ops fs_ops = {
	.id = VIRTIO_ID_FS,
	.queue = fs_queue,
	.config_size = sizeof(struct virtio_fs_config),
	.thread = THREAD_FILES,
	.pci_class = 0x018000,		/* mass storage, other */
	.init = fs_init,
	.start = fs_start,
	.stop = fs_stop,
	.hold = fs_hold,
};

/* In the order of enum fuse_cache. */
static const char *const fs_caches[] = { "auto", "always", "none", NULL };

static const struct opt fs_opts[] = {
	OPT_STR_FIRST("dir", struct fs_dev, dir, "DIR", "the host directory to share"),
	OPT_STR(0, "tag", struct fs_dev, tag, "NAME", "name by which the guest mounts it"),
	OPT_BOOL(0, "ro", struct fs_dev, ro, "read-only, whatever the guest does"),
	OPT_LIST(0, "hide", struct fs_dev, hide, "PATH", "this file or directory of the host is not there for the guest"),
	OPT_CHOICE(0, "cache", struct fs_dev, cache, fs_caches,
		   "what the guest caches: everything for a second, everything forever, or nothing"),
	OPT_BOOL(0, "writeback", struct fs_dev, writeback, "the guest may write later than it is told to"),
	OPT_CHOICE(0, "locks", struct fs_dev, locks, fs_locks,
		   "locks on files hold on the host too, or in the guest only (auto: the latter by cache=always)"),
	OPT_BOOL(0, "flat", struct fs_dev, flat,
		 "one file system, whatever is mounted there: what an overlay can use"),
	OPT_INT(0, "queues", struct fs_dev, queues, 1, FS_QUEUES_MAX, "N", "request queues (1)"),
	OPT_END
};

DEVICE_TYPE(fs_type) = {
	.name = "virtio-fs",
	.help = "a host directory by FUSE",
	.size = sizeof(struct fs_dev),
	.opts = fs_opts,
	.state = STATELESS,		/* of its own: see fs_state() */
	.init = virtio_init,
	.ops = &fs_ops,
};
