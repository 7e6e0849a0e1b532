/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The initramfs that lkvm makes in memory to run a command: its PID 1, the
 * configuration of that, and the modules that it needs for the host's files. pid1.h
 * is the protocol between the two sides.
 */
#ifndef KVM_INITRAMFS_H
#define KVM_INITRAMFS_H

#include <kvm/types.h>

struct guest_conf;
struct kernel;

/* Features that the guest needs, besides virtio-pci and virtio-console. */
#define INITRAMFS_9P		(1U << 0)
#define INITRAMFS_VIRTIOFS	(1U << 1)
#define INITRAMFS_OVERLAY	(1U << 2)
#define INITRAMFS_RNG		(1U << 3)	/* wanted, but nothing fails without */
#define INITRAMFS_BLK		(1U << 4)
#define INITRAMFS_SCSI		(1U << 15)
#define INITRAMFS_NET		(1U << 5)	/* wanted */
#define INITRAMFS_BALLOON	(1U << 6)	/* wanted */
#define INITRAMFS_VSOCK		(1U << 7)

/*
 * Make the archive (cpio "newc"; uncompressed, as it is copied once and read
 * once). The module= records are added to @conf, which is used up by it.
 * Returns 0 with a malloc()ed *data of *len bytes; or -errno, and the reason
 * has been printed: -ENOENT if the kernel is known to lack something.
 */
int initramfs_build(const struct kernel *k, unsigned int features, struct guest_conf *conf,
		    void **data, size_t *len);

#endif
