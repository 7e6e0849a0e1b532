/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: regions by guest-physical address. There is no address to pointer
 * without a length, and nothing here ever reaches a device register.
 *
 * The regions are in a table that never changes; a change publishes another table. So
 * any thread reads them without a lock. Pointers into a region are valid until it is
 * removed. That is only done while nobody has one: the vCPUs are held by HOLD_STATE, and
 * all virtio queues are held.
 */
#ifndef KVM_MEMORY_H
#define KVM_MEMORY_H

#include <sys/types.h>

#include <kvm/access.h>
#include <kvm/types.h>
#include <kvm/undo.h>

struct keep;

#define MEM_REGIONS_MAX 256		/* KVM has more slots: 32764 */

enum mem_kind {
	MEM_THP,		/* the process's own memory, huge pages where there are any */
	MEM_HUGETLB,		/* the host's pool of huge pages */
	MEM_MEMFD,		/* a file without a name */
	MEM_FILE,		/* a file, or one without a name in a directory */
	MEM_SNAPSHOT,		/* a file that is not changed: the machine has private copies of pages it writes */
};

/* The host memory that backs RAM, and how it is prepared. */
struct mem_config {
	enum mem_kind kind;
	struct keep *keep;	/* keeps its file from one start to the next, or NULL */
	const char *path;	/* of the file or directory */
	bool hugetlbfs;		/* MEM_FILE: it has to be one */
	u64 page;		/* MEM_HUGETLB: bytes of one, 0: the host's default */
	bool prealloc;		/* all of it exists before the guest starts */
	bool lock;		/* and is never swapped out */
	bool merge;		/* the host may merge pages that are alike (KSM) */
};

enum mem_use {
	MEM_RAM,		/* in the memory map of the boot */
	MEM_PLUGGABLE,		/* RAM that a device and its driver plug while the guest runs */
	MEM_FRAME,		/* a framebuffer: the guest writes, lkvm reads */
	MEM_ROM,		/* the guest and its devices only read it */
	MEM_WINDOW,		/* a file's pages: devices may not use it */
};

struct mem_region {
	gpa_t gpa;		/* page aligned */
	u64 len;		/* bytes, a multiple of the page size */
	enum mem_use use;
	bool private;		/* changes do not get into the file */
	int fd;			/* of the file that it is in, -1: none. The caller's */
	u64 off;		/* where in it */
	/* Filled in by mem_add() and mem_insert() */
	u32 slot;		/* KVM's number of it */
	void *hva;		/* for hw/memory*.c and KVM's memory slots only */
	struct mem_mapping *mapping;
};

struct mem_table {
	struct mem_table *old;		/* replaced tables, which a thread may still read */
	unsigned int nr;
	struct mem_region region[];	/* sorted, disjoint */
};

struct mem {
	struct mem_table *_Atomic table;	/* see mem_table() */
	const struct mem_config *cfg;	/* NULL: MEM_THP and nothing else */
	u64 page;			/* bytes of the backend's smallest page, a power of two */
	int fd;				/* the backend's file, if it has one; regions follow one another in it */
	u64 used;			/* bytes of the file in use */
};

/* The regions, now. Any thread; valid until mem_reclaim(). */
const struct mem_table *mem_table(const struct mem *mem);

/*
 * Choose the backend of RAM, @size bytes in all, before the first mem_add(). @cfg
 * outlives @mem. A file that exists has to be empty or as large, and loses its content; a
 * snapshot's has to be as large and keeps it. 0, or -errno (never -ENOMEM) with the
 * message printed.
 */
int mem_open(struct mem *mem, struct undo *undo, const struct mem_config *cfg, u64 size);

/*
 * Add @len bytes of zeroed RAM at @gpa, given back through @undo. The host
 * address is congruent to @gpa modulo 2 MiB and marked for transparent huge
 * pages; nothing is reserved. 0, -ENOMEM, -EBUSY (overlap), -EINVAL.
 */
int mem_add(struct mem *mem, struct undo *undo, gpa_t gpa, u64 len);

/*
 * Take the RAM in [@gpa, @gpa + @len) from the host's NUMA node @node only.
 * After mem_add(), before mem_commit(). 0, or -errno with the message printed.
 */
int mem_bind(const struct mem *mem, gpa_t gpa, u64 len, unsigned int node);
/* Prepare RAM: prealloc, lock and merge of the configuration. 0, or -errno (never -ENOMEM) with the message printed. */
int mem_commit(const struct mem *mem);

