// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-scsi: a SCSI host with one disk (virtio 1.2, 5.6), target 0, LUN 0. For kernels that
 * have no driver for virtio-blk, and for what only SCSI has. Commands are hw/disk/scsi.c's.
 */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/drive.h>
#include <kvm/opt.h>
#include <kvm/scsi.h>
#include <kvm/virtio.h>

#define SCSI_DEPTH	256
#define SCSI_SERIAL_MAX	20
#define SCSI_CONTROL	0	/* queues; those behind are for requests */
#define SCSI_EVENT	1
#define SCSI_REQUEST	2
#define SCSI_RESIZED	(0x09 << 8 | 0x2a)	/* capacity data has changed: qualifier and additional sense code */

struct scsi_dev {
	struct virtio_dev vdev;
	struct disk_choice choice;		/* suboptions */
	struct scsi_disk scsi;
	struct drive drive;
	atomic_bool resized;			/* the driver has not been told yet */
	char serial[SCSI_SERIAL_MAX + 1];
};

static struct scsi_dev *scsi_of(struct virtio_dev *vdev)
{
	return container_of(vdev, struct scsi_dev, vdev);
}

/* 5.6.6.1: 1, the target, and a LUN of one level. */
static bool scsi_is_lun0(const u8 lun[8])
{
	return lun[0] == 1 && !lun[1] && (lun[2] & 0xbf) == 0 && !lun[3];
}

static void scsi_run(struct scsi_dev *s, const struct virtio_scsi_cmd_req *req, struct vq_req *vq,
		     struct virtio_scsi_cmd_resp *resp)
{
	size_t room = iov_iter_count(&vq->out) + iov_iter_count(&vq->in);
	struct scsi_cmd c = { .out = &vq->out, .in = &vq->in };

	if (!scsi_is_lun0(req->lun)) {
		resp->response = VIRTIO_SCSI_S_BAD_TARGET;
		return;
	}
	memcpy(c.cdb, req->cdb, sizeof(c.cdb));
	scsi_serve(&s->scsi, &c);
	if (c.err)
		log_limited(&s->vdev.limit, LOG_WARNING, "%s: command 0x%02x failed on the host: %s", s->vdev.dev.name,
			    c.cdb[0], log_reason(c.err));
	resp->status = c.status;
	resp->resid = htole32(min(iov_iter_count(&vq->out) + iov_iter_count(&vq->in), room));
	if (c.status == SCSI_CHECK_CONDITION) {
		resp->sense_len = htole32(sizeof(c.sense));
		memcpy(resp->sense, c.sense, sizeof(c.sense));
	}
}

static int scsi_request(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct virtio_scsi_cmd_resp resp = { .response = VIRTIO_SCSI_S_OK };
	struct virtio_scsi_cmd_req cmd;
	struct iov_iter all = req->in, head;
	size_t used;

	if (copy_from_iter(&cmd, sizeof(cmd), &req->out) != sizeof(cmd) ||
	    !iov_iter_split(&req->in, sizeof(resp), &head))
		return -EINVAL;
	scsi_run(scsi_of(vdev), &cmd, req, &resp);
	used = iov_iter_count(&all) - iov_iter_count(&req->in);
	copy_to_iter(&resp, sizeof(resp), &head);
	/* How far the driver's buffers are written: the response, and data behind it. */
	req->in = all;
	iov_iter_advance(&req->in, used);
	return 0;
}

