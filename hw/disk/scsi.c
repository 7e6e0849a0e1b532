// SPDX-License-Identifier: GPL-2.0
/*
 * A SCSI disk: commands of SPC-4 and SBC-3 on a struct disk. Each command is a function
 * in a table. It returns the sense that it ends with: a sense key, an additional sense
 * code and its qualifier in one number, 0 for none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/scsi.h>

#define SENSE(key, code, qualifier)	((key) << 16 | (code) << 8 | (qualifier))
#define SENSE_MEDIUM_READ	SENSE(3, 0x11, 0)	/* unrecovered read error */
#define SENSE_MEDIUM_WRITE	SENSE(3, 0x0c, 0)	/* write error */
#define SENSE_OPCODE		SENSE(5, 0x20, 0)	/* invalid command operation code */
#define SENSE_RANGE		SENSE(5, 0x21, 0)	/* logical block address out of range */
#define SENSE_FIELD		SENSE(5, 0x24, 0)	/* invalid field in CDB */
#define SENSE_LIST		SENSE(5, 0x26, 0)	/* invalid field in parameter list */
#define SENSE_LIST_LENGTH	SENSE(5, 0x1a, 0)	/* parameter list length error */
#define SENSE_PROTECTED		SENSE(7, 0x27, 0)	/* write protected */
#define SENSE_FULL		SENSE(7, 0x27, 7)	/* space allocation failed write protect */
#define SENSE_MISCOMPARE	SENSE(0xe, 0x1d, 0)

/* Limits that VPD page B0 tells (SBC-3, 6.6.4), in bytes. */
#define SCSI_TRANSFER_MAX	(32 * MIB)
#define SCSI_UNMAP_MAX		GIB
#define SCSI_UNMAP_RANGES	16
#define SCSI_SAME_MAX		(64 * MIB)
#define SCSI_COMPARE_MAX	1		/* blocks of COMPARE AND WRITE */
#define SCSI_SAME_CHUNK		(256 * KIB)

#define SCSI_VENDOR	"LKVM    "
#define SCSI_PRODUCT	"DISK            "
#define SCSI_REVISION	"1   "

static u64 get_be(const u8 *p, unsigned int len)
{
	u64 val = 0;

	while (len--)
		val = val << 8 | *p++;
	return val;
}

static void put_be(u8 *p, unsigned int len, u64 val)
{
	while (len--) {
		p[len] = val;
		val >>= 8;
	}
}

static u64 scsi_blocks(const struct scsi_disk *s)
{
	return disk_size(s->disk) / s->block;
}

/* @len bytes, cut to the allocation length of the command. */
static u32 scsi_answer(struct scsi_cmd *c, const void *data, u32 len, u32 room)
{
	copy_to_iter(data, min(len, room), c->in);
	return 0;
}

/* Blocks: where a command is, and how many there are */

struct extent {
	u64 lba;
	u32 nr;
};

/* By the group of the operation code (SPC-4, 4.3.2). A length of 0 is 256 in the shortest. */
static struct extent scsi_extent(const u8 *cdb)
{
	switch (cdb[0] >> 5) {
	case 0:
		return (struct extent){ get_be(cdb + 1, 3) & 0x1fffff, cdb[4] ? cdb[4] : 256 };
	case 4:
		return (struct extent){ get_be(cdb + 2, 8), get_be(cdb + 10, 4) };
	case 5:
		return (struct extent){ get_be(cdb + 2, 4), get_be(cdb + 6, 4) };
	default:
		return (struct extent){ get_be(cdb + 2, 4), get_be(cdb + 7, 2) };
	}
}

static bool scsi_within(const struct scsi_disk *s, const struct extent *e)
{
	u64 blocks = scsi_blocks(s);

	return e->lba <= blocks && e->nr <= blocks - e->lba;
}

static u32 scsi_failed(struct scsi_cmd *c, enum disk_op op, int ret)
{
	if (!ret)
		return 0;
	c->err = ret;
	if (ret == -ENOSPC || ret == -EDQUOT)
		return SENSE_FULL;
	return op == DISK_READ ? SENSE_MEDIUM_READ : SENSE_MEDIUM_WRITE;
}

