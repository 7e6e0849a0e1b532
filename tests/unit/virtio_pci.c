// SPDX-License-Identifier: GPL-2.0
/* The PCI transport of virtio 1.2, 4.1, with a device of three queues that echoes. */
#include <poll.h>
#include <sys/resource.h>

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include <linux/kernel.h>
#include <kvm/pci.h>

#include "driver.h"
#include "tap.h"

#define QUEUES	3
#define OUT	(32 * MIB)
#define IN	(33 * MIB)

struct echo {
	struct virtio_dev vdev;
	u8 config[10];
	u32 written_off, written_len;
};

static int echo_request(struct virtio_dev *dev, struct vq *vq, struct vq_req *req)
{
	u8 buf[64];
	size_t n = copy_from_iter(buf, sizeof(buf), &req->out);

	copy_to_iter(buf, n, &req->in);
	return 0;
}

static void echo_config_written(struct virtio_dev *dev, u32 off, u32 len)
{
	struct echo *e = container_of(dev, struct echo, vdev);

	e->written_off = off;
	e->written_len = len;
}

static int echo_init(struct virtio_dev *dev)
{
	struct echo *e = container_of(dev, struct echo, vdev);

	memcpy(e->config, "0123456789", sizeof(e->config));
	dev->config = e->config;
	return 0;
}

static const struct vq_ops echo_queues[QUEUES] = {
	[0 ... QUEUES - 1] = { .name = "echo", .depth = 64, .request = echo_request },
};

static const struct virtio_ops echo_ops = {
	.id = 0x3f, .queues = QUEUES, .vq = echo_queues, .config_size = 10, .features = 1 << 3,
	.init = echo_init, .config_written = echo_config_written,
};

DEVICE_TYPE(echo) = {
	.name = "virtio-echo", .size = sizeof(struct echo), .init = virtio_init, .ops = &echo_ops,
};

/* Disks, as it were: a thread for each of four queues. */
#define MANY		64
#define MANY_QUEUES	4

static int many_init(struct virtio_dev *dev)
{
	dev->nr_loops = MANY_QUEUES;
	return 0;
}

static const struct vq_ops many_queues[MANY_QUEUES] = {
	[0 ... MANY_QUEUES - 1] = { .name = "echo", .depth = 1024, .request = echo_request },
};

static const struct virtio_ops many_ops = {
	.id = 0x3e, .queues = MANY_QUEUES, .vq = many_queues, .init = many_init,
};

DEVICE_TYPE(many) = {
	.name = "virtio-many", .size = sizeof(struct virtio_dev), .init = virtio_init, .ops = &many_ops,
};

static struct machine m;
static struct driver d;
static struct echo *e;

static void start(void)
{
	struct virtio_dev *dev;

	machine_pci(&m);
	dev = machine_add(&m, "virtio-echo", NULL);
	e = container_of(dev, struct echo, vdev);
	machine_run(&m);
	driver_probe(&d, &m, dev);
}

#define COMMON(field)	(d.common + offsetof(struct virtio_pci_common_cfg, field))

static u64 get(u64 addr, unsigned int len)
{
	return driver_read(&d, addr, len);
}

static void set(u64 addr, unsigned int len, u64 val)
{
	driver_write(&d, addr, len, val);
}

/* The capability of @type, or of MSI-X for 0. */
static u8 find_cap(u8 type)
{
	u8 pos = driver_cfg_read(&d, PCI_CAPABILITY_LIST, 1);

	for (int n = 0; pos && n < 48; n++, pos = driver_cfg_read(&d, pos + 1, 1)) {
		u8 id = driver_cfg_read(&d, pos, 1);

		if (type ? id == PCI_CAP_ID_VNDR && driver_cfg_read(&d, pos + 3, 1) == type :
		    id == PCI_CAP_ID_MSIX)
			return pos;
	}
	return 0;
}

static void msix(bool on)
{
	driver_cfg_write(&d, find_cap(0) + PCI_MSIX_FLAGS, 2, on ? PCI_MSIX_FLAGS_ENABLE : 0);
}