/* 5.6.6.2: commands end by themselves, so nothing is there to be aborted when this is served. */
static int scsi_control(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct virtio_scsi_ctrl_an_resp query = { .response = VIRTIO_SCSI_S_OK };
	struct virtio_scsi_ctrl_tmf_resp answer = { .response = VIRTIO_SCSI_S_OK };
	u32 type;

	if (copy_from_iter(&type, sizeof(type), &req->out) != sizeof(type))
		return -EINVAL;
	switch (le32toh(type)) {
	case VIRTIO_SCSI_T_TMF:
		disk_cancel(scsi_of(vdev)->scsi.disk);
		copy_to_iter(&answer, sizeof(answer), &req->in);
		return 0;
	case VIRTIO_SCSI_T_AN_QUERY:
	case VIRTIO_SCSI_T_AN_SUBSCRIBE:
		copy_to_iter(&query, sizeof(query), &req->in);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Events: the driver's buffers wait until there is something to say (5.6.6.3): another capacity. */
static void scsi_event(struct virtio_dev *vdev, struct vq *vq)
{
	struct virtio_scsi_event event = {
		.event = htole32(VIRTIO_SCSI_T_PARAM_CHANGE), .lun = { 1, 0, 0x40 }, .reason = htole32(SCSI_RESIZED),
	};
	struct scsi_dev *s = scsi_of(vdev);
	struct vq_req *req = atomic_load(&s->resized) ? vq_next(vq) : NULL;

	if (!req)
		return;
	atomic_store(&s->resized, false);
	copy_to_iter(&event, sizeof(event), &req->in);
	vq_done(vq, req);
}

static void scsi_stop(struct virtio_dev *vdev, struct vq *vq)
{
	disk_cancel(scsi_of(vdev)->scsi.disk);
}

static const struct vq_ops scsi_queues[] = {
	[SCSI_CONTROL] = { .name = "control", .depth = 64, .request = scsi_control },
	[SCSI_EVENT] = { .name = "event", .depth = 64, .kick = scsi_event },
	[SCSI_REQUEST] = {
		.name = "request", .depth = SCSI_DEPTH, .blocking = true, .request = scsi_request, .stop = scsi_stop,
	},
};

static const struct vq_ops *scsi_queue(const struct virtio_dev *vdev, unsigned int q)
{
	return &scsi_queues[min(q, (unsigned int)SCSI_REQUEST)];
}

/* The first loop for control and events, so that no command holds them up. */
static unsigned int scsi_loop_of(const struct virtio_dev *vdev, unsigned int q)
{
	return q < SCSI_REQUEST ? 0 : q - 1;
}

/* A request waits, on its queue's thread. */
static void scsi_full(void *arg)
{
	struct scsi_dev *s = arg;

	log_limited(&s->vdev.limit, LOG_WARNING, "%s: there is no room for what the guest writes: it waits until 'lkvm resume'",
		    s->choice.file);
	dev_no_room(&s->vdev.dev);
}

static void scsi_free(void *arg)
{
	struct scsi_dev *s = arg;

	if (s->scsi.disk)
		disk_when_full(s->scsi.disk, NULL, NULL);
	if (s->scsi.disk)
		disk_close(s->scsi.disk, dev_keep(&s->vdev.dev), s->vdev.dev.name);
	pthread_mutex_destroy(&s->scsi.lock);
}

static int scsi_serial(struct scsi_dev *s)
{
	const char *p = s->choice.serial;

	if (!p) {
		snprintf(s->serial, sizeof(s->serial), "scsi%u", s->vdev.dev.index);
		return 0;
	}
	while (*p > ' ' && *p < 0x7f && *p != '/')
		p++;
	if (*p || p == s->choice.serial || p - s->choice.serial > SCSI_SERIAL_MAX)
		return dev_err(&s->vdev.dev, -EINVAL, "serial=%s: 1 to %d letters, digits and signs but /",
			       s->choice.serial, SCSI_SERIAL_MAX);
	strcpy(s->serial, s->choice.serial);
	return 0;
}

static int scsi_disk_state(void *obj, struct state *s)
{
	return disk_state(((struct scsi_dev *)obj)->scsi.disk, s);
}

static void scsi_config(struct scsi_dev *s)
{
	struct virtio_scsi_config config = {
		.num_queues = htole32(s->choice.queues), .seg_max = htole32(SCSI_DEPTH - 2),
		.max_sectors = htole32(32 * MIB / 512), .cmd_per_lun = htole32(SCSI_DEPTH / 2),
		.event_info_size = htole32(sizeof(struct virtio_scsi_event)),
		.sense_size = htole32(VIRTIO_SCSI_SENSE_SIZE), .cdb_size = htole32(VIRTIO_SCSI_CDB_SIZE),
	};

	memcpy(s->vdev.config, &config, sizeof(config));
}

static void scsi_resized(struct drive *drive)
{
	struct scsi_dev *s = container_of(drive, struct scsi_dev, drive);

	atomic_store(&s->resized, true);
	if (virtio_has_feature(&s->vdev, VIRTIO_SCSI_F_CHANGE))
		vq_kick(&s->vdev.vq[SCSI_EVENT]);
}

static int scsi_init(struct virtio_dev *vdev)
{
	struct scsi_dev *s = scsi_of(vdev);
	struct opt_err err;
	int ret = scsi_serial(s);

	if (ret)
		return ret;
	s->choice.block = s->choice.block ? s->choice.block : DISK_BLOCK_MIN;
	s->choice.queues = s->choice.queues ? s->choice.queues : 1;
	vdev->nr_vqs = SCSI_REQUEST + s->choice.queues;
	vdev->nr_loops = 1 + s->choice.queues;
	pthread_mutex_init(&s->scsi.lock, NULL);
	ret = dev_defer(&vdev->dev, scsi_free, s);
	if (ret)
		return ret;
	ret = disk_open_choice(&s->scsi.disk, &s->choice, dev_opener(&vdev->dev), dev_keep(&vdev->dev), vdev->dev.name, &err);
	if (ret) {
		dev_err(&vdev->dev, -EINVAL, "%s", err.text);
		return ret;
	}
	disk_when_full(s->scsi.disk, scsi_full, s);
	s->scsi.block = s->choice.block;
	s->scsi.physical = s->choice.physical ? s->choice.physical : s->choice.block;
	s->scsi.serial = s->serial;
	scsi_config(s);
	ret = dev_state(&vdev->dev, "disk", scsi_disk_state, s);
	if (ret)
		return ret;
	s->drive = (struct drive){
		.disk = s->scsi.disk, .serial = s->serial, .file = s->choice.file, .resized = scsi_resized,
	};
	return dev_drive(&vdev->dev, &s->drive);
}

static const struct virtio_ops scsi_ops = {
	.id = VIRTIO_ID_SCSI,
	.features = 1ULL << VIRTIO_SCSI_F_CHANGE,
	.queue = scsi_queue,
	.loop_of = scsi_loop_of,
	.config_size = sizeof(struct virtio_scsi_config),
	.thread = THREAD_DISK,
	.pci_class = 0x010000,		/* mass storage, SCSI */
	.init = scsi_init,
};

static const struct opt scsi_opts[] = {
	OPT_TABLE(disk_choice_opts, struct disk_choice, struct scsi_dev, choice),
	OPT_END
};

DEVICE_TYPE(scsi_type) = {
	.name = "virtio-scsi",
	.help = "a SCSI disk: a raw or qcow2 image, a block device, or an empty one",
	.size = sizeof(struct scsi_dev),
	.opts = scsi_opts,
	.init = virtio_init,
	.state = STATELESS,		/* but for that of its parts */
	.ops = &scsi_ops,
};
