/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: RAM regions by guest-physical address. There is no address to
 * pointer without a length, and nothing here ever reaches a device register.
 * Regions do not change while vCPUs run, so reading them needs no lock.
 */
#ifndef KVM_MEMORY_H
#define KVM_MEMORY_H

#include <sys/types.h>

#include <kvm/types.h>
#include <kvm/undo.h>

#define MEM_REGIONS_MAX 16

enum mem_kind {
	MEM_THP,		/* the process's own memory, huge pages where there are any */
	MEM_HUGETLB,		/* the host's pool of huge pages */
	MEM_MEMFD,		/* a file without a name */
	MEM_FILE,		/* a file, or one without a name in a directory */
};

/* Where RAM comes from on the host, and what is done about it in advance. */
struct mem_config {
	enum mem_kind kind;
	const char *path;	/* of the file or directory */
	bool hugetlbfs;		/* MEM_FILE: it has to be one */
	u64 page;		/* MEM_HUGETLB: bytes of one, 0: the host's default */
	bool prealloc;		/* all of it exists before the guest starts */
	bool lock;		/* and is never swapped out */
	bool merge;		/* the host may merge pages that are alike (KSM) */
};

struct mem_region {
	gpa_t gpa;		/* page aligned */
	u64 len;		/* bytes, a multiple of the page size */
	void *hva;		/* for hw/memory.c and KVM's memory slots only */
};

struct mem {
	struct mem_region region[MEM_REGIONS_MAX];	/* sorted, disjoint */
	unsigned int nr;
	const struct mem_config *cfg;	/* NULL: MEM_THP and nothing else */
	u64 page;			/* bytes of the smallest that the backend has, a power of two */
	int fd;				/* of the backend, where it has one; regions follow one another in it */
	u64 used;			/* of the file */
};

/*
 * RAM is to come from what @cfg says, which outlives @mem, @size bytes in all:
 * before the first mem_add(). A file that exists has to be empty or as large, and
 * loses its content. 0, or -errno (never -ENOMEM) with the message printed.
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
/* What mem_open()'s configuration wants done in advance. 0, or -errno (never -ENOMEM) with the message printed. */
int mem_commit(const struct mem *mem);

/* Bytes of RAM in all regions. */
u64 mem_size(const struct mem *mem);

/* The range, if it lies whole in one region, else NULL. @len 0 gives NULL. */
void __guest *mem_map(const struct mem *mem, gpa_t gpa, u64 len);

/* Copy out of or into guest memory: 0, or -EFAULT and nothing copied. */
int mem_read(const struct mem *mem, gpa_t gpa, void *dst, size_t len);
int mem_write(const struct mem *mem, gpa_t gpa, const void *src, size_t len);

/* Read up to @len bytes of a file at @off straight into guest memory; 0, -EFAULT, -EIO (short), -errno. */
int mem_read_file(const struct mem *mem, gpa_t gpa, int fd, size_t len, off_t off);

/* Have KVM forget where the page at @gpa is: its next access faults there. No page: nothing. */
void mem_flush(const struct mem *mem, gpa_t gpa);

/* Plain copies from and to a mapped range, of bytes that may change meanwhile. */
void guest_read(void *dst, const void __guest *src, size_t len);
void guest_write(void __guest *dst, const void *src, size_t len);

/* Single little-endian values in memory shared with vCPUs: each is one access. */
u16 guest_load16(const void __guest *p);		/* relaxed */
u16 guest_load16_acquire(const void __guest *p);
void guest_store16(void __guest *p, u16 val);		/* relaxed */
void guest_store16_release(void __guest *p, u16 val);

#endif
