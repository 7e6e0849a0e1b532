/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the virtio core and a transport: a transport decodes registers into
 * these calls and never includes a device's header. All under the machine lock.
 */
#ifndef KVM_TRANSPORT_H
#define KVM_TRANSPORT_H

#include <kvm/types.h>

struct irq;
struct virtio_dev;

/* virtio 1.2, 2.1: a write of the status register; 0 resets. */
void virtio_set_status(struct virtio_dev *dev, u8 status);
u8 virtio_get_status(struct virtio_dev *dev);

/* 32 bits of features: @sel 0 or 1, others read 0 and are ignored. */
u32 virtio_get_features(const struct virtio_dev *dev, u32 sel);
u32 virtio_get_driver_features(const struct virtio_dev *dev, u32 sel);
void virtio_set_driver_features(struct virtio_dev *dev, u32 sel, u32 val);

/* Device configuration with bounds: beyond its end reads 0, writes are ignored. */
u64 virtio_config_read(struct virtio_dev *dev, u32 off, unsigned int len);
void virtio_config_write(struct virtio_dev *dev, u32 off, unsigned int len, u64 val);
u8 virtio_config_generation(struct virtio_dev *dev);

/* Queue registers. @q must be < nr_vqs: the transport checks. Writes after enabling are ignored. */
void virtio_queue_set_size(struct virtio_dev *dev, unsigned int q, u16 size);
enum virtio_queue_area { VQ_DESC, VQ_AVAIL, VQ_USED };
void virtio_queue_set_addr(struct virtio_dev *dev, unsigned int q, enum virtio_queue_area area,
			   bool high, u32 val);
/* Interrupts of @q are raised by @irq from now on; NULL: by nothing. */
void virtio_queue_set_irq(struct virtio_dev *dev, unsigned int q, struct irq *irq);
void virtio_queue_enable(struct virtio_dev *dev, unsigned int q);

/* The transport of the board's virtio devices: vm->virtio. */
struct virtio_transport {
	const char *name;
	int (*attach)(struct virtio_dev *dev);	/* 0 or -errno with the message printed */
};
extern const struct virtio_transport virtio_pci;	/* virtio/pci.c */

#endif
