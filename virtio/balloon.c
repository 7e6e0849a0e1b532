// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-balloon: memory that the guest gives back to the host (virtio 1.2, 5.5). The
 * guest puts pages into the balloon when the user asks, and takes them out again when
 * it needs them. Pages that are merely free it may report: they are given back, too,
 * and come back as the guest writes them. All queues have one thread.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>

#include <linux/kernel.h>
#include <kvm/balloon.h>
#include <kvm/memory.h>
#include <kvm/virtio.h>
#include <kvm/vm.h>

/* 5.5.2. No hint is ever asked for: that queue is there, so that the next has its number. */
enum { BALLOON_INFLATE, BALLOON_DEFLATE, BALLOON_STATS_Q, BALLOON_HINT, BALLOON_REPORT, BALLOON_QUEUES };

#define BALLOON_BATCH	256		/* page numbers that are copied at a time */
#define BALLOON_BATCHES	64		/* of a request: what else it has stays where it is */
#define BALLOON_RECORDS	64		/* of statistics that are looked at */
#define BALLOON_PAGE	(1ULL << VIRTIO_BALLOON_PFN_SHIFT)

struct balloon_dev {
	struct virtio_dev vdev;
	u32 target;			/* pages of 4 KiB, as offered in the config */
	atomic_uint actual, poison;	/* as the driver has written them */
	atomic_ullong discarded;
	struct vq_req *stats;		/* the driver's buffer, which asks for new statistics when it returns */
	atomic_bool asked;
	pthread_mutex_t lock;		/* of the rest: a leaf */
	u64 answers;
	bool has[BALLOON_STATS];
	u64 stat[BALLOON_STATS];
};

static struct balloon_dev *balloon_of(struct virtio_dev *vdev)
{
	return container_of(vdev, struct balloon_dev, vdev);
}

/* The pages with these numbers, neighbours at once. A number outside of RAM is ignored. */
static void balloon_discard(const struct mem *mem, const __le32 *pfn, unsigned int nr)
{
	unsigned int i, run;

	for (i = 0; i < nr; i += run) {
		u64 first = le32toh(pfn[i]);

		for (run = 1; i + run < nr && le32toh(pfn[i + run]) == first + run; run++)
			;
		mem_discard(mem, first * BALLOON_PAGE, run * BALLOON_PAGE);
	}
}

/* 5.5.6.1. The host reads zeroes there, or what a snapshot had: the guest expects neither. */
static int balloon_inflate(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	__le32 pfn[BALLOON_BATCH];
	unsigned int i;
	size_t n;

	/* A request may be 4 GiB long, and who resets the device waits for it. */
	for (i = 0; i < BALLOON_BATCHES && (n = copy_from_iter(pfn, sizeof(pfn), &req->out)) >= sizeof(*pfn); i++)
		balloon_discard(vq->mem, pfn, n / sizeof(*pfn));
	return 0;
}

/* Pages that leave the balloon: the host brings them back when the guest touches them. Hints are not used. */
static int balloon_nothing(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	return 0;
}

/* 5.5.6.7: a driver that expects its poison in free pages would miss it. */
static int balloon_report(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct balloon_dev *b = balloon_of(vdev);

	if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_PAGE_POISON) || !b->poison)
		b->discarded += mem_discard_iter(vq->mem, &req->in);
	return 0;
}

/* Statistics (5.5.6.3) */

static void balloon_stats_read(struct balloon_dev *b, struct iov_iter *from)
{
	struct {
		__le16 tag;
		__le64 val;
	} __attribute__((packed)) s;
	unsigned int tag, i;

	pthread_mutex_lock(&b->lock);
	memset(b->has, 0, sizeof(b->has));
	for (i = 0; i < BALLOON_RECORDS && copy_from_iter(&s, sizeof(s), from) == sizeof(s); i++) {
		tag = le16toh(s.tag);
		if (tag >= BALLOON_STATS)
			continue;
		b->has[tag] = true;
		b->stat[tag] = le64toh(s.val);
	}
	b->answers++;
	pthread_mutex_unlock(&b->lock);
}

static void balloon_stats_kick(struct virtio_dev *vdev, struct vq *vq)
{
	struct balloon_dev *b = balloon_of(vdev);
	struct vq_req *req;

	if (vq->on_hold)
		return;
	if (b->stats && atomic_exchange(&b->asked, false)) {
		vq_done(vq, b->stats);
		b->stats = NULL;
	}
	/* One buffer goes to and fro; a driver with more gets them back at once. */
	while ((req = vq_next(vq))) {
		balloon_stats_read(b, &req->out);
		if (b->stats)
			vq_done(vq, b->stats);
		b->stats = req;
	}
}

static void balloon_stats_stop(struct virtio_dev *vdev, struct vq *vq)
{
	struct balloon_dev *b = balloon_of(vdev);

	if (b->stats)
		vq_done(vq, b->stats);
	b->stats = NULL;
}