/* One request through queue @q, without waiting. */
static void send(unsigned int q)
{
	CHECK_EQ(mem_write(&m.vm.mem, OUT, "ping", 4), 0);
	if (d.features & 1ULL << VIRTIO_RING_F_EVENT_IDX)
		ring_set_used_event(&d.ring[q], d.ring[q].used_idx);
	ring_add(&d.ring[q], OUT, 4, IN, 16);
	driver_kick(&d, q);
}

static void received(unsigned int q)
{
	char buf[4];
	u32 len;

	CHECK(ring_take(&d.ring[q], NULL, &len));
	CHECK_EQ(len, 4);
	CHECK_EQ(mem_read(&m.vm.mem, IN, buf, 4), 0);
	CHECK_MEM(buf, "ping", 4);
}

/* The messages of the device: vq->irq is one of them as soon as it has a vector. */
static struct irq *vector(unsigned int v)
{
	set(COMMON(queue_select), 2, 0);
	set(COMMON(queue_msix_vector), 2, v);
	return d.dev->vq[0].irq;
}

TEST(identity)
{
	start();
	CHECK_EQ(driver_cfg_read(&d, PCI_VENDOR_ID, 2), 0x1af4);
	CHECK_EQ(driver_cfg_read(&d, PCI_DEVICE_ID, 2), 0x1040 + 0x3f);
	CHECK(driver_cfg_read(&d, PCI_REVISION_ID, 1) >= 1);
	CHECK(driver_cfg_read(&d, PCI_SUBSYSTEM_ID, 2) >= 0x40);
	machine_free(&m);
}

TEST(capabilities_lie_within_their_bar)
{
	static const struct {
		u8 type, len;
		u32 least;
	} caps[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, 16, 56 },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, 20, QUEUES * 4 },
		{ VIRTIO_PCI_CAP_ISR_CFG, 16, 1 },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, 16, 10 },
		{ VIRTIO_PCI_CAP_PCI_CFG, 20, 0 },
	};

	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(caps); i++) {
		u8 pos = find_cap(caps[i].type);
		u32 off, len;

		CHECK(pos);
		CHECK_EQ(driver_cfg_read(&d, pos + 2, 1), caps[i].len);
		CHECK_EQ(driver_cfg_read(&d, pos + 4, 1), 0);
		off = driver_cfg_read(&d, pos + 8, 4);
		len = driver_cfg_read(&d, pos + 12, 4);
		CHECK(len >= caps[i].least);
		CHECK(off + len <= 0x4000);
		CHECK_EQ(off % 4, 0);
	}
	machine_free(&m);
}

TEST(features_by_halves)
{
	start();
	set(COMMON(device_feature_select), 4, 0);
	CHECK(get(COMMON(device_feature), 4) & 1 << 3);
	set(COMMON(device_feature_select), 4, 1);
	CHECK(get(COMMON(device_feature), 4) & 1ULL << (VIRTIO_F_VERSION_1 - 32));
	set(COMMON(device_feature_select), 4, 2);
	CHECK_EQ(get(COMMON(device_feature), 4), 0);
	CHECK_EQ(get(COMMON(device_feature_select), 4), 2);
	set(COMMON(guest_feature_select), 4, 1);
	set(COMMON(guest_feature), 4, 1);
	CHECK_EQ(get(COMMON(guest_feature), 4), 1);
	set(COMMON(guest_feature_select), 4, 77);
	set(COMMON(guest_feature), 4, ~0U);
	CHECK_EQ(get(COMMON(guest_feature), 4), 0);
	CHECK_EQ(e->vdev.driver_features, 1ULL << 32);
	machine_free(&m);
}

TEST(queue_registers)
{
	start();
	CHECK_EQ(get(COMMON(num_queues), 2), QUEUES);
	for (unsigned int q = 0; q < QUEUES; q++) {
		set(COMMON(queue_select), 2, q);
		CHECK_EQ(get(COMMON(queue_size), 2), 64);
		CHECK_EQ(get(COMMON(queue_enable), 2), 0);
		CHECK_EQ(get(COMMON(queue_notify_off), 2), q);
		set(COMMON(queue_size), 2, 16);
		set(COMMON(queue_desc_lo), 4, 0x1000 + q);
		set(COMMON(queue_desc_hi), 4, 1);
		set(COMMON(queue_avail_lo), 4, 0x2000 + q);
		set(COMMON(queue_avail_hi), 4, 2);
		/* A quad word is two registers. */
		set(COMMON(queue_used_lo), 8, 0x300003000 + q);
	}
	for (unsigned int q = 0; q < QUEUES; q++) {
		set(COMMON(queue_select), 2, q);
		CHECK_EQ(get(COMMON(queue_size), 2), 16);
		CHECK_EQ(get(COMMON(queue_desc_lo), 8), 0x100001000 + q);
		CHECK_EQ(get(COMMON(queue_avail_lo), 8), 0x200002000 + q);
		CHECK_EQ(get(COMMON(queue_used_lo), 4), 0x3000 + q);
		CHECK_EQ(get(COMMON(queue_used_hi), 4), 3);
	}
	machine_free(&m);
}

