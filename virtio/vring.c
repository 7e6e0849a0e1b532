// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues, the device's side: virtio 1.2, 2.7. The only file that
 * reads a descriptor. Each is copied once and the copy is checked. The result is
 * two byte streams over guest RAM. Everything runs on the queue's thread; vq_start()
 * and vq_stop() get there by loop_call(). Rings that are saved or handed out are in
 * virtio/vring_state.c.
 *
 * Layout (2.7): desc[num] of 16 bytes; avail: le16 flags, idx, ring[num],
 * used_event; used: le16 flags, idx, { le32 id, len } ring[num], avail_event.
 */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <linux/kernel.h>
#include <kvm/virtio.h>
#include <kvm/vring.h>

#include "vring.h"

/* A chain may describe 2^32 bytes (2.7.4). */
#define VQ_BYTES_MAX	(1ULL << 32)

#define VQ_RING		4	/* of the first element of avail and used */

/* Bytes of a queue's long arrays, at most: all that 256 descriptors can make use of. */
#define VQ_LONG_BYTES	MIB

static u64 vq_avail_size(u16 num)
{
	return VQ_RING + 2 * (u64)num + 2;
}

static u64 vq_used_size(u16 num)
{
	return VQ_RING + sizeof(struct vring_used_elem) * (u64)num + 2;
}

static void __guest *vq_used_event(const struct vq *vq)
{
	return vq->avail + VQ_RING + 2 * vq->num;
}

static void __guest *vq_avail_event(const struct vq *vq)
{
	return vq->used + VQ_RING + sizeof(struct vring_used_elem) * vq->num;
}

bool vq_map(struct vq *vq, const struct mem *mem, u16 num)
{
	vq->desc = mem_map(mem, vq->desc_gpa, sizeof(struct vring_desc) * (u64)num);
	vq->avail = mem_map(mem, vq->avail_gpa, vq_avail_size(num));
	vq->used = mem_map(mem, vq->used_gpa, vq_used_size(num));
	return vq->desc && vq->avail && vq->used;
}

