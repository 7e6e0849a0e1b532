/* SPDX-License-Identifier: GPL-2.0 */
/*
 * qcow2 images: "the specification" is docs/interop/qcow2.rst of the QEMU project, which
 * describes the format. This is shared by the files qcow2*.c, lowest first:
 *
 *	qcow2_head.c	the header: what the image is, and what is refused
 *	qcow2_meta.c	a bounded cache of the tables, and who wrote what in it
 *	qcow2_ref.c	reference counts: which clusters are in use
 *	qcow2_map.c	L1 and L2 tables: where the guest's clusters are
 *	qcow2_commit.c	what becomes stable before what
 *	qcow2_snap.c	internal snapshots
 *	qcow2_check.c	all references counted anew, and repair
 *	qcow2_resize.c	growing
 *	qcow2.c		the disk: reads, writes, discards
 *	qcow2_open.c	opening, and the chain of images behind
 *	qcow2_make.c	new images
 *
 * All metadata is behind one lock, however many threads there are. Data is read and
 * written without it: a request marks the range it works on, and a change of what is
 * mapped there waits for those that use it.
 */
#ifndef HW_DISK_QCOW2_H
#define HW_DISK_QCOW2_H

#include <endian.h>
#include <pthread.h>

#include <linux/list.h>
#include <kvm/file.h>
#include <kvm/log.h>

#include "disk.h"

#define QCOW2_MAGIC		0x514649fbU
#define QCOW2_BITS_MIN		9
#define QCOW2_BITS_MAX		21
#define QCOW2_L1_MAX		(32 * MIB)	/* bytes: 4M entries */
#define QCOW2_TABLE_MAX		(64 * MIB)	/* bytes of a refcount table */
#define QCOW2_NAME_MAX		1023
#define QCOW2_DEPTH_MAX		16		/* images in a chain */
#define QCOW2_SNAPSHOTS_MAX	4096
#define QCOW2_V2_LENGTH		72
#define QCOW2_V3_LENGTH		104

/* incompatible_features */
#define QCOW2_DIRTY		(1ULL << 0)
#define QCOW2_CORRUPT		(1ULL << 1)
#define QCOW2_DATA_FILE		(1ULL << 2)
#define QCOW2_COMPRESSION	(1ULL << 3)
#define QCOW2_EXTENDED		(1ULL << 4)
#define QCOW2_KNOWN		(QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_DATA_FILE | QCOW2_COMPRESSION | QCOW2_EXTENDED)
/* compatible_features */
#define QCOW2_LAZY		(1ULL << 0)
/* autoclear_features */
#define QCOW2_BITMAPS		(1ULL << 0)
#define QCOW2_RAW_DATA		(1ULL << 1)

/* Header extensions */
#define QCOW2_EXT_BACKING_FORMAT	0xe2792acaU
#define QCOW2_EXT_FEATURES		0x6803f857U
#define QCOW2_EXT_BITMAPS		0x23852875U
#define QCOW2_EXT_DATA_FILE		0x44415441U

/* Table entries */
#define QCOW2_OFFSET		0x00fffffffffffe00ULL
#define QCOW2_COPIED		(1ULL << 63)
#define QCOW2_COMPRESSED	(1ULL << 62)
#define QCOW2_ZERO		(1ULL << 0)
#define QCOW2_SUBCLUSTERS	32

/* The header, in this machine's byte order. */
struct qcow2_head {
	u32 version, bits, crypt, l1_size, table_clusters, nr_snapshots, ref_order, length;
	u64 size, l1_off, table_off, snapshots_off;
	u64 incompatible, compatible, autoclear;
	u8 compression;
	u32 nr_bitmaps;
	u64 bitmaps_off, bitmaps_len;
	char backing[QCOW2_NAME_MAX + 1];	/* "": none */
	char backing_format[16];		/* "": not said */
	char data_file[QCOW2_NAME_MAX + 1];
	char unknown[48];			/* the name of the lowest unknown incompatible feature */
};

