// SPDX-License-Identifier: GPL-2.0
// without: hw/coalesce.o
/* hw/coalesce.c without KVM: the test is KVM, which collects, and the clock. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "tap.h"
#include <kvm/loop.h>

static int zones;			/* that KVM collects */
static u64 due;				/* of the next look, in ns from now; 0: none */
static bool posted;

static int test_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	(void)arg;
	zones += request == KVM_REGISTER_COALESCED_MMIO ? 1 : -1;
	return 0;
}

static void test_timer(struct loop *l, struct timer *t, u64 at)
{
	(void)l;
	(void)t;
	due = at;
}

static void test_post(struct loop *l, struct work *w)
{
	(void)l;
	(void)w;
	posted = true;
}

#define ioctl test_ioctl
#define loop_timer test_timer
#define loop_post test_post
#define loop_now() 0ULL
#include "../../hw/coalesce.c"

static struct vm vm;
static unsigned int served;
static bool on;

static void port_write(void *obj, u64 off, unsigned int len, u64 val)
{
	(void)obj;
	(void)off;
	(void)len;
	(void)val;
	served++;
}

static void start(void)
{
	static const struct region_ops ops = { .write = port_write };
	static struct region port = { .name = "port", .base = 0x3f8, .len = 8, .ops = &ops };

	vm.coalesced = calloc(1, 65536);
	vm.nr_vcpus = 1;
	bus_add(&vm.pio, &port);
	vm_coalesced_start(&vm);
}

static void guest_writes(void)
{
	struct kvm_coalesced_mmio *m = &vm.coalesced->coalesced_mmio[vm.coalesced->last];

	*m = (struct kvm_coalesced_mmio){ .phys_addr = 0x3f8, .len = 1, .pio = 1 };
	vm.coalesced->last++;
}

/* The main loop: what was posted, and the timer once. */
static void look(void)
{
	if (posted)
		vm_coalesced_work(&vm.coalesced_work);
	posted = false;
	due = 0;
	vm_coalesced_due(&vm.coalesced_timer);
}

TEST(nothing_wakes_an_idle_guest)
{
	int looks = 0;

	start();
	CHECK_EQ(due, 0);
	CHECK_EQ(vm_coalesce_busy(&vm, true, 0x3f8, 1, &on), 0);
	CHECK(on && zones == 1 && posted);
	guest_writes();
	look();
	CHECK_EQ(served, 1);
	/* Soon again, then seldom, then never. */
	CHECK_EQ(due, COALESCED_WAIT_NS);
	do {
		look();
		looks++;
	} while (due && looks < 100);
	CHECK_EQ(looks, COALESCED_QUIET + 1);
	CHECK(!on && !zones);
	/* The exits of other registers change nothing. */
	vm_coalesced_seen(&vm);
	CHECK(!posted);
}

TEST(what_is_written_while_it_is_taken_back_is_served)
{
	start();
	vm_coalesce_busy(&vm, true, 0x3f8, 1, &on);
	for (unsigned int n = 0; n < COALESCED_QUIET; n++)
		look();
	CHECK(on);
	/* A busy guest keeps it. */
	guest_writes();
	look();
	for (unsigned int n = 0; n < COALESCED_QUIET; n++)
		look();
	CHECK(on);
	guest_writes();
	vm_coalesce_stop(&vm, &on);
	CHECK(!on);
	look();
	CHECK_EQ(served, 2);
	CHECK_EQ(due, 0);
}

TEST(there_is_an_end_of_them)
{
	bool more[ARRAY_SIZE(vm.coalesced_busy) + 1] = { false };
	unsigned int n;

	start();
	for (n = 0; n < ARRAY_SIZE(vm.coalesced_busy); n++)
		CHECK_EQ(vm_coalesce_busy(&vm, true, 0x3f8 + n, 1, &more[n]), 0);
	CHECK_EQ(vm_coalesce_busy(&vm, true, 0x3f8 + n, 1, &more[n]), -ENOSPC);
	CHECK(!more[n]);
	vm_coalesce_stop(&vm, &more[0]);
	CHECK_EQ(vm_coalesce_busy(&vm, true, 0x3f8 + n, 1, &more[n]), 0);
	CHECK(!more[0] && more[n] && zones == ARRAY_SIZE(vm.coalesced_busy));
}