static int balloon_stats_resume(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct balloon_dev *b = balloon_of(vdev);

	if (b->stats)
		return -EINVAL;
	b->stats = req;
	return 0;
}

/* From outside */

static struct balloon_dev *balloon_from(struct device *dev)
{
	return balloon_of(container_of(dev, struct virtio_dev, dev));
}

void balloon_look(struct device *dev, struct balloon *out)
{
	struct balloon_dev *b = balloon_from(dev);

	*out = (struct balloon) {
		.target = b->target * BALLOON_PAGE, .actual = b->actual * BALLOON_PAGE,
		.discarded = b->discarded,
	};
	pthread_mutex_lock(&b->lock);
	out->answers = b->answers;
	memcpy(out->has, b->has, sizeof(out->has));
	memcpy(out->stat, b->stat, sizeof(out->stat));
	pthread_mutex_unlock(&b->lock);
}

void balloon_ask(struct device *dev)
{
	struct balloon_dev *b = balloon_from(dev);

	b->asked = true;
	if (b->vdev.started)
		vq_kick(&b->vdev.vq[BALLOON_STATS_Q]);
}

static void balloon_offer(struct balloon_dev *b)
{
	__le32 pages = htole32(b->target);

	virtio_config_set(&b->vdev, offsetof(struct virtio_balloon_config, num_pages), &pages, sizeof(pages));
}

int balloon_target(struct device *dev, u64 bytes)
{
	struct balloon_dev *b = balloon_from(dev);

	if (bytes > mem_size(&dev->vm->mem) || bytes / BALLOON_PAGE > UINT32_MAX)
		return -ERANGE;
	b->target = bytes / BALLOON_PAGE;
	balloon_offer(b);
	return 0;
}

/* 5.5.4: the driver writes what it has, and its poison. The rest stays ours. */
static void balloon_config_written(struct virtio_dev *vdev, u32 off, u32 len)
{
	struct balloon_dev *b = balloon_of(vdev);
	struct virtio_balloon_config *config = vdev->config;

	b->actual = le32toh(config->actual);
	b->poison = le32toh(config->poison_val);
	pthread_mutex_lock(&vdev->config_lock);
	config->num_pages = htole32(b->target);
	config->free_page_hint_cmd_id = htole32(VIRTIO_BALLOON_CMD_ID_STOP);
	pthread_mutex_unlock(&vdev->config_lock);
}

/* A new driver has an empty balloon. */
static int balloon_start(struct virtio_dev *vdev)
{
	balloon_of(vdev)->asked = false;
	return 0;
}

static int balloon_init(struct virtio_dev *vdev)
{
	struct balloon_dev *b = balloon_of(vdev);

	pthread_mutex_init(&b->lock, NULL);
	return 0;
}

static int balloon_loaded(struct device *dev, enum state_kind kind)
{
	balloon_offer(balloon_from(dev));
	return 0;
}

static const struct state_field balloon_state[] = {
	STATE(struct balloon_dev, target),
	STATE(struct balloon_dev, actual),
	STATE(struct balloon_dev, poison),
	STATE_END
};

static const struct vq_ops balloon_queues[BALLOON_QUEUES] = {
	[BALLOON_INFLATE] = { .name = "inflate", .depth = 128, .request = balloon_inflate },
	[BALLOON_DEFLATE] = { .name = "deflate", .depth = 128, .request = balloon_nothing },
	[BALLOON_STATS_Q] = { .name = "statistics", .depth = 16, .kick = balloon_stats_kick,
			      .stop = balloon_stats_stop, .resume = balloon_stats_resume },
	[BALLOON_HINT] = { .name = "hint", .depth = 16, .request = balloon_nothing },
	[BALLOON_REPORT] = { .name = "report", .depth = 64, .request = balloon_report },
};

static const struct virtio_ops balloon_ops = {
	.id = VIRTIO_ID_BALLOON,
	.queues = BALLOON_QUEUES, .vq = balloon_queues,
	.features = 1ULL << VIRTIO_BALLOON_F_STATS_VQ | 1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
		    1ULL << VIRTIO_BALLOON_F_FREE_PAGE_HINT | 1ULL << VIRTIO_BALLOON_F_PAGE_POISON |
		    1ULL << VIRTIO_BALLOON_F_REPORTING,
	.config_size = sizeof(struct virtio_balloon_config),
	.pci_class = 0x00ff00,		/* other */
	.init = balloon_init,
	.start = balloon_start,
	.config_written = balloon_config_written,
};

DEVICE_TYPE(balloon_type) = {
	.name = BALLOON_TYPE,
	.help = "memory that the guest gives back: see 'lkvm help balloon'",
	.size = sizeof(struct balloon_dev),
	.state = balloon_state,
	.loaded = balloon_loaded,
	.init = virtio_init,
	.ops = &balloon_ops,
};
