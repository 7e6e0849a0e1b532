// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-blk: a disk (virtio 1.2, 5.2) in front of what the host has for it
 * (kvm/disk.h). A request is a header, data in one direction, and a status byte. Data
 * goes between the guest's buffers and the host without a copy here. Each queue has a
 * thread; a request that blocks on the host loses it, so that nothing waits behind it.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/drive.h>
#include <kvm/opt.h>
#include <kvm/virtio.h>

#define BLK_SECTOR	512		/* the unit of the protocol, whatever the block is */
#define BLK_DEPTH	256
/* What one request may have: segments, bytes in each, and in all. */
#define BLK_SEGMENTS	(BLK_DEPTH - 2)
#define BLK_SEGMENT_MAX	MIB
#define BLK_DATA_MAX	(BLK_SEGMENTS * BLK_SEGMENT_MAX)
/* What is discarded, or zeroed, by one request at most: neither takes long. */
#define BLK_DISCARDS	16
#define BLK_DISCARD_MAX	(GIB / BLK_SECTOR)
#define BLK_ZERO_MAX	(64 * MIB / BLK_SECTOR)

struct blk_dev {
	struct virtio_dev vdev;
	struct disk_choice choice;		/* suboptions */
	struct disk *disk;
	struct virtio_blk_config config;	/* as it was offered */
	struct drive drive;
	char id[VIRTIO_BLK_ID_BYTES + 1];	/* the last is a NUL */
	bool writeback;				/* the driver's choice; other threads read it */
};

static struct blk_dev *blk_of(struct virtio_dev *vdev)
{
	return container_of(vdev, struct blk_dev, vdev);
}

/* Requests */

/* 5.2.6.2: without FLUSH the driver counts on what is done being stable. */
static bool blk_writes_through(const struct blk_dev *b)
{
	if (!virtio_has_feature(&b->vdev, VIRTIO_BLK_F_FLUSH))
		return true;
	return virtio_has_feature(&b->vdev, VIRTIO_BLK_F_CONFIG_WCE) && !__atomic_load_n(&b->writeback, __ATOMIC_RELAXED);
}

static u8 blk_do(struct blk_dev *b, const struct disk_req *req)
{
	static const char *const ops[] = { "read", "write", "flush", "discard", "zeroing" };
	int ret;

	if (!disk_allows(b->disk, req))
		return VIRTIO_BLK_S_IOERR;
	ret = disk_serve(b->disk, req);
	if (!ret)
		return VIRTIO_BLK_S_OK;
	log_limited(&b->vdev.limit, LOG_WARNING, "%s: %s of %llu bytes at %llu failed on the host: %s",
		    b->vdev.dev.name, ops[req->op], (unsigned long long)req->len, (unsigned long long)req->off,
		    log_reason(ret));
	return VIRTIO_BLK_S_IOERR;
}

/* Bytes that the protocol counts in sectors: false if there are not so many in the world. */
static bool blk_bytes(u64 sectors, u64 *bytes)
{
	*bytes = sectors * BLK_SECTOR;
	return sectors <= ~0ULL / BLK_SECTOR;
}

static u8 blk_io(struct blk_dev *b, enum disk_op op, u64 sector, struct iov_iter *data)
{
	struct disk_req req = {
		.op = op, .len = iov_iter_count(data), .data = data,
		.durable = op == DISK_WRITE && blk_writes_through(b),
	};

	if (req.len > BLK_DATA_MAX || !blk_bytes(sector, &req.off))
		return VIRTIO_BLK_S_IOERR;
	return blk_do(b, &req);
}

