// SPDX-License-Identifier: GPL-2.0
/* The firmware configuration device: items, DMA, and which kernel it is that has crashed. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/qemu_fw_cfg.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/fw_cfg.h>

#include "driver.h"
#include "tap.h"

#define PORT		0x510
#define DESC		0x10000		/* where the tests put descriptors, */
#define BUF		0x20000		/* buffers */
#define NOTE		0x30ffc		/* and the note */
#define FILE_KEY	0x20
#define NOBODY		0xc0000000	/* no RAM */

static struct machine m;

static void start(void)
{
	machine_init(&m);
	CHECK_EQ(device_add(&m.vm, "fw-cfg", "base=0x510,cpus=5,mem=20015998341120", NULL), 0);
}

static u64 item(u16 key, unsigned int len)
{
	u64 val = 0;
	unsigned int i;

	bus_write(&m.vm.pio, PORT, 2, key);
	for (i = 0; i < len; i++)
		val |= bus_read(&m.vm.pio, PORT + 1, 1) << (8 * i);
	return val;
}

static void dma_at(u64 desc)
{
	bus_write(&m.vm.pio, PORT + 4, 4, htobe32(desc >> 32));
	bus_write(&m.vm.pio, PORT + 8, 4, htobe32((u32)desc));
}

/* What the device says of a transfer: 0 or FW_CFG_DMA_CTL_ERROR. */
static u32 dma(u32 control, u64 addr, u32 len)
{
	u64 access[2] = { htobe64((u64)control << 32 | len), htobe64(addr) };
	u32 result;

	CHECK_EQ(mem_write(&m.vm.mem, DESC, access, sizeof(access)), 0);
	dma_at(DESC);
	CHECK_EQ(mem_read(&m.vm.mem, DESC, &result, sizeof(result)), 0);
	return be32toh(result);
}

static u32 dma_select(u16 key, u32 control)
{
	return (u32)key << 16 | FW_CFG_DMA_CTL_SELECT | control;
}

TEST(items_come_byte_by_byte)
{
	start();
	CHECK_EQ(item(FW_CFG_SIGNATURE, 6), 0x554d4551);
	CHECK_EQ(item(FW_CFG_ID, 4), 3);
	CHECK_EQ(item(FW_CFG_RAM_SIZE, 8), 0x123456789000);
	CHECK_EQ(item(FW_CFG_NB_CPUS, 4), 5);
	CHECK_EQ(item(FW_CFG_MAX_CPUS, 4), 5);
	CHECK_EQ(item(FW_CFG_KERNEL_DATA, 8), 0);
	CHECK_EQ(item(0xffff, 8), 0);
	/* The directory: one file. */
	CHECK_EQ(item(FW_CFG_FILE_DIR, 8), 0x1000000001000000);
	CHECK_EQ(bus_read(&m.vm.pio, PORT + 1, 1) << 8 | bus_read(&m.vm.pio, PORT + 1, 1), FILE_KEY);
	bus_read(&m.vm.pio, PORT + 1, 1);
	bus_read(&m.vm.pio, PORT + 1, 1);
	for (const char *p = FW_CFG_VMCOREINFO_FILENAME; *p; p++)
		CHECK_EQ(bus_read(&m.vm.pio, PORT + 1, 1), *p);
	machine_free(&m);
}

TEST(that_there_is_dma_can_be_read)
{
	start();
	CHECK_EQ(be32toh(bus_read(&m.vm.pio, PORT + 4, 4)), FW_CFG_DMA_SIGNATURE >> 32);
	CHECK_EQ(be32toh(bus_read(&m.vm.pio, PORT + 8, 4)), (u32)FW_CFG_DMA_SIGNATURE);
	CHECK_EQ(bus_read(&m.vm.pio, PORT + 2, 2), 0);
	machine_free(&m);
}