static u32 scsi_do(struct scsi_disk *s, struct scsi_cmd *c, enum disk_op op, const struct extent *e,
		   struct iov_iter *data, bool durable)
{
	struct disk_req req = {
		.op = op, .durable = durable, .off = e->lba * s->block, .len = (u64)e->nr * s->block, .data = data,
	};

	if (op != DISK_READ && op != DISK_FLUSH && disk_readonly(s->disk))
		return SENSE_PROTECTED;
	if (op != DISK_FLUSH && !req.len)
		return 0;
	return disk_allows(s->disk, &req) ? scsi_failed(c, op, disk_serve(s->disk, &req)) : SENSE_RANGE;
}

static u32 scsi_io(struct scsi_disk *s, struct scsi_cmd *c, enum disk_op op)
{
	struct extent e = scsi_extent(c->cdb);
	struct iov_iter *all = op == DISK_READ ? c->in : c->out, data;
	bool fua = op == DISK_WRITE && c->cdb[0] >> 5 && c->cdb[1] & 1 << 3;
	u32 ret;

	/* RDPROTECT, WRPROTECT: there is no protection information. */
	if (c->cdb[0] >> 5 && c->cdb[1] & 0xe0)
		return SENSE_FIELD;
	if (!scsi_within(s, &e))
		return SENSE_RANGE;
	if ((u64)e.nr * s->block > SCSI_TRANSFER_MAX || !iov_iter_split(all, (u64)e.nr * s->block, &data))
		return SENSE_FIELD;
	ret = scsi_do(s, c, op, &e, &data, fua);
	/* What a read has left counts as written. */
	if (op == DISK_READ)
		iov_iter_zero(iov_iter_count(&data), &data);
	return ret;
}

static u32 scsi_read(struct scsi_disk *s, struct scsi_cmd *c)
{
	return scsi_io(s, c, DISK_READ);
}

static u32 scsi_write(struct scsi_disk *s, struct scsi_cmd *c)
{
	return scsi_io(s, c, DISK_WRITE);
}

/* Without BYTCHK nothing is transferred, and there is nothing that could be verified. */
static u32 scsi_verify(struct scsi_disk *s, struct scsi_cmd *c)
{
	struct extent e = scsi_extent(c->cdb);

	return c->cdb[1] & 6 ? SENSE_FIELD : scsi_within(s, &e) ? 0 : SENSE_RANGE;
}

static u32 scsi_synchronize(struct scsi_disk *s, struct scsi_cmd *c)
{
	struct extent all = { 0 }, e = scsi_extent(c->cdb);

	return scsi_within(s, &e) ? scsi_do(s, c, DISK_FLUSH, &all, NULL, false) : SENSE_RANGE;
}

/* SBC-3, 5.28: descriptors are looked at before any is done. */
static u32 scsi_unmap(struct scsi_disk *s, struct scsi_cmd *c)
{
	u8 list[8 + SCSI_UNMAP_RANGES * 16];
	u32 len = get_be(c->cdb + 7, 2), n, nr, ret = 0;

	if (c->cdb[1] & 1)
		return SENSE_FIELD;
	if (!len)
		return 0;
	if (len < 8 || len > sizeof(list) || copy_from_iter(list, len, c->out) != len)
		return SENSE_LIST_LENGTH;
	nr = min((u32)get_be(list + 2, 2), len - 8) / 16;
	for (n = 0; n < nr; n++) {
		struct extent e = { get_be(list + 8 + n * 16, 8), get_be(list + 16 + n * 16, 4) };

		if (!scsi_within(s, &e))
			return SENSE_RANGE;
		if ((u64)e.nr * s->block > SCSI_UNMAP_MAX)
			return SENSE_LIST;
	}
	for (n = 0; !ret && n < nr; n++) {
		struct extent e = { get_be(list + 8 + n * 16, 8), get_be(list + 16 + n * 16, 4) };

		ret = scsi_do(s, c, DISK_DISCARD, &e, NULL, false);
	}
	return ret;
}