/* 0, or -errno with @err filled in; what it says has been checked as far as the header goes. */
int qcow2_head_read(struct qcow2_head *h, int fd, const char *file, struct opt_err *err);
/* Write one of the three sets of features of version 3, and wait until it is stable. */
int qcow2_head_set(int fd, unsigned int offset, u64 features);
#define QCOW2_AT_INCOMPATIBLE	72
#define QCOW2_AT_AUTOCLEAR	88

/* The cache of tables. Pages of tables, by their offset in the file. Under the image's lock. */
enum meta_kind { META_REF, META_L2, META_KINDS };

struct meta_page {
	struct meta_page *next;		/* in its bucket */
	struct list_head node;		/* clean ones by age, or the dirty ones of a kind; none while a commit writes it */
	u64 off;
	u8 *data;
	u8 kind;
	bool dirty, busy;
};

#define META_BUCKETS	1024

struct meta {
	int fd;
	u32 page;			/* bytes of a page */
	unsigned int max, used, nr_dirty;
	struct meta_page *pages, *bucket[META_BUCKETS];
	u8 *arena;
	struct list_head clean;		/* the newest first */
	struct list_head dirty[META_KINDS];
};

int meta_open(struct meta *m, int fd, u32 page);
void meta_close(struct meta *m);
/* The byte at @off of a table, and the page that it is in; both are valid until the next call but one. 0 or -errno. */
int meta_get(struct meta *m, u64 off, struct meta_page **page, u8 **p);
void meta_dirty(struct meta *m, struct meta_page *page, enum meta_kind kind);
/* Nothing is known of this range any more: it is about to be something else. */
void meta_forget(struct meta *m, u64 off, u64 len);
bool meta_is_full(const struct meta *m);

/* Copies of the dirty pages of a kind, which a commit writes without the lock. */
struct meta_batch {
	unsigned int nr;
	struct meta_page **page;
	u64 *off;
	u8 *data;
};
int meta_take(struct meta *m, enum meta_kind kind, struct meta_batch *b);
int meta_batch_write(const struct meta *m, const struct meta_batch *b);
/* They are written, or (@ret) dirty again. */
void meta_batch_done(struct meta *m, struct meta_batch *b, enum meta_kind kind, int ret);

/* Clusters that will be free: the tables no longer refer to them, once these are stable. */
struct qcow2_pending {
	u64 first, nr;			/* clusters */
};

struct qcow2_range {
	struct list_head node;
	u64 start, end;			/* bytes of the guest */
	bool alone;
};

struct qcow2 {
	struct disk disk;
	struct disk *file, *data, *backing;	/* @data is @file, or an external data file */
	char *name;
	int fd;				/* of @file, past no cache: for tables */
	struct qcow2_head head;
	u32 cluster, sub;		/* bytes of a cluster, and of what is allocated at a time */
	unsigned int bits, l2_bits, entry;	/* log2 of clusters and of entries of an L2 table; bytes of an entry */
	bool extended, device, raw_data;
	int (*prove)(struct qcow2 *q, u64 first, u32 nr);	/* each allocation, or NULL */

	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t idle;		/* a range has become free */
	unsigned int waiting;
	struct list_head ranges;
	struct meta meta;
	u64 *l1;
	u64 *table;			/* of refcount blocks */
	u32 table_len, table_used;	/* entries; those behind are 0 */
	unsigned int block_bits;	/* log2 of entries of a refcount block */
	u64 hint;			/* no cluster below is free */
	u64 end;			/* clusters of the file; what is allocated beyond is new, and zeroes */
	u64 length;			/* bytes of the file, which is longer: it grows in steps */
	u32 l1_low, l1_high, table_low, table_high;	/* entries that have changed: [low, high) */
	struct qcow2_pending *pending;
	unsigned int nr_pending, max_pending;
	bool marked;			/* as written to */
	bool closing;			/* all counts are to be written */
	bool corrupt;
	struct log_limit limit;

	/* The last cluster that was unpacked. Its entry names it for good: no other cluster is packed there. */
	pthread_mutex_t unpacked_lock;
	u64 unpacked_entry;		/* 0: none */
	u8 *unpacked;

	pthread_mutex_t commit;		/* one commit at a time; before @lock */
	u64 started, done;		/* commits, under @lock */
	int failed;			/* the host lost what it was to keep */
};

static inline u64 qcow2_be64(const void *p)
{
	return be64toh(*(const u64 *)p);
}

