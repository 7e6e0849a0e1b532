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
#include <kvm/opt.h>
#include <kvm/types.h>

#define DISK_BLOCK_MIN	512
#define DISK_BLOCK_MAX	65536
#define DISK_QUEUES_MAX	32

struct disk;
struct disk_opener;
struct keep;
struct state;

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_ZERO };

/* What an image is: by its name, or as it is said. */
enum disk_format { DISK_FORMAT_AUTO, DISK_FORMAT_RAW, DISK_FORMAT_QCOW2 };
extern const char *const disk_formats[];	/* in this order, then NULL */

struct disk_options {
	const char *file;	/* an image or a block device, or "new:SIZE": an empty disk that nobody keeps */
	bool ro;		/* nothing is written; others may read it, too */
	bool cow;		/* the image is only read, and what is written goes with the disk */
	const char *cow_file;	/* or into this file, which is kept, and made if it is not there; or NULL */
	bool direct;		/* past the host's page cache (O_DIRECT) */
	enum disk_format format;
	u32 block;		/* bytes of a logical block, a power of two: 512 to 65536 */
	u32 physical;		/* bytes that are written as one: a power of two times block; 0: block */
	/* qcow2: */
	bool anywhere;		/* the files that an image names may be outside of its directory */
	bool verify;		/* prove that each cluster is free before it is used; slow */
	const char *snapshot;	/* NULL, or the name or number of one, which is read: with ro or cow */
	/* Layers over the image, see below. */
	bool wait_full;		/* requests for which the host has no room wait: disk_when_full() */
	u64 cache;		/* bytes of a volatile write cache, 0: none */
	const char *log;	/* all that is written is recorded in this file, or NULL */
	u64 iops, bps;		/* requests and bytes a second at most, 0: any */
	const char *faults;	/* a first disk_fault(), or NULL */
	const struct disk_opener *opener;	/* NULL: open(2) */
};

/* Who opens files for a disk: those of another process come by a socket. */
struct disk_opener {
	bool sent;		/* the files are open already, and their names mean nothing here */
	/* As open(2), with O_CLOEXEC: a descriptor, or -1 and errno. With O_TMPFILE @path is a directory. */
	int (*open)(const struct disk_opener *o, const char *path, int flags);
};

/* What a disk without an opener does: as disk_opener.open(). */
int disk_open_path(const char *path, int flags);

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

/* A disk as a user describes it: the suboptions that all devices with a disk have. 0 and NULL are not given. */
struct disk_choice {
	const char *file, *serial, *snapshot, *cow;
	bool ro, direct, verify;
	int format, backing, bus, queues, iops, werror;	/* queues are the device's */
	u64 block, physical, optimal, bps;
	const char *cache, *log, *faults;
};
extern const struct opt disk_choice_opts[];
/* The type of the device that @text, suboptions as above, asks for by bus=: "virtio-blk". NULL: @text is wrong. */
const char *disk_choice_device(const char *text);
/* As disk_open(). */
int disk_open_choice(struct disk **out, const struct disk_choice *c, const struct disk_opener *opener,
		     struct keep *keep, const char *key, struct opt_err *err);

/*
 * Bytes, a multiple of the block. An image whose size is none ends with zeroes; it
 * grows when its last block is written.
 */
u64 disk_size(const struct disk *d);
bool disk_readonly(const struct disk *d);
/* Bytes: a discard gives back what is so long and so aligned; a power of two. */
u32 disk_grain(const struct disk *d);

/*
 * Write or read what the disk has beside its image: the image's size and time of change, and
 * what was written with cow, at most DISK_LAYER_MAX bytes. It is read into a disk that was
 * just opened, with cow if it was written. An image that has changed is refused. No request
 * is in flight. As state_value().
 */
int disk_state(struct disk *d, struct state *s);
#define DISK_LAYER_MAX	(64U << 20)

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

/* What a part of a disk is. */
struct disk_extent {
	u64 len;		/* bytes that are alike */
	bool zero;		/* it reads as zeroes, and that is known without a look */
	bool compressed;
	unsigned int depth;	/* the image that has it: 0 is the disk's, 1 the one behind that */
	s64 host;		/* bytes: where in the file of that image the data is; -1: nowhere, or not at one place */
};

/* The part at @off, of at most @len bytes. 0 or -errno. Any thread; may block. */
int disk_map(struct disk *d, u64 off, u64 len, struct disk_extent *e);

/*
 * Give requests back that wait for a time or for the user: they fail with -EINTR. Those
 * that come later wait again. Any thread.
 */
void disk_cancel(struct disk *d);

/*
 * With wait_full: call full(arg) for each request that begins to wait, on its thread, and
 * serve all of them again. The latter from any thread. Where @full is NULL, none waits: it fails.
 */
void disk_when_full(struct disk *d, void (*full)(void *arg), void *arg);
void disk_retry(struct disk *d);

/*
 * Another size: a multiple of the block, not 0. 0, or -errno with @err filled in and the
 * disk as it was. What is beyond a smaller end is lost. Any thread.
 */
int disk_resize(struct disk *d, u64 size, struct opt_err *err);

/*
 * Faults on purpose: @spec is one more, as disk_fault_opts[] has them, or "clear", which
 * ends them all and lets requests go on that hang. 0, or -EINVAL with @err filled in. Any thread.
 */
int disk_fault(struct disk *d, const char *spec, struct opt_err *err);
extern const struct opt disk_fault_opts[];
/* Call fn(obj, text) for each: what it does, and how often it has done it. */
void disk_faults(struct disk *d, void (*fn)(void *obj, const char *text), void *obj);

/*
 * Power cut. disk_freeze() ends all service: requests neither complete nor change
 * anything from now on, until they are cancelled. Then disk_cut() makes the image what a
 * disk could have kept. Of what was written since the last flush each physical block has
 * any of the contents that it had meanwhile, as @seed decides; a seed of 0 loses all. A
 * disk without a volatile cache keeps everything. 0 or -errno of the host. Any thread.
 */
struct disk_cut {
	u64 kept, lost, torn;	/* writes since the last flush */
};
void disk_freeze(struct disk *d);
int disk_cut(struct disk *d, u64 seed, struct disk_cut *cut);

/* Write a mark to the disk's log: 0, -ENOENT (it has none), or -errno. Any thread. */
int disk_mark(struct disk *d, const char *text);

#endif