/* Discard and write zeroes: all of what is listed is looked at before any is done. */
static u8 blk_ranges(struct blk_dev *b, enum disk_op op, struct iov_iter *data)
{
	u32 most = op == DISK_DISCARD ? BLK_DISCARDS : 1, max = op == DISK_DISCARD ? BLK_DISCARD_MAX : BLK_ZERO_MAX;
	u32 known = op == DISK_ZERO ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	struct virtio_blk_discard_write_zeroes range[BLK_DISCARDS];
	struct disk_req req[BLK_DISCARDS];
	size_t len = iov_iter_count(data), nr = len / sizeof(range[0]), i;
	u8 status = VIRTIO_BLK_S_OK;

	if (!nr || len % sizeof(range[0]) || nr > most || copy_from_iter(range, len, data) != len)
		return VIRTIO_BLK_S_IOERR;
	for (i = 0; i < nr; i++)
		if (le32toh(range[i].flags) & ~known)
			return VIRTIO_BLK_S_UNSUPP;
	for (i = 0; i < nr; i++) {
		u32 sectors = le32toh(range[i].num_sectors);

		req[i] = (struct disk_req){ .op = op, .durable = blk_writes_through(b), .len = (u64)sectors * BLK_SECTOR };
		if (sectors > max || !blk_bytes(le64toh(range[i].sector), &req[i].off) || !disk_allows(b->disk, &req[i]))
			return VIRTIO_BLK_S_IOERR;
	}
	for (i = 0; i < nr && status == VIRTIO_BLK_S_OK; i++)
		status = blk_do(b, &req[i]);
	return status;
}