/* The same block again and again, in chunks. */
static u32 scsi_repeat(struct scsi_disk *s, struct scsi_cmd *c, struct extent e, const u8 *block)
{
	u32 most = SCSI_SAME_CHUNK / s->block, ret = 0;
	u8 *chunk = malloc((u64)most * s->block);

	if (!chunk)
		return scsi_failed(c, DISK_WRITE, -ENOMEM);
	for (u32 i = 0; i < min(most, e.nr); i++)
		memcpy(chunk + i * s->block, block, s->block);
	while (!ret && e.nr) {
		struct extent part = { e.lba, min(most, e.nr) };
		struct iovec iov = { chunk, (size_t)part.nr * s->block };
		struct iov_iter data;

		iov_iter_init(&data, &iov, 1);
		ret = scsi_do(s, c, DISK_WRITE, &part, &data, false);
		e.lba += part.nr;
		e.nr -= part.nr;
	}
	free(chunk);
	return ret;
}

/* SBC-3, 5.37 to 5.39: with UNMAP or NDOB, or a block of zeroes, the disk has a way for it. */
static u32 scsi_write_same(struct scsi_disk *s, struct scsi_cmd *c)
{
	struct extent e = scsi_extent(c->cdb);
	bool ndob = c->cdb[0] == 0x93 && c->cdb[1] & 1;
	u8 block[DISK_BLOCK_MAX];
	u32 i = 0;

	if (c->cdb[1] & 0xf6 & ~8)
		return SENSE_FIELD;
	/* 0 would be all up to the end: VPD page B0 says that there is a limit. */
	if (!e.nr || (u64)e.nr * s->block > SCSI_SAME_MAX)
		return SENSE_FIELD;
	if (!scsi_within(s, &e))
		return SENSE_RANGE;
	if (!ndob && copy_from_iter(block, s->block, c->out) != s->block)
		return SENSE_FIELD;
	while (!ndob && i < s->block && !block[i])
		i++;
	return ndob || i == s->block ? scsi_do(s, c, DISK_ZERO, &e, NULL, false) : scsi_repeat(s, c, e, block);
}

