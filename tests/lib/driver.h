/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine without vCPUs, and the driver's half of virtio. The machine is a
 * real struct vm without KVM: registers are poked through its buses, doorbells
 * and interrupts are eventfds. The driver can do what a good driver does, and
 * everything that a bad one could.
 */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include <linux/virtio_ring.h>

#include <kvm/virtio.h>
#include <kvm/vm.h>

#define MACHINE_RAM	(64 * MIB)	/* at 0, and 16 MiB more at 4 GiB */
#define MACHINE_HIGH	(4 * GIB)

struct machine {
	struct vm vm;
	struct vm_config cfg;
	u64 arch[64];			/* the architecture's own, of which nothing is set up */
	pthread_t main;			/* runs vm.loop */
	bool running;
};

/* Ends the test on failure. The main loop runs on a thread of its own after machine_run(). */
void machine_init(struct machine *m);
void machine_pci(struct machine *m);	/* with a PCI host bridge */
void machine_apart(struct machine *m);	/* the same, and file servers are processes of their own */
/* After machine_init(): the bridge of a machine for which @nr_devices are asked for. */
void machine_bridge(struct machine *m, unsigned int nr_devices);
void machine_run(struct machine *m);
void machine_free(struct machine *m);
struct virtio_dev *machine_add(struct machine *m, const char *type, const char *opts);

/* A ring in guest memory, as the driver sees it. */
struct ring {
	const struct mem *mem;
	gpa_t desc, avail, used;
	u16 num;
	u16 avail_idx;			/* next to offer */
	u16 used_idx;			/* next to take */
	u16 next;			/* next free descriptor of ring_add() */
};

/* Lay a ring of @num descriptors out at @gpa (page aligned), zeroed. */
void ring_init(struct ring *r, const struct mem *mem, gpa_t gpa, u16 num);
void ring_desc(struct ring *r, u16 i, u64 addr, u32 len, u16 flags, u16 next);
void ring_desc_at(const struct mem *mem, gpa_t table, u16 i, u64 addr, u32 len, u16 flags, u16 next);
/* Put @head in the available ring and publish it. */
void ring_offer(struct ring *r, u16 head);
/* A chain of one readable and one writable buffer (either may have length 0: absent), offered. Its head. */
u16 ring_add(struct ring *r, u64 out, u32 out_len, u64 in, u32 in_len);
/* The next used element; false: none. */
bool ring_take(struct ring *r, u32 *id, u32 *len);
void ring_set_used_event(struct ring *r, u16 idx);
void ring_set_avail_flags(struct ring *r, u16 flags);
u16 ring_avail_event(const struct ring *r);
u16 ring_used_flags(const struct ring *r);

/* A driver of a virtio-pci device, by its registers. */
struct driver {
	struct machine *m;
	struct virtio_dev *dev;
	u8 devfn;
	u64 bar[6];
	u64 common, notify, isr, config;	/* guest-physical */
	u32 notify_multiplier;
	u64 features;
	gpa_t rings;			/* where driver_queue() lays them out; 1 MiB unless a test moves it */
	struct ring ring[64];
};

/* Find the registers of @dev through its capabilities, map its BARs. */
void driver_probe(struct driver *d, struct machine *m, struct virtio_dev *dev);
u32 driver_cfg_read(struct driver *d, u32 off, unsigned int len);
void driver_cfg_write(struct driver *d, u32 off, unsigned int len, u32 val);
u64 driver_read(struct driver *d, u64 addr, unsigned int len);
void driver_write(struct driver *d, u64 addr, unsigned int len, u64 val);
u8 driver_status(struct driver *d);
void driver_set_status(struct driver *d, u8 status);
/* Reset, acknowledge, accept the offered ones of @features (VERSION_1 is added), FEATURES_OK. */
void driver_features(struct driver *d, u64 features);
/* Set queue @q up with @num descriptors and MSI-X vector @q + 1; rings live at d->rings, 256 KiB each. */
void driver_queue(struct driver *d, unsigned int q, u16 num);
void driver_ok(struct driver *d);
/* All of the above with every feature and every queue at @num. */
void driver_start(struct driver *d, u16 num);
void driver_kick(struct driver *d, unsigned int q);
/* Wait for an interrupt of queue @q, at most @ms milliseconds: true if it came. */
bool driver_irq(struct driver *d, unsigned int q, int ms);
/* Wait until queue @q has a used element and take it; false after five seconds. */
bool driver_wait(struct driver *d, unsigned int q, u32 *id, u32 *len);
/* Wait until the device says NEEDS_RESET; false after five seconds. */
bool driver_wait_broken(struct driver *d);

#endif
