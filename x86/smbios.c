// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine calls itself (DMTF DSP0134, SMBIOS 3.3): a 64-bit entry point
 * (5.2.2) and the few structures that say something. Linux prints the names with
 * every oops, and takes hardware that says that it is not from the last century
 * at its word. Runs while the machine is built, on the main thread.
 */
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define SMBIOS_ENTRY_LEN	24
#define SMBIOS_STRUCTURES	32	/* from LAYOUT_SMBIOS on */

struct smbios {
	u8 buf[256];
	size_t len;
};

/* 6.1.2: a structure's fields after its header, and its strings. */
static void smbios_add(struct smbios *s, u8 type, const u8 *fields, u8 len, const char *strings,
		       size_t strings_len)
{
	u8 *p = s->buf + s->len;

	p[0] = type;
	p[1] = len + 4;
	p[2] = type;		/* handle: each type comes once */
	p[3] = 0;
	memcpy(p + 4, fields, len);
	/* Each string ends in a zero byte, and the last in another: two if there is none. */
	memcpy(p + 4 + len, strings, strings_len);
	s->len += 4 + len + strings_len + 1;
}

#define SMBIOS_ADD(s, type, fields, strings) \
	smbios_add(s, type, fields, sizeof(fields), strings, sizeof(strings))

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

	SMBIOS_ADD(&s, 0, firmware, "lkvm\0" "1\0" "01/01/2026");
	SMBIOS_ADD(&s, 1, system, "lkvm\0" "KVM virtual machine\0" "1");
	SMBIOS_ADD(&s, 3, chassis, "lkvm");
	SMBIOS_ADD(&s, 127, end, "");
	entry[6] = SMBIOS_ENTRY_LEN;
	entry[7] = 3;			/* version 3.3, revision of this entry 1 */
	entry[8] = 3;
	entry[10] = 1;
	entry[12] = s.len;		/* at most; less than 256 */
	for (i = 0; i < sizeof(addr); i++)
		entry[16 + i] = addr >> 8 * i;
	for (i = 0; i < SMBIOS_ENTRY_LEN; i++)
		sum += entry[i];
	entry[5] = -sum;
	ret = mem_write(&vm->mem, LAYOUT_SMBIOS, entry, sizeof(entry));
	return ret ? ret : mem_write(&vm->mem, addr, s.buf, s.len);
}