TEST(a_queue_that_does_not_exist)
{
	start();
	for (u32 q = QUEUES; q < 0x10000; q = q * 2 + 1) {
		set(COMMON(queue_select), 2, q);
		CHECK_EQ(get(COMMON(queue_select), 2), q);
		CHECK_EQ(get(COMMON(queue_size), 2), 0);
		set(COMMON(queue_size), 2, 4);
		set(COMMON(queue_msix_vector), 2, 1);
		set(COMMON(queue_desc_lo), 4, 4096);
		set(COMMON(queue_enable), 2, 1);
		CHECK_EQ(get(COMMON(queue_size), 2), 0);
		CHECK_EQ(get(COMMON(queue_msix_vector), 2), 0);
		CHECK_EQ(get(COMMON(queue_enable), 2), 0);
		CHECK_EQ(get(COMMON(queue_notify_off), 2), 0);
	}
	/* And its doorbell. */
	set(d.notify + QUEUES * d.notify_multiplier, 2, QUEUES);
	set(d.notify + 0xffc, 2, 0);
	machine_free(&m);
}

TEST(registers_have_one_width)
{
	start();
	set(COMMON(queue_select), 1, 1);
	set(COMMON(queue_select), 4, 1);
	CHECK_EQ(get(COMMON(queue_select), 2), 0);
	CHECK_EQ(get(COMMON(num_queues), 1), 0);
	CHECK_EQ(get(COMMON(num_queues) + 1, 1), 0);
	set(COMMON(device_status), 2, 0x0101);
	CHECK_EQ(driver_status(&d), 0);
	machine_free(&m);
}

TEST(every_access_to_every_byte)
{
	start();
	for (u32 off = 0; off < 0x4000; off++)
		for (unsigned int len = 1; len <= 8; len *= 2) {
			get(d.bar[0] + off, len);
			/* DRIVER_OK with rings nowhere is another test's. */
			if (off != 0x14)
				set(d.bar[0] + off, len, 0xa5a5a5a5a5a5a5a5);
		}
	machine_free(&m);
}

TEST(vectors)
{
	start();
	set(COMMON(queue_select), 2, 2);
	CHECK_EQ(get(COMMON(queue_msix_vector), 2), VIRTIO_MSI_NO_VECTOR);
	CHECK_EQ(get(COMMON(msix_config), 2), VIRTIO_MSI_NO_VECTOR);
	set(COMMON(queue_msix_vector), 2, QUEUES);
	set(COMMON(msix_config), 2, 0);
	CHECK_EQ(get(COMMON(queue_msix_vector), 2), QUEUES);
	CHECK_EQ(get(COMMON(msix_config), 2), 0);
	/* There are as many as queues, and one. */
	set(COMMON(queue_msix_vector), 2, QUEUES + 1);
	set(COMMON(msix_config), 2, 0x8000);
	CHECK_EQ(get(COMMON(queue_msix_vector), 2), VIRTIO_MSI_NO_VECTOR);
	CHECK_EQ(get(COMMON(msix_config), 2), VIRTIO_MSI_NO_VECTOR);
	set(COMMON(queue_msix_vector), 2, 1);
	set(COMMON(msix_config), 2, 1);
	driver_set_status(&d, 0);
	set(COMMON(queue_select), 2, 2);
	CHECK_EQ(get(COMMON(queue_msix_vector), 2), VIRTIO_MSI_NO_VECTOR);
	CHECK_EQ(get(COMMON(msix_config), 2), VIRTIO_MSI_NO_VECTOR);
	machine_free(&m);
}