/* Say so once, mark the image as corrupt if it may be written; returns -EIO. */
int qcow2_is_corrupt(struct qcow2 *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Bytes [@off, @off + @len) of the file are no header, no L1, no table of refcounts, and within the file. */
bool qcow2_may_write(const struct qcow2 *q, u64 off, u64 len);

/* Reference counts */
int qcow2_ref_open(struct qcow2 *q, struct opt_err *err);
int qcow2_ref_get(struct qcow2 *q, u64 cluster, u64 *val);
int qcow2_ref_set(struct qcow2 *q, u64 cluster, u64 val);
u64 qcow2_ref_max(const struct qcow2 *q);
/* Up to @want clusters in a row, at least one: counted as used. *@fresh: they read as zeroes. */
int qcow2_alloc(struct qcow2 *q, u32 want, u64 *first, u32 *nr, bool *fresh);
/* Clusters that nothing ever referred to. */
void qcow2_unalloc(struct qcow2 *q, u64 first, u32 nr);
/* One reference less, when the tables are stable. */
int qcow2_free_later(struct qcow2 *q, u64 first, u64 nr);
/* The same for a compressed cluster. */
int qcow2_free_compressed(struct qcow2 *q, u64 entry);
/* All counts anew, for a repair. */
int qcow2_ref_replace(struct qcow2 *q, u32 (*count)(const void *arg, u64 cluster), const void *arg);

/* The map */
enum qcow2_kind { QCOW2_IS_NOWHERE, QCOW2_IS_ZERO, QCOW2_IS_DATA, QCOW2_IS_COMPRESSED };

struct qcow2_map {
	enum qcow2_kind kind;
	u64 host;			/* of the byte asked for, in the file of data */
	u64 len;			/* bytes that are so, one after the other */
	bool own;			/* DATA: it may be written in place */
	u64 entry, subs;		/* as in the table */
};

int qcow2_l1_open(struct qcow2 *q, u64 off, u32 size, struct opt_err *err);
/* What is at @off, at most @len bytes of it and not beyond a page of a table. */
int qcow2_map_get(struct qcow2 *q, u64 off, u64 len, struct qcow2_map *m);
/* The table for @off is there and may be changed. */
int qcow2_map_prepare(struct qcow2 *q, u64 off);
/* After that: change an entry. */
int qcow2_map_set(struct qcow2 *q, u64 off, u64 entry, u64 subs);
/* A compressed cluster's place. */
void qcow2_compressed_at(const struct qcow2 *q, u64 entry, u64 *off, u32 *len);

/*
 * Before the first write: features that others keep up to date are no longer so, and
 * with lazy refcounts the image is dirty until it is closed. Under the lock. 0 or -errno.
 */
int qcow2_mark(struct qcow2 *q);
/* All that was completed is stable: 0 or -errno. */
int qcow2_commit(struct qcow2 *q);
/* So much waits for a commit that there had better be one. */
bool qcow2_wants_commit(const struct qcow2 *q);

/* See image_check(): 0 or -errno. */
struct image_check;
int qcow2_check(struct qcow2 *q, struct image_check *c);
/* The table of snapshots, malloc()ed, NULL after an error; *@len: its bytes in the file. -EINVAL: it is not sound. */
struct image_snapshot;
int qcow2_snapshots(struct qcow2 *q, struct image_snapshot **out, u64 *len);
/* From now on the disk is as it was when that was taken. */
int qcow2_snapshot_use(struct qcow2 *q, const char *name, struct opt_err *err);
/* Prove a new allocation: nothing refers to it. */
int qcow2_prove(struct qcow2 *q, u64 first, u32 nr);

/* See struct disk_type. */
int qcow2_resize(struct disk *d, u64 size, struct opt_err *err);

extern const struct disk_type qcow2_type;
void qcow2_free(struct disk *d);

/* An image without anything in it, on an empty file. */
struct image_create;
int qcow2_make(int fd, const struct image_create *c, struct opt_err *err);

/* The image alone: neither what is behind it nor its data file. */
int qcow2_open_image(struct qcow2 **out, const struct disk_options *opts, struct opt_err *err);

#endif