/* SBC-3, 5.2 */
static u32 scsi_compare_and_write(struct scsi_disk *s, struct scsi_cmd *c)
{
	struct extent e = { get_be(c->cdb + 2, 8), c->cdb[13] };
	u8 want[DISK_BLOCK_MAX], have[DISK_BLOCK_MAX], with[DISK_BLOCK_MAX];
	struct iovec iov[2] = { { have, s->block }, { with, s->block } };
	struct iov_iter data;
	u32 ret;

	if (c->cdb[1] & 0xe0 || e.nr > SCSI_COMPARE_MAX)
		return SENSE_FIELD;
	if (!scsi_within(s, &e))
		return SENSE_RANGE;
	if (!e.nr)
		return 0;
	if (copy_from_iter(want, s->block, c->out) != s->block || copy_from_iter(with, s->block, c->out) != s->block)
		return SENSE_FIELD;
	pthread_mutex_lock(&s->lock);
	iov_iter_init(&data, &iov[0], 1);
	ret = scsi_do(s, c, DISK_READ, &e, &data, false);
	if (!ret && memcmp(have, want, s->block))
		ret = SENSE_MISCOMPARE;
	iov_iter_init(&data, &iov[1], 1);
	if (!ret)
		ret = scsi_do(s, c, DISK_WRITE, &e, &data, c->cdb[1] & 1 << 3);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

/* What it is */

static u32 scsi_nothing(struct scsi_disk *s, struct scsi_cmd *c)
{
	return 0;
}

/* Nothing is kept for it: sense goes with the command. */
static u32 scsi_request_sense(struct scsi_disk *s, struct scsi_cmd *c)
{
	u8 sense[SCSI_SENSE] = { 0x70, [7] = SCSI_SENSE - 8 };

	return c->cdb[1] & 1 ? SENSE_FIELD : scsi_answer(c, sense, sizeof(sense), c->cdb[4]);
}

static u32 vpd_pages(struct scsi_disk *s, u8 *page)
{
	static const u8 pages[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };

	memcpy(page, pages, sizeof(pages));
	return sizeof(pages);
}

static u32 vpd_serial(struct scsi_disk *s, u8 *page)
{
	memcpy(page, s->serial, strlen(s->serial));
	return strlen(s->serial);
}

/* SPC-4, 7.8.6: T10 vendor identification, with the serial number. */
static u32 vpd_identification(struct scsi_disk *s, u8 *page)
{
	u32 len = strlen(s->serial);

	page[0] = 2;			/* ASCII */
	page[1] = 1;			/* of the logical unit, T10 vendor ID */
	page[3] = 8 + len;
	memcpy(page + 4, SCSI_VENDOR, 8);
	memcpy(page + 12, s->serial, len);
	return 12 + len;
}

/* SBC-3, 6.6.4; offsets are without the four bytes of the header. */
static u32 vpd_limits(struct scsi_disk *s, u8 *page)
{
	page[1] = SCSI_COMPARE_MAX;
	put_be(page + 2, 2, s->physical / s->block);		/* optimal granularity */
	put_be(page + 4, 4, SCSI_TRANSFER_MAX / s->block);
	put_be(page + 16, 4, SCSI_UNMAP_MAX / s->block);
	put_be(page + 20, 4, SCSI_UNMAP_RANGES);
	put_be(page + 24, 4, max(s->physical, 4096U) / s->block);	/* unmap granularity */
	put_be(page + 32, 8, SCSI_SAME_MAX / s->block);
	return 60;
}

static u32 vpd_characteristics(struct scsi_disk *s, u8 *page)
{
	put_be(page, 2, 1);		/* does not rotate */
	return 60;
}

/* SBC-3, 6.6.6: UNMAP, WRITE SAME with UNMAP; what is unmapped may read as before. */
static u32 vpd_provisioning(struct scsi_disk *s, u8 *page)
{
	page[1] = disk_readonly(s->disk) ? 0 : 1 << 7 | 1 << 6 | 1 << 5;
	page[2] = 2;			/* thin */
	return 4;
}

static u32 scsi_inquiry_page(struct scsi_disk *s, struct scsi_cmd *c)
{
	static const struct {
		u8 code;
		u32 (*fn)(struct scsi_disk *s, u8 *page);
	} pages[] = {
		{ 0x00, vpd_pages }, { 0x80, vpd_serial }, { 0x83, vpd_identification }, { 0xb0, vpd_limits },
		{ 0xb1, vpd_characteristics }, { 0xb2, vpd_provisioning },
	};
	u8 page[128] = { 0 };
	u32 len, i = 0;

	while (i < ARRAY_SIZE(pages) && pages[i].code != c->cdb[2])
		i++;
	if (i == ARRAY_SIZE(pages))
		return SENSE_FIELD;
	page[1] = c->cdb[2];
	len = pages[i].fn(s, page + 4);
	put_be(page + 2, 2, len);
	return scsi_answer(c, page, 4 + len, get_be(c->cdb + 3, 2));
}

/* SPC-4, 6.6.2 */
static u32 scsi_inquiry(struct scsi_disk *s, struct scsi_cmd *c)
{
	u8 data[36] = { [2] = 6, [3] = 2, [4] = sizeof(data) - 5, [7] = 2 };

	if (c->cdb[1] & 1)
		return scsi_inquiry_page(s, c);
	if (c->cdb[2])
		return SENSE_FIELD;
	memcpy(data + 8, SCSI_VENDOR, 8);
	memcpy(data + 16, SCSI_PRODUCT, 16);
	memcpy(data + 32, SCSI_REVISION, 4);
	return scsi_answer(c, data, sizeof(data), get_be(c->cdb + 3, 2));
}

/* SPC-4, 6.33: one unit, number 0. */
static u32 scsi_report_luns(struct scsi_disk *s, struct scsi_cmd *c)
{
	u8 data[16] = { [3] = 8 };

	return c->cdb[2] > 2 ? SENSE_FIELD : scsi_answer(c, data, sizeof(data), get_be(c->cdb + 6, 4));
}

static u32 scsi_read_capacity(struct scsi_disk *s, struct scsi_cmd *c)
{
	u8 data[8];

	put_be(data, 4, min(scsi_blocks(s) - 1, (u64)0xffffffff));
	put_be(data + 4, 4, s->block);
	return scsi_answer(c, data, sizeof(data), sizeof(data));
}

/* SBC-3, 5.16: a service action. */
static u32 scsi_read_capacity_16(struct scsi_disk *s, struct scsi_cmd *c)
{
	u8 data[32] = { 0 };

	if ((c->cdb[1] & 0x1f) != 0x10)
		return SENSE_FIELD;
	put_be(data, 8, scsi_blocks(s) - 1);
	put_be(data + 8, 4, s->block);
	data[13] = min(__builtin_ctz(s->physical / s->block), 15);
	data[14] = disk_readonly(s->disk) ? 0 : 1 << 7;	/* LBPME: UNMAP is there */
	return scsi_answer(c, data, sizeof(data), get_be(c->cdb + 10, 4));
}

/* SBC-3, 6.5.6: the write cache is on, and cannot be changed. */
static u32 scsi_caching_page(u8 *page, bool changeable)
{
	page[0] = 8;
	page[1] = 18;
	page[2] = changeable ? 0 : 1 << 2;
	return 20;
}

static u32 scsi_mode_sense(struct scsi_disk *s, struct scsi_cmd *c)
{
	bool ten = c->cdb[0] == 0x5a;
	u8 data[64] = { 0 }, page = c->cdb[2] & 0x3f, control = c->cdb[2] >> 6, head = ten ? 8 : 4;
	u32 len = head;

	if ((page != 0x3f && page != 8) || c->cdb[3] || control == 3)
		return SENSE_FIELD;
	len += scsi_caching_page(data + head, control == 1);
	data[ten ? 3 : 2] = (disk_readonly(s->disk) ? 1 << 7 : 0) | 1 << 4;	/* WP, DPOFUA */
	put_be(data, ten ? 2 : 1, len - (ten ? 2 : 1));
	return scsi_answer(c, data, len, ten ? get_be(c->cdb + 7, 2) : c->cdb[4]);
}

static u32 (*const scsi_table[256])(struct scsi_disk *s, struct scsi_cmd *c) = {
	[0x00] = scsi_nothing,			/* TEST UNIT READY */
	[0x03] = scsi_request_sense,
	[0x08] = scsi_read, [0x28] = scsi_read, [0x88] = scsi_read, [0xa8] = scsi_read,
	[0x0a] = scsi_write, [0x2a] = scsi_write, [0x8a] = scsi_write, [0xaa] = scsi_write,
	[0x12] = scsi_inquiry,
	[0x1a] = scsi_mode_sense, [0x5a] = scsi_mode_sense,
	[0x1b] = scsi_nothing,			/* START STOP UNIT */
	[0x1e] = scsi_nothing,			/* PREVENT ALLOW MEDIUM REMOVAL */
	[0x25] = scsi_read_capacity,
	[0x2f] = scsi_verify, [0x8f] = scsi_verify,
	[0x35] = scsi_synchronize, [0x91] = scsi_synchronize,
	[0x41] = scsi_write_same, [0x93] = scsi_write_same,
	[0x42] = scsi_unmap,
	[0x89] = scsi_compare_and_write,
	[0x9e] = scsi_read_capacity_16,
	[0xa0] = scsi_report_luns,
};

void scsi_serve(struct scsi_disk *s, struct scsi_cmd *c)
{
	u32 sense = scsi_table[c->cdb[0]] ? scsi_table[c->cdb[0]](s, c) : SENSE_OPCODE;

	c->status = sense ? SCSI_CHECK_CONDITION : SCSI_GOOD;
	memset(c->sense, 0, sizeof(c->sense));
	if (!sense)
		return;
	/* SPC-4, 4.5.3: current error, fixed format */
	c->sense[0] = 0x70;
	c->sense[2] = sense >> 16;
	c->sense[7] = SCSI_SENSE - 8;
	c->sense[12] = sense >> 8;
	c->sense[13] = sense;
}
