// SPDX-License-Identifier: GPL-2.0
/* A machine without vCPUs and the driver's half of virtio 1.2: see driver.h. */
#include <endian.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include <kvm/pci.h>
#include <kvm/transport.h>

#include "driver.h"
#include "tap.h"

#define DRIVER_RINGS	(1 * MIB)
#define DRIVER_RING	(256 * KIB)

static void machine_free_buses(void *arg)
{
	struct machine *m = arg;

	bus_free(&m->vm.pio);
	bus_free(&m->vm.mmio);
	bus_free(&m->vm.pcicfg);
}

static void machine_free_loop(void *arg)
{
	loop_free(arg);
}

static void machine_make(struct machine *m, enum mem_kind kind)
{
	struct vm *vm = &m->vm;

	memset(m, 0, sizeof(*m));
	m->cfg.ram.kind = kind;
	vm->cfg = &m->cfg;
	vm->arch = m->arch;
	vm->kvm_fd = vm->vm_fd = -1;
	undo_init(&vm->undo);
	undo_init(&vm->ram);
	INIT_LIST_HEAD(&vm->devices);
	INIT_LIST_HEAD(&vm->drives);
	life_init(vm);
	CHECK_EQ(loop_new(&vm->loop, &vm->lock), 0);
	CHECK_EQ(undo_add(&vm->undo, machine_free_loop, vm->loop), 0);
	if (kind == MEM_MEMFD)
		CHECK_EQ(mem_open(&vm->mem, &vm->ram, &m->cfg.ram, MACHINE_RAM + 16 * MIB), 0);
	CHECK_EQ(mem_add(&vm->mem, &vm->ram, 0, MACHINE_RAM), 0);
	CHECK_EQ(mem_add(&vm->mem, &vm->ram, MACHINE_HIGH, 16 * MIB), 0);
	CHECK_EQ(irqs_new(&vm->irqs, &vm->undo, vm, -1), 0);
	bus_init(&vm->pio, "I/O port", 0x10000);
	bus_init(&vm->mmio, "memory-mapped I/O", 0);
	bus_init(&vm->pcicfg, "PCI configuration space", MIB);
	vm->regs = &vm->pio;
	vm->virtio = &virtio_pci;
	CHECK_EQ(undo_add(&vm->undo, machine_free_buses, m), 0);
}

void machine_init(struct machine *m)
{
	machine_make(m, MEM_THP);
}

void machine_apart(struct machine *m)
{
	machine_make(m, MEM_MEMFD);
	m->cfg.files_apart = true;
	machine_bridge(m, 0);
}

void machine_pci(struct machine *m)
{
	machine_init(m);
	machine_bridge(m, 0);
}

void machine_bridge(struct machine *m, unsigned int nr_devices)
{
	static const struct pci_layout layout = {
		.ecam = 0xe0000000, .ecam_len = MIB,
		.mem32 = 0xc0000000, .mem32_len = 512 * MIB,
		.mem64 = 64 * GIB, .mem64_len = 64 * GIB,
		.ports = 0xcf8,
		.intx = { 16, 17, 18, 19 },
	};

	m->cfg.nr_devices = nr_devices;
	CHECK_EQ(pci_host_new(&m->vm, &layout), 0);
}

static void *machine_thread(void *arg)
{
	struct machine *m = arg;

	loop_run(m->vm.loop);
	return NULL;
}

struct machine_up {
	struct work work;
	sem_t sem;
};

static void machine_up(struct work *w)
{
	sem_post(&container_of(w, struct machine_up, work)->sem);
}

void machine_run(struct machine *m)
{
	struct machine_up up = { .work.fn = machine_up };

	m->running = true;
	sem_init(&up.sem, 0, 0);
	CHECK_EQ(pthread_create(&m->main, NULL, machine_thread, m), 0);
	/* A loop that nobody runs yet calls back on the caller's thread. */
	loop_post(m->vm.loop, &up.work);
	sem_wait(&up.sem);
	sem_destroy(&up.sem);
}

