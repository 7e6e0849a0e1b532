// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt messages, with a KVM that is particular: this file's ioctl() keeps
 * the routing table that it is given, and refuses addresses as KVM does when
 * APIC IDs have 32 bits.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/irq.h>
#include <kvm/log.h>

#include "../../x86/x86.h"
#include "tap.h"

#define VM_FD	1000000

static struct kvm_irq_routing_entry table[4096];
static unsigned int nr, refused;

int ioctl(int fd, unsigned long request, ...)
{
	struct kvm_irq_routing *new;
	va_list ap;
	u32 i;

	va_start(ap, request);
	new = va_arg(ap, void *);
	va_end(ap);
	if (fd != VM_FD || request != KVM_SET_GSI_ROUTING)
		return 0;
	for (i = 0; i < new->nr; i++)
		if (new->entries[i].type == KVM_IRQ_ROUTING_MSI && new->entries[i].u.msi.address_hi & 0xff) {
			refused++;
			errno = EINVAL;
			return -1;
		}
	nr = new->nr;
	CHECK(nr <= ARRAY_SIZE(table));
	memcpy(table, new->entries, nr * sizeof(table[0]));
	return 0;
}

static const struct kvm_irq_routing_entry *route(const struct irq *irq)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (table[i].gsi == irq->gsi)
			return &table[i];
	return NULL;
}

static struct x86 x86;
static const struct vm vm = { .arch = &x86 };
static struct irqs *irqs;
static struct irq good, bad;
static struct undo undo;

static void setup(void)
{
	undo_init(&undo);
	CHECK_EQ(irqs_new(&irqs, &undo, &vm, VM_FD), 0);
	CHECK_EQ(irq_msg_init(&bad, irqs, &undo, 0), 0);
	CHECK_EQ(irq_msg_init(&good, irqs, &undo, 0), 0);
}

TEST(message_that_kvm_refuses_harms_no_other)
{
	setup();
	irq_msg_set(&bad, 0xfffffffffee00000, 0x41);
	irq_msg_mask(&bad, false);
	CHECK(refused);
	CHECK(!route(&bad));
	irq_msg_set(&good, 0xfee00000, 0x42);
	irq_msg_mask(&good, false);
	CHECK(route(&good));
	CHECK_EQ(route(&good)->u.msi.data, 0x42);

	/* The guest thinks better of it. */
	irq_msg_set(&bad, 0xfee01000, 0x43);
	CHECK(route(&bad));
	CHECK_EQ(route(&bad)->u.msi.address_lo, 0xfee01000);
	CHECK(route(&good));
	undo_run(&undo);
}

TEST(refused_message_goes_nowhere)
{
	setup();
	irq_msg_set(&good, 0xfee00000, 0x42);
	irq_msg_mask(&good, false);
	/* Not to where it went before, either. */
	irq_msg_set(&good, 0x1fee00000, 0x42);
	CHECK(refused);
	CHECK(!route(&good));
	irq_msg_mask(&good, true);
	undo_run(&undo);
}

/* As many as KVM has routes: hundreds of queues. A message that is given back is had again. */
TEST(messages_up_to_what_kvm_has)
{
	struct rlimit lim;
	static struct irq irq[4096];
	struct undo some;
	unsigned int n, i;
	u32 gsi;

	CHECK(!getrlimit(RLIMIT_NOFILE, &lim));
	if (lim.rlim_max < 5000)
		SKIP("no more than %llu open files", (unsigned long long)lim.rlim_max);
	lim.rlim_cur = lim.rlim_max;
	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	log_set_level(-1);
	setup();
	undo_init(&some);
	for (n = 0; n < 2000; n++)
		CHECK_EQ(irq_msg_init(&irq[n], irqs, &undo, 0), 0);
	gsi = irq[n - 1].gsi;
	CHECK_EQ(irq_msg_init(&irq[n], irqs, &some, 0), 0);
	CHECK_EQ(irq[n].gsi, gsi + 1);
	undo_run(&some);
	for (i = 0; i < n; i++) {
		irq_msg_set(&irq[i], 0xfee00000, i);
		irq_msg_mask(&irq[i], false);
	}
	for (i = 0; i < n; i++)
		CHECK_EQ(route(&irq[i])->u.msi.data, i);
	for (; n < ARRAY_SIZE(irq) && !irq_msg_init(&irq[n], irqs, &undo, 0); n++)
		;
	CHECK(n > 3900 && n < ARRAY_SIZE(irq));
	CHECK(irq[n - 1].gsi < 4096);
	CHECK_EQ(irq_msg_init(&irq[n], irqs, &undo, 0), -ENOSPC);
	CHECK_EQ(irq[2000].gsi, gsi + 1);
	undo_run(&undo);
}
