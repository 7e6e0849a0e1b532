// SPDX-License-Identifier: GPL-2.0
/* Internal snapshots of a qcow2 image: "Snapshots" of the specification. They are listed and read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/image.h>

#include "qcow2.h"

#define SNAP_EXTRA_MAX	1024

static u64 snap_be(const u8 *p, unsigned int len)
{
	u64 val = 0;

	while (len--)
		val = val << 8 | *p++;
	return val;
}

static void snap_text(char *to, size_t room, const u8 *from, size_t len)
{
	len = min(len, room - 1);
	memcpy(to, from, len);
	to[len] = '\0';
}

/* One entry at @off: *@len are its bytes. */
static int snap_read(struct qcow2 *q, u64 off, struct image_snapshot *s, u64 *len)
{
	u8 head[40], extra[SNAP_EXTRA_MAX] = { 0 }, text[2 * 65536];
	u32 nr_extra, id, name;
	int ret = file_pread(q->fd, head, sizeof(head), off);

	if (ret)
		return ret;
	nr_extra = snap_be(head + 36, 4);
	id = snap_be(head + 12, 2);
	name = snap_be(head + 14, 2);
	if (nr_extra > SNAP_EXTRA_MAX)
		return -EINVAL;
	ret = file_pread(q->fd, extra, nr_extra, off + sizeof(head));
	if (!ret)
		ret = file_pread(q->fd, text, id + name, off + sizeof(head) + nr_extra);
	if (ret)
		return ret;
	*s = (struct image_snapshot){
		.l1_off = snap_be(head, 8), .l1_size = snap_be(head + 8, 4), .seconds = snap_be(head + 16, 4),
		.vm_state = nr_extra >= 8 ? snap_be(extra, 8) : snap_be(head + 32, 4),
		.size = nr_extra >= 16 ? snap_be(extra + 8, 8) : q->head.size,
	};
	snap_text(s->id, sizeof(s->id), text, id);
	snap_text(s->name, sizeof(s->name), text + id, name);
	*len = ALIGN(sizeof(head) + nr_extra + id + name, 8);
	return s->l1_size * 8ULL <= QCOW2_L1_MAX && s->l1_off % q->cluster == 0 && s->l1_off <= INT64_MAX - QCOW2_L1_MAX ? 0 : -EINVAL;
}

int qcow2_snapshots(struct qcow2 *q, struct image_snapshot **out, u64 *len)
{
	u64 off = q->head.snapshots_off, n = 0;
	int ret = 0;

	*len = 0;
	*out = calloc(max(q->head.nr_snapshots, 1U), sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (u32 i = 0; !ret && i < q->head.nr_snapshots; i++) {
		ret = snap_read(q, off + *len, &(*out)[i], &n);
		*len += n;
	}
	if (ret) {
		free(*out);
		*out = NULL;
	}
	return ret;
}

int qcow2_snapshot_use(struct qcow2 *q, const char *name, struct opt_err *err)
{
	struct image_snapshot *s, *found = NULL;
	unsigned int shift = q->bits + q->l2_bits;
	u64 len;
	int ret = qcow2_snapshots(q, &s, &len);

	for (u32 i = 0; !ret && !found && i < q->head.nr_snapshots; i++)
		if (!strcmp(s[i].name, name) || !strcmp(s[i].id, name))
			found = &s[i];
	if (ret)
		ret = disk_bad(err, ret, "%s: its table of snapshots cannot be read", q->name);
	else if (!found)
		ret = disk_bad(err, -ENOENT, "%s has no snapshot \"%s\"; 'lkvm disk info' lists them", q->name, name);
	else if (!found->size || found->size % q->disk.block || found->size > INT64_MAX ||
		 (u64)found->l1_size << shift < found->size)
		ret = disk_bad(err, -EINVAL, "%s: its snapshot \"%s\" is not sound", q->name, name);
	if (!ret) {
		free(q->l1);
		q->l1 = NULL;
		ret = qcow2_l1_open(q, found->l1_off, found->l1_size, err);
		q->disk.size = found->size;
	}
	free(s);
	return ret;
}