static u8 blk_serve(struct blk_dev *b, struct vq_req *req)
{
	static const struct disk_req flush = { .op = DISK_FLUSH };
	struct virtio_blk_outhdr head;

	if (copy_from_iter(&head, sizeof(head), &req->out) != sizeof(head))
		return VIRTIO_BLK_S_IOERR;
	switch (le32toh(head.type)) {
	case VIRTIO_BLK_T_IN:
		return blk_io(b, DISK_READ, le64toh(head.sector), &req->in);
	case VIRTIO_BLK_T_OUT:
		return blk_io(b, DISK_WRITE, le64toh(head.sector), &req->out);
	case VIRTIO_BLK_T_FLUSH:
		return blk_do(b, &flush);
	case VIRTIO_BLK_T_GET_ID:
		return copy_to_iter(b->id, VIRTIO_BLK_ID_BYTES, &req->in) == VIRTIO_BLK_ID_BYTES ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
	case VIRTIO_BLK_T_DISCARD:
		return blk_ranges(b, DISK_DISCARD, &req->out);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return blk_ranges(b, DISK_ZERO, &req->out);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/*
 * The status is the last byte. The used length says how far the driver's buffers are
 * written from their beginning on, so what a request left of them is zeroed.
 */
static int blk_request(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct iov_iter all = req->in, status;
	size_t data = iov_iter_count(&all), left;
	u8 code;

	if (!iov_iter_split_tail(&req->in, 1, &status))
		return -EINVAL;
	code = blk_serve(blk_of(vdev), req);
	copy_to_iter(&code, 1, &status);
	if (data <= BLK_DATA_MAX)
		iov_iter_zero(iov_iter_count(&req->in), &req->in);
	left = iov_iter_count(&req->in);
	if (left) {
		req->in = all;
		iov_iter_advance(&req->in, data - 1 - left);
	}
	return 0;
}

/* Requests that wait for a time or for the user. */
static void blk_queue_stop(struct virtio_dev *vdev, struct vq *vq)
{
	disk_cancel(blk_of(vdev)->disk);
}

static const struct vq_ops blk_queue = {
	.name = "request",
	.depth = BLK_DEPTH,
	.blocking = true,
	.request = blk_request,
	.stop = blk_queue_stop,
};

static const struct vq_ops *blk_queue_ops(const struct virtio_dev *vdev, unsigned int q)
{
	return &blk_queue;
}

/* The write cache: 5.2.5 and 5.2.5.1 */

/* The rest of the config is ours, whatever the driver writes. */
static void blk_show(struct blk_dev *b)
{
	struct virtio_blk_config config = b->config;

	config.wce = __atomic_load_n(&b->writeback, __ATOMIC_RELAXED);
	pthread_mutex_lock(&b->vdev.config_lock);
	memcpy(b->vdev.config, &config, sizeof(config));
	pthread_mutex_unlock(&b->vdev.config_lock);
}

static void blk_config_written(struct virtio_dev *vdev, u32 off, u32 len)
{
	struct blk_dev *b = blk_of(vdev);
	u32 at = offsetof(struct virtio_blk_config, wce);

	if (off <= at && at < off + len && virtio_has_feature(vdev, VIRTIO_BLK_F_CONFIG_WCE))
		__atomic_store_n(&b->writeback, ((struct virtio_blk_config *)vdev->config)->wce != 0, __ATOMIC_RELAXED);
	blk_show(b);
}

static void blk_stop(struct virtio_dev *vdev)
{
	struct blk_dev *b = blk_of(vdev);

	__atomic_store_n(&b->writeback, true, __ATOMIC_RELAXED);
	blk_show(b);
}

static int blk_loaded(struct device *dev, enum state_kind kind)
{
	blk_show(blk_of(container_of(dev, struct virtio_dev, dev)));
	return 0;
}

static const struct state_field blk_state[] = {
	STATE(struct blk_dev, writeback),
	STATE_END
};

/* Creation */

/* A request waits, on its queue's thread. */
static void blk_full(void *arg)
{
	struct blk_dev *b = arg;

	log_limited(&b->vdev.limit, LOG_WARNING, "%s: there is no room for what the guest writes: it waits until 'lkvm resume'",
		    b->choice.file);
	dev_no_room(&b->vdev.dev);
}

static void blk_free(void *arg)
{
	struct blk_dev *b = arg;

	if (!b->disk)
		return;
	disk_when_full(b->disk, NULL, NULL);
	disk_close(b->disk, dev_keep(&b->vdev.dev), b->vdev.dev.name);
}

/* 20 bytes, without a NUL if it is as long as that (5.2.6); udev makes a name of it. */
static int blk_serial(struct blk_dev *b)
{
	const char *s;

	if (!b->choice.serial) {
		snprintf(b->id, sizeof(b->id), "disk%u", b->vdev.dev.index);
		return 0;
	}
	for (s = b->choice.serial; *s > ' ' && *s < 0x7f && *s != '/'; s++)
		;
	if (!*b->choice.serial || *s || strlen(b->choice.serial) > VIRTIO_BLK_ID_BYTES)
		return dev_err(&b->vdev.dev, -EINVAL, "serial=%s: 1 to %d letters, digits and signs but /", b->choice.serial,
			       VIRTIO_BLK_ID_BYTES);
	memcpy(b->id, b->choice.serial, strlen(b->choice.serial));
	return 0;
}

/* Blocks: the logical one, the one that is written at once, and what is best to be asked for. */
static int blk_topology(struct blk_dev *b)
{
	struct virtio_blk_config *config = &b->config;
	u64 physical = b->choice.physical ? b->choice.physical : b->choice.block;
	unsigned int exp = 0;

	while (exp < 16 && b->choice.block << exp < physical)
		exp++;
	if (b->choice.block << exp != physical)
		return dev_err(&b->vdev.dev, -EINVAL, "physical=%llu: a power of two times the block of %llu bytes",
			       (unsigned long long)physical, (unsigned long long)b->choice.block);
	if (b->choice.optimal % physical)
		return dev_err(&b->vdev.dev, -EINVAL, "optimal=%llu: a multiple of the physical block of %llu bytes",
			       (unsigned long long)b->choice.optimal, (unsigned long long)physical);
	config->blk_size = htole32(b->choice.block);
	config->physical_block_exp = exp;
	config->min_io_size = htole16(1 << exp);
	config->opt_io_size = htole32(b->choice.optimal / b->choice.block);
	return 0;
}

static void blk_offer(struct blk_dev *b)
{
	struct virtio_blk_config *config = &b->config;
	u64 features = 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
		       1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_FLUSH;

	config->capacity = htole64(disk_size(b->disk) / BLK_SECTOR);
	config->size_max = htole32(BLK_SEGMENT_MAX);
	config->seg_max = htole32(BLK_SEGMENTS);
	config->num_queues = htole16(b->choice.queues);
	if (b->choice.queues > 1)
		features |= 1ULL << VIRTIO_BLK_F_MQ;
	if (disk_readonly(b->disk)) {
		features |= 1ULL << VIRTIO_BLK_F_RO;
	} else {
		features |= 1ULL << VIRTIO_BLK_F_CONFIG_WCE | 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
		config->max_discard_sectors = htole32(BLK_DISCARD_MAX);
		config->max_discard_seg = htole32(BLK_DISCARDS);
		config->discard_sector_alignment = htole32(max(disk_grain(b->disk), 4096U) / BLK_SECTOR);
		config->max_write_zeroes_sectors = htole32(BLK_ZERO_MAX);
		config->max_write_zeroes_seg = htole32(1);
		config->write_zeroes_may_unmap = 1;
	}
	b->vdev.features |= features;
}

/* 5.2.4.2: the driver reads the capacity again when it is told. */
static void blk_resized(struct drive *drive)
{
	struct blk_dev *b = container_of(drive, struct blk_dev, drive);

	b->config.capacity = htole64(disk_size(b->disk) / BLK_SECTOR);
	virtio_config_set(&b->vdev, offsetof(struct virtio_blk_config, capacity), &b->config.capacity,
			  sizeof(b->config.capacity));
}

static int blk_disk_state(void *obj, struct state *s)
{
	struct blk_dev *b = obj;

	return disk_state(b->disk, s);
}

static int blk_init(struct virtio_dev *vdev)
{
	struct blk_dev *b = blk_of(vdev);
	struct opt_err err;
	int ret;

	if (!b->choice.block)
		b->choice.block = DISK_BLOCK_MIN;
	if (!b->choice.queues)
		b->choice.queues = 1;
	vdev->nr_vqs = vdev->nr_loops = b->choice.queues;
	b->writeback = true;
	ret = blk_serial(b);
	if (!ret)
		ret = dev_defer(&vdev->dev, blk_free, b);
	if (ret)
		return ret;
	ret = disk_open_choice(&b->disk, &b->choice, dev_opener(&vdev->dev), dev_keep(&vdev->dev), vdev->dev.name, &err);
	if (ret) {
		dev_err(&vdev->dev, -EINVAL, "%s", err.text);
		return ret;
	}
	disk_when_full(b->disk, blk_full, b);
	ret = blk_topology(b);
	if (!ret)
		ret = dev_state(&vdev->dev, "disk", blk_disk_state, b);
	if (ret)
		return ret;
	blk_offer(b);
	blk_show(b);
	b->drive = (struct drive){ .disk = b->disk, .serial = b->id, .file = b->choice.file, .resized = blk_resized };
	return dev_drive(&vdev->dev, &b->drive);
}

static const struct virtio_ops blk_ops = {
	.id = VIRTIO_ID_BLOCK,
	.queue = blk_queue_ops,
	.config_size = sizeof(struct virtio_blk_config),
	.thread = THREAD_DISK,
	.pci_class = 0x018000,		/* mass storage, other */
	.init = blk_init,
	.stop = blk_stop,
	.config_written = blk_config_written,
};

static const struct opt blk_opts[] = {
	OPT_TABLE(disk_choice_opts, struct disk_choice, struct blk_dev, choice),
	OPT_END
};

DEVICE_TYPE(blk_type) = {
	.name = "virtio-blk",
	.help = "a disk: a raw or qcow2 image, a block device, or an empty one",
	.size = sizeof(struct blk_dev),
	.opts = blk_opts,
	.init = virtio_init,
	.state = blk_state,
	.loaded = blk_loaded,
	.ops = &blk_ops,
};