int vq_start(struct vq *vq, const struct mem *mem, u64 features)
{
	u16 num = vq->size;

	if (!num || (num & (num - 1)) || num > vq->size_max)
		return -EINVAL;
	if (!IS_ALIGNED(vq->desc_gpa, VRING_DESC_ALIGN_SIZE) ||
	    !IS_ALIGNED(vq->avail_gpa, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(vq->used_gpa, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	if (!vq_map(vq, mem, num))
		return -EINVAL;

	vq->nr_long = min((size_t)num, VQ_LONG_BYTES / (num * sizeof(struct iovec)));
	vq->req = calloc(num, sizeof(*vq->req));
	vq->short_iov = calloc(num, VQ_SHORT * sizeof(*vq->short_iov));
	vq->long_iov = calloc(vq->nr_long, num * sizeof(*vq->long_iov));
	vq->long_free = NULL;
	vq->long_used = 0;
	if (!vq->req || !vq->short_iov || !vq->long_iov) {
		vq_stop(vq);
		return -ENOMEM;
	}
	vq->mem = mem;
	vq->num = num;
	vq->event_idx = features & (1ULL << VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = features & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	vq->avail_idx = vq->used_idx = vq->used_published = vq->used_signalled = 0;
	vq->inflight = 0;
	vq->quiet = vq->held = vq->on_hold = vq->starved = false;
	vq->running = true;
	return 0;
}

void vq_stop(struct vq *vq)
{
	vq->running = false;
	free(vq->req);
	free(vq->short_iov);
	free(vq->long_iov);
	vq->req = NULL;
	vq->short_iov = vq->long_iov = NULL;
}

/* A long array for @req, which has filled its short one; false: they are all in use. */
static bool vq_long_get(struct vq *vq, struct vq_req *req)
{
	struct iovec *iov = vq->long_free;

	if (iov)
		vq->long_free = iov->iov_base;
	else if (vq->long_used < vq->nr_long)
		iov = vq->long_iov + (size_t)vq->num * vq->long_used++;
	else
		return false;
	memcpy(iov, req->iov, VQ_SHORT * sizeof(*iov));
	req->iov = iov;
	req->is_long = true;
	return true;
}

void vq_long_put(struct vq *vq, struct vq_req *req)
{
	if (!req->is_long)
		return;
	req->is_long = false;
	req->iov->iov_base = vq->long_free;
	vq->long_free = req->iov;
}

/* From vq_walk(): nothing is wrong, but there is no room for so many segments now. */
static const char vq_no_room[] = "a long request while there are many";

const char *vq_walk(struct vq *vq, struct vq_req *req)
{
	void __guest *table = vq->desc;
	unsigned int size = vq->num, i = req->head, links, nr = 0, nr_out = 0;
	bool in_table = false, write = false;
	u64 bytes = 0;

	if (!table)
		return "descriptors outside of memory";
	for (links = 0; links < vq->num; links++) {
		struct vring_desc d;
		void __guest *p;
		u16 flags;
		u32 len;

		guest_read(&d, table + i * sizeof(d), sizeof(d));
		flags = le16toh(d.flags);
		len = le32toh(d.len);

		if (flags & VRING_DESC_F_INDIRECT) {	/* 2.7.5.3 */
			if (!vq->indirect)
				return "an indirect descriptor without the feature";
			if (in_table)
				return "an indirect table within an indirect table";
			if (flags & VRING_DESC_F_NEXT)
				return "an indirect descriptor with a next one";
			if (!len || len % sizeof(d) || len / sizeof(d) > vq->num)
				return "an indirect table of impossible length";
			table = mem_map(vq->mem, le64toh(d.addr), len);
			if (!table)
				return "an indirect table outside of memory";
			size = len / sizeof(d);
			in_table = true;
			i = 0;
			links--;	/* the table's entries are the links */
			continue;
		}

		if (flags & VRING_DESC_F_WRITE)
			write = true;
		else if (write)
			return "a readable buffer after a writable one";	/* 2.7.4.2 */
		bytes += len;
		if (bytes > VQ_BYTES_MAX)
			return "a chain of more than 4 GiB";
		if (len) {
			p = mem_map(vq->mem, le64toh(d.addr), len);
			if (!p)
				return "a buffer outside of memory";
			if (nr == VQ_SHORT && !vq_long_get(vq, req))
				return vq_no_room;
			iov_set_guest(&req->iov[nr++], p, len);
			nr_out += !write;
		}

		if (!(flags & VRING_DESC_F_NEXT)) {
			iov_iter_init(&req->out, req->iov, nr_out);
			iov_iter_init(&req->in, req->iov + nr_out, nr - nr_out);
			req->out_len = iov_iter_count(&req->out);
			req->in_len = iov_iter_count(&req->in);
			return NULL;
		}
		i = le16toh(d.next);
		if (i >= size)
			return "a next descriptor out of range";
	}
	return "a chain longer than the queue";
}

/* Tell the driver whether to kick: 2.7.7 (flags), 2.7.10 (event index). */
static void vq_set_quiet(struct vq *vq, bool quiet)
{
	vq->quiet = quiet;
	if (!vq->event_idx)
		guest_store16(vq->used, htole16(quiet ? VRING_USED_F_NO_NOTIFY : 0));
	else if (!quiet)
		guest_store16(vq_avail_event(vq), htole16(vq->avail_idx));
	/* With event indexes a stale one is quiet enough. */
}

static u16 vq_avail(const struct vq *vq)
{
	return le16toh(guest_load16_acquire(vq->avail + 2)) - vq->avail_idx;
}

bool vq_pending(struct vq *vq)
{
	return vq->running && !virtio_is_broken(vq->dev) && vq_avail(vq);
}

unsigned int vq_available(struct vq *vq)
{
	return vq_pending(vq) ? min(vq_avail(vq), vq->num) : 0;
}

const char *vq_take(struct vq *vq, u16 head)
{
	struct vq_req *req = &vq->req[head];
	const char *why;

	if (req->busy)
		return "a chain that is still in use";
	req->vq = vq;
	req->head = head;
	req->iov = vq->short_iov + (size_t)head * VQ_SHORT;
	why = vq_walk(vq, req);
	if (why) {
		vq_long_put(vq, req);
		return why;
	}
	vq->inflight++;
	req->busy = true;
	return NULL;
}

struct vq_req *vq_next(struct vq *vq)
{
	const char *why;
	u16 avail, head;

	if (!vq->running || vq->on_hold || virtio_is_broken(vq->dev))
		return NULL;
	avail = vq_avail(vq);
	if (!avail) {
		vq_set_quiet(vq, false);
		/* The store must be seen before the second look: 2.7.13.4. */
		atomic_thread_fence(memory_order_seq_cst);
		avail = vq_avail(vq);
		if (!avail)
			return NULL;
	}
	if (avail > vq->num) {
		virtio_break(vq->dev, "an available index beyond the ring");
		return NULL;
	}
	if (!vq->quiet)
		vq_set_quiet(vq, true);

	head = le16toh(guest_load16(vq->avail + VQ_RING + 2 * (vq->avail_idx % vq->num)));
	if (head >= vq->num) {
		virtio_break(vq->dev, "a chain that begins out of range");
		return NULL;
	}
	why = vq_take(vq, head);
	if (why) {
		vq->starved = why == vq_no_room;
		if (!vq->starved)
			virtio_break(vq->dev, why);
		return NULL;
	}
	vq->avail_idx++;
	return &vq->req[head];
}

void vq_release(struct vq *vq, struct vq_req *req)
{
	vq_long_put(vq, req);
	req->busy = false;
	vq->inflight--;
	if (vq->starved && vq->long_free) {
		vq->starved = false;
		vq_kick(vq);
	}
}

void vq_done(struct vq *vq, struct vq_req *req)
{
	struct vring_used_elem elem = {
		.id = htole32(req->head),
		.len = htole32(req->in_len - iov_iter_count(&req->in)),
	};

	vq_release(vq, req);
	loop_defer(vq->loop, &vq->flush);
	if (virtio_is_broken(vq->dev))
		return;		/* silence until reset */
	guest_write(vq->used + VQ_RING + sizeof(elem) * (vq->used_idx % vq->num), &elem,
		    sizeof(elem));
	vq->used_idx++;
}

void vq_untake(struct vq *vq, struct vq_req *req)
{
	vq_release(vq, req);
	vq->avail_idx--;
}

void vq_flush(struct vq *vq)
{
	struct irq *irq = __atomic_load_n(&vq->irq, __ATOMIC_ACQUIRE);
	u16 old = vq->used_signalled, new = vq->used_idx;
	bool wanted;

	if (!vq->running || virtio_is_broken(vq->dev) || new == vq->used_published)
		return;
	guest_store16_release(vq->used + 2, htole16(new));
	vq->used_published = new;
	/* The index must be seen before the driver's wish is read: 2.7.8.2. */
	atomic_thread_fence(memory_order_seq_cst);
	if (vq->event_idx)
		wanted = vring_need_event(le16toh(guest_load16(vq_used_event(vq))), new, old);
	else
		wanted = !(le16toh(guest_load16(vq->avail)) & VRING_AVAIL_F_NO_INTERRUPT);
	vq->used_signalled = new;
	if (wanted && irq)
		irq_pulse(irq);
}

void vq_kick(struct vq *vq)
{
	u64 one = 1;

	if (write(vq->kick_fd, &one, sizeof(one)) < 0)
		return;		/* full: it is kicked already */
}
