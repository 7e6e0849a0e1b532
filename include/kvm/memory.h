/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: RAM regions by guest-physical address. There is no address to
 * pointer without a length, and nothing here ever reaches a device register.
 * Regions do not change while vCPUs run, so reading them needs no lock.
 */
#ifndef KVM_MEMORY_H
#define KVM_MEMORY_H

#include <kvm/types.h>
#include <kvm/undo.h>

#define MEM_REGIONS_MAX 16

struct mem_region {
	gpa_t gpa;		/* page aligned */
	u64 len;		/* bytes, a multiple of the page size */
	void *hva;		/* for hw/memory.c and KVM's memory slots only */
};

struct mem {
	struct mem_region region[MEM_REGIONS_MAX];	/* sorted, disjoint */
	unsigned int nr;
};

/*
 * Add @len bytes of zeroed RAM at @gpa, given back through @undo. The host
 * address is congruent to @gpa modulo 2 MiB and marked for transparent huge
 * pages; nothing is reserved. 0, -ENOMEM, -EBUSY (overlap), -EINVAL.
 */
int mem_add(struct mem *mem, struct undo *undo, gpa_t gpa, u64 len);

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
