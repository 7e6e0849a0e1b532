// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio over PCI (virtio 1.2, 4.1), non-transitional devices only: registers
 * come in here and leave as calls into the core. Machine lock, but for
 * interrupts, which any thread raises.
 *
 * BAR 0 holds the four structures, each in a page of its own; BAR 1 is
 * MSI-X's. A doorbell is always an eventfd. KVM writes it when the guest rings; if KVM
 * has no room for that, doorbell_write() does.
 *
 * A queue's thread raises vq->irq. That points to one of the messages, which live as
 * long as the device, or to none. Without MSI-X it points to vp->pin, which is a
 * message that is never unmasked: the main loop watches its eventfd, and sets the ISR
 * status and the wire under the lock. INTx is slow in any case, so it may be simple.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/kvm.h>
#include <kvm/pci.h>
#include <kvm/transport.h>
#include <kvm/virtio.h>
#include <kvm/vm.h>

#define VIRTIO_PCI_VENDOR	0x1af4
#define VIRTIO_PCI_DEVICE	0x1040		/* plus the device ID */
#define VIRTIO_PCI_CLASS	0xff0000	/* fits none of the classes */

#define VIRTIO_PCI_BAR		0
#define VIRTIO_PCI_MSIX_BAR	1
#define BAR_PAGE		0x1000
#define BAR_COMMON		0x0000
#define BAR_ISR			0x1000
#define BAR_CONFIG		0x2000
#define BAR_NOTIFY		0x3000
#define BAR_SIZE		0x4000

#define COMMON_LEN		56	/* up to queue_device: no notification data, no queue reset */
#define DOORBELL_STEP		4	/* bytes from one to the next */
#define DOORBELLS_MAX		(BAR_PAGE / DOORBELL_STEP)

#define ISR_QUEUE		(1U << 0)
#define ISR_CONFIG		(1U << 1)

/* Added to the counter of vp->pin's eventfd: irq_pulse() adds 1 for a queue. */
#define PIN_CONFIG	(1ULL << 32)

struct virtio_pci {
	struct virtio_dev *vdev;
	struct pci_dev pci;
	u32 device_feature_select, driver_feature_select;
	u16 queue_select;
	u16 config_vector;
	u8 window;			/* offset of the PCI configuration access capability */
	_Atomic u8 isr;
	struct irq *_Atomic config_irq;
	struct irq pin;
	struct watch pin_watch;
};

/* Interrupts (4.1.5.3, 4.1.5.4) */

static struct irq *virtio_pci_irq(struct virtio_pci *vp, u16 vector)
{
	if (!pci_msix_enabled(&vp->pci))
		return &vp->pin;
	return vector < vp->pci.nr_msix ? &vp->pci.msix[vector] : NULL;
}

/* After a change of a vector, or of whether MSI-X is on. */
static void virtio_pci_route(struct virtio_pci *vp)
{
	unsigned int i;

	for (i = 0; i < vp->vdev->nr_vqs; i++)
		virtio_queue_set_irq(vp->vdev, i, virtio_pci_irq(vp, vp->vdev->vq[i].vector));
	atomic_store(&vp->config_irq, virtio_pci_irq(vp, vp->config_vector));
}

/* Any thread. */
static void virtio_pci_config_irq(struct virtio_dev *vdev)
{
	struct virtio_pci *vp = vdev->transport;
	struct irq *irq = atomic_load(&vp->config_irq);
	u64 config = PIN_CONFIG;

	/* 4.1.4.5.1: set before the notification, with MSI-X as well. */
	atomic_fetch_or(&vp->isr, ISR_CONFIG);
	if (irq && irq != &vp->pin)
		irq_pulse(irq);
	else if (irq && write(irq_fd(irq), &config, sizeof(config)) < 0)
		return;		/* full: it is due already */
}

static void virtio_pci_pin(struct watch *w, u32 events)
{
	struct virtio_pci *vp = container_of(w, struct virtio_pci, pin_watch);
	u64 count;

	if (read(w->fd, &count, sizeof(count)) < 0 || pci_msix_enabled(&vp->pci))
		return;
	if ((u32)count)
		atomic_fetch_or(&vp->isr, ISR_QUEUE);
	/* The driver may have read the bit of a configuration change by now. */
	if (atomic_load(&vp->isr))
		pci_intx(&vp->pci, true);
}

static u64 isr_read(struct virtio_pci *vp, u32 off, unsigned int len)
{
	u8 isr;

	if (off)
		return 0;
	isr = atomic_exchange(&vp->isr, 0);
	pci_intx(&vp->pci, false);
	return isr;
}