TEST(requests_with_msix)
{
	start();
	driver_start(&d, 16);
	for (unsigned int q = 0; q < QUEUES; q++) {
		send(q);
		CHECK(driver_irq(&d, q, -1));
		received(q);
	}
	/* Nobody reads it then, and no queue has touched it. */
	CHECK_EQ(get(d.isr, 1), 0);
	machine_free(&m);
}

TEST(a_vector_moves_while_the_queue_runs)
{
	struct irq *one, *two;

	start();
	driver_start(&d, 16);
	two = vector(2);
	one = vector(1);
	CHECK(one && two && one + 1 == two);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(vector(1 + i % 2), i % 2 ? two : one);
		send(0);
		CHECK(driver_irq(&d, 0, -1));
		received(0);
	}
	machine_free(&m);
}

TEST(no_vector_no_interrupt)
{
	start();
	driver_start(&d, 16);
	CHECK(!vector(VIRTIO_MSI_NO_VECTOR));
	send(0);
	while (!ring_take(&d.ring[0], NULL, NULL))
		;
	CHECK_EQ(get(d.isr, 1), 0);
	CHECK(!(driver_cfg_read(&d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	machine_free(&m);
}

/* Without an eventfd to wait for, the interrupt is what the driver sees: a bit in the status register. */
static void wait_intx(void)
{
	struct pollfd pfd = { .fd = -1 };

	for (int ms = 0; ms < 5000; ms++) {
		if (driver_cfg_read(&d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT)
			return;
		poll(&pfd, 1, 1);
	}
	CHECK(!"the interrupt comes");
}

TEST(requests_with_intx)
{
	start();
	msix(false);
	driver_start(&d, 16);
	for (unsigned int q = 0; q < QUEUES; q++) {
		send(q);
		wait_intx();
		CHECK_EQ(get(d.isr, 1), 1);
		received(q);
		/* The look was the acknowledgement. */
		CHECK(!(driver_cfg_read(&d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
		CHECK_EQ(get(d.isr, 1), 0);
	}
	machine_free(&m);
}

TEST(configuration_change_with_intx)
{
	start();
	msix(false);
	driver_start(&d, 16);
	virtio_config_set(d.dev, 2, "xy", 2);
	wait_intx();
	CHECK_EQ(get(d.isr, 1), 2);
	CHECK(!(driver_cfg_read(&d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	machine_free(&m);
}

TEST(configuration_change_with_msix)
{
	struct irq *config;
	struct pollfd pfd = { .events = POLLIN };
	u8 generation;

	start();
	driver_start(&d, 16);
	config = vector(0);
	vector(1);
	generation = get(COMMON(config_generation), 1);
	virtio_config_set(d.dev, 2, "xy", 2);
	pfd.fd = irq_fd(config);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK(get(COMMON(config_generation), 1) != generation);
	CHECK_EQ(get(d.config, 4), 0x79783130);
	/* 4.1.4.5.1: this bit is set in any case. */
	CHECK_EQ(get(d.isr, 1), 2);
	machine_free(&m);
}

TEST(reset_takes_the_interrupt_back)
{
	start();
	msix(false);
	driver_start(&d, 16);
	virtio_config_set(d.dev, 2, "xy", 2);
	wait_intx();
	driver_set_status(&d, 0);
	CHECK(!(driver_cfg_read(&d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	CHECK_EQ(get(d.isr, 1), 0);
	machine_free(&m);
}

TEST(device_configuration)
{
	start();
	CHECK_EQ(get(d.config, 1), '0');
	CHECK_EQ(get(d.config + 1, 2), 0x3231);
	CHECK_EQ(get(d.config, 8), 0x3736353433323130);
	/* Across its end, and beyond. */
	CHECK_EQ(get(d.config + 8, 4), 0x3938);
	CHECK_EQ(get(d.config + 10, 4), 0);
	set(d.config + 9, 4, 0x44434241);
	CHECK_EQ(e->written_off, 9);
	CHECK_EQ(e->written_len, 1);
	CHECK_EQ(get(d.config + 9, 1), 'A');
	machine_free(&m);
}

/* The configuration access capability */

static u8 window;

static void window_set(u8 bar, u32 off, u32 len)
{
	window = find_cap(VIRTIO_PCI_CAP_PCI_CFG);
	driver_cfg_write(&d, window + VIRTIO_PCI_CAP_BAR, 1, bar);
	driver_cfg_write(&d, window + VIRTIO_PCI_CAP_OFFSET, 4, off);
	driver_cfg_write(&d, window + VIRTIO_PCI_CAP_LENGTH, 4, len);
}

static u32 window_get(u32 off, u32 len)
{
	window_set(0, off, len);
	return driver_cfg_read(&d, window + 16, len);
}

static void window_put(u32 off, u32 len, u32 val)
{
	window_set(0, off, len);
	driver_cfg_write(&d, window + 16, len, val);
}

TEST(window_without_memory_decoding)
{
	start();
	driver_cfg_write(&d, PCI_COMMAND, 2, 0);
	CHECK_EQ(window_get(offsetof(struct virtio_pci_common_cfg, num_queues), 2), QUEUES);
	window_put(offsetof(struct virtio_pci_common_cfg, device_status), 1, 3);
	CHECK_EQ(window_get(offsetof(struct virtio_pci_common_cfg, device_status), 1), 3);
	CHECK_EQ(e->vdev.status, 3);
	CHECK_EQ(window_get(0x2000, 4), 0x33323130);
	window_put(0x2001, 1, 'x');
	CHECK_EQ(e->config[1], 'x');
	machine_free(&m);
}

TEST(window_reads_have_their_effects)
{
	start();
	msix(false);
	driver_start(&d, 16);
	virtio_config_set(d.dev, 2, "xy", 2);
	wait_intx();
	CHECK_EQ(window_get(0x1000, 1), 2);
	CHECK(!(driver_cfg_read(&d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	/* And a doorbell is a doorbell. */
	send(0);
	window_put(0x3000, 2, 0);
	wait_intx();
	received(0);
	machine_free(&m);
}

TEST(window_to_nowhere)
{
	static const struct {
		u8 bar;
		u32 off, len;
	} bad[] = {
		{ 1, 0, 4 }, { 6, 0, 4 }, { 0xff, 0, 4 }, { 0, 0x12, 4 }, { 0, 0x15, 2 },
		{ 0, 0x14, 0 }, { 0, 0x14, 3 }, { 0, 0x14, 8 }, { 0, 0x4000, 1 },
		{ 0, 0xfffffffc, 4 }, { 0, 0x14, 0xffffffff },
	};

	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		window_set(bad[i].bar, bad[i].off, bad[i].len);
		driver_cfg_write(&d, window + 16, 4, 0x01010101);
		CHECK_EQ(driver_cfg_read(&d, window + 16, 4), 0x01010101);
	}
	CHECK_EQ(driver_status(&d), 0);
	machine_free(&m);
}

TEST_TIMEOUT(sixty_four_devices_of_four_queues, 60)
{
	static struct driver many[MANY];
	struct rlimit lim;
	unsigned int i, q;
	u32 len;

	CHECK(!getrlimit(RLIMIT_NOFILE, &lim));
	if (lim.rlim_max < 4000)
		SKIP("no more than %llu open files", (unsigned long long)lim.rlim_max);
	lim.rlim_cur = lim.rlim_max;
	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	machine_init(&m);
	machine_bridge(&m, MANY);
	for (i = 0; i < MANY; i++)
		many[i].dev = machine_add(&m, "virtio-many", NULL);
	machine_run(&m);
	for (i = 0; i < MANY; i++) {
		driver_probe(&many[i], &m, many[i].dev);
		many[i].rings = i * MIB;
		driver_start(&many[i], 64);
	}
	CHECK_EQ(mem_write(&m.vm.mem, MACHINE_HIGH, "echo", 4), 0);
	for (i = 0; i < MANY; i++) {
		for (q = 0; q < MANY_QUEUES; q++) {
			ring_add(&many[i].ring[q], MACHINE_HIGH, 4, MACHINE_HIGH + 0x1000, 4);
			driver_kick(&many[i], q);
		}
	}
	for (i = 0; i < MANY; i++) {
		for (q = 0; q < MANY_QUEUES; q++) {
			CHECK(driver_wait(&many[i], q, NULL, &len));
			CHECK_EQ(len, 4);
		}
	}
	machine_free(&m);
}