TEST(dma_reads_and_skips)
{
	u8 buf[16];

	start();
	memset(buf, 0xaa, sizeof(buf));
	CHECK_EQ(mem_write(&m.vm.mem, BUF, buf, sizeof(buf)), 0);
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_READ), BUF, 8), 0);
	CHECK_EQ(mem_read(&m.vm.mem, BUF, buf, sizeof(buf)), 0);
	CHECK_MEM(buf, "QEMU\0\0\0\0\xaa\xaa", 10);
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_SKIP), NOBODY, 2), 0);
	CHECK_EQ(dma(FW_CFG_DMA_CTL_READ, BUF, 1), 0);
	CHECK_EQ(dma(FW_CFG_DMA_CTL_READ, BUF + 1, 1), 0);
	CHECK_EQ(mem_read(&m.vm.mem, BUF, buf, 2), 0);
	CHECK_MEM(buf, "MU", 2);
	/* However far: there is nothing any more. */
	CHECK_EQ(dma(FW_CFG_DMA_CTL_SKIP, 0, ~0u), 0);
	CHECK_EQ(dma(FW_CFG_DMA_CTL_SKIP, 0, ~0u), 0);
	CHECK_EQ(dma(FW_CFG_DMA_CTL_READ, BUF, 1), 0);
	CHECK_EQ(mem_read(&m.vm.mem, BUF, buf, 1), 0);
	CHECK_EQ(buf[0], 0);
	CHECK_EQ(bus_read(&m.vm.pio, PORT + 1, 1), 0);
	/* Nothing at all is a transfer too. */
	CHECK_EQ(dma(FW_CFG_DMA_CTL_READ, NOBODY, 0), 0);
	machine_free(&m);
}

TEST(dma_that_cannot_be_is_an_error)
{
	u8 buf[32] = { 0 };

	start();
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_READ), NOBODY, 4), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_READ), ~0ULL - 2, 4), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_READ), MACHINE_RAM - 8, 16),
		 FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_READ), BUF, 1 * GIB), FW_CFG_DMA_CTL_ERROR);
	/* What may not be written, and not so much. */
	CHECK_EQ(dma(dma_select(FW_CFG_SIGNATURE, FW_CFG_DMA_CTL_WRITE), BUF, 4), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FW_CFG_FILE_DIR, FW_CFG_DMA_CTL_WRITE), BUF, 4), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(0x21, FW_CFG_DMA_CTL_WRITE), BUF, 4), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FILE_KEY, FW_CFG_DMA_CTL_WRITE), BUF, 17), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FILE_KEY, FW_CFG_DMA_CTL_WRITE), NOBODY, 16), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(dma(dma_select(FILE_KEY, FW_CFG_DMA_CTL_SKIP), 0, 100), 0);
	CHECK_EQ(dma(FW_CFG_DMA_CTL_WRITE, BUF, 1), FW_CFG_DMA_CTL_ERROR);
	CHECK_EQ(item(FW_CFG_SIGNATURE, 4), 0x554d4551);
	/* Descriptors that are not in RAM are nobody's. */
	dma_at(NOBODY);
	dma_at(MACHINE_RAM - 8);
	dma_at(~0ULL);
	CHECK_EQ(mem_read(&m.vm.mem, MACHINE_RAM - 8, buf, 8), 0);
	CHECK_EQ(buf[0], 0);
	machine_free(&m);
}

/* As Linux does it: the note in its memory, where it is by DMA. */
static void vmcoreinfo(u16 format, u64 addr, u32 len, const char *name, const char *text)
{
	struct {
		u16 host_format, guest_format;
		u32 size;
		u64 addr;
	} info = { 0, htole16(format), htole32(len), htole64(addr) };
	u8 note[1024] = { 0 };

	note[0] = strlen(name) + 1;
	strcpy((char *)note + 12, name);
	strcpy((char *)note + 24, text);
	CHECK_EQ(mem_write(&m.vm.mem, NOTE, note, sizeof(note)), 0);
	CHECK_EQ(mem_write(&m.vm.mem, BUF, &info, sizeof(info)), 0);
	CHECK_EQ(dma(dma_select(FILE_KEY, FW_CFG_DMA_CTL_WRITE), BUF, sizeof(info)), 0);
}