static void isr_write(struct virtio_pci *vp, u32 off, unsigned int len, u64 val)
{
}

/* Common configuration (4.1.4.3) */

/* The width of the register at an offset: no other access means anything. */
static const u8 common_width[COMMON_LEN] = {
	[VIRTIO_PCI_COMMON_DFSELECT] = 4,
	[VIRTIO_PCI_COMMON_DF] = 4,
	[VIRTIO_PCI_COMMON_GFSELECT] = 4,
	[VIRTIO_PCI_COMMON_GF] = 4,
	[VIRTIO_PCI_COMMON_MSIX] = 2,
	[VIRTIO_PCI_COMMON_NUMQ] = 2,
	[VIRTIO_PCI_COMMON_STATUS] = 1,
	[VIRTIO_PCI_COMMON_CFGGENERATION] = 1,
	[VIRTIO_PCI_COMMON_Q_SELECT] = 2,
	[VIRTIO_PCI_COMMON_Q_SIZE] = 2,
	[VIRTIO_PCI_COMMON_Q_MSIX] = 2,
	[VIRTIO_PCI_COMMON_Q_ENABLE] = 2,
	[VIRTIO_PCI_COMMON_Q_NOFF] = 2,
	[VIRTIO_PCI_COMMON_Q_DESCLO] = 4,
	[VIRTIO_PCI_COMMON_Q_DESCHI] = 4,
	[VIRTIO_PCI_COMMON_Q_AVAILLO] = 4,
	[VIRTIO_PCI_COMMON_Q_AVAILHI] = 4,
	[VIRTIO_PCI_COMMON_Q_USEDLO] = 4,
	[VIRTIO_PCI_COMMON_Q_USEDHI] = 4,
};

static bool common_valid(u32 off, unsigned int len)
{
	return off < ARRAY_SIZE(common_width) && common_width[off] == len;
}

/* The selected queue, or NULL: its registers then read 0 and take nothing. */
static struct vq *virtio_pci_selected(struct virtio_pci *vp)
{
	return vp->queue_select < vp->vdev->nr_vqs ? &vp->vdev->vq[vp->queue_select] : NULL;
}

static u64 common_read_queue(struct vq *vq, u32 off)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return vq->size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return vq->vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return vq->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return vq->index;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return (u32)vq->desc_gpa;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return vq->desc_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return (u32)vq->avail_gpa;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return vq->avail_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return (u32)vq->used_gpa;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return vq->used_gpa >> 32;
	}
	return 0;
}

static u64 common_read(struct virtio_pci *vp, u32 off, unsigned int len)
{
	struct virtio_dev *vdev = vp->vdev;
	struct vq *vq = virtio_pci_selected(vp);

	if (!common_valid(off, len))
		return 0;
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return vp->device_feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return virtio_get_features(vdev, vp->device_feature_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return vp->driver_feature_select;
	case VIRTIO_PCI_COMMON_GF:
		return virtio_get_driver_features(vdev, vp->driver_feature_select);
	case VIRTIO_PCI_COMMON_MSIX:
		return vp->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return vdev->nr_vqs;
	case VIRTIO_PCI_COMMON_STATUS:
		return virtio_get_status(vdev);
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return virtio_config_generation(vdev);
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return vp->queue_select;
	}
	return vq ? common_read_queue(vq, off) : 0;
}

/* 4.1.5.1.2.1: a vector that does not exist reads back as none. */
static u16 virtio_pci_vector(const struct virtio_pci *vp, u16 vector)
{
	return vector < vp->pci.nr_msix ? vector : VIRTIO_MSI_NO_VECTOR;
}

static void virtio_pci_reset(struct virtio_pci *vp)
{
	unsigned int i;

	vp->device_feature_select = vp->driver_feature_select = 0;
	vp->queue_select = 0;
	vp->config_vector = VIRTIO_MSI_NO_VECTOR;
	for (i = 0; i < vp->vdev->nr_vqs; i++)
		vp->vdev->vq[i].vector = VIRTIO_MSI_NO_VECTOR;
	virtio_pci_route(vp);
	/* Drop interrupts that the queues raised before they stopped. */
	irq_msg_clear(&vp->pin);
	atomic_store(&vp->isr, 0);
	pci_intx(&vp->pci, false);
}