void machine_free(struct machine *m)
{
	if (m->running) {
		loop_stop(m->vm.loop);
		pthread_join(m->main, NULL);
	}
	vm_destroy(&m->vm);
}

struct virtio_dev *machine_add(struct machine *m, const char *type, const char *opts)
{
	struct device *dev = NULL;

	CHECK_EQ(device_add(&m->vm, type, opts, &dev), 0);
	return container_of(dev, struct virtio_dev, dev);
}

/* Rings */

static void ring_write16(const struct ring *r, gpa_t gpa, u16 val)
{
	/* One access, as a driver does it: the device reads it meanwhile. */
	guest_store16(mem_map(r->mem, gpa, sizeof(val)), htole16(val));
}

static u16 ring_read16(const struct ring *r, gpa_t gpa)
{
	return le16toh(guest_load16(mem_map(r->mem, gpa, 2)));
}

void ring_init(struct ring *r, const struct mem *mem, gpa_t gpa, u16 num)
{
	size_t len = 16 * (size_t)num + 6 + 2 * (size_t)num + 4 + 6 + 8 * (size_t)num;
	void *zero = calloc(1, len);

	*r = (struct ring) { .mem = mem, .num = num, .desc = gpa };
	r->avail = r->desc + 16 * (u64)num;
	r->used = ALIGN(r->avail + 6 + 2 * (u64)num, 4);
	CHECK_EQ(mem_write(mem, gpa, zero, len), 0);
	free(zero);
}

void ring_desc_at(const struct mem *mem, gpa_t table, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc d = {
		.addr = htole64(addr), .len = htole32(len),
		.flags = htole16(flags), .next = htole16(next),
	};

	CHECK_EQ(mem_write(mem, table + i * sizeof(d), &d, sizeof(d)), 0);
}

void ring_desc(struct ring *r, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	ring_desc_at(r->mem, r->desc, i, addr, len, flags, next);
}

void ring_offer(struct ring *r, u16 head)
{
	ring_write16(r, r->avail + 4 + 2 * (r->avail_idx % r->num), head);
	r->avail_idx++;
	guest_store16_release(mem_map(r->mem, r->avail + 2, 2), htole16(r->avail_idx));
}

u16 ring_add(struct ring *r, u64 out, u32 out_len, u64 in, u32 in_len)
{
	u16 head = r->next % r->num, second = (r->next + 1) % r->num;

	if (out_len && in_len) {
		ring_desc(r, head, out, out_len, VRING_DESC_F_NEXT, second);
		ring_desc(r, second, in, in_len, VRING_DESC_F_WRITE, 0);
		r->next += 2;
	} else if (in_len) {
		ring_desc(r, head, in, in_len, VRING_DESC_F_WRITE, 0);
		r->next++;
	} else {
		ring_desc(r, head, out, out_len, 0, 0);
		r->next++;
	}
	ring_offer(r, head);
	return head;
}

bool ring_take(struct ring *r, u32 *id, u32 *len)
{
	struct vring_used_elem e;

	if (le16toh(guest_load16_acquire(mem_map(r->mem, r->used + 2, 2))) == r->used_idx)
		return false;
	CHECK_EQ(mem_read(r->mem, r->used + 4 + 8 * (r->used_idx % r->num), &e, sizeof(e)), 0);
	r->used_idx++;
	if (id)
		*id = le32toh(e.id);
	if (len)
		*len = le32toh(e.len);
	return true;
}

void ring_set_used_event(struct ring *r, u16 idx)
{
	ring_write16(r, r->avail + 4 + 2 * r->num, idx);
}

void ring_set_avail_flags(struct ring *r, u16 flags)
{
	ring_write16(r, r->avail, flags);
}

u16 ring_avail_event(const struct ring *r)
{
	return ring_read16(r, r->used + 4 + 8 * r->num);
}

u16 ring_used_flags(const struct ring *r)
{
	return ring_read16(r, r->used);
}

/* Registers */

u32 driver_cfg_read(struct driver *d, u32 off, unsigned int len)
{
	u32 val;

	pthread_mutex_lock(&d->m->vm.lock);
	val = bus_read(&d->m->vm.pcicfg, (u32)d->devfn << 12 | off, len);
	pthread_mutex_unlock(&d->m->vm.lock);
	return val;
}

