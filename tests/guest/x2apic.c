// SPDX-License-Identifier: GPL-2.0
/*
 * Processors in x2APIC mode (Intel SDM volume 3, 11.12), also those whose APIC ID
 * has more than 8 bits: all start, each knows where it is, and the last one gets
 * interrupts from other CPUs, from a wire and from a message.
 *
 * [sixteen]
 * run=-m 64 -c sockets=2,cores=4,threads=2 -p 2,4,2
 * status=1
 * expect="^16 of 16 are up, the last one is 15$"
 * expect="^all interrupts came$"
 * timeout=60
 * [holes]
 * run=-m 64 -c sockets=3,cores=3 -p 3,3,1
 * status=1
 * expect="^9 of 9 are up, the last one is 10$"
 * timeout=60
 * [three_hundred]
 * run=-m 64 -c sockets=3,cores=50,threads=2 -p 3,50,2
 * status=1
 * expect="^300 of 300 are up, the last one is 355$"
 * expect="^all interrupts came$"
 * timeout=90
 * [many_nodes]
 * run=-m 64 -c 260 --numa mem=32,cpus=0-129 --numa mem=32,cpus=130-259 -p 2,130,1
 * status=1
 * expect="^260 of 260 are up, the last one is 385$"
 * timeout=90
 * [message_that_kvm_refuses]
 * run=-m 64 -c 256 -p 1,256,1,bad
 * status=1
 * expect="^all interrupts came$"
 * expect-stderr="^lkvm: warning: KVM refuses an interrupt message to 0x1fee[0-9a-f]{5}: error 22$"
 * timeout=90
 * [more_than_kvm_has]
 * run=-c 4096
 * status=125
 * expect-stderr="^lkvm: 4096 vCPUs are too many: KVM has at most [0-9]+ here$"
 */
#include "virtio.h"

#include <linux/serial_reg.h>

#define X2APIC_ID	0x802
#define X2APIC_EOI	0x80b
#define X2APIC_SVR	0x80f
#define X2APIC_ICR	0x830
#define CPUS		1024
#define VECTOR_IPI	0x40
#define VECTOR_WIRE	0x41
#define VECTOR_MESSAGE	0x42

/* In place of the 16 of crt.S */
char ap_stacks[CPUS * 4096] __attribute__((aligned(4096)));

static u32 sockets, cores, threads;
static u8 seen[4096];
static volatile u32 up, last, pinged, wire, messages;
static struct virtio rng;
static struct rings rings;
static u8 data[64];

