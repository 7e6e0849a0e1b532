// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that is busy on all its CPUs, with timers, vector registers and a device,
 * and that would notice if it were not the same any more: tests/unit/restore.c
 * saves it, and lets another machine go on with it.
 *
 * [by_itself]
 * run=-m 16 -c 3
 * status=1
 * expect="^line 7$"
 * expect="^done, 3 CPUs, 160 requests$"
 * timeout=60
 * [kvms_interrupt_controllers]
 * run=-m 16 -c 2 --irqchip kernel
 * status=1
 * expect="^done, 2 CPUs, 160 requests$"
 * timeout=60
 * [cloned]
 * cmd=exec 8< <(exec "$LKVM" run --name saved-$$ -m 16 -c 3 --device virtio-rng -k "$GUEST"); read -u 8 -r; read -u 8 -r
 *	"$LKVM" snapshot saved-$$ snap || exit
 *	"$LKVM" clone saved-$$ >clone || [ $? = 1 ] || exit
 *	tail -n 1 clone; tail -n 1 <&8
 *	seq 24 | xargs -P 6 -I{} sh -c '"$LKVM" restore snap >out{} 2>&1; echo "status $?" >>out{}'
 *	cat out? out?? | grep -c "^done, 3 CPUs, 160 requests$"; cat out? out?? | grep -c "^status 1$"
 *	"$LKVM" snapshot nobody snap; "$LKVM" snapshot nobody other; ls
 * expect="^done, 3 CPUs, 160 requests$"
 * expect="^24$"
 * reject="^other$"
 * expect-stderr="^lkvm: snap: there is a snapshot already$"
 * expect-stderr="^lkvm: there is no machine called \"nobody\""
 * timeout=120
 * [cloned_200_times]
 * cmd=exec 8< <(exec "$LKVM" run --name saved-$$ -m 16 -c 3 --device virtio-rng -k "$GUEST"); read -u 8 -r; read -u 8 -r
 *	"$LKVM" snapshot saved-$$ snap || exit
 *	seq 200 | xargs -P 8 -I{} sh -c '"$LKVM" restore snap >out{} 2>&1; [ $? = 1 ] || cat out{}'
 *	cat out* | grep -c "^done, 3 CPUs, 160 requests$"
 * expect="^200$"
 * long=yes
 * timeout=600
 * [disks]
 * cmd=truncate -s 4M img img2; exec 8< <(exec "$LKVM" run --name saved-$$ -m 16 -d img -d img2,cow -d new:8M -k "$GUEST")
 *	read -u 8 -r; read -u 8 -r; "$LKVM" snapshot saved-$$ snap || exit
 *	"$LKVM" clone saved-$$; echo "clone: $?"
 *	"$LKVM" restore snap; echo "beside: $?"; cat <&8 >run; tail -n 1 run
 *	(cd / && "$LKVM" restore "$OLDPWD/snap" | tail -n 1; echo "restored: ${PIPESTATUS[0]}")
 *	touch img; "$LKVM" restore snap; echo "changed: $?"; rm img; "$LKVM" restore snap; echo "gone: $?"
 * expect="^clone: 125$"
 * expect="^beside: 125$"
 * expect="^restored: 1$"
 * expect="^changed: 125$"
 * expect="^gone: 125$"
 * expect-stderr="^lkvm: it writes the disk img, and a clone would see that change"
 * expect-stderr="^lkvm: virtio-blk0: img: another disk or machine writes it$"
 * expect-stderr="^lkvm: state: virtio-blk0: disk: the image has changed since$"
 * expect-stderr="^lkvm: virtio-blk0: img: No such file or directory"
 * timeout=60
 * [damaged]
 * cmd=exec 8< <(exec "$LKVM" run --name saved-$$ -m 16 -k "$GUEST"); read -u 8 -r; read -u 8 -r
 *	"$LKVM" snapshot saved-$$ snap || exit
 *	size=$(stat -c %s snap/machine); cp -r snap good
 *	again() { "$LKVM" restore snap >out; echo "$1: $?"; cp good/machine snap; cp good/ram snap; }
 *	truncate -s $((size / 2)) snap/machine; again half
 *	truncate -s 10 snap/machine; again short
 *	truncate -s 8M snap/ram; again "half the RAM"
 *	printf X | dd of=snap/machine bs=1 seek=$((size - 100)) conv=notrunc status=none; again byte
 *	printf '\2' | dd of=snap/machine bs=1 seek=8 conv=notrunc status=none; again version
 *	rm snap/machine; again nothing; rm snap/ram; again "no RAM"; again whole
 * expect="^half: 125$"
 * expect="^short: 125$"
 * expect="^half the RAM: 125$"
 * expect="^byte: 125$"
 * expect="^version: 125$"
 * expect="^nothing: 125$"
 * expect="^no RAM: 125$"
 * expect="^whole: 1$"
 * expect-stderr="^lkvm: snap/machine: it has [0-9]* bytes, [0-9]* are expected$"
 * expect-stderr="^lkvm: snap/machine: it is cut short$"
 * expect-stderr="^lkvm: RAM of the snapshot snap/ram: a file of 16777216 bytes is needed, it has 8388608$"
 * expect-stderr="^lkvm: snap/machine: it is damaged: the checksum of part 2 is wrong$"
 * expect-stderr="^lkvm: snap/machine: it is of version 2, this lkvm reads version 1$"
 * expect-stderr="^lkvm: snap: there is no snapshot: it has no file snap/machine$"
 * timeout=60
 */