static void common_write_queue(struct virtio_pci *vp, struct vq *vq, u32 off, u32 val)
{
	struct virtio_dev *vdev = vp->vdev;

	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		virtio_queue_set_size(vdev, vq->index, val);
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		vq->vector = virtio_pci_vector(vp, val);
		virtio_pci_route(vp);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		/* 4.1.4.3.2: the driver does not write 0. */
		if (val == 1)
			virtio_queue_enable(vdev, vq->index);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		virtio_queue_set_addr(vdev, vq->index, VQ_DESC,
				      off == VIRTIO_PCI_COMMON_Q_DESCHI, val);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		virtio_queue_set_addr(vdev, vq->index, VQ_AVAIL,
				      off == VIRTIO_PCI_COMMON_Q_AVAILHI, val);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		virtio_queue_set_addr(vdev, vq->index, VQ_USED,
				      off == VIRTIO_PCI_COMMON_Q_USEDHI, val);
		break;
	}
}

static void common_write(struct virtio_pci *vp, u32 off, unsigned int len, u64 val)
{
	struct virtio_dev *vdev = vp->vdev;
	struct vq *vq = virtio_pci_selected(vp);

	if (!common_valid(off, len))
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->device_feature_select = val;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->driver_feature_select = val;
		break;
	case VIRTIO_PCI_COMMON_GF:
		virtio_set_driver_features(vdev, vp->driver_feature_select, val);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		vp->config_vector = virtio_pci_vector(vp, val);
		virtio_pci_route(vp);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_set_status(vdev, val);
		if (!val)
			virtio_pci_reset(vp);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vp->queue_select = val;
		break;
	default:
		if (vq)
			common_write_queue(vp, vq, off, val);
	}
}

/* Device configuration (4.1.4.6) and doorbells (4.1.4.4) */

static u64 config_read(struct virtio_pci *vp, u32 off, unsigned int len)
{
	return virtio_config_read(vp->vdev, off, len);
}

static void config_write(struct virtio_pci *vp, u32 off, unsigned int len, u64 val)
{
	virtio_config_write(vp->vdev, off, len, val);
}

static u64 doorbell_read(struct virtio_pci *vp, u32 off, unsigned int len)
{
	return 0;
}

static void doorbell_write(struct virtio_pci *vp, u32 off, unsigned int len, u64 val)
{
	u32 q = off / DOORBELL_STEP;

	if (!(off % DOORBELL_STEP) && q < vp->vdev->nr_vqs)
		vq_kick(&vp->vdev->vq[q]);
}

/* BAR 0, by page; what is beyond a structure's end reads 0 and takes nothing. */

static const struct {
	u64 (*read)(struct virtio_pci *vp, u32 off, unsigned int len);
	void (*write)(struct virtio_pci *vp, u32 off, unsigned int len, u64 val);
} virtio_pci_page[] = {
	[BAR_COMMON / BAR_PAGE] = { common_read, common_write },
	[BAR_ISR / BAR_PAGE] = { isr_read, isr_write },
	[BAR_CONFIG / BAR_PAGE] = { config_read, config_write },
	[BAR_NOTIFY / BAR_PAGE] = { doorbell_read, doorbell_write },
};
_Static_assert(ARRAY_SIZE(virtio_pci_page) == BAR_SIZE / BAR_PAGE,
	       "the BAR has that many pages");

static u64 virtio_pci_read(void *obj, u64 off, unsigned int len)
{
	return virtio_pci_page[off / BAR_PAGE].read(obj, off % BAR_PAGE, len);
}

static void virtio_pci_write(void *obj, u64 off, unsigned int len, u64 val)
{
	virtio_pci_page[off / BAR_PAGE].write(obj, off % BAR_PAGE, len, val);
}

static const struct region_ops virtio_pci_ops = {
	.read = virtio_pci_read, .write = virtio_pci_write, .max = 4,
};

/*
 * Registers that do nothing when they are written, but for what a later access
 * makes of it: KVM may collect what the driver writes there. Setting a queue up
 * is then an exit for each register that is read. The status is no such one.
 */
static const struct {
	u8 off, end;
} common_quiet[] = {
	{ VIRTIO_PCI_COMMON_DFSELECT, VIRTIO_PCI_COMMON_STATUS },
	{ VIRTIO_PCI_COMMON_Q_SELECT, COMMON_LEN },
};

static void virtio_pci_moved(struct pci_dev *pci, unsigned int bar, bool mapped)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);
	u64 base = pci->bar[bar].region.base;
	struct vm *vm = vp->vdev->dev.vm;
	unsigned int i;

	/* Should KVM have no room, doorbell_write() rings. */
	for (i = 0; i < vp->vdev->nr_vqs; i++)
		vm_ioeventfd(vm, false, base + BAR_NOTIFY + i * DOORBELL_STEP, 0,
			     vp->vdev->vq[i].kick_fd, mapped);
	for (i = 0; i < ARRAY_SIZE(common_quiet); i++)
		vm_coalesce(vm, false, base + BAR_COMMON + common_quiet[i].off,
			    common_quiet[i].end - common_quiet[i].off, mapped);
}

