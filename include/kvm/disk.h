/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a disk can be: an array of blocks behind a file or a block device of the host.
 * It knows no guest and no queue. Requests block, and may come from several threads
 * at a time. What two requests that overlap in time and place leave is one or the
 * other for each block.
 */
#ifndef KVM_DISK_H
#define KVM_DISK_H

#include <kvm/iov.h>
#include <kvm/types.h>

#define DISK_BLOCK_MIN	512
#define DISK_BLOCK_MAX	65536

struct disk;
struct keep;
struct opt_err;

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_ZERO };

/* What an image is: by its name, or as it is said. */
enum disk_format { DISK_FORMAT_AUTO, DISK_FORMAT_RAW };
extern const char *const disk_formats[];	/* in this order, then NULL */

struct disk_options {
	const char *file;	/* an image or a block device, or "new:SIZE": an empty disk that nobody keeps */
	bool ro;		/* nothing is written; others may read it, too */
	bool cow;		/* the image is only read, and what is written goes with the disk */
	bool direct;		/* past the host's page cache (O_DIRECT) */
	enum disk_format format;
	u32 block;		/* bytes of a logical block, a power of two: 512 to 65536 */
};

/*
 * Open it: 0 or -errno with @err filled in, and nothing was changed. An image that is
 * open for writing is locked (F_OFD_SETLK): no other disk may have it, in this process
 * or another. The disk that disk_close() left in @keep by the name of @key is taken from
 * there, with all that was written to it. Main thread.
 */
int disk_open(struct disk **out, const struct disk_options *opts, struct keep *keep, const char *key,
	      struct opt_err *err);
/* It waits in @keep for the next disk_open(), or is gone. */
void disk_close(struct disk *d, struct keep *keep, const char *key);

/*
 * Bytes, a multiple of the block. An image whose size is none ends with zeroes; it
 * grows when its last block is written.
 */
u64 disk_size(const struct disk *d);
bool disk_readonly(const struct disk *d);

struct disk_req {
	enum disk_op op;
	bool durable;		/* a write, discard or zero is on stable storage when it is done */
	u64 off, len;		/* bytes */
	struct iov_iter *data;	/* of a read or write: @len bytes */
};

/* May it be asked? Its place is within the disk, in whole blocks and not empty, and nothing read-only is written. */
bool disk_allows(const struct disk *d, const struct disk_req *req);

/*
 * Serve what disk_allows(): 0, or -errno of the host. A completed flush means that all
 * writes that were completed before are on stable storage; a disk that nobody keeps
 * has none. A discarded block reads as it was or as zeroes. Any thread; may block.
 */
int disk_serve(struct disk *d, const struct disk_req *req);

#endif