void driver_cfg_write(struct driver *d, u32 off, unsigned int len, u32 val)
{
	pthread_mutex_lock(&d->m->vm.lock);
	bus_write(&d->m->vm.pcicfg, (u32)d->devfn << 12 | off, len, val);
	pthread_mutex_unlock(&d->m->vm.lock);
}

u64 driver_read(struct driver *d, u64 addr, unsigned int len)
{
	u64 val;

	pthread_mutex_lock(&d->m->vm.lock);
	val = bus_read(&d->m->vm.mmio, addr, len);
	pthread_mutex_unlock(&d->m->vm.lock);
	return val;
}

void driver_write(struct driver *d, u64 addr, unsigned int len, u64 val)
{
	pthread_mutex_lock(&d->m->vm.lock);
	bus_write(&d->m->vm.mmio, addr, len, val);
	pthread_mutex_unlock(&d->m->vm.lock);
}

#define COMMON(field)	(d->common + offsetof(struct virtio_pci_common_cfg, field))

static void driver_bars(struct driver *d)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		u32 low = driver_cfg_read(d, PCI_BASE_ADDRESS_0 + 4 * i, 4);

		d->bar[i] = low & PCI_BASE_ADDRESS_MEM_MASK;
		if ((low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 && i < 5) {
			d->bar[i] |= (u64)driver_cfg_read(d, PCI_BASE_ADDRESS_0 + 4 * i + 4, 4) << 32;
			i++;
		}
	}
}

static void driver_cap(struct driver *d, u8 pos)
{
	u8 type = driver_cfg_read(d, pos + offsetof(struct virtio_pci_cap, cfg_type), 1);
	u8 bar = driver_cfg_read(d, pos + offsetof(struct virtio_pci_cap, bar), 1);
	u32 off = driver_cfg_read(d, pos + offsetof(struct virtio_pci_cap, offset), 4);
	u64 addr;

	if (bar > 5)
		return;
	addr = d->bar[bar] + off;
	switch (type) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		d->common = addr;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		d->notify = addr;
		d->notify_multiplier = driver_cfg_read(d, pos + sizeof(struct virtio_pci_cap), 4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		d->isr = addr;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		d->config = addr;
		break;
	}
}

