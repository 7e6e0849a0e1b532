/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log of a disk's writes, in the format of the kernel's dm-log-writes
 * (Documentation/admin-guide/device-mapper/log-writes.rst), so that its tools read it. The
 * first sector has the header. Each entry begins a sector, which also has the text of a
 * mark; the data of a write are in the sectors behind it. All is little-endian.
 */
#ifndef HW_DISK_LOG_FORMAT_H
#define HW_DISK_LOG_FORMAT_H

#include <kvm/types.h>

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_VERSION	1

#define LOG_FLUSH	(1 << 0)	/* all that was complete before is on stable storage */
#define LOG_FUA		(1 << 1)	/* so is this write */
#define LOG_DISCARD	(1 << 2)	/* no data */
#define LOG_MARK	(1 << 3)	/* no write: a text of data_len bytes */
#define LOG_METADATA	(1 << 4)

struct log_header {
	u64 magic, version, nr_entries;
	u32 sector_size;
} __attribute__((packed));

struct log_entry {
	u64 sector, nr_sectors;		/* in sector_size */
	u64 flags;
	u64 data_len;			/* bytes */
} __attribute__((packed));

#endif