#include "virtio.h"

#define TICK		0x50
#define DONE		0x51
#define ROUNDS		160		/* ticks that each CPU works for, */
#define LINE		20		/* and those to a line */
#define COUNT		2000000		/* of the local APIC's timer, divided by one */
#define CPUS		8

#define APIC_LVT_TIMER	0x320
#define APIC_TIMER_INIT	0x380
#define APIC_TIMER_DIV	0x3e0
#define TIMER_PERIODIC	(1u << 17)
#define DIVIDE_BY_ONE	0xb

#define SIZE		8

static volatile u32 ticks[CPUS], finished, up;
static u64 last_tsc[CPUS];

static struct virtio rng;
static struct rings rings;
static u8 data[64];
static volatile u32 answers;
static u32 requests;

static void on_tick(struct frame *f)
{
	ticks[apic_id()]++;
	apic_eoi();
}

static void on_answer(struct frame *f)
{
	answers++;
	apic_eoi();
}

static void vectors_on(void)
{
	u64 cr0, cr4;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"((cr0 & ~4ULL) | 2));	/* EM off, MP */
	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 | 3 << 9));		/* OSFXSR, OSXMMEXCPT */
}

/* Plain moves from and to memory, so that KVM meets no instruction that it cannot emulate. */
struct vector {
	u64 low, high;
} __attribute__((aligned(16)));

static void vectors_set(u64 a, u64 b)
{
	struct vector x = { a, b }, y = { b, a };

	asm volatile("movups %0, %%xmm0; movups %1, %%xmm7" : : "m"(x), "m"(y));
}

static void vectors_check(u64 a, u64 b)
{
	struct vector x, y;

	asm volatile("movups %%xmm0, %0; movups %%xmm7, %1" : "=m"(x), "=m"(y));
	CHECK_EQ(x.low, a);
	CHECK_EQ(x.high, b);
	CHECK_EQ(y.low, b);
	CHECK_EQ(y.high, a);
}

static void timer_start(void)
{
	mmio_write32(APIC_BASE + APIC_TIMER_DIV, DIVIDE_BY_ONE);
	mmio_write32(APIC_BASE + APIC_LVT_TIMER, TICK | TIMER_PERIODIC);
	mmio_write32(APIC_BASE + APIC_TIMER_INIT, COUNT);
}

static void request(void)
{
	if (!rng.cfg)
		return;
	rings.desc[0] = (struct vring_desc) {
		.addr = (u64)data, .len = sizeof(data), .flags = VRING_DESC_F_WRITE,
	};
	rings_offer(&rings, SIZE, 0);
	virtio_kick(&rng, 0);
	requests++;
}

/* One round, after a tick: everything is as it was left. */
static void work(u32 id, u32 round)
{
	u64 tsc;

	vectors_check(id * 1000 + round, ~(u64)id);
	tsc = rdtsc();
	CHECK(tsc > last_tsc[id]);
	last_tsc[id] = tsc;
	vectors_set(id * 1000 + round + 1, ~(u64)id);
}

static void run(void (*also)(u32 round))
{
	u32 id = apic_id(), round;

	vectors_on();
	vectors_set(id * 1000, ~(u64)id);
	timer_start();
	for (round = 0; round < ROUNDS; round++) {
		u32 before = ticks[id];

		while (ticks[id] == before)
			irq_wait();
		work(id, round);
		if (also)
			also(round);
	}
	mmio_write32(APIC_BASE + APIC_TIMER_INIT, 0);
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

static void ap(void)
{
	apic_enable();
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	run(NULL);
	for (;;)
		asm volatile("cli; hlt");
}

/* The first CPU has the device and the console, too. */
static void also(u32 round)
{
	if (round % LINE == LINE - 1)
		print("line %u\n", round / LINE);
	/* The last request has come back. */
	while (answers < requests)
		irq_wait();
	if (requests)
		CHECK_EQ(rings_used(&rings), (u16)requests);
	request();
}

static void rng_start(void)
{
	if (!pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE + 4))
		return;
	virtio_open(&rng, 4);
	CHECK(virtio_begin(&rng, 1ULL << VIRTIO_F_VERSION_1));
	virtio_msix(&rng, 1, DONE);
	virtio_queue(&rng, 0, SIZE, 1, &rings);
	virtio_set_status(&rng, VIRTIO_CONFIG_S_DRIVER_OK);
}

int main(void)
{
	const struct acpi_header *madt = acpi_table("APIC");
	const u8 *p = (const u8 *)(madt + 1) + 8, *end = (const u8 *)madt + madt->len;
	u32 cpus = 0;

	apic_enable();
	irq_handle(TICK, on_tick);
	irq_handle(DONE, on_answer);
	rng_start();
	guest_ap_fn = ap;
	for (; p < end; p += p[1]) {
		if (p[0] != 0 || ++cpus == 1)
			continue;
		guest_ap_start(p[3]);
		while (up + 1 < cpus)
			cpu_relax();
	}
	print("begin\n");
	run(also);
	while (finished < cpus)
		cpu_relax();
	print("done, %u CPUs, %u requests\n", cpus, requests);
	return 0;
}