/*
 * The PCI configuration access capability (4.1.4.9): BAR 0 for software that cannot
 * access it, mostly firmware. The driver writes the offset into the capability, and its
 * access to pci_cfg_data is the access to the BAR.
 */

static bool window_hit(const struct virtio_pci *vp, u32 off, unsigned int len)
{
	u32 data = vp->window + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	return off < data + 4 && data < off + len;
}

static bool window_decode(const struct virtio_pci *vp, u32 *off, u32 *len)
{
	const u8 *cap = vp->pci.cfg + vp->window;

	*off = pci_get(cap + VIRTIO_PCI_CAP_OFFSET, 4);
	*len = pci_get(cap + VIRTIO_PCI_CAP_LENGTH, 4);
	return cap[VIRTIO_PCI_CAP_BAR] == VIRTIO_PCI_BAR &&
		(*len == 1 || *len == 2 || *len == 4) &&
		*off % *len == 0 && *off < BAR_SIZE;
}

static void virtio_pci_cfg_reading(struct pci_dev *pci, u32 off, unsigned int len)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);
	u8 *data = pci->cfg + vp->window + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	if (window_hit(vp, off, len) && window_decode(vp, &off, &len))
		pci_put(data, len, virtio_pci_read(vp, off, len));
}

static void virtio_pci_cfg_written(struct pci_dev *pci, u32 off, unsigned int len)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);
	const u8 *data = pci->cfg + vp->window + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	/* MSI-X may have been switched. */
	virtio_pci_route(vp);
	if (window_hit(vp, off, len) && window_decode(vp, &off, &len))
		virtio_pci_write(vp, off, len, pci_get(data, len));
}

/* State: what its registers hold that is not the core's */

/* Interrupts that queues have raised and the main loop has not served. */
static void virtio_pci_saving(struct pci_dev *pci)
{
	virtio_pci_pin(&container_of(pci, struct virtio_pci, pci)->pin_watch, EPOLLIN);
}

static int virtio_pci_state(void *obj, struct state *s)
{
	struct virtio_pci *vp = obj;
	struct virtio_dev *vdev = vp->vdev;
	u8 isr = atomic_load(&vp->isr);
	unsigned int i;
	char name[32];

	state_value(s, "device_feature_select", &vp->device_feature_select, 4);
	state_value(s, "driver_feature_select", &vp->driver_feature_select, 4);
	state_value(s, "queue_select", &vp->queue_select, 2);
	state_value(s, "config_vector", &vp->config_vector, 2);
	state_value(s, "isr", &isr, 1);
	for (i = 0; i < vdev->nr_vqs; i++) {
		snprintf(name, sizeof(name), "vector%u", i);
		state_value(s, name, &vdev->vq[i].vector, 2);
		vdev->vq[i].vector = virtio_pci_vector(vp, vdev->vq[i].vector);
	}
	vp->config_vector = virtio_pci_vector(vp, vp->config_vector);
	if (state_status(s) || !state_reads(s))
		return state_status(s);
	atomic_store(&vp->isr, isr & (ISR_QUEUE | ISR_CONFIG));
	virtio_pci_route(vp);
	return 0;
}

/* Creation */

static int virtio_pci_add_cap(struct virtio_pci *vp, u8 type, u32 off, u32 len)
{
	struct virtio_pci_notify_cap cap = {
		.cap = {
			.cap_len = type == VIRTIO_PCI_CAP_NOTIFY_CFG ? sizeof(cap) : sizeof(cap.cap),
			.cfg_type = type,
			.bar = VIRTIO_PCI_BAR,
		},
	};

	pci_put((u8 *)&cap.cap.offset, 4, off);
	pci_put((u8 *)&cap.cap.length, 4, len);
	pci_put((u8 *)&cap.notify_off_multiplier, 4, DOORBELL_STEP);
	return pci_add_cap(&vp->pci, PCI_CAP_ID_VNDR, &cap, cap.cap.cap_len);
}

static int virtio_pci_add_window(struct virtio_pci *vp)
{
	static const struct virtio_pci_cfg_cap cap = {
		.cap = { .cap_len = sizeof(cap), .cfg_type = VIRTIO_PCI_CAP_PCI_CFG },
	};
	int off = pci_add_cap(&vp->pci, PCI_CAP_ID_VNDR, &cap, sizeof(cap));

	if (off < 0)
		return off;
	vp->window = off;
	vp->pci.wmask[off + VIRTIO_PCI_CAP_BAR] = 0xff;
	pci_put(vp->pci.wmask + off + VIRTIO_PCI_CAP_OFFSET, 4, ~0U);
	pci_put(vp->pci.wmask + off + VIRTIO_PCI_CAP_LENGTH, 4, ~0U);
	pci_put(vp->pci.wmask + off + sizeof(cap.cap), 4, ~0U);
	return 0;
}