static unsigned int bits(unsigned int n)
{
	return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

static u32 number(const char **s)
{
	u32 n = 0;

	for (; **s >= '0' && **s <= '9'; ++*s)
		n = n * 10 + **s - '0';
	*s += **s == ',';
	return n;
}

static u32 x2apic_enable(void)
{
	CHECK(cpuid(1, 0).ecx & 1 << 21);
	wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
	wrmsr(X2APIC_SVR, 0x1ff);
	return rdmsr(X2APIC_ID);
}

static void check_level(u32 leaf, u32 id)
{
	u32 thread_bits = bits(threads), core_bits = bits(cores);

	CHECK_EQ(cpuid(leaf, 0).edx, id);
	CHECK_EQ(cpuid(leaf, 0).eax, thread_bits);
	CHECK_EQ(cpuid(leaf, 0).ebx, threads);
	CHECK_EQ(cpuid(leaf, 0).ecx, 0x100);
	CHECK_EQ(cpuid(leaf, 1).edx, id);
	CHECK_EQ(cpuid(leaf, 1).eax, thread_bits + core_bits);
	CHECK_EQ(cpuid(leaf, 1).ebx, cores * threads);
	CHECK_EQ(cpuid(leaf, 1).ecx, 0x201);
	CHECK_EQ(cpuid(leaf, 2).ebx, 0);
	CHECK_EQ(cpuid(leaf, 2).ecx & 0xff00, 0);
}

/* Where the CPU is, by what its ID is made of. */
static void check_topology(u32 id)
{
	u32 thread_bits = bits(threads), core_bits = bits(cores), max = cpuid(0, 0).eax;
	u32 core = id >> thread_bits & ((1 << core_bits) - 1);

	CHECK((id & ((1 << thread_bits) - 1)) < threads);
	CHECK(core < cores);
	CHECK(id >> (thread_bits + core_bits) < sockets);
	CHECK_EQ(cpuid(1, 0).ebx >> 24, id & 0xff);
	if (max >= 0xb)
		check_level(0xb, id);
	if (max >= 0x1f)
		check_level(0x1f, id);
	if (cpuid(0, 0).ebx == 0x68747541 && cpuid(0x80000000, 0).eax >= 0x8000001e) {
		CHECK_EQ(cpuid(0x8000001e, 0).eax, id);
		CHECK_EQ(cpuid(0x8000001e, 0).ebx & 0xffff, (threads - 1) << 8 | (core & 0xff));
		CHECK_EQ(cpuid(0x8000001e, 0).ecx & 0xff, id >> (thread_bits + core_bits));
	}
}

static void ap(void)
{
	u32 id = x2apic_enable();

	CHECK(id < ARRAY_SIZE(seen));
	check_topology(id);
	__atomic_fetch_add(&seen[id], 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	/* The one that this is about does not halt: not every KVM wakes it up then for a wire that stays high. */
	while (id != last)
		irq_wait();
	irq_enable();
	for (;;)
		cpu_relax();
}

static void on_ipi(struct frame *f)
{
	CHECK_EQ(rdmsr(X2APIC_ID), last);
	pinged++;
	wrmsr(X2APIC_EOI, 0);
}

/* The serial port's: as a level it stays until IIR is read, which is done the second time. */
static void on_wire(struct frame *f)
{
	CHECK_EQ(rdmsr(X2APIC_ID), last);
	if (wire)
		outb(PORT_SERIAL + UART_IER, 0);
	wrmsr(X2APIC_EOI, 0);
	wire++;
}

static void on_message(struct frame *f)
{
	CHECK_EQ(rdmsr(X2APIC_ID), last);
	messages++;
	wrmsr(X2APIC_EOI, 0);
}

/* The last of the MADT's; all of them have been seen, once. */
static u32 madt(u32 *cpus)
{
	const struct acpi_header *t = acpi_table("APIC");
	const u8 *p = (const u8 *)(t + 1) + 8, *end = (const u8 *)t + t->len;
	u32 id = 0;

	for (*cpus = 0; p < end; p += p[1]) {
		if (p[0] == 0)
			id = p[3];
		else if (p[0] == 9)
			memcpy(&id, p + 4, 4);
		else
			continue;
		CHECK(p[0] == (id < 255 ? 0 : 9));
		CHECK(id < ARRAY_SIZE(seen));
		CHECK_EQ(seen[id], 1);
		++*cpus;
	}
	return id;
}

static void serial_to(u32 id)
{
	/* A level; bits 8 to 14 of the destination are what the hypervisor has to know. */
	ioapic_write(0x11 + 4 * 2, (id & 0xff) << 24 | (id >> 8) << 17);
	ioapic_write(0x10 + 4 * 2, VECTOR_WIRE | 1 << 15);
	outb(PORT_SERIAL + UART_MCR, UART_MCR_OUT2 | UART_MCR_RTS | UART_MCR_DTR);
	outb(PORT_SERIAL + UART_IER, UART_IER_THRI);
	while (wire < 2)
		cpu_relax();
}

static void message_to(u32 id, bool bad)
{
	u64 entry, flags;

	virtio_open(&rng, 4);
	entry = rng.msix + PCI_MSIX_ENTRY_SIZE;
	flags = rng.cfg + rng.msix_cap + PCI_MSIX_FLAGS;
	CHECK(virtio_begin(&rng, 1ULL << VIRTIO_F_VERSION_1));
	mmio_write16(flags, mmio_read16(flags) | PCI_MSIX_FLAGS_ENABLE);
	if (bad) {	/* the vector for changes of the configuration, never raised */
		mmio_write32(rng.msix + PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000);
		mmio_write32(rng.msix + PCI_MSIX_ENTRY_UPPER_ADDR, 1);
		mmio_write32(rng.msix + PCI_MSIX_ENTRY_DATA, VECTOR_MESSAGE);
		mmio_write32(rng.msix + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	}
	mmio_write32(entry + PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000 | (id & 0xff) << 12 | (id >> 8) << 5);
	mmio_write32(entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
	mmio_write32(entry + PCI_MSIX_ENTRY_DATA, VECTOR_MESSAGE);
	mmio_write32(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	virtio_queue(&rng, 0, 8, 1, &rings);
	virtio_set_status(&rng, VIRTIO_CONFIG_S_DRIVER_OK);
	rings.desc[0] = (struct vring_desc) {
		.addr = (u64)data, .len = sizeof(data), .flags = VRING_DESC_F_WRITE,
	};
	rings_offer(&rings, 8, 0);
	virtio_kick(&rng, 0);
	while (!messages)
		cpu_relax();
}

int main(void)
{
	const char *s = cmdline();
	u32 id, cpus, x2apic;

	sockets = number(&s);
	cores = number(&s);
	threads = number(&s);
	irq_handle(VECTOR_IPI, on_ipi);
	irq_handle(VECTOR_WIRE, on_wire);
	irq_handle(VECTOR_MESSAGE, on_message);
	guest_ap_fn = ap;
	memcpy((void *)GUEST_AP_BOOT, guest_ap_boot, guest_ap_boot_end - guest_ap_boot);
	x2apic = rdmsr(0x1b) >> 10 & 1;
	id = x2apic_enable();
	check_topology(id);
	seen[id]++;
	/* INIT and SIPI to all but oneself */
	wrmsr(X2APIC_ICR, 0xc4500);
	wrmsr(X2APIC_ICR, 0xc4600 | GUEST_AP_BOOT >> 12);
	while (up + 1 < sockets * cores * threads)
		cpu_relax();
	last = madt(&cpus);
	CHECK_EQ(x2apic, last >= 255);	/* as firmware leaves it */
	print("%u of %u are up, the last one is %u\n", up + 1, cpus, last);
	wrmsr(X2APIC_ICR, (u64)last << 32 | VECTOR_IPI);
	while (!pinged)
		cpu_relax();
	serial_to(last);
	message_to(last, str_starts(s, "bad"));
	print("all interrupts came\n");
	return 0;
}