static const char *release(void)
{
	static char text[FW_CFG_RELEASE_MAX];

	memset(text, 'x', sizeof(text));
	fw_cfg_release(&m.vm, text);
	return text;
}

TEST(the_release_of_a_kernel_that_says_it)
{
	char line[400];

	start();
	CHECK_STR(release(), "");
	vmcoreinfo(1, NOTE, 4096, "VMCOREINFO", "OSRELEASE=6.1.0-18-amd64\nBUILD-ID=1\n");
	CHECK_STR(release(), "6.1.0-18-amd64");
	vmcoreinfo(1, NOTE, ~0u, "VMCOREINFO", "OSRELEASE=6.9\033[2J\n");
	CHECK_STR(release(), "6.9");
	vmcoreinfo(1, NOTE, 37, "VMCOREINFO", "OSRELEASE=6.1.0-18-amd64\n");
	CHECK_STR(release(), "6.1");
	vmcoreinfo(1, NOTE, 34, "VMCOREINFO", "OSRELEASE=6.1.0-18-amd64\n");
	CHECK_STR(release(), "");
	snprintf(line, sizeof(line), "OSRELEASE=%0*d", 300, 0);
	vmcoreinfo(1, NOTE, 4096, "VMCOREINFO", line);
	CHECK_EQ(strlen(release()), FW_CFG_RELEASE_MAX - 1);
	machine_free(&m);
}

TEST(what_is_no_vmcoreinfo_says_nothing)
{
	static const u32 len[] = { 0, 1, 12, 23, 24, 33 };
	unsigned int i;

	start();
	vmcoreinfo(0, NOTE, 4096, "VMCOREINFO", "OSRELEASE=1\n");
	CHECK_STR(release(), "");
	vmcoreinfo(1, NOTE, 4096, "VMCOREINF", "OSRELEASE=1\n");
	CHECK_STR(release(), "");
	vmcoreinfo(1, NOTE, 4096, "VMCOREINFO", "RELEASE=1\n");
	CHECK_STR(release(), "");
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		vmcoreinfo(1, NOTE, len[i], "VMCOREINFO", "OSRELEASE=1\n");
		CHECK_STR(release(), "");
	}
	vmcoreinfo(1, NOBODY, 4096, "VMCOREINFO", "OSRELEASE=1\n");
	CHECK_STR(release(), "");
	vmcoreinfo(1, ~0ULL - 10, 4096, "VMCOREINFO", "OSRELEASE=1\n");
	CHECK_STR(release(), "");
	vmcoreinfo(1, MACHINE_RAM - 10, 4096, "VMCOREINFO", "OSRELEASE=1\n");
	CHECK_STR(release(), "");
	machine_free(&m);
}

TEST(any_accesses_do_no_harm)
{
	unsigned int i;
	u64 r = 1;

	start();
	for (i = 0; i < 200000; i++) {
		u64 access[2];

		r = r * 6364136223846793005ULL + 1442695040888963407ULL;
		access[0] = htobe64((r >> 20 & 0x3f) << 48 | (r >> 12 & 0x1f) << 32 | (r >> 30 & 0x1ff));
		access[1] = htobe64(r >> 40 & 1 ? BUF : r >> 41 & 1 ? MACHINE_RAM - (r >> 50) % 64 : r << 7);
		CHECK_EQ(mem_write(&m.vm.mem, DESC, access, sizeof(access)), 0);
		switch (r >> 60) {
		case 0 ... 9:
			dma_at(DESC);
			break;
		case 10:
			dma_at(r >> 5);
			break;
		case 11 ... 13:
			bus_write(&m.vm.pio, PORT + (r >> 33) % 12, 1u << (r >> 43) % 3, r >> 3);
			break;
		default:
			bus_read(&m.vm.pio, PORT + (r >> 33) % 12, 1u << (r >> 43) % 3);
		}
		release();
	}
	CHECK_EQ(item(FW_CFG_SIGNATURE, 4), 0x554d4551);
	machine_free(&m);
}
