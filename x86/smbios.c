// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's names (DMTF DSP0134, SMBIOS 3.3): a 64-bit entry point (5.2.2) and
 * the few structures that carry information. Linux prints the names with every
 * oops, and a recent BIOS date makes it skip workarounds for old firmware. Runs
 * while the machine is built, on the main thread.
 */
#include <endian.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define SMBIOS_ENTRY_LEN	24
#define SMBIOS_STRUCTURES	32	/* from LAYOUT_SMBIOS on */
#define SMBIOS_SOCKETS		32	/* as many are told */
#define SMBIOS_NO_HANDLE	0xffff
#define SMBIOS_NO_ERROR		0xfffe	/* handle of none, in 7.17 and 7.18 */
#define SMBIOS_HANDLE(type, n)	((type) << 8 | (n))

/* 7.5: a processor's fields */
struct smbios_cpu {
	u8 socket, type, family, maker;
	__le32 signature, features;
	u8 version, voltage;
	__le16 clock, max_mhz, mhz;
	u8 status, upgrade;
	__le16 cache[3];
	u8 serial, tag, part, cores, enabled, threads;
	__le16 characteristics, family2, cores2, enabled2, threads2;
} __attribute__((packed));

/* 7.17 and 7.18: all memory, and a piece of it */
struct smbios_array {
	u8 location, use, correction;
	__le32 kib;
	__le16 error, devices;
	__le64 bytes;
} __attribute__((packed));

struct smbios_memory {
	__le16 array, error, width, data_width, mib;
	u8 form, set, locator, bank, type;
	__le16 detail, speed;
	u8 maker, serial, tag, part, attributes;
	__le32 more_mib;
	__le16 configured, voltage[3];
} __attribute__((packed));

struct smbios {
	u8 buf[4000];
	size_t len;
	unsigned int nr;	/* structures of the last one's type */
	u8 last;
};

/* 6.1.2: a structure's fields after its header, and its strings. */
static void smbios_add(struct smbios *s, u8 type, const void *fields, u8 len, const char *strings,
		       size_t strings_len)
{
	u8 *p = s->buf + s->len;

	s->nr = s->last == type ? s->nr + 1 : 0;
	s->last = type;
	p[0] = type;
	p[1] = len + 4;
	p[2] = s->nr;		/* SMBIOS_HANDLE() */
	p[3] = type;
	memcpy(p + 4, fields, len);
	/* Each string ends in a zero byte, and the last in another: two if there is none. */
	memcpy(p + 4 + len, strings, strings_len);
	s->len += 4 + len + strings_len + 1;
}

#define SMBIOS_ADD(s, type, fields, strings) \
	smbios_add(s, type, fields, sizeof(*(fields)), strings, sizeof(strings))

static void smbios_cpus(struct smbios *s, const struct vm *vm)
{
	const struct vm_config *cfg = vm->cfg;
	unsigned int threads = cfg->cores * cfg->threads, mhz = cpuid_khz(vm) / 1000, i;
	u32 signature, features;
	struct smbios_cpu cpu = {
		.socket = 1, .type = 3, .family = 2, .maker = 2, .version = 3,
		.max_mhz = htole16(mhz), .mhz = htole16(mhz), .status = 0x41, .upgrade = 2,
		.cache = { htole16(SMBIOS_NO_HANDLE), htole16(SMBIOS_NO_HANDLE), htole16(SMBIOS_NO_HANDLE) },
		.cores = min(cfg->cores, 255u), .enabled = min(cfg->cores, 255u), .threads = min(threads, 255u),
		.characteristics = htole16(1 << 2), .family2 = htole16(2), .cores2 = htole16(cfg->cores),
		.enabled2 = htole16(cfg->cores), .threads2 = htole16(threads),
	};

	cpuid_signature(vm, &signature, &features);
	cpu.signature = htole32(signature);
	cpu.features = htole32(features);
	for (i = 0; i < min(cfg->sockets, (unsigned int)SMBIOS_SOCKETS); i++)
		SMBIOS_ADD(s, 4, &cpu, "CPU\0" "lkvm\0" "KVM virtual CPU");
}

/* Sizes that do not fit are where 2.7 has put them. */
static void smbios_memory(struct smbios *s, const struct vm *vm)
{
	u64 mem = vm->cfg->mem, mib = mem / MIB;
	struct smbios_array array = {
		.location = 3, .use = 3, .correction = 3, .kib = htole32(0x80000000),
		.error = htole16(SMBIOS_NO_ERROR), .devices = htole16(1), .bytes = htole64(mem),
	};
	struct smbios_memory memory = {
		.array = htole16(SMBIOS_HANDLE(16, 0)), .error = htole16(SMBIOS_NO_ERROR),
		.width = htole16(0xffff), .data_width = htole16(0xffff),
		.mib = htole16(min(mib, (u64)0x7fff)), .form = 9, .locator = 1, .type = 7,
		.maker = 2, .more_mib = htole32(mib < 0x7fff ? 0 : min(mib, (u64)INT32_MAX)),
	};

	SMBIOS_ADD(s, 16, &array, "");
	SMBIOS_ADD(s, 17, &memory, "RAM\0" "lkvm");
}

int smbios_write(struct vm *vm)
{
	/* 7.1: vendor, version, date; no ROM; characteristics: none, a virtual machine */
	static const u8 firmware[] = {
		1, 2, 0, 0, 3, 0, 1 << 3, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 4, 0xff, 0xff, 0xff, 0xff,
	};
	/* 7.2: maker, product, version; no serial number, no UUID; power switch; no SKU, no family */
	static const u8 system[] = {
		1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0,
	};
	/* 7.4: maker, "other"; no version, serial number, tag; states and security unknown */
	static const u8 chassis[] = { 1, 1, 0, 0, 0, 2, 2, 2, 2 };
	static const u8 end[] = { };
	u8 entry[SMBIOS_STRUCTURES] = "_SM3_", sum = 0;
	struct smbios s = { .len = 0 };
	u32 addr = LAYOUT_SMBIOS + SMBIOS_STRUCTURES;
	unsigned int i;
	int ret;

	SMBIOS_ADD(&s, 0, &firmware, "lkvm\0" "1\0" "01/01/2026");
	SMBIOS_ADD(&s, 1, &system, "lkvm\0" "KVM virtual machine\0" "1");
	SMBIOS_ADD(&s, 3, &chassis, "lkvm");
	smbios_cpus(&s, vm);
	smbios_memory(&s, vm);
	SMBIOS_ADD(&s, 127, &end, "");
	entry[6] = SMBIOS_ENTRY_LEN;
	entry[7] = 3;			/* version 3.3, revision of this entry 1 */
	entry[8] = 3;
	entry[10] = 1;
	entry[12] = s.len;		/* at most */
	entry[13] = s.len >> 8;
	for (i = 0; i < sizeof(addr); i++)
		entry[16 + i] = addr >> 8 * i;
	for (i = 0; i < SMBIOS_ENTRY_LEN; i++)
		sum += entry[i];
	entry[5] = -sum;
	ret = mem_write(&vm->mem, LAYOUT_SMBIOS, entry, sizeof(entry));
	return ret ? ret : mem_write(&vm->mem, addr, s.buf, s.len);
}
