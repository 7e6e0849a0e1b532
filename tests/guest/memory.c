// SPDX-License-Identifier: GPL-2.0
/*
 * RAM: all of it is there, zeroed, writable and where the map says, also
 * beyond 4 GiB, and none of it in the hole.
 *
 * [small]
 * run=-m 2
 * status=1
 * expect="^ram 1664 KiB"
 * [beyond_the_hole]
 * run=-m 5G
 * status=1
 * expect="^ram 5242496 KiB"
 * [address_map]
 * run=-v -m 4G -c 2 --numa mem=1G,cpus=0 --numa mem=3G,cpus=1
 * status=1
 * expect-stderr="0x0000000000..0x00bfffffff RAM$"
 * expect-stderr="0x0000000000..0x003fffffff RAM of node 0$"
 * expect-stderr="0x0040000000..0x00bfffffff RAM of node 1$"
 * expect-stderr="0x0100000000..0x013fffffff RAM of node 1$"
 * expect-stderr="0x00fee00000..0x00fee00fff local APICs$"
 * [memfd]
 * run=-m 16 --mem-backend memfd
 * status=1
 * expect="^ram 16000 KiB"
 * [file_shows_it]
 * cmd="$LKVM" run -m 16 --mem-backend file=ram -k "$GUEST" && exit; stat -c %s ram
 *	od -An -t x8 -j 2097152 -N 8 ram; printf x | dd of=ram bs=1 seek=3000000 conv=notrunc status=none
 *	"$LKVM" run -m 16 --mem-backend file=ram -k "$GUEST"; od -An -c -j 3000000 -N 1 ram
 *	"$LKVM" run -m 17 --mem-backend file=ram -k "$GUEST"; mkdir dir
 *	"$LKVM" run -m 16 --mem-backend file=dir --mem-prealloc -k "$GUEST"; echo "status $?"; ls dir
 * expect="^16777216$"
 * expect="^ ffffffffffdfffff$"
 * expect="^  *.0$"
 * expect="^status 1$"
 * expect-stderr="RAM from ram: the file has 16777216 bytes; it has to be empty or have 17825792"
 * reject="lkvm-"
 * [more_than_the_host_has]
 * cmd=mb=$(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) / 1024 + 1000))
 *	"$LKVM" run -m $mb -k "${GUEST%/memory.elf}/exit.elf"; echo "status $?"
 *	"$LKVM" run -m $mb --mem-prealloc -k "$GUEST"; echo "status $?"
 *	"$LKVM" run -m $mb --mem-backend file=/dev/shm -k "$GUEST"
 * expect="^status 1$"
 * expect="^status 125$"
 * status=125
 * expect-stderr="^lkvm: warning: the guest gets [0-9]+ MiB of RAM, the host has [0-9]+$"
 * expect-stderr="^lkvm: --mem-prealloc: the guest wants"
 * expect-stderr="^lkvm: RAM from /dev/shm: [0-9]+ MiB are needed, there is room for"
 * [no_such_backend]
 * run=-m 16 --mem-backend cloud
 * status=125
 * expect-stderr="is no place for RAM: thp, hugetlb,"
 * [no_file_is_left_of_what_failed]
 * cmd="$LKVM" run -m 16 --hugetlbfs nothing -k "$GUEST"; "$LKVM" run -m 8T --mem-backend file=nothing -k "$GUEST"; echo "status $?"; [ -e nothing ] || echo none
 * expect="^status 125$"
 * expect="^none$"
 * expect-stderr="^lkvm: --hugetlbfs nothing: there is no hugetlbfs$"
 * [no_file_is_left_of_what_could_not_grow]
 * cmd=trap "" XFSZ; (ulimit -f 100; "$LKVM" run -m 16 --mem-backend file=small -k "$GUEST"); echo "status $?"; [ -e small ] || echo none
 * expect="^status 125$"
 * expect="^none$"
 * expect-stderr="^lkvm: a file of 16 MiB for the RAM: File too large$"
 * [no_hugetlbfs]
 * run=-m 16 --hugetlbfs /tmp
 * status=125
 * expect-stderr="^lkvm: --hugetlbfs /tmp: there is no hugetlbfs$"
 * [too_few_huge_pages]
 * run=-m 512G --mem-backend hugetlb
 * status=125
 * expect-stderr="huge pages"
 * [far_too_much]
 * cmd=host=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
 *	"$LKVM" run -m $((host * 17)) -k "$GUEST"; echo "status $?"
 *	"$LKVM" run -m $((host * 17)) --mem-overcommit -k /nonexistent
 * expect="^status 125$"
 * status=125
 * expect-stderr="/nonexistent"
 * expect-stderr="^lkvm: --mem: [0-9]+ MiB are more than 16 times the host's [0-9]+ MiB"
 * [files_are_not_merged]
 * run=-m 16 --mem-backend memfd --mem-merge
 * status=125
 * expect-stderr="^lkvm: --mem-merge: the host merges no pages of files"
 */
#include "guest.h"

/* One word in many, at distances that do not repeat. */
static void probe(u64 start, u64 end)
{
	u64 addr, step = 0x100000;

	if (start < 0x200000)
		start = 0x200000;	/* this program is below */
	for (addr = start; addr + 8 <= end; addr += step) {
		volatile u64 *p = (void *)addr;

		CHECK_EQ(*p, 0);
		*p = ~addr;
		step = step < 0x8000000 ? step * 2 : step;
	}
	if (end > start) {
		volatile u64 *last = (void *)(end - 8);

		CHECK_EQ(*last, 0);
		*last = end;
		CHECK_EQ(*last, end);
	}
	step = 0x100000;
	for (addr = start; addr + 8 <= end; addr += step) {
		CHECK_EQ(*(volatile u64 *)addr, ~addr);
		step = step < 0x8000000 ? step * 2 : step;
	}
}

int main(void)
{
	const struct guest_memmap *m = (void *)start_info()->memmap;
	u64 ram = 0, addr;
	u32 i;

	for (i = 0; i < start_info()->memmap_entries; i++, m++) {
		print("%010lx..%010lx %u\n", m->addr, m->addr + m->size, m->type);
		if (m->type != 1)
			continue;
		ram += m->size;
		for (addr = m->addr; addr < m->addr + m->size; addr += 1 << 30)
			guest_map(addr);
		guest_map(m->addr + m->size - 1);
		probe(m->addr, m->addr + m->size);
	}
	print("ram %lu KiB\n", ram >> 10);
	/* Just below the hole's end, and just above the RAM: nothing. */
	CHECK_EQ(mmio_read32(0xdffff000), 0xffffffff);
	return 0;
}