/*
 * Publish a table with @want, or one without the region that begins at @gpa, which is
 * unmapped. The caller sets gpa to off in @want, and the rest is filled in; a region
 * without a file is zeroed. Nobody may have a pointer into a removed region, and KVM may
 * have no slot of it: use vm_memory_insert() and vm_memory_remove(). 0, -ENOMEM, -EBUSY
 * (overlap), -EINVAL, -ENOSPC (too many), -ENOENT; -errno of the file.
 */
int mem_insert(struct mem *mem, struct undo *undo, struct mem_region *want);
int mem_remove(struct mem *mem, struct undo *undo, gpa_t gpa);
/* Free the tables that were replaced. No thread reads one any more. */
void mem_reclaim(struct mem *mem);

/* Bytes of RAM in all regions: of MEM_RAM. */
u64 mem_size(const struct mem *mem);
/* The region that holds @gpa, or NULL; as long as a table. */
const struct mem_region *mem_region(const struct mem *mem, gpa_t gpa);
/* Does any region have any of the @len bytes at @gpa, which end before 2^64? */
bool mem_overlaps(const struct mem *mem, gpa_t gpa, u64 len);
/*
 * Call @fn for each region that mem_map() is for, by rising address, until it returns
 * a value other than 0, and return that. For those who hand memory on (vhost).
 */
int mem_each(const struct mem *mem, int (*fn)(void *obj, const struct mem_region *r), void *obj);

/*
 * The guest does not need the content any more: give all whole pages in the range back
 * to the host. They then read as zeroes, or as in their snapshot. 0, -EINVAL: not in a
 * region of RAM; -errno: the host refuses.
 */
int mem_discard(const struct mem *mem, gpa_t gpa, u64 len);
/* The same for the guest memory that @i stands for, of which nothing has been used: the bytes given back. */
struct iov_iter;
u64 mem_discard_iter(const struct mem *mem, const struct iov_iter *i);

/* The range, if it lies whole in one region that devices may use, else NULL. @len 0 gives NULL. */
void __guest *mem_map(const struct mem *mem, gpa_t gpa, u64 len);

/* Copy out of (a ROM, too) or into guest memory: 0, or -EFAULT and nothing copied. */
int mem_read(const struct mem *mem, gpa_t gpa, void *dst, size_t len);
int mem_write(const struct mem *mem, gpa_t gpa, const void *src, size_t len);
/* The same for the content of a ROM, by its owner. */
int mem_write_rom(const struct mem *mem, gpa_t gpa, const void *src, size_t len);

/* Read up to @len bytes of a file at @off straight into guest memory; 0, -EFAULT, -EIO (short), -errno. */
int mem_read_file(const struct mem *mem, gpa_t gpa, int fd, size_t len, off_t off);

/* Write @len bytes of guest memory to a file at @off; 0, -EFAULT, -errno. */
int mem_write_file(const struct mem *mem, gpa_t gpa, int fd, size_t len, off_t off);
/* Are these bytes zeroes? False also if they do not lie whole in one region. */
bool mem_is_zero(const struct mem *mem, gpa_t gpa, size_t len);
/*
 * How many bytes from @gpa to the end of its region the host has never had to allocate, so
 * that they are zeroes; reading them might allocate something. 0: none, or it cannot tell.
 * @pagemap is /proc/self/pagemap, or -1.
 */
u64 mem_untouched(const struct mem *mem, gpa_t gpa, int pagemap);

/*
 * Write the RAM to @fd, an empty file: one region behind the other, as MEM_SNAPSHOT reads
 * them. Pages of zeroes become holes. @pagemap is /proc/self/pagemap, or -1: then pages
 * that nobody has used are read, too. Nothing changes the RAM meanwhile. 0, -ENOTSUP: there
 * is memory that is no RAM, or -errno.
 */
int mem_save(const struct mem *mem, int pagemap, int fd);

/*
 * What is written from now on does not get into the files that regions are in: the file is
 * a snapshot's, and the machine only ends. 0 or -errno.
 */
int mem_detach(const struct mem *mem);

/* Drop KVM's mapping of the page at @gpa: its next access faults. No page: nothing happens. */
void mem_flush(const struct mem *mem, gpa_t gpa);

#endif