/* 4.1.4: which capabilities there must be. */
static int virtio_pci_add_caps(struct virtio_pci *vp)
{
	const struct virtio_dev *vdev = vp->vdev;
	int ret;

	ret = virtio_pci_add_cap(vp, VIRTIO_PCI_CAP_COMMON_CFG, BAR_COMMON,
				 COMMON_LEN);
	if (ret >= 0)
		ret = virtio_pci_add_cap(vp, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_NOTIFY,
					 vdev->nr_vqs * DOORBELL_STEP);
	if (ret >= 0)
		ret = virtio_pci_add_cap(vp, VIRTIO_PCI_CAP_ISR_CFG, BAR_ISR, 1);
	if (ret >= 0 && vdev->ops->config_size)
		ret = virtio_pci_add_cap(vp, VIRTIO_PCI_CAP_DEVICE_CFG, BAR_CONFIG,
					 vdev->ops->config_size);
	return ret < 0 ? ret : virtio_pci_add_window(vp);
}

static void virtio_pci_unwatch(void *arg)
{
	struct virtio_pci *vp = arg;

	loop_del(vp->vdev->dev.vm->loop, &vp->pin_watch);
}

static int virtio_pci_add_pin(struct virtio_pci *vp)
{
	struct device *dev = &vp->vdev->dev;
	int ret;

	ret = dev_irq_msg(dev, &vp->pin, vp->pci.devfn);
	if (ret)
		return ret;
	vp->pin_watch.fd = irq_fd(&vp->pin);
	vp->pin_watch.fn = virtio_pci_pin;
	ret = loop_add(dev->vm->loop, &vp->pin_watch, EPOLLIN);
	if (ret)
		return dev_err(dev, ret, "interrupt eventfd");
	ret = dev_defer(dev, virtio_pci_unwatch, vp);
	return ret ? ret : pci_add_intx(&vp->pci);
}

static int virtio_pci_attach(struct virtio_dev *vdev)
{
	const struct virtio_ops *ops = vdev->ops;
	struct pci_ids ids = {
		.vendor = VIRTIO_PCI_VENDOR, .device = VIRTIO_PCI_DEVICE + ops->id,
		.subvendor = VIRTIO_PCI_VENDOR, .subdevice = VIRTIO_PCI_DEVICE + ops->id,
		.class = ops->pci_class ? ops->pci_class : VIRTIO_PCI_CLASS,
		.revision = 1,
	};
	struct virtio_pci *vp;
	int ret;

	if (vdev->nr_vqs > DOORBELLS_MAX || ops->config_size > BAR_PAGE)
		return dev_err(&vdev->dev, -EINVAL, "too many queues or too large a configuration");
	vp = dev_alloc(&vdev->dev, sizeof(*vp));
	if (!vp)
		return -ENOMEM;
	vp->vdev = vdev;
	vdev->transport = vp;
	vdev->config_irq = virtio_pci_config_irq;

	ret = pci_add(&vp->pci, &vdev->dev, &ids);
	if (!ret)
		ret = pci_add_bar(&vp->pci, VIRTIO_PCI_BAR, BAR_SIZE, false, false,
				  &virtio_pci_ops, vp, vdev->dev.name);
	/* A vector for each queue, and one for the configuration. */
	if (!ret)
		ret = pci_add_msix(&vp->pci, VIRTIO_PCI_MSIX_BAR,
				   min(vdev->nr_vqs + 1, (unsigned int)PCI_MSIX_MAX));
	if (!ret)
		ret = virtio_pci_add_pin(vp);
	if (!ret)
		ret = virtio_pci_add_caps(vp);
	if (ret)
		return ret;
	ret = dev_state(&vdev->dev, "virtio-pci", virtio_pci_state, vp);
	if (ret)
		return ret;
	virtio_pci_reset(vp);
	vp->pci.bar[VIRTIO_PCI_BAR].moved = virtio_pci_moved;
	vp->pci.cfg_reading = virtio_pci_cfg_reading;
	vp->pci.cfg_written = virtio_pci_cfg_written;
	vp->pci.saving = virtio_pci_saving;
	return pci_enable(&vp->pci);
}

const struct virtio_transport virtio_pci = { .name = "pci", .attach = virtio_pci_attach };