void driver_probe(struct driver *d, struct machine *m, struct virtio_dev *dev)
{
	unsigned int devfn, n;
	u8 pos;

	memset(d, 0, sizeof(*d));
	d->m = m;
	d->dev = dev;
	d->rings = DRIVER_RINGS;
	/* The device with this index among those with this ID. */
	n = dev->dev.index;
	for (devfn = 0; devfn < 256; devfn++) {
		d->devfn = devfn;
		if (driver_cfg_read(d, PCI_VENDOR_ID, 4) == (0x1af4u | (0x1040u + dev->ops->id) << 16) &&
		    !n--)
			break;
	}
	CHECK(devfn < 256);
	driver_cfg_write(d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	driver_bars(d);
	pos = driver_cfg_read(d, PCI_CAPABILITY_LIST, 1);
	for (n = 0; pos && n < 48; n++) {
		u8 id = driver_cfg_read(d, pos, 1);

		if (id == PCI_CAP_ID_VNDR)
			driver_cap(d, pos);
		else if (id == PCI_CAP_ID_MSIX)
			driver_cfg_write(d, pos + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
		pos = driver_cfg_read(d, pos + 1, 1);
	}
	CHECK(d->common && d->notify && d->isr);
}

u8 driver_status(struct driver *d)
{
	return driver_read(d, COMMON(device_status), 1);
}

void driver_set_status(struct driver *d, u8 status)
{
	driver_write(d, COMMON(device_status), 1, status);
}

void driver_features(struct driver *d, u64 features)
{
	u64 offered;

	driver_set_status(d, 0);
	driver_set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	driver_set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	driver_write(d, COMMON(msix_config), 2, 0);
	driver_write(d, COMMON(device_feature_select), 4, 0);
	offered = driver_read(d, COMMON(device_feature), 4);
	driver_write(d, COMMON(device_feature_select), 4, 1);
	offered |= driver_read(d, COMMON(device_feature), 4) << 32;
	d->features = (features | 1ULL << VIRTIO_F_VERSION_1) & offered;
	driver_write(d, COMMON(guest_feature_select), 4, 0);
	driver_write(d, COMMON(guest_feature), 4, (u32)d->features);
	driver_write(d, COMMON(guest_feature_select), 4, 1);
	driver_write(d, COMMON(guest_feature), 4, d->features >> 32);
	driver_set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			  VIRTIO_CONFIG_S_FEATURES_OK);
	CHECK(driver_status(d) & VIRTIO_CONFIG_S_FEATURES_OK);
}

void driver_queue(struct driver *d, unsigned int q, u16 num)
{
	struct ring *r = &d->ring[q];

	ring_init(r, &d->m->vm.mem, d->rings + q * DRIVER_RING, num);
	driver_write(d, COMMON(queue_select), 2, q);
	driver_write(d, COMMON(queue_size), 2, num);
	driver_write(d, COMMON(queue_msix_vector), 2, q + 1);
	driver_write(d, COMMON(queue_desc_lo), 4, (u32)r->desc);
	driver_write(d, COMMON(queue_desc_hi), 4, r->desc >> 32);
	driver_write(d, COMMON(queue_avail_lo), 4, (u32)r->avail);
	driver_write(d, COMMON(queue_avail_hi), 4, r->avail >> 32);
	driver_write(d, COMMON(queue_used_lo), 4, (u32)r->used);
	driver_write(d, COMMON(queue_used_hi), 4, r->used >> 32);
	driver_write(d, COMMON(queue_enable), 2, 1);
}

void driver_ok(struct driver *d)
{
	driver_set_status(d, driver_status(d) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void driver_start(struct driver *d, u16 num)
{
	unsigned int q, n;

	driver_features(d, ~0ULL);
	n = driver_read(d, COMMON(num_queues), 2);
	CHECK(n <= ARRAY_SIZE(d->ring));
	for (q = 0; q < n; q++) {
		u16 max;

		driver_write(d, COMMON(queue_select), 2, q);
		max = driver_read(d, COMMON(queue_size), 2);
		driver_queue(d, q, min(num, max));
	}
	driver_ok(d);
}

void driver_kick(struct driver *d, unsigned int q)
{
	u16 off;

	driver_write(d, COMMON(queue_select), 2, q);
	off = driver_read(d, COMMON(queue_notify_off), 2);
	driver_write(d, d->notify + (u64)off * d->notify_multiplier, 2, q);
}

static bool driver_wait_irq(struct irq *irq, int ms)
{
	struct pollfd pfd = { .fd = irq ? irq_fd(irq) : -1, .events = POLLIN };
	u64 count;

	if (!irq || poll(&pfd, 1, ms) != 1)
		return false;
	return read(pfd.fd, &count, sizeof(count)) == sizeof(count);
}

bool driver_irq(struct driver *d, unsigned int q, int ms)
{
	return driver_wait_irq(__atomic_load_n(&d->dev->vq[q].irq, __ATOMIC_ACQUIRE), ms);
}

bool driver_wait(struct driver *d, unsigned int q, u32 *id, u32 *len)
{
	struct ring *r = &d->ring[q];

	if (d->features & 1ULL << VIRTIO_RING_F_EVENT_IDX)
		ring_set_used_event(r, r->used_idx);
	while (!ring_take(r, id, len))
		if (!driver_irq(d, q, -1))
			return ring_take(r, id, len);
	return true;
}

bool driver_wait_broken(struct driver *d)
{
	/* Vector 0 is the configuration's, vector 1 is queue 0's: neighbours in one table. */
	struct irq *config = d->dev->vq[0].irq - 1;

	while (!(driver_status(d) & VIRTIO_CONFIG_S_NEEDS_RESET))
		if (!driver_wait_irq(config, -1))
			return driver_status(d) & VIRTIO_CONFIG_S_NEEDS_RESET;
	return true;
}
