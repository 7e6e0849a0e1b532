// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA nodes as the guest finds them: SRAT and SLIT, which agree with the memory
 * map and the MADT; and those that make no sense.
 *
 * [two]
 * run=-m 24 -c 3 --numa mem=8,cpus=0,cpus=2 --numa mem=16,cpus=1
 * status=1
 * expect="^cpus 0 1 0$"
 * expect="^node 0: 8192 KiB from 0$"
 * expect="^node 1: 16384 KiB from 800000$"
 * expect="^distances 10 20 20 10$"
 * [numbers_and_distances]
 * run=-c 2 --numa mem=8,cpus=0,node=1,distance=0:33 --numa mem=8,node=2,distance=1:255 --numa mem=4,cpus=1,node=0
 * status=1
 * expect="^cpus 1 0$"
 * expect="^node 1: 8192 KiB from 400000$"
 * expect="^distances 10 33 20 33 10 255 20 255 10$"
 * [around_the_hole]
 * run=-m 5G -c 2 --numa mem=2G,cpus=0 --numa mem=3G,cpus=1,host=0
 * status=1
 * expect="^node 1: 1048576 KiB from 80000000$"
 * expect="^node 1: 2097152 KiB from 100000000$"
 * [none]
 * run=-m 16 -c 2
 * status=1
 * expect="^no nodes$"
 * [sum_is_not_the_memory]
 * run=-m 1G -c 2 --numa mem=256M,cpus=0 --numa mem=256M,cpus=1
 * status=125
 * expect-stderr="^lkvm: --numa: the nodes have 512 MiB of RAM together, the machine 1024 .see --mem.$"
 * [cpu_in_two_nodes]
 * run=-c 2 --numa mem=8,cpus=0-1 --numa mem=8,cpus=1
 * status=125
 * expect-stderr="^lkvm: --numa, node 1: vCPU 1 belongs to node 0 already$"
 * [cpu_in_no_node]
 * run=-c 3 --numa mem=8,cpus=0 --numa mem=8,cpus=2
 * status=125
 * expect-stderr="^lkvm: --numa: vCPU 1 belongs to no node$"
 * [cpu_that_is_not_there]
 * run=-c 2 --numa mem=8,cpus=0-2
 * status=125
 * expect-stderr="^lkvm: --numa, node 0: cpus=0-2: the machine has vCPUs 0 to 1$"
 * [node_twice]
 * run=-c 2 --numa mem=8,cpus=0,node=0 --numa mem=8,cpus=1,node=0
 * status=125
 * expect-stderr="^lkvm: --numa, node 0: is there twice$"
 * [bad_distance]
 * run=-c 1 --numa mem=8,cpus=0,distance=1:5 --numa mem=8
 * status=125
 * expect-stderr="^lkvm: --numa, node 0: distance=1:5: it is 10 to the node itself"
 * [empty_node]
 * run=-c 1 --numa mem=8,cpus=0 --numa node=1
 * status=125
 * expect-stderr="^lkvm: --numa, node 1: has neither mem= nor cpus=$"
 * [no_such_node_of_the_host]
 * run=-c 1 --numa mem=8,cpus=0,host=1000
 * status=125
 * expect-stderr="^lkvm: the host has no memory in a node 1000$"
 */
#include "guest.h"

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return v;
}

static u64 get64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, 8);
	return v;
}

/* Bytes of [from, to) that the map calls RAM. */
static u64 ram_within(u64 from, u64 to)
{
	const struct guest_memmap *m = (void *)start_info()->memmap;
	u64 sum = 0;
	u32 i;

	for (i = 0; i < start_info()->memmap_entries; i++, m++) {
		u64 a = m->addr > from ? m->addr : from;
		u64 b = m->addr + m->size < to ? m->addr + m->size : to;

		if (m->type == 1 && a < b)
			sum += b - a;
	}
	return sum;
}

static u64 srat(const struct acpi_header *t)
{
	const u8 *p = (const u8 *)(t + 1) + 12, *end = (const u8 *)t + t->len;
	const u8 *cpu = (const u8 *)(acpi_table("APIC") + 1) + 8;
	u64 ram = 0;

	CHECK_EQ(acpi_sum(t, t->len), 0);
	print("cpus");
	for (; p < end; p += p[1]) {
		if (p[0] == 0) {
			CHECK_EQ(p[1], 16);
			CHECK_EQ(get32(p + 4), 1);
			/* In the order of the MADT */
			CHECK_EQ(cpu[0], 0);
			CHECK_EQ(p[3], cpu[3]);
			cpu += cpu[1];
			print(" %u", p[2]);
			continue;
		}
		if (cpu) {
			CHECK(cpu[0] != 0);
			cpu = NULL;
			print("\n");
		}
		CHECK_EQ(p[0], 1);
		CHECK_EQ(p[1], 40);
		CHECK_EQ(get32(p + 28), 1);
		print("node %u: %lu KiB from %lx\n", get32(p + 2), get64(p + 16) >> 10, get64(p + 8));
		ram += ram_within(get64(p + 8), get64(p + 8) + get64(p + 16));
	}
	CHECK(p == end);
	return ram;
}

int main(void)
{
	const struct acpi_header *t = acpi_table("SRAT");
	const u8 *slit;
	u64 i, n;

	if (!t) {
		CHECK(!acpi_table("SLIT"));
		print("no nodes\n");
		return 0;
	}
	CHECK_EQ(srat(t), ram_within(0, ~0ULL));
	t = acpi_table("SLIT");
	CHECK_EQ(acpi_sum(t, t->len), 0);
	slit = (const u8 *)(t + 1);
	n = get64(slit);
	CHECK_EQ(t->len, sizeof(*t) + 8 + n * n);
	print("distances");
	for (i = 0; i < n * n; i++)
		print(" %u", slit[8 + i]);
	print("\n");
	return 0;
}
